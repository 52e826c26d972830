/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/**
 * Redo entries. A short range is written out whole. A long one (a fresh bitmap, a large value with
 * holes) becomes "all zero" and then the pieces that are not, in granules of 64 bytes, so that a
 * 32 MiB bitmap of zeroes costs 16 bytes of log.
 */
#define D_LOGFAC LOG_FAC_UMEM

#include <string.h>
#include <daos_errno.h>
#include "umem/umem_redo.h"

#define LONG_BYTES    1024u /**< from here on, zeroes are looked for */
#define GRANULE_BYTES 64u
#define BOUND_BYTES   65536u /**< up to here the bound is not worth a look at the bytes */

static bool
is_zero(const uint8_t *p, uint64_t len)
{
	uint64_t acc = 0, word;

	for (; len >= 8; len -= 8, p += 8) {
		memcpy(&word, p, 8);
		acc |= word;
	}
	for (; len > 0; len--)
		acc |= *p++;
	return acc == 0;
}

/**
 * The next piece of [*at, end) that is not zero, grown to whole granules; *ret_len 0 when there is
 * none.
 */
static uint64_t
next_piece(const uint8_t *base, uint64_t at, uint64_t end, uint64_t *ret_len)
{
	uint64_t start;

	while (at < end && is_zero(base + at, MIN_OF(GRANULE_BYTES, end - at)))
		at += MIN_OF(GRANULE_BYTES, end - at);
	start = at;
	while (at < end && !is_zero(base + at, MIN_OF(GRANULE_BYTES, end - at)))
		at += MIN_OF(GRANULE_BYTES, end - at);
	*ret_len = at - start;
	return start;
}

size_t
redo_bound(const uint8_t *base, uint64_t off, uint64_t len)
{
	uint64_t at = off, piece;
	size_t   sum = sizeof(struct wal_entry_df);

	if (len < LONG_BYTES)
		return sum + align_up(len, 8);
	/* Leaving zeroes out never costs more than the first entry: no piece is shorter than a granule but the last. */
	if (len < BOUND_BYTES)
		return 2 * sum + align_up(len, 8);
	for (;;) {
		at = next_piece(base, at, off + len, &piece);
		if (piece == 0)
			return sum;
		sum += sizeof(struct wal_entry_df) + align_up(piece, 8);
		at += piece;
	}
}

static uint8_t *
put_entry(uint8_t *out, uint64_t off, uint64_t len, enum wal_kind kind, uint32_t *entry_nr)
{
	struct wal_entry_df e = {.off = off, .len_kind = len << 2 | kind};

	memcpy(out, &e, sizeof(e));
	(*entry_nr)++;
	return out + sizeof(e);
}

static uint8_t *
put_write(uint8_t *out, const uint8_t *base, uint64_t off, uint64_t len, uint32_t *entry_nr)
{
	uint64_t zero = 0;

	out = put_entry(out, off, len, REDO_WRITE, entry_nr);
	memcpy(out, base + off, len);
	memcpy(out + len, &zero, align_up(len, 8) - len);
	return out + align_up(len, 8);
}

uint8_t *
redo_encode(uint8_t *out, const uint8_t *base, uint64_t off, uint64_t len, uint32_t *entry_nr)
{
	uint64_t at = off, piece;

	if (len < LONG_BYTES)
		return put_write(out, base, off, len, entry_nr);
	at = next_piece(base, at, off + len, &piece);
	if (piece == len)
		return put_write(out, base, off, len, entry_nr);
	out = put_entry(out, off, len, REDO_ZERO, entry_nr);
	while (piece != 0) {
		out = put_write(out, base, at, piece, entry_nr);
		at  = next_piece(base, at + piece, off + len, &piece);
	}
	return out;
}

uint8_t *
redo_encode_data(uint8_t *out, uint64_t off, uint64_t len, uint32_t crc, uint32_t *entry_nr)
{
	struct wal_data_df data = {.crc = crc};

	out = put_entry(out, off, len, REDO_DATA, entry_nr);
	memcpy(out, &data, sizeof(data));
	return out + sizeof(data);
}

bool
redo_next_data(const uint8_t **entries, size_t *bytes, uint64_t *ret_off, uint64_t *ret_len,
	       uint32_t *ret_crc)
{
	struct wal_entry_df e;
	struct wal_data_df  data;

	if (*bytes < REDO_DATA_BYTES)
		return false;
	memcpy(&e, *entries, sizeof(e));
	if ((e.len_kind & 3) != REDO_DATA)
		return false;
	memcpy(&data, *entries + sizeof(e), sizeof(data));
	*entries += REDO_DATA_BYTES;
	*bytes -= REDO_DATA_BYTES;
	*ret_off = e.off;
	*ret_len = e.len_kind >> 2;
	*ret_crc = data.crc;
	return true;
}

int
redo_apply(uint8_t *base, uint64_t heap_bytes, const uint8_t *entries, size_t bytes,
	   uint32_t entry_nr, redo_dirty_t dirty, void *arg)
{
	struct wal_entry_df e;
	uint64_t            len, off;
	uint32_t            crc;

	for (uint32_t i = 0; i < entry_nr; i++) {
		if (redo_next_data(&entries, &bytes, &off, &len, &crc))
			continue;
		if (bytes < sizeof(e))
			return -DER_DF_INVAL;
		memcpy(&e, entries, sizeof(e));
		entries += sizeof(e);
		bytes -= sizeof(e);
		len = e.len_kind >> 2;
		if (len == 0 || e.off > heap_bytes || len > heap_bytes - e.off)
			return -DER_DF_INVAL;
		if ((e.len_kind & 3) == REDO_ZERO) {
			memset(base + e.off, 0, len);
		} else if ((e.len_kind & 3) == REDO_WRITE && align_up(len, 8) <= bytes) {
			memcpy(base + e.off, entries, len);
			entries += align_up(len, 8);
			bytes -= align_up(len, 8);
		} else {
			return -DER_DF_INVAL;
		}
		dirty(arg, e.off, len);
	}
	return bytes == 0 ? 0 : -DER_DF_INVAL;
}
