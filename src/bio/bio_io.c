/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/**
 * Requests. A blob is a few extents on the device, so a request is cut into segments, each contiguous
 * on the device. bio_io_advance() is the whole life: issue what is left of each segment; when all
 * that was issued has come back, issue what came back short, then the flush if one is wanted and
 * nothing failed, then call back. On the ring, a write of one segment and its flush go in linked.
 *
 * Invariants:
 *  1. A request is with the backend (pending > 0), or on backlog or done, or being completed.
 *  2. The callback runs once, on the scheduler or from a ULT's helper call, never inside *_async().
 *  3. No progress is tried at most BIO_RETRY_MAX times, then the request fails.
 */
#define D_LOGFAC LOG_FAC_BIO

#include <string.h>
#include "base/log.h"
#include "bio/bio_int.h"

#define BIO_RETRY_MAX   16u

/* ---- contexts ---- */

static int
ram_complete(struct bio_ctx *ctx)
{
	D_LIST_HEAD(done);
	struct bio_io *io;
	int            nr = 0;

	d_list_splice_tail(&ctx->done, &done);
	while ((io = d_list_first(&done, struct bio_io, link)) != NULL) {
		d_list_del(&io->link);
		bio_io_complete(io);
		nr++;
	}
	return nr;
}

static int
retry_backlog(struct bio_ctx *ctx)
{
	struct bio_io *io;
	int            nr = 0;

	while ((io = d_list_first(&ctx->backlog, struct bio_io, link)) != NULL) {
		d_list_del(&io->link);
		if (!bio_uring_issue(io)) {
			d_list_add(&io->link, &ctx->backlog);
			break;
		}
		nr++;
	}
	return nr;
}

static int
ctx_poll(void *arg)
{
	struct bio_ctx *ctx = arg;
	int             nr  = ram_complete(ctx);

	if (ctx->has_ring) {
		nr += bio_uring_poll(ctx);
		nr += retry_backlog(ctx);
	}
	return nr;
}

static bool
ctx_arm(void *arg)
{
	struct bio_ctx *ctx = arg;

	if (!d_list_empty(&ctx->done) || !d_list_empty(&ctx->backlog))
		return false;
	return !ctx->has_ring || bio_uring_arm(ctx);
}

static int
ctx_create(bool want_ring, struct bio_ctx **ret_ctx)
{
	struct bio_ctx *ctx = calloc(1, sizeof(*ctx));
	int             rc;

	if (ctx == NULL)
		return -DER_NOMEM;
	d_list_init(&ctx->free_ios);
	d_list_init(&ctx->backlog);
	d_list_init(&ctx->done);
	bio_buf_init(ctx);
	ctx->io_bytes_max = 1u << 30;
	ctx->poller       = (struct ult_poller){
	    .name = "bio", .poll = ctx_poll, .arm = ctx_arm, .fd = -1, .arg = ctx};
	d_list_init(&ctx->poller.link);
	rc = want_ring ? bio_uring_init(ctx) : ENOSYS;
	if (rc == 0)
		ctx->poller.fd = ctx->ring.ring_fd;
	else if (want_ring)
		D_NOTE("io_uring refused (%s): disk I/O goes through helper threads, slower\n",
		       strerror(rc));
	ult_poller_add(&ctx->poller);
	*ret_ctx = ctx;
	return 0;
}

int
bio_ctx_create(struct bio_ctx **ret_ctx)
{
	return ctx_create(true, ret_ctx);
}

int
bio_ctx_create_threaded(struct bio_ctx **ret_ctx)
{
	return ctx_create(false, ret_ctx);
}

void
bio_ctx_limit_io(struct bio_ctx *ctx, uint64_t bytes)
{
	ctx->io_bytes_max = bytes;
}

void
bio_ctx_destroy(struct bio_ctx *ctx)
{
	struct bio_io *io;

	if (ctx == NULL)
		return;
	D_ASSERT(ctx->in_flight == 0);
	ult_poller_del(&ctx->poller);
	while ((io = d_list_first(&ctx->free_ios, struct bio_io, link)) != NULL) {
		d_list_del(&io->link);
		free(io);
	}
	bio_buf_fini(ctx);
	if (ctx->has_ring)
		bio_uring_fini(ctx);
	free(ctx);
}

