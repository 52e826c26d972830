/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/** The replicas of an engine: created, started, found by messages, stopped. On the system xstream. */
#define D_LOGFAC LOG_FAC_RDB
#include <daos_errno.h>
#include "base/log.h"
#include "platform/platform.h"
#include "base/rank_list.h"
#include "rdb/rdb_internal.h"
#include "rdb/rdb_rpc.h"

#define ELECTION_MS_DEFAULT 7000
#define REQUEST_MS_DEFAULT  3000
#define COMPACT_NR_DEFAULT  256

/* ---- references ---- */

void
rdb_get(struct rdb *db)
{
	db->ref++;
}

void
rdb_put(struct rdb *db)
{
	D_ASSERT(db->ref > 0);
	if (--db->ref > 0)
		return;
	rdb_kvs_free(db->root);
	free(db);
}

static struct rdb_module *
module_of(struct engine *eng)
{
	struct rdb_module *mod = dss_module_data(eng, CRT_MOD_RDB);

	D_ASSERT(mod != NULL && dss_self()->dx_id == DSS_TAG_SYS);
	return mod;
}

struct rdb *
rdb_lookup(struct engine *eng, const uuid_t uuid)
{
	struct rdb_module *mod = module_of(eng);
	struct rdb        *db;

	d_list_for_each(db, &mod->dbs, link) {
		if (uuid_compare(db->uuid, uuid) == 0)
			return db;
	}
	return NULL;
}

/* ---- create and start ---- */

static int
db_new(struct engine *eng, const uuid_t uuid, const struct rdb_cbs *cbs, void *arg, struct rdb **ret_db)
{
	struct rdb_module *mod = module_of(eng);
	struct rdb        *db;

	if (crt_rank_self(dss_crt(eng)) == CRT_NO_RANK)
		return -DER_UNINIT;
	if (rdb_lookup(eng, uuid) != NULL)
		return -DER_ALREADY;
	db = calloc(1, sizeof(*db));
	if (db == NULL)
		return -DER_NOMEM;
	db->mod = mod;
	db->opened_ns = plat_now_ns();
	db->engine = eng;
	db->ref = 1;
	db->cbs = cbs;
	db->cb_arg = arg;
	uuid_copy(db->uuid, uuid);
	d_list_init(&db->events);
	d_list_init(&db->held);
	d_list_init(&db->failed);
	d_list_init(&db->appends);
	d_list_init(&db->sends);
	ult_eventual_init(&db->wake);
	ult_eventual_init(&db->append_wake);
	ult_eventual_init(&db->role_wake);
	d_list_add_tail(&db->link, &mod->dbs); /* now others find it and are told -DER_ALREADY */
	*ret_db = db;
	return 0;
}

MAY_YIELD static void
db_end(struct rdb *db)
{
	if (db->store != NULL)
		rdb_store_close(db->store);
	db->store = NULL;
	d_list_del(&db->link);
	rdb_put(db);
}

static int
encode_replicas(const d_rank_list_t *replicas, struct raft_buffer *buf)
{
	struct raft_configuration conf;
	int                       rc = 0;

	if (replicas->rl_nr == 0 || replicas->rl_nr > RDB_REPLICA_MAX)
		return -DER_INVAL;
	raft_configuration_init(&conf);
	for (uint32_t i = 0; i < replicas->rl_nr && rc == 0; i++) {
		char address[16];

		snprintf(address, sizeof(address), "%u", replicas->rl_ranks[i]);
		rc = raft_configuration_add(&conf, RDB_ID_OF_RANK(replicas->rl_ranks[i]), address, RAFT_VOTER);
	}
	if (rc == 0)
		rc = raft_configuration_encode(&conf, buf);
	raft_configuration_close(&conf);
	return rc == RAFT_DUPLICATEID || rc == RAFT_DUPLICATEADDRESS ? -DER_INVAL : rdb_raft2der(rc);
}

MAY_YIELD int
rdb_create(struct engine *eng, const uuid_t uuid, uint64_t bytes, const d_rank_list_t *replicas,
	   const struct rdb_cbs *cbs, void *arg, struct rdb **ret_db)
{
	struct vos_store  *vs = &dss_self()->dx_store;
	struct raft_buffer conf;
	struct rdb        *db;
	int                rc = encode_replicas(replicas, &conf);

	if (rc != 0)
		return rc;
	rc = db_new(eng, uuid, cbs, arg, &db);
	if (rc != 0) {
		raft_free(conf.base);
		return rc;
	}
	rc = rdb_store_create(vs, uuid, bytes, conf.base, conf.len, &db->store);
	raft_free(conf.base);
	if (rc == 0) {
		rc = rdb_raft_start(db, true);
		if (rc != 0) {
			rdb_store_close(db->store);
			db->store = NULL;
			if (rdb_store_destroy(vs, uuid) != 0)
				D_ERROR("rdb " DF_UUID ": blobs of a failed creation are left behind",
					DP_UUID(uuid));
		}
	}
	if (rc != 0) {
		db_end(db);
		return rc;
	}
	*ret_db = db;
	return 0;
}

