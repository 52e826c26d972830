/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/** The B+tree with each kind of key, against a sorted array. */
#include "vos_test_util.h"
#include "vos/vos_internal.h"

#define KEY_MAX 700

/** One key of the model: its bytes, and whether it is in the tree. */
struct mkey {
	char	 bytes[64];
	uint32_t len;
	bool	 in;
	uint64_t val;
};

struct fixture {
	struct umem	    *umem;
	struct vos_pool	     pool;
	struct vos_btree_df  df;
	struct vos_btree_df *tree_df;
	struct mkey	     keys[KEY_MAX]; /**< in tree order */
	uint32_t	     key_nr;
};

/** A class under test: how to make keys, how they order, how to use them. */
struct kind {
	const char *name;
	void (*make)(struct rnd *r, struct mkey *k);
	int (*order)(const struct mkey *a, const struct mkey *b);
	struct vos_btree (*tree)(struct fixture *f);
	const void *(*search)(struct mkey *k, struct vos_key_probe *probe);
	int (*insert)(struct fixture *f, struct mkey *k);
	int (*remove)(struct fixture *f, struct mkey *k);
	bool (*is)(struct fixture *f, const void *ent, const struct mkey *k);
	bool (*less)(const struct umem *u, const void *a, const void *b);
};

/* ---- integers in the node, 40 bytes of value ---- */

static const struct vos_btree_class u64_class = {48, 8, 6, vos_btree_cmp_u64};

static void
u64_make(struct rnd *r, struct mkey *k)
{
	uint64_t v = rnd_below(r, 100000);

	memcpy(k->bytes, &v, 8);
	k->len = 8;
}

static int
u64_order(const struct mkey *a, const struct mkey *b)
{
	uint64_t x;
	uint64_t y;

	memcpy(&x, a->bytes, 8);
	memcpy(&y, b->bytes, 8);
	return x < y ? -1 : x > y;
}

static struct vos_btree
u64_tree(struct fixture *f)
{
	return (struct vos_btree){f->umem, &u64_class, f->tree_df};
}

static const void *
u64_search(struct mkey *k, struct vos_key_probe *probe)
{
	return k->bytes;
}

static int
u64_insert(struct fixture *f, struct mkey *k)
{
	struct vos_btree t = u64_tree(f);
	uint64_t	 ent[6] = {0};

	memcpy(&ent[0], k->bytes, 8);
	ent[5] = k->val;
	return vos_btree_insert(&t, k->bytes, ent);
}

static int
u64_remove(struct fixture *f, struct mkey *k)
{
	struct vos_btree t = u64_tree(f);

	return vos_btree_delete(&t, k->bytes);
}

static bool
u64_is(struct fixture *f, const void *ent, const struct mkey *k)
{
	const uint64_t *e = ent;

	return memcmp(ent, k->bytes, 8) == 0 && e[5] == k->val;
}

static bool
u64_less(const struct umem *u, const void *a, const void *b)
{
	return *(const uint64_t *)a < *(const uint64_t *)b;
}

/* ---- 16 bytes in the node, byte order ---- */

static int
bytes_cmp(const struct umem *u, const void *ent, const void *key)
{
	return memcmp(ent, key, 16);
}

static const struct vos_btree_class bytes_class = {24, 16, 5, bytes_cmp};

static void
bytes_make(struct rnd *r, struct mkey *k)
{
	uint32_t i;

	for (i = 0; i < 16; i++)
		k->bytes[i] = i < 12 ? 'x' : (char)rnd_below(r, 10);
	k->len = 16;
}

static int
bytes_order(const struct mkey *a, const struct mkey *b)
{
	return memcmp(a->bytes, b->bytes, 16);
}

static struct vos_btree
bytes_tree(struct fixture *f)
{
	return (struct vos_btree){f->umem, &bytes_class, f->tree_df};
}

static int
bytes_insert(struct fixture *f, struct mkey *k)
{
	struct vos_btree t = bytes_tree(f);
	char		 ent[24];

	memcpy(ent, k->bytes, 16);
	memcpy(ent + 16, &k->val, 8);
	return vos_btree_insert(&t, k->bytes, ent);
}

static int
bytes_remove(struct fixture *f, struct mkey *k)
{
	struct vos_btree t = bytes_tree(f);

	return vos_btree_delete(&t, k->bytes);
}

