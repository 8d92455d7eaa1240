# SPDX-License-Identifier: GPL-2.0-only
"""Reading TOML files: what is wrong is named with its file, its key and the nearest right one."""

from __future__ import annotations

import re
from pathlib import Path

import msgspec
import pytest

from harness import paths
from harness.build import rootfs
from harness.errors import UsageError
from harness.host import toml
from harness.kernlog.kinds import SEVERITY
from harness.model import catalog
from harness.model.matrix import PROFILES, Base, Machine, base_names, load_base, load_machine, machine_names, series_names
from harness.stats import leaks

GOOD = (paths.MACHINES / "x86_64.toml").read_text()


class Inner(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    repeat: int = 1


class Listed(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    parts: tuple[Inner, ...] = ()


class Named(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    scales: dict[str, Inner] = {}


def refused(tmp_path: Path, text: str | bytes, record: type[msgspec.Struct] = Machine) -> str:
    """Return what is said of a file with this content; it has to name the file."""
    file = tmp_path / "board.toml"
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(UsageError) as caught:
        toml.load(file, record)
    assert str(file) in str(caught.value)
    return str(caught.value)


def test_a_good_file_is_read(tmp_path: Path) -> None:
    file = tmp_path / "board.toml"
    file.write_text(GOOD)
    assert toml.load(file, Machine).qemu.memory == 1024


@pytest.mark.parametrize(
    ("text", "key", "nearest"),
    [
        (GOOD.replace("description", "desciption"), "desciption", "description"),
        (GOOD.replace("memory", "memroy"), "memroy", "memory"),
        (GOOD.replace("cross_compile", "cross_compiler"), "cross_compiler", "cross_compile"),
    ],
)
def test_an_unknown_key_is_named_with_the_nearest(tmp_path: Path, text: str, key: str, nearest: str) -> None:
    message = refused(tmp_path, text)
    assert f"`{key}`" in message
    assert f"did you mean '{nearest}'?" in message


def test_a_key_like_no_other_gets_the_list(tmp_path: Path) -> None:
    message = refused(tmp_path, GOOD.replace("memory", "zzzzzzzz"))
    assert "zzzzzzzz" in message
    assert "known are" in message
    assert "memory" in message


@pytest.mark.parametrize(
    ("text", "record"),
    [("[[parts]]\nrepaet = 3\n", Listed), ("[scales.quick]\nrepaet = 3\n", Named)],
    ids=["in a list", "in a table of tables"],
)
def test_the_nearest_key_is_found_further_down(tmp_path: Path, text: str, record: type[msgspec.Struct]) -> None:
    assert "did you mean 'repeat'?" in refused(tmp_path, text, record)


@pytest.mark.parametrize(
    ("text", "where"),
    [
        (GOOD.replace("memory = 1024", 'memory = "much"'), "$.qemu.memory"),
        (GOOD.replace("cpus = 4", "cpus = 4.5"), "$.qemu.cpus"),
        (GOOD.replace('binary = "qemu-system-x86_64"', ""), "`binary`"),
        (GOOD.replace('"qboot.rom"', "1"), "$.qemu.arguments[1]"),
    ],
    ids=["wrong type", "fraction", "missing", "in a list"],
)
def test_a_wrong_value_is_named_with_its_place(tmp_path: Path, text: str, where: str) -> None:
    assert where in refused(tmp_path, text)


@pytest.mark.parametrize("text", [b"= nothing", b"a = 1\na = 2\n", b"description = '\xff'", b"\x00"], ids=repr)
def test_what_is_not_toml_is_said_so(tmp_path: Path, text: bytes) -> None:
    assert "not valid TOML" in refused(tmp_path, text)


def test_a_missing_file_is_said_so(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"nowhere\.toml cannot be read: No such file"):
        toml.load(tmp_path / "nowhere.toml", Machine)


@pytest.mark.parametrize("known", [[], ["x86_64", "aarch64"]])
def test_a_hint_ends_its_sentence(known: list[str]) -> None:
    assert toml.closest("zzz", known) == ("known are aarch64, x86_64." if known else "known are none.")
    assert toml.closest("x86-64", ["x86_64", "aarch64"]) == "did you mean 'x86_64'?"


def test_a_hint_is_never_what_was_typed() -> None:
    assert toml.closest("x86_64", ["x86_64", "x86_65"]) == "did you mean 'x86_65'?"
    assert toml.closest("x86_64", ["x86_64"]) == "known are none."


def test_a_part_of_a_name_is_enough_for_a_hint() -> None:
    known = ["free_merge", "free_no_merge", "freeze_all_of_it", "free_at_last_again", "other"]
    assert toml.closest("oth", known) == "did you mean 'other'?"
    assert toml.closest("FREE", known) == "did you mean 'free_merge', 'free_no_merge' or 'freeze_all_of_it'?"


def test_of_many_names_some_near_ones_are_listed() -> None:
    known = [f"name_{number}_of_many" for number in range(40)]
    assert toml.closest("zzz", known[:12]).startswith("known are name_0_of_many, ")
    assert toml.closest("zzz", known).count("name_") == 3


@pytest.mark.parametrize("name", machine_names())
def test_shipped_machines_load(name: str) -> None:
    machine = load_machine(name)
    assert machine.name == name
    assert machine.qemu.cpus >= 1
    assert machine.qemu.memory >= 256
    assert (paths.FRAGMENTS / f"arch-{name}.config").is_file()


@pytest.mark.parametrize("name", base_names())
def test_shipped_bases_load(name: str) -> None:
    base = load_base(name)
    assert base.name == base.release == name
    assert base.source.apt_package or len(bytes.fromhex(base.source.sha256)) == 32
    assert not base.default_series or base.default_series in series_names(base)
    assert not base.fragment or (paths.FRAGMENTS / base.fragment).is_file()
    _check_known_bugs(base)


def _check_known_bugs(base: Base) -> None:
    tests = {test.name for test in catalog.suite().tests} | {leaks.TEST}
    for bug in base.known_bugs:
        assert bug.test in tests
        assert bug.kind in {*SEVERITY, leaks.KIND, "test-failed", "load-failed", "hang", "died"}
        re.compile(bug.title)


@pytest.mark.parametrize(("key", "known"), [("profiles", "'debug'"), ("machines", "'x86_64'")])
def test_a_known_bug_of_nowhere_is_refused(key: str, known: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(paths, "SERIES", tmp_path)
    (tmp_path / "9.9").mkdir()
    bug = f"[[known_bugs]]\ntest = 'a'\nkind = 'bug'\ntitle = 'b'\nreason = 'c'\n{key} = [{known[:-1]}s']\n"
    (tmp_path / "9.9" / "base.toml").write_text(f"release = '9.9'\n[source]\n{bug}")
    with pytest.raises(UsageError, match=rf"base\.toml: there is no {key[:-1]} {known[:-1]}s'; did you mean {known}\?"):
        load_base("9.9")


def test_a_known_bug_whose_title_cannot_be_looked_for_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(paths, "SERIES", tmp_path)
    (tmp_path / "9.9").mkdir()
    bug = "[[known_bugs]]\ntest = 'a'\nkind = 'bug'\ntitle = 'leaked (objects'\nreason = 'c'\n"
    (tmp_path / "9.9" / "base.toml").write_text(f"release = '9.9'\n[source]\n{bug}")
    with pytest.raises(UsageError, match=r"base\.toml: the title 'leaked \(objects' of a known bug is not a regular expression"):
        load_base("9.9")


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ("threads = 2", "le_fit_alloc_test is no stress test"),
        ("memory = { pref = 128 }", "le_fit_alloc_test is no stress test"),
        ("memory = { pref = 128 }\nkind = 'stress'", r"there is no profile 'pref'; did you mean 'perf'\?"),
    ],
)
def test_a_suite_that_makes_no_sense_is_refused(more: str, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = (paths.TEST_MODULE / "suite.toml").read_text()
    kind = 'kind = "performance"\n' if "kind" not in more else ""
    first = 'name = "le_fit_alloc_test"\nkind = "performance"\n'
    assert first in text
    (tmp_path / "suite.toml").write_text(text.replace(first, f'name = "le_fit_alloc_test"\n{kind}{more}\n'))
    monkeypatch.setattr(catalog, "_FILE", tmp_path / "suite.toml")
    with pytest.raises(UsageError, match=said):
        catalog.suite.__wrapped__()


def test_the_shipped_suite_is_whole() -> None:
    suite = catalog.suite()
    assert set(suite.scales) == set(catalog.SCALES)
    assert len({test.name for test in suite.tests}) == len(suite.tests)
    for test in suite.tests:
        assert test.kind in ("performance", "stress", "sweep")
        assert set(test.loops) == set(catalog.SCALES)


def test_shipped_guest_contents_load() -> None:
    contents = toml.load(paths.ROOTFS / "contents.toml", rootfs.Contents)
    assert contents.packages
    assert not any(path.startswith("/") or ".." in path for pair in contents.programs.items() for path in pair)


def test_there_is_a_profile_for_performance() -> None:
    assert "perf" in PROFILES
