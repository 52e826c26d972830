/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/**
 * Key-value stores on objects: the key is a dkey, its value the single value of akey "v".
 * A call is one object operation; what it points to lives in struct kv_call until it ends.
 */
#define D_LOGFAC LOG_FAC_KV
#include <stdlib.h>
#include "base/log.h"
#include "client/client_internal.h"
#include "object/obj_client.h"

struct client_kv {
	struct d_hlink hlink; /* type DAOS_HTYPE_KV */
	daos_handle_t  oh;    /* the object */
	daos_obj_id_t  oid;
};

static void
kv_free(struct d_hlink *hlink)
{
	free(CONTAINER_OF(hlink, struct client_kv, hlink));
}

static const struct d_hlink_ops kv_ops = {.type = DAOS_HTYPE_KV, .free = kv_free};

static struct client_kv *
kv_get(struct client *cl, daos_handle_t oh)
{
	struct d_hlink *hlink = dc_hdl_lookup(cl, oh, DAOS_HTYPE_KV);

	return hlink == NULL ? NULL : CONTAINER_OF(hlink, struct client_kv, hlink);
}

static void
kv_put(struct client_kv *kv)
{
	if (kv != NULL)
		d_hlink_putref(&kv->hlink);
}

/** A call under way. */
struct kv_call {
	tse_task_t	 *task; /* a reference */
	struct client_kv *kv;	/* a reference; NULL while opening */
	daos_kv_open_t	  open;
	daos_handle_t	  obj;
	daos_size_t	 *ret_size;
	int		  rc; /* not 0: it failed before, whatever comes last */
	daos_key_t	  dkey;
	d_iov_t		  iov;
	d_sg_list_t	  sgl;
	daos_iod_t	  iod;
};

static void
kv_call_end(void *arg, int rc)
{
	struct kv_call *call = arg;
	tse_task_t     *task = call->task;

	if (call->rc != 0)
		rc = call->rc;
	if (call->ret_size != NULL && (rc == 0 || rc == -DER_REC2BIG))
		*call->ret_size = call->iod.iod_size;
	kv_put(call->kv);
	free(call);
	tse_task_complete(task, rc);
	tse_task_decref(task);
}

/** NULL: no memory, and the task is ended. */
static struct kv_call *
kv_call_alloc(tse_task_t *task)
{
	struct kv_call *call = calloc(1, sizeof(*call));

	if (call == NULL) {
		tse_task_complete(task, -DER_NOMEM);
		return NULL;
	}
	tse_task_addref(task);
	call->task = task;
	return call;
}

static int
kv_call_run(struct kv_call *call, tse_task_func_t func, const void *args, size_t args_bytes,
	    client_part_cb_t done)
{
	int rc = client_part_start(call->task, func, args, args_bytes, done, call);

	if (rc != 0)
		kv_call_end(call, rc);
	return rc;
}

static int
kv_call_fail(struct kv_call *call, int rc)
{
	kv_call_end(call, rc);
	return rc;
}

/** The store and the key of a call. */
static int
kv_call_key(struct kv_call *call, daos_handle_t oh, const char *key)
{
	static char akey[] = "v";

	call->kv = kv_get(dc_task2client(call->task), oh);
	if (call->kv == NULL)
		return -DER_NO_HDL;
	if (key == NULL)
		return -DER_INVAL;
	/* integer keys are given by address: 8 bytes, not a string */
	d_iov_set(&call->dkey, (void *)key,
		  daos_obj_id2type(call->kv->oid) == DAOS_OT_KV_UINT64 ? sizeof(uint64_t)
								       : strlen(key));
	if (call->dkey.iov_len == 0)
		return -DER_INVAL;
	d_iov_set(&call->iod.iod_name, akey, 1);
	call->iod.iod_type = DAOS_IOD_SINGLE;
	call->iod.iod_nr = 1;
	call->sgl = (d_sg_list_t){.sg_nr = 1, .sg_iovs = &call->iov};
	return 0;
}

/* ---- open, close, destroy ---- */

static void
kv_opened(void *arg, int rc)
{
	struct kv_call	 *call = arg;
	struct client	 *cl = dc_task2client(call->task);
	struct client_kv *kv = rc == 0 ? calloc(1, sizeof(*kv)) : NULL;
	daos_obj_close_t  args = {.oh = call->obj};

	if (rc != 0) {
		kv_call_end(call, rc);
		return;
	}
	if (kv != NULL) {
		d_hlink_init(&kv->hlink, &kv_ops);
		kv->oh = call->obj;
		kv->oid = call->open.oid;
		rc = dc_hdl_insert(cl, &kv->hlink, call->open.oh);
		kv_put(kv);
		if (rc == 0) {
			kv_call_end(call, 0);
			return;
		}
	}
	call->rc = -DER_NOMEM; /* nothing else fails here */
	(void)kv_call_run(call, dc_obj_close_task, &args, sizeof(args), kv_call_end);
}

int
client_kv_open(tse_task_t *task)
{
	daos_kv_open_t *args = dc_task_get_args(task);
	struct kv_call *call = kv_call_alloc(task);
	daos_obj_open_t open;

	if (call == NULL)
		return -DER_NOMEM;
	if (args->oh == NULL || !daos_is_kv(args->oid))
		return kv_call_fail(call, -DER_INVAL);
	call->open = *args;
	open = (daos_obj_open_t){
	    .coh = args->coh, .oid = args->oid, .mode = args->mode, .oh = &call->obj};
	return kv_call_run(call, dc_obj_open_task, &open, sizeof(open), kv_opened);
}