static bool
bytes_is(struct fixture *f, const void *ent, const struct mkey *k)
{
	return memcmp(ent, k->bytes, 16) == 0 && memcmp((char *)ent + 16, &k->val, 8) == 0;
}

static bool
bytes_less(const struct umem *u, const void *a, const void *b)
{
	return memcmp(a, b, 16) < 0;
}

/* ---- keys of any length in records: lexical and hashed ---- */

static void
text_make(struct rnd *r, struct mkey *k)
{
	uint32_t i;

	k->len = 1 + rnd_below(r, 14);
	for (i = 0; i < k->len; i++)
		k->bytes[i] = i < 9 && rnd_below(r, 3) != 0 ? 'a' : 'a' + (char)rnd_below(r, 3);
}

static int
lex_order(const struct mkey *a, const struct mkey *b)
{
	int c = memcmp(a->bytes, b->bytes, MIN_OF(a->len, b->len));

	return c != 0 ? c : (a->len < b->len ? -1 : a->len > b->len);
}

static const void *
key_search(struct mkey *k, struct vos_key_probe *probe, enum vos_key_kind kind)
{
	daos_key_t key;

	d_iov_set(&key, k->bytes, k->len);
	assert_int_equal(vos_key_probe_init(probe, kind, &key), 0);
	return probe;
}

static const void *
lex_search(struct mkey *k, struct vos_key_probe *probe)
{
	return key_search(k, probe, VOS_KEY_LEX);
}

/** A bad hash of the key, to have many collisions. */
static const void *
hash_search(struct mkey *k, struct vos_key_probe *probe)
{
	key_search(k, probe, VOS_KEY_HASH);
	probe->ord = (unsigned char)k->bytes[k->len - 1] + k->len;
	return probe;
}

static int
hash_order(const struct mkey *a, const struct mkey *b)
{
	uint64_t x = (unsigned char)a->bytes[a->len - 1] + a->len;
	uint64_t y = (unsigned char)b->bytes[b->len - 1] + b->len;

	return x != y ? (x < y ? -1 : 1) : lex_order(a, b);
}

static struct vos_btree
key_tree(struct fixture *f)
{
	return vos_key_tree(&f->pool, f->tree_df);
}

static int
key_insert(struct fixture *f, const struct vos_key_probe *probe)
{
	struct vos_key_df *key;

	return vos_key_make(&f->pool, f->tree_df, VOS_DKEY, probe, &key);
}

static int
lex_insert(struct fixture *f, struct mkey *k)
{
	struct vos_key_probe probe;

	lex_search(k, &probe);
	return key_insert(f, &probe);
}

static int
hash_insert(struct fixture *f, struct mkey *k)
{
	struct vos_key_probe probe;

	hash_search(k, &probe);
	return key_insert(f, &probe);
}

static int
key_remove(struct fixture *f, const struct vos_key_probe *probe)
{
	struct vos_btree   t = key_tree(f);
	struct vos_key_df *key = vos_key_find(&f->pool, f->tree_df, probe);
	int		   rc;

	if (key == NULL)
		return -DER_NONEXIST;
	rc = vos_btree_delete(&t, probe);
	return rc != 0 ? rc : vos_key_free(&f->pool, key);
}

static int
lex_remove(struct fixture *f, struct mkey *k)
{
	struct vos_key_probe probe;

	lex_search(k, &probe);
	return key_remove(f, &probe);
}

static int
hash_remove(struct fixture *f, struct mkey *k)
{
	struct vos_key_probe probe;

	hash_search(k, &probe);
	return key_remove(f, &probe);
}

static bool
key_is(struct fixture *f, const void *ent, const struct mkey *k)
{
	const struct vos_key_df *key = vos_key_of(&f->pool, ent);

	return key->key_bytes == k->len && memcmp(vos_key_bytes(key), k->bytes, k->len) == 0;
}

static bool
ord_less(const struct umem *u, const void *a, const void *b)
{
	return ((const struct vos_key_ent_df *)a)->ord <= ((const struct vos_key_ent_df *)b)->ord;
}

