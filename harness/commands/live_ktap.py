# SPDX-License-Identifier: GPL-2.0-only
"""Prints a run as KTAP while it goes on: each boot when all its results are there, and at the end what was compared."""

from __future__ import annotations

import contextlib
import sys
import threading
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TextIO

import msgspec
from invoke.parser.context import ParserContext

from harness.errors import RigError, UsageError
from harness.model.records import DuringTest, Result
from harness.model.run_folder import FILES, Run
from harness.model.summary import Summary
from harness.report import ktap
from harness.runs import conclude, failed_build, history
from harness.stats.dismissals import applied, excused
from harness.suite.plan import Plan, Session

OPTION = "ktap"
HELP = "print the run as KTAP while it goes on, each boot when it has ended, and all else to standard error"
_EVERY = 0.5
"""seconds between two looks at the results"""
_Place = tuple[object, ...]
_out: TextIO | None = None
"""standard output, once it is for KTAP alone"""


def claim(called: Sequence[ParserContext]) -> None:
    """Keep standard output for KTAP if a task of the command line has the option; what is printed then goes to standard error."""
    global _out
    if _out is None and any(context.as_kwargs.get(OPTION) for context in called):
        _out, sys.stdout = sys.stdout, sys.stderr


def failed(folder: Path) -> None:
    """Print the build that failed and is kept in `folder`, if standard output is for KTAP."""
    if _out is not None and (of := failed_build.load(folder)):
        _put(_out, (ktap.of_failed(of.summary).removesuffix("\n"),))


def stream() -> Stream:
    """Return a stream on the standard output that `claim` keeps."""
    return Stream(_out or sys.stdout)


class Stream:
    """The KTAP of one run, whose results are read from its folder, wherever they come from."""

    def __init__(self, out: TextIO) -> None:
        """Print to `out`."""
        self._out = out
        self._left: dict[_Place, Session] = {}
        self._number, self._size = 0, -1

    @contextlib.contextmanager
    def following(self, run: Run, planned: Plan) -> Iterator[None]:
        """Print the boots of a run that ends within the with block, those first that have their results already."""
        self._left = {_place(session): session for session in planned.sessions}
        _put(self._out, ktap.head(len(self._left) + 1))
        over = threading.Event()

        def follow() -> None:
            while not over.wait(_EVERY):
                with contextlib.suppress(RigError):  # whoever makes the report says what cannot be read
                    self._look(run)

        follower = threading.Thread(target=follow, daemon=True)
        follower.start()
        try:
            yield
        finally:
            over.set()
            follower.join()
            with contextlib.suppress(RigError):
                self._look(run, last=True)

    def ended(self, run: Run) -> None:
        """Print what was compared, and the exit code, when the run has its summary."""
        summary = msgspec.json.decode((run.folder / conclude.SUMMARY).read_bytes(), type=Summary)
        _put(self._out, (*ktap.comparison(self._number + 1, summary), ktap.ending(summary)))

    def _look(self, run: Run, *, last: bool = False) -> None:
        """Print the boots that have all their results by now, and with `last` those too that lack some."""
        file = run.folder / FILES[Result]
        size = file.stat().st_size if file.exists() else 0
        if size == self._size and not last:
            return
        self._size = size
        came: dict[_Place, list[Result]] = defaultdict(list)
        for result in run.results():
            came[_place_of(result)].append(result)
        ready = [place for place, session in self._left.items() if came[place] and (last or len(came[place]) >= session.results)]
        if ready:
            self._print(run, ready, came)

    def _print(self, run: Run, ready: Iterable[_Place], came: dict[_Place, list[Result]]) -> None:
        findings = applied(run.findings(), history.dismissals()[0])
        for place in ready:
            session = self._left.pop(place)
            self._number += 1
            name = f"{session.built.cell.name} {session.clock} {session.boot}"
            mine = [finding for finding in findings if _place_of(finding) == place]
            results = excused(came[place], mine)
            _put(self._out, ktap.boot(self._number, name, results, mine, session.results))


def check(called: Sequence[ParserContext], kernels: Sequence[object]) -> None:
    """Raise UsageError for what one stream cannot hold: several runs."""
    if len(kernels) > 1 or sum(bool(context.as_kwargs.get(OPTION)) for context in called) > 1:
        raise UsageError("--ktap prints one run; call the rig once for each kernel base and each task.")


def _place(session: Session) -> _Place:
    cell = session.built.cell
    return cell.machine.name, cell.variant.name, cell.profile, session.clock, session.boot


def _place_of(of: DuringTest) -> _Place:
    return of.machine, of.variant, of.profile, of.clock, of.boot


def _put(out: TextIO, lines: Iterable[str]) -> None:
    out.write("".join(f"{line}\n" for line in lines))
    out.flush()
