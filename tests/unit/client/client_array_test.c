/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/** Arrays: plans against a model; the public calls on objects in memory. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <cmocka.h>
#include "client/client_array.h"
#include "client_fake.h"
#include "platform/platform.h"

static const daos_handle_t coh = {1};

/* ---- plans ---- */

static void
plan_covers(const daos_range_t *rgs, uint64_t rg_nr, uint64_t chunk, uint64_t cell, unsigned *seed)
{
	static char	  mem[1 << 16];
	d_iov_t		  iovs[16];
	d_sg_list_t	  sgl = {.sg_iovs = iovs};
	struct array_plan plan;
	uint64_t	  left = 0, rg = 0, rg_off = 0, mem_off = 0;

	for (uint64_t i = 0; i < rg_nr; i++)
		left += rgs[i].rg_len * cell;
	assert_true(left <= sizeof(mem));
	/* the memory in random slices, some empty, some next to each other */
	while (left > 0) {
		uint64_t len = sgl.sg_nr == 15 ? left : rand_r(seed) % (left + 1);

		d_iov_set(&iovs[sgl.sg_nr++], mem + mem_off, len);
		mem_off += len;
		left -= len;
	}
	assert_int_equal(array_plan_make(&plan, rgs, rg_nr, chunk, cell, &sgl), 0);
	mem_off = 0;
	for (uint32_t p = 0; p < plan.piece_nr; p++) {
		struct array_piece *piece = &plan.pieces[p];
		daos_recx_t	   *recxs = array_piece_recxs(&plan, piece);
		uint64_t	    bytes = 0;

		assert_true(p == 0 || piece->dkey != plan.pieces[p - 1].dkey);
		for (uint32_t i = 0; i < piece->sgl.sg_nr; i++) {
			assert_ptr_equal(piece->sgl.sg_iovs[i].iov_buf, mem + mem_off + bytes);
			bytes += piece->sgl.sg_iovs[i].iov_len;
		}
		assert_int_equal(bytes, piece->cell_nr * cell);
		mem_off += bytes;
		for (uint32_t i = 0; i < piece->recx_nr; i++) {
			for (uint64_t c = 0; c < recxs[i].rx_nr; c++) {
				while (rg_off == rgs[rg].rg_len) {
					rg++;
					rg_off = 0;
				}
				assert_true(recxs[i].rx_idx + c < chunk);
				assert_int_equal((piece->dkey - 1) * chunk + recxs[i].rx_idx + c,
						 rgs[rg].rg_idx + rg_off);
				rg_off++;
			}
		}
	}
	assert_int_equal(mem_off, plan.cell_nr * cell);
	array_plan_fini(&plan);
}

static void
plan_against_model(void **state)
{
	unsigned seed = 99;

	for (int round = 0; round < 2000; round++) {
		daos_range_t rgs[6];
		uint64_t     nr = rand_r(&seed) % 6 + 1;
		uint64_t     next = 0;

		for (uint64_t i = 0; i < nr; i++) {
			rgs[i].rg_idx = rand_r(&seed) % 3 == 0 ? next : rand_r(&seed) % 5000;
			rgs[i].rg_len = rand_r(&seed) % 4 == 0 ? 0 : rand_r(&seed) % 300;
			next = rgs[i].rg_idx + rgs[i].rg_len;
		}
		plan_covers(rgs, nr, rand_r(&seed) % 200 + 1, rand_r(&seed) % 8 + 1, &seed);
	}
}

static void
plan_merges_neighbours(void **state)
{
	daos_range_t	  rgs[] = {{0, 5}, {5, 3}, {8, 4}, {20, 1}};
	struct array_plan plan;

	assert_int_equal(array_plan_make(&plan, rgs, 4, 10, 1, NULL), 0);
	assert_int_equal(plan.piece_nr, 3);
	assert_int_equal(plan.pieces[0].recx_nr, 1);
	assert_int_equal(plan.recxs[0].rx_nr, 10);
	assert_int_equal(plan.pieces[1].dkey, 2);
	assert_int_equal(plan.recxs[1].rx_nr, 2);
	assert_int_equal(plan.pieces[2].dkey, 3);
	assert_int_equal(plan.pieces[0].sgl.sg_nr, 0);
	array_plan_fini(&plan);
}

