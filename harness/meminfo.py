# SPDX-License-Identifier: GPL-2.0-only
"""Reads /proc/meminfo and /proc/slabinfo of a guest; see proc(5) and slabinfo(5)."""

from __future__ import annotations

import re

_MEMINFO = re.compile(r"^(SUnreclaim|VmallocUsed):\s+(\d{1,15}) kB$", re.M)
_SLAB = re.compile(r"^(\S+)\s+(\d{1,12}) +\d{1,12} +(\d{1,9}) +\d+ +\d+ : ", re.M)


def before_and_after(before: str, after: str) -> tuple[dict[str, int], dict[str, int]]:
    """Return the sizes in bytes that two looks at both files show.

    Of the slab caches only those are told, as ``slab:NAME``, whose active objects take more
    afterwards. What cannot be read is left out.
    """
    sizes, slabs = zip(*((_sizes(text), _slabs(text)) for text in (before, after)), strict=True)
    grown = [name for name, size in slabs[1].items() if size > slabs[0].get(name, 0)]
    return (
        {**sizes[0], **{f"slab:{name}": slabs[0].get(name, 0) for name in grown}},
        {**sizes[1], **{f"slab:{name}": slabs[1][name] for name in grown}},
    )


def _sizes(text: str) -> dict[str, int]:
    return {name: int(kilobytes) * 1024 for name, kilobytes in _MEMINFO.findall(text)}


def _slabs(text: str) -> dict[str, int]:
    return {name: int(objects) * int(size) for name, objects, size in _SLAB.findall(text)}
