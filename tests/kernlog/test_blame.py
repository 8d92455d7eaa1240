# SPDX-License-Identifier: GPL-2.0-only
"""Who is to blame: neither the holder of some lock, nor what reports, checks, prints or does what it is told."""

from __future__ import annotations

import pytest

from harness import kernlog
from harness.kernlog import blame
from tests.support.kernel_log import only

RULE = "=" * 30


def function(*lines: str) -> str:
    return only(*lines).function


def lockdep(header: str, *lines: str, trace: tuple[str, ...] = ()) -> str:
    backtrace = ("stack backtrace:", "CPU: 0 PID: 97 Comm: insmod Not tainted 4.18.0 #1", "Call Trace:", " dump_stack+0xa4/0xfa")
    return function(RULE, header, "4.18.0 #1 Not tainted", "-" * 30, *lines, "", *backtrace, *(f" {f}+0x1c/0x40" for f in trace))


HELD = ("1 lock held by insmod/97:", " #0: 00000000a1a1a1a1 (fill_lock){+.+.}, at: holder+0x1c/0x40")


def test_suspicious_rcu_usage_is_not_blamed_on_who_holds_a_lock() -> None:
    said = ("fill.c:12 suspicious rcu_dereference_check() usage!", "", "other info that might help us debug this:", "", "", *HELD)
    header = "WARNING: suspicious RCU usage"
    assert lockdep(header, *said, trace=("lockdep_rcu_suspicious", "fill", "caller")) == "fill"
    asleep = ("lockdep_rcu_suspicious", "___might_sleep", "__might_sleep", "kmem_cache_alloc", "fill", "caller")
    assert lockdep(header, *said, trace=asleep) == "fill"
    assert lockdep(header, *said, trace=("lockdep_rcu_suspicious", "__might_fault", "_copy_to_user", "fill")) == "fill"


@pytest.mark.parametrize("place", ["[<00000000a1a1a1a1>] drain+0x1c/0x40", "drain+0x1c/0x40"])
def test_bad_unlock_balance_is_blamed_on_who_unlocks(place: str) -> None:
    said = ("insmod/97 is trying to release lock (fill_lock) at:", place, "but there are no more locks to release!", "", *HELD)
    assert lockdep("WARNING: bad unlock balance detected!", *said, trace=("lock_release", "_raw_read_unlock", "drain")) == "drain"


def test_a_lock_that_is_held_is_to_blame_where_it_should_not_be() -> None:
    said = ("insmod/97 is leaving the kernel with locks still held!", *HELD)
    assert lockdep("WARNING: lock held when returning to user space!", *said, trace=("caller",)) == "holder"
    assert lockdep("WARNING: insmod/97 still has locks held!", *HELD, trace=("debug_check_no_locks_held", "do_exit")) == "holder"
    freeing = ("insmod/97 is freeing memory 1-2, with a lock still held there!", HELD[1].replace(" #0: ", ""))
    assert lockdep("WARNING: held lock freed!", *freeing, *HELD, trace=("debug_check_no_locks_freed", "kfree", "fill")) == "holder"


def test_a_deadlock_is_blamed_on_who_takes_the_second_lock() -> None:
    said = (
        "insmod/97 is trying to acquire lock:",
        "00000000a1a1a1a1 (b){+.+.}, at: fill+0x1c/0x40",
        "",
        "but task is already holding lock:",
        "00000000a2a2a2a2 (a){+.+.}, at: holder+0x1c/0x40",
    )
    header = "WARNING: possible circular locking dependency detected"
    assert lockdep(header, *said, trace=("print_circular_bug", "lock_acquire", "fill", "caller")) == "fill"
    waits = tuple(line.replace("fill+", "__flush_work+") for line in said)
    assert lockdep(header, *waits, trace=("lock_acquire", "__flush_work", "cancel_work_sync", "drain")) == "drain"


def test_a_lock_without_a_key_is_blamed_on_who_uses_it() -> None:
    trace = ("register_lock_class", "__lock_acquire", "_raw_spin_lock_irqsave", "complete", "fill")
    said = ["INFO: trying to register non-static key.", "the code is fine but needs lockdep annotation."]
    assert function(*said, "Call Trace:", *(f" {f}+0x1c/0x40" for f in trace)) == "fill"


