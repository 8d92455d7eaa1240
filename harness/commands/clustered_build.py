# SPDX-License-Identifier: GPL-2.0-only
"""Builds kernels on a cluster, and puts them into this host's cache, as if they had been built here."""

from __future__ import annotations

import contextlib
import os
import secrets
from collections.abc import Iterator, Mapping

from harness import paths
from harness.build import modules, packs, sandbox, toolchain
from harness.build.jobserver import Own
from harness.build.kbuild import KernelBuild
from harness.build.modules import ModuleSource
from harness.build.patches import Patched
from harness.build.source import Sources
from harness.cluster import artifacts, revision
from harness.cluster.address import Address
from harness.cluster.artifacts import Artifact
from harness.cluster.build_task import BuildTask
from harness.cluster.builds import Builds, Ended, Heard
from harness.cluster.connection import Connection, identity
from harness.cluster.revision import Facts
from harness.commands.progress import Progress
from harness.errors import BuildError, RigError
from harness.host import files
from harness.model.matrix import Cell

FAILED = "build-failed"
"""folder of the cache with the logs of builds on other hosts that failed"""
_PASSED_ON = ("RIG_PATIENCE", sandbox.VARIABLE)
"""variables that say how to build"""


def run(
    place: Address, sources: Sources, wanted: Mapping[Cell, Patched], module: ModuleSource | None, progress: Progress
) -> tuple[str, ...]:
    """Have the kernels and modules of cells that this host's cache lacks built by the workers of the scheduler at `place`.

    `module` takes the place of the rig's own. Cells whose kernels have a folder apart, which is removed after use, are left to
    this host. Returns notes for the report. Raises BuildError with the sentence of a build here for a kernel or a module
    that does not build, UsageError if a worker's host would build another kernel than this one, RigError if it is not possible.
    """
    builds = list(_lacking(sources, wanted, module))
    if not builds:
        return ()
    notes: list[str] = []
    with Connection(place) as connection:
        connection.check(builds[0].facts)
        heard = Heard(
            lambda said: progress.say(said.cell, said.text),
            lambda said: progress.say("cluster", said),
            lambda: _source(sources, progress),
        )
        with contextlib.closing(Builds(connection, heard, builds).ends()) as ends:
            for ended in ends:
                take(ended)
                progress.say(ended.build.cell.name, f"came from {ended.answer.worker}")
                notes += ended.answer.notes
    return tuple(dict.fromkeys(notes))


def _lacking(sources: Sources, wanted: Mapping[Cell, Patched], module: ModuleSource | None) -> Iterator[BuildTask]:
    """Yield the builds of kernels or modules that this host's cache lacks, each once."""
    made_of, name = module or modules.own_sources(), secrets.token_hex(4)
    facts, passed = Facts(revision.revision(), {}), {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
    seen = set()
    for cell, patched in wanted.items():
        work = KernelBuild(sources.base, cell, patched, Own(1), lambda _: None)
        here = work.kernel, work.module_folder(made_of)
        if cell.variant.apart or work.kernel in seen or all(map(files.whole, here)):
            continue
        seen.add(work.kernel)
        yield BuildTask(
            run=name,
            client=identity(),
            facts=facts,
            base=sources.base,
            cell=cell,
            source=sources.tree,
            patched=patched,
            series=packs.series(sources.tree, patched.commit),
            tools=toolchain.identity(cell),
            kernel=str(work.kernel.relative_to(paths.cache())),
            module=made_of,
            foreign=module is not None,
            environment=passed,
        )


def _source(sources: Sources, progress: Progress) -> Artifact:
    progress.say("cluster", f"packing the source of Linux {sources.tree.version}")
    folder = packs.source(sources.tree)
    return Artifact(str(folder.relative_to(paths.cache())), artifacts.digest(folder))


def take(ended: Ended) -> None:
    """Put what a build made into this host's cache.

    Raises BuildError for a kernel or a module that does not build, with its log in this host's cache; RigError for what did not
    arrive whole.
    """
    build, answer = ended
    if answer.broken and not answer.log_file:
        raise BuildError(answer.broken, answer.cell)
    if answer.broken:
        log = paths.cache() / FAILED / f"{build.cell.file_name}.log"
        files.write(log, answer.log)
        raise BuildError(answer.broken.replace(answer.log_file, str(log)), answer.cell, log, build.patched.commit)
    for made in answer.made:
        folder = paths.cache() / made.artifact.place
        sender = f"{answer.worker} {os.getpid()}"  # another call may have the same come from there
        artifacts.receive(paths.cache(), made.artifact, sender, made.archive, first=True, last=True, replace=False)
        if not files.whole(folder):
            raise RigError(f"{made.artifact.place} came from {answer.worker} without its seal; build again.")
