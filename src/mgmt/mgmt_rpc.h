/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/** Requests of the management service. */
#pragma once

#include "cart/crt.h"

#define MGMT_RPC_VERSION 1
#define MGMT_MEMBER_NR_MAX (1u << 20)
#define MGMT_NET_NR 4

enum mgmt_rpc { MGMT_POOL_FIND, MGMT_TGT_MAP_UPDATE, MGMT_RPC_NR };
#define MGMT_OPC(idx) CRT_OPC(CRT_MOD_MGMT, MGMT_RPC_VERSION, idx)

/** The system's members that have a place in a network, and all of them by network: the primary one first. */
struct mgmt_members {
	uint32_t           nr;
	struct crt_member *v;
};
struct mgmt_nets {
	struct mgmt_members net[MGMT_NET_NR];
};
CRT_FIELD_TYPE(mgmt_nets, struct mgmt_nets)

/** Client to any engine: where is the pool? By label, or by UUID when there is none. */
#define MGMT_POOL_FIND_IN(F)  F(string, label) F(uuid, pool)
#define MGMT_POOL_FIND_OUT(F) F(int32_t, rc) F(uuid, pool) F(ranks, svc_ranks)
CRT_RPC_DECLARE(mgmt_pool_find, MGMT_POOL_FIND_IN, MGMT_POOL_FIND_OUT)

/** Engine to engine: the group map as a whole. */
#define MGMT_TGT_MAP_UPDATE_IN(F)  F(uint32_t, version) F(mgmt_nets, nets)
#define MGMT_TGT_MAP_UPDATE_OUT(F) F(int32_t, rc)
CRT_RPC_DECLARE(mgmt_tgt_map_update, MGMT_TGT_MAP_UPDATE_IN, MGMT_TGT_MAP_UPDATE_OUT)

/** The requests' formats, with NULL handlers: what a client registers. */
extern const struct crt_proto mgmt_proto_client;
