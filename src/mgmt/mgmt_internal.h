/* SPDX-License-Identifier: BSD-2-Clause-Patent */
#pragma once

#include <pthread.h>
#include "mgmt/mgmt_server.h"

#define MGMT_TABLE_NR_MAX 8

/** Clients inside this engine: mgmt_engine_client.c */
struct mgmt_clients {
	struct engine      *eng;
	pthread_mutex_t     lock;   /**< what follows up to gone; innermost but for a client's own, held without yielding */
	d_list_t            list;   /**< struct mgmt_client */
	uint32_t            nr;     /**< on the list, or being freed */
	enum { MGMT_CLIENTS_EARLY, MGMT_CLIENTS_ALLOWED, MGMT_CLIENTS_ENDED } state;
	struct ult_eventual *gone;  /**< set when nr is 0; NULL: nobody waits */
	struct ult_mutex    ending; /**< who cancels or closes a client, over yields: it stays meanwhile */
};

/** The module's data. xstream 0, but for clients. */
struct mgmt {
	const struct ds_mgmt_resolver    *resolver;
	void                             *resolver_arg;
	const struct ds_mgmt_drpc_method *tables[MGMT_TABLE_NR_MAX]; /**< [table_nr] */
	uint32_t                          table_nr;
	struct mgmt_clients               clients;
};
struct mgmt *mgmt_of(struct engine *eng);

/** The engine's group is followed from now on. */
void mgmt_clients_init(struct mgmt_clients *clients, struct engine *eng);
void mgmt_clients_allow(struct mgmt_clients *clients);
/** Cancel all and wait until they are closed; none is opened any more. */
MAY_YIELD void mgmt_clients_end(struct mgmt_clients *clients);
void mgmt_clients_fini(struct mgmt_clients *clients);

extern const struct ds_mgmt_resolver   mgmt_resolver_upcall;
extern const struct ds_mgmt_drpc_method mgmt_drpc_system[]; /**< rank, group, logs, shutdown */

void mgmt_tgt_map_update_handler(crt_rpc_t *rpc);
MAY_YIELD void mgmt_pool_find_handler(crt_rpc_t *rpc);
