# SPDX-License-Identifier: GPL-2.0-only
"""Another task of a worker, one kernel to build, and the answer to it: values that travel as MessagePack."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import msgspec

from harness.build.kernel_tree import Tree
from harness.build.modules import ModuleSource
from harness.build.patches import Patched
from harness.cluster.artifacts import Artifact
from harness.cluster.revision import Facts
from harness.errors import RigError
from harness.model.matrix import Base, Cell

TASK, ANSWER = "build-task", "build-answer"
"""names in a build's folder on a worker's host"""
_PLACE = re.compile(r"(?:kernels|modules)/[0-9a-f]{16}")
"""folder of the cache that a build makes"""


class BuildTask(msgspec.Struct, frozen=True):
    """A kernel to build, with a module for it."""

    run: str
    """name of the client's call, which its builds share"""
    client: str
    """identity of the client's keys; clients with other keys have a cache of their own on the worker's host"""
    facts: Facts
    """of the client, without QEMU, which no kernel depends on"""
    base: Base
    cell: Cell
    source: Tree
    patched: Patched
    series: bytes
    """pack of what the variant has on top of the source"""
    tools: tuple[str, ...]
    """versions of the client's compiler and linker"""
    kernel: str
    """place of the kernel in the cache by the client's reckoning"""
    module: ModuleSource
    foreign: bool = False
    """True if the module is not the rig's own"""
    jobs: int = 1
    """compilers at once"""
    environment: dict[str, str] = {}
    """variables of the client that say how to build"""


class Made(msgspec.Struct, frozen=True):
    """A folder that a build made, and its files as an archive."""

    artifact: Artifact
    archive: bytes = b""


class BuildAnswer(msgspec.Struct, frozen=True, omit_defaults=True):
    """The end of a build, or the reason why it had none: behind the notes one field is set, with a broken one its log."""

    worker: str = ""
    """name of the worker"""
    notes: tuple[str, ...] = ()
    """sentences for the report"""
    lacks: bool = False
    """True if the worker's host has not the source; nothing was built"""
    refused: str = ""
    """reason for which the worker builds nothing for this client, in one sentence"""
    failed: str = ""
    """reason for which the rig failed there, in one sentence; another try may go well"""
    broken: str = ""
    """sentence by which the kernel or the module does not build, wherever that is tried"""
    cell: str = ""
    """name of the cell that a broken build is of, as far as its error says so"""
    log: bytes = b""
    """log of a build that is broken"""
    log_file: str = ""
    """its path in the sentence"""
    made: tuple[Made, ...] = ()
    """folders of the kernel and of the module"""


class Said(msgspec.Struct, frozen=True):
    """Message of a worker about the progress of a build."""

    cell: str
    text: str


def packed(value: BuildTask | BuildAnswer) -> bytes:
    """Return a value as it travels."""
    return msgspec.msgpack.encode(value, enc_hook=str)


def task(data: bytes) -> BuildTask:
    """Return the task that came."""
    return msgspec.msgpack.decode(data, type=BuildTask, dec_hook=_path)


def answer(data: bytes) -> BuildAnswer:
    """Return the answer that came."""
    return msgspec.msgpack.decode(data, type=BuildAnswer)


def check(of: BuildTask, came: BuildAnswer) -> None:
    """Raise RigError if an answer has not the kernel that was asked for, or a folder at another place than builds make."""
    places = [made.artifact.place for made in came.made]
    if of.kernel not in places:
        raise RigError(f"{of.cell.name} came back without its kernel {of.kernel}.")
    if odd := next((place for place in places if not _PLACE.fullmatch(place)), ""):
        raise RigError(f"{of.cell.name} came back with a folder that no build makes: {odd!r}.")


def _path(kind: type, value: Any) -> Any:
    return Path(value) if kind is Path else value
