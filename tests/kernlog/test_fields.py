# SPDX-License-Identifier: GPL-2.0-only
"""Logs whose lines are fields: journals as JSON, export and verbose, `dmesg -J`, containers' JSON."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence

import pytest

from harness.kernlog import find
from harness.kernlog.fields import Fields
from tests.kernlog.test_prefixes import EXPECTED, IDLE, OOPS, WARNING, essence, stamp

Records = Callable[[Sequence[tuple[str, str]]], str]
"""makes a log of programs and what they say"""


def fields(who: str, said: str, n: int) -> dict[str, str]:
    ours = (
        {"_SOURCE_MONOTONIC_TIMESTAMP": str(41200000 + n), "_TRANSPORT": "kernel"} if who == "kernel" else {"_TRANSPORT": "stdout"}
    )
    return {
        "__CURSOR": f"s=3b1f;i={n:x}",
        "__REALTIME_TIMESTAMP": str(1534170712000000 + n),
        **ours,
        "PRIORITY": str(n % 8),
        "SYSLOG_IDENTIFIER": who,
        "MESSAGE": said,
        "_HOSTNAME": "box",
        "_BOOT_ID": "5f3a",
    }


def as_json(records: Sequence[tuple[str, str]]) -> str:
    return "".join(json.dumps(fields(*record, n)) + "\n" for n, record in enumerate(records))


def compact(records: Sequence[tuple[str, str]]) -> str:
    return "".join(json.dumps(fields(*record, n), separators=(",", ":")) + "\n" for n, record in enumerate(records))


def pretty(records: Sequence[tuple[str, str]]) -> str:
    made = (fields(*record, n) for n, record in enumerate(records))
    return "".join("{\n" + ",\n".join(f"\t{json.dumps(k)} : {json.dumps(v)}" for k, v in each.items()) + "\n}\n" for each in made)


def export(records: Sequence[tuple[str, str]]) -> str:
    made = (fields(*record, n) for n, record in enumerate(records))
    return "".join("".join(f"{key}={value}\n" for key, value in each.items()) + "\n" for each in made)


def verbose(records: Sequence[tuple[str, str]]) -> str:
    made = (fields(*record, n) for n, record in enumerate(records))
    date = "Mon 2018-08-13 16:31:52.123456 CEST [s=3b1f;i=1;b=5f3a]\n"
    return "".join(date + "".join(f"    {key}={value}\n" for key, value in each.items()) for each in made)


def dmesg(records: Sequence[tuple[str, str]]) -> str:
    kernel = [{"pri": n % 8, "time": 41 + n / 10000, "msg": said} for n, (who, said) in enumerate(records) if who == "kernel"]
    return json.dumps({"dmesg": kernel}, indent=3)


def container(records: Sequence[tuple[str, str]]) -> str:
    return "".join(
        json.dumps(
            {"log": (stamp(n) + said if who == "kernel" else said) + "\n", "stream": "stdout", "time": "2018-08-13T16:31:52Z"}
        )
        + "\n"
        for n, (who, said) in enumerate(records)
    )


ALL: list[Records] = [as_json, compact, pretty, export, verbose, dmesg, container]
HEAD = [("systemd", f"Started unit {n}.") for n in range(5)]
KERNEL = [("kernel", line) for line in (*IDLE, *OOPS, *IDLE, *WARNING, *IDLE)]


@pytest.mark.parametrize("records", ALL)
def test_the_findings_are_those_of_the_plain_log(records: Records) -> None:
    plain = find("".join(f"{line}\n" for _, line in KERNEL))
    found = find(records([*HEAD, *KERNEL]))
    assert [essence(each) for each in found] == EXPECTED[:2]
    assert [(each.title, each.fingerprint, each.followed) for each in found] == [
        (each.title, each.fingerprint, each.followed) for each in plain
    ]


@pytest.mark.parametrize("records", ALL)
def test_the_lines_are_those_of_the_file(records: Records) -> None:
    text = records([*HEAD, *KERNEL])
    lines = text.splitlines()
    for each, first, last in zip(find(text), (OOPS[0], WARNING[1]), (OOPS[-1], WARNING[-1]), strict=True):
        assert first in lines[each.first - 1]
        assert last in lines[each.last - 1]
        assert 'MESSAGE":' not in each.text


@pytest.mark.parametrize("records", ALL)
def test_what_programs_say_between_is_no_part_of_a_report(records: Records) -> None:
    mixed = [record for line in KERNEL for record in (line, ("tester", " indented+0x1/0x2"), ("tester", "Call Trace:"))]
    found = find(records(mixed))
    assert [essence(each) for each in found] == EXPECTED[:2]
    assert not any("indented" in each.text for each in found)


@pytest.mark.parametrize("records", [as_json, compact, pretty, export, verbose])
def test_what_programs_say_is_no_report(records: Records) -> None:
    assert find(records([*HEAD, ("tester", "kernel BUG at mm/vmalloc.c:512!"), *HEAD, *HEAD])) == []


@pytest.mark.parametrize("records", [as_json, compact, pretty, export, verbose, dmesg])
def test_one_line_is_a_report_too(records: Records) -> None:
    (found,) = find(records([*HEAD, ("kernel", 'Kernel panic - not syncing: "no\ttime"'), *HEAD]))
    assert found.title == 'Kernel panic - not syncing: "no\ttime"'


def test_the_time_is_the_kernels() -> None:
    assert [found.time for found in find(as_json(KERNEL))] == [pytest.approx(41.20002), pytest.approx(41.200054)]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ('{"MESSAGE":"a \\"b\\" \\u00e9","_TRANSPORT":"kernel"}', 'kernel: a "b" é'),
        ('{"MESSAGE":"a","_TRANSPORT":"kernel","_SOURCE_MONOTONIC_TIMESTAMP":"41200000"}', "6,0,41200000,-;a"),
        ('{"_TRANSPORT":"kernel","MESSAGE":"cut in the middl', "kernel: cut in the middl"),
        ('{"_TRANSPORT":"kernel","MESSAGE":"cut \\u00', "kernel: cut \\u00"),
        ('{"MESSAGE":"a","SYSLOG_IDENTIFIER":"tester"}', "program: a"),
        ('{"log":"[    1.0] a\\n","stream":"stdout"}', "[    1.0] a"),
        ('{"log":"a\\nb\\n"}', "a"),
        ('\t"MESSAGE" : "a",', "MESSAGE=a"),
        ('         "msg": "a"', "kernel: a"),
        ('{"MESSAGE":[66,85,71],"_TRANSPORT":"kernel"}', '{"MESSAGE":[66,85,71],"_TRANSPORT":"kernel"}'),
        ('{"nothing": "of that"}', '{"nothing": "of that"}'),
        ('say "MESSAGE":"a"', 'say "MESSAGE":"a"'),
        ("{", "{"),
        ("", ""),
    ],
)
def test_the_message_of_a_line(line: str, message: str) -> None:
    assert Fields().read(line) == message
