# SPDX-License-Identifier: GPL-2.0-only
"""The plugin's option for QEMU, and its files: read, removed, and refused where they are damaged."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.errors import VmLost
from harness.vm import blocks
from harness.vm.blocks import Block, Dump, Locked

WHOLE = "block ffffffff81000000 3 1538\nblock ffffffff81000020 1 4\nsection ff00 2 30 20 ff80\nlost 7\nend\n"
TAKES = (
    *("_raw_spin_lock", "_raw_spin_trylock", "_raw_spin_lock_irq", "_raw_spin_lock_irqsave", "_raw_spin_lock_bh"),
    *("_raw_read_lock", "_raw_write_lock_irqsave", "_raw_write_trylock", "_raw_spin_trylock_bh"),
    *("_raw_spin_lock_nested", "_raw_spin_lock_irqsave_nested", "_raw_spin_lock_nest_lock"),
)
RELEASES = ("_raw_spin_unlock", "_raw_spin_unlock_irq", "_raw_spin_unlock_irqrestore", "_raw_read_unlock_bh", "_raw_write_unlock")
OTHERS = (
    *("raw_spin_lock", "_raw_spin_lock_init", "__raw_spin_lock", "_raw_spin_locked", "_raw_mutex_lock"),
    *("queued_spin_lock_slowpath", "_raw_spin_lock.cold", "mutex_lock", "__kstrtab__raw_spin_lock"),
)


def test_a_file_is_blocks_and_sections() -> None:
    assert blocks.parse(4, "loop", WHOLE) == Dump(
        4,
        "loop",
        (Block(0xFFFFFFFF81000000, 3, "1538"), Block(0xFFFFFFFF81000020, 1, "4")),
        (Locked(0xFF00, 2, 30, 20, 0xFF80),),
        7,
    )
    assert blocks.parse(0, "other", "end\n") == Dump(0, "other", ())


def test_a_block_knows_the_addresses_of_its_instructions() -> None:
    block = Block(0x100, 2, "15f4")
    assert list(block.addresses) == [0x100, 0x101, 0x106, 0x115]
    assert block.end == 0x119


@pytest.mark.parametrize(
    "content",
    [
        "",
        "\n",
        "block 10 1 4\n",
        "block 10 1 4\nen",
        "end\nblock 10 1 4\n",
        "block 10 1\nend\n",
        "block 1x 1 4\nend\n",
        "block 10 one 4\nend\n",
        "block 10 1 4 4\nend\n",
        "block 10 1 4g\nend\n",
        "block 10 1 -4\nend\n",
        "section 10 1 2 3\nend\n",
        "section 10 1 2 3 zz\nend\n",
        "lost\nend\n",
        "lost many\nend\n",
        "end\nend\n",
        "blocks 10 1 4\nend\n",
        "\0\0\0\nend\n",
    ],
)
def test_a_damaged_file_is_refused(content: str) -> None:
    with pytest.raises(VmLost, match=r"^QEMU's plugin wrote something that cannot be read into its file 000012\.test: "):
        blocks.parse(12, "test", content)


def test_whole_files_are_taken_in_their_order_and_removed(tmp_path: Path) -> None:
    for name in ("000010.test", "000009.other", "1000000.other"):
        (tmp_path / name).write_text("end\n")
    for name in ("part", "000011.tests", "11.loop", "000011.loop.gz"):
        (tmp_path / name).write_text("not one of the plugin's")
    assert [(dump.number, dump.kind) for dump in blocks.taken(tmp_path)] == [(9, "other"), (10, "test"), (1000000, "other")]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["000011.loop.gz", "000011.tests", "11.loop", "part"]
    assert blocks.taken(tmp_path) == blocks.taken(tmp_path / "nowhere") == []


def test_bytes_that_are_no_text_are_refused(tmp_path: Path) -> None:
    (tmp_path / "000001.loop").write_bytes(b"block \xff\xfe 1 4\nend\n")
    with pytest.raises(VmLost, match=r"file 000001\.loop"):
        blocks.taken(tmp_path)


def test_the_functions_that_take_and_release_locks_are_those_of_the_kernel(tmp_path: Path) -> None:
    names = [*TAKES, *RELEASES, *OTHERS]
    symbols = tmp_path / "System.map"
    symbols.write_text("".join(f"ffffffff8100{number:04x} T {name}\n" for number, name in enumerate(names)))
    name, value = blocks.option(Path("/plugins/blocks.so"), Path("/vm/blocks"), symbols)
    parts = dict(part.split("=", 1) for part in value.split(","))
    found = {side: [names[int(at[-4:], 16)] for at in parts[side].split(":")] for side in ("acquire", "release")}
    assert name == "-plugin"
    assert found == {"acquire": [*TAKES], "release": [*RELEASES]}


def test_a_comma_and_a_space_in_a_path_are_not_the_end_of_it(tmp_path: Path) -> None:
    symbols = tmp_path / "System.map"
    symbols.write_text("")
    _, value = blocks.option(Path("/my, cache/blocks.so"), Path("/a vm, mine/blocks"), symbols)
    assert value == "file=/my,, cache/blocks.so,out=/a vm,, mine/blocks,acquire=,release="
