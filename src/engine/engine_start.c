/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/**
 * Start-up and shutdown, in order:
 *
 *     log, fault points, metrics -> devices -> networks -> modules found, protocols registered
 *     -> xstreams: 0 metadata, 1 monitoring, 2.. targets, then helpers
 *     -> sm_init of each module -> module data on each xstream -> dRPC listener -> SWIM -> running
 *
 * A step that fails undoes the steps before it in reverse, which is also what engine_stop() does
 * after it told the modules (sm_cleanup) and waited for the requests under way. When engine_stop()
 * returns, no ULT, request, thread or descriptor of the engine is left.
 *
 * Invariants:
 *  1. `state` is RUNNING exactly between the end of start-up and the start of shutdown; requests
 *     are run then only.
 *  2. Everything but `state` and the pressure hook is constant while RUNNING.
 */
#define D_LOGFAC LOG_FAC_SERVER
#include <daos_errno.h>
#include "base/log.h"
#include "base/telemetry.h"
#include "engine/engine_cast.h"
#include "engine/engine_internal.h"
#include "platform/platform.h"

/* ---- attributes ---- */

static int
check_attr(const struct engine_attr *attr)
{
	const char *name = attr->name != NULL ? attr->name : "engine";

	if (attr->tgt_nr == 0 || attr->tgt_nr > ENGINE_TGT_MAX) {
		D_ERROR("%s: %u targets: give 1 to %u", name, attr->tgt_nr, ENGINE_TGT_MAX);
		return -DER_INVAL;
	}
	if (attr->helper_nr > ENGINE_HELPER_MAX) {
		D_ERROR("%s: %u helpers: give at most %u", name, attr->helper_nr, ENGINE_HELPER_MAX);
		return -DER_INVAL;
	}
	if (attr->storage_path != NULL && access(attr->storage_path, F_OK) != 0) {
		D_ERROR("%s: storage path %s: %s", name, attr->storage_path, strerror(errno));
		return -DER_NONEXIST;
	}
	return 0;
}

static char *
dup_or_empty(const char *text)
{
	return strdup(text != NULL ? text : "");
}

static int
dup_or_null(const char *text, char **ret_copy)
{
	*ret_copy = text == NULL ? NULL : strdup(text);
	return text != NULL && *ret_copy == NULL ? -DER_NOMEM : 0;
}

static int
fabric_keep(struct engine *eng, const struct crt_attr *fabric)
{
	eng->fabric = *fabric;
	if (dup_or_null(fabric->provider, &eng->provider) != 0 || dup_or_null(fabric->interface, &eng->interface) != 0 ||
	    dup_or_null(fabric->domain, &eng->domain) != 0)
		return -DER_NOMEM;
	eng->fabric.provider = eng->provider;
	eng->fabric.interface = eng->interface;
	eng->fabric.domain = eng->domain;
	return 0;
}

static void
engine_free(struct engine *eng)
{
	d_faults_fini(&eng->faults);
	free(eng->xss);
	free(eng->name);
	free(eng->sys_name);
	free(eng->storage_path);
	free(eng->drpc_dir);
	free(eng->provider);
	free(eng->interface);
	free(eng->domain);
	free(eng);
	d_log_fini();
}

static int
arm_faults(struct engine *eng)
{
	const char *text = getenv("DAOS_FAULTS");

	d_faults_init(&eng->faults, plat_random());
	if (text == NULL)
		return 0;
	D_NOTE("%s: fault points armed by DAOS_FAULTS: %s", eng->name, text);
	return d_faults_parse(&eng->faults, text);
}

