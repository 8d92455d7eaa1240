# SPDX-License-Identifier: GPL-2.0-only
"""Writes figures with their unit and spread, and with no more digits than they are worth."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from harness import text
from harness.model import clock, foreign
from harness.model.clock import Clock
from harness.model.foreign import Foreign
from harness.model.matrix import STOCK
from harness.model.records import SPACE, Provenance
from harness.model.trouble import Trouble
from harness.stats import published
from harness.stats.compare import Comparison, Summary
from harness.stats.estimate import FEWEST, MOST
from harness.stats.geomean import GeometricMean
from harness.stats.growth import Growth

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
FULL_LENGTH = (
    "A section that would end early for a waiter, as with cond_resched_lock(), is shown at its full length if nobody waited."
)
KNOWN = (
    "A bug counts as not seen if every test that showed it in any kernel came to its end without it. A bug that stock shows and a"
    " series does not is fixed by the series."
)
SIGN = "A change with a plus is an increase of cost, one with a minus a saving."
DIRECTIONS = {
    "same": "same",
    "other": "not the same",
    "flat": "theirs: none",
    "open": "ours: open",
    "size": "other size",
    "": "-",
}
MEAN = (
    "The geometric mean of the ratios sums up a machine's tests, each of the same weight, and is no verdict. Its interval is over"
    " boots too; it says nothing of other tests."
)
BESIDE = (
    "A change is the median of the rows' changes; a row of ours is a boot, the mean of its samples. Both have the sign of all"
    " changes here; the publication itself writes a saving with a plus. The speed-ups, stock by patched, are of these. Theirs has"
    f" no direction where it is within {published.FLAT:g} % of zero or the rows go both ways; ours is open where its rows go both"
    f" ways or are fewer than {FEWEST}."
)
_OUTCOMES = {
    "passed": ("passed", "passed"),
    "xfailed": ("known bug seen", "known bugs seen"),
    "failed": ("failed", "failed"),
    "dismissed": ("failed, as dismissed", "failed, as dismissed"),
    "skipped": ("skipped", "skipped"),
    "error": ("rig failure", "rig failures"),
}
_OF_SPACE = {"slower": "larger", "faster": "smaller"}
"""words for the verdicts of a test that measures space"""
_HUGE = 1e5
"""per cent; a larger change is written as a power of ten"""


def placed(of: Trouble) -> str:
    """Return the place of a trouble, such as ``in alloc_vmap_area, mm/vmalloc.c:512``; empty if it is not known."""
    return ", ".join(part for part in (f"in {of.function}" if of.function else "", of.where) if part)


def blamed(of: Trouble) -> str:
    """Return the place of a trouble, and the process and CPU that ran into it."""
    parts = [
        placed(of),
        f"process {of.process}" if of.process else "",
        f"CPU {of.cpu}" if of.cpu is not None else "",
    ]
    return ", ".join(part for part in parts if part)


def spread(side: Summary) -> str:
    """Return half the range of the samples, such as ``±0.1 %``."""
    return f"±{side.spread:.{1 if side.spread < 10 else 0}f} %"


def value(side: Summary | None) -> str:
    """Return a median with its spread, such as ``5,120 ±0.1 %``."""
    return "-" if side is None else f"{text.figure(side.median)} {spread(side)}"


def count(side: Summary | None) -> str:
    """Return the number of samples and of boots, such as ``15 / 5``."""
    return "-" if side is None else f"{side.count} / {side.boots}"


def counts(of: Comparison) -> str:
    """Return the counts of both sides, once where they are equal."""
    each = dict.fromkeys(count(side) for side in (of.baseline, of.measured) if side)
    return ", ".join(each) or "-"


def percent(number: float) -> str:
    """Return a change in per cent; hundredths where it is small enough for them to matter, no decimals from 100 on."""
    if abs(number) >= _HUGE:
        return f"{number:+.0e}"
    return f"{number:+z.{2 if abs(number) < 1 else 1 if abs(number) < 99.95 else 0}f}"


def percents(numbers: Sequence[float]) -> str:
    """Return the range of changes in per cent, such as ``+5.9 to +7.7``; ``-`` without one."""
    return f"{percent(min(numbers))} to {percent(max(numbers))}" if numbers else "-"


def changed(number: float | None) -> str:
    """Return a change with its sign and unit; ``-`` if there is none."""
    return "-" if number is None else f"{percent(number)} %"


def change(of: Comparison | GeometricMean) -> str:
    """Return the change of a comparison's cost, such as ``+32.8 %`` where it costs more than the baseline."""
    return changed(of.change)


