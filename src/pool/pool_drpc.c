/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/** dRPC methods about pools: from daos_server, turned into requests to the pool's service. */
#define D_LOGFAC LOG_FAC_POOL
#include <daos_errno.h>
#include "base/log.h"
#include "base/prop_table.h"
#include "drpc/drpc.h"
#include "drpc/mgmt.pb-c.h"
#include "pool/pool_internal.h"

#define SVC_TIMEOUT_S 60

/** Borrowed view of numbers in a message as a list. */
static d_rank_list_t
ranks_of(uint32_t *v, size_t nr)
{
	return (d_rank_list_t){.rl_ranks = v, .rl_nr = nr};
}

/** What every request that names a pool carries. */
struct target {
	uuid_t        uuid;
	d_rank_list_t svc;
};

static int
target_of(const char *uuid, uint32_t *ranks, size_t nr, struct target *ret)
{
	if (uuid == NULL || uuid_parse(uuid, ret->uuid) != 0)
		return -DER_INVAL;
	ret->svc = ranks_of(ranks, nr);
	return 0;
}

static void
fill_head(void *vin, void *arg)
{
	uuid_copy(((struct pool_in_head *)vin)->pool.b, ((struct target *)arg)->uuid);
}

MAY_YIELD static int
svc_call(const struct target *target, uint32_t idx, void (*fill)(void *in, void *arg), void *arg, crt_rpc_t **ret_rpc)
{
	int rc = ds_pool_svc_call(&target->svc, POOL_OPC(idx), fill, arg, SVC_TIMEOUT_S, ret_rpc);

	if (rc != 0)
		D_WARN("pool " DF_UUID ": request %u of the control plane: " DF_RC, DP_UUID(target->uuid), idx, DP_RC(rc));
	return rc;
}

/* ---- properties ---- */

static int
prop_from_msg(const Mgmt__PoolProperty *msg, struct daos_prop_entry *entry)
{
	const struct prop_desc *desc = prop_desc_by_type(msg->number);

	if (desc == NULL || desc->type >= DAOS_PROP_PO_MAX)
		return -DER_INVAL;
	if (desc->kind == PROP_KIND_NUM && msg->value_case == MGMT__POOL_PROPERTY__VALUE_NUMVAL) {
		*entry = (struct daos_prop_entry){.dpe_type = desc->type, .dpe_val = msg->numval};
		return 0;
	}
	if (msg->value_case != MGMT__POOL_PROPERTY__VALUE_STRVAL)
		return -DER_INVAL;
	return prop_entry_from_text(desc, msg->strval, entry);
}

/** @extra zeroed entries at the end for the caller. */
static int
props_from_msgs(Mgmt__PoolProperty **msgs, size_t nr, uint32_t extra, daos_prop_t **ret_prop)
{
	daos_prop_t *prop;
	int          rc = 0;

	if (nr > DAOS_PROP_PO_NUM)
		return -DER_INVAL;
	prop = daos_prop_alloc(nr + extra);
	if (prop == NULL)
		return -DER_NOMEM;
	for (size_t i = 0; i < nr && rc == 0; i++)
		rc = prop_from_msg(msgs[i], &prop->dpp_entries[i]);
	if (rc != 0) {
		daos_prop_free(prop);
		return rc;
	}
	*ret_prop = prop;
	return 0;
}

/** Text of a kind that isn't a number; free(). */
static char *
prop_text(const struct daos_prop_entry *entry)
{
	const struct prop_desc *desc = prop_desc_by_type(entry->dpe_type);
	size_t                  room = 256;
	char                   *text = NULL;
	int                     len;

	for (;;) {
		free(text);
		text = malloc(room);
		if (text == NULL)
			return NULL;
		if (desc->kind == PROP_KIND_ACL && entry->dpe_val_ptr != NULL)
			len = sec_acl_to_text(entry->dpe_val_ptr, text, room);
		else
			len = prop_entry_to_text(desc, entry, text, room);
		if (len < 0)
			text[0] = '\0';
		if (len < (int)room)
			return text;
		room = len + 1;
	}
}

