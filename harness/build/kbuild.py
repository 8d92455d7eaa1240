# SPDX-License-Identifier: GPL-2.0-only
"""Builds kernels and the test module; both are cached by all that went into them."""

from __future__ import annotations

import functools
import os
import shutil
import time
from pathlib import Path

import msgspec

from harness import paths
from harness.build import buildlog, compiled, functions, git, identity, kconfig
from harness.build.jobserver import Jobserver
from harness.build.patches import Patched
from harness.errors import BuildError, UsageError
from harness.host import files, shell
from harness.host.shell import Line
from harness.model.matrix import Base, Cell, Machine, Variant

MODULE = "vmalloc_test"
_IDENTITY = {
    # Nothing in a kernel may depend on when, where or by whom it was built.
    "KBUILD_BUILD_TIMESTAMP": "Sun Aug 12 20:41:04 UTC 2018",
    "KBUILD_BUILD_USER": "rig",
    "KBUILD_BUILD_HOST": "kernel-patch-rig",
    "KBUILD_BUILD_VERSION": "1",
}
_COMPILER = paths.TOOLS / "rig-cc"
"""calls compilers by way of ccache, where that may be"""
_CCACHE = {
    # Objects are shared between the folders of all variants; no path in them tells where they were made.
    "CCACHE_NOHASHDIR": "1",
    # Nobody's ccache.conf has a say.
    "CCACHE_CONFIGPATH": os.devnull,
    # Not CCACHE_DEPEND, which would save the preprocessing of a miss, but takes no account of what .incbin reads.
    "CCACHE_SLOPPINESS": "time_macros,include_file_ctime,include_file_mtime",
}
_OBJECTS = "ccache-2"
"""folder in the cache; one called ``ccache`` was filled in depend mode, and is not to be trusted"""
_ROOM = "8G"
"""for objects"""
# What debug information calls a source file: its name in the kernel's tree, wherever the tree and the build are. The
# compiler runs in the build folder and sees the source as "../". The image bears a digest of the debug information, and
# ccache takes no account of these options, so that all that ever differs between two builds has to be mapped away.
_SOURCE_NAMES = ("-fdebug-prefix-map=../=", "-fdebug-prefix-map={folder}=.")
# Those of the module, which is built where it will lie; a WARN() in it says the same name.
_MODULE_NAMES = ("-fdebug-prefix-map={work}=test_module", "-fmacro-prefix-map={work}=test_module")
_KEPT = ("System.map", "vmlinux", "build.log")
"""of the build folder, beside image, configuration and what is told of them"""
_TOLD = ("build.json", f"functions.json {functions.FORMAT}", "sources.json")
_SKEW = 5.0
"""seconds by which the clock may go back without a word"""


class Kernel(msgspec.Struct, frozen=True):
    """A kernel and its test module, ready to boot."""

    folder: Path
    """holds config, vmlinux, System.map, functions.json, sources.json and build.json"""
    image: Path
    config: Path
    module: Path
    """as it is loaded, without debug information"""
    key: str
    release: str
    build_id: str
    """of vmlinux, and so of every guest that runs it"""
    module_build_id: str

    @property
    def vmlinux(self) -> Path:
        """The kernel with its debug information, in which sources are named as in its tree."""
        return self.folder / "vmlinux"

    @property
    def functions(self) -> Path:
        """What its functions and data are, to compare it with another kernel."""
        return self.folder / "functions.json"

    @property
    def sources(self) -> Path:
        """The names of the source files that it was compiled from."""
        return self.folder / "sources.json"

    @property
    def debug_module(self) -> Path:
        """The module with its debug information, in which sources are named ``test_module/...``."""
        return self.module.parent / "debug" / self.module.name


class Metadata(msgspec.Struct, frozen=True):
    """What is kept beside a built kernel, so that it can be built again by hand."""

    release: str
    tree: str
    patches: tuple[str, ...]
    compiler: str
    linker: str
    command: str
    seconds: float
    objects: int
    loaded: str = ""
    """digest of all that is loaded into memory"""


