# SPDX-License-Identifier: GPL-2.0-only
"""Work in parallel threads where the host gives no more of them."""

from __future__ import annotations

import threading

import pytest

from harness.host import parallel


def test_work_that_runs_is_ended_if_the_next_has_no_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    ended, start = threading.Event(), threading.Thread.start

    def only_one(thread: threading.Thread) -> None:
        monkeypatch.setattr(threading.Thread, "start", refused)
        start(thread)

    def refused(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", only_one)
    with pytest.raises(RuntimeError, match="can't start new thread"):
        parallel.side_by_side(lambda _: ended.wait(5), [1, 2], 2, stop=ended.set)
    assert ended.is_set(), "it was waited for instead"
