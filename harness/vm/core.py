# SPDX-License-Identifier: GPL-2.0-only
"""Saves a guest's memory: QEMU's dump of it, made into a kernel core for drgn and crash.

These need the address of the kernel in memory. A kernel can pass it to QEMU, but only with kexec and power management
compiled in, and only once its drivers are up; here it is read from vmlinux and from the dump.
"""

from __future__ import annotations

import shutil
import struct
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import BinaryIO, NamedTuple

from elftools.common.exceptions import ELFError
from elftools.elf.elffile import ELFFile

from harness.build import kconfig
from harness.build.kernel import Kernel
from harness.errors import RigError
from harness.host import process
from harness.kernlog import symbols
from harness.vm import qmp, sockets
from harness.vm.vms import Vm

_NAME = b"VMCOREINFO\0"
_WORD = struct.Struct("<Q")
_NOTE = struct.Struct("<III")
_HEADER = struct.Struct("<16sHHIQQQIHHHHHH")
_PROGRAM = struct.Struct("<IIQQQQQQ")
_MAGIC = b"\x7fELF\x02\x01"
"""64 bits, little-endian"""
_PT_LOAD, _PT_NOTE = 1, 4
_SPARE = 1 << 30
"""bytes of disk that have to stay free after a dump"""
_DUMP_SECONDS = 300.0
_BLOCK = 1 << 16
"""bytes of a block that is a hole in the core's file if all of them are zero"""
_HUGE_PAGE = 2 << 20
_TRIED = 512
"""huge pages from the start of memory in which an arm64 kernel is searched"""
_LONGEST = 512
"""maximum bytes of a banner to compare"""


class _Program(NamedTuple):
    """A program header: a range of memory, or notes."""

    kind: int
    flags: int
    offset: int
    virtual: int
    physical: int
    size: int
    memory: int
    align: int


class _Dump:
    """A dump that QEMU wrote."""

    def __init__(self, file: BinaryIO) -> None:
        self.file = file
        self.header = list(_HEADER.unpack(file.read(_HEADER.size)))
        if not self.header[0].startswith(_MAGIC):
            raise ValueError("not an ELF file of 64 bits")
        file.seek(self.header[5])
        programs = [_Program(*_PROGRAM.unpack(file.read(_PROGRAM.size))) for _ in range(self.header[10])]
        self.loads = [program for program in programs if program.kind == _PT_LOAD]
        self.notes = b"".join(self._at(program.offset, program.size) for program in programs if program.kind == _PT_NOTE)

    def memory(self, physical: int, size: int) -> bytes:
        """Return `size` bytes of memory, or fewer if the range ends."""
        for load in self.loads:
            if 0 <= physical - load.physical < load.size:
                return self._at(load.offset + physical - load.physical, min(size, load.physical + load.size - physical))
        return b""

    def _at(self, offset: int, size: int) -> bytes:
        self.file.seek(offset)
        return self.file.read(size)


def dump(machine: Vm, file: Path, size: int, kernel: Kernel) -> str:
    """Write the memory of a guest that runs `kernel`, of `size` bytes, to `file` as an ELF core; return a message about it."""
    free = shutil.disk_usage(file.parent).free
    if free < 2 * size + _SPARE:
        return f"no core: {file.parent} has {free >> 20} MiB left, which its memory of {size >> 20} MiB, written twice, would fill"
    raw, whole = file.with_name(f".{file.name}.raw"), file.with_name(f".{file.name}")
    try:
        _check_architecture(kernel.vmlinux)
        process.unlimited(machine.state.pid)
        arguments = {"paging": False, "protocol": f"file:{raw}"}
        qmp.execute(machine.sockets / sockets.QMP, "dump-guest-memory", arguments, deadline=_DUMP_SECONDS)
        convert(raw, whole, kernel.vmlinux, kernel.config)
        whole.replace(file)
    except (RigError, OSError) as error:
        return f"no core: {error}"
    finally:
        raw.unlink(missing_ok=True)
        whole.unlink(missing_ok=True)
    return f"its memory: `drgn -c {file} -s {kernel.vmlinux} -s {kernel.debug_module}`"


def convert(dump: Path, core: Path, vmlinux: Path, config: Path) -> None:
    """Convert QEMU's `dump` of a guest that runs `vmlinux`, with the configuration `config`, into the kernel core `core`.

    Blocks of zeros become holes in the file. Raises RigError for a file that is not valid, and if the kernel is not in
    the dump; then there is no `core`, but gdb can still read QEMU's dump.
    """
    try:
        _check_architecture(vmlinux)
        with dump.open("rb") as file:
            source = _Dump(file)
            facts = "".join(f"{name}={value}\n" for name, value in _facts(source, vmlinux, config)).encode()
            with core.open("wb") as target:
                _write(target, source, _NOTE.pack(len(_NAME), len(facts), 0) + _padded(_NAME) + _padded(facts))
    except (ELFError, struct.error, ValueError, LookupError) as error:
        raise RigError(f"{dump} is not a complete dump of a guest's memory, or {vmlinux} is not a kernel.") from error
    except OSError as error:
        core.unlink(missing_ok=True)
        raise RigError(f"{dump} cannot be converted to a core: {error.filename or core}: {error.strerror}.") from error


