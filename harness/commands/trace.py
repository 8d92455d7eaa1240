# SPDX-License-Identifier: GPL-2.0-only
"""Runs one test with the kernel's ftrace recording, and writes what it recorded for trace-cmd and for Perfetto."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable
from pathlib import Path

import msgspec

from harness import paths, text
from harness.build import cells
from harness.build.built import BuiltCell
from harness.commands.progress import Progress
from harness.errors import UsageError
from harness.host import files
from harness.model import catalog, matrix, run_folder
from harness.model.clock import ICOUNT_SHIFT, Clock
from harness.model.ftrace import Recording
from harness.model.records import Finding
from harness.model.selection import Selection, whole
from harness.report import trace_dat, trace_json
from harness.suite import ftrace, ring_buffer, vm_pool
from harness.suite.execute import STEPS, Steps
from harness.suite.extract import Observed
from harness.suite.ftrace import Available, Chosen
from harness.suite.plan import Plan, Session
from harness.suite.vm_pool import Lab
from harness.vm.ssh import Guest

PROFILE = "trace"
FOLDER = "trace"
"""folder of results/ in which traces are, by time"""
BUFFER = 8
"""MiB of a CPU's buffer, unless the user says otherwise"""
_MOST = 60
"""MiB of one that the rig can fetch"""
_SHARE = 4
"""share of a VM's memory, as its divisor, that buffers may take; what was recorded takes as much again when it is fetched"""
_EXAMPLE = "--events kmem:*,alloc_vmap_area"
_UNUSED = ("tests", "profile", "boots", "unsettled", "keep", "on_failure", "threshold", "margin")
"""options that say how a run measures and judges, which this is none of"""


class Wish(msgspec.Struct, frozen=True):
    """Wish of the user: a test, and what to record of it."""

    test: str
    events: tuple[str, ...]
    buffer: int
    """MiB a CPU"""
    folder: Path
    """for the files"""


class Traced(msgspec.Struct, frozen=True):
    """The trace of one cell."""

    cell: str
    clock: Clock
    observed: Observed
    files: tuple[str, ...] = ()
    """their names, for trace-cmd and for Perfetto; empty if there is nothing to write"""
    events: int = 0
    lost: int = 0

    @property
    def good(self) -> bool:
        """True if there is something to look at, and the kernel showed nothing but known bugs."""
        return bool(self.files) and not self.observed.unexpected


class Parts(msgspec.Struct, frozen=True):
    """The functions that a trace calls; tests hand in their own."""

    lab: Callable[[Path], Lab] = functools.partial(Lab, keep=False)
    """the VMs, with their consoles' logs in a folder"""
    steps: Steps = STEPS
    available: Callable[[Guest], Available] = ftrace.available
    prepare: Callable[[Guest, Chosen, int], None] = ftrace.prepare
    collect: Callable[[Guest, Chosen, Path], Recording] = ftrace.collect


_PARTS = Parts()


def wish(test: str, events: str, buffer: str, output: str) -> Wish:
    """Return what the options ask for; UsageError for values that they do not have."""
    names = catalog.choose(test)
    if len(names) != 1:
        raise UsageError(f"'{test}' is {len(names)} tests, and a trace is of one: name it, such as {names[0]}.")
    if not catalog.profile_use(PROFILE).runs(next(each for each in catalog.suite().tests if each.name == names[0])):
        raise UsageError(f"{names[0]} cannot be traced: kernels of the profile {PROFILE} do not run it; name another test.")
    words = tuple(dict.fromkeys(word for part in events.split(",") if (word := part.strip())))
    if not words:
        raise UsageError(f"Which events are to be recorded? Name events, functions or patterns of them, such as {_EXAMPLE}.")
    if odd := next((word for word in words if not word.isprintable() or set(word) & set(" \"'\\$`")), None):
        raise UsageError(f"--events has {odd!r}, which is neither SYSTEM:EVENT nor a function; say it as in {_EXAMPLE}.")
    size = whole("buffer", buffer, least=1) if buffer else BUFFER
    if size > _MOST:
        raise UsageError(f"--buffer has to be at most {_MOST} MiB a CPU, not {size}.")
    folder = paths.expanded(output, "--output") if output else run_folder.new_folder(paths.RESULTS / FOLDER)
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UsageError(f"--output {folder} is there already; name a new folder, or an empty one.")
    _check_place(folder)
    return Wish(names[0], words, size, folder)


def _check_place(folder: Path) -> None:
    """Raise UsageError if a folder cannot be made: else that would show after the build and the test."""
    parent = next(path for path in folder.parents if path.exists())
    if not parent.is_dir() or not os.access(parent, os.W_OK):
        what = "cannot be written to" if parent.is_dir() else "is a file"
        raise UsageError(f"--output {folder} cannot be made, because {parent} {what}; name another folder.")


def selected(wanted: Selection, wish: Wish) -> Selection:
    """Return the selection whose kernels record; UsageError for options that have no meaning here.

    The machine is the one that is like this host, unless the user named others.
    """
    fresh = Selection()
    for name in _UNUSED:
        if getattr(wanted, name) != getattr(fresh, name):
            raise UsageError(f"--{name.replace('_', '-')} has no meaning for a trace, which measures nothing; leave it out.")
    machine = wanted.machine or matrix.own_machine(os.uname().machine)
    chosen = msgspec.structs.replace(wanted, machine=machine, tests=wish.test, profile=PROFILE, plain=True)
    cells.check(chosen)
    return chosen


