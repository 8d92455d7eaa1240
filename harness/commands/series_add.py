# SPDX-License-Identifier: GPL-2.0-only
"""Adds a series to the project: takes it from where it was sent or saved, and finds the base that it fits."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec

from harness import paths
from harness.build import commits, fit, lore, mails, patch_file, series, series_folder, source
from harness.build.fit import Fit
from harness.build.kernel_tree import Tree
from harness.build.series import Series
from harness.errors import UsageError
from harness.host.shell import Line
from harness.model import matrix
from harness.model.matrix import Base
from harness.model.selection import DEFAULT, Selection
from harness.text import counted

Resolve = Callable[[Base, str | None, Line], Tree]
"""gets the source of a base; tests hand in their own"""


class Added(msgspec.Struct, frozen=True):
    """A series that was added."""

    folder: Path
    name: str
    patches: int
    fit: Fit
    notes: tuple[str, ...]
    subject: str
    """of the cover letter; empty if there is none"""

    @property
    def sentences(self) -> tuple[str, ...]:
        """Sentences for the user: where it is, the grounds for its base, what was left out, and how to go on."""
        cover = f" with the cover letter '{self.subject}'" if self.subject else ""
        many = counted(self.patches, "patch", "patches")
        others = "" if self.fit.base.name == DEFAULT else f" --kernel {self.fit.base.name}"
        return (
            f"{self.folder.relative_to(paths.SERIES.parent)}: {many}{cover}; {fit.told(self.fit)}.",
            *(f"note: {note}" for note in self.notes),
            f"Go on with: invoke select --variant stock,{self.name}{others} build boot test",
        )


def add(named: str, name: str, identity: str, kernel: str, say: Line, resolve: Resolve = source.resolve) -> Added:
    """Add the series that a user `named` to the folder of the base that it fits, or of the base `kernel`.

    `identity` is the Message-ID of one of its mails, for a source with several series. Raises UsageError for a series that
    is not whole, that fits no base, or whose `name` is taken.
    """
    wanted, written_on = _read(named, identity.strip("<>"))
    if wanted.missing:
        raise UsageError(f"{wanted.missing.rstrip('.')}, so it is not added; to test what is there, use --series.")
    called = series_folder.name(wanted, name)
    if other := next((base for base in map(matrix.load_base, matrix.base_names()) if called in matrix.series_names(base)), None):
        raise UsageError(f"There is a series {other.folder / called} already; remove it, or say another --name.")
    tree = written_on or fit.tree_of(fit.base_commit(wanted))
    own = os.environ.get(source.VARIABLE)
    fits: list[Fit] = []
    for base in _bases(kernel or (_own_base(own) if own else "")):
        fits.append(fit.to(wanted, base, resolve(base, own, say), tree))
        if fits[-1].sure:
            break  # others need not be looked at, which takes minutes where a source is imported first
    best = fit.best(fits, called)
    folder = best.base.folder / called
    series_folder.write(folder, wanted)
    subject = wanted.cover.subject if wanted.cover else ""
    return Added(folder, called, len(wanted.patches), best, wanted.notes, subject)


def _bases(kernel: str) -> Sequence[Base]:
    """Return the base that was asked for, else the default one, and then those whose source is on this machine."""
    if kernel:
        return [matrix.load_base(kernel)]
    others = [matrix.load_base(name) for name in matrix.base_names() if name != DEFAULT]
    return [matrix.load_base(DEFAULT), *(base for base in others if source.is_here(base))]


def _own_base(named: str) -> str:
    """Return the base of the source that RIG_SOURCE names; UsageError if there is none of its release."""
    base = source.expected(Selection(source=named))
    if base.like:
        raise UsageError(
            f"{source.VARIABLE} is Linux {base.release}, which is no base that a series can be added to; unset it, or add its base"
            " as docs/machines.md says."
        )
    return base.name


def _read(named: str, identity: str) -> tuple[Series, str]:
    """Return the series that a user names, and the tree that it was written on, if the source tells."""
    if not named:
        raise UsageError("Say what to add: a file, a folder, TREE:BASE..TIP of a git tree, or a URL or Message-ID of lore.")
    path = paths.expanded(named, "invoke series.add")
    with tempfile.TemporaryDirectory() as made:
        into = Path(made)
        if path.exists():
            return series.read(path, identity), ""
        if range_ := commits.parsed(named):
            tree = commits.export(*range_, into)
            return series.read(into), tree
        if lore.names(named):
            return _from_lore(identity or named, into), ""
    raise UsageError(f"There is no series at {named}; name a file, a folder, TREE:BASE..TIP, or a URL or Message-ID of lore.")


def _from_lore(named: str, into: Path) -> Series:
    mbox, cover = lore.fetch(named, into)
    found = series.read(mbox)
    letters = mails.read(patch_file.content(cover), cover.name) if cover else []
    return msgspec.structs.replace(found, cover=letters[0] if letters else found.cover)
