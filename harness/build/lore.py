# SPDX-License-Identifier: GPL-2.0-only
"""Fetches a series from lore.kernel.org by b4, which also adds the trailers that people gave in replies."""

from __future__ import annotations

import re
import shutil
import sys
from pathlib import Path

from harness.build import git_settings
from harness.errors import RigError, UsageError
from harness.host import shell

_OLDEST = (0, 16)
"""version of b4 that has --offline-mode and --no-stdin"""
_NAMED = re.compile(r"https?://\S+|<?[^\s/<>]+@[^\s/<>]+>?")
_GET_B4 = "`.venv/bin/python -m pip install 'b4>=0.16'` installs it; or save the thread's t.mbox.gz and name that file"


def names(source: str) -> bool:
    """Return True if `source` is a URL or a Message-ID."""
    return _NAMED.fullmatch(source) is not None


def fetch(source: str, into: Path) -> tuple[Path, Path | None]:
    """Have b4 write the newest version of the series that `source` names into `into`; return its mbox and its cover letter.

    Raises UsageError if there is no b4, or it finds no series. That its mbox holds all of the series b4 does not promise.
    """
    program = _program()
    # Homes of its own: neither the user's settings nor what b4 keeps of other threads has a say.
    homes = {name: str(into / "home") for name in ("XDG_CONFIG_HOME", "XDG_CACHE_HOME", "XDG_DATA_HOME")}
    (into / "home").mkdir()
    try:
        shell.output(
            (program, "-n", "--no-stdin", "am", "-o", into / "out", source),
            env={**git_settings.environment(), **homes},
            cwd=into,
            error=UsageError,
        )
    except UsageError as error:
        reason = str(error).rpartition("; ")[2].rstrip(".")
        raise UsageError(f"b4 does not get {source} ({reason}); look at it in a browser, or try later.") from error
    found = sorted((into / "out").glob("*.mbx"))
    if len(found) != 1:
        raise UsageError(f"b4 finds no series in {source}; name the Message-ID of one of its patches.")
    return found[0], next(iter((into / "out").glob("*.cover")), None)


def _program() -> str:
    program = shutil.which("b4") or shutil.which("b4", path=str(Path(sys.executable).parent))
    if not program:
        raise UsageError(f"A series from lore needs b4, which is not installed; {_GET_B4}.")
    try:
        told = shell.output((program, "--version"))
    except RigError as error:
        raise UsageError(f"b4 does not run ({error}); {_GET_B4}.") from error
    version = tuple(int(part) for part in re.findall(r"\d+", told)[:2])
    if version < _OLDEST:
        raise UsageError(f"{program} is b4 {told}, which is older than 0.16; {_GET_B4}.")
    return program
