# SPDX-License-Identifier: GPL-2.0-only
"""Virtual machines that start, or do not, with a small program in the place of QEMU."""

from __future__ import annotations

import os
import signal
import threading
import time
from pathlib import Path

import msgspec
import pytest

from harness import paths
from harness.build import rootfs
from harness.errors import VmLost
from harness.host import process
from harness.model.clock import Clock
from harness.vm import launch, vm_time, vms
from harness.vm.qemu_args import Boot
from harness.vm.vm_time import VmTime
from harness.vm.vms import GuestDied
from tests.support import make
from tests.support.vm_folders import Fake, wait_for


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


def test_a_guest_that_floods_its_console_is_ended_and_that_is_said(fake: Fake, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vms, "LONGEST_LOG", 100_000)
    with pytest.raises(GuestDied, match="reached its limit") as caught:
        launch.start(fake("trap '' XFSZ; " + 'touch "$qmp"; yes > "$log"; exec sleep 60'), "cell", keep=False)
    assert len(caught.value.log) == 100_000


def test_a_qemu_that_is_killed_while_it_boots_accuses_no_kernel(fake: Fake) -> None:
    with pytest.raises(VmLost, match="QEMU was killed") as caught:
        launch.start(fake('touch "$qmp"; echo Linux > "$log"; sleep 1; kill -9 $$'), "cell", keep=False)
    assert not isinstance(caught.value, GuestDied)


@pytest.mark.parametrize(("code", "has"), [(0, True), (1, False)])
def test_the_sandbox_is_used_where_it_is_built_in(tmp_path: Path, code: int, has: bool) -> None:
    qemu = tmp_path / "qemu"
    qemu.write_text(f'#!/bin/sh\n[ "$1" = -version ] || exit {code}\n')
    qemu.chmod(0o755)
    assert launch.has_sandbox(str(qemu)) == has


def counting(tmp_path: Path, *uptimes: float, clock: Clock = Clock.WALL) -> Boot:
    """Return a boot whose guest has counted so many seconds when it is ready, boot after boot; the last one goes on."""
    counted = " ".join(f"{uptime:.6f}" for uptime in uptimes)
    body = f"""set -- {counted}
    [ $# -eq 1 ] || shift $(($(wc -l < "$pids") - 1))
    touch "$qmp"; echo "[   $1] {rootfs.READY}" > "$log"; exec sleep 60"""
    return make.boot(clock=clock, machine=make.fake_qemu(tmp_path, body))


def test_a_guest_whose_clock_runs_away_is_booted_again(cache: Path, tmp_path: Path, pids: Path) -> None:
    made = launch.start(counting(tmp_path, 72.8, 0.1, 0.1), "cell", keep=False)
    assert len(pids.read_text().split()) == 2
    assert [folder.name for folder in (cache / "vms").iterdir()] == [made.folder.name]
    made.stop()


def test_a_guest_whose_clock_runs_away_each_time_is_given_up(cache: Path, tmp_path: Path, pids: Path) -> None:
    said = r"^cell: the guest's clock counted 72\.8 s in \d\.\d s, 3 times in a row: .* when the host is less busy\.$"
    with pytest.raises(launch.WrongClock, match=said):
        launch.start(counting(tmp_path, 72.8), "cell", keep=False)
    assert len(pids.read_text().split()) == 3
    assert list((cache / "vms").iterdir()) == []


def test_a_clock_that_counts_instructions_may_be_faster_than_the_hosts(tmp_path: Path, pids: Path) -> None:
    made = launch.start(counting(tmp_path, 72.8, clock=Clock.ICOUNT), "cell", keep=False)
    assert len(pids.read_text().split()) == 1
    made.stop()
