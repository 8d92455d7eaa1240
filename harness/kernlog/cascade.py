# SPDX-License-Identifier: GPL-2.0-only
"""Joins reports that belong together: parts of one finding, its consequences, and repetitions.

- Two reports of one event are one finding: ``Trying to vfree()`` and its WARNING, or a BUG and the ``invalid opcode``
  that implements it.
- The consequences of a finding are titles in its ``followed``: the panic after any other report; reports
  of a task that exits after an Oops; lockups and stalls after a death or after one another; an Oops of the task that
  KASAN has just reported; a series of failed allocations or killed tasks.
- A trouble that repeats is reported once. It is the same if its fingerprint is: kind, function and callers. A stall
  is also the same if its task is: each report finds it at another place.
"""

from __future__ import annotations

import operator
import re
from collections import OrderedDict

import msgspec

from harness.kernlog import blame, block, fingerprint
from harness.kernlog.kinds import ANNOUNCED, DEATHS, STALLS
from harness.model.trouble import Severity, Trouble

WINDOW = 2000
"""maximum lines between a report and its consequence"""
_ADJACENT = 12
"""maximum lines between two parts of one report"""
_NEAR = 150
"""maximum lines between a task's death and its further reports"""
_SOON = 30.0
"""maximum seconds between a report of a task and further ones with the same cause"""
_LATER = 300.0
"""maximum seconds between a stall, or the death of a task that holds a lock, and further stalls"""
_OUT_OF_REACH = WINDOW + 2 * block.MOST
"""lines after which no report that is being read can be a consequence"""
_HELD = 8
_REMEMBERED = 4096
_ROOM = 1 << 17
"""maximum characters of a finding's text; no consequence is added beyond"""
_MORE = "... more lines left out ..."
_TITLES = 20
"""maximum consequences that are listed"""
_RECURSIVE = "Fixing recursive fault"
_first = operator.attrgetter("first")
_ORDER = (Severity.WARNING, Severity.ERROR, Severity.FATAL)
_PANIC = "Kernel panic - not syncing"
_NO_ROOM = frozenset({"allocation-failure", "vmap-exhausted", "out-of-memory"})
_DAMAGE = frozenset({"bad-page", "slab"})
_OF_SLAB = re.compile(r"\bmm/sl(?:ub|ab_common)\.c:")
"""place of a WARNING that is the end of slab's own report, with its call trace (since 3f6f32b14ab3, 6.15 and 6.12.y)"""
_IN_PARTS = DEATHS | ANNOUNCED
"""kinds of which a second report may belong to the same event"""
_IMPLEMENTING = DEATHS | {"warning"}
"""kinds of that second report"""
_DEADLY = _IN_PARTS | {"panic"}
"""kinds that may have a consequence of any kind"""
_FOLLOWING = DEATHS | _NO_ROOM | _DAMAGE | {"atomic", "lockdep"}
"""kinds that may be a consequence of others"""


class _Held(msgspec.Struct, eq=False):
    """A finding that may still have consequences."""

    trouble: Trouble
    stream: str
    end: float | None
    """time at which its last part began"""
    skipped: int
    """lines after its last one that are not the kernel's: the other fields of a journal's record, or what programs print"""

    def gap(self, report: Trouble) -> int:
        """Return the number of the kernel's lines from its last one to the first of a report."""
        return report.first - self.trouble.last - self.skipped


