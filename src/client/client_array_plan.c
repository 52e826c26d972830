/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/**
 * What an array operation does in each dkey: pure computation, no I/O.
 *
 * Ranges are cut at chunk borders. Neighbouring cuts in the same chunk make one piece, and one
 * extent if they touch. The user's memory is a stream of bytes that the cuts consume in order, so a
 * piece's memory is one stretch of it: slices of the user's iovs.
 */
#include <stdlib.h>
#include <string.h>
#include <daos_errno.h>
#include "base/planted.h"
#include "client/client_array.h"

/** Room for one more element of @bytes in an array that grows by doubling. */
static void *
grow(void *array, uint32_t nr, uint32_t *room, size_t bytes)
{
	uint32_t new_room = *room == 0 ? 8 : *room * 2;
	void	*moved;

	if (nr < *room)
		return array;
	if (*room > UINT32_MAX / 2)
		return NULL;
	moved = realloc(array, new_room * bytes);
	if (moved != NULL)
		*room = new_room;
	return moved;
}

static struct array_piece *
piece_add(struct array_plan *plan, uint64_t dkey)
{
	void *moved = grow(plan->pieces, plan->piece_nr, &plan->piece_room, sizeof(*plan->pieces));
	struct array_piece *piece;

	if (moved == NULL)
		return NULL;
	plan->pieces = moved;
	piece = &plan->pieces[plan->piece_nr++];
	*piece = (struct array_piece){.dkey = dkey};
	piece->recx_first = plan->recx_nr;
	piece->iov_first = plan->iov_nr;
	return piece;
}

static int
recx_add(struct array_plan *plan, struct array_piece *piece, uint64_t idx, uint64_t nr)
{
	daos_recx_t *last = piece->recx_nr == 0 ? NULL : &plan->recxs[plan->recx_nr - 1];
	void	    *moved;

	piece->cell_nr += nr;
	if (last != NULL && last->rx_idx + last->rx_nr == idx) {
		last->rx_nr += nr;
		return 0;
	}
	moved = grow(plan->recxs, plan->recx_nr, &plan->recx_room, sizeof(*plan->recxs));
	if (moved == NULL)
		return -DER_NOMEM;
	plan->recxs = moved;
	plan->recxs[plan->recx_nr++] = (daos_recx_t){.rx_idx = idx, .rx_nr = nr};
	piece->recx_nr++;
	return 0;
}

/** A place in the user's memory. */
struct mem_pos {
	const d_sg_list_t *sgl;
	uint32_t	   idx;
	uint64_t	   off;
};

/** The next @bytes of the user's memory belong to @piece. There are as many. */
static int
mem_take(struct array_plan *plan, struct array_piece *piece, struct mem_pos *pos, uint64_t bytes)
{
	while (bytes > 0) {
		const d_iov_t *iov = &pos->sgl->sg_iovs[pos->idx];
		uint64_t       left = iov->iov_len - pos->off;
		uint64_t       take = MIN_OF(left, bytes);
		char	      *at = (char *)iov->iov_buf + pos->off;
		d_iov_t	      *last = piece->sgl.sg_nr == 0 ? NULL : &plan->iovs[plan->iov_nr - 1];
		void	      *moved;

		if (left == 0) {
			pos->idx++;
			pos->off = 0;
			continue;
		}
		if (last != NULL && (char *)last->iov_buf + last->iov_len == at) {
			last->iov_len += take;
			last->iov_buf_len += take;
		} else {
			moved =
			    grow(plan->iovs, plan->iov_nr, &plan->iov_room, sizeof(*plan->iovs));
			if (moved == NULL)
				return -DER_NOMEM;
			plan->iovs = moved;
			d_iov_set(&plan->iovs[plan->iov_nr++], at, take);
			piece->sgl.sg_nr++;
		}
		pos->off += take;
		bytes -= take;
	}
	return 0;
}

static int
range_plan(struct array_plan *plan, uint64_t idx, uint64_t len, uint64_t chunk_cells,
	   uint64_t cell_bytes, struct mem_pos *pos)
{
	while (len > 0) {
		uint64_t	    dkey = idx / chunk_cells + 1;
		uint64_t	    off = idx % chunk_cells;
		uint64_t	    nr = MIN_OF(len, chunk_cells - off);
		struct array_piece *piece =
		    plan->piece_nr == 0 ? NULL : &plan->pieces[plan->piece_nr - 1];
		int rc;

		if (piece == NULL || piece->dkey != dkey)
			piece = piece_add(plan, dkey);
		if (piece == NULL)
			return -DER_NOMEM;
		rc = recx_add(plan, piece, off, nr - (D_PLANTED(D_PLANTED_EXTENT) && nr > 1 && nr < len));
		if (rc == 0 && pos->sgl != NULL)
			rc = mem_take(plan, piece, pos, nr * cell_bytes);
		if (rc != 0)
			return rc;
		idx += nr;
		len -= nr;
	}
	return 0;
}

