/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/** A counter as a replicated service: bootstrap, restart, references, three replicas, failures. */
#include "engine_testlib.h"
#include <daos_errno.h>
#include "platform/platform.h"
#include "rdb/rdb_internal.h"
#include "rsvc/rsvc.h"

#define DEV_BYTES (192u << 20)
#define DB_BYTES  (32u << 20)

/* ---- the service ---- */

struct counter {
	struct rsvc svc;
	uint64_t    value; /**< loaded by step_up */
	bool        is_up;
};

static _Atomic int alloc_nr, up_nr, down_nr, boot_nr;
static _Atomic int boot_rc;

static struct rdb_path root_path;
static char            key_name[] = "value";

static struct rsvc *
counter_alloc(struct engine *eng, const uuid_t uuid)
{
	struct counter *c = calloc(1, sizeof(*c));

	(void)eng;
	(void)uuid;
	alloc_nr++;
	return &c->svc;
}

static void
counter_free(struct rsvc *svc)
{
	alloc_nr--;
	free(CONTAINER_OF(svc, struct counter, svc));
}

MAY_YIELD static int
counter_write(struct rsvc *svc, uint64_t value)
{
	struct rdb_tx *tx;
	d_iov_t        key, val;
	int            rc = rdb_tx_begin(svc->rs_rdb, svc->rs_term, &tx);

	if (rc != 0)
		return rc;
	d_iov_set(&key, key_name, sizeof(key_name));
	d_iov_set(&val, &value, sizeof(value));
	rc = rdb_tx_update(tx, &root_path, &key, &val);
	if (rc == 0)
		rc = rdb_tx_commit(tx);
	rdb_tx_end(tx);
	return rc;
}

MAY_YIELD static int
counter_bootstrap(struct rsvc *svc, void *arg)
{
	boot_nr++;
	if (boot_rc != 0)
		return boot_rc;
	return counter_write(svc, *(uint64_t *)arg);
}

MAY_YIELD static int
counter_step_up(struct rsvc *svc)
{
	struct counter *c = CONTAINER_OF(svc, struct counter, svc);
	struct rdb_tx  *tx;
	d_iov_t         key, val;
	int             rc = rdb_tx_begin(svc->rs_rdb, svc->rs_term, &tx);

	if (rc != 0)
		return rc;
	assert_false(c->is_up);
	d_iov_set(&key, key_name, sizeof(key_name));
	d_iov_set(&val, &c->value, sizeof(c->value));
	rc = rdb_tx_lookup(tx, &root_path, &key, &val);
	rdb_tx_end(tx);
	if (rc != 0)
		return rc == -DER_NONEXIST ? -DER_UNINIT : rc;
	c->is_up = true;
	up_nr++;
	return 0;
}

MAY_YIELD static void
counter_step_down(struct rsvc *svc)
{
	struct counter *c = CONTAINER_OF(svc, struct counter, svc);

	assert_true(c->is_up);
	assert_int_equal(svc->rs_leader_ref, 0);
	c->is_up = false;
	down_nr++;
}

static const struct rsvc_ops counter_ops = {.alloc = counter_alloc,
					    .free = counter_free,
					    .bootstrap = counter_bootstrap,
					    .step_up = counter_step_up,
					    .step_down = counter_step_down};

MAY_YIELD static int
mod_init(struct engine *eng)
{
	return rsvc_class_register(eng, RSVC_CLASS_POOL, &counter_ops);
}

MAY_YIELD static int
mod_setup(struct engine *eng)
{
	return rsvc_start_all(eng, RSVC_CLASS_POOL);
}

MAY_YIELD static void
mod_fini(struct engine *eng)
{
	(void)eng;
}

static const struct dss_module counter_module = {
    .sm_name = "counter", .sm_mod_id = CRT_MOD_RDBT, .sm_init = mod_init, .sm_fini = mod_fini, .sm_setup = mod_setup};
static const struct dss_module *const modules[] = {&dss_module_rdb, &dss_module_rsvc, &counter_module, NULL};

/* ---- what tests ask of an engine ---- */

