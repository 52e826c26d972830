/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/* The whole path of objects, client to VOS over the in-process network, without the metadata services. */
#include "object_fakes.h"
#include <stdlib.h>
#include <string.h>
#include <daos_errno.h>
#include "base/iov.h"
#include "platform/platform.h"

static struct fake_world fw;
static struct client    *cl;

static int
start(void **state)
{
	(void)state;
	fake_world_start(&fw, 2, 2, false);
	cl = fake_client_start(&fw);
	return 0;
}

static int
stop(void **state)
{
	(void)state;
	fake_client_stop(cl);
	fake_world_stop(&fw);
	return 0;
}

static daos_handle_t
open_obj(uint64_t n, enum daos_otype_t type, daos_oclass_id_t cid)
{
	daos_handle_t oh = {0};

	assert_int_equal(oc_open(fake_coh(), oc_oid(n, type, cid), DAOS_OO_RW, &oh), 0);
	return oh;
}

static void
test_put_get(void **state)
{
	daos_handle_t oh = open_obj(1, DAOS_OT_MULTI_HASHED, OC_S1);
	char          buf[100];
	size_t        bytes = 0;

	(void)state;
	assert_int_equal(oc_get(oh, "d", "a", buf, sizeof(buf), &bytes), 0);
	assert_int_equal(bytes, 0);
	assert_int_equal(oc_put(oh, "d", "a", "hello", 5, 0), 0);
	assert_int_equal(oc_get(oh, "d", "a", buf, sizeof(buf), &bytes), 0);
	assert_int_equal(bytes, 5);
	assert_memory_equal(buf, "hello", 5);
	assert_int_equal(oc_put(oh, "d", "a", "a longer one", 12, 0), 0);
	assert_int_equal(oc_get(oh, "d", "a", buf, sizeof(buf), &bytes), 0);
	assert_int_equal(bytes, 12);
	assert_int_equal(oc_close(oh), 0);
	assert_int_equal(oc_close(oh), -DER_NO_HDL);
	assert_int_equal(oc_put(oh, "d", "a", "x", 1, 0), -DER_NO_HDL);
}

static void
test_sizes_and_short_buffers(void **state)
{
	daos_handle_t oh   = open_obj(2, DAOS_OT_MULTI_HASHED, OC_SX);
	daos_key_t    dkey = oc_key("d");
	daos_iod_t    iod  = {.iod_name = oc_key("a"), .iod_type = DAOS_IOD_SINGLE, .iod_nr = 1};
	char          buf[100];
	d_iov_t       iov;
	d_sg_list_t   sgl = {.sg_nr = 1, .sg_iovs = &iov};

	(void)state;
	assert_int_equal(oc_put(oh, "d", "a", "0123456789", 10, 0), 0);
	assert_int_equal(oc_fetch(oh, 0, &dkey, 1, &iod, NULL, NULL), 0);
	assert_int_equal(iod.iod_size, 10);
	iod.iod_size = DAOS_REC_ANY;
	d_iov_set(&iov, buf, 9);
	assert_int_equal(oc_fetch(oh, 0, &dkey, 1, &iod, &sgl, NULL), -DER_REC2BIG);
	assert_int_equal(iod.iod_size, 10);
	assert_int_equal(oc_fetch(oh, 0, &dkey, 1, &iod, &sgl, NULL), -DER_REC2BIG);
	iod.iod_size = DAOS_REC_ANY;
	d_iov_set(&iov, buf, sizeof(buf));
	assert_int_equal(oc_fetch(oh, 0, &dkey, 1, &iod, &sgl, NULL), 0);
	assert_int_equal(iov.iov_len, 10);
	assert_int_equal(sgl.sg_nr_out, 1);
	assert_int_equal(oc_close(oh), 0);
}

