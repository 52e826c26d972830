/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/**
 * Containers and their handles on a target.
 *
 * Handles come with the pool service's collective open; one that isn't known (the engine restarted,
 * or was away) is asked for when a request first names it. The service is the authority: a handle
 * here is a copy of what its rdb says.
 *
 * Invariants:
 *  1. All of this belongs to the target's xstream.
 *  2. A handle is in `hdls` until it is closed; the table holds one reference, each request under way
 *     another. It holds a reference of its cont_child and of the pool's shard.
 *  3. A cont_child is in `conts` while it has references; it owns one opening of the VOS container, which is told
 *     the snapshots when it is opened and at each change: before it is ever aggregated. A list of snapshots that
 *     was on its way while another came may be the older one, and is asked for again.
 */
#define D_LOGFAC LOG_FAC_CONTAINER
#include <daos_errno.h>
#include "base/log.h"
#include "container/cont_internal.h"

#define FIND_TIMEOUT_S   30
#define DESTROY_WAIT_NS  (5ull * 1000000000)

/* ---- containers ---- */

static struct cont_child *
child_find(struct cont_tgt *tgt, const uuid_t cont)
{
	struct cont_child *cc;

	d_list_for_each(cc, &tgt->conts, cc_link) {
		if (uuid_compare(cc->cc_uuid, cont) == 0)
			return cc;
	}
	return NULL;
}

void
cont_child_put(struct cont_child *cc)
{
	D_ASSERT(cc->cc_ref > 0);
	if (--cc->cc_ref > 0)
		return;
	d_list_del(&cc->cc_link);
	vos_cont_close(cc->cc_vos);
	if (cc->cc_idle != NULL)
		ult_eventual_set(cc->cc_idle, 0);
	free(cc);
}

/** The VOS container is made when it is first opened here: the rdb says that it exists. */
MAY_YIELD static int
vos_open_or_make(struct cont_tgt *tgt, const uuid_t cont, struct vos_cont **ret_vos)
{
	int rc = vos_cont_open(tgt->pool->spc_vos, cont, ret_vos);

	if (rc != -DER_NONEXIST)
		return rc;
	rc = vos_cont_create(tgt->pool->spc_vos, cont);
	if (rc != 0 && rc != -DER_EXIST)
		return rc;
	return vos_cont_open(tgt->pool->spc_vos, cont, ret_vos);
}

/** What readers at a snapshot see does not change any more: changes under way with an epoch before it are repeated with a new one. */
static int
snaps_set(struct cont_child *cc, struct cont_snaps snaps)
{
	if (snaps.version <= cc->cc_snaps_version)
		return 0; /* it was overtaken */
	cc->cc_snaps_version = snaps.version;
	for (uint32_t i = 0; i < snaps.epochs.nr; i++)
		vos_cont_set_floor(cc->cc_vos, snaps.epochs.v[i]);
	return vos_cont_set_snapshots(cc->cc_vos, snaps.epochs.v, snaps.epochs.nr);
}

MAY_YIELD static int
child_get(struct cont_tgt *tgt, const uuid_t cont, struct cont_snaps snaps, struct cont_child **ret_cc)
{
	struct cont_child *cc = child_find(tgt, cont), *other;
	struct vos_cont   *vos;
	int                rc;

	if (cc != NULL) {
		rc = snaps_set(cc, snaps);
		if (rc != 0)
			return rc;
		cc->cc_ref++;
		*ret_cc = cc;
		return 0;
	}
	rc = vos_open_or_make(tgt, cont, &vos);
	if (rc != 0)
		return rc;
	other = child_find(tgt, cont); /* it may have yielded */
	if (other != NULL) {
		vos_cont_close(vos);
		rc = snaps_set(other, snaps);
		if (rc != 0)
			return rc;
		other->cc_ref++;
		*ret_cc = other;
		return 0;
	}
	cc = calloc(1, sizeof(*cc));
	if (cc != NULL)
		cc->cc_vos = vos;
	rc = cc == NULL ? -DER_NOMEM : snaps_set(cc, snaps);
	if (rc != 0) {
		vos_cont_close(vos);
		free(cc);
		return rc;
	}
	cc->cc_tgt = tgt;
	cc->cc_ref = 1;
	uuid_copy(cc->cc_uuid, cont);
	d_list_add_tail(&cc->cc_link, &tgt->conts);
	*ret_cc = cc;
	return 0;
}

