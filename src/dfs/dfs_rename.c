/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/**
 * Renaming, without transactions over several directories. A rename is two atomic steps:
 *
 *     1. the new name is inserted, or what it names is replaced, in one conditional update;
 *     2. the old name is punched, on the condition that it is there.
 *
 * A crash between them leaves both names for one file; renaming again, or removing one with
 * dfs_unlink() of that name, ends it: a rename onto another name of the same file is step 2 alone.
 * Who finds in step 2 that the old name is gone lost against another rename or unlink of it; the new
 * name is taken back if it was a new one, and the answer is ENOENT. That step 2 had to be sent again is
 * no such case: the object service knows its own work (object/obj_resend.h).
 *
 * An exchange goes through a third name, so that at each moment each file has at least one:
 *
 *     1. insert ".dfs-exchange-<ID>" for A   2. name A := B   3. name B := A   4. punch the third
 */
#include "base/planted.h"
#include "dfs/dfs_internal.h"

#include <inttypes.h>
#include <stdio.h>

struct move {
	dfs_t                  *dfs;
	dfs_obj_t              *parent, *new_parent;
	const char             *name, *new_name;
	bool                    no_replace;
	struct dfs_entry_image *src, *dst; /* dst NULL: a new name */
};

static bool
same_oid(daos_obj_id_t a, daos_obj_id_t b)
{
	return a.hi == b.hi && a.lo == b.lo;
}

/** Remove a name of something that has another; that it may stay harms nobody. */
static void
drop_name(dfs_obj_t *parent, const char *name)
{
	int rc = dfs_entry_remove(parent->oh, name);

	if (rc != 0 && rc != ENOENT)
		D_WARN("\"%s\" remains as a second name of a file: %s; remove it with "
		       "'mv' onto the first\n", name, strerror(rc));
}

static int
names_check(dfs_t *dfs, dfs_obj_t **p1, const char *name1, dfs_obj_t **p2, const char *name2)
{
	int rc = dfs_parent_check(dfs, p1);

	if (rc == 0)
		rc = dfs_parent_check(dfs, p2);
	if (rc == 0)
		rc = dfs_name_check(name1);
	if (rc == 0)
		rc = dfs_name_check(name2);
	return rc == 0 ? dfs_write_check(dfs) : rc;
}

/** May the one replace the other? */
static int
replace_check(struct move *m)
{
	mode_t src   = dfs_image_entry(m->src)->mode;
	mode_t dst   = dfs_image_entry(m->dst)->mode;
	bool   empty = true;
	int    rc    = 0;

	if (S_ISDIR(dst) && !S_ISDIR(src))
		return EISDIR;
	if (!S_ISDIR(dst) && S_ISDIR(src))
		return ENOTDIR;
	if (S_ISDIR(dst))
		rc = dfs_dir_is_empty(m->dfs, dfs_image_entry(m->dst)->oid, &empty);
	if (rc == 0 && !empty)
		rc = ENOTEMPTY;
	return rc;
}

/** Step 1. EAGAIN: the new name came or went meanwhile. */
static int
move_step1(struct move *m)
{
	int rc;

	dfs_image_free(m->dst);
	m->dst = NULL;
	rc     = dfs_image_load(m->new_parent->oh, m->new_name, &m->dst);
	if (rc == ENOENT) {
		rc = dfs_image_insert(m->new_parent->oh, m->new_name, m->src);
		return rc == EEXIST ? EAGAIN : rc;
	}
	if (rc != 0)
		return rc;
	if (m->no_replace)
		return EEXIST;
	if (same_oid(dfs_image_entry(m->src)->oid, dfs_image_entry(m->dst)->oid))
		return 0;
	rc = replace_check(m);
	if (rc == 0) {
		rc = dfs_image_replace(m->new_parent->oh, m->new_name, m->src, m->dst);
		rc = rc == ENOENT ? EAGAIN : rc;
	}
	return rc;
}

