/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/** Pools through the public interface, on one engine and on three in this process. */
#include "testcluster.h"
#include <daos.h>
#include <string.h>
#include "base/prop_table.h"
#include "base/rank_list.h"
#include "pool/pool_internal.h"
#include "platform/platform.h"

struct fixture {
	struct testcluster *tc;
	struct client      *cl;
	uuid_t              pool;
};

static int
start(void **state, uint32_t engine_nr)
{
	struct fixture *f = calloc(1, sizeof(*f));

	assert_non_null(f);
	f->tc = tc_start(&(struct tc_opts){.engine_nr = engine_nr, .tgt_nr = 2});
	tc_pool_create(f->tc, "tank", f->pool);
	f->cl = tc_client_start(f->tc);
	*state = f;
	return 0;
}

static int
start_one(void **state)
{
	return start(state, 1);
}

static int
start_three(void **state)
{
	return start(state, 3);
}

static int
stop(void **state)
{
	struct fixture *f = *state;

	tc_client_stop(f->tc, f->cl);
	tc_stop(f->tc);
	free(f);
	return 0;
}

static daos_handle_t
connect_rw(const char *name)
{
	daos_handle_t poh = DAOS_HDL_INVAL;

	assert_int_equal(daos_pool_connect(name, NULL, DAOS_PC_RW, &poh, NULL, NULL), 0);
	return poh;
}

static void
disconnect(daos_handle_t poh)
{
	assert_int_equal(daos_pool_disconnect(poh, NULL), 0);
}

/* ---- connecting ---- */

static void
connect_by_label_and_uuid(void **state)
{
	struct fixture *f = *state;
	char            text[DAOS_UUID_STR_SIZE];

	disconnect(connect_rw("tank"));
	uuid_unparse_lower(f->pool, text);
	disconnect(connect_rw(text));
}

static void
connect_refuses_wrong_names(void **state)
{
	daos_handle_t poh;

	assert_int_equal(daos_pool_connect("nosuch", NULL, DAOS_PC_RW, &poh, NULL, NULL), -DER_NONEXIST);
	assert_int_equal(daos_pool_connect("11111111-2222-3333-4444-555555555555", NULL, DAOS_PC_RW, &poh, NULL, NULL),
			 -DER_NONEXIST);
	assert_int_equal(daos_pool_connect("not a label", NULL, DAOS_PC_RW, &poh, NULL, NULL), -DER_INVAL);
	assert_int_equal(daos_pool_connect("tank", "other_system", DAOS_PC_RW, &poh, NULL, NULL), -DER_INVAL);
	assert_int_equal(daos_pool_connect("tank", NULL, DAOS_PC_RW | DAOS_PC_RO, &poh, NULL, NULL), -DER_INVAL);
	assert_int_equal(daos_pool_connect("tank", NULL, 0, &poh, NULL, NULL), -DER_INVAL);
}

static void
connect_exclusively(void **state)
{
	daos_handle_t poh = connect_rw("tank"), other;

	assert_int_equal(daos_pool_connect("tank", NULL, DAOS_PC_EX, &other, NULL, NULL), -DER_BUSY);
	disconnect(poh);
	assert_int_equal(daos_pool_connect("tank", NULL, DAOS_PC_EX, &poh, NULL, NULL), 0);
	assert_int_equal(daos_pool_connect("tank", NULL, DAOS_PC_RO, &other, NULL, NULL), -DER_BUSY);
	disconnect(poh);
}

static void
disconnect_twice(void **state)
{
	daos_handle_t poh = connect_rw("tank");

	disconnect(poh);
	assert_int_equal(daos_pool_disconnect(poh, NULL), -DER_NO_HDL);
	assert_int_equal(daos_pool_query(poh, NULL, NULL, NULL, NULL), -DER_NO_HDL);
}

static void
handle_survives_restart(void **state)
{
	struct fixture  *f = *state;
	daos_handle_t    poh = connect_rw("tank");
	daos_pool_info_t info = {.pi_bits = DPI_SPACE};

	tc_engine_stop(f->tc, 0);
	tc_engine_start(f->tc, 0);
	assert_int_equal(daos_pool_query(poh, NULL, &info, NULL, NULL), 0);
	assert_int_equal(info.pi_space.ps_ntargets, info.pi_ntargets);
	disconnect(poh);
}

