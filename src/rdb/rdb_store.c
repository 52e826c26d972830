/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/**
 * The durable side of a replica: term, vote, log and snapshot, in a umem heap of its own (two blobs of
 * the system store: the heap's log and its checkpoint). Every change is one heap transaction, so it is
 * there as a whole after a crash, or not at all; appends are group-committed by the heap's log.
 *
 *     root ── first ─▶ entry ⇄ entry ⇄ entry ◀─ last       index of first = start_index
 *      ├──── snap ───▶ head ─▶ chunk ─▶ chunk ...          the snapshot in force
 *      └──── work ───▶ head ─▶ chunk ...                   one being written, or one being freed
 *
 * A snapshot may be larger than the heap's log takes in one transaction: its chunks are linked to `work`
 * in transactions of their own; then one transaction makes it `snap`, puts the old one to `work`, and
 * drops the entries it stands for. What a crash leaves at `work` is freed by the next open.
 *
 * Invariants:
 *  1. start_index + entry_nr - 1 is the index of `last`; entry_nr 0 if and only if first and last are null.
 *  2. Without a snapshot start_index is 1 and entry 1 is the configuration; with one,
 *     start_index <= snapshot's index + 1.
 *  3. A heap transaction is made under `lock`: committing may wait for log space, and others must not
 *     begin one then.
 */
#define D_LOGFAC LOG_FAC_RDB
#include <daos_errno.h>
#include "base/log.h"
#include "rdb/rdb_store.h"
#include "umem/umem.h"

#define STORE_MAGIC       0x424452736f616421ULL
#define STORE_VERSION     1u
#define STORE_CHUNK_BYTES (128u << 10)
#define STORE_META_MIN    (16u << 20)

struct store_root_df {
	uint64_t      magic;
	uint32_t      version, reserved;
	unsigned char uuid[16];
	uint64_t      term, vote;
	uint64_t      start_index, entry_nr;
	umem_off_t    first, last;
	umem_off_t    snap, work;
	uint64_t      log_bytes;
};
_Static_assert(sizeof(struct store_root_df) == 104, "durable layout");

struct store_entry_df {
	umem_off_t next, prev;
	uint64_t   term;
	uint32_t   len;
	uint16_t   type, reserved;
	char       data[];
};
_Static_assert(sizeof(struct store_entry_df) == 32, "durable layout");

struct store_snap_df {
	uint64_t   index, term, conf_index;
	uint64_t   bytes;
	umem_off_t first, last; /**< chunks */
	uint32_t   server_nr, reserved;
	uint64_t   server_ids[RDB_REPLICA_MAX];
	uint32_t   server_roles[RDB_REPLICA_MAX];
};
_Static_assert(sizeof(struct store_snap_df) == 56 + 12 * RDB_REPLICA_MAX, "durable layout");

struct store_chunk_df {
	umem_off_t next;
	uint64_t   len;
	char       data[];
};
_Static_assert(sizeof(struct store_chunk_df) == 16, "durable layout");

struct rdb_store {
	struct umem          *heap;
	struct store_root_df *root;
	struct bio_blob      *meta, *wal; /**< NULL: volatile */
	uint64_t              heap_bytes;
	struct ult_mutex      lock;
};

/* ---- blobs: made and destroyed on a helper thread ---- */

struct blob_work {
	struct bio_dev    *dev;
	struct bio_blob_id id;
	uint64_t           bytes;
};

static int
blob_create_blocking(void *arg)
{
	struct blob_work *w = arg;

	return bio_blob_create(w->dev, &w->id, w->bytes);
}

static int
blob_destroy_blocking(void *arg)
{
	struct blob_work *w = arg;

	return bio_blob_destroy(w->dev, &w->id);
}

static struct blob_work
blob_of(const struct vos_store *vs, const uuid_t uuid, uint32_t role, uint64_t bytes)
{
	struct blob_work w = {.dev = role == BIO_ROLE_WAL ? vs->wal : vs->meta, .bytes = bytes};

	uuid_copy(w.id.pool, uuid);
	w.id.tgt = BIO_TGT_SYS;
	w.id.role = role;
	return w;
}

