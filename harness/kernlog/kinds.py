# SPDX-License-Identifier: GPL-2.0-only
"""The kinds of report that a kernel writes, and the lines that begin them.

The wordings are those of lib/bug.c, kernel/panic.c, mm/, kernel/locking, kernel/rcu, kernel/watchdog.c
and the architectures' traps.c and fault.c from 4.x to 6.x; those of RCU also from 2.6.
"""

from __future__ import annotations

import msgspec

from harness.model.trouble import Severity

_F, _E, _W = Severity.FATAL, Severity.ERROR, Severity.WARNING


class Kind(msgspec.Struct, frozen=True):
    """One kind of report."""

    name: str
    severity: Severity
    about: str
    """one line for people"""
    headers: tuple[tuple[str, str], ...]
    """forms of its first line: words that it always has, and a pattern for the start of the line without its prefix"""


_PANIC = "Kernel panic - not syncing"
# What die() prints ends with an error code, or is what sparc, mips and riscv print in its place. People write [#12] too.
_DIE = (
    r"[\w:, ()&/.-]{0,100}?(?:: [0-9a-f]{0,15}\d[0-9a-f]{0,15} (?:ilc:\d )?\[#\d+\]|\w\(\d+\): [\w -]{1,40}\[#\d+\]"
    r"|\w\[#\d+\]:\W*$|[Kk]ernel BUG \[#\d+\])"
)
_SPOT = r"(?:\S*(?:/|:\d|\+0x)|[(\[]|(?:0x)?[0-9a-f]{8})"
"""a place in the source or in the code"""

