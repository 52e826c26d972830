/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/**
 * Raft's messages over CART: encoding, sending, receiving. A message is a request whose reply says that
 * the other side handled it; raft's answer, if there is one, is a message of its own.
 */
#define D_LOGFAC LOG_FAC_RDB
#include <daos_errno.h>
#include "base/log.h"
#include "platform/platform.h"
#include "rdb/rdb_internal.h"
#include "rdb/rdb_rpc.h"

CRT_RPC_DEFINE(rdb_msg, RDB_MSG_IN, RDB_MSG_OUT)

#define RDB_MSG_OPC(type) CRT_OPC(CRT_MOD_RDB, RDB_PROTO_VERSION, (type)-1)
#define ENTRY_HEAD_BYTES  14
#define SERVER_BYTES      12

/* ---- bodies ---- */

static char *
put(char *pos, const void *src, size_t bytes)
{
	if (bytes > 0)
		memcpy(pos, src, bytes);
	return pos + bytes;
}

static int
encode_entries(const struct raft_append_entries *ae, d_iov_t *body)
{
	size_t bytes = 0;
	char  *pos;

	for (unsigned i = 0; i < ae->n_entries; i++)
		bytes += ENTRY_HEAD_BYTES + ae->entries[i].buf.len;
	if (bytes == 0)
		return 0;
	pos = malloc(bytes);
	if (pos == NULL)
		return -DER_NOMEM;
	d_iov_set(body, pos, bytes);
	for (unsigned i = 0; i < ae->n_entries; i++) {
		const struct raft_entry *e = &ae->entries[i];
		uint64_t                 term = e->term;
		uint16_t                 type = e->type;
		uint32_t                 len = e->buf.len;

		pos = put(pos, &term, sizeof(term));
		pos = put(pos, &type, sizeof(type));
		pos = put(pos, &len, sizeof(len));
		pos = put(pos, e->buf.base, len);
	}
	return 0;
}

static int
encode_snapshot(const struct raft_install_snapshot *is, d_iov_t *body)
{
	size_t   bytes = 4 + is->conf.n * SERVER_BYTES + is->data.len;
	char    *pos = malloc(bytes);
	uint32_t nr = is->conf.n;

	if (pos == NULL)
		return -DER_NOMEM;
	d_iov_set(body, pos, bytes);
	pos = put(pos, &nr, sizeof(nr));
	for (uint32_t i = 0; i < nr; i++) {
		uint64_t id = is->conf.servers[i].id;
		uint32_t role = is->conf.servers[i].role;

		pos = put(pos, &id, sizeof(id));
		pos = put(pos, &role, sizeof(role));
	}
	put(pos, is->data.base, is->data.len);
	return 0;
}

static bool
take(const char **pos, const char *end, void *dst, size_t bytes)
{
	if ((size_t)(end - *pos) < bytes)
		return false;
	memcpy(dst, *pos, bytes);
	*pos += bytes;
	return true;
}

/** How many entries, and that they are well-formed; -1: they are not. */
static int
count_entries(const d_iov_t *body)
{
	const char *pos = body->iov_buf, *end;
	int         nr = 0;

	if (body->iov_len == 0)
		return 0;
	end = pos + body->iov_len;
	while (pos < end) {
		uint64_t term;
		uint16_t type;
		uint32_t len;

		if (!take(&pos, end, &term, sizeof(term)) || !take(&pos, end, &type, sizeof(type)) ||
		    !take(&pos, end, &len, sizeof(len)) || (size_t)(end - pos) < len || term == 0 ||
		    type < RAFT_COMMAND || type > RAFT_CHANGE)
			return -1;
		pos += len;
		nr++;
	}
	return nr;
}