def _check_architecture(vmlinux: Path) -> None:
    """Raise RigError for a kernel of an architecture whose cores the rig cannot make."""
    with vmlinux.open("rb") as file:
        architecture = ELFFile(file)["e_machine"]
    if architecture not in _MACHINES:
        raise RigError(
            f"the rig makes no core for drgn and crash of the architecture {architecture.removeprefix('EM_')}; look at the guest"
            " with `invoke gdb` while it is up (--on-failure keep)."
        )


def _padded(data: bytes) -> bytes:
    return data + bytes(-len(data) % 4)


def _write(core: BinaryIO, dump: _Dump, note: bytes) -> None:
    """Write headers, notes and memory, in this order: crash needs the notes before all memory."""
    notes = _padded(dump.notes) + note
    start = _HEADER.size + (1 + len(dump.loads)) * _PROGRAM.size
    at = start + len(notes)
    programs = [_Program(_PT_NOTE, 0, start, 0, 0, len(notes), len(notes), 4)]
    for load in dump.loads:
        at += -at % _BLOCK
        programs.append(load._replace(offset=at))
        at += load.size
    header = dump.header
    header[5:7] = _HEADER.size, 0
    header[10:] = len(programs), 0, 0, 0
    core.write(_HEADER.pack(*header) + b"".join(_PROGRAM.pack(*program) for program in programs) + notes)
    for old, new in zip(dump.loads, programs[1:], strict=True):
        _copy(dump.file, old.offset, core, new.offset, old.size)
    core.truncate(at)


def _copy(source: BinaryIO, start: int, target: BinaryIO, at: int, size: int) -> None:
    zeros = bytes(_BLOCK)
    source.seek(start)
    for done in range(0, size, _BLOCK):
        block = source.read(min(_BLOCK, size - done))
        if block != zeros[: len(block)]:
            target.seek(at + done)
            target.write(block)


def _facts(dump: _Dump, vmlinux: Path, config: Path) -> Iterator[tuple[str, str]]:
    """Yield the needed part of the kernel's VMCOREINFO: see kernel/crash_core.c and the architecture's part of it."""
    settings = kconfig.parse(config.read_text())
    with vmlinux.open("rb") as file:
        elf = ELFFile(file)
        known = symbols.addresses(elf)
        banner = _text(elf, known["linux_banner"])
        offsets, facts = _MACHINES[elf["e_machine"]]
    yield "OSRELEASE", banner.split()[2].decode()
    yield "PAGESIZE", str(1 << int(settings.get("CONFIG_ARM64_PAGE_SHIFT", "12")))
    yield "KERNELOFFSET", "0"
    for name in ("init_uts_ns", "_stext"):
        yield f"SYMBOL({name})", f"{known[name]:x}"
    for offset in offsets(dump, known):
        if dump.memory(known["linux_banner"] - offset, len(banner)) == banner:
            yield from facts(dump, known, settings, offset)
            return
    raise RigError(f"The kernel {vmlinux} is not in the dump: it had not been loaded yet, or it is another one.")


def _text(elf: ELFFile, address: int) -> bytes:
    """Return the string at `address` of a linked file."""
    for section in elf.iter_sections():
        start = address - section["sh_addr"]
        if 0 <= start < section["sh_size"]:
            data: bytes = section.data()[start : start + _LONGEST]
            return data.partition(b"\0")[0]
    raise LookupError(address)


def _x86_offsets(_dump: _Dump, known: Mapping[str, int]) -> Iterator[int]:
    """Yield the possible differences between addresses in vmlinux and in memory."""
    # __START_KERNEL_map; without random addresses phys_base is 0.
    yield known["_text"] & ~((1 << 31) - 1)


def _x86_facts(_dump: _Dump, known: Mapping[str, int], _settings: Mapping[str, str], _offset: int) -> Iterator[tuple[str, str]]:
    yield "NUMBER(phys_base)", "0"
    yield "NUMBER(pgtable_l5_enabled)", "0"
    yield "SYMBOL(swapper_pg_dir)", f"{known['init_top_pgt']:x}"


def _arm64_offsets(dump: _Dump, known: Mapping[str, int]) -> Iterator[int]:
    # The loader chooses one of the first huge pages for the image.
    first = min(load.physical for load in dump.loads) + known["_text"] % _HUGE_PAGE
    yield from (known["_text"] - first - number * _HUGE_PAGE for number in range(_TRIED))


def _arm64_facts(dump: _Dump, known: Mapping[str, int], settings: Mapping[str, str], offset: int) -> Iterator[tuple[str, str]]:
    (start,) = _WORD.unpack(dump.memory(known["memstart_addr"] - offset, _WORD.size))
    yield "NUMBER(VA_BITS)", settings["CONFIG_ARM64_VA_BITS"]
    yield "NUMBER(kimage_voffset)", f"{offset:#x}"
    yield "NUMBER(PHYS_OFFSET)", f"{start:#x}"
    yield "SYMBOL(swapper_pg_dir)", f"{known['swapper_pg_dir']:x}"


_Facts = Callable[[_Dump, Mapping[str, int], Mapping[str, str], int], Iterator[tuple[str, str]]]
_MACHINES: Mapping[str, tuple[Callable[[_Dump, Mapping[str, int]], Iterator[int]], _Facts]] = {
    "EM_X86_64": (_x86_offsets, _x86_facts),
    "EM_AARCH64": (_arm64_offsets, _arm64_facts),
}
