# SPDX-License-Identifier: GPL-2.0-only
"""Tests that were scaled down, in rows, in sentences and in the page."""

from __future__ import annotations

import re

from harness.report.scaled import Row, rows, sentences
from tests.support import content, make
from tests.support.page import Page, page


def test_variants_profiles_clocks_and_boots_that_say_the_same_are_one_row() -> None:
    said = [make.scaled(variant=v, profile=p, boot=b) for v in ("stock", "mine") for p in ("perf", "debug") for b in range(2)]
    assert rows(said) == [Row("arm32", 240, "first_fit_test", "4096 KiB", "aligned holes of 32 KiB")]
    assert rows([]) == []


def test_rows_are_by_machine_range_and_test_in_the_order_asked_for() -> None:
    said = [
        make.scaled(machine=machine, mebibytes=mebibytes, test=test)
        for machine in ("zebra", "ant")
        for mebibytes in (872, 240)
        for test in ("zero_test", "a_test")
    ]
    assert [(row.machine, row.mebibytes, row.test) for row in rows(said)] == [
        (machine, mebibytes, test) for machine in ("zebra", "ant") for mebibytes in (240, 872) for test in ("zero_test", "a_test")
    ]


def test_one_test_that_did_different_things_has_a_row_for_each() -> None:
    done = [row.done for row in rows([make.scaled(done="two"), make.scaled(done="one"), make.scaled(done="two")])]
    assert done == ["one", "two"]


def test_a_sentence_counts_the_tests_of_a_machine() -> None:
    said = [make.scaled(), make.scaled(boot=1), make.scaled(mebibytes=872), make.scaled(machine="other", test="a_test")]
    said += [make.scaled(test="a_test")]
    assert sentences(said) == [
        "arm32: 2 tests scaled down to the vmalloc range; the report says how.",
        "other: 1 test scaled down to the vmalloc range; the report says how.",
    ]
    assert sentences([]) == []


def test_a_machines_name_does_not_change_the_terminal() -> None:
    (sentence,) = sentences([make.scaled(machine=content.EVIL)])
    assert "\x1b" not in sentence


def test_a_page_has_what_was_scaled_down_folded_and_once() -> None:
    said = [make.scaled(variant=variant, boot=boot) for variant in ("stock", "mine") for boot in range(3)]
    made = page(scaled=(*said, make.scaled(mebibytes=1872, done="aligned holes of 256 KiB")))
    _, _, section = made.partition('<h2 id="scaled">')
    section, _, _ = section.partition("<h2")
    assert re.search("<details><summary>2 rows: ", section)
    row = r"first_fit_test\s*aligned holes of {} KiB\s*4096 KiB\s*"
    assert re.search(rf"arm32\s*240\s*{row.format(32)}arm32\s*1,872\s*{row.format(256)}", Page(section).text)
    assert "scaled" not in Page(page()).ids, "as where ranges are large"
