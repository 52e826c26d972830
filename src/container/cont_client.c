/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/**
 * Containers on the client: create, destroy, open, close, the list. UUIDs of containers and handles
 * are made here. Requests may be repeated: dc_svc_call() names them.
 */
#define D_LOGFAC LOG_FAC_CONTAINER
#include <stdlib.h>
#include <daos_errno.h>
#include "base/log.h"
#include "base/prop_table.h"
#include "container/cont_client_int.h"
#include "platform/platform.h"

/* ---- handles ---- */

static void
cont_free(struct d_hlink *hlink)
{
	struct dc_cont *cont = CONTAINER_OF(hlink, struct dc_cont, dc_hlink);

	dc_pool_put(cont->dc_pool);
	free(cont);
}

static const struct d_hlink_ops cont_hlink_ops = {.type = DAOS_HTYPE_CO, .free = cont_free};

struct dc_cont *
dc_hdl2cont(struct client *cl, daos_handle_t coh)
{
	struct d_hlink *hlink = dc_hdl_lookup(cl, coh, DAOS_HTYPE_CO);

	return hlink == NULL ? NULL : CONTAINER_OF(hlink, struct dc_cont, dc_hlink);
}

void
dc_cont_addref(struct dc_cont *cont)
{
	d_hlink_addref(&cont->dc_hlink);
}

void
dc_cont_put(struct dc_cont *cont)
{
	d_hlink_putref(&cont->dc_hlink);
}

/* ---- requests ---- */

_Static_assert(offsetof(struct cont_close_in, cont) == offsetof(struct cont_in_head, cont) &&
		   offsetof(struct cont_query_in, cont_hdl) == offsetof(struct cont_in_head, cont_hdl) &&
		   offsetof(struct cont_prop_set_in, cont_hdl) == offsetof(struct cont_in_head, cont_hdl) &&
		   offsetof(struct cont_attr_op_in, cont_hdl) == offsetof(struct cont_in_head, cont_hdl) &&
		   offsetof(struct cont_alloc_oids_in, cont_hdl) == offsetof(struct cont_in_head, cont_hdl) &&
		   offsetof(struct cont_snap_op_in, cont_hdl) == offsetof(struct cont_in_head, cont_hdl),
	       "cont_head()");

void
cont_head_pool(struct pool_in_head *in, const struct dc_pool *pool)
{
	uuid_copy(in->pool.b, pool->dp_uuid);
	uuid_copy(in->hdl.b, pool->dp_hdl);
}

void
cont_head(void *vin, const struct dc_cont *cont)
{
	struct cont_in_head *in = vin;

	cont_head_pool(&in->pool, cont->dc_pool);
	uuid_copy(in->cont.b, cont->dc_uuid);
	uuid_copy(in->cont_hdl.b, cont->dc_hdl);
}

int
cont_name_check(const char *name)
{
	if (name == NULL)
		return -DER_INVAL;
	return daos_label_is_valid(name) || (daos_is_valid_uuid_string(name, UUID_SST_NONE) && name[36] == '\0')
		   ? 0 : -DER_INVAL;
}

void
cont_name_fill(const char *name, char **ret_label, uuid_t uuid)
{
	if (uuid_parse(name, uuid) != 0)
		*ret_label = (char *)name;
}

int
cont_task_fail(tse_task_t *task, int rc)
{
	tse_task_complete(task, rc);
	return rc;
}

/* ---- create ---- */

struct create {
	struct dc_pool *pool;
	uuid_t          uuid;
	d_iov_t         props;
};

static int
create_fill(tse_task_t *task, crt_rpc_t *rpc, void *arg)
{
	struct cont_create_in *in = rpc->cr_input;
	struct create         *create = arg;

	cont_head_pool(rpc->cr_input, create->pool);
	uuid_copy(in->cont.b, create->uuid);
	in->props = create->props;
	return 0;
}

static void
create_free(struct create *create)
{
	dc_pool_put(create->pool);
	free(create->props.iov_buf);
	free(create);
}

