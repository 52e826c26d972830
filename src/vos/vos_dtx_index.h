/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/** What is prepared in a container, in DRAM; and its durable records. Inside of VOS. */
#pragma once

#include <string.h>
#include "vos/vos_dtx.h"
#include "vos/vos_internal.h"
#include "vos/vos_io.h"

/* ---- records (vos_dtx_rec.c) ---- */

struct vos_btree vos_dtx_prepared_tree(const struct vos_pool *pool, struct vos_cont_df *cont);
struct vos_btree vos_dtx_committed_tree(const struct vos_pool *pool, struct vos_cont_df *cont);
struct vos_dtx_df *vos_dtx_rec_find(const struct vos_pool *pool, struct vos_cont_df *cont,
				    const struct dtx_id *id);

static inline const void *
vos_dtx_op_dkey(const struct vos_dtx_op_df *op)
{
	return op->body;
}
static inline bool
vos_key_same(const daos_key_t *a, const daos_key_t *b)
{
	return a->iov_len == b->iov_len && memcmp(a->iov_buf, b->iov_buf, a->iov_len) == 0;
}
/** The parts of an operation, one after the other; zeroed to start. False behind the last. */
struct vos_dtx_part {
	const struct vos_dtx_part_df *df;
	const void		     *akey;
	const struct vos_dtx_seg_df  *segs;
	uint32_t		      idx;
	uint64_t		      next;
};
bool vos_dtx_part_next(const struct vos_dtx_op_df *op, struct vos_dtx_part *part);

/** The operations of a transaction being built: updates placed, punches. In DRAM. */
struct vos_dtx_op {
	d_list_t	 link;
	struct vos_io	*io; /**< update; NULL: a punch */
	struct vos_punch punch;
};
/** Write the record; inside a transaction. */
int vos_dtx_rec_make(struct vos_cont *cont, const struct dtx_id *id, daos_epoch_t epoch,
		     d_list_t *ops, struct vos_dtx_df **ret_rec) MUST_CHECK;
/** Do what it says. The record itself stays. */
int vos_dtx_rec_apply(struct vos_cont *cont, const struct vos_dtx_df *rec) MUST_CHECK;
/** Take it out of its tree and free it; with @values, what it holds, too. */
int vos_dtx_rec_remove(struct vos_pool *pool, struct vos_cont_df *cont, struct vos_dtx_df *rec,
		       bool values) MUST_CHECK;
int vos_dtx_committed_add(struct vos_cont *cont, const struct dtx_id *id,
			  daos_epoch_t epoch) MUST_CHECK;
/** Is what the record says well-formed? */
int vos_dtx_rec_check(const struct vos_pool *pool, const struct vos_dtx_df *rec) MUST_CHECK;
/** Both trees of a container that goes: frees at most *credits items. */
int vos_dtx_drain(struct vos_pool *pool, struct vos_cont_df *cont, uint32_t *credits) MUST_CHECK;

/* ---- the index (vos_dtx_index.c) ---- */

struct vos_dtx_prep;
/** The entry of a record, not in the index yet. */
int  vos_dtx_prep_new(uint32_t op_nr, struct vos_dtx_prep **ret_prep) MUST_CHECK;
void vos_dtx_prep_free(struct vos_dtx_prep *prep);
/** Make sure there is an index. */
int  vos_dtx_index_make(struct vos_cont *cont) MUST_CHECK;
void vos_dtx_index_add(struct vos_cont *cont, struct vos_dtx_prep *prep, struct vos_dtx_df *rec);
struct vos_dtx_prep *vos_dtx_index_find(struct vos_cont *cont, const struct vos_dtx_df *rec);
/** Takes @prep. */
void		     vos_dtx_index_remove(struct vos_cont *cont, struct vos_dtx_prep *prep);
/** Take out for as long as it is being committed or aborted, then put back without fail, or free. */
void vos_dtx_index_hide(struct vos_cont *cont, struct vos_dtx_prep *prep);
void vos_dtx_index_unhide(struct vos_cont *cont, struct vos_dtx_prep *prep);
void vos_dtx_index_drop(struct vos_cont *cont, struct vos_dtx_prep *prep);
/** All records of a container just opened. */
int	     vos_dtx_index_load(struct vos_cont *cont) MUST_CHECK;
void	     vos_dtx_index_free(struct vos_cont *cont);
/** Is something prepared at an epoch in [lo, hi]? */
bool	     vos_dtx_in_range(const struct vos_cont *cont, daos_epoch_t lo, daos_epoch_t hi);
daos_epoch_t vos_dtx_oldest(const struct vos_cont *cont);

/* All of these: INPROGRESS, and the blocker is noted. */

/** Does what is fetched depend on something prepared? */
int vos_dtx_read_check(struct vos_cont *cont, const struct vos_cond *cond) MUST_CHECK;
/** Do the conditions, or the kind of an array? */
int vos_dtx_update_check(struct vos_cont *cont, const struct vos_cond *cond) MUST_CHECK;
int vos_dtx_punch_check(const struct vos_punch *p) MUST_CHECK;
/** INVAL: the update would be refused for an akey's type or record size. */
int vos_dtx_kinds_check(struct vos_cont *cont, const struct vos_cond *cond) MUST_CHECK;
int vos_dtx_list_check(const struct vos_iter_param *param, enum vos_iter_type type) MUST_CHECK;
int vos_dtx_query_check(struct vos_cont *cont, daos_unit_oid_t oid, uint32_t flags,
			daos_epoch_t epoch, const daos_key_t *dkey) MUST_CHECK;

/* ---- conditions within a transaction (vos_dtx_own.c) ---- */

/** Its operations before one of them. */
struct vos_dtx_own {
	const d_list_t		*ops; /**< struct vos_dtx_op */
	const struct vos_dtx_op *end; /**< NULL: all */
	uint64_t		 reader;
};
/** As vos_update_check() and vos_punch_check(), for the state that the operations before would leave. Both are for
 *  operations with conditions. */
int vos_dtx_own_update_check(const struct vos_dtx_own *own, struct vos_cont *cont,
			     const struct vos_cond *cond) MUST_CHECK;
int vos_dtx_own_punch_check(const struct vos_dtx_own *own, const struct vos_punch *p) MUST_CHECK;

/* ---- timestamps (vos_dtx_read.c) ---- */

/** A hash of the id, not 0. */
uint64_t vos_dtx_reader(const struct dtx_id *id);
/** Note what a fetch read. */
void vos_dtx_note_read(struct vos_cont *cont, const struct vos_cond *cond);
/** Note what conditions read. */
void vos_dtx_note_conds(struct vos_cont *cont, const struct vos_cond *cond, uint64_t reader);
void vos_dtx_note_punch_conds(const struct vos_punch *p, uint64_t reader);
/** Was nothing of it read at a later epoch? Then its conditions count as read. @writer 0: none. TX_RESTART */
int vos_dtx_update_is_new(struct vos_cont *cont, const struct vos_cond *cond,
			  uint64_t writer) MUST_CHECK;
int vos_dtx_punch_is_new(const struct vos_punch *p, uint64_t writer) MUST_CHECK;
