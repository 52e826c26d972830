/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/**
 * Extended attributes: akeys "x:" + name of the entry's dkey, single values of a tag byte and the
 * attribute's bytes, so that an empty attribute is not an empty value, which would be none.
 */
#include "dfs/dfs_internal.h"

#include <sys/xattr.h>

#define XATTR_AKEY_BYTES (sizeof(DFS_XATTR_PREFIX) + DFS_MAX_XATTR_NAME)
#define XATTR_LIST_NR    64

static int
akey_make(const char *name, char akey[XATTR_AKEY_BYTES])
{
	if (name == NULL || name[0] == '\0')
		return EINVAL;
	if (strnlen(name, DFS_MAX_XATTR_NAME + 1) > DFS_MAX_XATTR_NAME)
		return ERANGE;
	snprintf(akey, XATTR_AKEY_BYTES, "%s%s", DFS_XATTR_PREFIX, name);
	return 0;
}

/* ---- listing ---- */

/** Of @names [nr], those that have a value. */
static int
each_with_value(daos_handle_t oh, d_iov_t *dkey, char (*names)[XATTR_AKEY_BYTES], uint32_t nr,
		dfs_xattr_cb_t cb, void *arg)
{
	daos_iod_t iods[XATTR_LIST_NR];
	int        rc;

	for (uint32_t i = 0; i < nr; i++) {
		iods[i] = (daos_iod_t){.iod_type = DAOS_IOD_SINGLE, .iod_size = DAOS_REC_ANY, .iod_nr = 1};
		d_iov_set(&iods[i].iod_name, names[i], strlen(names[i]));
	}
	rc = nr == 0 ? 0
		     : daos_der2errno(
			   daos_obj_fetch(oh, DAOS_TX_NONE, 0, dkey, nr, iods, NULL, NULL, NULL));
	for (uint32_t i = 0; rc == 0 && i < nr; i++)
		if (iods[i].iod_size > 0)
			rc = cb(arg, names[i], iods[i].iod_size);
	return rc;
}

/** The akeys of a listing that are attributes. */
static uint32_t
take_names(const daos_key_desc_t *kds, uint32_t nr, const char *buf,
	   char (*names)[XATTR_AKEY_BYTES])
{
	const size_t prefix = strlen(DFS_XATTR_PREFIX);
	uint32_t     taken  = 0;

	for (uint32_t i = 0; i < nr; buf += kds[i].kd_key_len, i++) {
		size_t len = kds[i].kd_key_len;

		if (len <= prefix || len >= XATTR_AKEY_BYTES ||
		    memcmp(buf, DFS_XATTR_PREFIX, prefix) != 0)
			continue;
		memcpy(names[taken], buf, len);
		names[taken++][len] = '\0';
	}
	return taken;
}

int
dfs_xattr_each(daos_handle_t parent_oh, const char *name, dfs_xattr_cb_t cb, void *arg)
{
	const size_t buf_bytes = XATTR_LIST_NR * XATTR_AKEY_BYTES;
	char (*names)[XATTR_AKEY_BYTES] = malloc(2 * buf_bytes);
	char           *buf    = (char *)names + buf_bytes;
	daos_anchor_t   anchor = DAOS_ANCHOR_INIT;
	daos_key_desc_t kds[XATTR_LIST_NR];
	d_iov_t         dkey, iov;
	int             rc = 0;

	if (names == NULL)
		return ENOMEM;
	d_iov_set(&dkey, (char *)name, strlen(name));
	while (rc == 0 && !daos_anchor_is_eof(&anchor)) {
		uint32_t    nr  = XATTR_LIST_NR;
		d_sg_list_t sgl = {.sg_nr = 1, .sg_iovs = &iov};

		d_iov_set(&iov, buf, buf_bytes);
		rc = daos_der2errno(daos_obj_list_akey(parent_oh, DAOS_TX_NONE, &dkey, &nr, kds, &sgl,
						       &anchor, NULL));
		if (rc == 0)
			rc = each_with_value(parent_oh, &dkey, names,
					     take_names(kds, nr, buf, names), cb, arg);
	}
	free(names);
	return rc;
}

