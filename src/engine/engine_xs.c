/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/**
 * One xstream: a ULT scheduler's thread with a network context, an I/O ring, a request scheduler, a
 * task scheduler and the modules' data. It is built from outside in steps, each a ULT that ran on it: start (thread,
 * context, ring), module data, ... and taken down in the reverse order.
 *
 * Invariant: dx_tls[i] is the data of the module with id i, NULL where the module keeps none here.
 */
#define D_LOGFAC LOG_FAC_SERVER
#include <daos_errno.h>
#include "base/log.h"
#include "engine/engine_internal.h"
#include "platform/platform.h"

struct dss_xstream *
dss_self(void)
{
	struct ult_xs *xs = ult_xs_self();

	D_ASSERT(xs != NULL && ult_xs_get_data(xs) != NULL);
	return ult_xs_get_data(xs);
}

struct engine *
dss_engine(void)
{
	return dss_self()->dx_engine;
}

/* ---- steps, each run in a ULT of the xstream ---- */

MAY_YIELD static int
xs_open(void *arg)
{
	struct engine_xs *exs = arg;
	struct engine    *eng = exs->pub.dx_engine;
	int               rc = engine_net_xs_open(exs);

	if (rc == 0)
		rc = engine_sched_init(&exs->sched, &exs->pub, exs->tags == DSS_HAS_TGT);
	if (rc == 0)
		rc = engine_tasks_open(exs);
	if (rc != 0)
		return rc;
	rc = bio_ctx_create(&exs->pub.dx_bio);
	if (rc != 0) {
		D_ERROR("%s: I/O ring of xstream %u cannot be made: " DF_RC, eng->name,
			exs->pub.dx_id, DP_RC(rc));
		return rc;
	}
	exs->bio_open = true;
	exs->pub.dx_store.ctx = exs->pub.dx_bio;
	if (exs->pub.dx_tgt_id >= 0)
		engine_store_of(eng, exs->pub.dx_tgt_id, &exs->pub.dx_store);
	else
		engine_store_of(eng, BIO_TGT_SYS, &exs->pub.dx_store);
	return 0;
}

MAY_YIELD int
engine_xs_close(void *arg)
{
	struct engine_xs *exs = arg;

	if (exs->bio_open) {
		vos_store_fini(&exs->pub.dx_store);
		bio_ctx_destroy(exs->pub.dx_bio);
	}
	exs->bio_open = false;
	engine_net_xs_close(exs); /* what tasks wait for ends, so most of them do */
	engine_tasks_close(exs);
	engine_sched_fini(&exs->sched);
	return 0;
}

static bool
key_lives_here(const struct engine_xs *exs, const struct dss_module *mod)
{
	return mod->sm_key != NULL && (mod->sm_key->tags & exs->tags) != 0;
}

MAY_YIELD int
engine_xs_tls_fini(void *arg)
{
	struct engine_xs *exs = arg;
	struct engine    *eng = exs->pub.dx_engine;

	for (int i = (int)eng->mod_nr - 1; i >= 0; i--) {
		const struct dss_module *mod = eng->mods[i].mod;
		void                   **slot = &exs->pub.dx_tls[mod->sm_mod_id];

		if (*slot != NULL && mod->sm_key->fini != NULL)
			mod->sm_key->fini(&exs->pub, *slot);
		*slot = NULL;
	}
	return 0;
}

int
engine_xs_tls_init(void *arg)
{
	struct engine_xs *exs = arg;
	struct engine    *eng = exs->pub.dx_engine;

	for (uint32_t i = 0; i < eng->mod_nr; i++) {
		const struct dss_module *mod = eng->mods[i].mod;
		void                    *data;

		if (!key_lives_here(exs, mod))
			continue;
		data = mod->sm_key->init(&exs->pub);
		if (data == NULL) {
			D_ERROR("%s: module %s cannot make its data on xstream %u", eng->name,
				mod->sm_name, exs->pub.dx_id);
			return -DER_NOMEM;
		}
		exs->pub.dx_tls[mod->sm_mod_id] = data;
	}
	return 0;
}

void *
dss_module_tls(const struct dss_module_key *key)
{
	return dss_self()->dx_tls[key->index];
}

/* ---- calls from outside ---- */