class Cascade:
    """Joins reports to findings; takes them in the order in which they end."""

    def __init__(self) -> None:
        self._held: list[_Held] = []
        self._done: list[Trouble] = []
        self._seen: OrderedDict[str, None] = OrderedDict()

    def add(self, report: Trouble, stream: str, skipped: int = 0) -> None:
        """Take the next report, after whose last line `skipped` lines are not the kernel's."""
        self._release(report.first)
        for held in reversed(self._held):
            if held.stream == stream and 0 < held.gap(report) <= _ADJACENT and _same(held, report):
                held.trouble, held.skipped = _joined(held.trouble, report), skipped
                self._settle(held)
                return
        self._held.append(_Held(report, stream, report.time, skipped))
        self._settle(self._held[-1])

    def _settle(self, new: _Held) -> None:
        """Join a finding to the one that it is a consequence of, if there is one."""
        if not new.trouble.process and new.trouble.kind in _IN_PARTS and not new.trouble.title.startswith(_RECURSIVE):
            return  # The second part, which comes later, names the task.
        far = _reaches_far(new.trouble)
        reach = WINDOW if far else _NEAR
        following = new.trouble.kind in _FOLLOWING
        for held in reversed(self._held[: self._held.index(new)]):
            gap = held.gap(new.trouble)
            likely = far or (held.stream == new.stream and (following or held.trouble.kind in _DEADLY))
            if likely and gap <= reach and held.trouble.first < new.trouble.first and _follows(held, new, gap):
                held.trouble, held.skipped = _extended(held, new.trouble), new.skipped
                held.end = new.end if new.end is not None else held.end
                self._held.remove(new)
                return

    def _release(self, number: int) -> None:
        done = [held for held in self._held if number - held.trouble.last > _OUT_OF_REACH] or self._held[:-_HELD]
        if done:
            self._held = [held for held in self._held if held not in done]
            self._done += self._new(done)

    def ready(self, number: int) -> list[Trouble]:
        """Return the findings that are complete when line `number` is reached, and forget them."""
        self._release(number)
        done, self._done = self._done, []
        return done

    def close(self) -> list[Trouble]:
        """Return the remaining findings."""
        done, self._held = self._done + self._new(self._held), []
        return done

    def _new(self, done: list[_Held]) -> list[Trouble]:
        troubles = []
        for trouble in sorted((_marked(held.trouble) for held in done), key=_first):
            keys = [trouble.fingerprint]
            if trouble.kind in STALLS and trouble.process:
                keys.append(f"{trouble.kind} {trouble.process}")
            if not any(key in self._seen for key in keys):
                troubles.append(trouble)
            for key in keys:
                self._seen[key] = None
                self._seen.move_to_end(key)
            while len(self._seen) > _REMEMBERED:
                self._seen.popitem(last=False)
        return troubles


def _marked(trouble: Trouble) -> Trouble:
    """Return a complete finding with its fingerprint, which its first part may have already."""
    if trouble.fingerprint:
        return trouble
    mark = fingerprint.of(trouble.kind, trouble.title, trouble.function, trouble.frames)
    return msgspec.structs.replace(trouble, fingerprint=mark)


def _same(held: _Held, report: Trouble) -> bool:
    """Return True if `report`, which comes soon after in the same stream, is another part of the finding."""
    before = held.trouble
    if report.title.startswith((_PANIC, _RECURSIVE)):
        return False
    if before.kind in ANNOUNCED:
        return report.kind in _IMPLEMENTING
    if before.kind == "warning" and (report.kind in ANNOUNCED or report.kind == "hard-lockup"):
        return report.first - before.first - held.skipped <= 2
    if before.kind in DEATHS:
        return report.kind in DEATHS and report.kind != "bug" and (not before.process or not report.process)
    if before.kind == report.kind == "rcu-stall":
        return True
    if before.kind == "slab" and report.kind == "warning":
        return bool(_OF_SLAB.search(report.where))
    if before.kind == "inconsistency" and report.kind == "warning":
        return not before.frames
    if before.kind == report.kind == "memory-leak":
        return not before.frames and held.gap(report) == 1
    if before.kind in ("out-of-memory", "machine-check", "ubsan") and before.kind == report.kind:
        return report.kind != "ubsan" or (not before.frames and before.where == report.where)
    return before.kind == "allocation-failure" == report.kind and before.process in ("", report.process)


def _reaches_far(report: Trouble) -> bool:
    """Return True if a report can be a consequence of a much earlier one, or of one in another stream."""
    return report.kind in STALLS or report.title.startswith(_PANIC) or "spinlock lockup" in report.title


