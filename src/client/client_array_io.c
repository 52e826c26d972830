/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/**
 * Reading, writing and punching cells: one object operation for each piece of the plan, all at
 * once. client_array.c has the theory.
 *
 * A read of an array of bytes asks for the extents that were found. Holes in them are zeroed here.
 * When all was found nothing more is to be done; else the array's size tells how much of what is
 * missing lies beyond the end.
 */
#define D_LOGFAC LOG_FAC_ARRAY
#include <stdlib.h>
#include "base/log.h"
#include "client/client_array.h"
#include "object/obj_client.h"

#define FOUND_NR_MIN 8 /* room for the extents found, beside one an extent asked for */

enum array_io_kind { ARRAY_READ, ARRAY_WRITE, ARRAY_PUNCH };

struct array_io;

/** A piece under way. */
struct array_io_part {
	struct array_io	   *io;
	struct array_piece *piece;
	uint64_t	    dkey;
	d_iov_t		    dkey_iov;
	daos_iod_t	    iod;
	daos_iom_t	    iom;
};

struct array_io {
	tse_task_t	     *task;  /* a reference */
	struct client_array  *array; /* a reference */
	daos_array_io_t	      args;
	enum array_io_kind    kind;
	struct array_plan     plan;
	struct array_io_part *parts;
	uint32_t	      pending_nr;
	int		      rc;
	bool		      holes; /* some cells were not found */
	uint64_t	      size;
};

static void
array_io_end(struct array_io *io, int rc)
{
	tse_task_t *task = io->task;

	for (uint32_t i = 0; io->parts != NULL && i < io->plan.piece_nr; i++)
		free(io->parts[i].iom.iom_recxs);
	free(io->parts);
	array_plan_fini(&io->plan);
	client_array_put(io->array);
	free(io);
	tse_task_complete(task, rc);
	tse_task_decref(task);
}

static void
array_io_report(struct array_io *io, uint64_t beyond)
{
	io->args.iod->arr_nr_short_read = beyond;
	io->args.iod->arr_nr_read = io->plan.cell_nr - beyond;
}

static void
array_io_size_found(void *arg, int rc)
{
	struct array_io *io = arg;

	if (rc == 0)
		array_io_report(
		    io, array_cells_beyond(io->args.iod->arr_rgs, io->args.iod->arr_nr, io->size));
	array_io_end(io, rc);
}

/** All pieces are done. */
static void
array_io_done(struct array_io *io)
{
	int rc = io->rc;

	if (rc != 0 || io->kind != ARRAY_READ || !client_array_is_bytes(io->array)) {
		array_io_end(io, rc);
		return;
	}
	if (!io->holes) {
		array_io_report(io, 0);
		array_io_end(io, 0);
		return;
	}
	rc = client_array_size_find(io->task, io->array, io->args.th, &io->size, NULL,
				    array_io_size_found, io);
	if (rc != 0)
		array_io_end(io, rc);
}

static void
array_io_pending_drop(struct array_io *io)
{
	if (--io->pending_nr == 0)
		array_io_done(io);
}

static int array_io_part_start(struct array_io_part *part);

static uint64_t
found_cells(const daos_iom_t *iom)
{
	uint64_t nr = 0;

	for (uint32_t i = 0; i < iom->iom_nr_out; i++)
		nr += iom->iom_recxs[i].rx_nr;
	return nr;
}

/** 0: looked at; 1: the piece was started again since there was no room for what was found. */
static int
array_io_look(struct array_io_part *part)
{
	struct array_io *io = part->io;
	daos_iom_t	*iom = &part->iom;
	daos_recx_t	*recxs;
	int		 rc;

	if (iom->iom_nr_out <= iom->iom_nr) {
		if (found_cells(iom) == part->piece->cell_nr)
			return 0;
		io->holes = true;
		array_piece_zero_holes(&io->plan, part->piece, io->array->cell_bytes,
				       iom->iom_recxs, iom->iom_nr_out);
		return 0;
	}
	recxs = realloc(iom->iom_recxs, (size_t)iom->iom_nr_out * 2 * sizeof(*recxs));
	if (recxs == NULL)
		return -DER_NOMEM;
	iom->iom_recxs = recxs;
	iom->iom_nr = iom->iom_nr_out * 2;
	rc = array_io_part_start(part);
	return rc == 0 ? 1 : rc;
}

