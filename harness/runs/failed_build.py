# SPDX-License-Identifier: GPL-2.0-only
"""Keeps a build that failed: a folder in results/ that answers programs as a run's does."""

from __future__ import annotations

import contextlib
import itertools
import shutil
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec

from harness import paths, text
from harness.build import cells, compiler_output, git, kernel_tree, patches, source
from harness.build.compiler_output import Said
from harness.errors import BuildError, RigError, SeriesRefused, UsageError
from harness.host import files, shortage, stored
from harness.model import failed_build, records, releases, run_folder
from harness.model.failed_build import FailedBuild
from harness.model.matrix import STOCK, Base, Cell
from harness.model.selection import Selection
from harness.model.summary import (
    VERSION,
    CellOutcome,
    CompileError,
    ExitStatus,
    Failure,
    Kernel,
    Settled,
    Summary,
    Times,
    VariantOutcome,
)
from harness.model.toolchains import chosen
from harness.report import failed_build as reports
from harness.report import junit
from harness.report.summary import OUTCOMES
from harness.runs import conclude, lifecycle, patch_places
from harness.stats.outcome import BUILD_FAILED, MEANINGS, WORDS, ExitCode
from harness.vm.vms import GuestDied

REPORT = "report.md"
_ERRORS = 20
"""of the compiler, that are told"""
_LINES = 30
"""of a log"""
_CHARACTERS = 4096


@contextlib.contextmanager
def kept(wanted: Selection, command: str, tell: Callable[[Path], None]) -> Iterator[None]:
    """Keep what fails in the with block, in which the selected cells are built or booted; `tell` gets the folder.

    The error stays. UsageError if the selection is not valid.
    """
    cells.check(wanted)
    started = records.now()
    try:
        yield
    except RigError as error:
        if folder := keep(error, wanted, command, started):
            tell(folder)
        raise


def keep(error: RigError, wanted: Selection, command: str, started: str = "") -> Path | None:
    """Write what failed into a new folder of results/, point ``results/latest`` to it, and return it.

    A mistake of the user's is not kept, and neither is what cannot be written: then it returns None, since `error` matters more.
    """
    if isinstance(error, UsageError) and not isinstance(error, SeriesRefused):
        return None
    folder = run_folder.new_folder()
    try:
        with files.folder(folder) as made:
            failed = _told(error, wanted, made)
            summary = msgspec.structs.replace(
                failed.summary, run=folder.name, command=command, times=Times(started or records.now(), records.now(), (), 0.0)
            )
            written = {conclude.JUNIT: junit.of_failed(summary), REPORT: reports.mail(summary)}
            names = sorted({*written, conclude.SUMMARY, failed_build.FILE, *(file.name for file in made.iterdir())})
            summary = msgspec.structs.replace(summary, files=tuple(names))
            for name, content in written.items():
                files.write(made / name, content)
            files.write(made / conclude.SUMMARY, conclude.encoded(summary))
            files.write(
                made / failed_build.FILE, msgspec.json.encode(msgspec.structs.replace(failed, summary=summary), enc_hook=str)
            )
        conclude.point_latest(folder)
    except (RigError, OSError):
        return None
    return folder


def load(folder: Path) -> FailedBuild | None:
    """Return the failed build that a folder keeps; None if it keeps none, UsageError if it is damaged."""
    file = folder / failed_build.FILE
    if not file.is_file():
        return None
    try:
        return stored.decode(stored.content(file), FailedBuild, dec_hook=_path)
    except (OSError, msgspec.DecodeError) as error:
        raise UsageError(f"{file} is damaged: {error}.") from error


def _path(kind: type[Any], value: Any) -> Any:
    return kind(value)


def find(name: str) -> FailedBuild | None:
    """Return a failed build by its path or its name in results/; None if there is none of that name."""
    return next((found for folder in (Path(name), paths.RESULTS / name) if (found := load(folder))), None)


def _told(error: RigError, wanted: Selection, folder: Path) -> FailedBuild:
    """Return what is known of a failure; logs are copied to `folder`."""
    stock = _stock(error)
    kernel, base = _kernel(stock, wanted)
    selected = cells.cells(wanted, base)
    failure = _failure(error, selected, stock, folder)
    word, meaning = WORDS[ExitCode.RIG_FAILED], MEANINGS[ExitCode.RIG_FAILED]
    if failure.stage != "rig":
        word, meaning = BUILD_FAILED, reports.MEANING
    made = Summary(
        version=VERSION,
        run="",
        before="",
        rig=lifecycle.own_version(),
        command="",
        host=lifecycle.host(),
        status=ExitStatus(ExitCode.RIG_FAILED, meaning, word),
        kernel=kernel,
        settings=_settled(wanted, selected),
        times=Times("", "", (), 0.0),
        proven=False,
        planned=0,
        machines={cell.machine.name: cell.machine.description for cell in selected},
        variants=tuple(_variants(selected)),
        cells=tuple(CellOutcome(cell.name, cell.machine.name, cell.variant.name, cell.profile, "") for cell in selected),
        results=dict.fromkeys(OUTCOMES, 0),
        failures=(failure,),
        findings=(),
        comparisons=(),
        known_bugs=(),
        notes=(),
        files=(),
    )
    return FailedBuild(made, {cell.variant.name: cell.variant.series for cell in selected if cell.variant.series})


