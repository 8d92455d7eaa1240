# SPDX-License-Identifier: GPL-2.0-only
"""Writes as shell text what would be built: kernels, modules, initramfs and QEMU's plugin, where the cache has none."""

from __future__ import annotations

from pathlib import Path

from harness import paths
from harness.build import build_folder, git, git_settings, kbuild, leftovers, modules, plugin, rootfs
from harness.build.built import BuiltCell
from harness.build.jobserver import Jobs
from harness.build.kbuild import KernelBuild
from harness.build.kernel import MODULE, SECOND, Kernel
from harness.build.plugin import Plugin
from harness.build.rootfs import Rootfs
from harness.commands.pipeline import Prepared
from harness.host import files, shell
from harness.model.matrix import Cell, Machine
from harness.report import shell_text as sh
from harness.text import counted

WORK = Path("$work")
"""folder that the script makes for its own files"""
STAGED = "dry-run"
"""folder of the cache with what initramfs are packed of"""
_MODULE = "script-module"
"""folder in a build folder in which a script makes the module: a sandbox lets a build write there"""
_BUILD, _TREE = 9, 8
"""file descriptors of a script's locks"""


def _functions(work: KernelBuild) -> str:
    """Return the shell functions that run git and make as the rig does."""
    users = files.lock_of(leftovers.users(git.repository()))
    settings = sh.environment({**shell.LOCALE, **git_settings.environment()})
    return "\n".join(
        [
            sh.comment("Runs git under the rig's settings, without those of the user."),
            sh.function("rig_git", f'{sh.command(("flock", "-s", str(users)))} {settings} git "$@"'),
            sh.comment("Runs a command in all of the environment that a build has."),
            sh.function("clean", f'{sh.environment(work.environment, whole=True)} "$@"'),
            sh.comment("The module's sources, in a folder that may hold more."),
            sh.variable("module_sources", sh.wrapped(modules.module_sources(paths.TEST_MODULE)).replace(" \\\n", "\n")),
        ]
    )


class Makings:
    """Kernels and what goes with them, as a script makes them, and the text that does so."""

    def __init__(self) -> None:
        """Begin a script that makes nothing."""
        self.text: list[str] = []
        self._cells: dict[tuple[Path, Cell], BuiltCell] = {}
        """by the folder of its kernel in the cache"""
        self._functions = ""
        self._roots: dict[Machine, Rootfs] = {}
        self._plugins: dict[str, Plugin] = {}
        self._modules: dict[Path, Path] = {}
        """modules that the script makes, by their folder in the cache"""

    def begin(self, prepared: Prepared, jobs: Jobs) -> None:
        """Have what follows be made of `prepared`, by `jobs`."""
        self._prepared, self._jobs = prepared, jobs
        functions = _functions(_work(prepared, prepared.cells[0], jobs))
        if functions != self._functions:
            self.text.append(functions)
            self._functions = functions

    def cell(self, cell: Cell, accelerator: str) -> BuiltCell:
        """Return a cell as the script leaves it to be booted."""
        work = _work(self._prepared, cell, self._jobs)
        key = work.kernel, cell
        if key not in self._cells:
            root = self._root(cell.machine)
            plugged = self._plugin(cell.machine.qemu.binary)
            self._cells[key] = BuiltCell(cell, self._kernel(work), root, accelerator, plugged.file)
        return self._cells[key]

    def _root(self, machine: Machine) -> Rootfs:
        if machine in self._roots:
            return self._roots[machine]
        self.text.append(sh.title(f"initramfs for {machine.name}: BusyBox, Dropbear and kmod of Debian's packages, and init"))
        made = rootfs.cached(machine)
        if made:
            self.text.append(sh.comment(f"cached: {made.image}"))
        else:
            folder = paths.cache() / STAGED / rootfs.target(machine).name
            if not folder.exists():
                rootfs.stage(machine, folder)
            made = Rootfs(WORK / f"initramfs-{machine.name}.cpio", "", "", {})
            self.text += [
                sh.comment(f"The dry run has put what it holds into {folder / 'root'}: packages, programs, links and keys."),
                _packed(folder / "root", made.image),
            ]
        self._roots[machine] = made
        return made

    def _plugin(self, binary: str) -> Plugin:
        if binary in self._plugins:
            return self._plugins[binary]
        self.text.append(sh.title(f"plugin of {binary}, which counts the blocks of a kernel that run"))
        made = plugin.cached(binary)
        if made is None:
            made = Plugin(WORK / binary / plugin.FILE)
            assert made.file
            self.text += [
                sh.command(("mkdir", str(made.file.parent))),
                sh.command(plugin.compiling(binary, made.file), shell.LOCALE),
            ]
        else:
            self.text.append(sh.comment(f"cached: {made.file}" if made.file else f"none: {made.obstacle}"))
        self._plugins[binary] = made
        return made

    def _kernel(self, work: KernelBuild) -> Kernel:
        cell = work.cell
        kernel_here = files.whole(work.kernel)
        place = work.module_folder(modules.own_sources())
        module = self._modules.get(place) or (place if files.whole(place) else None)
        compiles = not kernel_here or (module is None and not work.in_place)
        names = work.patched.patches
        what = f"with {counted(len(names), 'patch', 'patches')}: {', '.join(names)}" if names else "without patches"
        self.text.append(sh.title(f"kernel {cell.name}: Linux {self._prepared.sources.tree.version} {what}"))
        if kernel_here:
            self.text.append(sh.comment(f"cached: {work.kernel}"))
        if module:
            self.text.append(sh.comment(f"{'cached' if module == place else 'made above'}: {module / MODULE}.ko"))
        own = WORK / cell.file_name
        if kernel_here and module:
            made = _making(work, own, compiles=True, module=True)
            self.text += [sh.comment(f"These commands make it again, in {own}, which QEMU can be told:"), sh.not_run(made)]
        else:
            self.text.append(_making(work, own, compiles=compiles, module=module is None))
        if module is None:
            module = self._modules[place] = own
        folder = work.kernel if kernel_here else own
        return Kernel(folder, folder / "image", folder / "config", module / f"{MODULE}.ko", work.kernel.name, "", "", "")


