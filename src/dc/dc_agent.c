/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/** What daos_agent tells: where the ranks are, which fabric to use, and who the caller is. */
#define D_LOGFAC LOG_FAC_CLIENT
#include <stdlib.h>
#include "base/log.h"
#include "base/rank_list.h"
#include "dc/dc_internal.h"
#include "drpc/drpc.h"
#include "drpc/auth.pb-c.h"
#include "drpc/mgmt.pb-c.h"

/** The agent itself is the trouble: say what to do. */
static int
agent_error(const char *sock_path, const char *what, int rc)
{
	const char *why =
	    "is it running? start it with 'systemctl start daos_agent' or 'daos_agent "
	    "start', or set DAOS_AGENT_DRPC_DIR to the directory of its socket";

	if (rc == -DER_NOMEM)
		return rc;
	if (rc == -DER_NO_PERM)
		why = "this user may not open the socket: see its mode and owner";
	else if (rc == -DER_PROTO || rc == -DER_UNREG || rc == -DER_INVAL)
		why = "it speaks another version: install agent and library of one release";
	D_ERROR("cannot ask daos_agent at %s for %s, " DF_RC ": %s\n", sock_path, what, DP_RC(rc),
		why);
	return -DER_AGENT_COMM;
}

static void
members_free(struct crt_member *members, uint32_t nr)
{
	for (uint32_t i = 0; i < nr; i++)
		free((char *)members[i].uri);
	free(members);
}

static int
members_alloc(struct dc_attach *att, uint32_t nr)
{
	att->members = calloc(nr == 0 ? 1 : nr, sizeof(*att->members));
	return att->members == NULL ? -DER_NOMEM : 0;
}

static int
member_add(struct dc_attach *att, d_rank_t rank, const char *uri)
{
	char *copy = strdup(uri);

	if (copy == NULL)
		return -DER_NOMEM;
	att->members[att->member_nr].rank = rank;
	att->members[att->member_nr++].uri = copy;
	return 0;
}

int
dc_attach_set_members(struct dc_attach *att, uint32_t nr, const struct crt_member *members)
{
	struct dc_attach fresh = {0};
	int              rc = members_alloc(&fresh, nr);

	for (uint32_t i = 0; rc == 0 && i < nr; i++)
		rc = member_add(&fresh, members[i].rank, members[i].uri);
	if (rc != 0) {
		members_free(fresh.members, fresh.member_nr);
		return rc;
	}
	members_free(att->members, att->member_nr);
	att->members = fresh.members;
	att->member_nr = fresh.member_nr;
	return 0;
}

static int
ms_ranks_set(struct dc_attach *att, const uint32_t *ranks, uint32_t nr)
{
	att->ms_ranks = d_rank_list_alloc(nr);
	if (att->ms_ranks == NULL)
		return -DER_NOMEM;
	if (nr > 0)
		memcpy(att->ms_ranks->rl_ranks, ranks, nr * sizeof(*ranks));
	return 0;
}

void
dc_attach_free(struct dc_attach *att)
{
	if (att == NULL)
		return;
	members_free(att->members, att->member_nr);
	d_rank_list_free(att->ms_ranks);
	free(att);
}

/** Copy a string of the agent's; it fits or it is refused. */
static int
str_take(char *dst, size_t bytes, const char *src)
{
	size_t len = src == NULL ? 0 : strlen(src);

	if (len >= bytes)
		return -DER_INVAL;
	memcpy(dst, src == NULL ? "" : src, len + 1);
	return 0;
}

static int
hint_take(struct dc_attach *att, const Mgmt__ClientNetHint *hint)
{
	int rc;

	if (hint == NULL)
		return -DER_INVAL;
	rc = str_take(att->provider, sizeof(att->provider), hint->provider);
	if (rc == 0)
		rc = str_take(att->interface, sizeof(att->interface), hint->interface);
	if (rc == 0)
		rc = str_take(att->domain, sizeof(att->domain), hint->domain);
	if (rc != 0 || att->provider[0] == '\0')
		return -DER_INVAL;
	att->timeout_s = hint->crt_timeout;
	for (size_t i = 0; i < hint->n_env_vars; i++) {
		char *copy = strdup(hint->env_vars[i]);
		char *eq = copy == NULL ? NULL : strchr(copy, '=');

		if (eq != NULL) {
			*eq = '\0';
			setenv(copy, eq + 1, 0);
		}
		free(copy);
	}
	return 0;
}