/* ---- query ---- */

static void
query_tells_space_and_targets(void **state)
{
	struct fixture  *f = *state;
	daos_handle_t    poh = connect_rw("tank");
	daos_pool_info_t info = {.pi_bits = DPI_ALL};
	d_rank_list_t   *ranks = NULL;

	assert_int_equal(daos_pool_query(poh, &ranks, &info, NULL, NULL), 0);
	assert_int_equal(uuid_compare(info.pi_uuid, f->pool), 0);
	assert_int_equal(info.pi_ntargets, 2);
	assert_int_equal(info.pi_nnodes, 1);
	assert_int_equal(info.pi_ndisabled, 0);
	assert_int_equal(info.pi_map_ver, 1);
	assert_int_equal(info.pi_leader, 0);
	assert_int_equal(info.pi_space.ps_ntargets, 2);
	for (int m = 0; m < DAOS_MEDIA_MAX; m++) {
		assert_true(info.pi_space.ps_space.s_total[m] > 0);
		assert_true(info.pi_space.ps_space.s_free[m] <= info.pi_space.ps_space.s_total[m]);
		assert_true(info.pi_space.ps_free_min[m] <= info.pi_space.ps_free_mean[m]);
		assert_true(info.pi_space.ps_free_mean[m] <= info.pi_space.ps_free_max[m]);
	}
	assert_int_equal(ranks->rl_nr, 1);
	d_rank_list_free(ranks);
	disconnect(poh);
}

static void
connect_fills_info(void **state)
{
	daos_pool_info_t info = {.pi_bits = DPI_SPACE};
	daos_handle_t    poh;

	assert_int_equal(daos_pool_connect("tank", NULL, DAOS_PC_RO, &poh, &info, NULL), 0);
	assert_int_equal(info.pi_ntargets, 2);
	assert_int_equal(info.pi_space.ps_ntargets, 2);
	disconnect(poh);
}

static void
query_has_all_properties(void **state)
{
	daos_handle_t poh = connect_rw("tank");
	daos_prop_t  *prop = daos_prop_alloc(0);
	uint32_t      nr;

	(void)prop_table(PROP_POOL, &nr);
	assert_int_equal(daos_pool_query(poh, NULL, NULL, prop, NULL), 0);
	assert_int_equal(prop->dpp_nr, nr);
	assert_string_equal(prop_list_str(prop, DAOS_PROP_PO_LABEL), "tank");
	assert_int_equal(prop_list_num(prop, DAOS_PROP_PO_REDUN_FAC, 99), DAOS_PROP_PO_REDUN_FAC_DEFAULT);
	assert_int_equal(prop_list_num(prop, DAOS_PROP_PO_SPACE_RB, 99), 5);
	assert_non_null(daos_prop_entry_get(prop, DAOS_PROP_PO_ACL)->dpe_val_ptr);
	assert_int_equal(daos_acl_validate(daos_prop_entry_get(prop, DAOS_PROP_PO_ACL)->dpe_val_ptr), 0);
	assert_int_equal(((d_rank_list_t *)daos_prop_entry_get(prop, DAOS_PROP_PO_SVC_LIST)->dpe_val_ptr)->rl_nr, 1);
	daos_prop_free(prop);
	disconnect(poh);
}

static void
query_single_property(void **state)
{
	daos_handle_t poh = connect_rw("tank");
	daos_prop_t  *prop = daos_prop_alloc(1);

	prop->dpp_entries[0].dpe_type = DAOS_PROP_PO_EC_CELL_SZ;
	assert_int_equal(daos_pool_query(poh, NULL, NULL, prop, NULL), 0);
	assert_int_equal(prop->dpp_entries[0].dpe_val, 128 << 10);
	prop->dpp_entries[0].dpe_type = DAOS_PROP_CO_LABEL;
	assert_int_equal(daos_pool_query(poh, NULL, NULL, prop, NULL), -DER_INVAL);
	prop->dpp_entries[0].dpe_type = DAOS_PROP_PO_EC_CELL_SZ;
	daos_prop_free(prop);
	disconnect(poh);
}

