# SPDX-License-Identifier: GPL-2.0-only
"""Parses call traces and registers of a report in the architectures' formats."""

from __future__ import annotations

import functools
import re
from collections.abc import Sequence

import msgspec

from harness.kernlog import blame
from harness.model.trouble import Frame

_MOST = 64
"""maximum frames that are kept"""
_NAME = r"\.?(?P<name>(?![0-9a-f]{8,16}\b)[A-Za-z_$][\w.$]*)"
_WHERE = r"(?P<file>[\w./+-]+\.(?:[chS]|rs|cpp)|<[\w ]+>):(?P<line>\d+)"
_PLACE = (
    _NAME
    + r"(?:\+0x(?P<offset>[0-9a-f]{1,8})(?:/0x(?P<size>[0-9a-f]{1,8}))?)?"
    + r"(?: \[(?P<module>[\w-]+)(?: [0-9a-f]{8,40})?\])?"
    + r"(?: \(?"
    + _WHERE
    + r"(?: \(discriminator \d+\))?\)?)?"
    + r"(?P<rest>(?: \[inline\]| \(inlined\)| \(inline\))?)"
    + r"(?: (?P<after>[A-Za-z][\w-]*)$)?"
)
_ADDRESS = r"(?:\(?\[<?(?:0x)?[0-9a-f]{4,16}>?\]\)? *){0,2}"
_ENTRY = re.compile(r" *(?:(?:</?[A-Z]{3,9}> *)+)?" + _ADDRESS + r"(?P<doubt>\? |= )?\(?" + _PLACE)
_CALLED = re.compile(r" *" + _ADDRESS + r"\(?" + _NAME + r"\)?(?: \[[\w-]+\])? from " + _ADDRESS + r"\(?(?P<caller>[A-Za-z_].*)")
_PC = re.compile(
    r" *(?:\S{1,12}  ?)?(?:RIP|EIP|IP|NIP|epc|pc|PC|Krnl PSW|TPC|ip|IAOQ\[0\]|ERA|\[ERET *\]"
    r"|LR|lr|ra|RPC|PR|RP\(r2\)|\[BLINK *\])(?: is at)?(?!\w) *:? *"
    r"(?:[0-9a-f]{4}:)?"
    r"(?:[\[(]{0,2}<?(?:0x)?[0-9a-f]{8,16}\b>?\]? *:? *){0,3}[(<]?" + _PLACE
)
_PC_STARTS = (
    "RIP",
    "EIP",
    "IP:",
    "NIP",
    "epc",
    "pc ",
    "PC ",
    "PC:",
    "Krnl PSW",
    "TPC: ",
    "ip is at ",
    "IAOQ[0]",
    "ERA:",
    "[ERET",
    "[<",
)
_LINK_STARTS = ("LR is at ", "lr : ", "LR [", "ra ", "ra:", "RPC: ", "PR is at ", "RP(r2)", "[BLINK")
DISABLED = "Preemption disabled at:"
"""line before a place that does not belong to the trace"""
_SOURCE = re.compile(r"\.(?:[chS]|rs):")
_STOP = re.compile(
    r"(?:\w{4}-)?(?:Allocated by|Freed by|Last potentially|Second to last|Memory state|The buggy|Uninit was|Local variable|"
    r"Showing all|"
    r"NMI backtrace|value changed|Reported by|irq event stamp|(?:read|write)(?:-write|-read)? (?:\(\w+\) )?to 0x|"
    r"-----|=====|---\[|Kernel panic|Kernel Offset|Mem-Info|which lock|the existing dep|Backtrace for|\d+ locks? held|"
    r"page last|Sending NMI|INFO: |BUG: |Task dump|kworker|[\w.:/-]{1,16} +[RSDTZXI] )"
)
_ENTERED = re.compile(r"el1h?_\w+|__(?:irq|dabt|und|pabt)_svc")
"""entry functions of exceptions: the next frame is that of the interrupted instruction itself"""
_INTERRUPTED = re.compile(
    r"el1_irq|el1h_64_irq\w*|__irq_svc|ret_from_exception|handle_exception|restore_all|apic_timer_interrupt|asm_sysvec_\w+"
)


class CallTrace(msgspec.Struct, frozen=True):
    """The place of the kernel in a report: registers and call trace."""

    pc: Frame | None
    """frame of the instruction itself, if the report shows registers"""
    link: Frame | None
    """frame of the return address in the link register"""
    frames: tuple[Frame, ...]
    """call trace, innermost first, without the frames of an exception or of the timer interrupt that noticed"""


