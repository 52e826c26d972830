/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/** Redo entries: pure functions from ranges of the heap to bytes and back. */
#pragma once

#include "umem/umem_media_df.h"

/** Most bytes redo_encode() writes for the range. Reads the range when it is long. */
size_t redo_bound(const uint8_t *base, uint64_t off, uint64_t len);
/** Returns the end of what was written at @out. Long ranges leave runs of zeroes out. */
uint8_t *redo_encode(uint8_t *out, const uint8_t *base, uint64_t off, uint64_t len,
		     uint32_t *entry_nr);

#define REDO_DATA_BYTES (sizeof(struct wal_entry_df) + sizeof(struct wal_data_df))
/** Note bytes on the data blob; before all other entries of the record. REDO_DATA_BYTES long. */
uint8_t *redo_encode_data(uint8_t *out, uint64_t off, uint64_t len, uint32_t crc, uint32_t *entry_nr);
/** The data entry at *@entries, which moves on; false if there is no (well-formed) one. */
bool redo_next_data(const uint8_t **entries, size_t *bytes, uint64_t *ret_off, uint64_t *ret_len,
		    uint32_t *ret_crc);

typedef void (*redo_dirty_t)(void *arg, uint64_t off, uint64_t len);
/** Apply a record's entries, every one checked against @heap_bytes before; data entries change nothing. -DER_DF_INVAL */
int redo_apply(uint8_t *base, uint64_t heap_bytes, const uint8_t *entries, size_t bytes,
	       uint32_t entry_nr, redo_dirty_t dirty, void *arg) MUST_CHECK;
