/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/** Every tree of up to 80 members with every root, against models built in another way. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <daos_errno.h>
#include "base/rank_list.h"
#include "cart/crt_tree.h"

#define NR_MAX   80
#define BIG_NR   1000
#define NONE     UINT32_MAX

/** Parents for root 0, by growing the tree instead of taking numbers apart. */
static void
model_build(struct crt_tree tree, uint32_t nr, uint32_t *parent)
{
	uint32_t reached = 1;

	parent[0] = NONE;
	if (tree.type == CRT_TREE_FLAT) {
		for (uint32_t v = 1; v < nr; v++)
			parent[v] = 0;
	} else if (tree.type == CRT_TREE_KARY) { /* hand out children breadth first */
		for (uint32_t p = 0; reached < nr; p++)
			for (uint32_t i = 0; i < tree.ratio && reached < nr; i++)
				parent[reached++] = p;
	} else { /* a round: each one reached reaches ratio - 1 more, nearer than the round before */
		uint32_t distance = 1;

		while (distance < nr)
			distance *= tree.ratio;
		memset(parent + 1, 0xff, (nr - 1) * sizeof(*parent));
		for (distance /= tree.ratio; distance > 0; distance /= tree.ratio)
			for (uint32_t p = 0; p < nr; p += distance * tree.ratio)
				for (uint32_t d = 1; d < tree.ratio && p + d * distance < nr; d++)
					parent[p + d * distance] = p;
	}
}

static void
check_tree(struct crt_tree tree, uint32_t nr, uint32_t root)
{
	uint32_t parent[BIG_NR], seen[BIG_NR] = {0}, children[BIG_NR];

	model_build(tree, nr, parent);
	for (uint32_t self = 0; self < nr; self++) {
		uint32_t n = crt_tree_children(tree, nr, root, self, children);
		uint32_t v = (self + nr - root) % nr;

		assert_int_equal(n, crt_tree_child_nr(tree, nr, root, self));
		for (uint32_t i = 0; i < n; i++) {
			assert_true(children[i] < nr);
			seen[children[i]]++;
			assert_int_equal(crt_tree_parent(tree, nr, root, children[i]), self);
		}
		if (self == root)
			continue;
		assert_int_equal(crt_tree_parent(tree, nr, root, self), (parent[v] + root) % nr);
	}
	for (uint32_t p = 0; p < nr; p++)
		assert_int_equal(seen[p], p != root);
}

static void
all_small(void **state)
{
	for (uint8_t type = 0; type < CRT_TREE_TYPE_NR; type++)
		for (uint8_t ratio = 2; ratio <= 9; ratio++)
			for (uint32_t nr = 1; nr <= NR_MAX; nr++)
				for (uint32_t root = 0; root < nr; root++)
					check_tree((struct crt_tree){type, ratio}, nr, root);
}

static void
big(void **state)
{
	static const uint8_t ratios[] = {2, 3, 16, CRT_TREE_MAX_RATIO};

	for (uint8_t type = 0; type < CRT_TREE_TYPE_NR; type++)
		for (size_t i = 0; i < ARRAY_NR(ratios); i++)
			for (uint32_t nr = BIG_NR - 3; nr <= BIG_NR; nr++)
				check_tree((struct crt_tree){type, ratios[i]}, nr, nr / 3);
}

/** The tree drawn in the header. */
static void
eight(void **state)
{
	struct crt_tree t = {CRT_TREE_KNOMIAL, 2};
	uint32_t        c[8];

	assert_int_equal(crt_tree_children(t, 8, 0, 0, c), 3);
	assert_true(c[0] == 4 && c[1] == 2 && c[2] == 1);
	assert_int_equal(crt_tree_children(t, 8, 0, 4, c), 2);
	assert_true(c[0] == 6 && c[1] == 5);
	assert_int_equal(crt_tree_children(t, 8, 0, 6, c), 1);
	assert_int_equal(c[0], 7);
	assert_int_equal(crt_tree_depth(t, 8), 3);
	assert_int_equal(crt_tree_parent(t, 8, 5, (7 + 5) % 8), (6 + 5) % 8);
}

/** When the last member has the message, if each sends one message in a unit of time. */
static uint32_t
rounds(struct crt_tree tree, uint32_t nr)
{
	uint32_t at[BIG_NR], queue[BIG_NR], children[BIG_NR];
	uint32_t head = 0, tail = 1, last = 0;

	at[0] = queue[0] = 0;
	while (head < tail) {
		uint32_t self = queue[head++];
		uint32_t n    = crt_tree_children(tree, nr, 0, self, children);

		for (uint32_t i = 0; i < n; i++) {
			at[children[i]] = at[self] + 1 + i;
			last            = at[children[i]] > last ? at[children[i]] : last;
			queue[tail++]   = children[i];
		}
	}
	assert_int_equal(tail, nr);
	return last;
}

static void
message_delays(void **state)
{
	for (uint32_t nr = 1; nr <= BIG_NR; nr++) {
		uint32_t log2 = 0;

		while ((1u << log2) < nr)
			log2++;
		assert_int_equal(rounds((struct crt_tree){CRT_TREE_KNOMIAL, 2}, nr), log2);
		assert_true(crt_tree_depth((struct crt_tree){CRT_TREE_KNOMIAL, 2}, nr) <= log2);
	}
	assert_int_equal(rounds((struct crt_tree){CRT_TREE_KNOMIAL, 2}, 1000), 10);
	assert_int_equal(rounds((struct crt_tree){CRT_TREE_FLAT, 2}, 1000), 999);
}

static void
ratios(void **state)
{
	assert_true(crt_tree_valid((struct crt_tree){CRT_TREE_FLAT, 0}));
	assert_false(crt_tree_valid((struct crt_tree){CRT_TREE_KARY, 1}));
	assert_false(crt_tree_valid((struct crt_tree){CRT_TREE_KNOMIAL, 65}));
	assert_false(crt_tree_valid((struct crt_tree){CRT_TREE_TYPE_NR, 2}));
	assert_true(crt_tree_valid((struct crt_tree){CRT_TREE_KNOMIAL, 64}));
}

static void
members_are(const char *group, const char *filter, bool invert, d_rank_t root, const char *expect)
{
	d_rank_list_t *g, *f = NULL, *m = NULL;
	char           buf[128];

	assert_int_equal(d_rank_list_parse(group, &g), 0);
	if (filter != NULL)
		assert_int_equal(d_rank_list_parse(filter, &f), 0);
	if (expect == NULL) {
		assert_int_equal(crt_tree_members(g, f, invert, root, &m), -DER_OOG);
	} else {
		assert_int_equal(crt_tree_members(g, f, invert, root, &m), 0);
		d_rank_list_format(m, buf, sizeof(buf));
		assert_string_equal(buf, expect);
	}
	d_rank_list_free(g);
	d_rank_list_free(f);
	d_rank_list_free(m);
}

static void
members(void **state)
{
	members_are("0-9", NULL, false, 3, "0-9");
	members_are("0-9", "2,4,77", false, 3, "0-1,3,5-9");
	members_are("0-9", "2,4,77", true, 2, "2,4");
	members_are("0-9", "2,4", true, 9, "2,4,9"); /* the root sends, though it is left out */
	members_are("0-9", "9", false, 9, "0-9");
	members_are("1,5", NULL, false, 3, NULL);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(all_small), cmocka_unit_test(big),    cmocka_unit_test(eight),
	    cmocka_unit_test(message_delays), cmocka_unit_test(ratios), cmocka_unit_test(members),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
