/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/** Incast variables among many ranks in one process. A value is a number; each rank keeps one copy. */
#define D_LOGFAC LOG_FAC_TEST
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <daos_errno.h>
#include "base/log.h"
#include "base/rank_list.h"
#include "cart/crt_iv.h"
#include "crt_many_util.h"
#include "platform/platform.h"

#define NR_MAX 1000

struct later {
	void (*go)(void *arg);
	void  *arg;
};

static struct {
	struct many       m;
	struct crt_iv_ns *ns[NR_MAX];
	uint64_t          copy[NR_MAX]; /* 0: none */
	uint64_t          version[NR_MAX]; /* of the copy */
	uint32_t          fetch_nr[NR_MAX], refresh_nr[NR_MAX], update_nr[NR_MAX];
	uint32_t          got_nr; /* buffers out */
	d_rank_t          root;
	bool              keep; /* copies of what passes */
	int               refresh_rc;
	struct later      later[64];
	uint32_t          later_nr;
	uint32_t          pre_nr[3], pre_sync_nr;
	d_rank_t          keeps_quiet; /* its pre_sync refuses */
} t;

static d_rank_t
on_hash(struct crt_iv_ns *ns, const d_iov_t *key, void *arg)
{
	return t.root;
}

static int
on_get(struct crt_iv_ns *ns, const d_iov_t *key, d_iov_t *value, void *arg)
{
	value->iov_buf     = malloc(8);
	value->iov_buf_len = 8;
	t.got_nr++;
	return 0;
}

static void
on_put(struct crt_iv_ns *ns, d_iov_t *value, void *arg)
{
	free(value->iov_buf);
	t.got_nr--;
}

static int
on_fetch(struct crt_iv_ns *ns, const d_iov_t *key, struct crt_iv_value *value, void *arg)
{
	d_rank_t self = crt_iv_self(ns);

	assert_int_equal(key->iov_len, 3);
	assert_memory_equal(key->iov_buf, "key", 3);
	t.fetch_nr[self]++;
	if (t.copy[self] == 0)
		return -DER_IVCB_FORWARD;
	memcpy(value->data.iov_buf, &t.copy[self], 8);
	value->data.iov_len = 8;
	value->version      = t.version[self];
	return 0;
}

static int
on_update(struct crt_iv_ns *ns, const d_iov_t *key, const struct crt_iv_value *value, void *arg)
{
	d_rank_t self = crt_iv_self(ns);

	t.update_nr[self]++;
	if (self != t.root)
		return -DER_IVCB_FORWARD;
	memcpy(&t.copy[self], value->data.iov_buf, 8);
	t.version[self] = value->version;
	return 0;
}

static int
on_refresh(struct crt_iv_ns *ns, const d_iov_t *key, const struct crt_iv_value *value, void *arg)
{
	d_rank_t self = crt_iv_self(ns);

	t.refresh_nr[self]++;
	if (value == NULL)
		t.copy[self] = 0;
	else if (t.keep && value->version >= t.version[self]) {
		memcpy(&t.copy[self], value->data.iov_buf, 8);
		t.version[self] = value->version;
	}
	return t.refresh_rc;
}

static const struct crt_iv_class class = {.on_hash    = on_hash,
					  .on_get     = on_get,
					  .on_put     = on_put,
					  .on_fetch   = on_fetch,
					  .on_update  = on_update,
					  .on_refresh = on_refresh};

/* A class that defers: what its pre_ callbacks get is called by the test when it likes. */

static void
defer(struct crt_iv_ns *ns, const d_iov_t *key, void (*go)(void *go_arg), void *go_arg, void *arg)
{
	assert_memory_equal(key->iov_buf, "key", 3);
	assert_true(t.later_nr < ARRAY_NR(t.later));
	t.later[t.later_nr++] = (struct later){go, go_arg};
}

static void
pre_fetch(struct crt_iv_ns *ns, const d_iov_t *key, void (*go)(void *go_arg), void *go_arg, void *arg)
{
	t.pre_nr[0]++;
	defer(ns, key, go, go_arg, arg);
}

static void
pre_update(struct crt_iv_ns *ns, const d_iov_t *key, void (*go)(void *go_arg), void *go_arg, void *arg)
{
	t.pre_nr[1]++;
	defer(ns, key, go, go_arg, arg);
}

static void
pre_refresh(struct crt_iv_ns *ns, const d_iov_t *key, void (*go)(void *go_arg), void *go_arg, void *arg)
{
	t.pre_nr[2]++;
	defer(ns, key, go, go_arg, arg);
}

