/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/**
 * The management service: pools. The system database knows which pools exist, their labels, ranks and service
 * replicas; everything else is asked of the pool's service, through an engine of this host.
 *
 * A pool is recorded before it is created ("creating") and taken out after it is destroyed, so that a crash in
 * between leaves a name that can be destroyed, not storage that nobody knows.
 */
#include <daos_errno.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/prop_table.h"
#include "control/common/cli_text.h"
#include "control/server/server.h"
#include "control/server/server_db.h"

#define RANKS_MAX 4096

struct rank_array {
	size_t   n;
	uint32_t v[RANKS_MAX];
};

static void
ranks_of(const json_t *array, struct rank_array *out)
{
	size_t i;

	out->n = MIN_OF(json_array_size(array), (size_t)RANKS_MAX);
	for (i = 0; i < out->n; i++)
		out->v[i] = (uint32_t)json_integer_value(json_array_get(array, i));
}

static json_t *
json_of(const uint32_t *ranks, size_t n)
{
	json_t *array = json_array();
	size_t  i;

	for (i = 0; i < n; i++)
		json_array_append_new(array, json_integer(ranks[i]));
	return array;
}

/** A joined engine here to ask; the answer says what to do when there is none. */
static struct server_engine *
an_engine(struct server *srv, struct answer *a)
{
	struct server_engine *eng;

	pthread_mutex_lock(&srv->lock);
	eng = server_any_engine(srv);
	pthread_mutex_unlock(&srv->lock);
	if (eng == NULL)
		answer_fail(a, -DER_UNREACH, "no engine of %s has joined the system; see `dmg system query`, and `dmg storage format` when "
			    "storage is not formatted", srv->addr);
	return eng;
}

/** The pool's record, copied; a message when there is none. */
static json_t *
pool_record(struct server *srv, const json_t *req, struct answer *a)
{
	const char *id = db_str(req, "id");
	json_t     *p;

	pthread_mutex_lock(&srv->lock);
	p = server_db_pool(srv->db, id);
	p = p ? json_deep_copy(p) : NULL;
	pthread_mutex_unlock(&srv->lock);
	if (p == NULL)
		answer_fail(a, -DER_NONEXIST, "pool %s: no such pool; see `dmg pool list`", id);
	return p;
}

/** A call about one pool: find record and engine, send, get the reply. */
struct pool_call {
	json_t               *rec;
	struct server_engine *eng;
	struct rank_array     svc;
	ProtobufCMessage     *resp;
};

static int
pool_call_begin(struct server *srv, const json_t *req, struct pool_call *c, struct answer *a)
{
	memset(c, 0, sizeof(*c));
	c->rec = pool_record(srv, req, a);
	c->eng = c->rec ? an_engine(srv, a) : NULL;
	if (c->eng == NULL) {
		json_decref(c->rec);
		c->rec = NULL;
		return a->status;
	}
	ranks_of(json_object_get(c->rec, "svc_reps"), &c->svc);
	return 0;
}

static int
pool_call_send(struct pool_call *c, int method, const ProtobufCMessage *req, const ProtobufCMessageDescriptor *desc, struct answer *a)
{
	int rc = server_engine_call(c->eng, method, req, desc, 280, &c->resp);

	/* Every reply begins with its status: DaosResp stands for all of them. */
	if (rc == 0)
		rc = *(int32_t *)((char *)c->resp + offsetof(Mgmt__DaosResp, status));
	if (rc != 0)
		answer_fail(a, rc, "pool %s: %s (%s)", db_str(c->rec, "label"), d_errdesc(rc), d_errstr(rc));
	return rc;
}

static void
pool_call_end(struct pool_call *c)
{
	if (c->resp != NULL)
		protobuf_c_message_free_unpacked(c->resp, NULL);
	json_decref(c->rec);
}

/* ---- find ---- */

int
method_pool_find(struct server *srv, json_t *req, struct answer *a)
{
	json_t *p;

	if (json_object_get(req, "id") == NULL) {
		pthread_mutex_lock(&srv->lock);
		a->response = json_pack("{s:o}", "pools", json_deep_copy(server_db_pools(srv->db)));
		pthread_mutex_unlock(&srv->lock);
		return 0;
	}
	p = pool_record(srv, req, a);
	if (p == NULL)
		return a->status;
	a->response = p;
	return 0;
}

/* ---- create ---- */

struct create {
	Mgmt__PoolCreateReq   msg;
	char                  uuid[37];
	struct rank_array     ranks, svc;
	Mgmt__PoolProperty    props[DAOS_PROP_ENTRIES_MAX_NR], *prop_ptrs[DAOS_PROP_ENTRIES_MAX_NR];
	char                  prop_text[DAOS_PROP_ENTRIES_MAX_NR][256];
	char                 *acl[1024];
};

