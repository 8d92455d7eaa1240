# SPDX-License-Identifier: GPL-2.0-only
"""The log of a bisect: found by its name or path, read whole, and refused where a line makes no sense."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness import paths
from harness.errors import UsageError
from harness.model.bisection import Begun, Concluded, Tried
from harness.model.selection import Selection
from harness.runs import bisect_log
from harness.runs.bisect_log import BisectLog

BEGUN = Begun("now", "invoke bisect", Selection(tests="vmap_test"), "mine", ("a",), ("a",), ("m",), ("t",), "failure", 1, 0, "0")
TRIED = Tried("m", 1, "failed", what="it did")


@pytest.fixture
def log(results: Path) -> BisectLog:
    made = bisect_log.new()
    for line in (BEGUN, TRIED):
        made.add(line)
    return made


def test_what_is_written_is_read(log: BisectLog) -> None:
    assert log.read() == (BEGUN, [TRIED], None)
    end = Concluded("then", ("m: found.",))
    log.add(end)
    assert log.read() == (BEGUN, [TRIED], end)


def test_a_line_that_was_cut_off_is_left_out_and_written_over(log: BisectLog) -> None:
    with log.file.open("ab") as file:
        file.write(b'{"type":"tried"')
    assert log.read() == (BEGUN, [TRIED], None)
    log.add(TRIED)
    assert log.read() == (BEGUN, [TRIED, TRIED], None)


def test_it_is_found_by_name_folder_or_file(log: BisectLog, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = log.run.folder
    assert folder.parent == paths.RESULTS / "bisect"
    for name in ("", folder.name, str(folder), str(log.file)):
        assert bisect_log.find(name).file == log.file
    monkeypatch.chdir(folder.parent)
    assert bisect_log.find(f"./{folder.name}").file == log.file


def test_the_newest_one_is_gone_on_with(log: BisectLog) -> None:
    later = BisectLog(log.run.folder.with_name("29990101-000000-0000"))
    later.add(BEGUN)
    assert bisect_log.find("").file == later.file


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "does not begin as the log of a bisect does"),
        ("{}\n", r"bisect\.jsonl:1: .*; remove the line, and what it says is tried again"),
        ('{"type":"tried","machine":"m","prefix":1,"showed":"passed"}\n', "does not begin as the log of a bisect does"),
        ("\xff\xfe\n", r"bisect\.jsonl:1: "),
        ('{"type":"tried","machine":"m","prefix":-1,"showed":"passed"}\n', r"bisect\.jsonl:1: "),
        ('{"type":"tried","machine":"m","prefix":1,"showed":"perhaps"}\n', r"bisect\.jsonl:1: "),
    ],
)
def test_what_makes_no_sense_is_refused(log: BisectLog, text: str, said: str) -> None:
    log.file.write_text(text, encoding="latin-1")
    with pytest.raises(UsageError, match=said):
        log.read()


def test_a_damaged_line_has_its_number(log: BisectLog) -> None:
    log.file.write_bytes(log.file.read_bytes() + b"{]\n")
    with pytest.raises(UsageError, match=r"bisect\.jsonl:3: "):
        log.read()


@pytest.mark.parametrize("name", ["", "nowhere", "/etc/passwd"])
def test_none_is_said_so(results: Path, name: str) -> None:
    said = f"'{name}'" if name else "to resume"
    with pytest.raises(UsageError, match=f"There is no bisect {said}"):
        bisect_log.find(name)
