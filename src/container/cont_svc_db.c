/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/** Records of containers and handles in the pool's rdb (cont_df.h). */
#define D_LOGFAC LOG_FAC_CONTAINER
#include <daos_errno.h>
#include "base/log.h"
#include "container/cont_internal.h"

/* ---- any record ---- */

MAY_YIELD static int
df_get(struct rdb_tx *tx, const char *kvs, const void *key, size_t key_bytes, void *df, size_t df_bytes)
{
	struct rdb_path path = pool_path(kvs);
	d_iov_t         k, value = {0};
	int             rc;

	d_iov_set(&k, (void *)key, key_bytes);
	rc = rdb_tx_lookup(tx, &path, &k, &value);
	if (rc != 0)
		return rc;
	if (value.iov_len != df_bytes)
		return -DER_DF_INVAL;
	memcpy(df, value.iov_buf, df_bytes);
	return 0;
}

static int
df_put(struct rdb_tx *tx, const char *kvs, const void *key, size_t key_bytes, const void *df, size_t df_bytes)
{
	struct rdb_path path = pool_path(kvs);
	d_iov_t         k, value;

	d_iov_set(&k, (void *)key, key_bytes);
	d_iov_set(&value, (void *)df, df_bytes);
	return rdb_tx_update(tx, &path, &k, &value);
}

static int
df_del(struct rdb_tx *tx, const char *kvs, const void *key, size_t key_bytes)
{
	struct rdb_path path = pool_path(kvs);
	d_iov_t         k;

	d_iov_set(&k, (void *)key, key_bytes);
	return rdb_tx_delete(tx, &path, &k);
}

/* ---- containers ---- */

MAY_YIELD int
cont_find(struct rdb_tx *tx, const char *label, const uuid_t uuid, uuid_t ret_uuid)
{
	struct cont_df df;
	uuid_t         found;
	int            rc;

	if (label == NULL || label[0] == '\0') {
		uuid_copy(found, uuid);
		rc = cont_get(tx, found, &df);
	} else if (!daos_label_is_valid(label)) {
		rc = -DER_INVAL;
	} else {
		rc = df_get(tx, CONT_KVS_LABELS, label, strlen(label), found, sizeof(found));
	}
	if (rc == 0)
		uuid_copy(ret_uuid, found);
	return rc;
}

MAY_YIELD int
cont_get(struct rdb_tx *tx, const uuid_t uuid, struct cont_df *ret_df)
{
	return df_get(tx, CONT_KVS_CONTS, uuid, sizeof(uuid_t), ret_df, sizeof(*ret_df));
}

int
cont_put(struct rdb_tx *tx, const uuid_t uuid, const struct cont_df *df)
{
	return df_put(tx, CONT_KVS_CONTS, uuid, sizeof(uuid_t), df, sizeof(*df));
}

int
cont_label_put(struct rdb_tx *tx, const char *label, const uuid_t uuid)
{
	return df_put(tx, CONT_KVS_LABELS, label, strlen(label), uuid, sizeof(uuid_t));
}

int
cont_label_del(struct rdb_tx *tx, const char *label)
{
	return df_del(tx, CONT_KVS_LABELS, label, strlen(label));
}

int
cont_remove(struct rdb_tx *tx, const uuid_t uuid, const char *label)
{
	struct rdb_path parent = pool_path(CONT_KVS_CONT);
	d_iov_t         key;
	int             rc = 0;

	d_iov_set(&key, (void *)uuid, sizeof(uuid_t));
	if (label != NULL)
		rc = cont_label_del(tx, label);
	if (rc == 0)
		rc = df_del(tx, CONT_KVS_CONTS, uuid, sizeof(uuid_t));
	if (rc == 0)
		rc = rdb_tx_destroy_kvs(tx, &parent, &key);
	return rc;
}

/* ---- handles ---- */

MAY_YIELD int
cont_hdl_get(struct rdb_tx *tx, const uuid_t hdl, struct cont_hdl_df *ret_df)
{
	int rc = df_get(tx, CONT_KVS_HDLS, hdl, sizeof(uuid_t), ret_df, sizeof(*ret_df));

	return rc == -DER_NONEXIST ? -DER_NO_HDL : rc;
}

int
cont_hdl_put(struct rdb_tx *tx, const uuid_t hdl, const struct cont_hdl_df *df)
{
	return df_put(tx, CONT_KVS_HDLS, hdl, sizeof(uuid_t), df, sizeof(*df));
}

