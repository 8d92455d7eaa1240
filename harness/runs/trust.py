# SPDX-License-Identifier: GPL-2.0-only
"""The last self check of this checkout, and the last audit of each cell."""

from __future__ import annotations

from pathlib import Path

import msgspec

from harness import paths
from harness.host import stored
from harness.model import audit
from harness.model.audit import Audit
from harness.stats.sensitivity import Sensitivity
from harness.suite.plan import Plan


def selfcheck_file() -> Path:
    """Return the file of the last self check of this checkout."""
    return paths.RESULTS / "selfcheck.json"


def last_selfcheck() -> Sensitivity | None:
    """Return the last self check, if there was one."""
    try:
        return stored.decode(stored.content(selfcheck_file()), Sensitivity)
    except (OSError, msgspec.DecodeError):
        return None


def audit_file() -> Path:
    """Return the file of the audits of this checkout."""
    return paths.RESULTS / "audit.json"


def last_audits() -> dict[str, Audit]:
    """Return the newest audit of each cell that had one; none if they cannot be read."""
    try:
        return stored.decode(stored.content(audit_file()), dict[str, Audit])
    except (OSError, msgspec.DecodeError):
        return {}


def audited(planned: Plan) -> dict[str, str]:
    """Return the results of audits of the kernels of a plan, by cell; without those of other builds."""
    known = last_audits()
    verdicts = {
        built.cell.name: audit.verdict(known.get(built.cell.kernel_name), built.kernel.key, built.kernel.module.parent.name)
        for built in planned.cells
    }
    return {cell: words for cell, words in verdicts.items() if words}