static const struct kind kinds[] = {
    {"integer", u64_make, u64_order, u64_tree, u64_search, u64_insert, u64_remove, u64_is,
     u64_less},
    {"bytes", bytes_make, bytes_order, bytes_tree, u64_search, bytes_insert, bytes_remove, bytes_is,
     bytes_less},
    {"lexical", text_make, lex_order, key_tree, lex_search, lex_insert, lex_remove, key_is,
     ord_less},
    {"hashed", text_make, hash_order, key_tree, hash_search, hash_insert, hash_remove, key_is,
     ord_less},
};

/* ---- the test ---- */

static void
fixture_init(struct fixture *f)
{
	struct umem_attr attr = {.bytes = 16 << 20, .root_bytes = sizeof(struct vos_btree_df)};

	memset(f, 0, sizeof(*f));
	assert_int_equal(umem_open(&attr, (const unsigned char *)"btree under test", &f->umem), 0);
	f->pool.umem = f->umem;
	f->tree_df = umem_ptr(f->umem, umem_root(f->umem));
}

static void
model_fill(struct fixture *f, const struct kind *kind, struct rnd *r)
{
	uint32_t i;

	while (f->key_nr < KEY_MAX) {
		struct mkey k = {.val = rnd_next(r)};

		kind->make(r, &k);
		for (i = 0; i < f->key_nr && kind->order(&f->keys[i], &k) < 0; i++)
			;
		if (i < f->key_nr && kind->order(&f->keys[i], &k) == 0) {
			if (rnd_below(r, 50) == 0)
				break;
			continue;
		}
		memmove(&f->keys[i + 1], &f->keys[i], (f->key_nr - i) * sizeof(k));
		f->keys[i] = k;
		f->key_nr++;
	}
	assert_true(f->key_nr > 20);
}

static struct mkey *
model_near(struct fixture *f, int64_t i, int step)
{
	for (; i >= 0 && i < f->key_nr; i += step)
		if (f->keys[i].in)
			return &f->keys[i];
	return NULL;
}

static void
probe_compare(struct fixture *f, const struct kind *kind, uint32_t i)
{
	struct vos_btree     t = kind->tree(f);
	struct vos_key_probe probe;
	const void	    *key = kind->search(&f->keys[i], &probe);
	struct mkey	    *want[] = {
		    [VOS_BTREE_EQ] = f->keys[i].in ? &f->keys[i] : NULL,
		    [VOS_BTREE_GE] = model_near(f, i, 1),
		    [VOS_BTREE_GT] = model_near(f, (int64_t)i + 1, 1),
		    [VOS_BTREE_LE] = model_near(f, i, -1),
		    [VOS_BTREE_LT] = model_near(f, (int64_t)i - 1, -1),
		    [VOS_BTREE_FIRST] = model_near(f, 0, 1),
		    [VOS_BTREE_LAST] = model_near(f, (int64_t)f->key_nr - 1, -1),
	};
	uint32_t op;

	for (op = 0; op < ARRAY_NR(want); op++) {
		void *ent = vos_btree_probe(&t, op, key, NULL);

		assert_int_equal(ent == NULL, want[op] == NULL);
		if (ent != NULL)
			assert_true(kind->is(f, ent, want[op]));
	}
}

static void
scan_compare(struct fixture *f, const struct kind *kind)
{
	struct vos_btree     t = kind->tree(f);
	struct vos_btree_cur cur;
	void		    *ent = vos_btree_probe(&t, VOS_BTREE_FIRST, NULL, &cur);
	uint32_t	     nr = 0;
	uint32_t	     i;

	for (i = 0; i < f->key_nr; i++) {
		if (!f->keys[i].in)
			continue;
		assert_non_null(ent);
		assert_true(kind->is(f, ent, &f->keys[i]));
		ent = vos_btree_next(&t, &cur);
		nr++;
	}
	assert_null(ent);
	assert_int_equal(nr, f->tree_df->nr);
	ent = vos_btree_probe(&t, VOS_BTREE_LAST, NULL, &cur);
	for (i = f->key_nr; i-- > 0;) {
		if (!f->keys[i].in)
			continue;
		assert_true(ent != NULL && kind->is(f, ent, &f->keys[i]));
		ent = vos_btree_prev(&t, &cur);
	}
	assert_null(ent);
	assert_int_equal(vos_btree_check(&t, kind->less, NULL, NULL), 0);
	assert_int_equal(umem_check(f->umem), 0);
}

