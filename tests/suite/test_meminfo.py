# SPDX-License-Identifier: GPL-2.0-only
"""Reading what a guest's files say of its memory."""

from __future__ import annotations

import pytest
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
AT_REST = """\
812.40 3011.92
MemTotal:        3067904 kB
MemFree:         3041000 kB
MemAvailable:    3040000 kB
Slab:               5000 kB
SUnreclaim:         4500 kB
KernelStack:        1296 kB
PageTables:           88 kB
slabinfo - version: 2.1
# name            <active_objs> <num_objs> <objsize> <objperslab> <pagesperslab> : tunables
kmalloc-512          100    112    512   16    2 : tunables    0    0    0 : slabdata      7      7      0
dentry               200    210    192   21    1 : tunables    0    0    0 : slabdata     10     10      0
areas 126 270786560 lazy 131072
"""


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


def test_a_guests_files_tell_what_is_at_rest() -> None:
    found = meminfo.at_rest(AT_REST)
    assert found is not None
    assert found.uptime == 812.4
    assert found.values == {
        "MemFree": 3041000 << 10,
        "MemAvailable": 3040000 << 10,
        "Slab": 5000 << 10,
        "SUnreclaim": 4500 << 10,
        "PageTables": 88 << 10,
        "KernelStack": 1296 << 10,
        "slab_objects": 100 * 512 + 200 * 192,
        "MemUsed": (3067904 - 3041000) << 10,
        "areas": 126,
        "vmalloc": 270786560,
        "lazy": 131072,
    }
    assert found.caches == {"kmalloc-512": 51200, "dentry": 38400}


@pytest.mark.parametrize("missing", ["812.40", "MemTotal", "KernelStack", "areas 126"])
def test_files_of_which_a_part_is_missing_tell_nothing(missing: str) -> None:
    rest = "".join(line for line in AT_REST.splitlines(keepends=True) if not line.startswith(missing))
    assert meminfo.at_rest(rest) is None
