/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/*
 * The pool map: one allocation holding a header, the ranks and their targets.
 *
 * Invariants, kept by create, unpack and set_status alike (pool_map_valid() states them for bytes
 * from outside):
 *  1. Targets of a rank are contiguous, ranks follow each other in id order, ids are positions.
 *  2. A rank appears once; every rank has at least one target.
 *  3. Every status is one of enum pool_comp_status; a rank's follows from its targets'.
 *  4. Nothing changes after creation but the reference count.
 *
 * Packed form, little endian:
 *
 *   0       4        8             12        16       20     24
 *   | magic | format | map version | rank_nr | tgt_nr | zero | rank_nr x { rank, tgt_nr }
 *   | tgt_nr x { tgt_idx, status, fseq } | crc32c of all before |
 */
#define D_LOGFAC LOG_FAC_PLACEMENT
#include "placement/pool_map.h"

#include <endian.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <daos_errno.h>
#include "base/crc32c.h"
#include "base/log.h"

#define PMAP_MAGIC     0x50414d50u /* "PMAP" */
#define PMAP_FORMAT    1u
#define PMAP_HDR_WORDS 6
#define PMAP_DOM_WORDS 2
#define PMAP_TGT_WORDS 3
#define PMAP_TGT_MAX   (1u << 20)

struct pool_map {
	_Atomic uint32_t    ref;
	uint32_t            version;
	uint32_t            rank_nr;
	uint32_t            tgt_nr;
	struct pool_domain *doms;   /**< [rank_nr], behind the targets */
	struct pool_target  tgts[]; /**< [tgt_nr] */
};

static struct pool_map *
map_alloc(uint32_t version, uint32_t rank_nr, uint32_t tgt_nr)
{
	struct pool_map *map;
	size_t           tgt_bytes = (size_t)tgt_nr * sizeof(struct pool_target);

	map = calloc(1, sizeof(*map) + tgt_bytes + (size_t)rank_nr * sizeof(struct pool_domain));
	if (map == NULL)
		return NULL;
	atomic_init(&map->ref, 1);
	map->version = version;
	map->rank_nr = rank_nr;
	map->tgt_nr  = tgt_nr;
	map->doms    = (struct pool_domain *)((char *)map->tgts + tgt_bytes);
	return map;
}

/** A rank is as well as the best of its targets. */
static uint32_t
dom_status(const struct pool_map *map, const struct pool_domain *dom)
{
	static const uint32_t best_first[] = {PO_COMP_ST_UPIN, PO_COMP_ST_DRAIN, PO_COMP_ST_UP,
					      PO_COMP_ST_NEW,  PO_COMP_ST_DOWN,  PO_COMP_ST_DOWNOUT};
	uint32_t              seen = 0;

	for (uint32_t i = 0; i < dom->tgt_nr; i++)
		seen |= map->tgts[dom->tgt_first + i].status;
	for (unsigned i = 0; i < ARRAY_NR(best_first); i++)
		if (seen & best_first[i])
			return best_first[i];
	return PO_COMP_ST_DOWNOUT;
}

static int
rank_cmp(const void *a, const void *b)
{
	d_rank_t x = *(const d_rank_t *)a, y = *(const d_rank_t *)b;

	return (x > y) - (x < y);
}

static void
map_fill(struct pool_map *map, const d_rank_t *ranks, uint32_t tgts_per_rank)
{
	for (uint32_t r = 0; r < map->rank_nr; r++) {
		struct pool_domain *dom = &map->doms[r];

		*dom = (struct pool_domain){.rank      = ranks[r],
					    .status    = PO_COMP_ST_UPIN,
					    .tgt_first = r * tgts_per_rank,
					    .tgt_nr    = tgts_per_rank};
		for (uint32_t t = 0; t < tgts_per_rank; t++) {
			uint32_t id = dom->tgt_first + t;

			map->tgts[id] = (struct pool_target){
			    .id = id, .rank = ranks[r], .tgt_idx = t, .status = PO_COMP_ST_UPIN};
		}
	}
}

int
pool_map_create(const d_rank_list_t *ranks, uint32_t tgts_per_rank, uint32_t version,
		struct pool_map **ret_map)
{
	struct pool_map *map;
	d_rank_t        *sorted;

