# SPDX-License-Identifier: GPL-2.0-only
"""Turns a selection into the cells to build, after checking it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from harness.build import patches
from harness.errors import UsageError
from harness.model import catalog, matrix, selection
from harness.model.matrix import STOCK, Base, Cell, Variant
from harness.model.selection import DEFAULT, PROFILE, Selection

_EACH = "@*"
"""what follows the name of a series that stands for every prefix of it"""


def check(wanted: Selection) -> None:
    """Raise UsageError for what can be seen to be wrong before anything is fetched."""
    selection.check(wanted)
    _check_profiles(wanted)
    cells(wanted, matrix.load_base(wanted.kernel or DEFAULT))


def cells(wanted: Selection, base: Base, variants: tuple[Variant, ...] = ()) -> tuple[Cell, ...]:
    """Return the selected cells of `base`; `variants` take the place of those that `wanted` names."""
    series = Path(wanted.series).expanduser() if wanted.series else None
    name = matrix.series_name(series) if series else base.default_series
    if wanted.each_patch and not name:
        raise UsageError(f"--each-patch needs a series, and Linux {base.name} has no default one; name one with --series.")
    names = _words(wanted.variant) or [STOCK, *([f"{name}{_EACH}" if wanted.each_patch else name] if name else [])]
    machines = _words(wanted.machine) or matrix.machine_names()
    return matrix.cells(
        [matrix.load_machine(machine) for machine in dict.fromkeys(machines)],
        variants or [matrix.find_variant(base, variant, series) for variant in _expanded(base, names, series)],
        _profiles(wanted),
    )


def _expanded(base: Base, names: Sequence[str], series: Path | None) -> list[str]:
    """Return the names with each ``NAME@*`` replaced by stock, against which the first patch is held, and every prefix of NAME."""
    found: list[str] = []
    for name in names:
        whole = name.removesuffix(_EACH)
        if whole == name:
            found.append(name)
        elif whole == STOCK:
            raise UsageError(f"'{name}': stock has no patches to take each of; say {STOCK}, or name a series.")
        elif "@" in whole:
            raise UsageError(
                f"'{name}' takes each patch of a part of a series; name its parts, or all: {whole.partition('@')[0]}{_EACH}."
            )
        else:
            count = len(patches.read(matrix.find_variant(base, whole, series)))
            found += [STOCK, *matrix.prefixes(whole, count)]
    return list(dict.fromkeys(found))


def _profiles(wanted: Selection) -> list[str]:
    return list(dict.fromkeys(_words(wanted.profile))) or [PROFILE]


def profiles_for(tests: str) -> list[str]:
    """Return the profiles in whose kernels some of the tests are run that `tests` selects, the usual one first."""
    kinds = _kinds(tests)
    ordered = sorted(matrix.PROFILES, key=lambda profile: (profile != PROFILE, profile))
    return [profile for profile in ordered if kinds & set(catalog.profile_use(profile).kinds)]


def _check_profiles(wanted: Selection) -> None:
    fitting = profiles_for(wanted.tests)
    for profile in _profiles(wanted):
        if profile in matrix.PROFILES and profile not in fitting:
            kind = " and ".join(sorted(_kinds(wanted.tests)))
            raise UsageError(f"The profile '{profile}' runs none of the chosen tests, which are of the kind {kind}.")


def _kinds(tests: str) -> set[catalog.TestKind]:
    chosen = catalog.choose(tests)
    return {test.kind for test in catalog.suite().tests if test.name in chosen}


def _words(text: str) -> list[str]:
    return [word.strip() for word in text.split(",") if word.strip()]
