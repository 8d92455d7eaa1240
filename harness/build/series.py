# SPDX-License-Identifier: GPL-2.0-only
"""Reads a series in every shape that people send and save: all of its patches in their order, or a refusal that says why."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec

from harness.build import mails, patch_file, thread
from harness.build.mails import Mail
from harness.build.patch_file import PACKED
from harness.errors import UsageError
from harness.text import plain

FILE = "series"
"""name of quilt's file with the names of the patches, in their order"""
COVER = "cover"
"""name of the file in which the rig keeps a cover letter"""
_PATCHES = (".patch", ".diff", ".eml", ".mbox", ".mbx")
_LEFT_BY_EDITORS = ("~", ".orig", ".rej", ".bak", ".swp")
_DOCS = re.compile(rf"readme.*|{COVER}|.*\.(?:md|rst|html|toml)", re.IGNORECASE)
_SHOWN = re.compile(rb"^(?:diff --git |--- \S+.*\n\+\+\+ )", re.M)
_MAILDIR = ("cur", "new")
_SHAPES = "a series is a folder with a 'series' file or .patch files, an mbox, a maildir, or a patch"


class Patch(msgspec.Struct, frozen=True):
    """One patch of a series."""

    name: str
    data: bytes
    strip: int = 1
    """path components to strip, as in ``patch -p1``"""
    reverse: bool = False
    """True if it is to be taken back, as by ``patch -R``"""
    mail: Mail = Mail("")

    @property
    def title(self) -> str:
        """Its subject without tags; its name if it has none."""
        return self.mail.title or self.name


class Series(msgspec.Struct, frozen=True):
    """A series as it was read."""

    patches: tuple[Patch, ...]
    cover: Mail | None = None
    notes: tuple[str, ...] = ()
    """sentences for the user: what was left out or taken in another order"""
    missing: str = ""
    """sentence that tells of patches that are missing at the end"""


def read(path: Path, identity: str = "") -> Series:
    """Return the series at `path`, of several that of the mail with the Message-ID `identity`.

    `path` is a folder with a quilt ``series`` file, a folder of patches or mails, a maildir, an mbox or a patch. A ``series``
    file may name patches of a series in the same parent folder, as ``../fixes/a.patch``. Raises UsageError
    if it is none of these, or if a part of it would not be applied.
    """
    if path.is_file():
        found = _of_file(path, identity)
    elif (path / FILE).is_file():
        found = Series(tuple(_quilt(path)), _kept_cover(path))
    elif all((path / name).is_dir() for name in _MAILDIR):
        found = _of_maildir(path, identity)
    else:
        found = _of_folder(path, identity)
    if not found.patches:
        left = f" to apply ({found.notes[0].rstrip('.')}); name it in a '{FILE}' file" if found.notes else f"; {_SHAPES}"
        raise UsageError(f"{path} holds no patches{left}.")
    return found


def _of_file(file: Path, identity: str) -> Series:
    return _series(_mails(file), identity, file.name)


def _of_maildir(folder: Path, identity: str) -> Series:
    files = [file for name in _MAILDIR for file in (folder / name).iterdir() if _visible(file)]
    return _series([mail for file in sorted(files, key=_by_number) for mail in _mails(file)], identity, folder.name)


def _of_folder(folder: Path, identity: str) -> Series:
    visible = [file for file in folder.iterdir() if _visible(file)]
    files = sorted((file for file in visible if _is_named_so(file)), key=_by_number)
    if other := next((file for file in visible if file not in files and _seems_one(file)), None):
        raise UsageError(
            f"{other} holds a patch, but its name does not end in {', '.join(_PATCHES[:-1])} or {_PATCHES[-1]}; rename it,"
            f" or write a '{FILE}' file that names the patches."
        )
    found = [mail for file in files for mail in _mails(file)]
    names = [file.name for file in files]
    made = _series(found, identity, folder.name, names)
    if names != sorted(names):
        order = f"the patches of {folder.name} are taken in the order {', '.join(patch.name for patch in made.patches)}."
        made = msgspec.structs.replace(made, notes=(*made.notes, order))
    return made


