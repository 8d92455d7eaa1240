# SPDX-License-Identifier: GPL-2.0-only
"""The VMs of a suite, with machines and guests that are not there."""

from __future__ import annotations

import gzip
import shutil
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest

from harness.errors import Mismatch, VmLost
from harness.model import catalog
from harness.model.clock import Clock
from harness.model.matrix import Base
from harness.model.records import Booted
from harness.suite import vm_pool as labs
from harness.suite.plan import Plan, Session, Step
from harness.suite.vm_pool import Hosting, Lab, Pause
from harness.vm import launch
from harness.vm.vm_time import StoodStill
from harness.vm.vms import GuestDied
from tests.support import make
from tests.support.times import RealTime


class FakeVm:
    """A machine that says something on its console."""

    def __init__(self, folder: Path, owner: int) -> None:
        self.folder = folder
        self.alive = True
        self.pace = 1.0
        self.time = RealTime()
        self.released = self.stopped = self.used = False
        folder.mkdir()
        self.state = SimpleNamespace(owner=owner, port=1, clock=Clock.ICOUNT, kept="")
        self.console = type("Console", (), {"log": folder / "serial.log", "line": 1, "rest": lambda _: "last words"})()
        self.console.log.write_text(f"said by {folder.name}")

    def stop(self) -> None:
        self.alive = False
        self.stopped = True

    def release(self) -> None:
        self.released = True

    def use(self) -> None:
        self.used = True

    def keep(self, test: str) -> None:
        self.state.owner, self.state.kept = 0, test

    @property
    def running(self) -> bool:
        return not self.stopped

    def ended(self, what: str) -> str:
        return what if self.stopped else f"{what}: killed"


