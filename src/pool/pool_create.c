/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/**
 * Making a whole pool: shards on all its ranks first, then the replicas of its service, the one that
 * bootstraps last. Whatever fails, all that was made is unmade. Unmaking goes the other way: the
 * service agrees, closes its handles and is removed, then the shards; it may be repeated until it
 * succeeds.
 */
#define D_LOGFAC LOG_FAC_POOL
#include <daos_errno.h>
#include "base/log.h"
#include "base/prop_table.h"
#include "pool/pool_internal.h"

#define SVC_BYTES      (64ull << 20)
#define SVC_TIMEOUT_S  60

/** A request to all ranks whose reply begins with rc; remembers what failed first. */
struct cast {
	const struct pool_create_req *req;
	const unsigned char          *uuid;
	uint32_t                      tgt_nr;
	bool                          bootstrap, destroy;
	d_iov_t                       props;
	d_rank_t                      failed_rank;
	const char                   *what;
	d_rank_list_t                *ok; /* ranks that succeeded; may be NULL */
};

static int
cast_done(crt_rpc_t *rpc, d_rank_t rank, int rc, void *arg)
{
	struct cast *cast = arg;

	if (rc == 0)
		rc = *(int32_t *)rpc->cr_output; /* the first member of each of these replies */
	if (rc == 0 && cast->ok != NULL)
		rc = d_rank_list_append(cast->ok, rank);
	if (rc != 0) {
		D_ERROR("pool " DF_UUID ": %s on rank %u: " DF_RC, DP_UUID(cast->uuid), cast->what, rank, DP_RC(rc));
		if (cast->failed_rank == CRT_NO_RANK)
			cast->failed_rank = rank;
	}
	return rc;
}

_Static_assert(offsetof(struct pool_tgt_create_out, rc) == 0 && offsetof(struct pool_svc_create_out, rc) == 0 &&
		   offsetof(struct pool_tgt_destroy_out, rc) == 0 && offsetof(struct pool_svc_stop_out, rc) == 0,
	       "cast_done()");

static void
tgt_create_fill(crt_rpc_t *rpc, void *arg)
{
	struct pool_tgt_create_in *in = rpc->cr_input;
	const struct cast         *cast = arg;

	uuid_copy(in->pool.b, cast->uuid);
	in->tgt_nr = cast->tgt_nr;
	in->meta_bytes = cast->req->meta_bytes;
	in->data_bytes = cast->req->data_bytes;
}

static void
tgt_destroy_fill(crt_rpc_t *rpc, void *arg)
{
	uuid_copy(((struct pool_tgt_destroy_in *)rpc->cr_input)->pool.b, ((struct cast *)arg)->uuid);
}

static void
svc_create_fill(crt_rpc_t *rpc, void *arg)
{
	struct pool_svc_create_in *in = rpc->cr_input;
	const struct cast         *cast = arg;

	uuid_copy(in->pool.b, cast->uuid);
	in->svc_ranks = (d_rank_list_t *)cast->req->svc_ranks;
	in->ranks = (d_rank_list_t *)cast->req->ranks;
	in->tgts_per_rank = cast->tgt_nr;
	in->bytes = SVC_BYTES;
	in->bootstrap = cast->bootstrap;
	in->props = cast->props;
}

static void
svc_stop_fill(crt_rpc_t *rpc, void *arg)
{
	struct pool_svc_stop_in *in = rpc->cr_input;

	uuid_copy(in->pool.b, ((struct cast *)arg)->uuid);
	in->destroy = true;
}

MAY_YIELD static int
cast_to(const d_rank_list_t *ranks, uint32_t idx, void (*fill)(crt_rpc_t *rpc, void *arg), const char *what,
	d_rank_list_t *ok, struct cast *cast)
{
	cast->what = what;
	cast->ok = ok;
	return dss_rpc_multicast(dss_self(), ranks, DSS_TAG_SYS, POOL_OPC(idx), fill, cast_done, cast);
}

/** Carried out twice, it would find what it made itself. */
MAY_YIELD static int
tgts_create(const d_rank_list_t *ranks, d_rank_list_t *ok, struct cast *cast)
{
	cast->what = "creating targets";
	cast->ok = ok;
	return dss_rpc_multicast_once(dss_self(), ranks, DSS_TAG_SYS, POOL_OPC(POOL_TGT_CREATE), tgt_create_fill, cast_done,
				      cast);
}

