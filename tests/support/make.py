# SPDX-License-Identifier: GPL-2.0-only
"""Records and values for tests, of which a test says only what matters to it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
import pytest

from harness.build.built import BuiltCell
from harness.build.kernel import Kernel
from harness.build.rootfs import Rootfs
from harness.model import catalog
from harness.model.clock import Clock
from harness.model.matrix import Base, Cell, Machine, Variant, load_machine
from harness.model.records import Booted, Finding, Provenance, Result, Sample, Scaled, Within
from harness.model.run_folder import Run
from harness.model.selection import Settings
from harness.model.trouble import Frame, Severity, Trouble
from harness.suite.plan import Plan
from harness.vm.qemu_args import Boot

BUILD_ID, MODULE_BUILD_ID, INITRAMFS = "a1" * 20, "b2" * 20, "c3" * 32
"""of the kernel, module and initramfs that `plan` has"""
FAKE = """\
#!/bin/sh
case "$*" in *-version*) echo "QEMU emulator of a test"; exit ;; esac
pids={pids}
echo $$ >> "$pids"
for word; do
    case $word in
        socket,id=console,*) log=${{word##*logfile=}} ;;
        unix:*) qmp=${{word#unix:}} qmp=${{qmp%%,*}} ;;
    esac
done
{body}
"""


def sample(value: float = 1000.0, **other: Any) -> Sample:
    """Return a sample of le_fit_alloc_test on stock x86_64 under icount."""
    fields: dict[str, Any] = {
        "machine": "x86_64",
        "variant": "stock",
        "profile": "perf",
        "clock": Clock.ICOUNT,
        "test": "le_fit_alloc_test",
        "boot": 0,
        "repeat": 0,
        "thread": 0,
        "unit": "instructions/op",
        "operations": 1000,
    }
    return Sample(value=value, **{**fields, **other})


def trouble(**other: Any) -> Trouble:
    """Return the BUG in stock 4.18, as the kernel's log has it."""
    fields: dict[str, Any] = {
        "kind": "bug",
        "severity": Severity.FATAL,
        "title": "kernel BUG at mm/vmalloc.c:512!",
        "first": 417,
        "last": 450,
        "text": "[    3.1] kernel BUG at mm/vmalloc.c:512!",
        "function": "alloc_vmap_area",
        "where": "mm/vmalloc.c:512",
        "frames": (Frame("alloc_vmap_area", 0x4A0, 0x5C0, exact=True), Frame("run", 0x10, 0x80, "vmalloc_test")),
    }
    return Trouble(**{**fields, **other})


def finding(
    *, expected: str = "", evidence: str = "", left: str = "", test: str = "align_shift_alloc_test", **other: Any
) -> Finding:
    """Return the finding of the BUG in stock 4.18, not expected; `other` is what differs in its place or its trouble."""
    place = {"machine": "x86_64", "variant": "stock", "profile": "perf"}
    return Finding(
        **{name: other.pop(name, usual) for name, usual in place.items()},
        clock=Clock.WALL,
        test=test,
        boot=0,
        trouble=trouble(**other),
        expected=expected,
        log="x86_64-stock-perf-wall-0.serial.log",
        evidence=evidence,
        left=left,
    )


def booted(**other: Any) -> Booted:
    """Return the proof of the first boot of stock x86_64 under icount, whose kernel is that of `plan`."""
    fields: dict[str, Any] = {
        "machine": "x86_64",
        "variant": "stock",
        "profile": "perf",
        "clock": Clock.ICOUNT,
        "boot": 0,
        "build_id": BUILD_ID,
        "vmlinux_build_id": BUILD_ID,
        "module_build_id": MODULE_BUILD_ID,
        "initramfs": INITRAMFS,
        "release": "4.18.0",
        "command_line": "console=ttyS0",
        "qemu": "7.2.0",
    }
    return Booted(**{**fields, **other})


def result(outcome: str = "passed", **other: Any) -> Result:
    """Return how le_fit_alloc_test went on stock x86_64."""
    fields: dict[str, Any] = {
        "machine": "x86_64",
        "variant": "stock",
        "profile": "perf",
        "clock": Clock.ICOUNT,
        "test": "le_fit_alloc_test",
        "boot": 0,
        "round": 0,
        "seconds": 1.25,
    }
    return Result(outcome=outcome, **{**fields, **other})


def leak(**other: Any) -> Finding:
    """Return the leak that pcpu_alloc_test shows in stock, which is a known bug."""
    fields: dict[str, Any] = {"profile": "debug", "test": "pcpu_alloc_test", "expected": "md_blocks are left"}
    return finding(**{"kind": "memory-leak", **fields, **other})


def known_results() -> tuple[Result, ...]:
    """Return how pcpu_alloc_test went where stock has that leak and ``mine`` has not."""
    of: dict[str, Any] = {"profile": "debug", "clock": Clock.WALL, "test": "pcpu_alloc_test"}
    return (result("xfailed", **of), result("passed", variant="mine", **of))


def within(outcome: str = "passed", **other: Any) -> Within:
    """Return how a test within a foreign module went on stock x86_64."""
    fields: dict[str, Any] = {
        "machine": "x86_64",
        "variant": "stock",
        "profile": "perf",
        "clock": Clock.ICOUNT,
        "test": "mine/a",
        "boot": 0,
        "round": 0,
    }
    return Within(outcome=outcome, **{**fields, **other})


def scaled(**other: Any) -> Scaled:
    """Return what first_fit_test did on stock arm32, whose vmalloc range is small."""
    fields: dict[str, Any] = {
        "machine": "arm32",
        "variant": "stock",
        "profile": "perf",
        "clock": Clock.WALL,
        "test": "first_fit_test",
        "boot": 0,
        "mebibytes": 240,
        "asked": "4096 KiB",
        "done": "aligned holes of 32 KiB",
    }
    return Scaled(**{**fields, **other})


def provenance(**other: Any) -> Provenance:
    """Return what a run of stock and a series of two patches has in its run.json."""
    fields: dict[str, Any] = {
        "run": "20260102-030405-abcd",
        "started": "2026-01-02T03:04:05+00:00",
        "command": "invoke build boot test",
        "kernel": "4.18",
        "version": "4.18.0",
        "source": "/somewhere/linux-4.18",
        "source_tree": "c" * 40,
        "stock_only": False,
        "scale": "quick",
        "loops": 1.0,
        "threshold": 5.0,
        "margins": {Clock.ICOUNT: 1.0, Clock.WALL: 5.0},
        "planned": 0,
        "host": "Linux x86_64, 4 CPUs",
        "tools": {"gcc": "gcc 12.2"},
        "machines": {"x86_64": "a laptop"},
        "cells": {"x86_64/stock/perf": "1" * 16, "x86_64/mine/perf": "2" * 16},
        "patches": {"stock": (), "mine": ("0001-a.patch", "0002-b.patch")},
        "finished": "2026-01-02T03:05:05+00:00",
        "proven": True,
    }
    return Provenance(**{**fields, **other})


def stored(results: Path, name: str = "20260102-030405-abcd", samples: Sequence[Sample] = (), **other: Any) -> Run:
    """Return a run that lies in `results`, with these samples and one result; it was started when its name says."""
    day, clock, _ = name.split("-")
    started = f"{day[:4]}-{day[4:6]}-{day[6:]}T{clock[:2]}:{clock[2:4]}:{clock[4:]}+00:00"
    run = Run(results / name)
    told = provenance(**{"run": name, "started": started, "planned": 1, **other})
    (run.folder / "run.json").write_bytes(msgspec.json.encode(told))
    run.add(samples)
    run.add([result()])
    return run


def boot(name: str = "x86_64", clock: Clock = Clock.ICOUNT, **other: Any) -> Boot:
    """Return what decides a QEMU command line, for a machine of the project."""
    fields: dict[str, Any] = {
        "machine": load_machine(name),
        "kernel": Path("/kernels/image"),
        "initramfs": Path("/rootfs/initramfs.cpio"),
        "accelerator": "tcg",
        "port": 2222,
        "address": "10.0.2.15",
    }
    return Boot(clock=clock, **{**fields, **other})


def machine_with(binary: str) -> Machine:
    """Return a machine whose QEMU is the program `binary`."""
    known = load_machine("x86_64")
    return msgspec.structs.replace(known, qemu=msgspec.structs.replace(known.qemu, binary=binary))


def plan(base: Base, machine: Machine | None = None, **other: Any) -> Plan:
    """Return a plan to run le_fit_alloc_test on stock, with a kernel that nobody built."""
    kernel = Kernel(
        Path("/k"), Path("/k/image"), Path("/k/config"), Path("/k/module.ko"), "1" * 16, "4.18.0", BUILD_ID, MODULE_BUILD_ID
    )
    cell = Cell(machine or load_machine("x86_64"), Variant("stock"), "perf")
    fields: dict[str, Any] = {
        "cells": (BuiltCell(cell, kernel, Rootfs(Path("/r"), "0" * 64, INITRAMFS, {}), "tcg"),),
        "tests": ("le_fit_alloc_test",),
        "version": "4.18.0",
        "origin": "/linux",
        "tree": "c" * 40,
        "stock_only": False,
    }
    own = {name: other.pop(name) for name in Settings.__struct_fields__ if name in other}
    settings = Settings(**{"scale": "quick", "boots": 1, **own})
    return Plan(base=base, settings=settings, **{**fields, **other})


def suite_with(monkeypatch: pytest.MonkeyPatch, **tests: dict[str, Any]) -> None:
    """Let test_module/suite.toml be one that says more of some stress tests."""
    said = catalog.suite()
    changed = [msgspec.structs.replace(t, **tests.get(t.name, {})) for t in said.tests]
    monkeypatch.setattr(catalog, "suite", lambda: msgspec.structs.replace(said, tests=tuple(changed)))


def fake_qemu(folder: Path, body: str) -> Machine:
    """Return a machine whose QEMU is a shell script that finds $log, $qmp and $pids set, and does `body`."""
    script = folder / "qemu"
    script.write_text(FAKE.format(pids=folder / "pids", body=body))
    script.chmod(0o755)
    return machine_with(str(script))
