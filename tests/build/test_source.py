# SPDX-License-Identifier: GPL-2.0-only
"""Where a kernel's source comes from, and what is said of one that cannot be used."""

from __future__ import annotations

import shutil
import socket
import tarfile
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import msgspec
import pytest

from harness.build import git, source
from harness.build.source import Origins
from harness.errors import RigError, SourceUnavailable, UsageError
from harness.model.matrix import Base, Source
from tests.support.git import run_git


@pytest.fixture
def checkout(kernel_source: Path) -> Path:
    """The tiny source as a git checkout with a tag v4.18, and a later commit."""
    run_git(kernel_source, "init", "--quiet", "--initial-branch=master")
    run_git(kernel_source, "add", ".")
    run_git(kernel_source, "commit", "--quiet", "-m", "Linux 4.18")
    run_git(kernel_source, "tag", "v4.18")
    (kernel_source / "mm/vmalloc.c").write_text("later\n")
    run_git(kernel_source, "commit", "--quiet", "-a", "-m", "Later")
    return kernel_source


@pytest.fixture
def tarball(kernel_source: Path, tmp_path: Path) -> Path:
    file = tmp_path / "kernel.tar.gz"
    with tarfile.open(file, "w:gz") as archive:
        archive.add(kernel_source, "linux-4.18")
    return file


def refused(base: Base, wanted: str | Path) -> str:
    with pytest.raises(UsageError) as caught:
        source.resolve(base, str(wanted), print)
    return str(caught.value)


def test_a_folder(base: Base, kernel_source: Path, said: list[str]) -> None:
    found = source.resolve(base, str(kernel_source), said.append)
    assert (found.version, found.origin) == ("4.18.0", str(kernel_source))
    assert git.blob(found.commit, "mm/vmalloc.c") is not None
    assert any(str(kernel_source) in line for line in said)


def test_every_form_gives_the_same_tree(base: Base, kernel_source: Path, tarball: Path) -> None:
    folder = source.resolve(base, str(kernel_source), print)
    packed = source.resolve(base, str(tarball), print)
    run_git(kernel_source, "init", "--quiet")
    run_git(kernel_source, "add", ".")
    run_git(kernel_source, "commit", "--quiet", "-m", "Linux 4.18")
    cloned = source.resolve(base, f"file://{kernel_source}#HEAD", print)
    assert folder.tree == packed.tree == cloned.tree
    assert folder.commit == packed.commit == cloned.commit
    assert packed.origin == str(tarball)


def test_a_changed_folder_is_another_source(base: Base, kernel_source: Path) -> None:
    first = source.resolve(base, str(kernel_source), print)
    (kernel_source / "mm/vmalloc.c").write_text("changed\n")
    second = source.resolve(base, str(kernel_source), print)
    assert first.tree != second.tree
    assert git.blob(second.commit, "mm/vmalloc.c") == b"changed"


def test_files_that_git_would_ignore_are_part_of_the_source(base: Base, kernel_source: Path) -> None:
    (kernel_source / ".gitignore").write_text("*.c\n")
    found = source.resolve(base, str(kernel_source), print)
    assert git.blob(found.commit, "mm/vmalloc.c") is not None


def test_a_repository_inside_of_the_source_is_not_left_out(base: Base, kernel_source: Path) -> None:
    inner = kernel_source / "drivers/mine"
    inner.mkdir(parents=True)
    (inner / "a.c").write_text("mine\n")
    run_git(inner, "init", "--quiet")
    run_git(inner, "add", ".")
    run_git(inner, "commit", "--quiet", "-m", "Mine")
    for _ in range(2):
        assert f"{inner} is a git repository inside of the source" in refused(base, kernel_source)
    shutil.rmtree(inner / ".git")
    assert git.blob(source.resolve(base, str(kernel_source), print).commit, "drivers/mine/a.c") == b"mine"


def test_a_checkout_is_taken_as_it_was_committed(base: Base, checkout: Path) -> None:
    found = source.resolve(base, str(checkout), print)
    assert found.tree == run_git(checkout, "rev-parse", "HEAD^{tree}")
    assert run_git(checkout, "rev-parse", "HEAD") in found.origin


def test_a_checkout_with_changes_is_refused(base: Base, checkout: Path) -> None:
    (checkout / "mm/vmalloc.c").write_text("not committed\n")
    said = refused(base, checkout)
    assert str(checkout) in said
    assert "changes that are not committed; commit or stash them" in said


@pytest.mark.parametrize("form", ["file://{}#v4.18", "{}#v4.18"])
def test_a_repository_with_a_ref(base: Base, checkout: Path, form: str) -> None:
    found = source.resolve(base, form.format(checkout), print)
    assert found.tree == run_git(checkout, "rev-parse", "v4.18^{tree}")
    assert found.version == "4.18.0"


