/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/** The management module: dRPC methods about the engine, the group map, finding pools, credentials. */
#include "engine_testlib.h"
#include <string.h>
#include <daos_errno.h>
#include "base/log.h"
#include "base/rank_list.h"
#include "drpc/auth.pb-c.h"
#include "drpc/drpc.h"
#include "drpc/mgmt.pb-c.h"
#include "mgmt/mgmt_engine_client.h"
#include "mgmt/mgmt_rpc.h"
#include "mgmt/mgmt_server.h"

static const struct dss_module *const modules[] = {&dss_module_mgmt, NULL};

struct fixture {
	struct et_world w;
};

static int
start(void **state, uint32_t nr)
{
	struct fixture *f = calloc(1, sizeof(*f));
	struct et_opts  opts = {.tgt_nr = 1, .modules = modules};

	assert_non_null(f);
	et_world_init(&f->w);
	for (uint32_t i = 0; i < nr; i++)
		et_start(&f->w, i, &opts);
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

	for (uint32_t i = 0; i < f->w.eng_nr; i++)
		et_stop(&f->w, i);
	et_world_fini(&f->w);
	free(f);
	return 0;
}

struct job {
	struct dss_drpc_call call;
};

static MAY_YIELD int
call_ult(void *arg)
{
	struct job *job = arg;

	dss_module_mgmt.sm_drpc_handlers[0].handler(dss_engine(), &job->call);
	return 0;
}

/** Returns the dRPC status; the unpacked reply in @ret_resp. */
static int
call(struct engine *eng, int32_t method, const ProtobufCMessage *req, const ProtobufCMessageDescriptor *desc, void **ret_resp)
{
	uint8_t    body[4096];
	size_t     bytes = req == NULL ? 0 : protobuf_c_message_pack(req, body);
	struct job job = {.call = {.method = method, .body = body, .body_bytes = bytes, .status = -1}};

	assert_int_equal(et_run(eng, DSS_TAG_SYS, call_ult, &job), 0);
	if (job.call.status == DRPC__STATUS__SUCCESS) {
		*ret_resp = protobuf_c_message_unpack(desc, NULL, job.call.ret_body_bytes, job.call.ret_body);
		assert_non_null(*ret_resp);
	}
	free(job.call.ret_body);
	return job.call.status;
}

static int
call_status(struct engine *eng, int32_t method, const ProtobufCMessage *req)
{
	void *resp = NULL;
	int   rc;

	assert_int_equal(call(eng, method, req, &mgmt__daos_resp__descriptor, &resp), DRPC__STATUS__SUCCESS);
	rc = ((Mgmt__DaosResp *)resp)->status;
	protobuf_c_message_free_unpacked(resp, NULL);
	return rc;
}

static void
rank_is_set_once(void **state)
{
	struct fixture   *f = *state;
	Mgmt__SetRankReq  req = MGMT__SET_RANK_REQ__INIT;
	Mgmt__PingRankReq ping = MGMT__PING_RANK_REQ__INIT;

	req.rank = crt_rank_self(dss_crt(f->w.engs[0]));
	assert_int_equal(call_status(f->w.engs[0], DRPC_METHOD_MGMT_SET_RANK, &req.base), 0);
	ping.rank = req.rank;
	assert_int_equal(call_status(f->w.engs[0], DRPC_METHOD_MGMT_PING_RANK, &ping.base), 0);
	req.rank += 1;
	assert_int_equal(call_status(f->w.engs[0], DRPC_METHOD_MGMT_SET_RANK, &req.base), -DER_ALREADY);
	ping.rank = req.rank;
	assert_int_equal(call_status(f->w.engs[0], DRPC_METHOD_MGMT_PING_RANK, &ping.base), -DER_INVAL);
}

