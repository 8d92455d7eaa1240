# SPDX-License-Identifier: GPL-2.0-only
"""What a script builds: the same calls as those of the rig itself, which small programs note down in both cases."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

from harness import paths
from harness.build import apt, compiled, functions, git, identity, kbuild, kconfig, modules, plugin, rootfs, toolchain
from harness.build.jobserver import Jobserver, Own
from harness.build.kbuild import KernelBuild
from harness.build.kernel_tree import Tree
from harness.build.patches import Patched
from harness.build.source import Sources
from harness.commands.dry_cells import Makings
from harness.commands.pipeline import Prepared
from harness.host import files
from harness.model import matrix
from harness.model.changes import KernelContents
from harness.model.matrix import Base, Cell, Machine, Variant, load_machine, machine_names
from tests.support import make
from tests.support.calls import Call, Calls

SEEN = (*toolchain.IDENTITY, *toolchain.CCACHE, "CCACHE_DIR", "PATH", "HOME", "LC_ALL", "KCONFIG_ALLCONFIG", "KCFLAGS")
"""variables of a build's environment that a call notes down"""
MAKE = """\
for word; do
    case $word in
        O=*) out=${word#O=} ;;
        M=*) module=${word#M=} ;;
    esac
done
case $* in
    *allnoconfig) cp "$KCONFIG_ALLCONFIG" "$out/.config" ;;
    *M=*) for file in test second; do test -e "$module/lib/areas.c"; cp /bin/true "$module/vmalloc_$file.ko"; done ;;
    *)
        cd "$out"
        mkdir -p arch/x86/boot include/config
        echo 4.18.0 > include/config/kernel.release
        for file in arch/x86/boot/bzImage System.map vmlinux vmlinux.o; do cp /bin/true $file; done
        ;;
esac
"""
OBJCOPY = 'for last; do :; done\ncp "$2" "$last"'


@pytest.fixture
def base() -> Base:
    """The project's own base, whose configuration has several fragments."""
    return matrix.load_base("4.18")


@pytest.fixture
def calls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Calls:
    """Programs in the place of those that a build calls."""
    real = shutil.which("git")
    found = Calls(tmp_path, monkeypatch, SEEN)
    found.program("make", MAKE)
    found.program("git", f'exec {real} "$@"')
    found.program("x86_64-linux-gnu-objcopy", OBJCOPY)
    monkeypatch.setattr(functions, "read", lambda *_: KernelContents("0", (), ()))
    monkeypatch.setattr(compiled, "sources", lambda _: ())
    monkeypatch.setattr(identity, "build_id", lambda _: make.BUILD_ID)
    monkeypatch.setenv("KCFLAGS", "-of-the-user")
    monkeypatch.setenv("GIT_DIR", "/of/the/user")
    return found


class Making:
    """A kernel that is to be made of the tiny source."""

    def __init__(self, base: Base, tree: Tree, calls: Calls) -> None:
        self.base, self.calls, self.tree = base, calls, tree
        self.cell = Cell(load_machine("x86_64"), Variant("stock"), "perf")
        self.commit = git.with_files(tree.commit, {"mm/vmalloc.c": "int changed;\n"}, "changed")
        self.patched = Patched(self.commit, git.tree_of(self.commit), ("0001-a.patch",), ())
        self.work = KernelBuild(base, self.cell, self.patched, Own(2), print)

    def text(self) -> str:
        """Return the script that makes it."""
        makings = Makings()
        makings.begin(Prepared(Sources(self.base, self.tree), (self.cell,), {self.cell.variant: self.patched}), Own(2))
        makings._kernel(self.work)
        return "\n".join(makings.text)

    def printed(self, text: str) -> list[Call]:
        """Run a script; return the calls that change something."""
        self.calls.taken()
        run(text)
        return changing(self.calls.taken())

    def real(self) -> list[Call]:
        """Have the rig make it; return the same calls."""
        self.calls.taken()
        with Jobserver(2, 1) as jobs, self.calls.all_noted():
            kbuild.build(self.base, self.cell, self.patched, jobs, print)
        return changing(self.calls.taken())


