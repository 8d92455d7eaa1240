# SPDX-License-Identifier: GPL-2.0-only
"""Lets a task be called without its word, which Invoke itself always demands, and every task with ``--timings``."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from invoke.program import Program
from invoke.tasks import Task

from harness.commands import timings


def complete(program: Program, left: Mapping[str, str], tasks: Mapping[str, Task[Any]]) -> None:
    """Give the tasks in `left` their words where the command line has none.

    `tasks` are all tasks by name. Called while Invoke loads the tasks, before it reads their arguments.
    """
    if core := getattr(program, "core", None):  # there is none where the tasks are imported by something else
        timings.asked(core.unparsed)
        core.unparsed[:] = completed(core.unparsed, left, tasks)


def completed(words: Sequence[str], left: Mapping[str, str], tasks: Mapping[str, Task[Any]]) -> list[str]:
    """Return a command line in which each task of `left` has a word."""
    whole: list[str] = []
    options: Collection[str] = ()
    value = False
    for place, word in enumerate(words):
        whole.append(word)
        if word in tasks and not value:
            options = _options(tasks[word])
            if word in left and not _has_word(words[place + 1 :], options, tasks):
                whole.append(left[word])
        value = word in options and not value
    return whole


def _options(of: Task[Any]) -> Collection[str]:
    """Return the options of a task that a value follows."""
    taking = [argument for argument in of.get_arguments() if argument.takes_value]
    return {f"{'--' if len(name) > 1 else '-'}{name.replace('_', '-')}" for argument in taking for name in argument.names}


def _has_word(words: Sequence[str], options: Collection[str], tasks: Collection[str]) -> bool:
    value = False
    for word in words:
        if word in tasks and not value:
            return False
        if not value and not word.startswith("-"):
            return True
        value = word in options and not value
    return False