def test_changes_do_not_matter_to_a_named_ref(base: Base, checkout: Path) -> None:
    (checkout / "mm/vmalloc.c").write_text("not committed\n")
    found = source.resolve(base, f"{checkout}#v4.18", print)
    assert found.tree == run_git(checkout, "rev-parse", "v4.18^{tree}")


def test_a_missing_ref_or_repository_is_named(base: Base, checkout: Path, tmp_path: Path) -> None:
    assert "v4.19" in refused(base, f"file://{checkout}#v4.19")
    assert f"file://{tmp_path}/nowhere.git" in refused(base, f"file://{tmp_path}/nowhere.git#v4.18")


def test_an_option_is_no_ref(base: Base, checkout: Path, tmp_path: Path) -> None:
    refused(base, f"file://{checkout}#--upload-pack=touch {tmp_path}/evil")
    assert not (tmp_path / "evil").exists()


@pytest.mark.parametrize(
    "url", ["fd::17", "fd::17#HEAD", "ext::sh -c touch% {}", "ext::x", "foo://bar/x.git", "ftp://kernel.invalid/x"]
)
def test_a_transport_that_makes_no_sense_is_refused(base: Base, tmp_path: Path, url: str) -> None:
    said = refused(base, url.format(tmp_path / "evil"))
    assert f"does not fetch from {url.format(tmp_path / 'evil').partition('#')[0]} by '{url.partition(':')[0]}'" in said
    assert "file, git, http, https, ssh" in said
    assert not (tmp_path / "evil").exists()


@pytest.mark.parametrize("scheme", ["git", "http"])
def test_a_mute_server_is_given_up(base: Base, monkeypatch: pytest.MonkeyPatch, scheme: str) -> None:
    monkeypatch.setenv("RIG_PATIENCE", "0.01")
    with socket.create_server(("127.0.0.1", 0)) as mute:
        said = refused(base, f"{scheme}://127.0.0.1:{mute.getsockname()[1]}/linux.git#v4.18")
    assert f"{scheme}://127.0.0.1" in said
    assert "said nothing for 1 seconds" in said


