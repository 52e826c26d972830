/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/** Questions to daos_server, over its dRPC socket; and what a credential says. */
#define D_LOGFAC LOG_FAC_MGMT
#include <daos_errno.h>
#include "base/log.h"
#include "base/rank_list.h"
#include "drpc/auth.pb-c.h"
#include "drpc/drpc.h"
#include "drpc/mgmt.pb-c.h"
#include "mgmt/mgmt_internal.h"

/** Pack @req, call, unpack the reply as @desc. @ret_msg: protobuf_c_message_free_unpacked(). */
MAY_YIELD static int
upcall(struct engine *eng, int32_t module, int32_t method, const ProtobufCMessage *req,
       const ProtobufCMessageDescriptor *desc, void **ret_msg)
{
	size_t            bytes = protobuf_c_message_get_packed_size(req), reply_bytes;
	uint8_t          *body = malloc(bytes > 0 ? bytes : 1);
	void             *reply;
	ProtobufCMessage *msg;
	int               rc;

	if (body == NULL)
		return -DER_NOMEM;
	protobuf_c_message_pack(req, body);
	rc = dss_drpc_upcall(eng, module, method, body, bytes, &reply, &reply_bytes);
	free(body);
	if (rc != 0) {
		D_ERROR("asking daos_server (%s): " DF_RC, drpc_method_name(method), DP_RC(rc));
		return rc;
	}
	msg = protobuf_c_message_unpack(desc, NULL, reply_bytes, reply);
	free(reply);
	if (msg == NULL)
		return -DER_PROTO;
	*ret_msg = msg;
	return 0;
}

/** Take what a GetPoolSvcResp says. */
static int
take_svc(const Mgmt__GetPoolSvcResp *resp, uuid_t ret_pool, d_rank_list_t **ret_ranks)
{
	d_rank_list_t *ranks;

	if (resp->status != 0)
		return resp->status;
	if (ret_pool != NULL && uuid_parse(resp->uuid, ret_pool) != 0)
		return -DER_PROTO;
	ranks = d_rank_list_alloc(resp->n_svc_reps);
	if (ranks == NULL)
		return -DER_NOMEM;
	for (size_t i = 0; i < resp->n_svc_reps; i++)
		ranks->rl_ranks[i] = resp->svc_reps[i];
	*ret_ranks = ranks;
	return 0;
}

MAY_YIELD static int
up_svc_by_uuid(struct engine *eng, void *arg, const uuid_t pool, d_rank_list_t **ret_ranks)
{
	Mgmt__GetPoolSvcReq req = MGMT__GET_POOL_SVC_REQ__INIT;
	char                text[DAOS_UUID_STR_SIZE];
	void               *resp;
	int                 rc;

	uuid_unparse_lower(pool, text);
	req.uuid = text;
	rc = upcall(eng, DRPC_MODULE_SRV, DRPC_METHOD_SRV_GET_POOL_SVC, &req.base, &mgmt__get_pool_svc_resp__descriptor,
		    &resp);
	if (rc != 0)
		return rc;
	rc = take_svc(resp, NULL, ret_ranks);
	protobuf_c_message_free_unpacked(resp, NULL);
	return rc;
}

MAY_YIELD static int
up_svc_by_label(struct engine *eng, void *arg, const char *label, uuid_t ret_pool, d_rank_list_t **ret_ranks)
{
	Mgmt__PoolFindByLabelReq req = MGMT__POOL_FIND_BY_LABEL_REQ__INIT;
	void                    *resp;
	int                      rc;

	req.label = (char *)label;
	rc = upcall(eng, DRPC_MODULE_SRV, DRPC_METHOD_SRV_POOL_FIND_BYLABEL, &req.base,
		    &mgmt__get_pool_svc_resp__descriptor, &resp);
	if (rc != 0)
		return rc;
	rc = take_svc(resp, ret_pool, ret_ranks);
	protobuf_c_message_free_unpacked(resp, NULL);
	return rc;
}

