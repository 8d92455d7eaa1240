# SPDX-License-Identifier: GPL-2.0-only
"""Records of a bisect: the search as it was begun, and the result of each prefix. Each is a line of its log."""

from __future__ import annotations

from typing import Literal

import msgspec

from harness.model.records import Amount, AtLeastOne, Count
from harness.model.selection import Selection

Metric = Literal["failure", "cost"]
Showed = Literal["passed", "failed", "measured", "no boot", "no build"]


class Begun(msgspec.Struct, frozen=True, tag="begun"):
    """The first line of a log: all that decides how a bisect goes, except for what is seen."""

    date: str
    command: str
    """command that began it"""
    wanted: Selection
    series: str
    """name of the variant with all patches"""
    patches: tuple[str, ...]
    """names of their files, in order"""
    subjects: tuple[str, ...]
    machines: tuple[str, ...]
    tests: tuple[str, ...]
    metric: Metric
    boots: AtLeastOne
    """of a prefix whose cost is measured"""
    tries: Count
    """boots in which a prefix has to pass to count as good; 0 if that follows from how often the whole series fails"""
    identity: str
    """digest of the patches and the tests"""


class Tried(msgspec.Struct, frozen=True, tag="tried"):
    """The result of a prefix on one machine: of one boot, or of all boots of a measurement."""

    machine: str
    prefix: Count
    """number of patches; 0 for stock"""
    showed: Showed
    boots: AtLeastOne = 1
    what: str = ""
    """the failure, or the reason for which it cannot be judged"""
    causes: tuple[str, ...] = ()
    """fingerprints of its unexpected findings"""
    values: tuple[tuple[float, ...], ...] = ()
    """samples by boot, warm-up left out"""
    unit: str = ""
    run: str = ""
    """folder of the run that showed it, beside the log"""
    seconds: Amount = 0.0


class Concluded(msgspec.Struct, frozen=True, tag="concluded"):
    """The last line of a log."""

    date: str
    sentences: tuple[str, ...]


class Question(msgspec.Struct, frozen=True):
    """A prefix that a search wants to know of: from one boot, or from the boots of a measurement."""

    prefix: int
    boots: int = 1
