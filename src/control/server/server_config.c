/* SPDX-License-Identifier: BSD-2-Clause-Patent */
#include <ctype.h>
#include <daos_errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/util.h"
#include "control/common/cli_text.h"
#include "control/server/server_config.h"

/** Streams of an engine besides targets and helpers: the one that serves the system, and SWIM's. */
#define SYSTEM_STREAM_NR 2

#define OPT CYAML_FLAG_OPTIONAL
#define STR(key, type, member) CYAML_FIELD_STRING_PTR(key, OPT | CYAML_FLAG_POINTER, type, member, 0, 4096)

static const cyaml_schema_value_t string_schema = {CYAML_VALUE_STRING(CYAML_FLAG_POINTER, char, 0, 4096)};
#define STRS(key, type, member) CYAML_FIELD_SEQUENCE(key, OPT | CYAML_FLAG_POINTER, type, member, &string_schema, 0, 1024)

static const cyaml_schema_value_t number_schema = {CYAML_VALUE_UINT(CYAML_FLAG_DEFAULT, uint32_t)};
#define NUMBERS(key, type, member) CYAML_FIELD_SEQUENCE(key, OPT | CYAML_FLAG_POINTER, type, member, &number_schema, 0, 64)

static const cyaml_schema_field_t faulty_fields[] = {
    CYAML_FIELD_BOOL("enable", OPT, struct server_auto_faulty, enable),
    CYAML_FIELD_UINT_PTR("max_io_errs", OPT | CYAML_FLAG_POINTER, struct server_auto_faulty, max_io_errs),
    CYAML_FIELD_UINT_PTR("max_csum_errs", OPT | CYAML_FLAG_POINTER, struct server_auto_faulty, max_csum_errs),
    CYAML_FIELD_END};

static const cyaml_schema_field_t tier_fields[] = {
    STR("class", struct server_tier, class),
    STR("scm_mount", struct server_tier, scm_mount),
    STR("scm_size", struct server_tier, scm_size),
    CYAML_FIELD_IGNORE("scm_list", OPT),
    CYAML_FIELD_IGNORE("scm_hugepages_disabled", OPT),
    STRS("bdev_list", struct server_tier, bdev_list),
    STR("bdev_size", struct server_tier, bdev_size),
    STRS("bdev_roles", struct server_tier, bdev_roles),
    CYAML_FIELD_IGNORE("bdev_busid_range", OPT),
    CYAML_FIELD_MAPPING_PTR("bdev_auto_faulty", OPT | CYAML_FLAG_POINTER, struct server_tier, bdev_auto_faulty, faulty_fields),
    CYAML_FIELD_IGNORE("spdk_iobuf", OPT),
    CYAML_FIELD_END};
static const cyaml_schema_value_t tier_schema = {CYAML_VALUE_MAPPING(CYAML_FLAG_DEFAULT, struct server_tier, tier_fields)};

static const cyaml_schema_field_t engine_fields[] = {
    CYAML_FIELD_UINT("targets", OPT, struct server_engine_config, targets),
    CYAML_FIELD_UINT("nr_xs_helpers", OPT, struct server_engine_config, nr_xs_helpers),
    CYAML_FIELD_UINT_PTR("pinned_numa_node", OPT | CYAML_FLAG_POINTER, struct server_engine_config, pinned_numa_node),
    CYAML_FIELD_UINT_PTR("first_core", OPT | CYAML_FLAG_POINTER, struct server_engine_config, first_core),
    CYAML_FIELD_IGNORE("bypass_health_chk", OPT),
    STR("fabric_iface", struct server_engine_config, fabric_iface),
    STR("fabric_iface_port", struct server_engine_config, fabric_iface_port),
    NUMBERS("secondary_provider_endpoints", struct server_engine_config, secondary_endpoints),
    STR("log_mask", struct server_engine_config, log_mask),
    STR("log_file", struct server_engine_config, log_file),
    STRS("env_vars", struct server_engine_config, env_vars),
    CYAML_FIELD_SEQUENCE("storage", OPT | CYAML_FLAG_POINTER, struct server_engine_config, storage, &tier_schema, 0, 16),
    CYAML_FIELD_END};
static const cyaml_schema_value_t engine_schema = {
    CYAML_VALUE_MAPPING(CYAML_FLAG_DEFAULT, struct server_engine_config, engine_fields)};

