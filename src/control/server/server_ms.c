/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/**
 * The management service: membership of the system. It lives in the daos_server that mgmt_svc_replicas names, so
 * that ranks can be queried, started and erased while no engine runs.
 *
 * A member is found again by the UUID of its storage: it keeps its rank for ever. The map version goes up with each
 * change of who is joined or how to reach it; engines get the map of joined members by GroupUpdate.
 */
#include <daos_errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "control/common/cli.h"
#include "control/common/cli_text.h"
#include "control/server/server.h"
#include "control/server/server_attach.h"
#include "control/server/server_db.h"
#include "control/server/server_group.h"

static int
save_db(struct server *srv, struct answer *a)
{
	int rc = server_db_save(srv->db);

	if (rc != 0)
		answer_fail(a, rc, "the system database cannot be written: %s; check the disk under control_metadata", d_errdesc(rc));
	return rc;
}

static bool
is_joined(const json_t *m)
{
	return strcmp(db_str(m, "state"), "joined") == 0;
}

/** Runs and can be reached: joined, or about to be, when its engine is set up. */
static bool
is_mapped(const json_t *m)
{
	return is_joined(m) || strcmp(db_str(m, "state"), "joining") == 0;
}

static uint32_t
bump_version(struct server *srv)
{
	json_t  *doc = server_db_doc(srv->db);
	uint32_t version = (uint32_t)db_int(doc, "map_version") + 1;

	json_object_set_new(doc, "map_version", json_integer(version));
	return version;
}

/** Records of the members that are mapped, still the database's: used with the lock. */
static json_t *
mapped_members(struct server *srv)
{
	json_t *out = json_array(), *m;
	size_t  i;

	json_array_foreach(server_db_members(srv->db), i, m)
		if (is_mapped(m))
			json_array_append(out, m);
	return out;
}

/** [{"rank","uri","secondary_uris"}] of mapped members. With the lock. */
static json_t *
joined_members(struct server *srv)
{
	json_t *mapped = mapped_members(srv), *out = json_array(), *m;
	size_t  i;

	json_array_foreach(mapped, i, m)
		json_array_append_new(out, json_pack("{s:O, s:O, s:o}", "rank", json_object_get(m, "rank"), "uri", json_object_get(m, "uri"),
						     "secondary_uris", server_secondary_uris(m)));
	json_decref(mapped);
	return out;
}

/** To the engine, and by it to all in the map. Without the lock. */
static int
distribute_by(struct server_engine *eng, const json_t *members, uint32_t version)
{
	struct server_group group;
	ProtobufCMessage   *resp;
	int                 rc = server_group_init(&group, members, version);

	if (rc == 0) {
		group.req.distribute = true;
		rc = server_engine_call(eng, DRPC_METHOD_MGMT_GROUP_UPDATE, &group.req.base, &mgmt__daos_resp__descriptor, 60, &resp);
	}
	if (rc == 0) {
		rc = ((Mgmt__DaosResp *)resp)->status;
		protobuf_c_message_free_unpacked(resp, NULL);
	}
	server_group_release(&group);
	return rc;
}

int
server_ms_distribute(struct server *srv)
{
	struct server_engine *eng;
	json_t               *members;
	uint32_t              version;
	int                   rc = 0;

	pthread_mutex_lock(&srv->lock);
	eng = server_any_engine(srv);
	members = joined_members(srv);
	version = (uint32_t)db_int(server_db_doc(srv->db), "map_version");
	pthread_mutex_unlock(&srv->lock);
	if (eng != NULL) /* else: the joining engine got the map with the answer to its join */
		rc = distribute_by(eng, members, version);
	if (rc != 0)
		server_say("the group map could not be given to all ranks: %s", d_errdesc(rc));
	json_decref(members);
	return rc;
}

/* ---- join ---- */

static uint32_t
free_rank(struct server *srv)
{
	uint32_t rank = 0;

	while (server_db_member(srv->db, rank) != NULL)
		rank++;
	return rank;
}

