/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/**
 * What the ring knows beforehand: files, so that a request need not look them up and hold them, and memory, so
 * that its pages are not looked up and pinned for each request. A table of either is registered empty when the
 * ring is made, and its entries are set one by one. Where the kernel or a limit (RLIMIT_MEMLOCK) refuses, requests
 * go without.
 *
 * Invariants:
 *  1. A file's entry is held by the open blobs of its device in this context: the ring must not keep a device open,
 *     and so locked, that was closed.
 *  2. Ranges of memory are disjoint, ascend, and are as long as their memory lives (bio_mem_free ends both).
 */
#define D_LOGFAC LOG_FAC_BIO

#include <string.h>
#include "base/log.h"
#include "bio/bio_int.h"

#define REG_BYTES_MIN (64u << 10)  /**< a shorter buffer has few pages */
#define REG_BYTES_MAX (64ull << 20) /**< memory of a context that stays pinned */

void
bio_reg_init(struct bio_ctx *ctx)
{
	struct bio_reg *r = &ctx->reg;

	memset(r, 0, sizeof(*r));
	r->files_on = io_uring_register_files_sparse(&ctx->ring, BIO_REG_FILE_NR) == 0;
	r->mem_on   = io_uring_register_buffers_sparse(&ctx->ring, BIO_REG_MEM_NR) == 0;
	for (uint32_t i = 0; i < BIO_REG_MEM_NR; i++)
		r->free_slots[i] = BIO_REG_MEM_NR - 1 - i;
	r->free_slot_nr = BIO_REG_MEM_NR;
}

/* ---- files ---- */

static struct bio_reg_file *
file_of(struct bio_ctx *ctx, const struct bio_dev *dev)
{
	for (uint32_t i = 0; i < BIO_REG_FILE_NR; i++) {
		if (ctx->reg.files[i].dev == dev)
			return &ctx->reg.files[i];
	}
	return NULL;
}

void
bio_reg_file_get(struct bio_ctx *ctx, struct bio_dev *dev)
{
	struct bio_reg_file *f = file_of(ctx, dev);

	if (!ctx->reg.files_on || dev->fd < 0)
		return;
	if (f == NULL) {
		f = file_of(ctx, NULL);
		if (f == NULL || io_uring_register_files_update(&ctx->ring, f - ctx->reg.files, &dev->fd, 1) != 1)
			return;
		f->dev = dev;
	}
	f->refs++;
}

void
bio_reg_file_put(struct bio_ctx *ctx, struct bio_dev *dev)
{
	struct bio_reg_file *f    = file_of(ctx, dev);
	int                  none = -1;

	if (f == NULL || --f->refs > 0)
		return;
	(void)io_uring_register_files_update(&ctx->ring, f - ctx->reg.files, &none, 1);
	f->dev = NULL;
}

int
bio_reg_file_find(struct bio_ctx *ctx, const struct bio_dev *dev)
{
	struct bio_reg_file *f = ctx->reg.files_on ? file_of(ctx, dev) : NULL;

	return f == NULL ? -1 : f - ctx->reg.files;
}

/* ---- memory ---- */

/** Number of ranges that begin at or before @ptr. */
static uint32_t
mem_bound(const struct bio_reg *r, const char *ptr)
{
	uint32_t lo = 0, hi = r->mem_nr;

	while (lo < hi) {
		uint32_t mid = (lo + hi) / 2;

		if (r->mem[mid].start <= ptr)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

int
bio_reg_mem_find(const struct bio_ctx *ctx, const void *ptr, size_t bytes)
{
	const struct bio_reg     *r = &ctx->reg;
	uint32_t                  n = mem_bound(r, ptr);
	const struct bio_reg_mem *m = n > 0 ? &r->mem[n - 1] : NULL;

	return m != NULL && (const char *)ptr + bytes <= m->start + m->bytes ? (int)m->slot : -1;
}

static bool
slot_set(struct bio_ctx *ctx, uint32_t slot, void *mem, size_t bytes)
{
	struct iovec iov = {mem, bytes};
	__u64        tag = 0;

	return io_uring_register_buffers_update_tag(&ctx->ring, slot, &iov, &tag, 1) == 1;
}

static void
mem_add(struct bio_ctx *ctx, void *mem, size_t bytes)
{
	struct bio_reg *r = &ctx->reg;
	uint32_t        at, slot;

	if (!r->mem_on || r->refused || bytes < REG_BYTES_MIN || r->free_slot_nr == 0 ||
	    r->mem_bytes + bytes > REG_BYTES_MAX)
		return;
	slot = r->free_slots[r->free_slot_nr - 1];
	if (!slot_set(ctx, slot, mem, bytes)) {
		r->refused = true; /* until some memory is given back */
		return;
	}
	r->free_slot_nr--;
	at = mem_bound(r, mem);
	memmove(&r->mem[at + 1], &r->mem[at], (r->mem_nr - at) * sizeof(r->mem[0]));
	r->mem[at] = (struct bio_reg_mem){mem, bytes, slot};
	r->mem_nr++;
	r->mem_bytes += bytes;
}

static void
mem_remove(struct bio_ctx *ctx, void *mem)
{
	struct bio_reg *r  = &ctx->reg;
	uint32_t        at = mem_bound(r, mem);

	if (at == 0 || r->mem[at - 1].start != mem)
		return;
	at--;
	(void)slot_set(ctx, r->mem[at].slot, NULL, 0);
	r->free_slots[r->free_slot_nr++] = r->mem[at].slot;
	r->mem_bytes -= r->mem[at].bytes;
	r->mem_nr--;
	memmove(&r->mem[at], &r->mem[at + 1], (r->mem_nr - at) * sizeof(r->mem[0]));
	r->refused = false;
}

void *
bio_mem_alloc(struct bio_ctx *ctx, size_t bytes)
{
	void *mem = aligned_alloc(BIO_BLOCK_BYTES, align_up(bytes, BIO_BLOCK_BYTES));

	if (mem != NULL && ctx->has_ring)
		mem_add(ctx, mem, align_up(bytes, BIO_BLOCK_BYTES));
	return mem;
}

void
bio_mem_free(struct bio_ctx *ctx, void *mem)
{
	if (mem != NULL && ctx->has_ring)
		mem_remove(ctx, mem);
	free(mem);
}
