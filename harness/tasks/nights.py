# SPDX-License-Identifier: GPL-2.0-only
"""Tasks of nights: nightly, baseline."""

from __future__ import annotations

from invoke.context import Context
from invoke.exceptions import Exit
from invoke.tasks import task

from harness.commands import audit as audits
from harness.commands import nightly as nights
from harness.commands import options, pipeline
from harness.model.selection import Selection, gibibytes, whole
from harness.runs import history as histories
from harness.runs.retention import Limits
from harness.tasks import shown


def _nightly(
    wanted: Selection, keep_runs: str | None, keep_size: str | None, keep_cache: str | None, no_audit: bool | None
) -> None:
    """Build and test everything unattended, keep it in the history, and hold it against the baseline."""
    limits = Limits(
        runs=whole("keep-runs", keep_runs, least=1) if keep_runs is not None else Limits().runs,
        size=gibibytes("keep-size", keep_size) if keep_size is not None else Limits().size,
        cache=gibibytes("keep-cache", keep_cache) if keep_cache is not None else Limits().cache,
    )
    parts = nights.Parts(
        pipeline.build,
        pipeline.test,
        shown.print_outcome,
        lambda outcome: (outcome.run / "report.md").read_text(),
        shown.say,
        None if no_audit else audits.in_turn,
    )
    code = nights.run(wanted, shown.command(), parts, limits)
    if code:
        raise Exit(code=code)


nightly = options.boots(
    options.selection_task(
        _nightly,
        {
            "keep_runs": f"nights whose folders to keep (default: {Limits().runs})",
            "keep_size": f"GiB of nights' folders to keep (default: {Limits().size >> 30})",
            "keep_cache": f"GiB of the cache to keep (default: {Limits().cache >> 30})",
            "no_audit": "do not build one cell again without any cache to compare (a night audits one in turn)",
        },
        ("no_audit",),
    )
)


@task(positional=["run"], help={"run": "a name in results/, a folder, or latest"}, auto_shortflags=False)
def baseline(_: Context, run: str) -> None:
    """Make a run the one that later nights are held against."""
    with options.errors():
        shown.say(f"{histories.accept(run)} is the baseline.")
