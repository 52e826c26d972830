/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/*
 * Open objects. Opening talks to nobody: placement is computed, and an object exists once something
 * was written to it. An object holds its container, so a container handle may be closed before; the
 * server refuses what comes after.
 *
 * Only classes without redundancy can be opened: to store a replicated object once would be weaker
 * than what was asked for.
 */
#define D_LOGFAC LOG_FAC_OBJECT
#include "object/obj_client_int.h"

#include <stdlib.h>
#include <daos_errno.h>
#include "base/log.h"
#include "placement/pl_class.h"
#include "platform/platform.h"
#include "security/sec_capas.h"

/* ---- the module ---- */

static uint64_t
retry_ns_from_env(void)
{
	const char *text = getenv("DAOS_OBJ_RETRY_S");
	char       *end  = NULL;
	uint64_t    s    = OBJ_RETRY_S_DEFAULT;

	if (text != NULL && *text != '\0') {
		s = strtoull(text, &end, 10);
		if (*end != '\0' || s > 1000000) {
			D_WARN("DAOS_OBJ_RETRY_S=%s is not a number of seconds; %u is used", text,
			       OBJ_RETRY_S_DEFAULT);
			s = OBJ_RETRY_S_DEFAULT;
		}
	}
	return s * NSEC_PER_SEC;
}

static int
obj_client_init(struct client *cl)
{
	struct obj_client *oc = calloc(1, sizeof(*oc));

	if (oc == NULL)
		return -DER_NOMEM;
	plat_uuid_generate(oc->uuid);
	pthread_mutex_init(&oc->lock, NULL);
	d_list_init(&oc->changes);
	oc->retry_ns = retry_ns_from_env();
	client_module_set_data(cl, CRT_MOD_OBJ, oc);
	return 0;
}

static void
obj_client_fini(struct client *cl)
{
	struct obj_client *oc = obj_client_of(cl);

	if (oc == NULL)
		return;
	D_ASSERT(d_list_empty(&oc->changes));
	pthread_mutex_destroy(&oc->lock);
	free(oc);
	client_module_set_data(cl, CRT_MOD_OBJ, NULL);
}

struct obj_client *
obj_client_of(struct client *cl)
{
	return client_module_data(cl, CRT_MOD_OBJ);
}

static const struct crt_proto_rpc obj_cli_rpcs[OBJ_OPC_NR] = {
#define OBJ_CLI_RPC(id, name, fmt, hdlr) [OBJ_OPC_##id] = {.format = &fmt},
    OBJ_RPCS(OBJ_CLI_RPC)
#undef OBJ_CLI_RPC
};
static const struct crt_proto obj_cli_proto = {.name    = "obj",
					       .mod_id  = CRT_MOD_OBJ,
					       .version = OBJ_PROTO_VERSION,
					       .rpc_nr  = OBJ_OPC_NR,
					       .rpcs    = obj_cli_rpcs};
const struct dc_module dc_obj_module = {.dm_name   = "obj",
					.dm_mod_id = CRT_MOD_OBJ,
					.dm_proto  = &obj_cli_proto,
					.dm_init   = obj_client_init,
					.dm_fini   = obj_client_fini};

/* ---- handles ---- */

static void
dc_obj_free(struct d_hlink *hlink)
{
	struct dc_obj *obj = CONTAINER_OF(hlink, struct dc_obj, hlink);

	atomic_fetch_sub(&obj->cont->dc_obj_nr, 1);
	dc_cont_put(obj->cont);
	free(obj->layout);
	pthread_mutex_destroy(&obj->lock);
	free(obj);
}

static const struct d_hlink_ops dc_obj_ops = {.type = DAOS_HTYPE_OBJ, .free = dc_obj_free};

struct dc_obj *
dc_hdl2obj(struct client *cl, daos_handle_t oh)
{
	struct d_hlink *hlink = dc_hdl_lookup(cl, oh, DAOS_HTYPE_OBJ);

	return hlink == NULL ? NULL : CONTAINER_OF(hlink, struct dc_obj, hlink);
}

void
dc_obj_put(struct dc_obj *obj)
{
	d_hlink_putref(&obj->hlink);
}

/* ---- where shards are ---- */

/** Make the layout follow the pool's map. With the lock held. */
static int
layout_follow(struct dc_obj *obj)
{
	struct pl_layout *layout;
	struct pool_map  *map;
	int               rc = 0;

	if (obj->layout != NULL &&
	    obj->layout->map_version == dc_pool_map_version(obj->cont->dc_pool))
		return 0;
	map = dc_pool_map_get(obj->cont->dc_pool);
	rc  = pl_obj_layout(map, obj->oid, &layout);
	pool_map_decref(map);
	if (rc != 0)
		return rc;
	free(obj->layout);
	obj->layout = layout;
	return 0;
}