@functools.lru_cache(2048)
def frame(text: str) -> Frame | None:
    """Return the frame in a line of a call trace; None for other lines. Cached, because lines repeat often."""
    entry = _ENTRY.match(text)
    if not entry:
        return None
    return _frame(entry, sure=not entry["doubt"])


def _frame(match: re.Match[str], *, sure: bool = True, exact: bool = False) -> Frame | None:
    name, offset, size, module, file, line, rest, after = match.group(
        "name", "offset", "size", "module", "file", "line", "rest", "after"
    )
    if offset is None and file is None:
        return None
    start, length = int(offset or "0", 16), int(size or "0", 16)
    if file is None or file[0] == "<":
        return Frame(name, start, length, module or "", sure, exact, bool(rest))
    return Frame(name, start, length, module or after or "", sure, exact, bool(rest), file, int(line[:9]))


def place(text: str) -> Frame | None:
    """Return the function that `text` begins with, such as ``fill_pages+0x5c/0xf0 [vmalloc_test]``."""
    match = re.match(_PLACE, text)
    return _frame(match, exact=True) if match else None


def read(lines: Sequence[str], *, stalled: bool = False) -> CallTrace:
    """Return the first trace in a report's lines, with the registers that go with it.

    `stalled` is for reports that an interrupt of the CPU made: the frames of the interrupt are left out.
    """
    pc: Frame | None = None
    link: Frame | None = None
    frames: list[Frame] = []
    before = 0
    aside = False
    for text in lines:
        if aside:
            aside = False
            continue
        if stalled and frames and ("<EOI>" in text or "</IRQ>" in text):
            frames.clear()
        if "+0x" not in text and not ("." in text and _SOURCE.search(text)):
            if before < len(frames) and text[:1] != " " and _STOP.match(text) and any(f.sure for f in frames[before:]):
                break
            aside = text == DISABLED
            continue
        bare = text.lstrip()
        if not pc and bare.startswith(_PC_STARTS):
            pc = _pc(bare)
            if pc:
                before = len(frames)
                continue
        if not link and bare.startswith(_LINK_STARTS) and (at := _pc(bare)):
            link = msgspec.structs.replace(at, exact=False)
            continue
        got = _caller(text, frames) if " from " in text else frame(text)
        if got and len(frames) < _MOST:
            # What is left on the stack of an earlier interrupt, behind frames that are sure, is none of this one.
            if stalled and _INTERRUPTED.fullmatch(got.function) and (got.sure or not any(f.sure for f in frames)):
                frames.clear()
            elif frames and _ENTERED.fullmatch(frames[-1].function):
                frames.append(msgspec.structs.replace(got, exact=True))
            else:
                frames.append(got)
        elif not got and any(f.sure for f in frames[before:]) and _STOP.match(bare):
            break
    if pc and any(f.sure and not blame.reports(f.function) for f in frames[:before]) and not stalled:
        # The report is about an interrupt, and the registers are those of the interrupted code.
        return CallTrace(None, link, (*frames[:before], pc, *frames[before:]))
    return CallTrace(pc, link, _kept(pc, frames, before) if pc or not link else (link, *frames))


def _kept(pc: Frame | None, frames: list[Frame], before: int) -> tuple[Frame, ...]:
    after = frames[before:] if pc and before and any(f.sure for f in frames[before:]) else frames
    if pc and not (after and after[0].function == pc.function and after[0].offset == pc.offset):
        return (pc, *after)
    if pc:
        return (pc, *after[1:])
    return tuple(after)


def _pc(text: str) -> Frame | None:
    match = _PC.match(text)
    return _frame(match, exact=True) if match else None


def _caller(text: str, frames: list[Frame]) -> Frame | None:
    """Return the frame of an arm line, ``CALLED from CALLER+0x5c/0xf0``.

    CALLED corrects the frame before, if that is at the start of a function: the return address of a noreturn call may
    be the first byte of the next function.
    """
    match = _CALLED.match(text)
    if not match:
        return frame(text)
    if frames and frames[-1].size and not frames[-1].offset:
        frames[-1] = Frame(function=match["name"], module=frames[-1].module)
    caller = _ENTRY.match(match["caller"])
    return _frame(caller) if caller else None