static uint64_t
long_ns_of_env(void)
{
	const char *text = getenv("DAOS_SCHED_LONG_MS");
	char       *end;
	uint64_t    ms;

	if (text == NULL || text[0] == '\0')
		return ENGINE_LONG_MS * NSEC_PER_MSEC;
	ms = strtoull(text, &end, 10);
	if (text[0] >= '0' && text[0] <= '9' && *end == '\0' && ms <= UINT32_MAX)
		return ms * NSEC_PER_MSEC;
	D_WARN("DAOS_SCHED_LONG_MS=%s is no number of milliseconds; using %u", text, ENGINE_LONG_MS);
	return ENGINE_LONG_MS * NSEC_PER_MSEC;
}

static int
engine_alloc(const struct engine_attr *attr, struct engine **ret_eng)
{
	struct engine *eng;
	int            rc = d_log_init();

	if (rc != 0)
		return rc;
	eng = calloc(1, sizeof(*eng));
	if (eng == NULL) {
		d_log_fini();
		return -DER_NOMEM;
	}
	eng->name = strdup(attr->name != NULL ? attr->name : "engine");
	eng->sys_name = strdup(attr->sys_name != NULL ? attr->sys_name : "daos_server");
	eng->storage_path = dup_or_empty(attr->storage_path);
	eng->drpc_dir = dup_or_empty(attr->drpc_dir);
	eng->tgt_nr = attr->tgt_nr;
	eng->helper_nr = attr->helper_nr;
	eng->xs_nr = DSS_XS_OF_TGT(attr->tgt_nr) + attr->helper_nr;
	eng->first_core = attr->first_core;
	eng->numa_node = attr->numa_node;
	eng->instance_idx = attr->instance_idx;
	eng->heap_bytes = attr->heap_bytes;
	eng->long_ns = long_ns_of_env();
	eng->relay_nr_min = attr->relay_nr_min != 0 ? attr->relay_nr_min : ENGINE_RELAY_NR_MIN;
	eng->xss = calloc(eng->xs_nr, sizeof(eng->xss[0]));
	atomic_store(&eng->state, ENGINE_STARTING);
	rc = arm_faults(eng);
	if (rc == 0)
		rc = fabric_keep(eng, &attr->fabric);
	if (eng->xss == NULL || eng->name == NULL || eng->sys_name == NULL ||
	    eng->storage_path == NULL || eng->drpc_dir == NULL)
		rc = -DER_NOMEM;
	if (rc != 0) {
		engine_free(eng);
		return rc;
	}
	*ret_eng = eng;
	return 0;
}

/** An engine that a control server runs shares its metrics by name; others keep them to themselves. */
static void
metrics_start(struct engine *eng)
{
	static const struct d_tm_clock clock = {plat_now_ns, plat_realtime_ns};
	struct d_tm_node              *node;
	char                           name[64];
	int                            rc;

	snprintf(name, sizeof(name), "/daos_engine_%u", eng->instance_idx);
	rc = d_tm_create(eng->drpc_dir[0] != '\0' ? name : NULL, 0, &clock, &eng->tm);
	if (rc != 0) {
		D_WARN("%s: runs without metrics: " DF_RC, eng->name, DP_RC(rc));
		eng->tm = NULL;
		return;
	}
	if (d_tm_add_metric(eng->tm, &node, D_TM_TIMESTAMP, "when the engine was started", "s", "started_at") == 0)
		d_tm_record_timestamp(eng->tm, node);
	if (d_tm_add_metric(eng->tm, &node, D_TM_GAUGE, "targets of the engine", "targets", "tgt_nr") == 0)
		d_tm_set_gauge(node, eng->tgt_nr);
}

/* ---- steps over all xstreams ---- */

static uint32_t
xs_running_nr(const struct engine *eng)
{
	uint32_t nr = 0;

	while (nr < eng->xs_nr && eng->xss[nr] != NULL)
		nr++;
	return nr;
}

MAY_YIELD static void
xs_stop_all(struct engine *eng)
{
	uint32_t nr = xs_running_nr(eng);

	/* Contexts go before threads: a context may still be sending to one that is closed later. */
	for (uint32_t i = nr; i-- > 0;) {
		if (engine_xs_call(eng->xss[i], engine_xs_close, eng->xss[i]) != 0)
			D_CRIT("%s: no memory to close xstream %u", eng->name, i);
	}
	for (uint32_t i = nr; i-- > 0;) {
		engine_xs_stop(eng->xss[i]);
		eng->xss[i] = NULL;
	}
}

