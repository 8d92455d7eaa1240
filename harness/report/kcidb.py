# SPDX-License-Identifier: GPL-2.0-only
"""A run in the format of KernelCI's database: KCIDB's I/O schema 5.3 (kcidb_io/schema/v05_03.py of the package kcidb-io)."""

from __future__ import annotations

import hashlib
import re
import statistics
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec

from harness import text
from harness.errors import UsageError
from harness.kernlog import excerpt
from harness.model.matrix import load_machine, machine_names
from harness.model.records import Finding, Result, Sample
from harness.model.summary import CellOutcome, Failure, FoundCause, Summary, VariantOutcome
from harness.report import cases
from harness.stats.causes import DIGITS, fingerprint

VERSION = {"major": 5, "minor": 3}
ORIGIN = "kernel_patch_rig"
_ORIGIN = re.compile("[a-z0-9_]+")
_STATUS = {"passed": "PASS", "failed": "FAIL", "xfailed": "FAIL", "dismissed": "FAIL", "skipped": "SKIP", "error": "MISS"}
"""a known bug fails in the words of KernelCI, which has an incident of an issue for what is known"""
_OUTSIDE = re.compile("[^A-Za-z0-9_-]+")
"""characters that a part of a test's path does not have"""
_EXCERPT = 16384
"""characters of a log that KernelCI takes"""
_LINES = 60
"""of one finding"""
_Object = dict[str, Any]


class Kcidb(msgspec.Struct, frozen=True):
    """The parts of an export to KernelCI."""

    summary: Summary
    results: Sequence[Result]
    findings: Sequence[Finding]
    samples: Sequence[Sample]
    letters: Mapping[str, str] = {}
    """Message-ID of the cover letter by variant"""
    origin: str = ORIGIN
    """name of the CI system that reports"""
    url: str = ""
    """place where the files of the run's folder can be read; empty if there is none"""


def check(origin: str) -> None:
    """Raise UsageError for a name that no CI system of KernelCI's can have."""
    if not _ORIGIN.fullmatch(origin):
        raise UsageError(f"--origin takes lower-case letters, digits and underlines, as KernelCI does, not '{origin}'.")


def kcidb(of: Kcidb) -> str:
    """Return the run as JSON. Tests that showed a cause are tied to its issue, whose id is the fingerprint."""
    told = _Telling(of)
    tests, incidents = told.tests()
    return _encoded(
        checkouts=[told.checkout(variant) for variant in of.summary.variants if told.of(variant)],
        builds=[told.build(cell) for cell in of.summary.cells],
        tests=tests,
        issues=list(told.issues()),
        incidents=incidents,
    )


def of_failed(of: Kcidb) -> str:
    """Return a build that failed as JSON.

    A series that does not apply is a checkout that is not valid, and a kernel that does not boot a test that failed. Of what the
    rig itself failed in, nothing is told.
    """
    told = _Telling(of)
    failed = {failure.variant: failure for failure in of.summary.failures if failure.stage != "rig"}
    cells = {cell.name: cell for cell in of.summary.cells}
    built = [failure for failure in failed.values() if failure.cell in cells]
    return _encoded(
        checkouts=[told.refused(variant, failed[variant.name]) for variant in of.summary.variants if variant.name in failed],
        builds=[told.unbuilt(cells[failure.cell], failure) for failure in built],
        tests=[told.unbooted(failure) for failure in built if failure.stage == "boot"],
        issues=[],
        incidents=[],
    )


def _encoded(**objects: Sequence[_Object]) -> str:
    return msgspec.json.format(msgspec.json.encode({"version": VERSION, **objects})).decode() + "\n"


