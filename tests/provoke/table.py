# SPDX-License-Identifier: GPL-2.0-only
"""What is provoked, how, and what the kernel's log has to be understood as."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from harness.model.trouble import Severity

MACHINES = ("aarch64", "x86_64")
RECORDED = (*(("4.18", machine) for machine in MACHINES), ("6.12", "x86_64"))
"""bases and machines whose logs are kept"""


class Provocation(msgspec.Struct, frozen=True):
    """One thing that is provoked; its log is ``tests/data/provoked/BASE/MACHINE/NAME.log``."""

    name: str
    """``what=NAME`` of provoke.ko, unless `lkdtm` or `monitor` say what does it"""
    kind: str
    """of the one trouble that the log tells of"""
    severity: Severity
    function: str | None = None
    """to blame; None for the module's own provoke_NAME, empty where the log does not tell"""
    on: Mapping[str, Mapping[str, object]] = {}
    """fields that differ, by MACHINE, BASE or BASE/MACHINE; what comes later counts"""
    unknown: str = ""
    """reason why the kernel cannot be made to report it"""
    lkdtm: str = ""
    """what is written to LKDTM instead of loading the module"""
    monitor: str = ""
    """what QEMU's monitor is told instead"""
    profile: str = "debug"
    machines: tuple[str, ...] = MACHINES
    before: str = ""
    """what a shell does in the guest first"""
    after: str = ""
    """what it does then"""
    wait: float = 2.0
    """seconds to wait for the report after the command ended"""
    parameters: tuple[str, ...] = ()
    cmdline: str = ""
    frames: bool = True
    """whether the log has a call trace"""
    again: bool = False
    """whether a second boot's log is kept beside it, as NAME.again.log"""


def _sysctl(**values: int) -> str:
    return "".join(f"echo {value} > /proc/sys/kernel/{name}\n" for name, value in values.items())


# With PROVE_RCU it is five seconds more.
_RCU = "echo {} > /sys/module/rcupdate/parameters/rcu_cpu_stall_timeout\n".format
# Of age after five seconds; the first scan takes the contents' checksums, a second finds them unchanged.
_LEAK = "sleep 6\n" + "echo scan > /sys/kernel/debug/kmemleak\nsleep 1\n" * 2
_SHADOW_X86 = {"x86_64": {"kind": "general-protection"}}
_UNSEEN = {"aarch64": {"function": ""}}
"""4.18 has no way to make a CPU of arm64 that takes no interrupts tell where it is"""
_LITTLE = "mem=1G"
"""memory for which kmemleak works on every machine: see qemu_configs/kconfig/kernel-4.18-debug.config"""
_FATAL, _ERROR, _WARNING = Severity.FATAL, Severity.ERROR, Severity.WARNING


def _p(name: str, kind: str, severity: Severity, function: str | None = None, **other: object) -> Provocation:
    return msgspec.convert({"name": name, "kind": kind, "severity": severity, "function": function, **other}, Provocation)


