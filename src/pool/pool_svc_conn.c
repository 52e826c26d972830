/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/**
 * Connections. A handle is durable: it is in the rdb from the connect's reply to the disconnect or
 * eviction, over restarts of engines and changes of the leader. A connect or an eviction that comes
 * again is answered from its record; a disconnect may be repeated as it is, for no handle comes back.
 */
#define D_LOGFAC LOG_FAC_POOL
#include <daos_errno.h>
#include "base/log.h"
#include "base/prop_table.h"
#include "pool/pool_internal.h"

/** All handles there are. */
struct hdl_list {
	uuid_t  *v;
	uint32_t nr, room;
	bool     exclusive; /* one of them is */
};

static int
hdl_list_cb(const d_iov_t *key, const d_iov_t *value, void *arg)
{
	struct hdl_list   *list = arg;
	struct pool_hdl_df df;

	if (key->iov_len != sizeof(uuid_t) || value->iov_len < sizeof(df))
		return -DER_DF_INVAL;
	if (list->nr == list->room) {
		uint32_t room = MAX_OF(list->room * 2, 16u);
		uuid_t  *v = realloc(list->v, room * sizeof(*v));

		if (v == NULL)
			return -DER_NOMEM;
		list->v = v;
		list->room = room;
	}
	memcpy(&df, value->iov_buf, sizeof(df));
	list->exclusive |= (df.flags & DAOS_PC_EX) != 0;
	memcpy(list->v[list->nr++], key->iov_buf, sizeof(uuid_t));
	return 0;
}

MAY_YIELD static int
hdl_list(struct rdb_tx *tx, struct hdl_list *list)
{
	struct rdb_path path = pool_path(POOL_KVS_HDLS);

	memset(list, 0, sizeof(*list));
	return rdb_tx_iterate(tx, &path, hdl_list_cb, list);
}

/* ---- connect ---- */

/** What the credential's owner may do. */
MAY_YIELD static int
decide(struct rdb_tx *tx, const struct sec_ident *ident, uint64_t flags, uint64_t *ret_capas)
{
	static const uint32_t   types[] = {DAOS_PROP_PO_ACL, DAOS_PROP_PO_OWNER, DAOS_PROP_PO_OWNER_GROUP};
	struct rdb_path         path = pool_path(POOL_KVS_PROPS);
	struct daos_prop_entry *acl;
	struct sec_owner        owner;
	daos_prop_t            *prop;
	int                     rc = pool_props_get(tx, &path, false, types, ARRAY_NR(types), &prop);

	if (rc != 0)
		return rc;
	acl = daos_prop_entry_get(prop, DAOS_PROP_PO_ACL);
	owner.user = prop_list_str(prop, DAOS_PROP_PO_OWNER);
	owner.group = prop_list_str(prop, DAOS_PROP_PO_OWNER_GROUP);
	rc = sec_pool_capas(acl->dpe_val_ptr, &owner, ident, flags, ret_capas);
	daos_prop_free(prop);
	return rc;
}

MAY_YIELD static int
check_exclusive(struct rdb_tx *tx, uint64_t flags)
{
	struct hdl_list list;
	int             rc = hdl_list(tx, &list);

	if (rc == 0 && (list.exclusive || ((flags & DAOS_PC_EX) && list.nr > 0)))
		rc = -DER_BUSY;
	free(list.v);
	return rc;
}

static int
put_hdl(struct rdb_tx *tx, const struct pool_connect_in *in, uint64_t capas)
{
	struct rdb_path     path = pool_path(POOL_KVS_HDLS);
	size_t              bytes = sizeof(struct pool_hdl_df) + in->cred.iov_len;
	struct pool_hdl_df *df = calloc(1, bytes);
	d_iov_t             key, value;
	int                 rc;

	if (df == NULL)
		return -DER_NOMEM;
	df->flags = in->flags;
	df->capas = capas;
	df->cred_bytes = in->cred.iov_len;
	memcpy(df + 1, in->cred.iov_buf, in->cred.iov_len);
	d_iov_set(&key, (void *)in->hdl.b, sizeof(uuid_t));
	d_iov_set(&value, df, bytes);
	rc = rdb_tx_update(tx, &path, &key, &value);
	free(df);
	return rc;
}

