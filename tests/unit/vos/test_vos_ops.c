/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/** Single situations: full pools, failed and concurrent operations, life of pools and containers,
 * cost. */
#include "vos_test_util.h"
#include "base/util.h"
#include "umem/umem.h"
#include "ult/ult.h"
#include "vos/vos_internal.h"

static daos_key_t
key_of(const char *text)
{
	daos_key_t key;

	d_iov_set(&key, (void *)text, strlen(text));
	return key;
}

static daos_key_t
int_key_of(uint64_t *value)
{
	daos_key_t key;

	d_iov_set(&key, value, sizeof(*value));
	return key;
}

/** Write @bytes times @fill at byte @off of array "a" under integer dkey @dkey. */
static int
array_write(struct vos_cont *cont, uint64_t dkey, uint64_t epoch, uint64_t off, uint64_t bytes,
	    int fill)
{
	daos_key_t  key = int_key_of(&dkey);
	daos_recx_t recx = {off, bytes};
	daos_iod_t  iod = {.iod_name = key_of("a"),
			   .iod_type = DAOS_IOD_ARRAY,
			   .iod_size = 1,
			   .iod_nr = 1,
			   .iod_recxs = &recx};
	d_iov_t	    iov;
	d_sg_list_t sgl = {.sg_nr = 1, .sg_iovs = &iov};
	char	   *buf = malloc(bytes);
	int	    rc;

	memset(buf, fill, bytes);
	d_iov_set(&iov, buf, bytes);
	rc = vos_obj_update(cont, test_oid(DAOS_OT_ARRAY_BYTE, 1), epoch, 0, &key, 1, &iod, &sgl);
	free(buf);
	return rc;
}

static int
array_read(struct vos_cont *cont, uint64_t dkey, uint64_t epoch, uint64_t off, uint64_t bytes,
	   char *buf)
{
	daos_key_t  key = int_key_of(&dkey);
	daos_recx_t recx = {off, bytes};
	daos_iod_t  iod = {.iod_name = key_of("a"),
			   .iod_type = DAOS_IOD_ARRAY,
			   .iod_size = 1,
			   .iod_nr = 1,
			   .iod_recxs = &recx};
	d_iov_t	    iov;
	d_sg_list_t sgl = {.sg_nr = 1, .sg_iovs = &iov};

	d_iov_set(&iov, buf, bytes);
	return vos_obj_fetch(cont, test_oid(DAOS_OT_ARRAY_BYTE, 1), epoch, 0, &key, 1, &iod, &sgl);
}

static int
value_write(struct vos_cont *cont, const char *dkey, const char *akey, uint64_t epoch,
	    uint64_t flags, const void *buf, uint64_t bytes)
{
	daos_key_t key = key_of(dkey);
	daos_iod_t iod = {
	    .iod_name = key_of(akey), .iod_type = DAOS_IOD_SINGLE, .iod_size = bytes, .iod_nr = 1};
	d_iov_t	    iov;
	d_sg_list_t sgl = {.sg_nr = 1, .sg_iovs = &iov};

	d_iov_set(&iov, (void *)buf, bytes);
	return vos_obj_update(cont, test_oid(DAOS_OT_MULTI_HASHED, 1), epoch, flags, &key, 1, &iod,
			      &sgl);
}

/** Bytes read, or an error. */
static int64_t
value_read(struct vos_cont *cont, const char *dkey, const char *akey, uint64_t epoch, void *buf,
	   uint64_t bytes)
{
	daos_key_t  key = key_of(dkey);
	daos_iod_t  iod = {.iod_name = key_of(akey), .iod_type = DAOS_IOD_SINGLE, .iod_nr = 1};
	d_iov_t	    iov;
	d_sg_list_t sgl = {.sg_nr = 1, .sg_iovs = &iov};
	int	    rc;

	d_iov_set(&iov, buf, bytes);
	rc = vos_obj_fetch(cont, test_oid(DAOS_OT_MULTI_HASHED, 1), epoch, 0, &key, 1, &iod, &sgl);
	return rc != 0 ? rc : (int64_t)iod.iod_size;
}

