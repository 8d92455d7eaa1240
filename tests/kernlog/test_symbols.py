# SPDX-License-Identifier: GPL-2.0-only
"""Call traces get their files and lines: programs stand in for vmlinux, and objects for modules, of each machine."""

from __future__ import annotations

import functools
import re
from pathlib import Path

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from harness.errors import UsageError
from harness.host import debug_info, shell
from harness.kernlog import symbols
from harness.model.matrix import Machine, load_machine, machine_names
from harness.model.trouble import Frame, Severity, Trouble

ONE = """\
volatile int sink;
void __attribute__((noinline)) leaf(int value)
{
	sink = value;
}
static inline __attribute__((always_inline)) void inner(int value)
{
	leaf(value); /* in inner */
	sink++;
}
static inline __attribute__((always_inline)) void middle(int value)
{
	inner(value + 1); /* in middle */
}
void outer(int value)
{
	middle(value); /* in outer */
	sink--;
}
static __attribute__((noinline)) int same(int value)
{
	leaf(value); /* the first same */
	return value + sink;
}
static __attribute__((noinline)) int twins(int value)
{
	leaf(value);
	return value;
}
int one(int value)
{
	return same(value) + twins(value);
}
void __attribute__((noreturn)) stop(void);
void ends(void)
{
	stop(); /* never returns */
}
void __attribute__((section(".init.text"))) starts(void)
{
	leaf(3); /* in starts */
	sink++;
}
"""
TWO = """\
extern volatile int sink;
void leaf(int value);
static __attribute__((noinline)) int same(int value)
{
	leaf(value); /* the second same */
	sink += 1, sink += 2, sink += 3, sink += 4, sink += 5, sink += 6, sink += 7, sink += 8;
	return value * sink;
}
static __attribute__((noinline)) int twins(int value)
{
	leaf(value);
	return value;
}
int two(int value) __asm__("two.constprop.0.isra.1.llvm.123");
int two(int value)
{
	return same(value) + twins(value); /* in two */
}
void __attribute__((noreturn)) stop(void)
{
	for (;;)
		sink++;
}
void _start(void)
{
	outer(one(1) + two(2));
	ends();
	starts();
}
"""
TWO = TWO.replace("void leaf", "int one(int value);\nvoid outer(int value);\nvoid ends(void);\nvoid starts(void);\nvoid leaf", 1)
# Aligned so far, functions of one body have one size.
_ALIGNED = "-falign-functions=64"
FLAGS = ("-g", "-gdwarf-4", "-O2", "-ffreestanding", "-fno-stack-protector", "-fno-pie", "-fno-optimize-sibling-calls", _ALIGNED)


class Built(msgspec.Struct, frozen=True):
    """What was compiled for one machine."""

    machine: Machine
    source: Path
    vmlinux: Path
    module: Path
    bare: Path
    """vmlinux without debug information"""

    def functions(self, file: Path) -> list[tuple[int, str]]:
        listed = shell.output((f"{self.machine.build.cross_compile}nm", "-n", file)).splitlines()
        found = [line.split() for line in listed]
        return [(int(words[0], 16), words[2]) for words in found if len(words) == 3 and not words[2].startswith("$")]

    def size(self, name: str, which: int = 0) -> int:
        """Return the bytes from a function of vmlinux to the next symbol, as the kernel reckons its size."""
        functions = self.functions(self.vmlinux)
        start = [at for at, called in functions if called == name][which]
        return next(at for at, _ in functions if at > start) - start

    def returns(self, file: Path, name: str, callee: str, which: int = 0) -> int:
        """Return the offset in function `name` at which its call of `callee` returns."""
        text = shell.output((f"{self.machine.build.cross_compile}objdump", "-dr", file))
        body = re.findall(rf"^([0-9a-f]+) <{name}>:\n((?:.+\n)+)", text + "\n", re.MULTILINE)[which]
        lines = [line for line in body[1].splitlines() if re.match(r"\s+[0-9a-f]+:\t", line) or "R_" in line]
        at = next(n for n, line in enumerate(lines) if re.search(rf"\b(<{callee}>|{callee}\b)", line))
        call = [found for line in lines[: at + 1] if (found := re.match(r"\s+([0-9a-f]+):\t([0-9a-f ]+)", line))][-1]
        return int(call[1], 16) + len(bytes.fromhex(call[2])) - int(body[0], 16)


@functools.cache
def compiled(folder: Path, name: str) -> Built:
    machine = load_machine(name)
    work = folder / name
    (work / "mm").mkdir(parents=True)
    (work / "mm/one.c").write_text(ONE)
    (work / "mm/two.c").write_text(TWO)
    compile_ = (machine.build.compiler, *FLAGS, f"-fdebug-prefix-map={work}=.")
    program = ("-nostdlib", "-static", "-Wl,-Ttext=0x400000", "-Wl,--build-id=none")
    shell.output((*compile_, *program, "-o", "vmlinux", "mm/one.c", "mm/two.c"), cwd=work)
    shell.output((*compile_, "-c", "-o", "stand-in.ko", "mm/one.c"), cwd=work)
    shell.output((f"{machine.build.cross_compile}objcopy", "--strip-debug", "vmlinux", "bare"), cwd=work)
    return Built(machine, work, work / "vmlinux", work / "stand-in.ko", work / "bare")


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("symbols")


