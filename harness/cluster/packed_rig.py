# SPDX-License-Identifier: GPL-2.0-only
"""The rig of this host as an archive: the same for the same files, so that its digest names it on other hosts."""

from __future__ import annotations

import gzip
import io
import tarfile
from pathlib import Path

from harness import paths
from harness.build import git
from harness.errors import RigError, UsageError

_LISTED = ("ls-files", "-z", "--cached", "--others", "--exclude-standard")
"""words for git: the files that it has, and those that it would take"""


def archive(project: Path = paths.PROJECT) -> bytes:
    """Return the files of the checkout `project`, also new and changed ones, as a compressed archive.

    Raises UsageError if it is no checkout.
    """
    try:
        listed = git.plain("-c", f"safe.directory={project}", *_LISTED, cwd=project)
    except RigError as error:
        raise UsageError(f"The rig is installed on other hosts from a git checkout, but {project} is none; clone it.") from error
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as whole:
        for name in sorted(filter(None, listed.split("\0"))):
            if (project / name).is_file():  # git knows a file that was removed, until that is committed
                whole.add(project / name, name, recursive=False, filter=_plain)
    return gzip.compress(packed.getvalue(), mtime=0)


def _plain(member: tarfile.TarInfo) -> tarfile.TarInfo:
    """Return an entry without what differs between two checkouts of the same files."""
    member.mtime, member.uid, member.gid, member.uname, member.gname = 0, 0, 0, "", ""
    member.mode = 0o755 if member.mode & 0o100 else 0o644
    return member
