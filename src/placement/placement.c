/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/*
 * Jump-map placement.
 *
 * Jump consistent hash (Lamping and Veach, "A Fast, Minimal Memory, Consistent Hash Algorithm",
 * 2014) maps a key to one of n buckets such that growing n moves 1/n of the keys, all of them to the
 * new bucket. Here it is used twice a shard: over the ranks, then over the targets of the rank. A
 * choice that is taken already is drawn again with the next key, which keeps the spread even; only
 * when the free ones are rare is the list walked instead.
 *
 * Invariants of a layout:
 *  1. No target holds two shards of one object while another target holds none.
 *  2. The members of a group are on different ranks.
 *  3. The ranks are used in rounds: none gets a shard of a round twice before all that have a free
 *     target got one.
 *  4. Targets that are NEW (not yet filled) are not used. The states of the others do not matter for
 *     the layout as such; afterwards each shard of a DOWNOUT target is drawn again among the targets
 *     the object does not use, so that other shards stay where they are.
 *  5. Same object, class and map: same layout, on every machine, for ever: golden values are tested.
 */
#define D_LOGFAC LOG_FAC_PLACEMENT
#include "placement/placement.h"

#include <endian.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>
#include <daos_errno.h>
#include "base/log.h"
#include "placement/pl_class.h"

#define PL_SEED       0x9ae16a3b2f90404fULL
#define PL_SPARE_SEED 0xc3a5c85c97cb3127ULL

/** Finalizer of MurmurHash3 (public domain): every input bit changes each output bit half the time. */
static uint64_t
mix64(uint64_t x)
{
	x ^= x >> 33;
	x *= 0xff51afd7ed558ccdULL;
	x ^= x >> 33;
	x *= 0xc4ceb9fe1a85ec53ULL;
	x ^= x >> 33;
	return x;
}

static uint64_t
mix_pair(uint64_t a, uint64_t b)
{
	return mix64(a ^ (mix64(b) + 0x9e3779b97f4a7c15ULL));
}

static uint32_t
jump_hash(uint64_t key, uint32_t bucket_nr)
{
	int64_t at = -1, next = 0;

	while (next < (int64_t)bucket_nr) {
		at   = next;
		key  = key * 2862933555777941757ULL + 1;
		next = (int64_t)((double)(at + 1) *
				 ((double)(1LL << 31) / (double)((key >> 33) + 1)));
	}
	return (uint32_t)at;
}

/** The ranks in use, and what this object has taken of them. */
struct placing {
	const struct pool_map *map;
	uint64_t               seed;
	uint32_t               rank_nr;    /**< that have a target which isn't NEW */
	uint32_t               tgt_nr;     /**< that are not NEW */
	uint32_t               free_nr;    /**< of those, without a shard yet */
	uint32_t              *dom_idx;    /**< [rank_nr] into the map */
	uint32_t              *dom_free;   /**< [rank_nr] free targets */
	uint32_t              *dom_round;  /**< [rank_nr] last round that used it */
	uint32_t              *dom_group;  /**< [rank_nr] last group + 1 that used it */
	uint8_t               *tgt_used;   /**< [map targets] */
	uint32_t               round;      /**< from 1 */
	uint32_t               round_left; /**< ranks with a free target that this round has not used */
};

static bool
tgt_usable(const struct pool_target *tgt)
{
	return tgt->status != PO_COMP_ST_NEW;
}

static uint32_t
dom_usable_tgts(const struct pool_map *map, const struct pool_domain *dom)
{
	uint32_t nr = 0;

	for (uint32_t t = 0; t < dom->tgt_nr; t++)
		nr += tgt_usable(pool_map_target(map, dom->tgt_first + t));
	return nr;
}

static void
placing_fini(struct placing *pl)
{
	free(pl->dom_idx);
	free(pl->tgt_used);
}

static int
placing_init(struct placing *pl, const struct pool_map *map, uint64_t seed)
{
	uint32_t rank_nr = pool_map_rank_nr(map);

	*pl          = (struct placing){.map = map, .seed = seed, .round = 1};
	pl->dom_idx  = calloc((size_t)rank_nr * 4, sizeof(uint32_t));
	pl->tgt_used = calloc(pool_map_target_nr(map), 1);
	if (pl->dom_idx == NULL || pl->tgt_used == NULL) {
		placing_fini(pl);
		return -DER_NOMEM;
	}
	pl->dom_free  = pl->dom_idx + rank_nr;
	pl->dom_round = pl->dom_free + rank_nr;
	pl->dom_group = pl->dom_round + rank_nr;
	for (uint32_t r = 0; r < rank_nr; r++) {
		uint32_t usable = dom_usable_tgts(map, pool_map_domain(map, r));

		if (usable == 0)
			continue;
		pl->dom_idx[pl->rank_nr]  = r;
		pl->dom_free[pl->rank_nr] = usable;
		pl->rank_nr++;
		pl->tgt_nr += usable;
	}
	pl->free_nr    = pl->tgt_nr;
	pl->round_left = pl->rank_nr;
	return 0;
}

