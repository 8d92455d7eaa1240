# SPDX-License-Identifier: GPL-2.0-only
"""Parses a report: its title, the function to blame, its place, its task and its CPU."""

from __future__ import annotations

import functools
import itertools
import re
from collections.abc import Sequence
from typing import NamedTuple

import msgspec

from harness.kernlog import blame, fingerprint, trace
from harness.kernlog.block import Block
from harness.kernlog.kinds import DEATHS, SEVERITY, STALLS
from harness.model.trouble import Frame, Trouble

_LONGEST = 300
"""maximum characters of a title"""
_ADDRESS = re.compile(
    r"(?=[ ,])(?P<words>(?<!non-canonical),? (?:for |at )?(?:virtual )?(?:kernel )?address:?|,? at| object| from)?"
    r" (?P<bracket>\()?(?:0x[0-9a-f]{5,16}|[0-9a-f]{16}|(?=[0-9a-f]*[a-f])(?=[0-9a-f]*\d)[0-9a-f]{8,15}|_{2,}ptrval_{2,}"
    r"|\(_{2,}ptrval_{2,}\))\)?(?![\w.])"
)
_PERHAPS_ADDRESS = re.compile(r"[0-9a-f]{5}|ptrval")
_IDS = re.compile(r"^WARNING: CPU: ?\d+ (?:UID: ?\d+ )?PID: ?\d+ |^WARNING: at |, CPU#\d+: .*$")
_IN = re.compile(r"(?: in:? | at )(?=[A-Za-z_.][\w.$]*(?:\+0x|$| \[| /))")
_AT = re.compile(r"\b(?:at|in) (?P<where>[^\s:!]{1,200}?\.(?:[chS]|rs|cpp):\d{1,7})\b")
_NEW_AT = re.compile(r"WARNING: (?:\[.{1,200}\] )?(?P<where>[^\s:!]{1,200}?:\d{1,7}) at (?P<rest>.*)")
_SOURCE = re.compile(r"\.(?:[chS]|rs|cpp):\d")
_AFTER = re.compile(r"\.(?:[chS]|rs|cpp):\d+ (?P<rest>[A-Za-z_.].*)")
_LAST_WORK = re.compile(r"(?:last function: |workfn=)(?P<function>\w+)(?: \[(?P<module>\w+)\])?")
_WORK = re.compile(r"in-flight: \d+(?:\(RESCUER\))?:(?P<function>\w+)(?: \[(?P<module>\w+)\])?")
_HANDLER = re.compile(
    r" *\[<[^>]+>\] (?:\(?[\w.]+(?:\+\S+)?\)?(?: \[[\w-]+\])? threaded \[<[^>]+>\] )?"
    r"\(?(?P<function>[A-Za-z_][\w.]*)(?:\+0x\w+/0x\w+)?(?: \[(?P<module>[\w-]+)\])?"
)
_JUMPED = (
    "IABT",
    "kernel tried to execute",
    "execute from non-executable",
    "Unhandled prefetch abort",
    "Oops: 001",
    "Oops: 86",
    "instruction fetch",
)
_UNREAD = "Bad RIP value"
"""told of code that cannot be read: that of no function, or where a function begins just behind a hole, as a module's init does"""
_CALLS = re.compile(r"(?:Call [Tt]race|Backtrace):")
_LOCKING = re.compile(r"(?: at: |^)(?:\[<[0-9a-f]+>\] )?(?P<place>[A-Za-z_.][\w.]*\+0x.*)")
_HELD = re.compile(r" *#\d+: ")
_WHOLLY_HELD = re.compile(r"still has locks held|lock held (?:when|at)")
_NOT_THE_LOCK = re.compile(r"but |other info|stack backtrace|.{1,60} locks? held by |\{.*at:$")
_NAMED = re.compile(r"BUG: K(?:ASAN|ASan|CSAN|MSAN|FENCE): ")
_SECTION = re.compile(
    r"(?:NMI backtrace for|task:|Task dump|\S{1,16} +[RSDTIX] |CPU: ?\d+ |rcu: (?:Stack dump|\w+ kthread starved))"
)
_USAGE = re.compile(r"(?P<where>\S{1,200}?\.[chS]:\d+) suspicious rcu")
_CPU = re.compile(
    r"CPU: ?(?P<cpu>\d+) +(?:UID: ?\d+ +)?(?:PID|Pid): ?(?P<pid>\d+),? +"
    r"(?:Comm|comm): ?(?P<comm>.{1,40}?)(?: Kdump: loaded)? +(?:Not tainted|Tainted|\d+\.\d+\.)"
)
_TASK = re.compile(
    r"Pid: (?P<a_pid>\d+), comm: (?P<a>.{1,20}?) (?:Not|Tainted)|Process (?P<b>.{1,20}?) \(pid: (?P<b_pid>\d+)"
    r"|INFO: task (?P<c>.{1,20}?):(?P<c_pid>\d+) (?:blocked|can't)|stuck for \d+s! \[(?P<d>.{1,20}?):(?P<d_pid>\d+)\]"
    r"|(?P<e>.{1,20}?)/(?P<e_pid>\d+) is (?:trying|just|leaving|exiting|freeing)|by task (?P<f>.{1,20}?)/(?P<f_pid>\d+)"
    r"|(?:code|atomic): (?P<g>.{1,20}?)/(?P<g_pid>\d+)|comm \"(?P<i>[^\"]{1,20})\", pid (?P<i_pid>\d+)"
    r"|pid: (?P<j_pid>\d+), name: (?P<j>.{1,20}?)$"
    r"|^(?P<m>[^\s(]{1,16})\((?P<m_pid>\d+)\): Oops"
    r"|CPU#\d+: (?P<k>.{1,20}?)/(?P<k_pid>\d+)$|CPU#\d+, (?P<l>.{1,20}?)/(?P<l_pid>\d+)$"
)
_TELLING = ("id: ", "task ", "stuck for ", " is ", "ode: ", "atomic: ", "comm ", "): Oops", "CPU#")
"""words of which a line that names a task has at least one"""
_ON = re.compile(r"CPU#(?P<a>\d+)|\bon (?:cpu|CPU):? ?(?P<b>\d+)|\bCPU: ?(?P<c>\d+)\b|^\s*(?P<d>\d+)-\.")
_IDLE = frozenset({"rcu_gp_kthread", "cpu_startup_entry", "do_idle", "cpu_idle_loop"})
_NAMELESS = re.compile(
    r"Modules linked in|CPU: |Kernel panic|Call Trace|RIP: |Hardware name|Pid: |\[|-----|=====|Tainted|Code: |pc : "
)


