# SPDX-License-Identifier: GPL-2.0-only
"""Makes pytest items of a plan's cells and tests, and writes down their records."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from pathlib import Path

import msgspec
import pytest
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling
from xdist.workermanage import WorkerController

from harness import errors, paths
from harness.errors import RigError
from harness.host import shortage
from harness.model import run_folder
from harness.model.clock import Clock
from harness.model.matrix import STOCK
from harness.model.records import Result
from harness.model.run_folder import Run
from harness.suite import plan
from harness.suite.execute import Judge
from harness.suite.extract import Observed
from harness.suite.nodeid import name, parameter, why
from harness.suite.plan import Plan, Session, Step
from harness.suite.vm_pool import Lab

_RECORDER = "rig-recorder"
_OUTCOME = "outcome"
"""property of a report that takes a test's records from a worker to the main process"""
_PLAN = pytest.StashKey[Plan]()
_RUN = pytest.StashKey[Run]()
_DONE = pytest.StashKey[frozenset[str]]()
"""names of the sessions that have results already: a resumed run goes on with the others"""


class KnownBugSeen(Exception):
    """A test showed the bug that it is known to show in this variant, and nothing else."""


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("kernel patch rig")
    group.addoption("--rig-plan", type=Path, default=None, help="what to run (default: what `invoke build` built last)")
    group.addoption("--rig-run", type=Path, default=None, help="the run's folder (default: a new one in results/)")
    group.addoption("--rig-session", default="", help="name of the only session to run (default: all of the plan)")


def pytest_configure(config: pytest.Config) -> None:
    worker = getattr(config, "workerinput", None)
    if worker is not None:
        config.option.rig_run = Path(worker["rig_run"])
    elif config.option.rig_run is None:
        config.option.rig_run = run_folder.new_folder()
    run = Run(config.option.rig_run)
    config.stash[_PLAN] = plan.load(config.option.rig_plan or paths.cache() / "plan.json")
    config.stash[_RUN] = run
    if worker is not None:
        config.stash[_DONE] = frozenset(worker["rig_done"])
        return
    config.stash[_DONE] = frozenset(f"{r.machine}-{r.variant}-{r.profile}-{r.clock}-{r.boot}" for r in run.results())
    config.pluginmanager.register(Recorder(run), _RECORDER)


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: WorkerController) -> None:
    """Have all workers write to the same run's folder, and leave out the same sessions."""
    node.workerinput["rig_run"] = str(node.config.option.rig_run)
    node.workerinput["rig_done"] = sorted(node.config.stash[_DONE])


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    chosen = metafunc.config.stash[_PLAN]
    if "step" not in metafunc.fixturenames:
        boots = [pytest.param(session, id=parameter(session, 0, session.clock)) for session in chosen.sessions]
        metafunc.parametrize("session", boots)
        return
    steps = [
        pytest.param(session, step, id=parameter(session, step.round, step.name), marks=_xfail(chosen, session, step))
        for session in chosen.sessions
        for step in session.steps
    ]
    metafunc.parametrize(("session", "step"), steps)


def _xfail(chosen: Plan, session: Session, step: Step) -> list[pytest.MarkDecorator]:
    cell = session.built.cell
    bugs = chosen.bugs(cell, step.name)
    if not bugs:
        return []
    reason = "; ".join(dict.fromkeys(bug.reason for bug in bugs))
    strict = cell.variant.name == STOCK and any(bug.always for bug in bugs)
    return [pytest.mark.xfail(strict=strict, raises=KnownBugSeen, reason=reason)]


class SessionScheduling(LoadScopeScheduling):  # type: ignore[misc]
    """Gives all tests of a session to the same worker, and so to the same VM; gives no test out twice."""

    def remove_node(self, node: WorkerController) -> str | None:
        """Take up what a worker that died leaves undone, and return the test that has no result because of that.

        pytest-xdist 3.8 itself gives that test out again, so that it would have two results.
        """
        units = self.assigned_work[node]
        undone = [(unit, nodeid) for unit in units.values() for nodeid, done in unit.items() if not done]
        recorder: Recorder = self.config.pluginmanager.get_plugin(_RECORDER)
        lost = None
        if undone:
            unit, nodeid = undone[0]
            unit[nodeid] = True
            lost = None if recorder.has(nodeid) else nodeid
        self.assigned_work[node] = {scope: unit for scope, unit in units.items() if not all(unit.values())}
        super().remove_node(node)
        return lost

    def _reschedule(self, node: WorkerController) -> None:
        """Give a worker sessions until it has two tests: it begins none before it knows whether there is a next one.

        pytest-xdist 3.8 itself waits for ever where a worker that died left a single test of a session, and fails where another
        dies before the one in its place has told which tests it has.
        """
        if node not in self.registered_collections:
            return
        super()._reschedule(node)
        while not node.shutting_down and self._pending_of(self.assigned_work[node]) < 2:
            super()._reschedule(node)

    def _split_scope(self, nodeid: str) -> str:
        of = name(nodeid)
        return f"{of.cell}/{of.clock}/{of.boot}"


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> SessionScheduling:
    return SessionScheduling(config, log)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Order as the plan does, the boot before the tests; leave out the sessions that are done, and those not asked for."""
    sessions = {session.name: number for number, session in enumerate(config.stash[_PLAN].sessions)}

    def place(item: pytest.Item) -> tuple[int, int]:
        session, step = _session(item), item.callspec.params.get("step")  # type: ignore[attr-defined]
        last = len(session.steps) if item.name.startswith("test_end") else -1
        return sessions[session.name], session.steps.index(step) if step else last

    done, only = config.stash[_DONE], config.option.rig_session
    wanted = [item for item in items if (its := _session(item).name) not in done and only in ("", its)]
    config.hook.pytest_deselected(items=[item for item in items if item not in wanted])
    items[:] = sorted(wanted, key=place)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Tell the rig's own errors in their words alone; give the records to the report of the test, not to that of its end too."""
    report = yield
    if call.excinfo and (said := shortage.said(call.excinfo.value)):
        report.longrepr = " ".join(said.split("\n"))
    item.user_properties[:] = [pair for pair in item.user_properties if pair[0] != _OUTCOME]
    return report


