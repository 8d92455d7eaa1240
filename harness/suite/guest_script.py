# SPDX-License-Identifier: GPL-2.0-only
"""Writes the command that runs one test in the guest: the script that loads the module, and the module's parameters."""

from __future__ import annotations

from collections.abc import Mapping

from harness.kernlog import kmemleak
from harness.model import catalog
from harness.suite.plan import Plan, Session, Step
from harness.suite.vm_pool import MODULE

BEGIN = "kernel-patch-rig: begin"
END = "kernel-patch-rig: end"
MEMORY = "kernel-patch-rig: memory"
TRACE = "kernel-patch-rig: trace"
REST = "kernel-patch-rig: rest"
LEAKS = "kernel-patch-rig: leaks"
_LOOK_EVERY = 1
"""milliseconds of the guest's time between two looks at memory; the module makes them rarer in a long test"""

# Errors on demand come only where the module asks for them in its own thread: one (fail_nth), or all that follow it in the
# slab too (make-it-fail, which the filter of tasks goes by). Without pages the slab would complain to the log.
_FAULTS = """\
[ -e /sys/kernel/debug/failslab ] || mount -t debugfs debugfs /sys/kernel/debug 2> /dev/null
set_faults() {
    for way in /sys/kernel/debug/failslab /sys/kernel/debug/fail_page_alloc; do
        [ -d $way ] || continue
        echo 0 > $way/verbose
        echo $1 > $way/ignore-gfp-wait
        [ ! -e $way/ignore-gfp-highmem ] || echo $1 > $way/ignore-gfp-highmem
        [ ! -e $way/min-order ] || echo $2 > $way/min-order
    done
    slab=/sys/kernel/debug/failslab
    [ -d $slab ] || return
    echo Y > $slab/task-filter
    echo 1000000000 > $slab/times
    echo $3 > $slab/probability
}
set_faults N 0 100
"""
_NO_FAULTS = "set_faults Y 1 0\n"
_LOAD = """\
insmod "$@" || exit 1
{names}rmmod vmalloc_test || exit 1
dmesg
"""
_LOOK = f"""\
echo "{MEMORY} {{at}}"
cat /proc/meminfo /proc/slabinfo
echo "{MEMORY} end"
"""
# The tracer looks while tracing is on, which the module sees to around its timed loop. Switching tracing
# off by its file would stop the tracer for good: a first, short load leaves it running, but off.
_TRACE = f"""\
[ -e /sys/kernel/tracing/tracing_on ] || mount -t tracefs tracefs /sys/kernel/tracing
cd /sys/kernel/tracing || exit 1
echo 1 > tracing_on
echo {{tracer}} > current_tracer || exit 1
insmod "$1" {{short}} && rmmod vmalloc_test || exit 1
dmesg -c > /dev/null
echo 0 > tracing_max_latency
{_LOAD.format(names="")}\
echo "{TRACE} begin"
cat trace
echo "{TRACE} end"
echo nop > current_tracer
"""
# Only looks that are taken at rest can be compared. The module has purged its lazily freed areas, and is unloaded. The workers
# that destroy percpu chunks and free a module's memory get time to end. The page cache and slabs without objects are dropped:
# their size is chance, and no leak.
_AT_REST = f"""\
sleep 0.5
echo 3 > /proc/sys/vm/drop_caches
for shrink in /sys/kernel/slab/*/shrink; do echo 1 > $shrink; done
echo "{REST} begin"
cat /proc/uptime /proc/meminfo /proc/slabinfo
busybox awk '/unpurged/ {{ lazy += $2; next }} {{ areas++; bytes += $2 }}
    END {{ printf "areas %.0f %.0f lazy %.0f\\n", areas, bytes, lazy }}' /proc/vmallocinfo
echo "{REST} end"
"""
_KMEMLEAK = """\
leaks=/sys/kernel/debug/kmemleak
[ -e $leaks ] || mount -t debugfs debugfs /sys/kernel/debug 2> /dev/null
"""
# The thread of kmemleak would report memory in the middle of a test that only the test has a pointer to.
_CLEAR = """\
if ! { echo scan=off > $leaks && echo clear > $leaks; } 2> /dev/null; then
    echo "kmemleak is not there, or has switched itself off"
    exit 1
fi
"""
# Call traces cannot name a module's functions once it is gone.
_NAMES = f"""\
echo "{LEAKS} names"
grep -F '[vmalloc_test]' /proc/kallsyms
echo "{LEAKS} end"
"""
# The first scan takes the checksums of all objects. The second one, five seconds later (MSECS_MIN_AGE), finds those that have
# not changed. The third one finds objects again whose pointer was in a register, or moved, during the second.
_SCAN = f"""\
scan() {{
    echo "{LEAKS} looked for" > /dev/kmsg
    echo scan > $leaks
}}
scan
sleep 5
scan
found=$(head -c {kmemleak.MOST} $leaks | grep '^unreferenced')
if [ "$found" ]; then
    echo "{LEAKS} first"
    echo "$found"
    echo "{LEAKS} end"
    scan
    echo "{LEAKS} again"
    head -c {kmemleak.MOST} $leaks
    echo
    echo "{LEAKS} end"
fi
"""


