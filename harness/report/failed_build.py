# SPDX-License-Identifier: GPL-2.0-only
"""A build that failed as a mail, and the words for it in other formats."""

from __future__ import annotations

from collections.abc import Iterator

from harness import text
from harness.model.summary import CellOutcome, Failure, Summary
from harness.report.plaintext import command, heading, item, paragraph, quoted

MEANING = "there is nothing to test: a patch does not apply, or a kernel does not build or boot"
"""of the exit code"""
CASE = "build"
"""name of the only test of a cell that has no kernel"""
_LINES = 30
_ERRORS = 10


def title(of: Summary) -> str:
    """Return what failed, in a few words."""
    failure = of.failures[0]
    what = {
        "series": f"{failure.variant} does not apply",
        "build": f"{failure.cell} does not build",
        "boot": f"{failure.cell} does not boot",
    }
    return f"Linux {of.kernel.release}: {what.get(failure.stage, 'the rig failed, and nothing was tested')}"


def concerns(failure: Failure, cell: CellOutcome) -> bool:
    """Return whether a failure is that of a cell."""
    return failure.stage == "rig" or (failure.variant == cell.variant and failure.cell in ("", cell.name))


def left_out(of: Summary, cell: CellOutcome) -> str:
    """Return why a cell that did not fail was not tested; empty for one that failed."""
    if any(concerns(failure, cell) for failure in of.failures):
        return ""
    return f"not tested, since {of.failures[0].cell or of.failures[0].variant} failed"


def mail(of: Summary) -> str:
    """Return the mail in ASCII, with lines of at most 75 columns."""
    return "\n\n".join(part for part in _parts(of) if part) + "\n"


def _parts(of: Summary) -> Iterator[str]:
    yield heading(title(of), "=")
    for failure in of.failures:
        yield paragraph(failure.reason)
        if failure.patch:
            yield item(f"Patch: {failure.patch.patch}" + (f", line {failure.patch.line}" if failure.patch.line else ""))
        for error in failure.errors[:_ERRORS]:
            line = f", line {error.patch.line}" if error.patch and error.patch.line else ""
            yield item(f"{error.where}: {error.text}" + (f" ({error.patch.patch}{line})" if error.patch else ""))
        yield quoted(failure.excerpt, _LINES)
    yield paragraph("Nothing was tested.")
    yield heading("Provenance")
    for variant in of.variants:
        if variant.patches:
            count = text.counted(len(variant.patches), "patch", "patches")
            yield item(f"Series {variant.name}, {count}: {', '.join(variant.patches)}")
    kernel = of.kernel
    tree = f", tree {kernel.tree[:12]}" if kernel.tree else ""
    yield item(f"Source: Linux {kernel.release} from {kernel.source}{tree}, built with {kernel.toolchain}")
    yield item(f"Run {of.run}, {of.times.finished}, on {of.host}")
    yield item("Again:")
    yield command(of.command)
