# SPDX-License-Identifier: GPL-2.0-only
"""What follows from a trouble belongs to it; what does not is a finding of its own."""

from __future__ import annotations

from harness.kernlog import find
from tests.kernlog.test_find import log

PANIC = "Kernel panic - not syncing: {}\n---[ end Kernel panic - not syncing: {} ]---\n"
CHATTER = "usb 1-1: new device\n" * 40


def oops(task: str = "insmod", pid: int = 97, function: str = "fill") -> str:
    return (
        "BUG: unable to handle kernel paging request at ffffc90000a41000\n"
        "PGD 0 P4D 0\n"
        "Oops: 0002 [#1] PREEMPT SMP\n"
        f"CPU: 0 PID: {pid} Comm: {task} Tainted: G           O      4.18.0 #1\n"
        f"RIP: 0010:{function}+0x1b/0x3a0\n"
        "Call Trace:\n"
        " drain+0x10/0x20\n"
        " kthread+0x10c/0x140\n"
        "---[ end trace 5c1d2f9c0d2d7a31 ]---\n"
    )


def lockup(seconds: int, task: str = "insmod:97", function: str = "fill") -> str:
    return (
        f"watchdog: BUG: soft lockup - CPU#1 stuck for {seconds}s! [{task}]\n"
        f"CPU: 1 PID: {task.partition(':')[2]} Comm: {task.partition(':')[0]} Not tainted 4.18.0 #1\n"
        f"RIP: 0010:{function}+0x1b/0x3a0\n"
        "Call Trace:\n"
        " drain+0x10/0x20\n"
    )


def stamped(text: str, time: float) -> str:
    return "".join(f"[{time:12.6f}] {line}\n" for line in text.splitlines())


def hung(task: str, time: float) -> str:
    return stamped(f"INFO: task {task} blocked for more than 120 seconds.\nCall Trace:\n schedule+0x28/0x80\n fill+0x1/0x2\n", time)


def test_a_stall_within_the_lines_of_another_leaves_none_out() -> None:
    one, other = (stamped(lockup(22, f"insmod:{pid}"), 50.0).replace("] ", f"][  T{pid}] ").splitlines() for pid in (97, 98))
    (found,) = find("\n".join((*one[:2], *other[:3], *one[2:])))
    assert (found.first, found.last, len(found.followed)) == (1, 8, 1)
    assert found.text.splitlines() == [*one, *other[:3]]


def test_an_oops_and_its_panic_are_one() -> None:
    (found,) = find(oops() + PANIC.format("Fatal exception", "Fatal exception"))
    assert (found.kind, found.function) == ("page-fault", "fill")
    assert found.followed == ("Kernel panic - not syncing: Fatal exception",)
    assert found.last == 11


def test_what_a_dying_task_says_follows_from_its_oops() -> None:
    dying = (
        "BUG: sleeping function called from invalid context at kernel/exit.c:12\n"
        "in_atomic(): 1, irqs_disabled(): 1, pid: 97, name: insmod\n"
        "CPU: 0 PID: 97 Comm: insmod Tainted: G      D    O      4.18.0 #1\n"
        "Call Trace:\n do_exit+0x1/0x2\n"
        "Fixing recursive fault but reboot is needed!\n"
    )
    (found,) = find(oops() + dying)
    assert [title.split()[0] for title in found.followed] == ["BUG:", "Fixing"]
    assert [each.function for each in find(oops() + dying.replace("97", "13").replace("insmod", "other"))] == ["fill", "do_exit"]


def test_an_oops_elsewhere_is_another_finding() -> None:
    assert [each.function for each in find(oops() + oops("kswapd0", 12, "drain"))] == ["fill", "drain"]


def test_lockups_after_a_death_follow_from_it() -> None:
    (found,) = find(stamped(oops(), 10.0) + CHATTER + stamped(lockup(22, "kworker/0:1:12"), 34.0))
    assert found.followed == ("watchdog: BUG: soft lockup - CPU#1 stuck for 22s! [kworker/0:1:12]",)


def test_a_lockup_that_goes_on_is_one_finding() -> None:
    text = "".join(stamped(lockup(22 + 26 * n, function=f"spin{n}"), 40.0 + 26 * n) + CHATTER for n in range(10))
    (found,) = find(text)
    assert found.first == 1
    assert found.process == "insmod/97"


def test_lockups_at_the_same_time_are_one_finding_and_a_later_one_is_not() -> None:
    (found,) = find(stamped(lockup(22), 40.0) + stamped(lockup(22, "other:13"), 41.0))
    assert len(found.followed) == 1
    assert len(find(stamped(lockup(22), 40.0) + stamped(lockup(22, "other:13", "spin"), 400.0))) == 2


def test_tasks_that_hang_together_are_one_finding() -> None:
    (found,) = find(hung("insmod:97", 240.0) + hung("cat:98", 240.1) + hung("sh:99", 240.2))
    assert (found.process, found.function, len(found.followed)) == ("insmod/97", "fill", 2)


def test_what_kasan_finds_and_the_oops_of_it_are_one() -> None:
    kasan = log("kasan").replace("vmalloc_test/0/97", "insmod/97").replace("Comm: vmalloc_test/0", "Comm: insmod")
    tagged = "".join(f"[   12.100000][   T97] {line}\n" for line in oops().splitlines())
    (found,) = find(kasan + tagged)
    assert (found.kind, len(found.followed)) == ("kasan", 1)


