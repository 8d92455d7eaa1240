# SPDX-License-Identifier: GPL-2.0-only
"""A soak's folder and report, from its records: which growth is a leak, and what excuses it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
import pytest

from harness.errors import UsageError
from harness.model.clock import Clock
from harness.model.known_bugs import KnownBug
from harness.model.matrix import Base, load_base
from harness.model.records import Look
from harness.model.run_folder import Run
from harness.report import headlines
from harness.runs import conclude, dismissals, lifecycle
from harness.stats import leaks, slopes
from harness.stats.causes import fingerprint
from harness.stats.outcome import ExitCode, exit_code
from harness.suite import plan
from tests.support import make
from tests.support.looks import PAGE, growing


@pytest.fixture
def known(base: Base) -> Base:
    bug = KnownBug("soak", "leak", r"^slab cache kmalloc-\d+ grows by", "md_blocks")
    return msgspec.structs.replace(base, known_bugs=(bug,))


def stored(results: Path, base: Base, looks: Sequence[Look], **other: Any) -> Run:
    run = make.stored(results, planned=0, hours=0.4, seed=5, **other)
    plan.save(make.plan(base, hours=0.4, seed=5), run.folder / "plan.json")
    run.add(looks)
    return run


def test_a_leak_is_a_finding_with_its_cache_and_an_exit_code(results: Path, base: Base) -> None:
    run = stored(results, base, growing(30 * PAGE))
    outcome = conclude.conclude(run)
    (finding,) = outcome.findings
    assert (finding.trouble.kind, finding.test, finding.expected) == ("leak", "soak", "")
    assert finding.trouble.title == "slab cache kmalloc-512 grows by 120 KiB a round, 11.7 MiB an hour"
    assert exit_code(outcome) == ExitCode.FINDING
    for file in ("report.html", "report.md"):
        said = (run.folder / file).read_text()
        assert "leak" in said
        assert "kmalloc-512" in said
        assert "not complete" not in said


def test_a_leak_is_dismissed_by_its_fingerprint_in_this_soak_and_in_another(results: Path, base: Base) -> None:
    stock: dict[str, Any] = {"patches": {"stock": ()}}
    run = stored(results, base, growing(30 * PAGE), **stock)
    (finding,) = conclude.conclude(run).findings
    made = dismissals.dismiss(fingerprint(finding), "a cache of the board's driver")
    assert made.title == f"leak: {finding.trouble.title}"
    faster = stored(results, base, growing(50 * PAGE), name="20260103-030405-abcd", **stock)
    for each in (run, faster):
        outcome = conclude.conclude(each)
        assert exit_code(outcome) == ExitCode.GOOD
        assert [found.dismissed[12:] for found in outcome.findings] == ["a cache of the board's driver"]
        assert [r.outcome for r in outcome.results if r.test == leaks.TEST] == ["dismissed"]
        (headline,) = headlines.of_run(outcome)
        said = headlines.why(headline)
        assert "slopes of memory leak" in said
        assert "no leak" not in said
        assert said.endswith("1 cause dismissed")
    other = [msgspec.structs.replace(one, caches={"dentry": 512 + 30 * PAGE * one.round}) for one in growing(30 * PAGE)]
    assert exit_code(conclude.conclude(stored(results, base, other, name="20260104-030405-abcd"))) == ExitCode.FINDING


def test_rounds_that_failed_for_a_dismissed_finding_are_excused_in_every_boot(results: Path, base: Base) -> None:
    run = stored(results, base, growing(0))
    for boot in (0, 1):
        place = {"clock": Clock.WALL, "test": "mix_stress_test", "boot": boot}
        run.add([msgspec.structs.replace(make.finding(test="mix_stress_test"), boot=boot)])
        run.add([make.result("failed", reason="bug: kernel BUG at mm/vmalloc.c:512!", **place)])
    dismissals.dismiss(fingerprint(make.finding()), "ours")
    outcome = conclude.conclude(run)
    assert exit_code(outcome) == ExitCode.GOOD
    assert [r.outcome for r in outcome.results if r.test == "mix_stress_test"] == ["dismissed", "dismissed"]


def test_a_leak_in_a_cache_that_another_boot_has_no_look_at_is_drawn(results: Path, base: Base) -> None:
    (earlier,) = growing(0, 1, boot=0)
    looks = [msgspec.structs.replace(earlier, caches={"dentry": 512}), *growing(30 * PAGE, boot=1)]
    run = stored(results, base, looks)
    assert [f.boot for f in conclude.conclude(run).findings] == [1]
    assert "slab:kmalloc-512" in (run.folder / "report.html").read_text()


def test_a_cell_has_a_result_for_its_memory(base: Base) -> None:
    def outcome(looks: list[Look]) -> tuple[str, str]:
        found = slopes.slopes(looks)
        (result,) = leaks.results(found, leaks.findings(found, base))
        return result.outcome, result.reason

    assert outcome(growing(0)) == ("passed", "")
    assert outcome(growing(30 * PAGE))[0] == "failed"
    assert outcome(growing(0, 5))[0] == "skipped"
    assert outcome(growing(0, 5))[1].startswith("undecided: slab_objects, SUnreclaim")


def test_a_leak_that_is_known_is_expected(results: Path, known: Base) -> None:
    outcome = conclude.conclude(stored(results, known, growing(30 * PAGE), patches={"stock": ()}))
    assert [f.expected for f in outcome.findings] == ["md_blocks"]
    (headline,) = headlines.of_run(outcome)
    assert "no leak" not in headlines.why(headline), "it is one all the same"
    assert exit_code(outcome) == ExitCode.GOOD


@pytest.mark.parametrize(("cache", "expected"), [("kmalloc-4096", True), ("kmalloc-512", True), ("kmalloc-64", False)])
def test_what_percpu_leaks_excuses_no_leak_of_another_size(cache: str, expected: bool) -> None:
    looks = [msgspec.structs.replace(one, caches={cache: 512 + 30 * PAGE * one.round}) for one in growing(30 * PAGE)]
    found = leaks.findings(slopes.slopes(looks), load_base("4.18"))
    assert [bool(finding.expected) for finding in found] == [expected]


def test_a_known_leak_excuses_no_other(results: Path, known: Base) -> None:
    looks = [
        msgspec.structs.replace(one, values={**one.values, "areas": one.values["areas"] + 3 * number})
        for number, one in enumerate(growing(30 * PAGE))
    ]
    outcome = conclude.conclude(stored(results, known, looks))
    assert [(f.trouble.title[:20], bool(f.expected)) for f in outcome.findings] == [
        ("areas grows by 3 a r", False),
        ("slab cache kmalloc-5", True),
    ]
    assert exit_code(outcome) == ExitCode.FINDING


def test_what_another_figure_explains_is_no_second_finding(base: Base) -> None:
    looks = [
        msgspec.structs.replace(one, values={**one.values, "MemUsed": one.values["MemUsed"] + 100 * PAGE * number})
        for number, one in enumerate(growing(30 * PAGE))
    ]
    assert len(leaks.findings(slopes.slopes(growing(30 * PAGE)), base)) == 1
    assert [f.trouble.title.split()[0] for f in leaks.findings(slopes.slopes(looks), base)] == ["MemUsed", "slab"]


def test_growth_of_many_caches_shows_in_their_sum(base: Base) -> None:
    looks = [msgspec.structs.replace(one, caches={"dentry": 1 << 20}) for one in growing(30 * PAGE)]
    (finding,) = leaks.findings(slopes.slopes(looks), base)
    assert finding.trouble.title.startswith("slab_objects grows by 120 KiB a round")


def test_without_a_leak_the_exit_code_is_good(results: Path, base: Base) -> None:
    run = stored(results, base, growing(0))
    assert exit_code(conclude.conclude(run)) == ExitCode.GOOD
    assert "no memory leaks" in (run.folder / "report.html").read_text()


def test_a_soak_that_was_killed_is_reported_from_what_it_left(results: Path, base: Base) -> None:
    run = stored(results, base, growing(30 * PAGE), finished="")
    with (run.folder / "soak.jsonl").open("ab") as file:
        file.write(b'{"machine": "x86_64", "vari')
    outcome = conclude.conclude(run)
    assert outcome.findings
    assert "This soak was ended after 0.40 of 0.4 hours." in (run.folder / "report.html").read_text()


def test_a_soak_without_a_look_has_a_report(results: Path, base: Base) -> None:
    run = stored(results, base, [], finished="")
    assert exit_code(conclude.conclude(run)) == ExitCode.GOOD
    assert "ended after 0.00 of 0.4 hours" in (run.folder / "report.md").read_text()


def test_a_soak_is_not_resumed(results: Path, base: Base) -> None:
    run = stored(results, base, [], finished="")
    run.add([make.result("error")])
    with pytest.raises(UsageError, match="is a soak, which cannot be resumed"):
        lifecycle.resume(run, make.plan(base))
    with pytest.raises(UsageError, match=r"There is nothing to resume in .*: no run was interrupted"):
        lifecycle.interrupted(print)


def test_a_log_that_was_compressed_is_named_as_it_is(results: Path, base: Base) -> None:
    run = stored(results, base, [])
    found = make.finding()
    run.add([found])
    (run.folder / f"{found.log}.gz").write_bytes(b"")
    assert [f.log for f in conclude.conclude(run).findings] == [f"{found.log}.gz"]