static int
pre_sync(struct crt_iv_ns *ns, const d_iov_t *key, const struct crt_iv_value *value, void *arg)
{
	t.pre_sync_nr++;
	return crt_iv_self(ns) == t.keeps_quiet ? -DER_BUSY : 0;
}

static const struct crt_iv_class deferring = {.on_hash     = on_hash,
					      .on_get      = on_get,
					      .on_put      = on_put,
					      .on_fetch    = on_fetch,
					      .on_update   = on_update,
					      .on_refresh  = on_refresh,
					      .pre_fetch   = pre_fetch,
					      .pre_update  = pre_update,
					      .pre_refresh = pre_refresh,
					      .pre_sync    = pre_sync};

/** Call what was deferred, and what that makes, until nothing comes any more. */
static void
run_later(void)
{
	for (int quiet = 0; quiet < 20; quiet++) {
		many_pump(&t.m);
		while (t.later_nr > 0) {
			struct later l = t.later[--t.later_nr];

			l.go(l.arg);
			quiet = 0;
		}
	}
}

static void
world_start_class(uint32_t nr, d_rank_t root, const d_rank_list_t *ranks, const struct crt_iv_class *of)
{
	struct crt_iv_ns_attr attr = {.id       = 5,
				      .classes  = of,
				      .class_nr = 1,
				      .tree     = {CRT_TREE_KNOMIAL, 2},
				      .ranks    = ranks};
	struct crt_iv_ns     *twice;

	memset(&t, 0, sizeof(t));
	t.root = root;
	t.keep = true;
	t.keeps_quiet = CRT_NO_RANK;
	many_start(&t.m, nr, NULL);
	for (d_rank_t r = 0; r < nr; r++)
		assert_int_equal(crt_iv_ns_create(t.m.ctx[r], &attr, &t.ns[r]), 0);
	assert_int_equal(crt_iv_ns_create(t.m.ctx[0], &attr, &twice), -DER_EXIST);
}

static void
world_start(uint32_t nr, d_rank_t root, const d_rank_list_t *ranks)
{
	world_start_class(nr, root, ranks, &class);
}

static void
kill_rank(d_rank_t rank)
{
	crt_iv_ns_destroy(t.ns[rank]);
	t.ns[rank] = NULL;
	many_kill(&t.m, rank);
}

static void
world_stop(void)
{
	for (int i = 0; i < 20; i++)
		many_pump(&t.m);
	for (d_rank_t r = 0; r < t.m.nr; r++)
		crt_iv_ns_destroy(t.ns[r]);
	many_stop(&t.m);
	assert_int_equal(t.got_nr, 0);
}

struct op {
	_Atomic int done;
	int         rc;
	uint64_t    value;
	uint64_t    version;
};

static void
op_cb(struct crt_iv_ns *ns, const d_iov_t *key, const struct crt_iv_value *value, int rc, void *arg)
{
	struct op *op = arg;

	assert_memory_equal(key->iov_buf, "key", 3);
	op->rc = rc;
	if (value != NULL) {
		assert_int_equal(value->data.iov_len, 8);
		memcpy(&op->value, value->data.iov_buf, 8);
		op->version = value->version;
	}
	op->done++;
}

static const d_iov_t the_key = {.iov_buf = "key", .iov_len = 3, .iov_buf_len = 3};

static uint64_t
fetch(d_rank_t rank, uint32_t flags, int expect_rc)
{
	struct op op = {0};

	assert_int_equal(crt_iv_fetch(t.ns[rank], 0, &the_key, flags, op_cb, &op), 0);
	many_pump_until(&t.m, &op.done);
	assert_int_equal(op.done, 1);
	assert_int_equal(op.rc, expect_rc);
	return op.value;
}

static void
update(d_rank_t rank, uint64_t value, enum crt_iv_sync_mode sync, uint32_t flags, int expect_rc)
{
	struct op op  = {0};
	d_iov_t   iov = {.iov_buf = &value, .iov_len = 8, .iov_buf_len = 8};

	assert_int_equal(crt_iv_update(t.ns[rank], 0, &the_key, &iov, 0, sync, flags, op_cb, &op), 0);
	value = ~value; /* it was copied */
	many_pump_until(&t.m, &op.done);
	assert_int_equal(op.done, 1);
	assert_int_equal(op.rc, expect_rc);
}

