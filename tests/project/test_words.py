# SPDX-License-Identifier: GPL-2.0-only
"""Docstrings begin with a verb or a noun of the field, not with a question word."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

import pytest

from harness.paths import PROJECT

DONE = (
    "harness/host",
    "harness/model",
    "harness/build",
    "harness/kernlog",
    "harness/vm",
    "harness/stats",
    "harness/report",
    "harness/suite",
    "harness/runs",
    "harness/cluster",
    "harness/commands",
    "harness/tasks",
    "harness/text.py",
    "harness/errors.py",
    "harness/paths.py",
    "tasks.py",
)
"""folders and files that are checked"""
_QUESTION = re.compile(r"(?:what|whether|how|which|who|whom|whose|why|where|when)\b", re.IGNORECASE)
_DOCUMENTED = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
_ASSIGNED = (ast.Assign, ast.AnnAssign)


def docstrings(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Yield line and text of the docstrings of modules, classes, functions and assigned names."""
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        if not isinstance(body, list):
            continue
        previous: ast.AST | None = node if isinstance(node, _DOCUMENTED) else None
        for statement in body:
            value = statement.value if isinstance(statement, ast.Expr) else None
            if previous and isinstance(value, ast.Constant) and isinstance(value.value, str):
                yield statement.lineno, value.value
            previous = statement if isinstance(statement, _ASSIGNED) else None


@pytest.mark.parametrize("place", DONE)
def test_no_docstring_begins_with_a_question_word(place: str) -> None:
    path = PROJECT / place
    files = sorted(path.rglob("*.py")) if path.is_dir() else [path]
    questions = [
        f"{file.relative_to(PROJECT)}:{line}: {text.splitlines()[0]}"
        for file in files
        for line, text in docstrings(ast.parse(file.read_text()))
        if _QUESTION.match(text.strip())
    ]
    assert files, f"{place} has no Python files"
    assert not questions, "\n".join(questions)


def test_docstrings_of_all_kinds_are_found() -> None:
    text = '"""module"""\nNAME = 1\n"""name"""\nclass One:\n    """class"""\n    field: int\n    """field"""\n'
    text += '    def do(self):\n        """method"""\n        self.x = 1\n        """attribute"""\n'
    text += '        print()\n        """no docstring"""\n'
    found = {words for _, words in docstrings(ast.parse(text))}
    assert found == {"module", "name", "class", "field", "method", "attribute"}
