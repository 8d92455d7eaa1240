# SPDX-License-Identifier: GPL-2.0-only
"""Talks QMP to a running QEMU: one command, one answer."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Mapping
from pathlib import Path

from qemu.qmp import ConnectError, ExecuteError, QMPClient
from qemu.qmp.error import QMPError

from harness.errors import VmLost
from harness.host.deadline import Deadline

_LOOK = 0.1
"""seconds between two looks at the deadline; an answer does not wait for them"""
logging.getLogger("qemu.qmp").setLevel(logging.CRITICAL)  # it logs a traceback for every QEMU that quits


def execute(socket: Path, command: str, arguments: Mapping[str, object] | None = None, *, deadline: float = 5.0) -> object:
    """Send `command` with `arguments` to the QEMU at `socket`, and return its answer.

    Raises VmLost if QEMU does not answer within `deadline` seconds, or refuses the command.
    """

    async def talk() -> object:
        client = QMPClient("kernel-patch-rig")
        await client.connect(str(socket))
        try:
            return await client.execute(command, dict(arguments or {}))
        finally:
            with contextlib.suppress(EOFError):  # a QEMU that quits closes the connection
                await client.disconnect()

    async def in_time() -> object:
        # Not asyncio's own timeout, which counts the time in which the host stood still.
        talking, late = asyncio.create_task(talk()), Deadline(deadline)
        while not (await asyncio.wait({talking}, timeout=_LOOK))[0]:
            if late.over:
                talking.cancel()
                await asyncio.wait({talking})
                raise TimeoutError
        return talking.result()

    try:
        return asyncio.run(in_time())
    except ConnectError as error:
        raise VmLost(f"QEMU does not answer at {socket}: {error}.") from error
    except ExecuteError as error:
        raise VmLost(f"QEMU refused '{command}': {error.error.error.desc}.") from error
    except (QMPError, TimeoutError, OSError, EOFError) as error:
        raise VmLost(f"QEMU at {socket} did not finish '{command}': {type(error).__name__}.") from error