int
cont_tgt_set_snaps(struct cont_tgt *tgt, const uuid_t cont, struct cont_snaps snaps)
{
	struct cont_child *cc = child_find(tgt, cont);

	tgt->snaps_gen++;
	if (cc == NULL)
		return 0; /* told when it is opened */
	cont_agg_touch(cc); /* what only a snapshot kept goes */
	return snaps_set(cc, snaps);
}

/* ---- handles ---- */

static bool
hdl_key_eq(const struct d_hash_node *node, const void *key, size_t key_bytes)
{
	const struct cont_hdl *hdl = CONTAINER_OF(node, struct cont_hdl, node);

	return memcmp(hdl->pub.sch_uuid, key, sizeof(uuid_t)) == 0;
}

static struct cont_hdl *
hdl_find(struct cont_tgt *tgt, const uuid_t uuid)
{
	struct d_hash_node *node = d_hash_find(&tgt->hdls, uuid, sizeof(uuid_t));

	return node == NULL ? NULL : CONTAINER_OF(node, struct cont_hdl, node);
}

void
ds_cont_hdl_put(struct ds_cont_hdl *pub)
{
	struct cont_hdl *hdl = CONTAINER_OF(pub, struct cont_hdl, pub);

	D_ASSERT(pub->sch_ref > 0);
	if (--pub->sch_ref > 0)
		return;
	cont_child_put(hdl->child);
	ds_pool_child_put(pub->sch_pool);
	free(hdl);
}

MAY_YIELD int
cont_tgt_open(struct cont_tgt *tgt, const struct cont_open_arg *arg)
{
	struct cont_child *cc;
	struct cont_hdl   *hdl;
	int                rc;

	if (hdl_find(tgt, arg->hdl) != NULL)
		return 0;
	rc = child_get(tgt, arg->cont, arg->snaps, &cc);
	if (rc != 0)
		return rc;
	hdl = tgt->stopping || hdl_find(tgt, arg->hdl) != NULL ? NULL : calloc(1, sizeof(*hdl));
	if (hdl == NULL) {
		cont_child_put(cc);
		return hdl_find(tgt, arg->hdl) != NULL ? 0 : tgt->stopping ? -DER_SHUTDOWN : -DER_NOMEM;
	}
	uuid_copy(hdl->pub.sch_uuid, arg->hdl);
	uuid_copy(hdl->pub.sch_cont_uuid, arg->cont);
	uuid_copy(hdl->pool_hdl, arg->pool_hdl);
	hdl->pub.sch_flags = arg->flags;
	hdl->pub.sch_sec_capas = arg->capas;
	hdl->pub.sch_vos = cc->cc_vos;
	hdl->pub.sch_ref = 1;
	hdl->child = cc;
	tgt->pool->spc_ref++;
	hdl->pub.sch_pool = tgt->pool;
	rc = d_hash_insert(&tgt->hdls, &hdl->node, hdl->pub.sch_uuid, sizeof(uuid_t));
	D_ASSERT(rc == 0);
	return 0;
}

void
cont_tgt_close(struct cont_tgt *tgt, const uuid_t uuid)
{
	struct cont_hdl *hdl = hdl_find(tgt, uuid);

	if (hdl == NULL)
		return;
	d_hash_remove(&tgt->hdls, &hdl->node);
	ds_cont_hdl_put(&hdl->pub);
}

