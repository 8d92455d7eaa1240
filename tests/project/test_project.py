# SPDX-License-Identifier: GPL-2.0-only
"""The files around the package: the bootstrap, CI, pinned requirements, licence lines."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from harness import paths
from harness.commands import check

SCRIPTS = (paths.PROJECT / "bootstrap", paths.PROJECT / ".ci/run")
REQUIREMENTS = (paths.PROJECT / "requirements.txt").read_text()


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.name)
def test_scripts_are_clean(script: Path) -> None:
    if not shutil.which("shellcheck"):
        pytest.skip("shellcheck is MISSING, so nobody looked at the scripts; ./bootstrap installs it")
    done = subprocess.run(("shellcheck", script), capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "")


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.name)
def test_scripts_stop_at_the_first_error(script: Path) -> None:
    text = script.read_text()
    assert text.startswith("#!/bin/sh\n# SPDX-License-Identifier: GPL-2.0-only\n")
    assert "\nset -eu\n" in text
    assert script.stat().st_mode & 0o111


def test_ci_runs_the_command_of_the_readme() -> None:
    last = (paths.PROJECT / ".ci/run").read_text().strip().splitlines()[-1]
    command = last.removeprefix("exec ")
    assert last.startswith("exec ./bootstrap check")
    readme = paths.PROJECT / "README.md"
    assert readme.is_file(), "pyproject.toml names it"
    assert command in readme.read_text()


def test_the_check_is_all_of_the_tools() -> None:
    commands = check.commands(fast=False)
    assert {"lint", "types", "shell", "tests"} <= set(commands)
    assert not any("not kernel" in command for command in commands.values())
    assert "not kernel" in check.commands(fast=True)["tests"]
    for script in SCRIPTS:
        assert str(script.relative_to(paths.PROJECT)) in commands["shell"]


def test_requirements_are_pinned_with_hashes() -> None:
    entries = re.split(r"\n(?=[A-Za-z])", REQUIREMENTS.strip())
    assert len(entries) > 10
    for entry in entries:
        assert re.match(r"[A-Za-z0-9._-]+==[^\s;]+", entry), entry.splitlines()[0]
        assert re.search(r"--hash=sha256:[0-9a-f]{64}", entry), entry.splitlines()[0]


def test_requirements_name_no_place_to_have_them_from() -> None:
    assert "http" not in REQUIREMENTS
    assert not re.search(r"^\s*(-i|--index-url|--extra-index-url|--find-links|--trusted-host)", REQUIREMENTS, re.M)


def test_every_dependency_is_pinned() -> None:
    text = (paths.PROJECT / "pyproject.toml").read_text()
    wanted = re.findall(r'"([a-z][\w.-]*)(?:>=[\d.]+)?",?$', text.split("dependencies = [")[1].split("]")[0], re.M)
    pinned = {re.sub(r"[-_.]+", "-", name).lower() for name in re.findall(r"^([A-Za-z0-9._-]+)==", REQUIREMENTS, re.M)}
    assert len(wanted) > 5
    assert {re.sub(r"[-_.]+", "-", name) for name in wanted} <= pinned


def test_every_module_says_its_licence() -> None:
    files = [*paths.PROJECT.glob("harness/**/*.py"), *paths.PROJECT.glob("tests/**/*.py"), paths.PROJECT / "tasks.py"]
    without = [
        file for file in files if file.stat().st_size and "SPDX-License-Identifier: GPL-2.0-only" not in file.read_text()[:200]
    ]
    assert len(files) > 40
    assert not without
