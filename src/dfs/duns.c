/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/**
 * The unified namespace: directories and files of the local file system that stand for containers.
 * The extended attribute "user.daos" says which. A DFUSE mount answers for its root as if it had one,
 * so a path in a mount resolves like a path below a linked directory.
 */
#define D_LOGFAC LOG_FAC_DFS
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>
#include <daos.h>
#include <daos_fs.h>
#include <daos_uns.h>
#include "base/errno_map.h"
#include "base/log.h"
#include "dfs/duns_path.h"

/* ---- resolving ---- */

static int
link_read(const char *path, struct duns_attr_t *attr)
{
	char    text[DUNS_MAX_XATTR_LEN];
	ssize_t len = lgetxattr(path, DUNS_XATTR_NAME, text, sizeof(text));

	if (len < 0)
		return errno == ENOTSUP ? ENODATA : errno;
	return duns_parse_attr(text, (daos_size_t)len, attr);
}

static int
set_rel_path(struct duns_attr_t *attr, const char *rel)
{
	while (rel[0] == '/' && rel[1] == '/')
		rel++;
	if (rel[0] == '\0' || strcmp(rel, "/") == 0)
		return 0;
	attr->da_rel_path = strdup(rel);
	return attr->da_rel_path == NULL ? ENOMEM : 0;
}

/** Look at @path, then at its parents; what was cut off is the path in the container. */
static int
resolve_upwards(char *path, struct duns_attr_t *attr)
{
	char  *full  = strdup(path);
	size_t len   = strlen(path);
	bool   found = false;
	int    rc    = full == NULL ? ENOMEM : ENODATA;

	while (rc == ENODATA && len > 0) {
		path[len] = '\0';
		rc        = link_read(path, attr);
		if (rc == ENOENT || rc == ENOTDIR)
			rc = ENODATA; /* it may be about to be created */
		else if (rc == 0)
			found = true;
		else if (rc != ENODATA)
			break;
		if (found || len == 1)
			break;
		while (len > 1 && path[len - 1] != '/')
			len--;
		while (len > 1 && path[len - 1] == '/')
			len--;
	}
	if (found)
		rc = set_rel_path(attr, full + (len == 1 ? 0 : len));
	free(full);
	return rc;
}

/** Absolute, symbolic links in the directory part resolved. */
static char *
path_absolute(const char *path)
{
	char *real = realpath(path, NULL), *dir, *copy, *joined;
	char *slash;

	if (real != NULL || errno != ENOENT)
		return real;
	copy = strdup(path); /* the last component need not exist */
	if (copy == NULL)
		return NULL;
	slash = strrchr(copy, '/');
	if (slash == NULL) {
		dir = realpath(".", NULL);
	} else {
		*slash = '\0';
		dir    = realpath(slash == copy ? "/" : copy, NULL);
	}
	if (dir == NULL || asprintf(&joined, "%s/%s", dir, slash == NULL ? path : slash + 1) < 0)
		joined = NULL;
	free(dir);
	free(copy);
	return joined;
}

static int
resolve_local(const char *path, struct duns_attr_t *attr)
{
	char *abs;
	int   rc;

	if (attr->da_flags & DUNS_NO_CHECK_PATH)
		return EINVAL;
	rc = link_read(path, attr);
	if (rc == 0 || (attr->da_flags & DUNS_NO_REVERSE_LOOKUP) || (rc != ENODATA && rc != ENOENT))
		return rc;
	abs = path_absolute(path);
	if (abs == NULL)
		return errno == 0 ? ENOMEM : errno;
	rc = resolve_upwards(abs, attr);
	free(abs);
	return rc;
}

int
duns_resolve_path(const char *path, struct duns_attr_t *attr)
{
	if (path == NULL || attr == NULL || path[0] == '\0')
		return EINVAL;
	if (strnlen(path, PATH_MAX) == PATH_MAX)
		return ENAMETOOLONG;
	free(attr->da_rel_path);
	attr->da_rel_path = NULL;
	attr->da_type     = DAOS_PROP_CO_LAYOUT_UNKNOWN;
	if (duns_is_uri(path))
		return duns_parse_direct(path, true, attr);
	if (attr->da_flags & DUNS_NO_PREFIX || attr->da_no_prefix)
		return duns_parse_direct(path, false, attr);
	return resolve_local(path, attr);
}

/* ---- creating ---- */

static int
pool_uuid(daos_handle_t poh, uuid_t ret_uuid)
{
	daos_pool_info_t info = {0};
	int              rc   = daos_der2errno(daos_pool_query(poh, NULL, &info, NULL, NULL));

	if (rc == 0)
		uuid_copy(ret_uuid, info.pi_uuid);
	return rc;
}

/** The directory of a POSIX container, else a file; must not exist. */
static int
path_make(const char *path, bool dir)
{
	int fd;

	if (dir)
		return mkdir(path, 0755) == 0 ? 0 : errno;
	fd = open(path, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0644);
	return fd >= 0 && close(fd) == 0 ? 0 : errno;
}

static int
path_unmake(const char *path)
{
	return remove(path) == 0 ? 0 : errno;
}

