# SPDX-License-Identifier: GPL-2.0-only
"""Addresses of schedulers: TLS is the rule, and plain TCP never leaves this host."""

from __future__ import annotations

import re

import pytest

from harness.cluster import address
from harness.cluster.address import Address
from harness.commands import options
from harness.errors import RigError, UsageError
from harness.model.selection import Selection, Where


@pytest.mark.parametrize(
    ("given", "read", "local"),
    [
        ("tls://build-7.example:8786", Address("tls", "build-7.example", 8786), False),
        ("tls://[2001:db8::1]:8786", Address("tls", "2001:db8::1", 8786), False),
        (" tls://10.0.0.7:1/ ", Address("tls", "10.0.0.7", 1), False),
        ("tcp://127.0.0.1:8786", Address("tcp", "127.0.0.1", 8786), True),
        ("tcp://127.9.9.9:8786", Address("tcp", "127.9.9.9", 8786), True),
        ("tcp://[::1]:8786", Address("tcp", "::1", 8786), True),
        ("tcp://localhost:8786", Address("tcp", "localhost", 8786), True),
    ],
)
def test_an_address_is_read_and_written_alike(given: str, read: Address, local: bool) -> None:
    found = address.read(given, "--cluster")
    assert (found, found.local) == (read, local)
    assert address.read(str(found), "--cluster") == read


@pytest.mark.parametrize(
    "given", ["", "host", "host:8786", "http://host:1", "tls://host", "tls://host:70000", "tls://a b:1", "tls://:1"]
)
def test_what_is_no_address_is_said(given: str) -> None:
    with pytest.raises(UsageError, match=rf"--cluster has to be the address of a scheduler .*, not '{re.escape(given)}'\."):
        address.read(given, "--cluster")


@pytest.mark.parametrize(
    "given", ["tcp://10.0.0.7:8786", "tcp://0.0.0.0:8786", "tcp://host:1", "tcp://127.0.0.1.example:1", "tcp://[::]:1"]
)
def test_plain_tcp_is_refused_off_this_host(given: str) -> None:
    with pytest.raises(
        UsageError, match=r"RIG_CLUSTER names .*, but whoever reaches a port without TLS runs code there; use tls://"
    ):
        address.read(given, "RIG_CLUSTER")


def test_the_option_goes_before_the_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RIG_CLUSTER", raising=False)
    assert options.cluster(Selection()) == Selection()
    monkeypatch.setenv("RIG_CLUSTER", "tls://a:1")
    assert options.cluster(Selection()).cluster == "tls://a:1"
    assert options.cluster(Selection(cluster="tls://b:2/")).where == Where(0, "tls://b:2")
    monkeypatch.setenv("RIG_CLUSTER", "nowhere")
    with pytest.raises(UsageError, match="RIG_CLUSTER has to be the address"):
        options.cluster(Selection())


def test_the_interface_on_the_way_to_a_host_is_found() -> None:
    assert Address("tls", "127.0.0.1", 8786).near == "127.0.0.1"
    with pytest.raises(RigError, match=r"does not know the host of tls://no-such-host\.invalid:1: "):
        assert Address("tls", "no-such-host.invalid", 1).near


def test_all_addresses_of_a_host_are_none_to_go_to() -> None:
    assert [Address("tls", host, 1).anywhere for host in ("0.0.0.0", "::", "10.0.0.1", "host")] == [True, True, False, False]
