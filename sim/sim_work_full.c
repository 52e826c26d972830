/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/**
 * Fills the pool until writes are refused, and makes room again by destroying what it wrote: objects, or the container with all of
 * them. Nobody may see more of a full pool than that changes are refused, and the space comes back, within a bound.
 */
#include "sim.h"

#include <daos_errno.h>
#include <stdlib.h>
#include <string.h>

#define IO_BYTES    (512u << 10)
#define OBJ_NR      64u
#define BACK_NS_MAX (120 * SIM_SEC)

struct full_model {
	bool     created;
	uint32_t obj_nr; /**< 0 .. obj_nr-1 may have bytes */
	uint32_t full_nr;
};

static struct full_model *
model_of(struct sim_worker *w)
{
	if (w->model == NULL)
		w->model = psim_world_alloc(sizeof(struct full_model));
	return w->model;
}

static void
label_of(const struct sim_worker *w, char *buf, size_t bytes)
{
	snprintf(buf, bytes, "full%u", w->id);
}

static bool
full_open(struct sim_worker *w, daos_handle_t *ret_coh)
{
	struct full_model *m = model_of(w);
	char               label[32];

	label_of(w, label, sizeof(label));
	while (!m->created && !sim_work_over(w)) {
		sim_call_begin(w, "creating a container to fill");
		m->created = sim_call_end(w, daos_cont_create_with_label(w->poh, label, NULL, NULL, NULL), -DER_EXIST);
	}
	if (!m->created || sim_work_over(w))
		return false;
	SIM_RETRY(w, "opening a container to fill", daos_cont_open(w->poh, label, DAOS_COO_RW, ret_coh, NULL, NULL));
	return daos_handle_is_valid(*ret_coh);
}

static bool
obj_open(struct sim_worker *w, daos_handle_t coh, uint32_t idx, daos_handle_t *ret_oh)
{
	daos_obj_id_t oid = {.lo = 100 + idx};
	int           rc;

	sim_call_begin(w, "making an object ID");
	if (!sim_call_end(w, daos_obj_generate_oid(coh, &oid, 0, OC_SX, 0, 0), 0))
		return false;
	sim_call_begin(w, "opening an object to fill");
	rc = daos_obj_open(coh, oid, DAOS_OO_RW, ret_oh, NULL);
	return sim_call_end(w, rc, 0);
}

static int
obj_write(daos_handle_t oh, uint32_t key, unsigned char *buf)
{
	daos_key_t  dkey;
	d_iov_t     iov;
	d_sg_list_t sgl = {.sg_nr = 1, .sg_iovs = &iov};
	daos_recx_t recx = {.rx_nr = IO_BYTES};
	daos_iod_t  iod = {.iod_type = DAOS_IOD_ARRAY, .iod_size = 1, .iod_nr = 1, .iod_recxs = &recx};

	d_iov_set(&dkey, &key, sizeof(key));
	d_iov_set(&iod.iod_name, "bytes", 5);
	d_iov_set(&iov, buf, IO_BYTES);
	return daos_obj_update(oh, DAOS_TX_NONE, 0, &dkey, 1, &iod, &sgl, NULL);
}

/** False: the pool is full. */
static bool
fill_one(struct sim_worker *w, daos_handle_t coh, unsigned char *buf)
{
	struct full_model *m = w->model;
	daos_handle_t      oh;
	int                rc = 0;

	if (!obj_open(w, coh, m->obj_nr, &oh))
		return true;
	m->obj_nr++;
	for (uint32_t key = 0; key < 8 && rc == 0 && !sim_work_over(w); key++) {
		sim_call_begin(w, "filling the pool");
		rc = obj_write(oh, key, buf);
		(void)sim_call_end(w, rc, -DER_NOSPACE);
	}
	(void)daos_obj_close(oh, NULL);
	return rc != -DER_NOSPACE;
}

/** Punches are changes, too, but must find room in a full pool. */
static void
empty_objs(struct sim_worker *w, daos_handle_t coh)
{
	struct full_model *m = w->model;

	while (m->obj_nr > 0 && !sim_work_over(w)) {
		daos_handle_t oh;

		if (!obj_open(w, coh, m->obj_nr - 1, &oh))
			continue;
		sim_call_begin(w, "emptying the pool");
		if (sim_call_end(w, daos_obj_punch(oh, DAOS_TX_NONE, 0, NULL), -DER_NONEXIST))
			m->obj_nr--;
		(void)daos_obj_close(oh, NULL);
	}
}

static void
empty_all(struct sim_worker *w)
{
	struct full_model *m = w->model;
	char               label[32];

	label_of(w, label, sizeof(label));
	sim_call_begin(w, "destroying a full container");
	if (!sim_call_end(w, daos_cont_destroy(w->poh, label, 1, NULL), -DER_NONEXIST))
		return;
	*m = (struct full_model){.full_nr = m->full_nr};
}

static void
full_run(struct sim_worker *w)
{
	unsigned char *buf = calloc(1, IO_BYTES);

	while (buf != NULL && !sim_work_over(w)) {
		daos_handle_t coh = DAOS_HDL_INVAL;

		if (!full_open(w, &coh))
			break;
		while (!sim_work_over(w) && model_of(w)->obj_nr < OBJ_NR && fill_one(w, coh, buf))
			;
		model_of(w)->full_nr++;
		psim_sleep_ns(psim_delay(5 * SIM_SEC)); /* the others meet it */
		if (psim_below(2) == 0)
			empty_objs(w, coh);
		(void)daos_cont_close(coh, NULL);
		if (psim_below(2) == 0)
			empty_all(w);
	}
	free(buf);
}

/** Room for a write comes back. */
static void
full_verify(struct sim_worker *w)
{
	unsigned char *buf = calloc(1, IO_BYTES);
	uint64_t       until = psim_now() + BACK_NS_MAX;
	daos_handle_t  coh = DAOS_HDL_INVAL, oh = DAOS_HDL_INVAL;
	int            rc;

	empty_all(w);
	if (!full_open(w, &coh) || !obj_open(w, coh, 0, &oh))
		sim_fail("worker %u (full): nothing can be opened", w->id);
	do {
		psim_sleep_ns(SIM_SEC);
		sim_call_begin(w, "writing when there is room again");
		rc = obj_write(oh, 0, buf);
		(void)sim_call_end(w, rc, -DER_NOSPACE);
		SIM_CHECK(rc == 0 || psim_now() < until, "worker %u (full): %lu s after all was destroyed there is no room", w->id,
			  (unsigned long)(BACK_NS_MAX / SIM_SEC));
	} while (rc != 0);
	(void)daos_obj_close(oh, NULL);
	(void)daos_cont_close(coh, NULL);
	free(buf);
}

const struct sim_work sim_work_full = {
    .name = "full", .run = full_run, .verify = full_verify, .think_ns = 100 * SIM_MS};
