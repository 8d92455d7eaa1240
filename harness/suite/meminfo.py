# SPDX-License-Identifier: GPL-2.0-only
"""Reads /proc/meminfo and /proc/slabinfo of a guest; see proc(5) and slabinfo(5)."""

from __future__ import annotations

import re

import msgspec

_ALL = re.compile(r"^(\w+):\s+(\d{1,15}) kB$", re.M)
_UPTIME = re.compile(r"^(\d{1,12}\.\d{1,9}) \d{1,12}\.\d{1,9}$", re.M)
_AREAS = re.compile(r"^areas (\d{1,18}) (\d{1,18}) lazy (\d{1,18})$", re.M)
_REST = ("MemFree", "MemAvailable", "Slab", "SUnreclaim", "PageTables", "KernelStack")
_MEMINFO = re.compile(r"^(SUnreclaim|VmallocUsed):\s+(\d{1,15}) kB$", re.M)
# Digits are bounded so that no product, nor their sum, is more than a record holds.
_SLAB = re.compile(r"^(\S+)\s+(\d{1,9}) +\d{1,12} +(\d{1,6}) +\d+ +\d+ : ", re.M)


def before_and_after(before: str, after: str) -> tuple[dict[str, int], dict[str, int]]:
    """Return the sizes in bytes that two looks at both files show.

    A slab cache is part of it, as ``slab:NAME``, only if its active objects take more afterwards.
    A value that cannot be read is left out.
    """
    sizes, slabs = zip(*((_sizes(text), _slabs(text)) for text in (before, after)), strict=True)
    grown = [name for name, size in slabs[1].items() if size > slabs[0].get(name, 0)]
    return (
        {**sizes[0], **{f"slab:{name}": slabs[0].get(name, 0) for name in grown}},
        {**sizes[1], **{f"slab:{name}": slabs[1][name] for name in grown}},
    )


class AtRest(msgspec.Struct, frozen=True):
    """Memory of a guest after a test, from its own files."""

    uptime: float
    """seconds since its boot"""
    values: dict[str, int]
    """bytes, but for ``areas``, a count"""
    caches: dict[str, int]
    """bytes that a slab cache's objects take, by its name"""


def at_rest(files: str) -> AtRest | None:
    """Return what /proc/uptime, meminfo, slabinfo and the sums of vmallocinfo say in `files`; None where a part is missing.

    The values are those of meminfo by their names, ``MemUsed`` for what is not free, ``slab_objects`` for what the objects of
    all slab caches take, ``areas`` and ``vmalloc`` for how many areas vmallocinfo has and how large they are with their guard
    pages, and ``lazy`` for the freed ones that still wait for a purge.
    """
    uptime, areas = _UPTIME.search(files), _AREAS.search(files)
    meminfo = {name: int(kilobytes) * 1024 for name, kilobytes in _ALL.findall(files)}
    slabs = _slabs(files)
    if not (uptime and areas and slabs and {"MemTotal", *_REST} <= meminfo.keys()):
        return None
    values = {name: meminfo[name] for name in _REST}
    values["slab_objects"] = sum(slabs.values())
    values["MemUsed"] = meminfo["MemTotal"] - meminfo["MemFree"]
    values |= {"areas": int(areas[1]), "vmalloc": int(areas[2]), "lazy": int(areas[3])}
    return AtRest(float(uptime[1]), values, slabs)


def _sizes(text: str) -> dict[str, int]:
    return {name: int(kilobytes) * 1024 for name, kilobytes in _MEMINFO.findall(text)}


def _slabs(text: str) -> dict[str, int]:
    return {name: int(objects) * int(size) for name, objects, size in _SLAB.findall(text)}
