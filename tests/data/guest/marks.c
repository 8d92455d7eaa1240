// SPDX-License-Identifier: GPL-2.0-only
/* The test module's marks as functions of two instructions: mark and return. */
#include "lib/marks.h"

void loop_begins(void)
{
	vmt_mark(VMT_LOOP_BEGINS);
}

void loop_ends(void)
{
	vmt_mark(VMT_LOOP_ENDS);
}

void test_begins(void)
{
	vmt_mark(VMT_TEST_BEGINS);
}

void test_ends(void)
{
	vmt_mark(VMT_TEST_ENDS);
}
