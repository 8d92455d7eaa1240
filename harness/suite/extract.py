# SPDX-License-Identifier: GPL-2.0-only
"""Makes the records of a test from the output of the module and of the guest."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from harness import paths
from harness.build import git
from harness.host import debug_info
from harness.kernlog import kmemleak
from harness.model import catalog, clock
from harness.model.attribution import Counted, LockedSection
from harness.model.coverage import Reached
from harness.model.foreign import Foreign
from harness.model.records import SPACE, Booted, CriticalSection, Finding, Histogram, Look, Memory, Point, Sample, Scaled, Within
from harness.model.trouble import Trouble
from harness.suite import attribution, coverage, guest_script, ktap, meminfo, tracer
from harness.suite.foreign import Said
from harness.suite.plan import Plan, Session, Step
from harness.vm.blocks import Dump

_PAGE = 4096
"""bytes; all machines have such"""


class Observed(msgspec.Struct, frozen=True):
    """The records of one step of a session."""

    boots: tuple[Booted, ...] = ()
    """that proved what they run, and were made for it"""
    samples: tuple[Sample, ...] = ()
    findings: tuple[Finding, ...] = ()
    histograms: tuple[Histogram, ...] = ()
    sections: tuple[CriticalSection, ...] = ()
    memory: tuple[Memory, ...] = ()
    scaled: tuple[Scaled, ...] = ()
    points: tuple[Point, ...] = ()
    looks: tuple[Look, ...] = ()
    counted: tuple[Counted, ...] = ()
    locked: tuple[LockedSection, ...] = ()
    reached: tuple[Reached, ...] = ()
    within: tuple[Within, ...] = ()
    skipped: str = ""

    @property
    def unexpected(self) -> tuple[str, ...]:
        """Findings that are no known bug, as ``kind: title``."""
        return tuple(f"{f.trouble.kind}: {f.trouble.title}" for f in self.findings if not f.expected)

    @property
    def outcome(self) -> str:
        """The word for a result: failed, xfailed (a known bug was seen), skipped or passed."""
        if self.unexpected:
            return "failed"
        return "xfailed" if self.findings else "skipped" if self.skipped else "passed"

    @property
    def reason(self) -> str:
        """The reason for that word; empty if the test passed."""
        return "; ".join(self.unexpected or dict.fromkeys(f.expected for f in self.findings)) or self.skipped

    def records(self) -> tuple[msgspec.Struct, ...]:
        """Return all records, for the run's folder."""
        return (
            *self.boots,
            *self.samples,
            *self.findings,
            *self.histograms,
            *self.sections,
            *self.memory,
            *self.scaled,
            *self.points,
            *self.looks,
            *self.counted,
            *self.locked,
            *self.reached,
            *self.within,
        )


