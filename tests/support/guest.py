# SPDX-License-Identifier: GPL-2.0-only
"""The guest without a kernel in tests/data/guest, under QEMU with the rig's plugin."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from pathlib import Path

import msgspec

from harness import paths
from harness.build import plugin
from harness.model.clock import ICOUNT_SHIFT
from harness.model.matrix import Machine, load_machine
from harness.vm import blocks
from harness.vm.blocks import Dump

SOURCES = paths.PROJECT / "tests/data/guest"
ALONE = ("-icount", f"shift={ICOUNT_SHIFT}", "-smp", "1")
"""options for one CPU, whose instructions are counted exactly"""
PATIENCE = 60
"""seconds for a guest that takes a fifth of one"""
_COMPILE = ("-O2", "-ffreestanding", "-fno-pie", "-no-pie", "-nostdlib", "-static", "-Werror", "-Wall")
_PLACES = {
    "x86_64": (0x100000, 0xFFFFFFFF80000000, ("-DCONFIG_X86_64", "-fcf-protection=none")),
    "aarch64": (0x40080000, 0xFFFFFF8000000000, ("-DCONFIG_ARM64",)),
    "arm32": (0x40080000, 0x80000000, ("-DCONFIG_ARM", "-marm", "-march=armv7-a")),
}
"""where QEMU loads the guest, how much higher it runs, and options of the compiler, by machine"""
_OFF = {"x86_64": ("-device", "isa-debug-exit,iobase=0xf4,iosize=4"), "aarch64": (), "arm32": ()}
"""the device by which it switches itself off, by machine"""


class Guest(msgspec.Struct, frozen=True):
    """An assembled guest."""

    machine: Machine
    file: Path
    folder: Path
    """of the plugin's files; a path that QEMU's options have to escape"""

    @property
    def symbols(self) -> Path:
        """A System.map of its functions; labels inside of them are not in it."""
        return self.file.with_name("System.map")

    @property
    def labels(self) -> dict[str, int]:
        """The addresses of its functions and labels."""
        rows = (row.split() for row in _nm(self.machine, self.file).splitlines())
        return {name: int(address, 16) for address, _, name in rows}

    def start(self, *options: str) -> subprocess.Popen[str]:
        """Start it under QEMU with the plugin."""
        qemu = self.machine.qemu
        file = plugin.build(qemu.binary).file
        assert file, plugin.build(qemu.binary).obstacle
        return subprocess.Popen(
            (
                *(qemu.binary, "-nodefaults", "-no-user-config", "-display", "none", "-accel", "tcg", "-m", "64M"),
                *("-machine", qemu.machine, "-cpu", qemu.cpu, *qemu.arguments, *_OFF[self.machine.name]),
                *("-kernel", str(self.file), *blocks.option(file, self.folder, self.symbols), *options),
            ),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def run(self, options: Sequence[str] = ALONE) -> list[Dump]:
        """Run it to its end; return what the plugin wrote."""
        self.folder.mkdir(exist_ok=True)
        with self.start(*options) as qemu:
            try:
                qemu.wait(PATIENCE)
            finally:
                qemu.kill()
        return blocks.taken(self.folder)


def assembled(name: str, folder: Path, *defined: str) -> Guest:
    """Return the guest for the machine `name`; `defined` are symbols of its preprocessor that change what it does."""
    machine = load_machine(name)
    base, shift, options = _PLACES[name]
    guest = Guest(machine, folder / "guest.elf", folder / "blocks, of a guest")
    link = f"-Wl,-T,{SOURCES / 'guest.ld'},--defsym,SHIFT={shift:#x},--defsym,BASE={base:#x},--build-id=none,--no-warn-rwx-segments"
    command: tuple[str | Path, ...] = (
        *(machine.build.compiler, *_COMPILE, *options, f"-DSHIFT={shift:#x}", *(f"-D{symbol}" for symbol in defined)),
        *(f"-I{SOURCES}", f"-I{paths.TEST_MODULE}", link, "-o", guest.file, SOURCES / "guest.S", SOURCES / "marks.c"),
    )
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    functions = [row for row in _nm(machine, guest.file).splitlines() if " T " in row]
    guest.symbols.write_text("\n".join(functions) + "\n")
    return guest


def _nm(machine: Machine, file: Path) -> str:
    command = (f"{machine.build.cross_compile}nm", "-n", file)
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout
