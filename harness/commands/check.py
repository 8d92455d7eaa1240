# SPDX-License-Identifier: GPL-2.0-only
"""The project's own checks, as a table: lint, types, kernel style, tests."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable

from harness import paths
from harness.host import shell

_PYTHON = (sys.executable, "-m")
_WORKFLOW = ".github/workflows/nightly.yml"


def commands(*, fast: bool) -> dict[str, tuple[str, ...]]:
    """Return the checks in order, by name; with `fast` those that boot nothing."""
    select = ("-m", "not kernel") if fast else ()
    return {
        "format": (*_PYTHON, "ruff", "format", "--check", "."),
        "lint": (*_PYTHON, "ruff", "check", "."),
        "types": (*_PYTHON, "mypy"),
        "shell": ("shellcheck", "bootstrap", ".ci/run", "harness/build/tools/rig-cc"),
        "workflow": (*_PYTHON, "check_jsonschema", "--builtin-schema", "vendor.github-workflows", _WORKFLOW),
        "tests": (*_PYTHON, "pytest", "tests", "-ra", "--durations=5", *select),
    }


def run(*, fast: bool, say: Callable[[str], None]) -> list[str]:
    """Run all checks, whatever one of them finds; return the names of those that failed."""
    failed = []
    for name, command in commands(fast=fast).items():
        say(f"--- {name}: {shell.quote(command)}")
        if subprocess.run(command, cwd=paths.PROJECT, check=False).returncode:
            failed.append(name)
    return failed