/** All entries share one batch, as raft wants of what it received. */
static int
decode_entries(const d_iov_t *body, struct raft_append_entries *ae)
{
	int   nr = count_entries(body);
	char *batch, *pos;

	if (nr < 0)
		return -DER_PROTO;
	ae->n_entries = nr;
	ae->entries = NULL;
	if (nr == 0)
		return 0;
	batch = raft_malloc(body->iov_len);
	ae->entries = raft_calloc(nr, sizeof(*ae->entries));
	if (batch == NULL || ae->entries == NULL) {
		raft_free(batch);
		raft_free(ae->entries);
		return -DER_NOMEM;
	}
	memcpy(batch, body->iov_buf, body->iov_len);
	pos = batch;
	for (int i = 0; i < nr; i++) {
		struct raft_entry *e = &ae->entries[i];
		uint64_t           term;
		uint16_t           type;
		uint32_t           len;

		memcpy(&term, pos, sizeof(term));
		memcpy(&type, pos + 8, sizeof(type));
		memcpy(&len, pos + 10, sizeof(len));
		*e = (struct raft_entry){.term = term, .type = type, .batch = batch};
		e->buf = (struct raft_buffer){.base = pos + ENTRY_HEAD_BYTES, .len = len};
		pos += ENTRY_HEAD_BYTES + len;
	}
	return 0;
}

static int
decode_conf(const char **pos, const char *end, struct raft_configuration *conf)
{
	uint32_t nr, role;
	uint64_t id;
	int      rc = 0;

	if (!take(pos, end, &nr, sizeof(nr)) || nr > RDB_REPLICA_MAX)
		return -DER_PROTO;
	raft_configuration_init(conf);
	for (uint32_t i = 0; i < nr && rc == 0; i++) {
		char address[16];

		if (!take(pos, end, &id, sizeof(id)) || !take(pos, end, &role, sizeof(role)) || id == 0) {
			rc = RAFT_MALFORMED;
			break;
		}
		snprintf(address, sizeof(address), "%u", RDB_RANK_OF_ID(id));
		rc = raft_configuration_add(conf, id, address, role);
	}
	if (rc == 0)
		return 0;
	raft_configuration_close(conf);
	return rc == RAFT_NOMEM ? -DER_NOMEM : -DER_PROTO;
}

static int
decode_snapshot(const d_iov_t *body, struct raft_install_snapshot *is)
{
	const char *pos = body->iov_buf, *end;
	int         rc;

	if (body->iov_len == 0)
		return -DER_PROTO;
	end = pos + body->iov_len;
	rc = decode_conf(&pos, end, &is->conf);
	if (rc != 0)
		return rc;
	is->data.len = end - pos;
	is->data.base = raft_malloc(MAX_OF(is->data.len, (size_t)1));
	if (is->data.base == NULL) {
		raft_configuration_close(&is->conf);
		return -DER_NOMEM;
	}
	memcpy(is->data.base, pos, is->data.len);
	return 0;
}

/* ---- messages ---- */

int
rdb_msg_encode(const struct raft_message *m, struct rdb_msg_in *in)
{
	switch (m->type) {
	case RAFT_IO_APPEND_ENTRIES:
		in->term = m->append_entries.term;
		in->a = m->append_entries.prev_log_index;
		in->b = m->append_entries.prev_log_term;
		in->c = m->append_entries.leader_commit;
		return encode_entries(&m->append_entries, &in->body);
	case RAFT_IO_APPEND_ENTRIES_RESULT:
		in->term = m->append_entries_result.term;
		in->a = m->append_entries_result.rejected;
		in->b = m->append_entries_result.last_log_index;
		return 0;
	case RAFT_IO_REQUEST_VOTE:
		in->term = m->request_vote.term;
		in->a = m->request_vote.last_log_index;
		in->b = m->request_vote.last_log_term;
		in->flags = (m->request_vote.disrupt_leader ? RDB_MSG_DISRUPT : 0) |
			    (m->request_vote.pre_vote ? RDB_MSG_PRE_VOTE : 0);
		return 0;
	case RAFT_IO_REQUEST_VOTE_RESULT:
		in->term = m->request_vote_result.term;
		in->flags = m->request_vote_result.vote_granted ? RDB_MSG_GRANTED : 0;
		if (m->request_vote_result.pre_vote == raft_tribool_true)
			in->flags |= RDB_MSG_PRE_VOTE;
		else if (m->request_vote_result.pre_vote == raft_tribool_false)
			in->flags |= RDB_MSG_PRE_VOTE_NO;
		return 0;
	case RAFT_IO_INSTALL_SNAPSHOT:
		in->term = m->install_snapshot.term;
		in->a = m->install_snapshot.last_index;
		in->b = m->install_snapshot.last_term;
		in->c = m->install_snapshot.conf_index;
		return encode_snapshot(&m->install_snapshot, &in->body);
	case RAFT_IO_TIMEOUT_NOW:
		in->term = m->timeout_now.term;
		in->a = m->timeout_now.last_log_index;
		in->b = m->timeout_now.last_log_term;
		return 0;
	default:
		return -DER_INVAL;
	}
}