class _Telling:
    """Makes the objects of a run, whose ids begin with the origin and the run's name."""

    def __init__(self, told: Kcidb) -> None:
        self._told, self._run = told, told.summary
        self._medians = _medians(told.samples)

    def of(self, variant: VariantOutcome) -> list[CellOutcome]:
        """Return the cells of a variant."""
        return [cell for cell in self._run.cells if cell.variant == variant.name]

    def checkout(self, variant: VariantOutcome) -> _Object:
        """Return a variant's source."""
        kernel, times = self._run.kernel, self._run.times
        series = f" with {variant.name}, {text.counted(len(variant.patches), 'patch', 'patches')}" if variant.patches else ""
        made = self._made(
            variant.name,
            comment=f"Linux {kernel.release}{series}",
            start_time=times.started,
            origin_tests_finish_time=times.finished,
            message_id=self._told.letters.get(variant.name, ""),
            misc={"source_tree": kernel.tree, "patches": variant.patches, "verdict": f"{variant.word} {variant.why}".strip()},
        )
        known = bool(variant.patchset) or not variant.patches
        return {**made, "valid": True, **({"patchset_hash": variant.patchset} if known else {})}

    def refused(self, variant: VariantOutcome, failure: Failure) -> _Object:
        """Return the source of a variant with a failure."""
        if failure.stage != "series":
            return self.checkout(variant)
        told = {"comment": failure.reason, "log_excerpt": failure.excerpt[:_EXCERPT]}
        return {**self.checkout(variant), **{key: _without_nul(value) for key, value in told.items() if value}, "valid": False}

    def unbuilt(self, cell: CellOutcome, failure: Failure) -> _Object:
        """Return the kernel of a cell with a failure."""
        if failure.stage == "boot":
            return self.build(cell)
        told = {"comment": failure.reason, "log_url": self._url(failure.log), "log_excerpt": failure.excerpt[:_EXCERPT]}
        built = {key: value for key, value in self.build(cell).items() if key != "config_url"}
        return {**built, **{key: _without_nul(value) for key, value in told.items() if value}, "status": "FAIL"}

    def unbooted(self, failure: Failure) -> _Object:
        """Return the boot of a kernel that did not come up."""
        return self._made(
            f"{failure.cell}/boot",
            build_id=self._id(failure.cell),
            path="boot",
            status="FAIL",
            comment=failure.reason,
            log_url=self._url(failure.log),
            log_excerpt=failure.excerpt[:_EXCERPT],
        )

    def build(self, cell: CellOutcome) -> _Object:
        """Return a cell's kernel."""
        known = load_machine(cell.machine).build if cell.machine in machine_names() else None
        return self._made(
            cell.name,
            checkout_id=self._id(cell.variant),
            architecture=known.arch if known else "",
            comment=f"{cell.variant} for {cell.machine}, profile {cell.profile}",
            config_name=cell.profile,
            config_url=self._url(f"{cell.machine}-{cell.variant}-{cell.profile}.config".replace("/", "-")),
            status="PASS",
            misc={"kernel_key": cell.kernel, "toolchain": self._run.kernel.toolchain.value},
        )

    def tests(self) -> tuple[list[_Object], list[_Object]]:
        """Return the results, and an incident for each cause that a test showed."""
        showed: dict[tuple[object, ...], list[Finding]] = defaultdict(list)
        for finding in self._told.findings:
            showed[cases.place(finding)].append(finding)
        tests, incidents, names = [], [], set()
        for result in self._told.results:
            name = f"{cases.cell(result)}/{cases.test(result)}/{result.clock}/{result.boot}/{result.round}"
            while name in names:  # a record that is there twice
                name += "+"
            names.add(name)
            found = showed.get(cases.place(result), [])
            tests.append(self._test(result, name, found))
            incidents += [self._incident(name, key) for key in dict.fromkeys(map(_cause, found))]
        return tests, incidents

    def _test(self, result: Result, name: str, found: Sequence[Finding]) -> _Object:
        number = self._medians.get(cases.place(result))
        place = {"machine": result.machine, "clock": result.clock.value, "boot": result.boot, "round": result.round}
        made = self._made(
            name,
            build_id=self._id(cases.cell(result)),
            path=_path(result),
            status=_STATUS.get(result.outcome, "ERROR"),
            comment=result.reason,
            log_url=next((self._url(finding.log) for finding in found if finding.log), ""),
            log_excerpt="\n\n".join(excerpt.matters(finding.trouble, _LINES) for finding in found)[:_EXCERPT],
            environment={"comment": f"QEMU: {self._run.machines.get(result.machine, result.machine)}", "misc": place},
            misc={"outcome": result.outcome},
        )
        figure = {"number": {"value": number[0], "unit": number[1]}} if number else {}
        return {**made, "duration": result.seconds, **figure}

    def issues(self) -> Iterator[_Object]:
        """Yield the causes that the run showed, those of several variants once."""
        for key, found in {_issue(found): found for found in self._run.findings}.items():
            made = self._made(
                key,
                report_subject=found.reason if found.state == "known" else f"{found.kind}: {found.title}",
                comment=f"{found.state}: {found.reason}" if found.reason else found.state,
                misc={"fingerprint": found.fingerprint, "function": found.function, "where": found.where, "repeat": found.repeat},
                of_run=False,
            )
            # Of the others nobody knows yet whether the code is to blame or the test.
            culprit = {"culprit": {"code": True, "tool": False, "harness": False}} if found.state == "known" else {}
            yield {**made, "version": 1, **culprit}

    def _incident(self, test: str, key: str) -> _Object:
        made = self._made(f"{test}/{key}", test_id=self._id(test), issue_id=self._id(key, of_run=False))
        return {**made, "issue_version": 1, "present": True}

    def _made(self, name: str, *, of_run: bool = True, **fields: Any) -> _Object:
        """Return an object with the fields that have a value; texts are without NUL, which KernelCI refuses."""
        cleaned = {key: _without_nul(value) for key, value in fields.items() if value}
        return {"id": self._id(name, of_run=of_run), "origin": self._told.origin, **cleaned}

    def _id(self, name: str, *, of_run: bool = True) -> str:
        return str(_without_nul(f"{self._told.origin}:{f'{self._run.run}/' if of_run else ''}{name}"))

    def _url(self, file: str) -> str:
        return f"{self._told.url.rstrip('/')}/{text.in_url(file)}" if self._told.url and file else ""


