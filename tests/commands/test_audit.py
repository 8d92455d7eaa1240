# SPDX-License-Identifier: GPL-2.0-only
"""Audits of kernels that nobody built: what is built again, compared, kept, said and removed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest
from filelock import FileLock, Timeout
from rich.console import Console

from harness import paths
from harness.build import kbuild, toolchain
from harness.build.built import BuiltCell
from harness.build.kernel import Kernel, Metadata
from harness.build.rootfs import Rootfs
from harness.commands import audit
from harness.errors import BuildError, RigError, UsageError
from harness.model import audit as audits
from harness.model import matrix, records
from harness.model.audit import Audit, Compared, Difference
from harness.model.matrix import Base, Cell, Machine, Variant
from harness.model.run_folder import Run
from harness.model.selection import Selection
from harness.model.toolchains import Toolchain
from harness.report import audit as report
from harness.runs import lifecycle, trust
from harness.suite.plan import Plan
from tests.support import make

FILES = ("image", "vmlinux", "System.map", "config", "vmalloc_test.ko", "debug/vmalloc_test.ko", "initramfs.cpio")
METADATA = Metadata("4.18.0", "c" * 40, (), "gcc 12", "ld 2.40", "make", 1.0, 1)


class FakeRig:
    """Builds kernels out of text, in the folders in which the real ones would be."""

    def __init__(self, base: Base) -> None:
        self.base = base
        self.asked: list[tuple[Selection, Variant]] = []
        self.again: dict[str, bytes | None] = {}
        """what files are when they are built again, if not the same; None is a file that is missing"""
        self.metadata = METADATA
        self.packages = {"busybox_1.deb": "0" * 64}
        self.broken: Exception | None = None
        self.no_packages: Exception | None = None
        self.parts = audit.Parts(self.build, self.rootfs)

    def plan(self, *variants: str) -> Plan:
        """Return a plan of built cells."""
        machine = matrix.load_machine("x86_64")
        cells = [Cell(machine, Variant(name), "perf") for name in variants or ("stock",)]
        return make.plan(self.base, cells=tuple(self._built(cell, {}, METADATA) for cell in cells))

    def build(self, wanted: Selection, variants: tuple[Variant, ...]) -> Plan:
        (variant,) = variants
        self.asked.append((wanted, variant))
        assert not _scratch().exists(), "it begins with nothing"
        if self.broken:
            kbuild.tree_of(self.base, variant).mkdir(parents=True)
            raise self.broken
        cell = Cell(matrix.load_machine(wanted.machine), variant, wanted.profile)
        return make.plan(self.base, cells=(self._built(cell, self.again, self.metadata),))

    def rootfs(self, machine: Machine, folder: Path) -> Rootfs:
        if self.no_packages:
            raise self.no_packages
        _write(folder, "initramfs.cpio", self.again)
        return Rootfs(folder / "initramfs.cpio", "0" * 64, make.INITRAMFS, self.packages)

    def _built(self, cell: Cell, changed: dict[str, bytes | None], metadata: Metadata) -> BuiltCell:
        cache = paths.cache() / cell.variant.apart
        kernel, module, initramfs = cache / "kernels" / "1", cache / "modules" / "2", cache / "rootfs" / "3"
        for name in FILES[:4]:
            _write(kernel, name, changed)
        for name in FILES[4:6]:
            _write(module, name, changed)
        _write(initramfs, FILES[6], {})
        (kernel / "build.json").write_bytes(msgspec.json.encode(metadata))
        made = Kernel(
            kernel,
            kernel / "image",
            kernel / "config",
            module / "vmalloc_test.ko",
            "1" * 16,
            "4.18.0",
            make.BUILD_ID,
            make.MODULE_BUILD_ID,
        )
        return BuiltCell(cell, made, Rootfs(initramfs / FILES[6], "0" * 64, make.INITRAMFS, {"busybox_1.deb": "0" * 64}), "tcg")


def _write(folder: Path, name: str, changed: dict[str, bytes | None]) -> None:
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    content = changed.get(name, b"what it is\n")
    if content is not None:
        (folder / name).write_bytes(content)


def _scratch() -> Path:
    return paths.cache() / "audit"


@pytest.fixture
def rig(base: Base, results: Path) -> FakeRig:
    assert not results.exists()
    return FakeRig(base)


def one(rig: FakeRig) -> Audit:
    """Return the audit of a plan with one cell."""
    (found,) = audit.run(rig.plan(), Selection(), rig.parts)
    return found


def test_what_is_the_same_is_said_and_kept(rig: FakeRig) -> None:
    found = one(rig)
    assert [(c.file, c.words) for c in found.compared] == [(name, "same") for name in FILES]
    assert (found.cell, found.key, found.module, found.short) == ("x86_64/stock/perf", "1" * 16, "2", "same")
    assert found.sentences == ("Audit of x86_64/stock/perf: same.",)
    assert trust.last_audits() == {"x86_64/stock/perf": found}
    assert not _scratch().exists()
    assert [file.name for file in paths.RESULTS.iterdir()] == ["audit.json"]


def test_an_audit_of_one_toolchain_leaves_that_of_the_other(rig: FakeRig) -> None:
    plain = one(rig)
    planned = rig.plan()
    (built,) = planned.cells
    cell = msgspec.structs.replace(built.cell, toolchain=Toolchain.LLVM)
    other = msgspec.structs.replace(planned, cells=(msgspec.structs.replace(built, cell=cell),))
    (found,) = audit.run(other, Selection(toolchain="llvm"), rig.parts)
    assert rig.asked[-1][0].toolchain == "llvm"
    assert found.sentences == ("Audit of x86_64/stock/perf by llvm: same.",)
    assert trust.last_audits() == {"x86_64/stock/perf": plain, "x86_64/stock/perf by llvm": found}
    assert trust.audited(other).keys() == {"x86_64/stock/perf"}


def test_a_cell_is_built_from_scratch_apart_from_all_others(rig: FakeRig) -> None:
    (_,) = audit.run(rig.plan("free-list@2"), Selection(jobs=1, variant="free-list@2", machine="x86_64,aarch64"), rig.parts)
    ((wanted, variant),) = rig.asked
    assert (wanted.machine, wanted.profile, wanted.jobs) == ("x86_64", "perf", 1)
    assert variant == Variant("free-list@2", apart="audit/x86_64-free-list@2-perf", scratch=True)


@pytest.mark.parametrize("file", FILES)
def test_any_file_that_differs_is_named_kept_and_told_what_to_do_about(rig: FakeRig, file: str) -> None:
    rig.again = {file: b"what it was\n"}
    found = one(rig)
    assert [c.file for c in found.differing] == [file]
    (differs,) = found.differing
    kept = paths.RESULTS / "audit/x86_64-stock-perf" / file
    assert differs.kept == str(kept)
    assert kept.read_bytes() == b"what it was\n"
    assert Path(differs.cached).read_bytes() == b"what it is\n"
    folder = {"vmalloc_test.ko": "modules/2", "initramfs.cpio": "rootfs/3"}.get(Path(file).name, "kernels/1")
    assert differs.remove[0] == str(paths.cache() / folder)
    assert found.sentences[0] == f"AUDIT of x86_64/stock/perf: differs in {file}."
    assert f"{file}: {differs.words}" in found.sentences[1]
    assert found.sentences[-1].startswith(f"Do not trust what was tested with {paths.cache() / folder}: remove {differs.remove[0]}")
    assert f"diffoscope (or cmp -l) {differs.cached} {kept}" in found.sentences[2]
    assert not _scratch().exists()


def test_what_a_wrong_kernel_would_come_back_from_is_named_too(rig: FakeRig, base: Base) -> None:
    rig.again = {"vmlinux": b"other"}
    build = kbuild.tree_of(base, Variant("stock")) / "build-x86_64-perf"
    assert one(rig).differing[0].remove == (str(paths.cache() / "kernels/1"), str(build), str(toolchain.objects()))


def test_an_image_that_was_not_made_from_its_vmlinux_is_said_to_be_stale(rig: FakeRig) -> None:
    stale = "vmlinux is the same: the cached image was not made from it"
    rig.again = {"image": b"what it was\n"}
    assert stale in one(rig).sentences[1]
    rig.again = {"image": b"what it was\n", "vmlinux": b"what it was\n"}
    assert stale not in " ".join(one(rig).sentences)


def test_a_file_that_was_not_built_again_differs(rig: FakeRig) -> None:
    rig.again = {"image": None}
    (differs,) = one(rig).differing
    assert (differs.words, differs.kept) == ("the file: there in the cache, no such file built again", "")


def test_what_an_earlier_audit_kept_goes(rig: FakeRig) -> None:
    rig.again = {"image": b"what it was\n"}
    one(rig)
    rig.again = {}
    assert one(rig).short == "same"
    assert not (paths.RESULTS / "audit/x86_64-stock-perf").exists()
    assert trust.last_audits()["x86_64/stock/perf"].short == "same"


def test_an_initramfs_of_other_packages_is_not_compared(rig: FakeRig) -> None:
    rig.packages = {"busybox_2.deb": "1" * 64}
    rig.again = {"initramfs.cpio": b"of other packages"}
    found = one(rig)
    assert not found.differing
    assert found.short == "same; initramfs.cpio not compared"
    assert found.sentences[1] == "initramfs.cpio: not compared: Debian has other packages by now: busybox_2.deb."


def test_without_a_network_the_rest_is_compared(rig: FakeRig) -> None:
    rig.no_packages = RigError("Debian's packages cannot be had: no network.")
    assert one(rig).compared[-1].words == "not compared: Debian's packages cannot be had: no network"
    rig.no_packages = BuildError("Debian's packages hold no busybox.")
    with pytest.raises(BuildError, match="hold no busybox"):
        one(rig)


@pytest.mark.parametrize("field", ["tree", "compiler", "linker"])
def test_what_was_made_of_something_else_is_not_held_against_the_cache(rig: FakeRig, field: str) -> None:
    rig.metadata = msgspec.structs.replace(METADATA, **{field: "another"})
    with pytest.raises(RigError, match=r"x86_64/stock/perf: .*compiler"):
        one(rig)
    assert not trust.last_audits()


@pytest.mark.parametrize("error", [BuildError("it does not build"), KeyboardInterrupt()])
def test_nothing_is_left_where_it_ends_early(rig: FakeRig, error: Any) -> None:
    rig.broken = error
    with pytest.raises(type(error)):
        one(rig)
    assert not _scratch().exists()
    assert not trust.audit_file().exists()


def test_cells_are_audited_one_after_the_other(rig: FakeRig) -> None:
    made = rig.plan("stock", "free-list")
    found = audit.run(made, Selection(), rig.parts)
    assert next(found).cell == "x86_64/stock/perf"
    assert len(rig.asked) == 1
    assert list(trust.last_audits()) == ["x86_64/stock/perf"]
    assert next(found).cell == "x86_64/free-list/perf"
    assert list(trust.last_audits()) == ["x86_64/stock/perf", "x86_64/free-list/perf"]


def told(cell: str, date: str, **other: Any) -> Audit:
    """Return what an audit of that date found, of one file."""
    fields: dict[str, Any] = {
        "key": "1" * 16,
        "module": "m",
        "host": "here",
        "seconds": 1.0,
        "compared": (Compared("image", "/c"),),
    }
    return Audit(cell=cell, date=date, **{**fields, **other})


@pytest.mark.parametrize(
    ("dates", "next_"),
    [
        ({}, "a"),
        ({"a": "2026-01-01"}, "b"),
        ({"a": "2026-01-01", "c": "2026-01-02"}, "b"),
        ({"a": "2026-01-03", "b": "2026-01-01", "c": "2026-01-02"}, "b"),
        ({"a": "2026-01-03", "b": "2026-01-04", "c": "2026-01-02", "other": "2025-01-01"}, "c"),
    ],
)
def test_the_cell_with_the_oldest_audit_or_none_is_next(dates: dict[str, str], next_: str) -> None:
    assert audits.turn(("a", "b", "c"), {cell: told(cell, date) for cell, date in dates.items()}) == next_


def test_each_call_in_turn_takes_the_next_cell(rig: FakeRig, monkeypatch: pytest.MonkeyPatch) -> None:
    dates = iter(f"2026-01-0{day}T00:00:00+00:00" for day in range(1, 6))
    monkeypatch.setattr(records, "now", lambda: next(dates))
    made = rig.plan("stock", "fixes", "free-list")
    turns = [audit.in_turn(made, Selection(), rig.parts).cell.split("/")[1] for _ in range(5)]
    assert turns == ["stock", "fixes", "free-list", "stock", "fixes"]


def test_a_damaged_record_is_as_good_as_none(rig: FakeRig) -> None:
    paths.RESULTS.mkdir()
    trust.audit_file().write_text('{"x86_64/stock/perf": 1')
    assert trust.last_audits() == {}
    one(rig)
    assert len(trust.last_audits()) == 1


def test_a_run_tells_of_the_audit_of_its_very_kernels() -> None:
    found = told("a", "2026-01-01")
    assert audits.verdict(found, "1" * 16, "m") == "2026-01-01: same"
    assert audits.verdict(found, "1" * 16, "n") == "2026-01-01: same; with another module"
    assert audits.verdict(found, "2" * 16, "m") == ""
    assert audits.verdict(None, "1" * 16, "m") == ""
    bad = told("a", "2026-01-01", compared=(Compared("image", "/c", Difference(1, "byte 0x1", "00", "01")),))
    assert audits.verdict(bad, "1" * 16, "m") == "2026-01-01: differs in image"


def test_it_is_in_the_provenance_of_a_run_that_begins(rig: FakeRig, monkeypatch: pytest.MonkeyPatch) -> None:
    found = one(rig)
    made = rig.plan("stock", "free-list")
    for built in made.cells:
        (built.rootfs.image.with_name("rootfs.json")).write_text("{}")
    monkeypatch.setattr(lifecycle, "_tools", lambda _: {})
    run = Run(paths.RESULTS / "20260102-030405-abcd")
    lifecycle.begin(run, made, "invoke test")
    assert run.provenance().audited == {"x86_64/stock/perf": f"{found.date}: same"}


def test_the_table_has_a_line_for_each_file(rig: FakeRig) -> None:
    rig.again = {"config": b"CONFIG_X=m\n"}
    console = Console(width=200, record=True)
    console.print(report.tables(one(rig)))
    shown = console.export_text()
    assert "x86_64/stock/perf: kernel 1111111111111111, built again without any cache in 0 s" in shown
    assert "config                  line 1: 'what it is' in the cache, 'CONFIG_X=m' built again" in shown
    assert shown.count(" same") == len(FILES) - 1
    assert "AUDIT of x86_64/stock/perf: differs in config." in shown


@pytest.mark.parametrize(
    "option",
    [
        {"tests": "stress"},
        {"scale": "quick"},
        {"boots": 2},
        {"clock": "wall"},
        {"loops": 0.5},
        {"keep": True},
        {"on_failure": "core"},
    ],
)
def test_an_option_that_has_no_meaning_is_refused(option: dict[str, Any]) -> None:
    name = next(iter(option)).replace("_", "-")
    with pytest.raises(UsageError, match=f"^--{name} has no meaning in an audit"):
        audit.check(Selection(**option))


def test_options_that_choose_cells_are_taken() -> None:
    audit.check(Selection(machine="x86_64", variant="stock", profile="perf", jobs=1, source="/s", series="/p", kernel="4.18"))


def test_a_second_audit_waits_for_the_first(rig: FakeRig) -> None:
    lock = FileLock(paths.cache() / ".audit.lock", timeout=0)

    def build(wanted: Selection, variants: tuple[Variant, ...]) -> Plan:
        with pytest.raises(Timeout):
            lock.acquire()
        return rig.build(wanted, variants)

    rig.parts = audit.Parts(build, rig.rootfs)
    assert one(rig).short == "same"
    with lock:
        pass
