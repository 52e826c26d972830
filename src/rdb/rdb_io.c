/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/**
 * The raft_io that libraft stores and speaks through. All functions here run in the raft ULT but two:
 * the append ULT, and the one that writes a snapshot. Those report back by events.
 *
 * Invariant: io_pending_nr counts what raft was promised a callback for; the replica closes when it is 0.
 */
#define D_LOGFAC LOG_FAC_RDB
#include <daos_errno.h>
#include "base/fault.h"
#include "base/log.h"
#include "base/planted.h"
#include "platform/platform.h"
#include "rdb/rdb_internal.h"

static int
der2raft(int rc)
{
	switch (rc) {
	case 0:
		return 0;
	case -DER_NOMEM:
		return RAFT_NOMEM;
	case -DER_NOSPACE:
		return RAFT_NOSPACE;
	case -DER_DF_INVAL:
		return RAFT_CORRUPT;
	case -DER_NONEXIST:
		return RAFT_NOTFOUND;
	default:
		return RAFT_IOERR;
	}
}

static struct rdb *
io_db(struct raft_io *io)
{
	return io->impl;
}

/* ---- life ---- */

static int
io_init(struct raft_io *io, raft_id id, const char *address)
{
	(void)io;
	(void)id;
	(void)address;
	return 0;
}

static void
io_close(struct raft_io *io, raft_io_close_cb cb)
{
	io_db(io)->io_closed = cb;
}

static int
io_start(struct raft_io *io, unsigned msecs, raft_io_tick_cb tick, raft_io_recv_cb recv)
{
	struct rdb *db = io_db(io);

	db->tick_ms = msecs;
	db->tick = tick;
	db->recv = recv;
	return 0;
}

/** The first entry is written by rdb_create(). */
static int
io_bootstrap(struct raft_io *io, const struct raft_configuration *conf)
{
	(void)io;
	(void)conf;
	return RAFT_CANTBOOTSTRAP;
}

static int
io_recover(struct raft_io *io, const struct raft_configuration *conf)
{
	(void)io;
	(void)conf;
	return RAFT_INVALID;
}

static raft_time
io_time(struct raft_io *io)
{
	(void)io;
	return plat_now_ns() / NSEC_PER_MSEC;
}

static int
io_random(struct raft_io *io, int min, int max)
{
	(void)io;
	return max <= min ? min : min + (int)(plat_random() % (uint64_t)(max - min));
}

/* ---- loading ---- */

struct load {
	struct raft_entry *entries;
	size_t             nr;
};

static int
load_entry(const struct rdb_stored_entry *ent, void *arg)
{
	struct load       *load = arg;
	struct raft_entry *e = &load->entries[load->nr];

	if (ent->type < RAFT_COMMAND || ent->type > RAFT_CHANGE)
		return -DER_DF_INVAL;
	e->batch = raft_malloc(MAX_OF(ent->len, (size_t)1));
	if (e->batch == NULL)
		return -DER_NOMEM;
	memcpy(e->batch, ent->data, ent->len);
	e->term = ent->term;
	e->type = ent->type;
	e->buf = (struct raft_buffer){.base = e->batch, .len = ent->len};
	load->nr++;
	return 0;
}

static int
load_entries(struct rdb *db, struct load *load)
{
	uint64_t nr = rdb_store_entry_nr(db->store);
	int      rc;

	if (nr == 0)
		return 0;
	load->entries = raft_calloc(nr, sizeof(*load->entries));
	if (load->entries == NULL)
		return -DER_NOMEM;
	rc = rdb_store_entries(db->store, load_entry, load);
	if (rc == 0)
		return 0;
	for (size_t i = 0; i < load->nr; i++)
		raft_free(load->entries[i].batch);
	raft_free(load->entries);
	return rc;
}