static int
resp_take(struct dc_attach *att, const Mgmt__GetAttachInfoResp *resp)
{
	int rc;

	rc = hint_take(att, resp->net_hint);
	if (rc == 0)
		rc = str_take(att->sys_name, sizeof(att->sys_name), resp->sys);
	if (rc == 0)
		rc = ms_ranks_set(att, resp->ms_ranks, (uint32_t)resp->n_ms_ranks);
	if (rc == 0)
		rc = members_alloc(att, (uint32_t)resp->n_rank_uris);
	for (size_t i = 0; rc == 0 && i < resp->n_rank_uris; i++)
		rc = member_add(att, resp->rank_uris[i]->rank, resp->rank_uris[i]->uri);
	att->map_version = resp->map_version;
	return rc;
}

int
dc_attach_get(const char *sock_path, const char *sys_name, struct dc_attach **ret_att)
{
	Mgmt__GetAttachInfoReq	 req = MGMT__GET_ATTACH_INFO_REQ__INIT;
	ProtobufCMessage	*msg = NULL;
	Mgmt__GetAttachInfoResp *resp;
	struct dc_attach	*att;
	int			 rc;

	att = calloc(1, sizeof(*att));
	if (att == NULL)
		return -DER_NOMEM;
	req.sys = (char *)sys_name;
	req.all_ranks = true;
	rc = drpc_call_msg(sock_path, DRPC_MODULE_MGMT, DRPC_METHOD_MGMT_GET_ATTACH_INFO, &req.base,
			   &mgmt__get_attach_info_resp__descriptor, DC_AGENT_TIMEOUT_S, &msg);
	if (rc != 0) {
		rc = agent_error(sock_path, "the system's ranks", rc);
		goto out_free;
	}
	resp = (Mgmt__GetAttachInfoResp *)msg;
	rc = resp->status;
	if (rc != 0) {
		D_ERROR("daos_agent at %s cannot tell about system '%s', " DF_RC
			": see its log; is "
			"the name right, and does daos_server run and 'dmg system query' answer?\n",
			sock_path, sys_name, DP_RC(rc));
		rc = rc > 0 ? -DER_MISC : rc;
	} else {
		rc = resp_take(att, resp);
		if (rc != 0)
			rc = agent_error(sock_path, "the system's ranks", rc);
	}
	protobuf_c_message_free_unpacked(msg, NULL);
	if (rc != 0)
		goto out_free;
	*ret_att = att;
	return 0;

out_free:
	dc_attach_free(att);
	return rc;
}

int
dc_attach_from_attr(const struct client_attr *attr, struct dc_attach **ret_att)
{
	struct dc_attach *att;
	int		  rc;

	att = calloc(1, sizeof(*att));
	if (att == NULL)
		return -DER_NOMEM;
	rc = str_take(att->provider, sizeof(att->provider), attr->provider);
	if (rc == 0)
		rc = str_take(att->interface, sizeof(att->interface), attr->interface);
	if (rc == 0)
		rc = str_take(att->domain, sizeof(att->domain), attr->domain);
	if (rc == 0)
		rc = str_take(att->sys_name, sizeof(att->sys_name),
			      attr->sys_name == NULL ? "daos_server" : attr->sys_name);
	if (rc == 0)
		rc = ms_ranks_set(att, attr->ms_ranks, attr->ms_rank_nr);
	if (rc == 0)
		rc = dc_attach_set_members(att, attr->member_nr, attr->members);
	att->map_version = attr->group_version;
	att->timeout_s = attr->timeout_s;
	att->ctx_nr_max = attr->ctx_nr_max;
	if (rc != 0)
		dc_attach_free(att);
	else
		*ret_att = att;
	return rc;
}

/* ---- credentials ---- */

int
dc_cred_copy(const d_iov_t *cred, d_iov_t *ret_cred)
{
	void *buf = malloc(cred->iov_len);

	if (buf == NULL)
		return -DER_NOMEM;
	memcpy(buf, cred->iov_buf, cred->iov_len);
	d_iov_set(ret_cred, buf, cred->iov_len);
	return 0;
}

static int
cred_pack(const Auth__Credential *cred, d_iov_t *ret_cred)
{
	size_t bytes = auth__credential__get_packed_size(cred);
	void  *buf = malloc(bytes == 0 ? 1 : bytes);

	if (buf == NULL)
		return -DER_NOMEM;
	auth__credential__pack(cred, buf);
	d_iov_set(ret_cred, buf, bytes);
	return 0;
}

