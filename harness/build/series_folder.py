# SPDX-License-Identifier: GPL-2.0-only
"""Writes a series as a folder with a quilt ``series`` file, its cover letter beside it, and each patch as a mail."""

from __future__ import annotations

import os
import re
from pathlib import Path

from harness.build.mails import Mail
from harness.build.series import COVER, FILE, Patch, Series
from harness.errors import RigError, UsageError
from harness.host import files, shortage
from harness.model.matrix import STOCK

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]*")
_LONGEST = 52
"""characters of a name that is made of a subject, as git format-patch has them"""
_NUMBERS = re.compile(r"^(?:v\d+-)?\d+-")


def name(wanted: Series, asked: str) -> str:
    """Return the name that was `asked` for, else one made of the title of the cover letter or of the only patch.

    Raises UsageError for one that cannot be that of a series.
    """
    first = wanted.cover.title if wanted.cover else wanted.patches[0].mail.title
    found = asked or _slug(first).lower()
    if not _NAME.fullmatch(found) or found == STOCK:
        raise UsageError(f"A series cannot be called '{found}'; say --name with letters, digits and hyphens.")
    return found


def write(folder: Path, wanted: Series) -> None:
    """Write a series to `folder`, all of it or nothing; UsageError if there is such a folder already."""
    taken = f"There is a series {folder} already; remove it, or say another --name."
    if folder.exists():
        raise UsageError(taken)
    try:
        with files.scratch(folder.parent, folder.name) as made:
            lines = []
            for number, patch in enumerate(wanted.patches, 1):
                file = f"{number:04}-{_title(patch)}.patch"
                (made / file).write_bytes(patch.data if patch.mail.bare else _letter(patch.mail, patch.data))
                lines.append(file + ("" if patch.strip == 1 else f" -p{patch.strip}") + (" -R" if patch.reverse else ""))
            if wanted.cover:
                (made / COVER).write_bytes(_letter(wanted.cover, b""))
            (made / FILE).write_text("".join(f"{line}\n" for line in lines))
            made.chmod(0o755)
            os.sync()  # after a power loss files would be empty
            made.rename(folder)
    except OSError as error:
        if folder.exists():
            raise UsageError(taken) from error
        raise RigError(f"{shortage.advised(f'{folder} cannot be made: {error.strerror or error}')}.") from error


def _title(patch: Patch) -> str:
    stem = _NUMBERS.sub("", Path(patch.name).name.partition(".")[0])
    return _slug(patch.mail.title or stem) or "patch"


def _slug(title: str) -> str:
    return re.sub(r"[^A-Za-z0-9_.]+", "-", title)[:_LONGEST].strip("-.")


def _letter(mail: Mail, diff: bytes) -> bytes:
    """Return a mail as git am reads it; a line of it that begins with From ends nothing, because no such line stands first."""
    head = {"From": mail.author, "Date": mail.date, "Subject": mail.subject}
    head |= {"Message-ID": f"<{mail.identity}>"} if mail.identity else {}
    head |= {"In-Reply-To": f"<{mail.parents[-1]}>"} if mail.parents else {}
    coding = {"MIME-Version": "1.0", "Content-Type": "text/plain; charset=UTF-8", "Content-Transfer-Encoding": "8bit"}
    lines = "".join(f"{key}: {value}\n" for key, value in {**head, **coding}.items() if value)
    end = b"" if not diff or diff.startswith(b"---\n") else b"---\n"
    return f"{lines}\n{mail.text.rstrip()}\n".encode() + end + diff
