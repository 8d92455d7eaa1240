# SPDX-License-Identifier: GPL-2.0-only
"""Names of functions in a call trace that are never to blame: those that make the report, and common helpers.

The patterns match a whole name without a compiler's suffixes. Functions of mm/ are not among them: if the kernel
stops there, its developers want to see that.
"""

from __future__ import annotations

import functools
from typing import Any

import re2  # type: ignore[import-untyped]

from harness.kernlog.kinds import STALLS

_DYING = r"""
    _*dump_stack(_lvl)? _*show_(stack|regs|trace|state)\w* dump_(backtrace|trace|header|page|regs|unreclaimable)\w* _*v?panic
    _*panic_\w+ check_panic\w* nmi_panic df_debug oops_\w+ _*die\w* __cfi_\w* cfi_\w+ handle_cfi_failure
    _*warn(_slowpath\w*|_printk|_alloc\w*|_bogus\w*|_flushing\w*|)? __WARN\w* _*warn_thunk\w* _*report_bug bug_handler fixup_bug
    handle_bug \w*assert_?fail\w* assfail rust_helper_\w+ \w*rust_begin_unwind _R\w+panicking\w+ end_report
    report_(enabled|suppressed) no_context _*bad_area\w* _*do_kernel_fault _*(do_|handle_)?page_fault\w*
    (trace_|async_|kernelmode_)\w*(page_fault|fixup_or_oops)
    do_(user_addr|kern_addr|translation|mem|bad|alignment|sp_pc)\w*(fault|abort|area) spurious_\w*fault mmput_\w* bad_page_fault
    asm_exc_\w+ exc_\w+ idtentry\w* error_(entry|exit) (do_)?(general_protection|double_fault|invalid_op|int3|divide_error)
    (do_)?(overflow|bounds|invalid_TSS|segment_not_present|stack_segment|alignment_check) do_error_trap do_trap\w*
    call_(break|undef)_hook brk_handler reserved_fault do_debug_exception do_undefinstr do_el\d\w* el[01]h?_\w+ vectors __und_svc
    __dabt_svc __pabt_svc do_DataAbort do_PrefetchAbort do_serror arm64_\w*(notify_die|serror\w*) bad_mode force_\w*fault
    program_check\w* do_program_check handle_\w*exception handle_bad_stack _*bad_stack _*stack_chk_fail retint_\w+ irqentry_\w+
    (default_)?do_nmi (unknown_nmi|pci_serr|io_check)_error end_repeat_nmi
    entry_\w+ do_syscall_\w+ ret_from_\w+ x64_sys_call _*system_call\w* tracesys\w* \w*sysenter\w* el0_svc\w* invoke_syscall
    do_fast_syscall\w* do_int80\w* start_secondary secondary_startup\w* _*switch_to\w* __rela_dyn_start __sched_text_start
    _*x86_(indirect|return)_thunk\w*
"""
_UNWINDING = r"""
    unwind_\w+ walk_stackframe arch_stack_walk stack_trace_\w+ (__)?(report_|get_|kasan_)?stack_(trace|depot)_\w+ _*save_stack\w*
    dump_trace print_context_stack deref_stack_reg _*read_once_\w+ (__)?kernel_text_address is_(bpf_text|ftrace_tramp)\w*
"""
_CHECKING = r"""
    _*k?asan_\w+ _*hwasan_\w+ _*kmsan_\w+ _*msan_\w+ _*kcsan_\w+ _*tsan_\w+ _*kfence_\w+ _*ubsan_\w+ _*sanitizer_\w+ _*kcov\w*
    write_comp_data print_(report|address_\w+|error\w*|summary) check_memory_region\w* check_region_inline memory_is_\w+
    report_access\w* handle_(overflow|object\w*|misaligned\w*) ubsan_epilogue val_to_string set_(alloc|free|track)_info
    set_track\w* quarantine_\w+ qlist_\w+ qlink_\w+ _*should_fail\w* fail_dump kmemleak_\w+ _*(set|reset)_page_owner
    instrument_\w+ _*fortify\w* fortify_panic sized_str\w+ _*check_(object_size|heap_object)\w* usercopy_(abort|warn)
    check_copy_size report_usercopy slab_(err|bug|fix|pad_check|post_alloc_hook|free_hook\w*|free_freelist_hook|pre_alloc_hook)
    object_err (free|alloc)_debug_processing check_(object|bytes\w*|slab|pad\w*)
    print_(trailer|track\w*|page_info|slab\w*|section|vma\w*) free_consistency_checks skb_(over_|under_)?panic
    kobject_(warn|err)\w* sysfs_warn_dup ref_tracker_\w+ _*check_(valid|report)\w* debug_(check|object|print|exception)\w*
    _*debug_(check|object|print)\w* \w+_is_static_object _*list_\w+_valid\w* _*phys_addr(_symbol|_nodebug)? _*virt_to_phys\w*
    _*virt_addr_valid check_preemption_disabled _*this_cpu_preempt_check _*might_(sleep|fault|resched)\w* _*cond_resched\w*
    __schedule_bug schedule_debug rcu_lockdep\w*
    rcu_(preempt_sleep_check|is_watching|note_context\w*|lock_\w+|read_lock\w*|read_unlock\w*)
"""
_LOCKING = r"""
    print_(bad_irq|circular|deadlock|usage|irq|unlock|lock|nested|held|lockdep|collision|kernel_ident|shortest|bfs)\w*
    print_\w+_bug check_(prev|prevs|noncircular|deadlock|redundant|irq|usage|flags|wait)\w* validate_chain _*lock_is_held
    _*lock_(acquire|release|contended|acquired|is_held|set_class|downgrade|pin|unpin)\w* mark_(lock|held)\w* lockdep_\w+
    hlock_class register_lock_class look_up_lock_class assign_lock_key find_held_lock reacquire_held_locks match_held_lock
    (perf_trace|trace_event_raw_event)_(lock|contention)\w* debug_(locks|rt_mutex|mutex|spin|smp|rwsem|lockdep)\w* debug_\w+_lock
    trace_(hardirqs|preempt|softirqs)_\w+ preempt_count\w* _*preempt_schedule\w* spin_(dump|bug) rwlock_bug
    _*((do|arch|native|queued|pv|virt|ticket|mcs|osq|hv|kvm|xen|raw)_+)*(q?spin|read|write|rw|queued|seq|osq|mcs)_?(un|try)?lock\w*
    ((native|virt|pv)_+)*(queued|ticket|osq|mcs)_(spin|read|write|rw)\w* (arch|queued)_(read|write|spin)_\w+
    _+raw_(spin|read|write)\w* raw_spin_rq_\w+ do_raw_\w+ _*pv_queued_\w+ pv_\w+ kvm_wait __pv_\w+ _*task_rq_(un)?lock
    _*(rt_|ww_)?mutex_(lock|unlock|trylock|optimistic|spin|remove|add|handoff)\w* _*rt_mutex\w* _*atomic_dec_and_lock\w*
    _*(down|up)(_(read|write|trylock|interruptible|killable|timeout|common))*(_\w+)? rwsem_\w+ _*percpu_(down|up|rwsem)_\w+
    ldsem_\w+ call_rwsem\w* _*local_bh_\w+ _*local_irq\w* _*local_lock\w* _*lock_sock\w* release_sock console_(lock|trylock)
    _*seqprop_\w+
"""
_COPYING = r"""
    _*mem(cpy|set|move|cmp|chr|scan|dup|zero)\w* _*str[nlrsc]?(len|cpy|cat|cmp|casecmp|chr|str|sep|spn|pbrk|dup)\w*
    _*copy_(((to|from|in)_user|overflow|mc)\w*|user(_(generic|enhanced|handle|nocache)\w*)?)
    _*(simple_)?copy_(page_)?(to|from)_iter\w* copy(in|out) copy_page(_rep)? _*arch_copy_\w+ raw_copy_\w+ rep_(movs|stos)\w*
    clear_(page|user)(_erms|_rep|_orig|_mc)? _*put_user\w* _*get_user(_nocheck)?_\d csum_partial\w*
    crc(7|8|16|32|64|_itu_t|_ccitt|_t10dif)\w* (arch_|raw_|generic_)*atomic(64|_long)?_\w+
    (arch_|_)*(test|set|clear|change)_(and_)?\w*bit\w* _*find_(first|next|last)_\w*bit\w* _*READ_ONCE\w* _*write_once\w*
    _*(raw_)?xchg\w* _*cmpxchg\w* read_word_at_a_time _*list_(add|del|splice|move)(_\w+)? hlist_(add|del)\w* _*hlist_del
    _*rb_(erase|first|last|next|prev|insert|rotate|replace_node|link_node|change_child|augment)\w* rb_set_parent\w* rb_red_parent
    _*(radix_tree|interval_tree|idr|ida|xas?|mas|mtree|llist|plist|klist|rht|rhashtable|timerqueue|assoc_array|bitmap)_\w+
    sg_(next|last|init|copy|pcopy|miter|nents)\w* (list_)?sort bsearch _*aeabi_\w+ _*u?(div|mod)[sdt]i[34] div64_\w+
    _*memzero _+clear_user\w* _*copy_tofrom_user\w* _*pi_(mem|str)\w+ _*strn(cpy|len)_(from_)?user\w*
"""
_PRINTING = r"""
    _*printk\w* vprintk\w* _*(dev|netdev)_v?printk\w* _*(dev|netdev)_(emerg|alert|crit|err|warn|notice|info)
    console_(unlock|flush\w*|emit\w*) vs?c?n?printf s?c?n?printf format_decode va_format (restricted_|default_|check_)?pointer
    number put_dec\w* (hex_|symbol_|error_|widen_|resource_|mac_address_|uuid_|ip[46]?_\w*)?string(_nocheck)? hex_dump_to_buffer
    print_hex_dump\w*
"""
_HANDED = r"""
    _*refcount_\w+ _*kref_(get|put|sub)\w* kobject_(get|put) (get|put)_device _*put_task_struct __wake_up\w*
    wake_up(_(process|state|bit|q|poll|all|interruptible)\w*)? try_to_wake_up swake_up\w* complete(_all)?
    (autoremove|default)_wake_function finish_wait prepare_to_wait\w* (add|remove)_wait_queue\w*
    (do_)?wait_for_(completion|common)\w* _*queue_(delayed_)?work\w* insert_work\w* mod_delayed_work\w*
    _*cancel_(delayed_)?work\w* try_to_grab_pending _*flush_(delayed_)?work (flush|drain|destroy)_workqueue
    _*(add|mod|del|try_to_del)_timer\w* _*timer_delete\w* lock_timer_base kthread_(stop|park|unpark) _*skb_(put|push|pull)\w*
"""
"""functions that work on an object of their caller's: if the object is bad, the caller is to blame"""

