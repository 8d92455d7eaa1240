# SPDX-License-Identifier: GPL-2.0-only
"""Commands of a scheduler and of workers, which are not started here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec
import pytest

from harness.cluster import address, certificates, daemons
from harness.cluster.daemons import Daemon, Resources
from harness.cluster.revision import Facts

FACTS = Facts("1" * 16, {})
HAS = Resources(2, 4000)


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, list[str], dict[str, str]]]:
    """Name, words and variables of each process that would have been started."""
    made: list[tuple[str, list[str], dict[str, str]]] = []

    def start(name: str, words: Sequence[str], more: Mapping[str, str]) -> Daemon:
        made.append((name, list(words), dict(more)))
        return Daemon(name, 1, 1)

    monkeypatch.setattr(daemons, "_start", start)
    return made


def behind(words: list[str], option: str) -> str:
    return words[words.index(option) + 1]


def test_a_session_stays_with_the_worker_that_it_was_given(started: list[tuple[str, list[str], dict[str, str]]]) -> None:
    daemons.scheduler(address.read("tls://127.0.0.1:8786", "--listen"), certificates.place(), 5.0)
    ((name, words, more),) = started
    assert (name, behind(words, "--host")) == ("scheduler", "tls://127.0.0.1:8786")
    assert more["DASK_DISTRIBUTED__SCHEDULER__WORK_STEALING"] == "False"
    assert more["DASK_DISTRIBUTED__SCHEDULER__WORKER_TTL"] == "5s"


def test_workers_have_files_of_their_own(started: list[tuple[str, list[str], dict[str, str]]]) -> None:
    at = address.read("tls://127.0.0.1:8786", "--listen")
    daemons.worker("w1", at, certificates.place(), FACTS, HAS)
    daemons.worker("me@a:22", at, certificates.place(), FACTS, HAS, "0123456789abcdef")
    assert [name for name, _, _ in started] == ["w1", "0123456789abcdef"], "a path with a colon is not built in"
    for (name, words, more), called in zip(started, ("w1", "me@a:22"), strict=True):
        assert more == {"RIG_CACHE": str(daemons.cache(name))}
        assert behind(words, "--local-directory") == str(daemons.cache(name))
        assert words[3] == called
        assert msgspec.json.decode(words[4], type=Resources) == HAS
        assert behind(words, "--host") == "tls://127.0.0.1:0"


def test_a_worker_listens_where_the_scheduler_is_reached(
    started: list[tuple[str, list[str], dict[str, str]]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(address.Address, "near", "10.0.0.9")
    daemons.worker("w1", address.read("tls://10.0.0.1:8786", "--listen"), certificates.place(), FACTS, HAS)
    assert behind(started[0][1], "--host") == "tls://10.0.0.9:0", "and on no other interface"
