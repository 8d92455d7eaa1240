# SPDX-License-Identifier: GPL-2.0-only
"""Plain text in 75 columns of ASCII: paragraphs, lists and tables that are never wider.

It is Markdown as well. Paragraphs and items have what would be more than text escaped; tables and logs are blocks of code.
"""

from __future__ import annotations

import re
import textwrap
import unicodedata
from collections.abc import Sequence
from itertools import zip_longest

from harness import text
from harness.report import markdown

WIDTH = 75
_INDENT = "    "
_GAP = "  "
_NARROWEST = 5
_UNDER = "  "
"""more indent below an item of a list, without which Markdown takes a block of code for a paragraph of the item"""
_CODE = re.compile("`[^`\n]+`")
_CONTINUED = " \\"
"""end of a line that a shell goes on with"""
_STAYS = "\x1f"
"""stands for a blank in a span of code, where no line may end; ascii_only() leaves none of these in a text"""


def ascii_only(line: str) -> str:
    """Return text in ASCII, with the nearest letter or sign for any other; a question mark if there is none."""
    near = line.replace("±", "+-").replace("×", "x").replace("\u2013", "-").replace("\u2019", "'")
    return unicodedata.normalize("NFKD", text.plain(near)).encode("ascii", "replace").decode().replace("\t", " ")


def heading(title: str, rule: str = "-") -> str:
    """Return a heading, underlined."""
    lines = _escaped(ascii_only(title), WIDTH)
    return "\n".join([*lines, rule * max(map(len, lines))])


def paragraph(sentences: str, first: str = "", then: str = "") -> str:
    """Return a paragraph, or an item of a list with `first` before its first line and `then` before the others."""
    lines = _escaped(ascii_only(sentences).replace("\n", " "), WIDTH - max(len(first), len(then)))
    return "\n".join(f"{then if number else first}{line}".rstrip() for number, line in enumerate(lines))


def item(sentences: str) -> str:
    """Return an item of a list."""
    return paragraph(sentences, "* ", "  ")


def quoted(log: str, most: int) -> str:
    """Return the first lines of a log, indented below an item, each cut to the width."""
    indent = _INDENT + _UNDER
    lines = [ascii_only(line)[: WIDTH - len(indent)].rstrip() for line in log.splitlines()]
    return "\n".join([indent + line for line in lines if line][:most])


def command(words: str) -> str:
    """Return a command below an item, whose lines a shell takes for one; empty if a word has no room, or is not in ASCII."""
    indent = _INDENT + _UNDER
    lines: list[str] = []
    for part in re.split(r" (?=--)", words):
        if lines and len(lines[-1]) + len(part) + len(_CONTINUED) < WIDTH - len(indent):
            lines[-1] += f" {part}"
        else:
            lines.append(part)
    if ascii_only(words) != words or any(len(line) > WIDTH - len(indent) - len(_CONTINUED) for line in lines):
        return ""
    return f"{_CONTINUED}\n".join(indent + line for line in lines)


def table(titles: Sequence[str], rows: Sequence[Sequence[str]], left: int = 1, *, under: bool = False) -> str:
    """Return an aligned table. The first `left` columns are aligned left, and so is the last one if it holds no figures.

    A table that is too wide has its cells wrapped, the widest column first. With `under` it belongs to the item before it.
    """
    indent = _INDENT + (_UNDER if under else "")
    cells = [[ascii_only(cell) for cell in row] for row in [titles, *rows]]
    widths = [max(len(row[column]) for row in cells) for column in range(len(titles))]
    room = WIDTH - len(indent) - len(_GAP) * (len(titles) - 1)
    while sum(widths) > room:
        widest = max(range(len(widths)), key=widths.__getitem__)
        if widths[widest] <= _NARROWEST:
            break
        widths[widest] -= 1
    to_left = set(range(left)) | ({len(titles) - 1} if not any(_is_figure(row[-1]) for row in cells[1:]) else set())
    lines = []
    for row in cells:
        parts = [_wrapped(cell, width) for cell, width in zip(row, widths, strict=True)]
        for line in zip_longest(*parts, fillvalue=""):
            padded = [t.ljust(w) if c in to_left else t.rjust(w) for c, (t, w) in enumerate(zip(line, widths, strict=True))]
            lines.append((indent + _GAP.join(padded)).rstrip())
    return "\n".join(lines)


def _escaped(line: str, width: int) -> list[str]:
    """Return lines of Markdown, at most `width` wide with their backslashes; text is wrapped first, so that none is torn off."""
    held = _CODE.sub(lambda span: span[0].replace(" ", _STAYS), line)
    for narrower in range(width, 0, -1):
        lines = [markdown.escaped(part.replace(_STAYS, " ")) for part in _wrapped(held, narrower)]
        if max(map(len, lines)) <= width:
            break
    return lines


def _wrapped(line: str, width: int) -> list[str]:
    return textwrap.wrap(line, max(width, 1), break_on_hyphens=False) or [""]


def _is_figure(cell: str) -> bool:
    return cell[:1].isdigit() or cell[:1] in "+-"
