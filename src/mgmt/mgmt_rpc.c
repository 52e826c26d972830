/* SPDX-License-Identifier: BSD-2-Clause-Patent */
#include <daos_errno.h>
#include "mgmt/mgmt_rpc.h"

static int
proc_members(struct crt_proc *p, struct mgmt_members *m)
{
	int rc = crt_proc_uint32_t(p, &m->nr);

	if (rc != 0)
		return rc;
	if (crt_proc_op(p) == CRT_PROC_DECODE) {
		if (m->nr > MGMT_MEMBER_NR_MAX || m->nr > crt_proc_left(p))
			return -DER_PROTO;
		m->v = crt_proc_alloc(p, m->nr, sizeof(*m->v));
		if (m->v == NULL && m->nr > 0)
			return -DER_NOMEM;
	}
	for (uint32_t i = 0; i < m->nr && rc == 0; i++) {
		rc = crt_proc_uint32_t(p, &m->v[i].rank);
		if (rc == 0)
			rc = crt_proc_string(p, (char **)&m->v[i].uri);
		if (rc == 0 && m->v[i].uri == NULL)
			rc = -DER_PROTO;
	}
	return rc;
}

int
crt_proc_mgmt_nets(struct crt_proc *p, struct mgmt_nets *nets)
{
	int rc = 0;

	for (uint32_t i = 0; i < MGMT_NET_NR && rc == 0; i++)
		rc = proc_members(p, &nets->net[i]);
	return rc;
}

CRT_RPC_DEFINE(mgmt_pool_find, MGMT_POOL_FIND_IN, MGMT_POOL_FIND_OUT)
CRT_RPC_DEFINE(mgmt_tgt_map_update, MGMT_TGT_MAP_UPDATE_IN, MGMT_TGT_MAP_UPDATE_OUT)

static const struct crt_proto_rpc mgmt_rpcs[MGMT_RPC_NR] = {
	[MGMT_POOL_FIND] = {.format = &mgmt_pool_find_format},
	[MGMT_TGT_MAP_UPDATE] = {.format = &mgmt_tgt_map_update_format},
};
const struct crt_proto mgmt_proto_client = {
	.name = "mgmt", .mod_id = CRT_MOD_MGMT, .version = MGMT_RPC_VERSION, .rpc_nr = MGMT_RPC_NR, .rpcs = mgmt_rpcs};
