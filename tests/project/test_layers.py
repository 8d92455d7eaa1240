# SPDX-License-Identifier: GPL-2.0-only
"""The package's layers: imports point down one list of folders, and few modules touch the world."""

from __future__ import annotations

import ast
import functools
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness import paths
from harness.model.matrix import load_machine, machine_names

ORDER = (
    {"tasks"},
    {"commands"},
    {"cluster"},
    {"runs"},
    {"suite"},
    {"report"},
    {"vm"},
    {"stats", "kernlog", "build"},
    {"model"},
    {"host"},
    {"text"},
    {"paths"},
    {"errors"},
)
"""folders of harness/, and the modules beside them, from the top down; those on one floor do not know each other"""
PURE = ("model", "stats", "report")
"""folders that work on values alone"""
# They read the project's own files: machines and bases, the catalog of tests, a run's folder, the publication's figures.
READERS = {"model/run_folder.py", "model/records.py"}
STARTS_PROCESSES = {"host/shell.py", "host/process.py", "host/debug_info.py", "commands/check.py"}
OF_THE_WORLD = {"os", "shutil", "socket", "subprocess", "tempfile", "threading", "time", "urllib"}
HARNESS = paths.PROJECT / "harness"
FLOOR = {name: floor for floor, names in enumerate(ORDER) for name in names}


def folder_of(file: Path) -> str:
    """Return the folder of harness/ in which `file` lies, or the name of a module beside the folders."""
    return file.relative_to(HARNESS).parts[0].removesuffix(".py")


def files() -> list[Path]:
    return [file for file in sorted(HARNESS.rglob("*.py")) if file != HARNESS / "__init__.py"]


def name_of(file: Path) -> str:
    return str(file.relative_to(HARNESS))


def module_of(file: Path) -> str:
    return ".".join(("harness", *file.relative_to(HARNESS).with_suffix("").parts)).removesuffix(".__init__")


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
    """Return the folders of harness/, and the modules beside them, that `file` imports from."""
    return {name.split(".")[1] for name in imported(file) if name.startswith("harness.")} - {folder_of(file)}


def test_the_order_names_every_folder() -> None:
    assert {folder_of(file) for file in files()} == set(FLOOR)


@pytest.mark.parametrize("file", files(), ids=name_of)
def test_imports_point_down(file: Path) -> None:
    mine = FLOOR[folder_of(file)]
    assert not {name for name in known_to(file) if FLOOR[name] <= mine}


def test_no_imports_make_a_circle() -> None:
    modules = {module_of(file): file for file in files()}
    waiting = {
        module: {known for known in modules if known != module for name in imported(file) if f"{name}.".startswith(f"{known}.")}
        # A package's face hands names on, and is imported with whatever lies below it.
        - {module.rpartition(".")[0]}
        for module, file in modules.items()
    }
    while free := {module for module, needs in waiting.items() if not needs & set(waiting)}:
        waiting = {module: needs for module, needs in waiting.items() if module not in free}
    assert not waiting


@pytest.mark.parametrize("folder", [name for name in sorted(FLOOR) if (HARNESS / name).is_dir()])
def test_a_folder_says_what_it_is_for(folder: str) -> None:
    said = ast.get_docstring(ast.parse((HARNESS / folder / "__init__.py").read_text()))
    assert said
    assert len(said.split()) > 8, f"harness/{folder}/__init__.py says too little of what the folder is for"


def test_tasks_lie_on_top() -> None:
    assert not [file for file in files() for name in imported(file) if name.split(".")[0] in ("tasks", "tests")]


def test_few_modules_start_processes() -> None:
    users = {name_of(file) for file in files() if any(name.split(".")[0] == "subprocess" for name in imported(file))}
    assert users == STARTS_PROCESSES


def test_what_works_on_values_does_not_touch_the_world() -> None:
    touched = [
        f"{name_of(file)}: {name}"
        for file in files()
        if folder_of(file) in PURE and name_of(file) not in READERS
        for name in imported(file)
        if name.split(".")[0] in OF_THE_WORLD
    ]
    assert not touched


@pytest.mark.parametrize("file", [*files(), paths.PROJECT / "tasks.py"], ids=lambda file: str(file.relative_to(paths.PROJECT)))
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
        f"{name_of(file)}:{node.lineno}: {node.value}"
        for file in files()
        for node in nodes(file)
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value in names
    ]
    assert not told
