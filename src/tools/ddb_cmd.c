/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/** Commands that only read, and the table of all of them. */
#include <stdlib.h>
#include <string.h>
#include <daos_errno.h>
#include "tools/ddb.h"

#define ARG_MAX_NR 16

int
ddb_say(const char *what, int rc)
{
	fprintf(stderr, "ddb: %s: %s\n", what, d_errdesc(rc));
	return rc;
}

/* ---- ls ---- */

struct ls {
	struct ddb *ddb;
	bool	    recursive, details;
	unsigned    depth;
};

static const char *
media_name(const struct vos_ext *ext)
{
	return vos_media_is(ext->flags, VOS_MEDIA_HEAP) ? "heap" : vos_media_is(ext->flags, VOS_MEDIA_DATA) ? "data" : "punched";
}

static void
inc_print(struct ddb *ddb, const struct vos_inc_df *inc)
{
	fprintf(ddb->out, " changed %lu, %u punches", (unsigned long)inc->change_epoch, inc->punch_nr);
}

static void
details_print(struct ddb *ddb, const struct ddb_place *p)
{
	switch (p->level) {
	case DDB_CONT:
		fprintf(ddb->out, " %u objects, %lu bytes, aggregated to %lu, %u prepared, %u committed", p->cont->objs.nr,
			(unsigned long)p->cont->used_bytes, (unsigned long)p->cont->hae, p->cont->dtx_prepared.nr,
			p->cont->dtx_committed.nr);
		break;
	case DDB_OBJ:
		fprintf(ddb->out, " %u dkeys,", p->obj->dkeys.nr);
		inc_print(ddb, &p->obj->inc);
		break;
	case DDB_DKEY:
		fprintf(ddb->out, " %u akeys,", p->dkey->akeys.nr);
		inc_print(ddb, &p->dkey->inc);
		break;
	case DDB_AKEY:
		fprintf(ddb->out, p->akey->type == VOS_AKEY_SINGLE ? " single value," : " array,");
		inc_print(ddb, &p->akey->inc);
		break;
	case DDB_VALUE:
		fprintf(ddb->out, " record size %u, %s", p->ext.rsize, media_name(&p->ext));
		if (!vos_media_is(p->ext.flags, VOS_MEDIA_HOLE))
			fprintf(ddb->out, " at %#lx", (unsigned long)p->ext.addr);
		if (p->ext.death != UINT64_MAX)
			fprintf(ddb->out, ", overwritten at %lu", (unsigned long)p->ext.death);
		break;
	default:
		break;
	}
}

static int
ls_cb(const struct ddb_place *child, uint32_t idx, void *arg)
{
	struct ls *ls = arg;
	char	   name[DDB_NAME_MAX];
	int	   rc = 0;

	ddb_name(ls->ddb, child, name);
	fprintf(ls->ddb->out, "%*s[%u] %s", 2 * (int)ls->depth, "", idx, name);
	if (ls->details)
		details_print(ls->ddb, child);
	fprintf(ls->ddb->out, "\n");
	if (ls->recursive && child->level < DDB_VALUE) {
		ls->depth++;
		rc = ddb_children(ls->ddb, child, ls_cb, ls);
		ls->depth--;
	}
	return rc;
}

/** Take the options in @letters out of the arguments; false: another one. */
static bool
options_take(int *argc, char **argv, const char *letters, const char *const *words, unsigned *ret_set)
{
	int in;
	int out = 1;

	*ret_set = 0;
	for (in = 1; in < *argc; in++) {
		unsigned i;
		bool	 known = false;

		if (argv[in][0] != '-') {
			argv[out++] = argv[in];
			continue;
		}
		for (i = 0; letters[i] != '\0'; i++) {
			if ((argv[in][1] == letters[i] && argv[in][2] == '\0') ||
			    (strncmp(argv[in], "--", 2) == 0 && strcmp(argv[in] + 2, words[i]) == 0)) {
				*ret_set |= 1u << i;
				known = true;
			}
		}
		if (!known) {
			(void)ddb_say(argv[in], -DER_INVAL);
			return false;
		}
	}
	*argc = out;
	return true;
}

