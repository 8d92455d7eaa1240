# SPDX-License-Identifier: GPL-2.0-only
"""Follows the log file of a VM's serial console."""

from __future__ import annotations

from pathlib import Path


class Console:
    """Output of a guest on its serial line."""

    def __init__(self, log: Path) -> None:
        """Follow `log`, which may not exist yet."""
        self.log = log
        self._offset = 0
        self._line = 1

    @property
    def line(self) -> int:
        """The number of the first line that `read` has not returned yet."""
        return self._line

    @property
    def size(self) -> int:
        """Number of bytes that the guest has written."""
        try:
            return self.log.stat().st_size
        except FileNotFoundError:
            return 0

    def read(self) -> str:
        """Return the complete lines since the last call; an incomplete one is left for the next call."""
        return self._take(whole_lines=True)

    def rest(self) -> str:
        """Return all text since the last call; for a guest that will not write any more."""
        return self._take(whole_lines=False)

    def taken(self) -> bytes:
        """Return the part of the file that was read so far, as raw bytes."""
        with self.log.open("rb") as file:
            return file.read(self._offset)

    def forget(self) -> None:
        """Remove from the file the part that was read so far, and count lines from 1 again; QEMU must not write meanwhile."""
        with self.log.open("r+b") as file:
            file.seek(self._offset)
            rest = file.read()
            file.truncate(0)
            file.seek(0)
            file.write(rest)
        self._offset, self._line = 0, 1

    def _take(self, *, whole_lines: bool) -> str:
        try:
            with self.log.open("rb") as file:
                file.seek(self._offset)
                data = file.read()
        except FileNotFoundError:
            return ""
        if whole_lines:
            data = data[: data.rfind(b"\n") + 1]
        self._offset += len(data)
        self._line += data.count(b"\n")
        return data.decode(errors="replace").replace("\r", "")
