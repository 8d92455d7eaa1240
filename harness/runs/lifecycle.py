# SPDX-License-Identifier: GPL-2.0-only
"""A run's folder from its beginning to its report."""

from __future__ import annotations

import collections
import importlib.metadata
import os
import platform
import re
import shutil
from collections.abc import Iterable
from pathlib import Path

import msgspec

from harness import paths
from harness.build import effect, git, patches, toolchain
from harness.build.built import BuiltCell
from harness.errors import RigError, UsageError
from harness.host import files, shell, stored
from harness.host.shell import Line
from harness.model import catalog, failed_build, records, run_folder
from harness.model.changes import CellChanges
from harness.model.clock import Clock
from harness.model.records import Place, Provenance
from harness.model.run_folder import Run
from harness.runs import retention, trust
from harness.suite import plan
from harness.suite.plan import Plan, Session


class _OfABoot(Place, frozen=True):
    """The fields of a record that name its boot."""

    boot: int


def begin(run: Run, planned: Plan, command: str) -> None:
    """Write the plan and the provenance into the run's folder; `command` is the one that repeats the run.

    run.json is written last: without it the folder is no run. Raises RigError if the disk has no room.
    """
    settings = planned.settings
    applied = {built.cell.variant.name: patches.read(built.cell.variant) for built in planned.cells}
    apart = planned.module.words if planned.module else "unsettled" if settings.unsettled else ""
    provenance = Provenance(
        **msgspec.structs.asdict(settings) | {"scale": f"{settings.scale} {apart}".strip()},
        run=run.folder.name,
        started=records.now(),
        command=command,
        kernel=planned.base.name,
        version=planned.version,
        source=planned.origin,
        source_tree=planned.tree,
        toolchain=planned.toolchain,
        stock_only=planned.stock_only,
        planned=0 if planned.hours else sum(session.results for session in planned.sessions),
        hours=planned.hours,
        seed=planned.seed,
        host=host(),
        tools=_tools(planned),
        machines={built.cell.machine.name: built.cell.machine.description for built in planned.cells},
        cells={built.cell.name: built.kernel.key for built in planned.cells},
        patches={name: tuple(patch.name for patch in of) for name, of in applied.items()},
        patchsets={name: patches.digest(of) for name, of in applied.items() if of},
        tests=planned.tests,
        module=planned.module,
        notes=planned.notes,
        selfcheck=check.sentence() if (check := trust.last_selfcheck()) else "",
        audited=trust.audited(planned),
    )
    try:
        plan.save(planned, run.folder / "plan.json")
        changed = effect.between(planned.cells)
        run.add(changed)
        run.add(planned.lines)
        for built in planned.cells:
            name = built.cell.file_name
            shutil.copyfile(built.kernel.config, run.folder / f"{name}.config")
            files.write(run.folder / f"{name}.build.json", _built(built, changed))
            shutil.copyfile(built.rootfs.image.with_name("rootfs.json"), run.folder / f"{built.cell.machine.name}.rootfs.json")
        run.describe(provenance)
    except OSError as error:
        raise RigError(f"The run's folder {run.folder} cannot be filled: {error.strerror}.") from error


def _built(built: BuiltCell, changed: Iterable[CellChanges]) -> bytes:
    """Return a kernel's build.json, with its changes against the predecessor if there is one."""
    cell, build = built.cell, msgspec.json.decode((built.kernel.folder / "build.json").read_bytes())
    for of in changed:
        if (of.machine, of.variant, of.profile) == (cell.machine.name, cell.variant.name, cell.profile):
            build |= {"against": of.against, "changes": msgspec.to_builtins(of.changes)}
    return msgspec.json.format(msgspec.json.encode(build))


def host() -> str:
    """Return a description of the host with its CPU's model, which figures under the wall clock depend on."""
    model = re.search(r"^model name\s*: (.+)$", Path("/proc/cpuinfo").read_text(), re.M)
    kind = model[1] if model else platform.machine()
    return f"{platform.system()} {platform.release()} {platform.machine()}, {os.cpu_count()} CPUs ({kind})"


