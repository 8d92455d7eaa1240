# SPDX-License-Identifier: GPL-2.0-only
"""Examines a guest that hangs: its reaction to SysRq and the state of its CPUs."""

from __future__ import annotations

import bisect
import contextlib
import re
import socket
import time
from pathlib import Path
from typing import NamedTuple

from harness.errors import VmLost
from harness.host.deadline import POLL, Deadline
from harness.model.trouble import Cpu, Frame, Testimony
from harness.vm import qemu_args, qmp, sockets
from harness.vm.vms import Vm

_HEARD = re.compile(r"^.*\bsysrq: ", re.M)
"""the kernel's answer to a SysRq key, in 4.18 and later"""
_QUIET = 0.5
"""seconds without output that end the guest's answer"""
_HEARS_WITHIN = 3.0
"""seconds within which a guest that takes interrupts answers a SysRq key"""
_CPU = re.compile(r"^\s*CPU#\d+", re.M)
_WORD = re.compile(r"\b0x([0-9a-f]+)\b")
_DEEPEST = 32
"""maximum entries of a call trace"""
_PC = re.compile(r"\b(?:RIP|PC|R15)=\s*([0-9a-f]{8,16})\b")
_VECTORS = re.compile(r"^\s*(?:FCW|FPCW|FPCR|Q00|s00)=.*", re.M | re.S)
"""floating-point and vector registers, to leave out"""


class _Layout(NamedTuple):
    """How a function's frame lies in memory; QEMU's name of the register with the frame pointer tells which it is."""

    pointer: re.Pattern[str]
    asks: str
    """QEMU's command for the words of a frame"""
    above: int
    """which of these words is the pointer to the caller's frame"""
    back: int
    """which is the return address"""
    sign: int
    """bit that only addresses of the kernel have"""


# The pointer leads to the caller's pointer and the return address, on 32-bit Arm (APCS) to the end of a block of four:
# the caller's pointer, its stack, the return address, and where the function began.
_LAYOUTS = (
    _Layout(re.compile(r"\b(?:RBP|X29)=\s*([0-9a-f]{16})\b"), "x /2gx {:#x}", 0, 1, 63),
    _Layout(re.compile(r"\bR11=\s*([0-9a-f]{8})\b"), "x /4wx {:#x} - 12", 0, 2, 31),
)


def question(machine: Vm, symbols: Path, *, harmless: bool) -> Testimony:
    """Ask QEMU for the state of all CPUs of a guest, and the guest itself for backtraces on its console.

    `symbols` is its kernel's System.map. A guest that does not react to SysRq gets an NMI, if the machine has one: it
    panics and prints a call trace. With `harmless` it gets no NMI.
    """
    table = _Symbols(symbols)
    cpus = tuple(Cpu(registers, _walk(machine, registers, table)) for registers in _registers(machine))
    output = _press(machine, "l")
    heard = bool(_HEARD.search(output))
    if not heard and not harmless:
        with contextlib.suppress(VmLost):  # a machine without NMIs
            start = machine.console.size
            qmp.execute(machine.sockets / sockets.QMP, "inject-nmi")
            output += _listen(machine, start)
    return Testimony(heard, cpus, output)


def _registers(machine: Vm) -> list[str]:
    try:
        registers = machine.monitor("info registers -a")
    except VmLost:
        return []
    return [_VECTORS.sub("", cpu).strip() for cpu in _CPU.split(registers)[1:]]


def _walk(machine: Vm, registers: str, table: _Symbols) -> tuple[Frame, ...]:
    """Return the call trace of a CPU by its frame pointers, which every kernel of the rig has."""
    at = _PC.search(registers)
    frames = [table.frame(int(at[1], 16), exact=True)] if at else []
    for layout in _LAYOUTS:
        if pointer := layout.pointer.search(registers):
            _climb(machine, layout, int(pointer[1], 16), frames, table)
            break
    return tuple(frames)


def _climb(machine: Vm, layout: _Layout, frame: int, frames: list[Frame], table: _Symbols) -> None:
    """Add the callers whose frames lie above that at `frame`."""
    while frame >> layout.sign and len(frames) < _DEEPEST:
        try:
            words = _WORD.findall(machine.monitor(layout.asks.format(frame)))
            above, back = (int(words[which], 16) for which in (layout.above, layout.back))
        except (VmLost, IndexError):
            break
        frames.append(table.frame(back, exact=False))
        frame = above if above > frame else 0


def _press(machine: Vm, key: str) -> str:
    """Send SysRq and `key` on the guest's serial line; return the kernel's answer."""
    try:
        with socket.socket(socket.AF_UNIX) as line:
            line.connect(str(machine.sockets / sockets.CONSOLE))
            line.setblocking(False)
            start = machine.console.size
            qmp.execute(machine.sockets / sockets.QMP, "chardev-send-break", {"id": qemu_args.CONSOLE})
            line.send(key.encode())
            return _listen(machine, start, line)
    except (OSError, VmLost):
        return ""


def _listen(machine: Vm, start: int, line: socket.socket | None = None) -> str:
    """Wait for the end of the guest's answer, and return its output from byte `start` of the console's log.

    A connected `line` has to be read meanwhile: otherwise the guest blocks when the socket is full.
    """
    last, quiet = start, Deadline(_HEARS_WITHIN * machine.pace, machine.time)
    while machine.alive and not quiet.over:
        if line:
            _drain(line)
        if machine.console.size > last:
            last, quiet = machine.console.size, Deadline(_QUIET, machine.time)
        time.sleep(POLL)
    if machine.console.size <= start:
        return ""
    return machine.console.log.read_bytes()[start:].decode(errors="replace").replace("\r", "")


def _drain(line: socket.socket) -> None:
    try:
        while line.recv(1 << 16):
            pass
    except BlockingIOError:
        return


class _Symbols:
    """Functions of a kernel by address."""

    def __init__(self, system_map: Path) -> None:
        try:
            words = (line.split() for line in system_map.read_text().splitlines())
            self._known = sorted((int(word[0], 16), word[2]) for word in words if word[1] in "tT")
        except OSError:
            self._known = []

    def frame(self, address: int, *, exact: bool) -> Frame:
        """Return the frame of `address`; it has no name if the address is in a module, not in vmlinux."""
        index = bisect.bisect(self._known, (address, "\U0010ffff")) - 1
        if not 0 <= index < len(self._known) - 1:
            return Frame(f"{address:#x}", exact=exact)
        start, name = self._known[index]
        return Frame(name, address - start, self._known[index + 1][0] - start, exact=exact)
