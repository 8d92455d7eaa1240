# SPDX-License-Identifier: GPL-2.0-only
"""Applies a series to a source in the rig's repository: all of it or nothing, and without fuzz."""

from __future__ import annotations

import hashlib
import posixpath
import re
from collections.abc import Iterator, Mapping, Sequence

import msgspec

from harness.build import git, series
from harness.build.kernel_tree import Tree
from harness.build.series import Patch, Series
from harness.errors import SeriesRefused, UsageError
from harness.model.matrix import Variant

_DIFF = re.compile(r"^diff --git a/(\S+) b/(\S+)$")
_NULL = "0" * 40
_INDEX = re.compile(r"^index ([0-9a-f]+)\.\.([0-9a-f]+)")
_HUNK = re.compile(r"^@@ -(?P<old>\d+)(?:,(?P<less>\d+))? \+(?P<new>\d+)(?:,(?P<more>\d+))?")
_LINK = "120000"
"""git's mode of a symbolic link"""
_GONE = "D"
"""git's status of a file that was removed"""
_ENOUGH = 12
"""digits of a blob's name that identify it for certain"""


class Patched(msgspec.Struct, frozen=True):
    """A source with a variant's patches applied."""

    commit: str
    tree: str
    patches: tuple[str, ...]
    """names of the patches that were applied"""
    notes: tuple[str, ...]
    """sentences for the user: files that differ from the blobs of the patches' index lines"""
    files: tuple[tuple[str, ...], ...] = ()
    """for each patch the files that it creates or changes"""


class Change(msgspec.Struct, frozen=True):
    """One file of a patch, with the names of its blobs as the index line has them."""

    old: str
    path: str
    before: str
    after: str


def read(variant: Variant) -> tuple[Patch, ...]:
    """Return the patches of `variant` in order; none for stock. Raises UsageError for a series that cannot be read whole."""
    return _read(variant).patches


def digest(applied: Sequence[Patch]) -> str:
    """Return the SHA-256 over the lines with the SHA-256 of each patch, as KernelCI names a patch set; empty for no patches."""
    sums = "".join(f"{hashlib.sha256(patch.data).hexdigest()}\n" for patch in applied)
    return hashlib.sha256(sums.encode()).hexdigest() if sums else ""


def _read(variant: Variant) -> Series:
    if variant.series is None:
        return Series(())
    whole = series.read(variant.series)
    if variant.count is not None and variant.count > len(whole.patches):
        raise UsageError(f"'{variant.name}' asks for {variant.count} patches; {variant.series} has {len(whole.patches)}.")
    return msgspec.structs.replace(whole, patches=whole.patches[: variant.count])


def apply(source: Tree, variant: Variant) -> Patched:
    """Return the commit of `source` with the patches of `variant` on top.

    Raises SeriesRefused naming the patch, the file and the hunk that does not apply, or the path that leads out of the
    tree. A failure changes nothing.
    """
    try:
        return put(source, _read(variant))
    except SeriesRefused as refused:
        refused.variant = variant.name
        raise
    except UsageError as error:
        raise SeriesRefused(str(error), source=source.commit, variant=variant.name) from error


def put(source: Tree, wanted: Series) -> Patched:
    """Return the commit of `source` with a series on top; see `apply`."""
    commit, notes, files = source.commit, list(wanted.notes), []
    with git.scratch_index(commit) as env:
        for patch in wanted.patches:
            named = changes(patch)
            notes += _differing(patch, "starts from", {c.old: c.before for c in reversed(named)}, env)
            try:
                _take(patch, env)
            except _Refused as refused:
                why, hunk = _explain(patch, refused, env)
                raise SeriesRefused(why, patch.name, hunk, source.commit) from refused
            notes += _differing(patch, "makes", {c.path: c.after for c in named}, env)
            before, commit = commit, git.commit(git.run("write-tree", env=env), patch.name, commit)
            files.append(_files(patch, before, commit))
    return Patched(commit, git.tree_of(commit), tuple(p.name for p in wanted.patches), tuple(notes), tuple(files))


class _Refused(UsageError):
    """git apply did not take a patch."""


def _take(patch: Patch, env: Mapping[str, str], *options: str) -> None:
    """Apply a patch to the index of `env`; raises _Refused."""
    how = (f"-p{patch.strip}", *(["--reverse"] if patch.reverse else []), *options)
    git.run("apply", "--cached", *how, "--whitespace=nowarn", "-", env=env, stdin=patch.data, error=_Refused)


