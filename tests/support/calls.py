# SPDX-License-Identifier: GPL-2.0-only
"""Programs that note down how they are called, for what calls them in the place of others."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import pytest

_NOTE = """\
#!/bin/sh
printf '%s\\0' {name} "$#" "$@" {noted} "" >> {log}
{body}
"""


class Call(NamedTuple):
    """A call of a program."""

    program: str
    words: tuple[str, ...]
    env: Mapping[str, str]
    """those of its variables that are noted down"""


class Calls:
    """A folder of programs ahead of all others, and the log of their calls."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch, variables: tuple[str, ...] = ()) -> None:
        """Begin without programs; the `variables` of a call are noted down."""
        self.folder, self._variables = folder / "bin", variables
        self._log = folder / "calls"
        self.folder.mkdir()
        self._log.touch()
        monkeypatch.setenv("PATH", f"{self.folder}:{os.environ['PATH']}")

    def program(self, name: str, body: str = "") -> None:
        """Make a program that does `body`, a shell script."""
        noted = " ".join(f'"${{{variable}-}}"' for variable in self._variables)
        file = self.folder / name
        file.write_text(_NOTE.format(name=name, noted=noted, log=self._log, body=body))
        file.chmod(0o755)

    def taken(self) -> list[Call]:
        """Return the calls since this was last asked."""
        fields = self._log.read_text().split("\0")
        self._log.write_text("")
        calls = []
        while len(fields) > 1:
            name, count = fields[0], int(fields[1])
            values = fields[2 + count : 2 + count + len(self._variables)]
            calls.append(Call(name, tuple(fields[2 : 2 + count]), dict(zip(self._variables, values, strict=True))))
            fields = fields[3 + count + len(self._variables) :]
        return calls
