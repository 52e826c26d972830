/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/**
 * The meta blob: its layout, formatting, and loading a checkpoint. Everything is read and checked
 * before anything is written; then ckpt_repair() puts the pages a crash tore in their places.
 */
#define D_LOGFAC LOG_FAC_UMEM

#include <string.h>
#include "base/crc32c.h"
#include "base/log.h"
#include "umem/umem_ckpt.h"
#include "umem/umem_log.h"

#define TABLE_BLOCK_PAGES (BIO_BLOCK_BYTES / sizeof(struct meta_page_df))
#define READ_PAGES        64u /**< in one request */
#define READ_DEPTH        16u

/* ---- layout ---- */

static void
layout(uint64_t heap_bytes, struct meta_hdr_df *hdr)
{
	uint64_t page_nr = heap_bytes / META_PAGE_BYTES;

	hdr->heap_bytes = heap_bytes;
	hdr->page_bytes = META_PAGE_BYTES;
	hdr->dw_page_nr = MAX_OF(MIN_OF(page_nr / 16, META_DW_MAX), 8u);
	hdr->table_off  = UMEM_HDR_AREA;
	hdr->dw_off     = hdr->table_off +
		      align_up(page_nr * sizeof(struct meta_page_df), BIO_BLOCK_BYTES);
	hdr->pages_off = hdr->dw_off + BIO_BLOCK_BYTES + (uint64_t)hdr->dw_page_nr * META_PAGE_BYTES;
}

uint64_t
ckpt_blob_bytes(uint64_t heap_bytes)
{
	struct meta_hdr_df hdr;

	layout(heap_bytes, &hdr);
	return hdr.pages_off + heap_bytes;
}

uint64_t
umem_heap_bytes(uint64_t meta_blob_bytes)
{
	uint64_t heap_bytes = align_down(meta_blob_bytes, UMEM_CHUNK_BYTES);

	while (heap_bytes > 0 && ckpt_blob_bytes(heap_bytes) > meta_blob_bytes)
		heap_bytes -= UMEM_CHUNK_BYTES;
	return heap_bytes;
}

/* ---- header ---- */

static uint32_t
hdr_crc(struct meta_hdr_df *hdr)
{
	uint32_t saved = hdr->crc, crc;

	hdr->crc = 0;
	crc      = d_crc32c(0, hdr, sizeof(*hdr));
	hdr->crc = saved;
	return crc;
}

static bool
hdr_good(const struct bio_blob *blob, const unsigned char uuid[16], struct meta_hdr_df *hdr)
{
	struct meta_hdr_df want;

	if (hdr->magic != META_HDR_MAGIC || hdr->crc != hdr_crc(hdr) ||
	    memcmp(hdr->uuid, uuid, sizeof(hdr->uuid)) != 0)
		return false;
	if (hdr->version != UMEM_MEDIA_VERSION)
		return true;
	layout(hdr->heap_bytes, &want);
	return hdr->heap_bytes % UMEM_CHUNK_BYTES == 0 && hdr->page_bytes == META_PAGE_BYTES &&
	       hdr->heap_bytes <= bio_blob_bytes(blob) &&
	       ckpt_blob_bytes(hdr->heap_bytes) <= bio_blob_bytes(blob) &&
	       hdr->dw_page_nr == want.dw_page_nr && hdr->table_off == want.table_off &&
	       hdr->dw_off == want.dw_off && hdr->pages_off == want.pages_off;
}

static int
hdr_choose(struct bio_blob *blob, const unsigned char uuid[16], struct meta_hdr_df *copies,
	   struct meta_hdr_df *ret_hdr)
{
	bool good[2] = {hdr_good(blob, uuid, &copies[0]), hdr_good(blob, uuid, &copies[1])};
	int  use     = good[0] ? 0 : 1;

