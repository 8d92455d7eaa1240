# SPDX-License-Identifier: GPL-2.0-only
"""The nightly workflow says what the rig understands; GitHub itself is not asked."""

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
from harness import history, matrix, nightly, paths, protocol

FILE = paths.PROJECT / ".github/workflows/nightly.yml"
WORKFLOW: dict[str, Any] = YAML(typ="safe").load(FILE)
(JOB,) = WORKFLOW["jobs"].values()
STEPS: list[dict[str, Any]] = JOB["steps"]
INPUTS = WORKFLOW["on"]["workflow_dispatch"]["inputs"]


def uses(action: str) -> list[dict[str, Any]]:
    return [step for step in STEPS if step.get("uses", "").partition("@")[0] == action]


def commands(**variables: str) -> list[list[str]]:
    """Return what the steps hand to Invoke when the shell runs them with these variables."""
    called = []
    for step in STEPS:
        script = step.get("run", "")
        if "./bootstrap" in script:
            told = script.replace("./bootstrap", 'printf "%s\\n"')
            done = subprocess.run(("sh", "-euc", told), env=variables, capture_output=True, text=True, check=True)
            called.append(done.stdout.splitlines())
    return called


def test_it_keeps_to_the_published_schema() -> None:
    check = (sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.github-workflows", FILE)
    done = subprocess.run(check, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, ""), done.stdout


@pytest.mark.parametrize("series", ["", "free-list", "$(kill $$) `kill $$`; kill $$ --keep"])
def test_its_commands_are_tasks_with_these_options(series: str) -> None:
    called = commands(MACHINE="x86_64", SCALE="quick", CLOCK="icount", SERIES=series)
    assert [words[0] for words in called] == ["nightly", "baseline"]
    known = Parser(contexts=Collection.from_module(tasks).to_contexts())
    for words in called:
        (context,) = known.parse_argv(words)
        assert not context.missing_positional_args
    options = dict(zip(called[0][1::2], called[0][2::2], strict=True))
    assert options["--machine"] == "x86_64"
    assert options.get("--variant") == (f"stock,{series}" if series else None), "one word, whatever is in it"


def test_its_machines_are_the_projects() -> None:
    assert sorted(JOB["strategy"]["matrix"]["machine"]) == matrix.machine_names()
    assert JOB["strategy"]["fail-fast"] is False


def test_its_inputs_are_the_rigs() -> None:
    assert tuple(INPUTS["scale"]["options"]) == protocol.SCALES
    assert set(INPUTS["clock"]["options"]) == set(matrix.Clock)
    assert INPUTS["series"]["default"] == ""
    for name in ("scale", "clock"):
        assert INPUTS[name]["default"] in INPUTS[name]["options"]
        assert f"inputs.{name} || '{INPUTS[name]['default']}'" in FILE.read_text(), "there are no inputs on schedule"


def test_no_night_falls_back_to_another_kernel() -> None:
    words = commands(MACHINE="x86_64", SCALE="quick", CLOCK="icount", SERIES="")[0]
    assert words[words.index("--kernel") + 1] in matrix.base_names()


def test_no_input_is_part_of_a_script() -> None:
    assert not [step["run"] for step in STEPS if "${{" in step.get("run", "")]


def test_it_may_read_and_no_more() -> None:
    assert WORKFLOW["permissions"] == {"contents": "read"}
    assert "permissions" not in JOB
    (checkout,) = uses("actions/checkout")
    assert checkout["with"]["persist-credentials"] is False


def test_it_ends_before_the_runner_is_taken_away() -> None:
    assert 60 < JOB["timeout-minutes"] < 360


def test_nights_follow_one_another() -> None:
    assert WORKFLOW["concurrency"]["cancel-in-progress"] is False
    assert "schedule" in WORKFLOW["on"]


def test_actions_are_pinned_by_major_version() -> None:
    used = [step["uses"] for step in STEPS if "uses" in step]
    assert used
    assert all(re.fullmatch(r"actions/[a-z/-]+@v\d+", action) for action in used)


def test_what_is_saved_is_restored_whatever_came_of_the_night() -> None:
    restored = {tuple(step["with"]["path"].split()): step for step in uses("actions/cache/restore")}
    saved = uses("actions/cache/save")
    assert {tuple(step["with"]["path"].split()) for step in saved} == set(restored)
    assert all(step["if"].startswith(("always()", "${{ always()")) for step in saved)
    for step in saved:
        before = restored[tuple(step["with"]["path"].split())]
        own = step["with"]["key"] == before["with"]["key"]
        assert own or step["with"]["key"] == f"${{{{ steps.{before['id']}.outputs.cache-primary-key }}}}"


def test_the_history_goes_from_night_to_night_on_each_machine() -> None:
    (step,) = [step for step in uses("actions/cache/restore") if history.FILE in step["with"]["path"]]
    assert step["with"]["path"] == str((paths.RESULTS / history.FILE).relative_to(paths.PROJECT))
    key, prefix = step["with"]["key"], step["with"]["restore-keys"]
    assert prefix == "history-${{ matrix.machine }}-"
    assert key.startswith(prefix)
    assert "github.run_id" in key
    assert "github.run_attempt" in key


def test_what_is_cached_lies_in_the_rigs_cache() -> None:
    root = JOB["env"]["RIG_CACHE"]
    for step in uses("actions/cache/restore"):
        for path in step["with"]["path"].split():
            assert path.startswith(f"{root}/") or path == f"results/{history.FILE}"


def test_results_are_kept_whatever_came_of_the_night() -> None:
    (upload,) = uses("actions/upload-artifact")
    assert upload["if"] == "always()"
    assert upload["with"]["path"].split()[0] == f"{paths.RESULTS.name}/"
    assert upload["with"]["retention-days"] >= 14
    assert "matrix.machine" in upload["with"]["name"]


def test_a_failed_night_fails_the_job() -> None:
    (step,) = [step for step in STEPS if "nightly" in step.get("run", "")]
    assert "continue-on-error" not in step
    assert shlex.split(step["run"].strip().splitlines()[-1])[:2] == ["./bootstrap", "nightly"]
    assert nightly.SUMMARY not in FILE.read_text(), "GitHub sets it"
