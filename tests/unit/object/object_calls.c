/* SPDX-License-Identifier: BSD-2-Clause-Patent */
#include "object_calls.h"
#include <stdlib.h>
#include <string.h>
#include <daos_errno.h>
#include "base/iov.h"
#include "placement/pl_class.h"

static int
run(tse_task_func_t func, const void *args, size_t args_bytes)
{
	tse_task_t *task;
	int         rc = dc_task_create(func, NULL, NULL, &task);

	if (rc != 0)
		return rc;
	assert_true(args_bytes <= DC_TASK_ARGS_BYTES_MAX);
	memcpy(dc_task_get_args(task), args, args_bytes);
	return dc_task_schedule(task, true);
}
#define RUN(func, args) run(func, &(args), sizeof(args))

int
oc_open(daos_handle_t coh, daos_obj_id_t oid, unsigned mode, daos_handle_t *oh)
{
	daos_obj_open_t args = {.coh = coh, .oid = oid, .mode = mode, .oh = oh};

	return RUN(dc_obj_open_task, args);
}

int
oc_close(daos_handle_t oh)
{
	daos_obj_close_t args = {.oh = oh};

	return RUN(dc_obj_close_task, args);
}

int
oc_update(daos_handle_t oh, uint64_t flags, daos_key_t *dkey, uint32_t nr, daos_iod_t *iods,
	  d_sg_list_t *sgls)
{
	daos_obj_update_t args = {
	    .oh = oh, .flags = flags, .dkey = dkey, .nr = nr, .iods = iods, .sgls = sgls};

	return RUN(dc_obj_update_task, args);
}

int
oc_fetch(daos_handle_t oh, uint64_t flags, daos_key_t *dkey, uint32_t nr, daos_iod_t *iods,
	 d_sg_list_t *sgls, daos_iom_t *ioms)
{
	daos_obj_fetch_t args = {.oh   = oh,   .flags = flags, .dkey = dkey, .nr = nr,
				 .iods = iods, .sgls  = sgls,  .ioms = ioms};

	return RUN(dc_obj_fetch_task, args);
}

int
oc_punch(daos_handle_t oh, uint64_t flags)
{
	daos_obj_punch_t args = {.oh = oh, .flags = flags};

	return RUN(dc_obj_punch_task, args);
}

int
oc_punch_dkeys(daos_handle_t oh, uint64_t flags, uint32_t nr, daos_key_t *dkeys)
{
	daos_obj_punch_t args = {.oh = oh, .flags = flags, .dkey = dkeys, .akey_nr = nr};

	return RUN(dc_obj_punch_dkeys_task, args);
}

int
oc_punch_akeys(daos_handle_t oh, uint64_t flags, daos_key_t *dkey, uint32_t nr, daos_key_t *akeys)
{
	daos_obj_punch_t args = {.oh = oh, .flags = flags, .dkey = dkey, .akeys = akeys, .akey_nr = nr};

	return RUN(dc_obj_punch_akeys_task, args);
}

int
oc_list_dkey(daos_handle_t oh, uint32_t *nr, daos_key_desc_t *kds, d_sg_list_t *sgl, daos_anchor_t *anchor)
{
	daos_obj_list_t args = {.oh = oh, .nr = nr, .kds = kds, .sgl = sgl, .anchor = anchor};

	return RUN(dc_obj_list_dkey_task, args);
}

int
oc_list_akey(daos_handle_t oh, daos_key_t *dkey, uint32_t *nr, daos_key_desc_t *kds, d_sg_list_t *sgl,
	     daos_anchor_t *anchor)
{
	daos_obj_list_t args = {
	    .oh = oh, .dkey = dkey, .nr = nr, .kds = kds, .sgl = sgl, .anchor = anchor};

	return RUN(dc_obj_list_akey_task, args);
}

int
oc_list_recx(daos_handle_t oh, daos_key_t *dkey, daos_key_t *akey, daos_size_t *size, uint32_t *nr,
	     daos_recx_t *recxs, daos_epoch_range_t *eprs, daos_anchor_t *anchor, bool rising)
{
	daos_obj_list_t args = {.oh     = oh,     .dkey       = dkey,   .akey  = akey,
				.nr     = nr,     .size       = size,   .recxs = recxs,
				.eprs   = eprs,   .anchor     = anchor, .type  = DAOS_IOD_ARRAY,
				.incr_order = rising};

	return RUN(dc_obj_list_recx_task, args);
}