/** Ranges and memory fit each other and no index overflows. */
static int
plan_check(struct array_plan *plan, const daos_range_t *rgs, uint64_t rg_nr, uint64_t cell_bytes,
	   const d_sg_list_t *sgl)
{
	uint64_t cells = 0, bytes = 0;

	for (uint64_t i = 0; i < rg_nr; i++) {
		if (rgs[i].rg_len > UINT64_MAX - rgs[i].rg_idx ||
		    rgs[i].rg_len > UINT64_MAX / cell_bytes - cells)
			return -DER_INVAL;
		cells += rgs[i].rg_len;
	}
	for (uint32_t i = 0; sgl != NULL && i < sgl->sg_nr; i++) {
		if (sgl->sg_iovs[i].iov_len > UINT64_MAX - bytes)
			return -DER_INVAL;
		bytes += sgl->sg_iovs[i].iov_len;
	}
	if (sgl != NULL && bytes != cells * cell_bytes)
		return -DER_INVAL;
	plan->cell_nr = cells;
	return 0;
}

int
array_plan_make(struct array_plan *plan, const daos_range_t *rgs, uint64_t rg_nr,
		uint64_t chunk_cells, uint64_t cell_bytes, const d_sg_list_t *sgl)
{
	struct mem_pos pos = {.sgl = sgl};
	int	       rc;

	memset(plan, 0, sizeof(*plan));
	rc = plan_check(plan, rgs, rg_nr, cell_bytes, sgl);
	for (uint64_t i = 0; rc == 0 && i < rg_nr; i++)
		rc = range_plan(plan, rgs[i].rg_idx, rgs[i].rg_len, chunk_cells, cell_bytes, &pos);
	if (rc != 0) {
		array_plan_fini(plan);
		return rc;
	}
	/* the arrays do not move any more */
	for (uint32_t i = 0; i < plan->piece_nr; i++)
		plan->pieces[i].sgl.sg_iovs = &plan->iovs[plan->pieces[i].iov_first];
	return 0;
}

void
array_plan_fini(struct array_plan *plan)
{
	free(plan->pieces);
	free(plan->recxs);
	free(plan->iovs);
	memset(plan, 0, sizeof(*plan));
}

/** Zero [off, off + len) of a piece's memory. */
static void
piece_zero(const struct array_piece *piece, uint64_t off, uint64_t len)
{
	for (uint32_t i = 0; len > 0 && i < piece->sgl.sg_nr; i++) {
		const d_iov_t *iov = &piece->sgl.sg_iovs[i];
		uint64_t       bytes = iov->iov_buf_len;

		if (off >= bytes) {
			off -= bytes;
			continue;
		}
		bytes = MIN_OF(bytes - off, len);
		memset((char *)iov->iov_buf + off, 0, bytes);
		len -= bytes;
		off = 0;
	}
}

void
array_piece_zero_holes(const struct array_plan *plan, const struct array_piece *piece,
		       uint64_t cell_bytes, const daos_recx_t *found, uint32_t found_nr)
{
	const daos_recx_t *recxs = array_piece_recxs(plan, piece);
	uint64_t	   begin = 0; /* of the extent, in the piece's memory; cells */
	uint32_t	   f = 0;

	for (uint32_t i = 0; i < piece->recx_nr; i++) {
		uint64_t at = recxs[i].rx_idx;
		uint64_t end = at + recxs[i].rx_nr;

		while (f < found_nr && found[f].rx_idx >= at && found[f].rx_idx < end) {
			piece_zero(piece, (begin + at - recxs[i].rx_idx) * cell_bytes,
				   (found[f].rx_idx - at) * cell_bytes);
			at = found[f].rx_idx + found[f].rx_nr;
			f++;
		}
		if (at < end)
			piece_zero(piece, (begin + at - recxs[i].rx_idx) * cell_bytes,
				   (end - at) * cell_bytes);
		begin += recxs[i].rx_nr;
	}
}

uint64_t
array_cells_beyond(const daos_range_t *rgs, uint64_t rg_nr, uint64_t size)
{
	uint64_t beyond = 0;

	for (uint64_t i = 0; i < rg_nr; i++) {
		uint64_t end = rgs[i].rg_idx + rgs[i].rg_len;

		if (end > size)
			beyond += end - MAX_OF(rgs[i].rg_idx, size);
	}
	return beyond;
}