static int
path_link(const char *path, daos_cont_layout_t layout, const uuid_t puuid, const uuid_t cuuid)
{
	char text[DUNS_MAX_XATTR_LEN], pool[DAOS_UUID_STR_SIZE], cont[DAOS_UUID_STR_SIZE];

	uuid_unparse_lower(puuid, pool);
	uuid_unparse_lower(cuuid, cont);
	snprintf(text, sizeof(text), "DAOS.%s://%s/%s", duns_layout_name(layout), pool, cont);
	if (lsetxattr(path, DUNS_XATTR_NAME, text, strlen(text), XATTR_CREATE) == 0)
		return 0;
	D_ERROR("%s cannot be linked to container %s: its file system does not take the extended "
		"attribute %s: %s\n", path, cont, DUNS_XATTR_NAME, strerror(errno));
	return errno;
}

static int
container_make(daos_handle_t poh, struct duns_attr_t *attrp, uuid_t *ret_uuid)
{
	daos_prop_t *layout, *props;
	dfs_attr_t   attr = {.da_chunk_size     = attrp->da_chunk_size,
			     .da_oclass_id      = attrp->da_oclass_id,
			     .da_dir_oclass_id  = attrp->da_dir_oclass_id,
			     .da_file_oclass_id = attrp->da_file_oclass_id,
			     .da_props          = attrp->da_props};
	int          rc;

	if (attrp->da_type == DAOS_PROP_CO_LAYOUT_POSIX) {
		memcpy(attr.da_hints, attrp->da_hints, sizeof(attr.da_hints));
		return dfs_cont_create(poh, ret_uuid, &attr, NULL, NULL);
	}
	layout = daos_prop_alloc(1);
	if (layout == NULL)
		return ENOMEM;
	layout->dpp_entries[0].dpe_type = DAOS_PROP_CO_LAYOUT_TYPE;
	layout->dpp_entries[0].dpe_val  = attrp->da_type;
	props = attrp->da_props == NULL ? layout : daos_prop_merge(attrp->da_props, layout);
	rc    = props == NULL ? ENOMEM : daos_der2errno(daos_cont_create(poh, ret_uuid, props, NULL));
	if (props != layout)
		daos_prop_free(props);
	daos_prop_free(layout);
	return rc;
}

int
duns_create_path(daos_handle_t poh, const char *path, struct duns_attr_t *attrp)
{
	char   cont[DAOS_UUID_STR_SIZE];
	uuid_t puuid, cuuid;
	bool   made = false;
	int    rc;

	if (path == NULL || attrp == NULL || attrp->da_type == DAOS_PROP_CO_LAYOUT_UNKNOWN ||
	    attrp->da_type >= DAOS_PROP_CO_LAYOUT_MAX)
		return EINVAL;
	rc = pool_uuid(poh, puuid);
	if (rc == 0)
		rc = path_make(path, attrp->da_type == DAOS_PROP_CO_LAYOUT_POSIX);
	if (rc != 0)
		return rc;
	rc   = container_make(poh, attrp, &cuuid);
	made = rc == 0;
	if (rc == 0)
		rc = path_link(path, attrp->da_type, puuid, cuuid);
	uuid_unparse_lower(cuuid, cont);
	if (rc != 0) {
		if (made)
			(void)daos_cont_destroy(poh, cont, 1, NULL);
		(void)path_unmake(path);
		return rc;
	}
	uuid_unparse_lower(puuid, attrp->da_pool);
	uuid_copy(attrp->da_puuid, puuid);
	uuid_copy(attrp->da_cuuid, cuuid);
	memcpy(attrp->da_cont, cont, sizeof(cont));
	return 0;
}

static int
container_facts(daos_handle_t poh, const char *cont, uuid_t ret_uuid, daos_cont_layout_t *ret_layout)
{
	daos_prop_t     *prop = daos_prop_alloc(1);
	daos_cont_info_t info = {0};
	daos_handle_t    coh;
	int              rc;

	if (prop == NULL)
		return ENOMEM;
	prop->dpp_entries[0].dpe_type = DAOS_PROP_CO_LAYOUT_TYPE;
	rc = daos_der2errno(daos_cont_open(poh, cont, DAOS_COO_RO, &coh, NULL, NULL));
	if (rc == 0) {
		rc = daos_der2errno(daos_cont_query(coh, &info, prop, NULL));
		daos_cont_close(coh, NULL);
	}
	if (rc == 0) {
		uuid_copy(ret_uuid, info.ci_uuid);
		*ret_layout = (daos_cont_layout_t)prop->dpp_entries[0].dpe_val;
	}
	daos_prop_free(prop);
	return rc;
}

int
duns_link_cont(daos_handle_t poh, const char *cont, const char *path)
{
	daos_cont_layout_t layout;
	uuid_t             puuid, cuuid;
	int                rc;

	if (cont == NULL || path == NULL)
		return EINVAL;
	rc = pool_uuid(poh, puuid);
	if (rc == 0)
		rc = container_facts(poh, cont, cuuid, &layout);
	if (rc == 0 && layout == DAOS_PROP_CO_LAYOUT_UNKNOWN)
		rc = EINVAL;
	if (rc == 0)
		rc = path_make(path, layout == DAOS_PROP_CO_LAYOUT_POSIX);
	if (rc != 0)
		return rc;
	rc = path_link(path, layout, puuid, cuuid);
	if (rc != 0)
		(void)path_unmake(path);
	return rc;
}

int
duns_destroy_path(daos_handle_t poh, const char *path)
{
	struct duns_attr_t attr = {.da_flags = DUNS_NO_REVERSE_LOOKUP};
	int                rc;

	rc = duns_resolve_path(path, &attr);
	if (rc == 0)
		rc = daos_der2errno(daos_cont_destroy(poh, attr.da_cont, 0, NULL));
	if (rc == 0)
		rc = path_unmake(path);
	duns_destroy_attr(&attr);
	return rc;
}