/** One array value of @bytes in one piece or scattered, written and read back by other pieces. */
static void
big_io(daos_handle_t oh, size_t bytes, uint32_t piece_nr)
{
	unsigned char *out = malloc(bytes), *in = malloc(bytes);
	uint64_t       rnd = bytes * 7 + 1;
	daos_key_t     dkey = oc_key("big");
	daos_recx_t    recx = {.rx_idx = 5, .rx_nr = bytes};
	daos_iod_t     iod  = {.iod_name = oc_key("a"), .iod_type = DAOS_IOD_ARRAY, .iod_size = 1,
			       .iod_nr = 1, .iod_recxs = &recx};
	d_iov_t       *iovs = calloc(piece_nr, sizeof(*iovs));
	d_sg_list_t    sgl  = {.sg_nr = piece_nr, .sg_iovs = iovs};

	for (size_t i = 0; i < bytes; i++)
		out[i] = (unsigned char)oc_rnd(&rnd);
	for (uint32_t p = 0; p < piece_nr; p++) {
		size_t from = bytes * p / piece_nr, to = bytes * (p + 1) / piece_nr;

		d_iov_set(&iovs[p], out + from, to - from);
	}
	assert_int_equal(oc_update(oh, 0, &dkey, 1, &iod, &sgl), 0);
	memset(in, 0, bytes);
	d_iov_set(&iovs[0], in, bytes / 3);
	if (piece_nr > 1)
		d_iov_set(&iovs[1], in + bytes / 3, bytes - bytes / 3);
	else
		d_iov_set(&iovs[0], in, bytes);
	sgl.sg_nr = MIN_OF(piece_nr, 2u);
	assert_int_equal(oc_fetch(oh, 0, &dkey, 1, &iod, &sgl, NULL), 0);
	assert_memory_equal(in, out, bytes);
	assert_int_equal(d_sgl_data_bytes(&sgl), bytes);
	free(iovs);
	free(in);
	free(out);
}

static void
test_values_of_all_sizes(void **state)
{
	static const size_t sizes[] = {1, 2, 511, 4095, 4096, 4097, 16383, 16384, 16385, 65536, 1000003,
				       1u << 20, 8u << 20};

	(void)state;
	for (unsigned i = 0; i < ARRAY_NR(sizes); i++) {
		daos_handle_t oh = open_obj(100 + i, DAOS_OT_MULTI_HASHED, OC_S1);

		big_io(oh, sizes[i], 1);
		big_io(oh, sizes[i], (uint32_t)MIN_OF(sizes[i], 37));
		assert_int_equal(oc_punch(oh, 0), 0);
		assert_int_equal(oc_close(oh), 0);
	}
}

static void
test_random_against_model(void **state)
{
	daos_handle_t oh = open_obj(3, DAOS_OT_MULTI_HASHED, OC_SX);

	(void)state;
	oc_workload(oh, 12345, 1500, NULL, NULL);
	assert_int_equal(oc_close(oh), 0);
}

static void
test_maps_of_records(void **state)
{
	daos_handle_t oh   = open_obj(4, DAOS_OT_MULTI_HASHED, OC_S1);
	daos_key_t    dkey = oc_key("d");
	daos_recx_t   w[2] = {{10, 5}, {20, 5}}, r = {0, 40}, got[4];
	daos_iod_t    iod  = {.iod_name = oc_key("a"), .iod_type = DAOS_IOD_ARRAY, .iod_size = 4,
			      .iod_nr = 2, .iod_recxs = w};
	daos_iom_t    iom  = {.iom_nr = 4, .iom_recxs = got, .iom_flags = DAOS_IOMF_DETAIL};
	char          buf[160];
	d_iov_t       iov;
	d_sg_list_t   sgl = {.sg_nr = 1, .sg_iovs = &iov};

	(void)state;
	d_iov_set(&iov, buf, 40);
	memset(buf, 7, sizeof(buf));
	assert_int_equal(oc_update(oh, 0, &dkey, 1, &iod, &sgl), 0);
	memset(buf, 1, sizeof(buf));
	d_iov_set(&iov, buf, sizeof(buf));
	iod.iod_nr    = 1;
	iod.iod_recxs = &r;
	assert_int_equal(oc_fetch(oh, 0, &dkey, 1, &iod, &sgl, &iom), 0);
	assert_int_equal(iom.iom_nr_out, 2);
	assert_int_equal(got[0].rx_idx, 10);
	assert_int_equal(got[0].rx_nr, 5);
	assert_int_equal(iom.iom_recx_hi.rx_idx, 20);
	assert_int_equal(iom.iom_size, 4);
	assert_int_equal(iov.iov_len, 100); /* short: nothing behind record 24 */
	for (int i = 0; i < 160; i++)
		assert_int_equal(buf[i], (i >= 40 && i < 60) || (i >= 80 && i < 100) ? 7 : 1);
	assert_int_equal(oc_close(oh), 0);
}

