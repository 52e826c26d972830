/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/** Replicas in engines: random transactions against a model, restarts, power loss, three replicas. */
#include "engine_testlib.h"
#include <daos_errno.h>
#include "bio/bio_ram.h"
#include "platform/platform.h"
#include "rdb/rdb.h"

static const struct dss_module *const modules[] = {&dss_module_rdb, NULL};

#define DEV_BYTES (192u << 20)
#define DB_BYTES  (32u << 20)

/* ---- a replica and what its owner sees ---- */

struct replica {
	struct engine      *eng;
	uuid_t              uuid;
	struct rdb         *db;
	uint64_t            term; /**< that it is up in; 0: down */
	uint32_t            up_nr, down_nr, stop_nr;
	struct ult_eventual up;
	int                 up_rc; /**< what step_up returns */
};

MAY_YIELD static int
on_up(struct rdb *db, uint64_t term, void *arg)
{
	struct replica *r = arg;

	(void)db;
	assert_int_equal(r->term, 0);
	r->up_nr++;
	if (r->up_rc != 0) {
		int rc = r->up_rc;

		r->up_rc = 0;
		return rc;
	}
	r->term = term;
	if (!ult_eventual_is_set(&r->up))
		ult_eventual_set(&r->up, 0);
	return 0;
}

MAY_YIELD static void
on_down(struct rdb *db, uint64_t term, void *arg)
{
	struct replica *r = arg;

	(void)db;
	assert_int_equal(r->term, term);
	r->term = 0;
	r->down_nr++;
	if (ult_eventual_is_set(&r->up))
		ult_eventual_reset(&r->up);
}

MAY_YIELD static void
on_stop(struct rdb *db, int err, void *arg)
{
	struct replica *r = arg;

	(void)db;
	(void)err;
	r->stop_nr++;
	if (!ult_eventual_is_set(&r->up))
		ult_eventual_set(&r->up, 0);
}

static const struct rdb_cbs cbs = {.step_up = on_up, .step_down = on_down, .stop = on_stop};

static void
replica_init(struct replica *r, struct engine *eng)
{
	memset(r, 0, sizeof(*r));
	r->eng = eng;
	plat_uuid_generate(r->uuid);
	ult_eventual_init(&r->up);
}

MAY_YIELD static void
replica_create(struct replica *r, d_rank_t *ranks, uint32_t nr)
{
	d_rank_list_t list = {.rl_ranks = ranks, .rl_nr = nr};

	assert_int_equal(rdb_create(r->eng, r->uuid, DB_BYTES, &list, &cbs, r, &r->db), 0);
}

MAY_YIELD static void
replica_start(struct replica *r)
{
	if (ult_eventual_is_set(&r->up))
		ult_eventual_reset(&r->up);
	assert_int_equal(rdb_start(r->eng, r->uuid, &cbs, r, &r->db), 0);
}

/* ---- the model: a few stores with a few keys ---- */

#define STORE_NR 5
#define KEY_NR   40

struct model {
	bool     exists[STORE_NR];
	uint32_t value[STORE_NR][KEY_NR]; /**< 0: none */
};

static uint64_t seed;

static uint64_t
rnd(void)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return seed;
}

static struct rdb_path root_path;

static struct rdb_path
store_path(uint64_t *store)
{
	struct rdb_path path = {.nr = 1};

	d_iov_set(&path.keys[0], store, sizeof(*store));
	return path;
}

/** A value of a length that depends on it, up to 3000 bytes. */
static d_iov_t
value_of(uint32_t v, char *buf)
{
	d_iov_t iov;
	size_t  len = 4 + v % 3000;

	memset(buf, v & 0xff, len);
	memcpy(buf, &v, 4);
	d_iov_set(&iov, buf, len);
	return iov;
}

