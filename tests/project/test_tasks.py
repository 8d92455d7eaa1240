# SPDX-License-Identifier: GPL-2.0-only
"""Mistakes on the command line: one clear sentence, exit code 1, and nothing done."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from harness import paths
from harness.stats.outcome import ExitCode


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("test", "--resume", "--boots", "2"), "of the other options only --jobs goes with it"),
        (("test", "--resume"), "was interrupted"),
        (("test", "--resume", "nowhere"), "There is no run 'nowhere'"),
        (("sweep", "--tests", "all"), "--tests all has tests that are no sweep"),
        (("sweep", "--tests", "le_fit_alloc_test"), "--tests le_fit_alloc_test has tests that are no sweep"),
        (("sweep", "--profile", "latency"), "The profile 'latency' runs none of the chosen tests"),
        (("selfcheck", "--experiments", "none"), "--experiments has to be a number of at least 1, not 'none'"),
        (("selfcheck", "--variant", "stock"), "--variant has no meaning in a self check"),
        (("audit", "--boots", "2"), "--boots has no meaning in an audit"),
        (("audit", "--on-failure", "keep"), "--on-failure has no meaning in an audit"),
        (("mutants", "--only", "no-such-bug"), "There is no mutant 'no-such-bug'"),
        (("mutants", "--variant", "stock"), "--variant has no meaning for mutants"),
        (("soak", "--hours", "0"), "--hours has to be a number of at least 0.001, not '0'"),
        (("soak", "--seed", "1.5"), "--seed has to be a whole number below 2 to the power of 32, not '1.5'"),
        (("soak", "--seed", "1e20"), "--seed has to be a whole number"),
        (("soak", "--tests", "lazy_pages_test"), "None of the tests 'lazy_pages_test' can be part of a soak"),
        (("compare", "here", "there"), "There is no run 'here'"),
        (("baseline", "nowhere"), "There is no run 'nowhere'"),
        (("history", "--test", "no_such_test"), "no_such_test"),
        (("nightly", "--keep-runs", "0"), "--keep-runs has to be a number of at least 1, not '0'"),
        (("build", "--boots", "many"), "An option has a value of the wrong kind"),
    ],
    ids=lambda value: " ".join(value)[:40] if isinstance(value, tuple) else "",
)
def test_a_mistake_is_said_in_a_sentence(words: tuple[str, ...], said: str, tmp_path: Path) -> None:
    is_one_sentence(words, said, RIG_RESULTS=str(tmp_path / "results"))


@pytest.mark.parametrize("task", ["build", "boot", "test", "sweep", "soak", "selfcheck", "mutants", "audit", "nightly"])
def test_a_cache_that_cannot_be_built_in_is_said_before_all_else(task: str, tmp_path: Path) -> None:
    unfit = tmp_path / "with space"
    is_one_sentence((task,), "its path has a space", RIG_RESULTS=str(tmp_path / "results"), RIG_CACHE=str(unfit))
    assert not list(unfit.glob("sources")), "nothing was fetched"


def is_one_sentence(words: tuple[str, ...], said: str, **env: str) -> None:
    """Hold that a command ends with one line that has the words `said`."""
    command = (sys.executable, "-m", "invoke", *words)
    done = subprocess.run(command, cwd=paths.PROJECT, env={**os.environ, **env}, capture_output=True, text=True, check=False)
    assert done.returncode == ExitCode.RIG_FAILED, done.stdout + done.stderr
    assert said in done.stderr
    assert done.stderr.startswith("kernel-patch-rig: ")
    assert len(done.stderr.strip().splitlines()) == 1
