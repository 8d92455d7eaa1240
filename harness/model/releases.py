# SPDX-License-Identifier: GPL-2.0-only
"""Releases of Linux, and the base whose settings a source of any of them is built with."""

from __future__ import annotations

import re

import msgspec

from harness.errors import UsageError
from harness.model import matrix
from harness.model.matrix import Base, Source

_RELEASE = re.compile(r"(\d+)\.(\d+)")


def of(version: str) -> str:
    """Return the release that a version such as ``4.18.20`` belongs to: ``4.18``."""
    return ".".join(version.split(".")[:2])


def nearest(version: str, origin: str) -> Base:
    """Return the base of the release that `version` belongs to, or else what has the settings of the nearest one.

    That is the newest base whose settings hold for this release. Neither its bugs nor its default series are the source's.
    `origin` names the source in errors. Raises UsageError for a release that is older than all bases.
    """
    wanted = number(version)
    if wanted is None:
        raise UsageError(f"{origin} holds no kernel source: its Makefile names no release.")
    bases = sorted((matrix.load_base(name) for name in matrix.base_names()), key=_from)
    fitting = [base for base in bases if _from(base) <= wanted]
    if not fitting:
        oldest = bases[0].since or bases[0].release
        raise UsageError(f"{origin} is Linux {version}, but the rig tests releases from {oldest} on; name a newer source.")
    release = of(version)
    own = next((base for base in bases if base.release == release), None)
    return own or _borrowing(fitting[-1], release)


def told(base: Base, version: str) -> str:
    """Return the sentence that says of a `version` that is no base's whose settings it has."""
    return (
        f"Linux {version} is no base of the rig's: it is built with the settings of {base.like},"
        " its default is stock alone, and no finding in it is taken for a known bug."
    )


def _borrowing(base: Base, release: str) -> Base:
    """Return the base for another release with the settings of `base`."""
    borrowed = {"known_bugs": (), "userspace_bugs": (), "default_series": "", "source": Source()}
    return msgspec.structs.replace(base, name=release, release=release, like=base.name, **borrowed)


def _from(base: Base) -> tuple[int, int]:
    """Return the first release that the settings of a base hold for."""
    first = number(base.since or base.release)
    assert first
    return first


def number(version: str) -> tuple[int, int] | None:
    """Return the release of a version as two numbers, which have the order of releases; None if it has none."""
    found = _RELEASE.match(version)
    return (int(found[1]), int(found[2])) if found else None
