# SPDX-License-Identifier: GPL-2.0-only
"""Applies a series to a source in the rig's repository: all of it or nothing, and without fuzz."""

from __future__ import annotations

import posixpath
import re
import tempfile
from pathlib import Path

import msgspec

from harness.build import git
from harness.build.source import Tree
from harness.errors import UsageError
from harness.model.matrix import Variant
from harness.text import plain

_DIFF = re.compile(r"^diff --git a/(\S+) b/(\S+)$")
_NULL = "0" * 40
_INDEX = re.compile(r"^index ([0-9a-f]+)\.\.([0-9a-f]+)")
_HUNK = re.compile(r"^@@ -(\d+)")
_LINK = "120000"
"""git's mode of a symbolic link"""
_GONE = "D"
"""git's status of a file that was removed"""
_LARGEST = 64 << 20
_ENOUGH = 12
"""digits of a blob's name that identify it for certain"""


class Patch(msgspec.Struct, frozen=True):
    """One patch of a series."""

    name: str
    data: bytes
    strip: int = 1
    """path components to strip, as in ``patch -p1``"""


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


class _Change(msgspec.Struct, frozen=True):
    old: str
    path: str
    before: str
    after: str


def read(variant: Variant) -> tuple[Patch, ...]:
    """Return the patches of `variant` in order; none for stock.

    A series is a folder with a quilt ``series`` file, a folder of ``.patch`` files,
    an mbox or a single patch. A ``series`` file may name patches of a series in the same
    parent folder, as ``../fixes/a.patch``. Raises UsageError if it is none of these.
    """
    if variant.series is None:
        return ()
    path = variant.series
    if path.is_file():
        series = _mbox(path)
    elif (path / "series").is_file():
        series = _quilt(path)
    else:
        series = [_patch(file) for file in sorted((*path.glob("*.patch"), *path.glob("*.diff")))]
        # A folder that git format-patch made may hold a cover letter.
        series = [patch for patch in series if len(series) == 1 or not patch.name.startswith("0000-") or _has_diff(patch)]
    if not series:
        raise UsageError(f"{path} holds no patches; a series is a folder with a 'series' file or .patch files, or an mbox.")
    if variant.count is not None and variant.count > len(series):
        raise UsageError(f"'{variant.name}' asks for {variant.count} patches; {path} has {len(series)}.")
    return tuple(series[: variant.count])


def apply(source: Tree, variant: Variant) -> Patched:
    """Return the commit of `source` with the patches of `variant` on top.

    Raises UsageError naming the patch, the file and the hunk that does not apply, or the path that leads out of the
    tree. A failure changes nothing.
    """
    series = read(variant)
    commit, notes, files = source.commit, [], []
    with git.scratch_index(commit) as env:
        for patch in series:
            changes = _changes(patch)
            notes += _differing(patch, "starts from", {c.old: c.before for c in reversed(changes)}, env)
            strip = f"-p{patch.strip}"
            try:
                git.run("apply", "--cached", strip, "--whitespace=nowarn", "-", env=env, stdin=patch.data, error=_Refused)
            except _Refused as refused:
                raise UsageError(_explain(patch, refused)) from refused
            notes += _differing(patch, "makes", {c.path: c.after for c in changes}, env)
            before, commit = commit, git.commit(git.run("write-tree", env=env), patch.name, commit)
            files.append(_files(patch, before, commit))
    return Patched(commit, git.tree_of(commit), tuple(p.name for p in series), tuple(notes), tuple(files))


class _Refused(UsageError):
    """git apply did not take a patch."""


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


def _patch(file: Path, strip: int = 1, name: str = "") -> Patch:
    if file.exists() and not file.is_file():
        raise UsageError(f"The patch {file} is not a file.")
    if file.exists() and file.stat().st_size > _LARGEST:
        raise UsageError(f"The patch {file} has {file.stat().st_size >> 20} MiB; more than {_LARGEST >> 20} MiB are no series.")
    try:
        return Patch(name or file.name, file.read_bytes(), strip)
    except OSError as error:
        raise UsageError(f"The patch {file} cannot be read: {error.strerror}.") from error


