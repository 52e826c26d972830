/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/**
 * Creating containers with a file system, and connecting by names. Mounts of one process made by
 * names share pool connections and container handles: a list of them, counted, under one lock.
 * It is the library's only state that is not reached through a handle, as daos_init()'s is.
 */
#include "dfs/dfs_internal.h"

#include "base/list.h"

/* ---- creating ---- */

/** IDs of the super object and of the root directory, of a class that suits the container. */
static int
roots_make(daos_handle_t coh, const dfs_attr_t *attr, struct daos_prop_co_roots *ret_roots)
{
	struct daos_prop_co_roots roots = {.cr_oids[0].hi = DFS_OID_HI_SUPER,
					   .cr_oids[1].hi = DFS_OID_HI_ROOT};
	daos_oclass_id_t          cid   = attr->da_dir_oclass_id;
	int                       rc;

	if (cid == OC_UNKNOWN)
		cid = attr->da_oclass_id;
	rc = daos_obj_generate_oid(coh, &roots.cr_oids[0], DAOS_OT_MULTI_HASHED, OC_UNKNOWN, 0, 0);
	if (rc == 0)
		rc = daos_obj_generate_oid(coh, &roots.cr_oids[1], DAOS_OT_MULTI_HASHED, cid, 0, 0);
	if (rc == 0)
		*ret_roots = roots;
	return daos_der2errno(rc);
}

/** Makes the file system known: the last step of its creation. */
static int
roots_publish(daos_handle_t coh, const struct daos_prop_co_roots *roots)
{
	daos_prop_t *prop = daos_prop_alloc(1);
	int          rc;

	if (prop == NULL)
		return ENOMEM;
	prop->dpp_entries[0].dpe_type = DAOS_PROP_CO_ROOTS;
	rc = daos_prop_entry_set_ptr(&prop->dpp_entries[0], roots, sizeof(*roots));
	if (rc == 0)
		rc = daos_cont_set_prop(coh, prop, NULL);
	daos_prop_free(prop);
	return daos_der2errno(rc);
}

/** The properties a file system sets itself, and then the caller's others. */
static daos_prop_t *
props_make(daos_prop_t *given, const char *label)
{
	daos_prop_t *own = daos_prop_alloc(label == NULL ? 2 : 3), *all;
	int          rc  = 0;

	if (own == NULL)
		return NULL;
	own->dpp_entries[0].dpe_type = DAOS_PROP_CO_LAYOUT_TYPE;
	own->dpp_entries[0].dpe_val  = DAOS_PROP_CO_LAYOUT_POSIX;
	own->dpp_entries[1].dpe_type = DAOS_PROP_CO_LAYOUT_VER;
	own->dpp_entries[1].dpe_val  = DFS_LAYOUT_VERSION;
	if (label != NULL) {
		own->dpp_entries[2].dpe_type = DAOS_PROP_CO_LABEL;
		rc = daos_prop_entry_set_str(&own->dpp_entries[2], label, strlen(label));
	}
	if (rc != 0) {
		daos_prop_free(own);
		return NULL;
	}
	if (given == NULL)
		return own;
	all = daos_prop_merge(given, own);
	daos_prop_free(own);
	return all;
}

static int
attr_check(const dfs_attr_t *given, dfs_attr_t *ret_attr)
{
	daos_oclass_hints_t file, dir;

	*ret_attr = given == NULL ? (dfs_attr_t){0} : *given;
	if (ret_attr->da_chunk_size == 0)
		ret_attr->da_chunk_size = DFS_DEFAULT_CHUNK_SIZE;
	if (ret_attr->da_mode != DFS_BALANCED)
		ret_attr->da_mode = DFS_RELAXED;
	if (memchr(ret_attr->da_hints, 0, sizeof(ret_attr->da_hints)) == NULL)
		return EINVAL;
	return dfs_hints_parse(ret_attr->da_hints, &file, &dir);
}