/* ---- create ---- */

/** The complete list of properties of a new pool: defaults, then what was asked for, then the replicas. */
static int
create_props(const struct pool_create_req *req, daos_prop_t **ret_prop)
{
	uint32_t                nr;
	const struct prop_desc *table = prop_table(PROP_POOL, &nr);
	daos_prop_t            *prop = daos_prop_alloc(nr);
	int                     rc = prop == NULL ? -DER_NOMEM : 0;

	for (uint32_t i = 0; i < nr && rc == 0; i++) {
		const struct daos_prop_entry *given = daos_prop_entry_get((daos_prop_t *)req->prop, table[i].type);
		struct daos_prop_entry       *entry = &prop->dpp_entries[i];

		if (given != NULL)
			rc = prop_entry_copy(entry, given);
		else
			rc = prop_entry_default(&table[i], entry);
		if (rc == 0 && given == NULL && table[i].type == DAOS_PROP_PO_ACL) {
			entry->dpe_val_ptr = sec_acl_default_pool();
			rc = entry->dpe_val_ptr == NULL ? -DER_NOMEM : 0;
		}
		if (rc == 0 && table[i].type == DAOS_PROP_PO_SVC_LIST)
			rc = d_rank_list_dup(req->svc_ranks, (d_rank_list_t **)&entry->dpe_val_ptr);
	}
	if (rc != 0) {
		daos_prop_free(prop);
		return rc;
	}
	*ret_prop = prop;
	return 0;
}

static int
check_req(struct pool_create_req *req)
{
	const struct daos_prop_entry *acl;
	int                           rc;

	if (uuid_is_null(req->uuid) || req->ranks == NULL || req->ranks->rl_nr == 0 || req->svc_ranks == NULL ||
	    req->svc_ranks->rl_nr == 0 || req->meta_bytes == 0) {
		snprintf(req->message, sizeof(req->message), "the request lacks a UUID, ranks, replicas or a size");
		return -DER_INVAL;
	}
	for (uint32_t i = 0; i < req->svc_ranks->rl_nr; i++) {
		if (d_rank_list_find(req->ranks, req->svc_ranks->rl_ranks[i]) < 0) {
			snprintf(req->message, sizeof(req->message), "rank %u is to hold the service but not the pool",
				 req->svc_ranks->rl_ranks[i]);
			return -DER_INVAL;
		}
	}
	rc = prop_list_check(PROP_POOL, req->prop, PROP_SERVICE);
	acl = daos_prop_entry_get((daos_prop_t *)req->prop, DAOS_PROP_PO_ACL);
	if (rc == 0 && acl != NULL)
		rc = sec_acl_check_pool(acl->dpe_val_ptr);
	if (rc != 0)
		snprintf(req->message, sizeof(req->message), "a property is not valid");
	return rc;
}

static void
say_failed(struct pool_create_req *req, const struct cast *cast, int rc)
{
	if (cast->failed_rank == CRT_NO_RANK)
		snprintf(req->message, sizeof(req->message), "%s: " DF_RC, cast->what, DP_RC(rc));
	else
		snprintf(req->message, sizeof(req->message), "%s on rank %u: " DF_RC, cast->what, cast->failed_rank,
			 DP_RC(rc));
}

MAY_YIELD static int
create_svc(struct cast *cast, d_rank_list_t *made)
{
	const d_rank_list_t *svc = cast->req->svc_ranks;
	d_rank_list_t        first = {.rl_ranks = svc->rl_ranks, .rl_nr = 1};
	d_rank_list_t        rest = {.rl_ranks = svc->rl_ranks + 1, .rl_nr = svc->rl_nr - 1};
	int                  rc;

	cast->bootstrap = false;
	rc = cast_to(&rest, POOL_SVC_CREATE, svc_create_fill, "creating a service replica", made, cast);
	if (rc != 0)
		return rc;
	cast->bootstrap = true;
	return cast_to(&first, POOL_SVC_CREATE, svc_create_fill, "creating the service", made, cast);
}

