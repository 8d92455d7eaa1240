# SPDX-License-Identifier: GPL-2.0-only
"""Wires the stages: the only place that knows their order."""

from __future__ import annotations

import contextlib
import functools
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import msgspec

from harness import paths
from harness.build import (
    absent,
    cells,
    changed_lines,
    effect,
    foreign,
    identity,
    kbuild,
    llvm,
    patches,
    plugin,
    rootfs,
    sandbox,
    source,
    unknown_symbols,
)
from harness.build.built import BuiltCell
from harness.build.jobserver import Jobserver
from harness.build.kernel import Kernel
from harness.build.kernel_tree import Tree
from harness.build.modules import ModuleSource
from harness.build.rootfs import Rootfs
from harness.cluster import address
from harness.commands import suite_here
from harness.commands.progress import Progress
from harness.errors import Interrupted, RigError, UsageError
from harness.host import deadline, files, parallel
from harness.host.shell import Line
from harness.model import catalog, run_folder
from harness.model.clock import Clock
from harness.model.coverage import ChangedLines
from harness.model.foreign import Foreign, arguments
from harness.model.matrix import STOCK, Cell, Machine, Variant
from harness.model.run_folder import Run
from harness.model.selection import Selection, Where
from harness.model.toolchains import Toolchain, chosen
from harness.runs import conclude, history, lifecycle
from harness.stats.outcome import Outcome
from harness.suite import plan, vm_pool
from harness.suite.plan import Plan, Session
from harness.vm import accel, launch, vms
from harness.vm.ssh import Guest
from harness.vm.vms import GuestDied


class Prepared(msgspec.Struct, frozen=True):
    """Sources, cells, and the commits that kernels are built of."""

    sources: source.Sources
    cells: tuple[Cell, ...]
    patched: dict[Variant, patches.Patched]


def prepare(wanted: Selection, variants: tuple[Variant, ...], say: Line) -> Prepared:
    """Return the selected cells and the commits of their sources; `say` gets the progress of the source.

    `variants` take the place of those that are selected. Raises UsageError or SourceUnavailable.
    """
    if chosen(wanted.toolchain) is Toolchain.LLVM:
        llvm.check_installed()
    sources = source.sources(wanted, say)
    selected = cells.cells(wanted, sources.base, variants)
    llvm.check_source(sources.tree, selected)
    commits = {v: patches.apply(sources.tree, v) for v in dict.fromkeys(cell.variant for cell in selected)}
    return Prepared(sources, selected, commits)


def build(wanted: Selection, variants: tuple[Variant, ...] = ()) -> Plan:
    """Build every selected cell, side by side, and return the plan for a suite.

    `variants` take the place of those that are selected. Raises UsageError, SourceUnavailable or BuildError.
    """
    cells.check(wanted)
    other = foreign.read(wanted.module) if wanted.module else None
    maker = functools.partial(foreign.build, other) if other else None
    with Progress("build") as progress:
        prepared = prepare(wanted, variants, lambda text: progress.say("source", text))
        sources, selected, patched = prepared.sources, prepared.cells, prepared.patched
        roots = {machine: rootfs.build(machine) for machine in {cell.machine for cell in selected}}
        progress.done("source", f"Linux {sources.tree.version}")
        elsewhere = _elsewhere(wanted, prepared, other, progress)
        with Jobserver(wanted.jobs or os.cpu_count() or 1, len(selected)) as jobs:

            def one(cell: Cell) -> Kernel:
                try:
                    kernel = kbuild.build(
                        sources.base, cell, patched[cell.variant], jobs, lambda text: progress.say(cell.name, text), maker
                    )
                finally:
                    jobs.ended()
                progress.done(cell.name, f"built {kernel.key}")
                return kernel

            kernels = parallel.side_by_side(one, selected, jobs.at_once)
    built = _bootable(selected, kernels, roots)
    notes = (
        sources.notes
        + unknown_symbols.note(sources.base, ((kbuild.configuration(sources.base, of.cell), of.kernel.config) for of in built))
        + sandbox.notes()
        + elsewhere
        + absent.notes(sources.base, selected)
        + tuple(dict.fromkeys(note for done in patched.values() for note in done.notes))  # prefixes of a series share most
        + effect.notes(built, patched)
        + (_borrowed(built) if other else () if wanted.plain else _unwatched(built))
    )
    module = _foreign(built[0].kernel.module, other, wanted) if other else None
    lines = () if wanted.plain or module else _changed_lines(sources.tree, built, patched)
    built_plan = msgspec.structs.replace(plan_of(wanted, sources, built, module), notes=notes, lines=lines)
    if not variants:
        plan.save(built_plan, paths.cache() / "plan.json")
    return built_plan


def _elsewhere(wanted: Selection, prepared: Prepared, module: ModuleSource | None, progress: Progress) -> tuple[str, ...]:
    """Have the cluster of a selection, if it names one, fill the cache with what it lacks; return notes for the report."""
    if not wanted.cluster:
        return ()
    from harness.commands import clustered_build  # its library is an extra

    cells = {cell: prepared.patched[cell.variant] for cell in prepared.cells}
    return clustered_build.run(address.read(wanted.cluster, "--cluster"), prepared.sources, cells, module, progress)