static bool
shard_serves(const struct pl_shard *shard)
{
	return shard->tgt_id != UINT32_MAX &&
	       (shard->status & (PO_COMP_ST_UP | PO_COMP_ST_UPIN | PO_COMP_ST_DRAIN)) != 0;
}

int
obj_shard_where(struct dc_obj *obj, uint32_t shard, struct obj_where *ret_where)
{
	int rc;

	pthread_mutex_lock(&obj->lock);
	rc = layout_follow(obj);
	if (rc == 0 && shard >= obj->layout->shard_nr)
		rc = -DER_INVAL;
	if (rc == 0 && !shard_serves(&obj->layout->shards[shard]))
		rc = -DER_RF; /* waiting is no use: it is out of service until somebody reintegrates it */
	if (rc == 0) {
		const struct pl_shard *s = &obj->layout->shards[shard];

		*ret_where = (struct obj_where){.rank        = s->rank,
						.tgt_idx     = s->tgt_idx,
						.map_version = obj->layout->map_version};
	}
	pthread_mutex_unlock(&obj->lock);
	return rc;
}

int
obj_shard_nr(struct dc_obj *obj, uint32_t *ret_nr)
{
	int rc;

	pthread_mutex_lock(&obj->lock);
	rc = layout_follow(obj);
	if (rc == 0)
		*ret_nr = obj->layout->shard_nr;
	pthread_mutex_unlock(&obj->lock);
	return rc;
}

int
obj_dkey_shard(struct dc_obj *obj, const daos_key_t *dkey, uint32_t *ret_shard)
{
	uint32_t nr = 0;
	int      rc = obj_shard_nr(obj, &nr);

	if (rc == 0)
		*ret_shard = pl_dkey_group(pl_dkey_hash(obj->oid, dkey), nr);
	return rc;
}

int
dc_obj_shards(struct client *cl, daos_handle_t oh, uint32_t *nr, d_rank_t *ranks, uint32_t *tgt_idxs)
{
	struct dc_obj *obj  = dc_hdl2obj(cl, oh);
	uint32_t       room = *nr;
	int            rc;

	if (obj == NULL)
		return -DER_NO_HDL;
	pthread_mutex_lock(&obj->lock);
	rc = layout_follow(obj);
	for (uint32_t i = 0; rc == 0 && i < MIN_OF(room, obj->layout->shard_nr); i++) {
		ranks[i]    = obj->layout->shards[i].rank;
		tgt_idxs[i] = obj->layout->shards[i].tgt_idx;
	}
	if (rc == 0) {
		*nr = obj->layout->shard_nr;
		rc  = *nr > room ? -DER_TRUNC : 0;
	}
	pthread_mutex_unlock(&obj->lock);
	dc_obj_put(obj);
	return rc;
}

int
dc_obj_changed_at(struct client *cl, daos_handle_t oh, daos_epoch_t *ret_epoch)
{
	struct dc_obj *obj = dc_hdl2obj(cl, oh);

	if (obj == NULL)
		return -DER_NO_HDL;
	*ret_epoch = atomic_load(&obj->changed_at);
	dc_obj_put(obj);
	return 0;
}

/* ---- open and close ---- */

static int
check_class(daos_obj_id_t oid)
{
	char            name[MAX_OBJ_CLASS_NAME_LEN];
	struct pl_class cls;
	int             rc;

	rc = pl_class_find(daos_obj_id2class(oid), &cls);
	(void)daos_oclass_id2name(daos_obj_id2class(oid), name);
	if (rc != 0) {
		D_ERROR("object %016lx.%016lx has no known class (%#x): make its ID with "
			"daos_obj_generate_oid()", oid.hi, oid.lo, daos_obj_id2class(oid));
		return rc;
	}
	if (pl_class_is_plain(&cls))
		return 0;
	D_ERROR("object %016lx.%016lx cannot be opened: its class %s keeps data on several targets, "
		"and this version stores them once only; choose one of S1 to SX, or a container with "
		"rd_fac:0", oid.hi, oid.lo, name);
	return -DER_NOTSUPPORTED;
}

static int
check_mode(const struct dc_cont *cont, unsigned mode)
{
	const unsigned known = DAOS_OO_RO | DAOS_OO_RW | DAOS_OO_EXCL | DAOS_OO_IO_RAND | DAOS_OO_IO_SEQ;
	bool           writes = (mode & (DAOS_OO_RW | DAOS_OO_EXCL)) != 0;

	if ((mode & ~known) || ((mode & DAOS_OO_RO) != 0) == writes)
		return -DER_INVAL;
	return writes && !(cont->dc_capas & SEC_CONT_CAPA_WRITE_DATA) ? -DER_NO_PERM : 0;
}

