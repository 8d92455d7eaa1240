# SPDX-License-Identifier: GPL-2.0-only
"""Harms the rig at random moments for as long as it is told to, and checks what is left each time.

python -m tests.end_to_end.chaos_night --minutes 60 --seed 1

Each trial starts a run, does one thing to it, and lets it end or resumes it. A trial that goes wrong is printed with the seed
that repeats it, and makes the exit code 1. The kernels of stock have to be in the cache.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import msgspec

from harness import paths
from harness.build import git
from harness.commands import pipeline
from harness.model import matrix
from harness.model.selection import Selection
from harness.stats.outcome import ExitCode
from harness.vm import vms
from tests.support.rig import WHOLE, Rig

_LONGEST = 20.0
"""seconds after the start within which a run is harmed; most take longer"""
_STALE = 600.0
"""seconds after which a lock of git can be of no process of this night"""


class Harm(msgspec.Struct, frozen=True):
    """Something that happens to a run, and the exit codes that may follow."""

    does: Callable[[Rig, random.Random], object]
    codes: tuple[int, ...] = (ExitCode.GOOD,)
    findings: tuple[str, ...] = ()
    """kinds of finding that may follow"""


def processes(rig: Rig) -> list[int]:
    """Return the processes of a run, QEMU among them: all whose environment names its results."""
    marker = f"RIG_RESULTS={rig.results}".encode()
    found = []
    for environment in Path("/proc").glob("[0-9]*/environ"):
        with contextlib.suppress(OSError):
            if marker in environment.read_bytes().split(b"\0"):
                found.append(int(environment.parent.name))
    return found


def send(number: signal.Signals, pids: Sequence[int]) -> None:
    """Send a signal to processes that may be gone."""
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)


def paused(rig: Rig, chance: random.Random) -> None:
    """Stop all processes of a run for a while, as a suspended or frozen host does."""
    pids = processes(rig)
    send(signal.SIGSTOP, pids)
    time.sleep(chance.uniform(5, 45))
    send(signal.SIGCONT, pids)


def starved(_: Rig, chance: random.Random) -> None:
    """Take most of the CPUs away for a while."""
    hogs = [subprocess.Popen((sys.executable, "-c", "while True: pass")) for _ in range(8 * (os.cpu_count() or 1))]
    time.sleep(chance.uniform(5, 30))
    for hog in hogs:
        hog.kill()
        hog.wait()


def of_qemu(number: signal.Signals) -> Callable[[Rig, random.Random], object]:
    """Return a harm that sends QEMU a signal, if it is up."""

    def do(rig: Rig, _: random.Random) -> None:
        send(number, [machine.state.pid for machine in vms.every() if machine.state.pid in processes(rig)])

    return do


HARMS = {
    "nothing": Harm(lambda *_: None),
    "rig killed": Harm(lambda rig, _: rig.process.kill(), codes=(-signal.SIGKILL,)),
    "rig terminated": Harm(lambda rig, _: rig.process.terminate(), codes=(-signal.SIGTERM, 130, 143, ExitCode.RIG_FAILED)),
    "interrupted": Harm(lambda rig, _: rig.process.send_signal(signal.SIGINT), codes=(130, ExitCode.RIG_FAILED)),
    "host paused": Harm(paused),
    "starved": Harm(starved),
    "QEMU killed": Harm(of_qemu(signal.SIGKILL), codes=(ExitCode.RIG_FAILED,)),
}


def trial(seed: int, folder: Path) -> tuple[str, list[str]]:
    """Do the trial of `seed` with its results in `folder`; return its description, and all that is wrong afterwards."""
    chance = random.Random(seed)
    machine, name, moment = chance.choice(matrix.machine_names()), chance.choice(list(HARMS)), chance.uniform(0, _LONGEST)
    harm = HARMS[name]
    rig = Rig(machine, folder / "results", loops=150)
    with contextlib.suppress(subprocess.TimeoutExpired):
        rig.process.wait(moment)
    over = rig.process.poll() is not None
    if not over:
        harm.does(rig, chance)
    code = rig.wait()
    wrong = list(_wrong(rig, harm, code, over=over))
    return f"seed {seed}: {name} after {moment:.1f} s on {machine}, exit code {code}", wrong


def _wrong(rig: Rig, harm: Harm, code: int, *, over: bool) -> Iterator[str]:
    early = code == -signal.SIGINT and not _reached_the_rig(rig.output)
    if not early and code not in ((ExitCode.GOOD,) if over else (ExitCode.GOOD, *harm.codes)):
        yield f"exit code {code}: {rig.output[-2000:]}"
    if not early and "Traceback" in rig.output:
        yield f"a traceback: {rig.output[-2000:]}"
    ended_by = time.monotonic() + 30
    while processes(rig) and time.monotonic() < ended_by:
        time.sleep(0.1)
    if left := processes(rig):
        yield f"processes are left: {left}"
    if rig.again("status") != 0:
        yield f"`invoke status` fails: {rig.output[-2000:]}"
    if any(rig.results.glob("*/run.json")):
        kinds = {finding.trouble.kind for finding in rig.run.findings()}
        if unexpected := kinds - set(harm.findings):
            yield f"findings: {sorted(unexpected)}"
        if not kinds:
            yield from _resumed(rig)
    for task in ("history", "report latest"):
        if any(rig.results.glob("*/report.html")) and rig.again(*task.split()) not in (ExitCode.GOOD, *harm.codes):
            yield f"`invoke {task}` fails: {rig.output[-2000:]}"


def _reached_the_rig(output: str) -> bool:
    """Return False for the traceback of a Python that was interrupted in its own start, before the project's code."""
    own = (paths.PROJECT / "tasks.py", paths.PROJECT / "harness")
    return "Traceback" not in output or any(str(path) in output for path in own)


