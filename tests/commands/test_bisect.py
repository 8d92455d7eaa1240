# SPDX-License-Identifier: GPL-2.0-only
"""A bisect from its options to its conclusion, with a bench that knows what each prefix shows; killed and resumed anywhere."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from harness import paths
from harness.commands import bisect
from harness.commands.bisect import Ask, Bisected, Parts, Wish
from harness.commands.prefix_bench import SeriesPrefixes
from harness.errors import Interrupted, RigError, UsageError
from harness.model.bisection import Begun, Concluded, Question, Showed, Tried
from harness.model.selection import Selection, Where
from harness.runs import bisect_log
from tests.support.patches import patch, series_of

MACHINES = ("aarch64", "x86_64")
World = Callable[[str, int, int], Showed | float]
"""tells what a prefix shows on a machine in a boot by its number, or what it costs"""


class FakeBench:
    """Shows of each prefix what a world says, and may be killed, or fail, after so many questions."""

    def __init__(self, world: World, ends_after: int = 1 << 30, with_: BaseException | None = None) -> None:
        self.asked: list[tuple[int, int, tuple[str, ...]]] = []
        self._world, self._ends_after = world, ends_after
        self._with = with_ or KeyboardInterrupt()
        self.parts = Parts(self._bench)

    def _bench(self, begun: Begun, series: SeriesPrefixes, folder: Path) -> Ask:
        assert [variant.name for variant in series.variants][-1] == begun.series
        assert folder.parent == paths.RESULTS / "bisect"
        return self._ask

    def _ask(self, question: Question, on: Sequence[str]) -> list[Tried]:
        if len(self.asked) == self._ends_after:
            raise self._with
        number = sum(prefix == question.prefix for prefix, _, _ in self.asked)
        self.asked.append((question.prefix, question.boots, tuple(on)))
        return [self._tried(question, machine, number) for machine in on]

    def _tried(self, question: Question, machine: str, number: int) -> Tried:
        shown = self._world(machine, question.prefix, number)
        if isinstance(shown, float):
            values = tuple((shown + boot / 1000,) for boot in range(question.boots))
            return Tried(machine, question.prefix, "measured", question.boots, values=values, unit="instructions/op")
        what = "" if shown == "passed" else f"{shown} at {question.prefix}"
        return Tried(machine, question.prefix, shown, question.boots, what, (f"{question.prefix:08}",) if what else ())


@pytest.fixture
def mine(tmp_path: Path, results: Path) -> str:
    """A series of six patches."""
    return str(series_of(tmp_path / "mine", 6))


def off_by_one(machine: str, prefix: int, _: int) -> Showed:
    return "failed" if prefix >= {"x86_64": 5, "aarch64": 2}[machine] else "passed"


def fifth(_: str, prefix: int, __: int) -> Showed:
    return "failed" if prefix >= 5 else "passed"


def third_costs(_: str, prefix: int, __: int) -> float:
    return 4000.0 * (1.02 if prefix >= 3 else 1)


def silent(_: str) -> None:
    """Take a line of progress, and keep it to itself."""


def run(mine: str, bench: FakeBench, said: list[str] | None = None, **other: Any) -> Bisected:
    wish = other.pop("wish", Wish())
    wanted = Selection(**{"series": mine, "tests": "vmap_test", "scale": "quick", **other})
    return bisect.run(wanted, wish, "invoke bisect", silent if said is None else said.append, bench.parts)


def resume(bench: FakeBench, name: str = "", jobs: int = 0) -> Bisected:
    return bisect.resume(name, Where(jobs), silent, bench.parts)


def test_a_patch_is_named_with_all_that_is_known_of_it(mine: str, said: list[str]) -> None:
    bench = FakeBench(fifth)
    found = run(mine, bench, said)
    assert found.found
    assert found.sentences[0] == (
        'aarch64: patch 5 of 6, "mm: change number 5" (0005-change.patch), is the first bad one. With it vmap_test failed in 1 of 1'
        " boot (failed at 5), the whole series in 3 of 3 boots; mine@4 passed in 3 boots."
    )
    assert found.sentences[1].startswith("aarch64: The chance that an earlier patch is to blame is at most 4.7 %")
    again = f"invoke test --machine x86_64 --variant mine@4,mine@5 --tests vmap_test --scale quick --plain --series {mine}"
    assert f"x86_64: again: {again}" in found.sentences
    assert {on for _, _, on in bench.asked} == {MACHINES}, "both machines at once"
    assert [prefix for prefix, _, _ in bench.asked] == [6, 6, 6, 0, 0, 0, 3, 3, 3, 4, 4, 4, 5]
    assert said[:2] == ["bisect aarch64: mine failed: failed at 6", "bisect x86_64: mine failed: failed at 6"]
    assert said[-1] == "bisect x86_64: mine@5 failed: failed at 5"


def test_each_machine_may_find_another_patch(mine: str) -> None:
    bench = FakeBench(off_by_one)
    found = run(mine, bench)
    assert found.sentences[-1] == "The machines differ: patch 2 on aarch64 and patch 5 on x86_64."
    together = [prefix for prefix, _, on in bench.asked if on == MACHINES]
    assert together == [6, 6, 6, 0, 0, 0, 3], "as long as they want to know the same"


def test_a_machine_without_the_failure_is_told_beside_the_other(mine: str) -> None:
    found = run(mine, FakeBench(lambda machine, prefix, _: fifth(machine, prefix, 0) if machine == "x86_64" else "passed"))
    assert found.found
    assert found.sentences[0] == "aarch64: the whole series passes in all 10 boots, so that there is no failure to search."
    assert "patch 5 of 6" in found.sentences[1]
    assert "differ" not in found.sentences[-1]


def test_without_a_patch_on_any_machine_nothing_is_found(mine: str) -> None:
    found = run(mine, FakeBench(lambda *_: "passed"))
    assert not found.found
    assert len(found.sentences) == 2


def test_a_cost_is_searched_by_its_figures(mine: str) -> None:
    bench = FakeBench(third_costs)
    found = run(mine, bench, tests="le_fit_alloc_test", machine="x86_64")
    assert found.sentences[0].startswith(
        'x86_64: patch 3 of 6, "mm: change number 3" (0003-change.patch), makes le_fit_alloc_test slower, +2.0 %, 95 % interval'
    )
    assert "(mine@2 4,000 ±0.0 % and mine@3 4,080 ±0.0 %, instructions/op)" in found.sentences[0]
    assert found.sentences[1] == "x86_64: mine costs +2.0 % against stock."
    assert bench.asked == [(prefix, 3, ("x86_64",)) for prefix in (6, 0, 3, 1, 2)]
    assert "--variant mine@2,mine@3" in found.sentences[2]


def test_a_performance_test_may_be_searched_for_a_failure(mine: str) -> None:
    found = run(mine, FakeBench(fifth), tests="le_fit_alloc_test", wish=Wish(metric="failure", tries=1))
    assert "patch 5 of 6" in found.sentences[0]


def test_skipped_prefixes_are_told(mine: str) -> None:
    def world(machine: str, prefix: int, _: int) -> Showed:
        return "no build" if prefix in (3, 4) else fifth(machine, prefix, 0)

    found = run(mine, FakeBench(world), machine="x86_64")
    assert found.sentences[0].startswith(
        'x86_64: one of these patches of 6 is the first bad one: 3, "mm: change number 3" (0003-change.patch);'
        ' 4, "mm: change number 4" (0004-change.patch); 5,'
    )
    assert "x86_64: mine@3 was skipped: no build at 3." in found.sentences
    assert "x86_64: mine@4 was skipped: no build at 4." in found.sentences


def test_a_part_of_a_series_may_be_searched(mine: str) -> None:
    found = run(mine, bench := FakeBench(lambda _, prefix, __: "failed" if prefix >= 2 else "passed"), wish=Wish("mine@4"))
    assert "patch 2 of 4" in found.sentences[0]
    assert max(prefix for prefix, _, _ in bench.asked) == 4


@pytest.mark.parametrize("world", [off_by_one, third_costs], ids=["failure", "cost"])
def test_it_goes_on_after_a_kill_at_any_point(mine: str, world: World) -> None:
    tests = "le_fit_alloc_test" if world is third_costs else "vmap_test"
    whole = FakeBench(world)
    expected = run(mine, whole, tests=tests)
    expected.log.unlink()
    for killed in range(len(whole.asked)):
        first = FakeBench(world, ends_after=killed)
        with pytest.raises(Interrupted, match=r"What was judged is kept in .*; `invoke bisect --resume \d{8}-\d{6}-\w{4}` goes on"):
            run(mine, first, tests=tests)
        log = bisect_log.find("")
        with log.file.open("ab") as file:  # as a kill in the middle of a line leaves it
            file.write(b'{"type":"tried","mach')
        rest = FakeBench(world)
        found = resume(rest)
        assert found.sentences == expected.sentences
        assert found.log == log.file
        assert first.asked + rest.asked == whole.asked, "nothing twice, nothing left out"
        log.file.unlink()


@pytest.mark.parametrize("world", [off_by_one, third_costs], ids=["failure", "cost"])
def test_it_goes_on_from_any_line_of_its_log(mine: str, world: World) -> None:
    """A kill may come between the lines of two machines that were tried together."""
    expected = run(mine, FakeBench(world), tests="le_fit_alloc_test" if world is third_costs else "vmap_test")
    lines = expected.log.read_bytes().splitlines(keepends=True)
    for kept in range(1, len(lines)):
        expected.log.write_bytes(b"".join(lines[:kept]))
        bench = FakeBench(world)
        assert resume(bench).sentences == expected.sentences
        now = expected.log.read_bytes().splitlines()
        assert len(now) == len(lines)
        assert sum(len(on) for _, _, on in bench.asked) == len(lines) - 1 - kept, "all but the first line and the conclusion"


def test_a_bisect_that_came_to_its_end_says_it_again(mine: str) -> None:
    expected = run(mine, FakeBench(fifth))
    lines = expected.log.read_bytes()
    bench = FakeBench(fifth)
    assert resume(bench, expected.log.parent.name).sentences == expected.sentences
    assert not bench.asked
    assert expected.log.read_bytes() == lines
    assert isinstance(bisect_log.find(str(expected.log)).read()[2], Concluded)


def test_a_line_that_is_removed_is_tried_again(mine: str) -> None:
    log = run(mine, FakeBench(fifth), machine="x86_64").log
    lines = [line for line in log.read_text().splitlines(keepends=True) if '"prefix":4' not in line]
    log.write_text("".join(lines))
    bench = FakeBench(lambda _, prefix, __: "failed" if prefix >= 4 else "passed")
    assert "patch 4 of 6" in resume(bench).sentences[0]
    assert [prefix for prefix, _, _ in bench.asked] == [4]
    assert "patch 4 of 6" in bisect_log.find("").read()[2].sentences[0]  # type: ignore[union-attr]


def test_a_rig_that_fails_says_how_to_go_on(mine: str) -> None:
    with pytest.raises(RigError, match=r"^the disk is full\. What was judged is kept in .*bisect\.jsonl; `invoke bisect --resume"):
        run(mine, FakeBench(fifth, 4, RigError("the disk is full.")))
    assert len(bisect_log.find("").read()[1]) == 4 * len(MACHINES)


def test_a_patch_that_does_not_apply_is_said_as_it_is(mine: str) -> None:
    with pytest.raises(UsageError, match=r"^it does not apply\.$"):
        run(mine, FakeBench(fifth, 0, UsageError("it does not apply.")))


def test_another_series_is_not_gone_on_with(mine: str) -> None:
    with pytest.raises(Interrupted):
        run(mine, FakeBench(fifth, 2))
    (Path(mine) / "0003-change.patch").write_text(patch(3, 6).replace("+changed", "+other"))
    with pytest.raises(UsageError, match="cannot be resumed: the series, or a test, has changed; begin a new bisect"):
        resume(FakeBench(fifth))


def test_a_resumed_bisect_takes_the_jobs_and_the_cluster_that_it_is_told(mine: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(Interrupted):
        run(mine, FakeBench(fifth, 2), jobs=1)
    bench = FakeBench(fifth)
    begun: list[Begun] = []

    def made(what: Begun, series: SeriesPrefixes, folder: Path) -> Ask:
        begun.append(what)
        return bench.parts.bench(what, series, folder)

    bisect.resume("", Where(2, "tls://a:1"), silent, Parts(made))
    assert begun[0].wanted.where == Where(2, "tls://a:1")


@pytest.mark.parametrize(
    ("options", "wish", "said"),
    [
        ({"tests": ""}, Wish(), "A bisect judges each prefix by a test; name it with --test"),
        ({"tests": "no_such_test"}, Wish(), "There is no test 'no_such_test'"),
        ({"keep": True}, Wish(), "--keep has no meaning in a bisect"),
        ({"on_failure": "core"}, Wish(), "--on-failure has no meaning in a bisect"),
        ({"threshold": 3.0}, Wish(), "--threshold has no meaning in a bisect"),
        ({"variant": "stock"}, Wish(), "--variant has no meaning in `invoke bisect`"),
        ({"each_patch": True}, Wish(), "--each-patch has no meaning in `invoke bisect`"),
        ({"profile": "perf,debug"}, Wish(), "A bisect tries kernels of one profile"),
        ({"machine": "arm"}, Wish(), "There is no machine 'arm'"),
        ({"boots": 3}, Wish(), "--boots is for the metric cost"),
        ({"tests": "le_fit_alloc_test", "boots": 2}, Wish(), "--boots has to be at least 3"),
        ({"tests": "le_fit_alloc_test"}, Wish(tries=2), "--tries is for the metric failure"),
        ({}, Wish(metric="cost"), "The metric cost is that of one performance test"),
        ({"tests": "performance"}, Wish(metric="cost"), "The metric cost is that of one performance test"),
        ({}, Wish(metric="p99"), "There is no metric 'p99'; known are failure, cost"),
        ({}, Wish("other"), "There is no variant 'other' for Linux 4.18"),
        ({}, Wish("fixes"), "'fixes' and --series .* are two series"),
        ({}, Wish("mine@7"), "'mine@7' asks for 7 patches; .* has 6"),
        ({}, Wish("stock"), "`invoke bisect` needs a series"),
        ({"series": "/nowhere"}, Wish(), "There is no series at /nowhere"),
    ],
)
def test_a_mistake_is_said_before_anything_is_done(mine: str, options: dict[str, Any], wish: Wish, said: str) -> None:
    bench = FakeBench(fifth)
    with pytest.raises(UsageError, match=said):
        run(mine, bench, wish=wish, **options)
    assert not bench.asked
    assert not (paths.RESULTS / "bisect").exists()