	if (ranks == NULL || ranks->rl_nr == 0 || tgts_per_rank == 0 ||
	    (uint64_t)ranks->rl_nr * tgts_per_rank > PMAP_TGT_MAX)
		return -DER_INVAL;
	sorted = malloc(ranks->rl_nr * sizeof(*sorted));
	if (sorted == NULL)
		return -DER_NOMEM;
	memcpy(sorted, ranks->rl_ranks, ranks->rl_nr * sizeof(*sorted));
	qsort(sorted, ranks->rl_nr, sizeof(*sorted), rank_cmp);
	for (uint32_t i = 1; i < ranks->rl_nr; i++) {
		if (sorted[i] == sorted[i - 1]) {
			free(sorted);
			return -DER_INVAL;
		}
	}
	map = map_alloc(version, ranks->rl_nr, ranks->rl_nr * tgts_per_rank);
	if (map != NULL)
		map_fill(map, sorted, tgts_per_rank);
	free(sorted);
	if (map == NULL)
		return -DER_NOMEM;
	*ret_map = map;
	return 0;
}

struct pool_map *
pool_map_addref(struct pool_map *map)
{
	uint32_t old = atomic_fetch_add_explicit(&map->ref, 1, memory_order_relaxed);

	D_ASSERT(old > 0);
	return map;
}

void
pool_map_decref(struct pool_map *map)
{
	uint32_t old;

	if (map == NULL)
		return;
	old = atomic_fetch_sub_explicit(&map->ref, 1, memory_order_acq_rel);
	D_ASSERT(old > 0);
	if (old == 1)
		free(map);
}

uint32_t
pool_map_version(const struct pool_map *map)
{
	return map->version;
}

uint32_t
pool_map_target_nr(const struct pool_map *map)
{
	return map->tgt_nr;
}

uint32_t
pool_map_rank_nr(const struct pool_map *map)
{
	return map->rank_nr;
}

const struct pool_target *
pool_map_target(const struct pool_map *map, uint32_t id)
{
	return id < map->tgt_nr ? &map->tgts[id] : NULL;
}

const struct pool_domain *
pool_map_domain(const struct pool_map *map, uint32_t idx)
{
	return idx < map->rank_nr ? &map->doms[idx] : NULL;
}

const struct pool_target *
pool_map_find(const struct pool_map *map, d_rank_t rank, uint32_t tgt_idx)
{
	for (uint32_t r = 0; r < map->rank_nr; r++) {
		const struct pool_domain *dom = &map->doms[r];

		if (dom->rank != rank)
			continue;
		for (uint32_t t = 0; t < dom->tgt_nr; t++)
			if (map->tgts[dom->tgt_first + t].tgt_idx == tgt_idx)
				return &map->tgts[dom->tgt_first + t];
		return NULL;
	}
	return NULL;
}

static bool
status_is_valid(uint32_t status)
{
	return status != 0 && status <= PO_COMP_ST_DRAIN && (status & (status - 1)) == 0;
}

int
pool_map_set_status(const struct pool_map *map, const uint32_t *ids, uint32_t nr, uint32_t status,
		    struct pool_map **ret_map)
{
	struct pool_map *copy;

	if (!status_is_valid(status))
		return -DER_INVAL;
	for (uint32_t i = 0; i < nr; i++)
		if (ids[i] >= map->tgt_nr)
			return -DER_INVAL;
	copy = map_alloc(map->version + 1, map->rank_nr, map->tgt_nr);
	if (copy == NULL)
		return -DER_NOMEM;
	memcpy(copy->tgts, map->tgts, map->tgt_nr * sizeof(map->tgts[0]));
	memcpy(copy->doms, map->doms, map->rank_nr * sizeof(map->doms[0]));
	for (uint32_t i = 0; i < nr; i++) {
		struct pool_target *tgt = &copy->tgts[ids[i]];

		if (status == PO_COMP_ST_DOWN && tgt->status != PO_COMP_ST_DOWN)
			tgt->fseq = copy->version;
		tgt->status = status;
	}
	for (uint32_t r = 0; r < copy->rank_nr; r++)
		copy->doms[r].status = dom_status(copy, &copy->doms[r]);
	*ret_map = copy;
	return 0;
}

uint32_t
pool_map_count(const struct pool_map *map, uint32_t status_mask)
{
	uint32_t nr = 0;

	for (uint32_t i = 0; i < map->tgt_nr; i++)
		nr += (map->tgts[i].status & status_mask) != 0;
	return nr;
}

static size_t
packed_bytes(uint64_t rank_nr, uint64_t tgt_nr)
{
	return (PMAP_HDR_WORDS + rank_nr * PMAP_DOM_WORDS + tgt_nr * PMAP_TGT_WORDS + 1) *
	       sizeof(uint32_t);
}

size_t
pool_map_packed_bytes(const struct pool_map *map)
{
	return packed_bytes(map->rank_nr, map->tgt_nr);
}

static void *
put_u32(void *at, uint32_t v)
{
	v = htole32(v);
	memcpy(at, &v, sizeof(v));
	return (char *)at + sizeof(v);
}

