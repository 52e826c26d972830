/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/**
 * Data beside the heap: ULTs write blocks of a data blob without a flush, commit records that note
 * them, and use freed blocks again as soon as they may. Power is lost at random writes, sectors kept
 * or lost by seed; afterwards every block the heap refers to holds what was written for it, and
 * nothing acknowledged is missing. On one device, and with the data on another.
 */
#include "base/crc32c.h"
#include "umem_fixture.h"

#define MIB         (1u << 20)
#define SLOT_NR     16
#define ULT_NR      4
#define DATA_BLK_NR 40
#define LIFE_NR     6 /**< power losses to a seed */

static const struct bio_blob_id data_id = {.pool = "pool", .role = BIO_ROLE_DATA};

/** The root object: each slot refers to a block, or to none (gen 0). */
struct data_root {
	struct {
		uint64_t blk;
		uint64_t gen;
	} slots[SLOT_NR];
};

struct rig {
	struct bio_ram  *ram[2]; /**< log and metadata; data, NULL: with the others */
	struct bio_dev  *dev[2];
	struct bio_ctx  *ctx;
	struct bio_blob *wal, *meta, *data;
	struct umem     *u;
	uint64_t         rng;
	uint64_t         acked[SLOT_NR], begun[SLOT_NR];
	uint64_t         free_seq[DATA_BLK_NR]; /**< may be used once this is proven; UINT64_MAX: in use */
	uint32_t         next_ult;
	uint64_t         reuse_nr;
};

static struct bio_dev_attr
dev_attr(struct rig *r, int i)
{
	return (struct bio_dev_attr){.kind = BIO_RAM, .path = "ram under test", .ram = r->ram[i]};
}

static void
dev_format(struct rig *r, int i)
{
	struct bio_dev_attr attr;

	assert_int_equal(bio_ram_create(12 * MIB, &r->ram[i]), 0);
	bio_ram_set_async(r->ram[i], true);
	attr = dev_attr(r, i);
	assert_int_equal(bio_dev_format(&attr, fix_uuid, false), 0);
	assert_int_equal(bio_dev_open(&attr, &r->dev[i]), 0);
}

static void
rig_format(struct rig *r, bool two_devices)
{
	dev_format(r, 0);
	if (two_devices)
		dev_format(r, 1);
	assert_int_equal(bio_blob_create(r->dev[0], &fix_wal_id, 1 * MIB), 0);
	assert_int_equal(bio_blob_create(r->dev[0], &fix_meta_id, 4 * MIB), 0);
	assert_int_equal(bio_blob_create(r->dev[two_devices], &data_id, 1 * MIB), 0);
	bio_dev_close(r->dev[0]);
	bio_dev_close(r->dev[1]);
}

static void
rig_open_devs(struct rig *r)
{
	struct bio_dev_attr attr = dev_attr(r, 0);

	assert_int_equal(bio_dev_open(&attr, &r->dev[0]), 0);
	attr = dev_attr(r, 1);
	if (r->ram[1] != NULL)
		assert_int_equal(bio_dev_open(&attr, &r->dev[1]), 0);
	assert_int_equal(bio_ctx_create(&r->ctx), 0);
	assert_int_equal(bio_blob_open(r->ctx, r->dev[0], &fix_wal_id, &r->wal), 0);
	assert_int_equal(bio_blob_open(r->ctx, r->dev[0], &fix_meta_id, &r->meta), 0);
	assert_int_equal(bio_blob_open(r->ctx, r->dev[r->ram[1] != NULL], &data_id, &r->data), 0);
}

static void
rig_close_devs(struct rig *r)
{
	bio_blob_close(r->wal);
	bio_blob_close(r->meta);
	bio_blob_close(r->data);
	bio_ctx_destroy(r->ctx);
	bio_dev_close(r->dev[0]);
	bio_dev_close(r->dev[1]);
	r->dev[0] = r->dev[1] = NULL;
}

static struct umem_attr
rig_attr(struct rig *r)
{
	return (struct umem_attr){.meta = r->meta, .wal = r->wal, .data = r->data,
				  .root_bytes = sizeof(struct data_root)};
}

static struct data_root *
rig_root(struct rig *r)
{
	return umem_ptr(r->u, umem_root(r->u));
}