/** The ranks it will span: those named, or num_ranks of the joined ones, or all of them. */
static int
choose_ranks(struct server *srv, const json_t *req, struct create *c, struct answer *a)
{
	struct rank_array joined = {0};
	uint64_t          num = db_int(req, "num_ranks");
	json_t           *m;
	size_t            i, k;

	pthread_mutex_lock(&srv->lock);
	for (i = 0; i < 65536 && joined.n < json_array_size(server_db_members(srv->db)) && joined.n < RANKS_MAX; i++) {
		m = server_db_member(srv->db, (uint32_t)i);
		if (m != NULL && strcmp(db_str(m, "state"), "joined") == 0)
			joined.v[joined.n++] = (uint32_t)i;
	}
	pthread_mutex_unlock(&srv->lock);
	ranks_of(json_object_get(req, "ranks"), &c->ranks);
	for (i = 0; i < c->ranks.n; i++) {
		for (k = 0; k < joined.n && joined.v[k] != c->ranks.v[i]; k++)
			;
		if (k == joined.n)
			return answer_fail(a, -DER_NONEXIST, "rank %u has not joined; see `dmg system query`", c->ranks.v[i]);
	}
	if (c->ranks.n == 0)
		c->ranks = joined;
	if (num > c->ranks.n)
		return answer_fail(a, -DER_INVAL, "%llu ranks are wanted, %zu have joined", (unsigned long long)num, c->ranks.n);
	if (num > 0)
		c->ranks.n = num;
	return c->ranks.n > 0 ? 0 : answer_fail(a, -DER_NONEXIST, "no rank has joined; see `dmg system query`");
}

/** The service starts on the MS's own engines first: they are nearest to who asks. */
static int
choose_svc(struct server *srv, const json_t *req, struct create *c, struct answer *a)
{
	uint64_t wanted = db_int(req, "num_svc_reps");

	if (wanted == 0)
		wanted = c->ranks.n >= 5 ? 5 : c->ranks.n >= 3 ? 3 : 1;
	if (wanted > c->ranks.n)
		return answer_fail(a, -DER_INVAL, "%llu service replicas are wanted on %zu ranks", (unsigned long long)wanted, c->ranks.n);
	c->svc.n = wanted;
	memcpy(c->svc.v, c->ranks.v, wanted * sizeof(c->svc.v[0]));
	return 0;
}

/** Least free bytes of a rank, over all hosts, for sizes in percent. */
static int
least_free(struct server *srv, const struct create *c, uint64_t *ret_meta, uint64_t *ret_data, struct answer *a)
{
	uint64_t least[2] = {UINT64_MAX, UINT64_MAX};
	size_t   i, k;

	for (i = 0; i < c->ranks.n; i++) {
		Mgmt__Empty             req = MGMT__EMPTY__INIT;
		Mgmt__StorageQueryResp *resp = NULL;
		struct server_engine   *eng = NULL;
		uint64_t                bytes[2] = {0, 0};

		for (k = 0; k < srv->cfg->engines_count; k++)
			if (srv->engines[k].rank == c->ranks.v[i])
				eng = &srv->engines[k];
		if (eng == NULL)
			continue; /* hosts are alike: those here stand for the others */
		if (server_engine_call(eng, DRPC_METHOD_MGMT_SMD_LIST_DEVS, &req.base, &mgmt__storage_query_resp__descriptor, 20,
				       (ProtobufCMessage **)&resp) != 0)
			return answer_fail(a, -DER_UNREACH, "rank %u does not tell its free space", eng->rank);
		for (k = 0; k < resp->n_devices; k++)
			bytes[(resp->devices[k]->roles & 4) ? 1 : 0] += resp->devices[k]->free_bytes;
		mgmt__storage_query_resp__free_unpacked(resp, NULL);
		for (k = 0; k < 2; k++)
			least[k] = MIN_OF(least[k], bytes[k]);
	}
	if (least[1] == UINT64_MAX)
		return answer_fail(a, -DER_NOTSUPPORTED, "a size in percent needs one of the pool's ranks on %s; give a size in bytes", srv->addr);
	*ret_meta = least[0];
	*ret_data = least[1];
	return 0;
}

static int
choose_sizes(struct server *srv, const json_t *req, struct create *c, struct answer *a)
{
	const json_t *tiers = json_object_get(req, "tier_bytes"), *ratio = json_object_get(req, "tier_ratio");
	double        meta_pct = ratio ? json_number_value(json_array_get(ratio, 0)) : 6;
	double        pct = json_number_value(json_object_get(req, "total_percent"));
	uint64_t      total = db_int(req, "total_bytes"), meta_free = 0, data_free = 0;
	int           rc;

	if (json_array_size(tiers) > 0) {
		c->msg.meta_bytes = (uint64_t)json_integer_value(json_array_get(tiers, 0));
		c->msg.data_bytes = (uint64_t)json_integer_value(json_array_get(tiers, 1));
	} else if (pct > 0) {
		rc = least_free(srv, c, &meta_free, &data_free, a);
		if (rc != 0)
			return rc;
		total = (uint64_t)((double)(meta_free + data_free) * pct / 100);
		c->msg.meta_bytes = (uint64_t)((double)total * meta_pct / 100);
		c->msg.data_bytes = total - c->msg.meta_bytes;
	} else {
		total /= c->ranks.n;
		c->msg.meta_bytes = (uint64_t)((double)total * meta_pct / 100);
		c->msg.data_bytes = total - c->msg.meta_bytes;
	}
	if (c->msg.meta_bytes == 0)
		return answer_fail(a, -DER_INVAL, "the pool's size is missing or zero");
	return 0;
}