/* ---- attributes ---- */

static void
attributes(void **state)
{
	struct fixture   *f = *state;
	daos_handle_t     poh = connect_rw("tank");
	char const *const names[] = {"colour", "depth"};
	void const *const values[] = {"green", "12 m"};
	size_t const      sizes[] = {5, 4};
	char              a[8] = "", b[2] = "", list[64];
	void *const       bufs[] = {a, b};
	size_t            got[] = {sizeof(a), sizeof(b)}, size = sizeof(list);

	assert_int_equal(daos_pool_set_attr(poh, 2, names, values, sizes, NULL), 0);
	tc_engine_stop(f->tc, 0);
	tc_engine_start(f->tc, 0);
	assert_int_equal(daos_pool_get_attr(poh, 2, names, bufs, got, NULL), 0);
	assert_memory_equal(a, "green", 5);
	assert_memory_equal(b, "12", 2);
	assert_int_equal(got[0], 5);
	assert_int_equal(got[1], 4);
	assert_int_equal(daos_pool_list_attr(poh, list, &size, NULL), 0);
	assert_int_equal(size, sizeof("colour") + sizeof("depth"));
	assert_memory_equal(list, "colour\0depth", size);
	size = 0;
	assert_int_equal(daos_pool_list_attr(poh, NULL, &size, NULL), 0);
	assert_int_equal(size, sizeof("colour") + sizeof("depth"));
	assert_int_equal(daos_pool_del_attr(poh, 1, names, NULL), 0);
	assert_int_equal(daos_pool_del_attr(poh, 1, names, NULL), 0);
	assert_int_equal(daos_pool_get_attr(poh, 1, names, bufs, got, NULL), -DER_NONEXIST);
	assert_int_equal(daos_pool_set_attr(poh, 0, names, values, sizes, NULL), -DER_INVAL);
	disconnect(poh);
}

static void
attributes_need_permission(void **state)
{
	daos_handle_t     poh;
	char const *const names[] = {"colour"};
	void const *const values[] = {"green"};
	size_t const      sizes[] = {5};

	assert_int_equal(daos_pool_connect("tank", NULL, DAOS_PC_RO, &poh, NULL, NULL), 0);
	assert_int_equal(daos_pool_set_attr(poh, 1, names, values, sizes, NULL), -DER_NO_PERM);
	disconnect(poh);
}

/* ---- what the control plane does ---- */

/** Run in a ULT of engine 0's system xstream. */
static int
on_engine(struct fixture *f, int (*fn)(void *arg), void *arg)
{
	return dss_ult_execute(tc_engine(f->tc, 0), DSS_TAG_SYS, fn, arg);
}

struct drpc_job {
	struct engine       *eng;
	int32_t              method;
	const void          *req;   /* packed */
	size_t               bytes;
	struct dss_drpc_call call;
};

static MAY_YIELD int
drpc_ult(void *arg)
{
	struct drpc_job *job = arg;

	job->call = (struct dss_drpc_call){.method = job->method, .body = job->req, .body_bytes = job->bytes,
					   .status = -1};
	for (const struct dss_drpc_hdlr *h = dss_module_mgmt.sm_drpc_handlers; h->module != 0; h++)
		h->handler(dss_engine(), &job->call);
	return 0;
}

#include "drpc/drpc.h"
#include "drpc/mgmt.pb-c.h"

/** A dRPC as daos_server sends it; the reply is free()d by protobuf's functions. */
static void *
drpc(struct fixture *f, int32_t method, const ProtobufCMessage *req, const ProtobufCMessageDescriptor *desc)
{
	size_t          bytes = protobuf_c_message_get_packed_size(req);
	uint8_t        *body = malloc(bytes + 1);
	struct drpc_job job = {.method = method, .req = body, .bytes = bytes};
	void           *resp;

	protobuf_c_message_pack(req, body);
	assert_int_equal(on_engine(f, drpc_ult, &job), 0);
	assert_int_equal(job.call.status, DRPC__STATUS__SUCCESS);
	resp = protobuf_c_message_unpack(desc, NULL, job.call.ret_body_bytes, job.call.ret_body);
	assert_non_null(resp);
	free(job.call.ret_body);
	free(body);
	return resp;
}