struct job {
	struct engine *eng;
	uuid_t         uuid;
	d_rank_t       ranks[3];
	uint32_t       rank_nr;
	uint64_t       first;     /**< bootstrap value; 0: not the one that bootstraps */
	bool           destroy;
	uint64_t       value;     /**< seen by increment */
	struct rsvc_hint hint;
};

MAY_YIELD static int
create_ult(void *arg)
{
	struct job   *job = arg;
	d_rank_list_t list = {.rl_ranks = job->ranks, .rl_nr = job->rank_nr};

	return rsvc_create(job->eng, RSVC_CLASS_POOL, job->uuid, &list, DB_BYTES, job->first != 0 ? &job->first : NULL);
}

MAY_YIELD static int
stop_ult(void *arg)
{
	struct job *job = arg;

	return rsvc_stop(job->eng, RSVC_CLASS_POOL, job->uuid, job->destroy);
}

MAY_YIELD static int
start_ult(void *arg)
{
	struct job *job = arg;

	return rsvc_start(job->eng, RSVC_CLASS_POOL, job->uuid);
}

MAY_YIELD static int
increment_ult(void *arg)
{
	struct job     *job = arg;
	struct rsvc    *svc;
	struct counter *c;
	int             rc = rsvc_lookup_leader(job->eng, RSVC_CLASS_POOL, job->uuid, &svc, &job->hint);

	if (rc != 0)
		return rc;
	c = CONTAINER_OF(svc, struct counter, svc);
	assert_true(c->is_up);
	rc = counter_write(svc, c->value + 1);
	if (rc == 0)
		job->value = ++c->value;
	rsvc_put_leader(svc);
	return rc;
}

/** Until a leader took it. */
static void
increment(struct job *jobs, uint32_t nr, uint64_t expect)
{
	int rc;

	for (uint32_t i = 0;; i = (i + 1) % nr) {
		rc = et_run(jobs[i].eng, 0, increment_ult, &jobs[i]);
		if (rc == 0) {
			assert_int_equal(jobs[i].value, expect);
			return;
		}
		assert_true(rc == -DER_NOTLEADER || rc == -DER_INPROGRESS || rc == -DER_NOTREPLICA);
		sched_yield();
	}
}

static int
setup(void **state)
{
	static struct et_world w;

	setenv("RDB_ELECTION_TIMEOUT", "300", 1);
	setenv("RDB_REQUEST_TIMEOUT", "1000", 1);
	alloc_nr = up_nr = down_nr = boot_nr = boot_rc = 0;
	et_world_init(&w);
	*state = &w;
	return 0;
}

static int
teardown(void **state)
{
	et_world_fini(*state);
	assert_int_equal(alloc_nr, 0);
	return 0;
}

/* ---- tests ---- */

static void
test_bootstrap_and_restart(void **state)
{
	struct et_world *w = *state;
	struct et_opts   opts = {.modules = modules, .dev_name = "dev", .dev_bytes = DEV_BYTES};
	struct job       job = {.rank_nr = 1, .first = 100};

	plat_uuid_generate(job.uuid);
	job.eng = et_start(w, 0, &opts);
	assert_int_equal(et_run(job.eng, 0, increment_ult, &job), -DER_NOTREPLICA);
	assert_int_equal(et_run(job.eng, 0, create_ult, &job), 0);
	assert_int_equal(et_run(job.eng, 0, increment_ult, &job), 0); /* it is up when create returns */
	assert_int_equal(job.value, 101);
	assert_int_equal(job.hint.sh_flags, 1);
	assert_int_equal(job.hint.sh_rank, 0);
	assert_int_equal(et_run(job.eng, 0, create_ult, &job), -DER_ALREADY);
	for (uint64_t i = 0; i < 5; i++) {
		et_stop(w, 0); /* without a cleanup by hand */
		job.eng = et_start(w, 0, &opts);
		assert_int_equal(engine_setup(job.eng, 0), 0); /* starts all */
		increment(&job, 1, 102 + i);
	}
	assert_int_equal(et_run(job.eng, 0, stop_ult, &job), 0);
	assert_int_equal(et_run(job.eng, 0, stop_ult, &job), -DER_NONEXIST);
	assert_int_equal(et_run(job.eng, 0, start_ult, &job), 0);
	increment(&job, 1, 107);
	job.destroy = true;
	assert_int_equal(et_run(job.eng, 0, stop_ult, &job), 0);
	assert_int_equal(et_run(job.eng, 0, start_ult, &job), -DER_NONEXIST);
	assert_int_equal(boot_nr, 1);
	assert_int_equal(up_nr, down_nr);
}