/* ---- full ---- */

static void
reclaim_all(struct rig *rig, uint64_t epoch)
{
	int rc;

	assert_int_equal(vos_aggregate(rig->cont, epoch, NULL, NULL), 0);
	while ((rc = vos_gc(rig->pool, 1000)) > 0)
		;
	assert_int_equal(rc, 0);
}

/** Write until full; then a punch goes, reclaiming gives all back, and writing goes again; thrice.
 */
static void
fill_and_empty(enum rig_kind kind, const struct rig_size *size, uint64_t bytes)
{
	struct vos_pool_info before;
	struct vos_pool_info info;
	struct rig	     rig;
	uint64_t	     epoch = 1;
	uint32_t	     round;
	uint64_t	     first = 0;

	rig_init(&rig, kind, size);
	for (round = 0; round < 3; round++) {
		uint64_t nr = 0;
		int	 rc;

		while ((rc = array_write(rig.cont, nr % 100, epoch, nr / 100 * bytes, bytes, 7)) ==
		       0) {
			nr++;
			epoch++;
		}
		assert_int_equal(rc, -DER_NOSPACE);
		assert_true(nr > 20);
		assert_int_equal(vos_pool_check(rig.pool), 0);
		vos_pool_query(rig.pool, &before);
		if (round == 0)
			first = nr;
		assert_true(nr > first * 8 / 10);
		assert_int_equal(vos_obj_punch(rig.cont, test_oid(DAOS_OT_ARRAY_BYTE, 1), ++epoch,
					       0, NULL, 0, NULL),
				 0);
		reclaim_all(&rig, epoch++);
		assert_int_equal(vos_pool_check(rig.pool), 0);
		vos_pool_query(rig.pool, &info);
		assert_int_equal(info.nvme_free, info.nvme_total);
		assert_true(info.scm_free >= before.scm_free);
		assert_int_equal(info.obj_nr, 0);
	}
	rig_fini(&rig);
}

static void
full_heap(void **state)
{
	fill_and_empty(RIG_VOLATILE, &(struct rig_size){2 << 20, 0}, 700);
}

static void
full_durable_heap(void **state)
{
	fill_and_empty(RIG_RAM, &(struct rig_size){8 << 20, 0}, 3000);
}

static void
full_data_blob(void **state)
{
	fill_and_empty(RIG_RAM, &(struct rig_size){16 << 20, 8 << 20}, 100000);
}

/** Overwriting in place fits for ever when aggregation keeps up. */
static void
overwriting_with_aggregation_does_not_fill_up(void **state)
{
	struct rig rig;
	uint64_t   epoch;

	rig_init(&rig, RIG_RAM, &(struct rig_size){16 << 20, 8 << 20});
	for (epoch = 1; epoch < 400; epoch++) {
		assert_int_equal(array_write(rig.cont, 0, epoch, epoch % 3 * 5000, 100000, epoch),
				 0);
		if (epoch % 20 == 0)
			reclaim_all(&rig, epoch);
	}
	assert_int_equal(vos_pool_check(rig.pool), 0);
	rig_fini(&rig);
}

/** A fragmented blob still takes what fits in pieces. */
static void
fragmented_blob_takes_an_extent_in_pieces(void **state)
{
	struct rig rig;
	uint64_t   nr;
	uint64_t   epoch = 1;
	char	  *buf = malloc(400000);
	uint64_t   i;

	rig_init(&rig, RIG_VOLATILE_DATA, &(struct rig_size){16 << 20, 4 << 20});
	vos_pool_set_reserve(rig.pool, 0);
	for (nr = 0; array_write(rig.cont, nr, epoch, 0, 8192, 1) == 0; nr++)
		epoch++;
	for (i = 0; i < nr; i += 2) {
		daos_key_t key = int_key_of(&i);

		assert_int_equal(vos_obj_punch(rig.cont, test_oid(DAOS_OT_ARRAY_BYTE, 1), ++epoch,
					       0, &key, 0, NULL),
				 0);
	}
	reclaim_all(&rig, epoch);
	assert_int_equal(array_write(rig.cont, 0, ++epoch, 77, 400000, 9), 0);
	assert_int_equal(vos_pool_check(rig.pool), 0);
	memset(buf, 0, 400000);
	assert_int_equal(array_read(rig.cont, 0, epoch, 77, 400000, buf), 0);
	for (i = 0; i < 400000; i++)
		assert_int_equal(buf[i], 9);
	free(buf);
	rig_fini(&rig);
}

