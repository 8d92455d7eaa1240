# SPDX-License-Identifier: GPL-2.0-only
"""The call trace of a guest's CPU, from its registers and the memory that QEMU shows, on each kind of machine."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.errors import VmLost
from harness.vm import hang

MAP = "{0}000100 T inner\n{0}000200 T outer\n{0}000300 T start\n{0}000400 T last\n"


class Guest:
    """Stands in for a VM: QEMU's monitor, with words of memory by address."""

    def __init__(self, registers: str, memory: dict[str, str]) -> None:
        self.registers, self.memory = registers, memory

    def monitor(self, command: str) -> str:
        if command == "info registers -a":
            return self.registers
        if command not in self.memory:
            raise VmLost(f"no answer to {command}")
        return self.memory[command]


def traces(guest: Guest, folder: Path, upper: str) -> list[list[tuple[str, int]]]:
    """Return function and offset of each frame of each CPU."""
    (folder / "System.map").write_text(MAP.format(upper))
    table = hang._Symbols(folder / "System.map")
    cpus = hang._registers(guest)  # type: ignore[arg-type]
    return [[(frame.function, frame.offset) for frame in hang._walk(guest, cpu, table)] for cpu in cpus]  # type: ignore[arg-type]


ARM = """\
CPU#0
R00=00000001 R01=00000002 R02=c0123456 R03=00000000
R08=00000000 R09=00000000 R10=00000000 R11=ee001f0c
R12=00000000 R13=ee001ef0 R14=c0000204 R15=c0000108
PSR=600f0093 -ZC- A S svc32
s00=00000000 s01=00000000 d00=0000000000000000

CPU#1
R00=00000000 R11=00000000 R15=c0000304
"""


def test_frames_of_32_bit_arm_end_with_where_their_function_began(tmp_path: Path) -> None:
    memory = {
        "x /4wx 0xee001f0c - 12": "ee001f00: 0xee001f2c 0xee001f10 0xc0000204 0xc000010c\n",
        "x /4wx 0xee001f2c - 12": "ee001f20: 0x00000000 0xee001f30 0xc0000308 0xc000020c\n",
    }
    guest = Guest(ARM, memory)
    assert traces(guest, tmp_path, "c0") == [[("inner", 8), ("outer", 4), ("start", 8)], [("start", 4)]]
    assert all("s00" not in cpu for cpu in hang._registers(guest))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "registers", ["CPU#0\nRBP=ffffc90000001f00 RSP=0 RIP={}", "CPU#0\n PC={} X00=0 X29=ffffc90000001f00 X30=0\nQ00=0:0\n"]
)
def test_frames_of_64_bits_begin_with_their_callers(tmp_path: Path, registers: str) -> None:
    memory = {"x /2gx 0xffffc90000001f00": "ffffc90000001f00: 0x0000000000000000 0xffffffff81000204\n"}
    guest = Guest(registers.format("ffffffff81000108"), memory)
    assert traces(guest, tmp_path, "ffffffff81") == [[("inner", 8), ("outer", 4)]]


def test_a_trace_ends_where_memory_cannot_be_read_or_is_no_frame(tmp_path: Path) -> None:
    assert traces(Guest(ARM, {}), tmp_path, "c0")[0] == [("inner", 8)]
    short = {"x /4wx 0xee001f0c - 12": "Cannot access memory\n"}
    assert traces(Guest(ARM, short), tmp_path, "c0")[0] == [("inner", 8)]
    circle = {"x /4wx 0xee001f0c - 12": "ee001f00: 0xee001f0c 0xee001f10 0xc0000204 0xc000010c\n"}
    assert traces(Guest(ARM, circle), tmp_path, "c0")[0] == [("inner", 8), ("outer", 4)]