static void
test_conditions(void **state)
{
	daos_handle_t oh   = open_obj(5, DAOS_OT_MULTI_HASHED, OC_SX);
	daos_key_t    dkey = oc_key("d"), none = oc_key("none"), akey = oc_key("a");
	daos_iod_t    iod  = {.iod_name = oc_key("a"), .iod_type = DAOS_IOD_SINGLE, .iod_nr = 1};

	(void)state;
	assert_int_equal(oc_put(oh, "d", "a", "1", 1, DAOS_COND_DKEY_UPDATE), -DER_NONEXIST);
	assert_int_equal(oc_put(oh, "d", "a", "1", 1, DAOS_COND_DKEY_INSERT), 0);
	assert_int_equal(oc_put(oh, "d", "a", "1", 1, DAOS_COND_DKEY_INSERT), -DER_EXIST);
	assert_int_equal(oc_put(oh, "d", "a", "2", 1, DAOS_COND_AKEY_INSERT), -DER_EXIST);
	assert_int_equal(oc_put(oh, "d", "b", "2", 1, DAOS_COND_AKEY_INSERT), 0);
	assert_int_equal(oc_put(oh, "d", "c", "2", 1, DAOS_COND_AKEY_UPDATE), -DER_NONEXIST);
	assert_int_equal(oc_put(oh, "d", "a", "2", 1, DAOS_COND_PUNCH), -DER_INVAL);
	assert_int_equal(oc_fetch(oh, DAOS_COND_DKEY_FETCH, &none, 1, &iod, NULL, NULL), -DER_NONEXIST);
	assert_int_equal(oc_fetch(oh, DAOS_COND_DKEY_FETCH, &dkey, 1, &iod, NULL, NULL), 0);
	assert_int_equal(oc_punch_dkeys(oh, DAOS_COND_PUNCH, 1, &none), -DER_NONEXIST);
	assert_int_equal(oc_punch_akeys(oh, DAOS_COND_PUNCH, &dkey, 1, &akey), 0);
	assert_int_equal(oc_punch_akeys(oh, DAOS_COND_PUNCH, &dkey, 1, &akey), -DER_NONEXIST);
	assert_int_equal(oc_punch_dkeys(oh, DAOS_COND_PUNCH, 1, &dkey), 0);
	assert_int_equal(oc_put(oh, "d", "a", "1", 1, DAOS_COND_DKEY_INSERT), 0);
	assert_int_equal(oc_punch(oh, DAOS_COND_PUNCH), 0);
	assert_int_equal(oc_punch(oh, DAOS_COND_PUNCH), -DER_NONEXIST);
	assert_int_equal(oc_punch(oh, 0), 0);
	assert_int_equal(oc_close(oh), 0);
}

#define MANY 700

static void
many_name(int i, char name[32])
{
	snprintf(name, 32, "key number %d", i);
}

