# SPDX-License-Identifier: GPL-2.0-only
"""A client's connection to a scheduler: who works there, and what is sent to their hosts."""

from __future__ import annotations

import contextlib
import hashlib
import logging
import warnings
from collections.abc import Iterable, Sequence
from types import TracebackType
from typing import Any

import distributed
import msgspec
from distributed.security import Security
from distributed.versions import VersionMismatchWarning

from harness.build import keys
from harness.cluster import artifacts, certificates, revision, worker
from harness.cluster.address import Address
from harness.cluster.artifacts import Artifact
from harness.cluster.revision import Facts
from harness.cluster.under_way import Have, Part
from harness.cluster.worker import Host
from harness.errors import RigError, UsageError
from harness.host.shell import Line

_CONNECT = 15.0
"""seconds in which a scheduler has to answer"""


class Member(msgspec.Struct, frozen=True):
    """A worker, as the scheduler knows it."""

    name: str
    address: str
    cores: int
    memory: int
    """MiB"""
    busy: int
    """sessions and builds that it runs"""


class Connection:
    """A context manager: the connection to a scheduler."""

    def __init__(self, address: Address) -> None:
        """Connect to the scheduler at `address`; RigError if none answers, UsageError without certificates for it."""
        self.address = address
        logging.getLogger("distributed").setLevel(logging.CRITICAL)  # what it would say is said in the rig's words
        logging.getLogger("tornado").setLevel(logging.CRITICAL)
        # The rig compares what decides results; Dask's own packages are of one version wherever ./bootstrap installed them.
        warnings.filterwarnings("ignore", category=VersionMismatchWarning)
        security = None
        if address.encrypted:
            own = certificates.known()
            security = Security(
                tls_ca_file=str(own.ca), tls_client_cert=str(own.certificate), tls_client_key=str(own.key), require_encryption=True
            )
        try:
            self.client: Any = distributed.Client(str(address), security=security, timeout=_CONNECT, set_as_default=False)
        except (OSError, TimeoutError) as error:
            raise RigError(
                f"No scheduler answers at {address}, or it knows other certificates; see `invoke cluster.status`,"
                " or start one with `invoke cluster.up`."
            ) from error

    def __enter__(self) -> Connection:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """End the connection, and with it all that workers do for it."""
        self.client.close(timeout=5)

    @property
    def up(self) -> bool:
        """True while the scheduler is connected."""
        return bool(self.client.status == "running")

    def members(self) -> list[Member]:
        """Return the workers by name; none while the scheduler does not answer."""
        try:
            info = self.client.scheduler_info(n_workers=-1)["workers"]
        except OSError:
            return []
        return sorted((_member(address, of) for address, of in info.items()), key=lambda member: member.name)

    @property
    def pages(self) -> str:
        """The address of Dask's pages about the cluster, which only the scheduler's host reaches."""
        port = self.client.scheduler_info()["services"].get("dashboard")
        return f"http://127.0.0.1:{port}/status" if port else "none"

    def hosts(self, binaries: Sequence[str]) -> dict[str, Host]:
        """Return what each worker says of its host, by name; `binaries` are the QEMUs that are asked for.

        A worker that does not answer, since it ends at the moment, is left out.
        """
        names = {member.address: member.name for member in self.members()}
        answers = self.client.run(worker.host, list(binaries), workers=list(names), on_error="ignore")
        return {names[address]: msgspec.json.decode(said, type=Host) for address, said in answers.items()}

    def check(self, here: Facts) -> dict[str, Host]:
        """Return the hosts by worker; UsageError if there is none, or one of them is another than `here`, in one sentence."""
        hosts = self.hosts(list(here.qemu))
        if not hosts:
            raise UsageError(f"No worker is at {self.address}; `invoke cluster.status` shows what is there.")
        for name, host in hosts.items():
            if said := revision.refusal(here, host.facts, name):
                raise UsageError(said)
        return hosts

    def provide(self, wanted: Iterable[Artifact], say: Line) -> None:
        """Send each worker the artifacts that its host lacks; RigError if one cannot take them."""
        asked = msgspec.json.encode(tuple(dict.fromkeys(wanted)))
        addresses = [member.address for member in self.members()]
        answers = self.client.run(worker.lacking, identity(), asked, workers=addresses, on_error="ignore")
        for address, lacks in answers.items():
            self.send(address, msgspec.json.decode(lacks, type=tuple[Artifact, ...]), say)

    def send(self, address: str, wanted: Sequence[Artifact], say: Line) -> None:
        """Send artifacts to the worker at `address`; RigError if it cannot take them. One that ends meanwhile lacks them still."""
        name = next((member.name for member in self.members() if member.address == address), address)
        for number, artifact in enumerate(wanted, 1):
            say(f"sending {artifact.place}, {number} of {len(wanted)}, to {name}")
            parts = list(artifacts.parts(artifact))
            for at, part in enumerate(parts):
                words = (identity(), msgspec.json.encode(artifact), part, at == 0, at == len(parts) - 1)
                said = self.client.run(worker.receive, *words, workers=[address], on_error="ignore").get(address, "")
                if said:
                    raise RigError(f"The worker {name} cannot take {artifact.place}: {said}")

    def cut_short(self, run: str) -> None:
        """Have the soaks of a run end early, with what they recorded so far."""
        with contextlib.suppress(OSError):  # the scheduler is lost, which is seen elsewhere
            self.client.run(worker.cut_short, run, on_error="ignore")

    def recorded(self, run: str, have: Have) -> list[Part]:
        """Return what the soaks of a run recorded so far and this client does not `have`, as far as workers answer."""
        if not self.up:
            return []
        answers: dict[str, bytes] = {}
        with contextlib.suppress(OSError):  # the scheduler is lost, which is seen elsewhere
            answers = self.client.run(worker.recorded, run, msgspec.msgpack.encode(have), on_error="ignore")
        return [part for said in answers.values() for part in msgspec.msgpack.decode(said, type=list[Part])]

    def forget(self, artifact: Artifact) -> None:
        """Have all workers remove an artifact that is not needed any more."""
        with contextlib.suppress(OSError):  # the scheduler is lost, which is seen elsewhere
            self.client.run(worker.forget, identity(), msgspec.json.encode(artifact), on_error="ignore")


def identity() -> str:
    """Return a digest of the keys that guests of this host's cache know."""
    pair = keys.ensure()
    return hashlib.sha256(pair.host_public.read_bytes() + pair.login_public.read_bytes()).hexdigest()[:16]


def _member(address: str, of: dict[str, Any]) -> Member:
    resources, metrics = of.get("resources", {}), of.get("metrics", {})
    return Member(
        name=str(of["name"]),
        address=address,
        cores=int(resources.get("cores", of["nthreads"])),
        memory=int(resources.get("memory", 0)),
        busy=int(metrics.get("task_counts", {}).get("executing", 0)),
    )
