# SPDX-License-Identifier: GPL-2.0-only
"""Builds the plugin that counts which blocks of a guest's kernel run, for the QEMU that is to load it."""

from __future__ import annotations

import functools
import re
from pathlib import Path

import msgspec

from harness import paths, text
from harness.errors import BuildError, RigError
from harness.host import files, shell

SOURCES = paths.PROJECT / "qemu_plugin"
FILE = "blocks.so"
_FLAGS = ("-shared", "-fPIC", "-fvisibility=hidden", "-O2", "-Wall", "-pthread")
_APIS = ((11, 1, 7), (11, 0, 6), (10, 1, 5), (9, 2, 4), (9, 1, 3), (9, 0, 2), (4, 2, 1))
"""version of QEMU, and of the plugin API that came with it: see docs/devel/tcg-plugins.rst of QEMU"""
_PROBED = "returned error code 42"
"""QEMU's words when it has loaded the plugin, which then found nothing to do"""
_PATIENCE = 20.0
"""seconds for a QEMU that only loads the plugin"""


class Plugin(msgspec.Struct, frozen=True):
    """The plugin for one QEMU, or the reason why there is none."""

    file: Path | None
    obstacle: str = ""
    """in one sentence; empty if there is a plugin"""


@functools.cache
def build(binary: str) -> Plugin:
    """Return the plugin for the QEMU called `binary`; it is built if the cache has none.

    Where QEMU does not load it there is none: a run goes on without its figures.
    """
    try:
        file = _built(_api(binary))
    except RigError as error:
        return Plugin(None, str(error))
    said = _loads(binary, file)
    return Plugin(file) if _PROBED in said else Plugin(None, f"{binary} does not load plugins ({said}).")


def api_of(version: str) -> int:
    """Return the version of the plugin API that a QEMU has whose ``--version`` is `version`; BuildError if it has none."""
    found = re.search(r"version (\d+)\.(\d+)", version)
    if not found:
        raise BuildError(f"QEMU says no version that its plugins could be known by, but {version[:80]!r}.")
    numbers = int(found[1]), int(found[2])
    for major, minor, api in _APIS:
        if numbers >= (major, minor):
            return api
    raise BuildError(f"QEMU {'.'.join(map(str, numbers))} has no plugins; they came with 4.2.")


def cached(binary: str) -> Plugin | None:
    """Return the plugin for the QEMU called `binary` if the cache has it, or the reason why there can be none."""
    try:
        target = _target(_api(binary))
    except RigError as error:
        return Plugin(None, str(error))
    return build(binary) if files.whole(target) else None


def compiling(binary: str, file: Path) -> tuple[str, ...]:
    """Return the command that makes the plugin for the QEMU called `binary`; BuildError if that has no plugins."""
    return _compiling(_api(binary), file)


def _compiling(api: int, file: Path) -> tuple[str, ...]:
    code = [str(source) for source in _sources() if source.suffix == ".c"]
    return "gcc", *_FLAGS, f"-DAPI={api}", "-o", str(file), *code


def _api(binary: str) -> int:
    return api_of(shell.output((binary, "--version")))


def _sources() -> list[Path]:
    return sorted(SOURCES.glob("*.[ch]"))


def _target(api: int) -> Path:
    """Return the folder of the cache for the plugin for an API."""
    compiler = shell.output(("gcc", "--version"), error=BuildError).splitlines()[0]
    return paths.cache() / "plugins" / files.digest(compiler, str(api), *_FLAGS, *_sources())[:16]


def _built(api: int) -> Path:
    target = _target(api)
    with files.locked(target):
        if not files.whole(target):
            with files.folder(target) as work:
                shell.output(_compiling(api, work / FILE), error=BuildError)
                files.seal(work, target.name)
    return target / FILE


def _loads(binary: str, file: Path) -> str:
    """Return the last line of what QEMU says when it is to load the plugin and nothing else."""
    command = (
        binary,
        "-machine",
        "none",
        "-nodefaults",
        "-no-user-config",
        "-display",
        "none",
        "-plugin",
        f"file={text.escaped(file)}",
    )
    try:
        shell.output(command, silence=_PATIENCE)
    except RigError as error:
        return str(error).rpartition(" failed with exit code ")[2].partition(": ")[2].replace(str(file), file.name) or str(error)
    return "it ended without a word"
