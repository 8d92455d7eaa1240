# SPDX-License-Identifier: GPL-2.0-only
"""Formats numbers, sizes and text from a guest for people to read."""

from __future__ import annotations

import re

_CONTROLS = {code: None for code in (*range(32), *range(127, 160)) if chr(code) not in "\n\t"}
_NOT_URL = re.compile("[^A-Za-z0-9._~-]")
_SPELT = str.maketrans(
    {"±": "+-", "−": "-", "×": "x", "…": "...", "·": ".", "–": "-", "—": "-", "“": '"', "”": '"', "’": "'", "µ": "u"}
    | {bar: str(number) for number, bar in enumerate("▁▂▃▄▅▆▇█", 1)}
)


def spelt(text: str) -> str:
    """Return text in ASCII, for a terminal that has no more: bars of a sparkline are digits, and the rest is escaped."""
    return text.translate(_SPELT).encode("ascii", "backslashreplace").decode()


def plain(text: str) -> str:
    """Return text from a guest without the control characters that could change a terminal."""
    return text.translate(_CONTROLS)


def figure(number: float) -> str:
    """Return a number with at most one decimal, such as ``5,120`` or ``12.3``."""
    return f"{number:,.{0 if abs(number) >= 100 else 1}f}"


def counted(number: int, noun: str, plural: str = "") -> str:
    """Return a number of things, such as ``1 file`` or ``2 files``; `plural` is for nouns that take no s."""
    return f"{number:,} {noun if number == 1 else plural or f'{noun}s'}"


def short(number: float) -> str:
    """Return a number for an axis, such as ``20k`` or ``1.5M``."""
    for size, suffix in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(number) >= size * 0.9995:
            return f"{number / size:.3g}{suffix}"
    return f"{number:.3g}"


def size(number: float) -> str:
    """Return a number of bytes with its unit, such as ``1.5 MiB``."""
    for power, suffix in ((40, "TiB"), (30, "GiB"), (20, "MiB"), (10, "KiB")):
        if abs(number) >= 1 << power:
            return (
                f"{number / (1 << power):.3g} {suffix}" if abs(number) < 1000 << power else f"{number / (1 << power):.0f} {suffix}"
            )
    return f"{number:.0f} B"


def signed(number: float, written: str) -> str:
    """Return a change as it is `written` elsewhere, with a plus if the number is an increase that shows."""
    return f"+{written}" if number > 0 and re.search("[1-9]", written) else written


def duration(seconds: float) -> str:
    """Return a length of time as people say it, such as ``40 s``, ``3 min`` or ``1.5 h``."""
    if seconds < 60:
        return f"{max(10, round(seconds, -1)):.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{round(seconds / 1800) / 2:g} h"


def in_url(name: str) -> str:
    """Return a file's name as the last part of a URL."""
    return _NOT_URL.sub(lambda found: "".join(f"%{byte:02X}" for byte in found[0].encode(errors="replace")), name)


def escaped(value: object) -> str:
    """Return a value of an option of QEMU's, such as a path, with its commas escaped."""
    return str(value).replace(",", ",,")