static void
fill(uint8_t *buf, uint64_t slot, uint64_t gen)
{
	uint64_t rng = slot * 1000003 + gen + 1;

	for (size_t i = 0; i < BIO_BLOCK_BYTES; i += 8) {
		uint64_t v = fix_random(&rng);

		memcpy(buf + i, &v, 8);
	}
}

/** A block that may be written, or DATA_BLK_NR. */
static uint64_t
block_take(struct rig *r)
{
	uint64_t first = fix_random(&r->rng) % DATA_BLK_NR;

	for (uint64_t i = 0; i < DATA_BLK_NR; i++) {
		uint64_t blk = (first + i) % DATA_BLK_NR;

		if (r->free_seq[blk] > umem_proven_seq(r->u))
			continue;
		r->reuse_nr += r->free_seq[blk] > 0;
		r->free_seq[blk] = UINT64_MAX;
		return blk;
	}
	return DATA_BLK_NR;
}

/** Write the block for the slot's next generation; no flush. */
MAY_YIELD static int
block_write(struct rig *r, uint64_t slot, uint64_t gen, uint64_t blk, uint8_t *buf)
{
	struct iovec iov = {buf, BIO_BLOCK_BYTES};

	fill(buf, slot, gen);
	return bio_writev(r->data, blk * BIO_BLOCK_BYTES, &iov, 1);
}

/** Let the slot refer to the block; what it referred to is free once that is proven. */
MAY_YIELD static int
slot_commit(struct rig *r, uint64_t slot, uint64_t gen, uint64_t blk, const uint8_t *buf,
	    uint64_t *ret_seq)
{
	struct data_root *root = rig_root(r);
	uint64_t          old  = root->slots[slot].gen == 0 ? DATA_BLK_NR : root->slots[slot].blk;
	int               rc;

	umem_tx_begin(r->u);
	rc = umem_tx_add(r->u, &root->slots[slot], sizeof(root->slots[0]));
	if (rc == 0)
		rc = umem_tx_note_data(r->u, blk * BIO_BLOCK_BYTES, BIO_BLOCK_BYTES,
				       d_crc32c(0, buf, BIO_BLOCK_BYTES));
	if (rc != 0) {
		umem_tx_abort(r->u);
		return rc;
	}
	root->slots[slot].blk = blk;
	root->slots[slot].gen = gen;
	r->begun[slot]        = gen;
	rc                    = umem_tx_commit_async(r->u, ret_seq);
	if (rc == 0 && old < DATA_BLK_NR)
		r->free_seq[old] = *ret_seq;
	return rc;
}

/** One or two generations of a slot; two are committed in a row, so one batch writes a block and frees it. */
MAY_YIELD static int
slot_write(struct rig *r, uint64_t slot, const uint64_t *blks, int nr, uint8_t *buf)
{
	uint64_t gen = r->begun[slot], seq = 0;
	int      rc  = 0;

	for (int i = 0; i < nr && rc == 0; i++)
		rc = block_write(r, slot, gen + 1 + i, blks[i], buf + i * BIO_BLOCK_BYTES);
	for (int i = 0; i < nr && rc == 0; i++)
		rc = slot_commit(r, slot, gen + 1 + i, blks[i], buf + i * BIO_BLOCK_BYTES, &seq);
	if (rc != 0 || fix_random(&r->rng) % 2 != 0)
		return rc;
	rc = umem_wait_durable(r->u, seq);
	if (rc == 0)
		r->acked[slot] = gen + nr;
	return rc;
}

MAY_YIELD static void
writer_ult(void *arg)
{
	struct rig *r   = arg;
	uint32_t    me  = r->next_ult++;
	uint8_t    *buf = aligned_alloc(BIO_BLOCK_BYTES, 2 * BIO_BLOCK_BYTES);
	int         rc  = 0;

	while (rc == 0) {
		uint64_t slot    = fix_random(&r->rng) % (SLOT_NR / ULT_NR) * ULT_NR + me;
		uint64_t blks[2] = {block_take(r)};
		int      nr      = blks[0] < DATA_BLK_NR;

		if (nr == 1 && fix_random(&r->rng) % 3 == 0) {
			blks[1] = block_take(r);
			nr += blks[1] < DATA_BLK_NR;
		}
		if (nr > 0)
			rc = slot_write(r, slot, blks, nr, buf);
		else
			rc = umem_wait_proven(r->u, umem_last_seq(r->u));
	}
	assert_int_equal(rc, -DER_IO);
	free(buf);
}

