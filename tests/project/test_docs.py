# SPDX-License-Identifier: GPL-2.0-only
"""README and docs: each command is one that the rig takes, and is run by a test or marked as not run."""

from __future__ import annotations

import ast
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import msgspec
import pytest
from invoke.collection import Collection
from invoke.exceptions import ParseError
from invoke.parser import Parser
from invoke.parser.context import ParserContext

import tasks
from harness import paths
from harness.build import cells
from harness.commands import arguments, audit, bisect, mutants, options, prefix_bench, soak, timings
from harness.errors import UsageError
from harness.model import catalog, matrix, selection
from harness.model.selection import Selection
from harness.stats.outcome import ExitCode
from harness.suite.vm_pool import MODULE
from tests.support import counted, make
from tests.support.docs import OTHER_PAGES, PAGES, STANDS_FOR, blocks, inline

RUN = "20261127-031607-d4de"
SERIES = "~/my-series"
CHEAP = {
    "invoke status": ExitCode.GOOD,
    "invoke tests": ExitCode.GOOD,
    "invoke tests --tests 'sweep_*'": ExitCode.GOOD,
    "invoke down": ExitCode.GOOD,
    "invoke cache": ExitCode.GOOD,
    "invoke cache --prune --keep 20": ExitCode.GOOD,
    "invoke history": ExitCode.GOOD,
    "invoke baseline latest": ExitCode.GOOD,
    "invoke report latest": ExitCode.GOOD,
    f"invoke report {RUN}": ExitCode.GOOD,
    f"invoke compare {RUN} latest": ExitCode.GOOD,
    "invoke why": ExitCode.GOOD,
    "invoke why latest --machine x86_64 --test ne_fit --lines": ExitCode.GOOD,
    "invoke why latest --json": ExitCode.GOOD,
    "invoke coverage": ExitCode.GOOD,
    "invoke coverage latest --json": ExitCode.GOOD,
    "invoke export --format summary": ExitCode.GOOD,
    "invoke export latest --format junit > junit.xml": ExitCode.GOOD,
    "invoke export --format eml > report.eml": ExitCode.GOOD,
    "invoke export --format github": ExitCode.GOOD,
    "invoke export --format ktap": ExitCode.GOOD,
    "invoke export --format kcidb > kcidb.json": ExitCode.GOOD,
    "invoke kernlog tests/data/kasan.log": ExitCode.FINDING,
    "invoke kernlog tests/data/kasan.log --json": ExitCode.FINDING,
}
"""commands that this file runs, with their exit codes"""
_MAIN_JOB = "tests/end_to_end/test_main_job.py"
_CHAOS = "tests/end_to_end/test_chaos.py"
_KILLED = f"{_CHAOS}::test_the_rig_may_be_killed_at_any_moment"
_SERIES_RUN = f"{_MAIN_JOB}::test_series_that_warns_is_a_finding"
_BISECTED = "tests/end_to_end/test_bisect.py::test_a_planted_slip_is_found_and_what_was_judged_is_taken_over"
_LEFT_UP = f"{_MAIN_JOB}::test_boot_leaves_vms_up_until_down"
_DEBUGGED = f"{_CHAOS}::test_a_guest_that_panicked_can_be_debugged"
MUTANTS = "alignment-halved,percpu-blocks-leaked"
TESTED = {
    "./bootstrap build boot test": ("tests/end_to_end/test_one_run.py::run", '"build", "boot", "test"'),
    f"invoke select --series {SERIES} build boot test": (_SERIES_RUN, '"select", "--series"', '"test"'),
    "invoke test --ktap": (_SERIES_RUN, '"test", "--ktap"'),
    "invoke select --variant stock,gap-tree@8,gap-tree build test": (
        f"{_MAIN_JOB}::test_fixes_mend_the_bugs_of_stock",
        '"select", "--variant", "stock,',
        '"build", "test"',
    ),
    "invoke select --profile latency build test": (
        f"{_MAIN_JOB}::test_the_longest_critical_section_has_its_stack",
        '"--profile", "latency"',
        '"build", "test"',
    ),
    "invoke select --machine x86_64 build boot test": ("tests/end_to_end/test_one_run.py::run", '"build", "boot", "test"'),
    "invoke trace le_fit_alloc_test --events 'kmem:*,alloc_vmap_area' --machine x86_64 --variant stock": (
        "tests/end_to_end/test_trace.py::recorded",
        '"trace", TEST, "--events", "kmem:*,alloc_vmap_area"',
        '"--variant", "stock"',
    ),
    "invoke sweep": (f"{_MAIN_JOB}::test_a_sweep_finds_stock_growing_with_what_is_busy", 'rig("sweep"'),
    "invoke boot --machine aarch64": (_LEFT_UP, '"boot", "--machine", "aarch64"'),
    "invoke ssh aarch64 stock": (_LEFT_UP, '"ssh", "aarch64", "stock"'),
    "invoke ssh x86_64 gap-tree --command dmesg": (_LEFT_UP, '"ssh"', '"--command"'),
    "invoke gdb aarch64 stock": (_DEBUGGED, '"gdb", machine, "stock"'),
    "invoke gdb x86_64 gap-tree": (_DEBUGGED, '"gdb", machine, "stock"'),
    "invoke test --machine aarch64": (_KILLED, "Rig(machine"),
    "invoke test --on-failure keep": (_DEBUGGED, '"--on-failure", "keep"'),
    "invoke test --on-failure core": (f"{_CHAOS}::test_a_guest_that_panicked_leaves_its_memory", '"--on-failure", "core"'),
    "invoke test --resume": (_KILLED, '"test", "--resume"'),
    f"invoke bisect --series {SERIES} --test window_test": (_BISECTED, '"bisect", "--series"', '"--test", "window_test"'),
    "invoke bisect --resume": (_BISECTED, '"bisect", "--resume"'),
    "invoke build --kernel 4.18": (f"{_MAIN_JOB}::test_the_longest_critical_section_has_its_stack", '"--kernel"', '"build"'),
    f"invoke mutants --variant free-list --only {MUTANTS} --profile perf --tests random_size_align_test": (
        "tests/commands/test_mutants.py::test_a_bug_is_caught_and_another_survives_a_test_that_cannot_see_it",
        f'"{MUTANTS}"',
        '"random_size_align_test"',
    ),
}
"""commands that another test runs, on less of the same: the test, and words that its function has"""
_NOT_RUN = re.compile(r"<!-- not run: \S.* -->")


