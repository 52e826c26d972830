/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/**
 * The write-ahead log.
 *
 * A commit writes its record straight into the batch being filled. The writer, a ULT, takes what has
 * gathered while its last write was under way, writes it as one batch (one write, one flush), and
 * wakes those who wait: group commit without a timer. While nobody waits, records gather until
 * there are LAZY_BYTES of them or LAZY_NS have passed. One batch is in flight at a time, so a batch on
 * the medium proves that all before it are; replay uses that to tell damage from a torn tail. When
 * the log falls idle, an empty batch (a seal) proves the last one.
 *
 *   trim_vpos          head_vpos        head_vpos + staged_bytes
 *       |  on the medium   |  being written, ready, open  |          ... free ...
 *
 * Positions only grow; the place in the ring is vpos % ring_bytes, and a batch carries its vpos, so
 * one of an earlier lap is never taken for a present one.
 *
 * Should commits that do not wait come faster than they can be written, batches grow to
 * LARGE_BUF_BYTES, and at BEHIND_BYTES they do wait, for the writer.
 *
 * Space: a commit that finds the log over SOFT_PCT is staged, then waits until a checkpoint has
 * trimmed it. The rest of the ring is for those who commit meanwhile; a record that would not fit
 * even there is refused with NOSPACE and its transaction aborted, nothing lost.
 *
 * Invariants:
 *  1. head_vpos + staged_bytes + a block for the seal <= trim_vpos + ring_bytes, so the writer never
 *     waits for space: a checkpoint that waits for the log to become durable cannot deadlock.
 *  2. Batches are written in the order of their transactions; durable_seq only grows.
 *  3. The ring behind a new trim_vpos is reused only when both header copies name it.
 *  4. A batch is durable only with the data its records note, so the next one, on the medium, proves
 *     that too. proven_seq never passes a batch with data that is the last durable one.
 */
#define D_LOGFAC LOG_FAC_UMEM

#include <string.h>
#include "base/crc32c.h"
#include "base/log.h"
#include "base/planted.h"
#include "platform/platform.h"
#include "umem/umem_ckpt.h"
#include "umem/umem_log.h"

#define LOG_BUF_BYTES    (1u << 20)
#define LOG_FREE_BUF_MAX 4u
#define SOFT_PCT         75u
#define SEAL_DELAY_NS    (20 * NSEC_PER_MSEC)
#define ZERO_BYTES       (1u << 20)
#define LAZY_BYTES       (768u << 10)
#define LAZY_NS          (2 * NSEC_PER_MSEC)
#define LARGE_BUF_BYTES  (8u << 20)  /**< a batch while the writer is behind */
#define BEHIND_BYTES     (32u << 20) /**< staged, not written: more, and commits wait for the writer */

/* ---- the ring ---- */

MAY_YIELD int
log_ring_io(struct umem_log *log, uint64_t vpos, uint8_t *buf, size_t bytes, bool write)
{
	uint64_t     at    = vpos % log->ring_bytes;
	size_t       first = MIN_OF(bytes, log->ring_bytes - at);
	struct iovec iov   = {buf, first};
	int          rc    = 0;

	/* A batch that wraps is two writes; the second one's flush covers both. */
	if (first < bytes || !write) {
		rc = write ? bio_writev(log->blob, UMEM_HDR_AREA + at, &iov, 1)
			   : bio_readv(log->blob, UMEM_HDR_AREA + at, &iov, 1);
		if (rc != 0 || first == bytes)
			return rc;
		iov = (struct iovec){buf + first, bytes - first};
		at  = 0;
	}
	if (write && D_PLANTED(D_PLANTED_UNFLUSHED))
		return bio_writev(log->blob, UMEM_HDR_AREA + at, &iov, 1);
	return write ? bio_writev_flush(log->blob, UMEM_HDR_AREA + at, &iov, 1)
		     : bio_readv(log->blob, UMEM_HDR_AREA + at, &iov, 1);
}

uint32_t
log_batch_crc(const struct wal_batch_df *batch)
{
	struct wal_batch_df hdr = *batch;

	hdr.crc = 0;
	return d_crc32c(d_crc32c(0, &hdr, sizeof(hdr)), batch + 1, batch->len_bytes - sizeof(hdr));
}

uint64_t
log_used_bytes(const struct umem_log *log)
{
	return log->head_vpos + log->staged_bytes - log->trim_vpos;
}