static void
test_many_dkeys(void **state)
{
	daos_handle_t   oh     = open_obj(6, DAOS_OT_MULTI_HASHED, OC_SX);
	daos_anchor_t   anchor = {0};
	daos_key_desc_t kds[100];
	char            buf[1024], name[32];
	static bool     seen[MANY];
	uint32_t        calls = 0, shards[4] = {0}, nr;
	d_iov_t         iov;
	d_sg_list_t     sgl = {.sg_nr = 1, .sg_iovs = &iov};

	(void)state;
	for (int i = 0; i < MANY; i++) {
		many_name(i, name);
		assert_int_equal(oc_put(oh, name, "a", &i, sizeof(i), 0), 0);
	}
	for (; anchor.da_type != DAOS_ANCHOR_TYPE_EOF; calls++) {
		char *at = buf;

		nr = ARRAY_NR(kds);
		d_iov_set(&iov, buf, sizeof(buf));
		assert_int_equal(oc_list_dkey(oh, &nr, kds, &sgl, &anchor), 0);
		for (uint32_t i = 0; i < nr; at += kds[i++].kd_key_len) {
			int n = -1;

			memcpy(name, at, kds[i].kd_key_len);
			name[kds[i].kd_key_len] = '\0';
			assert_int_equal(sscanf(name, "key number %d", &n), 1);
			assert_in_range(n, 0, MANY - 1);
			assert_false(seen[n]);
			seen[n] = true;
		}
		assert_in_range(anchor.da_shard, 0, 3);
		shards[anchor.da_shard]++;
	}
	for (int i = 0; i < MANY; i++)
		assert_true(seen[i]);
	for (int i = 0; i < 4; i++)
		assert_true(shards[i] > 0);
	nr = 5; /* at its end a list stays there */
	assert_int_equal(oc_list_dkey(oh, &nr, kds, &sgl, &anchor), 0);
	assert_int_equal(nr, 0);
	assert_int_equal(oc_punch(oh, 0), 0);
	anchor = (daos_anchor_t){0};
	nr     = ARRAY_NR(kds);
	assert_int_equal(oc_list_dkey(oh, &nr, kds, &sgl, &anchor), 0);
	assert_int_equal(nr, 0);
	assert_int_equal(anchor.da_type, DAOS_ANCHOR_TYPE_EOF);
	assert_int_equal(oc_close(oh), 0);
}

static void
test_key_too_big(void **state)
{
	daos_handle_t   oh     = open_obj(7, DAOS_OT_MULTI_HASHED, OC_S1);
	daos_anchor_t   anchor = {0};
	daos_key_desc_t kds[4];
	char            buf[64], name[51];
	uint32_t        nr  = 4;
	d_iov_t         iov;
	d_sg_list_t     sgl = {.sg_nr = 1, .sg_iovs = &iov};

	(void)state;
	memset(name, 'n', 50);
	name[50] = '\0';
	assert_int_equal(oc_put(oh, name, "a", "1", 1, 0), 0);
	d_iov_set(&iov, buf, 49);
	assert_int_equal(oc_list_dkey(oh, &nr, kds, &sgl, &anchor), -DER_KEY2BIG);
	assert_int_equal(kds[0].kd_key_len, 50);
	assert_int_equal(anchor.da_type, DAOS_ANCHOR_TYPE_ZERO);
	d_iov_set(&iov, buf, 50);
	nr = 4;
	assert_int_equal(oc_list_dkey(oh, &nr, kds, &sgl, &anchor), 0);
	assert_int_equal(nr, 1);
	assert_memory_equal(buf, name, 50);
	assert_int_equal(oc_close(oh), 0);
}

static void
put_u64(daos_handle_t oh, uint64_t dkey_, uint64_t akey_, daos_recx_t recx)
{
	char       *buf = calloc(1, recx.rx_nr);
	daos_key_t  dkey;
	daos_iod_t  iod = {.iod_type = DAOS_IOD_ARRAY, .iod_size = 1, .iod_nr = 1, .iod_recxs = &recx};
	d_iov_t     iov;
	d_sg_list_t sgl = {.sg_nr = 1, .sg_iovs = &iov};

	d_iov_set(&dkey, &dkey_, 8);
	d_iov_set(&iod.iod_name, &akey_, 8);
	d_iov_set(&iov, buf, recx.rx_nr);
	assert_int_equal(oc_update(oh, 0, &dkey, 1, &iod, &sgl), 0);
	free(buf);
}

