/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/**
 * VEA: free space of a data blob.
 *
 * Durable: one bit a block in the caller's heap. In DRAM: free extents in a treap by address, for
 * merging and for continuing a stream where it stopped, and in bins by length, for finding one that
 * is long enough. A reservation takes its blocks out of the free extents, and nothing else; a free
 * clears the bits now and gives the blocks to the free extents only once its transaction is durable.
 *
 * Where a new extent goes: where the stream's hint points, if that is free and long enough; for a
 * stream's first one, the middle of the longest extent, so that streams do not get in each other's
 * way; else the shortest bin that is sure to fit.
 *
 * Invariants:
 *  1. A block is in exactly one of: a free extent, a reservation, a record on `freed` (bit 0); or it
 *     is used (bit 1).
 *  2. Free extents never touch one another.
 *  3. `published` and `freeing` describe the running transaction, `freed` the committed ones that
 *     may not be durable yet, oldest first.
 */
#define D_LOGFAC LOG_FAC_BIO

#include <stdlib.h>
#include <string.h>
#include <daos_errno.h>
#include "base/log.h"
#include "bio/bio.h"
#include "bio/vea.h"

#define VEA_BIN_NR     (64u * 4)
#define VEA_SPREAD_MIN 1024u /**< a longest extent below this many times the wish is not halved */

/** A free extent. */
struct vea_node {
	struct vea_node *left, *right; /**< treap by blk_off, heap by prio */
	uint64_t         prio;
	uint64_t         blk_off, blk_nr;
	d_list_t         link; /**< in its bin */
};

/** Freed blocks, waiting. */
struct vea_freed {
	d_list_t link;
	uint64_t gen;
	uint64_t blk_off, blk_nr;
};

struct vea {
	uint64_t        *bitmap;
	uint64_t         blk_nr;
	vea_dirty_t      dirty;
	void            *dirty_arg;
	struct vea_node *root;
	d_list_t         bins[VEA_BIN_NR];
	uint64_t         bin_map[VEA_BIN_NR / 64];
	uint64_t         free_blk_nr, resrv_blk_nr, freed_blk_nr, extent_nr;
	uint64_t         lost_blk_nr; /**< free, but there was no memory to note it */
	uint64_t         rng, gen;
	d_list_t         published; /**< struct vea_extent */
	d_list_t         freeing;   /**< struct vea_freed */
	d_list_t         freed;
};

size_t
vea_bitmap_bytes(uint64_t blk_nr)
{
	return (blk_nr + 63) / 64 * 8;
}

/* ---- treap by address ---- */

static void
rotate_right(struct vea_node **at)
{
	struct vea_node *n = *at, *l = n->left;

	n->left  = l->right;
	l->right = n;
	*at      = l;
}

static void
rotate_left(struct vea_node **at)
{
	struct vea_node *n = *at, *r = n->right;

	n->right = r->left;
	r->left  = n;
	*at      = r;
}

static void
tree_insert(struct vea_node **at, struct vea_node *node)
{
	if (*at == NULL) {
		node->left = node->right = NULL;
		*at                      = node;
	} else if (node->blk_off < (*at)->blk_off) {
		tree_insert(&(*at)->left, node);
		if ((*at)->left->prio > (*at)->prio)
			rotate_right(at);
	} else {
		tree_insert(&(*at)->right, node);
		if ((*at)->right->prio > (*at)->prio)
			rotate_left(at);
	}
}

static void
tree_remove(struct vea_node **at, struct vea_node *node)
{
	while (*at != node)
		at = node->blk_off < (*at)->blk_off ? &(*at)->left : &(*at)->right;
	while (node->left != NULL || node->right != NULL) {
		if (node->right == NULL ||
		    (node->left != NULL && node->left->prio > node->right->prio)) {
			rotate_right(at);
			at = &(*at)->right;
		} else {
			rotate_left(at);
			at = &(*at)->left;
		}
	}
	*at = NULL;
}

