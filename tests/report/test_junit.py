# SPDX-License-Identifier: GPL-2.0-only
"""junit.xml: what its readers allow, names that say which cell, known bugs apart from skips, and its size."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

import pytest

from harness.model import catalog
from harness.model.clock import Clock
from harness.model.records import Finding, Result
from harness.model.trouble import Frame
from harness.report.junit import junit
from tests.support import make

DEFAULT_RUN = 350_000
"""bytes that a run at scale default has at most, each test of which fails in another way"""
# The Jenkins xunit plugin's junit-10.xsd: elements with the attributes that each has to have, those that it may have,
# and the elements in it.
SCHEMA: dict[str, tuple[set[str], set[str], set[str]]] = {
    "testsuites": (set(), {"name", "time", "tests", "failures", "errors"}, {"testsuite"}),
    "testsuite": (
        {"name", "tests", "failures", "errors"},
        {"time", "skipped", "timestamp", "hostname", "id", "package", "file", "log", "url", "group"},
        {"testcase", "properties", "testsuite"},
    ),
    "testcase": ({"name"}, {"time", "classname", "group"}, {"skipped", "error", "failure"}),
    **dict.fromkeys(("skipped", "error", "failure"), (set(), {"type", "message"}, set())),
}


def read(results: Sequence[Result], findings: Sequence[Finding] = ()) -> Element:
    """Return the root of the file, which has to be as its readers want it."""
    return checked(junit(make.provenance(), results, findings))


def checked(text: str) -> Element:
    """Return the root of a file, which has to be as its readers want it."""
    root = ElementTree.fromstring(text)
    assert root.tag == "testsuites"
    for element in root.iter():
        must, may, inside = SCHEMA[element.tag]
        assert must <= set(element.attrib) <= must | may, element.tag
        assert {child.tag for child in element} <= inside
    gitlab_reads(root)
    return root


def gitlab_reads(root: Element) -> None:
    """Hold what GitLab reads: class, name and time of a case, and its first element with a status and words."""
    for case in root.iter("testcase"):
        assert case.attrib["classname"]
        assert case.attrib["name"]
        assert float(case.attrib["time"]) >= 0
        assert len(case) <= 1, "a second element would not be read"
        for told in case:
            assert told.tag in ("failure", "error", "skipped")
            assert told.attrib.get("message") or told.text or told.attrib["type"]


def cases(root: Element) -> dict[str, Element]:
    return {f"{case.attrib['classname']} {case.attrib['name']}": case for case in root.iter("testcase")}


def only(results: Sequence[Result], findings: Sequence[Finding] = ()) -> Element:
    """Return what the only case has in it."""
    ((inside,),) = read(results, findings).iter("testcase")
    return inside


def failed(test: str = "align_shift_alloc_test", **other: Any) -> Result:
    return make.result("failed", clock=Clock.WALL, test=test, reason="Failed: bug: kernel BUG at mm/vmalloc.c:512!", **other)


def test_suites_are_cells_in_the_order_of_the_patches() -> None:
    results = [
        make.result(variant=variant, profile=profile)
        for profile in ("perf", "debug")
        for variant in ("stock", "mine@10", "mine@9", "mine")
    ]
    root = read(results)
    assert [suite.attrib["name"] for suite in root] == [
        f"x86_64/{variant}/{profile}" for profile in ("debug", "perf") for variant in ("stock", "mine@9", "mine@10", "mine")
    ]
    assert all(case.attrib["classname"] == suite.attrib["name"] for suite in root for case in suite)


def test_cases_are_named_for_test_clock_and_boot() -> None:
    root = read(
        [
            make.result(test="boot under icount"),
            make.result(),
            make.result(round=1),
            make.result(boot=1),
            make.result(clock=Clock.WALL, test="end under wall"),
        ]
    )
    assert [case.attrib["name"] for case in root.iter("testcase")] == [
        "boot [icount, boot 0]",
        "le_fit_alloc_test [icount, boot 0]",
        "le_fit_alloc_test [icount, boot 0, round 1]",
        "le_fit_alloc_test [icount, boot 1]",
        "end [wall, boot 0]",
    ]


def test_known_bugs_are_told_from_skips_and_failures_of_the_rig() -> None:
    results = [
        make.result("xfailed", test="a", reason="an overflow"),
        make.result("skipped", test="b", reason="the VM was lost"),
        make.result("error", test="c", reason="QEMU did not start"),
        failed("d"),
        make.result(test="e"),
    ]
    (suite,) = read(results)
    told = [[(inside.tag, inside.attrib["type"], inside.attrib["message"]) for inside in case] for case in suite]
    assert told == [
        [("skipped", "known bug", "known bug: an overflow")],
        [("skipped", "skipped", "the VM was lost")],
        [("error", "the rig failed", "QEMU did not start")],
        [("failure", "failed", "Failed: bug: kernel BUG at mm/vmalloc.c:512!")],
        [],
    ]
    counts = {name: suite.attrib[name] for name in ("tests", "failures", "errors", "skipped", "time")}
    assert counts == {"tests": "5", "failures": "1", "errors": "1", "skipped": "2", "time": "6.250"}


def test_a_failure_has_the_findings_title_place_log_and_trace() -> None:
    expected = make.finding(expected="a known one", title="something known")
    inside = only([failed()], [make.finding(process="insmod/7", cpu=1), expected])
    assert inside.tag == "failure"
    assert inside.attrib == {"type": "bug", "message": "bug: kernel BUG at mm/vmalloc.c:512!"}
    assert (inside.text or "").splitlines() == [
        "bug: kernel BUG at mm/vmalloc.c:512!",
        "in alloc_vmap_area, mm/vmalloc.c:512, process insmod/7, CPU 1",
        "x86_64-stock-perf-wall-0.serial.log, lines 417 to 450",
        "  alloc_vmap_area+0x4a0/0x5c0",
        "  run+0x10/0x80 [vmalloc_test]",
    ]


def test_findings_of_other_boots_clocks_and_cells_are_not_a_tests_own() -> None:
    others = [make.finding(title="another", variant="mine"), make.finding(title="another", test="model_test")]
    inside = only([failed()], [*others, make.finding()])
    assert inside.attrib["message"] == "bug: kernel BUG at mm/vmalloc.c:512!"
    assert "another" not in (inside.text or "")


def test_the_findings_of_a_boot_and_an_end_are_their_own() -> None:
    boot = only([failed("boot under wall")], [make.finding(test="boot")])
    assert "alloc_vmap_area" in (boot.text or "")


def test_a_cause_is_told_once_and_then_referred_to() -> None:
    results = [failed(), failed("model_test")]
    found = cases(read(results, [make.finding(), make.finding(test="model_test")]))
    again = found["x86_64/stock/perf model_test [wall, boot 0]"][0]
    assert again.text == "bug: kernel BUG at mm/vmalloc.c:512!\nas in align_shift_alloc_test [wall, boot 0]"


@pytest.mark.parametrize("evil", ["\x00\x1b[31m", "\ud800", "<script>&\"'", "\ufffe", "]]>", "a\nb"])
def test_no_word_of_a_guest_breaks_the_file(evil: str) -> None:
    results = [make.result("failed", variant=f"v{evil}", test=f"t{evil}", clock=Clock.WALL, reason=evil)]
    findings = [make.finding(variant=f"v{evil}", test=f"t{evil}", title=evil, function=evil, frames=(Frame(evil),))]
    root = read([*results, make.result("error", reason=evil), make.result("skipped", reason=evil)], findings)
    junit(make.provenance(), results, findings).encode()
    assert "\x1b" not in ElementTree.tostring(root, encoding="unicode")


def default_run(outcome: str) -> tuple[list[Result], list[Finding]]:
    """Return the results and findings of a run at scale default on two machines, of which each stress test ends like that."""
    results, findings = [], []
    long = "the hole [ffffff8020001000,ffffffbebbff0000) in the window [ffffff8020001000,ffffffbebbff0000) " * 3
    for machine in ("x86_64", "aarch64"):
        for variant in ("stock", "mine"):
            cell: dict[str, Any] = {"machine": machine, "variant": variant}
            for boot in range(catalog.suite().scales["default"].boots):
                around = ("boot under icount", *catalog.performance(), "end under icount")
                results += [make.result(test=test, boot=boot, **cell) for test in around]
            for test in catalog.choose("stress"):
                results.append(make.result(outcome, clock=Clock.WALL, test=test, reason=long, **cell))
                frames = tuple(Frame(f"{test}_{number}", 0x4A0, 0x5C0) for number in range(60))
                findings += [
                    make.finding(test=test, title=f"{number} {test}: {long}", fingerprint=f"{test}{number}", frames=frames, **cell)
                    for number in "abc"
                ]
    return results, findings


@pytest.mark.parametrize("outcome", ["passed", "xfailed", "failed", "error"])
def test_a_default_run_takes_no_more_than_it_may(outcome: str) -> None:
    results, findings = default_run(outcome)
    assert len(cases(read(results, findings))) == len(results)
    assert len(junit(make.provenance(), results, findings).encode()) < DEFAULT_RUN


def test_a_run_without_results_has_no_suite() -> None:
    assert len(read([])) == 0


def test_a_dismissed_finding_is_told_and_fails_nothing() -> None:
    (suite,) = read([make.result("dismissed", reason="bug: kernel BUG at mm/vmalloc.c:512!")])
    ((told,),) = suite
    assert (told.tag, told.attrib["type"]) == ("skipped", "dismissed")
    assert told.attrib["message"] == "dismissed: bug: kernel BUG at mm/vmalloc.c:512!"
    assert (suite.attrib["skipped"], suite.attrib["failures"]) == ("1", "0")
