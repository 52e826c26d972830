/* SPDX-License-Identifier: BSD-2-Clause-Patent */
#define D_LOGFAC LOG_FAC_BASE
#include "base/log.h"

#define UUID_STR_BYTES 37
#define RING_NR        8

const char *
d_uuid_str(const unsigned char uuid[16])
{
	static _Thread_local char     ring[RING_NR][UUID_STR_BYTES];
	static _Thread_local unsigned next;
	static const char             hex[] = "0123456789abcdef";
	char                         *text = ring[next++ % RING_NR];
	char                         *p = text;

	for (int i = 0; i < 16; i++) {
		if (i == 4 || i == 6 || i == 8 || i == 10)
			*p++ = '-';
		*p++ = hex[uuid[i] >> 4];
		*p++ = hex[uuid[i] & 15];
	}
	*p = '\0';
	return text;
}