static int
conf_of_meta(const struct rdb_snap_meta *meta, struct raft_configuration *conf)
{
	int rc = 0;

	raft_configuration_init(conf);
	for (uint32_t i = 0; i < meta->server_nr && rc == 0; i++) {
		char address[16];

		snprintf(address, sizeof(address), "%u", RDB_RANK_OF_ID(meta->server_ids[i]));
		rc = raft_configuration_add(conf, meta->server_ids[i], address, meta->server_roles[i]);
	}
	if (rc != 0)
		raft_configuration_close(conf);
	return rc == 0 ? 0 : rc == RAFT_NOMEM ? -DER_NOMEM : -DER_DF_INVAL;
}

/** *ret_snap NULL: there is none. */
static int
load_snapshot(struct rdb *db, struct raft_snapshot **ret_snap)
{
	struct rdb_snap_meta  meta;
	struct raft_snapshot *snap;
	struct raft_buffer    buf;
	int                   rc = rdb_store_snap_get(db->store, &meta, &buf.base, &buf.len);

	*ret_snap = NULL;
	if (rc == -DER_NONEXIST)
		return 0;
	if (rc != 0)
		return rc;
	snap = raft_calloc(1, sizeof(*snap));
	if (snap != NULL)
		snap->bufs = raft_malloc(sizeof(*snap->bufs));
	rc = snap == NULL || snap->bufs == NULL ? -DER_NOMEM : conf_of_meta(&meta, &snap->configuration);
	if (rc != 0) {
		raft_free(buf.base);
		if (snap != NULL)
			raft_free(snap->bufs);
		raft_free(snap);
		return rc;
	}
	snap->index = meta.index;
	snap->term = meta.term;
	snap->configuration_index = meta.conf_index;
	snap->bufs[0] = buf;
	snap->n_bufs = 1;
	*ret_snap = snap;
	return 0;
}

static void
snapshot_free(struct raft_snapshot *snap)
{
	if (snap == NULL)
		return;
	raft_configuration_close(&snap->configuration);
	raft_free(snap->bufs[0].base);
	raft_free(snap->bufs);
	raft_free(snap);
}

/** What raft_start() asserts about a log, checked while it can still be refused. */
static int
check_log(struct rdb *db, const struct raft_snapshot *snap, const struct load *load)
{
	uint64_t start = rdb_store_start_index(db->store);

	if (start == 0 || (snap == NULL && (start != 1 || load->nr == 0 ||
					    load->entries[0].type != RAFT_CHANGE)) ||
	    (snap != NULL && start > snap->index + 1))
		return -DER_DF_INVAL;
	return 0;
}

static int
io_load(struct raft_io *io, raft_term *term, raft_id *voted_for, struct raft_snapshot **snapshot,
	raft_index *start_index, struct raft_entry *entries[], size_t *n_entries)
{
	struct rdb           *db = io_db(io);
	struct load           load = {0};
	struct raft_snapshot *snap;
	uint64_t              t, v;
	int                   rc = load_snapshot(db, &snap);

	if (rc == 0) {
		rc = load_entries(db, &load);
		if (rc != 0)
			snapshot_free(snap);
	}
	if (rc != 0) {
		snprintf(io->errmsg, sizeof(io->errmsg), "reading the log: %s", d_errstr(rc));
		return der2raft(rc);
	}
	rc = check_log(db, snap, &load);
	if (rc != 0) {
		snprintf(io->errmsg, sizeof(io->errmsg), "the stored log makes no sense");
		for (size_t i = 0; i < load.nr; i++)
			raft_free(load.entries[i].batch);
		raft_free(load.entries);
		snapshot_free(snap);
		return RAFT_CORRUPT;
	}
	rdb_store_vote(db->store, &t, &v);
	*term = t;
	*voted_for = v;
	*snapshot = snap;
	*start_index = rdb_store_start_index(db->store);
	*entries = load.entries;
	*n_entries = load.nr;
	return 0;
}

/* ---- what must be durable on return ---- */

MAY_YIELD static int
io_set_term(struct raft_io *io, raft_term term)
{
	struct rdb *db = io_db(io);
	int         rc = rdb_store_set_vote(db->store, term, 0);

	if (rc != 0)
		rdb_fail(db, rc, "its term can't be stored");
	return der2raft(rc);
}

