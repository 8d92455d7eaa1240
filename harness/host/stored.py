# SPDX-License-Identifier: GPL-2.0-only
"""Reads files that something else may have damaged or replaced: with one error for each way in which they cannot be read."""

from __future__ import annotations

import errno
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import msgspec

Value = TypeVar("Value")


def content(file: Path) -> bytes:
    """Return the content of a regular file; OSError for any other, such as a pipe, whose reader would wait for ever."""
    if file.exists() and not file.is_file():
        raise OSError(errno.EINVAL, "it is not a regular file", str(file))
    return file.read_bytes()


def decode(data: bytes | str, kind: type[Value], dec_hook: Callable[[type, Any], Any] | None = None) -> Value:
    """Return the value of type `kind` that `data` is the JSON of; DecodeError for any bytes that are not.

    msgspec itself raises UnicodeDecodeError for a byte that is not UTF-8, and RecursionError for brackets without end.
    """
    try:
        return msgspec.json.decode(data, type=kind, dec_hook=dec_hook)
    except msgspec.DecodeError:
        raise
    except (ValueError, RecursionError) as error:
        raise msgspec.DecodeError(f"JSON is malformed: {error}") from error
