# SPDX-License-Identifier: GPL-2.0-only
"""Whatever bytes a run's files have, its report and the history end with a result or with a sentence."""

from __future__ import annotations

import contextlib
import tempfile
from pathlib import Path
from unittest.mock import patch

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness import paths
from harness.errors import RigError
from harness.model.run_folder import FILES, PROVENANCE, Run
from harness.runs import conclude, history
from tests.support import content, make

NAME = "20260102-030405-abcd"
RECORDS = (
    make.booted(),
    make.sample(),
    make.finding(),
    make.result(),
    content.histogram(),
    content.section(),
    content.look("before", 1.0),
    content.point(5, 1.0),
)
NUMBERS = st.one_of(
    st.integers(-(1 << 70), 1 << 70), st.sampled_from([0, (1 << 63) - 1, 1 << 63, 10**20]), st.floats(), st.floats(1e300)
)
VALUES = st.recursive(
    st.one_of(st.none(), st.booleans(), NUMBERS, st.text(max_size=5)),
    lambda inner: st.one_of(st.lists(inner, max_size=2), st.dictionaries(st.text(max_size=3), inner, max_size=2)),
    max_leaves=4,
)


@st.composite
def lines(draw: st.DrawFn, record: msgspec.Struct) -> bytes:
    """Return a record with another value in one of its fields, or with other bytes somewhere."""
    fields = msgspec.to_builtins(record)
    if draw(st.booleans()):
        fields[draw(st.sampled_from(sorted(fields)))] = draw(VALUES)
    line = msgspec.json.encode(fields)
    if draw(st.integers(0, 3)) == 0:
        begin, end = sorted(draw(st.tuples(*[st.integers(0, len(line))] * 2)))
        line = line[:begin] + draw(st.binary(max_size=5)) + line[end:]
    return line


@pytest.mark.usefixtures("results")
@settings(max_examples=60)
@given(st.data())
def test_no_record_is_too_strange(data: st.DataObject) -> None:
    with tempfile.TemporaryDirectory() as folder, patch.object(paths, "RESULTS", Path(folder)):
        run = make.stored(paths.RESULTS, NAME, [make.sample()])
        make.stored(paths.RESULTS, "20260103-030405-abcd", [make.sample()])
        record = data.draw(st.sampled_from((*RECORDS, make.provenance())))
        name = FILES.get(type(record), PROVENANCE)
        line = data.draw(lines(record))
        with (run.folder / name).open("wb" if name == PROVENANCE else "ab") as file:
            file.write(line + b"\n")
        with contextlib.suppress(RigError), patch.object(conclude, "_write_report"):
            conclude.conclude(run)
        seen = history.look()
        assert len(seen.runs) + len(seen.unread) == 2
        assert "20260103-030405-abcd" in {row.name for row in seen.runs}


@settings(max_examples=12)
@given(st.data())
def test_no_record_is_too_strange_for_a_page(data: st.DataObject) -> None:
    with tempfile.TemporaryDirectory() as folder:
        run: Run = make.stored(Path(folder), NAME, [make.sample(), make.sample(5.0, variant="mine")])
        for record in RECORDS:
            with (run.folder / FILES[type(record)]).open("ab") as file:
                file.write(data.draw(lines(record)) + b"\n")
        with contextlib.suppress(RigError):
            conclude.conclude(run)