struct close_some {
	struct cont_tgt     *tgt;
	const unsigned char *cont;      /* NULL: of any */
	const uuid_t        *pool_hdls; /* NULL: of any */
	uint32_t             nr;
};

static int
close_some_cb(struct d_hash_node *node, void *arg)
{
	struct cont_hdl   *hdl = CONTAINER_OF(node, struct cont_hdl, node);
	struct close_some *some = arg;
	bool               match = some->pool_hdls == NULL;

	for (uint32_t i = 0; i < some->nr && !match; i++)
		match = uuid_compare(hdl->pool_hdl, some->pool_hdls[i]) == 0;
	if (some->cont != NULL && uuid_compare(hdl->pub.sch_cont_uuid, some->cont) != 0)
		match = false;
	if (match) {
		d_hash_remove(&some->tgt->hdls, node);
		ds_cont_hdl_put(&hdl->pub);
	}
	return 0;
}

MAY_YIELD void
cont_child_hdls_closed(struct ds_pool_child *child, const uuid_t *pool_hdls, uint32_t nr)
{
	struct close_some some = {.tgt = child->spc_cont_data, .pool_hdls = pool_hdls, .nr = nr};

	d_hash_foreach(&some.tgt->hdls, close_some_cb, &some);
}

MAY_YIELD int
cont_tgt_destroy(struct cont_tgt *tgt, const uuid_t cont)
{
	struct close_some   some = {.tgt = tgt, .cont = cont};
	struct cont_child  *cc;
	struct ult_eventual idle;
	int                 rc, value;

	d_hash_foreach(&tgt->hdls, close_some_cb, &some);
	cc = child_find(tgt, cont);
	if (cc != NULL && cc->cc_idle != NULL)
		return -DER_BUSY; /* another is waiting */
	if (cc != NULL) { /* requests under way, or aggregation */
		ult_eventual_init(&idle);
		cc->cc_idle = &idle;
		cont_agg_forget(cc);
		rc = ult_eventual_timedwait(&idle, DESTROY_WAIT_NS, &value);
		if (rc != 0) {
			cc = child_find(tgt, cont);
			if (cc != NULL)
				cc->cc_idle = NULL;
			return -DER_BUSY;
		}
	}
	rc = vos_cont_destroy(tgt->pool->spc_vos, cont);
	if (rc == 0)
		cont_agg_gc(tgt);
	return rc == -DER_NONEXIST ? 0 : rc;
}

/* ---- finding handles for requests ---- */

struct find_arg {
	const unsigned char *pool, *cont, *hdl;
	uint32_t             map_version;
};

static void
find_fill(void *vin, void *varg)
{
	struct cont_hdl_find_in *in = vin;
	struct find_arg         *arg = varg;

	uuid_copy(in->pool.b, arg->pool);
	uuid_copy(in->cont.b, arg->cont);
	uuid_copy(in->cont_hdl.b, arg->hdl);
	in->map_version = arg->map_version;
}

/** What the reply of CONT_HDL_FIND says, unless snapshots changed since the request (@snaps_gen): -DER_AGAIN. */
MAY_YIELD static int
open_found(struct cont_tgt *tgt, const struct find_arg *arg, const struct cont_hdl_find_out *out, uint64_t snaps_gen)
{
	struct cont_open_arg open = {.cont = arg->cont, .hdl = arg->hdl, .pool_hdl = out->pool_hdl.b,
				     .flags = out->flags, .capas = out->capas, .snaps = out->snaps};
	int                  rc = 0;

	if (out->map.iov_len > 0)
		rc = ds_pool_learn(tgt->pool->spc_pool, &out->map, out->svc_ranks);
	if (rc != 0)
		return rc;
	return tgt->snaps_gen != snaps_gen ? -DER_AGAIN : cont_tgt_open(tgt, &open);
}

