# SPDX-License-Identifier: GPL-2.0-only
"""Parts that the tasks of the command line share: the options of a selection, and errors in one line."""

from __future__ import annotations

import functools
import inspect
import os
from collections.abc import Callable
from typing import Any

import msgspec
from invoke.context import Context
from invoke.exceptions import Exit
from invoke.main import program
from invoke.tasks import Task, task

from harness import text
from harness.cluster import address
from harness.commands import dry_run, live_ktap, uncaught
from harness.errors import UsageError
from harness.host import shortage
from harness.model.selection import Selection, check, each_kernel, refine
from harness.stats.outcome import ExitCode

HELP = {
    "machine": "machines to use, as in qemu_configs/ (default: all but those whose file says default = false, of a trace the one"
    " that is like this host)",
    "variant": "kernels to compare: stock, a series in kernel_patches/, NAME@2 for its first two patches,"
    " NAME@* for stock and every prefix (default: stock and the default series)",
    "each_patch": "each patch of the series that --series names, or the default one, as NAME@* does; not with --variant",
    "profile": "what the kernels are configured for (default: perf)",
    "tests": "tests by name, by a pattern such as 'sweep_*', or performance, stress, sweep, or all, which is all but sweeps;"
    " commas between them (default: all; of a sweep the sweeps, of a soak and mutants stress)",
    "clock": "of the performance tests: icount or wall (default: icount)",
    "scale": "quick, default or published (default: default, of mutants their table's)",
    "boots": "boots of each cell for the performance tests (default: the scale's)",
    "loops": "share of the scale's operations to do, such as 0.1 (default: 1)",
    "unsettled": "do not settle memory between samples, as in a running system; stock's figures then vary",
    "plain": "do not count instructions by function, nor the lines of the series that run: one boot of each cell less",
    "jobs": "how many compilers, and how many VMs, at once (default: one a core)",
    "keep": "leave up the first VM of each cell that is booted",
    "on_failure": "after a test that failed: keep, which leaves its VM up for invoke ssh and invoke gdb, or core, which writes its"
    " memory to the run's folder for crash and drgn (default: neither; a fresh VM is booted in any case)",
    "source": "kernel source of any release from 4.18 on: a folder, a tarball, or URL#REF of a git repository"
    " (default: RIG_SOURCE, the cache, kernel.org)",
    "series": "a series outside of the project: a folder, a maildir, an mbox or a patch; it takes the place of the default one",
    "kernel": "kernel base, as in kernel_patches/; forbids the fallback to the distribution's kernel; several with commas"
    " between them are built and tested one after the other (default: what --source is nearest to, else 4.18)",
    "toolchain": "what kernels and modules are built with: gcc, or llvm, which is clang and LLVM's linker and tools (default: gcc)",
    "threshold": "slow-down in per cent from which on a change is a regression (default: 5)",
    "module": "a folder with the sources of another test module, which takes the place of the rig's own",
    "module_args": "parameters for the module of --module, such as 'nr_threads=1 run_test_mask=7'",
    "cluster": "address of a scheduler, such as tls://host:8786, whose workers build the kernels and run the tests in place of this"
    " host; see invoke cluster.up (default: RIG_CLUSTER, else this host)",
    "margin": "per cent within which figures count as the same (default: 1 for icount, 5 for wall)",
}
OF_A_MODULE = ("module", "module_args")
_TAKE_A_MODULE = ("select", "build", "boot", "test", "try", "watch")
"""tasks that have the options in OF_A_MODULE: the others know what is in the rig's own module"""
_TAKE_A_CLUSTER = ("select", "build", "test", "try", "watch", "sweep", "soak", "nightly", "mutants", "bisect", "each", "selfcheck")
"""tasks whose builds and sessions may run on a cluster"""
_TAKE_KERNELS = ("select", "build", "boot", "test", "sweep")
"""tasks that take several kernel bases"""
_BOOTING: set[str] = set()
"""names of the tasks that boot VMs of their own"""
_chosen = Selection()
"""selection of `invoke select`"""


def choose(wanted: Selection) -> None:
    """Have the tasks that follow begin with this selection."""
    global _chosen
    _chosen = wanted


