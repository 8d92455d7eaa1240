# SPDX-License-Identifier: GPL-2.0-only
"""Takes a range of commits of a user's git tree as a series of mails, without running what its configuration names."""

from __future__ import annotations

import re
from pathlib import Path

from harness import paths
from harness.build import checkout, git
from harness.errors import UsageError

_RANGE = re.compile(r"(?P<tree>.+):(?P<first>[^:]+?)\.\.(?P<last>[^:.][^:]*)")
_OPTIONS = ("--numbered", "--no-signature", "--full-index", "--no-thread", "--find-renames", "--binary")


def parsed(source: str) -> tuple[Path, str, str] | None:
    """Return the tree, the base and the tip that ``TREE:BASE..TIP`` names; None for what is no range of a folder here."""
    found = _RANGE.fullmatch(source)
    tree = paths.expanded(found["tree"], "invoke series.add") if found else Path()
    return (tree, found["first"], found["last"]) if found and tree.is_dir() else None


def export(tree: Path, first: str, last: str, into: Path) -> str:
    """Write the commits after `first` up to `last` into the folder `into`, a mail each, and return the tree of `first`.

    Raises UsageError for a range that is empty, or that is no line of commits each of which changes something.
    """
    base, tip = checkout.commit(tree, first), checkout.commit(tree, last)
    named = f"{tree}:{first}..{last}"
    with checkout.borrowed(tree) as repository:

        def run(*arguments: str | Path) -> str:
            return git.plain("--git-dir", repository, *arguments, cwd=into, error=UsageError)

        if merges := run("rev-list", "--merges", f"{base}..{tip}").split():
            raise UsageError(f"{named} has the merge {merges[0][:12]}, which is no patch; rebase the series onto its base first.")
        count = len(run("rev-list", f"{base}..{tip}").split())
        if not count:
            raise UsageError(f"{named} holds no commits; the base comes first, then the tip.")
        run("format-patch", "--quiet", *_OPTIONS, f"--output-directory={into}", f"{base}..{tip}")
        changing = sum(file.stat().st_size > 0 for file in into.iterdir())
        if changing != count:
            what = f"has {count} commits, of which {count - changing} change nothing"
            raise UsageError(f"{named} {what}; drop those, such as a cover letter of b4 prep, and name a range without them.")
        return run("rev-parse", f"{base}^{{tree}}")
