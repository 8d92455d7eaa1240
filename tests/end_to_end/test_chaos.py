# SPDX-License-Identifier: GPL-2.0-only
"""What can go wrong in a run, done to a real one on both machines: what is left is whole, true and says so."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import msgspec
import pytest
from elftools.elf.elffile import ELFFile

from harness import paths
from harness.commands import pipeline
from harness.errors import VmLost
from harness.host import files, process
from harness.model import clock, matrix
from harness.model.records import Finding, Result
from harness.model.run_folder import Run
from harness.model.selection import Selection
from harness.stats.outcome import ExitCode
from harness.suite import vm_pool
from harness.suite.plan import Plan
from harness.vm import launch, qmp, sockets, vms
from harness.vm.ssh import Guest
from harness.vm.vms import Vm
from tests import provoke
from tests.support.machines import each_on_machines, machines
from tests.support.rig import LONG, NEXT, PATIENCE, WHOLE, Rig

pytestmark = pytest.mark.kernel
HURT = [("boot under icount", "passed"), (LONG, "failed"), (NEXT, "passed"), ("end under icount", "passed")]


@pytest.fixture(scope="module")
def built() -> Plan:
    """Stock kernels of both machines; the rigs below find them in the cache."""
    return pipeline.build(Selection(variant="stock", scale="quick"))


@pytest.fixture(scope="module")
def modules(built: Plan) -> dict[str, bytes]:
    """The module that provokes trouble, by machine."""
    return {of.cell.machine.name: provoke.build(built.base, of.cell, of.kernel).read_bytes() for of in built.cells}


@pytest.fixture(autouse=True)
def nothing_is_left(tmp_path: Path) -> Iterator[None]:
    """Whatever happens, no process stays that a rig of the test has started."""
    yield
    deadline = time.monotonic() + 10
    while (left := _started_with(tmp_path)) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not left


def _started_with(results: Path) -> list[str]:
    """Return the processes whose environment names a folder below `results`."""
    found = []
    for environment in Path("/proc").glob("[0-9]*/environ"):
        with contextlib.suppress(OSError):
            if f"RIG_RESULTS={results}".encode() in environment.read_bytes():
                found.append(environment.parent.name)
    return found


class Harm(msgspec.Struct, frozen=True):
    """Something that happens to a guest in the middle of a test, and what has to come of it."""

    does: Callable[[Vm, Mapping[str, bytes]], object]
    kind: str
    """of the one finding; empty for none"""
    title: str = ""
    """part of the finding's title"""
    function: str = ""
    """to blame; empty where nothing can be known of it"""
    evidence: str = ""
    """part of the evidence that the guest gave"""
    patience: float = PATIENCE
    """how long the rig waits for it"""


def provoking(what: str) -> Callable[[Vm, Mapping[str, bytes]], object]:
    """Return what has the guest's kernel do `what`."""

    def do(machine: Vm, modules: Mapping[str, bytes]) -> None:
        with contextlib.closing(Guest(machine.state.port)) as guest:
            guest.put(modules[machine.state.cell.partition("/")[0]], "/provoke.ko")
            guest.start("insmod", "/provoke.ko", f"what={what}")
            time.sleep(0.2)

    return do


def telling(*words: str) -> Callable[[Vm, Mapping[str, bytes]], object]:
    """Return what has somebody in the guest do a command."""

    def do(machine: Vm, _: Mapping[str, bytes]) -> None:
        with contextlib.suppress(VmLost):
            Guest(machine.state.port).run(*words, seconds=1.0)

    return do


def signalled(number: signal.Signals) -> Callable[[Vm, Mapping[str, bytes]], object]:
    """Return what sends QEMU a signal."""
    return lambda machine, _: os.kill(machine.state.pid, number)


