# SPDX-License-Identifier: GPL-2.0-only
"""The options of a selection, and their valid values: the cells to build and the amount to measure."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Annotated

import msgspec

from harness.errors import UsageError
from harness.model import catalog, foreign, toolchains
from harness.model.clock import Clock

DEFAULT = "4.18"
PROFILE = "perf"
ON_FAILURE = ("keep", "core")
_LARGEST = float(1 << 30)
"""GiB that may be kept"""
MARGINS = {Clock.ICOUNT: 1.0, Clock.WALL: 5.0}
"""per cent: a smaller difference does not matter, even if it is real"""
_MOST_LOOPS = 1e6
"""share of a scale's operations: more would take years"""
_OWN_MODULE = ("tests", "loops", "unsettled")
"""options by which the rig tells its own module what to do"""
Percent = Annotated[float, msgspec.Meta(ge=0)]


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """Settings by which a run measures and judges. Its plan has them, and its provenance keeps them."""

    clock: Clock = Clock.ICOUNT
    """of the performance tests; a stress test has its own"""
    scale: str = catalog.SCALE
    loops: Annotated[float, msgspec.Meta(gt=0)] = 1.0
    """share of the scale's operations that each test does"""
    boots: Annotated[int, msgspec.Meta(ge=0)] = 0
    """of each cell for the performance tests; 0 for as many as the scale says"""
    unsettled: bool = False
    """True if memory is not settled between samples, whatever the scale says"""
    plain: bool = False
    """True if neither instructions by function are counted nor the lines of the series that run"""
    keep: bool = False
    """leave up the first VM of each cell that the suite boots"""
    on_failure: str = ""
    """for a VM after a test that failed: ``keep`` it, or save its memory as a ``core``; if empty, boot a fresh one"""
    threshold: Percent = 5.0
    """per cent: a change that slows down by at least this is a regression"""
    margins: dict[Clock, Percent] = msgspec.field(default_factory=MARGINS.copy)
    """per cent by clock: a smaller difference counts as the same"""

    def __post_init__(self) -> None:
        """Refuse settings without a margin for each clock."""
        if missing := [clock.value for clock in Clock if clock not in self.margins]:
            raise ValueError(f"`margins` has no entry for {', '.join(missing)}")


class Where(msgspec.Struct, frozen=True):
    """The place of a run's sessions: this host, or the workers of a cluster."""

    jobs: int = 0
    """VMs at once on this host; 0 for one a core"""
    cluster: str = ""
    """address of a scheduler; empty for this host"""


class Selection(msgspec.Struct, frozen=True):
    """The user's options; empty means the default."""

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
    plain: bool = False
    jobs: int = 0
    keep: bool = False
    on_failure: str = ""
    source: str = ""
    series: str = ""
    kernel: str = ""
    toolchain: str = ""
    threshold: float = 5.0
    margin: float = 0.0
    module: str = ""
    module_args: str = ""
    cluster: str = ""

    @property
    def margins(self) -> dict[Clock, float]:
        """Per cent within which figures count as the same, by clock."""
        return MARGINS if not self.margin else {**MARGINS, self.timed: self.margin}

    @property
    def settings(self) -> Settings:
        """The settings that these options stand for."""
        chosen = {"clock": self.timed, "scale": self.scale or catalog.SCALE, "margins": self.margins}
        return msgspec.convert(msgspec.structs.asdict(self) | chosen, Settings)

    @property
    def where(self) -> Where:
        """The place of its sessions."""
        return Where(self.jobs, self.cluster)

    @property
    def timed(self) -> Clock:
        """The clock of the performance tests."""
        return Clock(self.clock or Clock.ICOUNT)


def number(option: str, given: str, least: float = 0, most: float = math.inf) -> float:
    """Return the value of an option; UsageError if it is not a finite number from `least` to `most`."""
    try:
        value = float(given)
    except ValueError:
        value = math.nan
    if not least <= value <= most or value == math.inf:
        limit = f" and at most {most:g}" if most < math.inf else ""
        raise UsageError(f"--{option} has to be a number of at least {least:g}{limit}, not '{given}'.")
    return value


def gibibytes(option: str, given: str) -> int:
    """Return the bytes of an option in GiB; UsageError if it is no number of a size that a disk can have."""
    return int(number(option, given, most=_LARGEST) * (1 << 30))


def whole(option: str, given: str, least: int = 0) -> int:
    """Return the value of an option that can be kept as an integer of 32 bits; UsageError if it cannot, or is below `least`."""
    try:
        value = float(given)
    except ValueError:
        value = math.nan
    if not value.is_integer():
        raise UsageError(f"--{option} has to be a whole number, not '{given}'.")
    if not least <= value < 1 << 32:
        raise UsageError(f"--{option} has to be a whole number from {least} to 2 to the power of 32, not '{given}'.")
    return int(value)


