/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/**
 * What people embed, for comparison with vos_perf: LMDB and RocksDB with the same keys (16 bytes, in the
 * same kind of random order) and values, one thread, one transaction a key.
 *
 *   kv_bench lmdb|rocksdb DIR KEYS VALUE_BYTES [sync]
 *
 * Settings. LMDB: NOSYNC, WRITEMAP, NOMETASYNC, NORDAHEAD; a read transaction renewed for each fetch; the value is
 * copied out. RocksDB: log on; with "sync" each update waits for it; no compression, Bloom filter of 10 bits,
 * 256 MiB memtables, 4 GiB block cache, everything compacted before fetches; the pinned value is copied out.
 */
#include <lmdb.h>
#include <rocksdb/c.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define KEY_BYTES 16

static uint64_t key_nr;
static size_t   value_bytes;
static char    *value;

static void
must(int rc, const char *what)
{
	if (rc == 0)
		return;
	fprintf(stderr, "kv_bench: %s: %d\n", what, rc);
	exit(1);
}

static void
must_no(char *err)
{
	if (err == NULL)
		return;
	fprintf(stderr, "kv_bench: %s\n", err);
	exit(1);
}

static double
now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec + t.tv_nsec * 1e-9;
}

/** Keys are the images of 0, 1, ... under a bijection of 64-bit numbers: all different, in no order. */
static void
key_set(char *key, uint64_t idx)
{
	idx ^= idx >> 31;
	idx *= 0x9e3779b97f4a7c15ULL;
	idx ^= idx >> 29;
	idx *= 0xbf58476d1ce4e5b9ULL;
	memset(key, 'k', KEY_BYTES);
	memcpy(key, &idx, sizeof(idx));
}

/** Some index, for fetches. */
static uint64_t
random_idx(uint64_t i)
{
	uint64_t x = (i + 12345) * 0x94d049bb133111ebULL;

	x ^= x >> 32;
	x *= 0x9e3779b97f4a7c15ULL;
	return (x >> 16) % key_nr;
}

static void
check(uint64_t idx, const void *got, size_t bytes, char *copy)
{
	uint64_t found;

	if (got == NULL || bytes != value_bytes)
		must(1, "value of the wrong length");
	memcpy(copy, got, bytes);
	memcpy(&found, copy, sizeof(found));
	must(found != idx, "wrong value");
}

static void
report(double update_s, double fetch_s)
{
	printf("{\"update\": %.1f, \"fetch\": %.1f}\n", key_nr / update_s, fetch_s > 0 ? key_nr / fetch_s : 0);
}

/* ---- LMDB ---- */

static double
lmdb_update(MDB_env *env, MDB_dbi dbi)
{
	double start = now();
	char   key[KEY_BYTES];

	for (uint64_t i = 0; i < key_nr; i++) {
		MDB_val  k = {KEY_BYTES, key}, v = {value_bytes, value};
		MDB_txn *txn;

		key_set(key, i);
		memcpy(value, &i, sizeof(i));
		must(mdb_txn_begin(env, NULL, 0, &txn), "begin");
		must(mdb_put(txn, dbi, &k, &v, 0), "put");
		must(mdb_txn_commit(txn), "commit");
	}
	return now() - start;
}

static double
lmdb_fetch(MDB_env *env, MDB_dbi dbi)
{
	char    *copy = malloc(value_bytes);
	char     key[KEY_BYTES];
	MDB_txn *txn;
	double   start;

	must(mdb_txn_begin(env, NULL, MDB_RDONLY, &txn), "begin");
	mdb_txn_reset(txn);
	start = now();
	for (uint64_t i = 0; i < key_nr; i++) {
		uint64_t idx = random_idx(i);
		MDB_val  k   = {KEY_BYTES, key}, v = {0, NULL};

		key_set(key, idx);
		must(mdb_txn_renew(txn), "renew");
		must(mdb_get(txn, dbi, &k, &v), "get");
		check(idx, v.mv_data, v.mv_size, copy);
		mdb_txn_reset(txn);
	}
	start = now() - start;
	mdb_txn_abort(txn);
	free(copy);
	return start;
}

