# SPDX-License-Identifier: GPL-2.0-only
"""A host whose rig or QEMU is another one is refused in a sentence."""

from __future__ import annotations

from pathlib import Path

import msgspec

from harness import paths
from harness.cluster import revision
from harness.cluster.revision import Facts

HERE = Facts("1" * 16, {"qemu-system-x86_64": "QEMU emulator version 7.2.22", "qemu-system-arm": "none"})


def test_a_host_with_the_same_is_taken() -> None:
    assert revision.refusal(HERE, HERE) == ""
    more = msgspec.structs.replace(HERE, qemu={**HERE.qemu, "qemu-system-riscv64": "QEMU emulator version 1"})
    assert revision.refusal(HERE, more) == "", "nobody asks for that one"


def test_another_revision_is_refused() -> None:
    said = revision.refusal(HERE, msgspec.structs.replace(HERE, revision="2" * 16), "w7")
    assert said == (
        "w7 has another revision of the rig (2222222222222222) than the client (1111111111111111);"
        " call `invoke cluster.down` and `invoke cluster.up` again."
    )


def test_another_qemu_is_refused_and_so_is_none() -> None:
    for qemu, shown in (({"qemu-system-x86_64": "QEMU emulator version 9.0.0"}, "QEMU emulator version 9.0.0"), ({}, "none")):
        there = msgspec.structs.replace(HERE, qemu={"qemu-system-arm": "none", **qemu})
        said = revision.refusal(HERE, there, "w7")
        assert said.startswith(f"w7 has another qemu-system-x86_64 ('{shown}') than the client ('QEMU emulator version 7.2.22')")
        assert said.endswith("install the same version, or leave that host out.")


def test_the_revision_is_that_of_the_files_that_decide_results(tmp_path: Path) -> None:
    for name in ("harness/suite/execute.py", "harness/suite/guest.sh", "qemu_configs/x86_64.toml", "docs/map.md", "tests/test.py"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("one")
    first = revision.revision(tmp_path)
    for name in ("docs/map.md", "tests/test.py"):
        (tmp_path / name).write_text("two")
    assert revision.revision(tmp_path) == first
    seen = {first}
    for name in ("harness/suite/execute.py", "harness/suite/guest.sh", "qemu_configs/x86_64.toml"):
        (tmp_path / name).write_text("two")
        seen.add(revision.revision(tmp_path))
    assert len(seen) == 4
    assert revision.revision() == revision.revision(paths.PROJECT)


def test_a_qemu_that_is_not_there_is_none() -> None:
    assert revision.facts(["/no/such/qemu"]).qemu == {"/no/such/qemu": "none"}
