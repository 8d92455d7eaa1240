# SPDX-License-Identifier: GPL-2.0-only
"""summary.json: its schema, and the values of runs of every kind, whole and broken."""

from __future__ import annotations

from typing import Any

import jsonschema
import msgspec
import pytest

from harness.model import summary as model
from harness.model.clock import Clock
from harness.model.summary import InPatch, Summary
from harness.model.trouble import Frame
from harness.report import summary
from harness.report.contents import Content
from harness.report.summary import Places
from harness.stats.outcome import MEANINGS, ExitCode
from tests.support import content, make, schema


def of(records: Content, code: int = 0, places: Places | None = None) -> Summary:
    """Return the summary of a report, whose JSON has to keep to the schema."""
    made = summary.of(records, code, places or Places(), ["report.html", "summary.json"])
    data = msgspec.json.encode(made)
    schema.check_summary(data)
    assert msgspec.json.decode(data, type=Summary) == made
    return made


def structs() -> dict[str, type[msgspec.Struct]]:
    """Return the structs of the summary by name."""
    return {name: each for name, each in vars(model).items() if isinstance(each, type) and issubclass(each, msgspec.Struct)}


def test_the_schema_has_each_field_of_each_struct() -> None:
    jsonschema.Draft202012Validator.check_schema(schema.SUMMARY)
    described = {"Summary": schema.SUMMARY, **schema.SUMMARY["$defs"]}
    assert set(described) == {*structs(), "Clock"}
    for name, each in structs().items():
        assert list(described[name]["properties"]) == list(each.__struct_fields__), name
        assert described[name]["required"] == list(each.__struct_fields__), name
    assert schema.SUMMARY["properties"]["version"] == {"const": model.VERSION}
    assert described["Clock"]["enum"] == sorted(Clock)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("version",), 2),
        (("status", "code"), 7),
        (("status", "word"), "bad"),
        (("findings", 0, "state"), "new"),
        (("findings", 0, "fingerprint"), "xyz"),
        (("comparisons", 0, "verdict"), "better"),
        (("comparisons", 0, "interval"), [1.0]),
        (("variants", 0, "word"), "GOOD"),
        (("results", "passed"), "3"),
        (("times",), None),
    ],
)
def test_the_schema_refuses_what_is_none(path: tuple[str | int, ...], value: object) -> None:
    told = msgspec.json.decode(msgspec.json.encode(of(content.full())))
    *parents, last = path
    within = told
    for part in parents:
        within = within[part]
    within[last] = value
    with pytest.raises(jsonschema.ValidationError):
        schema.check_summary(msgspec.json.encode(told))
    del within[last]
    if isinstance(last, str) and within is not told["results"]:
        with pytest.raises(jsonschema.ValidationError):
            schema.check_summary(msgspec.json.encode(told))


def test_a_whole_run_has_all_parts() -> None:
    made = of(content.full(), ExitCode.FINDING)
    assert made.version == model.VERSION
    assert (made.status.code, made.status.meaning, made.status.word) == (2, MEANINGS[2], "finding")
    assert made.before == ""
    assert made.settings.profiles == ("perf",)
    assert [(each.name, each.word, each.patches) for each in made.variants] == [
        ("stock", "BROKEN", ()),
        ("mine", "FASTER", ("0001-a.patch", "0002-b.patch")),
        ("mine@1", "FASTER", ("0001-a.patch",)),
    ]
    assert [(cell.machine, cell.variant, cell.profile) for cell in made.cells] == [
        ("x86_64", "stock", "perf"),
        ("x86_64", "mine", "perf"),
    ]
    assert made.results == {"passed": 30, "failed": 0, "xfailed": 0, "dismissed": 0, "skipped": 0, "error": 0}
    assert [found.state for found in made.findings] == ["unexpected", "known"]
    assert len(made.comparisons) == 20
    first = made.comparisons[0]
    assert (first.baseline and first.baseline.samples, first.measured and first.measured.boots) == (6, 5)
    assert [bug.reason for bug in made.known_bugs] == ["an overflow"]


