# SPDX-License-Identifier: GPL-2.0-only
"""Reads a file of patches or mails as the text that git understands; says of any other file what it is and what to do."""

from __future__ import annotations

import io
import re
from pathlib import Path

from harness.errors import UsageError
from harness.host import packed

PACKED = (".gz", ".xz", ".bz2", ".zst")
"""suffixes of compressed files"""
_LARGEST = 64 << 20
_UTF16 = "is UTF-16, as PowerShell writes it; have git write it with --output, or convert it with `iconv -f UTF-16 -t UTF-8`"
_OTHERS = (
    packed.ZSTD,
    (b"PK\x03\x04", "is a zip archive; unpack it, and name the folder of its patches"),
    (b"7z\xbc\xaf\x27\x1c", "is a 7z archive; unpack it, and name the folder of its patches"),
    (
        b"\xd0\xcf\x11\xe0",
        "is a mail as Outlook keeps it; save the mail as text (.eml), or export the patches with git format-patch",
    ),
    (b"%PDF", "is a PDF; export the patches with git format-patch"),
    (b"# v2 git bundle", "is a git bundle; clone it, and take the patches with git format-patch"),
    (b"# v3 git bundle", "is a git bundle; clone it, and take the patches with git format-patch"),
    (b"\xff\xfe", _UTF16),
    (b"\xfe\xff", _UTF16),
    (b"F\0r\0o\0m\0", _UTF16),
    (b"d\0i\0f\0f\0", _UTF16),
)
"""beginnings of files that hold no text of patches, with what to say of them"""
_TAR = slice(257, 262)
_PAGE = re.compile(rb"\s*<(?:!doctype html|html)\b", re.IGNORECASE)
_MARK = b"\xef\xbb\xbf"
"""UTF-8's byte order mark, which some editors write"""


def content(file: Path) -> bytes:
    """Return the text of `file`: unpacked, without a byte order mark, without blank lines before it, with LF alone at line ends.

    Raises UsageError for a file that cannot be read, is too large or empty, or holds something else than text.
    """
    data = _unpacked(file, _bytes(file))
    for beginning, what in _OTHERS:
        if data.startswith(beginning):
            raise UsageError(f"{file} {what}.")
    if data[_TAR] == b"ustar":
        raise UsageError(f"{file} is a tar archive; unpack it, and name the folder of its patches.")
    if _PAGE.match(data):
        raise UsageError(f"{file} is a web page; save the mails themselves, such as lore's t.mbox.gz.")
    text = data.removeprefix(_MARK).lstrip(b"\r\n")
    if not text.strip():
        raise UsageError(f"{file} is empty; save it anew, or take it out of the series.")
    # If the first line has none, a CR further below belongs to the lines that a patch changes.
    return text.replace(b"\r\n", b"\n") if text.partition(b"\n")[0].endswith(b"\r") else text


def _bytes(file: Path) -> bytes:
    if file.exists() and not file.is_file():
        raise UsageError(f"The patch {file} is not a file.")
    if file.exists() and file.stat().st_size > _LARGEST:
        raise UsageError(f"The patch {file} has {file.stat().st_size >> 20} MiB; more than {_LARGEST >> 20} MiB are no series.")
    try:
        return file.read_bytes()
    except OSError as error:
        raise UsageError(f"The patch {file} cannot be read: {error.strerror}.") from error


def _unpacked(file: Path, data: bytes) -> bytes:
    unpacking = packed.opened(io.BytesIO(data), data[: packed.BEGINNING])
    if not unpacking:
        return data
    try:
        with unpacking:
            text = unpacking.read(_LARGEST + 1)
    except packed.DAMAGED as error:
        raise UsageError(f"{file} is compressed, but damaged ({error}); get it anew.") from error
    if len(text) > _LARGEST:
        raise UsageError(f"{file} has more than {_LARGEST >> 20} MiB when it is unpacked, which are no series.")
    return text
