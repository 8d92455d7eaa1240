# SPDX-License-Identifier: GPL-2.0-only
"""Computes the fingerprint of a trouble: the same if it repeats, in the same boot or in another one."""

from __future__ import annotations

import hashlib
import itertools
import re
from collections.abc import Sequence

from harness.kernlog import blame, machinery
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
    culprit = blame.plain(function)
    parts = [kind, culprit]
    if kind not in _ANYONE:
        names = [blame.plain(f.function) for f in frames if f.sure and not f.inlined]
        start = names.index(culprit) if culprit in names and not machinery.has(culprit, kind) else 0
        parts += itertools.islice((name for name in names[start:] if not machinery.has(name, kind)), _NEAREST)
    if not any(parts[1:]):
        parts.append(_NUMBER.sub("#", title))
    return hashlib.sha256("\n".join(parts).encode(errors="replace")).hexdigest()[:16]
