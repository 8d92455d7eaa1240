# SPDX-License-Identifier: GPL-2.0-only
"""Mutants, that is bugs made on purpose: their table, the source with one of them, and the results of the suite."""

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
"""files that a mutant may change: with a header nearly the whole kernel would be built again for each mutant"""

MutantOutcome = Literal["caught", "survived", "error"]


class Edit(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A place in the source, and its replacement."""

    old: str
    """text that occurs exactly once in the file"""
    new: str
    file: str = FILE


class Mutant(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One bug."""

    name: str
    breaks: str
    """description of the bug in one line"""
    old: str
    new: str
    file: str = FILE
    also: tuple[Edit, ...] = ()
    """further edits, made after the first"""
    weakness: int = 0
    """number of the weakness of the published code that it imitates; 0 for none"""

    @property
    def edits(self) -> tuple[Edit, ...]:
        """All edits in their order."""
        return (Edit(self.old, self.new, self.file), *self.also)


class Weakness(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A weakness of the published code."""

    number: int
    what: str
    instead: str = ""
    """if no mutant can imitate it: the reason, and what shows it instead"""


class MutantTable(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Mutants of one series: mutants.toml in its folder."""

    machine: str
    """the machine on which mutants cost the least time"""
    profiles: tuple[str, ...]
    """profiles in the order in which they are tried: a mutant that survives one goes on to the next"""
    scale: str
    mutants: tuple[Mutant, ...]
    weaknesses: tuple[Weakness, ...] = ()


class Attempt(msgspec.Struct, frozen=True):
    """One mutant in the kernel of one profile."""

    mutant: str
    profile: str
    identity: str
    """digest of all inputs that decide the outcome"""
    outcome: MutantOutcome
    test: str = ""
    """first test that had a finding; ``boot`` and ``end`` stand for the time before and after the tests"""
    kind: str = ""
    title: str = ""
    """title of its first finding, or the message of an error"""
    others: tuple[str, ...] = ()
    """further tests that had findings, if the run went on after the first"""
    log: str = ""
    """log of the console, in results/mutants/"""
    build_seconds: float = 0.0
    test_seconds: float = 0.0


class MutationRun(msgspec.Struct, frozen=True):
    """Results of a measurement of the suite by mutants: results/mutants-SERIES.json."""

    date: str
    host: str
    command: str
    folder: str
    """folder of the run with the logs of the consoles"""
    series: str
    machine: str
    scale: str
    profiles: tuple[str, ...]
    tests: tuple[str, ...]
    mutants: tuple[Mutant, ...]
    """the chosen mutants, in the order of the table"""
    known: int
    """number of mutants in the table"""
    weaknesses: tuple[Weakness, ...] = ()
    control: tuple[Attempt, ...] = ()
    """attempts with the series without any mutant; it has to survive"""
    attempts: tuple[Attempt, ...] = ()
    earlier: tuple[Attempt, ...] = ()
    """attempts of earlier calls that a resumed call has not taken over yet; it may be interrupted before it does"""

    def of(self, mutant: Mutant) -> tuple[Attempt, ...]:
        """Return the attempts with a mutant, in the order of the profiles."""
        mine = {attempt.profile: attempt for attempt in self.attempts if attempt.mutant == mutant.name}
        return tuple(mine[profile] for profile in self.profiles if profile in mine)

    def verdict(self, mutant: Mutant) -> MutantOutcome | None:
        """Return the outcome of a mutant, None while it is open; it survived if it did so in every profile."""
        outcomes = [attempt.outcome for attempt in self.of(mutant)]
        if "caught" in outcomes:
            return "caught"
        if "error" in outcomes:
            return "error"
        return "survived" if len(outcomes) == len(self.profiles) else None

    def ended(self, outcome: MutantOutcome | None) -> tuple[Mutant, ...]:
        """Return the mutants with this outcome."""
        return tuple(mutant for mutant in self.mutants if self.verdict(mutant) == outcome)

    def sentence(self) -> str:
        """Return a summary."""
        counts = {word: len(self.ended(word)) for word in ("caught", "survived", "error")}
        counted = f"Caught {counts['caught']} of {len(self.mutants)} mutants; {counts['survived']} survived"
        counted += f"; {counts['error']} could not be tried" if counts["error"] else ""
        left = len(self.ended(None))
        return f"{counted}; {left} not done." if left else f"{counted}."


def check(table: MutantTable, where: str) -> None:
    """Raise UsageError for an entry that is not valid; `where` is the name of the table in the message."""
    names = [mutant.name for mutant in table.mutants]
    numbers = {weakness.number for weakness in table.weaknesses}
    for mutant in table.mutants:
        wrong = ""
        if not _NAME.fullmatch(mutant.name):
            wrong = "a name consists of small letters, digits and single hyphens"
        elif names.count(mutant.name) > 1:
            wrong = "another mutant has the same name"
        elif not mutant.breaks.strip() or "\n" in mutant.breaks:
            wrong = "'breaks' has to describe the bug in one line"
        elif mutant.weakness and mutant.weakness not in numbers:
            wrong = f"there is no weakness {mutant.weakness} in the table"
        for edit in mutant.edits:
            if not _PLACE.fullmatch(edit.file):
                wrong = f"'{edit.file}' is not a file mm/NAME.c; other files would make each build take long"
            elif not edit.old.strip() or edit.old == edit.new:
                wrong = "'old' and 'new' have to be different texts, 'old' not empty"
        if wrong:
            raise UsageError(f"{where}: the mutant '{mutant.name}': {wrong}.")


def choose(table: MutantTable, only: str) -> tuple[Mutant, ...]:
    """Return the mutants that `only` names, separated by commas; all if it is empty. Raises UsageError for an unknown one."""
    known = [mutant.name for mutant in table.mutants]
    wanted = [word.strip() for word in only.split(",") if word.strip()]
    for name in wanted:
        if name not in known:
            raise UsageError(f"There is no mutant '{name}'; {toml.closest(name, known)}")
    return tuple(mutant for mutant in table.mutants if not wanted or mutant.name in wanted)


def mutate(mutant: Mutant, read: Callable[[str], str]) -> dict[str, str]:
    """Return the new texts of the files that a mutant changes; `read` returns the old text of a file by its name.

    Raises UsageError, naming the mutant, if a text to replace is missing or occurs more than once.
    """
    changed: dict[str, str] = {}
    for edit in mutant.edits:
        text = changed.get(edit.file) or read(edit.file)
        if (count := text.count(edit.old)) != 1:
            first = edit.old.strip().splitlines()[0]
            where = f"the text to replace ('{first}' ...) is in {edit.file} {count} times"
            raise UsageError(f"The mutant '{mutant.name}' does not apply: {where}, and has to be there once.")
        changed[edit.file] = text.replace(edit.old, edit.new)
    return changed


def by_test(measured: MutationRun) -> dict[str, Sequence[str]]:
    """Return the mutants that each test caught first, by the name of the test; the test with most comes first."""
    caught: dict[str, list[str]] = {}
    for mutant in measured.mutants:
        for attempt in measured.of(mutant):
            if attempt.outcome == "caught":
                caught.setdefault(attempt.test, []).append(mutant.name)
    return dict(sorted(caught.items(), key=lambda item: -len(item[1])))
