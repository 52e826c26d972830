/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/**
 * Management as the modules above see it: who answers questions about the system, and where dRPC
 * methods are registered. All on xstream 0.
 */
#pragma once

#include "engine/engine.h"
#include "security/sec_policy.h"

extern const struct dss_module dss_module_mgmt;

/**
 * Questions only the control plane can answer. By default they go up to daos_server; tests and an
 * embedded engine give tables of their own. All may yield.
 */
struct ds_mgmt_resolver {
	/** Replicas of a pool's service, d_rank_list_free(). Errors: NONEXIST. */
	MAY_YIELD int (*svc_by_uuid)(struct engine *eng, void *arg, const uuid_t pool, d_rank_list_t **ret_ranks);
	MAY_YIELD int (*svc_by_label)(struct engine *eng, void *arg, const char *label, uuid_t ret_pool,
				      d_rank_list_t **ret_ranks);
	/** Check a credential as it came from a client (packed Auth.Credential). Errors: NO_PERM | BAD_CERT | INVAL. */
	MAY_YIELD int (*check_cred)(struct engine *eng, void *arg, const void *cred, size_t cred_bytes,
				    struct sec_ident **ret_ident);
	/** Who the engine itself is as a client: packed Auth.Credential, free(). NULL: it cannot be one. */
	MAY_YIELD int (*own_cred)(struct engine *eng, void *arg, d_iov_t *ret_cred);
};
/** @resolver NULL: daos_server again. Borrowed, with @arg, until the engine stops. */
void ds_mgmt_set_resolver(struct engine *eng, const struct ds_mgmt_resolver *resolver, void *arg);

MAY_YIELD int ds_mgmt_pool_svc(struct engine *eng, const uuid_t pool, d_rank_list_t **ret_ranks) MUST_CHECK;
MAY_YIELD int ds_mgmt_pool_find(struct engine *eng, const char *label, uuid_t ret_pool,
				d_rank_list_t **ret_ranks) MUST_CHECK;
/** @ret_ident: free(). */
MAY_YIELD int ds_mgmt_check_cred(struct engine *eng, const void *cred, size_t cred_bytes,
				 struct sec_ident **ret_ident) MUST_CHECK;
/** Unpack the identity in a credential, without checking any signature. Errors: INVAL | NOMEM. */
int mgmt_cred_ident(const void *cred, size_t cred_bytes, struct sec_ident **ret_ident) MUST_CHECK;

/** dRPC methods of DRPC_MODULE_MGMT that modules above add, in their sm_init. @table ends with method 0; borrowed. */
struct ds_mgmt_drpc_method {
	int32_t method;
	/** @body as it arrived. Fills in the reply as packed by ds_mgmt_drpc_reply(). */
	MAY_YIELD void (*handler)(struct engine *eng, struct dss_drpc_call *call);
};
int ds_mgmt_drpc_register(struct engine *eng, const struct ds_mgmt_drpc_method *table) MUST_CHECK;
/** Pack @msg (a ProtobufCMessage) as the reply. */
void ds_mgmt_drpc_reply(struct dss_drpc_call *call, const void *msg);
/** Reply with a DaosResp. */
void ds_mgmt_drpc_reply_status(struct dss_drpc_call *call, int rc);
/** The body isn't a message of the type expected. */
void ds_mgmt_drpc_malformed(struct dss_drpc_call *call);
