# SPDX-License-Identifier: GPL-2.0-only
"""Downloads a file: resumes an interrupted download, checks the hash, and only then puts it in place."""

from __future__ import annotations

import http.client
import os
import urllib.error
import urllib.request
from pathlib import Path

from harness.errors import RigError
from harness.host import files
from harness.host.shell import Line

_CHUNK = 1 << 18
_WIDTH = 30
_SILENCE = 30
"""seconds without a byte after which a download is given up"""


def fetch(url: str, sha256: str, target: Path, say: Line = lambda text: None) -> None:
    """Download `url` to `target` and check its hash `sha256`.

    `say` is called with a progress bar. An incomplete download is kept beside the target, and the next call resumes it.
    A target or a beginning with another content, such as a power loss leaves, is downloaded again.
    Raises RigError if the download fails or the hash differs.
    """
    with files.locked(target):
        if target.exists():
            if files.file_sha256(target) == sha256:
                return
            say(f"{target} has another content than {url}; fetching it again")
            target.unlink()
        target.parent.mkdir(parents=True, exist_ok=True)
        partial = target.with_name(target.name + ".part")
        try:
            if partial.exists():
                _receive(url, partial, say)
                if files.file_sha256(partial) != sha256:
                    say(f"{partial} has a wrong beginning; fetching all of it again")
                    partial.unlink()
            if not partial.exists():
                _receive(url, partial, say)
        except (http.client.HTTPException, ValueError, OSError) as error:
            reason = getattr(error, "reason", None) or getattr(error, "strerror", None) or error
            raise RigError(f"{url}: {reason}.") from error
        _check(partial, sha256, url)
        partial.replace(target)


def _receive(url: str, partial: Path, say: Line) -> None:
    have = partial.stat().st_size if partial.exists() else 0
    request = urllib.request.Request(url, headers={"Range": f"bytes={have}-"} if have else {})
    try:
        answer = urllib.request.urlopen(request, timeout=_SILENCE)
    except urllib.error.HTTPError as error:
        if have and error.code == 416:  # the file is complete
            return
        raise
    with answer:
        resumed = have > 0 and answer.status == 206
        size = answer.headers.get("Content-Length")
        total = int(size) + (have if resumed else 0) if size else None
        with partial.open("ab" if resumed else "wb") as file:
            while chunk := answer.read(_CHUNK):
                file.write(chunk)
                say(f"fetching {partial.stem} {_bar(file.tell(), total)}")
            file.flush()
            os.fsync(file.fileno())
    if total is not None and partial.stat().st_size < total:
        raise OSError(f"broke off after {partial.stat().st_size} of {total} bytes; call again to go on from there")


def _bar(have: int, total: int | None) -> str:
    """Return the progress as text, with a bar if the total is known."""
    if not total:
        return f"{have / 2**20:.1f} MiB"
    done = _WIDTH * have // total
    return f"[{'=' * done}{' ' * (_WIDTH - done)}] {have / 2**20:.1f} of {total / 2**20:.1f} MiB"


def _check(file: Path, sha256: str, url: str) -> None:
    actual = files.file_sha256(file)
    if actual != sha256:
        file.unlink()
        raise RigError(f"{file.name} from {url} has the SHA-256 {actual}, not {sha256}; it was deleted.")
