/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/**
 * Containers in the pool service: create, destroy, open, close.
 *
 * Requests that come again are answered from their records (pool/README.md). Handles are durable,
 * like those of pools.
 *
 * Destroying takes three steps, since it talks to engines: the handles are closed and the container
 * put on the list of those being destroyed, which can't be opened; then all engines destroy their
 * shards; then it leaves the rdb. If the second fails the container stays and may be destroyed again.
 * The record of the first step says which container it was: a copy, here or where another leads by
 * then, goes on with that one, though its label may be another's.
 */
#define D_LOGFAC LOG_FAC_CONTAINER
#include <daos_errno.h>
#include "base/errno_map.h"
#include "base/log.h"
#include "base/prop_table.h"
#include "container/cont_internal.h"

struct cont_destroying {
	d_list_t link;
	uuid_t   cont;
};

static struct rdb_path
props_path(const uuid_t cont)
{
	return pool_path_uuid_kvs(CONT_KVS_CONT, cont, CONT_SUB_PROPS);
}

/** Whoever made the pool handle. @ret_ident: free(). */
static int
hdl_ident(const struct pool_hdl *hdl, struct sec_ident **ret_ident)
{
	return hdl->cred == NULL ? -DER_NO_HDL : mgmt_cred_ident(hdl->cred, hdl->cred_bytes, ret_ident);
}

static uint64_t
now(struct pool_svc *svc)
{
	return hlc_get(dss_hlc(svc->ps_rsvc.rs_engine));
}

/* ---- create ---- */

static int
make_kvs(struct rdb_tx *tx, const uuid_t cont)
{
	static const struct {
		const char       *name;
		enum rdb_kvs_kind kind;
	} subs[] = {{CONT_SUB_PROPS, RDB_KVS_U64}, {CONT_SUB_ATTRS, RDB_KVS_BYTES}, {CONT_SUB_SNAPS, RDB_KVS_U64}};
	struct rdb_path parent = pool_path(CONT_KVS_CONT), path = pool_path_uuid(CONT_KVS_CONT, cont);
	d_iov_t         key;
	int             rc;

	d_iov_set(&key, (void *)cont, sizeof(uuid_t));
	rc = rdb_tx_create_kvs(tx, &parent, &key, RDB_KVS_BYTES);
	for (size_t i = 0; i < ARRAY_NR(subs) && rc == 0; i++) {
		d_iov_set(&key, (void *)subs[i].name, strlen(subs[i].name));
		rc = rdb_tx_create_kvs(tx, &path, &key, subs[i].kind);
	}
	return rc;
}

static int
make_records(struct pool_svc *svc, struct rdb_tx *tx, const uuid_t cont, const daos_prop_t *prop)
{
	struct rdb_path path = props_path(cont);
	const char     *label = prop_list_str(prop, DAOS_PROP_CO_LABEL);
	struct cont_df  df = {0};
	int             rc;

	df.ctime = now(svc);
	df.mtime = df.ctime;
	rc = make_kvs(tx, cont);
	if (rc == 0)
		rc = cont_put(tx, cont, &df);
	if (rc == 0 && strcmp(label, DAOS_PROP_CO_LABEL_DEFAULT) != 0)
		rc = cont_label_put(tx, label, cont);
	return rc != 0 ? rc : pool_props_put(tx, &path, prop);
}

MAY_YIELD static int
create_new(struct pool_svc *svc, struct rdb_tx *tx, const struct cont_create_in *in, const struct pool_hdl *hdl,
	   const daos_prop_t *given)
{
	const char       *label = prop_list_str(given, DAOS_PROP_CO_LABEL);
	struct sec_ident *ident;
	daos_prop_t      *prop = NULL;
	uuid_t            other;
	int               rc;

	if (label != NULL && cont_find(tx, label, NULL, other) == 0)
		return -DER_EXIST;
	rc = hdl_ident(hdl, &ident);
	if (rc != 0)
		return rc;
	rc = cont_props_new(svc, tx, given, ident, &prop);
	free(ident);
	if (rc == 0)
		rc = make_records(svc, tx, in->cont.b, prop);
	daos_prop_free(prop);
	return rc;
}