bool
log_wants_checkpoint(const struct umem_log *log)
{
	return log_used_bytes(log) >= MIN_OF(log->ring_bytes / 100 * log->threshold_pct, log->threshold_bytes);
}

/* ---- buffers ---- */

static void
buf_free(struct umem_log *log, struct log_buf *buf)
{
	bio_mem_free(bio_blob_ctx(log->blob), buf->mem);
	free(buf);
}

static struct log_buf *
buf_get(struct umem_log *log, size_t need)
{
	struct log_buf *buf = d_list_first(&log->free_bufs, struct log_buf, link);

	if (buf != NULL && buf->cap >= need) {
		d_list_del(&buf->link);
		log->free_buf_nr--;
	} else {
		buf = calloc(1, sizeof(*buf));
		if (buf == NULL)
			return NULL;
		d_list_init(&buf->link);
		buf->cap = MAX_OF(log->buf_bytes, align_up(need, BIO_BLOCK_BYTES));
		buf->mem = bio_mem_alloc(bio_blob_ctx(log->blob), buf->cap);
		if (buf->mem == NULL) {
			free(buf);
			return NULL;
		}
	}
	buf->used   = sizeof(struct wal_batch_df);
	buf->rec_nr   = 0;
	buf->has_data = false;
	return buf;
}

static void
buf_put(struct umem_log *log, struct log_buf *buf)
{
	if (buf->cap > LARGE_BUF_BYTES || log->free_buf_nr >= LOG_FREE_BUF_MAX) {
		buf_free(log, buf);
		return;
	}
	/* The large ones in front: they serve any need. */
	if (buf->cap > log->buf_bytes)
		d_list_add(&buf->link, &log->free_bufs);
	else
		d_list_add_tail(&buf->link, &log->free_bufs);
	log->free_buf_nr++;
}

/** The log fell idle: nobody needs them soon. */
static void
large_bufs_drop(struct umem_log *log)
{
	struct log_buf *buf;

	while ((buf = d_list_first(&log->free_bufs, struct log_buf, link)) != NULL &&
	       buf->cap > log->buf_bytes) {
		d_list_del(&buf->link);
		log->free_buf_nr--;
		buf_free(log, buf);
	}
}

static size_t
buf_padded(const struct log_buf *buf)
{
	return align_up(buf->used, BIO_BLOCK_BYTES);
}

/* ---- staging ---- */

static void
log_wake_writer(struct umem_log *log)
{
	if (log->idle) {
		log->idle = false;
		ult_eventual_set(&log->wake, 0);
	}
}

static void
log_close_open(struct umem_log *log)
{
	if (log->open == NULL || log->open->rec_nr == 0)
		return;
	d_list_add_tail(&log->open->link, &log->ready);
	log->open = NULL;
}

/** Room for a batch whose first record needs @need bytes: more, if others wait to be written already. */
static size_t
batch_bytes(const struct umem_log *log, size_t need)
{
	bool is_behind = !d_list_empty(&log->ready) && log->ring_bytes >= 8 * LARGE_BUF_BYTES;

	return is_behind ? MAX_OF(need, LARGE_BUF_BYTES) : need;
}

int
log_stage_begin(struct umem_log *log, size_t bytes, uint8_t **ret_entries)
{
	size_t need  = sizeof(struct wal_rec_df) + bytes;
	size_t worst = align_up(sizeof(struct wal_batch_df) + need, BIO_BLOCK_BYTES);

	if (log_used_bytes(log) + worst + BIO_BLOCK_BYTES > log->ring_bytes) {
		D_ERROR("%s: a transaction of %zu bytes does not fit the log's %lu bytes (%lu in "
			"use): aborted; create the pool with a larger log\n",
			bio_blob_name(log->blob), bytes, log->ring_bytes, log_used_bytes(log));
		return -DER_NOSPACE;
	}
	if (log->open != NULL && log->open->used + need > log->open->cap) {
		log_close_open(log);
		if (log->open != NULL) {
			buf_put(log, log->open);
			log->open = NULL;
		}
	}
	if (log->open == NULL)
		log->open = buf_get(log, batch_bytes(log, sizeof(struct wal_batch_df) + need));
	if (log->open == NULL)
		return -DER_NOMEM;
	log->staging = log->open;
	*ret_entries = log->open->mem + log->open->used + sizeof(struct wal_rec_df);
	return 0;
}

