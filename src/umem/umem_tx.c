/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/**
 * Transactions.
 *
 * One at a time: nothing yields between begin and commit. umem_tx_add() copies the old bytes to the
 * undo buffer and notes the range. Abort copies them back, newest first, then takes back what the
 * allocator did to its DRAM index. Commit applies the releases and writes the present bytes of all
 * ranges into the log's buffer as one record: ranges that overlap are the same bytes twice, which is
 * right in any order, so only where they are many they are sorted and merged before. Buffers are kept
 * between transactions, so that a small one allocates nothing.
 *
 * Invariants:
 *  1. Bytes of the heap differ from what they were at begin only inside noted ranges and memory
 *     allocated in this transaction.
 *  2. When a commit starts to apply releases, nothing can fail any more: the log has admitted the
 *     record and umem_free() has made room for the ranges.
 *  3. Undo entries overlap freely; restored newest first, the oldest bytes win.
 */
#define D_LOGFAC LOG_FAC_UMEM

#include <stdlib.h>
#include <string.h>
#include "base/log.h"
#include "umem/umem_ckpt.h"
#include "umem/umem_int.h"
#include "umem/umem_log.h"
#include "umem/umem_redo.h"

#define TX_KEEP_BYTES (4u << 20) /**< a larger undo buffer is not kept */
#define TX_FRESH_BYTES 256u      /**< of fresh memory, all lines of so many are remembered */
#define TX_SEEN_MIX   0x9e3779b97f4a7c15ULL
#define TX_UNSORTED   24u        /**< so few ranges are logged as they came */
#define TX_GAP_BYTES  8u         /**< an entry costs that much: log a smaller gap along */

/** Make room for @more elements behind @nr. */
static int
grow(void **array, uint64_t nr, uint64_t more, uint64_t cap, size_t elem_bytes, uint64_t *ret_cap)
{
	uint64_t want = cap == 0 ? 64 : cap;
	void    *bigger;

	if (LIKELY(nr + more <= cap))
		return 0;
	while (want < nr + more)
		want *= 2;
	bigger = realloc(*array, want * elem_bytes);
	if (bigger == NULL)
		return -DER_NOMEM;
	*array   = bigger;
	*ret_cap = want;
	return 0;
}

static int
grow32(void **array, uint32_t nr, uint32_t more, uint32_t *cap, size_t elem_bytes)
{
	uint64_t new_cap = *cap;
	int      rc      = grow(array, nr, more, *cap, elem_bytes, &new_cap);

	*cap = new_cap;
	return rc;
}

void
tx_init(struct umem_tx *tx)
{
	memset(tx, 0, sizeof(*tx));
	d_list_init(&tx->ends);
	d_list_init(&tx->end_pool);
}

void
tx_fini(struct umem_tx *tx)
{
	struct tx_end *end;

	D_ASSERT(!tx->active);
	while ((end = d_list_first(&tx->end_pool, struct tx_end, link)) != NULL) {
		d_list_del(&end->link);
		free(end);
	}
	free(tx->ranges);
	free(tx->undo);
	free(tx->ops);
	free(tx->frees);
	free(tx->datas);
}

void
umem_tx_begin(struct umem *u)
{
	struct umem_tx *tx = &u->tx;

	D_ASSERT(!tx->active);
	tx->active     = true;
	memset(tx->seen, 0, sizeof(tx->seen));
	tx->range_nr   = 0;
	tx->undo_bytes = 0;
	tx->op_nr      = 0;
	tx->free_nr    = 0;
	tx->data_nr    = 0;
}

static struct tx_seen *
seen_of(struct umem_tx *tx, uint64_t off)
{
	return &tx->seen[(off / TX_SEEN_LINE * TX_SEEN_MIX >> 32) % TX_SEEN_NR];
}

static void
note_range(struct umem_tx *tx, uint64_t off, uint64_t len, uint64_t undo)
{
	tx->ranges[tx->range_nr++] = (struct tx_range){off, len, undo};
	*seen_of(tx, off)          = (struct tx_seen){off, off + len};
}

/** Is it known that the range is inside one noted? Not to know costs noting it twice. */
static bool
is_covered(struct umem_tx *tx, uint64_t off, uint64_t len)
{
	const struct tx_seen *seen = seen_of(tx, off);

	return off >= seen->off && off + len <= seen->end;
}