static int
parse_props(const json_t *req, Mgmt__PoolProperty *props, Mgmt__PoolProperty **ptrs, char text[][256], size_t *ret_nr, struct answer *a)
{
	struct daos_prop_entry e;
	const json_t          *list = json_object_get(req, "properties"), *p;
	char                   values[512];
	size_t                 i, nr = 0;

	json_array_foreach((json_t *)list, i, p) {
		const struct prop_desc *d = prop_desc_by_name(PROP_POOL, db_str(p, "name"));

		if (d == NULL || nr == DAOS_PROP_ENTRIES_MAX_NR)
			return answer_fail(a, -DER_INVAL, "%s: no such pool property; `dmg pool get-prop` lists them", db_str(p, "name"));
		memset(&e, 0, sizeof(e));
		e.dpe_type = d->type;
		if (prop_entry_from_text(d, db_str(p, "value"), &e) != 0) {
			prop_desc_values(d, values, sizeof(values));
			return answer_fail(a, -DER_INVAL, "%s: '%s' is not valid; wanted %s", d->name, db_str(p, "value"), values);
		}
		mgmt__pool_property__init(&props[nr]);
		props[nr].number = d->type;
		if (d->kind == PROP_KIND_NUM) {
			props[nr].value_case = MGMT__POOL_PROPERTY__VALUE_NUMVAL;
			props[nr].numval = e.dpe_val;
		} else {
			snprintf(text[nr], sizeof(text[nr]), "%s", db_str(p, "value"));
			props[nr].value_case = MGMT__POOL_PROPERTY__VALUE_STRVAL;
			props[nr].strval = text[nr];
			prop_entry_fini(&e);
		}
		ptrs[nr] = &props[nr];
		nr++;
	}
	*ret_nr = nr;
	return 0;
}

/** "bob" becomes "bob@"; none: who runs the server. */
static void
principal(char *buf, size_t bytes, const char *given)
{
	struct passwd *pw = given[0] ? NULL : getpwuid(geteuid());

	snprintf(buf, bytes, "%s%s", given[0] ? given : pw ? pw->pw_name : "root", strchr(given, '@') ? "" : "@");
}

static int
create_fill(struct server *srv, const json_t *req, struct create *c, struct answer *a)
{
	const json_t *acl = json_object_get(req, "acl");
	uuid_t        uuid;
	size_t        i;
	int           rc;

	mgmt__pool_create_req__init(&c->msg);
	plat_uuid_generate(uuid);
	uuid_unparse_lower(uuid, c->uuid);
	if (text_is_uuid(db_str(req, "uuid")))
		snprintf(c->uuid, sizeof(c->uuid), "%s", db_str(req, "uuid"));
	c->msg.uuid = c->uuid;
	c->msg.label = (char *)db_str(req, "label");
	if (!text_is_label(c->msg.label))
		return answer_fail(a, -DER_INVAL, "'%s' is no label: 1 to 127 letters, digits and ._:- , and no UUID", c->msg.label);
	rc = choose_ranks(srv, req, c, a);
	if (rc == 0)
		rc = choose_svc(srv, req, c, a);
	if (rc == 0)
		rc = choose_sizes(srv, req, c, a);
	if (rc == 0)
		rc = parse_props(req, c->props, c->prop_ptrs, c->prop_text, &c->msg.n_properties, a);
	if (rc != 0)
		return rc;
	c->msg.properties = c->prop_ptrs;
	c->msg.n_ranks = c->ranks.n;
	c->msg.ranks = c->ranks.v;
	c->msg.n_svc_ranks = c->svc.n;
	c->msg.svc_ranks = c->svc.v;
	c->msg.acl = c->acl;
	c->msg.n_acl = MIN_OF(json_array_size(acl), ARRAY_NR(c->acl));
	for (i = 0; i < c->msg.n_acl; i++)
		if ((c->acl[i] = (char *)json_string_value(json_array_get(acl, i))) == NULL)
			return answer_fail(a, -DER_INVAL, "acl: an entry is no text");
	return 0;
}

/** Record the pool as being created; refuses a label or UUID that is taken. */
static int
create_record(struct server *srv, const struct create *c, struct answer *a)
{
	json_t *pools;
	int     rc;

	pthread_mutex_lock(&srv->lock);
	pools = server_db_pools(srv->db);
	if (server_db_pool(srv->db, c->msg.label) != NULL || server_db_pool(srv->db, c->uuid) != NULL) {
		pthread_mutex_unlock(&srv->lock);
		return answer_fail(a, -DER_EXIST, "pool %s exists already", c->msg.label);
	}
	json_array_append_new(pools, json_pack("{s:s, s:s, s:s, s:o, s:o, s:[I, I]}", "uuid", c->uuid, "label", c->msg.label, "state",
					       "creating", "ranks", json_of(c->ranks.v, c->ranks.n), "svc_reps",
					       json_of(c->svc.v, c->svc.n), "tier_bytes", (json_int_t)c->msg.meta_bytes,
					       (json_int_t)c->msg.data_bytes));
	rc = server_db_save(srv->db);
	if (rc != 0) {
		json_array_remove(pools, json_array_size(pools) - 1);
		answer_fail(a, rc, "the system database cannot be written: %s", d_errdesc(rc));
	}
	pthread_mutex_unlock(&srv->lock);
	return rc;
}

