# SPDX-License-Identifier: GPL-2.0-only
"""The mail to a mailing list: plain text of 75 columns, whatever it has to say."""

from __future__ import annotations

import re
import shlex
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.model.clock import Clock
from harness.model.records import SPACE
from harness.report import mail as mails
from harness.report import phrases, plaintext
from harness.report.contents import Content
from harness.stats import published
from tests.support import content, counted, make

LONG = "a_very_long_name_" * 9
EVIL = "\x1b[31m" + "é±名 " * 60


def mail(**other: Any) -> str:
    """Return the mail of a run that compared one test, unless `other` says more."""
    fields: dict[str, Any] = {"provenance": make.provenance(), "comparisons": (content.comparison(),), "results": (make.result(),)}
    return mails.mail(Content(**{**fields, **other}))


def line(of: str, beginning: str) -> list[str]:
    """Return the words of the first line that begins with a word."""
    return next(line.split() for line in of.splitlines() if line.split()[:1] == [beginning])


def is_plain(said: str) -> None:
    assert said.isascii()
    assert max(map(len, said.splitlines())) <= 75
    assert not [line for line in said.splitlines() if line != line.rstrip()]
    assert not set(said) & {chr(c) for c in range(32) if chr(c) != "\n"}


def test_a_mail_of_everything_keeps_to_its_columns() -> None:
    made = mails.mail(content.full())
    is_plain(made)
    places = [made.index(f"\n\n{words}") for words in content.SECTIONS.values() if words]
    assert places == sorted(places)


@pytest.mark.parametrize("name", [LONG, EVIL], ids=["long", "evil"])
def test_long_and_odd_names_stay_within_the_columns(name: str) -> None:
    made = mail(
        provenance=make.provenance(
            command=name, notes=(name,), patches={"stock": (), name: (name,)}, host=name, tools={name: name}, machines={name: name}
        ),
        comparisons=(content.comparison(test=name, variant=name, machine=name, against=name),),
        findings=(make.finding(title=name, test=name, text=f"{name}\n{name}"), make.finding(expected=name)),
        results=(make.result("error", reason=name, test=name),),
        histograms=(content.histogram(test=name, variant=name, highest=1e15),),
        sections=(content.section(test=name, variant=name, ended=name),),
        points=content.points(workload=name, variant=name, axis=name),
        locked=(counted.locked(name, 1 << 40, test=name, variant=name, machine=name, axis=name, size=1),),
    )
    is_plain(made)


def test_a_mail_has_the_longest_sections_of_a_sweep_at_both_ends() -> None:
    sizes = [counted.locked("f", longest, test="sweep_churn", axis="busy", size=longest * 10) for longest in (300, 100, 200)]
    assert re.search(r"sweep_churn +busy +stock +100 +300 +3\.00", mail(locked=tuple(sizes)))


def test_a_mail_has_the_tests_within_a_module_that_did_not_always_pass() -> None:
    found = (make.within(), make.within(test="mine/b"), make.within("failed", test="mine/b", boot=1))
    results = tuple(make.result(test="mine", boot=boot) for boot in (0, 1))
    made = mail(within=found[:1], results=results[:1])
    assert "1 test within the module: 1 passed in each load of each kernel." in made
    assert "not run" not in made
    made = mail(within=found, results=results)
    assert re.search(r"mine/a +x86_64 +stock +1 +- +- +1\n +mine/b +x86_64 +stock +1 +1 +- +-\n", made)


def test_a_mail_has_what_was_scaled_down_once() -> None:
    made = " ".join(mail(scaled=(make.scaled(), make.scaled(variant="mine"))).split())
    assert made.count("* arm32, 240 MiB, first_fit_test: aligned holes of 32 KiB, in place of 4096 KiB") == 1
    assert "Scaled down" not in mail()


def test_the_verdict_comes_first_and_the_limits_once() -> None:
    made = mail()
    assert made.index("* x86_64: faster: le_fit_alloc_test (-50.0 %); no unexpected finding.") < made.index("95 % interval")
    assert " ".join(made.split()).count("not cycles and not time") == 1


