#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# Runs one test in the guest:
#
#     guest.sh NAME "PASS..." MODULE PARAMETER...
#
# A pass is one of the functions below, with its argument behind a colon. The script ends at once, with code 1, if the module
# cannot be inserted or removed, or if a tracer or kmemleak is not there.
# harness/suite/guest_script.py chooses the passes, and harness/suite/extract.py reads what they print.

# Prints a line that begins or ends a part of the output.
mark() {
    echo "kernel-patch-rig: $*"
}

need_debugfs() {
    [ -e "/sys/kernel/debug/$1" ] || mount -t debugfs debugfs /sys/kernel/debug 2> /dev/null
}

# By kmod's insmod. BusyBox, whose shell takes its own for the name alone, tries again where a load fails: that would hide a
# kernel which only now and then has no room for a module, and run the tests of one that ends in an error twice.
insert() {
    shift
    /sbin/insmod "$@" || exit 1
}

remove() {
    rmmod vmalloc_test || exit 1
}

# A module of which the rig knows nothing but its name. One that does all its work while it is loaded may end in EAGAIN, so that
# it is gone again at once.
load_foreign() {
    name=$1
    shift
    if said=$(/sbin/insmod "$@" 2>&1); then
        rmmod "$name" || exit 1
    else
        case $said in
            *"Resource temporarily unavailable"*) ;;
            *)
                echo "$said"
                exit 1
                ;;
        esac
    fi
}

print_log() {
    dmesg
}

# Call traces cannot name a module's functions once it is gone.
print_names() {
    mark leaks names
    grep -F '[vmalloc_test]' /proc/kallsyms
    mark leaks end
}

# By them, addresses in the module are told apart by function.
print_sections() {
    mark sections begin
    for section in /sys/module/vmalloc_test/sections/.text*; do
        echo "${section##*/} $(cat "$section")"
    done
    mark sections end
}

print_memory() {
    mark memory "$1"
    cat /proc/meminfo /proc/slabinfo
    mark memory end
}

# Only states at rest can be compared. The module has purged its lazily freed areas, and is unloaded. The workers that destroy
# percpu chunks and free a module's memory get time to end. The page cache and slabs without objects are dropped: their size
# is chance, and no leak.
print_memory_at_rest() {
    sleep 0.5
    echo 3 > /proc/sys/vm/drop_caches
    for shrink in /sys/kernel/slab/*/shrink; do echo 1 > "$shrink"; done
    mark rest begin
    cat /proc/uptime /proc/meminfo /proc/slabinfo
    busybox awk '/unpurged/ { lazy += $2; next } { areas++; bytes += $2 }
        END { printf "areas %.0f %.0f lazy %.0f\n", areas, bytes, lazy }' /proc/vmallocinfo
    mark rest end
}

# The tracer looks while tracing is on, which the module sees to around its timed loop. Switching tracing off by its file would
# stop the tracer for good: a first, short load leaves it running, but off.
start_tracer() {
    tracing=/sys/kernel/tracing
    tracer=$1
    shift
    [ -e $tracing/tracing_on ] || mount -t tracefs tracefs $tracing
    echo 1 > $tracing/tracing_on || exit 1
    echo "$tracer" > $tracing/current_tracer || exit 1
    # Of a parameter that is given twice the kernel takes the last value.
    /sbin/insmod "$@" loops=1 busy=1 || exit 1
    remove
    dmesg -c > /dev/null
    echo 0 > $tracing/tracing_max_latency
}

print_trace() {
    mark trace begin
    cat /sys/kernel/tracing/trace
    mark trace end
    echo nop > /sys/kernel/tracing/current_tracer
}

# Errors on demand come only where the module asks for them in its own thread: one (fail_nth), or all that follow it in the
# slab too (make-it-fail, which the filter of tasks goes by). Without pages the slab would complain to the log.
allow_faults() {
    need_debugfs failslab
    set_faults N 0 100
}

forbid_faults() {
    set_faults Y 1 0
}

set_faults() {
    slab=/sys/kernel/debug/failslab
    for way in $slab /sys/kernel/debug/fail_page_alloc; do
        [ -d "$way" ] || continue
        echo 0 > "$way/verbose"
        echo "$1" > "$way/ignore-gfp-wait"
        [ ! -e "$way/ignore-gfp-highmem" ] || echo "$1" > "$way/ignore-gfp-highmem"
        [ ! -e "$way/min-order" ] || echo "$2" > "$way/min-order"
    done
    [ -d $slab ] || return 0
    echo Y > $slab/task-filter
    echo 1000000000 > $slab/times
    echo "$3" > $slab/probability
}

# The thread of kmemleak would report memory in the middle of a test that only the test has a pointer to.
clear_leaks() {
    need_debugfs kmemleak
    if ! { echo scan=off > /sys/kernel/debug/kmemleak && echo clear > /sys/kernel/debug/kmemleak; } 2> /dev/null; then
        echo "kmemleak is not there, or has switched itself off"
        exit 1
    fi
}

# The first scan takes the checksums of all objects. The second one, five seconds later (MSECS_MIN_AGE), finds those that have
# not changed. The third one finds objects again whose pointer was in a register, or moved, during the second.
print_leaks() {
    leaks=/sys/kernel/debug/kmemleak
    most=$1 # bytes
    need_debugfs kmemleak
    scan
    sleep 5
    scan
    unreferenced=$(head -c "$most" $leaks | grep '^unreferenced')
    if [ "$unreferenced" ]; then
        mark leaks first
        echo "$unreferenced"
        mark leaks end
        scan
        mark leaks again
        head -c "$most" $leaks
        echo
        mark leaks end
    fi
}

scan() {
    mark leaks looked for > /dev/kmsg
    echo scan > /sys/kernel/debug/kmemleak
}

dmesg -c > /dev/null
mark "begin: $1" > /dev/kmsg
passes=$2
shift 2
for pass in $passes; do
    "${pass%%:*}" "${pass#*:}" "$@"
done
mark end > /dev/kmsg
