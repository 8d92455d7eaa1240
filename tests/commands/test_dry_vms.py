# SPDX-License-Identifier: GPL-2.0-only
"""What a script boots and runs in it: the same as the rig itself, with small programs in the place of QEMU and ssh."""

from __future__ import annotations

import contextlib
import os
import re
import shlex
import shutil
import signal
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
import pytest
from invoke.parser.context import ParserContext

from harness.build import rootfs
from harness.build.built import BuiltCell
from harness.commands import dry_run, dry_vms
from harness.errors import Mismatch
from harness.host import process
from harness.model import matrix
from harness.model.selection import Selection
from harness.suite import guest_script, vm_pool
from harness.suite.plan import Plan, Session
from harness.suite.vm_pool import Hosting, Station
from harness.vm import blocks, launch
from harness.vm.ssh import Guest
from tests.support import make
from tests.support.calls import Call, Calls

UP = f'touch "$qmp"; echo "{rootfs.READY}" > "$log"; exec sleep 60'
FIT, HOLE, WINDOW = "le_fit_alloc_test", "exact_hole_test", "window_test"
OK, NOT_OK = "[    1.2] vmalloc_test: ok 1 {}", "[    1.2] vmalloc_test: not ok 1 {} # {}"
KNOWN = "refused: a hole that was passed by, 1000 bytes"
SAYS = """\
for last; do :; done
cat > /dev/null
for test in {tests}; do
    case $last in
        *" sh $test "*)
            if [ -e {folder}/lost-$test ]; then exit 255; fi
            cat {folder}/$test 2> /dev/null || :
            ;;
    esac
done"""
"""a guest that says what is in a file with the name of a test; its SSH breaks off if there is a file lost-TEST"""


class Scripts:
    """Scripts that test kernels under a program in the place of QEMU, and their calls."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch, body: str = UP) -> None:
        self.folder = folder
        self.calls = Calls(folder, monkeypatch)
        self.calls.program("prlimit", f'exec {shutil.which("prlimit")} "$@"')
        self.calls.program("ssh", SAYS.format(tests=f"{FIT} {HOLE} {WINDOW}", folder=folder))
        self.machine = make.fake_qemu(folder, body)
        (folder / "System.map").write_text("ffff0 T _raw_spin_lock\n")
        for name in ("vmalloc_test.ko", "vmalloc_second.ko"):
            shutil.copy("/bin/true", folder / name)
        self._patch = monkeypatch

    def plan(self, *tests: str, **other: Any) -> Plan:
        """Return a plan for stock, whose kernel nobody built."""
        planned = make.plan(matrix.load_base("4.18"), self.machine, tests=tests, **other)
        (built,) = planned.cells
        kernel = msgspec.structs.replace(built.kernel, folder=self.folder, module=self.folder / "vmalloc_test.ko")
        return msgspec.structs.replace(planned, cells=(msgspec.structs.replace(built, kernel=kernel),))

    def text(self, planned: Plan, *tasks: str) -> str:
        """Return the script of a command line."""
        self._patch.setattr(dry_run.Script, "built", lambda *_: planned)
        script = dry_run.Script([ParserContext(task) for task in tasks])
        return "".join(script.add(task, Selection(), {}) for task in tasks)

    def say(self, test: str, *lines: str) -> None:
        """Have the guest say this of a test."""
        (self.folder / test).write_text("\n".join(lines) + "\n")

    def pids(self) -> list[int]:
        """Return the processes that stood for QEMU."""
        return [int(line) for line in (self.folder / "pids").read_text().split()]

    def run(self, text: str) -> subprocess.CompletedProcess[str]:
        """Run a script that is read line by line, as one that is pasted."""
        self.calls.taken()
        return subprocess.run(
            ("sh", "-e"), input=text, env={**os.environ, "TMPDIR": str(self.folder)}, capture_output=True, text=True, check=False
        )


@pytest.fixture
def scripts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Scripts:
    return Scripts(tmp_path, monkeypatch)


def qemu(calls: Sequence[Call]) -> list[tuple[str, ...]]:
    """Return the command lines of QEMU, without what is another one in each boot: its port and its folders."""
    found = []
    for call in calls:
        if call.program == "prlimit":
            text = "\0".join(call.words)
            text = re.sub(r"(?<=127\.0\.0\.1:)\d+(?=-)", "PORT", text)
            text = re.sub(r"(?<=path=)\S+(?=/serial,)|(?<=unix:)\S+(?=/qmp,)|(?<=logfile=)[^\0]+(?=/serial\.log)", "VM", text)
            text = re.sub(r"(?<=\0)[^\0]+(?=/pid\0)|(?<=,out=)[^,]+(?=/blocks)", "VM", text)
            found.append(tuple(text.split("\0")))
    return found


def in_guest(calls: Sequence[Call]) -> list[list[str]]:
    """Return the commands that guests were given by ssh."""
    return [shlex.split(call.words[-1]) for call in calls if call.program == "ssh"]


def stripped(words: Sequence[str]) -> list[str]:
    """Return words without a line's end, which a shell drops from what a command prints."""
    return [word.rstrip("\n") for word in words]


