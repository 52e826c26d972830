/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/**
 * Storage of this host's engines: superblocks, device lists, scan and format; network interfaces.
 *
 * An engine's superblock is <scm_mount>/superblock.json: {version, uuid, rank, system, bdevs}. It is written last
 * when formatting, so an engine is formatted when it is there. Devices are formatted by daos_engine, which alone
 * knows their layout.
 */
#include <daos_errno.h>
#include <errno.h>
#include <fcntl.h>
#include <ifaddrs.h>
#include <libgen.h>
#include <net/if.h>
#include <rdma/fabric.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysinfo.h>
#include <sys/wait.h>
#include <linux/fs.h>
#include <unistd.h>

#include "control/server/server.h"
#include "control/server/server_db.h"

#define SUPER_VERSION 1

void
server_engine_binary(char *buf, size_t bytes)
{
	char    self[4096];
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);
	int     i;
	static const char *const beside[] = {"%s/daos_engine", "%s/../../rsvc/daos_engine"};

	if (n > 0) {
		self[n] = '\0';
		dirname(self);
		for (i = 0; i < ARRAY_NR(beside); i++) {
			snprintf(buf, bytes, i == 0 ? "%s/daos_engine" : "%s/../../rsvc/daos_engine", self);
			if (access(buf, X_OK) == 0)
				return;
		}
	}
	snprintf(buf, bytes, "/usr/bin/daos_engine");
}

static void
super_path(const struct server_engine *eng, char *buf, size_t bytes)
{
	snprintf(buf, bytes, "%s/superblock.json", server_ram_tier(eng->cfg)->scm_mount);
}

int
server_super_load(struct server_engine *eng)
{
	char    path[4200], errors[400];
	json_t *super;
	int     rc;

	super_path(eng, path, sizeof(path));
	rc = server_file_read(path, &super, errors, sizeof(errors));
	if (rc == -DER_NONEXIST)
		return -DER_UNINIT;
	if (rc == 0 && (db_int(super, "version") != SUPER_VERSION || uuid_parse(db_str(super, "uuid"), eng->uuid) != 0 ||
			strcmp(db_str(super, "system"), eng->srv->cfg->name) != 0)) {
		snprintf(errors, sizeof(errors), "%s is of version %u, system '%s'; wanted %d, '%s'", path,
			 (unsigned)db_int(super, "version"), db_str(super, "system"), SUPER_VERSION, eng->srv->cfg->name);
		rc = -DER_DF_INCOMPT;
	}
	if (rc != 0) {
		snprintf(eng->error, sizeof(eng->error),
			 "%s; restore the file from a backup, or give the engine's data up with `dmg storage format --force`", errors);
		return rc;
	}
	eng->rank = (uint32_t)db_int(super, "rank");
	json_decref(super);
	return 0;
}

int
server_super_save(const struct server_engine *eng)
{
	char    path[4200], uuid[37];
	json_t *super;
	int     rc;

	super_path(eng, path, sizeof(path));
	uuid_unparse_lower(eng->uuid, uuid);
	super = json_pack("{s:i, s:s, s:I, s:s}", "version", SUPER_VERSION, "uuid", uuid, "rank", (json_int_t)eng->rank, "system",
			  eng->srv->cfg->name);
	rc = super ? server_file_replace(path, super) : -DER_NOMEM;
	json_decref(super);
	return rc;
}

/* ---- device lists ---- */

/** For the engine: when the tier's devices are faulty. */
static json_t *
auto_faulty(const struct server_auto_faulty *f)
{
	json_t *out = json_pack("{s:b}", "enable", f->enable);

	if (f->max_io_errs != NULL)
		json_object_set_new(out, "max_io_errs", json_integer(*f->max_io_errs));
	if (f->max_csum_errs != NULL)
		json_object_set_new(out, "max_csum_errs", json_integer(*f->max_csum_errs));
	return out;
}