static void
test_key_queries(void **state)
{
	daos_handle_t oh = open_obj(8, DAOS_OT_MULTI_UINT64, OC_SX), hashed;
	uint64_t      d = 0, a = 0;
	daos_key_t    dkey, akey;
	daos_recx_t   recx = {0};

	(void)state;
	d_iov_set(&dkey, &d, 8);
	d_iov_set(&akey, &a, 8);
	assert_int_equal(oc_query_key(oh, DAOS_GET_MAX | DAOS_GET_DKEY, &dkey, NULL, NULL), -DER_NONEXIST);
	for (uint64_t i = 3; i <= 40; i++)
		put_u64(oh, i * 7, i % 5 + 1, (daos_recx_t){i * 10, i});
	assert_int_equal(oc_query_key(oh, DAOS_GET_MAX | DAOS_GET_DKEY, &dkey, NULL, NULL), 0);
	assert_int_equal(d, 280);
	assert_int_equal(oc_query_key(oh, DAOS_GET_MIN | DAOS_GET_DKEY, &dkey, NULL, NULL), 0);
	assert_int_equal(d, 21);
	assert_int_equal(oc_query_key(oh, DAOS_GET_MAX | DAOS_GET_DKEY | DAOS_GET_AKEY | DAOS_GET_RECX, &dkey,
				      &akey, &recx), 0);
	assert_int_equal(d, 280);
	assert_int_equal(a, 1);
	assert_int_equal(recx.rx_idx + recx.rx_nr, 440);
	d = 77; /* given */
	assert_int_equal(oc_query_key(oh, DAOS_GET_MAX | DAOS_GET_AKEY | DAOS_GET_RECX, &dkey, &akey, &recx), 0);
	assert_int_equal(a, 2);
	assert_int_equal(recx.rx_idx, 110);
	assert_int_equal(oc_query_key(oh, DAOS_GET_MAX, &dkey, &akey, &recx), -DER_INVAL);
	assert_int_equal(oc_query_key(oh, DAOS_GET_DKEY, &dkey, &akey, &recx), -DER_INVAL);
	assert_int_equal(oc_query_key(oh, DAOS_GET_MAX | DAOS_GET_MIN | DAOS_GET_DKEY, &dkey, &akey, &recx),
			 -DER_INVAL);
	hashed = open_obj(9, DAOS_OT_MULTI_HASHED, OC_SX);
	assert_int_equal(oc_query_key(hashed, DAOS_GET_MAX | DAOS_GET_DKEY, &dkey, NULL, NULL), -DER_INVAL);
	assert_int_equal(oc_close(hashed), 0);
	assert_int_equal(oc_close(oh), 0);
}

static void
test_newest_epoch(void **state)
{
	daos_handle_t oh     = open_obj(10, DAOS_OT_MULTI_HASHED, OC_SX);
	daos_epoch_t  before = 1, after = 0, later = 0;

	(void)state;
	assert_int_equal(oc_max_epoch(oh, &before), 0);
	assert_int_equal(before, 0);
	assert_int_equal(oc_put(oh, "d", "a", "1", 1, 0), 0);
	assert_int_equal(oc_max_epoch(oh, &after), 0);
	assert_true(after > 0);
	assert_int_equal(oc_put(oh, "e", "a", "1", 1, 0), 0);
	assert_int_equal(oc_max_epoch(oh, &later), 0);
	assert_true(later > after);
	assert_int_equal(oc_close(oh), 0);
}