/** The extent with the greatest offset <= @blk_off, or NULL. */
static struct vea_node *
tree_find(struct vea_node *n, uint64_t blk_off)
{
	struct vea_node *best = NULL;

	while (n != NULL) {
		if (n->blk_off <= blk_off) {
			best = n;
			n    = n->right;
		} else {
			n = n->left;
		}
	}
	return best;
}

/* ---- free extents ---- */

/** Four bins to a doubling; every extent of a higher bin is longer. */
static uint32_t
bin_of(uint64_t blk_nr)
{
	uint32_t log2 = 63 - __builtin_clzll(blk_nr);

	return log2 < 2 ? blk_nr : log2 * 4 + ((blk_nr >> (log2 - 2)) & 3);
}

static void
bin_add(struct vea *vea, struct vea_node *node)
{
	uint32_t bin = bin_of(node->blk_nr);

	d_list_add(&node->link, &vea->bins[bin]);
	vea->bin_map[bin / 64] |= 1ULL << (bin % 64);
}

static void
bin_del(struct vea *vea, struct vea_node *node)
{
	uint32_t bin = bin_of(node->blk_nr);

	d_list_del(&node->link);
	if (d_list_empty(&vea->bins[bin]))
		vea->bin_map[bin / 64] &= ~(1ULL << (bin % 64));
}

static struct vea_node *
extent_new(struct vea *vea)
{
	struct vea_node *node = malloc(sizeof(*node));

	if (node == NULL)
		return NULL;
	vea->rng ^= vea->rng << 13;
	vea->rng ^= vea->rng >> 7;
	vea->rng ^= vea->rng << 17;
	node->prio = vea->rng;
	d_list_init(&node->link);
	return node;
}

static void
extent_insert(struct vea *vea, struct vea_node *node, uint64_t blk_off, uint64_t blk_nr)
{
	node->blk_off = blk_off;
	node->blk_nr  = blk_nr;
	tree_insert(&vea->root, node);
	bin_add(vea, node);
	vea->extent_nr++;
}

static void
extent_remove(struct vea *vea, struct vea_node *node)
{
	bin_del(vea, node);
	tree_remove(&vea->root, node);
	vea->extent_nr--;
}

static void
extent_resize(struct vea *vea, struct vea_node *node, uint64_t blk_nr)
{
	bin_del(vea, node);
	node->blk_nr = blk_nr;
	bin_add(vea, node);
}

/**
 * Give blocks to the free extents, merging. Without memory for a new record they are lost until the
 * next load: safe, and said once in the log.
 */
static void
extent_release(struct vea *vea, uint64_t blk_off, uint64_t blk_nr)
{
	struct vea_node *prev = tree_find(vea->root, blk_off);
	struct vea_node *next = tree_find(vea->root, blk_off + blk_nr);

	if (next != NULL && next->blk_off != blk_off + blk_nr)
		next = NULL;
	if (prev != NULL && prev->blk_off + prev->blk_nr != blk_off)
		prev = NULL;
	vea->free_blk_nr += blk_nr;
	if (next != NULL) {
		blk_nr += next->blk_nr;
		extent_remove(vea, next);
	}
	if (prev != NULL) {
		extent_resize(vea, prev, prev->blk_nr + blk_nr);
		free(next);
		return;
	}
	if (next == NULL)
		next = extent_new(vea);
	if (next == NULL) {
		vea->free_blk_nr -= blk_nr;
		vea->lost_blk_nr += blk_nr;
		D_ERROR("no memory to note %lu free blocks: unused until the pool is reopened\n",
			blk_nr);
		return;
	}
	extent_insert(vea, next, blk_off, blk_nr);
}