class _Report(NamedTuple):
    """A report whose lines are all known."""

    kind: str
    message: str
    lines: tuple[str, ...]


def taken_apart(block: Block) -> Trouble:
    """Return the trouble that a report describes."""
    said = _said(_Report(block.kind, block.message, tuple(block.lines)))
    return msgspec.structs.replace(said, first=block.first, last=max(block.last, block.first), text=block.text(), time=block.time)


@functools.lru_cache(512)
def _said(report: _Report) -> Trouble:
    """Return what a report says, without its place in the log. Cached, because a kernel in trouble repeats itself."""
    header = report.lines[0].strip()
    calls = _stalled(report) if report.kind == "rcu-stall" else trace.read(_traced(report), stalled=report.kind in STALLS)
    where, named = _place(report, header, calls)
    calls, culprit = _culprit(report, calls, named)
    title = _title(header, report.message or _message(report))
    function = blame.plain(culprit.function) if culprit else ""
    return Trouble(
        kind=report.kind,
        severity=SEVERITY[report.kind],
        title=title,
        first=0,
        last=0,
        text="",
        function=function,
        where=where or (f"{culprit.file}:{culprit.line}" if culprit and culprit.file else ""),
        frames=calls.frames if calls.frames or not named else (named,),
        process=_process(report),
        cpu=_cpu(report),
        # A function that has no trace is not its own caller. All other fingerprints wait for the parts that come later.
        fingerprint=fingerprint.of(report.kind, title, function, ()) if named and not calls.frames else "",
    )


