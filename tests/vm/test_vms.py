# SPDX-License-Identifier: GPL-2.0-only
"""Virtual machines that start, end, and are swept away, with a small program in the place of QEMU."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pytest

from harness import paths
from harness.build import rootfs
from harness.errors import VmLost
from harness.host import process
from harness.model.clock import Clock
from harness.model.matrix import Qemu
from harness.vm import launch, vm_time, vms
from harness.vm.qemu_args import Boot
from harness.vm.vm_time import VmTime
from harness.vm.vms import GuestDied, State
from tests.support import make

DEAD = 2**22 + 1
"""a pid that Linux does not give"""

Sleeper = Callable[[], subprocess.Popen[bytes]]


def wait_for(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + 2
    while not condition() and time.monotonic() < end:
        time.sleep(0.01)
    assert condition()


@pytest.fixture
def sleeper() -> Iterator[Sleeper]:
    """Starts processes that stand for QEMU, and ends them."""
    made: list[subprocess.Popen[bytes]] = []

    def start() -> subprocess.Popen[bytes]:
        made.append(subprocess.Popen(("sleep", "60")))
        return made[-1]

    yield start
    for qemu in made:
        qemu.kill()
        qemu.wait()


def folder(cache: Path, name: str, pid: int, owner: int, **other: object) -> Path:
    """Make the folder of a VM."""
    started = (process.start_time(pid), process.start_time(owner) or 1)
    state = State("x86_64/stock/perf", Clock.ICOUNT, "key", pid, started[0], owner, started[1], 2222, "tcg", ("qemu",))
    made = cache / "vms" / name
    made.mkdir(parents=True)
    (made / "state.json").write_bytes(msgspec.json.encode(msgspec.structs.replace(state, **other)))
    return made


def test_nothing_to_sweep(cache: Path) -> None:
    assert vms.sweep() == 0
    assert list(vms.running()) == []


def test_the_folder_of_a_dead_vm_is_swept(cache: Path) -> None:
    left = folder(cache, "vm-1", DEAD, 0, started=12345)
    assert vms.sweep() == 1
    assert not left.exists()


def test_an_orphan_is_killed(cache: Path, sleeper: Sleeper) -> None:
    qemu = sleeper()
    left = folder(cache, "vm-1", qemu.pid, DEAD)
    assert vms.sweep() == 1
    assert qemu.wait(5) == -signal.SIGKILL
    assert not left.exists()


def test_one_that_was_left_up_on_purpose_is_not_touched(cache: Path, sleeper: Sleeper) -> None:
    qemu = sleeper()
    left = folder(cache, "vm-1", qemu.pid, 0)
    assert vms.sweep() == 0
    assert qemu.poll() is None
    assert (left / "state.json").exists()
    assert [machine.folder for machine in vms.running()] == [left]


def test_one_of_a_rig_that_lives_is_not_touched(cache: Path, sleeper: Sleeper) -> None:
    qemu = sleeper()
    left = folder(cache, "vm-1", qemu.pid, os.getpid())
    assert vms.sweep() == 0
    assert qemu.poll() is None
    assert left.exists()
    assert list(vms.running()) == [], "it was not left up on purpose"


def test_a_stranger_with_the_same_pid_is_not_killed(cache: Path, sleeper: Sleeper) -> None:
    qemu = sleeper()
    left = folder(cache, "vm-1", qemu.pid, DEAD, started=process.start_time(qemu.pid) + 1)
    vms.sweep()
    assert qemu.poll() is None
    assert not left.exists()


@pytest.mark.parametrize("content", [None, b"", b"{}", b"\xff"], ids=repr)
def test_a_folder_without_a_state_is_swept_once_it_is_old(cache: Path, content: bytes | None) -> None:
    made = cache / "vms/vm-1"
    made.mkdir(parents=True)
    if content is not None:
        (made / "state.json").write_bytes(content)
    vms.sweep()
    assert made.exists(), "another rig may just be making it"
    os.utime(made, (0, 0))
    vms.sweep()
    assert not made.exists()


def test_a_vm_is_found_by_cell_and_by_all_that_it_was_booted_with(cache: Path, sleeper: Sleeper) -> None:
    boot = make.boot()
    larger = msgspec.structs.replace(boot, machine=msgspec.structs.replace(boot.machine, qemu=more_memory(boot)))
    other = msgspec.structs.replace(boot, kernel=Path("/other/image"))
    up = folder(cache, "vm-1", sleeper().pid, 0, identity=vms.identity(boot))
    folder(cache, "vm-2", sleeper().pid, DEAD, identity=vms.identity(other))
    found = vms.find("x86_64/stock/perf", msgspec.structs.replace(boot, port=4711))
    assert found
    assert found.folder == up
    assert vms.find("x86_64/stock/perf", msgspec.structs.replace(boot, clock=Clock.WALL)) is None
    assert vms.find("x86_64/mine/perf", boot) is None
    assert vms.find("x86_64/stock/perf", larger) is None
    assert vms.find("x86_64/stock/perf", other) is None, "it is another rig's"


def test_a_vm_in_which_tests_ran_is_not_found_where_an_unused_one_is_wanted(cache: Path, sleeper: Sleeper) -> None:
    boot = make.boot()
    folder(cache, "vm-1", sleeper().pid, 0, identity=vms.identity(boot))
    first = vms.find("x86_64/stock/perf", boot, unused=True)
    assert first
    first.use()
    first.release()
    assert vms.find("x86_64/stock/perf", boot, unused=True) is None
    assert vms.find("x86_64/stock/perf", boot)


def test_a_vm_makes_way_for_another_of_its_cell_and_clock(cache: Path, sleeper: Sleeper) -> None:
    folder(cache, "vm-1", sleeper().pid, 0)
    used = next(vms.running())
    used.claim()
    vms.make_way("x86_64/stock/perf", Clock.ICOUNT)
    assert used.running, "a rig uses it"
    used.release()
    for spared in (folder(cache, "vm-2", sleeper().pid, 0, kept="a test"), folder(cache, "vm-3", sleeper().pid, 0, cell="other")):
        vms.make_way("x86_64/stock/perf", Clock.WALL)
        vms.make_way("x86_64/stock/perf", Clock.ICOUNT)
        assert spared.exists()
    assert not used.folder.exists()


def more_memory(boot: Boot) -> Qemu:
    return msgspec.structs.replace(boot.machine.qemu, memory=boot.machine.qemu.memory * 2)


def test_a_dead_vm_is_its_living_owners_to_read(cache: Path) -> None:
    left = folder(cache, "vm-1", DEAD, os.getpid())
    assert vms.sweep() == 0
    assert left.exists()


@pytest.fixture
def pids(tmp_path: Path) -> Iterator[Path]:
    """Where the programs that stand for QEMU note their pids; what is left of them is ended."""
    file = tmp_path / "pids"
    yield file
    for pid in file.read_text().split() if file.exists() else ():
        with contextlib.suppress(ProcessLookupError):
            os.kill(int(pid), signal.SIGKILL)


Fake = Callable[[str], Boot]


@pytest.fixture
def fake(tmp_path: Path, pids: Path) -> Fake:
    """Makes a boot whose QEMU is a shell script; see `make.fake_qemu`."""
    return lambda body: make.boot(machine=make.fake_qemu(tmp_path, body))


@pytest.mark.parametrize("keep", [True, False])
def test_a_vm_is_up_when_its_guest_says_so(cache: Path, fake: Fake, keep: bool) -> None:
    boot = fake(f'touch "$qmp"; echo "{rootfs.READY}" > "$log"; exec sleep 60')
    made = launch.start(boot, "cell", keep=keep)
    assert made.alive
    assert made.state.boot_seconds > 0
    assert [machine.state for machine in vms.running()] == ([made.state] if keep else [])
    wanted = msgspec.structs.replace(boot, port=0)
    assert vms.find("cell", wanted) is None, "whoever booted it has it until it is released"
    made.release()
    assert (found := vms.find("cell", wanted))
    assert found.state == made.state
    assert vms.find("cell", wanted) is None, "two rigs must not use the same VM"
    os.kill(made.state.pid, signal.SIGKILL)
    wait_for(lambda: not made.alive)
    made.stop()
    assert not made.folder.exists()


def test_a_guest_that_dies_leaves_its_last_words_but_no_folder(cache: Path, fake: Fake) -> None:
    with pytest.raises(GuestDied, match="cell: the guest ended while it booted") as caught:
        launch.start(
            fake('echo "Kernel panic - not" > "$log"; printf syncing >> "$log"; touch "$qmp"; sleep 0.5'), "cell", keep=False
        )
    assert caught.value.log == "Kernel panic - not\nsyncing"
    assert list((cache / "vms").iterdir()) == []


def test_a_guest_that_is_never_ready_is_ended(cache: Path, fake: Fake, pids: Path) -> None:
    with pytest.raises(GuestDied, match="the guest was not ready"):
        launch.start(fake('echo hello > "$log"; touch "$qmp"; exec sleep 60'), "cell", keep=True, seconds=1.0)
    wait_for(lambda: process.start_time(int(pids.read_text())) == 0)
    assert list((cache / "vms").iterdir()) == []


def test_a_guest_that_had_hardly_any_cpu_has_not_died(fake: Fake, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(VmTime, "lost", property(lambda self: 100.0 * self.ran))
    with pytest.raises(VmLost, match=r"not ready 1 s after its start, but for \d+ s, most of the time, the host") as caught:
        launch.start(fake('echo hello > "$log"; touch "$qmp"; exec sleep 60'), "cell", keep=True, seconds=1.0)
    assert not isinstance(caught.value, GuestDied)


def test_qemu_that_does_not_start_is_quoted(cache: Path, fake: Fake, pids: Path) -> None:
    with pytest.raises(VmLost) as caught:
        launch.start(fake("echo one >&2; echo 'qemu: no such CPU' >&2; exit 1"), "cell", keep=False)
    assert "cell: " in str(caught.value)
    assert "did not start: qemu: no such CPU" in str(caught.value)
    assert len(pids.read_text().split()) == 1
    assert list((cache / "vms").iterdir()) == []


def test_a_port_that_somebody_else_took_is_not_the_end(fake: Fake, pids: Path) -> None:
    body = '[ $(wc -l < "$pids") -gt 2 ] || { echo "Could not set up host forwarding rule" >&2; exit 1; }\n'
    made = launch.start(fake(body + f'touch "$qmp"; echo "{rootfs.READY}" > "$log"; exec sleep 60'), "cell", keep=False)
    assert made.alive
    assert len(pids.read_text().split()) == 3
    made.stop()


def test_missing_qemu_is_named_with_what_to_do(cache: Path) -> None:
    with pytest.raises(VmLost, match=r"no-such-qemu.*\./bootstrap installs"):
        launch.start(make.boot(machine=make.machine_with("no-such-qemu")), "cell", keep=True)
    with pytest.raises(VmLost, match="no-such-qemu"):
        launch.start(make.boot(machine=make.machine_with("no-such-qemu")), "cell", keep=False)
    assert list((cache / "vms").glob("*")) == []


def test_an_interrupted_start_leaves_no_qemu(cache: Path, fake: Fake, pids: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sleep = time.sleep

    def interrupt(seconds: float) -> None:
        monkeypatch.setattr(time, "sleep", sleep)
        wait_for(pids.exists)
        raise KeyboardInterrupt

    boot = fake("exec sleep 60")
    monkeypatch.setattr(time, "sleep", interrupt)
    with pytest.raises(KeyboardInterrupt):
        launch.start(boot, "cell", keep=True)
    wait_for(lambda: process.start_time(int(pids.read_text())) == 0)
    assert list((cache / "vms").iterdir()) == []


def test_a_guest_that_says_nothing_is_ended(cache: Path, fake: Fake, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(launch, "_SILENT_SECONDS", 0.3)
    with pytest.raises(GuestDied, match=r"cell: .*nothing for 0 s"):
        launch.start(fake('touch "$qmp"; exec sleep 60'), "cell", keep=False)
    assert list((cache / "vms").iterdir()) == []


def test_a_guest_whose_qemu_is_stopped_for_a_while_is_not_ended(fake: Fake, pids: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(launch, "_SILENT_SECONDS", 1.0)
    boot = fake(f'touch "$qmp"; echo hello > "$log"; kill -STOP $$; echo "{rootfs.READY}" >> "$log"; exec sleep 60')

    def go_on() -> None:
        wait_for(lambda: pids.exists() and process.stopped(int(pids.read_text())))
        time.sleep(2.5)
        os.kill(int(pids.read_text()), signal.SIGCONT)

    later = threading.Thread(target=go_on)
    later.start()
    made = launch.start(boot, "cell", keep=False)
    later.join()
    assert made.alive
    assert made.time.stood > 1.0
    made.stop()


def test_a_guest_whose_qemu_stays_stopped_has_not_died(cache: Path, fake: Fake, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vm_time, "_LONGEST", 0.5)
    with pytest.raises(VmLost, match="it is stopped, as by SIGSTOP") as caught:
        launch.start(fake('touch "$qmp"; echo hello > "$log"; kill -STOP $$'), "cell", keep=False)
    assert not isinstance(caught.value, GuestDied)
    assert list((cache / "vms").iterdir()) == []


@pytest.fixture
def deep(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache folder with a path that is too long for a socket below it."""
    monkeypatch.setenv("RIG_CACHE", str(tmp_path / ("deep-" * 20)))
    return paths.cache()


