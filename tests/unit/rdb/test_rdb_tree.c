/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/** The treap against a sorted array; entries and snapshots encoded, decoded, damaged. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <daos_errno.h>
#include "rdb/rdb_entry.h"

static uint64_t seed = 88172645463325252ULL;

static uint64_t
rnd(void)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return seed;
}

#define MODEL_KEYS 257

static void
test_treap_against_array(void **state)
{
	struct rdb_kvs *kvs = rdb_kvs_new(RDB_KVS_U64);
	uint64_t        model[MODEL_KEYS] = {0}; /* 0: absent */

	(void)state;
	for (int step = 0; step < 50000; step++) {
		uint64_t         k = rnd() % MODEL_KEYS, v = rnd() | 1;
		d_iov_t          key, val;
		struct rdb_node *node = NULL, *old;

		d_iov_set(&key, &k, sizeof(k));
		d_iov_set(&val, &v, sizeof(v));
		if (rnd() % 3 != 0)
			node = rdb_node_new(&key, &val, NULL);
		old = rdb_kvs_swap(kvs, &key, node);
		assert_int_equal(old != NULL, model[k] != 0);
		if (old != NULL)
			assert_memory_equal(rdb_node_val(old), &model[k], 8);
		rdb_node_put(old);
		model[k] = node != NULL ? v : 0;
		if (step % 1000 == 0) {
			struct rdb_node *n = rdb_kvs_next(kvs, NULL);

			assert_true(rdb_kvs_ok(kvs));
			for (uint64_t i = 0; i < MODEL_KEYS; i++) {
				if (model[i] == 0)
					continue;
				assert_non_null(n);
				assert_memory_equal(rdb_node_key(n), &i, 8);
				assert_memory_equal(rdb_node_val(n), &model[i], 8);
				d_iov_set(&key, &i, 8);
				assert_ptr_equal(rdb_kvs_find(kvs, &key), n);
				n = rdb_kvs_next(kvs, &key);
			}
			assert_null(n);
		}
	}
	rdb_kvs_free(kvs);
}

static struct rdb_op
make_op(enum rdb_op_kind kind, const char *path1, const char *key, const char *value)
{
	struct rdb_op op = {.kind = kind};

	if (path1 != NULL) {
		op.path.nr = 1;
		d_iov_set(&op.path.keys[0], (void *)path1, strlen(path1));
	}
	d_iov_set(&op.key, (void *)key, strlen(key));
	if (value != NULL)
		d_iov_set(&op.value, (void *)value, strlen(value));
	return op;
}

static int
apply(struct rdb_kvs *root, uint64_t *bytes, const struct rdb_op *ops, unsigned nr)
{
	struct rdb_buf buf = {0};
	int            rc;

	for (unsigned i = 0; i < nr; i++)
		assert_int_equal(rdb_entry_add(&buf, &ops[i]), 0);
	rdb_entry_seal(&buf);
	rc = rdb_entry_apply(root, buf.data, buf.len, bytes);
	rdb_buf_fini(&buf);
	return rc;
}

static uint64_t
snap_bytes(struct rdb_kvs *root)
{
	void  *data;
	size_t len;

	assert_int_equal(rdb_snap_encode(root, &data, &len), 0);
	free(data);
	return len;
}

static void
test_entry_is_all_or_nothing(void **state)
{
	struct rdb_kvs *root = rdb_kvs_new(RDB_KVS_BYTES);
	uint64_t        bytes = 0, before;
	struct rdb_op   first[] = {
            make_op(RDB_OP_CREATE, NULL, "a", NULL),
            make_op(RDB_OP_UPDATE, "a", "k1", "v1"),
            make_op(RDB_OP_UPDATE, "a", "k2", "v2"),
        };
	struct rdb_op second[] = {
	    make_op(RDB_OP_UPDATE, "a", "k1", "other"),  make_op(RDB_OP_DELETE, "a", "k2", NULL),
	    make_op(RDB_OP_DELETE, "a", "none", NULL),   make_op(RDB_OP_CREATE, "a", "sub", NULL),
	    make_op(RDB_OP_DESTROY, NULL, "a", NULL),    make_op(RDB_OP_CREATE, NULL, "a", NULL),
	    make_op(RDB_OP_UPDATE, "nosuch", "x", "y"),
	};
	void  *snap1, *snap2;
	size_t len1, len2;

	(void)state;
	assert_int_equal(apply(root, &bytes, first, 3), 0);
	assert_int_equal(rdb_snap_encode(root, &snap1, &len1), 0);
	before = bytes;
	assert_int_equal(apply(root, &bytes, second, 7), -DER_NONEXIST);
	assert_true(rdb_kvs_ok(root));
	assert_int_equal(bytes, before);
	assert_int_equal(rdb_snap_encode(root, &snap2, &len2), 0);
	assert_int_equal(len1, len2);
	assert_memory_equal(snap1, snap2, len1);
	assert_int_equal(apply(root, &bytes, second, 6), 0);
	assert_int_equal(snap_bytes(root) - snap_bytes(rdb_kvs_walk(root, &(struct rdb_path){.nr = 0})), 0);
	free(snap1);
	free(snap2);
	rdb_kvs_free(root);
}