static void
drpc_malformed_is_refused(void **state)
{
	struct fixture *f = *state;
	struct drpc_job job = {.method = DRPC_METHOD_MGMT_POOL_QUERY, .req = "\xff\xff\xff", .bytes = 3};

	assert_int_equal(on_engine(f, drpc_ult, &job), 0);
	assert_int_equal(job.call.status, DRPC__STATUS__FAILED_UNMARSHAL_PAYLOAD);
	job.method = 9999;
	assert_int_equal(on_engine(f, drpc_ult, &job), 0);
	assert_int_equal(job.call.status, DRPC__STATUS__UNKNOWN_METHOD);
}

static void
drpc_query(void **state)
{
	struct fixture      *f = *state;
	Mgmt__PoolQueryReq   req = MGMT__POOL_QUERY_REQ__INIT;
	Mgmt__PoolQueryResp *resp;
	char                 text[DAOS_UUID_STR_SIZE];
	uint32_t             zero = 0;

	uuid_unparse_lower(f->pool, text);
	req.uuid = text;
	req.svc_ranks = &zero;
	req.n_svc_ranks = 1;
	resp = drpc(f, DRPC_METHOD_MGMT_POOL_QUERY, &req.base, &mgmt__pool_query_resp__descriptor);
	assert_int_equal(resp->status, 0);
	assert_string_equal(resp->label, "tank");
	assert_int_equal(resp->total_targets, 2);
	assert_int_equal(resp->active_targets, 2);
	assert_int_equal(resp->n_tier_stats, 2);
	assert_true(resp->tier_stats[0]->total > 0);
	assert_int_equal(resp->n_enabled_ranks, 1);
	mgmt__pool_query_resp__free_unpacked(resp, NULL);
	req.uuid = "not a uuid";
	resp = drpc(f, DRPC_METHOD_MGMT_POOL_QUERY, &req.base, &mgmt__pool_query_resp__descriptor);
	assert_int_equal(resp->status, -DER_INVAL);
	mgmt__pool_query_resp__free_unpacked(resp, NULL);
	req.uuid = "11111111-2222-3333-4444-555555555555";
	resp = drpc(f, DRPC_METHOD_MGMT_POOL_QUERY, &req.base, &mgmt__pool_query_resp__descriptor);
	assert_int_equal(resp->status, -DER_NONEXIST);
	mgmt__pool_query_resp__free_unpacked(resp, NULL);
}

static void
drpc_query_targets(void **state)
{
	struct fixture            *f = *state;
	Mgmt__PoolQueryTargetReq   req = MGMT__POOL_QUERY_TARGET_REQ__INIT;
	Mgmt__PoolQueryTargetResp *resp;
	char                       text[DAOS_UUID_STR_SIZE];
	uint32_t                   zero = 0, one = 1, two = 2;

	uuid_unparse_lower(f->pool, text);
	req.uuid = text;
	req.svc_ranks = &zero;
	req.n_svc_ranks = 1;
	resp = drpc(f, DRPC_METHOD_MGMT_POOL_QUERY_TARGETS, &req.base, &mgmt__pool_query_target_resp__descriptor);
	assert_int_equal(resp->status, 0);
	assert_int_equal(resp->n_infos, 2); /* no list: all of the rank */
	for (int i = 0; i < 2; i++) {
		assert_int_equal(resp->infos[i]->state, DAOS_TS_UP_IN);
		assert_true(resp->infos[i]->space[0]->total > 0);
	}
	mgmt__pool_query_target_resp__free_unpacked(resp, NULL);
	req.n_targets = 1;
	req.targets = &one;
	resp = drpc(f, DRPC_METHOD_MGMT_POOL_QUERY_TARGETS, &req.base, &mgmt__pool_query_target_resp__descriptor);
	assert_int_equal(resp->status, 0);
	assert_int_equal(resp->n_infos, 1);
	mgmt__pool_query_target_resp__free_unpacked(resp, NULL);
	req.targets = &two;
	resp = drpc(f, DRPC_METHOD_MGMT_POOL_QUERY_TARGETS, &req.base, &mgmt__pool_query_target_resp__descriptor);
	assert_int_equal(resp->status, -DER_NONEXIST);
	mgmt__pool_query_target_resp__free_unpacked(resp, NULL);
	req.n_targets = 0;
	req.rank = 7;
	resp = drpc(f, DRPC_METHOD_MGMT_POOL_QUERY_TARGETS, &req.base, &mgmt__pool_query_target_resp__descriptor);
	assert_int_equal(resp->status, -DER_NONEXIST);
	mgmt__pool_query_target_resp__free_unpacked(resp, NULL);
}