static json_t *
tier_devices(const struct server_engine *eng, uint32_t tier_idx)
{
	const struct server_tier *t = &eng->cfg->storage[tier_idx];
	uint32_t                  roles = server_tier_roles(t), i;
	uint64_t                  bytes = 0;
	json_t                   *list = json_array(), *names = json_array();

	for (i = 0; i < 3; i++)
		if (roles & (1u << i))
			json_array_append_new(names, json_string((const char *[]){"wal", "meta", "data"}[i]));
	if (t->bdev_size != NULL && server_size(t->bdev_size, &bytes) != 0)
		bytes = 0;
	for (i = 0; i < t->bdev_list_count; i++) {
		json_t *dev = json_pack("{s:i, s:s, s:s, s:I, s:O}", "tier", (int)tier_idx, "class", t->class, "path",
					t->bdev_list[i], "size", (json_int_t)bytes, "roles", names);

		if (t->bdev_auto_faulty != NULL)
			json_object_set_new(dev, "auto_faulty", auto_faulty(t->bdev_auto_faulty));
		json_array_append_new(list, dev);
	}
	json_decref(names);
	return list;
}

/** [{"tier","class","path","size","roles"}] of all device tiers. */
static json_t *
engine_devices(const struct server_engine *eng)
{
	json_t  *all = json_array();
	uint32_t i;

	for (i = 0; i < eng->cfg->storage_count; i++) {
		if (strcmp(eng->cfg->storage[i].class, "ram") != 0) {
			json_t *some = tier_devices(eng, i);

			json_array_extend(all, some);
			json_decref(some);
		}
	}
	return all;
}

int
server_bdevs_write(const struct server_engine *eng, char *path, size_t path_bytes)
{
	json_t *all = engine_devices(eng);
	int     rc = 0;

	path[0] = '\0';
	if (json_array_size(all) > 0) {
		json_t *doc = json_pack("{s:O}", "bdevs", all);

		snprintf(path, path_bytes, "%s/daos_engine_%u.bdevs.json", eng->srv->cfg->socket_dir, eng->idx);
		if (json_dump_file(doc, path, JSON_INDENT(1)) != 0)
			rc = -DER_IO;
		json_decref(doc);
	}
	json_decref(all);
	return rc;
}

/* ---- format ---- */

/** Run daos_engine with a few arguments; its last line of stderr is the message. */
static int
run_engine(const struct server_engine *eng, const char *verb, bool force, char *error, size_t error_bytes)
{
	char        binary[4096], bdevs[4096], uuid[37], line[1024];
	const char *argv[16];
	int         fds[2], n = 0, status = 0, rc = server_bdevs_write(eng, bdevs, sizeof(bdevs));
	FILE       *f;
	pid_t       pid;

	if (rc != 0 || bdevs[0] == '\0')
		return rc;
	server_engine_binary(binary, sizeof(binary));
	uuid_unparse_lower(eng->uuid, uuid);
	argv[n++] = "daos_engine";
	argv[n++] = verb;
	argv[n++] = "-n", argv[n++] = bdevs;
	argv[n++] = "-s", argv[n++] = server_ram_tier(eng->cfg)->scm_mount;
	argv[n++] = "--uuid", argv[n++] = uuid;
	if (force)
		argv[n++] = "--force";
	argv[n] = NULL;
	if (pipe2(fds, O_CLOEXEC) != 0)
		return -DER_NOMEM;
	pid = fork();
	if (pid == 0) {
		dup2(fds[1], 1);
		dup2(fds[1], 2);
		setenv("D_LOG_MASK", "ERR", 1);
		unsetenv("D_LOG_FILE");
		execv(binary, (char *const *)argv);
		_exit(127);
	}
	close(fds[1]);
	snprintf(error, error_bytes, "%s could not be run", binary);
	f = fdopen(fds[0], "r");
	while (f != NULL && fgets(line, sizeof(line), f) != NULL) {
		line[strcspn(line, "\n")] = '\0';
		if (line[0] != '\0')
			snprintf(error, error_bytes, "%s", line);
	}
	if (f != NULL)
		fclose(f);
	if (pid < 0 || waitpid(pid, &status, 0) < 0)
		return -DER_NOMEM;
	return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? 0 : -DER_IO;
}

