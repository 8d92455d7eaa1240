# SPDX-License-Identifier: GPL-2.0-only
"""Showing what goes on: sparing lines elsewhere, a table on a terminal."""

from __future__ import annotations

import io
import time
from typing import Any

import pytest
from rich.console import Console

from harness.commands.progress import Progress, SuiteProgress


def console(*, terminal: bool) -> tuple[Console, io.StringIO]:
    file = io.StringIO()
    return Console(file=file, force_terminal=terminal, width=200, color_system=None), file


def test_elsewhere_a_cell_is_told_of_now_and_then(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 1000.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    shown, file = console(terminal=False)
    with Progress("build", shown) as told:
        told.say("cell", "file 1")
        told.say("cell", "file 2")
        now = 1031.0
        told.say("cell", "file 3")
        told.say("other", "file 1")
        told.done("cell", "built")
    assert file.getvalue().splitlines() == ["build cell: file 1", "build cell: file 3", "build other: file 1", "build cell: built"]


@pytest.mark.parametrize("text", ["vmalloc.c: error: [-Werror=x]", "[/closing]", "[bold]x"])
@pytest.mark.parametrize("terminal", [True, False])
def test_text_is_text(text: str, terminal: bool) -> None:
    shown, file = console(terminal=terminal)
    with Progress("build", shown) as told:
        told.say("cell", text)
        told.line(f"line: {text}")
    seen = file.getvalue()
    assert f"line: {text}" in seen
    assert text in seen.replace(f"line: {text}", "")


def ended(test: str, when: str = "call", **other: Any) -> pytest.TestReport:
    """Return a report of a test that failed for a reason, in a boot of a variant."""
    fields = {"boot": 0, "variant": "stock", "reason": "bug: kernel BUG at mm/vmalloc.c:512!", **other}
    nodeid = f"x.py::test_module[x86_64/{fields['variant']}/perf/icount/{fields['boot']}.0/{test}]"
    return pytest.TestReport(nodeid, ("x.py", 1, "y"), {}, "failed", fields["reason"], when)  # type: ignore[arg-type]


def test_what_fails_again_for_the_same_reason_is_counted() -> None:
    shown, file = console(terminal=False)
    with Progress("test", shown) as told:
        suite = SuiteProgress(told)
        for boot in range(3):
            suite.pytest_runtest_logreport(ended("a_test", boot=boot))
        suite.pytest_runtest_logreport(ended("a_test", variant="mine"))
        suite.pytest_runtest_logreport(ended("b_test", reason="died: the guest ended"))
    assert file.getvalue().splitlines() == [
        "FAILED x86_64/stock/perf icount 0 a_test: bug: kernel BUG at mm/vmalloc.c:512!",
        "FAILED x86_64/stock/perf icount 1 a_test: as in x86_64/stock/perf icount 0 a_test, x 2",
        "FAILED x86_64/stock/perf icount 2 a_test: as in x86_64/stock/perf icount 0 a_test, x 3",
        "FAILED x86_64/mine/perf icount 0 a_test: bug: kernel BUG at mm/vmalloc.c:512!",
        "FAILED x86_64/stock/perf icount 0 b_test: died: the guest ended",
    ]


def collected(told: Progress, *tests: pytest.TestReport) -> SuiteProgress:
    suite = SuiteProgress(told)
    suite.pytest_xdist_node_collection_finished(object(), [test.nodeid for test in tests])
    return suite


def test_known_bugs_are_counted_and_left_to_the_table() -> None:
    shown, file = console(terminal=False)
    with Progress("test", shown) as told:
        bug, over = ended("a_test"), ended("a_test", "teardown")
        suite = collected(told, bug)
        bug.outcome, bug.wasxfail, over.outcome = "skipped", "an overflow", "passed"
        suite.pytest_runtest_logreport(bug)
        suite.pytest_runtest_logreport(over)
    assert file.getvalue().splitlines() == [
        "test x86_64/stock/perf icount 0: 1 tests done, 1 with a known bug; in all 1 of 1 boots done, 100 %"
    ]


def test_boots_are_counted_and_the_rest_is_estimated() -> None:
    shown, file = console(terminal=False)
    with Progress("test", shown) as told:
        tests = [ended("a_test", "teardown", boot=boot) for boot in range(4)]
        suite = collected(told, *tests)
        tests[0].outcome, tests[0].duration = "passed", 5.0
        suite.pytest_runtest_logstart(tests[0].nodeid)
        suite.pytest_runtest_logreport(tests[0])
        collected_again = [test.nodeid for test in tests]
        suite.pytest_xdist_node_collection_finished(object(), collected_again)
        suite.pytest_runtest_logstart(tests[1].nodeid)
    assert file.getvalue().splitlines() == [
        "test x86_64/stock/perf icount 0: test 1 of 1: a_test",
        "test x86_64/stock/perf icount 0: 1 tests done; in all 1 of 4 boots done, 25 %, about 10 s left",
        "test x86_64/stock/perf icount 1: test 1 of 1: a_test; in all 1 of 4 boots done, 25 %, about 10 s left",
    ]


def test_a_terminal_shows_the_boots_under_way_and_all_of_them() -> None:
    shown, _ = console(terminal=True)
    told = Progress("test", shown)
    told.say("boot 0", "test 1 of 2")
    told.say("boot 1", "test 2 of 2")
    told.leave("boot 0", "2 tests done")
    told.overall("1 of 9 boots done, 11 %, about 3 min left")
    with shown.capture() as seen:
        shown.print(told._table())
    lines = [line.strip() for line in seen.get().splitlines()]
    assert lines == ["test  boot 1  test 2 of 2", "1 of 9 boots done, 11 %, about 3 min left; 0 s"]


def test_a_failure_is_not_broken_within_words_on_a_terminal() -> None:
    file = io.StringIO()
    told = Progress("test", Console(file=file, force_terminal=True, width=40, color_system=None))
    told.line("FAILED x86_64/mine/perf icount 0 a_test: bug: kernel BUG at mm/vmalloc.c:512!")
    lines = file.getvalue().splitlines()
    assert max(map(len, lines)) <= 40
    assert " ".join(line.strip() for line in lines).endswith("a_test: bug: kernel BUG at mm/vmalloc.c:512!")


def test_a_vm_is_done_also_where_a_worker_died() -> None:
    shown, file = console(terminal=False)
    with Progress("test", shown) as told:
        suite = collected(told, *(ended(test) for test in ("a_test", "b_test")))
        suite.pytest_runtest_logstart(ended("a_test").nodeid)
        suite.pytest_testnodedown("Not properly terminated")
        suite.pytest_runtest_logreport(ended("a_test", "???", reason="the worker died"))
        suite.pytest_runtest_logreport(ended("b_test", "???", reason="the worker died"))
    assert file.getvalue().splitlines()[1:] == [
        "a worker process of the suite died; another one goes on",
        "FAILED x86_64/stock/perf icount 0 a_test: the worker died",
        "FAILED x86_64/stock/perf icount 0 b_test: as in x86_64/stock/perf icount 0 a_test, x 2",
        "test x86_64/stock/perf icount 0: 2 tests done; in all 1 of 1 boots done, 100 %",
    ]
