# SPDX-License-Identifier: GPL-2.0-only
"""The log of what is said has all of it, whoever says it."""

from __future__ import annotations

import os
import re
import sys
import threading
from pathlib import Path

import pytest

from harness.commands.transcript import Transcript
from harness.errors import RigError

TIME = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+00:00 "


def lines(file: Path) -> list[str]:
    return [re.sub(f"^{TIME}", "", line) for line in file.read_text().split("\n")[:-1]]


def test_a_line_is_on_the_disk_as_soon_as_it_is_whole(tmp_path: Path) -> None:
    with Transcript(tmp_path / "new/log") as transcript:
        transcript.add("one\ntw")
        assert lines(transcript.file) == ["one"]
        transcript.add("o\n")
        assert lines(transcript.file) == ["one", "two"]
        transcript.add("cut sh")
    assert lines(tmp_path / "new/log") == ["one", "two", "cut sh"]


def test_the_terminal_is_not_changed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with Transcript(tmp_path / "log") as transcript:
        with transcript.listening():
            print("\x1b[31mred\x1b[0m \x1b]8;;http://x\x1b\\link\a")
            print("trouble", file=sys.stderr)
            assert not sys.stdout.isatty(), "nothing in a log moves"
        print("later")
    assert capsys.readouterr() == ("\x1b[31mred\x1b[0m \x1b]8;;http://x\x1b\\link\a\nlater\n", "trouble\n")
    assert lines(tmp_path / "log") == ["red link", "trouble"]


def test_a_log_goes_on_where_it_was_moved(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    with Transcript(tmp_path / "log") as transcript:
        transcript.note("before")
        transcript.move(tmp_path / "run/log")
        transcript.note("after")
    assert lines(tmp_path / "run/log") == ["before", "after"]
    assert not (tmp_path / "log").exists()


def test_what_cannot_be_written_or_moved_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(RigError, match="file/log cannot be written: "):
        Transcript(tmp_path / "file/log")
    with Transcript(tmp_path / "log") as transcript:
        with pytest.raises(RigError, match=r"log cannot be moved to .*none/log: No such file"):
            transcript.move(tmp_path / "none/log")
        transcript.note("goes on")
    assert lines(tmp_path / "log") == ["goes on"]


def test_a_pipe_in_the_place_of_the_log_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "log")
    with pytest.raises(RigError, match=r"log cannot be written: it is not a regular file"):
        Transcript(tmp_path / "log")


def test_threads_do_not_tear_each_others_lines(tmp_path: Path) -> None:
    with Transcript(tmp_path / "log") as transcript:

        def write(number: int) -> None:
            for _ in range(200):
                transcript.note(f"{number}" * 50)

        threads = [threading.Thread(target=write, args=(number,)) for number in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    written = lines(tmp_path / "log")
    assert len(written) == 800
    assert set(written) == {f"{n}" * 50 for n in range(4)}


def test_who_still_writes_when_it_is_closed_disturbs_nobody(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with Transcript(tmp_path / "log") as transcript, transcript.listening():
        kept = sys.stdout
    kept.write("late\n")
    assert capsys.readouterr().out == "late\n"
    assert lines(tmp_path / "log") == []