def _medians(samples: Sequence[Sample]) -> dict[tuple[object, ...], tuple[float, str]]:
    """Return the median of each test in each boot, with its unit."""
    values: dict[tuple[object, ...], list[float]] = defaultdict(list)
    units = {}
    for sample in samples:
        if not sample.warmup:
            values[cases.place(sample)].append(sample.value)
            units[cases.place(sample)] = sample.unit
    return {place: (statistics.median(of), units[place]) for place, of in values.items()}


def _path(of: Result) -> str:
    """Return the place of a test in KernelCI's tree: ``boot`` of a boot, else a leaf below ``vmalloc_test``."""
    name = _OUTSIDE.sub("_", cases.test(of))
    return "boot" if of.around and name == "boot" else f"vmalloc_test.{name}"


def _issue(of: FoundCause) -> str:
    return _known(of.reason) if of.state == "known" else of.fingerprint


def _cause(of: Finding) -> str:
    """Return the name of a finding's cause, which is the same in other runs and variants."""
    return _known(of.expected) if of.expected else fingerprint(of)


def _known(reason: str) -> str:
    return f"known/{hashlib.sha256(reason.encode()).hexdigest()[:DIGITS]}"


def _without_nul(value: Any) -> Any:
    if isinstance(value, str):
        return value.replace("\0", "\N{REPLACEMENT CHARACTER}")
    if isinstance(value, dict):
        return {key: _without_nul(each) for key, each in value.items()}
    return [_without_nul(each) for each in value] if isinstance(value, list | tuple) else value