/** Take [blk_off, +blk_nr) out of @node, which holds it. */
static int
extent_carve(struct vea *vea, struct vea_node *node, uint64_t blk_off, uint64_t blk_nr)
{
	uint64_t         before = blk_off - node->blk_off;
	uint64_t         after  = node->blk_nr - before - blk_nr;
	struct vea_node *tail   = NULL;

	if (before > 0 && after > 0) {
		tail = extent_new(vea);
		if (tail == NULL)
			return -DER_NOMEM;
	}
	if (before > 0) {
		extent_resize(vea, node, before);
		if (tail != NULL)
			extent_insert(vea, tail, blk_off + blk_nr, after);
	} else {
		extent_remove(vea, node);
		if (after > 0)
			extent_insert(vea, node, blk_off + blk_nr, after);
		else
			free(node);
	}
	vea->free_blk_nr -= blk_nr;
	return 0;
}

/* ---- choosing ---- */

static struct vea_node *
find_longest(struct vea *vea)
{
	struct vea_node *node, *best = NULL;

	for (uint32_t word = ARRAY_NR(vea->bin_map); word-- > 0;) {
		if (vea->bin_map[word] == 0)
			continue;
		d_list_for_each(node,
				&vea->bins[word * 64 + 63 - __builtin_clzll(vea->bin_map[word])],
				link)
		{
			if (best == NULL || node->blk_nr > best->blk_nr)
				best = node;
		}
		break;
	}
	return best;
}

static struct vea_node *
find_fit(struct vea *vea, uint64_t blk_nr)
{
	uint32_t         bin = bin_of(blk_nr);
	struct vea_node *node;

	d_list_for_each(node, &vea->bins[bin], link)
	{
		if (node->blk_nr >= blk_nr)
			return node;
	}
	bin++;
	for (uint32_t word = bin / 64; word < ARRAY_NR(vea->bin_map); word++) {
		uint64_t bits = vea->bin_map[word];

		if (word == bin / 64)
			bits &= ~0ULL << (bin % 64);
		if (bits != 0)
			return d_list_first(&vea->bins[word * 64 + __builtin_ctzll(bits)],
					    struct vea_node, link);
	}
	return NULL;
}

static struct vea_node *
choose(struct vea *vea, uint64_t blk_nr, const struct vea_hint *hint, uint64_t *ret_off)
{
	struct vea_node *node;

	if (hint != NULL && hint->seq != 0) {
		node = tree_find(vea->root, hint->blk_off);
		if (node != NULL && node->blk_off + node->blk_nr >= hint->blk_off + blk_nr) {
			*ret_off = hint->blk_off;
			return node;
		}
	} else if (hint != NULL) {
		node = find_longest(vea);
		if (node != NULL && node->blk_nr / VEA_SPREAD_MIN >= blk_nr) {
			*ret_off = node->blk_off + node->blk_nr / 2;
			return node;
		}
	}
	node = find_fit(vea, blk_nr);
	if (node != NULL)
		*ret_off = node->blk_off;
	return node;
}

int
vea_reserve(struct vea *vea, uint32_t blk_nr, struct vea_hint *hint, d_list_t *list)
{
	struct vea_extent *ext;
	struct vea_node   *node;
	uint64_t           blk_off = 0;
	int                rc;

	if (blk_nr == 0)
		return -DER_INVAL;
	node = choose(vea, blk_nr, hint, &blk_off);
	if (node == NULL)
		return -DER_NOSPACE;
	ext = malloc(sizeof(*ext));
	if (ext == NULL)
		return -DER_NOMEM;
	rc = extent_carve(vea, node, blk_off, blk_nr);
	if (rc != 0) {
		free(ext);
		return rc;
	}
	ext->blk_off = blk_off;
	ext->blk_nr  = blk_nr;
	d_list_add_tail(&ext->link, list);
	vea->resrv_blk_nr += blk_nr;
	if (hint != NULL) {
		hint->blk_off = blk_off + blk_nr;
		hint->seq++;
	}
	return 0;
}

void
vea_cancel(struct vea *vea, d_list_t *list)
{
	struct vea_extent *ext;

	while ((ext = d_list_first(list, struct vea_extent, link)) != NULL) {
		d_list_del(&ext->link);
		vea->resrv_blk_nr -= ext->blk_nr;
		extent_release(vea, ext->blk_off, ext->blk_nr);
		free(ext);
	}
}

