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

MAY_YIELD int
pool_op_prop_set(struct pool_svc *svc, crt_rpc_t *rpc)
{
	struct pool_prop_set_in *in = rpc->cr_input;
	struct rdb_path          path = pool_path(POOL_KVS_PROPS);
	struct rdb_tx           *tx;
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
		rc = pool_tx_begin(svc, true, &tx);
	if (rc == 0)
		rc = pool_tx_end(svc, tx, true, pool_props_put(tx, &path, prop));
	daos_prop_free(prop);
	if (rc == 0)
		pool_svc_distribute(svc);
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

MAY_YIELD static int
acl_change_tx(struct rdb_tx *tx, crt_rpc_t *rpc)
{
	static const uint32_t       type = DAOS_PROP_PO_ACL;
	struct pool_acl_change_out *out = rpc->cr_output;
	struct rdb_path             path = pool_path(POOL_KVS_PROPS);
	struct daos_acl            *acl;
	daos_prop_t                *prop;
	void                       *copy;
	int                         rc = pool_props_get(tx, &path, false, &type, 1, &prop);

	if (rc != 0)
		return rc;
	acl = prop->dpp_entries[0].dpe_val_ptr;
	rc = acl == NULL ? -DER_DF_INVAL : acl_apply(rpc->cr_input, &acl);
	prop->dpp_entries[0].dpe_val_ptr = acl;
	if (rc == 0)
		rc = pool_props_put(tx, &path, prop);
	if (rc == 0) {
		copy = crt_req_alloc(rpc, daos_acl_get_size(acl));
		rc = copy == NULL ? -DER_NOMEM : 0;
		if (copy != NULL) {
			memcpy(copy, acl, daos_acl_get_size(acl));
			d_iov_set(&out->acl, copy, daos_acl_get_size(acl));
		}
	}
	daos_prop_free(prop);
	return rc;
}

MAY_YIELD int
pool_op_acl_change(struct pool_svc *svc, crt_rpc_t *rpc)
{
	struct rdb_tx *tx;
	int            rc;

	if (rpc->cr_ep.ep_rank == CRT_NO_RANK)
		return -DER_NO_PERM;
	rc = pool_tx_begin(svc, true, &tx);
	return rc != 0 ? rc : pool_tx_end(svc, tx, true, acl_change_tx(tx, rpc));
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
attr_op(struct pool_svc *svc, crt_rpc_t *rpc, bool write)
{
	struct rdb_tx *tx;
	int            rc = pool_tx_begin(svc, write, &tx);

	return rc != 0 ? rc : pool_tx_end(svc, tx, write, attr_tx(tx, rpc));
}

MAY_YIELD int
pool_op_attr_list(struct pool_svc *svc, crt_rpc_t *rpc)
{
	return attr_op(svc, rpc, false);
}

MAY_YIELD int
pool_op_attr_get(struct pool_svc *svc, crt_rpc_t *rpc)
{
	return attr_op(svc, rpc, false);
}

MAY_YIELD int
pool_op_attr_set(struct pool_svc *svc, crt_rpc_t *rpc)
{
	return attr_op(svc, rpc, true);
}

MAY_YIELD int
pool_op_attr_del(struct pool_svc *svc, crt_rpc_t *rpc)
{
	return attr_op(svc, rpc, true);
}