def _script(work: str) -> str:
    return f"""\
dmesg -c > /dev/null
echo "{BEGIN}: $1" > /dev/kmsg
shift
{work}\
echo "{END}" > /dev/kmsg
"""


def command(chosen: Plan, session: Session, step: Step) -> tuple[str, ...]:
    """Return the command that does `step` in the guest."""
    use = catalog.profile_use(session.built.cell.profile)
    tracer = use.tracer
    first = step.test.stress or (session.boot == 0 and step.round == chosen.size.aside)
    looks = first and not tracer and not step.axis
    work = plain = _LOAD.format(names=_NAMES if use.leaks else "")
    if tracer:
        short = _words({"tests": step.test.name, "loops": 1, "repeat": 1, "busy": 1, "trace": 1})
        work = _TRACE.format(tracer=tracer, short=" ".join(short))
    elif chosen.hours:
        looks = False
        work = plain + _AT_REST
    elif looks:
        work = _LOOK.format(at="before") + plain + _LOOK.format(at="after")
    if step.test.faults:
        work = _FAULTS + work + _NO_FAULTS
    if use.leaks:
        work = _KMEMLEAK + (_CLEAR if step.clears else "") + work + (_SCAN if step.scans else "")
    wanted = parameters(chosen, step, tracer=bool(tracer), looks=looks)
    return ("sh", "-c", _script(work), "sh", step.name, MODULE, *_words(wanted))


def _words(named: Mapping[str, object]) -> tuple[str, ...]:
    return tuple(f"{name}={value}" for name, value in named.items())


def parameters(chosen: Plan, step: Step, *, tracer: bool, looks: bool) -> Mapping[str, object]:
    """Return the module's parameters for `step`.

    A test that is not compared, or that is traced, has one sample without warm-up: more would improve nothing.
    """
    size = chosen.size
    named: dict[str, object] = {
        "tests": step.test.name,
        "loops": max(1, round(chosen.loops_of(step.test) * step.share)),
        "busy": size.busy,
    }
    if step.seed:
        named["seed"] = step.seed
    if step.axis:
        return {**named, "repeat": 1, "busy": 0, step.axis: step.size}
    if tracer:
        return {**named, "repeat": 1, "trace": 1}
    if looks:
        named["memory"] = _LOOK_EVERY
    if step.test.stress:
        threads = {"threads": step.test.threads} if step.test.threads else {}
        return {**named, "repeat": 1, **threads}
    return {**named, "repeat": size.warmup + size.repeat, "settle": int(size.settle), "latency": int(step.round == size.aside)}
