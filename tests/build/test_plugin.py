# SPDX-License-Identifier: GPL-2.0-only
"""QEMU's plugin: which API it is built for, that it compiles for all of them, and what is said where there is none."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from harness.build import plugin
from harness.errors import BuildError
from harness.host import shell
from harness.model.matrix import load_machine, machine_names

APIS = range(1, 8)
SAYS = "QEMU emulator version {} (Debian 1:7.2+dfsg-7)\nCopyright (c) 2003-2022 Fabrice Bellard"


def fake(folder: Path, body: str, version: str = "7.2.22") -> str:
    """Return a program that has QEMU's `version` and otherwise does `body`."""
    script = folder / "qemu"
    script.write_text(f'#!/bin/sh\ncase "$*" in --version) echo "QEMU emulator version {version}"; exit ;; esac\n{body}\n')
    script.chmod(0o755)
    return str(script)


@pytest.mark.parametrize(
    ("version", "api"),
    [
        *(("4.2.0", 1), ("7.2.22", 1), ("8.2.2", 1), ("9.0.0", 2), ("9.1.3", 3), ("9.2.0", 4), ("10.0.13", 4)),
        *(("10.1.0", 5), ("10.2.1", 5), ("11.0.0", 6), ("11.1.0", 7), ("11.2.0", 7), ("12.0.0", 7)),
    ],
)
def test_the_api_is_that_of_qemus_version(version: str, api: int) -> None:
    assert plugin.api_of(SAYS.format(version)) == api
    assert plugin.api_of(f"a wrapper's warning\n{SAYS.format(version)}") == api


@pytest.mark.parametrize(
    ("version", "said"),
    [
        (SAYS.format("4.1.1"), "QEMU 4.1 has no plugins; they came with 4.2."),
        (SAYS.format("2.12.0"), "QEMU 2.12 has no plugins; they came with 4.2."),
        ("", "QEMU says no version that its plugins could be known by, but ''."),
        (
            SAYS.format("x.2"),
            "(Debian 1:7.2+dfsg-7)\\nCopyright (c) 2003-2022 Fabrice '.",
        ),
    ],
    ids=["4.1", "2.12", "nothing", "letters"],
)
def test_a_qemu_without_plugins_is_said(version: str, said: str) -> None:
    with pytest.raises(BuildError) as caught:
        plugin.api_of(version)
    assert str(caught.value).endswith(said)


@pytest.mark.parametrize("api", APIS)
def test_it_compiles_without_a_warning(api: int) -> None:
    sources = sorted(plugin.SOURCES.glob("*.c"))
    assert len(sources) == 2
    strict = ("-Wall", "-Wextra", "-Werror", "-Wno-unused-parameter", "-fsyntax-only")
    assert shell.output(("gcc", *strict, f"-DAPI={api}", *sources)) == ""


@pytest.mark.parametrize("name", machine_names())
def test_the_qemu_that_is_here_loads_it(name: str) -> None:
    built = plugin.build(load_machine(name).qemu.binary)
    assert built.obstacle == ""
    assert built.file
    assert built.file.name == "blocks.so"


def test_the_cache_has_one_for_each_api(tmp_path: Path, cache: Path) -> None:
    files = []
    for version in ("7.2.22", "8.0.0", "9.0.0"):
        (tmp_path / version).mkdir()
        loads = 'echo "TCG plugin returned error code 42" >&2; exit 1'
        files.append(plugin.build(fake(tmp_path / version, loads, version)).file)
    assert files[0] == files[1] != files[2]
    assert all(file and file.is_relative_to(cache / "plugins") for file in files)


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ('echo "qemu: -plugin: invalid option" >&2; exit 1', "qemu: -plugin: invalid option"),
        ('echo "Could not load plugin $8: not this time" >&2; exit 1', "Could not load plugin file=blocks.so: not this time"),
        ("exit 3", "it said nothing"),
        ("exit 0", "it ended without a word"),
        ("printf 'caf\\351\\n' >&2; exit 1", "caf\ufffd"),
    ],
    ids=["no plugins", "no symbol", "silent", "well", "not UTF-8"],
)
def test_a_qemu_that_does_not_load_it_is_an_obstacle_and_no_error(tmp_path: Path, body: str, said: str) -> None:
    binary = fake(tmp_path, body)
    assert plugin.build(binary) == plugin.Plugin(None, f"{binary} does not load plugins ({said}).")


def test_a_qemu_that_does_not_end_is_an_obstacle(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plugin, "_PATIENCE", 0.2)
    binary = fake(tmp_path, "exec sleep 60")
    assert plugin.build(binary).obstacle == f"{binary} does not load plugins (it said nothing for 0 seconds; try again later.)."


def test_a_qemu_that_is_not_there_is_an_obstacle(tmp_path: Path) -> None:
    built = plugin.build(str(tmp_path / "qemu"))
    assert built.file is None
    assert "No such file or directory; ./bootstrap installs what the rig needs" in built.obstacle


def test_a_compiler_that_is_missing_is_an_obstacle(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    binary = fake(tmp_path, "exit 1")
    for name in ("sh", "setpriv"):
        (tmp_path / name).symlink_to(shutil.which(name) or "")
    monkeypatch.setenv("PATH", str(tmp_path))
    built = plugin.build(binary)
    assert built.file is None
    assert built.obstacle == "`gcc` cannot be run: No such file or directory; ./bootstrap installs what the rig needs."


def test_a_compiler_that_fails_leaves_nothing_half_built(tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    compiler = tmp_path / "gcc"
    compiler.write_text('#!/bin/sh\n[ "$1" = --version ] && echo gcc 12 && exit\necho "cc1: out of memory" >&2\nexit 1\n')
    compiler.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    built = plugin.build(fake(tmp_path, "exit 1"))
    assert built.file is None
    assert "failed with exit code 1: cc1: out of memory" in built.obstacle
    assert not list((cache / "plugins").rglob("*.so"))
