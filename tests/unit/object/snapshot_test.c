/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/** Reading at a snapshot, through libdaos: whatever is written later, all kinds of reads see what was there. */
#include "testcluster.h"

#include <daos.h>
#include <daos_errno.h>
#include <stdlib.h>
#include <string.h>

#define ARRAY_BYTES 20000u

struct fixture {
	struct testcluster *tc;
	struct client      *cl;
	daos_handle_t       poh, coh, oh, th;
	daos_epoch_t        epoch;
};

static daos_handle_t
cont_make(struct fixture *f, const char *label)
{
	daos_handle_t coh;

	assert_int_equal(daos_cont_create_with_label(f->poh, label, NULL, NULL, NULL), 0);
	assert_int_equal(daos_cont_open(f->poh, label, DAOS_COO_RW, &coh, NULL, NULL), 0);
	return coh;
}

static daos_handle_t
obj_make(daos_handle_t coh, uint64_t lo, enum daos_otype_t type)
{
	daos_obj_id_t oid = {.lo = lo};
	daos_handle_t oh;

	assert_int_equal(daos_obj_generate_oid(coh, &oid, type, OC_SX, 0, 0), 0);
	assert_int_equal(daos_obj_open(coh, oid, DAOS_OO_RW, &oh, NULL), 0);
	return oh;
}

static int
start(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	f->tc = tc_start(&(struct tc_opts){.engine_nr = 2, .tgt_nr = 2});
	tc_pool_create(f->tc, "pool", NULL);
	f->cl = tc_client_start(f->tc);
	assert_int_equal(daos_pool_connect("pool", NULL, DAOS_PC_RW, &f->poh, NULL, NULL), 0);
	f->coh = cont_make(f, "box");
	f->oh = obj_make(f->coh, 1, 0);
	*state = f;
	return 0;
}

static int
stop(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(daos_obj_close(f->oh, NULL), 0);
	assert_int_equal(daos_cont_close(f->coh, NULL), 0);
	assert_int_equal(daos_pool_disconnect(f->poh, NULL), 0);
	tc_client_stop(f->tc, f->cl);
	tc_stop(f->tc);
	free(f);
	return 0;
}

static void
snap(struct fixture *f)
{
	daos_epoch_t epoch = 0;

	assert_int_equal(daos_cont_create_snap(f->coh, &f->epoch, NULL, NULL), 0);
	assert_int_equal(daos_tx_open_snap(f->coh, f->epoch, &f->th, NULL), 0);
	assert_int_equal(daos_tx_hdl2epoch(f->th, &epoch), 0);
	assert_int_equal(epoch, f->epoch);
}

static void
unsnap(struct fixture *f)
{
	assert_int_equal(daos_tx_close(f->th, NULL), 0);
}

/* ---- values ---- */

static int
io(daos_handle_t oh, daos_handle_t th, const char *key, uint64_t number, bool is_read, uint64_t *ret_number)
{
	daos_key_t  dkey;
	d_iov_t     iov;
	d_sg_list_t sgl = {.sg_nr = 1, .sg_iovs = &iov};
	daos_iod_t  iod = {.iod_type = DAOS_IOD_SINGLE, .iod_size = is_read ? DAOS_REC_ANY : sizeof(number), .iod_nr = 1};
	int         rc;

	d_iov_set(&dkey, (void *)key, strlen(key));
	d_iov_set(&iod.iod_name, "value", 5);
	d_iov_set(&iov, &number, sizeof(number));
	if (!is_read)
		return daos_obj_update(oh, th, 0, &dkey, 1, &iod, &sgl, NULL);
	rc = daos_obj_fetch(oh, th, 0, &dkey, 1, &iod, &sgl, NULL, NULL);
	*ret_number = iod.iod_size == 0 ? 0 : number;
	return rc;
}

static void
put(struct fixture *f, const char *key, uint64_t number)
{
	assert_int_equal(io(f->oh, DAOS_TX_NONE, key, number, false, NULL), 0);
}

