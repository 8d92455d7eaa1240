# SPDX-License-Identifier: GPL-2.0-only
"""A kernel and a module of a few lines, with debug information, for what looks up addresses in them."""

from __future__ import annotations

from pathlib import Path

import msgspec

from harness.host import shell

KERNEL = """\
#include "../include/linux/inlined.h"
volatile int sink;
__attribute__((noinline)) void leaf(int value)
{
	sink = value; /* in leaf */
}
__attribute__((noinline)) int copy(int value) __asm__("copy.isra.0");
__attribute__((noinline)) int copy(int value)
{
	return value * sink; /* in copy */
}
int outer(int value)
{
	inlined(value); /* calls the one of the header */
	sink--; /* in outer */
	return copy(value);
}
void _start(void)
{
	outer(1);
}
"""
HEADER = """\
extern volatile int sink;
static inline __attribute__((always_inline)) void inlined(int value)
{
	sink = value << 3; /* in inlined */
}
"""
MODULE = """\
volatile int own;
void in_module(void)
{
	own++; /* in the module */
}
__attribute__((section(".text.unlikely"))) void rarely(void)
{
	own--; /* in its other section */
}
__attribute__((section(".init.text"))) void begins(void)
{
	own = 0;
}
"""
_FLAGS = (
    "-g",
    "-O2",
    "-ffreestanding",
    "-fno-pie",
    "-fcf-protection=none",
    "-fno-reorder-functions",
    "-mcmodel=kernel",
    "-mno-red-zone",
)


class Code(msgspec.Struct, frozen=True):
    """What was compiled."""

    folder: Path
    """with the sources"""
    vmlinux: Path
    symbols: Path
    module: Path

    def address(self, name: str) -> int:
        """Return the address of a function of the kernel."""
        rows = (row.split() for row in self.symbols.read_text().splitlines())
        return next(int(row[0], 16) for row in rows if row[2] == name)


def compiled(folder: Path) -> Code:
    """Compile a kernel that lies where x86_64's do, and a module that has sections of its own."""
    code = Code(folder, folder / "vmlinux", folder / "System.map", folder / "module.ko")
    for name, text in (("mm/kernel.c", KERNEL), ("include/linux/inlined.h", HEADER), ("module.c", MODULE)):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    mapped = f"-ffile-prefix-map={folder}=."
    at = "-Wl,-Ttext=0xffffffff81000000,--build-id=none"
    shell.output(("gcc", *_FLAGS, mapped, "-nostdlib", "-static", "-no-pie", at, "-o", code.vmlinux, "mm/kernel.c"), cwd=folder)
    shell.output(("gcc", *_FLAGS, mapped, "-c", "-o", code.module, "module.c"), cwd=folder)
    code.symbols.write_text(shell.output(("nm", "-n", code.vmlinux)) + "\n")
    return code
