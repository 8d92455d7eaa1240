# SPDX-License-Identifier: GPL-2.0-only
"""Series of patches for tests, in the form that git format-patch gives them."""

from __future__ import annotations

from pathlib import Path

FILE = "mm/vmalloc.c"


def series_of(folder: Path, count: int) -> Path:
    """Make a quilt folder with `count` patches, each of which changes a line of its own of the tiny source."""
    folder.mkdir(parents=True)
    names = [f"{number:04}-change.patch" for number in range(1, count + 1)]
    for number, name in enumerate(names, 1):
        (folder / name).write_text(patch(number, count))
    (folder / "series").write_text("".join(f"{name}\n" for name in names))
    return folder


def patch(number: int, of: int) -> str:
    """Return a patch that changes line ten times `number`."""
    line = 10 * number
    near = [f" line {line + beside}\n" for beside in (-1, 1)]
    return (
        f"From: A Writer <writer@example.org>\nSubject: [PATCH {number}/{of}] mm: change number {number}\n\nIt does.\n---\n"
        f"diff --git a/{FILE} b/{FILE}\n--- a/{FILE}\n+++ b/{FILE}\n@@ -{line - 1},3 +{line - 1},3 @@\n"
        f"{near[0]}-line {line}\n+changed {line}\n{near[1]}"
    )