static void
plan_refuses(void **state)
{
	char		  mem[10];
	d_iov_t		  iov = {mem, 10, 10};
	d_sg_list_t	  sgl = {.sg_nr = 1, .sg_iovs = &iov};
	daos_range_t	  nine = {0, 9}, eleven = {0, 11}, wraps = {UINT64_MAX - 1, 10};
	daos_range_t	  huge[2] = {{0, UINT64_MAX}, {0, UINT64_MAX}};
	struct array_plan plan;

	assert_int_equal(array_plan_make(&plan, &nine, 1, 4, 1, &sgl), -DER_INVAL);
	assert_int_equal(array_plan_make(&plan, &eleven, 1, 4, 1, &sgl), -DER_INVAL);
	assert_int_equal(array_plan_make(&plan, &wraps, 1, 4, 1, &sgl), -DER_INVAL);
	assert_int_equal(array_plan_make(&plan, huge, 2, 4, 1, NULL), -DER_INVAL);
	assert_int_equal(array_plan_make(&plan, huge, 1, 4, 2, NULL), -DER_INVAL);
	assert_int_equal(array_plan_make(&plan, &nine, 0, 4, 1, NULL), 0);
	assert_int_equal(plan.piece_nr, 0);
	array_plan_fini(&plan);
}

static void
cells_beyond_the_end(void **state)
{
	daos_range_t rgs[] = {{0, 10}, {20, 10}, {100, 5}};

	assert_int_equal(array_cells_beyond(rgs, 3, 1000), 0);
	assert_int_equal(array_cells_beyond(rgs, 3, 25), 10);
	assert_int_equal(array_cells_beyond(rgs, 3, 5), 20);
	assert_int_equal(array_cells_beyond(rgs, 3, 0), 25);
}

/* ---- public calls ---- */

static int
setup(void **state)
{
	fake_start();
	return 0;
}

static int
teardown(void **state)
{
	fake_stop();
	return 0;
}

static daos_obj_id_t
oid_make(enum daos_otype_t type)
{
	static uint64_t next = 1;
	daos_obj_id_t	oid = {.lo = next++};

	assert_int_equal(daos_obj_generate_oid(coh, &oid, type, 0, 0, 0), 0);
	return oid;
}

static void
io_set(daos_array_iod_t *iod, daos_range_t *rg, d_sg_list_t *sgl, d_iov_t *iov, uint64_t idx,
       void *buf, uint64_t cells, uint64_t cell_bytes)
{
	*rg = (daos_range_t){.rg_idx = idx, .rg_len = cells};
	*iod = (daos_array_iod_t){.arr_nr = 1, .arr_rgs = rg};
	d_iov_set(iov, buf, cells * cell_bytes);
	*sgl = (d_sg_list_t){.sg_nr = 1, .sg_iovs = iov};
}

static int
write_at(daos_handle_t oh, uint64_t idx, const void *buf, uint64_t cells, uint64_t cell_bytes)
{
	daos_array_iod_t iod;
	daos_range_t	 rg;
	d_sg_list_t	 sgl;
	d_iov_t		 iov;

	io_set(&iod, &rg, &sgl, &iov, idx, (void *)buf, cells, cell_bytes);
	return daos_array_write(oh, DAOS_TX_NONE, &iod, &sgl, NULL);
}

static int
read_at(daos_handle_t oh, uint64_t idx, void *buf, uint64_t cells, uint64_t cell_bytes,
	uint64_t *ret_short)
{
	daos_array_iod_t iod;
	daos_range_t	 rg;
	d_sg_list_t	 sgl;
	d_iov_t		 iov;
	int		 rc;

	io_set(&iod, &rg, &sgl, &iov, idx, buf, cells, cell_bytes);
	rc = daos_array_read(oh, DAOS_TX_NONE, &iod, &sgl, NULL);
	if (ret_short != NULL)
		*ret_short = iod.arr_nr_short_read;
	return rc;
}

