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
