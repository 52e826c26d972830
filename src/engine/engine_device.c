/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/**
 * The engine's devices, and which of them serves which target: of the devices of one role, target t
 * uses number t modulo their count; the metadata xstream uses number 0. Without WAL and META devices the
 * heaps of all pools are volatile; without DATA devices all values live in the heaps.
 */
#define D_LOGFAC LOG_FAC_BIO
#include <stdlib.h>
#include <string.h>
#include <daos_errno.h>
#include "base/log.h"
#include "engine/engine_internal.h"

/** Where one device holds metadata as well as data, this part of it is spoken of as metadata. */
#define DEVICE_META_SHARE 8

/** Erasing formats for no system (engine_format.c). */
static bool
dev_is_erased(const struct bio_dev *dev)
{
	uuid_t system_uuid;

	bio_dev_system_uuid(dev, system_uuid);
	return uuid_is_null(system_uuid);
}

static int
open_one(const struct engine_bdev *bdev, struct engine_dev *ret_dev)
{
	const struct bio_dev_attr *attr = &bdev->attr;
	int                        rc;

	if ((attr->roles & (BIO_ROLE_WAL | BIO_ROLE_META | BIO_ROLE_DATA)) == 0) {
		D_ERROR("device %s has no role (wal, meta, data)", attr->path);
		return -DER_INVAL;
	}
	rc = bio_dev_open(attr, &ret_dev->dev);
	if (rc != 0)
		return rc; /* bio logged the device and the remedy */
	if (attr->kind != BIO_RAM && dev_is_erased(ret_dev->dev)) {
		D_ERROR("device %s was erased: format it (dmg storage format)", attr->path);
		bio_dev_close(ret_dev->dev);
		return -DER_UNINIT;
	}
	ret_dev->roles = attr->roles;
	ret_dev->kind = attr->kind;
	return 0;
}

static int
role_collect(struct engine *eng, uint32_t role, struct engine_role *ret_role)
{
	ret_role->devs = calloc(eng->dev_nr, sizeof(ret_role->devs[0]));
	if (ret_role->devs == NULL)
		return -DER_NOMEM;
	for (uint32_t i = 0; i < eng->dev_nr; i++) {
		if (eng->devs[i].roles & role)
			ret_role->devs[ret_role->nr++] = eng->devs[i].dev;
	}
	return 0;
}

/** A number in the environment, @otherwise if there is none. */
static uint32_t
number_of_env(const char *name, uint32_t otherwise)
{
	const char *text = getenv(name);
	char       *end;
	long        nr;

	if (text == NULL)
		return otherwise;
	nr = strtol(text, &end, 10);
	if (end != text && *end == '\0' && nr >= 0 && nr <= UINT32_MAX)
		return nr;
	D_WARN("%s=%s is not a number; using the default", name, text);
	return otherwise;
}

/** How many errors make the device faulty: its own, else those of the environment, else the default. */
static void
limits_set(struct engine_dev *dev, const struct engine_bdev *bdev)
{
	dev->max_io_errs = number_of_env("DAOS_BDEV_MAX_IO_ERRS", ENGINE_MAX_IO_ERRS);
	dev->max_csum_errs = 0;
	if (bdev->has_limits) {
		dev->max_io_errs = bdev->max_io_errs;
		dev->max_csum_errs = bdev->max_csum_errs;
	}
	bio_dev_set_err_limit(dev->dev, dev->max_io_errs);
	bio_dev_set_csum_limit(dev->dev, dev->max_csum_errs);
}

static int
roles_check(const struct engine *eng)
{
	if ((eng->wal.nr > 0) == (eng->meta.nr > 0))
		return 0;
	D_ERROR("%s: the devices cover the role %s but not %s; give both to some device, or neither",
		eng->name, eng->wal.nr > 0 ? "wal" : "meta", eng->wal.nr > 0 ? "meta" : "wal");
	return -DER_INVAL;
}

int
engine_devs_open(struct engine *eng, const struct engine_attr *attr)
{
	int rc = 0;

	if (attr->bdev_nr == 0) {
		D_NOTE("%s: no storage device is configured: everything is volatile and lost when the "
		       "engine stops", eng->name);
		return 0;
	}
	eng->devs = calloc(attr->bdev_nr, sizeof(eng->devs[0]));
	if (eng->devs == NULL)
		return -DER_NOMEM;
	for (uint32_t i = 0; i < attr->bdev_nr && rc == 0; i++) {
		rc = open_one(&attr->bdevs[i], &eng->devs[eng->dev_nr]);
		if (rc == 0)
			limits_set(&eng->devs[eng->dev_nr++], &attr->bdevs[i]);
	}
	if (rc == 0)
		rc = role_collect(eng, BIO_ROLE_WAL, &eng->wal);
	if (rc == 0)
		rc = role_collect(eng, BIO_ROLE_META, &eng->meta);
	if (rc == 0)
		rc = role_collect(eng, BIO_ROLE_DATA, &eng->data);
	if (rc == 0)
		rc = roles_check(eng);
	if (rc == 0 && eng->wal.nr == 0)
		D_NOTE("%s: no device has the roles wal and meta: all metadata is volatile", eng->name);
	return rc;
}

