/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/** What a pool tells about itself, and what of it can be changed. */
#define D_LOGFAC LOG_FAC_POOL
#include <daos_errno.h>
#include "base/log.h"
#include "base/prop_table.h"
#include "pool/pool_internal.h"

/* ---- query ---- */

static int
map_reply(crt_rpc_t *rpc, const struct pool_map *map, d_iov_t *ret_iov)
{
	size_t bytes = pool_map_packed_bytes(map);
	void  *buf = crt_req_alloc(rpc, bytes);

	if (buf == NULL)
		return -DER_NOMEM;
	pool_map_pack(map, buf);
	d_iov_set(ret_iov, buf, bytes);
	return 0;
}

/** Move a list into the request's memory. */
static int
ranks_reply(crt_rpc_t *rpc, d_rank_list_t *taken, d_rank_list_t **ret_ranks)
{
	d_rank_list_t *copy = crt_req_alloc(rpc, sizeof(*copy) + taken->rl_nr * sizeof(d_rank_t));

	if (copy != NULL) {
		copy->rl_nr = taken->rl_nr;
		copy->rl_ranks = (d_rank_t *)(copy + 1);
		memcpy(copy->rl_ranks, taken->rl_ranks, taken->rl_nr * sizeof(d_rank_t));
		*ret_ranks = copy;
	}
	d_rank_list_free(taken);
	return copy == NULL ? -DER_NOMEM : 0;
}

MAY_YIELD int
pool_info_fill(struct pool_svc *svc, crt_rpc_t *rpc, uint64_t bits, uint32_t known, uint32_t *map_version, d_iov_t *map,
	       d_rank_list_t **svc_ranks, uint32_t *leader, struct daos_pool_space *space)
{
	d_rank_list_t *ranks;
	int            rc = rdb_get_replicas(svc->ps_rsvc.rs_rdb, &ranks);

	if (rc != 0)
		return rc;
	rc = ranks_reply(rpc, ranks, svc_ranks);
	if (rc != 0)
		return rc;
	*leader = crt_rank_self(dss_crt(svc->ps_rsvc.rs_engine));
	*map_version = pool_map_version(svc->ps_map);
	if (*map_version > known)
		rc = map_reply(rpc, svc->ps_map, map);
	if (rc == 0 && (bits & DPI_SPACE))
		rc = pool_svc_space(svc, space);
	return rc;
}

MAY_YIELD static int
query_tx(struct rdb_tx *tx, crt_rpc_t *rpc)
{
	struct pool_query_in  *in = rpc->cr_input;
	struct pool_query_out *out = rpc->cr_output;
	struct rdb_path        path = pool_path(POOL_KVS_PROPS);
	struct pool_hdl        hdl;
	daos_prop_t           *prop;
	int                    rc = pool_hdl_get(tx, rpc, &hdl);

	if (rc != 0)
		return rc;
	if (!(hdl.capas & SEC_POOL_CAPA_READ))
		return -DER_NO_PERM;
	if (!in->prop_all && in->prop_types.nr == 0)
		return 0;
	if (!(hdl.capas & SEC_POOL_CAPA_GET_PROP))
		return -DER_NO_PERM;
	rc = pool_props_get(tx, &path, false, in->prop_types.v, in->prop_all ? 0 : in->prop_types.nr, &prop);
	if (rc == 0) {
		rc = pool_props_reply(rpc, prop, &out->props);
		daos_prop_free(prop);
	}
	return rc;
}

MAY_YIELD int
pool_op_query(struct pool_svc *svc, crt_rpc_t *rpc)
{
	struct pool_query_in  *in = rpc->cr_input;
	struct pool_query_out *out = rpc->cr_output;
	struct rdb_tx         *tx;
	int                    rc = pool_tx_begin(svc, false, &tx);

	if (rc == 0)
		rc = pool_tx_end(svc, tx, false, query_tx(tx, rpc));
	if (rc != 0)
		return rc;
	return pool_info_fill(svc, rpc, in->bits, in->map_version, &out->map_version, &out->map, &out->svc_ranks,
			      &out->leader, &out->space);
}

/* ---- properties and ACL: the control plane's ---- */