/* ---- blobs ---- */

static const char *
role_name(uint32_t role)
{
	switch (role) {
	case BIO_ROLE_WAL:
		return "log";
	case BIO_ROLE_META:
		return "metadata";
	default:
		return "data";
	}
}

int
bio_blob_open(struct bio_ctx *ctx, struct bio_dev *dev, const struct bio_blob_id *id,
	      struct bio_blob **ret_blob)
{
	struct bio_blob *blob = calloc(1, sizeof(*blob));
	int              at;

	if (blob == NULL)
		return -DER_NOMEM;
	blob->ctx = ctx;
	blob->dev = dev;
	if (asprintf(&blob->name, "%s (%s of pool " DF_UUID ", target %d)", dev->name,
		     role_name(id->role), DP_UUID(id->pool), (int)id->tgt) < 0) {
		free(blob);
		return -DER_NOMEM;
	}
	pthread_mutex_lock(&dev->table_lock);
	at = bio_table_find(dev->table, id);
	if (at >= 0) {
		blob->entry = dev->table->entries[at];
		dev->open_nr++;
	}
	pthread_mutex_unlock(&dev->table_lock);
	if (at < 0) {
		free(blob->name);
		free(blob);
		return -DER_NONEXIST;
	}
	bio_reg_file_get(ctx, dev);
	for (uint32_t i = 0; i < blob->entry.extent_nr; i++)
		blob->bytes += (uint64_t)blob->entry.extents[i].cluster_nr * BIO_CLUSTER_BYTES;
	*ret_blob = blob;
	return 0;
}

void
bio_blob_close(struct bio_blob *blob)
{
	if (blob == NULL)
		return;
	bio_reg_file_put(blob->ctx, blob->dev);
	pthread_mutex_lock(&blob->dev->table_lock);
	blob->dev->open_nr--;
	pthread_mutex_unlock(&blob->dev->table_lock);
	free(blob->name);
	free(blob);
}

uint64_t
bio_blob_bytes(const struct bio_blob *blob)
{
	return blob->bytes;
}

const char *
bio_blob_name(const struct bio_blob *blob)
{
	return blob->name;
}

bool
bio_blob_same_dev(const struct bio_blob *a, const struct bio_blob *b)
{
	return a->dev == b->dev;
}

struct bio_ctx *
bio_blob_ctx(const struct bio_blob *blob)
{
	return blob->ctx;
}

/* ---- making a request ---- */

static struct bio_io *
io_get(struct bio_ctx *ctx)
{
	struct bio_io *io = d_list_first(&ctx->free_ios, struct bio_io, link);

	if (io != NULL)
		d_list_del(&io->link);
	else
		io = malloc(sizeof(*io));
	return io;
}

static void
io_put(struct bio_io *io)
{
	struct bio_ctx *ctx = io->ctx;

	if (io->segs != io->seg_inline)
		free(io->segs);
	if (io->iov != io->iov_inline)
		free(io->iov);
	d_list_add(&io->link, &ctx->free_ios);
}

static int
check_args(const struct bio_blob *blob, uint64_t off, const struct iovec *iov, int nr)
{
	uint64_t total = 0;

	for (int i = 0; i < nr; i++) {
		if ((uintptr_t)iov[i].iov_base % BIO_BLOCK_BYTES != 0 ||
		    iov[i].iov_len % BIO_BLOCK_BYTES != 0)
			return -DER_INVAL;
		total += iov[i].iov_len;
	}
	if (nr < 1 || total == 0 || off % BIO_BLOCK_BYTES != 0 || off > blob->bytes ||
	    total > blob->bytes - off)
		return -DER_INVAL;
	return 0;
}

/** Extents the range touches. */
static uint32_t
count_segs(const struct bio_blob *blob, uint64_t off, uint64_t total)
{
	uint64_t start = 0, len;
	uint32_t nr    = 0;

	for (uint32_t i = 0; i < blob->entry.extent_nr; i++) {
		len = (uint64_t)blob->entry.extents[i].cluster_nr * BIO_CLUSTER_BYTES;
		nr += start < off + total && off < start + len;
		start += len;
	}
	return nr;
}

