# SPDX-License-Identifier: GPL-2.0-only
"""Wires the stages: the only place that knows their order."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import shutil
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from pathlib import Path
from typing import TypeVar

import msgspec
import pytest

from harness import (
    accel,
    compare,
    guest,
    kbuild,
    patches,
    paths,
    plan,
    records,
    report,
    rootfs,
    selection,
    shell,
    store,
    tables,
    vm,
)
from harness.errors import RigError, UsageError
from harness.jobserver import Jobserver
from harness.matrix import Cell, Clock
from harness.outcome import Outcome
from harness.plan import BuiltCell, Plan
from harness.progress import Progress, SuiteProgress
from harness.records import Provenance, Run
from harness.selection import Selection
from harness.suite import lab
from harness.vm import GuestDied

Item = TypeVar("Item")
Made = TypeVar("Made")


def build(wanted: Selection) -> Plan:
    """Build every selected cell, side by side, and return what a suite needs to run in them.

    Raises UsageError, SourceUnavailable or BuildError.
    """
    selection.check(wanted)
    with Progress("build") as progress:
        found = selection.sources(wanted, lambda text: progress.say("source", text))
        selected = selection.cells(wanted, found.base)
        roots = {machine: rootfs.build(machine) for machine in {cell.machine for cell in selected}}
        variants = {v: patches.apply(found.tree, v) for v in dict.fromkeys(cell.variant for cell in selected)}
        progress.done("source", f"Linux {found.tree.version}")
        with Jobserver(wanted.jobs or os.cpu_count() or 1, len(selected)) as jobs:

            def one(cell: Cell) -> kbuild.Kernel:
                try:
                    made = kbuild.build(found.base, cell, variants[cell.variant], jobs, lambda text: progress.say(cell.name, text))
                finally:
                    jobs.ended()
                progress.done(cell.name, f"built {made.key}")
                return made

            kernels = _side_by_side(one, selected, jobs.at_once)
    proven = {cell.machine: kernel.image for cell, kernel in reversed(list(zip(selected, kernels, strict=True)))}
    accelerators = {machine: accel.choose(machine, image, roots[machine]) for machine, image in proven.items()}
    built = tuple(
        BuiltCell(cell, kernel, roots[cell.machine], accelerators[cell.machine])
        for cell, kernel in zip(selected, kernels, strict=True)
    )
    notes = found.notes + tuple(note for patched in variants.values() for note in patched.notes)
    made = Plan(
        base=found.base,
        cells=built,
        tests=plan.choose(wanted.tests),
        clock=Clock(wanted.clock),
        scale=wanted.scale,
        keep=wanted.keep,
        version=found.tree.version,
        origin=found.tree.origin,
        tree=found.tree.tree,
        stock_only=not found.base.default_series and not wanted.series,
        notes=notes,
    )
    plan.save(made, paths.cache() / "plan.json")
    return made


def boot(made: Plan, wanted: Selection, *, keep: bool) -> None:
    """Boot the selected cells that are not up, side by side.

    With `keep` all of them, and they stay up when the rig ends; raises GuestDied for a kernel that
    does not come up. Else only as many as a suite uses at once, and it is left to the suite to tell
    of a kernel that does not come up. Raises VmLost where QEMU does not start.
    """
    workers = _workers(made, wanted.jobs)
    places = [(built, clock) for built in made.cells for clock in made.clocks]
    if not keep:
        places = [(built, made.clocks[0]) for built in made.cells[:workers]]
    with Progress("boot") as progress:

        def one(place: tuple[BuiltCell, Clock]) -> None:
            built, clock = place
            name = f"{built.cell.name}/{clock}"
            progress.say(name, "booting")
            wanted_ = lab.booting(built, clock)
            try:
                up = vm.find(built.cell.name, wanted_)
                machine = up or vm.start(wanted_, built.cell.name, keep=keep)
            except GuestDied as died:
                if not keep:
                    progress.done(name, "did not come up; the suite will tell why")
                    return
                log = paths.cache() / "boot-failed" / lab.log_name(built, clock, 0)
                store.write(log, died.log)
                raise GuestDied(f"{died} Its console's log is {log}.", died.log) from died
            progress.done(name, "was up" if up else f"up in {machine.state.boot_seconds:.1f} s")

        _side_by_side(one, places, workers)


def test(made: Plan, wanted: Selection, command: str) -> Outcome:
    """Run the suite in every selected cell, booting what is not up, and write the run's folder.

    `command` is what repeats the run. Raises RigError when pytest itself fails.
    """
    run = Run(records.new_folder())
    _begin(run, made, wanted, command)
    plan.save(made, run.folder / "plan.json")
    arguments = [
        str(paths.PROJECT / "harness" / "suite"),
        *("--rootdir", str(paths.PROJECT)),
        *("-p", "no:cacheprovider", "-p", "no:terminal"),
        *("--rig-plan", str(run.folder / "plan.json"), "--rig-run", str(run.folder)),
        *("--junitxml", str(run.folder / "junit.xml"), "--report-log", str(run.folder / "report-log.jsonl")),
        *("-n", str(_workers(made, wanted.jobs)), "--dist", "loadscope", "--max-worker-restart", "8"),
    ]
    try:
        with Progress("test") as progress:
            code = pytest.main(arguments, plugins=[SuiteProgress(progress)])
    finally:
        vm.stop_own()
    provenance = msgspec.structs.replace(run.provenance(), finished=records.now())
    store.write(run.folder / "run.json", msgspec.json.format(msgspec.json.encode(provenance)))
    if code == pytest.ExitCode.INTERRUPTED:
        raise KeyboardInterrupt
    if code not in (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED):
        raise RigError(f"pytest ended with {pytest.ExitCode(code).name}; what it recorded so far is in {run.folder}.")
    return finish(run)


def finish(run: Run) -> Outcome:
    """Write the report of a run from its records alone, and point ``results/latest`` to it."""
    provenance = run.provenance()
    results = run.results()
    if len(results) < provenance.planned:
        note = f"This run is not complete: {len(results)} of {provenance.planned} tests have a result."
        provenance = msgspec.structs.replace(provenance, notes=(*provenance.notes, note))
    performance = [test.name for test in plan.suite().tests if not test.stress]
    outcome = Outcome(
        run.folder,
        tuple(compare.compare(run.samples(), provenance.threshold, performance)),
        tuple(run.findings()),
        tuple(results),
        provenance,
    )
    store.write(
        run.folder / "report.html", report.html(provenance, outcome.comparisons, outcome.findings, outcome.results, run.samples())
    )
    if run.folder.parent == paths.RESULTS:
        _point(paths.RESULTS / "latest", run.folder.name)
    return outcome


def ssh(cell: str, clock: str) -> tuple[str, ...]:
    """Return the command that opens a shell in the VM of `cell`, under any clock if none is given.

    Raises UsageError if there is none up.
    """
    for machine in vm.running():
        if machine.state.cell == cell and clock in ("", machine.state.clock):
            return guest.command(machine.state.port, machine.folder)
    up = sorted({machine.state.cell for machine in vm.running()})
    raise UsageError(f"No VM of {cell} is up; {tables.closest(cell, up) if up else 'run `invoke boot` first.'}")


def find_run(name: str) -> Run:
    """Return a run by its path or its name in results/; UsageError if there is none."""
    for folder in (Path(name), paths.RESULTS / name):
        if (folder / "run.json").is_file():
            return Run(folder.resolve())
    raise UsageError(f"There is no run '{name}'; name a folder in {paths.RESULTS}, or 'latest'.")


def _side_by_side(work: Callable[[Item], Made], items: Sequence[Item], workers: int) -> list[Made]:
    """Do `work` for all items, `workers` at a time; the first error stops the others."""
    with ThreadPoolExecutor(workers) as pool:
        futures = [pool.submit(work, item) for item in items]
        try:
            ended = wait(futures, return_when=FIRST_EXCEPTION).done
            for future in ended:
                future.result()
            return [future.result() for future in futures]
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            shell.stop_all()
            raise


def _workers(made: Plan, jobs: int) -> int:
    """Return how many VMs may run at once: one a core, and no more than fit into the free memory."""
    free = next(
        int(line.split()[1]) // 1024 for line in Path("/proc/meminfo").read_text().splitlines() if line.startswith("MemAvailable")
    )
    largest = max(built.cell.machine.qemu.memory for built in made.cells)
    return max(1, min(len(made.cells), jobs or os.cpu_count() or 1, free // largest))


def _begin(run: Run, made: Plan, wanted: Selection, command: str) -> None:
    names = {built.cell.name: built.kernel.key for built in made.cells}
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
        threshold=wanted.threshold,
        planned=len(made.cells) * (len(made.tests) + 2 * len(made.clocks)),
        host=f"{platform.system()} {platform.release()} {platform.machine()}, {os.cpu_count()} CPUs",
        tools=_tools(made),
        machines={built.cell.machine.name: built.cell.machine.description for built in made.cells},
        cells=names,
        patches={built.cell.variant.name: tuple(p.name for p in patches.read(built.cell.variant)) for built in made.cells},
        notes=made.notes,
    )
    store.write(run.folder / "run.json", msgspec.json.format(msgspec.json.encode(provenance)))
    for built in made.cells:
        name = built.cell.name.replace("/", "-")
        shutil.copyfile(built.kernel.config, run.folder / f"{name}.config")
        shutil.copyfile(built.kernel.folder / "build.json", run.folder / f"{name}.build.json")
        shutil.copyfile(built.rootfs.image.with_name("rootfs.json"), run.folder / f"{built.cell.machine.name}.rootfs.json")


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
