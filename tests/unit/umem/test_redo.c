/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/** Redo entries: what is encoded is applied, whatever the length, the zeroes in it and the order; nothing else is. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <cmocka.h>
#include <daos_errno.h>
#include "platform/platform.h"
#include "umem/umem_redo.h"

#define HEAP_BYTES (1u << 20)

static uint64_t
next_random(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

static void
count_bytes(void *arg, uint64_t off, uint64_t len)
{
	*(uint64_t *)arg += len;
}

/** Random bytes with runs of zeroes of all sizes. */
static void
fill(uint8_t *p, uint64_t len, uint64_t *seed)
{
	uint64_t at = 0;

	while (at < len) {
		uint64_t run  = 1 + next_random(seed) % (1ull << next_random(seed) % 13);
		bool     zero = next_random(seed) % 3 == 0;

		for (uint64_t end = MIN_OF(at + run, len); at < end; at++)
			p[at] = zero ? 0 : next_random(seed);
	}
}

static uint64_t
some_len(uint64_t *seed)
{
	static const uint32_t edges[] = {1, 7, 8, 9, 32, 33, 1023, 1024, 1025, 65535, 65536, 65537};
	uint64_t              r = next_random(seed);

	return r % 2 == 0 ? edges[r / 2 % ARRAY_NR(edges)] : 1 + r / 2 % (1u << r / 1024 % 17);
}

static void
entries_are_applied(void **state)
{
	uint8_t *now = calloc(1, HEAP_BYTES), *then = calloc(1, HEAP_BYTES), *want = calloc(1, HEAP_BYTES);
	uint8_t *rec = malloc(16u << 20);
	uint64_t seed = 4711;

	for (int round = 0; round < 300; round++) {
		uint64_t offs[8], lens[8], dirty = 0, bound = 0;
		uint32_t entry_nr = 0, nr = 1 + next_random(&seed) % 8;
		uint8_t *end = rec;

		fill(now, HEAP_BYTES, &seed);
		fill(then, HEAP_BYTES, &seed);
		memcpy(want, then, HEAP_BYTES);
		for (uint32_t i = 0; i < nr; i++) {
			lens[i] = some_len(&seed);
			offs[i] = next_random(&seed) % (HEAP_BYTES - lens[i] + 1);
			bound += redo_bound(now, offs[i], lens[i]);
			memcpy(want + offs[i], now + offs[i], lens[i]);
			end = redo_encode(end, now, offs[i], lens[i], &entry_nr);
		}
		assert_true(end - rec <= bound);
		assert_int_equal(redo_apply(then, HEAP_BYTES, rec, end - rec, entry_nr, count_bytes, &dirty), 0);
		assert_memory_equal(then, want, HEAP_BYTES);
		for (uint32_t i = 0; i < nr; i++)
			assert_true(dirty >= lens[i]);
		/* A record cut short, or with an entry too many. */
		assert_int_equal(redo_apply(then, HEAP_BYTES, rec, end - rec - 8, entry_nr, count_bytes, &dirty), -DER_DF_INVAL);
		assert_int_equal(redo_apply(then, HEAP_BYTES, rec, end - rec, entry_nr + 1, count_bytes, &dirty), -DER_DF_INVAL);
	}
	free(now);
	free(then);
	free(want);
	free(rec);
}

static void
long_zeroes_cost_two_words(void **state)
{
	uint8_t *heap     = calloc(1, HEAP_BYTES);
	_Alignas(8) uint8_t out[64];
	uint32_t entry_nr = 0;

	assert_int_equal(redo_bound(heap, 0, HEAP_BYTES), REDO_ENTRY_BYTES);
	assert_int_equal(redo_encode(out, heap, 0, HEAP_BYTES, &entry_nr) - out, 16);
	assert_int_equal(redo_encode(out, heap, 4096, 2048, &entry_nr) - out, 8);
	assert_int_equal(entry_nr, 2);
	free(heap);
}

static void
ranges_outside_are_refused(void **state)
{
	_Alignas(8) uint8_t heap[64] = {0}, rec[64];
	uint64_t dirty = 0;
	uint32_t entry_nr = 0;
	uint8_t *end = redo_encode(rec, heap, 32, 16, &entry_nr);

	assert_int_equal(redo_apply(heap, 47, rec, end - rec, 1, count_bytes, &dirty), -DER_DF_INVAL);
	assert_int_equal(redo_apply(heap, 31, rec, end - rec, 1, count_bytes, &dirty), -DER_DF_INVAL);
	assert_int_equal(dirty, 0);
	assert_int_equal(redo_apply(heap, 48, rec, end - rec, 1, count_bytes, &dirty), 0);
	assert_int_equal(dirty, 16);
}

/** Behind the end of a heap there is nothing to read. */
static void
the_last_bytes_are_encoded(void **state)
{
	size_t   page = plat_page_bytes();
	uint8_t *heap = mmap(NULL, 2 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	uint8_t *copy = malloc(page), *rec = malloc(2 * page);
	uint64_t seed = 12, dirty = 0;

	assert_ptr_not_equal(heap, MAP_FAILED);
	assert_int_equal(mprotect(heap + page, page, PROT_NONE), 0);
	fill(heap, page, &seed);
	for (uint64_t len = 1; len < page; len += len < 100 ? 1 : 37) {
		uint32_t entry_nr = 0;
		uint8_t *end      = redo_encode(rec, heap, page - len, len, &entry_nr);

		memset(copy, 0xee, page);
		assert_int_equal(redo_apply(copy, page, rec, end - rec, entry_nr, count_bytes, &dirty), 0);
		assert_memory_equal(copy + page - len, heap + page - len, len);
		assert_true(len == page || copy[page - len - 1] == 0xee);
	}
	munmap(heap, 2 * page);
	free(copy);
	free(rec);
}

static void
data_entries_come_back(void **state)
{
	static const uint64_t lens[] = {1, 2, 65535, 65536, 1ull << 20};
	uint8_t               rec[REDO_DATA_BYTES];
	uint64_t              dirty = 0;

	for (uint32_t i = 0; i < ARRAY_NR(lens); i++) {
		uint32_t       entry_nr = 0, crc = 0;
		uint64_t       off = (1ull << 40) + i * BIO_BLOCK_BYTES, got_off, got_len;
		uint8_t       *end = redo_encode_data(rec, off, lens[i] * BIO_BLOCK_BYTES, 77 + i, &entry_nr);
		const uint8_t *at = rec;
		size_t         left = end - rec;

		assert_true(end - rec <= REDO_DATA_BYTES);
		assert_true(redo_next_data(&at, &left, &got_off, &got_len, &crc));
		assert_int_equal(left, 0);
		assert_int_equal(got_off, off);
		assert_int_equal(got_len, lens[i] * BIO_BLOCK_BYTES);
		assert_int_equal(crc, 77 + i);
		at   = rec;
		left = end - rec - 1;
		assert_false(redo_next_data(&at, &left, &got_off, &got_len, &crc));
		assert_int_equal(redo_apply(rec, 0, rec, end - rec, 1, count_bytes, &dirty), 0);
	}
	assert_int_equal(dirty, 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(entries_are_applied),
	    cmocka_unit_test(long_zeroes_cost_two_words),
	    cmocka_unit_test(ranges_outside_are_refused),
	    cmocka_unit_test(the_last_bytes_are_encoded),
	    cmocka_unit_test(data_entries_come_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
