# SPDX-License-Identifier: GPL-2.0-only
"""Programs that note down how they are called, for what calls them in the place of others."""

from __future__ import annotations

import contextlib
import os
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pytest

_NOTE = """\
#!/bin/sh
printf '%s\\0' {name} "$#" "$@" {noted} "" >> {log}
{body}
"""


_WRAPPER = ("setpriv", "--pdeathsig", "TERM")
"""words ahead of a command that is to end with the rig"""


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
        self._patch = monkeypatch
        monkeypatch.setenv("PATH", f"{self.folder}:{os.environ['PATH']}")

    def program(self, name: str, body: str = "") -> None:
        """Make a program that does `body`, a shell script."""
        noted = " ".join(f'"${{{variable}-}}"' for variable in self._variables)
        file = self.folder / name
        file.write_text(_NOTE.format(name=name, noted=noted, log=self._log, body=body))
        file.chmod(0o755)

    @contextlib.contextmanager
    def all_noted(self) -> Iterator[None]:
        """Hold that this process starts, in the with block, only programs of the folder, and others for their versions."""
        real, others = subprocess.Popen, []

        def start(words: Sequence[str], *more: Any, **options: Any) -> subprocess.Popen[Any]:
            own = words[len(_WRAPPER) :] if tuple(words[: len(_WRAPPER)]) == _WRAPPER else words
            if not (self.folder / own[0]).exists() and not any("version" in str(word) for word in own):
                others.append(tuple(map(str, own)))
            return real(words, *more, **options)

        with self._patch.context() as patch:
            patch.setattr(subprocess, "Popen", start)
            yield
        assert not others, "the rig runs these, and nobody sees whether a script does"

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
