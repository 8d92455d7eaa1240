# SPDX-License-Identifier: GPL-2.0-only
"""Builds cells again in an empty folder without any cache, and compares the result with the cache, byte for byte."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec

from harness import paths
from harness.build import first_difference, kbuild, rootfs, toolchain
from harness.build.built import BuiltCell
from harness.build.first_difference import FileKind
from harness.build.kernel import Kernel, Metadata
from harness.build.rootfs import Rootfs
from harness.commands import pipeline
from harness.errors import BuildError, RigError, UsageError
from harness.host import files
from harness.model import audit, records
from harness.model.audit import IMAGE, VMLINUX, Audit, Compared
from harness.model.matrix import Machine, Variant
from harness.model.selection import Selection
from harness.runs import lifecycle, trust
from harness.suite.plan import Plan

_APART = "audit"
_MEANT = ("machine", "variant", "profile", "jobs", "source", "series", "kernel", "toolchain")
"""the options that have a meaning here"""


def check(wanted: Selection) -> None:
    """Raise UsageError for options that have no meaning in an audit."""
    plain = Selection()
    for name in wanted.__struct_fields__:
        if name not in _MEANT and getattr(wanted, name) != getattr(plain, name):
            raise UsageError(f"--{name.replace('_', '-')} has no meaning in an audit, which boots and tests nothing.")


class Parts(msgspec.Struct, frozen=True):
    """The functions that an audit builds with; tests hand in their own."""

    build: Callable[[Selection, tuple[Variant, ...]], Plan] = pipeline.build
    initramfs: Callable[[Machine, Path], Rootfs] = rootfs.make


_PARTS = Parts()


def run(planned: Plan, wanted: Selection, parts: Parts = _PARTS) -> Iterator[Audit]:
    """Audit the cells of `planned`, which the selection `wanted` led to, and yield the result of each when it is known.

    Raises BuildError if one cannot be built again, RigError if the source changed meanwhile.
    """
    for built in planned.cells:
        yield _audit(planned, built, wanted, parts)


def in_turn(planned: Plan, wanted: Selection, parts: Parts = _PARTS) -> Audit:
    """Audit the one cell of `planned` whose turn it is; raises as `run` does."""
    cells = {built.cell.kernel_name: built for built in planned.cells}
    return _audit(planned, cells[audit.turn(tuple(cells), trust.last_audits())], wanted, parts)


def _audit(planned: Plan, built: BuiltCell, wanted: Selection, parts: Parts) -> Audit:
    started = time.monotonic()
    with files.locked(paths.cache() / _APART):
        _clean()
        try:
            kept = paths.RESULTS / _APART / built.cell.file_name
            shutil.rmtree(kept, ignore_errors=True)
            again = _build(built, wanted, parts)
            compared = (*_kernel(planned, built, again.kernel, kept), _initramfs(built, kept, parts))
        finally:
            _clean()
        result = Audit(
            cell=built.cell.kernel_name,
            key=built.kernel.key,
            module=built.kernel.module.parent.name,
            date=records.now(),
            host=lifecycle.host(),
            seconds=round(time.monotonic() - started, 1),
            compared=compared,
        )
        known = {**trust.last_audits(), result.cell: result}
        files.write(trust.audit_file(), msgspec.json.format(msgspec.json.encode(known)))
    return result


def _build(built: BuiltCell, wanted: Selection, parts: Parts) -> BuiltCell:
    """Build one cell again in a work tree and folders of its own, without the compiler's cache."""
    cell = built.cell
    variant = msgspec.structs.replace(cell.variant, apart=f"{_APART}/{cell.file_name}", tree="", scratch=True)
    alone = msgspec.structs.replace(wanted, machine=cell.machine.name, profile=cell.profile)
    (again,) = parts.build(alone, (variant,)).cells
    if _made_of(again.kernel) != _made_of(built.kernel):
        raise RigError(
            f"{cell.name}: source, patches or compiler changed since the cell was built; call again, and leave them alone."
        )
    return again


def _made_of(kernel: Kernel) -> tuple[str, str, str]:
    metadata = msgspec.json.decode((kernel.folder / "build.json").read_bytes(), type=Metadata)
    return metadata.tree, metadata.compiler, metadata.linker


def _kernel(planned: Plan, built: BuiltCell, again: Kernel, kept: Path) -> Iterator[Compared]:
    ours, cell = built.kernel, built.cell
    # A fault in the cache would come back from these, so they have to be removed with it.
    origins = (str(kbuild.folder_of(kbuild.tree_of(planned.base, cell.variant), cell)), str(toolchain.objects()))
    kernel, module = (str(ours.folder), *origins), (str(ours.module.parent), *origins)
    yield _compare(IMAGE, FileKind.DATA, ours.image, again.image, kept, kernel)
    yield _compare(VMLINUX, FileKind.ELF, ours.vmlinux, again.vmlinux, kept, kernel)
    yield _compare("System.map", FileKind.TEXT, ours.folder / "System.map", again.folder / "System.map", kept, kernel)
    yield _compare("config", FileKind.TEXT, ours.config, again.config, kept, kernel)
    yield _compare(ours.module.name, FileKind.ELF, ours.module, again.module, kept, module)
    yield _compare(f"debug/{ours.module.name}", FileKind.ELF, ours.debug_module, again.debug_module, kept, module)


def _initramfs(built: BuiltCell, kept: Path, parts: Parts) -> Compared:
    """Compare the machine's initramfs; skipped if Debian's packages are not available, or have changed since it was made."""
    ours = built.rootfs
    try:
        again = parts.initramfs(built.cell.machine, paths.cache() / _APART / built.cell.file_name)
    except BuildError:
        raise
    except RigError as error:
        return Compared(ours.image.name, str(ours.image), skipped=str(error).rstrip("."))
    if others := sorted(name for name, _ in again.packages.items() - ours.packages.items()):
        return Compared(ours.image.name, str(ours.image), skipped=f"Debian has other packages by now: {', '.join(others)}")
    return _compare(ours.image.name, FileKind.CPIO, ours.image, again.image, kept, (str(ours.image.parent),))


def _compare(name: str, kind: FileKind, cached: Path, rebuilt: Path, kept: Path, remove: tuple[str, ...]) -> Compared:
    """Compare a file, and keep the one that was built again in the folder `kept` if it differs."""
    difference = first_difference.first(kind, cached, rebuilt)
    if difference is None:
        return Compared(name, str(cached))
    copy = ""
    if rebuilt.exists():
        (kept / name).parent.mkdir(parents=True, exist_ok=True)
        copy = str(shutil.copy(rebuilt, kept / name))
    return Compared(name, str(cached), difference, copy, remove)


def _clean() -> None:
    """Remove all that was built for an audit, also for one that was killed."""
    shutil.rmtree(paths.cache() / _APART, ignore_errors=True)
