/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/**
 * File systems: creating, mounting, describing. The container's property DAOS_PROP_CO_ROOTS names
 * the super object and the root directory. It is set last when a file system is created: what it
 * names is complete.
 */
#include "dfs/dfs_internal.h"

#include <endian.h>
#include <unistd.h>

/* ---- superblock ---- */

enum sb_field { SB_MAGIC, SB_VERSION, SB_LAYOUT, SB_CHUNK, SB_OCLASS, SB_DIR_OCLASS, SB_FILE_OCLASS,
	SB_MODE, SB_HINTS, SB_NR };

static const struct {
	const char *akey;
	unsigned    bytes;
} sb_fields[SB_NR] = {
    [SB_MAGIC]       = {"DFS_MAGIC", 8},
    [SB_VERSION]     = {"DFS_SB_VERSION", 2},
    [SB_LAYOUT]      = {"DFS_LAYOUT_VERSION", 2},
    [SB_CHUNK]       = {"DFS_CHUNK_SIZE", 8},
    [SB_OCLASS]      = {"DFS_OBJ_CLASS", 4},
    [SB_DIR_OCLASS]  = {"DFS_DIR_OBJ_CLASS", 4},
    [SB_FILE_OCLASS] = {"DFS_FILE_OBJ_CLASS", 4},
    [SB_MODE]        = {"DFS_MODE", 4},
    [SB_HINTS]       = {"DFS_HINTS", DAOS_CONT_HINT_MAX_LEN},
};

struct superblock {
	uint64_t    num[SB_NR]; /* little endian, as stored */
	char        hints[DAOS_CONT_HINT_MAX_LEN];
	daos_iod_t  iods[SB_NR];
	d_sg_list_t sgls[SB_NR];
	d_iov_t     iovs[SB_NR];
	d_iov_t     dkey;
};

static void
sb_prepare(struct superblock *sb)
{
	d_iov_set(&sb->dkey, DFS_SB_DKEY, strlen(DFS_SB_DKEY));
	for (unsigned i = 0; i < SB_NR; i++) {
		sb->iods[i] = (daos_iod_t){
		    .iod_type = DAOS_IOD_SINGLE, .iod_size = sb_fields[i].bytes, .iod_nr = 1};
		d_iov_set(&sb->iods[i].iod_name, (char *)sb_fields[i].akey, strlen(sb_fields[i].akey));
		d_iov_set(&sb->iovs[i], i == SB_HINTS ? (void *)sb->hints : &sb->num[i],
			  sb_fields[i].bytes);
		sb->sgls[i] = (d_sg_list_t){.sg_nr = 1, .sg_iovs = &sb->iovs[i]};
	}
}

static int
sb_insert(daos_handle_t super_oh, const dfs_attr_t *attr)
{
	struct superblock sb = {0};

	sb_prepare(&sb);
	sb.num[SB_MAGIC]       = htole64(DFS_SB_MAGIC);
	sb.num[SB_VERSION]     = htole64(DFS_SB_VERSION);
	sb.num[SB_LAYOUT]      = htole64(DFS_LAYOUT_VERSION);
	sb.num[SB_CHUNK]       = htole64(attr->da_chunk_size);
	sb.num[SB_OCLASS]      = htole64(attr->da_oclass_id);
	sb.num[SB_DIR_OCLASS]  = htole64(attr->da_dir_oclass_id);
	sb.num[SB_FILE_OCLASS] = htole64(attr->da_file_oclass_id);
	sb.num[SB_MODE]        = htole64(attr->da_mode);
	memcpy(sb.hints, attr->da_hints, sizeof(sb.hints));
	return daos_der2errno(daos_obj_update(super_oh, DAOS_TX_NONE, DAOS_COND_DKEY_INSERT, &sb.dkey,
					      SB_NR, sb.iods, sb.sgls, NULL));
}

static int
sb_check(const struct superblock *sb)
{
	if (le64toh(sb->num[SB_MAGIC]) != DFS_SB_MAGIC) {
		D_ERROR("not a file system: the superblock's magic number is %#" PRIx64 "\n",
			le64toh(sb->num[SB_MAGIC]));
		return EINVAL;
	}
	if (le64toh(sb->num[SB_VERSION]) > DFS_SB_VERSION ||
	    le64toh(sb->num[SB_LAYOUT]) != DFS_LAYOUT_VERSION) {
		D_ERROR("file system of superblock version %" PRIu64 ", layout version %" PRIu64
			"; this library knows %u and %u\n", le64toh(sb->num[SB_VERSION]),
			le64toh(sb->num[SB_LAYOUT]), DFS_SB_VERSION, DFS_LAYOUT_VERSION);
		return EPROTO;
	}
	return le64toh(sb->num[SB_CHUNK]) == 0 ? EINVAL : 0;
}

