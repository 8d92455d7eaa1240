# SPDX-License-Identifier: GPL-2.0-only
"""Adds to gdb the command ``add-module FILE``, which loads a module's symbols at its address in the guest.

It runs in gdb's own Python.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import gdb  # type: ignore[import-untyped]  # exists in gdb alone

_MOST = 1000
"""maximum modules or sections to read: a list in a guest's memory may be corrupt"""
# Names come from the guest's memory and become part of a gdb command.
_WANTED = re.compile(r"\.(init\.|exit\.|ref\.|sched\.|noinstr\.)?(text|data|rodata|bss)[\w.]*")


class AddModule(gdb.Command):  # type: ignore[misc]
    """Load the symbols of a module at its address in the guest: add-module FILE."""

    def __init__(self) -> None:
        """Register the command."""
        super().__init__("add-module", gdb.COMMAND_FILES, gdb.COMPLETE_FILENAME)

    def invoke(self, argument: str, _from_tty: bool) -> None:
        """Load the symbols, or print that the kernel has no such module."""
        name = Path(argument).stem.replace("-", "_")
        for module in _modules():
            if module["name"].string(errors="replace") == name:
                placed = " ".join(f"-s {section} {address:#x}" for section, address in _sections(module))
                gdb.execute(f'add-symbol-file "{argument}" {placed}', to_string=True)
                gdb.write(f"{name} is loaded: {placed}\n")
                return
        gdb.write(f"The kernel has no module {name} loaded.\n")


def _modules() -> Iterator[gdb.Value]:
    head = gdb.parse_and_eval("&modules")
    pointer = gdb.lookup_type("struct module").pointer()
    offset = int(gdb.parse_and_eval("(unsigned long)&((struct module *)0)->list"))
    node = head["next"]
    for _ in range(_MOST):
        if node == head:
            return
        yield gdb.Value(int(node) - offset).cast(pointer)
        node = node["next"]


def _sections(module: gdb.Value) -> Iterator[tuple[str, int]]:
    """Yield the sections that gdb needs; those of .init only until the kernel has freed them."""
    table = module["sect_attrs"]
    loaded = module["state"] == gdb.parse_and_eval("MODULE_STATE_LIVE")
    for number in range(min(int(table["nsections"]), _MOST)):
        one = table["attrs"][number]
        # Since 5.8 the name is that of a binary attribute.
        fields = {field.name for field in one.type.fields()}
        name = (one["name"] if "name" in fields else one["battr"]["attr"]["name"]).string(errors="replace")
        if _WANTED.fullmatch(name) and not (loaded and name.startswith(".init")):
            yield name, int(one["address"])


AddModule()
