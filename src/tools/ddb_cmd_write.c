/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/** Commands that change a pool: only with -w. */
#include <stdlib.h>
#include <string.h>
#include <daos_errno.h>
#include "tools/ddb.h"

#define GC_CREDITS 4096u

/* ---- taking out ---- */

static int
unlink_place(struct ddb *ddb, const struct ddb_place *p)
{
	struct vos_btree tree = vos_cont_tree(ddb->pool);
	int		 rc;

	switch (p->level) {
	case DDB_CONT:
		rc = vos_btree_delete(&tree, p->cont->uuid);
		return rc != 0 ? rc : vos_gc_add(ddb->pool, VOS_GC_CONT, p->cont, p->cont);
	case DDB_OBJ:
		rc = vos_obj_unlink(ddb->pool, p->cont, p->obj);
		return rc != 0 ? rc : vos_gc_add(ddb->pool, VOS_GC_OBJ, p->obj, p->cont);
	case DDB_DKEY:
		rc = vos_key_unlink(ddb->pool, &p->obj->dkeys, p->dkey);
		return rc != 0 ? rc : vos_gc_add(ddb->pool, VOS_GC_KEY, p->dkey, p->cont);
	case DDB_AKEY:
		rc = vos_key_unlink(ddb->pool, &p->dkey->akeys, p->akey);
		return rc != 0 ? rc : vos_gc_add(ddb->pool, VOS_GC_KEY, p->akey, p->cont);
	default:
		return -DER_INVAL;
	}
}

MAY_YIELD static int
cmd_rm(struct ddb *ddb, int argc, char **argv)
{
	struct ddb_place place;
	int		 rc = ddb_find(ddb, argc > 1 ? argv[1] : NULL, &place);

	if (rc != 0)
		return rc;
	if (place.level == DDB_POOL || place.level == DDB_VALUE)
		return ddb_say("containers, objects, dkeys and akeys can be taken out", -DER_INVAL);
	vos_tx_begin(ddb->pool);
	rc = vos_tx_end(ddb->pool, NULL, unlink_place(ddb, &place));
	if (rc != 0)
		return ddb_say("rm", rc);
	while ((rc = vos_gc(ddb->pool, GC_CREDITS)) > 0)
		;
	if (rc != 0)
		return ddb_say("freeing what was below", rc);
	fprintf(ddb->out, "removed\n");
	return 0;
}

MAY_YIELD static int
cmd_ilog_clear(struct ddb *ddb, int argc, char **argv)
{
	struct ddb_place   place;
	struct vos_inc_df *inc;
	int		   rc = ddb_find(ddb, argc > 1 ? argv[1] : NULL, &place);

	if (rc != 0)
		return rc;
	inc = place.level == DDB_OBJ	? &place.obj->inc
	      : place.level == DDB_DKEY ? &place.dkey->inc
	      : place.level == DDB_AKEY ? &place.akey->inc
					: NULL;
	if (inc == NULL)
		return ddb_say("objects, dkeys and akeys have an incarnation log", -DER_INVAL);
	vos_tx_begin(ddb->pool);
	rc = vos_tx_end(ddb->pool, NULL, vos_inc_trim(ddb->pool->umem, inc, UINT64_MAX));
	if (rc != 0)
		return ddb_say("ilog_clear", rc);
	fprintf(ddb->out, "punches removed\n");
	return 0;
}

/* ---- transactions ---- */

static int
cont_open(struct ddb *ddb, const char *path, struct vos_cont **ret_cont)
{
	struct ddb_place place;
	int		 rc = ddb_find(ddb, path, &place);

	if (rc == 0 && place.level != DDB_CONT)
		return ddb_say("transactions are a container's", -DER_INVAL);
	if (rc == 0) {
		rc = vos_cont_open(ddb->pool, place.cont->uuid, ret_cont);
		if (rc != 0)
			(void)ddb_say("container", rc);
	}
	return rc;
}