/* ---- the bitmap ---- */

/** Mask of the bits of [bit, end) that lie in the word of @bit; *ret_next is the first bit behind. */
static uint64_t
word_mask(uint64_t bit, uint64_t end, uint64_t *ret_next)
{
	uint64_t next = MIN_OF((bit | 63) + 1, end);
	uint64_t nr   = next - bit;

	*ret_next = next;
	return (nr == 64 ? ~0ULL : (1ULL << nr) - 1) << (bit % 64);
}

static bool
bits_are(const struct vea *vea, uint64_t blk_off, uint64_t blk_nr, bool used)
{
	uint64_t next, mask, end = blk_off + blk_nr;

	for (uint64_t bit = blk_off; bit < end; bit = next) {
		mask = word_mask(bit, end, &next);
		if ((vea->bitmap[bit / 64] & mask) != (used ? mask : 0))
			return false;
	}
	return true;
}

static int
bits_dirty(struct vea *vea, uint64_t blk_off, uint64_t blk_nr)
{
	uint64_t first = blk_off / 64, last = (blk_off + blk_nr - 1) / 64;

	return vea->dirty(vea->dirty_arg, &vea->bitmap[first], (last - first + 1) * 8);
}

int
vea_publish(struct vea *vea, d_list_t *list)
{
	struct vea_extent *ext;
	uint64_t           next, mask, end;
	int                rc;

	while ((ext = d_list_first(list, struct vea_extent, link)) != NULL) {
		rc = bits_dirty(vea, ext->blk_off, ext->blk_nr);
		if (rc != 0)
			return rc;
		D_ASSERT(bits_are(vea, ext->blk_off, ext->blk_nr, false));
		end = ext->blk_off + ext->blk_nr;
		for (uint64_t bit = ext->blk_off; bit < end; bit = next) {
			mask = word_mask(bit, end, &next);
			vea->bitmap[bit / 64] |= mask;
		}
		d_list_del(&ext->link);
		d_list_add_tail(&ext->link, &vea->published);
		vea->resrv_blk_nr -= ext->blk_nr;
	}
	return 0;
}

int
vea_free(struct vea *vea, uint64_t blk_off, uint32_t blk_nr)
{
	struct vea_freed *freed;
	uint64_t          next, mask, end = blk_off + blk_nr;
	int               rc;

	if (blk_nr == 0 || blk_off >= vea->blk_nr || blk_nr > vea->blk_nr - blk_off ||
	    !bits_are(vea, blk_off, blk_nr, true))
		return -DER_INVAL;
	freed = malloc(sizeof(*freed));
	if (freed == NULL)
		return -DER_NOMEM;
	rc = bits_dirty(vea, blk_off, blk_nr);
	if (rc != 0) {
		free(freed);
		return rc;
	}
	for (uint64_t bit = blk_off; bit < end; bit = next) {
		mask = word_mask(bit, end, &next);
		vea->bitmap[bit / 64] &= ~mask;
	}
	freed->blk_off = blk_off;
	freed->blk_nr  = blk_nr;
	freed->gen     = vea->gen + 1;
	d_list_add_tail(&freed->link, &vea->freeing);
	return 0;
}

/* ---- ends of transactions ---- */

static void
drop_freed(d_list_t *list)
{
	struct vea_freed *freed, *tmp;

	d_list_for_each_safe(freed, tmp, list, link)
	{
		d_list_del(&freed->link);
		free(freed);
	}
}

static void
drop_extents(d_list_t *list)
{
	struct vea_extent *ext, *tmp;

	d_list_for_each_safe(ext, tmp, list, link)
	{
		d_list_del(&ext->link);
		free(ext);
	}
}

