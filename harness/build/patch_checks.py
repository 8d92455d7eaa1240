# SPDX-License-Identifier: GPL-2.0-only
"""Checks patches as their receivers do: by the checkpatch of their kernel, and by git am."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from pathlib import Path

from harness.build import git
from harness.errors import RigError
from harness.host import shell
from harness.model.series_check import Check, State
from harness.text import counted

_SCRIPT = "scripts/checkpatch.pl"
_LISTS = ("scripts/spelling.txt", "scripts/const_structs.checkpatch")
"""files that the script reads, which are not in every release"""
_LINE = re.compile(r"(?P<file>[^:]+):(?P<line>\d+): (?P<kind>ERROR|WARNING|CHECK):(?P<rest>.*)")


def checkpatch(commit: str, patches: Sequence[Path], folder: Path) -> Check:
    """Return what the script of the kernel in `commit` says of patches in its strict mode; `folder` is for it to write in."""
    script = git.blob(commit, _SCRIPT)
    if script is None:
        return Check("checkpatch --strict", State.NOT_CHECKED, f"this kernel has no {_SCRIPT}")
    for name, text in ((_SCRIPT, script), *((name, git.blob(commit, name)) for name in _LISTS)):
        if text is not None:
            (folder / name).parent.mkdir(exist_ok=True)
            (folder / name).write_bytes(text + b"\n")
    options = ("--strict", "--no-tree", "--terse", "--no-summary", "--show-types")
    said: list[str] = []
    # It leaves a file where it is called.
    code = shell.follow(
        ("env", "-C", folder, "perl", folder / _SCRIPT, *options, *patches),
        log=folder / "checkpatch.log",
        env={**os.environ, "LC_ALL": "C"},
        line=said.append,
    )
    found = [f"{Path(at['file']).name}:{at['line']}: {at['kind']}:{at['rest']}" for line in said if (at := _LINE.match(line))]
    if code and not found:
        return Check("checkpatch --strict", State.NOT_CHECKED, f"it failed: {said[-1] if said else 'without a word'}")
    counts = ", ".join(f"{sum(f': {kind}:' in line for line in found)} {kind}" for kind in ("ERROR", "WARNING", "CHECK"))
    return Check("checkpatch --strict", State.FOUND if found else State.GOOD, counts, tuple(found))


def am(commit: str, touched: Sequence[str], patches: Sequence[Path], folder: Path) -> Check:
    """Tell whether git am takes the patches on top of `commit`; it writes only the `touched` files, into `folder`."""
    git.plain("init", "--quiet", "--template=", folder, cwd=folder)
    own = folder / ".git"
    for name, text in (
        ("objects/info/alternates", f"{git.repository()}/objects\n"),
        ("info/sparse-checkout", "".join(f"/{path}\n" for path in touched)),
        ("HEAD", f"{commit}\n"),
    ):
        (own / name).parent.mkdir(exist_ok=True)
        (own / name).write_text(text)
    git.plain("config", "core.sparseCheckout", "true", cwd=folder)
    git.plain("read-tree", "-m", "-u", "HEAD", cwd=folder)
    for number, patch in enumerate(patches, 1):
        try:
            git.plain("am", "--quiet", "--no-3way", patch, cwd=folder)
        except RigError as error:
            reason = str(error).partition(": ")[2].rstrip(".")
            return Check("git am", State.FOUND, f"it takes {number - 1} of {len(patches)} patches", (f"{patch.name}: {reason}",))
    return Check("git am", State.GOOD, f"it takes {counted(len(patches), 'patch', 'patches')}, without fuzz")
