# SPDX-License-Identifier: GPL-2.0-only
"""Builds kernels and the test module; both are cached under a digest of their inputs."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec

from harness import paths
from harness.build import (
    build_folder,
    buildlog,
    compiled,
    functions,
    git,
    identity,
    interface,
    kconfig,
    modules,
    sandbox,
    toolchain,
    unknown_symbols,
)
from harness.build.jobserver import Jobs
from harness.build.kernel import MODULE, Kernel, Metadata
from harness.build.modules import ModuleSource
from harness.build.patches import Patched
from harness.build.toolchain import CCACHE, COMPILER, IDENTITY, OBJECTS, SOURCE_NAMES, Command
from harness.errors import BuildError, UsageError
from harness.host import files, shell
from harness.host.shell import Line
from harness.model.matrix import Base, Cell, Variant
from harness.model.toolchains import Toolchain

_KEPT = ("System.map", "vmlinux", build_folder.LOG)
"""files of the build folder that are kept, besides image, configuration and the files in `_TOLD`"""
KEY = "rig-key"
"""file in a build folder with the key of the kernel that was built there last"""
CONFIGURED = "rig-configured"
"""file in a build folder with a digest of what its configuration was made of"""
_TOLD = ("build.json", f"functions.json {functions.FORMAT}", "sources.json")
"""files that describe a kernel, with versions of their formats"""


def fragments(base: Base, cell: Cell) -> list[Path]:
    """Return the files that make up the configuration of the kernel of `cell`; a later one overrides an earlier one."""
    machine = f"arch-{cell.machine.name}"
    names = ["common.config", base.fragment, f"{machine}.config", f"profile-{cell.profile}.config"]
    # What this machine needs in this release alone, and parts of a profile for this release, this machine or this toolchain.
    own = [f"{machine}-{base.like or base.name}.config"]
    own += [f"{of}-{cell.profile}.config" for of in (Path(base.fragment).stem, machine, f"toolchain-{cell.toolchain}")]
    if base.like:
        own += [f"kernel-{base.name}.config", f"kernel-{base.name}-{cell.profile}.config"]
    names += [name for name in own if (paths.FRAGMENTS / name).exists()]
    return [paths.FRAGMENTS / name for name in names if name]


def configuration(base: Base, cell: Cell) -> dict[str, str]:
    """Return the configuration symbols that the rig asks for in the kernel of `cell`."""
    try:
        return kconfig.merge(file.read_text() for file in fragments(base, cell))
    except FileNotFoundError as error:
        raise UsageError(f"{cell.name} needs the configuration fragment {error.filename}, which does not exist; add it.") from error


class KernelBuild(msgspec.Struct, frozen=True):
    """The build of one cell's kernel and module."""

    base: Base
    cell: Cell
    patched: Patched
    jobs: Jobs
    say: Line
    """called with the progress"""

    @property
    def asked(self) -> dict[str, str]:
        """Symbols that Kconfig is asked for."""
        return configuration(self.base, self.cell)

    @property
    def tree(self) -> Path:
        """Work tree with the source."""
        return tree_of(self.base, self.cell.variant)

    @property
    def folder(self) -> Path:
        """Build folder in the work tree."""
        return folder_of(self.tree, self.cell)

    @property
    def lock(self) -> Path:
        """Path whose lock is held by whoever works in the build folder; it lies beside the tree, which is to hold sources alone."""
        return self.tree.with_name(f"{self.tree.name}-{_place(self.cell)}")

    @property
    def kernel(self) -> Path:
        """Folder of the cache for the kernel; its name is the kernel's key."""
        return cached(self.base, self.cell, self.patched.tree, self.asked)

    @property
    def where(self) -> tuple[str, ...]:
        """Arguments of make that name the source and the build folder."""
        return (*toolchain.flags(SOURCE_NAMES, self.folder), "-C", str(self.tree), f"O={self.folder}")

    @property
    def make(self) -> tuple[str, ...]:
        """Command that builds in the build folder, without targets."""
        return (*toolchain.make(self.base, self.cell), *self.where)

    @property
    def environment(self) -> dict[str, str]:
        """Environment of make."""
        return toolchain.environment(self.jobs, self.cell.variant)

    @property
    def wanted(self) -> Path:
        """File in the build folder with the symbols that Kconfig is asked for."""
        return self.folder / "rig.config"

    @property
    def configuring(self) -> Command:
        """Command that makes the configuration of the symbols in `wanted`."""
        return Command(sandbox.enter((*self.make, "allnoconfig")), {"KCONFIG_ALLCONFIG": str(self.wanted)})

    @property
    def compiling(self) -> Command:
        """Command that makes the kernel."""
        return Command(sandbox.enter((*self.make, *self._targets)))

    @property
    def _targets(self) -> tuple[str, ...]:
        return self.cell.machine.build.target, "modules"

    def making_module(self, source: ModuleSource, work: Path) -> Command:
        """Return the command that makes a module of its sources in `work`, the folder in which it will lie."""
        names = toolchain.flags((*SOURCE_NAMES, *source.maps), self.folder, work)
        where = ("-C", str(self.folder), f"M={work}")
        return Command(sandbox.enter((*toolchain.make(self.base, self.cell), *names, *where, *source.options, "modules")))

    def build_kernel(self) -> None:
        """Build the kernel, and put it into the cache."""
        with build_folder.building(self.folder, self.say):
            self._build()

    def _build(self) -> None:
        started = time.monotonic()
        cell, folder, log = self.cell, self.folder, self.folder / build_folder.LOG
        (folder / KEY).unlink(missing_ok=True)
        log.unlink(missing_ok=True)
        self.configure(log)
        count = buildlog.Count(self.say, folder / "objects")
        if self._follow(self.compiling, log, count):
            raise self._failed("the kernel does not build", log, buildlog.first_error(log))
        count.keep()
        if not git.is_at(self.tree, self.patched.commit):
            raise BuildError(
                f"{cell.name}: {self.tree} was changed while it was built; build again, and leave the cache alone meanwhile."
            )
        self._keep(count.seen, time.monotonic() - started)

    def compile(self, objects: Sequence[str], options: Sequence[str], log: Path) -> list[str]:
        """Compile single objects in the configured build folder with more options of make; return the output, errors too."""
        lines: list[str] = []
        command = sandbox.enter((*self.make, "--keep-going", *options, *objects))
        shell.follow(command, log=log, env=self.environment, pass_fds=self.jobs.fds, line=lines.append)
        return lines

    @property
    def _fitting(self) -> str:
        """A digest of what the configuration and the module depend on: all inputs, without C files that neither reads."""
        return key(self.base, self.cell, interface.digest(self.patched.tree), self.asked)

    def configure(self, log: Path) -> None:
        """Configure the build folder, unless it is as this would leave it; BuildError with the symbols that Kconfig did not accept.

        Make has less to look at in a folder that was configured before.
        """
        memory, config = self.folder / CONFIGURED, self.folder / ".config"
        if memory.exists() and config.exists() and memory.read_text() == files.digest(self._fitting, config.read_bytes()):
            return
        memory.unlink(missing_ok=True)
        self._make_config(log)
        files.write(memory, files.digest(self._fitting, config.read_bytes()))

    def _make_config(self, log: Path) -> None:
        self.say("configuring")
        files.write(self.wanted, kconfig.render(self.asked))
        if self._follow(self.configuring, log):
            raise self._failed("the kernel cannot be configured", log, buildlog.first_error(log))
        if missing := unknown_symbols.refused(self.base, self.asked, self.folder / ".config", self.patched.commit):
            raise BuildError(
                f"{self.cell.name}: Kconfig did not take all of qemu_configs/kconfig: {'; '.join(missing)}."
                f" Also set the symbols that it depends on, or remove it{self._own_fragment}.",
                self.cell.name,
            )

    @property
    def _own_fragment(self) -> str:
        """Words that name the fragment for the release of a source that has another one's settings; else none."""
        name = f"kernel-{self.base.name}-{self.cell.profile}.config"
        return f": a file {name} there is for this release alone" if self.base.like else ""

    def _keep(self, objects: int, seconds: float) -> None:
        """Copy the kernel that was built to the cache, and describe it there, unless it is there already."""
        machine, folder, kernel = self.cell.machine, self.folder, self.kernel
        if files.whole(kernel):  # others may be using it
            files.write(folder / KEY, kernel.name)
            return
        command = ("env", *map("=".join, IDENTITY.items()), *toolchain.make(self.base, self.cell, ""), *self.where, *self._targets)
        with files.folder(kernel) as target:
            shutil.copy(folder / machine.build.image, target / "image")
            shutil.copy(folder / ".config", target / "config")
            for name in _KEPT:
                shutil.copy(folder / name, target / name)
            sources = compiled.sources(folder)
            contents = functions.read(folder / "vmlinux.o", folder / "vmlinux", sources)
            files.write(target / "sources.json", msgspec.json.encode(sources))
            files.write(target / "functions.json", msgspec.json.encode(contents))
            metadata = Metadata(
                (folder / "include/config/kernel.release").read_text().strip(),
                self.patched.tree,
                self.patched.patches,
                *toolchain.tools(self.cell).versions,
                shell.quote(command),
                round(seconds, 1),
                objects,
                contents.loaded,
            )
            files.write(target / "build.json", msgspec.json.format(msgspec.json.encode(metadata)))
            files.seal(target, kernel.name)
        files.write(folder / KEY, kernel.name)

    def module_folder(self, source: ModuleSource) -> Path:
        """Return the folder of the cache for a module for the kernel, and for all with the same headers."""
        inputs = (self._fitting, *source.maps, *source.options, *(part for file in source.files for part in file))
        return _cache(self.cell.variant) / "modules" / files.digest(*inputs)[:16]

    def module(self, source: ModuleSource) -> Path:
        """Return a folder with a module for the kernel, and for all with the same headers; it is built if the cache has none."""
        target = self.module_folder(source)
        with files.locked(target):  # another cell may want the same one
            if not files.whole(target):
                self._build_module(source, target)
        return target

    @property
    def in_place(self) -> bool:
        """True if the build folder is that of the kernel, and not damaged, so that a module can be built for it."""
        last = self.folder / KEY
        return last.exists() and last.read_text() == self.kernel.name and not build_folder.distrust(self.folder)

    def _build_module(self, source: ModuleSource, target: Path) -> None:
        held = git.held(self.tree, self.patched.commit, self.say)
        with files.locked(self.lock), held, files.folder(target) as work:
            if not self.in_place:
                self.build_kernel()
            self.say(f"building {source.called}")
            for name, content in source.files:
                (work / name).parent.mkdir(parents=True, exist_ok=True)
                (work / name).write_bytes(content)
            self._make_module(source, work)
            files.seal(work, target.name)

    def _make_module(self, source: ModuleSource, work: Path) -> None:
        """Build a module from its sources in `work`, the folder in which it will lie."""
        log = self.folder / "module.log"
        log.unlink(missing_ok=True)
        if self._follow(self.making_module(source, work), log):
            error = buildlog.first_error(log).replace(f"{work}/", "")  # which is gone by now; the user's file has the same name
            raise self._failed(f"{source.called} does not build", log, error)
        shutil.copy(log, work / "build.log")
        for module in sorted(work.glob("*.ko")):
            modules.strip(self.cell.machine, module)

    def _failed(self, what: str, log: Path, error: str) -> BuildError:
        """Return the error to raise for a build whose `log` ends with the line `error`."""
        words = f"{self.cell.name}: {what}: {error}; the whole log is {log}."
        return BuildError(words, self.cell.name, log, self.patched.commit)

    def _follow(self, command: Command, log: Path, line: Line | None = None) -> int:
        return shell.follow(command.words, log=log, env={**self.environment, **command.env}, pass_fds=self.jobs.fds, line=line)