static void
invalidate(d_rank_t rank, enum crt_iv_sync_mode sync)
{
	struct op op = {0};

	assert_int_equal(crt_iv_invalidate(t.ns[rank], 0, &the_key, sync, 0, op_cb, &op), 0);
	many_pump_until(&t.m, &op.done);
	assert_int_equal(op.rc, 0);
}

static uint32_t
copies(uint64_t value)
{
	uint32_t nr = 0;

	for (d_rank_t r = 0; r < t.m.nr; r++)
		nr += t.copy[r] == value;
	return nr;
}

/** A fetch climbs the tree, leaves copies on its way back, and the next one stops at the first copy. */
static void
fetch_climbs(void **state)
{
	world_start(16, 0, NULL);
	assert_int_equal(fetch(15, 0, -DER_NONEXIST), 0);
	t.copy[0] = 77;
	assert_int_equal(fetch(15, 0, 0), 77); /* 15 - 14 - 12 - 8 - 0 */
	assert_int_equal(copies(77), 5);
	assert_true(t.copy[14] == 77 && t.copy[12] == 77 && t.copy[8] == 77);
	t.copy[0] = 78; /* the copies are old, which is what was asked for */
	assert_int_equal(fetch(13, 0, 0), 77);
	assert_int_equal(fetch(5, 0, 0), 78);
	assert_int_equal(fetch(0, 0, 0), 78);
	world_stop();
}

static void
shortcut(void **state)
{
	world_start(16, 0, NULL);
	t.copy[0] = 77;
	assert_int_equal(fetch(15, CRT_IV_SHORTCUT, 0), 77);
	assert_int_equal(copies(77), 2);
	update(15, 99, CRT_IV_SYNC_NONE, CRT_IV_SHORTCUT, 0);
	assert_int_equal(copies(99), 2);
	world_stop();
}

/** Many fetches at once of ranks below one: a single one goes on from there. */
static void
merged(void **state)
{
	struct op ops[40];

	memset(ops, 0, sizeof(ops));
	world_start(16, 0, NULL);
	t.copy[0] = 55;
	t.keep    = false; /* not because of copies */
	for (int i = 0; i < 40; i++)
		assert_int_equal(crt_iv_fetch(t.ns[8 + i % 8], 0, &the_key, 0, op_cb, &ops[i]), 0);
	for (int i = 0; i < 40; i++) {
		many_pump_until(&t.m, &ops[i].done);
		assert_int_equal(ops[i].rc, 0);
		assert_int_equal(ops[i].value, 55);
	}
	assert_in_range(t.fetch_nr[0], 1, 2);
	world_stop();
}

static void
update_modes(void **state)
{
	for (d_rank_t from = 0; from < 16; from++) {
		world_start(16, 3, NULL);
		update(from, 10, CRT_IV_SYNC_NONE, 0, 0);
		assert_int_equal(t.copy[3], 10);
		assert_int_equal(t.copy[from], 10);
		assert_true(copies(10) <= 5);
		update(from, 11, CRT_IV_SYNC_EAGER, 0, 0);
		assert_int_equal(copies(11), 16); /* all, when it is complete */
		update(from, 12, CRT_IV_SYNC_LAZY, 0, 0);
		assert_int_equal(t.copy[3], 12);
		for (int i = 0; i < 1000 && copies(12) < 16; i++)
			many_pump(&t.m);
		assert_int_equal(copies(12), 16);
		update(from, 13, CRT_IV_SYNC_EAGER, CRT_IV_NOTIFY, 0);
		assert_int_equal(t.copy[3], 13); /* others but those on the way: their copy is gone */
		assert_int_equal(copies(12), 0);
		for (d_rank_t r = 0; r < 16; r++)
			assert_int_equal(fetch(r, 0, 0), 13);
		invalidate(from, CRT_IV_SYNC_EAGER);
		assert_int_equal(copies(0), 16);
		world_stop();
	}
}

/** Only some ranks take part. */
static void
sub_namespace(void **state)
{
	d_rank_t      some[] = {2, 3, 5, 7, 11};
	d_rank_list_t list   = {.rl_ranks = some, .rl_nr = 5};

	world_start(12, 5, &list);
	update(11, 10, CRT_IV_SYNC_EAGER, 0, 0);
	assert_int_equal(copies(10), 5);
	assert_int_equal(fetch(2, 0, 0), 10);
	fetch(4, 0, -DER_OOG);
	world_stop();
}