MAY_YIELD static int
io_set_vote(struct raft_io *io, raft_id server_id)
{
	struct rdb *db = io_db(io);
	uint64_t    term, vote;
	int         rc;

	rdb_store_vote(db->store, &term, &vote);
	rc = D_PLANTED(D_PLANTED_VOTE) ? 0 : rdb_store_set_vote(db->store, term, server_id);
	if (rc != 0)
		rdb_fail(db, rc, "its vote can't be stored");
	return der2raft(rc);
}

MAY_YIELD static int
io_truncate(struct raft_io *io, raft_index index)
{
	struct rdb *db = io_db(io);
	int         rc = rdb_store_truncate(db->store, index);

	if (rc != 0)
		rdb_fail(db, rc, "its log can't be truncated");
	return der2raft(rc);
}

/* ---- appending ---- */

struct append {
	struct rdb_event       ev;
	d_list_t               link;
	struct raft_io_append *req;
	uint64_t               seq;
	int                    rc;
};

MAY_YIELD static void
ev_appended(struct rdb *db, struct rdb_event *ev)
{
	struct append *ap = CONTAINER_OF(ev, struct append, ev);

	if (ap->rc != 0 && !db->closing) {
		/* libraft takes a failed append of a leader only for a command's. Once it is closing it
		 * has no requests any more, and takes it for what it is. */
		rdb_fail(db, ap->rc, "its log can't be written");
		d_list_add_tail(&ap->ev.link, &db->failed);
		return;
	}
	db->io_pending_nr--;
	ap->req->cb(ap->req, der2raft(ap->rc));
	free(ap);
}

/** Waits for appends in their order, raft counts on it. */
MAY_YIELD void
rdb_append_ult(void *arg)
{
	struct rdb *db = arg;

	while (!db->closed || !d_list_empty(&db->appends)) {
		struct append *ap = d_list_first(&db->appends, struct append, link);

		if (ap == NULL) {
			ult_eventual_reset(&db->append_wake);
			(void)ult_eventual_wait(&db->append_wake);
			continue;
		}
		ap->rc = rdb_store_wait(db->store, ap->seq);
		d_list_del(&ap->link);
		rdb_event_push(db, &ap->ev, ev_appended);
	}
}

MAY_YIELD static int
io_append(struct raft_io *io, struct raft_io_append *req, const struct raft_entry entries[], unsigned n,
	  raft_io_append_cb cb)
{
	struct rdb    *db = io_db(io);
	struct append *ap = calloc(1, sizeof(*ap));
	int            rc = d_fault_error(dss_faults(db->engine), D_FAULT_RDB_APPEND);

	if (ap == NULL)
		return RAFT_NOMEM;
	if (rc == 0)
		rc = rdb_store_append(db->store, entries, n, &ap->seq);
	if (rc != 0) {
		snprintf(io->errmsg, sizeof(io->errmsg), "appending to the log: %s", d_errstr(rc));
		if (rc != -DER_NOSPACE && rc != -DER_NOMEM)
			rdb_fail(db, rc, "its log can't be written");
		free(ap);
		return der2raft(rc);
	}
	req->cb = cb;
	ap->req = req;
	db->io_pending_nr++;
	d_list_add_tail(&ap->link, &db->appends);
	rdb_wake(&db->append_wake);
	return 0;
}

/* ---- snapshots ---- */

struct snap_put {
	struct rdb_event             ev;
	struct rdb                  *db;
	struct raft_io_snapshot_put *req;
	const struct raft_snapshot  *snap;
	struct rdb_snap_meta         meta;
	uint64_t                     trailing;
	int                          rc;
};

