# SPDX-License-Identifier: GPL-2.0-only
"""Records of a soak get into the run's folder once, soon, and stay there whatever becomes of the worker that made them."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

pytest.importorskip("distributed", reason="NOT TESTED: distributed is not installed; ./bootstrap installs it")

from harness.cluster import under_way, worker
from harness.cluster.dispatch import Ended
from harness.cluster.revision import Facts
from harness.cluster.task import RUN, Answer, Task
from harness.cluster.under_way import Damaged, Have, Part, UnderWay
from harness.commands import clustered
from harness.errors import RigError
from harness.model.clock import Clock
from harness.model.matrix import Base
from harness.model.records import Look, Result
from harness.model.run_folder import FILES, Run
from harness.suite import soak_cell
from harness.suite.plan import Session
from tests.support import cells, make
from tests.support.looks import look

LOG = "x86_64-stock-perf-wall-0.serial.log"
SESSION = "x86_64-stock-perf-wall-0"


class There:
    """A worker that soaks, in a folder of its own for each attempt."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._number = 0
        self.begin()

    def begin(self) -> None:
        """Begin anew, on this worker or on another one."""
        self._number += 1
        self.run = Run(self._folder / f"attempt-{self._number}" / RUN)

    @property
    def attempt(self) -> str:
        return self.run.folder.parent.name

    def round(self, number: int, boot: int = 0) -> None:
        """Record a round."""
        self.run.add([look(number, 1 << 20, boot=boot), result(number, boot)])
        log = self.run.folder / LOG.replace("-0.", f"-{boot}.")
        log.write_bytes((log.read_bytes() if log.exists() else b"") + b"a round\n")

    def ask(self, have: Have) -> list[Part]:
        new = under_way.new(self.run.folder, have.get(self.attempt, {}))
        return [Part(SESSION, self.attempt, new)] if new else []

    def answer(self) -> Answer:
        return Answer("w1", files={file.name: file.read_bytes() for file in self.run.folder.iterdir()}, attempt=self.attempt)


def result(number: int, boot: int = 0) -> Result:
    return msgspec.structs.replace(make.result(test="mix_stress_test", clock=Clock.WALL, round=number), boot=boot)


@pytest.fixture
def there(tmp_path: Path) -> There:
    return There(tmp_path)


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return Run(tmp_path / "run")


@pytest.fixture
def session(base: Base, cache: Path) -> Session:
    return soak_cell.session(cells.plan(base).sessions[0].built)


@pytest.fixture
def shown() -> list[Result]:
    return []


@pytest.fixture
def soaks(run: Run, session: Session, there: There, shown: list[Result], monkeypatch: pytest.MonkeyPatch) -> UnderWay:
    """Soaks of which workers are asked each time."""
    monkeypatch.setattr(under_way, "_EVERY", 0.0)
    return UnderWay(run, [session], there.ask, lambda of, results: shown.extend(results))


def rounds(run: Run) -> list[tuple[int, int]]:
    """Return the boots and rounds of the looks, which are also those of the results."""
    found = [(one.boot, one.round) for one in run.looks()]
    assert found == [(one.boot, one.round) for one in run.results()]
    return found


def test_each_record_is_written_once_and_before_the_soak_is_over(
    soaks: UnderWay, there: There, run: Run, session: Session, shown: list[Result]
) -> None:
    there.round(0)
    soaks.look()
    soaks.look()
    assert rounds(run) == [(0, 0)]
    there.round(1)
    there.round(2)
    soaks.look()
    assert rounds(run) == [(0, 0), (0, 1), (0, 2)]
    assert (run.folder / LOG).read_bytes() == b"a round\n" * 3
    assert shown == run.results()
    there.round(0, boot=1)
    assert soaks.end(session, there.answer()) == [result(0, boot=1)]
    assert rounds(run) == [(0, 0), (0, 1), (0, 2), (1, 0)]
    assert not list(soaks.notes())


def test_a_line_is_taken_when_it_is_whole(soaks: UnderWay, there: There, run: Run) -> None:
    line = msgspec.json.encode(result(0)) + b"\n"
    file = there.run.folder / FILES[Result]
    file.write_bytes(line + line[:9])
    soaks.look()
    assert run.results() == [result(0)]
    file.write_bytes(line + line)
    soaks.look()
    assert run.results() == [result(0)] * 2


