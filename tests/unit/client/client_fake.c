/* SPDX-License-Identifier: BSD-2-Clause-Patent */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <cmocka.h>
#include "base/iov.h"
#include "client_fake.h"
#include "container/cont_client.h"
#include "na/na.h"
#include "object/obj_client.h"
#include "platform/platform.h"

#define VALUE_MAX 20000

/** A single value (idx 0) or a record. */
struct value {
	uint64_t obj; /* lo of its ID */
	char	 dkey[32], akey[32];
	uint32_t dkey_len, akey_len;
	bool	 single;
	uint64_t idx;
	uint32_t bytes;
	char	 data[64];
};

struct fake		     fake;
static struct value	    *values;
static int		     value_nr;
static struct {
	bool	      open;
	daos_obj_id_t oid;
} handles[64]; /* by cookie - 1 */
static struct na_self_world *world;
static struct client	    *client;
static struct dc_cont	     fake_cont;

/* ---- what the rest of libdaos links with ---- */

const struct dc_module dc_pool_module, dc_cont_module, dc_obj_module;

#define NOT_HERE(name)                                                                             \
	int name(tse_task_t *task)                                                                 \
	{                                                                                          \
		tse_task_complete(task, -DER_NOSYS);                                               \
		return -DER_NOSYS;                                                                 \
	}
NOT_HERE(dc_pool_connect)
NOT_HERE(dc_pool_disconnect)
NOT_HERE(dc_pool_query)
NOT_HERE(dc_pool_list_attr)
NOT_HERE(dc_pool_get_attr)
NOT_HERE(dc_pool_set_attr)
NOT_HERE(dc_pool_del_attr)
NOT_HERE(dc_pool_list_cont)
NOT_HERE(dc_cont_create)
NOT_HERE(dc_cont_destroy)
NOT_HERE(dc_cont_open)
NOT_HERE(dc_cont_close)
NOT_HERE(dc_cont_query)
NOT_HERE(dc_cont_set_prop)
NOT_HERE(dc_cont_alloc_oids)
NOT_HERE(dc_cont_list_attr)
NOT_HERE(dc_cont_get_attr)
NOT_HERE(dc_cont_set_attr)
NOT_HERE(dc_cont_del_attr)
NOT_HERE(dc_cont_list_snap)
NOT_HERE(dc_cont_create_snap)
NOT_HERE(dc_cont_destroy_snap)
NOT_HERE(dc_tx_open_snap)
NOT_HERE(dc_tx_close)
NOT_HERE(dc_obj_punch_akeys_task)
NOT_HERE(dc_obj_list_akey_task)
NOT_HERE(dc_obj_list_recx_task)

int
dc_obj_generate_oid(struct client *cl, daos_handle_t coh, daos_obj_id_t *oid,
		    enum daos_otype_t type, daos_oclass_id_t cid, daos_oclass_hints_t hints,
		    uint32_t args)
{
	oid->hi = (oid->hi & UINT32_MAX) | (uint64_t)type << OID_FMT_TYPE_SHIFT;
	return 0;
}

int
dc_tx_epoch(struct client *cl, daos_handle_t th, const struct dc_cont *cont, daos_epoch_t *ret_epoch)
{
	return -DER_NO_HDL;
}

struct dc_cont *
dc_hdl2cont(struct client *cl, daos_handle_t coh)
{
	return coh.cookie == 1 ? &fake_cont : NULL;
}

void
dc_cont_put(struct dc_cont *cont)
{
}

/* ---- ending an operation ---- */

struct later {
	struct dc_timer timer;
	tse_task_t     *task;
	int		rc;
};

static void
later_fire(void *arg)
{
	struct later l = *(struct later *)arg;

	free(arg);
	tse_task_complete(l.task, l.rc);
}

static int
op_end(tse_task_t *task, int rc)
{
	struct later *l;

	if (!fake.async || rand_r(&fake.seed) % 2 == 0) {
		tse_task_complete(task, rc);
		return rc;
	}
	l = calloc(1, sizeof(*l));
	assert_non_null(l);
	l->task = task;
	l->rc = rc;
	l->timer.fn = later_fire;
	l->timer.arg = l;
	dc_timer_arm(dc_task2dctx(task), &l->timer, rand_r(&fake.seed) % 100000);
	return 0;
}

