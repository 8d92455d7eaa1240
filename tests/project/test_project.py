# SPDX-License-Identifier: GPL-2.0-only
"""The files around the package: the bootstrap, CI, pinned requirements, licence lines."""

from __future__ import annotations

import fnmatch
import re
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

from harness import paths
from harness.commands import check
from harness.model import matrix

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


@pytest.mark.parametrize("name", matrix.machine_names())
def test_bootstrap_installs_what_machines_run(name: str) -> None:
    machine = matrix.load_machine(name)
    bootstrap = SCRIPTS[0].read_text()
    for program in (machine.qemu.binary, machine.build.compiler):
        file = Path(shutil.which(program) or pytest.skip(f"{program} is MISSING; ./bootstrap installs it"))
        owner = subprocess.run(("dpkg", "-S", file), capture_output=True, text=True, check=False).stdout.partition(":")[0]
        if not owner:
            pytest.skip(f"{file} is of no Debian package, so nobody knows what ./bootstrap has to install")
        assert re.search(rf"[\s\"]{re.escape(owner)}[\s\"]", bootstrap), f"{program} is in the package {owner}"


def test_ci_runs_the_command_of_the_readme() -> None:
    last = (paths.PROJECT / ".ci/run").read_text().strip().splitlines()[-1]
    command = last.removeprefix("exec ")
    assert last.startswith("exec ./bootstrap check")
    readme = paths.PROJECT / "README.md"
    assert readme.is_file(), "pyproject.toml names it"
    assert command in readme.read_text()


def test_the_check_is_all_of_the_tools() -> None:
    commands = named(check.commands(fast=False))
    assert {"lint", "types", "shell", "unit"} <= set(commands)
    for script in SCRIPTS:
        assert str(script.relative_to(paths.PROJECT)) in commands["shell"]


@pytest.mark.parametrize(("everything", "kept"), [(False, {"", "alone"}), (True, {"", "alone", "nightly", "alone and nightly"})])
def test_a_check_runs_every_test_once(everything: bool, kept: set[str]) -> None:
    parts = [command for command in named(check.commands(fast=False, everything=everything)).values() if "pytest" in command]
    ran = {
        markers: sum(selects(command[command.index("-m", 3) + 1], markers) for command in parts)
        for markers in ("", "kernel", *(f"kernel and {more}" for more in ("alone", "nightly", "alone and nightly")))
    }
    wanted = {"", *(f"kernel and {more}" if more else "kernel" for more in kept)}
    assert ran == {markers: int(markers in wanted) for markers in ran}


def test_no_folder_of_tests_is_left_out(pytestconfig: pytest.Config) -> None:
    files = (file.relative_to(paths.PROJECT) for file in (paths.PROJECT / "tests").rglob("test_*.py"))
    folders = {part for file in files for part in file.parent.parts}
    assert "build" in folders
    patterns = pytestconfig.getini("norecursedirs")
    assert not [folder for folder in folders if any(fnmatch.fnmatch(folder, pattern) for pattern in patterns)]


def test_a_fast_check_boots_nothing() -> None:
    parts = [command for command in named(check.commands(fast=True)).values() if "pytest" in command]
    assert [selects(command[command.index("-m", 3) + 1], "kernel") for command in parts] == [False]


def selects(expression: str, markers: str) -> bool:
    """Return whether pytest's `-m` with `expression` runs a test that has these markers."""
    has = markers.split(" and ")
    return bool(eval(expression, {name: name in has for name in ("kernel", "nightly", "alone")}))


def named(groups: Sequence[check.Commands]) -> dict[str, tuple[str, ...]]:
    """Return the checks of all groups by name."""
    return {name: command for group in groups for name, command in group.items()}


def test_a_check_says_what_failed_and_how_long_each_part_took(said: list[str]) -> None:
    groups = ({"good": ("sh", "-c", "echo all is well"), "bad": ("sh", "-c", "echo oh >&2; exit 3")}, {"gone": ("/no/such/tool",)})
    assert sorted(check.run(groups, said.append)) == ["bad", "gone"]
    assert any(line.startswith("--- good: ") and line.endswith("\nall is well") for line in said)
    assert any(line.startswith("--- bad: ") and line.endswith("\noh") for line in said)
    assert any(line.startswith("`/no/such/tool` cannot be run: ") for line in said)
    durations = said[said.index("--- durations") + 1 :]
    assert sorted(line.split()[0] for line in durations) == ["bad", "gone", "good", "in"]
    assert sum("FAILED" in line for line in durations) == 2


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
