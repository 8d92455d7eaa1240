# SPDX-License-Identifier: GPL-2.0-only
"""A dump of QEMU's becomes a kernel core: programs stand in for kernels, and files made here for dumps."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest
from elftools.elf.elffile import ELFFile
from elftools.elf.sections import SymbolTableSection
from elftools.elf.segments import NoteSegment

from harness.errors import RigError
from harness.host import shell
from harness.model.matrix import load_machine, machine_names
from harness.vm import core as vmcore

BANNER = b"Linux version 4.18.0 (rig@kernel-patch-rig) #1 SMP\n"
KERNEL = """\
const char linux_banner[] = "Linux version 4.18.0 (rig@kernel-patch-rig) #1 SMP\\n";
unsigned long memstart_addr = 1, init_uts_ns = 2, swapper_pg_dir = 3, init_top_pgt = 4;
void _start(void)
{
}
"""
MEMORY = 0x4000_0000
MACHINES = {
    "x86_64": (0xFFFFFFFF81000000, 0xFFFFFFFF80000000, 0),
    "aarch64": (0xFFFFFF8008080000, 0xFFFFFF8008080000 - (MEMORY + 0x80000 + 3 * (2 << 20)), MEMORY),
}
"""where the kernel is linked to, what lies between that and where it is loaded, and where memory begins"""
SIZE = 64 << 20
CONFIG = "CONFIG_ARM64_VA_BITS=39\nCONFIG_ARM64_PAGE_SHIFT=12\n"


def kernel(folder: Path, machine: str, text: str = KERNEL) -> Path:
    """Return what stands for vmlinux, with its configuration beside it."""
    build = load_machine(machine).build
    (folder / "config").write_text(CONFIG)
    (folder / "kernel.c").write_text(text)
    at = MACHINES[machine][0]
    model = ("-mcmodel=kernel",) if machine == "x86_64" else ()
    link = ("-nostdlib", "-static", f"-Wl,-Ttext={at:#x}", f"-Wl,--defsym=_text={at:#x}", f"-Wl,--defsym=_stext={at:#x}")
    shell.output((build.compiler, *model, "-O2", "-ffreestanding", "-fno-pie", *link, "-o", "vmlinux", "kernel.c"), cwd=folder)
    return folder / "vmlinux"


def symbol(vmlinux: Path, name: str) -> int:
    with vmlinux.open("rb") as file:
        table = ELFFile(file).get_section_by_name(".symtab")
        assert isinstance(table, SymbolTableSection)
        found = table.get_symbol_by_name(name)
        assert found
        return int(found[0]["st_value"])


def dump(folder: Path, machine: str, vmlinux: Path, banner: bytes = BANNER) -> Path:
    """Write a dump with two stretches of memory, the kernel in the first, and notes as QEMU has them."""
    _, offset, start = MACHINES[machine]
    notes = struct.pack("<III", 5, 3, 1) + b"CORE\0\0\0\0" + b"abc\0"
    header = struct.pack(
        "<16sHHIQQQIHHHHHH", b"\x7fELF\2\1\1", 4, {"x86_64": 62}.get(machine, 183), 1, 0, 64, 9, 0, 64, 56, 3, 64, 1, 1
    )
    first = 64 + 3 * 56 + len(notes)
    programs = [(4, 0, 64 + 3 * 56, 0, 0, len(notes), len(notes), 0)]
    programs += [(1, 7, first, 0, start, SIZE, SIZE, 0), (1, 7, first + SIZE, 0, 0xFFFF0000, 100, 100, 0)]
    path = folder / "dump"
    with path.open("wb") as file:
        file.write(header + b"".join(struct.pack("<IIQQQQQQ", *program) for program in programs) + notes)
        for address, data in (
            (symbol(vmlinux, "linux_banner"), banner),
            (symbol(vmlinux, "memstart_addr"), struct.pack("<Q", start)),
        ):
            file.seek(first + address - offset - start)
            file.write(data)
        file.seek(first + SIZE)
        file.write(b"firmware" * 12 + b"last")
    return path


def said(core: Path) -> dict[str, str]:
    """Return the lines of a core's note, and hold that the note before it was kept."""
    with core.open("rb") as file:
        elf = ELFFile(file)
        (notes,) = elf.iter_segments("PT_NOTE")
        assert isinstance(notes, NoteSegment)
        old, new = notes.iter_notes()
        assert (old["n_name"], old["n_descsz"]) == ("CORE", 3)
        assert new["n_name"] == "VMCOREINFO"
        assert notes["p_offset"] + notes["p_filesz"] <= min(segment["p_offset"] for segment in elf.iter_segments("PT_LOAD"))
        data = new["n_descdata"]
    return dict(line.split("=", 1) for line in data.decode().splitlines())