struct prop_set_arg {
	struct target target;
	d_iov_t       props;
};

static void
fill_prop_set(void *vin, void *varg)
{
	struct prop_set_arg *arg = varg;

	fill_head(vin, &arg->target);
	((struct pool_prop_set_in *)vin)->props = arg->props;
}

MAY_YIELD static int
set_prop(const Mgmt__PoolSetPropReq *req)
{
	struct prop_set_arg arg = {0};
	daos_prop_t        *prop;
	crt_rpc_t          *rpc;
	int                 rc = target_of(req->uuid, req->svc_ranks, req->n_svc_ranks, &arg.target);

	if (rc == 0)
		rc = props_from_msgs(req->properties, req->n_properties, 0, &prop);
	if (rc != 0)
		return rc;
	rc = prop_list_check(PROP_POOL, prop, PROP_SERVICE | PROP_CREATE);
	if (rc == 0)
		rc = prop_list_encode(prop, &arg.props);
	daos_prop_free(prop);
	if (rc != 0)
		return rc;
	rc = svc_call(&arg.target, POOL_PROP_SET, fill_prop_set, &arg, &rpc);
	if (rc == 0)
		crt_req_decref(rpc);
	free(arg.props.iov_buf);
	return rc;
}

MAY_YIELD static void
drpc_set_prop(struct engine *eng, struct dss_drpc_call *call)
{
	Mgmt__PoolSetPropReq *req = mgmt__pool_set_prop_req__unpack(NULL, call->body_bytes, call->body);

	if (req == NULL) {
		ds_mgmt_drpc_malformed(call);
		return;
	}
	ds_mgmt_drpc_reply_status(call, set_prop(req));
	mgmt__pool_set_prop_req__free_unpacked(req, NULL);
}

/* ---- query ---- */

struct query_arg {
	struct target target;
	uint64_t      bits;
	bool          prop_all;
	uint32_t     *types;
	size_t        type_nr;
};

static void
fill_query(void *vin, void *varg)
{
	struct pool_query_in *in = vin;
	struct query_arg     *arg = varg;

	fill_head(vin, &arg->target);
	in->bits = arg->bits;
	in->prop_all = arg->prop_all;
	in->prop_types.v = arg->types;
	in->prop_types.nr = arg->type_nr;
}

static int
prop_to_msg(const struct daos_prop_entry *entry, Mgmt__PoolProperty *msg)
{
	const struct prop_desc *desc = prop_desc_by_type(entry->dpe_type);

	mgmt__pool_property__init(msg);
	msg->number = entry->dpe_type;
	if (desc->kind == PROP_KIND_NUM) {
		msg->value_case = MGMT__POOL_PROPERTY__VALUE_NUMVAL;
		msg->numval = entry->dpe_val;
		return 0;
	}
	msg->value_case = MGMT__POOL_PROPERTY__VALUE_STRVAL;
	msg->strval = prop_text(entry);
	return msg->strval == NULL ? -DER_NOMEM : 0;
}

static void
reply_props(struct dss_drpc_call *call, const daos_prop_t *prop)
{
	Mgmt__PoolGetPropResp resp = MGMT__POOL_GET_PROP_RESP__INIT;
	Mgmt__PoolProperty    msgs[DAOS_PROP_PO_NUM], *ptrs[DAOS_PROP_PO_NUM];
	size_t                nr = MIN_OF(prop->dpp_nr, (uint32_t)DAOS_PROP_PO_NUM);

	for (size_t i = 0; i < nr; i++) {
		int rc = prop_to_msg(&prop->dpp_entries[i], &msgs[i]);

		ptrs[i] = &msgs[i];
		if (resp.status == 0)
			resp.status = rc;
	}
	resp.properties = ptrs;
	resp.n_properties = resp.status == 0 ? nr : 0;
	ds_mgmt_drpc_reply(call, &resp);
	for (size_t i = 0; i < nr; i++) {
		if (msgs[i].value_case == MGMT__POOL_PROPERTY__VALUE_STRVAL)
			free(msgs[i].strval);
	}
}

