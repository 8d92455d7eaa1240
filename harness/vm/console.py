# SPDX-License-Identifier: GPL-2.0-only
"""Follows the file that a VM's serial console is written to."""

from __future__ import annotations

from pathlib import Path


class Console:
    """The text that a guest has written to its serial line so far."""

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
        """How many bytes the guest has written."""
        try:
            return self.log.stat().st_size
        except FileNotFoundError:
            return 0

    def read(self) -> str:
        """Return the whole lines that came since the last call; a line in the making is left for later."""
        return self._take(whole_lines=True)

    def rest(self) -> str:
        """Return all that came since the last call, once the guest will not write any more."""
        return self._take(whole_lines=False)

    def taken(self) -> bytes:
        """Return all that was returned so far of what is in the file, as it is there."""
        with self.log.open("rb") as file:
            return file.read(self._offset)

    def forget(self) -> None:
        """Remove from the file what was returned so far, and count lines from 1 again; nobody may write to it meanwhile."""
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
