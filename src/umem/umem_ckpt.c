/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/**
 * Checkpoints: the heap's dirty pages go to their places on the meta blob, then the log is trimmed.
 *
 * A page in place may be torn by a crash, and redo records, being parts of pages, could not mend it.
 * So pages are written in rounds of up to META_DW_MAX, each twice, as InnoDB does: first to the
 * double-write area, one sequential write and a flush; then in place, with their page table entries,
 * and a flush. At opening, a whole round in the double-write area overrides the places of its pages.
 *
 * Commits go on meanwhile. A page is copied as it is at that moment, so it may hold transactions that
 * are newer than the checkpoint's; replay repeats them, which changes nothing (redo is physical).
 * They must be durable before the page is written, or a crash would keep half of them.
 *
 * Invariants:
 *  1. A page is written only when the log is durable up to the last transaction it holds.
 *  2. The log is trimmed to a position only when every page dirtied before it was written and
 *     flushed. A page dirtied again later has its bit set again.
 *  3. The double-write area is overwritten only when the round before was flushed in place; at
 *     opening, ckpt_repair() does that first.
 *  4. A table entry vouches for itself (check), so a table block may be torn between sectors.
 */
#define D_LOGFAC LOG_FAC_UMEM

#include <string.h>
#include "base/crc32c.h"
#include "base/log.h"
#include "platform/platform.h"
#include "umem/umem_ckpt.h"
#include "umem/umem_log.h"

#define TABLE_BLOCK_PAGES (BIO_BLOCK_BYTES / sizeof(struct meta_page_df))
#define COPY_BATCH        16u /**< pages copied between yields */
#define RUN_MAX           64u /**< pages in one write */

static uint8_t *
page_ptr(const struct umem_ckpt *ck, uint32_t page)
{
	return ck->u->base + (uint64_t)page * META_PAGE_BYTES;
}

struct meta_page_df
ckpt_entry(const struct umem_ckpt *ck, uint32_t page, uint32_t crc, uint32_t written)
{
	struct {
		uint64_t format_id;
		uint32_t page, crc, written, zero;
	} in = {ck->hdr->format_id, page, crc, written, 0};

	return (struct meta_page_df){crc, d_crc32c(0, &in, sizeof(in))};
}

static struct meta_dw_df *
dw_hdr(const struct umem_ckpt *ck)
{
	return (struct meta_dw_df *)ck->dw;
}

static uint8_t *
dw_page(const struct umem_ckpt *ck, uint32_t idx)
{
	return ck->dw + BIO_BLOCK_BYTES + (uint64_t)idx * META_PAGE_BYTES;
}

void
ckpt_dirty(struct umem_ckpt *ck, uint64_t off, uint64_t len)
{
	uint64_t last = (off + len - 1) / META_PAGE_BYTES;

	for (uint64_t page = off / META_PAGE_BYTES; page <= last; page++) {
		uint64_t bit = 1ULL << (page % 64);

		ck->dirty_nr += (ck->dirty[page / 64] & bit) == 0;
		ck->dirty[page / 64] |= bit;
	}
}

/* ---- many requests, then wait for all ---- */

struct io_group {
	uint32_t            pending;
	int                 rc;
	bool                waiting;
	struct ult_eventual done;
};

static void
group_done(void *arg, int rc)
{
	struct io_group *g = arg;

	if (rc != 0)
		g->rc = rc;
	if (--g->pending == 0 && g->waiting)
		ult_eventual_set(&g->done, 0);
}

MAY_YIELD static int
group_wait(struct io_group *g)
{
	if (g->pending > 0) {
		ult_eventual_init(&g->done);
		g->waiting = true;
		(void)ult_eventual_wait(&g->done);
		g->waiting = false;
	}
	return g->rc;
}

static void
group_add(struct io_group *g, struct bio_blob *blob, bool write, uint64_t off,
	  const struct iovec *iov, int nr)
{
	int rc;

	g->pending++;
	rc = write ? bio_writev_async(blob, off, iov, nr, group_done, g)
		   : bio_readv_async(blob, off, iov, nr, group_done, g);
	if (rc != 0) {
		g->pending--;
		g->rc = rc;
	}
}

/* ---- a round ---- */

/** Copy up to a round of dirty pages, from *@cursor on. */
MAY_YIELD static uint32_t
round_collect(struct umem_ckpt *ck, uint32_t *cursor)
{
	struct meta_dw_df *dw = dw_hdr(ck);
	uint32_t           nr = 0, page = *cursor;

	while (page < ck->page_nr && nr < ck->hdr->dw_page_nr) {
		uint64_t bits = ck->dirty[page / 64] >> (page % 64);

		if (bits == 0) {
			page = (page / 64 + 1) * 64;
			continue;
		}
		page += __builtin_ctzll(bits);
		ck->dirty[page / 64] &= ~(1ULL << (page % 64));
		ck->dirty_nr--;
		memcpy(dw_page(ck, nr), page_ptr(ck, page), META_PAGE_BYTES);
		dw->pages[nr].page = page;
		dw->pages[nr].crc  = d_crc32c(0, dw_page(ck, nr), META_PAGE_BYTES);
		nr++;
		page++;
		if (nr % COPY_BATCH == 0)
			ult_yield();
	}
	*cursor = page;
	return nr;
}

uint32_t
ckpt_dw_crc(struct meta_dw_df *dw)
{
	uint32_t saved = dw->crc, crc;

	dw->crc = 0;
	crc     = d_crc32c(0, dw, sizeof(*dw));
	dw->crc = saved;
	return crc;
}

