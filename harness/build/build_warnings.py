# SPDX-License-Identifier: GPL-2.0-only
"""Finds the compiler's warnings that a kernel's build has and that of the kernel before it has not."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from pathlib import Path

import msgspec

from harness.build import build_folder
from harness.build.compiler_output import Said, added, parsed
from harness.errors import BuildError

_COMPILED = re.compile(r"^\s+(?:CC|AS)\s+(?:\[M\]\s+)?(\S+)\.o$", re.M)
_WARNING = "warning: "
_MODPOST = re.compile(r"^WARNING: (?:modpost: )?(.*)$", re.M)
_ADDRESS = re.compile(r"0x[0-9a-f]+")
_UNITS = (".c", ".S")


class BuildWarnings(msgspec.Struct, frozen=True):
    """The warnings of a kernel's build. A build compiles only what changed since the last one in its folder."""

    compiled: frozenset[str]
    """objects that were compiled, without the suffix"""
    warnings: tuple[Said, ...]
    sources: frozenset[str]
    """files that the kernel is compiled from, in this build or an earlier one"""


class NewWarnings(msgspec.Struct, frozen=True):
    """Warnings that a patch brings."""

    added: tuple[str, ...]
    unchecked: tuple[str, ...]
    """files of the patch of which it cannot be told: one of the two builds did not compile them"""


def of_kernel(folder: Path) -> BuildWarnings:
    """Read the warnings of a kernel in the cache; BuildError if its log is not there."""
    try:
        log = (folder / build_folder.LOG).read_text(errors="replace")
        sources = msgspec.json.decode((folder / "sources.json").read_bytes(), type=frozenset[str])
    except (OSError, msgspec.DecodeError) as error:
        raise BuildError(f"The log of the kernel in {folder} cannot be read: {error}; build the kernel again.") from error
    return read(log, sources)


def read(log: str, sources: frozenset[str] = frozenset()) -> BuildWarnings:
    """Read the log of a build."""
    compiled = (said for said in parsed(log.splitlines()) if said.text.startswith(_WARNING))
    linked = (Said("", "", _WARNING + _ADDRESS.sub("#", words)) for words in _MODPOST.findall(log))
    return BuildWarnings(frozenset(_COMPILED.findall(log)), (*compiled, *linked), sources)


def new(before: BuildWarnings, after: BuildWarnings, touched: Sequence[str]) -> NewWarnings:
    """Return the warnings that a patch of the files `touched` brings; lines that only moved are none."""
    complete = after.compiled <= before.compiled

    def told(file: str) -> bool:
        """Return whether the build before would have shown a warning in this file."""
        return complete or not file or _unit(file) in before.compiled or file not in before.sources

    found = added(before.warnings, after.warnings)
    own = [file for file in touched if file in after.sources]
    unchecked = [file for file in own if not _known(file, after.compiled, complete)]
    unchecked += [file for file in own if file not in unchecked and not told(file) and any(file == said.file for said in found)]
    return NewWarnings(tuple(_words(said) for said in found if told(said.file)), tuple(unchecked))


def _words(said: Said) -> str:
    """Return a warning without its line, which another patch moves."""
    words = said.text.removeprefix(_WARNING)
    return f"{said.file}: {words}" if said.file else words


def _known(file: str, compiled: Collection[str], complete: bool) -> bool:
    """Return whether the build with a patch shows the warnings in one of its files: those in a header may show anywhere."""
    return _unit(file) in compiled if file.endswith(_UNITS) else complete


def _unit(file: str) -> str:
    return file.rpartition(".")[0]
