# SPDX-License-Identifier: GPL-2.0-only
"""The compiler as builds call it: nothing comes from a cache that does not know all of its input."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from harness.build import toolchain
from harness.build.jobserver import Jobserver
from harness.model import matrix
from harness.model.matrix import Cell, Machine, Variant

INCBIN = {
    "a.S": '.incbin "blob"\n',
    "tab.S": '\t.incbin\t"blob"\n',
    "a.c": 'asm(".incbin \\"blob\\"\\n");\n',
    "tab.c": 'asm(".incbin\\t\\"blob\\"\\n");\n',
    "include.S": '.include "blob.inc"\n',
}


@pytest.fixture(params=matrix.machine_names())
def machine(request: pytest.FixtureRequest) -> Machine:
    return matrix.load_machine(request.param)


@pytest.fixture
def environment(cache: Path) -> dict[str, str]:
    with Jobserver(1, 1) as jobs:
        return toolchain.environment(jobs, Variant("stock"))


def compiled(machine: Machine, folder: Path, source: str, environment: dict[str, str]) -> bytes:
    """Compile `source` as Kbuild does in a build folder, and return the object."""
    cell = Cell(machine, Variant("stock"), "perf")
    words = [word.removeprefix("CC=").split() for word in toolchain.make(matrix.load_base("4.18"), cell) if word.startswith("CC=")]
    command = (*words[0], "-Wp,-MD,.made.o.d", "-c", "-o", "made.o", source)
    subprocess.run(command, cwd=folder, env=environment, check=True, capture_output=True)
    return (folder / "made.o").read_bytes()


def hits(environment: dict[str, str]) -> int:
    printed = subprocess.run(("ccache", "--print-stats"), env=environment, check=True, capture_output=True, text=True).stdout
    told = dict(line.split("\t") for line in printed.splitlines())
    return int(told["direct_cache_hit"]) + int(told["preprocessed_cache_hit"])


@pytest.mark.parametrize("source", INCBIN)
def test_what_takes_in_another_file_is_never_stale(
    tmp_path: Path, machine: Machine, environment: dict[str, str], source: str
) -> None:
    made = []
    for folder, blob in ((tmp_path / "one", "AAAA"), (tmp_path / "two", "BBBB"), (tmp_path / "three", "AAAA")):
        folder.mkdir()
        (folder / source).write_text(INCBIN[source])
        (folder / "blob").write_text(blob)
        (folder / "blob.inc").write_text(f'.ascii "{blob}"\n')
        made.append(compiled(machine, folder, source, environment))
        assert blob.encode() in made[-1]
    assert made[0] == made[2] != made[1]


def test_c_is_cached_and_still_sees_its_headers(tmp_path: Path, machine: Machine, environment: dict[str, str]) -> None:
    made = []
    for name, limit in (("one", 1), ("two", 1), ("three", 2)):
        folder = tmp_path / name
        folder.mkdir()
        (folder / "limit.h").write_text(f"#define LIMIT {limit}\n")
        (folder / "a.c").write_text('#include "limit.h"\nint limit = LIMIT;\n')
        made.append(compiled(machine, folder, "a.c", environment))
    assert made[0] == made[1] != made[2]
    assert hits(environment) == 1


def test_a_folder_that_was_filled_before_is_not_used(environment: dict[str, str], cache: Path) -> None:
    assert environment["CCACHE_DIR"] != str(cache / "ccache")
    assert "CCACHE_DEPEND" not in environment


def test_a_build_from_scratch_uses_no_cache(tmp_path: Path, machine: Machine, environment: dict[str, str]) -> None:
    with Jobserver(1, 1) as jobs:
        scratch = toolchain.environment(jobs, Variant("stock", scratch=True))
    (tmp_path / "a.c").write_text("int a;\n")
    assert compiled(machine, tmp_path, "a.c", environment) == compiled(machine, tmp_path, "a.c", scratch)
    compiled(machine, tmp_path, "a.c", scratch)
    assert hits(environment) == 0


def test_the_compilers_are_found_without_the_users_settings(monkeypatch: pytest.MonkeyPatch, cache: Path) -> None:
    monkeypatch.setenv("CCACHE_DEPEND", "1")
    monkeypatch.setenv("KCFLAGS", "-O0")
    with Jobserver(1, 1) as jobs:
        told = toolchain.environment(jobs, Variant("stock"))
    assert not {"CCACHE_DEPEND", "KCFLAGS"} & set(told)
    assert shutil.which("rig-cc", path=told["PATH"])
    assert told["PATH"].endswith(os.environ["PATH"])
