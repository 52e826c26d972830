/* SPDX-License-Identifier: BSD-2-Clause-Patent */
#include "vos_test_util.h"
#include <unistd.h>
#include "base/log.h"
#include "ult/ult.h"

struct rnd
rnd_init(const char *what, uint64_t def)
{
	const char *env = getenv("VOS_TEST_SEED");
	uint64_t    seed = env != NULL ? strtoull(env, NULL, 0) : def;

	print_message("%s: VOS_TEST_SEED=%#lx\n", what, (unsigned long)seed);
	return (struct rnd){seed ^ 0x9e3779b97f4a7c15ULL};
}

uint64_t
rnd_next(struct rnd *r)
{
	uint64_t z = (r->state += 0x9e3779b97f4a7c15ULL);

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
	return z ^ (z >> 31);
}

uint64_t
rnd_below(struct rnd *r, uint64_t n)
{
	return rnd_next(r) % n;
}

uint32_t
rnd_rounds(uint32_t def)
{
	const char *env = getenv("VOS_TEST_SCALE");

	return env == NULL ? def : def * strtoul(env, NULL, 0);
}

#define RIG_DEV_BYTES (192ull << 20)

static const unsigned char system_uuid[16] = "vos unit tests..";

static void
rig_dev_open(struct rig *rig)
{
	struct bio_dev_attr attr = {.kind = rig->kind == RIG_FILE ? BIO_FILE : BIO_RAM,
				    .path = rig->path,
				    .size_bytes = RIG_DEV_BYTES,
				    .roles = BIO_ROLE_WAL | BIO_ROLE_META | BIO_ROLE_DATA};

	if (rig->kind == RIG_VOLATILE)
		return;
	if (rig->kind == RIG_RAM) {
		assert_int_equal(bio_ram_create(RIG_DEV_BYTES, &rig->ram), 0);
		attr.ram = rig->ram;
	}
	strcpy(rig->dir, "/tmp/vos_test_XXXXXX");
	assert_non_null(mkdtemp(rig->dir));
	snprintf(rig->path, sizeof(rig->path), "%s/dev", rig->dir);
	assert_int_equal(bio_dev_format(&attr, system_uuid, false), 0);
	assert_int_equal(bio_dev_open(&attr, &rig->dev), 0);
	assert_int_equal(bio_ctx_create(&rig->store.ctx), 0);
	rig->store.data = rig->dev;
	if (rig->kind != RIG_VOLATILE_DATA)
		rig->store.wal = rig->store.meta = rig->dev;
}

static void
rig_open(struct rig *rig)
{
	assert_int_equal(vos_pool_open(&rig->store, rig->pool_uuid, &rig->pool), 0);
	assert_int_equal(vos_cont_open(rig->pool, rig->cont_uuid, &rig->cont), 0);
}

void
rig_init(struct rig *rig, enum rig_kind kind, const struct rig_size *size)
{
	struct vos_pool_size bytes = {.meta_bytes = size->meta_bytes,
				      .wal_bytes = 24ull << 20,
				      .data_bytes = size->data_bytes,
				      .csums = true};

	memset(rig, 0, sizeof(*rig));
	rig->kind = kind;
	memcpy(rig->pool_uuid, "pool under test.", 16);
	memcpy(rig->cont_uuid, "cont under test.", 16);
	rig_dev_open(rig);
	assert_int_equal(vos_pool_create(&rig->store, rig->pool_uuid, &bytes), 0);
	assert_int_equal(vos_pool_open(&rig->store, rig->pool_uuid, &rig->pool), 0);
	assert_int_equal(vos_cont_create(rig->pool, rig->cont_uuid), 0);
	assert_int_equal(vos_cont_open(rig->pool, rig->cont_uuid, &rig->cont), 0);
}

void
rig_fini(struct rig *rig)
{
	if (rig->cont != NULL)
		vos_cont_close(rig->cont);
	if (rig->pool != NULL)
		vos_pool_close(rig->pool);
	assert_int_equal(vos_pool_destroy(&rig->store, rig->pool_uuid), 0);
	vos_store_fini(&rig->store);
	if (rig->dev == NULL)
		return;
	bio_ctx_destroy(rig->store.ctx);
	bio_dev_close(rig->dev);
	if (rig->ram != NULL)
		bio_ram_destroy(rig->ram);
	(void)unlink(rig->path);
	(void)rmdir(rig->dir);
}

void
rig_reopen(struct rig *rig)
{
	vos_cont_close(rig->cont);
	vos_pool_close(rig->pool);
	rig_open(rig);
}

void
rig_power_loss(struct rig *rig, uint64_t seed)
{
	bio_ram_fail_after(rig->ram, 0);
	vos_cont_close(rig->cont);
	vos_pool_close(rig->pool);
	bio_ram_power_loss(rig->ram, seed);
	rig_open(rig);
}

struct group_run {
	int (*group)(void);
	int failed;
};

static void
group_ult(void *arg)
{
	struct group_run *run = arg;

	run->failed = run->group();
}

int
vos_test_run(int (*group)(void))
{
	struct ult_xs_attr attr = {.name = "vos_test", .stack_bytes = 1 << 20, .core = -1};
	struct group_run   run = {.group = group, .failed = -1};

	if (d_log_init() != 0 || ult_xs_run(&attr, group_ult, &run) != 0)
		return 1;
	d_log_fini();
	return run.failed;
}

daos_unit_oid_t
test_oid(uint32_t type, uint64_t lo)
{
	return (daos_unit_oid_t){.id_pub = {.lo = lo, .hi = (uint64_t)type << OID_FMT_TYPE_SHIFT}};
}