static void
set_up_may_be_repeated(void **state)
{
	struct fixture        *f = *state;
	Mgmt__PrepShutdownReq  prep = MGMT__PREP_SHUTDOWN_REQ__INIT;

	assert_int_equal(call_status(f->w.engs[0], DRPC_METHOD_MGMT_SET_UP, NULL), 0);
	assert_int_equal(call_status(f->w.engs[0], DRPC_METHOD_MGMT_SET_UP, NULL), 0);
	prep.rank = crt_rank_self(dss_crt(f->w.engs[0]));
	assert_int_equal(call_status(f->w.engs[0], DRPC_METHOD_MGMT_PREP_SHUTDOWN, &prep.base), 0);
}

static void
malformed_and_unknown(void **state)
{
	struct fixture *f = *state;
	struct job      job = {.call = {.method = DRPC_METHOD_MGMT_SET_RANK, .body = "\xff\xff", .body_bytes = 2}};

	assert_int_equal(et_run(f->w.engs[0], DSS_TAG_SYS, call_ult, &job), 0);
	assert_int_equal(job.call.status, DRPC__STATUS__FAILED_UNMARSHAL_PAYLOAD);
	job.call.method = 4711;
	assert_int_equal(et_run(f->w.engs[0], DSS_TAG_SYS, call_ult, &job), 0);
	assert_int_equal(job.call.status, DRPC__STATUS__UNKNOWN_METHOD);
}

static void
log_masks(void **state)
{
	struct fixture         *f = *state;
	Mgmt__SetLogMasksReq    req = MGMT__SET_LOG_MASKS_REQ__INIT;
	Mgmt__SetLogMasksResp  *resp;
	void                   *msg;
	char                    before[512];

	d_log_getmasks(before, sizeof(before));
	req.masks = "ERR,mgmt=WARN";
	assert_int_equal(call(f->w.engs[0], DRPC_METHOD_MGMT_SET_LOG_MASKS, &req.base,
			      &mgmt__set_log_masks_resp__descriptor, &msg), DRPC__STATUS__SUCCESS);
	resp = msg;
	assert_int_equal(resp->status, 0);
	assert_non_null(strstr(resp->masks, "mgmt"));
	mgmt__set_log_masks_resp__free_unpacked(resp, NULL);
	assert_int_equal(d_log_level[LOG_FAC_MGMT], LOG_PRIO_WARN);
	req.masks = "=,=nonsense==";
	assert_int_equal(call(f->w.engs[0], DRPC_METHOD_MGMT_SET_LOG_MASKS, &req.base,
			      &mgmt__set_log_masks_resp__descriptor, &msg), DRPC__STATUS__SUCCESS);
	resp = msg;
	assert_int_equal(resp->status, -DER_INVAL);
	mgmt__set_log_masks_resp__free_unpacked(resp, NULL);
	assert_int_equal(d_log_setmasks(before), 0);
}

static void
devices_of_a_volatile_engine(void **state)
{
	struct fixture    *f = *state;
	Mgmt__SetFaultyReq req = MGMT__SET_FAULTY_REQ__INIT;
	void              *msg;

	assert_int_equal(call(f->w.engs[0], DRPC_METHOD_MGMT_SMD_LIST_DEVS, NULL, &mgmt__storage_query_resp__descriptor, &msg),
			 DRPC__STATUS__SUCCESS);
	assert_int_equal(((Mgmt__StorageQueryResp *)msg)->status, 0);
	assert_int_equal(((Mgmt__StorageQueryResp *)msg)->n_devices, 0);
	protobuf_c_message_free_unpacked(msg, NULL);
	req.uuid = "1c9e3f6a-0d0c-4f45-9a53-5a4d2a7f3a11";
	assert_int_equal(call_status(f->w.engs[0], DRPC_METHOD_MGMT_DEV_SET_FAULTY, &req.base), -DER_NONEXIST);
	req.uuid = "gibberish";
	assert_int_equal(call_status(f->w.engs[0], DRPC_METHOD_MGMT_DEV_SET_FAULTY, &req.base), -DER_INVAL);
}

