# SPDX-License-Identifier: GPL-2.0-only
"""Lines of a patched source are found in the files of the patches."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from harness import paths
from harness.model.coverage import ChangedLine, ChangedLines
from harness.model.run_folder import Run
from harness.model.summary import InPatch
from harness.runs import patch_places

PATCH = """\
Subject: x

+++ b/no.c in the text
---
 mm/a.c | 3 +++
--- a/mm/a.c
+++ b/mm/a.c
@@ -10,2 +10,4 @@ int f(void)
 context
+\treturn x;
+++ y;
 context
@@ -50 +52,2 @@
 context
+\treturn x;
--- a/mm/b.c
+++ b/mm/b.c
@@ -0,0 +1 @@
+new
\\ No newline at end of file
"""


def test_lines_are_known_by_their_file_text_and_number() -> None:
    assert patch_places.added(PATCH) == {
        ("mm/a.c", "\treturn x;"): [(11, 10), (53, 15)],
        ("mm/a.c", "++ y;"): [(12, 11)],
        ("mm/b.c", "new"): [(1, 19)],
    }


@pytest.mark.parametrize("text", ["", "no patch", "@@ -1,9999999 +1,9999999 @@\n+a", "\0", "+++ \n@@ -1 +1 @@\n"])
def test_what_is_no_patch_adds_no_line_of_a_file(text: str) -> None:
    assert not [file for file, _ in patch_places.added(text) if file]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """A run of a series of the project's, with a line that is in the patch twice and one that is not there."""
    monkeypatch.setattr(paths, "PROJECT", tmp_path)
    series = tmp_path / "kernel_patches/4.18/mine"
    series.mkdir(parents=True)
    (series / "0001-a.patch").write_text(PATCH)
    made = Run(tmp_path / "run")
    lines = [
        ChangedLine("mm/a.c", number, text, patch, (1,))
        for number, text, patch in ((60, "\treturn x;", "0001-a.patch"), (9, "gone", "0001-a.patch"), (1, "new", "0002-b.patch"))
    ]
    made.add([ChangedLines("x86_64", "mine", "perf", tuple(lines))])
    plan(made, str(series))
    return made


def plan(run: Run, series: str | None) -> None:
    cell = {"cell": {"variant": {"name": "mine", "series": series}}}
    (run.folder / "plan.json").write_bytes(msgspec.json.encode({"cells": [cell]}))


def test_a_line_is_that_of_its_text_which_moved_least(run: Run) -> None:
    places = patch_places.of(run)
    folder = "kernel_patches/4.18/mine"
    assert places.folders == {"mine": folder}
    assert places.lines == {
        ("mine", "mm/a.c", 60): InPatch("0001-a.patch", f"{folder}/0001-a.patch", 15),
        ("mine", "mm/a.c", 9): InPatch("0001-a.patch", "", 0),
        ("mine", "mm/a.c", 1): InPatch("0002-b.patch", "", 0),
    }


def test_a_series_from_elsewhere_has_no_place_in_the_project(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(paths, "PROJECT", tmp_path / "elsewhere")
    places = patch_places.of(run)
    assert places.folders == {}
    assert places.lines["mine", "mm/a.c", 60] == InPatch("0001-a.patch", "", 15)


@pytest.mark.parametrize("series", [None, "/nowhere", "/dev/null", "\0", "x" * 5000])
def test_without_the_series_the_patch_alone_is_known(run: Run, series: str | None) -> None:
    plan(run, series)
    assert patch_places.of(run).lines["mine", "mm/a.c", 60] == InPatch("0001-a.patch", "", 0)


@pytest.mark.parametrize("content", [None, b"{", b"{}", b'{"cells": [1]}'])
def test_a_plan_that_cannot_be_read_costs_nothing_else(run: Run, content: bytes | None) -> None:
    (run.folder / "plan.json").unlink() if content is None else (run.folder / "plan.json").write_bytes(content)
    assert set(patch_places.of(run).lines) == {("mine", "mm/a.c", number) for number in (60, 9, 1)}
