/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/**
 * Configuration files. YAML is read into C structs by a schema (libcyaml): a wrong type, an unknown
 * key or bad syntax is refused with the file's name and line. What all three programs share is here.
 */
#pragma once

#include <cyaml/cyaml.h>
#include <stdbool.h>
#include <stdint.h>

#define CTL_PORT_DEFAULT 10001
#define CTL_SYS_DEFAULT  "daos_server"

/** Words for a bool; libcyaml's own takes whatever it doesn't know for true. */
#define CTL_BOOL_NR 8
extern const cyaml_strval_t ctl_bools[CTL_BOOL_NR];
#define CTL_FIELD_BOOL(key, flags, type, member)                                                                       \
	CYAML_FIELD_ENUM(key, (flags) | CYAML_FLAG_STRICT | CYAML_FLAG_CASE_INSENSITIVE, type, member, ctl_bools, CTL_BOOL_NR)

/** `transport_config:` */
struct ctl_transport {
	bool        allow_insecure;
	const char *client_cert_dir; /**< server: certificates of agents, to check credentials */
	const char *ca_cert;
	const char *cert;
	const char *key;
};
/** Fills in what is NULL: /etc/daos/certs/daosCA.crt and <role>.crt, <role>.key there. @role "server", "agent", "admin". */
void ctl_transport_defaults(struct ctl_transport *t, const char *role);
extern const cyaml_schema_field_t ctl_transport_fields[];

/** daos_control.yml, read by dmg. */
struct ctl_client_config {
	const char          *name;
	uint32_t             port;
	const char         **hostlist;
	uint32_t             hostlist_count;
	struct ctl_transport *transport_config;
};

/**
 * Read @path by @schema. Messages of the parser ("line 3: ...") go to @errors.
 * Errors: NONEXIST, NO_PERM, INVAL (malformed), NOMEM.
 */
int  ctl_config_load(const char *path, const cyaml_schema_value_t *schema, void **ret_config, char *errors,
		     size_t errors_bytes) __attribute__((warn_unused_result));
void ctl_config_free(const cyaml_schema_value_t *schema, void *config);

/** dmg's: @path NULL looks for ~/.daos_control.yml, then /etc/daos/daos_control.yml; none is all defaults (localhost). */
int  ctl_client_config_load(const char *path, struct ctl_client_config **ret_config, char *errors, size_t errors_bytes)
	__attribute__((warn_unused_result));
void ctl_client_config_free(struct ctl_client_config *config);
