# SPDX-License-Identifier: GPL-2.0-only
"""Turns kmemleak's list of unreferenced objects into troubles: one for each call trace."""

from __future__ import annotations

import bisect
import re
from collections.abc import Sequence

import msgspec

from harness import kernlog
from harness.model.trouble import Trouble

MOST = 1 << 18
"""maximum characters of kmemleak's file that are read: some 300 objects"""
_TRACES = 20
"""maximum call traces that become a trouble each"""
_ANNOUNCED = "suspected memory leak"
_OBJECT = re.compile(r"^unreferenced object 0x(?P<address>[0-9a-f]+) \(size (?P<size>\d+)\)", re.M)
_NAMELESS = re.compile(r"(?<=\] )0x(?P<address>[0-9a-f]{8,16})$", re.M)
_SYMBOL = re.compile(r"^(?P<address>[0-9a-f]{8,16}) [tT] (?P<name>\S+)\s+\[(?P<module>\S+)\]$", re.M)


class _Group(msgspec.Struct):
    """Leaked objects with the same call trace."""

    trouble: Trouble
    """trouble of the first of them"""
    count: int = 0
    size: int = 0
    """bytes of all of them"""


def read(first: str, again: str, symbols: str) -> list[Trouble]:
    """Return the objects that two scans both list: `first` has at least the lines with addresses, `again` the whole file.

    `symbols` are the lines of /proc/kallsyms of a module that is unloaded since: the file cannot name its functions.
    """
    names = sorted((int(match["address"], 16), f"{match['name']} [{match['module']}]") for match in _SYMBOL.finditer(symbols))
    before = {match["address"] for match in _OBJECT.finditer(first)}
    cut = len(again) >= MOST
    # In a truncated file the last object may lack its call trace.
    entire = again[: again.rfind("unreferenced object")] if cut else again
    objects = [match for match in _OBJECT.finditer(entire) if match["address"] in before]
    groups: dict[str, _Group] = {}
    for match in objects:
        following = _OBJECT.search(entire, match.end())
        text = _named(entire[match.start() : following.start() if following else None].rstrip(), names)
        for trouble in kernlog.find(text):
            group = groups.setdefault(trouble.fingerprint, _Group(trouble))
            group.count += 1
            group.size += int(match["size"])
    ordered = sorted(groups.values(), key=lambda group: -group.count)
    return [_summary(group, whole=not cut) for group in ordered[:_TRACES]]


def instead(troubles: Sequence[Trouble], leaks: Sequence[Trouble], line: int) -> list[Trouble]:
    """Return the troubles of a log, with `leaks` in place of kmemleak's announcement of them.

    They get the lines of the announcement, or the line `line` if there is none.
    """
    words = [trouble for trouble in troubles if trouble.kind == "memory-leak" and _ANNOUNCED in trouble.title]
    place = (words[0].first, words[-1].last) if words else (line, line)
    others = [trouble for trouble in troubles if trouble not in words]
    return [*others, *(msgspec.structs.replace(leak, first=place[0], last=place[1]) for leak in leaks)]


def _named(text: str, names: Sequence[tuple[int, str]]) -> str:
    """Return an object's lines with the names of the module's functions, as the kernel prints them while it is loaded."""

    def name(match: re.Match[str]) -> str:
        address = int(match["address"], 16)
        index = bisect.bisect_right(names, (address, "~")) - 1
        if index < 0 or index + 1 == len(names):
            return match[0]
        (start, function), (end, _) = names[index : index + 2]
        return function.replace(" ", f"+0x{address - start:x}/0x{end - start:x} ", 1)

    return _NAMELESS.sub(name, text)


def _summary(group: _Group, *, whole: bool) -> Trouble:
    trouble = group.trouble
    objects = f"{'' if whole else 'at least '}{group.count} leaked object{'s' if group.count > 1 else ''}"
    title = f"{objects} ({group.size} bytes in all) from {trouble.function or 'an unknown place'}"
    more = f"\n... {group.count - 1} more with such a call trace ..." if group.count > 1 else ""
    return msgspec.structs.replace(trouble, title=title, text=f"{trouble.text}{more}")
