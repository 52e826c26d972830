/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/**
 * Driving libraft. The library is a state machine that calls back for storage and messages and must
 * not be entered twice; some of its callbacks have to be durable when they return (term, vote). So one
 * ULT a replica owns it: whatever happens - a message, a tick, a durable append, a transaction - is an
 * event in that ULT's queue, and only there raft is called.
 *
 *     message, timer,      ┌─────────┐ raft_io  ┌────────────┐ heap transactions ┌───────┐
 *     transaction, ... ──▶ │raft ULT │ ───────▶ │ append ULT │ ────────────────▶ │ store │
 *                     ▲    └─────────┘  send    └────────────┘                   └───────┘
 *                     └──────────────────────────────┘ durable
 *
 * Appends are handed to the heap at once and waited for by the append ULT, in order, so the raft ULT goes
 * on and several appends share one log write. A third ULT runs the owner's step_up and step_down.
 *
 * What libraft leaves to us:
 *  - A new leader must commit an entry of its own term before what it inherited counts as committed. We
 *    append a barrier, and step up when it is applied.
 *  - Leases. A leader answers reads alone while a majority handled an append sent less than an election
 *    timeout ago: none of those gives its vote to another before that time is over. A replica that
 *    restarted has forgotten when that was, and gives no votes for one election timeout.
 *
 * Invariants:
 *  1. raft_*() is called by the raft ULT only (and by its creator before it starts).
 *  2. lead_term != 0: this replica leads that term and applied everything committed before it.
 *  3. root is changed inside raft_fsm.apply and .restore only, neither of which yields.
 *  4. While up_barrier isn't stored here, append results are held back: the only index whose commitment
 *     libraft then counts, that of the last stored entry, is never one of an older term (the case of
 *     figure 8 of the raft paper).
 *  5. The owner's step_up(t) and step_down(t) alternate.
 */
#define D_LOGFAC LOG_FAC_RDB
#include <daos_errno.h>
#include "base/fault.h"
#include "base/log.h"
#include "platform/platform.h"
#include "rdb/rdb_campaign.h"
#include "rdb/rdb_internal.h"

#define SNAP_TRAILING_NR   64
#define STEP_UP_RETRY_NS   (1 * NSEC_PER_SEC)
#define TICKS_PER_ELECTION 10
#define CAMPAIGN_TICK_MS   20u
#define CAMPAIGN_ROUND_MS  200u

int
rdb_raft2der(int raft_rc)
{
	switch (raft_rc) {
	case 0:
		return 0;
	case RAFT_NOMEM:
		return -DER_NOMEM;
	case RAFT_NOTLEADER:
	case RAFT_LEADERSHIPLOST:
		return -DER_NOTLEADER;
	case RAFT_SHUTDOWN:
	case RAFT_CANCELED:
		return -DER_CANCELED;
	case RAFT_NOSPACE:
		return -DER_NOSPACE;
	case RAFT_IOERR:
		return -DER_IO;
	case RAFT_MALFORMED:
	case RAFT_CORRUPT:
		return -DER_DF_INVAL;
	case RAFT_NOCONNECTION:
		return -DER_UNREACH;
	case RAFT_BUSY:
		return -DER_BUSY;
	default:
		return -DER_MISC;
	}
}

/** Wake a ULT that waits for @ev in a loop; setting twice is fine. */
void
rdb_wake(struct ult_eventual *ev)
{
	if (!ult_eventual_is_set(ev))
		ult_eventual_set(ev, 0);
}

void
rdb_event_push(struct rdb *db, struct rdb_event *ev, void (*fn)(struct rdb *db, struct rdb_event *ev))
{
	ev->fn = fn;
	d_list_add_tail(&ev->link, &db->events);
	rdb_wake(&db->wake);
}

static void
raft_closed(struct raft *raft)
{
	struct rdb *db = raft->data;

	db->closed = true;
}

static void
ev_close(struct rdb *db, struct rdb_event *ev)
{
	db->closing = true;
	ult_timer_cancel(&db->tick_timer);
	raft_close(&db->raft, raft_closed);
	rdb_msg_abort_all(db);
	d_list_splice_tail(&db->failed, &db->events);
}

