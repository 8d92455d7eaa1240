# SPDX-License-Identifier: GPL-2.0-only
"""gdb finds sources, symbols and the module: a program with a kernel's list of modules stands in for a guest."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.host import shell
from harness.model.matrix import load_machine, machine_names
from harness.vm import gdb

# The kernel's own types, as far as the search for a module goes; of 4.18, and of 5.8 and later.
KERNEL = """\
struct list_head { struct list_head *next, *prev; };
struct attribute { const char *name; };
struct bin_attribute { struct attribute attr; };
#ifdef LATER
struct module_sect_attr { struct bin_attribute battr; unsigned long address; };
#define NAME(n) .battr.attr.name = n
#else
struct module_sect_attr { const char *name; unsigned long address; };
#define NAME(n) .name = n
#endif
struct module_sect_attrs { int grp; unsigned int nsections; struct module_sect_attr attrs[5]; };
enum module_state { MODULE_STATE_LIVE, MODULE_STATE_COMING };
struct module { enum module_state state; struct list_head list; char name[56]; struct module_sect_attrs *sect_attrs; };
static struct list_head modules;
static struct module_sect_attrs attrs = { 0, 5, {
	{ NAME(".text"), 0xabc000 }, { NAME(".init.text"), 0xdef000 }, { NAME(".data"), 0x123000 },
	{ NAME(".strtab"), 0x5 }, { NAME(".text\\nshell touch hacked\\n"), 0x6 } } };
static struct module other = { MODULE_STATE_LIVE, { &modules, 0 }, "other", 0 };
static struct module mine = { STATE, { &other.list, 0 }, "stand_in", &attrs };
static struct list_head modules = { &mine.list, 0 };
int _start(void)
{
	return modules.next == mine.list.next; /* the kernel's own */
}
"""
MODULE = """\
int counter = 7;
int tested(int value)
{
	return value + counter; /* in the module */
}
int __attribute__((section(".init.text"))) starting(void)
{
	return counter;
}
"""


def built(folder: Path, name: str, *defined: str) -> tuple[Path, Path]:
    """Return what stands for vmlinux and for the module, in `folder`."""
    build = load_machine(name).build
    (folder / "mm").mkdir(parents=True)
    (folder / "mm/kernel.c").write_text(KERNEL)
    (folder / "mm/module.c").write_text(MODULE)
    compile_ = (build.compiler, "-g", "-gdwarf-4", "-ffreestanding", "-fno-pie", f"-fdebug-prefix-map={folder}=.")
    program = ("-nostdlib", "-static", "-Wl,-Ttext=0x400000")
    shell.output((*compile_, *program, *(f"-D{word}" for word in defined), "-o", "vmlinux", "mm/kernel.c"), cwd=folder)
    shell.output((*compile_, "-c", "-o", "stand-in.ko", "mm/module.c"), cwd=folder)
    return folder / "vmlinux", folder / "stand-in.ko"


def ask(vmlinux: Path, module: Path | None, *script: str) -> str:
    return shell.output(gdb.command(vmlinux, module, vmlinux.parent / "no socket", vmlinux.parent, script), cwd=vmlinux.parent)


@pytest.mark.parametrize("name", machine_names())
@pytest.mark.parametrize("later", [(), ("LATER",)], ids=["4.18", "5.8"])
def test_a_modules_symbols_are_where_it_is_loaded(tmp_path: Path, name: str, later: tuple[str, ...]) -> None:
    vmlinux, module = built(tmp_path / "some folder", name, "STATE=MODULE_STATE_COMING", *later)
    said = ask(vmlinux, module, "info symbol 0xabc001", "info address counter", "info symbol 0xdef000", "info line mm/module.c:4")
    assert "stand_in is loaded: -s .text 0xabc000 -s .init.text 0xdef000 -s .data 0x123000\n" in said
    assert "tested + 1 in section .text of" in said
    assert 'Symbol "counter" is static storage at address 0x123000.' in said
    assert "starting in section .init.text of" in said
    assert 'Line 4 of "mm/module.c" starts at address 0xabc' in said
    assert not (vmlinux.parent / "hacked").exists()


def test_what_the_kernel_gave_back_is_left_out(tmp_path: Path) -> None:
    said = ask(*built(tmp_path / "a", machine_names()[0], "STATE=MODULE_STATE_LIVE"), "info symbol 0xdef000")
    assert "stand_in is loaded: -s .text 0xabc000 -s .data 0x123000\n" in said
    assert "No symbol matches 0xdef000." in said


def test_a_module_that_is_not_loaded_is_said_so(tmp_path: Path) -> None:
    vmlinux, module = built(tmp_path / "a", machine_names()[0], "STATE=MODULE_STATE_LIVE")
    another = module.rename(module.with_name("another.ko"))
    assert "The kernel has no module another loaded.\n" in ask(vmlinux, another, "info files")


def test_sources_are_found_in_the_tree(tmp_path: Path) -> None:
    vmlinux, _ = built(tmp_path / "tree", machine_names()[0], "STATE=MODULE_STATE_LIVE")
    moved = vmlinux.rename(tmp_path / "vmlinux")
    command = gdb.command(moved, None, tmp_path / "no", tmp_path / "tree", ("list _start",))
    assert "/* the kernel's own */" in shell.output(command, cwd=tmp_path)


def test_a_user_gets_a_prompt_and_no_script() -> None:
    command = gdb.command(Path("/k/vmlinux"), Path("/m/m.ko"), Path("/v/gdb"), Path("/tree"))
    assert command[0] == "gdb-multiarch"
    assert not {"-batch", "-nx"} & set(command)
    assert command[-1] == "/k/vmlinux"
    assert [command[at + 1] for at, word in enumerate(command) if word == "-ex"][::2] == [
        "target remote /v/gdb",
        "add-module /m/m.ko",
    ]