MAY_YIELD static int
cmd_ls(struct ddb *ddb, int argc, char **argv)
{
	static const char *const words[] = {"recursive", "details"};
	struct ls		 ls = {.ddb = ddb};
	struct ddb_place	 place;
	unsigned		 set;
	int			 rc;

	if (!options_take(&argc, argv, "rd", words, &set))
		return -DER_INVAL;
	ls.recursive = set & 1;
	ls.details = set & 2;
	rc = ddb_find(ddb, argc > 1 ? argv[1] : NULL, &place);
	if (rc != 0)
		return rc;
	if (place.level == DDB_VALUE)
		return ls_cb(&place, 0, &ls);
	rc = ddb_children(ddb, &place, ls_cb, &ls);
	return rc < 0 ? ddb_say("listing", rc) : rc;
}

/* ---- dumps ---- */

MAY_YIELD static int
cmd_superblock_dump(struct ddb *ddb, int argc, char **argv)
{
	const struct vos_pool_df *df = ddb->pool->df;
	struct vos_pool_info	  info;
	char			  uuid[37];

	vos_pool_query(ddb->pool, &info);
	uuid_unparse(df->uuid, uuid);
	fprintf(ddb->out, "pool: %s\nformat version: %u\ncontainers: %u\nobjects: %lu\nto be freed: %lu\n", uuid,
		df->version, df->conts.nr, (unsigned long)df->obj_nr, (unsigned long)df->gc_nr);
	fprintf(ddb->out, "heap: %lu bytes, %lu free\ndata blob: %lu blocks of %u bytes, %lu free\nchecksums: %s\n",
		(unsigned long)info.scm_total, (unsigned long)info.scm_free, (unsigned long)df->data_blk_nr,
		df->blk_bytes, (unsigned long)(info.nvme_free / BIO_BLOCK_BYTES),
		df->csums == UMEM_NULL ? "none" : "CRC-32C, each block");
	return 0;
}

static int
punches_print(struct ddb *ddb, const char *what, const struct vos_inc_df *inc)
{
	const struct vos_punch_df *p = inc->punch_nr <= 1 ? &inc->punch : umem_ptr(ddb->pool->umem, inc->punches);
	uint32_t		   i;

	fprintf(ddb->out, "%s: newest change %lu.%u\n", what, (unsigned long)inc->change_epoch, inc->change_seq);
	for (i = 0; i < inc->punch_nr; i++)
		fprintf(ddb->out, "  punched at %lu.%u\n", (unsigned long)p[i].epoch, p[i].seq);
	return 0;
}

static const struct vos_inc_df *
inc_of(const struct ddb_place *place)
{
	return place->level == DDB_OBJ	  ? &place->obj->inc
	       : place->level == DDB_DKEY ? &place->dkey->inc
	       : place->level == DDB_AKEY ? &place->akey->inc
					  : NULL;
}

MAY_YIELD static int
cmd_ilog_dump(struct ddb *ddb, int argc, char **argv)
{
	const struct vos_inc_df *inc;
	struct ddb_place	 place;
	char			 name[DDB_NAME_MAX];
	int			 rc = ddb_find(ddb, argc > 1 ? argv[1] : NULL, &place);

	if (rc != 0)
		return rc;
	inc = inc_of(&place);
	if (inc == NULL)
		return ddb_say("objects, dkeys and akeys have an incarnation log", -DER_INVAL);
	if (vos_inc_check(ddb->pool->umem, inc) != 0)
		return ddb_say("the incarnation log", -DER_DF_INVAL);
	ddb_name(ddb, &place, name);
	return punches_print(ddb, name, inc);
}