static int
move_run(struct move *m)
{
	int rc;

	rc = dfs_image_load(m->parent->oh, m->name, &m->src);
	if (rc != 0)
		return rc;
	if (same_oid(m->parent->oid, m->new_parent->oid) && strcmp(m->name, m->new_name) == 0)
		return m->no_replace ? EEXIST : 0;
	if (same_oid(dfs_image_entry(m->src)->oid, m->new_parent->oid))
		return EINVAL; /* into itself */
	dfs_image_entry(m->src)->ctime = dfs_now();
	if (D_PLANTED(D_PLANTED_RENAME)) {
		rc = dfs_entry_remove(m->parent->oh, m->name);
		return rc != 0 ? rc : move_step1(m);
	}
	rc                             = EAGAIN;
	for (unsigned tries = 0; rc == EAGAIN && tries < 100; tries++)
		rc = move_step1(m);
	if (rc != 0)
		return rc == EAGAIN ? EBUSY : rc;
	rc = dfs_entry_remove(m->parent->oh, m->name);
	if (rc == ENOENT && m->dst == NULL)
		drop_name(m->new_parent, m->new_name);
	return rc;
}

int
dfs_rename(dfs_t *dfs, dfs_obj_t *parent, const char *name, dfs_obj_t *new_parent,
	   const char *new_name, unsigned int flags, daos_obj_id_t *ret_oid,
	   struct dfs_gone *ret_gone)
{
	struct move     m    = {.dfs = dfs, .name = name, .new_name = new_name};
	struct dfs_gone gone = {0};
	int             rc;

	if (flags & ~(unsigned int)RENAME_NOREPLACE)
		return EINVAL;
	rc = names_check(dfs, &parent, name, &new_parent, new_name);
	if (rc != 0)
		return rc;
	m.parent     = parent;
	m.new_parent = new_parent;
	m.no_replace = flags & RENAME_NOREPLACE;
	rc           = move_run(&m);
	if (rc == 0 && m.dst != NULL &&
	    !same_oid(dfs_image_entry(m.src)->oid, dfs_image_entry(m.dst)->oid))
		gone = (struct dfs_gone){.oid   = dfs_image_entry(m.dst)->oid,
					 .mode  = dfs_image_entry(m.dst)->mode,
					 .found = true};
	if (rc == 0) {
		*ret_oid  = dfs_image_entry(m.src)->oid;
		*ret_gone = gone;
	}
	dfs_image_free(m.src);
	dfs_image_free(m.dst);
	return rc;
}

int
dfs_move(dfs_t *dfs, dfs_obj_t *parent, const char *name, dfs_obj_t *new_parent,
	 const char *new_name, daos_obj_id_t *oid)
{
	struct dfs_gone gone;
	daos_obj_id_t   moved;
	int             rc;

	rc = dfs_rename(dfs, parent, name, new_parent, new_name, 0, &moved, &gone);
	if (rc == 0)
		rc = dfs_gone_destroy(dfs, &gone);
	if (rc == 0 && oid != NULL)
		*oid = gone.oid;
	return rc;
}

/* ---- exchange ---- */

static int
exchange_run(dfs_obj_t *parent1, const char *name1, struct dfs_entry_image *a, dfs_obj_t *parent2,
	     const char *name2, struct dfs_entry_image *b)
{
	daos_obj_id_t oid = dfs_image_entry(a)->oid;
	char          third[DFS_MAX_NAME + 1];
	int           rc;

	snprintf(third, sizeof(third), ".dfs-exchange-%016" PRIx64 "%016" PRIx64, oid.lo, oid.hi);
	dfs_image_entry(a)->ctime = dfs_image_entry(b)->ctime = dfs_now();
	rc = dfs_image_insert(parent1->oh, third, a);
	if (rc == EEXIST)
		rc = 0; /* of an exchange that was interrupted: it names A already */
	if (rc != 0)
		return rc;
	rc = dfs_image_replace(parent1->oh, name1, b, a);
	if (rc == 0) {
		rc = dfs_image_replace(parent2->oh, name2, a, b);
		if (rc != 0 && dfs_image_replace(parent1->oh, name1, a, b) != 0)
			return rc; /* the third name stays: it may be the only one */
	}
	drop_name(parent1, third);
	return rc;
}

int
dfs_exchange(dfs_t *dfs, dfs_obj_t *parent1, const char *name1, dfs_obj_t *parent2,
	     const char *name2)
{
	struct dfs_entry_image *a = NULL, *b = NULL;
	int                     rc;

	rc = names_check(dfs, &parent1, name1, &parent2, name2);
	if (rc == 0)
		rc = dfs_image_load(parent1->oh, name1, &a);
	if (rc == 0)
		rc = dfs_image_load(parent2->oh, name2, &b);
	if (rc == 0 && !same_oid(dfs_image_entry(a)->oid, dfs_image_entry(b)->oid))
		rc = exchange_run(parent1, name1, a, parent2, name2, b);
	dfs_image_free(a);
	dfs_image_free(b);
	return rc;
}