static void
create_open_close(void **state)
{
	daos_obj_id_t oid = oid_make(DAOS_OT_ARRAY);
	daos_handle_t oh, again;
	daos_size_t   cell, chunk;

	assert_int_equal(
	    daos_array_open(coh, oid, DAOS_TX_NONE, DAOS_OO_RW, &cell, &chunk, &oh, NULL),
	    -DER_NONEXIST);
	assert_int_equal(daos_array_create(coh, oid, DAOS_TX_NONE, 4, 16, &oh, NULL), 0);
	assert_int_equal(daos_array_create(coh, oid, DAOS_TX_NONE, 4, 16, &again, NULL),
			 -DER_EXIST);
	assert_int_equal(fake.open_nr, 1);
	assert_int_equal(
	    daos_array_open(coh, oid, DAOS_TX_NONE, DAOS_OO_RW, &cell, &chunk, &again, NULL), 0);
	assert_int_equal(cell, 4);
	assert_int_equal(chunk, 16);
	assert_int_equal(daos_array_get_attr(again, &chunk, &cell), 0);
	assert_int_equal(cell, 4);
	assert_int_equal(daos_array_update_chunk_size(again, 8), -DER_NO_PERM);
	assert_int_equal(daos_array_close(again, NULL), 0);
	assert_int_equal(daos_array_close(again, NULL), -DER_NO_HDL);
	assert_int_equal(daos_array_close(oh, NULL), 0);
	assert_int_equal(fake.open_nr, 0);
}

static void
wrong_arguments(void **state)
{
	daos_handle_t oh;
	daos_size_t   size = 1;
	char	      buf[8];

	assert_int_equal(
	    daos_array_create(coh, oid_make(DAOS_OT_ARRAY_BYTE), DAOS_TX_NONE, 1, 1, &oh, NULL),
	    -DER_INVAL);
	assert_int_equal(
	    daos_array_create(coh, oid_make(DAOS_OT_ARRAY), DAOS_TX_NONE, 0, 1, &oh, NULL),
	    -DER_INVAL);
	assert_int_equal(daos_array_open_with_attr(coh, oid_make(DAOS_OT_KV_HASHED), DAOS_TX_NONE,
						   DAOS_OO_RW, 1, 1, &oh, NULL),
			 -DER_INVAL);
	assert_int_equal(daos_array_open_with_attr(coh, oid_make(DAOS_OT_ARRAY_BYTE), DAOS_TX_NONE,
						   DAOS_OO_RW, 2, 1, &oh, NULL),
			 -DER_INVAL);
	assert_int_equal(write_at((daos_handle_t){77}, 0, buf, 8, 1), -DER_NO_HDL);
	assert_int_equal(daos_array_get_size((daos_handle_t){77}, DAOS_TX_NONE, &size, NULL),
			 -DER_NO_HDL);
	assert_int_equal(daos_array_set_size((daos_handle_t){77}, DAOS_TX_NONE, 1, NULL),
			 -DER_NO_HDL);
	assert_int_equal(daos_array_open_with_attr(coh, oid_make(DAOS_OT_ARRAY_BYTE), DAOS_TX_NONE,
						   DAOS_OO_RW, 1, 4, &oh, NULL),
			 0);
	assert_int_equal(daos_array_read(oh, DAOS_TX_NONE, NULL, NULL, NULL), -DER_INVAL);
	assert_int_equal(daos_array_get_size(oh, DAOS_TX_NONE, NULL, NULL), -DER_INVAL);
	assert_int_equal(daos_kv_close(oh, NULL), -DER_NO_HDL); /* another kind of handle */
	assert_int_equal(daos_array_close(oh, NULL), 0);
}

static void
short_reads(void **state)
{
	daos_handle_t oh;
	char	      buf[100];
	uint64_t      missing;

	assert_int_equal(daos_array_open_with_attr(coh, oid_make(DAOS_OT_ARRAY_BYTE), DAOS_TX_NONE,
						   DAOS_OO_RW, 1, 10, &oh, NULL),
			 0);
	assert_int_equal(read_at(oh, 0, buf, 50, 1, &missing), 0);
	assert_int_equal(missing, 50);
	assert_int_equal(write_at(oh, 35, "abcde", 5, 1), 0);
	memset(buf, 'x', sizeof(buf));
	assert_int_equal(read_at(oh, 30, buf, 50, 1, &missing), 0);
	assert_int_equal(missing, 40);
	assert_memory_equal(buf, "\0\0\0\0\0abcde", 10);
	assert_int_equal(read_at(oh, 35, buf, 5, 1, &missing), 0);
	assert_int_equal(missing, 0);
	assert_int_equal(read_at(oh, 1000, buf, 5, 1, &missing), 0);
	assert_int_equal(missing, 5);
	assert_int_equal(daos_array_close(oh, NULL), 0);
}

