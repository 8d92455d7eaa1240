# SPDX-License-Identifier: GPL-2.0-only
"""Nights that fail, and the summary that tells of it."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from harness import paths
from harness.commands import nightly
from harness.errors import BuildError, RigError
from harness.model.selection import Selection
from harness.runs.history_store import History
from harness.runs.retention import LOG
from harness.stats.outcome import Outcome
from harness.suite.plan import Plan
from tests.support.night import Night


def test_a_kernel_that_does_not_build_is_in_log_and_summary(night: Night, summary: Path) -> None:
    def fails(_: Selection) -> Plan:
        print("build: compiling")
        raise BuildError("mm/vmalloc.c does not compile; see build.log.")

    night.parts = msgspec.structs.replace(night.parts, build=fails)
    with pytest.raises(BuildError):
        night.run()
    log = paths.RESULTS / "latest" / LOG
    assert (log.parent / "summary.json").is_file()
    logged = log.read_text()
    assert "build: compiling\n" in logged
    assert logged.endswith("kernel-patch-rig: mm/vmalloc.c does not compile; see build.log.\n")
    page = summary.read_text()
    assert page.startswith("earlier\n## Nightly run: the rig failed, or the run is not complete (exit code 1)\n\n")
    assert page.endswith("\n\nmm/vmalloc.c does not compile; see build.log.\n")
    print("later")
    assert "later" not in log.read_text()


def test_what_the_host_lacks_is_told_in_a_sentence(night: Night, summary: Path) -> None:
    def ends(_: Plan, wanted: Selection, command: str) -> Outcome:
        raise RuntimeError("can't start new thread")

    night.parts = msgspec.structs.replace(night.parts, test=ends)
    with pytest.raises(RuntimeError):
        night.run()
    assert "ulimit -u" in summary.read_text()


@pytest.mark.parametrize("error", [KeyboardInterrupt, ZeroDivisionError])
def test_what_nobody_expected_is_logged_with_its_trace(night: Night, summary: Path, error: type[BaseException]) -> None:
    def ends(_: Plan, wanted: Selection, command: str) -> Outcome:
        raise error

    night.parts = msgspec.structs.replace(night.parts, test=ends)
    with pytest.raises(error):
        night.run()
    logged = (paths.RESULTS / LOG).read_text()
    assert "Traceback" in logged
    assert error.__name__ in logged
    assert f"It ended with {error.__name__}." in summary.read_text()


def test_a_report_is_not_lost_when_the_history_fails_after_it(night: Night, summary: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise RigError("history.sqlite cannot be used: database or disk is full.")

    monkeypatch.setattr(History, "store", full)
    with pytest.raises(RigError):
        night.run()
    page = summary.read_text()
    assert "exit code 1)\n\nhistory.sqlite cannot be used: database or disk is full.\n\n# Report of" in page
    assert "disk is full" in night.log


def test_a_summary_stays_within_what_github_takes(tmp_path: Path) -> None:
    file = tmp_path / "summary.md"
    nightly.summarise("ü" * (1 << 20), str(file))
    assert file.stat().st_size <= 1 << 20
    assert file.read_text().endswith("the report has all of it.)\n")


def test_no_summary_is_written_where_none_is_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    nightly.summarise("page", "")
    assert not list(tmp_path.iterdir())
    with pytest.raises(RigError, match=r"none/summary\.md, .*GITHUB_STEP_SUMMARY.* No such file"):
        nightly.summarise("page", str(tmp_path / "none/summary.md"))


def test_what_others_wrote_is_text_in_the_summary(night: Night, summary: Path) -> None:
    def failing(_: Selection) -> Plan:
        raise RigError("0001-<img src=x onerror=alert(1)>.patch by @torvalds does not apply")

    night.parts = msgspec.structs.replace(night.parts, build=failing)
    with pytest.raises(RigError):
        night.run()
    assert "\n0001-\\<img src=x onerror=alert(1)>.patch by `@torvalds` does not apply\n" in summary.read_text()
