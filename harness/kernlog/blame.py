# SPDX-License-Identifier: GPL-2.0-only
"""Which function of a call trace to blame: the first that is not there to report, to check, to lock or to copy."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable

from harness.kernlog.kinds import STALLS
from harness.trouble import Frame

_SUFFIX = re.compile(r"(?:\.(?:isra|constprop|part|cold|llvm|lto_priv|localalias|clone)(?:\.\w+)*)+$|\.\d+$|_ret_addr$")


def _names(words: str) -> re.Pattern[str]:
    return re.compile("|".join(words.split()))


_REPORTING = _names(r"""
    _*dump_stack(_lvl)? _*show_(stack|regs|trace|state)\w* dump_(backtrace|trace|header|page|regs)\w* unwind_\w+ walk_stackframe
    v?panic nmi_panic oops_\w+ _*die\w* no_context _*bad_area\w* _*do_kernel_fault _*(do_|handle_)?page_fault\w*
    (trace_|async_|kernelmode_)\w*(page_fault|fixup_or_oops)
    do_(user_addr|kern_addr|translation|mem|bad|alignment|sp_pc)\w*(fault|abort|area) spurious_\w*fault mmput_\w* asm_exc_\w+
    exc_\w+ idtentry\w* error_(entry|exit) (do_)?general_protection (do_)?(double_fault|divide_error|invalid_op|int3)
    do_error_trap do_trap\w* fixup_bug handle_bug report_bug _*report_bug bug_handler call_(break|undef)_hook brk_handler
    reserved_fault do_debug_exception do_undefinstr do_el\d\w* el[01]h?_\w+ vectors __und_svc __dabt_svc __pabt_svc do_DataAbort
    do_PrefetchAbort do_serror arm64_\w*(notify_die|serror\w*) bad_mode force_\w*fault program_check\w* do_program_check
    bad_page_fault handle_\w*exception _*warn(_slowpath\w*|_printk|_alloc\w*|_bogus\w*|_flushing\w*|)? __WARN\w* _*warn_thunk\w*
    _*k?asan_\w+ _*hwasan_\w+ _*kmsan_\w+ _*msan_\w+ _*kcsan_\w+ _*tsan_\w+ _*kfence_\w+ _*ubsan_\w+ _*sanitizer_\w+
    write_comp_data print_(report|address_\w+|error\w*|summary) end_report check_memory_region\w* check_region_inline
    memory_is_\w+ report_(enabled|suppressed|access\w*) handle_(overflow|object\w*|misaligned\w*) ubsan_epilogue val_to_string
    (__)?(report_|get_|kasan_)?stack_(trace|depot)_\w+ save_stack\w* set_(alloc|free|track)_info set_track\w*
    print_(bad_irq|circular|deadlock|usage|irq|unlock|lock|nested|held|lockdep|collision|kernel_ident|shortest|bfs)\w*
    print_\w+_bug check_(prev|prevs|noncircular|deadlock|redundant|irq|usage|flags|wait)\w* validate_chain
    _*lock_(acquire|release|contended|acquired|is_held|set_class|downgrade|pin|unpin)\w* mark_(lock|held)\w* lockdep_\w+
    register_lock_class look_up_lock_class assign_lock_key find_held_lock reacquire_held_locks match_held_lock
    debug_(locks|rt_mutex|mutex|spin|smp|rwsem|check|object|print|lockdep|exception)\w* _*debug_(check|object|print)\w*
    _*might_(sleep|fault|resched)\w* _*cond_resched\w* __schedule_bug schedule_debug rcu_lockdep\w*
    trace_(hardirqs|preempt|softirqs)_\w+ check_preemption_disabled _*this_cpu_preempt_check preempt_count\w* preempt_schedule\w*
    spin_(dump|bug) rwlock_bug debug_\w+_lock
    _*((do|arch|native|queued|pv|virt|ticket|mcs|osq|hv|kvm|xen|raw)_+)*(q?spin|read|write|rw|queued|seq|osq|mcs)_?(un|try)?lock\w*
    ((native|virt|pv)_+)*(queued|ticket|osq|mcs)_(spin|read|write|rw)\w* (arch|queued)_(read|write|spin)_\w+
    _+raw_(spin|read|write)\w* do_raw_\w+ _*pv_queued_\w+ pv_\w+ kvm_wait __pv_\w+
    _*(rt_|ww_)?mutex_(lock|unlock|trylock|optimistic|spin|remove|add|handoff)\w* _*rt_mutex\w*
    _*(down|up)(_(read|write|trylock|interruptible|killable|timeout|common))*(_\w+)? rwsem_\w+ _*percpu_(down|up|rwsem)_\w+
    _*local_bh_\w+ _*local_irq\w* _*local_lock\w* lock_sock_nested _*mem(cpy|set|move|cmp|chr|scan|dup|zero)\w*
    _*str(len|nlen|cpy|ncpy|lcpy|scpy|cat|cmp|ncmp|chr|str|dup)\w* sized_str\w+ fortify_panic _*fortify\w*
    _*copy_((to|from|in)_user|user|overflow|mc)\w* copy_page(_rep)? _*arch_copy_\w+ raw_copy_\w+ rep_(movs|stos)\w*
    clear_(page|user)\w* instrument_\w+ _*put_user\w* _*get_user\w* csum_partial\w* _*check_object_size\w* _*check_heap_object
    usercopy_(abort|warn) check_copy_size report_usercopy (arch_|raw_|generic_)*atomic(64|_long)?_\w+ _*refcount_\w+
    _*kref_(get|put|sub)\w* (arch_|_)*(test|set|clear|change)_(and_)?\w*bit\w* _*find_(first|next|last)_\w*bit\w*
    _*list_(add|del|splice|move)\w* _*list_\w+_valid\w* _*READ_ONCE\w* _*write_once\w* _*(raw_)?xchg\w* _*cmpxchg\w*
    hlist_(add|del)\w* _*hlist_del _*check_(valid|report)\w* kmemleak_\w+
    rcu_(is_watching|note_context\w*|lock_\w+|read_lock\w*|read_unlock\w*)
    slab_(err|bug|fix|pad_check|post_alloc_hook|free_hook\w*|free_freelist_hook|pre_alloc_hook) object_err
    check_(object|bytes\w*|slab|pad\w*) print_(trailer|track\w*|page_info|slab\w*|section|vma\w*) (free|alloc)_debug_processing
    free_consistency_checks _*x86_(indirect|return)_thunk\w* skb_(over_|under_)?panic _*stack_chk_fail
    _*rb_(erase|first|last|next|prev|insert)\w* _*panic_\w+ handle_bad_stack _*bad_stack rust_helper_\w+ \w*rust_begin_unwind
    string(_nocheck)? vs?c?n?printf s?c?n?printf pointer hex_string hex_dump_to_buffer print_hex_dump\w* read_word_at_a_time
    _*atomic_dec_and_lock\w* console_(lock|trylock) ldsem_\w+ call_rwsem\w* (__)?kernel_text_address is_(bpf_text|ftrace_tramp)\w*
    arch_stack_walk stack_trace_\w+ retint_\w+ irqentry_\w+ entry_\w+ do_syscall_\w+ ret_from_\w+ x64_sys_call _*system_call\w*
    tracesys\w* \w*sysenter\w* el0_svc\w* invoke_syscall do_fast_syscall\w* do_int80\w* start_secondary secondary_startup\w*
    kobject_(warn|err)\w* sysfs_warn_dup __cfi_\w* cfi_\w+ handle_cfi_failure
