# SPDX-License-Identifier: GPL-2.0-only
"""Finds the patch of a series that brings a failure, or changes what a test costs, on each machine."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import msgspec

from harness import paths
from harness.build import modules
from harness.commands import prefix_bench
from harness.commands.bisect_trial import Bench, Tools
from harness.commands.prefix_bench import SeriesPrefixes
from harness.errors import Interrupted, RigError, UsageError
from harness.host import files
from harness.host.shell import Line
from harness.model import catalog, records
from harness.model.bisection import Begun, Concluded, Metric, Question, Tried
from harness.model.selection import PROFILE, Selection, Where
from harness.report import bisection as words
from harness.runs import bisect_log
from harness.runs.bisect_log import BisectLog
from harness.stats import compare, cost_steps, first_failure
from harness.stats.compare import Comparison, Summary
from harness.stats.cost_steps import CostSteps
from harness.stats.estimate import FEWEST
from harness.stats.first_failure import FirstFailure

_USELESS = ("keep", "on_failure", "threshold")
"""options of a selection without a meaning here"""
METRICS: tuple[Metric, ...] = ("failure", "cost")
Ask = Callable[[Question, Sequence[str]], list[Tried]]
"""tries a prefix on some machines at once"""


class Bisected(msgspec.Struct, frozen=True):
    """The result of a bisect."""

    results: dict[str, FirstFailure | CostSteps]
    """by machine"""
    sentences: tuple[str, ...]
    log: Path

    @property
    def found(self) -> bool:
        """True if a patch is named on one machine at least."""
        return any(result.found for result in self.results.values())


def _bench(begun: Begun, series: SeriesPrefixes, folder: Path) -> Ask:
    return Bench(begun, series, folder, Tools()).ask


class Parts(msgspec.Struct, frozen=True):
    """The function that makes a bench to try prefixes on; tests hand in their own."""

    bench: Callable[[Begun, SeriesPrefixes, Path], Ask] = _bench


_PARTS = Parts()


class Wish(msgspec.Struct, frozen=True):
    """The wishes of a user of a bisect, besides a selection."""

    series: str = ""
    """its name; empty for that of --series, or the default one"""
    metric: str = ""
    tries: int = 0


def run(wanted: Selection, wish: Wish, command: str, say: Line, parts: Parts = _PARTS) -> Bisected:
    """Bisect a series, with a log in results/bisect/; `say` gets a line for each prefix that was tried.

    Raises UsageError for options that make no sense, RigError where the rig fails; the log then has what was judged.
    """
    begun, series = begin(wanted, wish, command)
    log = bisect_log.new()
    with log.run.alone():
        log.add(begun)
        return _concluded(log, _Bisect(begun, series, log, say), (), parts)


def resume(name: str, where: Where, say: Line, parts: Parts = _PARTS) -> Bisected:
    """Go on with the bisect `name`, or the newest one: what its log has is taken over, and not tried again.

    Raises UsageError if there is none, or if the series or the tests are others by now.
    """
    log = bisect_log.find(name)
    begun, tried, _ = log.read()
    series = prefix_bench.find(begun.wanted, begun.series, "bisect")
    if _identity(series) != begun.identity:
        raise UsageError(f"{log.run.folder.name} cannot be resumed: the series, or a test, has changed; begin a new bisect.")
    begun = msgspec.structs.replace(begun, wanted=msgspec.structs.replace(begun.wanted, jobs=where.jobs, cluster=where.cluster))
    with log.run.alone():
        return _concluded(log, _Bisect(begun, series, log, say), tried, parts)


def begin(wanted: Selection, wish: Wish, command: str) -> tuple[Begun, SeriesPrefixes]:
    """Return the first line of a log, and the series; UsageError for options that make no sense."""
    series = prefix_bench.find(wanted, wish.series, "bisect")
    for option in _USELESS:
        if getattr(wanted, option) != getattr(Selection(), option):
            raise UsageError(f"--{option.replace('_', '-')} has no meaning in a bisect; leave it out.")
    if not wanted.tests:
        raise UsageError("A bisect judges each prefix by a test; name it with --test.")
    if "," in wanted.profile:
        raise UsageError("A bisect tries kernels of one profile; give --profile one name.")
    path = str(paths.expanded(wanted.series, "--series")) if wanted.series else ""
    wanted = msgspec.structs.replace(wanted, series=path, plain=True)
    machines, tests = prefix_bench.machines(wanted, series), catalog.choose(wanted.tests)
    metric = _metric(wish.metric, tests)
    boots = wanted.boots or catalog.suite().scales[wanted.scale or catalog.SCALE].boots
    _check_amount(metric, wanted.boots, boots, wish.tries)
    begun = Begun(
        date=records.now(),
        command=command,
        wanted=wanted,
        series=series.name,
        patches=tuple(patch.name for patch in series.patches),
        subjects=tuple(patch.title for patch in series.patches),
        machines=machines,
        tests=tests,
        metric=metric,
        boots=boots,
        tries=wish.tries,
        identity=_identity(series),
    )
    return begun, series


def _check_amount(metric: Metric, asked: int, boots: int, tries: int) -> None:
    """Raise UsageError for a number of boots or tries that the metric has no use for; `boots` are those that it would take."""
    if metric == "cost" and boots < FEWEST:
        raise UsageError(f"--boots has to be at least {FEWEST}, or nothing can be decided.")
    if metric == "failure" and asked:
        raise UsageError("--boots is for the metric cost; --tries says in how many boots a prefix has to pass.")
    if metric == "cost" and tries:
        raise UsageError("--tries is for the metric failure; --boots says in how many boots a cost is measured.")


def _metric(wanted: str, tests: Sequence[str]) -> Metric:
    """Return the metric, which without a word for it is the cost of a single performance test, else failure."""
    measured = len(tests) == 1 and tests[0] in catalog.performance()
    if not wanted:
        return "cost" if measured else "failure"
    for metric in METRICS:
        if wanted == metric:
            if metric == "cost" and not measured:
                raise UsageError("The metric cost is that of one performance test; name it with --test.")
            return metric
    raise UsageError(f"There is no metric '{wanted}'; known are {', '.join(METRICS)}.")


def _identity(series: SeriesPrefixes) -> str:
    """Return a digest of what prefixes are made of and tested with."""
    parts = [part for patch in series.patches for part in (patch.name, patch.data)]
    module = [paths.TEST_MODULE / name for name in modules.module_sources(paths.TEST_MODULE)]
    return files.digest(*parts, catalog.digest(), *module)[:16]


class _Bisect:
    """The searches of all machines, which ask for prefixes and get answers from the log or from a bench."""

    def __init__(self, begun: Begun, series: SeriesPrefixes, log: BisectLog, say: Line) -> None:
        self.begun, self.series, self.log, self._say = begun, series, log, say
        self.results: dict[str, FirstFailure | CostSteps] = {}
        self._searches = {machine: self._search(machine) for machine in begun.machines}
        self._questions = {machine: next(search) for machine, search in self._searches.items()}

    def _search(self, machine: str) -> first_failure.Search | cost_steps.Search:
        begun = self.begun
        if begun.metric == "failure":
            return first_failure.search(len(begun.patches), begun.tries)

        def compared(low: int, before: Summary, high: int, after: Summary) -> Comparison:
            clock, profile = begun.wanted.timed, begun.wanted.profile or PROFILE
            names = words.variant(begun, high), words.variant(begun, low)
            margin, threshold = begun.wanted.margins[clock], begun.wanted.threshold
            return compare.judged(Comparison(machine, profile, clock, begun.tests[0], *names, before, after, margin, threshold))

        return cost_steps.search(len(begun.patches), begun.boots, compared)

    def replay(self, tried: Iterable[Tried]) -> None:
        """Answer questions by what was tried before, as long as there are answers."""
        answers: dict[tuple[str, Question], deque[Tried]] = defaultdict(deque)
        for one in tried:
            answers[one.machine, Question(one.prefix, one.boots)].append(one)
        for machine in self.begun.machines:
            while machine in self._questions and (known := answers[machine, self._questions[machine]]):
                self._answer(known.popleft())

    def go_on(self, ask: Ask) -> None:
        """Try prefixes until each search has its result: one prefix at a time, on all machines that want to know of it."""
        while self._questions:
            question = next(iter(self._questions.values()))
            for one in ask(question, [machine for machine, other in self._questions.items() if other == question]):
                self.log.add(one)
                self._say(words.line(self.begun, one))
                self._answer(one)

    def _answer(self, one: Tried) -> None:
        try:
            self._questions[one.machine] = self._searches[one.machine].send(one)
        except StopIteration as end:
            del self._questions[one.machine]
            self.results[one.machine] = end.value


def _concluded(log: BisectLog, bisect: _Bisect, tried: Sequence[Tried], parts: Parts) -> Bisected:
    """Bring a bisect to its end, and note it in the log; an error says how to go on."""
    bisect.replay(tried)
    on = f"What was judged is kept in {log.file}; `invoke bisect --resume {log.run.folder.name}` goes on."
    try:
        bisect.go_on(parts.bench(bisect.begun, bisect.series, log.run.folder))
    except KeyboardInterrupt:
        raise Interrupted(f"interrupted. {on}") from None
    except UsageError:
        raise
    except RigError as error:
        raise RigError(f"{error} {on}") from error
    results = {machine: bisect.results[machine] for machine in bisect.begun.machines}
    sentences = tuple(words.sentences(bisect.begun, results))
    _, _, before = log.read()
    if before is None or before.sentences != sentences:
        log.add(Concluded(records.now(), sentences))
    return Bisected(results, sentences, log.file)
