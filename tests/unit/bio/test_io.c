/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/**
 * One suite for every way to reach a device: file through the ring, file through the ring with every
 * transfer cut short, file through helper threads, RAM at once, RAM by the poller.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <daos_errno.h>
#include "bio/bio_int.h"

#define DEV_BYTES  (24u << 20)
#define BLOB_BYTES (6u << 20)

enum way { WAY_RING, WAY_SHORT, WAY_THREAD, WAY_RAM, WAY_RAM_ASYNC };

struct fixture {
	enum way         way;
	char             dir[64], path[80];
	struct bio_ram  *ram;
	struct bio_dev  *dev;
	struct bio_ctx  *ctx;
	struct bio_blob *blob;
	void           (*body)(struct fixture *f);
	bool             ran;
};

static const unsigned char       system_uuid[16] = "a system";
static const struct bio_blob_id  blob_id         = {.pool = "pool", .tgt = 3, .role = BIO_ROLE_DATA};

static bool
is_ram(const struct fixture *f)
{
	return f->way == WAY_RAM || f->way == WAY_RAM_ASYNC;
}

/** Free every other cluster-sized hole, so that the blob under test has several extents. */
static void
make_scattered_blob(struct bio_dev *dev)
{
	struct bio_blob_id filler = {.pool = "filler", .role = BIO_ROLE_DATA};

	for (filler.tgt = 0; filler.tgt < 21; filler.tgt++)
		assert_int_equal(bio_blob_create(dev, &filler, BIO_CLUSTER_BYTES), 0);
	assert_int_equal(bio_blob_create(dev, &filler, 1), -DER_NOSPACE);
	for (filler.tgt = 1; filler.tgt < 13; filler.tgt += 2)
		assert_int_equal(bio_blob_destroy(dev, &filler), 0);
	assert_int_equal(bio_blob_create(dev, &blob_id, BLOB_BYTES), 0);
}

static void
in_ult(void *arg)
{
	struct fixture *f = arg;

	if (f->way == WAY_THREAD)
		assert_int_equal(bio_ctx_create_threaded(&f->ctx), 0);
	else
		assert_int_equal(bio_ctx_create(&f->ctx), 0);
	if (f->way == WAY_SHORT)
		bio_ctx_limit_io(f->ctx, 8192);
	assert_int_equal(bio_blob_open(f->ctx, f->dev, &blob_id, &f->blob), 0);
	assert_int_equal(bio_blob_bytes(f->blob), BLOB_BYTES);
	f->body(f);
	bio_blob_close(f->blob);
	bio_ctx_destroy(f->ctx);
	f->ran = true;
}

static void
run_way(enum way way, void (*body)(struct fixture *f))
{
	struct fixture      f    = {.way = way, .body = body, .dir = "/tmp/bio_io_XXXXXX"};
	struct bio_dev_attr attr = {.kind = BIO_FILE, .size_bytes = DEV_BYTES};
	struct ult_xs_attr  xs   = {.name = "test", .core = -1};

	if (is_ram(&f)) {
		attr.kind = BIO_RAM;
		assert_int_equal(bio_ram_create(DEV_BYTES, &f.ram), 0);
		bio_ram_set_async(f.ram, way == WAY_RAM_ASYNC);
		attr.ram = f.ram;
	} else {
		assert_non_null(mkdtemp(f.dir));
		snprintf(f.path, sizeof(f.path), "%s/dev", f.dir);
		attr.path = f.path;
	}
	assert_int_equal(bio_dev_format(&attr, system_uuid, false), 0);
	assert_int_equal(bio_dev_open(&attr, &f.dev), 0);
	make_scattered_blob(f.dev);
	assert_int_equal(ult_xs_run(&xs, in_ult, &f), 0);
	assert_true(f.ran);
	bio_dev_close(f.dev);
	if (is_ram(&f)) {
		bio_ram_destroy(f.ram);
	} else {
		unlink(f.path);
		rmdir(f.dir);
	}
}

static void
run_all(void (*body)(struct fixture *f))
{
	for (enum way way = WAY_RING; way <= WAY_RAM_ASYNC; way++)
		run_way(way, body);
}