MAY_YIELD static int
get_prop(const Mgmt__PoolGetPropReq *req, daos_prop_t **ret_prop)
{
	struct query_arg       arg = {.types = req->numbers, .type_nr = req->n_numbers, .prop_all = req->n_numbers == 0};
	struct pool_query_out *out;
	crt_rpc_t             *rpc;
	int                    rc = target_of(req->uuid, req->svc_ranks, req->n_svc_ranks, &arg.target);

	if (rc == 0)
		rc = svc_call(&arg.target, POOL_QUERY, fill_query, &arg, &rpc);
	if (rc != 0)
		return rc;
	out = rpc->cr_output;
	rc = prop_list_decode(out->props.iov_buf, out->props.iov_len, ret_prop);
	if (rc == 0 && *ret_prop == NULL)
		rc = -DER_PROTO;
	crt_req_decref(rpc);
	return rc;
}

MAY_YIELD static void
drpc_get_prop(struct engine *eng, struct dss_drpc_call *call)
{
	Mgmt__PoolGetPropReq *req = mgmt__pool_get_prop_req__unpack(NULL, call->body_bytes, call->body);
	Mgmt__PoolGetPropResp resp = MGMT__POOL_GET_PROP_RESP__INIT;
	daos_prop_t          *prop = NULL;

	if (req == NULL) {
		ds_mgmt_drpc_malformed(call);
		return;
	}
	resp.status = get_prop(req, &prop);
	if (resp.status == 0)
		reply_props(call, prop);
	else
		ds_mgmt_drpc_reply(call, &resp);
	daos_prop_free(prop);
	mgmt__pool_get_prop_req__free_unpacked(req, NULL);
}

/** Ranks of the map, split by whether all their targets are out of use; counts of targets. */
struct split {
	uint32_t *in, *out; /* in one allocation */
	size_t    in_nr, out_nr;
	uint32_t  active, disabled;
};

static int
split_ranks(const struct pool_map *map, struct split *split)
{
	uint32_t rank_nr = pool_map_rank_nr(map);

	split->in = calloc(2 * rank_nr + 1, sizeof(uint32_t));
	if (split->in == NULL)
		return -DER_NOMEM;
	split->out = split->in + rank_nr;
	split->active = pool_map_count(map, PO_COMP_ST_UP | PO_COMP_ST_UPIN | PO_COMP_ST_DRAIN);
	split->disabled = pool_map_count(map, PO_COMP_ST_DOWN | PO_COMP_ST_DOWNOUT);
	for (uint32_t i = 0; i < rank_nr; i++) {
		const struct pool_domain *dom = pool_map_domain(map, i);
		bool                      out = false;

		for (uint32_t t = 0; t < dom->tgt_nr; t++)
			out |= (pool_map_target(map, dom->tgt_first + t)->status &
				(PO_COMP_ST_DOWN | PO_COMP_ST_DOWNOUT)) != 0;
		if (out)
			split->out[split->out_nr++] = dom->rank;
		else
			split->in[split->in_nr++] = dom->rank;
	}
	return 0;
}

static void
tier_fill(Mgmt__StorageUsageStats *tier, const struct daos_pool_space *ps, int media)
{
	mgmt__storage_usage_stats__init(tier);
	tier->total = ps->ps_space.s_total[media];
	tier->free = ps->ps_space.s_free[media];
	tier->min = ps->ps_free_min[media];
	tier->max = ps->ps_free_max[media];
	tier->mean = ps->ps_free_mean[media];
	tier->media_type = media;
}

