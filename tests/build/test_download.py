# SPDX-License-Identifier: GPL-2.0-only
"""Downloads from a real server on this machine that can be told to misbehave."""

from __future__ import annotations

import hashlib
import socket
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from harness.build import download
from harness.errors import RigError

BODY = bytes(range(256)) * 4096
SHA256 = hashlib.sha256(BODY).hexdigest()


class Server(ThreadingHTTPServer):
    """Serves BODY, and remembers what it was asked for."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.asked: list[str | None] = []
        self.sent = len(BODY)
        """bytes of the body after which it breaks off"""
        self.stays = 0.0
        """seconds for which it says nothing after that"""
        self.knows_range = True
        self.chunked = False

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/linux.tar.xz"


class Handler(BaseHTTPRequestHandler):
    server: Server
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        wanted = self.headers.get("Range")
        self.server.asked.append(wanted)
        if self.path != "/linux.tar.xz":
            self.send_error(404)
            return
        first = int(wanted.removeprefix("bytes=").rstrip("-")) if wanted and self.server.knows_range else 0
        if first >= len(BODY):
            self.send_error(416)
            return
        body = BODY[first:]
        self.send_response(206 if first else 200)
        self.close_connection = True
        if first:
            self.send_header("Content-Range", f"bytes {first}-{len(BODY) - 1}/{len(BODY)}")
        self._send(body, body[: max(0, self.server.sent - first)])

    def _send(self, body: bytes, sent: bytes) -> None:
        if self.server.chunked:
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            self.wfile.write(b"%x\r\n" % len(body) + sent)
            return
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(sent)
        time.sleep(self.server.stays)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its parent's name
        """Say nothing on the terminal."""


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as made:
        thread = threading.Thread(target=made.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        thread.start()
        yield made
        made.shutdown()
        thread.join()


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return tmp_path / "sources/linux.tar.xz"


def part(target: Path) -> Path:
    return target.with_name("linux.tar.xz.part")


def broken_off(server: Server, target: Path, after: int) -> str:
    """Let a download break off and return what is said of it."""
    server.sent = after
    with pytest.raises(RigError) as caught:
        download.fetch(server.url, SHA256, target)
    server.sent = len(BODY)
    assert not target.exists()
    return str(caught.value)


def test_a_whole_file(server: Server, target: Path) -> None:
    download.fetch(server.url, SHA256, target)
    assert target.read_bytes() == BODY
    assert not part(target).exists()
    assert server.asked == [None]


def test_a_file_that_is_there_is_not_asked_for(server: Server, target: Path) -> None:
    target.parent.mkdir()
    target.write_bytes(BODY)
    download.fetch(server.url, SHA256, target)
    assert server.asked == []


@pytest.mark.parametrize("left", [b"", BODY[:-1], bytes(len(BODY))], ids=["empty", "cut short", "zeros"])
def test_a_damaged_file_that_is_there_is_fetched_again(server: Server, target: Path, left: bytes) -> None:
    said: list[str] = []
    target.parent.mkdir()
    target.write_bytes(left)
    download.fetch(server.url, SHA256, target, said.append)
    assert target.read_bytes() == BODY
    assert said[0] == f"{target} has another content than {server.url}; fetching it again"


def test_what_breaks_off_goes_on_from_there(server: Server, target: Path) -> None:
    said = broken_off(server, target, 300_000)
    assert server.url in said
    assert f"broke off after 300000 of {len(BODY)} bytes; call again" in said
    download.fetch(server.url, SHA256, target)
    assert target.read_bytes() == BODY
    assert server.asked == [None, "bytes=300000-"]
    assert not part(target).exists()


def test_it_may_break_off_twice(server: Server, target: Path) -> None:
    broken_off(server, target, 100_000)
    assert f"broke off after 200000 of {len(BODY)} bytes" in broken_off(server, target, 200_000)
    download.fetch(server.url, SHA256, target)
    assert target.read_bytes() == BODY


def test_a_server_that_does_not_resume_sends_all_of_it_again(server: Server, target: Path) -> None:
    broken_off(server, target, 300_000)
    server.knows_range = False
    download.fetch(server.url, SHA256, target)
    assert target.read_bytes() == BODY


def test_nothing_may_be_left_to_fetch(server: Server, target: Path) -> None:
    target.parent.mkdir()
    part(target).write_bytes(BODY)
    download.fetch(server.url, SHA256, target)
    assert target.read_bytes() == BODY


def test_another_content_is_deleted(server: Server, target: Path) -> None:
    with pytest.raises(RigError) as caught:
        download.fetch(server.url, "0" * 64, target)
    assert f"has the SHA-256 {SHA256}, not {'0' * 64}; it was deleted" in str(caught.value)
    assert server.url in str(caught.value)
    assert not target.exists()
    assert not part(target).exists()


@pytest.mark.parametrize("left", [b"x" * 1000, bytes(len(BODY)), BODY + b"more"], ids=["wrong", "zeros", "too long"])
def test_a_wrong_beginning_is_not_gone_on_with(server: Server, target: Path, left: bytes) -> None:
    target.parent.mkdir()
    part(target).write_bytes(left)
    download.fetch(server.url, SHA256, target)
    assert target.read_bytes() == BODY
    assert server.asked == [f"bytes={len(left)}-", None]


def test_a_mute_server_is_given_up(target: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(download, "_SILENCE", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as mute:
        url = f"http://127.0.0.1:{mute.getsockname()[1]}/linux.tar.xz"
        with pytest.raises(RigError, match=f"{url}: timed out"):
            download.fetch(url, SHA256, target)


def test_a_server_that_falls_silent_is_given_up(server: Server, target: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(download, "_SILENCE", 0.2)
    server.sent, server.stays = 300_000, 2.0
    with pytest.raises(RigError, match="timed out"):
        download.fetch(server.url, SHA256, target)
    server.sent, server.stays = len(BODY), 0.0
    download.fetch(server.url, SHA256, target)
    assert target.read_bytes() == BODY


def test_a_stream_without_a_length_that_breaks_off(server: Server, target: Path) -> None:
    server.chunked = True
    assert server.url in broken_off(server, target, 300_000)
    server.chunked = False
    download.fetch(server.url, SHA256, target)
    assert target.read_bytes() == BODY


def test_a_missing_file_is_said_so(server: Server, target: Path) -> None:
    url = server.url + ".gone"
    with pytest.raises(RigError, match="Not Found") as caught:
        download.fetch(url, SHA256, target)
    assert url in str(caught.value)
    assert not target.exists()


@pytest.mark.parametrize("url", ["http://127.0.0.1:1/linux.tar.xz", "nonsense"])
def test_nobody_there(url: str, target: Path) -> None:
    with pytest.raises(RigError) as caught:
        download.fetch(url, SHA256, target)
    assert url in str(caught.value)
    assert not target.exists()
