# SPDX-License-Identifier: GPL-2.0-only
"""The sign of a change: an increase of cost has a plus, a saving a minus, as in benchstat, LKP and rustc-perf."""

from __future__ import annotations


def change(ratio: float) -> float:
    """Return the change of a cost in per cent, for its ratio to the cost before; positive where it costs more."""
    return (ratio - 1) * 100


def ratio(change: float) -> float:
    """Return the ratio of a cost to the cost before, for its change in per cent."""
    return 1 + change / 100
