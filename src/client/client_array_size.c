/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/**
 * The size of an array: finding it, with or without the newest epoch, and setting it.
 *
 * Setting it to n runs:
 *   1. list the dkeys, in batches; punch those of chunks that begin at n or beyond;
 *   2. if the chunk that holds cell n - 1 exists, punch its records from n on;
 *   3. if cell n - 1 does not exist now, write it as zeroes: the array ends there.
 * An array that keeps no attributes is set to 0 by punching the object.
 * Not atomic: a concurrent writer may win or lose.
 */
#define D_LOGFAC LOG_FAC_ARRAY
#include <stdlib.h>
#include "base/log.h"
#include "client/client_array.h"
#include "object/obj_client.h"

/* ---- finding it ---- */

struct size_find {
	uint64_t	 chunk_cells;
	uint64_t	*ret_size;
	client_part_cb_t done;
	void		*arg;
	uint64_t	 dkey;
	d_iov_t		 dkey_iov, akey_iov;
	daos_recx_t	 recx;
};

static void
size_found(void *arg, int rc)
{
	struct size_find find = *(struct size_find *)arg;

	free(arg);
	if (rc == -DER_NONEXIST ||
	    (rc == 0 && (find.dkey == ARRAY_DKEY_ATTR || find.recx.rx_nr == 0))) {
		*find.ret_size = 0;
		rc = 0;
	} else if (rc == 0) {
		*find.ret_size =
		    (find.dkey - 1) * find.chunk_cells + find.recx.rx_idx + find.recx.rx_nr;
	}
	find.done(find.arg, rc);
}

int
client_array_size_find(tse_task_t *parent, struct client_array *array, daos_handle_t th,
		       uint64_t *ret_size, daos_epoch_t *ret_epoch, client_part_cb_t done, void *arg)
{
	struct size_find    *find = calloc(1, sizeof(*find));
	daos_obj_query_key_t args;
	int		     rc;

	if (find == NULL)
		return -DER_NOMEM;
	find->chunk_cells = array->chunk_cells;
	find->ret_size = ret_size;
	find->done = done;
	find->arg = arg;
	d_iov_set(&find->dkey_iov, &find->dkey, sizeof(find->dkey));
	client_array_akey(&find->akey_iov);
	args = (daos_obj_query_key_t){.oh = array->oh,
				      .th = th,
				      .dkey = &find->dkey_iov,
				      .akey = &find->akey_iov,
				      .recx = &find->recx,
				      .max_epoch = ret_epoch,
				      .flags = DAOS_GET_MAX | DAOS_GET_DKEY | DAOS_GET_RECX};
	rc =
	    client_part_start(parent, dc_obj_query_key_task, &args, sizeof(args), size_found, find);
	if (rc != 0)
		free(find);
	return rc;
}

/* ---- get_size and stat ---- */

struct size_get {
	tse_task_t	    *task;  /* a reference */
	struct client_array *array; /* a reference */
	uint64_t	     size;
	daos_epoch_t	     epoch;
	daos_size_t	    *ret_size;
	daos_array_stbuf_t  *ret_stat; /* NULL: the size alone */
};

static void
size_get_end(void *arg, int rc)
{
	struct size_get *get = arg;
	tse_task_t	*task = get->task;

	if (rc == 0 && get->ret_size != NULL)
		*get->ret_size = get->size;
	if (rc == 0 && get->ret_stat != NULL)
		*get->ret_stat =
		    (daos_array_stbuf_t){.st_size = get->size, .st_max_epoch = get->epoch};
	client_array_put(get->array);
	free(get);
	tse_task_complete(task, rc);
	tse_task_decref(task);
}

static int
size_get_run(tse_task_t *task, daos_handle_t oh, daos_handle_t th, daos_size_t *ret_size,
	     daos_array_stbuf_t *ret_stat)
{
	struct size_get *get = calloc(1, sizeof(*get));
	int		 rc;

	if (get == NULL) {
		tse_task_complete(task, -DER_NOMEM);
		return -DER_NOMEM;
	}
	tse_task_addref(task);
	get->task = task;
	get->ret_size = ret_size;
	get->ret_stat = ret_stat;
	get->array = client_array_get(dc_task2client(task), oh);
	if (get->array == NULL)
		rc = -DER_NO_HDL;
	else if (ret_size == NULL && ret_stat == NULL)
		rc = -DER_INVAL;
	else
		rc = client_array_size_find(task, get->array, th, &get->size, &get->epoch, size_get_end, get);
	if (rc != 0)
		size_get_end(get, rc);
	return rc;
}

