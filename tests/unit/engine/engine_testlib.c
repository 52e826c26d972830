/* SPDX-License-Identifier: BSD-2-Clause-Patent */
#include <dirent.h>
#include <sys/stat.h>
#include "engine_testlib.h"
#include <daos_errno.h>
#include "base/log.h"
#include "bio/bio_ram.h"
#include "platform/platform.h"

void
et_world_init(struct et_world *w)
{
	memset(w, 0, sizeof(*w));
	snprintf(w->dir, sizeof(w->dir), "/tmp/engine_test_XXXXXX");
	assert_non_null(mkdtemp(w->dir));
	assert_int_equal(na_self_world_create(&w->net), 0);
}

static void
remove_dir(const char *path)
{
	DIR           *dir = opendir(path);
	struct dirent *ent;
	char           sub[512];

	if (dir == NULL)
		return;
	while ((ent = readdir(dir)) != NULL) {
		if (strcmp(ent->d_name, ".") == 0 || strcmp(ent->d_name, "..") == 0)
			continue;
		snprintf(sub, sizeof(sub), "%s/%s", path, ent->d_name);
		unlink(sub);
	}
	closedir(dir);
	rmdir(path);
}

void
et_world_fini(struct et_world *w)
{
	for (uint32_t i = 0; i < ARRAY_NR(w->engs); i++) {
		if (w->engs[i] != NULL)
			et_stop(w, i);
	}
	na_self_world_destroy(w->net);
	remove_dir(w->dir);
}

int
et_try_start(struct et_world *w, uint32_t idx, const struct et_opts *opts, struct engine **ret_eng)
{
	char               name[16], path[128];
	struct engine_bdev bdev = {.attr = {.kind = BIO_FILE, .path = path, .size_bytes = opts->dev_bytes}};
	struct engine_attr attr = {
	    .name = name,
	    .sys_name = "test",
	    .tgt_nr = opts->tgt_nr == 0 ? 1 : opts->tgt_nr,
	    .helper_nr = opts->helper_nr,
	    .relay_nr_min = opts->relay_nr_min,
	    .first_core = -1,
	    .numa_node  = -1,
	    .storage_path = w->dir,
	    .drpc_dir = opts->drpc_dir,
	    .instance_idx = idx,
	    .static_modules = opts->modules,
	};
	uuid_t             system_uuid;

	snprintf(name, sizeof(name), "engine %u", idx);
	attr.fabric.provider = "self";
	attr.fabric.world = w->net;
	if (opts->dev_name != NULL) {
		snprintf(path, sizeof(path), "%s/%s", w->dir, opts->dev_name);
		bdev.attr.roles = BIO_ROLE_WAL | BIO_ROLE_META | BIO_ROLE_DATA;
		attr.bdevs = &bdev;
		attr.bdev_nr = 1;
		plat_uuid_generate(system_uuid);
		if (access(path, F_OK) != 0)
			assert_int_equal(engine_format(&attr, system_uuid, false), 0);
	}
	if (opts->ram != NULL) {
		bdev.attr = (struct bio_dev_attr){.kind = BIO_RAM, .path = "ram", .ram = opts->ram};
		bdev.attr.roles = BIO_ROLE_WAL | BIO_ROLE_META | BIO_ROLE_DATA;
		bdev.attr.size_bytes = bio_ram_bytes(opts->ram);
		attr.bdevs = &bdev;
		attr.bdev_nr = 1;
	}
	return engine_start(&attr, ret_eng);
}

struct engine *
et_start(struct et_world *w, uint32_t idx, const struct et_opts *opts)
{
	struct engine *eng = NULL;

	assert_null(w->engs[idx]);
	assert_int_equal(et_try_start(w, idx, opts, &eng), 0);
	dss_rank_set(eng, idx);
	w->engs[idx] = eng;
	return eng;
}

void
et_stop(struct et_world *w, uint32_t idx)
{
	engine_stop(w->engs[idx]);
	w->engs[idx] = NULL;
}

static uint32_t
members_of(struct et_world *w, struct crt_member *members, char (*uris)[NA_URI_BYTES_MAX])
{
	uint32_t nr = 0;

	for (uint32_t i = 0; i < ARRAY_NR(w->engs); i++) {
		if (w->engs[i] == NULL)
			continue;
		assert_int_equal(engine_uri(w->engs[i], 0, uris[nr], NA_URI_BYTES_MAX), 0);
		members[nr] = (struct crt_member){.rank = i, .uri = uris[nr]};
		nr++;
	}
	return nr;
}

void
et_group(struct et_world *w)
{
	struct crt_member members[ARRAY_NR(w->engs)];
	char              uris[ARRAY_NR(w->engs)][NA_URI_BYTES_MAX];
	uint32_t          nr = members_of(w, members, uris);

	for (uint32_t i = 0; i < ARRAY_NR(w->engs); i++) {
		if (w->engs[i] != NULL) {
			struct crt *crt = dss_crt(w->engs[i]);

			assert_int_equal(crt_group_set(crt, crt_group_version(crt) + 1, nr, members), 0);
		}
	}
}

void
et_client_init(struct et_client *c, struct et_world *w)
{
	struct crt_attr   attr = {.provider = "self", .world = w->net};
	struct crt_member members[ARRAY_NR(w->engs)];
	char              uris[ARRAY_NR(w->engs)][NA_URI_BYTES_MAX];
	uint32_t          nr = members_of(w, members, uris);

	assert_int_equal(crt_init(&attr, &c->crt), 0);
	assert_int_equal(crt_context_create(c->crt, &c->ctx), 0);
	assert_int_equal(crt_group_set(c->crt, 1, nr, members), 0);
}

void
et_client_fini(struct et_client *c)
{
	crt_context_destroy(c->ctx);
	crt_fini(c->crt);
}

struct call {
	bool done;
	int  rc;
};

static void
call_done(const struct crt_cb_info *info)
{
	struct call *call = info->cci_arg;

	call->done = true;
	call->rc = info->cci_rc;
}

static int
is_done(void *arg)
{
	return ((struct call *)arg)->done;
}

int
et_call(struct et_client *c, crt_rpc_t *rpc)
{
	struct call call = {0};

	crt_req_addref(rpc);
	(void)crt_req_send(rpc, call_done, &call);
	assert_int_equal(crt_progress_cond(c->ctx, 60 * 1000 * 1000, is_done, &call), 1);
	return call.rc;
}

static unsigned
count_dir(const char *path)
{
	DIR     *dir = opendir(path);
	unsigned nr = 0;

	assert_non_null(dir);
	while (readdir(dir) != NULL)
		nr++;
	closedir(dir);
	return nr;
}

unsigned
et_fd_nr(void)
{
	return count_dir("/proc/self/fd");
}

unsigned
et_thread_nr(void)
{
	return count_dir("/proc/self/task");
}

int
et_run(struct engine *eng, uint32_t xs_id, int (*fn)(void *arg), void *arg)
{
	return dss_ult_execute(eng, xs_id, fn, arg);
}
