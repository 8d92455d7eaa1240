# SPDX-License-Identifier: GPL-2.0-only
"""The patch that makes a kernel slower by a known amount."""

from __future__ import annotations

import re

import pytest

from harness.commands import injection
from harness.errors import UsageError

SOURCE = """\
static void vmap_flush(void)
{
\tmight_sleep();
}

static struct vmap_area *alloc_vmap_area(unsigned long size,
\t\t\t\tint node, gfp_t gfp_mask)
{
\tstruct vmap_area *va;

\tmight_sleep();

\tva = find();
\treturn va;
}
"""


def test_the_instructions_are_added_where_an_allocation_begins() -> None:
    patch = injection.patch(SOURCE, 25)
    added = [line for line in patch.splitlines() if re.match(r"\+(?!\+\+)", line)]
    assert added == ['+\tasm volatile(".rept 25\\n\\tnop\\n\\t.endr");']
    assert not [line for line in patch.splitlines() if re.match(r"-(?!--)", line)]
    before = patch.splitlines()[patch.splitlines().index(added[0]) - 1]
    assert before == " \tmight_sleep();"
    assert patch.startswith("--- a/mm/vmalloc.c\n+++ b/mm/vmalloc.c\n@@ -9,6 +9,7 @@")


def test_a_kernel_without_that_function_is_said_so() -> None:
    with pytest.raises(UsageError, match=r"mm/vmalloc.c of this kernel has no alloc_vmap_area\(\)"):
        injection.patch(SOURCE.replace("alloc_vmap_area", "other"), 25)
