# SPDX-License-Identifier: GPL-2.0-only
"""The command line of QEMU: what makes it repeat, and what keeps it to itself."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import msgspec
import pytest

from harness.model import clock
from harness.model.clock import Clock
from harness.model.matrix import load_machine, machine_names
from harness.vm import qemu_args
from tests.support import make

FOLDER = Path("/cache/vms/vm-1")


def options(command: tuple[str, ...], name: str) -> list[str]:
    """Return the values of every option `name`."""
    return [value for option, value in pairwise(command) if option == name]


def option(command: tuple[str, ...], name: str) -> str:
    (value,) = options(command, name)
    return value


@pytest.mark.parametrize("name", machine_names())
def test_counting_instructions_takes_one_cpu(name: str) -> None:
    command = qemu_args.command(make.boot(name, Clock.ICOUNT), FOLDER)
    assert option(command, "-smp") == "1"
    assert option(command, "-icount") == f"shift={clock.ICOUNT_SHIFT}"
    assert option(command, "-accel") == "tcg"


@pytest.mark.parametrize("name", machine_names())
def test_the_wall_clock_takes_all_of_the_machines_cpus(name: str) -> None:
    command = qemu_args.command(make.boot(name, Clock.WALL), FOLDER)
    assert option(command, "-smp") == str(load_machine(name).qemu.cpus)
    assert "-icount" not in command
    assert option(command, "-m") == f"{load_machine(name).qemu.memory}M"


def test_a_boot_may_have_less_memory_than_its_machine() -> None:
    assert option(qemu_args.command(make.boot(memory=128), FOLDER), "-m") == "128M"


@pytest.mark.parametrize("name", machine_names())
@pytest.mark.parametrize("clock", Clock)
def test_nobody_else_reaches_the_guest_and_it_reaches_nobody(name: str, clock: Clock) -> None:
    command = qemu_args.command(make.boot(name, clock), FOLDER)
    net = option(command, "-netdev").split(",")
    assert "restrict=on" in net
    assert [part for part in net if "fwd" in part] == ["hostfwd=tcp:127.0.0.1:2222-10.0.2.15:22"]
    assert "-nodefaults" in command
    assert "-no-user-config" in command
    assert option(command, "-qmp").startswith(f"unix:{FOLDER}/")


@pytest.mark.parametrize("clock", Clock)
def test_it_is_a_list_of_words(clock: Clock) -> None:
    command = qemu_args.command(make.boot(clock=clock), FOLDER)
    assert isinstance(command, tuple)
    assert all(type(word) is str and word for word in command)
    assert command[0] == "qemu-system-x86_64"
    assert option(command, "-kernel") == "/kernels/image"
    assert option(command, "-initrd") == "/rootfs/initramfs.cpio"


def test_the_same_boot_has_the_same_command() -> None:
    assert qemu_args.command(make.boot(), FOLDER) == qemu_args.command(make.boot(), FOLDER)


@pytest.mark.parametrize("name", machine_names())
def test_the_kernel_dies_of_an_oops_and_says_so(name: str) -> None:
    command = qemu_args.command(make.boot(name), FOLDER)
    words = option(command, "-append").split()
    assert {"oops=panic", "panic=-1", "nokaslr"} <= set(words)
    assert words[0] == f"console={load_machine(name).qemu.console}"
    assert option(command, "-action") == "reboot=shutdown,shutdown=poweroff"


def test_a_guest_that_ends_can_be_kept_as_it_is() -> None:
    boot = msgspec.structs.replace(make.boot(), pauses=True)
    assert option(qemu_args.command(boot, FOLDER), "-action") == "reboot=shutdown,shutdown=pause"


def test_qemu_denies_itself_what_it_has_no_need_of() -> None:
    assert "-sandbox" not in qemu_args.command(make.boot(), FOLDER)
    denied = option(qemu_args.command(msgspec.structs.replace(make.boot(), sandbox=True), FOLDER), "-sandbox").split(",")
    assert denied[0] == "on"
    assert {"elevateprivileges=deny", "spawn=deny"} <= set(denied)


def test_a_machine_has_parameters_of_its_own() -> None:
    machine = load_machine("x86_64")
    qemu = msgspec.structs.replace(machine.qemu, cmdline="a=1", cmdline_icount="b=2", arguments=("-s",))
    boot = make.boot(clock=Clock.ICOUNT, machine=msgspec.structs.replace(machine, qemu=qemu))
    command = qemu_args.command(boot, FOLDER)
    assert {"a=1", "b=2"} <= set(option(command, "-append").split())
    assert command[-1] == "-s"
    wall = qemu_args.command(msgspec.structs.replace(boot, clock=Clock.WALL), FOLDER)
    assert "a=1" in option(wall, "-append").split()
    assert "b=2" not in option(wall, "-append").split()


def test_under_kvm_the_cpu_is_the_hosts() -> None:
    assert option(qemu_args.command(make.boot(clock=Clock.WALL, accelerator="kvm"), FOLDER), "-cpu") == "host"
    assert option(qemu_args.command(make.boot(), FOLDER), "-cpu") == load_machine("x86_64").qemu.cpu


def test_a_comma_in_a_path_is_doubled() -> None:
    command = qemu_args.command(make.boot(), Path("/cache,of/mine"))
    assert option(command, "-chardev").endswith("logappend=on,logfile=/cache,,of/mine/serial.log")
    assert option(command, "-qmp").startswith("unix:/cache,,of/mine/qmp,server=on")


@pytest.mark.parametrize("name", machine_names())
def test_no_machine_has_an_amd_cpu(name: str) -> None:
    qemu = load_machine(name).qemu
    told = " ".join((qemu.cpu, *qemu.arguments)).lower()
    assert not [model for model in ("amd", "epyc", "opteron", "athlon", "phenom", "dhyana", "qemu64", "kvm64") if model in told]


def test_instructions_are_not_called_seconds() -> None:
    assert clock.per_operation(Clock.WALL, 5000, 10) == (500.0, "ns/op")
    value, unit = clock.per_operation(Clock.ICOUNT, 5000, 10)
    assert (value, unit) == (5000 / 2**clock.ICOUNT_SHIFT / 10, "instructions/op")


def test_a_profile_has_kernel_parameters_of_its_own() -> None:
    boot = make.boot("aarch64")
    assert "mem=1G" not in option(qemu_args.command(boot, FOLDER), "-append").split()
    debug = msgspec.structs.replace(boot, profile="debug")
    assert "mem=1G" in option(qemu_args.command(debug, FOLDER), "-append").split()
