# SPDX-License-Identifier: GPL-2.0-only
"""Dismisses findings that have nothing to do with a series, by their fingerprint, and takes that back."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from harness import paths
from harness.errors import RigError, UsageError
from harness.model import records
from harness.model.records import Finding
from harness.model.run_folder import Run
from harness.report import findings as words
from harness.runs import conclude, history, retention
from harness.runs.history_store import History
from harness.stats import slopes
from harness.stats.causes import DIGITS, fingerprint
from harness.stats.dismissals import Dismissal

_FEWEST = 4
"""digits of a fingerprint that have to be given"""
_NAMED = 5
"""fingerprints that an error names"""


def dismiss(given: str, why: str) -> Dismissal:
    """Dismiss the findings with a fingerprint, of which the first digits are enough, for a reason; return the dismissal.

    Raises UsageError for an empty reason, and for a fingerprint that no run's finding has, or more than one.
    """
    reason = " ".join(why.split())
    start = _digits(given)
    if not reason:
        raise UsageError("A dismissal needs a reason, which reports will show; say --why 'it is ...'.")
    with history.opened() as kept:
        history.take_up(kept)
        known = {fingerprint(finding): words.short(finding.trouble) for finding in _unexplained(kept)}
        wanted = _chosen(start, known, "no run in the history has an unexpected finding with it; the reports of runs show theirs")
        made = Dismissal(wanted, reason, records.now(), known[wanted])
        kept.dismiss(made)
    return made


def undo(given: str) -> Dismissal:
    """Take a dismissal back, and return it; UsageError if there is none with this fingerprint, or more than one."""
    with history.opened() as kept:
        made = {one.fingerprint: one for one in kept.dismissals()}
        titles = {name: one.title for name, one in made.items()}
        wanted = _chosen(_digits(given), titles, "nothing with it is dismissed; `invoke dismiss` lists what is")
        kept.undo(wanted)
    return made[wanted]


def listed() -> list[Dismissal]:
    """Return what is dismissed, oldest first; RigError if it cannot be read."""
    with history.opened() as kept:
        return kept.dismissals()


def _digits(given: str) -> str:
    """Return the first digits of a fingerprint as reports show them; UsageError for what cannot be any."""
    start = given.strip().lower()
    if not re.fullmatch(rf"[0-9a-f]{{{_FEWEST},{DIGITS}}}", start):
        raise UsageError(
            f"'{given}' is no fingerprint: that has {DIGITS} hexadecimal digits, such as 1a2b3c4d, of which the first {_FEWEST}"
            " are enough."
        )
    return start


def _chosen(start: str, known: Mapping[str, str], unknown: str) -> str:
    """Return the one fingerprint that begins with `start`; `known` are titles by fingerprint."""
    fitting = sorted(name for name in known if name.startswith(start))
    if not fitting:
        raise UsageError(f"There is no finding '{start}': {unknown}.")
    if len(fitting) > 1:
        named = "; ".join(f"{name} ({known[name]})" for name in fitting[:_NAMED])
        more = f"; and {len(fitting) - _NAMED} more" if len(fitting) > _NAMED else ""
        raise UsageError(f"'{start}' begins {len(fitting)} fingerprints: {named}{more}; give more digits.")
    return fitting[0]


def _unexplained(kept: History) -> Iterator[Finding]:
    """Yield the findings that no known bug explains: those in the history, and the leaks of soaks that still have their folder."""
    yield from kept.unexplained()
    for run in map(Run, retention.folders(paths.RESULTS)):
        try:
            if run.provenance().hours:
                yield from (f for f in conclude.found(run, slopes.slopes(run.looks())) if not f.expected)
        except (RigError, OSError):
            continue  # a run that cannot be read has no report to take a fingerprint from
