# SPDX-License-Identifier: GPL-2.0-only
"""Text of others in Markdown, such as names of patches: it shows as it is, and nothing in it is a tag, a link or a call.

A mail is read as plain text too, so that only what would be taken for more than text is changed.
"""

from __future__ import annotations

import re

_TAKEN = re.compile(
    r"(?P<span>(?<!`)`[^`\n]+`(?!`))"  # a span of code stays one; nothing in it has a meaning
    # A user or an issue, which GitHub tells of it; a backslash would not keep it from that.
    r"|(?P<call>(?<!\w)@\w[\w-]*(?:/[\w-]+)?|(?<![\w#])(?:[\w-]+/[\w.-]+)?#\d+\b|\bGH-\d+\b)"
    r"|\\(?=[!-/:-@\[-`{-~]|$)"  # a backslash that would hide what it stands before, or break a line
    r"|<(?=[A-Za-z/!?])|&(?=#?\w+;)"  # a tag, a comment, an address; an entity
    r"|`|\*|\$|(?<=\S)_(?![^\W_])|(?<=\S)~"  # code, emphasis, a formula, what is struck out; a _ within a word is none
    r"|\](?=[(\[:])"  # the end of a link's words, or of the name of one
)
_BEGINS = re.compile(
    r"(?P<blank>\s*)(?:"
    r"(?P<number>\d{1,9})(?=[.)](?:\s|$))"  # an item of a list
    r"|(?=[-+](?:\s|$)|#{1,6}(?:\s|$)|>|\[[ xX]\])"  # an item, a heading, a quotation, a box to tick
    r"|(?=[-=|:_][-=|:_\s]*$|~~~)"  # the line below a heading or a table's titles, a rule, a fence
    r")"
)


def escaped(text: str) -> str:
    """Return lines of text as Markdown that shows just them; a span of code within a line stays one."""
    return "\n".join(_line(line) for line in text.split("\n"))


def code(words: str) -> str:
    """Return words as a span of code, whatever backticks they have."""
    fence = "`" * (max(map(len, re.findall("`+", words)), default=0) + 1)
    return f"`{words}`" if fence == "`" else f"{fence} {words} {fence}"


def _line(line: str) -> str:
    begins = _BEGINS.match(line)
    if not begins:
        return _TAKEN.sub(_replaced, line)
    before = begins["blank"] + (begins["number"] or "")
    rest = line[len(before) :]
    # What comes first has its backslash; the rest is looked at as if it stood behind it.
    return f"{before}\\{rest[:1]}{_TAKEN.sub(_replaced, rest[1:])}"


def _replaced(found: re.Match[str]) -> str:
    if found["span"]:
        return found[0]
    return code(found[0]) if found["call"] else f"\\{found[0]}"
