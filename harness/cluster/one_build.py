# SPDX-License-Identifier: GPL-2.0-only
"""Program that builds one kernel for a client on a worker's host; its argument is the build's folder."""

from __future__ import annotations

import sys
from pathlib import Path

from harness import paths
from harness.build import foreign, kbuild, packs, sandbox, toolchain
from harness.build.jobserver import Own
from harness.build.kbuild import KernelBuild
from harness.build.kernel import MODULE
from harness.cluster import artifacts, build_task
from harness.cluster.artifacts import Artifact
from harness.cluster.build_task import ANSWER, TASK, BuildAnswer, BuildTask, Made
from harness.errors import BuildError, RigError, UsageError
from harness.host import files, shortage


def run(folder: Path) -> None:
    """Build what the task in `folder` says, and write the answer there; RigError if the rig fails."""
    mine = build_task.task((folder / TASK).read_bytes())
    files.write(folder / ANSWER, build_task.packed(answer(mine)))


def answer(mine: BuildTask) -> BuildAnswer:
    """Return the end of a build, with the digests of what it made; RigError if the rig fails."""
    try:
        if reason := refusal(mine):
            return BuildAnswer(refused=reason)
        if not packs.take_source(mine.source):
            return BuildAnswer(lacks=True)
        packs.take_series(mine.series)
        return _built(mine)
    except UsageError as error:  # of what this host has not
        return BuildAnswer(refused=str(error))


def refusal(mine: BuildTask) -> str:
    """Return why this host would build another kernel than the client asks for, as a sentence without a subject; else nothing."""
    try:
        tools = toolchain.identity(mine.cell)
    except BuildError as error:
        return f"cannot build {mine.cell.name}: {error}"
    if tools != mine.tools:
        here, there = (", ".join(dict.fromkeys(versions)) for versions in (tools, mine.tools))
        return (
            f"has another compiler or linker for {mine.cell.name} ('{here}') than the client ('{there}'), so that its kernel"
            " would be another one; install the same version, or leave that host out."
        )
    asked = kbuild.configuration(mine.base, mine.cell)
    own = kbuild.cached(mine.base, mine.cell, mine.patched.tree, asked)
    if str(own.relative_to(paths.cache())) != mine.kernel:
        return (
            f"has other settings for the kernel of {mine.cell.name} than the client;"
            " make qemu_configs/kconfig and harness/build/tools the same on both."
        )
    return ""


def _built(mine: BuildTask) -> BuildAnswer:
    work = KernelBuild(mine.base, mine.cell, mine.patched, Own(mine.jobs), lambda said: print(said, flush=True))
    try:
        kernel = kbuild.build(mine.base, mine.cell, mine.patched, work.jobs, work.say, _maker(mine))
    except BuildError as error:
        if shortage.reason([str(error)]):  # which another host may have
            raise
        log = error.log.read_bytes() if error.log else b""
        return BuildAnswer(broken=str(error), cell=error.cell, log=log, log_file=str(error.log or ""))
    folders = dict.fromkeys((kernel.folder, work.module(mine.module), kernel.module.parent))
    made = (Artifact(str(each.relative_to(paths.cache())), artifacts.digest(each)) for each in folders)
    return BuildAnswer(notes=sandbox.notes(), made=tuple(map(Made, made)))


def _maker(mine: BuildTask) -> kbuild.Maker:
    """Return what makes the client's module for a kernel."""
    if mine.foreign:
        return lambda work: foreign.build(mine.module, work)
    return lambda work: work.module(mine.module) / f"{MODULE}.ko"


if __name__ == "__main__":
    try:
        run(Path(sys.argv[1]))
    except RigError as error:
        sys.exit(str(error))
