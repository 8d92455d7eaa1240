# SPDX-License-Identifier: GPL-2.0-only
"""Registers and traces as other machines and other kernels print them, and whom they name."""

from __future__ import annotations

import pytest

from harness import kernlog
from harness.kernlog import Trouble, blame
from tests.support.kernel_log import only


def names(found: Trouble) -> list[str]:
    return [frame.function for frame in found.frames]


FAULT = "Unable to handle kernel paging request at virtual address 6b6b6b83"
TASK = "CPU: 1 PID: 97 Comm: filler Not tainted 4.18.0 #1"


@pytest.mark.parametrize(
    "registers",
    [
        ("PC is at memset+0x8/0x40", "LR is at fill+0x74/0xf8 [mod]"),
        ("pc : __memset+0x16c/0x188", "lr : fill+0x74/0xf8 [mod]"),
        ("epc   : 80313b54 memset+0x10/0x58", "ra    : 8031401c fill+0x74/0xf8 [mod]"),
        ("epc: ffffffe000313b54 ra : ffffffe00031401c sp : 1", "epc : __memset+0x10/0x58", " ra : fill+0x74/0xf8 [mod]"),
        ("NIP [c00000000005a21c] memset+0x1c/0x40", "LR [c0000000000612f0] fill+0x74/0xf8 [mod]"),
        ("TPC: <memset+0x30/0x60>", "RPC: <fill+0x74/0xf8 [mod]>", "I7: <caller+0x1/0x2>"),
        ("   ra: 9000000000223344 fill+0x74/0xf8 [mod]", "  ERA: 9000000000223388 memset+0x10/0x58"),
        ("PC is at memset+0x8/0x40", "PR is at fill+0x74/0xf8 [mod]"),
        ("pc is at memset+0x8/0x40", "ra is at fill+0x74/0xf8 [mod]"),
        (" IAOQ[0]: memset+0x8/0x40", " RP(r2): fill+0x74/0xf8 [mod]"),
        ("[ERET  ]: memset+0x8/0x40", "[BLINK ]: fill+0x74/0xf8 [mod]"),
    ],
    ids=["arm", "arm64", "mips", "riscv", "powerpc", "sparc64", "loongarch", "sh", "alpha", "parisc", "arc"],
)
def test_the_caller_of_a_leaf_is_in_the_link_register(registers: tuple[str, ...]) -> None:
    found = only(FAULT, "Oops [#1]", TASK, *registers, "Call Trace:", " run+0x1f4/0x2f0 [mod]", " work+0x70/0xa0")
    assert (found.function, names(found)) == ("fill", [registers_pc(registers), "fill", "run", "work"])
    assert found.frames[1].module == "mod"


def registers_pc(registers: tuple[str, ...]) -> str:
    return "__memset" if any("__memset" in line for line in registers) else "memset"


def test_a_link_register_within_the_function_itself_names_no_caller() -> None:
    found = only(
        FAULT, "Oops [#1]", "pc : list_add_valid+0x1c/0x188", "lr : list_add_valid+0x18/0x188", "Call trace:", " run+0x1f4/0x2f0"
    )
    assert "list_add_valid" in names(found)
    assert names(found).count("list_add_valid") == 1


def test_a_caller_that_the_trace_has_is_there_once() -> None:
    found = only(
        FAULT,
        "Oops [#1]",
        "pc : memset+0x1c/0x188",
        "lr : fill+0x18/0x188",
        "Call trace:",
        " memset+0x1c/0x188",
        " fill+0x18/0x188",
    )
    assert (found.function, names(found)) == ("fill", ["memset", "fill"])


def test_who_faults_itself_is_not_its_link_register() -> None:
    found = only(
        FAULT, "Oops [#1]", "pc : fill+0x1c/0x188", "lr : caller+0x18/0x188", "Call trace:", " fill+0x1c/0x188", " run+0x1/0x2"
    )
    assert (found.function, names(found)) == ("fill", ["fill", "run"])


def test_sparc_names_the_task_with_the_oops() -> None:
    found = only(
        "Unable to handle kernel paging request in mna handler",
        " at virtual address 4ecf3f9411c823ce",
        "filler(97): Oops [#1]",
        "TPC: <fill+0x30/0x60>",
        "RPC: <fill+0x4/0x60>",
        "Call Trace:",
        " [000000000089d3a4] run+0x84/0x1c0",
    )
    assert (found.kind, found.function, found.process, names(found)) == ("page-fault", "fill", "filler/97", ["fill", "run"])


WARNED = (
    "WARNING: at fs/sysfs/dir.c:31",
    "Modules linked in:",
    "CPU: 0 PID: 97 Comm: filler Not tainted 4.4.184 #1",
    "PC is at sysfs_warn_dup+0x64/0x80",
    "LR is at sysfs_warn_dup+0x64/0x80",
    "---[ end trace e04bbdfd13922de9 ]---",
)
TRACE = ("Call trace:", "[<ffffff822cc9a478>] sysfs_warn_dup+0x64/0x80", "[<ffffff822d3941d4>] fill+0x4c/0xf8")