MAY_YIELD static int
xs_start_all(struct engine *eng)
{
	for (uint32_t i = 0; i < eng->xs_nr; i++) {
		int rc = engine_xs_start(eng, i, &eng->xss[i]);

		if (rc != 0)
			return rc;
	}
	return 0;
}

MAY_YIELD static int
tls_init_all(struct engine *eng)
{
	int rc = 0;

	for (uint32_t i = 0; i < eng->xs_nr && rc == 0; i++)
		rc = engine_xs_call(eng->xss[i], engine_xs_tls_init, eng->xss[i]);
	return rc;
}

MAY_YIELD static void
tls_fini_all(struct engine *eng)
{
	for (uint32_t i = xs_running_nr(eng); i-- > 0;) {
		if (engine_xs_call(eng->xss[i], engine_xs_tls_fini, eng->xss[i]) != 0)
			D_CRIT("%s: no memory to end the modules on xstream %u", eng->name, i);
	}
}

MAY_YIELD static void
drain_all(struct engine *eng)
{
	for (uint32_t i = 0; i < xs_running_nr(eng); i++) {
		struct engine_sched *sched = &eng->xss[i]->sched;

		if (engine_xs_call(eng->xss[i], engine_sched_drain, sched) != 0)
			D_CRIT("%s: no memory to wait for the requests of xstream %u", eng->name, i);
	}
}

/* ---- module steps, as ULTs of the system xstream ---- */

MAY_YIELD static int
sys_init(void *arg)
{
	return engine_modules_init(arg);
}

MAY_YIELD static int
sys_fini(void *arg)
{
	engine_modules_fini(arg);
	return 0;
}

MAY_YIELD static int
sys_cleanup(void *arg)
{
	engine_modules_cleanup(arg);
	return 0;
}

MAY_YIELD static int
sys_setup(void *arg)
{
	return engine_modules_setup(arg);
}

MAY_YIELD static void
sys_do(struct engine *eng, int (*fn)(void *arg), const char *what)
{
	if (eng->xss[DSS_TAG_SYS] == NULL)
		return;
	if (engine_xs_call(eng->xss[DSS_TAG_SYS], fn, eng) != 0)
		D_CRIT("%s: no memory to %s", eng->name, what);
}

/* ---- start and stop ---- */

/** Undo whatever was done; each part knows whether it is there. */
MAY_YIELD static void
tear_down(struct engine *eng)
{
	atomic_store(&eng->state, ENGINE_STOPPING);
	sys_do(eng, engine_drpc_stop, "close the dRPC socket");
	if (xs_running_nr(eng) > DSS_TAG_MON) {
		if (engine_xs_call(eng->xss[DSS_TAG_MON], engine_swim_stop, eng) != 0)
			D_CRIT("%s: no memory to stop watching the others", eng->name);
		if (engine_xs_call(eng->xss[DSS_TAG_MON], engine_watch_stop, eng) != 0)
			D_CRIT("%s: no memory to stop watching the own xstreams", eng->name);
	}
	sys_do(eng, sys_cleanup, "clean up the modules");
	drain_all(eng);
	tls_fini_all(eng);
	sys_do(eng, sys_fini, "end the modules");
	xs_stop_all(eng);
	engine_modules_unload(eng);
	engine_nets_close(eng);
	engine_devs_close(eng);
	d_tm_destroy(eng->tm);
	engine_free(eng);
}

