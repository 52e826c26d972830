/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/**
 * Formatting and erasing the devices of an engine that doesn't run. Formatting is per device: a failure
 * in the middle leaves those before it formatted, and `force` starts over. An erased device is one
 * formatted for no system, the null UUID; an engine refuses it as it refuses an unformatted one.
 */
#define D_LOGFAC LOG_FAC_BIO
#include <daos_errno.h>
#include "base/log.h"
#include "engine/engine_internal.h"

/** Is there something of ours on it that formatting would lose? */
static int
check_vacant(const struct bio_dev_attr *attr)
{
	struct bio_dev *dev;
	uuid_t          system_uuid;
	int             rc;

	if (attr->kind == BIO_RAM || access(attr->path, F_OK) != 0)
		return 0;
	rc = bio_dev_open(attr, &dev);
	if (rc == -DER_UNINIT || rc == -DER_NONEXIST)
		return 0;
	if (rc == -DER_BUSY)
		return rc;
	if (rc == 0) {
		bio_dev_system_uuid(dev, system_uuid);
		bio_dev_close(dev);
		if (uuid_is_null(system_uuid))
			return 0;
	}
	D_ERROR("device %s is formatted already%s; to format it anew and lose its content use --force",
		attr->path, rc == 0 ? "" : ", but damaged");
	return -DER_EXIST;
}

int
engine_format(const struct engine_attr *attr, const uuid_t system_uuid, bool force)
{
	if (uuid_is_null(system_uuid)) {
		D_ERROR("the null UUID names no system");
		return -DER_INVAL;
	}
	for (uint32_t i = 0; i < attr->bdev_nr && !force; i++) {
		int rc = check_vacant(&attr->bdevs[i].attr);

		if (rc != 0)
			return rc;
	}
	for (uint32_t i = 0; i < attr->bdev_nr; i++) {
		const struct bio_dev_attr *dev = &attr->bdevs[i].attr;
		int                        rc;

		if (dev->kind == BIO_RAM)
			continue; /* made anew at each start */
		/* Checked above; bio refuses an erased one, which is vacant for us. */
		rc = bio_dev_format(dev, system_uuid, true);
		if (rc != 0) {
			D_ERROR("device %s cannot be formatted: " DF_RC, dev->path, DP_RC(rc));
			return rc;
		}
	}
	return 0;
}

static int
erase_one(const struct bio_dev_attr *attr)
{
	struct bio_dev *dev;
	uuid_t          no_system;
	int             rc;

	if (attr->kind == BIO_RAM || access(attr->path, F_OK) != 0)
		return 0;
	rc = bio_dev_open(attr, &dev);
	if (rc == 0)
		bio_dev_close(dev);
	if (rc == -DER_UNINIT) {
		D_NOTE("device %s is not formatted: nothing to erase", attr->path);
		return 0;
	}
	if (rc == -DER_BUSY)
		return rc;
	uuid_clear(no_system);
	return bio_dev_format(attr, no_system, true);
}

int
engine_erase(const struct engine_attr *attr)
{
	int rc = 0;

	for (uint32_t i = 0; i < attr->bdev_nr; i++) {
		int dev_rc = erase_one(&attr->bdevs[i].attr);

		if (dev_rc != 0)
			D_ERROR("device %s cannot be erased: " DF_RC, attr->bdevs[i].attr.path,
				DP_RC(dev_rc));
		if (rc == 0)
			rc = dev_rc;
	}
	return rc;
}