def test_the_path_of_the_cache_may_be_long_and_nothing_of_a_vm_is_left(deep: Path, fake: Fake) -> None:
    made = launch.start(fake(f'touch "$qmp"; echo "{rootfs.READY}" > "$log"; exec sleep 60'), "cell", keep=False)
    assert (made.sockets / "qmp").exists(), "QEMU was told where"
    assert len(str(made.sockets / "serial")) <= 107
    assert next(vms.every()).sockets == made.sockets, "others find it"
    made.stop()
    assert not made.sockets.exists()
    assert list((deep / "vms").iterdir()) == []


def test_the_sockets_of_a_vm_are_swept_even_if_its_folder_is_gone_by_then(cache: Path, fake: Fake) -> None:
    body = f'touch "$qmp"; echo "{rootfs.READY}" > "$log"; exec sleep 60'
    swept, gone = (launch.start(fake(body), "cell", keep=True) for _ in range(2))
    for made in (swept, gone):
        os.kill(made.state.pid, signal.SIGKILL)
    wait_for(lambda: not swept.running and not gone.running)
    shutil.rmtree(gone.folder)
    gone.stop()
    swept.release()
    assert vms.sweep() == 1
    assert not swept.sockets.exists()
    assert not gone.sockets.exists()


def test_a_guest_that_floods_its_console_is_ended_and_that_is_said(fake: Fake, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vms, "LONGEST_LOG", 100_000)
    with pytest.raises(GuestDied, match="reached its limit") as caught:
        launch.start(fake("trap '' XFSZ; " + 'touch "$qmp"; yes > "$log"; exec sleep 60'), "cell", keep=False)
    assert len(caught.value.log) == 100_000