def _follows(held: _Held, new: _Held, gap: int) -> bool:
    """Return True if a new finding, which begins `gap` lines later, is a consequence of the one that is held."""
    before, report = held.trouble, new.trouble
    waited = 0.0 if held.end is None or report.time is None else report.time - held.end
    if waited > _LATER or waited < -1:
        return False
    ours = new.stream == held.stream
    one_task = not before.process or not report.process or before.process == report.process
    if report.title.startswith(_PANIC):
        return (ours or gap <= _NEAR) and waited <= _SOON
    if report.kind in STALLS or "spinlock lockup" in report.title:
        if before.kind in DEATHS or before.kind == "panic":
            return True
        if before.kind in STALLS:
            return held.end is not None or gap <= _NEAR
        return before.kind in ("lockdep", "spinlock", "atomic") and before.process == report.process != "" and waited <= _SOON
    if not ours or gap > _NEAR or waited > _SOON:
        return False
    if before.kind in DEATHS or (before.kind in ANNOUNCED and _PANIC in before.followed):
        return one_task or report.title.startswith(_RECURSIVE)
    if before.kind == "panic":
        return True
    if report.kind in DEATHS and before.severity is Severity.ERROR and before.kind not in STALLS:
        return one_task and gap <= 2 * _ADJACENT
    if report.kind in _NO_ROOM:
        return before.kind in _NO_ROOM
    if "atomic" in (before.kind, report.kind) and {before.kind, report.kind} <= {"atomic", "lockdep"}:
        return before.process == report.process != ""
    return before.kind == report.kind and before.kind in _DAMAGE and one_task


def _text(before: Trouble, after: Trouble) -> str:
    if len(before.text) > _ROOM:
        return before.text if before.text.endswith(_MORE) else f"{before.text}\n{_MORE}"
    left = after.first - before.last - 1
    return "\n".join([before.text, *([f"... {left} lines left out ..."] if left > 0 else []), after.text])


def _worst(before: Trouble, after: Trouble) -> Severity:
    ended = after.title.startswith(_PANIC) or after.kind in DEATHS
    return (
        Severity.FATAL
        if ended
        else max(before.severity, after.severity, key=_ORDER.index)
        if before.kind == "warning"
        else before.severity
    )


def _joined(before: Trouble, after: Trouble) -> Trouble:
    """Return both parts of a report as one; the second part fills in what the first lacks."""
    titled = after if before.kind == "warning" and after.kind in ANNOUNCED | {"hard-lockup"} else before
    frames = after.frames if len(before.frames) <= 1 < len(after.frames) else before.frames or after.frames
    whole = after if frames is after.frames else before
    function = whole.function or before.function or after.function
    if before.function and not blame.reports(before.function, titled.kind):
        function = before.function
    elif titled.kind != whole.kind and titled.kind not in DEATHS:
        # The function to blame depends on the kind, and the part with the trace has another one.
        culprit = blame.blamed(titled.kind, None, next((f for f in frames if f.exact), None), frames)
        function = blame.plain(culprit.function) if culprit else function
    return msgspec.structs.replace(
        before,
        kind=titled.kind,
        severity=_worst(before, after),
        title=titled.title,
        last=max(before.last, after.last),
        text=_text(before, after),
        function=function,
        where=before.where or after.where,
        frames=frames,
        process=before.process or after.process,
        cpu=before.cpu if before.cpu is not None else after.cpu,
        fingerprint="",
    )


def _extended(held: _Held, after: Trouble) -> Trouble:
    """Return a finding with one more consequence."""
    before = held.trouble
    gap = held.gap(after)
    traced = len(before.frames) <= 1 < len(after.frames)
    refused = before.kind == "vmap-exhausted" and after.kind == "allocation-failure" and gap <= _ADJACENT
    if traced and (refused or (after.title.startswith(_PANIC) and gap <= _NEAR)):
        grown = _joined(before, after)
    else:
        grown = msgspec.structs.replace(before, text=_text(before, after), last=max(before.last, after.last))
    titles = before.followed if len(before.followed) >= _TITLES else (*before.followed, after.title)
    return msgspec.structs.replace(grown, severity=_worst(before, after), followed=titles)
