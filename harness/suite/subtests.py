# SPDX-License-Identifier: GPL-2.0-only
"""Reads the KTAP of any module, flat or with subtests, in the forms that the kernel's releases print it in.

Levels are told apart by indentation. Where a log has none, by the lines that begin a subtest and the result that ends it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

import msgspec

_VERSION = re.compile(r"K?TAP version \d+$")
_SUBTEST = re.compile(r"# Subtest: (.+)$")
_PLAN = re.compile(r"1\.\.(\d{1,18})(?:\s+#\s*SKIP\b\s*(.*))?$", re.I)
_RESULT = re.compile(r"(ok|not ok) (\d{1,18})(?: -)?(?: (.*))?$")
_DIRECTIVE = re.compile(r"^(.*?)\s*(?<!\\)#\s*(SKIP|TODO|XFAIL|TIMEOUT|ERROR)\b:?\s*(.*)$", re.I)
_BAIL = re.compile(r"Bail out!\s*(.*)$")
_EXCUSED = ("TODO", "XFAIL")
"""directives of a test that is not ok, but was not to be"""
_TAB = 8


class Case(msgspec.Struct, frozen=True):
    """The result of one test, or what is missing of one."""

    test: str
    """of a subtest ``SUITE.TEST``; empty for the module itself"""
    ok: bool
    skipped: bool = False
    reason: str = ""


class _Level(msgspec.Struct):
    """Tests of one level, while their lines come."""

    indent: int
    name: str = ""
    announced: bool = False
    """True if a line began it as a subtest, so that a result has to end it"""
    planned: int | None = None
    results: int = 0
    leaves: int = 0
    """results that are of no subtest"""
    cases: list[Case] = msgspec.field(default_factory=list)

    @property
    def fresh(self) -> bool:
        return self.planned is None and not self.results and not self.announced

    @property
    def over(self) -> bool:
        return self.planned is not None and self.results >= self.planned

    def ended(self, called: str, *, vouched: bool = False) -> list[Case]:
        """Return its results under the name `called`, with a failed one for what is missing.

        It needs no plan if it is `vouched` for by a result of its own, as kunit has it for a test with parameters.
        """
        cases = self.cases
        if self.planned is None and not vouched and (self.leaves or not self.results):
            cases = [*cases, Case("", ok=False, reason="no plan was printed, so that nobody knows how many tests there are")]
        elif self.planned is not None and self.planned != self.results:
            what = f"{self.results} results for {self.planned} tests that the plan has"
            cases = [*cases, Case("", ok=False, reason=what)]
        return [msgspec.structs.replace(case, test=".".join(filter(None, (called, case.test)))) for case in cases]


def parse(lines: Iterable[str]) -> list[Case]:
    """Return the results in KTAP `lines`, which have their indentation, in their order; empty if none of them is KTAP."""
    reading = _Reading()
    for line in lines:
        wide = line.expandtabs(_TAB)
        text = wide.strip()
        reading.line(len(wide) - len(wide.lstrip()), text)
    return reading.end()


class _Reading:
    """Takes lines one by one."""

    def __init__(self) -> None:
        self._open: list[_Level] = []
        self._done: list[Case] = []
        self._said = ""
        """the first remark since the last result, which may tell why the next one is not ok"""

    def line(self, indent: int, text: str) -> None:
        if _VERSION.match(text):
            self._begin(indent)
        elif subtest := _SUBTEST.match(text):
            self._begin(indent)
            self._open[-1].name, self._open[-1].announced = subtest[1], True
        elif plan := _PLAN.match(text):
            self._plan(indent, int(plan[1]), plan[2])
        elif result := _RESULT.match(text):
            self._result(indent, self._case(result[1] == "ok", int(result[2]), result[3] or ""))
            self._said = ""
        elif bail := _BAIL.match(text):
            self._done.append(Case("", ok=False, reason=f"the module gave up: {bail[1] or 'it did not say why'}"))
        elif text.startswith("# ") and not self._said:
            self._said = text.removeprefix("# ")

    def end(self) -> list[Case]:
        """Return all results, with failed ones for levels that did not end."""
        self._leave(-1)
        return self._done

    def _begin(self, indent: int) -> None:
        """Open a level, unless a line before has done that."""
        self._leave(indent)
        if not self._open or not self._open[-1].fresh or self._open[-1].indent != indent:
            self._open.append(_Level(indent))

    def _leave(self, indent: int) -> None:
        """Close levels that are indented more than `indent`, or as much and over."""
        while self._open and (
            self._open[-1].indent > indent or (self._open[-1].indent == indent and self._is_over(self._open[-1]))
        ):
            self._drop()

    def _drop(self) -> None:
        """Close the innermost level, which has no result."""
        level = self._open.pop()
        missing = [Case(level.name, ok=False, reason="it has no result of its own")] if level.announced else []
        (self._open[-1].cases if self._open else self._done).extend([*level.ended(level.name), *missing])

    @staticmethod
    def _is_over(level: _Level) -> bool:
        return level.over and not level.announced

    def _plan(self, indent: int, planned: int, skipped: str | None) -> None:
        if not self._open or self._open[-1].indent != indent or self._open[-1].planned is not None:
            self._begin(indent)
        self._open[-1].planned = planned
        if skipped is not None and not planned:
            self._open[-1].cases.append(Case("", ok=True, skipped=True, reason=skipped or "it did not say why"))

    def _result(self, indent: int, case: Case) -> None:
        ended = self._ended(indent, case.test)
        if not self._open or self._open[-1].indent < indent:
            self._open.append(_Level(indent))
        level = self._open[-1]
        level.results += 1
        if ended is None:
            level.leaves += 1
            level.cases.append(case)
            return
        within = ended.ended(case.test, vouched=True)
        level.cases += within
        if not within or (not case.ok and all(one.ok for one in within)):
            level.cases.append(case)

    def _ended(self, indent: int, name: str) -> _Level | None:
        """Close the level whose result a line is, and return it; None if it is a test's."""
        while len(self._open) > 1 and self._open[-1].indent > indent and self._open[-2].indent > indent:
            self._drop()
        if not self._open:
            return None
        level = self._open[-1]
        own = level.announced and name == level.name and (level.planned is None or level.over)
        return self._open.pop() if level.indent > indent or own else None

    def _case(self, ok: bool, number: int, text: str) -> Case:
        """Return the result that a line has behind its number."""
        if directive := _DIRECTIVE.match(text):
            name, word, reason = directive[1].strip(), directive[2].upper(), directive[3]
            ok, skipped = ok or word in ("SKIP", *_EXCUSED), word == "SKIP"
            return Case(name or f"test {number}", ok=ok, skipped=skipped, reason=reason or word)
        name, _, reason = text.partition(" # ")
        return Case(name.strip() or f"test {number}", ok=ok, reason="" if ok else reason or self._said)
