# SPDX-License-Identifier: GPL-2.0-only
"""The nightly workflow says what the rig understands; GitHub itself is not asked."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import msgspec
import pytest
from invoke.collection import Collection
from invoke.parser import Parser
from ruamel.yaml import YAML

import tasks
from harness import paths
from harness.build import toolchain
from harness.commands import export, nightly
from harness.model import catalog, clock, matrix
from harness.runs import history_store, trust
from harness.stats.outcome import ExitCode

FILE = paths.PROJECT / ".github/workflows/nightly.yml"
WORKFLOW: dict[str, Any] = YAML(typ="safe").load(FILE)
JOB, CHECK = (WORKFLOW["jobs"][name] for name in ("nightly", "check"))
STEPS: list[dict[str, Any]] = JOB["steps"]
INPUTS = WORKFLOW["on"]["workflow_dispatch"]["inputs"]


def uses(action: str) -> list[dict[str, Any]]:
    return [step for step in STEPS if step.get("uses", "").partition("@")[0] == action]


def named(name: str) -> dict[str, Any]:
    (step,) = [step for step in STEPS if step.get("name") == name]
    return step


NIGHT, BASELINE = named("Build, test, compare"), named("Make it the baseline")


class Ran(msgspec.Struct):
    """What a step's script did."""

    code: int
    words: list[str]
    """that it handed to Invoke"""
    output: str
    """that GitHub reads from it"""


def ran(step: dict[str, Any], folder: Path, code: int = 0, series: str = "") -> Ran:
    """Run a step's script as GitHub does in a container, with a rig that says what it is called with and ends with `code`."""
    rig = folder / "bootstrap"
    rig.write_text(f'#!/bin/sh\nprintf "%s\\n" "$@" > words\nexit {code}\n')
    rig.chmod(0o755)
    (folder / "output").touch()
    variables = {"MACHINE": "x86_64", "SCALE": "quick", "CLOCK": "icount", "SERIES": series, "GITHUB_OUTPUT": "output"}
    done = subprocess.run(("sh", "-e", "-c", step["run"]), cwd=folder, env=variables, capture_output=True, text=True, check=False)
    assert done.stderr == ""
    return Ran(done.returncode, (folder / "words").read_text().splitlines(), (folder / "output").read_text())