static uint64_t
meta_bytes_of(uint64_t bytes)
{
	return align_up(MAX_OF(bytes, (uint64_t)STORE_META_MIN), BIO_CLUSTER_BYTES);
}

static uint64_t
wal_bytes_of(uint64_t meta_bytes)
{
	return align_up(MIN_OF(MAX_OF(meta_bytes / 2, 8u << 20), 64u << 20), BIO_CLUSTER_BYTES);
}

MAY_YIELD static int
blobs_create(const struct vos_store *vs, const uuid_t uuid, uint64_t meta_bytes)
{
	struct blob_work wal = blob_of(vs, uuid, BIO_ROLE_WAL, wal_bytes_of(meta_bytes));
	struct blob_work meta = blob_of(vs, uuid, BIO_ROLE_META, meta_bytes);
	int              rc = ult_offload(blob_create_blocking, &wal);

	if (rc != 0)
		return rc;
	rc = ult_offload(blob_create_blocking, &meta);
	if (rc != 0 && ult_offload(blob_destroy_blocking, &wal) != 0)
		D_ERROR("rdb " DF_UUID ": its log blob is left behind", DP_UUID(uuid));
	return rc;
}

MAY_YIELD int
rdb_store_destroy(const struct vos_store *vs, const uuid_t uuid)
{
	struct blob_work meta, wal;
	int              rc, wal_rc;

	if (vs->meta == NULL)
		return 0; /* volatile: gone when it was closed */
	meta = blob_of(vs, uuid, BIO_ROLE_META, 0);
	wal = blob_of(vs, uuid, BIO_ROLE_WAL, 0);
	/* The meta blob last: it is what rdb_store_list() goes by. */
	wal_rc = ult_offload(blob_destroy_blocking, &wal);
	if (wal_rc != 0 && wal_rc != -DER_NONEXIST)
		return wal_rc;
	rc = ult_offload(blob_destroy_blocking, &meta);
	return rc == -DER_NONEXIST && wal_rc == 0 ? 0 : rc;
}

struct list_ctx {
	struct bio_dev *dev;
	uuid_t         *uuids;
	uint32_t        nr, size;
};

static int
list_one(const struct bio_blob_id *id, uint64_t bytes, void *arg)
{
	struct list_ctx *ctx = arg;

	(void)bytes;
	if (id->tgt != BIO_TGT_SYS || id->role != BIO_ROLE_META)
		return 0;
	if (ctx->nr == ctx->size) {
		uint32_t size = ctx->size == 0 ? 16 : ctx->size * 2;
		uuid_t  *uuids = realloc(ctx->uuids, size * sizeof(uuid_t));

		if (uuids == NULL)
			return -DER_NOMEM;
		ctx->uuids = uuids;
		ctx->size = size;
	}
	uuid_copy(ctx->uuids[ctx->nr++], id->pool);
	return 0;
}

static int
list_blocking(void *arg)
{
	struct list_ctx *ctx = arg;

	return bio_blob_list(ctx->dev, list_one, ctx);
}

MAY_YIELD int
rdb_store_list(const struct vos_store *vs, int (*cb)(const uuid_t uuid, void *arg), void *arg)
{
	struct list_ctx ctx = {.dev = vs->meta};
	int             rc;

	if (vs->meta == NULL)
		return 0;
	rc = ult_offload(list_blocking, &ctx);
	for (uint32_t i = 0; i < ctx.nr && rc == 0; i++)
		rc = cb(ctx.uuids[i], arg);
	free(ctx.uuids);
	return rc;
}

/* ---- transactions ---- */

MAY_YIELD static void
tx_begin(struct rdb_store *store)
{
	ult_mutex_lock(&store->lock);
	umem_tx_begin(store->heap);
}

