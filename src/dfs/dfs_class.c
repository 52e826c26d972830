/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/**
 * Which class new objects get, and their numbers. In order: what the caller says, what the directory
 * says, what the container says (for files, for directories, for all), what its hints say, what the
 * library picks: all groups for files, one for directories.
 */
#include "dfs/dfs_internal.h"

#include <strings.h>

struct hint_word {
	const char         *word;
	daos_oclass_hints_t hint;
};

static const struct hint_word hint_words[] = {
    {"single", DAOS_OCH_SHD_TINY}, {"tiny", DAOS_OCH_SHD_TINY}, {"regular", DAOS_OCH_SHD_REG},
    {"high", DAOS_OCH_SHD_HI},     {"extended", DAOS_OCH_SHD_EXT}, {"max", DAOS_OCH_SHD_MAX},
};

/** Parse one "file:max"; *ret_file or *ret_dir is set. */
static int
hint_parse_one(const char *text, size_t len, daos_oclass_hints_t *ret_file,
	       daos_oclass_hints_t *ret_dir)
{
	const char *colon = memchr(text, ':', len);
	size_t      who, what;

	if (colon == NULL)
		return EINVAL;
	who  = (size_t)(colon - text);
	what = len - who - 1;
	for (unsigned i = 0; i < ARRAY_NR(hint_words); i++) {
		if (strlen(hint_words[i].word) != what ||
		    strncasecmp(colon + 1, hint_words[i].word, what) != 0)
			continue;
		if (who == 4 && strncasecmp(text, "file", who) == 0)
			*ret_file = hint_words[i].hint;
		else if ((who == 3 && strncasecmp(text, "dir", who) == 0) ||
			 (who == 9 && strncasecmp(text, "directory", who) == 0))
			*ret_dir = hint_words[i].hint;
		else
			return EINVAL;
		return 0;
	}
	return EINVAL;
}

int
dfs_hints_parse(const char *hints, daos_oclass_hints_t *ret_file, daos_oclass_hints_t *ret_dir)
{
	daos_oclass_hints_t file = 0, dir = 0;
	int                 rc   = 0;

	while (rc == 0 && *hints != '\0') {
		size_t len = strcspn(hints, ",");

		rc = hint_parse_one(hints, len, &file, &dir);
		hints += len;
		if (*hints == ',')
			hints++;
	}
	if (rc == 0) {
		*ret_file = file;
		*ret_dir  = dir;
	}
	return rc;
}

int
dfs_oid_class(dfs_t *dfs, const dfs_obj_t *parent, mode_t type, daos_oclass_id_t cid,
	      daos_obj_id_t *oid)
{
	bool              file = S_ISREG(type);
	enum daos_otype_t otype = file ? DAOS_OT_ARRAY_BYTE : DAOS_OT_MULTI_HASHED;

	if (cid == OC_UNKNOWN)
		cid = parent->oclass;
	if (cid == OC_UNKNOWN)
		cid = file ? dfs->attr.da_file_oclass_id : dfs->attr.da_dir_oclass_id;
	if (cid == OC_UNKNOWN)
		cid = dfs->attr.da_oclass_id;
	return daos_der2errno(daos_obj_generate_oid(dfs->coh, oid, otype, cid,
						    file ? dfs->file_hint : dfs->dir_hint, 0));
}

static bool
oid_number_take(dfs_t *dfs, daos_obj_id_t *ret_oid)
{
	bool left;

	pthread_mutex_lock(&dfs->lock);
	left = dfs->oid_lo != 0 && dfs->oid_hi != UINT32_MAX;
	if (left)
		*ret_oid = (daos_obj_id_t){.lo = dfs->oid_lo, .hi = dfs->oid_hi++};
	pthread_mutex_unlock(&dfs->lock);
	return left;
}

/** The next number: each mount reserves a value of lo, and counts in hi. The lock is not held while waiting. */
static int
oid_number(dfs_t *dfs, daos_obj_id_t *ret_oid)
{
	uint64_t lo;
	int      rc;

	while (!oid_number_take(dfs, ret_oid)) {
		lo = 0;
		do
			rc = daos_cont_alloc_oids(dfs->coh, 1, &lo, NULL);
		while (rc == 0 && lo == 0); /* 0 is for what the file system is made of */
		if (rc != 0)
			return daos_der2errno(rc);
		pthread_mutex_lock(&dfs->lock);
		if (dfs->oid_lo == 0 || dfs->oid_hi == UINT32_MAX) { /* else somebody else was faster: lo stays unused */
			dfs->oid_lo = lo;
			dfs->oid_hi = 0;
		}
		pthread_mutex_unlock(&dfs->lock);
	}
	return 0;
}

int
dfs_oid_new(dfs_t *dfs, const dfs_obj_t *parent, mode_t type, daos_oclass_id_t cid,
	    daos_obj_id_t *ret_oid)
{
	daos_obj_id_t oid;
	int           rc;

	rc = oid_number(dfs, &oid);
	if (rc == 0)
		rc = dfs_oid_class(dfs, parent, type, cid, &oid);
	if (rc == 0)
		*ret_oid = oid;
	return rc;
}

int
dfs_suggest_oclass(dfs_t *dfs, const char *hint, daos_oclass_id_t *cid)
{
	daos_oclass_hints_t file = 0, dir = 0;
	daos_obj_id_t       oid  = {0};
	int                 rc;

	if (dfs == NULL || hint == NULL || cid == NULL)
		return EINVAL;
	rc = hint_parse_one(hint, strlen(hint), &file, &dir);
	if (rc == 0)
		rc = daos_der2errno(daos_obj_generate_oid(
		    dfs->coh, &oid, file != 0 ? DAOS_OT_ARRAY_BYTE : DAOS_OT_MULTI_HASHED, OC_UNKNOWN,
		    file != 0 ? file : dir, 0));
	if (rc == 0)
		*cid = daos_obj_id2class(oid);
	return rc;
}
