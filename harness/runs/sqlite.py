# SPDX-License-Identifier: GPL-2.0-only
"""An SQLite file that several rigs may write at once, whose schema has a version and only ever moves forward."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import msgspec

from harness.errors import RigError, UsageError

Migration = Sequence[str]
"""statements that take the schema from one version to the next"""
_PATIENCE = 60.0
"""seconds that one writer waits for the others"""
_DAMAGED = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
_UNREADABLE = ("malformed JSON", "Could not decode")
"""words of errors in a row's content, which have no code of their own"""
_TAKEN = (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)


class Database:
    """An open file; every failure of SQLite, and a row that cannot be decoded, raises a RigError that names the file.

    It keeps a rollback journal rather than a write-ahead log, so that between two transactions the
    one file is all there is and can be copied from one machine to another.
    """

    def __init__(self, path: Path, steps: Sequence[Migration], patience: float = _PATIENCE) -> None:
        """Open or make `path`, bring its schema up to date, and wait `patience` seconds for other writers.

        Raises UsageError for the file of a newer rig, which stays as it is.
        """
        self.path = path
        self._steps = steps
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise RigError(f"The folder {path.parent} cannot be made: {error.strerror}.") from error
        with self._errors():
            self.connection = sqlite3.connect(path, timeout=patience, isolation_level=None)
        self.connection.row_factory = sqlite3.Row
        try:
            self._migrate()
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Let go of the file."""
        self.connection.close()

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """Give a connection that reads one state of the file; its rows have names."""
        with self._errors(), self._transaction("BEGIN"):
            yield self.connection

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """Give a connection whose changes are made together when the block ends, or not at all when it raises."""
        with self._errors(), self._transaction("BEGIN IMMEDIATE"):
            yield self.connection

    @contextmanager
    def _transaction(self, begin: str) -> Iterator[None]:
        self.connection.execute(begin)
        try:
            yield
            self.connection.execute("COMMIT")
        finally:
            if self.connection.in_transaction:
                self.connection.execute("ROLLBACK")

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            code = getattr(error, "sqlite_errorcode", 0) & 0xFF
            if code in _DAMAGED or any(words in str(error) for words in _UNREADABLE):
                raise self._damaged(error) from error
            if code in _TAKEN:
                raise RigError(f"{self.path} is in use by another process; call again when that has ended.") from error
            raise RigError(f"{self.path} cannot be used: {error}; see that there is space and that it may be written.") from error
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise self._damaged(error) from error

    def _damaged(self, error: Exception) -> RigError:
        hint = (
            "move it away and call again: runs that still have their folder are taken up again, but the baseline and what was"
            " dismissed have to be named anew"
        )
        return RigError(f"{self.path} is damaged ({error}); {hint}.")

    def _version(self) -> int:
        with self._errors():
            return int(self.connection.execute("PRAGMA user_version").fetchone()[0])

    def _migrate(self) -> None:
        """Bring the schema up to date step by step, each in one transaction, since other rigs may do the same at the same time."""
        while (version := self._version()) < len(self._steps):
            with self.writing() as connection:
                if self._version() != version:
                    continue
                for statement in self._steps[version]:
                    connection.execute(statement)
                connection.execute(f"PRAGMA user_version = {version + 1}")
        if version > len(self._steps):
            raise UsageError(
                f"{self.path} is from a newer version of the rig (its schema is {version}, this rig's is {len(self._steps)});"
                " use that one, or move the file away."
            )