/** Cut the caller's vector at the borders of the blob's extents. */
static void
build_segs(struct bio_io *io, uint64_t off, const struct iovec *iov, uint64_t total)
{
	const struct bio_entry_df *entry = &io->blob->entry;
	struct iovec              *out   = io->iov;
	uint64_t                   start = 0, used = 0;

	io->seg_nr = 0;
	for (uint32_t i = 0; i < entry->extent_nr && total > 0; i++) {
		uint64_t        len  = (uint64_t)entry->extents[i].cluster_nr * BIO_CLUSTER_BYTES;
		uint64_t        left = off < start + len ? MIN_OF(start + len - off, total) : 0;
		struct bio_seg *seg  = &io->segs[io->seg_nr];

		start += len;
		if (left == 0)
			continue;
		*seg = (struct bio_seg){.io = io, .iov = out, .left_bytes = left};
		seg->dev_off = (uint64_t)entry->extents[i].cluster * BIO_CLUSTER_BYTES + off -
			       (start - len);
		io->seg_nr++;
		total -= left;
		off += left;
		while (left > 0) {
			uint64_t take = MIN_OF(left, iov->iov_len - used);

			if (take > 0)
				*out++ = (struct iovec){(char *)iov->iov_base + used, take};
			used += take;
			left -= take;
			if (used == iov->iov_len) {
				iov++;
				used = 0;
			}
		}
		seg->iov_nr = out - seg->iov;
	}
}

static int
io_create(struct bio_blob *blob, enum bio_op op, bool flush, uint64_t off, const struct iovec *iov,
	  int nr, struct bio_io **ret_io)
{
	struct bio_io *io = io_get(blob->ctx);
	uint64_t       total = 0;
	uint32_t       seg_nr;

	if (io == NULL)
		return -DER_NOMEM;
	for (int i = 0; i < nr; i++)
		total += iov[i].iov_len;
	d_list_init(&io->link);
	io->ctx      = blob->ctx;
	io->blob     = blob;
	io->op       = op;
	io->flush    = flush;
	io->flushes  = flush;
	io->bytes    = total;
	io->pending  = 0;
	io->retry_nr = 0;
	io->rc       = 0;
	seg_nr       = count_segs(blob, off, total);
	io->segs     = io->seg_inline;
	io->iov      = io->iov_inline;
	if (seg_nr > BIO_IO_SEG_NR)
		io->segs = malloc(seg_nr * sizeof(*io->segs));
	if (nr + seg_nr > ARRAY_NR(io->iov_inline))
		io->iov = malloc((nr + seg_nr) * sizeof(*io->iov));
	if (io->segs == NULL || io->iov == NULL) {
		io_put(io);
		return -DER_NOMEM;
	}
	build_segs(io, off, iov, total);
	*ret_io = io;
	return 0;
}

/* ---- running a request ---- */

void
bio_seg_consume(struct bio_seg *seg, uint64_t bytes)
{
	D_ASSERT(bytes <= seg->left_bytes);
	seg->left_bytes -= bytes;
	seg->dev_off += bytes;
	while (bytes > 0) {
		uint64_t take = MIN_OF(bytes, seg->iov->iov_len);

		seg->iov->iov_base = (char *)seg->iov->iov_base + take;
		seg->iov->iov_len -= take;
		bytes -= take;
		if (seg->iov->iov_len == 0 && seg->iov_nr > 1) {
			seg->iov++;
			seg->iov_nr--;
		}
	}
}

static int
ram_run(struct bio_io *io)
{
	struct bio_ram *ram = io->blob->dev->ram;
	int             rc  = 0;

	for (uint32_t i = 0; rc == 0 && i < io->seg_nr; i++) {
		struct bio_seg *seg = &io->segs[i];

		rc = io->op == BIO_OP_READ
			 ? bio_ram_readv(ram, seg->dev_off, seg->iov, seg->iov_nr)
			 : bio_ram_writev(ram, seg->dev_off, seg->iov, seg->iov_nr);
	}
	if (rc == 0 && io->flush)
		rc = bio_ram_flush(ram);
	return rc;
}