static void
group_map_reaches_all(void **state)
{
	struct fixture      *f = *state;
	Mgmt__GroupUpdateReq req = MGMT__GROUP_UPDATE_REQ__INIT;
	Mgmt__GroupMember    m[3], *ms[3];
	char                 uris[3][256];
	uint32_t             version;

	et_group(&f->w);
	version = crt_group_version(dss_crt(f->w.engs[0])) + 10;
	for (int i = 0; i < 3; i++) {
		mgmt__group_member__init(&m[i]);
		assert_int_equal(crt_group_uri(dss_crt(f->w.engs[0]), i, uris[i], sizeof(uris[i])), 0);
		m[i].rank = i;
		m[i].uri = uris[i];
		ms[i] = &m[i];
	}
	req.map_version = version;
	req.members = ms;
	req.n_members = 3;
	req.distribute = true;
	assert_int_equal(call_status(f->w.engs[0], DRPC_METHOD_MGMT_GROUP_UPDATE, &req.base), 0);
	for (int i = 0; i < 3; i++)
		assert_int_equal(crt_group_version(dss_crt(f->w.engs[i])), version);
	req.map_version = version - 1; /* an older one changes nothing */
	req.n_members = 1;
	assert_int_equal(call_status(f->w.engs[0], DRPC_METHOD_MGMT_GROUP_UPDATE, &req.base), 0);
	assert_int_equal(crt_group_version(dss_crt(f->w.engs[0])), version);
	assert_int_equal(crt_group_size(dss_crt(f->w.engs[0])), 3);
}

/* ---- finding pools ---- */

static const unsigned char the_pool[16] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16};

static MAY_YIELD int
test_by_uuid(struct engine *eng, void *arg, const uuid_t pool, d_rank_list_t **ret_ranks)
{
	return uuid_compare(pool, the_pool) != 0 ? -DER_NONEXIST : d_rank_list_parse("1,4", ret_ranks);
}

static MAY_YIELD int
test_by_label(struct engine *eng, void *arg, const char *label, uuid_t ret_pool, d_rank_list_t **ret_ranks)
{
	if (strcmp(label, arg) != 0)
		return -DER_NONEXIST;
	uuid_copy(ret_pool, the_pool);
	return d_rank_list_parse("1,4", ret_ranks);
}

static const struct ds_mgmt_resolver test_resolver = {.svc_by_uuid = test_by_uuid, .svc_by_label = test_by_label};

static MAY_YIELD int
open_client(void *arg)
{
	struct client *cl;

	return ds_mgmt_client_open(dss_engine(), NULL, 0, &cl);
}

static void
client_needs_set_up_and_a_name(void **state)
{
	struct fixture *f = *state;
	struct engine  *eng = f->w.engs[0];

	et_group(&f->w);
	assert_int_equal(et_run(eng, DSS_TAG_SYS, open_client, NULL), -DER_UNINIT);
	assert_int_equal(call_status(eng, DRPC_METHOD_MGMT_SET_UP, NULL), 0);
	ds_mgmt_set_resolver(eng, &test_resolver, NULL); /* it cannot say who the engine is */
	assert_int_equal(et_run(eng, DSS_TAG_SYS, open_client, NULL), -DER_NOSYS);
}

static int
find(struct et_client *c, const char *label, const unsigned char *uuid)
{
	crt_endpoint_t             ep = {.ep_rank = 0, .ep_tag = DSS_TAG_SYS};
	struct mgmt_pool_find_in  *in;
	struct mgmt_pool_find_out *out;
	crt_rpc_t                 *rpc;
	int                        rc;

	assert_int_equal(crt_req_create(c->ctx, &ep, MGMT_OPC(MGMT_POOL_FIND), &rpc), 0);
	in = rpc->cr_input;
	in->label = (char *)label;
	if (uuid != NULL)
		uuid_copy(in->pool.b, uuid);
	assert_int_equal(et_call(c, rpc), 0);
	out = rpc->cr_output;
	rc = out->rc;
	if (rc == 0) {
		assert_int_equal(uuid_compare(out->pool.b, the_pool), 0);
		assert_int_equal(out->svc_ranks->rl_nr, 2);
		assert_int_equal(out->svc_ranks->rl_ranks[1], 4);
	}
	crt_req_decref(rpc);
	return rc;
}

