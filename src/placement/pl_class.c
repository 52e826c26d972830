/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/*
 * Object classes. Two tables say everything: one row a kind of redundancy, one row a named class.
 * An ID is redundancy << 24 | groups, so any number of groups of a known redundancy is a class,
 * named or not; RP_XSF alone is a number of its own.
 */
#define D_LOGFAC LOG_FAC_PLACEMENT
#include "placement/pl_class.h"

#include <stdio.h>
#include <string.h>
#include <daos_errno.h>
#include <daos_prop.h>
#include "base/log.h"

struct redun_row {
	enum daos_obj_redun redun;
	const char         *prefix; /**< of the names; the number of groups, or X, follows */
	uint32_t            data_nr;
	uint32_t            parity_nr;
	bool                ec;
};

#define RP_ROW(r)    {OR_RP_##r, "RP_" #r "G", r, 0, false}
#define EC_ROW(k, p) {OR_RS_##k##P##p, "EC_" #k "P" #p "G", k, p, true}
static const struct redun_row redun_rows[] = {
    {OR_RP_1, "S", 1, 0, false},
    RP_ROW(2),     RP_ROW(3),     RP_ROW(4),     RP_ROW(5),    RP_ROW(6),    RP_ROW(8),
    RP_ROW(12),    RP_ROW(16),    RP_ROW(24),    RP_ROW(32),   RP_ROW(48),   RP_ROW(64),
    RP_ROW(128),   EC_ROW(2, 1),  EC_ROW(2, 2),  EC_ROW(4, 1), EC_ROW(4, 2), EC_ROW(8, 1),
    EC_ROW(8, 2),  EC_ROW(16, 1), EC_ROW(16, 2), EC_ROW(4, 3), EC_ROW(8, 3), EC_ROW(16, 3),
};

struct named_class {
	const char      *name;
	daos_oclass_id_t cid;
};

#define NAMED(stem, g)    {#stem #g, OC_##stem##g},
#define NAMED_S(g)        {"S" #g, OC_S##g},
#define GROUPS_EC(stem)                                                                            \
	NAMED(stem, 1) NAMED(stem, 2) NAMED(stem, 4) NAMED(stem, 8) NAMED(stem, 12)                \
	NAMED(stem, 16) NAMED(stem, 32) NAMED(stem, X)
#define GROUPS_RP(stem)                                                                            \
	NAMED(stem, 1) NAMED(stem, 2) NAMED(stem, 4) NAMED(stem, 6) NAMED(stem, 8)                 \
	NAMED(stem, 12) NAMED(stem, 16) NAMED(stem, 32) NAMED(stem, X)
static const struct named_class named[] = {
    NAMED_S(1) NAMED_S(2) NAMED_S(4) NAMED_S(6) NAMED_S(8) NAMED_S(12) NAMED_S(16) NAMED_S(32)
    NAMED_S(X)
    GROUPS_RP(RP_2G) GROUPS_RP(RP_3G) GROUPS_RP(RP_4G) GROUPS_RP(RP_5G) GROUPS_RP(RP_6G)
    {"RP_XSF", OC_RP_XSF},
    GROUPS_EC(EC_2P1G) GROUPS_EC(EC_2P2G) GROUPS_EC(EC_4P1G) GROUPS_EC(EC_4P2G)
    GROUPS_EC(EC_4P3G) GROUPS_EC(EC_8P1G) GROUPS_EC(EC_8P2G) GROUPS_EC(EC_8P3G)
    GROUPS_EC(EC_16P1G) GROUPS_EC(EC_16P2G) GROUPS_EC(EC_16P3G)
};
_Static_assert(ARRAY_NR(named) == 143, "the public object classes");

#define RP_REPLICAS_MAX 64 /**< of RP_XSF */

static const struct redun_row *
redun_find(uint32_t redun)
{
	for (unsigned i = 0; i < ARRAY_NR(redun_rows); i++)
		if (redun_rows[i].redun == redun)
			return &redun_rows[i];
	return NULL;
}