static void
count(uint64_t *counter, uint64_t n)
{
	__atomic_fetch_add(counter, n, __ATOMIC_RELAXED);
}

static void
count_done(const struct bio_io *io)
{
	struct bio_dev_health *h = &io->blob->dev->health;

	if (io->op == BIO_OP_READ) {
		count(&h->read_nr, 1);
		count(&h->read_bytes, io->bytes);
	} else if (io->op == BIO_OP_WRITE) {
		count(&h->write_nr, 1);
		count(&h->write_bytes, io->bytes);
	}
	if (io->flushes)
		count(&h->flush_nr, 1);
	if (io->rc == 0)
		return;
	count(&h->err_nr, 1);
	if (io->blob->dev->err_limit != 0 && __atomic_load_n(&h->err_nr, __ATOMIC_RELAXED) >= io->blob->dev->err_limit)
		bio_dev_set_faulty(io->blob->dev);
}

void
bio_blob_note_csum_err(struct bio_blob *blob)
{
	struct bio_dev *dev = blob->dev;
	uint64_t        nr = __atomic_add_fetch(&dev->health.csum_err_nr, 1, __ATOMIC_RELAXED);

	if (dev->csum_limit != 0 && nr >= dev->csum_limit)
		bio_dev_set_faulty(dev);
}

void
bio_dev_set_faulty(struct bio_dev *dev)
{
	if (!__atomic_exchange_n(&dev->faulty, true, __ATOMIC_RELAXED))
		D_CRIT("%s: the device is faulty (%lu failed requests, %lu checksum errors): it is not used any more. Targets that "
		       "lie on it refuse requests, others go on; replace it and restart the engine\n", dev->name,
		       __atomic_load_n(&dev->health.err_nr, __ATOMIC_RELAXED),
		       __atomic_load_n(&dev->health.csum_err_nr, __ATOMIC_RELAXED));
}

bool
bio_dev_is_faulty(const struct bio_dev *dev)
{
	return __atomic_load_n(&dev->faulty, __ATOMIC_RELAXED);
}

void
bio_dev_set_err_limit(struct bio_dev *dev, uint64_t err_nr)
{
	dev->err_limit = err_nr;
}

void
bio_dev_set_csum_limit(struct bio_dev *dev, uint64_t csum_err_nr)
{
	dev->csum_limit = csum_err_nr;
}

void
bio_dev_health(const struct bio_dev *dev, struct bio_dev_health *ret_health)
{
	const uint64_t *from = (const uint64_t *)&dev->health;
	uint64_t       *to   = (uint64_t *)ret_health;

	for (size_t i = 0; i < sizeof(*ret_health) / sizeof(*to); i++)
		to[i] = __atomic_load_n(&from[i], __ATOMIC_RELAXED);
}

void
bio_io_complete(struct bio_io *io)
{
	bio_cb_t cb  = io->cb;
	void    *arg = io->arg;
	int      rc  = io->rc;

	count_done(io);
	io->ctx->in_flight--;
	io_put(io);
	cb(arg, rc);
}

static bool
io_is_done(const struct bio_io *io)
{
	if (io->rc != 0)
		return true;
	for (uint32_t i = 0; i < io->seg_nr; i++) {
		if (io->segs[i].left_bytes > 0)
			return false;
	}
	return !io->flush;
}

void
bio_io_advance(struct bio_io *io)
{
	struct bio_ctx *ctx = io->ctx;

	D_ASSERT(io->pending == 0);
	if (UNLIKELY(io->retry_nr > 0))
		count(&io->blob->dev->health.retry_nr, 1);
	if (io->retry_nr > BIO_RETRY_MAX) {
		D_ERROR("%s: request makes no progress after %u tries; check the device\n",
			io->blob->name, io->retry_nr);
		io->rc = -DER_IO;
	}
	if (io_is_done(io)) {
		bio_io_complete(io);
	} else if (!ctx->has_ring) {
		bio_thread_issue(io);
	} else if (!d_list_empty(&ctx->backlog) || !bio_uring_issue(io)) {
		d_list_add_tail(&io->link, &ctx->backlog);
	}
}

