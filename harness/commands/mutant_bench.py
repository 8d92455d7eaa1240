# SPDX-License-Identifier: GPL-2.0-only
"""Builds mutants of one profile beside each other, each in a work tree that is kept, and has each one tested."""

from __future__ import annotations

import queue
import shutil
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec

from harness.build import functions, git, kbuild, patches
from harness.build.built import BuiltCell
from harness.build.jobserver import Jobserver
from harness.build.kernel import Kernel
from harness.errors import BuildError, Mismatch, UsageError, VmLost
from harness.host import files
from harness.host.shell import Line
from harness.model import mutants
from harness.model.matrix import Base, Cell, Variant
from harness.model.mutants import Attempt, Mutant
from harness.model.records import Finding
from harness.suite import first_findings
from harness.suite.execute import STEPS, Steps
from harness.suite.plan import Plan
from harness.suite.vm_pool import Lab

APART = "mutants"
"""the folder of the cache's in which their trees are"""
_TREE = "kept"
"""the work tree of a worker, in which one mutant after the other is built"""
_TRIES = 2
"""attempts at a mutant whose VM is lost for a reason outside of its kernel"""


Test = Callable[[str, Plan, Line], Sequence[Finding]]
"""returns the findings of a built mutant by its name; raises VmLost if its VM is lost for a reason outside of its kernel"""


class Tools(msgspec.Struct, frozen=True):
    """The functions that build a mutant and run it on this host; tests hand in their own."""

    build: Callable[[Base, Cell, patches.Patched, Jobserver, Line, Path | None], Kernel] = kbuild.build
    steps: Steps = STEPS


TOOLS = Tools()


class Bench:
    """All mutants of one profile are built and tested on it, beside each other."""

    def __init__(self, control: Plan, source: patches.Patched, folder: Path, tools: Tools, *, everything: bool) -> None:
        """Take the built series as `control`, whose patched source is `source`; logs go to `folder`, and `tools` build and run.

        With `everything` a mutant is not left at its first finding.
        """
        # No bug is a known one here: some mutants bring back the bugs of stock.
        self._plan = msgspec.structs.replace(control, base=msgspec.structs.replace(control.base, known_bugs=()))
        self._source, self._folder, self._everything = source, folder, everything
        self._built = control.cells[0]
        self._loaded = functions.load(self._built.kernel.functions).loaded
        self._tools = tools
        self.test: Test = self._here
        """tests a mutant: on this host, unless another one is set"""
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

    def control(self, say: Line) -> Attempt:
        """Test the series as it is."""
        return self._tested("", self.identity(()), self._plan, 0.0, say)

    def attempt(self, mutant: Mutant, slots: queue.SimpleQueue[str], jobs: Jobserver, say: Line) -> Attempt:
        """Build a mutant in a work tree of `slots`, and test it; the outcome is ``error`` if either is not possible."""
        identity, began = self.identity(mutant.edits), time.monotonic()
        try:
            files = mutants.mutate(mutant, self._read)
            commit = git.with_files(self._source.commit, files, mutant.name)
            patched = patches.Patched(commit, git.tree_of(commit), (*self._source.patches, mutant.name), ())
            built = self._make(mutant, patched, slots, jobs, say)
            seconds = time.monotonic() - began
            say("testing")
            try:
                if functions.load(built.kernel.functions).loaded == self._loaded:
                    what = f"changes nothing of a kernel of the profile {self.profile}"
                    raise BuildError(f"The mutant '{mutant.name}' {what}; remove it.")
                return self._tested(mutant.name, identity, msgspec.structs.replace(self._plan, cells=(built,)), seconds, say)
            finally:
                shutil.rmtree(built.kernel.folder, ignore_errors=True)
        except (UsageError, BuildError, VmLost, Mismatch) as error:
            if self._stop.is_set():  # its build or its VM was ended
                raise
            return Attempt(mutant.name, self.profile, identity, "error", title=str(error))

    def _make(
        self, mutant: Mutant, patched: patches.Patched, slots: queue.SimpleQueue[str], jobs: Jobserver, say: Line
    ) -> BuiltCell:
        slot = slots.get()
        try:
            variant = Variant(mutant.name, apart=f"{APART}/{slot}", tree=_TREE)
            cell = msgspec.structs.replace(self._built.cell, variant=variant)
            # No mutant changes a header, so that the series' own module fits.
            kernel = self._tools.build(self._plan.base, cell, patched, jobs, say, self._built.kernel.module)
        finally:
            slots.put(slot)  # its next mutant can be built while this one is tested
        return msgspec.structs.replace(self._built, cell=cell, kernel=kernel)

    def _read(self, file: str) -> str:
        text = git.blob(self._source.commit, file)
        if text is None:
            raise UsageError(f"The source has no {file}.")
        return text.decode() + "\n"

    def _tested(self, name: str, identity: str, plan: Plan, build_seconds: float, say: Line) -> Attempt:
        began = time.monotonic()
        for left in reversed(range(_TRIES)):
            try:
                findings = self.test(f"{name or 'control'}-{self.profile}", plan, say)
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

    def _here(self, name: str, plan: Plan, _: Line) -> list[Finding]:
        """Return the findings of a suite in VMs of this host, up to the first step that has one."""
        found: list[Finding] = []
        lab = Lab(self._folder / name, keep=False)
        try:
            for session in plan.sessions:
                found += first_findings.findings(
                    *(lab, plan, session), everything=self._everything, steps=self._tools.steps, given_up=self._stop.is_set
                )
                if first_findings.enough(found, everything=self._everything):
                    break
        finally:
            lab.close()
        return found