static void
forget_pool(struct server *srv, const char *uuid)
{
	json_t *pools, *p;
	size_t  i;

	pthread_mutex_lock(&srv->lock);
	pools = server_db_pools(srv->db);
	json_array_foreach(pools, i, p) {
		if (strcmp(db_str(p, "uuid"), uuid) == 0) {
			json_array_remove(pools, i);
			break;
		}
	}
	if (server_db_save(srv->db) != 0)
		server_say("the system database cannot be written");
	pthread_mutex_unlock(&srv->lock);
}

static void
create_done(struct server *srv, const struct create *c, const Mgmt__PoolCreateResp *resp, struct answer *a)
{
	const uint32_t *svc = resp->n_svc_reps ? resp->svc_reps : c->svc.v;
	size_t          svc_nr = resp->n_svc_reps ? resp->n_svc_reps : c->svc.n;
	uint64_t        meta = resp->meta_bytes ? resp->meta_bytes : c->msg.meta_bytes;
	uint64_t        data = resp->data_bytes ? resp->data_bytes : c->msg.data_bytes;
	json_t         *p;

	pthread_mutex_lock(&srv->lock);
	p = server_db_pool(srv->db, c->uuid);
	if (p != NULL) {
		json_object_set_new(p, "state", json_string("ready"));
		json_object_set_new(p, "svc_reps", json_of(svc, svc_nr));
		json_object_set_new(p, "tier_bytes", json_pack("[I, I]", (json_int_t)meta, (json_int_t)data));
		if (server_db_save(srv->db) != 0)
			server_say("the system database cannot be written");
	}
	pthread_mutex_unlock(&srv->lock);
	a->response = json_pack("{s:s, s:I, s:o, s:o, s:[I, I], s:I, s:b}", "uuid", c->uuid, "svc_ldr", (json_int_t)resp->leader, "svc_reps",
				json_of(svc, svc_nr), "tgt_ranks", json_of(c->ranks.v, c->ranks.n), "tier_bytes", (json_int_t)meta,
				(json_int_t)data, "mem_file_bytes", (json_int_t)meta, "md_on_ssd_active", 0);
}

int
method_pool_create(struct server *srv, json_t *req, struct answer *a)
{
	char                  user[256], group[256];
	struct server_engine *eng = an_engine(srv, a);
	struct create        *c;
	ProtobufCMessage     *msg = NULL;
	Mgmt__PoolCreateResp *resp;
	int                   rc;

	if (eng == NULL)
		return a->status;
	c = calloc(1, sizeof(*c));
	if (c == NULL)
		return -DER_NOMEM;
	rc = create_fill(srv, req, c, a);
	if (rc == 0)
		rc = create_record(srv, c, a);
	if (rc != 0) {
		free(c);
		return rc;
	}
	principal(user, sizeof(user), db_str(req, "user"));
	principal(group, sizeof(group), db_str(req, "user_group"));
	c->msg.user = user;
	c->msg.user_group = group;
	rc = server_engine_call(eng, DRPC_METHOD_MGMT_POOL_CREATE, &c->msg.base, &mgmt__pool_create_resp__descriptor, 280, &msg);
	resp = (Mgmt__PoolCreateResp *)msg;
	if (rc == 0)
		rc = resp->status;
	if (rc != 0) {
		answer_fail(a, rc, "pool %s cannot be created: %s%s%s%s", c->msg.label, d_errdesc(rc), resp && resp->message[0] ? "; " : "",
			    resp ? resp->message : "",
			    rc == -DER_NOSPACE ? "; see `dmg storage scan -v` for what is free, or give a smaller size" : "");
		forget_pool(srv, c->uuid);
	} else {
		create_done(srv, c, resp, a);
	}
	if (msg != NULL)
		protobuf_c_message_free_unpacked(msg, NULL);
	free(c);
	return rc;
}

/* ---- destroy ---- */

int
method_pool_destroy(struct server *srv, json_t *req, struct answer *a)
{
	Mgmt__PoolDestroyReq msg = MGMT__POOL_DESTROY_REQ__INIT;
	struct pool_call     c;
	struct rank_array    ranks;
	int                  rc = pool_call_begin(srv, req, &c, a);

	if (rc != 0)
		return rc;
	ranks_of(json_object_get(c.rec, "ranks"), &ranks);
	msg.uuid = (char *)db_str(c.rec, "uuid");
	msg.n_svc_ranks = c.svc.n;
	msg.svc_ranks = c.svc.v;
	msg.n_ranks = ranks.n;
	msg.ranks = ranks.v;
	msg.force = json_is_true(json_object_get(req, "force"));
	msg.recursive = json_is_true(json_object_get(req, "recursive"));
	rc = pool_call_send(&c, DRPC_METHOD_MGMT_POOL_DESTROY, &msg.base, &mgmt__daos_resp__descriptor, a);
	if (rc == 0)
		forget_pool(srv, msg.uuid);
	else if (rc == -DER_BUSY)
		answer_fail(a, rc, "pool %s is in use: it has open handles (--force overrides) or containers (--recursive overrides)",
			    db_str(c.rec, "label"));
	pool_call_end(&c);
	return rc;
}

/* ---- query ---- */