/** As dtx_dump prints it: UUID.HLC, in hexadecimal. */
static int
id_parse(const char *text, struct dtx_id *id)
{
	char  uuid[37] = "";
	char *end;

	if (text == NULL || strlen(text) < 38 || text[36] != '.')
		return -DER_INVAL;
	memcpy(uuid, text, 36);
	id->hlc = strtoull(text + 37, &end, 16);
	return uuid_parse(uuid, id->uuid) != 0 || *end != '\0' ? -DER_INVAL : 0;
}

MAY_YIELD static int
dtx_end(struct ddb *ddb, int argc, char **argv, bool commit)
{
	struct vos_cont *cont;
	struct dtx_id	 id;
	int		 rc;

	if (argc != 3 || id_parse(argv[2], &id) != 0)
		return ddb_say("a container and an id as dtx_dump prints it", -DER_INVAL);
	rc = cont_open(ddb, argv[1], &cont);
	if (rc != 0)
		return rc;
	rc = commit ? vos_dtx_commit(cont, &id) : vos_dtx_abort(cont, &id);
	vos_cont_close(cont);
	if (rc != 0)
		return ddb_say(argv[2], rc);
	fprintf(ddb->out, commit ? "committed\n" : "aborted\n");
	return 0;
}

MAY_YIELD static int
cmd_dtx_act_commit(struct ddb *ddb, int argc, char **argv)
{
	return dtx_end(ddb, argc, argv, true);
}

MAY_YIELD static int
cmd_dtx_act_abort(struct ddb *ddb, int argc, char **argv)
{
	return dtx_end(ddb, argc, argv, false);
}

MAY_YIELD static int
cmd_dtx_cmt_clear(struct ddb *ddb, int argc, char **argv)
{
	struct vos_dtx_stat before;
	struct vos_cont	   *cont;
	int		    rc = cont_open(ddb, argc > 1 ? argv[1] : NULL, &cont);

	if (rc != 0)
		return rc;
	vos_dtx_stat(cont, &before);
	rc = vos_dtx_trim(cont, UINT64_MAX, 0);
	vos_cont_close(cont);
	if (rc != 0)
		return ddb_say("dtx_cmt_clear", rc);
	fprintf(ddb->out, "%lu ids forgotten\n", (unsigned long)before.committed_nr);
	return 0;
}

MAY_YIELD static int
cmd_dtx_aggr(struct ddb *ddb, int argc, char **argv)
{
	struct vos_dtx_stat before;
	struct vos_dtx_stat after;
	struct vos_cont	   *cont;
	uint64_t	    hlc;
	char		   *end;
	int		    rc;

	if (argc != 3)
		return ddb_say("a container, and a time in hexadecimal as in the ids", -DER_INVAL);
	hlc = strtoull(argv[2], &end, 16);
	if (*end != '\0' || end == argv[2])
		return ddb_say(argv[2], -DER_INVAL);
	rc = cont_open(ddb, argv[1], &cont);
	if (rc != 0)
		return rc;
	vos_dtx_stat(cont, &before);
	rc = vos_dtx_trim(cont, hlc, 0);
	vos_dtx_stat(cont, &after);
	vos_cont_close(cont);
	if (rc != 0)
		return ddb_say("dtx_aggr", rc);
	fprintf(ddb->out, "%lu ids forgotten\n", (unsigned long)(before.committed_nr - after.committed_nr));
	return 0;
}

/* ---- values ---- */

