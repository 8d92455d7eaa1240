# SPDX-License-Identifier: GPL-2.0-only
"""What b4's review is told of a series: the newest run's verdict, in JSON that b4 takes."""

from __future__ import annotations

import email
import email.policy
from pathlib import Path
from typing import Any

import msgspec
import pytest

from harness.commands import series_review
from harness.model.run_folder import Run
from harness.stats.headline import Word
from tests.support import make
from tests.support.series import diff, message

COVER = b"From: Ann <a@kernel.invalid>\nSubject: [PATCH 0/1] a series\nMessage-ID: <cover.1@kernel.invalid>\n\nBlurb.\n"


@pytest.fixture
def run(results: Path, tmp_path: Path) -> Run:
    """A run of the series ``mine``, which `invoke series.add` kept with its cover letter."""
    made = make.stored(results, samples=[make.sample(100.0 + b / 10, boot=b) for b in range(3)])
    made.add([make.sample(50.0 + b / 10, variant="mine", boot=b) for b in range(3)])
    made.add([make.booted(variant=variant, boot=boot) for variant in ("stock", "mine") for boot in range(3)])
    series = tmp_path / "mine"
    series.mkdir()
    (series / "series").write_text("0001-a.patch\n")
    (series / "0001-a.patch").write_text(message("[PATCH 1/1] a", diff(10), Message_ID="<patch.1@kernel.invalid>"))
    (series / "cover").write_bytes(COVER)
    plan(made, series)
    return made


def plan(run: Run, series: Path) -> None:
    cells = [{"cell": {"variant": {"name": name, "series": path}}} for name, path in (("stock", None), ("mine", str(series)))]
    (run.folder / "plan.json").write_bytes(msgspec.json.encode({"cells": cells}))


def told(letter: bytes, url: str = "") -> dict[str, Any]:
    """Return the answer as b4 0.16 reads it: a list of objects, of which it takes these fields as text."""
    (answer,) = msgspec.json.decode(series_review.answer(letter, url))
    assert set(answer) == {"tool", "status", "summary", "url", "details"}
    assert all(isinstance(value, str) for value in answer.values())
    assert answer["status"] in ("pass", "warn", "fail"), "b4 takes any other word for a failure"
    assert answer["tool"] == "kernel-patch-rig"
    assert "\n" not in answer["summary"]
    return dict(answer)


def test_a_series_that_is_faster_passes(run: Run) -> None:
    answer = told(COVER, "https://ci.example.org/results/")
    assert answer["status"] == "pass"
    assert answer["summary"].startswith("FASTER on Linux 4.18.0: 1 test faster")
    assert answer["url"] == f"https://ci.example.org/results/{run.folder.name}/report.html"
    assert "faster: le_fit_alloc_test on x86_64: -50.0 % instructions/op against stock" in answer["details"]
    assert answer["details"].endswith("Run: invoke build boot test")


def test_a_series_with_a_finding_fails_and_the_command_is_told(run: Run) -> None:
    run.add([make.finding(variant="mine"), make.finding(title="of stock")])
    answer = told(COVER)
    assert (answer["status"], answer["url"]) == ("fail", "")
    assert answer["summary"].startswith("BROKEN on Linux 4.18.0: 1 cause: bug in alloc_vmap_area")
    assert "unexpected: bug: kernel BUG at mm/vmalloc.c:512! (mm/vmalloc.c:512), in align_shift_alloc_test [" in answer["details"]
    assert "  again: invoke test --machine x86_64 --variant mine " in answer["details"]
    assert "of stock" not in answer["details"]


def test_a_single_patch_stands_for_its_series(run: Run) -> None:
    assert told(COVER.replace(b"cover.1", b"patch.1"))["status"] == "pass"


def test_the_newest_run_counts(run: Run, results: Path, tmp_path: Path) -> None:
    newer = make.stored(results, "20260103-030405-abcd", planned=9)
    plan(newer, tmp_path / "mine")
    answer = told(COVER)
    assert (answer["status"], answer["details"].split(":")[0]) == ("warn", newer.folder.name)
    assert "1 of 9 results are there" in answer["summary"]


def test_a_series_that_was_not_tested_is_a_warning_that_says_how(run: Run) -> None:
    answer = told(COVER.replace(b"cover.1", b"other"))
    assert (answer["status"], answer["summary"]) == ("warn", "this series was not tested")
    assert "invoke series.add other@kernel.invalid" in answer["details"]


@pytest.mark.parametrize("letter", [b"", b"\xff\x00", b"Subject: x\n\n", b"Message-ID: <>\n\n"])
def test_what_is_no_mail_is_a_warning(results: Path, letter: bytes) -> None:
    assert told(letter)["summary"].startswith("there is no Message-ID")


def test_a_run_that_cannot_be_read_is_a_warning(run: Run) -> None:
    (run.folder / "run.json").write_text("{")
    answer = told(COVER)
    assert (answer["status"], "cannot be read" in answer["summary"]) == ("warn", True)


def test_each_headline_has_a_status() -> None:
    assert set(series_review._STATUS) == set(Word)


def test_b4_itself_takes_the_answer(run: Run) -> None:
    b4 = pytest.importorskip("b4.review.checks", reason="b4 is not installed: nothing runs its side of the hook here")
    cat = run.folder / "answer.json"
    cat.write_text(series_review.answer(COVER))
    letter = email.message_from_bytes(COVER, policy=email.policy.default)
    (seen,) = b4.run_series_checks(("cover.1@kernel.invalid", letter), [f"cat {cat}"], str(run.folder))
    assert seen == told(COVER)