@pytest.mark.parametrize("machine", MACHINES)
def test_a_core_says_where_its_kernel_is(tmp_path: Path, machine: str) -> None:
    vmlinux = kernel(tmp_path, machine)
    vmcore.convert(dump(tmp_path, machine, vmlinux), tmp_path / "core", vmlinux, tmp_path / "config")
    told = said(tmp_path / "core")
    _, offset, start = MACHINES[machine]
    own = {
        "x86_64": {"NUMBER(phys_base)": "0", "NUMBER(pgtable_l5_enabled)": "0"},
        "aarch64": {"NUMBER(VA_BITS)": "39", "NUMBER(kimage_voffset)": hex(offset), "NUMBER(PHYS_OFFSET)": hex(start)},
    }[machine]
    tables = "init_top_pgt" if machine == "x86_64" else "swapper_pg_dir"
    assert told == {
        "OSRELEASE": "4.18.0",
        "PAGESIZE": "4096",
        "KERNELOFFSET": "0",
        "SYMBOL(init_uts_ns)": f"{symbol(vmlinux, 'init_uts_ns'):x}",
        "SYMBOL(_stext)": f"{MACHINES[machine][0]:x}",
        "SYMBOL(swapper_pg_dir)": f"{symbol(vmlinux, tables):x}",
        **own,
    }


@pytest.mark.parametrize("machine", MACHINES)
def test_memory_stays_as_it_was_and_zeros_take_no_room(tmp_path: Path, machine: str) -> None:
    vmlinux = kernel(tmp_path, machine)
    raw, core = dump(tmp_path, machine, vmlinux), tmp_path / "core"
    vmcore.convert(raw, core, vmlinux, tmp_path / "config")
    with raw.open("rb") as one, core.open("rb") as two:
        before, after = (list(ELFFile(file).iter_segments("PT_LOAD")) for file in (one, two))
        assert [segment.data() for segment in before] == [segment.data() for segment in after]
        assert [segment["p_paddr"] for segment in before] == [segment["p_paddr"] for segment in after]
    assert core.stat().st_size > SIZE
    assert core.stat().st_blocks * 512 < SIZE // 16


@pytest.mark.parametrize("machine", MACHINES)
def test_another_kernels_dump_is_refused(tmp_path: Path, machine: str) -> None:
    vmlinux = kernel(tmp_path, machine)
    raw = dump(tmp_path, machine, vmlinux, BANNER.replace(b"4.18.0", b"4.18.1"))
    with pytest.raises(RigError, match="vmlinux is not in the dump"):
        vmcore.convert(raw, tmp_path / "core", vmlinux, tmp_path / "config")
    assert not (tmp_path / "core").exists()


@pytest.mark.parametrize("machine", set(machine_names()) - set(MACHINES))
def test_a_machine_without_cores_is_told_before_its_memory_is_looked_at(tmp_path: Path, machine: str) -> None:
    (tmp_path / "kernel.c").write_text(KERNEL)
    link = ("-nostdlib", "-static", "-ffreestanding", "-o", "vmlinux", "kernel.c")
    shell.output((load_machine(machine).build.compiler, *link), cwd=tmp_path)
    with pytest.raises(
        RigError, match=r"^the rig makes no core for drgn and crash of the architecture \w+; look at the guest with `invoke gdb`"
    ):
        vmcore.convert(tmp_path / "nowhere", tmp_path / "core", tmp_path / "vmlinux", tmp_path / "config")


def test_what_is_no_dump_is_refused(tmp_path: Path) -> None:
    machine = next(iter(MACHINES))
    vmlinux = kernel(tmp_path, machine)
    whole = dump(tmp_path, machine, vmlinux).read_bytes()
    for content in (b"", b"hello", whole[:63], whole[:100], whole[:300], b"\x7fELF" + bytes(400)):
        (tmp_path / "cut").write_bytes(content)
        with pytest.raises(RigError, match=r"is not a complete dump of a guest's memory|is not in the dump"):
            vmcore.convert(tmp_path / "cut", tmp_path / "core", vmlinux, tmp_path / "config")


def test_what_is_no_kernel_is_refused(tmp_path: Path) -> None:
    machine = next(iter(MACHINES))
    raw = dump(tmp_path, machine, kernel(tmp_path, machine))
    vmlinux = kernel(tmp_path, machine, KERNEL.replace("linux_banner", "other"))
    with pytest.raises(RigError, match=r"vmlinux is not a kernel\."):
        vmcore.convert(raw, tmp_path / "core", vmlinux, tmp_path / "config")


def test_a_full_disk_leaves_no_half_a_core(tmp_path: Path) -> None:
    machine = next(iter(MACHINES))
    vmlinux = kernel(tmp_path, machine)
    raw = dump(tmp_path, machine, vmlinux)
    with pytest.raises(RigError, match=r"dump .*No such file"):
        vmcore.convert(raw, tmp_path / "nowhere/core", vmlinux, tmp_path / "config")
    (tmp_path / "full").symlink_to("/dev/full")
    with pytest.raises(RigError, match="No space left on device"):
        vmcore.convert(raw, tmp_path / "full", vmlinux, tmp_path / "config")
    assert not (tmp_path / "full").is_symlink()
