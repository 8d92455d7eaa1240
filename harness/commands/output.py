# SPDX-License-Identifier: GPL-2.0-only
"""Makes standard output and error streams that cannot fail: no run ends because nobody reads what it says."""

from __future__ import annotations

import atexit
import codecs
import contextlib
import io
import os
import select
import sys
from typing import TextIO

from harness import text

_STDOUT, _STDERR = 1, 2
_ERRORS = "rig"
"""name of the handler for characters that the terminal's encoding lacks"""


class Lossy(io.RawIOBase):
    """A file descriptor that takes everything. Once it fails, what is written to it is dropped."""

    def __init__(self, descriptor: int) -> None:
        """Write to `descriptor`, which stays open."""
        self._descriptor = descriptor
        self.lost: OSError | None = None
        """the first failure, such as that of a pipe whose reader has ended"""

    def writable(self) -> bool:
        """Return True."""
        return True

    def fileno(self) -> int:
        """Return the descriptor."""
        return self._descriptor

    def isatty(self) -> bool:
        """Return True for a terminal."""
        return os.isatty(self._descriptor)

    def write(self, data: bytes) -> int:  # type: ignore[override] # bytes are all that a BufferedWriter hands on
        """Write as much as the descriptor takes at once, and return its length."""
        while self.lost is None:
            try:
                return os.write(self._descriptor, data)
            except BlockingIOError:
                select.select([], [self._descriptor], [])
            except OSError as error:
                self.lost = error
        return len(data)


def write(said: str) -> None:
    """Write to standard output; end the process if nobody takes it any more, for the input may have no end."""
    sys.stdout.write(said)
    raw = getattr(getattr(sys.stdout, "buffer", None), "raw", None)
    if isinstance(raw, Lossy) and raw.lost is not None:
        raise SystemExit(1)


def guard() -> None:
    """Replace the streams of this process; when it ends, say that output was lost, and end with exit code 1."""
    for descriptor in range(3):  # or the next file that is opened gets the number, and with it all that is printed
        with contextlib.suppress(OSError):
            if not _is_open(descriptor):
                os.open(os.devnull, os.O_RDWR)
    sys.stdin = sys.stdin or open(os.devnull)  # noqa: PTH123, SIM115 - it is open as long as the process lives
    codecs.register_error(_ERRORS, _spelt)
    if sys.stdout is sys.__stdout__:  # unless a test or a debugger has put its own there
        raw = Lossy(_STDOUT)
        sys.stdout = _stream(sys.stdout, raw)
        atexit.register(_finish, sys.stdout, raw)
    if sys.stderr is sys.__stderr__:
        sys.stderr = _stream(sys.stderr, Lossy(_STDERR))


def _is_open(descriptor: int) -> bool:
    try:
        os.fstat(descriptor)
    except OSError:
        return False
    return True


def _stream(old: TextIO | None, raw: Lossy) -> TextIO:
    """Return a stream like `old`, which is None if the process was started without it."""
    if old is not None:
        with contextlib.suppress(OSError):
            old.flush()
    encoding = old.encoding if old is not None else "utf-8"
    by_line = raw.isatty() or raw.fileno() == _STDERR
    buffer = io.BufferedWriter(raw)  # type: ignore[type-var] # typeshed wants a FileIO; any RawIOBase will do
    return io.TextIOWrapper(buffer, encoding=encoding, errors=_ERRORS, line_buffering=by_line)


def _spelt(error: UnicodeError) -> tuple[str, int]:
    """Return what to print in place of characters that cannot be encoded, and where to go on."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    return text.spelt(error.object[error.start : error.end]), error.end


def _finish(stream: TextIO, raw: Lossy) -> None:
    stream.flush()
    if raw.lost is not None:
        print(f"kernel-patch-rig: not all of the output could be written: {raw.lost.strerror}.", file=sys.stderr, flush=True)
        os._exit(1)  # the only way to change the exit code here
