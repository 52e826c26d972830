/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/**
 * The allocator of the transactional heap.
 *
 * The heap is an array of 64 KiB chunks. The first ones hold the heap's header and the chunk table
 * (8 bytes a chunk). Up to 32 KiB, an allocation is a slot of a run: one or a few chunks that begin
 * with a bitmap and go on with equal slots, in 40 size classes, four to a doubling as in jemalloc.
 * Larger allocations are spans of whole chunks.
 *
 * Only table and bitmaps are durable. Everything that makes it fast is a DRAM index rebuilt by
 * heap_load(): runs with room by class, free spans by length in bins with a bit map of the bins that
 * are not empty, and the length of each span at both its ends, so that neighbours merge in O(1).
 *
 * Invariants (heap_check):
 *  1. Walking the table from the first chunk and skipping chunk_nr at each RUN and LARGE entry meets
 *     every chunk once; entries that are skipped are zero.
 *  2. Free spans are maximal: no two are neighbours. Each is in the bin of its length.
 *  3. A run's free_nr is its number of zero bits; it is listed under its class iff free_nr > 0.
 *     Bits beyond the last slot are one. Words before `word` are full.
 *  4. used_bytes is the sum of slot sizes in use and of LARGE spans.
 *  5. Memory released in a transaction is found by no allocation before its commit: a release is
 *     applied by the commit itself, after the last allocation.
 */
#define D_LOGFAC LOG_FAC_UMEM

#include <stdlib.h>
#include <string.h>
#include "base/log.h"
#include "platform/platform.h"
#include "umem/umem_heap.h"
#include "umem/umem_tx.h"

#define BACK_FROM_CHUNK 256u /* 16 MiB */
#define BACK_CHUNKS_MAX 16u

const uint32_t heap_class_bytes[UMEM_CLASS_NR] = {
    16,   32,   48,   64,   80,   96,    112,   128,   160,   192,   224,   256,   320,   384,
    448,  512,  640,  768,  896,  1024,  1280,  1536,  1792,  2048,  2560,  3072,  3584,  4096,
    5120, 6144, 7168, 8192, 10240, 12288, 14336, 16384, 20480, 24576, 28672, 32768,
};

static uint32_t
class_of(size_t bytes)
{
	uint32_t log2, step;

	if (bytes <= 128)
		return bytes == 0 ? 0 : (bytes + 15) / 16 - 1;
	log2 = 63 - __builtin_clzll(bytes - 1);
	step = ((bytes - 1) >> (log2 - 2)) & 3;
	return 8 + (log2 - 7) * 4 + step;
}

/** Longer runs waste less at their end; but no run takes more than 1/256 of the heap. */
static uint32_t
class_run_chunks(const struct umem_heap *h, uint32_t class_idx)
{
	uint32_t want = heap_class_bytes[class_idx] <= 1024 ? 1 : heap_class_bytes[class_idx] <= 8192 ? 2 : 8;

	while (want > 1 && want > h->chunk_nr / 256)
		want /= 2;
	return want;
}

size_t
heap_bitmap_bytes(uint32_t slot_nr)
{
	return align_up((slot_nr + 63) / 64 * 8, UMEM_ALIGN_BYTES);
}

uint32_t
heap_run_slot_nr(uint32_t class_idx, uint32_t chunk_nr)
{
	uint64_t span = (uint64_t)chunk_nr * UMEM_CHUNK_BYTES;
	uint32_t nr   = span / heap_class_bytes[class_idx];

	while (heap_bitmap_bytes(nr) + (uint64_t)nr * heap_class_bytes[class_idx] > span)
		nr--;
	return nr;
}

uint64_t *
heap_run_bitmap(const struct umem_heap *h, uint32_t chunk)
{
	return (uint64_t *)(h->base + (uint64_t)chunk * UMEM_CHUNK_BYTES);
}

/* ---- free spans ---- */

static uint32_t
bin_of(uint32_t chunk_nr)
{
	uint32_t log2;

	if (chunk_nr <= 64)
		return chunk_nr;
	log2 = 31 - __builtin_clz(chunk_nr);
	return 65 + (log2 - 6) * 4 + ((chunk_nr >> (log2 - 2)) & 3);
}

