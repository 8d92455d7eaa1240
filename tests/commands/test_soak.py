# SPDX-License-Identifier: GPL-2.0-only
"""A soak under way, without a kernel: what is checked before, what an interruption leaves, and on a cluster."""

from __future__ import annotations

import json
from collections.abc import Callable
from concurrent import futures
from pathlib import Path
from typing import Any

import msgspec
import pytest

from harness.commands import soak
from harness.errors import RigError, UsageError
from harness.model.matrix import Base
from harness.model.run_folder import Run
from harness.model.selection import Selection
from harness.suite import plan
from harness.suite.extract import Observed
from harness.suite.plan import Plan
from harness.suite.soak_cell import Soak
from tests.support import make
from tests.support.looks import PAGE, growing


@pytest.mark.parametrize(
    ("wanted", "said"),
    [
        (Selection(clock="icount", tests="stress"), "no use for --clock"),
        (Selection(boots=3, tests="stress"), "no use for --boots"),
        (Selection(tests="performance"), "None of the tests 'performance' can be part of a soak"),
        (Selection(tests="performance,stress", profile="perf,latency"), "'latency' runs none of the chosen tests"),
        (Selection(tests="nonsense"), "There is no test 'nonsense'"),
    ],
)
def test_what_makes_no_sense_is_refused(wanted: Selection, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        soak.check(wanted)


def test_cells_that_do_not_fit_into_memory_are_refused(base: Base) -> None:
    with pytest.raises(UsageError, match=r"VMs of 1 cells, .* but 10 MiB are free"):
        soak.run(
            make.plan(base, tests=("pcpu_alloc_test",)),
            Selection(tests="stress"),
            "invoke soak",
            1.0,
            parts=soak.Parts(free_memory=lambda: 10),
        )


def begin(run: Run, made: Plan, *_: object) -> None:
    """Begin a run's folder without a kernel."""
    plan.save(made, run.folder / "plan.json")
    told = make.provenance(run=run.folder.name, planned=0, hours=made.hours, seed=made.seed, finished="")
    (run.folder / "run.json").write_bytes(msgspec.json.encode(told))


def soaking(base: Base, cell: Callable[[Soak], None], **other: Any) -> Any:
    parts = soak.Parts(begin=begin, cell=lambda shared, *_: cell(shared), **other)
    return soak.run(make.plan(base, tests=("pcpu_alloc_test",)), Selection(tests="stress"), "invoke soak", 1.0, 5, parts)


def test_an_interruption_ends_it_with_a_report(results: Path, base: Base, capsys: pytest.CaptureFixture[str]) -> None:
    ended = []

    def run(shared: Soak) -> None:
        for one in growing(30 * PAGE, 20):
            shared.record(Observed(looks=(one,)), make.result(test="pcpu_alloc_test"))
        assert shared.cut_short.wait(30)
        ended.append(True)

    def wait(*given: Any) -> Any:
        if not interrupted:
            interrupted.append(True)
            raise KeyboardInterrupt
        return futures.wait(*given)

    interrupted: list[bool] = []
    outcome = soaking(base, run, wait=wait)
    assert ended
    assert len(Run(outcome.run).looks()) == 20
    assert [f.trouble.kind for f in outcome.findings] == ["leak"]
    assert not outcome.provenance.finished
    assert "This soak was ended after" in (outcome.run / "report.md").read_text()
    assert "seed 5; Ctrl-C ends it" in capsys.readouterr().out


def test_a_known_bug_is_printed_once_and_counted(results: Path, base: Base, capsys: pytest.CaptureFixture[str]) -> None:
    def run(shared: Soak) -> None:
        for number, outcome in enumerate(("xfailed", "xfailed", "xfailed", "failed", "failed")):
            result = make.result(test="pcpu_alloc_test", outcome=outcome, reason=f"{outcome} so", round=number)
            shared.record(Observed(), result)
        shared.record(Observed(looks=(growing(0.0, 1)[0],)), make.result(test="pcpu_alloc_test", round=5))

    soaking(base, run)
    said = capsys.readouterr().out
    assert said.count("known bug seen, as expected") == 1
    assert "known bugs seen 3 times" in said
    assert said.count("FAILED") == 2


def test_what_cannot_be_recorded_ends_it(results: Path, base: Base) -> None:
    def run(_: Soak) -> None:
        raise RigError("soak.jsonl cannot be written: No space left on device.")

    with pytest.raises(RigError, match=r"No space left.*`invoke report \S+`"):
        soaking(base, run)


def test_a_soak_to_its_end_is_finished(results: Path, base: Base) -> None:
    outcome = soaking(base, lambda _: None)
    told = json.loads((outcome.run / "run.json").read_text())
    assert told["finished"]
    assert (told["hours"], told["seed"]) == (1.0, 5)


@pytest.mark.parametrize("whole", [True, False])
def test_a_cluster_soaks_the_cells_whatever_room_is_here(results: Path, base: Base, whole: bool) -> None:
    def elsewhere(place: str, run: Run, planned: Plan) -> bool:
        assert (place, planned.hours, planned.seed) == ("tls://a:1", 1.0, 5)
        run.add(growing(0.0, 20))
        return whole

    parts = soak.Parts(begin=begin, elsewhere=elsewhere, free_memory=lambda: 10)
    wanted = Selection(tests="stress", cluster="tls://a:1")
    outcome = soak.run(make.plan(base, tests=("pcpu_alloc_test",)), wanted, "invoke soak", 1.0, 5, parts)
    assert bool(outcome.provenance.finished) == whole
    assert len(Run(outcome.run).looks()) == 20


def test_a_cluster_that_is_lost_says_where_the_records_are(results: Path, base: Base) -> None:
    def elsewhere(*_: object) -> bool:
        raise RigError("The scheduler is gone.")

    parts = soak.Parts(begin=begin, elsewhere=elsewhere)
    wanted = Selection(tests="stress", cluster="tls://a:1")
    with pytest.raises(RigError, match=r"^The scheduler is gone\. What was recorded is kept; `invoke report .*` shows it\.$"):
        soak.run(make.plan(base, tests=("pcpu_alloc_test",)), wanted, "invoke soak", 1.0, 5, parts)


def test_options_that_leave_something_on_another_host_are_refused() -> None:
    with pytest.raises(UsageError, match="--on-failure and --cluster exclude each other"):
        soak.check(Selection(tests="stress", cluster="tls://a:1", on_failure="keep"))
