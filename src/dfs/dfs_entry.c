/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/**
 * Entries of directories: a dkey each, of the directory's object. Each function below that changes
 * one is a single update or punch of that dkey, hence atomic (dfs_internal.h, invariants 1 and 2).
 */
#include "dfs/dfs_internal.h"

#include "object/obj_client.h"

static void
key_set(d_iov_t *key, const char *name)
{
	d_iov_set(key, (char *)name, strlen(name));
}

/** A descriptor of the whole inode; @iov of DFS_INODE_BYTES. */
static void
inode_iod(daos_iod_t *iod, daos_recx_t *recx)
{
	*recx = (daos_recx_t){.rx_idx = 0, .rx_nr = DFS_INODE_BYTES};
	*iod  = (daos_iod_t){.iod_type = DAOS_IOD_ARRAY, .iod_size = 1, .iod_nr = 1, .iod_recxs = recx};
	key_set(&iod->iod_name, DFS_INODE_AKEY);
}

static void
single_iod(daos_iod_t *iod, const char *akey, daos_size_t bytes)
{
	*iod = (daos_iod_t){.iod_type = DAOS_IOD_SINGLE, .iod_size = bytes, .iod_nr = 1};
	key_set(&iod->iod_name, akey);
}

static void
sgl_set(d_sg_list_t *sgl, d_iov_t *iov, const void *buf, size_t bytes)
{
	d_iov_set(iov, (void *)buf, bytes);
	*sgl = (d_sg_list_t){.sg_nr = bytes > 0, .sg_iovs = iov};
}

/** The text of a link must be as long as the inode says: both are written together. */
static int
take_value(struct dfs_entry *entry, const char *buf, daos_size_t bytes)
{
	if (!S_ISLNK(entry->mode))
		return 0;
	if (bytes == 0 || bytes != entry->size || memchr(buf, 0, bytes) != NULL)
		return EIO;
	entry->value = strndup(buf, bytes);
	return entry->value == NULL ? ENOMEM : 0;
}

int
dfs_entry_fetch(daos_handle_t parent_oh, const char *name, bool value, struct dfs_entry *ret_entry)
{
	uint8_t          bytes[DFS_INODE_BYTES] = {0};
	char             buf[DFS_MAX_PATH];
	daos_iod_t       iods[2];
	d_sg_list_t      sgls[2];
	d_iov_t          iovs[2], dkey;
	daos_recx_t      recx;
	struct dfs_entry entry;
	int              rc;

	key_set(&dkey, name);
	inode_iod(&iods[0], &recx);
	sgl_set(&sgls[0], &iovs[0], bytes, sizeof(bytes));
	single_iod(&iods[1], DFS_SLINK_AKEY, DAOS_REC_ANY);
	sgl_set(&sgls[1], &iovs[1], buf, sizeof(buf));
	rc = daos_obj_fetch(parent_oh, DAOS_TX_NONE, 0, &dkey, value ? 2 : 1, iods, sgls, NULL, NULL);
	if (rc == -DER_NONEXIST || (rc == 0 && iods[0].iod_size == 0))
		return ENOENT;
	if (rc != 0)
		return daos_der2errno(rc);
	rc = iods[0].iod_size == 1 ? dfs_inode_decode(bytes, &entry) : EIO;
	if (rc == 0 && value)
		rc = take_value(&entry, buf, iods[1].iod_size);
	if (rc == EIO)
		D_ERROR("directory entry \"%s\" is damaged: its inode makes no sense\n", name);
	if (rc == 0)
		*ret_entry = entry;
	return rc;
}

