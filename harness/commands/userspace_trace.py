# SPDX-License-Identifier: GPL-2.0-only
"""Shortens the operations of a failure of the allocator in user space, as far as they repeat it."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path

from harness.errors import RigError
from harness.host import files, shell
from harness.model.userspace import Leg, read

_PATIENCE = 20.0
"""seconds for shortening one trace"""
_MUTE = 60.0
"""seconds without a word after which a repetition is given up"""


def shorten(program: Path, leg: Leg, kind: str, trace: Path) -> int:
    """Rewrite `trace` with as few of its operations as fail by the same `kind`; return their number, 0 if they do not repeat it."""
    try:
        operations = trace.read_text().splitlines()
    except OSError:
        return 0

    def fails(some: Sequence[str]) -> bool:
        return replay(program, leg, some)[0] == kind

    if not fails(operations):
        return 0
    shortest = fewest(operations, fails, time.monotonic() + _PATIENCE)
    files.write(trace, "".join(f"{operation}\n" for operation in shortest))
    return len(shortest)


def replay(program: Path, leg: Leg, operations: Sequence[str]) -> tuple[str, str]:
    """Return kind and title of the failure of `operations`, both empty if they pass."""
    without = ("--without", ",".join(leg.without)) if leg.without else ()
    command = (program, "--layout", leg.layout, *without, "--replay", "-")
    text = "".join(f"{operation}\n" for operation in operations)
    try:
        printed = shell.output(("sh", "-c", '"$@" 2>&1; echo ended $?', "sh", *command), stdin=text.encode(), silence=_MUTE)
    except RigError as error:
        return "rig", str(error)
    *lines, last = printed.splitlines()
    kind, title, _ = read(lines, int(last.split()[1]))
    return kind, title


def fewest(operations: Sequence[str], fails: Callable[[Sequence[str]], bool], until: float) -> list[str]:
    """Return operations that still fail when more of them are left out, piece by piece, by Zeller's ddmin in short.

    At the time `until` it stops with what there is.
    """
    left = list(operations)
    piece = len(left) // 2
    while piece and time.monotonic() < until:
        at = 0
        while at < len(left) and time.monotonic() < until:
            fewer = left[:at] + left[at + piece :]
            if fewer and fails(fewer):
                left = fewer
            else:
                at += piece
        piece //= 2
    return left
