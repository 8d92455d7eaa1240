# SPDX-License-Identifier: GPL-2.0-only
"""Builds and tests mutants of one profile beside each other, each worker in a work tree that it keeps."""

from __future__ import annotations

import shutil
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import msgspec

from harness.build import functions, git, kbuild, patches
from harness.build.jobserver import Jobserver
from harness.build.kernel import Kernel
from harness.errors import BuildError, Mismatch, RigError, UsageError, VmLost
from harness.host import files
from harness.host.shell import Line
from harness.model import mutants
from harness.model.matrix import Base, Cell, Variant
from harness.model.mutants import Attempt, Mutant
from harness.model.records import Finding
from harness.suite.execute import STEPS, Steps
from harness.suite.extract import Observed
from harness.suite.plan import Plan, Session
from harness.suite.vm_pool import Lab

APART = "mutants"
"""the folder of the cache's in which their trees are"""
_TREE = "kept"
"""the work tree of a worker, in which one mutant after the other is built"""
_TRIES = 2
"""attempts at a mutant whose VM is lost for a reason outside of its kernel"""


class Tools(msgspec.Struct, frozen=True):
    """The functions that build and test a mutant; tests hand in their own."""

    build: Callable[[Base, Cell, patches.Patched, Jobserver, Line, Path | None], Kernel] = kbuild.build
    steps: Steps = STEPS


TOOLS = Tools()


class Bench:
    """All mutants of one profile are built and tested on it, beside each other."""

    def __init__(self, control: Plan, source: patches.Patched, folder: Path, tools: Tools, *, everything: bool) -> None:
        """Take the built series as `control`, whose patched source is `source`; logs go to `folder`, and `tools` build and test.

        With `everything` a mutant is not left at its first finding.
        """
        # No bug is a known one here: some mutants bring back the bugs of stock.
        self._plan = msgspec.structs.replace(control, base=msgspec.structs.replace(control.base, known_bugs=()))
        self._source, self._folder, self._everything = source, folder, everything
        self._built = control.cells[0]
        self._loaded = functions.load(self._built.kernel.functions).loaded
        self._tools = tools
        self._stop = threading.Event()

    @property
    def profile(self) -> str:
        """The kernels' profile."""
        return self._built.cell.profile

    def identity(self, edits: Sequence[mutants.Edit]) -> str:
        """Return a digest of all that decides the result of an attempt, except for chance."""
        kernel, plan, settings = self._built.kernel, self._plan, self._plan.settings
        inputs = (kernel.key, kernel.module.parent.name, plan.suite, settings.scale, str(settings.loops), ",".join(plan.tests))
        return files.digest(*inputs, str(self._everything), msgspec.json.encode(edits))[:16]

    def stop(self) -> None:
        """Have every attempt end at its next step."""
        self._stop.set()

    def control(self) -> Attempt:
        """Test the series as it is."""
        return self._tested("", self.identity(()), self._plan, 0.0)

    def attempt(self, mutant: Mutant, slot: str, jobs: Jobserver, say: Callable[[str], None]) -> Attempt:
        """Build a mutant in the work tree of `slot`, and test it; the outcome is ``error`` if either is not possible."""
        identity, began = self.identity(mutant.edits), time.monotonic()
        try:
            files = mutants.mutate(mutant, self._read)
            commit = git.with_files(self._source.commit, files, mutant.name)
            patched = patches.Patched(commit, git.tree_of(commit), (*self._source.patches, mutant.name), ())
            variant = Variant(mutant.name, apart=f"{APART}/{slot}", tree=_TREE)
            cell = msgspec.structs.replace(self._built.cell, variant=variant)
            # No mutant changes a header, so that the series' own module fits.
            kernel = self._tools.build(self._plan.base, cell, patched, jobs, say, self._built.kernel.module)
            seconds = time.monotonic() - began
            say("testing")
            built = msgspec.structs.replace(self._built, cell=cell, kernel=kernel)
            try:
                if functions.load(kernel.functions).loaded == self._loaded:
                    what = f"changes nothing of a kernel of the profile {self.profile}"
                    raise BuildError(f"The mutant '{mutant.name}' {what}; remove it.")
                return self._tested(mutant.name, identity, msgspec.structs.replace(self._plan, cells=(built,)), seconds)
            finally:
                shutil.rmtree(kernel.folder, ignore_errors=True)
        except (UsageError, BuildError, VmLost, Mismatch) as error:
            if self._stop.is_set():  # its build or its VM was ended
                raise
            return Attempt(mutant.name, self.profile, identity, "error", title=str(error))

    def _read(self, file: str) -> str:
        text = git.blob(self._source.commit, file)
        if text is None:
            raise UsageError(f"The source has no {file}.")
        return text.decode() + "\n"

    def _tested(self, name: str, identity: str, plan: Plan, build_seconds: float) -> Attempt:
        began = time.monotonic()
        for left in reversed(range(_TRIES)):
            try:
                findings = self._findings(name or "control", plan)
                break
            except VmLost:
                if not left or self._stop.is_set():
                    raise
        attempt = Attempt(
            name,
            self.profile,
            identity,
            "caught" if findings else "survived",
            build_seconds=round(build_seconds, 1),
            test_seconds=round(time.monotonic() - began, 1),
        )
        if not findings:
            return attempt
        first = findings[0]
        others = tuple(dict.fromkeys(finding.test for finding in findings if finding.test != first.test))
        log = f"{self._folder.name}/{name or 'control'}-{self.profile}/{first.log}"
        caught = {"test": first.test, "kind": first.trouble.kind, "title": first.trouble.title}
        return msgspec.structs.replace(attempt, **caught, others=others, log=log)

    def _findings(self, name: str, plan: Plan) -> list[Finding]:
        """Return the findings of the steps of a suite, up to the first step that has one."""
        findings: list[Finding] = []
        lab = Lab(self._folder / f"{name}-{self.profile}", keep=False)
        try:
            for session in plan.sessions:
                for seen in self._steps(lab, plan, session):
                    if self._stop.is_set():
                        raise RigError("The attempt was given up.")
                    findings += seen.findings
                    if (findings and not self._everything) or any(finding.test == "boot" for finding in findings):
                        return findings
        finally:
            lab.close()
        return findings

    def _steps(self, lab: Lab, plan: Plan, session: Session) -> Iterator[Observed]:
        steps = self._tools.steps
        yield steps.boot(lab, plan, session)
        for step in session.steps:
            yield steps.run(lab, plan, session, step)
        yield steps.end(lab, plan, session)