def _work(prepared: Prepared, cell: Cell, jobs: Jobs) -> KernelBuild:
    return KernelBuild(prepared.sources.base, cell, prepared.patched[cell.variant], jobs, lambda _: None)


def _packed(root: Path, image: Path) -> str:
    names = "find . -mindepth 1 -printf '%P\\0' | LC_ALL=C sort --zero-terminated"
    return f"(cd {sh.quoted(str(root))} &&\n{sh.indented(names)} |\n{sh.indented(sh.command(rootfs.packing(image), shell.LOCALE))})"


def _making(work: KernelBuild, own: Path, *, compiles: bool, module: bool) -> str:
    """Return the text that makes a kernel, its module, or both, and copies them to the folder `own`."""
    return "\n".join(
        [
            sh.comment("Others that build here wait meanwhile."),
            sh.command(("mkdir", "-p", str(work.tree.parent), str(own))),
            _locked(_BUILD, work.lock),
            _locked(_TREE, work.tree),
            *_checked_out(work),
            sh.command(("flock", "-s", str(_TREE))),
            *(_compiled(work, own) if compiles else ()),
            *(_module(work, own) if module else ()),
            f"exec {_TREE}>&- {_BUILD}>&-",
        ]
    )


def _locked(descriptor: int, path: Path) -> str:
    return f"exec {descriptor}>> {sh.quoted(str(files.lock_of(path)))}\n{sh.command(('flock', str(descriptor)))}"


def _checked_out(work: KernelBuild) -> list[str]:
    known = git.is_tree(work.tree)
    gone = [] if known or not work.tree.exists() else [sh.command(("rm", "-rf", str(work.tree)))]
    return gone + [sh.command(("rig_git", *words)) for words in git.checking_out(work.tree, work.patched.commit, known=known)]


def _compiled(work: KernelBuild, own: Path) -> list[str]:
    folder, build = work.folder, work.cell.machine.build
    mark = str(folder / build_folder.BUILDING)
    fragments = [str(file) for file in kbuild.fragments(work.base, work.cell)]
    reason = build_folder.distrust(folder)
    return [
        *([sh.comment(f"{reason}; building from scratch"), sh.command(("rm", "-rf", str(folder)))] if reason else ()),
        sh.command(("mkdir", "-p", str(folder))),
        sh.comment("As long as the first file is there, or the others are not, the rig does not take this folder for a kernel's."),
        sh.command(("touch", mark)),
        sh.command(("rm", "-f", *(str(folder / name) for name in (kbuild.KEY, kbuild.CONFIGURED)))),
        f"{sh.command(('cat', *fragments))} \\\n    > {sh.quoted(str(work.wanted))}",
        sh.command(("clean", *work.configuring.assigned)),
        sh.command(("clean", *work.compiling.assigned)),
        sh.command(("rm", mark)),
        sh.command(("cp", str(folder / build.image), str(own / "image"))),
        sh.command(("cp", str(folder / "System.map"), str(own))),
    ]


def _module(work: KernelBuild, own: Path) -> list[str]:
    place = work.folder / _MODULE
    stripped = (
        sh.command(modules.stripping(work.cell.machine, place / f"{name}.ko", own / f"{name}.ko"), shell.LOCALE)
        for name in sorted((MODULE, SECOND))
    )
    return [
        sh.command(("rm", "-rf", str(place))),
        sh.command(("mkdir", str(place))),
        f"(cd {sh.quoted(str(paths.TEST_MODULE))} && cp --parents $module_sources {sh.quoted(str(place))})",
        sh.command(("clean", *work.making_module(modules.own_sources(), place).assigned)),
        *stripped,
    ]
