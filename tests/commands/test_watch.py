# SPDX-License-Identifier: GPL-2.0-only
"""A tree is looked at whenever a file in it was written."""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.commands import watch
from harness.errors import UsageError
from tests.support.git import run_git


@pytest.fixture
def tree(kernel_source: Path) -> Path:
    """A checkout of the tiny source."""
    for command in (("init", "--quiet"), ("add", ".")):
        run_git(kernel_source, *command)
    commit(kernel_source)
    return kernel_source


def commit(tree: Path, *options: str) -> None:
    run_git(tree, "commit", "--quiet", *options, "-m", "Linux 4.18")


def silent(said: str) -> None:
    pytest.fail(said)


def test_only_other_edits_count(tree: Path) -> None:
    file = tree / "mm/vmalloc.c"
    committed = file.read_text()

    def writing(top: Path) -> Iterator[object]:
        for text in (committed, "one\n", "one\n", "two\n", committed):
            file.write_text(text)
            yield top

    seen = list(watch.saves(tree, silent, writing))
    assert [b"+one" in patch for patch in seen] == [False, True, False, False]
    assert [b"+two" in patch for patch in seen] == [False, False, True, False]
    assert (seen[0], seen[-1]) == (b"", b"")


def test_the_same_edits_of_another_head_count(tree: Path) -> None:
    (tree / "mm/vmalloc.c").write_text("one\n")

    def committing(top: Path) -> Iterator[object]:
        yield top
        commit(tree, "--allow-empty")
        yield top

    assert [b"+one" in patch for patch in watch.saves(tree, silent, committing)] == [True, True]


def test_edits_that_cannot_be_read_wait_for_the_next_save(tree: Path) -> None:
    head, said = tree / ".git/HEAD", list[str]()
    begun = head.read_text()

    def breaking(top: Path) -> Iterator[object]:
        yield top
        head.write_text("ref: refs/heads/none\n")
        yield top
        assert len(said) == 1
        head.write_text(begun)
        (tree / "mm/vmalloc.c").write_text("one\n")
        yield top

    assert [b"+one" in patch for patch in watch.saves(tree, said.append, breaking)] == [False, True]
    assert said == [f"{tree} has no commit yet; commit the kernel's source there before you edit it."]
    head.write_text("ref: refs/heads/none\n")
    with pytest.raises(UsageError, match="has no commit yet"):
        next(watch.saves(tree, silent, breaking))


def test_a_tree_that_vanishes(tree: Path) -> None:
    def vanishing(top: Path) -> Iterator[object]:
        yield top
        tree.rename(tree.with_name("elsewhere"))
        yield top

    with pytest.raises(UsageError, match=f"{tree} is gone"):
        list(watch.saves(tree, silent, vanishing))


def test_a_save_while_the_first_edits_are_tested_is_seen(tree: Path) -> None:
    file = tree / "mm/vmalloc.c"
    seen = watch.saves(tree, silent)
    assert next(seen) == b""
    new = tree / "mm/.vmalloc.c.new"
    new.write_text("1\n")
    new.rename(file)  # as many editors write
    assert b"+1" in next(seen)


def test_a_save_is_seen(tree: Path) -> None:
    file = tree / "mm/vmalloc.c"
    file.write_text("0\n")
    seen = watch.saves(tree, silent)
    assert b"+0" in next(seen)
    stop = threading.Event()

    def save() -> None:
        for number in itertools.count(1):
            if stop.wait(0.5):
                return
            file.write_text(f"{number}\n")
            time.sleep(0.5)

    saving = threading.Thread(target=save)
    saving.start()
    try:
        assert b"+0" not in next(seen)
    finally:
        stop.set()
        saving.join()