HARMS = {
    "panic": Harm(provoking("panic"), "panic", "Kernel panic", "provoke_panic"),
    "oops": Harm(provoking("null_read"), "null-dereference", "NULL pointer", "provoke_null_read"),
    "hang with interrupts off": Harm(provoking("hang_all"), "hang", "does not hear SysRq", evidence="busy"),
    "QEMU that crashes": Harm(signalled(signal.SIGSEGV), "died", "QEMU ended by signal 11 (Segmentation fault)"),
    "QEMU that exits": Harm(
        lambda machine, _: qmp.execute(machine.sockets / sockets.QMP, "quit"), "died", "the VM ended in the middle"
    ),
    "SSH that breaks off": Harm(telling("killall", "-9", "dropbear"), "died", "SSH", evidence="Show backtrace of all active CPUs"),
    "flood": Harm(provoking("flood"), "died", f"reached its limit of {vms.LONGEST_LOG >> 20} MiB", patience=4 * PATIENCE),
    "no memory in the guest": Harm(provoking("eat_memory"), "out-of-memory"),
}


@pytest.mark.parametrize(("name", "machine"), each_on_machines(HARMS))
def test_a_guest_in_trouble_is_a_finding_and_the_suite_goes_on(
    modules: dict[str, bytes], tmp_path: Path, machine: str, name: str
) -> None:
    harm = HARMS[name]
    rig = Rig(machine, tmp_path / "results", patience=harm.patience)
    harm.does(rig.vm(), modules)
    assert rig.wait() == ExitCode.FINDING, rig.output
    (finding,) = rig.run.findings()
    assert (finding.test, finding.trouble.kind) == (LONG, harm.kind)
    assert harm.title in finding.trouble.title
    assert harm.evidence in finding.evidence
    if harm.function:
        assert finding.trouble.function == harm.function
    assert outcomes(rig.run.results()) == HURT
    assert finding.trouble.title in rig.output
    assert len(list(rig.run.folder.glob("*.serial.log"))) == 2, "the log of the guest in trouble stays beside the fresh one's"
    is_whole(rig.run, finding)


@pytest.mark.parametrize("machine", machines(0))
def test_a_host_that_paused_accuses_no_kernel(built: Plan, tmp_path: Path, machine: str) -> None:
    rig = Rig(machine, tmp_path / "results")
    stopped = [rig.vm().state.pid, *map(int, _started_with(tmp_path))]
    for number, seconds in ((signal.SIGSTOP, 30.0), (signal.SIGCONT, 0.0)):
        for pid in stopped:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)
        time.sleep(seconds)
    # If the guest's CPU was idle, its clock went on. Its kernel may then report a stall, and the boot is made again.
    code = rig.wait()
    assert code == ExitCode.GOOD or (code == ExitCode.RIG_FAILED and "the host or QEMU stood still" in rig.output), rig.output
    assert rig.run.findings() == []
    assert code == ExitCode.GOOD or rig.again("test", "--resume") == ExitCode.GOOD, rig.output
    assert outcomes(rig.run.results()) == WHOLE
    is_whole(rig.run)


STOPS = {
    "killed QEMU": (signalled(signal.SIGKILL), "QEMU was killed, by somebody or by a host that ran out of memory"),
    "QEMU told to end": (signalled(signal.SIGTERM), "QEMU was killed, by somebody"),
    "stopped QEMU": (signalled(signal.SIGSTOP), "it is stopped, as by SIGSTOP"),
    "paused guest": (lambda machine, _: qmp.execute(machine.sockets / sockets.QMP, "stop"), "its state is 'paused'"),
}
"""what stops or ends a guest without its kernel's doing, and what the rig says of it"""


@pytest.mark.parametrize(("name", "machine"), each_on_machines(STOPS))
def test_a_guest_that_is_stopped_from_outside_accuses_no_kernel(built: Plan, tmp_path: Path, machine: str, name: str) -> None:
    stop, said = STOPS[name]
    rig = Rig(machine, tmp_path / "results")
    stop(rig.vm(), {})
    assert rig.wait() == ExitCode.RIG_FAILED, rig.output
    assert said in rig.output
    assert rig.run.findings() == []
    assert outcomes(rig.run.results()) == [(test, "error" if test == LONG else outcome) for test, outcome in WHOLE]


