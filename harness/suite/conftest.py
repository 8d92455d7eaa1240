# SPDX-License-Identifier: GPL-2.0-only
"""Makes pytest items of a plan's cells and tests, and writes down what they bring to light."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pytest

from harness import paths, plan, records
from harness.plan import BuiltCell, Plan, Test
from harness.records import Result, Run
from harness.suite.lab import Lab
from harness.suite.trial import Outcome, known_bugs

_PLAN = pytest.StashKey[Plan]()
_RUN = pytest.StashKey[Run]()


class KnownBugSeen(Exception):
    """A test showed the bug that it is known to show in this variant, and nothing else."""


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("kernel patch rig")
    group.addoption("--rig-plan", type=Path, default=None, help="what to run (default: what `invoke build` built last)")
    group.addoption("--rig-run", type=Path, default=None, help="the run's folder (default: a new one in results/)")


def pytest_configure(config: pytest.Config) -> None:
    if config.option.rig_run is None:
        config.option.rig_run = records.new_folder()
    config.stash[_PLAN] = plan.load(config.option.rig_plan or paths.cache() / "plan.json")
    config.stash[_RUN] = Run(config.option.rig_run)
    if not hasattr(config, "workerinput"):
        config.pluginmanager.register(Recorder(config.stash[_RUN]), "rig-recorder")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    chosen = metafunc.config.stash[_PLAN]
    tests = [t for t in plan.suite().tests if t.name in chosen.tests]
    if "clock" in metafunc.fixturenames:
        boots = [_parameters(built, clock, clock, []) for built in chosen.cells for clock in chosen.clocks]
        metafunc.parametrize(("built", "clock"), boots)
    else:
        runs = [_parameters(built, test, test.name, _xfail(chosen, built, test)) for built in chosen.cells for test in tests]
        metafunc.parametrize(("built", "test"), runs)


def _parameters(built: BuiltCell, other: object, name: str, marks: list[pytest.MarkDecorator]) -> object:
    cell = built.cell.name
    return pytest.param(built, other, id=f"{cell}/{name}", marks=(pytest.mark.xdist_group(cell), *marks))


def _xfail(chosen: Plan, built: BuiltCell, test: Test) -> list[pytest.MarkDecorator]:
    return [
        pytest.mark.xfail(strict=True, raises=KnownBugSeen, reason=bug.reason)
        for bug in known_bugs(chosen.base, built.cell, test.name)
    ]


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Order by cell, then by clock, the boot before the tests: one VM after the other."""
    chosen = config.stash[_PLAN]
    cells = [built.cell.name for built in chosen.cells]
    tests = [test.name for test in plan.suite().tests]

    def place(item: pytest.Item) -> tuple[int, int, int]:
        parameters = item.callspec.params  # type: ignore[attr-defined]
        test = parameters.get("test")
        clock = chosen.clock_of(test) if test else parameters["clock"]
        return cells.index(parameters["built"].cell.name), chosen.clocks.index(clock), tests.index(test.name) if test else -1

    items.sort(key=place)


@pytest.fixture(scope="session")
def chosen(request: pytest.FixtureRequest) -> Plan:
    """The plan that is being run."""
    return request.config.stash[_PLAN]


@pytest.fixture(scope="session")
def lab(request: pytest.FixtureRequest, chosen: Plan) -> Iterator[Lab]:
    """The VMs of this worker."""
    made = Lab(request.config.stash[_RUN].folder, keep=chosen.keep)
    yield made
    made.close()


Judge = Callable[[Outcome], None]


@pytest.fixture
def judge(request: pytest.FixtureRequest, record_property: Callable[[str, object], None]) -> Judge:
    """Records an outcome, then passes or fails the test by it."""
    parameters = request.node.callspec.params
    cell = parameters["built"].cell
    test = parameters["test"].name if "test" in parameters else f"boot under {parameters['clock']}"
    record_property("cell", (cell.machine.name, cell.variant.name, cell.profile, test))

    def decide(outcome: Outcome) -> None:
        record_property("outcome", msgspec.to_builtins(outcome))
        unexpected = [f"{f.kind}: {f.title}" for f in outcome.findings if not f.expected]
        if unexpected:
            pytest.fail("; ".join(unexpected), pytrace=False)
        if outcome.findings:
            raise KnownBugSeen(outcome.findings[0].title)
        if outcome.skipped:
            pytest.skip(outcome.skipped)

    return decide


class Recorder:
    """Writes down what each test brought to light, in the one process that hears of all of them."""

    def __init__(self, run: Run) -> None:
        self._run = run

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Append to the run's files when a test is over, or could not start."""
        properties = dict(report.user_properties)
        if "cell" not in properties or not (report.when == "call" or report.failed):
            return
        if "outcome" in properties:
            outcome = msgspec.convert(properties["outcome"], Outcome)
            self._run.add("samples.jsonl", outcome.samples)
            self._run.add("findings.jsonl", outcome.findings)
        reason = str(getattr(report, "wasxfail", "")) or (report.longreprtext.strip().splitlines() or [""])[-1]
        self._run.add(
            "results.jsonl", [Result(*properties["cell"], self._outcome(report, properties), round(report.duration, 3), reason)]
        )

    @staticmethod
    def _outcome(report: pytest.TestReport, properties: dict[str, object]) -> str:
        if hasattr(report, "wasxfail") and report.skipped:
            return "xfailed"
        return "error" if report.failed and "outcome" not in properties else report.outcome
