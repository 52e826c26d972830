/* SPDX-License-Identifier: BSD-2-Clause-Patent */
#include "base/crc32c.h"

#include <limits.h>
#include <isa-l/crc.h>

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
	return ~raw;
}
