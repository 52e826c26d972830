/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/**
 * Arrays on objects: handles, attributes, and what they are.
 *
 * Cell i of an array with c cells a chunk is record i % c of dkey i / c + 1 (an integer), akey "0".
 * So the chunks spread over the object's groups, and a chunk is one dkey. Dkey 0 is not a chunk:
 * an array of type DAOS_OT_ARRAY keeps its attributes there, under an akey of its own:
 *
 *     dkey 0, akey "attr", single value, little endian:
 *     | magic 8 | cell size in bytes 8 | chunk size in cells 8 |
 *
 * The size of an array is the index after the last record there is; nothing stores it.
 *
 * Invariants: 1. cell size and chunk size of a handle are at least 1. 2. A handle holds one open
 * object, closed by closing the handle or with the last reference. 3. The cells of an array never
 * have records of another size.
 */
#define D_LOGFAC LOG_FAC_ARRAY
#include <endian.h>
#include <stdlib.h>
#include "base/log.h"
#include "client/client_array.h"
#include "container/cont_client.h"
#include "object/obj_client.h"

#define ARRAY_ATTR_MAGIC   0xda05a77a00000001ULL
#define ARRAY_GLOBAL_MAGIC 0xda05a77a61000001ULL

struct array_attr_df {
	uint64_t magic;
	uint64_t cell_bytes;
	uint64_t chunk_cells;
};
_Static_assert(sizeof(struct array_attr_df) == 24, "durable");

/* ---- handles ---- */

static void
array_free(struct d_hlink *hlink)
{
	free(CONTAINER_OF(hlink, struct client_array, hlink));
}

static const struct d_hlink_ops array_ops = {.type = DAOS_HTYPE_ARRAY, .free = array_free};

static struct client_array *
array_alloc(struct client *cl, daos_handle_t coh, daos_obj_id_t oid, unsigned int mode,
	    uint64_t cell_bytes, uint64_t chunk_cells)
{
	struct client_array *array = calloc(1, sizeof(*array));

	if (array == NULL)
		return NULL;
	d_hlink_init(&array->hlink, &array_ops);
	array->cl = cl;
	array->coh = coh;
	array->oid = oid;
	array->mode = mode;
	array->cell_bytes = cell_bytes;
	array->chunk_cells = chunk_cells;
	return array;
}

struct client_array *
client_array_get(struct client *cl, daos_handle_t oh)
{
	struct d_hlink *hlink = cl == NULL ? NULL : dc_hdl_lookup(cl, oh, DAOS_HTYPE_ARRAY);

	return hlink == NULL ? NULL : CONTAINER_OF(hlink, struct client_array, hlink);
}

void
client_array_put(struct client_array *array)
{
	if (array != NULL)
		d_hlink_putref(&array->hlink);
}

bool
client_array_is_bytes(const struct client_array *array)
{
	return daos_obj_id2type(array->oid) == DAOS_OT_ARRAY_BYTE;
}

void
client_array_akey(d_iov_t *akey)
{
	static char name[] = "0";

	d_iov_set(akey, name, 1);
}

/* ---- create and open ---- */

/**
 * Opening runs: open the object; write (create) or read (open) the attributes unless the caller
 * has them; make the handle. A failure after the object was opened closes it.
 */
struct array_open {
	tse_task_t	    *task; /* a reference */
	bool		     create;
	daos_handle_t	     coh;
	daos_obj_id_t	     oid;
	daos_handle_t	     th;
	unsigned int	     mode;
	daos_handle_t	     oh; /* the object */
	daos_size_t	    *ret_cell, *ret_chunk;
	daos_handle_t	    *ret_oh;
	uint64_t	     cell_bytes, chunk_cells;
	int		     rc;
	struct array_attr_df attr;
	uint64_t	     dkey;
	d_iov_t		     dkey_iov, iov;
	daos_iod_t	     iod;
	d_sg_list_t	     sgl;
};

