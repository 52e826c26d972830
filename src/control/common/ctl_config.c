/* SPDX-License-Identifier: BSD-2-Clause-Patent */
#include <daos_errno.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/util.h"
#include "control/common/ctl_config.h"

const cyaml_strval_t ctl_bools[CTL_BOOL_NR] = {{"true", 1},  {"false", 0}, {"yes", 1}, {"no", 0},
					       {"on", 1},    {"off", 0},   {"1", 1},   {"0", 0}};

const cyaml_schema_field_t ctl_transport_fields[] = {
    CTL_FIELD_BOOL("allow_insecure", CYAML_FLAG_OPTIONAL, struct ctl_transport, allow_insecure),
    CYAML_FIELD_STRING_PTR("client_cert_dir", CYAML_FLAG_OPTIONAL | CYAML_FLAG_POINTER, struct ctl_transport, client_cert_dir,
			   0, 4096),
    CYAML_FIELD_STRING_PTR("ca_cert", CYAML_FLAG_OPTIONAL | CYAML_FLAG_POINTER, struct ctl_transport, ca_cert, 0, 4096),
    CYAML_FIELD_STRING_PTR("cert", CYAML_FLAG_OPTIONAL | CYAML_FLAG_POINTER, struct ctl_transport, cert, 0, 4096),
    CYAML_FIELD_STRING_PTR("key", CYAML_FLAG_OPTIONAL | CYAML_FLAG_POINTER, struct ctl_transport, key, 0, 4096),
    CYAML_FIELD_END};

static const cyaml_schema_value_t host_schema = {
    CYAML_VALUE_STRING(CYAML_FLAG_POINTER, char, 1, 255),
};

static const cyaml_schema_field_t client_fields[] = {
    CYAML_FIELD_STRING_PTR("name", CYAML_FLAG_OPTIONAL | CYAML_FLAG_POINTER, struct ctl_client_config, name, 1, 15),
    CYAML_FIELD_UINT("port", CYAML_FLAG_OPTIONAL, struct ctl_client_config, port),
    CYAML_FIELD_SEQUENCE("hostlist", CYAML_FLAG_OPTIONAL | CYAML_FLAG_POINTER, struct ctl_client_config, hostlist, &host_schema,
			 0, 1024),
    CYAML_FIELD_MAPPING_PTR("transport_config", CYAML_FLAG_OPTIONAL | CYAML_FLAG_POINTER, struct ctl_client_config,
			    transport_config, ctl_transport_fields),
    CYAML_FIELD_END};

static const cyaml_schema_value_t client_schema = {
    CYAML_VALUE_MAPPING(CYAML_FLAG_POINTER, struct ctl_client_config, client_fields),
};

struct log_sink {
	char  *buf;
	size_t bytes, len;
};

static void
log_to_sink(cyaml_log_t level, void *ctx, const char *fmt, va_list args)
{
	struct log_sink *sink = ctx;
	int              n;

	if (level < CYAML_LOG_ERROR || sink == NULL || sink->len >= sink->bytes)
		return;
	n = vsnprintf(sink->buf + sink->len, sink->bytes - sink->len, fmt, args);
	if (n > 0)
		sink->len = MIN_OF(sink->len + n, sink->bytes);
}

static const cyaml_config_t *
config_of(cyaml_config_t *cfg, struct log_sink *sink)
{
	*cfg = (cyaml_config_t){
	    .log_fn = log_to_sink,
	    .log_ctx = sink,
	    .mem_fn = cyaml_mem,
	    .log_level = CYAML_LOG_ERROR,
	};
	return cfg;
}