static int
sb_fetch(daos_handle_t super_oh, dfs_attr_t *ret_attr)
{
	struct superblock sb = {0};
	int               rc;

	sb_prepare(&sb);
	for (unsigned i = 0; i < SB_NR; i++)
		sb.iods[i].iod_size = DAOS_REC_ANY;
	rc = daos_obj_fetch(super_oh, DAOS_TX_NONE, 0, &sb.dkey, SB_NR, sb.iods, sb.sgls, NULL, NULL);
	if (rc == -DER_NONEXIST || (rc == 0 && sb.iods[SB_MAGIC].iod_size == 0)) {
		D_ERROR("the super object of the container has no superblock\n");
		return EINVAL;
	}
	if (rc != 0)
		return daos_der2errno(rc);
	rc = sb_check(&sb);
	if (rc != 0)
		return rc;
	sb.hints[sizeof(sb.hints) - 1] = '\0';
	ret_attr->da_chunk_size        = le64toh(sb.num[SB_CHUNK]);
	ret_attr->da_oclass_id         = (daos_oclass_id_t)le64toh(sb.num[SB_OCLASS]);
	ret_attr->da_dir_oclass_id     = (daos_oclass_id_t)le64toh(sb.num[SB_DIR_OCLASS]);
	ret_attr->da_file_oclass_id    = (daos_oclass_id_t)le64toh(sb.num[SB_FILE_OCLASS]);
	ret_attr->da_mode              = (uint32_t)le64toh(sb.num[SB_MODE]);
	memcpy(ret_attr->da_hints, sb.hints, sizeof(sb.hints));
	return 0;
}

int
dfs_super_create(daos_handle_t coh, const struct daos_prop_co_roots *roots, const dfs_attr_t *attr)
{
	struct timespec  now  = dfs_now();
	struct dfs_entry root = {.mode = S_IFDIR | 0755, .oid = roots->cr_oids[1], .mtime = now,
				 .ctime = now, .uid = geteuid(), .gid = getegid()};
	daos_handle_t    oh;
	int              rc;

	rc = daos_der2errno(daos_obj_open(coh, roots->cr_oids[0], DAOS_OO_RW, &oh, NULL));
	if (rc != 0)
		return rc;
	rc = dfs_entry_insert(oh, DFS_ROOT_NAME, &root);
	if (rc == 0 || rc == EEXIST) /* there already: an earlier try got that far */
		rc = sb_insert(oh, attr);
	daos_obj_close(oh, NULL);
	return rc;
}

/* ---- mounting ---- */

static int
query_roots(daos_handle_t coh, struct daos_prop_co_roots *ret_roots)
{
	daos_prop_t                     *prop = daos_prop_alloc(2);
	const struct daos_prop_co_roots *roots;
	int                              rc;

	if (prop == NULL)
		return ENOMEM;
	prop->dpp_entries[0].dpe_type = DAOS_PROP_CO_LAYOUT_TYPE;
	prop->dpp_entries[1].dpe_type = DAOS_PROP_CO_ROOTS;
	rc = daos_der2errno(daos_cont_query(coh, NULL, prop, NULL));
	roots = rc == 0 ? prop->dpp_entries[1].dpe_val_ptr : NULL;
	if (rc == 0 && (prop->dpp_entries[0].dpe_val != DAOS_PROP_CO_LAYOUT_POSIX || roots == NULL ||
			(roots->cr_oids[1].hi == 0 && roots->cr_oids[1].lo == 0))) {
		D_ERROR("the container has no file system: its layout type is not POSIX, or its creation "
			"was interrupted\n");
		rc = EINVAL;
	} else if (rc == 0) {
		*ret_roots = *roots;
	}
	daos_prop_free(prop);
	return rc;
}

static int
mount_root(dfs_t *dfs)
{
	struct dfs_entry entry;
	dfs_obj_t       *root;
	int              rc;

	rc = dfs_entry_fetch(dfs->super_oh, DFS_ROOT_NAME, false, &entry);
	if (rc == 0 && !S_ISDIR(entry.mode))
		rc = EIO;
	if (rc == 0)
		rc = dfs_obj_from_entry(dfs, dfs->super_oid, DFS_ROOT_NAME,
					dfs->writable ? O_RDWR : O_RDONLY, &entry, &root);
	if (rc != 0)
		return rc;
	dfs->root = *root;
	free(root);
	return 0;
}