@pytest.mark.alone
@pytest.mark.parametrize("machine", machines(0))
def test_a_guest_that_panicked_can_be_debugged(modules: dict[str, bytes], tmp_path: Path, machine: str) -> None:
    rig = Rig(machine, tmp_path / "results", "--on-failure", "keep")
    provoking("panic")(rig.vm(), modules)
    try:
        assert rig.wait() == ExitCode.FINDING, rig.output
        (finding,) = rig.run.findings()
        assert f"`invoke gdb {machine} stock" in finding.left
        assert outcomes(rig.run.results()) == HURT
        assert rig.again("gdb", machine, "stock", "--command", "bt", "--command", "info line alloc_vmap_area") == 0
        assert "emergency_restart () at kernel/reboot.c" in rig.output
        assert "more recent than executable" not in rig.output
        assert 'of "mm/vmalloc.c" starts at address' in rig.output
    finally:
        rig.again("down")
    assert "1 taken down" in rig.output


@pytest.mark.parametrize("machine", machines(1))
def test_a_guest_that_panicked_leaves_its_memory(modules: dict[str, bytes], tmp_path: Path, machine: str) -> None:
    rig = Rig(machine, tmp_path / "results", "--on-failure", "core")
    provoking("panic")(rig.vm(), modules)
    assert rig.wait() == ExitCode.FINDING, rig.output
    (finding,) = rig.run.findings()
    (core,) = rig.run.folder.glob("*.core")
    assert f"drgn -c {core} " in finding.left
    with core.open("rb") as file:
        elf = ELFFile(file)
        notes = b"".join(segment.data() for segment in elf.iter_segments("PT_NOTE"))
        memory = sum(segment["p_filesz"] for segment in elf.iter_segments("PT_LOAD"))
    assert elf.header["e_type"] == "ET_CORE"
    assert b"VMCOREINFO\0" in notes
    assert memory >= matrix.load_machine(machine).qemu.memory << 20
    assert core.stat().st_blocks * 512 < memory / 4, "what the guest never used takes no room"
    core.unlink()


def outcomes(results: list[Result]) -> list[tuple[str, str]]:
    return [(result.test, result.outcome) for result in results]


def is_whole(run: Run, *findings: Finding) -> None:
    """Check that the run's folder holds what the records speak of, bounded, and pages without a guest's markup."""
    assert run.provenance().finished
    for finding in findings:
        log = (run.folder / finding.log).read_bytes()
        assert 0 < len(log) <= vms.LONGEST_LOG
        assert finding.trouble.last <= log.count(b"\n") + 1
        assert len(finding.trouble.text) < 1 << 18
    for page in ("report.html", "report.md", "junit.xml"):
        written = (run.folder / page).read_bytes()
        assert len(written) < 8 << 20
        assert b"\x1b" not in written
        assert b"<script>alert" not in written


@pytest.mark.parametrize("machine", machines(0))
def test_what_a_guest_prints_is_text(modules: dict[str, bytes], tmp_path: Path, machine: str) -> None:
    rig = Rig(machine, tmp_path / "results")
    provoking("escape")(rig.vm(), modules)
    assert rig.wait() == ExitCode.GOOD, rig.output
    assert rig.run.findings() == []
    assert outcomes(rig.run.results()) == WHOLE
    assert "\x1b" not in rig.output
    (log,) = rig.run.folder.glob("*.serial.log")
    assert b"\x1b]0;own" in log.read_bytes(), "the log itself is kept as it came"
    is_whole(rig.run)


