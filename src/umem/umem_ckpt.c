/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/**
 * Checkpoints: the heap's dirty pages go to their places on the meta blob, then the log is trimmed.
 *
 * A page in place may be torn by a crash, and redo records, being parts of pages, could not mend it.
 * So pages are written in rounds of up to META_DW_MAX, each twice, as InnoDB does: first to the
 * double-write area, one sequential write and a flush; then in place, with their page table entries,
 * and a flush. At opening, a whole round in the double-write area overrides the places of its pages.
 *
 * A page that was never written before needs no second copy: until its table entry is durable, its
 * place counts as zeroes, and the log has all that ever happened to it. It goes to its place with the
 * round's first flush, its entry with the second.
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
 *  5. An entry says "written" only when the page is durable, or its copy in the double-write area is.
 *     So that area never holds an older image of a page than its place, except of pages it protects.
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

bool
ckpt_is_new(const struct umem_ckpt *ck, uint32_t page)
{
	struct meta_page_df never = ckpt_entry(ck, page, 0, 0);

	return memcmp(&ck->table[page], &never, sizeof(never)) == 0;
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

/** Copies of a round: those written before from the front of the area, the new ones from its end. */
struct round {
	uint32_t old_nr;
	uint32_t new_nr;
	struct meta_dw_entry_df new_pages[META_DW_MAX];
};

static uint8_t *
new_image(const struct umem_ckpt *ck, uint32_t idx)
{
	return dw_page(ck, ck->hdr->dw_page_nr - 1 - idx);
}

static void
round_copy(struct umem_ckpt *ck, struct round *r, uint32_t page)
{
	bool     is_new = ckpt_is_new(ck, page);
	uint8_t *image  = is_new ? new_image(ck, r->new_nr) : dw_page(ck, r->old_nr);

	memcpy(image, page_ptr(ck, page), META_PAGE_BYTES);
	*(is_new ? &r->new_pages[r->new_nr++] : &dw_hdr(ck)->pages[r->old_nr++]) =
	    (struct meta_dw_entry_df){page, d_crc32c(0, image, META_PAGE_BYTES)};
}

/** Copy up to a round of dirty pages, from *@cursor on. */
MAY_YIELD static uint32_t
round_collect(struct umem_ckpt *ck, struct round *r, uint32_t *cursor)
{
	uint32_t nr = 0, page = *cursor;

	r->old_nr = r->new_nr = 0;
	while (page < ck->page_nr && nr < ck->hdr->dw_page_nr) {
		uint64_t bits = ck->dirty[page / 64] >> (page % 64);

		if (bits == 0) {
			page = (page / 64 + 1) * 64;
			continue;
		}
		page += __builtin_ctzll(bits);
		ck->dirty[page / 64] &= ~(1ULL << (page % 64));
		ck->dirty_nr--;
		round_copy(ck, r, page);
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

static void
group_add_double_write(struct umem_ckpt *ck, struct io_group *g, uint32_t nr)
{
	struct meta_dw_df *dw  = dw_hdr(ck);
	struct iovec       iov = {dw, BIO_BLOCK_BYTES + (uint64_t)nr * META_PAGE_BYTES};

	dw->magic     = META_DW_MAGIC;
	dw->format_id = ck->hdr->format_id;
	dw->round     = ++ck->round;
	dw->page_nr   = nr;
	memset(&dw->pages[nr], 0, (META_DW_MAX - nr) * sizeof(dw->pages[0]));
	dw->crc = ckpt_dw_crc(dw);
	group_add(g, ck->blob, true, ck->hdr->dw_off, &iov, 1);
}

/** Pages at their places, runs of neighbours in one write. Images lie @step bytes apart. */
static void
group_add_pages(struct umem_ckpt *ck, struct io_group *g, const struct meta_dw_entry_df *pages,
		uint32_t nr, uint8_t *image, ptrdiff_t step)
{
	struct iovec iov[RUN_MAX];

	for (uint32_t i = 0, run; i < nr; i += run) {
		for (run = 0; i + run < nr && run < RUN_MAX && pages[i + run].page == pages[i].page + run; run++)
			iov[run] = (struct iovec){image + (ptrdiff_t)(i + run) * step, META_PAGE_BYTES};
		group_add(g, ck->blob, true,
			  ck->hdr->pages_off + (uint64_t)pages[i].page * META_PAGE_BYTES, iov, run);
	}
}

/** Bring the table up to date, and write its blocks. */
static void
group_add_table(struct umem_ckpt *ck, struct io_group *g, const struct meta_dw_entry_df *pages,
		uint32_t nr)
{
	for (uint32_t i = 0; i < nr; i++)
		ck->table[pages[i].page] = ckpt_entry(ck, pages[i].page, pages[i].crc, 1);
	for (uint32_t i = 0; i < nr; i++) {
		uint32_t     block = pages[i].page / TABLE_BLOCK_PAGES;
		struct iovec iov   = {ck->table + block * TABLE_BLOCK_PAGES, BIO_BLOCK_BYTES};

		if (i > 0 && pages[i - 1].page / TABLE_BLOCK_PAGES == block)
			continue;
		group_add(g, ck->blob, true,
			  ck->hdr->table_off + (uint64_t)block * BIO_BLOCK_BYTES, &iov, 1);
	}
}

MAY_YIELD static int
group_flush(struct umem_ckpt *ck, struct io_group *g)
{
	int rc = group_wait(g);

	return rc != 0 ? rc : bio_flush(ck->blob);
}

/** What may be torn without harm. */
MAY_YIELD static int
round_write_copies(struct umem_ckpt *ck, struct round *r)
{
	struct io_group g = {.pending = 0};

	if (r->old_nr > 0)
		group_add_double_write(ck, &g, r->old_nr);
	group_add_pages(ck, &g, r->new_pages, r->new_nr, new_image(ck, 0), -(ptrdiff_t)META_PAGE_BYTES);
	return group_flush(ck, &g);
}

/** What the copies protect, once they are durable. */
MAY_YIELD static int
round_write_places(struct umem_ckpt *ck, struct round *r)
{
	struct io_group                g     = {.pending = 0};
	const struct meta_dw_entry_df *pages = dw_hdr(ck)->pages;

	group_add_pages(ck, &g, pages, r->old_nr, dw_page(ck, 0), META_PAGE_BYTES);
	group_add_table(ck, &g, pages, r->old_nr);
	group_add_table(ck, &g, r->new_pages, r->new_nr);
	return group_flush(ck, &g);
}

/**
 * A step for which there was no memory is repeated, that step alone: what it wrote it writes again, and what the one before wrote
 * must stay.
 */
MAY_YIELD static int
round_write(struct umem_ckpt *ck, struct round *r)
{
	uint32_t try_nr = 0;
	int      rc;

	do
		rc = round_write_copies(ck, r);
	while (umem_try_again(rc, &try_nr));
	if (rc != 0)
		return rc;
	try_nr = 0;
	do
		rc = round_write_places(ck, r);
	while (umem_try_again(rc, &try_nr));
	return rc;
}

MAY_YIELD int
ckpt_write_dirty(struct umem_ckpt *ck)
{
	uint32_t     cursor = 0;
	struct round r;
	int          rc = 0;

	while (rc == 0 && round_collect(ck, &r, &cursor) > 0) {
		rc = umem_wait_durable(ck->u, ck->u->last_seq);
		if (rc == 0)
			rc = round_write(ck, &r);
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
