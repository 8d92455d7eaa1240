# SPDX-License-Identifier: GPL-2.0-only
"""Finds the warnings that a series adds: of the compiler with W=1, and of sparse, in the files that it changes."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

import msgspec

from harness.build import build_folder, git
from harness.build.compiler_output import Said, added, parsed
from harness.build.kbuild import KernelBuild
from harness.host import files
from harness.model.series_check import Check, State
from harness.text import counted

_TOOLS = {"gcc W=1": ("W=1",), "sparse": ("C=2", "CHECK=sparse")}
"""checks, with the options of make that have them made"""
_ERROR = ("error: ", "fatal error: ")


class Heard(msgspec.Struct, frozen=True):
    """All that was said of some files, and the files that did not compile."""

    said: tuple[Said, ...]
    failed: tuple[str, ...]


def checks(before: KernelBuild, after: KernelBuild, changed: Sequence[str]) -> list[Check]:
    """Return what the compiler and sparse say of the files `changed` that they did not say `before` the series.

    Both are builds of one cell, in one work tree.
    """
    sources = [file for file in changed if file.endswith(".c")]
    tools = {name: options for name, options in _TOOLS.items() if name != "sparse" or shutil.which("sparse")}
    left = [_not(name, "it is not installed") for name in _TOOLS if name not in tools]
    if not sources:
        return [_not(name, "the series changes no .c file") for name in _TOOLS]
    with files.locked(before.lock):
        first, second = (_heard(build, sources, tools) for build in (before, after))
    seen = set(second["gcc W=1"].said)
    own = {name: heard if name == "gcc W=1" else _without(heard, seen) for name, heard in second.items()}
    return [_compared(name, first[name], own[name], sources) for name in tools] + left


def _heard(build: KernelBuild, sources: Sequence[str], tools: dict[str, tuple[str, ...]]) -> dict[str, Heard]:
    """Compile files once for each tool."""
    heard = {}
    with git.held(build.tree, build.patched.commit, build.say), build_folder.building(build.folder, build.say):
        present = [file for file in sources if (build.tree / file).exists()]
        log = build.folder / build_folder.LOG
        log.unlink(missing_ok=True)
        build.configure(log)
        for name, options in tools.items():
            objects = [build.folder / file.removesuffix(".c") for file in present]
            for made in objects:
                made.with_name(f"{made.name}.o").unlink(missing_ok=True)
            build.say(f"{name}: {counted(len(present), 'file')}")
            lines = build.compile([f"{file.removesuffix('.c')}.o" for file in present], options, log)
            failed = [file for file in present if not Path(f"{build.folder / file.removesuffix('.c')}.o").exists()]
            heard[name] = Heard(parsed(lines), tuple(failed))
    return heard


def _without(heard: Heard, seen: set[Said]) -> Heard:
    """Return what sparse says, without what the compiler says on the way."""
    return msgspec.structs.replace(heard, said=tuple(said for said in heard.said if said not in seen))


def _compared(name: str, before: Heard, after: Heard, sources: Sequence[str]) -> Check:
    new = [said.shown for said in added(before.said, after.said)]
    broken = [file for file in after.failed if file not in before.failed]
    never = [file for file in after.failed if file in before.failed]
    if broken or any(said.text.startswith(_ERROR) and said.file not in never for said in added(before.said, after.said)):
        what = f"{', '.join(broken)} does not compile" if broken else f"{len(new)} new"
        return Check(name, State.FOUND, what, tuple(new))
    if len(never) == len(sources):
        return _not(name, f"{', '.join(never)} does not compile in this configuration, without the series either")
    new = [said.shown for said in added(before.said, after.said) if said.file not in never]
    rest = f"; not checked: {', '.join(never)}, which this configuration does not compile" if never else ""
    return Check(
        name,
        State.FOUND if new else State.GOOD,
        f"{counted(len(new), 'new warning') if new else 'no new warnings'}{rest}",
        tuple(new),
    )


def _not(name: str, reason: str) -> Check:
    return Check(name, State.NOT_CHECKED, reason)