void
engine_devs_close(struct engine *eng)
{
	for (uint32_t i = 0; i < eng->dev_nr; i++)
		bio_dev_close(eng->devs[i].dev);
	free(eng->devs);
	free(eng->wal.devs);
	free(eng->meta.devs);
	free(eng->data.devs);
	eng->devs = NULL;
	eng->dev_nr = 0;
}

static struct bio_dev *
role_dev(const struct engine_role *role, uint32_t tgt)
{
	if (role->nr == 0)
		return NULL;
	return role->devs[tgt == BIO_TGT_SYS ? 0 : tgt % role->nr];
}

void
engine_store_of(struct engine *eng, uint32_t tgt, struct vos_store *store)
{
	store->wal = role_dev(&eng->wal, tgt);
	store->meta = role_dev(&eng->meta, tgt);
	store->data = role_dev(&eng->data, tgt);
	store->tgt = tgt;
	store->replay_ms = number_of_env("DAOS_LOG_REPLAY_MS", 0);
}

int
dss_dev_info(struct engine *eng, uint32_t idx, struct dss_dev_info *ret_info)
{
	static const char *const class_names[] = {[BIO_FILE] = "file", [BIO_KDEV] = "kdev", [BIO_RAM] = "ram"};

	if (idx >= eng->dev_nr)
		return -DER_NONEXIST;
	ret_info->path = bio_dev_name(eng->devs[idx].dev);
	ret_info->class_name = class_names[eng->devs[idx].kind];
	ret_info->roles = eng->devs[idx].roles;
	bio_dev_space(eng->devs[idx].dev, &ret_info->space);
	bio_dev_uuid(eng->devs[idx].dev, ret_info->uuid);
	bio_dev_health(eng->devs[idx].dev, &ret_info->health);
	ret_info->faulty = bio_dev_is_faulty(eng->devs[idx].dev);
	ret_info->max_io_errs = eng->devs[idx].max_io_errs;
	ret_info->max_csum_errs = eng->devs[idx].max_csum_errs;
	return 0;
}

struct blobs_job {
	struct bio_dev *dev;
	int (*cb)(const struct bio_blob_id *id, uint64_t bytes, void *arg);
	void *arg;
};

static int
blobs_blocking(void *arg)
{
	struct blobs_job *job = arg;

	return bio_blob_list(job->dev, job->cb, job->arg);
}

MAY_YIELD int
dss_dev_blobs(struct engine *eng, uint32_t idx, int (*cb)(const struct bio_blob_id *id, uint64_t bytes, void *arg), void *arg)
{
	struct blobs_job job = {.cb = cb, .arg = arg};

	if (idx >= eng->dev_nr)
		return -DER_NONEXIST;
	job.dev = eng->devs[idx].dev;
	return ult_offload(blobs_blocking, &job);
}

int
dss_dev_set_faulty(struct engine *eng, const unsigned char uuid[16])
{
	unsigned char own[16];

	for (uint32_t i = 0; i < eng->dev_nr; i++) {
		bio_dev_uuid(eng->devs[i].dev, own);
		if (memcmp(own, uuid, sizeof(own)) == 0) {
			bio_dev_set_faulty(eng->devs[i].dev);
			return 0;
		}
	}
	return -DER_NONEXIST;
}

void
dss_system_uuid(struct engine *eng, uuid_t uuid)
{
	if (eng->dev_nr == 0)
		uuid_clear(uuid);
	else
		bio_dev_system_uuid(eng->devs[0].dev, uuid);
}

static uint64_t
part(uint64_t bytes, uint32_t roles, uint32_t role)
{
	bool both = (roles & BIO_ROLE_META) && (roles & BIO_ROLE_DATA);

	if (!(roles & role))
		return 0;
	if (!both)
		return bytes;
	if (role == BIO_ROLE_META)
		return bytes / DEVICE_META_SHARE;
	/* The log takes about as much as the metadata. */
	return bytes - 2 * (bytes / DEVICE_META_SHARE);
}

static uint64_t
machine_half_bytes(void)
{
	return (uint64_t)sysconf(_SC_PHYS_PAGES) * (uint64_t)sysconf(_SC_PAGESIZE) / 2;
}

void
dss_dev_space(struct engine *eng, uint64_t *scm_total, uint64_t *scm_free, uint64_t *nvme_total,
	      uint64_t *nvme_free)
{
	*scm_total = *scm_free = *nvme_total = *nvme_free = 0;
	for (uint32_t i = 0; i < eng->dev_nr; i++) {
		struct bio_dev_space space;

		bio_dev_space(eng->devs[i].dev, &space);
		*scm_total += part(space.total_bytes, eng->devs[i].roles, BIO_ROLE_META);
		*scm_free += part(space.free_bytes, eng->devs[i].roles, BIO_ROLE_META);
		*nvme_total += part(space.total_bytes, eng->devs[i].roles, BIO_ROLE_DATA);
		*nvme_free += part(space.free_bytes, eng->devs[i].roles, BIO_ROLE_DATA);
	}
	if (eng->meta.nr == 0)
		*scm_total = *scm_free = eng->heap_bytes > 0 ? eng->heap_bytes : machine_half_bytes();
	if (eng->heap_bytes > 0 && *scm_total > eng->heap_bytes) {
		uint64_t used = *scm_total - *scm_free;

		*scm_total = eng->heap_bytes;
		*scm_free = used < *scm_total ? *scm_total - used : 0;
	}
}
