# SPDX-License-Identifier: GPL-2.0-only
"""Finding what a kernel complained of, in logs like those that it writes."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness import kernlog
from harness.kernlog import Trouble, find

DATA = Path(__file__).parent / "data"
LOGS = {
    "bug-x86_64": ("bug", "kernel BUG at mm/vmalloc.c:512!", "---[ end Kernel panic"),
    "bug-arm64": ("bug", "kernel BUG at mm/vmalloc.c:512!", "Memory Limit: none"),
    "kasan": ("kasan", "BUG: KASAN: vmalloc-out-of-bounds in fill_pages+0x5c/0xf0 [vmalloc_test]", "======"),
    "lockdep": ("lockdep", "WARNING: possible circular locking dependency detected", "alloc_vmap_area+0x8b"),
    "warning": ("warning", "WARNING: CPU: 2 PID: 91 at mm/percpu.c:1356 pcpu_alloc+0x5a0/0x6b0", "---[ end trace"),
    "vfree": ("vfree", "Trying to vfree() nonexistent vm area (0000000094ad1f0d)", "---[ end trace"),
    "list-corruption": ("list-corruption", "list_del corruption. prev->next should be", "Kernel Offset: disabled"),
    "out-of-memory": ("out-of-memory", "insmod invoked oom-killer: gfp_mask=", "Killed process 97"),
    "soft-lockup": ("soft-lockup", "watchdog: BUG: soft lockup - CPU#0 stuck for 22s! [vmalloc_test/0:97]", "__vmalloc_node_range"),
    "rcu-stall": ("rcu-stall", "INFO: rcu_preempt self-detected stall on CPU", "dump_stack"),
    "allocation-failure": ("allocation-failure", "vmalloc_test/0: page allocation failure: order:0", "active_anon"),
    "null-dereference-noisy": ("null-dereference", "BUG: unable to handle kernel NULL pointer dereference", "Kernel Offset"),
}
# One line each that starts a report, in the words of 4.18 or 6.1.
HEADERS = {
    "BUG: KFENCE: out-of-bounds read in fill+0x5c/0xf0": "kfence",
    "BUG: kernel NULL pointer dereference, address: 0000000000000008": "null-dereference",
    "Unable to handle kernel NULL pointer dereference at virtual address 0000000000000008": "null-dereference",
    "BUG: unable to handle kernel paging request at ffffc90000a41000": "page-fault",
    "BUG: unable to handle page fault for address: ffffc90000a41000": "page-fault",
    "Unable to handle kernel paging request at virtual address dead000000000108": "page-fault",
    "Unable to handle kernel write to read-only memory at virtual address ffff800008a41000": "page-fault",
    "general protection fault: 0000 [#1] PREEMPT SMP": "general-protection",
    "general protection fault, probably for non-canonical address 0xdead000000000108: 0000 [#1] PREEMPT SMP": "general-protection",
    "BUG: sleeping function called from invalid context at mm/vmalloc.c:1510": "atomic",
    "BUG: scheduling while atomic: vmalloc_test/0/97/0x00000002": "atomic",
    "Watchdog detected hard LOCKUP on cpu 0": "hard-lockup",
    "BUG: workqueue lockup - pool cpus=0 node=0 flags=0x0 nice=0 stuck for 31s!": "workqueue-lockup",
    "BUG: Bad page state in process insmod  pfn:3d1f2": "bad-page",
    "BUG: spinlock bad magic on CPU#0, vmalloc_test/0/97": "spinlock",
    "BUG: spinlock lockup suspected on CPU#0, vmalloc_test/0/97": "spinlock",
    "BUG vmap_area (Tainted: G    B      O     ): Redzone overwritten": "slab",
    "BUG kmalloc-64 (Not tainted): Object already free": "slab",
    "WARNING: possible recursive locking detected": "lockdep",
    "WARNING: possible irq lock inversion dependency detected": "lockdep",
    "WARNING: HARDIRQ-safe -> HARDIRQ-unsafe lock order detected": "lockdep",
    "WARNING: SOFTIRQ-safe -> SOFTIRQ-unsafe lock order detected": "lockdep",
    "WARNING: inconsistent lock state": "lockdep",
    "WARNING: bad unlock balance detected!": "lockdep",
    "WARNING: suspicious RCU usage": "lockdep",
    "WARNING: held lock freed!": "lockdep",
    "WARNING: lock held when returning to user space!": "lockdep",
    "WARNING: insmod/97 still has locks held!": "lockdep",
    "[ BUG: Invalid wait context ]": "lockdep",
    "UBSAN: Undefined behaviour in mm/vmalloc.c:480:12": "ubsan",
    "UBSAN: shift-out-of-bounds in mm/vmalloc.c:480:12": "ubsan",
    "INFO: rcu_sched detected stalls on CPUs/tasks:": "rcu-stall",
    "rcu: INFO: rcu_preempt detected expedited stalls on CPUs/tasks: { 0-... } 21 jiffies s: 33 root: 0x1/.": "rcu-stall",
    "INFO: task insmod:97 blocked for more than 120 seconds.": "hung-task",
    "insmod: vmalloc: allocation failure: 8192 bytes, mode:0x6000c0(GFP_KERNEL), nodemask=(null)": "allocation-failure",
    "insmod: vmalloc error: size 8192, page order 0, failed to allocate pages, mode:0xcc0(GFP_KERNEL)": "allocation-failure",
    "vmap allocation for size 8192 failed: use vmalloc=<size> to increase size": "vmap-exhausted",
    "kmemleak: 3 new suspected memory leaks (see /sys/kernel/debug/kmemleak)": "memory-leak",
    "Kernel panic - not syncing: Attempted to kill init! exitcode=0x0000000b": "panic",
    "Kernel panic - not syncing: Out of memory and no killable processes...": "out-of-memory",
}


def log(name: str) -> str:
    with (DATA / f"{name}.log").open(newline="") as file:
        return file.read()


def kinds(troubles: list[Trouble]) -> list[str]:
    return [trouble.kind for trouble in troubles]


@pytest.mark.parametrize("name", LOGS)
def test_a_report_is_one_finding_with_all_that_follows_from_it(name: str) -> None:
    kind, title, end = LOGS[name]
    found = find(log(name))
    assert kinds(found) == [kind]
    assert found[0].title.startswith(title)
    lines = log(name).splitlines()
    assert title in lines[found[0].first - 1]
    assert end in lines[found[0].last - 1]
    for told, line in zip(found[0].text.splitlines(), lines[found[0].first - 1 : found[0].last], strict=True):
        assert told in (line, ""), "what lies between a trouble and its consequence may be left out, but is counted"


@pytest.mark.parametrize(("line", "kind"), HEADERS.items())
def test_the_kernels_words(line: str, kind: str) -> None:
    for stamped in (line, f"[    3.141592] {line}", f"<4>[    3.141592][  T123] {line}\r"):
        assert [(t.kind, t.title) for t in find(f"before\n{stamped}\nafter\n")] == [(kind, line)]


def test_a_clean_boot_has_no_findings() -> None:
    assert find(log("clean-boot")) == []


def test_reports_after_one_another_are_findings_of_their_own() -> None:
    names = ["warning", "kasan", "bug-x86_64"]
    found = find("".join(log("clean-boot") + log(name) for name in names))
    assert kinds(found) == ["warning", "kasan", "bug"]
    clean = len(log("clean-boot").splitlines())
    assert found[0].first == clean + 3
    assert found[1].first == found[0].first - 3 + len(log("warning").splitlines()) + clean + 3


def test_the_end_of_a_report_is_not_part_of_the_next_lines() -> None:
    (found,) = find(log("warning"))
    assert "ok 1 pcpu_alloc_test" not in found.text
    (found,) = find(log("kasan"))
    assert "ok 1 mix_stress_test" not in found.text


def test_the_same_report_again_is_told_once_and_another_one_is_not() -> None:
    line = "WARNING: CPU: 2 PID: 91 at mm/percpu.c:1356 pcpu_alloc+0x5a0/0x6b0\n"
    assert len(find(line * 3)) == 1
    assert len(find(line + line.replace("1356", "1400"))) == 2


def test_lines_are_counted_from_where_the_log_starts() -> None:
    (found,) = find(log("warning"), 1000)
    assert (found.first, found.last) == (1002, 1008)


@pytest.mark.parametrize("odd", ["\x0c", "\x0b", "\x1c", "\x85", "\u2028", "\r"], ids=repr)
def test_lines_are_counted_as_the_file_has_them(odd: str) -> None:
    (found,) = find(f"one{odd}still one\nkernel BUG at mm/vmalloc.c:512!\n")
    assert found.first == 2


def test_a_report_that_never_ends_is_cut() -> None:
    (found,) = find("BUG: KASAN: use-after-free in x\n" + "noise\n" * 10_000)
    assert found.last < 1000


@pytest.mark.parametrize("name", LOGS)
def test_a_log_may_end_anywhere(name: str) -> None:
    lines = log(name).splitlines(keepends=True)
    whole = kinds(find("".join(lines)))
    for count in range(len(lines)):
        assert kinds(find("".join(lines[:count]))) == whole[: len(kinds(find("".join(lines[:count]))))]
    text = "".join(lines)
    (start,) = [find(text)[0].first]
    for cut in range(0, len(text), 7):
        assert all(trouble.first >= start for trouble in find(text[:cut]))


_LINES = st.one_of(
    st.text(max_size=40), st.sampled_from([*HEADERS, "---[ end trace 0 ]---", "=" * 30, "Oops: 0002 [#1]", "\x1b[0m"])
)


@given(st.lists(_LINES, max_size=30), st.integers(1, 10**6))
def test_no_log_is_too_strange(lines: list[str], first: int) -> None:
    text = "\n".join(lines)
    for trouble in find(text, first):
        assert first <= trouble.first <= trouble.last
        assert trouble.kind
        assert trouble.title
        assert len(trouble.text.split("\n")) == trouble.last - trouble.first + 1


def test_every_kind_is_seen_by_a_test() -> None:
    known = {kind for kind, _ in kernlog._KINDS}
    assert known - {*HEADERS.values(), *(kind for kind, _, _ in LOGS.values())} <= {"kcsan", "stack-overflow", "oops"}