	if (!good[use]) {
		D_ERROR("%s: both copies of the header are damaged, or it is not of this pool; "
			"nothing was changed. Restore the device, or destroy this pool shard and "
			"rebuild it\n", bio_blob_name(blob));
		return -DER_DF_INVAL;
	}
	if (!good[!use])
		D_WARN("%s: copy %d of the header is damaged; using the other one. The device may "
		       "be failing\n", bio_blob_name(blob), !use);
	if (copies[use].version != UMEM_MEDIA_VERSION) {
		D_ERROR("%s: format %u, this program reads %u\n", bio_blob_name(blob),
			copies[use].version, UMEM_MEDIA_VERSION);
		return -DER_DF_INCOMPT;
	}
	*ret_hdr = copies[use];
	return 0;
}

MAY_YIELD int
ckpt_read_hdr(struct bio_blob *blob, const unsigned char uuid[16], struct meta_hdr_df *ret_hdr)
{
	struct meta_hdr_df *copies = aligned_alloc(BIO_BLOCK_BYTES, 2 * sizeof(*copies));
	struct iovec        iov    = {copies, 2 * sizeof(*copies)};
	int                 rc     = copies == NULL ? -DER_NOMEM : 0;

	if (rc == 0)
		rc = bio_readv(blob, 0, &iov, 1);
	if (rc == 0)
		rc = hdr_choose(blob, uuid, copies, ret_hdr);
	free(copies);
	return rc;
}

/* ---- format ---- */

MAY_YIELD static int
write_table(struct umem_ckpt *ck)
{
	size_t       bytes = ck->hdr->dw_off - ck->hdr->table_off;
	struct iovec iov   = {ck->table, bytes};

	for (uint32_t page = 0; page < ck->page_nr; page++)
		ck->table[page] = ckpt_entry(ck, page, 0, 0);
	return bio_writev(ck->blob, ck->hdr->table_off, &iov, 1);
}

MAY_YIELD int
ckpt_format(struct umem_ckpt *ck, uint64_t format_id)
{
	struct iovec iov = {ck->dw, BIO_BLOCK_BYTES};
	int          rc;

	ck->hdr->magic     = META_HDR_MAGIC;
	ck->hdr->version   = UMEM_MEDIA_VERSION;
	ck->hdr->format_id = format_id;
	memcpy(ck->hdr->uuid, ck->u->uuid, sizeof(ck->hdr->uuid));
	ck->hdr->crc = hdr_crc(ck->hdr);
	rc           = write_table(ck);
	memset(ck->dw, 0, BIO_BLOCK_BYTES);
	if (rc == 0)
		rc = bio_writev_flush(ck->blob, ck->hdr->dw_off, &iov, 1);
	if (rc == 0)
		rc = ckpt_write_dirty(ck);
	for (uint64_t copy = 0; rc == 0 && copy < 2; copy++) {
		iov = (struct iovec){ck->hdr, BIO_BLOCK_BYTES};
		rc  = bio_writev_flush(ck->blob, copy * BIO_BLOCK_BYTES, &iov, 1);
	}
	return rc;
}

/* ---- load ---- */

static uint8_t *
dw_image(const struct umem_ckpt *ck, uint32_t idx)
{
	return ck->dw + BIO_BLOCK_BYTES + (uint64_t)idx * META_PAGE_BYTES;
}

/** Read the double-write area; the number of pages of a whole round, else 0. */
MAY_YIELD static int
read_round(struct umem_ckpt *ck, uint32_t *ret_nr)
{
	struct meta_dw_df *dw  = (struct meta_dw_df *)ck->dw;
	struct iovec       iov = {ck->dw, ck->hdr->pages_off - ck->hdr->dw_off};
	int                rc  = bio_readv(ck->blob, ck->hdr->dw_off, &iov, 1);

	*ret_nr = 0;
	if (rc != 0)
		return rc;
	if (dw->magic != META_DW_MAGIC || dw->format_id != ck->hdr->format_id ||
	    dw->page_nr > ck->hdr->dw_page_nr || dw->crc != ckpt_dw_crc(dw))
		return 0;
	for (uint32_t i = 0; i < dw->page_nr; i++) {
		if (dw->pages[i].page >= ck->page_nr ||
		    dw->pages[i].crc != d_crc32c(0, dw_image(ck, i), META_PAGE_BYTES))
			return 0;
	}
	ck->round = dw->round;
	*ret_nr   = dw->page_nr;
	return 0;
}