int
oc_query_key(daos_handle_t oh, uint64_t flags, daos_key_t *dkey, daos_key_t *akey, daos_recx_t *recx)
{
	daos_obj_query_key_t args = {
	    .oh = oh, .flags = flags, .dkey = dkey, .akey = akey, .recx = recx};

	return RUN(dc_obj_query_key_task, args);
}

int
oc_max_epoch(daos_handle_t oh, daos_epoch_t *epoch)
{
	daos_obj_query_key_t args = {.oh = oh, .max_epoch = epoch};

	return RUN(dc_obj_query_key_task, args);
}

daos_key_t
oc_key(const char *text)
{
	daos_key_t key;

	d_iov_set(&key, (void *)text, strlen(text));
	return key;
}

int
oc_put(daos_handle_t oh, const char *dkey_, const char *akey, const void *buf, size_t bytes, uint64_t flags)
{
	daos_key_t  dkey = oc_key(dkey_);
	daos_iod_t  iod  = {.iod_name = oc_key(akey), .iod_type = DAOS_IOD_SINGLE, .iod_size = bytes, .iod_nr = 1};
	d_iov_t     iov;
	d_sg_list_t sgl = {.sg_nr = 1, .sg_iovs = &iov};

	assert_true(bytes > 0);
	d_iov_set(&iov, (void *)buf, bytes);
	return oc_update(oh, flags, &dkey, 1, &iod, &sgl);
}

int
oc_get(daos_handle_t oh, const char *dkey_, const char *akey, void *buf, size_t room, size_t *ret_bytes)
{
	daos_key_t  dkey = oc_key(dkey_);
	daos_iod_t  iod  = {.iod_name = oc_key(akey), .iod_type = DAOS_IOD_SINGLE, .iod_nr = 1};
	d_iov_t     iov;
	d_sg_list_t sgl = {.sg_nr = 1, .sg_iovs = &iov};
	int         rc;

	d_iov_set(&iov, buf, room);
	rc = oc_fetch(oh, 0, &dkey, 1, &iod, &sgl, NULL);
	if (rc == 0)
		*ret_bytes = iod.iod_size;
	return rc;
}

daos_obj_id_t
oc_oid(uint64_t n, enum daos_otype_t type, daos_oclass_id_t cid)
{
	daos_obj_id_t oid = {.lo = n};

	pl_oid_set(&oid, type, cid);
	return oid;
}

uint64_t
oc_rnd(uint64_t *state)
{
	*state ^= *state >> 12;
	*state ^= *state << 25;
	*state ^= *state >> 27;
	return *state * 2685821657736338717ULL;
}

/* ---- the workload ---- */

#define W_DKEYS   24
#define W_RECS    3000   /* of an array */
#define W_SINGLE  20000  /* bytes of a single value */

/** Akey 0 holds a single value, 1 an array of bytes, 2 an array of 8-byte records. */
static const char *const w_akeys[] = {"single", "bytes", "longs"};
static const uint64_t    w_rsize[] = {0, 1, 8};

struct w_array {
	unsigned char bytes[W_RECS * 8];
	bool          exists[W_RECS];
};
struct w_dkey {
	bool           touched; /**< something was written since it was punched */
	bool           written[3];
	unsigned char *single;
	size_t         single_bytes;
	struct w_array arrays[2];
};
struct w_model {
	daos_handle_t  oh;
	uint64_t       rnd;
	struct w_dkey *dkeys; /**< [W_DKEYS] */
	int            updates, fetches, punches;
};

static void
w_dkey_name(int d, char name[32])
{
	snprintf(name, 32, d % 3 == 0 ? "d%d" : "a rather longer dkey %d", d);
}

static void
w_dkey_clear(struct w_dkey *dk)
{
	free(dk->single);
	memset(dk, 0, sizeof(*dk));
}