/** Put @bytes as a new version of a single value, newer than all it has. */
MAY_YIELD static int
value_store(struct ddb *ddb, const struct ddb_place *p, void *buf, uint64_t bytes)
{
	daos_iod_t	 iod = {.iod_type = DAOS_IOD_SINGLE, .iod_size = bytes, .iod_nr = 1};
	struct vos_cont *cont;
	daos_key_t	 dkey;
	d_iov_t		 iov;
	d_sg_list_t	 sgl = {.sg_nr = 1, .sg_iovs = &iov};
	uint64_t	 epoch = MAX_OF(p->cont->floor, p->akey->inc.change_epoch) + 1;
	int		 rc;

	d_iov_set(&dkey, vos_key_bytes(p->dkey), p->dkey->key_bytes);
	d_iov_set(&iod.iod_name, vos_key_bytes(p->akey), p->akey->key_bytes);
	d_iov_set(&iov, buf, bytes);
	rc = vos_cont_open(ddb->pool, p->cont->uuid, &cont);
	if (rc != 0)
		return rc;
	rc = vos_obj_update(cont, p->obj->oid, epoch, 0, &dkey, 1, &iod, &sgl);
	vos_cont_close(cont);
	if (rc == 0)
		fprintf(ddb->out, "%lu bytes at epoch %lu\n", (unsigned long)bytes, (unsigned long)epoch);
	return rc;
}

#define LOAD_BYTES_MAX (16ul << 20)

MAY_YIELD static int
cmd_value_load(struct ddb *ddb, int argc, char **argv)
{
	struct ddb_place place;
	size_t		 bytes;
	void		*buf;
	FILE		*f;
	int		 rc;

	if (argc != 3)
		return ddb_say("a file, and the path of an akey", -DER_INVAL);
	rc = ddb_find(ddb, argv[2], &place);
	if (rc != 0)
		return rc;
	if (place.level != DDB_AKEY || place.akey->type != VOS_AKEY_SINGLE)
		return ddb_say("single values can be loaded, into an akey that has some", -DER_INVAL);
	f = fopen(argv[1], "r");
	if (f == NULL)
		return ddb_say(argv[1], -DER_NONEXIST);
	buf = malloc(LOAD_BYTES_MAX);
	bytes = buf == NULL ? 0 : fread(buf, 1, LOAD_BYTES_MAX, f);
	rc = bytes == 0 || !feof(f) ? -DER_INVAL : value_store(ddb, &place, buf, bytes);
	free(buf);
	fclose(f);
	return rc != 0 ? ddb_say("value_load", rc) : 0;
}

/* ---- repair ---- */

MAY_YIELD int
ddb_repair(struct ddb *ddb)
{
	struct vos_repair done;
	char		  name[64];
	int		  rc = vos_pool_repair(ddb->pool, &done);

	if (rc != 0)
		return ddb_say("a structure is damaged: take out the branch it is in (rm)", rc);
	/* What the pool keeps in memory of its free blocks is of before. */
	uuid_unparse(ddb->pool->uuid, name);
	sprintf(name + strlen(name), "/vos-%u", ddb->store.tgt);
	ddb_pool_close(ddb);
	rc = ddb_pool_open(ddb, name);
	if (rc != 0)
		return rc;
	fprintf(ddb->out, "%lu accounts, %lu blocks, %lu references put right\n", (unsigned long)done.account_nr,
		(unsigned long)done.blk_nr, (unsigned long)done.ref_nr);
	return 0;
}

MAY_YIELD static int
cmd_repair(struct ddb *ddb, int argc, char **argv)
{
	return ddb_repair(ddb);
}

const struct ddb_cmd ddb_write_cmds[] = {
    {"rm", NULL, "path", "take out a container, object, dkey or akey", true, true, cmd_rm},
    {"ilog_clear", NULL, "path", "forget the punches of an object, dkey or akey", true, true, cmd_ilog_clear},
    {"dtx_act_commit", NULL, "container id", "commit an active transaction", true, true, cmd_dtx_act_commit},
    {"dtx_act_abort", NULL, "container id", "abort an active transaction", true, true, cmd_dtx_act_abort},
    {"dtx_cmt_clear", NULL, "container", "forget the ids of committed ones", true, true, cmd_dtx_cmt_clear},
    {"dtx_aggr", NULL, "container time", "forget ids of transactions begun until then", true, true, cmd_dtx_aggr},
    {"value_load", NULL, "file path", "a new version of a single value", true, true, cmd_value_load},
    {"repair", NULL, "", "put accounts and used blocks right", true, true, cmd_repair},
};
const unsigned ddb_write_cmd_nr = ARRAY_NR(ddb_write_cmds);