def test_how_qemu_ended_is_told(fake: Fake) -> None:
    made = launch.start(fake(f'touch "$qmp"; echo "{rootfs.READY}" > "$log"; exec sleep 60'), "cell", keep=False)
    assert made.ended("it ended") == "it ended"
    os.kill(made.state.pid, signal.SIGSEGV)
    wait_for(lambda: not made.alive)
    assert made.ended("it ended") == "it ended: QEMU ended by signal 11 (Segmentation fault)"
    made.stop()


_TOLD_TO_END = """trap 'echo "qemu: terminating on signal 15 from pid 1 (kill)" >&2; exit 0' TERM; while :; do sleep 0.05; done"""


@pytest.mark.parametrize(("number", "qemu"), [(signal.SIGKILL, "exec sleep 60"), (signal.SIGTERM, _TOLD_TO_END)])
def test_a_qemu_that_somebody_killed_accuses_no_kernel(fake: Fake, number: signal.Signals, qemu: str) -> None:
    made = launch.start(fake(f'touch "$qmp"; echo "{rootfs.READY}" > "$log"; {qemu}'), "cell", keep=False)
    os.kill(made.state.pid, number)
    wait_for(lambda: not made.alive)
    with pytest.raises(VmLost, match=r"cell: QEMU was killed, .* Its kernel cannot be judged: test it again"):
        made.ended("it ended")
    made.stop()


