# SPDX-License-Identifier: GPL-2.0-only
"""What a run stores is read back, also when the run was killed in the middle of a line."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from harness import paths
from harness.errors import RigError, UsageError
from harness.model import records, run_folder
from harness.model.records import now
from harness.model.run_folder import Run
from tests.support import content, make


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return Run(tmp_path / "results/20260102-030405-abcd")


def test_records_are_read_back_in_order(run: Run) -> None:
    samples = [make.sample(1.5), make.sample(2.5, repeat=1)]
    run.add(samples[:1])
    run.add(samples[1:])
    run.add([make.finding(text="one\ntwo \u2028 \x1b[31m")])
    run.add([make.result("failed", reason="why")])
    again = Run(run.folder)
    assert again.samples() == samples
    assert again.findings() == [make.finding(text="one\ntwo \u2028 \x1b[31m")]
    assert again.results() == [make.result("failed", reason="why")]


def test_a_new_run_has_no_records(run: Run) -> None:
    assert not run.samples()
    assert not run.findings()
    assert not run.results()
    run.add([])
    assert not (run.folder / "samples.jsonl").exists()


def torn(run: Run) -> None:
    """Leave the records of a run that was killed while it wrote its second one."""
    run.add([make.sample(1.0)])
    with (run.folder / "samples.jsonl").open("ab") as file:
        file.write(msgspec.json.encode(make.sample(2.0))[:-20])


def test_a_torn_last_line_is_ignored(run: Run) -> None:
    torn(run)
    assert run.samples() == [make.sample(1.0)]


def test_a_run_goes_on_after_a_torn_line(run: Run) -> None:
    torn(run)
    run.add([make.sample(3.0, boot=3)])
    assert run.samples() == [make.sample(1.0), make.sample(3.0, boot=3)]


@pytest.mark.parametrize("damage", [b"{}\n", b"\n", b'{"machine": 5}\n', b"\xff\xfe\n", b"{\n"], ids=repr)
def test_a_damaged_line_is_left_out_and_named(run: Run, damage: bytes) -> None:
    run.describe(make.provenance())
    run.add([make.sample()])
    with (run.folder / "samples.jsonl").open("ab") as file:
        file.write(damage)
    run.add([make.sample()])
    assert run.samples() == [make.sample()] * 2
    (named,) = run.left_out()
    assert named.startswith("samples.jsonl:2: ")


@pytest.mark.parametrize(
    ("record", "field", "value"),
    [
        (make.sample(), "operations", "0"),
        (make.sample(), "operations", str(1 << 63)),
        (make.sample(), "operations", "1" + "0" * 20),
        (make.sample(), "boot", "-1"),
        (make.sample(), "repeat", str((1 << 64) - 1)),
        (make.sample(), "value", "-1.0"),
        (make.sample(), "value", "1e400"),
        (make.sample(), "value", "1e308"),
        (make.sample(), "value", "null"),
        (make.sample(), "value", "NaN"),
        (make.result(), "seconds", "1e300"),
        (make.result(), "round", str(1 << 63)),
        (content.histogram(), "buckets", "[]"),
        (content.histogram(), "buckets", "[[5.0,0]]"),
        (content.look("before", 1.0), "values", f'{{"areas":{1 << 64}}}'),
        (content.point(5, 1.0), "operations", "0"),
    ],
    ids=str,
)
def test_a_number_that_cannot_be_is_damage(run: Run, record: msgspec.Struct, field: str, value: str) -> None:
    run.describe(make.provenance())
    run.add([record])
    file = run.folder / run_folder.FILES[type(record)]
    line = msgspec.json.encode(record)
    old = msgspec.json.encode({field: getattr(record, field)})[1:-1]
    file.write_bytes(line.replace(old, f'"{field}":{value}'.encode()) + b"\n" + line + b"\n")
    assert [named.partition(": ")[0] for named in run.left_out()] == [f"{file.name}:1"]


def test_the_highest_numbers_are_kept(run: Run) -> None:
    run.describe(make.provenance())
    most = make.sample(float(1 << 64), operations=records.MOST, repeat=records.MOST)
    run.add([most])
    assert run.samples() == [most]
    assert not run.left_out()


def test_a_line_without_an_end_is_damage_once_the_run_is_finished(run: Run) -> None:
    torn(run)
    run.describe(make.provenance(finished=""))
    assert not run.left_out(), "it is of the test in which the run was killed"
    run.change(finished="2026-01-02T03:05:05+00:00")
    assert run.left_out() == ["samples.jsonl:2: the line has no end"]


@pytest.mark.parametrize("make_it", [os.mkfifo, os.mkdir], ids=["pipe", "folder"])
def test_what_is_no_file_is_not_waited_for(run: Run, make_it: Callable[[Path], None]) -> None:
    make_it(run.folder / "samples.jsonl")
    with pytest.raises(UsageError, match=r"samples\.jsonl cannot be read: it is not a regular file"):
        run.samples()
    make_it(run.folder / "run.json")
    with pytest.raises(UsageError, match=r"run\.json cannot be read \(it is not a regular file\)"):
        run.provenance()


def test_a_full_disk_is_the_rigs_error(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(RigError, match=r"samples\.jsonl cannot be written: No space left on device"):
        run.add([make.sample()])


def test_what_was_added_is_on_the_disk(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[bytes] = []
    monkeypatch.setattr(os, "fsync", lambda _: synced.append((run.folder / "samples.jsonl").read_bytes()))
    run.add([make.sample()])
    assert synced == [msgspec.json.encode(make.sample()) + b"\n"]


def test_provenance_is_read_back(run: Run) -> None:
    (run.folder / "run.json").write_bytes(msgspec.json.encode(make.provenance(notes=("a note",))))
    assert run.provenance() == make.provenance(notes=("a note",))


def test_a_folder_without_provenance_is_no_run(run: Run) -> None:
    with pytest.raises(UsageError, match=r"run\.json .*No such file") as caught:
        run.provenance()
    assert str(run.folder) in str(caught.value)


@pytest.mark.parametrize("data", [b"", b"{}", b'{"run": 1}', b"nonsense", b"[1]", b'{"run":"\xff"}', b'{"x":' + b"[" * 5000])
def test_damaged_provenance_is_said_so(run: Run, data: bytes) -> None:
    (run.folder / "run.json").write_bytes(data)
    with pytest.raises(UsageError, match=r"run\.json is damaged: ") as caught:
        run.provenance()
    assert str(run.folder) in str(caught.value)


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("margins", {}, "no entry for icount, wall"),
        ("margins", {"icount": 1.0}, "no entry for wall"),
        ("margins", {"icount": -1.0, "wall": 5.0}, ">= 0"),
        ("loops", 0, "> 0"),
        ("planned", 1 << 64, "<="),
        ("threshold", -5, ">= 0"),
        ("hours", 1e300, "<="),
    ],
)
def test_settings_that_cannot_be_are_damage(run: Run, field: str, value: object, said: str) -> None:
    (run.folder / "run.json").write_bytes(msgspec.json.encode({**msgspec.to_builtins(make.provenance()), field: value}))
    with pytest.raises(UsageError, match=rf"run\.json is damaged: .*{said}"):
        run.provenance()


def test_runs_have_names_of_their_own() -> None:
    assert len({run_folder.new_folder() for _ in range(20)}) == 20
    assert now().endswith("+00:00")


@pytest.mark.parametrize(
    ("kept", "said"),
    [
        ("('/home/x/harness/suite/conftest.py', 150, 'Skipped: SKIP no faults')", "SKIP no faults"),
        ("""('/home/x/conftest.py', 7, "Skipped: it's lost")""", "it's lost"),
        (f"QEMU did not start; see {paths.PROJECT}/results/a/b.log.", "QEMU did not start; see results/a/b.log."),
        ("bug: /sys/kernel/debug/kmemleak (a, 1)", "bug: /sys/kernel/debug/kmemleak (a, 1)"),
        ("harness.errors.VmLost: QEMU was killed.", "QEMU was killed."),
        ("harness.vm.vm_time.StoodStill: QEMU: it is stopped.", "QEMU: it is stopped."),
        ("the harness.errors.VmLost: it is so", "the harness.errors.VmLost: it is so"),
        ("", ""),
    ],
)
def test_a_reason_on_record_has_nothing_of_the_host_and_of_the_rigs_code(tmp_path: Path, kept: str, said: str) -> None:
    line = msgspec.json.encode({**msgspec.to_builtins(make.result("skipped")), "reason": kept})
    (tmp_path / "results.jsonl").write_bytes(line + b"\n")
    assert [result.reason for result in Run(tmp_path).results()] == [said]
    assert make.result("skipped", reason=kept).reason == said
