/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/**
 * Replay: apply the log's batches from the header's start until one does not match what must come
 * next (magic, format, generation, position, sequence number, CRC).
 *
 * What does not match is either the tail, perhaps torn, which was never acknowledged; or damage to
 * what was. The writer has one batch in flight and writes the next only when it is durable, so any
 * whole batch of this generation further on, at its own position, proves damage: then opening is
 * refused and nothing is written. The seal that follows a log fallen idle makes this hold for the
 * last batch as well.
 */
#define D_LOGFAC LOG_FAC_UMEM

#include <string.h>
#include "base/log.h"
#include "umem/umem_ckpt.h"
#include "umem/umem_log.h"
#include "umem/umem_redo.h"

#define WINDOW_BYTES (1u << 20)

struct replay {
	struct umem_log *log;
	uint8_t         *window; /**< block aligned */
	uint64_t         window_vpos;
	size_t           window_len;
	uint64_t         end_vpos; /**< one lap behind the start */
	uint8_t         *large;    /**< a batch longer than a window */
	size_t           large_cap;
};

/** A pointer to [vpos, +bytes) of the ring, read through the window or on its own. */
MAY_YIELD static int
replay_map(struct replay *r, uint64_t vpos, size_t bytes, const uint8_t **ret_ptr)
{
	int rc;

	if (vpos >= r->window_vpos && vpos + bytes <= r->window_vpos + r->window_len) {
		*ret_ptr = r->window + (vpos - r->window_vpos);
		return 0;
	}
	if (bytes <= WINDOW_BYTES) {
		r->window_len  = MIN_OF(WINDOW_BYTES, r->end_vpos - vpos);
		r->window_vpos = vpos;
		rc             = log_ring_io(r->log, vpos, r->window, r->window_len, false);
		*ret_ptr       = r->window;
		if (rc != 0)
			r->window_len = 0;
		return rc;
	}
	if (bytes > r->large_cap) {
		free(r->large);
		r->large     = aligned_alloc(BIO_BLOCK_BYTES, bytes);
		r->large_cap = r->large == NULL ? 0 : bytes;
		if (r->large == NULL)
			return -DER_NOMEM;
	}
	*ret_ptr = r->large;
	return log_ring_io(r->log, vpos, r->large, bytes, false);
}

/** The whole batch at @vpos, or NULL in *ret_batch when there is none of this generation. */
MAY_YIELD static int
replay_batch(struct replay *r, uint64_t vpos, const struct wal_batch_df **ret_batch)
{
	const struct wal_hdr_df   *hdr = r->log->hdr;
	const struct wal_batch_df *batch;
	const uint8_t             *ptr = NULL;
	int                        rc;

	*ret_batch = NULL;
	if (vpos + BIO_BLOCK_BYTES > r->end_vpos)
		return 0;
	rc = replay_map(r, vpos, BIO_BLOCK_BYTES, &ptr);
	if (rc != 0)
		return rc;
	batch = (const struct wal_batch_df *)ptr;
	if (batch->magic != WAL_BATCH_MAGIC || batch->format_id != hdr->format_id ||
	    batch->gen != hdr->gen || batch->vpos != vpos || batch->len_bytes < sizeof(*batch) ||
	    align_up(batch->len_bytes, BIO_BLOCK_BYTES) > r->end_vpos - vpos)
		return 0;
	rc = replay_map(r, vpos, align_up(batch->len_bytes, BIO_BLOCK_BYTES), &ptr);
	if (rc != 0)
		return rc;
	batch = (const struct wal_batch_df *)ptr;
	if (batch->crc == log_batch_crc(batch))
		*ret_batch = batch;
	return 0;
}

static void
note_dirty(void *arg, uint64_t off, uint64_t len)
{
	ckpt_dirty(arg, off, len);
}

/** Apply a batch whose CRC is right; its lengths are checked all the same. */
static int
apply_batch(struct umem *u, const struct wal_batch_df *batch)
{
	const uint8_t    *at   = (const uint8_t *)(batch + 1);
	size_t            left = batch->len_bytes - sizeof(*batch);
	struct wal_rec_df rec;
	int               rc = 0;

	for (uint32_t i = 0; rc == 0 && i < batch->rec_nr; i++) {
		if (left < sizeof(rec))
			return -DER_DF_INVAL;
		memcpy(&rec, at, sizeof(rec));
		at += sizeof(rec);
		left -= sizeof(rec);
		if (rec.len_bytes > left || rec.seq != u->last_seq + 1)
			return -DER_DF_INVAL;
		rc = redo_apply(u->base, u->bytes, at, rec.len_bytes, rec.entry_nr, note_dirty,
				u->ckpt);
		at += rec.len_bytes;
		left -= rec.len_bytes;
		u->last_seq++;
		u->replayed_tx_nr++;
	}
	return rc != 0 || left != 0 ? -DER_DF_INVAL : 0;
}

/** Is there a whole batch behind the place where replay stopped? */
MAY_YIELD static int
check_tail(struct replay *r, uint64_t stop_vpos)
{
	const struct wal_batch_df *batch = NULL;
	int                        rc    = 0;

	for (uint64_t vpos = stop_vpos + BIO_BLOCK_BYTES; vpos < r->end_vpos;
	     vpos += BIO_BLOCK_BYTES) {
		rc = replay_batch(r, vpos, &batch);
		if (rc != 0)
			return rc;
		if (batch != NULL) {
			D_ERROR("%s: the log is damaged at byte %lu: what follows transaction %lu "
				"was durable and cannot be read. Nothing was changed; restore the "
				"device, or destroy this pool shard and rebuild it\n",
				bio_blob_name(r->log->blob),
				UMEM_HDR_AREA + stop_vpos % r->log->ring_bytes,
				r->log->u->last_seq);
			return -DER_DF_INVAL;
		}
	}
	return 0;
}

MAY_YIELD static int
replay_all(struct replay *r)
{
	struct umem               *u     = r->log->u;
	const struct wal_batch_df *batch = NULL;
	uint64_t                   vpos  = r->log->hdr->start_vpos;
	int                        rc;

	for (;;) {
		rc = replay_batch(r, vpos, &batch);
		if (rc != 0)
			return rc;
		if (batch == NULL || batch->seq_first != u->last_seq + 1)
			break;
		rc = apply_batch(u, batch);
		if (rc != 0) {
			D_ERROR("%s: transaction %lu in the log is malformed; nothing was changed. "
				"Restore the device, or destroy this pool shard and rebuild it\n",
				bio_blob_name(r->log->blob), u->last_seq + 1);
			return rc;
		}
		vpos += align_up(batch->len_bytes, BIO_BLOCK_BYTES);
	}
	r->log->head_vpos = vpos;
	return check_tail(r, vpos);
}

MAY_YIELD int
log_replay(struct umem_log *log)
{
	struct replay r = {.log = log};
	int           rc;

	log->u->last_seq = log->hdr->start_seq - 1;
	log->head_vpos   = log->hdr->start_vpos;
	if (log->hdr->clean == 1)
		return 0;
	r.end_vpos = log->hdr->start_vpos + log->ring_bytes;
	r.window   = aligned_alloc(BIO_BLOCK_BYTES, WINDOW_BYTES);
	if (r.window == NULL)
		return -DER_NOMEM;
	rc = replay_all(&r);
	free(r.window);
	free(r.large);
	return rc;
}
