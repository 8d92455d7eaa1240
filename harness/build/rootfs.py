# SPDX-License-Identifier: GPL-2.0-only
"""Builds the guest's initramfs without root: static BusyBox, Dropbear and kmod from Debian's packages."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

import jinja2
import msgspec
from elftools.elf.dynamic import DynamicSection
from elftools.elf.elffile import ELFFile
from elftools.elf.segments import InterpSegment

from harness import paths
from harness.build import apt, keys
from harness.errors import BuildError
from harness.host import files, shell, toml
from harness.model.matrix import Machine

ADDRESS = "10.0.2.15"
"""the guest's address in QEMU's user network"""
IDENTITY = "/etc/initramfs-identity"
"""file in the guest that holds the initramfs's identity"""
READY = "kernel-patch-rig: ready for SSH"
"""line that the guest prints on its console once Dropbear listens"""


class Contents(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The content of rootfs/contents.toml."""

    packages: tuple[str, ...]
    programs: dict[str, str]
    links: dict[str, str]


class Rootfs(msgspec.Struct, frozen=True):
    """A built initramfs and the keys that go with it."""

    image: Path
    sha256: str
    identity: str
    """digest of its content, which is also in its file `IDENTITY`"""
    packages: dict[str, str]
    """SHA-256 of each Debian package that it was built from, by file name"""


def build(machine: Machine) -> Rootfs:
    """Return the initramfs for `machine`; it is built if the cache has none or a damaged one.

    Raises RigError if a package cannot be downloaded, BuildError if one lacks a file.
    """
    place = target(machine)
    with files.locked(place):
        if found := _cached(place):
            return found
        with files.folder(place) as folder:
            built = make(machine, folder)
            built = msgspec.structs.replace(built, image=place / built.image.name)
            files.write(folder / "rootfs.json", msgspec.json.encode(built, enc_hook=str))
        return built


def make(machine: Machine, folder: Path) -> Rootfs:
    """Build the initramfs for `machine` in `folder`, without the cache; raises the same errors as `build`."""
    image = folder / "initramfs.cpio"
    with tempfile.TemporaryDirectory() as scratch:
        identity, sums = _stage(machine, Path(scratch))
        _pack(Path(scratch) / "root", image)
    return Rootfs(image, files.file_sha256(image), identity, sums)


def cached(machine: Machine) -> Rootfs | None:
    """Return the initramfs for `machine` if the cache has it."""
    return _cached(target(machine))


def stage(machine: Machine, folder: Path) -> None:
    """Put what the initramfs for `machine` will hold into the new folder `folder`/root; raises the same errors as `build`."""
    with files.folder(folder) as work:
        _stage(machine, work)


def _stage(machine: Machine, folder: Path) -> tuple[str, dict[str, str]]:
    """Fill `folder`/root; return the identity of what it holds, and the digests of the packages."""
    contents = toml.load(paths.ROOTFS / "contents.toml", Contents)
    root = folder / "root"
    sums = _fill(root, contents, machine, keys.ensure(), folder / "packages")
    identity = _mark(root)
    for path in (root, *root.rglob("*")):
        os.utime(path, (0, 0), follow_symlinks=False)
    return identity, sums


def target(machine: Machine) -> Path:
    """Return the folder of the cache for the initramfs of `machine`."""
    pair = keys.ensure()
    inputs = (paths.ROOTFS / "contents.toml", paths.ROOTFS / "init.j2", pair.host_private, pair.login_public)
    return paths.cache() / "rootfs" / f"{machine.build.debian}-{files.digest(*inputs)[:16]}"


def _cached(folder: Path) -> Rootfs | None:
    try:
        rootfs = msgspec.json.decode((folder / "rootfs.json").read_bytes(), type=Rootfs, dec_hook=lambda t, v: t(v))
        own = rootfs.image.parent == folder and files.file_sha256(rootfs.image) == rootfs.sha256
        return rootfs if own else None
    except (OSError, msgspec.DecodeError):
        return None


def _fill(root: Path, contents: Contents, machine: Machine, pair: keys.Keys, scratch: Path) -> dict[str, str]:
    unpacked = scratch / "unpacked"
    debs = apt.download(machine.build.debian, contents.packages, scratch)
    for deb in debs:
        apt.unpack(deb, unpacked)
    for folder in ("dev", "etc/dropbear", "lib", "proc", "root/.ssh", "sys", "tmp", "var/run", "var/log"):
        (root / folder).mkdir(parents=True)
    for source, target in contents.programs.items():
        _copy(unpacked / source, root / target)
        for library in _libraries(unpacked / source, unpacked):
            _copy(library, root / library.relative_to(unpacked))
    for link, points_to in contents.links.items():
        (root / link).parent.mkdir(parents=True, exist_ok=True)
        (root / link).symlink_to(points_to)
    template = jinja2.Template((paths.ROOTFS / "init.j2").read_text(), undefined=jinja2.StrictUndefined, keep_trailing_newline=True)
    files.write(root / "init", template.render(address=ADDRESS, ready=READY), 0o755)
    files.write(root / "etc/passwd", "root:x:0:0:root:/root:/bin/sh\n")
    files.write(root / "etc/shells", "/bin/sh\n")
    files.write(root / "etc/dropbear/host_key", pair.host_private.read_bytes(), 0o600)
    files.write(root / "root/.ssh/authorized_keys", pair.login_public.read_bytes(), 0o600)
    (root / "root").chmod(0o700)
    (root / "root/.ssh").chmod(0o700)
    return {deb.name: files.file_sha256(deb) for deb in debs}


def _copy(source: Path, target: Path) -> None:
    if not source.exists():
        raise BuildError(f"Debian's packages hold no {source.name}; correct its path in rootfs/contents.toml.")
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(source.resolve(), target)
    target.chmod(0o755)


def _libraries(program: Path, unpacked: Path) -> set[Path]:
    """Return the interpreter and the libraries that `program` needs, directly or indirectly."""
    needed: set[Path] = set()
    todo = [program]
    while todo:
        interpreter, names = _needs(todo.pop())
        wanted = [unpacked / interpreter.lstrip("/")] if interpreter else []
        wanted += [_library(name, unpacked) for name in names]
        todo += [path for path in wanted if path not in needed]
        needed.update(wanted)
    return needed


def _library(name: str, unpacked: Path) -> Path:
    places = sorted(path for path in unpacked.rglob(name) if path.exists())
    if not places:
        raise BuildError(f"No package in rootfs/contents.toml brings the library {name}.")
    return places[0]


def _needs(program: Path) -> tuple[str, list[str]]:
    interpreter, names = "", []
    with program.open("rb") as file:
        elf = ELFFile(file)
        for segment in elf.iter_segments():
            if isinstance(segment, InterpSegment):
                interpreter = segment.get_interp_name()
        for section in elf.iter_sections():
            if isinstance(section, DynamicSection):
                names += [str(tag.needed) for tag in section.iter_tags("DT_NEEDED")]  # type: ignore[attr-defined]
    return interpreter, names


def _mark(root: Path) -> str:
    """Return a digest of all files below `root`, and write it to a file there."""
    parts: list[str | Path] = []
    for path in sorted(root.rglob("*")):
        target = str(path.readlink()) if path.is_symlink() else path if path.is_file() else ""
        parts += [str(path.relative_to(root)), oct(path.lstat().st_mode), target]
    identity = files.digest(*parts)
    files.write(root / IDENTITY.lstrip("/"), f"{identity}\n")
    return identity


def _pack(root: Path, image: Path) -> None:
    names = sorted(str(path.relative_to(root)) for path in root.rglob("*"))
    shell.output(packing(image), cwd=root, stdin="\0".join(names).encode() + b"\0", error=BuildError)


def packing(image: Path) -> tuple[str, ...]:
    """Return the command that packs files, whose names it reads, as a cpio archive that does not depend on the user.

    It is not compressed: an emulated kernel copies six megabytes faster than it decompresses them.
    """
    return "cpio", "--create", "--null", "--format=newc", "--owner=+0:+0", "--reproducible", "--quiet", f"--file={image}"
