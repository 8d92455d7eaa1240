# SPDX-License-Identifier: GPL-2.0-only
"""Reads the project's TOML files into frozen records, and says which key is wrong when one is."""

from __future__ import annotations

import difflib
import re
from pathlib import Path
from typing import TypeVar

import msgspec

from harness.errors import UsageError

Loaded = TypeVar("Loaded", bound=msgspec.Struct)


def load(path: Path, record: type[Loaded]) -> Loaded:
    """Read the TOML file `path` as a `record`, a msgspec.Struct that forbids unknown fields.

    Raises UsageError naming the file, the key and, for an unknown one, the nearest known.
    """
    try:
        return msgspec.toml.decode(path.read_bytes(), type=record)
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}.") from error
    except msgspec.ValidationError as error:
        raise UsageError(f"{path}: {error}{_nearest(str(error), record)}.") from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"{path} is not valid TOML: {error}.") from error


def closest(name: str, known: list[str]) -> str:
    """Return a hint for a mistyped `name`: the nearest of `known`, or all of them."""
    near = difflib.get_close_matches(name, known, n=1)
    return f"did you mean '{near[0]}'?" if near else f"known are {', '.join(sorted(known)) or 'none'}."


def _nearest(message: str, record: type[msgspec.Struct]) -> str:
    unknown = re.search(r"unknown field `(.*?)`", message)
    return f"; {closest(unknown[1], _keys(record)).rstrip('.')}" if unknown else ""


def _keys(record: type[msgspec.Struct]) -> list[str]:
    names: list[str] = []
    for field in msgspec.structs.fields(record):
        names.append(field.encode_name)
        inner = msgspec.inspect.type_info(field.type)
        for part in (inner, getattr(inner, "item_type", None), getattr(inner, "value_type", None)):
            if isinstance(part, msgspec.inspect.StructType):
                names += _keys(part.cls)
    return names


class Table(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A record that a TOML file holds."""