/** Random pieces over @buf; @iovs has room for eight. */
static d_sg_list_t
w_scatter(struct w_model *m, void *buf, size_t bytes, d_iov_t *iovs)
{
	d_sg_list_t sgl = {.sg_iovs = iovs};
	size_t      at  = 0;

	while (at < bytes) {
		size_t part = sgl.sg_nr == 7 ? bytes - at : 1 + oc_rnd_below(&m->rnd, bytes - at);

		d_iov_set(&iovs[sgl.sg_nr++], (char *)buf + at, part);
		at += part;
	}
	if (sgl.sg_nr == 0) {
		iovs[0]   = (d_iov_t){0};
		sgl.sg_nr = 1;
	}
	return sgl;
}

static void
w_fill(struct w_model *m, unsigned char *buf, size_t bytes)
{
	for (size_t i = 0; i < bytes; i++)
		buf[i] = (unsigned char)oc_rnd(&m->rnd);
}

static size_t
w_size(struct w_model *m, size_t max)
{
	switch (oc_rnd_below(&m->rnd, 3)) {
	case 0:
		return 1 + oc_rnd_below(&m->rnd, 16);
	case 1:
		return 1 + oc_rnd_below(&m->rnd, max / 8);
	}
	return 1 + oc_rnd_below(&m->rnd, max);
}

/** Up to three extents that do not overlap, in rising order. */
static uint32_t
w_recxs(struct w_model *m, daos_recx_t *recxs)
{
	uint32_t want = 1 + (uint32_t)oc_rnd_below(&m->rnd, 3), nr = 0;
	uint64_t at   = oc_rnd_below(&m->rnd, W_RECS / 2);

	while (nr < want && at + 2 < W_RECS) {
		uint64_t len = 1 + oc_rnd_below(&m->rnd, MIN_OF(W_RECS - at, W_RECS / 4));

		recxs[nr++] = (daos_recx_t){.rx_idx = at, .rx_nr = len};
		at += len + oc_rnd_below(&m->rnd, 50);
	}
	return nr;
}

static void
w_array_put(struct w_array *arr, uint64_t rsize, const daos_recx_t *recxs, uint32_t nr,
	    const unsigned char *src)
{
	for (uint32_t x = 0; x < nr; x++)
		for (uint64_t r = recxs[x].rx_idx; r < recxs[x].rx_idx + recxs[x].rx_nr; r++) {
			arr->exists[r] = true;
			memcpy(arr->bytes + r * rsize, src, rsize);
			src += rsize;
		}
}

struct w_io {
	daos_iod_t     iods[3];
	d_sg_list_t    sgls[3];
	d_iov_t        iovs[3][8];
	daos_recx_t    recxs[3][3];
	unsigned char *bufs[3];
	size_t         bytes[3];
	int            akeys[3];
	uint32_t       nr;
};

/** Which akeys, which extents, how large; buffers are allocated. */
static void
w_io_make(struct w_model *m, struct w_io *io)
{
	unsigned mask = 1 + (unsigned)oc_rnd_below(&m->rnd, 7);

	memset(io, 0, sizeof(*io));
	for (int a = 0; a < 3; a++) {
		daos_iod_t *iod = &io->iods[io->nr];

		if (!(mask & (1u << a)))
			continue;
		io->akeys[io->nr] = a;
		iod->iod_name     = oc_key(w_akeys[a]);
		iod->iod_type     = a == 0 ? DAOS_IOD_SINGLE : DAOS_IOD_ARRAY;
		iod->iod_nr       = 1;
		if (a == 0) {
			iod->iod_size = w_size(m, W_SINGLE);
			io->bytes[io->nr] = iod->iod_size;
		} else {
			iod->iod_nr    = w_recxs(m, io->recxs[io->nr]);
			iod->iod_recxs = io->recxs[io->nr];
			iod->iod_size  = w_rsize[a];
			for (uint32_t x = 0; x < iod->iod_nr; x++)
				io->bytes[io->nr] += iod->iod_recxs[x].rx_nr * iod->iod_size;
		}
		io->bufs[io->nr] = malloc(io->bytes[io->nr]);
		io->nr++;
	}
}

static void
w_io_free(struct w_io *io)
{
	for (uint32_t i = 0; i < io->nr; i++)
		free(io->bufs[i]);
}

