/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/** Commands that change what devices hold outside of an open pool: only with -w. */
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <daos_errno.h>
#include "tools/ddb.h"

#define COPY_BYTES (1u << 20)

/* ---- blobs of a device ---- */

struct blob {
	struct bio_blob_id id;
	uint64_t	   bytes;
};

struct blobs {
	struct blob *all;
	unsigned     nr;
};

/** The list may not be changed while it is walked: take it first. */
static int
blob_cb(const struct bio_blob_id *id, uint64_t bytes, void *arg)
{
	struct blobs *b = arg;
	struct blob  *more = realloc(b->all, (b->nr + 1) * sizeof(*more));

	if (more == NULL)
		return -DER_NOMEM;
	b->all = more;
	b->all[b->nr++] = (struct blob){*id, bytes};
	return 0;
}

/* ---- a pool ---- */

static int
rm_on_dev(struct ddb *ddb, struct bio_dev *dev, const uuid_t uuid, bool any_tgt, uint32_t tgt, unsigned *nr)
{
	struct blobs blobs = {0};
	unsigned     i;
	int	     rc = bio_blob_list(dev, blob_cb, &blobs);

	for (i = 0; i < blobs.nr && rc == 0; i++) {
		const struct bio_blob_id *id = &blobs.all[i].id;

		if (memcmp(id->pool, uuid, 16) != 0 || !(any_tgt || id->tgt == tgt))
			continue;
		rc = bio_blob_destroy(dev, id);
		*nr += rc == 0;
	}
	free(blobs.all);
	return rc;
}

MAY_YIELD static int
cmd_rm_pool(struct ddb *ddb, int argc, char **argv)
{
	uuid_t	 uuid;
	uint32_t tgt = 0;
	bool	 any_tgt = true;
	unsigned nr = 0;
	unsigned i;
	int	 rc = argc == 2 ? ddb_pool_name(argv[1], uuid, &any_tgt, &tgt) : -DER_INVAL;

	if (rc != 0)
		return ddb_say("rm_pool wants UUID or UUID/vos-TARGET (dev_list shows them)", rc);
	ddb_pool_close(ddb);
	for (i = 0; i < ddb->dev_nr && rc == 0; i++)
		rc = rm_on_dev(ddb, ddb->devs[i].dev, uuid, any_tgt, tgt, &nr);
	if (rc == 0 && nr == 0)
		rc = -DER_NONEXIST;
	if (rc != 0)
		return ddb_say(argv[1], rc);
	fprintf(ddb->out, "%u blobs removed\n", nr);
	return 0;
}

/* ---- device tables ---- */

MAY_YIELD static int
cmd_smd_sync(struct ddb *ddb, int argc, char **argv)
{
	unsigned i;

	for (i = 0; i < ddb->dev_nr; i++) {
		unsigned nr = 0;
		int	 rc = bio_dev_heal(ddb->devs[i].dev, &nr);

		if (rc != 0)
			return ddb_say(ddb->devs[i].path, rc);
		fprintf(ddb->out, "%s: %u copies written anew\n", ddb->devs[i].path, nr);
	}
	return 0;
}

MAY_YIELD static int
blob_copy_bytes(struct bio_blob *from, struct bio_blob *to, void *buf)
{
	uint64_t bytes = bio_blob_bytes(from);
	uint64_t at;
	int	 rc = 0;

	for (at = 0; at < bytes && rc == 0; at += COPY_BYTES) {
		struct iovec iov = {buf, MIN_OF(COPY_BYTES, bytes - at)};

		rc = bio_readv(from, at, &iov, 1);
		if (rc == 0)
			rc = bio_writev(to, at, &iov, 1);
	}
	return rc != 0 ? rc : bio_flush(to);
}

MAY_YIELD static int
blob_copy(struct ddb *ddb, struct bio_dev *old, struct bio_dev *new, const struct blob *b)
{
	struct bio_blob *from = NULL;
	struct bio_blob *to = NULL;
	void		*buf = NULL;
	int		 rc = bio_blob_create(new, &b->id, b->bytes);

	if (rc == 0)
		rc = bio_blob_open(ddb->store.ctx, old, &b->id, &from);
	if (rc == 0)
		rc = bio_blob_open(ddb->store.ctx, new, &b->id, &to);
	if (rc == 0)
		rc = bio_buf_get(ddb->store.ctx, COPY_BYTES, &buf);
	if (rc == 0) {
		rc = blob_copy_bytes(from, to, buf);
		bio_buf_put(ddb->store.ctx, buf, COPY_BYTES);
	}
	bio_blob_close(from);
	bio_blob_close(to);
	return rc;
}

