# SPDX-License-Identifier: GPL-2.0-only
"""Fills the templates; a value is inserted as text, never as markup."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup, escape

from harness import text

_TEMPLATES = Path(__file__).parent / "templates"


def render(template: str, filters: Mapping[str, Callable[..., Any]], **values: Any) -> str:
    """Return the page of a template, which may use `filters`; a name without a value is an error."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(filters, breakable=_breakable)
    return text.plain(environment.get_template(template).render(**values))


def _breakable(name: object) -> Markup:
    """Return a name that may go on in the next line behind each underscore or slash, where a column is narrow."""
    return escape(name).replace("_", Markup("_<wbr>")).replace("/", Markup("/<wbr>"))