def test_a_comparison_has_its_interval_and_both_sides() -> None:
    made = mail()
    assert line(made, "le_fit") == ["le_fit", "-50.0", "-50.5", "to", "-49.5", "faster"]
    assert line(made[made.index("Medians") :], "le_fit") == ["le_fit", "5,120", "0.2", "2,560", "0.2"]
    assert "Medians in instructions/op" in made
    assert "samples / boots 6 / 3" in " ".join(made.split())


def test_a_mean_says_of_how_many_tests_it_is() -> None:
    nothing: dict[str, Any] = {"measured": None, "ratio": None, "interval": None, "verdict": "not compared"}
    some = (content.comparison(), content.comparison(test="b_fit_alloc_test"))
    assert "    Geometric mean of 2 tests: -50.0 % (95 % interval -50.1 to -49.9).\n" in mail(comparisons=some)
    told = " ".join(mail(comparisons=(*some, content.comparison(test="ne_fit_alloc_test", **nothing))).split())
    assert "Geometric mean of 2 of 3 tests, without ne_fit_alloc_test: -50.0 %" in told
    assert told.count("is no verdict") == 1
    assert "eometric" not in mail(comparisons=some[:1]), "of one test there is no mean"


def test_the_sign_is_explained_once() -> None:
    for whole in (content.full(), content.broken()):
        assert " ".join(mails.mail(whole).split()).count(phrases.SIGN) == 1


def test_known_bugs_are_told_by_variant_and_machine() -> None:
    made = mail(findings=(make.leak(),), results=make.known_results())
    is_plain(made)
    assert "* md_blocks are left (pcpu_alloc_test)" in made
    assert line(made[made.index("Known bugs of stock") :], "mine") == ["mine", "x86_64", "not", "seen:", "fixed"]


def test_tables_are_aligned() -> None:
    made = mail(comparisons=(content.comparison(), content.slower(test="long_busy_list_alloc_test")))
    table = made[made.index("    test") :].splitlines()[:3]
    assert [row.rstrip().rfind("  ") for row in table] == [table[0].rfind("  ")] * 3
    assert [row.index(figure) + len(figure) for row, figure in zip(table, ("change %", "-50.0", "+50.0"), strict=True)] == [
        table[0].index("change %") + len("change %")
    ] * 3


def test_a_regression_is_marked() -> None:
    made = mail(comparisons=(content.slower(),))
    assert "slower (R)" in made
    assert "(R) is a regression: slower by more than 5 %." in made
    assert "(R)" not in mail(comparisons=(content.slower(2.0),))


def test_what_is_undecided_says_what_would_decide() -> None:
    assert "undecided, +12 boots" in mail(comparisons=(content.comparison(verdict="undecided", more=12),))


def test_stock_alone_has_no_columns_for_others() -> None:
    alone = content.comparison(variant="", measured=None, ratio=None, interval=None, verdict="not compared")
    made = mail(provenance=make.provenance(stock_only=True), comparisons=(alone,))
    assert "Stock-only run" in made
    assert "interval" not in made
    assert "5,120" in made


def test_clocks_have_tables_of_their_own() -> None:
    wall = content.comparison(clock=Clock.WALL, baseline=content.summary((777.0,), unit="ns/op"))
    made = mail(comparisons=(content.comparison(), wall))
    assert "clock icount" in made
    assert "clock wall" in made
    assert made.index("5,120") < made.index("in ns/op") < made.index("777")
    assert "1 % (icount)" in made


def test_space_has_a_table_of_its_own() -> None:
    space = content.slower(test="churn_space_test", threshold=5.0, baseline=content.summary(*[(1187.0,)] * 3, unit=SPACE))
    made = mail(comparisons=(content.comparison(), space))
    assert made.index("5,120") < made.index("larger") < made.index(f"in {SPACE}") < made.index("1,187")
    assert "(R) is a regression: larger by more than 5 %." in made


def test_latency_sections_and_growth() -> None:
    made = mail(
        histograms=(content.histogram(), content.histogram(variant="mine")), sections=(content.section(),), points=content.points()
    )
    assert line(made[made.index("Latency") :], "le_fit") == ["le_fit", "stock", "5,100", "5,200", "7,000", "90,210"]
    assert "1,000,000" in made
    assert "500,000 instructions" in " ".join(made.split())
    assert line(made, "busy") == ["busy", "long", "stock", "1.00", "(1.00", "to", "1.00)", "linear"]


