/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/** Public calls: each fills in the arguments of its task. Comments are in the public headers. */
#include "client/client_internal.h"
#include "container/cont_client.h"
#include "object/obj_client.h"

/** The arguments as a struct of type @type, to client_call(). */
#define ARGS(type, ...) (&(const type){__VA_ARGS__})

/* ---- pools ---- */

int
daos_pool_connect(const char *pool, const char *sys, unsigned int flags, daos_handle_t *poh,
		  daos_pool_info_t *info, daos_event_t *ev)
{
	if (pool == NULL || poh == NULL)
		return -DER_INVAL;
	return client_call(DAOS_OPC_POOL_CONNECT,
			   ARGS(daos_pool_connect_t, .grp = sys, .flags = flags, .poh = poh,
				.info = info, .pool = pool),
			   ev);
}

int
daos_pool_disconnect(daos_handle_t poh, daos_event_t *ev)
{
	return client_call(DAOS_OPC_POOL_DISCONNECT, ARGS(daos_pool_disconnect_t, .poh = poh), ev);
}

int
daos_pool_query(daos_handle_t poh, d_rank_list_t **ranks, daos_pool_info_t *info,
		daos_prop_t *pool_prop, daos_event_t *ev)
{
	return client_call(
	    DAOS_OPC_POOL_QUERY,
	    ARGS(daos_pool_query_t, .poh = poh, .ranks = ranks, .info = info, .prop = pool_prop),
	    ev);
}

int
daos_pool_list_attr(daos_handle_t poh, char *buffer, size_t *size, daos_event_t *ev)
{
	if (size == NULL)
		return -DER_INVAL;
	return client_call(DAOS_OPC_POOL_LIST_ATTR,
			   ARGS(daos_pool_list_attr_t, .poh = poh, .buf = buffer, .size = size),
			   ev);
}

/** Attribute names as the calls on them need: at least one, none empty or too long. */
static bool
attr_names_valid(int n, char const *const names[])
{
	if (n <= 0 || names == NULL)
		return false;
	for (int i = 0; i < n; i++) {
		if (names[i] == NULL || names[i][0] == '\0' ||
		    strnlen(names[i], DAOS_ATTR_NAME_MAX + 1) > DAOS_ATTR_NAME_MAX)
			return false;
	}
	return true;
}

static bool
attr_values_valid(int n, void const *const values[], size_t const sizes[])
{
	if (values == NULL || sizes == NULL)
		return false;
	for (int i = 0; i < n; i++) {
		if (values[i] == NULL || sizes[i] == 0)
			return false;
	}
	return true;
}

int
daos_pool_get_attr(daos_handle_t poh, int n, char const *const names[], void *const buffers[],
		   size_t sizes[], daos_event_t *ev)
{
	if (!attr_names_valid(n, names) || sizes == NULL)
		return -DER_INVAL;
	return client_call(DAOS_OPC_POOL_GET_ATTR,
			   ARGS(daos_pool_get_attr_t, .poh = poh, .n = n, .names = names,
				.values = buffers, .sizes = sizes),
			   ev);
}

int
daos_pool_set_attr(daos_handle_t poh, int n, char const *const names[], void const *const values[],
		   size_t const sizes[], daos_event_t *ev)
{
	if (!attr_names_valid(n, names) || !attr_values_valid(n, values, sizes))
		return -DER_INVAL;
	return client_call(DAOS_OPC_POOL_SET_ATTR,
			   ARGS(daos_pool_set_attr_t, .poh = poh, .n = n, .names = names,
				.values = values, .sizes = sizes),
			   ev);
}

int
daos_pool_del_attr(daos_handle_t poh, int n, char const *const names[], daos_event_t *ev)
{
	if (!attr_names_valid(n, names))
		return -DER_INVAL;
	return client_call(DAOS_OPC_POOL_DEL_ATTR,
			   ARGS(daos_pool_del_attr_t, .poh = poh, .n = n, .names = names), ev);
}

