# SPDX-License-Identifier: GPL-2.0-only
"""The publication's figures beside ours, in the page and in the mail."""

from __future__ import annotations

import pytest

from harness.report.contents import Content
from harness.report.mail import mail
from harness.stats import published
from tests.support import content, make
from tests.support.page import seen


def test_the_publication_stands_beside_ours() -> None:
    shown = seen(published=published.load())
    for words in (
        "i5-3320M (ours: x86_64)",
        "linux-mm, October 2018",
        "1,218,459",
        "-7.7 to -5.9",
        "1.86×",
        "us for 1,000,000 loops",
    ):
        assert words in shown
    assert "linux-mm" not in seen(published=published.load(), comparisons=())


def test_ours_is_the_median_of_our_rows_on_the_page_and_in_the_mail() -> None:
    """The comparison says 0 %: it is of the boots' medians, where the publication's rows are means."""
    swings = content.comparison(
        baseline=content.summary(*[(100.0, 100.0, 1000.0)] * 3), measured=content.summary(*[(100.0,) * 3] * 3), ratio=1.0
    )
    shown = seen(published=published.load(), comparisons=(swings,))
    mailed = mail(Content(make.provenance(), comparisons=(swings,), published=published.load()))
    (row,) = (line for line in mailed.splitlines() if line.split()[:2] == ["x86_64", "le_fit"])
    assert "-75.0 to -75.0-75.0same3.73×" in shown
    assert row.split()[5:] == ["-75.0", "3.73", "same"]


@pytest.mark.parametrize(
    ("scale", "loops", "told", "busy"),
    [
        ("quick", 1.0, "scale quick", "Ours had fewer than the 15,000 busy areas of the publication"),
        ("published", 0.1, "scale published, 10 % of its operations", "Ours had 15,000 busy areas, as the publication"),
    ],
)
def test_the_publications_heading_says_how_ours_was_measured(scale: str, loops: float, told: str, busy: str) -> None:
    run = make.provenance(scale=scale, loops=loops)
    both = (content.comparison(), content.comparison(test="long_busy_list_alloc_test"))
    shown = seen(provenance=run, published=published.load(), comparisons=both)
    mailed = " ".join(mail(Content(run, comparisons=both, published=published.load())).split())
    assert f"Published and ours {told}" in shown
    assert f"and ours ({told})" in mailed
    for said in (shown, mailed):
        assert busy in said
        assert ("other size" in said) is (scale == "quick")


def test_kernels_that_are_not_for_speed_do_not_stand_beside_the_publication() -> None:
    assert "linux-mm" not in seen(published=published.load(), comparisons=(content.comparison(profile="debug"),))
