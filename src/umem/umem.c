/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/**
 * Opening, closing and addressing a heap. The region is reserved as a whole and touched lazily, so
 * a large heap costs memory only for what is used.
 */
#define D_LOGFAC LOG_FAC_UMEM

#include <stdlib.h>
#include <string.h>
#include "base/log.h"
#include "platform/platform.h"
#include "umem/umem_ckpt.h"
#include "umem/umem_int.h"
#include "umem/umem_log.h"

#define UMEM_BYTES_MIN    (4u * UMEM_CHUNK_BYTES)
#define UMEM_RING_MIN     (128u << 10)
#define CKPT_INTERVAL_S   10u
#define NOMEM_TRY_MAX     600u /* a minute, then it is a failure like others */
#define NOMEM_PAUSE_NS    (100 * NSEC_PER_MSEC)
#define CKPT_LOG_PCT      60u
#define REPLAY_RATE       (250u << 20) /**< bytes a second, as long as none was measured */
#define REPLAY_RATE_MIN   (16u << 20)
#define REPLAY_MEASURE    (8u << 20)   /**< a shorter log tells nothing */
#define REPLAY_START_PCT  75u          /**< of the log that replay may take; a checkpoint takes its time, too */

static int
heap_map(struct umem *u)
{
	u->base = plat_map(u->bytes);
	if (u->base == NULL) {
		D_ERROR("heap " DF_UUID ": cannot reserve %lu bytes of memory (%s); create a "
			"smaller pool or raise the limit (ulimit -v)\n", DP_UUID(u->uuid), u->bytes,
			strerror(errno));
		return -DER_NOMEM;
	}
	u->heap.u     = u;
	u->heap.base  = u->base;
	u->heap.bytes = u->bytes;
	return heap_index_create(&u->heap);
}

static void
umem_free_all(struct umem *u)
{
	log_destroy(u->log);
	ckpt_destroy(u->ckpt);
	heap_index_destroy(&u->heap);
	tx_fini(&u->tx);
	if (u->base != NULL)
		plat_unmap(u->base, u->bytes);
	free(u);
}

/** Better now than when it has grown. */
static int
check_memory(uint64_t bytes, const unsigned char uuid[16])
{
	if (bytes <= MIN_OF(plat_memory_bytes(), WAL_ENTRY_OFF_MAX))
		return 0;
	D_ERROR("heap " DF_UUID ": %lu bytes of metadata do not fit this machine's %lu bytes of memory, where "
		"all of it is kept; create a smaller pool, or one with less metadata (--scm-size)\n",
		DP_UUID(uuid), bytes, plat_memory_bytes());
	return -DER_NOMEM;
}

static int
umem_new(uint64_t bytes, const unsigned char uuid[16], struct bio_blob *data, struct umem **ret_umem)
{
	struct umem *u;
	int          rc;

	bytes = align_down(bytes, UMEM_CHUNK_BYTES);
	if (bytes < UMEM_BYTES_MIN) {
		D_ERROR("heap " DF_UUID ": %lu bytes are too few, %u at least\n", DP_UUID(uuid),
			bytes, UMEM_BYTES_MIN);
		return -DER_INVAL;
	}
	rc = check_memory(bytes, uuid);
	if (rc != 0)
		return rc;
	u = calloc(1, sizeof(*u));
	if (u == NULL)
		return -DER_NOMEM;
	tx_init(&u->tx);
	u->bytes = bytes;
	u->data  = data;
	memcpy(u->uuid, uuid, sizeof(u->uuid));
	rc = heap_map(u);
	if (rc != 0) {
		umem_free_all(u);
		return rc;
	}
	*ret_umem = u;
	return 0;
}

/** Format the region in memory and allocate the root. */
MAY_YIELD static int
umem_init_fresh(struct umem *u, uint32_t root_bytes)
{
	struct umem_heap_df *df = (struct umem_heap_df *)u->base;
	umem_off_t           root = UMEM_NULL;
	uint64_t             seq;
	int                  rc = 0;

	heap_init_fresh(&u->heap, u->uuid);
	if (root_bytes == 0)
		return 0;
	umem_tx_begin(u);
	rc = umem_alloc(u, root_bytes, &root);
	if (rc != 0) {
		umem_tx_abort(u);
		return rc;
	}
	df->root_off   = root;
	df->root_bytes = root_bytes;
	rc             = umem_tx_commit_async(u, &seq);
	u->last_seq    = 0;
	u->tx_nr       = 0;
	return rc;
}

