# SPDX-License-Identifier: GPL-2.0-only
"""Finds the source files that a kernel was compiled from, and the patches that change none of them."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Collection, Sequence
from pathlib import Path

from harness.errors import BuildError

_NAMED = re.compile(rb"^(?:source_\S+ := |  )\.\./(\S+)", re.M)
"""a source or header in Kbuild's .cmd files, relative to the build folder, which is a subfolder of the source"""
_CODE = (".c", ".h", ".S", ".dts", ".dtsi")
_DOCUMENTATION = (".rst", ".txt")
_TEXTS = ("MAINTAINERS", "CREDITS", "COPYING", "README")
_SHOWN = 3
"""number of a patch's files that a message names"""


def sources(folder: Path) -> list[str]:
    """Return the files of the tree that the build in `folder` used, with headers; BuildError if there are none."""
    names = {name for file in folder.rglob(".*.cmd") for name in _NAMED.findall(file.read_bytes())}
    paths = {posixpath.normpath(name.decode(errors="replace")) for name in names}
    if not paths:
        raise BuildError(f"{folder} does not tell what was compiled: it has no .cmd files of Kbuild; build the kernel again.")
    return sorted(path for path in paths if not path.startswith("../"))


def untested(patch: str, changed: Sequence[str], compiled: Collection[str], where: str) -> str:
    """Return a sentence about a patch that changes nothing in the kernel for `where`; empty for one that does.

    Files that are neither code nor documentation count as used, because they may control the build.
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