def _quilt(folder: Path) -> list[Patch]:
    series = []
    for line in (folder / "series").read_text(errors="replace").splitlines():
        words = line.split("#", 1)[0].split()
        if not words:
            continue
        if "\0" in words[0]:
            raise UsageError(f"{folder / 'series'} names '{plain(words[0])}', with a NUL in it, which no file's name can have.")
        file = (folder / words[0]).resolve()
        if not _may_name(folder.resolve(), file):
            where = "which lies outside of the folder; patches have to lie in it, or in a series beside it"
            raise UsageError(f"{folder / 'series'} names '{words[0]}', {where}.")
        strips = [word[2:] for word in words[1:] if word.startswith("-p")]
        if strips and not strips[-1].isdigit():
            raise UsageError(f"{folder / 'series'}: '-p{strips[-1]}' of '{words[0]}' is not a number.")
        series.append(_patch(file, int(strips[-1]) if strips else 1, words[0]))
    return series


def _may_name(folder: Path, file: Path) -> bool:
    """Return True if a series may name `file`: it lies in its own folder, or in that of a series beside it."""
    if file.is_relative_to(folder):
        return True
    beside = file.relative_to(folder.parent).parts if file.is_relative_to(folder.parent) else ()
    return len(beside) > 1 and (folder.parent / beside[0] / "series").is_file()


def _mbox(file: Path) -> list[Patch]:
    """Split an mbox into patches; a file that is not an mbox is one patch."""
    whole = _patch(file)
    if not whole.data.startswith(b"From "):
        return [whole]
    with tempfile.TemporaryDirectory() as folder:
        git.plain("mailsplit", "--keep-cr", f"-o{folder}", file.resolve(), cwd=Path(folder), error=UsageError)
        mails = sorted(Path(folder).iterdir())
        return [patch for number, mail in enumerate(mails, 1) if _has_diff(patch := _mail(mail, f"{file.name}:{number}"))]


def _mail(file: Path, name: str) -> Patch:
    """Return the patch in a mail, decoded from its transfer encoding."""
    message, diff = file.with_suffix(".message"), file.with_suffix(".diff")
    headers = git.plain("mailinfo", message, diff, cwd=file.parent, stdin=file.read_bytes(), error=UsageError)
    subject = re.search(r"^Subject: (.*)$", headers, re.M)
    return Patch(subject[1] if subject else name, diff.read_bytes())


def _has_diff(patch: Patch) -> bool:
    return re.search(rb"^(?:--- |diff --git )", patch.data, re.M) is not None


def _changes(patch: Patch) -> list[_Change]:
    changes: list[_Change] = []
    old = path = ""
    for line in patch.data.decode(errors="replace").splitlines():
        if start := _DIFF.match(line):
            old, path = start[1], start[2]
        elif (index := _INDEX.match(line)) and path:
            changes.append(_Change(old, path, index[1], index[2]))
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


def _explain(patch: Patch, refused: _Refused) -> str:
    output = str(refused)
    failed = re.search(r"patch failed: (\S+):(\d+)", output)
    if failed:
        hunk = _hunk_number(patch, failed[1], failed[2])
        return f"{patch.name} does not apply: hunk {hunk} of {failed[1]} (line {failed[2]}) does not match; nothing was changed."
    outside = re.search(r"invalid path '(.*?)'|affected file '(.*?)' is beyond a symbolic link", output)
    if outside:
        return f"{patch.name} is refused: it reaches outside of the source tree ({outside[1] or outside[2]}); nothing was changed."
    reason = output.split("error: ")[-1].strip()
    return f"{patch.name} does not apply: {reason}; nothing was changed."


def _hunk_number(patch: Patch, path: str, line: str) -> int:
    number, inside = 0, False
    for text in patch.data.decode(errors="replace").splitlines():
        if start := _DIFF.match(text):
            inside, number = start[2] == path, 0
        elif text.startswith("+++ ") and not inside:
            inside, number = "/".join(text[4:].split("\t")[0].split("/")[patch.strip :]) == path, 0
        elif inside and (hunk := _HUNK.match(text)):
            number += 1
            if hunk[1] == line:
                return number
    return number
