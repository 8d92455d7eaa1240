# SPDX-License-Identifier: GPL-2.0-only
"""Chooses the patches of one series from mails: the newest version, in its order, and never a part without a word."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import msgspec

from harness.build.mails import Mail
from harness.errors import UsageError

_ONE = "name one of them with `invoke series.add --message-id`, or write a `series` file that names the patches"
_ANEW = "save it anew as it was sent, or take the series from git format-patch"


class Thread(msgspec.Struct, frozen=True):
    """The series in some mails."""

    patches: tuple[Mail, ...]
    """in their order"""
    cover: Mail | None
    notes: tuple[str, ...]
    """sentences for the user: what was left out, and for what reason"""
    missing: str = ""
    """sentence that tells of patches that are missing at the end"""


def series(mails: Sequence[Mail], place: str) -> Thread:
    """Return the series in the mails of `place`; without patches if they hold none.

    Raises UsageError for a patch that is missing, cannot be read, or is there twice, and for several series in one.
    """
    notes: list[str] = []
    wanted = _tagged([mail for mail in _once(mails) if is_patch(mail, notes)], notes)
    wanted = _numbered(_newest(wanted, place, notes), place, notes)
    _check_roots(wanted, mails, place)
    covers = [mail for mail in mails if mail.number == 0 and not mail.reply]
    # Of a v2 whose cover letter lacks its version, that of another version is better than none.
    versions = {mail.version for mail in wanted}
    cover = next((mail for mail in covers if mail.version in versions), covers[0] if covers else None)
    missing = _missing(wanted, cover, place)
    ordered = _ordered(wanted, place, notes)
    return Thread(ordered, cover, (*notes, *([missing] if missing else [])), missing)


def around(mails: Sequence[Mail], identity: str, place: str) -> list[Mail]:
    """Return the mails of the thread and of the version of the mail `identity`; UsageError if there is no such mail."""
    named = next((mail for mail in mails if mail.identity == identity), None)
    if named is None:
        raise UsageError(f"There is no mail <{identity}> in {place}; look its Message-ID up in the headers of one of its mails.")
    root = _root(mails)
    thread = [mail for mail in mails if root(mail) == root(named)]
    if named.number is None and named.diff:
        return [named]
    # A single patch without a number, somewhere in the thread, is somebody's suggestion.
    return [mail for mail in thread if not mail.tagged or (mail.number is not None and mail.version == named.version)]


def _once(mails: Iterable[Mail]) -> list[Mail]:
    """Return mails without the copies of one that came twice, such as from a list and from its author."""
    return list({(mail.identity or mail.place, mail.title): mail for mail in mails}.values())


def _tagged(mails: list[Mail], notes: list[str]) -> list[Mail]:
    """Return the patches without the mails of maintainers who say that they took one, and show it."""
    told = [mail for mail in mails if not mail.tagged and not mail.bare] if any(mail.number for mail in mails) else []
    notes += [f"{mail.called} has no [PATCH] in its subject, so its diff is not applied." for mail in told]
    return [mail for mail in mails if mail not in told]


def is_patch(mail: Mail, notes: list[str]) -> bool:
    """Return True for a mail to apply; UsageError for one whose diff is missing or cut. `notes` gets those that are left out."""
    if mail.reply or mail.number == 0:
        if mail.diff:
            what = "a reply" if mail.reply else "a cover letter"
            notes.append(f"{mail.called} is {what}, so its diff is not applied.")
        return False
    if mail.trouble or (not mail.diff and (mail.tagged or mail.bare)):
        what = "is no patch" if mail.bare else "cannot be applied whole"
        raise UsageError(f"{mail.called} {what}: {mail.trouble or 'git knows no diff in it'}; {_ANEW}.")
    return bool(mail.diff)


def _newest(mails: list[Mail], place: str, notes: list[str]) -> list[Mail]:
    """Return the mails of the newest version; UsageError if that is not complete, or does not replace the others."""
    versions = sorted({mail.version for mail in mails})
    if len(versions) < 2:
        return mails
    newest = [mail for mail in mails if mail.version == versions[-1]]
    told = f"{place} holds the versions {', '.join(map(str, versions))} of a series"
    numbers = {mail.number for mail in newest}
    complete = None not in numbers and numbers == set(range(1, newest[0].total + 1))
    replaced = {mail.title for mail in newest} >= {mail.title for mail in mails}
    if not (complete and all(mail.number for mail in mails)) and not (numbers == {None} and replaced):
        raise UsageError(f"{told}, and version {versions[-1]} does not replace all of the others; {_ONE}.")
    notes.append(f"{told}; version {versions[-1]} is taken.")
    return newest


def _numbered(mails: list[Mail], place: str, notes: list[str]) -> list[Mail]:
    """Return patches without copies; UsageError for two of one number, for two series, and for one that is missing."""
    by_number: dict[int, Mail] = {}
    for mail in mails:
        first = by_number.setdefault(mail.number, mail) if mail.number else mail
        if first is mail:
            continue
        if first.diff.strip() != mail.diff.strip():
            raise UsageError(f"{place} holds two patches {mail.number}/{mail.total}: {first.called} and {mail.called}; {_ONE}.")
        notes.append(f"{mail.called} is a copy of {first.called}.")
    totals = {mail.total: mail for mail in by_number.values()}
    if len(totals) > 1:
        several = " and ".join(mail.called for mail in totals.values())
        raise UsageError(f"{place} holds patches of several series, {several}; {_ONE}.")
    missing = [number for number in range(1, max(by_number, default=0)) if number not in by_number]
    if missing:
        which = ", ".join(f"{number}/{next(iter(totals))}" for number in missing)
        raise UsageError(f"{place} lacks {which} of its series; add it, or write a `series` file that names the patches to apply.")
    return [mail for mail in mails if not mail.number or by_number[mail.number] is mail]


def _missing(mails: Sequence[Mail], cover: Mail | None, place: str) -> str:
    """Return a sentence that tells of the patches that are missing at the end: the beginning of a series is one too."""
    last = max((mail.number for mail in mails if mail.number), default=0)
    total = max((mail.total for mail in [*mails, *([cover] if cover and last else [])]), default=0)
    which = ", ".join(f"{number}/{total}" for number in range(last + 1, total + 1))
    return f"{place} lacks {which} of its series." if which else ""


def _check_roots(patches: Sequence[Mail], mails: Sequence[Mail], place: str) -> None:
    """Refuse patches that answer mails of different threads: they are parts of several series."""
    if not any(mail.parents for mail in patches) or not all(mail.identity for mail in patches):
        return  # sent without threads, or saved without what tells them
    root = _root(mails)
    roots = {root(mail): mail for mail in patches}
    if len(roots) > 1:
        several = " and ".join(mail.called for mail in list(roots.values())[:2])
        raise UsageError(f"{place} holds {len(roots)} threads, among them those of {several}; {_ONE}.")


def _root(mails: Sequence[Mail]) -> Callable[[Mail], str]:
    """Return a function for the Message-ID with which the thread of a mail begins, as far as it is known."""
    known = {mail.identity: mail for mail in mails if mail.identity}

    def root(mail: Mail) -> str:
        seen: set[str] = set()
        while mail.parents and mail.identity not in seen:
            seen.add(mail.identity)
            if mail.parents[0] not in known:
                return mail.parents[0]
            mail = known[mail.parents[0]]
        return mail.identity or mail.place

    return root


def _ordered(mails: Sequence[Mail], place: str, notes: list[str]) -> tuple[Mail, ...]:
    """Return patches by their numbers if all have one, else as they came."""
    ordered = sorted(mails, key=lambda mail: mail.number or 0) if all(mail.number for mail in mails) else list(mails)
    if ordered != list(mails):
        notes.append(f"the patches of {place} are taken in the order of the numbers in their subjects.")
    return tuple(ordered)