static int
reply_query(struct dss_drpc_call *call, char *uuid, const struct pool_query_out *out)
{
	Mgmt__PoolQueryResp      resp = MGMT__POOL_QUERY_RESP__INIT;
	Mgmt__StorageUsageStats  tiers[DAOS_MEDIA_MAX], *tier_ptrs[DAOS_MEDIA_MAX];
	struct split             split = {0};
	struct pool_map         *map = NULL;
	daos_prop_t             *prop = NULL;
	int                      rc = pool_map_unpack(out->map.iov_buf, out->map.iov_len, &map);

	if (rc != 0)
		return rc;
	rc = split_ranks(map, &split);
	if (rc == 0)
		rc = prop_list_decode(out->props.iov_buf, out->props.iov_len, &prop);
	if (rc == 0) {
		for (int m = 0; m < DAOS_MEDIA_MAX; m++) {
			tier_fill(&tiers[m], &out->space, m);
			tier_ptrs[m] = &tiers[m];
		}
		resp.uuid = uuid;
		resp.label = (char *)prop_list_str(prop, DAOS_PROP_PO_LABEL);
		resp.total_targets = pool_map_target_nr(map);
		resp.active_targets = split.active;
		resp.disabled_targets = split.disabled;
		resp.total_engines = pool_map_rank_nr(map);
		resp.n_tier_stats = out->space.ps_ntargets > 0 ? DAOS_MEDIA_MAX : 0;
		resp.tier_stats = tier_ptrs;
		resp.version = out->map_version;
		resp.leader = out->leader;
		resp.enabled_ranks = split.in;
		resp.n_enabled_ranks = split.in_nr;
		resp.disabled_ranks = split.out;
		resp.n_disabled_ranks = split.out_nr;
		resp.svc_reps = out->svc_ranks == NULL ? NULL : out->svc_ranks->rl_ranks;
		resp.n_svc_reps = out->svc_ranks == NULL ? 0 : out->svc_ranks->rl_nr;
		resp.pool_layout_ver = prop_list_num(prop, DAOS_PROP_PO_GLOBAL_VERSION, 0);
		resp.upgrade_layout_ver = prop_desc_by_type(DAOS_PROP_PO_GLOBAL_VERSION)->def;
		ds_mgmt_drpc_reply(call, &resp);
	}
	daos_prop_free(prop);
	free(split.in);
	pool_map_decref(map);
	return rc;
}

MAY_YIELD static void
drpc_query(struct engine *eng, struct dss_drpc_call *call)
{
	static uint32_t const types[] = {DAOS_PROP_PO_LABEL, DAOS_PROP_PO_GLOBAL_VERSION};
	Mgmt__PoolQueryReq   *req = mgmt__pool_query_req__unpack(NULL, call->body_bytes, call->body);
	Mgmt__PoolQueryResp   resp = MGMT__POOL_QUERY_RESP__INIT;
	struct query_arg      arg = {.types = (uint32_t *)types, .type_nr = ARRAY_NR(types)};
	crt_rpc_t            *rpc;

	if (req == NULL) {
		ds_mgmt_drpc_malformed(call);
		return;
	}
	arg.bits = req->health_only ? 0 : DPI_SPACE;
	resp.status = target_of(req->uuid, req->svc_ranks, req->n_svc_ranks, &arg.target);
	if (resp.status == 0)
		resp.status = svc_call(&arg.target, POOL_QUERY, fill_query, &arg, &rpc);
	if (resp.status == 0) {
		resp.status = reply_query(call, req->uuid, rpc->cr_output);
		crt_req_decref(rpc);
	}
	if (resp.status != 0)
		ds_mgmt_drpc_reply(call, &resp);
	mgmt__pool_query_req__free_unpacked(req, NULL);
}

/* ---- single targets ---- */

struct tgts_arg {
	struct target               target;
	Mgmt__PoolQueryTargetReq   *req;
};

static void
fill_tgts(void *vin, void *varg)
{
	struct pool_query_tgts_in *in = vin;
	struct tgts_arg           *arg = varg;

	fill_head(vin, &arg->target);
	in->rank = arg->req->rank;
	in->tgts.v = arg->req->targets;
	in->tgts.nr = arg->req->n_targets;
}