/** A random tree, three deep. */
static struct rdb_kvs *
random_tree(uint64_t *bytes)
{
	struct rdb_kvs *root = rdb_kvs_new(RDB_KVS_BYTES);

	for (int i = 0; i < 300; i++) {
		char          name[16], sub[16], value[100];
		struct rdb_op op;

		snprintf(name, sizeof(name), "s%d", (int)(rnd() % 10));
		snprintf(sub, sizeof(sub), "k%d", (int)(rnd() % 30));
		memset(value, 'a' + rnd() % 26, sizeof(value));
		value[rnd() % sizeof(value)] = '\0';
		value[sizeof(value) - 1] = '\0';
		op = make_op(RDB_OP_CREATE, NULL, name, NULL);
		(void)!apply(root, bytes, &op, 1);
		op = make_op(rnd() % 4 == 0 ? RDB_OP_CREATE : RDB_OP_UPDATE, name, sub, value);
		(void)!apply(root, bytes, &op, 1);
	}
	return root;
}

static void
test_snapshot_round_trip_and_damage(void **state)
{
	uint64_t        bytes = 0;
	struct rdb_kvs *root = random_tree(&bytes), *copy;
	void           *data, *again;
	size_t          len, again_len;

	(void)state;
	assert_int_equal(rdb_snap_encode(root, &data, &len), 0);
	assert_int_equal(len, sizeof(struct rdb_head_df) + 12 + bytes);
	assert_int_equal(rdb_snap_decode(data, len, &copy), 0);
	assert_true(rdb_kvs_ok(copy));
	assert_int_equal(rdb_snap_encode(copy, &again, &again_len), 0);
	assert_int_equal(len, again_len);
	assert_memory_equal(data, again, len);
	rdb_kvs_free(copy);
	for (int i = 0; i < 2000; i++) {
		size_t at = rnd() % len;

		((char *)again)[at] ^= 1 << rnd() % 8;
		assert_int_equal(rdb_snap_decode(again, len, &copy), -DER_PROTO);
		((char *)again)[at] = ((char *)data)[at];
	}
	for (size_t cut = 0; cut < 200; cut++)
		assert_int_equal(rdb_snap_decode(data, cut, &copy), -DER_PROTO);
	free(data);
	free(again);
	rdb_kvs_free(root);
}

/** Damage under a right checksum: what a peer of another mind could send. */
static void
test_malformed_ops_are_refused(void **state)
{
	struct rdb_kvs *root = rdb_kvs_new(RDB_KVS_BYTES);
	uint64_t        bytes = 0;
	unsigned        refused = 0;

	(void)state;
	for (int i = 0; i < 5000; i++) {
		struct rdb_buf buf = {0};
		struct rdb_op  op = make_op(RDB_OP_CREATE, NULL, "abc", NULL);
		int            rc;

		assert_int_equal(rdb_entry_add(&buf, &op), 0);
		op = make_op(RDB_OP_UPDATE, "abc", "key", "value");
		assert_int_equal(rdb_entry_add(&buf, &op), 0);
		for (uint64_t n = rnd() % 3 + 1; n > 0; n--) {
			size_t body = buf.len - sizeof(struct rdb_head_df);

			buf.data[sizeof(struct rdb_head_df) + rnd() % body] = rnd();
		}
		if (rnd() % 4 == 0)
			buf.len -= rnd() % 8;
		rdb_entry_seal(&buf);
		rc = rdb_entry_apply(root, buf.data, buf.len, &bytes);
		assert_true(rc == 0 || rc == -DER_PROTO || rc == -DER_NONEXIST || rc == -DER_EXIST);
		refused += rc == -DER_PROTO;
		rdb_buf_fini(&buf);
	}
	assert_true(refused > 1000);
	assert_true(rdb_kvs_ok(root));
	rdb_kvs_free(root);
}

static void
test_limits(void **state)
{
	static char    big[RDB_VALUE_MAX + 1];
	struct rdb_buf buf = {0};
	struct rdb_op  op = make_op(RDB_OP_UPDATE, NULL, "k", NULL);

	(void)state;
	d_iov_set(&op.value, big, sizeof(big));
	assert_int_equal(rdb_entry_add(&buf, &op), -DER_REC2BIG);
	op.value.iov_len--;
	assert_int_equal(rdb_entry_add(&buf, &op), 0);
	assert_int_equal(rdb_entry_add(&buf, &op), -DER_REC2BIG); /* over RDB_ENTRY_MAX */
	assert_int_equal(buf.op_nr, 1);
	op = make_op(RDB_OP_DELETE, NULL, "k", NULL);
	op.key.iov_buf = big;
	op.key.iov_len = RDB_KEY_MAX + 1;
	assert_int_equal(rdb_entry_add(&buf, &op), -DER_REC2BIG);
	rdb_buf_fini(&buf);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_treap_against_array),        cmocka_unit_test(test_entry_is_all_or_nothing),
	    cmocka_unit_test(test_snapshot_round_trip_and_damage), cmocka_unit_test(test_malformed_ops_are_refused),
	    cmocka_unit_test(test_limits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