static bool
entry_is(const struct umem_ckpt *ck, uint32_t page, uint32_t written)
{
	struct meta_page_df want = ckpt_entry(ck, page, ck->table[page].crc, written);

	return ck->table[page].check == want.check && (written || ck->table[page].crc == 0);
}

static int
report_damage(struct umem_ckpt *ck, uint32_t page, const char *what)
{
	D_ERROR("%s: %s of page %u (byte %lu) is damaged; nothing was changed. Restore the device, "
		"or destroy this pool shard and rebuild it\n", bio_blob_name(ck->blob), what, page,
		ck->hdr->pages_off + (uint64_t)page * META_PAGE_BYTES);
	return -DER_DF_INVAL;
}

/** Read [page, +nr) to their places in the heap. */
struct load_io {
	struct umem_ckpt   *ck;
	uint32_t            pending;
	int                 rc;
	struct ult_eventual ev;
	bool                waiting;
};

static void
load_done(void *arg, int rc)
{
	struct load_io *io = arg;

	if (rc != 0)
		io->rc = rc;
	io->pending--;
	if (io->waiting) {
		io->waiting = false;
		ult_eventual_set(&io->ev, 0);
	}
}

MAY_YIELD static void
load_wait(struct load_io *io, uint32_t pending_max)
{
	while (io->pending > pending_max) {
		ult_eventual_init(&io->ev);
		io->waiting = true;
		(void)ult_eventual_wait(&io->ev);
	}
}

/** Length of the run of written pages at @page. */
static uint32_t
written_run(const struct umem_ckpt *ck, uint32_t page)
{
	uint32_t nr = 0;

	while (nr < READ_PAGES && page + nr < ck->page_nr && entry_is(ck, page + nr, 1))
		nr++;
	return nr;
}

MAY_YIELD static int
read_pages(struct umem_ckpt *ck)
{
	struct load_io io = {.ck = ck};

	for (uint32_t page = 0, nr; page < ck->page_nr && io.rc == 0; page += MAX_OF(nr, 1u)) {
		struct iovec iov = {ck->u->base + (uint64_t)page * META_PAGE_BYTES, 0};
		int          rc;

		nr = written_run(ck, page);
		if (nr == 0)
			continue;
		load_wait(&io, READ_DEPTH - 1);
		iov.iov_len = (size_t)nr * META_PAGE_BYTES;
		io.pending++;
		rc = bio_readv_async(ck->blob, ck->hdr->pages_off + (uint64_t)page * META_PAGE_BYTES,
				     &iov, 1, load_done, &io);
		if (rc != 0) {
			io.pending--;
			io.rc = rc;
		}
	}
	load_wait(&io, 0);
	return io.rc;
}

/** Take the round's images where the place differs. @in_round gets a bit for each of its pages. */
static void
override_pages(struct umem_ckpt *ck, uint32_t nr, uint64_t *in_round)
{
	const struct meta_dw_df *dw = (const struct meta_dw_df *)ck->dw;

	ck->repair_nr = 0;
	for (uint32_t i = 0; i < nr; i++) {
		uint32_t page = dw->pages[i].page;
		uint8_t *ptr  = ck->u->base + (uint64_t)page * META_PAGE_BYTES;

		in_round[page / 64] |= 1ULL << (page % 64);
		if (entry_is(ck, page, 1) && ck->table[page].crc == dw->pages[i].crc &&
		    d_crc32c(0, ptr, META_PAGE_BYTES) == dw->pages[i].crc)
			continue;
		memcpy(ptr, dw_image(ck, i), META_PAGE_BYTES);
		ck->table[page] = ckpt_entry(ck, page, dw->pages[i].crc, 1);
		ck->repair[ck->repair_nr++] = i;
	}
}

static int
check_pages(struct umem_ckpt *ck, const uint64_t *in_round)
{
	for (uint32_t page = 0; page < ck->page_nr; page++) {
		const uint8_t *ptr = ck->u->base + (uint64_t)page * META_PAGE_BYTES;

		if ((in_round[page / 64] >> (page % 64) & 1) != 0 || entry_is(ck, page, 0))
			continue;
		if (!entry_is(ck, page, 1))
			return report_damage(ck, page, "the table entry");
		if (d_crc32c(0, ptr, META_PAGE_BYTES) != ck->table[page].crc)
			return report_damage(ck, page, "the content");
	}
	return 0;
}