MAY_YIELD static void
random_op(struct rdb_tx *tx, struct model *m)
{
	uint64_t        store = rnd() % STORE_NR, k = rnd() % KEY_NR;
	struct rdb_path path = store_path(&store);
	uint32_t        v = rnd() % 1000000 + 1;
	char            buf[4096], got_buf[4096];
	d_iov_t         key, val, skey, got;
	int             rc;

	d_iov_set(&skey, &store, sizeof(store));
	d_iov_set(&key, &k, sizeof(k));
	val = value_of(v, buf);
	switch (rnd() % 12) {
	case 0:
		rc = rdb_tx_create_kvs(tx, &root_path, &skey, RDB_KVS_U64);
		assert_int_equal(rc, m->exists[store] ? -DER_EXIST : 0);
		m->exists[store] = true;
		break;
	case 1:
		if (rnd() % 4 != 0)
			break;
		rc = rdb_tx_destroy_kvs(tx, &root_path, &skey);
		assert_int_equal(rc, m->exists[store] ? 0 : -DER_NONEXIST);
		m->exists[store] = false;
		memset(m->value[store], 0, sizeof(m->value[store]));
		break;
	case 2:
	case 3:
		rc = rdb_tx_delete(tx, &path, &key);
		assert_int_equal(rc, m->exists[store] ? 0 : -DER_NONEXIST);
		m->value[store][k] = 0;
		break;
	case 4:
	case 5:
		d_iov_set(&got, got_buf, sizeof(got_buf));
		if (rnd() % 2 == 0)
			got = (d_iov_t){0};
		rc = rdb_tx_lookup(tx, &path, &key, &got);
		assert_int_equal(rc, m->value[store][k] != 0 ? 0 : -DER_NONEXIST);
		if (rc == 0) {
			val = value_of(m->value[store][k], buf);
			assert_int_equal(got.iov_len, val.iov_len);
			assert_memory_equal(got.iov_buf, buf, val.iov_len);
		}
		break;
	default:
		rc = rdb_tx_update(tx, &path, &key, &val);
		assert_int_equal(rc, m->exists[store] ? 0 : -DER_NONEXIST);
		if (rc == 0)
			m->value[store][k] = v;
	}
}

struct walk {
	struct model *m;
	uint64_t      store;
	uint32_t      k;
};

static int
walk_one(const d_iov_t *key, const d_iov_t *value, void *arg)
{
	struct walk *walk = arg;
	char         buf[4096];
	d_iov_t      val;
	uint64_t     k;

	memcpy(&k, key->iov_buf, sizeof(k));
	while (walk->k < KEY_NR && walk->m->value[walk->store][walk->k] == 0)
		walk->k++;
	assert_int_equal(k, walk->k);
	val = value_of(walk->m->value[walk->store][walk->k], buf);
	assert_int_equal(value->iov_len, val.iov_len);
	assert_memory_equal(value->iov_buf, buf, val.iov_len);
	walk->k++;
	return 0;
}

MAY_YIELD static void
check_model(struct rdb_tx *tx, struct model *m)
{
	for (uint64_t s = 0; s < STORE_NR; s++) {
		struct walk     walk = {.m = m, .store = s};
		struct rdb_path path = store_path(&s);
		int             rc = rdb_tx_iterate(tx, &path, walk_one, &walk);

		assert_int_equal(rc, m->exists[s] ? 0 : -DER_NONEXIST);
		while (walk.k < KEY_NR)
			assert_int_equal(m->value[s][walk.k++], 0);
	}
}

/** Does the committed state equal @m? */
MAY_YIELD static bool
equals_model(struct rdb_tx *tx, struct model *m)
{
	for (uint64_t s = 0; s < STORE_NR; s++) {
		struct rdb_path path = store_path(&s);
		d_iov_t         skey, none = {0};

		d_iov_set(&skey, &s, sizeof(s));
		if ((rdb_tx_lookup(tx, &root_path, &skey, &none) == 0) != m->exists[s])
			return false;
		for (uint64_t k = 0; k < KEY_NR; k++) {
			d_iov_t key, val = {0};
			int     rc;

			d_iov_set(&key, &k, sizeof(k));
			rc = rdb_tx_lookup(tx, &path, &key, &val);
			if ((rc == 0) != (m->value[s][k] != 0) ||
			    (rc == 0 && memcmp(val.iov_buf, &m->value[s][k], 4) != 0))
				return false;
		}
	}
	return true;
}