MAY_YIELD static int
create_tx(struct pool_op *op, void *given)
{
	const struct cont_create_in *in = op->rpc->cr_input;
	struct pool_hdl              hdl;
	struct cont_df               df;
	int                          rc = pool_hdl_get(op->tx, op->rpc, &hdl);

	if (rc != 0)
		return rc;
	if (!(hdl.capas & SEC_POOL_CAPA_CREATE_CONT))
		return -DER_NO_PERM;
	rc = cont_get(op->tx, in->cont.b, &df); /* repeated, where no records are kept */
	return rc == -DER_NONEXIST ? create_new(op->svc, op->tx, in, &hdl, given) : rc;
}

MAY_YIELD int
cont_op_create(struct pool_svc *svc, crt_rpc_t *rpc)
{
	struct cont_create_in *in = rpc->cr_input;
	daos_prop_t           *given;
	int                    rc;

	if (uuid_is_null(in->cont.b))
		return -DER_INVAL;
	rc = prop_list_decode(in->props.iov_buf, in->props.iov_len, &given);
	if (rc != 0)
		return rc;
	rc = pool_op_run(svc, rpc, create_tx, given);
	daos_prop_free(given);
	D_INFO("pool " DF_UUID ": create container " DF_UUID ": " DF_RC, DP_UUID(in->pool.b), DP_UUID(in->cont.b), DP_RC(rc));
	return rc;
}

/* ---- open ---- */

static struct cont_destroying *
destroying_find(struct pool_svc *svc, const uuid_t cont)
{
	struct cont_svc        *cs = svc->ps_cont;
	struct cont_destroying *d;

	d_list_for_each(d, &cs->destroying, link) {
		if (uuid_compare(d->cont, cont) == 0)
			return d;
	}
	return NULL;
}

static int
decide(const struct pool_hdl *pool_hdl, daos_prop_t *prop, uint64_t flags, uint64_t *ret_capas)
{
	struct daos_prop_entry *acl = daos_prop_entry_get(prop, DAOS_PROP_CO_ACL);
	struct sec_owner        owner = {.user = prop_list_str(prop, DAOS_PROP_CO_OWNER),
					 .group = prop_list_str(prop, DAOS_PROP_CO_OWNER_GROUP)};
	struct daos_co_status   status;
	struct sec_ident       *ident;
	int                     rc;

	if ((pool_hdl->flags & DAOS_PC_RO) && !(flags & DAOS_COO_RO))
		return -DER_NO_PERM;
	daos_prop_val_2_co_status(prop_list_num(prop, DAOS_PROP_CO_STATUS, 0), &status);
	if (status.dcs_status == DAOS_PROP_CO_UNCLEAN && !(flags & DAOS_COO_FORCE))
		return -DER_RF;
	rc = hdl_ident(pool_hdl, &ident);
	if (rc != 0)
		return rc;
	rc = sec_cont_capas(acl->dpe_val_ptr, &owner, ident, flags, ret_capas);
	free(ident);
	return rc;
}

/** What an open found out, for what follows its transaction. */
struct opening {
	struct cont_hdl_df   df;
	bool                 is_new;
	uuid_t               cont;
	struct cont_snaps snaps;
	struct cont_hdls     evicted;
};

/** An exclusive open wants no other handle, and an exclusive handle no other open. */
MAY_YIELD static int
make_way(struct rdb_tx *tx, uint64_t flags, struct opening *o)
{
	struct cont_hdls hdls;
	int              rc = cont_hdls_find(tx, o->cont, NULL, 0, &hdls);

	if (rc != 0)
		return rc;
	if (flags & DAOS_COO_EVICT_ALL) {
		for (uint32_t i = 0; i < hdls.nr && rc == 0; i++)
			rc = cont_hdl_del(tx, hdls.v[i]);
		o->evicted = hdls;
		return rc;
	}
	if (hdls.exclusive || ((flags & DAOS_COO_EX) && hdls.nr > 0))
		rc = -DER_BUSY;
	free(hdls.v);
	return rc;
}

MAY_YIELD static int
open_new(struct pool_svc *svc, struct rdb_tx *tx, const struct cont_open_in *in, const struct pool_hdl *hdl,
	 daos_prop_t *prop, struct opening *o)
{
	struct cont_df df;
	int            rc = decide(hdl, prop, in->flags, &o->df.capas);

	if (rc == 0)
		rc = make_way(tx, in->flags, o);
	if (rc != 0)
		return rc;
	uuid_copy(o->df.cont, o->cont);
	uuid_copy(o->df.pool_hdl, in->hdl.b);
	o->df.flags = in->flags;
	rc = cont_hdl_put(tx, in->cont_hdl.b, &o->df);
	if (rc != 0 || (in->flags & DAOS_COO_RO_MDSTATS))
		return rc;
	rc = cont_get(tx, o->cont, &df);
	if (rc == 0) {
		df.otime = now(svc);
		rc = cont_put(tx, o->cont, &df);
	}
	return rc;
}