def run(planned: Plan, wish: Wish, parts: Parts = _PARTS) -> list[Traced]:
    """Record the test in each cell of `planned`, one after the other, and write the files into the folder of `wish`.

    Raises UsageError for an event or a function that a kernel does not have, and for buffers that are too large; VmLost if
    QEMU cannot be started, or the guest does not hand over what it recorded.
    """
    every = []
    sessions = [_session(planned, built) for built in planned.cells]
    for session in sessions:
        _check_room(session, wish)
    with Progress("trace") as progress, files.folder(wish.folder) as folder:
        for session in sessions:
            name = session.built.cell.name
            progress.say(name, "booting")
            every.append(_one(planned, session, msgspec.structs.replace(wish, folder=folder), parts))
            progress.done(name, "recorded" if every[-1].files else "not recorded")
    return every


def _session(planned: Plan, built: BuiltCell) -> Session:
    """Return the first boot of a cell that does the test, with this one step of it, traced."""
    session = next(each for each in planned.sessions if each.built == built)
    step = msgspec.structs.replace(session.steps[0], traced=True)
    return msgspec.structs.replace(session, steps=(step,), boot=0)


def _check_room(session: Session, wish: Wish) -> None:
    """Raise UsageError if the buffers would leave too little of the VM's memory to the test, which may want all of it."""
    cpus = vm_pool.booting(session.built, session.clock, pauses=False).cpus
    most = session.size // (_SHARE * cpus)
    if wish.buffer > most:
        has = f"The VM of {session.built.cell.name} has {session.size} MiB and {text.counted(cpus, 'CPU')} in {wish.test}"
        raise UsageError(f"{has}: --buffer has to be at most {most}, not {wish.buffer}.")


def _one(planned: Plan, session: Session, wish: Wish, parts: Parts) -> Traced:
    lab = parts.lab(wish.folder)
    name = session.built.cell.name
    try:
        booted = parts.steps.boot(lab, planned, session)
        station = lab.current(session)
        if station is None:
            return Traced(name, session.clock, booted)
        chosen = ftrace.choose(wish.events, parts.available(station.guest), name)
        parts.prepare(station.guest, chosen, wish.buffer)
        observed = parts.steps.run(lab, planned, session, session.steps[0])
        observed = msgspec.structs.replace(observed, findings=booted.findings + observed.findings)
        if lab.current(session) is None or observed.skipped:
            return Traced(name, session.clock, observed)
        recording = parts.collect(station.guest, chosen, station.symbols)
    finally:
        lab.close()
    events = ring_buffer.events(recording)
    dat, json = f"{session.name}.dat", f"{session.name}.json"
    files.write(wish.folder / dat, trace_dat.trace_dat(recording, ring_buffer.layout(recording)))
    files.write(wish.folder / json, trace_json.trace_json(events, recording.commands, _about(planned, session, wish)))
    return Traced(name, session.clock, observed, (dat, json), len(events), recording.lost)


def _about(planned: Plan, session: Session, wish: Wish) -> dict[str, str]:
    return {
        "kernel": f"Linux {planned.version}",
        "cell": session.built.cell.name,
        "test": wish.test,
        "events": ",".join(wish.events),
        "clock": unit(session.clock),
    }


def unit(clock: Clock) -> str:
    """Return a sentence on what a nanosecond of a trace is."""
    if clock is Clock.ICOUNT:
        return (
            f"{1 << ICOUNT_SHIFT} ns of the trace are one guest instruction (clock icount), those of the recording itself included."
        )
    return "The times of the trace are the guest's (clock wall), those that the recording itself takes included."


def _shown(cell: str, finding: Finding) -> str:
    known = f" (known bug: {finding.expected})" if finding.expected else ""
    return f"{cell}: {finding.trouble.kind}: {finding.trouble.title}{known}"


def sentences(traced: Traced, folder: Path) -> list[str]:
    """Return what there is to say of a trace whose files are in `folder`."""
    said = [_shown(traced.cell, finding) for finding in traced.observed.findings]
    if traced.observed.skipped:
        return [*said, f"{traced.cell}: nothing was recorded: {traced.observed.skipped}"]
    if not traced.files:
        return [*said, f"{traced.cell}: nothing was recorded: the guest ended, and its buffers with it."]
    dat, json = (folder / name for name in traced.files)
    count = text.counted(traced.events, "event") if traced.events else "no event, because none of those asked for came in the test"
    said.append(f"{traced.cell}: {count}.")
    if traced.lost:
        said.append(
            f"{traced.cell}: {text.counted(traced.lost, 'event')} before these were lost, because the buffer was too small:"
            " --buffer makes it larger, --loops 0.1 the test shorter."
        )
    return [*said, unit(traced.clock), f"trace-cmd, KernelShark: {dat}", f"Perfetto (ui.perfetto.dev): {json}"]
