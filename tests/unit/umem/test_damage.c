/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/**
 * Every durable structure of a heap, damaged byte by byte: opening gives an error and changes
 * nothing, or gives exactly what was acknowledged.
 */
#include "damage_fixture.h"

MAY_YIELD static void
flip_ult(void *arg)
{
	struct damage *d = arg;

	for (uint64_t at = d->from; at < d->to; at += d->step) {
		bio_ram_data(d->f.ram)[at] ^= 1u << fix_random(&d->rng) % 8;
		open_damaged(d, at);
	}
}

/** UMEM_SPARSE=1 damages most places, and takes longest. */
static uint64_t
sparse(void)
{
	const char *nr = getenv("UMEM_SPARSE");

	return nr == NULL ? 2 : MAX_OF(strtoull(nr, NULL, 0), 1ull);
}

static void
flip_range(struct damage *d, uint64_t from, uint64_t bytes, uint64_t step)
{
	d->from    = from;
	d->to      = from + bytes;
	d->step    = step * sparse();
	d->refused = d->opened = 0;
	fix_run(flip_ult, d);
}

static void
headers_have_two_copies(void **state)
{
	struct damage d;

	damage_create(&d, 11, 8);
	flip_range(&d, wal_at(0), 8192, 31);
	assert_int_equal(d.refused, 0);
	flip_range(&d, meta_at(0), 8192, 31);
	assert_int_equal(d.refused, 0);
	damage_destroy(&d);
}

MAY_YIELD static void
both_headers_ult(void *arg)
{
	struct damage *d = arg;
	uint8_t       *data = bio_ram_data(d->f.ram);

	data[wal_at(20)] ^= 4;
	data[wal_at(4096 + 30)] ^= 4;
	assert_int_equal(fix_open(&d->f), -DER_DF_INVAL);
	data[wal_at(20)] ^= 4;
	data[wal_at(4096 + 30)] ^= 4;
	data[meta_at(20)] ^= 4;
	data[meta_at(4096 + 30)] ^= 4;
	assert_int_equal(fix_open(&d->f), -DER_DF_INVAL);
	data[meta_at(20)] ^= 4;
	data[meta_at(4096 + 30)] ^= 4;
	assert_memory_equal(data, d->image, bio_ram_bytes(d->f.ram));
	assert_int_equal(fix_open(&d->f), 0);
	fix_compare(&d->f, &d->m);
	fix_close(&d->f);
}

static void
both_copies_of_a_header_damaged(void **state)
{
	struct damage d;

	damage_create(&d, 12, 8);
	fix_run(both_headers_ult, &d);
	damage_destroy(&d);
}

static void
flipped_bits_in_the_log(void **state)
{
	struct damage d;

	damage_create(&d, 13, 8);
	/* All that was written, and the zeroes behind it. */
	flip_range(&d, wal_at(8192), 240 * 1024, 97);
	assert_true(d.refused > 20 / sparse());
	assert_true(d.opened > 20 / sparse());
	damage_destroy(&d);
}

static void
flipped_bits_in_the_checkpoint(void **state)
{
	struct damage d;
	struct meta_hdr_df *hdr;

	damage_create(&d, 14, 8);
	hdr = (struct meta_hdr_df *)(d.image + meta_at(0));
	flip_range(&d, meta_at(hdr->table_off), 1024, 3);
	assert_true(d.refused > 50 / sparse());
	flip_range(&d, meta_at(hdr->dw_off), 4096, 37);
	flip_range(&d, meta_at(hdr->dw_off + 4096), 65536, 977);
	flip_range(&d, meta_at(hdr->pages_off), hdr->heap_bytes, 2999);
	assert_true(d.refused > 5 / sparse());
	damage_destroy(&d);
}

static void
flipped_bits_in_superblock_and_blob_table(void **state)
{
	struct damage d;

	damage_create(&d, 15, 8);
	flip_range(&d, 0, 4096, 13);
	assert_int_equal(d.refused, 0);
	flip_range(&d, BIO_SUPER_COPY_OFF, 4096, 13);
	assert_int_equal(d.refused, 0);
	flip_range(&d, BIO_TABLE_OFF(0), 4096 + 512, 13);
	assert_int_equal(d.refused, 0);
	flip_range(&d, BIO_TABLE_OFF(1), 4096 + 512, 13);
	assert_int_equal(d.refused, 0);
	damage_destroy(&d);
}

/** Zeroed or foreign blocks, as a misdirected write leaves them. */
MAY_YIELD static void
blocks_ult(void *arg)
{
	struct damage *d    = arg;
	uint8_t       *data = bio_ram_data(d->f.ram);

	for (uint64_t at = d->from; at < d->to; at += 4096) {
		uint64_t other = d->from + (at - d->from + 3 * 4096) % (d->to - d->from);
		int      rc;

		if (memcmp(d->image + at, d->image + other, 4096) == 0)
			continue;
		memcpy(data + at, d->image + other, 4096);
		rc = fix_open(&d->f);
		if (rc == 0) {
			fix_compare(&d->f, &d->m);
			bio_ram_fail_after(d->f.ram, 0);
			fix_close(&d->f);
			bio_ram_fail_after(d->f.ram, UINT64_MAX);
		} else {
			assert_int_equal(rc, -DER_DF_INVAL);
			d->refused++;
		}
		memcpy(data, d->image, bio_ram_bytes(d->f.ram));
	}
}

static void
misplaced_blocks(void **state)
{
	struct damage d;

	damage_create(&d, 16, 8);
	d.from = wal_at(8192);
	d.to   = wal_at(8192 + 128 * 1024);
	fix_run(blocks_ult, &d);
	assert_true(d.refused > 4);
	d.from    = meta_at(8192);
	d.to      = meta_at(MIB + MIB / 2);
	d.refused = 0;
	fix_run(blocks_ult, &d);
	assert_true(d.refused > 4);
	damage_destroy(&d);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(headers_have_two_copies),
	    cmocka_unit_test(both_copies_of_a_header_damaged),
	    cmocka_unit_test(flipped_bits_in_the_log),
	    cmocka_unit_test(flipped_bits_in_the_checkpoint),
	    cmocka_unit_test(flipped_bits_in_superblock_and_blob_table),
	    cmocka_unit_test(misplaced_blocks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