def atomic(where: str, *trace: str, count: int = 1) -> str:
    return function(
        "BUG: sleeping function called from invalid context at mm/slab.h:422",
        f"in_atomic(): {count}, irqs_disabled(): 0, pid: 97, name: insmod",
        "Preemption disabled at:",
        f"[<00000000a1a1a1a1>] {where}+0x1c/0x40",
        "CPU: 0 PID: 97 Comm: insmod Not tainted 4.18.0 #1",
        "Call Trace:",
        *(f" {f}+0x1c/0x40" for f in ("dump_stack", "___might_sleep", *trace)),
    )


def test_where_preemption_was_disabled_is_no_frame() -> None:
    assert atomic("caller", "fill", "caller") == "fill"
    assert atomic("elsewhere", "fill", "caller", count=0) == "fill"


def test_who_returned_without_enabling_preemption_is_to_blame() -> None:
    assert atomic("leaver", "fill", "caller") == "leaver"


@pytest.mark.parametrize("code", ["Bad RIP value.", "90 90 <c7> 04 25"])
def test_a_function_at_the_start_of_readable_memory_is_to_blame(code: str) -> None:
    """X86 cannot print the bytes before the first function of a module's init, and then says the same as of a wild jump."""
    header = (
        "BUG: unable to handle kernel NULL pointer dereference at 0000000000000000",
        "PGD 0 P4D 0",
        "Oops: 0002 [#1] PREEMPT SMP",
    )
    trace = ("Call Trace:", " do_one_initcall+0x3b/0x130", " do_init_module+0x58/0x250")
    assert function(*header, "RIP: 0010:begin+0x1e/0x1000 [mine]", f"Code: {code}", *trace) == "begin"
    assert function(*header, "RIP: 0010:          (null)", "Code: Bad RIP value.", *trace) == "do_one_initcall"


@pytest.mark.parametrize(
    "trace",
    [
        ("memcmp", "strnstr", "fill"),
        ("string", "vsnprintf", "vscnprintf", "vprintk_store", "vprintk_emit", "printk", "fill"),
        ("hex_string", "pointer", "vsnprintf", "va_format", "__dev_printk", "_dev_err", "fill"),
        ("unwind_next_frame", "__save_stack_trace", "save_stack", "kasan_kmalloc", "fill"),
        ("quarantine_reduce", "kasan_kmalloc", "fill"),
        ("work_is_static_object", "debug_object_activate", "__queue_work", "queue_work_on", "fill"),
        ("__lock_acquire", "_raw_spin_lock_irqsave", "finish_wait", "fill"),
        ("_raw_spin_lock_irqsave", "__wake_up_common_lock", "fill"),
        ("refcount_inc", "kobject_get", "fill"),
        ("lock_timer_base", "del_timer_sync", "fill"),
        ("kfree", "fill"),
        ("_copy_to_iter", "fill"),
    ],
)
def test_kasan_blames_who_calls_what_only_does_as_it_is_told(trace: tuple[str, ...]) -> None:
    lines = (RULE * 2, f"BUG: KASAN: use-after-free in {trace[0]}+0x1c/0x40", "Read of size 8 at addr ffff888012345678 by task a/9")
    reporting = ("dump_stack", "print_address_description", "kasan_report", *trace, "caller")
    assert function(*lines, "", "Call Trace:", *(f" {f}+0x1c/0x40" for f in reporting)) == "fill"


def oops(*trace: str) -> str:
    head = ("BUG: unable to handle kernel paging request at ffffc90000001000", "Oops: 0000 [#1] SMP")
    return function(*head, f"RIP: 0010:{trace[0]}+0x1c/0x40", "Call Trace:", *(f" {f}+0x1c/0x40" for f in trace[1:]))


def test_a_fault_in_a_helper_is_its_callers() -> None:
    assert oops("timer_is_static_object", "debug_object_assert_init", "del_timer", "fill") == "fill"
    assert oops("should_fail", "fill", "caller") == "fill"
    assert oops("hlock_class", "mark_lock", "__lock_acquire", "lock_acquire", "_raw_spin_lock", "fill") == "fill"


@pytest.mark.parametrize(
    "name",
    [
        *("alloc_vmap_area", "__free_vmap_area", "__vunmap", "vfree", "vmap_page_range_noflush", "__vmalloc_node_range"),
        *("pcpu_alloc", "free_percpu", "kfree", "kmem_cache_alloc", "get_user_pages_fast", "clear_page_dirty_for_io"),
        *("copy_user_huge_page", "rmqueue", "prep_new_page", "unmap_page_range", "put_page", "insert_vmap_area"),
    ],
)
def test_a_fault_in_memory_management_is_its_own(name: str) -> None:
    assert oops(name, "caller") == name
    assert (
        function("------------[ cut here ]------------", "kernel BUG at mm/vmalloc.c:512!", f"RIP: 0010:{name}+0x1c/0x40") == name
    )


