/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/** Devices and pools. Without -w a device is a private mapping of its file: whatever opening and
 * closing a pool writes stays in memory. */
#include <stdlib.h>
#include <string.h>
#include <daos_errno.h>
#include "tools/ddb.h"

static int
dev_open(struct ddb *ddb, struct ddb_dev *d)
{
	struct bio_dev_attr attr = {.kind = BIO_FILE, .path = d->path};
	int		    rc;

	if (!ddb->write) {
		rc = bio_ram_map(d->path, &d->ram);
		if (rc != 0)
			return ddb_say(d->path, rc);
		attr.kind = BIO_RAM;
		attr.ram = d->ram;
	}
	rc = bio_dev_open(&attr, &d->dev);
	return rc != 0 ? ddb_say(d->path, rc) : 0;
}

int
ddb_devs_open(struct ddb *ddb)
{
	unsigned i;
	int	 rc;

	rc = bio_ctx_create(&ddb->store.ctx);
	if (rc != 0)
		return ddb_say("I/O context", rc);
	for (i = 0; i < ddb->dev_nr; i++) {
		rc = dev_open(ddb, &ddb->devs[i]);
		if (rc != 0)
			return rc;
	}
	return 0;
}

void
ddb_devs_close(struct ddb *ddb)
{
	unsigned i;

	if (ddb->store.ctx != NULL)
		bio_ctx_destroy(ddb->store.ctx);
	for (i = 0; i < ddb->dev_nr; i++) {
		if (ddb->devs[i].dev != NULL)
			bio_dev_close(ddb->devs[i].dev);
		bio_ram_destroy(ddb->devs[i].ram);
	}
}

/* ---- listing ---- */

static const char *
role_name(uint32_t role)
{
	return role == BIO_ROLE_WAL ? "wal" : role == BIO_ROLE_META ? "meta" : "data";
}

static int
blob_print_cb(const struct bio_blob_id *id, uint64_t bytes, void *arg)
{
	struct ddb *ddb = arg;
	char	    uuid[37];

	uuid_unparse(id->pool, uuid);
	if (id->tgt == BIO_TGT_SYS)
		fprintf(ddb->out, "  %s/sys %s %lu\n", uuid, role_name(id->role), (unsigned long)bytes);
	else
		fprintf(ddb->out, "  %s/vos-%u %s %lu\n", uuid, id->tgt, role_name(id->role), (unsigned long)bytes);
	return 0;
}

int
ddb_devs_list(struct ddb *ddb)
{
	unsigned i;
	int	 rc = 0;

	for (i = 0; i < ddb->dev_nr && rc == 0; i++) {
		struct bio_dev_space space;
		unsigned char	     uuid[16];
		char		     text[37];

		bio_dev_uuid(ddb->devs[i].dev, uuid);
		uuid_unparse(uuid, text);
		bio_dev_space(ddb->devs[i].dev, &space);
		fprintf(ddb->out, "%s: device %s, %lu bytes, %lu free\n", ddb->devs[i].path, text,
			(unsigned long)space.total_bytes, (unsigned long)space.free_bytes);
		rc = bio_blob_list(ddb->devs[i].dev, blob_print_cb, ddb);
	}
	return rc;
}

/* ---- opening a pool ---- */

struct found {
	uuid_t		uuid;
	uint32_t	tgt;
	bool		any_uuid;
	bool		any_tgt;
	unsigned	nr; /**< shards that fit */
	struct bio_dev *dev;
	struct bio_dev *roles[3];
};

static int
shard_cb(const struct bio_blob_id *id, uint64_t bytes, void *arg)
{
	struct found *f = arg;

	(void)bytes;
	if (id->role != BIO_ROLE_META || id->tgt == BIO_TGT_SYS ||
	    (!f->any_uuid && memcmp(id->pool, f->uuid, 16) != 0) || (!f->any_tgt && id->tgt != f->tgt))
		return 0;
	if (f->nr++ == 0) {
		memcpy(f->uuid, id->pool, 16);
		f->tgt = id->tgt;
		f->any_uuid = f->any_tgt = false;
	}
	return 0;
}

static int
role_cb(const struct bio_blob_id *id, uint64_t bytes, void *arg)
{
	struct found *f = arg;

	(void)bytes;
	if (memcmp(id->pool, f->uuid, 16) == 0 && id->tgt == f->tgt)
		f->roles[id->role == BIO_ROLE_WAL ? 0 : id->role == BIO_ROLE_META ? 1 : 2] = f->dev;
	return 0;
}

int
ddb_pool_name(const char *name, uuid_t uuid, bool *ret_any_tgt, uint32_t *ret_tgt)
{
	char  text[37] = "";
	char *end;

	strncpy(text, name, 36);
	if (uuid_parse(text, uuid) != 0)
		return -DER_INVAL;
	*ret_any_tgt = name[36] == '\0';
	if (*ret_any_tgt)
		return 0;
	if (strncmp(name + 36, "/vos-", 5) != 0)
		return -DER_INVAL;
	*ret_tgt = strtoul(name + 41, &end, 10);
	return *end == '\0' && name[41] != '\0' ? 0 : -DER_INVAL;
}

MAY_YIELD int
ddb_pool_open(struct ddb *ddb, const char *name)
{
	struct found f;
	unsigned     i;
	int	     rc;

	if (ddb->pool != NULL)
		return ddb_say("a pool is open already; close it first", -DER_BUSY);
	f = (struct found){.any_uuid = name == NULL, .any_tgt = true};
	if (name != NULL && ddb_pool_name(name, f.uuid, &f.any_tgt, &f.tgt) != 0)
		return ddb_say("a pool is named UUID or UUID/vos-TARGET", -DER_INVAL);
	for (i = 0; i < ddb->dev_nr; i++)
		(void)bio_blob_list(ddb->devs[i].dev, shard_cb, &f);
	if (f.nr == 0)
		return ddb_say("no such pool on these devices", -DER_NONEXIST);
	if (f.nr > 1 && name == NULL)
		return ddb_say("several pools or targets; name one (dev_list shows them)", -DER_INVAL);
	for (i = 0; i < ddb->dev_nr; i++) {
		f.dev = ddb->devs[i].dev;
		(void)bio_blob_list(f.dev, role_cb, &f);
	}
	ddb->store.wal = f.roles[0];
	ddb->store.meta = f.roles[1];
	ddb->store.data = f.roles[2];
	ddb->store.tgt = f.tgt;
	if (ddb->store.wal == NULL)
		return ddb_say("its log is on none of these devices; name all of them", -DER_NONEXIST);
	rc = vos_pool_open(&ddb->store, f.uuid, &ddb->pool);
	return rc != 0 ? ddb_say("cannot open the pool", rc) : 0;
}

MAY_YIELD void
ddb_pool_close(struct ddb *ddb)
{
	vos_pool_close(ddb->pool);
	ddb->pool = NULL;
}
