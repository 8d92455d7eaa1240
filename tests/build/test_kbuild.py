# SPDX-License-Identifier: GPL-2.0-only
"""What a build's log says, and what is said of a configuration that cannot be."""

from __future__ import annotations

import contextlib
import threading
import time
from pathlib import Path

import msgspec
import pytest

from harness.build import buildlog, git, kbuild, modules, patches, toolchain
from harness.build.jobserver import Jobserver
from harness.build.kernel import Kernel
from harness.build.kernel_tree import Tree
from harness.build.modules import ModuleSource
from harness.errors import BuildError, RigError
from harness.host import parallel, shell
from harness.model.matrix import Base, Cell, Machine, Variant, load_machine, machine_names
from tests.support import make

LOG = """\
$ make ARCH=x86_64 bzImage
  CC      mm/vmalloc.o
mm/slab.c:10:5: warning: unused variable 'error' [-Wunused-variable]
{error}
make[2]: *** [scripts/Makefile.build:318: mm/vmalloc.o] Error 1
make[1]: *** [Makefile:1053: mm] Error 2
make: *** [Makefile:146: sub-make] Error 2
"""


@pytest.mark.parametrize(
    "error",
    [
        "../mm/vmalloc.c:512:9: error: 'foo' undeclared (first use in this function)",
        "../mm/vmalloc.c:24:10: fatal error: linux/nothing.h: No such file or directory",
        "mm/vmalloc.c:(.text+0x123): undefined reference to `foo'",
        'ERROR: "foo" [vmalloc_test.ko] undefined!',
        "/tmp/ccXYZ.s:12: Error: no such instruction: `nonsense %rax'",
    ],
)
def test_the_first_error_is_found(tmp_path: Path, error: str) -> None:
    (tmp_path / "log").write_text(LOG.format(error=error))
    assert buildlog.first_error(tmp_path / "log") == error.removeprefix("../"), "a file is named from the source on"


@pytest.mark.parametrize(
    "reason",
    [
        "/tmp/ccXYZ.s: Fatal error: can't write 12 bytes to section .text of mm/vmalloc.o: 'No space left on device'",
        "ld: final link failed: No space left on device",
        "cc1: out of memory allocating 65536 bytes: Cannot allocate memory",
        "gcc: fatal error: Killed signal terminated program cc1",
        "/bin/sh: 1: cannot create x: Disk quota exceeded",
        "/bin/sh: 1: Cannot fork",
        "FATAL -> Failed to fork.",
        "gcc: fatal error: cannot execute 'as': vfork: Resource temporarily unavailable",
    ],
)
def test_what_the_host_lacks_is_the_reason(tmp_path: Path, reason: str) -> None:
    (tmp_path / "log").write_text(
        LOG.format(error=f"mm/slab.o: error: file truncated\nmm/x.c:1:1: error: 'y' undeclared\n{reason}")
    )
    assert buildlog.first_error(tmp_path / "log").startswith(f"{reason}; ")


def test_a_full_file_system_is_the_reason_that_no_line_gives(tmp_path: Path) -> None:
    (tmp_path / "log").write_text(LOG.format(error="make[3]: *** [drivers/base/devtmpfs.o] Error 1"))
    said = buildlog.first_error(tmp_path / "log", full=lambda folder: f"the file system of {folder} is full")
    assert said == f"make[3]: *** [drivers/base/devtmpfs.o] Error 1; the file system of {tmp_path} is full"


def test_without_a_compilers_error_it_is_makes(tmp_path: Path) -> None:
    (tmp_path / "log").write_text(LOG.format(error=""))
    assert buildlog.first_error(tmp_path / "log").startswith("make[2]: ***")


@pytest.mark.parametrize(("content", "said"), [("", "the log is empty"), ("one\ntwo\n\n", "two"), ("\xff\n", "\xff")])
def test_without_any_error_it_is_the_last_line(tmp_path: Path, content: str, said: str) -> None:
    (tmp_path / "log").write_text(content)
    assert buildlog.first_error(tmp_path / "log") == said


def without_fragment(base: Base, machine: Machine) -> tuple[Base, Machine]:
    return msgspec.structs.replace(base, fragment="kernel-9.99.config"), machine


def without_architecture(base: Base, machine: Machine) -> tuple[Base, Machine]:
    return base, msgspec.structs.replace(machine, name="vax")


@pytest.mark.parametrize(
    ("lacking", "named"),
    [(without_fragment, "kernel-9.99.config"), (without_architecture, "arch-vax.config")],
    ids=lambda v: getattr(v, "__name__", ""),
)
def test_a_missing_fragment_is_named(base: Base, lacking: object, named: str) -> None:
    assert callable(lacking)
    changed, machine = lacking(base, load_machine("x86_64"))
    with pytest.raises(RigError) as caught:
        kbuild.configuration(changed, Cell(machine, Variant("stock"), "perf"))
    assert named in str(caught.value)