/** One transaction of some ops, committed or given up. Returns the commit's value. */
MAY_YIELD static int
random_tx(struct replica *r, struct model *m)
{
	struct model  before = *m;
	struct rdb_tx *tx;
	int            rc = rdb_tx_begin(r->db, r->term, &tx);

	if (rc != 0)
		return rc;
	for (uint64_t i = rnd() % 8; i > 0; i--)
		random_op(tx, m);
	if (rnd() % 10 == 0)
		check_model(tx, m);
	if (rnd() % 8 == 0) {
		*m = before;
	} else {
		rc = rdb_tx_commit(tx);
		if (rc != 0 && rc != -DER_NOTLEADER && rc != -DER_CANCELED)
			*m = before;
	}
	rdb_tx_end(tx);
	return rc;
}

/* ---- fixture ---- */

static struct et_world world;

static int
setup(void **state)
{
	const char *text = getenv("RDB_TEST_SEED");

	seed = text != NULL ? strtoull(text, NULL, 0) : 0x9e3779b97f4a7c15ULL;
	setenv("RDB_COMPACT_THRESHOLD", "16", 1);
	setenv("RDB_ELECTION_TIMEOUT", "300", 1);
	setenv("RDB_REQUEST_TIMEOUT", "1000", 1);
	et_world_init(&world);
	*state = &world;
	return 0;
}

static int
teardown(void **state)
{
	et_world_fini(*state);
	return 0;
}

/* ---- one replica ---- */

MAY_YIELD static int
one_replica_ult(void *arg)
{
	struct replica *r = arg;
	struct model    m = {0};
	d_rank_t        rank = 0;
	d_rank_t        leader;
	d_rank_list_t  *ranks;
	uint64_t        term;

	replica_create(r, &rank, 1);
	for (int round = 0; round < 12; round++) {
		struct rdb_tx *tx;

		ult_eventual_wait(&r->up);
		assert_true(rdb_is_leader(r->db, &term));
		assert_int_equal(term, r->term);
		assert_int_equal(rdb_get_leader(r->db, &term, &leader), 0);
		assert_int_equal(leader, 0);
		assert_int_equal(rdb_tx_begin(r->db, term + 1, &tx), -DER_NOTLEADER);
		assert_int_equal(rdb_tx_begin(r->db, term, &tx), 0);
		check_model(tx, &m);
		rdb_tx_end(tx);
		for (uint64_t i = rnd() % 100; i > 0; i--)
			assert_int_equal(random_tx(r, &m), 0);
		rdb_stop(r->db);
		assert_int_equal(r->term, 0);
		replica_start(r);
	}
	assert_int_equal(rdb_get_replicas(r->db, &ranks), 0);
	assert_int_equal(ranks->rl_nr, 1);
	free(ranks->rl_ranks);
	free(ranks);
	ult_eventual_wait(&r->up);
	assert_int_equal(rdb_destroy(r->eng, r->uuid), -DER_BUSY);
	rdb_stop(r->db);
	assert_int_equal(rdb_destroy(r->eng, r->uuid), 0);
	assert_int_equal(rdb_start(r->eng, r->uuid, &cbs, r, &r->db), -DER_NONEXIST);
	assert_int_equal(r->up_nr, 13);
	assert_int_equal(r->down_nr, 13);
	return 0;
}

