/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/* Runs, cuts, maps of records, and packed keys, each against a plain model. */
#include <stdarg.h>
#include <setjmp.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <daos_errno.h>
#include "base/iov.h"
#include "object/obj_pack.h"

#define STREAM 400

static uint64_t rnd_state = 1181783497276652981ULL;

static uint64_t
rnd_below(uint64_t n)
{
	rnd_state ^= rnd_state >> 12;
	rnd_state ^= rnd_state << 25;
	rnd_state ^= rnd_state >> 27;
	return rnd_state * 2685821657736338717ULL % n;
}

/** Storage as pieces and holes, and the same as bytes with a map of those that exist. */
struct stored {
	unsigned char bytes[STREAM];
	bool          exists[STREAM];
	d_iov_t       iovs[STREAM];
	d_sg_list_t   sgl;
	uint32_t      len;
};

static void
stored_make(struct stored *st)
{
	uint32_t at = 0;

	memset(st, 0, sizeof(*st));
	st->sgl.sg_iovs = st->iovs;
	st->len         = (uint32_t)rnd_below(STREAM);
	while (at < st->len) {
		uint32_t part = 1 + (uint32_t)rnd_below(MIN_OF(40, st->len - at));
		bool     hole = rnd_below(3) == 0;

		st->iovs[st->sgl.sg_nr++] =
		    (d_iov_t){.iov_buf = hole ? NULL : st->bytes + at, .iov_buf_len = part};
		for (uint32_t i = at; i < at + part; i++) {
			st->bytes[i]  = hole ? 0 : 1 + (unsigned char)rnd_below(255);
			st->exists[i] = !hole;
		}
		at += part;
	}
}

/** A user's buffer in random pieces over @mem. */
static d_sg_list_t
user_sgl(unsigned char *mem, uint32_t len, d_iov_t *iovs)
{
	d_sg_list_t sgl = {.sg_iovs = iovs};
	uint32_t    at  = 0;

	while (at < len) {
		uint32_t part = (uint32_t)rnd_below(MIN_OF(60, len - at) + 1); /* empty ones, too */

		d_iov_set(&iovs[sgl.sg_nr++], mem + at, part);
		at += part;
	}
	return sgl;
}

static void
test_runs_gather_and_scatter(void **state)
{
	(void)state;
	for (int n = 0; n < 3000; n++) {
		struct stored  st;
		struct obj_run runs[STREAM];
		d_iov_t        iovs[STREAM * 2];
		unsigned char  mem[STREAM];
		char           wire[STREAM];
		uint64_t       bytes = 0;
		uint32_t       nr;
		d_sg_list_t    sgl;

		stored_make(&st);
		memset(runs, 0, sizeof(runs));
		memset(mem, 0, sizeof(mem));
		nr = obj_runs_count(&st.sgl, &bytes);
		obj_runs_fill(&st.sgl, runs);
		assert_int_equal(obj_runs_check(runs, nr, st.len), 0);
		assert_int_equal(obj_pieces_bytes(&st.sgl), st.len);
		assert_ptr_equal(obj_pieces_gather(&st.sgl, wire), wire + bytes);
		sgl = user_sgl(mem, STREAM, iovs);
		assert_int_equal(obj_runs_scatter(runs, nr, wire, &sgl), 0);
		assert_memory_equal(mem, st.bytes, STREAM);
		for (uint32_t i = obj_runs_end(runs, nr); i < st.len; i++)
			assert_false(st.exists[i]);
		if (nr > 0)
			assert_true(st.exists[obj_runs_end(runs, nr) - 1]);
	}
}