int
pl_class_find(daos_oclass_id_t cid, struct pl_class *ret_class)
{
	uint32_t                grp_nr = cid & ((1u << OC_REDUN_SHIFT) - 1);
	const struct redun_row *row    = redun_find(cid >> OC_REDUN_SHIFT);

	if (cid == OC_RP_XSF) {
		*ret_class = (struct pl_class){.redun        = OR_RP_1,
					       .grp_size     = RP_REPLICAS_MAX,
					       .failures_max = RP_REPLICAS_MAX - 1,
					       .grp_nr       = 1,
					       .all_domains  = true};
		return 0;
	}
	if (row == NULL || grp_nr == 0 || grp_nr > MAX_NUM_GROUPS)
		return -DER_INVAL;
	*ret_class = (struct pl_class){
	    .redun        = row->redun,
	    .ec           = row->ec,
	    .grp_size     = row->data_nr + row->parity_nr,
	    .parity_nr    = row->parity_nr,
	    .failures_max = row->ec ? row->parity_nr : row->data_nr - 1,
	    .grp_nr       = grp_nr,
	};
	return 0;
}

/* ---- names ---- */

int
daos_oclass_name2id(const char *name)
{
	if (name == NULL)
		return OC_UNKNOWN;
	for (unsigned i = 0; i < ARRAY_NR(named); i++)
		if (strcmp(named[i].name, name) == 0)
			return (int)named[i].cid;
	return OC_UNKNOWN;
}

int
daos_oclass_id2name(daos_oclass_id_t oc_id, char *name)
{
	struct pl_class cls;

	for (unsigned i = 0; i < ARRAY_NR(named); i++) {
		if (named[i].cid == oc_id) {
			snprintf(name, MAX_OBJ_CLASS_NAME_LEN, "%s", named[i].name);
			return 0;
		}
	}
	if (pl_class_find(oc_id, &cls) != 0) {
		snprintf(name, MAX_OBJ_CLASS_NAME_LEN, "UNKNOWN");
		return -1;
	}
	snprintf(name, MAX_OBJ_CLASS_NAME_LEN, "%s%u", redun_find(cls.redun)->prefix, cls.grp_nr);
	return 0;
}

ssize_t
daos_oclass_names_list(size_t size, char *str)
{
	size_t len = 0;

	if (size == 0 || str == NULL)
		return -DER_INVAL;
	str[0] = '\0';
	for (unsigned i = 0; i < ARRAY_NR(named); i++) {
		size_t add = strlen(named[i].name) + 2;

		if (len + add >= size)
			return -DER_OVERFLOW;
		snprintf(str + len, size - len, "%s, ", named[i].name);
		len += add;
	}
	return (ssize_t)len;
}

int
daos_oclass_nr(int opts)
{
	(void)opts;
	return ARRAY_NR(named);
}

/* ---- choice ---- */

/**
 * Ranks kept out of a class with X groups, so that a failed shard finds a target its object does not
 * use yet. As many as failures are tolerated in a small pool, a few more the larger it is: from 16
 * and 32 ranks on one and two more, then 4 %, 6 % and 8 % of 64, 128 and 256. A range never leaves
 * fewer ranks in use than the largest pool of the range below.
 */
static uint32_t
spare_ranks(uint32_t rank_nr, uint32_t rf)
{
	static const struct { uint32_t from, extra, percent; } ranges[] = {
	    {1, 0, 0}, {16, 1, 0}, {32, 2, 0}, {64, 2, 4}, {128, 2, 6}, {256, 2, 8}};
	uint32_t spare = 0, before = 0, from = 1;

	for (unsigned i = 0; i < ARRAY_NR(ranges) && ranges[i].from <= rank_nr; i++) {
		uint32_t part = rank_nr * ranges[i].percent / 100;

		before = spare;
		spare  = MAX_OF(rf + ranges[i].extra, part);
		from   = ranges[i].from;
	}
	if ((int64_t)rank_nr - spare < (int64_t)from - 1 - before)
		spare = before;
	return spare;
}