/* ---- operations that fail, or meet ---- */

static void
given_up_update_leaves_nothing(void **state)
{
	struct vos_pool_info before;
	struct vos_pool_info after;
	struct rig	     rig;
	uint64_t	     dkey = 1;
	daos_key_t	     key = int_key_of(&dkey);
	daos_recx_t	     recx = {10, 50000};
	daos_iod_t	     iod = {.iod_name = key_of("a"),
				    .iod_type = DAOS_IOD_ARRAY,
				    .iod_size = 1,
				    .iod_nr = 1,
				    .iod_recxs = &recx};
	struct vos_io	    *io;

	rig_init(&rig, RIG_RAM, &(struct rig_size){16 << 20, 8 << 20});
	vos_pool_query(rig.pool, &before);
	assert_int_equal(
	    vos_update_begin(rig.cont, test_oid(DAOS_OT_ARRAY_BYTE, 1), 5, 0, &key, 1, &iod, &io),
	    0);
	assert_int_equal(vos_io_sgl(io, 0)->sg_nr, 1);
	assert_int_equal(vos_io_sgl(io, 0)->sg_iovs[0].iov_buf_len, 50000);
	vos_pool_query(rig.pool, &after);
	assert_true(after.nvme_free < before.nvme_free);
	assert_int_equal(vos_update_end(io, -DER_CANCELED), -DER_CANCELED);
	vos_pool_query(rig.pool, &after);
	assert_memory_equal(&before, &after, sizeof(before));
	assert_int_equal(vos_pool_check(rig.pool), 0);
	rig_fini(&rig);
}

static void
condition_is_checked_again_at_the_end(void **state)
{
	struct rig rig;
	daos_key_t key = key_of("d");
	daos_iod_t iod = {
	    .iod_name = key_of("a"), .iod_type = DAOS_IOD_SINGLE, .iod_size = 4, .iod_nr = 1};
	struct vos_io *io[2];
	char	       buf[4];
	int	       i;

	rig_init(&rig, RIG_VOLATILE, &(struct rig_size){4 << 20, 0});
	for (i = 0; i < 2; i++) {
		assert_int_equal(vos_update_begin(rig.cont, test_oid(0, 1), 5 + i,
						  DAOS_COND_DKEY_INSERT, &key, 1, &iod, &io[i]),
				 0);
		memcpy(vos_io_sgl(io[i], 0)->sg_iovs[0].iov_buf, i == 0 ? "one" : "two", 4);
	}
	assert_int_equal(vos_update_end(io[0], 0), 0);
	assert_int_equal(vos_update_end(io[1], 0), -DER_EXIST);
	assert_int_equal(value_read(rig.cont, "d", "a", DAOS_EPOCH_MAX, buf, 4), 4);
	assert_string_equal(buf, "one");
	rig_fini(&rig);
}

static void
operation_under_way_keeps_the_container(void **state)
{
	struct rig rig;
	daos_key_t key = key_of("d");
	daos_iod_t iod = {
	    .iod_name = key_of("a"), .iod_type = DAOS_IOD_SINGLE, .iod_size = 4, .iod_nr = 1};
	struct vos_io *io;

	rig_init(&rig, RIG_VOLATILE, &(struct rig_size){4 << 20, 0});
	assert_int_equal(vos_update_begin(rig.cont, test_oid(0, 1), 5, 0, &key, 1, &iod, &io), 0);
	vos_cont_close(rig.cont);
	assert_int_equal(vos_cont_destroy(rig.pool, rig.cont_uuid), -DER_BUSY);
	memset(vos_io_sgl(io, 0)->sg_iovs[0].iov_buf, 1, 4);
	assert_int_equal(vos_update_end(io, 0), 0);
	rig.cont = NULL;
	assert_int_equal(vos_cont_destroy(rig.pool, rig.cont_uuid), 0);
	assert_int_equal(vos_cont_destroy(rig.pool, rig.cont_uuid), -DER_NONEXIST);
	while (vos_gc(rig.pool, 3) > 0)
		;
	assert_int_equal(vos_pool_check(rig.pool), 0);
	rig_fini(&rig);
}

