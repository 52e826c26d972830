/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/** Properties of containers: of new ones, queries, changes; attributes; the list of containers. */
#define D_LOGFAC LOG_FAC_CONTAINER
#include <daos_errno.h>
#include "base/log.h"
#include "base/prop_table.h"
#include "container/cont_internal.h"

/** Failures that objects of this version survive: each is stored once. Containers that don't ask for more inherit
 *  their pool's factor up to here. */
#define CONT_REDUN_FAC_INHERIT_MAX 0u

static struct rdb_path
props_path(const uuid_t cont)
{
	return pool_path_uuid_kvs(CONT_KVS_CONT, cont, CONT_SUB_PROPS);
}

/* ---- of a new container ---- */

/** Ranks that can fail one after the other and leave one. */
static uint32_t
redun_fac_room(struct pool_svc *svc)
{
	d_rank_list_t *ranks;
	uint32_t       room;

	if (pool_svc_ranks_in(svc, &ranks) != 0)
		return 0;
	room = ranks->rl_nr > 0 ? ranks->rl_nr - 1 : 0;
	d_rank_list_free(ranks);
	return room;
}

static int
check_given(struct pool_svc *svc, const daos_prop_t *given)
{
	const struct daos_prop_entry *acl = daos_prop_entry_get((daos_prop_t *)given, DAOS_PROP_CO_ACL);
	uint64_t                      rf = prop_list_num(given, DAOS_PROP_CO_REDUN_FAC, 0);
	int                           rc = prop_list_check(PROP_CONT, given, PROP_SERVICE);

	if (rc == 0 && acl != NULL)
		rc = sec_acl_check_cont(acl->dpe_val_ptr);
	if (rc == 0 && rf > redun_fac_room(svc)) {
		D_ERROR("pool " DF_UUID ": a container with rd_fac %lu needs %lu ranks, the pool has %u in use",
			DP_UUID(svc->ps_rsvc.rs_uuid), (unsigned long)rf, (unsigned long)rf + 1,
			redun_fac_room(svc) + 1);
		rc = -DER_INVAL;
	}
	return rc;
}

static int
set_str(struct daos_prop_entry *entry, const char *str)
{
	char *copy = strdup(str);

	if (copy == NULL)
		return -DER_NOMEM;
	free(entry->dpe_str);
	entry->dpe_str = copy;
	return 0;
}

/** What neither the user nor the table says. */
static int
set_derived(struct pool_svc *svc, const struct prop_desc *desc, const daos_prop_t *pool, const struct sec_ident *ident,
	    struct daos_prop_entry *entry)
{
	uint64_t rf, rf_max = CONT_REDUN_FAC_INHERIT_MAX;

	switch (desc->type) {
	case DAOS_PROP_CO_OWNER:
		return set_str(entry, ident->user);
	case DAOS_PROP_CO_OWNER_GROUP:
		return set_str(entry, ident->group);
	case DAOS_PROP_CO_ACL:
		entry->dpe_val_ptr = sec_acl_default_cont();
		return entry->dpe_val_ptr == NULL ? -DER_NOMEM : 0;
	case DAOS_PROP_CO_REDUN_FAC:
		rf = prop_list_num(pool, DAOS_PROP_PO_REDUN_FAC, 0);
		entry->dpe_val = MIN_OF(MIN_OF(rf, redun_fac_room(svc)), rf_max);
		return 0;
	default:
		if (desc->flags & PROP_INHERIT)
			entry->dpe_val = prop_list_num(pool, desc->from, prop_desc_by_type(desc->from)->def);
		return 0;
	}
}