static int
make_dirs(const char *path)
{
	char  copy[4096];
	char *p;

	snprintf(copy, sizeof(copy), "%s", path);
	for (p = copy + 1; *p != '\0'; p++) {
		if (*p != '/')
			continue;
		*p = '\0';
		if (mkdir(copy, 0700) != 0 && errno != EEXIST)
			return -DER_NO_PERM;
		*p = '/';
	}
	return mkdir(copy, 0700) == 0 || errno == EEXIST ? 0 : -DER_NO_PERM;
}

int
server_engine_format(struct server_engine *eng, bool force, char *error, size_t error_bytes)
{
	const char *mount = server_ram_tier(eng->cfg)->scm_mount;
	char        path[4200];
	int         rc;

	rc = make_dirs(mount);
	if (rc != 0) {
		snprintf(error, error_bytes, "cannot create %s: %s", mount, strerror(errno));
		return rc;
	}
	super_path(eng, path, sizeof(path));
	if (!force && access(path, F_OK) == 0) {
		snprintf(error, error_bytes, "storage is already formatted; --force erases what is there");
		return -DER_ALREADY;
	}
	unlink(path);
	plat_uuid_generate(eng->uuid);
	eng->rank = NO_RANK;
	rc = run_engine(eng, "--format", force, error, error_bytes);
	if (rc == 0)
		rc = server_super_save(eng);
	else
		return rc;
	if (rc != 0)
		snprintf(error, error_bytes, "cannot write %s: %s", path, d_errdesc(rc));
	return rc;
}

int
server_engine_erase(struct server_engine *eng, char *error, size_t error_bytes)
{
	char path[4200];
	int  rc;

	super_path(eng, path, sizeof(path));
	if (unlink(path) != 0 && errno != ENOENT) {
		snprintf(error, error_bytes, "cannot remove %s: %s", path, strerror(errno));
		return -DER_NO_PERM;
	}
	rc = run_engine(eng, "--erase", true, error, error_bytes);
	eng->rank = NO_RANK;
	return rc;
}

int
method_storage_format(struct server *srv, json_t *req, struct answer *a)
{
	bool     force = json_is_true(json_object_get(req, "reformat"));
	json_t  *list = json_array(), *devs;
	char     error[1024];
	uint32_t i;
	int      rc;

	for (i = 0; i < srv->cfg->engines_count; i++) {
		struct server_engine *eng = &srv->engines[i];
		enum engine_state     state;

		error[0] = '\0';
		pthread_mutex_lock(&srv->lock);
		state = eng->state;
		rc = eng->pid != 0 ? -DER_BUSY : 0;
		pthread_mutex_unlock(&srv->lock);
		if (rc != 0)
			snprintf(error, sizeof(error), "engine runs (%s); stop it first with `dmg system stop`, then `dmg system erase`",
				 engine_state_name(state));
		else
			rc = server_engine_format(eng, force, error, sizeof(error));
		if (rc == 0) {
			pthread_mutex_lock(&srv->lock);
			eng->state = ENGINE_STOPPED;
			eng->error[0] = '\0';
			server_engine_want(eng, true);
			pthread_mutex_unlock(&srv->lock);
			server_say("engine %u: storage formatted", i);
		}
		devs = engine_devices(eng);
		json_array_append_new(list, json_pack("{s:i, s:i, s:s, s:s, s:o}", "idx", (int)i, "status", rc, "error", rc ? error : "",
						      "scm_mount", server_ram_tier(eng->cfg)->scm_mount, "bdevs", devs));
	}
	a->response = json_pack("{s:o}", "engines", list);
	return 0;
}

/* ---- scan ---- */

static uint64_t
device_bytes(const char *path)
{
	struct stat st;
	uint64_t    bytes = 0;
	int         fd;

	if (stat(path, &st) != 0)
		return 0;
	if (!S_ISBLK(st.st_mode))
		return (uint64_t)st.st_size;
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd >= 0) {
		if (ioctl(fd, BLKGETSIZE64, &bytes) != 0)
			bytes = 0;
		close(fd);
	}
	return bytes;
}

