# SPDX-License-Identifier: GPL-2.0-only
"""README and docs: what they link to and name exists, and what exists is in them."""

from __future__ import annotations

import ast
import functools
import re
from pathlib import Path

import pytest
from invoke.collection import Collection

import tasks
from harness import paths
from harness.model import matrix, releases
from harness.suite.extract import Observed
from tests.support.docs import OTHER_PAGES, PAGES, STANDS_FOR, inline

_LINK = re.compile(r"\[[^\]]*\]\(([^)#\s]+)(?:#[^)]*)?\)")
_PATH = re.compile(r"(?P<file>(?:harness|tests|test_module|qemu_configs|rootfs|kernel_patches)/[\w./@-]*)(?::(?P<name>[\w.]+))?")


def test_the_settings_that_releases_have_are_those_of_the_table() -> None:
    rows = re.findall(
        r"^\| (\d+\.\d+) (?:to (\d+\.\d+)|and later) \| (\S+) \|$", (paths.PROJECT / "docs/machines.md").read_text(), re.M
    )
    assert {settings for *_, settings in rows} == set(matrix.base_names())
    for first, last, settings in rows:
        for release in filter(None, (first, last)):
            base = releases.nearest(f"{release}.0", "a tree")
            assert (base.like or base.name) == settings
    follows = {"5.6": "5.7", "6.11": "6.12"}
    assert [follows[last] for _, last, _ in rows[:-1]] == [first for first, *_ in rows[1:]]


def test_the_readme_is_short() -> None:
    assert len(PAGES[0].read_text().splitlines()) <= 120


def links() -> list[tuple[Path, str]]:
    found = [(page, link) for page in [*PAGES, *OTHER_PAGES] for link in _LINK.findall(page.read_text())]
    return [(page, link) for page, link in found if "://" not in link]


@pytest.mark.parametrize(("page", "link"), links(), ids=lambda value: value if isinstance(value, str) else value.parent.name)
def test_every_link_leads_somewhere(page: Path, link: str) -> None:
    assert (page.parent / link).exists()


def references() -> list[str]:
    """Return the files that README and docs name, with the function where they name one."""
    found = [text for page in PAGES for text in inline(page) if _PATH.fullmatch(text) and not STANDS_FOR.search(text)]
    return sorted(set(found))


@functools.cache
def names_in(file: Path) -> set[str]:
    """Return what a module defines: functions, classes with their methods, values."""
    found: set[str] = set()
    for node in ast.parse(file.read_text()).body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            found.add(node.name)
        if isinstance(node, ast.ClassDef):
            found |= {f"{node.name}.{each.name}" for each in node.body if isinstance(each, ast.FunctionDef)}
        if isinstance(node, ast.Assign):
            found |= {target.id for target in node.targets if isinstance(target, ast.Name)}
    return found


@pytest.mark.parametrize("reference", references())
def test_what_the_docs_name_exists(reference: str) -> None:
    found = _PATH.fullmatch(reference)
    assert found
    file = paths.PROJECT / found["file"]
    assert file.exists(), f"there is no {found['file']}"
    assert not found["name"] or found["name"] in names_in(file), f"{found['file']} has no {found['name']}"


def test_the_map_has_every_folder() -> None:
    told = (paths.PROJECT / "docs/map.md").read_text()
    folders = {folder.parent.name for folder in (paths.PROJECT / "harness").glob("*/__init__.py")}
    assert folders == set(re.findall(r"^\| `harness/(\w+)/` \|", told, re.M))


def test_every_page_is_in_the_index() -> None:
    for page in PAGES[1:]:
        if page.name != "README.md":
            assert f"({page.name})" in (paths.PROJECT / "docs/README.md").read_text()
            assert f"(docs/{page.name})" in PAGES[0].read_text()


def test_every_task_is_in_the_docs() -> None:
    told = " ".join(page.read_text() for page in PAGES)
    missing = [
        name
        for name in Collection.from_module(tasks).task_names
        if not re.search(rf"(?:invoke|bootstrap) [^`\n]*\b{re.escape(name)}\b", told)
    ]
    assert not missing


def test_every_record_is_in_the_list_of_results() -> None:
    told = OTHER_PAGES[0].read_text()
    assert not [file for file in Observed().records() if f"`{file}`" not in told]


def test_what_settings_cite_exists() -> None:
    cited = [(file, word) for file in ("pyproject.toml", "bootstrap", "tasks.py") for word in cited_in(file)]
    assert not [(file, word) for file, word in cited if not (paths.PROJECT / word).exists()]


def cited_in(file: str) -> list[str]:
    """Return the pages that the comments of a file name."""
    comments = re.findall(r"#(.*)", (paths.PROJECT / file).read_text())
    return [word for comment in comments for word in re.findall(r"[\w./-]+\.md\b", comment)]
