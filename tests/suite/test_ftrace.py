# SPDX-License-Identifier: GPL-2.0-only
"""What is to be recorded in a guest, and what it hands over."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
from pathlib import Path
from typing import Any, cast

import pytest

from harness.errors import UsageError, VmLost
from harness.model.ftrace import GRAPH
from harness.suite import ftrace
from harness.suite.ftrace import Available, Chosen
from harness.vm.ssh import Guest
from tests.support import recorded

CELL = "x86_64/stock/trace"
KNOWN = Available(
    ("kmem:kmalloc", "kmem:kfree", "kmem:mm_page_alloc", "sched:sched_switch"),
    ("alloc_vmap_area.constprop.0", "__free_vmap_area", "vmap_area_find", "vmap_area_find.part.3"),
)
STATS = "entries: 0\noverrun: {}\ncommit overrun: 1\nbytes: 100\noldest event ts:     1.000000\ndropped events: 2\nread events: 9\n"


class FakeGuest:
    """A guest that says what a test lets it say."""

    def __init__(self, **says: str) -> None:
        self.says, self.asked, self.fetched = says, [], []  # type: ignore[var-annotated]

    def run(self, *words: str, **_: Any) -> str:
        self.asked.append(words[2:])
        return self.says[words[2]]

    def put(self, content: bytes, path: str) -> None:
        assert content.startswith(b"#!/bin/sh")
        self.fetched.append(path)

    def get(self, path: str, seconds: float) -> bytes:
        self.fetched.append(path)
        return b"pages of " + path.encode()


def guest(**says: str) -> tuple[FakeGuest, Guest]:
    fake = FakeGuest(**says)
    return fake, cast("Guest", fake)


def shown(**files: str) -> str:
    return "".join(f"kernel-patch-rig: file {path}\n{content}" for path, content in files.items())


@pytest.mark.parametrize(
    ("words", "events", "functions"),
    [
        (("kmem:kmalloc",), ("kmem:kmalloc",), ()),
        (("kmem:*", "kmem:kfree"), ("kmem:kmalloc", "kmem:kfree", "kmem:mm_page_alloc"), ()),
        (("*:sched_switch", "alloc_vmap_area"), ("sched:sched_switch",), ("alloc_vmap_area.*",)),
        (("vmap_area_find", "vmap_area_find"), (), ("vmap_area_find", "vmap_area_find.*")),
        (("*vmap_area*",), (), ("*vmap_area*", "*vmap_area*.*")),
    ],
)
def test_words_choose_events_and_functions(words: tuple[str, ...], events: tuple[str, ...], functions: tuple[str, ...]) -> None:
    assert ftrace.choose(words, KNOWN, CELL) == Chosen(events, functions)


@pytest.mark.parametrize(
    ("word", "said"),
    [
        ("kmem:kmaloc", r"The kernel of x86_64/stock/trace has no event 'kmem:kmaloc'; did you mean 'kmem:kmalloc'\?"),
        ("kmen:*", r"has no event 'kmen:\*'; "),
        ("alloc_vmap_aera", r"has no function 'alloc_vmap_aera', or the compiler .*; did you mean 'alloc_vmap_area'\?"),
        (
            "mm_page_alloc",
            r"'mm_page_alloc' is no function of x86_64/stock/trace, but an event is called so; say kmem:mm_page_alloc\.",
        ),
    ],
)
def test_a_word_that_chooses_nothing_is_refused_with_the_nearest(word: str, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        ftrace.choose(("kmem:kmalloc", word), KNOWN, CELL)


def test_a_kernel_tells_what_it_can_record() -> None:
    functions = "alloc_vmap_area\nvmt_run [vmalloc_test]\nalloc_vmap_area\n"
    _, asked = guest(names=shown(available_events="kmem:kmalloc\nkmem:kfree\n", available_filter_functions=functions))
    assert ftrace.available(asked) == Available(("kmem:kmalloc", "kmem:kfree"), ("alloc_vmap_area", "vmt_run"))


def test_a_guest_without_room_for_the_buffers_is_the_user_s_to_mend() -> None:
    fake, asked = guest(prepare="sh: write error: Cannot allocate memory\nno room\n")
    with pytest.raises(UsageError, match="no memory for 60 MiB of buffer on each CPU; say less with --buffer"):
        ftrace.prepare(asked, Chosen(("kmem:kmalloc", "kmem:kfree"), ("a*", "b")), 60)
    assert fake.asked == [("prepare", "61440", "kmem:kmalloc kmem:kfree", "a* b")]
    ftrace.prepare(guest(prepare="")[1], Chosen(("kmem:kmalloc",), ()), 8)


@pytest.fixture
def symbols(tmp_path: Path) -> Path:
    file = tmp_path / "System.map"
    file.write_text(recorded.SYMBOLS + "ffffffff82000000 D vmap_area_lock\n")
    return file


def described(*events: str) -> str:
    files = {path: f"{path}\n" for path in ("events/header_page", "events/header_event", "saved_cmdlines")}
    formats = {f"events/{event}/format": f"name: {event}\n" for event in events}
    return shown(**files, printk_formats="", trace_clock=recorded.CLOCKS, threads="thread=0 pid=60\n", **formats)


def test_what_was_recorded_is_fetched_with_all_that_it_takes_to_read_it(symbols: Path) -> None:
    drained = shown(
        **{"recorded/0": "entries: 5\n", "per_cpu/cpu0/stats": STATS.format(40)},
        **{"recorded/1": "entries: 0\n", "per_cpu/cpu1/stats": STATS.format(0)},
    )
    graph = ("ftrace/funcgraph_entry", "ftrace/funcgraph_exit")
    fake, asked = guest(drain=drained, describe=described(*graph, "kmem/kmalloc"))
    found = ftrace.collect(asked, Chosen(("kmem:kmalloc",), ("alloc_vmap_area",)), symbols)
    assert fake.asked[1] == ("describe", *graph, "kmem/kmalloc")
    assert fake.fetched == ["/trace.0"], "there is nothing of a CPU that recorded nothing"
    assert [(b.cpu, b.pages, b.entries, b.lost) for b in found.buffers] == [(0, b"pages of /trace.0", 5, 43), (1, b"", 0, 3)]
    assert found.lost == 46
    assert {system: len(texts) for system, texts in found.formats.items()} == {GRAPH: 2, "kmem": 1}
    assert (found.strings, found.clocks, found.commands) == (
        "",
        recorded.CLOCKS,
        "saved_cmdlines\n60 vmalloc_test/0\n",
    )
    assert found.symbols == recorded.SYMBOLS, "only functions are"


def test_without_functions_the_tracer_s_events_need_no_description(symbols: Path) -> None:
    fake, asked = guest(drain="", describe=described("kmem/kmalloc"))
    ftrace.collect(asked, Chosen(("kmem:kmalloc",), ()), symbols)
    assert fake.asked[1] == ("describe", "kmem/kmalloc")


def test_a_guest_that_does_not_say_how_much_it_recorded_is_lost(symbols: Path) -> None:
    _, asked = guest(drain=shown(**{"recorded/0": "sh: I/O error\n"}), describe=described("kmem/kmalloc"))
    with pytest.raises(VmLost, match="does not say how much it recorded on CPU 0, but: 'sh: I/O error"):
        ftrace.collect(asked, Chosen(("kmem:kmalloc",), ()), symbols)


@pytest.fixture
def tracing(tmp_path: Path) -> Path:
    """A folder with files as tracefs has them, except that they keep what is written."""
    for name in ("tracing_on", "current_tracer", "set_event", "set_ftrace_filter", "buffer_size_kb", "trace"):
        (tmp_path / name).write_text("old\n")
    return tmp_path


def script(tracing: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Run the script of the guest here, on other files."""
    content = Path(ftrace.__file__).with_name("ftrace.sh").read_text()
    assert "tracing=/sys/kernel/tracing\n" in content
    own = content.replace("tracing=/sys/kernel/tracing\n", f"tracing={shlex.quote(str(tracing))}\n")
    shell = shutil.which("dash") or "sh"
    return subprocess.run((shell, "-c", own, "sh", *words), capture_output=True, text=True, check=False)


