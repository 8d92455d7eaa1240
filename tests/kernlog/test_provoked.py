# SPDX-License-Identifier: GPL-2.0-only
"""What our own kernels said when they were provoked (tests/provoke), and what is made of it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from harness import kernlog
from harness.model.matrix import PROFILES, default_machines
from harness.model.trouble import Trouble
from tests import provoke
from tests.provoke import record, table
from tests.provoke.table import Provocation

PLACES = ["/".join(place) for place in table.RECORDED]
ALL = [(place, p) for place in PLACES for p in table.all_on(*place.split("/"))]
_HARMLESS = {p.name for p in table.HARMLESS}
PAIRS = [pair for pair in ALL if pair[1].name not in _HARMLESS]
_NAMED = re.compile(r"PROVOKE\((\w+)\)")
_OF_THIS_MACHINE = re.compile(r"/(?:root|home|work|tmp|usr)/")


def _id(value: object) -> str:
    return value.name if isinstance(value, Provocation) else str(value)


def log(place: str, provocation: Provocation, suffix: str = "") -> str:
    return (record.DATA / place / f"{provocation.name}{suffix}.log").read_text()


def only(text: str) -> Trouble:
    found = kernlog.find(text)
    assert [trouble.kind for trouble in found] == [found[0].kind if found else "one trouble"]
    return found[0]


@pytest.mark.parametrize(("place", "provocation"), PAIRS, ids=_id)
def test_what_was_provoked_is_one_trouble_of_its_kind(place: str, provocation: Provocation) -> None:
    trouble = only(log(place, provocation))
    assert trouble.kind == provocation.kind
    assert trouble.severity is provocation.severity


@pytest.mark.parametrize(("place", "provocation"), PAIRS, ids=_id)
def test_it_is_blamed_on_the_function_that_did_it(place: str, provocation: Provocation) -> None:
    trouble = only(log(place, provocation))
    assert trouble.function == provocation.function


@pytest.mark.parametrize(("place", "provocation"), [pair for pair in PAIRS if pair[1].frames], ids=_id)
def test_it_has_its_call_trace_and_its_time(place: str, provocation: Provocation) -> None:
    trouble = only(log(place, provocation))
    assert len(trouble.frames) >= (2 if provocation.function else 1)
    assert all(frame.function for frame in trouble.frames)
    assert trouble.time is not None


@pytest.mark.parametrize(("place", "provocation"), [pair for pair in PAIRS if pair[1].again], ids=_id)
def test_the_same_in_another_boot_has_the_same_fingerprint(place: str, provocation: Provocation) -> None:
    first, again = (only(log(place, provocation, suffix)) for suffix in ("", ".again"))
    assert first.fingerprint
    assert (first.fingerprint, first.kind, first.function) == (again.fingerprint, again.kind, again.function)


@pytest.mark.parametrize(("place", "harmless"), [pair for pair in ALL if pair[1].name in _HARMLESS], ids=_id)
def test_what_only_looks_like_trouble_is_none(place: str, harmless: Provocation) -> None:
    said = log(place, harmless)
    assert "kernel BUG at" in said
    assert kernlog.find(said) == []


@pytest.mark.parametrize("place", PLACES)
def test_different_troubles_have_different_fingerprints(place: str) -> None:
    troubles = {p.name: only(log(place, p)) for of, p in PAIRS if of == place}
    seen: dict[tuple[str, str, str], str] = {}
    for name, trouble in troubles.items():
        other = seen.setdefault((trouble.kind, trouble.function, trouble.fingerprint), name)
        if trouble.function:
            assert other in (name, *_SAME.get(name, ())), f"{name} and {other}"


_SAME = {"kmemleak_dump": ("kmemleak",)}


def test_the_table_and_the_module_know_the_same() -> None:
    in_module = set(_NAMED.findall((Path(provoke.__file__).parent / "main.c").read_text())) - {"_name"}
    in_table = {p.name for p in table.TABLE if not (p.lkdtm or p.monitor)} - {"kmemleak_dump"}
    # These are no report of the kernel's: they are for the rig to survive.
    assert in_module - in_table == {"escape", "flood", "hang_quiet", "hang_irqs_off", "hang_all"}
    assert in_table <= in_module
    assert {p.profile for p in table.TABLE} <= set(PROFILES)
    assert set(table.MACHINES) == set(default_machines())


def test_the_logs_are_small_and_tell_nothing_of_this_machine() -> None:
    logs = sorted(record.DATA.glob("*/*/*.log"))
    assert len(logs) >= len(PAIRS)
    assert sum(file.stat().st_size for file in logs) < 2 << 20
    known = {p.name for p in (*table.TABLE, *table.HARMLESS)}
    for file in logs:
        assert file.name.removesuffix(".log").removesuffix(".again") in known
        assert not _OF_THIS_MACHINE.search(file.read_text()), file


def test_a_long_log_keeps_its_head_and_its_tail() -> None:
    chatter = [f"[    0.{n}] chatter {n}" for n in range(9)]
    said = ["[    1.000000] kernel-patch-rig: provoked", *(f"[    1.{n:06}] line {n}" for n in range(999))]
    kept = record.trim("\n".join((*chatter, *said))).splitlines()
    assert kept[0] == chatter[-3]
    assert kept[3] == said[0]
    assert kept[-1] == said[-1]
    assert len(kept) < len(said) / 4


@pytest.mark.parametrize(("said", "answered"), [("", False), ("[    2.5] BUG: x\n", True), ("Oops\n", True)])
def test_a_kernel_that_has_nothing_to_say_is_told_from_others(said: str, answered: bool) -> None:
    announced = "[    2.1] provoke: loading out-of-tree module taints kernel.\n[    2.3] provoke: bug\n[    2.4] lkdtm: x\n"
    assert record.answered(f"[    2.0] kernel-patch-rig: provoked\n{announced}{said}") is answered


def test_where_the_module_was_built_is_not_told() -> None:
    said = "[    1.0] kernel-patch-rig: provoked\n[    1.1] UBSAN: Undefined behaviour in /some/cache/.x7/undefined.c:18:12\n"
    assert record.trim(said).endswith("behaviour in provoke/undefined.c:18:12\n")
    assert "at ../mm/slub.c:9!" in record.trim("kernel-patch-rig: provoked\nkernel BUG at ../mm/slub.c:9!\n")


def test_bytes_that_are_no_text_are_kept_out() -> None:
    assert record.trim("kernel-patch-rig: provoked\nnul \0 and \ufffd\n") == "kernel-patch-rig: provoked\nnul ? and ?\n"
