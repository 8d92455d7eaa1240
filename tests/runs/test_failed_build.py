# SPDX-License-Identifier: GPL-2.0-only
"""Builds that failed are kept: what failed, at which line of which patch, and that it is the latest of results/."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from harness import paths
from harness.build import patches
from harness.build.kernel_tree import Tree
from harness.commands import export, series_review
from harness.commands.export import FORMATS, Wish
from harness.errors import BuildError, RigError, SeriesRefused, SourceUnavailable, UsageError
from harness.model.matrix import Variant
from harness.model.selection import Selection
from harness.model.summary import Failure, InPatch, Summary
from harness.runs import failed_build, lifecycle, retention
from harness.vm.vms import GuestDied
from tests.support import make, schema
from tests.support.series import diff

CELL = "x86_64/mine/perf"
COVER = "From: A <a@x.invalid>\nSubject: [PATCH 0/1] a\nMessage-ID: <1@x.invalid>\n\nWhy.\n"


@pytest.fixture
def series(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A series of the project's with one patch, which changes line 10 of mm/vmalloc.c."""
    monkeypatch.setattr(paths, "PROJECT", tmp_path)
    folder = tmp_path / "series" / "mine"
    folder.mkdir(parents=True)
    (folder / "series").write_text("a.patch\n")
    (folder / "a.patch").write_text(f"Why.\n\n{diff(10)}")
    (folder / "cover").write_text(COVER)
    return folder


@pytest.fixture
def wanted(kernel_source: Path, series: Path) -> Selection:
    return Selection(machine="x86_64", source=str(kernel_source), series=str(series), variant="stock,mine")


def kept(error: RigError, wanted: Selection) -> tuple[Path, Summary]:
    """Return the folder of a failure, and its summary, which keeps to the schema."""
    folder = failed_build.keep(error, wanted, "invoke build test")
    assert folder
    data = (folder / "summary.json").read_bytes()
    schema.check_summary(data)
    return folder, msgspec.json.decode(data, type=Summary)


def only(summary: Summary) -> Failure:
    (failure,) = summary.failures
    return failure


def refused(tree: Tree, series: Path) -> SeriesRefused:
    with pytest.raises(SeriesRefused) as caught:
        patches.apply(tree, Variant("mine", series))
    return caught.value


def broken(tree: Tree, series: Path, log: Path, *lines: str) -> BuildError:
    """Return the error of a build whose log has these lines."""
    log.write_text("".join(f"{line}\n" for line in lines))
    commit = patches.apply(tree, Variant("mine", series)).commit
    return BuildError(f"{CELL}: the kernel does not build: it is wrong; the whole log is {log}.", CELL, log, commit)


def test_a_series_that_does_not_apply(tree: Tree, series: Path, wanted: Selection, results: Path) -> None:
    (series / "a.patch").write_text(f"Why.\n\n{diff(10, old='no such line')}")
    folder, made = kept(refused(tree, series), wanted)
    failure = only(made)
    assert (made.status.code, made.status.word) == (1, "build-failed")
    assert (failure.stage, failure.variant, failure.cell) == ("series", "mine", "")
    assert failure.reason == "a.patch does not apply: hunk 1 of mm/vmalloc.c (line 9) does not match; nothing was changed."
    text = (series / "a.patch").read_text().splitlines()
    assert failure.patch == InPatch("a.patch", "series/mine/a.patch", 1 + next(i for i, t in enumerate(text) if t.startswith("@@")))
    assert failure.excerpt.splitlines()[2] == "-no such line"
    assert len(failure.excerpt.splitlines()) == 5
    assert (made.kernel.base, made.kernel.release, made.kernel.tree) == ("4.18", "4.18.0", tree.tree)
    assert [(variant.name, variant.patches, variant.folder) for variant in made.variants] == [
        ("stock", (), ""),
        ("mine", ("a.patch",), "series/mine"),
    ]
    assert [cell.name for cell in made.cells] == ["x86_64/stock/perf", CELL]
    assert sorted(file.name for file in folder.iterdir()) == sorted(made.files)
    assert (results / "latest").resolve() == folder


def test_a_series_that_cannot_be_read(tree: Tree, series: Path, wanted: Selection, results: Path) -> None:
    (series / "a.patch").unlink()
    failure = only(kept(refused(tree, series), wanted)[1])
    assert (failure.stage, failure.variant, failure.patch) == ("series", "mine", None)


def test_errors_of_the_compiler_have_the_line_of_the_patch(
    tree: Tree, series: Path, wanted: Selection, results: Path, tmp_path: Path
) -> None:
    said = ("  CC      mm/vmalloc.o", "../mm/vmalloc.c:9:1: warning: odd", "../mm/vmalloc.c:10:1: error: no 'LINE'")
    more = (
        "   10 | LINE 10",
        "../mm/vmalloc.c:50:1: error: no f",
        "/m/vmalloc_test.c:3:1: error: no g",
        "make[1]: *** [x] Error 1",
    )
    folder, made = kept(broken(tree, series, tmp_path / "build.log", *said, *more), wanted)
    failure = only(made)
    assert (failure.stage, failure.cell, failure.patch) == ("build", CELL, None)
    line = 1 + (series / "a.patch").read_text().splitlines().index("+LINE 10")
    assert [(error.where, error.text, error.patch) for error in failure.errors] == [
        ("mm/vmalloc.c:10", "error: no 'LINE'", InPatch("a.patch", "series/mine/a.patch", line)),
        ("mm/vmalloc.c:50", "error: no f", None),
        ("/m/vmalloc_test.c:3", "error: no g", None),
    ]
    assert failure.reason == f"{CELL}: the kernel does not build: it is wrong."
    assert failure.excerpt == "\n".join((said[2], *more[:3]))
    assert (folder / failure.log).read_text().splitlines() == [*said, *more]


