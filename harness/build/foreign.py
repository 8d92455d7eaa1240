# SPDX-License-Identifier: GPL-2.0-only
"""Builds a foreign module: one of the user's that takes the place of the rig's own test module.

It may use functions and data of the kernel that are not exported. These are linked into it as absolute symbols, at their
address in the kernel: the rig's kernels run where they were linked, and the kernel's module loader takes such symbols as they are.
"""

from __future__ import annotations

import functools
import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

import msgspec
from elftools.elf.elffile import ELFFile
from elftools.elf.sections import SymbolTableSection

from harness import paths
from harness.build import kconfig
from harness.build.kbuild import KernelBuild
from harness.build.modules import ModuleSource
from harness.errors import BuildError, UsageError
from harness.host import files

_MAKEFILES = ("Kbuild", "Makefile")
"""in the order in which Kbuild looks for them"""
_BUILT = (".o", ".ko", ".a", ".cmd", ".mod", ".mod.c", ".order", ".symvers", ".swp", "~")
"""ends of the names of files that a build or an editor leaves"""
_MOST = 16 << 20
"""bytes of a module's sources: a folder with more is another one than was meant"""
_NAME = re.compile(r"[\w-]+")
_TAKEN = ("boot", "end")
"""names that results have which belong to no test"""
# What is not exported is looked up afterwards. From 5.x on modpost would end the build for it.
_OPTIONS = ("KBUILD_MODPOST_WARN=1",)
_MAPS = ("-fdebug-prefix-map={work}=.", "-fmacro-prefix-map={work}=.")
_EXPORT = "__ksymtab_"
_SYMBOL = re.compile(r"^([0-9a-f]+) \w (\S+)$", re.M)
"""a line of System.map"""


def read(named: str) -> ModuleSource:
    """Return the sources of the module in the folder that ``--module`` names; UsageError if there is none.

    A folder with one C file and neither Kbuild nor Makefile gets a Kbuild file.
    """
    folder = paths.expanded(named, "--module")
    if not folder.is_dir():
        what = "is not there" if not folder.exists() else "is a file"
        raise UsageError(f"--module takes a folder with the sources of a module, but {folder} {what}.")
    found = _files(folder)
    if any(name in found for name in _MAKEFILES):
        return ModuleSource(f"the module in {folder}", tuple(found.items()), _OPTIONS, _MAPS)
    sources = [name for name in found if name.endswith(".c")]
    if len(sources) != 1 or "/" in sources[0]:
        count = f"{len(sources)} C files" if len(sources) > 1 else "no C file of its own"
        raise UsageError(f"{folder} has {count}, and neither Kbuild nor Makefile; add a Kbuild file with `obj-m := NAME.o`.")
    stem = sources[0].removesuffix(".c")
    if not _NAME.fullmatch(stem):
        raise UsageError(f"{folder / sources[0]} cannot give its name to a module; call it by letters, digits and _ alone.")
    made = {**found, "Kbuild": f"obj-m := {stem}.o\n".encode()}
    return ModuleSource(f"the module in {folder}", tuple(made.items()), _OPTIONS, _MAPS)


def digest(source: ModuleSource) -> str:
    """Return a digest of the sources of a module."""
    return files.digest(*(part for file in source.files for part in file))


def _files(folder: Path) -> dict[str, bytes]:
    """Return the contents of the sources by their names in `folder`, sorted."""
    found, size = [], 0
    try:
        for path in _found(folder):
            if not path.name.isprintable():
                raise UsageError(f"{folder} has a file with the name {path.name!r}, which cannot be used; call it otherwise.")
            found.append(path)
            size += path.stat().st_size
            if size > _MOST:
                raise UsageError(f"{folder} has more than {_MOST >> 20} MiB of files; name the folder of the module alone.")
        return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(found)}
    except OSError as error:
        raise UsageError(f"{error.filename or folder} cannot be read: {error.strerror}.") from error


def _found(folder: Path) -> Iterator[Path]:
    """Yield the sources one by one, so that who names a whole disk need not wait for its end; OSError for what cannot be read."""
    for parent, folders, names in os.walk(folder, onerror=_refused):
        folders[:] = [name for name in folders if not name.startswith(".")]
        sources = (Path(parent, name) for name in names if not name.startswith(".") and not name.endswith(_BUILT))
        yield from (path for path in sources if path.is_file())


def _refused(error: OSError) -> None:
    raise error


def build(source: ModuleSource, work: KernelBuild) -> Path:
    """Return the file of the module for a kernel that is built; it is built if the cache has none.

    Raises BuildError if it does not build, is none or several, or uses what this kernel does not have.
    """
    name = work.cell.name
    module = _only(work.module(source), source.called, name)
    if needed := borrowed(module, work.kernel):
        options = " ".join(f"--defsym={symbol}={address:#x}" for symbol, address in needed.items())
        linked = msgspec.structs.replace(source, options=(*source.options, f"LDFLAGS_MODULE={options}"))
        module = work.module(linked) / module.name
    return module


def _only(folder: Path, called: str, cell: str) -> Path:
    modules = sorted(folder.rglob("*.ko"))
    modules = [module for module in modules if module.parent.name != "debug"]
    names = ", ".join(module.name for module in modules)
    if len(modules) != 1:
        raise BuildError(
            f"{cell}: {called} makes {names or 'no module'}, but has to make one; set obj-m in its Kbuild or Makefile."
        )
    if modules[0].parent != folder or modules[0].stem in _TAKEN:
        raise BuildError(f"{cell}: {called} makes {modules[0].relative_to(folder)}, which cannot be used; call it otherwise.")
    return modules[0]


def borrowed(module: Path, kernel: Path) -> Mapping[str, int]:
    """Return what the module uses of the kernel in the folder `kernel` that is not exported: addresses by name.

    Raises BuildError for what the kernel does not have, or has several of, and for a kernel that moves itself at boot.
    """
    known = _symbols(kernel / "System.map")
    needed = [symbol for symbol in _global(module, "SHN_UNDEF") if f"{_EXPORT}{symbol}" not in known]
    if needed and kconfig.parse((kernel / "config").read_text()).get("CONFIG_RANDOMIZE_BASE") == "y":
        raise BuildError(f"{module.name} uses {', '.join(needed)}, at addresses that this kernel chooses anew at each boot.")
    for symbol in needed:
        if len(known.get(symbol, ())) != 1:
            count = "several of them" if symbol in known else "none"
            raise BuildError(f"{module.name} uses {symbol}, but the kernel has {count}; change the module, or the series.")
    return {symbol: known[symbol][0] for symbol in needed}


def linked(module: Path) -> tuple[str, ...]:
    """Return what a module uses of its kernel although that is not exported, sorted: it was linked with the addresses."""
    return tuple(_global(module, "SHN_ABS"))


def _global(module: Path, section: str) -> list[str]:
    """Return the names of a module's global symbols in `section`, sorted; weak ones, which it can do without, are none."""
    with module.open("rb") as file:
        table = ELFFile(file).get_section_by_name(".symtab")
        symbols = list(table.iter_symbols()) if isinstance(table, SymbolTableSection) else []
    return sorted(s.name for s in symbols if s.name and s["st_shndx"] == section and s["st_info"]["bind"] == "STB_GLOBAL")


@functools.cache
def _symbols(table: Path) -> Mapping[str, tuple[int, ...]]:
    """Return the addresses in a System.map by name: several static functions can share one."""
    found: dict[str, tuple[int, ...]] = {}
    for address, name in _SYMBOL.findall(table.read_text()):
        found[name] = (*found.get(name, ()), int(address, 16))
    return found