/** Commit when @rc is 0, else abort; durable once the sequence number is. */
MAY_YIELD static int
tx_end_async(struct rdb_store *store, int rc, uint64_t *ret_seq)
{
	if (rc == 0)
		rc = umem_tx_commit_async(store->heap, ret_seq);
	else
		umem_tx_abort(store->heap);
	ult_mutex_unlock(&store->lock);
	return rc;
}

MAY_YIELD static int
tx_end(struct rdb_store *store, int rc)
{
	uint64_t seq;

	rc = tx_end_async(store, rc, &seq);
	return rc != 0 ? rc : umem_wait_durable(store->heap, seq);
}

static int
add_root(struct rdb_store *store)
{
	return umem_tx_add(store->heap, store->root, sizeof(*store->root));
}

/* ---- life ---- */

MAY_YIELD static void
store_free(struct rdb_store *store)
{
	if (store->heap != NULL)
		umem_close(store->heap);
	if (store->meta != NULL)
		bio_blob_close(store->meta);
	if (store->wal != NULL)
		bio_blob_close(store->wal);
	free(store);
}

MAY_YIELD void
rdb_store_close(struct rdb_store *store)
{
	store_free(store);
}

static int
blobs_open(struct rdb_store *store, const struct vos_store *vs, const uuid_t uuid)
{
	struct blob_work meta = blob_of(vs, uuid, BIO_ROLE_META, 0);
	struct blob_work wal = blob_of(vs, uuid, BIO_ROLE_WAL, 0);
	int              rc = bio_blob_open(vs->ctx, vs->meta, &meta.id, &store->meta);

	return rc != 0 ? rc : bio_blob_open(vs->ctx, vs->wal, &wal.id, &store->wal);
}

MAY_YIELD static int
heap_open(struct rdb_store *store, const uuid_t uuid, bool format, uint64_t volatile_bytes)
{
	struct umem_attr attr = {.meta = store->meta, .wal = store->wal};
	struct umem_stat stat;
	int              rc = 0;

	attr.root_bytes = sizeof(struct store_root_df);
	attr.bytes = store->meta == NULL ? volatile_bytes : 0;
	if (format && store->meta != NULL)
		rc = umem_format(&attr, uuid);
	if (rc == 0)
		rc = umem_open(&attr, uuid, &store->heap);
	if (rc != 0)
		return rc;
	umem_stat(store->heap, &stat);
	store->heap_bytes = stat.heap_bytes;
	store->root = umem_ptr(store->heap, umem_root(store->heap));
	return 0;
}

MAY_YIELD static int
store_new(const struct vos_store *vs, const uuid_t uuid, bool format, uint64_t volatile_bytes,
	  struct rdb_store **ret_store)
{
	struct rdb_store *store = calloc(1, sizeof(*store));
	int               rc = 0;

	if (store == NULL)
		return -DER_NOMEM;
	ult_mutex_init(&store->lock);
	if (vs->meta != NULL)
		rc = blobs_open(store, vs, uuid);
	if (rc == 0)
		rc = heap_open(store, uuid, format, volatile_bytes);
	if (rc != 0) {
		store_free(store);
		return rc;
	}
	*ret_store = store;
	return 0;
}

static int entry_add(struct rdb_store *store, const struct raft_entry *ent);

MAY_YIELD static int
store_init(struct rdb_store *store, const uuid_t uuid, const void *conf, size_t conf_len)
{
	struct raft_entry ent = {.term = 1, .type = RAFT_CHANGE};
	int               rc;

	ent.buf.base = (void *)conf;
	ent.buf.len = conf_len;
	tx_begin(store);
	rc = add_root(store);
	if (rc == 0) {
		store->root->magic = STORE_MAGIC;
		store->root->version = STORE_VERSION;
		uuid_copy(store->root->uuid, uuid);
		store->root->term = 1;
		store->root->start_index = 1;
		rc = entry_add(store, &ent);
	}
	return tx_end(store, rc);
}