static void
test_failed_bootstrap_leaves_nothing(void **state)
{
	struct et_world *w = *state;
	struct et_opts   opts = {.modules = modules, .dev_name = "dev", .dev_bytes = DEV_BYTES};
	struct job       job = {.rank_nr = 1, .first = 100};

	plat_uuid_generate(job.uuid);
	job.eng = et_start(w, 0, &opts);
	boot_rc = -DER_NOSPACE;
	assert_int_equal(et_run(job.eng, 0, create_ult, &job), -DER_NOSPACE);
	boot_rc = 0;
	assert_int_equal(alloc_nr, 0);
	assert_int_equal(et_run(job.eng, 0, start_ult, &job), -DER_NONEXIST);
	assert_int_equal(et_run(job.eng, 0, create_ult, &job), 0);
	assert_int_equal(et_run(job.eng, 0, increment_ult, &job), 0);
}

static void
test_never_bootstrapped_stays_down(void **state)
{
	struct et_world *w = *state;
	struct et_opts   opts = {.modules = modules, .dev_name = "dev", .dev_bytes = DEV_BYTES};
	struct job       job = {.rank_nr = 1};
	int              rc;

	plat_uuid_generate(job.uuid);
	job.eng = et_start(w, 0, &opts);
	assert_int_equal(et_run(job.eng, 0, create_ult, &job), 0);
	rc = et_run(job.eng, 0, increment_ult, &job);
	assert_true(rc == -DER_NOTLEADER || rc == -DER_INPROGRESS);
	assert_int_equal(up_nr, 0);
}

struct holder {
	struct job         *job;
	struct ult_eventual go;
	_Atomic int         held;
};

MAY_YIELD static int
hold_ult(void *arg)
{
	struct holder *h = arg;
	struct rsvc   *svc;

	assert_int_equal(rsvc_lookup_leader(h->job->eng, RSVC_CLASS_POOL, h->job->uuid, &svc, NULL), 0);
	h->held = 1;
	ult_eventual_wait(&h->go);
	assert_int_equal(down_nr, 0);
	rsvc_put_leader(svc);
	return 0;
}

MAY_YIELD static void
stopper_ult(void *arg)
{
	assert_int_equal(stop_ult(arg), 0);
}

MAY_YIELD static int
drain_ult(void *arg)
{
	struct holder *h = arg;
	struct rsvc   *svc;
	struct ult    *stopper;

	assert_int_equal(ult_create(NULL, ULT_POOL_GENERIC, stopper_ult, h->job, 0, &stopper), 0);
	for (int i = 0; i < 100; i++)
		ult_yield();
	/* draining: no new references, the class isn't told yet */
	assert_int_equal(rsvc_lookup_leader(h->job->eng, RSVC_CLASS_POOL, h->job->uuid, &svc, NULL), -DER_NOTLEADER);
	assert_int_equal(down_nr, 0);
	ult_eventual_set(&h->go, 0);
	ult_join(stopper);
	assert_int_equal(down_nr, 1);
	return 0;
}

static void
hold_thread(void *arg)
{
	struct holder *h = arg;

	assert_int_equal(et_run(h->job->eng, 0, hold_ult, h), 0);
}

