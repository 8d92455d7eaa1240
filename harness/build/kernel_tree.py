# SPDX-License-Identifier: GPL-2.0-only
"""Imports a kernel's source into the rig's repository."""

from __future__ import annotations

import re
from pathlib import Path

import msgspec

from harness.build import git
from harness.errors import UsageError
from harness.host.shell import Line
from harness.model import releases

MAKEFILE = "Makefile"
"""the file of a source that has its version"""


class Tree(msgspec.Struct, frozen=True):
    """A kernel's source, imported into the rig's repository."""

    commit: str
    tree: str
    version: str
    """version in its Makefile, such as ``4.18.0``"""
    origin: str
    """origin of the source, for messages"""


def version(makefile: str) -> str:
    """Return the version in the text of a kernel's Makefile, with ``?`` for each part that it does not have."""
    values = dict(re.findall(r"^(VERSION|PATCHLEVEL|SUBLEVEL)[ \t]*=[ \t]*(\d+)", makefile, re.M))
    return ".".join(values.get(key, "?") for key in ("VERSION", "PATCHLEVEL", "SUBLEVEL"))


def version_in(folder: Path) -> str:
    """Return the version of the source in `folder`; UsageError if there is none."""
    file = folder / MAKEFILE
    if not file.is_file():
        raise UsageError(f"{folder} holds no kernel source: it has no Makefile.")
    return version(file.read_text(errors="replace"))


def import_folder(folder: Path, origin: str, say: Line) -> Tree:
    """Import the source in `folder`; UsageError if there is none, or it has been built in."""
    release = releases.of(version_in(folder))
    if (folder / ".config").exists() or (folder / "include/config").exists():
        raise UsageError(f"{folder} has been built in; run `make mrproper` there, or name a clean tree.")
    if not (git.repository() / "refs/rig/sources").exists():
        say(f"importing {folder} (once; about a minute)")
    return kept(git.commit(git.import_folder(folder), f"Linux {release}"), origin)


def of_commit(fetched: str, url: str, ref: str) -> Tree:
    """Return the source of a tree or commit in the rig's repository, which is `ref` of `url`; UsageError if it is none."""
    makefile = git.blob(fetched, MAKEFILE)
    if makefile is None:
        raise UsageError(f"{ref} of {url} holds no kernel source: it has no Makefile.")
    release = releases.of(version(makefile.decode(errors="replace")))
    return kept(git.commit(git.tree_of(fetched), f"Linux {release}"), f"{url}#{ref}")


def kept(commit: str, origin: str) -> Tree:
    """Return the source of a commit that the rig made, protected from git gc."""
    tree = git.tree_of(commit)
    git.keep(f"sources/{tree}", commit)
    makefile = git.blob(commit, MAKEFILE) or b""
    return Tree(commit, tree, version(makefile.decode(errors="replace")), origin)
