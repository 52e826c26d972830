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
	DUNS_NO_PREFIX         = (1 << 0), /**< a path without daos:// is not one of ours */
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
 * Find what a path, "daos://pool/cont/path" or "/pool-uuid/cont-uuid/path" or a local path, stands
 * for.
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