static void
test_stop_waits_for_references(void **state)
{
	struct et_world    *w = *state;
	struct et_opts      opts = {.modules = modules, .dev_name = "dev", .dev_bytes = DEV_BYTES};
	struct job          job = {.rank_nr = 1, .first = 1};
	struct holder       h = {.job = &job};
	struct plat_thread *thread;

	plat_uuid_generate(job.uuid);
	ult_eventual_init(&h.go);
	job.eng = et_start(w, 0, &opts);
	assert_int_equal(et_run(job.eng, 0, create_ult, &job), 0);
	assert_int_equal(plat_thread_create("holder", hold_thread, &h, &thread), 0);
	while (!h.held)
		sched_yield();
	assert_int_equal(et_run(job.eng, 0, drain_ult, &h), 0);
	plat_thread_join(thread);
}

static void
test_three_replicas(void **state)
{
	struct et_world *w = *state;
	char             name[16];
	struct et_opts   opts = {.modules = modules, .dev_name = name, .dev_bytes = DEV_BYTES};
	struct job       jobs[3];
	uint64_t         expect = 1001;

	memset(jobs, 0, sizeof(jobs));
	plat_uuid_generate(jobs[0].uuid);
	for (int i = 0; i < 3; i++) {
		snprintf(name, sizeof(name), "dev%d", i);
		jobs[i].eng = et_start(w, i, &opts);
		jobs[i].rank_nr = 3;
		for (int k = 0; k < 3; k++)
			jobs[i].ranks[k] = k;
		uuid_copy(jobs[i].uuid, jobs[0].uuid);
	}
	et_group(w);
	jobs[0].first = 1000;
	for (int i = 2; i >= 0; i--) /* the one that bootstraps last */
		assert_int_equal(et_run(jobs[i].eng, 0, create_ult, &jobs[i]), 0);
	for (int i = 0; i < 5; i++)
		increment(jobs, 3, expect++);
	for (int round = 0; round < 3; round++) {
		int victim = -1;

		for (int i = 0; i < 3; i++) {
			int rc = et_run(jobs[i].eng, 0, increment_ult, &jobs[i]);

			if (rc == 0) {
				victim = i;
				assert_int_equal(jobs[i].value, expect++);
				break;
			}
		}
		if (victim < 0) {
			increment(jobs, 3, expect++);
			continue;
		}
		assert_int_equal(et_run(jobs[victim].eng, 0, stop_ult, &jobs[victim]), 0);
		increment(jobs, 3, expect++);
		assert_int_equal(et_run(jobs[victim].eng, 0, start_ult, &jobs[victim]), 0);
		increment(jobs, 3, expect++);
	}
	assert_int_equal(boot_nr, 1);
}

MAY_YIELD static int
fail_ult(void *arg)
{
	struct job  *job = arg;
	struct rsvc *svc;
	int          rc = rsvc_lookup_leader(job->eng, RSVC_CLASS_POOL, job->uuid, &svc, &job->hint);

	assert_int_equal(rc, 0);
	rdb_fail(svc->rs_rdb, -DER_NOMEM, "a test says so");
	assert_int_equal(counter_write(svc, 0), -DER_NOMEM);
	rsvc_put_leader(svc);
	return 0;
}

/** Its database failed: closed and opened again, with all that was stored. Ending meanwhile is fine. */
static void
test_failed_replica_runs_again(void **state)
{
	struct et_world *w = *state;
	struct et_opts   opts = {.modules = modules, .dev_name = "dev", .dev_bytes = DEV_BYTES};
	struct job       job = {.rank_nr = 1, .first = 100};

	plat_uuid_generate(job.uuid);
	job.eng = et_start(w, 0, &opts);
	assert_int_equal(et_run(job.eng, 0, create_ult, &job), 0);
	increment(&job, 1, 101);
	assert_int_equal(et_run(job.eng, 0, fail_ult, &job), 0);
	increment(&job, 1, 102);
	assert_int_equal(up_nr, 2);
	assert_int_equal(down_nr, 1);
	assert_int_equal(et_run(job.eng, 0, fail_ult, &job), 0);
}

int
main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(test_bootstrap_and_restart, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_failed_bootstrap_leaves_nothing, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_never_bootstrapped_stays_down, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_stop_waits_for_references, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_three_replicas, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_failed_replica_runs_again, setup, teardown),
	};

	if (argc > 1)
		cmocka_set_test_filter(argv[1]);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
