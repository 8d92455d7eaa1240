# SPDX-License-Identifier: GPL-2.0-only
"""Writes commands as the text of a shell script that a person can read, paste and change."""

from __future__ import annotations

import re
import shlex
import textwrap
from collections.abc import Iterable, Mapping, Sequence

WIDTH = 110
"""columns after which a command goes on in another line"""
VARIABLES = ("work", "vm", "port", "acquire", "release")
"""variables of a script: ``$NAME`` in a word stands for the value that the script gives it"""
_VARIABLE = re.compile(rf"\$(?:{'|'.join(VARIABLES)})\b")
_SPECIAL = re.compile(r'[\\"$`]')
_INDENT = "    "


def quoted(word: str) -> str:
    """Return a word as a shell reads it: as it is, but with the values of the script's variables."""
    if not _VARIABLE.search(word):
        return shlex.quote(word)
    fixed, put_in = _VARIABLE.split(word), [*_VARIABLE.findall(word), ""]
    return f'"{"".join(_escaped(part) + variable for part, variable in zip(fixed, put_in, strict=True))}"'


def remote(words: Sequence[str], texts: Mapping[str, str]) -> str:
    """Return the one word with which ssh runs a command.

    `texts` has names of variables for long words, by the word; `QUOTE` quotes them for the guest.
    """
    if not any(word in texts or "'" in shlex.quote(word) for word in words):
        return shlex.quote(shlex.join(words))
    parts = (f'$(quote "${texts[word]}")' if word in texts else _escaped(shlex.quote(word)) for word in words)
    return f'"{" ".join(parts)}"'


def _escaped(text: str) -> str:
    return _SPECIAL.sub(r"\\\g<0>", text)


def command(words: Iterable[str], env: Mapping[str, str] | None = None) -> str:
    """Return a command with variables of its environment ahead of it, on as many lines as it takes."""
    return wrapped([*(f"{name}={quoted(value)}" for name, value in (env or {}).items()), *map(quoted, words)])


def wrapped(words: Sequence[str]) -> str:
    """Return quoted words on as many lines as it takes; an option and its value stay in one."""
    lines, line = [], ""
    for unit in _units(words):
        if line and len(line) + len(unit) >= WIDTH:
            lines.append(f"{line} \\")
            line = _INDENT + unit
        else:
            line = f"{line} {unit}" if line else unit
    return "\n".join([*lines, line])


def _units(words: Sequence[str]) -> list[str]:
    """Return quoted words, but an option and its value as one."""
    units: list[str] = []
    for before, word in zip(("", *words), words, strict=False):
        if before.startswith("-") and "=" not in before and not word.startswith("-"):
            units[-1] += f" {word}"
        else:
            units.append(word)
    return units


def environment(changes: Mapping[str, str | None], *, whole: bool = False) -> str:
    """Return the words that run a command with a changed environment, or with a `whole` one; None removes a variable."""
    gone = [word for name, value in changes.items() if value is None for word in ("-u", name)]
    given = [f"{name}={quoted(value)}" for name, value in changes.items() if value is not None]
    return wrapped(["env", *(["-i"] if whole else []), *gone, *given])


def function(name: str, *lines: str) -> str:
    """Return a shell function."""
    return "\n".join([f"{name}() {{", *(indented(line) for line in lines), "}"])


def variable(name: str, text: str) -> str:
    """Return the assignment of a text of several lines."""
    return f"{name}=$(cat << 'END'\n{text.rstrip()}\nEND\n)"


def indented(text: str) -> str:
    """Return text of several lines further to the right."""
    return textwrap.indent(text, _INDENT)


QUOTE = function("quote", """printf '%s\\n' "$1" | sed "s/'/'\\\\\\\\''/g; 1s/^/'/; \\$s/\\$/'/\"""")
"""a shell function that quotes a text for another shell"""


def title(text: str) -> str:
    """Return the comment above a part of a script."""
    return f"\n# ---- {text} ----"


def comment(text: str) -> str:
    """Return a sentence as a comment, on as many lines as it takes."""
    return "\n".join(
        textwrap.wrap(text, WIDTH, initial_indent="# ", subsequent_indent="# ", break_on_hyphens=False, break_long_words=False)
    )


def not_run(text: str) -> str:
    """Return commands as comments."""
    return textwrap.indent(text, "# ", lambda _: True)