int
daos_pool_list_cont(daos_handle_t poh, daos_size_t *ncont, struct daos_pool_cont_info *cbuf,
		    daos_event_t *ev)
{
	if (ncont == NULL)
		return -DER_INVAL;
	return client_call(
	    DAOS_OPC_POOL_LIST_CONT,
	    ARGS(daos_pool_list_cont_t, .poh = poh, .ncont = ncont, .cont_buf = cbuf), ev);
}

/* ---- containers ---- */

int
daos_cont_create(daos_handle_t poh, uuid_t *uuid, daos_prop_t *cont_prop, daos_event_t *ev)
{
	return client_call(DAOS_OPC_CONT_CREATE,
			   ARGS(daos_cont_create_t, .poh = poh, .prop = cont_prop, .cuuid = uuid),
			   ev);
}

int
daos_cont_open(daos_handle_t poh, const char *cont, unsigned int flags, daos_handle_t *coh,
	       daos_cont_info_t *info, daos_event_t *ev)
{
	if (cont == NULL || coh == NULL)
		return -DER_INVAL;
	return client_call(DAOS_OPC_CONT_OPEN,
			   ARGS(daos_cont_open_t, .poh = poh, .flags = flags, .coh = coh,
				.info = info, .cont = cont),
			   ev);
}

int
daos_cont_close(daos_handle_t coh, daos_event_t *ev)
{
	return client_call(DAOS_OPC_CONT_CLOSE, ARGS(daos_cont_close_t, .coh = coh), ev);
}

int
daos_cont_destroy(daos_handle_t poh, const char *cont, int force, daos_event_t *ev)
{
	if (cont == NULL)
		return -DER_INVAL;
	return client_call(DAOS_OPC_CONT_DESTROY,
			   ARGS(daos_cont_destroy_t, .poh = poh, .force = force, .cont = cont), ev);
}

int
daos_cont_query(daos_handle_t coh, daos_cont_info_t *info, daos_prop_t *cont_prop, daos_event_t *ev)
{
	return client_call(DAOS_OPC_CONT_QUERY,
			   ARGS(daos_cont_query_t, .coh = coh, .info = info, .prop = cont_prop),
			   ev);
}

int
daos_cont_set_prop(daos_handle_t coh, daos_prop_t *prop, daos_event_t *ev)
{
	if (prop == NULL || prop->dpp_nr == 0)
		return -DER_INVAL;
	return client_call(DAOS_OPC_CONT_SET_PROP,
			   ARGS(daos_cont_set_prop_t, .coh = coh, .prop = prop), ev);
}

int
daos_cont_list_attr(daos_handle_t coh, char *buffer, size_t *size, daos_event_t *ev)
{
	if (size == NULL)
		return -DER_INVAL;
	return client_call(DAOS_OPC_CONT_LIST_ATTR,
			   ARGS(daos_cont_list_attr_t, .coh = coh, .buf = buffer, .size = size),
			   ev);
}

int
daos_cont_get_attr(daos_handle_t coh, int n, char const *const names[], void *const buffers[],
		   size_t sizes[], daos_event_t *ev)
{
	if (!attr_names_valid(n, names) || sizes == NULL)
		return -DER_INVAL;
	return client_call(DAOS_OPC_CONT_GET_ATTR,
			   ARGS(daos_cont_get_attr_t, .coh = coh, .n = n, .names = names,
				.values = buffers, .sizes = sizes),
			   ev);
}

int
daos_cont_set_attr(daos_handle_t coh, int n, char const *const names[], void const *const values[],
		   size_t const sizes[], daos_event_t *ev)
{
	if (!attr_names_valid(n, names) || !attr_values_valid(n, values, sizes))
		return -DER_INVAL;
	return client_call(DAOS_OPC_CONT_SET_ATTR,
			   ARGS(daos_cont_set_attr_t, .coh = coh, .n = n, .names = names,
				.values = values, .sizes = sizes),
			   ev);
}

