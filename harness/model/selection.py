# SPDX-License-Identifier: GPL-2.0-only
"""What the user asked for, checked and turned into a kernel's source and cells."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from harness.errors import UsageError
from harness.model.clock import Clock

DEFAULT = "4.18"
PROFILE = "perf"
ON_FAILURE = ("keep", "core")
MARGINS = {Clock.ICOUNT: 1.0, Clock.WALL: 5.0}
"""per cent: differences that do not matter even if they are real"""


class Selection(msgspec.Struct, frozen=True):
    """What the user asked for; empty means the default."""

    machine: str = ""
    variant: str = ""
    each_patch: bool = False
    profile: str = ""
    tests: str = ""
    clock: str = ""
    scale: str = ""
    boots: int = 0
    loops: float = 1.0
    unsettled: bool = False
    jobs: int = 0
    keep: bool = False
    on_failure: str = ""
    source: str = ""
    series: str = ""
    kernel: str = ""
    threshold: float = 5.0
    margin: float = 0.0

    @property
    def margins(self) -> dict[Clock, float]:
        """Per cent within which figures count as the same, by clock."""
        return MARGINS if not self.margin else {**MARGINS, self.timed: self.margin}

    @property
    def timed(self) -> Clock:
        """The clock of the performance tests."""
        return Clock(self.clock or Clock.ICOUNT)


def refine(wanted: Selection, given: Mapping[str, object]) -> Selection:
    """Return `wanted` with the options `given` as text in place of its own; UsageError for one that is not a number."""
    try:
        return msgspec.convert({**msgspec.structs.asdict(wanted), **given}, Selection, strict=False)
    except msgspec.ValidationError as error:
        raise UsageError(f"An option has a value of the wrong kind: {str(error).replace('$.', '--')}.") from error
