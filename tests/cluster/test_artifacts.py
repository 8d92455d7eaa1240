# SPDX-License-Identifier: GPL-2.0-only
"""Built folders travel whole or not at all, and are known by what they hold."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from harness.build import keys
from harness.cluster import artifacts
from harness.cluster.artifacts import Artifact
from harness.errors import RigError
from harness.host import files
from harness.model.matrix import Base
from tests.support import cells


@pytest.fixture
def built(cache: Path, base: Base) -> tuple[Artifact, ...]:
    """The artifacts of a cell whose files are in the cache."""
    return artifacts.of_cell(cells.plan(base).cells[0])


def send(artifact: Artifact, root: Path, parts: list[bytes] | None = None) -> None:
    parts = list(artifacts.parts(artifact)) if parts is None else parts
    for at, part in enumerate(parts):
        artifacts.receive(root, artifact, "me", part, first=at == 0, last=at == len(parts) - 1)


def test_a_cell_needs_its_kernel_module_initramfs_and_keys(built: tuple[Artifact, ...]) -> None:
    assert [artifact.place for artifact in built] == ["kernels/1111", "modules/2222", "rootfs/amd64-3", "keys"]
    assert len({artifact.digest for artifact in built}) == 4


def test_what_travels_is_the_same_there_and_is_not_sent_again(
    built: tuple[Artifact, ...], cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(artifacts, "_PART", 1000)
    root = tmp_path / "there"
    assert artifacts.lacking(root, built) == built
    for number, artifact in enumerate(built, 1):
        send(artifact, root)
        assert artifacts.lacking(root, built) == built[number:]
    for artifact in built:
        there, here = root / artifact.place, cache / artifact.place
        assert artifacts.digest(there) == artifacts.digest(here) == artifact.digest
    assert (root / "keys/login_ed25519").stat().st_mode & 0o777 == 0o600
    assert files.whole(root / "kernels/1111"), "its seal holds there too"
    assert not (root / "rootfs/amd64-3/rootfs.json").exists(), "it names paths of the host that built it"
    assert not list((root / "arriving").iterdir())


def test_what_was_damaged_there_is_lacking_and_is_replaced(built: tuple[Artifact, ...], tmp_path: Path) -> None:
    kernel = built[0]
    send(kernel, tmp_path)
    (tmp_path / kernel.place / "image").write_text("rotten")
    assert artifacts.lacking(tmp_path, [kernel]) == (kernel,)
    send(kernel, tmp_path)
    assert artifacts.lacking(tmp_path, [kernel]) == ()


@pytest.mark.parametrize("spoil", [lambda sent: sent[:700], lambda sent: sent.replace(b"image of", b"imago of"), lambda sent: b""])
def test_what_arrives_spoilt_is_not_taken(built: tuple[Artifact, ...], tmp_path: Path, spoil: object) -> None:
    whole = b"".join(artifacts.parts(built[0]))
    with pytest.raises(RigError, match=r"kernels/1111 did not arrive (whole|as it was sent)"):
        send(built[0], tmp_path, [spoil(whole)])  # type: ignore[operator]
    assert not (tmp_path / built[0].place).exists()


def test_an_archive_that_would_write_elsewhere_is_not_taken(built: tuple[Artifact, ...], tmp_path: Path) -> None:
    whole = b"".join(artifacts.parts(built[0]))
    evil = whole.replace(b"image\0\0\0\0\0\0", b"../../evil\0", 1)
    assert evil != whole
    with pytest.raises(RigError):
        send(built[0], tmp_path / "root", [evil])
    assert not list(tmp_path.rglob("evil"))


def test_a_disk_without_room_is_said(built: tuple[Artifact, ...], tmp_path: Path) -> None:
    (tmp_path / "arriving").write_text("no folder")
    with pytest.raises(RigError, match="cannot be written"):
        send(built[0], tmp_path)


def test_keys_of_another_client_are_another_artifact(built: tuple[Artifact, ...], cache: Path) -> None:
    for file in (cache / "keys").iterdir():
        file.unlink()
    keys.ensure()
    assert artifacts.digest(cache / "keys") != built[3].digest
    assert msgspec.structs.replace(built[3], digest=artifacts.digest(cache / "keys")).place == "keys"
