# SPDX-License-Identifier: GPL-2.0-only
"""Errors of the rig itself; a failing test or a panicking guest is a value, not an error."""

from __future__ import annotations


class RigError(Exception):
    """The rig could not do its work.

    The message is one sentence for the user: what is wrong, where, and what to do.
    """


class UsageError(RigError):
    """Something the user asked for or supplied cannot be used."""


class SourceUnavailable(RigError):
    """The kernel's source cannot be had on this machine."""


class BuildError(RigError):
    """A kernel, a module or a root filesystem did not build."""


class Interrupted(KeyboardInterrupt):
    """The user interrupted the rig; the message says what is kept and how to go on."""


class Mismatch(RigError):
    """A guest does not run the kernel and module that were built for it, or not with the options asked for.

    None of its results can be used.
    """


class VmLost(RigError):
    """A virtual machine did not start, or stopped answering, for no reason that its kernel gave."""
