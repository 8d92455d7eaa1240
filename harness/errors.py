# SPDX-License-Identifier: GPL-2.0-only
"""Errors of the rig itself; a failing test or a panicking guest is a value, not an error."""

from __future__ import annotations

from pathlib import Path


class RigError(Exception):
    """The rig could not do its work.

    The message is one sentence for the user: what is wrong, where, and what to do.
    """


class UsageError(RigError):
    """Something the user asked for or supplied cannot be used."""


class SeriesRefused(UsageError):
    """A series cannot be read whole, or does not apply."""

    def __init__(self, message: str, patch: str = "", hunk: str = "", source: str = "", variant: str = "") -> None:
        """Store the name of the patch and its `hunk` that does not match, as far as there is one, and the commit of the source."""
        super().__init__(message)
        self.patch, self.hunk, self.source, self.variant = patch, hunk, source, variant


class SourceUnavailable(RigError):
    """The kernel's source cannot be had on this machine."""


class BuildError(RigError):
    """A kernel, a module or a root filesystem did not build."""

    def __init__(self, message: str, cell: str = "", log: Path | None = None, commit: str = "") -> None:
        """Store the name of the cell whose kernel it is, the log of the compiler, and the commit of the patched source."""
        super().__init__(message)
        self.cell, self.log, self.commit = cell, log, commit


class Interrupted(KeyboardInterrupt):
    """The user interrupted the rig; the message says what is kept and how to go on."""


class Mismatch(RigError):
    """A guest does not run the kernel and module that were built for it, or not with the options asked for.

    None of its results can be used.
    """


class VmLost(RigError):
    """A virtual machine did not start, or stopped answering, for no reason that its kernel gave."""