@pytest.mark.parametrize("itself", [True, False])
def test_a_qemu_of_another_process_was_killed_if_it_left_its_pid_file(cache: Path, itself: bool) -> None:
    left = folder(cache, "vm-1", DEAD, 0, started=12345)
    (left / "pid").write_text(f"{DEAD}\n")
    if itself:
        (left / "pid").unlink()  # as QEMU does when its guest ends
    found = vms.Vm(left, msgspec.json.decode((left / "state.json").read_bytes(), type=State))
    if itself:
        assert found.ended("it ended") == "it ended"
        return
    with pytest.raises(VmLost, match="QEMU was killed"):
        found.ended("it ended")


def test_a_qemu_that_gives_up_for_want_of_threads_accuses_no_kernel(fake: Fake) -> None:
    said = "qemu: qemu_thread_create: Resource temporarily unavailable"
    made = launch.start(
        fake(f'touch "$qmp"; echo "{rootfs.READY}" > "$log"; sleep 0.5; echo "{said}" >&2; kill -ABRT $$'), "cell", keep=False
    )
    wait_for(lambda: not made.alive)
    with pytest.raises(VmLost, match=f"cell: QEMU gave up, .*{said}; this user .*test it again"):
        made.ended("it ended")
    made.stop()


def test_what_a_qemu_warned_of_before_its_guest_ended_accuses_no_host(fake: Fake) -> None:
    body = f'touch "$qmp"; echo "{rootfs.READY}" > "$log"; echo "warning: Cannot allocate memory" >&2; sleep 0.5; exit 0'
    made = launch.start(fake(body), "cell", keep=False)
    wait_for(lambda: not made.alive)
    assert made.ended("it ended") == "it ended"
    made.stop()