/** Takes the caller's reference of @cont. */
static int
obj_create(struct client *cl, struct dc_cont *cont, const daos_obj_open_t *args, struct dc_obj **ret_obj)
{
	struct dc_obj *obj = calloc(1, sizeof(*obj));
	int            rc;

	if (obj == NULL) {
		dc_cont_put(cont);
		return -DER_NOMEM;
	}
	d_hlink_init(&obj->hlink, &dc_obj_ops);
	pthread_mutex_init(&obj->lock, NULL);
	obj->cl   = cl;
	obj->cont = cont;
	obj->oid  = args->oid;
	obj->mode = args->mode;
	atomic_fetch_add(&cont->dc_obj_nr, 1);
	rc = layout_follow(obj);
	if (rc != 0) {
		D_ERROR("object %016lx.%016lx does not fit pool " DF_UUID ": " DF_RC, obj->oid.hi,
			obj->oid.lo, DP_UUID(cont->dc_pool->dp_uuid), DP_RC(rc));
		dc_obj_put(obj);
		return rc;
	}
	*ret_obj = obj;
	return 0;
}

static int
obj_open(struct client *cl, const daos_obj_open_t *args)
{
	struct dc_cont *cont;
	struct dc_obj  *obj = NULL;
	int             rc;

	if (args->oh == NULL)
		return -DER_INVAL;
	cont = dc_hdl2cont(cl, args->coh);
	if (cont == NULL)
		return -DER_NO_HDL;
	rc = check_mode(cont, args->mode);
	if (rc == 0)
		rc = check_class(args->oid);
	if (rc != 0) {
		dc_cont_put(cont);
		return rc;
	}
	rc = obj_create(cl, cont, args, &obj);
	if (rc != 0)
		return rc;
	rc = dc_hdl_insert(cl, &obj->hlink, args->oh);
	dc_obj_put(obj); /* the table has its own */
	return rc;
}

int
dc_obj_open_task(tse_task_t *task)
{
	int rc = obj_open(dc_task2client(task), dc_task_get_args(task));

	tse_task_complete(task, rc);
	return rc;
}

int
dc_obj_close_task(tse_task_t *task)
{
	const daos_obj_close_t *args = dc_task_get_args(task);
	int                     rc   = dc_hdl_delete(dc_task2client(task), args->oh, DAOS_HTYPE_OBJ);

	tse_task_complete(task, rc);
	return rc;
}

/* ---- IDs ---- */

/** What the container and its pool offer to a class. */
struct class_room {
	uint32_t rf, rank_nr, tgt_nr;
};

static int
class_room_of(struct client *cl, daos_handle_t coh, struct class_room *ret_room)
{
	const uint32_t  serving = PO_COMP_ST_UP | PO_COMP_ST_UPIN | PO_COMP_ST_DRAIN;
	struct dc_cont *cont    = dc_hdl2cont(cl, coh);
	struct pool_map *map;
	uint32_t         rank_nr = 0;

	if (cont == NULL)
		return -DER_NO_HDL;
	map = dc_pool_map_get(cont->dc_pool);
	for (uint32_t r = 0; r < pool_map_rank_nr(map); r++)
		rank_nr += (pool_map_domain(map, r)->status & serving) != 0;
	*ret_room = (struct class_room){.rf      = (uint32_t)cont->dc_props.redun_fac,
					.rank_nr = rank_nr,
					.tgt_nr  = pool_map_count(map, serving)};
	pool_map_decref(map);
	dc_cont_put(cont);
	return 0;
}

int
dc_obj_get_oclass(struct client *cl, daos_handle_t coh, enum daos_otype_t type,
		  daos_oclass_hints_t hints, daos_oclass_id_t *ret_cid)
{
	struct class_room room = {0};
	int               rc;

	if (!daos_otype_t_is_valid(type))
		return -DER_INVAL;
	rc = class_room_of(cl, coh, &room);
	return rc != 0 ? rc
		       : pl_class_choose(room.rf, room.rank_nr, room.tgt_nr, type, hints, ret_cid);
}

int
dc_obj_generate_oid(struct client *cl, daos_handle_t coh, daos_obj_id_t *oid, enum daos_otype_t type,
		    daos_oclass_id_t cid, daos_oclass_hints_t hints, uint32_t args)
{
	struct class_room room = {0};
	int               rc;

	(void)args;
	if (oid == NULL || !daos_otype_t_is_valid(type))
		return -DER_INVAL;
	rc = class_room_of(cl, coh, &room);
	if (rc != 0)
		return rc;
	if (cid == OC_UNKNOWN)
		rc = pl_class_choose(room.rf, room.rank_nr, room.tgt_nr, type, hints, &cid);
	else
		rc = pl_class_fit(cid, room.rf, room.rank_nr, room.tgt_nr, &cid);
	if (rc == 0)
		pl_oid_set(oid, type, cid);
	return rc;
}