static const cyaml_schema_field_t metadata_fields[] = {
    CYAML_FIELD_STRING_PTR("path", OPT | CYAML_FLAG_POINTER, __typeof__(((struct server_config *)0)->control_metadata), path, 0, 4096),
    CYAML_FIELD_STRING_PTR("device", OPT | CYAML_FLAG_POINTER, __typeof__(((struct server_config *)0)->control_metadata), device, 0,
			   4096),
    CYAML_FIELD_END};

static const cyaml_schema_field_t config_fields[] = {
    STR("name", struct server_config, name),
    STRS("mgmt_svc_replicas", struct server_config, ms_replicas),
    STRS("access_points", struct server_config, access_points),
    CYAML_FIELD_MAPPING("control_metadata", OPT, struct server_config, control_metadata, metadata_fields),
    CYAML_FIELD_UINT("port", OPT, struct server_config, port),
    STR("control_iface", struct server_config, control_iface),
    CYAML_FIELD_MAPPING("transport_config", OPT, struct server_config, transport_config, ctl_transport_fields),
    STR("fault_path", struct server_config, fault_path),
    CYAML_FIELD_IGNORE("fault_cb", OPT),
    STR("provider", struct server_config, provider),
    NUMBERS("secondary_provider_endpoints", struct server_config, secondary_endpoints),
    CYAML_FIELD_UINT("crt_timeout", OPT, struct server_config, crt_timeout),
    CYAML_FIELD_IGNORE("disable_srx", OPT),
    CYAML_FIELD_IGNORE("fabric_auth_key", OPT),
    CYAML_FIELD_IGNORE("core_dump_filter", OPT),
    CYAML_FIELD_IGNORE("bdev_exclude", OPT),
    CYAML_FIELD_IGNORE("disable_vfio", OPT),
    CYAML_FIELD_IGNORE("disable_vmd", OPT),
    CYAML_FIELD_IGNORE("disable_hotplug", OPT),
    CYAML_FIELD_IGNORE("hyperthreads", OPT),
    STR("socket_dir", struct server_config, socket_dir),
    CYAML_FIELD_IGNORE("nr_hugepages", OPT),
    CYAML_FIELD_IGNORE("disable_hugepages", OPT),
    CYAML_FIELD_IGNORE("allow_numa_imbalance", OPT),
    CYAML_FIELD_IGNORE("allow_thp", OPT),
    CYAML_FIELD_IGNORE("kernel_config_path", OPT),
    CYAML_FIELD_IGNORE("system_ram_reserved", OPT),
    STR("control_log_mask", struct server_config, control_log_mask),
    STR("control_log_file", struct server_config, control_log_file),
    CYAML_FIELD_IGNORE("control_log_json", OPT),
    CYAML_FIELD_IGNORE("helper_log_file", OPT),
    CYAML_FIELD_IGNORE("telemetry_port", OPT),
    CYAML_FIELD_BOOL("disable_engine_auto_restart", OPT, struct server_config, disable_engine_auto_restart),
    CYAML_FIELD_UINT("engine_auto_restart_min_delay", OPT, struct server_config, engine_auto_restart_min_delay),
    STRS("client_env_vars", struct server_config, client_env_vars),
    CYAML_FIELD_IGNORE("support_config", OPT),
    CYAML_FIELD_SEQUENCE("engines", OPT | CYAML_FLAG_POINTER, struct server_config, engines, &engine_schema, 0, 64),
    CYAML_FIELD_END};
static const cyaml_schema_value_t config_schema = {
    CYAML_VALUE_MAPPING(CYAML_FLAG_POINTER, struct server_config, config_fields)};

int
server_size(const char *text, uint64_t *ret_bytes)
{
	const char *p = text;
	uint64_t    bytes;

	while (isdigit((unsigned char)*p))
		p++;
	if (text_parse_size(text, &bytes) != 0)
		return -DER_INVAL;
	if (*p == '\0' && bytes >= (1ULL << 33))
		return -DER_INVAL;
	*ret_bytes = *p == '\0' ? bytes << 30 : bytes;
	return 0;
}

const struct server_tier *
server_ram_tier(const struct server_engine_config *engine)
{
	uint32_t i;

	for (i = 0; i < engine->storage_count; i++)
		if (engine->storage[i].class != NULL && strcmp(engine->storage[i].class, "ram") == 0)
			return &engine->storage[i];
	return NULL;
}

uint32_t
server_tier_roles(const struct server_tier *tier)
{
	uint32_t i, roles = 0;

	for (i = 0; i < tier->bdev_roles_count; i++)
		roles |= strcmp(tier->bdev_roles[i], "wal") == 0    ? 1
			 : strcmp(tier->bdev_roles[i], "meta") == 0 ? 2
			 : strcmp(tier->bdev_roles[i], "data") == 0 ? 4
								    : 8;
	return tier->bdev_roles_count ? roles : 7;
}

