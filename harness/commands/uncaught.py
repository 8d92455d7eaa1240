# SPDX-License-Identifier: GPL-2.0-only
"""Says in a sentence what ended the rig, also what nobody foresaw, and keeps the traceback in a log."""

# Only what cannot fail is imported here: this is there before the rest of the rig is.
from __future__ import annotations

import os
import sys
import tempfile
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from types import TracebackType

from harness import text
from harness.commands import output
from harness.errors import RigError
from harness.host import shortage

_PROJECT = Path(__file__).resolve().parents[2]


def install() -> None:
    """Guard the output, and have each error that reaches the interpreter end in a sentence and exit code 1."""
    output.guard()
    sys.excepthook = _hook


def _hook(kind: type[BaseException], error: BaseException, where: TracebackType | None) -> None:
    if isinstance(error, KeyboardInterrupt):
        print("kernel-patch-rig: interrupted.", file=sys.stderr)
    else:
        print(sentence(error), file=sys.stderr)


def sentence(error: BaseException) -> str:
    """Return what to tell the user of an error. The traceback of one that the rig did not raise itself goes to a log."""
    if isinstance(error, RigError):
        return text.plain(f"kernel-patch-rig: {error}")
    said = text.plain(f"kernel-patch-rig: {_what(error)}")
    log = _logged(error)
    return f"{said} The traceback is in {log}." if log else said


def _what(error: BaseException) -> str:
    """Return what is wrong, where, and what to do."""
    if known := shortage.said(error):
        return known
    if isinstance(error, OSError):
        return f"{f'{error.filename} cannot be used' if error.filename else 'the system refuses'}: {error.strerror or error}."
    if isinstance(error, MemoryError):
        return "the host has no memory left; call again with fewer --jobs, or when others have ended."
    if isinstance(error, ModuleNotFoundError) and not (error.name or "").startswith("harness"):
        return f"the Python module '{error.name}' is missing; ./bootstrap installs what the rig needs."
    return f"this is a bug of the rig: {type(error).__name__}: {str(error) or 'no reason is given'}{_place(error)}."


def _place(error: BaseException) -> str:
    """Return the last line of the rig's own code that was reached, such as ``, at harness/text.py:12``; empty if none was."""
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if _is_own(frame.filename)]
    return f", at {Path(frames[-1].filename).relative_to(_PROJECT)}:{frames[-1].lineno}" if frames else ""


def _is_own(file: str) -> bool:
    return Path(file).is_relative_to(_PROJECT) and "site-packages" not in file


def _logged(error: BaseException) -> Path | None:
    """Write the traceback to a new file in the cache, or else among temporary files; return its path, None if neither can be."""
    name = f"{time.strftime('%Y%m%d-%H%M%S', time.gmtime())}-{os.getpid()}.log"
    lines = "".join(traceback.format_exception(error))
    for folder in (_cache, lambda: Path(tempfile.gettempdir()) / "kernel-patch-rig"):
        try:
            return _written(folder, name, lines)
        except (OSError, ValueError, RigError):  # the cache may be what the error is about
            continue
    return None


def _cache() -> Path:
    from harness import paths  # its import may be what failed

    return paths.cache()


def _written(folder: Callable[[], Path], name: str, lines: str) -> Path:
    log = folder() / "errors" / name
    log.parent.mkdir(parents=True, exist_ok=True)
    log.write_text(lines, encoding="utf-8", errors="backslashreplace")
    return log
