# SPDX-License-Identifier: GPL-2.0-only
"""Patches of the tiny source, and mails that hold them."""

from __future__ import annotations

SENT = "Fri, 27 Nov 2026 01:07:06 +0000"


def diff(line: int, *, old: str = "", new: str = "", path: str = "mm/vmalloc.c", prefixes: tuple[str, str] = ("a/", "b/")) -> str:
    """Return a patch of the tiny source that replaces one line, with a line of context around."""
    before, after = (prefix + path for prefix in prefixes)
    return f"diff --git {before} {after}\n--- {before}\n+++ {after}\n" + hunk(line, old=old, new=new)


def hunk(line: int, *, old: str = "", new: str = "") -> str:
    """Return a hunk that replaces one line."""
    old, new = old or f"line {line}", new or f"LINE {line}"
    return f"@@ -{line - 1},3 +{line - 1},3 @@\n line {line - 1}\n-{old}\n+{new}\n line {line + 1}\n"


def message(subject: str, body: str, said: str = "Why.", **headers: str) -> str:
    """Return a mail of an mbox with a diff as its `body`, or nothing; `said` stands above it."""
    told = "".join(f"{name.replace('_', '-')}: {value}\n" for name, value in headers.items())
    return (
        f"From {'1' * 40} Mon Sep 17 00:00:00 2001\nFrom: A <a@kernel.invalid>\nDate: {SENT}\nSubject: {subject}\n{told}"
        f"\n{said}\n---\n mm/vmalloc.c | 2 +-\n\n{body}-- \n2.39.5\n\n"
    )