static void
test_open_refuses(void **state)
{
	daos_handle_t oh = {0}, bad = {.cookie = 99};

	(void)state;
	assert_int_equal(oc_open(fake_coh(), oc_oid(1, 0, OC_RP_2G1), DAOS_OO_RW, &oh), -DER_NOTSUPPORTED);
	assert_int_equal(oc_open(fake_coh(), oc_oid(1, 0, OC_EC_2P1G1), DAOS_OO_RO, &oh), -DER_NOTSUPPORTED);
	assert_int_equal(oc_open(fake_coh(), oc_oid(1, 0, OC_UNKNOWN), DAOS_OO_RW, &oh), -DER_INVAL);
	assert_int_equal(oc_open(fake_coh(), oc_oid(1, 0, OC_S32), DAOS_OO_RW, &oh), -DER_NOSPACE);
	assert_int_equal(oc_open(fake_coh(), oc_oid(1, 0, OC_S1), 0, &oh), -DER_INVAL);
	assert_int_equal(oc_open(fake_coh(), oc_oid(1, 0, OC_S1), DAOS_OO_RO | DAOS_OO_RW, &oh), -DER_INVAL);
	assert_int_equal(oc_open(bad, oc_oid(1, 0, OC_S1), DAOS_OO_RW, &oh), -DER_NO_HDL);
	assert_int_equal(oh.cookie, 0);
}

static void
test_rights(void **state)
{
	daos_handle_t ro = {0}, rw = open_obj(11, DAOS_OT_MULTI_HASHED, OC_S1);
	char          buf[4];
	size_t        bytes;

	(void)state;
	assert_int_equal(oc_open(fake_coh(), oc_oid(11, DAOS_OT_MULTI_HASHED, OC_S1), DAOS_OO_RO, &ro), 0);
	assert_int_equal(oc_put(ro, "d", "a", "1", 1, 0), -DER_NO_PERM);
	assert_int_equal(oc_punch(ro, 0), -DER_NO_PERM);
	assert_int_equal(oc_get(ro, "d", "a", buf, sizeof(buf), &bytes), 0);
	fake.sec_capas = 1; /* read only at the server, whatever the client thinks */
	assert_int_equal(oc_put(rw, "d", "a", "1", 1, 0), -DER_NO_PERM);
	assert_int_equal(oc_get(rw, "d", "a", buf, sizeof(buf), &bytes), 0);
	fake.sec_capas = 3;
	assert_int_equal(oc_close(ro), 0);
	assert_int_equal(oc_close(rw), 0);
}

static void
test_stale_map(void **state)
{
	daos_handle_t oh = open_obj(12, DAOS_OT_MULTI_HASHED, OC_SX);

	(void)state;
	fake.refresh_nr         = 0;
	fake.server_map_version = 9;
	assert_int_equal(oc_put(oh, "d", "a", "1", 1, 0), 0);
	assert_int_equal(fake.refresh_nr, 1);
	assert_int_equal(oc_punch(oh, 0), 0);
	assert_int_equal(fake.refresh_nr, 1);
	assert_int_equal(oc_close(oh), 0);
}

static void
test_passing_errors_are_ridden_out(void **state)
{
	static const int errors[] = {-DER_SHUTDOWN, -DER_AGAIN, -DER_NO_HDL, -DER_TIMEDOUT, -DER_UNREACH};
	daos_handle_t    oh       = open_obj(13, DAOS_OT_MULTI_HASHED, OC_SX);

	(void)state;
	for (unsigned i = 0; i < ARRAY_NR(errors); i++) {
		fake.hdl_rc_nr = 4;
		fake.hdl_rc    = errors[i];
		assert_int_equal(oc_put(oh, "d", "a", "1", 1, i == 0 ? DAOS_COND_DKEY_INSERT : 0), 0);
		assert_int_equal(fake.hdl_rc_nr, 0);
		fake.hdl_rc_nr = 5; /* several shards, some fail */
		assert_int_equal(oc_punch(oh, 0), 0);
		fake.hdl_rc = 0;
	}
	fake.hdl_rc_nr = 1000;
	fake.hdl_rc    = -DER_NO_HDL; /* for good */
	assert_int_equal(oc_put(oh, "d", "a", "1", 1, 0), -DER_NO_HDL);
	fake.hdl_rc = -DER_IO; /* no use in trying */
	fake.hdl_rc_nr = 1000;
	assert_int_equal(oc_put(oh, "d", "a", "1", 1, 0), -DER_IO);
	assert_int_equal(fake.hdl_rc_nr, 999);
	fake.hdl_rc = 0;
	assert_int_equal(oc_close(oh), 0);
}