Maker = Callable[[KernelBuild], Path]
"""returns the file of a module for a kernel that is built"""


def build(base: Base, cell: Cell, patched: Patched, jobs: Jobs, say: Line, module: Path | Maker | None = None) -> Kernel:
    """Return the kernel and the module of `cell`; they are built if the cache has none.

    `module` is that of a kernel with the same headers and configuration, or makes another one than the rig's own.
    `say` is called with the progress. Raises BuildError with the first error of the log, or with the symbols that
    Kconfig did not accept.
    """
    work = KernelBuild(base, cell, patched, jobs, say)
    kernel = work.kernel
    if not files.whole(kernel):  # else nobody has to wait for who builds in the folder
        with files.locked(work.lock), files.locked(kernel):  # another variant may have the same source
            if not files.whole(kernel):
                with git.held(work.tree, patched.commit, say):
                    work.build_kernel()
    made = module if isinstance(module, Path) else (module or _own_module)(work)
    metadata = msgspec.json.decode((kernel / "build.json").read_bytes(), type=Metadata)
    return Kernel(
        kernel,
        kernel / "image",
        kernel / "config",
        made,
        kernel.name,
        metadata.release,
        identity.build_id(kernel / "vmlinux"),
        identity.build_id(made),
        patched.commit,
        foreign=callable(module),
    )