def test_a_qemu_that_is_killed_while_it_boots_accuses_no_kernel(fake: Fake) -> None:
    with pytest.raises(VmLost, match="QEMU was killed") as caught:
        launch.start(fake('touch "$qmp"; echo Linux > "$log"; sleep 1; kill -9 $$'), "cell", keep=False)
    assert not isinstance(caught.value, GuestDied)


def test_a_kept_vm_is_up_but_nobody_runs_tests_in_it(fake: Fake) -> None:
    boot = fake(f'touch "$qmp"; echo "{rootfs.READY}" > "$log"; exec sleep 60')
    made = launch.start(boot, "cell", keep=False)
    made.keep("le_fit_alloc_test")
    assert [machine.state.kept for machine in vms.running()] == ["le_fit_alloc_test"]
    assert vms.find("cell", boot) is None
    vms.stop_own()
    assert made.running
    made.stop()


@pytest.mark.parametrize(("code", "has"), [(0, True), (1, False)])
def test_the_sandbox_is_used_where_it_is_built_in(tmp_path: Path, code: int, has: bool) -> None:
    qemu = tmp_path / "qemu"
    qemu.write_text(f'#!/bin/sh\n[ "$1" = -version ] || exit {code}\n')
    qemu.chmod(0o755)
    assert launch.has_sandbox(str(qemu)) == has


def test_a_qemu_that_nobody_noted_is_ended_by_its_pid_file(cache: Path) -> None:
    left = cache / "vms" / "vm-1"
    left.mkdir(parents=True)
    qemu = subprocess.Popen(("sh", "-c", "sleep 60; :", str(left)))
    wait_for(lambda: b"sleep" in Path(f"/proc/{qemu.pid}/cmdline").read_bytes())
    (left / "pid").write_text(f"{qemu.pid}\n")
    os.utime(left, (0, 0))
    vms.sweep()
    assert qemu.wait(5) == -signal.SIGKILL
    assert not left.exists()


def test_a_pid_file_that_tells_of_a_stranger_harms_nobody(cache: Path, sleeper: Sleeper) -> None:
    left = cache / "vms" / "vm-1"
    left.mkdir(parents=True)
    stranger = sleeper()
    (left / "pid").write_text(f"{stranger.pid}\n")
    os.utime(left, (0, 0))
    vms.sweep()
    assert stranger.poll() is None
    assert not left.exists()


def test_what_a_rig_uses_is_not_swept(cache: Path) -> None:
    left = folder(cache, "vm-1", DEAD, 0, started=12345)
    state = msgspec.json.decode((left / "state.json").read_bytes(), type=State)
    user = vms.Vm(left, state)
    assert user.claim()
    assert vms.sweep() == 0
    user.release()
    assert vms.sweep() == 1