int
daos_cont_del_attr(daos_handle_t coh, int n, char const *const names[], daos_event_t *ev)
{
	if (!attr_names_valid(n, names))
		return -DER_INVAL;
	return client_call(DAOS_OPC_CONT_DEL_ATTR,
			   ARGS(daos_cont_del_attr_t, .coh = coh, .n = n, .names = names), ev);
}

int
daos_cont_alloc_oids(daos_handle_t coh, daos_size_t num_oids, uint64_t *oid, daos_event_t *ev)
{
	if (num_oids == 0 || oid == NULL)
		return -DER_INVAL;
	return client_call(
	    DAOS_OPC_CONT_ALLOC_OIDS,
	    ARGS(daos_cont_alloc_oids_t, .coh = coh, .num_oids = num_oids, .oid = oid), ev);
}

int
daos_cont_create_snap(daos_handle_t coh, daos_epoch_t *epoch, char *name, daos_event_t *ev)
{
	if (epoch == NULL || (name != NULL && strlen(name) >= DAOS_SNAPSHOT_MAX_LEN))
		return -DER_INVAL;
	return client_call(
	    DAOS_OPC_CONT_CREATE_SNAP,
	    ARGS(daos_cont_create_snap_t, .coh = coh, .epoch = epoch, .name = name), ev);
}

int
daos_cont_list_snap(daos_handle_t coh, int *nr, daos_epoch_t *epochs, char **names,
		    daos_anchor_t *anchor, daos_event_t *ev)
{
	if (nr == NULL || anchor == NULL)
		return -DER_INVAL;
	return client_call(DAOS_OPC_CONT_LIST_SNAP,
			   ARGS(daos_cont_list_snap_t, .coh = coh, .nr = nr, .epochs = epochs,
				.names = names, .anchor = anchor),
			   ev);
}

int
daos_cont_destroy_snap(daos_handle_t coh, daos_epoch_range_t epr, daos_event_t *ev)
{
	return client_call(DAOS_OPC_CONT_DESTROY_SNAP,
			   ARGS(daos_cont_destroy_snap_t, .coh = coh, .epr = epr), ev);
}

int
daos_tx_open_snap(daos_handle_t coh, daos_epoch_t epoch, daos_handle_t *th, daos_event_t *ev)
{
	if (th == NULL || epoch == 0 || epoch == DAOS_EPOCH_MAX)
		return -DER_INVAL;
	return client_call(DAOS_OPC_TX_OPEN_SNAP, ARGS(daos_tx_open_snap_t, .coh = coh, .epoch = epoch, .th = th), ev);
}

int
daos_tx_close(daos_handle_t th, daos_event_t *ev)
{
	return client_call(DAOS_OPC_TX_CLOSE, ARGS(daos_tx_close_t, .th = th), ev);
}

int
daos_tx_hdl2epoch(daos_handle_t th, daos_epoch_t *epoch)
{
	struct client *cl = client_current();

	if (epoch == NULL)
		return -DER_INVAL;
	return cl == NULL ? -DER_UNINIT : dc_tx_epoch(cl, th, NULL, epoch);
}

/* ---- objects ---- */

int
daos_obj_generate_oid(daos_handle_t coh, daos_obj_id_t *oid, enum daos_otype_t type,
		      daos_oclass_id_t cid, daos_oclass_hints_t hints, uint32_t args)
{
	struct client *cl = client_current();

	if (cl == NULL)
		return -DER_UNINIT;
	if (oid == NULL || !daos_otype_t_is_valid(type))
		return -DER_INVAL;
	return dc_obj_generate_oid(cl, coh, oid, type, cid, hints, args);
}

int
daos_obj_open(daos_handle_t coh, daos_obj_id_t oid, unsigned int mode, daos_handle_t *oh,
	      daos_event_t *ev)
{
	if (oh == NULL)
		return -DER_INVAL;
	return client_call(DAOS_OPC_OBJ_OPEN,
			   ARGS(daos_obj_open_t, .coh = coh, .oid = oid, .mode = mode, .oh = oh),
			   ev);
}

