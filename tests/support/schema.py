# SPDX-License-Identifier: GPL-2.0-only
"""Checks of JSON by the schemas that the project publishes."""

from __future__ import annotations

from typing import Any

import jsonschema
import msgspec

from harness import paths

SUMMARY: dict[str, Any] = msgspec.json.decode((paths.PROJECT / "docs/summary.schema.json").read_bytes())


def check_summary(data: bytes) -> dict[str, Any]:
    """Return a summary that keeps to its schema; a value that does not raises jsonschema.ValidationError."""
    told: dict[str, Any] = msgspec.json.decode(data)
    jsonschema.Draft202012Validator(SUMMARY).validate(told)
    return told
