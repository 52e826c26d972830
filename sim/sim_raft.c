/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/**
 * Raft's promises, looked at from outside: in a term at most one replica leads; terms and applied indexes of a living
 * replica do not go back; and replicas that applied the same index have the same state, whenever they did. The last
 * is state machine safety, which log matching and leader completeness are there for.
 */
#include "sim.h"

#include <daos_errno.h>
#include <stdlib.h>
#include <string.h>
#include "rdb/rdb_entry.h"
#include "rdb/rdb_internal.h"

#define TERM_MAX  4096u
#define STATE_MAX 65536u

struct seen_leader { uuid_t db; uint64_t term; d_rank_t rank; };
struct seen_state { uuid_t db; uint64_t index, digest; d_rank_t rank; };
struct seen_replica { uuid_t db; uint64_t term, voted_for, applied, opened_ns; uint32_t start_nr; };

static struct {
	struct seen_leader   leaders[TERM_MAX];
	struct seen_state    states[STATE_MAX];
	struct seen_replica *replicas; /* [engine_nr * SIM_POOL_MAX] */
	uint64_t             checked_nr;
} raft_seen;

static uint32_t
slot_of(const uuid_t db, uint64_t number, uint32_t max)
{
	return (psim_digest(db, sizeof(uuid_t)) ^ number * 0x9e3779b97f4a7c15ULL) % max;
}

static void
leader_check(const struct rdb *db, d_rank_t rank)
{
	uint64_t            term = db->raft.current_term;
	struct seen_leader *seen = &raft_seen.leaders[slot_of(db->uuid, term, TERM_MAX)];

	if (raft_state((struct raft *)&db->raft) != RAFT_LEADER)
		return;
	if (seen->term == term && uuid_compare(seen->db, db->uuid) == 0)
		SIM_CHECK(seen->rank == rank, "raft: ranks %u and %u both lead term %lu", seen->rank, rank,
			  (unsigned long)term);
	uuid_copy(seen->db, db->uuid);
	seen->term = term;
	seen->rank = rank;
}

static void
state_check(const struct rdb *db, d_rank_t rank)
{
	uint64_t           index = raft_last_applied((struct raft *)&db->raft);
	struct seen_state *seen = &raft_seen.states[slot_of(db->uuid, index, STATE_MAX)];
	void              *data;
	size_t             len;
	uint64_t           digest;

	if (db->root == NULL || index == 0 || rdb_snap_encode(db->root, &data, &len) != 0)
		return;
	digest = psim_digest(data, len);
	free(data);
	if (seen->index == index && uuid_compare(seen->db, db->uuid) == 0)
		SIM_CHECK(seen->digest == digest, "raft: ranks %u and %u applied index %lu and differ", seen->rank, rank,
			  (unsigned long)index);
	uuid_copy(seen->db, db->uuid);
	*seen = (struct seen_state){.index = index, .digest = digest, .rank = rank};
	uuid_copy(seen->db, db->uuid);
	raft_seen.checked_nr++;
}

/** True: nothing happened there since the last look. */
static bool
replica_check(const struct rdb *db, const struct sim_engine *se, struct seen_replica *seen)
{
	uint64_t term = db->raft.current_term;
	uint64_t applied = raft_last_applied((struct raft *)&db->raft);
	bool     same_life = uuid_compare(seen->db, db->uuid) == 0 && seen->start_nr == se->start_nr &&
			 seen->opened_ns == db->opened_ns;
	bool     same = same_life && seen->applied == applied && seen->term == term;

	if (uuid_compare(seen->db, db->uuid) == 0)
		SIM_CHECK(term >= seen->term, "raft: rank %u went from term %lu to %lu", se->rank,
			  (unsigned long)seen->term, (unsigned long)term);
	if (uuid_compare(seen->db, db->uuid) == 0 && seen->term == term && seen->voted_for != 0)
		SIM_CHECK(db->raft.voted_for == seen->voted_for, "raft: rank %u gave its vote of term %lu to %lu and then to %lu",
			  se->rank, (unsigned long)term, (unsigned long)seen->voted_for,
			  (unsigned long)db->raft.voted_for);
	if (same_life)
		SIM_CHECK(applied >= seen->applied, "raft: rank %u had applied %lu and now %lu", se->rank,
			  (unsigned long)seen->applied, (unsigned long)applied);
	*seen = (struct seen_replica){
	    .term = term, .voted_for = db->raft.voted_for, .applied = applied, .start_nr = se->start_nr, .opened_ns = db->opened_ns};
	uuid_copy(seen->db, db->uuid);
	return same;
}

void
sim_raft_check(void)
{
	if (raft_seen.replicas == NULL)
		raft_seen.replicas =
		    psim_world_alloc(sim.opts.engine_nr * SIM_POOL_MAX * sizeof(*raft_seen.replicas));
	for (uint32_t i = 0; i < sim.opts.engine_nr; i++) {
		struct sim_engine *se = &sim.engines[i];
		struct rdb_module *mod = se->eng == NULL ? NULL : dss_module_data(se->eng, CRT_MOD_RDB);
		struct rdb        *db;
		uint32_t           at = 0;

		if (mod == NULL || se->state != SIM_ENGINE_UP)
			continue;
		d_list_for_each(db, &mod->dbs, link) {
			if (at == SIM_POOL_MAX || !db->started || db->stopping || db->err != 0)
				continue;
			if (replica_check(db, se, &raft_seen.replicas[i * SIM_POOL_MAX + at++]))
				continue;
			leader_check(db, i);
			state_check(db, i);
		}
	}
}

/** Of each replica, for those who look at a failure. */
void
sim_raft_print(FILE *out)
{
	for (uint32_t i = 0; i < sim.opts.engine_nr && sim.engines != NULL; i++) {
		struct sim_engine *se = &sim.engines[i];
		struct rdb_module *mod = se->eng == NULL ? NULL : dss_module_data(se->eng, CRT_MOD_RDB);
		struct rdb        *db;

		if (mod == NULL || se->state != SIM_ENGINE_UP)
			continue;
		d_list_for_each(db, &mod->dbs, link)
			fprintf(out, "  rank %u: term %lu, state %d, leader %lu, lead term %lu, up %lu, stored %lu, applied %lu, error %d%s%s\n",
				i, (unsigned long)db->raft.current_term, db->raft.state, (unsigned long)db->leader_id,
				(unsigned long)db->lead_term, (unsigned long)db->up_term, (unsigned long)db->raft.last_stored,
				(unsigned long)raft_last_applied(&db->raft), db->err, db->campaigning ? ", campaigns" : "",
				db->closing ? ", closes" : "");
	}
}

static bool
leads(const struct sim_engine *se)
{
	struct rdb_module *mod = se->eng == NULL ? NULL : dss_module_data(se->eng, CRT_MOD_RDB);
	struct rdb        *db;

	if (mod == NULL || se->state != SIM_ENGINE_UP)
		return false;
	d_list_for_each(db, &mod->dbs, link)
		if (db->lead_term != 0)
			return true;
	return false;
}

struct sim_engine *
sim_raft_leader(void)
{
	struct sim_engine *one = NULL;
	uint32_t           nr = 0;

	for (uint32_t i = 0; i < sim.opts.engine_nr; i++)
		if (leads(&sim.engines[i]) && psim_below(++nr) == 0)
			one = &sim.engines[i];
	return one;
}

uint64_t
sim_raft_checked_nr(void)
{
	return raft_seen.checked_nr;
}