static void
w_update(struct w_model *m)
{
	int            d  = (int)oc_rnd_below(&m->rnd, W_DKEYS);
	struct w_dkey *dk = &m->dkeys[d];
	char           name[32];
	daos_key_t     dkey;
	struct w_io    io;

	w_dkey_name(d, name);
	dkey = oc_key(name);
	w_io_make(m, &io);
	for (uint32_t i = 0; i < io.nr; i++) {
		w_fill(m, io.bufs[i], io.bytes[i]);
		io.sgls[i] = w_scatter(m, io.bufs[i], io.bytes[i], io.iovs[i]);
	}
	assert_int_equal(oc_update(m->oh, 0, &dkey, io.nr, io.iods, io.sgls), 0);
	for (uint32_t i = 0; i < io.nr; i++) {
		int a = io.akeys[i];

		dk->touched    = true;
		dk->written[a] = true;
		if (a > 0) {
			w_array_put(&dk->arrays[a - 1], w_rsize[a], io.recxs[i], io.iods[i].iod_nr,
				    io.bufs[i]);
			continue;
		}
		free(dk->single);
		dk->single       = malloc(io.bytes[i]);
		dk->single_bytes = io.bytes[i];
		memcpy(dk->single, io.bufs[i], io.bytes[i]);
	}
	w_io_free(&io);
	m->updates++;
}

/** What the buffer, filled with 0xee before, must hold; and where the last record found ends. */
static size_t
w_expect(const struct w_array *arr, uint64_t rsize, const daos_recx_t *recxs, uint32_t nr,
	 unsigned char *want)
{
	size_t at = 0, end = 0;

	for (uint32_t x = 0; x < nr; x++)
		for (uint64_t r = recxs[x].rx_idx; r < recxs[x].rx_idx + recxs[x].rx_nr; r++) {
			if (arr->exists[r]) {
				memcpy(want + at, arr->bytes + r * rsize, rsize);
				end = at + rsize;
			}
			at += rsize;
		}
	return end;
}

static void
w_check_single(const struct w_dkey *dk, const struct w_io *io, uint32_t i)
{
	assert_int_equal(io->iods[i].iod_size, dk->single_bytes);
	assert_int_equal(d_sgl_data_bytes(&io->sgls[i]), dk->single_bytes);
	if (dk->single_bytes > 0)
		assert_memory_equal(io->bufs[i], dk->single, dk->single_bytes);
}

static void
w_check_array(const struct w_dkey *dk, const struct w_io *io, uint32_t i)
{
	int            a    = io->akeys[i];
	unsigned char *want = malloc(io->bytes[i]);
	size_t         end;

	memset(want, 0xee, io->bytes[i]);
	end = w_expect(&dk->arrays[a - 1], w_rsize[a], io->recxs[i], io->iods[i].iod_nr, want);
	assert_memory_equal(io->bufs[i], want, io->bytes[i]);
	assert_int_equal(d_sgl_data_bytes(&io->sgls[i]), end);
	if (end > 0)
		assert_int_equal(io->iods[i].iod_size, w_rsize[a]);
	free(want);
}

static void
w_fetch(struct w_model *m)
{
	int            d  = (int)oc_rnd_below(&m->rnd, W_DKEYS);
	struct w_dkey *dk = &m->dkeys[d];
	char           name[32];
	daos_key_t     dkey;
	struct w_io    io;

	w_dkey_name(d, name);
	dkey = oc_key(name);
	w_io_make(m, &io);
	for (uint32_t i = 0; i < io.nr; i++) {
		if (io.akeys[i] == 0) { /* of unknown size */
			io.bytes[i]         = MAX_OF(dk->single_bytes, (size_t)1);
			io.iods[i].iod_size = DAOS_REC_ANY;
			free(io.bufs[i]);
			io.bufs[i] = malloc(io.bytes[i]);
		}
		memset(io.bufs[i], 0xee, io.bytes[i]);
		io.sgls[i] = w_scatter(m, io.bufs[i], io.bytes[i], io.iovs[i]);
	}
	assert_int_equal(oc_fetch(m->oh, 0, &dkey, io.nr, io.iods, io.sgls, NULL), 0);
	for (uint32_t i = 0; i < io.nr; i++) {
		if (io.akeys[i] == 0)
			w_check_single(dk, &io, i);
		else
			w_check_array(dk, &io, i);
	}
	w_io_free(&io);
	m->fetches++;
}

