/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/**
 * Pools: making, opening and closing the heap, the data blob and the allocator over it.
 *
 * A volatile pool (no log, no meta device) lives in the store's list from create to destroy;
 * closing it keeps its heap.
 */
#define D_LOGFAC LOG_FAC_VOS

#include <stdlib.h>
#include <string.h>
#include "base/crc32c.h"
#include "base/log.h"
#include "vos/vos_internal.h"
#include "vos/vos_ts.h"

#define WAL_BYTES_MIN (16ull << 20)
#define WAL_BYTES_MAX (1ull << 30)

/** A volatile pool, between create and destroy. */
struct vos_ram_pool {
	uuid_t	     uuid;
	struct umem *umem;
	bool	     opened;
	d_list_t     link;
};

static bool
store_is_volatile(const struct vos_store *store)
{
	return store->wal == NULL && store->meta == NULL;
}

static struct vos_ram_pool *
ram_pool_find(struct vos_store *store, const uuid_t uuid)
{
	struct vos_ram_pool *rp;

	if (store->ram_pools.next == NULL)
		d_list_init(&store->ram_pools);
	d_list_for_each (rp, &store->ram_pools, link)
		if (uuid_compare(rp->uuid, uuid) == 0)
			return rp;
	return NULL;
}

/* ---- blobs ---- */

struct blob_job {
	struct bio_dev	  *dev;
	struct bio_blob_id id;
	uint64_t	   bytes;
};

static int
blob_create_job(void *arg)
{
	struct blob_job *job = arg;

	return bio_blob_create(job->dev, &job->id, job->bytes);
}

static int
blob_destroy_job(void *arg)
{
	struct blob_job *job = arg;

	return bio_blob_destroy(job->dev, &job->id);
}

static struct bio_blob_id
blob_id(const struct vos_store *store, const uuid_t uuid, uint32_t role)
{
	struct bio_blob_id id = {.tgt = store->tgt, .role = role};

	memcpy(id.pool, uuid, sizeof(id.pool));
	return id;
}

MAY_YIELD static int
blob_create(struct vos_store *store, struct bio_dev *dev, const uuid_t uuid, uint32_t role,
	    uint64_t bytes)
{
	struct blob_job job = {dev, blob_id(store, uuid, role), bytes};

	return ult_offload(blob_create_job, &job);
}

/** Absent blobs are fine: destroying goes on where it was interrupted. */
MAY_YIELD static int
blob_destroy(struct vos_store *store, struct bio_dev *dev, const uuid_t uuid, uint32_t role,
	     bool *found)
{
	struct blob_job job = {dev, blob_id(store, uuid, role), 0};
	int		rc;

	if (dev == NULL)
		return 0;
	rc = ult_offload(blob_destroy_job, &job);
	if (rc == 0)
		*found = true;
	return rc == -DER_NONEXIST ? 0 : rc;
}

/** All blobs of a pool. NONEXIST: there was none. */
MAY_YIELD static int
blobs_destroy(struct vos_store *store, const uuid_t uuid)
{
	bool found = false;
	int  rc_meta = blob_destroy(store, store->meta, uuid, BIO_ROLE_META, &found);
	int  rc_wal = blob_destroy(store, store->wal, uuid, BIO_ROLE_WAL, &found);
	int  rc_data = blob_destroy(store, store->data, uuid, BIO_ROLE_DATA, &found);

	if (rc_meta != 0)
		return rc_meta;
	if (rc_wal != 0)
		return rc_wal;
	if (rc_data != 0)
		return rc_data;
	return found ? 0 : -DER_NONEXIST;
}

static uint64_t
wal_bytes_of(const struct vos_pool_size *size)
{
	uint64_t bytes = size->wal_bytes;

	if (bytes == 0)
		bytes = MIN_OF(MAX_OF(size->meta_bytes / 2, WAL_BYTES_MIN), WAL_BYTES_MAX);
	return align_up(bytes, BIO_CLUSTER_BYTES);
}