MAY_YIELD static int
connect_tx(struct rdb_tx *tx, const crt_rpc_t *rpc, const struct sec_ident *ident, uint64_t *ret_capas)
{
	const struct pool_connect_in *in = rpc->cr_input;
	struct pool_hdl               present;
	int                           rc = pool_hdl_get(tx, rpc, &present);

	if (rc == 0) { /* repeated */
		*ret_capas = present.capas;
		return 0;
	}
	if (rc == -DER_NO_HDL)
		rc = decide(tx, ident, in->flags, ret_capas);
	if (rc == 0)
		rc = check_exclusive(tx, in->flags);
	if (rc == 0)
		rc = put_hdl(tx, in, *ret_capas);
	return rc;
}

/** As the first copy was answered; but what it connected may be disconnected by now. */
MAY_YIELD static int
connect_again(struct pool_op *op, uint64_t *ret_capas)
{
	struct pool_hdl present;
	int             rc = op->rec.rc;

	if (rc == 0)
		rc = pool_hdl_get(op->tx, op->rpc, &present);
	if (rc == 0)
		*ret_capas = present.capas;
	return rc;
}

#define CRED_BYTES_MAX 65536

MAY_YIELD int
pool_op_connect(struct pool_svc *svc, crt_rpc_t *rpc)
{
	struct pool_connect_in  *in = rpc->cr_input;
	struct pool_connect_out *out = rpc->cr_output;
	struct sec_ident        *ident;
	struct pool_op           op;
	int                      rc;

	if (uuid_is_null(in->hdl.b) || (in->flags & ~(uint64_t)DAOS_PC_MASK) || in->cred.iov_len > CRED_BYTES_MAX)
		return -DER_INVAL;
	rc = ds_mgmt_check_cred(svc->ps_rsvc.rs_engine, in->cred.iov_buf, in->cred.iov_len, &ident);
	if (rc != 0) {
		D_WARN("pool " DF_UUID ": connect with a credential that is not accepted: " DF_RC,
		       DP_UUID(in->pool.b), DP_RC(rc));
		return rc;
	}
	rc = pool_op_begin(svc, rpc, &op);
	if (rc == 0)
		rc = pool_op_end(&op, op.found ? connect_again(&op, &out->capas)
				       : connect_tx(op.tx, rpc, ident, &out->capas));
	if (rc == 0)
		D_INFO("pool " DF_UUID ": " DF_UUID " connected, user %s on %s, flags %lx, capas %lx", DP_UUID(in->pool.b),
		       DP_UUID(in->hdl.b), ident->user, ident->machine, (unsigned long)in->flags,
		       (unsigned long)out->capas);
	else
		D_INFO("pool " DF_UUID ": user %s may not connect: " DF_RC, DP_UUID(in->pool.b), ident->user, DP_RC(rc));
	free(ident);
	if (rc != 0)
		return rc;
	return pool_info_fill(svc, rpc, in->bits, 0, &out->map_version, &out->map, &out->svc_ranks, &out->leader,
			      &out->space);
}

/* ---- disconnect, evict ---- */

/** Take handles and what was opened with them out of the rdb. */
MAY_YIELD static int
drop_hdls(struct pool_svc *svc, struct rdb_tx *tx, const uuid_t *hdls, uint32_t nr)
{
	const struct ds_pool_cont_ops *ops = pool_module_of(svc->ps_rsvc.rs_engine)->cont_ops;
	struct rdb_path                path = pool_path(POOL_KVS_HDLS);
	d_iov_t                        key;
	int                            rc = ops == NULL ? 0 : ops->hdls_closed(tx, hdls, nr);

	for (uint32_t i = 0; i < nr && rc == 0; i++) {
		d_iov_set(&key, (void *)hdls[i], sizeof(uuid_t));
		rc = rdb_tx_delete(tx, &path, &key);
	}
	return rc;
}