static int
mount_init(dfs_t *dfs, const struct daos_prop_co_roots *roots)
{
	int rc;

	dfs->super_oid = roots->cr_oids[0];
	rc = daos_der2errno(daos_obj_open(dfs->coh, dfs->super_oid, dfs->writable ? DAOS_OO_RW : DAOS_OO_RO,
					  &dfs->super_oh, NULL));
	if (rc == 0)
		rc = sb_fetch(dfs->super_oh, &dfs->attr);
	if (rc == 0 && dfs_hints_parse(dfs->attr.da_hints, &dfs->file_hint, &dfs->dir_hint) != 0)
		D_WARN("hints \"%s\" of the container are not understood and ignored\n",
		       dfs->attr.da_hints);
	return rc == 0 ? mount_root(dfs) : rc;
}

static int
mount_with_roots(daos_handle_t poh, daos_handle_t coh, int flags,
		 const struct daos_prop_co_roots *roots, dfs_t **ret_dfs)
{
	dfs_t *dfs = calloc(1, sizeof(*dfs));
	int    rc;

	if (dfs == NULL)
		return ENOMEM;
	dfs->poh      = poh;
	dfs->coh      = coh;
	dfs->writable = (flags & O_ACCMODE) == O_RDWR;
	pthread_mutex_init(&dfs->lock, NULL);
	rc = mount_init(dfs, roots);
	if (rc == 0) {
		*ret_dfs = dfs;
		return 0;
	}
	if (daos_handle_is_valid(dfs->super_oh))
		daos_obj_close(dfs->super_oh, NULL);
	pthread_mutex_destroy(&dfs->lock);
	free(dfs);
	return rc;
}

int
dfs_mount(daos_handle_t poh, daos_handle_t coh, int flags, dfs_t **dfs)
{
	struct daos_prop_co_roots roots;
	dfs_t                    *mounted;
	int                       rc;

	if (dfs == NULL || (flags & O_ACCMODE) == O_WRONLY)
		return EINVAL;
	rc = query_roots(coh, &roots);
	if (rc == 0)
		rc = mount_with_roots(poh, coh, flags, &roots, &mounted);
	if (rc != 0)
		return rc;
	mounted->mode = mounted->attr.da_mode | (uint32_t)(flags & DFS_BALANCED);
	*dfs          = mounted;
	return 0;
}

int
dfs_umount(dfs_t *dfs)
{
	int rc;

	if (dfs == NULL)
		return EINVAL;
	if (dfs->handles != NULL)
		return EINVAL; /* of dfs_connect() */
	if (dfs->pool_gets > 0 || dfs->cont_gets > 0) {
		D_ERROR("handles taken with dfs_pool_get() or dfs_cont_get() were not given back\n");
		return EBUSY;
	}
	rc = dfs_obj_close_handle(&dfs->root);
	daos_obj_close(dfs->super_oh, NULL);
	pthread_mutex_destroy(&dfs->lock);
	free(dfs->prefix);
	free(dfs);
	return rc;
}

int
dfs_query(dfs_t *dfs, dfs_attr_t *attr)
{
	if (dfs == NULL || attr == NULL)
		return EINVAL;
	*attr         = dfs->attr;
	attr->da_mode = dfs->mode;
	return 0;
}

int
dfs_set_prefix(dfs_t *dfs, const char *prefix)
{
	char  *copy = NULL;
	size_t len  = 0;

	if (dfs == NULL || (prefix != NULL && prefix[0] != '/'))
		return EINVAL;
	if (prefix != NULL) {
		len = strnlen(prefix, DFS_MAX_PATH);
		if (len == DFS_MAX_PATH)
			return ENAMETOOLONG;
		while (len > 0 && prefix[len - 1] == '/')
			len--;
	}
	if (len > 0) {
		copy = strndup(prefix, len);
		if (copy == NULL)
			return ENOMEM;
	}
	free(dfs->prefix);
	dfs->prefix = copy;
	return 0;
}

/* ---- lending the handles ---- */

static int
hdl_get(dfs_t *dfs, uint32_t *gets, daos_handle_t hdl, daos_handle_t *ret_hdl)
{
	pthread_mutex_lock(&dfs->lock);
	(*gets)++;
	pthread_mutex_unlock(&dfs->lock);
	*ret_hdl = hdl;
	return 0;
}

static int
hdl_put(dfs_t *dfs, uint32_t *gets, daos_handle_t hdl, daos_handle_t own)
{
	int rc = EINVAL;

	pthread_mutex_lock(&dfs->lock);
	if (*gets > 0 && hdl.cookie == own.cookie) {
		(*gets)--;
		rc = 0;
	}
	pthread_mutex_unlock(&dfs->lock);
	return rc;
}

int
dfs_pool_get(dfs_t *dfs, daos_handle_t *poh)
{
	return dfs == NULL || poh == NULL ? EINVAL : hdl_get(dfs, &dfs->pool_gets, dfs->poh, poh);
}

int
dfs_pool_put(dfs_t *dfs, daos_handle_t poh)
{
	return dfs == NULL ? EINVAL : hdl_put(dfs, &dfs->pool_gets, poh, dfs->poh);
}

