# SPDX-License-Identifier: GPL-2.0-only
"""Which mails of a thread are the series: the newest version, in its order, and nothing less without a word."""

from __future__ import annotations

import pytest

from harness.build import mails, thread
from harness.build.thread import Thread
from harness.errors import UsageError
from tests.support.series import diff, message

REPLY = message("Re: [PATCH 1/2] a", diff(10, new="rather this"))


def patch(tag: str, line: int = 10, **headers: str) -> str:
    return message(f"[{tag}] line {line}", diff(line), **headers)


def chosen(*sent: str, identity: str = "") -> Thread:
    found = mails.read("".join(sent).encode(), "t.mbox")
    return thread.series(thread.around(found, identity, "t.mbox") if identity else found, "t.mbox")


def titles(told: Thread) -> list[str]:
    return [mail.title for mail in told.patches]


def refused(*sent: str) -> str:
    with pytest.raises(UsageError) as caught:
        chosen(*sent)
    return str(caught.value)


@pytest.mark.parametrize("answer", ["Re", "RE", "AW", "Sv", "Re[2]"])
def test_the_diff_of_a_reply_is_left_out_with_a_word(answer: str) -> None:
    reply = message(f"{answer}: [PATCH 1/2] a", diff(10, new="rather this"))
    told = chosen(patch("PATCH 1/2"), reply, patch("PATCH 2/2", 20))
    assert titles(told) == ["line 10", "line 20"]
    assert told.notes == (f"mail 2 of t.mbox ('{answer}: [PATCH 1/2] a') is a reply, so its diff is not applied.",)


def test_talk_is_left_out_without_a_word() -> None:
    told = chosen(message("Re: [PATCH] a", "> --- a\n"), patch("PATCH"), message("lunch", ""))
    assert (titles(told), told.notes) == (["line 10"], ())


def test_a_maintainer_who_shows_what_was_taken() -> None:
    told = chosen(patch("PATCH 1/1"), message("+ line-10.patch added to -mm tree", diff(10)))
    assert titles(told) == ["line 10"]
    assert "has no [PATCH] in its subject, so its diff is not applied" in told.notes[0]
    assert titles(chosen(message("a", diff(10)), message("b", diff(20)))) == ["a", "b"]


@pytest.mark.parametrize("tag", ["PATCH 0/2", "PATCH v2 0/2", "RFC PATCH 00/02"])
def test_a_cover_letter_is_kept_and_its_diff_is_not_applied(tag: str) -> None:
    cover = message(f"[{tag}] all", diff(30), "Blurb.", Message_ID="<c@x>")
    told = chosen(cover, patch("PATCH v2 1/2"), patch("PATCH v2 2/2", 20))
    assert titles(told) == ["line 10", "line 20"]
    assert told.cover
    assert (told.cover.title, told.cover.identity, told.cover.text.startswith("Blurb.")) == ("all", "c@x", True)
    assert "is a cover letter, so its diff is not applied" in told.notes[0]


@pytest.mark.parametrize("newer", ["PATCH v2 {}/2", "PATCHv2 {}/2", "PATCH mm V2 {}/2", "v2] [PATCH {}/2"])
def test_the_newest_of_two_versions_is_taken(newer: str) -> None:
    first = [patch("PATCH 1/3"), patch("PATCH 2/3", 20), patch("PATCH 3/3", 30)]
    told = chosen(*first, patch(newer.format(1), 40), patch(newer.format(2), 50))
    assert titles(told) == ["line 40", "line 50"]
    assert told.notes == ("t.mbox holds the versions 1, 2 of a series; version 2 is taken.",)


def test_a_version_that_is_not_whole_does_not_replace_another() -> None:
    first = [patch("PATCH 1/2"), patch("PATCH 2/2", 20)]
    assert "version 2 does not replace all of the others" in refused(*first, patch("PATCH v2 2/2", 20))
    assert "version 2 does not replace all of the others" in refused(patch("PATCH"), patch("PATCH v2", 20))
    assert titles(chosen(patch("PATCH"), patch("PATCH v2"))) == ["line 10"]


def test_a_version_of_a_kernel_is_none_of_a_series() -> None:
    assert titles(chosen(patch("PATCH v4.18 1/2"), patch("PATCH 2/2", 20))) == ["line 10", "line 20"]


def test_patches_are_in_the_order_of_their_numbers() -> None:
    told = chosen(patch("PATCH 10/10", 99), *(patch(f"PATCH {number}/10", number + 1) for number in range(1, 10)))
    assert titles(told) == [*(f"line {number + 1}" for number in range(1, 10)), "line 99"]
    assert told.notes == ("the patches of t.mbox are taken in the order of the numbers in their subjects.",)


