# SPDX-License-Identifier: GPL-2.0-only
"""Reading the trace of the longest critical section, as kernels wrote it."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness import paths
from harness.suite import tracer

TRACES = paths.PROJECT / "tests" / "data" / "traces"
"""of long_busy_list_alloc_test with 2,000 areas on stock 4.18, counted at 2 ns an instruction"""


@pytest.mark.parametrize("file", sorted(TRACES.iterdir()), ids=lambda file: file.stem)
def test_a_recorded_trace_names_the_walk_of_the_busy_list(file: Path) -> None:
    found = tracer.parse(file.read_text())
    assert found is not None
    assert found.microseconds == float(file.read_text().partition("# latency: ")[2].split()[0])
    assert found.ended.startswith("alloc_vmap_area")
    assert found.began in ("preempt_count_add", found.ended)
    assert [name.split(".")[0] for name in found.stack[:3]] == ["alloc_vmap_area", "__get_vm_area_node", "vmalloc"]
    assert "kthread" in found.stack


def test_a_tracer_that_saw_nothing_says_nothing() -> None:
    assert tracer.parse("# tracer: preemptoff\n#\n") is None
    assert tracer.parse("") is None


@given(st.text())
def test_no_text_is_too_strange(text: str) -> None:
    found = tracer.parse(f"# latency: 12 us, {text}")
    assert found is not None
    assert found.microseconds == 12


def test_a_trace_that_was_cut_off_still_tells_how_long() -> None:
    whole = next(iter(TRACES.iterdir())).read_text()
    found = tracer.parse(whole.partition("<stack trace>")[0])
    assert found is not None
    assert found.stack == ()