def _files(patch: Patch, before: str, after: str) -> tuple[str, ...]:
    """Return the files that a patch creates or changes; UsageError for a symbolic link that leads out of the tree."""
    changed = []
    for line in git.run("diff-tree", "-r", "--no-renames", "-z", before, after).split("\0:"):
        fields, _, path = line.removeprefix(":").partition("\0")
        _, mode, _, blob, status = fields.split() if fields else ("",) * 5
        path = path.rstrip("\0")
        if status not in ("", _GONE):
            changed.append(path)
        if mode == _LINK:
            target = git.run("cat-file", "blob", blob)
            if posixpath.normpath(posixpath.join(posixpath.dirname(path), target)).startswith(("/", "..")):
                what = f"it makes {path} a link to '{target}', outside of the source tree"
                raise UsageError(f"{patch.name} is refused: {what}; nothing was changed.")
    return tuple(changed)


def changes(patch: Patch) -> list[Change]:
    """Return the files of a patch that have an index line."""
    changes: list[Change] = []
    old = path = ""
    for line in patch.data.decode(errors="replace").splitlines():
        if start := _DIFF.match(line):
            old, path = start[1], start[2]
        elif (index := _INDEX.match(line)) and path:
            change = Change(old, path, index[1], index[2])
            changes.append(Change(path, old, index[2], index[1]) if patch.reverse else change)
            path = ""
    return changes


def _differing(patch: Patch, verb: str, blobs: dict[str, str], env: dict[str, str]) -> list[str]:
    notes = []
    for path, expected in blobs.items():
        if len(expected) < _ENOUGH:
            continue
        listed = git.run("ls-files", "--stage", "--", path, env=env).split()
        actual = listed[1] if listed else _NULL
        if not actual.startswith(expected):
            notes.append(f"{patch.name} {verb} {path} {expected[:_ENOUGH]} by its index line; here it is {actual[:_ENOUGH]}.")
    return notes


def _explain(patch: Patch, refused: _Refused, env: Mapping[str, str]) -> tuple[str, str]:
    """Return why git did not take a patch, and the hunk that does not match; empty if none is to blame."""
    output = str(refused)
    if _fits(msgspec.structs.replace(patch, strip=0), env):
        return f"{patch.name} does not apply: its paths have no a/ and b/; name it in a `series` file as '{patch.name} -p0'.", ""
    if _fits(msgspec.structs.replace(patch, reverse=not patch.reverse), env):
        return f"{patch.name} does not apply: it undoes what is not there, or does what is there already; nothing was changed.", ""
    flowed = "its mail is format=flowed, which changes blanks, so have it sent by git send-email; " if patch.mail.flowed else ""
    failed = re.search(r"patch failed: (\S+):(\d+)", output)
    if failed:
        number, hunk = _hunk(patch, failed[1], failed[2])
        what = f"hunk {number} of {failed[1]} (line {failed[2]}) does not match"
        return f"{patch.name} does not apply: {what}; {flowed}nothing was changed.", hunk
    outside = re.search(r"invalid path '(.*?)'|affected file '(.*?)' is beyond a symbolic link", output)
    if outside:
        where = outside[1] or outside[2]
        return f"{patch.name} is refused: it reaches outside of the source tree ({where}); nothing was changed.", ""
    reason = output.split("error: ")[-1].strip()
    return f"{patch.name} does not apply: {reason}; {flowed}nothing was changed.", ""


def _fits(patch: Patch, env: Mapping[str, str]) -> bool:
    try:
        _take(patch, env, "--check")
    except _Refused:
        return False
    return True


def _hunk(patch: Patch, path: str, line: str) -> tuple[int, str]:
    """Return the number of the hunk of `path` that begins at `line`, from 1, and its text; of none the last number."""
    number, inside = 0, False
    lines = patch.data.decode(errors="replace").splitlines()
    for place, text in enumerate(lines):
        if start := _DIFF.match(text):
            inside, number = start[2] == path, 0
        elif text.startswith("+++ ") and not inside:
            inside, number = "/".join(text[4:].split("\t")[0].split("/")[patch.strip :]) == path, 0
        elif inside and (hunk := _HUNK.match(text)):
            number += 1
            if hunk["new" if patch.reverse else "old"] == line:
                return number, "\n".join((text, *_body(lines[place + 1 :], int(hunk["less"] or 1), int(hunk["more"] or 1))))
    return number, ""


def _body(lines: Sequence[str], old: int, new: int) -> Iterator[str]:
    """Yield the lines of a hunk with so many lines before the patch and after it."""
    for line in lines:
        if old <= 0 and new <= 0:
            return
        old, new = old - (not line.startswith("+")), new - (not line.startswith("-"))
        yield line
