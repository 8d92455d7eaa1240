# SPDX-License-Identifier: GPL-2.0-only
"""Starting processes: what is said when they fail, and that none is left behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from harness.errors import BuildError, RigError
from harness.host import shell


def test_output_is_what_was_printed() -> None:
    assert shell.output(("sh", "-c", "cat; echo $MINE $LC_ALL"), stdin=b"in ", env={"MINE": "x"}) == "in x C"


def test_a_command_that_fails_is_named_with_its_last_words() -> None:
    with pytest.raises(BuildError) as caught:
        shell.output(("sh", "-c", "echo first >&2; echo 'last words' >&2; exit 7"), error=BuildError)
    assert "exit code 7" in str(caught.value)
    assert "last words" in str(caught.value)
    assert "sh -c" in str(caught.value)


def test_what_the_host_lacks_is_quoted_however_much_was_said_after_it() -> None:
    script = "echo 'fatal: write error: No space left on device' >&2; seq 9 >&2; exit 1"
    with pytest.raises(RigError, match=r"exit code 1: fatal: write error: No space left on device; 6; 7; 8; 9"):
        shell.output(("sh", "-c", script))


def test_a_log_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    with pytest.raises(RigError, match=r"/dev/full cannot be written: No space left on device"):
        shell.follow(("seq", "5"), log=Path("/dev/full"), env=dict(os.environ))


def test_a_command_that_fails_in_silence(tmp_path: Path) -> None:
    with pytest.raises(RigError, match=r"`false` .*exit code 1"):
        shell.output(("false",))


def test_a_missing_program_is_named_with_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(RigError, match=r"`no-such-program` .*No such file.*\./bootstrap"):
        shell.output(("no-such-program", "-x"))
    assert shell.follow(("no-such-program",), log=tmp_path / "log", env=dict(os.environ)) == 127
    assert "no-such-program: No such file" in (tmp_path / "log").read_text()


def test_a_limit_of_processes_is_named_with_what_to_do() -> None:
    script = "echo 'error: cannot fork() for pack-objects: Resource temporarily unavailable' >&2; exit 1"
    with pytest.raises(RigError, match=r"temporarily unavailable; this user \(.*ulimit -u.*\) .*end others, or raise it"):
        shell.output(("sh", "-c", script))
    said = shell.not_run("git", "Resource temporarily unavailable")
    assert "bootstrap" not in said
    assert said.startswith("`git` cannot be run: Resource temporarily unavailable; this user (")


def test_words_are_not_read_by_a_shell(tmp_path: Path) -> None:
    assert shell.output(("echo", "$HOME; touch x", tmp_path / "a b")) == f"$HOME; touch x {tmp_path}/a b"
    assert shell.quote(("a b", Path("c"), "$d")) == "'a b' c '$d'"


def test_a_followed_command_is_logged_line_by_line(tmp_path: Path) -> None:
    lines: list[str] = []
    code = shell.follow(
        ("sh", "-c", "echo one; echo two >&2; printf three; exit 3"), log=tmp_path / "log", env=dict(os.environ), line=lines.append
    )
    assert code == 3
    assert lines == ["one", "two", "three"]
    assert (tmp_path / "log").read_text().splitlines()[1:] == ["one", "two", "three"]
    assert (tmp_path / "log").read_text().startswith("$ sh -c ")


def test_an_interruption_ends_the_whole_group(tmp_path: Path) -> None:
    pids: list[int] = []

    def interrupt(line: str) -> None:
        pids.append(int(line))
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        shell.follow(("sh", "-c", "sleep 60 & echo $!; wait"), log=tmp_path / "log", env=dict(os.environ), line=interrupt)
    for _ in range(200):
        if not _runs(pids[0]):
            break
        time.sleep(0.01)
    assert not _runs(pids[0])


def test_a_mute_command_is_ended_with_all_that_it_started(tmp_path: Path) -> None:
    started = time.monotonic()
    with pytest.raises(BuildError, match=r"`sh -c .*` was ended: it said nothing for 0 seconds"):
        shell.output(("sh", "-c", f"sleep 60 & echo $! > {tmp_path}/pid; wait"), silence=0.4, error=BuildError)
    assert time.monotonic() - started < 20
    child, late = int((tmp_path / "pid").read_text()), time.monotonic() + 10
    while _runs(child) and time.monotonic() < late:
        time.sleep(0.05)  # it was killed, but a busy host takes its time
    assert not _runs(child)


def test_a_command_that_goes_on_talking_is_not_mute() -> None:
    assert (
        shell.output(("sh", "-c", "cat; for n in 1 2 3 4; do sleep 0.5; echo $n >&2; done; echo end"), stdin=b"in ", silence=1.5)
        == "in end"
    )


def test_a_command_that_does_not_heed_sigterm_is_killed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shell, "_GRACE", 0.1)
    with pytest.raises(RigError, match="said nothing"):
        shell.output(("sh", "-c", "trap '' TERM; sleep 60; sleep 60"), silence=0.3)


def test_a_variable_of_the_user_can_be_removed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_DIR", "/nowhere")
    assert shell.output(("sh", "-c", "echo ${GIT_DIR-unset}"), env={"GIT_DIR": None}) == "unset"


@pytest.mark.parametrize("call", ["output(command)", "follow(command, log=Path(sys.argv[1]), env=dict(os.environ))"])
def test_a_command_ends_with_the_rig(tmp_path: Path, call: str) -> None:
    code = f"""
import os, sys
from pathlib import Path
from harness.host import shell
command = ("sh", "-c", f"echo $$ > {{sys.argv[2]}}.new; mv {{sys.argv[2]}}.new {{sys.argv[2]}}; exec sleep 60")
shell.{call}
"""
    pid = tmp_path / "pid"
    with subprocess.Popen((sys.executable, "-c", code, tmp_path / "log", pid)) as rig:
        _wait(pid.exists)
        rig.kill()
    _wait(lambda: not _runs(int(pid.read_text())))


def test_stop_all_ends_what_other_threads_wait_for() -> None:
    ended: list[str] = []

    def work() -> None:
        with pytest.raises(RigError, match="exit code -15"):
            shell.output(("sleep", "60"))
        ended.append("ended")

    thread = threading.Thread(target=work)
    thread.start()
    _wait(lambda: bool(shell._running))
    shell.stop_all()
    thread.join(20)
    assert ended == ["ended"]


def _wait(done: Callable[[], bool]) -> None:
    for _ in range(1000):
        if done():
            return
        time.sleep(0.02)
    pytest.fail("it does not come to pass")


def _runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (ProcessLookupError, FileNotFoundError):
        return False


def test_a_command_that_is_attended_ends_as_it_wants(tmp_path: Path) -> None:
    log = tmp_path / "log"
    code = shell.attend(("sh", "-c", "echo said; echo too >&2; exit 3"), log=log, env=dict(os.environ), wanted=lambda: True)
    assert code == 3
    assert log.read_text() == "said\ntoo\n"


def test_a_command_that_is_not_wanted_any_more_is_ended(tmp_path: Path) -> None:
    began, answers = time.monotonic(), [True, False]
    code = shell.attend(("sleep", "60"), log=tmp_path / "log", env=dict(os.environ), wanted=lambda: answers.pop(0))
    assert code == -signal.SIGTERM
    assert time.monotonic() - began < 30