#define MODEL_CELLS 700

struct model {
	daos_handle_t oh;
	uint64_t      chunk, cell;
	bool	      bytes;
	char	      data[MODEL_CELLS * 8];
	bool	      there[MODEL_CELLS];
	unsigned      seed;
};

static uint64_t
model_size(const struct model *m)
{
	for (uint64_t i = MODEL_CELLS; i > 0; i--) {
		if (m->there[i - 1])
			return i;
	}
	return 0;
}

static void
model_write(struct model *m, uint64_t idx, uint64_t nr)
{
	for (uint64_t i = idx; i < idx + nr; i++) {
		m->there[i] = true;
		for (uint64_t b = 0; b < m->cell; b++)
			m->data[i * m->cell + b] = (char)rand_r(&m->seed);
	}
	assert_int_equal(write_at(m->oh, idx, &m->data[idx * m->cell], nr, m->cell), 0);
}

static void
model_read(struct model *m, uint64_t idx, uint64_t nr)
{
	char	 buf[MODEL_CELLS * 8];
	uint64_t missing, size = model_size(m);

	memset(buf, 'x', sizeof(buf));
	assert_int_equal(read_at(m->oh, idx, buf, nr, m->cell, &missing), 0);
	for (uint64_t i = 0; i < nr; i++) {
		char want[8];

		memset(want, m->bytes ? 0 : 'x', sizeof(want));
		if (m->there[idx + i])
			memcpy(want, &m->data[(idx + i) * m->cell], m->cell);
		assert_memory_equal(&buf[i * m->cell], want, m->cell);
	}
	if (m->bytes)
		assert_int_equal(missing, idx + nr <= size ? 0 : MIN_OF(nr, idx + nr - size));
}

static void
model_punch(struct model *m, uint64_t idx, uint64_t nr)
{
	daos_range_t	 rg = {.rg_idx = idx, .rg_len = nr};
	daos_array_iod_t iod = {.arr_nr = 1, .arr_rgs = &rg};

	memset(&m->there[idx], 0, nr);
	assert_int_equal(daos_array_punch(m->oh, DAOS_TX_NONE, &iod, NULL), 0);
}

static void
model_set_size(struct model *m, uint64_t size)
{
	memset(&m->there[size], 0, MODEL_CELLS - size);
	if (size > 0 && !m->there[size - 1]) {
		m->there[size - 1] = true;
		memset(&m->data[(size - 1) * m->cell], 0, m->cell);
	}
	assert_int_equal(daos_array_set_size(m->oh, DAOS_TX_NONE, size, NULL), 0);
}

static void
model_check_size(struct model *m)
{
	daos_array_stbuf_t st;
	daos_size_t	   size;

	assert_int_equal(daos_array_get_size(m->oh, DAOS_TX_NONE, &size, NULL), 0);
	assert_int_equal(size, model_size(m));
	assert_int_equal(daos_array_stat(m->oh, DAOS_TX_NONE, &st, NULL), 0);
	assert_int_equal(st.st_size, size);
	assert_int_equal(st.st_max_epoch, 99);
}

static void
model_run(enum daos_otype_t type, uint64_t chunk, uint64_t cell, unsigned seed)
{
	struct model m = {
	    .chunk = chunk, .cell = cell, .seed = seed, .bytes = type == DAOS_OT_ARRAY_BYTE};
	daos_obj_id_t oid = oid_make(type);

	if (type == DAOS_OT_ARRAY)
		assert_int_equal(
		    daos_array_create(coh, oid, DAOS_TX_NONE, cell, chunk, &m.oh, NULL), 0);
	else
		assert_int_equal(daos_array_open_with_attr(coh, oid, DAOS_TX_NONE, DAOS_OO_RW, cell,
							   chunk, &m.oh, NULL),
				 0);
	fake.async = true;
	for (int round = 0; round < 120; round++) {
		uint64_t idx = rand_r(&m.seed) % MODEL_CELLS;
		uint64_t nr = rand_r(&m.seed) % (MIN_OF(MODEL_CELLS - idx, 120u)) + 1;

		fake.iom_room = rand_r(&m.seed) % 3;
		switch (rand_r(&m.seed) % 8) {
		case 0:
			model_punch(&m, idx, nr);
			break;
		case 1:
			model_set_size(&m, rand_r(&m.seed) % 4 == 0 ? 0 : idx);
			break;
		case 2:
			model_check_size(&m);
			break;
		case 3:
		case 4:
			model_write(&m, idx, nr);
			break;
		default:
			model_read(&m, idx, nr);
		}
	}
	assert_int_equal(daos_array_destroy(m.oh, DAOS_TX_NONE, NULL), 0);
	assert_int_equal(daos_array_close(m.oh, NULL), 0);
	assert_int_equal(fake_value_nr(), 0);
}

