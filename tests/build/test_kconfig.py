# SPDX-License-Identifier: GPL-2.0-only
"""Kernel configurations: reading, merging, writing, and what got lost."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from harness import paths
from harness.build import kconfig
from harness.build.kbuild import configuration
from harness.model.matrix import PROFILES, Cell, Variant, base_names, load_base, load_machine, machine_names

FRAGMENT = """\
# A comment about CONFIG_COMMENTED=y.
CONFIG_SMP=y
CONFIG_TEST=m
  CONFIG_INDENTED=y
CONFIG_CMDLINE="a=b # c"
CONFIG_PHYS=0x1000000
# CONFIG_NUMA is not set
#CONFIG_OFF=y
"""


def test_all_forms_are_parsed() -> None:
    assert kconfig.parse(FRAGMENT) == {
        "CONFIG_SMP": "y",
        "CONFIG_TEST": "m",
        "CONFIG_INDENTED": "y",
        "CONFIG_CMDLINE": '"a=b # c"',
        "CONFIG_PHYS": "0x1000000",
        "CONFIG_NUMA": "n",
    }


def test_a_later_fragment_overrules() -> None:
    merged = kconfig.merge(["CONFIG_A=y\nCONFIG_B=y\n", "# CONFIG_A is not set\n", "CONFIG_B=m\n"])
    assert merged == {"CONFIG_A": "n", "CONFIG_B": "m"}


def test_off_is_written_as_kconfig_reads_it() -> None:
    assert kconfig.render({"CONFIG_A": "n", "CONFIG_B": '""'}) == '# CONFIG_A is not set\nCONFIG_B=""\n'


@given(
    st.dictionaries(st.from_regex(r"CONFIG_[A-Z0-9_]{1,8}", fullmatch=True), st.sampled_from(["y", "m", "n", '"x y"', "17", '""']))
)
def test_what_is_written_is_read_back(symbols: dict[str, str]) -> None:
    assert kconfig.parse(kconfig.render(symbols)) == symbols


@given(st.text())
def test_no_text_is_too_strange(text: str) -> None:
    assert all(name.startswith("CONFIG_") for name in kconfig.parse(text))


def test_what_did_not_survive_is_told() -> None:
    asked = {"CONFIG_KASAN": "y", "CONFIG_TEST": "m", "CONFIG_NUMA": "n", "CONFIG_SMP": "y"}
    made = {"CONFIG_TEST": "y", "CONFIG_SMP": "y", "CONFIG_MORE": "y"}
    assert kconfig.lost(asked, made) == {
        "CONFIG_KASAN": "CONFIG_KASAN was asked to be y and became n",
        "CONFIG_TEST": "CONFIG_TEST was asked to be m and became y",
    }


def test_what_was_asked_to_be_off_may_be_absent_but_not_on() -> None:
    assert kconfig.lost({"CONFIG_A": "n"}, {}) == {}
    assert kconfig.lost({"CONFIG_A": "n"}, {"CONFIG_A": "y"}) == {"CONFIG_A": "CONFIG_A was asked to be n and became y"}


def test_what_kconfig_files_declare() -> None:
    text = """\
config SMP
menuconfig\tMODULES  # a comment
  config INDENTED
    depends on CONFIG_NONE
    help
      Say so to configure it; config is a word here.
configuration WORD
source "lib/Kconfig.debug"
"""
    assert kconfig.declared(text) == {"CONFIG_SMP", "CONFIG_MODULES", "CONFIG_INDENTED"}


def test_shipped_fragments_hold_nothing_that_is_silently_passed_over() -> None:
    for file in paths.FRAGMENTS.glob("*.config"):
        for number, line in enumerate(file.read_text().splitlines(), 1):
            prose = line.startswith("#") and "is not set" not in line and "CONFIG_" not in line
            assert not line or prose or kconfig.parse(line), f"{file.name}:{number}: {line}"


def test_every_cell_of_the_project_has_a_configuration() -> None:
    for base in map(load_base, base_names()):
        for machine in map(load_machine, machine_names()):
            for profile in PROFILES:
                asked = configuration(base, Cell(machine, Variant("stock"), profile))
                assert asked["CONFIG_MODULES"] == "y"