static void
run_lmdb(const char *dir)
{
	MDB_env *env;
	MDB_txn *txn;
	MDB_dbi  dbi;
	double   update_s;

	must(mdb_env_create(&env), "create");
	must(mdb_env_set_mapsize(env, 16ull << 30), "mapsize");
	must(mdb_env_open(env, dir, MDB_NOSYNC | MDB_WRITEMAP | MDB_NOMETASYNC | MDB_NORDAHEAD, 0600), "open");
	must(mdb_txn_begin(env, NULL, 0, &txn), "begin");
	must(mdb_dbi_open(txn, NULL, MDB_CREATE, &dbi), "dbi");
	must(mdb_txn_commit(txn), "commit");
	update_s = lmdb_update(env, dbi);
	report(update_s, lmdb_fetch(env, dbi));
	mdb_env_close(env);
}

/* ---- RocksDB ---- */

static rocksdb_options_t *
rocksdb_tuned(void)
{
	rocksdb_options_t                   *o = rocksdb_options_create();
	rocksdb_block_based_table_options_t *t = rocksdb_block_based_options_create();

	rocksdb_options_set_create_if_missing(o, 1);
	rocksdb_options_set_compression(o, rocksdb_no_compression);
	rocksdb_options_set_write_buffer_size(o, 256u << 20);
	rocksdb_options_set_max_write_buffer_number(o, 4);
	rocksdb_options_set_max_background_jobs(o, 2);
	rocksdb_block_based_options_set_block_cache(t, rocksdb_cache_create_lru(4ull << 30));
	rocksdb_block_based_options_set_filter_policy(t, rocksdb_filterpolicy_create_bloom_full(10));
	rocksdb_options_set_block_based_table_factory(o, t);
	return o;
}

static double
rocksdb_update(rocksdb_t *db, bool sync)
{
	rocksdb_writeoptions_t *w     = rocksdb_writeoptions_create();
	double                  start = now();
	char                    key[KEY_BYTES];
	char                   *err = NULL;

	rocksdb_writeoptions_set_sync(w, sync);
	for (uint64_t i = 0; i < key_nr; i++) {
		key_set(key, i);
		memcpy(value, &i, sizeof(i));
		rocksdb_put(db, w, key, KEY_BYTES, value, value_bytes, &err);
		must_no(err);
	}
	return now() - start;
}

static double
rocksdb_fetch(rocksdb_t *db)
{
	rocksdb_readoptions_t *r    = rocksdb_readoptions_create();
	char                  *copy = malloc(value_bytes);
	char                   key[KEY_BYTES];
	char                  *err = NULL;
	double                 start;

	rocksdb_compact_range(db, NULL, 0, NULL, 0);
	start = now();
	for (uint64_t i = 0; i < key_nr; i++) {
		uint64_t                 idx = random_idx(i);
		rocksdb_pinnableslice_t *slice;
		size_t                   bytes = 0;
		const char              *got;

		key_set(key, idx);
		slice = rocksdb_get_pinned(db, r, key, KEY_BYTES, &err);
		must_no(err);
		got = slice == NULL ? NULL : rocksdb_pinnableslice_value(slice, &bytes);
		check(idx, got, bytes, copy);
		rocksdb_pinnableslice_destroy(slice);
	}
	free(copy);
	return now() - start;
}

static void
run_rocksdb(const char *dir, bool sync)
{
	char      *err = NULL;
	rocksdb_t *db  = rocksdb_open(rocksdb_tuned(), dir, &err);
	double     update_s;

	must_no(err);
	update_s = rocksdb_update(db, sync);
	report(update_s, sync ? 0 : rocksdb_fetch(db));
	rocksdb_close(db);
}

int
main(int argc, char **argv)
{
	if (argc < 5) {
		fprintf(stderr, "usage: kv_bench lmdb|rocksdb DIR KEYS VALUE_BYTES [sync]\n");
		return 2;
	}
	key_nr      = strtoull(argv[3], NULL, 0);
	value_bytes = strtoull(argv[4], NULL, 0);
	value       = malloc(value_bytes);
	for (size_t i = 0; i < value_bytes; i++)
		value[i] = i * 131 >> 3;
	if (strcmp(argv[1], "lmdb") == 0)
		run_lmdb(argv[2]);
	else
		run_rocksdb(argv[2], argc > 5);
	return 0;
}
