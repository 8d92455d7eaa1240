# SPDX-License-Identifier: GPL-2.0-only
"""Deadlines: they pass, but not because the host stood still."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

import pytest

from harness.errors import UsageError
from harness.host import deadline
from harness.host.deadline import Deadline, OwnTime
from harness.paths import PROJECT
from tests.support.times import FakeTime

SLEEPS = """\
import sys
from harness.host.deadline import Deadline, POLL, own_time
import time
late = Deadline(3.0)
print("begun", flush=True)
while not late.over and own_time().lost < 1:
    time.sleep(POLL)
print("over" if late.over else "waits", flush=True)
"""


def test_a_deadline_passes() -> None:
    now = FakeTime()
    late = Deadline(2.0, now)
    assert not late.over
    now.ran = 1.9
    assert not late.over
    now.ran = 2.0
    assert late.over


def test_a_jump_of_the_time_is_nobodys() -> None:
    ticks = iter([100.0, 100.5, 130.5, 131.0])
    own = OwnTime(lambda: next(ticks))
    assert (own.ran, own.ran) == (0.5, 1.5), "a second of the jump may be a delay"
    assert (own.lost, own._ran) == (29.0, 2.0)


def test_a_deadline_waits_while_the_host_stands_still() -> None:
    late = Deadline(5.0, OwnTime(iter([0.0, 0.0, 0.0, 0.5, 30.5, 31.0, 31.5, 32.5, 33.5, 34.5]).__next__))
    assert [late.over for _ in range(7)] == [False] * 6 + [True]


def test_a_call_that_blocks_is_no_jump() -> None:
    own = deadline.own_time()
    ran, lost = own.ran, own.lost
    time.sleep(1.5)
    assert own.ran - ran >= 1.4
    assert own.lost == lost


def test_who_follows_looks_as_often() -> None:
    looks = []

    class Follower:
        def look(self) -> None:
            looks.append(1)

    own, follower = OwnTime(), Follower()
    own.follow(follower)
    own.beat()
    own.beat()
    assert len(looks) == 2
    del follower
    own.beat()
    assert len(looks) == 2, "it is gone"


def test_a_process_that_was_stopped_has_not_waited() -> None:
    process = subprocess.Popen([sys.executable, "-c", SLEEPS], cwd=PROJECT, stdout=subprocess.PIPE, text=True)
    assert process.stdout
    assert process.stdout.readline() == "begun\n"
    os.kill(process.pid, signal.SIGSTOP)
    time.sleep(4.0)
    os.kill(process.pid, signal.SIGCONT)
    assert process.communicate(timeout=20)[0] == "waits\n"


@pytest.mark.parametrize("told", ["0", "-1", "inf", "nan", "soon", ""])
def test_patience_has_to_be_a_number(monkeypatch: pytest.MonkeyPatch, told: str) -> None:
    monkeypatch.setenv("RIG_PATIENCE", told)
    with pytest.raises(UsageError, match=f"RIG_PATIENCE .*above 0.*'{told}'"):
        deadline.patience()


def test_a_follower_that_fails_does_not_stop_the_beat() -> None:
    class Broken:
        def look(self) -> None:
            raise ProcessLookupError(3, "No such process")

    class Seen:
        looks = 0

        def look(self) -> None:
            self.looks += 1

    own, broken, seen = OwnTime(), Broken(), Seen()
    own.follow(broken)
    own.follow(seen)
    own.beat()
    own.beat()
    assert seen.looks == 2


def test_a_deadline_that_passed_while_most_time_was_lost_is_in_doubt() -> None:
    of = FakeTime()
    of.lost, of.ran = 100.0, 5.0
    late = Deadline(10.0, of)
    of.ran, of.lost = 16.0, 110.0
    assert late.over
    assert late.doubt == 0.0, "what was lost before does not matter, nor less than half"
    of.lost = 112.0
    assert late.doubt == 12.0