/** Once; needs no memory. */
static void
close_ask(struct rdb *db)
{
	if (db->close_asked)
		return;
	db->close_asked = true;
	rdb_event_push(db, &db->close_ev, ev_close);
}

void
rdb_fail(struct rdb *db, int err, const char *what)
{
	if (db->err != 0 || db->stopping)
		return;
	db->err = err;
	D_ERROR("rdb " DF_UUID ": this replica stops, %s: " DF_RC, DP_UUID(db->uuid), what, DP_RC(err));
	close_ask(db); /* those who wait for what raft will not do any more hold references that stepping down waits for */
	rdb_wake(&db->role_wake);
}

/* ---- the state machine raft drives ---- */

static int
fsm_apply(struct raft_fsm *fsm, const struct raft_buffer *buf, void **result)
{
	struct rdb *db = fsm->data;
	int         rc = rdb_entry_apply(db->root, buf->base, buf->len, &db->state_bytes);

	if (rc == -DER_PROTO || rc == -DER_NOMEM) {
		rdb_fail(db, rc == -DER_PROTO ? -DER_DF_INVAL : rc, "a committed entry can't be applied");
		return rc == -DER_NOMEM ? RAFT_NOMEM : RAFT_MALFORMED;
	}
	*result = (void *)(intptr_t)rc;
	return 0;
}

static int
fsm_snapshot(struct raft_fsm *fsm, struct raft_buffer *bufs[], unsigned *n_bufs)
{
	struct rdb *db = fsm->data;
	void       *data;
	size_t      len;
	int         rc = d_fault_error(dss_faults(db->engine), D_FAULT_RDB_SNAPSHOT);

	if (rc == 0)
		rc = rdb_snap_encode(db->root, &data, &len);
	if (rc != 0) {
		D_WARN("rdb " DF_UUID ": no snapshot this time: " DF_RC, DP_UUID(db->uuid), DP_RC(rc));
		return RAFT_BUSY; /* transient for raft: it asks again */
	}
	*bufs = raft_malloc(sizeof(**bufs));
	if (*bufs == NULL) {
		free(data);
		return RAFT_BUSY;
	}
	(*bufs)[0] = (struct raft_buffer){.base = data, .len = len};
	*n_bufs = 1;
	return 0;
}

static int
fsm_restore(struct raft_fsm *fsm, struct raft_buffer *buf)
{
	struct rdb     *db = fsm->data;
	struct rdb_kvs *root;
	int             rc = rdb_snap_decode(buf->base, buf->len, &root);

	if (rc != 0) {
		rdb_fail(db, rc == -DER_PROTO ? -DER_DF_INVAL : rc, "its snapshot can't be read");
		return rc == -DER_NOMEM ? RAFT_NOMEM : RAFT_CORRUPT;
	}
	rdb_kvs_free(db->root);
	db->root = root;
	db->state_bytes = buf->len;
	raft_free(buf->base);
	return 0;
}

/* ---- leadership as others see it ---- */

static void
want_role(struct rdb *db, uint64_t term)
{
	if (db->want_term == term)
		return;
	db->want_term = term;
	rdb_wake(&db->role_wake);
}

static void held_release(struct rdb *db);

static void
up_barrier_done(struct raft_barrier *req, int status)
{
	struct rdb *db = req->data;
	uint64_t    term = db->up_barrier_term;

	db->up_barrier_term = 0;
	if (status != 0 || db->raft.state != RAFT_LEADER || db->raft.current_term != term)
		return;
	db->lead_term = term;
	want_role(db, term);
	D_INFO("rdb " DF_UUID ": leads term %lu", DP_UUID(db->uuid), (unsigned long)term);
}