int
ctl_config_load(const char *path, const cyaml_schema_value_t *schema, void **ret_config, char *errors, size_t errors_bytes)
{
	struct log_sink sink = {.buf = errors, .bytes = errors_bytes};
	cyaml_config_t  cfg;
	cyaml_err_t     err;
	void           *config = NULL;
	char           *nl;

	errors[0] = '\0';
	if (access(path, R_OK) != 0) {
		snprintf(errors, errors_bytes, "%s", strerror(errno));
		return errno == ENOENT ? -DER_NONEXIST : errno == EACCES ? -DER_NO_PERM : -DER_INVAL;
	}
	err = cyaml_load_file(path, config_of(&cfg, &sink), schema, (cyaml_data_t **)&config, NULL);
	for (nl = errors; (nl = strchr(nl, '\n')) != NULL;)
		*nl = nl[1] == '\0' ? '\0' : ' ';
	if (err != CYAML_OK) {
		if (errors[0] == '\0')
			snprintf(errors, errors_bytes, "%s", cyaml_strerror(err));
		return err == CYAML_ERR_OOM ? -DER_NOMEM : -DER_INVAL;
	}
	if (config == NULL) {
		snprintf(errors, errors_bytes, "nothing is in the file");
		return -DER_INVAL;
	}
	*ret_config = config;
	return 0;
}

void
ctl_config_free(const cyaml_schema_value_t *schema, void *config)
{
	cyaml_config_t cfg;

	if (config != NULL)
		cyaml_free(config_of(&cfg, NULL), schema, config, 0);
}

static void
default_path(const char **field, const char *role, const char *suffix)
{
	char path[256];

	if (*field != NULL)
		return;
	snprintf(path, sizeof(path), "/etc/daos/certs/%s.%s", role, suffix);
	*field = strdup(path);
}

void
ctl_transport_defaults(struct ctl_transport *t, const char *role)
{
	default_path(&t->ca_cert, "daosCA", "crt");
	default_path(&t->cert, role, "crt");
	default_path(&t->key, role, "key");
}

static int
client_defaults(struct ctl_client_config *c)
{
	if (c->name == NULL)
		c->name = strdup(CTL_SYS_DEFAULT);
	if (c->port == 0)
		c->port = CTL_PORT_DEFAULT;
	if (c->hostlist_count == 0) {
		free(c->hostlist);
		c->hostlist = calloc(1, sizeof(*c->hostlist));
		if (c->hostlist == NULL)
			return -DER_NOMEM;
		c->hostlist[0] = strdup("localhost");
		c->hostlist_count = 1;
	}
	if (c->transport_config == NULL)
		c->transport_config = calloc(1, sizeof(*c->transport_config));
	if (c->name == NULL || c->hostlist[0] == NULL || c->transport_config == NULL)
		return -DER_NOMEM;
	ctl_transport_defaults(c->transport_config, "admin");
	return c->port > UINT16_MAX ? -DER_INVAL : 0;
}

int
ctl_client_config_load(const char *path, struct ctl_client_config **ret_config, char *errors, size_t errors_bytes)
{
	struct ctl_client_config *config = NULL;
	const char               *home = getenv("HOME");
	char                      in_home[4096];
	int                       rc;

	errors[0] = '\0';
	snprintf(in_home, sizeof(in_home), "%s/.daos_control.yml", home ? home : "");
	if (path == NULL && home != NULL && access(in_home, F_OK) == 0)
		path = in_home;
	if (path == NULL && access("/etc/daos/daos_control.yml", F_OK) == 0)
		path = "/etc/daos/daos_control.yml";
	if (path == NULL)
		config = calloc(1, sizeof(*config));
	rc = path == NULL ? (config ? 0 : -DER_NOMEM)
			  : ctl_config_load(path, &client_schema, (void **)&config, errors, errors_bytes);
	if (rc != 0)
		return rc;
	rc = client_defaults(config);
	if (rc != 0) {
		snprintf(errors, errors_bytes, "port %u is out of range", config->port);
		ctl_client_config_free(config);
		return rc;
	}
	*ret_config = config;
	return 0;
}

void
ctl_client_config_free(struct ctl_client_config *config)
{
	ctl_config_free(&client_schema, config);
}
