# SPDX-License-Identifier: GPL-2.0-only
"""Does work side by side, as much of it as the host's memory has room for."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from pathlib import Path
from typing import TypeVar

from harness.host import shell

Item = TypeVar("Item")
Made = TypeVar("Made")


def side_by_side(
    work: Callable[[Item], Made], items: Sequence[Item], workers: int, stop: Callable[[], None] = shell.stop_all
) -> list[Made]:
    """Do `work` for all items, `workers` at a time; the first error has `stop` end the others, which it then waits for."""
    with ThreadPoolExecutor(workers) as pool:
        futures = [pool.submit(work, item) for item in items]
        try:
            ended = wait(futures, return_when=FIRST_EXCEPTION).done
            for future in ended:
                future.result()
            return [future.result() for future in futures]
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            stop()
            raise


def free_memory() -> int:
    """Return how many MiB of the host's memory VMs can have."""
    lines = Path("/proc/meminfo").read_text().splitlines()
    return next(int(line.split()[1]) // 1024 for line in lines if line.startswith("MemAvailable"))