/** A term of our own began: its first entry makes what we inherited count. */
static void
lead_begin(struct rdb *db)
{
	int rc;

	db->up_barrier.data = db;
	db->up_barrier_term = db->raft.current_term;
	memset(db->lease_ns, 0, sizeof(db->lease_ns));
	rc = raft_barrier(&db->raft, &db->up_barrier, up_barrier_done);
	if (rc != 0) {
		db->up_barrier_term = 0;
		rdb_fail(db, rdb_raft2der(rc), "the first entry of its term can't be stored");
		return;
	}
	db->up_barrier_index = raft_last_index(&db->raft);
}

static void
note_servers(struct rdb *db)
{
	const struct raft_configuration *conf = &db->raft.configuration;

	db->server_nr = MIN_OF(conf->n, (unsigned)RDB_REPLICA_MAX);
	for (uint32_t i = 0; i < db->server_nr; i++) {
		if (db->server_ids[i] != conf->servers[i].id)
			db->lease_ns[i] = 0;
		db->server_ids[i] = conf->servers[i].id;
	}
}

/** After each event: what did it make of us? */
static void
note_state(struct rdb *db)
{
	const char *address;
	raft_id     id;
	bool        leads = db->raft.state == RAFT_LEADER && db->err == 0;

	if (leads && db->lead_term != db->raft.current_term &&
	    db->up_barrier_term != db->raft.current_term && !db->closing)
		lead_begin(db);
	if (!leads || db->lead_term != db->raft.current_term)
		db->lead_term = leads && db->lead_term == db->raft.current_term ? db->lead_term : 0;
	want_role(db, db->lead_term);
	db->term = db->raft.current_term;
	raft_leader(&db->raft, &id, &address);
	db->leader_id = db->raft.state == RAFT_UNAVAILABLE ? 0 : id;
	if (db->raft.state == RAFT_UNAVAILABLE && db->started && !db->closing && db->err == 0)
		rdb_fail(db, -DER_IO, "raft gave up");
	note_servers(db);
	if (!leads || db->raft.last_stored >= db->up_barrier_index)
		held_release(db);
}

bool
rdb_lease_valid(struct rdb *db)
{
	uint64_t lease_len_ns = (uint64_t)db->mod->election_ms * 9 / 10 * NSEC_PER_MSEC;
	uint64_t now_ns = plat_now_ns();
	uint32_t nr = 1;

	if (db->server_nr <= 1)
		return true;
	if (!db->mod->use_leases || db->raft.transfer != NULL)
		return false;
	for (uint32_t i = 0; i < db->server_nr; i++) {
		if (db->server_ids[i] != db->raft.id && db->lease_ns[i] != 0 &&
		    now_ns - db->lease_ns[i] < lease_len_ns)
			nr++;
	}
	return nr > db->server_nr / 2;
}

/* ---- the raft ULT ---- */

static void
tick_timer_fired(void *arg)
{
	struct rdb *db = arg;

	db->tick_due = true;
	rdb_wake(&db->wake);
}

static void
tick_arm(struct rdb *db)
{
	uint32_t ms = db->campaigning ? MIN_OF(db->tick_ms, CAMPAIGN_TICK_MS) : db->tick_ms;

	/* A replica without others has nobody to hear from: raft needs no clock, nor we a wake-up. */
	if (!db->closing && db->server_nr > 1 && db->tick != NULL)
		ult_timer_arm(&db->tick_timer, ms * NSEC_PER_MSEC);
}

static void
held_release(struct rdb *db)
{
	while (!d_list_empty(&db->held)) {
		struct rdb_event *ev = d_list_first(&db->held, struct rdb_event, link);

		d_list_del(&ev->link);
		d_list_add_tail(&ev->link, &db->events);
	}
}

MAY_YIELD static void
run_event(struct rdb *db)
{
	struct rdb_event *ev = d_list_first(&db->events, struct rdb_event, link);

	d_list_del(&ev->link);
	ev->fn(db, ev);
	if (!db->closed)
		note_state(db);
}