def _kernel(stock: str, wanted: Selection) -> tuple[Kernel, Base]:
    """Return the source that has the commit `stock`, as far as it is known, and the base whose settings it has."""
    version = kernel_tree.version((git.blob(stock, kernel_tree.MAKEFILE) or b"").decode(errors="replace")) if stock else ""
    base = releases.nearest(version, stock) if stock and not wanted.kernel else source.expected(wanted)
    origin = source.named(wanted) or str(paths.cache() / "sources" / f"linux-{base.name}")
    tree = git.tree_of(stock) if stock else ""
    return Kernel(base.name, version or base.release, origin, tree, chosen(wanted.toolchain)), base


def _settled(wanted: Selection, selected: Sequence[Cell]) -> Settled:
    profiles, of = tuple(dict.fromkeys(cell.profile for cell in selected)), wanted.settings
    return Settled(profiles, of.clock, of.scale, of.loops, of.boots, of.threshold, dict(of.margins), 0.0)


def _variants(selected: Sequence[Cell]) -> Iterator[VariantOutcome]:
    for variant in dict.fromkeys(cell.variant for cell in selected):
        try:
            applied = patches.read(variant)
        except UsageError:  # which may be what failed
            applied = ()
        folder = patch_places.folder(variant.series) if variant.series else ""
        yield VariantOutcome(variant.name, tuple(patch.name for patch in applied), patches.digest(applied), folder, "", "")


def _stock(error: RigError) -> str:
    """Return the commit of the source without patches; empty if the failure came before it was there."""
    if isinstance(error, SeriesRefused):
        return error.source
    if isinstance(error, BuildError) and error.commit:
        # The rig's commits of patches lie on one that has no parent: that of the source.
        return git.run("rev-list", "--max-parents=0", error.commit).split()[-1]
    return ""


def _failure(error: RigError, selected: Sequence[Cell], stock: str, folder: Path) -> Failure:
    reason, none = text.plain(str(error)), Failure("rig", "", "", text.plain(str(error)), None, (), "", "")
    by_name = {cell.name: cell for cell in selected}
    if shortage.advice(reason):  # the host is to blame, whatever failed because of it
        return none
    if isinstance(error, SeriesRefused):
        path = next((cell.variant.series for cell in selected if cell.variant.name == error.variant), None)
        place = patch_places.hunk(path, error.patch, error.hunk) if path and error.patch else None
        return Failure("series", error.variant, "", reason, place, (), text.plain(error.hunk)[:_CHARACTERS], "")
    cell = by_name.get(error.cell) if isinstance(error, BuildError | GuestDied) else None
    if cell is None:
        return none
    of_cell = msgspec.structs.replace(none, variant=cell.variant.name, cell=cell.name)
    if isinstance(error, GuestDied):
        log = f"{cell.file_name}.serial.log"
        files.write(folder / log, error.log)
        end = "\n".join(error.log.splitlines()[-_LINES:])
        return msgspec.structs.replace(of_cell, stage="boot", excerpt=text.plain(end)[-_CHARACTERS:], log=log)
    assert isinstance(error, BuildError)
    return _of_build(error, msgspec.structs.replace(of_cell, stage="build"), cell, stock, folder)


def _of_build(error: BuildError, failure: Failure, cell: Cell, stock: str, folder: Path) -> Failure:
    if error.log is None or not error.log.is_file():
        return failure
    log = f"{cell.file_name}.build.log"
    shutil.copyfile(error.log, folder / log)
    lines = (folder / log).read_text(errors="replace").splitlines()
    errors = tuple(_compile_error(said, cell, stock, error.commit) for said in _errors(lines)[:_ERRORS])
    reason = failure.reason.replace(f"; the whole log is {error.log}", "")  # which is there as `log`
    excerpt = text.plain("\n".join(_excerpt(lines)))[:_CHARACTERS]
    return msgspec.structs.replace(failure, reason=reason, errors=errors, excerpt=excerpt, log=log)


def _errors(lines: Iterable[str]) -> list[Said]:
    return [said for said in compiler_output.parsed(lines) if not said.text.startswith("warning: ")]


def _excerpt(lines: Sequence[str]) -> Sequence[str]:
    """Return what the compiler says from its first error on; the end of the log if it says none."""
    first = next((number for number, line in enumerate(lines) if _errors([line])), None)
    if first is None:
        return lines[-_LINES:]
    return list(itertools.takewhile(lambda line: not line.startswith("make"), lines[first : first + _LINES]))


def _compile_error(said: Said, cell: Cell, stock: str, commit: str) -> CompileError:
    path = cell.variant.series if cell.variant.name != STOCK else None
    place = patch_places.blamed(path, stock, commit, said.file, int(said.line)) if path else None
    return CompileError(f"{said.file}:{said.line}", text.plain(said.text), place)
