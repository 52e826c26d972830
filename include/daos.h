/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/** The whole interface but files (daos_fs.h), namespace (daos_uns.h) and tasks (daos_task.h). */
#ifndef __DAOS_H__
#define __DAOS_H__

#include <daos_version.h>
#include <daos_types.h>
#include <daos_event.h>
#include <daos_obj.h>
#include <daos_array.h>
#include <daos_kv.h>
#include <daos_prop.h>
#include <daos_cont.h>
#include <daos_pool.h>
#include <daos_mgmt.h>
#include <daos_security.h>
#include <daos_api.h>

#if defined(__cplusplus)
extern "C" {
#endif

/** Start the library and attach to the agent. Counted: each call needs a daos_fini(). AGENT_COMM */
int
daos_init(void);

/** End the library once called as often as daos_init(); handles are void then. UNINIT */
int
daos_fini(void);

/** In a child after fork(): drop what was inherited and start anew. UNINIT */
int
daos_reinit(void);

#if defined(__cplusplus)
}
#endif

#endif /* __DAOS_H__ */