_WAITING = r"""
    _*schedule\w* io_schedule\w* context_switch _*wait_\w+ _*do_wait\w* out_of_line_wait\w* bit_wait\w* _*synchronize_\w+
    _*rt_mutex\w* _*flush_(work|workqueue)\w* (__)?folio_(lock|wait)\w* _*lock_page\w* _*mutex\w+ usleep_\w+ msleep\w*
    rcu_barrier\w* percpu_ref\w+ _*lock_buffer preempt_\w+ _*blk_mq_freeze\w* blk_execute_rq\w* jbd2_\w*wait\w* _*down\w*
"""
_STALLED = r"""
    rcu_\w+ print_(cpu|other_cpu)\w* check_cpu_stall _*sched_show_task _*show_\w+ trigger_\w+ arch_trigger\w* nmi_\w+
    update_process_times tick_\w+ _*hrtimer\w* _*sysvec_\w+ asm_sysvec\w+ smp_\w*(interrupt|ipi)\w* \w*apic_timer\w* local_apic\w*
    irq_(enter|exit)\w* _*irq_\w+ _*handle_\w*irq\w* gic_\w+ _*do_irq\w* call_on_\w*stack\w* arch_timer_\w+ _*schedule
    _*run_hrtimer\w* invoke_rcu\w* watchdog\w* ktime_\w+ read_tsc kvm_clock\w* csd_\w+ rep_nop cpu_relax delay_\w+ _*delay
    _*const_udelay _*udelay _*ndelay native_\w+ arch_cpu_idle default_idle\w* _*cpu_idle\w* do_idle cpu_startup_entry
    stop_this_cpu dump_cpu_task note_gp_changes\w* check_kcov_mode in_(interrupt|lock_functions|irq)\w* _*bpf_prog_\w+_rest
    sched_(clock|show)\w* restart_\w+ finish_(task|lock)_switch\w* notify_\w* profile_tick perf_event_task_tick _*do_softirq\w*
    invoke_softirq
"""
_ALLOCATING = r"""
    _*k?v?(z|m|c|re)?alloc(_array|_node|_track_caller|_cache|_trace|_large|_noprof|_order)*\w{0,40} _*kmem_cache_\w+
    _*k[vz]?malloc\w* kz?alloc\w* _*do_kmalloc\w* _*slab_\w+ _*vmalloc\w* vz?alloc\w* kvmalloc\w* kvasprintf\w* kasprintf\w*
    kstrdup\w* kmemdup\w* _*alloc_(pages?|percpu|skb)\w* (dev|netdev|napi)_alloc_\w*skb\w*
    _*get_(free_pages|zeroed_page|page_from_freelist|vm_area_node)\w* alloc_vmap_area allocate_slab new_slab\w*
    pcpu_alloc(_area|_pages)? pcpu_mem_zalloc
    out_of_memory oom_\w+ dump_\w+ pagefault_out_of_memory create_object lookup_object _*mem_cgroup\w* try_charge\w*
    folio_alloc\w* filemap_alloc\w* sk_prot_alloc __build_skb _*vm_area_alloc_pages _*page_cache_alloc
"""
_FREEING = r"""
    _*kernel_(un)?poison_pages (un)?poison_\w+ check_poison_mem _*k?v?free(_sensitive|_const|_bulk|_rcu)?(_\w+)? krealloc\w*
    _*kmem_cache_\w+ kzfree\w* cache_(free|alloc)\w* _*slab_\w+ do_slab_free _*do_kfree\w* ___cache_free _*vunmap vfree\w*
    remove_vm_area find_vm_area _*shutdown_cache\w* bad_page free_(pages|pcp|unref|page|tail|large|one)\w*
    _*free_(pages|page|one|unref)\w* release_pages zap_\w+ unmap_\w+ _*put_page\w* tlb_\w+ print_bad_pte check_mm _*mmdrop mmput
    (check_)?new_page\w* check_new_page\w* prep_new_page post_alloc_hook get_page_from_freelist rmqueue\w* _*alloc_pages\w*
    folio_alloc\w* filemap_alloc_folio\w*
"""
_ASKED = r"""
    _*k[vz]?malloc\w* kvmalloc\w* krealloc\w* kmem_cache_alloc\w* _*alloc_(frozen_)?pages\w* alloc_pages?\w* kobject_\w+ sysfs_\w+
    _*proc_(register|create|mkdir)\w*
"""
_SLAB = r"""
    _*kmem_cache_\w+ _*k[vz]?[mzc]?alloc\w* kmalloc\w* _*k[vz]?free\w* _*do_kmalloc\w* _*slab_\w+ _*prepare_slab\w* new_slab
    setup_object\w* allocate_slab
"""
_TIMED = r"_*init_(timer|work)\w* _*hrtimer_\w+ _*call_rcu\w*"

