# SPDX-License-Identifier: GPL-2.0-only
"""Reads the subject of a patch, as git log shows it."""

from __future__ import annotations

import email
import email.policy
import re

from harness.build.series import Patch
from harness.text import plain

_TAGS = re.compile(r"^(?:\s*\[[^\]]*\])+\s*")
"""tags of a mail before the subject itself, such as ``[PATCH v2 3/8]``"""


def subject(of: Patch) -> str:
    """Return the subject of a patch on one line, without the tags of its mail; the patch's name if it has none."""
    header = email.message_from_bytes(of.data, policy=email.policy.default)["subject"]
    words = " ".join(plain(str(header or "")).split())
    return _TAGS.sub("", words) or of.name
