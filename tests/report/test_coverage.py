# SPDX-License-Identifier: GPL-2.0-only
"""Lines of a series that ran, as they are shown: a sentence, a table by patch, the lines that never did, and JSON."""

from __future__ import annotations

import json
from collections.abc import Sequence

import msgspec

from harness.model.coverage import ChangedLines, Reached
from harness.report import coverage as shows
from harness.stats import coverage
from harness.stats.coverage import Coverage
from tests.support.counted import changed, reached
from tests.support.screen import lines_on_terminal


def found(*records: Reached, of: Sequence[ChangedLines] = ()) -> list[Coverage]:
    return coverage.coverage(of or [changed(10, 11, 12)], records, {})


def shown(every: Sequence[Coverage], width: int = 80) -> list[str]:
    return lines_on_terminal(shows.tables(every), width=width)


def test_a_sentence_says_how_many_ran() -> None:
    (some,), (all_,) = found(reached("a_test", 10)), found(reached("a_test", 10, 11, 12))
    assert shows.sentence(some) == "mine: 1 of 3 changed lines ran, 2 never did"
    assert shows.sentence(all_) == "mine: 3 of 3 changed lines ran"
    (one,) = found(reached("a_test"), of=[changed(10)])
    assert shows.sentence(one) == "mine: 0 of 1 changed line ran, 1 never did"


def test_the_table_has_a_row_for_each_patch_and_the_lines_that_never_ran() -> None:
    rows = shown(found(reached("a_test", 10)))
    cells = [row.split() for row in rows]
    assert ["patch", "file", "lines", "ran"] in cells
    assert ["0001-a.patch", "mm/vmalloc.c", "3", "1"] in cells
    assert rows[-2:] == ["  mm/vmalloc.c:11: line 11;", "  mm/vmalloc.c:12: line 12;"]


def test_of_several_profiles_each_has_a_column() -> None:
    rows = [row.split() for row in shown(found(reached("a_test", 10), reached("a_test", 10, 11, profile="debug")))]
    assert ["patch", "file", "lines", "ran", "perf", "debug"] in rows
    assert ["0001-a.patch", "mm/vmalloc.c", "3", "2", "1", "2"] in rows


def test_text_of_a_source_changes_no_terminal() -> None:
    (of,) = [changed(10)]
    evil = msgspec.structs.replace(of, lines=(msgspec.structs.replace(of.lines[0], text="\tx[0] = '\x1b[31m'; [bold]"),))
    assert shown(found(reached("a_test"), of=[evil]))[-1] == "  mm/vmalloc.c:10: x[0] = '[31m'; [bold]"


def test_it_fits_a_terminal() -> None:
    patch = "../fixes/0002-percpu-free-the-block-metadata-of-a-chunk-that-is-destroyed.patch"
    rows = shown(found(reached("a_test", 10), reached("a_test", 10, profile="debug"), of=[changed(10, 11, patch=patch)]))
    assert max(map(len, rows)) <= 80


def test_json_has_every_line_and_the_tests_in_which_it_ran() -> None:
    ran = (reached("boot", 10), reached("a_test", 10), reached("a_test", 10, machine="aarch64"))
    named = {"variant": "mine", "patch": "0001-a.patch", "file": "mm/vmalloc.c"}
    assert json.loads(shows.as_json(found(*ran, of=[changed(10, 11)]))) == [
        {
            **named,
            "line": 10,
            "text": "\tline 10;",
            "reached": [
                {"machine": "x86_64", "profile": "perf", "tests": ["boot", "a_test"]},
                {"machine": "aarch64", "profile": "perf", "tests": ["a_test"]},
            ],
        },
        {**named, "line": 11, "text": "\tline 11;", "reached": []},
    ]
    assert json.loads(shows.as_json([])) == []


def test_a_test_of_which_nothing_is_known_is_named() -> None:
    (of,) = found(reached("le_fit_alloc_test", 10), reached("hangs_test", told=False))
    assert shows.sentence(of).endswith("; what ran is not known of hangs_test on x86_64, perf")