static void
test_runs_refused(void **state)
{
	struct obj_run empty = {3, 0}, far = {8, 3}, wild = {4, UINT64_MAX};
	struct obj_run touch[] = {{0, 2}, {2, 1}}, back[] = {{5, 1}, {2, 1}}, fine[] = {{0, 2}, {3, 7}};
	unsigned char  mem[4];
	d_iov_t        iov;
	d_sg_list_t    sgl = {.sg_nr = 1, .sg_iovs = &iov};

	(void)state;
	assert_int_equal(obj_runs_check(&empty, 1, 10), -DER_PROTO);
	assert_int_equal(obj_runs_check(&far, 1, 10), -DER_PROTO);
	assert_int_equal(obj_runs_check(&wild, 1, 10), -DER_PROTO);
	assert_int_equal(obj_runs_check(touch, 2, 10), -DER_PROTO);
	assert_int_equal(obj_runs_check(back, 2, 10), -DER_PROTO);
	assert_int_equal(obj_runs_check(fine, 2, 10), 0);
	d_iov_set(&iov, mem, sizeof(mem));
	assert_int_equal(obj_runs_scatter(fine, 2, "123456789", &sgl), -DER_TRUNC);
}

static void
test_pieces_fill(void **state)
{
	(void)state;
	for (int n = 0; n < 500; n++) {
		unsigned char mem[STREAM] = {0}, src[STREAM];
		d_iov_t       iovs[STREAM * 2];
		uint32_t      len = (uint32_t)rnd_below(STREAM);
		d_sg_list_t   sgl = user_sgl(mem, len, iovs);

		for (uint32_t i = 0; i < STREAM; i++)
			src[i] = (unsigned char)rnd_below(256);
		assert_ptr_equal(obj_pieces_fill(&sgl, (char *)src), (char *)src + len);
		assert_memory_equal(mem, src, len);
	}
}

static void
test_cut(void **state)
{
	(void)state;
	for (int n = 0; n < 2000; n++) {
		unsigned char mem[STREAM];
		d_iov_t       iovs[STREAM * 2], cut[STREAM * 2];
		uint32_t      len   = (uint32_t)rnd_below(STREAM), nr;
		d_sg_list_t   sgl   = user_sgl(mem, len, iovs);
		bool          room  = rnd_below(2) != 0;
		uint64_t      have  = len, want, sum = 0;
		unsigned char seen[STREAM] = {0};

		if (!room && sgl.sg_nr > 0) { /* the last piece is not full */
			d_iov_t *last = &iovs[sgl.sg_nr - 1];

			last->iov_len = rnd_below(last->iov_buf_len + 1);
			have          = d_sgl_data_bytes(&sgl);
		}
		want = rnd_below(have + 1);
		nr   = obj_sgl_cut(&sgl, want, room, cut, sgl.sg_nr);
		for (uint32_t i = 0; i < nr; i++) {
			assert_true(cut[i].iov_len > 0 && cut[i].iov_len == cut[i].iov_buf_len);
			memset(seen + ((unsigned char *)cut[i].iov_buf - mem), 1, cut[i].iov_len);
			sum += cut[i].iov_len;
		}
		assert_int_equal(sum, want);
		for (uint64_t i = 0; i < STREAM; i++)
			assert_int_equal(seen[i], i < want);
	}
}

/** The records that exist, found one by one, joined where they follow each other within an extent. */
static void
test_maps_of_records(void **state)
{
	(void)state;
	for (int n = 0; n < 2000; n++) {
		uint64_t       rsize   = 1 + rnd_below(4), base = 0;
		uint32_t       recx_nr = 1 + (uint32_t)rnd_below(4), run_nr = 0, want_nr = 0;
		daos_recx_t    recxs[4], got[128], want[128];
		struct obj_run runs[128];
		daos_iod_t     iod = {.iod_type = DAOS_IOD_ARRAY, .iod_nr = recx_nr, .iod_recxs = recxs};
		daos_iom_t     iom = {.iom_nr = 128, .iom_recxs = got};
		bool           before = false; /* the byte in front exists */
		uint64_t       at     = 0;

		for (uint32_t x = 0; x < recx_nr; x++) {
			bool open = false;

			base += rnd_below(5);
			recxs[x] = (daos_recx_t){base, 1 + rnd_below(12)};
			base += recxs[x].rx_nr + 1;
			for (uint64_t r = 0; r < recxs[x].rx_nr; r++) {
				bool there = rnd_below(3) != 0;

				if (there && open)
					want[want_nr - 1].rx_nr++;
				else if (there)
					want[want_nr++] = (daos_recx_t){recxs[x].rx_idx + r, 1};
				if (there && before)
					runs[run_nr - 1].len += rsize;
				else if (there)
					runs[run_nr++] = (struct obj_run){at, rsize};
				open = before = there;
				at += rsize;
			}
		}
		obj_runs_to_iom(&iod, rsize, runs, run_nr, &iom);
		assert_int_equal(iom.iom_nr_out, want_nr);
		assert_int_equal(iom.iom_size, rsize);
		for (uint32_t i = 0; i < want_nr; i++) {
			assert_int_equal(got[i].rx_idx, want[i].rx_idx);
			assert_int_equal(got[i].rx_nr, want[i].rx_nr);
		}
		if (want_nr > 0) {
			assert_int_equal(iom.iom_recx_lo.rx_idx, want[0].rx_idx);
			assert_int_equal(iom.iom_recx_hi.rx_idx, want[want_nr - 1].rx_idx);
		}
	}
}