static void
pools_are_found(void **state)
{
	struct fixture  *f = *state;
	struct et_client c;
	uuid_t           other = {0};

	ds_mgmt_set_resolver(f->w.engs[0], &test_resolver, "tank");
	et_group(&f->w);
	et_client_init(&c, &f->w);
	assert_int_equal(crt_proto_register(c.crt, &mgmt_proto_client), 0);
	assert_int_equal(find(&c, "tank", NULL), 0);
	assert_int_equal(find(&c, NULL, the_pool), 0);
	assert_int_equal(find(&c, "", the_pool), 0);
	assert_int_equal(find(&c, "other", NULL), -DER_NONEXIST);
	assert_int_equal(find(&c, NULL, other), -DER_NONEXIST);
	et_client_fini(&c);
}

static void
clients_cannot_change_the_group(void **state)
{
	struct fixture  *f = *state;
	struct et_client c;
	crt_endpoint_t   ep = {.ep_rank = 0, .ep_tag = DSS_TAG_SYS};
	crt_rpc_t       *rpc;
	uint32_t         version;

	et_group(&f->w);
	version = crt_group_version(dss_crt(f->w.engs[0]));
	et_client_init(&c, &f->w);
	assert_int_equal(crt_proto_register(c.crt, &mgmt_proto_client), 0);
	assert_int_equal(crt_req_create(c.ctx, &ep, MGMT_OPC(MGMT_TGT_MAP_UPDATE), &rpc), 0);
	((struct mgmt_tgt_map_update_in *)rpc->cr_input)->version = version + 5;
	assert_int_equal(et_call(&c, rpc), 0);
	assert_int_equal(((struct mgmt_tgt_map_update_out *)rpc->cr_output)->rc, -DER_NO_PERM);
	crt_req_decref(rpc);
	assert_int_equal(crt_group_version(dss_crt(f->w.engs[0])), version);
	et_client_fini(&c);
}

/* ---- credentials ---- */

static void
identity_in_a_credential(void **state)
{
	Auth__Credential  cred = AUTH__CREDENTIAL__INIT;
	Auth__Token       token = AUTH__TOKEN__INIT;
	Auth__Sys         sys = AUTH__SYS__INIT;
	struct sec_ident *ident = NULL;
	char             *groups[] = {"a@", "b@"};
	uint8_t           packed[256], body[512];
	size_t            bytes;

	sys.user = "alice@";
	sys.group = "staff@";
	sys.groups = groups;
	sys.n_groups = 2;
	token.flavor = AUTH__FLAVOR__AUTH_SYS;
	token.data.data = packed;
	token.data.len = auth__sys__pack(&sys, packed);
	cred.token = &token;
	bytes = auth__credential__pack(&cred, body);
	assert_int_equal(mgmt_cred_ident(body, bytes, &ident), 0);
	assert_string_equal(ident->user, "alice@");
	assert_string_equal(ident->groups[1], "b@");
	free(ident);
	ident = NULL;
	token.flavor = AUTH__FLAVOR__AUTH_NONE;
	bytes = auth__credential__pack(&cred, body);
	assert_int_equal(mgmt_cred_ident(body, bytes, &ident), -DER_NO_PERM);
	assert_int_equal(mgmt_cred_ident("\xff\xff\xff", 3, &ident), -DER_INVAL);
	assert_int_equal(mgmt_cred_ident(NULL, 0, &ident), -DER_NO_PERM);
	assert_null(ident);
}

#define ONE(fn)   cmocka_unit_test_setup_teardown(fn, start_one, stop)
#define THREE(fn) cmocka_unit_test_setup_teardown(fn, start_three, stop)

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    ONE(rank_is_set_once),
	    ONE(set_up_may_be_repeated),
	    ONE(client_needs_set_up_and_a_name),
	    ONE(malformed_and_unknown),
	    ONE(log_masks),
	    ONE(devices_of_a_volatile_engine),
	    ONE(pools_are_found),
	    ONE(clients_cannot_change_the_group),
	    THREE(group_map_reaches_all),
	    cmocka_unit_test(identity_in_a_credential),
	};

	return cmocka_run_group_tests_name("mgmt", tests, NULL, NULL);
}
