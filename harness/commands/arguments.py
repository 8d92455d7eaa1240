# SPDX-License-Identifier: GPL-2.0-only
"""Lets a task be called without its positional argument, which Invoke itself always demands."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from invoke.program import Program
from invoke.tasks import Task


def default(program: Program, named: Mapping[str, Task[Any]], tasks: Iterable[str]) -> None:
    """Give the tasks in `named` that the command line calls without a run the argument ``latest``.

    `tasks` are the names of all tasks. Called while Invoke loads the tasks, before it reads their arguments.
    """
    if core := getattr(program, "core", None):  # there is none where the tasks are imported by something else
        core.unparsed[:] = completed(core.unparsed, named, tuple(tasks))


def completed(words: Sequence[str], named: Mapping[str, Task[Any]], tasks: Sequence[str]) -> list[str]:
    """Return a command line in which each task of `named` that has no positional argument has ``latest``."""
    whole: list[str] = []
    for place, word in enumerate(words):
        whole.append(word)
        if word in named and not _has_positional(words[place + 1 :], named[word], tasks):
            whole.append("latest")
    return whole


def _has_positional(words: Sequence[str], of: Task[Any], tasks: Sequence[str]) -> bool:
    takes_value = {f"--{argument.name}" for argument in of.get_arguments() if argument.takes_value}
    value = False
    for word in words:
        if word in tasks and not value:
            return False
        if not value and not word.startswith("-"):
            return True
        value = word in takes_value
    return False
