# SPDX-License-Identifier: GPL-2.0-only
"""How figures are written: with their unit and spread, and no more digits than they are worth."""

from __future__ import annotations

from harness.compare import Comparison, Summary

_CONTROLS = {code: None for code in (*range(32), *range(127, 160)) if chr(code) not in "\n\t"}

LIMITS = {
    "icount": (
        "Figures under icount are guest instructions, which QEMU counts exactly. They repeat on any host, but they"
        " are not time: caches, TLB misses, branch prediction and waiting cost nothing here and much on a real machine."
    ),
    "wall": "Figures under the wall clock are the guest's own time. They depend on the host and on what else it does.",
}


def plain(said: str) -> str:
    """Return a guest's words without the control characters that could steer a terminal."""
    return said.translate(_CONTROLS)


def value(side: Summary | None) -> str:
    """Return a median with its spread and count, such as ``5,120 ±0.1 % (5)``."""
    if side is None:
        return "-"
    digits = 0 if side.median >= 100 else 1
    return f"{side.median:,.{digits}f} ±{side.spread:.{1 if side.spread < 10 else 0}f} % ({side.count})"


def change(of: Comparison) -> str:
    """Return a change as the publication counts it: positive is cheaper than stock."""
    return "-" if of.change is None else f"{of.change:+.1f} %"
