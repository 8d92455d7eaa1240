# SPDX-License-Identifier: GPL-2.0-only
"""What was handed out and waits is told once, with what it waits for; what has begun or ended is not."""

from __future__ import annotations

import pytest

from harness.cluster import waiting
from harness.cluster.waiting import Waiting

Told = list[tuple[str, str]]


@pytest.fixture
def told() -> Told:
    return []


@pytest.fixture
def waits(told: Told, monkeypatch: pytest.MonkeyPatch) -> Waiting:
    """Three that were handed out, which wait as soon as anybody looks."""
    monkeypatch.setattr(waiting, "_PATIENCE", 0.0)
    made = Waiting(lambda name, reason: told.append((name, reason)))
    for name in "abc":
        made.handed(name, lambda name=name: f"for {name}")  # type: ignore[misc]
    return made


def test_what_waits_is_told_once(waits: Waiting, told: Told) -> None:
    waits.begun("b")
    for _ in range(3):
        waits.look()
    assert told == [("a", "for a"), ("c", "for c")]


def test_it_is_told_again_when_it_was_handed_out_again(waits: Waiting, told: Told) -> None:
    waits.look()
    told.clear()
    waits.handed("a", lambda: "for another one")
    waits.look()
    assert told == [("a", "for another one")]


def test_it_is_not_told_before_its_time(told: Told) -> None:
    waits = Waiting(lambda name, reason: told.append((name, reason)))
    waits.handed("a", lambda: "")
    waits.look()
    waits.begun("never handed out")
    assert not told