MAY_YIELD static int
blobs_create(struct vos_store *store, const uuid_t uuid, const struct vos_pool_size *size)
{
	uint64_t meta = align_up(size->meta_bytes, BIO_CLUSTER_BYTES);
	int	 rc = 0;

	if (!store_is_volatile(store)) {
		rc = blob_create(store, store->meta, uuid, BIO_ROLE_META, meta);
		if (rc == -DER_EXIST)
			return rc;
		if (rc == 0)
			rc = blob_create(store, store->wal, uuid, BIO_ROLE_WAL, wal_bytes_of(size));
	}
	if (rc == 0 && store->data != NULL && size->data_bytes > 0)
		rc = blob_create(store, store->data, uuid, BIO_ROLE_DATA,
				 align_up(size->data_bytes, BIO_CLUSTER_BYTES));
	if (rc != 0) {
		int rc2 = blobs_destroy(store, uuid);

		if (rc2 != 0 && rc2 != -DER_NONEXIST)
			D_WARN("pool " DF_UUID ": space of the failed creation stays taken, " DF_RC
			       "; destroy the pool again\n",
			       DP_UUID(uuid), DP_RC(rc2));
	}
	return rc;
}

/* ---- opening and closing ---- */

static void
pool_blobs_close(struct vos_pool *pool)
{
	bio_blob_close(pool->data);
	bio_blob_close(pool->wal);
	bio_blob_close(pool->meta);
	pool->data = pool->wal = pool->meta = NULL;
}

static int
pool_blob_open(struct vos_pool *pool, struct bio_dev *dev, uint32_t role,
	       struct bio_blob **ret_blob)
{
	struct bio_blob_id id = blob_id(pool->store, pool->uuid, role);

	return bio_blob_open(pool->store->ctx, dev, &id, ret_blob);
}

/** A DRAM record with what devices hold of the pool opened, the heap not yet. */
static int
pool_new(struct vos_store *store, const uuid_t uuid, struct vos_pool **ret_pool)
{
	struct vos_pool *pool = calloc(1, sizeof(*pool));
	int		 rc = 0;

	if (pool == NULL)
		return -DER_NOMEM;
	pool->store = store;
	uuid_copy(pool->uuid, uuid);
	d_list_init(&pool->conts);
	d_list_init(&pool->readers);
	ult_mutex_init(&pool->lock);
	ult_cond_init(&pool->reader_gone);
	pool->reserve_pct = VOS_RESERVE_PCT_DEFAULT;
	pool->data_thresh = VOS_DATA_THRESH_DEFAULT;
	if (!store_is_volatile(store)) {
		rc = pool_blob_open(pool, store->meta, BIO_ROLE_META, &pool->meta);
		if (rc == 0)
			rc = pool_blob_open(pool, store->wal, BIO_ROLE_WAL, &pool->wal);
	}
	if (rc == 0 && store->data != NULL) {
		rc = pool_blob_open(pool, store->data, BIO_ROLE_DATA, &pool->data);
		if (rc == -DER_NONEXIST)
			rc = 0; /* a pool without data blob; the root says so too */
	}
	if (rc != 0) {
		pool_blobs_close(pool);
		free(pool);
		return rc;
	}
	*ret_pool = pool;
	return 0;
}

static struct umem_attr
pool_attr(const struct vos_pool *pool)
{
	return (struct umem_attr){
	    .meta = pool->meta, .wal = pool->wal, .data = pool->data, .root_bytes = sizeof(struct vos_pool_df),
	    .replay_ms = pool->store->replay_ms};
}

MAY_YIELD static int
pool_umem_open(struct vos_pool *pool)
{
	struct umem_attr attr;

	if (pool->meta == NULL) {
		struct vos_ram_pool *rp = ram_pool_find(pool->store, pool->uuid);

		if (rp == NULL)
			return -DER_NONEXIST;
		if (rp->opened)
			return -DER_BUSY;
		rp->opened = true;
		pool->umem = rp->umem;
		return 0;
	}
	attr = pool_attr(pool);
	return umem_open(&attr, pool->uuid, &pool->umem);
}