static bool
op_fails(void)
{
	fake.op_nr++;
	return fake.fail_rc != 0 && --fake.fail_in == 0;
}

static daos_obj_id_t
oid_of(daos_handle_t oh)
{
	assert_in_range(oh.cookie, 1, ARRAY_NR(handles));
	return handles[oh.cookie - 1].oid;
}

/* ---- values ---- */

static bool
value_is(const struct value *v, uint64_t obj, const daos_key_t *dkey, const daos_key_t *akey)
{
	return v->obj == obj && v->dkey_len == dkey->iov_len &&
	       memcmp(v->dkey, dkey->iov_buf, v->dkey_len) == 0 &&
	       (akey == NULL ||
		(v->akey_len == akey->iov_len && memcmp(v->akey, akey->iov_buf, v->akey_len) == 0));
}

static struct value *
value_find(uint64_t obj, const daos_key_t *dkey, const daos_key_t *akey, uint64_t idx)
{
	for (int i = 0; i < value_nr; i++) {
		if (values[i].idx == idx && value_is(&values[i], obj, dkey, akey))
			return &values[i];
	}
	return NULL;
}

static void
value_drop(struct value *v)
{
	*v = values[--value_nr];
}

static void
value_set(uint64_t obj, const daos_key_t *dkey, const daos_iod_t *iod, uint64_t idx,
	  const char *data)
{
	struct value *v = value_find(obj, dkey, &iod->iod_name, idx);

	if (v == NULL) {
		assert_true(value_nr < VALUE_MAX);
		v = &values[value_nr++];
	}
	*v = (struct value){.obj = obj,
			    .dkey_len = dkey->iov_len,
			    .akey_len = iod->iod_name.iov_len,
			    .single = iod->iod_type == DAOS_IOD_SINGLE,
			    .idx = idx,
			    .bytes = iod->iod_size};
	assert_true(v->bytes <= sizeof(v->data) && v->dkey_len <= sizeof(v->dkey));
	memcpy(v->dkey, dkey->iov_buf, v->dkey_len);
	memcpy(v->akey, iod->iod_name.iov_buf, v->akey_len);
	memcpy(v->data, data, v->bytes);
}

int
fake_value_nr(void)
{
	return value_nr;
}

/* ---- object operations ---- */

int
dc_obj_open_task(tse_task_t *task)
{
	daos_obj_open_t *args = dc_task_get_args(task);

	if (op_fails())
		return op_end(task, fake.fail_rc);
	for (uint64_t i = 0; i < ARRAY_NR(handles); i++) {
		if (!handles[i].open) {
			handles[i].open = true;
			handles[i].oid = args->oid;
			fake.open_nr++;
			args->oh->cookie = i + 1;
			return op_end(task, 0);
		}
	}
	return op_end(task, -DER_NOMEM);
}

int
dc_obj_close_task(tse_task_t *task)
{
	daos_obj_close_t *args = dc_task_get_args(task);

	assert_in_range(args->oh.cookie, 1, ARRAY_NR(handles));
	assert_true(handles[args->oh.cookie - 1].open);
	handles[args->oh.cookie - 1].open = false;
	fake.open_nr--;
	return op_end(task, 0);
}

static int
update_iod(uint64_t obj, daos_obj_rw_t *args)
{
	daos_iod_t	*iod = args->iods;
	struct d_sgl_pos pos = {0};
	char		 data[64];
	struct value	*v;

	if (iod->iod_type == DAOS_IOD_SINGLE) {
		if ((args->flags & DAOS_COND_AKEY_INSERT) &&
		    value_find(obj, args->dkey, &iod->iod_name, 0))
			return -DER_EXIST;
		if ((args->flags & DAOS_COND_DKEY_INSERT) && value_find(obj, args->dkey, NULL, 0))
			return -DER_EXIST;
		assert_int_equal(d_sgl_copy_out(args->sgls, &pos, data, iod->iod_size), 0);
		value_set(obj, args->dkey, iod, 0, data);
		return 0;
	}
	for (uint32_t r = 0; r < iod->iod_nr; r++) {
		for (uint64_t i = 0; i < iod->iod_recxs[r].rx_nr; i++) {
			uint64_t idx = iod->iod_recxs[r].rx_idx + i;

			if (iod->iod_size > 0) {
				assert_int_equal(
				    d_sgl_copy_out(args->sgls, &pos, data, iod->iod_size), 0);
				value_set(obj, args->dkey, iod, idx, data);
			} else {
				v = value_find(obj, args->dkey, &iod->iod_name, idx);
				if (v != NULL)
					value_drop(v);
			}
		}
	}
	return 0;
}

