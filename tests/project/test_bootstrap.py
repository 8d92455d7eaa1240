# SPDX-License-Identifier: GPL-2.0-only
"""The bootstrap on machines that lack something, and in places that it cannot work in. No package is installed."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

import msgspec
import pytest

from harness import paths

PIP = 'echo "pip $PWD: $*" >> "$LOG"'
PYTHON = f"""#!/bin/sh
case $* in
    "-m venv"*) mkdir -p .venv/bin; cp "$0" .venv/bin/python; echo "venv $PWD" >> "$LOG" ;;
    "-m pip"*) {PIP} ;;
    "-m invoke"*) shift 2; echo "invoke: $*" ;;
esac
"""
"""a Python that makes no environment, but says where it would, and of which Invoke says what it was called with"""


class Machine(msgspec.Struct):
    """A checkout with nothing but the bootstrap, and the programs of a machine."""

    project: Path
    programs: Path
    log: Path

    def program(self, name: str, body: str) -> None:
        file = self.programs / name
        file.write_text(body if body.startswith("#!") else f"#!/bin/sh\n{body}\n")
        file.chmod(0o755)

    def lacks(self, package: str, user: int) -> None:
        self.program("dpkg-query", f'for last; do :; done; [ "$last" = {package} ] || echo installed')
        self.program("id", f"echo {user}")

    def call(
        self, *words: str, stdin: str | None = None, project: Path | None = None, more: Mapping[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Call the bootstrap; its standard input is closed if there is none."""
        closed = '[ "$1" = open ] || exec <&-; shift; exec "$@"'
        command = ("sh", "-c", closed, "sh", "closed" if stdin is None else "open", str((project or self.project) / "bootstrap"))
        env = {"PATH": str(self.programs), "LOG": str(self.log), **(more or {})}
        return subprocess.run((*command, *words), input=stdin, env=env, capture_output=True, text=True, check=False)

    def done(self) -> list[str]:
        """Return the environments that were made since the last call."""
        lines = self.log.read_text().splitlines() if self.log.exists() else []
        self.log.unlink(missing_ok=True)
        return [line.removeprefix("venv ") for line in lines if line.startswith("venv ")]


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    """A machine that has all packages."""
    made = Machine(tmp_path / "project", tmp_path / "programs", tmp_path / "log")
    made.programs.mkdir()
    for name in ("sh", "cat", "sha256sum", "rm", "cp", "mkdir"):
        (made.programs / name).symlink_to(shutil.which(name) or pytest.skip(f"{name} is missing"))
    made.program("dpkg", "echo amd64")
    made.program("dpkg-query", "echo installed")
    made.program("python3", PYTHON)
    checkout(made.project)
    return made


def checkout(folder: Path) -> Path:
    folder.mkdir(parents=True)
    shutil.copy(paths.PROJECT / "bootstrap", folder)
    for name in ("requirements.txt", "pyproject.toml"):
        (folder / name).write_text(name)
    return folder


def test_what_is_installed_is_not_installed_again(machine: Machine) -> None:
    first, second = machine.call("status"), machine.call("status", "--help")
    assert (first.returncode, first.stdout, first.stderr) == (0, "invoke: status\n", "")
    assert second.stdout == "invoke: status --help\n"
    assert machine.done() == [str(machine.project)]


def test_a_checkout_that_was_moved_or_copied_gets_an_environment_of_its_own(machine: Machine, tmp_path: Path) -> None:
    machine.call()
    copy = Path(shutil.copytree(machine.project, tmp_path / "a copy é"))
    moved = machine.project.rename(tmp_path / "moved")
    machine.done()
    for folder in (copy, moved):
        assert machine.call("status", project=folder).stdout == "invoke: status\n"
        assert machine.done() == [str(folder)]
        machine.call("status", project=folder)
        assert machine.done() == []


def test_a_link_to_the_checkout_is_the_same_place(machine: Machine, tmp_path: Path) -> None:
    machine.call()
    machine.done()
    (tmp_path / "link").symlink_to(machine.project)
    machine.call(project=tmp_path / "link")
    assert machine.done() == []


def test_an_environment_whose_python_is_gone_is_made_again(machine: Machine) -> None:
    machine.call()
    (machine.project / ".venv/bin/python").unlink()
    machine.done()
    assert machine.call("status").stdout == "invoke: status\n"
    assert machine.done() == [str(machine.project)]


@pytest.mark.parametrize("name", ["a:b", "a[b", "a\nb", "end\n"])
def test_a_place_in_which_nothing_can_be_installed_is_said(machine: Machine, tmp_path: Path, name: str) -> None:
    done = machine.call("status", project=checkout(tmp_path / name))
    assert done.returncode == 1
    assert "the project's path has a colon, a line break or a bracket; move it" in done.stderr
    assert machine.done() == []


def test_a_checkout_that_cannot_be_written_is_said(machine: Machine) -> None:
    machine.program("python3", PYTHON)
    machine.project.chmod(0o555)
    if os.access(machine.project, os.W_OK):
        pytest.skip("root may write everywhere")
    done = machine.call("status")
    machine.project.chmod(0o755)
    assert (done.returncode, machine.done()) == (1, [])
    assert "cannot be written to" in done.stderr


@pytest.mark.parametrize("stdin", [None, "", "n\n", "no\n", "maybe\n"])
@pytest.mark.parametrize("sudo", [True, False])
def test_who_may_not_install_is_told_what_an_administrator_runs(machine: Machine, stdin: str | None, *, sudo: bool) -> None:
    machine.lacks("sparse", user=1000)
    if sudo:
        machine.program("sudo", 'echo "sudo $*"')
    done = machine.call("nightly", stdin=stdin)
    assert (done.returncode, done.stdout) == (1, "")
    last = done.stderr.splitlines()[-1]
    assert last.endswith("have an administrator run this, and call again: apt-get install --no-install-recommends sparse")
    assert ("there is no sudo" in last) is not sudo


@pytest.mark.parametrize("answer", ["y", "Y", "yes", "Yes", "YES\n", "y\n"])
def test_yes_is_yes(machine: Machine, answer: str) -> None:
    machine.lacks("sparse", user=1000)
    machine.program("sudo", 'echo "sudo $*"')
    done = machine.call("status", stdin=answer)
    assert done.stdout.splitlines() == [
        "sudo apt-get --quiet update",
        "sudo apt-get --quiet install --yes --no-install-recommends sparse",
        "invoke: status",
    ]


@pytest.mark.parametrize(("fails", "said"), [("update", "does not reach its sources"), ("install", "did not install the packages")])
def test_an_apt_that_fails_ends_with_a_sentence(machine: Machine, fails: str, said: str) -> None:
    machine.lacks("sparse", user=0)
    machine.program("apt-get", f'case "$*" in *{fails}*) exit 100 ;; esac')
    done = machine.call("status")
    assert done.returncode == 1
    assert said in done.stderr.splitlines()[-1]


def test_a_pip_that_fails_is_not_taken_for_done(machine: Machine) -> None:
    machine.program("python3", PYTHON.replace(PIP, "exit 1"))
    for _ in range(2):
        done = machine.call("status")
        assert done.returncode == 1
        assert "Python's packages were not installed" in done.stderr
        assert machine.done() == [str(machine.project)]


def test_another_system_is_said(machine: Machine) -> None:
    (machine.programs / "dpkg-query").unlink()
    done = machine.call("status")
    assert (done.returncode, done.stderr) == (
        1,
        "bootstrap: this is no Debian: there is no dpkg-query; use Debian 12, in a container for instance.\n",
    )
