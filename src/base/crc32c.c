/* SPDX-License-Identifier: BSD-2-Clause-Patent */
#include "base/crc32c.h"

#include <limits.h>
#include <isa-l/crc.h>

/**
 * ISA-L's AVX and AVX-512 code returns with the upper halves of the vector registers in use. From then on every
 * change between SSE instructions, which compilers emit for copying a struct, and AVX ones, which memcpy() uses,
 * costs some hundred cycles, until somebody clears them.
 */
static void
vector_uppers_clear(void)
{
#ifdef __x86_64__
	if (__builtin_cpu_supports("avx"))
		__asm__ volatile("vzeroupper" ::: "memory");
#endif
}

uint32_t
d_crc32c(uint32_t crc, const void *buf, size_t len_bytes)
{
	const unsigned char *p = buf;
	uint32_t             raw = ~crc;

	while (len_bytes > 0) {
		int part = (int)MIN_OF(len_bytes, (size_t)INT_MAX);

		raw = crc32_iscsi((unsigned char *)p, part, raw);
		p += part;
		len_bytes -= part;
	}
	vector_uppers_clear();
	return ~raw;
}
