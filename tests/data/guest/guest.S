/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A guest without a kernel, for the tests of qemu_plugin/: it does a known
 * number of things between the test module's marks, and switches itself off.
 *
 * Each macro below is as many instructions on all architectures as its comment
 * says, so that a test expects the same figures of all.
 */
#define LOOPS	1000

#ifdef __x86_64__

.macro start
	.section .note.pvh, "a"
	.long 4, 8, 18		/* "Xen", XEN_ELFNOTE_PHYS32_ENTRY */
	.asciz "Xen"
	.quad _start - SHIFT
	.text
	.code32
	.globl _start
_start:
	mov $(level4 - SHIFT), %eax
	mov %eax, %cr3
	mov $0x20, %eax		/* PAE */
	mov %eax, %cr4
	mov $0xc0000080, %ecx	/* EFER: long mode */
	mov $0x100, %eax
	xor %edx, %edx
	wrmsr
	mov $0x80000001, %eax	/* paging */
	mov %eax, %cr0
	lgdt gdt_pointer - SHIFT
	ljmp $8, $(1f - SHIFT)
	.code64
1:	mov $stack, %rsp
	mov $0xff, %al		/* no interrupt comes from the PICs */
	out %al, $0x21
	out %al, $0xa1
	mov $upper, %rax
	jmp *%rax
.endm

.macro tables
	.balign 4096
level4:	.quad level3 - SHIFT + 3
	.fill 510, 8, 0
	.quad level3 - SHIFT + 3
level3:	.quad level2 - SHIFT + 3
	.fill 509, 8, 0
	.quad level2 - SHIFT + 3, 0
level2:	.quad 0x83		/* the first 2 MiB */
	.fill 511, 8, 0
gdt:	.quad 0, 0x00af9a000000ffff
gdt_pointer:
	.word 15
	.long gdt - SHIFT
.endm

.macro switch_off		/* by the device isa-debug-exit */
	out %eax, $0xf4
1:	hlt
	jmp 1b
.endm

#define CALL		call		/* 1 */
#define CALL_BY_POINTER	mov $_raw_spin_lock, %rax; call *%rax	/* 2 */
#define JUMP		jmp		/* 1 */
#define JUMP_IF_EQUAL	je		/* 1 */
#define JUMP_UNLESS	jne		/* 1 */
#define ENTER		push %rbp	/* 1 */
#define LEAVE		pop %rbp; ret	/* 2 */
#define SET(number)	mov $number, %ebx	/* 1 */
#define IS(number)	cmp $number, %ebx	/* 1 */
#define COUNT_DOWN	sub $1, %ebx	/* 1 */
#define SAVE		pushf		/* 1 */
#define DISABLE		cli		/* 1 */
#define RESTORE		popf		/* 1 */
#define ENABLE		sti		/* 1 */

.macro prepare_return to	/* 7 */
	mov %rsp, %rax
	push $0
	push %rax
	pushf
	push $8
	lea \to(%rip), %rax
	push %rax
.endm
#define RETURN		iretq		/* 1 */
#define GO_BACK		ret		/* 1 */

#elif defined(__aarch64__)

.macro start
	.globl _start
_start:
	adr x0, level1
	msr ttbr0_el1, x0
	msr ttbr1_el1, x0
	mov x0, #0xff		/* normal memory */
	msr mair_el1, x0
	ldr x0, =0x80190019	/* 39 bits of address in either half, pages of 4 KiB */
	msr tcr_el1, x0
	isb
	mrs x0, sctlr_el1
	orr x0, x0, #1
	msr sctlr_el1, x0
	isb
	ldr x0, =stack
	mov sp, x0
	ldr x0, =upper
	br x0
.endm

.macro tables
	.balign 4096
level1:	.quad 0, 0x40000701	/* the first GiB of memory */
	.fill 510, 8, 0
.endm

.macro switch_off		/* PSCI's SYSTEM_OFF */
	ldr x0, =0x84000008
	hvc #0
1:	wfi
	b 1b
.endm

#define CALL		bl		/* 1 */
#define CALL_BY_POINTER	ldr x0, =_raw_spin_lock; blr x0	/* 2 */
#define JUMP		b		/* 1 */
#define JUMP_IF_EQUAL	b.eq		/* 1 */
#define JUMP_UNLESS	b.ne		/* 1 */
#define ENTER		str x30, [sp, #-16]!	/* 1 */
#define LEAVE		ldr x30, [sp], #16; ret	/* 2 */
#define SET(number)	mov w19, number	/* 1 */
#define IS(number)	cmp w19, number	/* 1 */
#define COUNT_DOWN	subs w19, w19, #1	/* 1 */
#define SAVE		mrs x20, daif	/* 1 */
#define DISABLE		msr daifset, #2	/* 1 */
#define RESTORE		msr daif, x20	/* 1 */
#define ENABLE		msr daifclr, #2	/* 1 */

.macro prepare_return to	/* 7 */
	adr x0, \to
	msr elr_el1, x0
	mov x0, #0x3c5		/* EL1h, nothing enabled */
	msr spsr_el1, x0
	nop
	nop
	nop
.endm
#define RETURN		eret		/* 1 */
#define GO_BACK		ret		/* 1 */

#else /* 32-bit Arm */

.macro start
	.arch armv7-a
	.arch_extension virt
	.arm
	.globl _start
_start:
	ldr r0, =table - SHIFT
	mcr p15, 0, r0, c2, c0, 0	/* TTBR0 */
	mov r0, #0
	mcr p15, 0, r0, c2, c0, 2	/* TTBCR: all by TTBR0 */
	mov r0, #1
	mcr p15, 0, r0, c3, c0, 0	/* DACR: domain 0 is checked */
	mrc p15, 0, r0, c1, c0, 0
	orr r0, r0, #1			/* SCTLR: the MMU is on */
	mcr p15, 0, r0, c1, c0, 0
	isb
	ldr sp, =stack
	ldr r0, =upper
	bx r0
