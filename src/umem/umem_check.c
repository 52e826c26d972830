/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/** Checking what holds between transactions: allocator, log and checkpointer; the numbers are those of
 * the invariants in umem_heap.c, umem_log.c and umem_ckpt.c. Nothing yields. */
#define D_LOGFAC LOG_FAC_UMEM

#include "base/log.h"
#include "umem/umem_ckpt.h"
#include "umem/umem_log.h"

static int
bad(const char *what, uint64_t is, uint64_t limit)
{
	D_ERROR("heap check: %s: %lu, %lu\n", what, (unsigned long)is, (unsigned long)limit);
	return -DER_DF_INVAL;
}

static int
buf_check(const struct log_buf *buf, uint64_t *seq)
{
	if (buf->used > buf->cap || buf->used < sizeof(struct wal_batch_df))
		return bad("a batch is longer than its buffer", buf->used, buf->cap);
	if (buf->rec_nr == 0)
		return 0;
	if (buf->seq_first < *seq)
		return bad("log 2: batches out of order", buf->seq_first, *seq);
	*seq = buf->seq_first + buf->rec_nr;
	return 0;
}

static int
log_bufs_check(const struct umem_log *log)
{
	const struct log_buf *buf;
	uint64_t              seq    = log->durable_seq + 1;
	uint64_t              staged = 0;
	int                   rc     = 0;

	d_list_for_each(buf, &log->ready, link)
	{
		if (rc == 0)
			rc = buf_check(buf, &seq);
		staged += align_up(buf->used, BIO_BLOCK_BYTES);
	}
	if (rc == 0 && log->open != NULL)
		rc = buf_check(log->open, &seq);
	if (log->open != NULL && log->open->rec_nr > 0)
		staged += align_up(log->open->used, BIO_BLOCK_BYTES);
	if (rc == 0 && seq > log->u->last_seq + 1)
		rc = bad("log 2: a batch is of the future", seq, log->u->last_seq + 1);
	/* What is being written is staged, too. */
	if (rc == 0 && staged > log->staged_bytes)
		rc = bad("more is staged than counted", staged, log->staged_bytes);
	return rc;
}

static int
log_check(const struct umem_log *log)
{
	const struct log_waiter *w;
	uint64_t seq = 0;

	if (log->trim_vpos > log->head_vpos)
		return bad("trimmed beyond what is written", log->trim_vpos, log->head_vpos);
	if (log->head_vpos + log->staged_bytes + BIO_BLOCK_BYTES > log->trim_vpos + log->ring_bytes)
		return bad("log 1: no room for a seal", log_used_bytes(log), log->ring_bytes);
	if (log->durable_seq > log->u->last_seq)
		return bad("log 2: durable is more than there is", log->durable_seq, log->u->last_seq);
	if (log->proven_seq > log->durable_seq)
		return bad("log 4: proven before it is durable", log->proven_seq, log->durable_seq);
	d_list_for_each(w, &log->waiters, link)
	{
		if (w->seq < seq || w->seq > log->u->last_seq)
			return bad("waiters out of order", w->seq, seq);
		seq = w->seq;
	}
	return log_bufs_check(log);
}

static int
ckpt_check(const struct umem_ckpt *ck)
{
	uint64_t nr = 0;

	for (uint32_t i = 0; i < (ck->page_nr + 63) / 64; i++)
		nr += __builtin_popcountll(ck->dirty[i]);
	if (nr != ck->dirty_nr)
		return bad("checkpoint 2: dirty pages are counted wrong", ck->dirty_nr, nr);
	if (ck->done_seq > ck->u->last_seq)
		return bad("checkpoint 2: it has more than there is", ck->done_seq, ck->u->last_seq);
	return 0;
}

int
umem_check(struct umem *u)
{
	int rc = heap_check(&u->heap);

	if (rc == 0 && u->log != NULL && u->err == 0)
		rc = log_check(u->log);
	if (rc == 0 && u->ckpt != NULL && u->err == 0 && u->log != NULL)
		rc = ckpt_check(u->ckpt);
	return rc;
}
