# SPDX-License-Identifier: GPL-2.0-only
"""The HTML page of a run, and what a browser would make of one."""

from __future__ import annotations

from html.parser import HTMLParser
from typing import Any

from harness.model.clock import Clock
from harness.report.contents import Content
from harness.report.page import html
from tests.support import content, make

STRESS = make.sample(test="mix_stress_test", clock=Clock.WALL, unit="ns/op", operations=4321)


class Page(HTMLParser):
    """Collects what a browser would make of a page."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(page)

    @property
    def tags(self) -> list[str]:
        """The names of its elements, in their order."""
        return [tag for tag, _ in self.elements]

    @property
    def ids(self) -> list[str]:
        """The ids of its elements, in their order."""
        return [str(attributes["id"]) for _, attributes in self.elements if "id" in attributes]

    @property
    def links(self) -> list[str]:
        """What it refers to, with the attribute that does; but not references within a drawing."""
        found = [(name, str(value)) for _, attributes in self.elements for name, value in attributes.items()]
        return [
            f"{name}={value}"
            for name, value in found
            if name in ("src", "href", "action", "data", "srcset") or (name == "xlink:href" and not value.startswith("#"))
        ]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data


def page(**other: Any) -> str:
    """Return the page of a run that compared one test, unless `other` says more."""
    fields: dict[str, Any] = {
        "provenance": make.provenance(),
        "comparisons": (content.comparison(),),
        "results": (make.result(),),
        "samples": (STRESS,),
    }
    return html(Content(**{**fields, **other}))


def seen(**other: Any) -> str:
    """Return the text of that page."""
    return Page(page(**other)).text
