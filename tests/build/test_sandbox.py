# SPDX-License-Identifier: GPL-2.0-only
"""A build in a sandbox: what it reaches, and what is said where there is none."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from harness import paths
from harness.build import sandbox
from harness.errors import UsageError


@pytest.fixture(autouse=True)
def asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A sandbox is asked for, and there is a home with a secret."""
    (tmp_path / "home").mkdir()
    (tmp_path / "home/secret").write_text("secret")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("RIG_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("RIG_SANDBOX", "1")


def run(script: str) -> tuple[int, str]:
    try:
        command = sandbox.enter(("sh", "-c", script))
    except UsageError as error:
        pytest.skip(f"bubblewrap is MISSING or does not work here, so nobody looked at the sandbox: {error}")
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True, check=False)
    return done.returncode, done.stdout


def test_a_build_writes_to_the_cache_alone(tmp_path: Path) -> None:
    assert run(f"echo built > {paths.cache()}/object && echo gone > /tmp/gone-{tmp_path.name}")[0] == 0
    assert (paths.cache() / "object").read_text() == "built\n"
    assert not Path(f"/tmp/gone-{tmp_path.name}").exists()
    for file in (paths.PROJECT / "object", Path("/etc/object"), tmp_path / "object"):
        run(f"echo built > {file}")
        assert not file.exists()


def test_a_build_sees_no_home_no_network_and_no_other_process(tmp_path: Path) -> None:
    assert run(f"ls -A {tmp_path}/home") == (0, "")
    assert run("ls /sys/class/net /proc/net/dev > /dev/null; tail -n +3 /proc/net/dev | cut -d: -f1")[1].split() == ["lo"]
    assert len(run("ls -d /proc/[0-9]*")[1].split()) < 5


def test_root_cannot_undo_it() -> None:
    assert run("mount -o remount,rw,bind / || umount /tmp || echo refused")[1] == "refused\n"


def test_a_build_reaches_no_socket_of_a_service() -> None:
    assert run("ls -A /run") == (0, "")


def test_a_home_and_a_cache_behind_links_are_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "home")
    monkeypatch.setenv("HOME", str(tmp_path / "link"))
    monkeypatch.delenv("RIG_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "link/caches"))
    assert run(f"cat {tmp_path}/link/secret; echo built > {paths.cache()}/object") == (0, "")
    assert (tmp_path / "home/caches/kernel-patch-rig/object").exists()


def test_temporary_files_have_a_place(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    assert run('touch "$TMPDIR/file" && echo made') == (0, "made\n")


def test_the_exit_code_and_the_output_are_those_of_the_command() -> None:
    assert run("echo out; exit 3") == (3, "out\n")


def test_without_the_variable_there_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RIG_SANDBOX")
    assert sandbox.enter(("make",)) == ("make",)
    assert sandbox.notes() == ()


def test_where_there_is_no_bubblewrap_that_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UsageError, match="RIG_SANDBOX asks for a sandbox, but bubblewrap is not installed; set it to auto"):
        sandbox.enter(("make",))
    monkeypatch.setenv("RIG_SANDBOX", "auto")
    assert sandbox.enter(("make",)) == ("make",)
    assert sandbox.notes() == ("Kernels were built without a sandbox: bubblewrap is not installed.",)


def test_where_it_does_not_work_its_reason_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "bwrap"
    program.write_text("#!/bin/sh\necho 'bwrap: No permissions to create new namespace' >&2\nexit 1\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    with pytest.raises(UsageError, match=r"does not work here \(bwrap: No permissions to create new namespace\)"):
        sandbox.enter(("make",))


@pytest.mark.parametrize("value", ["yes", "2", "", " 1"])
def test_another_value_is_refused(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.setenv("RIG_SANDBOX", value)
    with pytest.raises(UsageError, match=rf"RIG_SANDBOX has to be 0, 1 or auto, not '{value}'"):
        sandbox.notes()
