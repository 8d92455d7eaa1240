#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# Records in the guest with the kernel's ftrace:
#
#     ftrace.sh names                              prints the events and functions that can be recorded
#     ftrace.sh prepare KIB "EVENT..." "FUNCTION..."   sets it up; the test module switches it on and off
#     ftrace.sh drain                              moves what was recorded to the files /trace.CPU
#     ftrace.sh describe EVENT...                  prints what it takes to read these
#
# harness/suite/ftrace.py calls it. Patterns are the kernel's to match, hence no globbing.
set -f
tracing=/sys/kernel/tracing

show() {
    echo "kernel-patch-rig: file $1"
    cat "$1"
}

names() {
    show available_events
    show available_filter_functions
}

# A VM that was left up may have been used for another trace.
prepare() {
    echo 0 > tracing_on
    rest
    if ! echo "$1" > buffer_size_kb; then
        echo "no room"
        return
    fi
    for event in $2; do echo "$event" >> set_event || exit 1; done
    for function in $3; do echo "$function" >> set_ftrace_filter || exit 1; done
    [ -z "$3" ] || echo function_graph > current_tracer || exit 1
    echo 4096 > saved_cmdlines_size
    echo > trace
}

rest() {
    echo nop > current_tracer
    echo > set_event
    echo > set_ftrace_filter
}

# The file of a buffer never ends: a read of an empty one waits. So the reader is ended once nothing is left in the buffer and
# it has had the time to write what it read. The host counts the events, and would notice a page that is missing.
drain() {
    echo 0 > tracing_on
    cpu=0
    while [ -e per_cpu/cpu$cpu ]; do
        echo "kernel-patch-rig: file recorded/$cpu"
        grep '^entries: ' per_cpu/cpu$cpu/stats
        busybox dd if=per_cpu/cpu$cpu/trace_pipe_raw of=/trace.$cpu bs=4096 2> /dev/null &
        reader=$!
        until grep -q '^entries: 0$' per_cpu/cpu$cpu/stats; do sleep 0.1; done
        sleep 0.2
        kill $reader
        show per_cpu/cpu$cpu/stats
        cpu=$((cpu + 1))
    done
    rest
}

describe() {
    for file in events/header_page events/header_event saved_cmdlines printk_formats trace_clock; do show $file; done
    echo "kernel-patch-rig: file threads"
    dmesg | grep -o 'thread=[0-9]* pid=[0-9]*$'
    for event in "$@"; do show "events/$event/format"; done
}

[ -e $tracing/tracing_on ] || mount -t tracefs tracefs $tracing
cd $tracing || exit 1
"$@"