/* ---- format ---- */

static int
check_sizes(const struct umem_attr *attr, uint64_t heap_bytes)
{
	if (bio_blob_bytes(attr->wal) < UMEM_HDR_AREA + UMEM_RING_MIN) {
		D_ERROR("%s: %lu bytes are too few for a log\n", bio_blob_name(attr->wal),
			bio_blob_bytes(attr->wal));
		return -DER_INVAL;
	}
	if (ckpt_blob_bytes(heap_bytes) > bio_blob_bytes(attr->meta)) {
		D_ERROR("%s: a heap of %lu bytes needs a blob of %lu, this one has %lu\n",
			bio_blob_name(attr->meta), heap_bytes, ckpt_blob_bytes(heap_bytes),
			bio_blob_bytes(attr->meta));
		return -DER_INVAL;
	}
	return 0;
}

MAY_YIELD static int
format_media(struct umem *u, const struct umem_attr *attr)
{
	uint64_t format_id = plat_random();
	int      rc        = ckpt_create(u, attr->meta, &u->ckpt);

	if (rc != 0)
		return rc;
	ckpt_dirty(u->ckpt, 0, UMEM_TAB_OFF + sizeof(struct umem_chunk_df));
	rc = umem_init_fresh(u, attr->root_bytes);
	if (rc == 0)
		rc = ckpt_format(u->ckpt, format_id);
	if (rc == 0)
		rc = log_create(u, attr->wal, &u->log);
	return rc != 0 ? rc : log_format(u->log, format_id);
}

MAY_YIELD int
umem_format(const struct umem_attr *attr, const unsigned char uuid[16])
{
	struct umem *u;
	uint64_t     bytes;
	int          rc;

	if (attr->meta == NULL || attr->wal == NULL)
		return attr->meta == attr->wal ? 0 : -DER_INVAL;
	bytes = attr->bytes != 0 ? align_down(attr->bytes, UMEM_CHUNK_BYTES)
				 : umem_heap_bytes(bio_blob_bytes(attr->meta));
	rc    = check_sizes(attr, bytes);
	if (rc == 0)
		rc = umem_new(bytes, uuid, attr->data, &u);
	if (rc != 0)
		return rc;
	rc = format_media(u, attr);
	umem_free_all(u);
	return rc;
}

/* ---- open ---- */

/** Read and check everything; nothing is written. */
MAY_YIELD static int
load_media(struct umem *u, const struct umem_attr *attr, const struct meta_hdr_df *hdr, uint64_t *ret_replay_begin_ns)
{
	int rc = ckpt_create(u, attr->meta, &u->ckpt);

	if (rc == 0)
		rc = log_create(u, attr->wal, &u->log);
	if (rc != 0)
		return rc;
	*u->ckpt->hdr = *hdr;
	rc            = log_load(u->log);
	if (rc == 0 && u->log->hdr->format_id != hdr->format_id) {
		D_ERROR("%s: does not belong to %s: one of them was formatted without the other; "
			"restore the right one\n", bio_blob_name(attr->wal),
			bio_blob_name(attr->meta));
		rc = -DER_DF_INVAL;
	}
	if (rc == 0)
		rc = ckpt_load(u->ckpt);
	*ret_replay_begin_ns = plat_now_ns();
	if (rc == 0)
		rc = log_replay(u->log);
	return rc != 0 ? rc : heap_load(&u->heap, u->uuid);
}

/** How much log there may be until a checkpoint is due: as much as is replayed in time. */
static void
bound_replay(struct umem *u, uint64_t replayed_bytes, uint64_t took_ns)
{
	if (replayed_bytes >= REPLAY_MEASURE && took_ns > 0)
		u->replay_rate = MAX_OF((double)replayed_bytes * NSEC_PER_SEC / took_ns, REPLAY_RATE_MIN);
	u->log->threshold_bytes = u->replay_rate * u->replay_ms / 1000 / 100 * REPLAY_START_PCT;
}