@pytest.fixture(params=machine_names())
def built(folder: Path, request: pytest.FixtureRequest) -> Built:
    return compiled(folder, request.param)


def trouble(*frames: Frame, function: str = "", where: str = "") -> Trouble:
    return Trouble("bug", Severity.FATAL, "BUG", 1, 2, "", function, where, frames)


def resolved(built: Built, *frames: Frame) -> list[Frame]:
    sources = [debug_info.below(folder) for folder in (built.source, built.source / "mm")]
    (told,) = symbols.resolve([trouble(*frames)], built.vmlinux, [built.module], sources)
    return list(told.frames)


def line_of(text: str, source: str = ONE) -> int:
    return next(number for number, line in enumerate(source.splitlines(), 1) if text in line)


def test_inlined_functions_come_before_the_one_that_holds_them(built: Built) -> None:
    offset = built.returns(built.vmlinux, "outer", "leaf")
    frames = resolved(built, Frame("outer", offset, built.size("outer"), sure=False))
    assert [(f.function, f.inlined, f.file, f.line, f.sure) for f in frames] == [
        ("inner", True, "mm/one.c", line_of("in inner"), False),
        ("middle", True, "mm/one.c", line_of("in middle"), False),
        ("outer", False, "mm/one.c", line_of("in outer"), False),
    ]
    assert [f.source for f in frames] == [ONE.splitlines()[f.line - 1].strip() for f in frames]
    assert (frames[2].offset, frames[2].size) == (offset, built.size("outer"))


def test_what_a_call_that_never_returns_would_return_to_is_no_matter(built: Built) -> None:
    offset = built.returns(built.vmlinux, "ends", "stop")
    (frame,) = resolved(built, Frame("ends", offset, built.size("ends")))
    assert frame.source == "stop(); /* never returns */"


def test_the_instruction_itself_is_looked_up_where_it_is_known(built: Built) -> None:
    offset = built.returns(built.vmlinux, "same", "leaf")
    size = built.size("same")
    (call,) = resolved(built, Frame("same", offset, size))
    (after,) = resolved(built, Frame("same", offset, size, exact=True))
    assert call.source == "leaf(value); /* the first same */"
    assert after.line == line_of("return value + sink;")


def test_a_function_entered_is_not_the_one_before_it(built: Built) -> None:
    (frame,) = resolved(built, Frame("outer", 0, built.size("outer")))[-1:]
    assert line_of("void outer") <= frame.line <= line_of("in outer")


def test_functions_of_one_name_are_told_apart_by_size(built: Built) -> None:
    told = []
    for which in (0, 1):
        offset, size = built.returns(built.vmlinux, "same", "leaf", which), built.size("same", which)
        told += resolved(built, Frame("same", offset, size))
    assert built.size("same", 0) != built.size("same", 1)
    assert [frame.source for frame in told] == ["leaf(value); /* the first same */", "leaf(value); /* the second same */"]


def test_what_cannot_be_told_apart_is_left_alone(built: Built) -> None:
    assert built.size("twins", 0) == built.size("twins", 1)
    for frame in (Frame("twins", 4, built.size("twins")), Frame("same", 4)):
        assert resolved(built, frame) == [frame]


def test_names_of_clones_have_suffixes(built: Built) -> None:
    name = "two.constprop.0.isra.1.llvm.123"
    frame = Frame(name, built.returns(built.vmlinux, re.escape(name), "same"), built.size(name))
    (told,) = symbols.resolve([trouble(frame, function="two")], built.vmlinux)
    assert told.where == f"mm/two.c:{line_of('in two', TWO)}"
    assert told.frames[0].function == name


@pytest.mark.parametrize("name", ["outer", "starts"])
def test_modules_have_sections(built: Built, name: str) -> None:
    offset = built.returns(built.module, name, "leaf")
    frames = resolved(built, Frame(name, offset, 0, "stand_in"))
    assert frames[-1].source.endswith(f"/* in {name} */")
    assert {frame.module for frame in frames} == {"stand_in"}


def test_a_modules_last_function_may_have_more_room_in_the_kernel(built: Built) -> None:
    last = built.functions(built.module)
    offset = built.returns(built.module, "starts", "leaf")
    assert "starts" in {name for _, name in last}
    (frame,) = resolved(built, Frame("starts", offset, 0x1000, "stand_in"))
    assert frame.source == "leaf(3); /* in starts */"


