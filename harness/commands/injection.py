# SPDX-License-Identifier: GPL-2.0-only
"""Makes a patch that adds a known number of instructions to every vmalloc allocation."""

from __future__ import annotations

import difflib
import re

from harness.errors import UsageError

FILE = "mm/vmalloc.c"
# The start of the function's body, where nothing is locked yet.
_PLACE = re.compile(r"\nstatic struct vmap_area \*alloc_vmap_area\([^{]*\)\n\{.*?\n\tmight_sleep\(\);\n", re.S)


def patch(source: str, instructions: int) -> str:
    """Return a patch of the text of mm/vmalloc.c that runs so many NOPs in each call of alloc_vmap_area().

    Raises UsageError where that function cannot be found.
    """
    place = _PLACE.search(source)
    if place is None:
        raise UsageError(f"{FILE} of this kernel has no alloc_vmap_area() that instructions could be added to.")
    added = f'\tasm volatile(".rept {instructions}\\n\\tnop\\n\\t.endr");\n'
    slower = source[: place.end()] + added + source[place.end() :]
    lines = difflib.unified_diff(source.splitlines(True), slower.splitlines(True), f"a/{FILE}", f"b/{FILE}")
    return "".join(lines)
