# SPDX-License-Identifier: GPL-2.0-only
"""The sources of a foreign module, and what it uses of a kernel that is not exported."""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from harness.build import foreign
from harness.build.modules import ModuleSource
from harness.errors import BuildError, UsageError
from harness.host import shell

MAP = """\
ffffffff81000010 T exported
ffffffff81000020 T hidden
ffffffff81000030 t twice
ffffffff81000040 t twice
ffffffff81000050 r __ksymtab_exported
"""
SOURCE = """\
void exported(void);
void {0}(void);
__attribute__((weak)) void absent(void);
static void inside(void) {{ exported(); }}
void begins(void) {{ inside(); {0}(); if (absent) absent(); }}
"""


def module(folder: Path, **files: str) -> Path:
    """A folder with sources; in names an underscore stands for the dot."""
    for name, text in files.items():
        (folder / name.replace("_", ".", 1)).write_text(text)
    return folder


def test_one_c_file_is_a_module(tmp_path: Path) -> None:
    source = foreign.read(str(module(tmp_path, one_c="int x;\n", one_h="")))
    assert dict(source.files) == {"one.c": b"int x;\n", "one.h": b"", "Kbuild": b"obj-m := one.o\n"}


@pytest.mark.parametrize("name", ["Kbuild", "Makefile"])
def test_a_makefile_stays_as_it_is(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("obj-m := both.o\nboth-y := a.o lib/b.o\n")
    (tmp_path / "lib").mkdir()
    module(tmp_path, a_c="", a_o="built", a_ko="built", a_mod="", Module_symvers="").joinpath("lib/b.c").write_text("")
    (tmp_path / ".git").mkdir()
    (tmp_path / ".git/config").write_text("")
    (tmp_path / "a.mod.c").write_text("")
    assert sorted(dict(foreign.read(str(tmp_path)).files)) == sorted([name, "a.c", "lib/b.c"])


def test_its_digest_is_of_names_and_contents(tmp_path: Path) -> None:
    def digest(**files: str) -> str:
        for file in tmp_path.iterdir():
            file.unlink()
        return foreign.digest(foreign.read(str(module(tmp_path, **files))))

    digests = [digest(a_c="x"), digest(a_c="y"), digest(b_c="x"), digest(a_c="x", a_h="")]
    assert len(set(digests)) == 4
    assert digest(a_c="x", a_o="built") == digests[0]


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ({}, "has no C file of its own, and neither Kbuild nor Makefile"),
        ({"a_c": "", "b_c": ""}, "has 2 C files, and neither Kbuild nor Makefile; add a Kbuild file with `obj-m := NAME.o`"),
        ({"a b_c": ""}, "cannot give its name to a module"),
    ],
)
def test_a_folder_that_is_no_module(tmp_path: Path, files: dict[str, str], said: str) -> None:
    with pytest.raises(UsageError, match=re.escape(said)):
        foreign.read(str(module(tmp_path, **files)))


def test_what_is_no_folder(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"one\.c is a file"):
        foreign.read(str(module(tmp_path, one_c="") / "one.c"))
    with pytest.raises(UsageError, match="nowhere is not there"):
        foreign.read(str(tmp_path / "nowhere"))


