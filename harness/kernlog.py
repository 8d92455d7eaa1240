# SPDX-License-Identifier: GPL-2.0-only
"""Finds the problems that a kernel reports in its log.

The headers are those of lib/bug.c, kernel/panic.c, mm/kasan, kernel/locking, kernel/rcu,
mm/oom_kill.c and the architectures' traps.c and fault.c, in the wordings of 4.18 and 6.1.
"""

from __future__ import annotations

import re

import msgspec

_LONGEST = 120
"""lines after which a report is taken to be over"""
_STAMP = re.compile(r"^(?:<\d+>)?(?:\[\s*\d+\.\d+\])?(?:\[\s*[TC]\d+\])?\s?")
_ANSI = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
_END = re.compile(r"---\[ end (?:trace|Kernel panic)|^={20,}$")
_KINDS = tuple(
    (kind, re.compile(pattern))
    for kind, pattern in (
        ("bug", r"^kernel BUG at \S+"),
        ("kasan", r"^BUG: KASAN: "),
        ("kfence", r"^BUG: KFENCE: "),
        ("kcsan", r"^BUG: KCSAN: "),
        (
            "null-dereference",
            r"^BUG: (?:unable to handle kernel NULL pointer|kernel NULL pointer)|^Unable to handle kernel NULL pointer",
        ),
        (
            "page-fault",
            r"^BUG: unable to handle (?:kernel paging|page fault)|^Unable to handle kernel (?:paging|access|read|write|execute)",
        ),
        ("stack-overflow", r"^BUG: stack guard page was hit|^Insufficient stack space|kernel stack overflow"),
        ("general-protection", r"^general protection fault"),
        ("atomic", r"^BUG: (?:sleeping function called from invalid context|scheduling while atomic)"),
        ("soft-lockup", r"^(?:watchdog: )?BUG: soft lockup"),
        ("hard-lockup", r"Watchdog detected hard LOCKUP|NMI watchdog: .*lockup"),
        ("workqueue-lockup", r"^BUG: workqueue lockup"),
        ("bad-page", r"^BUG: Bad (?:page|rss-counter|page map)"),
        ("spinlock", r"^BUG: spinlock "),
        ("slab", r"^BUG [\w:-]+ \([^)]*\): |^Slab corruption"),
        ("bug", r"^BUG: "),
        ("oops", r"^Internal error: |^(?:Oops|invalid opcode|divide error|double fault|PANIC: double fault)\b.*\d"),
        (
            "lockdep",
            r"^WARNING: (?:possible |suspicious RCU|bad (?:unlock|contention)|inconsistent lock|held lock freed|[Nn]ested lock"
            r"|.*-safe -> .*-unsafe lock order|.*lock held|.*locks held|.*deadlock)|^\[ BUG: Invalid wait context \]",
        ),
        ("warning", r"^WARNING: (?:CPU: \d+ PID: \d+ )?at |^WARNING: CPU: \d+ PID: \d+"),
        ("ubsan", r"^UBSAN: "),
        ("rcu-stall", r"(?:self-detected stall on CPU|detected stalls on CPUs|detected expedited stalls)"),
        ("hung-task", r"^INFO: task .* blocked for more than \d+ seconds"),
        ("out-of-memory", r"invoked oom-killer|^Out of memory|^Kernel panic - not syncing: (?:Out of memory|System is deadlocked)"),
        (
            "allocation-failure",
            r": page allocation failure: order:|(?:^|: )vmalloc (?:error: size )|(?:^|: )vmalloc: allocation failure",
        ),
        ("vmap-exhausted", r"^vmap allocation for size \d+ failed"),
        ("memory-leak", r"^kmemleak: \d+ new suspected memory leaks"),
        ("list-corruption", r"^list_(?:add|del) corruption"),
        ("vfree", r"^Trying to vfree\(\) "),
        ("panic", r"^Kernel panic - not syncing"),
    )
)
_FATAL = {"bug", "kasan", "null-dereference", "page-fault", "general-protection", "oops", "list-corruption", "stack-overflow"}
"""after which an Oops and a panic are the same trouble's end"""
_CONSEQUENCES = {"oops", "panic"}
_ANNOUNCED = {"vfree", "list-corruption"}
"""what the kernel says on the line before the WARNING or BUG that it makes of it"""


class Trouble(msgspec.Struct, frozen=True):
    """One report in a log."""

    kind: str
    title: str
    first: int
    """number of its first line, from 1"""
    last: int
    text: str


def find(log: str, first_line: int = 1) -> list[Trouble]:
    """Return the troubles in `log`, whose first line has the number `first_line`.

    What follows from a trouble (the Oops after a BUG, the panic after an Oops) belongs to it.
    """
    found: list[Trouble] = []
    block: list[str] = []
    kind, title, start, over = "", "", 0, True
    for number, raw in enumerate(log.removesuffix("\n").split("\n"), first_line):
        line = _clean(raw)
        seen = _kind(line)
        consequence = number - start < _LONGEST and (
            (seen in _CONSEQUENCES and kind in _FATAL | _CONSEQUENCES)
            or (kind in _ANNOUNCED and not over and seen in {"warning", "bug", *_CONSEQUENCES})
            or (kind == seen == "out-of-memory" and not over)
        )
        if seen and not consequence:
            if kind and seen == kind and line == title:
                continue
            if kind:
                found.append(Trouble(kind, title, start, start + len(block) - 1, "\n".join(block)))
            kind, title, start, block, over = seen, line, number, [raw], False
        elif kind and (not over or consequence):
            block += [""] * (number - start - len(block)) + [raw]
            over = bool(_END.search(line)) or len(block) >= _LONGEST
    if kind:
        found.append(Trouble(kind, title, start, start + len(block) - 1, "\n".join(block)))
    return found


def _clean(raw: str) -> str:
    return _STAMP.sub("", _ANSI.sub("", raw)).strip()


def _kind(line: str) -> str:
    return next((kind for kind, pattern in _KINDS if pattern.search(line)), "")