static void
drpc_properties(void **state)
{
	struct fixture        *f = *state;
	Mgmt__PoolProperty     p = MGMT__POOL_PROPERTY__INIT, *ps[] = {&p};
	Mgmt__PoolSetPropReq   set = MGMT__POOL_SET_PROP_REQ__INIT;
	Mgmt__PoolGetPropReq   get = MGMT__POOL_GET_PROP_REQ__INIT;
	Mgmt__PoolGetPropResp *got;
	Mgmt__DaosResp        *resp;
	char                   text[DAOS_UUID_STR_SIZE];
	uint32_t               zero = 0, number = DAOS_PROP_PO_RECLAIM;

	uuid_unparse_lower(f->pool, text);
	set.uuid = get.uuid = text;
	set.svc_ranks = get.svc_ranks = &zero;
	set.n_svc_ranks = get.n_svc_ranks = 1;
	set.properties = ps;
	set.n_properties = 1;
	p.number = number;
	p.value_case = MGMT__POOL_PROPERTY__VALUE_STRVAL;
	p.strval = "time";
	resp = drpc(f, DRPC_METHOD_MGMT_POOL_SET_PROP, &set.base, &mgmt__daos_resp__descriptor);
	assert_int_equal(resp->status, 0);
	mgmt__daos_resp__free_unpacked(resp, NULL);
	get.numbers = &number;
	get.n_numbers = 1;
	got = drpc(f, DRPC_METHOD_MGMT_POOL_GET_PROP, &get.base, &mgmt__pool_get_prop_resp__descriptor);
	assert_int_equal(got->status, 0);
	assert_int_equal(got->n_properties, 1);
	assert_int_equal(got->properties[0]->numval, DAOS_RECLAIM_TIME);
	mgmt__pool_get_prop_resp__free_unpacked(got, NULL);
	p.strval = "nonsense";
	resp = drpc(f, DRPC_METHOD_MGMT_POOL_SET_PROP, &set.base, &mgmt__daos_resp__descriptor);
	assert_int_equal(resp->status, -DER_INVAL);
	mgmt__daos_resp__free_unpacked(resp, NULL);
	p.number = DAOS_PROP_PO_GLOBAL_VERSION; /* the service's own */
	p.value_case = MGMT__POOL_PROPERTY__VALUE_NUMVAL;
	p.numval = 7;
	resp = drpc(f, DRPC_METHOD_MGMT_POOL_SET_PROP, &set.base, &mgmt__daos_resp__descriptor);
	assert_int_equal(resp->status, -DER_NO_PERM);
	mgmt__daos_resp__free_unpacked(resp, NULL);
	get.n_numbers = 0;
	got = drpc(f, DRPC_METHOD_MGMT_POOL_GET_PROP, &get.base, &mgmt__pool_get_prop_resp__descriptor);
	assert_int_equal(got->n_properties, DAOS_PROP_PO_NUM);
	mgmt__pool_get_prop_resp__free_unpacked(got, NULL);
}

static Mgmt__AclResp *
acl_call(struct fixture *f, int32_t method, char **entries, size_t nr, char *principal)
{
	Mgmt__AclReq req = MGMT__ACL_REQ__INIT;
	char         text[DAOS_UUID_STR_SIZE];
	uint32_t     zero = 0;

	uuid_unparse_lower(f->pool, text);
	req.uuid = text;
	req.svc_ranks = &zero;
	req.n_svc_ranks = 1;
	req.entries = entries;
	req.n_entries = nr;
	req.principal = principal != NULL ? principal : "";
	return drpc(f, method, &req.base, &mgmt__acl_resp__descriptor);
}