/** Make what was loaded the new starting point, and start to work. */
MAY_YIELD static int
start_media(struct umem *u, uint64_t replay_begin_ns)
{
	uint64_t replayed_bytes = u->log->head_vpos - u->log->hdr->start_vpos;
	int      rc             = ckpt_repair(u->ckpt);

	u->log->durable_seq = u->last_seq;
	u->ckpt->done_seq   = u->last_seq;
	if (rc == 0)
		rc = ckpt_write_dirty(u->ckpt);
	bound_replay(u, replayed_bytes, plat_now_ns() - replay_begin_ns);
	if (rc == 0)
		rc = log_begin_gen(u->log);
	if (rc == 0)
		rc = log_start_writer(u->log);
	if (rc == 0)
		rc = ckpt_start(u->ckpt);
	if (rc != 0)
		log_stop_writer(u->log);
	else if (u->replayed_tx_nr > 0)
		D_NOTE("%s: %lu transactions replayed\n", bio_blob_name(u->log->blob),
		       u->replayed_tx_nr);
	return rc;
}

MAY_YIELD static int
open_durable(const struct umem_attr *attr, const unsigned char uuid[16], struct umem **ret_umem)
{
	struct meta_hdr_df *hdr = malloc(sizeof(*hdr));
	struct umem        *u   = NULL;
	uint64_t            replay_begin_ns = 0;
	int                 rc  = hdr == NULL ? -DER_NOMEM : 0;

	if (rc == 0)
		rc = ckpt_read_hdr(attr->meta, uuid, hdr);
	if (rc == 0)
		rc = umem_new(hdr->heap_bytes, uuid, attr->data, &u);
	if (rc == 0)
		rc = load_media(u, attr, hdr, &replay_begin_ns);
	free(hdr);
	if (rc == 0) {
		u->replay_rate = REPLAY_RATE;
		u->replay_ms   = attr->replay_ms != 0 ? attr->replay_ms : UMEM_REPLAY_MS;
		umem_set_checkpoint(u, CKPT_INTERVAL_S, CKPT_LOG_PCT);
		rc = start_media(u, replay_begin_ns);
	}
	if (rc != 0 && u != NULL)
		umem_free_all(u);
	if (rc == 0)
		*ret_umem = u;
	return rc;
}

MAY_YIELD static int
open_volatile(const struct umem_attr *attr, const unsigned char uuid[16], struct umem **ret_umem)
{
	struct umem *u;
	int          rc;

	rc = umem_new(attr->bytes, uuid, attr->data, &u);
	if (rc != 0)
		return rc;
	rc = umem_init_fresh(u, attr->root_bytes);
	if (rc != 0) {
		umem_free_all(u);
		return rc;
	}
	*ret_umem = u;
	return 0;
}

MAY_YIELD int
umem_open(const struct umem_attr *attr, const unsigned char uuid[16], struct umem **ret_umem)
{
	if ((attr->meta == NULL) != (attr->wal == NULL))
		return -DER_INVAL;
	return attr->meta == NULL ? open_volatile(attr, uuid, ret_umem)
				  : open_durable(attr, uuid, ret_umem);
}

MAY_YIELD void
umem_close(struct umem *u)
{
	int rc;

	if (u == NULL)
		return;
	if (u->log != NULL) {
		ckpt_stop(u->ckpt);
		rc = umem_checkpoint(u);
		log_stop_writer(u->log);
		/* The writer's last batch, a seal, may have failed. */
		if (rc == 0)
			rc = u->err;
		if (rc == 0)
			rc = log_mark_clean(u->log);
		if (rc != 0)
			D_NOTE("heap " DF_UUID ": closed without a checkpoint; the next open replays "
			       "the log\n", DP_UUID(u->uuid));
	}
	umem_free_all(u);
}