def test_the_key_of_a_kernel_covers_all_that_decides_what_it_is(
    base: Base, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cell = Cell(load_machine("x86_64"), Variant("stock"), "perf")

    def key(tree: str = "tree", **asked: str) -> str:
        return kbuild.key(base, cell, tree, {"CONFIG_MMU": "y", **asked})

    launcher = tmp_path / toolchain.COMPILER.name
    launcher.write_text('#!/bin/sh\nexec ccache "$@"\n')
    others = [key(), key("another tree"), key(CONFIG_SMP="y")]
    for name, value in {
        "COMPILER": launcher,
        "CCACHE": {**toolchain.CCACHE, "CCACHE_DEPEND": "1"},
        "IDENTITY": {**toolchain.IDENTITY, "KBUILD_BUILD_USER": "me"},
        "OBJECTS": "ccache-3",
        "identity": lambda _: ("another gcc", "another ld"),
    }.items():
        with monkeypatch.context() as patch:
            patch.setattr(toolchain if name == "identity" else kbuild, name, value)
            others.append(key())
    assert len(set(others)) == len(others)
    assert key() == others[0]


@pytest.fixture(params=machine_names())
def machine(request: pytest.FixtureRequest) -> Machine:
    return load_machine(request.param)


def words(machine: Machine, folder: Path, work: Path | None = None) -> list[str]:
    """Return how the compiler is called in the build folder of a tree, for the kernel or for the module in `work`."""
    names = toolchain.SOURCE_NAMES + (toolchain.MODULE_NAMES if work else ())
    flags, for_assembly = (told.split("=", 1)[1].split() for told in toolchain.flags(names, folder, work))
    assert flags == for_assembly
    return [machine.build.compiler, *flags, "-c", "-o", "made.o"]


def named(machine: Machine, file: Path) -> list[str]:
    """Return the names and the folders of the compilation units in `file`."""
    told = shell.output((f"{machine.build.cross_compile}readelf", "--debug-dump=info", "--dwarf-depth=1", file))
    return [line.rsplit(": ", 1)[1] for line in told.splitlines() if "DW_AT_name" in line or "DW_AT_comp_dir" in line]


@pytest.mark.parametrize(
    ("source", "text", "option"),
    [("a.c", 'const char *name = __FILE__;\n#include "../mm/b.h"\n', "-gdwarf-4"), ("a.S", "entry:\n\tnop\n", "-Wa,-gdwarf-2")],
)
def test_debug_information_is_the_same_wherever_the_tree_is(
    tmp_path: Path, machine: Machine, source: str, text: str, option: str
) -> None:
    made = []
    for tree in (tmp_path / "one", tmp_path / "another/place"):
        folder = tree / "build"
        folder.mkdir(parents=True)
        (tree / "mm").mkdir()
        (tree / "mm" / source).write_text(text)
        (tree / "mm/b.h").write_text("static inline int b(void)\n{\n\treturn 1;\n}\nint c(void)\n{\n\treturn b();\n}\n")
        shell.output((*words(machine, folder), "-fmacro-prefix-map=../=", option, f"../mm/{source}"), cwd=folder)
        assert named(machine, folder / "made.o") == [f"mm/{source}", "."]
        made.append((folder / "made.o").read_bytes())
    assert made[0] == made[1]
    assert str(tmp_path).encode() not in made[0]


def test_a_module_is_built_from_the_sources_in_all_its_folders(tmp_path: Path) -> None:
    made = ("main.mod.c", "main.o", "lib/.areas.o.cmd", ".tmp_versions/main.c")
    for name in ("main.c", "Kbuild", "lib/areas.c", "lib/areas.h", "README.md", "suite.toml", *made):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    assert modules.module_sources(tmp_path) == ["Kbuild", "lib/areas.c", "lib/areas.h", "main.c"]


def test_a_modules_sources_are_named_by_its_folder_in_the_project(tmp_path: Path, machine: Machine) -> None:
    folder, work = tmp_path / "tree/build", tmp_path / "modules/.key.abc"
    folder.mkdir(parents=True)
    work.mkdir(parents=True)
    (work / "lib").mkdir()
    (work / "lib/areas.c").write_text("const char *name = __FILE__;\n")
    shell.output((*words(machine, folder, work), "-g", work / "lib/areas.c"), cwd=folder)
    assert named(machine, folder / "made.o") == ["test_module/lib/areas.c", "."]
    assert b"\0test_module/lib/areas.c\0" in (folder / "made.o").read_bytes()
    assert str(tmp_path).encode() not in (folder / "made.o").read_bytes()


def test_what_guests_are_sent_has_no_debug_information(tmp_path: Path, machine: Machine) -> None:
    (tmp_path / "main.c").write_text("int tested(int value)\n{\n\treturn value + 1;\n}\n")
    shell.output((*words(machine, tmp_path, tmp_path), "-g", "main.c"), cwd=tmp_path)
    whole = (tmp_path / "made.o").read_bytes()
    module = (tmp_path / "made.o").rename(tmp_path / "m.ko")
    modules.strip(machine, module)
    kernel = Kernel(tmp_path, tmp_path / "image", tmp_path / "config", module, "0", "4.18.0", make.BUILD_ID, make.MODULE_BUILD_ID)
    assert kernel.debug_module.read_bytes() == whole
    assert b".debug_info\0" in whole
    assert b".debug" not in module.read_bytes()
    assert b"\0tested\0" in module.read_bytes()


def test_an_error_in_a_module_names_the_file_as_the_user_has_it(
    base: Base, tree: Tree, machine: Machine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def follow(self: kbuild.KernelBuild, _: object, log: Path, line: object = None) -> int:
        log.write_text(f"  CC [M]  {tmp_path}/lib/a.o\n{tmp_path}/lib/a.c:19:28: error: no 'x'\n")
        return 2

    monkeypatch.setattr(kbuild.KernelBuild, "_follow", follow)
    with Jobserver(1, 1) as jobs:
        build = kbuild.KernelBuild(base, Cell(machine, Variant("stock"), "perf"), patches.Patched("c", "t", (), ()), jobs, print)
        build.folder.mkdir(parents=True)
        with pytest.raises(BuildError, match=r"stock/perf: the module in /m does not build: lib/a\.c:19:28: error: no 'x'; the"):
            build._make_module(ModuleSource("the module in /m", ()), tmp_path)


@pytest.fixture
def configured(base: Base, tree: Tree, machine: Machine, cache: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The configurations that were made, of which the first is."""
    made: list[str] = []

    def make_config(self: kbuild.KernelBuild, log: Path) -> None:
        made.append(self.patched.tree)
        (self.folder / ".config").write_text(f"CONFIG_X={len(made)}\n")

    monkeypatch.setattr(kbuild.KernelBuild, "_make_config", make_config)
    configure(base, tree, machine)
    assert made == [tree.tree]
    return made


def configure(base: Base, tree: Tree, machine: Machine, edited: dict[str, str] | None = None, profile: str = "perf") -> Path:
    """Configure the build folder of stock with files `edited`; return it."""
    commit = git.with_files(tree.commit, edited, "edited") if edited else tree.commit
    with Jobserver(1, 1) as jobs:
        patched = patches.Patched(commit, git.tree_of(commit), (), ())
        build = kbuild.KernelBuild(base, Cell(machine, Variant("stock"), profile), patched, jobs, print)
        build.folder.mkdir(parents=True, exist_ok=True)
        build.configure(build.folder / "log")
    return build.folder


def test_what_is_configured_is_not_configured_again(base: Base, tree: Tree, machine: Machine, configured: list[str]) -> None:
    configure(base, tree, machine)
    configure(base, tree, machine, {"mm/vmalloc.c": "int edited;\n"})
    assert len(configured) == 1


def test_cells_with_the_same_headers_have_one_module(
    base: Base, tree: Tree, machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[str] = []
    waiting = threading.Barrier(2)

    def make_module(self: kbuild.KernelBuild, _: object, work: Path) -> None:
        made.append(self.cell.name)
        time.sleep(0.2)  # the other cell looks meanwhile
        (work / "m.ko").write_text(f"of {self.cell.name}")

    def module(text: str) -> Path:
        commit = git.with_files(tree.commit, {"mm/vmalloc.c": f"{text}\n"}, text)
        patched = patches.Patched(commit, git.tree_of(commit), (), ())
        build = kbuild.KernelBuild(base, Cell(machine, Variant(text), "perf"), patched, jobs, lambda _: None)
        build.folder.parent.mkdir(parents=True)
        waiting.wait(60)
        return build.module(ModuleSource("a module", (("main.c", b""),)))

    monkeypatch.setattr(kbuild.KernelBuild, "build_kernel", lambda _: None)
    monkeypatch.setattr(kbuild.KernelBuild, "_make_module", make_module)
    monkeypatch.setattr(git, "held", lambda *_: contextlib.nullcontext())
    with Jobserver(1, 1) as jobs:
        first, second = parallel.side_by_side(module, ["one", "two"], 2)
    assert first == second
    assert len(made) == 1
    assert (first / "m.ko").read_text() == f"of {made[0]}"


def test_another_makefile_or_an_edited_config_is_configured(
    base: Base, tree: Tree, machine: Machine, configured: list[str]
) -> None:
    folder = configure(base, tree, machine, {"Makefile": "VERSION = 4\nPATCHLEVEL = 18\nSUBLEVEL = 0\n# edited\n"})
    assert len(configured) == 2
    (folder / ".config").write_text("CONFIG_X=y\n")
    configure(base, tree, machine, {"Makefile": "VERSION = 4\nPATCHLEVEL = 18\nSUBLEVEL = 0\n# edited\n"})
    assert len(configured) == 3
    (folder / ".config").unlink()
    configure(base, tree, machine)
    assert len(configured) == 4