@pytest.mark.parametrize(
    "frame",
    [
        Frame("nothing", 4, 16),
        Frame("outer", 4, 7777),
        Frame("outer", 2**80),
        Frame("outer", -1),
        Frame("outer", 4, 0, "another_module"),
        Frame("", 4, 16),
        Frame("sink", 1, 4),
        Frame("-e/etc/passwd", 4, 16),
        Frame("--help"),
        Frame("outer\n0x400000", 4),
        Frame("$(touch hacked)`touch hacked`;touch hacked", 4),
        Frame("\x00\udcff", 4),
        Frame("known", 4, 16, file="mm/known.c", line=7),
    ],
    ids=repr,
)
def test_odd_frames_stay_as_they_were(folder: Path, frame: Frame) -> None:
    built = compiled(folder, machine_names()[0])
    offset = built.returns(built.vmlinux, "outer", "leaf")
    first, *others = resolved(built, frame, Frame("outer", offset))
    assert (first, others[-1].function, others[-1].file) == (frame, "outer", "mm/one.c")


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(
        st.builds(
            Frame,
            st.sampled_from(["outer", "same", "twins", "stop", "_start"]) | st.text(),
            st.integers(-2, 80) | st.integers(),
            st.integers(0, 80) | st.integers(),
            st.sampled_from(["", "stand_in", "x"]),
            exact=st.booleans(),
        )
    )
)
def test_no_frame_raises_or_is_lost(folder: Path, frames: list[Frame]) -> None:
    built = compiled(folder, machine_names()[0])
    (told,) = symbols.resolve([trouble(*frames)], built.vmlinux, [built.module])
    kept = [frame for frame in told.frames if not frame.inlined]
    assert [(f.function, f.offset, f.size, f.module) for f in kept] == [(f.function, f.offset, f.size, f.module) for f in frames]


@pytest.mark.parametrize(
    ("function", "where", "expected"),
    [
        ("outer", "", "mm/one.c:{}"),
        ("outer", "mm/other.c:5", "mm/other.c:5"),
        ("inner", "", "mm/one.c:{inner}"),
        ("nothing", "", ""),
        ("", "", ""),
    ],
)
def test_where_is_the_functions_own_line_unless_the_log_told_it(folder: Path, function: str, where: str, expected: str) -> None:
    built = compiled(folder, machine_names()[0])
    frame = Frame("outer", built.returns(built.vmlinux, "outer", "leaf"))
    (told,) = symbols.resolve([trouble(Frame("nothing"), frame, function=function, where=where)], built.vmlinux)
    assert told.where == expected.format(line_of("in outer"), inner=line_of("in inner"))


def test_without_debug_information_all_stays_as_it_was(built: Built) -> None:
    given_ = [trouble(Frame("outer", 8, built.size("outer")), function="outer"), trouble()]
    assert symbols.resolve(given_, built.bare) == given_


def test_no_source_outside_of_the_tree_is_read(folder: Path) -> None:
    built = compiled(folder, machine_names()[0])
    frame = Frame("outer", built.returns(built.vmlinux, "outer", "leaf"))
    elsewhere = built.source / "elsewhere"
    (elsewhere / "mm").mkdir(parents=True, exist_ok=True)
    (elsewhere / "mm/one.c").unlink(missing_ok=True)
    (elsewhere / "mm/one.c").symlink_to(built.source / "mm/one.c")
    (told,) = symbols.resolve([trouble(frame)], built.vmlinux, sources=[debug_info.below(elsewhere)])
    assert [(f.line > 0, f.source) for f in told.frames] == [(True, "")] * 3


def test_a_missing_file_is_said_so(tmp_path: Path, folder: Path) -> None:
    built = compiled(folder, machine_names()[0])
    with pytest.raises(UsageError, match=r"nothing .*No such file"):
        symbols.resolve([], tmp_path / "nothing")
    with pytest.raises(UsageError, match="Is a directory"):
        symbols.resolve([], built.vmlinux, [tmp_path])


def test_what_is_no_whole_elf_file_is_said_so(tmp_path: Path, folder: Path) -> None:
    built = compiled(folder, machine_names()[0])
    whole = built.vmlinux.read_bytes()
    frame = Frame("outer", 8)
    for number, cut in enumerate([0, 3, 20, 64, len(whole) // 3, len(whole) // 2, len(whole) - 900, len(whole) - 10]):
        file = tmp_path / f"cut-{number}"
        file.write_bytes(whole[:cut])
        with pytest.raises(UsageError, match=r"is not a whole ELF file; name a kernel"):
            symbols.resolve([trouble(frame)], file)


def test_a_file_of_another_kind_of_machine_is_said_so(tmp_path: Path, folder: Path) -> None:
    built = compiled(folder, machine_names()[0])
    changed = bytearray(built.vmlinux.read_bytes())
    changed[18:20] = (2).to_bytes(2, "little")  # SPARC
    (tmp_path / "vmlinux").write_bytes(changed)
    with pytest.raises(UsageError, match="is for a machine"):
        symbols.resolve([], tmp_path / "vmlinux")


def test_a_file_made_anew_is_read_anew(tmp_path: Path, folder: Path) -> None:
    one, two = (compiled(folder, name) for name in machine_names()[:2])
    file = tmp_path / "vmlinux"
    for built in (one, two):
        file.write_bytes(built.vmlinux.read_bytes())
        frame = Frame("ends", built.returns(built.vmlinux, "ends", "stop"), built.size("ends"))
        (told,) = symbols.resolve([trouble(frame)], file)
        assert told.frames[0].line == line_of("never returns")