int
client_array_get_size(tse_task_t *task)
{
	daos_array_get_size_t *args = dc_task_get_args(task);

	return size_get_run(task, args->oh, args->th, args->size, NULL);
}

int
client_array_stat(tse_task_t *task)
{
	daos_array_stat_t *args = dc_task_get_args(task);

	return size_get_run(task, args->oh, args->th, NULL, args->stbuf);
}

/* ---- set_size ---- */

#define SIZE_SET_BATCH 64

struct size_set {
	tse_task_t	    *task;  /* a reference */
	struct client_array *array; /* a reference */
	daos_handle_t	     th;
	uint64_t	     size;
	uint64_t	     chunk_cells;
	uint64_t	     last_dkey;	  /* of cell size - 1; 0 when size is 0 */
	bool		     last_exists; /* that chunk has records */
	daos_anchor_t	     anchor;
	uint32_t	     nr;
	daos_key_desc_t	     kds[SIZE_SET_BATCH];
	uint64_t	     keys[SIZE_SET_BATCH];
	uint64_t	     punch_dkeys[SIZE_SET_BATCH];
	daos_key_t	     punch_iovs[SIZE_SET_BATCH];
	uint64_t	     dkey;
	d_iov_t		     dkey_iov, iov;
	d_sg_list_t	     sgl;
	daos_iod_t	     iod;
	daos_recx_t	     recx;
	void		    *zeroes; /* one cell */
};

static void
size_set_end(void *arg, int rc)
{
	struct size_set *set = arg;
	tse_task_t	*task = set->task;

	client_array_put(set->array);
	free(set->zeroes);
	free(set);
	tse_task_complete(task, rc);
	tse_task_decref(task);
}

/** An operation on records of the last chunk. */
static int
size_set_rw(struct size_set *set, tse_task_func_t func, uint64_t cell_bytes, bool memory,
	    client_part_cb_t done)
{
	daos_obj_rw_t args = {.th = set->th,
			      .oh = set->array->oh,
			      .dkey = &set->dkey_iov,
			      .nr = 1,
			      .iods = &set->iod,
			      .sgls = memory ? &set->sgl : NULL};

	set->dkey = set->last_dkey;
	d_iov_set(&set->dkey_iov, &set->dkey, sizeof(set->dkey));
	client_array_akey(&set->iod.iod_name);
	set->iod.iod_type = DAOS_IOD_ARRAY;
	set->iod.iod_size = cell_bytes;
	set->iod.iod_nr = 1;
	set->iod.iod_recxs = &set->recx;
	return client_part_start(set->task, func, &args, sizeof(args), done, set);
}

static int
size_set_write_last(struct size_set *set)
{
	uint64_t bytes = set->array->cell_bytes;

	if (set->zeroes == NULL) /* else it was read, and was not there: still zeroes */
		set->zeroes = calloc(1, bytes);
	if (set->zeroes == NULL)
		return -DER_NOMEM;
	d_iov_set(&set->iov, set->zeroes, bytes);
	set->sgl = (d_sg_list_t){.sg_nr = 1, .sg_iovs = &set->iov};
	return size_set_rw(set, dc_obj_update_task, bytes, true, size_set_end);
}

static void
size_set_last_seen(void *arg, int rc)
{
	struct size_set *set = arg;

	if (rc == 0 && set->iod.iod_size == 0)
		rc = size_set_write_last(set);
	else if (rc == 0) {
		size_set_end(set, 0);
		return;
	}
	if (rc != 0)
		size_set_end(set, rc);
}

/** Read the last cell: sizes alone are answered for the chunk, whatever part of it is asked for. */
static int
size_set_look_last(struct size_set *set)
{
	uint64_t bytes = set->array->cell_bytes;

	set->zeroes = calloc(1, bytes);
	if (set->zeroes == NULL)
		return -DER_NOMEM;
	d_iov_set(&set->iov, set->zeroes, bytes);
	set->sgl = (d_sg_list_t){.sg_nr = 1, .sg_iovs = &set->iov};
	return size_set_rw(set, dc_obj_fetch_task, DAOS_REC_ANY, true, size_set_last_seen);
}

