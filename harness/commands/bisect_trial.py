# SPDX-License-Identifier: GPL-2.0-only
"""Tries a prefix of a series on some machines at once: builds it, tests it, and reads what a bisect wants to know."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec

from harness.commands import pipeline, prefix_bench
from harness.commands.prefix_bench import Build, SeriesPrefixes
from harness.errors import RigError
from harness.model.bisection import Begun, Question, Tried
from harness.model.run_folder import Run
from harness.model.selection import Where
from harness.report import bisection as words
from harness.report import findings
from harness.stats import compare
from harness.stats.causes import causes
from harness.stats.outcome import Outcome
from harness.suite.plan import Plan

_TRIES = 2
"""attempts at a prefix in whose tests the rig fails: a VM may be lost for a reason outside of its kernel"""


class Tools(msgspec.Struct, frozen=True):
    """The functions that build and test a prefix; tests hand in their own."""

    build: Build = pipeline.build
    test: Callable[[Plan, Where, str, Path], Outcome] = pipeline.test


class Bench:
    """All prefixes of a bisect are tried on it; a kernel is built once."""

    def __init__(self, begun: Begun, series: SeriesPrefixes, folder: Path, tools: Tools) -> None:
        """Try the prefixes of `series` as `begun` says, with the folders of their runs in `folder`."""
        self._begun, self._series, self._folder, self._tools = begun, series, folder, tools
        self._plans: dict[tuple[int, str], Plan] = {}

    def ask(self, question: Question, on: Sequence[str]) -> list[Tried]:
        """Return what a prefix shows on each machine of `on`; RigError if the rig fails, or no test is run."""
        began = time.monotonic()
        unknown = [machine for machine in on if (question.prefix, machine) not in self._plans]
        plans, reasons = prefix_bench.built(self._begun.wanted, self._series.variants[question.prefix], unknown, self._tools.build)
        self._plans |= {(question.prefix, machine): plan for machine, plan in plans.items()}
        ready = [machine for machine in on if machine not in reasons]
        seen = [Tried(machine, question.prefix, "no build", question.boots, why) for machine, why in reasons.items()]
        if ready:
            outcome = self._tested(question, ready)
            seen += [read(self._begun, outcome, machine, question) for machine in ready]
        seconds = round(time.monotonic() - began, 1)
        return [msgspec.structs.replace(one, seconds=seconds) for one in seen]

    def _tested(self, question: Question, on: Sequence[str]) -> Outcome:
        plan = prefix_bench.together([self._plans[question.prefix, machine] for machine in on]).with_settings(boots=question.boots)
        command = words.command(self._begun, on, (question.prefix,), question.boots)
        for left in reversed(range(_TRIES)):
            outcome = self._tools.test(plan, self._begun.wanted.where, command, self._folder)
            if not outcome.errors and outcome.complete:
                break
            if not left:
                reason = next((error.reason for error in outcome.errors), "not every test has a result")
                name = words.variant(self._begun, question.prefix)
                raise RigError(f"The rig failed in {name} ({outcome.run.name}): {reason.rstrip('.')}.")
        return outcome


def read(begun: Begun, outcome: Outcome, machine: str, question: Question) -> Tried:
    """Return what the run of a prefix says of one machine; RigError if each of its tests was skipped."""
    run = Run(outcome.run)
    seen = Tried(machine, question.prefix, "passed", question.boots, run=outcome.run.name)
    own = causes(finding for finding in outcome.findings if finding.machine == machine and finding.unexpected)
    results = [result for result in outcome.results if result.machine == machine]
    failed = [result for result in results if result.outcome == "failed"]
    if own or failed:
        what = f"{findings.short(own[0].first.trouble)} in {own[0].first.test}" if own else f"{failed[0].test}: {failed[0].reason}"
        showed = "failed" if any(booted.machine == machine for booted in run.boots()) else "no boot"
        return msgspec.structs.replace(seen, showed=showed, what=what, causes=tuple(cause.fingerprint for cause in own))
    tests = [result for result in results if not result.around]
    if tests and all(result.outcome == "skipped" for result in tests):
        raise RigError(f"No prefix can be judged: {tests[0].test} is skipped on {machine} ({tests[0].reason}).")
    if begun.metric == "failure":
        return seen
    figures = [
        summary
        for (name, _, _, clock, test), summary in compare.summarise(run.samples(), begun.tests).items()
        if (name, clock, test) == (machine, begun.wanted.timed, begun.tests[0])
    ]
    if not figures:
        return msgspec.structs.replace(seen, showed="failed", what=f"{begun.tests[0]} has no figure in such kernels")
    return msgspec.structs.replace(seen, showed="measured", values=figures[0].values, unit=figures[0].unit)