int
daos_obj_close(daos_handle_t oh, daos_event_t *ev)
{
	return client_call(DAOS_OPC_OBJ_CLOSE, ARGS(daos_obj_close_t, .oh = oh), ev);
}

int
daos_obj_punch(daos_handle_t oh, daos_handle_t th, uint64_t flags, daos_event_t *ev)
{
	return client_call(DAOS_OPC_OBJ_PUNCH,
			   ARGS(daos_obj_punch_t, .th = th, .oh = oh, .flags = flags), ev);
}

int
daos_obj_punch_dkeys(daos_handle_t oh, daos_handle_t th, uint64_t flags, unsigned int nr,
		     daos_key_t *dkeys, daos_event_t *ev)
{
	if (nr == 0 || dkeys == NULL)
		return -DER_INVAL;
	return client_call(DAOS_OPC_OBJ_PUNCH_DKEYS,
			   ARGS(daos_obj_punch_t, .th = th, .oh = oh, .dkey = dkeys, .flags = flags,
				.akey_nr = nr),
			   ev);
}

int
daos_obj_punch_akeys(daos_handle_t oh, daos_handle_t th, uint64_t flags, daos_key_t *dkey,
		     unsigned int nr, daos_key_t *akeys, daos_event_t *ev)
{
	if (dkey == NULL || nr == 0 || akeys == NULL)
		return -DER_INVAL;
	return client_call(DAOS_OPC_OBJ_PUNCH_AKEYS,
			   ARGS(daos_obj_punch_t, .th = th, .oh = oh, .dkey = dkey, .akeys = akeys,
				.flags = flags, .akey_nr = nr),
			   ev);
}

int
daos_obj_fetch(daos_handle_t oh, daos_handle_t th, uint64_t flags, daos_key_t *dkey,
	       unsigned int nr, daos_iod_t *iods, d_sg_list_t *sgls, daos_iom_t *ioms,
	       daos_event_t *ev)
{
	return client_call(DAOS_OPC_OBJ_FETCH,
			   ARGS(daos_obj_fetch_t, .th = th, .oh = oh, .flags = flags, .dkey = dkey,
				.nr = nr, .iods = iods, .sgls = sgls, .ioms = ioms),
			   ev);
}

int
daos_obj_update(daos_handle_t oh, daos_handle_t th, uint64_t flags, daos_key_t *dkey,
		unsigned int nr, daos_iod_t *iods, d_sg_list_t *sgls, daos_event_t *ev)
{
	return client_call(DAOS_OPC_OBJ_UPDATE,
			   ARGS(daos_obj_update_t, .th = th, .oh = oh, .flags = flags, .dkey = dkey,
				.nr = nr, .iods = iods, .sgls = sgls),
			   ev);
}

int
daos_obj_list_dkey(daos_handle_t oh, daos_handle_t th, uint32_t *nr, daos_key_desc_t *kds,
		   d_sg_list_t *sgl, daos_anchor_t *anchor, daos_event_t *ev)
{
	return client_call(DAOS_OPC_OBJ_LIST_DKEY,
			   ARGS(daos_obj_list_t, .oh = oh, .th = th, .nr = nr, .kds = kds,
				.sgl = sgl, .dkey_anchor = anchor),
			   ev);
}

int
daos_obj_list_akey(daos_handle_t oh, daos_handle_t th, daos_key_t *dkey, uint32_t *nr,
		   daos_key_desc_t *kds, d_sg_list_t *sgl, daos_anchor_t *anchor, daos_event_t *ev)
{
	return client_call(DAOS_OPC_OBJ_LIST_AKEY,
			   ARGS(daos_obj_list_t, .oh = oh, .th = th, .dkey = dkey, .nr = nr,
				.kds = kds, .sgl = sgl, .akey_anchor = anchor),
			   ev);
}