def test_the_script_sets_up_what_was_chosen_and_leaves_tracing_off(tracing: Path) -> None:
    (tracing / "aaa").touch()
    assert script(tracing, "prepare", "8192", "kmem:kmalloc kmem:kfree", "a* vfree").returncode == 0
    found = {file.name: file.read_text().split() for file in tracing.iterdir()}
    assert found["tracing_on"] == ["0"]
    assert found["buffer_size_kb"] == ["8192"]
    assert found["set_event"] == ["kmem:kmalloc", "kmem:kfree"]
    assert found["set_ftrace_filter"] == ["a*", "vfree"], "a pattern is the kernel's, not the shell's"
    assert found["current_tracer"] == ["function_graph"]
    assert found["trace"] == [], "what an earlier trace left is gone"


def test_without_functions_no_tracer_runs(tracing: Path) -> None:
    script(tracing, "prepare", "8192", "kmem:kmalloc", "")
    assert (tracing / "current_tracer").read_text() == "nop\n"


def test_the_script_says_that_there_is_no_room(tracing: Path) -> None:
    (tracing / "buffer_size_kb").unlink()
    (tracing / "buffer_size_kb").mkdir()
    done = script(tracing, "prepare", "8192", "kmem:kmalloc", "")
    assert (done.returncode, done.stdout) == (0, "no room\n")
    assert (tracing / "set_event").read_text().strip() == ""


def test_the_script_fails_for_an_event_that_the_kernel_refuses(tracing: Path) -> None:
    (tracing / "set_ftrace_filter").unlink()
    (tracing / "set_ftrace_filter").mkdir()
    assert script(tracing, "prepare", "8192", "kmem:kmalloc", "vfree").returncode == 1


def test_the_script_shows_files_by_their_paths(tracing: Path) -> None:
    for name in ("available_events", "available_filter_functions"):
        (tracing / name).write_text(f"content of {name}\n")
    output = script(tracing, "names").stdout
    assert output == shown(
        available_events="content of available_events\n", available_filter_functions="content of available_filter_functions\n"
    )


def test_the_script_finds_the_threads_that_the_module_names(tracing: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    noted, other = "# note test=le_fit_alloc_test thread=0 pid=60", "# param threads=4 pid=7 cpus=0"
    log = f"[    1.6] vmalloc_test: {noted}\n[    1.6] vmalloc_test: {other}\n"
    (tracing / "dmesg").write_text(f"#!/bin/sh\ncat <<'END'\n{log}END\n")
    (tracing / "dmesg").chmod(0o755)
    monkeypatch.setenv("PATH", str(tracing), prepend=os.pathsep)
    assert "kernel-patch-rig: file threads\nthread=0 pid=60\n" in script(tracing, "describe").stdout