int
dfs_cont_get(dfs_t *dfs, daos_handle_t *coh)
{
	return dfs == NULL || coh == NULL ? EINVAL : hdl_get(dfs, &dfs->cont_gets, dfs->coh, coh);
}

int
dfs_cont_put(dfs_t *dfs, daos_handle_t coh)
{
	return dfs == NULL ? EINVAL : hdl_put(dfs, &dfs->cont_gets, coh, dfs->coh);
}

/* ---- descriptions for other processes ---- */

#define GLOB_MOUNT_MAGIC 0xda05df50U
#define GLOB_OBJ_MAGIC   0xdf500b90U

struct mount_wire {
	uint32_t                  magic;
	int32_t                   flags;
	uint32_t                  mode;
	uint32_t                  reserved;
	struct daos_prop_co_roots roots;
};

struct obj_wire {
	uint32_t      magic;
	int32_t       flags;
	uint32_t      mode;
	uint32_t      oclass;
	daos_obj_id_t oid, parent_oid;
	uint64_t      chunk_size;
	char          name[DFS_MAX_NAME + 1];
	char          value[DFS_MAX_PATH];
};

static int
glob_put(d_iov_t *glob, const void *wire, size_t bytes)
{
	if (glob->iov_buf == NULL) {
		glob->iov_buf_len = bytes;
		return 0;
	}
	if (glob->iov_buf_len < bytes) {
		glob->iov_buf_len = bytes;
		return E2BIG;
	}
	memcpy(glob->iov_buf, wire, bytes);
	glob->iov_len = bytes;
	return 0;
}

int
dfs_local2global(dfs_t *dfs, d_iov_t *glob)
{
	struct mount_wire wire = {.magic = GLOB_MOUNT_MAGIC};

	if (dfs == NULL || glob == NULL)
		return EINVAL;
	wire.flags            = dfs->writable ? O_RDWR : O_RDONLY;
	wire.mode             = dfs->mode;
	wire.roots.cr_oids[0] = dfs->super_oid;
	wire.roots.cr_oids[1] = dfs->root.oid;
	return glob_put(glob, &wire, sizeof(wire));
}

int
dfs_global2local(daos_handle_t poh, daos_handle_t coh, int flags, d_iov_t glob, dfs_t **dfs)
{
	struct mount_wire wire;
	int               rc;

	if (dfs == NULL || glob.iov_buf == NULL || glob.iov_len != sizeof(wire))
		return EINVAL;
	memcpy(&wire, glob.iov_buf, sizeof(wire));
	if (wire.magic != GLOB_MOUNT_MAGIC)
		return EINVAL;
	rc = mount_with_roots(poh, coh, flags == 0 ? wire.flags : flags, &wire.roots, dfs);
	if (rc == 0)
		(*dfs)->mode = wire.mode;
	return rc;
}

int
dfs_obj_local2global(dfs_t *dfs, dfs_obj_t *obj, d_iov_t *glob)
{
	struct obj_wire wire = {.magic = GLOB_OBJ_MAGIC};

	if (dfs == NULL || obj == NULL || glob == NULL)
		return EINVAL;
	wire.flags      = obj->flags;
	wire.mode       = obj->mode;
	wire.oclass     = obj->oclass;
	wire.oid        = obj->oid;
	wire.parent_oid = obj->parent_oid;
	wire.chunk_size = obj->chunk_size;
	memcpy(wire.name, obj->name, sizeof(wire.name));
	if (obj->value != NULL)
		snprintf(wire.value, sizeof(wire.value), "%s", obj->value);
	return glob_put(glob, &wire, sizeof(wire));
}

int
dfs_obj_global2local(dfs_t *dfs, int flags, d_iov_t glob, dfs_obj_t **obj)
{
	struct obj_wire  wire;
	struct dfs_entry entry;

	if (dfs == NULL || obj == NULL || glob.iov_buf == NULL || glob.iov_len != sizeof(wire))
		return EINVAL;
	memcpy(&wire, glob.iov_buf, sizeof(wire));
	wire.name[sizeof(wire.name) - 1]   = '\0';
	wire.value[sizeof(wire.value) - 1] = '\0';
	if (wire.magic != GLOB_OBJ_MAGIC)
		return EINVAL;
	entry = (struct dfs_entry){.mode       = wire.mode,
				   .oid        = wire.oid,
				   .chunk_size = wire.chunk_size,
				   .oclass     = wire.oclass,
				   .value      = S_ISLNK(wire.mode) ? wire.value : NULL};
	return dfs_obj_from_entry(dfs, wire.parent_oid, wire.name, flags == 0 ? wire.flags : flags,
				  &entry, obj);
}