static int
create_done(tse_task_t *task, crt_rpc_t *rpc, int rc, void *arg)
{
	const daos_cont_create_t *args = dc_task_get_args(task);
	struct create            *create = arg;

	if (rc == 0 && args->cuuid != NULL)
		uuid_copy(*args->cuuid, create->uuid);
	create_free(create);
	return rc;
}

int
dc_cont_create(tse_task_t *task)
{
	const daos_cont_create_t *args = dc_task_get_args(task);
	struct dc_pool           *pool = dc_hdl2pool(dc_task2client(task), args->poh);
	struct create            *create = pool == NULL ? NULL : calloc(1, sizeof(*create));
	struct dc_svc_call        call = {.opc = CONT_OPC(CONT_CREATE),
					  .fill = create_fill,
					  .result = dc_pool_rpc_result,
					  .done = create_done,
					  .arg = create};
	int                       rc;

	if (pool == NULL)
		return cont_task_fail(task, -DER_NO_HDL);
	if (create == NULL) {
		dc_pool_put(pool);
		return cont_task_fail(task, -DER_NOMEM);
	}
	create->pool = pool;
	plat_uuid_generate(create->uuid);
	rc = prop_list_check(PROP_CONT, args->prop, PROP_SERVICE);
	if (rc == -DER_NO_PERM)
		rc = -DER_INVAL;
	if (rc == 0)
		rc = prop_list_encode(args->prop, &create->props);
	if (rc != 0) {
		create_free(create);
		return cont_task_fail(task, rc);
	}
	call.svc = &pool->dp_svc;
	return dc_svc_call(task, &call);
}

/* ---- destroy ---- */

static int
destroy_fill(tse_task_t *task, crt_rpc_t *rpc, void *arg)
{
	const daos_cont_destroy_t *args = dc_task_get_args(task);
	struct cont_destroy_in    *in = rpc->cr_input;

	cont_head_pool(rpc->cr_input, arg);
	cont_name_fill(args->cont, &in->label, in->cont.b);
	in->force = args->force != 0;
	return 0;
}

static int
destroy_done(tse_task_t *task, crt_rpc_t *rpc, int rc, void *arg)
{
	dc_pool_put(arg);
	return rc;
}

int
dc_cont_destroy(tse_task_t *task)
{
	const daos_cont_destroy_t *args = dc_task_get_args(task);
	int                        rc = cont_name_check(args->cont);
	struct dc_pool            *pool = rc != 0 ? NULL : dc_hdl2pool(dc_task2client(task), args->poh);
	struct dc_svc_call         call = {.opc = CONT_OPC(CONT_DESTROY),
					   .fill = destroy_fill,
					   .result = dc_pool_rpc_result,
					   .done = destroy_done,
					   .arg = pool};

	if (pool == NULL)
		return cont_task_fail(task, rc != 0 ? rc : -DER_NO_HDL);
	call.svc = &pool->dp_svc;
	return dc_svc_call(task, &call);
}

/* ---- open ---- */

static void
props_take(const daos_prop_t *prop, struct dc_cont_props *p)
{
	p->layout_type = prop_list_num(prop, DAOS_PROP_CO_LAYOUT_TYPE, 0);
	p->csum = prop_list_num(prop, DAOS_PROP_CO_CSUM, DAOS_PROP_CO_CSUM_OFF);
	p->csum_chunk_bytes = prop_list_num(prop, DAOS_PROP_CO_CSUM_CHUNK_SIZE, 32768);
	p->csum_srv_verify = prop_list_num(prop, DAOS_PROP_CO_CSUM_SERVER_VERIFY, 0);
	p->redun_fac = prop_list_num(prop, DAOS_PROP_CO_REDUN_FAC, 0);
	p->redun_lvl = prop_list_num(prop, DAOS_PROP_CO_REDUN_LVL, DAOS_PROP_CO_REDUN_DEFAULT);
	p->ec_cell_bytes = prop_list_num(prop, DAOS_PROP_CO_EC_CELL_SZ, 0);
	p->ec_pda = prop_list_num(prop, DAOS_PROP_CO_EC_PDA, 0);
	p->rp_pda = prop_list_num(prop, DAOS_PROP_CO_RP_PDA, 0);
	p->obj_version = prop_list_num(prop, DAOS_PROP_CO_OBJ_VERSION, 0);
	p->global_version = prop_list_num(prop, DAOS_PROP_CO_GLOBAL_VERSION, 0);
	p->perf_domain = prop_list_num(prop, DAOS_PROP_CO_PERF_DOMAIN, 0);
	p->dedup = prop_list_num(prop, DAOS_PROP_CO_DEDUP, 0);
	p->dedup_threshold_bytes = prop_list_num(prop, DAOS_PROP_CO_DEDUP_THRESHOLD, 0);
	p->status = prop_list_num(prop, DAOS_PROP_CO_STATUS, 0);
}