MAY_YIELD static void
pool_umem_close(struct vos_pool *pool)
{
	struct vos_ram_pool *rp;

	if (pool->umem == NULL)
		return;
	if (pool->meta == NULL) {
		rp = ram_pool_find(pool->store, pool->uuid);
		D_ASSERT(rp != NULL && rp->opened);
		rp->opened = false;
	} else {
		umem_close(pool->umem);
	}
	pool->umem = NULL;
}

static uint32_t
root_crc(const struct vos_pool_df *df)
{
	return d_crc32c(0, df->uuid,
			offsetof(struct vos_pool_df, conts) - offsetof(struct vos_pool_df, uuid));
}

/** Heap bytes are the medium's: everything checked before it is used. */
static int
root_check(struct vos_pool *pool)
{
	const struct vos_pool_df *df = pool->df;
	uint64_t blk_nr = pool->data == NULL ? 0 : bio_blob_bytes(pool->data) / BIO_BLOCK_BYTES;

	if (df->magic != VOS_POOL_MAGIC || df->crc != root_crc(df) ||
	    uuid_compare(df->uuid, pool->uuid) != 0) {
		D_ERROR("pool " DF_UUID
			": its root is damaged or was never completed; destroy the pool "
			"or restore its devices\n",
			DP_UUID(pool->uuid));
		return -DER_DF_INVAL;
	}
	if (df->version != VOS_POOL_VERSION || df->blk_bytes != BIO_BLOCK_BYTES) {
		D_ERROR("pool " DF_UUID
			": format version %u, this program knows %u; use a matching "
			"release\n",
			DP_UUID(pool->uuid), df->version, VOS_POOL_VERSION);
		return -DER_DF_INCOMPT;
	}
	if (df->data_blk_nr != blk_nr ||
	    (blk_nr > 0 && !umem_off_valid(pool->umem, df->bitmap, vea_bitmap_bytes(blk_nr))) ||
	    (df->csums != UMEM_NULL &&
	     !umem_off_valid(pool->umem, df->csums, vos_csum_bytes(blk_nr)))) {
		D_ERROR("pool " DF_UUID
			": %lu blocks in the root, %lu in the data blob; the devices do not "
			"belong together\n",
			DP_UUID(pool->uuid), (unsigned long)df->data_blk_nr, (unsigned long)blk_nr);
		return -DER_DF_INVAL;
	}
	return 0;
}

static int
bitmap_dirty(void *arg, void *ptr, size_t bytes)
{
	struct vos_pool *pool = arg;

	return umem_tx_add(pool->umem, ptr, bytes);
}

static int
pool_load(struct vos_pool *pool)
{
	int rc;

	pool->df = umem_ptr(pool->umem, umem_root(pool->umem));
	pool->space.umem = pool->umem;
	pool->gen_seq = umem_last_seq(pool->umem);
	pool->prepare.stop = pool->data == NULL || !bio_blob_is_file(pool->data);
	rc = root_check(pool);
	if (rc != 0 || pool->data == NULL)
		return rc;
	return vea_load(umem_ptr(pool->umem, pool->df->bitmap), pool->df->data_blk_nr, bitmap_dirty,
			pool, &pool->space.vea);
}

MAY_YIELD static void
pool_free(struct vos_pool *pool)
{
	pool->prepare.stop = true;
	(void)vos_prepare_wait(pool);
	vea_unload(pool->space.vea);
	vos_ts_destroy(pool->ts);
	pool_umem_close(pool);
	pool_blobs_close(pool);
	free(pool);
}

