# SPDX-License-Identifier: GPL-2.0-only
"""The machines that a test is done on: in a check on one of the default ones in turn, in a night on all."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest

from harness.model import matrix


def machines(turn: int = 0) -> list[Any]:
    """Return every machine as a parameter of a test; a check leaves out all but the one whose turn it is."""
    return each_on_machines([()], turn)


def each_on_machines(rows: Iterable[object], turn: int = 0) -> list[Any]:
    """Return every pair of row and machine as parameters; a check does each row once, and the machines take turns."""
    takes_turns = matrix.default_machines()
    names = [*takes_turns, *(name for name in matrix.machine_names() if name not in takes_turns)]
    made = []
    for at, row in enumerate(rows, turn):
        for number, name in enumerate(names):
            values = (row, name) if row != () else (name,)
            marks = () if number == at % len(takes_turns) else pytest.mark.nightly
            made.append(pytest.param(*values, id="-".join(map(str, values)), marks=marks))
    return made
