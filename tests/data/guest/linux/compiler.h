/* SPDX-License-Identifier: GPL-2.0-only */
/* What of the kernel's header test_module/lib/marks.h needs. */
#define __always_inline	inline __attribute__((always_inline))
