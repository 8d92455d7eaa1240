# SPDX-License-Identifier: GPL-2.0-only
"""Commands as text: a shell reads the words that were written."""

from __future__ import annotations

import subprocess

import pytest

from harness.report import shell_text as sh

WORDS = ("plain", "two words", "", "it's", 'a "quote"', "$HOME", "`id`", "back\\slash", "new\nline", "-x", "--y=z", "*", "!a", "ä")


def shown(text: str, **env: str) -> list[str]:
    """Return the words of the command ``shown WORD...`` that a shell reads."""
    script = f"shown() {{ printf '%s\\0' \"$@\"; }}\n{text}"
    done = subprocess.run(("sh", "-eu", "-c", script), env={"PATH": "/usr/bin:/bin", **env}, capture_output=True, check=True)
    return done.stdout.decode().split("\0")[:-1]


@pytest.mark.parametrize("word", WORDS)
def test_a_word_is_read_as_it_is(word: str) -> None:
    assert shown(f"shown {sh.quoted(word)}") == [word]


@pytest.mark.parametrize("word", WORDS)
def test_a_variable_of_the_script_has_its_value_beside_what_is_read_as_it_is(word: str) -> None:
    assert shown(f"shown {sh.quoted(f'{word}=$work/x')}", work="/a b") == [f"{word}=/a b/x"]


def test_no_other_variable_has_a_value() -> None:
    assert shown(f"shown {sh.quoted('$workshop$vm')}", vm="1", workshop="2", work="3") == ["$workshop1"]


def test_all_words_of_a_long_command_are_read() -> None:
    words = [*WORDS, *(f"--option-{number}" for number in range(30)), "-o", "value"]
    text = sh.command(("shown", *words), {"LONG": "x y"})
    assert shown(text) == words
    assert text.startswith("LONG='x y' shown plain ")
    assert len(text.splitlines()) > 4
    assert text.endswith("-o value")


def test_an_option_stands_before_its_value_in_one_line() -> None:
    lines = sh.wrapped(["qemu", *(word for number in range(20) for word in ("-device", f"number={number},more=more"))]).splitlines()
    assert all(line.startswith(("qemu -device", "    -device")) for line in lines)
    assert all(len(line) <= sh.WIDTH + 2 for line in lines)


@pytest.mark.parametrize("word", WORDS)
def test_a_guest_reads_a_word_as_it_is(word: str) -> None:
    """What ssh hands on, a shell of the guest reads again."""
    command = ("printf", "%s\\0", word, "the text\nof 'a' \"script\"")
    for texts in ({}, {command[-1]: "long"}):
        told = shown(f"{sh.QUOTE}\nshown {sh.remote(command, texts)}", long=command[-1])
        done = subprocess.run(("sh", "-c", told[0]), capture_output=True, check=True)
        assert done.stdout.decode().split("\0")[:-1] == list(command[2:])
        assert len(told) == 1


def test_an_environment_is_changed_or_replaced() -> None:
    changed = sh.environment({"GONE": None, "NEW": "x y"})
    done = subprocess.run(
        ("sh", "-c", f"{changed} env"), env={"GONE": "1", "PATH": "/usr/bin:/bin"}, capture_output=True, check=True
    )
    assert {b"NEW=x y", b"PATH=/usr/bin:/bin"} <= set(done.stdout.splitlines())
    assert b"GONE=1" not in done.stdout
    done = subprocess.run(("sh", "-c", f"{sh.environment({'NEW': 'x y'}, whole=True)} env"), capture_output=True, check=True)
    assert done.stdout == b"NEW=x y\n"


def test_functions_and_texts_are_read_as_they_are() -> None:
    text = "a 'text'\nwith $HOME, \\ and `id`"
    twice = sh.function("twice", 'shown "$text"', "shown x")
    assert shown(f"{sh.variable('text', text)}\n{twice}\ntwice") == [text, "x"]


@pytest.mark.parametrize("text", ["one line", "a\nb\n\nc", "long " * 100])
def test_comments_are_not_run(text: str) -> None:
    assert shown(f"{sh.not_run(text)}\n{sh.title('a part')}\n{sh.comment(text)}\nshown end") == ["end"]
