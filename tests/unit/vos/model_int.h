/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/** One run of the model checker. */
#pragma once

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include "base/util.h"
#include "bio/bio_ram.h"
#include "model_ref.h"
#include "model_run.h"
#include "vos/vos_dtx.h"

#define MODEL_KEY_BYTES 120
#define MODEL_SNAP_NR	3
#define MODEL_IOD_MAX	2
#define MODEL_RECX_MAX	3
#define MODEL_READ_MAX	512

/** Something a transaction or a condition read. */
struct model_read {
	uint64_t epoch;
	uint64_t hlc; /**< 0: of nobody in particular */
	int	 obj, dkey, akey;
	bool	 sure; /**< it was noted; else it may have been */
};

struct model {
	uint64_t	       rnd; /**< of the operation at hand */
	const struct model_op *op;
	uint32_t	       op_idx;
	FILE		      *trace;
	uint64_t	       seed;
	struct ref	       ref;
	/* the pool */
	struct bio_ram	*ram;
	struct bio_dev	*dev;
	struct vos_store store;
	struct vos_pool *pool;
	struct vos_cont *cont;
	/* what the run is like */
	bool	 fails_alloc, fails_device, serial;
	uint32_t thresh, single_max;
	uint32_t obj_types[REF_OBJ_NR];
	/* where it stands */
	uint64_t now, floor, next_hlc;
	uint64_t late_min; /**< no more writes at or before it */
	uint32_t next_id;
	uint64_t snaps[MODEL_SNAP_NR]; /**< 0: none */
	bool	 device_gone;	       /**< found by the last call */
	bool	 alloc_hit;
	int64_t	 unsure_tx; /**< happened, or not: the power will tell. -1: none */
	int	 meet_obj, meet_dkey; /**< where the transaction being made was last; -1: none is */
	struct model_read reads[MODEL_READ_MAX];
	uint32_t	  read_nr;
	char		  dkeys[REF_OBJ_NR][REF_DKEY_NR][MODEL_KEY_BYTES];
	char		  akeys[REF_OBJ_NR][REF_AKEY_NR][MODEL_KEY_BYTES];
	daos_key_t	  dkey[REF_OBJ_NR][REF_DKEY_NR];
	daos_key_t	  akey[REF_OBJ_NR][REF_AKEY_NR];
};

/** 0..n-1 */
uint64_t model_rnd(struct model *m, uint64_t n);
void	 model_say(struct model *m, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
_Noreturn void model_wrong(struct model *m, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

daos_unit_oid_t model_oid(const struct model *m, int obj);
uint64_t	model_rsize(int obj, int akey);
bool		model_int_dkeys(const struct model *m, int obj);

/** Around a call into VOS that may fail for lack of memory, or with the device. */
void model_call_begin(struct model *m);
int  model_call_end(struct model *m, int rc);
#define MODEL_CALL(m, call) (model_call_begin(m), model_call_end(m, (call)))
/** Did the call fail for a reason outside of it? Then nothing was done, or (device_gone) nobody knows. */
bool model_excused(struct model *m, int rc);
/** After INPROGRESS: is there a prepared transaction it may depend on? */
void model_check_blocked(struct model *m, int obj, uint64_t epoch);
/** All masks of prepared transactions: 0 .. masks-1. */
static inline uint32_t
model_masks(const struct model *m)
{
	return 1u << m->ref.prep_nr;
}

/* ---- an update or fetch ---- */

struct model_io {
	int	    obj;
	int	    dkey;
	uint64_t    epoch;
	uint64_t    flags;
	int	    akeys[MODEL_IOD_MAX];
	unsigned    nr;
	daos_iod_t  iods[MODEL_IOD_MAX];
	daos_recx_t recxs[MODEL_IOD_MAX][MODEL_RECX_MAX];
	d_sg_list_t sgls[MODEL_IOD_MAX];
	d_iov_t	    iovs[MODEL_IOD_MAX];
	uint32_t    ids[MODEL_IOD_MAX];
};
void model_io_free(struct model_io *io);
/** What its conditions say. */
int model_conds(const struct model *m, uint32_t mask, const struct model_io *io);
/** @rc: of the operation. */
void model_note_conds(struct model *m, const struct model_io *io, uint64_t hlc, int rc);
void model_note_read(struct model *m, const struct model_read *read);

void model_do_update(struct model *m);
void model_do_punch(struct model *m);
void model_do_tx(struct model *m);
void model_do_tx_end(struct model *m);
void model_do_tx_trim(struct model *m);
void model_do_tx_read(struct model *m);
void model_do_fetch(struct model *m);
void model_do_list(struct model *m);
void model_do_query(struct model *m);
void model_do_versions(struct model *m);
/** Is everything at @epoch as the reference has it? */
bool model_agrees(struct model *m, uint64_t epoch);
/** Is what was written to the item's akey at exactly @epoch, seen or not, as the reference has it? */
bool model_version_agrees(struct model *m, const struct ref_item *item, uint64_t epoch);
/** An epoch that is readable. */
uint64_t model_read_epoch(struct model *m);
