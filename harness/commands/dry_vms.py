# SPDX-License-Identifier: GPL-2.0-only
"""Writes as shell text what would be booted, and what would be run in it over SSH."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import msgspec

from harness.build import keys, rootfs
from harness.host import deadline, process
from harness.model import catalog
from harness.model.known_bugs import KnownBug
from harness.report import shell_text as sh
from harness.suite import guest_script, proof, vm_pool, watch
from harness.suite.plan import Plan, Session, Step
from harness.vm import blocks, launch, qemu_args, ssh, vms

VM = Path("$vm")
"""folder that the script makes for a VM"""
_PORT = "$port"
_PACE = 5
"""times that a guest may take longer than usual: the rig measures how slow the host is, and a script does not"""
_ANSWER = 30 * _PACE
"""seconds for a command that is no test"""
_ANCHOR = re.compile(r"(?:^|(?<=[|(]))\^|\$(?=[|)]|$)")
"""signs for the start and the end of a title, which in a log stands in a line"""
_TRIES = 10
"""looks at the console in a second"""
_GUEST, _ASK = "guest_sh", "ask_sh"
_FREE_PORT = 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'


def functions() -> str:
    """Return the variables and shell functions that all VMs of a script share."""
    # Else timeout would put ssh into a process group of its own, which no Ctrl-C of a terminal reaches.
    reached = sh.command(("timeout", "--foreground", "$seconds", *ssh.words(_PORT, VM / ssh.KNOWN, keys.ensure()))).replace(
        "'$seconds'", '"$seconds"'
    )
    return "\n".join(
        [
            sh.comment("What a guest runs for each test, and what it is asked before the first one."),
            f"{_GUEST}=$(cat {sh.quoted(str(guest_script.SCRIPT))})",
            sh.variable(_ASK, _asked()),
            sh.comment("Quotes text for a shell."),
            sh.QUOTE,
            sh.comment("Runs a command in the VM; it may take so many seconds."),
            sh.function("in_guest", "seconds=$1", "shift", f'{reached} "$@"'),
            sh.comment("Waits until the VM is up."),
            sh.function("wait_for_ssh", *_WAIT.splitlines()),
            sh.comment("Ends the VM."),
            sh.function("stop", '[ -z "$qemu" ] || { kill "$qemu"; wait "$qemu"; } 2> /dev/null || :', "qemu="),
            sh.comment("Tells how a test went: LOG TEST, and what a known bug of stock says in the log."),
            sh.function("judge", *_JUDGE.splitlines()),
        ]
    )


_WAIT = f"""\
tries=0
until grep -q {sh.quoted(rootfs.READY)} "$vm/{qemu_args.LOG}" 2> /dev/null; do
    tries=$((tries + 1))
    if [ "$tries" -gt {round(vms.BOOT_SECONDS * _TRIES)} ] || ! kill -0 "$qemu" 2> /dev/null; then
        echo "The guest did not come up; see $vm/{qemu_args.LOG} and $vm/qemu.log." >&2
        return 1
    fi
    sleep {1 / _TRIES:g}
done"""
_JUDGE = """\
if grep -E "vmalloc_test: not ok [0-9]+ $2( |$)" "$vm/$1.log"; then
    result=failed
elif grep -E "vmalloc_test: ok [0-9]+ $2( |$)" "$vm/$1.log"; then
    result=
else
    echo "$2: no result; see $vm/$1.log and $vm/serial.log"
    result=failed
fi
if [ "$result" ] && [ "$3" ] && grep -q -P "$3" "$vm/$1.log" "$vm/serial.log"; then
    echo "$2: a known bug of stock: $3"
elif [ "$result" ]; then
    failed="$failed $1"
