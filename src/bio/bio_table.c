/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/**
 * The blob table: which clusters belong to which blob. A change makes a new table in memory, writes
 * it over the copy that is not the present one, flushes, then over the other one, flushes. So between
 * changes both copies are the same, and one damaged copy loses nothing; a crash in between leaves one
 * whole copy, old or new, and the change had not been acknowledged.
 *
 * Invariants:
 *  1. Entries are dense; no two have the same (pool, tgt, role).
 *  2. No cluster is in two extents; none lies below BIO_FIRST_CLUSTER or beyond the device.
 */
#define D_LOGFAC LOG_FAC_BIO

#include <string.h>
#include "base/crc32c.h"
#include "base/log.h"
#include "bio/bio_int.h"

static uint32_t
table_crc(struct bio_table_df *t)
{
	uint32_t saved = t->crc, crc;

	t->crc = 0;
	crc    = d_crc32c(0, t, BIO_BLOCK_BYTES + t->entry_nr * sizeof(t->entries[0]));
	t->crc = saved;
	return crc;
}

static size_t
table_bytes(const struct bio_table_df *t)
{
	return align_up(BIO_BLOCK_BYTES + t->entry_nr * sizeof(t->entries[0]), BIO_BLOCK_BYTES);
}

static uint64_t
entry_clusters(const struct bio_entry_df *e)
{
	uint64_t nr = 0;

	for (uint32_t i = 0; i < e->extent_nr; i++)
		nr += e->extents[i].cluster_nr;
	return nr;
}

/** Mark the clusters in use; false when an entry breaks invariant 2. */
static bool
table_mark(const struct bio_dev *dev, const struct bio_table_df *t, uint8_t *used)
{
	for (uint32_t i = 0; i < t->entry_nr; i++) {
		const struct bio_entry_df *e = &t->entries[i];

		if (e->extent_nr == 0 || e->extent_nr > BIO_EXTENT_NR)
			return false;
		for (uint32_t j = 0; j < e->extent_nr; j++) {
			const struct bio_extent_df *x = &e->extents[j];

			if (x->cluster < BIO_FIRST_CLUSTER || x->cluster >= dev->cluster_nr ||
			    x->cluster_nr == 0 || x->cluster_nr > dev->cluster_nr - x->cluster)
				return false;
			for (uint32_t k = 0; k < x->cluster_nr; k++) {
				if (used[x->cluster + k]++ != 0)
					return false;
			}
		}
	}
	return true;
}

static int
table_check(const struct bio_dev *dev, struct bio_table_df *t, bool *ret_good)
{
	uint8_t *used;

	if (t->magic != BIO_TABLE_MAGIC || t->version != BIO_VERSION ||
	    t->entry_nr > BIO_ENTRY_MAX || t->crc != table_crc(t) ||
	    memcmp(t->dev_uuid, dev->uuid, sizeof(t->dev_uuid)) != 0) {
		*ret_good = false;
		return 0;
	}
	used = calloc(1, dev->cluster_nr);
	if (used == NULL)
		return -DER_NOMEM;
	*ret_good = table_mark(dev, t, used);
	free(used);
	return 0;
}

int
bio_table_read(struct bio_dev *dev)
{
	struct bio_table_df *other = aligned_alloc(BIO_BLOCK_BYTES, sizeof(*other));
	bool                 good[2] = {false, false};
	int                  rc      = other == NULL ? -DER_NOMEM : 0;

	if (rc == 0)
		rc = bio_dev_pread(dev, BIO_TABLE_OFF(0), dev->table, sizeof(*dev->table));
	if (rc == 0)
		rc = bio_dev_pread(dev, BIO_TABLE_OFF(1), other, sizeof(*other));
	if (rc == 0)
		rc = table_check(dev, dev->table, &good[0]);
	if (rc == 0)
		rc = table_check(dev, other, &good[1]);
	if (rc != 0) {
		free(other);
		return rc;
	}
	if (!good[0] && !good[1]) {
		D_ERROR("%s: both copies of the blob table are damaged; nothing was changed. Restore "
			"the device, or format it anew and rebuild its contents from replicas\n",
			dev->name);
		free(other);
		return -DER_DF_INVAL;
	}
	if (!good[0] || !good[1])
		D_WARN("%s: copy %d of the blob table is damaged; using the other one. The device "
		       "may be failing\n", dev->name, good[0] ? 1 : 0);
	dev->table_copy = !good[0] || (good[1] && other->seq > dev->table->seq);
	if (dev->table_copy == 1)
		memcpy(dev->table, other, sizeof(*other));
	free(other);
	return 0;
}

