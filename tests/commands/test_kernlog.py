# SPDX-License-Identifier: GPL-2.0-only
"""What `invoke kernlog` prints, for people and for programs, and what it says of mistakes."""

from __future__ import annotations

import bz2
import gzip
import json
import lzma
import re
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec
import pytest

from harness import kernlog, paths
from harness.commands import kernlog as commands
from harness.errors import UsageError
from harness.model.trouble import Frame, Trouble
from harness.report.kernlog import as_json, converted, kinds, table
from harness.stats.outcome import ExitCode
from tests.kernlog.test_find import DATA, log
from tests.support.screen import on_terminal


def shown(troubles: Sequence[Trouble], width: int = 110) -> str:
    return on_terminal(table(troubles), width=width)


def invoke(*words: str, given: bytes = b"") -> tuple[int, str, str]:
    done = subprocess.run((sys.executable, "-m", "invoke", "kernlog", *words), cwd=paths.PROJECT, input=given, capture_output=True)
    return done.returncode, done.stdout.decode(), done.stderr.decode()


def test_the_table_says_what_where_and_what_followed() -> None:
    said = shown(kernlog.find(log("bug-x86_64")))
    for words in (
        "kernel BUG at mm/vmalloc.c:512!",
        "then: Kernel panic",
        "alloc_vmap_area",
        "vmalloc_test/1/97",
        "CPU 1",
        "2.921",
    ):
        assert words in said
    assert "1 finding: 1 fatal." in said
    assert "Nothing found." in shown([])


def test_the_table_has_no_column_for_times_that_nobody_told() -> None:
    assert "time" not in shown(kernlog.find("kernel BUG at mm/vmalloc.c:512!\n"))


def test_source_lines_are_shown_where_they_are_known() -> None:
    (found,) = kernlog.find(log("warning"))
    frame = Frame("pcpu_alloc", 0x5A0, 0x6B0, file="mm/percpu.c", line=1356, source="\t\tWARN_ON(!size);")
    assert "mm/percpu.c:1356: WARN_ON(!size);" in " ".join(shown([msgspec.structs.replace(found, frames=(frame,))], 200).split())


@pytest.mark.parametrize("field", ["title", "function", "where", "process", "kind"])
def test_nothing_in_a_finding_is_markup_or_steers_the_terminal(field: str) -> None:
    (found,) = kernlog.find(log("warning"))
    said = shown([msgspec.structs.replace(found, **{field: "[bold]x[/] \x1b[2J\x9b31m\x07"})], 200)
    assert "[bold]x[/]" in said
    assert not {"\x1b", "\x9b", "\x07"} & set(said)


def test_every_kind_has_its_line() -> None:
    assert [line.split()[0] for line in kinds().splitlines()] == [kind.name for kind in kernlog.KINDS]


def test_json_has_all_that_is_known() -> None:
    found = kernlog.find(log("kasan"))
    (told,) = json.loads(as_json(found))
    assert set(told) == set(Trouble.__struct_fields__)
    assert set(told["frames"][0]) == set(Frame.__struct_fields__)
    assert msgspec.convert([told], list[Trouble]) == found
    assert json.loads(as_json([])) == []


def test_json_lines_keep_their_order_and_their_ids() -> None:
    given = [{"id": n, "log": log(name)} for n, name in enumerate(["clean-boot", "kasan", "vfree"])]
    given.append({"id": {"a": [1.5, None, "\ud800"]}, "log": "\ud800", "more": 1})
    told = list(converted([json.dumps(each).encode() for each in given], kernlog.find))
    answers = [json.loads(line) for line, _, _ in told]
    assert [answer["id"] for answer in answers] == [each["id"] for each in given]
    assert [[found["kind"] for found in answer["findings"]] for answer in answers] == [[], ["kasan"], ["vfree"], []]
    assert [count for _, count, _ in told] == [0, 1, 1, 0]
    assert not any("\n" in line for line, _, _ in told)