static void
acl_takes_and_gives_permission(void **state)
{
	struct fixture *f = *state;
	char           *nobody[] = {"A::OWNER@:rw", "A::EVERYONE@:"};
	char           *all[] = {"A::EVERYONE@:rw"};
	char           *only_containers[] = {"A::OWNER@:rwT"};
	Mgmt__AclResp  *resp;
	daos_handle_t   poh;

	resp = acl_call(f, DRPC_METHOD_MGMT_POOL_GET_ACL, NULL, 0, NULL);
	assert_int_equal(resp->status, 0);
	assert_int_equal(resp->n_entries, 2);
	assert_string_equal(resp->entries[0], "A::OWNER@:rw");
	mgmt__acl_resp__free_unpacked(resp, NULL);
	resp = acl_call(f, DRPC_METHOD_MGMT_POOL_OVERWRITE_ACL, nobody, 2, NULL);
	assert_int_equal(resp->status, 0);
	mgmt__acl_resp__free_unpacked(resp, NULL);
	resp = acl_call(f, DRPC_METHOD_MGMT_POOL_DELETE_ACL, NULL, 0, "OWNER@");
	assert_int_equal(resp->status, 0);
	assert_int_equal(resp->n_entries, 1);
	mgmt__acl_resp__free_unpacked(resp, NULL);
	assert_int_equal(daos_pool_connect("tank", NULL, DAOS_PC_RO, &poh, NULL, NULL), -DER_NO_PERM);
	resp = acl_call(f, DRPC_METHOD_MGMT_POOL_UPDATE_ACL, all, 1, NULL);
	assert_int_equal(resp->status, 0);
	assert_int_equal(resp->n_entries, 1);
	assert_string_equal(resp->entries[0], "A::EVERYONE@:rw");
	mgmt__acl_resp__free_unpacked(resp, NULL);
	disconnect(connect_rw("tank"));
	resp = acl_call(f, DRPC_METHOD_MGMT_POOL_OVERWRITE_ACL, only_containers, 1, NULL);
	assert_int_equal(resp->status, -DER_INVAL); /* T means nothing for a pool */
	mgmt__acl_resp__free_unpacked(resp, NULL);
	resp = acl_call(f, DRPC_METHOD_MGMT_POOL_DELETE_ACL, NULL, 0, "u:nobody@");
	assert_int_equal(resp->status, -DER_NONEXIST);
	mgmt__acl_resp__free_unpacked(resp, NULL);
}

static void
evict_closes_handles(void **state)
{
	struct fixture      *f = *state;
	daos_handle_t        poh = connect_rw("tank"), other = connect_rw("tank");
	Mgmt__PoolReq        req = MGMT__POOL_REQ__INIT;
	Mgmt__PoolEvictResp *resp;
	char                 text[DAOS_UUID_STR_SIZE];
	uint32_t             zero = 0;

	uuid_unparse_lower(f->pool, text);
	req.uuid = text;
	req.svc_ranks = &zero;
	req.n_svc_ranks = 1;
	resp = drpc(f, DRPC_METHOD_MGMT_POOL_EVICT, &req.base, &mgmt__pool_evict_resp__descriptor);
	assert_int_equal(resp->status, 0);
	assert_int_equal(resp->count, 2);
	mgmt__pool_evict_resp__free_unpacked(resp, NULL);
	assert_int_equal(daos_pool_query(poh, NULL, NULL, NULL, NULL), -DER_NO_HDL);
	disconnect(poh);
	disconnect(other);
}

/* ---- creating and destroying ---- */

struct create_job {
	struct pool_create_req req;
	bool                   force, recursive;
};

static MAY_YIELD int
create_ult(void *arg)
{
	return pool_create(dss_engine(), &((struct create_job *)arg)->req);
}

static MAY_YIELD int
destroy_ult(void *arg)
{
	struct create_job *job = arg;

	return pool_destroy(dss_engine(), job->req.uuid, job->req.ranks, job->req.svc_ranks, job->force, job->recursive);
}

static void
free_space(struct fixture *f, uint64_t *ret_meta, uint64_t *ret_data)
{
	uint64_t total[2];

	dss_dev_space(tc_engine(f->tc, 0), &total[0], ret_meta, &total[1], ret_data);
}