/** Where the bytes of a value are, read from there. */
MAY_YIELD static int
value_read(struct ddb *ddb, const struct vos_ext *ext, void *buf)
{
	uint64_t     bytes = vos_ext_bytes(ext);
	uint64_t     first = ext->addr / BIO_BLOCK_BYTES;
	uint64_t     blk_nr = (ext->addr + bytes + BIO_BLOCK_BYTES - 1) / BIO_BLOCK_BYTES - first;
	struct iovec iov = {.iov_len = blk_nr * BIO_BLOCK_BYTES};
	int	     rc;

	if (vos_media_is(ext->flags, VOS_MEDIA_HEAP)) {
		if (!umem_off_valid(ddb->pool->umem, ext->addr, bytes))
			return -DER_DF_INVAL;
		memcpy(buf, umem_ptr(ddb->pool->umem, ext->addr), bytes);
		return 0;
	}
	rc = bio_buf_get(ddb->store.ctx, iov.iov_len, &iov.iov_base);
	if (rc != 0)
		return rc;
	rc = bio_readv(ddb->pool->data, first * BIO_BLOCK_BYTES, &iov, 1);
	if (rc == 0) {
		memcpy(buf, (char *)iov.iov_base + ext->addr % BIO_BLOCK_BYTES, bytes);
		rc = vos_csum_verify(ddb->pool, first, iov.iov_base, blk_nr);
	}
	bio_buf_put(ddb->store.ctx, iov.iov_base, iov.iov_len);
	return rc;
}

static void
hex_print(FILE *out, const unsigned char *buf, uint64_t bytes)
{
	uint64_t i;
	uint64_t k;

	for (i = 0; i < bytes; i += 16) {
		fprintf(out, "%08lx ", (unsigned long)i);
		for (k = i; k < i + 16; k++)
			fprintf(out, k < bytes ? " %02x" : "   ", k < bytes ? buf[k] : 0);
		fprintf(out, "  ");
		for (k = i; k < i + 16 && k < bytes; k++)
			fputc(buf[k] >= 32 && buf[k] < 127 ? buf[k] : '.', out);
		fputc('\n', out);
	}
}

static int
value_put(struct ddb *ddb, const void *buf, uint64_t bytes, const char *path)
{
	FILE *f;
	int   rc = 0;

	if (path == NULL) {
		hex_print(ddb->out, buf, bytes);
		return 0;
	}
	f = fopen(path, "w");
	if (f == NULL || fwrite(buf, 1, bytes, f) != bytes)
		rc = ddb_say(path, -DER_IO);
	if (f != NULL && fclose(f) != 0 && rc == 0)
		rc = ddb_say(path, -DER_IO);
	return rc;
}

MAY_YIELD static int
cmd_value_dump(struct ddb *ddb, int argc, char **argv)
{
	struct ddb_place place;
	void		*buf;
	int		 rc = ddb_find(ddb, argc > 1 ? argv[1] : NULL, &place);

	if (rc != 0)
		return rc;
	if (place.level != DDB_VALUE)
		return ddb_say("a value is named down to its version: /container/object/dkey/akey/[0]", -DER_INVAL);
	if (vos_media_is(place.ext.flags, VOS_MEDIA_HOLE)) {
		fprintf(ddb->out, "punched\n");
		return 0;
	}
	buf = malloc(vos_ext_bytes(&place.ext));
	if (buf == NULL)
		return ddb_say("value", -DER_NOMEM);
	rc = value_read(ddb, &place.ext, buf);
	if (rc != 0)
		(void)ddb_say("reading the value", rc);
	if (rc == 0 || rc == -DER_CSUM)
		(void)value_put(ddb, buf, vos_ext_bytes(&place.ext), argc > 2 ? argv[2] : NULL);
	free(buf);
	return rc;
}

