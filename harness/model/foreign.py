# SPDX-License-Identifier: GPL-2.0-only
"""Names a foreign module: a test module that takes the place of the rig's own, and the tests within it."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable

import msgspec

from harness.errors import UsageError

PATIENCE = 20
"""factor by which a load may take longer than a test at scale quick: all tests are in it, and it says nothing before its end"""
DIGITS = 8
"""of its digest, where people read it"""
_BETWEEN = "/"
"""between the name of a module and that of a test within it; no test of the rig's own has it"""
_ARGUMENT = re.compile(r"[A-Za-z_][\w.-]*(?:=.*)?", re.S)


class Foreign(msgspec.Struct, frozen=True):
    """A test module that is not the rig's own, and how it is loaded."""

    name: str
    """as the kernel's list of modules has it"""
    digest: str
    """of its sources"""
    arguments: tuple[str, ...] = ()
    """parameters that it is loaded with, such as ``loops=5``"""

    @property
    def words(self) -> str:
        """The module in words that are the same only for the same sources and parameters."""
        return " ".join((self.name, self.digest[:DIGITS], *self.arguments))

    def test(self, name: str) -> str:
        """Return the name that a test within it has in records."""
        return f"{self.name}{_BETWEEN}{name}"


def arguments(given: str) -> tuple[str, ...]:
    """Return the parameters in the value of ``--module-args``, which quotes as a shell does; UsageError for what is none."""
    try:
        words = tuple(shlex.split(given))
    except ValueError as error:
        raise UsageError(
            f"--module-args has {given!r}, in which a quotation mark or a backslash stands alone; close it."
        ) from error
    for word in words:
        if not _ARGUMENT.fullmatch(word) or not word.isprintable():
            raise UsageError(f"--module-args has {word!r}, which is no parameter of a module; write NAME=VALUE.")
    return words


def tests(names: Iterable[str]) -> tuple[str, ...]:
    """Return those of the names of tests that are within a foreign module, each once, in the order in which they come."""
    return tuple(dict.fromkeys(name for name in names if _BETWEEN in name))
