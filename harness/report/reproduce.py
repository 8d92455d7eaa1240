# SPDX-License-Identifier: GPL-2.0-only
"""Makes the one command that tests again what showed a finding: its cell and test alone, with the source that the run had."""

from __future__ import annotations

import itertools
import shlex
from collections.abc import Sequence

from harness.host import shell
from harness.model import catalog
from harness.model.clock import Clock
from harness.model.matrix import STOCK
from harness.model.records import Finding, Provenance
from harness.model.toolchains import Toolchain

_SOURCES = ("--source", "--kernel")
"""options of a run that say what is tested, whatever the cell"""
_MODULE = ("--module", "--module-args")
"""those that say by what"""


def command(of: Finding, run: Provenance) -> str:
    """Return the command that repeats a finding of a run, as far as the run's own command tells what was tested.

    A soak's rounds follow from its seed and its tests, so that all of it is repeated in the one cell. The kernels of a self
    check have no names by which they could be selected, and its own command is the answer.
    """
    words = _words(run.command)
    if "selfcheck" in words:
        return run.command
    options = ["--machine", of.machine, "--variant", of.variant, "--profile", of.profile, *_tests(of, run, words)]
    for name in (*_SOURCES, *_MODULE, *(["--series"] if of.variant != STOCK else [])):
        options += _option(words, name)
    options += [] if run.toolchain is Toolchain.GCC else ["--toolchain", run.toolchain]
    return shell.quote([*environment(run.command), "invoke", _task(of, run, words), *options, *_amount(of, run)])


def environment(command: str) -> list[str]:
    """Return the words by which a run's command names the kernel's source ahead of everything; none if it does not."""
    words = _words(command)
    first = [word for word in words[1:2] if words[0] == "env" and word.startswith("RIG_SOURCE=")]
    return ["env", *first] if first else []


def _task(of: Finding, run: Provenance, words: Sequence[str]) -> str:
    if run.hours:
        return "soak"
    return "sweep" if "@" in of.test or (of.around and "sweep" in words) else "test"


def _tests(of: Finding, run: Provenance, words: Sequence[str]) -> list[str]:
    """Return the option that selects the tests: the one that showed it, or those of the run where it took all of them."""
    if run.hours or of.around or run.module:
        return _option(words, "--tests")
    return ["--tests", of.test.partition("@")[0]]


def _amount(of: Finding, run: Provenance) -> list[str]:
    """Return the options for the amount of work: of boots no more than it takes to get to the one that showed it."""
    scale, *apart = run.scale.split(" ")
    options = [] if scale == catalog.SCALE else ["--scale", scale]
    options += ["--unsettled"] if apart == ["unsettled"] else []
    options += [] if run.loops == 1 else ["--loops", f"{run.loops:g}"]
    options += [] if run.clock is Clock.ICOUNT else ["--clock", run.clock]
    if run.hours:
        return [*options, "--hours", f"{run.hours:g}", "--seed", str(run.seed)]
    if of.around:
        return [*options, *(["--boots", str(run.boots)] if run.boots else [])]
    kinds = {test.name: test.kind for test in catalog.suite().tests}
    return options if kinds.get(of.test) == "stress" else [*options, "--boots", str(of.boot + 1)]


def _option(words: Sequence[str], name: str) -> list[str]:
    """Return the last value of an option among the words of a command, with its name; nothing if it is not there."""
    values = [after for word, after in itertools.pairwise(words) if word == name]
    values += [word.removeprefix(f"{name}=") for word in words if word.startswith(f"{name}=")]
    return [name, values[-1]] if values else []


def _words(of: str) -> list[str]:
    try:
        return shlex.split(of) or [""]
    except ValueError:  # an older run's, with a quotation mark that is alone
        return [""]