void
heap_span_link(struct umem_heap *h, uint32_t chunk, uint32_t chunk_nr)
{
	uint32_t bin = bin_of(chunk_nr);

	h->chunks[chunk].span_nr                = chunk_nr;
	h->chunks[chunk + chunk_nr - 1].span_nr = chunk_nr;
	d_list_add(&h->chunks[chunk].link, &h->bins[bin]);
	h->bin_map[bin / 64] |= 1ULL << (bin % 64);
	h->free_chunk_nr += chunk_nr;
}

static void
span_unlink(struct umem_heap *h, uint32_t chunk)
{
	uint32_t chunk_nr = h->chunks[chunk].span_nr;
	uint32_t bin      = bin_of(chunk_nr);

	h->chunks[chunk].span_nr                = 0;
	h->chunks[chunk + chunk_nr - 1].span_nr = 0;
	d_list_del(&h->chunks[chunk].link);
	if (d_list_empty(&h->bins[bin]))
		h->bin_map[bin / 64] &= ~(1ULL << (bin % 64));
	h->free_chunk_nr -= chunk_nr;
}

/** Give back chunks that are in no span, merging them with free neighbours. */
static void
span_release(struct umem_heap *h, uint32_t chunk, uint32_t chunk_nr)
{
	uint32_t next = chunk + chunk_nr;

	if (next < h->chunk_nr && h->chunks[next].span_nr != 0) {
		chunk_nr += h->chunks[next].span_nr;
		span_unlink(h, next);
	}
	if (chunk > h->first_chunk && h->chunks[chunk - 1].span_nr != 0) {
		uint32_t prev_nr = h->chunks[chunk - 1].span_nr;

		span_unlink(h, chunk - prev_nr);
		chunk -= prev_nr;
		chunk_nr += prev_nr;
	}
	heap_span_link(h, chunk, chunk_nr);
}

/** First chunk of some span of at least @chunk_nr, or 0. */
static uint32_t
span_find(const struct umem_heap *h, uint32_t chunk_nr)
{
	uint32_t           bin = bin_of(chunk_nr);
	struct heap_chunk *c;

	/* Spans of one bin may be shorter than wanted only from bin 65 on. */
	d_list_for_each(c, &h->bins[bin], link)
	{
		if (c->span_nr >= chunk_nr)
			return c - h->chunks;
	}
	for (uint32_t word = (bin + 1) / 64; word < ARRAY_NR(h->bin_map); word++) {
		uint64_t bits = h->bin_map[word];

		if (word == (bin + 1) / 64)
			bits &= ~0ULL << ((bin + 1) % 64);
		if (bits != 0) {
			bin = word * 64 + __builtin_ctzll(bits);
			return d_list_first(&h->bins[bin], struct heap_chunk, link) - h->chunks;
		}
	}
	return 0;
}

/**
 * A heap that is no small one any more gets the memory of new chunks at once: they are filled soon, and a fault for each page
 * costs much more (14 % of updates of 4 KiB). Small heaps, of which there may be many, take what they touch.
 */
static void
back_with_memory(struct umem_heap *h, uint32_t chunk, uint32_t chunk_nr)
{
	if (chunk < h->backed_nr)
		return;
	h->backed_nr = chunk + chunk_nr;
	if (chunk >= BACK_FROM_CHUNK && chunk_nr <= BACK_CHUNKS_MAX)
		plat_map_back(h->base + (uint64_t)chunk * UMEM_CHUNK_BYTES, (uint64_t)chunk_nr * UMEM_CHUNK_BYTES);
}

/** Take @chunk_nr chunks; 0 if there are none. */
static uint32_t
span_take(struct umem_heap *h, uint32_t chunk_nr)
{
	uint32_t chunk = span_find(h, chunk_nr);
	uint32_t had;

	if (chunk == 0)
		return 0;
	had = h->chunks[chunk].span_nr;
	span_unlink(h, chunk);
	if (had > chunk_nr)
		heap_span_link(h, chunk + chunk_nr, had - chunk_nr);
	back_with_memory(h, chunk, chunk_nr);
	return chunk;
}

/* ---- allocation ---- */