/** All but the ACL, which not every user may see. */
static int
reply_props(crt_rpc_t *rpc, daos_prop_t *prop, d_iov_t *ret_iov)
{
	struct daos_prop_entry *acl = daos_prop_entry_get(prop, DAOS_PROP_CO_ACL);

	prop_entry_fini(acl);
	acl->dpe_flags |= DAOS_PROP_ENTRY_NOT_SET;
	return pool_props_reply(rpc, prop, ret_iov);
}

/** Which container, and its properties. */
MAY_YIELD static int
open_find(struct pool_op *op, struct pool_hdl *hdl, struct opening *o, daos_prop_t **ret_prop)
{
	const struct cont_open_in *in = op->rpc->cr_input;
	struct rdb_path            path;
	int                        rc = pool_hdl_get(op->tx, op->rpc, hdl);

	if (rc == 0 && !o->is_new)
		uuid_copy(o->cont, o->df.cont);
	else if (rc == 0)
		rc = cont_find(op->tx, in->label, in->cont.b, o->cont);
	if (rc == 0 && destroying_find(op->svc, o->cont) != NULL)
		rc = -DER_NONEXIST;
	if (rc != 0)
		return rc;
	path = props_path(o->cont);
	return pool_props_get(op->tx, &path, true, NULL, 0, ret_prop);
}

/** A copy of an open that was carried out finds the handle, or it was closed by now. */
MAY_YIELD static int
open_tx(struct pool_op *op, struct opening *o)
{
	struct cont_open_in  *in = op->rpc->cr_input;
	struct cont_open_out *out = op->rpc->cr_output;
	struct pool_hdl       hdl;
	daos_prop_t          *prop;
	int                   rc = op->found ? op->rec.rc : 0;

	if (rc == 0)
		rc = cont_hdl_get(op->tx, in->cont_hdl.b, &o->df);
	if (rc != 0 && (op->found || rc != -DER_NO_HDL))
		return rc;
	o->is_new = rc != 0;
	rc = open_find(op, &hdl, o, &prop);
	if (rc != 0)
		return rc;
	if (o->is_new)
		rc = open_new(op->svc, op->tx, in, &hdl, prop, o);
	if (rc == 0)
		rc = reply_props(op->rpc, prop, &out->props);
	daos_prop_free(prop);
	if (rc == 0)
		rc = cont_snaps_get(op->tx, o->cont, op->rpc, &o->snaps);
	return rc != 0 ? rc : cont_info_fill(op->tx, op->rpc, o->cont, &out->info);
}

static int
check_open_flags(uint64_t flags)
{
	uint64_t base = flags & DAOS_COO_IO_BASE_MASK;

	if ((flags & ~(uint64_t)DAOS_COO_MASK) || base == 0 || (base & (base - 1)) != 0)
		return -DER_INVAL;
	return flags & DAOS_COO_EVICT ? -DER_NOTSUPPORTED : 0;
}

MAY_YIELD int
cont_op_open(struct pool_svc *svc, crt_rpc_t *rpc)
{
	struct cont_open_in  *in = rpc->cr_input;
	struct cont_open_out *out = rpc->cr_output;
	struct opening        o = {0};
	struct pool_op        op;
	int                   rc = uuid_is_null(in->cont_hdl.b) ? -DER_INVAL : check_open_flags(in->flags);

	if (rc == 0)
		rc = pool_op_begin(svc, rpc, &op);
	if (rc != 0)
		return rc;
	rc = pool_op_end(&op, open_tx(&op, &o));
	if (rc == 0) {
		if (o.evicted.nr > 0)
			cont_tgts_close(svc, o.evicted.v, o.evicted.nr);
		/* An engine that misses it asks when it is needed. */
		(void)!cont_tgts_open(svc, o.cont, in->cont_hdl.b, &o.df, o.snaps);
		uuid_copy(out->cont.b, o.cont);
		out->capas = o.df.capas;
	}
	free(o.evicted.v);
	return rc;
}

