# SPDX-License-Identifier: GPL-2.0-only
"""Takes the kernel's messages out of structured logs: journals as JSON, export or verbose, ``dmesg -J``, containers' JSON.

A message gets a prefix that says whose it is, as in a plain log.
"""

from __future__ import annotations

import json
import re

_JSON = r'"(?:[^"\\]|\\.)*"?'
_FIELD = re.compile(rf'\s*(?:(?P<key>[A-Z_]{{3,40}})=(?P<plain>.*)|"(?P<name>\w{{1,40}})"\s*:\s*(?P<text>{_JSON}),?)$')
_RECORD = re.compile(r"[\s\]},]*\{?$|\S.*\[s=")
"""first line of a record, or a line between two"""
_TEXT = re.compile(rf'"(?P<key>MESSAGE|log|message|msg)" ?: ?(?P<text>{_JSON})')
_OWNER = re.compile(r'"(?:_TRANSPORT|SYSLOG_IDENTIFIER)" ?: ?"kernel"')
_OWNERS = frozenset({"_TRANSPORT", "SYSLOG_IDENTIFIER"})
_SINCE_BOOT = re.compile(r'"_SOURCE_MONOTONIC_TIMESTAMP" ?: ?"(\d{1,18})"')


class Fields:
    """Reads the lines of a log in which records may have a line for each field."""

    def __init__(self) -> None:
        self._owner = ""
        """the program of the record, or the kernel; empty where unknown"""

    def prime(self, before: str) -> None:
        """Take the lines before the next one, as many as there are."""
        for line in before.splitlines():
            self.read(line)

    def read(self, text: str) -> str:
        """Return the message in a line, behind a prefix; a line that is none of a structured log as it is."""
        if "=" not in text and '"' not in text:
            if self._owner and _RECORD.match(text):
                self._owner = ""
            return text
        if text.lstrip().startswith("{"):
            return _object(text)
        field = _FIELD.match(text)
        if field is None:
            if self._owner and _RECORD.match(text):
                self._owner = ""
            return text
        key = field["key"] or field["name"]
        value = field["plain"] if field["key"] else _decoded(field["text"])
        if key in _OWNERS:
            self._owner = value
        elif key == "__CURSOR":
            self._owner = ""
        elif key == "MESSAGE":
            return _said(self._owner, value)
        elif key == "msg":
            return _said("kernel", value)
        return text


def _object(text: str) -> str:
    """Return the message in a line that is a JSON object."""
    match = _TEXT.search(text)
    if match is None:
        return text
    message = _decoded(match["text"])
    if match["key"] != "MESSAGE":
        return message
    since = _SINCE_BOOT.search(text)
    if since and _OWNER.search(text):
        return f"6,0,{since[1]},-;{message}"
    return _said("kernel" if _OWNER.search(text) else "program", message)


def _said(owner: str, message: str) -> str:
    return f"{owner}: {message}" if owner else f"MESSAGE={message}"


def _decoded(text: str) -> str:
    """Return the first line of a JSON string's text."""
    try:
        whole = str(json.loads(text if text.endswith('"') else f'{text}"', strict=False))
    except ValueError:  # The line is cut within an escape sequence.
        whole = text.strip('"')
    return whole.partition("\n")[0]