TABLE: tuple[Provocation, ...] = (
    # The processor, and BUG() and its like.
    _p("panic", "panic", _FATAL),
    _p("bug", "bug", _FATAL, again=True),
    _p("bug_in_thread", "bug", _FATAL, "buggy_thread"),
    _p("warn", "warning", _WARNING, again=True),
    _p("warn_on", "warning", _WARNING),
    _p("null_read", "null-dereference", _FATAL, again=True),
    _p("null_write", "null-dereference", _FATAL),
    _p("null_exec", "null-dereference", _FATAL),
    _p("null_in_irq", "null-dereference", _FATAL, "null_in_timer"),
    _p("page_fault", "page-fault", _FATAL),
    _p("write_rodata", "page-fault", _FATAL),
    _p("exec_data", "page-fault", _FATAL),
    _p("gpf", "general-protection", _FATAL, on={"aarch64": {"kind": "page-fault"}}),
    _p("divide", "divide-error", _FATAL, machines=("x86_64",)),
    _p("invalid_opcode", "invalid-opcode", _FATAL, on={"aarch64": {"kind": "bug"}}),
    _p("stack_overflow", "stack-overflow", _FATAL, "recurse", profile="perf"),
    _p("double_fault", "double-fault", _FATAL, on={"aarch64": {"kind": "stack-overflow"}}, profile="perf", frames=False),
    # KASAN. What it looks up for a null pointer or a wild one is no memory either.
    _p("kasan_oob_read", "kasan", _ERROR),
    _p("kasan_oob_write", "kasan", _ERROR, again=True),
    _p("kasan_uaf", "kasan", _ERROR),
    _p("kasan_double_free", "kasan", _ERROR),
    _p("kasan_global", "kasan", _ERROR),
    _p("kasan_stack", "kasan", _ERROR),
    _p("kasan_null", "page-fault", _FATAL, on=_SHADOW_X86),
    _p("kasan_wild", "general-protection", _FATAL, on={"aarch64": {"kind": "page-fault"}}),
    _p("kasan_in_irq", "kasan", _ERROR, "read_stale"),
    # UBSAN.
    _p("ubsan_shift", "ubsan", _ERROR, again=True),
    _p("ubsan_bounds", "ubsan", _ERROR),
    _p("ubsan_bool", "ubsan", _ERROR),
    _p("ubsan_divide", "ubsan", _ERROR),
    # Memory's books.
    _p("kmemleak", "memory-leak", _ERROR, "", after=_LEAK, wait=3, frames=False, cmdline=_LITTLE),
    _p(
        "kmemleak_dump",
        "memory-leak",
        _ERROR,
        "provoke_kmemleak",
        parameters=("what=kmemleak",),
        cmdline=_LITTLE,
        after=f'{_LEAK}while IFS= read -r line; do echo "$line" > /dev/kmsg; done < /sys/kernel/debug/kmemleak\n',
        wait=3,
    ),
    _p("slab_redzone", "slab", _ERROR, profile="perf", again=True),
    _p("slab_poison", "slab", _ERROR, profile="perf"),
    _p("slab_double_free", "slab", _ERROR, profile="perf"),
    _p("slab_left", "slab", _ERROR, profile="perf"),
    _p(
        "kfree_wild",
        "bug",
        _FATAL,
        "kfree",
        on={"6.12": {"kind": "warning", "severity": _WARNING, "function": "free_large_kmalloc"}},
    ),
    _p("list_add", "list-corruption", _ERROR),
    _p("list_del", "list-corruption", _ERROR, again=True),
    _p("refcount_zero", "refcount", _ERROR),
    _p("refcount_underflow", "refcount", _ERROR),
    _p("refcount_saturated", "refcount", _ERROR),
    _p("bad_page", "bad-page", _ERROR),
    _p("page_twice", "bug", _FATAL, "__free_pages"),
    _p("page_poison", "slab", _ERROR, cmdline="page_poison=1"),
    _p("vfree_twice", "vfree", _WARNING),
    _p("vfree_unaligned", "vfree", _WARNING, profile="perf"),
    _p("spin_bad_magic", "spinlock", _ERROR),
    _p("spin_wrong_owner", "spinlock", _ERROR),
    # Allocations that fail.
    _p("oom", "out-of-memory", _WARNING, profile="perf", wait=5),
    _p("eat_memory", "out-of-memory", _FATAL, "eat", profile="perf", wait=30),
    _p("page_failure", "allocation-failure", _WARNING),
    _p("vmalloc_failure", "allocation-failure", _WARNING, again=True),
    _p("vmap_exhausted", "vmap-exhausted", _WARNING, "", frames=False),
    # lockdep.
    _p("lockdep_circular", "lockdep", _ERROR, again=True),
    _p("lockdep_recursive", "lockdep", _ERROR),
    _p("lockdep_inconsistent", "lockdep", _ERROR),
    _p("lockdep_irq_unsafe", "lockdep", _ERROR),
    _p("lockdep_irq_inversion", "lockdep", _ERROR, "take_a_in_softirq"),
    _p("lockdep_balance", "lockdep", _ERROR),
    _p("lockdep_freed", "lockdep", _ERROR),
    _p("lockdep_user", "lockdep", _ERROR, frames=False),
    _p("lockdep_exit", "lockdep", _ERROR, "end_with_lock"),
    _p("rcu_usage", "lockdep", _ERROR),
    # Contexts.
    _p("sleep_atomic", "atomic", _ERROR, again=True),
    _p("sched_atomic", "atomic", _ERROR),
    _p("preemptible", "atomic", _ERROR),
    _p("preempt_leak", "warning", _WARNING, "do_one_initcall"),
    _p("work_leak", "atomic", _ERROR, "leaking_work"),
    # Stalls. Timeouts are set so that only one watchdog barks.
    _p("rcu_stall", "rcu-stall", _ERROR, before=_RCU(3), parameters=("seconds=12",), again=True),
    _p("rcu_stall_irqs_off", "rcu-stall", _ERROR, before=_RCU(3), parameters=("seconds=12",), on=_UNSEEN),
    _p("rcu_stall_task", "rcu-stall", _ERROR, before=_RCU(3), parameters=("seconds=12",)),
    _p("soft_lockup", "soft-lockup", _ERROR, before=_RCU(60) + _sysctl(watchdog_thresh=2), parameters=("seconds=7",), again=True),
    _p(
        "hung_task",
        "hung-task",
        _ERROR,
        before=_sysctl(hung_task_timeout_secs=2, hung_task_warnings=1),
        parameters=("seconds=6",),
        again=True,
    ),
    _p(
        "hung_mutex",
        "hung-task",
        _ERROR,
        "take_what_is_held",
        before=_sysctl(hung_task_timeout_secs=2, hung_task_warnings=1),
        parameters=("seconds=6",),
    ),
    _p(
        "work_lockup",
        "workqueue-lockup",
        _ERROR,
        "busy_work",
        before=_RCU(60) + "echo 2 > /sys/module/workqueue/parameters/watchdog_thresh\n",
        parameters=("seconds=9",),
        # Its timer waits for a CPU that is not idle.
        cmdline="nohz=off",
        frames=False,
        on={"6.12": {"unknown": "others no longer wait for a work item that keeps its CPU busy"}},
    ),
    # The hardware, which reports to nobody in particular.
    _p(
        "machine_check",
        "machine-check",
        _FATAL,
        "",
        monitor="mce -b 0 1 0xb200000000000000 0x5 0x0 0x0",
        machines=("x86_64",),
        frames=False,
        on={"6.12": {"unknown": "lockdep reports a lock of the kernel's own in the middle of it"}},
    ),
    _p(
        "nmi_panic",
        "machine-check",
        _FATAL,
        "native_safe_halt",
        monitor="nmi",
        machines=("x86_64",),
        on={"6.12": {"function": "arch_cpu_idle"}},
    ),
    # The kernel's own collection.
    # Behind a call that does not return there may be nothing: the log of arm64 has the next function's first byte.
    _p("lkdtm_panic", "panic", _FATAL, "lkdtm_PANIC", lkdtm="PANIC", on={"aarch64": {"function": "lkdtm_do_action"}}),
    _p("lkdtm_bug", "bug", _FATAL, "lkdtm_BUG", lkdtm="BUG"),
    _p("lkdtm_warning", "warning", _WARNING, "lkdtm_WARNING", lkdtm="WARNING"),
    _p(
        "lkdtm_exception", "page-fault", _FATAL, "lkdtm_EXCEPTION", lkdtm="EXCEPTION", on={"x86_64": {"kind": "general-protection"}}
    ),
    _p("lkdtm_exec_stack", "page-fault", _FATAL, "execute_location", lkdtm="EXEC_STACK"),
    _p("lkdtm_exec_vmalloc", "page-fault", _FATAL, "execute_location", lkdtm="EXEC_VMALLOC"),
    _p("lkdtm_write_ro", "page-fault", _FATAL, "lkdtm_WRITE_RO", lkdtm="WRITE_RO"),
    _p(
        "lkdtm_overwrite_allocation",
        "kasan",
        _ERROR,
        "lkdtm_OVERWRITE_ALLOCATION",
        lkdtm="OVERWRITE_ALLOCATION",
        on={"6.12": {"lkdtm": "SLAB_LINEAR_OVERFLOW", "function": "lkdtm_SLAB_LINEAR_OVERFLOW"}},
    ),
    _p("lkdtm_write_after_free", "kasan", _ERROR, "lkdtm_WRITE_AFTER_FREE", lkdtm="WRITE_AFTER_FREE"),
    _p("lkdtm_list_add", "list-corruption", _ERROR, "lkdtm_CORRUPT_LIST_ADD", lkdtm="CORRUPT_LIST_ADD"),
    _p("lkdtm_list_del", "list-corruption", _ERROR, "lkdtm_CORRUPT_LIST_DEL", lkdtm="CORRUPT_LIST_DEL"),
    _p("lkdtm_refcount_inc_zero", "refcount", _ERROR, "lkdtm_REFCOUNT_INC_ZERO", lkdtm="REFCOUNT_INC_ZERO"),
    _p("lkdtm_refcount_dec_zero", "refcount", _ERROR, "lkdtm_REFCOUNT_DEC_ZERO", lkdtm="REFCOUNT_DEC_ZERO"),
    _p(
        "lkdtm_usercopy_heap",
        "usercopy",
        _FATAL,
        "do_usercopy_heap_size",
        lkdtm="USERCOPY_HEAP_SIZE_TO",
        on={"6.12": {"lkdtm": "USERCOPY_SLAB_SIZE_TO", "function": "do_usercopy_slab_size"}},
    ),
    _p("lkdtm_usercopy_stack", "usercopy", _FATAL, "do_usercopy_stack", lkdtm="USERCOPY_STACK_BEYOND"),
    _p(
        "lkdtm_hung_task",
        "hung-task",
        _ERROR,
        "lkdtm_HUNG_TASK",
        lkdtm="HUNG_TASK",
        before=_sysctl(hung_task_timeout_secs=2, hung_task_warnings=1),
        wait=6,
    ),
    _p(
        "lkdtm_softlockup",
        "soft-lockup",
        _ERROR,
        "lkdtm_SOFTLOCKUP",
        lkdtm="SOFTLOCKUP",
        before=_RCU(60) + _sysctl(watchdog_thresh=2),
        wait=6,
    ),
    _p("lkdtm_hardlockup", "rcu-stall", _ERROR, "lkdtm_HARDLOCKUP", lkdtm="HARDLOCKUP", before=_RCU(3), wait=30, on=_UNSEEN),
    _p(
        "lkdtm_spinlockup",
        "lockdep",
        _ERROR,
        "lkdtm_SPINLOCKUP",
        lkdtm="SPINLOCKUP",
        on={"aarch64": {"kind": "atomic"}},
        frames=False,
    ),
)
"""in the order of tests/provoke/main.c, then LKDTM"""


HARMLESS = (_p("escape", "", _WARNING, "", profile="perf", frames=False),)
"""what only looks like trouble: of its log nothing is to be made"""


def on(provocation: Provocation, base: str, machine: str) -> Provocation:
    """Return what a provocation is on `machine` with the kernel of `base`, with the function that is to blame."""
    fields: dict[str, object] = {"function": f"provoke_{provocation.name}"} if provocation.function is None else {}
    for place in (machine, base, f"{base}/{machine}"):
        fields |= provocation.on.get(place, {})
    return msgspec.convert(msgspec.to_builtins(provocation) | fields, Provocation)


def all_on(base: str, machine: str) -> list[Provocation]:
    """Return all that can be provoked on `machine` with the kernel of `base`, what only looks like trouble last."""
    each = [on(provocation, base, machine) for provocation in (*TABLE, *HARMLESS) if machine in provocation.machines]
    return [provocation for provocation in each if not provocation.unknown]
