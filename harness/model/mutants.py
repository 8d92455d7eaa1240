# SPDX-License-Identifier: GPL-2.0-only
"""Bugs made on purpose: what a table of them says, the source with one of them in it, and what was caught."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Literal

import msgspec

from harness.errors import UsageError
from harness.host import toml

FILE = "mm/vmalloc.c"
_NAME = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
_PLACE = re.compile(r"mm/[a-z-]+\.c")
"""a header would have nearly everything built again for each mutant"""

Outcome = Literal["caught", "survived", "error"]


class Edit(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A place in the source, and what it is replaced with."""

    old: str
    """text that occurs exactly once in the file"""
    new: str
    file: str = FILE


class Mutant(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One bug."""

    name: str
    breaks: str
    """what is wrong then, in one line"""
    old: str
    new: str
    file: str = FILE
    also: tuple[Edit, ...] = ()
    """further edits, made after the first"""
    weakness: int = 0
    """which weakness of the published code it imitates, by its number in the table; 0 for none"""

    @property
    def edits(self) -> tuple[Edit, ...]:
        """All edits in their order."""
        return (Edit(self.old, self.new, self.file), *self.also)


class Weakness(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where the published code falls short."""

    number: int
    what: str
    instead: str = ""
    """where no mutant can imitate it: why, and what shows it instead"""


class Table(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Mutants of one series: mutants.toml in the folder of its kernel."""

    series: str
    machine: str
    """the one on which they cost least"""
    profiles: tuple[str, ...]
    """in their order: what survives in one is tried in the next"""
    scale: str
    mutants: tuple[Mutant, ...]
    weaknesses: tuple[Weakness, ...] = ()


class Attempt(msgspec.Struct, frozen=True):
    """One mutant in the kernel of one profile."""

    mutant: str
    profile: str
    identity: str
    """of all that decides how it ends"""
    outcome: Outcome
    test: str = ""
    """the first that had a finding; ``boot`` and ``end`` are before and after the tests"""
    kind: str = ""
    title: str = ""
    """of its first finding; of an error, what went wrong"""
    others: tuple[str, ...] = ()
    """further tests that had findings, where it was not left at the first"""
    log: str = ""
    """the console's log, in results/mutants/"""
    build_seconds: float = 0.0
    test_seconds: float = 0.0


class Measured(msgspec.Struct, frozen=True):
    """What mutants told of the suite, as it is kept: results/mutants.json."""

    date: str
    host: str
    command: str
    folder: str
    """the run's, with the consoles' logs"""
    series: str
    machine: str
    scale: str
    profiles: tuple[str, ...]
    tests: tuple[str, ...]
    mutants: tuple[Mutant, ...]
    """those that were chosen, in the order of the table"""
    known: int
    """how many the table has"""
    weaknesses: tuple[Weakness, ...] = ()
    control: tuple[Attempt, ...] = ()
    """the series as it is, which has to survive"""
    attempts: tuple[Attempt, ...] = ()
    earlier: tuple[Attempt, ...] = ()
    """of calls before, which a call that resumes may still take over: it may be interrupted before it comes to them"""

    def of(self, mutant: Mutant) -> tuple[Attempt, ...]:
        """Return what was made with a mutant, in the order of the profiles."""
        mine = {attempt.profile: attempt for attempt in self.attempts if attempt.mutant == mutant.name}
        return tuple(mine[profile] for profile in self.profiles if profile in mine)

    def verdict(self, mutant: Mutant) -> Outcome | None:
        """Return how a mutant ended, None as long as that is open: it survives when it has survived in every profile."""
        outcomes = [attempt.outcome for attempt in self.of(mutant)]
        if "caught" in outcomes:
            return "caught"
        if "error" in outcomes:
            return "error"
        return "survived" if len(outcomes) == len(self.profiles) else None

    def ended(self, outcome: Outcome | None) -> tuple[Mutant, ...]:
        """Return the mutants that ended so."""
        return tuple(mutant for mutant in self.mutants if self.verdict(mutant) == outcome)

    def sentence(self) -> str:
        """Return the gist."""
        counts = {word: len(self.ended(word)) for word in ("caught", "survived", "error")}
        said = f"Caught {counts['caught']} of {len(self.mutants)} mutants; {counts['survived']} survived"
        said += f"; {counts['error']} could not be tried" if counts["error"] else ""
        left = len(self.ended(None))
        return f"{said}; {left} not done." if left else f"{said}."


def check(table: Table, where: str) -> None:
    """Raise UsageError, naming the table as `where`, for an entry that makes no sense."""
    names = [mutant.name for mutant in table.mutants]
    numbers = {weakness.number for weakness in table.weaknesses}
    for mutant in table.mutants:
        wrong = ""
        if not _NAME.fullmatch(mutant.name):
            wrong = "a name has small letters, digits and single hyphens"
        elif names.count(mutant.name) > 1:
            wrong = "there are several of that name"
        elif not mutant.breaks.strip() or "\n" in mutant.breaks:
            wrong = "'breaks' has to say in one line what is wrong then"
        elif mutant.weakness and mutant.weakness not in numbers:
            wrong = f"there is no weakness {mutant.weakness} in the table"
        for edit in mutant.edits:
            if not _PLACE.fullmatch(edit.file):
                wrong = f"'{edit.file}' is no file mm/NAME.c, and others would have much built again for each mutant"
            elif not edit.old.strip() or edit.old == edit.new:
                wrong = "'old' and 'new' have to be different texts, 'old' not empty"
        if wrong:
            raise UsageError(f"{where}: the mutant '{mutant.name}': {wrong}.")


def choose(table: Table, only: str) -> tuple[Mutant, ...]:
    """Return the mutants that `only` names, separated by commas; all if it is empty. Raises UsageError for an unknown one."""
    known = [mutant.name for mutant in table.mutants]
    wanted = [word.strip() for word in only.split(",") if word.strip()]
    for name in wanted:
        if name not in known:
            raise UsageError(f"There is no mutant '{name}'; {toml.closest(name, known)}")
    return tuple(mutant for mutant in table.mutants if not wanted or mutant.name in wanted)


def mutate(mutant: Mutant, read: Callable[[str], str]) -> dict[str, str]:
    """Return the files that a mutant changes, by their names; `read` gives the text of one of the series' source.

    Raises UsageError, naming the mutant, for a text that is not there or that occurs more than once.
    """
    changed: dict[str, str] = {}
    for edit in mutant.edits:
        text = changed.get(edit.file) or read(edit.file)
        if (count := text.count(edit.old)) != 1:
            first = edit.old.strip().splitlines()[0]
            where = f"what it replaces ('{first}' ...) is in {edit.file} {count} times"
            raise UsageError(f"The mutant '{mutant.name}' does not apply: {where}, and has to be there once.")
        changed[edit.file] = text.replace(edit.old, edit.new)
    return changed


def by_test(found: Measured) -> dict[str, Sequence[str]]:
    """Return the mutants that each test was the first to catch, by the test's name; most first."""
    caught: dict[str, list[str]] = {}
    for mutant in found.mutants:
        for attempt in found.of(mutant):
            if attempt.outcome == "caught":
                caught.setdefault(attempt.test, []).append(mutant.name)
    return dict(sorted(caught.items(), key=lambda item: -len(item[1])))
