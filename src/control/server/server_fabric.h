/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/**
 * The providers of an engine: lists of daos_server.yml, separated by commas, whose items belong together.
 *
 *     provider: ofi+verbs,ofi+tcp      the first is the primary: engines talk to each other over it
 *     fabric_iface: ib0,eth0           clients talk to engines over any of them
 *     fabric_iface_port: 31416,31516
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#define SERVER_PROVIDERS_MAX   4 /**< the primary and three secondary ones */
#define SERVER_SECONDARIES_MAX (SERVER_PROVIDERS_MAX - 1)

struct server_provider {
	char     name[64];  /**< "ofi+tcp" */
	char     iface[64];
	uint32_t port;      /**< of the first stream; those after it have the ports after it */
};
struct server_fabric {
	struct server_provider of[SERVER_PROVIDERS_MAX];
	uint32_t               nr; /**< 1.. */
};

/**
 * Take the three lists apart and check them.
 * @param providers,ifaces,ports  NULL or empty: not given, which is refused
 * @param stream_nr               how many ports from the first on an engine uses of each provider
 * @param ret_fabric              untouched on failure
 * @param why                     on failure: the key and what is wrong with it
 * Errors: INVAL
 */
int server_fabric_parse(const char *providers, const char *ifaces, const char *ports, uint64_t stream_nr,
			struct server_fabric *ret_fabric, char *why, size_t why_bytes) __attribute__((warn_unused_result));
