# SPDX-License-Identifier: GPL-2.0-only
"""A build on a worker's host is a process of its own, which tells what it does and ends when nobody wants it."""

from __future__ import annotations

import itertools
from pathlib import Path
from types import SimpleNamespace

import msgspec
import pytest

pytest.importorskip("distributed", reason="NOT TESTED: distributed is not installed; ./bootstrap installs it")

from harness.cluster import artifacts, build_task, revision, worker
from harness.cluster.build_task import BuildAnswer, BuildTask
from harness.errors import RigError
from harness.model.matrix import Base
from tests.support import built_there


@pytest.fixture
def mine(base: Base) -> BuildTask:
    return built_there.task(base)


def test_a_process_answers_for_the_cache_of_its_client(mine: BuildTask, tmp_path: Path, said: list[str]) -> None:
    answer = worker.kernel(mine, tmp_path, lambda: True, said.append)
    assert "another compiler or linker for x86_64/stock/perf" in answer.refused or "cannot build" in answer.refused
    assert not list((tmp_path / "builds").iterdir()), "nothing of the task is left"


def test_a_build_tells_at_once_that_it_has_begun(mine: BuildTask, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[tuple[str, object]] = []
    played = SimpleNamespace(name="w1", log_event=lambda *words: told.append(words), get_current_task=lambda: "a key")
    monkeypatch.setattr(worker, "get_worker", lambda: played)
    monkeypatch.setattr(revision, "refusal", lambda *_: "")

    def kernel(*_: object) -> BuildAnswer:
        assert told == [("rig-the-run", {"cell": "x86_64/stock/perf", "text": "begun on w1"})]
        return BuildAnswer(lacks=True)

    monkeypatch.setattr(worker, "kernel", kernel)
    assert build_task.answer(worker.build(build_task.packed(mine))) == BuildAnswer("w1", lacks=True)


def test_a_build_that_nobody_wants_is_ended(mine: BuildTask, tmp_path: Path, said: list[str]) -> None:
    asked = itertools.count()
    with pytest.raises(RigError, match="x86_64/stock/perf was ended: the client does not want it any more"):
        worker.kernel(mine, tmp_path, lambda: next(asked) < 2, said.append)


def test_a_process_that_fails_is_told_by_its_last_words(mine: BuildTask, tmp_path: Path, said: list[str]) -> None:
    odd = msgspec.structs.replace(mine, environment={"PYTHONHOME": "/nowhere"})
    with pytest.raises(RigError, match="x86_64/stock/perf ended with exit code 1: "):
        worker.kernel(odd, tmp_path, lambda: True, said.append)


def test_what_was_made_is_packed_in_the_cache_of_the_client(
    mine: BuildTask, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, said: list[str]
) -> None:
    came = built_there.answer(tmp_path)

    def attend(program: str, folder: Path, *_: object) -> None:
        bare = tuple(msgspec.structs.replace(made, archive=b"") for made in came.made)
        (folder / build_task.ANSWER).write_bytes(build_task.packed(BuildAnswer(made=bare)))

    monkeypatch.setattr(worker, "_attend", attend)
    answer = worker.kernel(mine, tmp_path, lambda: True, said.append)
    assert [made.artifact for made in answer.made] == [made.artifact for made in came.made]
    for made in answer.made:
        artifacts.receive(tmp_path / "home", made.artifact, "w1", made.archive, first=True, last=True)
        assert artifacts.digest(tmp_path / "home" / made.artifact.place) == made.artifact.digest