/** Ask the service, and open what it says. */
MAY_YIELD static int
find_and_open(struct cont_tgt *tgt, const uuid_t cont, const uuid_t hdl)
{
	struct ds_pool *pool = tgt->pool->spc_pool;
	struct find_arg arg = {.pool = pool->sp_uuid, .cont = cont, .hdl = hdl};
	d_rank_list_t  *ranks;
	crt_rpc_t      *rpc;
	int             rc = ds_pool_svc_ranks(pool, &ranks);

	if (rc != 0)
		return rc;
	do {
		uint64_t snaps_gen = tgt->snaps_gen;

		arg.map_version = pool->sp_map_version;
		rc = ds_pool_svc_call(ranks, CONT_OPC(CONT_HDL_FIND), find_fill, &arg, FIND_TIMEOUT_S, &rpc);
		if (rc != 0)
			break;
		rc = open_found(tgt, &arg, rpc->cr_output, snaps_gen);
		crt_req_decref(rpc);
	} while (rc == -DER_AGAIN && !tgt->stopping);
	d_rank_list_free(ranks);
	return rc;
}

/** With a reference of the shard held by the caller. */
MAY_YIELD static int
hdl_get(struct cont_tgt *tgt, const uuid_t cont, const uuid_t uuid, struct ds_cont_hdl **ret_hdl)
{
	struct cont_hdl *hdl = hdl_find(tgt, uuid);
	int              rc;

	if (hdl == NULL) {
		rc = find_and_open(tgt, cont, uuid);
		if (rc != 0)
			return rc;
		hdl = hdl_find(tgt, uuid);
	}
	if (hdl == NULL || uuid_compare(hdl->pub.sch_cont_uuid, cont) != 0)
		return -DER_NO_HDL;
	if (hdl->pub.sch_sec_capas & SEC_CONT_CAPA_WRITE_DATA)
		cont_agg_touch(hdl->child);
	hdl->pub.sch_ref++;
	*ret_hdl = &hdl->pub;
	return 0;
}

MAY_YIELD int
ds_cont_hdl_get(const uuid_t pool, const uuid_t cont, const uuid_t uuid, struct ds_cont_hdl **ret_hdl)
{
	struct ds_pool_child *child = ds_pool_child_lookup(pool);
	int                   rc;

	if (child == NULL)
		return -DER_NO_HDL;
	rc = hdl_get(child->spc_cont_data, cont, uuid, ret_hdl);
	ds_pool_child_put(child);
	return rc;
}

/* ---- with the pool's shard ---- */

MAY_YIELD int
cont_child_open(struct ds_pool_child *child)
{
	struct cont_tgt *tgt = calloc(1, sizeof(*tgt));
	int              rc;

	if (tgt == NULL)
		return -DER_NOMEM;
	tgt->pool = child;
	d_hash_init(&tgt->hdls, hdl_key_eq);
	d_list_init(&tgt->conts);
	rc = cont_agg_start(tgt);
	if (rc != 0) {
		d_hash_fini(&tgt->hdls);
		free(tgt);
		return rc;
	}
	child->spc_cont_data = tgt;
	return 0;
}

/**
 * Requests under way keep their handles, which keep the shard: they end first. New ones find neither
 * (the shard is out of its list), and opens under way see `stopping`.
 */
MAY_YIELD void
cont_child_close(struct ds_pool_child *child)
{
	struct cont_tgt  *tgt = child->spc_cont_data;
	struct close_some some = {.tgt = tgt};

	tgt->stopping = true;
	cont_agg_stop(tgt);
	d_hash_foreach(&tgt->hdls, close_some_cb, &some);
}

void
cont_child_gone(struct ds_pool_child *child)
{
	struct cont_tgt *tgt = child->spc_cont_data;

	D_ASSERT(d_list_empty(&tgt->conts));
	d_hash_fini(&tgt->hdls);
	free(tgt);
	child->spc_cont_data = NULL;
}