static void
bytes_against_model(void **state)
{
	for (unsigned seed = 1; seed <= 6; seed++)
		model_run(DAOS_OT_ARRAY_BYTE, seed * 13, 1, seed);
}

static void
cells_against_model(void **state)
{
	for (unsigned seed = 1; seed <= 4; seed++)
		model_run(DAOS_OT_ARRAY_ATTR, seed * 7, seed * 2, seed);
}

static void
stored_attributes_against_model(void **state)
{
	for (unsigned seed = 1; seed <= 3; seed++)
		model_run(DAOS_OT_ARRAY, 5, 4, seed);
}

/** Fail each object operation in turn: the call fails, nothing leaks, the handle goes on. */
static void
each_operation_fails_once(void **state)
{
	daos_obj_id_t oid = oid_make(DAOS_OT_ARRAY);
	daos_handle_t oh = DAOS_HDL_INVAL;
	char	      buf[64] = {0};
	int	      rc;

	fake.async = true;
	for (int n = 1;; n++) {
		fake.fail_rc = -DER_IO;
		fake.fail_in = n;
		rc = daos_array_create(coh, oid, DAOS_TX_NONE, 1, 4, &oh, NULL);
		if (rc == 0)
			break;
		assert_int_equal(rc, -DER_IO);
		assert_int_equal(fake.open_nr, 0);
	}
	for (int n = 1;; n++) {
		fake.fail_in = n;
		rc = write_at(oh, 1, buf, 40, 1);
		if (rc == 0)
			rc = read_at(oh, 0, buf, 50, 1, NULL);
		if (rc == 0)
			rc = daos_array_set_size(oh, DAOS_TX_NONE, 21, NULL);
		if (rc == 0)
			break;
		assert_int_equal(rc, -DER_IO);
	}
	fake.fail_rc = 0;
	assert_int_equal(daos_array_close(oh, NULL), 0);
	assert_int_equal(fake.open_nr, 0);
}

static void
global_handle(void **state)
{
	daos_handle_t oh, copy;
	d_iov_t	      glob = {0};
	char	      desc[256], byte;
	daos_size_t   chunk, cell;

	assert_int_equal(daos_array_open_with_attr(coh, oid_make(DAOS_OT_ARRAY_BYTE), DAOS_TX_NONE,
						   DAOS_OO_RW, 1, 123, &oh, NULL),
			 0);
	assert_int_equal(write_at(oh, 500, "z", 1, 1), 0);
	assert_int_equal(daos_array_local2global(oh, &glob), 0);
	assert_in_range(glob.iov_buf_len, 1, sizeof(desc));
	glob.iov_buf = desc;
	glob.iov_buf_len = 3;
	assert_int_equal(daos_array_local2global(oh, &glob), -DER_TRUNC);
	assert_int_equal(daos_array_local2global(oh, &glob), 0);
	assert_int_equal(daos_array_close(oh, NULL), 0);
	assert_int_equal(daos_array_global2local((daos_handle_t){2}, glob, 0, &copy), -DER_NO_HDL);
	assert_int_equal(daos_array_global2local(coh, glob, 0, &copy), 0);
	assert_int_equal(daos_array_get_attr(copy, &chunk, &cell), 0);
	assert_int_equal(chunk, 123);
	assert_int_equal(read_at(copy, 500, &byte, 1, 1, NULL), 0);
	assert_int_equal(byte, 'z');
	assert_int_equal(daos_array_close(copy, NULL), 0);
	for (size_t i = 0; i < glob.iov_len;
	     i++) { /* damaged: refused, or a handle of some array */
		desc[i] ^= 0x55;
		if (daos_array_global2local(coh, glob, 0, &copy) == 0)
			assert_int_equal(daos_array_close(copy, NULL), 0);
		desc[i] ^= 0x55;
	}
	assert_int_equal(fake.open_nr, 0);
}

