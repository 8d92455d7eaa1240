# SPDX-License-Identifier: GPL-2.0-only
"""A run's folder from its beginning to its report."""

from __future__ import annotations

import collections
import functools
import importlib.metadata
import os
import platform
import re
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import msgspec

from harness import paths
from harness.build import effect, patches
from harness.build.built import BuiltCell
from harness.errors import RigError, UsageError
from harness.host import files, shell
from harness.model import audit, catalog, records
from harness.model.audit import Audit
from harness.model.changes import CellChanges
from harness.model.clock import Clock
from harness.model.records import COMPRESSED, Finding, Place, Provenance, Run
from harness.model.selection import Selection
from harness.report.contents import Content
from harness.stats import baseline, compare, leaks, prefixes, published, slopes
from harness.stats.outcome import Outcome
from harness.stats.sensitivity import Sensitivity
from harness.suite import plan
from harness.suite.plan import Plan, Session

RECORDS = (
    "boots.jsonl",
    "samples.jsonl",
    "findings.jsonl",
    "latency.jsonl",
    "sections.jsonl",
    "memory.jsonl",
    "sweep.jsonl",
    "results.jsonl",
)


UNPROVEN = (
    "Not all boots proved that they ran what was built for them: what is measured here may be of another kernel."
    " Runs of before boots had such proof are to be made again."
)


class _OfABoot(Place, frozen=True):
    """What all records say of where they come from."""

    boot: int


def begin(run: Run, made: Plan, wanted: Selection, command: str) -> None:
    """Write down what is to be run, and with what; `command` is what repeats it.

    The folder is a run's only when all is in it. Raises RigError where there is no room for that.
    """
    provenance = Provenance(
        run=run.folder.name,
        started=records.now(),
        command=command,
        kernel=made.base.name,
        version=made.version,
        source=made.origin,
        source_tree=made.tree,
        stock_only=made.stock_only,
        scale=f"{made.scale} unsettled" if made.unsettled else made.scale,
        loops=made.loops,
        threshold=wanted.threshold,
        margins=wanted.margins,
        planned=0 if made.hours else sum(session.results for session in made.sessions),
        hours=made.hours,
        seed=made.seed,
        host=host(),
        tools=_tools(made),
        machines={built.cell.machine.name: built.cell.machine.description for built in made.cells},
        cells={built.cell.name: built.kernel.key for built in made.cells},
        patches={built.cell.variant.name: tuple(p.name for p in patches.read(built.cell.variant)) for built in made.cells},
        notes=made.notes,
        selfcheck=told.sentence() if (told := last_selfcheck()) else "",
        audited=_audited(made),
    )
    try:
        plan.save(made, run.folder / "plan.json")
        changed = effect.between(made.cells)
        run.add("changes.jsonl", changed)
        for built in made.cells:
            name = built.cell.file_name
            shutil.copyfile(built.kernel.config, run.folder / f"{name}.config")
            files.write(run.folder / f"{name}.build.json", _built(built, changed))
            shutil.copyfile(built.rootfs.image.with_name("rootfs.json"), run.folder / f"{built.cell.machine.name}.rootfs.json")
        _write(run, provenance)
    except OSError as error:
        raise RigError(f"The run's folder {run.folder} cannot be filled: {error.strerror}.") from error


def _built(built: BuiltCell, changed: Iterable[CellChanges]) -> bytes:
    """Return what is known of how a kernel was built, with what it changes against its predecessor, if there is one."""
    cell, told = built.cell, msgspec.json.decode((built.kernel.folder / "build.json").read_bytes())
    for of in changed:
        if (of.machine, of.variant, of.profile) == (cell.machine.name, cell.variant.name, cell.profile):
            told |= {"against": of.against, "changes": msgspec.to_builtins(of.changes)}
    return msgspec.json.format(msgspec.json.encode(told))


def host() -> str:
    """Return what the host is, with its CPU's model: under the wall clock it decides the figures."""
    model = re.search(r"^model name\s*: (.+)$", Path("/proc/cpuinfo").read_text(), re.M)
    kind = model[1] if model else platform.machine()
    return f"{platform.system()} {platform.release()} {platform.machine()}, {os.cpu_count()} CPUs ({kind})"