def _series(found: Sequence[Mail], identity: str, place: str, files: Sequence[str] = ()) -> Series:
    """Return the series in mails of `place`; a patch is called like its file if that is one of `files`, else by its subject."""
    told = thread.series(thread.around(found, identity, place) if identity else found, place)
    patches = [
        Patch(mail.place if mail.place in files or not mail.title else mail.title, mail.diff, mail=mail) for mail in told.patches
    ]
    return Series(tuple(patches), told.cover, told.notes, told.missing)


def _mails(file: Path) -> list[Mail]:
    return mails.read(patch_file.content(file), file.name)


def _quilt(folder: Path) -> Iterator[Patch]:
    for line in (folder / FILE).read_text(encoding="utf-8-sig", errors="replace").splitlines():
        words = line.split("#", 1)[0].split()
        if not words:
            continue
        file = _named(folder, words[0])
        strip, reverse = _options(folder, words)
        # One that is named is applied even if it is a reply.
        found = [mail for mail in _mails(file) if thread.is_patch(mail, []) or mail.diff]
        if not found:
            raise UsageError(f"{file} holds no diff; take it out of {folder / FILE}, or save it anew.")
        for mail in found:
            name = words[0] if len(found) == 1 else mail.title or mail.place
            yield Patch(name, mail.diff, strip, reverse, mail)


def _named(folder: Path, name: str) -> Path:
    """Return the file that a ``series`` file names: it lies in its own folder, or in that of a series beside it."""
    if "\0" in name:
        raise UsageError(f"{folder / FILE} names '{plain(name)}', with a NUL in it, which no file's name can have.")
    file = (folder / name).resolve()
    if not _may_name(folder.resolve(), file):
        where = "which lies outside of the folder; patches have to lie in it, or in a series beside it"
        raise UsageError(f"{folder / FILE} names '{name}', {where}.")
    return file


def _options(folder: Path, words: Sequence[str]) -> tuple[int, bool]:
    """Return how many path components a line of a ``series`` file has stripped, and whether it takes its patch back."""
    strip, reverse = 1, False
    for word in words[1:]:
        if word.startswith("-p") and not word[2:].isdigit():
            raise UsageError(f"{folder / FILE}: '{word}' of '{words[0]}' is not a number.")
        if word != "-R" and not word.startswith("-p"):
            raise UsageError(f"{folder / FILE}: '{word}' behind '{words[0]}' is not known; -pN and -R are.")
        strip, reverse = int(word[2:]) if word.startswith("-p") else strip, reverse or word == "-R"
    return strip, reverse


def _may_name(folder: Path, file: Path) -> bool:
    if file.is_relative_to(folder):
        return True
    beside = file.relative_to(folder.parent).parts if file.is_relative_to(folder.parent) else ()
    return len(beside) > 1 and (folder.parent / beside[0] / FILE).is_file()


def _kept_cover(folder: Path) -> Mail | None:
    """Return the cover letter that `invoke series.add` put into a folder."""
    file = folder / COVER
    return next(iter(_mails(file)), None) if file.is_file() else None


def _visible(file: Path) -> bool:
    return not file.name.startswith(".")


def _is_named_so(file: Path) -> bool:
    """Return True for a file that is called like a patch or a mail."""
    return Path(file.name.removesuffix(file.suffix) if file.suffix in PACKED else file.name).suffix in _PATCHES


def _seems_one(file: Path) -> bool:
    """Return True for a file that holds a patch, though it is not called so, and no tool left it there."""
    if not file.is_file() or _DOCS.fullmatch(file.name) or file.name.endswith(_LEFT_BY_EDITORS):
        return False
    try:
        text = patch_file.content(file)
        sent = [mail for mail in mails.read(text, file.name) if mail.tagged and not mail.reply and mail.number != 0]
        return bool(sent) or _SHOWN.search(text) is not None
    except UsageError:
        return False  # something else


def _by_number(file: Path) -> tuple[list[tuple[str, int]], str]:
    """Return the key of an order in which 10 comes after 2, and 01 and 1 are always in the same one."""
    return [(word, int(number or 0)) for word, number in re.findall(r"(\D*)(\d*)", file.name)], file.name
