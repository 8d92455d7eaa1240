# SPDX-License-Identifier: GPL-2.0-only
"""Node ids of the suite, and the reasons of its reports."""

from __future__ import annotations

from harness.suite.nodeid import Name, name


def test_a_node_id_says_what_runs_where() -> None:
    said = "harness/suite/test_vmalloc.py::test_module[x86_64/mine@2/perf/icount/3.1/sweep_churn@busy=5000]"
    assert name(said) == Name("x86_64/mine@2/perf", "icount", 3, 1, "sweep_churn@busy=5000")
    assert name("x.py::test_boot[x86_64/stock/perf/wall/0.0/wall]").test == "boot under wall"
