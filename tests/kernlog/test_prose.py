# SPDX-License-Identifier: GPL-2.0-only
"""What people and programs write begins like a report, and is none; what kernels write is one, even if it is cut."""

from __future__ import annotations

import pytest

from harness import kernlog

PROSE = """
WARNING: at least 3 packages are outdated
WARNING: localhost:8080 at capacity
WARNING: db1.example.com:5432 at 97% of its connections
WARNING: possible reason: disk full
WARNING: possible circular dependency in imports
WARNING: possible recursive include of pump.conf
WARNING: deadlock detected
Oops: dead link in page 3
Oops: added twice
Oops: 2024 is over
Oops, see issue [#123]
Fixed crash in parser [#123]
Fix pump: dead code [#12]
Internal error: unknown option 'x'
Unhandled exception: System.NullReferenceException
Unrecoverable exception in thread main
BUG! exception in phase 'semantic analysis' in source unit
BUG 1234 (critical): crash on startup
kernel BUG at startup
Kernel BUG at line 5?
kernel stack overflow is fatal
Kernel stack overflow protection: enabled
client 10.0.0.1:80 blocked for more than 30 seconds
index tree is corrupted
("page allocation failure", r".{1,40}: page allocation failure"),
("Corrupted page table", r".{1,40}: Corrupted page table at address"),
double fault: cafe
invalid opcode: beef
general protection fault, see manual
Machine check in kernel mode is explained in chapter 3
Out of memory: Killing idle connections
python invoked oom-killer: the movie
irq 5: nobody cared to document it
list_add double add is a kind of list corruption
CFI failure (benign)
UBSAN: found 3 issues in pump
refcount_t: see Documentation/core-api/refcount-vs-atomic.rst
Slab corruption is a bug
Bad mode in pump handler detected by chance
Trying to vfree() twice is a bug
pagealloc: memory corruption detection is enabled
INFO: rcu_preempt detected stalls on CPUs/tasks are described in stallwarn.rst
detected buffer overflow in test 5
NMI: PCI system error reporting enabled
Uhhuh. NMI received for unknown reason is a message
""".strip().splitlines()
# Headers without what makes them one: the log, or its line, ends there.
CUT = {
    "kernel BUG at mm/": "bug",
    "WARNING: CPU: 0 PID: 97": "warning",
    "WARNING: at mm/vm": "warning",
    "UBSAN: shift-out-of-bounds in drivers/pu": "ubsan",
    "refcount_t: underflow": "refcount",
    "insmod invoked oom-killer: gfp_m": "out-of-memory",
    "insmod: page allocation failure": "allocation-failure",
    "Internal error: Oops": "oops",
    "Oops: 0002": "oops",
    "kernel stack overflow": "stack-overflow",
}
# What stands in the place of `Oops` on some machines.
DEATHS = (
    "specification exception: 0006 ilc:2 [#1] SMP",
    "Kernel bug detected[#1]:",
    "Reserved instruction in kernel code[#3]:",
    "Kernel BUG [#1]",
    "Oops - illegal instruction [#1]",
    "Oops - bugcheck[#1]:",
    "insmod(97): Kernel illegal instruction [#1]",
    "stack segment: 0000 [#1] PREEMPT SMP",
    "Oops: Exception in kernel mode, sig: 5 [#1]",
    "Unrecoverable exception 4100 at c000000000008000",
    "Unrecoverable VMX/Altivec Unavailable Exception f20 at c000000000008000",
    "Unhandled fault at 0xffff000009a41001",
    "Unhandled 64-bit el1h sync exception on CPU1, ESR 0x0000000096000004 -- DABT (current EL)",
)


@pytest.mark.parametrize("line", PROSE)
@pytest.mark.parametrize("prefix", ["", "2024-01-01 10:00:00,123 "], ids=["bare", "dated"])
def test_what_people_write_is_no_report(line: str, prefix: str) -> None:
    assert kernlog.find(f"{prefix}{line}\n") == []


@pytest.mark.parametrize("line", CUT)
@pytest.mark.parametrize("prefix", ["", "[    1.000000] "], ids=["bare", "stamped"])
def test_a_header_that_is_cut_begins_a_report(line: str, prefix: str) -> None:
    assert [found.kind for found in kernlog.find(prefix + line)] == [CUT[line]]


@pytest.mark.parametrize("line", DEATHS)
def test_machines_have_other_words_for_an_oops(line: str) -> None:
    (found,) = kernlog.find(f"[    1.000000] {line}\n[    1.000000] CPU: 0 PID: 97 Comm: insmod Not tainted 4.18.0 #1\n")
    assert (found.kind, found.process) == ("oops", "insmod/97")