static uint64_t
next_random(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

/* ---- bodies ---- */

static void
refuses_bad_arguments(struct fixture *f)
{
	char        *buf = aligned_alloc(4096, 8192);
	struct iovec iov = {buf, 4096};

	assert_int_equal(bio_readv(f->blob, 512, &iov, 1), -DER_INVAL);
	assert_int_equal(bio_readv(f->blob, BLOB_BYTES, &iov, 1), -DER_INVAL);
	assert_int_equal(bio_readv(f->blob, BLOB_BYTES - 4096, &iov, 1), 0);
	assert_int_equal(bio_readv(f->blob, UINT64_MAX - 4095, &iov, 1), -DER_INVAL);
	iov.iov_len = 8192;
	assert_int_equal(bio_writev(f->blob, BLOB_BYTES - 4096, &iov, 1), -DER_INVAL);
	iov.iov_len = 100;
	assert_int_equal(bio_writev(f->blob, 0, &iov, 1), -DER_INVAL);
	iov = (struct iovec){buf + 8, 4096};
	assert_int_equal(bio_writev(f->blob, 0, &iov, 1), -DER_INVAL);
	assert_int_equal(bio_writev(f->blob, 0, &iov, 0), -DER_INVAL);
	free(buf);
}

/** Random vectors at random places, against a plain copy of the blob. */
static void
matches_a_plain_copy(struct fixture *f)
{
	uint8_t     *model = calloc(1, BLOB_BYTES), *buf = aligned_alloc(4096, BLOB_BYTES);
	uint64_t     rng   = 77;
	struct iovec iov[40];

	memset(buf, 0, BLOB_BYTES);
	iov[0] = (struct iovec){buf, BLOB_BYTES};
	assert_int_equal(bio_writev(f->blob, 0, iov, 1), 0);
	for (int round = 0; round < 60; round++) {
		int      nr    = 1 + next_random(&rng) % 40;
		uint64_t total = 0, off;
		int      rc;

		for (int i = 0; i < nr; i++) {
			iov[i].iov_base = buf + total;
			iov[i].iov_len  = (next_random(&rng) % 12) * 4096;
			total += iov[i].iov_len;
		}
		if (total == 0)
			continue;
		off = next_random(&rng) % ((BLOB_BYTES - total) / 4096 + 1) * 4096;
		for (uint64_t i = 0; i < total; i += 8)
			*(uint64_t *)(buf + i) = next_random(&rng);
		memcpy(model + off, buf, total);
		rc = round % 2 ? bio_writev(f->blob, off, iov, nr)
			       : bio_writev_flush(f->blob, off, iov, nr);
		assert_int_equal(rc, 0);
		off   = next_random(&rng) % ((BLOB_BYTES - total) / 4096 + 1) * 4096;
		memset(buf, 0xee, total);
		assert_int_equal(bio_readv(f->blob, off, iov, nr), 0);
		assert_memory_equal(buf, model + off, total);
	}
	assert_int_equal(bio_flush(f->blob), 0);
	iov[0] = (struct iovec){buf, BLOB_BYTES};
	assert_int_equal(bio_readv(f->blob, 0, iov, 1), 0);
	assert_memory_equal(buf, model, BLOB_BYTES);
	free(model);
	free(buf);
}

struct counter {
	int                 left;
	struct ult_eventual done;
};

static void
count_down(void *arg, int rc)
{
	struct counter *c = arg;

	assert_int_equal(rc, 0);
	if (--c->left == 0)
		ult_eventual_set(&c->done, 0);
}

/** More requests than the ring has entries. */
static void
takes_many_in_flight(struct fixture *f)
{
	enum { NR = 1500 };
	uint8_t       *buf = aligned_alloc(4096, NR * 4096), *back = aligned_alloc(4096, NR * 4096);
	struct counter c   = {.left = NR};
	struct iovec   iov;

	for (int i = 0; i < NR; i++)
		memset(buf + i * 4096, i, 4096);
	ult_eventual_init(&c.done);
	for (int i = 0; i < NR; i++) {
		iov = (struct iovec){buf + i * 4096, 4096};
		assert_int_equal(bio_writev_async(f->blob, i * 4096, &iov, 1, count_down, &c), 0);
	}
	assert_int_equal(ult_eventual_wait(&c.done), 0);
	c.left = NR;
	ult_eventual_init(&c.done);
	for (int i = 0; i < NR; i++) {
		iov = (struct iovec){back + i * 4096, 4096};
		assert_int_equal(bio_readv_async(f->blob, i * 4096, &iov, 1, count_down, &c), 0);
	}
	assert_int_equal(ult_eventual_wait(&c.done), 0);
	assert_memory_equal(buf, back, NR * 4096);
	free(buf);
	free(back);
}

struct buf_user {
	struct bio_ctx *ctx;
	int            *order;
	int             idx;
};

MAY_YIELD static void
use_buf(void *arg)
{
	struct buf_user *user = arg;
	void            *buf  = NULL;

	assert_int_equal(bio_buf_get(user->ctx, 3 << 20, &buf), 0);
	memset(buf, user->idx, 3 << 20);
	assert_int_equal((*user->order)++, user->idx);
	ult_yield();
	bio_buf_put(user->ctx, buf, 3 << 20);
}

/** Five users of 4 MiB, 8 MiB in all: they wait, in order. */
static void
buffers_are_limited(struct fixture *f)
{
	struct buf_user users[5];
	struct ult     *ults[5];
	void           *buf   = NULL;
	int             order = 0;

	f->ctx->buf_limit = 8 << 20;
	for (int i = 0; i < 5; i++) {
		users[i] = (struct buf_user){f->ctx, &order, i};
		assert_int_equal(ult_create(NULL, ULT_POOL_IO, use_buf, &users[i], 0, &ults[i]), 0);
	}
	for (int i = 0; i < 5; i++)
		ult_join(ults[i]);
	assert_int_equal(order, 5);
	assert_int_equal(bio_buf_get(f->ctx, 9 << 20, &buf), -DER_NOMEM);
	assert_int_equal(bio_buf_get(f->ctx, 4096, &buf), 0);
	assert_int_equal((uintptr_t)buf % 4096, 0);
	bio_buf_put(f->ctx, buf, 4096);
	assert_int_equal(f->ctx->buf_used, 0);
}

/** Files and long-lived memory are registered with the ring, where it takes them; a file no longer than it is open. */
static void
ring_knows_files_and_memory(struct fixture *f)
{
	struct bio_reg     *r    = &f->ctx->reg;
	struct bio_dev_attr attr = {.kind = BIO_FILE, .path = f->path};
	size_t              len  = 256 << 10;
	char               *mem[3], *small;
	struct iovec        iov;

	for (int i = 0; i < 3; i++) {
		mem[i] = bio_mem_alloc(f->ctx, len);
		assert_non_null(mem[i]);
		memset(mem[i], 'a' + i, len);
	}
	small = bio_mem_alloc(f->ctx, 4096);
	iov   = (struct iovec){mem[1] + 4096, len - 8192};
	assert_int_equal(bio_writev_flush(f->blob, 0, &iov, 1), 0);
	iov.iov_base = mem[2];
	assert_int_equal(bio_readv(f->blob, 0, &iov, 1), 0);
	assert_memory_equal(mem[2], mem[1], len - 8192);
	assert_int_equal(mem[2][len - 1], 'c');
	if (f->ctx->has_ring && r->mem_on && r->mem_nr == 3) {
		assert_true(is_ram(f) || r->mem_io_nr >= 2);
		for (int i = 0; i < 3; i++) {
			assert_true(bio_reg_mem_find(f->ctx, mem[i], len) >= 0);
			assert_true(bio_reg_mem_find(f->ctx, mem[i] + len - 1, 1) >= 0);
			assert_int_equal(bio_reg_mem_find(f->ctx, mem[i], len + 1), -1);
		}
		assert_int_equal(bio_reg_mem_find(f->ctx, small, 1), -1);
	} else {
		assert_int_equal(bio_reg_mem_find(f->ctx, mem[0], 1), -1);
	}
	bio_mem_free(f->ctx, mem[1]);
	assert_int_equal(bio_reg_mem_find(f->ctx, mem[1], 1), -1);
	bio_mem_free(f->ctx, mem[0]);
	bio_mem_free(f->ctx, mem[2]);
	bio_mem_free(f->ctx, small);
	assert_int_equal(r->mem_nr, 0);
	assert_int_equal(r->mem_bytes, 0);
	if (is_ram(f))
		return;
	if (f->ctx->has_ring && r->files_on)
		assert_true(r->file_io_nr >= 3 && bio_reg_file_find(f->ctx, f->dev) >= 0);
	/* The ring holds no file of a device that is closed: it can be locked again. */
	bio_blob_close(f->blob);
	assert_int_equal(bio_reg_file_find(f->ctx, f->dev), -1);
	bio_dev_close(f->dev);
	assert_int_equal(bio_dev_open(&attr, &f->dev), 0);
	assert_int_equal(bio_blob_open(f->ctx, f->dev, &blob_id, &f->blob), 0);
	iov = (struct iovec){NULL, 4096};
	assert_int_equal(bio_buf_get(f->ctx, 4096, &iov.iov_base), 0);
	assert_int_equal(bio_readv(f->blob, 0, &iov, 1), 0);
	assert_int_equal(*(char *)iov.iov_base, 'b');
	bio_buf_put(f->ctx, iov.iov_base, 4096);
}

static void
registered(void **state)
{
	run_all(ring_knows_files_and_memory);
}

/** Beyond what may be pinned, and beyond the number of entries, memory works as well. */
static void
more_memory_than_the_ring_takes(struct fixture *f)
{
	char *mem[BIO_REG_MEM_NR + 60];

	for (size_t i = 0; i < ARRAY_NR(mem); i++) {
		size_t       len = i % 7 == 0 ? 4 << 20 : 64 << 10;
		struct iovec iov;

		mem[i] = bio_mem_alloc(f->ctx, len);
		assert_non_null(mem[i]);
		memset(mem[i], i, 8192);
		iov = (struct iovec){mem[i], 8192};
		assert_int_equal(bio_writev(f->blob, 0, &iov, 1), 0);
		memset(mem[i], 0, 8192);
		assert_int_equal(bio_readv(f->blob, 0, &iov, 1), 0);
		assert_int_equal(*(unsigned char *)mem[i], i % 256);
		assert_true(f->ctx->reg.mem_bytes <= 64 << 20);
	}
	for (size_t i = 0; i < ARRAY_NR(mem); i++)
		bio_mem_free(f->ctx, mem[i * 37 % ARRAY_NR(mem)]);
	assert_int_equal(f->ctx->reg.mem_nr, 0);
}

static void
registered_limits(void **state)
{
	run_way(WAY_RING, more_memory_than_the_ring_takes);
	run_way(WAY_THREAD, more_memory_than_the_ring_takes);
}

/** What was done is counted, failures too. */
static void
operations_are_counted(struct fixture *f)
{
	struct bio_dev_health before, after;
	void                 *buf = NULL;
	struct iovec          iov = {NULL, 8192};

	assert_int_equal(bio_buf_get(f->ctx, 8192, &buf), 0);
	memset(buf, 1, 8192);
	iov.iov_base = buf;
	bio_dev_health(f->dev, &before);
	assert_int_equal(bio_writev(f->blob, 0, &iov, 1), 0);
	assert_int_equal(bio_writev_flush(f->blob, 8192, &iov, 1), 0);
	assert_int_equal(bio_flush(f->blob), 0);
	assert_int_equal(bio_readv(f->blob, 0, &iov, 1), 0);
	bio_dev_health(f->dev, &after);
	assert_int_equal(after.write_nr - before.write_nr, 2);
	assert_int_equal(after.write_bytes - before.write_bytes, 16384);
	assert_int_equal(after.flush_nr - before.flush_nr, 2);
	assert_int_equal(after.read_nr - before.read_nr, 1);
	assert_int_equal(after.read_bytes - before.read_bytes, 8192);
	assert_int_equal(after.err_nr, before.err_nr);
	if (f->ram != NULL) {
		bio_ram_fail_after(f->ram, 0);
		assert_int_equal(bio_writev(f->blob, 0, &iov, 1), -DER_IO);
		bio_dev_health(f->dev, &after);
		assert_int_equal(after.err_nr, before.err_nr + 1);
	}
	bio_buf_put(f->ctx, buf, 8192);
}

static void
remember_rc(void *arg, int rc)
{
	ult_eventual_set(arg, rc);
}

/** A device that failed too often, or of which that was said, refuses everything at once, on all ways. */
static void
faulty_device_refuses(struct fixture *f)
{
	struct bio_dev_health before, after;
	struct ult_eventual   ev;
	struct iovec          iov = {NULL, 4096};

	assert_int_equal(bio_buf_get(f->ctx, 4096, &iov.iov_base), 0);
	memset(iov.iov_base, 7, 4096);
	assert_false(bio_dev_is_faulty(f->dev));
	if (f->ram != NULL) {
		bio_dev_set_err_limit(f->dev, 3);
		bio_ram_fail_after(f->ram, 0);
		for (int i = 0; i < 3; i++) {
			assert_false(bio_dev_is_faulty(f->dev));
			assert_int_equal(bio_writev(f->blob, 0, &iov, 1), -DER_IO);
		}
		bio_ram_fail_after(f->ram, UINT64_MAX);
	} else {
		/* What is under way ends as it does. */
		ult_eventual_init(&ev);
		assert_int_equal(bio_writev_async(f->blob, 0, &iov, 1, remember_rc, &ev), 0);
		bio_dev_set_faulty(f->dev);
		assert_int_equal(ult_eventual_wait(&ev), 0);
	}
	assert_true(bio_dev_is_faulty(f->dev));
	bio_dev_health(f->dev, &before);
	assert_int_equal(bio_writev(f->blob, 0, &iov, 1), -DER_NVME_IO);
	assert_int_equal(bio_readv(f->blob, 0, &iov, 1), -DER_NVME_IO);
	assert_int_equal(bio_flush(f->blob), -DER_NVME_IO);
	assert_int_equal(bio_writev_async(f->blob, 0, &iov, 1, remember_rc, &ev), -DER_NVME_IO);
	bio_dev_health(f->dev, &after);
	assert_int_equal(after.write_nr + after.read_nr + after.err_nr, before.write_nr + before.read_nr + before.err_nr);
	bio_buf_put(f->ctx, iov.iov_base, 4096);
}

/** So are bytes that do not match their checksums counted. */
static void
checksum_errors_make_faulty(struct fixture *f)
{
	struct bio_dev_health health;

	bio_dev_set_csum_limit(f->dev, 3);
	for (int i = 0; i < 3; i++) {
		assert_false(bio_dev_is_faulty(f->dev));
		bio_blob_note_csum_err(f->blob);
	}
	assert_true(bio_dev_is_faulty(f->dev));
	bio_dev_health(f->dev, &health);
	assert_int_equal(health.csum_err_nr, 3);
	assert_int_equal(health.err_nr, 0);
	assert_int_equal(bio_flush(f->blob), -DER_NVME_IO);
}

static void
faulty_by_checksums(void **state)
{
	run_all(checksum_errors_make_faulty);
}

static void
faulty(void **state)
{
	run_all(faulty_device_refuses);
}

static void
counted(void **state)
{
	run_all(operations_are_counted);
}

static void
bad_arguments(void **state)
{
	run_all(refuses_bad_arguments);
}

static void
plain_copy_ring(void **state)
{
	run_way(WAY_RING, matches_a_plain_copy);
}

static void
plain_copy_short_transfers(void **state)
{
	run_way(WAY_SHORT, matches_a_plain_copy);
}

static void
plain_copy_threads(void **state)
{
	run_way(WAY_THREAD, matches_a_plain_copy);
}

static void
plain_copy_ram(void **state)
{
	run_way(WAY_RAM, matches_a_plain_copy);
	run_way(WAY_RAM_ASYNC, matches_a_plain_copy);
}

static void
many_in_flight(void **state)
{
	run_all(takes_many_in_flight);
}

static void
limited_buffers(void **state)
{
	run_way(WAY_RAM, buffers_are_limited);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(bad_arguments),
	    cmocka_unit_test(plain_copy_ring),
	    cmocka_unit_test(plain_copy_short_transfers),
	    cmocka_unit_test(plain_copy_threads),
	    cmocka_unit_test(plain_copy_ram),
	    cmocka_unit_test(many_in_flight),
	    cmocka_unit_test(limited_buffers),
	    cmocka_unit_test(counted),
	    cmocka_unit_test(faulty),
	    cmocka_unit_test(faulty_by_checksums),
	    cmocka_unit_test(registered),
	    cmocka_unit_test(registered_limits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
