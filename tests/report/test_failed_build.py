# SPDX-License-Identifier: GPL-2.0-only
"""A build that failed, in every format: whose fault it is, where, and that nothing was tested."""

from __future__ import annotations

import email
import email.policy
from xml.etree import ElementTree

import msgspec
import pytest

from harness.model.summary import Summary
from harness.report import eml, failed_build, github, junit, ktap
from tests.report import test_github, test_junit, test_ktap
from tests.support import content, failed, schema


def read(summary: Summary) -> list[tuple[str, dict[str, str], str]]:
    """Return the annotations for GitHub."""
    text = github.of_failed(summary)
    assert text.endswith("\n")
    return [test_github.read(line) for line in text.split("\n")[:-1]]


def cases(summary: Summary) -> dict[str, ElementTree.Element]:
    """Return the cases of JUnit XML by their cells, all of which its readers understand."""
    return {case.attrib["classname"]: case for case in test_junit.checked(junit.of_failed(summary)).iter("testcase")}


@pytest.mark.parametrize("stage", failed.STAGES)
def test_the_summary_keeps_to_its_schema(stage: str) -> None:
    data = schema.check_summary(msgspec.json.encode(failed.build(stage)))
    assert data["status"]["word"] == ("rig-failed" if stage == "rig" else "build-failed")
    assert data["status"]["code"] == 1


def test_a_hunk_that_does_not_match_is_annotated_where_it_begins() -> None:
    ((kind, fields, message),) = read(failed.build("series"))
    assert kind == "error"
    assert fields == {"file": failed.PATCH.path, "line": "17", "title": "Linux 4.18.0: mine does not apply"}
    assert message.startswith("0001-a.patch does not apply: hunk 1.\n\n@@ -10,3 +10,4 @@")


def test_an_error_of_the_compiler_is_annotated_at_the_patchs_line_or_else_at_the_series() -> None:
    told = read(failed.build("build"))
    assert [(fields["file"], fields["line"], message) for _, fields, message in told] == [
        (failed.PATCH.path, "17", "mm/a.c:12: error: 'b' undeclared"),
        (f"{failed.FOLDER}/series", "1", "mm/b.c:1: error: no f"),
    ]
    assert {fields["title"] for _, fields, _ in told} == {"Linux 4.18.0: x86_64/mine/perf does not build"}


def test_what_the_rig_failed_in_has_no_place() -> None:
    ((_, fields, message),) = read(failed.build("rig"))
    assert fields == {"title": "Linux 4.18.0: the rig failed, and nothing was tested"}
    assert message == "No space left on device."


@pytest.mark.parametrize("stage", failed.STAGES)
def test_in_junit_the_cell_is_an_error_and_the_others_are_skipped(stage: str) -> None:
    found = cases(failed.build(stage))
    ((told,),) = (found["x86_64/mine/perf"],)
    assert told.tag == "error"
    assert told.attrib["message"] == failed.failure(stage).reason
    ((stock,),) = (found["x86_64/stock/perf"],)
    assert stock.tag == ("error" if stage == "rig" else "skipped")


@pytest.mark.parametrize("stage", failed.STAGES)
def test_ktap_can_be_read_and_fails(stage: str) -> None:
    nodes, text = test_ktap.parsed(ktap.of_failed(failed.build(stage)))
    assert [(node.name, node.state) for node in nodes] == [
        ("x86_64/stock/perf", "not ok" if stage == "rig" else "ok"),
        ("x86_64/mine/perf", "not ok"),
    ]
    assert f"#  {failed.failure(stage).reason}\n" in text


@pytest.mark.parametrize("stage", failed.STAGES)
def test_the_mail_says_what_failed_and_that_nothing_was_tested(stage: str) -> None:
    made = failed.build(stage)
    text = failed_build.mail(made)
    assert text.isascii()
    assert max(map(len, text.splitlines())) <= 75
    assert text.startswith(f"{failed_build.title(made)}\n====")
    assert "\n\nNothing was tested.\n" in text
    assert "invoke build boot test" in text
    mail = email.message_from_string(eml.eml(made, text, {}), policy=email.policy.default)
    assert mail["Subject"] == f"{failed_build.title(made)} (kernel-patch-rig, {made.run})"
    assert f"exit code 1, {made.status.meaning}" in github.page(made, text)


@pytest.mark.parametrize("evil", [content.EVIL, "a\r\n::error::x", "not ok 1 x", "]]>\x00", "", "x" * 100_000])
@pytest.mark.parametrize("stage", failed.STAGES)
def test_no_word_of_a_patch_or_a_compiler_breaks_a_format(stage: str, evil: str) -> None:
    errors = tuple(msgspec.structs.replace(error, text=evil) for error in failed.failure(stage).errors)
    made = failed.build(stage, reason=evil, excerpt=f"{evil}\n" * 40, errors=errors)
    assert {kind for kind, _, _ in read(made)} == {"error"}
    assert len(cases(made)) == 2
    nodes, _ = test_ktap.parsed(ktap.of_failed(made))
    assert len(nodes) == 2
    assert max(map(len, failed_build.mail(made).splitlines())) <= 75
