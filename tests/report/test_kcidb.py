# SPDX-License-Identifier: GPL-2.0-only
"""A run for KernelCI: valid by KernelCI's own library, tied together by ids, with known bugs told from new ones."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from harness.errors import UsageError
from harness.model.clock import Clock
from harness.model.summary import Summary
from harness.report import kcidb, summary
from harness.report.contents import Content
from harness.report.kcidb import Kcidb
from harness.report.summary import Places
from tests.support import content, failed, make

kcidb_io = pytest.importorskip("kcidb_io", reason="kcidb-io is not installed: nothing checks the export to KernelCI here")


def told(records: Content, **other: Any) -> dict[str, Any]:
    """Return the export of a report, which has to be valid in the very version that it names."""
    made = summary.of(records, 2, Places(), ["report.html"])
    data: dict[str, Any] = msgspec.json.decode(
        kcidb.kcidb(Kcidb(made, records.results, records.findings, records.samples, **other))
    )
    kcidb_io.schema.V5_3.validate_exactly(data)
    assert data["version"] == {"major": kcidb_io.schema.V5_3.major, "minor": kcidb_io.schema.V5_3.minor}
    is_tied(data)
    return data


def is_tied(data: dict[str, Any]) -> None:
    """Hold that ids are unique and that whatever one object says of another exists."""
    ids = {kind: [each["id"] for each in data[kind]] for kind in ("checkouts", "builds", "tests", "issues", "incidents")}
    assert all(len(known) == len(set(known)) for known in ids.values())
    for kind, field, of in (
        ("builds", "checkout_id", "checkouts"),
        ("tests", "build_id", "builds"),
        ("incidents", "test_id", "tests"),
        ("incidents", "issue_id", "issues"),
    ):
        assert {each[field] for each in data[kind]} <= set(ids[of])


def of(*results: Any, findings: Any = (), **other: Any) -> Content:
    return Content(make.provenance(**other), results=tuple(results), findings=tuple(findings))


def test_a_run_has_its_checkouts_builds_and_tests() -> None:
    boot = make.result(test="boot under icount")
    records = of(boot, make.result(), make.result(variant="mine"), patchsets={"mine": "a" * 64})
    data = told(records, letters={"mine": "1@example.org"}, url="https://ci.example.org/run/")
    stock, mine = data["checkouts"]
    assert stock["id"] == "kernel_patch_rig:20260102-030405-abcd/stock"
    assert (stock["comment"], stock["patchset_hash"], stock["valid"]) == ("Linux 4.18.0", "", True)
    assert (mine["comment"], mine["patchset_hash"]) == ("Linux 4.18.0 with mine, 2 patches", "a" * 64)
    assert mine["message_id"] == "1@example.org"
    assert [(build["architecture"], build["config_name"]) for build in data["builds"]] == [("x86_64", "perf")] * 2
    assert data["builds"][0]["config_url"] == "https://ci.example.org/run/x86_64-stock-perf.config"
    assert [(test["path"], test["status"]) for test in data["tests"]] == [
        ("boot", "PASS"),
        ("vmalloc_test.le_fit_alloc_test", "PASS"),
        ("vmalloc_test.le_fit_alloc_test", "PASS"),
    ]
    assert data["issues"] == data["incidents"] == []


def test_a_patch_set_whose_hash_is_not_known_has_none() -> None:
    assert "patchset_hash" not in told(of(make.result(variant="mine")))["checkouts"][1]


@pytest.mark.parametrize(
    ("outcome", "status"),
    [("passed", "PASS"), ("failed", "FAIL"), ("xfailed", "FAIL"), ("dismissed", "FAIL"), ("skipped", "SKIP"), ("error", "MISS")],
)
def test_each_outcome_has_its_status(outcome: str, status: str) -> None:
    (test,) = told(of(make.result(outcome, reason="why")))["tests"]
    assert (test["status"], test["comment"], test["misc"]["outcome"]) == (status, "why", outcome)


def test_figures_are_medians_of_a_boot_without_the_warm_up() -> None:
    samples = (make.sample(7.0, warmup=True), *(make.sample(value) for value in (1.0, 9.0, 2.0)), make.sample(50.0, boot=1))
    records = msgspec.structs.replace(of(make.result(), make.result(boot=1), make.result(test="other_test")), samples=samples)
    numbers = [test.get("number") for test in told(records)["tests"]]
    assert numbers == [{"value": 2.0, "unit": "instructions/op"}, {"value": 50.0, "unit": "instructions/op"}, None]


def test_a_finding_is_an_issue_and_each_test_that_shows_it_an_incident() -> None:
    results = [make.result("failed", clock=Clock.WALL, test=test) for test in ("align_shift_alloc_test", "model_test")]
    findings = [make.finding(), make.finding(test="model_test")]
    data = told(of(*results, findings=findings), url="https://x/")
    (issue,) = data["issues"]
    assert issue["report_subject"] == "bug: kernel BUG at mm/vmalloc.c:512!"
    assert issue["comment"] == "unexpected"
    assert "culprit" not in issue
    assert issue["id"] == f"kernel_patch_rig:{issue['misc']['fingerprint']}", "the same in other runs"
    assert [incident["issue_id"] for incident in data["incidents"]] == [issue["id"]] * 2
    assert all(test["log_url"] == "https://x/x86_64-stock-perf-wall-0.serial.log" for test in data["tests"])
    assert all("kernel BUG" in test["log_excerpt"] for test in data["tests"])


def test_a_known_bug_is_the_codes_fault_and_named_by_its_reason() -> None:
    result = make.result("xfailed", clock=Clock.WALL, test="align_shift_alloc_test", reason="an overflow")
    faces = [make.finding(expected="an overflow"), make.finding(expected="an overflow", title="another face")]
    data = told(of(result, findings=faces))
    (issue,) = data["issues"]
    assert issue["culprit"] == {"code": True, "tool": False, "harness": False}
    assert issue["report_subject"] == "an overflow"
    assert len(data["incidents"]) == 1


def test_findings_of_a_boot_belong_to_it() -> None:
    data = told(of(make.result("failed", test="boot under wall", clock=Clock.WALL), findings=[make.finding(test="boot")]))
    assert [test["path"] for test in data["tests"]] == ["boot"]
    assert len(data["incidents"]) == 1


def test_records_that_are_there_twice_are_two_tests() -> None:
    assert len(told(of(make.result(), make.result()))["tests"]) == 2


def test_a_run_without_anything_is_valid() -> None:
    data = told(Content(make.provenance(finished="", cells={}, patches={}, machines={})))
    assert not any(data[kind] for kind in ("checkouts", "builds", "tests", "issues", "incidents"))


def test_a_full_and_a_broken_run_are_valid() -> None:
    cells = {f"{m}/{v}/perf": "1" for m in content.MACHINES for v in content.VARIANTS}
    full = content.full()
    told(msgspec.structs.replace(full, provenance=msgspec.structs.replace(full.provenance, cells=cells)))
    broken = content.broken()
    cells = {f"x86_64/{variant}/perf": "1" for variant in broken.provenance.patches}
    told(msgspec.structs.replace(broken, provenance=msgspec.structs.replace(broken.provenance, cells=cells)))


@pytest.mark.parametrize("evil", [content.EVIL, "a\0b", "a/b c.d", "ü", "x" * 100_000])
def test_no_name_breaks_it(evil: str) -> None:
    cell = {"variant": evil, "test": evil}
    finding = make.finding(**cell, title=evil, text=f"{evil}\n" * 50)
    records = of(
        make.result("failed", clock=Clock.WALL, reason=evil, **cell),
        findings=[finding],
        patches={evil: (evil,)},
        cells={f"x86_64/{evil}/perf": "1"},
    )
    data = told(records, url="https://ci.example.org")
    assert len(data["incidents"]) == 1
    assert len(data["tests"][0]["log_excerpt"]) <= 16384


@pytest.mark.parametrize("origin", ["", "Rig", "a b", "a:b", "é"])
def test_an_origin_that_kernelci_refuses_is_refused(origin: str) -> None:
    with pytest.raises(UsageError, match="--origin takes lower-case letters"):
        kcidb.check(origin)
    kcidb.check("my_ci2")


def unbuilt(made: Summary, **other: Any) -> dict[str, Any]:
    """Return the export of a build that failed, which has to be valid."""
    data: dict[str, Any] = msgspec.json.decode(kcidb.of_failed(Kcidb(made, (), (), (), **other)))
    kcidb_io.schema.V5_3.validate_exactly(data)
    is_tied(data)
    return data


def test_for_kernelci_a_series_that_does_not_apply_is_a_checkout_that_is_not_valid() -> None:
    data = unbuilt(failed.build("series"), letters={"mine": "1@x.invalid"})
    (checkout,) = data["checkouts"]
    assert checkout["valid"] is False
    assert (checkout["comment"], checkout["message_id"]) == ("0001-a.patch does not apply: hunk 1.", "1@x.invalid")
    assert checkout["log_excerpt"].startswith("@@ -10,3")
    assert data["builds"] == data["tests"] == []


def test_for_kernelci_a_kernel_that_does_not_build_is_a_build_that_failed() -> None:
    data = unbuilt(failed.build("build"), url="https://ci.example.org/1")
    (build,) = data["builds"]
    assert (build["status"], build["architecture"]) == ("FAIL", "x86_64")
    assert build["log_url"] == "https://ci.example.org/1/x86_64-mine-perf.build.log"
    assert "config_url" not in build
    assert data["checkouts"][0]["valid"] is True


def test_for_kernelci_a_kernel_that_does_not_boot_is_a_boot_that_failed() -> None:
    data = unbuilt(failed.build("boot"))
    assert [(test["path"], test["status"]) for test in data["tests"]] == [("boot", "FAIL")]
    assert data["builds"][0]["status"] == "PASS"


def test_kernelci_hears_nothing_of_what_the_rig_failed_in() -> None:
    data = unbuilt(failed.build("rig"))
    assert not any(data[kind] for kind in ("checkouts", "builds", "tests", "issues", "incidents"))


@pytest.mark.parametrize("evil", [content.EVIL, "a\0b", "x" * 100_000])
@pytest.mark.parametrize("stage", failed.STAGES)
def test_no_word_of_a_patch_or_a_compiler_breaks_it(stage: str, evil: str) -> None:
    unbuilt(failed.build(stage, reason=evil, excerpt=f"{evil}\n" * 40))