static void
array_io_part_done(void *arg, int rc)
{
	struct array_io_part *part = arg;
	struct array_io	     *io = part->io;

	if (rc == 0 && io->kind == ARRAY_READ && client_array_is_bytes(io->array))
		rc = array_io_look(part);
	if (rc == 1)
		return;
	if (rc != 0 && io->rc == 0)
		io->rc = rc;
	array_io_pending_drop(io);
}

static int
array_io_part_start(struct array_io_part *part)
{
	struct array_io *io = part->io;
	daos_obj_rw_t	 args = {.th = io->args.th,
				 .oh = io->array->oh,
				 .dkey = &part->dkey_iov,
				 .nr = 1,
				 .iods = &part->iod,
				 .sgls = io->kind == ARRAY_PUNCH ? NULL : &part->piece->sgl};

	d_iov_set(&part->dkey_iov, &part->dkey, sizeof(part->dkey));
	client_array_akey(&part->iod.iod_name);
	part->dkey = part->piece->dkey;
	part->iod.iod_type = DAOS_IOD_ARRAY;
	part->iod.iod_size = io->kind == ARRAY_PUNCH ? 0 : io->array->cell_bytes;
	part->iod.iod_nr = part->piece->recx_nr;
	part->iod.iod_recxs = array_piece_recxs(&io->plan, part->piece);
	if (part->iom.iom_recxs != NULL) {
		part->iom.iom_flags = DAOS_IOMF_DETAIL;
		part->iom.iom_nr_out = 0;
		args.ioms = &part->iom;
	}
	return client_part_start(io->task,
				 io->kind == ARRAY_READ ? dc_obj_fetch_task : dc_obj_update_task,
				 &args, sizeof(args), array_io_part_done, part);
}

/** Room for the extents that a read of bytes finds. */
static int
array_io_part_init(struct array_io *io, uint32_t idx)
{
	struct array_io_part *part = &io->parts[idx];

	part->io = io;
	part->piece = &io->plan.pieces[idx];
	if (io->kind != ARRAY_READ || !client_array_is_bytes(io->array))
		return 0;
	part->iom.iom_nr = part->piece->recx_nr + FOUND_NR_MIN;
	part->iom.iom_recxs = calloc(part->iom.iom_nr, sizeof(*part->iom.iom_recxs));
	return part->iom.iom_recxs == NULL ? -DER_NOMEM : 0;
}

static int
array_io_prepare(struct array_io *io)
{
	const daos_array_iod_t *iod = io->args.iod;
	int			rc;

	if (iod == NULL || (iod->arr_nr > 0 && iod->arr_rgs == NULL) ||
	    (io->kind != ARRAY_PUNCH && io->args.sgl == NULL))
		return -DER_INVAL;
	rc = array_plan_make(&io->plan, iod->arr_rgs, iod->arr_nr, io->array->chunk_cells,
			     io->array->cell_bytes, io->kind == ARRAY_PUNCH ? NULL : io->args.sgl);
	if (rc != 0)
		return rc;
	io->parts = calloc(io->plan.piece_nr + 1, sizeof(*io->parts));
	if (io->parts == NULL)
		return -DER_NOMEM;
	for (uint32_t i = 0; rc == 0 && i < io->plan.piece_nr; i++)
		rc = array_io_part_init(io, i);
	return rc;
}

static int
array_io_run(tse_task_t *task, enum array_io_kind kind)
{
	daos_array_io_t *args = dc_task_get_args(task);
	struct array_io *io;
	int		 rc;

	io = calloc(1, sizeof(*io));
	if (io == NULL) {
		tse_task_complete(task, -DER_NOMEM);
		return -DER_NOMEM;
	}
	tse_task_addref(task);
	io->task = task;
	io->args = *args;
	io->kind = kind;
	io->array = client_array_get(dc_task2client(task), args->oh);
	rc = io->array == NULL ? -DER_NO_HDL : array_io_prepare(io);
	if (rc != 0) {
		array_io_end(io, rc);
		return rc;
	}
	io->pending_nr = 1; /* until all pieces are started */
	for (uint32_t i = 0; i < io->plan.piece_nr && io->rc == 0; i++) {
		io->pending_nr++;
		rc = array_io_part_start(&io->parts[i]);
		if (rc != 0) {
			io->pending_nr--;
			io->rc = rc;
		}
	}
	array_io_pending_drop(io);
	return 0;
}

int
client_array_read(tse_task_t *task)
{
	return array_io_run(task, ARRAY_READ);
}

int
client_array_write(tse_task_t *task)
{
	return array_io_run(task, ARRAY_WRITE);
}

int
client_array_punch(tse_task_t *task)
{
	return array_io_run(task, ARRAY_PUNCH);
}
