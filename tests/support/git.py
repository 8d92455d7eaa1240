# SPDX-License-Identifier: GPL-2.0-only
"""Git as a user calls it, who has a checkout of the kernel."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

WHO = {f"GIT_{role}_{what}": "a@kernel.invalid" for role in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
"""variables that say who commits"""


def run_git(folder: Path, *arguments: str) -> str:
    """Run git in a folder; return what it printed, without blanks around it."""
    env = {**os.environ, **WHO, "GIT_CONFIG_GLOBAL": os.devnull}
    return subprocess.run(("git", "-C", folder, *arguments), env=env, check=True, capture_output=True, text=True).stdout.strip()
