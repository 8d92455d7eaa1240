# SPDX-License-Identifier: GPL-2.0-only
"""A series in the shapes that people send and save: every patch of it, or a refusal that says why."""

from __future__ import annotations

import base64
import bz2
import gzip
import io
import lzma
import quopri
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from harness.build import git, patches, series
from harness.build.kernel_tree import Tree
from harness.errors import UsageError
from harness.model.matrix import Variant
from tests.support.series import diff, message

TEN, TWENTY = diff(10), diff(20, new="ä = 1")
MIME = {"MIME_Version": "1.0", "Content_Type": "text/plain; charset=UTF-8"}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "mine"
    made.mkdir()
    return made


def changes(path: Path) -> list[str]:
    """Return the changed lines of each patch in the series at `path`."""
    told = [patch.data.decode().split("\n") for patch in series.read(path).patches]
    return [" ".join(line[1:] for line in lines if line.startswith("+") and not line.startswith("+++")) for lines in told]


def refused(path: Path) -> str:
    with pytest.raises(UsageError) as caught:
        series.read(path)
    assert str(caught.value).endswith(".")
    return str(caught.value)


def two(**headers: str) -> str:
    """Return an mbox of two patches."""
    return message("[PATCH 1/2] a", TEN, **headers) + message("[PATCH 2/2] b", TWENTY, **headers)


def coded(subject: str, body: str, encoding: str) -> str:
    """Return a mail whose body is in a transfer encoding."""
    whole = f"Why.\n---\n{body}-- \n2.39.5\n".encode()
    text = base64.encodebytes(whole) if encoding == "base64" else quopri.encodestring(whole)
    head = f"From: A <a@kernel.invalid>\nSubject: {subject}\nMIME-Version: 1.0\n"
    return f"{head}Content-Type: text/plain; charset=UTF-8\nContent-Transfer-Encoding: {encoding}\n\n{text.decode()}"


def tarball() -> bytes:
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w:gz") as archive:
        archive.addfile(tarfile.TarInfo("a.patch"))
    return made.getvalue()


@pytest.mark.parametrize("encoding", ["base64", "quoted-printable"])
@pytest.mark.parametrize("suffix", [".patch", ".eml"])
def test_mails_in_a_folder_are_decoded(folder: Path, encoding: str, suffix: str) -> None:
    (folder / f"1{suffix}").write_text(coded("[PATCH 1/2] a", diff(10, new="a = b"), encoding))
    (folder / f"2{suffix}").write_text(coded("[PATCH 2/2] b", TWENTY, encoding))
    assert changes(folder) == ["a = b", "ä = 1"]
    assert [patch.name for patch in series.read(folder).patches] == [f"1{suffix}", f"2{suffix}"]


def test_mails_that_a_quilt_series_names_are_decoded(folder: Path) -> None:
    (folder / "a.patch").write_text(coded("[PATCH 1/1] a", TWENTY, "quoted-printable"))
    (folder / "series").write_bytes(b"\xef\xbb\xbfa.patch\r\n")
    assert changes(folder) == ["ä = 1"]


@pytest.mark.parametrize("pack", [gzip.compress, bz2.compress, lzma.compress])
def test_what_is_compressed_is_unpacked(tmp_path: Path, folder: Path, pack: Callable[[bytes], bytes]) -> None:
    (tmp_path / "t.mbox.gz").write_bytes(pack(two().encode()))
    assert changes(tmp_path / "t.mbox.gz") == ["LINE 10", "ä = 1"]
    (folder / "0001-a.patch").write_text(TEN)
    (folder / "0002-b.patch.xz").write_bytes(pack(TWENTY.encode()))
    assert changes(folder) == ["LINE 10", "ä = 1"]
    (folder / "0002-b.patch.xz").write_bytes(pack(TWENTY.encode())[:-9])
    assert "0002-b.patch.xz is compressed, but damaged" in refused(folder)