MAY_YIELD static int
cmd_csum_dump(struct ddb *ddb, int argc, char **argv)
{
	const uint32_t	*csums;
	struct ddb_place place;
	uint64_t	 blk;
	uint64_t	 end;
	int		 rc = ddb_find(ddb, argc > 1 ? argv[1] : NULL, &place);

	if (rc != 0)
		return rc;
	if (place.level != DDB_VALUE || !vos_media_is(place.ext.flags, VOS_MEDIA_DATA))
		return ddb_say("checksums are of values on the data blob", -DER_INVAL);
	if (ddb->pool->df->csums == UMEM_NULL)
		return ddb_say("the pool keeps none", -DER_NONEXIST);
	csums = umem_ptr(ddb->pool->umem, ddb->pool->df->csums);
	end = (place.ext.addr + vos_ext_bytes(&place.ext) + BIO_BLOCK_BYTES - 1) / BIO_BLOCK_BYTES;
	for (blk = place.ext.addr / BIO_BLOCK_BYTES; blk < end && blk < ddb->pool->df->data_blk_nr; blk++)
		fprintf(ddb->out, "  block %lu: CRC-32C %08x\n", (unsigned long)blk, csums[blk]);
	return 0;
}

/* ---- transactions, space ---- */

static void
id_print(struct ddb *ddb, const struct dtx_id *id)
{
	char uuid[37];

	uuid_unparse(id->uuid, uuid);
	fprintf(ddb->out, "%s.%lx", uuid, (unsigned long)id->hlc);
}

static void
dtx_print(struct ddb *ddb, const struct vos_btree *tree, bool active)
{
	struct vos_btree_cur   cur;
	struct vos_dtx_ent_df *ent;

	for (ent = vos_btree_probe(tree, VOS_BTREE_FIRST, NULL, &cur); ent != NULL; ent = vos_btree_next(tree, &cur)) {
		const struct vos_dtx_df *rec = active ? umem_ptr(ddb->pool->umem, ent->value) : NULL;

		fprintf(ddb->out, "  ");
		id_print(ddb, &ent->id);
		if (active)
			fprintf(ddb->out, " epoch %lu, %u operations, %lu bytes\n", (unsigned long)rec->epoch, rec->op_nr,
				(unsigned long)rec->bytes);
		else
			fprintf(ddb->out, " epoch %lu\n", (unsigned long)ent->value);
	}
}

MAY_YIELD static int
cmd_dtx_dump(struct ddb *ddb, int argc, char **argv)
{
	static const char *const words[] = {"active", "committed"};
	struct ddb_place	 place;
	struct vos_btree	 tree;
	unsigned		 set;
	int			 rc;

	if (!options_take(&argc, argv, "ac", words, &set))
		return -DER_INVAL;
	rc = ddb_find(ddb, argc > 1 ? argv[1] : NULL, &place);
	if (rc == 0 && place.level != DDB_CONT)
		rc = ddb_say("transactions are a container's", -DER_INVAL);
	if (rc != 0)
		return rc;
	if (set == 0 || (set & 1)) {
		fprintf(ddb->out, "active: %u\n", place.cont->dtx_prepared.nr);
		tree = vos_dtx_prepared_tree(ddb->pool, place.cont);
		dtx_print(ddb, &tree, true);
	}
	if (set == 0 || (set & 2)) {
		fprintf(ddb->out, "committed: %u\n", place.cont->dtx_committed.nr);
		tree = vos_dtx_committed_tree(ddb->pool, place.cont);
		dtx_print(ddb, &tree, false);
	}
	return 0;
}

MAY_YIELD static int
cmd_dtx_stat(struct ddb *ddb, int argc, char **argv)
{
	struct ddb_place place;
	int		 rc = ddb_find(ddb, argc > 1 ? argv[1] : NULL, &place);

	if (rc == 0 && place.level != DDB_CONT)
		rc = ddb_say("transactions are a container's", -DER_INVAL);
	if (rc == 0)
		fprintf(ddb->out, "active: %u\ncommitted: %u\n", place.cont->dtx_prepared.nr,
			place.cont->dtx_committed.nr);
	return rc;
}