static void
array_open_end(struct array_open *op, int rc)
{
	tse_task_t *task = op->task;

	free(op);
	tse_task_complete(task, rc);
	tse_task_decref(task);
}

static void
array_open_closed(void *arg, int rc)
{
	struct array_open *op = arg;

	(void)rc; /* the first error counts */
	array_open_end(op, op->rc);
}

/** Close the object and end with @rc. */
static void
array_open_undo(struct array_open *op, int rc)
{
	daos_obj_close_t args = {.oh = op->oh};

	op->rc = rc;
	if (client_part_start(op->task, dc_obj_close_task, &args, sizeof(args), array_open_closed,
			      op))
		array_open_end(op, rc);
}

static void
array_open_handle(struct array_open *op)
{
	struct client	    *cl = dc_task2client(op->task);
	struct client_array *array;
	daos_handle_t	     hdl;
	int		     rc;

	array = array_alloc(cl, op->coh, op->oid, op->mode, op->cell_bytes, op->chunk_cells);
	if (array == NULL) {
		array_open_undo(op, -DER_NOMEM);
		return;
	}
	array->oh = op->oh;
	rc = dc_hdl_insert(cl, &array->hlink, &hdl);
	client_array_put(array); /* the table has its own */
	if (rc != 0) {
		array_open_undo(op, rc);
		return;
	}
	if (op->ret_cell != NULL)
		*op->ret_cell = op->cell_bytes;
	if (op->ret_chunk != NULL)
		*op->ret_chunk = op->chunk_cells;
	*op->ret_oh = hdl;
	array_open_end(op, 0);
}

static void
array_attr_written(void *arg, int rc)
{
	struct array_open *op = arg;

	if (rc != 0)
		array_open_undo(op, rc);
	else
		array_open_handle(op);
}

/** What a stored attribute record says; it is from outside. */
static int
array_attr_decode(struct array_open *op)
{
	if (op->iod.iod_size == 0)
		return -DER_NONEXIST;
	if (op->iod.iod_size != sizeof(op->attr) || le64toh(op->attr.magic) != ARRAY_ATTR_MAGIC) {
		D_ERROR("object %016lx.%016lx: its attributes are not those of an array\n",
			(unsigned long)op->oid.hi, (unsigned long)op->oid.lo);
		return -DER_DF_INVAL;
	}
	op->cell_bytes = le64toh(op->attr.cell_bytes);
	op->chunk_cells = le64toh(op->attr.chunk_cells);
	return op->cell_bytes == 0 || op->chunk_cells == 0 ? -DER_DF_INVAL : 0;
}

static void
array_attr_read(void *arg, int rc)
{
	struct array_open *op = arg;

	if (rc == 0)
		rc = array_attr_decode(op);
	if (rc != 0)
		array_open_undo(op, rc);
	else
		array_open_handle(op);
}

/** Write or read the attributes. */
static int
array_attr_start(struct array_open *op)
{
	static char   name[] = "attr";
	daos_obj_rw_t args = {.th = op->th,
			      .oh = op->oh,
			      .flags = op->create ? DAOS_COND_AKEY_INSERT : 0,
			      .dkey = &op->dkey_iov,
			      .nr = 1,
			      .iods = &op->iod,
			      .sgls = &op->sgl};

	op->dkey = ARRAY_DKEY_ATTR;
	d_iov_set(&op->dkey_iov, &op->dkey, sizeof(op->dkey));
	d_iov_set(&op->iov, &op->attr, sizeof(op->attr));
	d_iov_set(&op->iod.iod_name, name, sizeof(name) - 1);
	op->sgl = (d_sg_list_t){.sg_nr = 1, .sg_iovs = &op->iov};
	op->iod.iod_type = DAOS_IOD_SINGLE;
	op->iod.iod_nr = 1;
	op->iod.iod_size = op->create ? sizeof(op->attr) : DAOS_REC_ANY;
	if (!op->create)
		return client_part_start(op->task, dc_obj_fetch_task, &args, sizeof(args),
					 array_attr_read, op);
	op->attr = (struct array_attr_df){.magic = htole64(ARRAY_ATTR_MAGIC),
					  .cell_bytes = htole64(op->cell_bytes),
					  .chunk_cells = htole64(op->chunk_cells)};
	return client_part_start(op->task, dc_obj_update_task, &args, sizeof(args),
				 array_attr_written, op);
}

