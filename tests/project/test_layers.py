# SPDX-License-Identifier: GPL-2.0-only
"""The package's layers: imports point one way, and few modules touch the world."""

from __future__ import annotations

import ast
import functools
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness import paths
from harness.model.matrix import load_machine, machine_names

TIERS = {
    "values": ("errors", "paths", "tables", "matrix", "clock", "trouble", "changes", "records"),
    "pure": (
        "kconfig",
        "identity",
        "difference",
        "audited",
        "qemu_args",
        "gdb",
        "kernlog",
        "ktap",
        "meminfo",
        "kmemleak",
        "known",
        "causes",
        "excerpt",
        "headline",
        "prefixes",
        "tracer",
        "injection",
        "mutation",
        "compare",
        "sensitivity",
        "published",
        "outcome",
        "schema",
        "trend",
        "gate",
        "report",
        "estimate",
        "growth",
        "latency",
        "slopes",
        "soak_leaks",
    ),
    "outside": (
        "shell",
        "process",
        "buildlog",
        "store",
        "qmp",
        "console",
        "jobserver",
        "progress",
        "download",
        "git",
        "apt",
        "keys",
        "database",
        "history",
        "retention",
        "transcript",
        "symbols",
        "elf",
        "machine_code",
        "references",
        "functions",
        "compiled",
        "gdb_modules",
        "vmcore",
    ),
    # In the order of the data, which is also the order in which they may know each other's values.
    "stages": ("source", "patches", "kbuild", "rootfs", "protocol", "plan", "vm", "launch", "accel", "witness", "guest", "suite"),
    "wiring": (
        "logs",
        "selection",
        "options",
        "differences",
        "runs",
        "pipeline",
        "soak",
        "selfcheck",
        "audit",
        "bench",
        "mutants",
        "archive",
        "nightly",
        "check",
    ),
}
_RANK = {module: rank for rank, modules in enumerate(TIERS.values()) for module in modules}
_STARTS_PROCESSES = {"shell", "process", "check"}
_OF_THE_WORLD = {"os", "shutil", "socket", "subprocess", "tempfile", "threading", "time", "urllib"}
HARNESS = paths.PROJECT / "harness"


def module_of(file: Path) -> str:
    """Return the top module of a file in harness/; a package counts as one."""
    return file.relative_to(HARNESS).parts[0].removesuffix(".py")


def files() -> list[Path]:
    return [file for file in sorted(HARNESS.rglob("*.py")) if module_of(file) != "__init__"]


@functools.cache
def nodes(file: Path) -> tuple[ast.AST, ...]:
    return tuple(ast.walk(ast.parse(file.read_text())))


def imported(file: Path) -> Iterator[str]:
    """Yield the dotted names that `file` imports, wherever in it."""
    for node in nodes(file):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{file}:{node.lineno}: a relative import hides what it points to"
            assert node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def known_to(file: Path) -> set[str]:
    """Return the other modules of harness that `file` imports."""
    names = {name.split(".")[1] for name in imported(file) if name.startswith("harness.")}
    return names - {module_of(file)}


def test_every_module_has_a_tier() -> None:
    assert {module_of(file) for file in files()} == set(_RANK)


@pytest.mark.parametrize("file", files(), ids=lambda file: str(file.relative_to(HARNESS)))
def test_imports_point_up_the_table(file: Path) -> None:
    mine = _RANK[module_of(file)]
    assert not {name for name in known_to(file) if _RANK[name] > mine}


@pytest.mark.parametrize("tier", TIERS)
def test_imports_in_a_tier_make_no_circle(tier: str) -> None:
    waiting = {m: {n for f in files() if module_of(f) == m for n in known_to(f)} & set(TIERS[tier]) for m in TIERS[tier]}
    while free := {module for module, needs in waiting.items() if not needs & set(waiting)}:
        waiting = {module: needs for module, needs in waiting.items() if module not in free}
    assert not waiting


def test_stages_know_only_what_comes_before_them() -> None:
    order = TIERS["stages"]
    later = [
        f"{module_of(file)} -> {name}"
        for file in files()
        for name in known_to(file)
        if module_of(file) in order and name in order and order.index(name) > order.index(module_of(file))
    ]
    assert not later


def test_tasks_lie_on_top() -> None:
    assert not [file for file in files() for name in imported(file) if name.split(".")[0] in ("tasks", "tests")]


def test_few_modules_start_processes() -> None:
    users = {module_of(file) for file in files() if any(name.split(".")[0] == "subprocess" for name in imported(file))}
    assert users == _STARTS_PROCESSES


def test_pure_modules_do_not_touch_the_world() -> None:
    touched = [
        f"{file.name}: {name}"
        for file in files()
        if module_of(file) in TIERS["pure"]
        for name in imported(file)
        if name.split(".")[0] in _OF_THE_WORLD
    ]
    assert not touched


@pytest.mark.parametrize("file", [*files(), paths.PROJECT / "tasks.py"], ids=lambda file: file.name)
def test_no_shell_strings(file: Path) -> None:
    for node in nodes(file):
        if isinstance(node, ast.Call):
            called = ast.unparse(node.func)
            assert called not in ("os.system", "os.popen"), f"line {node.lineno}"
            assert not any(k.arg == "shell" and ast.unparse(k.value) == "True" for k in node.keywords), f"line {node.lineno}"


def test_architectures_are_known_to_machine_files_alone() -> None:
    machines = [load_machine(name) for name in machine_names()]
    names = {word for m in machines for word in (m.name, m.build.arch, m.build.debian, m.qemu.binary, m.qemu.cpu)}
    told = [
        f"{file.name}:{node.lineno}: {node.value}"
        for file in files()
        for node in nodes(file)
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value in names
    ]
    assert not told