int
umem_tx_add(struct umem *u, void *ptr, size_t bytes)
{
	struct umem_tx *tx  = &u->tx;
	uint64_t        off = (uint8_t *)ptr - u->base;
	int             rc;

	D_ASSERT(tx->active);
	D_ASSERT(off < u->bytes && bytes <= u->bytes - off);
	if (UNLIKELY(u->err != 0))
		return u->err;
	if (bytes == 0 || is_covered(tx, off, bytes))
		return 0;
	rc = grow32((void **)&tx->ranges, tx->range_nr, 1, &tx->range_cap, sizeof(*tx->ranges));
	if (rc == 0)
		rc = grow((void **)&tx->undo, tx->undo_bytes, bytes, tx->undo_cap, 1,
			  &tx->undo_cap);
	if (rc != 0)
		return rc;
	memcpy(tx->undo + tx->undo_bytes, ptr, bytes);
	note_range(tx, off, bytes, tx->undo_bytes);
	tx->undo_bytes += bytes;
	return 0;
}

int
umem_tx_fresh(struct umem *u, void *ptr, size_t bytes)
{
	struct umem_tx *tx  = &u->tx;
	uint64_t        off = (uint8_t *)ptr - u->base;
	int             rc;

	rc = grow32((void **)&tx->ranges, tx->range_nr, 1, &tx->range_cap, sizeof(*tx->ranges));
	if (rc != 0)
		return rc;
	note_range(tx, off, bytes, TX_NO_UNDO);
	/* All parts of small things made are going to be set. */
	for (uint64_t at = off + TX_SEEN_LINE; at < off + MIN_OF(bytes, TX_FRESH_BYTES); at += TX_SEEN_LINE)
		*seen_of(tx, at) = (struct tx_seen){off, off + bytes};
	return 0;
}

void
umem_tx_add_reserved(struct umem *u, void *ptr, size_t bytes)
{
	uint64_t off = (uint8_t *)ptr - u->base;

	if (is_covered(&u->tx, off, bytes))
		return;
	D_ASSERT(u->tx.range_nr < u->tx.range_cap);
	note_range(&u->tx, off, bytes, TX_NO_UNDO);
}

int
umem_alloc_flags(struct umem *u, size_t bytes, uint32_t flags, umem_off_t *ret_off)
{
	struct umem_tx *tx = &u->tx;
	umem_off_t      off = UMEM_NULL;
	uint32_t        op_nr;
	int             rc;

	D_ASSERT(tx->active);
	if (UNLIKELY(u->err != 0))
		return u->err;
	if (bytes == 0 || bytes > u->bytes)
		return bytes == 0 ? -DER_INVAL : -DER_NOSPACE;
	rc = grow32((void **)&tx->ops, tx->op_nr, HEAP_ALLOC_OP_NR, &tx->op_cap, sizeof(*tx->ops));
	/* Four ranges: a run's table entry and bitmap, the bitmap's word, the body. */
	if (rc == 0)
		rc = grow32((void **)&tx->ranges, tx->range_nr, 4, &tx->range_cap,
			    sizeof(*tx->ranges));
	if (rc != 0)
		return rc;
	rc = heap_alloc(&u->heap, bytes, &off, &tx->ops[tx->op_nr], &op_nr);
	tx->op_nr += op_nr;
	if (rc != 0)
		return rc;
	if ((flags & UMEM_NO_ZERO) == 0)
		memset(u->base + off, 0, align_up(bytes, 8));
	else
		memset(u->base + align_down(off + bytes, 8), 0, 8 * (bytes % 8 != 0));
	bytes = align_up(bytes, 8);
	if ((flags & UMEM_NO_LOG_BODY) == 0)
		rc = umem_tx_fresh(u, u->base + off, bytes);
	if (rc == 0)
		*ret_off = off;
	return rc;
}

int
umem_alloc(struct umem *u, size_t bytes, umem_off_t *ret_off)
{
	return umem_alloc_flags(u, bytes, 0, ret_off);
}