MAY_YIELD int
rdb_store_create(const struct vos_store *vs, const uuid_t uuid, uint64_t bytes, const void *conf,
		 size_t conf_len, struct rdb_store **ret_store)
{
	uint64_t          meta_bytes = meta_bytes_of(bytes);
	struct rdb_store *store = NULL;
	int               rc = 0;

	if (vs->meta != NULL)
		rc = blobs_create(vs, uuid, meta_bytes);
	if (rc != 0)
		return rc;
	rc = store_new(vs, uuid, true, umem_heap_bytes(meta_bytes), &store);
	if (rc == 0)
		rc = store_init(store, uuid, conf, conf_len);
	if (rc != 0) {
		if (store != NULL)
			rdb_store_close(store);
		if (rdb_store_destroy(vs, uuid) != 0)
			D_ERROR("rdb " DF_UUID ": blobs of a failed creation are left behind",
				DP_UUID(uuid));
		return rc;
	}
	*ret_store = store;
	return 0;
}

MAY_YIELD static int work_free(struct rdb_store *store);

static int
root_check(const struct rdb_store *store, const uuid_t uuid)
{
	const struct store_root_df *root = store->root;

	if (root->magic != STORE_MAGIC || uuid_compare(root->uuid, uuid) != 0) {
		D_ERROR("rdb " DF_UUID ": its store holds something else; restore this replica from a "
			"copy or remove it", DP_UUID(uuid));
		return -DER_DF_INVAL;
	}
	if (root->version != STORE_VERSION) {
		D_ERROR("rdb " DF_UUID ": its store has version %u, this program reads %u",
			DP_UUID(uuid), root->version, STORE_VERSION);
		return -DER_DF_INCOMPT;
	}
	return 0;
}

MAY_YIELD int
rdb_store_open(const struct vos_store *vs, const uuid_t uuid, struct rdb_store **ret_store)
{
	struct rdb_store *store;
	int               rc;

	if (vs->meta == NULL)
		return -DER_NONEXIST;
	rc = store_new(vs, uuid, false, 0, &store);
	if (rc != 0)
		return rc;
	rc = root_check(store, uuid);
	if (rc == 0)
		rc = work_free(store);
	if (rc != 0) {
		rdb_store_close(store);
		return rc;
	}
	*ret_store = store;
	return 0;
}

/* ---- term and vote ---- */

void
rdb_store_vote(struct rdb_store *store, uint64_t *ret_term, uint64_t *ret_vote)
{
	*ret_term = store->root->term;
	*ret_vote = store->root->vote;
}

MAY_YIELD int
rdb_store_set_vote(struct rdb_store *store, uint64_t term, uint64_t vote)
{
	int rc;

	tx_begin(store);
	rc = add_root(store);
	if (rc == 0) {
		store->root->term = term;
		store->root->vote = vote;
	}
	return tx_end(store, rc);
}

/* ---- the log ---- */

uint64_t
rdb_store_start_index(struct rdb_store *store)
{
	return store->root->start_index;
}

uint64_t
rdb_store_entry_nr(struct rdb_store *store)
{
	return store->root->entry_nr;
}

uint64_t
rdb_store_log_bytes(struct rdb_store *store)
{
	return store->root->log_bytes;
}

uint64_t
rdb_store_heap_bytes(struct rdb_store *store)
{
	return store->heap_bytes;
}

/** A structure of @bytes at @off, or NULL where the heap's content makes no sense. */
static void *
df_at(struct rdb_store *store, umem_off_t off, size_t bytes)
{
	if (!umem_off_valid(store->heap, off, bytes)) {
		D_ERROR("rdb " DF_UUID ": damaged: offset %#lx leads nowhere", DP_UUID(store->root->uuid),
			(unsigned long)off);
		return NULL;
	}
	return umem_ptr(store->heap, off);
}

static struct store_entry_df *
entry_at(struct rdb_store *store, umem_off_t off)
{
	struct store_entry_df *ent = df_at(store, off, sizeof(*ent));

	if (ent == NULL || df_at(store, off, sizeof(*ent) + ent->len) == NULL)
		return NULL;
	return ent;
}