static void
bad_arguments_are_refused(void **state)
{
	struct rig     rig;
	daos_recx_t    recx = {UINT64_MAX, 1};
	daos_iod_t     iod = {.iod_name = key_of("a"),
			      .iod_type = DAOS_IOD_ARRAY,
			      .iod_size = 1,
			      .iod_nr = 1,
			      .iod_recxs = &recx};
	daos_key_t     key = key_of("d");
	struct vos_io *io;

	rig_init(&rig, RIG_VOLATILE, &(struct rig_size){4 << 20, 0});
	assert_int_equal(vos_update_begin(rig.cont, test_oid(0, 1), 5, 0, &key, 1, &iod, &io),
			 -DER_INVAL);
	recx = (daos_recx_t){0, 0};
	assert_int_equal(vos_update_begin(rig.cont, test_oid(0, 1), 5, 0, &key, 1, &iod, &io),
			 -DER_INVAL);
	recx = (daos_recx_t){0, 1ul << 33};
	assert_int_equal(vos_update_begin(rig.cont, test_oid(0, 1), 5, 0, &key, 1, &iod, &io),
			 -DER_REC2BIG);
	recx = (daos_recx_t){0, 1};
	assert_int_equal(vos_update_begin(rig.cont, test_oid(0, 1), 0, 0, &key, 1, &iod, &io),
			 -DER_INVAL);
	assert_int_equal(
	    vos_update_begin(rig.cont, test_oid(0, 1), DAOS_EPOCH_MAX, 0, &key, 1, &iod, &io),
	    -DER_INVAL);
	/* An integer dkey has eight bytes. */
	assert_int_equal(
	    vos_update_begin(rig.cont, test_oid(DAOS_OT_ARRAY_BYTE, 1), 5, 0, &key, 1, &iod, &io),
	    -DER_INVAL);
	key.iov_len = 0;
	assert_int_equal(vos_update_begin(rig.cont, test_oid(0, 1), 5, 0, &key, 1, &iod, &io),
			 -DER_INVAL);
	assert_int_equal(vos_obj_punch(rig.cont, test_oid(0, 1), 5, 0, &key, 0, NULL), -DER_INVAL);
	rig_fini(&rig);
}

static void
one_kind_of_value_an_akey(void **state)
{
	struct rig  rig;
	uint64_t    dkey = 1;
	daos_key_t  key = int_key_of(&dkey);
	daos_recx_t recx = {0, 4};
	daos_iod_t  iod = {
	     .iod_name = key_of("a"), .iod_type = DAOS_IOD_SINGLE, .iod_size = 4, .iod_nr = 1};
	char	    buf[16] = "abcdefghijklmno";
	d_iov_t	    iov;
	d_sg_list_t sgl = {.sg_nr = 1, .sg_iovs = &iov};

	rig_init(&rig, RIG_VOLATILE, &(struct rig_size){4 << 20, 0});
	d_iov_set(&iov, buf, sizeof(buf));
	assert_int_equal(array_write(rig.cont, 1, 1, 0, 10, 3), 0);
	assert_int_equal(
	    vos_obj_update(rig.cont, test_oid(DAOS_OT_ARRAY_BYTE, 1), 2, 0, &key, 1, &iod, &sgl),
	    -DER_INVAL);
	/* Nor another record size, until what is there is punched. */
	iod.iod_type = DAOS_IOD_ARRAY;
	iod.iod_recxs = &recx;
	assert_int_equal(
	    vos_obj_update(rig.cont, test_oid(DAOS_OT_ARRAY_BYTE, 1), 2, 0, &key, 1, &iod, &sgl),
	    -DER_INVAL);
	assert_int_equal(
	    vos_obj_punch(rig.cont, test_oid(DAOS_OT_ARRAY_BYTE, 1), 3, 0, &key, 0, NULL), 0);
	assert_int_equal(
	    vos_obj_update(rig.cont, test_oid(DAOS_OT_ARRAY_BYTE, 1), 4, 0, &key, 1, &iod, &sgl),
	    0);
	assert_int_equal(vos_pool_check(rig.pool), 0);
	rig_fini(&rig);
}