/* ---- checks ---- */

struct checker {
	char  *errors;
	size_t bytes;
};

static int __attribute__((format(printf, 2, 3)))
refuse(struct checker *c, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(c->errors, c->bytes, fmt, ap);
	va_end(ap);
	return -DER_INVAL;
}

static int
check_tier(struct checker *c, const struct server_tier *t, uint32_t e, uint32_t i, uint32_t *roles)
{
	uint64_t bytes = 0;

	if (t->class == NULL)
		return refuse(c, "engines[%u].storage[%u]: class is missing (ram, file or kdev)", e, i);
	if (strcmp(t->class, "ram") == 0) {
		if (t->scm_mount == NULL)
			return refuse(c, "engines[%u].storage[%u]: scm_mount is missing: a directory for the engine's own files", e, i);
		if (t->scm_size != NULL && server_size(t->scm_size, &bytes) != 0)
			return refuse(c, "engines[%u].storage[%u]: scm_size '%s' is no size (4 is 4 GiB, or 512MiB)", e, i, t->scm_size);
		return 0;
	}
	if (strcmp(t->class, "nvme") == 0 || strcmp(t->class, "dcpm") == 0)
		return refuse(c, "engines[%u].storage[%u]: class %s needs drivers this system does without: use kdev with the block "
			      "device (/dev/nvme0n1), or file", e, i, t->class);
	if (strcmp(t->class, "file") != 0 && strcmp(t->class, "kdev") != 0)
		return refuse(c, "engines[%u].storage[%u]: class '%s' is unknown (ram, file or kdev)", e, i, t->class);
	if (t->bdev_list_count == 0)
		return refuse(c, "engines[%u].storage[%u]: bdev_list is empty: give the %s", e, i,
			      strcmp(t->class, "file") == 0 ? "file's path" : "block device");
	if (strcmp(t->class, "file") == 0 && (t->bdev_size == NULL || server_size(t->bdev_size, &bytes) != 0 || bytes < (256u << 20)))
		return refuse(c, "engines[%u].storage[%u]: bdev_size is missing, no size, or below 256MiB", e, i);
	if (server_tier_roles(t) & 8)
		return refuse(c, "engines[%u].storage[%u]: bdev_roles are wal, meta and data", e, i);
	*roles |= server_tier_roles(t);
	return 0;
}

/** Of secondary_provider_endpoints; @where "" or "engines[0]: ". */
static int
check_endpoints(struct checker *c, const uint32_t *endpoints, uint32_t nr, uint32_t secondary_nr, const char *where)
{
	uint32_t i;

	if (nr > 0 && nr != secondary_nr)
		return refuse(c, "%ssecondary_provider_endpoints has %u value%s, wanted one for each secondary provider: %u", where, nr,
			      nr == 1 ? "" : "s", secondary_nr);
	for (i = 0; i < nr; i++)
		if (endpoints[i] == 0)
			return refuse(c, "%ssecondary_provider_endpoints: value %u is 0, wanted 1 or more", where, i + 1);
	return 0;
}

/** So many ports from the first on does an engine use of each provider: one for each stream. */
static uint64_t
port_nr(const struct server_engine_config *eng)
{
	return (uint64_t)eng->targets + eng->nr_xs_helpers + SYSTEM_STREAM_NR;
}

/** Two engines of one host: neither may have the other's directory, or ports. */
static int
check_pair(struct checker *c, const struct server_config *cfg, uint32_t k, uint32_t i)
{
	const struct server_engine_config *a = &cfg->engines[k], *b = &cfg->engines[i];
	uint32_t                           n, m;

	if (strcmp(server_ram_tier(a)->scm_mount, server_ram_tier(b)->scm_mount) == 0)
		return refuse(c, "engines[%u] and engines[%u] have the same scm_mount", k, i);
	for (n = 0; n < a->fabric.nr; n++) {
		for (m = 0; m < b->fabric.nr; m++) {
			const struct server_provider *p = &a->fabric.of[n], *q = &b->fabric.of[m];

			if (strcmp(p->iface, q->iface) == 0 && p->port < q->port + port_nr(b) && q->port < p->port + port_nr(a))
				return refuse(c, "engines[%u] and engines[%u]: fabric_iface_port %u and %u overlap on %s: they use %llu and %llu "
					      "ports from there on, set them farther apart", k, i, p->port, q->port, p->iface,
					      (unsigned long long)port_nr(a), (unsigned long long)port_nr(b));
		}
	}
	return 0;
}

