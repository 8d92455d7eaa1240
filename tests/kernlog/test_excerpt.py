# SPDX-License-Identifier: GPL-2.0-only
"""The lines of a log that are shown are those that tell of the failure."""

from __future__ import annotations

import pytest

from harness.kernlog import excerpt
from harness.model import catalog
from harness.suite import ktap
from harness.suite.execute import failures
from harness.suite.plan import Step
from tests.support import make

NOTES = "\n".join(f"[    1.{n:06d}] vmalloc_test: # note test=model_test thread={n} holes=1" for n in range(30))
RESULT = "[    2.000000] vmalloc_test: not ok 1 model_test # -EEXIST: overlap"
AFTER = "\n".join(f"[    3.{n:06d}] after {n}" for n in range(30))
LOG = f"{NOTES}\n{RESULT}\n{AFTER}\n"


def test_a_tests_failure_is_its_result_with_what_is_around_it() -> None:
    found = excerpt.failure(LOG, 101, "model_test")
    lines = found.text.splitlines()
    assert (len(lines), lines[10]) == (16, RESULT)
    assert (found.first, found.last) == (121, 136)
    assert LOG.splitlines()[found.first - 101] == lines[0]
    assert LOG.splitlines()[found.last - 101] == lines[-1]


def test_without_a_result_the_last_lines_are_what_is_known() -> None:
    found = excerpt.failure(LOG, 1, "another_test")
    assert (found.first, found.last) == (46, 61)
    assert found.text.splitlines()[-1].endswith("after 29")
    assert excerpt.failure("", 7, "model_test") == excerpt.Excerpt("", 7, 7)
    assert excerpt.failure(f"{RESULT}\r\n", 7, "model_test") == excerpt.Excerpt(RESULT, 7, 7)


def test_a_failed_tests_finding_has_the_lines_of_the_console() -> None:
    (test,) = (test for test in catalog.suite().tests if test.name == "model_test")
    said = "vmalloc_test: 1..1\nvmalloc_test: not ok 1 model_test # -EEXIST: overlap\n"
    (trouble,) = failures(Step(test), ktap.parse(said), 101, LOG)
    assert (trouble.kind, trouble.title, trouble.first, trouble.last) == ("test-failed", "-EEXIST: overlap", 121, 136)
    assert RESULT in trouble.text
    (silent,) = failures(Step(test), ktap.parse("vmalloc_test: 1..1\n"), 101, AFTER)
    assert silent.title == "the module did not report a result for every test"
    assert (silent.first, silent.last) == (115, 130)
    assert failures(Step(test), ktap.parse("vmalloc_test: 1..1\nvmalloc_test: ok 1 model_test # SKIP none\n"), 1, AFTER) == []


def test_a_number_that_cannot_be_fails_the_test() -> None:
    wrong = f"# note test=model_test thread=0 not_lowest={1 << 63}"
    said = f"vmalloc_test: 1..1\nvmalloc_test: {wrong}\nvmalloc_test: ok 1 model_test # SKIP none\n"
    (test,) = (test for test in catalog.suite().tests if test.name == "model_test")
    (trouble,) = failures(Step(test), ktap.parse(said), 1, said)
    assert trouble.title == f"the module printed a number that cannot be: {wrong}"


def test_samples_of_no_operation_are_none() -> None:
    (test,) = (test for test in catalog.suite().tests if test.name == "model_test")
    sample = "# sample test=model_test repeat=0 thread=0 cpu=0 ops={} ns=5"
    said = f"vmalloc_test: 1..1\nvmalloc_test: {sample}\nvmalloc_test: ok 1 model_test\n"
    assert [t.title for t in failures(Step(test), ktap.parse(said.format(0)), 1, said)] == ["model_test reported no sample"]
    assert failures(Step(test), ktap.parse(said.format(1)), 1, said) == []
    space = said.format(0).replace("ok 1", "# space test=model_test repeat=0 ops=1 held=2 span=3\nvmalloc_test: ok 1")
    assert failures(Step(test), ktap.parse(space), 1, space) == []


@pytest.mark.parametrize(
    ("title", "line"),
    [
        ("kernel BUG at mm/vmalloc.c:512!", "[    3.1] kernel BUG at mm/vmalloc.c:512!"),
        ("KASAN: use-after-free in vfree", "[    3.1] BUG: KASAN: use-after-free in vfree+0x10/0x20"),
        ("what is in no line", "[    3.0] ------------[ cut here ]------------"),
    ],
)
def test_a_kernels_report_is_shown_from_its_title_on(title: str, line: str) -> None:
    log = f"[    3.0] ------------[ cut here ]------------\n{line}\n{AFTER}" if "no line" not in title else f"{line}\n{AFTER}"
    shown = excerpt.matters(make.trouble(title=title, text=log), 8).splitlines()
    assert shown[0] == line
    assert len(shown) == 8


def test_a_failed_test_is_shown_with_what_is_around_its_result() -> None:
    shown = excerpt.matters(make.trouble(kind="test-failed", title="-EEXIST: overlap", text=LOG), 8).splitlines()
    assert (len(shown), shown[4]) == (8, RESULT)
    bare = excerpt.matters(make.trouble(kind="test-failed", title="the test failed", text=f"{NOTES}\n{RESULT}"), 8).splitlines()
    assert bare[-1] == RESULT


@pytest.mark.parametrize("kind", ["hang", "died", "load-failed", "test-failed"])
def test_of_a_silent_end_the_last_lines_are_shown(kind: str) -> None:
    shown = excerpt.matters(make.trouble(kind=kind, title="gone", text=AFTER), 8).splitlines()
    assert shown[-1] == AFTER.splitlines()[-1]
    assert len(shown) == 8
    assert excerpt.matters(make.trouble(kind=kind, title="gone", text=""), 8) == ""
