/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/** A small system in one process: servers and a client over the provider named to the test. */
#pragma once

#include "cart/crt.h"
#include "na/na.h"

#define T_MOD     200
#define T_VERSION 3
#define T_CTX_MAX 4

enum { T_ECHO, T_BULK, T_HANG, T_ONEWAY, T_ADDR, T_NOREPLY };
#define T_OPC(idx) CRT_OPC(T_MOD, T_VERSION, idx)

#define T_ECHO_IN(F)  F(uint32_t, x) F(string, s) F(iov, data) F(u64s, nums) F(ranks, ranks)
#define T_ECHO_OUT(F) F(uint32_t, x) F(string, s) F(iov, data) F(u64s, nums) F(ranks, ranks)
CRT_RPC_DECLARE(t_echo, T_ECHO_IN, T_ECHO_OUT)
#define T_BULK_IN(F)                                                                               \
	F(uint8_t, op) F(uint64_t, off) F(uint64_t, local_off) F(uint64_t, len) F(crt_bulk_t, bulk)
#define T_BULK_OUT(F) F(int32_t, start_rc) F(int32_t, rc) F(uint64_t, bulk_len)
CRT_RPC_DECLARE(t_bulk, T_BULK_IN, T_BULK_OUT)
#define T_EMPTY(F) F(uint32_t, x)
CRT_RPC_DECLARE(t_hang, T_EMPTY, T_EMPTY)
#define T_ONEWAY_IN(F) F(uint32_t, x) F(iov, data)
CRT_RPC_DECLARE(t_oneway, T_ONEWAY_IN, T_EMPTY)

/** What the handlers of one context share with the test. */
struct t_srv {
	crt_rpc_t    *hung[256];
	uint32_t      hung_nr;
	uint32_t      oneway_nr;
	uint64_t      oneway_bytes;
	uint32_t      echo_nr;
	uint32_t      bulk_nr;      /**< transfers asked for */
	_Atomic int   bulk_done_nr; /**< ended */
	d_sg_list_t  *local;  /**< of bulk transfers */
};

struct t_node {
	struct crt   *crt;
	uint32_t      ctx_nr;
	crt_context_t ctx[T_CTX_MAX];
	struct t_srv  srv[T_CTX_MAX];
};

struct t_world {
	struct na_self_world *self;
	struct t_node         srv[3];
	uint32_t              srv_nr;
	struct t_node         cli;
	uint32_t              version;
};

extern const char *t_provider;
extern const struct crt_proto t_proto_srv, t_proto_cli;

void t_node_start(struct t_world *w, struct t_node *n, bool server, d_rank_t rank, uint32_t ctx_nr,
		  int port, uint32_t credits);
void t_node_stop(struct t_node *n);
/** As t_node_stop(), but requests at their handlers are not answered. */
void t_node_kill(struct t_node *n);
void t_group_set(struct t_world *w);
/** @srv_nr servers with @ctx_nr contexts each, one client, and the group between them. */
void t_world_start(struct t_world *w, uint32_t srv_nr, uint32_t ctx_nr, uint32_t credits);
void t_world_stop(struct t_world *w);
/** Progress everybody once. */
void t_pump(struct t_world *w);
/** Until *flag or 20 s. */
void t_pump_until(struct t_world *w, const _Atomic int *flag);

/** One request and its outcome. */
struct t_call {
	crt_rpc_t   *rpc;   /**< referenced until t_call_end() */
	_Atomic int  done;  /**< times the callback ran */
	int          rc;
};
void t_call_init(struct t_call *c, crt_context_t ctx, d_rank_t rank, uint32_t tag,
		 crt_opcode_t opc);
void t_call_send(struct t_call *c);
void t_call_end(struct t_call *c);