void
heap_run_index(struct umem_heap *h, uint32_t chunk, uint32_t chunk_nr, uint32_t class_idx,
	  uint32_t free_nr)
{
	struct heap_chunk *c = &h->chunks[chunk];

	for (uint32_t i = 0; i < chunk_nr; i++)
		h->chunks[chunk + i].head = chunk;
	c->free_nr = free_nr;
	c->word    = 0;
	c->slot_nr = heap_run_slot_nr(class_idx, chunk_nr);
	c->slots   = heap_bitmap_bytes(c->slot_nr);
	d_list_init(&c->link);
	if (free_nr > 0)
		d_list_add(&c->link, &h->partial[class_idx]);
}

/** Make a run: as long as the class likes, shorter where the heap is fragmented. */
static int
run_create(struct umem_heap *h, uint32_t class_idx, struct heap_op *op, uint32_t *ret_chunk)
{
	uint32_t  want = class_run_chunks(h, class_idx);
	uint32_t  chunk, slot_nr;
	uint64_t *bitmap;
	int       rc;

	while ((chunk = span_take(h, want)) == 0 && want > 1)
		want /= 2;
	if (chunk == 0)
		return -DER_NOSPACE;
	slot_nr = heap_run_slot_nr(class_idx, want);
	bitmap  = heap_run_bitmap(h, chunk);
	rc      = umem_tx_add(h->u, &h->tab[chunk], sizeof(h->tab[chunk]));
	if (rc == 0)
		rc = umem_tx_fresh(h->u, bitmap, heap_bitmap_bytes(slot_nr));
	if (rc != 0) {
		span_release(h, chunk, want);
		return rc;
	}
	h->tab[chunk] = (struct umem_chunk_df){
	    .kind = UMEM_CHUNK_RUN, .class_idx = class_idx, .chunk_nr = want};
	memset(bitmap, 0, heap_bitmap_bytes(slot_nr));
	for (uint32_t slot = slot_nr; slot < heap_bitmap_bytes(slot_nr) * 8; slot++)
		bitmap[slot / 64] |= 1ULL << (slot % 64);
	heap_run_index(h, chunk, want, class_idx, slot_nr);
	*op        = (struct heap_op){HEAP_OP_RUN, chunk, want, class_idx};
	*ret_chunk = chunk;
	return 0;
}

static int
slot_alloc(struct umem_heap *h, uint32_t chunk, uint32_t class_idx, umem_off_t *ret_off)
{
	struct heap_chunk *c      = &h->chunks[chunk];
	uint64_t          *bitmap = heap_run_bitmap(h, chunk);
	uint32_t           word   = c->word;
	uint32_t           slot;
	int                rc;

	while (bitmap[word] == ~0ULL)
		word++;
	D_ASSERT(word * 64 < c->slot_nr);
	rc = umem_tx_add(h->u, &bitmap[word], sizeof(bitmap[word]));
	if (rc != 0)
		return rc;
	slot = word * 64 + __builtin_ctzll(~bitmap[word]);
	bitmap[word] |= 1ULL << (slot % 64);
	c->word = word;
	if (--c->free_nr == 0)
		d_list_del(&c->link);
	h->used_bytes += heap_class_bytes[class_idx];
	*ret_off = (uint64_t)chunk * UMEM_CHUNK_BYTES + c->slots +
		   (uint64_t)slot * heap_class_bytes[class_idx];
	return 0;
}

static int
large_alloc(struct umem_heap *h, size_t bytes, umem_off_t *ret_off, struct heap_op *op)
{
	uint64_t chunk_nr = (bytes + UMEM_CHUNK_BYTES - 1) / UMEM_CHUNK_BYTES;
	uint32_t chunk;
	int      rc;

	if (chunk_nr > h->free_chunk_nr)
		return -DER_NOSPACE;
	chunk = span_take(h, chunk_nr);
	if (chunk == 0)
		return -DER_NOSPACE;
	rc = umem_tx_add(h->u, &h->tab[chunk], sizeof(h->tab[chunk]));
	if (rc != 0) {
		span_release(h, chunk, chunk_nr);
		return rc;
	}
	h->tab[chunk] = (struct umem_chunk_df){.kind = UMEM_CHUNK_LARGE, .chunk_nr = chunk_nr};
	h->chunks[chunk].head = chunk;
	h->used_bytes += chunk_nr * UMEM_CHUNK_BYTES;
	*op      = (struct heap_op){HEAP_OP_LARGE, chunk, chunk_nr, 0};
	*ret_off = (uint64_t)chunk * UMEM_CHUNK_BYTES;
	return 0;
}

