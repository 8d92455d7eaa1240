# SPDX-License-Identifier: GPL-2.0-only
"""Kernel configurations as text: merging fragments and checking what Kconfig made of them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

_SET = re.compile(r"^(CONFIG_\w+)=(.*)$")
_UNSET = re.compile(r"^# (CONFIG_\w+) is not set$")
_OFF = "n"


def parse(text: str) -> dict[str, str]:
    """Return the symbols of a .config or a fragment; one that is not set has the value ``n``."""
    symbols: dict[str, str] = {}
    for line in text.splitlines():
        if found := _SET.match(line.strip()):
            symbols[found[1]] = found[2]
        elif found := _UNSET.match(line.strip()):
            symbols[found[1]] = _OFF
    return symbols


def merge(fragments: Iterable[str]) -> dict[str, str]:
    """Return the symbols of all `fragments`; a later one overrules an earlier one."""
    merged: dict[str, str] = {}
    for fragment in fragments:
        merged.update(parse(fragment))
    return merged


def render(symbols: Mapping[str, str]) -> str:
    """Return `symbols` as Kconfig reads them."""
    lines = (f"# {name} is not set" if value == _OFF else f"{name}={value}" for name, value in symbols.items())
    return "\n".join(lines) + "\n"


def lost(asked: Mapping[str, str], made: Mapping[str, str]) -> list[str]:
    """Return what was asked for and did not survive, as sentences without a full stop.

    A symbol that was asked to be off may be absent from `made`.
    """
    return [
        f"{name} was asked to be {value} and became {made.get(name, _OFF)}"
        for name, value in asked.items()
        if made.get(name, _OFF) != value
    ]