def resume(run: Run, made: Plan) -> None:
    """Note that the run goes on, and set aside what was recorded in boots that were not finished: they are made again.

    What is set aside goes to the folder ``interrupted``. A run that came to its end is taken up again for the boots in
    which the rig failed. Raises UsageError where there is nothing to do, or test_module/suite.toml is not what it was.
    """
    provenance = run.provenance()
    if provenance.hours:
        raise UsageError(f"{provenance.run} is a soak, which cannot be resumed: its VMs are gone; `invoke report` reports it.")
    if provenance.finished and not undone(run, made):
        raise UsageError(f"{provenance.run} is finished; there is nothing to resume.")
    if made.suite != catalog.digest():
        raise UsageError(f"{provenance.run} cannot be resumed: test_module/suite.toml has changed; start a new run.")
    again = {_place(session) for session in undone(run, made)}
    for name in RECORDS:
        file = run.folder / name
        lines = file.read_bytes().splitlines(keepends=True) if file.exists() else []
        lines = [line for line in lines if line.endswith(b"\n")]
        old = [line for line in lines if _place_of(line) in again]
        if old:
            Run(run.folder / "interrupted").append(name, b"".join(old))
            files.write(file, b"".join(line for line in lines if _place_of(line) not in again))
    _change(run, resumed=(*provenance.resumed, records.now()), finished="")


def undone(run: Run, made: Plan) -> list[Session]:
    """Return the sessions of which not everything has a result, or in which the rig failed."""
    of = collections.Counter((r.machine, r.variant, r.profile, r.clock, r.boot) for r in run.results())
    failed = {(r.machine, r.variant, r.profile, r.clock, r.boot) for r in run.results() if r.outcome == "error"}
    return [s for s in made.sessions if of[_place(s)] < s.results or _place(s) in failed]


def _place(session: Session) -> tuple[str, str, str, Clock, int]:
    cell = session.built.cell
    return cell.machine.name, cell.variant.name, cell.profile, session.clock, session.boot


def _place_of(line: bytes) -> tuple[str, str, str, Clock, int]:
    place = msgspec.json.decode(line, type=_OfABoot)
    return place.machine, place.variant, place.profile, place.clock, place.boot


def finish(run: Run, unfinished: str) -> Outcome:
    """Note that nothing more is to come, and write the report.

    Raises RigError if there is no room for one of them; it names the command that goes on then, `unfinished` for a run that is
    not noted as finished.
    """
    try:
        _change(run, finished=records.now(), proven=run.proven())
        return conclude(run)
    except RigError as error:
        again = "report" if run.provenance().finished else unfinished
        hint = f"What the run found is whole: once that is mended, `invoke {again} {run.folder.name}` writes the report."
        raise RigError(f"{error} {hint}") from error


def conclude(run: Run) -> Outcome:
    """Write the report of a run from its records alone, and point ``results/latest`` to it."""
    provenance = run.provenance()
    results = tuple(run.results())
    notes, proven = provenance.notes, run.proven() or not results
    if not proven:
        notes += (UNPROVEN,)
    if len(results) < provenance.planned:
        notes += (f"This run is not complete: {len(results)} of {provenance.planned} tests have a result.",)
    if provenance.resumed:
        when = ", ".join(provenance.resumed)
        notes += (f"This run was interrupted, and resumed at {when}; boots that were not finished were made again.",)
    looks, found, shown = run.looks(), tuple(run.findings()), results
    judged = tuple(slopes.slopes(looks))
    if provenance.hours:
        if not provenance.finished:
            hours = max((look.hours for look in looks), default=0.0)
            notes += (f"This soak was ended after {hours:.2f} of {provenance.hours:g} hours.",)
        base = plan.load(run.folder / "plan.json").base
        found = (*map(functools.partial(_as_kept, run), leaks.distinct(found)), *leaks.findings(judged, base))
        results += leaks.results(judged, found)
        shown = leaks.condensed(results)
    provenance = msgspec.structs.replace(provenance, notes=notes, proven=proven)
    samples = tuple(run.samples())
    comparisons = tuple(compare.compare(samples, catalog.performance(), provenance.margins, provenance.threshold))
    before = prefixes.predecessors(provenance.patches)
    steps = tuple(compare.stepwise(samples, before, catalog.performance(), provenance.margins, provenance.threshold))
    outcome = Outcome(run.folder, comparisons, found, results, provenance, judged, steps)
    content = Content(
        provenance=provenance,
        comparisons=comparisons,
        steps=steps,
        findings=outcome.findings,
        results=shown,
        samples=samples,
        histograms=tuple(run.histograms()),
        sections=tuple(run.sections()),
        memory=tuple(run.memory()),
        points=tuple(run.points()),
        looks=tuple(looks),
        boots=tuple(run.boots()),
        slopes=judged,
        changes=tuple(run.changes()),
        published=published.load(),
    )
    _write_report(run.folder, "report", content)
    if run.folder.parent == paths.RESULTS:
        _point(paths.RESULTS / "latest", run.folder.name)
    return outcome


def _as_kept(run: Run, finding: Finding) -> Finding:
    """Return a finding with the name of its log as that is kept, which may be compressed by now."""
    packed = f"{finding.log}{COMPRESSED}"
    return msgspec.structs.replace(finding, log=packed) if (run.folder / packed).exists() else finding