MAY_YIELD static int
cmd_vea_dump(struct ddb *ddb, int argc, char **argv)
{
	uint64_t	nr = ddb->pool->df->data_blk_nr;
	const uint64_t *bitmap;
	uint64_t	i;
	uint64_t	from = 0;
	uint64_t	free_nr = 0;

	if (nr == 0) {
		fprintf(ddb->out, "the pool has no data blob\n");
		return 0;
	}
	bitmap = umem_ptr(ddb->pool->umem, ddb->pool->df->bitmap);
	for (i = 0; i <= nr; i++) {
		bool used = i == nr || (bitmap[i / 64] & (1ULL << (i % 64)));

		if (used && from < i) {
			fprintf(ddb->out, "  [%lu, %lu)\n", (unsigned long)from, (unsigned long)i);
			free_nr += i - from;
		}
		if (used)
			from = i + 1;
	}
	fprintf(ddb->out, "%lu of %lu blocks free\n", (unsigned long)free_nr, (unsigned long)nr);
	return 0;
}

static int
bad_block_cb(void *arg, uint64_t blk_off)
{
	struct ddb *ddb = arg;

	fprintf(ddb->out, "block %lu of the data blob does not match its checksum\n", (unsigned long)blk_off);
	return 0;
}

MAY_YIELD static int
cmd_check(struct ddb *ddb, int argc, char **argv)
{
	struct vos_scrub scrub = {.bad = bad_block_cb, .arg = ddb};
	int		 rc = vos_pool_check(ddb->pool);

	if (rc != 0)
		return ddb_say("the pool is damaged, see the lines above; `repair' may help", rc);
	rc = vos_pool_scrub(ddb->pool, &scrub, UINT32_MAX);
	if (rc != 0)
		return ddb_say("reading the data blob", rc);
	fprintf(ddb->out, "structures are sound; %lu blocks read, %lu bad\n", (unsigned long)scrub.checked_nr,
		(unsigned long)scrub.bad_nr);
	return scrub.bad_nr == 0 ? 0 : -DER_CSUM;
}

/* ---- the table ---- */

MAY_YIELD static int
cmd_dev_list(struct ddb *ddb, int argc, char **argv)
{
	return ddb_devs_list(ddb);
}

MAY_YIELD static int
cmd_open(struct ddb *ddb, int argc, char **argv)
{
	return ddb_pool_open(ddb, argc > 1 ? argv[1] : NULL);
}

MAY_YIELD static int
cmd_close(struct ddb *ddb, int argc, char **argv)
{
	ddb_pool_close(ddb);
	return 0;
}

MAY_YIELD static int
cmd_quit(struct ddb *ddb, int argc, char **argv)
{
	return DDB_QUIT;
}

MAY_YIELD static int
cmd_version(struct ddb *ddb, int argc, char **argv)
{
	fprintf(ddb->out, "ddb: pool format %u\n", VOS_POOL_VERSION);
	return 0;
}

MAY_YIELD static int cmd_help(struct ddb *ddb, int argc, char **argv);

static const struct ddb_cmd cmds[] = {
    {"help", NULL, "[command]", "these lines", false, false, cmd_help},
    {"quit", "exit", "", "end", false, false, cmd_quit},
    {"version", NULL, "", "format this program knows", false, false, cmd_version},
    {"dev_list", NULL, "", "devices, and whose blobs are on them", false, false, cmd_dev_list},
    {"open", NULL, "[pool[/vos-target]]", "open a pool's shard", false, false, cmd_open},
    {"close", NULL, "", "close it", true, false, cmd_close},
    {"ls", NULL, "[-r] [-d] [path]", "list what is below; -r all levels, -d with details", true, false, cmd_ls},
    {"superblock_dump", NULL, "", "the root of the pool", true, false, cmd_superblock_dump},
    {"value_dump", "dump_value", "path [file]", "bytes of one version of a value", true, false, cmd_value_dump},
    {"csum_dump", NULL, "path", "checksums of the blocks of a value", true, false, cmd_csum_dump},
    {"ilog_dump", NULL, "path", "punches of an object, dkey or akey", true, false, cmd_ilog_dump},
    {"dtx_dump", NULL, "[-a] [-c] container", "active, committed transactions", true, false, cmd_dtx_dump},
    {"dtx_stat", NULL, "container", "how many transactions", true, false, cmd_dtx_stat},
    {"vea_dump", NULL, "", "free extents of the data blob", true, false, cmd_vea_dump},
    {"check", NULL, "", "all structures, accounts and checksums", true, false, cmd_check},
};

