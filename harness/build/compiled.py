# SPDX-License-Identifier: GPL-2.0-only
"""Tells which source files a kernel was compiled from, and which patches change none of them."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Collection, Sequence
from pathlib import Path

from harness.errors import BuildError

_NAMED = re.compile(rb"^(?:source_\S+ := |  )\.\./(\S+)", re.M)
"""how Kbuild's .cmd files name sources and headers; the build folder lies right below the source"""
_CODE = (".c", ".h", ".S", ".dts", ".dtsi")
_DOCUMENTATION = (".rst", ".txt")
_TEXTS = ("MAINTAINERS", "CREDITS", "COPYING", "README")
_SHOWN = 3
"""files of a patch that are named"""


def sources(folder: Path) -> list[str]:
    """Return the files of the tree that went into the build in `folder`, headers too; BuildError if there are none."""
    found = {name for file in folder.rglob(".*.cmd") for name in _NAMED.findall(file.read_bytes())}
    paths = {posixpath.normpath(name.decode(errors="replace")) for name in found}
    if not paths:
        raise BuildError(f"{folder} does not tell what was compiled: it has no .cmd files of Kbuild; build the kernel again.")
    return sorted(path for path in paths if not path.startswith("../"))


def untested(patch: str, changed: Sequence[str], compiled: Collection[str], where: str) -> str:
    """Return a sentence about a patch that changes nothing of the kernel for `where`; empty for one that does.

    Files that are neither code nor documentation count as used, for they may configure or steer the build.
    """
    if not changed or any(path in compiled or not (_is_code(path) or _is_text(path)) for path in changed):
        return ""
    only = f"{patch} changes only {_listed(changed)}"
    if all(map(_is_text, changed)):
        return f"{only}, which {'is' if len(changed) == 1 else 'are'} documentation; it has no effect to test."
    which = "which is not" if len(changed) == 1 else "none of which is"
    return f"{only}, {which} compiled for {where}; its effect is not tested here."


def _is_code(path: str) -> bool:
    return path.endswith(_CODE) and not path.startswith("scripts/")


def _is_text(path: str) -> bool:
    return path.startswith("Documentation/") or path.endswith(_DOCUMENTATION) or posixpath.basename(path) in _TEXTS


def _listed(paths: Sequence[str]) -> str:
    if len(paths) > _SHOWN:
        return f"{', '.join(paths[:_SHOWN])} and {len(paths) - _SHOWN} more"
    return " and ".join(part for part in (", ".join(paths[:-1]), paths[-1]) if part)
