/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/**
 * What the container module stores in its pool's rdb, beside pool/pool_df.h. Below the root:
 *
 *   conts    container UUID -> struct cont_df
 *   labels   label -> container UUID
 *   chdls    handle UUID -> struct cont_hdl_df
 *   cont     parent of a store for each container, named by its UUID, which is the parent of
 *              props   property number -> value
 *              attrs   attribute -> value
 *              snaps   epoch (8 bytes) -> number of the call that took it (8 bytes)
 */
#pragma once

#include <stdint.h>

struct cont_df {
	uint64_t oid_next; /**< object numbers below it were handed out */
	uint64_t otime;    /**< last open, HLC */
	uint64_t mtime;    /**< last change of metadata or close, HLC */
	uint64_t ctime;    /**< creation, HLC */
};
_Static_assert(sizeof(struct cont_df) == 32, "stored");

struct cont_hdl_df {
	uint8_t  cont[16];
	uint8_t  pool_hdl[16];
	uint64_t flags; /**< DAOS_COO_* */
	uint64_t capas; /**< SEC_CONT_CAPA_* */
};
_Static_assert(sizeof(struct cont_hdl_df) == 48, "stored");

#define CONT_KVS_CONTS  "conts"
#define CONT_KVS_LABELS "labels"
#define CONT_KVS_HDLS   "chdls"
#define CONT_KVS_CONT   "cont"
#define CONT_SUB_PROPS  "props"
#define CONT_SUB_ATTRS  "attrs"
#define CONT_SUB_SNAPS  "snaps"
