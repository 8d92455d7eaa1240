/* SPDX-License-Identifier: GPL-2.0-only */
/* The compiler, types, errors, messages, and single words of memory. */
#ifndef SHIM_BASE_H
#define SHIM_BASE_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../host.h"

#define CONFIG_MMU		1
#define CONFIG_SMP		1
#define CONFIG_PROC_FS		1
#define CONFIG_MODULES		1
#define CONFIG_DEBUG_VM		1
#define CONFIG_DEBUG_VM_RB	1
#if __SIZEOF_LONG__ == 8
#define CONFIG_64BIT		1
#define BITS_PER_LONG		64
#else
#define BITS_PER_LONG		32
#endif
#define COMPILER_HAS_GENERIC_BUILTIN_OVERFLOW	1
#define NR_CPUS			HOST_CPUS_MAX
/* All options that are asked for in this way are off. */
#define IS_ENABLED(option)	0
#define __KERNEL__

typedef uint8_t u8;
typedef uint16_t u16;
typedef uint32_t u32;
typedef uint64_t u64;
typedef int32_t s32;
typedef int64_t s64;
typedef unsigned int gfp_t;
typedef unsigned long phys_addr_t;
typedef unsigned long pgoff_t;
typedef long loff_t;
typedef long ssize_t;

struct list_head {
	struct list_head *next, *prev;
};

struct hlist_node {
	struct hlist_node *next, **pprev;
};

struct hlist_head {
	struct hlist_node *first;
};

struct callback_head {
	struct callback_head *next;
	void (*func)(struct callback_head *head);
};

#define rcu_head	callback_head

#define __init
#define __initdata
#define __exit
#define __read_mostly
#define __rcu
#define __user
#define __force
#define __must_check
#define __maybe_unused		__attribute__((unused))
#define __cold
#undef __always_inline
#define __always_inline		inline __attribute__((always_inline))
#define noinline		__attribute__((noinline))
#define __weak			__attribute__((weak))
#define __packed		__attribute__((packed))
#define __aligned(n)		__attribute__((aligned(n)))
#define __printf(a, b)		__attribute__((format(printf, a, b)))
#define __must_hold(x)
#define __acquires(x)
#define __releases(x)
#define __acquire(x)
#define __release(x)
#define __cacheline_aligned
#define ____cacheline_aligned
#define ____cacheline_aligned_in_smp
#define likely(x)		__builtin_expect(!!(x), 1)
#define unlikely(x)		__builtin_expect(!!(x), 0)
#define barrier()		__asm__ __volatile__("" : : : "memory")
#define fallthrough		__attribute__((__fallthrough__))

#define EXPORT_SYMBOL(name)
#define EXPORT_SYMBOL_GPL(name)
#define module_init(function)	int (*shim_module_init)(void) = function

#define BUILD_BUG_ON(x)		_Static_assert(!(x), #x)
#define container_of(pointer, type, member) \
	((type *)((char *)(pointer) - offsetof(type, member)))
#define ARRAY_SIZE(array)	(sizeof(array) / sizeof((array)[0]))
#define min(a, b)		({ typeof(a) __x = (a); typeof(b) __y = (b); __x < __y ? __x : __y; })
#define max(a, b)		({ typeof(a) __x = (a); typeof(b) __y = (b); __x > __y ? __x : __y; })
#define min3(a, b, c)		min(min(a, b), c)
#define max3(a, b, c)		max(max(a, b), c)
#define min_t(type, a, b)	min((type)(a), (type)(b))
#define max_t(type, a, b)	max((type)(a), (type)(b))
#define clamp(x, low, high)	min(max(x, low), high)
#define clamp_t(type, x, low, high) \
	clamp((type)(x), (type)(low), (type)(high))
