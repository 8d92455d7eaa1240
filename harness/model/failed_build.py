# SPDX-License-Identifier: GPL-2.0-only
"""A build that failed, as its folder keeps it: there is no run, but programs get the same answer as of one."""

from __future__ import annotations

from pathlib import Path

import msgspec

from harness.model.summary import Summary

FILE = "failed.json"
"""file that the folder of each failed build has, in the place of a run's run.json"""


class FailedBuild(msgspec.Struct, frozen=True):
    """A build that failed, and the series that it was of."""

    summary: Summary
    series: dict[str, Path]
    """folder or file of the series by variant"""