def test_the_publication_stands_beside_ours() -> None:
    made = mail(published=published.load())
    assert line(made, "x86_64") == ["x86_64", "le_fit", "-7.7", "to", "-5.9", "-50.0", "1.86", "same"]
    assert "Published" not in mail()


def test_findings_have_the_lines_that_matter() -> None:
    many = "\n".join(("before", "kernel BUG at mm/vmalloc.c:512!", *(f"line {n}" for n in range(40))))
    made = mail(findings=(make.finding(text=many), make.finding(expected="an overflow", text="known lines")))
    assert "      kernel BUG at mm/vmalloc.c:512!\n      line 0\n" in made
    assert "      line 10\n" in made
    assert "line 11" not in made
    assert "before" not in made
    assert "in align_shift_alloc_test, x 1 boot: an overflow" in " ".join(made.split())
    assert "known lines" not in made
    assert "None." not in made
    repeats = "invoke test --machine x86_64 --variant stock --profile perf \\\n      --tests align_shift_alloc_test --scale quick\n"
    assert f"\n\n  Again:\n\n      {repeats}" in made
    assert "None." in mail()


def test_a_mail_begins_with_headlines_and_judges_patch_by_patch() -> None:
    made = mails.mail(content.broken())
    is_plain(made)
    said = " ".join(made.split())
    bug = "bug in alloc_vmap_area, mm/vmalloc.c:512"
    assert f"* my-series@2: BROKEN - 1 cause: {bug}, first in exact_hole_test (x 3 boots)" in said
    assert said.index("* my-series@1: SAME") < said.index("* my-series: BROKEN") < said.index("* x86_64: slower")
    matrices = made[made.index("my-series patch by patch, change in %") :]
    assert line(matrices, "le_fit") == ["le_fit", "+0.00", "same", "+0.00", "same", "+14.0", "slower", "(R)"]
    assert line(matrices, "exact_hole") == ["exact_hole", "ok", "FAILED", "FAILED", "as", "before"]
    assert said.count(f"first bad: 0002-off-by-one.patch (my-series@2, {bug} in exact_hole_test)") == 2
    assert made.count(content.BUG) == 1


def test_two_runs_are_compared_under_their_names() -> None:
    before = make.provenance(run="20260101-000000-aaaa", started="yesterday", audited={"x86_64/mine/perf": "2026-01-01: same"})
    made = mail(comparisons=(content.comparison(against=before.run),), results=(), before=before)
    assert "run 20260102-030405-abcd against run 20260101-000000-aaaa" in made
    assert "mine against 20260101-000000-aaaa" in made
    assert "yesterday" in made
    assert made.count("* x86_64/mine/perf: audited 2026-01-01: same\n") == 1, "of the run whose kernels were audited"


def test_an_empty_run_says_what_is_missing() -> None:
    made = mail(comparisons=(), results=())
    assert "nothing was compared" in made
    assert "invoke sweep" in made
    assert "Findings" not in made


@given(st.lists(st.lists(st.text(max_size=90), min_size=4, max_size=4), max_size=5))
def test_any_table_stays_within_the_columns(cells: list[list[str]]) -> None:
    is_plain(plaintext.table(("test", "one", "two", "three"), cells))


@given(st.text())
def test_any_paragraph_stays_within_the_columns(said: str) -> None:
    is_plain(plaintext.paragraph(said) + "\n" + plaintext.item(said) + "\n" + plaintext.quoted(said, 5))


def test_a_command_is_copied_from_a_mail_as_it_is() -> None:
    words = "invoke test --machine x86_64 --variant mine --profile debug --tests mix_stress_test --series '/a b/mine' --loops 0.1"
    made = plaintext.command(words)
    assert max(map(len, made.splitlines())) <= plaintext.WIDTH
    assert shlex.split(made.replace("\\\n", "")) == shlex.split(words)
    assert plaintext.command("invoke down") == "      invoke down"
    assert plaintext.command(f"invoke test --series /{'x' * 80}") == "", "cut it would be another"
    assert plaintext.command("invoke test --series '/tmp/série'") == "", "and so it would in other letters"