/** What a token says. AUTH_NONE: nobody in particular. */
static int
token_ident(const Auth__Token *token, struct sec_ident **ret_ident)
{
	struct sec_ident  ident = {0};
	ProtobufCMessage *msg;
	Auth__Sys        *sys;
	int               rc;

	if (token == NULL || token->flavor != AUTH__FLAVOR__AUTH_SYS)
		return -DER_NO_PERM;
	rc = drpc_unpack(&auth__sys__descriptor, token->data.data, token->data.len, &msg);
	if (rc != 0)
		return rc;
	sys = (Auth__Sys *)msg;
	ident.user = sys->user;
	ident.group = sys->group;
	ident.groups = sys->groups;
	ident.group_nr = sys->n_groups;
	ident.machine = sys->machinename;
	rc = sec_ident_dup(&ident, ret_ident);
	auth__sys__free_unpacked(sys, NULL);
	return rc;
}

int
mgmt_cred_ident(const void *cred, size_t cred_bytes, struct sec_ident **ret_ident)
{
	ProtobufCMessage *msg;
	int               rc = drpc_unpack(&auth__credential__descriptor, cred, cred_bytes, &msg);

	if (rc != 0)
		return rc;
	rc = token_ident(((Auth__Credential *)msg)->token, ret_ident);
	protobuf_c_message_free_unpacked(msg, NULL);
	return rc;
}

MAY_YIELD static int
up_check_cred(struct engine *eng, void *arg, const void *cred, size_t cred_bytes, struct sec_ident **ret_ident)
{
	Auth__ValidateCredReq   req = AUTH__VALIDATE_CRED_REQ__INIT;
	Auth__ValidateCredResp *resp;
	ProtobufCMessage       *given;
	void                   *msg;
	int                     rc = drpc_unpack(&auth__credential__descriptor, cred, cred_bytes, &given);

	if (rc != 0)
		return rc;
	req.cred = (Auth__Credential *)given;
	rc = upcall(eng, DRPC_MODULE_SEC, DRPC_METHOD_SEC_VALIDATE_CREDS, &req.base,
		    &auth__validate_cred_resp__descriptor, &msg);
	protobuf_c_message_free_unpacked(given, NULL);
	if (rc != 0)
		return rc;
	resp = msg;
	rc = resp->status != 0 ? resp->status : token_ident(resp->token, ret_ident);
	protobuf_c_message_free_unpacked(msg, NULL);
	return rc;
}

static int
pack_cred(const Auth__Credential *cred, d_iov_t *ret_cred)
{
	size_t bytes = auth__credential__get_packed_size(cred);
	void  *buf = malloc(bytes > 0 ? bytes : 1);

	if (buf == NULL)
		return -DER_NOMEM;
	d_iov_set(ret_cred, buf, auth__credential__pack(cred, buf));
	return 0;
}

MAY_YIELD static int
up_own_cred(struct engine *eng, void *arg, d_iov_t *ret_cred)
{
	Mgmt__Empty        req = MGMT__EMPTY__INIT;
	Auth__GetCredResp *resp;
	void              *msg;
	int                rc = upcall(eng, DRPC_MODULE_SEC, DRPC_METHOD_SEC_ENGINE_CREDS, &req.base,
				       &auth__get_cred_resp__descriptor, &msg);

	if (rc != 0)
		return rc;
	resp = msg;
	rc = resp->status != 0 ? resp->status : resp->cred == NULL ? -DER_PROTO : pack_cred(resp->cred, ret_cred);
	protobuf_c_message_free_unpacked(msg, NULL);
	return rc;
}

const struct ds_mgmt_resolver mgmt_resolver_upcall = {
	.svc_by_uuid = up_svc_by_uuid,
	.svc_by_label = up_svc_by_label,
	.check_cred = up_check_cred,
	.own_cred = up_own_cred,
};