MAY_YIELD int
rdb_start(struct engine *eng, const uuid_t uuid, const struct rdb_cbs *cbs, void *arg, struct rdb **ret_db)
{
	struct rdb *db;
	int         rc = db_new(eng, uuid, cbs, arg, &db);

	if (rc != 0)
		return rc;
	rc = rdb_store_open(&dss_self()->dx_store, uuid, &db->store);
	if (rc == 0)
		rc = rdb_raft_start(db, false);
	if (rc != 0) {
		db_end(db);
		return rc;
	}
	*ret_db = db;
	return 0;
}

MAY_YIELD void
rdb_stop(struct rdb *db)
{
	D_ASSERT(dss_self()->dx_id == DSS_TAG_SYS && !db->stopping);
	rdb_raft_stop(db);
	db_end(db);
}

MAY_YIELD int
rdb_destroy(struct engine *eng, const uuid_t uuid)
{
	if (rdb_lookup(eng, uuid) != NULL)
		return -DER_BUSY;
	return rdb_store_destroy(&dss_self()->dx_store, uuid);
}

MAY_YIELD int
rdb_list(struct engine *eng, int (*cb)(const uuid_t uuid, void *arg), void *arg)
{
	(void)module_of(eng);
	return rdb_store_list(&dss_self()->dx_store, cb, arg);
}

/* ---- questions ---- */

bool
rdb_is_leader(struct rdb *db, uint64_t *ret_term)
{
	if (db->lead_term == 0 || db->err != 0 || db->stopping)
		return false;
	if (ret_term != NULL)
		*ret_term = db->lead_term;
	return true;
}

int
rdb_get_leader(struct rdb *db, uint64_t *ret_term, d_rank_t *ret_rank)
{
	if (db->leader_id == 0 || db->err != 0)
		return -DER_NONEXIST;
	*ret_term = db->term;
	*ret_rank = RDB_RANK_OF_ID(db->leader_id);
	return 0;
}

int
rdb_get_replicas(struct rdb *db, d_rank_list_t **ret_ranks)
{
	d_rank_list_t *ranks = d_rank_list_alloc(db->server_nr);

	if (ranks == NULL)
		return -DER_NOMEM;
	for (uint32_t i = 0; i < db->server_nr; i++)
		ranks->rl_ranks[i] = RDB_RANK_OF_ID(db->server_ids[i]);
	*ret_ranks = ranks;
	return 0;
}

void
rdb_get_uuid(struct rdb *db, uuid_t uuid)
{
	uuid_copy(uuid, db->uuid);
}

/* ---- the module ---- */

static uint32_t
env_number(const char *name, uint32_t def, uint32_t min, uint32_t max)
{
	const char   *text = getenv(name);
	char         *end;
	unsigned long v;

	if (text == NULL)
		return def;
	v = strtoul(text, &end, 0);
	if (*text == '\0' || *end != '\0' || v < min || v > max) {
		D_WARN("%s=%s is not a number from %u to %u; using %u", name, text, min, max, def);
		return def;
	}
	return v;
}

static bool
env_bool(const char *name, bool def)
{
	const char *text = getenv(name);

	if (text == NULL)
		return def;
	return strcmp(text, "0") != 0 && strcasecmp(text, "false") != 0 && strcasecmp(text, "no") != 0;
}

MAY_YIELD static int
mod_init(struct engine *eng)
{
	struct rdb_module *mod = calloc(1, sizeof(*mod));

	if (mod == NULL)
		return -DER_NOMEM;
	mod->engine = eng;
	d_list_init(&mod->dbs);
	mod->election_ms = env_number("RDB_ELECTION_TIMEOUT", ELECTION_MS_DEFAULT, 10, 3600 * 1000);
	mod->request_s = (env_number("RDB_REQUEST_TIMEOUT", REQUEST_MS_DEFAULT, 10, 3600 * 1000) + 999) / 1000;
	mod->compact_nr = env_number("RDB_COMPACT_THRESHOLD", COMPACT_NR_DEFAULT, 1, 1u << 24);
	mod->use_leases = env_bool("RDB_USE_LEASES", true);
	dss_module_set_data(eng, CRT_MOD_RDB, mod);
	return 0;
}

MAY_YIELD static void
mod_fini(struct engine *eng)
{
	struct rdb_module *mod = module_of(eng);

	while (!d_list_empty(&mod->dbs)) {
		struct rdb *db = d_list_first(&mod->dbs, struct rdb, link);

		D_WARN("rdb " DF_UUID " is still running at shutdown", DP_UUID(db->uuid));
		rdb_stop(db);
	}
	dss_module_set_data(eng, CRT_MOD_RDB, NULL);
	free(mod);
}

const struct dss_module dss_module_rdb = {
	.sm_name = "rdb",
	.sm_mod_id = CRT_MOD_RDB,
	.sm_init = mod_init,
	.sm_fini = mod_fini,
	.sm_proto = &rdb_proto,
};