static void
array_obj_opened(void *arg, int rc)
{
	struct array_open *op = arg;

	if (rc != 0) {
		array_open_end(op, rc);
		return;
	}
	if (op->cell_bytes != 0 && !op->create) {
		array_open_handle(op);
		return;
	}
	rc = array_attr_start(op);
	if (rc != 0)
		array_open_undo(op, rc);
}

/** Takes @op, also when it fails. */
static int
array_open_run(tse_task_t *task, struct array_open *op, int rc)
{
	daos_obj_open_t args;

	tse_task_addref(task);
	op->task = task;
	args = (daos_obj_open_t){.coh = op->coh, .oid = op->oid, .mode = op->mode, .oh = &op->oh};
	if (rc == 0 && (op->ret_oh == NULL || !daos_is_array(op->oid)))
		rc = -DER_INVAL;
	if (rc == 0)
		rc = client_part_start(task, dc_obj_open_task, &args, sizeof(args),
				       array_obj_opened, op);
	if (rc != 0)
		array_open_end(op, rc);
	return rc;
}

static struct array_open *
array_open_alloc(tse_task_t *task)
{
	struct array_open *op = calloc(1, sizeof(*op));

	if (op == NULL)
		tse_task_complete(task, -DER_NOMEM);
	return op;
}

int
client_array_create(tse_task_t *task)
{
	daos_array_create_t *args = dc_task_get_args(task);
	struct array_open   *op = array_open_alloc(task);
	int		     rc = 0;

	if (op == NULL)
		return -DER_NOMEM;
	op->create = true;
	op->coh = args->coh;
	op->oid = args->oid;
	op->th = args->th;
	op->mode = DAOS_OO_RW;
	op->ret_oh = args->oh;
	op->cell_bytes = args->cell_size;
	op->chunk_cells = args->chunk_size;
	if (daos_obj_id2type(args->oid) != DAOS_OT_ARRAY || args->cell_size == 0 ||
	    args->chunk_size == 0)
		rc = -DER_INVAL;
	return array_open_run(task, op, rc);
}

int
client_array_open(tse_task_t *task)
{
	daos_array_open_t *args = dc_task_get_args(task);
	struct array_open *op = array_open_alloc(task);
	int		   rc = 0;

	if (op == NULL)
		return -DER_NOMEM;
	op->coh = args->coh;
	op->oid = args->oid;
	op->th = args->th;
	op->mode = args->mode;
	op->ret_oh = args->oh;
	if (args->cell_size == NULL || args->chunk_size == NULL) {
		rc = -DER_INVAL;
	} else if (args->open_with_attr) {
		op->cell_bytes = *args->cell_size;
		op->chunk_cells = *args->chunk_size;
		if (op->cell_bytes == 0 || op->chunk_cells == 0)
			rc = -DER_INVAL;
		if (daos_obj_id2type(args->oid) == DAOS_OT_ARRAY_BYTE && op->cell_bytes != 1)
			rc = -DER_INVAL;
	} else {
		op->ret_cell = args->cell_size;
		op->ret_chunk = args->chunk_size;
		if (daos_obj_id2type(args->oid) != DAOS_OT_ARRAY)
			rc = -DER_INVAL;
	}
	return array_open_run(task, op, rc);
}

/* ---- close and destroy ---- */

struct array_ref {
	tse_task_t	    *task;  /* a reference */
	struct client_array *array; /* a reference */
};