KINDS = (
    Kind(
        "bug",
        _F,
        "a BUG_ON: the kernel ended the task that came here",
        (("ernel BUG at ", r"[Kk]ernel BUG at " + _SPOT),),
    ),
    Kind(
        "kasan",
        _E,
        "KASAN: an access to memory that is freed, out of bounds or not there",
        (("BUG: KAS", r"BUG: KAS(?:AN|an): \S"),),
    ),
    Kind("kmsan", _E, "KMSAN: use of memory that was never written", (("BUG: KMSAN: ", r"BUG: KMSAN: \S"),)),
    Kind("kcsan", _E, "KCSAN: a data race", (("BUG: KCSAN: ", r"BUG: KCSAN: \S"),)),
    Kind(
        "kfence", _E, "KFENCE: an access out of bounds or after free, found by sampling", (("BUG: KFENCE: ", r"BUG: KFENCE: \S"),)
    ),
    Kind(
        "null-dereference",
        _F,
        "the kernel used a null pointer",
        (
            ("NULL pointer dereference", r"BUG: (?:unable to handle )?[Kk]ernel NULL pointer dereference"),
            ("NULL pointer dereference", r"(?:CPU \d+ )?Unable to handle kernel NULL pointer dereference"),
        ),
    ),
    Kind(
        "stack-overflow",
        _F,
        "the kernel's stack overflowed or was overwritten",
        (
            ("stack guard page was hit", r"BUG: (?:\w+ )?stack guard page was hit"),
            ("Insufficient stack space", r"Insufficient stack space to handle exception"),
            ("ernel stack overflow", r"[Kk]ernel stack overflow(?:\W*$| \(| in | on | detected)"),
            (_PANIC, _PANIC + r": (?:\w+: )?(?:[Kk]ernel stack (?:overflow|is corrupted)|corrupted (?:shadow )?stack)"),
            ("IRQ: stack overflow", r"do_\w*IRQ: stack overflow: "),
            ("stack-protector:", _PANIC + r": stack-protector: "),
        ),
    ),
    Kind(
        "page-fault",
        _F,
        "the kernel used an address that is not mapped, or not for that use",
        (
            ("nable to handle ", r"BUG: [Uu]nable to handle (?:kernel|page fault|unknown)"),
            ("nable to handle ", r"(?:CPU \d+ )?Unable to handle (?:kernel|unknown|user address|paging)"),
            ("BUG: Kernel ", r"BUG: Kernel \w+ access"),
        ),
    ),
    Kind(
        "general-protection",
        _F,
        "a general protection fault, mostly a wild pointer",
        (("eneral protection fault", r"(?:Oops: )?general protection fault(?:, (?:probably|maybe|kernel) |: \d[0-9a-f]{3}\b)"),),
    ),
    Kind(
        "double-fault",
        _F,
        "a fault while a fault was handled",
        (("ouble fault", r"(?:traps: |Oops: )?(?:PANIC: double fault|double fault: \d[0-9a-f]{3}\b)"),),
    ),
    Kind(
        "divide-error",
        _F,
        "a division by zero or one that overflows",
        (("ivide error", r"(?:Oops: )?divide error: \d[0-9a-f]{3}\b"),),
    ),
    Kind(
        "invalid-opcode",
        _F,
        "an instruction that the CPU does not know",
        (("nvalid opcode", r"(?:Oops: )?invalid opcode: \d[0-9a-f]{3}\b"),),
    ),
    Kind(
        "atomic",
        _E,
        "sleeping, scheduling or using per-CPU data where the context forbids it",
        (
            ("BUG: sleeping function", r"BUG: sleeping function called from invalid context"),
            ("BUG: scheduling ", r"BUG: scheduling (?:while atomic|in a non-blocking)"),
            ("BUG: using ", r"BUG: using \w+\(\) in preemptible"),
            ("BUG: assuming ", r"BUG: assuming (?:atomic|non migratable) context"),
            ("BUG: workqueue leaked", r"BUG: workqueue leaked (?:lock|atomic)"),
        ),
    ),
    Kind("soft-lockup", _E, "a CPU that does not schedule", (("soft lockup", r"(?:NMI )?(?:watchdog: )?BUG: soft lockup"),)),
    Kind(
        "hard-lockup",
        _E,
        "a CPU that does not take interrupts",
        (
            ("hard LOCKUP", r"(?:NMI )?(?:watchdog: )?(?:CPU\d+: )?Watchdog detected hard LOCKUP"),
            ("ard LOCKUP", r"watchdog: CPU \d+ (?:self-detected hard|detected hard|Hard) LOCKUP"),
            ("Hard LOCKUP", _PANIC + r": Hard LOCKUP"),
        ),
    ),
    Kind("workqueue-lockup", _E, "a worker pool that makes no progress", (("BUG: workqueue lockup", r"BUG: workqueue lockup"),)),
    Kind(
        "bad-page",
        _E,
        "a page, a page table or their counts are wrong",
        (
            ("BUG: Bad ", r"BUG: Bad (?:page (?:state|map in|cache)|rss-counter)"),
            ("BUG: non-zero ", r"BUG: non-zero (?:pgtables_bytes|nr_p[tm][ed]s)"),
            ("Corrupted page table", r".{1,40}: Corrupted page table at address [0-9a-f]"),
            (": bad p", r"\S+\.[ch]:\d+: bad p[4mgtu]{1,2}[de] "),
            ("Bad swap ", r"\w+: Bad swap (?:file|offset) entry"),
        ),
    ),
    Kind(
        "spinlock",
        _E,
        "a spinlock or rwlock that is corrupt, or misused",
        (
            ("BUG: spinlock ", r"BUG: spinlock \S"),
            ("BUG: rwlock ", r"BUG: rwlock \S"),
        ),
    ),
    Kind(
        "slab",
        _E,
        "a slab's objects or its bookkeeping were overwritten, or objects were left behind",
        (
            (
                "BUG ",
                r"BUG [^\s:(][^:(]{0,60}(?:\(\d+:[^)]{0,90}\))? \((?:Not tainted|Tainted)[^)]{0,80}\): (?!kasan: bad access)\S",
            ),
            ("Objects remaining", r"BUG [\w-]{1,60}: Objects remaining"),
            ("lab corruption", r"[Ss]lab corruption\b.{0,90}\bstart="),
            ("slab error in ", r"slab error in \w+\(\): "),
            ("still has objects", r"(?:kmem_cache_destroy|BUG) .{1,80}still has objects"),
            ("pagealloc: memory corruption", r"pagealloc: memory corruption\W*$"),
            ("pagealloc: single bit error", r"pagealloc: single bit error"),
            ("element poison mismatch", r"BUG: mempool element poison mismatch"),
            ("(corrupted)", r".{0,60}dma_pool_(?:alloc|free) .{1,60}\(corrupted\)"),
        ),
    ),
    Kind(
        "lockdep",
        _E,
        "lock debugging: a deadlock that can happen, or a rule of locking or RCU that was broken",
        (
            (" possible ", r"(?:WARNING: |\[ INFO: |INFO: )possible (?:circular locking|recursive locking|irq lock|reason: unann)"),
            ("suspicious ", r"(?:WARNING: |\[ INFO: |INFO: )suspicious (?:RCU|rcu)"),
            ("inconsistent lock", r"(?:WARNING: |\[ INFO: |INFO: )inconsistent (?:\{[^}]*\} )?lock state"),
            ("-unsafe lock order", r"(?:WARNING: |\[ INFO: |INFO: )\S+-safe -> \S+-unsafe lock order"),
            ("bad unlock balance", r"(?:WARNING: |\[ BUG: |BUG: )bad unlock balance"),
            ("bad contention", r"(?:WARNING: |\[ BUG: |BUG: )bad contention"),
            ("held lock freed", r"(?:WARNING: |\[ BUG: |BUG: )held lock freed"),
            ("ested lock was not taken", r"(?:WARNING: |\[ BUG: |BUG: )[Nn]ested lock was not taken"),
            ("lock held ", r"(?:WARNING: |\[ BUG: |BUG: )lock held (?:when returning to user|at task exit)"),
            ("still has locks held", r"(?:WARNING: |\[ BUG: |BUG: ).{1,40} still has locks held"),
            ("deadlock detected", r"(?:WARNING: |\[ BUG: |BUG: |INFO: )circular locking deadlock detected"),
            ("BUG: Invalid wait context", r"\[ BUG: Invalid wait context \]"),
            ("chain_key collision", r"WARNING: chain_key collision"),
            ("non-static key", r"INFO: trying to register non-static key"),
            ("BUG: MAX_", r"BUG: MAX_(?:LOCK\w+|STACK_TRACE_ENTRIES) too low"),
            ("BUG: key ", r"BUG: key \S+ (?:not in|has not been)"),
            ("BUG: looking up invalid subclass", r"BUG: looking up invalid subclass"),
        ),
    ),
    Kind(
        "refcount",
        _E,
        "a reference count that overflowed, or was used after it reached zero",
        (("refcount_t: ", r"refcount_t: (?:[a-z]+flow|saturated|\w+ (?:on|hit) )"),),
    ),
    Kind(
        "debug-object",
        _E,
        "a timer, work item or the like that was freed or started in a wrong state",
        (("ODEBUG: ", r"ODEBUG: (?!Out of|selftest|\d)\S.*object"),),
    ),
    Kind(
        "list-corruption",
        _E,
        "a linked list or a tree whose links do not agree",
        (
            ("list_add ", r"list_add (?:corruption[.,]|double add:|attempted )"),
            ("list_del ", r"list_del (?:corruption[.,]|attempted )"),
            ("tree is corrupted", r"(?:\w+ )?tree is corrupted: [0-9a-f]*\d"),
        ),
    ),
    Kind(
        "usercopy",
        _F,
        "a copy between the kernel and a program that would pass an object's end",
        (
            ("attempt detected", r"usercopy: Kernel memory (?:exposure|overwrite) attempt detected"),
            ("kernel memory ", r"kernel memory (?:exposure|overwrite) attempt detected"),
        ),
    ),
    Kind(
        "buffer-overflow",
        _F,
        "a string or memory function told to pass the end of its buffer",
        (("detected buffer overflow", r"(?:detected buffer overflow in \w+\W*$|\w+: detected buffer overflow(?:: \d|\W*$))"),),
    ),
    Kind(
        "vfree",
        _W,
        "an address given to vfree() or vunmap() that is none of theirs",
        (("Trying to v", r"Trying to v(?:free|unmap)\(\) (?:nonexistent|bad) "),),
    ),
    Kind(
        "cfi",
        _F,
        "an indirect call to what is not a function of that type",
        (("CFI failure", r"CFI failure (?:at \S*0x|\(target: )"),),
    ),
    Kind(
        "warning",
        _W,
        "a WARN_ON: something that should not be, and that the kernel can live with",
        (
            ("WARNING: ", r"WARNING: (?:CPU: ?\d+ (?:UID: ?\d+ )?PID: ?\d+ )?at " + _SPOT),
            ("WARNING: ", r"WARNING: (?:\[.{1,200}\] )?\S+\.(?:[chS]|rs):\d+ at \S"),
            ("WARNING: ", r"WARNING: CPU: ?\d+ PID: ?\d+"),
            (
                "WARNING: ",
                r"WARNING: (?:kernel stack (?:regs|frame pointer) (?:at|has)|stack going in the wrong"
                r"|can't (?:access registers|dereference)|unrecognized unwind)",
            ),
            ("Badness at ", r"Badness at \S+:\d+"),
        ),
    ),
    Kind("ubsan", _E, "UBSAN: behaviour that C does not define", (("UBSAN: ", r"UBSAN: \S.* in \S*(?:/|:\d|\+0x)"),)),
    Kind(
        "rcu-stall",
        _E,
        "a CPU or task that keeps RCU's grace period from ending",
        (
            ("detected stall", r"(?:rcu: )?(?:INFO: )?\w+ detected stalls? on (?:CPUs?|tasks)(?:/tasks)?(?:\W*$|:| \d| \{)"),
            ("detected CPU", r"INFO: RCU detected CPU \d+ stall"),
            ("detected CPU stalls", r"(?:INFO: )?RCU detected CPU stalls:"),
            ("-detected stall", r"(?:rcu: )?(?:INFO: )?\w+ self-detected stall on CPU"),
            ("detected expedited stalls", r"(?:rcu: )?(?:INFO: )?\w+ detected expedited stalls"),
            ("RCU Stall", _PANIC + r": RCU Stall"),
        ),
    ),
    Kind(
        "hung-task",
        _E,
        "a task that waits for minutes",
        (
            ("blocked for more than", r"INFO: task .{1,40}:\d+ blocked for more than \d+ seconds"),
            ("blocked in I/O wait", r"INFO: task .{1,40}:\d+ blocked in I/O wait for more than \d+ seconds"),
            ("can't die for more", r"INFO: task .{1,40} can't die for more than \d+ seconds"),
            ("hung_task: blocked", _PANIC + r": hung_task: blocked"),
        ),
    ),
    Kind(
        "out-of-memory",
        _W,
        "memory ran out; a task was killed, or none could be",
        (
            ("invoked oom-killer", r".{1,40} invoked oom-killer: (?:gfp_|order)"),
            ("ut of memory", r"(?:Memory cgroup o|O)ut of memory(?: \([^)]*\))?: Kill(?:ed)? process \d"),
            ("ut of memory", _PANIC + r": (?:.{0,40}[Oo]ut of memory)"),
            ("deadlocked on memory", _PANIC + r": System is deadlocked on memory"),
        ),
    ),
    Kind(
        "allocation-failure",
        _W,
        "memory was refused",
        (
            ("page allocation failure", r".{1,40}: page allocation failure[.:]?(?:$| ?order)"),
            ("page allocation stalls", r".{1,40}: page allocation stalls for"),
            ("vmalloc error: size", r"(?:.{1,40}: )?vmalloc error: size "),
            ("vmalloc: allocation failure", r"(?:.{1,40}: )?vmalloc: allocation failure"),
            ("percpu: allocation failed", r"percpu: allocation failed, size="),
            ("Unable to allocate memory", r"SL[UA]B: Unable to allocate memory on (?:node|CPU)"),
        ),
    ),
    Kind(
        "vmap-exhausted",
        _W,
        "no room for a mapping in vmalloc's address space",
        (
            ("vmap allocation for size", r"vmap allocation for size \d+ failed"),
            ("vmalloc_node_range for size", r"(?:.{1,40}: )?vmalloc_node_range for size \d+ failed"),
        ),
    ),
    Kind(
        "memory-leak",
        _E,
        "kmemleak: memory that nothing points to, or an object that it was told wrong of",
        (
            ("suspected memory leak", r"kmemleak: \d+ new suspected memory leak"),
            ("unreferenced object 0x", r"unreferenced object 0x[0-9a-f]+ \(size \d+\)"),
            ("BUG: memory leak", r"BUG: memory leak"),
            ("kmemleak: Cannot insert", r"kmemleak: Cannot insert"),
            ("kmemleak: Freeing unknown", r"kmemleak: Freeing unknown object"),
            ("kmemleak: Partially freeing", r"kmemleak: Partially freeing unknown object"),
            ("kmemleak: Trying to color", r"kmemleak: Trying to color unknown object"),
            ("kmemleak: Found object", r"kmemleak: Found object by alias"),
        ),
    ),
    Kind(
        "machine-check",
        _E,
        "the hardware reported an error",
        (
            ("[Hardware Error]: ", r"(?:mce: |\{\d+\}){0,2}\[Hardware Error\]: "),
            ("achine check", _PANIC + r": .{0,30}[Mm]achine check"),
            ("achine check", r"Machine check in kernel mode\W*$"),
            ("Machine Check", r"CPU \d+: Machine Check(?: Exception)?: "),
            ("SError", r"SError Interrupt on CPU ?\d+"),
            ("SError", _PANIC + r": Asynchronous SError"),
            ("hardware memory corruption", r"(?:MCE|Memory failure): .{0,60}due to hardware memory corruption"),
            ("NMI received for unknown", r"Uhhuh\. NMI received for unknown reason [0-9a-f]{2}\b"),
            ("NMI: ", r"NMI: (?:IOCK error|PCI system error) \("),
        ),
    ),
    Kind("irq", _W, "an interrupt that no driver wanted", (("nobody cared", r"irq \d+: nobody cared(?:\W*$| \()"),)),
    Kind(
        "oops",
        _F,
        "any other exception in the kernel",
        (
            ("Internal error: ", r"Internal error: (?:Oops\b|.{1,100}\[#\d)"),
            ("Oops", r"Oops(?:[: -].{0,100}?)?\[#\d+\]|Oops: (?:\d[0-9a-f]{3,15}|[0-9a-f]{3,15}\d)(?:\W*$| \[)"),
            ("[#", _DIE),
            ("Unhandled ", r"Unhandled (?:(?:fault|prefetch abort): .{1,80}\(0x|fault at 0x|.{1,40} exception on CPU\d+, ESR )"),
            ("Bad mode in ", r"Bad mode in .{1,40} handler detected(?:\W*$| on CPU)"),
            ("PANIC: ", r"(?:traps: )?PANIC: (?:early exception|Failed to decode|Failure in comm|Unsupported exit)"),
            ("Unrecoverable ", r"Unrecoverable (?:exception [0-9a-f]+ at |(?:FP|VMX|VSX|TM)\b)"),
            ("ixing recursive fault", r"Fixing recursive fault but reboot is needed"),
            ("Kernel mode ", r"Kernel mode fault at "),
        ),
    ),
    Kind("panic", _F, "the kernel gave up, for a reason that is no other kind", ((_PANIC, _PANIC),)),
    Kind(
        "inconsistency",
        _E,
        "any other line by which the kernel calls something a bug",
        (
            ("BUG: ", r"BUG: (?!KASAN|KMSAN|KCSAN|KFENCE|Bad page map: |\d+ |map for|mapping for|not (?:creating|updating))\S"),
            ("VFS: Busy inodes", r"VFS: Busy inodes after unmount"),
            ("VFS: Close: file", r"VFS: Close: file count is"),
            ("unregister_netdevice: waiting", r"unregister_netdevice: waiting for \S+ to become free"),
            ("huh, entered softirq", r"huh, entered softirq \d"),
            ("BUG! ", r"(?:\w+: )?BUG!(?! exception in phase)"),
        ),
    ),
)
"""in the order in which they are tried"""

SEVERITY = {kind.name: kind.severity for kind in KINDS}
ANNOUNCED = frozenset({"vfree", "list-corruption", "refcount", "debug-object", "usercopy", "buffer-overflow", "cfi"})
"""messages that the kernel prints together with a WARNING or a BUG"""
DEATHS = frozenset(
    {
        "bug",
        "null-dereference",
        "page-fault",
        "general-protection",
        "double-fault",
        "divide-error",
        "invalid-opcode",
        "oops",
        "stack-overflow",
        "cfi",
    }
)
"""kinds that kill at least the running task"""
STALLS = frozenset({"soft-lockup", "hard-lockup", "workqueue-lockup", "rcu-stall", "hung-task"})
"""kinds that report something that does not end"""
SANITIZERS = frozenset({"kasan", "kmsan", "kcsan", "kfence", "ubsan"})
"""kinds whose reports end with a line of equals signs"""