int
dfs_entry_insert(daos_handle_t parent_oh, const char *name, const struct dfs_entry *entry)
{
	uint8_t     bytes[DFS_INODE_BYTES];
	bool        link = S_ISLNK(entry->mode);
	daos_iod_t  iods[2];
	d_sg_list_t sgls[2];
	d_iov_t     iovs[2], dkey;
	daos_recx_t recx;

	dfs_inode_encode(entry, bytes);
	key_set(&dkey, name);
	inode_iod(&iods[0], &recx);
	sgl_set(&sgls[0], &iovs[0], bytes, sizeof(bytes));
	if (link) {
		single_iod(&iods[1], DFS_SLINK_AKEY, entry->size);
		sgl_set(&sgls[1], &iovs[1], entry->value, entry->size);
	}
	return daos_der2errno(daos_obj_update(parent_oh, DAOS_TX_NONE, DAOS_COND_DKEY_INSERT, &dkey,
					      link ? 2 : 1, iods, sgls, NULL));
}

int
dfs_entry_change(daos_handle_t parent_oh, const char *name, uint32_t fields,
		 const struct dfs_entry *entry)
{
	uint8_t     bytes[DFS_INODE_BYTES];
	daos_recx_t recxs[DFS_F_NR];
	d_iov_t     iovs[DFS_F_NR], dkey;
	d_sg_list_t sgl = {.sg_iovs = iovs};
	daos_iod_t  iod;

	if (fields == 0)
		return 0;
	dfs_inode_encode(entry, bytes);
	key_set(&dkey, name);
	inode_iod(&iod, recxs);
	iod.iod_nr = 0;
	for (unsigned i = 0; i < DFS_F_NR; i++) {
		daos_recx_t *recx = &recxs[iod.iod_nr];

		if (!(fields & (1u << i)))
			continue;
		dfs_field_extent((enum dfs_field)i, recx);
		d_iov_set(&iovs[iod.iod_nr++], bytes + recx->rx_idx, recx->rx_nr);
	}
	sgl.sg_nr = iod.iod_nr;
	return daos_der2errno(daos_obj_update(parent_oh, DAOS_TX_NONE, DAOS_COND_DKEY_UPDATE, &dkey, 1,
					      &iod, &sgl, NULL));
}

int
dfs_entry_remove(daos_handle_t parent_oh, const char *name)
{
	d_iov_t dkey;

	key_set(&dkey, name);
	return daos_der2errno(daos_obj_punch_dkeys(parent_oh, DAOS_TX_NONE, DAOS_COND_PUNCH, 1, &dkey, NULL));
}

/* ---- images ---- */

struct image_xattr {
	char       *akey; /**< with its prefix */
	void       *value;
	daos_size_t bytes;
};

struct dfs_entry_image {
	struct dfs_entry    entry;
	struct image_xattr *xattrs;
	uint32_t            xattr_nr;
};

struct dfs_entry *
dfs_image_entry(struct dfs_entry_image *image)
{
	return &image->entry;
}

void
dfs_image_free(struct dfs_entry_image *image)
{
	if (image == NULL)
		return;
	for (uint32_t i = 0; i < image->xattr_nr; i++) {
		free(image->xattrs[i].akey);
		free(image->xattrs[i].value);
	}
	free(image->xattrs);
	free(image->entry.value);
	free(image);
}

static int
image_add_xattr(void *arg, const char *akey, daos_size_t bytes)
{
	struct dfs_entry_image *image = arg;
	struct image_xattr     *x;

	x = realloc(image->xattrs, (image->xattr_nr + 1) * sizeof(*x));
	if (x == NULL)
		return ENOMEM;
	image->xattrs = x;
	x += image->xattr_nr;
	*x = (struct image_xattr){.akey = strdup(akey), .value = malloc(bytes), .bytes = bytes};
	image->xattr_nr++;
	return x->akey == NULL || x->value == NULL ? ENOMEM : 0;
}

static int
image_load_values(daos_handle_t oh, const char *name, struct dfs_entry_image *image)
{
	for (uint32_t i = 0; i < image->xattr_nr; i++) {
		struct image_xattr *x = &image->xattrs[i];
		daos_iod_t          iod;
		d_sg_list_t         sgl;
		d_iov_t             iov, dkey;
		int                 rc;

		key_set(&dkey, name);
		single_iod(&iod, x->akey, DAOS_REC_ANY);
		sgl_set(&sgl, &iov, x->value, x->bytes);
		rc = daos_obj_fetch(oh, DAOS_TX_NONE, 0, &dkey, 1, &iod, &sgl, NULL, NULL);
		if (rc != 0)
			return daos_der2errno(rc);
		x->bytes = iod.iod_size; /* 0: it was removed meanwhile, writing it punches */
	}
	return 0;
}