static void
w_akey_clear(struct w_dkey *dk, int a)
{
	dk->written[a] = false;
	if (a > 0) {
		memset(&dk->arrays[a - 1], 0, sizeof(dk->arrays[0]));
		return;
	}
	free(dk->single);
	dk->single       = NULL;
	dk->single_bytes = 0;
}

static void
w_punch_extents(struct w_model *m, daos_key_t *dkey, struct w_dkey *dk)
{
	int         a = 1 + (int)oc_rnd_below(&m->rnd, 2);
	daos_recx_t recxs[3];
	daos_iod_t  iod = {.iod_name = oc_key(w_akeys[a]), .iod_type = DAOS_IOD_ARRAY, .iod_recxs = recxs};

	iod.iod_nr = w_recxs(m, recxs);
	assert_int_equal(oc_update(m->oh, 0, dkey, 1, &iod, NULL), 0);
	for (uint32_t x = 0; x < iod.iod_nr; x++)
		for (uint64_t r = recxs[x].rx_idx; r < recxs[x].rx_idx + recxs[x].rx_nr; r++)
			dk->arrays[a - 1].exists[r] = false;
	dk->touched = true;
}

static void
w_punch(struct w_model *m)
{
	int            d  = (int)oc_rnd_below(&m->rnd, W_DKEYS), a = (int)oc_rnd_below(&m->rnd, 3);
	struct w_dkey *dk = &m->dkeys[d];
	char           name[32];
	daos_key_t     dkey, akey = oc_key(w_akeys[a]);

	w_dkey_name(d, name);
	dkey = oc_key(name);
	switch (oc_rnd_below(&m->rnd, 4)) {
	case 0:
		assert_int_equal(oc_punch_dkeys(m->oh, 0, 1, &dkey), 0);
		w_dkey_clear(dk);
		break;
	case 1:
		assert_int_equal(oc_punch_akeys(m->oh, 0, &dkey, 1, &akey), 0);
		w_akey_clear(dk, a);
		break;
	default:
		w_punch_extents(m, &dkey, dk);
	}
	m->punches++;
}

static int
w_dkey_find(const char *key, size_t len)
{
	char name[32];

	for (int d = 0; d < W_DKEYS; d++) {
		w_dkey_name(d, name);
		if (strlen(name) == len && memcmp(name, key, len) == 0)
			return d;
	}
	return -1;
}

static bool
w_has_value(const struct w_dkey *dk)
{
	if (dk->single_bytes > 0)
		return true;
	for (int r = 0; r < W_RECS; r++)
		if (dk->arrays[0].exists[r] || dk->arrays[1].exists[r])
			return true;
	return false;
}

/** Each dkey with a value is listed once; none is listed that has nothing written since its punch. */
static void
w_check_list(struct w_model *m, uint32_t at_once, size_t room)
{
	daos_key_desc_t kds[64];
	daos_anchor_t   anchor = {0};
	char           *buf    = malloc(room);
	bool            seen[W_DKEYS] = {false};
	d_iov_t         iov;
	d_sg_list_t     sgl = {.sg_nr = 1, .sg_iovs = &iov};

	while (anchor.da_type != DAOS_ANCHOR_TYPE_EOF) {
		uint32_t nr = at_once;
		char    *at = buf;

		d_iov_set(&iov, buf, room);
		assert_int_equal(oc_list_dkey(m->oh, &nr, kds, &sgl, &anchor), 0);
		assert_true(nr <= at_once);
		for (uint32_t i = 0; i < nr; i++) {
			int d = w_dkey_find(at, kds[i].kd_key_len);

			assert_in_range(d, 0, W_DKEYS - 1);
			assert_false(seen[d]);
			assert_true(m->dkeys[d].touched);
			seen[d] = true;
			at += kds[i].kd_key_len;
		}
		assert_int_equal(d_sgl_data_bytes(&sgl), at - buf);
	}
	for (int d = 0; d < W_DKEYS; d++)
		assert_true(seen[d] || !w_has_value(&m->dkeys[d]));
	free(buf);
}