@pytest.fixture
def making(base: Base, tree: Tree, calls: Calls) -> Making:
    return Making(base, tree, calls)


def run(text: str, code: int = 0) -> str:
    """Run a script as a user does; return what it printed."""
    script = f'work=$(mktemp -d -t rig.XXXXXX)\n{text}\nrm -r "$work"\n'
    done = subprocess.run(("sh", "-e"), input=script, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (code, "")
    return done.stdout


def changing(calls: Sequence[Call]) -> list[Call]:
    """Return the calls that change something; the folder of a module is called MODULE in them."""
    found = []
    for call in calls:
        if call.program == "git" and not {"worktree", "checkout", "clean"} & set(call.words):
            continue
        (place,) = [word[2:] for word in call.words if word.startswith("M=")] or ["/no/module"]
        named = tuple(word.replace(place, "MODULE") for word in call.words)
        named = tuple(Path(word).name for word in named) if "objcopy" in call.program else named
        found.append(call._replace(words=named))
    return found


def test_a_script_calls_what_the_rig_calls(making: Making) -> None:
    text = making.text()
    printed = making.printed(text)
    assert [call.program for call in printed] == ["git", "git", "make", "make", "make", *["x86_64-linux-gnu-objcopy"] * 2]
    assert kconfig.parse((making.work.folder / ".config").read_text()) == making.work.asked
    assert not list(paths.cache().glob("kernels/*")), "what a script makes is no kernel of the cache"
    shutil.rmtree(making.work.tree)
    assert making.real() == printed
    assert {call.env["KCFLAGS"] for call in printed if call.program == "make"} == {""}


def test_a_work_tree_that_is_there_is_brought_to_the_commit(making: Making, said: list[str]) -> None:
    git.worktree(making.work.tree, making.tree.commit)
    printed = making.printed(making.text())
    assert [call.words[2] for call in printed if call.program == "git"] == ["checkout", "clean"]
    assert git.is_at(making.work.tree, making.commit)
    git.worktree(making.work.tree, making.tree.commit)
    assert making.real() == printed


def test_what_the_cache_has_is_not_made_again_but_can_be(making: Making) -> None:
    real = making.real()
    text = making.text()
    assert f"# cached: {making.work.kernel}" in text
    assert f"# cached: {making.work.module_folder(modules.own_sources())}/vmalloc_test.ko" in text
    assert making.printed(text) == []
    commented = text.partition(", which QEMU can be told:\n")[2]
    shared = text.partition("\n# ----")[0]
    again = making.printed(f"{shared}\n{''.join(line.removeprefix('# ') for line in commented.splitlines(keepends=True))}")
    assert [call for call in again if call.program != "git"] == [call for call in real if call.program != "git"]


def test_a_module_alone_is_made_for_a_kernel_that_is_in_place(making: Making, monkeypatch: pytest.MonkeyPatch) -> None:
    making.real()
    shutil.rmtree(making.work.module_folder(modules.own_sources()))
    printed = making.printed(making.text())
    assert [call.words[-1] for call in printed if call.program == "make"] == ["modules"]
    assert making.real() == [call for call in printed if call.program != "git"], "the tree is at the commit"
    shutil.rmtree(making.work.module_folder(modules.own_sources()))
    (making.work.folder / kbuild.KEY).write_text("another")
    printed = making.printed(making.text())
    assert len([call for call in printed if call.program == "make"]) == 3


def test_the_rig_trusts_nothing_that_a_script_left_in_its_folder(making: Making) -> None:
    making.real()
    shutil.rmtree(making.work.kernel)
    making.printed(making.text())
    assert not making.work.in_place
    assert [call.words[-1] for call in making.real() if call.program == "make"] == ["allnoconfig", "modules"]


def test_a_folder_that_cannot_be_trusted_is_emptied(making: Making) -> None:
    making.work.folder.mkdir(parents=True)
    left = making.work.folder / "left.o"
    left.touch()
    git.worktree(making.work.tree, making.tree.commit) if git.is_tree(making.work.tree) else shutil.rmtree(making.work.tree)
    git.worktree(making.work.tree, making.tree.commit)
    left.parent.mkdir()
    left.touch()
    assert "left.o is damaged; building from scratch" in making.text()
    making.printed(making.text())
    assert not left.exists()


@pytest.mark.parametrize("place", ["lock", "tree"])
def test_a_script_waits_for_a_rig_that_builds_there(making: Making, tmp_path: Path, place: str) -> None:
    text = making.text()
    making.calls.taken()
    with files.locked(getattr(making.work, place)):
        waiting = subprocess.Popen(("sh", "-e", "-c", f"work={tmp_path}\n{text}"))
        with pytest.raises(subprocess.TimeoutExpired):
            waiting.wait(1)
        assert changing(making.calls.taken()) == []
    assert waiting.wait(60) == 0
    assert len(changing(making.calls.taken())) == 7


def test_a_failed_make_ends_the_script(making: Making) -> None:
    making.calls.program("make", "exit 2")
    run(making.text(), code=2)
    assert (making.work.folder / "rig-building").exists(), "the rig sees that the build was cut off"


@pytest.mark.parametrize("name", machine_names())
@pytest.mark.parametrize("profile", matrix.PROFILES)
@pytest.mark.parametrize("release", matrix.base_names())
def test_fragments_one_behind_the_other_are_the_configuration(name: str, profile: str, release: str) -> None:
    of, cell = matrix.load_base(release), Cell(load_machine(name), Variant("stock"), profile)
    whole = "".join(file.read_text() for file in kbuild.fragments(of, cell))
    assert kconfig.parse(whole) == kbuild.configuration(of, cell)


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Machine:
    """A machine whose packages hold nothing, and whose initramfs has a few files of its own."""

    def fill(root: Path, *_: object) -> dict[str, str]:
        for name in ("bin/z", "bin/a", "bin.d/x", "a b", "init", "ä"):
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).write_text(name)
        (root / "link").symlink_to("bin/z")
        return {}

    monkeypatch.setattr(rootfs, "_fill", fill)
    monkeypatch.setattr(apt, "download", lambda *_: [])
    return load_machine("x86_64")