/** The member, new or known. With the lock. NULL: refused, with the reason in the answer. */
static json_t *
join_member(struct server *srv, const json_t *req, struct answer *a)
{
	const char *uuid = db_str(req, "uuid");
	uint32_t    wanted = (uint32_t)db_int(req, "rank");
	json_t     *m = server_db_member_by_uuid(srv->db, uuid);

	if (!text_is_uuid(uuid) || db_str(req, "uri")[0] == '\0' || db_str(req, "addr")[0] == '\0') {
		answer_fail(a, -DER_INVAL, "join: uuid, uri or addr is missing");
		return NULL;
	}
	if (!server_secondary_uris_ok(json_object_get(req, "secondary_uris"))) {
		answer_fail(a, -DER_INVAL, "join: secondary_uris is no list of at most %d addresses", SERVER_SECONDARIES_MAX);
		return NULL;
	}
	if (m != NULL)
		return m;
	if (wanted != NO_RANK) {
		answer_fail(a, -DER_NONEXIST,
			    "engine %s says it is rank %u, but this system does not know it; it belongs to another system, or the system "
			    "was erased: format it again with `dmg storage format --force`", uuid, wanted);
		return NULL;
	}
	m = json_pack("{s:I, s:s}", "rank", (json_int_t)free_rank(srv), "uuid", uuid);
	json_array_append_new(server_db_members(srv->db), m);
	return m;
}

int
method_join(struct server *srv, json_t *req, struct answer *a)
{
	static const char *const copied[] = {"addr", "idx", "uri", "nctxs", "ntgts", "incarnation", "fault_domain"};
	json_t                  *m;
	bool                     others;
	size_t                   i;
	int                      rc;

	pthread_mutex_lock(&srv->lock);
	m = join_member(srv, req, a);
	if (m == NULL) {
		pthread_mutex_unlock(&srv->lock);
		return a->status;
	}
	for (i = 0; i < ARRAY_NR(copied); i++)
		if (json_object_get(req, copied[i]) != NULL)
			json_object_set(m, copied[i], json_object_get(req, copied[i]));
	json_object_set_new(m, "secondary_uris", server_secondary_uris(req));
	json_object_set_new(m, "state", json_string("joining"));
	json_object_set_new(m, "info", json_string(""));
	bump_version(srv);
	rc = save_db(srv, a);
	others = server_any_engine(srv) != NULL;
	if (rc == 0)
		a->response = json_pack("{s:O, s:s, s:O, s:O, s:o}", "rank", json_object_get(m, "rank"), "state", "in", "system_uuid",
					json_object_get(server_db_doc(srv->db), "uuid"), "map_version",
					json_object_get(server_db_doc(srv->db), "map_version"), "members", joined_members(srv));
	pthread_mutex_unlock(&srv->lock);
	/* The others must know the new rank before it begins to talk to them. */
	if (rc == 0 && others)
		server_ms_distribute(srv);
	return rc;
}

int
method_joined(struct server *srv, json_t *req, struct answer *a)
{
	json_t *m;
	int     rc = -DER_NONEXIST;

	pthread_mutex_lock(&srv->lock);
	m = server_db_member_by_uuid(srv->db, db_str(req, "uuid"));
	if (m != NULL) {
		json_object_set_new(m, "state", json_string("joined"));
		rc = save_db(srv, a);
	}
	pthread_mutex_unlock(&srv->lock);
	return rc;
}

/** Is it still the life of the rank that was found dead? With the lock. */
static bool
dies_now(const json_t *m, uint64_t incarnation)
{
	return m != NULL && is_joined(m) && (incarnation == 0 || incarnation >= (uint64_t)db_int(m, "incarnation"));
}

