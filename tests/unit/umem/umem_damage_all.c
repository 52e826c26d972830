/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/**
 * umem_damage_all [STEP]: every bit of every field of superblock, blob table, log and checkpoint of a
 * small pool is flipped; each of these structures is cut off (zeroes from there on) at every fourth
 * byte; the device's file ends early, at every block. Each time opening gives an error, or content
 * that is right: all that was acknowledged; or, only where the log is cut off with all that would
 * prove its end, all up to some transaction. STEP > 1 tries one of so many (make check); 1 all (make
 * soak); UMEM_SPARSE=N one of N times as many.
 */
#include <stdio.h>
#include <unistd.h>
#include "base/log.h"
#include "damage_fixture.h"

/** Transactions in the log: few, so that all their bits can be tried. */
#define LOG_TX_NR  3

struct region {
	const char *name;
	uint64_t    at;
	uint64_t    bytes;     /**< fields */
	uint64_t    end;       /**< cut off up to here */
	bool        may_lose;  /**< cut off, the log may end early */
};

struct all {
	struct damage    d;
	struct fix_model models[LOG_TX_NR + 1]; /**< after so many fewer transactions */
	struct region    regions[32];
	uint32_t         region_nr;
	uint64_t         step, tries;
	const char      *where; /**< what is being tried */
	uint64_t         place, bit;
	bool             done;
};

static struct all all;

static void
tell(void)
{
	if (!all.done)
		fprintf(stderr, "failed: %s, byte %lu, bit %lu\n", all.where, (unsigned long)all.place,
			(unsigned long)all.bit);
}

static void
region_add(const char *name, uint64_t at, uint64_t bytes, uint64_t end, bool may_lose)
{
	assert_true(all.region_nr < 32);
	all.regions[all.region_nr++] = (struct region){name, at, bytes, end, may_lose};
}

/** All structures, as they lie on the device. */
static void
regions_find(void)
{
	const struct damage      *d   = &all.d;
	const struct meta_hdr_df *hdr = (const void *)(d->image + meta_at(0));
	const struct bio_table_df *t  = (const void *)(d->image + BIO_TABLE_OFF(0));
	uint64_t                  table = sizeof(*t) - sizeof(t->entries) + t->entry_nr * sizeof(t->entries[0]);
	uint64_t                  pages = hdr->heap_bytes / META_PAGE_BYTES * sizeof(struct meta_page_df);
	uint64_t                  at;

	region_add("superblock", 0, 72, BIO_BLOCK_BYTES, false);
	region_add("copy of the superblock", BIO_SUPER_COPY_OFF, 72, BIO_SUPER_COPY_OFF + BIO_BLOCK_BYTES, false);
	region_add("blob table", BIO_TABLE_OFF(0), 48, BIO_TABLE_OFF(0) + table, false);
	region_add("entries of the blob table", BIO_TABLE_OFF(0) + BIO_BLOCK_BYTES, table - BIO_BLOCK_BYTES,
		   BIO_TABLE_OFF(0) + table, false);
	region_add("copy of the blob table", BIO_TABLE_OFF(1), 48, BIO_TABLE_OFF(1) + table, false);
	region_add("log header", wal_at(0), 96, wal_at(BIO_BLOCK_BYTES), false);
	region_add("copy of the log header", wal_at(BIO_BLOCK_BYTES), 96, wal_at(2 * BIO_BLOCK_BYTES), false);
	region_add("checkpoint header", meta_at(0), 88, meta_at(BIO_BLOCK_BYTES), false);
	region_add("copy of the checkpoint header", meta_at(BIO_BLOCK_BYTES), 88, meta_at(2 * BIO_BLOCK_BYTES), false);
	region_add("page table", meta_at(hdr->table_off), pages, meta_at(hdr->table_off) + align_up(pages, BIO_BLOCK_BYTES),
		   false);
	region_add("double-write header", meta_at(hdr->dw_off), 32 + 16 * sizeof(struct meta_dw_entry_df),
		   meta_at(hdr->dw_off + BIO_BLOCK_BYTES), false);
	/* Batches of the log that are not in the checkpoint. */
	for (at = wal_at(UMEM_HDR_AREA); at < wal_at(MIB);) {
		const struct wal_batch_df *b = (const void *)(d->image + at);

		if (b->magic != WAL_BATCH_MAGIC)
			break;
		if (b->seq_first + b->rec_nr > d->tx_nr - LOG_TX_NR && all.region_nr < 30)
			region_add(b->rec_nr == 0 ? "seal" : "batch", at, b->len_bytes, wal_at(MIB), true);
		at += align_up((uint64_t)b->len_bytes, BIO_BLOCK_BYTES);
	}
}