static json_t *
tier_json(const Mgmt__StorageUsageStats *t)
{
	return json_pack("{s:I, s:I, s:I, s:I, s:I, s:s}", "total", (json_int_t)t->total, "free", (json_int_t)t->free, "min",
			 (json_int_t)t->min, "max", (json_int_t)t->max, "mean", (json_int_t)t->mean, "media_type",
			 t->media_type == 1 ? "nvme" : "scm");
}

/** How much fuller the fullest target is than the emptiest, in percent of a target's share. */
static uint32_t
imbalance(const Mgmt__StorageUsageStats *t, uint32_t targets)
{
	uint64_t share = targets ? t->total / targets : 0;

	return share ? (uint32_t)((t->max - t->min) * 100 / share) : 0;
}

static json_t *
rank_set(const uint32_t *ranks, size_t nr)
{
	char  *text = text_ranks(ranks, (uint32_t)nr), shown[1024];

	snprintf(shown, sizeof(shown), "[%s]", text ? text : "");
	free(text);
	return nr > 0 ? json_string(shown) : json_string("");
}

static json_t *
query_json(const json_t *rec, const Mgmt__PoolQueryResp *r, bool health_only, bool show_enabled)
{
	static const char *const states[] = {"idle", "done", "busy"};
	const char              *state = r->rebuild_state < 3 ? states[r->rebuild_state] : "unknown";
	json_t                  *doc, *tiers = json_array(), *usage = json_array();
	size_t                   i;

	for (i = 0; i < r->n_tier_stats; i++) {
		const Mgmt__StorageUsageStats *t = r->tier_stats[i];

		json_array_append_new(tiers, tier_json(t));
		json_array_append_new(usage, json_pack("{s:s, s:I, s:I, s:I}", "tier_name", t->media_type == 1 ? "NVME" : "SCM", "size",
						       (json_int_t)t->total, "free", (json_int_t)t->free, "imbalance",
						       (json_int_t)imbalance(t, r->active_targets)));
	}
	doc = json_pack("{s:s, s:s, s:s, s:s, s:I, s:I, s:I, s:I, s:I, s:I, s:o, s:{s:i, s:s, s:s, s:I, s:I, s:I, s:b}}", "query_mask",
			health_only ? "rebuild" : "rebuild,space", "state", r->disabled_targets ? "Degraded" : "Ready", "uuid",
			db_str(rec, "uuid"), "label", db_str(rec, "label"), "total_targets", (json_int_t)r->total_targets,
			"active_targets", (json_int_t)r->active_targets, "total_engines", (json_int_t)r->total_engines,
			"disabled_targets", (json_int_t)r->disabled_targets, "version", (json_int_t)r->version, "svc_ldr",
			(json_int_t)r->leader, "svc_reps", json_of(r->svc_reps, r->n_svc_reps), "rebuild", "status",
			(int)r->rebuild_status, "state", state, "derived_state", state, "objects", (json_int_t)r->rebuild_objects,
			"records", (json_int_t)r->rebuild_records, "total_objects", (json_int_t)0, "degraded", r->disabled_targets > 0);
	if (health_only) {
		json_decref(tiers);
		json_decref(usage);
	} else {
		json_object_set_new(doc, "tier_stats", tiers);
		json_object_set_new(doc, "usage", usage);
	}
	if (show_enabled)
		json_object_set_new(doc, "enabled_ranks", rank_set(r->enabled_ranks, r->n_enabled_ranks));
	json_object_set_new(doc, "disabled_ranks", rank_set(r->disabled_ranks, r->n_disabled_ranks));
	json_object_set_new(doc, "pool_layout_ver", json_integer(r->pool_layout_ver));
	json_object_set_new(doc, "upgrade_layout_ver", json_integer(r->upgrade_layout_ver));
	json_object_set_new(doc, "mem_file_bytes", json_integer((json_int_t)r->mem_file_bytes));
	json_object_set_new(doc, "md_on_ssd_active", json_boolean(r->md_on_ssd));
	json_object_set_new(doc, "self_heal_policy", json_string("exclude;rebuild"));
	return doc;
}

int
method_pool_query(struct server *srv, json_t *req, struct answer *a)
{
	Mgmt__PoolQueryReq msg = MGMT__POOL_QUERY_REQ__INIT;
	struct pool_call   c;
	int                rc = pool_call_begin(srv, req, &c, a);

	if (rc != 0)
		return rc;
	msg.uuid = (char *)db_str(c.rec, "uuid");
	msg.n_svc_ranks = c.svc.n;
	msg.svc_ranks = c.svc.v;
	msg.health_only = json_is_true(json_object_get(req, "health_only"));
	rc = pool_call_send(&c, DRPC_METHOD_MGMT_POOL_QUERY, &msg.base, &mgmt__pool_query_resp__descriptor, a);
	if (rc == 0)
		a->response = query_json(c.rec, (Mgmt__PoolQueryResp *)c.resp, msg.health_only,
					 json_is_true(json_object_get(req, "show_enabled")));
	pool_call_end(&c);
	return rc;
}