int
method_dead(struct server *srv, json_t *req, struct answer *a)
{
	const json_t *by;
	json_t       *m;
	char          info[64];
	bool          excluded = false;
	int           rc = 0;

	pthread_mutex_lock(&srv->lock);
	m = server_db_member(srv->db, (uint32_t)db_int(req, "rank"));
	by = server_db_member(srv->db, (uint32_t)db_int(req, "by"));
	if (by == NULL || strcmp(db_str(by, "state"), "excluded") == 0) {
		rc = -DER_EXCLUDED; /* it was cut off: what it says of others is worth nothing */
	} else if (dies_now(m, (uint64_t)db_int(req, "incarnation"))) {
		snprintf(info, sizeof(info), "found dead by rank %u", (uint32_t)db_int(req, "by"));
		json_object_set_new(m, "state", json_string("excluded"));
		json_object_set_new(m, "info", json_string(info));
		bump_version(srv);
		rc = save_db(srv, a);
		excluded = rc == 0;
	}
	pthread_mutex_unlock(&srv->lock);
	if (excluded) {
		server_say("rank %u is excluded: %s", (uint32_t)db_int(req, "rank"), info);
		server_ms_distribute(srv);
	}
	return rc;
}

void
server_ms_engine_down(struct server_engine *eng)
{
	struct server *srv = eng->srv;
	struct answer  a = {0};
	json_t        *m;
	bool           stopped;

	pthread_mutex_lock(&srv->lock);
	stopped = eng->state == ENGINE_STOPPED;
	m = srv->is_ms && srv->db != NULL && eng->rank != NO_RANK ? server_db_member(srv->db, eng->rank) : NULL;
	if (m != NULL) {
		json_object_set_new(m, "state", json_string(stopped ? "stopped" : "errored"));
		json_object_set_new(m, "info", json_string(eng->error));
		if (!srv->quit && save_db(srv, &a) != 0)
			server_say("%s", a.error);
	}
	pthread_mutex_unlock(&srv->lock);
}

/* ---- selecting members ---- */

static bool
in_ranks(const uint32_t *ranks, uint32_t nr, uint32_t rank)
{
	uint32_t i;

	for (i = 0; i < nr; i++)
		if (ranks[i] == rank)
			return true;
	return nr == 0;
}

static bool
in_words(const char *words, const char *word, size_t len)
{
	const char *p = words;

	while (*p != '\0') {
		size_t n = strcspn(p, ",");

		if (n == len && strncasecmp(p, word, n) == 0)
			return true;
		p += n + (p[n] == ',');
	}
	return words[0] == '\0';
}

struct selection {
	uint32_t  *ranks;
	uint32_t   nr;
	const char *hosts, *states;
	bool       not_ok;
};

static int
select_init(const json_t *req, struct selection *sel, struct answer *a)
{
	memset(sel, 0, sizeof(*sel));
	sel->hosts = db_str(req, "hosts");
	sel->states = db_str(req, "states");
	sel->not_ok = json_is_true(json_object_get(req, "not_ok"));
	if (text_parse_ranks(db_str(req, "ranks"), &sel->ranks, &sel->nr) != 0)
		return answer_fail(a, -DER_INVAL, "'%s' is no list of ranks such as 0-3,5", db_str(req, "ranks"));
	return 0;
}

static bool
selected(const struct selection *sel, const json_t *m)
{
	const char *addr = db_str(m, "addr");

	return in_ranks(sel->ranks, sel->nr, (uint32_t)db_int(m, "rank")) &&
	       (in_words(sel->hosts, addr, strlen(addr)) || in_words(sel->hosts, addr, strcspn(addr, ":"))) &&
	       in_words(sel->states, db_str(m, "state"), strlen(db_str(m, "state"))) && !(sel->not_ok && is_joined(m));
}

/** Ranks asked for that no member has, as text. */
static char *
absent_ranks(struct server *srv, const struct selection *sel)
{
	uint32_t *absent = calloc(sel->nr + 1, sizeof(*absent)), nr = 0, i;
	char     *text;

	if (absent == NULL)
		return NULL;
	for (i = 0; i < sel->nr; i++)
		if (server_db_member(srv->db, sel->ranks[i]) == NULL)
			absent[nr++] = sel->ranks[i];
	text = text_ranks(absent, nr);
	free(absent);
	return text;
}

/** "joined" is kept, "Joined" is shown. */
static json_t *
shown_state(const json_t *m)
{
	char text[32];

	snprintf(text, sizeof(text), "%s", db_str(m, "state"));
	if (text[0] >= 'a' && text[0] <= 'z')
		text[0] -= 'a' - 'A';
	return json_string(text);
}

