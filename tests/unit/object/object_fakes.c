/* SPDX-License-Identifier: BSD-2-Clause-Patent */
#include "object_fakes.h"
#include <stdlib.h>
#include <string.h>
#include <daos_errno.h>
#include "base/log.h"
#include "container/cont_client.h"
#include "container/cont_server.h"
#include "object/obj_server.h"
#include "security/sec_capas.h"

struct fake_state fake;

static const uuid_t pool_uuid = {1, 2, 3, 4}, cont_uuid = {5, 6, 7, 8}, hdl_uuid = {9, 10, 11, 12};

/* ---- the server's side ---- */

struct fake_tls {
	struct dss_xstream  *dx;
	struct ds_pool       pool;
	_Atomic uint8_t      status; /* of the one target, pool.sp_tgt_status */
	struct ds_pool_child child;
	struct ds_cont_hdl   hdl;
	struct vos_pool     *vp;
	struct vos_cont     *vc;
};

static void *
tls_init(struct dss_xstream *dx)
{
	struct fake_tls *tls = calloc(1, sizeof(*tls));

	tls->dx = dx;
	return tls;
}

static MAY_YIELD void
tls_fini(struct dss_xstream *dx, void *data)
{
	struct fake_tls *tls = data;

	(void)dx;
	assert_int_equal(tls->hdl.sch_ref, 0);
	if (tls->vc != NULL)
		vos_cont_close(tls->vc);
	if (tls->vp != NULL)
		vos_pool_close(tls->vp);
	free(tls);
}

static struct dss_module_key fake_key = {
    .name = "cont", .tags = DSS_HAS_TGT, .init = tls_init, .fini = tls_fini};

static MAY_YIELD int
tls_open(struct fake_tls *tls)
{
	struct vos_pool_size size = {.meta_bytes = 32u << 20, .data_bytes = 64u << 20};
	struct vos_store    *store = &tls->dx->dx_store;
	int                  rc;

	rc = vos_pool_open(store, pool_uuid, &tls->vp);
	if (rc == -DER_NONEXIST) {
		rc = vos_pool_create(store, pool_uuid, &size);
		if (rc == 0)
			rc = vos_pool_open(store, pool_uuid, &tls->vp);
	}
	if (rc == 0)
		rc = vos_cont_create(tls->vp, cont_uuid);
	if (rc == 0 || rc == -DER_EXIST)
		rc = vos_cont_open(tls->vp, cont_uuid, &tls->vc);
	tls->status = PO_COMP_ST_UPIN;
	tls->pool.sp_tgt_status = &tls->status;
	tls->child = (struct ds_pool_child){.spc_pool = &tls->pool, .spc_vos = tls->vp};
	return rc;
}

static MAY_YIELD int
open_target(void *arg, uint32_t tgt)
{
	(void)arg;
	(void)tgt;
	return tls_open(dss_module_tls(&fake_key));
}

static MAY_YIELD int
mod_setup(struct engine *eng)
{
	return dss_tgt_collective(eng, open_target, NULL);
}

static MAY_YIELD int
mod_init(struct engine *eng)
{
	(void)eng;
	return 0;
}

static MAY_YIELD void
mod_fini(struct engine *eng)
{
	(void)eng;
}

static const struct dss_module fake_cont_module = {.sm_name   = "cont",
						   .sm_mod_id = CRT_MOD_CONT,
						   .sm_init   = mod_init,
						   .sm_fini   = mod_fini,
						   .sm_setup  = mod_setup,
						   .sm_key    = &fake_key};
static const struct dss_module *const modules[] = {&fake_cont_module, &dss_module_obj, NULL};

MAY_YIELD int
ds_cont_hdl_get(const uuid_t pool, const uuid_t cont, const uuid_t hdl, struct ds_cont_hdl **ret_hdl)
{
	struct fake_tls *tls = dss_module_tls(&fake_key);

	fake.request_nr++;
	assert_memory_equal(pool, pool_uuid, sizeof(pool_uuid));
	assert_memory_equal(cont, cont_uuid, sizeof(cont_uuid));
	assert_memory_equal(hdl, hdl_uuid, sizeof(hdl_uuid));
	if (fake.hdl_rc != 0 && fake.hdl_rc_nr > 0) {
		fake.hdl_rc_nr--;
		return fake.hdl_rc;
	}
	if (tls->vc == NULL)
		return -DER_AGAIN;
	tls->pool.sp_map_version = fake.server_map_version;
	tls->hdl.sch_pool        = &tls->child;
	tls->hdl.sch_vos         = tls->vc;
	tls->hdl.sch_sec_capas   = fake.sec_capas;
	tls->hdl.sch_ref++;
	*ret_hdl = &tls->hdl;
	return 0;
}

void
ds_cont_hdl_put(struct ds_cont_hdl *hdl)
{
	assert_true(hdl->sch_ref > 0);
	hdl->sch_ref--;
}

/* ---- the client's side ---- */

static struct pool_map *client_map;
static uint32_t         client_ranks, client_tgts;
static struct dc_pool   client_pool;
static struct dc_cont   client_cont;

int
dc_tx_epoch(struct client *client, daos_handle_t th, const struct dc_cont *cont, daos_epoch_t *ret_epoch)
{
	return -DER_NO_HDL;
}

struct dc_cont *
dc_hdl2cont(struct client *cl, daos_handle_t coh)
{
	(void)cl;
	return coh.cookie == fake_coh().cookie ? &client_cont : NULL;
}

void
dc_cont_put(struct dc_cont *cont)
{
	(void)cont;
}

struct pool_map *
dc_pool_map_get(struct dc_pool *pool)
{
	(void)pool;
	return pool_map_addref(client_map);
}