int
daos_obj_list_recx(daos_handle_t oh, daos_handle_t th, daos_key_t *dkey, daos_key_t *akey,
		   daos_size_t *size, uint32_t *nr, daos_recx_t *recxs, daos_epoch_range_t *eprs,
		   daos_anchor_t *anchor, bool incr_order, daos_event_t *ev)
{
	return client_call(DAOS_OPC_OBJ_LIST_RECX,
			   ARGS(daos_obj_list_t, .oh = oh, .th = th, .dkey = dkey, .akey = akey,
				.nr = nr, .size = size, .type = DAOS_IOD_ARRAY, .recxs = recxs,
				.eprs = eprs, .anchor = anchor, .incr_order = incr_order),
			   ev);
}

int
daos_obj_query_key(daos_handle_t oh, daos_handle_t th, uint64_t flags, daos_key_t *dkey,
		   daos_key_t *akey, daos_recx_t *recx, daos_event_t *ev)
{
	return client_call(DAOS_OPC_OBJ_QUERY_KEY,
			   ARGS(daos_obj_query_key_t, .oh = oh, .th = th, .dkey = dkey,
				.akey = akey, .recx = recx, .flags = flags),
			   ev);
}

int
daos_obj_query_max_epoch(daos_handle_t oh, daos_handle_t th, daos_epoch_t *epoch, daos_event_t *ev)
{
	if (epoch == NULL)
		return -DER_INVAL;
	return client_call(DAOS_OPC_OBJ_QUERY_KEY,
			   ARGS(daos_obj_query_key_t, .oh = oh, .th = th, .max_epoch = epoch), ev);
}

/* ---- arrays ---- */

int
daos_array_create(daos_handle_t coh, daos_obj_id_t oid, daos_handle_t th, daos_size_t cell_size,
		  daos_size_t chunk_size, daos_handle_t *oh, daos_event_t *ev)
{
	return client_call(DAOS_OPC_ARRAY_CREATE,
			   ARGS(daos_array_create_t, .coh = coh, .oid = oid, .th = th,
				.cell_size = cell_size, .chunk_size = chunk_size, .oh = oh),
			   ev);
}

int
daos_array_open(daos_handle_t coh, daos_obj_id_t oid, daos_handle_t th, unsigned int mode,
		daos_size_t *cell_size, daos_size_t *chunk_size, daos_handle_t *oh,
		daos_event_t *ev)
{
	return client_call(DAOS_OPC_ARRAY_OPEN,
			   ARGS(daos_array_open_t, .coh = coh, .oid = oid, .th = th, .mode = mode,
				.cell_size = cell_size, .chunk_size = chunk_size, .oh = oh),
			   ev);
}

int
daos_array_open_with_attr(daos_handle_t coh, daos_obj_id_t oid, daos_handle_t th, unsigned int mode,
			  daos_size_t cell_size, daos_size_t chunk_size, daos_handle_t *oh,
			  daos_event_t *ev)
{
	/* the sizes are on this stack: the task takes them before it returns */
	return client_call(DAOS_OPC_ARRAY_OPEN,
			   ARGS(daos_array_open_t, .coh = coh, .oid = oid, .th = th, .mode = mode,
				.open_with_attr = 1, .cell_size = &cell_size,
				.chunk_size = &chunk_size, .oh = oh),
			   ev);
}

int
daos_array_close(daos_handle_t oh, daos_event_t *ev)
{
	return client_call(DAOS_OPC_ARRAY_CLOSE, ARGS(daos_array_close_t, .oh = oh), ev);
}

int
daos_array_read(daos_handle_t oh, daos_handle_t th, daos_array_iod_t *iod, d_sg_list_t *sgl,
		daos_event_t *ev)
{
	return client_call(DAOS_OPC_ARRAY_READ,
			   ARGS(daos_array_io_t, .oh = oh, .th = th, .iod = iod, .sgl = sgl), ev);
}

int
daos_array_write(daos_handle_t oh, daos_handle_t th, daos_array_iod_t *iod, d_sg_list_t *sgl,
		 daos_event_t *ev)
{
	return client_call(DAOS_OPC_ARRAY_WRITE,
			   ARGS(daos_array_io_t, .oh = oh, .th = th, .iod = iod, .sgl = sgl), ev);
}

