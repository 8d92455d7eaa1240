# SPDX-License-Identifier: GPL-2.0-only
"""Kernel bases, machines, variants and profiles, and the cells that they make up."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import msgspec

from harness import paths
from harness.errors import UsageError
from harness.host import toml
from harness.host.toml import TomlTable
from harness.model.known_bugs import KnownBug, UserspaceBug
from harness.model.toolchains import Toolchain, by

STOCK = "stock"
_DIGITS = 10
"""of a number of patches: fewer than this"""
_RELEASE = r"^\d+\.\d+$"
PROFILES = tuple(sorted(p.stem.removeprefix("profile-") for p in paths.FRAGMENTS.glob("profile-*.config")))


class Build(TomlTable, frozen=True):
    """Build settings of the kernels for a machine."""

    arch: str
    """make's ARCH"""
    target: str
    """make's target for the bootable image"""
    image: str
    """path of the image in the build folder"""
    debian: str
    """Debian's name of the architecture"""
    cross_compile: str = ""
    compiler: str = "gcc"

    @property
    def source_arch(self) -> str:
        """The folder of arch/ in the source with this architecture, such as ``x86`` for x86_64: make's SRCARCH."""
        return Path(self.image).parts[1]


class Extra(TomlTable, frozen=True):
    """Further kernel parameters for one profile."""

    profile: str
    cmdline: str


class Qemu(TomlTable, frozen=True):
    """QEMU's settings for a machine."""

    binary: str
    machine: str
    cpu: str
    memory: Annotated[int, msgspec.Meta(gt=0)]
    """MiB"""
    cpus: Annotated[int, msgspec.Meta(gt=0)]
    """virtual CPUs under the wall clock; icount always has one"""
    console: str
    """the kernel's name of the serial console"""
    cmdline: str = ""
    """further kernel parameters"""
    cmdline_icount: str = ""
    """further kernel parameters under icount"""
    extra: tuple[Extra, ...] = ()
    arguments: tuple[str, ...] = ()
    tcg_crowded: str = "tcg"
    """the emulator to use when the host has fewer cores than this machine has CPUs"""
    kvm_host: str = ""
    """output of `uname -m` on a host whose KVM can run this machine"""


class Machine(TomlTable, frozen=True):
    """An emulated board: one file in qemu_configs/."""

    description: str
    build: Build
    qemu: Qemu
    default: bool = True
    """False if it is used only where ``--machine`` names it"""
    board: str = ""
    """LAVA's device type of the real board that it is like; empty if there is none"""
    name: str = ""


class Source(TomlTable, frozen=True):
    """Source of a kernel base, for a user who names none."""

    url: str = ""
    sha256: str = ""
    apt_package: str = ""
    """a Debian package that holds the source as a tarball"""


class Base(TomlTable, frozen=True):
    """A kernel release that can be tested: one folder in kernel_patches/."""

    release: Annotated[str, msgspec.Meta(pattern=_RELEASE)]
    source: Source
    since: Annotated[str, msgspec.Meta(pattern=f"{_RELEASE}|^$")] = ""
    """the first release whose sources, if it is no base, have these settings; empty for the base's own"""
    default_series: str = ""
    make_variables: tuple[str, ...] = ()
    fragment: str = ""
    """a file in qemu_configs/kconfig for this release alone"""
    known_bugs: tuple[KnownBug, ...] = ()
    userspace_bugs: tuple[UserspaceBug, ...] = ()
    name: str = ""
    like: str = ""
    """name of the base whose settings a source of another release has; empty for a base itself"""

    @property
    def folder(self) -> Path:
        """The folder with the base's own series."""
        return paths.SERIES / (self.like or self.name)

    def bugs(self, machine: str, profile: str, test: str = "") -> tuple[KnownBug, ...]:
        """Return the bugs that stock shows in kernels of `profile` on `machine`: in `test`, or in any test."""
        return tuple(bug for bug in self.known_bugs if test in ("", bug.test) and bug.concerns(machine, profile))


class Variant(msgspec.Struct, frozen=True):
    """A kernel to compare: stock, or a series, or the first patches of one."""

    name: str
    series: Path | None = None
    """a folder or a file of patches; None for stock"""
    count: int | None = None
    """number of patches to apply; None for all"""
    apart: str = ""
    """folder in the cache that holds its own tree, kernel and module; empty for those that all variants share"""
    tree: str = ""
    """name of its work tree, if variants that are built one after the other share it; empty for one of its own"""
    scratch: bool = False
    """True if it is built without the compiler's cache"""


class Cell(msgspec.Struct, frozen=True):
    """One kernel to build, one kind of VM to boot."""

    machine: Machine
    variant: Variant
    profile: str
    toolchain: Toolchain = Toolchain.GCC
    """that builds its kernel; a run has one for all its cells"""

    @property
    def name(self) -> str:
        """The name of the cell, such as ``x86_64/stock/perf``."""
        return f"{self.machine.name}/{self.variant.name}/{self.profile}"

    @property
    def kernel_name(self) -> str:
        """The name of its kernel, which no other one has: ``x86_64/stock/perf``, or ``x86_64/stock/perf by llvm``."""
        return by(self.name, self.toolchain)

    @property
    def file_name(self) -> str:
        """The name of the cell in a form that fits a file name."""
        return self.name.replace("/", "-")


def machine_names() -> list[str]:
    """Return the machines that have a file in qemu_configs/."""
    return sorted(path.stem for path in paths.MACHINES.glob("*.toml"))


