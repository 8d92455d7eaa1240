# SPDX-License-Identifier: GPL-2.0-only
"""Takes mails apart by git's own tools, as git am does: what each says, and the diff that it holds."""

from __future__ import annotations

import email
import email.header
import email.message
import re
import tempfile
from collections.abc import Iterator
from pathlib import Path

import msgspec

from harness.build import git
from harness.errors import UsageError
from harness.text import counted, plain

_SEPARATOR = re.compile(rb"From \S.*\d:\d\d(?::\d\d)? .*\d{2}\s*$")
"""line between the mails of an mbox; a sentence that begins with From has no time of day"""
_QUOTED = b"From mboxrd@"
"""beginning of an mbox in which lines of mails that begin like a separator have one more >"""
_HEADERS = re.compile(rb"(?:[A-Za-z][\w-]*:[^\n]*\n(?:[ \t][^\n]*\n)*)+(?:\n|\Z)")
_OF_MAIL = re.compile(rb"^(?:From|Subject):", re.M | re.IGNORECASE)
_DIFF = re.compile(rb"^(?:diff --git |--- (?!\n))", re.M)
_SHOWN = re.compile(rb"^(?:diff --git |\+\+\+ )", re.M)
_START = re.compile(rb"^(?:diff --git |--- \S)", re.M)
_SUMMARY = re.compile(rb"^ (\d+) files? changed", re.M)
_WITH_CR = re.compile(rb"^(?:diff --git |--- |\+\+\+ |@@ ).*\r$", re.M)
_REPLY = re.compile(r"^(?:re|aw|sv|vs|antw|ynt|odp)\s*(?:\[\d+\])?\s*:", re.IGNORECASE)
_TAGS = re.compile(r"(?:\s*\[[^\]]*\])+")
_NUMBERS = re.compile(r"(?<![\w./])(\d{1,4})/(\d{1,4})(?![\w./])")
_VERSION = re.compile(r"(?:\b|(?<=PATCH))v(\d{1,3})(?![\w.])", re.IGNORECASE)
_ID = re.compile(r"<([^<>\s]+)>")


class Mail(msgspec.Struct, frozen=True):
    """One mail, or a patch without the headers of one."""

    place: str
    """its name for messages, such as ``mail 2 of t.mbox``"""
    subject: str = ""
    """as it was sent, with its tags"""
    title: str = ""
    """the subject without tags"""
    author: str = ""
    date: str = ""
    identity: str = ""
    """Message-ID, without its brackets"""
    parents: tuple[str, ...] = ()
    """Message-IDs of what it answers, the first mail of the thread first"""
    text: str = ""
    """its text before the diff"""
    diff: bytes = b""
    trouble: str = ""
    """reason for which its diff cannot be all that was sent"""
    flowed: bool = False
    """True if mail programs may break its lines anew"""

    @property
    def bare(self) -> bool:
        """True for a patch that is no mail."""
        return not self.author

    @property
    def tags(self) -> str:
        """The brackets before its title."""
        found = _TAGS.match(_REPLY.sub("", self.subject, count=1))
        return found[0] if found else ""

    @property
    def tagged(self) -> bool:
        """True if its subject says that it is a patch."""
        return "PATCH" in self.tags.upper() or self.number is not None

    @property
    def number(self) -> int | None:
        """Its number in the series; 0 for a cover letter, None if it has none."""
        return int(self._numbers[0]) if self._numbers else None

    @property
    def total(self) -> int:
        """The number of patches in its series, as its subject has it; 0 if it has none."""
        return int(self._numbers[1]) if self._numbers else 0

    @property
    def _numbers(self) -> tuple[str, str] | None:
        """The numbers in its tags; what is like ``2018/12`` comes from something else."""
        found = _NUMBERS.search(self.tags)
        return (found[1], found[2]) if found and int(found[1]) <= int(found[2]) else None

    @property
    def version(self) -> int:
        """The version of its series, 1 unless the subject has another."""
        found = _VERSION.search(self.tags)
        return int(found[1]) if found else 1

    @property
    def reply(self) -> bool:
        """True if it answers another mail."""
        return _REPLY.match(self.subject) is not None

    @property
    def called(self) -> str:
        """Its place and subject, for messages."""
        return f"{self.place} ('{self.subject}')" if self.subject else self.place


