/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/** daos_server.yml: keys of public DAOS; those that concern hardware we do without are accepted and have no effect. */
#pragma once

#include "control/common/ctl_config.h"
#include "control/server/server_fabric.h"

/** When a device is faulty by itself. */
struct server_auto_faulty {
	bool      enable;
	uint32_t *max_io_errs;   /**< NULL: the engine's default; 0: never */
	uint32_t *max_csum_errs; /**< likewise */
};
struct server_tier {
	const char  *class;      /**< "ram"; "file", "kdev" */
	const char  *scm_mount;  /**< ram: directory of the engine's own files */
	const char  *scm_size;   /**< ram: DRAM for metadata; a bare number is GiB; NULL or 0: as the devices allow */
	const char **bdev_list;
	uint32_t     bdev_list_count;
	const char  *bdev_size;  /**< file: size of each; a bare number is GiB */
	const char **bdev_roles; /**< "wal", "meta", "data"; none: all of them */
	uint32_t     bdev_roles_count;
	struct server_auto_faulty *bdev_auto_faulty; /**< NULL: the engine's defaults */
};
struct server_engine_config {
	uint32_t            targets;
	uint32_t            nr_xs_helpers;
	uint32_t           *pinned_numa_node; /**< NULL: cores of any node */
	uint32_t           *first_core; /**< NULL: engines are not bound to cores */
	const char         *fabric_iface;      /**< items separated by commas, as many as providers */
	const char         *fabric_iface_port; /**< likewise */
	struct server_fabric fabric;           /**< both and the providers, taken apart */
	uint32_t           *secondary_endpoints; /**< checked; of no effect */
	uint32_t            secondary_endpoints_count;
	const char         *log_mask;
	const char         *log_file;
	const char        **env_vars;
	uint32_t            env_vars_count;
	struct server_tier *storage;
	uint32_t            storage_count;
};
struct server_config {
	const char                  *name;
	const char                 **ms_replicas;
	uint32_t                     ms_replicas_count;
	const char                 **access_points; /**< the older name */
	uint32_t                     access_points_count;
	struct { const char *path, *device; } control_metadata;
	uint32_t                     port;
	const char                  *control_iface;
	struct ctl_transport         transport_config;
	const char                  *fault_path;
	const char                  *provider; /**< items separated by commas, the primary first */
	uint32_t                    *secondary_endpoints; /**< checked; of no effect */
	uint32_t                     secondary_endpoints_count;
	uint32_t                     crt_timeout;
	const char                  *socket_dir;
	const char                  *control_log_mask;
	const char                  *control_log_file;
	bool                         disable_engine_auto_restart;
	uint32_t                     engine_auto_restart_min_delay;
	const char                 **client_env_vars;
	uint32_t                     client_env_vars_count;
	struct server_engine_config *engines;
	uint32_t                     engines_count;
};

/** Reads, fills in defaults and checks. @errors names the key and what is wrong with it. */
int  server_config_load(const char *path, struct server_config **ret_config, char *errors, size_t errors_bytes)
	__attribute__((warn_unused_result));
/** The same checks again, for who has changed it since; also takes the fabric lists apart again. Errors: INVAL */
int  server_config_check(struct server_config *config, char *errors, size_t errors_bytes) __attribute__((warn_unused_result));
void server_config_free(struct server_config *config);
/** "4", "4GiB", "512MiB" in bytes; bare numbers are GiB. */
int  server_size(const char *text, uint64_t *ret_bytes) __attribute__((warn_unused_result));
/** The tier of class ram; every engine has one. */
const struct server_tier *server_ram_tier(const struct server_engine_config *engine);
/** Role bits (1 wal, 2 meta, 4 data) of a device tier. */
uint32_t server_tier_roles(const struct server_tier *tier);
