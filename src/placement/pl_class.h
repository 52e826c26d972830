/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/**
 * Object classes: what an ID says about redundancy and spreading, and which class fits a pool.
 * The public names (daos_oclass_name2id() and its kin) are defined here too. Pure functions.
 */
#pragma once

#include <daos_obj.h>
#include <daos_obj_class.h>
#include "base/util.h"

/** The dimensions of a class. */
struct pl_class {
	enum daos_obj_redun redun;
	bool                ec;
	uint32_t            grp_size;       /**< shards in a group: replicas, or data and parity cells */
	uint32_t            parity_nr;      /**< EC only */
	uint32_t            failures_max;   /**< an object survives */
	uint32_t            grp_nr;         /**< MAX_NUM_GROUPS: as many as the pool can hold */
	bool                all_domains;    /**< RP_XSF: as many replicas as there are ranks */
};
/** Any number of groups is accepted, not the named ones alone. INVAL there is no such class */
int pl_class_find(daos_oclass_id_t cid, struct pl_class *ret_class) MUST_CHECK;
/** No replica, no parity: the only ones whose data this version stores. */
static inline bool
pl_class_is_plain(const struct pl_class *cls)
{
	return cls->grp_size == 1 && !cls->all_domains;
}

/**
 * The class for a container that survives @rf failures, on a pool of that many ranks and targets.
 * @param hints  one DAOS_OCH_RDD_* and one DAOS_OCH_SHD_*, or 0
 * Errors: INVAL unknown hint, or fewer ranks than such redundancy needs
 */
int pl_class_choose(uint32_t rf, uint32_t rank_nr, uint32_t tgt_nr, enum daos_otype_t type,
		    daos_oclass_hints_t hints, daos_oclass_id_t *ret_cid) MUST_CHECK;
/**
 * The class with X replaced by the number of groups the pool holds, spare targets for @rf failures
 * left out. Errors: INVAL unknown, or larger than the pool
 */
int pl_class_fit(daos_oclass_id_t cid, uint32_t rf, uint32_t rank_nr, uint32_t tgt_nr,
		 daos_oclass_id_t *ret_cid) MUST_CHECK;
/** Put type and class into the library's part of an ID; the user's 96 bits stay. */
void pl_oid_set(daos_obj_id_t *oid, enum daos_otype_t type, daos_oclass_id_t cid);
