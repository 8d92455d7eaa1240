# SPDX-License-Identifier: GPL-2.0-only
"""Differences made on purpose, in files of each kind, are found and named."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest
from elftools.elf.elffile import ELFFile

from harness.build import first_difference
from harness.build.first_difference import FileKind
from harness.model.audit import Difference

SOURCE = """
int table[4] = { 1, 2, 3, 4 };
int innocent(int a) { return a + 7; }
int guilty(int a) { return a > %d ? a : 3 * a; }
int last(int a) { return table[a & 3] - 9; }
"""


def pair(folder: Path, cached: bytes | None, rebuilt: bytes | None) -> tuple[Path, Path]:
    """Return two files with these contents; None is a file that is not there."""
    files = folder / "cached", folder / "rebuilt"
    for file, content in zip(files, (cached, rebuilt), strict=True):
        if content is not None:
            file.write_bytes(content)
    return files


def compiled(folder: Path, name: str, constant: int = 1000, *options: str) -> Path:
    """Return an object file, or with `options` a program, in which guilty() has a constant."""
    (folder / "code.c").write_text(SOURCE % constant)
    made = folder / name
    subprocess.run(("gcc", "-O2", *(options or ("-c",)), "-o", made, "code.c"), cwd=folder, check=True)
    return made


PROGRAM = ("-nostdlib", "-static", "-Wl,--build-id,-e,last")


def changed(file: Path, offset: int) -> Path:
    """Return a copy of a file in which one byte is another."""
    data = bytearray(file.read_bytes())
    data[offset] ^= 0xFF
    copy = file.with_name("changed")
    copy.write_bytes(data)
    return copy


def section(file: Path, name: str) -> tuple[int, int]:
    """Return where a section of an ELF file begins and ends."""
    with file.open("rb") as opened:
        found = ELFFile(opened).get_section_by_name(name)
        assert found
        return found["sh_offset"], found["sh_offset"] + found["sh_size"]


@pytest.mark.parametrize("kind", FileKind)
@pytest.mark.parametrize("content", [b"", b"abc", b"\x00" * 200_000])
def test_files_that_are_the_same_do_not_differ(kind: FileKind, content: bytes, tmp_path: Path) -> None:
    assert first_difference.first(kind, *pair(tmp_path, content, content)) is None


@pytest.mark.parametrize("kind", FileKind)
def test_a_file_that_is_missing_differs(kind: FileKind, tmp_path: Path) -> None:
    assert first_difference.first(kind, *pair(tmp_path, b"abc", None)) == Difference(0, "the file", "there", "no such file")
    (tmp_path / "cached").rename(tmp_path / "rebuilt")
    assert first_difference.first(kind, tmp_path / "cached", tmp_path / "rebuilt") == Difference(
        0, "the file", "no such file", "there"
    )
    (tmp_path / "rebuilt").unlink()
    assert first_difference.first(kind, tmp_path / "cached", tmp_path / "rebuilt") is None


@pytest.mark.parametrize("offset", [0, 65535, 65536, 65537, 199_999])
def test_one_byte_is_found_wherever_it_is(offset: int, tmp_path: Path) -> None:
    other = bytearray(200_000)
    other[offset] = 0x1F
    found = first_difference.first(FileKind.DATA, *pair(tmp_path, bytes(200_000), bytes(other)))
    assert found
    assert (found.offset, found.where) == (offset, f"byte {offset:#x}")
    assert found.cached.startswith("00")
    assert found.rebuilt.startswith("1f")


@pytest.mark.parametrize("kind", [FileKind.DATA, FileKind.ELF, FileKind.CPIO])
def test_a_file_that_is_cut_short_differs_where_it_ends(kind: FileKind, tmp_path: Path) -> None:
    found = first_difference.first(kind, *pair(tmp_path, b"abcdef", b"abcd"))
    assert found == Difference(4, "byte 0x4", "65 66", "the end of the file")
    assert found.words == "byte 0x4: 65 66 in the cache, the end of the file built again"


def test_a_byte_of_a_function_is_told_by_its_name(tmp_path: Path) -> None:
    found = first_difference.first(FileKind.ELF, compiled(tmp_path, "one.o"), compiled(tmp_path, "other.o", 2000))
    assert found
    start, end = section(tmp_path / "one.o", ".text")
    assert start <= found.offset < end
    assert re.fullmatch(rf"byte {found.offset:#x} \(section \.text, guilty\+0x[1-9a-f][0-9a-f]*\)", found.where)
    for file, told in (("one.o", found.cached), ("other.o", found.rebuilt)):
        assert (tmp_path / file).read_bytes()[found.offset :].startswith(bytes.fromhex(told))
    assert found.cached[:2] != found.rebuilt[:2]


def test_in_a_linked_file_addresses_are_not_offsets(tmp_path: Path) -> None:
    one, other = compiled(tmp_path, "one", 1000, *PROGRAM), compiled(tmp_path, "other", 2000, *PROGRAM)
    found = first_difference.first(FileKind.ELF, one, other)
    assert found
    assert "section .text, guilty+0x" in found.where, "the build-id differs too and comes first, but only for that reason"
    assert one.read_bytes()[found.offset :].startswith(bytes.fromhex(found.cached))
    assert found.cached[:2] != found.rebuilt[:2]


def test_data_is_told_by_its_name_too(tmp_path: Path) -> None:
    made = compiled(tmp_path, "one.o")
    start, _ = section(made, ".data")
    found = first_difference.first(FileKind.ELF, made, changed(made, start + 4))
    assert found == Difference(start + 4, f"byte {start + 4:#x} (section .data, table+0x4)", found.cached, found.rebuilt)  # type: ignore[union-attr]
    assert (found.cached[:2], found.rebuilt[:2]) == ("02", "fd")


def test_a_build_id_counts_where_it_is_all_there_is(tmp_path: Path) -> None:
    made = compiled(tmp_path, "one", 1000, *PROGRAM)
    _, end = section(made, ".note.gnu.build-id")
    found = first_difference.first(FileKind.ELF, made, changed(made, end - 1))
    assert found
    assert found.where == f"byte {end - 1:#x} (section .note.gnu.build-id)"


def test_a_byte_in_no_section_is_told_by_its_offset(tmp_path: Path) -> None:
    made = compiled(tmp_path, "one.o")
    found = first_difference.first(FileKind.ELF, made, changed(made, 8))
    assert found
    assert found.where == "byte 0x8"


def test_sections_that_moved_are_compared_all_the_same(tmp_path: Path) -> None:
    (tmp_path / "code.c").write_text("char text[] = TEXT; int guilty(void) { return 77; }")
    files = []
    for text in ("short", "a good deal longer than the other"):
        files.append(tmp_path / f"{len(text)}.o")
        subprocess.run(("gcc", "-c", f'-DTEXT="{text}"', "-o", files[-1], "code.c"), cwd=tmp_path, check=True)
    found = first_difference.first(FileKind.ELF, *files)
    assert found
    assert found.where == f"byte {section(files[0], '.data')[0]:#x} (section .data, text+0x0)"
    assert bytes.fromhex(found.cached).startswith(b"short")
    assert bytes.fromhex(found.rebuilt) == b"a good d"


def test_an_elf_file_that_is_cut_short_is_told_by_what_the_whole_one_has_there(tmp_path: Path) -> None:
    made = compiled(tmp_path, "one.o")
    start, _ = section(made, ".text")
    cut = tmp_path / "cut.o"
    cut.write_bytes(made.read_bytes()[: start + 2])
    for files in ((made, cut), (cut, made)):
        found = first_difference.first(FileKind.ELF, *files)
        assert found
        assert found.where == f"byte {start + 2:#x} (section .text, innocent+0x2)"
        assert "the end of the file" in (found.cached, found.rebuilt)


@pytest.mark.parametrize(
    ("cached", "rebuilt", "where", "ours", "theirs"),
    [
        (b"A=y\nB=y\nC=y\n", b"A=y\nB=m\nC=n\n", "line 2", "'B=y'", "'B=m'"),
        (b"A=y\nB=y\n", b"A=y\n", "line 2", "'B=y'", "''"),
        (b"A=y\n", b"A=y", "line 2", "''", "the end of the file"),
        (b"", b"A=y\n", "line 1", "''", "'A=y'"),
        (b"A=" + b"x" * 200, b"A=\xff", "line 1", f"'A={'x' * 98}...'", "'A=\ufffd'"),
    ],
)
def test_text_is_told_by_its_first_line(cached: bytes, rebuilt: bytes, where: str, ours: str, theirs: str, tmp_path: Path) -> None:
    found = first_difference.first(FileKind.TEXT, *pair(tmp_path, cached, rebuilt))
    assert found
    assert (found.where, found.cached, found.rebuilt) == (where, ours, theirs)


def archive(folder: Path, members: dict[str, str]) -> bytes:
    """Return a cpio archive as the initramfs is one."""
    folder.mkdir()
    for name, content in members.items():
        (folder / name).write_text(content)
        (folder / name).chmod(0o644)
    words = ("cpio", "--create", "--format=newc", "--reproducible", "--owner=+0:+0", "--quiet")
    return subprocess.run(words, cwd=folder, input="\n".join(sorted(members)).encode(), check=True, capture_output=True).stdout


def test_an_initramfs_is_told_by_its_first_member_that_differs(tmp_path: Path) -> None:
    one = archive(tmp_path / "a", {"init": "#!/bin/sh\n", "passwd": "root", "shells": "sh"})
    at = one.index(b"root")
    other = one[:at] + b"toor" + one[at + 4 :]
    found = first_difference.first(FileKind.CPIO, *pair(tmp_path, one, other))
    assert found
    assert (found.offset, found.where) == (at, f"byte {at:#x} (member passwd)")
    header = one.index(b"070701", one.index(b"root"))
    found = first_difference.first(FileKind.CPIO, *pair(tmp_path, one, one[: header + 14] + b"9" + one[header + 15 :]))
    assert found
    assert found.where == f"byte {header + 14:#x} (member shells)", "its mode"


def test_members_of_other_names_are_both_told(tmp_path: Path) -> None:
    one, other = (archive(tmp_path / name, {"init": "", name: ""}) for name in ("mnt", "tmp"))
    found = first_difference.first(FileKind.CPIO, *pair(tmp_path, one, other))
    assert found
    assert re.fullmatch(r"byte 0x[0-9a-f]+ \(member mnt, and member tmp built again\)", found.where)


def test_an_initramfs_that_is_cut_short_is_told_by_the_member_that_is_not_whole(tmp_path: Path) -> None:
    one = archive(tmp_path / "a", {"init": "", "passwd": "root"})
    at = one.index(b"root") + 2
    found = first_difference.first(FileKind.CPIO, *pair(tmp_path, one, one[:at]))
    assert found == Difference(at, f"byte {at:#x} (member passwd)", found.cached, "the end of the file")  # type: ignore[union-attr]
