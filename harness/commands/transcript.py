# SPDX-License-Identifier: GPL-2.0-only
"""Logs all output of a command on the terminal, each line with its time."""

from __future__ import annotations

import contextlib
import errno
import io
import re
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

from harness import text
from harness.errors import RigError
from harness.model.records import now

_ESCAPES = re.compile(r"\x1b(\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(\x07|\x1b\\)|.)")


class Transcript:
    """The log, on the disk line by line, so that the log of a killed command is there up to its end."""

    def __init__(self, file: Path) -> None:
        """Begin `file` anew; RigError if it cannot be written."""
        self.file = file
        self._lock = threading.Lock()
        self._started = ""
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            if file.exists() and not file.is_file():
                raise OSError(errno.EINVAL, "it is not a regular file")  # a pipe without a reader would be waited for
            self._log = file.open("w", buffering=1)
        except OSError as error:
            raise RigError(f"{file} cannot be written: {error.strerror}.") from error

    def __enter__(self) -> Transcript:
        return self

    def __exit__(self, *_: object) -> None:
        with self._lock:
            if self._started:
                self._line(self._started)
            self._log.close()

    def note(self, text: str) -> None:
        """Log whole lines that the terminal is not shown."""
        self.add(text.rstrip("\n") + "\n")

    def add(self, text: str) -> None:
        """Log what was written to the terminal, which may be a part of a line."""
        with self._lock:
            *lines, self._started = (self._started + text).split("\n")
            for line in lines:
                self._line(line)

    def move(self, file: Path) -> None:
        """Go on in `file`, on the same disk, with all that was logged so far; RigError if that cannot be."""
        try:
            self.file = self.file.rename(file)
        except OSError as error:
            raise RigError(f"{self.file} cannot be moved to {file}: {error.strerror}.") from error

    @contextlib.contextmanager
    def listening(self) -> Iterator[None]:
        """Log what this process writes to its standard output and error."""
        out, errors = sys.stdout, sys.stderr
        with contextlib.redirect_stdout(_Both(out, self)), contextlib.redirect_stderr(_Both(errors, self)):
            yield

    def _line(self, line: str) -> None:
        # A full disk is reported by whoever needs the space. A library's log handler may still write when the log is closed.
        with contextlib.suppress(OSError, ValueError):
            self._log.write(f"{now()} {text.plain(_ESCAPES.sub('', line))}\n")


class _Both(io.TextIOBase):
    """A stream that is the terminal's, and the log's as well; it is not a terminal, for nothing in a log moves."""

    def __init__(self, terminal: TextIO, transcript: Transcript) -> None:
        self._terminal = terminal
        self._transcript = transcript

    @property
    def encoding(self) -> str:  # type: ignore[override]
        return self._terminal.encoding or "utf-8"

    def writable(self) -> bool:
        return True

    def isatty(self) -> bool:
        return False

    def fileno(self) -> int:
        return self._terminal.fileno()

    def write(self, text: str) -> int:
        self._terminal.write(text)
        self._transcript.add(text)
        return len(text)

    def flush(self) -> None:
        self._terminal.flush()
