# SPDX-License-Identifier: GPL-2.0-only
"""Text that is shown on a terminal of a width."""

from __future__ import annotations

import io

from rich.console import Console, RenderableType


def on_terminal(*shown: RenderableType, terminal: bool = False, width: int = 200) -> str:
    file = io.StringIO()
    console = Console(file=file, width=width, force_terminal=terminal, color_system=None)
    console.print(*shown)
    return file.getvalue()


def lines_on_terminal(*shown: RenderableType, width: int) -> list[str]:
    """Return the lines that are shown, without blanks at their ends."""
    return [line.rstrip() for line in on_terminal(*shown, width=width).splitlines()]