def test_a_folder_of_anything(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(foreign, "_MOST", 10)
    with pytest.raises(UsageError, match="MiB of files; name the folder of the module alone"):
        foreign.read(str(module(tmp_path, one_c="0123456789+")))


def test_a_large_folder_is_not_read_to_its_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who names a whole disk is told at once."""
    monkeypatch.setattr(foreign, "_MOST", 10)
    for number in range(5):
        (tmp_path / f"{number}").mkdir()
        module(tmp_path / f"{number}", a_c="0123456")
    seen: list[Path] = []
    found = foreign._found

    def noted(folder: Path) -> Iterator[Path]:
        for path in found(folder):
            seen.append(path)
            yield path

    monkeypatch.setattr(foreign, "_found", noted)
    with pytest.raises(UsageError, match="MiB of files; name the folder of the module alone"):
        foreign.read(str(tmp_path))
    assert len(seen) == 2


def test_a_folder_within_that_cannot_be_read_is_no_empty_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def scandir(folder: Path) -> Any:
        if str(folder).endswith("lib"):
            raise PermissionError(errno.EACCES, "Permission denied", str(folder))
        return real(folder)

    (module(tmp_path, one_c="") / "lib").mkdir()
    real = os.scandir
    monkeypatch.setattr(os, "scandir", scandir)
    with pytest.raises(UsageError, match=r"lib cannot be read: Permission denied\."):
        foreign.read(str(tmp_path))


def test_hidden_folders_are_not_looked_into(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(foreign, "_MOST", 10)
    (module(tmp_path, one_c="0123456789") / ".git").mkdir()
    (tmp_path / ".git" / "pack").write_text("large")
    assert sorted(dict(foreign.read(str(tmp_path)).files)) == ["Kbuild", "one.c"]


@pytest.mark.parametrize("name", [b"\xff.h", b"a\nb.h"])
def test_a_file_with_a_name_that_cannot_be_printed(tmp_path: Path, name: bytes) -> None:
    (module(tmp_path, one_c="") / os.fsdecode(name)).touch()
    with pytest.raises(UsageError, match=r"has a file with the name '.*', which cannot be used; call it otherwise"):
        foreign.read(str(tmp_path))


@pytest.fixture
def kernel(tmp_path: Path) -> Path:
    folder = tmp_path / "kernel"
    folder.mkdir()
    (folder / "System.map").write_text(MAP)
    (folder / "config").write_text("# CONFIG_RANDOMIZE_BASE is not set\n")
    return folder


def compiled(folder: Path, uses: str, *options: str) -> Path:
    """A module that uses a function `exported`, one that may be absent, and `uses`; `options` are the linker's."""
    folder.mkdir(exist_ok=True)
    (folder / "m.c").write_text(SOURCE.format(uses))
    shell.output(("gcc", "-c", "-fno-pie", "-mcmodel=kernel", "-o", folder / "m.o", folder / "m.c"))
    shell.output(("ld", "-r", *options, "-o", folder / "m.ko", folder / "m.o"))
    return folder / "m.ko"


def test_what_is_not_exported_is_borrowed(tmp_path: Path, kernel: Path) -> None:
    assert foreign.borrowed(compiled(tmp_path / "one", "exported"), kernel) == {}
    found = foreign.borrowed(compiled(tmp_path / "two", "hidden"), kernel)
    assert found == {"hidden": 0xFFFFFFFF81000020}
    linked = compiled(tmp_path / "three", "hidden", f"--defsym=hidden={found['hidden']:#x}")
    assert foreign.borrowed(linked, kernel) == {}
    assert foreign.linked(linked) == ("hidden",)
    assert foreign.linked(tmp_path / "two/m.ko") == ()


@pytest.mark.parametrize(
    ("uses", "said"),
    [
        ("nowhere", "m.ko uses nowhere, but the kernel has none"),
        ("twice", "m.ko uses twice, but the kernel has several of them"),
    ],
)
def test_what_cannot_be_borrowed(tmp_path: Path, kernel: Path, uses: str, said: str) -> None:
    with pytest.raises(BuildError, match=re.escape(said)):
        foreign.borrowed(compiled(tmp_path / "m", uses), kernel)


def test_a_kernel_that_moves_itself_lends_nothing(tmp_path: Path, kernel: Path) -> None:
    (kernel / "config").write_text("CONFIG_RANDOMIZE_BASE=y\n")
    assert foreign.borrowed(compiled(tmp_path / "one", "exported"), kernel) == {}
    with pytest.raises(BuildError, match="uses hidden, at addresses that this kernel chooses anew at each boot"):
        foreign.borrowed(compiled(tmp_path / "two", "hidden"), kernel)


class Work:
    """Stands for the build in a kernel's folder: makes modules of these names, with what the linker is told."""

    def __init__(self, folder: Path, kernel: Path, names: Sequence[str] = ("m.ko",)) -> None:
        self.folder, self.kernel, self.names = folder, kernel, names
        self.cell = SimpleNamespace(name="x86_64/stock/perf")
        self.options: list[tuple[str, ...]] = []

    def module(self, source: ModuleSource) -> Path:
        self.options.append(source.options)
        folder = self.folder / str(len(self.options))
        defined = [word for option in source.options for word in option.partition("LDFLAGS_MODULE=")[2].split()]
        made = compiled(folder, "hidden", *defined).read_bytes()
        (folder / "m.ko").unlink()
        for name in self.names:
            (folder / name).parent.mkdir(exist_ok=True)
            (folder / name).write_bytes(made)
        return folder


def built(work: Any) -> Path:
    return foreign.build(ModuleSource("the module in /mine", (("m.c", b""),), ("A=1",)), work)


def test_a_module_that_borrows_is_linked_for_its_kernel(tmp_path: Path, kernel: Path) -> None:
    work = Work(tmp_path / "work", kernel)
    work.folder.mkdir()
    assert built(work) == work.folder / "2/m.ko"
    assert work.options == [("A=1",), ("A=1", "LDFLAGS_MODULE=--defsym=hidden=0xffffffff81000020")]
    assert foreign.linked(work.folder / "2/m.ko") == ("hidden",)


@pytest.mark.parametrize(
    ("names", "said"),
    [
        ((), "the module in /mine makes no module, but has to make one"),
        (("a.ko", "b.ko"), "makes a.ko, b.ko, but has to make one"),
        (("lib/a.ko",), "makes lib/a.ko, which cannot be used"),
        (("end.ko",), "makes end.ko, which cannot be used; call it otherwise"),
    ],
)
def test_it_has_to_be_one_module(tmp_path: Path, kernel: Path, names: Sequence[str], said: str) -> None:
    work = Work(tmp_path / "work", kernel, names)
    work.folder.mkdir()
    with pytest.raises(BuildError, match=f"x86_64/stock/perf: .*{re.escape(said)}"):
        built(work)