MAY_YIELD static int
round_double_write(struct umem_ckpt *ck, uint32_t nr)
{
	struct meta_dw_df *dw  = dw_hdr(ck);
	struct iovec       iov = {dw, BIO_BLOCK_BYTES + (uint64_t)nr * META_PAGE_BYTES};

	dw->magic     = META_DW_MAGIC;
	dw->format_id = ck->hdr->format_id;
	dw->round     = ++ck->round;
	dw->page_nr   = nr;
	memset(&dw->pages[nr], 0, (META_DW_MAX - nr) * sizeof(dw->pages[0]));
	dw->crc = ckpt_dw_crc(dw);
	return bio_writev_flush(ck->blob, ck->hdr->dw_off, &iov, 1);
}

/** Write the table blocks of the round's pages; their entries are up to date. */
static void
group_add_table(struct umem_ckpt *ck, struct io_group *g, const uint32_t *pages, uint32_t nr)
{
	for (uint32_t i = 0; i < nr; i++) {
		uint32_t     block = pages[i] / TABLE_BLOCK_PAGES;
		struct iovec iov   = {ck->table + block * TABLE_BLOCK_PAGES, BIO_BLOCK_BYTES};

		if (i > 0 && pages[i - 1] / TABLE_BLOCK_PAGES == block)
			continue;
		group_add(g, ck->blob, true,
			  ck->hdr->table_off + (uint64_t)block * BIO_BLOCK_BYTES, &iov, 1);
	}
}

MAY_YIELD static int
round_in_place(struct umem_ckpt *ck, uint32_t nr)
{
	struct meta_dw_df *dw = dw_hdr(ck);
	struct io_group    g  = {.pending = 0};
	uint32_t           pages[META_DW_MAX];
	int                rc;

	for (uint32_t i = 0, run; i < nr; i += run) {
		struct iovec iov = {dw_page(ck, i), META_PAGE_BYTES};

		for (run = 1; i + run < nr && run < RUN_MAX &&
			      dw->pages[i + run].page == dw->pages[i].page + run;)
			run++;
		iov.iov_len = (size_t)run * META_PAGE_BYTES;
		group_add(&g, ck->blob, true,
			  ck->hdr->pages_off + (uint64_t)dw->pages[i].page * META_PAGE_BYTES, &iov, 1);
	}
	for (uint32_t i = 0; i < nr; i++) {
		pages[i]            = dw->pages[i].page;
		ck->table[pages[i]] = ckpt_entry(ck, pages[i], dw->pages[i].crc, 1);
	}
	group_add_table(ck, &g, pages, nr);
	rc = group_wait(&g);
	return rc != 0 ? rc : bio_flush(ck->blob);
}

MAY_YIELD int
ckpt_write_dirty(struct umem_ckpt *ck)
{
	uint32_t cursor = 0, nr;
	int      rc     = 0;

	while (rc == 0 && (nr = round_collect(ck, &cursor)) > 0) {
		rc = umem_wait_durable(ck->u, ck->u->last_seq);
		if (rc == 0)
			rc = round_double_write(ck, nr);
		if (rc == 0)
			rc = round_in_place(ck, nr);
	}
	return rc;
}

MAY_YIELD static int
checkpoint_locked(struct umem *u)
{
	struct umem_ckpt *ck   = u->ckpt;
	uint64_t          seq  = u->last_seq;
	uint64_t          vpos = 0;
	int               rc;

	if (u->err != 0 || (seq == ck->done_seq && ck->dirty_nr == 0))
		return u->err;
	vpos = log_cut(u->log);
	rc   = ckpt_write_dirty(ck);
	if (rc == 0)
		rc = umem_wait_durable(u, seq);
	if (rc == 0)
		rc = log_trim(u->log, vpos, seq);
	if (rc != 0) {
		umem_fail(u, rc, "a checkpoint", ck->blob);
		return u->err;
	}
	ck->done_seq = seq;
	ck->checkpoint_nr++;
	return 0;
}

MAY_YIELD int
umem_checkpoint(struct umem *u)
{
	int rc;

	if (u->ckpt == NULL)
		return 0;
	ult_mutex_lock(&u->ckpt->lock);
	rc = checkpoint_locked(u);
	ult_mutex_unlock(&u->ckpt->lock);
	return rc;
}

/* ---- in the background ---- */

void
ckpt_kick(struct umem_ckpt *ck)
{
	ck->due = true;
	ckpt_wake(ck);
}

void
ckpt_wake(struct umem_ckpt *ck)
{
	if (!ult_eventual_is_set(&ck->wake))
		ult_eventual_set(&ck->wake, 0);
}

MAY_YIELD static void
ckpt_main(void *arg)
{
	struct umem_ckpt *ck = arg;
	int               value, rc;

	while (!ck->stop) {
		rc = ult_eventual_timedwait(&ck->wake, ck->interval_ns, &value);
		if (rc == 0)
			ult_eventual_reset(&ck->wake);
		if (ck->stop || (rc == 0 && !ck->due))
			continue;
		ck->due = false;
		if (umem_checkpoint(ck->u) != 0)
			return; /* said so; the heap accepts nothing any more */
	}
}

MAY_YIELD int
ckpt_start(struct umem_ckpt *ck)
{
	return ult_create(NULL, ULT_POOL_GENERIC, ckpt_main, ck, 0, &ck->ult);
}

MAY_YIELD void
ckpt_stop(struct umem_ckpt *ck)
{
	if (ck->ult == NULL)
		return;
	ck->stop = true;
	ckpt_wake(ck);
	ult_join(ck->ult);
	ck->ult = NULL;
}