MAY_YIELD int
cont_props_new(struct pool_svc *svc, struct rdb_tx *tx, const daos_prop_t *given, const struct sec_ident *ident,
	       daos_prop_t **ret_prop)
{
	struct rdb_path         path = pool_path("props");
	uint32_t                nr;
	const struct prop_desc *table = prop_table(PROP_CONT, &nr);
	daos_prop_t            *prop = NULL, *pool = NULL;
	int                     rc = check_given(svc, given);

	if (rc == 0)
		rc = pool_props_get(tx, &path, false, NULL, 0, &pool);
	if (rc != 0)
		return rc;
	prop = daos_prop_alloc(nr);
	rc = prop == NULL ? -DER_NOMEM : 0;
	for (uint32_t i = 0; i < nr && rc == 0; i++) {
		struct daos_prop_entry       *entry = &prop->dpp_entries[i];
		const struct daos_prop_entry *want = daos_prop_entry_get((daos_prop_t *)given, table[i].type);

		if (want != NULL && daos_prop_is_set((struct daos_prop_entry *)want) &&
		    !((table[i].flags & PROP_INHERIT) && want->dpe_val == 0)) {
			rc = prop_entry_copy(entry, want);
			continue;
		}
		rc = prop_entry_default(&table[i], entry);
		if (rc == 0)
			rc = set_derived(svc, &table[i], pool, ident, entry);
	}
	daos_prop_free(pool);
	if (rc != 0) {
		daos_prop_free(prop);
		return rc;
	}
	*ret_prop = prop;
	return 0;
}

/* ---- query ---- */

MAY_YIELD int
cont_info_fill(struct rdb_tx *tx, crt_rpc_t *rpc, const uuid_t cont, daos_cont_info_t *ret_info)
{
	struct cont_snaps snaps;
	struct cont_hdls     hdls;
	struct cont_df       df;
	int                  rc = cont_get(tx, cont, &df);

	if (rc == 0)
		rc = cont_snaps_get(tx, cont, rpc, &snaps);
	if (rc == 0)
		rc = cont_hdls_find(tx, cont, NULL, 0, &hdls);
	if (rc != 0)
		return rc;
	free(hdls.v);
	uuid_copy(ret_info->ci_uuid, cont);
	ret_info->ci_lsnapshot = snaps.epochs.nr > 0 ? snaps.epochs.v[snaps.epochs.nr - 1] : 0;
	ret_info->ci_nsnapshots = snaps.epochs.nr;
	ret_info->ci_nhandles = hdls.nr;
	ret_info->ci_md_otime = df.otime;
	ret_info->ci_md_mtime = df.mtime;
	return 0;
}

/** Properties that are not among the stored ones, and those the handle may not see. */
MAY_YIELD static int
adjust(struct rdb_tx *tx, const uuid_t cont, uint64_t capas, bool all, daos_prop_t *prop)
{
	struct daos_prop_entry *oid = daos_prop_entry_get(prop, DAOS_PROP_CO_ALLOCED_OID);
	struct daos_prop_entry *acl = daos_prop_entry_get(prop, DAOS_PROP_CO_ACL);
	struct cont_df          df;
	int                     rc;

	if (acl != NULL && !(capas & SEC_CONT_CAPA_GET_ACL)) {
		if (!all)
			return -DER_NO_PERM;
		prop_entry_fini(acl);
		acl->dpe_flags |= DAOS_PROP_ENTRY_NOT_SET;
	}
	if (oid == NULL)
		return 0;
	rc = cont_get(tx, cont, &df);
	if (rc == 0)
		oid->dpe_val = df.oid_next;
	return rc;
}

MAY_YIELD static int
query_tx(struct rdb_tx *tx, crt_rpc_t *rpc)
{
	struct cont_query_in  *in = rpc->cr_input;
	struct cont_query_out *out = rpc->cr_output;
	struct rdb_path        path = props_path(in->cont.b);
	struct cont_hdl_df     df;
	daos_prop_t           *prop;
	int                    rc = cont_hdl_check(tx, in->cont.b, in->cont_hdl.b, 0, &df);

	if (rc == 0)
		rc = cont_info_fill(tx, rpc, in->cont.b, &out->info);
	if (rc != 0 || (!in->prop_all && in->prop_types.nr == 0))
		return rc;
	if (!(df.capas & (SEC_CONT_CAPA_GET_PROP | SEC_CONT_CAPA_GET_ACL)))
		return -DER_NO_PERM;
	rc = pool_props_get(tx, &path, true, in->prop_types.v, in->prop_all ? 0 : in->prop_types.nr, &prop);
	if (rc != 0)
		return rc;
	rc = adjust(tx, in->cont.b, df.capas, in->prop_all, prop);
	if (rc == 0)
		rc = pool_props_reply(rpc, prop, &out->props);
	daos_prop_free(prop);
	return rc;
}

