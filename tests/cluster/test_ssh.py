# SPDX-License-Identifier: GPL-2.0-only
"""A worker by SSH, for real: an sshd of the test's own lets the rig in, and a worker joins, is seen and is ended."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("distributed", reason="NOT TESTED: distributed is not installed; ./bootstrap installs it")

from harness import paths
from harness.cluster import certificates, daemons, hosts, packed_rig, revision
from harness.cluster.address import Address
from harness.cluster.connection import Connection
from harness.cluster.login import Login
from harness.commands import cluster
from harness.errors import RigError, UsageError
from harness.vm.launch import free_port

pytestmark = [pytest.mark.kernel, pytest.mark.alone]
SSHD = shutil.which("sshd", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")
OPTIONS = """\
Port {port}
ListenAddress 127.0.0.1
HostKey {folder}/host_key
AuthorizedKeysFile {folder}/key.pub
PidFile none
UsePAM no
StrictModes no
PasswordAuthentication no
SetEnv RIG_CACHE={folder}/there
"""
BOOTSTRAP = """\
#!/bin/sh
# In place of the rig's own, which takes a minute: the Python that runs the test has all packages, and takes the rig from here.
set -eu
mkdir -p .venv/bin
printf '#!/bin/sh\\nPYTHONPATH="%s" exec "{python}" "$@"\\n' "$PWD" > .venv/bin/python
chmod 755 .venv/bin/python
"""


@pytest.fixture
def host(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A host, as ``--hosts`` has it: this one, by an sshd that knows one key."""
    if not SSHD:
        pytest.skip("NOT TESTED: there is no sshd on this machine; Debian's openssh-server has it")
    if not (paths.PROJECT / ".git").exists():
        pytest.skip("NOT TESTED: this is no git checkout, which is what is installed on other hosts")
    folder = tmp_path_factory.mktemp("s")
    home = folder / "home"
    (home / ".ssh").mkdir(parents=True)
    for key in ("host_key", "key"):
        subprocess.run(("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", folder / key), check=True)
    shutil.copy(folder / "key", home / ".ssh/id_ed25519")
    port = free_port()
    (folder / "config").write_text(OPTIONS.format(port=port, folder=folder))
    with (folder / "log").open("wb") as log:
        sshd = subprocess.Popen((SSHD, "-D", "-e", "-f", folder / "config"), stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    until = time.monotonic() + 10
    while b"Server listening" not in (folder / "log").read_bytes() and sshd.poll() is None and time.monotonic() < until:
        time.sleep(0.1)
    if sshd.poll() is not None:
        pytest.skip(f"NOT TESTED: sshd does not start on this machine: {(folder / 'log').read_text().strip().splitlines()[-1]}")
    kind, key = (folder / "host_key.pub").read_text().split()[:2]
    (home / ".ssh/known_hosts").write_text(f"[127.0.0.1]:{port} {kind} {key}\n")
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("RIG_CACHE", str(folder / "here"))
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)
    checkout = folder / "checkout"
    shutil.copytree(paths.PROJECT, checkout, ignore=shutil.ignore_patterns(".venv", "results", ".git", "__pycache__", ".*_cache"))
    (checkout / "bootstrap").write_text(BOOTSTRAP.format(python=sys.executable))
    (checkout / ".gitignore").write_text("__pycache__/\n")
    subprocess.run(("git", "init", "-q"), cwd=checkout, check=True)
    packed = packed_rig.archive(checkout)
    monkeypatch.setattr(packed_rig, "archive", lambda: packed)
    yield f"127.0.0.1:{port}"
    monkeypatch.setenv("RIG_CACHE", str(folder / "here"))
    cluster.down()
    sshd.terminate()
    sshd.wait(10)


def up(host: str) -> daemons.State:
    return cluster.up(cluster.Wish(1, Address("tls", "127.0.0.1", free_port()), 5.0, (host,)), lambda _: None)


def workers(state: daemons.State) -> list[int]:
    """Return the processes of workers that go to the state's scheduler."""
    found = subprocess.run(("pgrep", "-f", f"harness.cluster.join .*{state.address}"), capture_output=True, text=True, check=False)
    return [int(pid) for pid in found.stdout.split()]


def test_a_worker_joins_by_ssh_is_seen_and_is_ended(host: str) -> None:
    state = up(host)
    standing = cluster.status()
    assert standing
    assert {member.name: standing.hosts[member.name] for member in standing.members} == {"w1": "this one", host: host}
    assert {member.name: member.cores for member in standing.members}[host] == os.cpu_count()
    with Connection(Address("tls", "127.0.0.1", int(state.address.rpartition(":")[2]))) as connection:
        seen = connection.check(revision.facts())
    assert seen[host].facts == seen["w1"].facts
    (remote,) = state.remotes
    secrets = list(Path(remote.rig).parent.parent.glob("workers/*/certificates/*.pem"))
    assert len(secrets) == 3
    assert {file.stat().st_mode & 0o777 for file in secrets} == {0o600}
    assert len(workers(state)) == 2
    assert cluster.down() == cluster.Down(3)
    assert not workers(state)
    assert not [file for file in secrets if file.exists()]
    unused, said = Path(remote.rig).with_name("0" * 16), list[str]()
    unused.mkdir()
    os.utime(unused, (0, 0))
    with Login(host) as login:
        hosts.install([login], certificates.ensure(), said.append)
    assert said[-1] == f"{host}: 1 old rig removed"
    assert (unused.exists(), Path(remote.rig).exists()) == (False, True)


def test_a_host_that_cannot_be_a_worker_leaves_nothing(host: str, monkeypatch: pytest.MonkeyPatch) -> None:
    facts = revision.facts()
    monkeypatch.setattr(revision, "facts", lambda: revision.Facts(facts.revision, {**facts.qemu, "qemu-system-x86_64": "QEMU 99"}))
    with pytest.raises(RigError, match=rf"^{host}: .* has another qemu-system-x86_64 .* than the client \('QEMU 99'\)"):
        up(host)
    assert cluster.status() is None
    assert not subprocess.run(("pgrep", "-f", f"RIG_CACHE={paths.cache()}"), capture_output=True, check=False).stdout


def test_a_host_whose_key_is_not_known_is_refused(host: str) -> None:
    (Path(os.environ["HOME"]) / ".ssh/known_hosts").write_text("")
    with pytest.raises(UsageError, match=rf"^The key of {host} is not known: call `ssh -p \d+ 127\.0\.0\.1` once"):
        up(host)
    assert cluster.status() is None