class Command(NamedTuple):
    page: str
    line: str
    """as it is typed, without its comment"""
    marked: bool
    """whether it is marked as not run"""

    @property
    def words(self) -> list[str]:
        """Its words, without where its output goes to."""
        return shlex.split(re.split(" >>? ", self.line)[0])


def commands() -> list[Command]:
    """Return each command of a block of shell in README and docs."""
    return [
        Command(page.name, re.sub(r"\s+#.*", "", line), bool(_NOT_RUN.fullmatch(above)))
        for page in PAGES
        for above, language, text in blocks(page.read_text())
        if language == "sh"
        for line in text.splitlines()
    ]


def said(test: str) -> str:
    """Return the source of a test or fixture, ``FILE::FUNCTION``."""
    file, _, function = test.partition("::")
    text = (paths.PROJECT / file).read_text()
    found = [node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.FunctionDef) and node.name == function]
    assert found, f"there is no {test}"
    return ast.get_source_segment(text, found[0]) or ""


def calls(words: Sequence[str]) -> list[ParserContext]:
    """Return the tasks that a command line calls, with their options, as Invoke itself reads it."""
    collection = Collection.from_module(tasks)
    whole = arguments.completed(words, tasks.LEFT_OUT, {name: collection[name] for name in collection.task_names})
    parsed: list[ParserContext] = Parser(contexts=collection.to_contexts()).parse_argv(whole)
    return parsed


def check_values(called: Sequence[ParserContext]) -> None:
    """Raise UsageError for a machine, variant, profile, test, scale and so on that does not exist."""
    chosen = Selection()
    for call in called:
        given = {arg.attr_name or arg.name: arg.value for arg in call.args.values() if arg.value not in (None, False, "")}
        if set(options.HELP) - {*options.OF_A_MODULE, "cluster"} <= {arg.attr_name or arg.name for arg in call.args.values()}:
            wanted = selection.refine(chosen, {name: value for name, value in given.items() if name in options.HELP})
            chosen = wanted if call.name == "select" else chosen
            for one in selection.each_kernel(wanted):
                check_selection(call.name or "", one, given)
            check_series(call.name or "", wanted, given)
        elif call.name in ("ssh", "gdb"):
            matrix.load_machine(given["machine"])
            matrix.find_variant(matrix.load_base(selection.DEFAULT), given["variant"])
            assert given["profile"] in matrix.PROFILES