def test_an_attempt_that_begins_anew_has_boots_and_logs_of_its_own(
    soaks: UnderWay, there: There, run: Run, session: Session
) -> None:
    there.round(0)
    there.round(0, boot=1)
    soaks.look()
    there.begin()
    there.round(0)
    there.run.add([msgspec.structs.replace(make.finding(test="mix_stress_test"), clock=Clock.WALL, boot=0, log=LOG)])
    soaks.look()
    there.round(1)
    soaks.end(session, there.answer())
    assert rounds(run) == [(0, 0), (1, 0), (2, 0), (2, 1)]
    (finding,) = run.findings()
    assert (finding.boot, finding.log) == (2, LOG.replace("-0.", "-2."))
    assert (run.folder / finding.log).read_bytes() == b"a round\n" * 2
    assert (run.folder / LOG).read_bytes() == b"a round\n"
    (said,) = soaks.notes()
    assert said.startswith("The soak of x86_64/stock/perf was begun 2 times, since a worker was lost or failed; each has boots")


def test_an_attempt_that_was_given_up_is_heard_no_more(run: Run, session: Session, there: There, soaks: UnderWay) -> None:
    there.round(0)
    soaks.look()
    given_up = there.attempt
    there.begin()
    there.round(0)
    soaks.look()
    late = Part(SESSION, given_up, there.ask({})[0].files)
    soaks._ask = lambda _: [late]
    soaks.look()
    assert rounds(run) == [(0, 0), (1, 0)]


def test_a_log_whose_next_part_has_begun_is_there_once(soaks: UnderWay, there: There, run: Run) -> None:
    there.round(0)
    soaks.look()
    (there.run.folder / LOG).rename(there.run.folder / f"{LOG}.gz")
    (there.run.folder / LOG.replace("-0.", "-0.1.")).write_bytes(b"next\n")
    soaks.look()
    assert sorted(file.name for file in run.folder.glob("*.serial.log*")) == [LOG.replace("-0.", "-0.1."), f"{LOG}.gz"]


def test_what_is_damaged_is_not_written_and_said_at_the_end(soaks: UnderWay, there: There, run: Run, session: Session) -> None:
    there.round(0)
    soaks.look()
    there.round(1)
    (there.run.folder / "plan.json").write_bytes(b"evil")
    soaks.look()
    assert rounds(run) == [(0, 0)]
    with pytest.raises(Damaged, match=r"came back with 'plan\.json', which is no log of its VM"):
        soaks.end(session, there.answer())
    assert rounds(run) == [(0, 0)]
    assert not (run.folder / "plan.json").exists()


def test_a_run_that_cannot_be_written_ends(soaks: UnderWay, there: There, monkeypatch: pytest.MonkeyPatch) -> None:
    def append(*_: object) -> None:
        raise RigError("soak.jsonl cannot be written: No space left on device.")

    there.round(0)
    monkeypatch.setattr(Run, "append", append)
    with pytest.raises(RigError, match="No space left"):
        soaks.look()


DIED = "the worker died each time that it ran this session"


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (Answer("", failed=DIED), DIED),
        (Answer("w1", files={"plan.json": b"evil"}, attempt="attempt-1"), f"w1: {SESSION} came back with 'plan.json', which is no"),
    ],
)
def test_a_soak_that_is_given_up_keeps_its_records_and_says_what_is_missing(
    soaks: UnderWay, there: There, run: Run, session: Session, answer: Answer, why: str
) -> None:
    there.round(0)
    there.round(1)
    soaks.look()
    hours = max(one.hours for one in run.looks())
    (given_up,) = clustered.soaked(run, Ended(session, answer), soaks, 48.0)
    assert (given_up.outcome, given_up.test) == ("error", "boot under wall")
    assert given_up.reason.startswith(f"given up after {hours:.2f} of 48 h, of which the last minute may be missing: {why}")
    assert [(one.boot, one.round) for one in run.looks()] == [(0, 0), (0, 1)]
    assert run.results()[-1] == given_up


def test_nobody_is_asked_before_it_is_time(run: Run, session: Session) -> None:
    def ask(_: Have) -> list[Part]:
        raise AssertionError

    UnderWay(run, [session], ask, lambda *_: None).look()


def test_a_worker_tells_of_the_soaks_of_a_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    task = Task("the-run", SESSION, "me", "/cache", Facts("1", {}), ())
    monkeypatch.setattr(worker, "_UNDER_WAY", {tmp_path / ".scratch.1": task})
    there = Run(tmp_path / ".scratch.1" / RUN)
    there.add([look(0, 1 << 20)])
    (there.folder / ".hidden").write_bytes(b"half a log")

    def told(run: str, have: Have) -> list[Part]:
        return msgspec.msgpack.decode(worker.recorded(run, msgspec.msgpack.encode(have)), type=list[Part])

    (part,) = told("the-run", {})
    assert (part.session, part.attempt, list(part.files)) == (SESSION, ".scratch.1", [FILES[Look]])
    assert told("the-run", {part.attempt: {FILES[Look]: len(part.files[FILES[Look]])}}) == []
    assert told("another-run", {}) == []
