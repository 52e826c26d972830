/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/** Records of operations: found, forgotten by age and number, refused. */
#include "engine_testlib.h"
#include <daos_errno.h>
#include "base/hlc.h"
#include "platform/platform.h"
#include "rsvc/rsvc.h"
#include "rsvc/rsvc_ops.h"

#define DB_BYTES (32u << 20)
#define SEC      (HLC_UNITS_PER_NS * NSEC_PER_SEC)
#define T0       (1000 * SEC) /**< when all begins */

/* ---- a service that has nothing but records ---- */

static struct rsvc *the_svc;

static struct rsvc *
svc_alloc(struct engine *eng, const uuid_t uuid)
{
	the_svc = calloc(1, sizeof(*the_svc));
	return the_svc;
}

static void
svc_free(struct rsvc *svc)
{
	free(svc);
}

MAY_YIELD static struct rdb_tx *
tx_begin(void)
{
	struct rdb_tx *tx;

	assert_int_equal(rdb_tx_begin(the_svc->rs_rdb, the_svc->rs_term, &tx), 0);
	return tx;
}

MAY_YIELD static void
tx_end(struct rdb_tx *tx)
{
	assert_int_equal(rdb_tx_commit(tx), 0);
	rdb_tx_end(tx);
}

MAY_YIELD static int
svc_bootstrap(struct rsvc *svc, void *arg)
{
	struct rdb_tx *tx = tx_begin();

	assert_int_equal(rsvc_ops_bootstrap(tx), 0);
	tx_end(tx);
	return 0;
}

MAY_YIELD static int
svc_step_up(struct rsvc *svc)
{
	return 0;
}

MAY_YIELD static void
svc_step_down(struct rsvc *svc)
{
}

static const struct rsvc_ops svc_ops = {.alloc = svc_alloc,
					.free = svc_free,
					.bootstrap = svc_bootstrap,
					.step_up = svc_step_up,
					.step_down = svc_step_down};

MAY_YIELD static int
mod_init(struct engine *eng)
{
	return rsvc_class_register(eng, RSVC_CLASS_POOL, &svc_ops);
}

MAY_YIELD static void
mod_fini(struct engine *eng)
{
}

static const struct dss_module svc_module = {
    .sm_name = "records", .sm_mod_id = CRT_MOD_RDBT, .sm_init = mod_init, .sm_fini = mod_fini};
static const struct dss_module *const modules[] = {&dss_module_rdb, &dss_module_rsvc, &svc_module, NULL};

MAY_YIELD static int
create_ult(void *eng)
{
	uuid_t        uuid;
	d_rank_t      zero = 0;
	d_rank_list_t list = {.rl_ranks = &zero, .rl_nr = 1};

	plat_uuid_generate(uuid);
	return rsvc_create(eng, RSVC_CLASS_POOL, uuid, &list, DB_BYTES, "");
}

/* ---- in the cases ---- */

static struct rsvc_ops_limits lim;

static struct dtx_id
id_at(uint64_t time, unsigned char who)
{
	struct dtx_id id = {.hlc = time};

	id.uuid[0] = who;
	return id;
}

MAY_YIELD static void
put(struct dtx_id id, int rc, bool begun)
{
	struct rdb_tx        *tx = tx_begin();
	struct rsvc_op_record rec = {.opc = 7, .rc = rc, .begun = begun, .reply_bytes = 3, .reply = "yes"};

	assert_int_equal(rsvc_ops_put(tx, &id, &rec, &lim), 0);
	tx_end(tx);
}

MAY_YIELD static int
find(struct dtx_id id, struct rsvc_op_record *rec, uint64_t *time)
{
	struct rdb_tx *tx = tx_begin();
	int            rc = rsvc_ops_find(tx, &id, 7, &lim, rec, time);

	rdb_tx_end(tx);
	return rc;
}

MAY_YIELD static int
records_are_found(void *arg)
{
	struct rsvc_op_record rec;
	struct rdb_tx        *tx;
	struct dtx_id         id = id_at(T0, 1);
	uint64_t              time;

	lim = (struct rsvc_ops_limits){.now = T0, .age_ns = 60 * NSEC_PER_SEC, .nr_max = 1000};
	assert_int_equal(find(id, &rec, &time), -DER_NONEXIST);
	put(id, 0, true);
	assert_int_equal(find(id, &rec, &time), 0);
	assert_true(rec.begun);
	put(id, -DER_EXIST, false);
	assert_int_equal(find(id, &rec, &time), 0);
	assert_int_equal(rec.rc, -DER_EXIST);
	assert_false(rec.begun);
	assert_int_equal(rec.reply_bytes, 3);
	assert_memory_equal(rec.reply, "yes", 3);
	assert_int_equal(find(id_at(T0, 2), &rec, &time), -DER_NONEXIST);

	tx = tx_begin();
	assert_int_equal(rsvc_ops_find(tx, &id, 8, &lim, &rec, &time), -DER_MISMATCH);
	assert_int_equal(rsvc_ops_del(tx, &id), 0);
	assert_int_equal(rsvc_ops_del(tx, &id), 0);
	tx_end(tx);
	assert_int_equal(find(id, &rec, &time), -DER_NONEXIST); /* undone: not before the floor */
	return 0;
}