def test_a_trace_may_come_after_the_end_of_its_report() -> None:
    found = only(*WARNED, *TRACE, "usb 1-1: new device", " indented line")
    assert (found.function, names(found), found.last) == ("fill", ["sysfs_warn_dup", "fill"], 9)
    found = only(*WARNED, "usb 1-1: new device", *TRACE, "usb 1-1: gone")
    assert (found.function, found.last) == ("fill", 10)


def test_what_comes_long_after_the_end_is_no_part_of_the_report() -> None:
    found = only(*WARNED, *["usb 1-1: new device"] * 5, *TRACE)
    assert (names(found), found.last) == (["sysfs_warn_dup"], 6)
    found = only(*WARNED[:-1], *TRACE, WARNED[-1], "Call trace:", "[<ffffff822d3941d4>] other+0x4c/0xf8")
    assert (names(found), found.last) == (["sysfs_warn_dup", "fill"], 9)


def test_a_trace_after_the_end_may_be_the_last_of_a_log_or_the_next_reports() -> None:
    assert only(*WARNED).last == 6
    found = kernlog.find("\n".join((*WARNED, "kernel BUG at mm/vmalloc.c:512!", "Call trace:", " other+0x1/0x2")))
    assert [names(trouble) for trouble in found] == [["sysfs_warn_dup"], ["other"]]


def test_where_all_frames_are_doubtful_the_first_that_does_not_report_is_to_blame() -> None:
    trace = (" ? dump_header+0x90/0x1b0", " ? alloc_pages_vma+0x9a/0x150", " ? fill+0x8d/0x100", " ? handle_mm_fault+0x1/0x2")
    oom = ("filler invoked oom-killer: gfp_mask=0x200da, order=0", "Pid: 97, comm: filler Not tainted 2.6.32 #1", "Call Trace:")
    found = only(*oom, *trace)
    assert (found.function, found.process) == ("fill", "filler/97")
    head = ("BUG: unable to handle kernel paging request at ffffc90000001000", "Oops: 0000 [#1] SMP")
    assert only(*head, "RIP: 0010:memcpy+0x6/0x110", "Call Trace:", " ? fill+0x8d/0x100", " ? run+0x1/0x2").function == "fill"
    assert only(*head, "RIP: 0010:memcpy+0x6/0x110", "Call Trace:", " ? stale+0x8d/0x100", " fill+0x1/0x2").function == "fill"


IRQ = (
    'irq 17: nobody cared (try booting with the "irqpoll" option)',
    "CPU: 0 PID: 0 Comm: swapper/0 Not tainted 4.18.0 #1",
    "Call Trace:",
    " <IRQ>",
    " dump_stack+0x6d/0x8b",
    " __report_bad_irq+0x3a/0xaf",
    " note_interrupt+0x2ab/0x2f0",
    " common_interrupt+0xf/0xf",
    " </IRQ>",
    "RIP: 0010:cpuidle_enter_state+0xc5/0x450",
    " do_idle+0x23b/0x2a0",
    "handlers:",
)


@pytest.mark.parametrize(
    ("handlers", "function", "module"),
    [
        (("[<(____ptrval____)>] fill_isr [mod]",), "fill_isr", "mod"),
        (("[<ffffffffa0236c5a>] fill_isr", "[<ffffffffa0236c5b>] other_isr [mod]"), "fill_isr", ""),
        (("[<c02c8a4c>] (fill_isr+0x0/0x54 [mod])",), "fill_isr", "mod"),
        (
            ("[<00000000f2f2f2f2>] irq_default_primary_handler threaded [<00000000e2e2e2e2>] fill_thread [mod]",),
            "fill_thread",
            "mod",
        ),
        ((), "", ""),
    ],
)
def test_an_interrupt_that_nobody_wanted_is_its_handlers(handlers: tuple[str, ...], function: str, module: str) -> None:
    found = only(*IRQ, *handlers, "Disabling IRQ #17")
    assert (found.kind, found.function) == ("irq", function)
    assert found.last == len(IRQ) + len(handlers) + 1
    assert not function or (found.frames[0].function, found.frames[0].module) == (function, module)
    assert "__report_bad_irq" in names(found)
    elsewhere = only(*(line.replace("cpuidle_enter_state", "busy") for line in IRQ), *handlers)
    assert elsewhere.fingerprint == found.fingerprint