/** Both copies, the one that is not the present table first. */
static int
table_write(struct bio_dev *dev, struct bio_table_df *t)
{
	uint32_t copy = !dev->table_copy;
	int      rc   = 0;

	t->seq++;
	t->crc = table_crc(t);
	for (int i = 0; rc == 0 && i < 2; i++) {
		rc = bio_dev_pwrite(dev, BIO_TABLE_OFF(copy), t, table_bytes(t));
		if (rc == 0)
			rc = bio_dev_sync(dev);
		copy = !copy;
	}
	return rc;
}

int
bio_table_format(struct bio_dev *dev)
{
	dev->table->magic    = BIO_TABLE_MAGIC;
	dev->table->version  = BIO_VERSION;
	dev->table->entry_nr = 0;
	dev->table->seq      = 0;
	memcpy(dev->table->dev_uuid, dev->uuid, sizeof(dev->uuid));
	return table_write(dev, dev->table);
}

/** Is the copy on the medium what it should be? */
static int
table_copy_same(struct bio_dev *dev, uint32_t copy, bool *ret_same)
{
	struct bio_table_df *t  = aligned_alloc(BIO_BLOCK_BYTES, sizeof(*t));
	int                  rc = t == NULL ? -DER_NOMEM : 0;

	if (rc == 0)
		rc = bio_dev_pread(dev, BIO_TABLE_OFF(copy), t, sizeof(*t));
	if (rc == 0)
		*ret_same = memcmp(t, dev->table, BIO_BLOCK_BYTES + dev->table->entry_nr * sizeof(t->entries[0])) == 0;
	free(t);
	return rc;
}

/** The present copy is read again and not written, so that a crash in between loses nothing. */
static int
table_heal_locked(struct bio_dev *dev, unsigned *nr)
{
	bool same[2] = {true, true};
	int  rc      = 0;

	for (uint32_t copy = 0; rc == 0 && copy < 2; copy++)
		rc = table_copy_same(dev, copy, &same[copy]);
	for (uint32_t copy = 0; rc == 0 && copy < 2; copy++) {
		if (same[copy])
			continue;
		rc = bio_dev_pwrite(dev, BIO_TABLE_OFF(copy), dev->table, table_bytes(dev->table));
		if (rc == 0)
			rc = bio_dev_sync(dev);
		*nr += rc == 0;
	}
	return rc;
}

int
bio_table_heal(struct bio_dev *dev, unsigned *nr)
{
	int rc;

	pthread_mutex_lock(&dev->change_lock);
	rc = table_heal_locked(dev, nr);
	pthread_mutex_unlock(&dev->change_lock);
	return rc;
}

int
bio_table_find(const struct bio_table_df *table, const struct bio_blob_id *id)
{
	for (uint32_t i = 0; i < table->entry_nr; i++) {
		const struct bio_entry_df *e = &table->entries[i];

		if (e->tgt == id->tgt && e->role == id->role &&
		    memcmp(e->pool, id->pool, sizeof(e->pool)) == 0)
			return i;
	}
	return -1;
}

/** First fit, in at most BIO_EXTENT_NR pieces: the longest free ones when many are needed. */
static int
entry_allocate(const struct bio_dev *dev, const struct bio_table_df *t, uint32_t want,
	       struct bio_entry_df *e)
{
	uint8_t *used = calloc(1, dev->cluster_nr);
	uint32_t at, len, best_at, best_len;

	if (used == NULL)
		return -DER_NOMEM;
	(void)table_mark(dev, t, used);
	while (want > 0 && e->extent_nr < BIO_EXTENT_NR) {
		best_at = best_len = 0;
		for (at = BIO_FIRST_CLUSTER; at < dev->cluster_nr && best_len < want; at += len) {
			for (len = 0; at + len < dev->cluster_nr && !used[at + len] && len < want;)
				len++;
			if (len > best_len) {
				best_at  = at;
				best_len = len;
			}
			len += len == 0;
		}
		if (best_len == 0)
			break;
		memset(used + best_at, 1, best_len);
		e->extents[e->extent_nr++] = (struct bio_extent_df){best_at, best_len};
		want -= best_len;
	}
	free(used);
	return want == 0 ? 0 : -DER_NOSPACE;
}