static int
fill_container(daos_handle_t poh, const uuid_t uuid, const dfs_attr_t *attr, daos_handle_t *ret_coh,
	       dfs_t **ret_dfs)
{
	struct daos_prop_co_roots roots;
	char                      name[DAOS_UUID_STR_SIZE];
	daos_handle_t             coh;
	dfs_t                    *dfs = NULL;
	int                       rc;

	uuid_unparse_lower(uuid, name);
	rc = daos_der2errno(daos_cont_open(poh, name, DAOS_COO_RW, &coh, NULL, NULL));
	if (rc != 0)
		return rc;
	rc = roots_make(coh, attr, &roots);
	if (rc == 0)
		rc = dfs_super_create(coh, &roots, attr);
	if (rc == 0)
		rc = roots_publish(coh, &roots);
	if (rc == 0 && ret_dfs != NULL)
		rc = dfs_mount(poh, coh, O_RDWR, &dfs);
	if (rc != 0 || ret_coh == NULL)
		daos_cont_close(coh, NULL);
	else
		*ret_coh = coh;
	if (rc == 0 && ret_dfs != NULL)
		*ret_dfs = dfs;
	return rc;
}

static int
cont_create(daos_handle_t poh, const char *label, uuid_t *ret_uuid, dfs_attr_t *given,
	    daos_handle_t *coh, dfs_t **dfs)
{
	char         name[DAOS_UUID_STR_SIZE];
	daos_prop_t *props;
	dfs_attr_t   attr;
	uuid_t       uuid;
	int          rc;

	if (dfs != NULL && coh == NULL)
		return EINVAL; /* a mount needs its handle */
	rc = attr_check(given, &attr);
	if (rc != 0)
		return rc;
	props = props_make(attr.da_props, label);
	if (props == NULL)
		return ENOMEM;
	rc = daos_der2errno(daos_cont_create(poh, &uuid, props, NULL));
	daos_prop_free(props);
	if (rc != 0)
		return rc;
	rc = fill_container(poh, uuid, &attr, coh, dfs);
	if (rc != 0) {
		uuid_unparse_lower(uuid, name);
		(void)daos_cont_destroy(poh, name, 1, NULL);
		return rc;
	}
	if (ret_uuid != NULL)
		uuid_copy(*ret_uuid, uuid);
	return 0;
}

int
dfs_cont_create(daos_handle_t poh, uuid_t *uuid, dfs_attr_t *attr, daos_handle_t *coh, dfs_t **dfs)
{
	return cont_create(poh, NULL, uuid, attr, coh, dfs);
}

int
dfs_cont_create_with_label(daos_handle_t poh, const char *label, dfs_attr_t *attr, uuid_t *uuid,
			   daos_handle_t *coh, dfs_t **dfs)
{
	return label == NULL ? EINVAL : cont_create(poh, label, uuid, attr, coh, dfs);
}

int
dfs_cont_set_owner(daos_handle_t coh, d_string_t user, uid_t uid, d_string_t group, gid_t gid)
{
	struct stat st  = {.st_uid = uid, .st_gid = gid};
	int         set = 0, rc = 0;
	dfs_t      *dfs;

	if (user != NULL && uid == (uid_t)-1)
		rc = daos_acl_principal_to_uid(user, &st.st_uid);
	if (rc == 0 && group != NULL && gid == (gid_t)-1)
		rc = daos_acl_principal_to_gid(group, &st.st_gid);
	if (rc == 0)
		rc = daos_cont_set_owner_no_check(coh, user, group, NULL);
	if (rc != 0)
		return daos_der2errno(rc);
	set = (user != NULL ? DFS_SET_ATTR_UID : 0) | (group != NULL ? DFS_SET_ATTR_GID : 0);
	rc  = dfs_mount(DAOS_HDL_INVAL, coh, O_RDWR, &dfs);
	if (rc != 0)
		return rc;
	rc = dfs_osetattr(dfs, &dfs->root, &st, set);
	dfs_umount(dfs);
	return rc;
}

