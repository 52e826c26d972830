/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/** Building the allocator's DRAM index from the durable bytes, and checking one against the other. */
#define D_LOGFAC LOG_FAC_UMEM

#include <stdlib.h>
#include <string.h>
#include "base/log.h"
#include "umem/umem_heap.h"

/** Index the run at @chunk, whose table entry was checked. */
static int
load_run(struct umem_heap *h, uint32_t chunk)
{
	const struct umem_chunk_df *df     = &h->tab[chunk];
	const uint64_t             *bitmap = heap_run_bitmap(h, chunk);
	uint32_t                    slot_nr, free_nr = 0;

	if (df->class_idx >= UMEM_CLASS_NR || df->chunk_nr > 8 ||
	    (slot_nr = heap_run_slot_nr(df->class_idx, df->chunk_nr)) == 0) {
		D_ERROR("heap chunk %u: run of unknown class %u, length %u: damaged\n", chunk,
			df->class_idx, df->chunk_nr);
		return -DER_DF_INVAL;
	}
	for (uint32_t word = 0; word < heap_bitmap_bytes(slot_nr) / 8; word++)
		free_nr += 64 - __builtin_popcountll(bitmap[word]);
	for (uint32_t slot = slot_nr; slot < heap_bitmap_bytes(slot_nr) * 8; slot++) {
		if ((bitmap[slot / 64] >> (slot % 64) & 1) == 0) {
			D_ERROR("heap chunk %u: bitmap damaged beyond slot %u\n", chunk, slot_nr);
			return -DER_DF_INVAL;
		}
	}
	heap_run_index(h, chunk, df->chunk_nr, df->class_idx, free_nr);
	h->used_bytes += (uint64_t)(slot_nr - free_nr) * heap_class_bytes[df->class_idx];
	return 0;
}

static int
load_chunk(struct umem_heap *h, uint32_t chunk)
{
	const struct umem_chunk_df *df = &h->tab[chunk];

	if (df->chunk_nr == 0 || df->chunk_nr > h->chunk_nr - chunk ||
	    (df->kind != UMEM_CHUNK_RUN && df->kind != UMEM_CHUNK_LARGE)) {
		D_ERROR("heap chunk table, entry %u: kind %u, length %u: damaged\n", chunk,
			df->kind, df->chunk_nr);
		return -DER_DF_INVAL;
	}
	for (uint32_t i = 1; i < df->chunk_nr; i++) {
		if (h->tab[chunk + i].kind != UMEM_CHUNK_NONE) {
			D_ERROR("heap chunk table: %u overlaps %u: damaged\n", chunk + i, chunk);
			return -DER_DF_INVAL;
		}
	}
	if (df->kind == UMEM_CHUNK_RUN)
		return load_run(h, chunk);
	h->chunks[chunk].head = chunk;
	h->used_bytes += (uint64_t)df->chunk_nr * UMEM_CHUNK_BYTES;
	return 0;
}

static int
check_header(const struct umem_heap *h, const unsigned char uuid[16])
{
	const struct umem_heap_df *df = (const struct umem_heap_df *)h->base;

	if (df->magic != UMEM_HEAP_MAGIC || df->heap_bytes != h->bytes ||
	    memcmp(df->uuid, uuid, sizeof(df->uuid)) != 0 ||
	    h->tab[0].kind != UMEM_CHUNK_FIXED || h->tab[0].chunk_nr != h->first_chunk) {
		D_ERROR("heap " DF_UUID ": header damaged\n", DP_UUID(uuid));
		return -DER_DF_INVAL;
	}
	if (df->version != UMEM_HEAP_VERSION) {
		D_ERROR("heap " DF_UUID ": format %u, this program reads %u\n", DP_UUID(uuid),
			df->version, UMEM_HEAP_VERSION);
		return -DER_DF_INCOMPT;
	}
	return 0;
}

