# SPDX-License-Identifier: GPL-2.0-only
"""Tells which kernels a module can be built for at once: those that differ in C files alone that its build does not read."""

from __future__ import annotations

import functools
import re

from harness.build import git
from harness.host import files

_READ = re.compile(r"(?:arch|include|scripts|tools)/|kernel/bounds\.c$")
"""files that the build of a module reads, compiles into its tools, or makes headers from"""


@functools.cache
def digest(tree: str) -> str:
    """Return a digest of the files of a kernel's tree without those that cannot make a difference to a module.

    `tree` is git's name of it, in the rig's repository. Kbuild files, Kconfig and headers count wherever they are.
    """
    listed = git.run("ls-tree", "-r", "-z", "--full-tree", tree).split("\0")
    return files.digest(*(entry for entry in listed if _counts(entry.partition("\t")[2])))


def _counts(path: str) -> bool:
    return not path.endswith((".c", ".S")) or _READ.match(path) is not None
