/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/** Redo entries: pure functions from ranges of the heap to bytes and back. */
#pragma once

#include <string.h>
#include "umem/umem_media_df.h"

#define REDO_COPY_BYTES  32u                     /**< from here on, a call pays */
#define REDO_LONG_BYTES  1024u                   /**< from here on, zeroes are looked for */
#define REDO_ENTRY_BYTES (2 * sizeof(wal_entry_t)) /**< of an entry without what follows, at most */

/** Most bytes redo_encode() writes for the range. Reads the range when it is long. */
size_t redo_bound_long(const uint8_t *base, uint64_t off, uint64_t len);
/** Returns the end of what was written at @out. Leaves runs of zeroes out. */
uint8_t *redo_encode_long(uint8_t *out, const uint8_t *base, uint64_t off, uint64_t len, uint32_t *entry_nr);

static inline size_t
redo_bound(const uint8_t *base, uint64_t off, uint64_t len)
{
	return len < REDO_LONG_BYTES ? sizeof(wal_entry_t) + align_up(len, 8) : redo_bound_long(base, off, len);
}

/** Copy a few bytes, padded to 8 with zeroes. Ranges begin anywhere; records are of words. */
static inline uint64_t *
redo_copy_short(uint64_t *to, const uint8_t *from, uint64_t len)
{
	for (; len >= 8; len -= 8, from += 8)
		memcpy(to++, from, 8);
	if (len == 0)
		return to;
	*to = 0;
	if (LIKELY(len == 4))
		memcpy(to, from, 4);
	else
		memcpy(to, from, len);
	return to + 1;
}

static inline uint8_t *
redo_encode(uint8_t *out, const uint8_t *base, uint64_t off, uint64_t len, uint32_t *entry_nr)
{
	uint64_t *to  = (uint64_t *)out;
	uint64_t *end = to + 1 + (len + 7) / 8;

	if (len >= REDO_LONG_BYTES)
		return redo_encode_long(out, base, off, len, entry_nr);
	(*entry_nr)++;
	*to++ = off << 18 | len << 2 | REDO_WRITE;
	if (len <= REDO_COPY_BYTES)
		return (uint8_t *)redo_copy_short(to, base + off, len);
	end[-1] = 0;
	memcpy(to, base + off, len);
	return (uint8_t *)end;
}

#define REDO_DATA_BYTES (REDO_ENTRY_BYTES + sizeof(struct wal_data_df))
/** Note blocks of the data blob; before all other entries of the record. REDO_DATA_BYTES at most. */
uint8_t *redo_encode_data(uint8_t *out, uint64_t off, uint64_t len, uint32_t crc, uint32_t *entry_nr);
/** The data entry at *@entries, which moves on; false if there is no (well-formed) one. */
bool redo_next_data(const uint8_t **entries, size_t *bytes, uint64_t *ret_off, uint64_t *ret_len,
		    uint32_t *ret_crc);

typedef void (*redo_dirty_t)(void *arg, uint64_t off, uint64_t len);
/** Apply a record's entries, every one checked against @heap_bytes before; data entries change nothing. -DER_DF_INVAL */
int redo_apply(uint8_t *base, uint64_t heap_bytes, const uint8_t *entries, size_t bytes,
	       uint32_t entry_nr, redo_dirty_t dirty, void *arg) MUST_CHECK;