int
cont_hdl_del(struct rdb_tx *tx, const uuid_t hdl)
{
	return df_del(tx, CONT_KVS_HDLS, hdl, sizeof(uuid_t));
}

MAY_YIELD int
cont_hdl_check(struct rdb_tx *tx, const uuid_t cont, const uuid_t hdl, uint64_t capa, struct cont_hdl_df *ret_df)
{
	int rc = cont_hdl_get(tx, hdl, ret_df);

	if (rc != 0)
		return rc;
	if (uuid_compare(ret_df->cont, cont) != 0)
		return -DER_NO_HDL;
	return (ret_df->capas & capa) == capa ? 0 : -DER_NO_PERM;
}

struct match {
	const unsigned char *cont;
	const uuid_t        *pool_hdls;
	uint32_t             nr;
	struct cont_hdls    *hdls;
};

static int
hdls_add(struct cont_hdls *hdls, const void *uuid)
{
	if (hdls->nr == hdls->room) {
		uint32_t room = MAX_OF(hdls->room * 2, 16u);
		uuid_t  *v = realloc(hdls->v, room * sizeof(*v));

		if (v == NULL)
			return -DER_NOMEM;
		hdls->v = v;
		hdls->room = room;
	}
	memcpy(hdls->v[hdls->nr++], uuid, sizeof(uuid_t));
	return 0;
}

static int
match_cb(const d_iov_t *key, const d_iov_t *value, void *arg)
{
	struct match      *match = arg;
	struct cont_hdl_df df;
	bool               fits = match->pool_hdls == NULL;

	if (key->iov_len != sizeof(uuid_t) || value->iov_len != sizeof(df))
		return -DER_DF_INVAL;
	memcpy(&df, value->iov_buf, sizeof(df));
	for (uint32_t i = 0; i < match->nr && !fits; i++)
		fits = uuid_compare(df.pool_hdl, match->pool_hdls[i]) == 0;
	if (match->cont != NULL && uuid_compare(df.cont, match->cont) != 0)
		fits = false;
	if (!fits)
		return 0;
	match->hdls->exclusive |= (df.flags & DAOS_COO_EX) != 0;
	return hdls_add(match->hdls, key->iov_buf);
}

MAY_YIELD int
cont_hdls_find(struct rdb_tx *tx, const unsigned char *cont, const uuid_t *pool_hdls, uint32_t pool_hdl_nr,
	       struct cont_hdls *ret_hdls)
{
	struct rdb_path  path = pool_path(CONT_KVS_HDLS);
	struct cont_hdls hdls = {0};
	struct match     match = {.cont = cont, .pool_hdls = pool_hdls, .nr = pool_hdl_nr, .hdls = &hdls};
	int              rc = rdb_tx_iterate(tx, &path, match_cb, &match);

	if (rc != 0) {
		free(hdls.v);
		return rc;
	}
	*ret_hdls = hdls;
	return 0;
}

/* ---- snapshots ---- */

struct snaps {
	crt_rpc_t *rpc;
	uint64_t  *v;
	uint32_t   nr, room;
};

static int
snap_cb(const d_iov_t *key, const d_iov_t *value, void *arg)
{
	struct snaps *snaps = arg;

	if (key->iov_len != sizeof(uint64_t))
		return -DER_DF_INVAL;
	if (snaps->nr == snaps->room) {
		uint32_t  room = MAX_OF(snaps->room * 2, 16u);
		uint64_t *v = crt_req_alloc(snaps->rpc, room * sizeof(*v));

		if (v == NULL)
			return -DER_NOMEM;
		if (snaps->nr > 0)
			memcpy(v, snaps->v, snaps->nr * sizeof(*v));
		snaps->v = v;
		snaps->room = room;
	}
	memcpy(&snaps->v[snaps->nr++], key->iov_buf, sizeof(uint64_t));
	return 0;
}

MAY_YIELD int
cont_snaps_get(struct rdb_tx *tx, const uuid_t cont, crt_rpc_t *rpc, struct cont_snaps *ret_snaps)
{
	struct rdb_path path = pool_path_uuid_kvs(CONT_KVS_CONT, cont, CONT_SUB_SNAPS);
	struct snaps    snaps = {.rpc = rpc};
	int             rc = rdb_tx_iterate(tx, &path, snap_cb, &snaps);

	if (rc != 0)
		return rc;
	ret_snaps->version = hlc_get(dss_hlc(dss_engine()));
	ret_snaps->epochs = (struct crt_u64_array){.nr = snaps.nr, .v = snaps.v};
	return 0;
}