def resume(run: Run, planned: Plan) -> None:
    """Note that the run goes on, and move the records of boots that were not finished to the folder ``interrupted``.

    These boots are made again, and so are those in which the rig failed. Raises UsageError if there is nothing to do, or if
    test_module/suite.toml has changed.
    """
    provenance = run.provenance()
    if provenance.hours:
        raise UsageError(f"{provenance.run} is a soak, which cannot be resumed: its VMs are gone; `invoke report` reports it.")
    if provenance.finished and not undone(run, planned):
        raise UsageError(f"{provenance.run} is finished; there is nothing to resume.")
    if planned.suite != catalog.digest():
        raise UsageError(f"{provenance.run} cannot be resumed: test_module/suite.toml has changed; start a new run.")
    again = {_place(session) for session in undone(run, planned)}
    for name in (name for record, name in run_folder.FILES.items() if issubclass(record, Place)):
        file = run.folder / name
        whole, end, torn = (stored.content(file) if file.exists() else b"").rpartition(b"\n")
        lines = (whole + end).splitlines(keepends=True) if end else []
        if torn:
            files.write(file, whole + end)
        old = [line for line in lines if _place_of(line) in again]
        if old:
            Run(run.folder / "interrupted").append(name, b"".join(old))
            files.write(file, b"".join(line for line in lines if _place_of(line) not in again))
    run.change(resumed=(*provenance.resumed, records.now()), finished="")


def undone(run: Run, planned: Plan) -> list[Session]:
    """Return the sessions that lack a result, or in which the rig failed."""
    of = collections.Counter((r.machine, r.variant, r.profile, r.clock, r.boot) for r in run.results())
    failed = {(r.machine, r.variant, r.profile, r.clock, r.boot) for r in run.results() if r.outcome == "error"}
    return [s for s in planned.sessions if of[_place(s)] < s.results or _place(s) in failed]


def _place(session: Session) -> tuple[str, str, str, Clock, int]:
    cell = session.built.cell
    return cell.machine.name, cell.variant.name, cell.profile, session.clock, session.boot


def _place_of(line: bytes) -> tuple[str, str, str, Clock, int] | None:
    """Return the boot that a record belongs to; None for a line that cannot be read, which stays where it is."""
    try:
        place = stored.decode(line, _OfABoot)
    except msgspec.DecodeError:
        return None
    return place.machine, place.variant, place.profile, place.clock, place.boot


def interrupted(say: Line) -> Run:
    """Return the newest run of results/ that is not finished, or in which the rig failed; UsageError if there is none.

    A run that cannot be read is passed over, and `say` gets a sentence that names it.
    """
    other = ""
    for folder in reversed(retention.folders(paths.RESULTS)):
        run = Run(folder)
        try:
            if is_open(run):
                plan_of(run)
                return run
        except UsageError as error:
            say(f"{folder.name} is passed over: {error}")
            other = "other "
    raise UsageError(f"There is nothing to resume in {paths.RESULTS}: no {other}run was interrupted, and the rig failed in none.")


def plan_of(run: Run) -> Plan:
    """Return the plan of a run that is to be resumed; UsageError if it cannot be read."""
    try:
        return plan.load(run.folder / "plan.json")
    except UsageError as error:
        raise UsageError(f"{run.folder.name} cannot be resumed: its plan.json cannot be read; start a new run.") from error


def is_open(run: Run) -> bool:
    """Return True if a run can be resumed: it is not finished, or the rig failed in it. A soak cannot."""
    provenance = run.provenance()
    if provenance.hours:
        return False
    return not provenance.finished or any(result.outcome == "error" for result in run.results())


def find(name: str) -> Run:
    """Return a run by its path or its name in results/; UsageError if there is none, or it is a build that failed."""
    for folder in (Path(name), paths.RESULTS / name):
        if (folder / run_folder.PROVENANCE).is_file():
            return Run(folder.resolve())
        if (folder / failed_build.FILE).is_file():
            newest = [run.name for run in retention.folders(paths.RESULTS)[-1:]]
            other = f"; the newest run is {newest[0]}" if newest else ""
            raise UsageError(f"'{name}' is no run, but {folder.resolve().name}, a build that failed: see its report.md{other}.")
    raise UsageError(f"There is no run '{name}'; name a folder in {paths.RESULTS}, or 'latest'.")


def _tools(planned: Plan) -> dict[str, str]:
    cells = [built.cell for built in planned.cells]
    binaries = sorted({name for cell in cells for name in (cell.machine.qemu.binary, *toolchain.tools(cell).programs)})
    tools = {name: shell.output((name, "--version")).splitlines()[0] for name in binaries}
    return {"kernel-patch-rig": own_version(), **tools}


def own_version() -> str:
    """Return the rig's version and, in a git checkout, its commit."""
    version = importlib.metadata.version("kernel-patch-rig")
    try:
        # Whoever runs the rig trusts its checkout, also in a container whose user is another than the checkout's.
        commit = git.plain("-c", f"safe.directory={paths.PROJECT}", "describe", "--always", "--dirty", cwd=paths.PROJECT)
    except RigError:
        return version
    return f"{version} at {commit}"