class Reading:
    """The names that go on every record of one load of the module."""

    def __init__(self, chosen: Plan, session: Session, step: Step) -> None:
        """Read for `step` in the VM of `session`."""
        cell = session.built.cell
        self._plan, self._session = chosen, session
        self._size = chosen.size
        self._step = step
        self._clock = session.clock
        self._use = catalog.profile_use(cell.profile)
        self._names = {
            "machine": cell.machine.name,
            "variant": cell.variant.name,
            "profile": cell.profile,
            "clock": session.clock,
            "boot": session.boot,
        }

    def samples(self, report: ktap.Report) -> tuple[Sample, ...]:
        """Return the samples, with warm-up marked; none of a sweep, or if a tracer disturbed them."""
        if self._use.tracer or self._step.axis or self._session.counts:
            return ()
        timed = [
            self._sample(timing.test, timing.repeat, thread=timing.thread, **self._cost(timing))
            for timing in report.timings
            if timing.operations  # none has a thread that idles while others work
        ]
        spaces = [
            self._sample(one.test, one.repeat, thread=0, value=one.span * 1024 / one.held, unit=SPACE, operations=one.operations)
            for one in report.spaces
            if one.counts
        ]
        return (*timed, *spaces)

    def _sample(self, test: str, repeat: int, **measured: object) -> Sample:
        """Return a sample with its place among all of the boot, and with what was `measured`."""
        warmup = 0 if self._step.test.stress else self._size.warmup
        return Sample(
            **self._names,  # type: ignore[arg-type]
            test=test,
            repeat=self._step.round * (warmup + self._size.repeat) + repeat,
            warmup=self._step.round >= self._size.rounds or repeat < warmup,
            **measured,  # type: ignore[arg-type]
        )

    def loaded(self, module: Foreign, said: Said) -> Observed:
        """Return the records of a load of a foreign module: how the tests within it went, and their times."""
        return Observed(samples=self.foreign_samples(module, said), within=self._results(module, said), skipped=said.skipped)

    def _results(self, module: Foreign, said: Said) -> tuple[Within, ...]:
        """Return how the tests within a module went; what is wrong with its report as a whole is no test of its own."""
        return tuple(
            Within(
                **self._names,  # type: ignore[arg-type]
                test=module.test(case.test),
                round=self._step.round,
                outcome="skipped" if case.skipped else "passed" if case.ok else "failed",
            )
            for case in said.cases
            if case.test
        )

    def foreign_samples(self, module: Foreign, said: Said) -> tuple[Sample, ...]:
        """Return the samples of the tests within a foreign module; none of kernels that are not there to be timed.

        It may warm up by its own parameters; the rig does not know, and takes all of them to count.
        """
        if "performance" not in self._use.kinds:
            return ()
        repeats = max((timing.repeat for timing in said.timings), default=0) + 1
        return tuple(
            Sample(
                **self._names,  # type: ignore[arg-type]
                test=module.test(timing.test),
                repeat=self._step.round * repeats + timing.repeat,
                thread=timing.thread,
                **self._cost(timing),  # type: ignore[arg-type]
            )
            for timing in said.timings
        )

    def points(self, report: ktap.Report) -> tuple[Point, ...]:
        """Return the measurements of a step of a sweep; none where instructions were counted, which makes them dearer."""
        if not self._step.axis or self._session.counts:
            return ()
        return tuple(
            Point(
                **self._names,  # type: ignore[arg-type]
                workload=timing.test,
                axis=self._step.axis,
                size=self._step.size,
                repeat=timing.repeat,
                **self._cost(timing),  # type: ignore[arg-type]
            )
            for timing in report.timings
            if timing.operations  # none is a size at which nothing could be measured
        )

    def _cost(self, timing: ktap.Timing) -> dict[str, object]:
        value, unit = clock.per_operation(self._clock, timing.nanoseconds, timing.operations)
        return {"value": value, "unit": unit, "operations": timing.operations}

    def histograms(self, report: ktap.Report) -> tuple[Histogram, ...]:
        """Return the durations of single operations."""
        histograms = []
        for latency in report.latencies:
            worth, unit = clock.unit(self._clock)
            histograms.append(
                Histogram(
                    **self._names,  # type: ignore[arg-type]
                    test=latency.test,
                    unit=unit,
                    overhead=latency.overhead_ns * worth,
                    highest=latency.max_ns * worth,
                    buckets=tuple((lower * worth, count) for lower, count in latency.buckets),
                )
            )
        return tuple(histograms)

    def sections(self, output: str) -> tuple[CriticalSection, ...]:
        """Return the longest stretch without preemption, if a tracer looked for it."""
        trace = _between(output, guest_script.TRACE, "begin")
        traced = tracer.parse(trace) if trace else None
        if traced is None:
            return ()
        return (
            CriticalSection(
                **self._names,  # type: ignore[arg-type]
                test=self._step.test.name,
                repeat=self._step.round,
                microseconds=traced.microseconds,
                began=traced.began,
                ended=traced.ended,
                stack=traced.stack,
            ),
        )

    def counted(
        self, report: ktap.Report, dumps: Sequence[Dump], output: str
    ) -> tuple[tuple[Counted, ...], tuple[LockedSection, ...]]:
        """Return the instructions and the sections under a lock of the last sample, by function; of a sweep the sections alone.

        Nothing where QEMU's plugin did not tell of each sample, or not of all blocks.
        """
        loops = [dump for dump in dumps if dump.kind == "loop"]
        timings = [timing for timing in report.timings if timing.operations]
        if not self._session.counts or not timings or len(loops) != len(timings) or loops[-1].lost:
            return (), ()
        built, timing = self._session.built, timings[-1]
        kernel = built.kernel
        sources = (git.sources(kernel.commit), debug_info.below(paths.TEST_MODULE.parent))
        sections = attribution.sections(_between(output, guest_script.SECTIONS, "begin"))
        memory = attribution.Memory(kernel.vmlinux, kernel.folder / "System.map", kernel.debug_module, sections, sources)
        names = {**self._names, "test": timing.test, "operations": timing.operations}
        measured, _ = clock.per_operation(self._clock, timing.nanoseconds, timing.operations)
        locked = tuple(
            LockedSection(**names, **found, axis=self._step.axis, size=self._step.size)  # type: ignore[arg-type]
            for found in memory.sections(loops[-1].sections, timing.operations)
        )
        if self._step.axis:
            return (), locked
        functions = memory.functions(loops[-1].blocks, timing.operations)
        return (Counted(**names, measured=measured, functions=functions),), locked  # type: ignore[arg-type]

    def reached(self, dumps: Sequence[Dump]) -> tuple[Reached, ...]:
        """Return the lines of the series that ran, by test; a record without lines where QEMU did not tell."""
        lines = self._plan.lines_of(self._session.built.cell)
        if not lines or not self._session.watched:
            return ()
        test, by = self._step.test.name, coverage.by_test(self._step.test.name, dumps)
        found = {name: coverage.reached(lines, ran) for name, ran in {test: [], **by}.items()}
        told = test in by and not any(dump.lost for dump in dumps)
        return tuple(
            Reached(**self._names, test=name, lines=ran, told=told or name != test)  # type: ignore[arg-type]
            for name, ran in found.items()
        )

    def memory(self, report: ktap.Report, output: str) -> tuple[Memory, ...]:
        """Return the looks at memory: the module's own, with the values of the kernel's files before and after."""
        before, after = meminfo.before_and_after(
            _between(output, guest_script.MEMORY, "before"), _between(output, guest_script.MEMORY, "after")
        )
        files = {"before": before, "after": after}
        return tuple(
            Memory(
                **self._names,  # type: ignore[arg-type]
                test=self._step.test.name,
                at=look.at,
                seconds=look.nanoseconds / 1e9,
                values={**_space(look.values), **files.get(look.at, {})},
            )
            for look in report.looks
        )

    def scaled(self, report: ktap.Report) -> tuple[Scaled, ...]:
        """Return what the tests did in place of more, as the vmalloc range is small."""
        return tuple(
            Scaled(
                **self._names,  # type: ignore[arg-type]
                test=scaling.test,
                mebibytes=scaling.mebibytes,
                asked=scaling.asked,
                done=scaling.done,
            )
            for scaling in report.scalings
        )

    def looks(self, report: ktap.Report, output: str) -> tuple[Look, ...]:
        """Return the state of memory after the test, and the most lazily freed pages during it; nothing outside of a soak."""
        rest = meminfo.at_rest(_between(output, guest_script.REST, "begin"))
        if rest is None:
            return ()
        most = max((note.values.get("lazy_pages_max", 0) for note in report.notes), default=0)
        return (
            Look(
                **self._names,  # type: ignore[arg-type]
                test=self._step.test.name,
                round=self._step.round,
                seed=self._step.seed,
                share=self._step.share,
                uptime=rest.uptime,
                values={**rest.values, "lazy_most": min(most * _PAGE, ktap.MOST)},
                caches=rest.caches,
            ),
        )

    def troubles(self, logged: Sequence[Trouble], output: str, line: int) -> list[Trouble]:
        """Return the troubles of the log, with the leaks in detail. A leak that the log does not mention gets its line `line`."""
        if not self._use.leaks:
            return list(logged)
        scans = (_between(output, guest_script.LEAKS, what) for what in ("first", "again", "names"))
        return kmemleak.instead(logged, kmemleak.read(*scans), line)


def _space(values: Mapping[str, int]) -> dict[str, int]:
    """Return the values of a look, with external fragmentation: the free space outside of the largest hole."""
    if not {"free", "largest_hole"} <= values.keys():
        return dict(values)
    free, largest = values["free"], values["largest_hole"]
    others = {name: value for name, value in values.items() if name not in ("free", "largest_hole")}
    return {"fragmented": free - largest, **others, "largest_hole": largest, "free": free}


def _between(output: str, marker: str, what: str) -> str:
    """Return what the script printed between the line `marker` `what` and the next of that marker."""
    return output.partition(f"{marker} {what}\n")[2].partition(f"{marker} end\n")[0]