static void
test_one_replica_against_model(void **state)
{
	struct et_opts opts = {.modules = modules, .dev_name = "dev", .dev_bytes = DEV_BYTES};
	struct replica r;

	replica_init(&r, et_start(*state, 0, &opts));
	assert_int_equal(et_run(r.eng, 0, one_replica_ult, &r), 0);
}

MAY_YIELD static int
volatile_ult(void *arg)
{
	struct replica *r = arg;
	struct model    m = {0};
	d_rank_t        rank = 0;

	r->up_rc = -DER_NOMEM; /* the first attempt fails, it is tried again */
	replica_create(r, &rank, 1);
	ult_eventual_wait(&r->up);
	assert_int_equal(r->up_nr, 2);
	for (int i = 0; i < 200; i++)
		assert_int_equal(random_tx(r, &m), 0);
	rdb_stop(r->db);
	return 0;
}

static void
test_volatile_engine(void **state)
{
	struct et_opts opts = {.modules = modules};
	struct replica r;

	replica_init(&r, et_start(*state, 0, &opts));
	assert_int_equal(et_run(r.eng, 0, volatile_ult, &r), 0);
}

/* ---- conflicts and limits ---- */

struct writer {
	struct replica *r;
	uint64_t        number;
	uint32_t        ok_nr;
};

MAY_YIELD static void
writer_ult(void *arg)
{
	struct writer  *w = arg;
	uint64_t        s = 1;
	struct rdb_path path = store_path(&s);

	for (uint64_t i = 0; i < 50; i++) {
		uint64_t       k = w->number * 1000 + i;
		struct rdb_tx *tx;
		d_iov_t        key, val;

		d_iov_set(&key, &k, sizeof(k));
		d_iov_set(&val, &i, sizeof(i));
		assert_int_equal(rdb_tx_begin(w->r->db, w->r->term, &tx), 0);
		assert_int_equal(rdb_tx_update(tx, &path, &key, &val), 0);
		w->ok_nr += rdb_tx_commit(tx) == 0;
		rdb_tx_end(tx);
	}
}

static int
count_one(const d_iov_t *key, const d_iov_t *value, void *arg)
{
	(void)key;
	(void)value;
	(*(uint32_t *)arg)++;
	return 0;
}

static int
stop_at_three(const d_iov_t *key, const d_iov_t *value, void *arg)
{
	(void)key;
	(void)value;
	return ++(*(uint32_t *)arg) == 3;
}

MAY_YIELD static int
many_writers_ult(void *arg)
{
	struct replica *r = arg;
	struct writer   w[8];
	struct ult     *ults[8];
	struct rdb_tx  *tx, *tx2;
	d_rank_t        rank = 0;
	uint64_t        s = 1;
	struct rdb_path path = store_path(&s);
	uint32_t        nr = 0;
	d_iov_t         key, val = {0};

	replica_create(r, &rank, 1);
	ult_eventual_wait(&r->up);
	d_iov_set(&key, &s, sizeof(s));
	assert_int_equal(rdb_tx_begin(r->db, r->term, &tx), 0);
	assert_int_equal(rdb_tx_begin(r->db, r->term, &tx2), 0);
	assert_int_equal(rdb_tx_create_kvs(tx, &root_path, &key, RDB_KVS_U64), 0);
	assert_int_equal(rdb_tx_create_kvs(tx2, &root_path, &key, RDB_KVS_U64), 0);
	assert_int_equal(rdb_tx_commit(tx), 0);
	assert_int_equal(rdb_tx_commit(tx2), -DER_EXIST); /* tx came between */
	rdb_tx_end(tx);
	rdb_tx_end(tx2);
	for (uint64_t i = 0; i < 8; i++) {
		w[i] = (struct writer){.r = r, .number = i};
		assert_int_equal(ult_create(NULL, ULT_POOL_GENERIC, writer_ult, &w[i], 0, &ults[i]), 0);
	}
	for (int i = 0; i < 8; i++) {
		ult_join(ults[i]);
		assert_int_equal(w[i].ok_nr, 50);
	}
	assert_int_equal(rdb_tx_begin(r->db, r->term, &tx), 0);
	assert_int_equal(rdb_tx_iterate(tx, &path, count_one, &nr), 0);
	assert_int_equal(nr, 400);
	nr = 0;
	assert_int_equal(rdb_tx_iterate(tx, &path, stop_at_three, &nr), 0);
	assert_int_equal(nr, 3);
	nr = 0;
	assert_int_equal(rdb_tx_iterate(tx, &root_path, count_one, &nr), 0); /* a store is an entry */
	assert_int_equal(nr, 1);
	assert_int_equal(rdb_tx_lookup(tx, &root_path, &key, &val), 0);
	assert_int_equal(val.iov_len, 0);
	assert_int_equal(rdb_tx_update(tx, &root_path, &key, &val), -DER_EXIST);
	key.iov_len = 4;
	assert_int_equal(rdb_tx_update(tx, &path, &key, &val), -DER_INVAL);
	assert_int_equal(rdb_tx_create_kvs(tx, &path, &key, RDB_KVS_BYTES), -DER_INVAL);
	rdb_tx_end(tx);
	rdb_stop(r->db);
	return 0;
}