class Noting(Guest):
    """A guest that notes down what it is told, and has nothing to say."""

    def __init__(self) -> None:
        self.told: list[list[str]] = []

    def run(self, *words: str, stdin: bytes = b"", seconds: float | None = None) -> str:
        self.told.append(stripped(words))
        return ""

    def close(self) -> None:
        """Do nothing."""


@pytest.mark.parametrize("watched", [False, True])
def test_a_script_boots_and_asks_as_the_rig_does(scripts: Scripts, watched: bool) -> None:
    planned = scripts.plan(FIT)
    if watched:
        of = msgspec.structs.replace(planned.cells[0], plugin=scripts.folder / "a,b.so")
        planned = msgspec.structs.replace(planned, cells=(of,))
    scripts.say(FIT, OK.format(FIT))
    session = planned.sessions[-1]
    assert session.watched is watched
    done = scripts.run(scripts.text(planned, "test"))
    assert (done.returncode, done.stderr) == (0, "")
    calls = scripts.calls.taken()
    guest = Noting()
    boot = vm_pool.booting(session.built, session.clock, memory=session.memory, pauses=False, watched=watched)
    with scripts.calls.all_noted():
        machine = launch.start(boot, "cell", keep=False)
    try:
        with pytest.raises(Mismatch), scripts.calls.all_noted():
            Station(session, machine, boot, scripts.folder / "log", Hosting(connect=lambda *_: guest))
    finally:
        machine.stop()
    told = [*guest.told, stripped(guest_script.command(planned, session, session.steps[0]))]
    assert in_guest(calls)[-len(told) :] == told
    assert qemu(calls)[-1:] == qemu(scripts.calls.taken())
    assert len(qemu(calls)) == len(planned.sessions)


def test_locks_for_the_plugin_are_those_that_the_rig_finds(tmp_path: Path, scripts: Scripts) -> None:
    names = ("_raw_spin_lock", "_raw_spin_unlock_irqrestore", "_raw_read_trylock", "_raw_write_unlock_bh", "queued_spin_lock", "x")
    (tmp_path / "System.map").write_text("".join(f"ffff{number} T {name}\n" for number, name in enumerate(names)))
    planned = scripts.plan(FIT)
    of: BuiltCell = msgspec.structs.replace(planned.cells[0], plugin=tmp_path / "blocks.so")
    session: Session = msgspec.structs.replace(planned.sessions[0], built=of, watched=True)
    lines = "\n".join([*dry_vms._locks(session), 'echo "$acquire $release"'])
    done = subprocess.run(("sh", "-e"), input=lines, capture_output=True, text=True, check=True)
    _, option = blocks.option(tmp_path / "p", tmp_path / "f", tmp_path / "System.map")
    assert done.stdout == "ffff0:ffff2 ffff1:ffff3\n"
    assert option.endswith("acquire=ffff0:ffff2,release=ffff1:ffff3")