MAY_YIELD int
cont_op_query(struct pool_svc *svc, crt_rpc_t *rpc)
{
	struct rdb_tx *tx;
	int            rc = pool_tx_begin(svc, false, &tx);

	return rc != 0 ? rc : pool_tx_end(svc, tx, false, query_tx(tx, rpc));
}

/* ---- changes ---- */

static uint64_t
capa_to_set(const daos_prop_t *prop)
{
	uint64_t capas = 0;

	for (uint32_t i = 0; i < prop->dpp_nr; i++) {
		uint32_t type = prop->dpp_entries[i].dpe_type;

		if (type == DAOS_PROP_CO_ACL)
			capas |= SEC_CONT_CAPA_SET_ACL;
		else if (type == DAOS_PROP_CO_OWNER || type == DAOS_PROP_CO_OWNER_GROUP)
			capas |= SEC_CONT_CAPA_SET_OWNER;
		else
			capas |= SEC_CONT_CAPA_SET_PROP;
	}
	return capas;
}

/** Keep the index of labels right. */
MAY_YIELD static int
relabel(struct rdb_tx *tx, const uuid_t cont, const char *label)
{
	static const uint32_t type = DAOS_PROP_CO_LABEL;
	struct rdb_path       path = props_path(cont);
	daos_prop_t          *prop;
	uuid_t                uuid;
	int                   rc = cont_find(tx, label, NULL, uuid);

	if (rc == 0)
		return uuid_compare(uuid, cont) == 0 ? 0 : -DER_EXIST;
	if (rc != -DER_NONEXIST)
		return rc;
	rc = pool_props_get(tx, &path, true, &type, 1, &prop);
	if (rc != 0)
		return rc;
	if (strcmp(prop->dpp_entries[0].dpe_str, DAOS_PROP_CO_LABEL_DEFAULT) != 0)
		rc = cont_label_del(tx, prop->dpp_entries[0].dpe_str);
	daos_prop_free(prop);
	return rc != 0 ? rc : cont_label_put(tx, label, cont);
}

MAY_YIELD static int
touch(struct pool_svc *svc, struct rdb_tx *tx, const uuid_t cont)
{
	struct cont_df df;
	int            rc = cont_get(tx, cont, &df);

	if (rc != 0)
		return rc;
	df.mtime = hlc_get(dss_hlc(svc->ps_rsvc.rs_engine));
	return cont_put(tx, cont, &df);
}

MAY_YIELD static int
prop_set_tx(struct pool_op *op, void *vprop)
{
	struct cont_prop_set_in *in = op->rpc->cr_input;
	struct pool_svc         *svc = op->svc;
	struct rdb_tx           *tx = op->tx;
	daos_prop_t             *prop = vprop;
	struct rdb_path          path = props_path(in->cont.b);
	struct daos_prop_entry  *status = daos_prop_entry_get(prop, DAOS_PROP_CO_STATUS);
	const char              *label = prop_list_str(prop, DAOS_PROP_CO_LABEL);
	struct cont_hdl_df       df;
	int                      rc = cont_hdl_check(tx, in->cont.b, in->cont_hdl.b, capa_to_set(prop), &df);

	if (rc == 0 && label != NULL)
		rc = relabel(tx, in->cont.b, label);
	if (status != NULL) /* users can only clear it */
		status->dpe_val = DAOS_PROP_CO_STATUS_VAL(DAOS_PROP_CO_HEALTHY, 0, pool_map_version(svc->ps_map));
	if (rc == 0)
		rc = pool_props_put(tx, &path, prop);
	return rc != 0 ? rc : touch(svc, tx, in->cont.b);
}

