# SPDX-License-Identifier: GPL-2.0-only
"""Virtual machines that are up: found, kept, made way for, and swept away."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from pathlib import Path

import msgspec
import pytest

from harness.build import rootfs
from harness.host import process
from harness.model.clock import Clock
from harness.model.matrix import Qemu
from harness.vm import launch, vms
from harness.vm.qemu_args import Boot
from harness.vm.vms import State
from tests.support import make
from tests.support.vm_folders import DEAD, Fake, Sleeper, folder, wait_for


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


def test_a_kept_vm_is_up_but_nobody_runs_tests_in_it(fake: Fake) -> None:
    boot = fake(f'touch "$qmp"; echo "{rootfs.READY}" > "$log"; exec sleep 60')
    made = launch.start(boot, "cell", keep=False)
    made.keep("le_fit_alloc_test")
    assert [machine.state.kept for machine in vms.running()] == ["le_fit_alloc_test"]
    assert vms.find("cell", boot) is None
    vms.stop_own()
    assert made.running
    made.stop()


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
