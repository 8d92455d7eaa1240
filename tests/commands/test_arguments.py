# SPDX-License-Identifier: GPL-2.0-only
"""Tasks that are called without their run: they get the latest one, and no other word is taken for it."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from invoke.program import Program

import tasks
from harness.commands import arguments

EVERY = {name: tasks.namespace[name] for name in tasks.namespace.task_names}


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ("why", "why latest"),
        ("why 20260102-030405-abcd", "why 20260102-030405-abcd"),
        ("why --json", "why latest --json"),
        ("why --json results/mine", "why --json results/mine"),
        ("why --machine x86_64", "why latest --machine x86_64"),
        ("why --machine=x86_64", "why latest --machine=x86_64"),
        ("why --machine x86_64 mine --test ne_fit", "why --machine x86_64 mine --test ne_fit"),
        ("why --test test", "why latest --test test"),
        ("why --test test build", "why latest --test test build"),
        ("why --test=test mine", "why --test=test mine"),
        ("why coverage", "why latest coverage latest"),
        ("coverage --json why --lines", "coverage latest --json why latest --lines"),
        ("build boot test why --lines", "build boot test why latest --lines"),
        ("why ./why", "why ./why"),
        ("why --help", "why latest --help"),
        ("build report", "build report latest"),
        ("dismiss abc --why text", "dismiss abc --why text"),
        ("test --resume --jobs 2 why", "test --resume --jobs 2 why latest"),
        ("", ""),
    ],
)
def test_a_task_without_its_run_gets_the_latest(said: str, meant: str) -> None:
    assert arguments.completed(said.split(), tasks.LEFT_OUT, EVERY) == meant.split()


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ("test --help", ["test", "--help"]),
        ("kernlog --help", ["kernlog", "", "--help"]),
        ("kernlog -h", ["kernlog", "", "--help"]),
        ("ssh --help", ["ssh", "", "", "--help"]),
        ("build trace --events a --help", ["trace", "", "--help"]),
        ("trace le_fit_alloc_test --help", ["trace", "", "--help"]),
        ("series.add --source why --help build", ["series.add", "", "--help"]),
        ("build --tests --help", []),
        ("kernlog console.log", []),
        ("--help", []),
        ("", []),
    ],
)
def test_help_behind_a_task_is_no_word_of_it(said: str, meant: list[str]) -> None:
    assert arguments.helped(said.split(), EVERY) == meant


@pytest.mark.parametrize(
    "said", ["build --series why", "build --series why test", "select --tests coverage build", "test --variant why --keep"]
)
def test_a_value_that_is_called_like_a_task_is_no_task(said: str) -> None:
    assert arguments.completed(said.split(), tasks.LEFT_OUT, EVERY) == said.split()


def test_the_word_of_a_task_can_be_empty() -> None:
    assert arguments.completed(["dismiss", "why"], tasks.LEFT_OUT, EVERY) == ["dismiss", "", "why", "latest"]


@pytest.mark.parametrize(
    ("said", "missing"),
    [
        ("bisect --resume", True),
        ("bisect --resume --jobs 2", True),
        ("bisect --resume --test vmap_test", True),
        ("bisect --test vmap_test --resume", True),
        ("bisect --resume 20260102-030405-abcd", True),
        ("bisect --resume --jobs 2 build", True),
        ("bisect mine --test vmap_test", False),
        ("bisect --test vmap_test mine", False),
        ("series.each --tests stress", True),
        ("series.each mine --tests stress", False),
    ],
)
def test_a_series_may_be_left_out_before_any_option(said: str, missing: bool) -> None:
    task, *words = said.split()
    assert arguments.completed([task, *words], tasks.LEFT_OUT, EVERY) == [task, *([""] if missing else []), *words]


def test_the_program_reads_what_was_completed() -> None:
    program: Program = SimpleNamespace(core=SimpleNamespace(unparsed=["why", "--json"]))  # type: ignore[assignment]
    unparsed = program.core.unparsed
    arguments.complete(program, tasks.LEFT_OUT, EVERY)
    assert unparsed == ["why", "latest", "--json"]


def test_where_no_program_runs_nothing_is_done() -> None:
    arguments.complete(Program(), tasks.LEFT_OUT, EVERY)