int
rdb_store_entries(struct rdb_store *store, int (*cb)(const struct rdb_stored_entry *ent, void *arg),
		  void *arg)
{
	umem_off_t off = store->root->first;
	int        rc = 0;

	for (uint64_t i = 0; i < store->root->entry_nr && rc == 0; i++) {
		struct store_entry_df  *df = entry_at(store, off);
		struct rdb_stored_entry ent;

		if (df == NULL)
			return -DER_DF_INVAL;
		ent = (struct rdb_stored_entry){df->term, df->type, df->data, df->len};
		rc = cb(&ent, arg);
		off = df->next;
	}
	return rc;
}

/** In a transaction that has the root. */
static int
entry_add(struct rdb_store *store, const struct raft_entry *ent)
{
	struct store_root_df  *root = store->root;
	struct store_entry_df *df, *last;
	umem_off_t             off;
	int                    rc;

	if (ent->buf.len > UINT32_MAX)
		return -DER_REC2BIG;
	rc = umem_alloc(store->heap, sizeof(*df) + ent->buf.len, &off);
	if (rc == 0 && root->last != UMEM_NULL) {
		last = umem_ptr(store->heap, root->last);
		rc = umem_tx_add(store->heap, &last->next, sizeof(last->next));
		if (rc == 0)
			last->next = off;
	}
	if (rc != 0)
		return rc;
	df = umem_ptr(store->heap, off);
	*df = (struct store_entry_df){
	    .prev = root->last, .term = ent->term, .len = ent->buf.len, .type = ent->type};
	memcpy(df->data, ent->buf.base, ent->buf.len);
	if (root->first == UMEM_NULL)
		root->first = off;
	root->last = off;
	root->entry_nr++;
	root->log_bytes += sizeof(*df) + ent->buf.len;
	return 0;
}

MAY_YIELD int
rdb_store_append(struct rdb_store *store, const struct raft_entry *entries, unsigned nr,
		 uint64_t *ret_seq)
{
	int rc;

	tx_begin(store);
	rc = add_root(store);
	for (unsigned i = 0; i < nr && rc == 0; i++)
		rc = entry_add(store, &entries[i]);
	return tx_end_async(store, rc, ret_seq);
}

MAY_YIELD int
rdb_store_wait(struct rdb_store *store, uint64_t seq)
{
	return umem_wait_durable(store->heap, seq);
}

/** In a transaction that has the root: drop the newest entry. */
static int
entry_drop_last(struct rdb_store *store)
{
	struct store_root_df  *root = store->root;
	umem_off_t             off = root->last;
	struct store_entry_df *df = entry_at(store, off), *prev;
	int                    rc = 0;

	if (df == NULL)
		return -DER_DF_INVAL;
	root->last = df->prev;
	root->log_bytes -= sizeof(*df) + df->len;
	root->entry_nr--;
	if (root->last == UMEM_NULL) {
		root->first = UMEM_NULL;
	} else {
		prev = entry_at(store, root->last);
		rc = prev == NULL ? -DER_DF_INVAL
				  : umem_tx_add(store->heap, &prev->next, sizeof(prev->next));
		if (rc == 0)
			prev->next = UMEM_NULL;
	}
	return rc != 0 ? rc : umem_free(store->heap, off);
}

/** In a transaction that has the root: drop the oldest entry. */
static int
entry_drop_first(struct rdb_store *store)
{
	struct store_root_df  *root = store->root;
	umem_off_t             off = root->first;
	struct store_entry_df *df = entry_at(store, off), *next;
	int                    rc = 0;

	if (df == NULL)
		return -DER_DF_INVAL;
	root->first = df->next;
	root->log_bytes -= sizeof(*df) + df->len;
	root->entry_nr--;
	root->start_index++;
	if (root->first == UMEM_NULL) {
		root->last = UMEM_NULL;
	} else {
		next = entry_at(store, root->first);
		rc = next == NULL ? -DER_DF_INVAL
				  : umem_tx_add(store->heap, &next->prev, sizeof(next->prev));
		if (rc == 0)
			next->prev = UMEM_NULL;
	}
	return rc != 0 ? rc : umem_free(store->heap, off);
}