static int
check_fabric(struct checker *c, const struct server_config *cfg, struct server_engine_config *eng, uint32_t e)
{
	char why[1024], where[32];

	snprintf(where, sizeof(where), "engines[%u]: ", e);
	if (server_fabric_parse(cfg->provider, eng->fabric_iface, eng->fabric_iface_port, port_nr(eng), &eng->fabric, why, sizeof(why)) != 0)
		return refuse(c, "%s%s", where, why);
	return check_endpoints(c, eng->secondary_endpoints, eng->secondary_endpoints_count, eng->fabric.nr - 1, where);
}

static int
check_engine(struct checker *c, const struct server_config *cfg, uint32_t e)
{
	struct server_engine_config *eng = &cfg->engines[e];
	uint32_t i, roles = 0;
	int      rc;

	if (eng->targets == 0 || eng->targets > 128)
		return refuse(c, "engines[%u]: targets is %u: wanted 1 to 128", e, eng->targets);
	rc = check_fabric(c, cfg, eng, e);
	if (rc != 0)
		return rc;
	if (server_ram_tier(eng) == NULL)
		return refuse(c, "engines[%u]: storage has no tier of class ram", e);
	for (i = 0; i < eng->storage_count; i++) {
		rc = check_tier(c, &eng->storage[i], e, i, &roles);
		if (rc != 0)
			return rc;
	}
	if (roles != 0 && roles != 7)
		return refuse(c, "engines[%u]: the tiers' bdev_roles leave out one of wal, meta, data", e);
	return 0;
}

static int
check_config(struct checker *c, const struct server_config *cfg)
{
	uint32_t i, k;
	int      rc;

	if (cfg->port == 0 || cfg->port > UINT16_MAX)
		return refuse(c, "port %u is out of range", cfg->port);
	if (cfg->engines_count == 0)
		return refuse(c, "engines: none is configured");
	if (cfg->ms_replicas_count > 1)
		return refuse(c, "mgmt_svc_replicas: %u are given; this version keeps the system database on one: name one host",
			      cfg->ms_replicas_count);
	for (i = 0; i < cfg->engines_count; i++) {
		rc = check_engine(c, cfg, i);
		for (k = 0; k < i && rc == 0; k++)
			rc = check_pair(c, cfg, k, i);
		if (rc != 0)
			return rc;
	}
	return check_endpoints(c, cfg->secondary_endpoints, cfg->secondary_endpoints_count, cfg->engines[0].fabric.nr - 1, "");
}

static int
fill_defaults(struct server_config *cfg)
{
	const struct { const char **field, *value; } defaults[] = {
	    {&cfg->name, CTL_SYS_DEFAULT}, {&cfg->provider, "ofi+tcp"}, {&cfg->socket_dir, "/var/run/daos_server"},
	    {&cfg->control_log_mask, "INFO"}};
	uint32_t i;

	for (i = 0; i < ARRAY_NR(defaults); i++)
		if (*defaults[i].field == NULL && (*defaults[i].field = strdup(defaults[i].value)) == NULL)
			return -DER_NOMEM;
	if (cfg->port == 0)
		cfg->port = CTL_PORT_DEFAULT;
	if (cfg->engine_auto_restart_min_delay == 0)
		cfg->engine_auto_restart_min_delay = 300;
	if (cfg->ms_replicas_count == 0 && cfg->access_points_count > 0) {
		cfg->ms_replicas = cfg->access_points;
		cfg->ms_replicas_count = cfg->access_points_count;
		cfg->access_points = NULL;
		cfg->access_points_count = 0;
	}
	ctl_transport_defaults(&cfg->transport_config, "server");
	return 0;
}

int
server_config_check(struct server_config *config, char *errors, size_t errors_bytes)
{
	struct checker c = {errors, errors_bytes};

	return check_config(&c, config);
}

int
server_config_load(const char *path, struct server_config **ret_config, char *errors, size_t errors_bytes)
{
	struct server_config *cfg;
	int                   rc = ctl_config_load(path, &config_schema, (void **)&cfg, errors, errors_bytes);

	if (rc != 0)
		return rc;
	rc = fill_defaults(cfg);
	if (rc == 0)
		rc = server_config_check(cfg, errors, errors_bytes);
	if (rc != 0) {
		server_config_free(cfg);
		return rc;
	}
	*ret_config = cfg;
	return 0;
}

void
server_config_free(struct server_config *config)
{
	ctl_config_free(&config_schema, config);
}