/** How many groups fill a pool, spares left out; at least one. */
static uint32_t
groups_that_fit(uint32_t rank_nr, uint32_t tgt_nr, uint32_t grp_size, uint32_t rf)
{
	uint32_t spare_tgts = spare_ranks(rank_nr, rf) * (tgt_nr / rank_nr);
	uint32_t grp_nr     = tgt_nr / grp_size;
	uint32_t spare_grps;

	spare_tgts = MIN_OF(spare_tgts, tgt_nr > grp_size ? tgt_nr - grp_size : 0);
	spare_grps = (spare_tgts + grp_size - 1) / grp_size;
	if (grp_nr > spare_grps)
		grp_nr -= spare_grps;
	return MIN_OF(MAX_OF(grp_nr, 1u), (uint32_t)MAX_NUM_GROUPS - 1);
}

/** Codes by the number of ranks they are worth using from, widest first. */
struct ec_choice {
	uint32_t            ranks_min;
	enum daos_obj_redun redun;
};
static const struct ec_choice ec_by_rf[][4] = {
    {{18, OR_RS_16P1}, {10, OR_RS_8P1}, {6, OR_RS_4P1}, {3, OR_RS_2P1}},
    {{18, OR_RS_16P1}, {10, OR_RS_8P1}, {6, OR_RS_4P1}, {3, OR_RS_2P1}},
    {{20, OR_RS_16P2}, {12, OR_RS_8P2}, {8, OR_RS_4P2}, {4, OR_RS_2P2}},
    {{22, OR_RS_16P3}, {14, OR_RS_8P3}, {10, OR_RS_4P3}, {UINT32_MAX, OC_UNKNOWN}},
};
static const enum daos_obj_redun rp_by_rf[] = {OR_RP_1, OR_RP_2, OR_RP_3, OR_RP_4, OR_RP_5};

static enum daos_obj_redun
redun_choose(uint32_t rf, uint32_t rank_nr, enum daos_otype_t type, uint32_t rdd)
{
	bool want_ec = rdd == DAOS_OCH_RDD_EC || (rdd == 0 && rf > 0 && daos_is_array_type(type));

	if (want_ec && rf < ARRAY_NR(ec_by_rf))
		for (unsigned i = 0; i < ARRAY_NR(ec_by_rf[0]); i++)
			if (rank_nr >= ec_by_rf[rf][i].ranks_min)
				return ec_by_rf[rf][i].redun;
	if (want_ec && rf == 0)
		return OR_RS_2P1; /* asked for by name: too few ranks are an error, not a reason to give none */
	if (rf == 0 && rdd == DAOS_OCH_RDD_RP && rank_nr >= 2)
		return OR_RP_2;
	return rp_by_rf[rf];
}

/** Groups the sharding hint asks for; 0: the hint is unknown. */
static uint32_t
groups_hinted(enum daos_otype_t type, uint32_t tgt_nr, uint32_t shd)
{
	switch (shd) {
	case 0:
	case DAOS_OCH_SHD_DEF:
		return daos_is_array_type(type) || daos_is_kv_type(type) ? MAX_NUM_GROUPS : 1;
	case DAOS_OCH_SHD_TINY:
		return 1;
	case DAOS_OCH_SHD_REG:
		return MAX_OF(128u, tgt_nr / 4);
	case DAOS_OCH_SHD_HI:
		return MAX_OF(256u, tgt_nr / 2);
	case DAOS_OCH_SHD_EXT:
		return MAX_OF(1024u, (uint32_t)((uint64_t)tgt_nr * 70 / 100));
	case DAOS_OCH_SHD_MAX:
		return MAX_NUM_GROUPS;
	}
	return 0;
}

