# SPDX-License-Identifier: GPL-2.0-only
"""The order in which a run's machines, profiles, variants and tests were asked for, which all tables keep."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Protocol, TypeVar

import msgspec

from harness.model import catalog
from harness.model.matrix import variant_order
from harness.model.records import Provenance


class OfACell(Protocol):
    """A record or a judgement of one cell."""

    @property
    def machine(self) -> str:
        """The machine's name."""

    @property
    def profile(self) -> str:
        """The profile's name."""

    @property
    def variant(self) -> str:
        """The variant's name."""


Item = TypeVar("Item", bound=OfACell)


class Order(msgspec.Struct, frozen=True):
    """Names in the order in which a run was asked for them; a name that is not among them comes after them."""

    machines: tuple[str, ...]
    profiles: tuple[str, ...]
    variants: tuple[str, ...]
    tests: tuple[str, ...]

    def arranged(self, items: Iterable[Item]) -> tuple[Item, ...]:
        """Return items by machine, profile, variant, clock and test; those that share all of these stay as they come."""
        return tuple(sorted(items, key=self._place))

    def by_variant(self, names: Iterable[str]) -> list[str]:
        """Return the distinct names of variants in this order, any others in that of their patches."""
        return sorted(dict.fromkeys(names), key=lambda name: (_index(self.variants, name), variant_order(name)))

    def place(self, machine: str, profile: str) -> tuple[object, ...]:
        """Return the sort key of a machine and a profile."""
        return _index(self.machines, machine), machine, _index(self.profiles, profile), profile

    def _place(self, item: OfACell) -> tuple[object, ...]:
        # A point of a sweep calls its test the workload, and a look at memory may have neither a test nor a clock.
        test = str(getattr(item, "test", "") or getattr(item, "workload", ""))
        variant = (_index(self.variants, item.variant), variant_order(item.variant))
        return *self.place(item.machine, item.profile), *variant, getattr(item, "clock", ""), _index(self.tests, test)


def asked(run: Provenance) -> Order:
    """Return the order that a run was asked for; of a run that did not note its tests, that of the module."""
    profiles = dict.fromkeys(cell.rpartition("/")[2] for cell in run.cells)
    tests = run.tests or tuple(test.name for test in catalog.suite().tests)
    return Order(tuple(run.machines), tuple(profiles), tuple(run.patches), tests)


def _index(names: Sequence[str], name: str) -> int:
    return names.index(name) if name in names else len(names)