@pytest.mark.parametrize(
    "bad",
    [
        b"nonsense",
        b"[1]",
        b'"id"',
        b"{}",
        b'{"id": 1}',
        b'{"log": "x"}',
        b'{"id": 1, "log": 2}',
        b"\xff\xfe",
        b"[" * 100_000,
        b'{"id":1,"log":"x',
    ],
    ids=lambda value: repr(value[:12]),
)
def test_a_bad_line_is_named_and_nothing_else_is_lost(bad: bytes) -> None:
    good = json.dumps({"id": 1, "log": log("vfree")}).encode()
    told = list(converted([good, b"\n", bad, good], kernlog.find))
    assert [bool(line) for line, _, _ in told] == [True, False, True]
    assert told[1][2].startswith("line 3 ")


def test_the_exit_code_says_what_was_found() -> None:
    code, said, _ = invoke(str(DATA / "kasan.log"))
    assert code == ExitCode.FINDING
    assert "BUG: KASAN" in said
    assert invoke("-", given=log("clean-boot").encode())[:2] == (ExitCode.GOOD, "Nothing found.\n")
    code, said, _ = invoke("-", "--json", given=log("kasan").encode())
    assert code == ExitCode.FINDING
    assert json.loads(said)[0]["kind"] == "kasan"
    code, said, error = invoke("-", "--jsonl", given=b'{"id": 7, "log": "BUG: KASAN: x in y"}\nbad\n')
    assert code == ExitCode.RIG_FAILED
    assert json.loads(said)["id"] == 7
    assert "line 2 is no JSON" in error


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("/nowhere/at.all",), "/nowhere/at.all cannot be read: No such file"),
        (("/",), "/ cannot be read: Is a directory"),
        ((str(DATA / "kasan.log"), "--module", "x.ko"), "go with --vmlinux"),
        ((str(DATA / "kasan.log"), "--vmlinux", "/nowhere/vmlinux"), "/nowhere/vmlinux is no file"),
    ],
    ids=["missing", "folder", "alone", "vmlinux"],
)
def test_a_mistake_is_said_in_a_sentence(words: tuple[str, ...], said: str) -> None:
    code, out, error = invoke(*words)
    assert (code, out) == (ExitCode.RIG_FAILED, "")
    assert said in error
    assert len(error.strip().splitlines()) == 1


def test_what_is_no_source_is_an_error(tmp_path: Path) -> None:
    file = tmp_path / "vmlinux"
    file.touch()
    with pytest.raises(UsageError, match="is no folder"):
        commands.debug(str(file), (), str(file))


@pytest.mark.parametrize("pack", [gzip.compress, lzma.compress, bz2.compress])
def test_a_compressed_log_is_unpacked(tmp_path: Path, pack: Callable[[bytes], bytes]) -> None:
    (tmp_path / "kern.log.1").write_bytes(pack(log("kasan").encode()))
    with commands.opened(str(tmp_path / "kern.log.1")) as file:
        assert [found.kind for found in commands.look(file, commands.Debug())] == ["kasan"]


def test_standard_input_may_be_compressed_or_no_log() -> None:
    code, said, _ = invoke("-", given=gzip.compress(log("kasan").encode()))
    assert (code, "KASAN: vmalloc-out-of-bounds" in said) == (ExitCode.FINDING, True)
    code, said, error = invoke("-", given=b"LPKSHHRH" + bytes(200))
    assert (code, said) == (ExitCode.RIG_FAILED, "")
    assert "journalctl --dmesg" in error


@pytest.mark.parametrize("cut", [4, 20, -1])
def test_a_compressed_log_that_is_cut_off_is_not_a_good_one(tmp_path: Path, cut: int) -> None:
    (tmp_path / "a.gz").write_bytes(gzip.compress(log("kasan").encode())[:cut])
    said = r"a\.gz cannot be read: it is compressed, but damaged \(.+\)\. Give a log"
    with pytest.raises(UsageError, match=said), commands.opened(str(tmp_path / "a.gz")) as file:
        commands.look(file, commands.Debug())


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"\x28\xb5\x2f\xfd\x04\x00", "is compressed by zstd; unpack it with `zstd -d`."),
        (b"PK\x03\x04", "is a zip archive; unpack it, and name the log in it."),
    ],
)
def test_a_file_that_is_no_text_has_not_nothing(tmp_path: Path, data: bytes, said: str) -> None:
    (tmp_path / "log").write_bytes(data)
    with pytest.raises(UsageError, match=re.escape(said)), commands.opened(str(tmp_path / "log")):
        pass
