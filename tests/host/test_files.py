# SPDX-License-Identifier: GPL-2.0-only
"""Files and folders that are whole or absent, whatever happens on the way."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import shutil
import stat
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness import paths
from harness.errors import RigError, UsageError
from harness.host import files


def full(*_: object) -> None:
    """Do what the kernel does when the disk is full."""
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def names(folder: Path) -> list[str]:
    """Return all that lies in `folder`, hidden files too."""
    return sorted(path.name for path in folder.iterdir())


def test_a_file_is_written_with_its_mode(tmp_path: Path) -> None:
    files.write(tmp_path / "new/file", "text", 0o600)
    assert (tmp_path / "new/file").read_text() == "text"
    assert stat.S_IMODE((tmp_path / "new/file").stat().st_mode) == 0o600
    files.write(tmp_path / "new/file", b"\xff")
    assert (tmp_path / "new/file").read_bytes() == b"\xff"
    assert names(tmp_path / "new") == ["file"]


@pytest.mark.parametrize("call", ["fsync", "replace", "chmod"])
def test_a_full_disk_leaves_what_was_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str) -> None:
    file = tmp_path / "file"
    files.write(file, "old")
    monkeypatch.setattr(os, call, full)
    with pytest.raises(RigError, match="file cannot be written: No space left on device") as caught:
        files.write(file, "new")
    assert str(file) in str(caught.value)
    assert file.read_text() == "old"
    assert names(tmp_path) == ["file"]


def test_an_interruption_leaves_nothing_half_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(_: int) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", interrupted)
    with pytest.raises(KeyboardInterrupt):
        files.write(tmp_path / "file", "new")
    assert names(tmp_path) == []


def test_a_place_that_cannot_be_is_the_rigs_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(RigError) as caught:
        files.write(tmp_path / "file/below", "new")
    assert str(tmp_path / "file") in str(caught.value)


def test_a_cache_that_is_a_file_is_the_rigs_error(cache: Path) -> None:
    cache.write_text("")
    with pytest.raises(RigError) as caught, files.locked(cache / "linux.git"):
        pytest.fail("there is no place for a lock")
    assert str(cache) in str(caught.value)


def test_a_folder_appears_when_it_is_full(tmp_path: Path) -> None:
    target = tmp_path / "a/made"
    with files.folder(target) as made:
        (made / "one").write_text("1")
        assert not target.exists()
        assert made.parent == target.parent, "renaming has to be possible"
    assert (target / "one").read_text() == "1"
    assert stat.S_IMODE(target.stat().st_mode) == 0o755
    assert names(target.parent) == ["made"]


def test_a_folder_takes_the_place_of_an_older_one(tmp_path: Path) -> None:
    for name in ("old", "new"):
        with files.folder(tmp_path / "made") as made:
            (made / name).write_text("")
    assert names(tmp_path / "made") == ["new"]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, RigError])
def test_a_folder_that_fails_leaves_nothing(tmp_path: Path, error: type[BaseException]) -> None:
    def fill() -> None:
        with files.folder(tmp_path / "made") as made:
            (made / "half").write_text("")
            raise error("trouble")

    with pytest.raises(error):
        fill()
    assert names(tmp_path) == []


def test_a_folder_that_fails_leaves_the_older_one(tmp_path: Path) -> None:
    with files.folder(tmp_path / "made") as made:
        (made / "old").write_text("")
    with pytest.raises(RigError, match="made cannot be made: No space left on device"), files.folder(tmp_path / "made"):
        full()
    assert names(tmp_path) == ["made"]
    assert names(tmp_path / "made") == ["old"]


def kill_while_it_fills(target: Path) -> None:
    code = (
        "import sys, time; from pathlib import Path; from harness.host import files\n"
        "with files.folder(Path(sys.argv[1])) as made: (made / 'a').touch(); print('filling', flush=True); time.sleep(60)"
    )
    with subprocess.Popen((sys.executable, "-c", code, target), stdout=subprocess.PIPE) as rig:
        assert rig.stdout
        rig.stdout.readline()
        rig.kill()


def test_what_a_killed_rig_was_filling_is_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kill_while_it_fills(tmp_path / "made[1]")
    (left,) = names(tmp_path)
    with files.folder(tmp_path / "made[1]"):
        assert left in names(tmp_path), "it could be one that was just made"
    os.utime(tmp_path / left, (0, 0))
    with files.folder(tmp_path / "other"):
        assert left in names(tmp_path)
    with files.folder(tmp_path / "made[1]"):
        assert left not in names(tmp_path)


def test_what_is_being_filled_stays(tmp_path: Path) -> None:
    with files.folder(tmp_path / "made") as first:
        (first / "one").touch()
        os.utime(first, (0, 0))
        with files.folder(tmp_path / "made") as second:
            (second / "two").touch()
        assert (first / "one").exists()
    assert names(tmp_path) == ["made"]
    assert names(tmp_path / "made") == ["one"]


def test_a_digest_tells_its_parts_apart(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_bytes(b"content")
    assert files.digest("ab", "c") != files.digest("a", "bc")
    assert files.digest("a", "") != files.digest("a")
    assert files.digest(file) == files.digest(b"content") == files.digest("content")
    file.write_bytes(b"changed")
    assert files.digest(file) != files.digest(b"content")
    assert files.file_sha256(file) == hashlib.sha256(b"changed").hexdigest()


def test_a_lock_keeps_other_threads_out(tmp_path: Path) -> None:
    order: list[str] = []

    def other() -> None:
        with files.locked(tmp_path / "thing"):
            order.append("other")

    thread = threading.Thread(target=other)
    with files.locked(tmp_path / "thing"):
        thread.start()
        thread.join(0.1)
        order.append("first")
    thread.join(5)
    assert order == ["first", "other"]


def test_a_shared_lock_keeps_out_who_wants_it_alone(tmp_path: Path) -> None:
    order: list[str] = []

    def alone() -> None:
        with files.locked(tmp_path / "thing"):
            order.append("alone")

    thread = threading.Thread(target=alone)
    with files.shared(tmp_path / "thing"):
        thread.start()
        thread.join(0.1)
        with files.shared(tmp_path / "thing"):
            order.append("two share it")
    thread.join(5)
    assert order == ["two share it", "alone"]


def test_the_cache_is_where_the_user_says(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("RIG_CACHE", str(tmp_path / "mine"))
    assert paths.cache() == tmp_path / "mine"
    monkeypatch.delenv("RIG_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert paths.cache() == tmp_path / "xdg/kernel-patch-rig"
    monkeypatch.setenv("XDG_CACHE_HOME", "")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    assert paths.cache() == tmp_path / "home/.cache/kernel-patch-rig"
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")
    assert paths.cache() == tmp_path / "home/.cache/kernel-patch-rig", "a relative one is to be ignored"


def test_a_cache_that_is_not_absolute_is_where_it_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("RIG_CACHE", "mine")
    assert paths.cache() == tmp_path / "mine"


@pytest.mark.parametrize("name", ["~no-such-user", "~no-such-user/cache", "a\0b"])
def test_a_path_that_cannot_be_is_a_mistake_of_the_user(name: str) -> None:
    with pytest.raises(UsageError, match=r"RIG_CACHE has '"):
        paths.expanded(name, "RIG_CACHE")


@given(
    st.dictionaries(
        st.sampled_from(["RIG_CACHE", "XDG_CACHE_HOME", "HOME"]), st.text(st.characters(codec="utf-8", exclude_characters="\0"))
    )
)
def test_no_environment_is_too_strange_for_the_cache(env: dict[str, str]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        for name in ("RIG_CACHE", "XDG_CACHE_HOME", "HOME"):
            patch.delenv(name, raising=False)
        for name, value in env.items():
            patch.setenv(name, value)
        with contextlib.suppress(UsageError):
            assert paths.cache().is_absolute()


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("with space", "a space"),
        ("with:colon", "a colon"),
        ("with,comma", "a comma"),
        *((f"with{character}", f"the character {character}") for character in "#%$='\"\\;&|<>()*?[]{}!^`"),
        ("with\nline", "characters that cannot be written out"),
        ("with\udcff", "characters that cannot be written out"),
    ],
)
def test_a_cache_in_which_no_kernel_builds_is_known(name: str, said: str) -> None:
    assert said in paths.unfit(Path("/tmp") / name)


@pytest.mark.parametrize("name", ["plain", "jenkins@2/a+b_c-d.e~", "größe", "x" * 200])
def test_a_cache_in_which_kernels_build_is_taken(name: str) -> None:
    assert paths.unfit(Path("/tmp") / name) == ""


@pytest.fixture
def sealed(tmp_path: Path) -> Path:
    """A folder of the cache with two files."""
    folder = tmp_path / "sealed"
    folder.mkdir()
    (folder / "image").write_bytes(b"kernel")
    (folder / "config").write_text("CONFIG_MMU=y\n")
    files.seal(folder)
    return folder


def test_a_sealed_folder_is_whole(sealed: Path) -> None:
    assert files.whole(sealed)
    (sealed / "more").touch()
    assert files.whole(sealed), "what was not sealed does not count"


@pytest.mark.parametrize(
    "harm",
    [
        lambda folder: (folder / "image").unlink(),
        lambda folder: (folder / "image").write_bytes(b"kern"),
        lambda folder: (folder / "image").write_bytes(b"kernal"),
        lambda folder: (folder / "seal.json").write_bytes(b'{"image":'),
        lambda folder: (folder / "seal.json").write_bytes(b"[1]"),
        lambda folder: (folder / "seal.json").unlink(),
    ],
    ids=["gone", "cut short", "changed", "torn seal", "odd seal", "no seal"],
)
def test_a_damaged_folder_is_not_whole(sealed: Path, harm: Callable[[Path], object]) -> None:
    harm(sealed)
    assert not files.whole(sealed)


def test_a_folder_under_the_name_of_another_is_not_whole(sealed: Path) -> None:
    planted = shutil.copytree(sealed, sealed.with_name("another"))
    assert not files.whole(planted)
    files.seal(planted)
    assert files.whole(planted)


def test_a_folder_is_sealed_by_the_name_that_it_will_have(sealed: Path) -> None:
    files.seal(sealed, "another")
    assert not files.whole(sealed)
    assert files.whole(sealed.rename(sealed.with_name("another")))


def test_a_large_file_is_known_by_its_size(sealed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "_LARGE", 3)
    files.seal(sealed)
    (sealed / "image").write_bytes(b"kernal")
    assert files.whole(sealed)
    (sealed / "image").write_bytes(b"kern")
    assert not files.whole(sealed)
