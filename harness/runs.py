# SPDX-License-Identifier: GPL-2.0-only
"""A run's folder from its beginning to its report."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import shutil
from pathlib import Path
from typing import Any

import msgspec

from harness import compare, patches, paths, plan, published, records, shell, store
from harness.errors import RigError, UsageError
from harness.outcome import Outcome
from harness.plan import Plan
from harness.precision import Precision
from harness.records import Provenance, Run
from harness.report.content import Content
from harness.selection import Selection


def begin(run: Run, made: Plan, wanted: Selection, command: str) -> None:
    """Write down what is to be run, and with what; `command` is what repeats it."""
    provenance = Provenance(
        run=run.folder.name,
        started=records.now(),
        command=command,
        kernel=made.base.name,
        version=made.version,
        source=made.origin,
        source_tree=made.tree,
        stock_only=made.stock_only,
        scale=made.scale,
        loops=made.loops,
        threshold=wanted.threshold,
        margins=wanted.margins,
        planned=sum(len(session.steps) + 2 for session in made.sessions),
        host=f"{platform.system()} {platform.release()} {platform.machine()}, {os.cpu_count()} CPUs",
        tools=_tools(made),
        machines={built.cell.machine.name: built.cell.machine.description for built in made.cells},
        cells={built.cell.name: built.kernel.key for built in made.cells},
        patches={built.cell.variant.name: tuple(p.name for p in patches.read(built.cell.variant)) for built in made.cells},
        notes=made.notes,
        selfcheck=told.sentence() if (told := last_selfcheck()) else "",
    )
    _write(run, provenance)
    plan.save(made, run.folder / "plan.json")
    for built in made.cells:
        name = built.cell.name.replace("/", "-")
        shutil.copyfile(built.kernel.config, run.folder / f"{name}.config")
        shutil.copyfile(built.kernel.folder / "build.json", run.folder / f"{name}.build.json")
        shutil.copyfile(built.rootfs.image.with_name("rootfs.json"), run.folder / f"{built.cell.machine.name}.rootfs.json")


def resumed(run: Run) -> None:
    """Note that the run goes on after an interruption."""
    _change(run, resumed=(*run.provenance().resumed, records.now()), finished="")


def finished(run: Run) -> None:
    """Note that nothing more is to come."""
    _change(run, finished=records.now())


def conclude(run: Run) -> Outcome:
    """Write the report of a run from its records alone, and point ``results/latest`` to it."""
    provenance = run.provenance()
    results = tuple(run.results())
    if len(results) < provenance.planned:
        note = f"This run is not complete: {len(results)} of {provenance.planned} tests have a result."
        provenance = msgspec.structs.replace(provenance, notes=(*provenance.notes, note))
    samples = tuple(run.samples())
    comparisons = tuple(compare.compare(samples, _performance(), provenance.margins, provenance.threshold))
    outcome = Outcome(run.folder, comparisons, tuple(run.findings()), results, provenance)
    content = Content(
        provenance=provenance,
        comparisons=comparisons,
        findings=outcome.findings,
        results=results,
        samples=samples,
        histograms=tuple(run.histograms()),
        sections=tuple(run.sections()),
        memory=tuple(run.memory()),
        points=tuple(run.points()),
        published=published.load(),
    )
    _write_report(run.folder, "report", content)
    if run.folder.parent == paths.RESULTS:
        _point(paths.RESULTS / "latest", run.folder.name)
    return outcome


def across(before: Run, after: Run, threshold: float | None) -> Outcome:
    """Compare the cells that two runs share, and write the report of it into the folder of `after`.

    Raises UsageError if they share none.
    """
    old, provenance = before.provenance(), after.provenance()
    threshold = provenance.threshold if threshold is None else threshold
    found = compare.across(before.samples(), after.samples(), old.run, _performance(), provenance.margins, threshold)
    if not any(c.ratio is not None for c in found):
        raise UsageError(f"{old.run} and {provenance.run} have no performance test in common, by cell and clock.")
    provenance = msgspec.structs.replace(provenance, threshold=threshold, planned=0)
    _write_report(after.folder, report_name(old), Content(provenance=provenance, comparisons=tuple(found), before=old))
    return Outcome(after.folder, tuple(found), (), (), provenance)


def selfcheck_file() -> Path:
    """Return where the last self check of this checkout is kept."""
    return paths.RESULTS / "selfcheck.json"


def last_selfcheck() -> Precision | None:
    """Return what the last self check found, if there was one."""
    try:
        return msgspec.json.decode(selfcheck_file().read_bytes(), type=Precision)
    except (OSError, msgspec.DecodeError):
        return None


def report_name(before: Provenance) -> str:
    """Return what the report of a comparison with the run `before` is called."""
    return f"compared-with-{before.run}"


def _performance() -> list[str]:
    return [test.name for test in plan.suite().tests if test.kind == "performance"]


def _write_report(folder: Path, name: str, content: Content) -> None:
    # They draw: Matplotlib takes half a second to import, which no other task should wait for.
    from harness.report.mail import mail
    from harness.report.page import html

    store.write(folder / f"{name}.html", html(content))
    store.write(folder / f"{name}.md", mail(content))


def find(name: str) -> Run:
    """Return a run by its path or its name in results/; UsageError if there is none."""
    for folder in (Path(name), paths.RESULTS / name):
        if (folder / "run.json").is_file():
            return Run(folder.resolve())
    raise UsageError(f"There is no run '{name}'; name a folder in {paths.RESULTS}, or 'latest'.")


def _change(run: Run, **fields: Any) -> None:
    _write(run, msgspec.structs.replace(run.provenance(), **fields))


def _write(run: Run, provenance: Provenance) -> None:
    store.write(run.folder / "run.json", msgspec.json.format(msgspec.json.encode(provenance)))


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
