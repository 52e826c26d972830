/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/**
 * Encoding, decoding and applying. Everything that is decoded may come from a damaged disk or a wrong
 * peer: every length is checked against what is left.
 */
#include <daos_errno.h>
#include "base/crc32c.h"
#include "rdb/rdb_entry.h"

/* ---- writing ---- */

void
rdb_buf_fini(struct rdb_buf *buf)
{
	free(buf->data);
	*buf = (struct rdb_buf){0};
}

static int
buf_room(struct rdb_buf *buf, size_t bytes)
{
	size_t size = MAX_OF(buf->size, (size_t)256);
	char  *data;

	while (size < buf->len + bytes)
		size *= 2;
	if (size == buf->size)
		return 0;
	data = realloc(buf->data, size);
	if (data == NULL)
		return -DER_NOMEM;
	buf->data = data;
	buf->size = size;
	return 0;
}

/** There is room. */
static void
put(struct rdb_buf *buf, const void *src, size_t bytes)
{
	if (bytes > 0)
		memcpy(buf->data + buf->len, src, bytes);
	buf->len += bytes;
}

static void
put_u8(struct rdb_buf *buf, uint8_t v)
{
	put(buf, &v, 1);
}

static void
put_u32(struct rdb_buf *buf, uint32_t v)
{
	put(buf, &v, 4);
}

static void
put_iov(struct rdb_buf *buf, const d_iov_t *iov)
{
	put_u32(buf, iov->iov_len);
	put(buf, iov->iov_buf, iov->iov_len);
}

static bool
op_fits(const struct rdb_op *op)
{
	for (uint32_t i = 0; i < op->path.nr; i++) {
		if (op->path.keys[i].iov_len > RDB_KEY_MAX)
			return false;
	}
	return op->key.iov_len <= RDB_KEY_MAX &&
	       (op->kind != RDB_OP_UPDATE || op->value.iov_len <= RDB_VALUE_MAX);
}

int
rdb_entry_add(struct rdb_buf *buf, const struct rdb_op *op)
{
	size_t head = buf->len == 0 ? sizeof(struct rdb_head_df) : 0;
	size_t bytes = head + 3 + 4 + op->key.iov_len + 4 + op->value.iov_len;
	int    rc;

	D_ASSERT(op->path.nr < RDB_DEPTH_MAX);
	for (uint32_t i = 0; i < op->path.nr; i++)
		bytes += 4 + op->path.keys[i].iov_len;
	if (!op_fits(op) || buf->len + bytes > RDB_ENTRY_MAX)
		return -DER_REC2BIG;
	rc = buf_room(buf, bytes);
	if (rc != 0)
		return rc;
	if (head > 0) {
		memset(buf->data, 0, head);
		buf->len = head;
	}
	put_u8(buf, op->kind);
	put_u8(buf, op->path.nr);
	for (uint32_t i = 0; i < op->path.nr; i++)
		put_iov(buf, &op->path.keys[i]);
	put_iov(buf, &op->key);
	if (op->kind == RDB_OP_UPDATE)
		put_iov(buf, &op->value);
	else if (op->kind == RDB_OP_CREATE)
		put_u8(buf, op->kvs_kind);
	buf->op_nr++;
	return 0;
}

static uint32_t
head_crc(const struct rdb_head_df *head, const void *body, size_t bytes)
{
	struct rdb_head_df h = *head;

	h.crc = 0;
	return d_crc32c(d_crc32c(0, &h, sizeof(h)), body, bytes);
}

static void
seal(void *data, size_t len, uint32_t magic, uint32_t op_nr)
{
	struct rdb_head_df head = {.magic = magic, .version = RDB_ENTRY_VERSION, .op_nr = op_nr};

	head.bytes = len - sizeof(head);
	head.crc = head_crc(&head, (char *)data + sizeof(head), head.bytes);
	memcpy(data, &head, sizeof(head));
}

void
rdb_entry_seal(struct rdb_buf *buf)
{
	D_ASSERT(buf->len >= sizeof(struct rdb_head_df));
	seal(buf->data, buf->len, RDB_ENTRY_MAGIC, buf->op_nr);
}

/* ---- reading ---- */

static int
get(struct rdb_cursor *cur, void *dst, size_t bytes)
{
	if ((size_t)(cur->end - cur->pos) < bytes)
		return -DER_PROTO;
	memcpy(dst, cur->pos, bytes);
	cur->pos += bytes;
	return 0;
}

