/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/**
 * Containers come and go: created, opened, given snapshots, destroyed; and what the pool's service says of them. Each
 * worker has names of its own, so what it made must be there and what it destroyed must not.
 */
#include "sim.h"

#include <daos_errno.h>
#include <string.h>

#define CONT_NR 3u
#define SNAP_NR 6u

enum life_state { LIFE_ABSENT, LIFE_THERE, LIFE_UNSURE };

struct life_cont {
	enum life_state state;
	uint32_t        snap_nr;
	bool            snap_unsure;
	daos_epoch_t    snaps[SNAP_NR];
};
struct life_model {
	struct life_cont conts[CONT_NR];
};

static struct life_model *
model_of(struct sim_worker *w)
{
	if (w->model == NULL)
		w->model = psim_world_alloc(sizeof(struct life_model));
	return w->model;
}

static void
label_of(const struct sim_worker *w, uint32_t i, char *buf, size_t bytes)
{
	snprintf(buf, bytes, "life%u-%u", w->id, i);
}

static void
life_create(struct sim_worker *w, uint32_t i)
{
	struct life_cont *c = &model_of(w)->conts[i];
	bool              was_unsure = c->state == LIFE_UNSURE;
	char              label[32];
	int               rc;

	label_of(w, i, label, sizeof(label));
	sim_call_begin(w, "creating a container");
	c->state = LIFE_UNSURE;
	rc = daos_cont_create_with_label(w->poh, label, NULL, NULL, NULL);
	if (!sim_call_end(w, rc, -DER_EXIST))
		return;
	SIM_CHECK(rc == 0 || was_unsure, "worker %u: %s exists before it was created",
		  w->id, label);
	/* one that was there may be about to go, by an earlier call that had no answer */
	*c = (struct life_cont){.state = rc == 0 ? LIFE_THERE : LIFE_UNSURE, .snap_unsure = rc != 0};
}

static void
life_destroy(struct sim_worker *w, uint32_t i)
{
	struct life_cont *c = &model_of(w)->conts[i];
	bool              was_unsure = c->state == LIFE_UNSURE;
	char              label[32];
	int               rc;

	label_of(w, i, label, sizeof(label));
	sim_call_begin(w, "destroying a container");
	c->state = LIFE_UNSURE;
	rc = daos_cont_destroy(w->poh, label, 1, NULL);
	if (!sim_call_end(w, rc, -DER_NONEXIST))
		return;
	SIM_CHECK(rc == 0 || was_unsure, "worker %u: %s is gone before it was destroyed",
		  w->id, label);
	*c = (struct life_cont){.state = LIFE_ABSENT};
}

static void
snap_take(struct sim_worker *w, daos_handle_t coh, struct life_cont *c)
{
	daos_epoch_t epoch = 0;
	daos_epoch_t last = c->snap_nr > 0 ? c->snaps[c->snap_nr - 1] : 0;
	bool         was_unsure = c->snap_unsure;

	sim_call_begin(w, "taking a snapshot");
	c->snap_unsure = true;
	if (!sim_call_end(w, daos_cont_create_snap(coh, &epoch, NULL, NULL), 0))
		return;
	SIM_CHECK(epoch > last, "worker %u: a snapshot has epoch %lx, an earlier one %lx", w->id, epoch, last);
	c->snap_unsure = was_unsure;
	c->snaps[c->snap_nr++] = epoch;
}

static void
snap_list(struct sim_worker *w, daos_handle_t coh, struct life_cont *c)
{
	daos_epoch_t  epochs[4 * SNAP_NR];
	daos_anchor_t anchor = {0};
	int           nr = ARRAY_NR(epochs);

	sim_call_begin(w, "listing snapshots");
	if (!sim_call_end(w, daos_cont_list_snap(coh, &nr, epochs, NULL, &anchor, NULL), 0))
		return;
	SIM_CHECK(nr >= (int)c->snap_nr && (c->snap_unsure || nr == (int)c->snap_nr),
		  "worker %u: %d snapshots are listed, %u were taken", w->id, nr, c->snap_nr);
	for (uint32_t i = 0; i < c->snap_nr; i++) {
		bool found = false;

		for (int j = 0; j < MIN_OF(nr, (int)ARRAY_NR(epochs)); j++)
			found |= epochs[j] == c->snaps[i];
		SIM_CHECK(found, "worker %u: snapshot %lx is not listed", w->id, c->snaps[i]);
	}
}

static void
life_visit(struct sim_worker *w, uint32_t i)
{
	struct life_cont *c = &model_of(w)->conts[i];
	daos_handle_t     coh = DAOS_HDL_INVAL;
	char              label[32];
	int               rc;

	label_of(w, i, label, sizeof(label));
	sim_call_begin(w, "opening a container");
	rc = daos_cont_open(w->poh, label, DAOS_COO_RW, &coh, NULL, NULL);
	if (!sim_call_end(w, rc, -DER_NONEXIST))
		return;
	SIM_CHECK(c->state == LIFE_UNSURE || (rc == 0) == (c->state == LIFE_THERE), "worker %u: %s %s", w->id, label,
		  rc == 0 ? "can be opened, though it was destroyed" : "is gone");
	if (rc != 0)
		return;
	if (c->state == LIFE_THERE) {
		if (c->snap_nr < SNAP_NR && !sim.verifying)
			snap_take(w, coh, c);
		snap_list(w, coh, c);
	}
	(void)daos_cont_close(coh, NULL);
}

static void
life_query(struct sim_worker *w)
{
	daos_pool_info_t info = {.pi_bits = DPI_ALL};

	sim_call_begin(w, "querying the pool");
	if (!sim_call_end(w, daos_pool_query(w->poh, NULL, &info, NULL, NULL), 0))
		return;
	SIM_CHECK(info.pi_ntargets == sim.opts.engine_nr * sim.opts.tgt_nr, "the pool has %u targets", info.pi_ntargets);
	for (int i = 0; i < DAOS_MEDIA_MAX; i++)
		SIM_CHECK(info.pi_space.ps_space.s_free[i] <= info.pi_space.ps_space.s_total[i],
			  "the pool has %lu of %lu bytes free in tier %d", info.pi_space.ps_space.s_free[i],
			  info.pi_space.ps_space.s_total[i], i);
}

static void
life_run(struct sim_worker *w)
{
	struct life_model *m = model_of(w);

	while (!sim_work_over(w)) {
		uint32_t i = psim_below(CONT_NR);
		uint64_t kind = psim_below(10);

		if (kind == 0)
			life_query(w);
		else if (kind < 6 && m->conts[i].state != LIFE_ABSENT)
			life_visit(w, i);
		else if (m->conts[i].state == LIFE_ABSENT || (m->conts[i].state == LIFE_UNSURE && kind % 2 == 0))
			life_create(w, i);
		else
			life_destroy(w, i);
	}
}

static void
life_verify(struct sim_worker *w)
{
	for (uint32_t i = 0; i < CONT_NR; i++)
		life_visit(w, i);
	life_query(w);
}

const struct sim_work sim_work_life = {.name = "life", .run = life_run, .verify = life_verify, .think_ns = SIM_SEC};
