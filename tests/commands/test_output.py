# SPDX-License-Identifier: GPL-2.0-only
"""Output that cannot be written costs no run, and is not lost in silence; an error that nobody foresaw is a sentence."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from harness import paths, text
from harness.commands import uncaught
from harness.errors import UsageError

LOST = "kernel-patch-rig: not all of the output could be written: {}.\n"


def python(body: str, redirect: str = "", **env: str) -> subprocess.CompletedProcess[str]:
    """Run a program with the rig's handlers in a shell; `redirect` is what follows it there."""
    program = f"from harness.commands import uncaught\nuncaught.install()\n{body}"
    command = ("bash", "-c", f'set -o pipefail; "$0" -c "$1" {redirect}', sys.executable, program)
    return subprocess.run(command, cwd=paths.PROJECT, env={**os.environ, **env}, capture_output=True, text=True, check=False)


@pytest.mark.parametrize(
    ("redirect", "reason"), [("| true", "Broken pipe"), (">/dev/full", "No space left on device")], ids=["pipe", "full"]
)
def test_work_goes_on_without_a_reader_and_says_so(tmp_path: Path, redirect: str, reason: str) -> None:
    body = f"for n in range(99999): print(n)\nopen({str(tmp_path / 'done')!r}, 'w').close()"
    done = python(body, redirect)
    assert done.returncode == 1
    assert done.stderr == LOST.format(reason)
    assert (tmp_path / "done").exists(), "what it was about came to its end"


def test_a_reader_that_has_ended_ends_what_has_no_end() -> None:
    done = python("from harness.commands import output\nwhile True: output.write('line\\n' * 999)", "| head -1")
    assert (done.returncode, done.stdout, done.stderr) == (1, "line\n", LOST.format("Broken pipe"))


@pytest.mark.parametrize("closed", [">&-", "2>&-", "<&-", "<&- >&- 2>&-"])
def test_closed_streams_are_as_if_nobody_listened(tmp_path: Path, closed: str) -> None:
    body = f"""import sys
kept = open({str(tmp_path / "kept")!r}, "w")
print("out"), print("err", file=sys.stderr), sys.stdin.read(), sys.stdout.isatty()
assert kept.fileno() > 2, "or what is printed would land in it"
"""
    assert python(body, closed).returncode == 0
    assert (tmp_path / "kept").read_text() == ""


@pytest.mark.parametrize(
    "env",
    [{"PYTHONIOENCODING": "ascii"}, {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}],
    ids=["variable", "locale"],
)
def test_a_terminal_with_no_more_than_ascii_gets_words_for_signs(env: Mapping[str, str]) -> None:
    done = python(r"print('5 \u00b10.1 % \u2581\u2587 \u20ac')", **env)
    assert (done.returncode, done.stdout) == (0, "5 +-0.1 % 17 \\u20ac\n")


def test_signs_are_spelt() -> None:
    assert text.spelt("a ±1 × … ▁▄▇ é") == "a +-1 x ... 147 \\xe9"


def test_an_unforeseen_error_is_a_sentence_and_its_traceback_a_log(cache: Path) -> None:
    done = python("1 / 0")
    (log,) = (cache / "errors").iterdir()
    said = f"kernel-patch-rig: this is a bug of the rig: ZeroDivisionError: division by zero. The traceback is in {log}.\n"
    assert (done.returncode, done.stderr) == (1, said)
    assert "Traceback" in log.read_text()


def test_the_place_in_the_rig_is_named(cache: Path) -> None:
    done = python("from harness import text\ntext.plain(None)")
    assert "at harness/text.py:" in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_a_cache_that_cannot_hold_the_log_is_no_second_error(tmp_path: Path) -> None:
    done = python("1 / 0", RIG_CACHE="/dev/null/x", TMPDIR=str(tmp_path))
    assert f"The traceback is in {tmp_path}/kernel-patch-rig/errors/" in done.stderr
    nowhere = python("import tempfile\ntempfile.tempdir = '/dev/null/x'\n1 / 0", RIG_CACHE="/dev/null/x")
    assert nowhere.stderr == "kernel-patch-rig: this is a bug of the rig: ZeroDivisionError: division by zero.\n"


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (UsageError("it is so."), "kernel-patch-rig: it is so."),
        (
            OSError(28, "No space left on device", "/some/file"),
            "/some/file cannot be used: No space left on device; see by `df -h`",
        ),
        (RuntimeError("can't start new thread"), "can't start new thread; this user ("),
        (OSError("odd"), "the system refuses: odd. The traceback is in"),
        (MemoryError(), "the host has no memory left"),
        (ModuleNotFoundError("No module", name="rich"), "the Python module 'rich' is missing; ./bootstrap installs"),
        (ModuleNotFoundError("No module", name="harness.x"), "this is a bug of the rig: ModuleNotFoundError"),
        (ValueError(), "this is a bug of the rig: ValueError: no reason is given."),
        (ValueError("a\x1b[31m"), "this is a bug of the rig: ValueError: a[31m."),
    ],
    ids=repr,
)
def test_each_error_has_a_sentence(error: Exception, said: str) -> None:
    assert said in uncaught.sentence(error)


def test_a_mistake_needs_no_log(cache: Path) -> None:
    uncaught.sentence(UsageError("it is so."))
    assert not cache.exists()