static int
open_fill(tse_task_t *task, crt_rpc_t *rpc, void *arg)
{
	const daos_cont_open_t *args = dc_task_get_args(task);
	struct cont_open_in    *in = rpc->cr_input;
	struct dc_cont         *cont = arg;

	cont_head_pool(rpc->cr_input, cont->dc_pool);
	cont_name_fill(args->cont, &in->label, in->cont.b);
	uuid_copy(in->cont_hdl.b, cont->dc_hdl);
	in->flags = args->flags;
	return 0;
}

static int
open_take(struct dc_cont *cont, const struct cont_open_out *out, daos_handle_t *ret_coh)
{
	daos_prop_t *prop;
	int          rc = prop_list_decode(out->props.iov_buf, out->props.iov_len, &prop);

	if (rc != 0)
		return rc;
	props_take(prop, &cont->dc_props);
	daos_prop_free(prop);
	uuid_copy(cont->dc_uuid, out->cont.b);
	cont->dc_capas = out->capas;
	return dc_hdl_insert(cont->dc_pool->dp_client, &cont->dc_hlink, ret_coh);
}

static int
open_done(tse_task_t *task, crt_rpc_t *rpc, int rc, void *arg)
{
	const daos_cont_open_t *args = dc_task_get_args(task);
	struct dc_cont         *cont = arg;
	daos_handle_t           coh;

	if (rc == 0)
		rc = open_take(cont, rpc->cr_output, &coh);
	if (rc == 0) {
		if (args->info != NULL)
			*args->info = ((struct cont_open_out *)rpc->cr_output)->info;
		*args->coh = coh;
	} else {
		pthread_mutex_lock(&cont->dc_pool->dp_lock);
		cont->dc_pool->dp_cont_nr--;
		pthread_mutex_unlock(&cont->dc_pool->dp_lock);
	}
	dc_cont_put(cont);
	return rc;
}

/** Counted in its pool from here to the end of the open or of the close. */
static int
cont_make(struct client *cl, const daos_cont_open_t *args, struct dc_cont **ret_cont)
{
	struct dc_pool *pool = dc_hdl2pool(cl, args->poh);
	struct dc_cont *cont;
	int             rc = 0;

	if (pool == NULL)
		return -DER_NO_HDL;
	cont = calloc(1, sizeof(*cont));
	pthread_mutex_lock(&pool->dp_lock);
	if (cont == NULL)
		rc = -DER_NOMEM;
	else if (pool->dp_closing)
		rc = -DER_NO_HDL;
	else
		pool->dp_cont_nr++;
	pthread_mutex_unlock(&pool->dp_lock);
	if (rc != 0) {
		free(cont);
		dc_pool_put(pool);
		return rc;
	}
	d_hlink_init(&cont->dc_hlink, &cont_hlink_ops);
	cont->dc_pool = pool;
	cont->dc_flags = args->flags;
	plat_uuid_generate(cont->dc_hdl);
	*ret_cont = cont;
	return 0;
}

int
dc_cont_open(tse_task_t *task)
{
	const daos_cont_open_t *args = dc_task_get_args(task);
	struct dc_svc_call      call = {.opc = CONT_OPC(CONT_OPEN),
					.fill = open_fill,
					.result = dc_pool_rpc_result,
					.done = open_done};
	struct dc_cont         *cont;
	int                     rc = args->coh == NULL ? -DER_INVAL : cont_name_check(args->cont);

	if (rc == 0)
		rc = cont_make(dc_task2client(task), args, &cont);
	if (rc != 0)
		return cont_task_fail(task, rc);
	call.svc = &cont->dc_pool->dp_svc;
	call.arg = cont;
	return dc_svc_call(task, &call);
}