def plan_of(wanted: Selection, sources: source.Sources, built: tuple[BuiltCell, ...], module: Foreign | None = None) -> Plan:
    """Return the plan for a suite in these cells, whose tests are those of a foreign module if there is one."""
    return Plan(
        base=sources.base,
        cells=built,
        tests=(module.name,) if module else catalog.choose(wanted.tests),
        suite=catalog.digest(),
        settings=wanted.settings,
        version=sources.tree.version,
        origin=sources.tree.origin,
        tree=sources.tree.tree,
        stock_only=not sources.base.default_series and all(of.cell.variant.name == STOCK for of in built),
        module=module,
    )


def sweeping(wanted: Selection) -> Selection:
    """Return the selection of a sweep; UsageError for tests that are none."""
    wanted = msgspec.structs.replace(wanted, tests=wanted.tests or "sweep")
    if not set(catalog.choose(wanted.tests)) <= set(catalog.choose("sweep")):
        raise UsageError(f"--tests {wanted.tests} has tests that are no sweep; `invoke test` runs those.")
    return wanted


def _foreign(file: Path, source: ModuleSource, wanted: Selection) -> Foreign:
    """Return the foreign module whose built file for one of the kernels is `file`."""
    name = file.stem.replace("-", "_")  # as Kbuild and the kernel have it
    return Foreign(name, foreign.digest(source), arguments(wanted.module_args))


def _borrowed(built: Sequence[BuiltCell]) -> tuple[str, ...]:
    """Return a sentence for each set of functions that a foreign module uses although kernels do not export them."""
    uses = dict.fromkeys(foreign.linked(of.kernel.module) for of in built)
    file = built[0].kernel.module.name
    return tuple(
        f"{file} uses what these kernels do not export, and was linked for each kernel by itself: {', '.join(names)}."
        for names in uses
        if names
    )


def _changed_lines(stock: Tree, built: Sequence[BuiltCell], patched: Mapping[Variant, patches.Patched]) -> tuple[ChangedLines, ...]:
    """Return the lines of its series that each cell's kernel has code of."""
    series = {variant: changed_lines.of_series(stock.commit, done) for variant, done in patched.items()}
    return tuple(changed_lines.in_kernel(series[of.cell.variant], of.cell, of.kernel) for of in built)


def _bootable(selected: Sequence[Cell], kernels: Sequence[Kernel], roots: Mapping[Machine, Rootfs]) -> tuple[BuiltCell, ...]:
    """Return the cells with their kernels, in the same order, and the accelerator that a machine's first kernel boots with."""
    pairs = list(zip(selected, kernels, strict=True))
    proven = {cell.machine: kernel.image for cell, kernel in reversed(pairs)}
    accelerators = {machine: accel.choose(machine, image, roots[machine]) for machine, image in proven.items()}
    return tuple(
        BuiltCell(cell, kernel, roots[cell.machine], accelerators[cell.machine], plugin.build(cell.machine.qemu.binary).file)
        for cell, kernel in pairs
    )


def _unwatched(built: Sequence[BuiltCell]) -> tuple[str, ...]:
    """Return a sentence for each QEMU without the plugin, and for each machine whose stress tests it does not see."""
    kvm = dict.fromkeys(of.cell.machine.name for of in built if not of.emulated(Clock.WALL))
    return tuple(f"On {name} stress tests run under KVM, where QEMU does not see which changed lines run." for name in kvm) + tuple(
        f"Neither instructions by function nor changed lines are counted on {machine.name}: {obstacle}"
        for machine in dict.fromkeys(of.cell.machine for of in built)
        if (obstacle := plugin.build(machine.qemu.binary).obstacle)
    )


def booted(planned: Plan) -> list[Session]:
    """Return the sessions whose VMs `boot` starts."""
    return [session for session in planned.sessions if session.boot == 0]


Follow = Callable[[Run, Plan], contextlib.AbstractContextManager[None]]
"""returns what is entered as long as the suite of a run goes on"""


def unwatched(_: Run, __: Plan) -> contextlib.AbstractContextManager[None]:
    """Return what sees nothing of a run."""
    return contextlib.nullcontext()


def check_tests(planned: Plan) -> None:
    """Raise UsageError if no test runs in the cells of a plan."""
    if not planned.sessions:
        profiles = ", ".join(dict.fromkeys(built.cell.profile for built in planned.cells))
        raise UsageError(
            f"None of these tests runs in kernels of the profile {profiles}: {', '.join(planned.tests)}."
            " Choose others with --tests, or other kernels with --profile."
        )