int
method_pool_list(struct server *srv, json_t *req, struct answer *a)
{
	bool    no_query = json_is_true(json_object_get(req, "no_query"));
	json_t *recs, *rec, *pools = json_array();
	size_t  i;

	pthread_mutex_lock(&srv->lock);
	recs = json_deep_copy(server_db_pools(srv->db));
	pthread_mutex_unlock(&srv->lock);
	json_array_foreach(recs, i, rec) {
		struct answer one = {0};
		json_t       *ask = json_pack("{s:s}", "id", db_str(rec, "uuid"));
		int           rc = no_query ? -DER_CANCELED : method_pool_query(srv, ask, &one);

		json_decref(ask);
		if (rc != 0)
			one.response = json_pack("{s:s, s:s, s:s, s:O, s:s}", "uuid", db_str(rec, "uuid"), "label", db_str(rec, "label"),
						 "state", strcmp(db_str(rec, "state"), "creating") == 0 ? "Creating" : no_query ? "Ready" : "Unknown",
						 "svc_reps", json_object_get(rec, "svc_reps"), "query_error", no_query ? "" : one.error);
		json_array_append_new(pools, one.response);
	}
	json_decref(recs);
	a->response = json_pack("{s:i, s:o}", "status", 0, "pools", pools);
	return 0;
}

static const char *
target_state(uint32_t state)
{
	static const char *const names[] = {"unknown", "down_out", "down", "up", "up_in", "new", "drain"};

	return state < ARRAY_NR(names) ? names[state] : names[0];
}

int
method_pool_query_targets(struct server *srv, json_t *req, struct answer *a)
{
	Mgmt__PoolQueryTargetReq   msg = MGMT__POOL_QUERY_TARGET_REQ__INIT;
	Mgmt__PoolQueryTargetResp *resp;
	struct rank_array          targets;
	struct pool_call           c;
	json_t                    *infos, *space;
	size_t                     i, k;
	int                        rc = pool_call_begin(srv, req, &c, a);

	if (rc != 0)
		return rc;
	ranks_of(json_object_get(req, "targets"), &targets);
	msg.uuid = (char *)db_str(c.rec, "uuid");
	msg.n_svc_ranks = c.svc.n;
	msg.svc_ranks = c.svc.v;
	msg.rank = (uint32_t)db_int(req, "rank");
	msg.n_targets = targets.n;
	msg.targets = targets.v;
	rc = pool_call_send(&c, DRPC_METHOD_MGMT_POOL_QUERY_TARGETS, &msg.base, &mgmt__pool_query_target_resp__descriptor, a);
	if (rc == 0) {
		resp = (Mgmt__PoolQueryTargetResp *)c.resp;
		infos = json_array();
		for (i = 0; i < resp->n_infos; i++) {
			space = json_array();
			for (k = 0; k < resp->infos[i]->n_space; k++)
				json_array_append_new(space, tier_json(resp->infos[i]->space[k]));
			json_array_append_new(infos, json_pack("{s:s, s:o}", "target_state", target_state(resp->infos[i]->state), "space", space));
		}
		a->response = json_pack("{s:o}", "infos", infos);
	}
	pool_call_end(&c);
	return rc;
}

/* ---- targets out of service and back ---- */

static const char *const map_changes[] = {"exclude", "reintegrate", "drain", "extend"};

/** One result a rank, as for other commands about ranks; and who has not heard yet. */
static json_t *
ranks_json(const struct pool_call *c, const struct rank_array *ranks, const Mgmt__PoolRanksResp *resp)
{
	json_t *results = json_array();
	size_t  i;

	for (i = 0; i < ranks->n; i++)
		json_array_append_new(results, json_pack("{s:i, s:b, s:s}", "rank", (int)ranks->v[i], "errored", 0, "msg", ""));
	return json_pack("{s:s, s:o, s:I, s:o}", "id", db_str(c->rec, "uuid"), "results", results, "version", (json_int_t)resp->version,
			 "untold_ranks", json_of(resp->untold, resp->n_untold));
}

static int
explain(struct answer *a, int rc, const struct pool_call *c)
{
	const char *label = db_str(c->rec, "label");

	if (rc == -DER_RF)
		return answer_fail(a, rc, "pool %s: more ranks would have failed than its rd_fac allows, or no target would be left; "
				   "what is on them is out of reach until they are reintegrated (--force overrides)", label);
	if (rc == -DER_NONEXIST)
		return answer_fail(a, rc, "pool %s: there is no such rank or target in the pool, or it has lost its part of it", label);
	return rc;
}

static int
change_ranks(struct server *srv, json_t *req, struct answer *a, uint32_t change)
{
	Mgmt__PoolRanksReq msg = MGMT__POOL_RANKS_REQ__INIT;
	struct rank_array  ranks, targets;
	struct pool_call   c;
	int                rc;

	ranks_of(json_object_get(req, "ranks"), &ranks);
	ranks_of(json_object_get(req, "targets"), &targets);
	if (ranks.n == 0)
		return answer_fail(a, -DER_INVAL, "which ranks? Give them as \"ranks\"");
	if (targets.n > 0 && ranks.n != 1)
		return answer_fail(a, -DER_INVAL, "target indexes are those of one rank, but %zu ranks are given", ranks.n);
	rc = pool_call_begin(srv, req, &c, a);
	if (rc != 0)
		return rc;
	msg.uuid = (char *)db_str(c.rec, "uuid");
	msg.n_svc_ranks = c.svc.n;
	msg.svc_ranks = c.svc.v;
	msg.n_ranks = ranks.n;
	msg.ranks = ranks.v;
	msg.n_targets = targets.n;
	msg.targets = targets.v;
	msg.change = change;
	msg.force = json_is_true(json_object_get(req, "force"));
	rc = pool_call_send(&c, DRPC_METHOD_MGMT_POOL_RANKS, &msg.base, &mgmt__pool_ranks_resp__descriptor, a);
	if (rc == 0)
		a->response = ranks_json(&c, &ranks, (Mgmt__PoolRanksResp *)c.resp);
	else
		rc = explain(a, rc, &c);
	pool_call_end(&c);
	return rc;
}

