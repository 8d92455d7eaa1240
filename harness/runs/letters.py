# SPDX-License-Identifier: GPL-2.0-only
"""Mails that the series of a run came in: cover letters, and the Message-IDs by which a run is found again."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from harness.build import series
from harness.build.mails import Mail
from harness.build.series import Series
from harness.errors import RigError
from harness.model.run_folder import Run
from harness.runs import patch_places


def of(run: Run) -> dict[str, Mail]:
    """Return the cover letters of a run's series by variant, as far as they have one and are where they were."""
    return covers(patch_places.series(run))


def covers(series: Mapping[str, Path]) -> dict[str, Mail]:
    """Return the cover letters of series by variant, as far as they have one and are where they were."""
    found: dict[Path, Mail | None] = {}
    for path in series.values():
        if path not in found:
            whole = _read(path)
            found[path] = whole.cover if whole else None
    return {name: letter for name, path in series.items() if (letter := found[path])}


def identities(path: Path) -> frozenset[str]:
    """Return the Message-IDs of a series: of its cover letter and of its patches; none if it cannot be read."""
    whole = _read(path)
    mails = [*(patch.mail for patch in whole.patches), *([whole.cover] if whole.cover else [])] if whole else []
    return frozenset(mail.identity for mail in mails if mail.identity)


def _read(path: Path) -> Series | None:
    try:
        return series.read(path)
    except (RigError, OSError, ValueError):  # it is gone, or was changed to something else
        return None
