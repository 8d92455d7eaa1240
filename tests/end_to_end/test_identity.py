# SPDX-License-Identifier: GPL-2.0-only
"""The kernel that runs is the kernel that was built, for real: small changes reach the guest, and planted files are refused."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pytest

from harness import paths
from harness.build.built import BuiltCell
from harness.build.kernel import Kernel
from harness.build.rootfs import Rootfs
from harness.commands import pipeline
from harness.errors import Mismatch
from harness.host import files
from harness.model.clock import Clock
from harness.model.matrix import Variant
from harness.model.selection import DEFAULT, Selection
from harness.suite import execute
from harness.suite.plan import Plan, Session
from harness.suite.vm_pool import Lab, Station
from tests import provoke
from tests.support.machines import machines

pytestmark = pytest.mark.kernel
SERIES = paths.PROJECT / "tests" / "data" / "series"
CHANGES = ("constant", "comparison", "string")
"""what differs from stock; each leaves the length of the kernel as it is"""


@pytest.fixture(scope="module", params=machines(1))
def machine(request: pytest.FixtureRequest) -> str:
    """A machine's name."""
    return str(request.param)


@pytest.fixture(scope="module")
def quick(machine: str) -> Plan:
    """Stock, for the test that a comparison is told apart by."""
    return pipeline.build(Selection(machine=machine, variant="stock", scale="quick", tests="exact_hole_test"))


@pytest.fixture(scope="module")
def built(machine: str, quick: Plan) -> Iterator[dict[str, BuiltCell]]:
    """Stock and its changes by name, built one after the other in the folders of stock with what is cached."""
    if quick.base.name != DEFAULT:
        pytest.skip("NOT TESTED: there is no source of Linux 4.18 on this machine, so no change can be made to it")
    (stock,) = quick.cells
    provoke.build(quick.base, stock.cell, stock.kernel)  # other tests ask for it, and it takes stock's own folder
    found = {"stock": stock}
    try:
        for name in CHANGES:
            wanted = Selection(machine=machine, scale="quick")
            (found[name],) = pipeline.build(wanted, (Variant(name, SERIES / f"{name}.patch", tree="stock"),)).cells
        yield found
    finally:
        for name in found.keys() & {*CHANGES}:  # built anew the next time, which is what is tested
            shutil.rmtree(found[name].kernel.folder)


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[Lab]:
    made = Lab(tmp_path, keep=False)
    yield made
    made.close()


def session(quick: Plan, built: BuiltCell) -> Session:
    (made,) = (s for s in msgspec.structs.replace(quick, cells=(built,)).sessions if s.clock is Clock.WALL)
    return made


def test_what_differs_in_one_place_differs_in_image_and_build_id(built: dict[str, BuiltCell]) -> None:
    kernels = [built[name].kernel for name in ("stock", *CHANGES)]
    assert len({files.file_sha256(kernel.image) for kernel in kernels}) == len(kernels)
    assert len({kernel.build_id for kernel in kernels}) == len(kernels)


def total(station: Station) -> int:
    """Return how many kB of address space a guest says it has for vmalloc."""
    (line,) = (line for line in station.guest.run("cat", "/proc/meminfo").splitlines() if line.startswith("VmallocTotal:"))
    return int(line.split()[1])


def test_what_differs_in_one_place_is_what_runs(built: dict[str, BuiltCell], quick: Plan, lab: Lab) -> None:
    shown = {}
    for name in ("stock", *CHANGES):
        cell = built[name]
        used = session(quick, cell)
        assert execute.boot(lab, quick, used).findings == ()
        station = lab.station(used)
        assert station.booted.build_id == cell.kernel.build_id
        assert station.booted.module_build_id == cell.kernel.module_build_id
        areas = station.guest.run("cat", "/proc/vmallocinfo")
        (step,) = used.steps
        kinds = [finding.trouble.kind for finding in execute.run(lab, quick, used, step).findings]
        shown[name] = (total(station), " vMalloc" in areas, " vmalloc" in areas, kinds)
    whole, *others = shown["stock"]
    assert others == [False, True, ["test-failed"]], "stock skips a hole of just the size asked for"
    assert shown["constant"] == (whole // 2, False, True, ["test-failed"])
    assert shown["comparison"] == (whole, False, True, [])
    assert shown["string"] == (whole, True, False, ["test-failed"])


Plant = Callable[[BuiltCell, BuiltCell, Path], BuiltCell]


def planted_image(own: BuiltCell, other: BuiltCell, folder: Path) -> BuiltCell:
    """Return a cell whose image is another variant's, under the right name."""
    shutil.copy(other.kernel.image, folder / "image")
    return msgspec.structs.replace(own, kernel=msgspec.structs.replace(own.kernel, image=folder / "image"))


def planted_module(own: BuiltCell, _: BuiltCell, folder: Path) -> BuiltCell:
    """Return a cell whose module is another one of the same release."""
    kernel: Kernel = own.kernel
    shutil.copy(kernel.second_module, folder)
    return msgspec.structs.replace(
        own, kernel=msgspec.structs.replace(kernel, module=patched(kernel.module, bytes.fromhex(kernel.module_build_id), folder))
    )


def planted_initramfs(own: BuiltCell, _: BuiltCell, folder: Path) -> BuiltCell:
    """Return a cell whose initramfs says that it is another one."""
    rootfs: Rootfs = own.rootfs
    image = patched(rootfs.image, rootfs.identity.encode(), folder)
    return msgspec.structs.replace(own, rootfs=msgspec.structs.replace(rootfs, image=image))


def patched(file: Path, identity: bytes, folder: Path) -> Path:
    """Return a copy of a file that bears another identity."""
    content = file.read_bytes()
    assert content.count(identity) == 1
    (folder / file.name).write_bytes(content.replace(identity, identity[::-1]))
    return folder / file.name


@pytest.mark.parametrize(
    ("plant", "told"),
    [
        (planted_image, "the kernel's build-id is"),
        (planted_module, "the module's build-id is"),
        (planted_initramfs, "the initramfs is"),
    ],
    ids=["image", "module", "initramfs"],
)
def test_what_is_planted_is_refused_before_a_test_runs(
    built: dict[str, BuiltCell], quick: Plan, lab: Lab, tmp_path: Path, plant: Plant, told: str
) -> None:
    used = session(quick, plant(built["stock"], built["string"], tmp_path))
    with pytest.raises(Mismatch, match=told):
        execute.boot(lab, quick, used)
    with pytest.raises(Mismatch, match=told):
        execute.run(lab, quick, used, used.steps[0])
    assert lab.current(used) is None
    assert lab.booted() == ()
    assert "start test=" not in (tmp_path / lab.last_log(used)).read_text()
