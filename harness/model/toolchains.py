# SPDX-License-Identifier: GPL-2.0-only
"""Toolchains that kernels and modules are built with: by name alone, as options, records and reports have them."""

from __future__ import annotations

import enum

from harness.errors import UsageError


class Toolchain(enum.StrEnum):
    """The compiler and the linker of a kernel."""

    GCC = "gcc"
    """the machine's cross compiler, and binutils"""
    LLVM = "llvm"
    """clang and LLVM's linker and tools, for all machines: make's LLVM=1"""


def chosen(name: str) -> Toolchain:
    """Return the toolchain called `name`, GCC for an empty one; UsageError if there is none."""
    if name not in ("", *Toolchain):
        raise UsageError(f"There is no toolchain '{name}'; known are {', '.join(Toolchain)}.")
    return Toolchain(name or Toolchain.GCC)


def by(what: str, toolchain: Toolchain) -> str:
    """Return `what` was built, such as a release, with the toolchain unless that is the usual one: ``6.12 by llvm``."""
    return what if toolchain is Toolchain.GCC else f"{what} by {toolchain}"
