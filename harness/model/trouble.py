# SPDX-License-Identifier: GPL-2.0-only
"""A trouble: one report in a kernel's log, parsed."""

from __future__ import annotations

import enum
from typing import Literal, get_args

import msgspec

_IDLE = ("native_safe_halt", "default_idle", "arch_cpu_idle", "cpu_do_idle", "mwait_idle")
"""functions in which an idle CPU waits"""


class Severity(enum.StrEnum):
    """Severity of a trouble."""

    FATAL = "fatal"
    """the kernel or the running task died: BUG, Oops, panic"""
    ERROR = "error"
    """the kernel's memory or state is wrong, or would have been: KASAN, lockdep, corruption, stalls, lockups, leaks"""
    WARNING = "warning"
    """something is unexpected, or a request failed: WARNING, allocation failures, out of memory"""


class Frame(msgspec.Struct, frozen=True):
    """One entry of a call trace."""

    function: str
    offset: int = 0
    """bytes from the function's start, as in the log; 0 if it gives none"""
    size: int = 0
    """bytes of the function, as in the log; 0 if it gives none"""
    module: str = ""
    """the module that holds it; empty for the kernel itself"""
    sure: bool = True
    """False if the kernel marks it with a question mark: an address on the stack that may be stale"""
    exact: bool = False
    """True if the offset is that of the instruction itself (RIP, pc); False if it is a return address, just past the call"""
    inlined: bool = False
    """True if it was inlined into the next frame"""
    file: str = ""
    """source file relative to the kernel's tree, or the module's; empty where unknown"""
    line: int = 0
    source: str = ""
    """the text of that line; empty where unknown"""


class Trouble(msgspec.Struct, frozen=True):
    """One report in a log, with its consequences."""

    kind: str
    """name of its kind, such as ``bug``, ``kasan``, ``lockdep``: see harness/kernlog"""
    severity: Severity
    title: str
    """one line of the report, without timestamps and addresses"""
    first: int
    """number of its first line, from 1"""
    last: int
    text: str
    """lines of the report; if there are too many, the middle is left out and the text says so"""
    function: str = ""
    """function to blame: that of RIP or pc, or the first frame that does not belong to the reporting; empty if unknown"""
    where: str = ""
    """``file:line`` to blame, from the log itself or from debug information; empty where unknown"""
    frames: tuple[Frame, ...] = ()
    """the call trace, innermost first"""
    process: str = ""
    """command name and pid as ``NAME/PID``; empty where unknown"""
    cpu: int | None = None
    time: float | None = None
    """seconds since the guest's boot; None if the lines have no time"""
    followed: tuple[str, ...] = ()
    """titles of the reports that are consequences of this one, such as the panic after an Oops"""
    fingerprint: str = ""
    """digest of kind, function and call trace, without numbers; the same for the same trouble in another boot"""


class Cpu(msgspec.Struct, frozen=True):
    """State of a CPU: its registers and call trace."""

    registers: str
    frames: tuple[Frame, ...]
    """call trace, innermost first; outside of vmlinux a frame has only an address"""

    @property
    def idle(self) -> bool:
        """True if the CPU was idle."""
        return any(frame.function in _IDLE for frame in self.frames)


class Testimony(msgspec.Struct, frozen=True):
    """Answers of a guest that hangs."""

    heard: bool
    """True if the kernel still took interrupts from its console"""
    cpus: tuple[Cpu, ...] = ()
    """state of each CPU; empty if QEMU did not answer"""
    output: str = ""
    """console output of the kernel"""


def framed(of: Frame) -> str:
    """Return an entry of a call trace in the kernel's format."""
    place = f"+{of.offset:#x}/{of.size:#x}" if of.size else ""
    module = f" [{of.module}]" if of.module else ""
    return f"{'' if of.sure else '? '}{of.function}{place}{module}{' (inlined)' if of.inlined else ''}"


OwnKind = Literal["test-failed", "load-failed", "hang", "died", "not-seen"]
"""a kind that the rig itself reports, and no kernel"""
OWN: frozenset[str] = frozenset(get_args(OwnKind))
"""their fingerprint depends on the kind alone, not on the cause"""
