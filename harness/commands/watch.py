# SPDX-License-Identifier: GPL-2.0-only
"""Tells when what is edited in a kernel tree of the user's has changed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import watchfiles

from harness.build import checkout
from harness.errors import UsageError

_QUIET = 400
"""milliseconds without another save, so that all files of an editor's "save all" are there"""


def saves(top: Path, changes: Callable[[Path], Iterator[object]] | None = None) -> Iterator[bytes]:
    """Yield the edits in the checkout `top`: at once if there are any, and each time that they are others after a save.

    `changes` yields whenever a file was written. Edits that were taken back are empty.
    """
    last = b""
    for _ in _first_and(changes or _written, top):
        patch = checkout.edits(top, checkout.head(top))
        if patch != last:
            last = patch
            yield patch


def _first_and(changes: Callable[[Path], Iterator[object]], top: Path) -> Iterator[object]:
    yield None
    yield from changes(top)


def _written(top: Path) -> Iterator[object]:
    try:
        yield from watchfiles.watch(top, debounce=_QUIET, raise_interrupt=True)
    except OSError as error:
        raise UsageError(f"{top} cannot be watched: {error.strerror or error}; fs.inotify.max_user_watches limits it.") from error