/* ---- close ---- */

static int
close_fill(tse_task_t *task, crt_rpc_t *rpc, void *arg)
{
	cont_head(rpc->cr_input, arg);
	return 0;
}

static int
close_done(tse_task_t *task, crt_rpc_t *rpc, int rc, void *arg)
{
	const daos_cont_close_t *args = dc_task_get_args(task);
	struct dc_cont          *cont = arg;

	if (rc == -DER_NONEXIST) /* destroyed by force, or its pool was: the handle went with it */
		rc = 0;
	if (rc == 0)
		rc = dc_hdl_delete(cont->dc_pool->dp_client, args->coh, DAOS_HTYPE_CO);
	if (rc == 0) {
		pthread_mutex_lock(&cont->dc_pool->dp_lock);
		cont->dc_pool->dp_cont_nr--;
		pthread_mutex_unlock(&cont->dc_pool->dp_lock);
	}
	dc_cont_put(cont);
	return rc;
}

int
dc_cont_close(tse_task_t *task)
{
	const daos_cont_close_t *args = dc_task_get_args(task);
	struct dc_cont          *cont = dc_hdl2cont(dc_task2client(task), args->coh);
	struct dc_svc_call       call = {.opc = CONT_OPC(CONT_CLOSE),
					 .fill = close_fill,
					 .result = dc_pool_rpc_result,
					 .done = close_done,
					 .arg = cont};

	if (cont == NULL)
		return cont_task_fail(task, -DER_NO_HDL);
	call.svc = &cont->dc_pool->dp_svc;
	return dc_svc_call(task, &call);
}

/* ---- list ---- */

static int
list_fill(tse_task_t *task, crt_rpc_t *rpc, void *arg)
{
	cont_head_pool(rpc->cr_input, arg);
	return 0;
}

static int
list_take(const daos_pool_list_cont_t *args, const struct cont_list_out *out)
{
	daos_size_t room = args->cont_buf == NULL ? 0 : *args->ncont;
	uint32_t    nr = MIN_OF(room, (daos_size_t)out->conts.nr);

	for (uint32_t i = 0; i < nr; i++) {
		const struct pool_attr     *c = &out->conts.v[i];
		struct daos_pool_cont_info *info = &args->cont_buf[i];

		if (c->value.iov_len != sizeof(uuid_t))
			return -DER_PROTO;
		memcpy(info->pci_uuid, c->value.iov_buf, sizeof(uuid_t));
		snprintf(info->pci_label, sizeof(info->pci_label), "%s", c->name);
	}
	*args->ncont = out->conts.nr;
	return args->cont_buf != NULL && out->conts.nr > room ? -DER_TRUNC : 0;
}

static int
list_done(tse_task_t *task, crt_rpc_t *rpc, int rc, void *arg)
{
	if (rc == 0)
		rc = list_take(dc_task_get_args(task), rpc->cr_output);
	dc_pool_put(arg);
	return rc;
}

int
dc_pool_list_cont(tse_task_t *task)
{
	const daos_pool_list_cont_t *args = dc_task_get_args(task);
	struct dc_pool              *pool = dc_hdl2pool(dc_task2client(task), args->poh);
	struct dc_svc_call           call = {.opc = CONT_OPC(CONT_LIST),
					     .fill = list_fill,
					     .result = dc_pool_rpc_result,
					     .done = list_done,
					     .arg = pool};

	if (pool == NULL)
		return cont_task_fail(task, -DER_NO_HDL);
	if (args->ncont == NULL) {
		dc_pool_put(pool);
		return cont_task_fail(task, -DER_INVAL);
	}
	call.svc = &pool->dp_svc;
	return dc_svc_call(task, &call);
}

const struct dc_module dc_cont_module = {
	.dm_name = "cont", .dm_mod_id = CRT_MOD_CONT, .dm_proto = &cont_proto_client};