MAY_YIELD static void
check_slots(struct rig *r)
{
	uint8_t *buf  = aligned_alloc(BIO_BLOCK_BYTES, BIO_BLOCK_BYTES);
	uint8_t *want = malloc(BIO_BLOCK_BYTES);

	memset(r->free_seq, 0, sizeof(r->free_seq));
	for (int i = 0; i < SLOT_NR; i++) {
		uint64_t     gen = rig_root(r)->slots[i].gen;
		uint64_t     blk = rig_root(r)->slots[i].blk;
		struct iovec iov = {buf, BIO_BLOCK_BYTES};

		assert_in_range(gen, r->acked[i], r->begun[i]);
		r->acked[i] = gen;
		if (gen == 0)
			continue;
		assert_int_equal(r->free_seq[blk], 0); /* nobody else's */
		r->free_seq[blk] = UINT64_MAX;
		assert_int_equal(bio_readv(r->data, blk * BIO_BLOCK_BYTES, &iov, 1), 0);
		fill(want, i, gen);
		assert_memory_equal(buf, want, BIO_BLOCK_BYTES);
	}
	free(want);
	free(buf);
}

MAY_YIELD static void
life_ult(void *arg)
{
	struct rig      *r    = arg;
	struct umem_attr attr = rig_attr(r);
	struct ult      *ults[ULT_NR];

	assert_int_equal(umem_open(&attr, fix_uuid, &r->u), 0);
	check_slots(r);
	r->next_ult = 0;
	for (int i = 0; i < ULT_NR; i++)
		assert_int_equal(ult_create(NULL, ULT_POOL_IO, writer_ult, r, 0, &ults[i]), 0);
	bio_ram_fail_after(r->ram[r->ram[1] != NULL && fix_random(&r->rng) % 2],
			   fix_random(&r->rng) % 150);
	for (int i = 0; i < ULT_NR; i++)
		ult_join(ults[i]);
	umem_close(r->u);
}

static void
lose_power(struct rig *r)
{
	rig_close_devs(r);
	for (int i = 0; i < 2 && r->ram[i] != NULL; i++)
		bio_ram_power_loss(r->ram[i], fix_random(&r->rng));
	rig_open_devs(r);
}

MAY_YIELD static void
fail_while_opening(struct rig *r)
{
	struct umem_attr attr = rig_attr(r);

	bio_ram_fail_after(r->ram[0], fix_random(&r->rng) % 12);
	if (umem_open(&attr, fix_uuid, &r->u) == 0)
		umem_close(r->u);
	lose_power(r);
}

MAY_YIELD static void
seed_ult(void *arg)
{
	struct rig      *r = arg;
	struct umem_attr attr;

	rig_open_devs(r);
	attr = rig_attr(r);
	assert_int_equal(umem_format(&attr, fix_uuid), 0);
	for (int i = 0; i < 2 && r->ram[i] != NULL; i++)
		assert_int_equal(bio_ram_track(r->ram[i]), 0);
	for (int life = 0; life < LIFE_NR; life++) {
		/* Now and then power is lost while opening, too. */
		if (fix_random(&r->rng) % 3 == 0)
			fail_while_opening(r);
		life_ult(r);
		lose_power(r);
	}
	rig_close_devs(r);
}

static void
run_seeds(bool two_devices)
{
	const char *env      = getenv("UMEM_SEEDS");
	uint64_t    seed_nr  = env == NULL ? 60 : strtoull(env, NULL, 0);
	uint64_t    reuse_nr = 0;

	for (uint64_t seed = 1; seed <= seed_nr; seed++) {
		struct rig r = {.rng = seed * 0x9e3779b97f4a7c15ULL};

		print_message("seed %lu\n", seed);
		rig_format(&r, two_devices);
		fix_run(seed_ult, &r);
		reuse_nr += r.reuse_nr;
		bio_ram_destroy(r.ram[0]);
		if (two_devices)
			bio_ram_destroy(r.ram[1]);
	}
	assert_true(reuse_nr > seed_nr); /* or nothing was tested */
}

static void
noted_data_is_there_or_the_record_is_not(void **state)
{
	run_seeds(false);
}

static void
the_same_with_data_on_another_device(void **state)
{
	run_seeds(true);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(noted_data_is_there_or_the_record_is_not),
	    cmocka_unit_test(the_same_with_data_on_another_device),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
