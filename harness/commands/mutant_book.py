# SPDX-License-Identifier: GPL-2.0-only
"""Keeps the results of mutants on the disk as they come: one file a series, and the same as a page."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from pathlib import Path

import msgspec

from harness import paths
from harness.commands.mutant_bench import Bench
from harness.host import files, stored
from harness.model.mutants import Attempt, Mutant, MutationRun
from harness.report import mutants as report


class Book:
    """The results so far, written to the disk as they come."""

    def __init__(self, started: MutationRun) -> None:
        """Begin with what a call that has just `started` knows."""
        self.results = started
        self._earlier = {(a.mutant, a.profile, a.identity): a for a in started.earlier}
        self._lock = threading.Lock()

    def earlier(self, mutant: Mutant, bench: Bench) -> Attempt | None:
        """Return the attempt of an earlier call with the same mutant in the same kernel, if there is one."""
        return self._earlier.get((mutant.name, bench.profile, bench.identity(mutant.edits)))

    def add(self, attempt: Attempt) -> None:
        """Take an attempt, and write the book; may be called from any thread."""
        field = "attempts" if attempt.mutant else "control"
        with self._lock:
            self.results = msgspec.structs.replace(self.results, **{field: (*getattr(self.results, field), attempt)})
            self.write()

    def write(self) -> None:
        """Write the results and their page."""
        place = file(self.results.series)
        files.write(place, msgspec.json.format(msgspec.json.encode(self.results)))
        files.write(place.with_suffix(".md"), report.markdown(self.results))


def latest(attempts: Sequence[Attempt]) -> tuple[Attempt, ...]:
    """Return the last attempt with each mutant in each profile, without those that could not be made."""
    return tuple({(a.mutant, a.profile): a for a in attempts if a.outcome != "error"}.values())


def file(series: str) -> Path:
    """Return the file of this checkout's last result with a series; the same as a page is beside it."""
    return paths.RESULTS / f"mutants-{series}.json"


def last(series: str) -> MutationRun | None:
    """Return the last result with a series, if it can be read."""
    try:
        return stored.decode(stored.content(file(series)), MutationRun)
    except (OSError, msgspec.DecodeError):
        return None