def test_a_missing_patch() -> None:
    assert "t.mbox lacks 2/3 of its series" in refused(patch("PATCH 1/3"), patch("PATCH 3/3", 20))
    assert "t.mbox lacks 1/2 of its series" in refused(patch("PATCH 2/2"))
    told = chosen(message("[PATCH 0/4] all", ""), patch("PATCH 1/3"), patch("PATCH 2/3", 20))
    assert told.notes == ("t.mbox lacks 3/4, 4/4 of its series.",)


@pytest.mark.parametrize("tag", ["PATCH 2/3", "PATCH", "RFC 2/3"])
def test_a_patch_without_a_diff_is_not_left_out(tag: str) -> None:
    said = refused(patch("PATCH 1/3"), message(f"[{tag}] gone", ""), patch("PATCH 3/3", 20))
    assert f"mail 2 of t.mbox ('[{tag}] gone') cannot be applied whole" in said


def test_what_is_no_number_of_a_patch() -> None:
    assert titles(chosen(patch("PATCH 2018/12"), patch("PATCH 4.18/8", 20), patch("PATCH a/1/2", 30))) == [
        "line 10",
        "line 20",
        "line 30",
    ]


def test_patches_that_share_a_message_id_are_not_copies() -> None:
    same = {"Message_ID": "<same@x>"}
    assert titles(chosen(patch("PATCH 1/2", 10, **same), patch("PATCH 2/2", 20, **same))) == ["line 10", "line 20"]


def test_a_mail_that_came_twice() -> None:
    twice = patch("PATCH 1/2", Message_ID="<1@x>")
    told = chosen(twice, patch("PATCH 2/2", 20, Message_ID="<2@x>"), twice.replace("-- \n", "____\nlist footer\n-- \n"))
    assert titles(told) == ["line 10", "line 20"]
    assert "is a copy of mail 1 of t.mbox" in chosen(patch("PATCH 1/1"), patch("PATCH RESEND 1/1")).notes[0]


def test_two_series_in_one() -> None:
    assert "holds two patches 1/1" in refused(patch("PATCH 1/1"), patch("PATCH 1/1", 20))
    assert "holds patches of several series" in refused(patch("PATCH 1/2"), patch("PATCH 2/3", 20))


def threaded(tag: str, line: int, identity: str, parent: str = "") -> str:
    return patch(tag, line, Message_ID=f"<{identity}>", **({"In_Reply_To": f"<{parent}>"} if parent else {}))


FIRST = (threaded("PATCH 1/2", 10, "a1@x", "a0@x"), threaded("PATCH 2/2", 20, "a2@x", "a0@x"))
SECOND = (threaded("PATCH v2 1/2", 30, "b1@x"), threaded("PATCH v2 2/2", 40, "b2@x", "b1@x"))


def test_halves_of_two_threads_make_no_series() -> None:
    said = refused(FIRST[0], threaded("PATCH 2/2", 20, "c2@x", "c0@x"))
    assert "holds 2 threads" in said
    assert "invoke series.add --message-id" in said
    assert titles(chosen(*FIRST)) == ["line 10", "line 20"]
    assert titles(chosen(*SECOND)) == ["line 30", "line 40"]
    assert titles(chosen(threaded("PATCH 1/2", 10, "1@x"), threaded("PATCH 2/2", 20, "2@x"))) == ["line 10", "line 20"]


def test_mails_that_were_saved_without_their_ids_are_no_threads() -> None:
    told = chosen(patch("PATCH 1/2", In_Reply_To="<c@x>"), patch("PATCH 2/2", 20))
    assert titles(told) == ["line 10", "line 20"]


@pytest.mark.parametrize(("identity", "lines"), [("a2@x", [10, 20]), ("b1@x", [30, 40]), ("b2@x", [30, 40]), ("s@x", [50])])
def test_one_of_several_series_is_named_by_one_of_its_mails(identity: str, lines: list[int]) -> None:
    told = chosen(*FIRST, *SECOND, REPLY, threaded("PATCH", 50, "s@x", "a0@x"), identity=identity)
    assert titles(told) == [f"line {line}" for line in lines]


def test_a_mail_that_is_not_there() -> None:
    with pytest.raises(UsageError, match=r"There is no mail <z@x> in t.mbox; look its Message-ID up"):
        chosen(*FIRST, identity="z@x")
