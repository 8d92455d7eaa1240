# SPDX-License-Identifier: GPL-2.0-only
"""A log gives the same findings whatever its loggers put before the kernel's lines."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence

import pytest

from harness import kernlog
from harness.kernlog import find
from tests.kernlog.test_find import DATA

OOPS = (
    "BUG: unable to handle kernel NULL pointer dereference at 0000000000000028",
    "PGD 0 P4D 0 ",
    "Oops: 0000 [#1] SMP",
    "CPU: 1 PID: 713 Comm: filler Not tainted 4.18.0 #3",
    "Hardware name: Some Board, BIOS 0.1 02/03/2018",
    "RIP: 0010:fill_slot+0x31/0xc0 [filler]",
    "Code: 00 48 8b 47 28 c3",
    "RSP: 0018:ffffc900001a7d80 EFLAGS: 00010246",
    "Call Trace:",
    " fill_all+0x41/0x80 [filler]",
    " ? drain+0x10/0x20",
    " do_one_initcall+0x50/0x1a0",
    "---[ end trace 5c1d2f9c0d2d7a31 ]---",
)
WARNING = (
    "------------[ cut here ]------------",
    "WARNING: CPU: 3 PID: 88 at drivers/fill/gate.c:61 fill_gate+0x90/0x98",
    "Modules linked in: filler",
    "CPU: 3 PID: 88 Comm: kworker/u8:2 Not tainted 4.18.0 #3",
    "pstate: 600000c5 (nZCv daIF -PAN -UAO)",
    "pc : fill_gate+0x90/0x98",
    "lr : fill_gate+0x90/0x98",
    "Call trace:",
    " fill_gate+0x90/0x98",
    " fill_suspend+0x28/0x44",
    "---[ end trace 5c1d2f9c0d2d7a32 ]---",
)
ARM = (
    "Unable to handle kernel paging request at virtual address 6b6b6b9b",
    "pgd = c0004000",
    "Internal error: Oops: 5 [#1] PREEMPT SMP ARM",
    "CPU: 0 PID: 90 Comm: drainer Not tainted 4.18.0 #3",
    "PC is at drain_all+0x2c/0x90 [filler]",
    "LR is at __fput+0x88/0x1ec",
    "Process drainer (pid: 90, stack limit = 0x(ptrval))",
    "[<bf0043c8>] (drain_all [filler]) from [<c0112fb0>] (__fput+0x88/0x1ec)",
    "[<c0112fb0>] (__fput) from [<c0044d10>] (task_work_run+0x9c/0xc4)",
    "---[ end trace 5c1d2f9c0d2d7a33 ]---",
)
MEMORY = (
    "eater invoked oom-killer: gfp_mask=0x6200ca(GFP_HIGHUSER_MOVABLE), order=0, oom_score_adj=0",
    "CPU: 2 PID: 714 Comm: eater Not tainted 4.18.0 #3",
    "Call Trace:",
    " dump_stack+0x5c/0x85",
    " out_of_memory+0x1bb/0x3c0",
    " fill_cache+0x8d/0x100",
    "Mem-Info:",
)
IDLE = tuple(f"usb 1-{n}: new high-speed device number {n}" for n in range(20))
PLAIN = (*IDLE, *OOPS, *IDLE, *WARNING, *IDLE, *ARM, *IDLE, *MEMORY, *IDLE)
EXPECTED = [
    ("null-dereference", "fill_slot", "filler/713", 1, ("fill_slot", "fill_all", "drain", "do_one_initcall")),
    ("warning", "fill_gate", "kworker/u8:2/88", 3, ("fill_gate", "fill_suspend")),
    ("page-fault", "drain_all", "drainer/90", 0, ("drain_all", "task_work_run")),
    ("out-of-memory", "fill_cache", "eater/714", 2, ("dump_stack", "out_of_memory", "fill_cache")),
]

Prefix = Callable[[int], str]


def stamp(n: int) -> str:
    return f"[{41 + n / 10000:12.6f}] "


LEVELS = ("alert", "warn", "info", "emerg", "err", "notice")
NUMBERED: dict[str, Prefix] = {
    "none": lambda n: "",
    "stamp": stamp,
    "level and stamp": lambda n: f"<{n % 8}>{stamp(n)}",
    "caller": lambda n: f"{stamp(n)[:-1]}[  T713] ",
    "dmesg -x": lambda n: f"kern  :{LEVELS[n % 6]:<6}: {stamp(n)}",
    "dmesg -T": lambda n: f"[Mon Aug 13 10:{n // 60 % 60:02}:{n % 60:02} 2018] ",
    "dmesg -H": lambda n: f"[  +0.{n:06}] " if n % 9 else f"[Aug13 10:{n % 60:02}] ",
    "dmesg -H with a comma": lambda n: f"[  +0,{n:06}] ",
    "dmesg -d": lambda n: f"[{41 + n / 10000:12.6f} <    0.000{n % 1000:03}>] ",
    "dmesg --time-format=iso": lambda n: f"2018-08-13T16:31:52,{n:06}+02:00 ",
    "journal short": lambda n: f"Aug 13 16:31:{n % 60:02} box kernel: ",
    "journal short in German": lambda n: f"Okt 13 16:31:{n % 60:02} box kernel: ",
    "journal short in French": lambda n: f"août 13 16:31:{n % 60:02} box kernel: ",
    "journal short in Japanese": lambda n: f" 8月 13 16:31:{n % 60:02} box kernel: ",
    "journal short-precise": lambda n: f"Aug 13 16:31:52.{n:06} box kernel: ",
    "journal short-iso": lambda n: f"2018-08-13T16:31:{n % 60:02}+0200 box kernel: ",
    "journal short-full": lambda n: f"Mon 2018-08-13 16:31:{n % 60:02} CEST box kernel: ",
    "journal short-monotonic": lambda n: f"{stamp(n)}box kernel: ",
    "journal short-unix": lambda n: f"1534170712.{n:06} box kernel: ",
    "journal on the console": lambda n: f"{stamp(n)}kernel: ",
    "syslog with level": lambda n: f"Sun Jun  3 16:14:{n % 60:02} 2018 kern.{LEVELS[n % 6]} kernel: {stamp(n)}",
    "syslog with level, no stamp": lambda n: f"Jun  3 16:14:{n % 60:02} box kern.{LEVELS[n % 6]} kernel: ",
    "RFC 5424": lambda n: f"<{n % 8}>1 2018-08-13T16:31:52.{n:06}+02:00 box kernel - - - ",
    "RFC 5424 with data": lambda n: f'<4>1 2018-08-13T16:31:52Z box kernel - - [meta sequenceId="{n}"] {stamp(n)}',
    "CI": lambda n: f"[2018-08-13T16:31:{n % 60:02}.{n % 1000:03}Z] ",
    "CI without brackets": lambda n: f"2018-08-13T16:31:52.{n:07}Z ",
    "CI in front of stamps": lambda n: f"[2018-08-13T16:31:52.123Z] {stamp(n)}",
    "job log": lambda n: f"12:{n // 60 % 60:02}:{n % 60:02}  ",
    "serial tool": lambda n: f"[22:22:59:{n:03}] ",
    "serial tool with a delta": lambda n: f"[{n / 1000:.6f} 0.000{n % 1000:03}] ",
    "ts": lambda n: f"Aug 13 16:31:{n % 60:02} ",
    "minicom": lambda n: f"[2018-08-13 16:31:{n % 60:02}] ",
    "serial port": lambda n: f"ttyS0: {stamp(n)}",
    "serial port, no stamp": lambda n: "ttyS0: ",
    "guest": lambda n: "guest1 | ",
    "container": lambda n: f"2018-08-13T16:31:52.{n:09}Z stdout F ",
    "compose": lambda n: f"vm_1  | {stamp(n)}",
    "test runner": lambda n: f"2018-08-13 16:31:52,{n % 1000:03} INFO guest1: {stamp(n)}",
    "test runner, no stamp": lambda n: f"2018-08-13 16:31:52,{n % 1000:03} INFO guest1: ",
    "mail": lambda n: f"> {stamp(n)}",
    "mail, no stamp": lambda n: "> > ",
    "indented": lambda n: f"    {stamp(n)}",
    "indented by a tab, no stamp": lambda n: "\t",
    "CPU tag": lambda n: f"<1>{stamp(n)}c1 ",
    "CPU tag that changes": lambda n: f"{stamp(n)}c{n % 4} ",
    "CPU and task": lambda n: f"<4>{stamp(n)} [{n % 4}:  {'kworker/u8:5' if n % 2 else 'swapper/0'}:   77] ",
    "CPU and task without blanks": lambda n: f"{stamp(n)[:-1]}<{n % 4}>.({n % 8})[77:kworker/u8:5]",
    "two stamps": lambda n: f"{stamp(n)}{stamp(n)[:-1]}@{n % 4} ",
    "logcat": lambda n: f"08-13 16:31:52.{n:03}     0     0 {'WEI'[n % 3]} kernel  : {stamp(n)}",
    "logcat, no stamp": lambda n: f"08-13 16:31:52.{n:03}     0     0 {'WEI'[n % 3]} kernel  : ",
    "logcat, brief": lambda n: f"{'WEI'[n % 3]}/kernel  (    0): ",
    "/dev/kmsg": lambda n: f"{n % 8},{900 + n},{41200000 + n},-;",
    "/dev/kmsg with callers": lambda n: f"{n % 8},{900 + n},{41200000 + n},-,caller=T713;",
    "CI, tabs": lambda n: f"boot\tRun it\t2018-08-13T16:31:52.{n:07}Z ",
    "hexadecimal name": lambda n: f"a{n:x}f3 | ",
    "grep": lambda n: f"console.log:{n + 1}:",
    "table": lambda n: f"{n},1534170712,kern,warn,",
    "diff": lambda n: "+",
    "comment": lambda n: " * ",
    "busybox": lambda n: f"Jan  1 00:00:{n % 60:02} (none) user.alert kernel: {stamp(n)}",
    "logger of a house": lambda n: f"2018-08-13 16:31:52.{n % 1000:03} [INFO] [vm1] ",
    "test runner's live log": lambda n: "DEBUG    guest.console:console.py:77 ",
    "keys and values": lambda n: f"time=2018-08-13T16:31:{n % 60:02}Z level=info unit=vm msg=",
    "netconsole with the release": lambda n: f"6.6.1,4,{900 + n},{41200000 + n},-;",
}
ONE = "unregister_netdevice: waiting for lo to become free. Usage count = 1"
UNPROVEN = frozenset(
    {
        "serial port, no stamp",
        "guest",
        "test runner, no stamp",
        "CPU tag",
        "CPU tag that changes",
        "indented by a tab, no stamp",
        "CI, tabs",
        "hexadecimal name",
        "grep",
        "table",
        "diff",
        "comment",
        "logger of a house",
        "test runner's live log",
        "keys and values",
    }
)
"""prefixes that only the other lines of a report prove"""


def logged(lines: Sequence[str], prefix: str) -> str:
    return "".join(f"{NUMBERED[prefix](n)}{line}\n" for n, line in enumerate(lines))


def essence(trouble: kernlog.Trouble) -> tuple[object, ...]:
    functions = tuple(frame.function for frame in trouble.frames)
    return (trouble.kind, trouble.function, trouble.process, trouble.cpu, functions)


def whole(text: str) -> list[object]:
    return [(*essence(found), found.title, found.fingerprint, found.first, found.last) for found in find(text)]


def test_the_log_without_prefixes_has_these_findings() -> None:
    assert [essence(found) for found in find(logged(PLAIN, "none"))] == EXPECTED


@pytest.mark.parametrize("prefix", NUMBERED)
def test_the_findings_are_those_of_the_plain_log(prefix: str) -> None:
    assert whole(logged(PLAIN, prefix)) == whole(logged(PLAIN, "none"))


@pytest.mark.parametrize("prefix", NUMBERED)
@pytest.mark.parametrize("report", [OOPS, WARNING, ARM, MEMORY], ids=lambda report: report[0][:12])
def test_one_report_is_enough_to_know_its_prefix(report: tuple[str, ...], prefix: str) -> None:
    assert whole(logged(report, prefix)) == whole(logged(report, "none"))


@pytest.mark.parametrize("prefix", sorted(NUMBERED.keys() - UNPROVEN))
def test_a_prefix_without_foreign_words_needs_no_proof(prefix: str) -> None:
    (found,) = find(logged([*IDLE, ONE, *IDLE], prefix))
    assert (found.title, found.first, found.last) == (ONE, 21, 21)


@pytest.mark.parametrize("prefix", sorted(UNPROVEN))
def test_a_prefix_that_was_proven_needs_no_further_proof(prefix: str) -> None:
    assert [found.title for found in find(logged([*WARNING, *IDLE, ONE], prefix))][1:] == [ONE]


@pytest.mark.parametrize(("before", "after"), list(itertools.pairwise([*NUMBERED, "none"])))
def test_another_prefix_may_begin_anywhere(before: str, after: str) -> None:
    one, other = (logged([*IDLE, *report, *IDLE], prefix) for report, prefix in ((OOPS, before), (WARNING, after)))
    assert [essence(found) for found in find(one + other + one)] == EXPECTED[:2]


def test_all_prefixes_may_be_in_one_log() -> None:
    renamed = [tuple(line.replace("fill_gate", f"fill_gate{n}") for line in WARNING) for n in range(len(NUMBERED))]
    text = "".join(logged([*report, *IDLE], prefix) for report, prefix in zip(renamed, NUMBERED, strict=True))
    found = find(text)
    assert [trouble.function for trouble in found] == [f"fill_gate{n}" for n in range(len(NUMBERED))]
    assert {(trouble.kind, len(trouble.frames)) for trouble in found} == {("warning", 2)}


@pytest.mark.parametrize(
    ("prefix", "time"),
    [
        ("dmesg -d", 41.002),
        ("mail", 41.002),
        ("container", None),
        ("dmesg -H", None),
        ("/dev/kmsg", 41.20002),
        ("two stamps", 41.002),
        ("journal short-monotonic", 41.002),
    ],
)
def test_the_time_is_the_kernels(prefix: str, time: float | None) -> None:
    assert [found.time for found in find(logged([*IDLE, ONE], prefix))] == [time]


def test_a_stamp_whose_beginning_was_not_copied_is_one() -> None:
    text = logged([*MEMORY, *IDLE], "stamp").removeprefix("[   ")
    (found,) = find(text)
    assert (essence(found), found.time) == (EXPECTED[3], 41.0)


@pytest.mark.parametrize(
    "header",
    [
        "divide error: 0000 [#1] SMP",
        "double fault: 0000 [#1] SMP",
        "invalid opcode: 0000 [#1] SMP",
        "general protection fault: 0000 [#1] SMP",
        "illegal operation: 0001 ilc:1 [#1] SMP ",
        "addressing exception: 0005 ilc:2 [#1] SMP ",
        "stack segment: 0000 [#1] SMP",
        "Internal error: Oops - undefined instruction: 0 [#1] SMP ARM",
        "Unhandled fault: imprecise external abort (0x1406) at 0xb6f5d000",
        "Machine check in kernel mode.",
        "Oops: Kernel access of bad area, sig: 11 [#1]",
    ],
)
@pytest.mark.parametrize("date", ["Aug 13 09:12:01 ", "2018-08-13T09:12:01Z ", "2018-08-13 09:12:01,123 ", "[09:12:01] "])
def test_words_of_the_kernels_behind_a_date_are_no_programs(date: str, header: str) -> None:
    report = (header, "Hardware name: Some Board", "Call Trace:", " fill+0x1/0x2", " drain+0x3/0x4")
    (found,) = find("".join(f"{date}{line}\n" for line in report))
    (plain,) = find("".join(f"{line}\n" for line in report))
    assert (found.kind, found.title, found.function, found.last) == (plain.kind, plain.title, "fill", 5)


QUOTES = [line for line in (DATA / "lookalikes" / "user.log").read_text().splitlines() if line.startswith("[")]


@pytest.mark.parametrize("prefix", NUMBERED)
def test_what_programs_say_is_no_report_under_any_prefix(prefix: str) -> None:
    said = [line[15:] for line in QUOTES]
    assert find(logged(said, prefix)) == []
    (found,) = find(logged([*OOPS, *IDLE, *said], prefix))
    assert essence(found) == EXPECTED[0]


@pytest.mark.parametrize(
    "line",
    [
        "tester: BUG: something is odd",
        "tester[77]: kernel BUG at nowhere",
        "# selftests: mm: case.sh: [ BUG was found ]",
        "tests/test_x.py::test_oops BUG: Bad page state in process x",
        "note: Kernel panic - not syncing: this was typed",
    ],
)
@pytest.mark.parametrize("date", ["Aug 13 09:12:01 box ", "2018-08-13T09:12:01Z box ", "box ", "[   41.200000] box "])
def test_a_line_behind_foreign_words_begins_no_report(date: str, line: str) -> None:
    around = [f"{date}tester: step {n}" for n in range(20)]
    assert find("\n".join((*around, f"{date}{line}", *around))) == []


@pytest.mark.parametrize("line", ["myapp: int3: 0000 [#1] SMP", "myapp: page allocation failure: order:0"])
def test_a_program_that_a_syslog_names_is_no_task(line: str) -> None:
    assert find(f"Aug 13 09:12:01 box {line}\n2018-08-13T09:12:01Z box {line}\n") == []
    assert len(find(f"Aug 13 09:12:01 box kernel: {line}\n")) == 1


def test_first_lines_alone_prove_no_prefix() -> None:
    assert find("".join(f"tester: WARNING: at mm/vmalloc.c:{n} fill+0x1/0x2\n" for n in range(40))) == []
    assert find("tester: Oops\ntester: WARNING: at mm/vmalloc.c:1 fill+0x1/0x2\n" * 20) == []


def test_lines_that_wait_for_a_proof_are_not_lost() -> None:
    doubtful = ["box tester: BUG: odd"] * 5
    for count in range(6):
        found = find("\n".join((*doubtful[:count], *(stamp(n) + line for n, line in enumerate(OOPS)))) + "\n")
        assert [essence(trouble) for trouble in found] == EXPECTED[:1]
        assert found[0].first == count + 1


def test_a_proof_may_be_cut_anywhere() -> None:
    data = logged([*IDLE, *OOPS, *IDLE], "guest").encode()
    expected = find(data.decode())
    for size in (1, 7, 64, 300):
        reader = kernlog.Reader()
        pieces = [data[start : start + size] for start in range(0, len(data), size)]
        assert [trouble for piece in pieces for trouble in reader.feed(piece)] + reader.close() == expected