static int
get_bytes(struct rdb_cursor *cur, size_t len, size_t len_max, d_iov_t *iov)
{
	if (len > len_max || (size_t)(cur->end - cur->pos) < len)
		return -DER_PROTO;
	d_iov_set(iov, (void *)cur->pos, len);
	cur->pos += len;
	return 0;
}

static int
get_iov(struct rdb_cursor *cur, size_t len_max, d_iov_t *iov)
{
	uint32_t len;
	int      rc = get(cur, &len, 4);

	return rc != 0 ? rc : get_bytes(cur, len, len_max, iov);
}

static int
get_kvs_kind(uint32_t raw, enum rdb_kvs_kind *kind)
{
	if (raw != RDB_KVS_BYTES && raw != RDB_KVS_U64)
		return -DER_PROTO;
	*kind = raw;
	return 0;
}

void
rdb_entry_begin(const struct rdb_buf *buf, struct rdb_cursor *cur)
{
	size_t head = MIN_OF(buf->len, sizeof(struct rdb_head_df));

	cur->pos = buf->data + head;
	cur->end = buf->data + buf->len;
}

static int
get_path(struct rdb_cursor *cur, struct rdb_path *path)
{
	uint8_t nr;
	int     rc = get(cur, &nr, 1);

	if (rc == 0 && nr > ARRAY_NR(path->keys))
		rc = -DER_PROTO;
	if (rc != 0)
		return rc;
	path->nr = nr;
	for (uint32_t i = 0; i < nr && rc == 0; i++)
		rc = get_iov(cur, RDB_KEY_MAX, &path->keys[i]);
	return rc;
}

int
rdb_entry_next(struct rdb_cursor *cur, struct rdb_op *op)
{
	uint8_t kind, kvs_kind;
	int     rc;

	if (cur->pos == cur->end)
		return 0;
	*op = (struct rdb_op){0};
	rc = get(cur, &kind, 1);
	if (rc == 0)
		rc = get_path(cur, &op->path);
	if (rc == 0)
		rc = get_iov(cur, RDB_KEY_MAX, &op->key);
	if (rc != 0)
		return rc;
	op->kind = kind;
	switch (kind) {
	case RDB_OP_UPDATE:
		rc = get_iov(cur, RDB_VALUE_MAX, &op->value);
		break;
	case RDB_OP_CREATE:
		rc = get(cur, &kvs_kind, 1);
		if (rc == 0)
			rc = get_kvs_kind(kvs_kind, &op->kvs_kind);
		break;
	case RDB_OP_DELETE:
	case RDB_OP_DESTROY:
		break;
	default:
		rc = -DER_PROTO;
	}
	return rc != 0 ? rc : 1;
}

static int
open_sealed(const void *data, size_t len, uint32_t magic, struct rdb_cursor *cur,
	    struct rdb_head_df *head)
{
	if (len < sizeof(*head))
		return -DER_PROTO;
	memcpy(head, data, sizeof(*head));
	cur->pos = (const char *)data + sizeof(*head);
	cur->end = (const char *)data + len;
	if (head->magic != magic || head->version != RDB_ENTRY_VERSION ||
	    head->bytes != len - sizeof(*head) || head->crc != head_crc(head, cur->pos, head->bytes))
		return -DER_PROTO;
	return 0;
}

/** Keys of another length have no order among those of a store of numbers. */
static bool
key_is_of(const struct rdb_kvs *kvs, const d_iov_t *key)
{
	return kvs->kind != RDB_KVS_U64 || key->iov_len == sizeof(uint64_t);
}

/* ---- applying ---- */

/** What to put back, in reverse, when a later op of the transaction fails. */
struct undo {
	struct rdb_kvs  *kvs;
	struct rdb_node *old, *new; /**< a reference each; NULL: none */
};

static int
make_node(const struct rdb_op *op, struct rdb_node **ret_node)
{
	struct rdb_kvs *kvs = NULL;

	*ret_node = NULL;
	if (op->kind == RDB_OP_DELETE || op->kind == RDB_OP_DESTROY)
		return 0;
	if (op->kind == RDB_OP_CREATE) {
		kvs = rdb_kvs_new(op->kvs_kind);
		if (kvs == NULL)
			return -DER_NOMEM;
	}
	*ret_node = rdb_node_new(&op->key, op->kind == RDB_OP_UPDATE ? &op->value : NULL, kvs);
	if (*ret_node != NULL)
		return 0;
	rdb_kvs_free(kvs);
	return -DER_NOMEM;
}