def configuration(base: Base, cell: Cell) -> dict[str, str]:
    """Return the symbols that the kernel of `cell` is asked to have."""
    machine = f"arch-{cell.machine.name}"
    names = ["common.config", base.fragment, f"{machine}.config", f"profile-{cell.profile}.config"]
    # What only this release, or only this machine, has of a profile.
    own = [f"{of}-{cell.profile}.config" for of in (Path(base.fragment).stem, machine)]
    names += [name for name in own if (paths.FRAGMENTS / name).exists()]
    try:
        return kconfig.merge((paths.FRAGMENTS / name).read_text() for name in names if name)
    except FileNotFoundError as error:
        raise UsageError(f"{cell.name} needs the configuration fragment {error.filename}, which does not exist; add it.") from error


def build(base: Base, cell: Cell, patched: Patched, jobs: Jobserver, say: Line, fitting: Path | None = None) -> Kernel:
    """Return the kernel and the module of `cell`, built if the cache has none.

    `fitting` is a module that is known to fit, of a kernel with the same headers and configuration: then none is built.
    `say` hears of the progress. Raises BuildError with the first error of the log,
    or with the symbols that Kconfig did not accept.
    """
    asked = configuration(base, cell)
    key = _key(base, cell, patched.tree, asked)
    kernel = _cache(cell.variant) / "kernels" / key
    tree = tree_of(base, cell.variant)
    with files.locked(tree.with_name(f"{tree.name}-{cell.machine.name}-{cell.profile}")):
        with files.locked(kernel):  # another variant may come to the same source
            if not files.whole(kernel):
                with git.held(tree, patched.commit, say):
                    _kernel(base, cell, patched, tree, kernel, asked, jobs, say)
        module = fitting or _module(base, cell, patched, tree, kernel, asked, jobs, say)
    metadata = msgspec.json.decode((kernel / "build.json").read_bytes(), type=Metadata)
    return Kernel(
        kernel,
        kernel / "image",
        kernel / "config",
        module,
        key,
        metadata.release,
        identity.build_id(kernel / "vmlinux"),
        identity.build_id(module),
    )


def _key(base: Base, cell: Cell, tree: str, asked: dict[str, str]) -> str:
    """Return a digest of all that decides what a kernel is: its `tree`, what is `asked` of Kconfig, and how it is built."""
    outputs = (cell.machine.build.target, cell.machine.build.image)
    tools, command = _tools(cell.machine), make(base, cell.machine)
    settings = map("=".join, {**_IDENTITY, **_CCACHE}.items())
    inputs = (tree, *outputs, kconfig.render(asked), *tools, *command, *_SOURCE_NAMES, *settings, _OBJECTS, *_KEPT, *_TOLD)
    return files.digest(*inputs, _COMPILER)[:16]


def tree_of(base: Base, variant: Variant) -> Path:
    """Return the work tree in which the kernels of `variant` are built, for all machines and profiles."""
    return _cache(variant) / "trees" / base.name / (variant.tree or variant.name.replace("/", "-"))


def _cache(variant: Variant) -> Path:
    return paths.cache() / variant.apart


def make(base: Base, machine: Machine, launcher: str = f"{_COMPILER.name} ") -> tuple[str, ...]:
    """Return how make is called for a kernel, or a module of it, but for the folders and the targets.

    `launcher` is what calls the compilers, with a blank behind it; empty for the compilers alone.
    """
    build_ = machine.build
    return (
        "make",
        f"ARCH={build_.arch}",
        f"CROSS_COMPILE={build_.cross_compile}",
        f"CC={launcher}{build_.compiler}",
        f"HOSTCC={launcher}gcc",
        # Set, though empty, it keeps a "+" for the patches out of the release.
        "LOCALVERSION=",
        *base.make_variables,
    )


