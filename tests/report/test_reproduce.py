# SPDX-License-Identifier: GPL-2.0-only
"""The command that repeats a finding selects the cell and the test that showed it, and the same source."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

import msgspec
import pytest

from harness.build import cells
from harness.model import catalog
from harness.model.clock import Clock
from harness.model.foreign import Foreign
from harness.model.matrix import load_base
from harness.model.selection import Selection, check, refine
from harness.model.toolchains import Toolchain
from harness.report.reproduce import command
from tests.support import make

CELL = "--machine x86_64 --variant stock --profile perf"


def again(of: dict[str, Any] | None = None, **run: Any) -> str:
    given = dict(of or {})
    found = make.finding(**{"test": "mix_stress_test", **given})
    return command(found, make.provenance(**run))


@pytest.mark.parametrize(
    ("of", "run", "expected"),
    [
        ({}, {}, f"invoke test {CELL} --tests mix_stress_test --scale quick"),
        ({}, {"scale": "default"}, f"invoke test {CELL} --tests mix_stress_test"),
        ({}, {"scale": "published unsettled", "loops": 0.1}, "mix_stress_test --scale published --unsettled --loops 0.1"),
        ({}, {"clock": Clock.WALL}, "mix_stress_test --scale quick --clock wall"),
        ({}, {"toolchain": Toolchain.LLVM}, f"invoke test {CELL} --tests mix_stress_test --toolchain llvm --scale quick"),
        ({"test": "le_fit_alloc_test"}, {"boots": 5}, "le_fit_alloc_test --scale quick --boots 1"),
        ({"test": "sweep_churn@busy=5000"}, {}, f"invoke sweep {CELL} --tests sweep_churn --scale quick --boots 1"),
        ({"test": "boot"}, {"command": "invoke test --tests stress"}, f"invoke test {CELL} --tests stress --scale quick"),
        ({"test": "end"}, {"boots": 4}, f"invoke test {CELL} --scale quick --boots 4"),
        ({"test": "boot"}, {"command": "invoke sweep"}, f"invoke sweep {CELL} --scale quick"),
        (
            {"test": "memory of the soak"},
            {"command": "invoke soak --tests model_test", "hours": 0.5, "seed": 7},
            f"invoke soak {CELL} --tests model_test --scale quick --hours 0.5 --seed 7",
        ),
        ({}, {"command": "invoke selfcheck --experiments 2"}, "invoke selfcheck --experiments 2"),
    ],
)
def test_the_command_has_what_it_takes(of: dict[str, Any], run: dict[str, Any], expected: str) -> None:
    said = again(of, **{"scale": "quick", **run})
    assert said.endswith(expected)
    assert said.startswith("invoke ")


def test_a_finding_of_a_later_boot_is_got_to() -> None:
    later = msgspec.structs.replace(make.finding(test="le_fit_alloc_test"), boot=3)
    assert command(later, make.provenance()).endswith("--boots 4")


@pytest.mark.parametrize(
    ("of", "given", "expected"),
    [
        ("mine", "invoke select --series '/a b/mine' --scale quick build test", "--series '/a b/mine'"),
        (
            "mine@2",
            "invoke test --series=/x/mine --each-patch",
            "--variant mine@2 --profile perf --tests mix_stress_test --series /x/mine",
        ),
        ("mine", "invoke select --series /old/mine test --series /x/mine", "--series /x/mine"),
        (
            "mine",
            "invoke test --source https://example.org/linux.git#v4.18 --kernel 4.18",
            "--source 'https://example.org/linux.git#v4.18' --kernel 4.18",
        ),
        ("stock", "env RIG_SOURCE=/src/linux invoke build test", "env RIG_SOURCE=/src/linux invoke test --machine"),
    ],
)
def test_the_command_takes_what_was_tested_from_that_of_the_run(of: str, given: str, expected: str) -> None:
    assert expected in again({"variant": of}, command=given)


def test_a_foreign_module_is_loaded_again_as_it_was() -> None:
    module = Foreign("mine", "0" * 64, ("a=1", "b=2"))
    given = "invoke select --module '/a b/mine' --module-args 'a=1 b=2' --scale quick test"
    said = again({"test": "mine"}, command=given, module=module, scale=f"quick {module.words}")
    assert said == f"invoke test {CELL} --module '/a b/mine' --module-args 'a=1 b=2' --scale quick --boots 1"


def test_stock_needs_no_series() -> None:
    assert "--series" not in again({"variant": "stock"}, command="invoke test --series /x/mine")


@pytest.mark.parametrize("given", ["", "invoke test --series", "invoke test 'torn", "env"])
def test_a_command_that_says_nothing_leaves_the_cell_and_the_test(given: str) -> None:
    assert again(command=given, scale="default") == f"invoke test {CELL} --tests mix_stress_test"


def test_the_command_selects_the_one_cell_and_the_one_test(tmp_path: Path) -> None:
    patch = tmp_path / "mine"
    patch.mkdir()
    (patch / "series").write_text("0001-a.patch\n0002-b.patch\n")
    for name in ("0001-a.patch", "0002-b.patch"):
        (patch / name).write_text("--- a/mm/vmalloc.c\n+++ b/mm/vmalloc.c\n")
    said = again(
        {"variant": "mine@1", "machine": "aarch64", "profile": "debug"}, command=f"invoke select --series {patch} --each-patch test"
    )
    words = shlex.split(said)[2:]
    options = {name.removeprefix("--"): value for name, value in zip(words[::2], words[1::2], strict=True)}
    wanted = refine(Selection(), options)
    check(wanted)
    (cell,) = cells.cells(wanted, load_base("4.18"))
    assert cell.name == "aarch64/mine@1/debug"
    assert catalog.choose(wanted.tests) == ("mix_stress_test",)