static void
test_many_writers(void **state)
{
	struct et_opts opts = {.modules = modules, .dev_name = "dev", .dev_bytes = DEV_BYTES};
	struct replica r;

	replica_init(&r, et_start(*state, 0, &opts));
	assert_int_equal(et_run(r.eng, 0, many_writers_ult, &r), 0);
}

MAY_YIELD static int
full_ult(void *arg)
{
	static char     big[1u << 20];
	struct replica *r = arg;
	d_rank_t        rank = 0;
	uint32_t        stored = 0, nr = 0;
	int             rc = 0;

	replica_create(r, &rank, 1);
	ult_eventual_wait(&r->up);
	for (uint64_t k = 0; rc == 0; k++) {
		struct rdb_tx *tx;
		d_iov_t        key, val;

		d_iov_set(&key, &k, sizeof(k));
		d_iov_set(&val, big, sizeof(big));
		assert_int_equal(rdb_tx_begin(r->db, r->term, &tx), 0);
		assert_int_equal(rdb_tx_update(tx, &root_path, &key, &val), 0);
		rc = rdb_tx_commit(tx);
		rdb_tx_end(tx);
		stored += rc == 0;
	}
	assert_int_equal(rc, -DER_NOSPACE);
	assert_in_range(stored, 3, 31);
	/* everything is there after a restart, and there is room after deleting */
	rdb_stop(r->db);
	replica_start(r);
	ult_eventual_wait(&r->up);
	for (uint64_t k = 0; k < stored; k++) {
		struct rdb_tx *tx;
		d_iov_t        key;

		d_iov_set(&key, &k, sizeof(k));
		assert_int_equal(rdb_tx_begin(r->db, r->term, &tx), 0);
		nr = 0;
		assert_int_equal(rdb_tx_iterate(tx, &root_path, count_one, &nr), 0);
		assert_int_equal(nr, stored - k);
		assert_int_equal(rdb_tx_delete(tx, &root_path, &key), 0);
		rc = rdb_tx_commit(tx);
		assert_int_equal(rc, 0);
		rdb_tx_end(tx);
	}
	assert_int_equal(r->stop_nr, 0);
	rdb_stop(r->db);
	return 0;
}

static void
test_full_database(void **state)
{
	struct et_opts opts = {.modules = modules, .dev_name = "dev", .dev_bytes = DEV_BYTES};
	struct replica r;

	replica_init(&r, et_start(*state, 0, &opts));
	assert_int_equal(et_run(r.eng, 0, full_ult, &r), 0);
}

/* ---- power loss ---- */

struct crash {
	struct replica r;
	struct bio_ram *ram;
	struct model   sure, maybe; /**< what was acknowledged, and that plus the transaction under way */
	bool           first;
};

