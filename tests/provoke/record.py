# SPDX-License-Identifier: GPL-2.0-only
"""Provokes what the table lists, each in a VM of its own, and keeps what the kernel said.

    python -m tests.provoke.record BASE MACHINE[,MACHINE] [NAME[,NAME]...]

It needs the base's stock kernels of the profiles `perf` and `debug`, and builds them if they are not there.
"""

from __future__ import annotations

import contextlib
import re
import sys
import time
from pathlib import Path

import msgspec

from harness.build.built import BuiltCell
from harness.commands import pipeline
from harness.errors import VmLost
from harness.host import files
from harness.host.deadline import POLL, Deadline
from harness.model.clock import Clock
from harness.model.matrix import STOCK, Variant
from harness.model.selection import Selection
from harness.suite import vm_pool
from harness.suite.plan import Plan
from harness.vm import launch, qmp, sockets
from harness.vm.ssh import Guest
from harness.vm.vms import Vm
from tests import provoke
from tests.provoke import table
from tests.provoke.table import Provocation

DATA = Path(__file__).resolve().parent.parent / "data" / "provoked"
_BOOT = 240.0
"""seconds of host time that a kernel with all its checks may take to boot"""
_PATIENCE = 150.0
"""seconds of host time that a provocation may take"""
_QUIET = 2.0
"""seconds without a word after which the report is taken to be over"""
_BEGIN = "kernel-patch-rig: provoked"
_CHATTER = 3
"""lines kept from before the provocation"""
_LONGEST = 220
"""lines kept of a log: head and tail of what is longer"""
_REFUSED = re.compile(r"provoke: (?:Unknown symbol|.*: error -95$|what=).*", re.M)
"""what the module or its loader says when it cannot provoke; -95 is EOPNOTSUPP"""
_WIDEST = 300
"""characters kept of a line"""
_SAID = re.compile(r"\n(?:\[[ .\d]+\] )?+(?!provoke: |lkdtm: |$)")
"""begins a line that is not of those that announce what comes"""
_BUILD_PATH = re.compile(r"(?<![^ ])/\S+/(?=\w+\.c:\d+)")
"""where the module was built: UBSAN tells, whatever the compiler is told to call it"""
_PREPARE = "mount -t debugfs debugfs /sys/kernel/debug 2> /dev/null\n"


def record(made: Plan, provocation: Provocation, machine: str) -> str:
    """Provoke and return the console's text from a little before on."""
    built = next(b for b in made.cells if b.cell.machine.name == machine and b.cell.profile == provocation.profile)
    booted = _boot(built, provocation)
    try:
        return _provoke(made, built, booted, provocation)
    finally:
        booted.stop()


def _boot(built: BuiltCell, provocation: Provocation) -> Vm:
    boot = vm_pool.booting(built, Clock.WALL, pauses=False)
    qemu = built.cell.machine.qemu
    changed = msgspec.structs.replace(qemu, cmdline=f"{qemu.cmdline} {provocation.cmdline}".strip())
    boot = msgspec.structs.replace(boot, machine=msgspec.structs.replace(boot.machine, qemu=changed))
    return launch.start(boot, f"{built.cell.name} for {provocation.name}", keep=False, seconds=_BOOT)


