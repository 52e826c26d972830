/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/**
 * Bulk handles and transfers.
 *
 * A transfer walks the local and the remote segments together and cuts pieces that are contiguous
 * on both sides and at most CRT_XFER_CHUNK_BYTES; CRT_XFER_WINDOW pieces are under way at a time.
 * The first error stops cutting; the callback runs once, when nothing is under way any more. A
 * transfer holds a reference of the request it belongs to.
 */
#define D_LOGFAC LOG_FAC_CART
#include <stdlib.h>
#include <string.h>
#include "base/log.h"
#include "cart/crt_internal.h"

/* ---- handles ---- */

static unsigned
perm_access(enum crt_bulk_perm perm)
{
	switch (perm) {
	case CRT_BULK_RO:
		return NA_MR_PEER_READS;
	case CRT_BULK_WO:
		return NA_MR_PEER_WRITES;
	default:
		return NA_MR_PEER_READS | NA_MR_PEER_WRITES;
	}
}

static void
bulk_release(struct crt_bulk *bulk)
{
	for (uint32_t i = 0; i < bulk->seg_nr; i++)
		na_mr_destroy(bulk->ctx->ep, bulk->mrs[i]);
	free(bulk);
}

/** Handle, segments and registrations in one piece of memory. */
static struct crt_bulk *
bulk_alloc(struct crt_ctx *ctx, uint32_t seg_nr, enum crt_bulk_perm perm)
{
	struct crt_bulk *bulk;

	bulk = calloc(1, sizeof(*bulk) + seg_nr * (sizeof(*bulk->segs) + sizeof(*bulk->mrs)));
	if (bulk == NULL)
		return NULL;
	bulk->ctx  = ctx;
	bulk->perm = perm;
	bulk->segs = (struct crt_bulk_seg *)(bulk + 1);
	bulk->mrs  = (struct na_mr **)(bulk->segs + seg_nr);
	return bulk;
}

static int
bulk_add(struct crt_bulk *bulk, const d_iov_t *iov)
{
	struct crt_bulk_seg *seg = &bulk->segs[bulk->seg_nr];
	int                  rc;

	if (iov->iov_buf_len == 0)
		return 0;
	if (iov->iov_buf == NULL)
		return -DER_INVAL;
	rc = na_mr_create(bulk->ctx->ep, iov->iov_buf, iov->iov_buf_len, perm_access(bulk->perm),
			  &bulk->mrs[bulk->seg_nr], &seg->remote);
	if (rc != 0)
		return rc;
	seg->bytes = iov->iov_buf_len;
	bulk->bytes += seg->bytes;
	bulk->seg_nr++;
	return 0;
}

int
crt_bulk_create(crt_context_t ctx, const d_sg_list_t *sgl, enum crt_bulk_perm perm,
		crt_bulk_t *ret_bulk)
{
	struct crt_bulk *bulk;
	int              rc = 0;

	if (sgl->sg_nr > CRT_ARRAY_NR_MAX || perm > CRT_BULK_WO)
		return -DER_INVAL;
	bulk = bulk_alloc(ctx, sgl->sg_nr, perm);
	if (bulk == NULL)
		return -DER_NOMEM;
	pthread_mutex_lock(&ctx->lock);
	for (uint32_t i = 0; i < sgl->sg_nr && rc == 0; i++)
		rc = bulk_add(bulk, &sgl->sg_iovs[i]);
	if (rc != 0)
		bulk_release(bulk);
	pthread_mutex_unlock(&ctx->lock);
	if (rc == 0)
		*ret_bulk = bulk;
	return rc;
}

void
crt_bulk_free(crt_bulk_t bulk)
{
	struct crt_ctx *ctx;

	if (bulk == NULL || bulk->ctx == NULL)
		return; /* one from a request goes with it */
	ctx = bulk->ctx;
	pthread_mutex_lock(&ctx->lock);
	bulk_release(bulk);
	pthread_mutex_unlock(&ctx->lock);
}

int
crt_bulk_bind(crt_bulk_t bulk)
{
	size_t bytes = 0;

	if (bulk == NULL || bulk->ctx == NULL)
		return -DER_INVAL; /* what comes from a peer says so already, or it is too late */
	bulk->name       = na_ep_name(bulk->ctx->ep, &bytes);
	bulk->name_bytes = bytes;
	return 0;
}