static void
test_map_with_little_room(void **state)
{
	daos_recx_t    recx = {10, 9}, got[1];
	struct obj_run runs[] = {{0, 2}, {4, 1}, {7, 2}};
	daos_iod_t     iod = {.iod_type = DAOS_IOD_ARRAY, .iod_nr = 1, .iod_recxs = &recx};
	daos_iom_t     iom = {.iom_nr = 1, .iom_recxs = got};

	(void)state;
	obj_runs_to_iom(&iod, 1, runs, 3, &iom);
	assert_int_equal(iom.iom_nr_out, 3);
	assert_int_equal(got[0].rx_idx, 10);
	assert_int_equal(iom.iom_recx_lo.rx_nr, 2);
	assert_int_equal(iom.iom_recx_hi.rx_idx, 17);
	obj_runs_to_iom(&iod, 1, runs, 0, &iom);
	assert_int_equal(iom.iom_nr_out, 0);
}

static void
test_keys_pack(void **state)
{
	(void)state;
	for (int n = 0; n < 500; n++) {
		daos_key_desc_t     kds[20];
		char                buf[200], key[64];
		struct obj_kds_pack pack = {.kds    = kds,
					    .nr_max = 1 + (uint32_t)rnd_below(20),
					    .buf    = buf,
					    .room   = rnd_below(sizeof(buf))};
		char                model[4096];
		uint64_t            used = 0;

		for (uint32_t i = 0; i < 40; i++) {
			uint64_t len  = 1 + rnd_below(sizeof(key) - 1);
			bool     fits = pack.nr < pack.nr_max && used + len <= pack.room;

			memset(key, (int)rnd_below(256), len);
			assert_int_equal(obj_kds_add(&pack, key, len), fits);
			if (!fits) {
				assert_true(pack.nr == pack.nr_max || pack.need == len);
				break;
			}
			memcpy(model + used, key, len);
			used += len;
			assert_int_equal(kds[pack.nr - 1].kd_key_len, len);
		}
		assert_int_equal(pack.used, used);
		assert_memory_equal(buf, model, used);
		assert_int_equal(obj_kds_check(kds, pack.nr, used), 0);
		assert_int_equal(obj_kds_check(kds, pack.nr, used + 1), -DER_PROTO);
		if (pack.nr > 0) {
			assert_int_equal(obj_kds_check(kds, pack.nr, used - 1), -DER_PROTO);
			kds[0].kd_key_len = 0;
			assert_int_equal(obj_kds_check(kds, pack.nr, used), -DER_PROTO);
		}
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_runs_gather_and_scatter), cmocka_unit_test(test_runs_refused),
	    cmocka_unit_test(test_pieces_fill),             cmocka_unit_test(test_cut),
	    cmocka_unit_test(test_maps_of_records),         cmocka_unit_test(test_map_with_little_room),
	    cmocka_unit_test(test_keys_pack),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