static void
w_check_recxs(struct w_model *m, int d, int a, bool rising)
{
	struct w_array *arr    = &m->dkeys[d].arrays[a - 1];
	daos_anchor_t   anchor = {0};
	bool            seen[W_RECS] = {false};
	uint64_t        last = rising ? 0 : UINT64_MAX;
	char            name[32];
	daos_key_t      dkey, akey = oc_key(w_akeys[a]);

	w_dkey_name(d, name);
	dkey = oc_key(name);
	while (anchor.da_type != DAOS_ANCHOR_TYPE_EOF) {
		daos_recx_t        recxs[7];
		daos_epoch_range_t eprs[7];
		daos_size_t        size = 0;
		uint32_t           nr   = 7;

		assert_int_equal(oc_list_recx(m->oh, &dkey, &akey, &size, &nr, recxs, eprs, &anchor, rising), 0);
		for (uint32_t i = 0; i < nr; i++) {
			assert_int_equal(size, w_rsize[a]);
			assert_true(eprs[i].epr_lo > 0);
			assert_true(rising ? recxs[i].rx_idx >= last : recxs[i].rx_idx <= last);
			last = recxs[i].rx_idx;
			for (uint64_t r = 0; r < recxs[i].rx_nr; r++) {
				assert_in_range(recxs[i].rx_idx + r, 0, W_RECS - 1);
				assert_false(seen[recxs[i].rx_idx + r]);
				seen[recxs[i].rx_idx + r] = true;
			}
		}
	}
	assert_memory_equal(seen, arr->exists, sizeof(seen));
}

static void
w_check_akeys(struct w_model *m, int d)
{
	struct w_dkey  *dk     = &m->dkeys[d];
	daos_anchor_t   anchor = {0};
	daos_key_desc_t kds[2];
	bool            seen[3] = {false};
	char            name[32], buf[64];
	daos_key_t      dkey;
	d_iov_t         iov;
	d_sg_list_t     sgl = {.sg_nr = 1, .sg_iovs = &iov};

	w_dkey_name(d, name);
	dkey = oc_key(name);
	while (anchor.da_type != DAOS_ANCHOR_TYPE_EOF) {
		uint32_t nr = 2;
		char    *at = buf;

		d_iov_set(&iov, buf, sizeof(buf));
		assert_int_equal(oc_list_akey(m->oh, &dkey, &nr, kds, &sgl, &anchor), 0);
		for (uint32_t i = 0; i < nr; i++) {
			for (int a = 0; a < 3; a++)
				if (strlen(w_akeys[a]) == kds[i].kd_key_len &&
				    memcmp(w_akeys[a], at, kds[i].kd_key_len) == 0) {
					assert_false(seen[a]);
					seen[a] = true;
				}
			at += kds[i].kd_key_len;
		}
	}
	assert_true(seen[0] == (dk->single_bytes > 0));
}

static void
w_check_all(struct w_model *m)
{
	w_check_list(m, 64, 4096);
	w_check_list(m, 1, 40);
	w_check_list(m, 5, 60);
	for (int d = 0; d < W_DKEYS; d++) {
		w_check_recxs(m, d, 1, true);
		w_check_recxs(m, d, 2, false);
		w_check_akeys(m, d);
	}
	for (int i = 0; i < 3 * W_DKEYS; i++)
		w_fetch(m);
}

void
oc_workload(daos_handle_t oh, uint64_t seed, int steps, void (*between)(void *arg, int step), void *arg)
{
	struct w_model m = {.oh = oh, .rnd = seed * 2 + 1, .dkeys = calloc(W_DKEYS, sizeof(*m.dkeys))};

	for (int i = 0; i < steps; i++) {
		uint64_t what = oc_rnd_below(&m.rnd, 10);

		if (what < 4)
			w_update(&m);
		else if (what < 9)
			w_fetch(&m);
		else
			w_punch(&m);
		if (between != NULL)
			between(arg, i);
	}
	w_check_all(&m);
	for (int d = 0; d < W_DKEYS; d++)
		w_dkey_clear(&m.dkeys[d]);
	free(m.dkeys);
}
