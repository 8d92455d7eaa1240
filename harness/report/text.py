# SPDX-License-Identifier: GPL-2.0-only
"""How figures are written: with their unit and spread, and no more digits than they are worth."""

from __future__ import annotations

from harness import clock
from harness.compare import Comparison, Summary
from harness.estimate import MOST
from harness.growth import Growth
from harness.matrix import STOCK, Clock

_CONTROLS = {code: None for code in (*range(32), *range(127, 160)) if chr(code) not in "\n\t"}

LIMITS = {
    Clock.ICOUNT: (
        "Figures under icount are guest instructions, which QEMU counts exactly. They repeat on any host, but they"
        " are not cycles and not time: caches, TLB misses, branch prediction and waiting cost nothing here and much on a"
        " real machine."
    ),
    Clock.WALL: (
        "Figures under the wall clock are the guest's own time under emulation or KVM. They depend on the host and on"
        " what else it does."
    ),
}
POSITIVE = "A change is positive where the variant costs less."


def plain(said: str) -> str:
    """Return a guest's words without the control characters that could steer a terminal."""
    return said.translate(_CONTROLS)


def figure(number: float) -> str:
    """Return a number with as many digits as a reader can use, such as ``5,120`` or ``12.3``."""
    return f"{number:,.{0 if abs(number) >= 100 else 1}f}"


def short(number: float) -> str:
    """Return a number for an axis, such as ``20k`` or ``1.5M``."""
    for size, suffix in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(number) >= size * 0.9995:
            return f"{number / size:.3g}{suffix}"
    return f"{number:.3g}"


def size(number: float) -> str:
    """Return bytes as people read them, such as ``1.5 MiB``."""
    for power, suffix in ((40, "TiB"), (30, "GiB"), (20, "MiB"), (10, "KiB")):
        if abs(number) >= 1 << power:
            return (
                f"{number / (1 << power):.3g} {suffix}" if abs(number) < 1000 << power else f"{number / (1 << power):.0f} {suffix}"
            )
    return f"{number:.0f} B"


def spread(side: Summary) -> str:
    """Return half the range of the samples, such as ``±0.1 %``."""
    return f"±{side.spread:.{1 if side.spread < 10 else 0}f} %"


def value(side: Summary | None) -> str:
    """Return a median with its spread, such as ``5,120 ±0.1 %``."""
    return "-" if side is None else f"{figure(side.median)} {spread(side)}"


def count(side: Summary | None) -> str:
    """Return how many samples there are and from how many boots, such as ``15 / 5``."""
    return "-" if side is None else f"{side.count} / {side.boots}"


def counts(of: Comparison) -> str:
    """Return the counts of both sides, once where they are equal."""
    told = dict.fromkeys(count(side) for side in (of.baseline, of.measured) if side)
    return ", ".join(told) or "-"


def percent(number: float) -> str:
    """Return a change in per cent; tenths, and hundredths where it is small enough for them to matter."""
    return f"{number:+.{2 if abs(number) < 1 else 1}f}"


def change(of: Comparison) -> str:
    """Return a change as the publication counts it: positive is cheaper than the baseline."""
    return "-" if of.change is None else f"{percent(of.change)} %"


def interval(of: Comparison) -> str:
    """Return the change's 95 % interval, such as ``+4.9 to +5.3``, lowest first."""
    if of.interval is None:
        return "-"
    low, high = sorted((1 - ratio) * 100 for ratio in of.interval)
    return f"{percent(low)} to {percent(high)}"


def verdict(of: Comparison) -> str:
    """Return a verdict, with what it would take where there is none yet."""
    if of.verdict != "undecided" or not of.more:
        return of.verdict
    if of.more >= MOST:
        return f"undecided (more than {MOST} boots)"
    return f"undecided ({of.more} more boot{'s' if of.more > 1 else ''})"


def baseline(of: Comparison) -> str:
    """Return what a comparison's baseline is called: ``stock``, or the variant in the other run."""
    return of.against if of.against == STOCK else f"{of.variant} in {of.against}"


def unit(of: Comparison) -> str:
    """Return the unit of a comparison's figures; empty where it has none."""
    side = of.baseline or of.measured
    return side.unit if side else ""


def stretch(microseconds: float, of: Clock) -> tuple[str, str]:
    """Return a stretch of the guest's clock in what it counts, instructions or microseconds, and which it is."""
    worth, name = clock.unit(of)
    return (f"{microseconds * 1000 * worth:,.0f}", name) if of is Clock.ICOUNT else (f"{microseconds:,.0f}", "us")


def exponent(of: Growth) -> str:
    """Return how cost grows, with its interval, such as ``0.98 (0.95 to 1.02)``; empty without a fit."""
    if of.exponent is None or of.interval is None:
        return ""
    told = [f"{round(number, 2) + 0.0:.2f}" for number in (of.exponent, *of.interval)]
    return f"{told[0]} ({told[1]} to {told[2]})"


def of_the_clock(of: Clock) -> str:
    """Say what a millisecond of the guest's clock is; empty under a clock that counts time."""
    worth, name = clock.unit(of)
    if of is not Clock.ICOUNT:
        return ""
    return f"1 ms of the guest's clock is {1e6 * worth:,.0f} {name}, {1 / worth:g} ns each"