/** What the running engine knows of its devices, or NULL. */
static Mgmt__StorageQueryResp *
ask_engine(struct server_engine *eng)
{
	Mgmt__Empty       req = MGMT__EMPTY__INIT;
	ProtobufCMessage *resp;

	if (server_engine_call(eng, DRPC_METHOD_MGMT_SMD_LIST_DEVS, &req.base, &mgmt__storage_query_resp__descriptor, 20, &resp) != 0)
		return NULL;
	return (Mgmt__StorageQueryResp *)resp;
}

/** What a running engine knows of the device. */
static void
add_live(json_t *dev, const Mgmt__StorageDevice *live)
{
	json_object_set_new(dev, "free_bytes", json_integer(live->free_bytes));
	json_object_set_new(dev, "uuid", json_string(live->uuid));
	if (live->faulty)
		json_object_set_new(dev, "state", json_string("faulty"));
	json_object_set_new(dev, "health", json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "reads", (json_int_t)live->reads, "read_bytes",
						     (json_int_t)live->read_bytes, "writes", (json_int_t)live->writes, "write_bytes",
						     (json_int_t)live->write_bytes, "flushes", (json_int_t)live->flushes, "retries",
						     (json_int_t)live->retries, "errors", (json_int_t)live->errors, "checksum_errors",
						     (json_int_t)live->csum_errors, "max_io_errs", (json_int_t)live->max_errors,
						     "max_csum_errs", (json_int_t)live->max_csum_errors));
}

static void
scan_engine(struct server_engine *eng, json_t *out)
{
	Mgmt__StorageQueryResp *live = eng->pid != 0 ? ask_engine(eng) : NULL;
	json_t                 *devs = engine_devices(eng), *d;
	size_t                  i, k;

	json_array_foreach(devs, i, d) {
		const char *path = db_str(d, "path"), *state = "ok";
		uint64_t    bytes = device_bytes(path);
		json_t     *one;

		if (access(path, F_OK) != 0)
			state = strcmp(db_str(d, "class"), "file") == 0 && eng->state == ENGINE_AWAIT_FORMAT ? "unformatted" : "missing";
		else if (eng->state == ENGINE_AWAIT_FORMAT)
			state = "unformatted";
		one = json_pack("{s:i, s:I, s:O, s:O, s:s, s:I, s:I, s:O, s:s}", "engine", (int)eng->idx, "rank", (json_int_t)eng->rank, "tier",
				json_object_get(d, "tier"), "class", json_object_get(d, "class"), "path", path, "size_bytes",
				(json_int_t)(bytes ? bytes : db_int(d, "size")), "free_bytes", (json_int_t)0, "roles",
				json_object_get(d, "roles"), "state", state);
		for (k = 0; live != NULL && k < live->n_devices; k++)
			if (strcmp(live->devices[k]->path, path) == 0)
				add_live(one, live->devices[k]);
		json_array_append_new(out, one);
	}
	if (live != NULL)
		mgmt__storage_query_resp__free_unpacked(live, NULL);
	json_decref(devs);
}

int
method_storage_scan(struct server *srv, json_t *req, struct answer *a)
{
	struct sysinfo si;
	json_t        *devs = json_array(), *mounts = json_array();
	uint32_t       i;

	sysinfo(&si);
	for (i = 0; i < srv->cfg->engines_count; i++) {
		scan_engine(&srv->engines[i], devs);
		json_array_append_new(mounts, json_pack("{s:s, s:s}", "path", server_ram_tier(srv->engines[i].cfg)->scm_mount, "class", "ram"));
	}
	a->response = json_pack("{s:[], s:[], s:[], s:o, s:o, s:{s:I, s:I}}", "nvme_devices", "scm_modules", "scm_namespaces",
				"scm_mount_points", mounts, "bdevs", devs, "mem_info", "total_bytes",
				(json_int_t)si.totalram * si.mem_unit, "available_bytes", (json_int_t)(si.freeram + si.bufferram) * si.mem_unit);
	return 0;
}

/* ---- what is on them ---- */