uint64_t
crt_bulk_len(crt_bulk_t bulk)
{
	return bulk == NULL ? 0 : bulk->bytes;
}

/* ---- transfers ---- */

struct crt_xfer {
	struct crt_ctx        *ctx;
	struct crt_rpc_priv   *rpc;
	na_addr_t              peer;
	enum na_rma_kind       kind;
	const struct crt_bulk *remote;
	uint32_t               seg_idx;
	uint64_t               seg_off;
	d_iov_t               *iovs; /* copy of the caller's list: iovs_first, or allocated */
	d_iov_t                iovs_first[8];
	uint32_t               iov_idx;
	uint64_t               iov_off;
	uint64_t               left;
	uint32_t               under_way;
	int                    rc;
	crt_bulk_cb_t          cb;
	void                  *arg;
	struct crt_work        work;
	d_list_t               link; /* ctx->xfer_pool */
	struct crt_rma         rmas[CRT_XFER_WINDOW];
	struct crt_rma        *free[CRT_XFER_WINDOW]; /* [CRT_XFER_WINDOW - under_way] */
};

void
crt_xfers_fini(struct crt_ctx *ctx)
{
	struct crt_xfer *x;

	while ((x = d_list_first(&ctx->xfer_pool, struct crt_xfer, link)) != NULL) {
		d_list_del(&x->link);
		free(x);
	}
}

static struct crt_xfer *
xfer_get(struct crt_ctx *ctx)
{
	struct crt_xfer *x = d_list_first(&ctx->xfer_pool, struct crt_xfer, link);

	if (x != NULL) {
		d_list_del(&x->link);
	} else {
		x = malloc(sizeof(*x));
		if (x == NULL)
			return NULL;
	}
	memset(x, 0, offsetof(struct crt_xfer, rmas));
	x->ctx = ctx;
	d_list_init(&x->link);
	d_list_init(&x->work.link);
	for (int i = 0; i < CRT_XFER_WINDOW; i++)
		x->free[i] = &x->rmas[i];
	return x;
}

/** Pooled: at most as many as were under way at a time. */
static void
xfer_put(struct crt_xfer *x)
{
	if (x->iovs != x->iovs_first)
		free(x->iovs);
	d_list_add(&x->link, &x->ctx->xfer_pool);
}

static void
xfer_callback(struct crt_work *work)
{
	struct crt_xfer     *x   = CONTAINER_OF(work, struct crt_xfer, work);
	struct crt_ctx      *ctx = x->ctx;
	struct crt_rpc_priv *rpc = x->rpc;

	x->cb(x->arg, x->rc);
	pthread_mutex_lock(&ctx->lock);
	xfer_put(x);
	crt_rpc_put_locked(rpc);
	pthread_mutex_unlock(&ctx->lock);
}

/** Go past empty segments, so both cursors point at bytes (while some are left). */
static void
xfer_normalize(struct crt_xfer *x)
{
	while (x->left > 0 && x->seg_off >= x->remote->segs[x->seg_idx].bytes) {
		x->seg_off -= x->remote->segs[x->seg_idx].bytes;
		x->seg_idx++;
	}
	while (x->left > 0 && x->iov_off >= x->iovs[x->iov_idx].iov_buf_len) {
		x->iov_off -= x->iovs[x->iov_idx].iov_buf_len;
		x->iov_idx++;
	}
}

static void
xfer_advance(struct crt_xfer *x, uint64_t bytes)
{
	x->seg_off += bytes;
	x->iov_off += bytes;
	x->left -= bytes;
}

static void xfer_piece_done(struct crt_rma *rma, int rc);

static void
xfer_piece(struct crt_xfer *x)
{
	const struct crt_bulk_seg *seg;
	const d_iov_t             *iov;
	struct crt_rma            *rma;
	uint64_t                   bytes;

	xfer_normalize(x);
	seg   = &x->remote->segs[x->seg_idx];
	iov   = &x->iovs[x->iov_idx];
	bytes = MIN_OF(seg->bytes - x->seg_off, iov->iov_buf_len - x->iov_off);
	bytes = MIN_OF(bytes, x->left);
	if (iov->iov_buf == NULL) { /* a hole: nothing moves */
		xfer_advance(x, bytes);
		return;
	}
	bytes = MIN_OF(bytes, CRT_XFER_CHUNK_BYTES);
	rma   = x->free[CRT_XFER_WINDOW - ++x->under_way];
	rma->done = xfer_piece_done;
	rma->arg  = x;
	rma->na   = (struct na_rma){.kind   = x->kind,
				    .peer   = x->peer,
				    .local  = (char *)iov->iov_buf + x->iov_off,
				    .bytes  = bytes,
				    .remote = seg->remote.base + x->seg_off,
				    .key    = seg->remote.key,
				    .guard  = seg->remote.guard};
	xfer_advance(x, bytes);
	crt_rma_start(x->ctx, rma);
}