MAY_YIELD static int
bring_up(struct engine *eng, const struct engine_attr *attr)
{
	int rc;

	metrics_start(eng);
	rc = engine_devs_open(eng, attr);
	if (rc != 0)
		return rc;
	rc = engine_nets_open(eng, attr);
	if (rc == 0)
		rc = engine_proto_register(eng, &engine_cast_proto);
	if (rc == 0)
		rc = engine_modules_load(eng, attr);
	if (rc == 0)
		rc = xs_start_all(eng);
	if (rc == 0)
		rc = engine_xs_call(eng->xss[DSS_TAG_SYS], sys_init, eng);
	if (rc == 0)
		rc = tls_init_all(eng);
	if (rc == 0)
		rc = d_fault_error(&eng->faults, D_FAULT_ENGINE_START);
	if (rc == 0)
		rc = engine_xs_call(eng->xss[DSS_TAG_SYS], engine_drpc_start, eng);
	if (rc == 0)
		rc = engine_xs_call(eng->xss[DSS_TAG_MON], engine_swim_start, eng);
	if (rc == 0)
		rc = engine_xs_call(eng->xss[DSS_TAG_MON], engine_watch_start, eng);
	return rc;
}

MAY_YIELD int
engine_start(const struct engine_attr *attr, struct engine **ret_eng)
{
	struct engine *eng = NULL;
	int            rc = check_attr(attr);

	if (rc == 0)
		rc = engine_alloc(attr, &eng);
	if (rc != 0)
		return rc;
	rc = bring_up(eng, attr);
	if (rc != 0) {
		tear_down(eng);
		return rc;
	}
	atomic_store_explicit(&eng->state, ENGINE_RUNNING, memory_order_release);
	D_NOTE("%s: running, %u targets, %u helpers, %u modules", eng->name, eng->tgt_nr,
	       eng->helper_nr, eng->mod_nr);
	*ret_eng = eng;
	return 0;
}

MAY_YIELD int
engine_setup(struct engine *eng, d_rank_t rank)
{
	int rc;

	if (crt_rank_self(dss_crt(eng)) == CRT_NO_RANK)
		dss_rank_set(eng, rank);
	if (crt_rank_self(dss_crt(eng)) != rank) {
		D_ERROR("%s: is rank %u already, cannot become rank %u", eng->name,
			crt_rank_self(dss_crt(eng)), rank);
		return -DER_ALREADY;
	}
	rc = engine_xs_call(eng->xss[DSS_TAG_SYS], sys_setup, eng);
	if (rc == 0)
		D_NOTE("%s: rank %u is set up", eng->name, rank);
	return rc;
}

MAY_YIELD void
engine_stop(struct engine *eng)
{
	D_NOTE("%s: stopping", eng->name);
	tear_down(eng);
}

/* ---- what the engine says about itself ---- */

uint32_t
dss_tgt_nr(struct engine *eng)
{
	return eng->tgt_nr;
}

uint32_t
dss_xs_nr(struct engine *eng)
{
	return eng->xs_nr;
}

uint32_t
dss_instance_idx(struct engine *eng)
{
	return eng->instance_idx;
}

const struct crt_attr *
dss_fabric(struct engine *eng)
{
	return &eng->fabric;
}

struct d_tm *
dss_tm(struct engine *eng)
{
	return eng->tm;
}

struct d_faults *
dss_faults(struct engine *eng)
{
	return &eng->faults;
}

const char *
dss_storage_path(struct engine *eng)
{
	return eng->storage_path;
}

const char *
dss_sys_name(struct engine *eng)
{
	return eng->sys_name;
}

void *
dss_module_data(struct engine *eng, enum crt_mod_id mod)
{
	D_ASSERT((unsigned)mod < ENGINE_MOD_MAX);
	return eng->mod_data[mod];
}

void
dss_module_set_data(struct engine *eng, enum crt_mod_id mod, void *data)
{
	D_ASSERT((unsigned)mod < ENGINE_MOD_MAX);
	eng->mod_data[mod] = data;
}

const char *
engine_drpc_path(struct engine *eng)
{
	return eng->drpc_path;
}