_ALWAYS = _DYING + _UNWINDING + _CHECKING + _LOCKING + _COPYING + _PRINTING + _HANDED
_BY_KIND = {
    **dict.fromkeys(STALLS, _STALLED),
    "hung-task": _WAITING,
    "atomic": _WAITING + _SLAB + " _*do_softirq",
    "lockdep": _SLAB,
    "stack-overflow": _WAITING,
    "refcount": r"_*kfree_skb\w* consume_skb skb_unref sk_free sock_put",
    "warning": _ASKED,
    "out-of-memory": _ALLOCATING,
    "allocation-failure": _ALLOCATING,
    "vmap-exhausted": _ALLOCATING,
    "memory-leak": _ALLOCATING,
    "slab": _FREEING + _ALLOCATING,
    "bad-page": _FREEING,
    "vfree": _FREEING,
    "debug-object": _FREEING + _TIMED,
    "kasan": _FREEING,
    "kfence": _FREEING,
    "usercopy": _FREEING,
}


def has(name: str, kind: str) -> bool:
    """Return True if a function of that name, without a compiler's suffixes, is never to blame in a report of `kind`."""
    return _has(name, kind if kind in _BY_KIND else "")


@functools.lru_cache(4096)
def _has(name: str, kind: str) -> bool:
    return _names(_BY_KIND.get(kind, "")).Match(name) is not None


@functools.cache
def _names(more: str) -> Any:
    """Return the pattern that the whole name matches: a set of one, because that is what re2 answers fastest."""
    options = re2.Options()
    options.never_capture = True
    pattern = re2.Set.FullMatchSet(options)
    pattern.Add("|".join((_ALWAYS + more).split()))
    pattern.Compile()
    return pattern