MAY_YIELD static int
dev_copy(struct ddb *ddb, struct bio_dev *old, struct bio_dev *new)
{
	struct blobs blobs = {0};
	uint64_t     bytes = 0;
	unsigned     i;
	int	     rc = bio_blob_list(old, blob_cb, &blobs);

	for (i = 0; i < blobs.nr && rc == 0; i++) {
		rc = blob_copy(ddb, old, new, &blobs.all[i]);
		bytes += blobs.all[i].bytes;
	}
	free(blobs.all);
	if (rc == 0)
		fprintf(ddb->out, "%u blobs, %lu bytes copied; give the engine the new device in place of the old one\n",
			blobs.nr, (unsigned long)bytes);
	return rc;
}

static struct ddb_dev *
dev_of(struct ddb *ddb, const char *path)
{
	unsigned i;

	for (i = 0; i < ddb->dev_nr; i++)
		if (strcmp(ddb->devs[i].path, path) == 0)
			return &ddb->devs[i];
	return NULL;
}

MAY_YIELD static int
cmd_dev_replace(struct ddb *ddb, int argc, char **argv)
{
	struct bio_dev_attr  attr = {.kind = BIO_FILE};
	struct ddb_dev	    *old = argc == 3 ? dev_of(ddb, argv[1]) : NULL;
	struct bio_dev	    *new = NULL;
	struct bio_dev_space space;
	unsigned char	     system[16];
	struct stat	     st;
	int		     rc;

	if (old == NULL)
		return ddb_say("dev_replace wants a device named at the start, and the path of an unused one", -DER_INVAL);
	ddb_pool_close(ddb);
	bio_dev_space(old->dev, &space);
	bio_dev_system_uuid(old->dev, system);
	attr.path = argv[2];
	attr.roles = bio_dev_roles(old->dev);
	attr.size_bytes = space.total_bytes;
	if (stat(argv[2], &st) == 0 && S_ISBLK(st.st_mode)) {
		attr.kind = BIO_KDEV;
		attr.size_bytes = 0;
	}
	rc = bio_dev_format(&attr, system, false);
	if (rc == 0)
		rc = bio_dev_open(&attr, &new);
	if (rc != 0)
		return ddb_say(argv[2], rc);
	rc = dev_copy(ddb, old->dev, new);
	bio_dev_close(new);
	return rc != 0 ? ddb_say("copying; the new device is of no use, erase it", rc) : 0;
}

/* ---- free space ---- */

static int
number(const char *text, uint64_t *ret_nr)
{
	char *end;

	*ret_nr = strtoull(text, &end, 0);
	return *end == '\0' && end != text ? 0 : -DER_INVAL;
}

MAY_YIELD static int
cmd_vea_update(struct ddb *ddb, int argc, char **argv)
{
	struct vos_pool *pool = ddb->pool;
	uint64_t	 off = 0;
	uint64_t	 nr = 0;
	int		 rc = argc == 3 ? number(argv[1], &off) : -DER_INVAL;

	if (rc == 0)
		rc = number(argv[2], &nr);
	if (rc != 0 || nr == 0 || off > pool->df->data_blk_nr || nr > pool->df->data_blk_nr - off)
		return ddb_say("vea_update wants the first block and the number of blocks of the data blob", -DER_INVAL);
	vos_tx_begin(pool);
	rc = vos_tx_end(pool, NULL, vos_blocks_free(&pool->space, off, nr));
	if (rc != 0)
		return ddb_say("some of these blocks are free already", rc);
	if (vos_pool_check(pool) == 0) {
		fprintf(ddb->out, "%lu blocks are free now\n", (unsigned long)nr);
		return 0;
	}
	/* Values lie there: what is used is counted again. */
	rc = ddb_repair(ddb);
	return rc != 0 ? rc : ddb_say("values lie in these blocks: they are used, as before", -DER_BUSY);
}

const struct ddb_cmd ddb_dev_cmds[] = {
    {"rm_pool", NULL, "pool[/vos-target]", "take a pool's blobs off the devices", false, true, cmd_rm_pool},
    {"smd_sync", NULL, "", "make the second copies of superblocks and blob tables good again", false, true, cmd_smd_sync},
    {"dev_replace", NULL, "old new", "copy a device onto an unused one", false, true, cmd_dev_replace},
    {"vea_update", NULL, "block number", "blocks of the data blob are free", true, true, cmd_vea_update},
};
const unsigned ddb_dev_cmd_nr = ARRAY_NR(ddb_dev_cmds);
