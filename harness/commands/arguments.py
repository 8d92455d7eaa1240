# SPDX-License-Identifier: GPL-2.0-only
"""Lets a task be called without its word, which Invoke itself always demands."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from invoke.program import Program
from invoke.tasks import Task


class Left(NamedTuple):
    """A task whose word may be left out, and the word that it has then."""

    task: Task[Any]
    word: str


def complete(program: Program, left: Mapping[str, Left], tasks: Iterable[str]) -> None:
    """Give the tasks in `left` their words where the command line has none.

    `tasks` are the names of all tasks. Called while Invoke loads the tasks, before it reads their arguments.
    """
    if core := getattr(program, "core", None):  # there is none where the tasks are imported by something else
        core.unparsed[:] = completed(core.unparsed, left, tuple(tasks))


def completed(words: Sequence[str], left: Mapping[str, Left], tasks: Sequence[str]) -> list[str]:
    """Return a command line in which each task of `left` has a word."""
    whole: list[str] = []
    for place, word in enumerate(words):
        whole.append(word)
        if word in left and not _has_word(words[place + 1 :], left[word].task, tasks):
            whole.append(left[word].word)
    return whole


def _has_word(words: Sequence[str], of: Task[Any], tasks: Sequence[str]) -> bool:
    takes_value = {f"--{argument.name}" for argument in of.get_arguments() if argument.takes_value}
    value = False
    for word in words:
        if word in tasks and not value:
            return False
        if not value and not word.startswith("-"):
            return True
        value = word in takes_value
    return False
