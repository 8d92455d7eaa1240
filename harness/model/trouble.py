# SPDX-License-Identifier: GPL-2.0-only
"""What a kernel complained of: a report in its log, taken apart."""

from __future__ import annotations

import enum

import msgspec

_IDLE = ("native_safe_halt", "default_idle", "arch_cpu_idle", "cpu_do_idle", "mwait_idle")
"""where a CPU waits for something to do"""


class Severity(enum.StrEnum):
    """How bad it is."""

    FATAL = "fatal"
    """the kernel, or the task that ran, ended: BUG, Oops, panic"""
    ERROR = "error"
    """the kernel's memory or state is wrong, or was about to be: KASAN, lockdep, corruption, stalls, lockups, leaks"""
    WARNING = "warning"
    """something is not as it should be, or was refused: WARNING, allocation failures, out of memory"""


class Frame(msgspec.Struct, frozen=True):
    """One entry of a call trace."""

    function: str
    offset: int = 0
    """bytes from the function's start, as the log has it; 0 where it says none"""
    size: int = 0
    """of the function, in bytes; 0 where the log says none"""
    module: str = ""
    """the module that holds it; empty for the kernel itself"""
    sure: bool = True
    """False for what the kernel marks with a question mark: an address found on the stack, perhaps left over"""
    exact: bool = False
    """whether the offset is that of the instruction itself (RIP, pc); else it is a return address, one past the call"""
    inlined: bool = False
    """whether it was inlined into the frame that follows"""
    file: str = ""
    """source file relative to the kernel's tree, or the module's; empty where unknown"""
    line: int = 0
    source: str = ""
    """the text of that line; empty where unknown"""


class Trouble(msgspec.Struct, frozen=True):
    """One report in a log, with all that followed from it."""

    kind: str
    """what it is, such as ``bug``, ``kasan``, ``lockdep``: see harness/kernlog"""
    severity: Severity
    title: str
    """one line: the report's own, without timestamps and addresses"""
    first: int
    """number of its first line, from 1"""
    last: int
    text: str
    """the lines themselves; where there are too many, the middle is left out and the text says so"""
    function: str = ""
    """the function to blame: that of RIP or pc, or the first frame that is not the reporting machinery; empty where unknown"""
    where: str = ""
    """``file:line`` to blame, from the log itself or from debug information; empty where unknown"""
    frames: tuple[Frame, ...] = ()
    """the call trace, innermost first"""
    process: str = ""
    """command name and pid as ``NAME/PID``; empty where unknown"""
    cpu: int | None = None
    time: float | None = None
    """seconds since the guest's boot; None where lines bear no time"""
    followed: tuple[str, ...] = ()
    """titles of the reports that are this one's consequences, such as the panic after an Oops"""
    fingerprint: str = ""
    """the same for the same trouble in another boot: of kind, function and call trace, without numbers"""


class Cpu(msgspec.Struct, frozen=True):
    """What a CPU was at."""

    registers: str
    frames: tuple[Frame, ...]
    """its call trace, innermost first; where it is outside of the kernel itself there are only addresses"""

    @property
    def idle(self) -> bool:
        """Whether it had nothing to do."""
        return any(frame.function in _IDLE for frame in self.frames)


class Testimony(msgspec.Struct, frozen=True):
    """What was learned."""

    heard: bool
    """whether the kernel still took interrupts from its console"""
    cpus: tuple[Cpu, ...] = ()
    """empty if QEMU did not tell"""
    said: str = ""
    """what the kernel put on its console"""


def framed(of: Frame) -> str:
    """Return an entry of a call trace as the kernel writes it."""
    place = f"+{of.offset:#x}/{of.size:#x}" if of.size else ""
    module = f" [{of.module}]" if of.module else ""
    return f"{'' if of.sure else '? '}{of.function}{place}{module}{' (inlined)' if of.inlined else ''}"


OWN = frozenset({"test-failed", "load-failed", "hang", "died", "not-seen"})
"""kinds that the rig itself sees: their fingerprint is the kind alone, and says nothing of the cause"""
