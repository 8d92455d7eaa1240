# SPDX-License-Identifier: GPL-2.0-only
"""The steps of a task, with their seconds."""

from __future__ import annotations

import msgspec


class Span(msgspec.Struct, frozen=True):
    """One step of a task's work."""

    stage: str
    """such as ``build``"""
    of: str
    """a cell, a VM or another thing that is worked at beside others; empty for the stage as a whole"""
    what: str
    began: float
    """seconds since the process began"""
    seconds: float