int
method_system_query(struct server *srv, json_t *req, struct answer *a)
{
	struct selection sel;
	json_t          *members = json_array(), *m;
	char            *absent;
	size_t           i;
	int              rc = select_init(req, &sel, a);

	if (rc != 0) {
		json_decref(members);
		return rc;
	}
	pthread_mutex_lock(&srv->lock);
	json_array_foreach(server_db_members(srv->db), i, m) {
		if (!selected(&sel, m))
			continue;
		json_array_append_new(members, json_pack("{s:s, s:o, s:s, s:O, s:I, s:s, s:s, s:I, s:s, s:o}", "addr", db_str(m, "addr"), "state",
			shown_state(m), "fault_domain", db_str(m, "fault_domain"), "rank", json_object_get(m, "rank"), "incarnation",
			(json_int_t)db_int(m, "incarnation"), "uuid", db_str(m, "uuid"), "fabric_uri", db_str(m, "uri"),
			"fabric_contexts", (json_int_t)db_int(m, "nctxs"), "info", db_str(m, "info"), "secondary_uris",
			server_secondary_uris(m)));
	}
	absent = absent_ranks(srv, &sel);
	pthread_mutex_unlock(&srv->lock);
	a->response = json_pack("{s:o, s:s, s:s, s:o, s:s}", "members", members, "absentranks", absent ? absent : "", "absenthosts", "",
				"providers", server_attach_providers(srv->cfg), "sys_self_heal_policy", "exclude;pool_exclude;pool_rebuild");
	free(absent);
	free(sel.ranks);
	return 0;
}

/* ---- start, stop, erase: a call to each host ---- */

/** {addr: [ranks]} of the selected members, grouped by host. */
static json_t *
ranks_by_host(struct server *srv, const struct selection *sel)
{
	json_t *hosts = json_object(), *m;
	size_t  i;

	pthread_mutex_lock(&srv->lock);
	json_array_foreach(server_db_members(srv->db), i, m) {
		const char *addr = db_str(m, "addr");

		if (!selected(sel, m))
			continue;
		if (json_object_get(hosts, addr) == NULL)
			json_object_set_new(hosts, addr, json_array());
		json_array_append(json_object_get(hosts, addr), json_object_get(m, "rank"));
	}
	pthread_mutex_unlock(&srv->lock);
	return hosts;
}

/** The host's method, here or over HTTPS. */
static int
host_call(struct server *srv, const char *addr, const char *method, json_t *req, struct answer *a)
{
	struct ctl_http *http;
	int              rc;

	if (strcmp(addr, srv->addr) == 0) {
		rc = server_method_run(srv, method, CALLER_SERVER, req, a);
		return rc != 0 ? rc : a->status;
	}
	rc = ctl_http_open(&srv->cfg->transport_config, 200, &http, a->error, sizeof(a->error));
	if (rc != 0)
		return rc;
	rc = ctl_http_call(http, addr, CTL_PORT_DEFAULT, method, req, &a->response, a->error, sizeof(a->error));
	ctl_http_close(http);
	return rc;
}

struct fan_out {
	struct server *srv;
	const char    *addr, *method, *action;
	json_t        *req;
	json_t        *results;
	pthread_mutex_t *lock;
};

static void
fan_one(void *arg)
{
	struct fan_out *f = arg;
	struct answer   a = {0};
	json_t         *r;
	size_t          i;
	int             rc = host_call(f->srv, f->addr, f->method, f->req, &a);

	pthread_mutex_lock(f->lock);
	if (rc == 0)
		json_array_extend(f->results, json_object_get(a.response, "results"));
	json_array_foreach(json_object_get(f->req, "ranks"), i, r) {
		if (rc != 0)
			json_array_append_new(f->results, json_pack("{s:s, s:O, s:s, s:b, s:s, s:s}", "addr", f->addr, "rank", r, "action", f->action,
								    "errored", 1, "msg", a.error, "state", "Unresponsive"));
	}
	pthread_mutex_unlock(f->lock);
	json_decref(a.response);
}