void
log_stage_end(struct umem_log *log, uint64_t seq, size_t bytes, uint32_t entry_nr, bool has_data)
{
	struct log_buf   *buf    = log->staging;
	size_t            before = buf->rec_nr == 0 ? 0 : buf_padded(buf);
	struct wal_rec_df rec    = {.len_bytes = bytes, .entry_nr = entry_nr};

	D_ASSERT(buf->used + sizeof(rec) + bytes <= buf->cap);
	memcpy(buf->mem + buf->used, &rec, sizeof(rec));
	if (buf->rec_nr++ == 0)
		buf->seq_first = seq;
	buf->used += sizeof(rec) + bytes;
	buf->has_data |= has_data;
	log->staged_bytes += buf_padded(buf) - before;
	log->staging = NULL;
	if (!log->idle)
		return;
	if (buf->used >= LAZY_BYTES || !d_list_empty(&log->ready))
		log_wake_writer(log);
	else if (buf->rec_nr == 1)
		ult_timer_arm(&log->lazy_timer, LAZY_NS);
}

void
log_hasten(struct umem_log *log)
{
	log_wake_writer(log);
}

uint64_t
log_cut(struct umem_log *log)
{
	log_close_open(log);
	return log->head_vpos + log->staged_bytes;
}

/* ---- waiting ---- */

static void
wake_durable(struct umem_log *log)
{
	struct log_waiter *w;
	struct tx_end     *end;
	unsigned           nr = 0;
	D_LIST_HEAD(ends);

	while ((w = d_list_first(&log->waiters, struct log_waiter, link)) != NULL &&
	       w->seq <= log->durable_seq) {
		d_list_del(&w->link);
		if (D_PLANTED(D_PLANTED_LOST_WAKE) && nr++ > 0 && d_list_empty(&log->waiters))
			break;
		ult_eventual_set(&w->ev, 0);
	}
	while ((end = d_list_first(&log->ends, struct tx_end, link)) != NULL &&
	       end->seq <= log->durable_seq) {
		d_list_del(&end->link);
		d_list_add_tail(&end->link, &ends);
	}
	tx_run_ends(&log->u->tx, &ends, 0);
}

static void
wake_all(d_list_t *waiters, int rc)
{
	struct log_waiter *w;

	while ((w = d_list_first(waiters, struct log_waiter, link)) != NULL) {
		d_list_del(&w->link);
		ult_eventual_set(&w->ev, rc);
	}
}

void
log_fail(struct umem_log *log)
{
	wake_all(&log->waiters, log->u->err);
	wake_all(&log->proof_waiters, log->u->err);
	wake_all(&log->space_waiters, log->u->err);
	tx_run_ends(&log->u->tx, &log->ends, log->u->err);
}

MAY_YIELD int
log_wait_durable(struct umem_log *log, uint64_t seq)
{
	struct log_waiter w = {.seq = seq};
	d_list_t         *at;

	if (seq <= log->durable_seq)
		return 0;
	if (log->u->err != 0)
		return log->u->err;
	log_wake_writer(log);
	ult_eventual_init(&w.ev);
	for (at = log->waiters.prev; at != &log->waiters; at = at->prev) {
		if (d_list_entry(at, struct log_waiter, link)->seq <= seq)
			break;
	}
	d_list_link_between(&w.link, at, at->next);
	return ult_eventual_wait(&w.ev);
}

MAY_YIELD int
log_wait_proven(struct umem_log *log, uint64_t seq)
{
	int rc = log_wait_durable(log, seq);

	while (rc == 0 && log->proven_seq < seq) {
		struct log_waiter w = {.seq = seq};

		rc = log->u->err;
		if (rc != 0)
			break;
		log->seal_due = true;
		log_wake_writer(log);
		ult_eventual_init(&w.ev);
		d_list_add_tail(&w.link, &log->proof_waiters);
		rc = ult_eventual_wait(&w.ev);
	}
	return rc;
}

static bool
is_nearly_full(const struct umem_log *log)
{
	return log_used_bytes(log) > log->ring_bytes / 100 * SOFT_PCT;
}

MAY_YIELD int
log_wait_space(struct umem_log *log)
{
	int rc = log->u->err;

	while (rc == 0 && (is_nearly_full(log) || log->staged_bytes > BEHIND_BYTES)) {
		struct log_waiter w = {.seq = 0};

		if (is_nearly_full(log))
			ckpt_kick(log->u->ckpt);
		log_wake_writer(log);
		ult_eventual_init(&w.ev);
		d_list_add_tail(&w.link, &log->space_waiters);
		rc = ult_eventual_wait(&w.ev);
	}
	return rc;
}

/* ---- the writer ---- */