def across(before: Run, after: Run, threshold: float | None) -> Outcome:
    """Compare the cells that two runs share, and write the report of it into the folder of `after`.

    Raises UsageError if they share none, or differ in kernel, scale or share of the loops.
    """
    old, provenance = before.provenance(), after.provenance()
    if unlike := baseline.unlike(old, provenance):
        raise UsageError(f"{old.run} and {provenance.run} cannot be compared: {', '.join(unlike)}.")
    if unproven := [run.folder.name for run in (before, after) if not run.proven()]:
        notes = (*provenance.notes, f"{' and '.join(unproven)}: {UNPROVEN[0].lower()}{UNPROVEN[1:]}")
        provenance = msgspec.structs.replace(provenance, notes=notes)
    threshold = provenance.threshold if threshold is None else threshold
    found = compare.across(before.samples(), after.samples(), old.run, catalog.performance(), provenance.margins, threshold)
    if not any(c.ratio is not None for c in found):
        raise UsageError(f"{old.run} and {provenance.run} have no performance test in common, by cell and clock.")
    provenance = msgspec.structs.replace(provenance, threshold=threshold, planned=0, proven=not unproven)
    _write_report(after.folder, report_name(before), Content(provenance=provenance, comparisons=tuple(found), before=old))
    return Outcome(after.folder, tuple(found), (), (), provenance)


def selfcheck_file() -> Path:
    """Return where the last self check of this checkout is kept."""
    return paths.RESULTS / "selfcheck.json"


def last_selfcheck() -> Sensitivity | None:
    """Return what the last self check found, if there was one."""
    try:
        return msgspec.json.decode(selfcheck_file().read_bytes(), type=Sensitivity)
    except (OSError, msgspec.DecodeError):
        return None


def audit_file() -> Path:
    """Return where the audits of this checkout are kept."""
    return paths.RESULTS / "audit.json"


def last_audits() -> dict[str, Audit]:
    """Return the newest audit of each cell that had one; none if they cannot be read."""
    try:
        return msgspec.json.decode(audit_file().read_bytes(), type=dict[str, Audit])
    except (OSError, msgspec.DecodeError):
        return {}


def _audited(made: Plan) -> dict[str, str]:
    """Return what audits of the very kernels of a plan found, by cell."""
    known = last_audits()
    said = {b.cell.name: audit.told(known.get(b.cell.name), b.kernel.key, b.kernel.module.parent.name) for b in made.cells}
    return {cell: words for cell, words in said.items() if words}


def report_name(before: Run) -> str:
    """Return what the report of a comparison with the run `before` is called."""
    return f"compared-with-{before.folder.name}"


def _write_report(folder: Path, name: str, content: Content) -> None:
    # They draw: Matplotlib takes half a second to import, which no other task should wait for.
    from harness.report.mail import mail
    from harness.report.page import html

    files.write(folder / f"{name}.html", html(content))
    files.write(folder / f"{name}.md", mail(content))


def interrupted() -> Run:
    """Return the newest run of results/ that is not finished, or in which the rig failed; UsageError if there is none."""
    for file in sorted(paths.RESULTS.glob("*/run.json"), reverse=True):
        run = Run(file.parent)
        provenance = run.provenance()
        if file.parent.name == "latest" or provenance.hours:  # a soak cannot be resumed
            continue
        if not provenance.finished or any(result.outcome == "error" for result in run.results()):
            return run
    raise UsageError(f"No run in {paths.RESULTS} was interrupted, and in none the rig failed.")


def find(name: str) -> Run:
    """Return a run by its path or its name in results/; UsageError if there is none."""
    for folder in (Path(name), paths.RESULTS / name):
        if (folder / "run.json").is_file():
            return Run(folder.resolve())
    raise UsageError(f"There is no run '{name}'; name a folder in {paths.RESULTS}, or 'latest'.")


def _change(run: Run, **fields: Any) -> None:
    _write(run, msgspec.structs.replace(run.provenance(), **fields))


def _write(run: Run, provenance: Provenance) -> None:
    files.write(run.folder / "run.json", msgspec.json.format(msgspec.json.encode(provenance)))


def _tools(made: Plan) -> dict[str, str]:
    binaries = sorted({b.cell.machine.qemu.binary for b in made.cells} | {b.cell.machine.build.compiler for b in made.cells})
    tools = {name: shell.output((name, "--version")).splitlines()[0] for name in binaries}
    return {"kernel-patch-rig": _own_version(), **tools}


def _own_version() -> str:
    """Return the rig's version and, in a git checkout, its commit."""
    version = importlib.metadata.version("kernel-patch-rig")
    try:
        commit = shell.output(("git", "-C", paths.PROJECT, "describe", "--always", "--dirty"))
    except RigError:
        return version
    return f"{version} at {commit}"


def _point(link: Path, target: str) -> None:
    temporary = link.with_name(f".latest-{os.getpid()}")
    temporary.unlink(missing_ok=True)
    temporary.symlink_to(target)
    temporary.replace(link)
