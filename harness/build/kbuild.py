# SPDX-License-Identifier: GPL-2.0-only
"""Builds kernels and the test module; both are cached under a digest of their inputs."""

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
    # A kernel must not depend on the time, the host or the user of its build.
    "KBUILD_BUILD_TIMESTAMP": "Sun Aug 12 20:41:04 UTC 2018",
    "KBUILD_BUILD_USER": "rig",
    "KBUILD_BUILD_HOST": "kernel-patch-rig",
    "KBUILD_BUILD_VERSION": "1",
}
_COMPILER = paths.TOOLS / "rig-cc"
"""calls compilers, through ccache if that is allowed"""
_CCACHE = {
    # The folders of all variants share objects; these contain no path of the build folder.
    "CCACHE_NOHASHDIR": "1",
    # Ignore every ccache.conf.
    "CCACHE_CONFIGPATH": os.devnull,
    # Not CCACHE_DEPEND: it would save the preprocessing of a miss, but does not see the files that .incbin reads.
    "CCACHE_SLOPPINESS": "time_macros,include_file_ctime,include_file_mtime",
}
_OBJECTS = "ccache-2"
"""folder in the cache; an old one called ``ccache`` was filled in depend mode and must not be used"""
_ROOM = "8G"
"""maximum size of the folder of objects"""
# Debug information names a source file by its path in the kernel's tree, independent of the tree and the build folder.
# The compiler runs in the build folder and sees the source as "../". The image contains a digest of the debug
# information, and ccache ignores these options: so every path that differs between two builds has to be mapped.
_SOURCE_NAMES = ("-fdebug-prefix-map=../=", "-fdebug-prefix-map={folder}=.")
# The same for the module, which is built in the folder that it stays in; a WARN() in it prints the mapped name.
_MODULE_NAMES = ("-fdebug-prefix-map={work}=test_module", "-fmacro-prefix-map={work}=test_module")
_KEPT = ("System.map", "vmlinux", "build.log")
"""files of the build folder that are kept, besides image, configuration and the files in `_TOLD`"""
_TOLD = ("build.json", f"functions.json {functions.FORMAT}", "sources.json")
"""files that describe a kernel, with versions of their formats"""
_SKEW = 5.0
"""seconds by which the clock may go back before a build starts from scratch"""


class Kernel(msgspec.Struct, frozen=True):
    """A kernel and its test module, ready to boot."""

    folder: Path
    """holds config, vmlinux, System.map, functions.json, sources.json and build.json"""
    image: Path
    config: Path
    module: Path
    """the module that is loaded, without debug information"""
    key: str
    release: str
    build_id: str
    """build-id of vmlinux, which every guest that runs it reports"""
    module_build_id: str

    @property
    def vmlinux(self) -> Path:
        """The kernel with debug information; source files have their paths in the kernel's tree."""
        return self.folder / "vmlinux"

    @property
    def functions(self) -> Path:
        """File with the kernel's functions and data objects, to compare it with another kernel."""
        return self.folder / "functions.json"

    @property
    def sources(self) -> Path:
        """File with the names of the source files that it was compiled from."""
        return self.folder / "sources.json"

    @property
    def debug_module(self) -> Path:
        """The module with debug information; source files are named ``test_module/...``."""
        return self.module.parent / "debug" / self.module.name


class Metadata(msgspec.Struct, frozen=True):
    """Description of a built kernel in build.json, with the command that builds it again by hand."""

    release: str
    tree: str
    patches: tuple[str, ...]
    compiler: str
    linker: str
    command: str
    seconds: float
    objects: int
    loaded: str = ""
    """digest of all sections that are loaded into memory"""


def configuration(base: Base, cell: Cell) -> dict[str, str]:
    """Return the configuration symbols that the rig asks for in the kernel of `cell`."""
    machine = f"arch-{cell.machine.name}"
    names = ["common.config", base.fragment, f"{machine}.config", f"profile-{cell.profile}.config"]
    # Parts of a profile for this release or this machine alone.
    own = [f"{of}-{cell.profile}.config" for of in (Path(base.fragment).stem, machine)]
    names += [name for name in own if (paths.FRAGMENTS / name).exists()]
    try:
        return kconfig.merge((paths.FRAGMENTS / name).read_text() for name in names if name)
    except FileNotFoundError as error:
        raise UsageError(f"{cell.name} needs the configuration fragment {error.filename}, which does not exist; add it.") from error