static void
array_ref_end(void *arg, int rc)
{
	struct array_ref *ref = arg;
	tse_task_t	 *task = ref->task;

	client_array_put(ref->array);
	free(ref);
	tse_task_complete(task, rc);
	tse_task_decref(task);
}

/** One object operation on the array's object, which then is the call's result. */
static int
array_obj_call(tse_task_t *task, struct client_array *array, tse_task_func_t func, const void *args,
	       size_t args_bytes)
{
	struct array_ref *ref = calloc(1, sizeof(*ref));
	int		  rc;

	if (ref == NULL) {
		client_array_put(array);
		tse_task_complete(task, -DER_NOMEM);
		return -DER_NOMEM;
	}
	tse_task_addref(task);
	*ref = (struct array_ref){.task = task, .array = array};
	rc = client_part_start(task, func, args, args_bytes, array_ref_end, ref);
	if (rc != 0)
		array_ref_end(ref, rc);
	return rc;
}

int
client_array_close(tse_task_t *task)
{
	daos_array_close_t  *args = dc_task_get_args(task);
	struct client	    *cl = dc_task2client(task);
	struct client_array *array = client_array_get(cl, args->oh);
	daos_obj_close_t     close_args;

	if (array == NULL || dc_hdl_delete(cl, args->oh, DAOS_HTYPE_ARRAY) != 0) {
		client_array_put(array);
		tse_task_complete(task, -DER_NO_HDL);
		return -DER_NO_HDL;
	}
	close_args.oh = array->oh;
	return array_obj_call(task, array, dc_obj_close_task, &close_args, sizeof(close_args));
}

int
client_array_destroy(tse_task_t *task)
{
	daos_array_destroy_t *args = dc_task_get_args(task);
	struct client_array  *array = client_array_get(dc_task2client(task), args->oh);
	daos_obj_punch_t      punch = {.th = args->th};

	if (array == NULL) {
		tse_task_complete(task, -DER_NO_HDL);
		return -DER_NO_HDL;
	}
	punch.oh = array->oh;
	return array_obj_call(task, array, dc_obj_punch_task, &punch, sizeof(punch));
}

/* ---- local calls ---- */

int
daos_array_get_attr(daos_handle_t oh, daos_size_t *chunk_size, daos_size_t *cell_size)
{
	struct client_array *array = client_array_get(client_current(), oh);

	if (array == NULL)
		return -DER_NO_HDL;
	if (chunk_size == NULL || cell_size == NULL) {
		client_array_put(array);
		return -DER_INVAL;
	}
	*chunk_size = array->chunk_cells;
	*cell_size = array->cell_bytes;
	client_array_put(array);
	return 0;
}

int
daos_array_update_chunk_size(daos_handle_t oh, daos_size_t chunk_size)
{
	struct client_array *array = client_array_get(client_current(), oh);
	int		     rc = 0;

	if (array == NULL)
		return -DER_NO_HDL;
	if (chunk_size == 0)
		rc = -DER_INVAL;
	else if (daos_obj_id2type(array->oid) == DAOS_OT_ARRAY)
		rc = -DER_NO_PERM; /* it is stored */
	else
		array->chunk_cells = chunk_size;
	client_array_put(array);
	return rc;
}

/** A handle as it travels to another process. */
struct array_global {
	uint64_t magic;
	uint64_t oid_hi, oid_lo;
	uint64_t cell_bytes, chunk_cells;
	uint32_t mode, pad;
	uuid_t	 cont;
};

static int
array_global_fill(struct client_array *array, struct array_global *glob)
{
	struct dc_cont *cont = dc_hdl2cont(array->cl, array->coh);

	if (cont == NULL)
		return -DER_NO_HDL;
	memset(glob, 0, sizeof(*glob));
	glob->magic = htole64(ARRAY_GLOBAL_MAGIC);
	glob->oid_hi = htole64(array->oid.hi);
	glob->oid_lo = htole64(array->oid.lo);
	glob->cell_bytes = htole64(array->cell_bytes);
	glob->chunk_cells = htole64(array->chunk_cells);
	glob->mode = htole32(array->mode);
	uuid_copy(glob->cont, cont->dc_uuid);
	dc_cont_put(cont);
	return 0;
}