int
method_pool_exclude(struct server *srv, json_t *req, struct answer *a)
{
	return change_ranks(srv, req, a, 0);
}

int
method_pool_reintegrate(struct server *srv, json_t *req, struct answer *a)
{
	return change_ranks(srv, req, a, 1);
}

/** Both move data, which nothing here does yet. */
static int
needs_rebuild(struct answer *a, uint32_t change)
{
	return answer_fail(a, -DER_NOTSUPPORTED, "pool %s moves data between targets, which this version cannot do; exclude takes targets out "
			   "of service, and reintegrate brings them back with what they hold", map_changes[change]);
}

int
method_pool_drain(struct server *srv, json_t *req, struct answer *a)
{
	return needs_rebuild(a, 2);
}

int
method_pool_extend(struct server *srv, json_t *req, struct answer *a)
{
	return needs_rebuild(a, 3);
}

int
method_pool_evict(struct server *srv, json_t *req, struct answer *a)
{
	Mgmt__PoolReq    msg = MGMT__POOL_REQ__INIT;
	struct pool_call c;
	int              rc = pool_call_begin(srv, req, &c, a);

	if (rc != 0)
		return rc;
	msg.uuid = (char *)db_str(c.rec, "uuid");
	msg.n_svc_ranks = c.svc.n;
	msg.svc_ranks = c.svc.v;
	rc = pool_call_send(&c, DRPC_METHOD_MGMT_POOL_EVICT, &msg.base, &mgmt__pool_evict_resp__descriptor, a);
	if (rc == 0)
		a->response = json_pack("{s:i}", "count", ((Mgmt__PoolEvictResp *)c.resp)->count);
	pool_call_end(&c);
	return rc;
}

/* ---- properties ---- */

static json_t *
prop_json(const Mgmt__PoolProperty *p)
{
	const struct prop_desc *d = prop_desc_by_type(p->number);
	struct daos_prop_entry  e = {.dpe_type = p->number};
	char                    text[1024] = "";

	if (d == NULL)
		return NULL;
	if (p->value_case == MGMT__POOL_PROPERTY__VALUE_STRVAL) {
		snprintf(text, sizeof(text), "%s", p->strval);
	} else {
		e.dpe_val = p->numval;
		if (prop_entry_to_text(d, &e, text, sizeof(text)) < 0)
			return NULL;
	}
	return json_pack("{s:s, s:s, s:s}", "name", d->name, "description", d->title, "value", text);
}

int
method_pool_get_prop(struct server *srv, json_t *req, struct answer *a)
{
	Mgmt__PoolGetPropReq   msg = MGMT__POOL_GET_PROP_REQ__INIT;
	Mgmt__PoolGetPropResp *resp;
	uint32_t               numbers[DAOS_PROP_ENTRIES_MAX_NR];
	struct pool_call       c;
	json_t                *name, *one;
	size_t                 i;
	int                    rc = pool_call_begin(srv, req, &c, a);

	if (rc != 0)
		return rc;
	json_array_foreach(json_object_get(req, "names"), i, name) {
		const struct prop_desc *d = json_is_string(name) ? prop_desc_by_name(PROP_POOL, json_string_value(name)) : NULL;

		if (d == NULL || msg.n_numbers == ARRAY_NR(numbers)) {
			pool_call_end(&c);
			return answer_fail(a, -DER_INVAL, "%s: no such pool property", json_is_string(name) ? json_string_value(name) : "?");
		}
		numbers[msg.n_numbers++] = d->type;
	}
	msg.numbers = numbers;
	msg.uuid = (char *)db_str(c.rec, "uuid");
	msg.n_svc_ranks = c.svc.n;
	msg.svc_ranks = c.svc.v;
	rc = pool_call_send(&c, DRPC_METHOD_MGMT_POOL_GET_PROP, &msg.base, &mgmt__pool_get_prop_resp__descriptor, a);
	if (rc == 0) {
		resp = (Mgmt__PoolGetPropResp *)c.resp;
		a->response = json_array();
		for (i = 0; i < resp->n_properties; i++)
			if ((one = prop_json(resp->properties[i])) != NULL)
				json_array_append_new(a->response, one);
	}
	pool_call_end(&c);
	return rc;
}

