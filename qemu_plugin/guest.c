// SPDX-License-Identifier: GPL-2.0-only
/* The instructions of x86_64, aarch64 and 32-bit Arm that the plugin knows. */
#include <string.h>

#include "guest.h"

static uint32_t word(const uint8_t *code)
{
	return code[0] | code[1] << 8 | code[2] << 16 | (uint32_t)code[3] << 24;
}

/* Intel SDM volume 2: NOP, CLI, STI, POPF, IRET, SYSRET, CALL, JMP. */
static enum meaning x86_meaning(const uint8_t *code, size_t size)
{
	if (size == 8 && !memcmp(code, "\x0f\x1f\x84\x00", 4) &&
	    !memcmp(code + 5, "GIR", 3) && code[4] >= 1 && code[4] <= 4)
		return LOOP_BEGINS + code[4] - 1;
	if (size == 1 && code[0] == 0xfa)
		return DISABLES;
	if (size == 1 && code[0] == 0xfb)
		return ENABLES;
	if (size == 1 && code[0] == 0x9d)
		return RESTORES;
	if (size == 2 && !memcmp(code, "\x48\xcf", 2))
		return RETURNS;
	if (size == 3 && !memcmp(code, "\x48\x0f\x07", 3))
		return RETURNS;
	return OTHER;
}

static uint64_t x86_target_of(const uint8_t *code, size_t size, uint64_t at)
{
	if (size == 5 && (code[0] == 0xe8 || code[0] == 0xe9))
		return at + 5 + (int32_t)word(code + 1);
	if (size == 2 && code[0] == 0xeb)
		return at + 2 + (int8_t)code[1];
	return 0;
}

/* Arm ARM, C6.2: HINT, MSR (DAIFSet, DAIFClr, DAIF), ERET, BL, B. */
static enum meaning arm64_meaning(const uint8_t *code, size_t size)
{
	uint32_t insn;

	if (size != 4)
		return OTHER;
	insn = word(code);
	if ((insn & 0xfffff01f) == 0xd503201f) {
		uint32_t hint = insn >> 5 & 0x7f;

		return hint >= 124 ? LOOP_BEGINS + hint - 124 : OTHER;
	}
	if ((insn & 0xfffff2ff) == 0xd50342df)
		return DISABLES;
	if ((insn & 0xfffff2ff) == 0xd50342ff)
		return ENABLES;
	if ((insn & 0xffffffe0) == 0xd51b4220)
		return RESTORES;
	if (insn == 0xd69f03e0)
		return RETURNS;
	return OTHER;
}

static uint64_t arm64_target_of(const uint8_t *code, size_t size, uint64_t at)
{
	uint32_t insn;

	if (size != 4)
		return 0;
	insn = word(code);
	if ((insn & 0x7c000000) != 0x14000000)
		return 0;
	return at + ((int64_t)((uint64_t)insn << 38) >> 36);
}

/*
 * Arm ARM, F5.1, in the A32 encoding: NOP-compatible hints, CPSID, CPSIE, MSR
 * (CPSR_c), RFE, MOVS (pc, lr), BL, B.
 */
static enum meaning arm_meaning(const uint8_t *code, size_t size)
{
	uint32_t insn;

	if (size != 4)
		return OTHER;
	insn = word(code);
	if ((insn & 0xffffff80) == 0xe320f000) {
		uint32_t hint = insn & 0x7f;

		return hint >= 124 ? LOOP_BEGINS + hint - 124 : OTHER;
	}
	if ((insn & 0xfffffebf) == 0xf10c0080)
		return DISABLES;
	if ((insn & 0xfffffebf) == 0xf1080080)
		return ENABLES;
	if ((insn & 0xfffffff0) == 0xe121f000)
		return RESTORES;
	if ((insn & 0xfe50ffff) == 0xf8100a00 || insn == 0xe1b0f00e)
		return RETURNS;
	return OTHER;
}

static uint64_t arm_target_of(const uint8_t *code, size_t size, uint64_t at)
{
	uint32_t insn;

	if (size != 4)
		return 0;
	insn = word(code);
	if ((insn & 0x0e000000) != 0x0a000000 || insn >> 28 == 0xf)
		return 0;
	return (uint32_t)(at + 8 + ((int32_t)(insn << 8) >> 6));
}

/* Arm's has 3 GiB for processes, below which modules have the last 16 MiB. */
static const struct guest guests[] = {
	{ "x86_64", 1ull << 63, x86_meaning, x86_target_of },
	{ "aarch64", 1ull << 63, arm64_meaning, arm64_target_of },
	{ "arm", 0xbf000000, arm_meaning, arm_target_of },
};

const struct guest *guest_find(const char *target)
{
	size_t i;

	for (i = 0; i < sizeof(guests) / sizeof(guests[0]); i++)
		if (!strcmp(guests[i].target, target))
			return &guests[i];
	return NULL;
}