int
rdb_msg_decode(const struct rdb_msg_in *in, struct raft_message *m)
{
	switch (m->type) {
	case RAFT_IO_APPEND_ENTRIES:
		m->append_entries = (struct raft_append_entries){
		    .term = in->term, .prev_log_index = in->a, .prev_log_term = in->b, .leader_commit = in->c};
		return decode_entries(&in->body, &m->append_entries);
	case RAFT_IO_APPEND_ENTRIES_RESULT:
		m->append_entries_result = (struct raft_append_entries_result){
		    .term = in->term, .rejected = in->a, .last_log_index = in->b};
		return 0;
	case RAFT_IO_REQUEST_VOTE:
		m->request_vote = (struct raft_request_vote){.term = in->term,
							     .candidate_id = in->from,
							     .last_log_index = in->a,
							     .last_log_term = in->b,
							     .disrupt_leader = in->flags & RDB_MSG_DISRUPT,
							     .pre_vote = in->flags & RDB_MSG_PRE_VOTE};
		return 0;
	case RAFT_IO_REQUEST_VOTE_RESULT:
		m->request_vote_result = (struct raft_request_vote_result){
		    .term = in->term, .vote_granted = in->flags & RDB_MSG_GRANTED};
		m->request_vote_result.pre_vote = in->flags & RDB_MSG_PRE_VOTE      ? raft_tribool_true
						  : in->flags & RDB_MSG_PRE_VOTE_NO ? raft_tribool_false
										    : raft_tribool_unknown;
		return 0;
	case RAFT_IO_INSTALL_SNAPSHOT:
		m->install_snapshot = (struct raft_install_snapshot){
		    .term = in->term, .last_index = in->a, .last_term = in->b, .conf_index = in->c};
		return decode_snapshot(&in->body, &m->install_snapshot);
	case RAFT_IO_TIMEOUT_NOW:
		m->timeout_now = (struct raft_timeout_now){
		    .term = in->term, .last_log_index = in->a, .last_log_term = in->b};
		return 0;
	default:
		return -DER_PROTO;
	}
}

void
rdb_msg_fini(struct raft_message *m)
{
	if (m->type == RAFT_IO_APPEND_ENTRIES && m->append_entries.n_entries > 0) {
		raft_free(m->append_entries.entries[0].batch);
		raft_free(m->append_entries.entries);
	} else if (m->type == RAFT_IO_INSTALL_SNAPSHOT) {
		raft_configuration_close(&m->install_snapshot.conf);
		raft_free(m->install_snapshot.data.base);
	}
}

/* ---- sending ---- */

struct sending {
	struct rdb_event     ev;
	d_list_t             link; /**< rdb.sends, while under way */
	struct rdb          *db;
	struct raft_io_send *req;
	raft_io_send_cb      cb;
	crt_rpc_t           *rpc;
	uint64_t             to, term, sent_ns;
	bool                 is_append;
	void                *body;
	int                  rc;
};