/* ---- connecting ---- */

/** A pool connection, or with a container a handle of that; counted. */
struct dfs_handles {
	d_list_t            link;
	struct dfs_handles *pool; /* of a container */
	daos_handle_t       hdl;
	uint32_t            ref_nr;
	bool                writable;
	char                name[DAOS_PROP_MAX_LABEL_BUF_LEN];
	char                sys[DAOS_SYS_NAME_MAX + 1];
};

static struct {
	pthread_mutex_t lock;
	d_list_t        handles;
	uint32_t        init_nr;
} connections = {PTHREAD_MUTEX_INITIALIZER, D_LIST_HEAD_INIT(connections.handles), 0};

int
dfs_init(void)
{
	int rc = daos_der2errno(daos_init());

	if (rc != 0)
		return rc;
	pthread_mutex_lock(&connections.lock);
	connections.init_nr++;
	pthread_mutex_unlock(&connections.lock);
	return 0;
}

int
dfs_fini(void)
{
	int rc = 0;

	pthread_mutex_lock(&connections.lock);
	if (connections.init_nr == 0)
		rc = EINVAL;
	else
		connections.init_nr--;
	pthread_mutex_unlock(&connections.lock);
	return rc == 0 ? daos_der2errno(daos_fini()) : rc;
}

static void
handles_put(struct dfs_handles *h)
{
	struct dfs_handles *pool;

	if (h == NULL || --h->ref_nr > 0)
		return;
	pool = h->pool;
	d_list_del(&h->link);
	if (pool != NULL)
		daos_cont_close(h->hdl, NULL);
	else
		daos_pool_disconnect(h->hdl, NULL);
	free(h);
	handles_put(pool);
}

static struct dfs_handles *
handles_find(struct dfs_handles *pool, const char *name, const char *sys, bool writable)
{
	struct dfs_handles *h;

	d_list_for_each(h, &connections.handles, link)
		if (h->pool == pool && h->writable == writable && strcmp(h->name, name) == 0 &&
		    strcmp(h->sys, sys) == 0)
			return h;
	return NULL;
}

static int
handles_add(struct dfs_handles *pool, const char *name, const char *sys, bool writable,
	    daos_handle_t hdl, struct dfs_handles **ret)
{
	struct dfs_handles *h = calloc(1, sizeof(*h));

	if (h == NULL)
		return ENOMEM;
	h->pool     = pool;
	h->hdl      = hdl;
	h->ref_nr   = 1;
	h->writable = writable;
	snprintf(h->name, sizeof(h->name), "%s", name);
	snprintf(h->sys, sizeof(h->sys), "%s", sys);
	d_list_add(&h->link, &connections.handles);
	*ret = h;
	return 0;
}

static int
pool_get(const char *pool, const char *sys, bool writable, struct dfs_handles **ret)
{
	const char         *key = sys == NULL ? "" : sys;
	struct dfs_handles *h   = handles_find(NULL, pool, key, writable);
	daos_handle_t       poh;
	int                 rc;

	if (h != NULL) {
		h->ref_nr++;
		*ret = h;
		return 0;
	}
	rc = daos_der2errno(
	    daos_pool_connect(pool, sys, writable ? DAOS_PC_RW : DAOS_PC_RO, &poh, NULL, NULL));
	if (rc == 0) {
		rc = handles_add(NULL, pool, key, writable, poh, ret);
		if (rc != 0)
			daos_pool_disconnect(poh, NULL);
	}
	return rc;
}

static int
cont_get(struct dfs_handles *pool, const char *cont, bool writable, bool create, dfs_attr_t *attr,
	 struct dfs_handles **ret)
{
	struct dfs_handles *h     = handles_find(pool, cont, pool->sys, writable);
	unsigned int        flags = writable ? DAOS_COO_RW : DAOS_COO_RO;
	daos_handle_t       coh;
	int                 rc;