int
heap_alloc(struct umem_heap *h, size_t bytes, umem_off_t *ret_off, struct heap_op *ops,
	   uint32_t *op_nr)
{
	struct heap_chunk *c;
	uint32_t           class_idx, chunk;
	int                rc;

	*op_nr = 0;
	if (bytes > UMEM_SLOT_MAX) {
		rc = large_alloc(h, bytes, ret_off, &ops[0]);
		*op_nr = rc == 0;
		return rc;
	}
	class_idx = class_of(bytes);
	c         = d_list_first(&h->partial[class_idx], struct heap_chunk, link);
	if (c == NULL) {
		rc     = run_create(h, class_idx, &ops[0], &chunk);
		*op_nr = rc == 0;
		/* No chunk is left: a larger slot will do. */
		while (rc == -DER_NOSPACE && c == NULL && ++class_idx < UMEM_CLASS_NR)
			c = d_list_first(&h->partial[class_idx], struct heap_chunk, link);
		if (rc != 0 && c == NULL)
			return rc;
	}
	if (c != NULL)
		chunk = c - h->chunks;
	rc = slot_alloc(h, chunk, class_idx, ret_off);
	if (rc != 0)
		return rc;
	ops[(*op_nr)++] = (struct heap_op){HEAP_OP_SLOT, chunk, 0, class_idx};
	return 0;
}

/* ---- release ---- */

/** Slot number of @off in the run that begins at @chunk, or UINT32_MAX when no slot starts there. */
static uint32_t
slot_of(const struct umem_heap *h, uint32_t chunk, umem_off_t off)
{
	uint32_t class_idx = h->tab[chunk].class_idx;
	uint64_t first     = (uint64_t)chunk * UMEM_CHUNK_BYTES + h->chunks[chunk].slots;

	if (off < first || (off - first) % heap_class_bytes[class_idx] != 0 ||
	    (off - first) / heap_class_bytes[class_idx] >= h->chunks[chunk].slot_nr)
		return UINT32_MAX;
	return (off - first) / heap_class_bytes[class_idx];
}

bool
heap_is_allocated(const struct umem_heap *h, umem_off_t off)
{
	uint32_t chunk = off / UMEM_CHUNK_BYTES;
	uint32_t slot;

	if (off >= h->bytes || chunk < h->first_chunk)
		return false;
	chunk = h->chunks[chunk].head;
	if (chunk < h->first_chunk)
		return false;
	if (h->tab[chunk].kind == UMEM_CHUNK_LARGE)
		return off == (uint64_t)chunk * UMEM_CHUNK_BYTES;
	if (h->tab[chunk].kind != UMEM_CHUNK_RUN ||
	    off / UMEM_CHUNK_BYTES >= chunk + h->tab[chunk].chunk_nr)
		return false;
	slot = slot_of(h, chunk, off);
	return slot != UINT32_MAX && (heap_run_bitmap(h, chunk)[slot / 64] >> (slot % 64) & 1) != 0;
}

static void
chunks_release(struct umem_heap *h, uint32_t chunk, uint32_t chunk_nr)
{
	umem_tx_add_reserved(h->u, &h->tab[chunk], sizeof(h->tab[chunk]));
	memset(&h->tab[chunk], 0, sizeof(h->tab[chunk]));
	span_release(h, chunk, chunk_nr);
}

static void
slot_release(struct umem_heap *h, uint32_t chunk, uint32_t slot)
{
	struct heap_chunk *c         = &h->chunks[chunk];
	uint32_t           class_idx = h->tab[chunk].class_idx;
	uint32_t           chunk_nr  = h->tab[chunk].chunk_nr;
	uint64_t          *word      = &heap_run_bitmap(h, chunk)[slot / 64];

	D_ASSERT((*word >> (slot % 64) & 1) != 0); /* else released twice */
	umem_tx_add_reserved(h->u, word, sizeof(*word));
	*word &= ~(1ULL << (slot % 64));
	if (slot / 64 < c->word)
		c->word = slot / 64;
	h->used_bytes -= heap_class_bytes[class_idx];
	if (c->free_nr++ == 0)
		d_list_add(&c->link, &h->partial[class_idx]);
	/* An empty run is given back unless it is the last one with room: that one is kept warm. */
	if (c->free_nr == c->slot_nr &&
	    (c->link.next != &h->partial[class_idx] || c->link.prev != &h->partial[class_idx])) {
		d_list_del(&c->link);
		chunks_release(h, chunk, chunk_nr);
	}
}

