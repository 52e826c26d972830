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

#define SAMPLE_BYTES  256u
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

/** One word in SAMPLE_BYTES: is any of them zero? Else it is not worth looking for zeroes. */
static bool
may_have_zeroes(const uint8_t *p, uint64_t len)
{
	for (uint64_t at = 0; at + 8 <= len; at += SAMPLE_BYTES) {
		uint64_t word;

		memcpy(&word, p + at, 8);
		if (word == 0)
			return true;
	}
	return false;
}

size_t
redo_bound_long(const uint8_t *base, uint64_t off, uint64_t len)
{
	uint64_t at = off, piece;
	size_t   sum = REDO_ENTRY_BYTES;

	/* Leaving zeroes out never costs more than the first entry: no piece is shorter than a granule but the last. */
	if (len < BOUND_BYTES || !may_have_zeroes(base + off, len))
		return 2 * sum + align_up(len, 8);
	for (;;) {
		at = next_piece(base, at, off + len, &piece);
		if (piece == 0)
			return sum;
		sum += REDO_ENTRY_BYTES + align_up(piece, 8);
		at += piece;
	}
}

static uint8_t *
put_entry(uint8_t *out, uint64_t off, uint64_t len, enum wal_kind kind, uint32_t *entry_nr)
{
	wal_entry_t e[2] = {off << 18 | len << 2 | kind, len};
	size_t      bytes = sizeof(e[0]);

	if (len > WAL_ENTRY_LEN_MAX) {
		e[0]  = off << 18 | kind;
		bytes = sizeof(e);
	}
	memcpy(out, e, bytes);
	(*entry_nr)++;
	return out + bytes;
}

static uint8_t *
put_write(uint8_t *out, const uint8_t *base, uint64_t off, uint64_t len, uint32_t *entry_nr)
{
	out = put_entry(out, off, len, REDO_WRITE, entry_nr);
	memset(out + align_down(len, 8), 0, align_up(len, 8) - align_down(len, 8));
	memcpy(out, base + off, len);
	return out + align_up(len, 8);
}

uint8_t *
redo_encode_long(uint8_t *out, const uint8_t *base, uint64_t off, uint64_t len, uint32_t *entry_nr)
{
	uint64_t at = off, piece;

	if (!may_have_zeroes(base + off, len))
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

	out = put_entry(out, off / BIO_BLOCK_BYTES, len / BIO_BLOCK_BYTES, REDO_DATA, entry_nr);
	memcpy(out, &data, sizeof(data));
	return out + sizeof(data);
}

/** The entry at *@entries, which moves behind its one or two words; false if they are not all there. */
static bool
take_entry(const uint8_t **entries, size_t *bytes, uint64_t *ret_off, uint64_t *ret_len, uint32_t *ret_kind)
{
	wal_entry_t e;
	size_t      used = sizeof(e);

	if (*bytes < used)
		return false;
	memcpy(&e, *entries, sizeof(e));
	*ret_kind = e & 3;
	*ret_off  = e >> 18;
	*ret_len  = e >> 2 & WAL_ENTRY_LEN_MAX;
	if (*ret_len == 0) {
		used = REDO_ENTRY_BYTES;
		if (*bytes < used)
			return false;
		memcpy(ret_len, *entries + sizeof(e), sizeof(*ret_len));
	}
	*entries += used;
	*bytes -= used;
	return true;
}

bool
redo_next_data(const uint8_t **entries, size_t *bytes, uint64_t *ret_off, uint64_t *ret_len,
	       uint32_t *ret_crc)
{
	const uint8_t     *at   = *entries;
	size_t             left = *bytes;
	uint64_t           off, len;
	uint32_t           kind;
	struct wal_data_df data;

	if (!take_entry(&at, &left, &off, &len, &kind) || kind != REDO_DATA || left < sizeof(data) ||
	    len > UINT64_MAX / BIO_BLOCK_BYTES)
		return false;
	memcpy(&data, at, sizeof(data));
	*entries = at + sizeof(data);
	*bytes   = left - sizeof(data);
	*ret_off = off * BIO_BLOCK_BYTES;
	*ret_len = len * BIO_BLOCK_BYTES;
	*ret_crc = data.crc;
	return true;
}

int
redo_apply(uint8_t *base, uint64_t heap_bytes, const uint8_t *entries, size_t bytes,
	   uint32_t entry_nr, redo_dirty_t dirty, void *arg)
{
	uint64_t len, off;
	uint32_t crc, kind;

	for (uint32_t i = 0; i < entry_nr; i++) {
		if (redo_next_data(&entries, &bytes, &off, &len, &crc))
			continue;
		if (!take_entry(&entries, &bytes, &off, &len, &kind) || len == 0 || off > heap_bytes ||
		    len > heap_bytes - off)
			return -DER_DF_INVAL;
		if (kind == REDO_ZERO) {
			memset(base + off, 0, len);
		} else if (kind == REDO_WRITE && align_up(len, 8) <= bytes) {
			memcpy(base + off, entries, len);
			entries += align_up(len, 8);
			bytes -= align_up(len, 8);
		} else {
			return -DER_DF_INVAL;
		}
		dirty(arg, off, len);
	}
	return bytes == 0 ? 0 : -DER_DF_INVAL;
}