MAY_YIELD int
rdb_store_truncate(struct rdb_store *store, uint64_t index)
{
	int rc;

	tx_begin(store);
	rc = add_root(store);
	while (rc == 0 && store->root->entry_nr > 0 &&
	       store->root->start_index + store->root->entry_nr > index)
		rc = entry_drop_last(store);
	return tx_end(store, rc);
}

/* ---- the snapshot ---- */

static struct store_snap_df *
snap_at(struct rdb_store *store, umem_off_t off)
{
	return df_at(store, off, sizeof(struct store_snap_df));
}

/** Free what `work` names, a chunk a transaction: a large one must not fill the heap's log. */
MAY_YIELD static int
work_free(struct rdb_store *store)
{
	uint64_t seq;
	int      rc = 0;

	while (rc == 0 && store->root->work != UMEM_NULL) {
		struct store_snap_df  *snap = snap_at(store, store->root->work);
		struct store_chunk_df *chunk;

		if (snap == NULL)
			return -DER_DF_INVAL;
		tx_begin(store);
		if (snap->first == UMEM_NULL) {
			rc = add_root(store);
			if (rc == 0)
				rc = umem_free(store->heap, store->root->work);
			if (rc == 0)
				store->root->work = UMEM_NULL;
		} else {
			umem_off_t off = snap->first;

			chunk = df_at(store, off, sizeof(*chunk));
			rc = chunk == NULL ? -DER_DF_INVAL
					   : umem_tx_add(store->heap, snap, sizeof(*snap));
			if (rc == 0) {
				snap->first = chunk->next;
				rc = umem_free(store->heap, off);
			}
		}
		rc = tx_end_async(store, rc, &seq);
	}
	return rc;
}

MAY_YIELD static int
work_begin(struct rdb_store *store, const struct rdb_snap_meta *meta)
{
	struct store_snap_df *snap;
	umem_off_t            off;
	uint64_t              seq;
	int                   rc;

	D_ASSERT(store->root->work == UMEM_NULL && meta->server_nr <= RDB_REPLICA_MAX);
	tx_begin(store);
	rc = add_root(store);
	if (rc == 0)
		rc = umem_alloc(store->heap, sizeof(*snap), &off);
	if (rc == 0) {
		snap = umem_ptr(store->heap, off);
		snap->index = meta->index;
		snap->term = meta->term;
		snap->conf_index = meta->conf_index;
		snap->server_nr = meta->server_nr;
		memcpy(snap->server_ids, meta->server_ids, sizeof(snap->server_ids));
		memcpy(snap->server_roles, meta->server_roles, sizeof(snap->server_roles));
		store->root->work = off;
	}
	return tx_end_async(store, rc, &seq);
}

MAY_YIELD static int
work_add_chunk(struct rdb_store *store, const char *data, size_t len)
{
	struct store_snap_df  *snap = umem_ptr(store->heap, store->root->work);
	struct store_chunk_df *chunk, *last;
	umem_off_t             off;
	uint64_t               seq;
	int                    rc;

	tx_begin(store);
	rc = umem_tx_add(store->heap, snap, sizeof(*snap));
	if (rc == 0)
		rc = umem_alloc(store->heap, sizeof(*chunk) + len, &off);
	if (rc == 0 && snap->last != UMEM_NULL) {
		last = umem_ptr(store->heap, snap->last);
		rc = umem_tx_add(store->heap, last, sizeof(*last));
		if (rc == 0)
			last->next = off;
	}
	if (rc == 0) {
		chunk = umem_ptr(store->heap, off);
		chunk->len = len;
		memcpy(chunk->data, data, len);
		if (snap->first == UMEM_NULL)
			snap->first = off;
		snap->last = off;
		snap->bytes += len;
	}
	return tx_end_async(store, rc, &seq);
}