static void
test_bad_arguments(void **state)
{
	daos_handle_t oh   = open_obj(14, DAOS_OT_MULTI_HASHED, OC_S1);
	daos_key_t    dkey = oc_key("d"), empty = {0};
	daos_iod_t    iod  = {.iod_name = oc_key("a"), .iod_type = DAOS_IOD_SINGLE, .iod_nr = 1, .iod_size = 4};
	d_iov_t       iov  = {.iov_buf = NULL, .iov_buf_len = 4, .iov_len = 4};
	d_sg_list_t   sgl  = {.sg_nr = 1, .sg_iovs = &iov};
	char          buf[4];
	uint32_t      asked = fake.request_nr;

	(void)state;
	assert_int_equal(oc_update(oh, 0, &dkey, 1, &iod, &sgl), -DER_INVAL);
	d_iov_set(&iov, buf, 4);
	assert_int_equal(oc_update(oh, 0, &empty, 1, &iod, &sgl), -DER_INVAL);
	assert_int_equal(oc_update(oh, 0, NULL, 1, &iod, &sgl), -DER_INVAL);
	assert_int_equal(oc_update(oh, 0, &dkey, 0, &iod, &sgl), -DER_INVAL);
	assert_int_equal(oc_update(oh, 0, &dkey, 1, NULL, &sgl), -DER_INVAL);
	assert_int_equal(oc_update(oh, 0, &dkey, 1, &iod, NULL), -DER_INVAL);
	assert_int_equal(oc_update(oh, 1u << 20, &dkey, 1, &iod, &sgl), -DER_INVAL);
	iod.iod_size = 5;
	assert_int_equal(oc_update(oh, 0, &dkey, 1, &iod, &sgl), -DER_REC2BIG);
	assert_int_equal(oc_punch_dkeys(oh, 0, 0, &dkey), -DER_INVAL);
	assert_int_equal(oc_punch_dkeys(oh, 0, 1, &empty), -DER_INVAL);
	assert_int_equal(oc_punch_akeys(oh, 0, &dkey, 1, &empty), -DER_INVAL);
	assert_int_equal(fake.request_nr, asked);
	assert_int_equal(oc_close(oh), 0);
}

static void
test_punch_of_many_dkeys(void **state)
{
	daos_handle_t oh = open_obj(15, DAOS_OT_MULTI_HASHED, OC_SX);
	daos_key_t    keys[60];
	static char   names[60][32];
	char          buf[8];
	size_t        bytes = 1;

	(void)state;
	for (int i = 0; i < 60; i++) {
		many_name(i, names[i]);
		keys[i] = oc_key(names[i]);
		assert_int_equal(oc_put(oh, names[i], "a", &i, sizeof(i), 0), 0);
	}
	assert_int_equal(oc_punch_dkeys(oh, 0, 59, keys), 0);
	for (int i = 0; i < 60; i++) {
		assert_int_equal(oc_get(oh, names[i], "a", buf, sizeof(buf), &bytes), 0);
		assert_int_equal(bytes, i == 59 ? sizeof(i) : 0);
	}
	assert_int_equal(oc_close(oh), 0);
}

