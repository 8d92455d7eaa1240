# SPDX-License-Identifier: GPL-2.0-only
"""Collects the lines of one report, and decides which lines can be part of it."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from harness.kernlog.kinds import DEATHS, SANITIZERS

HEAD, TAIL = 320, 40
"""first and last lines of a report that are kept"""
_ROOM = 1 << 16
"""maximum characters of a report that are kept, besides its last lines"""
MOST = 3000
"""maximum lines of a report"""
_PATIENCE = 15
"""consecutive foreign lines that end a report"""
_LONG_PATIENCE = 60
"""the same for reports that have a line at their end"""
_ENDED = frozenset({"warning", "kasan", "kmsan", "kcsan", "kfence", *DEATHS})
_END = re.compile(r"---\[ end (?:trace|Kernel panic)|={20,}$")
_ENTRY = re.compile(
    r"\.?[A-Za-z_$][\w.$]*(?:\+0x|/0x| .*\+0x| \[inline\]| \(\w)|[0-9a-f]{8,16}[: ]|>[0-9a-f]{6,}|[\[({}<>*\-=+.#^|~]"
)
_TRACE = re.compile(r" ?(?:Call [Tt]race:|Backtrace:|Stack:|\[<[0-9a-f]+>\]|[\w.]+\+0x[0-9a-f]+/0x)")
_LATE = 3
"""maximum foreign lines between the line that ends a report and the trace that comes after it"""
_WORD = re.compile(r"[A-Za-z_]+")
_WORDS = frozenset(
    re.findall(
        r"\w+",
        """
    All Allocated BAD BUG Backtrace Bad BadVA Bad_RIP Bytes CFAR CM CONFIG_KASAN_INLINE CPU CR CS CTR Call Cause Chain Code Comm
    Control Corrupted D DAR DMA DR DS DSISR Data Disabling Dumping EA EAX EBP EBX EC ECX EDAC EDI EDX EFLAGS EIP ERA ES ESI ESP
    ESR Exception FAR FIX FS FSC Fixing Flags FnV Free Freed GPF GPR GPRS GS Hardware HighMem HugeTLB INFO INITIAL IP ISS ISV
    Insn Instruction Internal KASAN Kernel Kernel_Offset Killed Krnl LR Last Last_Breaking Local MSR Machine Mem Memory Modules
    Movable NIP NMI Node Normal Not ODEBUG Object Oops Out P PACATMSCRATCH PC PF PGD PMD PSW PTE PUD Padding Pid Possible PrId
    Preemption Process R RAX RBP RBX RCU RCX RDI RDX REGS RIP RPC RSI RSP Read Rebooting Redzone Register Registers Reported SET
    SError SMP SOFTE SS Sending Showing Slab Stack Status Supervisor Swap TNPC TPC TRAP TSTATE Tainted Tasks The This Thread
    Total Trace Trying Uninit Unwind User WARNING WnR Workqueue Write XER active_anon active_file all already and assert
    backtrace badaddr block buggy but cache cause comm delayed dirty division drivers epc error_code event expected fbcon flags
    fp fs gp handlers hardirqs head hex hi holding idle in in_atomic inactive_anon include index invalid ip irq is kasan kernel
    last lib list_add list_del lo lock locks lowmem_reserve lr mce memory mm negation net no note object oom oom_reaper other
    page pages pc pending pgd pool preempt preempt_count preemption psr pstate r ra race raw rcu read refcount_t ret
    secondary_startup security shift slab_reclaimable softirqs sound sp stack start_kernel status swap_cache task task_struct
    the to traps unevictable usercopy value which workqueue workqueues write x
    """,
    )
)
"""words with which lines of reports begin"""


@dataclass(slots=True)
class Block:
    """A report that is still being read."""

    kind: str
    stream: str
    first: int
    time: float | None
    lines: list[str] = field(default_factory=list)
    """lines without the console's prefix"""
    raw: list[str] = field(default_factory=list)
    end: list[str] = field(default_factory=list)
    """last raw lines of a report that is too long"""
    count: int = 0
    last: int = 0
    over: bool = False
    message: str = ""
    """message of a WARNING or a BUG on a line of its own"""
    _ended: bool = False
    """True after a line that ends a report, if its trace is still to come: arm64 printed it so from 4.4 to 4.12"""
    _skipped: int = 0
    _skipped_at: int = 0
    """last line of the report before those that were skipped"""
    _size: int = 0
    _others: list[tuple[int, str, str]] = field(default_factory=list)

    def add(self, number: int, raw: str, text: str) -> None:
        """Add a line of the report's stream, if it can be part of the report."""
        if text[:1] != " " and (not text or not self._belongs(number, raw, text)):
            return
        if self._others:
            for other in self._others:
                self.put(*other)
            self._others.clear()
        if self.count >= HEAD or self._size >= _ROOM or number - self.first > MOST:
            self.put(number, raw, text)
            return
        # The same as `put` without the call, for most lines.
        self.count += 1
        self.last = number
        self._size += len(raw)
        self.lines.append(text)
        self.raw.append(raw)

    def _belongs(self, number: int, raw: str, text: str) -> bool:
        """Return True if a line that is not indented is part of the report; keep it for later if it is not."""
        if text[0] == "\t":
            return True
        late = self._ended and not _TRACE.match(text)
        if late or not self._mine(text):
            self._others.append((number, raw, text))
            patience = _LONG_PATIENCE if self.kind in _ENDED else _PATIENCE
            # After the end of a report there is its trace, soon, or nothing more.
            self.over = (late and self.lines[-1][:5] != "---[ ") or len(self._others) > (_LATE if late else patience)
            return False
        if text[0] in "-=" and _END.match(text):
            self.over = text[0] == "=" or "trace" not in text or any(map(_TRACE.match, self.lines))
            self._ended = not self.over
            return text[0] == "-" or self.kind in SANITIZERS
        return True

    def skip(self) -> None:
        """Take note of a line that is not the kernel's."""
        if self._skipped_at != self.last:
            self._skipped_at, self._skipped = self.last, 0
        self._skipped += 1

    @property
    def skipped(self) -> int:
        """Lines after the last one that are not the kernel's."""
        return self._skipped if self._skipped_at == self.last else 0

    def put(self, number: int, raw: str, text: str) -> None:
        """Add a line that is known to belong to the report."""
        self.count += 1
        self.last = number
        if number - self.first > MOST:
            self.over = True
        if self.count <= HEAD and self._size < _ROOM:
            self._size += len(raw)
            self.lines.append(text)
            self.raw.append(raw)
            return
        self.end.append(raw)
        if len(self.end) > 2 * TAIL:
            del self.end[:TAIL]

    def _mine(self, text: str) -> bool:
        word = _WORD.match(text)
        if word is None:
            return text[:1].isdigit() or _ENTRY.match(text) is not None
        return word[0] in _WORDS or _ENTRY.match(text) is not None

    def text(self) -> str:
        """Return the lines as in the log; if there are too many, a line gives the number of those left out."""
        if not self.end:
            return "\n".join(self.raw)
        end = self.end[-TAIL:]
        left = self.count - len(self.raw) - len(end)
        return "\n".join([*self.raw, *([f"... {left} lines left out ..."] if left else []), *end])