def test_it_keeps_to_the_published_schema() -> None:
    check = (sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.github-workflows", FILE)
    done = subprocess.run(check, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, ""), done.stdout


@pytest.mark.parametrize("series", ["", "free-list", "$(kill $$) `kill $$`; kill $$ --keep"])
def test_its_commands_are_tasks_with_these_options(tmp_path: Path, series: str) -> None:
    called = [ran(step, tmp_path, series=series).words for step in (NIGHT, BASELINE)]
    assert [words[0] for words in called] == ["nightly", "baseline"]
    known = Parser(contexts=Collection.from_module(tasks).to_contexts())
    for words in called:
        (context,) = known.parse_argv(words)
        assert not context.missing_positional_args
    options = dict(zip(called[0][1::2], called[0][2::2], strict=True))
    assert options["--machine"] == "x86_64"
    assert options.get("--variant") == (f"stock,{series}" if series else None), "one word, whatever is in it"


@pytest.mark.parametrize("there", [True, False])
def test_a_night_annotates_the_patches_if_there_is_a_run(tmp_path: Path, there: bool) -> None:
    step = named("Annotate the patches")
    assert step["if"] == "${{ !cancelled() }}", "also after a night that ended with a finding"
    assert STEPS.index(step) > STEPS.index(NIGHT)
    (tmp_path / "results").mkdir()
    if there:
        (tmp_path / "results/latest").mkdir()
    (tmp_path / "words").touch()
    told = ran(step, tmp_path).words
    assert told == (["export", "latest", "--format", "github"] if there else [])
    if there:
        (context,) = Parser(contexts=Collection.from_module(tasks).to_contexts()).parse_argv(told)
        assert context.args["format"].value in export.FORMATS


def test_a_night_checks_the_rig_itself_with_all_that_a_check_leaves_out() -> None:
    command = CHECK["steps"][-1]["run"].split()
    assert command[0] == "./bootstrap"
    (context,) = Parser(contexts=Collection.from_module(tasks).to_contexts()).parse_argv(command[1:])
    assert context.name == "check"
    assert context.args["all"].value is True
    assert CHECK["timeout-minutes"] < 360


def test_its_machines_are_the_projects() -> None:
    assert sorted(JOB["strategy"]["matrix"]["machine"]) == matrix.machine_names()
    assert JOB["strategy"]["fail-fast"] is False


def test_its_inputs_are_the_rigs() -> None:
    assert tuple(INPUTS["scale"]["options"]) == catalog.SCALES
    assert set(INPUTS["clock"]["options"]) == set(clock.Clock)
    assert INPUTS["series"]["default"] == ""
    for name in ("scale", "clock"):
        assert INPUTS[name]["default"] in INPUTS[name]["options"]
        assert f"inputs.{name} || '{INPUTS[name]['default']}'" in FILE.read_text(), "there are no inputs on schedule"


def test_no_night_falls_back_to_another_kernel(tmp_path: Path) -> None:
    words = ran(NIGHT, tmp_path).words
    assert words[words.index("--kernel") + 1] in matrix.base_names()


def test_no_input_is_part_of_a_script() -> None:
    assert not [step["run"] for step in (*STEPS, *CHECK["steps"]) if "${{" in step.get("run", "")]


def test_it_may_read_and_no_more() -> None:
    assert WORKFLOW["permissions"] == {"contents": "read"}
    assert "permissions" not in JOB
    assert "permissions" not in CHECK
    for steps in (STEPS, CHECK["steps"]):
        (checkout,) = [step for step in steps if step.get("uses", "").startswith("actions/checkout@")]
        assert checkout["with"]["persist-credentials"] is False


def test_it_ends_before_the_runner_is_taken_away_and_in_time_to_keep_what_it_has() -> None:
    assert 60 < NIGHT["timeout-minutes"] <= JOB["timeout-minutes"] - 15
    assert JOB["timeout-minutes"] < 360


def test_nights_follow_one_another() -> None:
    assert WORKFLOW["concurrency"]["cancel-in-progress"] is False
    assert "schedule" in WORKFLOW["on"]


def test_actions_are_pinned_by_major_version() -> None:
    used = [step["uses"] for step in (*STEPS, *CHECK["steps"]) if "uses" in step]
    assert used
    assert all(re.fullmatch(r"actions/[a-z/-]+@v\d+", action) for action in used)


def test_what_is_saved_is_restored_whatever_came_of_the_night() -> None:
    restored = {step["with"]["path"]: step for step in uses("actions/cache/restore")}
    saved = uses("actions/cache/save")
    assert {step["with"]["path"] for step in saved} == set(restored)
    assert all(step["if"].startswith(("always()", "${{ always()")) for step in saved)
    for step in saved:
        before = restored[step["with"]["path"]]
        own = step["with"]["key"] == before["with"]["key"]
        assert own or step["with"]["key"] == f"${{{{ steps.{before['id']}.outputs.cache-primary-key }}}}"


@pytest.mark.parametrize(
    ("name", "what"),
    [("History of the nights before", "history"), ("Audits of the nights before", "audit"), ("Compiler cache", "ccache-2")],
)
def test_what_grows_goes_from_night_to_night_on_each_machine(name: str, what: str) -> None:
    """An exact key would keep for ever what the first night left, which may have been cut short."""
    key, prefix = named(name)["with"]["key"], named(name)["with"]["restore-keys"]
    assert prefix == f"{what}-${{{{ matrix.machine }}}}-"
    assert key == f"{prefix}${{{{ github.run_id }}}}-${{{{ github.run_attempt }}}}"


def test_the_history_is_kept_where_it_is() -> None:
    path = str((paths.RESULTS / history_store.FILE).relative_to(paths.PROJECT))
    assert named("History of the nights before")["with"]["path"] == f"{path}*", "with its journal"


def test_the_audits_are_kept_where_they_are() -> None:
    path = str(trust.audit_file().relative_to(paths.PROJECT))
    assert named("Audits of the nights before")["with"]["path"] == path


def test_a_lost_history_is_told_of(tmp_path: Path) -> None:
    restore, tell = named("History of the nights before"), named("Tell when there is no history")
    assert tell["if"] == f"${{{{ steps.{restore['id']}.outputs.cache-matched-key == '' }}}}"
    done = subprocess.run(("sh", "-e", "-c", tell["run"]), capture_output=True, text=True, check=True)
    assert re.fullmatch(r"::warning title=[^:]+::.+\n", done.stdout)
    assert STEPS.index(restore) < STEPS.index(tell) < STEPS.index(NIGHT)


def test_what_is_cached_fits_github() -> None:
    """All machines together, and the night before beside this one, within the 10 GB of a repository."""
    trim, keep = named("Trim the compiler cache"), named("Keep the compiler cache")
    assert trim["env"]["CCACHE_DIR"] == keep["with"]["path"] == f"{JOB['env']['RIG_CACHE']}/{toolchain.objects().name}"
    assert trim["if"] == "always()"
    assert STEPS.index(NIGHT) < STEPS.index(trim) < STEPS.index(keep)
    size, unit = int(trim["env"]["CCACHE_MAXSIZE"][:-1]), trim["env"]["CCACHE_MAXSIZE"][-1]
    assert unit == "G"
    assert size * len(JOB["strategy"]["matrix"]["machine"]) * 2 < 10


def test_what_is_cached_lies_in_the_rigs_cache() -> None:
    root = JOB["env"]["RIG_CACHE"]
    for step in uses("actions/cache/restore"):
        for path in step["with"]["path"].split():
            assert path.startswith(f"{root}/") or path in (f"results/{history_store.FILE}*", "results/audit.json")


def test_results_are_kept_whatever_came_of_the_night() -> None:
    (upload,) = uses("actions/upload-artifact")
    assert upload["if"] == "always()"
    assert upload["with"]["path"].split()[0] == f"{paths.RESULTS.name}/"
    assert upload["with"]["retention-days"] >= 14
    assert "matrix.machine" in upload["with"]["name"]


@pytest.mark.parametrize("code", [ExitCode.GOOD, ExitCode.RIG_FAILED, ExitCode.FINDING, ExitCode.REGRESSION, 130])
def test_a_failed_night_fails_the_job_and_says_how(tmp_path: Path, code: int) -> None:
    done = ran(NIGHT, tmp_path, code)
    assert (done.code, done.output) == (code, f"code={code}\n")
    assert "continue-on-error" not in NIGHT
    assert nightly.SUMMARY not in FILE.read_text(), "GitHub sets it"


def test_only_a_night_that_can_be_trusted_becomes_the_baseline() -> None:
    asked, listed = re.fullmatch(
        r"\$\{\{ !cancelled\(\) && (.+) && contains\(fromJSON\('(.+)'\), steps\.night\.outputs\.code\) \}\}", BASELINE["if"]
    ).groups()  # type: ignore[union-attr]
    assert NIGHT["id"] == "night"
    assert asked == "inputs.baseline"
    assert json.loads(listed) == [str(ExitCode.GOOD), str(ExitCode.REGRESSION)]
