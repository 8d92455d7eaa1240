# SPDX-License-Identifier: GPL-2.0-only
"""Build folders whose last build was killed, or that lost files with the power."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from harness.build import build_folder
from harness.host import shell


@pytest.fixture
def built(tmp_path: Path) -> Path:
    """A folder as a build leaves it: objects, an archive, a header, and empty files that mean something."""
    folder = tmp_path / "build"
    (folder / "include/config/smp").mkdir(parents=True)
    (folder / "mm").mkdir()
    (tmp_path / "a.c").write_text("int f(void)\n{\n\treturn 1;\n}\n")
    for flag, name in (("-m64", "mm/vmalloc.o"), ("-m64", "vmlinux"), ("-m32", "mm/real.o")):
        shell.output(("gcc", flag, "-c", tmp_path / "a.c", "-o", folder / name))
    shell.output(("ar", "rcT", folder / "mm/built-in.a", folder / "mm/vmalloc.o"))
    (folder / "mm/.vmalloc.o.cmd").write_text("cmd_mm/vmalloc.o := gcc\n")
    (folder / "include/made.h").write_text("#define A\n")
    for empty in ("include/config/smp.h", "include/config/smp/all.h", "mm/modules.order", ".checked-atomic-long.h"):
        (folder / empty).touch()
    return folder


def begin(folder: Path) -> list[str]:
    """Begin a build and return what is said of the one before."""
    said: list[str] = []
    with build_folder.building(folder, said.append):
        pass
    return said


def test_a_whole_folder_is_built_in_again(built: Path) -> None:
    before = sorted(built.rglob("*"))
    assert build_folder.distrust(built) == ""
    assert begin(built) == []
    assert sorted(built.rglob("*")) == before


def test_a_new_folder(tmp_path: Path) -> None:
    assert begin(tmp_path / "build") == []
    assert list((tmp_path / "build").iterdir()) == []


@pytest.mark.parametrize("name", ["mm/vmalloc.o", "mm/real.o", "vmlinux", "mm/built-in.a", "mm/.vmalloc.o.cmd", "include/made.h"])
def test_an_empty_file_begins_the_folder_anew(built: Path, name: str) -> None:
    os.truncate(built / name, 0)
    assert begin(built) == [f"{name} is damaged; building from scratch"]
    assert list(built.iterdir()) == []


@pytest.mark.parametrize("name", ["mm/vmalloc.o", "mm/real.o", "vmlinux"])
@pytest.mark.parametrize("harm", ["no end", "only the magic", "no header"])
def test_an_object_that_is_not_complete_begins_the_folder_anew(built: Path, name: str, harm: str) -> None:
    content = (built / name).read_bytes()
    left = {"no end": content[:-1], "only the magic": content[:4], "no header": bytes(64) + content[64:]}
    (built / name).write_bytes(left[harm])
    assert begin(built) == [f"{name} is damaged; building from scratch"]


def test_an_archive_of_something_else_begins_the_folder_anew(built: Path) -> None:
    (built / "mm/built-in.a").write_bytes(bytes(100))
    assert build_folder.distrust(built) == "mm/built-in.a is damaged"


def test_a_build_that_fails_is_gone_on_with(built: Path) -> None:
    with pytest.raises(KeyboardInterrupt), build_folder.building(built, print):
        raise KeyboardInterrupt
    assert begin(built) == []
    assert (built / "vmlinux").exists()


def test_a_build_that_was_killed_is_begun_anew(built: Path) -> None:
    code = (
        "import sys, time; from pathlib import Path; from harness.build import build_folder\n"
        "with build_folder.building(Path(sys.argv[1]), print): print('building', flush=True); time.sleep(60)"
    )
    with subprocess.Popen((sys.executable, "-c", code, built), stdout=subprocess.PIPE) as rig:
        assert rig.stdout
        rig.stdout.readline()
        rig.send_signal(signal.SIGKILL)
    assert build_folder.distrust(built) == "the last build was killed"
    assert begin(built) == ["the last build was killed; building from scratch"]
    assert list(built.iterdir()) == []


@pytest.mark.parametrize(("seconds", "stays"), [(-60, True), (0, True), (3600, False)])
def test_a_build_from_the_future_is_dropped(built: Path, seconds: int, stays: bool) -> None:
    log = built / build_folder.LOG
    log.touch()
    os.utime(log, (time.time() + seconds,) * 2)
    assert begin(built) == ([] if stays else ["the clock was set back; building from scratch"])
    assert (built / "vmlinux").exists() == stays