""")
_WAITING = _names(r"""
    _*schedule\w* io_schedule\w* context_switch _*switch_to _*wait_\w+ wait_\w+ _*do_wait\w* do_wait_for_common
    out_of_line_wait\w* bit_wait\w* _*synchronize_\w+ _*rt_mutex\w* _*flush_(work|workqueue)\w* (__)?folio_(lock|wait)\w*
    _*lock_page\w* _*mutex\w+ usleep_\w+ msleep\w* rcu_barrier\w* _*cancel_work\w* __switch_to\w* percpu_ref\w+ _*lock_sock\w*
    _*lock_buffer preempt_\w+ _*blk_mq_freeze\w* blk_execute_rq\w* kthread_(stop|park)\w* wait_for_\w+ jbd2_\w*wait\w* _*down\w*
    ret_from_\w+
""")
_STALLED = _names(r"""
    __switch_to rcu_\w+ print_(cpu|other_cpu)\w* check_cpu_stall _*sched_show_task _*show_\w+ trigger_\w+ arch_trigger\w* nmi_\w+
    update_process_times tick_\w+ _*hrtimer\w* _*sysvec_\w+ asm_sysvec\w+ smp_\w*(interrupt|ipi)\w* \w*apic_timer\w* local_apic\w*
    irq_(enter|exit)\w* _*irq_\w+ _*handle_\w*irq\w* gic_\w+ _*do_irq\w* call_on_\w*stack\w* arch_timer_\w+ ret_from_intr
    _*run_hrtimer\w* invoke_rcu\w* watchdog\w* ktime_\w+ read_tsc kvm_clock\w* csd_\w+ rep_nop cpu_relax delay_\w+ _*delay
    _*const_udelay _*udelay _*ndelay native_\w+ arch_cpu_idle default_idle\w* _*cpu_idle\w* do_idle cpu_startup_entry
    stop_this_cpu dump_cpu_task note_gp_changes\w* _*sanitizer\w+ _*kasan_check\w* kcov\w* check_kcov_mode
    in_(interrupt|lock_functions|irq)\w* _*bpf_prog_\w+_rest sched_(clock|show)\w* restart_\w+ finish_(task|lock)_switch\w*
    notify_\w* profile_tick perf_event_task_tick _*do_softirq\w* do_softirq_own_stack invoke_softirq