#define swap(a, b)		do { typeof(a) __s = (a); (a) = (b); (b) = __s; } while (0)
#define ALIGN(x, a)		(((x) + ((typeof(x))(a) - 1)) & ~((typeof(x))(a) - 1))
#define ALIGN_DOWN(x, a)	((x) & ~((typeof(x))(a) - 1))
#define IS_ALIGNED(x, a)	(((x) & ((typeof(x))(a) - 1)) == 0)
#define DIV_ROUND_UP(n, d)	(((n) + (d) - 1) / (d))
#define _AC(x, y)		__AC(x, y)
#define __AC(x, y)		(x##y)
#define POISON_POINTER_DELTA	0
#define LIST_POISON1		((void *)0x100)
#define LIST_POISON2		((void *)0x200)
#define SZ_4K			0x1000
#define SZ_64K			0x10000
#define SZ_1M			0x100000
#define SZ_2M			0x200000
#define SZ_4M			0x400000
#define SZ_32M			0x2000000
#define SZ_1G			0x40000000

#define EPERM	1
#define EINTR	4
#define EAGAIN	11
#define ENOMEM	12
#define EBUSY	16
#define EEXIST	17
#define EINVAL	22
#define ENOSPC	28

#define MAX_ERRNO		4095
#define IS_ERR_VALUE(x)		((unsigned long)(void *)(x) >= (unsigned long)-MAX_ERRNO)
#define ERR_PTR(error)		((void *)(long)(error))
#define PTR_ERR(pointer)	((long)(pointer))
#define IS_ERR(pointer)		IS_ERR_VALUE(pointer)
#define IS_ERR_OR_NULL(pointer)	(!(pointer) || IS_ERR(pointer))
#define ERR_CAST(pointer)	((void *)(pointer))

#define BUG()			host_bug(__FILE__, __LINE__)
#define BUG_ON(condition)	do { if (unlikely(condition)) BUG(); } while (0)
#define VM_BUG_ON(condition)	BUG_ON(condition)
#define VIRTUAL_BUG_ON(condition)	BUG_ON(condition)
/* Nothing goes on after a warning, so that the first place is the one reported. */
#define WARN_ON(condition) \
	({ bool __w = !!(condition); if (unlikely(__w)) host_warn(__FILE__, __LINE__); __w; })
#define WARN(condition, ...)	WARN_ON(condition)
#define WARN_ONCE(condition, ...)	WARN_ON(condition)
#define WARN_ON_ONCE(condition)	WARN_ON(condition)
#define VM_WARN_ON(condition)	WARN_ON(condition)
#define VM_WARN_ON_ONCE(condition)	WARN_ON(condition)
#define panic(...)		BUG()

#define KERN_ERR		""
#define printk(...)		((void)0)
#define pr_warn(...)		((void)0)
#define pr_err(...)		((void)0)
#define pr_info(...)		((void)0)
#define pr_debug(...)		((void)0)
#define printk_ratelimit()	0
#define warn_alloc(...)		((void)0)
#define dump_stack()		((void)0)

int strcmp(const char *a, const char *b);
size_t strlen(const char *text);
void *memcpy(void *to, const void *from, size_t size);
void *memset(void *to, int value, size_t size);

static inline int fls(unsigned int x)
{
	return x ? 32 - __builtin_clz(x) : 0;
}

static inline int fls_long(unsigned long x)
{
	return x ? BITS_PER_LONG - __builtin_clzl(x) : 0;
}

static inline int __ffs(unsigned long x)
{
	return __builtin_ctzl(x);
}

static inline bool is_power_of_2(unsigned long n)
{
	return n && !(n & (n - 1));
}

static inline int get_count_order_long(unsigned long x)
{
	return x ? fls_long(x - 1) : -1;
}

#define ilog2(n)		(BITS_PER_LONG - 1 - __builtin_clzl(n))
#define roundup_pow_of_two(n)	((n) == 1 ? 1UL : 1UL << (BITS_PER_LONG - __builtin_clzl((n) - 1UL)))
#define rounddown_pow_of_two(n)	(1UL << ilog2(n))

#endif
