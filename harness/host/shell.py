# SPDX-License-Identifier: GPL-2.0-only
"""Runs commands and waits for them: argument lists only, with a log and a way to stop them."""

from __future__ import annotations

import contextlib
import os
import re
import shlex
import signal
import subprocess
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import BinaryIO

from harness.errors import RigError

Line = Callable[[str], None]
"""takes lines of text one by one, such as progress messages or a command's output"""
_LAST_WORDS = 4
"""lines of a failed command's output that its error quotes; the last line alone often gives no reason"""
_OF_THE_HOST = re.compile(
    r"No space left on device|Disk quota exceeded|Read-only file system|Input/output error|Too many open files"
    r"|Cannot allocate memory|virtual memory exhausted|\bKilled\b"
)
"""words by which a program says that the host lacks something, and that it is not to blame itself"""
_running: set[subprocess.Popen[bytes]] = set()


def quote(command: Sequence[str | Path]) -> str:
    """Return `command` as a person would type it."""
    return shlex.join(str(word) for word in command)


def host_reason(lines: Iterable[str]) -> str:
    """Return the first line by which a program says that the host lacks something, such as space; empty if none does."""
    return next((line.strip() for line in lines if _OF_THE_HOST.search(line)), "")


def output(
    command: Sequence[str | Path],
    *,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    stdin: bytes | None = None,
    error: type[RigError] = RigError,
) -> str:
    """Run `command` and return what it printed, stripped.

    `env` is added to the environment. Raises `error` if the command cannot be started or fails, with the command and
    the last lines that it printed.
    """
    try:
        done = subprocess.run(
            [str(word) for word in command],
            cwd=cwd,
            env={**os.environ, "LC_ALL": "C", **(env or {})},
            input=stdin,
            stdin=subprocess.DEVNULL if stdin is None else None,
            capture_output=True,
            check=False,
        )
    except OSError as trouble:
        raise error(f"`{command[0]}` cannot be run: {trouble.strerror}; ./bootstrap installs what the rig needs.") from trouble
    if done.returncode:
        said = (done.stderr or done.stdout).decode(errors="replace").strip().splitlines()
        last, reason = said[-_LAST_WORDS:], host_reason(said)
        if reason and not host_reason(last):
            last = [reason, *last]
        raise error(f"`{quote(command)}` failed with exit code {done.returncode}: {'; '.join(last) or 'it said nothing'}")
    return done.stdout.decode(errors="replace").strip()


def follow(
    command: Sequence[str | Path],
    *,
    log: Path,
    env: Mapping[str, str],
    pass_fds: Sequence[int] = (),
    line: Line | None = None,
) -> int:
    """Run `command`, append its output to `log`, and return its exit code.

    `env` is its whole environment. `line` is called with each line of the output. If the rig dies, the command gets SIGTERM.
    """
    with _appended(log) as sink:
        sink.write(f"$ {quote(command)}\n".encode())
        try:
            process = subprocess.Popen(
                # PDEATHSIG is tied to the thread that starts the command; this thread waits for it, so it lives as long.
                ["setpriv", "--pdeathsig", "TERM", *(str(word) for word in command)],
                env=env,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                pass_fds=pass_fds,
                start_new_session=True,
            )
        except OSError as trouble:
            raise RigError(f"`setpriv` cannot be run: {trouble.strerror}; ./bootstrap installs what the rig needs.") from trouble
        _running.add(process)
        assert process.stdout is not None
        try:
            for raw in process.stdout:
                sink.write(raw)
                if line:
                    line(raw.decode(errors="replace").rstrip("\n"))
            return process.wait()
        finally:
            _stop(process)
            _running.discard(process)


@contextlib.contextmanager
def _appended(log: Path) -> Iterator[BinaryIO]:
    """Open a log to append to it; RigError if it cannot be written, then or later."""
    try:
        with log.open("ab") as sink:
            yield sink
    except OSError as trouble:
        raise RigError(f"{log} cannot be written: {trouble.strerror}.") from trouble


def stop_all() -> None:
    """End every command that `follow` runs in other threads."""
    for process in list(_running):
        _stop(process)


def _stop(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait()