def boot(planned: Plan, jobs: int, *, keep: bool) -> None:
    """Boot the selected cells that are not up, side by side.

    With `keep` all of them are booted, get the test module, and stay up when the rig ends; raises GuestDied for a kernel that
    does not come up. Else only as many are booted as a suite uses at once, and the suite reports a kernel
    that does not come up. Raises VmLost if QEMU does not start.
    """
    at_once = suite_here.at_once(planned, jobs)
    sessions = booted(planned)[: None if keep else at_once]
    with Progress("boot") as progress:

        def one(session: Session) -> None:
            cell = session.built.cell.name
            name = f"{cell}/{session.clock}"
            progress.say(name, "booting")
            setup = vm_pool.booting(
                session.built,
                session.clock,
                memory=session.memory,
                pauses=bool(planned.settings.on_failure),
                watched=session.watched,
            )
            try:
                up = vms.find(cell, setup, unused=session.timed)
                if keep and not up:
                    vms.make_way(cell, session.clock)
                machine = up or launch.start(setup, cell, keep=keep)
            except GuestDied as died:
                if not keep:
                    progress.done(name, "did not come up; the suite will report why")
                    return
                log = paths.cache() / "boot-failed" / f"{session.name}.serial.log"
                files.write(log, died.log)
                raise GuestDied(f"{died} Its console's log is {log}.", died.log, cell=cell) from died
            if keep:
                vm_pool.put_modules(Guest(machine.state.port, machine.pace, machine.time), session.built)
            machine.release()
            progress.done(name, "was up" if up else f"up in {machine.state.boot_seconds:.1f} s")

        parallel.side_by_side(one, sessions, at_once)


def test(
    planned: Plan,
    where: Where,
    command: str,
    parent: Path | None = None,  # noqa: PT028 - no test
    follow: Follow = unwatched,  # noqa: PT028
) -> Outcome:
    """Run the suite in every selected cell, booting what is not up, and write the run's folder in results/ or `parent`.

    `command` is the one that repeats the run. All tasks that test hand their sessions to a cluster by `where` alone. `follow`
    sees the run go on. Raises UsageError if no test runs in these cells, RigError when pytest itself fails, or the cluster.
    """
    check_tests(planned)
    run = Run(run_folder.new_folder(parent))
    with run.alone(), _resumable(run):
        lifecycle.begin(run, planned, command)
        return _suite(run, planned, where, follow)


def resume(
    name: str,
    where: Where,
    say: Line,
    build_id: Callable[[Path], str] = identity.build_id,
    follow: Follow = unwatched,
) -> Outcome:
    """Finish the run `name`, or the newest one that was interrupted: make the boots again that were not finished.

    `say` gets a sentence for each run that is passed over since it cannot be read. `build_id` reads that of a kernel or a
    module. Raises UsageError if there is no such run, it is finished, or its kernels are no longer in the cache, or are
    others by now.
    """
    run = lifecycle.find(name) if name else lifecycle.interrupted(say)
    planned = lifecycle.plan_of(run)
    for built in planned.cells:
        gone = [file for file in (built.kernel.image, built.kernel.module, built.rootfs.image) if not file.exists()]
        if gone:
            raise UsageError(f"{run.folder.name} cannot be resumed: {gone[0]} is no longer there; start a new run.")
        damaged = [folder for folder in (built.kernel.folder, built.kernel.module.parent) if not files.whole(folder)]
        if damaged:
            raise UsageError(
                f"{run.folder.name} cannot be resumed: {damaged[0]} is damaged; `invoke build` as before, then resume."
            )
        kernel = built.kernel
        ids = (build_id(kernel.vmlinux), build_id(kernel.module))
        if ids != (kernel.build_id, kernel.module_build_id):
            raise UsageError(f"{run.folder.name} cannot be resumed: {kernel.folder} was built anew meanwhile; start a new run.")
    with run.alone(), _resumable(run):
        lifecycle.resume(run, planned)
        return _suite(run, planned, where, follow)


@contextlib.contextmanager
def _resumable(run: Run) -> Iterator[None]:
    """Say of an interrupt in the with block where the run's records are, and how the run goes on."""
    try:
        yield
    except KeyboardInterrupt:
        raise Interrupted(f"interrupted; what was recorded so far is kept in {run.folder}{_goes_on(run)}.") from None


def _goes_on(run: Run) -> str:
    """Return how a run goes on that did not come to its end; nothing for one outside of results/, which is part of a whole."""
    return f"; `invoke test --resume {run.folder.name}` goes on" if run.folder.parent == paths.RESULTS else ""


def _suite(run: Run, planned: Plan, where: Where, follow: Follow) -> Outcome:
    deadline.patience()
    number = len(run.provenance().resumed)
    log = f"report-log{f'-{number}' if number else ''}.jsonl"
    try:
        with follow(run, planned):
            if where.cluster:
                from harness.commands import clustered  # its library is an extra

                clustered.run(address.read(where.cluster, "--cluster"), run, planned, log)
            else:
                suite_here.run(run, planned, log, where.jobs)
    except UsageError:
        raise
    except RigError as error:
        raise RigError(f"{error} What was recorded before is kept in {run.folder}{_goes_on(run)}.") from error
    outcome = conclude.finish(run, "test --resume")
    note = history.keep(run)
    if not note:
        return outcome
    provenance = msgspec.structs.replace(outcome.provenance, notes=(*outcome.provenance.notes, note))
    return msgspec.structs.replace(outcome, provenance=provenance)
