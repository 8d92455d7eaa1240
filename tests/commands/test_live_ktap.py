# SPDX-License-Identifier: GPL-2.0-only
"""A run as KTAP while it goes on: each boot once it is whole, in one stream that the kernel's parser reads."""

from __future__ import annotations

import io
import sys
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest

from harness.commands import live_ktap
from harness.commands.live_ktap import Stream
from harness.errors import BuildError, UsageError
from harness.model.clock import Clock
from harness.model.matrix import Base
from harness.model.records import Result
from harness.model.run_folder import Run
from harness.model.selection import Selection
from harness.runs import conclude, dismissals, failed_build
from harness.stats.causes import fingerprint
from harness.suite.plan import Plan
from tests.report.test_ktap import parsed, states
from tests.support import make


@pytest.fixture
def planned(base: Base) -> Plan:
    """Two boots of one cell with one test each."""
    return make.plan(base, boots=2, tests=("le_fit_alloc_test",), plain=True)


@pytest.fixture
def run(results: Path) -> Run:
    """A run that has no results yet."""
    made = make.stored(results, planned=6)
    (made.folder / "results.jsonl").unlink()
    return made


def whole(boot: int, **last: Any) -> list[Result]:
    """Return the results of a boot; `last` is what differs in its test."""
    around = [make.result(test=f"{name} under icount", boot=boot) for name in ("boot", "end")]
    return [around[0], make.result(boot=boot, **last), around[1]]


def wait(out: io.StringIO, words: str) -> None:
    deadline = time.monotonic() + 60
    while words not in out.getvalue():
        assert time.monotonic() < deadline, out.getvalue()
        time.sleep(0.05)


def ended(stream: Stream, run: Run) -> None:
    conclude.conclude(run)
    stream.ended(run)


def test_a_boot_is_printed_when_it_is_whole_and_before_the_run_has_ended(run: Run, planned: Plan) -> None:
    stream = Stream(out := io.StringIO())
    with stream.following(run, planned):
        assert out.getvalue() == "KTAP version 1\n1..3\n"
        run.add(whole(1)[:2])
        run.add(whole(0))
        wait(out, "ok 1 x86_64/stock/perf icount 0\n")
        assert "icount 1" not in out.getvalue()
        run.add(whole(1)[2:])
        wait(out, "ok 2 x86_64/stock/perf icount 1\n")
    ended(stream, run)
    nodes, text = parsed(out.getvalue())
    assert [(node.name, node.state) for node in nodes] == [
        ("x86_64/stock/perf icount 0", "ok"),
        ("x86_64/stock/perf icount 1", "ok"),
        ("comparison", "skipped"),
    ]
    assert [name for name, _ in states(nodes)[0]] == [
        "boot [icount, boot 0]",
        "le_fit_alloc_test [icount, boot 0]",
        "end [icount, boot 0]",
    ]
    assert text.endswith("# exit code 0: no regression and no unexpected finding\n")


def test_a_run_that_is_resumed_begins_with_what_it_has(run: Run, planned: Plan) -> None:
    run.add(whole(0))
    stream = Stream(out := io.StringIO())
    with stream.following(run, planned):
        wait(out, "ok 1 x86_64/stock/perf icount 0\n")
        run.add(whole(1))
    ended(stream, run)
    assert len(parsed(out.getvalue())[0]) == 3


def test_a_failure_has_its_finding_and_what_was_compared_comes_last(run: Run, planned: Plan) -> None:
    for boot in range(5):
        run.add([make.sample(100.0 + boot / 100, boot=boot), make.sample(150.0 + boot / 100, boot=boot, variant="mine")])
    stream = Stream(out := io.StringIO())
    with stream.following(run, planned):
        run.add([*whole(0, outcome="failed", reason="it failed"), *whole(1)])
    ended(stream, run)
    nodes, text = parsed(out.getvalue())
    assert [node.state for node in nodes] == ["not ok", "ok", "not ok"]
    assert "  #  it failed\n  not ok 2 le_fit_alloc_test [icount, boot 0]\n" in text
    assert "regression: slower, +50.0 % instructions/op against stock" in text


def test_a_boot_that_lacks_results_is_not_ok_and_its_plan_tells_how_many(run: Run, planned: Plan) -> None:
    stream = Stream(out := io.StringIO())
    run.add(whole(0)[:2])
    with pytest.raises(KeyboardInterrupt), stream.following(run, planned):
        raise KeyboardInterrupt
    lines = out.getvalue().splitlines()
    assert lines[:2] == ["KTAP version 1", "1..3"]
    assert lines[4] == "  1..3"
    assert lines[-1] == "not ok 1 x86_64/stock/perf icount 0 # ERROR 1 of 3 results are missing"


def test_what_was_dismissed_fails_nothing(run: Run, planned: Plan) -> None:
    found = msgspec.structs.replace(make.finding(test="le_fit_alloc_test"), clock=Clock.ICOUNT)
    run.add([found])
    dismissals.dismiss(fingerprint(found), "not ours")
    title = f"{found.trouble.kind}: {found.trouble.title}"
    stream = Stream(out := io.StringIO())
    with stream.following(run, planned):
        run.add([*whole(0, outcome="failed", reason=title), *whole(1)])
    ended(stream, run)
    nodes, text = parsed(out.getvalue())
    assert [node.state for node in nodes] == ["ok", "ok", "skipped"]
    assert "# SKIP dismissed: " in text


def test_records_that_cannot_be_read_hide_no_other_error(run: Run, planned: Plan) -> None:
    stream = Stream(io.StringIO())
    (run.folder / "results.jsonl").mkdir()
    with pytest.raises(BuildError, match="other"), stream.following(run, planned):
        raise BuildError("other")


def called(**options: bool) -> Any:
    return [SimpleNamespace(name="test", as_kwargs=options)]


def test_standard_output_is_for_ktap_alone_once_a_task_asks_for_it(
    results: Path, monkeypatch: pytest.MonkeyPatch, kernel_source: Path
) -> None:
    out, errors = io.StringIO(), io.StringIO()
    monkeypatch.setattr(live_ktap, "_out", None)
    monkeypatch.setattr(sys, "stdout", out)
    monkeypatch.setattr(sys, "stderr", errors)
    folder = failed_build.keep(BuildError("wrong"), Selection(source=str(kernel_source), variant="stock"), "invoke build")
    assert folder
    live_ktap.claim(called(ktap=False))
    live_ktap.failed(folder)
    print("a table")
    live_ktap.claim(called(ktap=True))
    live_ktap.claim(called(ktap=True))
    print("another")
    live_ktap.failed(folder)
    table, _, text = out.getvalue().partition("\n")
    assert table == "a table"
    assert errors.getvalue() == "another\n"
    assert {node.state for node in parsed(text)[0]} == {"not ok"}


def test_one_stream_has_one_run() -> None:
    live_ktap.check(called(ktap=True), [1])
    for tasks, kernels in ((called(ktap=True), [1, 2]), (called(ktap=True) * 2, [1])):
        with pytest.raises(UsageError, match="--ktap prints one run"):
            live_ktap.check(tasks, kernels)