static void
io_start(struct bio_io *io, bio_cb_t cb, void *arg)
{
	io->cb  = cb;
	io->arg = arg;
	io->ctx->in_flight++;
	if (io->blob->dev->ram != NULL && !bio_ram_takes_ring(io->blob->dev->ram)) {
		io->rc = ram_run(io);
		d_list_add_tail(&io->link, &io->ctx->done);
	} else {
		bio_io_advance(io);
	}
}

static int
start(struct bio_blob *blob, enum bio_op op, bool flush, uint64_t off, const struct iovec *iov,
      int nr, bio_cb_t cb, void *arg)
{
	struct bio_io *io = NULL;
	int            rc = op == BIO_OP_FLUSH ? 0 : check_args(blob, off, iov, nr);

	if (rc == 0 && UNLIKELY(bio_dev_is_faulty(blob->dev)))
		rc = -DER_NVME_IO;
	if (rc == 0)
		rc = io_create(blob, op, flush, off, iov, nr, &io);
	if (rc == 0)
		io_start(io, cb, arg);
	return rc;
}

int
bio_readv_async(struct bio_blob *blob, uint64_t off, const struct iovec *iov, int nr, bio_cb_t cb,
		void *arg)
{
	return start(blob, BIO_OP_READ, false, off, iov, nr, cb, arg);
}

int
bio_writev_async(struct bio_blob *blob, uint64_t off, const struct iovec *iov, int nr, bio_cb_t cb,
		 void *arg)
{
	return start(blob, BIO_OP_WRITE, false, off, iov, nr, cb, arg);
}

int
bio_flush_async(struct bio_blob *blob, bio_cb_t cb, void *arg)
{
	return start(blob, BIO_OP_FLUSH, true, 0, NULL, 0, cb, arg);
}

/* ---- waiting forms ---- */

static void
set_eventual(void *arg, int rc)
{
	ult_eventual_set(arg, rc);
}

/** A RAM device that is not slowed down answers at once. */
static int
ram_now(struct bio_blob *blob, enum bio_op op, bool flush, uint64_t off, const struct iovec *iov,
	int nr)
{
	struct bio_io *io = NULL;
	int            rc = op == BIO_OP_FLUSH ? 0 : check_args(blob, off, iov, nr);

	if (rc == 0 && UNLIKELY(bio_dev_is_faulty(blob->dev)))
		rc = -DER_NVME_IO;
	if (rc == 0)
		rc = io_create(blob, op, flush, off, iov, nr, &io);
	if (rc == 0) {
		rc = io->rc = ram_run(io);
		count_done(io);
		io_put(io);
	}
	return rc;
}

MAY_YIELD static int
run(struct bio_blob *blob, enum bio_op op, bool flush, uint64_t off, const struct iovec *iov, int nr)
{
	struct ult_eventual ev;
	int                 rc;

	if (blob->dev->ram != NULL && !bio_ram_is_async(blob->dev->ram))
		return ram_now(blob, op, flush, off, iov, nr);
	ult_eventual_init(&ev);
	rc = start(blob, op, flush, off, iov, nr, set_eventual, &ev);
	return rc != 0 ? rc : ult_eventual_wait(&ev);
}

MAY_YIELD int
bio_readv(struct bio_blob *blob, uint64_t off, const struct iovec *iov, int nr)
{
	return run(blob, BIO_OP_READ, false, off, iov, nr);
}

MAY_YIELD int
bio_writev(struct bio_blob *blob, uint64_t off, const struct iovec *iov, int nr)
{
	return run(blob, BIO_OP_WRITE, false, off, iov, nr);
}

MAY_YIELD int
bio_flush(struct bio_blob *blob)
{
	return run(blob, BIO_OP_FLUSH, true, 0, NULL, 0);
}

MAY_YIELD int
bio_writev_flush(struct bio_blob *blob, uint64_t off, const struct iovec *iov, int nr)
{
	return run(blob, BIO_OP_WRITE, true, off, iov, nr);
}