/** libraft has no call for it: let its election timer be expired, once a round. */
static void
campaign(struct rdb *db)
{
	struct raft *raft = &db->raft;
	raft_time    waited_ms = db->io.time(&db->io) - raft->election_timer_start;

	if (raft->state == RAFT_FOLLOWER && db->leader_id == 0)
		raft->follower_state.randomized_election_timeout = 0;
	else if (raft->state == RAFT_CANDIDATE && waited_ms >= CAMPAIGN_ROUND_MS)
		raft->candidate_state.randomized_election_timeout = 0;
	else if (raft->state != RAFT_CANDIDATE)
		db->campaigning = false;
}

MAY_YIELD static void
run_tick(struct rdb *db)
{
	db->tick_due = false;
	if (db->closing || db->err != 0)
		return;
	if (db->campaigning)
		campaign(db);
	db->tick(&db->io);
	note_state(db);
	tick_arm(db);
}

static void
io_close(struct rdb *db)
{
	raft_io_close_cb closed = db->io_closed;

	db->io_closed = NULL;
	closed(&db->io);
	D_ASSERT(db->closed);
}

MAY_YIELD static void
raft_ult(void *arg)
{
	struct rdb *db = arg;

	for (;;) {
		if (db->tick_due)
			run_tick(db);
		else if (!d_list_empty(&db->events))
			run_event(db);
		else if (db->closing && db->io_pending_nr == 0 && db->io_closed != NULL)
			io_close(db);
		else if (db->closed && db->stopping)
			break; /* one that failed stays, for those who still ask */
		else {
			ult_eventual_reset(&db->wake);
			(void)ult_eventual_wait(&db->wake);
		}
	}
}

/* ---- stepping up and down ---- */

MAY_YIELD static void
step_down(struct rdb *db)
{
	uint64_t term = db->up_term;

	db->up_term = 0;
	if (db->cbs->step_down != NULL)
		db->cbs->step_down(db, term, db->cb_arg);
}

MAY_YIELD static void
step_up(struct rdb *db)
{
	uint64_t term = db->want_term;
	int      rc = db->cbs->step_up == NULL ? 0 : db->cbs->step_up(db, term, db->cb_arg);

	if (rc == 0) {
		db->up_term = term;
		return;
	}
	if (db->want_term != term || db->role_stop)
		return; /* it failed since the leadership went away meanwhile */
	D_WARN("rdb " DF_UUID ": stepping up in term %lu failed, trying again or elsewhere: " DF_RC,
	       DP_UUID(db->uuid), (unsigned long)term, DP_RC(rc));
	rdb_resign(db);
	ult_eventual_reset(&db->role_wake);
	if (ult_eventual_timedwait(&db->role_wake, STEP_UP_RETRY_NS, &rc) == -DER_TIMEDOUT)
		D_DEBUG("stepping up again");
}

MAY_YIELD static void
role_ult(void *arg)
{
	struct rdb *db = arg;

	while (!db->role_stop) {
		uint64_t want = db->err != 0 ? 0 : db->want_term;

		if (db->up_term != 0 && db->up_term != want) {
			step_down(db);
		} else if (db->err != 0 && !db->err_told) {
			db->err_told = true;
			if (db->cbs->stop != NULL)
				db->cbs->stop(db, db->err, db->cb_arg);
		} else if (want != 0 && db->up_term == 0) {
			step_up(db);
		} else {
			ult_eventual_reset(&db->role_wake);
			(void)ult_eventual_wait(&db->role_wake);
		}
	}
	if (db->up_term != 0)
		step_down(db);
}

void
rdb_campaign(struct rdb *db)
{
	if (db->leader_id != 0 || db->server_nr <= 1 || db->stopping)
		return;
	db->campaigning = true;
	tick_timer_fired(db);
}

static void
ev_resign(struct rdb *db, struct rdb_event *ev)
{
	free(ev);
	if (db->raft.state == RAFT_LEADER && db->raft.transfer == NULL && db->server_nr > 1 &&
	    raft_transfer(&db->raft, &db->transfer, 0, NULL) != 0)
		D_DEBUG("nobody to hand the leadership to");
}

void
rdb_resign(struct rdb *db)
{
	struct rdb_event *ev = calloc(1, sizeof(*ev));

	if (ev != NULL)
		rdb_event_push(db, ev, ev_resign);
}

