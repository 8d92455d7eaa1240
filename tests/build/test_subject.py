# SPDX-License-Identifier: GPL-2.0-only
"""The subject of a patch, however it was saved."""

from __future__ import annotations

import pytest

from harness.build.series import Patch
from harness.build.subject import subject

DIFF = b"--- a/mm/vmalloc.c\n+++ b/mm/vmalloc.c\n@@ -1 +1 @@\n-a\n+b\n"


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"Subject: [PATCH v2 3/8] mm: do a thing\n\nIt does.\n" + DIFF, "mm: do a thing"),
        (b"From 0123 Mon Sep 17 00:00:00 2001\nFrom: A <a@b.c>\nSubject: [PATCH] mm: do\n\n" + DIFF, "mm: do"),
        (b"Subject: [RFC] [PATCH 1/1] mm: do\n\n" + DIFF, "mm: do"),
        (b"Subject: [PATCH] mm: a subject that goes on in\n another line\n\n" + DIFF, "mm: a subject that goes on in another line"),
        (b"Subject: =?UTF-8?q?=5BPATCH=5D_mm=3A_caf=C3=A9?=\n\n" + DIFF, "mm: caf\u00e9"),
        (b"Subject: mm: [vmalloc] keep this\n\n" + DIFF, "mm: [vmalloc] keep this"),
        (b"Subject: [PATCH]\n\n" + DIFF, "a.patch"),
        (b"Subject: [PATCH] mm: \x1b[31mred\n\n" + DIFF, "mm: [31mred"),
        (b"Subject: \xff\xfe\n\n" + DIFF, "\ufffd\ufffd"),
        (DIFF, "a.patch"),
        (b"", "a.patch"),
    ],
)
def test_a_subject(data: bytes, said: str) -> None:
    assert subject(Patch("a.patch", data)) == said