def default_machines() -> list[str]:
    """Return the machines that are used where none is named."""
    return [name for name in machine_names() if load_machine(name).default]


def own_machine(architecture: str) -> str:
    """Return the machine that is like a host of an architecture, as ``uname -m`` has it; the first one if none is."""
    names = machine_names()
    return next((name for name in names if load_machine(name).qemu.kvm_host == architecture), names[0])


def load_machine(name: str) -> Machine:
    """Read the machine `name`; UsageError if there is none or its file is not valid."""
    if name not in machine_names():
        raise UsageError(f"There is no machine '{name}' in qemu_configs/; {toml.closest(name, machine_names())}")
    machine = msgspec.structs.replace(toml.load(paths.MACHINES / f"{name}.toml", Machine), name=name)
    if any(name.endswith(f"-{word}") for word in (*PROFILES, *base_names())):
        raise UsageError(
            f"qemu_configs/{name}.toml: a machine's name must not end like a profile or a kernel base, since its kernel"
            " configuration would be read as that of another machine in this profile or base; rename it."
        )
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
    """Read the kernel base `name`; UsageError if there is none or its file is not valid."""
    if name not in base_names():
        raise UsageError(f"There is no kernel '{name}' in kernel_patches/; {toml.closest(name, base_names())}")
    file = paths.SERIES / name / "base.toml"
    base = msgspec.structs.replace(toml.load(file, Base), name=name)
    for what, known in (("profile", list(PROFILES)), ("machine", machine_names())):
        named = [word for bug in base.known_bugs for word in (bug.profiles if what == "profile" else bug.machines)]
        if unknown := sorted(set(named) - set(known)):
            raise UsageError(f"{file}: there is no {what} '{unknown[0]}'; {toml.closest(unknown[0], known)}")
    for title in (bug.title for bugs in (base.known_bugs, base.userspace_bugs) for bug in bugs):
        try:
            re.compile(title)
        except re.error as error:
            raise UsageError(f"{file}: the title '{title}' of a known bug is not a regular expression: {error}.") from error
    return base


def series_names(base: Base) -> list[str]:
    """Return the series that the project itself has for `base`."""
    return sorted(path.parent.name for path in base.folder.glob("*/series"))


def variant_order(name: str) -> tuple[bool, str, float, str]:
    """Return the sort key of a variant: stock first, then series by name, the shorter prefixes of a series first.

    ``stock < a@1 < a@2 < a@10 < a < b``.
    """
    series, _, _ = name.partition("@")
    count = patch_count(name)
    return name != STOCK, series, math.inf if count is None else count, name


def patch_count(name: str) -> int | None:
    """Return the number of patches that a variant's name has after ``@``; None if it has none, or is no name of ours."""
    _, _, count = name.partition("@")
    return int(count) if count.isdecimal() and len(count) < _DIGITS else None


def prefixes(series: str, count: int) -> list[str]:
    """Return the names of every prefix of a series of `count` patches, the shortest first; the whole has the series' own name."""
    return [*(f"{series}@{number}" for number in range(1, count)), series]


def find_variant(base: Base, wanted: str, series: Path | None = None) -> Variant:
    """Turn ``stock``, ``NAME`` or ``NAME@COUNT`` into a variant.

    `series` is a folder or file of patches outside of the project; its name without suffix is the variant's name. Parts of
    a series are built in its own work tree, where only what differs is compiled. Raises UsageError for a name that is unknown.
    """
    name, at, count = wanted.partition("@")
    if at and not re.fullmatch("[1-9][0-9]*", count):
        raise UsageError(f"'{wanted}': after '@' there has to be a number of patches, 1 or more, or '*' for each prefix.")
    number, tree = (int(count), name) if at else (None, "")
    if name == STOCK:
        if at:
            raise UsageError(f"'{wanted}': stock has no patches; use '{STOCK}' without '@{count}'.")
        return Variant(STOCK)
    if series is not None and name == series_name(series):
        return Variant(wanted, series.resolve(), number, tree=tree)
    if name in series_names(base):
        return Variant(wanted, base.folder / name, number, tree=tree)
    known = [STOCK, *series_names(base), *([series_name(series)] if series else [])]
    raise UsageError(f"There is no variant '{name}' for Linux {base.name}; {toml.closest(name, known)}")


def series_name(series: Path) -> str:
    """Return the variant's name for a series at the path `series`.

    Raises UsageError if the path does not exist, or if its name is empty or that of stock.
    """
    path = series.resolve()
    if not path.exists():
        raise UsageError(f"There is no series at {series}; --series takes a folder, a maildir, an mbox or a patch file.")
    name = re.sub(r"[^A-Za-z0-9._+-]+", "-", path.stem if path.is_file() else path.name).strip("-.")
    if not name or name == STOCK:
        raise UsageError(f"A series cannot be called '{name}'; rename {series}.")
    return name


def cells(
    machines: Sequence[Machine],
    variants: Sequence[Variant],
    profiles: Sequence[str],
    toolchain: Toolchain = Toolchain.GCC,
) -> tuple[Cell, ...]:
    """Return every combination in the order given, but stock first: later builds find its objects in the compiler's cache."""
    for profile in profiles:
        if profile not in PROFILES:
            raise UsageError(f"There is no profile '{profile}' in qemu_configs/kconfig; {toml.closest(profile, list(PROFILES))}")
    ordered = sorted(variants, key=lambda variant: variant.name != STOCK)
    return tuple(Cell(m, v, p, toolchain) for p in profiles for v in ordered for m in machines)