/** Public states (daos_target_state_t) of those in the map. */
static uint32_t
public_state(uint32_t status)
{
	switch (status) {
	case PO_COMP_ST_NEW:
		return DAOS_TS_NEW;
	case PO_COMP_ST_UP:
		return DAOS_TS_UP;
	case PO_COMP_ST_UPIN:
		return DAOS_TS_UP_IN;
	case PO_COMP_ST_DOWN:
		return DAOS_TS_DOWN;
	case PO_COMP_ST_DOWNOUT:
		return DAOS_TS_DOWN_OUT;
	case PO_COMP_ST_DRAIN:
		return DAOS_TS_DRAIN;
	default:
		return DAOS_TS_UNKNOWN;
	}
}

/** A target's message with what it points to. */
struct tgt_msg {
	Mgmt__PoolQueryTargetInfo info;
	Mgmt__StorageUsageStats   tiers[DAOS_MEDIA_MAX], *tier_ptrs[DAOS_MEDIA_MAX];
};

static int
reply_tgts(struct dss_drpc_call *call, const struct pool_query_tgts_out *out)
{
	Mgmt__PoolQueryTargetResp   resp = MGMT__POOL_QUERY_TARGET_RESP__INIT;
	uint32_t                    nr = out->states.nr;
	struct tgt_msg             *msgs = calloc(nr + 1, sizeof(*msgs));
	Mgmt__PoolQueryTargetInfo **ptrs = calloc(nr + 1, sizeof(*ptrs));
	int                         rc = msgs == NULL || ptrs == NULL ? -DER_NOMEM : 0;

	if (rc == 0 && out->space.nr != 4 * nr)
		rc = -DER_PROTO;
	for (uint32_t i = 0; i < nr && rc == 0; i++) {
		struct tgt_msg *m = &msgs[i];

		mgmt__pool_query_target_info__init(&m->info);
		m->info.state = public_state(out->states.v[i]);
		for (int t = 0; t < DAOS_MEDIA_MAX; t++) {
			mgmt__storage_usage_stats__init(&m->tiers[t]);
			m->tiers[t].total = out->space.v[4 * i + 2 * t];
			m->tiers[t].free = out->space.v[4 * i + 2 * t + 1];
			m->tiers[t].media_type = t;
			m->tier_ptrs[t] = &m->tiers[t];
		}
		m->info.space = m->tier_ptrs;
		m->info.n_space = DAOS_MEDIA_MAX;
		ptrs[i] = &m->info;
	}
	if (rc == 0) {
		resp.infos = ptrs;
		resp.n_infos = nr;
		ds_mgmt_drpc_reply(call, &resp);
	}
	free(msgs);
	free(ptrs);
	return rc;
}

MAY_YIELD static void
drpc_query_tgts(struct engine *eng, struct dss_drpc_call *call)
{
	Mgmt__PoolQueryTargetReq *req = mgmt__pool_query_target_req__unpack(NULL, call->body_bytes, call->body);
	Mgmt__PoolQueryTargetResp resp = MGMT__POOL_QUERY_TARGET_RESP__INIT;
	struct tgts_arg           arg = {.req = req};
	crt_rpc_t                *rpc;

	if (req == NULL) {
		ds_mgmt_drpc_malformed(call);
		return;
	}
	resp.status = target_of(req->uuid, req->svc_ranks, req->n_svc_ranks, &arg.target);
	if (resp.status == 0)
		resp.status = svc_call(&arg.target, POOL_QUERY_TGTS, fill_tgts, &arg, &rpc);
	if (resp.status == 0) {
		resp.status = reply_tgts(call, rpc->cr_output);
		crt_req_decref(rpc);
	}
	if (resp.status != 0)
		ds_mgmt_drpc_reply(call, &resp);
	mgmt__pool_query_target_req__free_unpacked(req, NULL);
}

/* ---- create, destroy, evict ---- */