/* ---- close ---- */

MAY_YIELD static int
close_tx(struct pool_svc *svc, struct rdb_tx *tx, const struct cont_close_in *in)
{
	struct cont_hdl_df hdl;
	struct cont_df     df;
	int                rc = cont_hdl_check(tx, in->cont.b, in->cont_hdl.b, 0, &hdl);

	if (rc == 0)
		rc = cont_hdl_del(tx, in->cont_hdl.b);
	if (rc == 0)
		rc = cont_get(tx, in->cont.b, &df);
	if (rc == 0 && !(hdl.flags & (DAOS_COO_RO | DAOS_COO_RO_MDSTATS))) {
		df.mtime = now(svc);
		rc = cont_put(tx, in->cont.b, &df);
	}
	return rc;
}

MAY_YIELD int
cont_op_close(struct pool_svc *svc, crt_rpc_t *rpc)
{
	struct cont_close_in *in = rpc->cr_input;
	struct rdb_tx        *tx;
	uuid_t                hdls[1];
	int                   rc = pool_tx_begin(svc, true, &tx);

	if (rc != 0)
		return rc;
	rc = pool_tx_end(svc, tx, true, close_tx(svc, tx, in));
	if (rc == -DER_NO_HDL) /* evicted, or repeated */
		return 0;
	if (rc == 0) {
		uuid_copy(hdls[0], in->cont_hdl.b);
		cont_tgts_close(svc, hdls, 1);
	}
	return rc;
}

/* ---- destroy ---- */

MAY_YIELD static int
may_destroy(struct rdb_tx *tx, const crt_rpc_t *rpc, const uuid_t cont)
{
	static const uint32_t   types[] = {DAOS_PROP_CO_ACL, DAOS_PROP_CO_OWNER, DAOS_PROP_CO_OWNER_GROUP};
	struct rdb_path         path = props_path(cont);
	struct daos_prop_entry *acl;
	struct sec_ident       *ident;
	struct sec_owner        owner;
	struct pool_hdl         hdl;
	daos_prop_t            *prop;
	int                     rc = pool_hdl_get(tx, rpc, &hdl);

	if (rc == 0 && (hdl.flags & DAOS_PC_RO))
		rc = -DER_NO_PERM;
	if (rc == 0)
		rc = hdl_ident(&hdl, &ident);
	if (rc != 0)
		return rc;
	rc = pool_props_get(tx, &path, true, types, ARRAY_NR(types), &prop);
	if (rc == 0) {
		acl = daos_prop_entry_get(prop, DAOS_PROP_CO_ACL);
		owner.user = prop_list_str(prop, DAOS_PROP_CO_OWNER);
		owner.group = prop_list_str(prop, DAOS_PROP_CO_OWNER_GROUP);
		rc = sec_cont_can_destroy(acl->dpe_val_ptr, &owner, ident, hdl.capas) ? 0 : -DER_NO_PERM;
		daos_prop_free(prop);
	}
	free(ident);
	return rc;
}

/** First step; or what a copy finds of it. */
MAY_YIELD static int
destroy_begin_tx(struct pool_op *op, uuid_t ret_cont, struct cont_hdls *ret_hdls)
{
	const struct cont_destroy_in *in = op->rpc->cr_input;
	struct cont_df                df;
	int                           rc = 0;

	if (!op->found)
		rc = cont_find(op->tx, in->label, in->cont.b, ret_cont);
	else if (!op->rec.begun)
		return op->rec.rc;
	else if (!pool_op_replied(op, ret_cont, sizeof(uuid_t)))
		return -DER_DF_INVAL;
	else
		rc = cont_get(op->tx, ret_cont, &df); /* gone: another destroyed it */
	if (rc == 0 && destroying_find(op->svc, ret_cont) != NULL)
		rc = -DER_INPROGRESS;
	if (rc == 0 && !op->found)
		rc = may_destroy(op->tx, op->rpc, ret_cont);
	if (rc == 0)
		rc = cont_hdls_find(op->tx, ret_cont, NULL, 0, ret_hdls);
	if (rc == 0 && ret_hdls->nr > 0 && !in->force)
		rc = -DER_BUSY;
	for (uint32_t i = 0; i < ret_hdls->nr && rc == 0; i++)
		rc = cont_hdl_del(op->tx, ret_hdls->v[i]);
	if (rc == 0)
		pool_op_reply(op, ret_cont, sizeof(uuid_t));
	return rc;
}