int
pl_class_choose(uint32_t rf, uint32_t rank_nr, uint32_t tgt_nr, enum daos_otype_t type,
		daos_oclass_hints_t hints, daos_oclass_id_t *ret_cid)
{
	const struct redun_row *row;
	uint32_t                grp_nr, grp_size;

	if (rf >= ARRAY_NR(rp_by_rf) || rank_nr == 0 || tgt_nr < rank_nr)
		return -DER_INVAL;
	row      = redun_find(redun_choose(rf, rank_nr, type, hints & DAOS_OCH_RDD_MASK));
	grp_nr   = groups_hinted(type, tgt_nr, hints & DAOS_OCH_SHD_MASK);
	grp_size = row->data_nr + row->parity_nr;
	if (grp_nr == 0)
		return -DER_INVAL;
	if (grp_size > rank_nr) {
		D_ERROR("no object class fits: %s takes groups of %u targets on different ranks, the pool "
			"has %u ranks; lower the container's rd_fac (now %u) or extend the pool\n",
			row->prefix, grp_size, rank_nr, rf);
		return -DER_INVAL;
	}
	if (grp_nr == MAX_NUM_GROUPS || (uint64_t)grp_nr * grp_size > tgt_nr)
		grp_nr = groups_that_fit(rank_nr, tgt_nr, grp_size, rf);
	*ret_cid = OBJ_CLASS_DEF((uint32_t)row->redun, grp_nr);
	return 0;
}

/** RP_XSF becomes the widest replication with a name that the ranks allow. */
static int
fit_all_domains(uint32_t rank_nr, daos_oclass_id_t *ret_cid)
{
	const struct redun_row *best = NULL;

	for (unsigned i = 0; i < ARRAY_NR(redun_rows); i++)
		if (!redun_rows[i].ec && redun_rows[i].data_nr <= MIN_OF(rank_nr, 6u))
			best = &redun_rows[i];
	if (best == NULL)
		return -DER_INVAL;
	*ret_cid = OBJ_CLASS_DEF((uint32_t)best->redun, 1);
	return 0;
}

int
pl_class_fit(daos_oclass_id_t cid, uint32_t rf, uint32_t rank_nr, uint32_t tgt_nr,
	     daos_oclass_id_t *ret_cid)
{
	struct pl_class cls;
	int             rc;

	rc = pl_class_find(cid, &cls);
	if (rc != 0)
		return rc;
	if (rank_nr == 0 || tgt_nr < rank_nr)
		return -DER_INVAL;
	if (cls.all_domains)
		return fit_all_domains(rank_nr, ret_cid);
	if (cls.grp_nr == MAX_NUM_GROUPS)
		cls.grp_nr = groups_that_fit(rank_nr, tgt_nr, cls.grp_size, rf);
	if (cls.grp_size > rank_nr || (uint64_t)cls.grp_nr * cls.grp_size > tgt_nr) {
		D_ERROR("object class %#x takes %u groups of %u targets on different ranks; the "
			"pool has %u targets on %u ranks\n", cid, cls.grp_nr, cls.grp_size, tgt_nr,
			rank_nr);
		return -DER_INVAL;
	}
	*ret_cid = OBJ_CLASS_DEF((uint32_t)cls.redun, cls.grp_nr);
	return 0;
}

void
pl_oid_set(daos_obj_id_t *oid, enum daos_otype_t type, daos_oclass_id_t cid)
{
	oid->hi &= (1ULL << OID_FMT_INTR_BITS) - 1;
	oid->hi |= (uint64_t)type << OID_FMT_TYPE_SHIFT;
	oid->hi |= (uint64_t)(cid >> OC_REDUN_SHIFT) << OID_FMT_CLASS_SHIFT;
	oid->hi |= (uint64_t)(cid & OID_FMT_META_MAX) << OID_FMT_META_SHIFT;
}
