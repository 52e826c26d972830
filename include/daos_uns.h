/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/** Unified namespace: paths of the local file system that stand for containers. */
#ifndef __DAOS_UNS_H__
#define __DAOS_UNS_H__

#include <daos_prop.h>
#include <daos_obj_class.h>
#include <daos_cont.h>

#if defined(__cplusplus)
extern "C" {
#endif

/** da_flags */
enum {
	DUNS_NO_PREFIX         = (1 << 0), /**< the path is /pool-uuid/cont-uuid/..., without daos:// */
	DUNS_NO_REVERSE_LOOKUP = (1 << 1), /**< look at the last component only, not its parents */
	DUNS_NO_CHECK_PATH     = (1 << 2), /**< do not look at the local file system */
};

/** What a path stands for. */
struct duns_attr_t {
	daos_cont_layout_t da_type;
	daos_oclass_id_t   da_oclass_id;
	daos_size_t        da_chunk_size;
	daos_prop_t       *da_props;
	uint32_t           da_flags; /**< DUNS_* */
	char               da_pool[DAOS_PROP_LABEL_MAX_LEN + 1]; /**< label or UUID */
	char               da_cont[DAOS_PROP_LABEL_MAX_LEN + 1]; /**< label or UUID */
	char              *da_sys;      /**< freed by duns_destroy_attr() */
	char              *da_rel_path; /**< inside the container; the same */
	bool               da_on_lustre;
	bool               da_no_prefix;
	uuid_t             da_puuid;
	uuid_t             da_cuuid;
	daos_oclass_id_t   da_dir_oclass_id;
	daos_oclass_id_t   da_file_oclass_id;
	char               da_hints[DAOS_CONT_HINT_MAX_LEN];
};

/** The extended attribute that links a directory or file to its container. */
#define DUNS_XATTR_NAME       "user.daos"
#define DUNS_MAX_XATTR_LEN    170
#define DUNS_XATTR_FMT        "DAOS.%s://%36s/%36s"
#define DUNS_LUSTRE_XATTR_FMT "%36s/%36s"

/**
 * Create a container and a path that stands for it: a directory for layout POSIX, else a file.
 * @param path   must not exist; the directory it is in must
 * @param attrp  [in] da_type and, for POSIX, what files and directories default to; da_props
 *               [out] da_pool, da_cont, da_puuid, da_cuuid
 * Returns 0 or a positive errno: EEXIST, EINVAL, ENOTSUP no extended attributes there.
 */
int
duns_create_path(daos_handle_t poh, const char *path, struct duns_attr_t *attrp);

/** Make a path that stands for a container there is. ENOENT, EEXIST */
int
duns_link_cont(daos_handle_t poh, const char *cont, const char *path);

/** Destroy the container a path stands for, and the path. EBUSY the container is open */
int
duns_destroy_path(daos_handle_t poh, const char *path);

/**
 * Find what "daos://pool/cont/path", "daos://pool", or a local path stands for. A local path below
 * one that is linked, or below a DFUSE mount, is found by looking at its parents.
 * @param attr  [in] da_flags [out] the rest; ended with duns_destroy_attr()
 * Returns 0 or a positive errno: ENODATA the path is not linked, EINVAL, ENOENT, ENOMEM.
 */
int
duns_resolve_path(const char *path, struct duns_attr_t *attr);

/** Parse the value of the extended attribute. EINVAL */
int
duns_parse_attr(char *str, daos_size_t len, struct duns_attr_t *attr);

/** Set the system name. ENOMEM */
int
duns_set_sys_name(struct duns_attr_t *attrp, const char *sys);

/** Free what the struct holds, not the struct. */
void
duns_destroy_attr(struct duns_attr_t *attrp);

#if defined(__cplusplus)
}
#endif

#endif /* __DAOS_UNS_H__ */