/** Parents die: what goes up goes around them; the dead are reported by an eager update. */
static void
parent_dies(void **state)
{
	for (d_rank_t dead = 1; dead < 15; dead++) {
		world_start(16, 0, NULL);
		t.copy[0] = 5;
		kill_rank(dead);
		for (d_rank_t r = 1; r < 16; r++)
			if (r != dead)
				assert_int_equal(fetch(r, 0, 0), 5);
		update(15, 6, CRT_IV_SYNC_NONE, 0, 0);
		assert_int_equal(t.copy[0], 6);
		update(15, 7, CRT_IV_SYNC_EAGER, 0, -DER_CORPC_INCOMPLETE);
		assert_int_equal(t.copy[0], 7);
		many_group_set(&t.m);
		update(15, 8, CRT_IV_SYNC_EAGER, 0, 0);
		assert_int_equal(copies(8), 15);
		world_stop();
	}
}

static void
root_dies(void **state)
{
	world_start(8, 0, NULL);
	kill_rank(0);
	fetch(7, 0, -DER_UNREACH);
	update(6, 1, CRT_IV_SYNC_EAGER, 0, -DER_UNREACH);
	many_group_set(&t.m);
	t.root = 3;
	update(6, 1, CRT_IV_SYNC_EAGER, 0, 0);
	assert_int_equal(copies(1), 7);
	world_stop();
}

static void
refused(void **state)
{
	struct op         op  = {0};
	char              big[CRT_IV_KEY_BYTES_MAX + 1];
	d_iov_t           key = {.iov_buf = big, .iov_len = sizeof(big)};

	world_start(4, 0, NULL);
	assert_int_equal(crt_iv_fetch(t.ns[1], 1, &the_key, 0, op_cb, &op), -DER_INVAL);
	assert_int_equal(crt_iv_fetch(t.ns[1], 0, &key, 0, op_cb, &op), -DER_INVAL);
	assert_int_equal(crt_iv_fetch(t.ns[1], 0, &the_key, 8, op_cb, &op), -DER_INVAL);
	assert_int_equal(crt_group_set(t.m.crt[3], 99, 4, t.m.members), 0); /* sees another group */
	fetch(3, 0, -DER_GRPVER);
	crt_iv_ns_destroy(t.ns[0]);
	t.ns[0] = NULL;
	fetch(1, 0, -DER_NONEXIST); /* the root has no such namespace */
	assert_int_equal(op.done, 0);
	world_stop();
}

/** An update reaches a thousand ranks; with an inner rank dead it still completes and says so. */
static void
thousand(void **state)
{
	world_start(1000, 0, NULL);
	update(999, 4711, CRT_IV_SYNC_EAGER, 0, 0);
	assert_int_equal(copies(4711), 1000);
	kill_rank(512);
	t.copy[512] = 0;
	update(999, 4712, CRT_IV_SYNC_EAGER, 0, -DER_CORPC_INCOMPLETE);
	assert_int_equal(t.copy[0], 4712);
	many_group_set(&t.m);
	update(999, 4713, CRT_IV_SYNC_EAGER, 0, 0);
	assert_int_equal(copies(4713), 999);
	world_stop();
}

/* ---- versions ---- */

static struct op
update_as(d_rank_t rank, uint64_t value, uint64_t version, enum crt_iv_sync_mode sync)
{
	struct op op  = {0};
	d_iov_t   iov = {.iov_buf = &value, .iov_len = 8, .iov_buf_len = 8};

	assert_int_equal(crt_iv_update(t.ns[rank], 0, &the_key, &iov, version, sync, 0, op_cb, &op), 0);
	many_pump_until(&t.m, &op.done);
	return op;
}

/** A version goes up with its value, down with the news, and back with a fetch. */
static void
versions_travel(void **state)
{
	struct op op = {0};

	world_start(13, 4, NULL);
	assert_int_equal(update_as(9, 70, 7, CRT_IV_SYNC_EAGER).rc, 0);
	for (d_rank_t r = 0; r < 13; r++)
		assert_int_equal(t.version[r], 7);
	t.copy[12] = 0;
	assert_int_equal(crt_iv_fetch(t.ns[12], 0, &the_key, 0, op_cb, &op), 0);
	many_pump_until(&t.m, &op.done);
	assert_int_equal(op.value, 70);
	assert_int_equal(op.version, 7);
	/* the root takes what it is given, but nobody who has something later listens */
	t.version[2] = 9;
	assert_int_equal(update_as(4, 80, 8, CRT_IV_SYNC_EAGER).rc, 0);
	assert_int_equal(t.copy[2], 70);
	assert_int_equal(copies(80), 12);
	world_stop();
}