.endm

.macro tables		/* sections of 1 MiB, which the kernel may read, write and run */
	.balign 16384
table:	.fill 0x400, 4, 0
	.set megabyte, 0x400
	.rept 0x40		/* from 0x40000000 on, where memory begins */
	.long megabyte << 20 | 0x402
	.set megabyte, megabyte + 1
	.endr
	.fill 0xc00 - 0x440, 4, 0
	.set megabyte, 0x400
	.rept 0x40		/* the same from 0xc0000000 on */
	.long megabyte << 20 | 0x402
	.set megabyte, megabyte + 1
	.endr
	.fill 0x1000 - 0xc40, 4, 0
.endm

.macro switch_off		/* PSCI's SYSTEM_OFF */
	ldr r0, =0x84000008
	hvc #0
1:	wfi
	b 1b
.endm

#define CALL		bl		/* 1 */
#define CALL_BY_POINTER	ldr r0, =_raw_spin_lock; blx r0	/* 2 */
#define JUMP		b		/* 1 */
#define JUMP_IF_EQUAL	beq		/* 1 */
#define JUMP_UNLESS	bne		/* 1 */
#define ENTER		push {r3, lr}	/* 1 */
#define LEAVE		pop {r3, lr}; bx lr	/* 2 */
#define SET(number)	ldr r4, =number	/* 1 */
#define IS(number)	cmp r4, $number	/* 1 */
#define COUNT_DOWN	subs r4, r4, #1	/* 1 */
#define SAVE		mrs r5, cpsr	/* 1 */
#define DISABLE		cpsid i		/* 1 */
#define RESTORE		msr cpsr_c, r5	/* 1 */
#define ENABLE		cpsie i		/* 1 */

.macro prepare_return to	/* 7 */
	sub sp, sp, #8
	ldr r0, =\to
	str r0, [sp]
	mrs r0, cpsr
	str r0, [sp, #4]
	nop
	nop
.endm
#define RETURN		rfeia sp!	/* 1 */
#define GO_BACK		bx lr		/* 1 */

#endif

.macro function name
	.globl \name
	.type \name, %function
\name:
.endm

.macro idles times		/* calls idle so often, for tests to count */
	.rept \times
	CALL idle
	.endr
.endm

	.text
	start

function upper
	idles 3
	CALL test_begins
	CALL loop_begins
	SET(LOOPS)
function loop			/* 11 instructions */
	CALL locks
	CALL disables
	CALL disables_and_locks
	CALL locks_and_disables
	CALL jumps
	CALL varies
	CALL enables
	CALL returns
	CALL indirect
	COUNT_DOWN
	JUMP_UNLESS loop
	CALL loop_ends
function after_loop
	CALL test_ends
	idles 2
	CALL test_begins
#ifdef SPINS
function spins
	JUMP spins
#endif
	idles 5
#ifndef CRASHES
	CALL test_ends
	idles 7
#endif
	switch_off

function idle
	nop
	GO_BACK

function _raw_spin_lock		/* 2 */
	nop
	GO_BACK

function _raw_spin_unlock	/* 2 */
	nop
	GO_BACK

function locks			/* 1 + 4 + 2, and 4 of those that it calls */
	ENTER
locks_takes:
	CALL _raw_spin_lock
	nop
	nop
locks_drops:
	CALL _raw_spin_unlock
	LEAVE

function disables		/* 7 */
	SAVE
disables_begins:
	DISABLE
	nop
	nop
	nop
disables_ends:
	RESTORE
	GO_BACK

function disables_and_locks	/* 1 + 6 + 2, and 4 */
	ENTER
	SAVE
disables_and_locks_begins:
	DISABLE
	CALL _raw_spin_lock
	nop
disables_and_locks_drops:
	CALL _raw_spin_unlock
	RESTORE
	LEAVE

function locks_and_disables	/* 1 + 7 + 2, and 4 */
	ENTER
locks_and_disables_takes:
	CALL _raw_spin_lock
	SAVE
	DISABLE
	nop
locks_and_disables_drops:
	CALL _raw_spin_unlock
	nop
	RESTORE
	LEAVE

function jumps			/* 1 + 3 + 2, 2 + 2 of the two below, and 4 */
	ENTER
	CALL takes_by_jump
	nop
	CALL drops_by_jump
	LEAVE

function takes_by_jump
	nop
takes_by_jump_jumps:
	JUMP _raw_spin_lock

function drops_by_jump
	nop
drops_by_jump_jumps:
	JUMP _raw_spin_unlock

function varies			/* 1 + 5 + 2, and 4; in one pass 10 more and one jump less */
	ENTER
varies_takes:
	CALL _raw_spin_lock
	IS(7)
	JUMP_IF_EQUAL 1f
varies_drops:
	CALL _raw_spin_unlock
	JUMP 2f
1:	.rept 10
	nop
	.endr
varies_drops_late:
	CALL _raw_spin_unlock
2:	LEAVE

function enables		/* 6 */
enables_begins:
	DISABLE
	nop
	DISABLE
	nop
enables_ends:
	ENABLE
	GO_BACK

function returns		/* 10 */
returns_begins:
	DISABLE
	prepare_return 1f
returns_ends:
	RETURN
1:	GO_BACK

function indirect		/* 1 + 4 + 2, and 4; no address tells where its lock is taken */
	ENTER
	CALL_BY_POINTER
	nop
indirect_drops:
	CALL _raw_spin_unlock
	LEAVE

	.data
	tables
	.balign 16
	.skip 4096
stack:

	.section .note.GNU-stack, "", %progbits
