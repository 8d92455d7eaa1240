# SPDX-License-Identifier: GPL-2.0-only
"""Runs work in parallel threads, and reads how much memory the host has available."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from pathlib import Path
from typing import TypeVar

from harness.host import shell

Item = TypeVar("Item")
Value = TypeVar("Value")


def side_by_side(
    work: Callable[[Item], Value], items: Sequence[Item], workers: int, stop: Callable[[], None] = shell.stop_all
) -> list[Value]:
    """Call `work` for all items, `workers` at a time, and return the values in the order of the items.

    After the first error `stop` is called to end the others; the error is raised once they have ended.
    """
    with ThreadPoolExecutor(workers) as pool:
        try:
            futures = [pool.submit(work, item) for item in items]
            ended = wait(futures, return_when=FIRST_EXCEPTION).done
            for future in ended:
                future.result()
            return [future.result() for future in futures]
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            stop()
            raise


def free_memory() -> int:
    """Return the MiB of the host's memory that are available to VMs."""
    lines = Path("/proc/meminfo").read_text().splitlines()
    return next(int(line.split()[1]) // 1024 for line in lines if line.startswith("MemAvailable"))
