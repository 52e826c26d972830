/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/** The system as a whole. */
#ifndef __DAOS_MGMT_H__
#define __DAOS_MGMT_H__

#include <uuid/uuid.h>
#include <daos_cont.h>

#if defined(__cplusplus)
extern "C" {
#endif

/**
 * Ask the agent about a system.
 * @param sys   NULL: the agent's default
 * @param info  freed with daos_mgmt_put_sys_info()
 * Errors: AGENT_COMM | NOMEM
 */
int
daos_mgmt_get_sys_info(const char *sys, struct daos_sys_info **info);

void
daos_mgmt_put_sys_info(struct daos_sys_info *info);

#if defined(__cplusplus)
}
#endif

#endif /* __DAOS_MGMT_H__ */
