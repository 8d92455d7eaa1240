# SPDX-License-Identifier: GPL-2.0-only
"""A bisect in words: a line for each thing that was tried, and the conclusion, with the command that repeats it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from harness import text
from harness.host import shell
from harness.model.bisection import Begun, Tried
from harness.model.matrix import STOCK
from harness.model.selection import Selection
from harness.report import phrases, reproduce
from harness.stats.compare import Comparison
from harness.stats.cost_steps import CostStep, CostSteps
from harness.stats.first_failure import FirstFailure, Tally

_SHOWED = {"no boot": "does not boot", "no build": "does not build"}
_UNSAID = ("jobs", "cluster")
"""options of a selection that change nothing of what is seen"""
Result = FirstFailure | CostSteps


def variant(begun: Begun, prefix: int) -> str:
    """Return the name of the variant that has so many patches of the series."""
    if prefix in (0, len(begun.patches)):
        return begun.series if prefix else STOCK
    return f"{begun.series.partition('@')[0]}@{prefix}"


def line(begun: Begun, tried: Tried) -> str:
    """Return what a prefix showed, in one line."""
    what = f": {tried.what}" if tried.what else ""
    boots = f" in {phrases.number(tried.boots, 'boot')}" if tried.boots > 1 else ""
    return text.plain(
        f"bisect {tried.machine}: {variant(begun, tried.prefix)} {_SHOWED.get(tried.showed, tried.showed)}{boots}{what}"
    )


def sentences(begun: Begun, results: Mapping[str, Result]) -> list[str]:
    """Return the conclusion: what was found on each machine, whether the machines differ, and the commands that repeat it."""
    said = []
    for machine, result in results.items():
        told = _failure(begun, result) if isinstance(result, FirstFailure) else _cost(begun, result)
        said += [text.plain(f"{machine}: {sentence}") for sentence in told]
        said += [f"{machine}: again: {words}" for words in _again(begun, machine, result)]
    found = {machine: _patches(result) for machine, result in results.items() if result.found}
    if len(set(found.values())) > 1:
        each = [f"{_numbers(numbers)} on {machine}" for machine, numbers in found.items()]
        said.append(f"The machines differ: {phrases.listed(each)}.")
    return said


def command(begun: Begun, machines: Sequence[str], prefixes: Sequence[int], boots: int = 0) -> str:
    """Return the command that tests prefixes on machines as the bisect did."""
    wanted = msgspec.structs.replace(
        begun.wanted,
        machine=",".join(machines),
        variant=",".join(variant(begun, prefix) for prefix in prefixes),
        boots=boots,
        series=begun.wanted.series if any(prefixes) else "",
    )
    words = ["invoke", "test"]
    for name in wanted.__struct_fields__:
        value = getattr(wanted, name)
        if name not in _UNSAID and value != getattr(Selection(), name):
            words.append(f"--{name.replace('_', '-')}")
            words += [] if value is True else [f"{value:g}" if isinstance(value, float) else str(value)]
    return shell.quote([*reproduce.environment(begun.command), *words])


def _failure(begun: Begun, of: FirstFailure) -> list[str]:
    if not of.found:
        return [f"{of.obstacle}."]
    first, tests = of.bad[0], ", ".join(begun.tests)
    whole = f", the whole series in {_share(of.whole)}" if first.prefix != of.whole.prefix else ""
    good = of.good[-1]
    told = [
        f"{_named(begun, of.patches, 'is the first bad one')}. With it {tests} failed in {_share(first)} ({first.what}){whole};"
        f" {variant(begun, good.prefix)} passed in {phrases.number(good.tried, 'boot')}.",
        f"The chance that an earlier patch is to blame is at most {phrases.percent(100 * of.chance).lstrip('+')} %,"
        " if what it breaks shows as often as in the whole series.",
    ]
    if first.causes and set(of.whole.causes) - set(first.causes):
        told.append(f"The whole series showed another finding too ({of.whole.what}): bisect again once this one is mended.")
    return [*told, *(_left_out(begun, tally.prefix, tally.what) for tally in of.skipped)]


def _cost(begun: Begun, of: CostSteps) -> list[str]:
    whole = f" ({_change(of.whole)})" if of.whole else ""
    if of.obstacle:
        return [f"{of.obstacle}{whole}."]
    told = [_step(begun, step) for step in of.steps]
    told.append(f"{variant(begun, len(begun.patches))} costs {phrases.change(of.whole) if of.whole else '-'} against stock.")
    return [*told, *(_left_out(begun, tried.prefix, tried.what) for tried in of.skipped)]


def _step(begun: Begun, step: CostStep) -> str:
    numbers = range(step.low + 1, step.high + 1)
    figures = (phrases.value(side) for side in (step.comparison.baseline, step.comparison.measured))
    sides = " and ".join(f"{variant(begun, n)} {figure}" for n, figure in zip((step.low, step.high), figures, strict=True))
    what = f"makes {step.comparison.test} {phrases.verdict(step.comparison)}, {_change(step.comparison)}"
    if not step.decided:
        what = f"may change {step.comparison.test}: {phrases.verdict(step.comparison)}, {_change(step.comparison)}"
    if step.spread:
        first, last = numbers[0], numbers[-1]
        told = f"patches {first} to {last} of {len(begun.patches)} together make {step.comparison.test}"
        told += f" {phrases.verdict(step.comparison)}, {_change(step.comparison)}, and no half of them does by itself"
    else:
        told = _named(begun, numbers, what)
    return f"{told} ({sides}, {step.comparison.unit})."


def _change(of: Comparison | None) -> str:
    if of is None:
        return "-"
    span = f", 95 % interval {phrases.interval(of)}" if of.interval else ""
    return f"{phrases.change(of)}{span}"


def _named(begun: Begun, numbers: range, what: str) -> str:
    """Return the patches of which one is to blame, with their subjects and files, and `what` it does."""
    of = len(begun.patches)
    each = [f'{n}, "{begun.subjects[n - 1]}" ({begun.patches[n - 1]})' for n in numbers]
    if len(each) == 1:
        number, _, rest = each[0].partition(", ")
        return f"patch {number} of {of}, {rest}, {what}"
    return f"one of these patches of {of} {what}: {'; '.join(each)}"


def _left_out(begun: Begun, prefix: int, what: str) -> str:
    return f"{variant(begun, prefix)} was skipped: {what.rstrip('.')}."


def _share(of: Tally) -> str:
    return f"{of.failed} of {phrases.number(of.tried, 'boot')}"


def _patches(of: Result) -> tuple[int, ...]:
    if isinstance(of, FirstFailure):
        return tuple(of.patches)
    return tuple(number for step in of.steps if step.decided for number in range(step.low + 1, step.high + 1))


def _numbers(numbers: Sequence[int]) -> str:
    return f"patch{'es' if len(numbers) > 1 else ''} {phrases.listed([str(number) for number in numbers])}"


def _again(begun: Begun, machine: str, of: Result) -> list[str]:
    if isinstance(of, FirstFailure):
        return [command(begun, [machine], (of.good[-1].prefix, of.bad[0].prefix))] if of.found else []
    return [command(begun, [machine], (step.low, step.high), _boots(begun, step.comparison)) for step in of.steps]


def _boots(begun: Begun, of: Comparison) -> int:
    """Return the boots that a comparison took; 0 if they are those of the scale, which need no option."""
    boots = of.measured.boots if of.measured else 0
    return boots if begun.wanted.boots or boots != begun.boots else 0