int
daos_array_local2global(daos_handle_t oh, d_iov_t *glob)
{
	struct client_array *array;
	struct array_global  desc;
	int		     rc = 0;

	if (glob == NULL)
		return -DER_INVAL;
	array = client_array_get(client_current(), oh);
	if (array == NULL)
		return -DER_NO_HDL;
	if (glob->iov_buf == NULL) {
		glob->iov_buf_len = sizeof(desc);
	} else if (glob->iov_buf_len < sizeof(desc)) {
		glob->iov_buf_len = sizeof(desc);
		rc = -DER_TRUNC;
	} else {
		rc = array_global_fill(array, &desc);
		if (rc == 0) {
			memcpy(glob->iov_buf, &desc, sizeof(desc));
			glob->iov_len = sizeof(desc);
		}
	}
	client_array_put(array);
	return rc;
}

/** The description is of an array, in the container of @coh. */
static int
array_global_check(struct client *cl, daos_handle_t coh, const d_iov_t *glob,
		   struct array_global *desc)
{
	struct dc_cont *cont;
	int		rc = 0;

	if (cl == NULL)
		return -DER_UNINIT;
	if (glob->iov_buf == NULL || glob->iov_len != sizeof(*desc))
		return -DER_INVAL;
	memcpy(desc, glob->iov_buf, sizeof(*desc));
	cont = dc_hdl2cont(cl, coh);
	if (cont == NULL)
		return -DER_NO_HDL;
	if (le64toh(desc->magic) != ARRAY_GLOBAL_MAGIC || desc->cell_bytes == 0 ||
	    desc->chunk_cells == 0)
		rc = -DER_INVAL;
	else if (uuid_compare(desc->cont, cont->dc_uuid) != 0)
		rc = -DER_INVAL;
	dc_cont_put(cont);
	return rc;
}

int
daos_array_global2local(daos_handle_t coh, d_iov_t glob, unsigned int mode, daos_handle_t *oh)
{
	struct client	    *cl = client_current();
	struct client_array *array;
	struct array_global  desc;
	daos_obj_id_t	     oid;
	daos_handle_t	     obj;
	int		     rc;

	if (oh == NULL)
		return -DER_INVAL;
	rc = array_global_check(cl, coh, &glob, &desc);
	if (rc != 0)
		return rc;
	oid = (daos_obj_id_t){.hi = le64toh(desc.oid_hi), .lo = le64toh(desc.oid_lo)};
	mode = mode == 0 ? le32toh(desc.mode) : mode;
	rc = daos_obj_open(coh, oid, mode, &obj, NULL);
	if (rc != 0)
		return rc;
	array =
	    array_alloc(cl, coh, oid, mode, le64toh(desc.cell_bytes), le64toh(desc.chunk_cells));
	if (array == NULL) {
		(void)daos_obj_close(obj, NULL);
		return -DER_NOMEM;
	}
	array->oh = obj;
	rc = dc_hdl_insert(cl, &array->hlink, oh);
	client_array_put(array);
	if (rc != 0)
		(void)daos_obj_close(obj, NULL);
	return rc;
}

int
client_array_changed_at(daos_handle_t oh, daos_epoch_t *ret_epoch)
{
	struct client	    *cl = client_current();
	struct client_array *array = cl == NULL ? NULL : client_array_get(cl, oh);
	int		     rc;

	if (array == NULL)
		return -DER_NO_HDL;
	rc = dc_obj_changed_at(cl, array->oh, ret_epoch);
	client_array_put(array);
	return rc;
}
