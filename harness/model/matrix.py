# SPDX-License-Identifier: GPL-2.0-only
"""What can be tested: kernel bases, machines, variants and profiles, and the cells they make."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from pathlib import Path

import msgspec

from harness import paths
from harness.errors import UsageError
from harness.host import toml
from harness.host.toml import Table
from harness.model.known_bugs import KnownBug

STOCK = "stock"
PROFILES = tuple(sorted(p.stem.removeprefix("profile-") for p in paths.FRAGMENTS.glob("profile-*.config")))


class Build(Table, frozen=True):
    """How a kernel for a machine is made."""

    arch: str
    """make's ARCH"""
    target: str
    """make's target for the bootable image"""
    image: str
    """where it lies in the build folder"""
    debian: str
    """Debian's name of the architecture"""
    cross_compile: str = ""
    compiler: str = "gcc"


class Extra(Table, frozen=True):
    """Kernel parameters for the kernels of one profile."""

    profile: str
    cmdline: str


class Qemu(Table, frozen=True):
    """How QEMU emulates a machine."""

    binary: str
    machine: str
    cpu: str
    memory: int
    """MiB"""
    cpus: int
    """virtual CPUs under the wall clock; icount always has one"""
    console: str
    """the kernel's name of the serial console"""
    cmdline: str = ""
    """further kernel parameters"""
    cmdline_icount: str = ""
    """further ones when instructions are counted"""
    extra: tuple[Extra, ...] = ()
    arguments: tuple[str, ...] = ()
    tcg_crowded: str = "tcg"
    """the emulator to use when the host has fewer cores than this machine has CPUs"""
    kvm_host: str = ""
    """what `uname -m` says on a host whose KVM can run this machine"""


class Machine(Table, frozen=True):
    """An emulated board: one file in qemu_configs/."""

    description: str
    build: Build
    qemu: Qemu
    name: str = ""


class Source(Table, frozen=True):
    """Where a kernel base's source comes from when the user names none."""

    url: str = ""
    sha256: str = ""
    apt_package: str = ""
    """a Debian package that holds the source as a tarball"""


class Base(Table, frozen=True):
    """A kernel release that can be tested: one folder in kernel_patches/."""

    release: str
    source: Source
    default_series: str = ""
    make_variables: tuple[str, ...] = ()
    fragment: str = ""
    """a file in qemu_configs/kconfig for this release alone"""
    known_bugs: tuple[KnownBug, ...] = ()
    name: str = ""

    @property
    def folder(self) -> Path:
        """The folder with the base's own series."""
        return paths.SERIES / self.name

    def bugs(self, machine: str, profile: str, test: str = "") -> tuple[KnownBug, ...]:
        """Return the bugs that stock shows in kernels of `profile` on `machine`: in `test`, or in any test."""
        return tuple(bug for bug in self.known_bugs if test in ("", bug.test) and bug.concerns(machine, profile))


class Variant(msgspec.Struct, frozen=True):
    """A kernel to compare: stock, or a series, or the first patches of one."""

    name: str
    series: Path | None = None
    """a folder or a file of patches; None for stock"""
    count: int | None = None
    """how many of its patches; None for all"""
    apart: str = ""
    """a folder of the cache's in which its tree, kernel and module are kept apart from all others"""
    tree: str = ""
    """its work tree there, where that is shared by variants which are built one after the other; empty for one of its own"""
    scratch: bool = False
    """whether it is built from scratch, without the compiler's cache"""


class Cell(msgspec.Struct, frozen=True):
    """One kernel to build, one kind of VM to boot."""

    machine: Machine
    variant: Variant
    profile: str

    @property
    def name(self) -> str:
        """What people call it, such as ``x86_64/stock/perf``."""
        return f"{self.machine.name}/{self.variant.name}/{self.profile}"

    @property
    def file_name(self) -> str:
        """The name as part of a file's."""
        return self.name.replace("/", "-")


def machine_names() -> list[str]:
    """Return the machines that have a file in qemu_configs/."""
    return sorted(path.stem for path in paths.MACHINES.glob("*.toml"))


def load_machine(name: str) -> Machine:
    """Read the machine `name`; UsageError if there is none or its file is wrong."""
    if name not in machine_names():
        raise UsageError(f"There is no machine '{name}' in qemu_configs/; {toml.closest(name, machine_names())}")
    machine = msgspec.structs.replace(toml.load(paths.MACHINES / f"{name}.toml", Machine), name=name)
    for extra in machine.qemu.extra:
        if extra.profile not in PROFILES:
            raise UsageError(
                f"qemu_configs/{name}.toml: there is no profile '{extra.profile}'; {toml.closest(extra.profile, list(PROFILES))}"
            )
    return machine