def _flags(names: tuple[str, ...], folder: Path, work: Path | None = None) -> tuple[str, ...]:
    """Return the variables that tell make what sources are to be called, for C and for assembly."""
    told = " ".join(name.format(folder=folder, work=work) for name in names)
    return f"KCFLAGS={told}", f"KAFLAGS={told}"


@functools.cache
def _tools(machine: Machine) -> tuple[str, str]:
    """Return the versions of the compiler and the linker."""
    compiler = shell.output((machine.build.compiler, "--version"), error=BuildError).splitlines()[0]
    linker = shell.output((f"{machine.build.cross_compile}ld", "--version"), error=BuildError).splitlines()[0]
    return compiler, linker


def environment(jobs: Jobserver, variant: Variant) -> dict[str, str]:
    """Return all that make sees: KCFLAGS, LLVM and the like of the user's would be in no cache's key."""
    own = {name: os.environ[name] for name in ("HOME", "TMPDIR") if name in os.environ}
    if variant.scratch:
        own["CCACHE_DISABLE"] = "1"
    return {
        **own,
        "PATH": f"{_COMPILER.parent}:{os.environ.get('PATH', os.defpath)}",
        "LC_ALL": "C",
        **_IDENTITY,
        **_CCACHE,
        "CCACHE_DIR": str(objects()),
        "CCACHE_MAXSIZE": _ROOM,
        "MAKEFLAGS": jobs.makeflags,
    }


def objects() -> Path:
    """Return the compiler's cache."""
    return paths.cache() / _OBJECTS


def folder_of(tree: Path, cell: Cell) -> Path:
    """Return the build folder.

    It lies right below the source, because only then does the kernel's Makefile use relative
    paths, with which ccache finds the objects of one variant in the build of another.
    """
    return tree / f"build-{cell.machine.name}-{cell.profile}"


def _kernel(
    base: Base, cell: Cell, patched: Patched, tree: Path, kernel: Path, asked: dict[str, str], jobs: Jobserver, say: Line
) -> None:
    started = time.monotonic()
    folder = folder_of(tree, cell)
    log = folder / "build.log"
    _drop_what_is_to_come(folder, log, say)
    folder.mkdir(exist_ok=True)
    (folder / "rig-key").unlink(missing_ok=True)
    log.unlink(missing_ok=True)
    where = (*_flags(_SOURCE_NAMES, folder), "-C", str(tree), f"O={folder}")
    command = (*make(base, cell.machine), *where)
    say("configuring")
    _configure(cell, folder, command, asked, log, environment(jobs, cell.variant))
    count = buildlog.Count(say, folder / "objects")
    targets = (cell.machine.build.target, "modules")
    code = shell.follow((*command, *targets), log=log, env=environment(jobs, cell.variant), pass_fds=jobs.fds, line=count)
    if code:
        raise BuildError(f"{cell.name}: the kernel does not build: {buildlog.first_error(log)}; the whole log is {log}.")
    count.keep()
    if not git.is_at(tree, patched.commit):
        raise BuildError(f"{cell.name}: {tree} was changed while it was built; build again, and leave the cache alone meanwhile.")
    release = (folder / "include/config/kernel.release").read_text().strip()
    with files.folder(kernel) as made:
        shutil.copy(folder / cell.machine.build.image, made / "image")
        shutil.copy(folder / ".config", made / "config")
        for name in _KEPT:
            shutil.copy(folder / name, made / name)
        sources = compiled.sources(folder)
        contents = functions.read(folder / "vmlinux.o", folder / "vmlinux", sources)
        files.write(made / "sources.json", msgspec.json.encode(sources))
        files.write(made / "functions.json", msgspec.json.encode(contents))
        metadata = Metadata(
            release,
            patched.tree,
            patched.patches,
            *_tools(cell.machine),
            shell.quote(("env", *map("=".join, _IDENTITY.items()), *make(base, cell.machine, ""), *where, *targets)),
            round(time.monotonic() - started, 1),
            count.seen,
            contents.loaded,
        )
        files.write(made / "build.json", msgspec.json.format(msgspec.json.encode(metadata)))
        files.seal(made, kernel.name)
    files.write(folder / "rig-key", kernel.name)


