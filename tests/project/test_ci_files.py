# SPDX-License-Identifier: GPL-2.0-only
"""The files for GitLab and Jenkins say what the rig understands, and the same as GitHub's; no service is asked."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from typing import Any

import pytest
from invoke.collection import Collection
from invoke.parser import Parser
from ruamel.yaml import YAML

import tasks
from harness import paths
from harness.commands import export
from harness.model import catalog, clock, matrix
from harness.stats.outcome import ExitCode
from tests.project import test_workflow as github

GITLAB = paths.PROJECT / "docs/ci/gitlab-ci.yml"
JENKINS = paths.PROJECT / "docs/ci/Jenkinsfile"
PIPELINE: dict[str, Any] = YAML(typ="safe").load(GITLAB)
TEXT = JENKINS.read_text()


def gitlab_lines() -> list[str]:
    jobs = [PIPELINE[name] for name in ("nightly", "check")]
    return [
        line
        for job in (PIPELINE["default"], *jobs)
        for part in ("before_script", "script", "after_script")
        for line in job.get(part, [])
    ]


def jenkins_lines() -> list[str]:
    return re.findall(r"(?:\bsh |script: )'([^']*)'", TEXT)


def called(lines: list[str]) -> dict[str, dict[str, Any]]:
    """Return the options of each task that lines of shell call, as Invoke reads them."""
    found = {}
    for line in lines:
        words = shlex.split(line)
        if "./bootstrap" in words:
            contexts = Parser(contexts=Collection.from_module(tasks).to_contexts()).parse_argv(
                words[words.index("./bootstrap") + 1 :]
            )
            for context in contexts:
                assert not context.missing_positional_args
                found[str(context.name)] = {name: argument.value for name, argument in context.args.items()}
    return found


def test_gitlabs_keeps_to_the_published_schema() -> None:
    kept = ("--builtin-schema", "vendor.gitlab-ci", "--data-transform", "gitlab-ci")
    done = subprocess.run((sys.executable, "-m", "check_jsonschema", *kept, GITLAB), capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, ""), done.stdout


@pytest.mark.parametrize("lines", [gitlab_lines(), jenkins_lines()], ids=["gitlab", "jenkins"])
def test_the_jobs_are_those_of_github(lines: list[str]) -> None:
    found = called(lines)
    assert set(found) == {"nightly", "export", "check"}
    assert found["check"]["all"] is True
    assert found["export"]["format"] in export.FORMATS
    night = found["nightly"]
    assert night["kernel"] in matrix.base_names()
    assert {name: night[name] for name in ("machine", "scale", "clock")} == {
        "machine": "$MACHINE",
        "scale": "$SCALE",
        "clock": "$CLOCK",
    }
    packages = next(line for line in lines if " install " in line)
    own = github.STEPS[0]["run"].splitlines()[1].strip()
    assert set(packages.split()) <= set(own.split()), "zstd is for GitHub's cache alone"


def test_their_machines_are_the_projects() -> None:
    (of,) = PIPELINE["nightly"]["parallel"]["matrix"]
    assert sorted(of["MACHINE"]) == matrix.machine_names()
    (values,) = re.findall(r"name 'MACHINE'\s+values ([^\n]*)", TEXT)
    assert sorted(re.findall(r"'(\w+)'", values)) == matrix.machine_names()


def test_their_choices_are_the_rigs() -> None:
    choices = dict(re.findall(r"choice\(name: '(\w+)', choices: \[([^\]]*)\]", TEXT))
    for name, known in (("SCALE", catalog.SCALES), ("CLOCK", tuple(clock.Clock))):
        assert set(PIPELINE["variables"][name]["options"]) == set(known)
        assert PIPELINE["variables"][name]["value"] in known
        assert set(re.findall(r"'(\w+)'", choices[name])) == set(known)


def test_gitlab_keeps_only_what_lies_in_its_checkout() -> None:
    assert PIPELINE["variables"]["RIG_CACHE"].startswith("$CI_PROJECT_DIR/")
    folder = PIPELINE["variables"]["RIG_CACHE"].removeprefix("$CI_PROJECT_DIR/")
    kept = PIPELINE["nightly"]["cache"]["paths"]
    own = [step["with"]["path"] for step in github.uses("actions/cache/save")]
    assert sorted(kept) == sorted(
        path.replace("/var/cache/kernel-patch-rig", folder) + ("/" if path.endswith("ccache-2") else "") for path in own
    )
    assert PIPELINE["nightly"]["artifacts"]["reports"]["junit"] == "results/*/junit.xml"


def test_jenkins_knows_the_exit_codes() -> None:
    codes = {int(code) for code in re.findall(r"code == (\d)", TEXT)}
    assert codes == {ExitCode.FINDING, ExitCode.REGRESSION}, "the others but 0 are failures of the rig"
    assert "code != 0" in TEXT


def test_jenkins_has_an_end_for_each_beginning() -> None:
    code = re.sub(r"'[^']*'|\"[^\"]*\"|//[^\n]*", "", TEXT)
    for begin, end in ("{}", "()", "[]"):
        depth = 0
        for character in code:
            depth += (character == begin) - (character == end)
            assert depth >= 0
        assert depth == 0
    assert code.lstrip().startswith("pipeline {")


def test_a_mistake_in_a_command_is_seen() -> None:
    assert called(["./bootstrap check --all"])["check"]["all"] is True
    with pytest.raises(Exception, match="No idea what '--al' is"):
        called(["./bootstrap check --al"])


def test_every_format_is_in_the_docs() -> None:
    rows = re.findall(r"^\| `([\w-]+)` \|", (paths.PROJECT / "docs/ci.md").read_text(), re.M)
    assert sorted(rows) == sorted(export.FORMATS)