struct name_list {
	char       *buf;
	daos_size_t room, bytes;
};

static int
list_add(void *arg, const char *akey, daos_size_t bytes)
{
	struct name_list *list = arg;
	const char       *name = akey + strlen(DFS_XATTR_PREFIX);
	size_t            len  = strlen(name) + 1;

	(void)bytes;
	if (list->bytes + len <= list->room)
		memcpy(list->buf + list->bytes, name, len);
	list->bytes += len;
	return 0;
}

int
dfs_listxattr(dfs_t *dfs, dfs_obj_t *obj, char *list, daos_size_t *size)
{
	struct name_list names;
	daos_handle_t    oh;
	int              rc;

	if (dfs == NULL || obj == NULL || size == NULL)
		return EINVAL;
	names = (struct name_list){.buf = list, .room = list == NULL ? 0 : *size};
	rc    = dfs_parent_open(dfs, obj, false, &oh);
	if (rc != 0)
		return rc;
	rc = dfs_xattr_each(oh, obj->name, list_add, &names);
	daos_obj_close(oh, NULL);
	if (rc != 0)
		return rc;
	rc    = *size != 0 && names.bytes > names.room ? ERANGE : 0;
	*size = names.bytes;
	return rc;
}

/* ---- one attribute ---- */

int
dfs_getxattr(dfs_t *dfs, dfs_obj_t *obj, const char *name, void *value, daos_size_t *size)
{
	char          akey[XATTR_AKEY_BYTES];
	uint8_t       tag;
	d_iov_t       dkey, iovs[2];
	d_sg_list_t   sgl = {.sg_nr = 2, .sg_iovs = iovs};
	daos_iod_t    iod = {.iod_type = DAOS_IOD_SINGLE, .iod_size = DAOS_REC_ANY, .iod_nr = 1};
	daos_handle_t oh;
	int           rc;

	if (dfs == NULL || obj == NULL || size == NULL || (value == NULL && *size > 0))
		return EINVAL;
	rc = akey_make(name, akey);
	if (rc == 0)
		rc = dfs_parent_open(dfs, obj, false, &oh);
	if (rc != 0)
		return rc;
	d_iov_set(&dkey, obj->name, strlen(obj->name));
	d_iov_set(&iod.iod_name, akey, strlen(akey));
	d_iov_set(&iovs[0], &tag, 1);
	d_iov_set(&iovs[1], value, *size);
	sgl.sg_nr = *size > 0 ? 2 : 1;
	rc = daos_obj_fetch(oh, DAOS_TX_NONE, 0, &dkey, 1, &iod, *size > 0 ? &sgl : NULL, NULL, NULL);
	daos_obj_close(oh, NULL);
	if (rc == -DER_REC2BIG && iod.iod_size > 0) {
		*size = iod.iod_size - 1;
		return ERANGE;
	}
	if (rc == -DER_NONEXIST || (rc == 0 && iod.iod_size == 0))
		return ENODATA;
	if (rc == 0)
		*size = iod.iod_size - 1;
	return daos_der2errno(rc);
}

static int
set_args_check(dfs_t *dfs, dfs_obj_t *obj, const void *value, daos_size_t size, int flags)
{
	if (dfs == NULL || obj == NULL || (value == NULL && size > 0) ||
	    (flags & ~(XATTR_CREATE | XATTR_REPLACE)) || flags == (XATTR_CREATE | XATTR_REPLACE))
		return EINVAL;
	if (size > DFS_MAX_XATTR_LEN)
		return E2BIG;
	return dfs_write_check(dfs);
}