struct xs_call {
	int (*fn)(void *arg);
	void *arg;
	int   rc;
};

MAY_YIELD static void
xs_call_ult(void *arg)
{
	struct xs_call *call = arg;

	call->rc = call->fn(call->arg);
}

MAY_YIELD int
engine_xs_call(struct engine_xs *exs, int (*fn)(void *arg), void *arg)
{
	struct xs_call call = {.fn = fn, .arg = arg};
	struct ult    *ult;
	int            rc = ult_create(exs->pub.dx_xs, ULT_POOL_GENERIC, xs_call_ult, &call, 0, &ult);

	if (rc != 0)
		return rc;
	ult_join(ult);
	return call.rc;
}

/* ---- start and stop ---- */

static void
xs_classify(struct engine_xs *exs)
{
	struct engine *eng = exs->pub.dx_engine;
	uint32_t       id = exs->pub.dx_id;

	exs->pub.dx_tgt_id = -1;
	if (id == DSS_TAG_SYS) {
		exs->tags = DSS_HAS_SYS;
		snprintf(exs->name, sizeof(exs->name), "daos_sys");
	} else if (id == DSS_TAG_MON) {
		exs->tags = DSS_HAS_MON;
		snprintf(exs->name, sizeof(exs->name), "daos_mon");
	} else if (id < DSS_XS_OF_TGT(eng->tgt_nr)) {
		exs->tags = DSS_HAS_TGT;
		exs->pub.dx_tgt_id = id - DSS_TAG_TGT0;
		snprintf(exs->name, sizeof(exs->name), "daos_tgt_%d", exs->pub.dx_tgt_id);
	} else {
		snprintf(exs->name, sizeof(exs->name), "daos_hlp_%u", id - DSS_XS_OF_TGT(eng->tgt_nr));
	}
}

static int
xs_core(const struct engine *eng, uint32_t id)
{
	unsigned core_nr = plat_core_nr();

	if (eng->numa_node >= 0) {
		int first = MAX_OF(eng->first_core, 0);

		return plat_node_core(eng->numa_node, first + eng->xs_nr - 1) < 0
			   ? -1 : plat_node_core(eng->numa_node, first + id);
	}
	/* More xstreams than cores: leave them to the kernel, a bound one could not move away. */
	if (eng->first_core < 0 || core_nr < eng->first_core + eng->xs_nr)
		return -1;
	return eng->first_core + id;
}

MAY_YIELD static void
xs_first_ult(void *arg)
{
	struct engine_xs *exs = arg;

	ult_xs_set_data(ult_xs_self(), &exs->pub);
}

MAY_YIELD int
engine_xs_start(struct engine *eng, uint32_t id, struct engine_xs **ret_exs)
{
	struct ult_xs_attr attr = {0};
	struct engine_xs  *exs = calloc(1, sizeof(*exs));
	int                rc;

	if (exs == NULL)
		return -DER_NOMEM;
	exs->pub.dx_engine = eng;
	exs->pub.dx_id = id;
	xs_classify(exs);
	exs->pub.dx_tls = calloc(ENGINE_MOD_MAX, sizeof(void *));
	if (exs->pub.dx_tls == NULL) {
		free(exs);
		return -DER_NOMEM;
	}
	attr.name = exs->name;
	attr.core = xs_core(eng, id);
	attr.stack_nr = ENGINE_STACK_NR;
	attr.accounts = true;
	attr.long_ns = eng->long_ns;
	rc = ult_xs_create(&attr, xs_first_ult, exs, &exs->pub.dx_xs);
	if (rc != 0) {
		D_ERROR("%s: xstream %u cannot be started: " DF_RC, eng->name, id, DP_RC(rc));
		free(exs->pub.dx_tls);
		free(exs);
		return rc;
	}
	rc = engine_xs_call(exs, xs_open, exs);
	if (rc != 0) {
		if (engine_xs_call(exs, engine_xs_close, exs) != 0)
			D_ERROR("%s: xstream %u leaks its context", eng->name, id);
		engine_xs_stop(exs);
		return rc;
	}
	*ret_exs = exs;
	return 0;
}

void
engine_xs_stop(struct engine_xs *exs)
{
	ult_xs_stop(exs->pub.dx_xs);
	free(exs->pub.dx_tls);
	free(exs);
}