def test_what_grows_without_end_is_no_series(tmp_path: Path) -> None:
    (tmp_path / "t.mbox.gz").write_bytes(gzip.compress(bytes(65 << 20), 1))
    assert "more than 64 MiB when it is unpacked" in refused(tmp_path / "t.mbox.gz")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"\x28\xb5\x2f\xfd\x04", "is compressed by zstd; unpack it with `zstd -d`"),
        (b"PK\x03\x04", "is a zip archive; unpack it"),
        (tarball(), "is a tar archive; unpack it"),
        (b"# v2 git bundle\n", "is a git bundle; clone it"),
        (TEN.encode("utf-16"), "is UTF-16"),
        (TEN.encode("utf-16-le"), "is UTF-16"),
        (b"", "is empty"),
        (b"\xef\xbb\xbf\r\n", "is empty"),
        (b"\n<!DOCTYPE html><html>", "is a web page; save the mails themselves"),
        (b"\xd0\xcf\x11\xe0", "is a mail as Outlook keeps it"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_is_no_text_of_patches_is_called_by_its_name(folder: Path, content: bytes, said: str) -> None:
    (folder / "0001-a.patch").write_text(TEN)
    (folder / "0002-b.patch").write_bytes(content)
    assert f"{folder / '0002-b.patch'} {said}" in refused(folder)
    assert f"{folder / '0002-b.patch'} {said}" in refused(folder / "0002-b.patch")


@pytest.mark.parametrize("prose", ["Only words.\n", "*** a/mm/vmalloc.c\n--- \n", message("[PATCH 2/2] b", "")])
def test_a_patch_without_a_diff_is_not_left_out(folder: Path, prose: str) -> None:
    (folder / "0001-a.patch").write_text(TEN)
    (folder / "0002-b.patch").write_text(prose)
    assert "0002-b.patch" in refused(folder)
    (folder / "series").write_text("0001-a.patch\n0002-b.patch\n")
    assert "0002-b.patch" in refused(folder)


@pytest.mark.parametrize("name", ["0002-b", "0002-b.txt", "2", "0002-b.patch.txt"])
def test_a_patch_by_another_name_is_not_left_out(folder: Path, name: str) -> None:
    (folder / "0001-a.patch").write_text(TEN)
    (folder / name).write_text(TWENTY)
    assert f"{folder / name} holds a patch, but its name does not end in .patch" in refused(folder)
    (folder / "series").write_text(f"0001-a.patch\n{name}\n")
    assert changes(folder) == ["LINE 10", "ä = 1"]


@pytest.mark.parametrize("content", [gzip.compress(TWENTY.encode()), coded("[PATCH 2/2] b", TWENTY, "base64").encode()])
def test_a_patch_that_is_packed_or_coded_is_not_left_out_either(folder: Path, content: bytes) -> None:
    (folder / "0001-a.patch").write_text(TEN)
    (folder / "2").write_bytes(content)
    assert f"{folder / '2'} holds a patch" in refused(folder)


def test_other_files_in_a_folder_of_patches_are_none(folder: Path) -> None:
    (folder / "0001-a.patch").write_text(TEN)
    (folder / "notes").write_text("--- a list\n--- of dashes\n")
    (folder / "cover.txt").write_text(message("[PATCH 0/1] all", ""))
    (folder / "mail").write_text(message("Re: [PATCH] a", "> --- a\n"))
    (folder / "patches.tar.gz").write_bytes(tarball())
    (folder / "empty").touch()
    assert changes(folder) == ["LINE 10"]


@pytest.mark.parametrize("name", [".0002-b.patch", "0002-b.patch~", "0002-b.patch.orig", "README.md", "cover", ".git"])
def test_what_no_shell_lists_and_what_tools_leave_is_no_patch(folder: Path, name: str) -> None:
    (folder / "0001-a.patch").write_text(TEN)
    (folder / name).write_text(TWENTY)
    assert changes(folder) == ["LINE 10"]


@pytest.mark.parametrize("end", ["\r\n", "\n"])
@pytest.mark.parametrize("start", ["", "\ufeff", "\n\n"])
def test_line_ends_and_what_stands_before_the_first_line(tmp_path: Path, end: str, start: str) -> None:
    for name, text in (("t.mbox", two()), ("fix.patch", TEN), ("a.eml", coded("[PATCH] a", TWENTY, "quoted-printable"))):
        (tmp_path / name).write_bytes((start + text).replace("\n", end).encode())
    assert changes(tmp_path / "a.eml") == ["ä = 1"]
    assert changes(tmp_path / "t.mbox") == ["LINE 10", "ä = 1"]
    assert changes(tmp_path / "fix.patch") == ["LINE 10"]


@pytest.mark.parametrize("encoding", ["base64", "quoted-printable"])
def test_line_ends_that_an_encoding_hides(folder: Path, encoding: str) -> None:
    (folder / "a.eml").write_text(coded("[PATCH] a", TEN.replace("\n", "\r\n"), encoding))
    assert changes(folder) == ["LINE 10"]


def test_a_cr_that_belongs_to_the_changed_file_stays(tmp_path: Path) -> None:
    changed = TEN.replace("LINE 10", "LINE 10\r")
    (tmp_path / "fix.patch").write_text(changed)
    (tmp_path / "t.mbox").write_text(message("[PATCH] a", changed))
    assert [series.read(tmp_path / name).patches[0].data.count(b"\r") for name in ("fix.patch", "t.mbox")] == [1, 1]


def test_a_sentence_that_begins_with_from_ends_no_mail(tmp_path: Path) -> None:
    said = "From here on it is\nFrom the start, at 10:30 in 2018, too.\n>From 10"
    (tmp_path / "t.mbox").write_text(message("[PATCH 1/2] a", TEN, said) + message("[PATCH 2/2] b", TWENTY))
    assert changes(tmp_path / "t.mbox") == ["LINE 10", "ä = 1"]
    (tmp_path / "fix.patch").write_text(f"From here on\n\n{TEN}")
    assert changes(tmp_path / "fix.patch") == ["LINE 10"]


def test_quoted_separators_of_mboxrd_are_read_as_they_were_written(tmp_path: Path) -> None:
    text = message("[PATCH] a", TEN, ">From one\n>>From two").replace(f"From {'1' * 40}", "From mboxrd@z", 1)
    (tmp_path / "t.mbox").write_text(text)
    assert series.read(tmp_path / "t.mbox").patches[0].mail.text.startswith("From one\n>From two\n")


def test_an_attached_patch(tmp_path: Path) -> None:
    for kind in ("text/x-patch", "application/octet-stream"):
        head = 'From: A <a@kernel.invalid>\nSubject: [PATCH] a\nContent-Type: multipart/mixed; boundary="xx"\n\n'
        part = f"--xx\nContent-Type: {kind}\nContent-Disposition: attachment\nContent-Transfer-Encoding: base64\n\n"
        attached = base64.encodebytes(TWENTY.encode()).decode()
        (tmp_path / "a.eml").write_text(f"{head}--xx\nContent-Type: text/plain\n\nWhy.\n{part}{attached}--xx--\n")
        assert changes(tmp_path / "a.eml") == ["ä = 1"]
        (tmp_path / "a.eml").write_text(f"{head}--xx\nContent-Type: text/plain\n\nWhy.\n{part}UEsDBAo=\n--xx--\n")
        assert f"git knows no diff in its attachment of the type {kind}" in refused(tmp_path / "a.eml")


def test_a_flowed_mail_is_read_as_it_was_meant(tmp_path: Path, tree: Tree) -> None:
    flowed = "".join(f" {line}" if line.startswith(" ") else line for line in TEN.splitlines(keepends=True))
    (tmp_path / "a.eml").write_text(message("[PATCH] a", flowed, Content_Type="text/plain; format=flowed"))
    assert patches.apply(tree, Variant("mine", tmp_path / "a.eml")).tree != tree.tree
    (tmp_path / "a.eml").write_text(message("[PATCH] a", TEN, Content_Type="text/plain; format=flowed"))
    with pytest.raises(UsageError, match=r"format=flowed, .* have it sent by git send-email"):
        patches.apply(tree, Variant("mine", tmp_path / "a.eml"))


def test_a_signed_mail_whose_parts_are_gone(tmp_path: Path) -> None:
    signed = {"Content_Type": 'multipart/signed; boundary="xx"'}
    (tmp_path / "t.mbox").write_text(message("[PATCH 1/2] a", TEN) + message("[PATCH 2/2] b", TWENTY, **signed))
    said = refused(tmp_path / "t.mbox")
    assert "mail 2 of t.mbox ('[PATCH 2/2] b')" in said
    assert "its header says multipart/signed, but its body has no such parts" in said


def test_a_mail_that_was_cut_off_between_two_files(tmp_path: Path) -> None:
    whole = message("[PATCH] a", TEN).replace(" mm/vmalloc.c | 2 +-\n", " 2 files changed, 2 insertions(+), 2 deletions(-)\n")
    (tmp_path / "t.mbox").write_text(whole)
    assert "its diff changes 1 file, but its summary tells of 2" in refused(tmp_path / "t.mbox")
    (tmp_path / "t.mbox").write_text(whole.replace("2 files", "1 file"))
    assert changes(tmp_path / "t.mbox") == ["LINE 10"]


def test_a_subject_with_control_characters_names_a_patch_without_them(tmp_path: Path, tree: Tree) -> None:
    (tmp_path / "t.mbox").write_text(message("[PATCH] a\x1b[31m", TEN))
    assert patches.apply(tree, Variant("mine", tmp_path / "t.mbox")).patches == ("a[31m",)


def test_a_maildir_is_read_by_the_numbers_of_its_patches(folder: Path) -> None:
    for name in ("cur", "new", "tmp"):
        (folder / name).mkdir()
    (folder / "new/1.host").write_text(message("[PATCH 2/2] b", TWENTY).partition("\n")[2])
    (folder / "cur/2.host:2,S").write_text(message("[PATCH 1/2] a", TEN).partition("\n")[2])
    (folder / "tmp/3.host").write_text("half a mail")
    assert changes(folder) == ["LINE 10", "ä = 1"]
    assert [patch.name for patch in series.read(folder).patches] == ["a", "b"]


def test_numbers_without_zeros_are_in_the_order_of_numbers(folder: Path) -> None:
    for number in (10, 2, 1):
        (folder / f"{number}-step.patch").write_text(diff(number + 1))
    assert changes(folder) == ["LINE 2", "LINE 3", "LINE 11"]
    assert series.read(folder).notes == ("the patches of mine are taken in the order 1-step.patch, 2-step.patch, 10-step.patch.",)


def test_a_file_of_several_mails_in_a_folder(folder: Path) -> None:
    (folder / "all.mbox").write_text(two())
    assert [patch.name for patch in series.read(folder).patches] == ["a", "b"]
    (folder / "0001-a.patch").write_text(message("[PATCH 1/2] a", TEN))
    assert changes(folder) == ["LINE 10", "ä = 1"], "the copy of a patch is not applied twice"


def test_a_reply_alone_is_applied_if_it_is_named(folder: Path) -> None:
    (folder / "a.patch").write_text(message("Re: [PATCH] a", TEN))
    for path in (folder, folder / "a.patch"):
        assert "holds no patches to apply (a.patch ('Re: [PATCH] a') is a reply" in refused(path)
    (folder / "series").write_text("a.patch\n")
    assert changes(folder) == ["LINE 10"]


def test_a_patch_is_taken_back(tree: Tree, folder: Path) -> None:
    (folder / "do.patch").write_text(TEN)
    (folder / "series").write_text("do.patch\ndo.patch -R -p1\n")
    assert patches.apply(tree, Variant("mine", folder)).tree == tree.tree
    (folder / "series").write_text("do.patch -R\n")
    with pytest.raises(UsageError, match=r"do.patch does not apply: it undoes what is not there"):
        patches.apply(tree, Variant("mine", folder))


def test_the_index_lines_of_a_patch_that_is_taken_back_are_read_the_other_way(tree: Tree, folder: Path) -> None:
    before = git.run("rev-parse", f"{tree.commit}:mm/vmalloc.c")
    (folder / "do.patch").write_text(TEN.replace("--- a", f"index {before}..{'f' * 40} 100644\n--- a"))
    (folder / "series").write_text("do.patch\ndo.patch -R\n")
    notes = patches.apply(tree, Variant("mine", folder)).notes
    assert [note.partition(" mm/")[0] for note in notes] == ["do.patch makes", "do.patch starts from"]


def test_an_unknown_word_of_a_series_file(folder: Path) -> None:
    (folder / "a.patch").write_text(TEN)
    for word in ("-F3", "b.patch", "--reverse"):
        (folder / "series").write_text(f"a.patch {word}\n")
        assert f"{folder / 'series'}: '{word}' behind 'a.patch' is not known" in refused(folder)


def test_paths_without_a_and_b(tree: Tree, tmp_path: Path) -> None:
    (tmp_path / "fix.patch").write_text(diff(10, prefixes=("", "")))
    with pytest.raises(UsageError, match=r"its paths have no a/ and b/; name it in a `series` file as 'fix.patch -p0'"):
        patches.apply(tree, Variant("mine", tmp_path / "fix.patch"))
