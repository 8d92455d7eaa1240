# SPDX-License-Identifier: GPL-2.0-only
"""Compares the instructions of two variants function by function, and line by line."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

import msgspec

from harness.model.attribution import Counted, FunctionCount
from harness.model.matrix import STOCK

TOLERANCE = 0.005
"""share by which the sum over functions may differ from the measured figure"""


class LineRow(msgspec.Struct, frozen=True):
    """One source line in two variants. Where its number differs between them, it is that of the variant."""

    inlined: str
    file: str
    line: int
    text: str
    stock: float
    value: float

    @property
    def change(self) -> float:
        """Difference in instructions an operation."""
        return self.value - self.stock


class FunctionRow(msgspec.Struct, frozen=True):
    """One function in two variants, in instructions an operation."""

    function: str
    module: str
    file: str
    stock: float
    value: float
    lines: tuple[LineRow, ...]
    """those that differ, the largest difference first"""

    @property
    def change(self) -> float:
        """Difference in instructions an operation."""
        return self.value - self.stock

    @property
    def inlined(self) -> tuple[tuple[str, float], ...]:
        """Differences of the functions inlined into it, the largest first."""
        sums: dict[str, float] = defaultdict(float)
        for line in self.lines:
            if line.inlined:
                sums[line.inlined] += line.change
        return tuple(sorted(sums.items(), key=lambda item: (-abs(item[1]), item[0])))


class Why(msgspec.Struct, frozen=True):
    """The difference between two variants in one test, by function."""

    machine: str
    profile: str
    test: str
    variant: str
    against: str
    stock: Counted
    value: Counted
    rows: tuple[FunctionRow, ...]
    """all functions, the largest difference first"""

    @property
    def change(self) -> float:
        """Difference of the sums in instructions an operation."""
        return self.value.sum - self.stock.sum

    @property
    def share(self) -> float:
        """The difference of the sums as a share of the baseline's."""
        return self.change / self.stock.sum if self.stock.sum else 0.0

    @property
    def changed(self) -> tuple[FunctionRow, ...]:
        """The functions that differ by at least a thousandth of the baseline."""
        return tuple(row for row in self.rows if abs(row.change) >= self.stock.sum / 1000)

    @property
    def doubts(self) -> tuple[str, ...]:
        """A sentence for each variant whose sum differs from the measured figure by more than the tolerance."""
        sides = ((self.against, self.stock), (self.variant, self.value))
        return tuple(
            f"The functions of {name} add up to {of.sum:,.1f} instructions/op, but {of.measured:,.1f} were measured"
            f" ({100 * (of.sum / of.measured - 1):+.2f} %)."
            for name, of in sides
            if of.measured and abs(of.sum / of.measured - 1) > TOLERANCE
        )


def explain(counted: Iterable[Counted], against: str = STOCK) -> list[Why]:
    """Return for each test and variant its difference from the variant `against` in the same cell, in the order given."""
    groups: dict[tuple[str, str, str], dict[str, Counted]] = defaultdict(dict)
    for of in counted:
        groups[of.machine, of.profile, of.test][of.variant] = of
    return [
        Why(machine, profile, test, variant, against, variants[against], of, _rows(variants[against], of))
        for (machine, profile, test), variants in groups.items()
        if against in variants
        for variant, of in variants.items()
        if variant != against
    ]


def _rows(stock: Counted, value: Counted) -> tuple[FunctionRow, ...]:
    before, after = _by_name(stock.functions), _by_name(value.functions)
    rows = [_row(before.get(name), after.get(name)) for name in {**after, **before}]
    return tuple(sorted(rows, key=lambda row: (-abs(row.change), row.function)))


def _by_name(functions: Sequence[FunctionCount]) -> dict[tuple[str, str, str], FunctionCount]:
    """Return functions by module, file and name: functions in several files can share a name."""
    return {(of.module, of.file, of.function): of for of in functions}


def _row(before: FunctionCount | None, after: FunctionCount | None) -> FunctionRow:
    named = after or before
    assert named
    stock, value = (of.instructions if of else 0.0 for of in (before, after))
    return FunctionRow(named.function, named.module, named.file, stock, value, _lines(before, after))


def _lines(before: FunctionCount | None, after: FunctionCount | None) -> tuple[LineRow, ...]:
    """Return the lines that differ. They are told apart by text and not by number, which a series moves."""
    sides = [_by_text(before), _by_text(after)]
    rows = []
    for key in {**sides[1], **sides[0]}:
        inlined, file, text = key
        (_, stock), (_, value) = (side.get(key, (0, 0.0)) for side in sides)
        number = (sides[1].get(key) or sides[0][key])[0]
        if abs(value - stock) >= 0.005:
            rows.append(LineRow(inlined, file, number, text, stock, value))
    return tuple(sorted(rows, key=lambda row: (-abs(row.change), row.file, row.line)))


def _by_text(of: FunctionCount | None) -> Mapping[tuple[str, str, str], tuple[int, float]]:
    """Return number and instructions of lines by inlined function, file and text; without its text a line goes by its number."""
    lines: dict[tuple[str, str, str], tuple[int, float]] = {}
    for line in of.lines if of else ():
        key = (line.inlined, line.file, line.text or f"line {line.line}")
        number, so_far = lines.get(key, (line.line, 0.0))
        lines[key] = (number, so_far + line.instructions)
    return lines
