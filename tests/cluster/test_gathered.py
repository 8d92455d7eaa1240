# SPDX-License-Identifier: GPL-2.0-only
"""What comes back of a session is written once and whole: logs before results, and nothing of a session that is not whole."""

from __future__ import annotations

import re
from pathlib import Path

import msgspec
import pytest

from harness.cluster import gathered
from harness.errors import RigError
from harness.model.attribution import Counted, FunctionCount, LineCount
from harness.model.clock import Clock
from harness.model.matrix import Base
from harness.model.run_folder import FILES, Run
from harness.model.trouble import Frame
from harness.suite import soak_cell
from harness.suite.plan import Session
from tests.support import cells, make

LOG = "x86_64-stock-perf-icount-0.serial.log"


@pytest.fixture
def session(base: Base, cache: Path) -> Session:
    """A session with one step, and so with three results."""
    return cells.plan(base).sessions[0]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return Run(tmp_path / "run")


def came(*records: msgspec.Struct, **more: bytes) -> dict[str, bytes]:
    """Return records as files of a session's folder, with a console's log and pytest's own log."""
    lines: dict[str, bytes] = {LOG: b"console\n", "report-log.jsonl": b"{}\n"}
    for record in records:
        lines[FILES[type(record)]] = lines.get(FILES[type(record)], b"") + msgspec.json.encode(record) + b"\n"
    return {**lines, **more}


RESULTS = [make.result(test=name) for name in ("boot under icount", "le_fit_alloc_test", "end under icount")]


def test_everything_is_written_and_the_results_last(run: Run, session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    order: list[str] = []
    append = Run.append

    def noted(self: Run, name: str, data: bytes) -> None:
        order.append(name)
        append(self, name, data)

    monkeypatch.setattr(Run, "append", noted)
    samples = [make.sample(float(value)) for value in range(3)]
    finding = msgspec.structs.replace(make.finding(), log=LOG)
    files = came(*RESULTS, *samples, make.booted(), finding)
    took = gathered.write(run, gathered.read(session, files), "report-log-1.jsonl")
    assert took == run.results() == RESULTS
    assert run.samples() == samples
    assert len(run.boots()) == len(run.findings()) == 1
    assert (run.folder / LOG).read_bytes() == b"console\n"
    assert (run.folder / "report-log-1.jsonl").read_bytes() == b"{}\n"
    assert order[-1] == "results.jsonl"
    assert not (run.folder / "report-log.jsonl").exists()


@pytest.mark.parametrize("missing", [0, 1, 2])
def test_a_session_without_all_results_is_not_taken(session: Session, missing: int) -> None:
    some = [result for number, result in enumerate(RESULTS) if number != missing]
    with pytest.raises(RigError, match="x86_64-stock-perf-icount-0 came back with 2 results of 3"):
        gathered.read(session, came(*some))


def test_damaged_records_are_not_taken(session: Session) -> None:
    damaged = came(*RESULTS) | {"samples.jsonl": b'{"machine": 7}\n'}
    with pytest.raises(RigError, match=r"came back with a damaged samples\.jsonl"):
        gathered.read(session, damaged)


@pytest.mark.parametrize(
    "name",
    [
        *("../evil", "..", ".", "", "/etc/passwd", f"../{LOG}", f"logs/{LOG}", f"{LOG}\n", f"{LOG}\0"),
        *("plan.json", "run.json", "hosts.json", ".run.lock", "report.html", "report-log-1.jsonl", "x86_64-stock-perf.config"),
        "x86_64-stock-perf-icount-1.serial.log",
        "x86_64-stock-perf-wall-0.serial.log",
    ],
)
def test_no_file_but_the_logs_of_its_vm_gets_into_the_folder_of_a_run(session: Session, name: str) -> None:
    said = f"x86_64-stock-perf-icount-0 came back with {name!r}, which is no log of its VM, so that nothing of it is taken."
    with pytest.raises(RigError, match=f"^{re.escape(said)}$"):
        gathered.read(session, came(*RESULTS) | {name: b"evil"})


def test_logs_of_a_vm_that_was_booted_again_or_that_are_long_are_taken(session: Session) -> None:
    names = [LOG, LOG.replace("-0.", "-0.1."), LOG.replace("-0.", "-0.12.") + ".gz"]
    assert list(gathered.read(session, came(*RESULTS) | dict.fromkeys(names, b"")).logs) == names
    soak = soak_cell.session(session.built)
    later = [f"x86_64-stock-perf-wall-{boot}.serial.log" for boot in (0, 7)]
    assert list(gathered.read(soak, dict.fromkeys(later, b"")).logs) == later
    with pytest.raises(RigError, match=r"came back with 'x86_64-stock-debug-wall-0\.serial\.log', which is no log of its VM"):
        gathered.read(soak, {"x86_64-stock-debug-wall-0.serial.log": b""})


def test_source_lines_are_filled_in_where_the_worker_had_none() -> None:
    def sources(file: str) -> list[str]:
        return ["one", "\ttwo", "three"] if file == "mm/vmalloc.c" else []

    frames = (
        Frame("a", file="mm/vmalloc.c", line=2),
        Frame("b", file="test_module/core/run.c", line=2, source="as the worker has it"),
        Frame("c", file="lib/other.c", line=1),
        Frame("d"),
    )
    found = gathered.with_source(make.finding(frames=frames), [sources])
    assert [frame.source for frame in found.trouble.frames] == ["two", "as the worker has it", "", ""]  # type: ignore[attr-defined]
    lines = (LineCount("", "mm/vmalloc.c", 3, "", 2.0), LineCount("", "x.c", 1, "known", 1.0))
    place = ("x86_64", "stock", "perf", Clock.ICOUNT, "le_fit_alloc_test", 4)
    counted = Counted(*place, operations=7, measured=3.0, functions=(FunctionCount("f", "", "mm/vmalloc.c", 3.0, lines),))
    filled = gathered.with_source(counted, [sources])
    assert [line.text for line in filled.functions[0].lines] == ["three", "known"]  # type: ignore[attr-defined]
    assert gathered.with_source(make.sample(), [sources]) == make.sample()


def test_a_soak_has_as_many_results_as_it_came_to_and_no_log_of_pytest(run: Run, session: Session) -> None:
    soak = soak_cell.session(session.built)
    files = {name: b"" if name == "report-log.jsonl" else content for name, content in came(*RESULTS[:1]).items() if name != LOG}
    assert gathered.write(run, gathered.read(soak, files), "report-log.jsonl") == RESULTS[:1]
    assert not (run.folder / "report-log.jsonl").exists()


def test_findings_alone_need_no_results(session: Session) -> None:
    unpacked = gathered.unpacked(session, came(make.finding()))
    assert (len(unpacked.records), unpacked.results) == (1, [])
    with pytest.raises(RigError, match=r"came back with a damaged findings\.jsonl"):
        gathered.unpacked(session, {"findings.jsonl": b"{}\n"})