static uint32_t
get_u32(const char **at)
{
	uint32_t v;

	memcpy(&v, *at, sizeof(v));
	*at += sizeof(v);
	return le32toh(v);
}

void
pool_map_pack(const struct pool_map *map, void *buf)
{
	const uint32_t hdr[PMAP_HDR_WORDS] = {PMAP_MAGIC,   PMAP_FORMAT, map->version,
					      map->rank_nr, map->tgt_nr, 0};
	void          *at                  = buf;

	for (unsigned i = 0; i < PMAP_HDR_WORDS; i++)
		at = put_u32(at, hdr[i]);
	for (uint32_t r = 0; r < map->rank_nr; r++) {
		at = put_u32(at, map->doms[r].rank);
		at = put_u32(at, map->doms[r].tgt_nr);
	}
	for (uint32_t t = 0; t < map->tgt_nr; t++) {
		at = put_u32(at, map->tgts[t].tgt_idx);
		at = put_u32(at, map->tgts[t].status);
		at = put_u32(at, map->tgts[t].fseq);
	}
	put_u32(at, d_crc32c(0, buf, (size_t)((char *)at - (char *)buf)));
}

static int
unpack_domains(struct pool_map *map, const char **at)
{
	uint64_t next = 0;

	for (uint32_t r = 0; r < map->rank_nr; r++) {
		struct pool_domain *dom = &map->doms[r];

		dom->rank      = get_u32(at);
		dom->tgt_nr    = get_u32(at);
		dom->tgt_first = (uint32_t)next;
		next += dom->tgt_nr;
		if (dom->tgt_nr == 0 || next > map->tgt_nr)
			return -DER_DF_INVAL;
	}
	return next == map->tgt_nr ? 0 : -DER_DF_INVAL;
}

static int
unpack_targets(struct pool_map *map, const char **at)
{
	for (uint32_t r = 0; r < map->rank_nr; r++) {
		struct pool_domain *dom = &map->doms[r];

		for (uint32_t id = dom->tgt_first; id < dom->tgt_first + dom->tgt_nr; id++) {
			struct pool_target *tgt = &map->tgts[id];

			tgt->id      = id;
			tgt->rank    = dom->rank;
			tgt->tgt_idx = get_u32(at);
			tgt->status  = get_u32(at);
			tgt->fseq    = get_u32(at);
			if (!status_is_valid(tgt->status))
				return -DER_DF_INVAL;
		}
		dom->status = dom_status(map, dom);
	}
	return 0;
}

static bool
ranks_are_unique(const struct pool_map *map)
{
	d_rank_t *sorted = malloc(map->rank_nr * sizeof(*sorted));
	bool      unique = sorted != NULL;

	if (sorted == NULL)
		return false;
	for (uint32_t r = 0; r < map->rank_nr; r++)
		sorted[r] = map->doms[r].rank;
	qsort(sorted, map->rank_nr, sizeof(*sorted), rank_cmp);
	for (uint32_t r = 1; r < map->rank_nr; r++)
		unique = unique && sorted[r] != sorted[r - 1];
	free(sorted);
	return unique;
}

int
pool_map_unpack(const void *buf, size_t bytes, struct pool_map **ret_map)
{
	const char      *at = buf, *crc_at;
	uint32_t         version, rank_nr, tgt_nr, zero;
	struct pool_map *map;
	int              rc;

	if (bytes < packed_bytes(1, 1) || get_u32(&at) != PMAP_MAGIC)
		return -DER_DF_INVAL;
	if (get_u32(&at) != PMAP_FORMAT)
		return -DER_DF_INCOMPT;
	version = get_u32(&at);
	rank_nr = get_u32(&at);
	tgt_nr  = get_u32(&at);
	zero    = get_u32(&at);
	if (zero != 0 || rank_nr == 0 || tgt_nr > PMAP_TGT_MAX || rank_nr > tgt_nr ||
	    bytes != packed_bytes(rank_nr, tgt_nr))
		return -DER_DF_INVAL;
	crc_at = (const char *)buf + bytes - sizeof(uint32_t);
	if (d_crc32c(0, buf, bytes - sizeof(uint32_t)) != get_u32(&crc_at))
		return -DER_DF_INVAL;

	map = map_alloc(version, rank_nr, tgt_nr);
	if (map == NULL)
		return -DER_NOMEM;
	rc = unpack_domains(map, &at);
	if (rc == 0)
		rc = unpack_targets(map, &at);
	if (rc == 0 && !ranks_are_unique(map))
		rc = -DER_DF_INVAL;
	if (rc != 0) {
		pool_map_decref(map);
		return rc;
	}
	*ret_map = map;
	return 0;
}
