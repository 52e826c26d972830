/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/**
 * An array of bytes in a container of the worker's own, and the same bytes in memory. A write whose outcome is not known
 * is remembered as possible for each byte it covers, until a later one that succeeded covers it.
 *
 * Now and then a snapshot is taken, and the model copied. What is read at it later must be that copy; a byte that could be one or
 * the other is settled by the first read, and must stay so, whatever is written and reclaimed since.
 */
#include "sim.h"

#include <daos_errno.h>
#include <stdlib.h>
#include <string.h>

#define ROOM      (192u << 10)
#define CHUNK     8192u
#define IO_MAX    (40u << 10)
#define UNSURE_NR 7u
#define ANYTHING  0x80 /* bit of the mask: nobody knows */

struct array_model {
	bool          created;
	uint64_t      size, size_max; /* it is between the two */
	unsigned char bytes[ROOM], mask[ROOM];
	uint32_t      unsure_seed[UNSURE_NR];
	/* the write under way */
	bool          pending;
	uint64_t      off, len;
	uint32_t      seed;
	/* as of the snapshot; epoch 0: there is none */
	struct array_snap {
		daos_epoch_t  epoch;
		uint64_t      size;
		unsigned char bytes[ROOM], mask[ROOM];
		uint32_t      unsure_seed[UNSURE_NR];
	} snap;
};

static unsigned char
byte_of(uint32_t seed, uint64_t at)
{
	uint64_t h = (seed * 0x9e3779b97f4a7c15ULL) ^ (at * 0xff51afd7ed558ccdULL);

	return (h >> 40) | 1;
}

static struct array_model *
model_of(struct sim_worker *w)
{
	if (w->model == NULL)
		w->model = psim_world_alloc(sizeof(struct array_model));
	return w->model;
}

/** The slot nobody needs any more, or UNSURE_NR. */
static uint32_t
unsure_slot(const struct array_model *m)
{
	unsigned char used = 0;

	for (uint32_t i = 0; i < ROOM; i++)
		used |= m->mask[i];
	for (uint32_t s = 0; s < UNSURE_NR; s++)
		if ((used & 1u << s) == 0)
			return s;
	return UNSURE_NR;
}

static void
write_unsure(struct array_model *m)
{
	uint32_t slot = unsure_slot(m);

	if (slot < UNSURE_NR)
		m->unsure_seed[slot] = m->seed;
	for (uint64_t i = m->off; i < m->off + m->len; i++)
		m->mask[i] |= slot < UNSURE_NR ? 1u << slot : ANYTHING;
	m->size_max = MAX_OF(m->size_max, m->off + m->len);
	m->pending = false;
}

static void
write_sure(struct array_model *m)
{
	for (uint64_t i = m->off; i < m->off + m->len; i++) {
		m->bytes[i] = byte_of(m->seed, i);
		m->mask[i] = 0;
	}
	m->size = MAX_OF(m->size, m->off + m->len);
	m->size_max = MAX_OF(m->size, m->size_max);
	m->pending = false;
}

static bool
byte_ok(const struct array_model *m, uint64_t at, unsigned char got)
{
	if (got == m->bytes[at] || (m->mask[at] & ANYTHING) != 0)
		return true;
	for (uint32_t s = 0; s < UNSURE_NR; s++)
		if ((m->mask[at] & 1u << s) != 0 && got == byte_of(m->unsure_seed[s], at))
			return true;
	return false;
}

static int
array_read_at(daos_handle_t oh, daos_handle_t th, uint64_t off, void *buf, uint64_t len)
{
	daos_range_t     range = {.rg_idx = off, .rg_len = len};
	daos_array_iod_t iod = {.arr_nr = 1, .arr_rgs = &range};
	d_iov_t          iov;
	d_sg_list_t      sgl = {.sg_nr = 1, .sg_iovs = &iov};

	d_iov_set(&iov, buf, len);
	return daos_array_read(oh, th, &iod, &sgl, NULL);
}

static int
array_io(daos_handle_t oh, uint64_t off, void *buf, uint64_t len, bool is_read)
{
	daos_range_t     range = {.rg_idx = off, .rg_len = len};
	daos_array_iod_t iod = {.arr_nr = 1, .arr_rgs = &range};
	d_iov_t          iov;
	d_sg_list_t      sgl = {.sg_nr = 1, .sg_iovs = &iov};

	d_iov_set(&iov, buf, len);
	return is_read ? daos_array_read(oh, DAOS_TX_NONE, &iod, &sgl, NULL)
		       : daos_array_write(oh, DAOS_TX_NONE, &iod, &sgl, NULL);
}

