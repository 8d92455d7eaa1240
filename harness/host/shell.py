# SPDX-License-Identifier: GPL-2.0-only
"""Runs commands and waits for them: argument lists only, with a log and a way to stop them."""

from __future__ import annotations

import contextlib
import os
import shlex
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO

from harness.errors import RigError
from harness.host import shortage
from harness.host.deadline import own_time

Line = Callable[[str], None]
"""takes lines of text one by one, such as progress messages or a command's output"""
_LAST_WORDS = 4
"""lines of a failed command's output that its error quotes; the last line alone often gives no reason"""
_GRACE = 10.0
"""seconds that a command has to end after SIGTERM, for example to remove its locks"""
_LOOK = 0.2
"""seconds between two questions whether a command is still wanted"""
_WITH_THE_RIG = ("setpriv", "--pdeathsig", "TERM")
"""makes a command end with the rig; the signal is tied to the thread that starts it, which waits for it here"""
_NOT_STARTED = "setpriv: failed to execute "
LOCALE = {"LC_ALL": "C"}
"""change to the environment of all commands whose output is returned"""
_running: set[subprocess.Popen[bytes]] = set()


def quote(command: Sequence[str | Path]) -> str:
    """Return `command` as a person would type it."""
    return shlex.join(str(word) for word in command)


def output(
    command: Sequence[str | Path],
    *,
    cwd: Path | None = None,
    env: Mapping[str, str | None] | None = None,
    stdin: bytes | None = None,
    silence: float | None = None,
    error: type[RigError] = RigError,
) -> str:
    """Run `command` and return what it printed, stripped.

    `env` is added to the environment; a name with None is removed from it. If the rig dies, the command gets SIGTERM.
    Raises `error` if the command cannot be started, fails, or prints nothing for `silence` seconds, with the command and
    the last lines that it printed.
    """
    asked = {**os.environ, **LOCALE, **(env or {})}
    whole = {name: value for name, value in asked.items() if value is not None}
    process = _start(command, whole, error, cwd=cwd, stdin=subprocess.DEVNULL if stdin is None else subprocess.PIPE)
    try:
        printed, complaint = _listen(process, stdin, silence)
    except subprocess.TimeoutExpired as mute:
        raise error(f"`{quote(command)}` was ended: it said nothing for {mute.timeout:.0f} seconds; try again later.") from mute
    finally:
        _stop(process)
    if process.returncode:
        text = (complaint or printed).decode(errors="replace").strip()
        if text.startswith(_NOT_STARTED):
            raise error(not_run(str(command[0]), text.rpartition(": ")[2]))
        raise error(f"`{quote(command)}` failed with exit code {process.returncode}: {_last_words(text.splitlines())}")
    return printed.decode(errors="replace").strip()


def not_run(program: str, reason: str) -> str:
    """Return the sentence for a program that cannot be run for a `reason` that the system gives."""
    return f"`{program}` cannot be run: {reason}; {shortage.advice(reason) or './bootstrap installs what the rig needs'}."


def _last_words(lines: Sequence[str]) -> str:
    """Return the end of what a failed command printed, behind the reason if the host was the reason."""
    last, reason = list(lines[-_LAST_WORDS:]), shortage.reason(lines)
    if reason and not shortage.reason(last):
        last = [reason, *last]
    return shortage.advised("; ".join(last)) or "it said nothing"


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
        process = _start(command, env, RigError, stderr=subprocess.STDOUT, pass_fds=pass_fds)
        assert process.stdout is not None
        try:
            for raw in process.stdout:
                sink.write(raw)
                if line:
                    line(raw.decode(errors="replace").rstrip("\n"))
            return process.wait()
        finally:
            _stop(process)


def attend(command: Sequence[str | Path], *, log: Path, env: Mapping[str, str], wanted: Callable[[], bool]) -> int:
    """Run `command` with its output appended to `log`, and return its exit code; end it as soon as `wanted` returns False.

    `env` is its whole environment. If the rig dies, the command gets SIGTERM.
    """
    with _appended(log) as sink:
        process = _start(command, env, RigError, stdout=sink, stderr=subprocess.STDOUT)
        try:
            while process.poll() is None and wanted():
                time.sleep(_LOOK)
        finally:
            _stop(process)
        return process.wait()


@contextlib.contextmanager
def _appended(log: Path) -> Iterator[BinaryIO]:
    """Open a log to append to it; RigError if it cannot be written, then or later."""
    try:
        with log.open("ab") as sink:
            yield sink
    except OSError as trouble:
        raise RigError(f"{shortage.advised(f'{log} cannot be written: {trouble.strerror}')}.") from trouble


def stop_all() -> None:
    """End every command that runs in other threads."""
    for process in list(_running):
        _end(process)


def _start(command: Sequence[str | Path], env: Mapping[str, str], error: type[RigError], **streams: Any) -> subprocess.Popen[bytes]:
    streams = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **streams}
    words = (*_WITH_THE_RIG, *(str(word) for word in command))
    try:
        # In a session of its own it cannot wait for somebody to type a password, and all that it starts is one group.
        process = subprocess.Popen(words, env=env, start_new_session=True, **streams)
    except OSError as trouble:
        raise error(not_run(str(trouble.filename or words[-len(command)]), str(trouble.strerror))) from trouble
    _running.add(process)
    return process


def _listen(process: subprocess.Popen[bytes], stdin: bytes | None, silence: float | None) -> tuple[bytes, bytes]:
    """Return what a command prints and complains of; TimeoutExpired if nothing comes for `silence` seconds."""
    heard, lost = 0, own_time().lost
    while True:
        try:
            return process.communicate(stdin, silence)
        except subprocess.TimeoutExpired as waited:
            total = len(waited.output or b"") + len(waited.stderr or b"")
            if total == heard and own_time().lost == lost:
                raise
            heard, stdin, lost = total, None, own_time().lost  # if the host stood still, it was mute for that time


def _stop(process: subprocess.Popen[bytes]) -> None:
    _end(process)
    _running.discard(process)
    for stream in (process.stdin, process.stdout, process.stderr):
        if stream:
            with contextlib.suppress(BrokenPipeError):
                stream.close()


def _end(process: subprocess.Popen[bytes]) -> None:
    """End a command and what it started; it has some time to put its things in order."""
    if process.poll() is not None:
        return
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGTERM)
        try:
            process.wait(_GRACE)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
