# SPDX-License-Identifier: GPL-2.0-only
"""Tasks about a cluster: cluster.up, cluster.status, cluster.down."""

from __future__ import annotations

from invoke.context import Context
from invoke.tasks import task
from rich.table import Table

from harness.cluster import address
from harness.commands import options
from harness.errors import RigError
from harness.model.selection import number, whole
from harness.tasks import shown

_LISTEN, _SILENCE = "tls://127.0.0.1:8786", 30.0
_LONGEST = 3600.0
"""seconds of a silence"""


@task(
    help={
        "workers": "workers to start on this host, each with a cache and a share of the cores of its own"
        " (default: 1, or none with --hosts)",
        "hosts": "other hosts as ssh has them, such as a,user@b,c:2222: the rig is installed there, and starts a worker",
        "listen": "address at which the scheduler listens; plain tcp:// only on this host, and with --hosts one that they can reach"
        f" (default: {_LISTEN})",
        "silence": f"seconds without a word after which a worker counts as lost (default: {_SILENCE:g})",
    },
    auto_shortflags=False,
)
def cluster_up(_: Context, workers: str = "", hosts: str = "", listen: str = "", silence: str = "") -> None:
    """Start a scheduler and workers, to which --cluster hands kernels to build and sessions to run."""
    with options.errors():
        from harness.cluster import login  # its library takes long to load

        others = login.names(hosts) if hosts else ()
        many = whole("workers", workers, least=0 if others else 1) if workers else int(not others)
        place = address.read(listen or _LISTEN, "--listen")
        seconds = number("silence", silence, least=1, most=_LONGEST) if silence else _SILENCE
        from harness.commands import cluster  # its library is an extra

        state = cluster.up(cluster.Wish(many, place, seconds, others), shown.say)
        shown.say(f"The cluster is up: --cluster {state.address}, or RIG_CLUSTER={state.address}")


@task
def cluster_status(_: Context) -> None:
    """Show the scheduler and the workers that were started from this host, and how many builds and sessions each runs."""
    with options.errors():
        from harness.commands import cluster

        standing = cluster.status()
        if not standing:
            shown.say("No cluster is up.")
            return
        shown.say(f"Scheduler {standing.state.address}: {standing.trouble or f'its pages are at {standing.pages}'}")
        table = Table("worker", "host", "address", "cores", "MiB", "builds and sessions", box=None)
        hosts = standing.hosts
        for member in standing.members:
            where = hosts.get(member.name, "another one")
            table.add_row(member.name, where, member.address, str(member.cores), str(member.memory), str(member.busy))
        for name in sorted(hosts.keys() - {member.name for member in standing.members}):
            table.add_row(name, hosts[name], "is not there", "", "", "")
        shown.CONSOLE.print(table)


@task
def cluster_down(_: Context) -> None:
    """End the scheduler and the workers that were started from this host; the builds and sessions that they run are lost."""
    with options.errors():
        from harness.commands import cluster

        down = cluster.down()
        shown.say(f"{down.ended} processes ended.")
        if down.silent:
            raise RigError(" ".join(down.silent))


OF_CLUSTERS = {"up": cluster_up, "status": cluster_status, "down": cluster_down}
"""the tasks whose names begin with ``cluster.``"""
