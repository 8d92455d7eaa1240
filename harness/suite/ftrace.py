# SPDX-License-Identifier: GPL-2.0-only
"""Has a guest's kernel record events and functions by ftrace, and fetches what it recorded."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec

from harness.errors import UsageError, VmLost
from harness.host import toml
from harness.model.ftrace import ENTRY, EXIT, GRAPH, CpuBuffer, Recording
from harness.vm.ssh import Guest

_SCRIPT = Path(__file__).with_name("ftrace.sh")
_PLACE = "/ftrace.sh"
"""place of the script in the guest"""
_FILE = re.compile(r"^kernel-patch-rig: file (\S+)\n", re.M)
_ENTRIES = re.compile(r"entries: (\d{1,20})\n")
_LOST = re.compile(r"^(?:overrun|commit overrun|dropped events): (\d{1,20})$", re.M)
_THREAD = re.compile(r"^thread=(\d{1,9}) pid=(\d{1,9})$", re.M)
_RECORDED = "recorded/"
"""path, by the number of a CPU, under which the script shows how many events that has"""
_TEXT = "tTwW"
"""types of the symbols in System.map that are functions"""
_SECONDS = 300.0
"""for a guest to hand over its buffers"""


class Chosen(msgspec.Struct, frozen=True):
    """Events and functions to record."""

    events: tuple[str, ...]
    """as SYSTEM:EVENT"""
    functions: tuple[str, ...]
    """names, or patterns that the kernel matches itself"""


class Available(msgspec.Struct, frozen=True):
    """Events and functions that a kernel can record."""

    events: tuple[str, ...]
    functions: tuple[str, ...]


def available(guest: Guest) -> Available:
    """Return what the kernel of `guest` can record; this is the first to be called for a guest."""
    guest.put(_SCRIPT.read_bytes(), _PLACE)
    found = _files(_call(guest, "names"))
    functions = (line.split()[0] for line in found["available_filter_functions"].splitlines() if line.strip())
    return Available(tuple(found["available_events"].split()), tuple(dict.fromkeys(functions)))


def choose(words: Sequence[str], of: Available, cell: str) -> Chosen:
    """Return what `words` choose of the events and functions of a cell's kernel.

    A word with a colon is an event or a pattern of events, any other a function or a pattern of functions. Of a function
    whose calls the compiler has specialised there is only ``NAME.constprop.0`` and the like.
    Raises UsageError for a word that chooses nothing, with the nearest one that does.
    """
    events: dict[str, None] = {}
    functions: dict[str, None] = {}
    for word in words:
        if ":" in word:
            found = fnmatch.filter(of.events, word)
            events.update(dict.fromkeys(found))
        else:
            found = [pattern for pattern in (word, f"{word}.*") if fnmatch.filter(of.functions, pattern)]
            functions.update(dict.fromkeys(found))
        if not found:
            raise UsageError(_nothing(word, of, cell))
    return Chosen(tuple(events), tuple(functions))


def _nothing(word: str, of: Available, cell: str) -> str:
    if ":" in word:
        return f"The kernel of {cell} has no event '{word}'; {toml.closest(word, of.events)}"
    if full := [event for event in of.events if fnmatch.fnmatch(event.partition(":")[2], word)]:
        return f"'{word}' is no function of {cell}, but an event is called so; say {full[0]}."
    return (
        f"ftrace of {cell} has no function '{word}', or the compiler put it into those that call it;"
        f" {toml.closest(word, [name.partition('.')[0] for name in of.functions])}"
    )


def prepare(guest: Guest, chosen: Chosen, mebibytes: int) -> None:
    """Have the kernel of `guest` record `chosen` whenever its tracing is on, which it is not yet.

    Each CPU gets a buffer of so many MiB. Raises UsageError if the guest has no memory for that.
    """
    said = _call(guest, "prepare", str(mebibytes << 10), " ".join(chosen.events), " ".join(chosen.functions))
    if "no room" in said:
        raise UsageError(f"The guest has no memory for {mebibytes} MiB of buffer on each CPU; say less with --buffer.")


def collect(guest: Guest, chosen: Chosen, symbols: Path) -> Recording:
    """Return what the kernel of `guest` recorded, whose System.map is `symbols`, and have it stop.

    Raises VmLost if the guest does not hand it over.
    """
    drained = _files(_call(guest, "drain"))
    graph = [f"{GRAPH}:{name}" for name in (ENTRY, EXIT) if chosen.functions]
    described = _files(_call(guest, "describe", *(event.replace(":", "/") for event in (*graph, *chosen.events))))
    formats: dict[str, list[str]] = {GRAPH: []}
    for path, text in described.items():
        if path.endswith("/format"):
            formats.setdefault(path.split("/")[1], []).append(text)
    named = "".join(f"{pid} vmalloc_test/{thread}\n" for thread, pid in _THREAD.findall(described["threads"]))
    cpus = [path.removeprefix(_RECORDED) for path in drained if path.startswith(_RECORDED)]
    functions = [line for line in symbols.read_text().splitlines() if line.split()[1] in _TEXT]
    return Recording(
        buffers=tuple(_buffer(guest, cpu, drained) for cpu in cpus),
        header_page=described["events/header_page"],
        header_event=described["events/header_event"],
        formats={system: tuple(texts) for system, texts in formats.items()},
        commands=described["saved_cmdlines"] + named,
        strings=described["printk_formats"],
        clocks=described["trace_clock"],
        symbols="\n".join(functions) + "\n",
    )


def _buffer(guest: Guest, cpu: str, drained: Mapping[str, str]) -> CpuBuffer:
    found, stats = _ENTRIES.fullmatch(drained[_RECORDED + cpu]), drained.get(f"per_cpu/cpu{cpu}/stats", "")
    if found is None:
        raise VmLost(f"The guest does not say how much it recorded on CPU {cpu}, but: {drained[_RECORDED + cpu]!r}.")
    entries, lost = int(found[1]), sum(map(int, _LOST.findall(stats)))
    return CpuBuffer(int(cpu), guest.get(f"/trace.{cpu}", _SECONDS) if entries else b"", entries, lost, stats)


def _call(guest: Guest, *words: str) -> str:
    return guest.run("sh", _PLACE, *words, seconds=_SECONDS)


def _files(output: str) -> Mapping[str, str]:
    """Return the files that the script showed, by their paths."""
    _, *parts = _FILE.split(output)
    return dict(zip(parts[::2], parts[1::2], strict=True))