int
dc_obj_update_task(tse_task_t *task)
{
	daos_obj_rw_t *args = dc_task_get_args(task);

	assert_int_equal(args->nr, 1);
	if (op_fails())
		return op_end(task, fake.fail_rc);
	return op_end(task, update_iod(oid_of(args->oh).lo, args));
}

static void
iom_add(daos_iom_t *iom, uint64_t idx)
{
	daos_recx_t *last = iom->iom_nr_out == 0 || iom->iom_nr_out > iom->iom_nr
				? NULL
				: &iom->iom_recxs[iom->iom_nr_out - 1];

	if (last != NULL && last->rx_idx + last->rx_nr == idx &&
	    (fake.iom_room == 0 || last->rx_nr < fake.iom_room)) {
		last->rx_nr++;
		return;
	}
	if (iom->iom_nr_out < iom->iom_nr)
		iom->iom_recxs[iom->iom_nr_out] = (daos_recx_t){.rx_idx = idx, .rx_nr = 1};
	iom->iom_nr_out++;
}

static void
sgl_skip(const d_sg_list_t *sgl, struct d_sgl_pos *pos, uint32_t bytes)
{
	char scratch[64];

	assert_int_equal(d_sgl_copy_out(sgl, pos, scratch, bytes), 0);
}

static void
fetch_records(uint64_t obj, daos_obj_rw_t *args)
{
	daos_iod_t	*iod = args->iods;
	struct d_sgl_pos pos = {0};
	uint32_t	 bytes = iod->iod_size;
	uint32_t	 found = 0;

	if (args->ioms != NULL)
		args->ioms->iom_nr_out = 0;
	for (uint32_t r = 0; r < iod->iod_nr; r++) {
		for (uint64_t i = 0; i < iod->iod_recxs[r].rx_nr; i++) {
			uint64_t      idx = iod->iod_recxs[r].rx_idx + i;
			struct value *v = value_find(obj, args->dkey, &iod->iod_name, idx);

			if (v != NULL)
				found = v->bytes;
			if (v != NULL && args->ioms != NULL)
				iom_add(args->ioms, idx);
			if (args->sgls != NULL && v != NULL)
				assert_int_equal(d_sgl_copy_in(args->sgls, &pos, v->data, bytes),
						 0);
			else if (args->sgls != NULL)
				sgl_skip(args->sgls, &pos, bytes);
		}
	}
	iod->iod_size = found;
}

static int
fetch_single(uint64_t obj, daos_obj_rw_t *args)
{
	struct value	*v = value_find(obj, args->dkey, &args->iods->iod_name, 0);
	struct d_sgl_pos pos = {0};

	if (v == NULL && (args->flags & DAOS_COND_DKEY_FETCH))
		return -DER_NONEXIST;
	args->iods->iod_size = v == NULL ? 0 : v->bytes;
	if (v == NULL || args->sgls == NULL)
		return 0;
	return d_sgl_copy_in(args->sgls, &pos, v->data, v->bytes) == 0 ? 0 : -DER_REC2BIG;
}

int
dc_obj_fetch_task(tse_task_t *task)
{
	daos_obj_rw_t *args = dc_task_get_args(task);
	int	       rc = 0;

	if (op_fails())
		return op_end(task, fake.fail_rc);
	if (args->iods->iod_type == DAOS_IOD_SINGLE)
		rc = fetch_single(oid_of(args->oh).lo, args);
	else
		fetch_records(oid_of(args->oh).lo, args);
	return op_end(task, rc);
}

int
dc_obj_punch_task(tse_task_t *task)
{
	daos_obj_punch_t *args = dc_task_get_args(task);

	if (op_fails())
		return op_end(task, fake.fail_rc);
	for (int i = value_nr - 1; i >= 0; i--) {
		if (values[i].obj == oid_of(args->oh).lo)
			value_drop(&values[i]);
	}
	return op_end(task, 0);
}

