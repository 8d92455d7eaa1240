# SPDX-License-Identifier: GPL-2.0-only
"""Jobs for LAVA: they keep to LAVA's own schema, fetch what lies beside them, and run the rig's script and module."""

from __future__ import annotations

import json
import shlex
import subprocess
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import msgspec
import pytest
from ruamel.yaml import YAML

from harness.build.built import BuiltCell
from harness.build.kernel import Kernel
from harness.build.rootfs import Rootfs
from harness.commands import lava
from harness.errors import RigError, UsageError
from harness.host import files
from harness.model.foreign import Foreign
from harness.model.matrix import Base, Cell, Variant, load_machine
from harness.model.run_folder import Run
from harness.suite import guest_script, plan
from tests.support import content, make

URL, BOOT = "https://lab.example.org/run", "https://lab.example.org/boot.img"
_PYTHON = "/usr/bin/python3"
"""the one of Debian, for which lava-common is packaged"""
_CHECK = "import json, sys; from lava_common.schemas import validate; validate(json.load(sys.stdin), strict=True)"


@pytest.fixture
def run(results: Path, tmp_path: Path, base: Base) -> Run:
    """A run on three machines whose kernels are files of a few bytes."""
    made = make.stored(results)
    cells = tuple(
        built(tmp_path, machine, variant) for machine, variant in (("x86_64", "stock"), ("aarch64", "a b'c"), ("arm32", "m@2"))
    )
    tests = ("le_fit_alloc_test", "exact_hole_test")
    plan.save(make.plan(base, cells=cells, tests=tests), made.folder / "plan.json")
    return made


def built(folder: Path, machine: str, variant: str) -> BuiltCell:
    place = folder / machine
    place.mkdir()
    for name in ("image", "config", "vmalloc_test.ko", "vmalloc_second.ko", "initramfs"):
        (place / name).write_bytes(f"{name} of {machine}".encode())
    kernel = Kernel(place, place / "image", place / "config", place / "vmalloc_test.ko", "1" * 16, "4.18.0", make.BUILD_ID, "")
    return BuiltCell(Cell(load_machine(machine), Variant(variant), "perf"), kernel, Rootfs(place / "initramfs", "", "", {}), "tcg")


def written(run: Run, tmp_path: Path, boot: str = BOOT) -> dict[str, Any]:
    """Return the jobs by the names of their files."""
    jobs = lava.write(run, tmp_path / "out", URL + "/", boot)
    assert sorted(jobs) == sorted((tmp_path / "out").glob("*.yaml"))
    return {job.name: YAML(typ="safe").load(job) for job in jobs}


