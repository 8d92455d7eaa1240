# SPDX-License-Identifier: GPL-2.0-only
"""Logs of a few lines, and what is found in them."""

from __future__ import annotations

from harness import kernlog
from harness.kernlog import Trouble


def only(*lines: str) -> Trouble:
    """Return the one finding in a log of these lines, which get times."""
    (found,) = kernlog.find("".join(f"[   12.{n:06}] {line}\n" for n, line in enumerate(lines)))
    return found