@pytest.mark.parametrize(
    ("test", "lines", "code", "said"),
    [
        (FIT, [OK.format(FIT)], 0, OK.format(FIT)),
        (FIT, [f"{OK.format(FIT)} # SKIP no memory"], 0, "# SKIP"),
        (FIT, [NOT_OK.format(FIT, "-12")], 1, "not ok"),
        (FIT, ["# sample test=le_fit_alloc_test"], 1, f"{FIT}: no result"),
        (FIT, [OK.format(f"{FIT}_2")], 1, f"{FIT}: no result"),
        (FIT, [OK.format(FIT), NOT_OK.format(FIT, "-12")], 1, "not ok"),
        (FIT, [NOT_OK.format(FIT, KNOWN)], 1, "not ok"),
        (HOLE, [OK.format(HOLE)], 0, OK.format(HOLE)),
        (HOLE, [NOT_OK.format(HOLE, KNOWN)], 0, f"{HOLE}: a known bug of stock"),
        (HOLE, [NOT_OK.format(HOLE, "another reason")], 1, "another reason"),
    ],
)
def test_a_test_that_fails_fails_the_script(scripts: Scripts, test: str, lines: list[str], code: int, said: str) -> None:
    scripts.say(test, *lines)
    done = scripts.run(scripts.text(scripts.plan(test), "test"))
    assert said in done.stdout
    assert (done.returncode, done.stderr) == (code, f"failed: {test}-0\n" if code else "")
    assert not any(map(process.start_time, scripts.pids())), "the VM has ended"


def test_the_next_test_has_a_fresh_vm_if_one_is_lost(scripts: Scripts) -> None:
    (scripts.folder / f"lost-{WINDOW}").touch()
    scripts.say(HOLE, OK.format(HOLE))
    planned = scripts.plan(HOLE, WINDOW)
    (session,) = planned.sessions
    assert [step.name for step in session.steps] == [WINDOW, HOLE]
    done = scripts.run(scripts.text(planned, "test"))
    assert (done.returncode, done.stderr) == (1, f"failed: {WINDOW}-0\n")
    assert OK.format(HOLE) in done.stdout
    assert len(qemu(scripts.calls.taken())) == 2
    assert not any(map(process.start_time, scripts.pids()))


@pytest.mark.parametrize("shell", ["sh", "bash"])
def test_ctrl_c_in_a_test_ends_the_script_and_its_vm(scripts: Scripts, shell: str) -> None:
    """Ssh takes it for itself and ends with an error, after which a script goes on unless it was told not to."""
    asked, file = scripts.folder / "asked", scripts.folder / "all.sh"
    hangs = f"case $* in *' sh {WINDOW} '*) trap 'exit 255' INT; sleep 60 & touch {asked}; wait; exit 0 ;; esac"
    scripts.calls.program("ssh", hangs)
    file.write_text(scripts.text(scripts.plan(HOLE, WINDOW), "test"))
    environment = {**os.environ, "TMPDIR": str(scripts.folder)}
    with subprocess.Popen(
        ("env", "--default-signal=INT", shell, "-e", file), env=environment, stdout=subprocess.DEVNULL, process_group=0
    ) as running:
        deadline = time.monotonic() + 20
        while not asked.exists() and time.monotonic() < deadline:
            time.sleep(0.02)
        os.killpg(running.pid, signal.SIGINT)
        assert running.wait(20) == 130
    assert not any(map(process.start_time, scripts.pids()))
    assert len(scripts.pids()) == 1, "the next test was not begun"


def test_a_guest_that_does_not_come_up_ends_the_script(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    scripts = Scripts(tmp_path, monkeypatch, 'echo "Kernel panic" > "$log"; exit 1')
    done = scripts.run(scripts.text(scripts.plan(FIT), "test"))
    assert done.returncode == 1
    assert re.fullmatch(r"The guest did not come up; see \S+/serial.log and \S+/qemu.log.\n", done.stderr)


def test_what_boot_alone_starts_stays_up(scripts: Scripts) -> None:
    text = scripts.text(scripts.plan(FIT), "build", "boot")
    done = scripts.run(text)
    try:
        assert (done.returncode, done.stderr) == (0, "")
        assert [process.start_time(pid) > 0 for pid in scripts.pids()] == [True]
        assert f"to end it: kill {scripts.pids()[0]}" in done.stdout
        assert re.search(r"a shell in it: ssh -F none .* root@127\.0\.0\.1", done.stdout.replace("\n", " "))
        assert len(in_guest(scripts.calls.taken())) == 2, "the modules are in it"
    finally:
        for pid in scripts.pids():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