/** The entry of this pool in the list, made if there is none. */
static json_t *
pool_entry(json_t *pools, size_t first, const char *uuid, uint32_t rank)
{
	json_t *one;
	size_t  i;

	for (i = first; i < json_array_size(pools); i++)
		if (strcmp(db_str(json_array_get(pools, i), "uuid"), uuid) == 0)
			return json_array_get(pools, i);
	one = json_pack("{s:s, s:I, s:[], s:I, s:I, s:[]}", "uuid", uuid, "rank", (json_int_t)rank, "tgt_ids", "meta_bytes", (json_int_t)0,
			"data_bytes", (json_int_t)0, "blobs");
	json_array_append_new(pools, one);
	return one;
}

static void
add_bytes(json_t *pool, const char *key, uint64_t bytes)
{
	json_object_set_new(pool, key, json_integer(json_integer_value(json_object_get(pool, key)) + (json_int_t)bytes));
}

/** Ascending. */
static void
add_target(json_t *tgts, uint32_t tgt)
{
	size_t i = 0;

	while (i < json_array_size(tgts) && json_integer_value(json_array_get(tgts, i)) < (json_int_t)tgt)
		i++;
	json_array_insert_new(tgts, i, json_integer(tgt));
}

static void
add_blob(json_t *pool, const Mgmt__StorageBlob *blob)
{
	const char *role = blob->role == 1 ? "wal" : blob->role == 2 ? "meta" : "data";
	bool        system = blob->tgt == UINT32_MAX; /* the pool's service, of no target */
	json_t     *tgts = json_object_get(pool, "tgt_ids");

	if (!system && blob->role == 2)
		add_target(tgts, blob->tgt);
	add_bytes(pool, blob->role == 4 ? "data_bytes" : "meta_bytes", blob->bytes);
	json_array_append_new(json_object_get(pool, "blobs"),
			      json_pack("{s:I, s:s, s:I, s:s}", "tgt", system ? (json_int_t)-1 : (json_int_t)blob->tgt, "role", role,
					"bytes", (json_int_t)blob->bytes, "device", blob->device));
}

int
method_storage_pools(struct server *srv, json_t *req, struct answer *a)
{
	Mgmt__Empty msg = MGMT__EMPTY__INIT;
	json_t     *pools = json_array();
	uint32_t    i;
	size_t      k;

	for (i = 0; i < srv->cfg->engines_count; i++) {
		struct server_engine   *eng = &srv->engines[i];
		size_t                  first = json_array_size(pools);
		ProtobufCMessage       *resp;
		Mgmt__StoragePoolsResp *blobs;

		if (eng->pid == 0 || server_engine_call(eng, DRPC_METHOD_MGMT_SMD_LIST_POOLS, &msg.base,
							&mgmt__storage_pools_resp__descriptor, 20, &resp) != 0)
			continue;
		blobs = (Mgmt__StoragePoolsResp *)resp;
		for (k = 0; k < blobs->n_blobs; k++)
			add_blob(pool_entry(pools, first, blobs->blobs[k]->pool, eng->rank), blobs->blobs[k]);
		protobuf_c_message_free_unpacked(resp, NULL);
	}
	a->response = json_pack("{s:o}", "pools", pools);
	return 0;
}

int
method_storage_usage(struct server *srv, json_t *req, struct answer *a)
{
	json_t  *engines = json_array();
	uint32_t i;

	for (i = 0; i < srv->cfg->engines_count; i++) {
		struct server_engine   *eng = &srv->engines[i];
		Mgmt__StorageQueryResp *live = eng->pid != 0 ? ask_engine(eng) : NULL;

		if (live == NULL)
			continue;
		json_array_append_new(engines, json_pack("{s:I, s:I, s:I, s:I, s:I}", "rank", (json_int_t)eng->rank, "scm_total",
							 (json_int_t)live->scm_total, "scm_free", (json_int_t)live->scm_free, "nvme_total",
							 (json_int_t)live->nvme_total, "nvme_free", (json_int_t)live->nvme_free));
		mgmt__storage_query_resp__free_unpacked(live, NULL);
	}
	a->response = json_pack("{s:o}", "engines", engines);
	return 0;
}