/** A flush of the data device that runs beside the log's write. */
struct data_flush {
	struct ult_eventual done;
	bool                started;
};

static void
data_flush_done(void *arg, int rc)
{
	struct data_flush *f = arg;

	ult_eventual_set(&f->done, rc);
}

/** Where the data lies on the log's device, the log's own flush does it. */
static int
data_flush_start(struct umem_log *log, const struct log_buf *buf, struct data_flush *f)
{
	int rc;

	f->started = false;
	if (!buf->has_data || bio_blob_same_dev(log->u->data, log->blob))
		return 0;
	ult_eventual_init(&f->done);
	rc         = bio_flush_async(log->u->data, data_flush_done, f);
	f->started = rc == 0;
	return rc;
}

/** The batch is durable, with the data its records note. */
static void
batch_done(struct umem_log *log, const struct log_buf *buf, size_t padded)
{
	uint64_t before = log->durable_seq;

	log->write_nr++;
	log->written_bytes += padded;
	log->head_vpos += padded;
	log->staged_bytes -= padded;
	log->tail_sealed = buf->rec_nr == 0;
	if (buf->rec_nr > 0)
		log->durable_seq = buf->seq_first + buf->rec_nr - 1;
	log->proven_seq = buf->has_data ? before : log->durable_seq;
}

MAY_YIELD static int
write_batch(struct umem_log *log, struct log_buf *buf)
{
	struct wal_batch_df *df     = (struct wal_batch_df *)buf->mem;
	size_t               padded = buf_padded(buf);
	struct data_flush    flush;
	int                  rc, rc2;

	*df = (struct wal_batch_df){
	    .magic       = WAL_BATCH_MAGIC,
	    .format_id   = log->hdr->format_id,
	    .gen         = log->hdr->gen,
	    .vpos        = log->head_vpos,
	    .seq_first   = buf->rec_nr > 0 ? buf->seq_first : log->durable_seq + 1,
	    .durable_seq = log->durable_seq,
	    .rec_nr      = buf->rec_nr,
	    .len_bytes   = buf->used,
	    .flags       = buf->has_data ? WAL_BATCH_DATA : 0,
	};
	memset(buf->mem + buf->used, 0, padded - buf->used);
	df->crc = log_batch_crc(df);
	rc      = data_flush_start(log, buf, &flush);
	if (rc != 0)
		return rc;
	rc = log_ring_io(log, log->head_vpos, buf->mem, padded, true);
	if (flush.started) {
		rc2 = ult_eventual_wait(&flush.done);
		rc  = rc != 0 ? rc : rc2;
	}
	if (rc == 0)
		batch_done(log, buf, padded);
	return rc;
}

/** Must what has gathered be written now? */
static bool
is_wanted(const struct umem_log *log)
{
	return !d_list_empty(&log->waiters) || !d_list_empty(&log->ends) || log->lazy_due ||
	       log->seal_due || log->stop || log->open->used >= LAZY_BYTES;
}

static struct log_buf *
take_batch(struct umem_log *log)
{
	struct log_buf *buf = d_list_first(&log->ready, struct log_buf, link);

	if (buf == NULL && log->open != NULL && log->open->rec_nr > 0) {
		if (!is_wanted(log))
			return NULL;
		buf       = log->open;
		log->open = NULL;
	} else if (buf != NULL) {
		d_list_del(&buf->link);
	} else if (log->seal_due && !log->tail_sealed) {
		large_bufs_drop(log);
		buf = buf_get(log, sizeof(struct wal_batch_df));
		if (buf != NULL)
			log->staged_bytes += BIO_BLOCK_BYTES;
	}
	log->seal_due = log->lazy_due = false;
	return buf;
}

static void
seal_now(void *arg)
{
	struct umem_log *log = arg;

	log->seal_due = true;
	log_wake_writer(log);
}

static void
lazy_now(void *arg)
{
	struct umem_log *log = arg;

	log->lazy_due = true;
	log_wake_writer(log);
}

MAY_YIELD static void
wait_for_work(struct umem_log *log)
{
	if (log->open != NULL && log->open->rec_nr > 0)
		ult_timer_arm(&log->lazy_timer, LAZY_NS);
	else if (!log->tail_sealed)
		ult_timer_arm(&log->seal_timer, SEAL_DELAY_NS);
	ult_eventual_reset(&log->wake);
	log->idle = true;
	(void)ult_eventual_wait(&log->wake);
	ult_timer_cancel(&log->seal_timer);
	ult_timer_cancel(&log->lazy_timer);
}