def test_a_finding_has_what_it_takes_to_look_into_it() -> None:
    (found,) = of(Content(make.provenance(), findings=(make.finding(),), results=(make.result("failed"),)), 2).findings
    assert (found.kind, found.severity, found.where) == ("bug", "fatal", "mm/vmalloc.c:512")
    assert found.repeat.startswith("invoke test --machine x86_64 --variant stock --profile perf --tests align_shift_alloc_test")
    assert found.lines == (417, 450)
    assert found.log == "x86_64-stock-perf-wall-0.serial.log"
    assert "kernel BUG at mm/vmalloc.c:512!" in found.excerpt


def test_findings_of_each_state_have_their_reason() -> None:
    findings = (
        make.finding(expected="an overflow", title="a"),
        msgspec.structs.replace(make.finding(title="b", function="b"), dismissed="2026-01-02: not ours"),
        make.finding(title="c", function="c"),
    )
    told = of(Content(make.provenance(), findings=findings), 2).findings
    assert [(found.state, found.reason) for found in told] == [
        ("unexpected", ""),
        ("dismissed", "2026-01-02: not ours"),
        ("known", "an overflow"),
    ]


def test_the_line_of_the_patch_is_the_blamed_one_or_that_of_a_frame() -> None:
    blamed, called = InPatch("0001-a.patch", "kernel_patches/a", 7), InPatch("0002-b.patch", "", 0)
    places = Places({}, {("mine", "mm/vmalloc.c", 512): blamed, ("mine", "mm/util.c", 9): called})

    def line(**other: Any) -> InPatch | None:
        records = Content(make.provenance(), findings=(make.finding(**{"variant": "mine", **other}),))
        return of(records, 2, places).findings[0].patch

    assert line() == blamed
    assert line(variant="stock") is None, "the same line of another kernel"
    frames = (Frame("f", file="mm/util.c", line=9, sure=False), Frame("g", file="mm/util.c", line=9))
    assert line(where="mm/slub.c:1", frames=frames[:1]) is None, "a frame that may be stale"
    assert line(where="mm/slub.c:1", frames=frames) == called
    assert line(where="", frames=()) is None
    assert line(where="mm/vmalloc.c:x", frames=()) is None


@pytest.mark.parametrize(
    "records",
    [
        Content(make.provenance()),
        Content(make.provenance(finished="", planned=9, left_out=2, proven=False, cells={}, machines={}, patches={})),
        Content(make.provenance(hours=2.5, seed=7, resumed=("2026-01-02T03:04:05+00:00",), notes=("a note",))),
        Content(make.provenance(), results=(make.result("error", reason="QEMU did not start"), make.result("skipped"))),
        Content(make.provenance(), comparisons=(content.comparison(variant="", measured=None, ratio=None, interval=None),)),
        content.broken(),
    ],
    ids=["nothing", "interrupted", "soak", "failed", "stock alone", "broken"],
)
def test_a_run_of_any_kind_keeps_to_the_schema(records: Content) -> None:
    for code in MEANINGS:
        assert of(records, code).status.code == code


@pytest.mark.parametrize("evil", [content.EVIL, "\x00", "\u2028", "a\nb", "x" * 100_000])
def test_no_word_of_a_guest_breaks_it(evil: str) -> None:
    text = "\n".join([evil] * 500)
    finding = make.finding(variant=evil, test=evil, title=evil, function=evil, where=evil, text=text, frames=(Frame(evil),))
    run = make.provenance(patches={evil: (evil,)}, cells={f"x86_64/{evil}/perf": "1"}, machines={evil: evil}, notes=(evil,))
    made = of(Content(run, findings=(finding,), results=(make.result("failed", variant=evil, reason=evil),)), 2)
    (found,) = made.findings
    assert len(found.excerpt) <= 4096
    assert len(found.title) <= 4096
    assert "\x1b" not in found.title + found.excerpt


def test_a_variant_may_have_slashes_in_its_name() -> None:
    (cell,) = of(Content(make.provenance(cells={"x86_64/a/b@2/perf": "1"}))).cells
    assert (cell.machine, cell.variant, cell.profile) == ("x86_64", "a/b@2", "perf")
