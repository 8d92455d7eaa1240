# SPDX-License-Identifier: GPL-2.0-only
"""Tells when what is edited in a kernel tree of the user's has changed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import watchfiles

from harness.build import checkout
from harness.errors import UsageError
from harness.host.shell import Line

_QUIET, _MOST = 400, 10_000
"""milliseconds without another save, so that all files of an editor's "save all" are there, and how long to wait for that"""


def saves(top: Path, say: Line, changes: Callable[[Path], Iterator[object]] | None = None) -> Iterator[bytes]:
    """Yield the edits in the checkout `top`, at once and each time that they, or what they are edits of, are others.

    They are empty if nothing is edited. `say` is called if they cannot be read, which the next save may mend.
    `changes` yields once when it watches, and then whenever a file was written. Raises UsageError if the first look
    fails, or if the tree is gone.
    """
    last = None
    for _ in (changes or _written)(top):
        try:
            head = checkout.head(top)
            now = head, checkout.edits(top, head)
        except UsageError as error:
            if not top.is_dir():
                raise UsageError(f"{top} is gone; call again when it is back.") from error
            if last is None:
                raise
            say(str(error))
            continue
        if now != last:
            last = now
            yield now[1]


def _written(top: Path) -> Iterator[object]:
    """Yield once as soon as all of `top` is watched, for what is written from then on is not missed; then at each save."""
    begun = False
    try:
        for paths in watchfiles.watch(top, debounce=_MOST, step=_QUIET, rust_timeout=_QUIET, yield_on_timeout=True):
            if paths or not begun:
                begun = True
                yield paths
    except OSError as error:
        raise UsageError(f"{top} cannot be watched: {error.strerror or error}; fs.inotify.max_user_watches limits it.") from error
