# SPDX-License-Identifier: GPL-2.0-only
"""Node ids of the suite, and the reasons of its reports."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from harness import paths
from harness.errors import VmLost
from harness.suite.nodeid import Name, name, why


def test_a_node_id_says_what_runs_where() -> None:
    said = "harness/suite/test_vmalloc.py::test_module[x86_64/mine@2/perf/icount/3.1/sweep_churn@busy=5000]"
    assert name(said) == Name("x86_64/mine@2/perf", "icount", 3, 1, "sweep_churn@busy=5000")
    assert name("x.py::test_boot[x86_64/stock/perf/wall/0.0/wall]").test == "boot under wall"


def report(longrepr: Any) -> pytest.TestReport:
    return pytest.TestReport("x.py::test_y", ("x.py", 1, "y"), {}, "failed", longrepr, "call")


def raised(act: Callable[[], object]) -> Any:
    """Return how pytest would show what `act` raises."""
    try:
        act()
    except BaseException as error:  # also what pytest raises to fail or skip
        return pytest.ExceptionInfo.from_exception(error).getrepr()
    raise AssertionError


def lost() -> None:
    raise VmLost(f"QEMU did not start; its log is {paths.cache()}/vms/vm-1/qemu.log, the run's {paths.RESULTS}/latest.")


def not_there() -> None:
    (paths.PROJECT / "nothing" / "here").read_text()


@pytest.mark.parametrize(
    ("longrepr", "said"),
    [
        ((f"{paths.PROJECT}/harness/suite/conftest.py", 150, "Skipped: no fault injection"), "no fault injection"),
        ((f"{paths.PROJECT}/conftest.py", 150, f"Skipped: {paths.PROJECT}/a is not b's"), "a is not b's"),
        (
            raised(lambda: pytest.fail("bug: kernel BUG at mm/vmalloc.c:512!", pytrace=False)),
            "bug: kernel BUG at mm/vmalloc.c:512!",
        ),
        (raised(not_there), "FileNotFoundError: [Errno 2] No such file or directory: 'nothing/here'"),
        ("[XPASS(strict)] an overflow", "[XPASS(strict)] an overflow"),
        (SimpleNamespace(errorstring="fixture 'lob' not found\n> use lab", toterminal=lambda _: None), "fixture 'lob' not found"),
        ("", "it did not say why"),
    ],
    ids=["skipped", "skipped, quoted", "failed", "raised", "xpass", "fixture", "nothing"],
)
def test_a_reason_is_one_line_without_paths_of_the_host(longrepr: Any, said: str) -> None:
    assert why(report(longrepr)) == said


def test_an_error_of_a_fixture_names_logs_as_they_are_called_in_the_rig() -> None:
    said = why(report(raised(lost)))
    assert said.endswith("QEMU did not start; its log is cache/vms/vm-1/qemu.log, the run's results/latest.")