def test_nobody_is_asked_for_a_password(base: Base, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Closed(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(401)
            self.send_header("WWW-Authenticate", 'Basic realm="kernel"')
            self.end_headers()

    asked = tmp_path / "asked"
    script = tmp_path / "ask"
    script.write_text(f"#!/bin/sh\ntouch {asked}\nsleep 60\n")
    script.chmod(0o755)
    monkeypatch.setenv("GIT_ASKPASS", str(script))
    monkeypatch.setenv("SSH_ASKPASS", str(script))
    with HTTPServer(("127.0.0.1", 0), Closed) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        assert "could not read Username" in refused(base, f"http://127.0.0.1:{server.server_port}/linux.git")
        server.shutdown()
    assert not asked.exists()


def test_variables_that_a_git_hook_leaves_do_not_matter(
    base: Base, checkout: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("GIT_DIR", "GIT_INDEX_FILE", "GIT_WORK_TREE", "GIT_OBJECT_DIRECTORY"):
        monkeypatch.setenv(name, str(tmp_path / "elsewhere"))
    found = source.resolve(base, str(checkout), print)
    assert git.blob(found.commit, "mm/vmalloc.c") == b"later"
    assert not (tmp_path / "elsewhere").exists()


def test_another_version_is_refused(base: Base, kernel_source: Path) -> None:
    makefile = kernel_source / "Makefile"
    makefile.write_text(makefile.read_text().replace("PATCHLEVEL = 18", "PATCHLEVEL = 180"))
    said = refused(base, kernel_source)
    assert f"{kernel_source} is Linux 4.180.0, not 4.18" in said
    assert "name a source of 4.18, or leave out --kernel" in said


def test_another_version_in_a_repository_is_refused(base: Base, checkout: Path) -> None:
    makefile = checkout / "Makefile"
    makefile.write_text(makefile.read_text().replace("PATCHLEVEL = 18", "PATCHLEVEL = 19"))
    run_git(checkout, "commit", "--quiet", "-a", "-m", "Linux 4.19")
    said = refused(base, f"file://{checkout}#master")
    assert f"file://{checkout}#master is Linux 4.19.0, not 4.18" in said


def test_a_folder_that_is_no_kernel(base: Base, tmp_path: Path, checkout: Path) -> None:
    (tmp_path / "empty").mkdir()
    assert "empty holds no kernel source: it has no Makefile" in refused(base, tmp_path / "empty")
    run_git(checkout, "rm", "--quiet", "Makefile")
    run_git(checkout, "commit", "--quiet", "-m", "Gone")
    assert "holds no kernel source: it has no Makefile" in refused(base, checkout)


def test_a_makefile_that_is_no_kernels(base: Base, kernel_source: Path) -> None:
    (kernel_source / "Makefile").write_text("all:\n\ttrue\n")
    assert "not 4.18" in refused(base, kernel_source)


@pytest.mark.parametrize("trace", [".config", "include/config/auto.conf"])
def test_a_tree_that_was_built_in_is_refused(base: Base, kernel_source: Path, trace: str) -> None:
    (kernel_source / trace).parent.mkdir(parents=True, exist_ok=True)
    (kernel_source / trace).write_text("")
    said = refused(base, kernel_source)
    assert f"{kernel_source} has been built in" in said
    assert "make mrproper" in said


def test_nothing_at_that_place(base: Base, tmp_path: Path) -> None:
    said = refused(base, tmp_path / "nowhere")
    assert "no source at" in said
    assert "a folder, a tarball, or a git URL with a ref as URL#REF" in said


def test_a_truncated_tarball_is_refused(base: Base, tarball: Path, cache: Path) -> None:
    tarball.write_bytes(tarball.read_bytes()[:-40])
    said = refused(base, tarball)
    assert str(tarball) in said
    assert "nexpected" in said, "tar's own last words are that it exits now, which tells nobody why"
    assert [path for path in (cache / "sources").iterdir() if not path.name.startswith(".")] == []


def test_a_tarball_of_something_else_is_refused(base: Base, tmp_path: Path) -> None:
    (tmp_path / "a").write_text("")
    file = tmp_path / "other.tar"
    with tarfile.open(file, "w") as archive:
        archive.add(tmp_path / "a", "a")
        archive.add(tmp_path / "a", "b")
    said = refused(base, file)
    assert f"{file} does not hold one folder with a kernel's source" in said


def test_a_file_that_is_no_tarball_is_refused(base: Base, tmp_path: Path) -> None:
    (tmp_path / "prose.txt").write_text("hello\n")
    assert "prose.txt" in refused(base, tmp_path / "prose.txt")


def test_without_a_source_three_ways_are_named(base: Base, cache: Path) -> None:
    def offline(url: str, *_: object) -> None:
        raise RigError(f"{url}: no route to host.")

    with pytest.raises(SourceUnavailable) as caught:
        source.resolve(base, None, print, Origins(fetch=offline))
    said = str(caught.value)
    assert "Linux 4.18 cannot be had" in said
    assert "no route to host" in said
    assert "--source or RIG_SOURCE (a folder, a tarball, or URL#REF of a git repository)" in said
    assert f"unpack it to {cache / 'sources/linux-4.18'}" in said
    assert f"put linux-4.18.tar.xz into {cache / 'sources'}" in said


def test_a_base_without_an_origin_is_unavailable(base: Base) -> None:
    with pytest.raises(SourceUnavailable, match="--source or RIG_SOURCE"):
        source.resolve(msgspec.structs.replace(base, source=Source()), None, print)


def test_a_package_that_cannot_be_had_is_a_source_that_is_unavailable(base: Base) -> None:
    def offline(*_: object, **__: object) -> list[Path]:
        raise RigError("Debian's packages for amd64 cannot be had: no route to host.")

    debian = msgspec.structs.replace(base, source=Source(apt_package="linux-source-4.18"))
    with pytest.raises(SourceUnavailable, match="--source or RIG_SOURCE"):
        source.resolve(debian, None, print, Origins(packages=offline))


def test_the_cache_comes_before_a_download(base: Base, kernel_source: Path, cache: Path) -> None:
    (cache / "sources").mkdir(parents=True)
    kernel_source.rename(cache / "sources/linux-4.18")
    origins = Origins(fetch=lambda *_: pytest.fail("it was downloaded all the same"))
    assert source.resolve(base, None, print, origins).origin == str(cache / "sources/linux-4.18")


def test_a_download_is_unpacked_once(base: Base, tarball: Path) -> None:
    fetched: list[Path] = []

    def fetch(url: str, sha256: str, target: Path, *_: object) -> None:
        assert (url, sha256) == (base.source.url, base.source.sha256)
        target.write_bytes(tarball.read_bytes())
        fetched.append(target)

    origins = Origins(fetch=fetch)
    first = source.resolve(base, None, print, origins)
    assert source.resolve(base, None, print, origins) == first
    assert [target.name for target in fetched] == ["linux-4.18.tar.xz"]