/** Half of them touch a border of chunks. */
static void
range_pick(uint64_t *ret_off, uint64_t *ret_len)
{
	uint64_t len = psim_between(1, psim_below(4) == 0 ? IO_MAX : 3000);
	uint64_t off = psim_below(ROOM - len);

	if (psim_below(2) == 0) {
		off = align_down(off, (uint64_t)CHUNK);
		off = off > 0 ? off - psim_below(MIN_OF(len, (uint64_t)16) + 1) : 0;
	}
	*ret_off = off;
	*ret_len = len;
}

static void
array_read(struct sim_worker *w, daos_handle_t oh, unsigned char *buf, uint64_t off, uint64_t len)
{
	struct array_model *m = w->model;

	memset(buf, 0xee, len);
	sim_call_begin(w, "reading the array");
	sim_log("worker %u reads %lu at %lu", w->id, (unsigned long)len, (unsigned long)off);
	if (!sim_call_end(w, array_io(oh, off, buf, len, true), 0))
		return;
	for (uint64_t i = 0; i < len && off + i < m->size; i++)
		SIM_CHECK(byte_ok(m, off + i, buf[i]),
			  "worker %u: byte %lu of its array is %02x, it should be %02x (read of %lu bytes at %lu)", w->id,
			  (unsigned long)(off + i), buf[i], m->bytes[off + i], (unsigned long)len, (unsigned long)off);
}

static void
array_write(struct sim_worker *w, daos_handle_t oh, unsigned char *buf)
{
	struct array_model *m = w->model;

	range_pick(&m->off, &m->len);
	m->seed = w->id << 24 | ++w->seq;
	for (uint64_t i = 0; i < m->len; i++)
		buf[i] = byte_of(m->seed, m->off + i);
	sim_call_begin(w, "writing the array");
	sim_log("worker %u writes %lu at %lu", w->id, (unsigned long)m->len, (unsigned long)m->off);
	m->pending = true;
	if (sim_call_end(w, array_io(oh, m->off, buf, m->len, false), 0))
		write_sure(m);
	else
		write_unsure(m);
}

static void
array_size(struct sim_worker *w, daos_handle_t oh)
{
	struct array_model *m = w->model;
	daos_size_t         size = 0;

	sim_call_begin(w, "asking for the array's size");
	if (sim_call_end(w, daos_array_get_size(oh, DAOS_TX_NONE, &size, NULL), 0))
		SIM_CHECK(size >= m->size && size <= m->size_max, "worker %u: its array has %lu bytes, it should have %lu",
			  w->id, (unsigned long)size, (unsigned long)m->size);
}

/* ---- snapshots ---- */

/** A new one; the one before goes. */
static void
snap_take(struct sim_worker *w, daos_handle_t coh)
{
	struct array_model *m = w->model;
	daos_epoch_range_t  old = {.epr_lo = m->snap.epoch, .epr_hi = m->snap.epoch};
	daos_epoch_t        epoch = 0;

	if (old.epr_lo != 0) {
		sim_call_begin(w, "destroying a snapshot");
		m->snap.epoch = 0;
		(void)sim_call_end(w, daos_cont_destroy_snap(coh, old, NULL), 0);
	}
	sim_call_begin(w, "taking a snapshot");
	if (!sim_call_end(w, daos_cont_create_snap(coh, &epoch, NULL, NULL), 0))
		return;
	m->snap.size = m->size;
	memcpy(m->snap.bytes, m->bytes, sizeof(m->bytes));
	memcpy(m->snap.mask, m->mask, sizeof(m->mask));
	memcpy(m->snap.unsure_seed, m->unsure_seed, sizeof(m->unsure_seed));
	m->snap.epoch = epoch;
}

static bool
snap_byte_ok(struct array_snap *snap, uint64_t at, unsigned char got)
{
	bool ok = got == snap->bytes[at] || (snap->mask[at] & ANYTHING) != 0;

	for (uint32_t s = 0; s < UNSURE_NR && !ok; s++)
		ok = (snap->mask[at] & 1u << s) != 0 && got == byte_of(snap->unsure_seed[s], at);
	if (ok) {
		snap->bytes[at] = got;
		snap->mask[at] = 0;
	}
	return ok;
}