def test_who_was_refused_is_known_from_the_trace_of_the_refusal() -> None:
    full = "vmap allocation for size 36864 failed: use vmalloc=<size> to increase size"
    refused = "filler: vmalloc: allocation failure: 32768 bytes, mode:0x6000c0(GFP_KERNEL), nodemask=(null)"
    calls = ("dump_stack", "warn_alloc", "__vmalloc_node_range", "vmalloc", "fill", "run")
    found = only(full, refused, TASK, "Call Trace:", *(f" {name}+0x1c/0x40" for name in calls), "Mem-Info:")
    assert (found.kind, found.function, found.process, found.cpu) == ("vmap-exhausted", "fill", "filler/97", 1)
    assert names(found) == list(calls)
    assert found.followed == (refused,)
    other = only(full, refused, TASK, "Call Trace:", *(f" {name}+0x1c/0x40" for name in (*calls[:4], "drain")))
    assert other.fingerprint != found.fingerprint


def test_an_arm_trace_names_modules_on_both_sides() -> None:
    calls = (" fill [mod] from run+0x44/0x80 [mod]", " run [mod] from do_one_initcall+0x58/0x210")
    found = only(FAULT, "Internal error: Oops: 5 [#1] SMP ARM", TASK, "PC is at fill+0x18/0x40 [mod]", *calls)
    assert names(found) == ["fill", "run", "do_one_initcall"]
    assert [frame.module for frame in found.frames] == ["mod", "mod", ""]


def places(*headers: str) -> list[str]:
    return [found.where for found in kernlog.find("".join(f"[    1.{n:06}] {line}\n" for n, line in enumerate(headers)))]


@pytest.mark.parametrize(
    "words",
    [
        ("UBSAN: array-index-out-of-bounds in ", ":28", "index 0 is out of range for type 'chunk *[*]'"),
        ("UBSAN: Undefined behaviour in ", ":28", "signed integer overflow:"),
        ("kernel BUG at ", "!", "Modules linked in:"),
        ("WARNING: at ", "", "Modules linked in:"),
    ],
    ids=lambda words: words[0],
)
def test_reports_without_a_trace_are_told_apart_by_their_place(words: tuple[str, str, str]) -> None:
    at = ["mm/pool.c:227", "mm/pool.c:1953", "mm/map.c:39", "mm/pool.c:227"]
    lines = [line for place in at for line in (f"{words[0]}{place}{words[1]}", words[2], *["usb 1-1: new device"] * 40)]
    assert places(*lines) == at[:3]
    assert places(*(line for line in lines if "usb" not in line)) == at[:3]


@pytest.mark.parametrize(
    "header",
    [
        "INFO: rcu_sched_state detected stall on CPU 0 (t=105060 jiffies)",
        "INFO: rcu_bh_state detected stall on CPU 0 (t=105060 jiffies)",
        "INFO: rcu_sched_state detected stalls on CPUs/tasks: { 1} (detected by 0, t=60002 jiffies)",
        "INFO: RCU detected CPU 0 stall (t=4294940307/10000 jiffies)",
        "RCU detected CPU stalls: 0 (detected by 1, t=4295/1000 jiffies)",
    ],
)
def test_stalls_in_the_words_of_old_kernels(header: str) -> None:
    found = only(
        header,
        "Call Trace:",
        " <IRQ>  [<ffffffff810c6d3c>] __rcu_pending+0x16c/0x4c0",
        " [<ffffffff815ef4c3>] apic_timer_interrupt+0x13/0x20",
        " <EOI>  [<ffffffffa0236c5a>] fill+0x10a/0x260 [mod]",
    )
    assert (found.kind, found.function) == ("rcu-stall", "fill")


@pytest.mark.parametrize(
    "name",
    [
        *(
            "__rb_rotate_set_parents",
            "rb_insert_color",
            "__rb_insert_augmented",
            "rb_replace_node",
            "rb_link_node_rcu",
            "rb_set_parent",
        ),
        *("radix_tree_delete_item", "__radix_tree_lookup", "xas_load", "xa_erase", "idr_alloc_u32", "ida_free", "mas_walk"),
        *("interval_tree_remove", "llist_add_batch", "plist_del", "klist_next", "rhashtable_insert_slow", "timerqueue_add"),
        *("sg_next", "sg_copy_buffer", "list_sort", "sort", "bsearch", "__bitmap_weight", "__aeabi_uldivmod", "__udivdi3"),
        *("__memzero", "__pi_memcpy", "__clear_user", "__copy_tofrom_user_power7", "strncpy_from_user", "strnlen_user"),
    ],
)
def test_a_librarys_function_is_not_to_blame(name: str) -> None:
    head = ("BUG: unable to handle kernel paging request at ffffc90000001000", "Oops: 0000 [#1] SMP")
    assert only(*head, f"RIP: 0010:{name}+0x1c/0x40", "Call Trace:", " fill+0x1c/0x40").function == "fill"


@pytest.mark.parametrize("name", ["rb_set_head_page", "sg_ioctl", "sort_inodes", "mt_probe", "idle_inject", "xattr_get", "bitmap"])
def test_a_name_that_only_resembles_a_librarys_is_to_blame(name: str) -> None:
    assert not blame.reports(name)