""")
_ALLOCATING = _names(r"""
    _*k?v?(z|m|c|re)?alloc(_array|_node|_track_caller|_cache|_trace|_large|_noprof|_order)*\w{0,40} kmem_cache_\w+
    _*kmem_cache_\w+ _*k[vz]?malloc\w* kz?alloc\w* _*do_kmalloc\w* _*slab_\w+ slab_\w+ _*vmalloc\w* vz?alloc\w* kvmalloc\w*
    kstrdup\w* kmemdup\w* kvasprintf\w* kasprintf\w* _*alloc_(pages|page|percpu|skb)\w* alloc_pages\w*
    _*get_(free_pages|zeroed_page|page_from_freelist|vm_area_node)\w* alloc_vmap_area pcpu_alloc\w* allocate_slab new_slab\w*
    out_of_memory oom_\w+ dump_\w+ pagefault_out_of_memory create_object lookup_object mem_cgroup_\w+ try_charge\w*
    _*mem_cgroup\w* folio_alloc\w* filemap_alloc\w* kmalloc\w* sk_prot_alloc __build_skb _*vm_area_alloc_pages _*page_cache_alloc
""")
_FREEING = _names(r"""
    kernel_poison_pages (un)?poison_\w+ check_poison_mem _*k?v?free(_sensitive|_const|_bulk|_rcu)?(_\w+)?
    kmem_cache_(free|destroy|alloc)\w* _*kmem_cache_\w+ kzfree\w* cache_(free|alloc)\w* _*slab_\w+ slab_\w+ do_slab_free
    _*do_kfree\w* ___cache_free qlink_\w+ qlist_\w+ quarantine\w* _*vunmap vfree\w* remove_vm_area vunmap find_vm_area
    _*shutdown_cache\w* poison_\w+ kvfree bad_page free_(pages|pcp|unref|page|tail|large|one)\w* _*free_(pages|page|one|unref)\w*
    (check_)?new_page\w* check_new_page\w* prep_new_page get_page_from_freelist rmqueue\w* _*alloc_pages\w* alloc_pages\w*
    release_pages zap_\w+ unmap_\w+ _*put_page\w* tlb_\w+ print_bad_pte check_mm _*mmdrop mmput
""")
_ASKED = _names(r"""
    kmalloc_\w+ _*k[vz]?malloc\w* kvmalloc\w* kmem_cache_alloc\w* _*alloc_(frozen_)?pages\w* alloc_pages\w* _*flush_work
    _*cancel_\w*work\w* kobject_\w+ sysfs_\w+ _*proc_register
""")
_SLAB = _names(r"""
    _*kmem_cache_\w+ _*k[vz]?[mzc]?alloc\w* kmalloc\w* _*k[vz]?free\w* _*do_kmalloc\w* _*slab_\w+ slab_\w+ _*prepare_slab\w*
    new_slab setup_object\w* allocate_slab
""")
_COUNTED = _names(r"kobject_(get|put) _*kref_\w+ get_device put_device _*put_task_struct")
_BY_KIND = {
    **dict.fromkeys(STALLS, (_STALLED,)),
    "hung-task": (_WAITING,),
    "atomic": (_WAITING, _SLAB),
    "lockdep": (_SLAB,),
    "stack-overflow": (_WAITING,),
    "refcount": (_COUNTED,),
    "warning": (_ASKED,),
    "out-of-memory": (_ALLOCATING,),
    "allocation-failure": (_ALLOCATING,),
    "vmap-exhausted": (_ALLOCATING,),
    "memory-leak": (_ALLOCATING,),
    "slab": (_FREEING, _ALLOCATING),
    "bad-page": (_FREEING,),
    "vfree": (_FREEING,),
    "list-corruption": (),
    "debug-object": (_FREEING,),
    "kasan": (_FREEING,),
    "kfence": (_FREEING,),
    "usercopy": (_FREEING,),
}
_WHERE_IT_STANDS = frozenset(
    {"lockdep", "hung-task", "atomic", "memory-leak", "out-of-memory", "allocation-failure", "slab", "bad-page", "ubsan"}
)
"""kinds whose registers, if any, are those of the program that called"""


@functools.lru_cache(4096)
def plain(function: str) -> str:
    """Return a function's name as the source has it, without what a compiler appended."""
    return _SUFFIX.sub("", function)


@functools.lru_cache(4096)
def reports(function: str, kind: str = "") -> bool:
    """Whether a function is not to blame for a report of `kind`, but helped to make it."""
    name = plain(function)
    return bool(_REPORTING.fullmatch(name)) or any(names.fullmatch(name) for names in _BY_KIND.get(kind, ()))


def _certain(frame: Frame) -> bool:
    """Whether the kernel was in that function: a call that never returns may be its caller's last instruction."""
    return frame.sure and (frame.exact or frame.inlined or frame.offset > 0 or not frame.size)


def blamed(kind: str, named: Frame | None, pc: Frame | None, frames: Iterable[Frame]) -> Frame | None:
    """Return whom to blame: the function that the header names, that of the program counter, or the nearest caller of both."""
    first = [f for f in (named, None if kind in _WHERE_IT_STANDS else pc) if f]
    trace = list(frames)
    start = next((i for i, f in enumerate(trace) if named and f.function == named.function), 0)
    for candidate in (*first, *filter(_certain, trace[start:]), *filter(_certain, trace[:start])):
        if not reports(candidate.function, kind):
            return candidate
    return first[0] if first else None
