# SPDX-License-Identifier: GPL-2.0-only
"""Reads what a foreign module says of the tests within it: KTAP, or the lines of lib/test_vmalloc.c."""

from __future__ import annotations

import re
from collections.abc import Iterator

import msgspec

from harness.model.foreign import Foreign
from harness.suite import ktap, subtests, summaries
from harness.suite.ktap import Timing
from harness.suite.subtests import Case

_STAMP = re.compile(r"(?:<\d+>)?(?:\[ *\d+\.\d+\](?:\[ *[TC]\d+\])? )?")
_PREFIX = re.compile(r"[\w.-]+: (?= *(?:ok \d|not ok \d|1\.\.\d|# |K?TAP version |Bail out!))")
"""a module's name before its lines, as pr_fmt() puts it there"""
_SAMPLE = re.compile(r"# sample test=(\S+)")
_UNREAD = "a time is not in the form '# sample test=NAME repeat=N thread=N cpu=N ops=N ns=N', or a number is too large"


class Said(msgspec.Struct, frozen=True):
    """The report of one load of a foreign module."""

    cases: tuple[Case, ...]
    timings: tuple[Timing, ...]

    @property
    def skipped(self) -> str:
        """The reason for which nothing was tested; empty if something was."""
        return self.cases[0].reason or "it did not say why" if all(case.skipped for case in self.cases) else ""


def parse(log: str) -> Said:
    """Return what the lines of a load report, of which a last one without an end was never finished."""
    lines = [_STAMP.sub("", line.rstrip("\r"), count=1) for line in log.split("\n")[:-1]]
    said = list(_unprefixed(lines))
    cases = subtests.parse(line for line in said if not _is_sample(line))  # a remark can be a failure's reason, and no time is one
    summary = summaries.parse(lines)
    cases += (Case(one.test, ok=not one.fault, reason=one.fault) for one in summary.summaries)
    if summary.unfinished:
        cases.append(Case("", ok=False, reason="it did not say that a worker's tests are over"))
    samples = [(line, ktap.timing(line)) for line in map(str.strip, said) if _is_sample(line)]
    cases += (Case(_named(line), ok=False, reason=_UNREAD) for line, read in samples if not read)
    if not cases:
        cases.append(Case("", ok=False, reason="it printed no result, neither in KTAP nor as lib/test_vmalloc.c does"))
    timings = [read for _, read in samples if read and read.operations]
    timings += (Timing(one.test, 0, one.worker, one.loops, one.microseconds * 1000) for one in summary.summaries if one.timed)
    return Said(tuple(cases), tuple(timings))


def _unprefixed(lines: list[str]) -> Iterator[str]:
    return (_PREFIX.sub("", line, count=1) if _PREFIX.match(line) else line for line in lines)


def _is_sample(line: str) -> bool:
    return line.strip().startswith("# sample ")


def _named(sample: str) -> str:
    """Return the test that the line of a sample names; empty if it names none."""
    named = _SAMPLE.match(sample)
    return named[1] if named else ""


def failed(module: Foreign, said: Said) -> list[tuple[str, str]]:
    """Return the failed tests within a module and the title of each one's failure, each once."""
    titles = ((case.test, f"{case.test or module.name}: {case.reason or 'the test failed'}") for case in said.cases if not case.ok)
    return list(dict.fromkeys(titles))