int
umem_free(struct umem *u, umem_off_t off)
{
	struct umem_tx *tx = &u->tx;
	int             rc;

	D_ASSERT(tx->active);
	if (UNLIKELY(u->err != 0))
		return u->err;
	if (!heap_is_allocated(&u->heap, off))
		return -DER_INVAL;
	rc = grow32((void **)&tx->frees, tx->free_nr, 1, &tx->free_cap, sizeof(*tx->frees));
	if (rc == 0)
		tx->frees[tx->free_nr++] = off;
	return rc;
}

int
umem_tx_note_data(struct umem *u, uint64_t off, uint64_t bytes, uint32_t crc)
{
	struct umem_tx *tx = &u->tx;
	int             rc;

	D_ASSERT(tx->active);
	D_ASSERT(bytes > 0 && bytes % BIO_BLOCK_BYTES == 0 && off % BIO_BLOCK_BYTES == 0);
	if (u->log == NULL)
		return 0;
	D_ASSERT(u->data != NULL);
	rc = grow32((void **)&tx->datas, tx->data_nr, 1, &tx->data_cap, sizeof(*tx->datas));
	if (rc == 0)
		tx->datas[tx->data_nr++] = (struct tx_data){off, bytes, crc};
	return rc;
}

int
umem_tx_on_end(struct umem *u, void (*fn)(void *arg, int rc), void *arg)
{
	struct umem_tx *tx  = &u->tx;
	struct tx_end  *end = d_list_first(&tx->end_pool, struct tx_end, link);

	D_ASSERT(tx->active);
	if (end == NULL) {
		end = malloc(sizeof(*end));
		if (end == NULL)
			return -DER_NOMEM;
		d_list_init(&end->link);
	}
	d_list_del(&end->link);
	end->fn  = fn;
	end->arg = arg;
	d_list_add_tail(&end->link, &tx->ends);
	return 0;
}

void
tx_run_ends(struct umem_tx *tx, d_list_t *ends, int rc)
{
	struct tx_end *end;

	while ((end = d_list_first(ends, struct tx_end, link)) != NULL) {
		d_list_del(&end->link);
		end->fn(end->arg, rc);
		d_list_add(&end->link, &tx->end_pool);
	}
}

static void
tx_finish(struct umem_tx *tx)
{
	tx->active = false;
	if (UNLIKELY(tx->undo_cap > TX_KEEP_BYTES)) {
		free(tx->undo);
		tx->undo     = NULL;
		tx->undo_cap = 0;
	}
}

/** Put the bytes and the allocator's index back. */
static void
tx_restore(struct umem *u)
{
	struct umem_tx *tx = &u->tx;

	for (uint32_t i = tx->range_nr; i-- > 0;) {
		const struct tx_range *r = &tx->ranges[i];

		if (r->undo != TX_NO_UNDO)
			memcpy(u->base + r->off, tx->undo + r->undo, r->len);
	}
	for (uint32_t i = tx->op_nr; i-- > 0;)
		heap_op_undo(&u->heap, &tx->ops[i]);
	tx_finish(tx);
}

void
umem_tx_abort(struct umem *u)
{
	D_LIST_HEAD(ends);

	D_ASSERT(u->tx.active);
	tx_restore(u);
	d_list_splice_tail(&u->tx.ends, &ends);
	tx_run_ends(&u->tx, &ends, -DER_CANCELED);
}

/* ---- commit ---- */

/** Most bytes of the record: what is noted now, and what releases will note. */
static size_t
record_bound(const struct umem *u)
{
	const struct umem_tx *tx  = &u->tx;
	uint64_t              range_nr = tx->range_nr + (uint64_t)tx->free_nr * HEAP_FREE_RANGE_NR;
	/* Merging saves an entry for each gap it logs, but may make a long range, which has one more. */
	size_t sum = range_nr * REDO_ENTRY_BYTES +
		     (uint64_t)tx->free_nr * HEAP_FREE_RANGE_NR *
			 (REDO_ENTRY_BYTES + HEAP_FREE_RANGE_BYTES) +
		     tx->data_nr * REDO_DATA_BYTES;

	for (uint32_t i = 0; i < tx->range_nr; i++)
		sum += redo_bound(u->base, tx->ranges[i].off, tx->ranges[i].len);
	return sum;
}