static void
writes_below_the_floor_are_refused(void **state)
{
	struct rig	     rig;
	struct vos_cont_info info;

	rig_init(&rig, RIG_VOLATILE, &(struct rig_size){4 << 20, 0});
	assert_int_equal(value_write(rig.cont, "d", "a", 10, 0, "abc", 4), 0);
	assert_int_equal(vos_aggregate(rig.cont, 20, NULL, NULL), 0);
	vos_cont_query(rig.cont, &info);
	assert_int_equal(info.hae, 20);
	assert_int_equal(value_write(rig.cont, "d", "a", 20, 0, "abc", 4), -DER_EP_OLD);
	assert_int_equal(value_write(rig.cont, "d", "a", 21, 0, "abc", 4), 0);
	rig_reopen(&rig);
	assert_int_equal(value_write(rig.cont, "d", "a", 20, 0, "abc", 4), -DER_EP_OLD);
	rig_fini(&rig);
}

/** Record size of what is at @idx. */
static uint64_t
record_size(struct vos_cont *cont, uint64_t dkey, uint64_t epoch, uint64_t idx)
{
	daos_key_t     key = int_key_of(&dkey);
	daos_recx_t    recx = {idx, 1};
	daos_iod_t     iod = {.iod_name = key_of("a"), .iod_type = DAOS_IOD_ARRAY, .iod_nr = 1, .iod_recxs = &recx};
	uint64_t       size;

	assert_int_equal(vos_fetch_sizes(cont, test_oid(DAOS_OT_ARRAY_BYTE, 1), epoch, 0, &key, 1, &iod, &size), 0);
	return size;
}

static void
nothing_has_no_record_size(void **state)
{
	uint64_t    dkey = 1;
	daos_key_t  key = int_key_of(&dkey);
	daos_recx_t recx = {2, (1 << 20) - 2};
	daos_iod_t  iod = {.iod_name = key_of("a"), .iod_type = DAOS_IOD_ARRAY, .iod_nr = 1, .iod_recxs = &recx};
	struct rig  rig;

	rig_init(&rig, RIG_VOLATILE, &(struct rig_size){4 << 20, 0});
	assert_int_equal(array_write(rig.cont, 1, 10, 0, 1, 'x'), 0);
	assert_int_equal(array_write(rig.cont, 1, 11, 1, 1, 'y'), 0);
	assert_int_equal(record_size(rig.cont, 1, 20, 1), 1);
	assert_int_equal(record_size(rig.cont, 1, 20, 99999), 0); /* never written */
	assert_int_equal(vos_obj_update(rig.cont, test_oid(DAOS_OT_ARRAY_BYTE, 1), 21, 0, &key, 1, &iod, NULL), 0);
	assert_int_equal(record_size(rig.cont, 1, 30, 99999), 0); /* punched */
	assert_int_equal(record_size(rig.cont, 1, DAOS_EPOCH_MAX, 99999), 0);
	assert_int_equal(record_size(rig.cont, 1, 30, 1), 1);
	rig_fini(&rig);
}

static void
newest_change_without_a_key_query(void **state)
{
	daos_unit_oid_t oid = test_oid(DAOS_OT_MULTI_HASHED, 1);
	daos_epoch_t	newest = 99;
	struct rig	rig;

	rig_init(&rig, RIG_VOLATILE, &(struct rig_size){4 << 20, 0});
	assert_int_equal(vos_obj_query_key(rig.cont, oid, 0, 50, NULL, NULL, NULL, NULL, &newest), -DER_NONEXIST);
	assert_int_equal(newest, 99);
	assert_int_equal(value_write(rig.cont, "d", "a", 10, 0, "abc", 4), 0);
	assert_int_equal(value_write(rig.cont, "e", "b", 7, 0, "abc", 4), 0);
	assert_int_equal(vos_obj_query_key(rig.cont, oid, 0, 50, NULL, NULL, NULL, NULL, &newest), 0);
	assert_int_equal(newest, 10);
	assert_int_equal(vos_obj_punch(rig.cont, oid, 30, 0, NULL, 0, NULL), 0);
	assert_int_equal(vos_obj_query_key(rig.cont, oid, 0, 50, NULL, NULL, NULL, NULL, &newest), 0);
	assert_int_equal(newest, 30);
	rig_fini(&rig);
}