static uint64_t
get(struct fixture *f, daos_handle_t th, const char *key)
{
	uint64_t number = 0;

	assert_int_equal(io(f->oh, th, key, 0, true, &number), 0);
	return number;
}

static uint32_t
keys_count(struct fixture *f, daos_handle_t th)
{
	daos_key_desc_t kds[16];
	char            buf[512];
	d_iov_t         iov;
	d_sg_list_t     sgl = {.sg_nr = 1, .sg_iovs = &iov};
	daos_anchor_t   anchor = {0};
	uint32_t        total = 0;

	while (!daos_anchor_is_eof(&anchor)) {
		uint32_t nr = 16;

		d_iov_set(&iov, buf, sizeof(buf));
		assert_int_equal(daos_obj_list_dkey(f->oh, th, &nr, kds, &sgl, &anchor, NULL), 0);
		total += nr;
	}
	return total;
}

static void
values_and_keys(void **state)
{
	struct fixture *f = *state;
	daos_key_t      dkey;

	put(f, "a", 1);
	put(f, "b", 2);
	snap(f);
	put(f, "a", 11);
	put(f, "c", 3);
	d_iov_set(&dkey, "b", 1);
	assert_int_equal(daos_obj_punch_dkeys(f->oh, DAOS_TX_NONE, 0, 1, &dkey, NULL), 0);
	assert_int_equal(get(f, f->th, "a"), 1);
	assert_int_equal(get(f, f->th, "b"), 2);
	assert_int_equal(get(f, f->th, "c"), 0);
	assert_int_equal(get(f, DAOS_TX_NONE, "a"), 11);
	assert_int_equal(get(f, DAOS_TX_NONE, "b"), 0);
	assert_int_equal(keys_count(f, f->th), 2);
	assert_int_equal(keys_count(f, DAOS_TX_NONE), 2);
	assert_int_equal(daos_obj_punch(f->oh, DAOS_TX_NONE, 0, NULL), 0);
	assert_int_equal(keys_count(f, f->th), 2);
	assert_int_equal(get(f, f->th, "b"), 2);
	assert_int_equal(keys_count(f, DAOS_TX_NONE), 0);
	unsnap(f);
}

static void
arrays_and_kvs(void **state)
{
	struct fixture  *f = *state;
	daos_obj_id_t    oid = {.lo = 2}, kv_oid = {.lo = 3};
	daos_handle_t    array, kv;
	unsigned char   *buf = malloc(ARRAY_BYTES);
	daos_range_t     range = {.rg_len = ARRAY_BYTES};
	daos_array_iod_t iod = {.arr_nr = 1, .arr_rgs = &range};
	d_iov_t          iov;
	d_sg_list_t      sgl = {.sg_nr = 1, .sg_iovs = &iov};
	daos_size_t      size = 0;
	char             word[8] = "";

	d_iov_set(&iov, buf, ARRAY_BYTES);
	assert_int_equal(daos_array_generate_oid(f->coh, &oid, true, OC_SX, 0, 0), 0);
	assert_int_equal(daos_array_create(f->coh, oid, DAOS_TX_NONE, 1, 4096, &array, NULL), 0);
	assert_int_equal(daos_obj_generate_oid(f->coh, &kv_oid, DAOS_OT_KV_HASHED, OC_SX, 0, 0), 0);
	assert_int_equal(daos_kv_open(f->coh, kv_oid, DAOS_OO_RW, &kv, NULL), 0);
	memset(buf, 1, ARRAY_BYTES);
	assert_int_equal(daos_array_write(array, DAOS_TX_NONE, &iod, &sgl, NULL), 0);
	assert_int_equal(daos_kv_put(kv, DAOS_TX_NONE, 0, "key", 4, "old", NULL), 0);
	snap(f);
	memset(buf, 2, ARRAY_BYTES);
	assert_int_equal(daos_array_write(array, DAOS_TX_NONE, &iod, &sgl, NULL), 0);
	assert_int_equal(daos_array_set_size(array, DAOS_TX_NONE, 50000, NULL), 0);
	assert_int_equal(daos_kv_put(kv, DAOS_TX_NONE, 0, "key", 4, "new", NULL), 0);
	memset(buf, 0, ARRAY_BYTES);
	assert_int_equal(daos_array_read(array, f->th, &iod, &sgl, NULL), 0);
	for (uint32_t i = 0; i < ARRAY_BYTES; i++)
		assert_int_equal(buf[i], 1);
	assert_int_equal(daos_array_get_size(array, f->th, &size, NULL), 0);
	assert_int_equal(size, ARRAY_BYTES);
	assert_int_equal(daos_array_get_size(array, DAOS_TX_NONE, &size, NULL), 0);
	assert_int_equal(size, 50000);
	size = sizeof(word);
	assert_int_equal(daos_kv_get(kv, f->th, 0, "key", &size, word, NULL), 0);
	assert_string_equal(word, "old");
	assert_int_equal(daos_array_close(array, NULL), 0);
	assert_int_equal(daos_kv_close(kv, NULL), 0);
	unsnap(f);
	free(buf);
}

