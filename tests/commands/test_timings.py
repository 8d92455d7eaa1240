# SPDX-License-Identifier: GPL-2.0-only
"""Where the seconds went."""

from __future__ import annotations

import atexit
import time

import pytest

from harness.commands import timings
from harness.commands.timings import Record
from harness.model.timing import Span
from harness.report import timings as report
from tests.support import screen


@pytest.fixture
def clock() -> list[float]:
    return [10.0]


def test_steps_last_until_the_next_one(clock: list[float]) -> None:
    record = Record(8.0, lambda: clock[0])
    for when, text in ((10, "configuring"), (11, "building file 1"), (12, "building file 2 of 30"), (15, "")):
        clock[0] = when
        record.at("build", "cell", text) if text else record.ended("build", "cell")
    clock[0] = 16
    record.at("test", "cell", "test 1 of 2: le_fit")
    record.ended("test", "never begun")
    clock[0] = 17
    assert record.spans() == (
        Span("build", "cell", "configuring", 2, 1),
        Span("build", "cell", "building file", 3, 4),
        Span("test", "cell", "test 1 of 2: le_fit", 8, 1),
    )
    assert record.seconds == 9


def test_the_table_has_what_lies_between() -> None:
    spans = (Span("build", "a", "[x]", 1, 2), Span("build", "b", "y", 1, 4), Span("test", "a", "z", 7, 1))
    shown = [line.split() for line in screen.on_terminal(report.table(spans, 9.0)).splitlines()]
    assert ["0.0", "1.0", "start"] in shown
    assert ["1.0", "2.0", "build", "a", "[x]"] in shown
    assert ["5.0", "2.0", "between", "build", "and", "test"] in shown
    assert ["8.0", "1.0", "after", "test"] in shown
    assert not any("1.0 2.0 between" in " ".join(line) for line in shown)


def test_the_option_may_stand_behind_any_task(monkeypatch: pytest.MonkeyPatch) -> None:
    registered: list[object] = []
    monkeypatch.setattr(atexit, "register", registered.append)
    words = ["build", "--timings", "test", "--scale", "quick"]
    timings.asked(words)
    assert words == ["build", "test", "--scale", "quick"]
    assert len(registered) == 1
    timings.asked(words)
    assert len(registered) == 1


def test_what_another_program_reads_stays_as_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    timings._show()
    out, err = capsys.readouterr()
    assert out == ""
    assert " s in all" in err


def test_this_process_began_before_now() -> None:
    assert 0 < timings.HERE.seconds < time.monotonic()
