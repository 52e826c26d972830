/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/**
 * Transactions. What a transaction writes is kept as its encoded ops until commit: nobody else sees it,
 * its own reads replay the ops over the committed state. Commit replicates them as one log entry; every
 * replica applies it as a whole, or, where another transaction came between and an op makes no sense any
 * more, as a whole not (-DER_NONEXIST, -DER_EXIST).
 *
 * Invariant: memory that a read returned lies in the transaction's arena.
 */
#define D_LOGFAC LOG_FAC_RDB
#include <daos_errno.h>
#include "base/iov.h"
#include "base/log.h"
#include "base/planted.h"
#include "rdb/rdb_internal.h"

/** Of the heap: the state in force, its snapshot, the snapshot being written, and the log. */
#define STATE_SHARE 5

struct rdb_tx {
	struct rdb    *db;
	uint64_t       term;
	struct rdb_buf buf;
	struct d_arena arena;
	bool           committed;
};

/* ---- begin and end ---- */

/** Answers a question to the raft ULT. */
struct ask {
	struct rdb_event    ev;
	struct raft_barrier barrier;
	struct raft_apply   apply;
	struct raft_buffer  buf;
	struct ult_eventual done;
};

static void
barrier_done(struct raft_barrier *req, int status)
{
	struct ask *ask = req->data;

	ult_eventual_set(&ask->done, rdb_raft2der(status));
}

MAY_YIELD static void
ev_barrier(struct rdb *db, struct rdb_event *ev)
{
	struct ask *ask = CONTAINER_OF(ev, struct ask, ev);
	int         rc = RAFT_NOTLEADER;

	ask->barrier.data = ask;
	if (!db->closing && db->err == 0)
		rc = raft_barrier(&db->raft, &ask->barrier, barrier_done);
	if (rc != 0)
		ult_eventual_set(&ask->done, rdb_raft2der(rc));
}

static int
check_leader(struct rdb *db, uint64_t term)
{
	if (db->stopping)
		return -DER_CANCELED;
	if (db->err != 0)
		return db->err;
	return db->lead_term != 0 && db->lead_term == term ? 0 : -DER_NOTLEADER;
}

/** Prove to a majority that we lead: for reads when no lease says so. */
MAY_YIELD static int
prove_leadership(struct rdb *db, uint64_t term)
{
	struct ask *ask = calloc(1, sizeof(*ask));
	int         rc;

	if (ask == NULL)
		return -DER_NOMEM;
	ult_eventual_init(&ask->done);
	rdb_event_push(db, &ask->ev, ev_barrier);
	rc = ult_eventual_wait(&ask->done);
	free(ask);
	return rc != 0 ? rc : check_leader(db, term);
}

MAY_YIELD int
rdb_tx_begin(struct rdb *db, uint64_t term, struct rdb_tx **ret_tx)
{
	struct rdb_tx *tx;
	int            rc;

	rdb_get(db);
	rc = check_leader(db, term);
	if (rc == 0 && !rdb_lease_valid(db) && !D_PLANTED(D_PLANTED_NO_RECHECK))
		rc = prove_leadership(db, term);
	tx = rc == 0 ? calloc(1, sizeof(*tx)) : NULL;
	if (tx == NULL) {
		rdb_put(db);
		return rc != 0 ? rc : -DER_NOMEM;
	}
	tx->db = db;
	tx->term = term;
	d_arena_init(&tx->arena);
	*ret_tx = tx;
	return 0;
}

void
rdb_tx_end(struct rdb_tx *tx)
{
	struct rdb *db = tx->db;

	rdb_buf_fini(&tx->buf);
	d_arena_fini(&tx->arena);
	free(tx);
	rdb_put(db);
}

/* ---- commit ---- */

static void
apply_done(struct raft_apply *req, int status, void *result)
{
	struct ask *ask = req->data;

	ult_eventual_set(&ask->done, status != 0 ? rdb_raft2der(status) : (int)(intptr_t)result);
}

MAY_YIELD static void
ev_apply(struct rdb *db, struct rdb_event *ev)
{
	struct ask *ask = CONTAINER_OF(ev, struct ask, ev);
	int         rc = RAFT_NOTLEADER;

	ask->apply.data = ask;
	if (!db->closing && db->err == 0)
		rc = raft_apply(&db->raft, &ask->apply, &ask->buf, 1, apply_done);
	if (rc != 0) {
		raft_free(ask->buf.base);
		ult_eventual_set(&ask->done, rdb_raft2der(rc));
	}
}

