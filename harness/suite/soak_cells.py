# SPDX-License-Identifier: GPL-2.0-only
"""Soaks cells side by side, each in a VM of its own, until the time is over or somebody interrupts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from pathlib import Path
from typing import Any

from harness.build.built import BuiltCell
from harness.errors import RigError
from harness.host import process
from harness.suite.soak_cell import CellSoak, Soak
from harness.suite.vm_pool import Lab
from harness.vm import vms

_GLANCE = 1.0
"""seconds between two glances at whether all cells are done"""
Cell = Callable[[Soak, BuiltCell, Lab], None]
"""soaks one cell to the end"""


def one(soak: Soak, built: BuiltCell, lab: Lab) -> None:
    """Soak a cell to the end."""
    CellSoak(soak, built, lab).run()


def run(soak: Soak, logs: Path, cell: Cell = one, waiting: Callable[..., Any] = wait) -> bool:
    """Soak all cells of a plan, and return whether they came to their end without an interrupt.

    `waiting` waits for the cells, and may raise KeyboardInterrupt. Raises RigError if a cell is given up, after the others.
    """

    def soaked(number: int) -> None:
        lab = Lab(logs, keep=False, pauses=bool(soak.plan.settings.on_failure))
        try:
            cell(soak, soak.plan.cells[number], lab)
        finally:
            lab.close()

    interrupted = False
    # A QEMU ends with the thread that starts it, which is not one of these: see harness/host/process.py.
    with ThreadPoolExecutor(len(soak.plan.cells), thread_name_prefix="soak") as pool:
        futures: list[Future[None]] = []
        try:
            # One by one: those that run already are ended if there is no thread for the next.
            futures.extend(pool.submit(soaked, number) for number in range(len(soak.plan.cells)))
            while waiting(futures, _GLANCE, FIRST_EXCEPTION).not_done and not _failed(futures):
                pass
        except KeyboardInterrupt:
            interrupted = True
        finally:
            _cut_short(soak, futures)
    vms.stop_own()
    for future in futures:
        if (error := future.exception()) is not None:
            raise RigError(f"The soak was given up: {error}") from error
    return not interrupted


def _failed(futures: Sequence[Future[None]]) -> bool:
    return any(future.done() and future.exception() for future in futures)


def _cut_short(soak: Soak, futures: Sequence[Future[None]]) -> None:
    """End what is under way, if anything is: the threads see their guests die, and keep the consoles' logs."""
    while not all(future.done() for future in futures):
        soak.cut_short.set()
        for machine in vms.own():
            process.kill(machine.state.pid, machine.state.started)
        wait(futures, _GLANCE)