static void
create_without_room_leaves_nothing(void **state)
{
	struct fixture   *f = *state;
	d_rank_t          zero = 0;
	d_rank_list_t     ranks = {.rl_ranks = &zero, .rl_nr = 1};
	struct create_job job = {.req = {.ranks = &ranks, .svc_ranks = &ranks, .tgts_per_rank = 2,
					 .meta_bytes = 64ull << 20, .data_bytes = 1ull << 40}};
	uint64_t          before[2], after[2];

	plat_uuid_generate(job.req.uuid);
	free_space(f, &before[0], &before[1]);
	assert_int_equal(on_engine(f, create_ult, &job), -DER_NOSPACE);
	assert_true(strlen(job.req.message) > 0);
	free_space(f, &after[0], &after[1]);
	assert_int_equal(before[0], after[0]);
	assert_int_equal(before[1], after[1]);
	assert_null(ds_pool_lookup(tc_engine(f->tc, 0), job.req.uuid));
}

struct race {
	uuid_t uuid;
	bool   begun;
	int    rc;
};

static MAY_YIELD void
make_shards(void *arg)
{
	struct vos_pool_size size = {.meta_bytes = 32ull << 20};
	struct race         *race = arg;

	race->begun = true;
	race->rc = pool_tgts_create(dss_engine(), race->uuid, 2, &size);
}

/** A creation is under way when all pools are stopped. */
static MAY_YIELD int
race_ult(void *arg)
{
	struct race *race = arg;
	struct ult  *ult;
	int          rc = ult_create(NULL, ULT_POOL_GENERIC, make_shards, race, 0, &ult);

	while (rc == 0 && !race->begun)
		ult_yield();
	if (rc != 0)
		return rc;
	pool_stop_all(dss_engine());
	ult_join(ult);
	return pool_start(dss_engine(), race->uuid, 2);
}

static void
no_pool_starts_after_the_last_stop(void **state)
{
	struct fixture *f = *state;
	struct race     race = {0};

	plat_uuid_generate(race.uuid);
	assert_int_equal(on_engine(f, race_ult, &race), -DER_SHUTDOWN);
	assert_true(race.rc == 0 || race.rc == -DER_SHUTDOWN);
	assert_null(ds_pool_lookup(tc_engine(f->tc, 0), race.uuid));
}

static void
create_checks_its_request(void **state)
{
	struct fixture   *f = *state;
	d_rank_t          zero = 0, five = 5;
	d_rank_list_t     ranks = {.rl_ranks = &zero, .rl_nr = 1}, other = {.rl_ranks = &five, .rl_nr = 1};
	struct create_job job = {.req = {.ranks = &ranks, .svc_ranks = &other, .tgts_per_rank = 2,
					 .meta_bytes = 64ull << 20}};

	assert_int_equal(on_engine(f, create_ult, &job), -DER_INVAL);
	plat_uuid_generate(job.req.uuid);
	assert_int_equal(on_engine(f, create_ult, &job), -DER_INVAL);
	job.req.svc_ranks = &ranks;
	job.req.tgts_per_rank = 100;
	assert_int_equal(on_engine(f, create_ult, &job), -DER_INVAL);
	uuid_copy(job.req.uuid, f->pool);
	job.req.tgts_per_rank = 2;
	assert_int_equal(on_engine(f, create_ult, &job), -DER_EXIST);
	disconnect(connect_rw("tank")); /* unharmed */
}

static void
destroy_refuses_what_is_in_use(void **state)
{
	struct fixture   *f = *state;
	d_rank_t          zero = 0;
	d_rank_list_t     ranks = {.rl_ranks = &zero, .rl_nr = 1};
	struct create_job job = {.req = {.ranks = &ranks, .svc_ranks = &ranks}};
	daos_handle_t     poh = connect_rw("tank");
	uint64_t          before[2], after[2];

	free_space(f, &before[0], &before[1]);
	uuid_copy(job.req.uuid, f->pool);
	assert_int_equal(on_engine(f, destroy_ult, &job), -DER_BUSY);
	assert_int_equal(daos_cont_create_with_label(poh, "box", NULL, NULL, NULL), 0);
	job.force = true;
	assert_int_equal(on_engine(f, destroy_ult, &job), -DER_BUSY);
	job.recursive = true;
	assert_int_equal(on_engine(f, destroy_ult, &job), 0);
	assert_int_equal(on_engine(f, destroy_ult, &job), 0); /* repeated */
	free_space(f, &after[0], &after[1]);
	assert_true(after[0] > before[0]);
	assert_int_equal(daos_pool_query(poh, NULL, NULL, NULL, NULL), -DER_NONEXIST);
	disconnect(poh);
	assert_null(ds_pool_lookup(tc_engine(f->tc, 0), f->pool));
}