MAY_YIELD int
cont_op_prop_set(struct pool_svc *svc, crt_rpc_t *rpc)
{
	struct cont_prop_set_in *in = rpc->cr_input;
	struct daos_prop_entry  *acl;
	daos_prop_t             *prop;
	int                      rc = prop_list_decode(in->props.iov_buf, in->props.iov_len, &prop);

	if (rc != 0 || prop == NULL)
		return rc != 0 ? rc : -DER_INVAL;
	rc = prop_list_check(PROP_CONT, prop, PROP_SERVICE | PROP_CREATE);
	acl = daos_prop_entry_get(prop, DAOS_PROP_CO_ACL);
	if (rc == 0 && acl != NULL)
		rc = sec_acl_check_cont(acl->dpe_val_ptr);
	if (rc == 0)
		rc = pool_op_run(svc, rpc, prop_set_tx, prop);
	daos_prop_free(prop);
	return rc;
}

MAY_YIELD static int
set_owner_tx(struct pool_op *op, void *arg)
{
	const struct cont_set_owner_in *in = op->rpc->cr_input;
	struct rdb_tx         *tx = op->tx;
	struct daos_prop_entry entries[2];
	daos_prop_t            prop = {.dpp_entries = entries};
	struct rdb_path        path;
	uuid_t                 cont;
	int                    rc = cont_find(tx, in->label, in->cont.b, cont);

	if (rc != 0)
		return rc;
	if (in->user != NULL && in->user[0] != '\0')
		entries[prop.dpp_nr++] = (struct daos_prop_entry){.dpe_type = DAOS_PROP_CO_OWNER, .dpe_str = in->user};
	if (in->group != NULL && in->group[0] != '\0')
		entries[prop.dpp_nr++] =
		    (struct daos_prop_entry){.dpe_type = DAOS_PROP_CO_OWNER_GROUP, .dpe_str = in->group};
	rc = prop.dpp_nr == 0 ? -DER_INVAL : prop_list_check(PROP_CONT, &prop, 0);
	if (rc != 0)
		return rc;
	path = props_path(cont);
	rc = pool_props_put(tx, &path, &prop);
	return rc != 0 ? rc : touch(op->svc, tx, cont);
}

MAY_YIELD int
cont_op_set_owner(struct pool_svc *svc, crt_rpc_t *rpc)
{
	if (rpc->cr_ep.ep_rank == CRT_NO_RANK)
		return -DER_NO_PERM;
	return pool_op_run(svc, rpc, set_owner_tx, NULL);
}

/* ---- attributes ---- */

MAY_YIELD static int
attr_read_tx(struct rdb_tx *tx, crt_rpc_t *rpc)
{
	struct cont_attr_op_in  *in = rpc->cr_input;
	struct cont_attr_op_out *out = rpc->cr_output;
	struct rdb_path          path = pool_path_uuid_kvs(CONT_KVS_CONT, in->cont.b, CONT_SUB_ATTRS);
	struct cont_hdl_df       df;
	int                      rc = cont_hdl_check(tx, in->cont.b, in->cont_hdl.b, SEC_CONT_CAPA_READ_DATA, &df);

	if (rc != 0)
		return rc;
	return CRT_OPC_IDX(rpc->cr_opc) == CONT_ATTR_LIST ? pool_attrs_list(tx, &path, rpc, &out->attrs)
							  : pool_attrs_get(tx, &path, &in->attrs, rpc, &out->attrs);
}

MAY_YIELD static int
attr_write_tx(struct pool_op *op, void *arg)
{
	struct cont_attr_op_in *in = op->rpc->cr_input;
	struct rdb_path         path = pool_path_uuid_kvs(CONT_KVS_CONT, in->cont.b, CONT_SUB_ATTRS);
	struct cont_hdl_df      df;
	int rc = cont_hdl_check(op->tx, in->cont.b, in->cont_hdl.b, SEC_CONT_CAPA_WRITE_DATA, &df);

	(void)arg;
	if (rc == 0)
		rc = CRT_OPC_IDX(op->rpc->cr_opc) == CONT_ATTR_SET ? pool_attrs_set(op->tx, &path, &in->attrs)
								   : pool_attrs_del(op->tx, &path, &in->attrs);
	return rc != 0 ? rc : touch(op->svc, op->tx, in->cont.b);
}

