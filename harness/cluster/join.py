# SPDX-License-Identifier: GPL-2.0-only
"""Program that starts a worker, unless its host is another than the client asks for.

Its arguments are the client's facts as JSON, the worker's name, its resources as JSON, and those of ``dask worker``.
"""

from __future__ import annotations

import sys

import msgspec
from distributed.cli import dask_worker

from harness.cluster import daemons, revision
from harness.cluster.daemons import REFUSED, Resources
from harness.cluster.revision import Facts


def main(wanted: str, name: str, has: Resources, arguments: list[str]) -> None:
    """Become the worker `name`, which `has` something; exit with a sentence if this host's rig or QEMU is not the one `wanted`."""
    here = msgspec.json.decode(wanted, type=Facts)
    if said := revision.refusal(here, revision.facts(list(here.qemu))):
        sys.exit(f"{REFUSED}{said}")
    resources = f"cores={has.cores} memory={has.memory} {daemons.pin(name)}=1"
    dask_worker.main(["--name", name, "--nthreads", str(has.cores), "--resources", resources, *arguments])


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], msgspec.json.decode(sys.argv[3], type=Resources), sys.argv[4:])