int
dc_obj_punch_dkeys_task(tse_task_t *task)
{
	daos_obj_punch_t *args = dc_task_get_args(task);
	int		  found = 0;

	if (op_fails())
		return op_end(task, fake.fail_rc);
	for (int i = value_nr - 1; i >= 0; i--) {
		for (uint32_t k = 0; k < args->akey_nr; k++) {
			if (value_is(&values[i], oid_of(args->oh).lo, &args->dkey[k], NULL)) {
				value_drop(&values[i]);
				found++;
				break;
			}
		}
	}
	return op_end(task, found == 0 && (args->flags & DAOS_COND_PUNCH) ? -DER_NONEXIST : 0);
}

/** dkeys in the order of their first value; the anchor holds how many were listed. */
int
dc_obj_list_dkey_task(tse_task_t *task)
{
	daos_obj_list_t *args = dc_task_get_args(task);
	uint64_t	 obj = oid_of(args->oh).lo;
	uint32_t	 skip, seen = 0, nr = 0;
	struct d_sgl_pos pos = {0};

	if (op_fails())
		return op_end(task, fake.fail_rc);
	memcpy(&skip, args->anchor->da_buf, sizeof(skip));
	for (int i = 0; i < value_nr && nr < *args->nr; i++) {
		daos_key_t dkey;
		int	   j;

		if (values[i].obj != obj)
			continue;
		d_iov_set(&dkey, values[i].dkey, values[i].dkey_len);
		for (j = 0; j < i && !value_is(&values[j], obj, &dkey, NULL); j++)
			;
		if (j < i || seen++ < skip)
			continue;
		args->kds[nr++].kd_key_len = dkey.iov_len;
		assert_int_equal(d_sgl_copy_in(args->sgl, &pos, dkey.iov_buf, dkey.iov_len), 0);
	}
	/* dkeys punched between two batches move the others forward: list from the start then */
	skip = 0;
	memcpy(args->anchor->da_buf, &skip, sizeof(skip));
	if (nr < *args->nr)
		args->anchor->da_type = DAOS_ANCHOR_TYPE_EOF;
	*args->nr = nr;
	return op_end(task, 0);
}

int
dc_obj_query_key_task(tse_task_t *task)
{
	daos_obj_query_key_t *args = dc_task_get_args(task);
	uint64_t	      obj = oid_of(args->oh).lo, best = 0, dkey;
	bool		      any = false;

	if (op_fails())
		return op_end(task, fake.fail_rc);
	if (args->max_epoch != NULL)
		*args->max_epoch = 99;
	if (args->flags == 0)
		return op_end(task, 0);
	assert_int_equal(args->flags, DAOS_GET_MAX | DAOS_GET_DKEY | DAOS_GET_RECX);
	for (int i = 0; i < value_nr; i++) {
		struct value *v = &values[i];

		if (v->obj != obj || v->single)
			continue;
		memcpy(&dkey, v->dkey, sizeof(dkey));
		if (!any || dkey > best || (dkey == best && v->idx >= args->recx->rx_idx)) {
			best = dkey;
			*args->recx = (daos_recx_t){.rx_idx = v->idx, .rx_nr = 1};
		}
		any = true;
	}
	if (any)
		memcpy(args->dkey->iov_buf, &best, sizeof(best));
	return op_end(task, any ? 0 : -DER_NONEXIST);
}

int
dc_obj_changed_at(struct client *cl, daos_handle_t oh, daos_epoch_t *ret_epoch)
{
	(void)cl;
	(void)oh;
	*ret_epoch = 98;
	return 0;
}

void
fake_start(void)
{
	struct client_attr attr = {.provider = "self"};

	memset(&fake, 0, sizeof(fake));
	memset(handles, 0, sizeof(handles));
	fake.seed = 1;
	value_nr = 0;
	values = calloc(VALUE_MAX, sizeof(*values));
	assert_non_null(values);
	plat_uuid_generate(fake_cont.dc_uuid);
	assert_int_equal(na_self_world_create(&world), 0);
	attr.world = world;
	assert_int_equal(client_create(&attr, &client), 0);
	client_set_current(client);
}

void
fake_stop(void)
{
	client_set_current(NULL);
	client_destroy(client);
	na_self_world_destroy(world);
	free(values);
}
