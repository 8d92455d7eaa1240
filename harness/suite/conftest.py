# SPDX-License-Identifier: GPL-2.0-only
"""Makes pytest items of a plan's cells and tests, and writes down what they bring to light."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pytest
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling
from xdist.workermanage import WorkerController

from harness import paths, plan, records
from harness.matrix import STOCK
from harness.plan import BuiltCell, Plan, SuiteTest
from harness.progress import names, why
from harness.records import Result, Run
from harness.suite.lab import Lab
from harness.suite.trial import Judge, Outcome, known_bugs

_PLAN = pytest.StashKey[Plan]()
_RUN = pytest.StashKey[Run]()


class KnownBugSeen(Exception):
    """A test showed the bug that it is known to show in this variant, and nothing else."""


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("kernel patch rig")
    group.addoption("--rig-plan", type=Path, default=None, help="what to run (default: what `invoke build` built last)")
    group.addoption("--rig-run", type=Path, default=None, help="the run's folder (default: a new one in results/)")


def pytest_configure(config: pytest.Config) -> None:
    if hasattr(config, "workerinput"):
        config.option.rig_run = Path(config.workerinput["rig_run"])
    elif config.option.rig_run is None:
        config.option.rig_run = records.new_folder()
    config.stash[_PLAN] = plan.load(config.option.rig_plan or paths.cache() / "plan.json")
    config.stash[_RUN] = Run(config.option.rig_run)
    if not hasattr(config, "workerinput"):
        config.pluginmanager.register(Recorder(config.stash[_RUN]), "rig-recorder")


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: WorkerController) -> None:
    """Have all workers write to the same run's folder."""
    node.workerinput["rig_run"] = str(node.config.option.rig_run)


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
    return pytest.param(built, other, id=f"{built.cell.name}/{name}", marks=marks)


def _xfail(chosen: Plan, built: BuiltCell, test: SuiteTest) -> list[pytest.MarkDecorator]:
    stock = built.cell.variant.name == STOCK
    return [pytest.mark.xfail(strict=stock, raises=KnownBugSeen, reason=bug.reason) for bug in known_bugs(chosen.base, test.name)]


class CellScheduling(LoadScopeScheduling):  # type: ignore[misc]
    """Gives all tests of a cell to the same worker, and so to the same VMs."""

    def _split_scope(self, nodeid: str) -> str:
        return "/".join(names(nodeid)[:3])


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> CellScheduling:
    return CellScheduling(config, log)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Order by cell, then by clock, the boot before the tests: one VM after the other."""
    chosen = config.stash[_PLAN]
    cells = [built.cell.name for built in chosen.cells]
    tests = [test.name for test in plan.suite().tests]

    def place(item: pytest.Item) -> tuple[int, int, int]:
        parameters = item.callspec.params  # type: ignore[attr-defined]
        test = parameters.get("test")
        clock = chosen.clock_of(test) if test else parameters["clock"]
        last = len(tests) if item.name.startswith("test_end") else -1
        return cells.index(parameters["built"].cell.name), chosen.clocks.index(clock), tests.index(test.name) if test else last

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


@pytest.fixture
def judge(record_property: Callable[[str, object], None]) -> Judge:
    """Records an outcome, then passes or fails the test by it."""

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
        """Append to the run's files when a test is over, or when the rig failed around it."""
        if report.when != "call" and not report.failed:
            return
        told = dict(report.user_properties).get("outcome") if report.when == "call" else None
        if told is not None:
            outcome = msgspec.convert(told, Outcome)
            self._run.add("samples.jsonl", outcome.samples)
            self._run.add("findings.jsonl", outcome.findings)
        reason = "" if report.passed else str(getattr(report, "wasxfail", "")) or why(report)
        word: str = "xfailed" if hasattr(report, "wasxfail") and report.skipped else report.outcome
        machine, variant, profile, test = names(report.nodeid)
        if report.failed and told is None:
            word = "error"
        self._run.add("results.jsonl", [Result(machine, variant, profile, test, word, round(report.duration, 3), reason)])