def _drop_what_is_to_come(folder: Path, log: Path, say: Line) -> None:
    """Remove a build folder whose last `log` is of a time that has not come yet, as when the clock was set back.

    Make goes by the time: what it made then would count as newer than any source.
    """
    if log.exists() and log.stat().st_mtime > time.time() + _SKEW:
        say("the clock was set back; building from scratch")
        shutil.rmtree(folder)


def _configure(
    cell: Cell, folder: Path, command: tuple[str, ...], asked: dict[str, str], log: Path, environment: dict[str, str]
) -> None:
    wanted = folder / "rig.config"
    files.write(wanted, kconfig.render(asked))
    code = shell.follow((*command, "allnoconfig"), log=log, env={**environment, "KCONFIG_ALLCONFIG": str(wanted)})
    if code:
        raise BuildError(f"{cell.name}: the kernel cannot be configured: {buildlog.first_error(log)}; the whole log is {log}.")
    missing = kconfig.lost(asked, kconfig.parse((folder / ".config").read_text()))
    if missing:
        raise BuildError(
            f"{cell.name}: Kconfig did not take all of qemu_configs/kconfig: {'; '.join(missing)}."
            " Ask for what the symbol depends on, or do not ask for it."
        )


def module_sources(folder: Path) -> list[str]:
    """Return the names, relative to `folder`, of the files that its module is built from, but for those that a build left there."""
    found = (path.relative_to(folder) for path in folder.rglob("*") if path.suffix in (".c", ".h") or path.name == "Kbuild")
    return sorted(str(name) for name in found if not name.match("*.mod.c") and not any(part.startswith(".") for part in name.parts))


def _module(
    base: Base, cell: Cell, patched: Patched, tree: Path, kernel: Path, asked: dict[str, str], jobs: Jobserver, say: Line
) -> Path:
    sources = [(name, paths.TEST_MODULE / name) for name in module_sources(paths.TEST_MODULE)]
    key = files.digest(kernel.name, *_MODULE_NAMES, *(part for source in sources for part in source))[:16]
    made = _cache(cell.variant) / "modules" / key
    if files.whole(made):
        return made / f"{MODULE}.ko"
    folder = folder_of(tree, cell)
    with git.held(tree, patched.commit, say), files.folder(made) as work:
        if not (folder / "rig-key").exists() or (folder / "rig-key").read_text() != kernel.name:
            # The folder holds another kernel by now; bring it back, so that the module fits.
            _kernel(base, cell, patched, tree, kernel, asked, jobs, say)
        say("building the test module")
        for name, source in sources:
            (work / name).parent.mkdir(exist_ok=True)
            shutil.copy(source, work / name)
        log = folder / "module.log"
        log.unlink(missing_ok=True)
        flags = _flags((*_SOURCE_NAMES, *_MODULE_NAMES), folder, work)
        command = (*make(base, cell.machine), *flags, "-C", str(folder), f"M={work}", "modules")
        if shell.follow(command, log=log, env=environment(jobs, cell.variant), pass_fds=jobs.fds):
            raise BuildError(f"{cell.name}: the test module does not build: {buildlog.first_error(log)}; the whole log is {log}.")
        shutil.copy(log, work / "build.log")
        _part(cell.machine, work / f"{MODULE}.ko")
        files.seal(work, made.name)
    return made / f"{MODULE}.ko"


def _part(machine: Machine, module: Path) -> None:
    """Keep `module` as it is in a folder beside it, and take its debug information away: it is sent to every guest."""
    whole = module.parent / "debug" / module.name
    whole.parent.mkdir()
    shutil.copy(module, whole)
    shell.output((f"{machine.build.cross_compile}objcopy", "--strip-debug", whole, module), error=BuildError)