MAY_YIELD static int
crash_ult(void *arg)
{
	struct crash  *c = arg;
	struct rdb_tx *tx;
	d_rank_t       rank = 0;
	bool           sure;
	int            rc = 0;

	if (c->first)
		replica_create(&c->r, &rank, 1);
	else
		replica_start(&c->r);
	ult_eventual_wait(&c->r.up);
	assert_int_equal(c->r.stop_nr, 0);
	assert_int_equal(rdb_tx_begin(c->r.db, c->r.term, &tx), 0);
	sure = equals_model(tx, &c->sure);
	assert_true(sure || equals_model(tx, &c->maybe));
	if (!sure)
		c->sure = c->maybe;
	check_model(tx, &c->sure);
	rdb_tx_end(tx);
	bio_ram_fail_after(c->ram, rnd() % 150);
	while (c->r.stop_nr == 0 && rc == 0) {
		c->maybe = c->sure;
		/* a commit never returns when the log died: the replica's owner stops it then */
		rc = random_tx(&c->r, &c->maybe);
		if (rc == 0)
			c->sure = c->maybe;
	}
	return 0;
}

MAY_YIELD static void
crash_main(void *arg)
{
	(void)!crash_ult(arg);
}

/** The owner: stops the replica when it says that it can't go on. */
MAY_YIELD static int
crash_owner_ult(void *arg)
{
	struct crash *c = arg;
	struct ult   *ult;

	assert_int_equal(ult_create(NULL, ULT_POOL_GENERIC, crash_main, c, 0, &ult), 0);
	while (c->r.stop_nr == 0)
		ult_sleep_ns(100 * NSEC_PER_USEC);
	rdb_stop(c->r.db);
	ult_join(ult);
	return 0;
}

static void
test_power_loss(void **state)
{
	struct et_world    *w = *state;
	struct crash        c = {.first = true};
	struct bio_dev_attr dev = {.kind = BIO_RAM, .path = "ram", .size_bytes = DEV_BYTES, .roles = 7};
	struct et_opts      opts = {.modules = modules};
	uuid_t              uuid;

	assert_int_equal(bio_ram_create(DEV_BYTES, &c.ram), 0);
	dev.ram = c.ram;
	opts.ram = c.ram;
	plat_uuid_generate(uuid);
	assert_int_equal(bio_dev_format(&dev, uuid, true), 0);
	assert_int_equal(bio_ram_track(c.ram), 0);
	replica_init(&c.r, NULL);
	for (int round = 0; round < 25; round++) {
		c.r.eng = et_start(w, 0, &opts);
		c.r.stop_nr = 0;
		assert_int_equal(et_run(c.r.eng, 0, crash_owner_ult, &c), 0);
		et_stop(w, 0);
		bio_ram_power_loss(c.ram, rnd());
		c.first = false;
	}
	bio_ram_destroy(c.ram);
}

/* ---- three replicas ---- */

struct trio {
	struct et_world *w;
	struct replica   r[3];
	struct model     m;
	int              leader;
	int              tx_nr;
};

MAY_YIELD static int
trio_create_ult(void *arg)
{
	struct replica *r = arg;
	d_rank_t        ranks[3] = {0, 1, 2};

	replica_create(r, ranks, 3);
	return 0;
}

MAY_YIELD static int
trio_start_ult(void *arg)
{
	replica_start(arg);
	return 0;
}

MAY_YIELD static int
trio_stop_ult(void *arg)
{
	struct replica *r = arg;

	rdb_stop(r->db);
	r->db = NULL;
	return 0;
}