void
heap_free_apply(struct umem_heap *h, umem_off_t off)
{
	uint32_t chunk = h->chunks[off / UMEM_CHUNK_BYTES].head;

	if (h->tab[chunk].kind == UMEM_CHUNK_LARGE) {
		uint32_t chunk_nr = h->tab[chunk].chunk_nr;

		h->used_bytes -= (uint64_t)chunk_nr * UMEM_CHUNK_BYTES;
		chunks_release(h, chunk, chunk_nr);
		return;
	}
	D_ASSERT(h->tab[chunk].kind == UMEM_CHUNK_RUN); /* else released twice */
	slot_release(h, chunk, slot_of(h, chunk, off));
}

void
heap_op_undo(struct umem_heap *h, const struct heap_op *op)
{
	struct heap_chunk *c = &h->chunks[op->chunk];

	switch (op->kind) {
	case HEAP_OP_SLOT:
		c->word = 0;
		if (c->free_nr++ == 0)
			d_list_add(&c->link, &h->partial[op->class_idx]);
		h->used_bytes -= heap_class_bytes[op->class_idx];
		break;
	case HEAP_OP_RUN:
		d_list_del(&c->link);
		span_release(h, op->chunk, op->chunk_nr);
		break;
	case HEAP_OP_LARGE:
		h->used_bytes -= (uint64_t)op->chunk_nr * UMEM_CHUNK_BYTES;
		span_release(h, op->chunk, op->chunk_nr);
		break;
	}
}

/* ---- life ---- */

int
heap_index_create(struct umem_heap *h)
{
	uint64_t tab_end;

	h->chunk_nr    = h->bytes / UMEM_CHUNK_BYTES;
	tab_end        = UMEM_TAB_OFF + (uint64_t)h->chunk_nr * sizeof(*h->tab);
	h->first_chunk = (tab_end + UMEM_CHUNK_BYTES - 1) / UMEM_CHUNK_BYTES;
	h->tab         = (struct umem_chunk_df *)(h->base + UMEM_TAB_OFF);
	h->chunks      = calloc(h->chunk_nr, sizeof(*h->chunks));
	if (h->chunks == NULL)
		return -DER_NOMEM;
	for (uint32_t i = 0; i < UMEM_CLASS_NR; i++)
		d_list_init(&h->partial[i]);
	for (uint32_t i = 0; i < HEAP_BIN_NR; i++)
		d_list_init(&h->bins[i]);
	return 0;
}

void
heap_index_destroy(struct umem_heap *h)
{
	free(h->chunks);
	h->chunks = NULL;
}

void
heap_init_fresh(struct umem_heap *h, const unsigned char uuid[16])
{
	struct umem_heap_df *df = (struct umem_heap_df *)h->base;

	*df = (struct umem_heap_df){
	    .magic = UMEM_HEAP_MAGIC, .version = UMEM_HEAP_VERSION, .heap_bytes = h->bytes};
	memcpy(df->uuid, uuid, sizeof(df->uuid));
	h->tab[0] = (struct umem_chunk_df){.kind = UMEM_CHUNK_FIXED, .chunk_nr = h->first_chunk};
	if (h->chunk_nr > h->first_chunk)
		heap_span_link(h, h->first_chunk, h->chunk_nr - h->first_chunk);
}

bool
heap_has_span(const struct umem_heap *h, uint32_t chunk_nr)
{
	return span_find(h, chunk_nr) != 0;
}

uint64_t
heap_largest_free(const struct umem_heap *h)
{
	uint32_t           largest = 0;
	struct heap_chunk *c;

	for (uint32_t bin = HEAP_BIN_NR; bin-- > 0 && largest == 0;) {
		d_list_for_each(c, &h->bins[bin], link)
		{
			if (c->span_nr > largest)
				largest = c->span_nr;
		}
	}
	return (uint64_t)largest * UMEM_CHUNK_BYTES;
}

uint64_t
heap_fixed_bytes(const struct umem_heap *h)
{
	return (uint64_t)h->first_chunk * UMEM_CHUNK_BYTES;
}
