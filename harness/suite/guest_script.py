# SPDX-License-Identifier: GPL-2.0-only
"""Writes the command that runs one test in the guest: guest.sh, its passes, and the module's parameters."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from harness.kernlog import kmemleak
from harness.model import catalog
from harness.model.foreign import Foreign
from harness.suite.plan import Plan, Session, Step
from harness.suite.vm_pool import MODULE

BEGIN = "kernel-patch-rig: begin"
END = "kernel-patch-rig: end"
MEMORY = "kernel-patch-rig: memory"
TRACE = "kernel-patch-rig: trace"
REST = "kernel-patch-rig: rest"
LEAKS = "kernel-patch-rig: leaks"
SECTIONS = "kernel-patch-rig: sections"
_LOOK_EVERY = 1
"""milliseconds of the guest's time between two looks at memory; the module makes them rarer in a long test"""
SCRIPT = Path(__file__).with_name("guest.sh")


def command(chosen: Plan, session: Session, step: Step) -> tuple[str, ...]:
    """Return the command that does `step` in the guest."""
    if chosen.module:
        return _script(step, foreign_passes(chosen.module, session), chosen.module.arguments)
    traced = step.traced or bool(catalog.profile_use(session.built.cell.profile).tracer)
    first = step.test.stress or (session.boot == 0 and step.round == chosen.size.aside)
    looks = first and not (traced or step.axis or chosen.hours or session.counts)
    wanted = parameters(chosen, step, traced=traced, looks=looks, counts=session.counts)
    words = [f"{name}={value}" for name, value in wanted.items()]
    return _script(step, passes(chosen, session, step, looks=looks), words)


def _script(step: Step, ordered: Sequence[str], words: Sequence[str]) -> tuple[str, ...]:
    return ("sh", "-c", SCRIPT.read_text(), "sh", step.name, " ".join(ordered), MODULE, *words)


def passes(chosen: Plan, session: Session, step: Step, *, looks: bool) -> tuple[str, ...]:
    """Return the passes of guest.sh that make up `step`, in their order; `looks` are those at memory, before and after."""
    use = catalog.profile_use(session.built.cell.profile)
    around = [
        (use.leaks and step.clears, "clear_leaks"),
        (step.test.faults, "allow_faults"),
        (looks, "print_memory:before"),
        (bool(use.tracer), f"start_tracer:{use.tracer}"),
        (True, "insert"),
        (use.leaks, "print_names"),
        (session.counts, "print_sections"),
        (True, "remove"),
        (True, "print_log"),
        (bool(use.tracer), "print_trace"),
        (bool(chosen.hours), "print_memory_at_rest"),
        (looks, "print_memory:after"),
        (step.test.faults, "forbid_faults"),
        (use.leaks and step.scans, f"print_leaks:{kmemleak.MOST}"),
    ]
    return tuple(name for wanted, name in around if wanted)


def foreign_passes(module: Foreign, session: Session) -> tuple[str, ...]:
    """Return the passes of guest.sh that make up a load of a foreign module: those that need nothing of it."""
    leaks = catalog.profile_use(session.built.cell.profile).leaks
    around = (
        (leaks, "clear_leaks"),
        (True, f"load_foreign:{module.name}"),
        (True, "print_log"),
        (leaks, f"print_leaks:{kmemleak.MOST}"),
    )
    return tuple(name for wanted, name in around if wanted)


def parameters(chosen: Plan, step: Step, *, traced: bool, looks: bool, counts: bool = False) -> Mapping[str, object]:
    """Return the module's parameters for `step`.

    A test that is not compared, or that is traced, has one sample without warm-up: more would improve nothing. Where
    instructions are counted by function, one sample follows the warm-up.
    """
    size = chosen.size
    named: dict[str, object] = {
        "tests": step.test.name,
        "loops": max(1, round(chosen.loops_of(step.test) * step.share)),
        "busy": size.busy,
    }
    if step.seed:
        named["seed"] = step.seed
    if traced:
        named["trace"] = 1
    if step.axis:
        return {**named, "repeat": 1, "busy": 0, step.axis: step.size}
    if counts:
        return {**named, "repeat": size.warmup + 1, "settle": int(size.settle)}
    if looks:
        named["memory"] = _LOOK_EVERY
    if step.test.stress:
        threads = {"threads": step.test.threads} if step.test.threads else {}
        return {**named, "repeat": 1, **threads}
    if traced:
        return {**named, "repeat": 1}
    return {**named, "repeat": size.warmup + size.repeat, "settle": int(size.settle), "latency": int(step.round == size.aside)}