def _session(item: pytest.Item) -> Session:
    session: Session = item.callspec.params["session"]  # type: ignore[attr-defined]
    return session


@pytest.fixture(scope="session")
def chosen(request: pytest.FixtureRequest) -> Plan:
    """The plan that is being run."""
    return request.config.stash[_PLAN]


@pytest.fixture(scope="session")
def lab(request: pytest.FixtureRequest, chosen: Plan) -> Iterator[Lab]:
    """The VMs of this worker."""
    vms = Lab(request.config.stash[_RUN].folder, keep=chosen.settings.keep, pauses=bool(chosen.settings.on_failure))
    yield vms
    vms.close()


@pytest.fixture
def judge(record_property: Callable[[str, object], None], lab: Lab) -> Judge:
    """Records an outcome and the boots that it took, then passes or fails the test by it."""

    def decide(outcome: Observed) -> None:
        outcome = msgspec.structs.replace(outcome, boots=lab.booted())
        record_property(_OUTCOME, msgspec.to_builtins(outcome))
        if outcome.unexpected:
            pytest.fail(outcome.reason, pytrace=False)
        if outcome.findings:
            raise KnownBugSeen(outcome.findings[0].trouble.title)
        if outcome.skipped:
            pytest.skip(outcome.skipped)

    return decide


class Recorder:
    """Writes down the records of each test, one result each, in the one process that gets the reports of all workers."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self._open: dict[str, Result] = {}
        """results by node id, of tests that are not taken down yet"""
        self._over: set[str] = set()

    def has(self, nodeid: str) -> bool:
        """Return whether a test's result is written down."""
        return nodeid in self._over

    @pytest.hookimpl(optionalhook=True)
    def pytest_handlecrashitem(self, report: pytest.TestReport) -> None:
        """Say why a test has no result whose worker died."""
        report.longrepr = (
            "the suite's worker process died before the test had a result; `invoke test --resume` makes the boot again"
        )

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Append records when a test has run, and its result when it is over; stop if that cannot be done.

        What pytest's own plugins write of the report after that has neither the records nor paths of this host.
        """
        try:
            self._record(report)
            _put_in_words(report)
        except RigError as error:
            pytest.exit(str(error), returncode=pytest.ExitCode.INTERNAL_ERROR)

    def _record(self, report: pytest.TestReport) -> None:
        if report.when == "call":
            recorded = dict(report.user_properties).get(_OUTCOME)
            outcome = None if recorded is None else msgspec.convert(recorded, Observed)
            if outcome is not None:
                self._run.add(outcome.records())
            self._open[report.nodeid] = _result(report, outcome)
        elif report.failed:  # the rig failed around a test, which may have run to its end before
            result = self._open.get(report.nodeid) or _result(report, None)
            self._open[report.nodeid] = msgspec.structs.replace(result, outcome="error", reason=why(report))
        if report.when not in ("setup", "call") and report.nodeid in self._open:
            self._over.add(report.nodeid)
            self._run.add([self._open.pop(report.nodeid)])


def _put_in_words(report: pytest.TestReport) -> None:
    """Leave the reason of a report alone, as this project calls its files, and the traceback only of a fault in the rig itself."""
    report.user_properties = [pair for pair in report.user_properties if pair[0] != _OUTCOME]
    report.sections = [(title, paths.shown(content)) for title, content in report.sections]
    if isinstance(report.longrepr, tuple):
        file, line, reason = report.longrepr
        report.longrepr = (paths.shown(file), line, paths.shown(reason))
    elif report.longrepr is not None:
        crash = getattr(report.longrepr, "reprcrash", None)
        foreign = report.failed and crash is not None and not crash.message.startswith(("Failed: ", f"{errors.__name__}."))
        traceback = f"{paths.shown(report.longreprtext)}\n" if foreign else ""
        report.longrepr = f"{traceback}{why(report)}"


def _result(report: pytest.TestReport, outcome: Observed | None) -> Result:
    """Return the result of a test that observed `outcome`; one that failed before it observed anything is the rig's failure."""
    known = "; ".join(dict.fromkeys(f.expected for f in outcome.findings)) if outcome and hasattr(report, "wasxfail") else ""
    reason = "" if report.passed else known or why(report)
    word: str = "xfailed" if hasattr(report, "wasxfail") and report.skipped else report.outcome
    if report.failed and outcome is None:
        word = "error"
    of = name(report.nodeid)
    machine, variant, profile = of.cell.split("/")
    seconds = round(report.duration, 3)
    return Result(machine, variant, profile, Clock(of.clock), of.test, of.boot, of.round, word, seconds, reason)