/* ---- three engines ---- */

static void
three_engines_are_one_pool(void **state)
{
	struct fixture  *f = *state;
	daos_handle_t    poh = connect_rw("tank");
	daos_pool_info_t info = {.pi_bits = DPI_SPACE};
	d_rank_list_t   *ranks = NULL;

	assert_int_equal(daos_pool_query(poh, &ranks, &info, NULL, NULL), 0);
	assert_int_equal(info.pi_ntargets, 6);
	assert_int_equal(info.pi_nnodes, 3);
	assert_int_equal(info.pi_space.ps_ntargets, 6);
	assert_int_equal(ranks->rl_nr, 3);
	d_rank_list_free(ranks);
	for (d_rank_t r = 0; r < 3; r++) {
		struct ds_pool *pool = ds_pool_lookup(tc_engine(f->tc, r), f->pool);

		assert_non_null(pool);
		assert_int_equal(pool->sp_map_version, 1);
		ds_pool_put(pool);
	}
	disconnect(poh);
}

static void
three_engines_one_away(void **state)
{
	struct fixture  *f = *state;
	daos_handle_t    poh = connect_rw("tank");
	daos_pool_info_t info = {.pi_bits = DPI_SPACE};

	tc_engine_stop(f->tc, 2);
	assert_int_equal(daos_pool_query(poh, NULL, &info, NULL, NULL), 0);
	assert_int_equal(info.pi_space.ps_ntargets, 4);
	tc_engine_start(f->tc, 2);
	assert_int_equal(daos_pool_query(poh, NULL, &info, NULL, NULL), 0);
	assert_int_equal(info.pi_space.ps_ntargets, 6);
	disconnect(poh);
}

static void
three_engines_all_restart(void **state)
{
	struct fixture  *f = *state;
	daos_handle_t    poh = connect_rw("tank");
	daos_pool_info_t info = {.pi_bits = DPI_SPACE};

	for (d_rank_t r = 0; r < 3; r++)
		tc_engine_stop(f->tc, r);
	for (d_rank_t r = 0; r < 3; r++)
		tc_engine_start(f->tc, r);
	assert_int_equal(daos_pool_query(poh, NULL, &info, NULL, NULL), 0);
	assert_int_equal(info.pi_space.ps_ntargets, 6);
	disconnect(poh);
}

#define ONE(fn)   cmocka_unit_test_setup_teardown(fn, start_one, stop)
#define THREE(fn) cmocka_unit_test_setup_teardown(fn, start_three, stop)

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    ONE(connect_by_label_and_uuid),
	    ONE(connect_refuses_wrong_names),
	    ONE(connect_exclusively),
	    ONE(disconnect_twice),
	    ONE(handle_survives_restart),
	    ONE(query_tells_space_and_targets),
	    ONE(connect_fills_info),
	    ONE(query_has_all_properties),
	    ONE(query_single_property),
	    ONE(attributes),
	    ONE(attributes_need_permission),
	    ONE(drpc_malformed_is_refused),
	    ONE(drpc_query),
	    ONE(drpc_query_targets),
	    ONE(drpc_properties),
	    ONE(acl_takes_and_gives_permission),
	    ONE(evict_closes_handles),
	    ONE(create_without_room_leaves_nothing), ONE(no_pool_starts_after_the_last_stop),
	    ONE(create_checks_its_request),
	    ONE(destroy_refuses_what_is_in_use),
	    THREE(three_engines_are_one_pool),
	    THREE(three_engines_one_away),
	    THREE(three_engines_all_restart),
	};

	return cmocka_run_group_tests_name("pool service", tests, NULL, NULL);
}