/** Owner, group, label and ACL arrive apart from the other properties. */
static int
create_add(const Mgmt__PoolCreateReq *req, daos_prop_t *prop, uint32_t at)
{
	struct {
		uint32_t    type;
		const char *text;
	} strs[] = {{DAOS_PROP_PO_LABEL, req->label}, {DAOS_PROP_PO_OWNER, req->user},
		    {DAOS_PROP_PO_OWNER_GROUP, req->user_group}};
	struct daos_acl *acl;
	int              rc = 0;

	for (size_t i = 0; i < ARRAY_NR(strs) && rc == 0; i++) {
		if (strs[i].text == NULL || strs[i].text[0] == '\0' || daos_prop_entry_get(prop, strs[i].type) != NULL)
			continue;
		rc = prop_entry_from_text(prop_desc_by_type(strs[i].type), strs[i].text, &prop->dpp_entries[at]);
		at += rc == 0;
	}
	if (rc == 0 && req->n_acl > 0) {
		rc = daos_acl_from_strs((const char **)req->acl, req->n_acl, &acl);
		if (rc == 0) {
			prop->dpp_entries[at].dpe_type = DAOS_PROP_PO_ACL;
			prop->dpp_entries[at++].dpe_val_ptr = acl;
		}
	}
	prop->dpp_nr = at;
	return rc;
}

#define CREATE_EXTRA_NR 4

MAY_YIELD static int
create(struct engine *eng, Mgmt__PoolCreateReq *msg, struct pool_create_req *req)
{
	d_rank_list_t ranks = ranks_of(msg->ranks, msg->n_ranks);
	d_rank_list_t svc = ranks_of(msg->svc_ranks, msg->n_svc_ranks);
	daos_prop_t  *prop;
	int           rc;

	if (msg->uuid == NULL || uuid_parse(msg->uuid, req->uuid) != 0) {
		snprintf(req->message, sizeof(req->message), "'%s' is not a UUID", msg->uuid);
		return -DER_INVAL;
	}
	rc = props_from_msgs(msg->properties, msg->n_properties, CREATE_EXTRA_NR, &prop);
	if (rc != 0) {
		snprintf(req->message, sizeof(req->message), "a property is not valid");
		return rc;
	}
	rc = create_add(msg, prop, msg->n_properties);
	if (rc != 0)
		snprintf(req->message, sizeof(req->message), "label, owner, group or ACL is not valid");
	req->ranks = &ranks;
	req->svc_ranks = &svc;
	req->tgts_per_rank = msg->tgts_per_rank;
	req->meta_bytes = msg->meta_bytes;
	req->data_bytes = msg->data_bytes;
	req->prop = prop;
	if (rc == 0)
		rc = pool_create(eng, req);
	daos_prop_free(prop);
	return rc;
}

MAY_YIELD static void
drpc_create(struct engine *eng, struct dss_drpc_call *call)
{
	Mgmt__PoolCreateReq   *msg = mgmt__pool_create_req__unpack(NULL, call->body_bytes, call->body);
	Mgmt__PoolCreateResp   resp = MGMT__POOL_CREATE_RESP__INIT;
	struct pool_create_req req = {0};

	if (msg == NULL) {
		ds_mgmt_drpc_malformed(call);
		return;
	}
	resp.status = create(eng, msg, &req);
	if (resp.status == 0) {
		resp.svc_reps = msg->svc_ranks;
		resp.n_svc_reps = msg->n_svc_ranks;
		resp.tgt_ranks = msg->ranks;
		resp.n_tgt_ranks = msg->n_ranks;
		resp.meta_bytes = msg->meta_bytes;
		resp.data_bytes = msg->data_bytes;
		resp.leader = msg->svc_ranks[0];
	}
	resp.message = req.message;
	ds_mgmt_drpc_reply(call, &resp);
	mgmt__pool_create_req__free_unpacked(msg, NULL);
}

