# SPDX-License-Identifier: GPL-2.0-only
"""Lets a task be called without its word or with ``--help`` in its place, and every task with ``--timings``."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from invoke.program import Program
from invoke.tasks import Task

from harness.commands import timings

_HELP = ("--help", "-h")


def complete(program: Program, left: Mapping[str, str], tasks: Mapping[str, Task[Any]]) -> None:
    """Give the tasks in `left` their words where the command line has none, and have ``TASK --help`` show the help of any task.

    `tasks` are all tasks by name. Called while Invoke loads the tasks, before it reads their arguments.
    """
    if core := getattr(program, "core", None):  # there is none where the tasks are imported by something else
        timings.asked(core.unparsed)
        core.unparsed[:] = helped(core.unparsed, tasks) or completed(core.unparsed, left, tasks)


def helped(words: Sequence[str], tasks: Mapping[str, Task[Any]]) -> list[str]:
    """Return a command line that shows the help of the first task that ``--help`` stands behind; an empty one if there is none.

    Invoke takes ``--help`` for the word of a task that still lacks its words, so that they are given, and are empty.
    """
    options: Mapping[str, bool] = {}
    before = name = ""
    for word in words:
        if word in tasks and before not in options:
            name, options = word, _options(tasks[word])
        elif name and word in _HELP and before not in options:
            return [name, *("" for argument in tasks[name].get_arguments() if argument.positional), "--help"]
        before = "" if _is_value(word, before, options) else word
    return []


def completed(words: Sequence[str], left: Mapping[str, str], tasks: Mapping[str, Task[Any]]) -> list[str]:
    """Return a command line in which each task of `left` has a word."""
    whole: list[str] = []
    options: Mapping[str, bool] = {}
    before = ""
    for place, word in enumerate(words):
        whole.append(word)
        if word in tasks and before not in options:
            options = _options(tasks[word])
            if word in left and not _has_word(words[place + 1 :], options, tasks):
                whole.append(left[word])
        before = "" if _is_value(word, before, options) else word
    return whole


def _options(of: Task[Any]) -> Mapping[str, bool]:
    """Return the options of a task that a value follows, and whether it may be missing."""
    taking = [argument for argument in of.get_arguments() if argument.takes_value]
    return {
        f"{'--' if len(name) > 1 else '-'}{name.replace('_', '-')}": argument.optional
        for argument in taking
        for name in argument.names
    }


def _has_word(words: Sequence[str], options: Mapping[str, bool], tasks: Collection[str]) -> bool:
    before = ""
    for word in words:
        if word in tasks and before not in options:
            return False
        if before not in options and not word.startswith("-"):
            return True
        before = "" if _is_value(word, before, options) else word
    return False


def _is_value(word: str, before: str, options: Mapping[str, bool]) -> bool:
    """Return whether a word is the value of the option before it, which may have none where another option follows."""
    return before in options and not (options[before] and word in options)
