# SPDX-License-Identifier: GPL-2.0-only
"""A series patch by patch in words: the entries of its matrices, and which patch is the first bad one."""

from __future__ import annotations

from harness import text
from harness.report import findings, phrases
from harness.report.contents import Content
from harness.stats.prefixes import AS_BEFORE, FAILED, NOT_KNOWN, Entry, Judged, Matrix, Prefix, Series, series

ABOUT = (
    "Each column is compared with the one before it, the first with stock: performance tests by their change,"
    " stress tests by their findings."
)
_KINDS = {FAILED: "bad", AS_BEFORE: "open", "slower": "bad", "faster": "good", **dict.fromkeys(NOT_KNOWN, "open")}


def of(content: Content) -> list[Series]:
    """Return the series of a report of which it has prefixes."""
    return series(content.provenance, content.steps, content.findings, content.results)


def heading(matrix: Matrix) -> str:
    """Return the heading of a matrix."""
    return f"{matrix.machine}, profile {matrix.profile}, clock {matrix.clock}"


def entry(shown: Entry) -> str:
    """Return an entry in words, such as ``ok`` or ``+14.0 % slower (R)``."""
    compared = shown.comparison
    if compared is None or compared.change is None:
        return shown.word
    return f"{phrases.change(compared)} {shown.word}{' (R)' if compared.regression else ''}"


def kind(shown: Entry) -> str:
    """Return the CSS class of an entry: ``bad``, ``open``, ``good`` or empty."""
    return _KINDS.get(shown.word, "")


def conclusion(of: Series) -> str:
    """Return a sentence with the first bad patch of a series, or that there is none, and the patches that are not fully known."""
    bad = of.first_bad
    stock = "" if of.from_stock else "; stock was not run, so that its own findings are not known"
    if bad is None and not of.open:
        return f"{of.name}: no patch is bad{stock}"
    unknown = ", ".join(f"{judged.step.variant} ({_unknown(judged)})" for judged in of.open)
    if bad is None:
        return f"{of.name}: no patch is known to be bad, but not all is known of {unknown}{stock}"
    before = f"; before it not all is known of {unknown}" if unknown else ""
    others = ", ".join(_blamed(judged) for judged in of.judged if judged.bad and judged is not bad)
    also = f"; also bad: {others}" if others else ""
    return text.plain(f"{of.name}: first bad: {_blamed(bad)}{also}{before}{stock}")


def named(step: Prefix) -> str:
    """Return the patch that a step adds; where it adds more than one, all of them."""
    if len(step.patches) > 1:
        return f"one of {', '.join(step.patches)}"
    return step.patches[0] if step.patches else "no patch"


def _blamed(judged: Judged) -> str:
    return f"{named(judged.step)} ({judged.step.variant}, {_why(judged)})"


def _unknown(judged: Judged) -> str:
    return ", ".join(f"{phrases.number(count, 'test')} {word}" for word, count in judged.unknown)


def _why(judged: Judged) -> str:
    if judged.causes:
        first = judged.causes[0]
        more = f" and {phrases.number(len(judged.causes) - 1, 'more cause')}" if len(judged.causes) > 1 else ""
        return f"{findings.short(first.first.trouble)} in {first.first.test}{more}"
    worst = max(judged.regressions, key=lambda comparison: comparison.change or 0.0)
    more = f" and {phrases.number(len(judged.regressions) - 1, 'more regression')}" if len(judged.regressions) > 1 else ""
    return f"{worst.test} {phrases.change(worst)} against {worst.against} on {worst.machine}{more}"
