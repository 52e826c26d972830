/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/** Properties, attributes and handles in the rdb: for pools and, at other paths, containers. */
#define D_LOGFAC LOG_FAC_POOL
#include <daos_errno.h>
#include "base/log.h"
#include "base/prop_table.h"
#include "pool/pool_internal.h"

/* ---- properties ---- */

static int
prop_put(struct rdb_tx *tx, const struct rdb_path *path, const struct daos_prop_entry *entry)
{
	const struct prop_desc *desc = prop_desc_by_type(entry->dpe_type);
	uint64_t                number = entry->dpe_type;
	d_iov_t                 key, value;
	size_t                  bytes;
	void                   *buf;
	int                     rc;

	if (desc == NULL)
		return -DER_INVAL;
	bytes = prop_value_bytes(desc, entry);
	if (bytes == 0)
		return 0;
	buf = malloc(bytes);
	if (buf == NULL)
		return -DER_NOMEM;
	prop_value_encode(desc, entry, buf);
	d_iov_set(&key, &number, sizeof(number));
	d_iov_set(&value, buf, bytes);
	rc = rdb_tx_update(tx, path, &key, &value);
	free(buf);
	return rc;
}

int
pool_props_put(struct rdb_tx *tx, const struct rdb_path *path, const daos_prop_t *prop)
{
	int rc = 0;

	for (uint32_t i = 0; prop != NULL && i < prop->dpp_nr && rc == 0; i++)
		rc = prop_put(tx, path, &prop->dpp_entries[i]);
	return rc;
}

MAY_YIELD static int
prop_get(struct rdb_tx *tx, const struct rdb_path *path, const struct prop_desc *desc, struct daos_prop_entry *entry)
{
	uint64_t number = desc->type;
	d_iov_t  key, value = {0};
	int      rc;

	d_iov_set(&key, &number, sizeof(number));
	rc = rdb_tx_lookup(tx, path, &key, &value);
	if (rc == -DER_NONEXIST) {
		rc = prop_entry_default(desc, entry);
		if (rc == 0 && desc->kind != PROP_KIND_NUM && entry->dpe_val_ptr == NULL)
			entry->dpe_flags |= DAOS_PROP_ENTRY_NOT_SET;
		return rc;
	}
	return rc != 0 ? rc : prop_value_decode(desc, value.iov_buf, value.iov_len, entry);
}

MAY_YIELD int
pool_props_get(struct rdb_tx *tx, const struct rdb_path *path, bool cont, const uint32_t *types, uint32_t nr,
	       daos_prop_t **ret_prop)
{
	uint32_t                all_nr;
	const struct prop_desc *table = prop_table(cont ? PROP_CONT : PROP_POOL, &all_nr);
	uint32_t                want_nr = nr > 0 ? nr : all_nr;
	daos_prop_t            *prop = daos_prop_alloc(want_nr);
	int                     rc = 0;

	if (prop == NULL)
		return want_nr > DAOS_PROP_ENTRIES_MAX_NR ? -DER_INVAL : -DER_NOMEM;
	for (uint32_t i = 0; i < want_nr && rc == 0; i++) {
		const struct prop_desc *desc = nr > 0 ? prop_desc_by_type(types[i]) : &table[i];

		if (desc == NULL || desc < table || desc >= table + all_nr)
			rc = -DER_INVAL;
		else
			rc = prop_get(tx, path, desc, &prop->dpp_entries[i]);
	}
	if (rc != 0) {
		daos_prop_free(prop);
		return rc;
	}
	*ret_prop = prop;
	return 0;
}

int
pool_props_reply(crt_rpc_t *rpc, const daos_prop_t *prop, d_iov_t *ret_iov)
{
	d_iov_t iov;
	void   *buf;
	int     rc = prop_list_encode(prop, &iov);

	if (rc != 0)
		return rc;
	if (iov.iov_len > 0) {
		buf = crt_req_alloc(rpc, iov.iov_len);
		if (buf == NULL) {
			free(iov.iov_buf);
			return -DER_NOMEM;
		}
		memcpy(buf, iov.iov_buf, iov.iov_len);
		free(iov.iov_buf);
		iov.iov_buf = buf;
	}
	*ret_iov = iov;
	return 0;
}

/* ---- attributes ---- */

static int
attr_key(const struct pool_attr *attr, d_iov_t *key)
{
	size_t len = strnlen(attr->name, DAOS_ATTR_NAME_MAX + 1);

	if (len == 0 || len > DAOS_ATTR_NAME_MAX)
		return -DER_INVAL;
	d_iov_set(key, attr->name, len);
	return 0;
}

int
pool_attrs_set(struct rdb_tx *tx, const struct rdb_path *path, const struct pool_attrs *attrs)
{
	size_t  total = 0;
	d_iov_t key;
	int     rc = 0;

	for (uint32_t i = 0; i < attrs->nr && rc == 0; i++) {
		total += attrs->v[i].value.iov_len;
		if (total > POOL_ATTR_BYTES_MAX)
			return -DER_REC2BIG;
		rc = attr_key(&attrs->v[i], &key);
		if (rc == 0 && attrs->v[i].value.iov_len == 0)
			rc = -DER_INVAL;
		if (rc == 0)
			rc = rdb_tx_update(tx, path, &key, &attrs->v[i].value);
	}
	return rc;
}

