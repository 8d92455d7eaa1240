# SPDX-License-Identifier: GPL-2.0-only
"""Reading what a guest's files say of its memory."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from harness.suite import meminfo

BEFORE = """\
MemTotal:        1012345 kB
SUnreclaim:         4000 kB
VmallocTotal:   34359738367 kB
VmallocUsed:           0 kB
slabinfo - version: 2.1
# name            <active_objs> <num_objs> <objsize> <objperslab> <pagesperslab> : tunables <limit> <batchcount>
vmap_area            100    100     64   64    1 : tunables    0    0    0 : slabdata      2      2      0
kmalloc-4096          20     32   4096    8    8 : tunables    0    0    0 : slabdata      4      4      0
dentry               900    900    192   21    1 : tunables    0    0    0 : slabdata     40     40      0
"""
AFTER = (
    BEFORE.replace("4000 kB", "4400 kB")
    .replace("vmap_area            100", "vmap_area            150")
    .replace("dentry               900", "dentry               850")
)


def test_sizes_are_bytes_and_only_caches_that_grew_are_told() -> None:
    before, after = meminfo.before_and_after(BEFORE, AFTER)
    assert before == {"SUnreclaim": 4_096_000, "VmallocUsed": 0, "slab:vmap_area": 6_400}
    assert after == {"SUnreclaim": 4_505_600, "VmallocUsed": 0, "slab:vmap_area": 9_600}


def test_a_cache_that_is_new_has_grown_from_nothing() -> None:
    before, after = meminfo.before_and_after("", AFTER)
    assert before["slab:vmap_area"] == 0
    assert after["slab:kmalloc-4096"] == 81_920


@given(st.text(), st.text())
def test_no_text_is_too_strange(before: str, after: str) -> None:
    first, second = meminfo.before_and_after(before, after)
    assert {name for name in first if name.startswith("slab:")} == {name for name in second if name.startswith("slab:")}
