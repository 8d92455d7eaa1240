# SPDX-License-Identifier: GPL-2.0-only
"""Exports of a run's folder, in every format."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from harness.commands import export
from harness.commands.export import FORMATS, Wish
from harness.errors import UsageError
from harness.model.run_folder import Run
from tests.support import content, make
from tests.support.series import diff


@pytest.fixture
def run(results: Path) -> Run:
    """A run of a series that is faster, with a finding and a known bug."""
    made = make.stored(results, samples=[make.sample(100.0), make.sample(50.0, variant="mine")])
    made.add([make.finding(), make.finding(expected="an overflow", title=content.EVIL)])
    return made


@pytest.mark.parametrize("form", FORMATS)
def test_every_format_is_of_the_run_and_writes_nothing_else(run: Run, form: str) -> None:
    before = {file.name: file.read_bytes() for file in run.folder.iterdir()}
    assert export.export(run, form, Wish())
    assert {file.name: file.read_bytes() for file in run.folder.iterdir()} == before


@pytest.mark.parametrize("form", FORMATS)
def test_every_format_takes_a_run_without_records(results: Path, form: str) -> None:
    run = make.stored(results, finished="", planned=9)
    (run.folder / "results.jsonl").unlink()
    assert export.export(run, form, Wish())


def test_the_cover_letter_of_the_series_is_answered_and_named(run: Run, tmp_path: Path) -> None:
    (tmp_path / "series").write_text("a.patch\n")
    (tmp_path / "a.patch").write_text(diff(10))
    (tmp_path / "cover").write_text("From: A <a@x.invalid>\nSubject: [PATCH 0/1] a\nMessage-ID: <1@x.invalid>\n\nWhy.\n")
    cell = {"cell": {"variant": {"name": "mine", "series": str(tmp_path)}}}
    (run.folder / "plan.json").write_bytes(msgspec.json.encode({"cells": [cell]}))
    mail = export.export(run, "eml", Wish())
    assert "\nIn-Reply-To: <1@x.invalid>\n" in mail
    assert mail.startswith("Subject: Re: [PATCH 0/1] a\n")
    _, mine = msgspec.json.decode(export.export(run, "kcidb", Wish()))["checkouts"]
    assert mine["message_id"] == "1@x.invalid"
    (tmp_path / "a.patch").unlink()
    assert "In-Reply-To" not in export.export(run, "eml", Wish()), "a series that is no more"


def test_a_format_that_there_is_not_is_refused(run: Run) -> None:
    with pytest.raises(UsageError, match="There is no format 'kcid'; did you mean 'kcidb'"):
        export.export(run, "kcid", Wish())
    with pytest.raises(UsageError, match=r"Say the format with --format: summary, junit, "):
        export.export(run, "", Wish())
    with pytest.raises(UsageError, match="--origin takes"):
        export.export(run, "kcidb", Wish(origin="A"))
