# SPDX-License-Identifier: GPL-2.0-only
"""Another module than the rig's own is built, loaded and read; it uses what the kernel does not export, and ends in -EAGAIN."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness import paths
from harness.runs import lifecycle
from harness.stats.outcome import ExitCode
from tests.support.rig import rig

pytestmark = pytest.mark.kernel
MODULE = paths.PROJECT / "tests/data/module"
OPTIONS = ("--machine", "x86_64", "--variant", "stock", "--scale", "quick", "--boots", "1", "--module", str(MODULE))


def test_a_foreign_module_takes_the_place_of_the_rigs(own_results: Path) -> None:
    done = rig("build", *OPTIONS, "test", *OPTIONS, "--module-args", "loops=500")
    assert done.returncode == ExitCode.GOOD, done.stdout + done.stderr
    run = lifecycle.find("latest")
    told = run.provenance()
    assert told.module
    assert (told.module.name, told.module.arguments, told.tests) == ("foreign", ("loops=500",), ("foreign",))
    assert any("__vmalloc_node_range" in note for note in told.notes)
    assert [(sample.test, sample.operations) for sample in run.samples()] == [("foreign/page_test", 500)]
    assert {result.test.split()[0]: result.outcome for result in run.results()} == {
        "boot": "passed",
        "foreign": "passed",
        "end": "passed",
    }


def test_what_fails_in_it_is_a_finding(own_results: Path) -> None:
    done = rig("test", *OPTIONS, "--module-args", "loops=5 fails=1")
    assert done.returncode == ExitCode.FINDING, done.stdout + done.stderr
    (finding,) = lifecycle.find("latest").findings()
    assert (finding.test, finding.trouble.kind) == ("foreign", "test-failed")
    assert finding.trouble.title == "aligned.by_16_pages: the test failed"
    assert "not ok 1 by_16_pages" in finding.trouble.text