int
client_kv_close(tse_task_t *task)
{
	daos_kv_close_t *args = dc_task_get_args(task);
	struct client	*cl = dc_task2client(task);
	struct kv_call	*call = kv_call_alloc(task);
	daos_obj_close_t close_args;

	if (call == NULL)
		return -DER_NOMEM;
	call->kv = kv_get(cl, args->oh);
	if (call->kv == NULL || dc_hdl_delete(cl, args->oh, DAOS_HTYPE_KV) != 0)
		return kv_call_fail(call, -DER_NO_HDL);
	close_args.oh = call->kv->oh;
	return kv_call_run(call, dc_obj_close_task, &close_args, sizeof(close_args), kv_call_end);
}

int
client_kv_destroy(tse_task_t *task)
{
	daos_kv_destroy_t *args = dc_task_get_args(task);
	struct kv_call	  *call = kv_call_alloc(task);
	daos_obj_punch_t   punch = {.th = args->th};

	if (call == NULL)
		return -DER_NOMEM;
	call->kv = kv_get(dc_task2client(task), args->oh);
	if (call->kv == NULL)
		return kv_call_fail(call, -DER_NO_HDL);
	punch.oh = call->kv->oh;
	return kv_call_run(call, dc_obj_punch_task, &punch, sizeof(punch), kv_call_end);
}

/* ---- values ---- */

static daos_obj_rw_t
kv_rw_args(struct kv_call *call, daos_handle_t th, uint64_t flags, bool memory)
{
	return (daos_obj_rw_t){.th = th,
			       .oh = call->kv->oh,
			       .flags = flags,
			       .dkey = &call->dkey,
			       .nr = 1,
			       .iods = &call->iod,
			       .sgls = memory ? &call->sgl : NULL};
}

int
client_kv_put(tse_task_t *task)
{
	daos_kv_put_t  *args = dc_task_get_args(task);
	struct kv_call *call = kv_call_alloc(task);
	daos_obj_rw_t	rw;
	int		rc;

	if (call == NULL)
		return -DER_NOMEM;
	rc = kv_call_key(call, args->oh, args->key);
	if (rc == 0 && (args->buf == NULL || args->buf_size == 0))
		rc = -DER_INVAL;
	if (rc != 0)
		return kv_call_fail(call, rc);
	call->iod.iod_size = args->buf_size;
	d_iov_set(&call->iov, (void *)args->buf, args->buf_size);
	rw = kv_rw_args(call, args->th, args->flags, true);
	return kv_call_run(call, dc_obj_update_task, &rw, sizeof(rw), kv_call_end);
}

int
client_kv_get(tse_task_t *task)
{
	daos_kv_get_t  *args = dc_task_get_args(task);
	struct kv_call *call = kv_call_alloc(task);
	daos_obj_rw_t	rw;
	int		rc;

	if (call == NULL)
		return -DER_NOMEM;
	rc = kv_call_key(call, args->oh, args->key);
	if (rc == 0 &&
	    (args->buf_size == NULL || (args->buf == NULL && *args->buf_size != DAOS_REC_ANY)))
		rc = -DER_INVAL;
	if (rc != 0)
		return kv_call_fail(call, rc);
	call->iod.iod_size = DAOS_REC_ANY;
	call->ret_size = args->buf_size;
	d_iov_set(&call->iov, args->buf, *args->buf_size);
	rw = kv_rw_args(call, args->th, args->flags, args->buf != NULL && *args->buf_size > 0);
	return kv_call_run(call, dc_obj_fetch_task, &rw, sizeof(rw), kv_call_end);
}

int
client_kv_remove(tse_task_t *task)
{
	daos_kv_remove_t *args = dc_task_get_args(task);
	struct kv_call	 *call = kv_call_alloc(task);
	daos_obj_punch_t  punch = {.th = args->th, .flags = args->flags, .akey_nr = 1};
	int		  rc;

	if (call == NULL)
		return -DER_NOMEM;
	rc = kv_call_key(call, args->oh, args->key);
	if (rc != 0)
		return kv_call_fail(call, rc);
	punch.oh = call->kv->oh;
	punch.dkey = &call->dkey;
	return kv_call_run(call, dc_obj_punch_dkeys_task, &punch, sizeof(punch), kv_call_end);
}

int
client_kv_list(tse_task_t *task)
{
	daos_kv_list_t *args = dc_task_get_args(task);
	struct kv_call *call = kv_call_alloc(task);
	daos_obj_list_t list;

	if (call == NULL)
		return -DER_NOMEM;
	call->kv = kv_get(dc_task2client(task), args->oh);
	if (call->kv == NULL)
		return kv_call_fail(call, -DER_NO_HDL);
	list = (daos_obj_list_t){.oh = call->kv->oh,
				 .th = args->th,
				 .nr = args->nr,
				 .kds = args->kds,
				 .sgl = args->sgl,
				 .dkey_anchor = args->anchor};
	return kv_call_run(call, client_obj_list_dkey, &list, sizeof(list), kv_call_end);
}