/** A changed label is the MS's business too. */
static int
relabel(struct server *srv, const json_t *rec, const json_t *props, bool check_only, struct answer *a)
{
	const json_t *p;
	json_t       *other;
	size_t        i;
	int           rc = 0;

	json_array_foreach((json_t *)props, i, p) {
		if (strcmp(db_str(p, "name"), "label") != 0)
			continue;
		pthread_mutex_lock(&srv->lock);
		other = server_db_pool(srv->db, db_str(p, "value"));
		if (!text_is_label(db_str(p, "value")))
			rc = answer_fail(a, -DER_INVAL, "'%s' is no label", db_str(p, "value"));
		else if (other != NULL && strcmp(db_str(other, "uuid"), db_str(rec, "uuid")) != 0)
			rc = answer_fail(a, -DER_EXIST, "label %s is taken", db_str(p, "value"));
		else if (!check_only) {
			json_object_set(server_db_pool(srv->db, db_str(rec, "uuid")), "label", json_object_get(p, "value"));
			rc = server_db_save(srv->db);
		}
		pthread_mutex_unlock(&srv->lock);
	}
	return rc;
}

int
method_pool_set_prop(struct server *srv, json_t *req, struct answer *a)
{
	Mgmt__PoolSetPropReq msg = MGMT__POOL_SET_PROP_REQ__INIT;
	struct create       *room = calloc(1, sizeof(*room));
	struct pool_call     c;
	int                  rc = room ? pool_call_begin(srv, req, &c, a) : -DER_NOMEM;

	if (rc != 0) {
		free(room);
		return rc;
	}
	rc = parse_props(req, room->props, room->prop_ptrs, room->prop_text, &msg.n_properties, a);
	if (rc == 0)
		rc = relabel(srv, c.rec, json_object_get(req, "properties"), true, a);
	if (rc == 0) {
		msg.properties = room->prop_ptrs;
		msg.uuid = (char *)db_str(c.rec, "uuid");
		msg.n_svc_ranks = c.svc.n;
		msg.svc_ranks = c.svc.v;
		rc = pool_call_send(&c, DRPC_METHOD_MGMT_POOL_SET_PROP, &msg.base, &mgmt__daos_resp__descriptor, a);
	}
	if (rc == 0)
		rc = relabel(srv, c.rec, json_object_get(req, "properties"), false, a);
	pool_call_end(&c);
	free(room);
	return rc;
}

/* ---- access control lists, owners ---- */

static int
acl_call(struct server *srv, json_t *req, int method, struct answer *a)
{
	Mgmt__AclReq      msg = MGMT__ACL_REQ__INIT;
	Mgmt__AclResp    *resp;
	struct pool_call  c;
	json_t           *list = json_object_get(req, "entries"), *e;
	char             *entries[1024];
	size_t            i;
	int               rc = pool_call_begin(srv, req, &c, a);

	if (rc != 0)
		return rc;
	json_array_foreach(list, i, e)
		if (json_is_string(e) && msg.n_entries < ARRAY_NR(entries))
			entries[msg.n_entries++] = (char *)json_string_value(e);
	msg.entries = entries;
	msg.principal = (char *)db_str(req, "principal");
	msg.uuid = (char *)db_str(c.rec, "uuid");
	msg.n_svc_ranks = c.svc.n;
	msg.svc_ranks = c.svc.v;
	rc = pool_call_send(&c, method, &msg.base, &mgmt__acl_resp__descriptor, a);
	if (rc == 0) {
		resp = (Mgmt__AclResp *)c.resp;
		list = json_array();
		for (i = 0; i < resp->n_entries; i++)
			json_array_append_new(list, json_string(resp->entries[i]));
		a->response = json_pack("{s:o, s:s, s:s}", "entries", list, "owner_user", resp->owner_user, "owner_group", resp->owner_group);
	}
	pool_call_end(&c);
	return rc;
}

int
method_pool_get_acl(struct server *srv, json_t *req, struct answer *a)
{
	return acl_call(srv, req, DRPC_METHOD_MGMT_POOL_GET_ACL, a);
}

int
method_pool_overwrite_acl(struct server *srv, json_t *req, struct answer *a)
{
	return acl_call(srv, req, DRPC_METHOD_MGMT_POOL_OVERWRITE_ACL, a);
}

int
method_pool_update_acl(struct server *srv, json_t *req, struct answer *a)
{
	return acl_call(srv, req, DRPC_METHOD_MGMT_POOL_UPDATE_ACL, a);
}

int
method_pool_delete_acl(struct server *srv, json_t *req, struct answer *a)
{
	return acl_call(srv, req, DRPC_METHOD_MGMT_POOL_DELETE_ACL, a);
}

int
method_cont_set_owner(struct server *srv, json_t *req, struct answer *a)
{
	Mgmt__ContSetOwnerReq msg = MGMT__CONT_SET_OWNER_REQ__INIT;
	struct pool_call      c;
	int                   rc;

	json_object_set(req, "id", json_object_get(req, "pool"));
	rc = pool_call_begin(srv, req, &c, a);
	if (rc != 0)
		return rc;
	msg.pool_uuid = (char *)db_str(c.rec, "uuid");
	msg.cont = (char *)db_str(req, "cont");
	msg.owner_user = (char *)db_str(req, "user");
	msg.owner_group = (char *)db_str(req, "group");
	msg.n_svc_ranks = c.svc.n;
	msg.svc_ranks = c.svc.v;
	rc = pool_call_send(&c, DRPC_METHOD_MGMT_CONT_SET_OWNER, &msg.base, &mgmt__daos_resp__descriptor, a);
	if (rc == -DER_NONEXIST)
		answer_fail(a, rc, "container %s: no such container in pool %s", msg.cont, db_str(c.rec, "label"));
	pool_call_end(&c);
	return rc;
}
