# SPDX-License-Identifier: GPL-2.0-only
"""Answers from a run's records: which functions cost more or less, and which lines of the series ran."""

from __future__ import annotations

from harness.errors import UsageError
from harness.host import toml
from harness.model.order import asked
from harness.model.run_folder import Run
from harness.report import coverage as shown
from harness.stats import coverage, why
from harness.stats.coverage import Coverage
from harness.stats.why import Why

_WITHOUT = "it was made with --plain, by an older rig, or with a QEMU without plugins; `invoke test` makes one that has them"


def explain(run: Run, machine: str = "", test: str = "", variant: str = "") -> list[Why]:
    """Return the differences between stock and each variant by function, of one machine, test and variant where named.

    A test may be named without ``_alloc_test``. Raises UsageError if the run has none, or none of that name.
    """
    every = why.explain(asked(run.provenance()).arranged(run.counted()))
    if not every:
        raise UsageError(f"{run.folder.name} does not have the instructions by function of stock and a variant: {_WITHOUT}.")
    tests = list(dict.fromkeys(of.test for of in every))
    test = next((name for name in tests if test in (name.removesuffix("_test"), name.removesuffix("_alloc_test"))), test)
    for option, wanted in (("machine", machine), ("test", test), ("variant", variant)):
        names = list(dict.fromkeys(getattr(of, option) for of in every))
        if wanted and wanted not in names:
            raise UsageError(f"{run.folder.name} has no {option} '{wanted}'; {toml.closest(wanted, names)}")
        every = [of for of in every if not wanted or getattr(of, option) == wanted]
    return every


def covered(run: Run) -> list[Coverage]:
    """Return the lines of each variant and where they ran; UsageError if the run has no such records."""
    found = _coverage(run)
    if not found:
        changed = run.changed_lines()
        if not changed:
            lacks = _WITHOUT
        elif any(cell.lines for cell in changed):
            lacks = "none of its boots was watched to its first test's end; sweeps, soaks and the profile latency are not watched"
        else:
            lacks = "none of its variants changes a line that there is code of"
        raise UsageError(f"{run.folder.name} does not tell which lines of a series ran: {lacks}.")
    return found


def next_steps(run: Run) -> list[str]:
    """Return a sentence for each variant on the lines that ran, and the command that shows where its instructions go."""
    steps = [f"Coverage: {shown.sentence(of)}{'; `invoke coverage` shows them' if of.unreached else ''}." for of in _coverage(run)]
    if why.explain(run.counted()):
        steps.append("Where the instructions go: `invoke why`.")
    return steps


def _coverage(run: Run) -> list[Coverage]:
    return coverage.coverage(run.changed_lines(), run.reached(), run.provenance().patches)