MAY_YIELD static void
drpc_destroy(struct engine *eng, struct dss_drpc_call *call)
{
	Mgmt__PoolDestroyReq *req = mgmt__pool_destroy_req__unpack(NULL, call->body_bytes, call->body);
	struct target         target;
	d_rank_list_t         ranks;
	int                   rc;

	if (req == NULL) {
		ds_mgmt_drpc_malformed(call);
		return;
	}
	rc = target_of(req->uuid, req->svc_ranks, req->n_svc_ranks, &target);
	ranks = ranks_of(req->ranks, req->n_ranks);
	if (rc == 0)
		rc = pool_destroy(eng, target.uuid, &ranks, &target.svc, req->force, req->recursive);
	ds_mgmt_drpc_reply_status(call, rc);
	mgmt__pool_destroy_req__free_unpacked(req, NULL);
}

MAY_YIELD static void
drpc_evict(struct engine *eng, struct dss_drpc_call *call)
{
	Mgmt__PoolReq      *req = mgmt__pool_req__unpack(NULL, call->body_bytes, call->body);
	Mgmt__PoolEvictResp resp = MGMT__POOL_EVICT_RESP__INIT;
	struct target       target;
	crt_rpc_t          *rpc;

	if (req == NULL) {
		ds_mgmt_drpc_malformed(call);
		return;
	}
	resp.status = target_of(req->uuid, req->svc_ranks, req->n_svc_ranks, &target);
	if (resp.status == 0)
		resp.status = svc_call(&target, POOL_EVICT, fill_head, &target, &rpc);
	if (resp.status == 0) {
		resp.count = ((struct pool_evict_out *)rpc->cr_output)->count;
		crt_req_decref(rpc);
	}
	ds_mgmt_drpc_reply(call, &resp);
	mgmt__pool_req__free_unpacked(req, NULL);
}

/* ---- ACL ---- */

struct acl_arg {
	struct target                target;
	enum pool_acl_change         change;
	d_iov_t                      acl;
	enum daos_acl_principal_type type;
	char                        *name;
};

static void
fill_acl(void *vin, void *varg)
{
	struct pool_acl_change_in *in = vin;
	struct acl_arg            *arg = varg;

	fill_head(vin, &arg->target);
	in->change = arg->change;
	in->acl = arg->acl;
	in->principal_type = arg->type;
	in->principal = arg->name;
}

/** Reply with the list, and the owners. */
static void
reply_acl(struct dss_drpc_call *call, int rc, struct daos_acl *acl, const char *user, const char *group)
{
	Mgmt__AclResp resp = MGMT__ACL_RESP__INIT;
	char        **strs = NULL;
	size_t        nr = 0;

	if (rc == 0)
		rc = daos_acl_to_strs(acl, &strs, &nr);
	resp.status = rc;
	resp.entries = strs;
	resp.n_entries = nr;
	if (user != NULL)
		resp.owner_user = (char *)user;
	if (group != NULL)
		resp.owner_group = (char *)group;
	ds_mgmt_drpc_reply(call, &resp);
	for (size_t i = 0; i < nr; i++)
		free(strs[i]);
	free(strs);
}

MAY_YIELD static void
drpc_get_acl(struct engine *eng, struct dss_drpc_call *call)
{
	Mgmt__AclReq           *req = mgmt__acl_req__unpack(NULL, call->body_bytes, call->body);
	Mgmt__PoolGetPropReq    get = MGMT__POOL_GET_PROP_REQ__INIT;
	uint32_t                types[] = {DAOS_PROP_PO_ACL, DAOS_PROP_PO_OWNER, DAOS_PROP_PO_OWNER_GROUP};
	struct daos_prop_entry *entry;
	daos_prop_t            *prop = NULL;
	int                     rc;

	if (req == NULL) {
		ds_mgmt_drpc_malformed(call);
		return;
	}
	get.uuid = req->uuid;
	get.svc_ranks = req->svc_ranks;
	get.n_svc_ranks = req->n_svc_ranks;
	get.numbers = types;
	get.n_numbers = ARRAY_NR(types);
	rc = get_prop(&get, &prop);
	entry = daos_prop_entry_get(prop, DAOS_PROP_PO_ACL);
	reply_acl(call, rc, entry == NULL ? NULL : entry->dpe_val_ptr, prop_list_str(prop, DAOS_PROP_PO_OWNER),
		  prop_list_str(prop, DAOS_PROP_PO_OWNER_GROUP));
	daos_prop_free(prop);
	mgmt__acl_req__free_unpacked(req, NULL);
}

