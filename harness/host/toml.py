# SPDX-License-Identifier: GPL-2.0-only
"""Reads the project's TOML files into frozen records; an error names the file and the key."""

from __future__ import annotations

import difflib
import re
from collections.abc import Sequence
from pathlib import Path
from typing import TypeVar

import msgspec

from harness.errors import UsageError

Loaded = TypeVar("Loaded", bound=msgspec.Struct)
_FEW = 12
"""names that a hint lists at most if none is near; if there are more, it lists the nearest"""
_NEAR = 3
"""names that a hint lists if several are near"""


def load(path: Path, record: type[Loaded]) -> Loaded:
    """Read the TOML file `path` as a `record`, a msgspec.Struct that forbids unknown fields.

    Raises UsageError naming the file, the key and, for an unknown one, the nearest known.
    """
    try:
        return msgspec.toml.decode(path.read_bytes(), type=record)
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}.") from error
    except msgspec.ValidationError as error:
        raise UsageError(f"{path}: {error}{_nearest(str(error), record)}") from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"{path} is not valid TOML: {error}.") from error


def closest(name: str, known: Sequence[str], most: int = _FEW) -> str:
    """Return a hint for a mistyped `name`: the nearest of `known`.

    If none is near, the hint lists all of them, or the nearest few if there are more than `most`. A known name that
    contains `name` counts as near. The hint never is `name` itself.
    """
    others = [other for other in dict.fromkeys(known) if other != name]
    near = difflib.get_close_matches(name, others, n=1) or [other for other in others if name and name.lower() in other.lower()]
    if not near and len(others) <= most:
        return f"known are {', '.join(sorted(others)) or 'none'}."
    near = near or difflib.get_close_matches(name, others, n=_NEAR, cutoff=0.0)
    *first, last = [f"'{other}'" for other in near[:_NEAR]]
    return f"did you mean {', '.join(first)} or {last}?" if first else f"did you mean {last}?"


def _nearest(message: str, record: type[msgspec.Struct]) -> str:
    unknown = re.search(r"unknown field `(.*?)`", message)
    keys = _keys(record)
    return f"; {closest(unknown[1], keys, len(keys))}" if unknown else "."


def _keys(record: type[msgspec.Struct]) -> list[str]:
    names: list[str] = []
    for field in msgspec.structs.fields(record):
        names.append(field.encode_name)
        inner = msgspec.inspect.type_info(field.type)
        for part in (inner, getattr(inner, "item_type", None), getattr(inner, "value_type", None)):
            if isinstance(part, msgspec.inspect.StructType):
                names += _keys(part.cls)
    return names


class TomlTable(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A table of a TOML file; base class of records that are read from one."""