def build(base: Base, cell: Cell, patched: Patched, jobs: Jobserver, say: Line, fitting: Path | None = None) -> Kernel:
    """Return the kernel and the module of `cell`; they are built if the cache has none.

    `fitting` is a module of a kernel with the same headers and configuration; if it is given, no module is built.
    `say` is called with the progress. Raises BuildError with the first error of the log, or with the symbols that
    Kconfig did not accept.
    """
    asked = configuration(base, cell)
    key = _key(base, cell, patched.tree, asked)
    kernel = _cache(cell.variant) / "kernels" / key
    tree = tree_of(base, cell.variant)
    with files.locked(tree.with_name(f"{tree.name}-{cell.machine.name}-{cell.profile}")):
        with files.locked(kernel):  # another variant may have the same source
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
    """Return a digest of all inputs of a kernel: its `tree`, the symbols in `asked`, the tools and the commands."""
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
    """Return the make command for a kernel or a module of it, without folders and targets.

    `launcher` is the program that calls the compilers, followed by a blank; empty for none.
    """
    build_ = machine.build
    return (
        "make",
        f"ARCH={build_.arch}",
        f"CROSS_COMPILE={build_.cross_compile}",
        f"CC={launcher}{build_.compiler}",
        f"HOSTCC={launcher}gcc",
        # Set but empty: otherwise the release would get a "+" in a tree with patches.
        "LOCALVERSION=",
        *base.make_variables,
    )


def _flags(names: tuple[str, ...], folder: Path, work: Path | None = None) -> tuple[str, ...]:
    """Return make's variables with the options that map source names, for C and for assembly."""
    options = " ".join(name.format(folder=folder, work=work) for name in names)
    return f"KCFLAGS={options}", f"KAFLAGS={options}"


@functools.cache
def _tools(machine: Machine) -> tuple[str, str]:
    """Return the versions of the compiler and the linker."""
    compiler = shell.output((machine.build.compiler, "--version"), error=BuildError).splitlines()[0]
    linker = shell.output((f"{machine.build.cross_compile}ld", "--version"), error=BuildError).splitlines()[0]
    return compiler, linker


def environment(jobs: Jobserver, variant: Variant) -> dict[str, str]:
    """Return the whole environment of make, without the user's KCFLAGS, LLVM and the like: no cache key covers them."""
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
    """Return the folder of the compiler's cache."""
    return paths.cache() / _OBJECTS


def folder_of(tree: Path, cell: Cell) -> Path:
    """Return the build folder.

    It is a direct subfolder of the source: only then does the kernel's Makefile use relative paths, which ccache
    needs to find the objects of one variant in the build of another.
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
    with files.folder(kernel) as target:
        shutil.copy(folder / cell.machine.build.image, target / "image")
        shutil.copy(folder / ".config", target / "config")
        for name in _KEPT:
            shutil.copy(folder / name, target / name)
        sources = compiled.sources(folder)
        contents = functions.read(folder / "vmlinux.o", folder / "vmlinux", sources)
        files.write(target / "sources.json", msgspec.json.encode(sources))
        files.write(target / "functions.json", msgspec.json.encode(contents))
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
        files.write(target / "build.json", msgspec.json.format(msgspec.json.encode(metadata)))
        files.seal(target, kernel.name)
    files.write(folder / "rig-key", kernel.name)


def _drop_what_is_to_come(folder: Path, log: Path, say: Line) -> None:
    """Remove a build folder whose last `log` is from the future: the clock was set back.

    Make compares times: the old objects would count as newer than any source.
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
            " Also set the symbols that it depends on, or remove it."
        )


def module_sources(folder: Path) -> list[str]:
    """Return the sources of the module in `folder`, relative to it, without files that a build generated."""
    names = (path.relative_to(folder) for path in folder.rglob("*") if path.suffix in (".c", ".h") or path.name == "Kbuild")
    return sorted(str(name) for name in names if not name.match("*.mod.c") and not any(part.startswith(".") for part in name.parts))


def _module(
    base: Base, cell: Cell, patched: Patched, tree: Path, kernel: Path, asked: dict[str, str], jobs: Jobserver, say: Line
) -> Path:
    sources = [(name, paths.TEST_MODULE / name) for name in module_sources(paths.TEST_MODULE)]
    key = files.digest(kernel.name, *_MODULE_NAMES, *(part for source in sources for part in source))[:16]
    target = _cache(cell.variant) / "modules" / key
    if files.whole(target):
        return target / f"{MODULE}.ko"
    folder = folder_of(tree, cell)
    with git.held(tree, patched.commit, say), files.folder(target) as work:
        if not (folder / "rig-key").exists() or (folder / "rig-key").read_text() != kernel.name:
            # Another kernel was built in the folder since; build this one again, so that the module fits.
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
        files.seal(work, target.name)
    return target / f"{MODULE}.ko"


def _part(machine: Machine, module: Path) -> None:
    """Copy `module` to the subfolder debug, then strip its debug information: it is sent to every guest."""
    whole = module.parent / "debug" / module.name
    whole.parent.mkdir()
    shutil.copy(module, whole)
    shell.output((f"{machine.build.cross_compile}objcopy", "--strip-debug", whole, module), error=BuildError)
