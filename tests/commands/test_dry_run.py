# SPDX-License-Identifier: GPL-2.0-only
"""The script of a command line: which parts it has, and when it is printed."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from invoke.parser.argument import Argument
from invoke.parser.context import ParserContext

from harness.build import rootfs
from harness.commands import dry_run
from harness.commands.dry_run import Script
from harness.errors import UsageError
from harness.model.selection import Selection
from tests.support.calls import Calls
from tests.support.patches import series_of

FIT = "le_fit_alloc_test"


@pytest.fixture
def wanted(kernel_source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Selection:
    """A selection of one cell of the tiny source; QEMU is a program that has no plugins, and an initramfs holds nothing."""
    calls = Calls(tmp_path, monkeypatch)
    calls.program("qemu-system-x86_64", "echo QEMU emulator version 3.1.0")

    def fill(root: Path, *_: object) -> Mapping[str, str]:
        (root / "etc").mkdir(parents=True)
        return {}

    monkeypatch.setattr(rootfs, "_fill", fill)
    return Selection(machine="x86_64", variant="stock", tests=FIT, scale="quick", boots=1, source=str(kernel_source))


def called(*tasks: str, **options: object) -> list[ParserContext]:
    """Return tasks as Invoke has read them from a command line, of which the last one has `options`."""
    contexts = [ParserContext(task) for task in tasks]
    for name, value in options.items():
        contexts[-1].add_arg(Argument(name, kind=type(value), default=value))
    return contexts


def script(wanted: Selection, *tasks: str, own: Mapping[str, Any] | None = None) -> str:
    """Return the script of tasks that have the same selection; none but the last prints it."""
    made = Script(called(*tasks))
    *before, whole = [made.add(task, wanted, own or {}) for task in tasks]
    assert before == [""] * (len(tasks) - 1)
    subprocess.run(("sh", "-n"), input=whole, text=True, check=True)
    return whole


def titles(text: str) -> list[str]:
    """Return the titles of a script's parts up to a colon."""
    return [title.partition(":")[0] for title in re.findall(r"^# ---- (.*) ----$", text, re.M)]


BUILT = [
    "initramfs for x86_64",
    "plugin of qemu-system-x86_64, which counts the blocks of a kernel that run",
    "kernel x86_64/stock/perf",
]
FIRST = "VM x86_64-stock-perf-icount-0"


@pytest.mark.parametrize(
    ("tasks", "parts"),
    [
        (("build",), BUILT),
        (("select", "build", "build"), BUILT),
        (("boot",), [*BUILT, FIRST]),
        (("build", "boot", "test"), [*BUILT, FIRST]),
        (("test", "boot"), [*BUILT, FIRST, FIRST]),
        (("test",), [*BUILT, FIRST]),
    ],
    ids=" ".join,
)
def test_each_part_comes_once_and_in_order(wanted: Selection, tasks: tuple[str, ...], parts: list[str]) -> None:
    unique = tuple(dict.fromkeys(tasks))
    text = script(wanted, *unique)
    assert titles(text) == [*parts, "end"]
    left = text.count('echo "to end it: kill $qemu"\nqemu=\n')
    assert left == (tasks in [("boot",), ("test", "boot")])
    assert text.startswith("#!/bin/sh\n# What `invoke")


def test_a_task_that_invoke_calls_once_is_waited_for_once(wanted: Selection) -> None:
    assert Script(called("build", "build")).add("build", wanted, {})


def test_what_a_task_before_has_made_is_there(wanted: Selection, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    series = series_of(tmp_path / "mine", 1)
    both = Selection(machine="x86_64", series=str(series), tests=FIT, scale="quick", boots=1, source=wanted.source)
    made = Script(called("build", "test"))
    made.add("build", both, {})
    text = made.add("test", wanted, {})
    assert titles(text) == [*BUILT, "kernel x86_64/mine/perf", FIRST, "end"]
    assert "0001-change.patch" in text
    assert "made above: $work/x86_64-stock-perf/vmalloc_test.ko" in text, "one module fits both kernels"
    assert text.count("rig_git()") == 1
    assert "note: The tasks have different kernels" in capsys.readouterr().err


def test_another_number_of_jobs_is_said_to_make(wanted: Selection) -> None:
    made = Script(called("build", "test"))
    made.add("build", wanted, {})
    text = made.add("test", Selection(**{**{name: getattr(wanted, name) for name in wanted.__struct_fields__}, "jobs": 7}), {})
    assert text.count("rig_git()") == 2
    assert "MAKEFLAGS=' -j7'" in text


def test_a_sweep_has_its_own_tests(wanted: Selection) -> None:
    text = script(Selection(machine="x86_64", variant="stock", tests="sweep_churn", scale="quick", source=wanted.source), "sweep")
    assert re.search(r"judge sweep_churn@busy=\d+-0 sweep_churn\n", text)


def test_an_error_leaves_no_part_of_a_script(wanted: Selection, capsys: pytest.CaptureFixture[str]) -> None:
    made = Script(called("build", "test"))
    made.add("build", wanted, {})
    with pytest.raises(UsageError, match="--resume and --dry-run exclude each other"):
        made.add("test", wanted, {"resume": True})
    assert capsys.readouterr().out == ""


def test_notes_of_a_series_do_not_get_into_the_script(
    wanted: Selection, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    series = series_of(tmp_path / "mine", 1)
    patch = series / "0001-change.patch"
    patch.write_text(patch.read_text().replace("--- a/", f"index {'1' * 40}..{'2' * 40} 100644\n--- a/"))
    script(Selection(machine="x86_64", variant="mine", series=str(series), tests=FIT, source=wanted.source), "build")
    out, err = capsys.readouterr()
    assert "note: 0001-change.patch starts from mm/vmalloc.c 111111111111 by its index line" in err
    assert out == ""


@pytest.mark.parametrize("name", ["soak", "status", "series.each"])
def test_a_task_without_a_dry_run_is_refused(name: str) -> None:
    with pytest.raises(UsageError) as caught:
        Script(called("build", name))
    assert str(caught.value) == (
        f"--dry-run goes with select, build, boot, test, sweep, try alone, and not with {name}; leave one of them out."
    )


def test_the_option_holds_for_all_tasks_wherever_it_stands() -> None:
    assert dry_run.asked([*called("build", dry_run=True), *called("test")])
    assert dry_run.asked(called("build", "test", dry_run=True))
    assert not dry_run.asked(called("build", "test", dry_run=False))
    assert not dry_run.asked([])
