# SPDX-License-Identifier: GPL-2.0-only
"""Entries of a table of mutants: what makes sense, and what they do to a source."""

from __future__ import annotations

import msgspec
import pytest

from harness.errors import UsageError
from harness.model import mutants as mutations
from harness.model.mutants import Edit, Mutant, Weakness
from tests.support.mutants import ONE, table


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ((ONE, ONE), "'one': another mutant has the same name"),
        ((msgspec.structs.replace(ONE, name="Two words"),), "small letters"),
        ((msgspec.structs.replace(ONE, name="../one"),), "small letters"),
        ((msgspec.structs.replace(ONE, breaks="a\nb"),), "in one line"),
        ((msgspec.structs.replace(ONE, file="include/linux/vmalloc.h"),), "is not a file mm/NAME.c"),
        ((msgspec.structs.replace(ONE, file="mm/../etc.c"),), "is not a file mm/NAME.c"),
        ((msgspec.structs.replace(ONE, new=ONE.old),), "different texts"),
        ((msgspec.structs.replace(ONE, also=(Edit(" \n", "x"),)),), "different texts"),
        ((msgspec.structs.replace(ONE, weakness=3),), "there is no weakness 3"),
    ],
)
def test_an_entry_that_makes_no_sense_is_named(given: tuple[Mutant, ...], said: str) -> None:
    with pytest.raises(UsageError, match="mutants.toml: the mutant .*" + said):
        mutations.check(table(*given, weaknesses=(Weakness(1, "x"),)), "mutants.toml")


@pytest.mark.parametrize(("old", "count"), [("line 101\n", 0), ("line 1", 12)])
def test_a_mutant_that_does_not_apply_once_is_named(old: str, count: int) -> None:
    text = "".join(f"line {number}\n" for number in range(1, 101))
    with pytest.raises(UsageError, match=rf"'one' does not apply: .*{old.strip()}.* mm/vmalloc.c {count} times"):
        mutations.mutate(msgspec.structs.replace(ONE, old=old), lambda _: text)


def test_later_edits_see_what_earlier_ones_did() -> None:
    of = msgspec.structs.replace(ONE, new="a\n", also=(Edit("a\n", "b\n"), Edit("c", "d", "mm/percpu.c")))
    texts = {mutations.FILE: "line 1\nline 2\n", "mm/percpu.c": "c"}
    assert mutations.mutate(of, texts.__getitem__) == {mutations.FILE: "b\nline 2\n", "mm/percpu.c": "d"}


def test_an_unknown_mutant_gets_a_hint() -> None:
    assert mutations.choose(table(ONE), " one ,") == (ONE,)
    with pytest.raises(UsageError, match="no mutant 'on'; did you mean 'one'"):
        mutations.choose(table(ONE), "on")