static void
handles(void **state)
{
	struct fixture    *f = *state;
	daos_handle_t      other = cont_make(f, "other"), oh = obj_make(other, 1, 0), th;
	daos_epoch_range_t range;
	daos_epoch_t       epoch;
	uint64_t           number;

	put(f, "a", 1);
	snap(f);
	assert_int_equal(io(f->oh, f->th, "a", 2, false, NULL), -DER_NO_PERM);
	assert_int_equal(daos_obj_punch(f->oh, f->th, 0, NULL), -DER_NO_PERM);
	assert_int_equal(io(oh, f->th, "a", 0, true, &number), -DER_INVAL);
	assert_int_equal(daos_tx_open_snap(f->coh, f->epoch + 1, &th, NULL), -DER_NONEXIST);
	assert_int_equal(daos_tx_open_snap(other, f->epoch, &th, NULL), -DER_NONEXIST);
	assert_int_equal(daos_tx_open_snap(f->coh, 0, &th, NULL), -DER_INVAL);
	assert_int_equal(daos_tx_open_snap(f->coh, f->epoch, NULL, NULL), -DER_INVAL);
	assert_int_equal(daos_tx_open_snap(DAOS_HDL_INVAL, f->epoch, &th, NULL), -DER_NO_HDL);
	range = (daos_epoch_range_t){f->epoch, f->epoch};
	assert_int_equal(daos_cont_destroy_snap(f->coh, range, NULL), 0);
	assert_int_equal(daos_tx_open_snap(f->coh, f->epoch, &th, NULL), -DER_NONEXIST);
	unsnap(f);
	assert_int_equal(daos_tx_close(f->th, NULL), -DER_NO_HDL);
	assert_int_equal(daos_tx_hdl2epoch(f->th, &epoch), -DER_NO_HDL);
	assert_int_equal(io(f->oh, f->th, "a", 0, true, &number), -DER_NO_HDL);
	assert_int_equal(daos_obj_close(oh, NULL), 0);
	assert_int_equal(daos_cont_close(other, NULL), 0);
}

/** Engines that come back know the snapshots before anything is reclaimed or changed. */
static void
survives_restart(void **state)
{
	struct fixture *f = *state;

	put(f, "a", 1);
	snap(f);
	put(f, "a", 2);
	for (d_rank_t rank = 0; rank < 2; rank++) {
		tc_engine_stop(f->tc, rank);
		tc_engine_start(f->tc, rank);
	}
	assert_int_equal(get(f, f->th, "a"), 1);
	put(f, "a", 3);
	assert_int_equal(get(f, f->th, "a"), 1);
	assert_int_equal(get(f, DAOS_TX_NONE, "a"), 3);
	unsnap(f);
}

int
main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(values_and_keys, start, stop),
	    cmocka_unit_test_setup_teardown(arrays_and_kvs, start, stop),
	    cmocka_unit_test_setup_teardown(handles, start, stop),
	    cmocka_unit_test_setup_teardown(survives_restart, start, stop),
	};

	if (argc > 1)
		cmocka_set_test_filter(argv[1]);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
