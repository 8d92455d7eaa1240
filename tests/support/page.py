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
        self.tags: list[str] = []
        self.links: list[str] = []
        self.ids: list[str] = []
        self.text = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.links += [f"{name}={value}" for name, value in attrs if name in ("src", "href", "action", "data", "srcset")]
        self.links += [f"{name}={value}" for name, value in attrs if name == "xlink:href" and not str(value).startswith("#")]
        self.ids += [str(value) for name, value in attrs if name == "id"]

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