/** Without an agent nobody vouches for the caller: the servers decide what that is worth. */
static int
cred_unsigned(d_iov_t *ret_cred)
{
	Auth__Credential cred = AUTH__CREDENTIAL__INIT;
	Auth__Token	 token = AUTH__TOKEN__INIT;
	Auth__Token	 verifier = AUTH__TOKEN__INIT;

	token.flavor = AUTH__FLAVOR__AUTH_NONE;
	verifier.flavor = AUTH__FLAVOR__AUTH_NONE;
	cred.token = &token;
	cred.verifier = &verifier;
	cred.origin = "client";
	return cred_pack(&cred, ret_cred);
}

int
client_request_cred(struct client *cl, d_iov_t *ret_cred)
{
	Mgmt__Empty	   req = MGMT__EMPTY__INIT;
	ProtobufCMessage  *msg = NULL;
	Auth__GetCredResp *resp;
	int		   rc;

	if (cl->cred.iov_buf != NULL)
		return dc_cred_copy(&cl->cred, ret_cred);
	if (cl->sock_path[0] == '\0')
		return cred_unsigned(ret_cred);
	rc =
	    drpc_call_msg(cl->sock_path, DRPC_MODULE_SEC_AGENT, DRPC_METHOD_SEC_AGENT_REQUEST_CREDS,
			  &req.base, &auth__get_cred_resp__descriptor, DC_AGENT_TIMEOUT_S, &msg);
	if (rc != 0)
		return agent_error(cl->sock_path, "a credential", rc);
	resp = (Auth__GetCredResp *)msg;
	rc = resp->status;
	if (rc != 0) {
		D_ERROR("daos_agent at %s gives no credential, " DF_RC ": see its log\n",
			cl->sock_path, DP_RC(rc));
		rc = rc > 0 ? -DER_MISC : rc;
	} else if (resp->cred == NULL) {
		rc = agent_error(cl->sock_path, "a credential", -DER_PROTO);
	} else {
		rc = cred_pack(resp->cred, ret_cred);
	}
	protobuf_c_message_free_unpacked(msg, NULL);
	return rc;
}

/* ---- what daos_mgmt_get_sys_info() returns ---- */

void
dc_sys_info_free(struct daos_sys_info *info)
{
	if (info == NULL)
		return;
	for (uint32_t i = 0; info->dsi_ranks != NULL && i < info->dsi_nr_ranks; i++)
		free(info->dsi_ranks[i].dru_uri);
	free(info->dsi_ranks);
	free(info->dsi_ms_ranks);
	free(info);
}

static int
sys_info_ranks(const struct dc_attach *att, struct daos_sys_info *info)
{
	info->dsi_ranks = calloc(att->member_nr + 1, sizeof(*info->dsi_ranks));
	info->dsi_ms_ranks = calloc(att->ms_ranks->rl_nr + 1, sizeof(*info->dsi_ms_ranks));
	if (info->dsi_ranks == NULL || info->dsi_ms_ranks == NULL)
		return -DER_NOMEM;
	for (uint32_t i = 0; i < att->member_nr; i++) {
		info->dsi_ranks[i].dru_rank = att->members[i].rank;
		info->dsi_ranks[i].dru_uri = strdup(att->members[i].uri);
		info->dsi_nr_ranks++;
		if (info->dsi_ranks[i].dru_uri == NULL)
			return -DER_NOMEM;
	}
	for (uint32_t i = 0; i < att->ms_ranks->rl_nr; i++)
		info->dsi_ms_ranks[info->dsi_nr_ms_ranks++] = att->ms_ranks->rl_ranks[i];
	return 0;
}

int
client_sys_info(struct client *cl, struct daos_sys_info **ret_info)
{
	struct daos_sys_info *info;
	int		      rc;

	info = calloc(1, sizeof(*info));
	if (info == NULL)
		return -DER_NOMEM;
	pthread_mutex_lock(&cl->lock);
	memcpy(info->dsi_system_name, cl->att->sys_name, sizeof(info->dsi_system_name));
	memcpy(info->dsi_fabric_provider, cl->att->provider, sizeof(info->dsi_fabric_provider));
	memcpy(info->dsi_agent_path, cl->sock_path, sizeof(cl->sock_path));
	rc = sys_info_ranks(cl->att, info);
	pthread_mutex_unlock(&cl->lock);
	if (rc != 0)
		dc_sys_info_free(info);
	else
		*ret_info = info;
	return rc;
}