/** Whether records of requests are kept is a property: turned on or off, those there are don't tell all. */
MAY_YIELD static int
forget_ops(struct pool_op *op, const daos_prop_t *prop)
{
	uint64_t now_on = op->recorded;

	if (prop_list_num(prop, DAOS_PROP_PO_SVC_OPS_ENABLED, now_on) == now_on)
		return 0;
	return rsvc_ops_reset(op->tx, op->lim.now);
}

MAY_YIELD static int
prop_set_tx(struct pool_op *op, void *prop)
{
	struct rdb_path path = pool_path(POOL_KVS_PROPS);
	int             rc = forget_ops(op, prop);

	return rc != 0 ? rc : pool_props_put(op->tx, &path, prop);
}

MAY_YIELD int
pool_op_prop_set(struct pool_svc *svc, crt_rpc_t *rpc)
{
	struct pool_prop_set_in *in = rpc->cr_input;
	daos_prop_t             *prop;
	int                      rc;

	if (rpc->cr_ep.ep_rank == CRT_NO_RANK)
		return -DER_NO_PERM;
	rc = prop_list_decode(in->props.iov_buf, in->props.iov_len, &prop);
	if (rc != 0 || prop == NULL)
		return rc != 0 ? rc : -DER_INVAL;
	rc = prop_list_check(PROP_POOL, prop, PROP_SERVICE | PROP_CREATE);
	for (uint32_t i = 0; i < prop->dpp_nr && rc == 0; i++) {
		if (prop->dpp_entries[i].dpe_type == DAOS_PROP_PO_ACL)
			rc = sec_acl_check_pool(prop->dpp_entries[i].dpe_val_ptr);
	}
	if (rc == 0)
		rc = pool_op_run(svc, rpc, prop_set_tx, prop);
	daos_prop_free(prop);
	if (rc == 0)
		pool_svc_distribute(svc, NULL);
	return rc;
}

/** Add the entries of @more to the list. */
static int
acl_merge(struct daos_acl **acl, struct daos_acl *more)
{
	int rc = 0;

	for (struct daos_ace *a = daos_acl_get_next_ace(more, NULL); a != NULL && rc == 0;
	     a = daos_acl_get_next_ace(more, a))
		rc = daos_acl_add_ace(acl, a);
	return rc;
}

/** The list after the change; takes and returns allocated lists. */
static int
acl_apply(const struct pool_acl_change_in *in, struct daos_acl **acl)
{
	struct daos_prop_entry  given = {0};
	const struct prop_desc *desc = prop_desc_by_type(DAOS_PROP_PO_ACL);
	int                     rc;

	if (in->change == POOL_ACL_DELETE)
		return daos_acl_remove_ace(acl, in->principal_type, in->principal);
	rc = prop_value_decode(desc, in->acl.iov_buf, in->acl.iov_len, &given);
	if (rc == 0) {
		rc = sec_acl_check_pool(given.dpe_val_ptr);
		if (rc == 0 && in->change == POOL_ACL_UPDATE) {
			rc = acl_merge(acl, given.dpe_val_ptr);
		} else if (rc == 0 && in->change == POOL_ACL_OVERWRITE) {
			daos_acl_free(*acl);
			*acl = given.dpe_val_ptr;
			return 0;
		} else if (rc == 0) {
			rc = -DER_INVAL;
		}
		daos_acl_free(given.dpe_val_ptr);
	}
	return rc;
}

/** Read the list; also what a copy is told: the list as it is now. */
MAY_YIELD static int
acl_read(struct rdb_tx *tx, daos_prop_t **ret_prop)
{
	static const uint32_t type = DAOS_PROP_PO_ACL;
	struct rdb_path       path = pool_path(POOL_KVS_PROPS);
	daos_prop_t          *prop;
	int                   rc = pool_props_get(tx, &path, false, &type, 1, &prop);

	if (rc == 0 && prop->dpp_entries[0].dpe_val_ptr == NULL) {
		daos_prop_free(prop);
		rc = -DER_DF_INVAL;
	}
	if (rc == 0)
		*ret_prop = prop;
	return rc;
}