def _own_module(work: KernelBuild) -> Path:
    return work.module(modules.own_sources()) / f"{MODULE}.ko"


def cached(base: Base, cell: Cell, tree: str, asked: dict[str, str]) -> Path:
    """Return the folder of the cache for the kernel that a `tree` makes with the symbols in `asked`."""
    return _cache(cell.variant) / "kernels" / key(base, cell, tree, asked)


def key(base: Base, cell: Cell, tree: str, asked: dict[str, str]) -> str:
    """Return a digest of all inputs of a kernel: its `tree`, the symbols in `asked`, the tools and the commands."""
    outputs = (cell.machine.build.target, cell.machine.build.image)
    tools, command = toolchain.identity(cell), toolchain.make(base, cell)
    settings = map("=".join, {**IDENTITY, **CCACHE}.items())
    inputs = (tree, *outputs, kconfig.render(asked), *tools, *command, *SOURCE_NAMES, *settings, OBJECTS, *_KEPT, *_TOLD)
    return files.digest(*inputs, COMPILER)[:16]


def tree_of(base: Base, variant: Variant) -> Path:
    """Return the work tree in which the kernels of `variant` are built, for all machines and profiles."""
    return _cache(variant) / "trees" / base.name / (variant.tree or variant.name.replace("/", "-"))


def _cache(variant: Variant) -> Path:
    return paths.cache() / variant.apart


def folder_of(tree: Path, cell: Cell) -> Path:
    """Return the build folder.

    It is a direct subfolder of the source: only then does the kernel's Makefile use relative paths, which ccache
    needs to find the objects of one variant in the build of another.
    """
    return tree / f"build-{_place(cell)}"


def _place(cell: Cell) -> str:
    """Return the end of the names of what cells of one work tree have apart: those of another toolchain too."""
    apart = () if cell.toolchain is Toolchain.GCC else (cell.toolchain,)
    return "-".join((cell.machine.name, cell.profile, *apart))