/* ---- lives ---- */

static void
pools_and_containers_by_name(void **state)
{
	struct vos_pool_size size = {8 << 20, 0, 4 << 20};
	struct rig	     rig;
	struct vos_pool	    *pool;
	struct vos_cont	    *cont;
	uuid_t		     other;

	rig_init(&rig, RIG_RAM, &(struct rig_size){16 << 20, 8 << 20});
	memset(other, 7, sizeof(other));
	assert_int_equal(vos_pool_open(&rig.store, other, &pool), -DER_NONEXIST);
	assert_int_equal(vos_pool_create(&rig.store, rig.pool_uuid, &size), -DER_EXIST);
	assert_int_equal(vos_pool_create(&rig.store, other, &size), 0);
	assert_int_equal(vos_pool_open(&rig.store, other, &pool), 0);
	assert_int_equal(vos_cont_open(pool, rig.cont_uuid, &cont), -DER_NONEXIST);
	assert_int_equal(vos_cont_create(rig.pool, rig.cont_uuid), -DER_EXIST);
	vos_pool_close(pool);
	assert_int_equal(vos_pool_destroy(&rig.store, other), 0);
	assert_int_equal(vos_pool_destroy(&rig.store, other), -DER_NONEXIST);
	rig_fini(&rig);
}

static void
too_large_a_pool_leaves_nothing(void **state)
{
	struct vos_pool_size size = {8 << 20, 0, 1ull << 40};
	struct bio_dev_space before;
	struct bio_dev_space after;
	struct rig	     rig;
	uuid_t		     other;

	rig_init(&rig, RIG_RAM, &(struct rig_size){16 << 20, 8 << 20});
	memset(other, 7, sizeof(other));
	bio_dev_space(rig.dev, &before);
	assert_int_equal(vos_pool_create(&rig.store, other, &size), -DER_NOSPACE);
	bio_dev_space(rig.dev, &after);
	assert_int_equal(before.free_bytes, after.free_bytes);
	assert_int_equal(vos_pool_destroy(&rig.store, other), -DER_NONEXIST);
	rig_fini(&rig);
}

static void
volatile_pool_lives_until_destroyed(void **state)
{
	struct rig rig;
	char	   buf[4];

	rig_init(&rig, RIG_VOLATILE, &(struct rig_size){4 << 20, 0});
	assert_int_equal(value_write(rig.cont, "d", "a", 1, 0, "abc", 4), 0);
	rig_reopen(&rig);
	assert_int_equal(value_read(rig.cont, "d", "a", 1, buf, 4), 4);
	assert_string_equal(buf, "abc");
	assert_int_equal(vos_pool_destroy(&rig.store, rig.pool_uuid), -DER_BUSY);
	rig_fini(&rig);
}

/* ---- several ULTs at once ---- */

#define WRITER_NR  6
#define BLOB_BYTES 20000u

struct crowd {
	struct rig rig;
	uint64_t   epoch;
	uint32_t   rounds;
	uint32_t   running;
	bool	   stop;
	uint32_t   reads;
};

/** Whole blobs and parts of them, all bytes of a write alike. */
static void
writer(void *arg)
{
	struct crowd *c = arg;
	uint32_t      i;

	for (i = 0; i < c->rounds; i++) {
		uint64_t epoch = ++c->epoch;
		int	 rc = array_write(c->rig.cont, i % 5, epoch, i % 4 == 0 ? 1000 : 0,
					  i % 4 == 0 ? 9000 : BLOB_BYTES, 1 + epoch % 250);

		assert_true(rc == 0 || rc == -DER_EP_OLD);
		if (i % 8 == 0)
			ult_yield();
	}
	c->running--;
}