def _place(report: _Report, header: str, calls: trace.CallTrace) -> tuple[str, Frame | None]:
    """Return the place in the source and the function that a report names outside of its trace."""
    where, named = _header(header)
    if report.kind == "lockdep":
        usage = next((match["where"] for text in report.lines[1:4] if (match := _USAGE.search(text))), "")
        return where or usage, _locking(report)
    if header.startswith("BUG: workqueue leaked"):
        return where, _work(report, _LAST_WORK)
    if report.kind == "workqueue-lockup":
        return where, _work(report, _WORK)
    if report.kind == "irq":
        return where, _handler(report)
    if report.kind == "atomic":
        return where, _left_disabled(report, calls)
    return where, named


def _culprit(report: _Report, calls: trace.CallTrace, named: Frame | None) -> tuple[trace.CallTrace, Frame | None]:
    """Return the trace with the frames that only registers or other lines have, and the frame to blame."""
    pc, link, frames = calls.pc, calls.link, calls.frames
    if report.kind == "irq":
        # Whoever was interrupted has nothing to do with an interrupt that nobody wanted.
        return msgspec.structs.replace(calls, frames=(*filter(None, [named]), *frames)), named
    head = "\n".join(report.lines[:20]) if report.kind in DEATHS else ""
    if any(sign in head for sign in _JUMPED) or (_UNREAD in head and not (pc and pc.offset)):
        # The pc is not in code: the function that jumped there is in the link register, or on top of the stack.
        named = link or next((frame for frame in frames if not frame.exact), None)
        if pc and link:
            calls = msgspec.structs.replace(calls, frames=(pc, link, *frames[1:]))
        return calls, blame.blamed(report.kind, named, None, calls.frames)
    if report.kind in DEATHS:
        calls = _with_the_caller(calls, report.kind)
    return calls, blame.blamed(report.kind, named, pc, calls.frames)


def _with_the_caller(calls: trace.CallTrace, kind: str) -> trace.CallTrace:
    """Return the trace with the caller of a helper such as memset(), which has no frame: it is in the link register alone."""
    pc, link, frames = calls.pc, calls.link, calls.frames
    if not pc or not link or not blame.reports(pc.function, kind) or frames[0] is not pc:
        return calls
    if link.function in (pc.function, *(frame.function for frame in frames[1:2])):
        return calls
    return msgspec.structs.replace(calls, frames=(pc, link, *frames[1:]))


def _title(header: str, message: str) -> str:
    title = _without_addresses(header)
    if header.startswith("WARNING: "):
        title = _IDS.sub(lambda match: "" if match[0].startswith(",") else "WARNING at ", title).replace("at at ", "at ")
    title = title.removesuffix(":").strip()
    if message:
        title = f"{title}: {_without_addresses(message).strip()}"
    return title[:_LONGEST] or header[:_LONGEST]


def _without_addresses(text: str) -> str:
    """Return the text without addresses, which differ in each boot; dots replace one that is part of the sentence."""
    if not _PERHAPS_ADDRESS.search(text):
        return text
    return _ADDRESS.sub(
        lambda match: (
            "" if match["bracket"] or (match["words"] or "").strip() not in ("", "object") else f"{match['words'] or ''} ..."
        ),
        text,
    )


def _header(header: str) -> tuple[str, Frame | None]:
    """Return the place and the function that the first line names."""
    if match := _NEW_AT.match(header):
        return match["where"], trace.place(match["rest"].split(",")[0])
    source = _SOURCE.search(header)
    at = _AT.search(header) if source else None
    where = at["where"] if at else ""
    if source and (after := _AFTER.search(header)):
        return where, trace.place(after["rest"].replace("()", "+0x0/0x0"))
    if inside := _IN.search(header):
        rest = header[inside.end() :]
        return where, trace.place(rest) or (trace.place(re.split(r"[ ,]", rest)[0] + "+0x0/0x0") if _NAMED.match(header) else None)
    return where, None


