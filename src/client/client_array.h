/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/** Arrays: handles, and the plan of an operation. client_array.c has the theory. */
#pragma once

#include <daos_array.h>
#include "base/handle.h"
#include "client/client_internal.h"

#define ARRAY_DKEY_ATTR 0ULL /* the attributes; chunk i is dkey i + 1 */

struct client_array {
	struct d_hlink hlink; /* type DAOS_HTYPE_ARRAY */
	struct client *cl;
	daos_handle_t  coh;
	daos_handle_t  oh;
	daos_obj_id_t  oid;
	unsigned int   mode;
	daos_size_t    cell_bytes;
	_Atomic uint64_t chunk_cells;
};

/** With a reference; NULL: no such handle. */
struct client_array *client_array_get(struct client *cl, daos_handle_t oh);
void client_array_put(struct client_array *array);
/** Of bytes: holes read as zeroes, and a read tells where the array ends. */
bool client_array_is_bytes(const struct client_array *array);
/** The akey that holds the cells. */
void client_array_akey(d_iov_t *akey);

/* ---- plans: client_array_plan.c ---- */

/** What an operation does in one dkey. */
struct array_piece {
	uint64_t    dkey;
	uint32_t    recx_nr;
	uint32_t    recx_first; /* in the plan's recxs */
	uint32_t    iov_first;  /* in the plan's iovs */
	uint64_t    cell_nr;
	d_sg_list_t sgl;        /* the part of the user's memory; sg_nr 0 without memory */
};
struct array_plan {
	struct array_piece *pieces;
	uint32_t            piece_nr, piece_room;
	daos_recx_t        *recxs;
	uint32_t            recx_nr, recx_room;
	d_iov_t            *iovs;
	uint32_t            iov_nr, iov_room;
	uint64_t            cell_nr; /* of all ranges */
};
/**
 * Cut ranges at chunk borders, and the memory with them.
 * @param sgl  NULL: no memory (punch); else as many bytes as the ranges
 * Errors: INVAL sizes differ or overflow | NOMEM
 */
int  array_plan_make(struct array_plan *plan, const daos_range_t *rgs, uint64_t rg_nr,
		     uint64_t chunk_cells, uint64_t cell_bytes, const d_sg_list_t *sgl) MUST_CHECK;
void array_plan_fini(struct array_plan *plan);
static inline daos_recx_t *
array_piece_recxs(const struct array_plan *plan, const struct array_piece *piece)
{
	return &plan->recxs[piece->recx_first];
}
/** Zero the memory of what a fetch did not find. @found [found_nr] in the order of the piece's. */
void array_piece_zero_holes(const struct array_plan *plan, const struct array_piece *piece,
			    uint64_t cell_bytes, const daos_recx_t *found, uint32_t found_nr);
/** Cells of the ranges at or beyond @size. */
uint64_t array_cells_beyond(const daos_range_t *rgs, uint64_t rg_nr, uint64_t size);

/* ---- size: client_array_size.c ---- */

/** Find the array's size and, unless NULL, the epoch of its newest change, as a part of @parent; @done is called with the
 *  outcome, *ret_size set. */
int client_array_size_find(tse_task_t *parent, struct client_array *array, daos_handle_t th,
			   uint64_t *ret_size, daos_epoch_t *ret_epoch, client_part_cb_t done, void *arg) MUST_CHECK;

/** Epoch of the newest change that was made through an open array, 0: none. NO_HDL */
int client_array_changed_at(daos_handle_t oh, daos_epoch_t *ret_epoch) MUST_CHECK;
