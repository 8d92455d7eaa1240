# SPDX-License-Identifier: GPL-2.0-only
"""Finding what a kernel complained of, in logs like those that it writes."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from harness import kernlog, paths
from harness.kernlog import Reader, find
from harness.model.trouble import Severity, Trouble

DATA = paths.PROJECT / "tests" / "data"
# kind, how the title begins, whom to blame, and words of the last line
LOGS = {
    "bug-x86_64": ("bug", "kernel BUG at mm/vmalloc.c:512!", "alloc_vmap_area", "---[ end Kernel panic"),
    "bug-arm64": ("bug", "kernel BUG at mm/vmalloc.c:512!", "alloc_vmap_area", "Memory Limit: none"),
    "kasan": ("kasan", "BUG: KASAN: vmalloc-out-of-bounds in fill_pages+0x5c/0xf0 [vmalloc_test]", "fill_pages", "======"),
    "lockdep": ("lockdep", "WARNING: possible circular locking dependency detected", "alloc_vmap_area", "alloc_vmap_area+0x8b"),
    "warning": ("warning", "WARNING at mm/percpu.c:1356 pcpu_alloc+0x5a0/0x6b0", "pcpu_alloc", "---[ end trace"),
    "vfree": ("vfree", "Trying to vfree() nonexistent vm area", "live_run", "---[ end trace"),
    "list-corruption": (
        "list-corruption",
        "list_del corruption. prev->next should be",
        "__free_vmap_area",
        "Kernel Offset: disabled",
    ),
    "out-of-memory": ("out-of-memory", "insmod invoked oom-killer: gfp_mask=", "", "Killed process 97"),
    "soft-lockup": (
        "soft-lockup",
        "watchdog: BUG: soft lockup - CPU#0 stuck for 22s! [vmalloc_test/0:97]",
        "alloc_vmap_area",
        "__vmalloc_node_range",
    ),
    "rcu-stall": ("rcu-stall", "INFO: rcu_preempt self-detected stall on CPU", "", "dump_stack"),
    "allocation-failure": ("allocation-failure", "vmalloc_test/0: page allocation failure: order:0", "", "active_anon"),
    "null-dereference-noisy": ("null-dereference", "BUG: unable to handle kernel NULL pointer", "rb_erase", "Kernel Offset"),
}
# One line each that begins a report, in the words of some kernel from 4.4 to 6.14.
HEADERS = {
    "kernel BUG at mm/vmalloc.c:512!": "bug",
    "Kernel BUG at alloc_vmap_area+0x5c/0xf0 [verbose debug info unavailable]": "bug",
    "BUG: KFENCE: out-of-bounds read in fill+0x5c/0xf0": "kfence",
    "BUG: KCSAN: data-race in fill+0x5c/0xf0 / drain+0x10/0x20": "kcsan",
    "BUG: KMSAN: uninit-value in fill+0x5c/0xf0": "kmsan",
    "BUG: KASan: use after free in fill+0x5c/0xf0 at addr ffff880012345678": "kasan",
    "BUG: kernel NULL pointer dereference, address: 0000000000000008": "null-dereference",
    "BUG: Kernel NULL pointer dereference on read at 0x00000000": "null-dereference",
    "Unable to handle kernel NULL pointer dereference at virtual address 0000000000000008": "null-dereference",
    "BUG: unable to handle kernel paging request at ffffc90000a41000": "page-fault",
    "BUG: unable to handle page fault for address: ffffc90000a41000": "page-fault",
    "Unable to handle kernel paging request at virtual address dead000000000108": "page-fault",
    "Unable to handle kernel write to read-only memory at virtual address ffff800008a41000": "page-fault",
    "Unable to handle kernel execute from non-executable memory at virtual address ffff800008a41000": "page-fault",
    "Unable to handle kernel pointer dereference in virtual kernel address space": "page-fault",
    "BUG: stack guard page was hit at 00000000f9f9f9f9 (stack is 00000000a1a1a1a1..00000000b2b2b2b2)": "stack-overflow",
    "BUG: TASK stack guard page was hit at ffffc90000a41ff8 (stack is ffffc90000a42000..ffffc90000a45fff)": "stack-overflow",
    "Insufficient stack space to handle exception!": "stack-overflow",
    "Kernel panic - not syncing: kernel stack overflow": "stack-overflow",
    "Kernel panic - not syncing: corrupted stack end detected inside scheduler": "stack-overflow",
    "Kernel panic - not syncing: stack-protector: Kernel stack is corrupted in: fill+0x5c/0xf0": "stack-overflow",
    "general protection fault: 0000 [#1] PREEMPT SMP": "general-protection",
    "general protection fault, probably for non-canonical address 0xdead000000000108: 0000 [#1] SMP": "general-protection",
    "Oops: general protection fault, probably for non-canonical address 0xdead000000000108: 0000 [#1] SMP": "general-protection",
    "double fault: 0000 [#1] PREEMPT SMP": "double-fault",
    "traps: PANIC: double fault, error_code: 0x0": "double-fault",
    "divide error: 0000 [#1] PREEMPT SMP": "divide-error",
    "invalid opcode: 0000 [#1] PREEMPT SMP": "invalid-opcode",
    "Oops: 0002 [#1] PREEMPT SMP": "oops",
    "Oops: Kernel access of bad area, sig: 11 [#1]": "oops",
    "Oops [#1]": "oops",
    "int3: 0000 [#1] PREEMPT SMP": "oops",
    "illegal operation: 0001 ilc:1 [#1] SMP": "oops",
    "Internal error: synchronous external abort: 96000210 [#1] PREEMPT SMP": "oops",
    "Unhandled fault: alignment exception (0x011) at 0xc0a41001": "oops",
    "Bad mode in Error handler detected on CPU0, code 0xbf000002 -- SError": "oops",
    "PANIC: early exception 0x0e IP 10:ffffffff81000000 error 0 cr2 0x8": "oops",
    "BUG: sleeping function called from invalid context at mm/vmalloc.c:1510": "atomic",
    "BUG: scheduling while atomic: vmalloc_test/0/97/0x00000002": "atomic",
    "BUG: using smp_processor_id() in preemptible [00000000] code: vmalloc_test/0/97": "atomic",
    "BUG: workqueue leaked lock or atomic: kworker/0:1/0x00000001/12": "atomic",
    "NMI watchdog: BUG: soft lockup - CPU#1 stuck for 23s! [insmod:97]": "soft-lockup",
    "Watchdog detected hard LOCKUP on cpu 0": "hard-lockup",
    "NMI watchdog: Watchdog detected hard LOCKUP on cpu 3": "hard-lockup",
    "watchdog: CPU 4 self-detected hard LOCKUP @ fill+0x5c/0xf0": "hard-lockup",
    "BUG: workqueue lockup - pool cpus=0 node=0 flags=0x0 nice=0 stuck for 31s!": "workqueue-lockup",
    "BUG: Bad page state in process insmod  pfn:3d1f2": "bad-page",
    "BUG: Bad page map in process insmod  pte:0000000012345678 pmd:12345067": "bad-page",
    "BUG: Bad rss-counter state mm:00000000a1a1a1a1 type:MM_ANONPAGES val:2": "bad-page",
    "BUG: spinlock bad magic on CPU#0, vmalloc_test/0/97": "spinlock",
    "BUG: spinlock lockup suspected on CPU#0, vmalloc_test/0/97": "spinlock",
    "BUG: rwlock recursion on CPU#0, vmalloc_test/0/97, 00000000a1a1a1a1": "spinlock",
    "BUG vmap_area (Tainted: G    B      O     ): Redzone overwritten": "slab",
    "BUG kmalloc-64 (Not tainted): Object already free": "slab",
    "BUG dentry(1277:pump.service) (Tainted: G    B      O     ): Redzone overwritten": "slab",
    "BUG kmalloc-64 (Not tainted): Objects remaining in kmalloc-64 on __kmem_cache_shutdown()": "slab",
    "kmem_cache_destroy vmap_area: Slab cache still has objects": "slab",
    "Slab corruption (Not tainted): vmap_area start=ffff888012345678, len=64": "slab",
    "slab error in verify_redzone_free(): cache `vmap_area': double free detected": "slab",
    "pagealloc: memory corruption": "slab",
    "pagealloc: single bit error": "slab",
    "WARNING: possible recursive locking detected": "lockdep",
    "[ INFO: possible circular locking dependency detected ]": "lockdep",
    "WARNING: possible irq lock inversion dependency detected": "lockdep",
    "WARNING: HARDIRQ-safe -> HARDIRQ-unsafe lock order detected": "lockdep",
    "WARNING: SOFTIRQ-safe -> SOFTIRQ-unsafe lock order detected": "lockdep",
    "WARNING: inconsistent lock state": "lockdep",
    "WARNING: bad unlock balance detected!": "lockdep",
    "WARNING: suspicious RCU usage": "lockdep",
    "[ INFO: suspicious RCU usage. ]": "lockdep",
    "WARNING: held lock freed!": "lockdep",
    "WARNING: Nested lock was not taken": "lockdep",
    "WARNING: lock held when returning to user space!": "lockdep",
    "WARNING: insmod/97 still has locks held!": "lockdep",
    "WARNING: circular locking deadlock detected!": "lockdep",
    "[ BUG: Invalid wait context ]": "lockdep",
    "INFO: trying to register non-static key.": "lockdep",
    "BUG: MAX_LOCKDEP_ENTRIES too low!": "lockdep",
    "refcount_t: underflow; use-after-free.": "refcount",
    "ODEBUG: free active (active state 0) object type: timer_list hint: expire+0x0/0x20": "debug-object",
    "list_add double add: new=ffff888012345678, prev=ffff888012345678, next=ffff888012345678.": "list-corruption",
    "tree is corrupted: 8192, 4096": "list-corruption",
    "do_IRQ: stack overflow: 496": "stack-overflow",
    "usercopy: Kernel memory exposure attempt detected from SLUB object 'vmap_area' (offset 0, size 99)!": "usercopy",
    "detected buffer overflow in strcpy": "buffer-overflow",
    "Trying to vunmap() nonexistent vm area (00000000a1a1a1a1)": "vfree",
    "CFI failure at fill+0x5c/0xf0 (target: drain+0x0/0x20; expected type: 0x12345678)": "cfi",
    "WARNING: CPU: 2 PID: 91 at fill+0x5c/0xf0": "warning",
    "WARNING: at mm/vmalloc.c:1520 __vunmap+0x5a/0xe0()": "warning",
    "WARNING: mm/vmalloc.c:1520 at __vunmap+0x5a/0xe0, CPU#2: insmod/97": "warning",
    "UBSAN: Undefined behaviour in mm/vmalloc.c:480:12": "ubsan",
    "UBSAN: shift-out-of-bounds in mm/vmalloc.c:480:12": "ubsan",
    "INFO: rcu_sched detected stalls on CPUs/tasks:": "rcu-stall",
    "rcu: INFO: rcu_preempt self-detected stall on CPU": "rcu-stall",
    "rcu: INFO: rcu_preempt detected expedited stalls on CPUs/tasks: { 0-... } 21 jiffies s: 33 root: 0x1/.": "rcu-stall",
    "INFO: rcu_tasks detected stalls on tasks:": "rcu-stall",
    "INFO: task insmod:97 blocked for more than 120 seconds.": "hung-task",
    "INFO: task insmod:97 can't die for more than 120 seconds.": "hung-task",
    "Memory cgroup out of memory: Killed process 97 (insmod) total-vm:1234kB": "out-of-memory",
    "Kernel panic - not syncing: Out of memory and no killable processes...": "out-of-memory",
    "Kernel panic - not syncing: System is deadlocked on memory": "out-of-memory",
    "insmod: vmalloc: allocation failure: 8192 bytes, mode:0x6000c0(GFP_KERNEL), nodemask=(null)": "allocation-failure",
    "insmod: vmalloc error: size 8192, page order 0, failed to allocate pages, mode:0xcc0(GFP_KERNEL)": "allocation-failure",
    "percpu: allocation failed, size=64 align=8 atomic=0, alloc from reserved chunk failed": "allocation-failure",
    "vmap allocation for size 8192 failed: use vmalloc=<size> to increase size": "vmap-exhausted",
    "insmod: vmalloc_node_range for size 8192 failed: Address range restricted to 0xf0000000 - 0xf5110000": "vmap-exhausted",
    "kmemleak: 3 new suspected memory leaks (see /sys/kernel/debug/kmemleak)": "memory-leak",
    "unreferenced object 0xffff888012345678 (size 64):": "memory-leak",
    "mce: [Hardware Error]: CPU 0: Machine Check Exception: 5 Bank 4: b200000000070f0f": "machine-check",
    "{1}[Hardware Error]: Hardware error from APEI Generic Hardware Error Source: 0": "machine-check",
    "SError Interrupt on CPU1, code 0xbf000002 -- SError": "machine-check",
    "Kernel panic - not syncing: Fatal machine check": "machine-check",
    'irq 18: nobody cared (try booting with the "irqpoll" option)': "irq",
    "Kernel panic - not syncing: Attempted to kill init! exitcode=0x0000000b": "panic",
    "BUG: Dentry 00000000a1a1a1a1{i=1,n=x} still in use (1) [unmount of ext4 vda]": "inconsistency",
    "huh, entered softirq 3 NET_RX 00000000a1a1a1a1 preempt_count 00000101, exited with 00000100?": "inconsistency",
    "VFS: Busy inodes after unmount of vda. Self-destruct in 5 seconds.  Have a nice day...": "inconsistency",
}
WARNING = "WARNING: CPU: 2 PID: 91 at mm/percpu.c:1356 pcpu_alloc+0x5a0/0x6b0\n"


def log(name: str) -> str:
    with (DATA / f"{name}.log").open(newline="") as file:
        return file.read()


@pytest.mark.parametrize("hole", [1, 100, 5000, 1 << 21])
def test_a_log_with_a_hole_of_nuls_goes_on_behind_it(hole: int) -> None:
    text = "usb 1-1: new device\n" + "\0" * hole + log("warning").split("\n", 2)[2]
    assert [(found.kind, found.first, found.function) for found in find(text)] == [("warning", 2, "pcpu_alloc")]


def test_a_log_of_two_bytes_a_character_is_read() -> None:
    reader = Reader()
    found = reader.feed(log("warning").encode("utf-16")) + reader.close()
    assert [(trouble.kind, trouble.first, trouble.function) for trouble in found] == [("warning", 3, "pcpu_alloc")]


def kinds(troubles: list[Trouble]) -> list[str]:
    return [trouble.kind for trouble in troubles]


@pytest.mark.parametrize("name", LOGS)
def test_a_report_is_one_finding_with_all_that_follows_from_it(name: str) -> None:
    kind, title, function, end = LOGS[name]
    (found,) = find(log(name))
    assert found.kind == kind
    assert found.title.startswith(title)
    assert found.function == function
    lines = log(name).splitlines()
    assert title.replace("WARNING at", "")[:30] in lines[found.first - 1].replace("CPU: 2 PID: 91 ", "")
    assert end in lines[found.last - 1]
    told = iter(lines[found.first - 1 : found.last])
    for line in found.text.splitlines():
        if not line.startswith("... "):
            assert any(line in each or "\x1b" in each for each in told), "the text is the log's, in its order"


@pytest.mark.parametrize(("line", "kind"), HEADERS.items())
def test_the_kernels_words(line: str, kind: str) -> None:
    severity = next(known.severity for known in kernlog.KINDS if known.name == kind)
    for stamped in (line, f"[    3.141592] {line}", f"<4>[    3.141592][  T123] {line}\r"):
        assert [(t.kind, t.severity, t.first, t.last) for t in find(f"before\n{stamped}\nafter\n")] == [(kind, severity, 2, 2)]


def test_every_kind_is_seen_by_a_test() -> None:
    assert {kind.name for kind in kernlog.KINDS} == {*HEADERS.values(), *(kind for kind, *_ in LOGS.values())}


def test_kinds_say_what_they_are() -> None:
    assert all(kind.about and "\n" not in kind.about and kind.severity in Severity for kind in kernlog.KINDS)
    assert len({kind.name for kind in kernlog.KINDS}) == len(kernlog.KINDS)


def test_a_clean_boot_has_no_findings() -> None:
    assert find(log("clean-boot")) == []


@pytest.mark.parametrize("file", sorted((DATA / "lookalikes").iterdir()), ids=lambda file: file.stem)
@pytest.mark.parametrize("stamps", [True, False], ids=["stamped", "bare"])
def test_what_only_looks_like_a_report_is_none(file: Path, stamps: bool) -> None:
    text = file.read_text()
    if not stamps:
        text = "\n".join(line[15:] if line.startswith("[") else line for line in text.split("\n"))
    assert find(text) == []


def test_what_looks_like_a_report_is_no_part_of_one_either() -> None:
    (found,) = find(log("warning") + (DATA / "lookalikes" / "user.log").read_text())
    assert found.last == 9


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
    assert len(find(WARNING * 3)) == 1
    assert len(find(log("warning") + log("clean-boot") + log("warning"))) == 1
    assert len(find(WARNING + WARNING.replace("pcpu_alloc", "pcpu_free"))) == 2


def test_lines_are_counted_from_where_the_log_starts() -> None:
    (found,) = find(log("warning"), 1000)
    assert (found.first, found.last) == (1002, 1008)


@pytest.mark.parametrize("odd", ["\x0c", "\x0b", "\x1c", "\x85", "\u2028", "\r"], ids=repr)
def test_lines_are_counted_as_the_file_has_them(odd: str) -> None:
    (found,) = find(f"one{odd}still one\nkernel BUG at mm/vmalloc.c:512!\n")
    assert found.first == 2


def test_a_report_that_never_ends_is_cut() -> None:
    (found,) = find("BUG: KASAN: use-after-free in x\n" + "noise\n" * 10_000)
    assert found.last == 1
    (found,) = find("BUG: KASAN: use-after-free in x\n" + " x+0x1/0x2\n" * 10_000)
    assert found.last < 4000
    assert "lines left out" in found.text
    assert len(found.text.split("\n")) < 500
    assert len(found.frames) <= 64


@pytest.mark.parametrize("name", LOGS)
def test_a_log_may_end_anywhere(name: str) -> None:
    text = log(name)
    (whole,) = find(text)
    for cut in range(0, len(text), 7):
        for found in find(text[:cut]):
            assert found.first >= whole.first
            assert found.last <= whole.last
    assert kinds(find(text.rstrip("\n"))) == [whole.kind]


def test_a_file_is_read_as_a_log_is() -> None:
    text = log("clean-boot") + log("kasan") + log("warning")
    assert list(kernlog.scan(io.BytesIO(text.encode()))) == find(text)
    assert list(kernlog.scan(io.BytesIO(b""))) == []


def test_a_finding_is_told_when_nothing_can_belong_to_it_any_more() -> None:
    reader = kernlog.Reader()
    assert reader.feed(log("warning").encode()) == []
    assert kinds(reader.feed(b"[   60.000000] usb 1-1: new device\n" * 10_000)) == ["warning"]
    assert reader.close() == []


def test_titles_and_fingerprints_are_the_same_in_another_boot() -> None:
    text = log("null-dereference-noisy")
    (one,) = find(text)
    (other,) = find(
        text.replace("13.0", "77.1")
        .replace("0000000000000008", "00000000000000f0")
        .replace("PID: 97", "PID: 413")
        .replace("rb_erase+0x1b", "rb_erase+0x2c")
    )
    assert (one.title, one.fingerprint) == (other.title, other.fingerprint)
    (third,) = find(text.replace("rb_erase", "rb_insert_color"))
    assert third.fingerprint != one.fingerprint
    assert len({find(log(name))[0].fingerprint for name in LOGS}) == len(LOGS) - 1, "both machines have the same BUG"


@pytest.mark.parametrize(
    ("line", "title"),
    [
        ("BUG: unable to handle kernel paging request at ffffc90000a41000", "BUG: unable to handle kernel paging request"),
        ("BUG: kernel NULL pointer dereference, address: 0000000000000008", "BUG: kernel NULL pointer dereference"),
        ("BUG: unable to handle page fault for address: ffffc90000a41000", "BUG: unable to handle page fault"),
        ("Trying to vfree() nonexistent vm area (0000000094ad1f0d)", "Trying to vfree() nonexistent vm area"),
        ("Trying to vfree() nonexistent vm area ((____ptrval____))", "Trying to vfree() nonexistent vm area"),
        (
            "list_del corruption. prev->next should be ffff88803d1f2018, but was ffff88803d1f2918",
            "list_del corruption. prev->next should be ..., but was ...",
        ),
        (
            "general protection fault, probably for non-canonical address 0xdead000000000108: 0000 [#1] SMP",
            "general protection fault, probably for non-canonical address ...: 0000 [#1] SMP",
        ),
        ("unreferenced object 0xffff888012345678 (size 64):", "unreferenced object ... (size 64)"),
        (
            "insmod: vmalloc: allocation failure: 17179869184 bytes, mode:0x6000c0(GFP_KERNEL)",
            "insmod: vmalloc: allocation failure: 17179869184 bytes, mode:0x6000c0(GFP_KERNEL)",
        ),
        ("WARNING: CPU: 2 PID: 91 at fill+0x5c/0xf0", "WARNING at fill+0x5c/0xf0"),
        ("WARNING: mm/vmalloc.c:1520 at __vunmap+0x5a/0xe0, CPU#2: insmod/97", "WARNING: mm/vmalloc.c:1520 at __vunmap+0x5a/0xe0"),
    ],
)
def test_titles_have_no_addresses(line: str, title: str) -> None:
    assert [found.title for found in find(f"[    1.0] {line}\n")] == [title]