uint64_t
rdb_state_bytes_max(struct rdb *db)
{
	return rdb_store_heap_bytes(db->store) / STATE_SHARE;
}

/** The state must fit into the heap twice, beside the log; a log that grows large is compacted early. */
static int
check_space(struct rdb *db, size_t bytes)
{
	uint64_t share = rdb_state_bytes_max(db);
	uint64_t log_bytes = rdb_store_log_bytes(db->store);

	if (db->state_bytes + bytes > share || log_bytes + bytes > 2 * share)
		return -DER_NOSPACE;
	raft_set_snapshot_threshold(&db->raft, log_bytes + bytes > share / 2 ? 1 : db->mod->compact_nr);
	raft_set_snapshot_trailing(&db->raft, log_bytes + bytes > share / 2 ? 1 : MIN_OF(64u, db->mod->compact_nr));
	return 0;
}

MAY_YIELD int
rdb_tx_commit(struct rdb_tx *tx)
{
	struct rdb *db = tx->db;
	struct ask *ask;
	int         rc = check_leader(db, tx->term);

	D_ASSERT(!tx->committed);
	tx->committed = true;
	if (rc != 0 || tx->buf.op_nr == 0)
		return rc;
	rc = check_space(db, tx->buf.len);
	if (rc != 0)
		return rc;
	ask = calloc(1, sizeof(*ask));
	if (ask == NULL)
		return -DER_NOMEM;
	rdb_entry_seal(&tx->buf);
	/* raft takes the buffer; malloc is raft_malloc, see rdb_io.c */
	ask->buf = (struct raft_buffer){.base = tx->buf.data, .len = tx->buf.len};
	tx->buf = (struct rdb_buf){0};
	ult_eventual_init(&ask->done);
	rdb_event_push(db, &ask->ev, ev_apply);
	rc = ult_eventual_wait(&ask->done);
	free(ask);
	return rc == -DER_NOTLEADER && db->stopping ? -DER_CANCELED : rc;
}

/* ---- what the transaction sees ---- */

static bool
keys_equal(const d_iov_t *a, const d_iov_t *b)
{
	return d_iov_equal(a, b);
}

/** Is (op's path, op's key) the store at @path, or one above it? */
static bool
names_store_of(const struct rdb_op *op, const struct rdb_path *path)
{
	if (op->path.nr + 1 > path->nr)
		return false;
	for (uint32_t i = 0; i < op->path.nr; i++) {
		if (!keys_equal(&op->path.keys[i], &path->keys[i]))
			return false;
	}
	return keys_equal(&op->key, &path->keys[op->path.nr]);
}

static bool
same_path(const struct rdb_path *a, const struct rdb_path *b)
{
	if (a->nr != b->nr)
		return false;
	for (uint32_t i = 0; i < a->nr; i++) {
		if (!keys_equal(&a->keys[i], &b->keys[i]))
			return false;
	}
	return true;
}

/** Does the store exist for the transaction, and is its committed content part of it? */
struct kvs_view {
	bool              exists, has_base;
	enum rdb_kvs_kind kind;
	size_t            from; /**< ops before this offset don't count: the store was destroyed by then */
};

static struct kvs_view
view_of(struct rdb_tx *tx, const struct rdb_path *path)
{
	struct rdb_kvs   *base = rdb_kvs_walk(tx->db->root, path);
	struct kvs_view   view = {.exists = base != NULL, .has_base = base != NULL};
	struct rdb_cursor cur;
	struct rdb_op     op;

	if (base != NULL)
		view.kind = base->kind;
	rdb_entry_begin(&tx->buf, &cur);
	while (rdb_entry_next(&cur, &op) > 0) {
		if ((op.kind != RDB_OP_CREATE && op.kind != RDB_OP_DESTROY) || !names_store_of(&op, path))
			continue;
		view.has_base = false;
		view.from = cur.pos - tx->buf.data;
		view.exists = op.kind == RDB_OP_CREATE && op.path.nr + 1 == path->nr;
		if (view.exists)
			view.kind = op.kvs_kind;
	}
	return view;
}

