# SPDX-License-Identifier: GPL-2.0-only
"""Tells symbols that a release does not know from those that its Kconfig did not take."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Mapping
from pathlib import Path

from harness.build import git, kconfig
from harness.model.matrix import Base
from harness.text import counted

_FILES = ":(glob)**/Kconfig*"
_LINES = r"^[[:blank:]]*(menu)?config[[:blank:]]"


def refused(base: Base, asked: Mapping[str, str], config: Path, commit: str) -> list[str]:
    """Return a sentence, without a full stop, for each symbol that Kconfig did not take in the file `config`.

    Where the settings are those of another release, symbols that no Kconfig file of `commit` declares are left out.
    """
    lost = kconfig.lost(asked, kconfig.parse(config.read_text()))
    known = _declared(commit) if lost and base.like else lost
    return [sentence for name, sentence in lost.items() if name in known]


def note(base: Base, kernels: Iterable[tuple[Mapping[str, str], Path]]) -> tuple[str, ...]:
    """Return a sentence with all symbols that the release of the source does not know; none if it knows all.

    `kernels` have what was asked for, and the configuration that each was built with.
    """
    if not base.like:
        return ()
    names = dict.fromkeys(name for asked, config in kernels for name in kconfig.lost(asked, kconfig.parse(config.read_text())))
    if not names:
        return ()
    symbols = counted(len(names), "symbol")
    return (f"Linux {base.release} does not know {symbols} of the settings of {base.like}: {', '.join(names)}.",)


@functools.lru_cache(maxsize=8)
def _declared(commit: str) -> set[str]:
    """Return the symbols that the Kconfig files of a commit declare."""
    return kconfig.declared(git.run("grep", "-h", "-E", "-e", _LINES, commit, "--", _FILES))