MAY_YIELD static int
change_acl(const Mgmt__AclReq *req, struct acl_arg *arg, crt_rpc_t **ret_rpc)
{
	struct daos_acl *acl = NULL;
	int              rc = target_of(req->uuid, req->svc_ranks, req->n_svc_ranks, &arg->target);

	if (rc == 0 && arg->change == POOL_ACL_DELETE)
		rc = daos_acl_principal_from_str(req->principal, &arg->type, &arg->name);
	else if (rc == 0)
		rc = daos_acl_from_strs((const char **)req->entries, req->n_entries, &acl);
	if (acl != NULL)
		d_iov_set(&arg->acl, acl, daos_acl_get_size(acl));
	if (rc == 0)
		rc = svc_call(&arg->target, POOL_ACL_CHANGE, fill_acl, arg, ret_rpc);
	daos_acl_free(acl);
	free(arg->name);
	return rc;
}

MAY_YIELD static void
drpc_change_acl(struct dss_drpc_call *call, enum pool_acl_change change)
{
	const struct prop_desc     *desc = prop_desc_by_type(DAOS_PROP_PO_ACL);
	Mgmt__AclReq               *req = mgmt__acl_req__unpack(NULL, call->body_bytes, call->body);
	struct acl_arg              arg = {.change = change};
	struct daos_prop_entry      entry = {.dpe_type = DAOS_PROP_PO_ACL};
	struct pool_acl_change_out *out;
	crt_rpc_t                  *rpc;
	int                         rc;

	if (req == NULL) {
		ds_mgmt_drpc_malformed(call);
		return;
	}
	rc = change_acl(req, &arg, &rpc);
	if (rc == 0) {
		out = rpc->cr_output;
		rc = prop_value_decode(desc, out->acl.iov_buf, out->acl.iov_len, &entry);
		crt_req_decref(rpc);
	}
	reply_acl(call, rc, entry.dpe_val_ptr, NULL, NULL);
	prop_entry_fini(&entry);
	mgmt__acl_req__free_unpacked(req, NULL);
}

MAY_YIELD static void
drpc_overwrite_acl(struct engine *eng, struct dss_drpc_call *call)
{
	drpc_change_acl(call, POOL_ACL_OVERWRITE);
}

MAY_YIELD static void
drpc_update_acl(struct engine *eng, struct dss_drpc_call *call)
{
	drpc_change_acl(call, POOL_ACL_UPDATE);
}

MAY_YIELD static void
drpc_delete_acl(struct engine *eng, struct dss_drpc_call *call)
{
	drpc_change_acl(call, POOL_ACL_DELETE);
}

const struct ds_mgmt_drpc_method pool_drpc_methods[] = {
	{DRPC_METHOD_MGMT_POOL_CREATE, drpc_create},
	{DRPC_METHOD_MGMT_POOL_DESTROY, drpc_destroy},
	{DRPC_METHOD_MGMT_POOL_QUERY, drpc_query},
	{DRPC_METHOD_MGMT_POOL_QUERY_TARGETS, drpc_query_tgts},
	{DRPC_METHOD_MGMT_POOL_EVICT, drpc_evict},
	{DRPC_METHOD_MGMT_POOL_SET_PROP, drpc_set_prop},
	{DRPC_METHOD_MGMT_POOL_GET_PROP, drpc_get_prop},
	{DRPC_METHOD_MGMT_POOL_GET_ACL, drpc_get_acl},
	{DRPC_METHOD_MGMT_POOL_OVERWRITE_ACL, drpc_overwrite_acl},
	{DRPC_METHOD_MGMT_POOL_UPDATE_ACL, drpc_update_acl},
	{DRPC_METHOD_MGMT_POOL_DELETE_ACL, drpc_delete_acl},
	{DRPC_METHOD_MGMT_POOL_RANKS, pool_drpc_map_change},
	{0, NULL},
};
