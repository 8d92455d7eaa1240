# SPDX-License-Identifier: GPL-2.0-only
"""Build-ids, of files that a real linker made and of notes as a guest tells them."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest

from harness.build import identity
from harness.errors import BuildError
from harness.host import shell
from harness.model.matrix import Machine, load_machine, machine_names

ID = bytes(range(20))


def note(content: bytes = ID, kind: int = 3, name: bytes = b"GNU\0") -> bytes:
    padded = name + b"\0" * (-len(name) % 4)
    return struct.pack("<III", len(name), len(content), kind) + padded + content + b"\0" * (-len(content) % 4)


@pytest.mark.parametrize(
    ("notes", "found"),
    [
        (note(), ID.hex()),
        (note(b"\x06" * 6, 1, b"Linux\0") + note(b"PAD", 18, b"Xen\0") + note(), ID.hex()),
        (note(b"abcd", 1) + note(b"\x01" * 16), "01" * 16),
        (note(b"abcd", 1), ""),
        (note()[:-1], ""),
        (b"x" + note(), ""),
        (b"", ""),
    ],
    ids=["alone", "behind others", "an md5", "another GNU note", "cut short", "not aligned", "none"],
)
def test_the_build_id_among_notes(notes: bytes, found: str) -> None:
    assert identity.of_notes(notes) == found


@pytest.fixture(params=machine_names())
def machine(request: pytest.FixtureRequest) -> Machine:
    return load_machine(request.param)


def linked(machine: Machine, folder: Path, text: str, *options: str) -> Path:
    (folder / "a.c").write_text(text)
    shell.output((machine.build.compiler, "-c", "a.c", "-o", "a.o"), cwd=folder)
    made = folder / "linked"
    shell.output((f"{machine.build.cross_compile}ld", "-r", "a.o", "-o", made, *options), cwd=folder)
    return made


def test_a_file_tells_what_its_linker_gave_it(machine: Machine, tmp_path: Path) -> None:
    file = linked(machine, tmp_path, "int limit = 1;", "--build-id=0x0123456789abcdef0123456789abcdef01234567")
    assert identity.build_id(file) == "0123456789abcdef0123456789abcdef01234567"


@pytest.mark.parametrize("other", ["int limit = 2;", "int limit(int a) { return a > 1; }", 'const char *limit = "b";'])
def test_what_differs_has_another(machine: Machine, tmp_path: Path, other: str) -> None:
    same = {"int limit = 2;": "int limit = 1;", 'const char *limit = "b";': 'const char *limit = "a";'}
    one = same.get(other, "int limit(int a) { return a >= 1; }")
    ids = [identity.build_id(linked(machine, tmp_path, text, "--build-id")) for text in (one, other, one)]
    assert ids[0] == ids[2] != ids[1]


def test_a_file_without_one_is_refused(machine: Machine, tmp_path: Path) -> None:
    file = linked(machine, tmp_path, "int limit = 1;", "--build-id=none")
    with pytest.raises(BuildError, match=r"has no build-id, .* --build-id"):
        identity.build_id(file)


def test_a_section_that_says_that_it_is_huge_is_said_so(tmp_path: Path) -> None:
    section = struct.Struct("<IIQQQQIIQQ")
    header = struct.pack("<4sBBB9xHHIQQQIHHHHHH", b"\x7fELF", 2, 1, 1, 1, 62, 1, 0, 0, 64, 0, 64, 0, 0, section.size, 3, 2)
    names = b"\0.note\0"
    file = tmp_path / "vmlinux"
    sections = section.pack(*([0] * 10)), section.pack(1, 7, 0, 0, 64, 1 << 62, 0, 0, 1, 0)
    file.write_bytes(header + b"".join(sections) + section.pack(0, 3, 0, 0, 256, len(names), 0, 0, 1, 0) + names)
    with pytest.raises(BuildError, match="is not a complete ELF file"):
        identity.build_id(file)


def test_what_is_no_elf_file_is_said_so(tmp_path: Path) -> None:
    with pytest.raises(BuildError, match="cannot be read: No such file"):
        identity.build_id(tmp_path / "vmlinux")
    for content in (b"", b"\x7fELF\x02\x01", b"text" * 100):
        (tmp_path / "vmlinux").write_bytes(content)
        with pytest.raises(BuildError, match="is not a complete ELF file"):
            identity.build_id(tmp_path / "vmlinux")