fi"""


def _asked() -> str:
    return proof.asking(vm_pool.MODULE)[2]


_TEXTS = {guest_script.SCRIPT.read_text(): _GUEST, _asked(): _ASK}


def session(planned: Plan, of: Session, steps: Sequence[Step], *, left: bool) -> str:
    """Return the text that boots the VM of a session, does `steps` in it, and ends it, unless it is `left` up."""
    what = f"{of.built.cell.machine.description}, {of.clock} clock"
    after = [sh.comment("`invoke boot` leaves it up, and so does this."), _left_up()] if left else ["stop"]
    return "\n".join(
        [
            sh.title(f"VM {of.name}: {what}"),
            *_locks(of),
            sh.function("start", *_start(of, left=left)),
            "start",
            *(line for step in steps for line in _step(planned, of, step)),
            *after,
        ]
    )


def _locks(of: Session) -> list[str]:
    """Return the lines that find the functions which take and release spinlocks, for the plugin."""
    if not of.watched:
        return []
    symbols = sh.quoted(str(of.built.kernel.folder / "System.map"))
    matches = f"$3 ~ /{blocks.LOCK.pattern}/"
    return [
        sh.comment("Functions that take a spinlock, and those that release one, for the plugin."),
        *(
            f"{name}=$(awk '{matches} && $3 {how} /unlock/ {{ print $1 }}' {symbols} | paste -s -d :)"
            for name, how in (("acquire", "!~"), ("release", "~"))
        ),
    ]


def _start(of: Session, *, left: bool) -> list[str]:
    boot = vm_pool.booting(of.built, of.clock, memory=of.memory, pauses=False, watched=of.watched)
    boot = msgspec.structs.replace(boot, port=_PORT, sandbox=launch.has_sandbox(boot.machine.qemu.binary))
    qemu = process.limited(qemu_args.command(boot, VM, _plugged), keep=left, largest=vms.LONGEST_LOG)
    key = sh.quoted(str(keys.ensure().host_public))
    asked = () if left else (vm_pool.CLOCK, proof.asking(vm_pool.MODULE))
    return [
        'vm=$(mktemp -d "$work/vm.XXXXXX")',
        sh.command(("mkdir", str(VM / blocks.FOLDER))),
        f"port=$(python3 -c {sh.quoted(_FREE_PORT)})",
        f'echo "{ssh.host(_PORT)} $(cat {key})" > {sh.quoted(str(VM / ssh.KNOWN))}',
        f'{sh.command(qemu)} \\\n    < /dev/null > "$vm/qemu.log" 2>&1 &',
        "qemu=$!",
        f'echo "{of.name}: $vm/{qemu_args.LOG}"',
        "wait_for_ssh",
        *(_in_guest(_ANSWER, ssh.writing(place), file) for file, place in vm_pool.modules(of.built)),
        *(_in_guest(_ANSWER, words) for words in asked),
    ]


def _in_guest(seconds: int, words: Sequence[str], file: Path = Path("/dev/null"), more: Sequence[str] = ()) -> str:
    """Return the line that runs a command with a file as its input: else it would read the lines that are pasted behind it."""
    return sh.wrapped(["in_guest", str(seconds), sh.remote(words, _TEXTS), f"< {sh.quoted(str(file))}", *more])


def _plugged(plugin: Path, folder: Path, _symbols: Path) -> tuple[str, str]:
    return blocks.option_with(plugin, folder, ["$acquire"], ["$release"])


def _step(planned: Plan, of: Session, step: Step) -> list[str]:
    log = f"{step.name}-{step.round}"
    cell = of.built.cell
    known = planned.base.bugs(cell.machine.name, cell.profile, step.name)
    return [
        '[ "$qemu" ] || start',
        _in_guest(
            _seconds(planned, of, step), guest_script.command(planned, of, step), more=(f'> "$vm/{log}.log" 2>&1', "|| stop")
        ),
        sh.wrapped(["judge", sh.quoted(log), step.test.name, *([sh.quoted(_shown(known))] if known else [])]),
    ]


def _shown(known: Sequence[KnownBug]) -> str:
    """Return the regular expression of a line of a log that shows one of these bugs."""
    return "|".join(f"({_ANCHOR.sub('', bug.title)})" for bug in known)


def _seconds(planned: Plan, of: Session, step: Step) -> int:
    """Return after how many seconds a test hangs."""
    factor = planned.patience(step) + catalog.profile_use(of.built.cell.profile).leaks
    return round(watch.Patience().test * factor * deadline.patience() * _PACE)


def _left_up() -> str:
    reached = sh.command(ssh.words(_PORT, VM / ssh.KNOWN, keys.ensure()))
    return f'echo "a shell in it: $(cat << END\n{reached}\nEND\n)"\necho "to end it: kill $qemu"\nqemu='