/** May @op be done where @there is (NULL: nothing)? */
static int
check_op(const struct rdb_op *op, const struct rdb_node *there)
{
	bool is_kvs = there != NULL && there->kvs != NULL;

	switch (op->kind) {
	case RDB_OP_UPDATE:
		return is_kvs ? -DER_EXIST : 0;
	case RDB_OP_CREATE:
		return there != NULL ? -DER_EXIST : 0;
	case RDB_OP_DELETE:
		return is_kvs ? -DER_EXIST : 0; /* deleting nothing is fine: retries are idempotent */
	default:
		return is_kvs ? 0 : -DER_NONEXIST;
	}
}

static int
apply_op(struct rdb_kvs *root, const struct rdb_op *op, struct undo *undo, uint64_t *state_bytes)
{
	struct rdb_kvs *kvs = rdb_kvs_walk(root, &op->path);
	int             rc;

	if (kvs == NULL)
		return -DER_NONEXIST;
	if ((op->kind == RDB_OP_UPDATE || op->kind == RDB_OP_CREATE) && !key_is_of(kvs, &op->key))
		return -DER_INVAL;
	rc = check_op(op, rdb_kvs_find(kvs, &op->key));
	if (rc == 0)
		rc = make_node(op, &undo->new);
	if (rc != 0)
		return rc;
	undo->kvs = kvs;
	if (undo->new != NULL) {
		*state_bytes += rdb_node_bytes(undo->new);
		rdb_node_get(undo->new);
	}
	undo->old = rdb_kvs_swap(kvs, &op->key, undo->new);
	if (undo->old != NULL)
		*state_bytes -= rdb_node_bytes(undo->old);
	return 0;
}

static void
undo_ops(struct undo *undos, uint32_t nr, uint64_t *state_bytes)
{
	while (nr > 0) {
		struct undo     *undo = &undos[--nr];
		struct rdb_node *ref = undo->old != NULL ? undo->old : undo->new;
		struct rdb_node *was;
		d_iov_t          key;

		if (ref == NULL)
			continue; /* a delete of nothing */
		if (undo->new != NULL)
			*state_bytes -= rdb_node_bytes(undo->new);
		if (undo->old != NULL)
			*state_bytes += rdb_node_bytes(undo->old);
		d_iov_set(&key, rdb_node_key(ref), ref->key_len);
		was = rdb_kvs_swap(undo->kvs, &key, undo->old);
		D_ASSERT(was == undo->new);
		rdb_node_put(was);
		undo->old = NULL;
	}
}

static int
apply_ops(struct rdb_kvs *root, struct rdb_cursor *cur, struct undo *undos, uint32_t op_nr,
	  uint64_t *state_bytes)
{
	uint32_t done = 0;
	int      rc;

	for (;;) {
		struct rdb_op op;

		rc = rdb_entry_next(cur, &op);
		if (rc <= 0)
			break;
		rc = done == op_nr ? -DER_PROTO : apply_op(root, &op, &undos[done], state_bytes);
		if (rc != 0)
			break;
		done++;
	}
	if (rc == 0 && done != op_nr)
		rc = -DER_PROTO;
	if (rc != 0)
		undo_ops(undos, done, state_bytes);
	return rc;
}

int
rdb_entry_apply(struct rdb_kvs *root, const void *data, size_t len, uint64_t *state_bytes)
{
	struct rdb_head_df head;
	struct rdb_cursor  cur;
	struct undo       *undos;
	int                rc = open_sealed(data, len, RDB_ENTRY_MAGIC, &cur, &head);

	if (rc != 0)
		return rc;
	if (head.op_nr > head.bytes) /* an op takes more than a byte */
		return -DER_PROTO;
	undos = calloc(MAX_OF(head.op_nr, 1u), sizeof(*undos));
	if (undos == NULL)
		return -DER_NOMEM;
	rc = apply_ops(root, &cur, undos, head.op_nr, state_bytes);
	for (uint32_t i = 0; i < head.op_nr; i++) {
		rdb_node_put(undos[i].old);
		rdb_node_put(undos[i].new);
	}
	free(undos);
	return rc;
}

/* ---- snapshots ---- */

static uint64_t
subtree_snap_bytes(const struct rdb_node *node)
{
	if (node == NULL)
		return 0;
	return rdb_node_bytes(node) + subtree_snap_bytes(node->left) + subtree_snap_bytes(node->right);
}

static void snap_put_kvs(struct rdb_buf *buf, const struct rdb_kvs *kvs);