MAY_YIELD int
vos_pool_open(struct vos_store *store, const uuid_t uuid, struct vos_pool **ret_pool)
{
	struct vos_pool *pool;
	int		 rc;

	rc = pool_new(store, uuid, &pool);
	if (rc != 0)
		return rc;
	rc = pool_umem_open(pool);
	if (rc == 0)
		rc = pool_load(pool);
	if (rc != 0) {
		pool_free(pool);
		return rc;
	}
	*ret_pool = pool;
	return 0;
}

MAY_YIELD void
vos_pool_close(struct vos_pool *pool)
{
	if (pool == NULL)
		return;
	D_ASSERT(d_list_empty(&pool->conts));
	D_ASSERT(d_list_empty(&pool->readers));
	pool_free(pool);
}

/* ---- creating and destroying ---- */

/** What the heap keeps for each block of the data blob. */
static int
blocks_fill(struct vos_pool *pool, bool csums)
{
	struct vos_pool_df *df = pool->df;
	int		    rc;

	rc = umem_alloc(pool->umem, vea_bitmap_bytes(df->data_blk_nr), &df->bitmap);
	if (rc != 0 || !csums)
		return rc;
	/* Those of blocks that are not in use may be anything. */
	return umem_alloc_flags(pool->umem, vos_csum_bytes(df->data_blk_nr), UMEM_NO_LOG_BODY,
				&df->csums);
}

static int
root_fill(struct vos_pool *pool, bool csums)
{
	struct vos_pool_df *df = pool->df;
	int		    rc;

	rc = umem_tx_add(pool->umem, df, sizeof(*df));
	if (rc != 0)
		return rc;
	df->data_blk_nr = pool->data == NULL ? 0 : bio_blob_bytes(pool->data) / BIO_BLOCK_BYTES;
	if (df->data_blk_nr > 0) {
		rc = blocks_fill(pool, csums);
		if (rc != 0)
			return rc;
	}
	df->magic = VOS_POOL_MAGIC;
	df->version = VOS_POOL_VERSION;
	df->blk_bytes = BIO_BLOCK_BYTES;
	uuid_copy(df->uuid, pool->uuid);
	df->crc = root_crc(df);
	return 0;
}

MAY_YIELD static int
root_init(struct vos_pool *pool, bool csums)
{
	pool->df = umem_ptr(pool->umem, umem_root(pool->umem));
	pool->space.umem = pool->umem;
	vos_tx_begin(pool);
	return vos_tx_end(pool, NULL, root_fill(pool, csums));
}

MAY_YIELD static int
pool_format(struct vos_store *store, const uuid_t uuid, bool csums)
{
	struct vos_pool *pool;
	struct umem_attr attr;
	int		 rc;

	rc = pool_new(store, uuid, &pool);
	if (rc != 0)
		return rc;
	if (pool->meta != NULL) {
		attr = pool_attr(pool);
		rc = umem_format(&attr, uuid);
	}
	if (rc == 0)
		rc = pool_umem_open(pool);
	if (rc == 0)
		rc = root_init(pool, csums);
	pool_free(pool);
	return rc;
}

MAY_YIELD static int
ram_pool_create(struct vos_store *store, const uuid_t uuid, const struct vos_pool_size *size)
{
	struct umem_attr     attr = {.bytes = size->meta_bytes,
				     .root_bytes = sizeof(struct vos_pool_df)};
	struct vos_ram_pool *rp;
	int		     rc;

	if (ram_pool_find(store, uuid) != NULL)
		return -DER_EXIST;
	rp = calloc(1, sizeof(*rp));
	if (rp == NULL)
		return -DER_NOMEM;
	uuid_copy(rp->uuid, uuid);
	rc = umem_open(&attr, uuid, &rp->umem);
	if (rc != 0) {
		free(rp);
		return rc;
	}
	d_list_add_tail(&rp->link, &store->ram_pools);
	return 0;
}

