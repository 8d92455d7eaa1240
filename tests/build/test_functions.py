# SPDX-License-Identifier: GPL-2.0-only
"""What the functions of a kernel are: small sources stand in for it, compiled and linked for each machine."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.build import functions
from harness.build.references import plain
from harness.errors import UsageError
from harness.host import shell
from harness.model.changes import Change, Changes, KernelContents, changes
from harness.model.matrix import Machine, load_machine, machine_names

CASES = "\n".join(f"\tcase {n}:\n\t\treturn act{n}(v);" for n in range(24))
ACTS = "\n".join(f"int act{n}(int v);" for n in range(24))
SOURCE = f"""\
#define noinline __attribute__((noinline, noclone))
int printk(const char *format, ...);
{ACTS}
static int first;
static int counter;
static int *const where[] = {{&first, &counter}};
static const int table[] = {{1, 2, 3, 4}};
static noinline int callee(int v)
{{
	counter = 5;
	return printk("allocation of %d failed", v) + table[v & 3] + *where[v & 1];
}}
int filler(int v)
{{
	return v * 3;
}}
int caller(int v)
{{
	return callee(v) + callee(v + 1);
}}
int limited(int v)
{{
	return v > 100 ? printk("over") : first++;
}}
static noinline int numbered(int v)
{{
	static int seen;
	return seen += v;
}}
int named(int v)
{{
	return printk("%s %d", __func__, numbered(v));
}}
int chosen(int v)
{{
	switch (v) {{
{CASES}
	}}
	return 0;
}}
int (*callback)(int v) = limited;
"""
# With anchors, a variable that is added moves others against the place that code counts from, which does change that code.
_STEADY = ("-fno-toplevel-reorder", "-fno-section-anchors")
FLAGS = ("-O2", "-c", "-ffreestanding", "-fno-pie", "-fno-stack-protector", "-fno-asynchronous-unwind-tables", *_STEADY)
OTHER = "static int counter;\nint other(int v)\n{\n\treturn counter += v;\n}\n"


@pytest.fixture(params=machine_names())
def machine(request: pytest.FixtureRequest) -> Machine:
    return load_machine(request.param)


def link(machine: Machine, folder: Path, source: str, *flags: str, build_id: str = "0x1234") -> tuple[Path, Path]:
    """Compile `source` beside another file, and return what stands for vmlinux.o and vmlinux."""
    folder.mkdir()
    (folder / "main.c").write_text(source)
    (folder / "other.c").write_text(OTHER)
    shell.output((machine.build.compiler, *FLAGS, *flags, "main.c", "other.c"), cwd=folder)
    linker = f"{machine.build.cross_compile}ld"
    shell.output((linker, "-r", "-o", "vmlinux.o", "main.o", "other.o"), cwd=folder)
    final = ("-e", "0", "--unresolved-symbols=ignore-all", f"--build-id={build_id}", "-o", "vmlinux", "vmlinux.o")
    shell.output((linker, *final), cwd=folder)
    return folder / "vmlinux.o", folder / "vmlinux"


def read(machine: Machine, folder: Path, source: str = SOURCE, *flags: str, build_id: str = "0x1234") -> KernelContents:
    return functions.read(*link(machine, folder, source, *flags, build_id=build_id), ["mm/main.c", "mm/other.c", "fs/other.c"])


def edited(old: str, new: str) -> str:
    assert SOURCE.count(old) == 1
    return SOURCE.replace(old, new)


def differ(machine: Machine, folder: Path, old: str, new: str) -> Changes:
    return changes(read(machine, folder / "before"), read(machine, folder / "after", edited(old, new)))


def told(found: tuple[Change, ...]) -> list[str]:
    return [f"{change.kind} {change.name}" for change in found]


def test_functions_and_data_are_named_with_their_files_and_sizes(tmp_path: Path, machine: Machine) -> None:
    found = read(machine, tmp_path / "it")
    places = {symbol.name: symbol.file for symbol in (*found.functions, *found.data)}
    assert places["callee"] == places["table"] == "mm/main.c"
    assert places["caller"] == places["callback"] == "", "other files can name it too"
    assert {symbol.file for symbol in found.data if symbol.name == "counter"} == {"mm/main.c", "other.c"}, "two files are other.c"
    assert {symbol.name: symbol.size for symbol in found.data}["table"] == 16
    assert all(symbol.size > 0 for symbol in found.functions)


@pytest.mark.parametrize(
    ("old", "new", "functions_", "data"),
    [
        pytest.param("v > 100", "v > 101", ["changed limited"], [], id="constant"),
        pytest.param("v > 100", "v < 100", ["changed limited"], [], id="comparison"),
        pytest.param("allocation of", "Allocation of", ["changed callee"], [], id="string of the same length"),
        pytest.param("{1, 2, 3, 4}", "{1, 2, 3, 5}", [], ["changed table"], id="data"),
        pytest.param("{&first, &counter}", "{&counter, &first}", [], ["changed where"], id="pointers"),
        pytest.param("= limited;", "= filler;", [], ["changed callback"], id="pointer to a function"),
        pytest.param("return v * 3;", "return printk(\"filler\", v, v * 3, v * 5);", ["changed filler"], [], id="only moved"),
        pytest.param("static int first;", "int first;", [], ["added first", "removed first"], id="no longer static"),
        pytest.param("static int first;", "static int first, last __attribute__((used));", [], ["added last"], id="added data"),
        pytest.param(
            "int filler(int v)\n{\n\treturn v * 3;\n}\n", "int extra(int v)\n{\n\treturn v * 7;\n}\n",
            ["added extra", "removed filler"], [], id="added and removed",
        ),
        pytest.param(
            "int filler(int v)\n{\n\treturn v * 3;", "int filler(int v)\n{\n\tstatic int seen;\n\treturn seen += v;",
            ["changed filler"], ["changed seen"], id="renumbered static",
        ),
        pytest.param(
            "int filler(int v)\n{\n\treturn v * 3;", "int filler(int v)\n{\n\treturn printk(__func__);",
            ["changed filler"], [], id="renumbered name of a function",
        ),
        pytest.param(
            "case 3:\n\t\treturn act3(v);\n\tcase 4:", "case 4:\n\t\treturn act3(v);\n\tcase 3:",
            ["changed chosen"], [], id="switch"
        ),
        pytest.param("callee(v + 1)", "filler(v + 1)", ["changed caller"], [], id="other callee"),
        pytest.param("first++", "counter++", ["changed limited"], [], id="other variable"),
        pytest.param("return v * 3;", "\n\n\treturn v * 3;", [], [], id="lines"),
    ],
)  # fmt: skip
def test_what_differs_is_told_and_nothing_else(
    tmp_path: Path, machine: Machine, old: str, new: str, functions_: list[str], data: list[str]
) -> None:
    found = differ(machine, tmp_path, old, new)
    assert told(found.functions) == functions_
    assert told(found.data) == data


def test_a_copy_that_the_compiler_makes_is_its_function(tmp_path: Path, machine: Machine) -> None:
    renamed = edited(
        "static noinline int callee(int v)\n",
        'static noinline int callee(int v) __asm__("callee.isra.0.cold");\nstatic noinline int callee(int v)\n',
    )
    assert changes(read(machine, tmp_path / "before"), read(machine, tmp_path / "after", renamed)).functions == ()


@pytest.mark.parametrize(
    ("name", "is_"),
    [
        ("alloc_vmap_area", "alloc_vmap_area"),
        ("alloc_vmap_area.part.12", "alloc_vmap_area"),
        ("foo.isra.0.constprop.1.cold", "foo"),
        ("foo.cold.3", "foo"),
        ("__func__.12345", "__func__"),
        ("__UNIQUE_ID_license12", "__UNIQUE_ID_license"),
        ("__addressable_vmalloc_init1210", "__addressable_vmalloc_init"),
        ("sys_pipe2", "sys_pipe2"),
    ],
)
def test_names_are_those_of_the_source(name: str, is_: str) -> None:
    assert plain(name) == is_


def test_what_is_loaded_tells_neither_build_id_nor_debug_information(tmp_path: Path, machine: Machine) -> None:
    plain = read(machine, tmp_path / "plain")
    assert read(machine, tmp_path / "lines", edited("return v * 3;", "\n\treturn v * 3;")) == plain
    assert read(machine, tmp_path / "debug", SOURCE, "-g", build_id="0x5678") == plain
    assert read(machine, tmp_path / "other", edited("v * 3", "v * 5")).loaded != plain.loaded


def test_what_was_kept_is_read_again(tmp_path: Path) -> None:
    kept = tmp_path / "functions.json"
    with pytest.raises(UsageError, match=r"functions\.json .*No such file"):
        functions.load(kept)
    kept.write_text('{"loaded": "1", "functions": [["f", "a.c", 3]], "data": []}')
    with pytest.raises(UsageError, match=r"functions\.json is damaged"):
        functions.load(kept)
    kept.write_text('{"loaded": "1", "functions": [["f", "a.c", 3, "00"]], "data": []}')
    assert [symbol.size for symbol in functions.load(kept).functions] == [3]


@pytest.mark.parametrize(
    "content", [b"", b"\x7fELF", b"no ELF file at all, however long it may be" * 10, b"\x7fELF\x01\x01" + bytes(99)]
)
def test_what_is_no_elf_file_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "vmlinux.o").write_bytes(content)
    with pytest.raises(UsageError, match=r"^[^\n]*vmlinux\.o .*whole little-endian ELF[^\n]*$"):
        functions.read(tmp_path / "vmlinux.o", tmp_path / "vmlinux")


def test_a_file_that_is_missing_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"vmlinux\.o .*No such file"):
        functions.read(tmp_path / "vmlinux.o", tmp_path / "vmlinux")


def test_a_file_that_was_cut_short_is_refused_wherever_the_cut_is(tmp_path: Path, machine: Machine) -> None:
    relocatable, linked = link(machine, tmp_path / "it", SOURCE)
    whole = relocatable.read_bytes()
    for share in range(20):
        relocatable.write_bytes(whole[: len(whole) * share // 20])
        with pytest.raises(UsageError, match=r"build the kernel again\.$"):
            functions.read(relocatable, linked)


def test_a_file_whose_bytes_are_wrong_is_refused_or_read(tmp_path: Path, machine: Machine) -> None:
    relocatable, linked = link(machine, tmp_path / "it", SOURCE)
    whole = relocatable.read_bytes()
    refused = []
    for at in range(0, len(whole) - 8, len(whole) // 60):
        relocatable.write_bytes(whole[:at] + b"\xff" * 8 + whole[at + 8 :])
        try:
            functions.read(relocatable, linked)
        except UsageError as error:
            refused.append(str(error))
    assert len(refused) > 5
    assert all(said.endswith("; build the kernel again.") for said in refused)