def _message(report: _Report) -> str:
    """Return the message of a WARNING on the line after its header, as warn_slowpath_fmt() prints it."""
    if report.kind != "warning" or len(report.lines) < 2:
        return ""
    text = report.lines[1].strip()
    return "" if not text or _NAMELESS.match(text) or trace.frame(report.lines[1]) else text


def _traced(report: _Report) -> Sequence[str]:
    """Return the lines with the trace of the report itself; lockdep prints those of other locks before it, slab the object's."""
    if report.kind == "lockdep":
        start = next((number for number, text in enumerate(report.lines) if text.startswith("stack backtrace")), 0)
        return report.lines[start:]
    if report.kind == "slab":
        start = next((number for number, text in enumerate(report.lines) if _CALLS.match(text)), len(report.lines))
        return report.lines[start:]
    return report.lines


def _locking(report: _Report) -> Frame | None:
    """Return the place at which the lock that lockdep reports is taken or released; locks that are only held do not count."""
    if _WHOLLY_HELD.search(report.lines[0]):
        lines = [text for text in report.lines[1:12] if _HELD.match(text)]
    else:
        lines = list(itertools.takewhile(lambda text: not (_NOT_THE_LOCK.match(text) or _HELD.match(text)), report.lines[1:12]))
    match = next((match for text in lines if (match := _LOCKING.search(text))), None)
    return trace.place(match["place"]) if match else None


def _left_disabled(report: _Report, calls: trace.CallTrace) -> Frame | None:
    """Return the place that disabled preemption, if its function has returned without enabling it again."""
    head = report.lines[:12]
    start = next((number for number, text in enumerate(head) if text.startswith(trace.DISABLED)), None)
    if start is None or any("in_atomic(): 0" in text for text in head):
        return None
    there = next(filter(None, map(trace.frame, (head[start].removeprefix(trace.DISABLED), *head[start + 1 : start + 2]))), None)
    return None if there and any(f.function == there.function for f in calls.frames) else there


def _work(report: _Report, pattern: re.Pattern[str]) -> Frame | None:
    match = next((match for text in report.lines if (match := pattern.search(text))), None)
    return Frame(match["function"], module=match["module"] or "") if match else None


def _handler(report: _Report) -> Frame | None:
    """Return the first of the functions that were asked and did not care; of one with a thread the thread's."""
    start = next((number for number, text in enumerate(report.lines) if text.startswith("handlers:")), len(report.lines))
    matches = (match for text in report.lines[start + 1 :] if (match := _HANDLER.match(text)))
    return next((Frame(match["function"], module=match["module"] or "") for match in matches), None)


def _stalled(report: _Report) -> trace.CallTrace:
    """Return the first trace that is not of RCU's own thread or of an idle CPU."""
    starts = [0, *(number for number, text in enumerate(report.lines) if number and _SECTION.match(text)), len(report.lines)]
    traces = [trace.read(report.lines[start:end], stalled=True) for start, end in itertools.pairwise(starts)]
    traces = [each for each in traces if any(f.sure for f in each.frames)]
    busy = [each for each in traces if not any(blame.plain(f.function) in _IDLE for f in each.frames)]
    return next(iter(busy or traces), trace.CallTrace(None, None, ()))


def _process(report: _Report) -> str:
    """Return the task of the report: for a stall the task that stalls, else the running one."""
    ran = next(
        (f"{match['comm']}/{match['pid']}" for text in report.lines[:100] if "omm: " in text and (match := _CPU.search(text))), ""
    )
    if ran and report.kind not in STALLS:
        return ran
    for text in report.lines[:12]:
        if any(word in text for word in _TELLING) and (match := _TASK.search(text)):
            name = next(name for name, value in match.groupdict().items() if value and name.endswith("_pid")).removesuffix("_pid")
            return f"{match[name]}/{match[name + '_pid']}"
    return "" if report.kind == "hung-task" else ran


def _cpu(report: _Report) -> int | None:
    for text in report.lines[:60]:
        if ("CPU" in text or " cpu" in text or "-." in text) and (match := _ON.search(text)):
            return int((match["a"] or match["b"] or match["c"] or match["d"])[:6])
    return None
