/* SPDX-License-Identifier: BSD-2-Clause-Patent */
#include "dfs/duns_path.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define DUNS_URI "daos://"

static const char *const layout_names[DAOS_PROP_CO_LAYOUT_MAX] = {
    [DAOS_PROP_CO_LAYOUT_UNKNOWN] = "UNKNOWN",   [DAOS_PROP_CO_LAYOUT_POSIX] = "POSIX",
    [DAOS_PROP_CO_LAYOUT_HDF5] = "HDF5",         [DAOS_PROP_CO_LAYOUT_PYTHON] = "PYTHON",
    [DAOS_PROP_CO_LAYOUT_SPARK] = "SPARK",       [DAOS_PROP_CO_LAYOUT_DATABASE] = "DATABASE",
    [DAOS_PROP_CO_LAYOUT_ROOT] = "ROOT",         [DAOS_PROP_CO_LAYOUT_SEISMIC] = "SEISMIC",
    [DAOS_PROP_CO_LAYOUT_METEO] = "METEO",
};

const char *
duns_layout_name(daos_cont_layout_t layout)
{
	return layout_names[layout < DAOS_PROP_CO_LAYOUT_MAX ? layout : DAOS_PROP_CO_LAYOUT_UNKNOWN];
}

daos_cont_layout_t
duns_layout_parse(const char *name, size_t len)
{
	for (unsigned i = 0; i < DAOS_PROP_CO_LAYOUT_MAX; i++)
		if (strlen(layout_names[i]) == len && strncasecmp(layout_names[i], name, len) == 0)
			return (daos_cont_layout_t)i;
	return DAOS_PROP_CO_LAYOUT_UNKNOWN;
}

bool
duns_is_uri(const char *path)
{
	return strncmp(path, "daos:", 5) == 0;
}

int
duns_take_name(const char *name, size_t len, char ret_name[DAOS_PROP_MAX_LABEL_BUF_LEN],
	       uuid_t ret_uuid)
{
	char copy[DAOS_PROP_MAX_LABEL_BUF_LEN];

	if (len == 0 || len >= sizeof(copy))
		return EINVAL;
	memcpy(copy, name, len);
	copy[len] = '\0';
	if (len == DAOS_UUID_STR_SIZE - 1 && daos_is_valid_uuid_string(copy, UUID_SST_NONE)) {
		if (uuid_parse(copy, ret_uuid) != 0)
			return EINVAL;
	} else if (daos_label_is_valid(copy)) {
		uuid_clear(ret_uuid);
	} else {
		return EINVAL;
	}
	memcpy(ret_name, copy, len + 1);
	return 0;
}

int
duns_parse_direct(const char *path, bool prefix, struct duns_attr_t *attr)
{
	size_t len;
	int    rc;

	if (prefix && strncmp(path, DUNS_URI, strlen(DUNS_URI)) != 0)
		return EINVAL;
	if (!prefix && path[0] != '/')
		return EINVAL;
	path += prefix ? strlen(DUNS_URI) : strspn(path, "/");
	len = strcspn(path, "/");
	rc  = duns_take_name(path, len, attr->da_pool, attr->da_puuid);
	if (rc != 0 || (!prefix && uuid_is_null(attr->da_puuid)))
		return EINVAL;
	path += len;
	path += *path == '/';
	if (*path == '\0') {
		attr->da_cont[0] = '\0';
		return prefix ? 0 : EINVAL;
	}
	len = strcspn(path, "/");
	rc  = duns_take_name(path, len, attr->da_cont, attr->da_cuuid);
	if (rc != 0 || (!prefix && uuid_is_null(attr->da_cuuid)))
		return EINVAL;
	path += len;
	if (*path == '\0')
		return 0;
	attr->da_rel_path = strdup(path);
	return attr->da_rel_path == NULL ? ENOMEM : 0;
}

/** "DAOS.<layout>://<pool>/<container>", labels or UUIDs. */
int
duns_parse_attr(char *str, daos_size_t len, struct duns_attr_t *attr)
{
	char        text[DUNS_MAX_XATTR_LEN + 1];
	const char *sep, *slash;

	if (str == NULL || attr == NULL || len == 0 || len > DUNS_MAX_XATTR_LEN)
		return EINVAL;
	memcpy(text, str, len);
	text[len] = '\0';
	sep       = strstr(text, "://");
	if (strncmp(text, "DAOS.", 5) != 0 || sep == NULL)
		return EINVAL;
	attr->da_type = duns_layout_parse(text + 5, (size_t)(sep - text) - 5);
	if (attr->da_type == DAOS_PROP_CO_LAYOUT_UNKNOWN)
		return EINVAL;
	sep += 3;
	slash = strchr(sep, '/');
	if (slash == NULL ||
	    duns_take_name(sep, (size_t)(slash - sep), attr->da_pool, attr->da_puuid) != 0)
		return EINVAL;
	return duns_take_name(slash + 1, strlen(slash + 1), attr->da_cont, attr->da_cuuid);
}

int
duns_set_sys_name(struct duns_attr_t *attrp, const char *sys)
{
	char *copy = NULL;

	if (attrp == NULL)
		return EINVAL;
	if (sys != NULL) {
		copy = strndup(sys, DAOS_SYS_NAME_MAX);
		if (copy == NULL)
			return ENOMEM;
	}
	free(attrp->da_sys);
	attrp->da_sys = copy;
	return 0;
}

void
duns_destroy_attr(struct duns_attr_t *attrp)
{
	if (attrp == NULL)
		return;
	free(attrp->da_sys);
	free(attrp->da_rel_path);
	attrp->da_sys      = NULL;
	attrp->da_rel_path = NULL;
}
