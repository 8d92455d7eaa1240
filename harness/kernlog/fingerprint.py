# SPDX-License-Identifier: GPL-2.0-only
"""Computes the fingerprint of a trouble: the same if it repeats, in the same boot or in another one."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence

from harness.kernlog import blame
from harness.kernlog.kinds import STALLS
from harness.model.trouble import Frame

_NEAREST = 4
"""frames that count: the one to blame and its nearest callers"""
_ANYONE = frozenset({"out-of-memory", "allocation-failure", "irq", *STALLS})
"""kinds that hit any caller by chance: only the function counts"""
_NUMBER = re.compile(r"\b0x[0-9a-f]+\b|\b[0-9a-f]{8,16}\b|(?<!\d)(?<!\.[chS]:)(?<!\.rs:)\d+|\((?:_+ptrval_+|efault|null)\)|%p\w*")


def of(kind: str, title: str, function: str, frames: Sequence[Frame]) -> str:
    """Return 16 hexadecimal digits computed from kind, function and its nearest callers.

    If there is no function, the title takes its place, without its numbers but with the line of a source file.
    """
    names = [blame.plain(f.function) for f in frames if f.sure and not f.inlined and not blame.reports(f.function, kind)]
    start = names.index(blame.plain(function)) if blame.plain(function) in names else 0
    parts = [kind, blame.plain(function)]
    if kind not in _ANYONE:
        parts += names[start : start + _NEAREST]
    if not any(parts[1:]):
        parts.append(_NUMBER.sub("#", title))
    return hashlib.sha256("\n".join(parts).encode(errors="replace")).hexdigest()[:16]
