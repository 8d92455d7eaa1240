# SPDX-License-Identifier: GPL-2.0-only
"""The pages of the project, and what stands in them."""

from __future__ import annotations

import re
from pathlib import Path

from harness import paths

PAGES = [paths.PROJECT / "README.md", *sorted((paths.PROJECT / "docs").glob("*.md"))]
OTHER_PAGES = [paths.PROJECT / "results/README.md", *sorted(paths.SERIES.glob("*/*/README.md")), paths.TEST_MODULE / "README.md"]
_BLOCK = re.compile(r"(?:^(?P<above>[^\n]*)\n)?^```(?P<language>\w*)\n(?P<text>.*?)^```$", re.M | re.S)
_INLINE = re.compile(r"`([^`\n]+)`")
STANDS_FOR = re.compile(r"\b[A-Z][A-Z_]+\b|<\w+>")
"""a word that the reader replaces, such as NAME"""


def blocks(text: str) -> list[tuple[str, str, str]]:
    """Return the fenced blocks of a page: the line above, the language, the text."""
    return [(found["above"] or "", found["language"], found["text"]) for found in _BLOCK.finditer(text)]


def inline(page: Path) -> list[str]:
    """Return what stands between backquotes in the prose of a page."""
    return _INLINE.findall(_BLOCK.sub("", page.read_text()))