static bool
dom_in_group(const struct placing *pl, uint32_t d, uint32_t grp)
{
	return pl->dom_group[d] == grp + 1;
}

static bool
dom_fits(const struct placing *pl, uint32_t d, uint32_t grp, bool any_round)
{
	return pl->dom_free[d] > 0 && !dom_in_group(pl, d, grp) &&
	       (any_round || pl->dom_round[d] != pl->round);
}

/** Draw a rank. UINT32_MAX: none fits. */
static uint32_t
draw_rank(const struct placing *pl, uint64_t key, uint32_t grp, bool any_round)
{
	uint32_t first = 0;

	for (uint32_t try = 0; try < 4 * pl->rank_nr + 16; try++) {
		uint32_t d = jump_hash(mix_pair(key, try), pl->rank_nr);

		if (try == 0)
			first = d;
		if (dom_fits(pl, d, grp, any_round))
			return d;
	}
	for (uint32_t i = 0; i < pl->rank_nr; i++) {
		uint32_t d = (first + i) % pl->rank_nr;

		if (dom_fits(pl, d, grp, any_round))
			return d;
	}
	return UINT32_MAX;
}

static bool
tgt_fits(const struct placing *pl, uint32_t id)
{
	return !pl->tgt_used[id] && tgt_usable(pool_map_target(pl->map, id));
}

/** Draw a free target of a rank that has one. */
static uint32_t
draw_target(const struct placing *pl, uint32_t d, uint64_t key)
{
	const struct pool_domain *dom   = pool_map_domain(pl->map, pl->dom_idx[d]);
	uint32_t                  first = 0;

	for (uint32_t try = 0; try < 4 * dom->tgt_nr + 16; try++) {
		uint32_t t = jump_hash(mix_pair(~key, try), dom->tgt_nr);

		if (try == 0)
			first = t;
		if (tgt_fits(pl, dom->tgt_first + t))
			return dom->tgt_first + t;
	}
	for (uint32_t i = 0; i < dom->tgt_nr; i++) {
		uint32_t id = dom->tgt_first + (first + i) % dom->tgt_nr;

		if (tgt_fits(pl, id))
			return id;
	}
	D_ASSERT(!"a rank counted as free has a free target");
	return UINT32_MAX;
}

static void
next_round(struct placing *pl)
{
	pl->round++;
	pl->round_left = 0;
	for (uint32_t d = 0; d < pl->rank_nr; d++)
		pl->round_left += pl->dom_free[d] > 0;
}

static void
take(struct placing *pl, uint32_t d, uint32_t id, uint32_t grp)
{
	D_ASSERT(pl->dom_free[d] > 0 && !pl->tgt_used[id]);
	pl->tgt_used[id] = 1;
	pl->dom_free[d]--;
	pl->free_nr--;
	pl->dom_group[d] = grp + 1;
	if (pl->dom_round[d] != pl->round) {
		pl->dom_round[d] = pl->round;
		pl->round_left--;
	}
}

static int
place_shard(struct placing *pl, uint32_t shard, uint32_t grp, struct pl_shard *ret_shard)
{
	uint64_t                  key = mix_pair(pl->seed, shard);
	const struct pool_target *tgt;
	uint32_t                  d;

	if (pl->round_left == 0)
		next_round(pl);
	d = draw_rank(pl, key, grp, false);
	if (d == UINT32_MAX) /* what this round has left is in the group already */
		d = draw_rank(pl, key, grp, true);
	if (d == UINT32_MAX)
		return -DER_NOSPACE;
	tgt = pool_map_target(pl->map, draw_target(pl, d, key));
	take(pl, d, tgt->id, grp);
	*ret_shard = (struct pl_shard){
	    .tgt_id = tgt->id, .rank = tgt->rank, .tgt_idx = tgt->tgt_idx, .status = tgt->status};
	return 0;
}

static bool
rank_in_group(const struct pl_layout *lo, uint32_t grp, uint32_t but_shard, d_rank_t rank)
{
	for (uint32_t i = grp * lo->grp_size; i < (grp + 1) * lo->grp_size; i++)
		if (i != but_shard && lo->shards[i].tgt_id != UINT32_MAX &&
		    lo->shards[i].rank == rank)
			return true;
	return false;
}

