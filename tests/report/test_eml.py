# SPDX-License-Identifier: GPL-2.0-only
"""The report as a mail: an answer to the cover letter, in plain text that no header of a stranger breaks."""

from __future__ import annotations

import email
import email.policy
from email.message import EmailMessage

import pytest

from harness.build.mails import Mail
from harness.errors import UsageError
from harness.report import summary
from harness.report.contents import Content
from harness.report.eml import eml
from harness.report.mail import mail
from harness.report.summary import Places
from tests.support import content, make

LETTER = Mail(
    "cover",
    subject="[PATCH v2 0/2] mm/vmalloc: a series",
    author="Ann Öther <ann@kernel.invalid>",
    identity="cover.1@kernel.invalid",
    parents=("v1.0@kernel.invalid",),
)


def made(letters: dict[str, Mail], records: Content | None = None, variant: str = "") -> tuple[EmailMessage, str]:
    """Return the mail of a report as a mail program reads it, and its text."""
    records = records or content.broken()
    text = eml(summary.of(records, 2, Places(), []), mail(records), letters, variant)
    read = email.message_from_bytes(text.encode("ascii"), policy=email.policy.default)
    assert isinstance(read, EmailMessage)
    assert not read.defects
    return read, text


def test_it_answers_the_cover_letter() -> None:
    read, _ = made({"my-series": LETTER, "my-series@1": LETTER})
    assert read["Subject"] == "Re: [PATCH v2 0/2] mm/vmalloc: a series"
    assert read["In-Reply-To"] == "<cover.1@kernel.invalid>"
    assert str(read["References"]) == "<v1.0@kernel.invalid> <cover.1@kernel.invalid>"
    assert read["To"] == "Ann Öther <ann@kernel.invalid>"
    assert read["Date"].datetime.isoformat() == "2026-01-02T03:05:05+00:00"
    assert "From" not in read
    assert "Message-ID" not in read


def test_its_text_is_the_report_in_75_columns() -> None:
    read, text = made({"my-series": LETTER}, content.full())
    assert read.get_content_type() == "text/plain"
    assert read.get_content() == mail(content.full())
    assert max(map(len, text.splitlines())) <= 75


def test_a_series_without_a_cover_letter_has_a_subject_that_tells_the_outcome() -> None:
    read, _ = made({})
    assert read["Subject"].startswith("Linux 4.18.0: my-series@1 SAME, my-series@2 BROKEN, my-series BROKEN (kernel-patch-rig, ")
    assert not {"To", "In-Reply-To", "References"} & set(read.keys())


def test_of_several_series_one_has_to_be_named() -> None:
    letters = {"my-series": LETTER, "my-series@1": Mail("cover", subject="[PATCH 0/1] b", author="B <b@x>", identity="b@x")}
    with pytest.raises(UsageError, match="has cover letters of several series; say --variant: my-series, my-series@1"):
        made(letters)
    assert made(letters, variant="my-series@1")[0]["In-Reply-To"] == "<b@x>"
    assert "In-Reply-To" not in made(letters, variant="stock")[0]
    with pytest.raises(UsageError, match="has no variant 'my-serie'; did you mean 'my-series'"):
        made(letters, variant="my-serie")


@pytest.mark.parametrize("evil", ["a\nBcc: x@y", "a\r\n\r\nbody", "\x1b[31m", "ü" * 300, "\ud800", "", "<>", "a b@c d", ',"(\\'])
def test_no_header_of_a_stranger_breaks_it(evil: str) -> None:
    letter = Mail("cover", subject=evil, author=f"{evil} <{evil}@x>", identity=evil, parents=(evil,))
    read, _ = made({"my-series": letter})
    assert "Bcc" not in read
    assert read.get_content() == mail(content.broken())


def test_a_run_of_an_unknown_time_has_no_date() -> None:
    read, _ = made({}, Content(make.provenance(started="?", finished="")))
    assert "Date" not in read
    assert read["Subject"].startswith("Linux 4.18.0: ")