/** The other side handled an append of ours in our term: it will follow for an election timeout. */
static void
note_lease(struct rdb *db, const struct sending *s, uint64_t reply_term)
{
	if (!s->is_append || db->raft.state != RAFT_LEADER || reply_term != s->term ||
	    s->term != db->raft.current_term)
		return;
	for (uint32_t i = 0; i < db->server_nr; i++) {
		if (db->server_ids[i] == s->to)
			db->lease_ns[i] = MAX_OF(db->lease_ns[i], s->sent_ns);
	}
}

static void
ev_sent(struct rdb *db, struct rdb_event *ev)
{
	struct sending *s = CONTAINER_OF(ev, struct sending, ev);

	db->io_pending_nr--;
	if (s->cb != NULL)
		s->cb(s->req, s->rc == 0 ? 0 : RAFT_NOCONNECTION);
	free(s);
}

static void
sent(const struct crt_cb_info *info)
{
	struct sending     *s = info->cci_arg;
	struct rdb_msg_out *out = info->cci_rpc->cr_output;

	s->rc = info->cci_rc != 0 ? info->cci_rc : out->rc;
	if (s->rc == 0)
		note_lease(s->db, s, out->term);
	d_list_del(&s->link);
	free(s->body);
	s->body = NULL;
	s->rpc = NULL;
	rdb_event_push(s->db, &s->ev, ev_sent);
}

int
rdb_msg_send(struct rdb *db, const struct raft_message *msg, struct raft_io_send *req, raft_io_send_cb cb)
{
	crt_endpoint_t     ep = {.ep_rank = RDB_RANK_OF_ID(msg->server_id), .ep_tag = DSS_TAG_SYS};
	struct sending    *s = calloc(1, sizeof(*s));
	struct rdb_msg_in *in;
	int                rc;

	if (s == NULL)
		return RAFT_NOMEM;
	rc = crt_req_create(dss_self()->dx_ctx, &ep, RDB_MSG_OPC(msg->type), &s->rpc);
	if (rc != 0) {
		free(s);
		return rc == -DER_NOMEM ? RAFT_NOMEM : RAFT_NOCONNECTION;
	}
	in = s->rpc->cr_input;
	uuid_copy(in->db.b, db->uuid);
	in->from = db->raft.id;
	rc = rdb_msg_encode(msg, in);
	if (rc == 0)
		rc = crt_req_set_timeout(s->rpc, db->mod->request_s);
	s->body = in->body.iov_buf;
	if (rc != 0) {
		free(s->body);
		crt_req_decref(s->rpc);
		free(s);
		return rc == -DER_NOMEM ? RAFT_NOMEM : RAFT_MALFORMED;
	}
	s->db = db;
	s->req = req;
	s->cb = cb;
	s->to = msg->server_id;
	s->term = in->term;
	s->is_append = msg->type == RAFT_IO_APPEND_ENTRIES || msg->type == RAFT_IO_INSTALL_SNAPSHOT;
	s->sent_ns = plat_now_ns();
	d_list_add_tail(&s->link, &db->sends);
	db->io_pending_nr++;
	(void)crt_req_send(s->rpc, sent, s);
	return 0;
}

/** Nothing goes out any more: don't wait for peers that may be dead. */
void
rdb_msg_abort_all(struct rdb *db)
{
	uint32_t nr = 0;
	struct sending *s, *tmp;

	d_list_for_each_safe(s, tmp, &db->sends, link) {
		nr++;
		crt_req_abort(s->rpc);
	}
	if (nr > 0)
		D_DEBUG("%u messages given up", nr);
}

/* ---- receiving ---- */

struct receiving {
	struct rdb_event    ev;
	struct raft_message msg;
	char                address[16];
	struct ult_eventual done;
	uint64_t            term;
	bool                held;
};

/** What libraft would assert about; only a peer gone wrong sends it. */
static bool
is_absurd(struct rdb *db, const struct raft_message *m)
{
	bool leads = db->raft.state == RAFT_LEADER;

	switch (m->type) {
	case RAFT_IO_APPEND_ENTRIES:
		return leads && m->append_entries.term == db->raft.current_term;
	case RAFT_IO_INSTALL_SNAPSHOT:
		return leads && m->install_snapshot.term == db->raft.current_term;
	default:
		return false;
	}
}

