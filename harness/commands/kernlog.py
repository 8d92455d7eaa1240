# SPDX-License-Identifier: GPL-2.0-only
"""Reads logs that a user names, with the source lines of their call traces where debug information is given."""

from __future__ import annotations

import contextlib
import io
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import BinaryIO, cast

import msgspec

from harness import kernlog
from harness.errors import UsageError
from harness.host import debug_info, packed
from harness.kernlog import symbols
from harness.model.trouble import Trouble
from harness.report import kernlog as tables
from harness.stats.outcome import ExitCode

_NO_TEXT = (
    packed.ZSTD,
    (b"PK\x03\x04", "is a zip archive; unpack it, and name the log in it"),
    (b"LPKSHHRH", "is a file of systemd's journal; give what `journalctl --dmesg --file` prints of it"),
)
"""beginnings of files in which no report would be found, with what to say of them"""


class Debug(msgspec.Struct, frozen=True):
    """Paths of debug information, if any."""

    vmlinux: Path | None = None
    modules: tuple[Path, ...] = ()
    source: Path | None = None


def debug(vmlinux: str, modules: Sequence[str], source: str) -> Debug:
    """Return the paths that the options name; UsageError if one does not exist, or they do not go together."""
    if (modules or source) and not vmlinux:
        raise UsageError("--module and --source go with --vmlinux, which names the kernel's debug information.")
    for name in (vmlinux, *modules):
        if name and not Path(name).is_file():
            raise UsageError(f"{name} is no file; --vmlinux and --module take files with debug information.")
    if source and not Path(source).is_dir():
        raise UsageError(f"{source} is no folder; --source takes the kernel's source.")
    return Debug(Path(vmlinux) if vmlinux else None, tuple(map(Path, modules)), Path(source) if source else None)


@contextlib.contextmanager
def opened(name: str) -> Iterator[BinaryIO]:
    """Open a file, or standard input for ``-``, and unpack what is compressed.

    UsageError if it cannot be read, then or later, and if it is a file of a kind that is no text.
    """
    try:
        if name == "-":
            yield _text(name, cast("io.BufferedReader", sys.stdin.buffer))
        else:
            with Path(name).open("rb") as file:
                yield _text(name, file)
    except BrokenPipeError:
        raise
    except packed.DAMAGED as error:
        why = error.strerror if isinstance(error, OSError) and error.strerror else f"it is compressed, but damaged ({error})"
        raise UsageError(f"{name} cannot be read: {why}. Give a log, or - for standard input.") from error


def _text(name: str, file: io.BufferedReader) -> BinaryIO:
    """Return what to read the log from: the file, or what unpacks it; UsageError for a file of a kind that is no text."""
    beginning = file.peek(packed.BEGINNING)
    for start, what in _NO_TEXT:
        if beginning.startswith(start):
            raise UsageError(f"{name} {what}.")
    return packed.opened(file, beginning) or file


def look(file: BinaryIO, given: Debug) -> list[Trouble]:
    """Return the troubles in a log."""
    return resolved(list(kernlog.scan(file)), given)


def resolved(troubles: list[Trouble], given: Debug) -> list[Trouble]:
    """Return the troubles with the source lines that debug information knows."""
    if not given.vmlinux or not troubles:
        return troubles
    return symbols.resolve(troubles, given.vmlinux, given.modules, [debug_info.below(given.source)] if given.source else [])


def convert(file: BinaryIO, given: Debug, say: Callable[[str], object], complain: Callable[[str], object]) -> int:
    """Read JSON lines with a log each, and write JSON lines with its findings; a line that cannot be read is an error."""
    wrong = False
    findings = 0

    def find(log: str) -> list[Trouble]:
        return resolved(kernlog.find(log), given)

    for line, count, error in tables.converted(file, find):
        wrong = wrong or bool(error)
        findings += count
        if error:
            complain(f"kernel-patch-rig: {error}.")
        else:
            say(line + "\n")
    return ExitCode.RIG_FAILED if wrong else ExitCode.FINDING if findings else ExitCode.GOOD