	if (h != NULL) {
		h->ref_nr++;
		handles_put(pool); /* the container's own reference is enough */
		*ret = h;
		return 0;
	}
	rc = daos_cont_open(pool->hdl, cont, flags, &coh, NULL, NULL);
	if (rc == -DER_NONEXIST && create) {
		rc = daos_errno2der(dfs_cont_create_with_label(pool->hdl, cont, attr, NULL, NULL, NULL));
		if (rc == 0 || rc == -DER_EXIST)
			rc = daos_cont_open(pool->hdl, cont, flags, &coh, NULL, NULL);
	}
	if (rc != 0)
		return daos_der2errno(rc);
	rc = handles_add(pool, cont, pool->sys, writable, coh, ret);
	if (rc != 0)
		daos_cont_close(coh, NULL);
	return rc;
}

static int
connect_locked(const char *pool, const char *sys, const char *cont, int flags, dfs_attr_t *attr,
	       dfs_t **ret_dfs)
{
	bool                writable = (flags & O_ACCMODE) == O_RDWR;
	struct dfs_handles *ph = NULL, *ch = NULL;
	dfs_t              *dfs;
	int                 rc;

	if (connections.init_nr == 0)
		return EACCES; /* dfs_init() comes first */
	rc = pool_get(pool, sys, writable, &ph);
	if (rc != 0)
		return rc;
	rc = cont_get(ph, cont, writable, flags & O_CREAT, attr, &ch);
	if (rc != 0) {
		handles_put(ph);
		return rc;
	}
	rc = dfs_mount(ch->pool->hdl, ch->hdl, flags & (O_ACCMODE | DFS_BALANCED), &dfs);
	if (rc != 0) {
		handles_put(ch);
		return rc;
	}
	dfs->handles = ch;
	*ret_dfs     = dfs;
	return 0;
}

int
dfs_connect(const char *pool, const char *sys, const char *cont, int flags, dfs_attr_t *attr,
	    dfs_t **dfs)
{
	int rc;

	if (pool == NULL || cont == NULL || dfs == NULL || (flags & O_ACCMODE) == O_WRONLY ||
	    strlen(pool) > DAOS_PROP_LABEL_MAX_LEN || strlen(cont) > DAOS_PROP_LABEL_MAX_LEN ||
	    (sys != NULL && strlen(sys) > DAOS_SYS_NAME_MAX))
		return EINVAL;
	if ((flags & O_CREAT) && (flags & O_ACCMODE) != O_RDWR)
		return EINVAL;
	pthread_mutex_lock(&connections.lock);
	rc = connect_locked(pool, sys, cont, flags, attr, dfs);
	pthread_mutex_unlock(&connections.lock);
	return rc;
}

int
dfs_disconnect(dfs_t *dfs)
{
	struct dfs_handles *h;
	int                 rc;

	if (dfs == NULL || dfs->handles == NULL)
		return EINVAL;
	h            = dfs->handles;
	dfs->handles = NULL;
	rc           = dfs_umount(dfs);
	if (rc != 0) {
		dfs->handles = h;
		return rc;
	}
	pthread_mutex_lock(&connections.lock);
	handles_put(h);
	pthread_mutex_unlock(&connections.lock);
	return 0;
}

int
dfs_destroy(const char *pool, const char *sys, const char *cont, int force, daos_event_t *ev)
{
	struct dfs_handles *h = NULL;
	int                 rc;

	if (pool == NULL || cont == NULL)
		return EINVAL;
	if (ev != NULL)
		return ENOTSUP; /* the connection it needs would have to outlive the call */
	pthread_mutex_lock(&connections.lock);
	rc = connections.init_nr == 0 ? EACCES : pool_get(pool, sys, true, &h);
	if (rc == 0) {
		rc = daos_der2errno(daos_cont_destroy(h->hdl, cont, force, NULL));
		handles_put(h);
	}
	pthread_mutex_unlock(&connections.lock);
	return rc;
}
