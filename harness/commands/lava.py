# SPDX-License-Identifier: GPL-2.0-only
"""Writes what a LAVA lab needs to repeat a run's cells: kernels, modules, the guest's script and the definitions of jobs."""

from __future__ import annotations

import shutil
from pathlib import Path

from harness import text
from harness.build.built import BuiltCell
from harness.build.kernel import SECOND
from harness.errors import UsageError
from harness.host import cpio, files, shell
from harness.model.run_folder import Run
from harness.report import lava
from harness.report.lava import File, Job, Test
from harness.suite import guest_script, plan, vm_pool
from harness.suite.plan import Plan

_SCRIPT = "guest.sh"
_EACH = 10
"""minutes that a test may take"""
_FIRST = 30
"""minutes for what comes before"""


def write(run: Run, folder: Path, url: str, boot: str) -> list[Path]:
    """Write the files and jobs of a run's cells into a new folder, which is to be served at `url`; return the jobs.

    `boot` is the URL of a boot image for the machines' real boards; without one there are no jobs for them. Raises UsageError for a
    run whose kernels are no longer in the cache, and for one of a foreign module.
    """
    planned = plan.load(run.folder / "plan.json")
    if planned.module:
        raise UsageError(f"{run.folder.name} is of the module {planned.module.name}; jobs for LAVA are of the rig's own.")
    if "://" not in url:
        raise UsageError("Say with --url where the lab can fetch the files, such as http://server/folder.")
    for built in planned.cells:
        if missing := [file for file in _inputs(built) if not file.is_file()]:
            raise UsageError(f"{missing[0]} is no longer in the cache; build it again: invoke build, as in {run.folder.name}.")
    if folder.exists():
        raise UsageError(f"{folder} is there already; name a new folder with --output.")
    with files.folder(folder) as made:
        return [folder / name for built in planned.cells for name in _cell(planned, built, made, url.rstrip("/"), boot)]


def _inputs(built: BuiltCell) -> tuple[Path, ...]:
    return built.kernel.image, built.kernel.module, built.kernel.second_module, built.rootfs.image


def _cell(planned: Plan, built: BuiltCell, folder: Path, url: str, boot: str) -> list[str]:
    """Write the files of a cell, and return the names of its jobs."""
    cell = built.cell
    job = _job(planned, built, folder, url)
    jobs = {f"{cell.file_name}-qemu.yaml": lava.qemu(job, cell.machine)}
    if boot and cell.machine.board:
        jobs[f"{cell.file_name}-board.yaml"] = lava.board(job, cell.machine, boot)
    for name, definition in jobs.items():
        files.write(folder / name, definition)
    return list(jobs)


def _job(planned: Plan, built: BuiltCell, folder: Path, url: str) -> Job:
    cell, kernel, script = built.cell, built.kernel, guest_script.SCRIPT.read_bytes()
    modules = {Path(vm_pool.MODULE).name: kernel.module.read_bytes(), f"{SECOND}.ko": kernel.second_module.read_bytes()}
    extra = {f"{lava.FOLDER}/init": lava.INIT.format(prompt=lava.PROMPT).encode(), f"{lava.FOLDER}/{_SCRIPT}": script}
    archive = cpio.newc((lava.FOLDER,), {**extra, **modules}) + built.rootfs.image.read_bytes()

    def put(name: str, data: bytes, path: str = "") -> File:
        file = folder / f"{cell.file_name}-{name}"
        files.write(file, data)
        return File(f"{url}/{text.in_url(file.name)}", files.file_sha256(file), path)

    tests = _tests(planned, built)
    shutil.copyfile(kernel.config, folder / f"{cell.file_name}-config")
    return Job(
        name=f"{cell.name}, Linux {planned.version}: vmalloc_test",
        metadata={"variant": cell.variant.name, "profile": cell.profile, "machine": cell.machine.name, "kernel": kernel.key},
        minutes=_FIRST + _EACH * len(tests),
        kernel=put("kernel", kernel.image.read_bytes()),
        initramfs=put("initramfs.cpio", archive),
        build_id=kernel.build_id,
        files=(
            put(_SCRIPT, script, f"/{lava.FOLDER}/{_SCRIPT}"),
            *(put(name, data, f"/{name}") for name, data in modules.items()),
        ),
        tests=tests,
    )


def _tests(planned: Plan, built: BuiltCell) -> tuple[Test, ...]:
    """Return each test of a cell once, as its first boot loads the module for it."""
    found: dict[str, Test] = {}
    for session in planned.sessions:
        if session.built.cell == built.cell and not session.counts:
            for step in session.steps:
                name, ordered, module, *words = guest_script.command(planned, session, step)[4:]
                line = shell.quote(("sh", f"/{lava.FOLDER}/{_SCRIPT}", name, ordered, module, *words))
                found.setdefault(step.test.name, Test(step.test.name, line))
    return tuple(found.values())
