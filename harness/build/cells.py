# SPDX-License-Identifier: GPL-2.0-only
"""Checks a selection, and turns it into the cells to build."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from harness import paths
from harness.build import foreign, llvm, patches, source
from harness.errors import UsageError
from harness.model import catalog, matrix, selection
from harness.model.matrix import STOCK, Base, Cell, Variant
from harness.model.selection import PROFILE, Selection
from harness.model.toolchains import Toolchain, chosen

_EACH = "@*"
"""suffix of the name of a series that selects every prefix of it"""


def check(wanted: Selection) -> None:
    """Raise UsageError for a selection that is not valid, as far as can be checked before a download."""
    _check_cache(paths.cache())
    selection.check(wanted)
    if wanted.module:
        foreign.read(wanted.module)
    else:
        _check_profiles(wanted)
    base = source.expected(wanted)
    cells(wanted, base)
    # Of a source that the user names without its base, only the source itself tells whether it has LLVM=1.
    if chosen(wanted.toolchain) is Toolchain.LLVM and (wanted.kernel or not source.named(wanted)):
        llvm.check_base(base)


def cells(wanted: Selection, base: Base, variants: tuple[Variant, ...] = ()) -> tuple[Cell, ...]:
    """Return the selected cells of `base`; `variants` take the place of those that `wanted` names."""
    series = paths.expanded(wanted.series, "--series") if wanted.series else None
    name = matrix.series_name(series) if series else base.default_series
    if wanted.each_patch and not name:
        raise UsageError(f"--each-patch needs a series, and Linux {base.name} has no default one; name one with --series.")
    names = _words(wanted.variant) or [STOCK, *([f"{name}{_EACH}" if wanted.each_patch else name] if name else [])]
    machines = _words(wanted.machine) or matrix.default_machines()
    return matrix.cells(
        [matrix.load_machine(machine) for machine in dict.fromkeys(machines)],
        variants or [matrix.find_variant(base, variant, series) for variant in _expanded(base, names, series)],
        _profiles(wanted),
        chosen(wanted.toolchain),
    )


def _expanded(base: Base, names: Sequence[str], series: Path | None) -> list[str]:
    """Return the names with ``NAME@*`` replaced by stock, to compare the first patch with, and every prefix of NAME."""
    expanded: list[str] = []
    for name in names:
        whole = name.removesuffix(_EACH)
        if whole == name:
            expanded.append(name)
        elif whole == STOCK:
            raise UsageError(f"'{name}': stock has no patches to take each of; say {STOCK}, or name a series.")
        elif "@" in whole:
            raise UsageError(
                f"'{name}' takes each patch of a part of a series; name its parts, or all: {whole.partition('@')[0]}{_EACH}."
            )
        else:
            count = len(patches.read(matrix.find_variant(base, whole, series)))
            expanded += [STOCK, *matrix.prefixes(whole, count)]
    return list(dict.fromkeys(expanded))


def _profiles(wanted: Selection) -> list[str]:
    return list(dict.fromkeys(_words(wanted.profile))) or [PROFILE]


def profiles_for(tests: str) -> list[str]:
    """Return the profiles that run at least one of the tests that `tests` selects, the default profile first."""
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


def _check_cache(folder: Path) -> None:
    if reason := paths.unfit(folder):
        raise UsageError(f"The cache {str(folder)!r} cannot be used: {reason}; name another place with RIG_CACHE.")


def _words(text: str) -> list[str]:
    return [word.strip() for word in text.split(",") if word.strip()]