static void
xfer_go(struct crt_xfer *x)
{
	while (x->rc == 0 && x->left > 0 && x->under_way < CRT_XFER_WINDOW)
		xfer_piece(x);
	if (x->under_way == 0)
		crt_work_add(x->ctx, &x->work, xfer_callback);
}

static void
xfer_piece_done(struct crt_rma *rma, int rc)
{
	struct crt_xfer *x = rma->arg;

	x->free[CRT_XFER_WINDOW - x->under_way--] = rma;
	if (x->rc == 0)
		x->rc = rc;
	xfer_go(x);
}

static uint64_t
sgl_bytes(const d_sg_list_t *sgl)
{
	uint64_t bytes = 0;

	for (uint32_t i = 0; i < sgl->sg_nr; i++)
		bytes += sgl->sg_iovs[i].iov_buf_len;
	return bytes;
}

static int
desc_check(const struct crt_bulk_desc *d)
{
	uint64_t local = sgl_bytes(d->bd_local);

	if (d->bd_remote == NULL || d->bd_remote->ctx != NULL)
		return -DER_INVAL;
	if (d->bd_remote_off > d->bd_remote->bytes ||
	    d->bd_len > d->bd_remote->bytes - d->bd_remote_off || d->bd_local_off > local ||
	    d->bd_len > local - d->bd_local_off)
		return -DER_OVERFLOW;
	if (d->bd_remote->perm == (d->bd_op == CRT_BULK_PUT ? CRT_BULK_RO : CRT_BULK_WO))
		return -DER_NO_PERM;
	return 0;
}

static int
xfer_iovs_copy(struct crt_xfer *x, const d_sg_list_t *sgl)
{
	x->iovs = x->iovs_first;
	if (sgl->sg_nr > ARRAY_NR(x->iovs_first))
		x->iovs = malloc(sgl->sg_nr * sizeof(*x->iovs));
	if (x->iovs == NULL)
		return -DER_NOMEM;
	if (sgl->sg_nr > 0)
		memcpy(x->iovs, sgl->sg_iovs, sgl->sg_nr * sizeof(*x->iovs));
	return 0;
}

static int
xfer_start(struct crt_ctx *ctx, const struct crt_bulk_desc *d, crt_bulk_cb_t cb, void *arg)
{
	struct crt_xfer *x = ctx->stopping ? NULL : xfer_get(ctx);
	int              rc;

	if (x == NULL)
		return ctx->stopping ? -DER_CANCELED : -DER_NOMEM;
	rc = xfer_iovs_copy(x, d->bd_local);
	x->peer = crt_priv(d->bd_rpc)->addr;
	if (rc == 0 && d->bd_remote->name != NULL)
		rc = na_addr_insert_name(ctx->ep, d->bd_remote->name, d->bd_remote->name_bytes,
					 &x->peer);
	if (rc != 0) {
		xfer_put(x);
		return rc;
	}
	x->rpc     = crt_priv(d->bd_rpc);
	x->kind    = d->bd_op == CRT_BULK_PUT ? NA_RMA_WRITE : NA_RMA_READ;
	x->remote  = d->bd_remote;
	x->seg_off = d->bd_remote_off;
	x->iov_off = d->bd_local_off;
	x->left    = d->bd_len;
	x->cb      = cb;
	x->arg     = arg;
	x->rpc->refs++;
	xfer_go(x);
	return 0;
}

int
crt_bulk_transfer(const struct crt_bulk_desc *desc, crt_bulk_cb_t cb, void *arg)
{
	struct crt_ctx *ctx = desc->bd_rpc->cr_ctx;
	int             rc  = desc_check(desc);

	if (rc != 0)
		return rc;
	pthread_mutex_lock(&ctx->lock);
	rc = xfer_start(ctx, desc, cb, arg);
	crt_unlock_sent(ctx);
	return rc;
}
