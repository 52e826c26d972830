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
 *
 * The last batch may note data that was on its way to the data blob with it: if a record's bytes are
 * not there, it and all behind it were never acknowledged and are left out. Earlier batches are not
 * asked: they were durable, data included, before the next was written, and their blocks may have
 * been given to others since. Those of the last batch have not (umem_proven_seq()).
 */
#define D_LOGFAC LOG_FAC_UMEM

#include <string.h>
#include "base/crc32c.h"
#include "base/log.h"
#include "base/planted.h"
#include "umem/umem_ckpt.h"
#include "umem/umem_log.h"
#include "umem/umem_redo.h"

#define WINDOW_BYTES (1u << 20)
#define DATA_CHUNK   (1u << 20)

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

/* ---- data of the last batch ---- */

MAY_YIELD static int
data_crc(struct bio_blob *blob, uint64_t off, uint64_t len, uint32_t *ret_crc)
{
	size_t   chunk = MIN_OF(len, DATA_CHUNK);
	uint8_t *buf   = aligned_alloc(BIO_BLOCK_BYTES, chunk);
	uint32_t crc   = 0;
	int      rc    = buf == NULL ? -DER_NOMEM : 0;

	for (uint64_t at = 0; rc == 0 && at < len; at += chunk) {
		struct iovec iov = {buf, MIN_OF(chunk, len - at)};

		rc = bio_readv(blob, off + at, &iov, 1);
		if (rc == 0)
			crc = d_crc32c(crc, buf, iov.iov_len);
	}
	free(buf);
	*ret_crc = crc;
	return rc;
}

/** Did all data the record notes arrive? */
MAY_YIELD static int
record_data_there(struct umem *u, const uint8_t *entries, size_t bytes, bool *ret_there)
{
	uint64_t off, len;
	uint32_t want, crc;
	int      rc;

	*ret_there = true;
	while (*ret_there && redo_next_data(&entries, &bytes, &off, &len, &want)) {
		if (u->data == NULL || len == 0 || off % BIO_BLOCK_BYTES != 0 ||
		    len % BIO_BLOCK_BYTES != 0 || off > bio_blob_bytes(u->data) ||
		    len > bio_blob_bytes(u->data) - off)
			return -DER_DF_INVAL;
		rc = data_crc(u->data, off, len, &crc);
		if (rc != 0)
			return rc;
		*ret_there = crc == want;
	}
	return 0;
}

/** How many of the last batch's records have their data; from the first without on, none counts. */
MAY_YIELD static int
count_complete(struct umem *u, const struct wal_batch_df *batch, uint32_t *ret_nr)
{
	const uint8_t    *at   = (const uint8_t *)(batch + 1);
	size_t            left = batch->len_bytes - sizeof(*batch);
	struct wal_rec_df rec;
	bool              there = true;
	int               rc;

	for (*ret_nr = 0; *ret_nr < batch->rec_nr; (*ret_nr)++) {
		if (left < sizeof(rec))
			return -DER_DF_INVAL;
		memcpy(&rec, at, sizeof(rec));
		if (rec.len_bytes > left - sizeof(rec))
			return -DER_DF_INVAL;
		rc = record_data_there(u, at + sizeof(rec), rec.len_bytes, &there);
		if (rc != 0)
			return rc;
		if (!there)
			return 0;
		at += sizeof(rec) + rec.len_bytes;
		left -= sizeof(rec) + rec.len_bytes;
	}
	return 0;
}

/** Is @batch, which lies at @vpos, followed by another one? */
MAY_YIELD static int
has_successor(struct replay *r, uint64_t vpos, const struct wal_batch_df *batch, bool *ret_has)
{
	uint64_t                   next_seq = batch->seq_first + batch->rec_nr;
	const struct wal_batch_df *next     = NULL;
	int                        rc;

	rc       = replay_batch(r, vpos + align_up(batch->len_bytes, BIO_BLOCK_BYTES), &next);
	*ret_has = next != NULL && next->seq_first == next_seq;
	return rc;
}

/**
 * How many records of the batch at @vpos to apply. Reading on may have moved the window: *batch is
 * mapped anew.
 */
MAY_YIELD static int
records_to_apply(struct replay *r, uint64_t vpos, const struct wal_batch_df **batch,
		 uint32_t *ret_nr)
{
	struct umem *u   = r->log->u;
	bool         has = true;
	int          rc;

	*ret_nr = (*batch)->rec_nr;
	if (((*batch)->flags & WAL_BATCH_DATA) == 0)
		return 0;
	rc = has_successor(r, vpos, *batch, &has);
	if (rc == 0)
		rc = replay_batch(r, vpos, batch);
	if (rc == 0 && *batch == NULL)
		rc = -DER_IO; /* it was there a moment ago */
	if (rc != 0 || has)
		return rc;
	rc = count_complete(u, *batch, ret_nr);
	if (rc == 0 && *ret_nr < (*batch)->rec_nr)
		D_NOTE("%s: of the last %u transactions %u are left out: their data did not arrive "
		       "before the crash. They were not acknowledged\n",
		       bio_blob_name(r->log->blob), (*batch)->rec_nr, (*batch)->rec_nr - *ret_nr);
	/* What is found may yet lie in the device's cache. */
	return rc != 0 ? rc : bio_flush(u->data);
}

/** Apply @rec_nr records of a batch whose CRC is right; its lengths are checked all the same. */
static int
apply_batch(struct umem *u, const struct wal_batch_df *batch, uint32_t rec_nr)
{
	const uint8_t    *at   = (const uint8_t *)(batch + 1);
	size_t            left = batch->len_bytes - sizeof(*batch);
	struct wal_rec_df rec;
	int               rc = 0;

	if (D_PLANTED(D_PLANTED_SHORT_REPLAY) && rec_nr > 1)
		rec_nr--;
	for (uint32_t i = 0; rc == 0 && i < rec_nr; i++) {
		if (left < sizeof(rec))
			return -DER_DF_INVAL;
		memcpy(&rec, at, sizeof(rec));
		at += sizeof(rec);
		left -= sizeof(rec);
		if (rec.len_bytes > left)
			return -DER_DF_INVAL;
		rc = redo_apply(u->base, u->bytes, at, rec.len_bytes, rec.entry_nr, note_dirty,
				u->ckpt);
		at += rec.len_bytes;
		left -= rec.len_bytes;
		u->last_seq++;
		u->replayed_tx_nr++;
	}
	return rc != 0 || (left != 0 && rec_nr == batch->rec_nr) ? -DER_DF_INVAL : 0;
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
	uint32_t                   rec_nr;
	int                        rc;

	for (;;) {
		rc = replay_batch(r, vpos, &batch);
		if (rc != 0)
			return rc;
		if (batch == NULL || batch->seq_first != u->last_seq + 1)
			break;
		rc = records_to_apply(r, vpos, &batch, &rec_nr);
		if (rc == 0)
			rc = apply_batch(u, batch, rec_nr);
		if (rc == -DER_DF_INVAL) {
			D_ERROR("%s: transaction %lu in the log is malformed; nothing was changed. "
				"Restore the device, or destroy this pool shard and rebuild it\n",
				bio_blob_name(r->log->blob), u->last_seq + 1);
		}
		if (rc != 0)
			return rc;
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