def interval(of: Comparison | GeometricMean) -> str:
    """Return the change's 95 % interval, such as ``+4.9 to +5.3``, lowest first."""
    return percents(of.changes or ())


def mean(of: GeometricMean) -> str:
    """Return the name of a mean, such as ``geometric mean of 5 tests``, or ``of 4 of 5 tests`` where one is missing."""
    some = f"{len(of.tests)} of " if of.missing else ""
    return f"geometric mean of {some}{of.of} tests"


def mean_line(of: GeometricMean) -> str:
    """Return a mean with its change and interval, and the tests that it lacks."""
    name, lacks = mean(of), without(of)
    span = f" (95 % interval {interval(of)})" if of.interval else ""
    return f"{name[0].upper()}{name[1:]}{f', {lacks}' if lacks else ''}: {change(of)}{span}"


def without(of: GeometricMean) -> str:
    """Return the tests that a mean lacks, such as ``without ne_fit_alloc_test``; empty if it has all."""
    return f"without {listed(of.missing)}" if of.missing else ""


def verdict(of: Comparison) -> str:
    """Return a verdict; for an undecided one with the boots that would decide it."""
    if of.verdict != "undecided" or not of.more:
        return _OF_SPACE.get(of.verdict, of.verdict) if of.unit == SPACE else of.verdict
    if of.more >= MOST:
        return f"undecided, >{MOST} boots"
    return f"undecided, +{of.more} boot{'s' if of.more > 1 else ''}"


def worse(of: Comparison) -> str:
    """Return the word for a higher cost: ``slower``, or ``larger`` where space is measured."""
    return _OF_SPACE["slower"] if of.unit == SPACE else "slower"


def baseline(of: Comparison) -> str:
    """Return the name of a comparison's baseline: ``stock``, or the variant in the other run."""
    return of.against if of.against == STOCK else f"{of.variant} in {of.against}"


def stretch(microseconds: float, of: Clock) -> tuple[float, str]:
    """Return a stretch of the guest's clock as a number, and its unit: instructions or microseconds."""
    worth, name = clock.unit(of)
    return (microseconds * 1000 * worth, name) if of is Clock.ICOUNT else (microseconds, "us")


def number(count: int, what: str) -> str:
    """Return a count with its noun, such as ``1 boot`` or ``3 boots``."""
    return f"{count} {what}{'' if count == 1 else 's'}"


def listed(names: Sequence[str]) -> str:
    """Return names as a sentence has them, such as ``a, b and c``."""
    return " and ".join(part for part in (", ".join(names[:-1]), *names[-1:]) if part)


def outcomes(counts: Mapping[str, int]) -> list[str]:
    """Return the number of tests for each outcome, in words, the good ones first; an outcome without a test is left out."""
    return [text.counted(counts[name], *words) for name, words in _OUTCOMES.items() if counts.get(name)]


def module(of: Foreign) -> str:
    """Return a foreign module with the digest of its sources and its parameters."""
    given = f", loaded with {' '.join(of.arguments)}" if of.arguments else ", loaded without parameters"
    return f"{of.name} (sources {of.digest[: foreign.DIGITS]}){given}"


def work(run: Provenance) -> str:
    """Return the amount of work, such as ``quick``, ``published, 10 % of its operations`` or ``quick, module NAME DIGEST``."""
    if run.module:
        return f"{run.scale.partition(' ')[0]}, module {run.module.words}"
    return run.scale if run.loops == 1 else f"{run.scale}, {run.loops * 100:g} % of its operations"


def size_beside(run: Provenance) -> str:
    """Return a sentence that compares the size of our run with the publication's."""
    if run.scale in published.SMALLER:
        return f"Ours had fewer than the {published.BUSY} of the publication, which is in {published.UNIT}."
    return f"Ours had {published.BUSY}, as the publication, which is in {published.UNIT}."


def exponent(of: Growth) -> str:
    """Return the exponent of growth with its interval, such as ``0.98 (0.95 to 1.02)``; empty without a fit."""
    if of.exponent is None or of.interval is None:
        return ""
    numbers = [f"{round(number, 2) + 0.0:.2f}" for number in (of.exponent, *of.interval)]
    return f"{numbers[0]} ({numbers[1]} to {numbers[2]})"


def of_the_clock(of: Clock) -> str:
    """Return a remark on the length of a millisecond of the guest's clock; empty under a clock that counts time."""
    worth, name = clock.unit(of)
    if of is not Clock.ICOUNT:
        return ""
    return f"1 ms of the guest's clock is {1e6 * worth:,.0f} {name}, {1 / worth:g} ns each"


def short_test(test: str) -> str:
    """Return the name of a test without the end that many have in common."""
    return test.removesuffix("_test").removesuffix("_alloc")