/** What a key holds for the transaction. */
struct found {
	bool    is_there, is_kvs;
	d_iov_t value;
};

static void
found_node(struct rdb_node *node, struct found *f)
{
	*f = (struct found){.is_there = node != NULL};
	if (node == NULL)
		return;
	f->is_kvs = node->kvs != NULL;
	d_iov_set(&f->value, rdb_node_val(node), node->val_len);
}

static void
found_op(const struct rdb_op *op, struct found *f)
{
	f->is_there = op->kind == RDB_OP_UPDATE || op->kind == RDB_OP_CREATE;
	f->is_kvs = op->kind == RDB_OP_CREATE;
	f->value = op->value;
}

static void
cursor_from(struct rdb_tx *tx, const struct kvs_view *view, struct rdb_cursor *cur)
{
	rdb_entry_begin(&tx->buf, cur);
	if (view->from > 0)
		cur->pos = tx->buf.data + view->from;
}

/** -DER_NONEXIST: there is no such store. */
static int
look(struct rdb_tx *tx, const struct rdb_path *path, const d_iov_t *key, struct found *f)
{
	struct kvs_view   view = view_of(tx, path);
	struct rdb_cursor cur;
	struct rdb_op     op;

	if (!view.exists)
		return -DER_NONEXIST;
	found_node(view.has_base ? rdb_kvs_find(rdb_kvs_walk(tx->db->root, path), key) : NULL, f);
	cursor_from(tx, &view, &cur);
	while (rdb_entry_next(&cur, &op) > 0) {
		if (keys_equal(&op.key, key) && same_path(&op.path, path))
			found_op(&op, f);
	}
	return 0;
}

/* ---- writing ---- */

static int
add_op(struct rdb_tx *tx, const struct rdb_op *op)
{
	int rc = check_leader(tx->db, tx->term);

	D_ASSERT(!tx->committed);
	return rc != 0 ? rc : rdb_entry_add(&tx->buf, op);
}

int
rdb_tx_create_kvs(struct rdb_tx *tx, const struct rdb_path *parent, const d_iov_t *key, enum rdb_kvs_kind kind)
{
	struct rdb_op   op = {.kind = RDB_OP_CREATE, .path = *parent, .key = *key, .kvs_kind = kind};
	struct kvs_view view = view_of(tx, parent);
	struct found    f;
	int             rc = look(tx, parent, key, &f);

	if (rc != 0)
		return rc;
	if (view.kind == RDB_KVS_U64 && key->iov_len != sizeof(uint64_t))
		return -DER_INVAL;
	return f.is_there ? -DER_EXIST : add_op(tx, &op);
}

int
rdb_tx_destroy_kvs(struct rdb_tx *tx, const struct rdb_path *parent, const d_iov_t *key)
{
	struct rdb_op op = {.kind = RDB_OP_DESTROY, .path = *parent, .key = *key};
	struct found  f;
	int           rc = look(tx, parent, key, &f);

	if (rc != 0)
		return rc;
	return f.is_kvs ? add_op(tx, &op) : -DER_NONEXIST;
}

int
rdb_tx_update(struct rdb_tx *tx, const struct rdb_path *kvs, const d_iov_t *key, const d_iov_t *value)
{
	struct rdb_op   op = {.kind = RDB_OP_UPDATE, .path = *kvs, .key = *key, .value = *value};
	struct kvs_view view = view_of(tx, kvs);
	struct found    f;
	int             rc = look(tx, kvs, key, &f);

	if (rc != 0)
		return rc;
	if (view.kind == RDB_KVS_U64 && key->iov_len != sizeof(uint64_t))
		return -DER_INVAL;
	return f.is_kvs ? -DER_EXIST : add_op(tx, &op);
}

int
rdb_tx_delete(struct rdb_tx *tx, const struct rdb_path *kvs, const d_iov_t *key)
{
	struct rdb_op op = {.kind = RDB_OP_DELETE, .path = *kvs, .key = *key};
	struct found  f;
	int           rc = look(tx, kvs, key, &f);

	if (rc != 0)
		return rc;
	if (f.is_kvs)
		return -DER_EXIST;
	return f.is_there ? add_op(tx, &op) : 0;
}

/* ---- reading ---- */