@pytest.mark.parametrize("machine", machines(1))
def test_the_rig_may_be_killed_at_any_moment(tmp_path: Path, machine: str) -> None:
    interruptions = 0
    for number, seconds in enumerate((0.0, 0.4, 1.1, 2.3)):
        rig = Rig(machine, tmp_path / f"results{number}", loops=30)
        machine_ = rig.vm()
        time.sleep(seconds)
        rig.process.kill()
        rig.wait()
        ended_by = time.monotonic() + 10
        while machine_.running and time.monotonic() < ended_by:
            time.sleep(0.05)
        assert not machine_.running
        assert rig.again("status") == 0
        assert not machine_.folder.exists()
        if not rig.run.provenance().finished:
            interruptions += 1
            assert rig.again("test", "--resume") == ExitCode.GOOD, rig.output
            page = (rig.run.folder / "report.html").read_text()
            assert "This run was interrupted, and resumed at" in page
            assert "not complete" not in page
            assert len(rig.run.provenance().resumed) == 1
        assert outcomes(rig.run.results()) == WHOLE
        assert len(rig.run.samples()) == len({(s.test, s.repeat) for s in rig.run.samples()})
    assert interruptions


@pytest.mark.parametrize("machine", machines(0))
def test_a_cache_that_is_deleted_under_a_run_is_the_rigs_failure(tmp_path: Path, machine: str) -> None:
    rig = Rig(machine, tmp_path / "results")
    machine_ = rig.vm()
    shutil.rmtree(machine_.folder)
    assert rig.wait() == ExitCode.RIG_FAILED, rig.output
    process.kill(machine_.state.pid, machine_.state.started)
    assert "is gone; leave the cache alone" in rig.output
    assert rig.run.findings() == []
    assert rig.again("test", "--resume") == ExitCode.GOOD, rig.output
    assert outcomes(rig.run.results()) == WHOLE


@pytest.mark.alone
@pytest.mark.parametrize(("file", "machine"), each_on_machines(["image", "System.map"]))
def test_a_damaged_kernel_is_built_again(built: Plan, tmp_path: Path, machine: str, file: str) -> None:
    (of,) = [of for of in built.cells if of.cell.machine.name == machine]
    before = files.file_sha256(of.kernel.folder / file)
    with (of.kernel.folder / file).open("r+b") as damaged:
        damaged.truncate(1000)
    rig = Rig(machine, tmp_path / "results", loops=1, env={"RIG_SANDBOX": "auto"})
    assert rig.wait() == ExitCode.GOOD, rig.output
    assert files.file_sha256(of.kernel.folder / file) == before, "in a sandbox, where there is one, as without"


@pytest.mark.parametrize(("kilobytes", "machine"), each_on_machines([40, 100, 140]))
def test_a_full_disk_stops_the_run_which_goes_on_when_there_is_room(tmp_path: Path, machine: str, kilobytes: int) -> None:
    results, kept = tmp_path / "results", tmp_path / "kept"
    results.mkdir()
    script = 'mount -t tmpfs -o size=$1k tmpfs "$2" && shift 2 && { "$@"; code=$?; cp -a "$RIG_RESULTS" "$KEPT"; exit $code; }'
    wrapper = ("unshare", "--map-root-user", "--mount", "sh", "-c", script, "sh", str(kilobytes), str(results))
    if subprocess.run(("unshare", "--map-root-user", "--mount", "true"), check=False, capture_output=True).returncode:
        pytest.skip("NOT TESTED: a full disk takes a file system of the test's own, which this host does not let it make")
    rig = Rig(machine, results, loops=1, wrapper=wrapper, env={"KEPT": str(kept)})
    assert rig.wait() == ExitCode.RIG_FAILED, rig.output
    assert "No space left on device" in rig.output
    assert "Traceback" not in rig.output
    rig.results = kept
    if not list(kept.glob("*/run.json")):
        assert kilobytes == 40, "there is a run once it has begun"
        return
    failed = any(result.outcome == "error" for result in rig.run.results())
    again = "report" if rig.run.provenance().finished and not failed else "test --resume"
    assert f"`invoke {again} {rig.run.folder.name}`" in rig.output, "the rig has told what to do"
    assert rig.again(*again.split(), rig.run.folder.name) == ExitCode.GOOD, rig.output
    assert outcomes(rig.run.results()) == WHOLE
    is_whole(rig.run)


