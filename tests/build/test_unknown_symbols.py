# SPDX-License-Identifier: GPL-2.0-only
"""Symbols that a release does not know, and those that its Kconfig did not take."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from harness.build import git, source, unknown_symbols
from harness.model.matrix import Base

ASKED = {"CONFIG_KEPT": "y", "CONFIG_LOST": "y", "CONFIG_DEBUG_LOST": "40000", "CONFIG_NEW": "y", "CONFIG_OLD": "n"}


@pytest.fixture
def commit(base: Base, kernel_source: Path) -> str:
    """A source whose Kconfig files, below two folders, declare all symbols but CONFIG_NEW and CONFIG_OLD."""
    (kernel_source / "lib").mkdir()
    (kernel_source / "Kconfig").write_text("config KEPT\n\tbool\nmenuconfig LOST\n\tbool\n")
    (kernel_source / "lib/Kconfig.debug").write_text("if KEPT\n  config DEBUG_LOST\n    int\nendif\n")
    (kernel_source / "lib/notes.txt").write_text("config NEW\n")
    return source.resolve(base, str(kernel_source), print).commit


@pytest.fixture
def config(tmp_path: Path) -> Path:
    file = tmp_path / "config"
    file.write_text("CONFIG_KEPT=y\n# CONFIG_LOST is not set\nCONFIG_DEBUG_LOST=400\n")
    return file


@pytest.fixture
def other(base: Base) -> Base:
    """What has the settings of another release."""
    return msgspec.structs.replace(base, name="5.4", release="5.4", like="4.18")


def test_what_the_release_declares_has_to_be_taken(other: Base, config: Path, commit: str) -> None:
    assert unknown_symbols.refused(other, ASKED, config, commit) == [
        "CONFIG_LOST was asked to be y and became n",
        "CONFIG_DEBUG_LOST was asked to be 40000 and became 400",
    ]


def test_a_bases_own_release_has_to_know_all_of_it(base: Base, config: Path, commit: str) -> None:
    said = unknown_symbols.refused(base, ASKED, config, commit)
    assert [sentence.split()[0] for sentence in said] == ["CONFIG_LOST", "CONFIG_DEBUG_LOST", "CONFIG_NEW"]


def test_where_nothing_is_lost_no_file_is_looked_into(other: Base, config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(git, "run", lambda *_, **__: pytest.fail("git was called"))
    assert unknown_symbols.refused(other, {"CONFIG_KEPT": "y", "CONFIG_OLD": "n"}, config, "none") == []


def test_what_is_not_known_is_said_once_for_all_kernels(other: Base, config: Path) -> None:
    kernels = [({"CONFIG_KEPT": "y", "CONFIG_NEW": "y"}, config), ({"CONFIG_NEW": "y", "CONFIG_MORE": "7"}, config)]
    assert unknown_symbols.note(other, kernels) == (
        "Linux 5.4 does not know 2 symbols of the settings of 4.18: CONFIG_NEW, CONFIG_MORE.",
    )


def test_nothing_is_said_of_a_base_or_of_a_release_that_knows_all(base: Base, other: Base, config: Path) -> None:
    assert unknown_symbols.note(other, [({"CONFIG_KEPT": "y", "CONFIG_OLD": "n"}, config)]) == ()
    assert unknown_symbols.note(base, [({"CONFIG_NEW": "y"}, config)]) == ()
