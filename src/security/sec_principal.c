/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/** Users and groups of this machine as principals: "name@". */
#include <grp.h>
#include <pwd.h>
#include <stdlib.h>
#include "base/errno_map.h"
#include "security/sec_ace.h"

#define ENTRY_BYTES_FIRST 1024
#define ENTRY_BYTES_MAX   (1 << 20)

/** Calls a getXX_r() function with a growing buffer. */
struct lookup {
	bool        group;
	uint32_t    id;
	const char *name; /* NULL: by id */
	char       *ret_name;
	uint32_t    ret_id;
};

static int
lookup_user(struct lookup *l, char *buf, size_t bytes, bool *ret_found)
{
	struct passwd pw, *found = NULL;
	int           err;

	err = l->name != NULL ? getpwnam_r(l->name, &pw, buf, bytes, &found)
			      : getpwuid_r(l->id, &pw, buf, bytes, &found);
	*ret_found = found != NULL;
	if (found != NULL) {
		l->ret_id = pw.pw_uid;
		l->ret_name = pw.pw_name;
	}
	return err;
}

static int
lookup_group(struct lookup *l, char *buf, size_t bytes, bool *ret_found)
{
	struct group gr, *found = NULL;
	int          err;

	err = l->name != NULL ? getgrnam_r(l->name, &gr, buf, bytes, &found)
			      : getgrgid_r(l->id, &gr, buf, bytes, &found);
	*ret_found = found != NULL;
	if (found != NULL) {
		l->ret_id = gr.gr_gid;
		l->ret_name = gr.gr_name;
	}
	return err;
}

/** @ret_buf is freed by the caller; ret_name points into it. */
static int
lookup_run(struct lookup *l, char **ret_buf)
{
	size_t bytes = ENTRY_BYTES_FIRST;
	char  *buf = NULL;
	bool   found = false;
	int    err;

	do {
		free(buf);
		buf = malloc(bytes);
		if (buf == NULL)
			return -DER_NOMEM;
		err = l->group ? lookup_group(l, buf, bytes, &found) : lookup_user(l, buf, bytes, &found);
		bytes *= 2;
	} while (err == ERANGE && bytes <= ENTRY_BYTES_MAX);
	if (!found) {
		free(buf);
		return err == ENOMEM ? -DER_NOMEM : -DER_NONEXIST;
	}
	*ret_buf = buf;
	return 0;
}

static int
id_to_principal(struct lookup *l, char **name)
{
	char *buf, *text;
	int   rc;

	if (name == NULL)
		return -DER_INVAL;
	rc = lookup_run(l, &buf);
	if (rc != 0)
		return rc;
	rc = asprintf(&text, "%s@", l->ret_name) < 0 ? -DER_NOMEM : 0;
	free(buf);
	if (rc == 0)
		*name = text;
	return rc;
}

/** Only names of this machine, "name@", have a number here. */
static int
principal_to_id(const char *principal, bool group, uint32_t *ret_id)
{
	char          name[DAOS_ACL_MAX_PRINCIPAL_BUF_LEN];
	struct lookup l = {.group = group, .name = name};
	char         *buf;
	size_t        len;
	int           rc;

	if (!daos_acl_principal_is_valid(principal))
		return -DER_INVAL;
	len = strcspn(principal, "@");
	if (principal[len + 1] != '\0')
		return -DER_NONEXIST;
	memcpy(name, principal, len);
	name[len] = '\0';
	rc = lookup_run(&l, &buf);
	if (rc != 0)
		return rc;
	free(buf);
	*ret_id = l.ret_id;
	return 0;
}

int
daos_acl_uid_to_principal(uid_t uid, char **name)
{
	struct lookup l = {.id = uid};

	return id_to_principal(&l, name);
}

int
daos_acl_gid_to_principal(gid_t gid, char **name)
{
	struct lookup l = {.group = true, .id = gid};

	return id_to_principal(&l, name);
}

int
daos_acl_principal_to_uid(const char *principal, uid_t *uid)
{
	return uid == NULL ? -DER_INVAL : principal_to_id(principal, false, uid);
}

int
daos_acl_principal_to_gid(const char *principal, gid_t *gid)
{
	return gid == NULL ? -DER_INVAL : principal_to_id(principal, true, gid);
}