MAY_YIELD static void
writer_main(void *arg)
{
	struct umem_log *log = arg;
	struct log_buf  *buf;
	uint32_t         try_nr;
	int              rc;

	for (;;) {
		buf = log->u->err == 0 ? take_batch(log) : NULL;
		if (buf == NULL && log->stop)
			return;
		if (buf == NULL) {
			wait_for_work(log);
			continue;
		}
		try_nr = 0;
		do
			rc = write_batch(log, buf);
		while (umem_try_again(rc, &try_nr));
		buf_put(log, buf);
		if (rc == 0) {
			wake_durable(log);
			wake_all(&log->proof_waiters, 0);
			if (log->staged_bytes <= BEHIND_BYTES / 2)
				wake_all(&log->space_waiters, 0);
		}
		else
			umem_fail(log->u, rc, "the log", log->blob);
	}
}

MAY_YIELD int
log_start_writer(struct umem_log *log)
{
	return ult_create(NULL, ULT_POOL_IO, writer_main, log, 0, &log->writer);
}

MAY_YIELD void
log_stop_writer(struct umem_log *log)
{
	if (log->writer == NULL)
		return;
	log->stop = true;
	log_wake_writer(log);
	ult_join(log->writer);
	log->writer = NULL;
}

/* ---- header ---- */

static uint32_t
hdr_crc(struct wal_hdr_df *hdr)
{
	uint32_t saved = hdr->crc, crc;

	hdr->crc = 0;
	crc      = d_crc32c(0, hdr, sizeof(*hdr));
	hdr->crc = saved;
	return crc;
}

/** Both copies, the one not in force first. */
MAY_YIELD static int
hdr_write(struct umem_log *log)
{
	struct iovec iov  = {log->hdr, sizeof(*log->hdr)};
	uint32_t     copy = !log->hdr_copy, try_nr = 0;
	int          rc   = 0;

	log->hdr->hdr_seq++;
	log->hdr->crc = hdr_crc(log->hdr);
	for (int i = 0; rc == 0 && i < 2; i++) {
		do
			rc = bio_writev_flush(log->blob, copy * BIO_BLOCK_BYTES, &iov, 1);
		while (umem_try_again(rc, &try_nr));
		copy = !copy;
	}
	return rc;
}

static bool
hdr_good(const struct umem_log *log, struct wal_hdr_df *hdr)
{
	return hdr->magic == WAL_HDR_MAGIC && hdr->crc == hdr_crc(hdr) &&
	       memcmp(hdr->uuid, log->u->uuid, sizeof(hdr->uuid)) == 0 &&
	       (hdr->version != UMEM_MEDIA_VERSION || hdr->ring_bytes == log->ring_bytes);
}

static int
hdr_choose(struct umem_log *log, struct wal_hdr_df *copies)
{
	bool good[2] = {hdr_good(log, &copies[0]), hdr_good(log, &copies[1])};

	if (!good[0] && !good[1]) {
		D_ERROR("%s: both copies of the log's header are damaged; nothing was changed. "
			"Restore the device, or destroy this pool shard and rebuild it\n",
			bio_blob_name(log->blob));
		return -DER_DF_INVAL;
	}
	if (!good[0] || !good[1])
		D_WARN("%s: copy %d of the log's header is damaged; using the other one. The "
		       "device may be failing\n", bio_blob_name(log->blob), good[0] ? 1 : 0);
	log->hdr_copy = !good[0] || (good[1] && copies[1].hdr_seq > copies[0].hdr_seq);
	*log->hdr     = copies[log->hdr_copy];
	if (log->hdr->version != UMEM_MEDIA_VERSION) {
		D_ERROR("%s: log format %u, this program reads %u\n", bio_blob_name(log->blob),
			log->hdr->version, UMEM_MEDIA_VERSION);
		return -DER_DF_INCOMPT;
	}
	return 0;
}

MAY_YIELD int
log_load(struct umem_log *log)
{
	struct wal_hdr_df *copies = aligned_alloc(BIO_BLOCK_BYTES, 2 * sizeof(*copies));
	struct iovec       iov    = {copies, 2 * sizeof(*copies)};
	int                rc     = copies == NULL ? -DER_NOMEM : 0;

	if (rc == 0)
		rc = bio_readv(log->blob, 0, &iov, 1);
	if (rc == 0)
		rc = hdr_choose(log, copies);
	free(copies);
	return rc;
}