@pytest.mark.parametrize("machine", machines(1))
def test_two_rigs_at_once_keep_out_of_each_others_way(tmp_path: Path, machine: str) -> None:
    both = [Rig(machine, tmp_path / f"results{number}", loops=10) for number in range(2)]
    assert [rig.wait() for rig in both] == [ExitCode.GOOD] * 2, both[0].output + both[1].output
    for rig in both:
        assert outcomes(rig.run.results()) == WHOLE


@pytest.mark.alone
@pytest.mark.parametrize("machine", machines(0))
def test_a_vm_that_is_up_is_used_by_one_rig_alone(built: Plan, tmp_path: Path, machine: str) -> None:
    (of,) = [of for of in built.cells if of.cell.machine.name == machine]
    up = launch.start(vm_pool.booting(of, clock.Clock.ICOUNT, pauses=False), of.cell.name, keep=True)
    up.release()
    try:
        both = [Rig(machine, tmp_path / f"results{number}", loops=30) for number in range(2)]
        assert [rig.wait() for rig in both] == [ExitCode.GOOD] * 2, both[0].output + both[1].output
        assert up.console.log.read_text(errors="replace").count(f"start test={NEXT}") == 1
    finally:
        up.stop()


@pytest.mark.parametrize("machine", machines(1))
def test_a_port_that_is_taken_is_not_the_end(built: Plan, machine: str) -> None:
    (of,) = [of for of in built.cells if of.cell.machine.name == machine]
    taken = launch.start(vm_pool.booting(of, clock.Clock.ICOUNT, pauses=False), of.cell.name, keep=False)
    ports = iter([taken.state.port, taken.state.port, launch.free_port()])
    booting = vm_pool.booting(of, clock.Clock.ICOUNT, pauses=False)
    second = launch.start(booting, of.cell.name, keep=False, port=lambda: next(ports))
    assert second.state.port != taken.state.port
    second.stop()
    taken.stop()


@pytest.mark.parametrize("machine", machines(0))
def test_no_memory_for_a_vm_is_said(tmp_path: Path, machine: str) -> None:
    binary = matrix.load_machine(machine).qemu.binary
    wrapper = tmp_path / "bin" / binary
    wrapper.parent.mkdir()
    wrapper.write_text(f'#!/bin/sh\nexec prlimit --as=500000000 {shutil.which(binary)} "$@"\n')
    wrapper.chmod(0o755)
    rig = Rig(machine, tmp_path / "results", env={"PATH": f"{wrapper.parent}:{os.environ['PATH']}"})
    assert rig.wait() == ExitCode.RIG_FAILED, rig.output
    assert "Cannot allocate memory" in rig.output
    assert "Traceback" not in rig.output
    assert rig.again("test", "--resume") == ExitCode.GOOD, rig.output
    assert outcomes(rig.run.results()) == WHOLE


CLOCK = """\
import datetime, pathlib, time, types
from harness.model import records
now, file = time.time, pathlib.Path({file!r})
def back():
    return now() - float(file.read_text() or 0)
class Datetime(datetime.datetime):
    @classmethod
    def now(cls, tz=None):
        return cls.fromtimestamp(back(), tz)
time.time = back
records.datetime = types.SimpleNamespace(datetime=Datetime, UTC=datetime.UTC)
"""
"""a clock that is as many seconds behind as a file says, for all Python that is started with it as its sitecustomize"""


@pytest.mark.parametrize("machine", machines(1))
def test_a_clock_that_is_set_back_harms_nothing(tmp_path: Path, machine: str) -> None:
    behind = tmp_path / "behind"
    behind.write_text("0")
    (tmp_path / "sitecustomize.py").write_text(CLOCK.format(file=str(behind)))
    rig = Rig(machine, tmp_path / "results", loops=30, env={"PYTHONPATH": f"{tmp_path}:{paths.PROJECT}"})
    rig.vm()
    behind.write_text("300000")
    assert rig.wait() == ExitCode.GOOD, rig.output
    assert outcomes(rig.run.results()) == WHOLE
    assert rig.run.provenance().finished < rig.run.provenance().started
    is_whole(rig.run)
