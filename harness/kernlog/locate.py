# SPDX-License-Identifier: GPL-2.0-only
"""Finds where in a line a report begins, behind whatever prefix."""

from __future__ import annotations

import operator
import re
from collections.abc import Sequence
from typing import NamedTuple

from harness.kernlog import headers, prefix
from harness.kernlog.headers import Header
from harness.kernlog.lines import LogLine, clean

_FARTHEST = 240
"""maximum characters of a prefix"""
_MOST = 40
"""maximum places in a line that are tried"""
_BOUNDARY = re.compile(rf"(?<={headers.BOUNDARY[:-1]}\ufeff])(?=[\w(\[{{-])(?<![:,+](?=\d))")
_KNOWN = 8
"""maximum forms that are remembered"""


class Found(NamedTuple):
    """A line that begins a report, or announces one."""

    kind: str
    line: LogLine
    form: prefix.Form | None
    """form of the lines around; None for lines whose prefix `clean` knows"""
    start: int
    """characters before it"""
    loose: bool
    """True if its first words may be part of a prefix"""


class Doubtful(NamedTuple):
    """A line that begins a report if one of several prefixes is one."""

    perhaps: tuple[Found, ...]
    """longest prefix first"""
    otherwise: Found | None
    """reading of the line if none is"""


class _Place(NamedTuple):
    """A place in a line where a header begins."""

    start: int
    header: Header


_start = operator.attrgetter("start")


class Forms:
    """The forms of lines that a log is known to have."""

    def __init__(self) -> None:
        self.current: prefix.Form = prefix.USUAL
        """form of the line that began the last report"""
        self._known: list[prefix.Form] = []

    def learn(self, form: prefix.Form) -> None:
        """Take `form` as that of the lines that follow."""
        if form is self.current:
            return
        self.current = form
        if form is not prefix.USUAL:
            self._known = [form, *(other for other in self._known if other.fits is not form.fits)][:_KNOWN]
            self._known.sort(key=lambda known: -known.length)

    def parsed(self, text: str) -> LogLine | None:
        """Parse a line; None if a journal marks it as another program's."""
        for form in (self.current, *self._known):
            if match := form.fits.match(text):
                return _line(text, match, form)
        return clean(text)

    def find(self, text: str) -> Found | Doubtful | None:
        """Return what a line begins."""
        possible = headers.possible(text)
        if not possible:
            return None
        known = self._in_a_known_form(text, possible)
        if known and not known.loose:
            return known
        places = _places(text, possible)
        certain = [place for place in places if _certain(text, place)]
        strict = [place for place in certain if not place.header.loose]
        if strict:
            return _found(text, min(strict, key=_start))
        stands = known or (None if prefix.USUAL.fits.match(text) else _as_it_stands(text, possible))
        if stands and not stands.loose:
            return stands
        if certain and (stands is None or max(certain, key=_start).start > stands.start):
            stands = _found(text, max(certain, key=_start))
        behind = stands.start if stands else 0
        perhaps = [
            place
            for place in sorted(places, key=_start, reverse=True)
            if place.start > behind and prefix.conceivable(text[: place.start])
        ]
        return Doubtful(tuple(_found(text, place) for place in perhaps), stands) if perhaps else stands

    def _in_a_known_form(self, text: str, possible: Sequence[Header]) -> Found | None:
        loose = None
        for form in (self.current, *(form for form in (*self._known, prefix.USUAL) if form is not self.current)):
            match = form.fits.match(text)
            header = headers.at(possible, text, match.end()) if match else None
            if match and header:
                found = Found(header.kind, _line(text, match, form), form, match.end(), header.loose)
                if not header.loose:
                    return found
                loose = loose or found
        return loose


def _places(text: str, possible: Sequence[Header]) -> list[_Place]:
    """Return where in a line a header begins behind a prefix, in the order of the headers."""
    places = []
    for header in possible:
        if header.loose:
            end = min(_FARTHEST, text.rfind(header.needle) + 1)
            starts = [match.start() for match in _BOUNDARY.finditer(text, 1, end)][:_MOST]
            places += [_Place(start, header) for start in starts if header.pattern.match(text, start)]
        elif match := header.inside.search(text, 1, _FARTHEST + _FARTHEST):
            places.append(_Place(match.start(), header))
    return places


def _certain(text: str, place: _Place) -> bool:
    """Return True if there is no doubt that what stands before a header is a prefix."""
    before = text[: place.start]
    if place.header.loose and prefix.mechanical(before) and prefix.says(text, place.start):
        return False
    return prefix.sure(before)


def _found(text: str, place: _Place) -> Found:
    form = prefix.form(text[: place.start])
    match = form.fits.match(text)
    line = _line(text, match, form) if match else LogLine(text[place.start :], "-", None)
    return Found(place.header.kind, line, form, place.start, place.header.loose)


def _as_it_stands(text: str, possible: Sequence[Header]) -> Found | None:
    """Return the report that a line begins without a prefix, or behind one that `clean` knows."""
    line = clean(text)
    header = headers.at(possible, line.text, 0) if line else None
    if line is None or header is None:
        return None
    indent = text[: len(text) - len(text.lstrip())] if line.text == text else ""
    form = prefix.form(indent) if indent else None
    return Found(header.kind, line, form, len(text) - len(line.text), header.loose)


def _line(text: str, match: re.Match[str], form: prefix.Form) -> LogLine:
    return LogLine(text[match.end() :], match[2] or ("-" if form.ours else ""), match[1])