def base_names() -> list[str]:
    """Return the kernel bases that have a folder in kernel_patches/."""
    return sorted(path.parent.name for path in paths.SERIES.glob("*/base.toml"))


def load_base(name: str) -> Base:
    """Read the kernel base `name`; UsageError if there is none or its file is wrong."""
    if name not in base_names():
        raise UsageError(f"There is no kernel '{name}' in kernel_patches/; {toml.closest(name, base_names())}")
    file = paths.SERIES / name / "base.toml"
    base = msgspec.structs.replace(toml.load(file, Base), name=name)
    for what, known in (("profile", list(PROFILES)), ("machine", machine_names())):
        named = [word for bug in base.known_bugs for word in (bug.profiles if what == "profile" else bug.machines)]
        if unknown := sorted(set(named) - set(known)):
            raise UsageError(f"{file}: there is no {what} '{unknown[0]}'; {toml.closest(unknown[0], known)}")
    for bug in base.known_bugs:
        try:
            re.compile(bug.title)
        except re.error as error:
            raise UsageError(f"{file}: the title '{bug.title}' of a known bug is no regular expression: {error}.") from error
    return base


def series_names(base: Base) -> list[str]:
    """Return the series that the project itself has for `base`."""
    return sorted(path.parent.name for path in base.folder.glob("*/series"))


def variant_order(name: str) -> tuple[bool, str, float, str]:
    """Return the key that sorts variants: stock, then series by name, and the first patches of a series before all of them.

    ``stock < a@1 < a@2 < a@10 < a < b``.
    """
    series, _, count = name.partition("@")
    return name != STOCK, series, int(count) if count.isdecimal() else math.inf, name


def prefixes(series: str, count: int) -> list[str]:
    """Return the names of every prefix of a series of `count` patches, the shortest first; the whole has the series' own name."""
    return [*(f"{series}@{number}" for number in range(1, count)), series]


def find_variant(base: Base, wanted: str, series: Path | None = None) -> Variant:
    """Turn ``stock``, ``NAME`` or ``NAME@COUNT`` into a variant.

    `series` is a folder or file of patches outside of the project; its stem is its name.
    Raises UsageError for a name that is neither.
    """
    name, at, count = wanted.partition("@")
    if at and not re.fullmatch("[1-9][0-9]*", count):
        raise UsageError(f"'{wanted}': what follows '@' has to be a number of patches, 1 or more, or '*' for each.")
    number = int(count) if at else None
    if name == STOCK:
        if at:
            raise UsageError(f"'{wanted}': stock has no patches to take the first {count} of; say {STOCK}.")
        return Variant(STOCK)
    if series is not None and name == series_name(series):
        return Variant(wanted, series.resolve(), number)
    if name in series_names(base):
        return Variant(wanted, base.folder / name, number)
    known = [STOCK, *series_names(base), *([series_name(series)] if series else [])]
    raise UsageError(f"There is no variant '{name}' for Linux {base.name}; {toml.closest(name, known)}")


def series_name(series: Path) -> str:
    """Return the variant's name for a series at the path `series`.

    Raises UsageError where the path is missing or would be mistaken for stock.
    """
    path = series.resolve()
    if not path.exists():
        raise UsageError(f"There is no series at {series}; --series takes a folder, an mbox or a patch file.")
    name = re.sub(r"[^A-Za-z0-9._+-]+", "-", path.stem if path.is_file() else path.name).strip("-.")
    if not name or name == STOCK:
        raise UsageError(f"A series cannot be called '{name}'; rename {series}.")
    return name


def cells(machines: Sequence[Machine], variants: Sequence[Variant], profiles: Sequence[str]) -> tuple[Cell, ...]:
    """Return every combination in the order of variants: stock first so that later builds find its objects cached."""
    for profile in profiles:
        if profile not in PROFILES:
            raise UsageError(f"There is no profile '{profile}' in qemu_configs/kconfig; {toml.closest(profile, list(PROFILES))}")
    ordered = sorted(variants, key=lambda variant: variant_order(variant.name))
    return tuple(Cell(m, v, p) for p in profiles for v in ordered for m in machines)
