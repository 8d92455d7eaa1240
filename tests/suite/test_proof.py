# SPDX-License-Identifier: GPL-2.0-only
"""The proof of a boot, on what guests say of themselves."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest

from harness.errors import Mismatch
from harness.model.matrix import Base
from harness.suite import proof
from harness.suite.plan import Session
from harness.suite.vm_pool import MODULE, booting
from harness.vm.qemu_args import command_line
from tests.build.test_identity import note
from tests.support import make


@pytest.fixture
def session(base: Base) -> Session:
    return make.plan(base).sessions[0]


def answers(session: Session, **other: str) -> dict[str, str]:
    """Return what a guest says that runs just what it should, but for `other`."""
    asked = command_line(booting(session.built, session.clock, pauses=False))
    return {
        "release": "4.18.0",
        "command_line": asked,
        "initramfs": make.INITRAMFS,
        "kernel": note(bytes.fromhex(make.BUILD_ID)).hex(),
        "module": note(bytes.fromhex(make.MODULE_BUILD_ID)).hex(),
        **other,
    }


def prove(session: Session, said: dict[str, str], sent: str = make.MODULE_BUILD_ID) -> Any:
    boot = booting(session.built, session.clock, pauses=False)
    printed = "".join(f"{name} {value}\n" for name, value in said.items())

    def run(*words: str) -> str:
        assert words[-1] == MODULE
        return printed

    guest, machine = SimpleNamespace(run=run), SimpleNamespace(sockets=Path("/no/vm"))
    return proof.prove(guest, session, machine, boot, MODULE, lambda _: sent)  # type: ignore[arg-type]


def test_a_guest_that_runs_what_was_built(session: Session) -> None:
    said = answers(session)
    assert prove(session, said) == make.booted(command_line=said["command_line"], qemu="unknown")


@pytest.mark.parametrize(
    ("what", "value", "told"),
    [
        ("kernel", note(b"\x0f" * 20).hex(), f"the kernel's build-id is '{'0f' * 20}' in the guest, .* is '{make.BUILD_ID}'"),
        ("kernel", "", f"the kernel's build-id is '' in the guest, .* is '{make.BUILD_ID}'"),
        ("kernel", "no hex", "the kernel's build-id is ''"),
        ("module", note(b"\x0f" * 20).hex(), f"the module's build-id is '{'0f' * 20}' .* is '{make.MODULE_BUILD_ID}'"),
        ("module", "", f"the module's build-id is '' .* is '{make.MODULE_BUILD_ID}'"),
        ("initramfs", "0" * 64, f"the initramfs is '{'0' * 64}' .* is '{make.INITRAMFS}'"),
        ("release", "4.19.0", r"the release is '4\.19\.0' .* is '4\.18\.0'"),
        ("command_line", "quiet", "the command line is 'quiet' in the guest, but the one asked for is 'console="),
    ],
)
def test_what_is_not_what_was_built_is_named_with_both_values(session: Session, what: str, value: str, told: str) -> None:
    with pytest.raises(Mismatch, match=told):
        prove(session, answers(session, **{what: value}))


def test_a_guest_that_says_nothing_proves_nothing(session: Session) -> None:
    with pytest.raises(Mismatch, match="the kernel's build-id is ''"):
        prove(session, {})


def test_a_module_that_is_not_loaded_is_left_to_the_tests(session: Session) -> None:
    said = answers(session)
    del said["module"]
    assert prove(session, said).module_build_id == ""


def test_a_module_that_was_loaded_before_is_not_the_one_that_was_sent(session: Session) -> None:
    with pytest.raises(Mismatch, match=f"the module's build-id is '' .* is '{make.MODULE_BUILD_ID}'"):
        prove(session, answers(session, module="loaded already"))


def test_a_guest_looks_for_a_module_before_it_loads_one() -> None:
    asked = proof._ASK_MODULE.index("[ -e /sys/module/vmalloc_test ]"), proof._ASK_MODULE.index("/sbin/insmod")
    assert asked == tuple(sorted(asked))


def test_a_foreign_module_is_not_loaded_to_prove_it(session: Session) -> None:
    scripts = []

    def run(*words: str) -> str:
        scripts.append(words[2])
        return "".join(f"{name} {value}\n" for name, value in answers(session).items() if name != "module")

    kernel = session.built.kernel
    for foreign in (False, True):
        built = msgspec.structs.replace(session.built, kernel=msgspec.structs.replace(kernel, foreign=foreign))
        of = msgspec.structs.replace(session, built=built)
        guest, machine = SimpleNamespace(run=run), SimpleNamespace(sockets=Path("/no/vm"))
        boot = booting(built, session.clock, pauses=False)
        booted = proof.prove(guest, of, machine, boot, MODULE, lambda _: make.MODULE_BUILD_ID)  # type: ignore[arg-type]
        assert booted.module_build_id == ""
        with pytest.raises(Mismatch, match="the module's build-id"):
            proof.prove(guest, of, machine, boot, MODULE, lambda _: "0f" * 20)  # type: ignore[arg-type]
    assert ["insmod" in script for script in scripts] == [True, True, False, False]


def test_a_module_of_another_build_is_refused_even_where_it_cannot_be_loaded(session: Session) -> None:
    said = answers(session)
    del said["module"]
    with pytest.raises(Mismatch, match=f"the module's build-id is '{'0f' * 20}' .* is '{make.MODULE_BUILD_ID}'"):
        prove(session, said, "0f" * 20)