MAY_YIELD static int
old_records_are_forgotten(void *arg)
{
	struct rsvc_op_record rec;
	uint64_t              time;

	lim = (struct rsvc_ops_limits){.now = T0, .age_ns = 60 * NSEC_PER_SEC, .nr_max = 1000};
	for (unsigned char i = 1; i <= 3; i++)
		put(id_at(T0 + i * SEC, i), 0, false);
	lim.now = T0 + 62 * SEC;
	put(id_at(lim.now, 9), 0, false);
	/* The one older than 60 s is gone, and what is as old may not come any more. */
	assert_int_equal(find(id_at(T0 + SEC, 1), &rec, &time), -DER_TX_UNCERTAIN);
	assert_int_equal(time, lim.now);
	assert_int_equal(find(id_at(T0 + SEC, 8), &rec, &time), -DER_TX_UNCERTAIN);
	assert_int_equal(find(id_at(T0, 8), &rec, &time), -DER_TX_UNCERTAIN);
	assert_int_equal(find(id_at(T0 + 2 * SEC, 2), &rec, &time), 0);
	/* A new one between those that are there is known to be new. */
	assert_int_equal(find(id_at(T0 + 2 * SEC, 8), &rec, &time), -DER_NONEXIST);
	/* Nothing is forgotten only because time passes. */
	lim.now = T0 + 1000 * SEC;
	assert_int_equal(find(id_at(T0 + 3 * SEC, 3), &rec, &time), 0);
	return 0;
}

MAY_YIELD static int
number_is_bounded(void *arg)
{
	struct rsvc_op_record rec;
	uint64_t              time;
	uint32_t              nr = 0;

	lim = (struct rsvc_ops_limits){.now = T0, .age_ns = 600 * NSEC_PER_SEC, .nr_max = 10};
	for (unsigned char i = 0; i < 100; i++)
		put(id_at(T0 + i, i), 0, false);
	for (unsigned char i = 0; i < 100; i++) {
		int rc = find(id_at(T0 + i, i), &rec, &time);

		assert_true(rc == 0 || rc == -DER_TX_UNCERTAIN);
		nr += rc == 0;
	}
	assert_in_range(nr, 10, 11);
	assert_int_equal(find(id_at(T0 + 99, 99), &rec, &time), 0);
	return 0;
}

MAY_YIELD static int
leader_that_is_behind_goes_on(void *arg)
{
	struct rsvc_op_record rec;
	uint64_t              time;

	/* One whose clock is an hour ahead leads, then one whose clock is right. */
	lim = (struct rsvc_ops_limits){.now = T0 + 3600 * SEC, .age_ns = 60 * NSEC_PER_SEC, .nr_max = 1000};
	put(id_at(T0 + 3000 * SEC, 1), 0, false);
	put(id_at(T0 + 3600 * SEC, 2), 0, false);
	lim.now = T0;
	assert_int_equal(find(id_at(T0, 3), &rec, &time), -DER_TX_UNCERTAIN);
	assert_int_equal(find(id_at(T0 + 3700 * SEC, 3), &rec, &time), -DER_TX_UNCERTAIN);
	/* It tells a time that it accepts. */
	assert_int_equal(find(id_at(time, 3), &rec, &time), -DER_NONEXIST);
	put(id_at(time, 3), 0, false);
	assert_int_equal(find(id_at(time, 3), &rec, &time), 0);
	return 0;
}

MAY_YIELD static int
reset_forgets_all(void *arg)
{
	struct rsvc_op_record rec;
	struct rdb_tx        *tx;
	uint64_t              time;

	lim = (struct rsvc_ops_limits){.now = T0, .age_ns = 60 * NSEC_PER_SEC, .nr_max = 1000};
	put(id_at(T0, 1), 0, false);
	tx = tx_begin();
	assert_int_equal(rsvc_ops_reset(tx, T0 + 5), 0);
	tx_end(tx);
	assert_int_equal(find(id_at(T0, 1), &rec, &time), -DER_TX_UNCERTAIN);
	assert_int_equal(find(id_at(T0 + 5, 1), &rec, &time), -DER_NONEXIST);
	tx = tx_begin();
	assert_int_equal(rsvc_ops_reset(tx, T0), 0);
	tx_end(tx);
	assert_int_equal(find(id_at(T0 + 4, 1), &rec, &time), -DER_TX_UNCERTAIN); /* the floor never moves back */
	return 0;
}

MAY_YIELD static int
one_copy_at_a_time(void *arg)
{
	struct rsvc_op_running a, b;
	struct dtx_id          id = id_at(T0, 1), other = id_at(T0, 2);
	d_list_t               list;

	d_list_init(&list);
	assert_int_equal(rsvc_op_enter(&list, &id, &a), 0);
	assert_int_equal(rsvc_op_enter(&list, &id, &b), -DER_INPROGRESS);
	assert_int_equal(rsvc_op_enter(&list, &other, &b), 0);
	rsvc_op_leave(&a);
	assert_int_equal(rsvc_op_enter(&list, &id, &a), 0);
	rsvc_op_leave(&a);
	rsvc_op_leave(&b);
	assert_true(d_list_empty(&list));
	return 0;
}

static void
run(void **state)
{
	struct et_world w;
	struct engine  *eng;

	et_world_init(&w);
	eng = et_start(&w, 0, &(struct et_opts){.tgt_nr = 1, .modules = modules, .dev_name = "dev", .dev_bytes = 192u << 20});
	et_group(&w);
	assert_int_equal(et_run(eng, 0, create_ult, eng), 0);
	assert_int_equal(et_run(eng, 0, *state, NULL), 0);
	et_stop(&w, 0);
	et_world_fini(&w);
}

#define CASE(fn) {#fn, run, NULL, NULL, fn}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    CASE(records_are_found),    CASE(old_records_are_forgotten),     CASE(number_is_bounded),
	    CASE(reset_forgets_all),    CASE(leader_that_is_behind_goes_on), CASE(one_copy_at_a_time),
	};

	return cmocka_run_group_tests_name("records of operations", tests, NULL, NULL);
}
