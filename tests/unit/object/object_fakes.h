/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/**
 * Objects without pool and container services: engines whose targets hold one VOS container that every handle
 * opens, and a client whose pool map is given. What the two halves of this folder call in other folders
 * (ds_cont_hdl_get(), dc_hdl2cont(), dc_pool_map_get(), ...) is defined here instead.
 */
#pragma once

#include "engine_testlib.h"
#include "object_calls.h"
#include "placement/pool_map.h"

#define FAKE_ENGINES_MAX 4

struct fake_world {
	struct et_world w;
	uint32_t        eng_nr, tgt_nr;
	struct et_opts  opts[FAKE_ENGINES_MAX];
	char            dev_names[FAKE_ENGINES_MAX][32];
};
extern struct fake_state {
	_Atomic uint32_t server_map_version; /**< older clients are stale */
	_Atomic uint64_t sec_capas;
	_Atomic int      hdl_rc;             /**< of ds_cont_hdl_get(), for @hdl_rc_nr requests */
	_Atomic int      hdl_rc_nr;
	_Atomic uint32_t refresh_nr;
	_Atomic uint32_t request_nr;
} fake;

/** @files: devices are files, and keep what is in them. */
void fake_world_start(struct fake_world *fw, uint32_t eng_nr, uint32_t tgt_nr, bool files);
void fake_world_stop(struct fake_world *fw);
/** Stop an engine and start it again with the same devices. */
void fake_engine_stop(struct fake_world *fw, uint32_t idx);
void fake_engine_start(struct fake_world *fw, uint32_t idx);
/** Tell a client where the engines are now. */
void fake_client_group(struct fake_world *fw, struct client *cl);
/** A client of the world; the calling thread's from now on. */
struct client *fake_client_start(struct fake_world *fw);
void fake_client_stop(struct client *cl);
/** Ids of changes that engine @idx keeps. */
uint64_t fake_ids_nr(struct fake_world *fw, uint32_t idx);
/** Any handle is the container's. */
static inline daos_handle_t
fake_coh(void)
{
	return (daos_handle_t){.cookie = 4711};
}