static void
cmd_print(struct ddb *ddb, const struct ddb_cmd *cmd)
{
	fprintf(ddb->out, "  %-18s %-28s %s%s\n", cmd->name, cmd->args, cmd->help, cmd->writes ? " (needs -w)" : "");
}

static const struct ddb_cmd *
cmd_find(const char *name)
{
	unsigned i;

	for (i = 0; i < ARRAY_NR(cmds); i++)
		if (strcmp(name, cmds[i].name) == 0 || (cmds[i].alias != NULL && strcmp(name, cmds[i].alias) == 0))
			return &cmds[i];
	for (i = 0; i < ddb_write_cmd_nr; i++)
		if (strcmp(name, ddb_write_cmds[i].name) == 0)
			return &ddb_write_cmds[i];
	for (i = 0; i < ddb_dev_cmd_nr; i++)
		if (strcmp(name, ddb_dev_cmds[i].name) == 0)
			return &ddb_dev_cmds[i];
	return NULL;
}

bool
ddb_needs_no_pool(const char *line)
{
	char		      name[32] = "";
	const struct ddb_cmd *cmd;

	strncpy(name, line, MIN_OF(strcspn(line, " \t\n"), sizeof(name) - 1));
	cmd = cmd_find(name);
	return cmd != NULL && !cmd->needs_pool;
}

MAY_YIELD static int
cmd_help(struct ddb *ddb, int argc, char **argv)
{
	const struct ddb_cmd *one = argc > 1 ? cmd_find(argv[1]) : NULL;
	unsigned	      i;

	if (argc > 1 && one == NULL)
		return ddb_say(argv[1], -DER_NONEXIST);
	for (i = 0; one == NULL && i < ARRAY_NR(cmds); i++)
		cmd_print(ddb, &cmds[i]);
	for (i = 0; one == NULL && i < ddb_write_cmd_nr; i++)
		cmd_print(ddb, &ddb_write_cmds[i]);
	for (i = 0; one == NULL && i < ddb_dev_cmd_nr; i++)
		cmd_print(ddb, &ddb_dev_cmds[i]);
	if (one != NULL)
		cmd_print(ddb, one);
	return 0;
}

MAY_YIELD int
ddb_line(struct ddb *ddb, char *line)
{
	const struct ddb_cmd *cmd;
	char		     *argv[ARG_MAX_NR + 1];
	char		     *state;
	char		     *part;
	int		      argc = 0;

	for (part = strtok_r(line, " \t\n", &state); part != NULL && argc < ARG_MAX_NR;
	     part = strtok_r(NULL, " \t\n", &state))
		argv[argc++] = part;
	argv[argc] = NULL;
	if (argc == 0 || argv[0][0] == '#')
		return 0;
	cmd = cmd_find(argv[0]);
	if (cmd == NULL) {
		fprintf(stderr, "ddb: %s: no such command; `help' lists them\n", argv[0]);
		return -DER_INVAL;
	}
	if (cmd->needs_pool && ddb->pool == NULL)
		return ddb_say("no pool is open", -DER_UNINIT);
	if (cmd->writes && !ddb->write)
		return ddb_say("this changes the pool: start ddb with -w", -DER_NO_PERM);
	return cmd->run(ddb, argc, argv);
}