MAY_YIELD int
ckpt_load(struct umem_ckpt *ck)
{
	uint64_t    *in_round = calloc(ck->page_nr / 64 + 1, 8);
	struct iovec iov      = {ck->table, ck->hdr->dw_off - ck->hdr->table_off};
	uint32_t     nr       = 0;
	int          rc       = in_round == NULL ? -DER_NOMEM : 0;

	if (rc == 0)
		rc = bio_readv(ck->blob, ck->hdr->table_off, &iov, 1);
	if (rc == 0)
		rc = read_round(ck, &nr);
	if (rc == 0)
		rc = read_pages(ck);
	if (rc == 0) {
		override_pages(ck, nr, in_round);
		rc = check_pages(ck, in_round);
	}
	free(in_round);
	return rc;
}

MAY_YIELD int
ckpt_repair(struct umem_ckpt *ck)
{
	const struct meta_dw_df *dw = (const struct meta_dw_df *)ck->dw;
	int                      rc = 0;

	if (ck->repair_nr == 0)
		return 0;
	for (uint32_t i = 0; rc == 0 && i < ck->repair_nr; i++) {
		uint32_t     page  = dw->pages[ck->repair[i]].page;
		uint64_t     block = page / TABLE_BLOCK_PAGES;
		struct iovec iov   = {dw_image(ck, ck->repair[i]), META_PAGE_BYTES};

		rc = bio_writev(ck->blob, ck->hdr->pages_off + (uint64_t)page * META_PAGE_BYTES,
				&iov, 1);
		iov = (struct iovec){ck->table + block * TABLE_BLOCK_PAGES, BIO_BLOCK_BYTES};
		if (rc == 0)
			rc = bio_writev(ck->blob, ck->hdr->table_off + block * BIO_BLOCK_BYTES,
					&iov, 1);
	}
	D_NOTE("%s: %u pages torn by a crash were put right\n", bio_blob_name(ck->blob),
	       ck->repair_nr);
	ck->repair_nr = 0;
	return rc != 0 ? rc : bio_flush(ck->blob);
}

/* ---- life ---- */

int
ckpt_create(struct umem *u, struct bio_blob *blob, struct umem_ckpt **ret_ckpt)
{
	struct umem_ckpt *ck = calloc(1, sizeof(*ck));
	size_t            table_bytes = 0;

	if (ck == NULL)
		return -DER_NOMEM;
	ck->u       = u;
	ck->blob    = blob;
	ck->page_nr = u->bytes / META_PAGE_BYTES;
	ck->hdr     = aligned_alloc(BIO_BLOCK_BYTES, BIO_BLOCK_BYTES);
	ck->dirty   = calloc(ck->page_nr / 64 + 1, 8);
	if (ck->hdr != NULL) {
		memset(ck->hdr, 0, sizeof(*ck->hdr));
		layout(u->bytes, ck->hdr);
		table_bytes = ck->hdr->dw_off - ck->hdr->table_off;
		ck->table   = aligned_alloc(BIO_BLOCK_BYTES, table_bytes);
		ck->dw      = aligned_alloc(BIO_BLOCK_BYTES, ck->hdr->pages_off - ck->hdr->dw_off);
	}
	if (ck->hdr == NULL || ck->dirty == NULL || ck->table == NULL || ck->dw == NULL) {
		ckpt_destroy(ck);
		return -DER_NOMEM;
	}
	memset(ck->table, 0, table_bytes);
	ult_mutex_init(&ck->lock);
	ult_eventual_init(&ck->wake);
	*ret_ckpt = ck;
	return 0;
}

void
ckpt_destroy(struct umem_ckpt *ck)
{
	if (ck == NULL)
		return;
	D_ASSERT(ck->ult == NULL);
	free(ck->hdr);
	free(ck->dirty);
	free(ck->table);
	free(ck->dw);
	free(ck);
}