MAY_YIELD int
cont_op_attr(struct pool_svc *svc, crt_rpc_t *rpc)
{
	uint32_t       idx = CRT_OPC_IDX(rpc->cr_opc);
	struct rdb_tx *tx;
	int            rc;

	if (idx == CONT_ATTR_SET || idx == CONT_ATTR_DEL)
		return pool_op_run(svc, rpc, attr_write_tx, NULL);
	rc = pool_tx_begin(svc, false, &tx);
	return rc != 0 ? rc : pool_tx_end(svc, tx, false, attr_read_tx(tx, rpc));
}

/* ---- the list of containers ---- */

struct conts {
	crt_rpc_t        *rpc;
	struct pool_attr *v;
	uint32_t          nr, room;
};

static int
conts_cb(const d_iov_t *key, const d_iov_t *value, void *arg)
{
	struct conts *conts = arg;
	void         *uuid;

	if (key->iov_len != sizeof(uuid_t))
		return -DER_DF_INVAL;
	if (conts->nr == conts->room) {
		uint32_t          room = MAX_OF(conts->room * 2, 16u);
		struct pool_attr *v = crt_req_alloc(conts->rpc, room * sizeof(*v));

		if (v == NULL)
			return -DER_NOMEM;
		if (conts->nr > 0)
			memcpy(v, conts->v, conts->nr * sizeof(*v));
		conts->v = v;
		conts->room = room;
	}
	uuid = crt_req_alloc(conts->rpc, sizeof(uuid_t));
	if (uuid == NULL)
		return -DER_NOMEM;
	memcpy(uuid, key->iov_buf, sizeof(uuid_t));
	conts->v[conts->nr].name = NULL;
	d_iov_set(&conts->v[conts->nr++].value, uuid, sizeof(uuid_t));
	return 0;
}

MAY_YIELD static int
label_of(struct rdb_tx *tx, crt_rpc_t *rpc, const uuid_t cont, char **ret_label)
{
	static const uint32_t type = DAOS_PROP_CO_LABEL;
	struct rdb_path       path = props_path(cont);
	daos_prop_t          *prop;
	char                 *label;
	size_t                bytes;
	int                   rc = pool_props_get(tx, &path, true, &type, 1, &prop);

	if (rc != 0)
		return rc;
	bytes = strlen(prop->dpp_entries[0].dpe_str) + 1;
	label = crt_req_alloc(rpc, bytes);
	if (label != NULL) {
		memcpy(label, prop->dpp_entries[0].dpe_str, bytes);
		*ret_label = label;
	}
	daos_prop_free(prop);
	return label == NULL ? -DER_NOMEM : 0;
}

MAY_YIELD static int
list_tx(struct rdb_tx *tx, crt_rpc_t *rpc)
{
	struct cont_list_out *out = rpc->cr_output;
	struct rdb_path       path = pool_path(CONT_KVS_CONTS);
	struct conts          conts = {.rpc = rpc};
	struct pool_hdl       hdl;
	int                   rc = pool_hdl_get(tx, rpc, &hdl);

	if (rc == 0 && !(hdl.capas & SEC_POOL_CAPA_READ))
		rc = -DER_NO_PERM;
	if (rc == 0)
		rc = rdb_tx_iterate(tx, &path, conts_cb, &conts);
	for (uint32_t i = 0; i < conts.nr && rc == 0; i++)
		rc = label_of(tx, rpc, conts.v[i].value.iov_buf, &conts.v[i].name);
	if (rc != 0)
		return rc;
	out->conts.nr = conts.nr;
	out->conts.v = conts.v;
	return 0;
}

MAY_YIELD int
cont_op_list(struct pool_svc *svc, crt_rpc_t *rpc)
{
	struct rdb_tx *tx;
	int            rc = pool_tx_begin(svc, false, &tx);

	return rc != 0 ? rc : pool_tx_end(svc, tx, false, list_tx(tx, rpc));
}