/** Step 3 */
static void
size_set_fix_end(void *arg, int rc)
{
	struct size_set *set = arg;

	if (rc == 0 && set->size == 0) {
		size_set_end(set, 0);
		return;
	}
	set->recx = (daos_recx_t){.rx_idx = (set->size - 1) % set->chunk_cells, .rx_nr = 1};
	if (rc == 0 && set->last_exists)
		rc = size_set_look_last(set);
	else if (rc == 0)
		rc = size_set_write_last(set);
	if (rc != 0)
		size_set_end(set, rc);
}

/** Step 2 */
static void
size_set_cut_last(struct size_set *set)
{
	uint64_t keep = set->size == 0 ? 0 : (set->size - 1) % set->chunk_cells + 1;
	int	 rc;

	if (!set->last_exists || keep == set->chunk_cells) {
		size_set_fix_end(set, 0);
		return;
	}
	set->recx = (daos_recx_t){.rx_idx = keep, .rx_nr = set->chunk_cells - keep};
	rc = size_set_rw(set, dc_obj_update_task, 0, false, size_set_fix_end);
	if (rc != 0)
		size_set_end(set, rc);
}

static void size_set_list(void *arg, int rc);

/** Step 1, with a batch of dkeys. */
static void
size_set_listed(void *arg, int rc)
{
	struct size_set *set = arg;
	daos_obj_punch_t args = {.th = set->th, .oh = set->array->oh, .dkey = set->punch_iovs};

	for (uint32_t i = 0; rc == 0 && i < set->nr; i++) {
		if (set->kds[i].kd_key_len != sizeof(uint64_t)) {
			rc = -DER_DF_INVAL; /* integer keys have one length */
			break;
		}
		if (set->keys[i] == set->last_dkey)
			set->last_exists = set->size > 0;
		if (set->keys[i] <= set->last_dkey)
			continue;
		set->punch_dkeys[args.akey_nr] = set->keys[i];
		d_iov_set(&set->punch_iovs[args.akey_nr], &set->punch_dkeys[args.akey_nr],
			  sizeof(uint64_t));
		args.akey_nr++;
	}
	if (rc == 0 && args.akey_nr > 0)
		rc = client_part_start(set->task, dc_obj_punch_dkeys_task, &args, sizeof(args),
				       size_set_list, set);
	else if (rc == 0) {
		size_set_list(set, 0);
		return;
	}
	if (rc != 0)
		size_set_end(set, rc);
}

/** Step 1, the next batch. */
static void
size_set_list(void *arg, int rc)
{
	struct size_set *set = arg;
	daos_obj_list_t	 args = {.oh = set->array->oh,
				 .th = set->th,
				 .nr = &set->nr,
				 .kds = set->kds,
				 .sgl = &set->sgl,
				 .dkey_anchor = &set->anchor};

	if (rc == 0 && daos_anchor_is_eof(&set->anchor)) {
		size_set_cut_last(set);
		return;
	}
	set->nr = SIZE_SET_BATCH;
	d_iov_set(&set->iov, set->keys, sizeof(set->keys));
	set->sgl = (d_sg_list_t){.sg_nr = 1, .sg_iovs = &set->iov};
	if (rc == 0)
		rc = client_part_start(set->task, client_obj_list_dkey, &args, sizeof(args),
				       size_set_listed, set);
	if (rc != 0)
		size_set_end(set, rc);
}

static int
size_set_start(struct size_set *set)
{
	daos_obj_punch_t args = {.th = set->th, .oh = set->array->oh};

	set->chunk_cells = set->array->chunk_cells;
	if (set->size == 0 && daos_obj_id2type(set->array->oid) != DAOS_OT_ARRAY)
		return client_part_start(set->task, dc_obj_punch_task, &args, sizeof(args),
					 size_set_end, set);
	set->last_dkey = set->size == 0 ? 0 : (set->size - 1) / set->chunk_cells + 1;
	size_set_list(set, 0);
	return 0;
}

int
client_array_set_size(tse_task_t *task)
{
	daos_array_set_size_t *args = dc_task_get_args(task);
	struct size_set	      *set = calloc(1, sizeof(*set));
	int		       rc;

	if (set == NULL) {
		tse_task_complete(task, -DER_NOMEM);
		return -DER_NOMEM;
	}
	tse_task_addref(task);
	set->task = task;
	set->th = args->th;
	set->size = args->size;
	set->array = client_array_get(dc_task2client(task), args->oh);
	rc = set->array == NULL ? -DER_NO_HDL : size_set_start(set);
	if (rc != 0)
		size_set_end(set, rc);
	return rc;
}
