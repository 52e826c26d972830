/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/** Rot in a checkpoint is found by the scrub and mended by the next checkpoint; heaps beyond memory. */
#include "platform/platform.h"
#include "umem_fixture.h"

#define MIB (1u << 20)

/** Flip a bit of the page's place on the device. */
static void
rot(struct fix *f, uint32_t page)
{
	const uint8_t *image = f->u->base + (uint64_t)page * META_PAGE_BYTES;
	uint8_t       *data  = bio_ram_data(f->ram);
	uint8_t       *end   = data + bio_ram_bytes(f->ram);
	uint8_t       *at    = NULL, *next;

	/* The first copy may be one in the double-write area. */
	for (next = data; (next = memmem(next, end - next, image, META_PAGE_BYTES)) != NULL; next++)
		at = next;
	assert_non_null(at);
	at[META_PAGE_BYTES / 2] ^= 4;
}

MAY_YIELD static void
scrub_ult(void *arg)
{
	struct fix       *f = arg;
	struct fix_model  m = {0};
	struct umem_scrub scrub;
	uint64_t          tx_nr = 0;
	uint32_t          page;

	assert_int_equal(fix_format(f), 0);
	assert_int_equal(fix_open(f), 0);
	for (int i = 0; i < 400; i++)
		assert_int_equal(fix_next_tx(f, &tx_nr), 0);
	assert_int_equal(umem_checkpoint(f->u), 0);
	assert_int_equal(umem_scrub(f->u, &scrub), 0);
	assert_true(scrub.page_nr > 4);
	assert_int_equal(scrub.bad_nr, 0);
	page = umem_root(f->u) / META_PAGE_BYTES;
	rot(f, page);
	assert_int_equal(umem_scrub(f->u, &scrub), 0);
	assert_int_equal(scrub.bad_nr, 1);
	assert_int_equal(umem_checkpoint(f->u), 0);
	assert_int_equal(umem_scrub(f->u, &scrub), 0);
	assert_int_equal(scrub.bad_nr, 0);
	fix_close(f);
	assert_int_equal(fix_open(f), 0);
	fix_model_advance(&m, f->seed, tx_nr);
	fix_compare(f, &m);
	fix_close(f);
	fix_model_drop(&m);
}

static void
rot_is_found_and_mended(void **state)
{
	struct fix f = {.seed = 11};

	fix_create(&f, 2 * MIB, 8 * MIB, true);
	fix_run(scrub_ult, &f);
	bio_ram_destroy(f.ram);
}

MAY_YIELD static void
beyond_memory_ult(void *arg)
{
	struct umem_attr attr = {.bytes = plat_memory_bytes() + 64 * MIB};
	struct umem     *u    = NULL;

	(void)arg;
	assert_true(plat_memory_bytes() >= 64 * MIB);
	assert_int_equal(umem_open(&attr, fix_uuid, &u), -DER_NOMEM);
	assert_null(u);
}

static void
a_heap_beyond_memory_is_refused(void **state)
{
	fix_run(beyond_memory_ult, NULL);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(rot_is_found_and_mended),
	    cmocka_unit_test(a_heap_beyond_memory_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