/** Whatever an anchor holds, a list made with it ends or is refused. */
static void
test_wild_anchors(void **state)
{
	daos_handle_t   oh  = open_obj(16, DAOS_OT_MULTI_HASHED, OC_SX);
	uint64_t        rnd = 4242;
	daos_key_desc_t kds[20];
	daos_recx_t     recxs[20];
	char            buf[512];
	daos_key_t      dkey = oc_key("d"), akey = oc_key("a");

	(void)state;
	assert_int_equal(oc_put(oh, "d", "a", "1", 1, 0), 0);
	for (int i = 0; i < 600; i++) {
		daos_anchor_t anchor;
		daos_size_t   size;
		uint32_t      nr = 20;
		d_iov_t       iov;
		d_sg_list_t   sgl = {.sg_nr = 1, .sg_iovs = &iov};

		for (size_t b = 0; b < sizeof(anchor); b++)
			((unsigned char *)&anchor)[b] = (unsigned char)(oc_rnd(&rnd) % 3 ? oc_rnd(&rnd) : 0);
		anchor.da_type  = (uint16_t)oc_rnd_below(&rnd, 5);
		anchor.da_shard = (uint16_t)oc_rnd_below(&rnd, 6);
		d_iov_set(&iov, buf, sizeof(buf));
		switch (i % 3) {
		case 0:
			(void)oc_list_dkey(oh, &nr, kds, &sgl, &anchor);
			break;
		case 1:
			(void)oc_list_akey(oh, &dkey, &nr, kds, &sgl, &anchor);
			break;
		default:
			(void)oc_list_recx(oh, &dkey, &akey, &size, &nr, recxs, NULL, &anchor, i % 2 == 0);
		}
		assert_true(nr <= 20);
	}
	assert_int_equal(oc_close(oh), 0);
}

/** Sizes are found without reading; none for what is not there. */
static void
test_sizes_alone(void **state)
{
	daos_handle_t oh   = open_obj(17, DAOS_OT_MULTI_HASHED, OC_S1);
	daos_key_t    dkey = oc_key("d");
	daos_recx_t   recx = {7, 3}, all = {0, 1ULL << 60};
	daos_iod_t    iods[3] = {
	    {.iod_name = oc_key("arr"), .iod_type = DAOS_IOD_ARRAY, .iod_nr = 1, .iod_recxs = &recx, .iod_size = 4},
	    {.iod_name = oc_key("one"), .iod_type = DAOS_IOD_SINGLE, .iod_nr = 1, .iod_size = 9},
	    {.iod_name = oc_key("none"), .iod_type = DAOS_IOD_SINGLE, .iod_nr = 1, .iod_size = 9}};
	char          buf[16] = {0};
	d_iov_t       iovs[2];
	d_sg_list_t   sgls[2] = {{.sg_nr = 1, .sg_iovs = &iovs[0]}, {.sg_nr = 1, .sg_iovs = &iovs[1]}};

	(void)state;
	d_iov_set(&iovs[0], buf, 12);
	d_iov_set(&iovs[1], buf, 9);
	assert_int_equal(oc_update(oh, 0, &dkey, 2, iods, sgls), 0);
	iods[0].iod_recxs = &all;
	for (int i = 0; i < 3; i++)
		iods[i].iod_size = DAOS_REC_ANY;
	assert_int_equal(oc_fetch(oh, 0, &dkey, 3, iods, NULL, NULL), 0);
	assert_int_equal(iods[0].iod_size, 4);
	assert_int_equal(iods[1].iod_size, 9);
	assert_int_equal(iods[2].iod_size, 0);
	assert_int_equal(oc_fetch(oh, DAOS_COND_AKEY_FETCH, &dkey, 3, iods, NULL, NULL), -DER_NONEXIST);
	assert_int_equal(oc_close(oh), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_put_get),
	    cmocka_unit_test(test_sizes_and_short_buffers),
	    cmocka_unit_test(test_values_of_all_sizes),
	    cmocka_unit_test(test_maps_of_records),
	    cmocka_unit_test(test_conditions),
	    cmocka_unit_test(test_many_dkeys),
	    cmocka_unit_test(test_key_too_big),
	    cmocka_unit_test(test_key_queries),
	    cmocka_unit_test(test_newest_epoch),
	    cmocka_unit_test(test_open_refuses),
	    cmocka_unit_test(test_rights),
	    cmocka_unit_test(test_stale_map),
	    cmocka_unit_test(test_passing_errors_are_ridden_out),
	    cmocka_unit_test(test_bad_arguments),
	    cmocka_unit_test(test_punch_of_many_dkeys),
	    cmocka_unit_test(test_wild_anchors),
	    cmocka_unit_test(test_sizes_alone),
	    cmocka_unit_test(test_random_against_model),
	};

	return cmocka_run_group_tests(tests, start, stop);
}