static void
events_and_tasks(void **state)
{
	daos_handle_t	 oh, eqh;
	daos_event_t	 ev, *got[1];
	daos_array_iod_t iod;
	daos_range_t	 rg;
	d_sg_list_t	 sgl;
	d_iov_t		 iov;
	char		 in[] = "hello", out[6] = {0};
	tse_sched_t	 sched;
	tse_task_t	*write, *read;
	daos_array_io_t *args;
	daos_array_iod_t iod2;
	daos_range_t	 rg2;
	d_sg_list_t	 sgl2;
	d_iov_t		 iov2;
	bool		 empty = false;

	fake.async = true;
	assert_int_equal(daos_eq_create(&eqh), 0);
	assert_int_equal(daos_event_init(&ev, eqh, NULL), 0);
	assert_int_equal(daos_array_open_with_attr(coh, oid_make(DAOS_OT_ARRAY_BYTE), DAOS_TX_NONE,
						   DAOS_OO_RW, 1, 2, &oh, &ev),
			 0);
	assert_int_equal(daos_eq_poll(eqh, 1, DAOS_EQ_WAIT, 1, got), 1);
	assert_int_equal(ev.ev_error, 0);

	/* write, then read: two tasks, the second depends on the first */
	assert_int_equal(tse_sched_init(&sched, NULL, NULL), 0);
	assert_int_equal(daos_task_create(DAOS_OPC_ARRAY_WRITE, &sched, 0, NULL, &write), 0);
	assert_int_equal(daos_task_create(DAOS_OPC_ARRAY_READ, &sched, 1, &write, &read), 0);
	io_set(&iod, &rg, &sgl, &iov, 3, in, 5, 1);
	io_set(&iod2, &rg2, &sgl2, &iov2, 3, out, 5, 1);
	args = daos_task_get_args(write);
	*args = (daos_array_io_t){.oh = oh, .iod = &iod, .sgl = &sgl};
	args = daos_task_get_args(read);
	*args = (daos_array_io_t){.oh = oh, .iod = &iod2, .sgl = &sgl2};
	assert_null(daos_task_set_priv(read, &sched));
	assert_ptr_equal(daos_task_get_priv(read), &sched);
	assert_int_equal(tse_task_schedule(read, false), 0);
	assert_int_equal(tse_task_schedule(write, false), 0);
	assert_int_equal(daos_progress(&sched, DAOS_EQ_WAIT, &empty), 0);
	assert_true(empty);
	assert_string_equal(out, "hello");
	tse_sched_complete(&sched, 0, false);

	assert_int_equal(daos_array_close(oh, &ev), 0);
	assert_int_equal(daos_eq_poll(eqh, 1, DAOS_EQ_WAIT, 1, got), 1);
	assert_int_equal(daos_event_fini(&ev), 0);
	assert_int_equal(daos_eq_destroy(eqh, 0), 0);
}

static void
task_interface_refuses(void **state)
{
	tse_task_t *task;

	assert_int_equal(daos_task_create(DAOS_OPC_INVALID, NULL, 0, NULL, &task), -DER_INVAL);
	assert_int_equal(daos_task_create(DAOS_OPC_MAX, NULL, 0, NULL, &task), -DER_INVAL);
	assert_int_equal(daos_task_create(DAOS_OPC_TX_OPEN, NULL, 0, NULL, &task), -DER_NOSYS);
	assert_int_equal(daos_task_create(DAOS_OPC_OBJ_OPEN, NULL, 1, NULL, &task), -DER_INVAL);
	assert_int_equal(daos_progress(NULL, 0, NULL), -DER_INVAL);
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(plan_against_model),
	    cmocka_unit_test(plan_merges_neighbours),
	    cmocka_unit_test(plan_refuses),
	    cmocka_unit_test(cells_beyond_the_end),
	    CASE(create_open_close),
	    CASE(wrong_arguments),
	    CASE(short_reads),
	    CASE(bytes_against_model),
	    CASE(cells_against_model),
	    CASE(stored_attributes_against_model),
	    CASE(each_operation_fails_once),
	    CASE(global_handle),
	    CASE(events_and_tasks),
	    CASE(task_interface_refuses),
	};

	return cmocka_run_group_tests_name("client/array", tests, NULL, NULL);
}
