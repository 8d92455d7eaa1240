# SPDX-License-Identifier: GPL-2.0-only
"""Showing what goes on: sparing lines elsewhere, a table on a terminal."""

from __future__ import annotations

import io
import time

import pytest
from rich.console import Console

from harness.commands.progress import Progress


def console(*, terminal: bool) -> tuple[Console, io.StringIO]:
    file = io.StringIO()
    return Console(file=file, force_terminal=terminal, width=200, color_system=None), file


def test_elsewhere_a_cell_is_told_of_now_and_then(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 1000.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    shown, file = console(terminal=False)
    with Progress("build", shown) as told:
        told.say("cell", "file 1")
        told.say("cell", "file 2")
        now = 1031.0
        told.say("cell", "file 3")
        told.say("other", "file 1")
        told.done("cell", "built")
    assert file.getvalue().splitlines() == ["build cell: file 1", "build cell: file 3", "build other: file 1", "build cell: built"]


@pytest.mark.parametrize("text", ["vmalloc.c: error: [-Werror=x]", "[/closing]", "[bold]x"])
@pytest.mark.parametrize("terminal", [True, False])
def test_text_is_text(text: str, terminal: bool) -> None:
    shown, file = console(terminal=terminal)
    with Progress("build", shown) as told:
        told.say("cell", text)
        told.line(f"line: {text}")
    seen = file.getvalue()
    assert f"line: {text}" in seen
    assert text in seen.replace(f"line: {text}", "")