/** One change; now and then it is aborted. */
static void
change(struct fixture *f, const struct kind *kind, struct rnd *r, bool grow)
{
	uint32_t     i = rnd_below(r, f->key_nr);
	struct mkey *k = &f->keys[i];
	bool	     insert = grow ? rnd_below(r, 10) < 7 : rnd_below(r, 10) < 3;
	bool	     in = k->in;

	umem_tx_begin(f->umem);
	if (insert && !k->in) {
		assert_int_equal(kind->insert(f, k), 0);
		k->in = true;
	} else if (!insert) {
		assert_int_equal(kind->remove(f, k), k->in ? 0 : -DER_NONEXIST);
		k->in = false;
	}
	if (rnd_below(r, 20) == 0) {
		umem_tx_abort(f->umem);
		k->in = in;
	} else {
		assert_int_equal(umem_tx_commit(f->umem), 0);
	}
}

static void
kind_test(const struct kind *kind, uint64_t seed)
{
	struct fixture	*f = malloc(sizeof(*f));
	struct rnd	 r = rnd_init(kind->name, seed);
	struct umem_stat stat;
	uint32_t	 rounds = rnd_rounds(6000);
	uint32_t	 i;

	fixture_init(f);
	model_fill(f, kind, &r);
	for (i = 0; i < rounds; i++) {
		change(f, kind, &r, (i / 1000) % 2 == 0);
		probe_compare(f, kind, rnd_below(&r, f->key_nr));
		if (i % 200 == 0)
			scan_compare(f, kind);
	}
	umem_stat(f->umem, &stat);
	for (i = 0; i < f->key_nr; i++) {
		umem_tx_begin(f->umem);
		if (f->keys[i].in)
			assert_int_equal(kind->remove(f, &f->keys[i]), 0);
		assert_int_equal(umem_tx_commit(f->umem), 0);
		f->keys[i].in = false;
	}
	scan_compare(f, kind);
	assert_int_equal(f->tree_df->depth, 0);
	umem_close(f->umem);
	free(f);
}

static void
integer_keys_agree_with_the_model(void **state)
{
	kind_test(&kinds[0], 101);
}

static void
byte_keys_agree_with_the_model(void **state)
{
	kind_test(&kinds[1], 102);
}

static void
lexical_keys_agree_with_the_model(void **state)
{
	kind_test(&kinds[2], 103);
}

static void
hashed_keys_that_collide_agree_with_the_model(void **state)
{
	kind_test(&kinds[3], 104);
}

static void
inserting_twice_is_refused(void **state)
{
	struct fixture *f = malloc(sizeof(*f));
	struct mkey	k = {.len = 8, .val = 1};

	fixture_init(f);
	umem_tx_begin(f->umem);
	assert_int_equal(u64_insert(f, &k), 0);
	assert_int_equal(u64_insert(f, &k), -DER_EXIST);
	assert_int_equal(umem_tx_commit(f->umem), 0);
	assert_int_equal(f->tree_df->nr, 1);
	umem_close(f->umem);
	free(f);
}

static void
ascending_keys_fill_the_nodes(void **state)
{
	struct fixture	*f = malloc(sizeof(*f));
	struct umem_stat before;
	struct umem_stat after;
	struct mkey	 k = {.len = 8};
	uint64_t	 i;

	fixture_init(f);
	umem_stat(f->umem, &before);
	for (i = 0; i < 3000; i++) {
		memcpy(k.bytes, &i, 8);
		umem_tx_begin(f->umem);
		assert_int_equal(u64_insert(f, &k), 0);
		assert_int_equal(umem_tx_commit(f->umem), 0);
	}
	umem_stat(f->umem, &after);
	/* 48 bytes an entry, six entries a leaf, six leaves a node above. */
	assert_in_range((after.used_bytes - before.used_bytes) / 3000, 48, 72);
	umem_close(f->umem);
	free(f);
}

static int
group(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(integer_keys_agree_with_the_model),
	    cmocka_unit_test(byte_keys_agree_with_the_model),
	    cmocka_unit_test(lexical_keys_agree_with_the_model),
	    cmocka_unit_test(hashed_keys_that_collide_agree_with_the_model),
	    cmocka_unit_test(inserting_twice_is_refused),
	    cmocka_unit_test(ascending_keys_fill_the_nodes),
	};

	return cmocka_run_group_tests_name("vos/btree", tests, NULL, NULL);
}

int
main(void)
{
	return vos_test_run(group);
}