MAY_YIELD static int
work_write(struct rdb_store *store, const struct raft_buffer *bufs, unsigned buf_nr)
{
	int rc = 0;

	for (unsigned i = 0; i < buf_nr; i++) {
		for (size_t off = 0; off < bufs[i].len && rc == 0; off += STORE_CHUNK_BYTES) {
			size_t len = MIN_OF(bufs[i].len - off, (size_t)STORE_CHUNK_BYTES);

			rc = work_add_chunk(store, (const char *)bufs[i].base + off, len);
		}
	}
	return rc;
}

/** `work` becomes the snapshot in force, the old one becomes `work`. Durable on return. */
MAY_YIELD static int
work_publish(struct rdb_store *store, uint64_t index, uint64_t trailing)
{
	struct store_root_df *root = store->root;
	umem_off_t            old;
	int                   rc;

	tx_begin(store);
	rc = add_root(store);
	if (rc == 0) {
		old = root->snap;
		root->snap = root->work;
		root->work = old;
	}
	while (rc == 0 && root->entry_nr > 0 &&
	       (trailing == 0 || root->start_index + trailing <= index))
		rc = entry_drop_first(store);
	if (rc == 0 && root->entry_nr == 0)
		root->start_index = index + 1;
	return tx_end(store, rc);
}

MAY_YIELD int
rdb_store_snap_put(struct rdb_store *store, const struct rdb_snap_meta *meta,
		   const struct raft_buffer *bufs, unsigned buf_nr, uint64_t trailing)
{
	int rc = work_free(store);

	if (rc == 0)
		rc = work_begin(store, meta);
	if (rc == 0)
		rc = work_write(store, bufs, buf_nr);
	if (rc == 0)
		rc = work_publish(store, meta->index, trailing);
	if (rc == 0)
		return work_free(store);
	/* The old snapshot is in force still; give the space of the new one back. */
	if (work_free(store) != 0)
		D_ERROR("rdb " DF_UUID ": space of a failed snapshot stays taken until the next start",
			DP_UUID(store->root->uuid));
	return rc;
}

static void
snap_meta(const struct store_snap_df *snap, struct rdb_snap_meta *meta)
{
	meta->index = snap->index;
	meta->term = snap->term;
	meta->conf_index = snap->conf_index;
	meta->server_nr = MIN_OF(snap->server_nr, (uint32_t)RDB_REPLICA_MAX);
	memcpy(meta->server_ids, snap->server_ids, sizeof(meta->server_ids));
	memcpy(meta->server_roles, snap->server_roles, sizeof(meta->server_roles));
}

static int
snap_copy(struct rdb_store *store, const struct store_snap_df *snap, char *data)
{
	umem_off_t off = snap->first;
	uint64_t   pos = 0;

	while (off != UMEM_NULL) {
		struct store_chunk_df *chunk = df_at(store, off, sizeof(*chunk));

		if (chunk == NULL || df_at(store, off, sizeof(*chunk) + chunk->len) == NULL ||
		    chunk->len == 0 || chunk->len > snap->bytes - pos)
			return -DER_DF_INVAL;
		memcpy(data + pos, chunk->data, chunk->len);
		pos += chunk->len;
		off = chunk->next;
	}
	return pos == snap->bytes ? 0 : -DER_DF_INVAL;
}

int
rdb_store_snap_get(struct rdb_store *store, struct rdb_snap_meta *meta, void **ret_data, size_t *ret_len)
{
	struct store_snap_df *snap;
	char                 *data;
	int                   rc;

	if (store->root->snap == UMEM_NULL)
		return -DER_NONEXIST;
	snap = snap_at(store, store->root->snap);
	if (snap == NULL || snap->bytes > store->heap_bytes)
		return -DER_DF_INVAL;
	data = raft_malloc(MAX_OF(snap->bytes, (uint64_t)1));
	if (data == NULL)
		return -DER_NOMEM;
	rc = snap_copy(store, snap, data);
	if (rc != 0) {
		raft_free(data);
		return rc;
	}
	snap_meta(snap, meta);
	*ret_data = data;
	*ret_len = snap->bytes;
	return 0;
}