static void
snap_put_nodes(struct rdb_buf *buf, const struct rdb_node *node)
{
	if (node == NULL)
		return;
	snap_put_nodes(buf, node->left);
	put_u32(buf, node->kvs != NULL);
	put_u32(buf, node->key_len);
	put_u32(buf, node->val_len);
	put(buf, node->data, node->key_len + node->val_len);
	if (node->kvs != NULL)
		snap_put_kvs(buf, node->kvs);
	snap_put_nodes(buf, node->right);
}

static void
snap_put_kvs(struct rdb_buf *buf, const struct rdb_kvs *kvs)
{
	put_u32(buf, kvs->kind);
	put(buf, &kvs->node_nr, 8);
	snap_put_nodes(buf, kvs->root);
}

int
rdb_snap_encode(const struct rdb_kvs *root, void **ret_data, size_t *ret_len)
{
	struct rdb_buf buf = {0};
	size_t         bytes;

	bytes = sizeof(struct rdb_head_df) + RDB_NODE_HEAD_BYTES + subtree_snap_bytes(root->root);
	buf.data = calloc(1, bytes);
	if (buf.data == NULL)
		return -DER_NOMEM;
	buf.len = sizeof(struct rdb_head_df);
	snap_put_kvs(&buf, root);
	D_ASSERT(buf.len == bytes);
	seal(buf.data, buf.len, RDB_SNAP_MAGIC, 0);
	*ret_data = buf.data;
	*ret_len = buf.len;
	return 0;
}

static int snap_get_kvs(struct rdb_cursor *cur, unsigned depth, struct rdb_kvs **ret_kvs);

static int
snap_get_node(struct rdb_cursor *cur, unsigned depth, struct rdb_kvs *kvs)
{
	uint32_t         head[3];
	d_iov_t          key, val;
	struct rdb_kvs  *child = NULL;
	struct rdb_node *node;
	int              rc = get(cur, head, sizeof(head));

	if (rc == 0 && (head[0] > 1 || (head[0] == 1 && head[2] != 0)))
		rc = -DER_PROTO;
	if (rc == 0)
		rc = get_bytes(cur, head[1], RDB_KEY_MAX, &key);
	if (rc == 0)
		rc = get_bytes(cur, head[2], RDB_VALUE_MAX, &val);
	if (rc == 0 && (!key_is_of(kvs, &key) || rdb_kvs_find(kvs, &key) != NULL))
		rc = -DER_PROTO;
	if (rc == 0 && head[0] == 1)
		rc = snap_get_kvs(cur, depth + 1, &child);
	if (rc != 0)
		return rc;
	node = rdb_node_new(&key, &val, child);
	if (node == NULL) {
		rdb_kvs_free(child);
		return -DER_NOMEM;
	}
	(void)rdb_kvs_swap(kvs, &key, node);
	return 0;
}

static int
snap_get_kvs(struct rdb_cursor *cur, unsigned depth, struct rdb_kvs **ret_kvs)
{
	enum rdb_kvs_kind kind = RDB_KVS_BYTES;
	struct rdb_kvs   *kvs;
	uint32_t          raw_kind;
	uint64_t          nr = 0;
	int               rc = depth > RDB_DEPTH_MAX ? -DER_PROTO : get(cur, &raw_kind, 4);

	if (rc == 0)
		rc = get_kvs_kind(raw_kind, &kind);
	if (rc == 0)
		rc = get(cur, &nr, 8);
	if (rc != 0)
		return rc;
	kvs = rdb_kvs_new(kind);
	if (kvs == NULL)
		return -DER_NOMEM;
	for (uint64_t i = 0; i < nr && rc == 0; i++)
		rc = snap_get_node(cur, depth, kvs);
	if (rc != 0) {
		rdb_kvs_free(kvs);
		return rc;
	}
	*ret_kvs = kvs;
	return 0;
}

int
rdb_snap_decode(const void *data, size_t len, struct rdb_kvs **ret_root)
{
	struct rdb_head_df head;
	struct rdb_cursor  cur;
	struct rdb_kvs    *root;
	int                rc = open_sealed(data, len, RDB_SNAP_MAGIC, &cur, &head);

	if (rc == 0)
		rc = snap_get_kvs(&cur, 0, &root);
	if (rc != 0)
		return rc;
	if (cur.pos != cur.end) {
		rdb_kvs_free(root);
		return -DER_PROTO;
	}
	*ret_root = root;
	return 0;
}