int
dfs_image_load(daos_handle_t parent_oh, const char *name, struct dfs_entry_image **ret_image)
{
	struct dfs_entry_image *image = calloc(1, sizeof(*image));
	int                     rc;

	if (image == NULL)
		return ENOMEM;
	rc = dfs_entry_fetch(parent_oh, name, true, &image->entry);
	if (rc == 0)
		rc = dfs_xattr_each(parent_oh, name, image_add_xattr, image);
	if (rc == 0)
		rc = image_load_values(parent_oh, name, image);
	if (rc == 0)
		*ret_image = image;
	else
		dfs_image_free(image);
	return rc;
}

static bool
image_has(const struct dfs_entry_image *image, const char *akey)
{
	for (uint32_t i = 0; i < image->xattr_nr; i++)
		if (strcmp(image->xattrs[i].akey, akey) == 0)
			return true;
	return false;
}

/** Write @image; what @old has beyond it is punched in the same update. */
static int
image_write(daos_handle_t oh, const char *name, uint64_t cond, struct dfs_entry_image *image,
	    const struct dfs_entry_image *old)
{
	uint32_t     room = image->xattr_nr + (old == NULL ? 0 : old->xattr_nr) + 2, nr = 0;
	daos_iod_t  *iods = calloc(room, sizeof(*iods));
	d_sg_list_t *sgls = calloc(room, sizeof(*sgls));
	d_iov_t     *iovs = calloc(room, sizeof(*iovs));
	uint8_t      bytes[DFS_INODE_BYTES];
	bool         link = S_ISLNK(image->entry.mode);
	daos_recx_t  recx;
	d_iov_t      dkey;
	int          rc = ENOMEM;

	if (iods == NULL || sgls == NULL || iovs == NULL)
		goto out;
	key_set(&dkey, name);
	dfs_inode_encode(&image->entry, bytes);
	inode_iod(&iods[nr], &recx);
	sgl_set(&sgls[nr], &iovs[nr], bytes, sizeof(bytes));
	nr++;
	if (link || (old != NULL && S_ISLNK(old->entry.mode))) {
		single_iod(&iods[nr], DFS_SLINK_AKEY, link ? image->entry.size : 0);
		sgl_set(&sgls[nr], &iovs[nr], image->entry.value, link ? image->entry.size : 0);
		nr++;
	}
	for (uint32_t i = 0; i < image->xattr_nr; i++, nr++) {
		single_iod(&iods[nr], image->xattrs[i].akey, image->xattrs[i].bytes);
		sgl_set(&sgls[nr], &iovs[nr], image->xattrs[i].value, image->xattrs[i].bytes);
	}
	for (uint32_t i = 0; old != NULL && i < old->xattr_nr; i++)
		if (!image_has(image, old->xattrs[i].akey))
			single_iod(&iods[nr++], old->xattrs[i].akey, 0);
	rc = daos_der2errno(daos_obj_update(oh, DAOS_TX_NONE, cond, &dkey, nr, iods, sgls, NULL));
out:
	free(iods);
	free(sgls);
	free(iovs);
	return rc;
}

int
dfs_image_insert(daos_handle_t parent_oh, const char *name, struct dfs_entry_image *image)
{
	return image_write(parent_oh, name, DAOS_COND_DKEY_INSERT, image, NULL);
}

int
dfs_image_replace(daos_handle_t parent_oh, const char *name, struct dfs_entry_image *image,
		  const struct dfs_entry_image *old)
{
	return image_write(parent_oh, name, DAOS_COND_DKEY_UPDATE, image, old);
}