def check(job: dict[str, Any]) -> None:
    """Hold that LAVA takes a job, by the schema that its server goes by."""
    if subprocess.run((_PYTHON, "-c", "import lava_common"), capture_output=True, check=False).returncode:
        pytest.skip("Debian's package lava-common is not installed: nothing checks jobs for LAVA here")
    done = subprocess.run((_PYTHON, "-c", _CHECK), input=json.dumps(job), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_every_job_keeps_to_lavas_schema(run: Run, tmp_path: Path) -> None:
    jobs = written(run, tmp_path)
    assert list(jobs) == [
        "x86_64-stock-perf-qemu.yaml",
        "aarch64-a b'c-perf-qemu.yaml",
        "aarch64-a b'c-perf-board.yaml",
        "arm32-m@2-perf-qemu.yaml",
    ]
    for job in jobs.values():
        check(job)


def test_the_schema_refuses_what_is_no_job(run: Run, tmp_path: Path) -> None:
    job = written(run, tmp_path)["x86_64-stock-perf-qemu.yaml"]
    check(job)
    with pytest.raises(AssertionError, match="MultipleInvalid"):
        check({**job, "visibility": "nobody"})


def test_what_a_job_fetches_lies_beside_it(run: Run, tmp_path: Path) -> None:
    jobs = written(run, tmp_path)
    for image in (
        image for job in jobs.values() for image in job["actions"][0]["deploy"]["images"].values() if "sha256sum" in image
    ):
        file = tmp_path / "out" / unquote(image["url"].removeprefix(f"{URL}/"))
        assert files.file_sha256(file) == image["sha256sum"]
    archive = (tmp_path / "out/x86_64-stock-perf-initramfs.cpio").read_bytes()
    assert archive.endswith(b"initramfs of x86_64")
    assert guest_script.SCRIPT.read_bytes() in archive
    assert b"vmalloc_second.ko of x86_64" in archive


def test_qemu_is_that_of_the_machine_and_takes_commands_on_its_console(run: Run, tmp_path: Path) -> None:
    job = written(run, tmp_path)["aarch64-a b'c-perf-qemu.yaml"]
    machine = load_machine("aarch64")
    context = job["context"]
    assert (context["machine"], context["cpu"], context["memory"]) == (machine.qemu.machine, machine.qemu.cpu, machine.qemu.memory)
    assert context["extra_options"] == ["-smp", "8"]
    assert "console=ttyAMA0 rdinit=/lava/init" in job["actions"][0]["deploy"]["images"]["kernel"]["image_arg"]
    (script,) = job["actions"][2]["test"]["interactive"]
    assert job["actions"][1]["boot"]["prompts"] == script["prompts"] == ["kernel-patch-rig# "]
    first, second = script["script"]
    words = shlex.split(first["command"])
    assert words[:3] == ["sh", "/lava/guest.sh", "le_fit_alloc_test"]
    assert words[4:6] == ["/vmalloc_test.ko", "tests=le_fit_alloc_test"]
    assert second["successes"] == [{"message": "vmalloc_test: ok 1 exact_hole_test"}]
    assert {"message": "vmalloc_test: not ok 1 exact_hole_test"} in second["failures"]


def test_the_board_runs_the_same_and_first_proves_its_kernel(run: Run, tmp_path: Path) -> None:
    jobs = written(run, tmp_path)
    board, qemu = jobs["aarch64-a b'c-perf-board.yaml"], jobs["aarch64-a b'c-perf-qemu.yaml"]
    assert board["actions"][0]["deploy"]["images"]["boot"]["url"] == BOOT
    (definition,) = board["actions"][2]["test"]["definitions"]
    proof, *steps = definition["repository"]["run"]["steps"]
    assert make.BUILD_ID in proof
    commands = [each["command"] for each in qemu["actions"][2]["test"]["interactive"][0]["script"]]
    assert [step for step in steps if step.startswith("sh ")] == [f"{command} > log 2>&1; cat log" for command in commands]
    for step in (proof, *steps):
        done = subprocess.run(("sh", "-n", "-c", step), capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"{step}: {done.stderr}"
    assert sum("sha256sum -c" in step for step in steps) == 3


def test_without_a_boot_image_the_board_has_no_job(run: Run, tmp_path: Path) -> None:
    assert not [name for name in written(run, tmp_path, boot="") if "board" in name]


@pytest.mark.parametrize("evil", ["x: y\n- z", "{{ 7 * 7 }}", '"', "ü", content.EVIL])
def test_no_text_breaks_a_job(run: Run, tmp_path: Path, evil: str) -> None:
    planned = plan.load(run.folder / "plan.json")
    plan.save(msgspec.structs.replace(planned, version=evil), run.folder / "plan.json")
    for job in written(run, tmp_path, boot=f"https://x/{evil}").values():
        assert job["device_type"] in ("qemu", "hi960-hikey")
        check(job)


def test_what_cannot_be_written_is_said(run: Run, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="Say with --url where the lab can fetch the files"):
        lava.write(run, tmp_path / "out", "", "")
    (tmp_path / "there").mkdir()
    with pytest.raises(UsageError, match="is there already; name a new folder"):
        lava.write(run, tmp_path / "there", URL, "")
    (tmp_path / "arm32/image").unlink()
    with pytest.raises(UsageError, match="arm32/image is no longer in the cache"):
        lava.write(run, tmp_path / "out", URL, "")
    assert not (tmp_path / "out").exists()
    planned = plan.load(run.folder / "plan.json")
    plan.save(msgspec.structs.replace(planned, module=Foreign("mine", "01" * 32)), run.folder / "plan.json")
    with pytest.raises(UsageError, match="is of the module mine"):
        lava.write(run, tmp_path / "out", URL, "")
    (run.folder / "plan.json").write_text("{")
    with pytest.raises(RigError):
        lava.write(run, tmp_path / "out", URL, "")