static void
record_states(struct server *srv, const json_t *results)
{
	struct answer a = {0};
	json_t       *r, *m;
	size_t        i;

	pthread_mutex_lock(&srv->lock);
	json_array_foreach(results, i, r) {
		const char *state = db_str(r, "state");

		m = server_db_member(srv->db, (uint32_t)db_int(r, "rank"));
		if (m != NULL && strcmp(state, "Stopped") == 0)
			json_object_set_new(m, "state", json_string("stopped"));
		if (m != NULL && strcmp(state, "Unresponsive") == 0)
			json_object_set_new(m, "state", json_string("unresponsive"));
	}
	if (save_db(srv, &a) != 0)
		server_say("%s", a.error);
	pthread_mutex_unlock(&srv->lock);
}

/** All hosts at once, each in a thread of its own. */
static int
fan_out(struct server *srv, json_t *req, const char *method, const char *action, struct answer *a)
{
	pthread_mutex_t      lock = PTHREAD_MUTEX_INITIALIZER;
	struct selection     sel;
	json_t              *hosts, *results, *ranks;
	struct fan_out      *calls;
	struct plat_thread **threads;
	const char          *addr;
	size_t               nr = 0, i;
	int                  rc = select_init(req, &sel, a);

	if (rc != 0)
		return rc;
	hosts = ranks_by_host(srv, &sel);
	free(sel.ranks);
	results = json_array();
	calls = calloc(json_object_size(hosts) + 1, sizeof(*calls));
	threads = calloc(json_object_size(hosts) + 1, sizeof(*threads));
	json_object_foreach(hosts, addr, ranks) {
		calls[nr] = (struct fan_out){.srv = srv, .addr = addr, .method = method, .action = action, .results = results, .lock = &lock,
		    .req = json_pack("{s:O, s:b}", "ranks", ranks, "force", json_is_true(json_object_get(req, "force")))};
		if (plat_thread_create("fan-out", fan_one, &calls[nr], &threads[nr]) != 0)
			fan_one(&calls[nr]);
		nr++;
	}
	for (i = 0; i < nr; i++) {
		if (threads[i] != NULL)
			plat_thread_join(threads[i]);
		json_decref(calls[i].req);
	}
	free(calls);
	free(threads);
	json_decref(hosts);
	record_states(srv, results);
	a->response = json_pack("{s:o}", "results", results);
	return 0;
}

int
method_system_start(struct server *srv, json_t *req, struct answer *a)
{
	return fan_out(srv, req, "host/start-ranks", "start", a);
}

int
method_system_stop(struct server *srv, json_t *req, struct answer *a)
{
	return fan_out(srv, req, "host/stop-ranks", "stop", a);
}

int
method_system_erase(struct server *srv, json_t *req, struct answer *a)
{
	json_t *r;
	size_t  i;
	int     rc;

	json_object_set_new(req, "ranks", json_string(""));
	json_object_set_new(req, "hosts", json_string(""));
	pthread_mutex_lock(&srv->lock);
	json_array_foreach(server_db_members(srv->db), i, r) {
		if (is_mapped(r)) {
			pthread_mutex_unlock(&srv->lock);
			return answer_fail(a, -DER_BUSY, "rank %u is running: stop the system first with `dmg system stop`",
					   (unsigned)db_int(r, "rank"));
		}
	}
	pthread_mutex_unlock(&srv->lock);
	rc = fan_out(srv, req, "host/reset-format", "reset format", a);
	if (rc != 0)
		return rc;
	json_array_foreach(json_object_get(a->response, "results"), i, r)
		if (json_is_true(json_object_get(r, "errored")))
			return 0; /* members that were not erased stay known */
	pthread_mutex_lock(&srv->lock);
	rc = server_db_erase(srv->db);
	pthread_mutex_unlock(&srv->lock);
	return rc;
}

/* ---- the rest ---- */

int
method_leader_query(struct server *srv, json_t *req, struct answer *a)
{
	a->response = json_pack("{s:s, s:[s], s:[]}", "current_leader", srv->addr, "replicas", srv->addr, "down_replicas");
	return 0;
}