/** Value and change time in one update, on the condition that the entry is there. */
static int
xattr_update(daos_handle_t oh, dfs_obj_t *obj, const char *akey, const void *value,
	     daos_size_t size, uint64_t akey_cond)
{
	struct dfs_entry entry = {.ctime = dfs_now()};
	uint8_t          bytes[DFS_INODE_BYTES], tag = DFS_XATTR_TAG;
	daos_recx_t      recxs[2];
	d_iov_t          dkey, value_iovs[2], time_iovs[2];
	d_sg_list_t      sgls[2] = {{.sg_nr = size > 0 ? 2 : 1, .sg_iovs = value_iovs},
				    {.sg_nr = 2, .sg_iovs = time_iovs}};
	daos_iod_t       iods[2] = {
		  {.iod_type = DAOS_IOD_SINGLE, .iod_size = size + 1, .iod_nr = 1, .iod_flags = akey_cond},
		  {.iod_type = DAOS_IOD_ARRAY, .iod_size = 1, .iod_nr = 2, .iod_recxs = recxs}};

	dfs_inode_encode(&entry, bytes);
	dfs_field_extent(DFS_F_CTIME, &recxs[0]);
	dfs_field_extent(DFS_F_CTIME_NSEC, &recxs[1]);
	for (unsigned i = 0; i < 2; i++)
		d_iov_set(&time_iovs[i], bytes + recxs[i].rx_idx, recxs[i].rx_nr);
	d_iov_set(&dkey, obj->name, strlen(obj->name));
	d_iov_set(&iods[0].iod_name, (char *)akey, strlen(akey));
	d_iov_set(&iods[1].iod_name, DFS_INODE_AKEY, strlen(DFS_INODE_AKEY));
	d_iov_set(&value_iovs[0], &tag, 1);
	d_iov_set(&value_iovs[1], (void *)value, size);
	return daos_obj_update(oh, DAOS_TX_NONE,
			       DAOS_COND_DKEY_UPDATE | (akey_cond == 0 ? 0 : DAOS_COND_PER_AKEY), &dkey,
			       2, iods, sgls, NULL);
}

int
dfs_setxattr(dfs_t *dfs, dfs_obj_t *obj, const char *name, const void *value, daos_size_t size,
	     int flags)
{
	char          akey[XATTR_AKEY_BYTES];
	uint64_t      cond = 0;
	daos_handle_t oh;
	int           rc;

	rc = set_args_check(dfs, obj, value, size, flags);
	if (rc == 0)
		rc = akey_make(name, akey);
	if (rc == 0)
		rc = dfs_parent_open(dfs, obj, true, &oh);
	if (rc != 0)
		return rc;
	if (flags == XATTR_CREATE)
		cond = DAOS_COND_AKEY_INSERT;
	else if (flags == XATTR_REPLACE)
		cond = DAOS_COND_AKEY_UPDATE;
	rc = xattr_update(oh, obj, akey, value, size, cond);
	daos_obj_close(oh, NULL);
	if (rc == -DER_NONEXIST && flags == XATTR_REPLACE)
		return ENODATA;
	return daos_der2errno(rc);
}

int
dfs_removexattr(dfs_t *dfs, dfs_obj_t *obj, const char *name)
{
	char          akey[XATTR_AKEY_BYTES];
	d_iov_t       dkey, key;
	daos_handle_t oh;
	daos_size_t   size = 0;
	int           rc;

	if (dfs == NULL || obj == NULL)
		return EINVAL;
	rc = dfs_write_check(dfs);
	if (rc == 0)
		rc = akey_make(name, akey);
	if (rc == 0)
		rc = dfs_getxattr(dfs, obj, name, NULL, &size);
	if (rc == 0)
		rc = dfs_parent_open(dfs, obj, true, &oh);
	if (rc != 0)
		return rc;
	d_iov_set(&dkey, obj->name, strlen(obj->name));
	d_iov_set(&key, akey, strlen(akey));
	rc = daos_obj_punch_akeys(oh, DAOS_TX_NONE, DAOS_COND_PUNCH, &dkey, 1, &key, NULL);
	daos_obj_close(oh, NULL);
	return rc == -DER_NONEXIST ? ENODATA : daos_der2errno(rc);
}
