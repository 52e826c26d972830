/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/**
 * Block-aligned buffers, in sizes of powers of two, kept for reuse up to the context's limit. Those
 * who find the limit reached wait in order of arrival.
 */
#define D_LOGFAC LOG_FAC_BIO

#include <string.h>
#include "base/log.h"
#include "bio/bio_int.h"

#define BIO_BUF_LIMIT ((size_t)256 << 20)

struct buf_waiter {
	d_list_t            link;
	size_t              bytes;
	struct ult_eventual ev;
};

void
bio_buf_init(struct bio_ctx *ctx)
{
	ctx->buf_limit = BIO_BUF_LIMIT;
	d_list_init(&ctx->buf_waiters);
}

static void
drop_cached(struct bio_ctx *ctx, size_t need_bytes)
{
	for (uint32_t i = BIO_BUF_CLASS_NR; i-- > 0 && need_bytes > 0;) {
		struct bio_buf_class *c     = &ctx->bufs[i];
		size_t                bytes = (size_t)BIO_BLOCK_BYTES << i;

		while (c->head != NULL && need_bytes > 0) {
			void *buf = c->head;

			memcpy(&c->head, buf, sizeof(c->head));
			bio_mem_free(ctx, buf);
			ctx->buf_cached -= bytes;
			need_bytes -= MIN_OF(need_bytes, bytes);
		}
	}
}

void
bio_buf_fini(struct bio_ctx *ctx)
{
	D_ASSERT(ctx->buf_used == 0 && d_list_empty(&ctx->buf_waiters));
	drop_cached(ctx, SIZE_MAX);
}

static uint32_t
class_of(size_t bytes)
{
	uint32_t class_idx = 0;

	while (((size_t)BIO_BLOCK_BYTES << class_idx) < bytes)
		class_idx++;
	return class_idx;
}

static bool
fits(const struct bio_ctx *ctx, size_t bytes)
{
	return ctx->buf_used + bytes <= ctx->buf_limit;
}

MAY_YIELD static void
wait_turn(struct bio_ctx *ctx, size_t bytes)
{
	struct buf_waiter waiter = {.bytes = bytes};

	ult_eventual_init(&waiter.ev);
	d_list_add_tail(&waiter.link, &ctx->buf_waiters);
	/* Whoever sets it has added our bytes to buf_used. */
	(void)ult_eventual_wait(&waiter.ev);
}

static void
wake_waiters(struct bio_ctx *ctx)
{
	struct buf_waiter *w;

	while ((w = d_list_first(&ctx->buf_waiters, struct buf_waiter, link)) != NULL &&
	       fits(ctx, w->bytes)) {
		d_list_del(&w->link);
		ctx->buf_used += w->bytes;
		ult_eventual_set(&w->ev, 0);
	}
}

MAY_YIELD int
bio_buf_get(struct bio_ctx *ctx, size_t bytes, void **ret_buf)
{
	uint32_t class_idx;
	void    *buf;

	if (bytes == 0 || bytes > ctx->buf_limit ||
	    (class_idx = class_of(bytes)) >= BIO_BUF_CLASS_NR)
		return bytes == 0 ? -DER_INVAL : -DER_NOMEM;
	bytes = (size_t)BIO_BLOCK_BYTES << class_idx;
	if (bytes > ctx->buf_limit)
		return -DER_NOMEM;
	if (!d_list_empty(&ctx->buf_waiters) || !fits(ctx, bytes))
		wait_turn(ctx, bytes);
	else
		ctx->buf_used += bytes;
	buf = ctx->bufs[class_idx].head;
	if (buf != NULL) {
		memcpy(&ctx->bufs[class_idx].head, buf, sizeof(buf));
		ctx->buf_cached -= bytes;
	} else {
		if (ctx->buf_used + ctx->buf_cached > ctx->buf_limit)
			drop_cached(ctx, ctx->buf_used + ctx->buf_cached - ctx->buf_limit);
		buf = bio_mem_alloc(ctx, bytes);
	}
	if (buf == NULL) {
		ctx->buf_used -= bytes;
		wake_waiters(ctx);
		return -DER_NOMEM;
	}
	*ret_buf = buf;
	return 0;
}

void
bio_buf_put(struct bio_ctx *ctx, void *buf, size_t bytes)
{
	uint32_t class_idx = class_of(bytes);

	if (buf == NULL)
		return;
	bytes = (size_t)BIO_BLOCK_BYTES << class_idx;
	D_ASSERT(ctx->buf_used >= bytes);
	ctx->buf_used -= bytes;
	memcpy(buf, &ctx->bufs[class_idx].head, sizeof(buf));
	ctx->bufs[class_idx].head = buf;
	ctx->buf_cached += bytes;
	wake_waiters(ctx);
}