def test_a_build_without_an_error_of_the_compiler_has_the_end_of_its_log(
    tree: Tree, series: Path, wanted: Selection, results: Path, tmp_path: Path
) -> None:
    error = broken(tree, series, tmp_path / "build.log", *(f"line {number}" for number in range(99)), "ld: undefined reference")
    failure = only(kept(error, wanted)[1])
    assert failure.errors == ()
    assert failure.excerpt.endswith("line 98\nld: undefined reference")
    (tmp_path / "build.log").unlink()
    assert only(kept(error, wanted)[1]).log == "", "the log is gone"


def test_a_kernel_that_does_not_boot(wanted: Selection, results: Path) -> None:
    folder, made = kept(GuestDied("the guest ended while it booted.", "line\nKernel panic\n", cell=CELL), wanted)
    failure = only(made)
    assert (failure.stage, failure.variant, failure.cell) == ("boot", "mine", CELL)
    assert failure.excerpt == "line\nKernel panic"
    assert (folder / failure.log).read_text() == "line\nKernel panic\n"


@pytest.mark.parametrize(
    "error",
    [
        SourceUnavailable("Linux 4.18 cannot be had."),
        BuildError("No package brings the library x."),
        BuildError(f"{CELL}: the kernel does not build: No space left on device.", CELL),
        BuildError("x86_64/other/perf: wrong", "x86_64/other/perf"),
    ],
    ids=["source", "rootfs", "disk", "another cell"],
)
def test_what_no_series_is_to_blame_for_is_the_rigs(error: RigError, wanted: Selection, results: Path) -> None:
    made = kept(error, wanted)[1]
    assert (made.status.word, only(made).stage, only(made).variant) == ("rig-failed", "rig", "")
    assert made.kernel.tree == ""


def test_a_mistake_on_the_command_line_leaves_nothing(wanted: Selection, results: Path) -> None:
    assert failed_build.keep(UsageError("wrong"), wanted, "invoke build") is None
    assert not results.exists()
    with pytest.raises(UsageError, match="no machine"), failed_build.kept(Selection(machine="vax"), "invoke build", print):
        raise AssertionError


def test_what_cannot_be_kept_costs_no_other_error(wanted: Selection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[Path] = []
    (tmp_path / "file").touch()
    monkeypatch.setattr(paths, "RESULTS", tmp_path / "file")
    with pytest.raises(BuildError, match="wrong"), failed_build.kept(wanted, "invoke build", told.append):
        raise BuildError("wrong")
    assert told == []


def test_whoever_builds_hears_where_it_is(wanted: Selection, results: Path) -> None:
    told: list[Path] = []
    with pytest.raises(BuildError, match="wrong"), failed_build.kept(wanted, "invoke build", told.append):
        raise BuildError("wrong")
    assert told == [(results / "latest").resolve()]


def test_every_format_is_of_it_and_a_run_is_asked_for_elsewhere(tree: Tree, series: Path, wanted: Selection, results: Path) -> None:
    older = make.stored(results)
    (series / "a.patch").write_text(diff(10, old="no such line"))
    folder, _ = kept(refused(tree, series), wanted)
    assert set(export.FAILED) == set(FORMATS)
    failed = failed_build.load(folder)
    assert failed
    for form in FORMATS:
        for name in ("latest", folder.name, str(folder)):
            assert export.named(name, form, Wish()) == export.of_failed(failed, form, Wish())
    assert "\nIn-Reply-To: <1@x.invalid>\n" in export.named("latest", "eml", Wish())
    assert "1@x.invalid" in export.named("latest", "kcidb", Wish())
    with pytest.raises(
        UsageError, match=rf"'latest' is no run, but {folder.name}, a build that failed.*run is {older.folder.name}"
    ):
        lifecycle.find("latest")
    with pytest.raises(UsageError, match="There is no format 'kcid'"):
        export.named("latest", "kcid", Wish())
    with pytest.raises(UsageError, match="There is no run 'nowhere'"):
        export.named("nowhere", "kcidb", Wish())


def test_b4_hears_that_the_series_does_not_apply(tree: Tree, series: Path, wanted: Selection, results: Path) -> None:
    (series / "a.patch").write_text(diff(10, old="no such line"))
    kept(refused(tree, series), wanted)
    (answer,) = msgspec.json.decode(series_review.answer(COVER.encode()))
    assert (answer["status"], answer["summary"]) == ("fail", "Linux 4.18.0: mine does not apply")
    assert "Nothing was tested." in answer["details"]
    kept(BuildError("x86_64/stock/perf: wrong", "x86_64/stock/perf"), wanted)
    (answer,) = msgspec.json.decode(series_review.answer(COVER.encode()))
    assert answer["status"] in ("fail", "warn")


def test_what_is_damaged_is_said(wanted: Selection, results: Path) -> None:
    folder, _ = kept(BuildError("wrong"), wanted)
    (folder / "failed.json").write_text("[]")
    with pytest.raises(UsageError, match=r"failed\.json is damaged"):
        failed_build.find("latest")


def test_failed_nights_make_room_as_others_do(wanted: Selection, results: Path) -> None:
    folders = []
    for day in range(3):
        folder, _ = kept(BuildError("wrong"), wanted)
        folders.append(folder.rename(results / f"2026010{day}-030405-abcd"))
        (folders[-1] / retention.LOG).write_text("log\n")
    assert [gone.run for gone in retention.prune(results, retention.Limits(runs=1), ())] == [f.name for f in folders[:2]]
    assert folders[2].is_dir()