def refine(wanted: Selection, given: Mapping[str, object]) -> Selection:
    """Return `wanted` with the options in `given`, of which numbers are text; UsageError for one that is not a number."""
    return msgspec.structs.replace(wanted, **{name: _value(name, value) for name, value in given.items()})


def words(wanted: Selection) -> tuple[str, ...]:
    """Return the options of the command line that make up a selection."""
    given: list[str] = []
    for name, value in msgspec.structs.asdict(wanted).items():
        if value != getattr(Selection(), name):
            given += [f"--{name.replace('_', '-')}", *([] if value is True else [str(value)])]
    return tuple(given)


def _value(name: str, given: object) -> object:
    """Return the value of an option. A number of 0 is refused where 0 is how a selection has that nothing was said."""
    option, default = name.replace("_", "-"), getattr(Selection(), name)
    if isinstance(given, str) and isinstance(default, float):
        value = number(option, given)
        if not value and not default:
            raise UsageError(f"--{option} has to be above 0, not '{given}'.")
        return value
    if isinstance(given, str) and isinstance(default, int) and not isinstance(default, bool):
        return whole(option, given, least=1)
    return given


def check(wanted: Selection) -> None:
    """Raise UsageError for a value that an option does not have, and for options that exclude each other."""
    if wanted.clock not in ("", *Clock):
        raise UsageError(f"There is no clock '{wanted.clock}'; known are {', '.join(Clock)}.")
    if wanted.scale not in ("", *catalog.SCALES):
        raise UsageError(f"There is no scale '{wanted.scale}'; known are {', '.join(catalog.SCALES)}.")
    toolchains.chosen(wanted.toolchain)
    if wanted.jobs < 0:
        raise UsageError(f"--jobs has to be 1 or more, not {wanted.jobs}.")
    if wanted.keep and wanted.timed is Clock.WALL:
        raise UsageError("--keep and --clock wall exclude each other: time is measured with one VM at a time.")
    if wanted.on_failure == "keep" and wanted.timed is Clock.WALL:
        raise UsageError("--on-failure keep and --clock wall exclude each other: time is measured with one VM at a time.")
    if wanted.on_failure not in ("", *ON_FAILURE):
        raise UsageError(f"--on-failure takes {' or '.join(ON_FAILURE)}, not '{wanted.on_failure}'.")
    if wanted.cluster:
        for option, given in (("--keep", wanted.keep), ("--on-failure", wanted.on_failure)):
            if given:
                raise UsageError(f"{option} and --cluster exclude each other: what it leaves would be on another host.")
    if wanted.boots < 0:
        raise UsageError(f"--boots has to be 1 or more, not {wanted.boots}.")
    if not 0 < wanted.loops <= _MOST_LOOPS:
        limit = f"above 0 and at most {_MOST_LOOPS:g}, such as 0.1"
        raise UsageError(f"--loops has to be a share of the scale's operations {limit}, not {wanted.loops}.")
    if not 0 <= wanted.margin < 100:
        raise UsageError(f"--margin has to be between 0 and 100 per cent, not {wanted.margin}.")
    if not 0 <= wanted.threshold < math.inf:
        raise UsageError(f"--threshold has to be 0 or more per cent, not {wanted.threshold}.")
    _check_module(wanted)
    if wanted.each_patch and wanted.variant:
        raise UsageError("--each-patch and --variant exclude each other: `--variant NAME@*` names each patch of the series NAME.")


def each_kernel(wanted: Selection) -> tuple[Selection, ...]:
    """Return a selection for each kernel base that `wanted` names, in that order; UsageError for a source of several."""
    names = dict.fromkeys(word.strip() for word in wanted.kernel.split(",") if word.strip())
    if len(names) < 2:
        return (wanted,)
    if wanted.source:
        raise UsageError("--source is the source of one kernel; name one with --kernel.")
    return tuple(msgspec.structs.replace(wanted, kernel=name) for name in names)


def _check_module(wanted: Selection) -> None:
    """Raise UsageError for options of a foreign module without one, and for those that only the rig's own module knows."""
    if not wanted.module:
        if wanted.module_args:
            raise UsageError("--module-args is for the module of --module; name one, or leave it out.")
        return
    for name in _OWN_MODULE:
        if getattr(wanted, name) != getattr(Selection(), name):
            raise UsageError(
                f"--{name} is for the rig's own tests, whose place --module takes; --module-args tells that what to do."
            )
    for profile in map(str.strip, wanted.profile.split(",")):
        if catalog.profile_use(profile).tracer:
            raise UsageError(f"The profile '{profile}' traces loops of the rig's own module; leave it out where --module is given.")
    foreign.arguments(wanted.module_args)