MAY_YIELD int
log_format(struct umem_log *log, uint64_t format_id)
{
	size_t   bytes;
	uint8_t *zero = aligned_alloc(BIO_BLOCK_BYTES, ZERO_BYTES);
	int      rc   = zero == NULL ? -DER_NOMEM : 0;

	/* Also makes the file system allocate the ring for good, which makes its flushes cheap. */
	if (zero != NULL)
		memset(zero, 0, ZERO_BYTES);
	for (uint64_t at = 0; rc == 0 && at < UMEM_HDR_AREA + log->ring_bytes; at += bytes) {
		struct iovec iov = {zero, 0};

		bytes = iov.iov_len = MIN_OF(ZERO_BYTES, UMEM_HDR_AREA + log->ring_bytes - at);
		rc    = bio_writev(log->blob, at, &iov, 1);
	}
	free(zero);
	log->hdr->magic      = WAL_HDR_MAGIC;
	log->hdr->version    = UMEM_MEDIA_VERSION;
	log->hdr->format_id  = format_id;
	log->hdr->ring_bytes = log->ring_bytes;
	log->hdr->start_seq  = 1;
	memcpy(log->hdr->uuid, log->u->uuid, sizeof(log->hdr->uuid));
	return rc != 0 ? rc : hdr_write(log);
}

MAY_YIELD int
log_begin_gen(struct umem_log *log)
{
	log->durable_seq     = log->u->last_seq;
	log->proven_seq      = log->u->last_seq;
	log->tail_sealed     = true;
	log->trim_vpos       = log->head_vpos;
	log->hdr->gen       += 1;
	log->hdr->clean      = 0;
	log->hdr->start_vpos = log->head_vpos;
	log->hdr->start_seq  = log->u->last_seq + 1;
	return hdr_write(log);
}

MAY_YIELD int
log_trim(struct umem_log *log, uint64_t vpos, uint64_t seq)
{
	int rc;

	log->hdr->start_vpos = vpos;
	log->hdr->start_seq  = seq + 1;
	rc                   = hdr_write(log);
	if (rc != 0)
		return rc;
	log->trim_vpos = vpos;
	wake_all(&log->space_waiters, 0);
	return 0;
}

MAY_YIELD int
log_mark_clean(struct umem_log *log)
{
	D_ASSERT(log->writer == NULL && log->staged_bytes == 0);
	log->hdr->start_vpos = log->head_vpos;
	log->hdr->clean      = 1;
	return hdr_write(log);
}

/* ---- life ---- */

int
log_create(struct umem *u, struct bio_blob *blob, struct umem_log **ret_log)
{
	struct umem_log *log = calloc(1, sizeof(*log));

	if (log == NULL)
		return -DER_NOMEM;
	log->hdr = aligned_alloc(BIO_BLOCK_BYTES, sizeof(*log->hdr));
	if (log->hdr == NULL) {
		free(log);
		return -DER_NOMEM;
	}
	memset(log->hdr, 0, sizeof(*log->hdr));
	log->u             = u;
	log->blob          = blob;
	log->ring_bytes    = bio_blob_bytes(blob) - UMEM_HDR_AREA;
	log->buf_bytes     = MIN_OF(LOG_BUF_BYTES, align_up(log->ring_bytes / 16, BIO_BLOCK_BYTES));
	log->threshold_pct = 50;
	log->threshold_bytes = UINT64_MAX;
	log->tail_sealed   = true;
	log->seal_timer    = (struct ult_timer){.fn = seal_now, .arg = log};
	log->lazy_timer    = (struct ult_timer){.fn = lazy_now, .arg = log};
	d_list_init(&log->ready);
	d_list_init(&log->free_bufs);
	d_list_init(&log->waiters);
	d_list_init(&log->proof_waiters);
	d_list_init(&log->space_waiters);
	d_list_init(&log->ends);
	ult_eventual_init(&log->wake);
	*ret_log = log;
	return 0;
}

static void
free_bufs(struct umem_log *log, d_list_t *list)
{
	struct log_buf *buf;

	while ((buf = d_list_first(list, struct log_buf, link)) != NULL) {
		d_list_del(&buf->link);
		buf_free(log, buf);
	}
}

void
log_destroy(struct umem_log *log)
{
	if (log == NULL)
		return;
	D_ASSERT(log->writer == NULL && d_list_empty(&log->waiters));
	if (log->open != NULL)
		buf_free(log, log->open);
	free_bufs(log, &log->ready);
	free_bufs(log, &log->free_bufs);
	free(log->hdr);
	free(log);
}