MAY_YIELD int
pool_op_disconnect(struct pool_svc *svc, crt_rpc_t *rpc)
{
	struct pool_disconnect_in *in = rpc->cr_input;
	struct pool_hdl            hdl;
	struct rdb_tx             *tx;
	uuid_t                     hdls[1];
	int                        rc;

	if (uuid_is_null(in->hdl.b))
		return -DER_INVAL;
	uuid_copy(hdls[0], in->hdl.b);
	rc = pool_tx_begin(svc, true, &tx);
	if (rc != 0)
		return rc;
	rc = pool_hdl_get(tx, rpc, &hdl);
	if (rc == 0)
		rc = drop_hdls(svc, tx, hdls, 1);
	rc = pool_tx_end(svc, tx, true, rc);
	if (rc == -DER_NO_HDL) /* evicted, or repeated */
		return 0;
	if (rc == 0)
		pool_svc_close_tgt_hdls(svc, hdls, 1);
	return rc;
}

/** @list: of handles, as they were */
MAY_YIELD static int
evict_all(struct pool_op *op, struct hdl_list *list)
{
	int rc = drop_hdls(op->svc, op->tx, list->v, list->nr);

	if (rc == 0)
		pool_op_reply(op, &list->nr, sizeof(list->nr));
	return rc;
}

MAY_YIELD static int
evict_tx(struct pool_op *op, void *list)
{
	int rc = hdl_list(op->tx, list);

	return rc != 0 ? rc : evict_all(op, list);
}

/** Not while somebody is connected, or containers are there, unless that is accepted. */
MAY_YIELD static int
destroy_prep_tx(struct pool_op *op, void *varg)
{
	const struct pool_destroy_prep_in *in = op->rpc->cr_input;
	const struct ds_pool_cont_ops     *ops = pool_module_of(op->svc->ps_rsvc.rs_engine)->cont_ops;
	struct hdl_list                   *list = varg;
	uint64_t                           cont_nr = 0;
	int                                rc = hdl_list(op->tx, list);

	if (rc == 0 && ops != NULL)
		rc = ops->count(op->tx, &cont_nr);
	if (rc == 0 && ((list->nr > 0 && !in->force) || (cont_nr > 0 && !in->recursive)))
		rc = -DER_BUSY;
	return rc != 0 ? rc : evict_all(op, list);
}

/** @ret_nr: handles that were closed */
MAY_YIELD static int
evict(struct pool_svc *svc, crt_rpc_t *rpc, pool_op_body_t body, uint32_t *ret_nr)
{
	struct hdl_list list = {0};
	struct pool_op  op;
	int             rc;

	if (rpc->cr_ep.ep_rank == CRT_NO_RANK)
		return -DER_NO_PERM;
	rc = pool_op_begin(svc, rpc, &op);
	if (rc != 0)
		return rc;
	rc = pool_op_end(&op, op.found ? op.rec.rc : body(&op, &list));
	if (rc == 0 && list.nr > 0)
		pool_svc_close_tgt_hdls(svc, list.v, list.nr);
	free(list.v);
	if (rc == 0 && !pool_op_replied(&op, ret_nr, sizeof(*ret_nr)))
		rc = -DER_DF_INVAL;
	return rc;
}

MAY_YIELD int
pool_op_evict(struct pool_svc *svc, crt_rpc_t *rpc)
{
	return evict(svc, rpc, evict_tx, &((struct pool_evict_out *)rpc->cr_output)->count);
}

MAY_YIELD int
pool_op_destroy_prep(struct pool_svc *svc, crt_rpc_t *rpc)
{
	uint32_t nr;

	return evict(svc, rpc, destroy_prep_tx, &nr);
}