def test_panic_on_warn_gives_the_warning_its_trace() -> None:
    text = (
        "WARNING: CPU: 1 PID: 81 at mm/vmalloc.c:99 fill+0x1188/0x1460\n"
        "Kernel panic - not syncing: panic_on_warn set ...\n"
        "\nCPU: 1 PID: 81 Comm: insmod Not tainted 4.18.0 #1\nCall Trace:\n dump_stack+0xef/0x16e\n panic+0x2aa/0x6e1\n"
        " __warn.cold+0x2f/0x30\nRIP: 0010:fill+0x1188/0x1460\n drain+0x1/0x2\n"
    )
    (found,) = find(text)
    assert (found.kind, found.function, found.process) == ("warning", "fill", "insmod/81")
    assert [frame.function for frame in found.frames] == ["fill", "drain"]
    assert found.followed == ("Kernel panic - not syncing: panic_on_warn set ...",)


def test_out_of_memory_and_its_panic_are_one() -> None:
    (found,) = find(log("out-of-memory") + stamped(PANIC.format("Out of memory and no killable processes...", ""), 21.9))
    assert found.kind == "out-of-memory"
    assert len(found.followed) == 1


def test_a_room_that_is_full_and_the_refusal_are_one() -> None:
    (found,) = find(
        "vmap allocation for size 8192 failed: use vmalloc=<size> to increase size\n"
        "insmod: vmalloc: allocation failure: 8192 bytes, mode:0x6000c0(GFP_KERNEL), nodemask=(null)\n"
        "CPU: 0 PID: 97 Comm: insmod Not tainted 4.18.0 #1\nCall Trace:\n dump_stack+0x1/0x2\n fill+0x1/0x2\n"
    )
    assert (found.kind, len(found.followed)) == ("vmap-exhausted", 1)


def test_what_a_warning_says_is_in_its_title_wherever_it_stands() -> None:
    header = "WARNING: CPU: 2 PID: 91 at mm/vmalloc.c:99 fill+0x5a/0xe0"
    before = f"------------[ cut here ]------------\nall is not well\n{header}\nModules linked in: x\n"
    after = f"------------[ cut here ]------------\n{header}\nall is not well\nModules linked in: x\n"
    for text in (before, after):
        (found,) = find(text)
        assert found.title == "WARNING at mm/vmalloc.c:99 fill+0x5a/0xe0: all is not well"
        assert found.first == 2


def test_a_warning_is_of_the_kind_that_its_words_are() -> None:
    header = "WARNING: CPU: 2 PID: 91 at lib/refcount.c:28 refcount_warn_saturate+0x5a/0xe0"
    words = "refcount_t: underflow; use-after-free."
    rest = "Modules linked in: x\nRIP: 0010:refcount_warn_saturate+0x5a/0xe0\nCall Trace:\n drop+0x1/0x2\n---[ end trace 1 ]---\n"
    for text in (f"{words}\n{header}\n{rest}", f"{header}\n{words}\n{rest}"):
        (found,) = find(text)
        assert (found.kind, found.title, found.function, found.where) == ("refcount", words, "drop", "lib/refcount.c:28")


def test_a_trouble_of_another_boot_is_no_consequence() -> None:
    text = stamped(oops(), 50.0) + stamped("Linux version 4.18.0\n", 0.0) + stamped(PANIC.format("No init found.", ""), 1.0)
    assert [found.kind for found in find(text)] == ["page-fault", "panic"]


def test_a_stall_has_what_other_cpus_say() -> None:
    text = (
        "[   61.000000][    C0] rcu: INFO: rcu_preempt detected stalls on CPUs/tasks:\n"
        "[   61.000000][    C0] rcu: \t1-...!: (1 GPs behind) idle=0d2/0/0x1\n"
        "[   61.000000][    C0] Sending NMI from CPU 0 to CPUs 1:\n"
        "[   61.000001][    C1] NMI backtrace for cpu 1\n"
        "[   61.000001][    C1] CPU: 1 PID: 97 Comm: insmod Not tainted 6.1.0 #1\n"
        "[   61.000001][    C1] RIP: 0010:fill+0x1b/0x3a0\n"
        "[   61.000001][    C1] Call Trace:\n"
        "[   61.000001][    C1]  drain+0x10/0x20\n"
        "[   61.000002][    C0] rcu: rcu_preempt kthread starved for 21000 jiffies!\n"
        "[   61.000002][    C0] task:rcu_preempt     state:R  running task\n"
        "[   61.000002][    C0] Call Trace:\n"
        "[   61.000002][    C0]  __schedule+0x1/0x2\n"
        "[   61.000002][    C0]  rcu_gp_kthread+0x1/0x2\n"
    )
    (found,) = find(text)
    assert (found.kind, found.function, found.cpu) == ("rcu-stall", "fill", 1)


def test_what_began_before_a_trouble_is_no_consequence_of_it() -> None:
    rule = "=" * 30
    panic = ("Kernel panic - not syncing: no room", "Call Trace:", " drain+0x1/0x2")
    kasan = (rule, "BUG: KASAN: use-after-free in fill+0x1/0x2", "Call Trace:", " fill+0x1/0x2", rule)
    text = "".join(f"[   12.000000][  T97] {line}\n" for line in panic) + "".join(
        f"[   12.100000][  T98] {line}\n" for line in kasan
    )
    assert [(found.kind, found.first, found.last, found.followed) for found in find(text)] == [
        ("panic", 1, 3, ()),
        ("kasan", 5, 8, ()),
    ]