/** A replica that restarted might have promised not to vote, rdb_raft.c. */
static bool
must_not_vote(struct rdb *db, const struct raft_message *m)
{
	return m->type == RAFT_IO_REQUEST_VOTE && plat_now_ns() < db->vote_after_ns;
}

static bool
must_hold(struct rdb *db, const struct raft_message *m)
{
	return m->type == RAFT_IO_APPEND_ENTRIES_RESULT && db->raft.state == RAFT_LEADER &&
	       db->raft.last_stored < db->up_barrier_index;
}

MAY_YIELD static void
ev_received(struct rdb *db, struct rdb_event *ev)
{
	struct receiving *r = CONTAINER_OF(ev, struct receiving, ev);

	if (!db->closing && db->err == 0 && must_hold(db, &r->msg)) {
		d_list_add_tail(&ev->link, &db->held);
		return;
	}
	if (db->closing || db->err != 0 || db->recv == NULL || must_not_vote(db, &r->msg) ||
	    is_absurd(db, &r->msg))
		rdb_msg_fini(&r->msg);
	else
		db->recv(&db->io, &r->msg);
	r->term = db->raft.current_term;
	ult_eventual_set(&r->done, 0);
}

MAY_YIELD static int
receive(struct rdb *db, const struct rdb_msg_in *in, uint32_t type, uint64_t *ret_term)
{
	struct receiving r = {.msg = {.type = type, .server_id = in->from, .server_address = r.address}};
	int              rc = rdb_msg_decode(in, &r.msg);

	if (rc != 0)
		return rc;
	snprintf(r.address, sizeof(r.address), "%u", RDB_RANK_OF_ID(in->from));
	ult_eventual_init(&r.done);
	rdb_event_push(db, &r.ev, ev_received);
	(void)ult_eventual_wait(&r.done);
	*ret_term = r.term;
	return 0;
}

MAY_YIELD static void
msg_handler(crt_rpc_t *rpc)
{
	struct rdb_msg_in  *in = rpc->cr_input;
	struct rdb_msg_out *out = rpc->cr_output;
	bool                here = dss_self()->dx_id == DSS_TAG_SYS;
	struct rdb         *db = here ? rdb_lookup(dss_engine(), in->db.b) : NULL;

	if (!here) {
		out->rc = -DER_BAD_TARGET;
	} else if (db == NULL) {
		out->rc = -DER_NOTREPLICA;
	} else if (db->stopping || !db->started) {
		out->rc = -DER_SHUTDOWN;
	} else if (in->from == 0 || rpc->cr_ep.ep_rank != RDB_RANK_OF_ID(in->from)) {
		D_WARN("rdb " DF_UUID ": message from rank %u that says it is from %u is ignored",
		       DP_UUID(db->uuid), rpc->cr_ep.ep_rank, RDB_RANK_OF_ID(in->from));
		out->rc = -DER_NO_PERM;
	} else {
		rdb_get(db);
		out->rc = receive(db, in, CRT_OPC_IDX(rpc->cr_opc) + 1, &out->term);
		rdb_put(db);
	}
	if (crt_reply_send(rpc) != 0)
		D_DEBUG("the reply to a raft message is lost");
}

static const struct crt_proto_rpc rdb_rpcs[] = {
    {&rdb_msg_format, msg_handler, 0}, {&rdb_msg_format, msg_handler, 0},
    {&rdb_msg_format, msg_handler, 0}, {&rdb_msg_format, msg_handler, 0},
    {&rdb_msg_format, msg_handler, 0}, {&rdb_msg_format, msg_handler, 0},
};

const struct crt_proto rdb_proto = {
    .name = "rdb", .mod_id = CRT_MOD_RDB, .version = RDB_PROTO_VERSION, .rpc_nr = ARRAY_NR(rdb_rpcs), .rpcs = rdb_rpcs};