/** Give a shard whose target left the pool a new one that the object does not use, if there is any. */
static void
place_spare(struct placing *pl, struct pl_layout *lo, uint32_t shard)
{
	uint32_t tgt_nr = pool_map_target_nr(pl->map);
	uint64_t key    = mix_pair(pl->seed ^ PL_SPARE_SEED, shard);
	uint32_t grp    = shard / lo->grp_size;
	uint32_t first  = jump_hash(key, tgt_nr);

	for (uint32_t try = 0; try < 5 * tgt_nr; try++) {
		uint32_t id = try < 4 * tgt_nr ? jump_hash(mix_pair(key, try), tgt_nr)
					       : (first + try) % tgt_nr;
		const struct pool_target *tgt = pool_map_target(pl->map, id);

		if (!tgt_fits(pl, id) || tgt->status == PO_COMP_ST_DOWN ||
		    tgt->status == PO_COMP_ST_DOWNOUT || rank_in_group(lo, grp, shard, tgt->rank))
			continue;
		pl->tgt_used[id]  = 1;
		lo->shards[shard] = (struct pl_shard){.tgt_id  = id,
						      .rank    = tgt->rank,
						      .tgt_idx = tgt->tgt_idx,
						      .status  = tgt->status};
		return;
	}
	lo->shards[shard] = (struct pl_shard){.tgt_id  = UINT32_MAX,
					      .rank    = UINT32_MAX,
					      .tgt_idx = UINT32_MAX,
					      .status  = PO_COMP_ST_DOWNOUT};
}

static int
place_all(struct placing *pl, struct pl_layout *lo)
{
	int rc;

	for (uint32_t i = 0; i < lo->shard_nr; i++) {
		rc = place_shard(pl, i, i / lo->grp_size, &lo->shards[i]);
		if (rc != 0)
			return rc;
	}
	for (uint32_t i = 0; i < lo->shard_nr; i++)
		if (lo->shards[i].status == PO_COMP_ST_DOWNOUT)
			place_spare(pl, lo, i);
	return 0;
}

static void
usable_dims(const struct pool_map *map, uint32_t *ret_rank_nr, uint32_t *ret_tgt_nr)
{
	uint32_t rank_nr = 0, tgt_nr = 0;

	for (uint32_t r = 0; r < pool_map_rank_nr(map); r++) {
		uint32_t usable = dom_usable_tgts(map, pool_map_domain(map, r));

		rank_nr += usable > 0;
		tgt_nr += usable;
	}
	*ret_rank_nr = rank_nr;
	*ret_tgt_nr  = tgt_nr;
}

int
pl_class_dims(daos_oclass_id_t cid, const struct pool_map *map, uint32_t *ret_grp_nr,
	      uint32_t *ret_grp_size)
{
	struct pl_class cls;
	uint32_t        rank_nr, tgt_nr;
	int             rc;

	rc = pl_class_find(cid, &cls);
	if (rc != 0)
		return rc;
	usable_dims(map, &rank_nr, &tgt_nr);
	if (cls.all_domains)
		cls.grp_size = MIN_OF(cls.grp_size, rank_nr);
	if (cls.grp_nr == MAX_NUM_GROUPS)
		cls.grp_nr = MAX_OF(tgt_nr / cls.grp_size, 1u);
	if (cls.grp_size > rank_nr || (uint64_t)cls.grp_nr * cls.grp_size > tgt_nr)
		return -DER_NOSPACE;
	*ret_grp_nr   = cls.grp_nr;
	*ret_grp_size = cls.grp_size;
	return 0;
}

int
pl_obj_layout(const struct pool_map *map, daos_obj_id_t oid, struct pl_layout **ret_layout)
{
	uint32_t          grp_nr, grp_size;
	struct pl_layout *lo;
	struct placing    pl;
	int               rc;

	rc = pl_class_dims(daos_obj_id2class(oid), map, &grp_nr, &grp_size);
	if (rc != 0)
		return rc;
	lo = calloc(1, sizeof(*lo) + (size_t)grp_nr * grp_size * sizeof(lo->shards[0]));
	if (lo == NULL)
		return -DER_NOMEM;
	lo->map_version = pool_map_version(map);
	lo->grp_nr      = grp_nr;
	lo->grp_size    = grp_size;
	lo->shard_nr    = grp_nr * grp_size;

	rc = placing_init(&pl, map, mix_pair(oid.lo ^ PL_SEED, oid.hi));
	if (rc == 0) {
		rc = place_all(&pl, lo);
		placing_fini(&pl);
	}
	if (rc != 0) {
		free(lo);
		return rc;
	}
	*ret_layout = lo;
	return 0;
}

uint32_t
pl_dkey_group(uint64_t dkey_hash, uint32_t grp_nr)
{
	return jump_hash(mix64(dkey_hash), grp_nr);
}

uint64_t
pl_dkey_hash(daos_obj_id_t oid, const d_iov_t *dkey)
{
	uint64_t v;

	if (daos_is_dkey_uint64(oid) && dkey->iov_len == sizeof(v)) {
		memcpy(&v, dkey->iov_buf, sizeof(v));
		return le64toh(v);
	}
	return XXH64(dkey->iov_buf, dkey->iov_len, 0);
}