/** What a rank's on_refresh says comes back to who updated. */
static void
refresh_fails(void **state)
{
	world_start(8, 0, NULL);
	t.refresh_rc = -DER_NOMEM;
	assert_int_equal(update_as(0, 5, 1, CRT_IV_SYNC_EAGER).rc, -DER_CORPC_INCOMPLETE);
	t.refresh_rc = 0;
	assert_int_equal(update_as(0, 6, 2, CRT_IV_SYNC_EAGER).rc, 0);
	world_stop();
}

/* ---- pre_ callbacks ---- */

/** Nothing happens at a rank until its class lets it; then all of it does. */
static void
deferred_callbacks(void **state)
{
	struct op fetch_op[2] = {0}, update_op = {0};
	uint64_t  value = 55;
	d_iov_t   iov   = {.iov_buf = &value, .iov_len = 8, .iov_buf_len = 8};

	world_start_class(9, 0, NULL, &deferring);
	assert_int_equal(crt_iv_update(t.ns[8], 0, &the_key, &iov, 3, CRT_IV_SYNC_EAGER, 0, op_cb, &update_op), 0);
	for (int i = 0; i < 20; i++)
		many_pump(&t.m);
	assert_int_equal(t.pre_nr[1], 1); /* at rank 8, and no further */
	assert_int_equal(t.update_nr[8], 0);
	assert_int_equal(update_op.done, 0);
	run_later();
	assert_int_equal(update_op.done, 1);
	assert_int_equal(update_op.rc, 0);
	assert_int_equal(copies(55), 9);
	assert_true(t.pre_nr[2] >= 8); /* all but the root */
	assert_int_equal(t.pre_sync_nr, 9);

	t.copy[7] = 0;
	for (int i = 0; i < 2; i++)
		assert_int_equal(crt_iv_fetch(t.ns[7], 0, &the_key, 0, op_cb, &fetch_op[i]), 0);
	for (int i = 0; i < 20; i++)
		many_pump(&t.m);
	assert_int_equal(t.pre_nr[0], 2);
	assert_int_equal(t.fetch_nr[7], 0);
	run_later();
	for (int i = 0; i < 2; i++) {
		assert_int_equal(fetch_op[i].done, 1);
		assert_int_equal(fetch_op[i].rc, 0);
		assert_int_equal(fetch_op[i].value, 55);
		assert_int_equal(fetch_op[i].version, 3);
	}
	assert_int_equal(t.copy[7], 55);
	world_stop();
}

/** The namespace is destroyed while operations are deferred: they still end. */
static void
deferred_past_the_end(void **state)
{
	struct op op = {0};

	world_start_class(3, 0, NULL, &deferring);
	assert_int_equal(crt_iv_fetch(t.ns[0], 0, &the_key, 0, op_cb, &op), 0);
	many_pump(&t.m);
	assert_int_equal(t.later_nr, 1);
	crt_iv_ns_destroy(t.ns[0]);
	t.ns[0] = NULL;
	run_later();
	assert_int_equal(op.done, 1);
	assert_int_equal(op.rc, -DER_NONEXIST);
	world_stop();
}

/** A rank whose pre_sync refuses hears nothing, nor do those below; who updated is told. */
static void
pre_sync_refuses(void **state)
{
	struct op op    = {0};
	uint64_t  value = 66;
	d_iov_t   iov   = {.iov_buf = &value, .iov_len = 8, .iov_buf_len = 8};

	world_start_class(2, 0, NULL, &deferring);
	t.keeps_quiet = 1;
	assert_int_equal(crt_iv_update(t.ns[0], 0, &the_key, &iov, 1, CRT_IV_SYNC_EAGER, 0, op_cb, &op), 0);
	run_later();
	assert_int_equal(op.done, 1);
	assert_int_equal(op.rc, -DER_CORPC_INCOMPLETE);
	assert_int_equal(t.copy[0], 66);
	assert_int_equal(t.copy[1], 0);
	world_stop();
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(versions_travel), cmocka_unit_test(refresh_fails),
		cmocka_unit_test(deferred_callbacks), cmocka_unit_test(deferred_past_the_end),
		cmocka_unit_test(pre_sync_refuses),
		cmocka_unit_test(fetch_climbs), cmocka_unit_test(shortcut),  cmocka_unit_test(merged),
	    cmocka_unit_test(update_modes), cmocka_unit_test(sub_namespace), cmocka_unit_test(parent_dies),
	    cmocka_unit_test(root_dies),    cmocka_unit_test(refused),   cmocka_unit_test(thousand),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