static void
restore(void)
{
	memcpy(bio_ram_data(all.d.f.ram), all.d.image, bio_ram_bytes(all.d.f.ram));
	bio_ram_fail_after(all.d.f.ram, UINT64_MAX);
}

/** Open what is there: an error, or right content; @lost_max transactions may be missing. */
MAY_YIELD static void
try_open(uint64_t lost_max)
{
	struct damage *d = &all.d;
	int            rc = fix_open(&d->f);
	uint64_t       tx_nr;

	all.tries++;
	if (rc != 0) {
		assert_true(rc == -DER_DF_INVAL || rc == -DER_DF_INCOMPT || rc == -DER_UNINIT || rc == -DER_IO ||
			    rc == -DER_NONEXIST);
		d->refused++;
	} else {
		tx_nr = fix_root(&d->f)->tx_nr;
		assert_true(tx_nr <= d->tx_nr && tx_nr + lost_max >= d->tx_nr);
		fix_compare(&d->f, &all.models[d->tx_nr - tx_nr]);
		bio_ram_fail_after(d->f.ram, 0); /* closes without writing */
		fix_close(&d->f);
		d->opened++;
	}
}

MAY_YIELD static void
flips_ult(void *arg)
{
	const struct region *r    = arg;
	uint8_t             *data = bio_ram_data(all.d.f.ram);
	uint64_t             opened;

	/* An odd step reaches all bits of a byte in turn. */
	for (uint64_t bit = fix_random(&all.d.rng) % all.step; bit < r->bytes * 8; bit += all.step | 1) {
		all.place = r->at + bit / 8;
		all.bit   = bit % 8;
		opened    = all.d.opened;
		data[all.place] ^= 1u << all.bit;
		try_open(0);
		if (all.d.opened > opened)
			restore();
		else
			data[all.place] ^= 1u << all.bit;
	}
}

MAY_YIELD static void
cuts_ult(void *arg)
{
	const struct region *r    = arg;
	uint8_t             *data = bio_ram_data(all.d.f.ram);

	for (uint64_t at = 4 * (fix_random(&all.d.rng) % all.step); at < r->bytes; at += 4 * all.step) {
		all.place = r->at + at;
		memset(data + all.place, 0, r->end - all.place);
		try_open(r->may_lose ? LOG_TX_NR : 0);
		restore();
	}
}

/** The device ends early. */
MAY_YIELD static void
short_ult(void *arg)
{
	const char   *path  = arg;
	uint64_t      bytes = bio_ram_bytes(all.d.f.ram);
	struct fix    f     = {.path = path, .seed = all.d.f.seed};
	FILE         *file  = fopen(path, "w");

	assert_non_null(file);
	assert_int_equal(fwrite(all.d.image, 1, bytes, file), bytes);
	assert_int_equal(fclose(file), 0);
	for (uint64_t left = bytes - 512; left > 512; left -= MIN_OF(left - 1, 4096 * all.step)) {
		int rc;

		all.place = left;
		assert_int_equal(truncate(path, left), 0);
		rc = fix_open(&f);
		assert_int_not_equal(rc, 0);
		all.tries++;
	}
}

static void
models_make(void)
{
	for (uint32_t i = 0; i <= LOG_TX_NR; i++)
		fix_model_advance(&all.models[i], all.d.f.seed, all.d.tx_nr - i);
}

int
main(int argc, char **argv)
{
	char        path[] = "/tmp/umem_damage_XXXXXX";
	const char *sparse = getenv("UMEM_SPARSE");
	int         fd;

	all.step = argc > 1 ? MAX_OF(strtoull(argv[1], NULL, 0), 1ull) : 1;
	if (sparse != NULL && argc > 1)
		all.step *= MAX_OF(strtoull(sparse, NULL, 0), 1ull);
	assert_int_equal(d_log_init(), 0);
	assert_int_equal(d_log_setmasks("FATAL"), 0);
	atexit(tell);
	damage_create(&all.d, 21, LOG_TX_NR);
	models_make();
	regions_find();
	for (uint32_t i = 0; i < all.region_nr; i++) {
		struct region *r = &all.regions[i];

		all.where     = r->name;
		all.d.refused = all.d.opened = all.tries = 0;
		fix_run(flips_ult, r);
		fix_run(cuts_ult, r);
		printf("%s: %lu bytes, %lu tries: %lu refused, %lu right\n", r->name, (unsigned long)r->bytes,
		       (unsigned long)all.tries, (unsigned long)all.d.refused, (unsigned long)all.d.opened);
		fflush(stdout);
	}
	all.where = "a device that ends early";
	all.tries = 0;
	fd        = mkstemp(path);
	assert_true(fd >= 0);
	close(fd);
	fix_run(short_ult, path);
	(void)unlink(path);
	printf("%s: %lu tries, all refused\n", all.where, (unsigned long)all.tries);
	all.done = true;
	return 0;
}