MAY_YIELD int
pool_attrs_del(struct rdb_tx *tx, const struct rdb_path *path, const struct pool_attrs *attrs)
{
	d_iov_t key;
	int     rc = 0;

	for (uint32_t i = 0; i < attrs->nr && rc == 0; i++) {
		d_iov_t value = {0};

		rc = attr_key(&attrs->v[i], &key);
		if (rc == 0)
			rc = rdb_tx_lookup(tx, path, &key, &value);
		if (rc == 0)
			rc = rdb_tx_delete(tx, path, &key);
		else if (rc == -DER_NONEXIST)
			rc = 0;
	}
	return rc;
}

/** A copy in the request's memory. */
static int
reply_copy(crt_rpc_t *rpc, const void *src, size_t bytes, void **ret_copy)
{
	char *copy = crt_req_alloc(rpc, bytes + 1);

	if (copy == NULL)
		return -DER_NOMEM;
	memcpy(copy, src, bytes);
	copy[bytes] = '\0';
	*ret_copy = copy;
	return 0;
}

MAY_YIELD int
pool_attrs_get(struct rdb_tx *tx, const struct rdb_path *path, const struct pool_attrs *attrs, crt_rpc_t *rpc,
	       struct pool_attrs *ret_attrs)
{
	struct pool_attr *v = crt_req_alloc(rpc, MAX_OF(attrs->nr, 1u) * sizeof(*v));
	int               rc = 0;

	if (v == NULL)
		return -DER_NOMEM;
	for (uint32_t i = 0; i < attrs->nr && rc == 0; i++) {
		d_iov_t key, value = {0};
		void   *copy = NULL;

		rc = attr_key(&attrs->v[i], &key);
		if (rc == 0)
			rc = rdb_tx_lookup(tx, path, &key, &value);
		if (rc == 0)
			rc = reply_copy(rpc, value.iov_buf, value.iov_len, &copy);
		if (rc == 0) {
			v[i].name = attrs->v[i].name;
			d_iov_set(&v[i].value, copy, value.iov_len);
		}
	}
	if (rc != 0)
		return rc;
	ret_attrs->nr = attrs->nr;
	ret_attrs->v = v;
	return 0;
}

struct attr_names {
	crt_rpc_t        *rpc;
	struct pool_attr *v;
	uint32_t          nr, room;
};

static int
attr_name_cb(const d_iov_t *key, const d_iov_t *value, void *arg)
{
	struct attr_names *names = arg;
	void              *copy = NULL;
	int                rc;

	if (names->nr == names->room) {
		uint32_t          room = MAX_OF(names->room * 2, 16u);
		struct pool_attr *v = crt_req_alloc(names->rpc, room * sizeof(*v));

		if (v == NULL)
			return -DER_NOMEM;
		if (names->nr > 0)
			memcpy(v, names->v, names->nr * sizeof(*v));
		names->v = v;
		names->room = room;
	}
	rc = reply_copy(names->rpc, key->iov_buf, key->iov_len, &copy);
	if (rc == 0)
		names->v[names->nr++] = (struct pool_attr){.name = copy};
	return rc;
}

MAY_YIELD int
pool_attrs_list(struct rdb_tx *tx, const struct rdb_path *path, crt_rpc_t *rpc, struct pool_attrs *ret_attrs)
{
	struct attr_names names = {.rpc = rpc};
	int               rc = rdb_tx_iterate(tx, path, attr_name_cb, &names);

	if (rc != 0)
		return rc;
	ret_attrs->nr = names.nr;
	ret_attrs->v = names.v;
	return 0;
}

/* ---- handles ---- */

MAY_YIELD int
pool_hdl_get(struct rdb_tx *tx, const crt_rpc_t *rpc, struct pool_hdl *ret_hdl)
{
	const struct pool_in_head *in = rpc->cr_input;
	struct rdb_path            path = pool_path(POOL_KVS_HDLS);
	struct pool_hdl_df         df;
	d_iov_t                    key, value = {0};
	int                        rc;

	if (uuid_is_null(in->hdl.b)) {
		if (rpc->cr_ep.ep_rank == CRT_NO_RANK)
			return -DER_NO_HDL;
		*ret_hdl = (struct pool_hdl){.flags = DAOS_PC_RW, .capas = UINT64_MAX};
		return 0;
	}
	d_iov_set(&key, (void *)in->hdl.b, sizeof(uuid_t));
	rc = rdb_tx_lookup(tx, &path, &key, &value);
	if (rc != 0)
		return rc == -DER_NONEXIST ? -DER_NO_HDL : rc;
	if (value.iov_len < sizeof(df))
		return -DER_DF_INVAL;
	memcpy(&df, value.iov_buf, sizeof(df));
	if (df.cred_bytes != value.iov_len - sizeof(df))
		return -DER_DF_INVAL;
	ret_hdl->flags = df.flags;
	ret_hdl->capas = df.capas;
	ret_hdl->cred = (char *)value.iov_buf + sizeof(df);
	ret_hdl->cred_bytes = df.cred_bytes;
	return 0;
}