void
vea_abort(struct vea *vea)
{
	struct vea_extent *ext;

	drop_freed(&vea->freeing);
	d_list_for_each(ext, &vea->published, link)
	{
		/* Freed again in the same transaction or not: restored bits say it is free. */
		extent_release(vea, ext->blk_off, ext->blk_nr);
	}
	drop_extents(&vea->published);
}

uint64_t
vea_commit(struct vea *vea)
{
	struct vea_freed *freed;

	drop_extents(&vea->published);
	d_list_for_each(freed, &vea->freeing, link)
	{
		vea->freed_blk_nr += freed->blk_nr;
	}
	d_list_splice_tail(&vea->freeing, &vea->freed);
	return ++vea->gen;
}

void
vea_free_visible(struct vea *vea, uint64_t gen)
{
	struct vea_freed *freed;

	while ((freed = d_list_first(&vea->freed, struct vea_freed, link)) != NULL &&
	       freed->gen <= gen) {
		d_list_del(&freed->link);
		vea->freed_blk_nr -= freed->blk_nr;
		extent_release(vea, freed->blk_off, freed->blk_nr);
		free(freed);
	}
}

/* ---- life ---- */

static int
load_extents(struct vea *vea)
{
	uint64_t         bit = 0, start;
	struct vea_node *node;

	while (bit < vea->blk_nr) {
		if (bit % 64 == 0 && vea->bitmap[bit / 64] == ~0ULL) {
			bit += 64;
			continue;
		}
		if ((vea->bitmap[bit / 64] >> (bit % 64) & 1) != 0) {
			bit++;
			continue;
		}
		start = bit;
		while (bit < vea->blk_nr && (vea->bitmap[bit / 64] >> (bit % 64) & 1) == 0)
			bit += bit % 64 == 0 && vea->bitmap[bit / 64] == 0 ? 64 : 1;
		bit  = MIN_OF(bit, vea->blk_nr);
		node = extent_new(vea);
		if (node == NULL)
			return -DER_NOMEM;
		extent_insert(vea, node, start, bit - start);
		vea->free_blk_nr += bit - start;
	}
	return 0;
}

int
vea_load(void *bitmap, uint64_t blk_nr, vea_dirty_t dirty, void *arg, struct vea **ret_vea)
{
	struct vea *vea = calloc(1, sizeof(*vea));
	int         rc;

	if (vea == NULL)
		return -DER_NOMEM;
	vea->bitmap    = bitmap;
	vea->blk_nr    = blk_nr;
	vea->dirty     = dirty;
	vea->dirty_arg = arg;
	vea->rng       = 0x9e3779b97f4a7c15ULL;
	d_list_init(&vea->published);
	d_list_init(&vea->freeing);
	d_list_init(&vea->freed);
	for (uint32_t i = 0; i < VEA_BIN_NR; i++)
		d_list_init(&vea->bins[i]);
	rc = load_extents(vea);
	if (rc != 0) {
		vea_unload(vea);
		return rc;
	}
	*ret_vea = vea;
	return 0;
}

void
vea_unload(struct vea *vea)
{
	if (vea == NULL)
		return;
	while (vea->root != NULL) {
		struct vea_node *node = vea->root;

		tree_remove(&vea->root, node);
		free(node);
	}
	drop_extents(&vea->published);
	drop_freed(&vea->freeing);
	drop_freed(&vea->freed);
	free(vea);
}

void
vea_stat(const struct vea *vea, struct vea_stat *stat)
{
	struct vea_node *longest = find_longest((struct vea *)vea);

	stat->blk_nr              = vea->blk_nr;
	stat->free_blk_nr         = vea->free_blk_nr;
	stat->resrv_blk_nr        = vea->resrv_blk_nr;
	stat->freed_blk_nr        = vea->freed_blk_nr;
	stat->free_extent_nr      = vea->extent_nr;
	stat->largest_free_blk_nr = longest == NULL ? 0 : longest->blk_nr;
}

/* ---- checking ---- */

struct check {
	const struct vea *vea;
	uint64_t          end; /**< of the free extent before */
	uint64_t          blk_nr, extent_nr;
};