def test_an_over_run_of_a_buffer_is_blamed_on_who_filled_it() -> None:
    trace = ("skb_put", "fill", "caller")
    head = ("kernel BUG at net/core/skbuff.c:104!", "RIP: 0010:skb_panic+0x1c/0x40", "Call Trace:")
    assert function(*head, *(f" {f}+0x1c/0x40" for f in trace)) == "fill"


def test_a_hung_task_is_blamed_on_who_waits() -> None:
    head = (
        "INFO: task insmod:97 blocked for more than 120 seconds.",
        "insmod          D    0    97      1 0x00000000",
        "Call Trace:",
    )
    switched = ("__rela_dyn_start", "__switch_to", "__schedule", "schedule", "schedule_timeout")
    for waits in (("wait_for_completion",), ("wait_for_common", "__flush_work", "cancel_delayed_work_sync"), ("io_schedule",)):
        assert function(*head, *(f" {f}+0x1c/0x40" for f in (*switched, *waits, "fill"))) == "fill"


def test_arm_says_who_called_what_does_not_return() -> None:
    found = kernlog.find(
        "Kernel panic - not syncing: no room\n"
        "CPU: 1 PID: 97 Comm: insmod Not tainted 4.18.0 #1\n"
        "Backtrace:\n"
        "[<81700000>] (dump_stack) from [<81700100>] (panic+0x11c/0x36c)\n"
        "[<81700200>] (panic) from [<80200000>] (behind+0x0/0xa0)\n"
        "[<80200100>] (fill) from [<80200200>] (caller+0x7c/0x180)\n"
    )
    assert [frame.function for frame in found[0].frames] == ["panic", "fill", "caller"]
    assert not any(frame.exact for frame in found[0].frames)
    assert found[0].function == "fill"


def test_a_panic_that_follows_does_not_change_whom_to_blame() -> None:
    report = (
        "WARNING: CPU: 1 PID: 97 at mm/vmalloc.c:1750 fill+0x44c/0x584",
        "Modules linked in:",
        "Kernel panic - not syncing: panic_on_warn set ...",
        "Call Trace:",
        *(f" {f}+0x1c/0x40" for f in ("dump_stack", "panic", "other", "__warn", "fill", "caller")),
    )
    assert function("------------[ cut here ]------------", *report) == "fill"


@pytest.mark.parametrize(
    ("name", "source"), [("fill.isra.3.cold.7", "fill"), ("fill_ret_addr", "fill"), ("fill_addr", "fill_addr")]
)
def test_what_a_compiler_appends_is_no_part_of_a_name(name: str, source: str) -> None:
    assert blame.plain(name) == source


def test_a_report_that_differs_in_more_than_addresses_is_read_anew() -> None:
    def report(function: str, pid: int, address: int, code: int) -> str:
        return (
            f"Unable to handle kernel paging request at virtual address {address:016x}\n"
            f"Internal error: Oops: {code:08x} [#1] PREEMPT SMP\n"
            f"CPU: 1 PID: {pid} Comm: insmod Not tainted 4.18.0 #1\n"
            f"pc : {function}+0x1c/0x40\nlr : caller+0x8/0x40\nx0 : {address:016x}\nCall trace:\n {function}+0x1c/0x40\n"
        )

    def read(*of: int | str) -> tuple[object, ...]:
        (found,) = kernlog.find(report(*of))  # type: ignore[arg-type]
        return (found.title, found.function, found.process)

    title = "Unable to handle kernel paging request"
    assert read("fill", 97, 0xFFFF000012345678, 0x96000045) == (title, "fill", "insmod/97")
    assert read("fill", 97, 0xFFFF000087654321, 0x96000045) == (title, "fill", "insmod/97")
    assert read("fill", 98, 0xFFFF000012345678, 0x96000045) == (title, "fill", "insmod/98")
    assert read("drain", 97, 0xFFFF000012345678, 0x96000045) == (title, "drain", "insmod/97")
    assert read("fill", 97, 0xFFFF000012345678, 0x86000005) == (title, "caller", "insmod/97"), "it jumped there"