/** Unmake on all ranks asked: one whose answer was lost may have made something. */
MAY_YIELD static void
create_undo(struct cast *cast, bool svc)
{
	if (svc)
		(void)!cast_to(cast->req->svc_ranks, POOL_SVC_STOP, svc_stop_fill, "undoing the service", NULL, cast);
	(void)!cast_to(cast->req->ranks, POOL_TGT_DESTROY, tgt_destroy_fill, "undoing targets", NULL, cast);
}

/** A UUID that exists already on some rank is not ours: then only what this call made is unmade. */
MAY_YIELD static int
create_all(struct pool_create_req *req, struct cast *cast)
{
	d_rank_list_t *made = d_rank_list_alloc(0);
	int            rc;

	if (made == NULL)
		return -DER_NOMEM;
	rc = tgts_create(req->ranks, made, cast);
	if (rc == -DER_EXIST) {
		say_failed(req, cast, rc);
		(void)!cast_to(made, POOL_TGT_DESTROY, tgt_destroy_fill, "undoing targets", NULL, cast);
	} else if (rc != 0) {
		say_failed(req, cast, rc);
		create_undo(cast, false);
	} else {
		rc = create_svc(cast, NULL);
		if (rc != 0) {
			say_failed(req, cast, rc);
			create_undo(cast, true);
		}
	}
	d_rank_list_free(made);
	return rc;
}

MAY_YIELD int
pool_create(struct engine *eng, struct pool_create_req *req)
{
	struct cast  cast = {.req = req, .uuid = req->uuid, .failed_rank = CRT_NO_RANK, .what = "preparing"};
	daos_prop_t *prop = NULL;
	int          rc = check_req(req);

	if (rc != 0)
		return rc;
	cast.tgt_nr = req->tgts_per_rank != 0 ? req->tgts_per_rank : dss_tgt_nr(eng);
	rc = create_props(req, &prop);
	if (rc == 0)
		rc = prop_list_encode(prop, &cast.props);
	daos_prop_free(prop);
	if (rc != 0)
		return rc;
	rc = create_all(req, &cast);
	free(cast.props.iov_buf);
	D_NOTE("pool " DF_UUID ": create on %u ranks, %u targets each: " DF_RC, DP_UUID(req->uuid), req->ranks->rl_nr,
	       cast.tgt_nr, DP_RC(rc));
	return rc;
}

/* ---- destroy ---- */

struct prep_arg {
	const unsigned char *uuid;
	bool                 force, recursive;
};

static void
prep_fill(void *vin, void *varg)
{
	struct pool_destroy_prep_in *in = vin;
	const struct prep_arg       *arg = varg;

	uuid_copy(in->pool.b, arg->uuid);
	in->force = arg->force;
	in->recursive = arg->recursive;
}

MAY_YIELD int
pool_destroy(struct engine *eng, const uuid_t uuid, const d_rank_list_t *ranks, const d_rank_list_t *svc_ranks, bool force,
	     bool recursive)
{
	struct prep_arg arg = {.uuid = uuid, .force = force, .recursive = recursive};
	struct cast     cast = {.uuid = uuid, .failed_rank = CRT_NO_RANK};
	crt_rpc_t      *rpc;
	int             rc = 0;

	if (svc_ranks->rl_nr > 0) {
		rc = ds_pool_svc_call(svc_ranks, POOL_OPC(POOL_DESTROY_PREP), prep_fill, &arg, SVC_TIMEOUT_S, &rpc);
		if (rc == 0)
			crt_req_decref(rpc);
		else if (rc == -DER_NONEXIST) /* removed before: what remains follows */
			rc = 0;
		else if (rc != -DER_BUSY && force) {
			D_WARN("pool " DF_UUID ": its service does not answer, destroyed all the same: " DF_RC, DP_UUID(uuid),
			       DP_RC(rc));
			rc = 0;
		}
	}
	if (rc == 0)
		rc = cast_to(svc_ranks, POOL_SVC_STOP, svc_stop_fill, "removing the service", NULL, &cast);
	if (rc == 0)
		rc = cast_to(ranks, POOL_TGT_DESTROY, tgt_destroy_fill, "removing targets", NULL, &cast);
	D_NOTE("pool " DF_UUID ": destroy: " DF_RC, DP_UUID(uuid), DP_RC(rc));
	return rc;
}