/** The engine that has the device says whether there is one of this UUID. */
int
method_storage_set_faulty(struct server *srv, json_t *req, struct answer *a)
{
	Mgmt__SetFaultyReq msg = MGMT__SET_FAULTY_REQ__INIT;
	uint32_t           i;
	int                status = -DER_NONEXIST;

	msg.uuid = (char *)db_str(req, "uuid");
	for (i = 0; i < srv->cfg->engines_count && status == -DER_NONEXIST; i++) {
		struct server_engine *eng = &srv->engines[i];
		ProtobufCMessage     *resp;

		if (eng->pid == 0 || server_engine_call(eng, DRPC_METHOD_MGMT_DEV_SET_FAULTY, &msg.base, &mgmt__daos_resp__descriptor,
							20, &resp) != 0)
			continue;
		status = ((Mgmt__DaosResp *)resp)->status;
		protobuf_c_message_free_unpacked(resp, NULL);
	}
	a->response = json_pack("{s:i}", "status", status);
	return 0;
}

/* ---- network ---- */

static int
numa_of(const char *iface)
{
	char  path[300];
	FILE *f;
	int   node = 0;

	snprintf(path, sizeof(path), "/sys/class/net/%s/device/numa_node", iface);
	f = fopen(path, "r");
	if (f != NULL) {
		if (fscanf(f, "%d", &node) != 1 || node < 0)
			node = 0;
		fclose(f);
	}
	return node;
}

/** What the fabric library offers for the interface. */
static void
add_providers(json_t *out, const struct fi_info *all, const char *iface, const char *wanted)
{
	const struct fi_info *fi;
	json_t               *seen = json_object();

	for (fi = all; fi != NULL; fi = fi->next) {
		char        name[128];
		const char *domain = fi->domain_attr && fi->domain_attr->name ? fi->domain_attr->name : "";

		if (strncmp(domain, iface, strlen(iface)) != 0 && strstr(fi->fabric_attr->prov_name, "tcp") == NULL)
			continue;
		snprintf(name, sizeof(name), "ofi+%s", fi->fabric_attr->prov_name);
		if (fi->ep_attr->type != FI_EP_RDM || json_object_get(seen, name) != NULL)
			continue;
		if (wanted != NULL && strcmp(wanted, "all") != 0 && strncmp(name, wanted, strlen(wanted)) != 0)
			continue;
		json_object_set_new(seen, name, json_true());
		json_array_append_new(out, json_pack("{s:s, s:s, s:i}", "provider", name, "device", iface, "numa_node", numa_of(iface)));
	}
	json_decref(seen);
}

json_t *
server_network_interfaces(const char *provider)
{
	struct ifaddrs *ifs = NULL, *i;
	struct fi_info *hints = fi_allocinfo(), *all = NULL;
	json_t         *out = json_array(), *done = json_object();

	if (hints != NULL) {
		hints->addr_format = FI_SOCKADDR_IN;
		if (fi_getinfo(FI_VERSION(1, 14), NULL, NULL, 0, hints, &all) != 0)
			all = NULL;
		fi_freeinfo(hints);
	}
	if (getifaddrs(&ifs) == 0) {
		for (i = ifs; i != NULL; i = i->ifa_next) {
			if (i->ifa_addr == NULL || i->ifa_addr->sa_family != AF_INET || !(i->ifa_flags & IFF_UP) ||
			    json_object_get(done, i->ifa_name) != NULL)
				continue;
			json_object_set_new(done, i->ifa_name, json_true());
			add_providers(out, all, i->ifa_name, provider);
		}
		freeifaddrs(ifs);
	}
	if (all != NULL)
		fi_freeinfo(all);
	json_decref(done);
	return out;
}

int
method_network_scan(struct server *srv, json_t *req, struct answer *a)
{
	a->response = json_pack("{s:o, s:i, s:i}", "interfaces", server_network_interfaces(json_string_value(json_object_get(req, "provider"))),
				"numa_nodes", 1, "cores_per_numa", (int)plat_core_nr());
	return 0;
}
