/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/** Open objects: making, closing, asking. Opening an object of the store is local: no request. */
#include "dfs/dfs_internal.h"

int
dfs_open_mode(int flags, unsigned int *ret_mode)
{
	switch (flags & O_ACCMODE) {
	case O_RDONLY:
		*ret_mode = DAOS_OO_RO;
		return 0;
	case O_WRONLY: /* a partial write of a page may have to read */
	case O_RDWR:
		*ret_mode = DAOS_OO_RW;
		return 0;
	}
	return EINVAL;
}

int
dfs_name_check(const char *name)
{
	if (name == NULL || name[0] == '\0' || strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
		return EINVAL;
	if (strnlen(name, DFS_MAX_NAME + 1) > DFS_MAX_NAME)
		return ENAMETOOLONG;
	return strchr(name, '/') == NULL ? 0 : EINVAL;
}

int
dfs_parent_check(dfs_t *dfs, dfs_obj_t **parent)
{
	if (dfs == NULL)
		return EINVAL;
	if (*parent == NULL)
		*parent = &dfs->root;
	if ((*parent)->dfs != dfs)
		return EINVAL;
	return S_ISDIR((*parent)->mode) ? 0 : ENOTDIR;
}

int
dfs_parent_open(dfs_t *dfs, const dfs_obj_t *obj, bool write, daos_handle_t *ret_oh)
{
	return daos_der2errno(daos_obj_open(dfs->coh, obj->parent_oid, write ? DAOS_OO_RW : DAOS_OO_RO,
					    ret_oh, NULL));
}

/** Open the store's object of @obj, if its type has one. */
static int
obj_open_handle(dfs_obj_t *obj)
{
	dfs_t       *dfs = obj->dfs;
	unsigned int mode;
	int          rc;

	rc = dfs_open_mode(obj->flags, &mode);
	if (rc != 0)
		return rc;
	if (mode == DAOS_OO_RW && !dfs->writable)
		return EPERM;
	if (S_ISREG(obj->mode))
		rc = daos_array_open_with_attr(dfs->coh, obj->oid, DAOS_TX_NONE, mode, 1, obj->chunk_size,
					       &obj->oh, NULL);
	else if (S_ISDIR(obj->mode))
		rc = daos_obj_open(dfs->coh, obj->oid, mode, &obj->oh, NULL);
	return daos_der2errno(rc);
}

int
dfs_obj_close_handle(dfs_obj_t *obj)
{
	daos_handle_t oh = obj->oh;

	obj->oh = DAOS_HDL_INVAL;
	if (daos_handle_is_inval(oh))
		return 0;
	return daos_der2errno(S_ISREG(obj->mode) ? daos_array_close(oh, NULL) : daos_obj_close(oh, NULL));
}

int
dfs_obj_from_entry(dfs_t *dfs, daos_obj_id_t parent_oid, const char *name, int flags,
		   const struct dfs_entry *entry, dfs_obj_t **ret_obj)
{
	dfs_obj_t *obj = calloc(1, sizeof(*obj));
	int        rc;

	if (obj == NULL)
		return ENOMEM;
	obj->dfs        = dfs;
	obj->oid        = entry->oid;
	obj->mode       = entry->mode;
	obj->flags      = flags & O_ACCMODE;
	obj->chunk_size = entry->chunk_size;
	obj->oclass     = entry->oclass;
	obj->parent_oid = parent_oid;
	snprintf(obj->name, sizeof(obj->name), "%s", name);
	if (S_ISREG(obj->mode) && obj->chunk_size == 0)
		obj->chunk_size = dfs->attr.da_chunk_size;
	if (entry->value != NULL) {
		obj->value = strdup(entry->value);
		if (obj->value == NULL) {
			free(obj);
			return ENOMEM;
		}
	}
	rc = obj_open_handle(obj);
	if (rc == 0) {
		*ret_obj = obj;
		return 0;
	}
	free(obj->value);
	free(obj);
	return rc;
}

int
dfs_dup(dfs_t *dfs, dfs_obj_t *obj, int flags, dfs_obj_t **new_obj)
{
	struct dfs_entry entry;

	if (dfs == NULL || obj == NULL || new_obj == NULL)
		return EINVAL;
	entry = (struct dfs_entry){.mode       = obj->mode,
				   .oid        = obj->oid,
				   .chunk_size = obj->chunk_size,
				   .oclass     = obj->oclass,
				   .value      = obj->value};
	return dfs_obj_from_entry(dfs, obj->parent_oid, obj->name, flags, &entry, new_obj);
}

int
dfs_release(dfs_obj_t *obj)
{
	int rc;

	if (obj == NULL || obj == &obj->dfs->root)
		return EINVAL;
	rc = dfs_obj_close_handle(obj);
	free(obj->value);
	free(obj);
	return rc;
}

int
dfs_update_parent(dfs_obj_t *obj, dfs_obj_t *src_obj, const char *name)
{
	int rc = name == NULL ? 0 : dfs_name_check(name);

	if (obj == NULL || src_obj == NULL || rc != 0)
		return EINVAL;
	obj->parent_oid = src_obj->parent_oid;
	if (name != NULL)
		snprintf(obj->name, sizeof(obj->name), "%s", name);
	return 0;
}

void
dfs_obj_rename(dfs_obj_t *obj, const dfs_obj_t *parent, const char *name)
{
	obj->parent_oid = parent->oid;
	snprintf(obj->name, sizeof(obj->name), "%s", name);
}

/* ---- asking; none of these sends a request but the two that set ---- */

int
dfs_obj2id(dfs_obj_t *obj, daos_obj_id_t *oid)
{
	if (obj == NULL || oid == NULL)
		return EINVAL;
	*oid = obj->oid;
	return 0;
}

int
dfs_get_mode(dfs_obj_t *obj, mode_t *mode)
{
	if (obj == NULL || mode == NULL)
		return EINVAL;
	*mode = obj->mode;
	return 0;
}

int
dfs_get_file_oh(dfs_obj_t *obj, daos_handle_t *oh)
{
	if (obj == NULL || oh == NULL || !S_ISREG(obj->mode))
		return EINVAL;
	*oh = obj->oh;
	return 0;
}

int
dfs_get_chunk_size(dfs_obj_t *obj, daos_size_t *chunk_size)
{
	if (obj == NULL || chunk_size == NULL || !S_ISREG(obj->mode))
		return EINVAL;
	*chunk_size = obj->chunk_size;
	return 0;
}

int
dfs_get_symlink_value(dfs_obj_t *obj, char *buf, daos_size_t *size)
{
	daos_size_t bytes;

	if (obj == NULL || size == NULL || obj->value == NULL)
		return EINVAL;
	bytes = strlen(obj->value) + 1;
	if (buf != NULL && *size > 0)
		memcpy(buf, obj->value, MIN_OF(*size, bytes));
	*size = bytes;
	return 0;
}

int
dfs_obj_get_info(dfs_t *dfs, dfs_obj_t *obj, dfs_obj_info_t *info)
{
	daos_obj_id_t oid;
	int           rc = 0;

	if (dfs == NULL || obj == NULL || info == NULL)
		return EINVAL;
	*info = (dfs_obj_info_t){.doi_oid = obj->oid, .doi_oclass_id = daos_obj_id2class(obj->oid)};
	if (S_ISREG(obj->mode))
		info->doi_chunk_size = obj->chunk_size;
	if (!S_ISDIR(obj->mode))
		return 0;
	info->doi_chunk_size = obj->chunk_size != 0 ? obj->chunk_size : dfs->attr.da_chunk_size;
	rc = dfs_oid_class(dfs, obj, S_IFDIR, 0, &oid);
	if (rc == 0) {
		info->doi_dir_oclass_id = daos_obj_id2class(oid);
		rc                      = dfs_oid_class(dfs, obj, S_IFREG, 0, &oid);
	}
	if (rc == 0)
		info->doi_file_oclass_id = daos_obj_id2class(oid);
	return rc;
}

static int
set_entry_field(dfs_t *dfs, dfs_obj_t *obj, uint32_t field, const struct dfs_entry *entry)
{
	daos_handle_t oh;
	int           rc;

	rc = dfs_write_check(dfs);
	if (rc == 0)
		rc = dfs_parent_open(dfs, obj, true, &oh);
	if (rc != 0)
		return rc;
	rc = dfs_entry_change(oh, obj->name, field, entry);
	daos_obj_close(oh, NULL);
	return rc;
}

int
dfs_obj_set_oclass(dfs_t *dfs, dfs_obj_t *obj, int flags, daos_oclass_id_t cid)
{
	struct dfs_entry entry = {.oclass = cid};
	int              rc;

	(void)flags;
	if (dfs == NULL || obj == NULL)
		return EINVAL;
	if (!S_ISDIR(obj->mode))
		return ENOTSUP;
	rc = set_entry_field(dfs, obj, DFS_FIELD(OCLASS), &entry);
	if (rc == 0)
		obj->oclass = cid;
	return rc;
}

int
dfs_obj_set_chunk_size(dfs_t *dfs, dfs_obj_t *obj, int flags, daos_size_t csize)
{
	struct dfs_entry entry = {.chunk_size = csize};
	daos_size_t      size  = 0;
	int              rc    = 0;

	(void)flags;
	if (dfs == NULL || obj == NULL || (csize == 0 && !S_ISDIR(obj->mode)))
		return EINVAL;
	if (S_ISREG(obj->mode))
		rc = dfs_get_size(dfs, obj, &size);
	else if (!S_ISDIR(obj->mode))
		return ENOTSUP;
	if (rc == 0 && size > 0)
		return EINVAL; /* data lies where the old size put it */
	if (rc == 0)
		rc = set_entry_field(dfs, obj, DFS_FIELD(CHUNK_SIZE), &entry);
	if (rc == 0 && S_ISREG(obj->mode))
		rc = daos_der2errno(daos_array_update_chunk_size(obj->oh, csize));
	if (rc == 0)
		obj->chunk_size = csize;
	return rc;
}

const char *
dfs_obj_where(const dfs_obj_t *obj, daos_obj_id_t *ret_parent)
{
	*ret_parent = obj->parent_oid;
	return obj->name;
}
