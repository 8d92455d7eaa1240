# SPDX-License-Identifier: GPL-2.0-only
"""Chooses the function of a call trace to blame: the first that does not report, check, lock or copy."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable

from harness.kernlog import machinery
from harness.model.trouble import Frame

_SUFFIX = re.compile(r"(?:\.(?:isra|constprop|part|cold|llvm|lto_priv|localalias|clone)(?:\.\w+)*)+$|\.\d+$|_ret_addr$")


_WHERE_IT_STANDS = frozenset(
    {"lockdep", "hung-task", "atomic", "memory-leak", "out-of-memory", "allocation-failure", "slab", "bad-page", "ubsan"}
)
"""kinds whose registers, if any, are those of the user program"""


@functools.lru_cache(4096)
def plain(function: str) -> str:
    """Return a function's name in the source, without a compiler's suffixes."""
    return _SUFFIX.sub("", function) if "." in function or function.endswith("_addr") else function


def reports(function: str, kind: str = "") -> bool:
    """Return True if a function belongs to the machinery of a report of `kind`, and so is not to blame."""
    return machinery.has(plain(function), kind)


def _certain(frame: Frame) -> bool:
    """Return True if the kernel was in that function.

    A return address at the start of a function may belong to a noreturn call at the end of the function before it.
    """
    return frame.sure and (frame.exact or frame.inlined or frame.offset > 0 or not frame.size)


def blamed(kind: str, named: Frame | None, pc: Frame | None, frames: Iterable[Frame]) -> Frame | None:
    """Return the frame to blame: the function that the header names, that of the pc, or the nearest caller of both."""
    first = [f for f in (named, None if kind in _WHERE_IT_STANDS else pc) if f]
    if culprit := _first_not_reporting(first, kind):
        return culprit
    trace = list(frames)
    start = next((i for i, f in enumerate(trace) if named and f.function == named.function), 0)
    likely = [frame for frame in (*trace[start:], *trace[:start]) if _certain(frame)]
    if all(frame is pc for frame in likely):
        # The kernel is sure of no caller, as without frame pointers: what it found on the stack is the best there is.
        likely = trace
    return _first_not_reporting(likely, kind) or (first[0] if first else None)


def _first_not_reporting(frames: Iterable[Frame], kind: str) -> Frame | None:
    return next((frame for frame in frames if not reports(frame.function, kind)), None)