MAY_YIELD static void
ram_pool_free(struct vos_ram_pool *rp)
{
	d_list_del(&rp->link);
	umem_close(rp->umem);
	free(rp);
}

MAY_YIELD int
vos_pool_create(struct vos_store *store, const uuid_t uuid, const struct vos_pool_size *size)
{
	int rc;
	int rc2;

	if ((store->wal == NULL) != (store->meta == NULL) || size->meta_bytes == 0)
		return -DER_INVAL;
	if (store_is_volatile(store)) {
		rc = ram_pool_create(store, uuid, size);
		if (rc != 0)
			return rc;
	}
	rc = blobs_create(store, uuid, size);
	if (rc == -DER_EXIST && !store_is_volatile(store))
		return rc;
	if (rc == 0)
		rc = pool_format(store, uuid, size->csums);
	if (rc != 0) {
		rc2 = vos_pool_destroy(store, uuid);
		if (rc2 != 0 && rc2 != -DER_NONEXIST)
			D_WARN("pool " DF_UUID
			       ": could not be removed after its creation failed, " DF_RC "\n",
			       DP_UUID(uuid), DP_RC(rc2));
	}
	return rc;
}

MAY_YIELD int
vos_pool_destroy(struct vos_store *store, const uuid_t uuid)
{
	struct vos_ram_pool *rp = NULL;
	int		     rc;

	if (store_is_volatile(store)) {
		rp = ram_pool_find(store, uuid);
		if (rp != NULL && rp->opened)
			return -DER_BUSY;
	}
	rc = blobs_destroy(store, uuid);
	if (rp == NULL || (rc != 0 && rc != -DER_NONEXIST))
		return rc;
	ram_pool_free(rp);
	return 0;
}

MAY_YIELD void
vos_store_fini(struct vos_store *store)
{
	struct vos_ram_pool *rp;

	if (store->ram_pools.next == NULL)
		return;
	while ((rp = d_list_first(&store->ram_pools, struct vos_ram_pool, link)) != NULL)
		ram_pool_free(rp);
}

/* ---- settings and figures ---- */

void
vos_pool_query(struct vos_pool *pool, struct vos_pool_info *info)
{
	struct umem_stat heap;
	struct vea_stat	 vea = {0};

	umem_stat(pool->umem, &heap);
	if (pool->space.vea != NULL)
		vea_stat(pool->space.vea, &vea);
	*info = (struct vos_pool_info){
	    .scm_total = heap.heap_bytes,
	    .scm_free = heap.free_bytes,
	    .nvme_total = vea.blk_nr * BIO_BLOCK_BYTES,
	    .nvme_free = (vea.free_blk_nr + vea.freed_blk_nr + pool->prepare.blk_nr) * BIO_BLOCK_BYTES,
	    .cont_nr = pool->df->conts.nr,
	    .obj_nr = pool->df->obj_nr,
	    .csum_err_nr = pool->csum_err_nr,
	};
}

void
vos_pool_stats(struct vos_pool *pool, struct vos_pool_stats *stats)
{
	struct umem_stat heap;

	umem_stat(pool->umem, &heap);
	*stats = (struct vos_pool_stats){
	    .tx_nr = heap.tx_nr,
	    .log_write_nr = heap.log_write_nr,
	    .log_written_bytes = heap.log_written_bytes,
	    .log_used_bytes = heap.log_used_bytes,
	    .log_bytes = heap.log_bytes,
	    .checkpoint_nr = heap.checkpoint_nr,
	    .replayed_tx_nr = heap.replayed_tx_nr,
	};
}

void
vos_pool_set_lazy(struct vos_pool *pool, bool lazy)
{
	pool->lazy = lazy;
}

void
vos_pool_set_reserve(struct vos_pool *pool, uint32_t percent)
{
	pool->reserve_pct = MIN_OF(percent, 100);
}

void
vos_pool_set_data_thresh(struct vos_pool *pool, uint32_t bytes)
{
	pool->data_thresh = bytes;
}