/** Third step. */
MAY_YIELD static int
destroy_end_tx(struct rdb_tx *tx, const uuid_t cont)
{
	static const uint32_t type = DAOS_PROP_CO_LABEL;
	struct rdb_path       path = props_path(cont);
	const char           *label;
	daos_prop_t          *prop;
	int                   rc = pool_props_get(tx, &path, true, &type, 1, &prop);

	if (rc != 0)
		return rc;
	label = prop->dpp_entries[0].dpe_str;
	rc = cont_remove(tx, cont, strcmp(label, DAOS_PROP_CO_LABEL_DEFAULT) == 0 ? NULL : label);
	daos_prop_free(prop);
	return rc;
}

/** Second and third step. A failure that the client asks again after leaves the record of the first. */
MAY_YIELD static int
destroy_rest(struct pool_svc *svc, crt_rpc_t *rpc, const uuid_t cont, const struct cont_hdls *hdls)
{
	struct pool_op op;
	int            rc, begin_rc;

	if (hdls->nr > 0)
		cont_tgts_close(svc, hdls->v, hdls->nr);
	rc = cont_tgts_destroy(svc, cont);
	if (daos_rc_ask_again(rc))
		return rc;
	begin_rc = pool_op_begin(svc, rpc, &op);
	if (begin_rc != 0)
		return begin_rc;
	return pool_op_end(&op, rc != 0 ? rc : destroy_end_tx(op.tx, cont));
}

MAY_YIELD int
cont_op_destroy(struct pool_svc *svc, crt_rpc_t *rpc)
{
	struct cont_svc        *cs = svc->ps_cont;
	struct cont_destroying *d = calloc(1, sizeof(*d));
	struct cont_hdls        hdls = {0};
	struct pool_op          op;
	bool                    ended;
	int                     rc;

	if (d == NULL)
		return -DER_NOMEM;
	rc = pool_op_begin(svc, rpc, &op);
	if (rc == 0) {
		ended = op.found && !op.rec.begun;
		rc = destroy_begin_tx(&op, d->cont, &hdls);
		if (rc == 0 && !ended)
			d_list_add_tail(&d->link, &cs->destroying);
		else
			d_list_init(&d->link);
		rc = ended ? pool_op_end(&op, rc) : pool_op_end_step(&op, rc);
		if (rc == 0 && !ended)
			rc = destroy_rest(svc, rpc, d->cont, &hdls);
		d_list_del(&d->link);
		D_INFO("pool " DF_UUID ": destroy container " DF_UUID ": " DF_RC, DP_UUID(svc->ps_rsvc.rs_uuid),
		       DP_UUID(d->cont), DP_RC(rc));
	}
	free(hdls.v);
	free(d);
	return rc;
}

/* ---- for engines, and object numbers ---- */

MAY_YIELD static int
hdl_find_tx(struct rdb_tx *tx, crt_rpc_t *rpc)
{
	struct cont_hdl_find_in  *in = rpc->cr_input;
	struct cont_hdl_find_out *out = rpc->cr_output;
	struct cont_hdl_df        df;
	int                       rc = cont_hdl_check(tx, in->cont.b, in->cont_hdl.b, 0, &df);

	if (rc != 0)
		return rc;
	out->flags = df.flags;
	out->capas = df.capas;
	uuid_copy(out->pool_hdl.b, df.pool_hdl);
	return cont_snaps_get(tx, in->cont.b, rpc, &out->snaps);
}

MAY_YIELD int
cont_op_hdl_find(struct pool_svc *svc, crt_rpc_t *rpc)
{
	struct cont_hdl_find_in  *in = rpc->cr_input;
	struct cont_hdl_find_out *out = rpc->cr_output;
	struct daos_pool_space    space;
	uint32_t                  version, leader;
	struct rdb_tx            *tx;
	int                       rc;

	if (rpc->cr_ep.ep_rank == CRT_NO_RANK)
		return -DER_NO_PERM;
	rc = pool_tx_begin(svc, false, &tx);
	if (rc == 0)
		rc = pool_tx_end(svc, tx, false, hdl_find_tx(tx, rpc));
	if (rc != 0)
		return rc;
	return pool_info_fill(svc, rpc, 0, in->map_version, &version, &out->map, &out->svc_ranks, &leader, &space);
}