static void
reader(void *arg)
{
	struct crowd *c = arg;
	char	     *buf = malloc(BLOB_BYTES);
	uint32_t      n = 0;

	while (!c->stop) {
		int rc;

		memset(buf, 0, BLOB_BYTES);
		rc = array_read(c->rig.cont, n++ % 5, DAOS_EPOCH_MAX, 0, BLOB_BYTES, buf);
		assert_int_equal(rc, 0);
		/* Two writes at most meet in what is seen: one whole, or a part on top of one. */
		if (buf[0] != 0) {
			assert_int_equal(buf[0], buf[999]);
			assert_int_equal(buf[0], buf[10000]);
			assert_int_equal(buf[0], buf[BLOB_BYTES - 1]);
			assert_int_equal(buf[1000], buf[9999]);
		}
		c->reads++;
		ult_yield();
	}
	free(buf);
	c->running--;
}

static void
reclaimer(void *arg)
{
	struct crowd *c = arg;

	while (!c->stop) {
		uint64_t epoch = c->epoch;
		int	 rc;

		if (epoch > 20) {
			rc = vos_aggregate(c->rig.cont, epoch - 20, NULL, NULL);
			assert_int_equal(rc, 0);
		}
		rc = vos_gc(c->rig.pool, 100);
		assert_true(rc >= 0);
		ult_yield();
	}
	c->running--;
}

static void
crowd_test(enum rig_kind kind, uint32_t rounds)
{
	struct crowd c = {.rounds = rounds};
	struct ult  *writers[WRITER_NR];
	struct ult  *others[4];
	uint32_t     i;

	/* Room for a few generations only, so that blocks are used again all the time. */
	rig_init(&c.rig, kind, &(struct rig_size){16 << 20, 3 << 20});
	for (i = 0; i < WRITER_NR; i++)
		assert_int_equal(ult_create(NULL, ULT_POOL_IO, writer, &c, 1 << 18, &writers[i]),
				 0);
	for (i = 0; i < 4; i++)
		assert_int_equal(ult_create(NULL, ULT_POOL_IO, i == 3 ? reclaimer : reader, &c,
					    1 << 18, &others[i]),
				 0);
	for (i = 0; i < WRITER_NR; i++)
		ult_join(writers[i]);
	c.stop = true;
	for (i = 0; i < 4; i++)
		ult_join(others[i]);
	assert_true(c.reads > 10);
	assert_int_equal(vos_pool_check(c.rig.pool), 0);
	rig_reopen(&c.rig);
	assert_int_equal(vos_pool_check(c.rig.pool), 0);
	rig_fini(&c.rig);
}

static void
readers_writers_and_reclaim_on_ram(void **state)
{
	crowd_test(RIG_RAM, rnd_rounds(300));
}

static void
readers_writers_and_reclaim_on_a_file(void **state)
{
	crowd_test(RIG_FILE, rnd_rounds(60));
}

/* ---- cost ---- */

static void
small_things_are_cheap(void **state)
{
	struct vos_pool_info before;
	struct vos_pool_info after;
	struct rig	     rig;
	char		     dkey[32];
	uint64_t	     used;
	uint32_t	     i;

	rig_init(&rig, RIG_VOLATILE, &(struct rig_size){32 << 20, 0});
	vos_pool_query(rig.pool, &before);
	for (i = 0; i < 5000; i++) {
		snprintf(dkey, sizeof(dkey), "file-%06u", i);
		assert_int_equal(value_write(rig.cont, dkey, "DFS_INODE", i + 1, 0, dkey, 16), 0);
	}
	vos_pool_query(rig.pool, &after);
	used = (before.scm_free - after.scm_free) / 5000;
	print_message("%lu heap bytes for a dkey of 11, an akey of 9 and a value of 16 bytes\n",
		      used);
	/* Two keys at 200 each, besides themselves. */
	assert_in_range(used, 100, 400 + 36);

	vos_pool_query(rig.pool, &before);
	for (i = 0; i < 5000; i++)
		assert_int_equal(array_write(rig.cont, 0, 10000 + i, i * 32ul, 16, 1), 0);
	vos_pool_query(rig.pool, &after);
	used = (before.scm_free - after.scm_free) / 5000;
	print_message("%lu heap bytes for an extent of 16 bytes\n", used);
	assert_in_range(used, 40, 100 + 16);
	rig_fini(&rig);
}

