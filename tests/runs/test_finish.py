# SPDX-License-Identifier: GPL-2.0-only
"""A run's report is made, and made again, from its folder alone."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any
from unittest.mock import Mock
from xml.etree import ElementTree

import msgspec
import pytest

from harness import paths
from harness.errors import RigError, UsageError
from harness.model.clock import Clock
from harness.model.foreign import Foreign
from harness.model.matrix import Base
from harness.model.run_folder import Run
from harness.model.toolchains import Toolchain
from harness.report import page, terminal
from harness.report.contents import Content
from harness.report.headlines import why
from harness.runs import conclude, lifecycle
from harness.stats.headline import Word, headlines
from harness.stats.outcome import ExitCode, exit_code
from harness.suite import plan
from tests.support import content, counted, make, schema
from tests.support.screen import on_terminal


@pytest.fixture
def run(results: Path) -> Run:
    """A run in which the series costs half, and shows a finding."""
    made = Run(results / "20260102-030405-abcd")
    (made.folder / "run.json").write_bytes(msgspec.json.encode(make.provenance(finished="")))
    made.add([make.sample(100.0), make.sample(50.0, variant="mine"), make.sample(test="mix_stress_test")])
    made.add([make.finding()])
    made.add([make.result(), make.result("failed", test="align_shift_alloc_test")])
    return made


def test_records_become_an_outcome_and_a_page(run: Run) -> None:
    outcome = conclude.conclude(run)
    assert [(c.test, c.variant, c.verdict) for c in outcome.comparisons] == [("le_fit_alloc_test", "mine", "undecided")]
    assert outcome.unexpected == (make.finding(),)
    assert len(outcome.results) == 2
    assert exit_code(outcome) == ExitCode.FINDING
    assert "-50.0 %" in (run.folder / "report.html").read_text()


def test_a_summary_for_programs_lies_beside_the_report(run: Run) -> None:
    conclude.conclude(run)
    told = schema.check_summary((run.folder / "summary.json").read_bytes())
    assert told["status"]["code"] == ExitCode.FINDING
    assert {name: count for name, count in told["results"].items() if count} == {"passed": 1, "failed": 1}
    assert [(found["state"], found["patch"]) for found in told["findings"]] == [("unexpected", None)]
    assert set(told["files"]) == {file.name for file in run.folder.iterdir()}
    (run.folder / "summary.json").unlink()
    judged = conclude.judge(run)
    assert not (run.folder / "summary.json").exists(), "who only judges writes nothing"
    assert msgspec.json.decode(msgspec.json.encode(judged.summary)) == told


def test_tests_of_a_foreign_module_are_compared(results: Path) -> None:
    def stored(name: str, module: Foreign) -> Run:
        told = make.provenance(run=name, tests=("mine",), module=module, scale=f"quick {module.words}")
        run = Run(results / name)
        (run.folder / "run.json").write_bytes(msgspec.json.encode(told))
        fast = [make.sample(50.0 + boot / 10, variant="mine", test="mine/fix_test", boot=boot) for boot in range(3)]
        run.add([*(make.sample(100.0 + boot / 10, test="mine/fix_test", boot=boot) for boot in range(3)), *fast])
        run.add([make.result(test="mine")])
        return run

    one = stored("20260102-030405-abcd", Foreign("mine", "01" * 32, ("a=1",)))
    outcome = conclude.conclude(one)
    assert [(c.test, c.variant, c.verdict) for c in outcome.comparisons] == [("mine/fix_test", "mine", "faster")]
    for report in ("report.html", "report.md"):
        assert "mine (sources 01010101), loaded with a=1" in " ".join((one.folder / report).read_text().split())
    (alone,) = headlines(one.provenance(), (), (), [make.result(test="mine", variant="mine")])
    assert "mine passed" in why(alone)
    assert "stress" not in why(alone)
    same = stored("20260103-030405-abcd", Foreign("mine", "01" * 32, ("a=1",)))
    assert {c.verdict for c in conclude.across(one, same, None).comparisons} == {"same"}
    other = stored("20260104-030405-abcd", Foreign("mine", "01" * 32, ("a=2",)))
    with pytest.raises(UsageError, match="scale quick mine 01010101 a=1 there, quick mine 01010101 a=2 here"):
        conclude.across(one, other, None)


def test_junit_of_a_run_that_was_resumed_is_of_the_whole_run(run: Run) -> None:
    conclude.conclude(run)
    run.add([make.result(boot=1)])
    conclude.conclude(run)
    names = [case.attrib["name"] for case in ElementTree.parse(run.folder / "junit.xml").iter("testcase")]
    assert names == [
        "le_fit_alloc_test [icount, boot 0]",
        "align_shift_alloc_test [icount, boot 0]",
        "le_fit_alloc_test [icount, boot 1]",
    ]


def test_a_report_has_all_records_of_a_run(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    records = content.full()
    for of in (records.histograms, records.sections, records.memory, records.points, records.scaled, records.changes):
        run.add(of[:9])
    run.add(
        [
            make.booted(),
            make.within(),
            counted.allocating(),
            counted.allocating(140.0, variant="mine"),
            counted.locked("alloc_vmap_area", 500),
            counted.changed(501, 502, 503),
            counted.reached("le_fit_alloc_test", 501),
        ]
    )
    run.change(patches={"stock": (), "mine": ("0001-a.patch",), "mine@1": ("0001-a.patch",)})
    run.add([make.sample(50.0, variant="mine@1")])
    reported = Mock(return_value="")
    monkeypatch.setattr(page, "html", reported)
    conclude.conclude(run)
    empty = {name for name in Content.__struct_fields__ if not getattr(reported.call_args.args[0], name)}
    assert empty == {"before", "looks", "slopes"}, "a run that is not compared with another, and no soak"


def test_a_soak_of_an_older_rig_is_still_reported(run: Run, base: Base) -> None:
    run.change(hours=1.0)
    plan.save(make.plan(base), run.folder / "plan.json")
    older = msgspec.json.decode((run.folder / "plan.json").read_bytes())
    older |= {"scale": "quick", "clock": "icount", "settings": None}
    (run.folder / "plan.json").write_bytes(msgspec.json.encode(older))
    assert any("This soak was ended after 0.00 of 1 hours." in note for note in conclude.conclude(run).provenance.notes)
    (run.folder / "plan.json").unlink()
    with pytest.raises(UsageError, match=r"plan\.json cannot be read .*which bugs of stock are known"):
        conclude.conclude(run)


def test_a_record_that_cannot_be_read_costs_no_report_and_is_not_lost_in_silence(run: Run) -> None:
    run.add([make.booted(), make.booted(variant="mine")])
    run.change(finished="2026-01-02T03:05:05+00:00")
    for name, line in (("samples.jsonl", b'{"machine":"\xff"}\n'), ("findings.jsonl", b"[1]\n")):
        whole = (run.folder / name).read_bytes()
        (run.folder / name).write_bytes(line + whole)
    (run.folder / "memory.jsonl").write_bytes(b"{}\n" * 7)
    outcome = conclude.conclude(run)
    assert [(c.test, c.variant) for c in outcome.comparisons] == [("le_fit_alloc_test", "mine")], "the others are there"
    assert outcome.unexpected == (make.finding(),)
    (note,) = (note for note in outcome.provenance.notes if "could not be read" in note)
    assert note.startswith("9 records of 20260102-030405-abcd could not be read, and left out here: samples.jsonl:1: ")
    assert "; findings.jsonl:1: " in note
    assert note.endswith("; and 4 more.")
    assert note in (run.folder / "report.html").read_text().replace("&#39;", "'")
    assert exit_code(outcome) == ExitCode.RIG_FAILED, "a record that is not there may have been the one that decides"


def test_a_run_with_records_left_out_is_unproven(run: Run) -> None:
    of = {"patches": {"stock": (), "mine": ("0001-a.patch",)}, "left_out": 1}
    (headline,) = headlines(make.provenance(**of), [content.comparison()], (), ())
    assert (headline.word, why(headline)) == (
        Word.UNPROVEN,
        "1 record could not be read, 1 test faster (most: le_fit_alloc_test, 50.0 % fewer instructions)",
    )


def test_a_comparison_tells_of_records_of_either_side(results: Path) -> None:
    before, after = (make.stored(results, f"2026010{day}-030405-abcd", [make.sample(float(day))]) for day in (3, 4))
    (before.folder / "samples.jsonl").open("ab").write(b"nonsense\n")
    outcome = conclude.across(before, after, None)
    assert outcome.provenance.left_out == 1
    assert any(note.startswith(f"1 record of {before.folder.name} could") for note in outcome.provenance.notes)


def test_of_two_kernel_bases_stock_alone_is_compared(results: Path) -> None:
    runs = []
    for day, kernel in ((3, "4.18"), (4, "6.12")):
        samples = [make.sample(day * 100.0 + boot / 10, variant=of, boot=boot) for of in ("stock", "fixes") for boot in range(3)]
        told = {"kernel": kernel, "version": f"{kernel}.0"}
        runs.append(make.stored(results, f"2026010{day}-030405-abcd", samples, **told))
    outcome = conclude.across(runs[0], runs[1], None)
    (compared,) = outcome.comparisons
    assert compared.variant == "stock"
    kept = schema.check_summary((runs[1].folder / "compared-with-20260103-030405-abcd.json").read_bytes())
    assert (kept["before"], kept["run"]) == (runs[0].folder.name, runs[1].folder.name)
    assert (kept["status"]["code"], kept["status"]["word"]) == (3, "regression")
    assert [one["against"] for one in kept["comparisons"]] == [runs[0].folder.name]
    assert kept["known_bugs"] == kept["findings"] == kept["failures"] == []
    assert compared.ratio == pytest.approx(400 / 300, rel=1e-3)
    said = "20260103-030405-abcd is of Linux 4.18.0, 20260104-030405-abcd of 6.12.0: stock alone is compared."
    assert said in outcome.provenance.notes


def test_a_comparison_of_two_toolchains_says_so(results: Path) -> None:
    runs = []
    for day, toolchain in ((3, Toolchain.GCC), (4, Toolchain.LLVM)):
        samples = [make.sample(day * 100.0 + boot / 10, boot=boot) for boot in range(3)]
        runs.append(make.stored(results, f"2026010{day}-030405-abcd", samples, toolchain=toolchain))
    outcome = conclude.across(runs[0], runs[1], None)
    said = (
        "20260103-030405-abcd was built with gcc, 20260104-030405-abcd was built with llvm: what differs may come from the"
        " compiler, and not from the source."
    )
    assert said in outcome.provenance.notes
    assert [c.verdict for c in outcome.comparisons] == ["slower"]
    text = " ".join((runs[1].folder / f"{conclude.report_name(runs[0])}.md").read_text().split())
    assert said in text
    assert "Linux 4.18.0 by llvm: run" in text
    assert not any("compiler" in note for note in conclude.across(runs[0], runs[0], None).provenance.notes)


def test_what_is_measured_counts_as_proven_where_each_boot_proved_itself(run: Run) -> None:
    assert conclude.UNPROVEN in conclude.conclude(run).provenance.notes
    run.add([make.booted(), make.booted(boot=1)])
    assert conclude.UNPROVEN in conclude.conclude(run).provenance.notes, "mine did not"
    assert not conclude.finish(run, "test --resume").provenance.proven
    run.add([make.booted(variant="mine")])
    told = conclude.finish(run, "test --resume").provenance
    assert (told.proven, told.notes) == (True, ())
    assert "3 boots proved" in (run.folder / "report.html").read_text()
    assert f"build-id {make.BUILD_ID}" in " ".join((run.folder / "report.md").read_text().split())


def test_a_comparison_with_a_run_without_proof_says_so(run: Run) -> None:
    before, after = (make.stored(paths.RESULTS, f"2026010{day}-030405-abcd", [make.sample(float(day))]) for day in (3, 4))
    after.add([make.booted()])
    told = conclude.across(before, after, None).provenance
    assert not told.proven
    assert told.notes[-1].startswith("20260103-030405-abcd: not all boots proved")
    before.add([make.booted()])
    told = conclude.across(before, after, None).provenance
    assert (told.proven, told.notes) == (True, ())


def test_a_run_that_booted_nothing_proves_nothing(run: Run) -> None:
    for name in ("samples.jsonl", "results.jsonl"):
        (run.folder / name).unlink()
    run.add([make.result("failed")])
    assert not run.proven()


def test_a_stress_test_that_passed_in_a_boot_without_proof_is_not_proven(run: Run) -> None:
    run.add([make.booted(), make.booted(variant="mine")])
    run.add([make.result("failed", clock=Clock.WALL), make.result("error", clock=Clock.WALL)])
    assert run.proven(), "who fails claims nothing"
    run.add([make.result(test="model_test", clock=Clock.WALL)])
    assert not run.proven()


def test_a_report_made_again_is_the_same(run: Run) -> None:
    first = conclude.conclude(run)
    page = (run.folder / "report.html").read_bytes()
    assert not run.provenance().finished, "only a run that ended says so"
    (run.folder / "report.html").unlink()
    assert conclude.conclude(lifecycle.find(run.folder.name)) == first
    assert (run.folder / "report.html").read_bytes() == page


@pytest.mark.parametrize(("of", "part", "again"), [(Run, "change", "test --resume"), (conclude, "conclude", "report")])
def test_where_there_is_no_room_at_the_end_it_says_how_to_go_on(
    run: Run, monkeypatch: pytest.MonkeyPatch, of: object, part: str, again: str
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise RigError("run.json cannot be written: No space left on device.")

    with monkeypatch.context() as patch:
        patch.setattr(of, part, refuse)
        with pytest.raises(RigError, match=f"No space left.*`invoke {again} {run.folder.name}`"):
            conclude.finish(run, "test --resume")
    assert exit_code(conclude.finish(run, "test --resume")) == ExitCode.FINDING
    assert run.provenance().finished


def test_the_latest_run_is_found_by_that_name(run: Run) -> None:
    conclude.conclude(run)
    assert (paths.RESULTS / "latest").readlink() == Path(run.folder.name)
    assert lifecycle.find("latest").folder == run.folder
    assert lifecycle.find(str(run.folder)).folder == run.folder


def test_a_run_elsewhere_is_not_the_latest(run: Run, tmp_path: Path) -> None:
    moved = run.folder.rename(tmp_path / "sent-by-mail")
    conclude.conclude(Run(moved))
    assert (moved / "report.html").exists()
    assert not (paths.RESULTS / "latest").is_symlink()


def test_a_torn_record_does_not_keep_the_report_away(run: Run) -> None:
    with (run.folder / "samples.jsonl").open("ab") as file:
        file.write(b'{"machine":"x86')
    assert len(conclude.conclude(run).comparisons) == 1


def test_all_reports_keep_the_order_that_was_asked_for(results: Path) -> None:
    machines, variants, tests = ("x86_64", "aarch64"), ("zebra", "ant"), ("ne_fit_alloc_test", "le_fit_alloc_test")
    made = Run(results / "20260102-030405-abcd")
    told = make.provenance(machines=dict.fromkeys(machines, ""), patches=dict.fromkeys(("stock", *variants), ()), tests=tests)
    (made.folder / "run.json").write_bytes(msgspec.json.encode(told))
    cells = [(machine, variant, test) for machine in machines for variant in ("stock", *variants) for test in tests]
    for machine, variant, test in sorted(cells):
        names: dict[str, Any] = {"machine": machine, "variant": variant, "test": test}
        made.add([make.sample(100.0, boot=boot, **names) for boot in range(2)])
        made.add([content.histogram(**names)])
    outcome = conclude.conclude(made)
    asked = [cell for cell in cells if cell[1] != "stock"]
    assert [(one.machine, one.variant, one.test) for one in outcome.comparisons] == asked
    printed = on_terminal(terminal.comparison(outcome.comparisons), width=120)
    html, mail = ((made.folder / name).read_text() for name in ("report.html", "report.md"))
    for shown in (printed, html[html.index('id="comparison"') :], mail):
        for first, second in (machines, variants, ("ne_fit", "le_fit")):
            assert re.search(rf"(?s)\b{first}\b.*\b{second}\b", shown.replace("_alloc_test", ""))
            assert shown.index(first) < shown.index(second)
    rows = re.findall(r"<code>(\w+_test)</code>", html[html.index('id="latency"') :].replace("<wbr>", ""))
    assert rows[:4] == [*tests, *tests]