def test_an_initramfs_is_packed_as_the_rig_packs_it(machine: Machine, tmp_path: Path) -> None:
    makings = Makings()
    made = makings._root(machine)
    assert makings._root(machine) is made, "once for all cells"
    assert len([line for line in makings.text if "initramfs for" in line]) == 1
    run("\n".join([*makings.text, f'cp "{made.image}" {tmp_path}/packed']))
    assert (tmp_path / "packed").read_bytes() == rootfs.make(machine, tmp_path).image.read_bytes()
    assert Makings()._root(machine) == made, "what is prepared is not prepared again"


def test_an_initramfs_of_the_cache_is_taken(machine: Machine) -> None:
    built = rootfs.build(machine)
    makings = Makings()
    assert makings._root(machine) == built
    assert f"# cached: {built.image}" in makings.text


def test_a_plugin_is_made_as_the_rig_makes_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = Calls(tmp_path, monkeypatch)
    calls.program("qemu", "echo QEMU emulator version 7.2.0")
    calls.program("gcc", "for word; do case $word in *.so) touch $word ;; esac; done; echo gcc")
    makings = Makings()
    made = makings._plugin("qemu")
    calls.taken()
    run("\n".join(makings.text))

    def compiled() -> list[tuple[str, ...]]:
        found = [call.words for call in calls.taken() if "-shared" in call.words]
        return [tuple("FILE" if word.endswith(plugin.FILE) else word for word in words) for words in found]

    printed = compiled()
    plugin.build.cache_clear()
    plugin.build("qemu")
    assert compiled() == printed
    assert len(printed) == 1
    assert str(made.file) == "$work/qemu/blocks.so"
    again = Makings()
    assert again._plugin("qemu") == plugin.build("qemu")
    plugin.build.cache_clear()


def test_a_qemu_without_plugins_has_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Calls(tmp_path, monkeypatch).program("qemu", "echo QEMU emulator version 3.1.0")
    makings = Makings()
    assert makings._plugin("qemu").file is None
    assert "# none: QEMU 3.1 has no plugins; they came with 4.2." in makings.text