uint32_t
dc_pool_map_version(struct dc_pool *pool)
{
	(void)pool;
	return pool_map_version(client_map);
}

static void
map_make(uint32_t version)
{
	d_rank_t      ranks[FAKE_ENGINES_MAX] = {0, 1, 2, 3};
	d_rank_list_t list                    = {.rl_ranks = ranks, .rl_nr = client_ranks};

	pool_map_decref(client_map);
	assert_int_equal(pool_map_create(&list, client_tgts, version, &client_map), 0);
}

void
dc_pool_map_refresh(tse_task_t *task, struct dc_pool *pool, uint32_t min_version,
		    void (*cb)(void *arg, int rc), void *arg)
{
	(void)task;
	(void)pool;
	(void)min_version;
	fake.refresh_nr++;
	map_make(fake.server_map_version);
	cb(arg, 0);
}

/* ---- the world ---- */

static void
set_up(struct fake_world *fw, uint32_t idx)
{
	assert_int_equal(engine_setup(fw->w.engs[idx], idx), 0);
}

void
fake_world_start(struct fake_world *fw, uint32_t eng_nr, uint32_t tgt_nr, bool files)
{
	memset(fw, 0, sizeof(*fw));
	et_world_init(&fw->w);
	fw->eng_nr              = eng_nr;
	fw->tgt_nr              = tgt_nr;
	fake.server_map_version = 1;
	fake.sec_capas          = SEC_CONT_CAPA_READ_DATA | SEC_CONT_CAPA_WRITE_DATA;
	fake.hdl_rc             = 0;
	fake.refresh_nr         = 0;
	for (uint32_t i = 0; i < eng_nr; i++) {
		snprintf(fw->dev_names[i], sizeof(fw->dev_names[i]), "dev%u", i);
		fw->opts[i] = (struct et_opts){.tgt_nr    = tgt_nr,
					       .modules   = modules,
					       .dev_name  = files ? fw->dev_names[i] : NULL,
					       .dev_bytes = 512u << 20};
		fake_engine_start(fw, i);
	}
}

void
fake_engine_start(struct fake_world *fw, uint32_t idx)
{
	et_start(&fw->w, idx, &fw->opts[idx]);
	et_group(&fw->w);
	set_up(fw, idx);
}

/** Tell a client where the engines are now. */
void
fake_client_group(struct fake_world *fw, struct client *cl)
{
	struct crt_member members[FAKE_ENGINES_MAX];
	char              uris[FAKE_ENGINES_MAX][NA_URI_BYTES_MAX];
	struct crt       *crt = client_crt(cl);

	for (uint32_t i = 0; i < fw->eng_nr; i++) {
		assert_int_equal(engine_uri(fw->w.engs[i], 0, uris[i], NA_URI_BYTES_MAX), 0);
		members[i] = (struct crt_member){.rank = i, .uri = uris[i]};
	}
	assert_int_equal(crt_group_set(crt, crt_group_version(crt) + 1, fw->eng_nr, members), 0);
}

void
fake_engine_stop(struct fake_world *fw, uint32_t idx)
{
	et_stop(&fw->w, idx);
}

void
fake_world_stop(struct fake_world *fw)
{
	pool_map_decref(client_map);
	client_map = NULL;
	et_world_fini(&fw->w);
}

struct count {
	uint64_t nr;
};

static int
count_ids(void *arg)
{
	struct fake_tls    *tls = dss_module_tls(&fake_key);
	struct count       *c   = arg;
	struct vos_dtx_stat stat;

	vos_dtx_stat(tls->vc, &stat);
	c->nr += stat.committed_nr;
	return 0;
}

uint64_t
fake_ids_nr(struct fake_world *fw, uint32_t idx)
{
	struct count c = {0};

	for (uint32_t tgt = 0; tgt < fw->tgt_nr; tgt++)
		assert_int_equal(et_run(fw->w.engs[idx], DSS_TAG_TGT0 + tgt, count_ids, &c), 0);
	return c.nr;
}

struct client *
fake_client_start(struct fake_world *fw)
{
	static const struct dc_module *const mods[] = {&dc_obj_module};
	struct crt_member                    members[FAKE_ENGINES_MAX];
	char                                 uris[FAKE_ENGINES_MAX][NA_URI_BYTES_MAX];
	struct client_attr                   attr = {.modules    = mods,
						     .module_nr  = ARRAY_NR(mods),
						     .provider   = "self",
						     .world      = fw->w.net,
						     .members    = members,
						     .member_nr  = fw->eng_nr};
	struct client                       *cl   = NULL;

	for (uint32_t i = 0; i < fw->eng_nr; i++) {
		assert_int_equal(engine_uri(fw->w.engs[i], 0, uris[i], NA_URI_BYTES_MAX), 0);
		members[i] = (struct crt_member){.rank = i, .uri = uris[i]};
	}
	client_ranks = fw->eng_nr;
	client_tgts  = fw->tgt_nr;
	map_make(fake.server_map_version);
	uuid_copy(client_pool.dp_uuid, pool_uuid);
	client_cont.dc_pool = &client_pool;
	uuid_copy(client_cont.dc_uuid, cont_uuid);
	uuid_copy(client_cont.dc_hdl, hdl_uuid);
	client_cont.dc_capas = SEC_CONT_CAPA_READ_DATA | SEC_CONT_CAPA_WRITE_DATA;
	assert_int_equal(client_create(&attr, &cl), 0);
	client_set_current(cl);
	return cl;
}

void
fake_client_stop(struct client *cl)
{
	client_set_current(NULL);
	client_destroy(cl);
}