def _resumed(rig: Rig) -> Iterator[str]:
    """Resume a run that did not end, and yield what is wrong with it then."""
    failed = any(result.outcome == "error" for result in rig.run.results())
    if (failed or not rig.run.provenance().finished) and rig.again("test", "--resume") != ExitCode.GOOD:
        yield f"`invoke test --resume` fails: {rig.output[-2000:]}"
    outcomes = [(result.test, result.outcome) for result in rig.run.results()]
    if outcomes != WHOLE:
        yield f"results: {outcomes}"
    if len(rig.run.samples()) != len({(s.test, s.repeat) for s in rig.run.samples()}):
        yield "a sample is there twice"


def leftovers() -> list[str]:
    """Return what a night must not leave in the cache: folders of VMs, stale locks of git, files of half-made entries."""
    cache = paths.cache()
    stale = [lock for lock in git.repository().rglob("*.lock") if time.time() - lock.stat().st_mtime > _STALE]
    return [str(path) for path in (*(cache / "vms").glob("*/state.json"), *stale, *cache.glob("*/.*.????????"))]


def main() -> int:
    """Do trials until the time is over; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument("--seed", type=int, default=1, help="of the first trial; each further one has the next")
    chosen = parser.parse_args()
    # A shell lets the commands that it runs in the background ignore it, and they hand that on.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    pipeline.build(Selection(variant="stock", scale="quick"))
    before, ends, seed, bad = set(leftovers()), time.monotonic() + 60 * chosen.minutes, chosen.seed, 0
    while time.monotonic() < ends:
        folder = Path(tempfile.mkdtemp(prefix="chaos-"))
        description, wrong = trial(seed, folder)
        print(description, *(f"  WRONG: {one}" for one in wrong), sep="\n", flush=True)
        bad += bool(wrong)
        if not wrong:
            shutil.rmtree(folder)
        seed += 1
    left = sorted(set(leftovers()) - before)
    print(f"{seed - chosen.seed} trials, {bad} went wrong; left in the cache: {', '.join(left) or 'nothing'}")
    return int(bool(bad or left))


if __name__ == "__main__":
    sys.exit(main())