MAY_YIELD bool
umem_try_again(int rc, uint32_t *try_nr)
{
	if (rc != -DER_NOMEM || ++*try_nr > NOMEM_TRY_MAX)
		return false;
	ult_sleep_ns(NOMEM_PAUSE_NS);
	return true;
}

void
umem_fail(struct umem *u, int rc, const char *what, const struct bio_blob *blob)
{
	if (u->err != 0)
		return;
	u->err = -DER_IO;
	D_CRIT("%s: %s failed (" DF_RC "): this pool shard accepts no more changes. What was "
	       "acknowledged is on the device; check it and restart the engine\n",
	       bio_blob_name(blob), what, DP_RC(rc));
	log_fail(u->log);
}

void
umem_set_checkpoint(struct umem *u, uint32_t interval_s, uint32_t log_pct)
{
	if (u->ckpt == NULL)
		return;
	u->ckpt->interval_ns  = interval_s == 0 ? ULT_WAIT_FOREVER : interval_s * NSEC_PER_SEC;
	u->log->threshold_pct = log_pct == 0 ? 100 : log_pct;
	if (log_pct == 0)
		u->log->threshold_bytes = UINT64_MAX;
	ckpt_wake(u->ckpt);
}

void *
umem_ptr(const struct umem *u, umem_off_t off)
{
	D_ASSERT(off != UMEM_NULL && off < u->bytes);
	return u->base + off;
}

umem_off_t
umem_off(const struct umem *u, const void *ptr)
{
	uint64_t off = (const uint8_t *)ptr - u->base;

	D_ASSERT(off != 0 && off < u->bytes);
	return off;
}

bool
umem_off_valid(const struct umem *u, umem_off_t off, size_t bytes)
{
	return off >= heap_fixed_bytes(&u->heap) && off < u->bytes && bytes <= u->bytes - off;
}

umem_off_t
umem_root(const struct umem *u)
{
	return ((const struct umem_heap_df *)u->base)->root_off;
}

uint64_t
umem_last_seq(const struct umem *u)
{
	return u->last_seq;
}

MAY_YIELD int
umem_wait_durable(struct umem *u, uint64_t seq)
{
	D_ASSERT(seq <= u->last_seq);
	return u->log == NULL ? 0 : log_wait_durable(u->log, seq);
}

uint64_t
umem_proven_seq(const struct umem *u)
{
	return u->log == NULL ? u->last_seq : u->log->proven_seq;
}

MAY_YIELD int
umem_wait_proven(struct umem *u, uint64_t seq)
{
	D_ASSERT(seq <= u->last_seq);
	return u->log == NULL ? 0 : log_wait_proven(u->log, seq);
}

uint64_t
umem_heap_size(const struct umem *u)
{
	return u->bytes;
}

uint64_t
umem_free_bytes(const struct umem *u)
{
	return u->bytes - heap_fixed_bytes(&u->heap) - u->heap.used_bytes;
}

bool
umem_has_span(const struct umem *u, uint64_t bytes)
{
	return bytes == 0 || heap_has_span(&u->heap, (bytes + UMEM_CHUNK_BYTES - 1) / UMEM_CHUNK_BYTES);
}

void
umem_stat(const struct umem *u, struct umem_stat *stat)
{
	memset(stat, 0, sizeof(*stat));
	stat->heap_bytes         = u->bytes;
	stat->used_bytes         = u->heap.used_bytes;
	stat->free_bytes         = umem_free_bytes(u);
	stat->largest_free_bytes = heap_largest_free(&u->heap);
	stat->tx_nr              = u->tx_nr;
	stat->replayed_tx_nr     = u->replayed_tx_nr;
	if (u->log == NULL)
		return;
	stat->log_bytes      = u->log->ring_bytes;
	stat->log_used_bytes = log_used_bytes(u->log);
	stat->log_write_nr   = u->log->write_nr;
	stat->log_written_bytes = u->log->written_bytes;
	stat->checkpoint_nr  = u->ckpt->checkpoint_nr;
	stat->replay_rate    = u->replay_rate;
	stat->replay_bytes   = MIN_OF(u->log->threshold_bytes, u->log->ring_bytes / 100 * u->log->threshold_pct);
}