static int
compare_ranges(const void *a, const void *b)
{
	const struct tx_range *x = a, *y = b;

	return (x->off > y->off) - (x->off < y->off);
}

/** Make the ranges ascending and disjoint, joining those that (nearly) touch. */
static void
merge_ranges(struct umem_tx *tx)
{
	uint32_t out = 0;

	if (tx->range_nr <= TX_UNSORTED)
		return;
	qsort(tx->ranges, tx->range_nr, sizeof(tx->ranges[0]), compare_ranges);
	for (uint32_t i = 1; i < tx->range_nr; i++) {
		struct tx_range *last = &tx->ranges[out];
		struct tx_range *next = &tx->ranges[i];
		uint64_t         end  = last->off + last->len;

		if (next->off <= end + TX_GAP_BYTES)
			last->len = MAX_OF(end, next->off + next->len) - last->off;
		else
			tx->ranges[++out] = *next;
	}
	tx->range_nr = MIN_OF(tx->range_nr, out + 1);
}

static void
tx_apply_frees(struct umem *u)
{
	for (uint32_t i = 0; i < u->tx.free_nr; i++)
		heap_free_apply(&u->heap, u->tx.frees[i]);
}

/** Everything that can fail. */
static int
tx_prepare(struct umem *u, uint8_t **ret_entries)
{
	struct umem_tx *tx = &u->tx;
	int             rc = u->err;

	if (rc == 0)
		rc = grow32((void **)&tx->ranges, tx->range_nr, tx->free_nr * HEAP_FREE_RANGE_NR,
			    &tx->range_cap, sizeof(*tx->ranges));
	if (rc == 0 && u->log != NULL)
		rc = log_stage_begin(u->log, record_bound(u), ret_entries);
	return rc;
}

/** Encode the record and mark its pages dirty. */
static void
tx_log(struct umem *u, uint8_t *entries)
{
	struct umem_tx *tx       = &u->tx;
	uint8_t        *at       = entries;
	uint32_t        entry_nr = 0;

	for (uint32_t i = 0; i < tx->data_nr; i++)
		at = redo_encode_data(at, tx->datas[i].off, tx->datas[i].len, tx->datas[i].crc,
				      &entry_nr);
	merge_ranges(tx);
	for (uint32_t i = 0; i < tx->range_nr; i++) {
		if (u->log != NULL)
			at = redo_encode(at, u->base, tx->ranges[i].off, tx->ranges[i].len,
					 &entry_nr);
		ckpt_dirty(u->ckpt, tx->ranges[i].off, tx->ranges[i].len);
	}
	if (u->log != NULL)
		log_stage_end(u->log, u->last_seq, at - entries, entry_nr, tx->data_nr > 0);
}

MAY_YIELD int
umem_tx_commit_async(struct umem *u, uint64_t *ret_seq)
{
	struct umem_tx *tx      = &u->tx;
	uint8_t        *entries = NULL;
	struct tx_end  *end;
	int             rc;
	D_LIST_HEAD(ends);

	D_ASSERT(tx->active);
	rc = tx_prepare(u, &entries);
	if (rc != 0) {
		umem_tx_abort(u);
		return rc;
	}
	tx_apply_frees(u);
	u->last_seq++;
	u->tx_nr++;
	if (u->ckpt != NULL)
		tx_log(u, entries);
	tx_finish(tx);
	*ret_seq = u->last_seq;
	d_list_for_each(end, &tx->ends, link)
	{
		end->seq = u->last_seq;
	}
	if (u->log != NULL) {
		if (UNLIKELY(!d_list_empty(&tx->ends))) {
			d_list_splice_tail(&tx->ends, &u->log->ends);
			log_hasten(u->log);
		}
		if (UNLIKELY(log_wants_checkpoint(u->log)))
			ckpt_kick(u->ckpt);
		return log_wait_space(u->log);
	}
	d_list_splice_tail(&tx->ends, &ends);
	tx_run_ends(tx, &ends, 0);
	return 0;
}

MAY_YIELD int
umem_tx_commit(struct umem *u)
{
	uint64_t seq = 0;
	int      rc  = umem_tx_commit_async(u, &seq);

	return rc != 0 ? rc : umem_wait_durable(u, seq);
}
