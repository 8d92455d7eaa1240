# SPDX-License-Identifier: GPL-2.0-only
"""A tree is looked at whenever a file in it was written."""

from __future__ import annotations

import itertools
import os
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.commands import watch

_WHO = {f"GIT_{role}_{what}": "a@kernel.invalid" for role in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}


@pytest.fixture
def tree(kernel_source: Path) -> Path:
    """A checkout of the tiny source."""
    for command in (("init", "--quiet"), ("add", "."), ("commit", "--quiet", "-m", "Linux 4.18")):
        subprocess.run(("git", "-C", kernel_source, *command), env={**os.environ, **_WHO}, check=True)
    return kernel_source


def test_only_other_edits_count(tree: Path) -> None:
    file = tree / "mm/vmalloc.c"
    committed = file.read_text()

    def writing(top: Path) -> Iterator[object]:
        for text in (committed, "one\n", "one\n", "two\n", committed):
            file.write_text(text)
            yield top

    seen = list(watch.saves(tree, writing))
    assert [b"+one" in patch for patch in seen] == [True, False, False]
    assert [b"+two" in patch for patch in seen] == [False, True, False]
    assert seen[-1] == b""


def test_edits_that_are_there_come_at_once(tree: Path) -> None:
    (tree / "mm/vmalloc.c").write_text("one\n")
    assert [b"+one" in patch for patch in watch.saves(tree, lambda _: iter(()))] == [True]


def test_a_save_is_seen(tree: Path) -> None:
    file = tree / "mm/vmalloc.c"
    file.write_text("0\n")
    seen = watch.saves(tree)
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
