# SPDX-License-Identifier: GPL-2.0-only
"""Builds that failed, in each of their ways."""

from __future__ import annotations

from typing import Any

import msgspec

from harness.model.summary import CompileError, ExitStatus, Failure, InPatch, Summary
from harness.report import failed_build, summary
from harness.report.contents import Content
from harness.report.summary import Places
from harness.stats.outcome import BUILD_FAILED
from tests.support import make

FOLDER = "kernel_patches/4.18/mine"
PATCH = InPatch("0001-a.patch", f"{FOLDER}/0001-a.patch", 17)
STAGES = ("series", "build", "boot", "rig")
_CELL = "x86_64/mine/perf"
_HUNK = "@@ -10,3 +10,4 @@ f(void)\n \ta;\n+\tb;\n \tc;"
_KNOWN: dict[str, dict[str, Any]] = {
    "series": {"variant": "mine", "reason": "0001-a.patch does not apply: hunk 1.", "patch": PATCH, "excerpt": _HUNK},
    "build": {
        "variant": "mine",
        "cell": _CELL,
        "reason": f"{_CELL}: the kernel does not build: mm/a.c:12:2: error: 'b' undeclared.",
        "errors": (CompileError("mm/a.c:12", "error: 'b' undeclared", PATCH), CompileError("mm/b.c:1", "error: no f", None)),
        "excerpt": "../mm/a.c:12:2: error: 'b' undeclared\n   12 |  b;\n",
        "log": "x86_64-mine-perf.build.log",
    },
    "boot": {
        "variant": "mine",
        "cell": _CELL,
        "reason": f"{_CELL}: the guest ended while it booted.",
        "excerpt": "Kernel panic - not syncing: Fatal exception",
        "log": "x86_64-mine-perf.serial.log",
    },
    "rig": {"reason": "No space left on device."},
}


def failure(stage: str, **other: Any) -> Failure:
    """Return a failure of a stage; `other` is what differs."""
    fields: dict[str, Any] = {"variant": "", "cell": "", "patch": None, "errors": (), "excerpt": "", "log": ""}
    return Failure(stage=stage, **{**fields, **_KNOWN[stage], **other})


def build(stage: str, **other: Any) -> Summary:
    """Return the summary of a build of stock and ``mine`` that failed in a stage; `other` is what differs in the failure."""
    made = summary.of(Content(make.provenance(proven=False)), 1, Places({"mine": FOLDER}), [])
    status = made.status if stage == "rig" else ExitStatus(1, failed_build.MEANING, BUILD_FAILED)
    variants = tuple(msgspec.structs.replace(variant, word="", why="") for variant in made.variants)
    return msgspec.structs.replace(made, status=status, variants=variants, failures=(failure(stage, **other),))