def read(data: bytes, name: str) -> list[Mail]:
    """Return the mails in a text called `name`: those of an mbox, one mail, or one patch that is none."""
    if _SEPARATOR.match(data.partition(b"\n")[0]):
        return _mbox(data, name)
    if is_mail(data):
        with tempfile.TemporaryDirectory() as folder:
            return [_mail(data, name, Path(folder))]
    return [Mail(name, diff=_clean(data) if _DIFF.search(data) else b"")]


def is_mail(data: bytes) -> bool:
    """Return True if a text begins with the headers of a mail."""
    head = _HEADERS.match(data)
    return head is not None and _OF_MAIL.search(head[0]) is not None


def _mbox(data: bytes, name: str) -> list[Mail]:
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        (folder / "mbox").write_bytes(data)
        (folder / "mails").mkdir()
        quoted = ["--mboxrd"] if data.startswith(_QUOTED) else []
        git.plain("mailsplit", "--keep-cr", *quoted, f"-o{folder / 'mails'}", folder / "mbox", cwd=folder, error=UsageError)
        files = sorted((folder / "mails").iterdir())
        places = [f"mail {number} of {name}" if len(files) > 1 else name for number in range(1, len(files) + 1)]
        return [_mail(file.read_bytes(), place, folder) for file, place in zip(files, places, strict=True)]


def _mail(data: bytes, place: str, folder: Path) -> Mail:
    """Take one mail apart, decoded from its transfer encoding; `folder` is for git to write in."""
    told = plain(git.plain("mailinfo", folder / "text", folder / "diff", cwd=folder, stdin=data, error=UsageError))
    info = dict(line.partition(": ")[::2] for line in told.splitlines())
    head = email.message_from_bytes(data)
    diff = _clean((folder / "diff").read_bytes())
    found = _DIFF.search(diff) is not None
    return Mail(
        place,
        _decoded(head, "Subject"),
        info.get("Subject", ""),
        f"{info.get('Author', '')} <{info.get('Email', '')}>".strip(),
        info.get("Date", ""),
        next(iter(_ID.findall(_decoded(head, "Message-ID"))), ""),
        tuple(dict.fromkeys(_ID.findall(f"{_decoded(head, 'References')} {_decoded(head, 'In-Reply-To')}"))),
        (folder / "text").read_text(errors="replace") + ("" if found else diff.decode(errors="replace")),
        diff if found else b"",
        _cut(diff) if found else _trouble(head, data),
        "flowed" in str(head.get("Content-Type", "")).lower(),
    )


def _cut(diff: bytes) -> str:
    """Return the sentence for a diff of fewer files than the summary above it tells; empty if none is missing."""
    told = _SUMMARY.search(_START.split(diff, maxsplit=1)[0])
    files = len(re.findall(rb"^diff --git ", diff, re.M)) or len(re.findall(rb"^\+\+\+ ", diff, re.M))
    if told and int(told[1]) > files:
        return f"its diff changes {counted(files, 'file')}, but its summary tells of {int(told[1])}"
    return ""


def _trouble(head: email.message.Message, data: bytes) -> str:
    """Return the reason for which git finds no diff in a mail that seems to hold one; empty if it seems to hold none."""
    kind = head.get_content_type()
    if kind.startswith("multipart/") and not head.is_multipart():
        return f"its header says {kind}, but its body has no such parts"
    if kind.startswith("multipart/") and not _SHOWN.search(data):
        return ", ".join(f"git knows no diff in its attachment of the type {part}" for part in _attached(head))
    return "git knows no diff in it" if _SHOWN.search(data) else ""


def _attached(head: email.message.Message) -> Iterator[str]:
    for part in head.walk():
        if part.get_content_disposition() == "attachment" and not part.get_content_type().startswith("application/pgp-"):
            yield part.get_content_type()


def _decoded(head: email.message.Message, name: str) -> str:
    """Return a header in one line, with its encoded words decoded as far as they can be, and without control characters."""
    value = re.sub(r"\s*\n\s*", " ", str(head.get(name, "")))
    try:
        return plain(str(email.header.make_header(email.header.decode_header(value))))
    except (LookupError, ValueError, email.errors.HeaderParseError):
        return plain(value)


def _clean(diff: bytes) -> bytes:
    """Return a diff without the CRs that a mail program put at the end of all lines, those of its headers included."""
    heads = re.findall(rb"^(?:diff --git |--- |\+\+\+ |@@ ).*$", diff, re.M)
    if heads and len(_WITH_CR.findall(diff)) == len(heads):
        return diff.replace(b"\r\n", b"\n")
    return diff
