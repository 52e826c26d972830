/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/**
 * Clients inside an engine: module code calls libdaos from its ULTs, which then yield.
 *
 *     rc = ds_mgmt_client_open(eng, modules, nr, &cl);   // once, in a ULT of any xstream
 *     rc = ds_mgmt_client_attach(cl);                    // in a ULT of each xstream that makes calls
 *     rc = daos_pool_connect(...); ...                   // in its ULTs, or as tasks of dss_sched()
 *     ds_mgmt_client_close(cl);                          // when the last call has returned
 *
 * Such a client is no more to the servers than any other: it has no rank, and may do what pools and containers allow the user
 * that the engine runs as, for whom daos_server vouches (src/control/common/ctl_cred.h). It has the engine's network settings,
 * the engine's group as that changes, and no agent.
 *
 * It lives between the set-up and the clean-up of module mgmt, which comes after that of the modules above. When the engine
 * stops, calls end with -DER_CANCELED; engine_stop() then waits until who opened a client has closed it. Handles that are
 * still open go with the client.
 */
#pragma once

#include "dc/dc.h"
#include "engine/engine.h"

/**
 * @param modules  [nr] of the services that will be called; borrowed until it is closed
 * Errors: UNINIT the engine is not set up or in no group yet | SHUTDOWN it stops | NOSYS nobody says who it is (resolver)
 *         | those of client_create() and of the upcall for its credential
 */
MAY_YIELD int  ds_mgmt_client_open(struct engine *eng, const struct dc_module *const *modules, uint32_t nr,
				   struct client **ret_cl) MUST_CHECK;
/**
 * In a ULT: calls in ULTs of this xstream are this client's from now on (client_current()).
 * Errors: EXIST it is attached | BUSY another one is | CANCELED | those of client_xs_attach()
 */
int            ds_mgmt_client_attach(struct client *cl) MUST_CHECK;
/** In a ULT of the xstream; no ULT of it may be in a call. Harmless when not attached. */
void           ds_mgmt_client_detach(struct client *cl);
/** End its calls on all xstreams with -DER_CANCELED, those to come, too. For a module's sm_cleanup, before it waits for its ULTs. */
MAY_YIELD void ds_mgmt_client_cancel(struct client *cl);
/** Detach it everywhere and free it; its handles and events are void. No ULT may be in a call. */
MAY_YIELD void ds_mgmt_client_close(struct client *cl);