int
heap_load(struct umem_heap *h, const unsigned char uuid[16])
{
	const struct umem_heap_df *df    = (const struct umem_heap_df *)h->base;
	uint32_t                   chunk = h->first_chunk, span = 0;
	int                        rc    = check_header(h, uuid);

	while (rc == 0 && chunk < h->chunk_nr) {
		if (h->tab[chunk].kind == UMEM_CHUNK_NONE) {
			span++;
			chunk++;
			continue;
		}
		if (span > 0)
			heap_span_link(h, chunk - span, span);
		span = 0;
		rc   = load_chunk(h, chunk);
		chunk += h->tab[chunk].chunk_nr;
	}
	if (rc != 0)
		return rc;
	if (span > 0)
		heap_span_link(h, chunk - span, span);
	if (df->root_bytes != 0 && !heap_is_allocated(h, df->root_off)) {
		D_ERROR("heap " DF_UUID ": root object damaged\n", DP_UUID(uuid));
		return -DER_DF_INVAL;
	}
	return 0;
}

/* ---- checking ---- */

static int
check_run(const struct umem_heap *h, uint32_t chunk, uint64_t *used)
{
	const struct umem_chunk_df *df      = &h->tab[chunk];
	const struct heap_chunk    *c       = &h->chunks[chunk];
	const uint64_t             *bitmap  = heap_run_bitmap(h, chunk);
	uint32_t                    slot_nr = heap_run_slot_nr(df->class_idx, df->chunk_nr);
	uint32_t                    free_nr = 0;

	for (uint32_t word = 0; word < heap_bitmap_bytes(slot_nr) / 8; word++) {
		uint32_t nr = 64 - __builtin_popcountll(bitmap[word]);

		if (nr != 0 && word < c->word)
			return -DER_DF_INVAL;
		free_nr += nr;
	}
	for (uint32_t i = 0; i < df->chunk_nr; i++) {
		if (h->chunks[chunk + i].head != chunk)
			return -DER_DF_INVAL;
	}
	*used += (uint64_t)(slot_nr - free_nr) * heap_class_bytes[df->class_idx];
	return free_nr == c->free_nr && (free_nr > 0) == !d_list_empty(&c->link) ? 0
										   : -DER_DF_INVAL;
}

/** One step of the walk; *@chunk moves on. */
static int
check_step(const struct umem_heap *h, uint32_t *chunk, uint64_t *used, uint64_t *free_nr)
{
	const struct umem_chunk_df *df  = &h->tab[*chunk];
	uint32_t                    at  = *chunk;
	uint32_t                    len = df->chunk_nr;
	int                         rc  = 0;

	if (df->kind == UMEM_CHUNK_NONE) {
		len = h->chunks[at].span_nr;
		*free_nr += len;
		if (len != 0 && at + len < h->chunk_nr && h->chunks[at + len].span_nr != 0)
			return -DER_DF_INVAL; /* invariant 2 */
		if (len != 0 && h->chunks[at + len - 1].span_nr != len)
			return -DER_DF_INVAL;
	} else if (df->kind == UMEM_CHUNK_LARGE) {
		*used += (uint64_t)len * UMEM_CHUNK_BYTES;
	} else {
		rc = df->kind == UMEM_CHUNK_RUN ? check_run(h, at, used) : -DER_DF_INVAL;
	}
	if (rc != 0 || len == 0 || len > h->chunk_nr - at)
		return -DER_DF_INVAL;
	for (uint32_t i = 1; i < len; i++) {
		if (h->tab[at + i].kind != UMEM_CHUNK_NONE)
			return -DER_DF_INVAL; /* invariant 1 */
	}
	*chunk = at + len;
	return 0;
}

int
heap_check(struct umem_heap *h)
{
	uint64_t used = 0, free_nr = 0;
	uint32_t chunk = h->first_chunk;

	while (chunk < h->chunk_nr) {
		if (check_step(h, &chunk, &used, &free_nr) != 0) {
			D_ERROR("heap: allocator's state wrong at chunk %u\n", chunk);
			return -DER_DF_INVAL;
		}
	}
	if (used != h->used_bytes || free_nr != h->free_chunk_nr) {
		D_ERROR("heap: %lu bytes used, %lu chunks free, but the walk found %lu, %lu\n",
			h->used_bytes, h->free_chunk_nr, used, free_nr);
		return -DER_DF_INVAL;
	}
	return 0;
}