static void
snap_read(struct sim_worker *w, daos_handle_t coh, daos_handle_t oh, unsigned char *buf, uint64_t off, uint64_t len)
{
	struct array_snap *snap = &((struct array_model *)w->model)->snap;
	daos_epoch_t       epoch = snap->epoch;
	daos_handle_t      th;

	if (epoch == 0 || off >= snap->size)
		return;
	len = MIN_OF(len, snap->size - off);
	memset(buf, 0xee, len);
	sim_call_begin(w, "opening a snapshot");
	if (!sim_call_end(w, daos_tx_open_snap(coh, epoch, &th, NULL), 0))
		return;
	sim_call_begin(w, "reading a snapshot");
	if (sim_call_end(w, array_read_at(oh, th, off, buf, len), 0))
		for (uint64_t i = 0; i < len; i++)
			SIM_CHECK(snap_byte_ok(snap, off + i, buf[i]),
				  "worker %u: byte %lu of its array at snapshot %lx is %02x, it was %02x (read of %lu bytes at %lu)", w->id,
				  (unsigned long)(off + i), (unsigned long)epoch, buf[i], snap->bytes[off + i],
				  (unsigned long)len, (unsigned long)off);
	(void)daos_tx_close(th, NULL);
}

static bool
array_open(struct sim_worker *w, daos_handle_t *ret_coh, daos_handle_t *ret_oh)
{
	struct array_model *m = model_of(w);
	daos_obj_id_t       oid = {.lo = 1};
	char                label[32];

	snprintf(label, sizeof(label), "array%u", w->id);
	while (!m->created && !sim_work_over(w)) {
		sim_call_begin(w, "creating a container");
		m->created = sim_call_end(w, daos_cont_create_with_label(w->poh, label, NULL, NULL, NULL), -DER_EXIST);
	}
	SIM_RETRY(w, "opening a container", daos_cont_open(w->poh, label, DAOS_COO_RW, ret_coh, NULL, NULL));
	if (sim_work_over(w))
		return false;
	SIM_RETRY(w, "making an object ID", daos_obj_generate_oid(*ret_coh, &oid, DAOS_OT_ARRAY_BYTE, OC_SX, 0, 0));
	SIM_RETRY(w, "opening the array",
		  daos_array_open_with_attr(*ret_coh, oid, DAOS_TX_NONE, DAOS_OO_RW, 1, CHUNK, ret_oh, NULL));
	if (m->pending)
		write_unsure(m);
	return !sim_work_over(w);
}

static void
array_close(daos_handle_t coh, daos_handle_t oh)
{
	if (daos_handle_is_valid(oh))
		(void)daos_array_close(oh, NULL);
	if (daos_handle_is_valid(coh))
		(void)daos_cont_close(coh, NULL);
}

static void
array_run(struct sim_worker *w)
{
	daos_handle_t  coh = DAOS_HDL_INVAL, oh = DAOS_HDL_INVAL;
	unsigned char *buf = malloc(IO_MAX);

	if (array_open(w, &coh, &oh)) {
		while (!sim_work_over(w)) {
			uint64_t off, len, kind = psim_below(11);

			range_pick(&off, &len);
			if (kind > 8)
				snap_read(w, coh, oh, buf, off, len);
			else if (kind == 8 && psim_below(4) == 0)
				snap_take(w, coh);
			else if (kind < 4)
				array_write(w, oh, buf);
			else if (kind < 7)
				array_read(w, oh, buf, off, len);
			else
				array_size(w, oh);
		}
	}
	array_close(coh, oh);
	free(buf);
}

static void
array_verify(struct sim_worker *w)
{
	struct array_model *m = model_of(w);
	daos_handle_t       coh = DAOS_HDL_INVAL, oh = DAOS_HDL_INVAL;
	unsigned char      *buf = malloc(ROOM);

	if (m->created && array_open(w, &coh, &oh)) {
		array_size(w, oh);
		if (m->size > 0)
			array_read(w, oh, buf, 0, m->size);
		snap_read(w, coh, oh, buf, 0, ROOM);
	}
	array_close(coh, oh);
	free(buf);
}

const struct sim_work sim_work_array = {.name = "array", .run = array_run, .verify = array_verify};