int
daos_array_get_size(daos_handle_t oh, daos_handle_t th, daos_size_t *size, daos_event_t *ev)
{
	return client_call(DAOS_OPC_ARRAY_GET_SIZE,
			   ARGS(daos_array_get_size_t, .oh = oh, .th = th, .size = size), ev);
}

int
daos_array_stat(daos_handle_t oh, daos_handle_t th, daos_array_stbuf_t *stbuf, daos_event_t *ev)
{
	return client_call(DAOS_OPC_ARRAY_STAT,
			   ARGS(daos_array_stat_t, .oh = oh, .th = th, .stbuf = stbuf), ev);
}

int
daos_array_set_size(daos_handle_t oh, daos_handle_t th, daos_size_t size, daos_event_t *ev)
{
	return client_call(DAOS_OPC_ARRAY_SET_SIZE,
			   ARGS(daos_array_set_size_t, .oh = oh, .th = th, .size = size), ev);
}

int
daos_array_destroy(daos_handle_t oh, daos_handle_t th, daos_event_t *ev)
{
	return client_call(DAOS_OPC_ARRAY_DESTROY, ARGS(daos_array_destroy_t, .oh = oh, .th = th),
			   ev);
}

int
daos_array_punch(daos_handle_t oh, daos_handle_t th, daos_array_iod_t *iod, daos_event_t *ev)
{
	return client_call(DAOS_OPC_ARRAY_PUNCH,
			   ARGS(daos_array_io_t, .oh = oh, .th = th, .iod = iod), ev);
}

/* ---- key-value stores ---- */

int
daos_kv_open(daos_handle_t coh, daos_obj_id_t oid, unsigned int mode, daos_handle_t *oh,
	     daos_event_t *ev)
{
	return client_call(DAOS_OPC_KV_OPEN,
			   ARGS(daos_kv_open_t, .coh = coh, .oid = oid, .mode = mode, .oh = oh),
			   ev);
}

int
daos_kv_close(daos_handle_t oh, daos_event_t *ev)
{
	return client_call(DAOS_OPC_KV_CLOSE, ARGS(daos_kv_close_t, .oh = oh), ev);
}

int
daos_kv_destroy(daos_handle_t oh, daos_handle_t th, daos_event_t *ev)
{
	return client_call(DAOS_OPC_KV_DESTROY, ARGS(daos_kv_destroy_t, .oh = oh, .th = th), ev);
}

int
daos_kv_put(daos_handle_t oh, daos_handle_t th, uint64_t flags, const char *key, daos_size_t size,
	    const void *buf, daos_event_t *ev)
{
	return client_call(DAOS_OPC_KV_PUT,
			   ARGS(daos_kv_put_t, .oh = oh, .th = th, .flags = flags, .key = key,
				.buf_size = size, .buf = buf),
			   ev);
}

int
daos_kv_get(daos_handle_t oh, daos_handle_t th, uint64_t flags, const char *key, daos_size_t *size,
	    void *buf, daos_event_t *ev)
{
	return client_call(DAOS_OPC_KV_GET,
			   ARGS(daos_kv_get_t, .oh = oh, .th = th, .flags = flags, .key = key,
				.buf_size = size, .buf = buf),
			   ev);
}

int
daos_kv_remove(daos_handle_t oh, daos_handle_t th, uint64_t flags, const char *key,
	       daos_event_t *ev)
{
	return client_call(DAOS_OPC_KV_REMOVE,
			   ARGS(daos_kv_remove_t, .oh = oh, .th = th, .flags = flags, .key = key),
			   ev);
}

int
daos_kv_list(daos_handle_t oh, daos_handle_t th, uint32_t *nr, daos_key_desc_t *kds,
	     d_sg_list_t *sgl, daos_anchor_t *anchor, daos_event_t *ev)
{
	return client_call(DAOS_OPC_KV_LIST,
			   ARGS(daos_kv_list_t, .oh = oh, .th = th, .nr = nr, .kds = kds,
				.sgl = sgl, .anchor = anchor),
			   ev);
}