/** A bit of a value turns on the device. */
static void
rotten_block_is_refused_and_found(void **state)
{
	struct rig	     rig;
	struct rig_size	     size = {8 << 20, 16 << 20};
	struct vos_scrub     scrub = {0};
	struct vos_pool_info info;
	char		    *buf = calloc(1, 20000);
	uint8_t		    *at;

	rig_init(&rig, RIG_RAM, &size);
	assert_int_equal(array_write(rig.cont, 1, 1, 0, 20000, 0xa7), 0);
	assert_int_equal(array_write(rig.cont, 2, 1, 0, 20000, 0xb8), 0);
	assert_int_equal(vos_pool_scrub(rig.pool, &scrub, 3), 0);
	assert_false(scrub.ended);
	assert_int_equal(vos_pool_scrub(rig.pool, &scrub, UINT32_MAX), 0);
	assert_true(scrub.ended);
	assert_int_equal(scrub.checked_nr, 10);
	assert_int_equal(scrub.bad_nr, 0);
	memset(buf, 0xa7, 4096);
	at = memmem(bio_ram_data(rig.ram), bio_ram_bytes(rig.ram), buf, 4096);
	assert_non_null(at);
	at[100] ^= 4;
	/* Even if the bytes asked for are others of that block. */
	assert_int_equal(array_read(rig.cont, 1, 5, 200, 10, buf), -DER_CSUM);
	assert_int_equal(array_read(rig.cont, 1, 5, 5000, 10, buf), 0);
	assert_int_equal(array_read(rig.cont, 2, 5, 0, 20000, buf), 0);
	scrub = (struct vos_scrub){0};
	assert_int_equal(vos_pool_scrub(rig.pool, &scrub, UINT32_MAX), 0);
	assert_int_equal(scrub.bad_nr, 1);
	vos_pool_query(rig.pool, &info);
	assert_int_equal(info.csum_err_nr, 2);
	at[100] ^= 4;
	rig_reopen(&rig);
	assert_int_equal(array_read(rig.cont, 1, 5, 0, 20000, buf), 0);
	rig_fini(&rig);
	free(buf);
}

static int
group(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(rotten_block_is_refused_and_found),
	    cmocka_unit_test(full_heap),
	    cmocka_unit_test(full_durable_heap),
	    cmocka_unit_test(full_data_blob),
	    cmocka_unit_test(overwriting_with_aggregation_does_not_fill_up),
	    cmocka_unit_test(fragmented_blob_takes_an_extent_in_pieces),
	    cmocka_unit_test(given_up_update_leaves_nothing),
	    cmocka_unit_test(condition_is_checked_again_at_the_end),
	    cmocka_unit_test(operation_under_way_keeps_the_container),
	    cmocka_unit_test(bad_arguments_are_refused),
	    cmocka_unit_test(one_kind_of_value_an_akey),
	    cmocka_unit_test(writes_below_the_floor_are_refused),
	    cmocka_unit_test(nothing_has_no_record_size),
	    cmocka_unit_test(newest_change_without_a_key_query),
	    cmocka_unit_test(pools_and_containers_by_name),
	    cmocka_unit_test(too_large_a_pool_leaves_nothing),
	    cmocka_unit_test(volatile_pool_lives_until_destroyed),
	    cmocka_unit_test(readers_writers_and_reclaim_on_ram),
	    cmocka_unit_test(readers_writers_and_reclaim_on_a_file),
	    cmocka_unit_test(small_things_are_cheap),
	};

	return cmocka_run_group_tests_name("vos/ops", tests, NULL, NULL);
}

int
main(void)
{
	return vos_test_run(group);
}
