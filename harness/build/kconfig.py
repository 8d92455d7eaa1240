# SPDX-License-Identifier: GPL-2.0-only
"""Kernel configurations as text: merges fragments, and checks that Kconfig kept their symbols."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

_SET = re.compile(r"^(CONFIG_\w+)=(.*)$")
_UNSET = re.compile(r"^# (CONFIG_\w+) is not set$")
_DECLARED = re.compile(r"^[ \t]*(?:menu)?config[ \t]+(\w+)", re.M)
OFF = "n"
"""value of a symbol that is not set"""


def parse(text: str) -> dict[str, str]:
    """Return the symbols of a .config or a fragment; the value of one that is not set is ``n``."""
    symbols: dict[str, str] = {}
    for line in text.splitlines():
        if match := _SET.match(line.strip()):
            symbols[match[1]] = match[2]
        elif match := _UNSET.match(line.strip()):
            symbols[match[1]] = OFF
    return symbols


def merge(fragments: Iterable[str]) -> dict[str, str]:
    """Return the symbols of all `fragments`; a later one overrides an earlier one."""
    merged: dict[str, str] = {}
    for fragment in fragments:
        merged.update(parse(fragment))
    return merged


def render(symbols: Mapping[str, str]) -> str:
    """Return `symbols` in the format of a .config."""
    lines = (f"# {name} is not set" if value == OFF else f"{name}={value}" for name, value in symbols.items())
    return "\n".join(lines) + "\n"


def lost(asked: Mapping[str, str], actual: Mapping[str, str]) -> dict[str, str]:
    """Return the symbols in `asked` that have another value in `actual`, with a sentence for each, without a full stop.

    A symbol that is asked to be off may be absent from `actual`.
    """
    return {
        name: f"{name} was asked to be {value} and became {actual.get(name, OFF)}"
        for name, value in asked.items()
        if actual.get(name, OFF) != value
    }


def declared(text: str) -> set[str]:
    """Return the symbols that the text of Kconfig files declares."""
    return {f"CONFIG_{name}" for name in _DECLARED.findall(text)}