static int
give(struct rdb_tx *tx, const d_iov_t *found, d_iov_t *value)
{
	if (value->iov_buf == NULL) {
		void *copy = d_arena_memdup(&tx->arena, found->iov_buf, found->iov_len);

		if (copy == NULL)
			return -DER_NOMEM;
		d_iov_set(value, copy, found->iov_len);
		return 0;
	}
	value->iov_len = found->iov_len;
	if (found->iov_len > value->iov_buf_len)
		return -DER_TRUNC;
	if (found->iov_len > 0)
		memcpy(value->iov_buf, found->iov_buf, found->iov_len);
	return 0;
}

MAY_YIELD int
rdb_tx_lookup(struct rdb_tx *tx, const struct rdb_path *kvs, const d_iov_t *key, d_iov_t *value)
{
	struct found f;
	int          rc = check_leader(tx->db, tx->term);

	if (rc == 0)
		rc = look(tx, kvs, key, &f);
	if (rc != 0)
		return rc;
	if (!f.is_there)
		return -DER_NONEXIST;
	return give(tx, &f.value, value);
}

/** The least key above @after (NULL: of all) that one of the transaction's own ops names; false: none. */
static bool
next_op_key(struct rdb_tx *tx, const struct rdb_path *path, const struct kvs_view *view, const d_iov_t *after,
	    d_iov_t *ret_key)
{
	struct rdb_cursor cur;
	struct rdb_op     op;
	bool              found = false;

	cursor_from(tx, view, &cur);
	while (rdb_entry_next(&cur, &op) > 0) {
		if (!same_path(&op.path, path))
			continue;
		if (after != NULL && rdb_key_cmp(view->kind, op.key.iov_buf, op.key.iov_len, after->iov_buf,
						 after->iov_len) <= 0)
			continue;
		if (found && rdb_key_cmp(view->kind, op.key.iov_buf, op.key.iov_len, ret_key->iov_buf,
					 ret_key->iov_len) >= 0)
			continue;
		*ret_key = op.key;
		found = true;
	}
	return found;
}

/** The least key above @after, committed or own, whether or not something is there; false: none. */
static bool
next_key(struct rdb_tx *tx, const struct rdb_path *path, const struct kvs_view *view, const d_iov_t *after,
	 d_iov_t *ret_key)
{
	struct rdb_node *node = NULL;
	bool             own = next_op_key(tx, path, view, after, ret_key);

	if (view->has_base)
		node = rdb_kvs_next(rdb_kvs_walk(tx->db->root, path), after);
	if (node == NULL)
		return own;
	if (!own || rdb_key_cmp(view->kind, node->data, node->key_len, ret_key->iov_buf, ret_key->iov_len) < 0)
		d_iov_set(ret_key, rdb_node_key(node), node->key_len);
	return true;
}

/** Copies of the next key and its value. 1: there is one; 0: the end. */
static int
next_entry(struct rdb_tx *tx, const struct rdb_path *path, const d_iov_t *after, d_iov_t *key, d_iov_t *value)
{
	d_iov_t      at = {0}, cand;
	bool         first = after->iov_buf == NULL;
	struct found f;
	int          rc;

	if (!first)
		at = *after;
	for (;;) {
		struct kvs_view view = view_of(tx, path);

		if (!view.exists)
			return -DER_NONEXIST;
		if (!next_key(tx, path, &view, first ? NULL : &at, &cand))
			return 0;
		rc = look(tx, path, &cand, &f);
		if (rc != 0)
			return rc;
		if (f.is_there)
			break;
		at = cand; /* deleted by this transaction; nothing changes before the next turn */
		first = false;
	}
	*key = *value = (d_iov_t){0};
	rc = give(tx, &cand, key);
	if (rc == 0)
		rc = give(tx, &f.value, value);
	return rc != 0 ? rc : 1;
}

MAY_YIELD int
rdb_tx_iterate(struct rdb_tx *tx, const struct rdb_path *kvs,
	       int (*cb)(const d_iov_t *key, const d_iov_t *value, void *arg), void *arg)
{
	d_iov_t key = {0}, value;
	int     rc;

	for (;;) {
		d_iov_t after = key;

		rc = check_leader(tx->db, tx->term);
		if (rc == 0)
			rc = next_entry(tx, kvs, &after, &key, &value);
		if (rc <= 0)
			return rc;
		rc = cb(&key, &value, arg);
		if (rc != 0)
			return rc > 0 ? 0 : rc;
	}
}