def _provoke(made: Plan, built: BuiltCell, booted: Vm, provocation: Provocation) -> str:
    guest = Guest(booted.state.port, booted.pace)
    if provocation.lkdtm or provocation.monitor:
        act = f"echo {provocation.lkdtm} > /sys/kernel/debug/provoke-crash/DIRECT\n" if provocation.lkdtm else ""
    else:
        guest.put(provoke.build(made.base, built.cell, built.kernel).read_bytes(), "/provoke.ko")
        named = {"what": provocation.name, **dict(word.split("=", 1) for word in provocation.parameters)}
        act = f"insmod /provoke.ko {' '.join(f'{name}={value}' for name, value in named.items())}\n"
    script = f"{_PREPARE}{provocation.before}echo '{_BEGIN}' > /dev/kmsg\n{act}{provocation.after}"
    command = guest.start("sh", "-c", script)
    # LKDTM comes at once to what never ends.
    deadline = Deadline(provocation.wait if provocation.lkdtm else _PATIENCE)
    while booted.alive and not command.done and not deadline.over:
        time.sleep(POLL)
    if provocation.monitor:
        with contextlib.suppress(VmLost):  # QEMU may end of it before it answers
            qmp.execute(booted.sockets / sockets.QMP, "human-monitor-command", {"command-line": provocation.monitor})
    log = _follow(booted, provocation.wait)
    with contextlib.suppress(VmLost, OSError):
        guest.close()
    if refused := _REFUSED.search(log):
        raise VmLost(f"it was not provoked: {refused[0]}")
    if provocation.kind and not answered(log):
        raise VmLost("the kernel had nothing to say of it")
    return trim(log)


def _follow(booted: Vm, seconds: float) -> str:
    """Return all that the console has to say, once it has said nothing for a while."""
    least, quiet = Deadline(seconds), Deadline(_QUIET)
    log = ""
    patience = Deadline(_PATIENCE)
    while booted.alive and not (least.over and quiet.over) and not patience.over:
        said = booted.console.read()
        if said:
            log, quiet = log + said, Deadline(_QUIET)
        time.sleep(POLL)
    return log + booted.console.rest()


def answered(log: str) -> bool:
    """Return whether the kernel said anything after the provocation was announced."""
    return bool(_SAID.search(log.partition(_BEGIN)[2]))


def trim(log: str) -> str:
    """Return a log from a little before the provocation on, without the middle where it is long."""
    lines = log.rstrip("\n").split("\n")
    start = next((n for n, line in enumerate(lines) if _BEGIN in line), 0)
    kept = lines[max(0, start - _CHATTER) :]
    if len(kept) > _LONGEST:
        kept = kept[: _LONGEST * 3 // 4] + kept[-_LONGEST // 4 :]
    kept = [_BUILD_PATH.sub("provoke/", line) for line in kept]
    return "\n".join(re.sub(r"[^\x09\x1b\x20-\x7e]", "?", line[:_WIDEST]) for line in kept) + "\n"


def main(words: list[str]) -> int:
    """Record what is asked for; return how many things could not be recorded."""
    if len(words) < 2:
        raise SystemExit("usage: python -m tests.provoke.record BASE MACHINE[,MACHINE] [NAME[,NAME]...]")
    base, machines, names = words[0], words[1].split(","), words[2].split(",") if len(words) > 2 else []
    wanted = {machine: [p for p in table.all_on(base, machine) if not names or p.name in names] for machine in machines}
    if unknown := sorted(set(names) - {p.name for each in wanted.values() for p in each}):
        raise SystemExit(f"There is nothing called {', '.join(unknown)} in tests/provoke/table.py for {base}.")
    profiles = ",".join(sorted({p.profile for each in wanted.values() for p in each}))
    # Variants that are handed over leave what the user chose to build last as it is.
    made = pipeline.build(Selection(kernel=base, machine=",".join(machines), profile=profiles, scale="quick"), (Variant(STOCK),))
    failed = 0
    for machine, provocations in wanted.items():
        for provocation in provocations:
            for suffix in ("", ".again") if provocation.again else ("",):
                failed += not _keep(made, provocation, machine, suffix)
    return failed


def _keep(made: Plan, provocation: Provocation, machine: str, suffix: str) -> bool:
    began = time.monotonic()
    try:
        log = record(made, provocation, machine)
    except VmLost as lost:
        sys.stderr.write(f"{machine} {provocation.name}: {lost}\n")
        return False
    files.write(DATA / made.base.name / machine / f"{provocation.name}{suffix}.log", log)
    sys.stderr.write(f"{machine} {provocation.name}{suffix}: {len(log)} bytes in {time.monotonic() - began:.0f} s\n")
    return True


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