class Hosts:
    """Starts machines, and remembers them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.started: list[FakeVm] = []
        self.kept: list[bool] = []
        self.up: FakeVm | None = None
        self.unused: list[bool] = []
        self.gone: list[tuple[str, Clock]] = []
        self.clocksource = "tsc"

    def start(self, boot: object, cell: str, *, keep: bool, ask: launch.Ask) -> FakeVm:
        self.kept.append(keep)
        self.started.append(FakeVm(self.folder / f"vm{len(self.started)}", 0 if keep else 7))
        return self.started[-1]

    def find(self, cell: str, boot: object, *, unused: bool) -> FakeVm | None:
        self.unused.append(unused)
        return self.up

    def make_way(self, cell: str, clock: Clock) -> None:
        self.gone.append((cell, clock))

    def lab(self, tmp_path: Path, *, prove: Any = None, running: Any = lambda: iter(()), connect: Any = None, **other: Any) -> Lab:
        """Return a lab whose VMs are these."""
        connect = connect or (lambda *_: FakeGuest(self.clocksource))
        fakes: Any = {"start": self.start, "find": self.find, "make_way": self.make_way, "connect": connect}
        hosting = Hosting(**fakes, running=running, prove=prove or proven)
        return Lab(tmp_path / "run", **{"keep": False, "hosting": hosting, **other})


class FakeGuest:
    """A guest that has the module put into it, and tells its clock."""

    def __init__(self, clocksource: str) -> None:
        self.clocksource = clocksource
        self.files: dict[str, bytes] = {}

    def put(self, data: bytes, path: str) -> None:
        self.files[path] = data

    def run(self, *words: str) -> str:
        return f"{self.clocksource}\n"

    def close(self) -> None:
        pass


@pytest.fixture
def hosts(tmp_path: Path) -> Hosts:
    return Hosts(tmp_path)


@pytest.fixture
def made(base: Base, tmp_path: Path) -> Plan:
    planned = make.plan(base, boots=3)
    (built,) = planned.cells
    (tmp_path / "m.ko").write_bytes(b"first")
    (tmp_path / "vmalloc_second.ko").write_bytes(b"second")
    kernel = msgspec.structs.replace(built.kernel, module=tmp_path / "m.ko")
    return msgspec.structs.replace(planned, cells=(msgspec.structs.replace(built, kernel=kernel),))


def proven(_: object, session: Session, machine: object, boot: object, module: str) -> Booted:
    """Stand for a guest that runs what it should."""
    assert module == labs.MODULE
    return make.booted(boot=session.boot)


class Suspicious:
    """Finds that machines of these folders run something else."""

    def __init__(self, *names: str) -> None:
        self.names = names

    def __call__(self, guest: object, session: Session, machine: Any, boot: object, module: str) -> Booted:
        if machine.folder.name in self.names:
            raise Mismatch(f"{machine.folder.name} runs another kernel")
        return proven(guest, session, machine, boot, module)


def test_boots_that_proved_what_they_run_are_told_once(hosts: Hosts, made: Plan, tmp_path: Path) -> None:
    used = hosts.lab(tmp_path)
    for session in made.sessions[:2]:
        used.station(session)
        used.station(session)
    assert [booted.boot for booted in used.booted()] == [0, 1]
    assert used.booted() == ()
    used.close()


def test_a_guest_that_runs_something_else_is_refused_and_not_booted_again(hosts: Hosts, made: Plan, tmp_path: Path) -> None:
    used = hosts.lab(tmp_path, prove=Suspicious("vm0"))
    for _ in range(2):
        with pytest.raises(Mismatch, match="vm0 runs another kernel"):
            used.station(made.sessions[0])
    assert [machine.stopped for machine in hosts.started] == [True]
    assert used.booted() == ()
    assert used.station(made.sessions[1]).vm is hosts.started[1]  # type: ignore[comparison-overlap]
    used.close()


def test_a_vm_that_was_left_up_and_runs_something_else_is_replaced(hosts: Hosts, made: Plan, tmp_path: Path) -> None:
    hosts.up = FakeVm(tmp_path / "up", 0)
    used = hosts.lab(tmp_path, prove=Suspicious("up"))
    assert used.station(made.sessions[0]).vm is hosts.started[0]  # type: ignore[comparison-overlap]
    assert hosts.up.stopped
    used.close()


def test_a_guest_has_both_modules(hosts: Hosts, made: Plan, tmp_path: Path) -> None:
    used = hosts.lab(tmp_path)
    guest: Any = used.station(made.sessions[0]).guest
    assert guest.files == {"/vmalloc_test.ko": b"first", "/vmalloc_second.ko": b"second"}
    used.close()


def test_a_foreign_module_comes_alone(hosts: Hosts, made: Plan, tmp_path: Path) -> None:
    used = hosts.lab(tmp_path)
    (built,) = made.cells
    (tmp_path / "vmalloc_second.ko").unlink()
    kernel = msgspec.structs.replace(built.kernel, foreign=True)
    cells = (msgspec.structs.replace(built, kernel=kernel),)
    guest: Any = used.station(msgspec.structs.replace(made, cells=cells).sessions[0]).guest
    assert guest.files == {"/vmalloc_test.ko": b"first"}
    used.close()


def test_a_boot_ends_when_the_next_begins(hosts: Hosts, made: Plan, tmp_path: Path) -> None:
    used = hosts.lab(tmp_path)
    stations = [used.station(session) for session in made.sessions]
    assert used.station(made.sessions[2]) is stations[2]
    assert [machine.alive for machine in hosts.started] == [False, False, True]
    used.close()
    assert not hosts.started[2].alive
    assert [(tmp_path / "run" / s.log_name).read_text() for s in stations] == ["said by vm0", "said by vm1", "said by vm2"]


def test_only_the_first_boot_is_kept_up(hosts: Hosts, made: Plan, tmp_path: Path) -> None:
    used = hosts.lab(tmp_path, keep=True)
    for session in made.sessions:
        used.station(session)
    used.close()
    assert hosts.kept == [True, False, False]
    assert [machine.alive for machine in hosts.started] == [True, False, False]


def test_only_the_first_boot_uses_what_is_up(hosts: Hosts, made: Plan, tmp_path: Path) -> None:
    hosts.up = FakeVm(tmp_path / "up", 0)
    used = hosts.lab(tmp_path)
    assert used.station(made.sessions[0]).vm is hosts.up  # type: ignore[comparison-overlap]
    assert used.station(made.sessions[1]).vm is hosts.started[0]  # type: ignore[comparison-overlap]
    used.close()
    assert hosts.up.alive
    assert hosts.up.released, "another rig may have it now"


def test_what_is_timed_wants_a_vm_that_was_not_used(hosts: Hosts, made: Plan, tmp_path: Path) -> None:
    lab = hosts.lab(tmp_path)
    timed = made.sessions[0]
    lab.station(timed)
    lab.station(msgspec.structs.replace(timed, clock=Clock.WALL, steps=(Step(catalog.suite().tests[-1]),)))
    assert hosts.unused == [True, False]
    assert all(vm.used for vm in hosts.started)


def test_a_vm_that_stays_up_takes_the_place_of_an_older_one(hosts: Hosts, made: Plan, tmp_path: Path) -> None:
    first, second = made.sessions[:2]
    lab = hosts.lab(tmp_path, keep=True)
    lab.station(first)
    assert hosts.gone == [(first.built.cell.name, first.clock)]
    lab.station(second)
    assert len(hosts.gone) == 1, "the second boot does not stay up"
    hosts.up = hosts.started[0]
    hosts.lab(tmp_path, keep=True).station(first)
    assert len(hosts.gone) == 1, "the one that is up is used"


def test_a_machine_that_ended_is_evidence_and_is_booted_afresh(hosts: Hosts, made: Plan, tmp_path: Path) -> None:
    used = hosts.lab(tmp_path)
    first = used.station(made.sessions[0])
    hosts.started[0].alive = False
    with pytest.raises(GuestDied, match=r"the VM ended between two tests: killed\.") as caught:
        used.station(made.sessions[0])
    assert caught.value.log == "last words"
    second = used.station(made.sessions[0])
    assert (first.log_name, second.log_name) == (
        "x86_64-stock-perf-icount-0.serial.log",
        "x86_64-stock-perf-icount-0.1.serial.log",
    )
    used.close()


def test_a_log_is_there_before_the_machine_ends(hosts: Hosts, made: Plan, tmp_path: Path) -> None:
    used = hosts.lab(tmp_path)
    station = used.station(made.sessions[0])
    kept = tmp_path / "run" / station.log_name
    assert kept.read_text() == "", "its name is taken, so that no later boot gets it"
    station.keep()
    assert kept.read_text() == "said by vm0"
    used.close()


def test_a_clock_that_only_ticks_is_the_rigs_failure(hosts: Hosts, made: Plan, tmp_path: Path) -> None:
    hosts.clocksource = "refined-jiffies"
    used = hosts.lab(tmp_path)
    with pytest.raises(VmLost, match="refined-jiffies") as caught:
        used.station(made.sessions[0])
    assert not isinstance(caught.value, GuestDied)
    assert not hosts.started[0].alive


def test_sessions_have_names_of_their_own(made: Plan) -> None:
    whole = msgspec.structs.replace(made, tests=catalog.choose("all"))
    assert len({session.name for session in whole.sessions}) == len(whole.sessions) == 5


def test_a_vm_can_be_kept_as_it_is(hosts: Hosts, made: Plan, tmp_path: Path) -> None:
    used = hosts.lab(tmp_path, pauses=True)
    used.station(made.sessions[0])
    left = used.leave(made.sessions[0], "le_fit_alloc_test", "keep")
    assert "`invoke gdb x86_64 stock --profile perf --clock icount`" in left
    assert hosts.started[0].alive
    assert hosts.started[0].state.kept == "le_fit_alloc_test"
    assert used.station(made.sessions[0]).vm is hosts.started[1]  # type: ignore[comparison-overlap]
    used.close()
    assert hosts.started[0].alive
    assert not hosts.started[1].alive


def test_one_vm_of_a_cell_is_kept(hosts: Hosts, made: Plan, tmp_path: Path) -> None:
    kept = type("Up", (), {"state": type("State", (), {"kept": "a test", "cell": "x86_64/stock/perf"})})
    used = hosts.lab(tmp_path, running=lambda: iter([kept]), pauses=True)
    used.station(made.sessions[0])
    assert used.leave(made.sessions[0], "le_fit_alloc_test", "keep").startswith("nothing: a VM of x86_64/stock/perf")
    assert not hosts.started[0].alive


def test_a_core_that_would_fill_the_disk_is_not_written(
    hosts: Hosts, made: Plan, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: type("Usage", (), {"free": 1 << 30}))
    used = hosts.lab(tmp_path, pauses=True)
    used.station(made.sessions[0])
    left = used.leave(made.sessions[0], "le_fit_alloc_test", "core")
    assert left == f"no core: {tmp_path / 'run'} has 1024 MiB left, which its memory of 1024 MiB, written twice, would fill"
    assert not hosts.started[0].alive


@pytest.mark.parametrize("how", ["keep", "core"])
def test_nothing_is_left_of_a_vm_whose_qemu_has_ended(hosts: Hosts, made: Plan, tmp_path: Path, how: str) -> None:
    used = hosts.lab(tmp_path, pauses=True)
    used.station(made.sessions[0])
    hosts.started[0].stop()
    assert used.leave(made.sessions[0], "le_fit_alloc_test", how) == "nothing: its QEMU has ended"
    assert hosts.started[0].state.kept == ""


def test_a_vm_whose_module_is_gone_does_not_stay(hosts: Hosts, made: Plan, tmp_path: Path) -> None:
    (tmp_path / "m.ko").unlink()
    with pytest.raises(FileNotFoundError):
        hosts.lab(tmp_path).station(made.sessions[0])
    assert hosts.started[0].stopped


@pytest.mark.parametrize("killed", [True, False])
def test_a_guest_that_cannot_be_reached_because_qemu_was_killed_has_not_died(
    hosts: Hosts, made: Plan, tmp_path: Path, killed: bool
) -> None:
    def ended(what: str) -> str:
        if killed:
            raise VmLost("QEMU was killed")
        return f"{what} QEMU ended by signal 11"

    def connect(*_: object) -> None:
        hosts.started[0].alive = False
        hosts.started[0].ended = ended  # type: ignore[method-assign]
        raise VmLost("The guest does not answer SSH.")

    with pytest.raises(VmLost, match="QEMU was killed" if killed else "does not answer SSH. QEMU ended by signal 11") as caught:
        hosts.lab(tmp_path, connect=connect).station(made.sessions[0])
    assert isinstance(caught.value, GuestDied) is not killed
    assert hosts.started[0].stopped


def test_a_guest_that_cannot_be_reached_because_qemu_is_stopped_has_not_died(hosts: Hosts, made: Plan, tmp_path: Path) -> None:
    def connect(*_: object) -> None:
        raise StoodStill("QEMU is stopped")

    with pytest.raises(StoodStill) as caught:
        hosts.lab(tmp_path, connect=connect).station(made.sessions[0])
    assert not isinstance(caught.value, GuestDied)
    assert hosts.started[0].stopped


def test_a_pause_is_told_in_its_step_and_the_next(hosts: Hosts, made: Plan, tmp_path: Path) -> None:
    station = hosts.lab(tmp_path).station(made.sessions[0])
    hosts.started[0].time.stood = 30.0
    assert [station.stood_still() for _ in range(3)] == [Pause(30.0, 30.0), Pause(0.0, 30.0), Pause(0.0, 0.0)]


class Part:
    """The console of a guest that has said a lot."""

    size = 100

    def __init__(self, log: Path) -> None:
        self.log = log
        self.forgot = 0

    def taken(self) -> bytes:
        return self.log.read_bytes()

    def forget(self) -> None:
        self.forgot += 1


def talkative(tmp_path: Path, hosts: Hosts, made: Plan, answer: Callable[[], AbstractContextManager[None]]) -> tuple[Lab, Part]:
    """Return a lab with a VM whose console has 100 bytes, and whose QEMU does `answer` when it is to stand still."""
    made_lab = hosts.lab(tmp_path)
    station = made_lab.station(made.sessions[0])
    said = hosts.started[0].console = Part(station.vm.console.log)
    hosts.started[0].standing_still = answer  # type: ignore[attr-defined]
    return made_lab, said


def test_a_log_that_has_become_long_goes_on_in_a_further_part(tmp_path: Path, hosts: Hosts, made: Plan) -> None:
    (session, *_) = made.sessions
    one, said = talkative(tmp_path, hosts, made, nullcontext)
    first = one.last_log(session)
    one.turn(session, 101)
    assert (one.last_log(session), said.forgot) == (first, 0)
    one.turn(session, 100)
    assert (one.last_log(session) != first, said.forgot) == (True, 1)
    assert gzip.decompress((tmp_path / "run" / f"{first}.gz").read_bytes()) == b"said by vm0"
    assert not (tmp_path / "run" / first).exists()


def test_a_vm_that_ended_before_its_log_was_cut_is_told_of_by_its_next_test(tmp_path: Path, hosts: Hosts, made: Plan) -> None:
    (session, *_) = made.sessions

    @contextmanager
    def nobody() -> Iterator[None]:
        hosts.started[0].alive, hosts.started[0].stopped = False, True
        raise VmLost("nobody answers")
        yield

    one, said = talkative(tmp_path, hosts, made, nobody)
    first = one.last_log(session)
    one.turn(session, 100)
    assert (one.last_log(session), said.forgot) == (first, 0)
    assert [file.name for file in (tmp_path / "run").glob("*.serial.log*")] == [first]


def test_a_qemu_that_does_not_answer_is_said_so(tmp_path: Path, hosts: Hosts, made: Plan) -> None:
    (session, *_) = made.sessions

    @contextmanager
    def nobody() -> Iterator[None]:
        raise VmLost("nobody answers")
        yield

    one, _ = talkative(tmp_path, hosts, made, nobody)
    with pytest.raises(VmLost, match="nobody answers"):
        one.turn(session, 100)