int
method_attach_info(struct server *srv, json_t *req, struct answer *a)
{
	const char *sys = db_str(req, "sys");
	json_t     *members;

	if (sys[0] != '\0' && strcmp(sys, srv->cfg->name) != 0)
		return answer_fail(a, -DER_NONEXIST, "this is system '%s', not '%s'", srv->cfg->name, sys);
	pthread_mutex_lock(&srv->lock);
	members = mapped_members(srv);
	a->response = server_attach_info(srv->cfg, members, (uint32_t)db_int(server_db_doc(srv->db), "map_version"));
	json_decref(members);
	pthread_mutex_unlock(&srv->lock);
	return 0;
}

/** System properties that exist, with their defaults; attributes are free. */
static const struct { const char *name, *deflt; bool fixed; } sys_props[] = {
    {"daos_version", CLI_VERSION, true},
    {"daos_system", NULL, true},
    {"pool_scrub_mode", "off", false},
    {"pool_scrub_thresh", "0", false},
    {"self_heal", "exclude;pool_exclude;pool_rebuild", false},
};

int
method_system_get(struct server *srv, json_t *req, struct answer *a)
{
	json_t     *keys = json_object_get(req, "keys"), *props = json_object(), *attrs, *key;
	json_t     *stored, *out = json_object();
	size_t      i;
	const char *name;

	pthread_mutex_lock(&srv->lock);
	stored = json_object_get(server_db_doc(srv->db), "props");
	for (i = 0; i < ARRAY_NR(sys_props); i++) {
		const char *set = json_string_value(json_object_get(stored, sys_props[i].name));

		json_object_set_new(props, sys_props[i].name, json_string(set ? set : sys_props[i].deflt ? sys_props[i].deflt : srv->cfg->name));
	}
	attrs = json_deep_copy(json_object_get(server_db_doc(srv->db), "attrs"));
	pthread_mutex_unlock(&srv->lock);
	json_object_set_new(out, "properties", json_array_size(keys) ? json_object() : json_incref(props));
	json_object_set_new(out, "attributes", json_array_size(keys) ? json_object() : json_incref(attrs));
	json_array_foreach(keys, i, key) {
		name = json_string_value(key);
		if (name == NULL)
			continue;
		if (json_object_get(props, name) != NULL)
			json_object_set(json_object_get(out, "properties"), name, json_object_get(props, name));
		if (json_object_get(attrs, name) != NULL)
			json_object_set(json_object_get(out, "attributes"), name, json_object_get(attrs, name));
		if (json_object_get(props, name) == NULL && json_object_get(attrs, name) == NULL)
			answer_fail(a, -DER_NONEXIST, "%s: no such property or attribute", name);
	}
	json_decref(props);
	json_decref(attrs);
	a->response = out;
	return a->status;
}

static int
check_prop(const char *name, struct answer *a)
{
	size_t i;

	for (i = 0; i < ARRAY_NR(sys_props); i++)
		if (strcmp(sys_props[i].name, name) == 0)
			return sys_props[i].fixed ? answer_fail(a, -DER_NO_PERM, "%s cannot be set", name) : 0;
	return answer_fail(a, -DER_NONEXIST, "%s: no such system property", name);
}

int
method_system_set(struct server *srv, json_t *req, struct answer *a)
{
	json_t     *props = json_object_get(req, "properties"), *attrs = json_object_get(req, "attributes"), *value, *doc;
	const char *name;
	int         rc = 0;

	json_object_foreach(props, name, value) {
		rc = check_prop(name, a);
		if (rc != 0)
			return rc;
	}
	pthread_mutex_lock(&srv->lock);
	doc = server_db_doc(srv->db);
	json_object_foreach(props, name, value)
		json_object_set(json_object_get(doc, "props"), name, value);
	json_object_foreach(attrs, name, value) {
		if (json_is_null(value))
			json_object_del(json_object_get(doc, "attrs"), name);
		else
			json_object_set(json_object_get(doc, "attrs"), name, value);
	}
	rc = save_db(srv, a);
	pthread_mutex_unlock(&srv->lock);
	return rc;
}