MAY_YIELD static void
ev_snap_put(struct rdb *db, struct rdb_event *ev)
{
	struct snap_put *put = CONTAINER_OF(ev, struct snap_put, ev);

	if (put->rc != 0)
		D_WARN("rdb " DF_UUID ": a snapshot can't be written, the log keeps growing: " DF_RC,
		       DP_UUID(db->uuid), DP_RC(put->rc));
	if (put->rc != 0 && put->rc != -DER_NOSPACE && put->rc != -DER_NOMEM)
		rdb_fail(db, put->rc, "its snapshot can't be written");
	db->io_pending_nr--;
	put->req->cb(put->req, der2raft(put->rc));
	free(put);
}

MAY_YIELD static void
snap_put_ult(void *arg)
{
	struct snap_put *put = arg;
	struct rdb      *db = put->db;

	put->rc = rdb_store_snap_put(db->store, &put->meta, put->snap->bufs, put->snap->n_bufs,
				     put->trailing);
	rdb_event_push(db, &put->ev, ev_snap_put);
}

static int
io_snapshot_put(struct raft_io *io, unsigned trailing, struct raft_io_snapshot_put *req,
		const struct raft_snapshot *snapshot, raft_io_snapshot_put_cb cb)
{
	struct rdb                      *db = io_db(io);
	const struct raft_configuration *conf = &snapshot->configuration;
	struct snap_put                 *put;
	int                              rc;

	if (conf->n > RDB_REPLICA_MAX)
		return RAFT_TOOMANY;
	put = calloc(1, sizeof(*put));
	if (put == NULL)
		return RAFT_NOMEM;
	put->db = db;
	put->req = req;
	put->snap = snapshot;
	put->trailing = trailing;
	put->meta.index = snapshot->index;
	put->meta.term = snapshot->term;
	put->meta.conf_index = snapshot->configuration_index;
	put->meta.server_nr = conf->n;
	for (unsigned i = 0; i < conf->n; i++) {
		put->meta.server_ids[i] = conf->servers[i].id;
		put->meta.server_roles[i] = conf->servers[i].role;
	}
	req->cb = cb;
	rc = ult_create(NULL, ULT_POOL_IO, snap_put_ult, put, 0, NULL);
	if (rc != 0) {
		free(put);
		return RAFT_NOMEM;
	}
	db->io_pending_nr++;
	return 0;
}

struct snap_get {
	struct rdb_event             ev;
	struct raft_io_snapshot_get *req;
	raft_io_snapshot_get_cb      cb;
};

MAY_YIELD static void
ev_snap_get(struct rdb *db, struct rdb_event *ev)
{
	struct snap_get      *get = CONTAINER_OF(ev, struct snap_get, ev);
	struct raft_snapshot *snap = NULL;
	int                   rc = load_snapshot(db, &snap);

	if (rc == 0 && snap == NULL)
		rc = -DER_NONEXIST;
	db->io_pending_nr--;
	get->cb(get->req, snap, der2raft(rc));
	free(get);
}

static int
io_snapshot_get(struct raft_io *io, struct raft_io_snapshot_get *req, raft_io_snapshot_get_cb cb)
{
	struct rdb      *db = io_db(io);
	struct snap_get *get = calloc(1, sizeof(*get));

	if (get == NULL)
		return RAFT_NOMEM;
	get->req = req;
	get->cb = cb;
	db->io_pending_nr++;
	rdb_event_push(db, &get->ev, ev_snap_get);
	return 0;
}

static int
io_send(struct raft_io *io, struct raft_io_send *req, const struct raft_message *message, raft_io_send_cb cb)
{
	return rdb_msg_send(io_db(io), message, req, cb);
}

void
rdb_io_setup(struct rdb *db)
{
	db->io = (struct raft_io){
	    .version = 1,
	    .impl = db,
	    .init = io_init,
	    .close = io_close,
	    .load = io_load,
	    .start = io_start,
	    .bootstrap = io_bootstrap,
	    .recover = io_recover,
	    .set_term = io_set_term,
	    .set_vote = io_set_vote,
	    .send = io_send,
	    .append = io_append,
	    .truncate = io_truncate,
	    .snapshot_put = io_snapshot_put,
	    .snapshot_get = io_snapshot_get,
	    .time = io_time,
	    .random = io_random,
	};
}
