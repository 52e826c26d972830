/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/**
 * Numbers of dRPC modules and methods. Apart from the ids of engine modules (crt_mod_id): a dRPC
 * module says who is called, not which part of an engine answers. Declared once, here: request and
 * reply types come from the .proto files, bodies are packed messages.
 */
#pragma once

enum drpc_module {
	DRPC_MODULE_TEST = 0,
	DRPC_MODULE_SEC_AGENT = 1, /**< client -> daos_agent, credentials */
	DRPC_MODULE_MGMT = 2,      /**< client -> daos_agent, and daos_server -> engine */
	DRPC_MODULE_SRV = 3,       /**< engine -> daos_server */
	DRPC_MODULE_SEC = 4,       /**< engine -> daos_server, credentials */
};

/** X(name, number, request, reply) */
#define DRPC_METHODS(X)                                                                            \
	X(SEC_AGENT_REQUEST_CREDS, 101, Mgmt__Empty, Auth__GetCredResp)                            \
	X(MGMT_SET_RANK, 202, Mgmt__SetRankReq, Mgmt__DaosResp)                                    \
	X(MGMT_GET_ATTACH_INFO, 206, Mgmt__GetAttachInfoReq, Mgmt__GetAttachInfoResp)              \
	X(MGMT_POOL_CREATE, 207, Mgmt__PoolCreateReq, Mgmt__PoolCreateResp)                        \
	X(MGMT_POOL_DESTROY, 208, Mgmt__PoolDestroyReq, Mgmt__DaosResp)                            \
	X(MGMT_SET_UP, 209, Mgmt__Empty, Mgmt__DaosResp)                                           \
	X(MGMT_SMD_LIST_DEVS, 211, Mgmt__Empty, Mgmt__StorageQueryResp)                            \
	X(MGMT_SMD_LIST_POOLS, 212, Mgmt__Empty, Mgmt__StoragePoolsResp)                           \
	X(MGMT_POOL_GET_ACL, 213, Mgmt__AclReq, Mgmt__AclResp)                                     \
	X(MGMT_POOL_OVERWRITE_ACL, 215, Mgmt__AclReq, Mgmt__AclResp)                               \
	X(MGMT_POOL_UPDATE_ACL, 216, Mgmt__AclReq, Mgmt__AclResp)                                  \
	X(MGMT_POOL_DELETE_ACL, 217, Mgmt__AclReq, Mgmt__AclResp)                                  \
	X(MGMT_PREP_SHUTDOWN, 218, Mgmt__PrepShutdownReq, Mgmt__DaosResp)                          \
	X(MGMT_LIST_CONTAINERS, 222, Mgmt__PoolReq, Mgmt__ListContainersResp)                      \
	X(MGMT_POOL_QUERY, 223, Mgmt__PoolQueryReq, Mgmt__PoolQueryResp)                           \
	X(MGMT_POOL_SET_PROP, 224, Mgmt__PoolSetPropReq, Mgmt__DaosResp)                           \
	X(MGMT_PING_RANK, 225, Mgmt__PingRankReq, Mgmt__DaosResp)                                  \
	X(MGMT_CONT_SET_OWNER, 227, Mgmt__ContSetOwnerReq, Mgmt__DaosResp)                         \
	X(MGMT_POOL_EVICT, 230, Mgmt__PoolReq, Mgmt__PoolEvictResp)                                \
	X(MGMT_GROUP_UPDATE, 232, Mgmt__GroupUpdateReq, Mgmt__DaosResp)                            \
	X(MGMT_NOTIFY_EXIT, 233, Mgmt__Empty, Mgmt__DaosResp)                                      \
	X(MGMT_POOL_GET_PROP, 237, Mgmt__PoolGetPropReq, Mgmt__PoolGetPropResp)                    \
	X(MGMT_SET_LOG_MASKS, 238, Mgmt__SetLogMasksReq, Mgmt__SetLogMasksResp)                    \
	X(MGMT_POOL_QUERY_TARGETS, 240, Mgmt__PoolQueryTargetReq, Mgmt__PoolQueryTargetResp)       \
	X(MGMT_DEV_SET_FAULTY, 242, Mgmt__SetFaultyReq, Mgmt__DaosResp)                             \
	X(MGMT_POOL_RANKS, 241, Mgmt__PoolRanksReq, Mgmt__PoolRanksResp)                            \
	X(SRV_NOTIFY_READY, 301, Mgmt__NotifyReadyReq, Mgmt__DaosResp)                             \
	X(SRV_GET_POOL_SVC, 303, Mgmt__GetPoolSvcReq, Mgmt__GetPoolSvcResp)                        \
	X(SRV_CLUSTER_EVENT, 304, Mgmt__ClusterEventReq, Mgmt__DaosResp)                           \
	X(SRV_POOL_FIND_BYLABEL, 305, Mgmt__PoolFindByLabelReq, Mgmt__GetPoolSvcResp)              \
	X(SRV_LIST_POOLS, 310, Mgmt__Empty, Mgmt__ListPoolsResp)                                   \
	X(SEC_VALIDATE_CREDS, 401, Auth__ValidateCredReq, Auth__ValidateCredResp)                  \
	X(SEC_ENGINE_CREDS, 402, Mgmt__Empty, Auth__GetCredResp)

enum drpc_method {
#define DRPC_METHOD_ENUM(name, nr, req, resp) DRPC_METHOD_##name = nr,
	DRPC_METHODS(DRPC_METHOD_ENUM)
#undef DRPC_METHOD_ENUM
};
/** "MGMT_POOL_CREATE", or "?" */
const char *drpc_method_name(int method);
