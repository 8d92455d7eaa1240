# SPDX-License-Identifier: GPL-2.0-only
"""How a QEMU that was up has ended: by its guest, by a signal, or for want of something on the host."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import msgspec
import pytest

from harness.build import rootfs
from harness.errors import VmLost
from harness.vm import launch, vms
from harness.vm.vms import State
from tests.support.vm_folders import DEAD, Fake, folder, wait_for


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