def selection_task(
    body: Callable[..., None],
    more: dict[str, str] | None = None,
    optional: tuple[str, ...] = (),
    positional: tuple[str, ...] = (),
    switches: dict[str, str] | None = None,
) -> Task[Any]:
    """Make a task that takes all the options of a selection, on top of those of `invoke select`.

    `more` are options of its own, with their help; `body` gets them by name. Those that are
    `optional` may be given without a value, those that are `positional` without their name. `switches` never have one.
    """
    on, name = switches or {}, body.__name__.strip("_")
    own = {**(more or {}), **on}
    flag = {dry_run.OPTION: dry_run.HELP} if name in dry_run.TASKS else {}
    left_out = (*(() if name in _TAKE_A_MODULE else OF_A_MODULE), *(() if name in _TAKE_A_CLUSTER else ("cluster",)))
    shared = {option: told for option, told in HELP.items() if option not in left_out}

    @functools.wraps(body)
    def run(_: Context, **options: Any) -> None:
        given = {name: value for name, value in options.items() if name in HELP and value not in (None, False)}
        called = getattr(program, "tasks", ())
        with errors():
            wanted, mine = refine(_chosen, given), {option: options[option] for option in own}
            if wanted.module and name not in _TAKE_A_MODULE:
                raise UsageError(
                    "--module goes with build, boot, test, try and watch alone; the other tasks know the rig's own tests."
                )
            if wanted.cluster and name not in _TAKE_A_CLUSTER:
                raise UsageError(f"--cluster has no meaning for `invoke {name}`, which hands nothing to workers; leave it out.")
            if name not in _TAKE_KERNELS and len(each_kernel(wanted)) > 1:
                raise UsageError(f"`invoke {name}` takes one kernel base, and --kernel names several: {wanted.kernel}.")
            dry = dry_run.asked(called)
            if name == "select":  # which runs nothing
                body(wanted, **mine)
            elif not dry:
                there = cluster(wanted) if name in _TAKE_A_CLUSTER else wanted
                if name in _BOOTING:  # RIG_CLUSTER excludes the same options as --cluster
                    check(there)
                body(there, **mine)
            if dry:
                dry_run.add(name, wanted, mine, called)

    context = inspect.Parameter("context", inspect.Parameter.POSITIONAL_OR_KEYWORD)
    flags = {option: False if getattr(Selection(), option, None) is False else None for option in (*shared, *own)}
    flags |= dict.fromkeys((*flag, *on), False)
    parameters = [inspect.Parameter(option, inspect.Parameter.KEYWORD_ONLY, default=default) for option, default in flags.items()]
    run.__signature__ = inspect.Signature([context, *parameters])  # type: ignore[attr-defined]
    made_task: Task[Any] = task(
        name=name,
        help={**shared, **own, **flag},
        optional=optional,
        positional=positional,
        auto_shortflags=False,
    )(run)
    return made_task


def cluster(wanted: Selection) -> Selection:
    """Return a selection with the cluster of ``RIG_CLUSTER`` if it names none itself; UsageError if that is no address."""
    by = "--cluster" if wanted.cluster else "RIG_CLUSTER"
    named = wanted.cluster or os.environ.get(by, "")
    return msgspec.structs.replace(wanted, cluster=str(address.read(named, by)) if named else "")


def boots(of: Task[Any]) -> Task[Any]:
    """Mark a task that boots VMs of its own and takes them down, so that `invoke boot` before it leaves none up."""
    _BOOTING.add(of.name)
    return of


def boots_itself(of: Task[Any]) -> bool:
    """Return whether a task is marked as one that boots VMs of its own."""
    return of.name in _BOOTING


class errors:  # noqa: N801 - reads as a statement
    """Turns the rig's errors into one line and an exit code."""

    def __enter__(self) -> None:
        live_ktap.claim(getattr(program, "tasks", ()))  # here, since all tasks come by, and print after that

    def __exit__(self, kind: object, error: BaseException | None, where: object) -> None:
        if error and (isinstance(error, OSError) or shortage.said(error)):
            raise Exit(uncaught.sentence(error), code=ExitCode.RIG_FAILED) from error
        if isinstance(error, KeyboardInterrupt):
            told = str(error) or "interrupted; what was recorded so far is kept."
            raise Exit(text.plain(f"kernel-patch-rig: {told}"), code=130) from error