MAY_YIELD static int
alloc_oids_tx(struct pool_op *op)
{
	const struct cont_alloc_oids_in *in = op->rpc->cr_input;
	struct cont_hdl_df               hdl;
	struct cont_df                   df;
	int rc = cont_hdl_check(op->tx, in->cont.b, in->cont_hdl.b, SEC_CONT_CAPA_WRITE_DATA, &hdl);

	if (rc == 0)
		rc = cont_get(op->tx, in->cont.b, &df);
	if (rc != 0)
		return rc;
	if (df.oid_next + in->num < df.oid_next)
		return -DER_OVERFLOW;
	pool_op_reply(op, &df.oid_next, sizeof(df.oid_next));
	df.oid_next += in->num;
	return cont_put(op->tx, in->cont.b, &df);
}

MAY_YIELD int
cont_op_alloc_oids(struct pool_svc *svc, crt_rpc_t *rpc)
{
	struct cont_alloc_oids_in  *in = rpc->cr_input;
	struct cont_alloc_oids_out *out = rpc->cr_output;
	struct pool_op              op;
	int                         rc;

	if (in->num == 0)
		return -DER_INVAL;
	rc = pool_op_begin(svc, rpc, &op);
	if (rc == 0)
		rc = pool_op_end(&op, op.found ? op.rec.rc : alloc_oids_tx(&op));
	if (rc == 0 && !pool_op_replied(&op, &out->oid, sizeof(out->oid)))
		rc = -DER_DF_INVAL;
	return rc;
}

/* ---- with the pool ---- */

static int
cont_bootstrap(struct rdb_tx *tx)
{
	static const char *const names[] = {CONT_KVS_CONTS, CONT_KVS_LABELS, CONT_KVS_HDLS, CONT_KVS_CONT};
	struct rdb_path          root = {.nr = 0};
	d_iov_t                  key;
	int                      rc = 0;

	for (size_t i = 0; i < ARRAY_NR(names) && rc == 0; i++) {
		d_iov_set(&key, (void *)names[i], strlen(names[i]));
		rc = rdb_tx_create_kvs(tx, &root, &key, RDB_KVS_BYTES);
	}
	return rc;
}

MAY_YIELD static int
cont_step_up(struct pool_svc *svc)
{
	struct cont_svc *cs = calloc(1, sizeof(*cs));

	if (cs == NULL)
		return -DER_NOMEM;
	d_list_init(&cs->destroying);
	ult_mutex_init(&cs->snap_lock);
	svc->ps_cont = cs;
	return 0;
}

MAY_YIELD static void
cont_step_down(struct pool_svc *svc)
{
	free(svc->ps_cont);
	svc->ps_cont = NULL;
}

MAY_YIELD static int
cont_hdls_closed(struct rdb_tx *tx, const uuid_t *pool_hdls, uint32_t nr)
{
	struct cont_hdls hdls;
	int              rc = nr == 0 ? 0 : cont_hdls_find(tx, NULL, pool_hdls, nr, &hdls);

	if (nr == 0 || rc != 0)
		return rc;
	for (uint32_t i = 0; i < hdls.nr && rc == 0; i++)
		rc = cont_hdl_del(tx, hdls.v[i]);
	free(hdls.v);
	return rc;
}

static int
count_cb(const d_iov_t *key, const d_iov_t *value, void *arg)
{
	(*(uint64_t *)arg)++;
	return 0;
}

MAY_YIELD static int
cont_count(struct rdb_tx *tx, uint64_t *ret_nr)
{
	struct rdb_path path = pool_path(CONT_KVS_CONTS);
	uint64_t        nr = 0;
	int             rc = rdb_tx_iterate(tx, &path, count_cb, &nr);

	if (rc == 0)
		*ret_nr = nr;
	return rc;
}

const struct ds_pool_cont_ops cont_pool_ops = {
	.bootstrap = cont_bootstrap,
	.step_up = cont_step_up,
	.step_down = cont_step_down,
	.hdls_closed = cont_hdls_closed,
	.count = cont_count,
	.child_open = cont_child_open,
	.child_close = cont_child_close,
	.child_gone = cont_child_gone,
	.child_hdls_closed = cont_child_hdls_closed,
};