/* ---- start and stop ---- */

static void
setup_raft(struct rdb *db, bool fresh)
{
	unsigned election_ms = db->mod->election_ms;

	db->tick_ms = MAX_OF(election_ms / TICKS_PER_ELECTION, 1u);
	raft_set_election_timeout(&db->raft, election_ms);
	raft_set_heartbeat_timeout(&db->raft, db->tick_ms);
	raft_set_snapshot_threshold(&db->raft, db->mod->compact_nr);
	raft_set_snapshot_trailing(&db->raft, MIN_OF(SNAP_TRAILING_NR, db->mod->compact_nr));
	raft_set_pre_vote(&db->raft, true);
	db->tick_timer.fn = tick_timer_fired;
	db->tick_timer.arg = db;
	if (!fresh)
		db->vote_after_ns = plat_now_ns() + election_ms * NSEC_PER_MSEC;
}

struct start {
	struct rdb_event    ev;
	struct ult_eventual done;
};

MAY_YIELD static void
ev_start(struct rdb *db, struct rdb_event *ev)
{
	struct start *start = CONTAINER_OF(ev, struct start, ev);
	int           rc = rdb_raft2der(raft_start(&db->raft));

	if (rc != 0) {
		D_ERROR("rdb " DF_UUID ": raft can't start: %s", DP_UUID(db->uuid),
			raft_errmsg(&db->raft));
		db->err = rc;
		db->err_told = true; /* the caller of rdb_start() is told */
	}
	db->started = rc == 0;
	note_servers(db);
	if (db->server_nr <= 1)
		db->vote_after_ns = 0;
	tick_arm(db);
	ult_eventual_set(&start->done, rc);
}

MAY_YIELD static int
start_ults(struct rdb *db)
{
	int rc = ult_create(NULL, ULT_POOL_GENERIC, raft_ult, db, 0, &db->raft_ult);

	if (rc == 0)
		rc = ult_create(NULL, ULT_POOL_IO, rdb_append_ult, db, 0, &db->append_ult);
	if (rc == 0)
		rc = ult_create(NULL, ULT_POOL_GENERIC, role_ult, db, 0, &db->role_ult);
	return rc;
}

MAY_YIELD int
rdb_raft_start(struct rdb *db, bool fresh)
{
	struct start start;
	char         address[16];
	int          rc;

	db->root = rdb_kvs_new(RDB_KVS_BYTES);
	if (db->root == NULL)
		return -DER_NOMEM;
	db->fsm = (struct raft_fsm){
	    .version = 1, .data = db, .apply = fsm_apply, .snapshot = fsm_snapshot, .restore = fsm_restore};
	rdb_io_setup(db);
	snprintf(address, sizeof(address), "%u", crt_rank_self(dss_crt(db->engine)));
	rc = rdb_raft2der(raft_init(&db->raft, &db->io, &db->fsm,
				    RDB_ID_OF_RANK(crt_rank_self(dss_crt(db->engine))), address));
	if (rc != 0)
		return rc;
	db->raft.data = db;
	setup_raft(db, fresh);
	rc = start_ults(db);
	if (rc == 0) {
		ult_eventual_init(&start.done);
		rdb_event_push(db, &start.ev, ev_start);
		rc = ult_eventual_wait(&start.done);
	}
	if (rc != 0)
		rdb_raft_stop(db);
	return rc;
}

MAY_YIELD void
rdb_raft_stop(struct rdb *db)
{
	db->stopping = true;
	db->role_stop = true;
	rdb_wake(&db->role_wake);
	if (db->raft_ult != NULL) {
		close_ask(db);
		rdb_wake(&db->wake);
		ult_join(db->raft_ult);
	}
	if (db->role_ult != NULL)
		ult_join(db->role_ult);
	db->closed = true;
	rdb_wake(&db->append_wake);
	if (db->append_ult != NULL)
		ult_join(db->append_ult);
	db->raft_ult = db->role_ult = db->append_ult = NULL;
}