/** Transactions on one replica while it leads; the value of the one that failed, or 0. */
MAY_YIELD static int
trio_write_ult(void *arg)
{
	struct trio    *t = arg;
	struct replica *r = &t->r[t->leader];
	struct rdb_tx  *tx;
	int             rc = 0;

	if (r->term == 0)
		return -DER_NOTLEADER;
	rc = rdb_tx_begin(r->db, r->term, &tx);
	if (rc != 0)
		return rc;
	check_model(tx, &t->m);
	rdb_tx_end(tx);
	for (int i = 0; i < t->tx_nr && rc == 0; i++) {
		struct model m = t->m;

		rc = random_tx(r, &m);
		if (rc == 0)
			t->m = m;
	}
	return rc;
}

/** Ask the replicas until one leads and took all transactions. */
static void
trio_write(struct trio *t, int tx_nr)
{
	int rc = -DER_NOTLEADER;

	t->tx_nr = tx_nr;
	for (int i = 0; rc != 0; i = (i + 1) % 3) {
		if (t->r[i].db == NULL)
			continue;
		t->leader = i;
		rc = et_run(t->r[i].eng, 0, trio_write_ult, t);
		assert_true(rc == 0 || rc == -DER_NOTLEADER);
		if (rc != 0)
			sched_yield();
	}
}

static void
trio_begin(struct trio *t, struct et_world *w)
{
	char           name[16];
	struct et_opts opts = {.modules = modules, .dev_name = name, .dev_bytes = DEV_BYTES};

	memset(t, 0, sizeof(*t));
	t->w = w;
	for (int i = 0; i < 3; i++) {
		snprintf(name, sizeof(name), "dev%d", i);
		replica_init(&t->r[i], et_start(w, i, &opts));
		uuid_copy(t->r[i].uuid, t->r[0].uuid);
	}
	et_group(w);
	for (int i = 0; i < 3; i++)
		assert_int_equal(et_run(t->r[i].eng, 0, trio_create_ult, &t->r[i]), 0);
}

static void
test_three_replicas_failover(void **state)
{
	struct trio t;

	trio_begin(&t, *state);
	trio_write(&t, 20);
	for (int round = 0; round < 4; round++) {
		int victim = t.leader;

		assert_int_equal(et_run(t.r[victim].eng, 0, trio_stop_ult, &t.r[victim]), 0);
		/* the other two go on, past a compaction, with nothing lost */
		trio_write(&t, round % 2 == 0 ? 10 : 60);
		assert_int_not_equal(t.leader, victim);
		assert_int_equal(et_run(t.r[victim].eng, 0, trio_start_ult, &t.r[victim]), 0);
		trio_write(&t, 5);
	}
	for (int i = 0; i < 3; i++)
		assert_int_equal(et_run(t.r[i].eng, 0, trio_stop_ult, &t.r[i]), 0);
}

/** A replica that was away while the log was compacted gets a snapshot, and then can lead. */
static void
test_three_replicas_snapshot(void **state)
{
	struct trio t;
	int         away, other;

	trio_begin(&t, *state);
	trio_write(&t, 20);
	away = (t.leader + 1) % 3;
	other = (t.leader + 2) % 3;
	assert_int_equal(et_run(t.r[away].eng, 0, trio_stop_ult, &t.r[away]), 0);
	trio_write(&t, 150);
	assert_int_equal(et_run(t.r[away].eng, 0, trio_start_ult, &t.r[away]), 0);
	/* now only with `away` there is a majority */
	if (t.leader == other)
		other = 3 - away - other;
	assert_int_equal(et_run(t.r[other].eng, 0, trio_stop_ult, &t.r[other]), 0);
	trio_write(&t, 10);
	for (int i = 0; i < 3; i++) {
		if (t.r[i].db != NULL)
			assert_int_equal(et_run(t.r[i].eng, 0, trio_stop_ult, &t.r[i]), 0);
	}
}

int
main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(test_one_replica_against_model, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_volatile_engine, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_many_writers, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_full_database, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_power_loss, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_three_replicas_failover, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_three_replicas_snapshot, setup, teardown),
	};

	if (argc > 1)
		cmocka_set_test_filter(argv[1]);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