static int
acl_reply(crt_rpc_t *rpc, const struct daos_acl *acl)
{
	struct pool_acl_change_out *out = rpc->cr_output;
	size_t                      bytes = daos_acl_get_size((struct daos_acl *)acl);
	void                       *copy = crt_req_alloc(rpc, bytes);

	if (copy == NULL)
		return -DER_NOMEM;
	memcpy(copy, acl, bytes);
	d_iov_set(&out->acl, copy, bytes);
	return 0;
}

MAY_YIELD static int
acl_change_tx(struct pool_op *op)
{
	struct rdb_path  path = pool_path(POOL_KVS_PROPS);
	struct daos_acl *acl;
	daos_prop_t     *prop;
	int              rc = op->found ? op->rec.rc : 0;

	if (rc == 0)
		rc = acl_read(op->tx, &prop);
	if (rc != 0)
		return rc;
	acl = prop->dpp_entries[0].dpe_val_ptr;
	if (!op->found) {
		rc = acl_apply(op->rpc->cr_input, &acl);
		prop->dpp_entries[0].dpe_val_ptr = acl;
		if (rc == 0)
			rc = pool_props_put(op->tx, &path, prop);
	}
	if (rc == 0)
		rc = acl_reply(op->rpc, acl);
	daos_prop_free(prop);
	return rc;
}

MAY_YIELD int
pool_op_acl_change(struct pool_svc *svc, crt_rpc_t *rpc)
{
	struct pool_op op;
	int            rc;

	if (rpc->cr_ep.ep_rank == CRT_NO_RANK)
		return -DER_NO_PERM;
	rc = pool_op_begin(svc, rpc, &op);
	return rc != 0 ? rc : pool_op_end(&op, acl_change_tx(&op));
}

/* ---- attributes ---- */

/** Check the handle, do one of the four. */
MAY_YIELD static int
attr_tx(struct rdb_tx *tx, crt_rpc_t *rpc)
{
	struct pool_attr_op_in  *in = rpc->cr_input;
	struct pool_attr_op_out *out = rpc->cr_output;
	struct rdb_path          path = pool_path(POOL_KVS_ATTRS);
	uint32_t                 idx = CRT_OPC_IDX(rpc->cr_opc);
	bool                     write = idx == POOL_ATTR_SET || idx == POOL_ATTR_DEL;
	struct pool_hdl          hdl;
	int                      rc = pool_hdl_get(tx, rpc, &hdl);

	if (rc != 0)
		return rc;
	if (!(hdl.capas & (write ? SEC_POOL_CAPA_SET_PROP : SEC_POOL_CAPA_GET_PROP)))
		return -DER_NO_PERM;
	switch (idx) {
	case POOL_ATTR_LIST:
		return pool_attrs_list(tx, &path, rpc, &out->attrs);
	case POOL_ATTR_GET:
		return pool_attrs_get(tx, &path, &in->attrs, rpc, &out->attrs);
	case POOL_ATTR_SET:
		return pool_attrs_set(tx, &path, &in->attrs);
	default:
		return pool_attrs_del(tx, &path, &in->attrs);
	}
}

MAY_YIELD static int
attr_read(struct pool_svc *svc, crt_rpc_t *rpc)
{
	struct rdb_tx *tx;
	int            rc = pool_tx_begin(svc, false, &tx);

	return rc != 0 ? rc : pool_tx_end(svc, tx, false, attr_tx(tx, rpc));
}

MAY_YIELD static int
attr_write_tx(struct pool_op *op, void *arg)
{
	(void)arg;
	return attr_tx(op->tx, op->rpc);
}

MAY_YIELD int
pool_op_attr_list(struct pool_svc *svc, crt_rpc_t *rpc)
{
	return attr_read(svc, rpc);
}

MAY_YIELD int
pool_op_attr_get(struct pool_svc *svc, crt_rpc_t *rpc)
{
	return attr_read(svc, rpc);
}

MAY_YIELD int
pool_op_attr_set(struct pool_svc *svc, crt_rpc_t *rpc)
{
	return pool_op_run(svc, rpc, attr_write_tx, NULL);
}

MAY_YIELD int
pool_op_attr_del(struct pool_svc *svc, crt_rpc_t *rpc)
{
	return pool_op_run(svc, rpc, attr_write_tx, NULL);
}