/** Write @t and make it the present table. change_lock is held. */
static int
table_replace(struct bio_dev *dev, struct bio_table_df *t)
{
	struct bio_table_df *old = dev->table;
	int                  rc  = table_write(dev, t);

	if (rc != 0)
		return rc;
	pthread_mutex_lock(&dev->table_lock);
	dev->table = t;
	pthread_mutex_unlock(&dev->table_lock);
	free(old);
	return 0;
}

static struct bio_table_df *
table_copy(const struct bio_dev *dev)
{
	struct bio_table_df *t = aligned_alloc(BIO_BLOCK_BYTES, sizeof(*t));

	if (t != NULL)
		memcpy(t, dev->table, sizeof(*t));
	return t;
}

static int
create_locked(struct bio_dev *dev, const struct bio_blob_id *id, uint64_t bytes)
{
	struct bio_table_df *t;
	struct bio_entry_df *e;
	uint64_t             want = (bytes + BIO_CLUSTER_BYTES - 1) / BIO_CLUSTER_BYTES;
	int                  rc;

	if (bio_table_find(dev->table, id) >= 0)
		return -DER_EXIST;
	if (want > dev->cluster_nr || dev->table->entry_nr == BIO_ENTRY_MAX)
		return -DER_NOSPACE;
	t = table_copy(dev);
	if (t == NULL)
		return -DER_NOMEM;
	e       = &t->entries[t->entry_nr];
	memset(e, 0, sizeof(*e));
	e->tgt  = id->tgt;
	e->role = id->role;
	memcpy(e->pool, id->pool, sizeof(e->pool));
	rc = entry_allocate(dev, t, want, e);
	t->entry_nr++;
	if (rc == 0)
		rc = table_replace(dev, t);
	if (rc != 0)
		free(t);
	return rc;
}

int
bio_blob_create(struct bio_dev *dev, const struct bio_blob_id *id, uint64_t bytes)
{
	int rc;

	if (bytes == 0)
		return -DER_INVAL;
	pthread_mutex_lock(&dev->change_lock);
	rc = create_locked(dev, id, bytes);
	pthread_mutex_unlock(&dev->change_lock);
	return rc;
}

static int
destroy_locked(struct bio_dev *dev, const struct bio_blob_id *id)
{
	struct bio_table_df *t;
	int                  at = bio_table_find(dev->table, id);
	int                  rc;

	if (at < 0)
		return -DER_NONEXIST;
	t = table_copy(dev);
	if (t == NULL)
		return -DER_NOMEM;
	t->entry_nr--;
	t->entries[at] = t->entries[t->entry_nr];
	memset(&t->entries[t->entry_nr], 0, sizeof(t->entries[0]));
	rc = table_replace(dev, t);
	if (rc != 0)
		free(t);
	return rc;
}

int
bio_blob_destroy(struct bio_dev *dev, const struct bio_blob_id *id)
{
	int rc;

	pthread_mutex_lock(&dev->change_lock);
	rc = destroy_locked(dev, id);
	pthread_mutex_unlock(&dev->change_lock);
	return rc;
}

int
bio_blob_list(struct bio_dev *dev, int (*cb)(const struct bio_blob_id *id, uint64_t bytes, void *arg),
	      void *arg)
{
	int rc = 0;

	/* The table is only replaced under change_lock, so it can be read without the other one. */
	pthread_mutex_lock(&dev->change_lock);
	for (uint32_t i = 0; rc == 0 && i < dev->table->entry_nr; i++) {
		const struct bio_entry_df *e  = &dev->table->entries[i];
		struct bio_blob_id         id = {.tgt = e->tgt, .role = e->role};

		memcpy(id.pool, e->pool, sizeof(id.pool));
		rc = cb(&id, entry_clusters(e) * BIO_CLUSTER_BYTES, arg);
	}
	pthread_mutex_unlock(&dev->change_lock);
	return rc;
}

void
bio_dev_space(struct bio_dev *dev, struct bio_dev_space *space)
{
	uint64_t used = 0;

	pthread_mutex_lock(&dev->table_lock);
	for (uint32_t i = 0; i < dev->table->entry_nr; i++)
		used += entry_clusters(&dev->table->entries[i]);
	pthread_mutex_unlock(&dev->table_lock);
	space->total_bytes = (uint64_t)(dev->cluster_nr - BIO_FIRST_CLUSTER) * BIO_CLUSTER_BYTES;
	space->free_bytes  = space->total_bytes - used * BIO_CLUSTER_BYTES;
}
