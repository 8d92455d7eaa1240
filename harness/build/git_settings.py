# SPDX-License-Identifier: GPL-2.0-only
"""The settings under which the rig calls git: those of the user do not apply."""

from __future__ import annotations

import os

_KEPT = ("GIT_SSH", "GIT_SSL_", "GIT_PROXY_", "GIT_TRACE", "GIT_EXEC_PATH")
"""beginnings of variables that say how to reach a server or what to tell, and do not change what is fetched"""
_WHO = {
    # Fixed, so that the same tree always gives the same commit.
    "GIT_AUTHOR_NAME": "kernel-patch-rig",
    "GIT_AUTHOR_EMAIL": "rig@kernel-patch-rig.invalid",
    "GIT_AUTHOR_DATE": "2018-08-12T00:00:00Z",
    "GIT_COMMITTER_NAME": "kernel-patch-rig",
    "GIT_COMMITTER_EMAIL": "rig@kernel-patch-rig.invalid",
    "GIT_COMMITTER_DATE": "2018-08-12T00:00:00Z",
    # The user's own settings, such as line ends and filters, must not apply.
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_ATTR_NOSYSTEM": "1",
    # Nobody is there at night to type a password, and a repository must not fetch what it lacks by a program of its own.
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_ASKPASS": "",
    "SSH_ASKPASS_REQUIRE": "never",
    "GIT_NO_LAZY_FETCH": "1",
}
_SETTINGS = {
    "core.looseCompression": "1",
    "core.autocrlf": "false",
    "core.logAllRefUpdates": "false",
    "gc.auto": "0",
    "maintenance.auto": "false",
    # Objects that are not on the disk would be empty after a power loss, and git would take them for present.
    "core.fsync": "all",
    "core.fsyncMethod": "batch",
    # Each of these would run a program, or read a file of the user's.
    "core.hooksPath": os.devnull,
    "core.fsmonitor": "false",
    "core.attributesFile": os.devnull,
    "core.excludesFile": os.devnull,
    "diff.ignoreSubmodules": "all",
}


def environment() -> dict[str, str | None]:
    """Return changes to the environment: the rig's settings for git, and None for what the user has set."""
    user = [name for name in os.environ if name.startswith("GIT_") and not name.startswith(_KEPT)]
    settings = {"GIT_CONFIG_COUNT": str(len(_SETTINGS))}
    for number, (key, value) in enumerate(_SETTINGS.items()):
        settings |= {f"GIT_CONFIG_KEY_{number}": key, f"GIT_CONFIG_VALUE_{number}": value}
    return {**dict.fromkeys(user), **_WHO, **settings}