def check_selection(task: str, wanted: Selection, given: dict[str, str]) -> None:
    kind = {"sweep": "sweep", "soak": "stress", "mutants": "stress"}.get(task, "")
    wanted = msgspec.structs.replace(wanted, tests=wanted.tests or kind)
    cells.check(wanted)
    if task == "soak":
        soak.check(wanted)
    elif task == "audit":
        audit.check(wanted)
    elif task == "mutants":
        base = matrix.load_base(selection.DEFAULT)
        known = {mutant.name for mutant in mutants.load(base, wanted.variant or base.default_series).mutants}
        assert set(given.get("only", "").split(",")) <= known


def check_series(task: str, wanted: Selection, given: dict[str, str]) -> None:
    """Raise UsageError for a series that a task cannot take patch by patch."""
    if task == "bisect" and "resume" not in given:
        test = given.get("test", wanted.tests)
        wish = bisect.Wish(given.get("name", ""), given.get("metric", ""), int(given.get("tries", 0)))
        bisect.begin(msgspec.structs.replace(wanted, tests=test), wish, "")
    elif task == "series.each":
        prefix_bench.find(wanted, given.get("name", ""), task)


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home in which the series, the module and the kernel's source lie that docs speak of."""
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "linux").mkdir()
    (tmp_path / "linux/Makefile").write_text("VERSION = 4\nPATCHLEVEL = 18\nSUBLEVEL = 0\n")
    shutil.copytree(paths.SERIES / selection.DEFAULT / "fixes", tmp_path / "my-series")
    shutil.copytree(paths.PROJECT / "tests/data/module", tmp_path / "my-module")
    return tmp_path


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Results with the run that docs speak of and a later one."""
    folder = tmp_path_factory.mktemp("results")
    for name, value in ((RUN, 100.0), ("20261128-031607-0a1b", 100.0)):
        run = make.stored(folder, name, [make.sample(value), make.sample(value, variant="mine")], finished=name, hours=0)
        run.add([make.booted(), make.booted(variant="mine"), counted.allocating(), counted.allocating(140.0, variant="mine")])
        run.add([counted.changed(501, 502, 503), counted.reached("le_fit_alloc_test", 501)])
    (folder / "latest").symlink_to("20261128-031607-0a1b")
    return folder


def invoke(results: Path, *words: str) -> subprocess.CompletedProcess[str]:
    # A cache of its own: `invoke down` and `invoke cache --prune` must not touch what the user has.
    env = {**os.environ, "RIG_RESULTS": str(results), "RIG_CACHE": str(results / "cache")}
    command = (sys.executable, "-m", "invoke", *words)
    return subprocess.run(command, cwd=paths.PROJECT, env=env, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_commands_stand_in_blocks_of_shell(page: Path) -> None:
    found = blocks(page.read_text())
    assert len(found) == page.read_text().count("```") / 2
    for _, language, text in found:
        assert language == "sh" or not re.search(r"^\s*(?:invoke|pytest|\./bootstrap)\b", text, re.M), text
    assert not re.search(r"^ {4,}(?:invoke|pytest|\./bootstrap)\b", page.read_text(), re.M)


@pytest.mark.parametrize("command", commands(), ids=lambda command: f"{command.page}: {command.line}")
def test_every_command_is_run_or_marked(command: Command) -> None:
    run = command.line in CHEAP or command.line in TESTED
    assert run or command.marked, f"{command.page}: no test runs `{command.line}`; name one in TESTED, or mark it as not run"


def test_no_command_is_left_over() -> None:
    assert {*CHEAP, *TESTED} == {*CHEAP, *TESTED} & {command.line for command in commands()}


@pytest.mark.parametrize("line", TESTED)
def test_the_test_that_runs_a_command_has_its_words(line: str) -> None:
    test, *words = TESTED[line]
    source = said(test)
    assert all(word in source for word in words), f"{test} does not run {line}"


@pytest.mark.parametrize("line", CHEAP)
def test_a_cheap_command_is_run(line: str, results: Path) -> None:
    done = invoke(results, *shlex.split(line.partition(" > ")[0])[1:])
    assert done.returncode == CHEAP[line], done.stdout + done.stderr


def test_tasks_and_options_are_listed(results: Path) -> None:
    listed = invoke(results, "--list")
    assert listed.returncode == 0
    assert all(f" {name} " in listed.stdout for name in Collection.from_module(tasks).task_names)
    assert "--on-failure" in invoke(results, "--help", "test").stdout


@pytest.mark.parametrize("command", commands(), ids=lambda command: f"{command.page}: {command.line}")
def test_every_command_is_one(command: Command, home: Path) -> None:
    match command.words:
        case ["invoke" | "./bootstrap", *words]:
            check_values(calls(words))
        case ["pytest", path, *_]:
            assert (paths.PROJECT / path).exists()
        case ["python", "-m", module, *_]:
            assert (paths.PROJECT / f"{module.replace('.', '/')}.py").is_file()
        case ["insmod", module, *words]:
            assert module == MODULE
            given = dict(word.rstrip(";").split("=") for word in words if "=" in word)
            source = (paths.TEST_MODULE / "main.c").read_text()
            assert all(re.search(rf"^module_param(_named)?\({name}, ", source, re.M) for name in given)
            catalog.choose(given["tests"])
        case ["sh", "-e", script]:
            assert any(other.line.endswith(f" > {script}") for other in commands() if other.page == command.page)
        case ["git", "config", "b4.review-series-check-cmd", called]:
            assert calls(called.split()[1:])[0].name == "series.review"
        case [".", path]:
            assert path == ".venv/bin/activate"
        case _:
            pytest.fail(f"{command.page}: `{command.line}` is a command that this test does not know")


@pytest.mark.parametrize("page", [*PAGES, *OTHER_PAGES], ids=lambda page: str(page.relative_to(paths.PROJECT)))
def test_every_command_in_prose_is_one(page: Path, home: Path) -> None:
    for text in inline(page):
        words = text.split()
        if words[0] not in ("invoke", "./bootstrap") or words[1:] in ([], ["--list"]):
            continue
        if words[1] == "--help":
            assert STANDS_FOR.fullmatch(words[2]) or words[2] in Collection.from_module(tasks).task_names, text
        elif len(words) == 2:
            assert words[1] in Collection.from_module(tasks).task_names, text
        else:
            called = calls(words[1:])
            if not STANDS_FOR.search(text):
                check_values(called)


@pytest.mark.parametrize("page", [*PAGES, *OTHER_PAGES], ids=lambda page: str(page.relative_to(paths.PROJECT)))
def test_every_option_in_prose_is_one(page: Path, home: Path) -> None:
    known = {flag for task in Collection.from_module(tasks).to_contexts() for flag in task.flags} | {timings.OPTION}
    for text in inline(page):
        if not text.startswith("--"):
            continue
        for option in text.split():
            assert not option.startswith("--") or option in known, text
        name, _, value = text.removeprefix("--").partition(" ")
        if name.replace("-", "_") in options.HELP and value and not STANDS_FOR.search(value):
            check_values(calls(["select", *shlex.split(text)]))


@pytest.mark.parametrize(
    ("line", "error"),
    [
        ("invoke bild", ParseError),
        ("invoke build --scael quick", ParseError),
        ("invoke ssh aarch64", ParseError),
        ("invoke history --hours 1", ParseError),
        ("invoke build --scale quik", UsageError),
        ("invoke select --scale quick --machine arm build", UsageError),
        ("invoke test --tests le_fit", UsageError),
        ("invoke gdb aarch64 free-lst", UsageError),
        ("invoke soak --tests performance", UsageError),
        ("invoke audit --boots 2", UsageError),
        ("invoke bisect free-lst --test vmap_test", UsageError),
        ("invoke bisect free-list", UsageError),
        ("invoke series.each free-lst", UsageError),
        ("invoke series.eech free-list", ParseError),
    ],
)
def test_a_mistake_in_a_command_is_seen(line: str, error: type[Exception]) -> None:
    with pytest.raises(error):
        check_values(calls(line.split()[1:]))
