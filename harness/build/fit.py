# SPDX-License-Identifier: GPL-2.0-only
"""Finds the kernel base that a series was written for: by the blobs of its index lines, and by applying it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

import msgspec

from harness.build import git, patches
from harness.build.kernel_tree import Tree
from harness.build.series import Series
from harness.errors import RigError, UsageError
from harness.model.matrix import Base

_TRAILER = re.compile(r"^base-commit: ([0-9a-f]{40})$", re.M)
_RENAMED = re.compile(r"^(?:rename|copy) to (.+)$", re.M)
"""line of a file that has no index line if nothing but its name changed"""
_NULL = "0"
_SHOWN = 12
"""digits of a blob's name that a message has"""


class Fit(msgspec.Struct, frozen=True):
    """The way in which a series fits a base."""

    base: Base
    differing: tuple[str, ...]
    """sentences: files that the series starts from, and that are others in the base"""
    named: int
    """number of files that index lines of the series name"""
    refusal: str
    """reason for which it does not apply; empty if it does"""
    exact: bool = False
    """True if the series says that it was written on just this source"""

    @property
    def sure(self) -> bool:
        """True if it was written for this base."""
        return not self.refusal and (self.exact or (self.named > 0 and not self.differing))


def base_commit(wanted: Series) -> str:
    """Return the commit that a ``base-commit:`` trailer of the series names; empty if none does."""
    texts = [
        wanted.cover.text if wanted.cover else "",
        *(f"{p.mail.text}\n{p.data.decode(errors='replace')}" for p in wanted.patches),
    ]
    return next((found[1] for text in texts if (found := _TRAILER.search(text))), "")


def to(wanted: Series, base: Base, tree: Tree, written_on: str) -> Fit:
    """Return the way in which a series fits the source of a base.

    `written_on` is the tree that it was written on; empty if that is not known.
    """
    expected = _starts(wanted)
    listed = git.run("ls-tree", "-z", tree.commit, "--", *expected).split("\0") if expected else []
    actual = {path: entry.split()[2] for entry, _, path in (line.partition("\t") for line in listed) if path}
    differing = [
        f"{path} is {actual.get(path, 'missing')[:_SHOWN]}, not {blob[:_SHOWN]}"
        for path, blob in expected.items()
        if not actual.get(path, _NULL * len(blob)).startswith(blob)
    ]
    try:
        patches.put(tree, wanted)
        refusal = ""
    except UsageError as error:
        refusal = str(error)
    return Fit(base, tuple(differing), len(expected), refusal, tree.tree == written_on)


def tree_of(commit: str) -> str:
    """Return the tree of a commit, if the rig's repository has it; else nothing."""
    try:
        return git.tree_of(commit) if commit else ""
    except RigError:
        return ""


def best(fits: Sequence[Fit], name: str) -> Fit:
    """Return the base that a series called `name` was written for, or the only one that it applies to.

    Raises UsageError that tells of each base the files that differ, if there is none, or of several to choose from.
    """
    if sure := [fit for fit in fits if fit.sure]:
        return sure[0]
    applying = [fit for fit in fits if not fit.refusal]
    if len(applying) == 1:
        return applying[0]
    if applying:
        names = " and ".join(fit.base.name for fit in applying)
        raise UsageError(f"{name} was written for another source, but applies to {names}; choose one with --kernel.")
    told = "; ".join(f"on {fit.base.name} {_reason(fit)}" for fit in fits)
    raise UsageError(f"{name} fits no base that the rig knows: {told}; rebase it, or add its base as docs/machines.md says.")


def _reason(fit: Fit) -> str:
    files = f", where {', '.join(fit.differing)}" if fit.differing else ""
    return f"{fit.refusal.rstrip('.').removesuffix('; nothing was changed')}{files}"


def told(fit: Fit) -> str:
    """Return the sentence that says on what grounds a base was found."""
    if fit.exact:
        return f"it was written on the source of Linux {fit.base.name}"
    if not fit.named:
        return f"it has no index lines, and applies to Linux {fit.base.name}"
    if fit.differing:
        return (
            f"it was written for another source than Linux {fit.base.name} ({', '.join(fit.differing)}), but applies without fuzz"
        )
    files = f"{fit.named} files that it starts from are those" if fit.named > 1 else "file that it starts from is that"
    return f"the {files} of Linux {fit.base.name}"


def _starts(wanted: Series) -> Mapping[str, str]:
    """Return the blobs that the series starts from, by path: that of the first patch that names the file."""
    first: dict[str, str] = {}
    made: set[str] = set()
    for patch in wanted.patches:
        for change in patches.changes(patch):
            if change.old not in made:
                first.setdefault(change.old, change.before)
            made |= {change.path, change.old}
        made |= set(_RENAMED.findall(patch.data.decode(errors="replace")))
    return first