static int
bad(const char *what, uint64_t is, uint64_t found)
{
	D_ERROR("free space of a data blob: %s: %lu, %lu\n", what, is, found);
	return -DER_DF_INVAL;
}

/** In order: ascending, apart from one another, free in the bitmap, above those of less priority. */
static int
node_check(struct check *c, const struct vea_node *n)
{
	int rc;

	if (n == NULL)
		return 0;
	if ((n->left != NULL && n->left->prio > n->prio) || (n->right != NULL && n->right->prio > n->prio))
		return bad("a node stands below one of less priority", n->blk_off, n->prio);
	rc = node_check(c, n->left);
	if (rc != 0)
		return rc;
	if (n->blk_nr == 0 || n->blk_off + n->blk_nr > c->vea->blk_nr)
		return bad("a free extent is empty or outside", n->blk_off, n->blk_nr);
	if (c->extent_nr > 0 && n->blk_off <= c->end)
		return bad("free extents touch (2)", c->end, n->blk_off);
	if (!bits_are(c->vea, n->blk_off, n->blk_nr, false))
		return bad("a free extent has used blocks (1)", n->blk_off, n->blk_nr);
	c->end = n->blk_off + n->blk_nr;
	c->blk_nr += n->blk_nr;
	c->extent_nr++;
	return node_check(c, n->right);
}

static int
bins_check(const struct vea *vea)
{
	uint64_t nr = 0;

	for (uint32_t bin = 0; bin < VEA_BIN_NR; bin++) {
		const struct vea_node *node;
		bool                   marked = (vea->bin_map[bin / 64] >> (bin % 64) & 1) != 0;

		if (marked == d_list_empty(&vea->bins[bin]))
			return bad("a bin's mark is wrong", bin, marked);
		d_list_for_each(node, &vea->bins[bin], link)
		{
			if (bin_of(node->blk_nr) != bin)
				return bad("a free extent is in the wrong bin", node->blk_nr, bin);
			nr++;
		}
	}
	return nr == vea->extent_nr ? 0 : bad("free extents in bins are counted wrong", vea->extent_nr, nr);
}

/** Blocks whose bit is 0. */
static uint64_t
zero_bits(const struct vea *vea)
{
	uint64_t nr = 0;

	for (uint64_t word = 0; word < vea->blk_nr / 64; word++)
		nr += 64 - __builtin_popcountll(vea->bitmap[word]);
	for (uint64_t bit = vea->blk_nr / 64 * 64; bit < vea->blk_nr; bit++)
		nr += (vea->bitmap[bit / 64] >> (bit % 64) & 1) == 0;
	return nr;
}

int
vea_check(const struct vea *vea)
{
	struct check            c = {.vea = vea};
	const struct vea_freed *freed;
	uint64_t                gen      = 0;
	uint64_t                freed_nr = 0;
	int                     rc       = node_check(&c, vea->root);

	if (rc != 0)
		return rc;
	if (c.blk_nr != vea->free_blk_nr || c.extent_nr != vea->extent_nr)
		return bad("free blocks are counted wrong", vea->free_blk_nr, c.blk_nr);
	d_list_for_each(freed, &vea->freed, link)
	{
		if (freed->gen < gen)
			return bad("freed blocks are out of order (3)", freed->gen, gen);
		gen = freed->gen;
		freed_nr += freed->blk_nr;
	}
	if (freed_nr != vea->freed_blk_nr)
		return bad("freed blocks are counted wrong", vea->freed_blk_nr, freed_nr);
	rc = bins_check(vea);
	/* Inside a transaction the bits are ahead of the rest. */
	if (rc != 0 || !d_list_empty(&vea->published) || !d_list_empty(&vea->freeing))
		return rc;
	c.blk_nr += freed_nr + vea->resrv_blk_nr + vea->lost_blk_nr;
	return c.blk_nr == zero_bits(vea) ? 0 : bad("blocks neither free nor used (1)", c.blk_nr, zero_bits(vea));
}
