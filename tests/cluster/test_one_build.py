# SPDX-License-Identifier: GPL-2.0-only
"""A worker's host builds just the kernel that the client asks for, or says in a sentence why not."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from harness import paths
from harness.build import foreign, kbuild, packs, toolchain
from harness.build.kbuild import KernelBuild
from harness.build.kernel import Kernel
from harness.cluster import build_task, one_build
from harness.cluster.build_task import BuildTask
from harness.errors import BuildError, RigError, UsageError
from harness.host import files
from harness.model.matrix import Base
from tests.support import built_there

TOOLS = ("gcc 12", "ld 2.40")


@pytest.fixture
def mine(base: Base, monkeypatch: pytest.MonkeyPatch) -> BuildTask:
    """A task whose kernel is that of this host, which has its source."""
    monkeypatch.setattr(toolchain, "identity", lambda cell: TOOLS)
    monkeypatch.setattr(packs, "take_source", lambda tree: True)
    given = built_there.task(base)
    own = kbuild.cached(base, given.cell, given.patched.tree, kbuild.configuration(base, given.cell))
    return msgspec.structs.replace(given, kernel=str(own.relative_to(paths.cache())))


def builds(monkeypatch: pytest.MonkeyPatch, act: Callable[[KernelBuild], Kernel]) -> None:
    """Have `act` build, and make the module."""

    def build(base: Base, cell: object, patched: object, jobs: object, say: object, module: kbuild.Maker) -> Kernel:
        return act(KernelBuild(base, cell, patched, jobs, say))  # type: ignore[arg-type]

    monkeypatch.setattr(kbuild, "build", build)
    monkeypatch.setattr(KernelBuild, "module", lambda work, source: paths.cache() / built_there.MODULE)


def kernel(work: KernelBuild) -> Kernel:
    built_there.folders(paths.cache())
    place, module = paths.cache() / built_there.KERNEL, paths.cache() / built_there.MODULE / "vmalloc_test.ko"
    return Kernel(place, place / "image", place / "config", module, place.name, "4.18.0", "1", "2")


def test_a_task_and_its_answer_travel(base: Base, tmp_path: Path) -> None:
    given = built_there.task(base, "a", foreign=True, environment={"RIG_SANDBOX": "1"})
    assert build_task.task(build_task.packed(given)) == given
    answer = built_there.answer(tmp_path, notes=("a note",))
    assert build_task.answer(build_task.packed(answer)) == answer


def test_the_folders_that_were_made_are_named_with_their_digests(mine: BuildTask, monkeypatch: pytest.MonkeyPatch) -> None:
    builds(monkeypatch, kernel)
    answer = one_build.answer(mine)
    assert [made.artifact for made in answer.made] == [made.artifact for made in built_there.made(paths.cache())]
    assert not any(made.archive for made in answer.made), "the worker packs them"


def test_the_answer_is_where_the_worker_looks_for_it(mine: BuildTask, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(packs, "take_source", lambda tree: False)
    files.write(tmp_path / build_task.TASK, build_task.packed(mine))
    one_build.run(tmp_path)
    assert build_task.answer((tmp_path / build_task.ANSWER).read_bytes()).lacks


def test_another_compiler_is_refused(mine: BuildTask) -> None:
    other = msgspec.structs.replace(mine, tools=("gcc 13", "ld 2.40"))
    assert one_build.answer(other).refused == (
        "has another compiler or linker for x86_64/stock/perf ('gcc 12, ld 2.40') than the client ('gcc 13, ld 2.40'),"
        " so that its kernel would be another one; install the same version, or leave that host out."
    )


def test_a_missing_compiler_is_refused(mine: BuildTask, monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(cell: object) -> tuple[str, ...]:
        raise BuildError("`gcc` cannot be run: No such file or directory.")

    monkeypatch.setattr(toolchain, "identity", missing)
    assert one_build.answer(mine).refused == "cannot build x86_64/stock/perf: `gcc` cannot be run: No such file or directory."


def test_other_settings_are_refused(mine: BuildTask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kbuild, "configuration", lambda base, cell: {"CONFIG_MMU": "y"})
    assert one_build.answer(mine).refused.startswith("has other settings for the kernel of x86_64/stock/perf than the client;")


def test_a_missing_fragment_is_refused(mine: BuildTask) -> None:
    other = msgspec.structs.replace(mine, base=msgspec.structs.replace(mine.base, fragment="kernel-9.99.config"))
    assert "kernel-9.99.config, which does not exist" in one_build.answer(other).refused


def test_what_does_not_compile_comes_with_its_log(mine: BuildTask, monkeypatch: pytest.MonkeyPatch) -> None:
    def act(work: KernelBuild) -> Kernel:
        files.write(work.folder / "build.log", "all of it")
        files.write(work.folder / "module.log", "another one")
        raise work._failed("mm/a.c:1:1", work.folder / "build.log", "error")

    builds(monkeypatch, act)
    answer = one_build.answer(mine)
    assert answer.broken.endswith(f"the whole log is {answer.log_file}.")
    assert (answer.cell, answer.log, Path(answer.log_file).name) == ("x86_64/stock/perf", b"all of it", "build.log")


def test_a_build_without_a_log_is_broken_all_the_same(mine: BuildTask, monkeypatch: pytest.MonkeyPatch) -> None:
    def act(work: KernelBuild) -> Kernel:
        raise BuildError("mine.ko uses x, but the kernel has none.")

    builds(monkeypatch, act)
    answer = one_build.answer(mine)
    assert (answer.broken, answer.log, answer.log_file) == ("mine.ko uses x, but the kernel has none.", b"", "")


@pytest.mark.parametrize("error", [BuildError("mm/a.c: No space left on device; make room."), RigError("git failed.")])
def test_what_this_host_lacks_is_no_fault_of_the_kernel(mine: BuildTask, monkeypatch: pytest.MonkeyPatch, error: RigError) -> None:
    def act(work: KernelBuild) -> Kernel:
        raise error

    builds(monkeypatch, act)
    with pytest.raises(RigError, match=str(error)):
        one_build.answer(mine)


def test_a_sandbox_that_is_asked_for_and_not_there_is_refused(mine: BuildTask, monkeypatch: pytest.MonkeyPatch) -> None:
    def act(work: KernelBuild) -> Kernel:
        raise UsageError("RIG_SANDBOX asks for a sandbox, but bubblewrap is not installed.")

    builds(monkeypatch, act)
    assert one_build.answer(mine).refused.startswith("RIG_SANDBOX asks for a sandbox")


@pytest.mark.parametrize("own", [True, False])
def test_the_module_is_the_one_that_the_client_sends(mine: BuildTask, monkeypatch: pytest.MonkeyPatch, own: bool) -> None:
    made: list[object] = []

    def build(base: Base, cell: object, patched: object, jobs: object, say: object, module: kbuild.Maker) -> Kernel:
        work = KernelBuild(base, cell, patched, jobs, say)  # type: ignore[arg-type]
        made.append(module(work).relative_to(paths.cache()))
        return kernel(work)

    def other(source: object, work: KernelBuild) -> Path:
        made.append(source)
        return paths.cache() / "modules/linked.ko"

    def module(work: KernelBuild, source: object) -> Path:
        made.append(source)
        return paths.cache() / built_there.MODULE

    monkeypatch.setattr(kbuild, "build", build)
    monkeypatch.setattr(foreign, "build", other)
    monkeypatch.setattr(KernelBuild, "module", module)
    one_build.answer(msgspec.structs.replace(mine, foreign=not own))
    assert made[:2] == [mine.module, Path(built_there.MODULE, "vmalloc_test.ko") if own else Path("modules/linked.ko")]
