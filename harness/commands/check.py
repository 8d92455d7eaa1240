# SPDX-License-Identifier: GPL-2.0-only
"""The project's own checks, as a table: lint, types, kernel style, tests."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed

import msgspec

from harness import paths
from harness.host import shell
from harness.host.shell import Line
from harness.model import matrix
from harness.model.selection import DEFAULT

Commands = Mapping[str, tuple[str, ...]]

_PYTHON = (sys.executable, "-m")
_WORKFLOW = ".github/workflows/nightly.yml"
_TESTS = (*_PYTHON, "pytest", "tests", "-ra", "--durations=10", "-m")
_SPREAD = ("-n", "auto", "--dist")
"""one process a core, and the way in which tests are given to them"""
_OPERATIONS = "240000"
"""of each variant's allocator in user space"""
_NAME = 18
"""columns of a check's name"""


class Part(msgspec.Struct, frozen=True):
    """One check that ended."""

    name: str
    failed: bool
    seconds: float
    """of the host's time"""


def commands(*, fast: bool, everything: bool = False) -> tuple[Commands, ...]:
    """Return the checks by name: groups one after the other, the checks of a group beside each other.

    With `fast` those that boot nothing; with `everything` also what only nights repeat.
    """
    kernel = "kernel" if everything else "kernel and not nightly"
    quick = {
        "format": (*_PYTHON, "ruff", "format", "--check", "."),
        "lint": (*_PYTHON, "ruff", "check", "."),
        "types": (*_PYTHON, "mypy"),
        "shell": (
            "shellcheck",
            "bootstrap",
            ".ci/run",
            "harness/build/tools/rig-cc",
            "harness/suite/guest.sh",
            "harness/suite/ftrace.sh",
        ),
        "workflow": (*_PYTHON, "check_jsonschema", "--builtin-schema", "vendor.github-workflows", _WORKFLOW),
        "unit": (*_TESTS, "not kernel", *_SPREAD, "worksteal"),
    }
    booting = {
        "end-to-end": (*_TESTS, f"{kernel} and not alone", *_SPREAD, "loadgroup"),
        "end-to-end alone": (*_TESTS, f"{kernel} and alone"),
    }
    variants = ",".join((matrix.STOCK, *matrix.series_names(matrix.load_base(DEFAULT))))
    userspace = {"userspace": (*_PYTHON, "invoke", "userspace", "--variant", variants, "--operations", _OPERATIONS)}
    return (quick,) if fast else (quick, userspace, *({name: command} for name, command in booting.items()))


def run(groups: Sequence[Commands], say: Line) -> list[str]:
    """Run all checks, also after one that failed, and print the duration of each; return the names of those that failed."""
    began = time.monotonic()
    parts = [part for group in groups for part in _group(group, say)]
    say("--- durations")
    for part in sorted(parts, key=lambda part: -part.seconds):
        say(f"{part.name:<{_NAME}}{part.seconds:7.1f} s{'  FAILED' if part.failed else ''}")
    say(f"{'in all':<{_NAME}}{time.monotonic() - began:7.1f} s")
    return [part.name for part in parts if part.failed]


def _group(group: Commands, say: Line) -> Iterator[Part]:
    """Run the checks of a group beside each other; one by itself prints as it goes, of several each prints when it ends."""
    if len(group) == 1:
        ((name, command),) = group.items()
        say(f"--- {name}: {shell.quote(command)}")
        part, output = _part(name, command, None)
        if output:
            say(output)
        yield part
        return
    with ThreadPoolExecutor(len(group)) as pool:
        for future in as_completed([pool.submit(_part, name, command, subprocess.PIPE) for name, command in group.items()]):
            part, output = future.result()
            say(f"--- {part.name}: {shell.quote(group[part.name])}\n{output}".rstrip())
            yield part


def _part(name: str, command: tuple[str, ...], output: int | None) -> tuple[Part, str]:
    """Run one check; return it and what it printed, as far as `output` is a pipe."""
    began = time.monotonic()
    try:
        done = subprocess.run(
            command, cwd=paths.PROJECT, check=False, stdout=output, stderr=subprocess.STDOUT if output else None, text=True
        )
        failed, printed = bool(done.returncode), done.stdout or ""
    except OSError as error:
        failed, printed = True, shell.not_run(command[0], str(error.strerror))
    return Part(name, failed, time.monotonic() - began), printed
