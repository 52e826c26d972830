/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/**
 * Devices: formatting, opening, blocking I/O. An open device holds an exclusive flock, so that two
 * engines cannot write one device; the lock goes with the descriptor, also when the engine is killed.
 */
#define D_LOGFAC LOG_FAC_BIO

#include <fcntl.h>
#include <linux/fs.h>
#include <poll.h>
#include <string.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include "base/log.h"
#include "bio/bio_int.h"
#include "platform/platform.h"

#define LOCK_TRY_NR 200
#define LOCK_TRY_MS 10

int
bio_errno2der(int err)
{
	switch (err) {
	case ENOSPC:
	case EDQUOT:
		return -DER_NOSPACE;
	case ENOMEM:
		return -DER_NOMEM;
	default:
		return -DER_IO;
	}
}

/* ---- blocking I/O ---- */

int
bio_dev_pread(struct bio_dev *dev, uint64_t off, void *buf, size_t bytes)
{
	struct iovec iov = {buf, bytes};

	if (dev->ram != NULL)
		return bio_ram_readv(dev->ram, off, &iov, 1);
	while (bytes > 0) {
		ssize_t got = pread(dev->fd, buf, bytes, off);

		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0) {
			D_ERROR("%s: cannot read %zu bytes at %lu: %s; check the device\n",
				dev->name, bytes, off,
				got == 0 ? "it ends before" : strerror(errno));
			return got == 0 ? -DER_IO : bio_errno2der(errno);
		}
		buf = (char *)buf + got;
		off += got;
		bytes -= got;
	}
	return 0;
}

int
bio_dev_pwrite(struct bio_dev *dev, uint64_t off, const void *buf, size_t bytes)
{
	struct iovec iov = {(void *)buf, bytes};

	if (dev->ram != NULL)
		return bio_ram_writev(dev->ram, off, &iov, 1);
	while (bytes > 0) {
		ssize_t put = pwrite(dev->fd, buf, bytes, off);

		if (put < 0 && errno == EINTR)
			continue;
		if (put <= 0) {
			D_ERROR("%s: cannot write %zu bytes at %lu: %s; check the device\n",
				dev->name, bytes, off,
				put == 0 ? "nothing was taken" : strerror(errno));
			return put == 0 ? -DER_IO : bio_errno2der(errno);
		}
		buf = (const char *)buf + put;
		off += put;
		bytes -= put;
	}
	return 0;
}

int
bio_dev_sync(struct bio_dev *dev)
{
	if (dev->ram != NULL)
		return bio_ram_flush(dev->ram);
	if (fdatasync(dev->fd) != 0) {
		D_ERROR("%s: flush failed: %s; check the device\n", dev->name, strerror(errno));
		return bio_errno2der(errno);
	}
	return 0;
}

/* ---- opening the path ---- */

static int
open_errno2der(const char *name, int err)
{
	D_ERROR("%s: cannot open: %s\n", name, strerror(err));
	switch (err) {
	case ENOENT:
	case ENOTDIR:
	case ENXIO:
	case ENODEV:
		return -DER_NONEXIST;
	case EACCES:
	case EPERM:
	case EROFS:
		return -DER_NO_PERM;
	case EBUSY:
		return -DER_BUSY;
	case EISDIR:
		return -DER_INVAL;
	default:
		return bio_errno2der(err);
	}
}

/** O_DIRECT where the file system has it, else through the page cache with fdatasync. */
static int
open_fd(struct bio_dev *dev, int flags)
{
	flags |= O_RDWR | O_CLOEXEC;
	dev->fd     = open(dev->name, flags | O_DIRECT, 0600);
	dev->direct = dev->fd >= 0;
	if (dev->fd < 0 && errno == EINVAL) {
		dev->fd = open(dev->name, flags, 0600);
		if (dev->fd >= 0)
			D_NOTE("%s: no direct I/O here, going through the page cache\n",
			       dev->name);
	}
	return dev->fd >= 0 ? 0 : open_errno2der(dev->name, errno);
}

static int
check_type(struct bio_dev *dev)
{
	struct stat st;

	if (fstat(dev->fd, &st) != 0)
		return bio_errno2der(errno);
	if (dev->kind == BIO_FILE ? S_ISREG(st.st_mode) : S_ISBLK(st.st_mode))
		return 0;
	D_ERROR("%s: is not a %s; correct the path or the storage class\n", dev->name,
		dev->kind == BIO_FILE ? "regular file" : "block device");
	return -DER_INVAL;
}

static int
medium_bytes(struct bio_dev *dev, uint64_t *ret_bytes)
{
	struct stat st;
	uint64_t    bytes = 0;

	if (dev->ram != NULL) {
		*ret_bytes = bio_ram_bytes(dev->ram);
		return 0;
	}
	if (fstat(dev->fd, &st) != 0)
		return bio_errno2der(errno);
	bytes = st.st_size;
	if (S_ISBLK(st.st_mode) && ioctl(dev->fd, BLKGETSIZE64, &bytes) != 0)
		return bio_errno2der(errno);
	*ret_bytes = bytes;
	return 0;
}

/**
 * The kernel finishes the requests of a killed process's ring after the process is gone, and holds
 * its files open so long. So an engine that restarts at once must give the old lock a moment.
 */
static int
lock_fd(struct bio_dev *dev)
{
	int try_nr = 0, rc;

	while ((rc = flock(dev->fd, LOCK_EX | LOCK_NB)) != 0 && errno == EWOULDBLOCK &&
	       ++try_nr < LOCK_TRY_NR)
		(void)poll(NULL, 0, LOCK_TRY_MS);
	if (rc == 0)
		return 0;
	if (errno == EWOULDBLOCK) {
		D_ERROR("%s: in use by another engine; stop that one first\n", dev->name);
		return -DER_BUSY;
	}
	D_ERROR("%s: cannot lock: %s\n", dev->name, strerror(errno));
	return bio_errno2der(errno);
}

static void
dev_free(struct bio_dev *dev)
{
	if (dev->fd >= 0)
		close(dev->fd);
	if (dev->ram_owned)
		bio_ram_destroy(dev->ram);
	pthread_mutex_destroy(&dev->change_lock);
	pthread_mutex_destroy(&dev->table_lock);
	free(dev->table);
	free(dev->name);
	free(dev);
}

static int
dev_new(const struct bio_dev_attr *attr, struct bio_dev **ret_dev)
{
	struct bio_dev *dev = calloc(1, sizeof(*dev));

	if (dev == NULL)
		return -DER_NOMEM;
	dev->fd   = -1;
	dev->kind = attr->kind;
	pthread_mutex_init(&dev->change_lock, NULL);
	pthread_mutex_init(&dev->table_lock, NULL);
	dev->name  = strdup(attr->path == NULL ? "(ram)" : attr->path);
	dev->table = aligned_alloc(BIO_BLOCK_BYTES, sizeof(*dev->table));
	if (dev->name == NULL || dev->table == NULL) {
		dev_free(dev);
		return -DER_NOMEM;
	}
	memset(dev->table, 0, sizeof(*dev->table));
	*ret_dev = dev;
	return 0;
}

/* ---- format ---- */

/** Has its file system surely no room for it? Trying would take all that is left from everybody else until it failed. */
static bool
cannot_fit(struct bio_dev *dev, uint64_t bytes)
{
	struct statvfs vfs;
	struct stat    st;

	return fstatvfs(dev->fd, &vfs) == 0 && fstat(dev->fd, &st) == 0 && vfs.f_frsize > 0 &&
	       bytes / vfs.f_frsize > vfs.f_bfree + (uint64_t)st.st_blocks * 512 / vfs.f_frsize;
}

/** Reserve a file's space, so that a full disk shows now and never later. */
static int
reserve_file(struct bio_dev *dev, uint64_t bytes)
{
	int err;

	if (cannot_fit(dev, bytes)) {
		err = ENOSPC;
	} else if (ftruncate(dev->fd, bytes) != 0) {
		err = errno;
	} else if (fallocate(dev->fd, 0, 0, bytes) == 0) {
		return 0;
	} else {
		err = errno == EOPNOTSUPP ? posix_fallocate(dev->fd, 0, bytes) : errno;
		if (err == 0)
			return 0;
	}
	D_ERROR("%s: cannot reserve %lu bytes: %s; free space on that file system or configure a "
		"smaller size\n", dev->name, bytes, strerror(err));
	return bio_errno2der(err == EFBIG ? ENOSPC : err);
}

static int
format_super(struct bio_dev *dev, const struct bio_dev_attr *attr,
	     const unsigned char system_uuid[16])
{
	uint64_t bytes = 0;
	int      rc    = medium_bytes(dev, &bytes);

	if (rc != 0)
		return rc;
	if (attr->size_bytes != 0 && attr->size_bytes < bytes)
		bytes = attr->size_bytes;
	if (bytes / BIO_CLUSTER_BYTES <= BIO_FIRST_CLUSTER ||
	    bytes / BIO_CLUSTER_BYTES > UINT32_MAX) {
		D_ERROR("%s: %lu bytes cannot be used; more than %u MiB are needed\n", dev->name,
			bytes, BIO_FIRST_CLUSTER);
		return -DER_INVAL;
	}
	dev->size_bytes = bytes;
	dev->cluster_nr = bytes / BIO_CLUSTER_BYTES;
	plat_uuid_generate(dev->uuid);
	memcpy(dev->system_uuid, system_uuid, sizeof(dev->system_uuid));
	rc = bio_table_format(dev);
	return rc != 0 ? rc : bio_super_write(dev, attr->roles);
}

static int
refuse_content(struct bio_dev *dev)
{
	enum bio_content content = BIO_CONTENT_NONE;
	uint64_t         bytes   = 0;
	int              rc      = medium_bytes(dev, &bytes);

	if (rc == 0 && bytes >= BIO_CLUSTER_BYTES)
		rc = bio_super_probe(dev, &content);
	else if (rc == 0 && bytes > 0)
		content = BIO_CONTENT_FOREIGN;
	if (rc != 0 || content == BIO_CONTENT_NONE)
		return rc;
	D_ERROR("%s: %s; nothing was changed (format with force to erase it)\n", dev->name,
		content == BIO_CONTENT_OURS ? "is formatted already"
					    : "holds data that is not ours");
	return -DER_EXIST;
}

static int
format_path(struct bio_dev *dev, const struct bio_dev_attr *attr,
	    const unsigned char system_uuid[16], bool force)
{
	bool created = false;
	int  rc;

	if (dev->kind == BIO_FILE) {
		created = access(dev->name, F_OK) != 0;
		rc      = open_fd(dev, O_CREAT);
	} else {
		rc = open_fd(dev, O_EXCL);
	}
	if (rc == 0)
		rc = check_type(dev);
	if (rc == 0)
		rc = lock_fd(dev);
	if (rc == 0 && !force && !created)
		rc = refuse_content(dev);
	if (rc == 0 && dev->kind == BIO_FILE)
		rc = reserve_file(dev, attr->size_bytes);
	if (rc == 0)
		rc = format_super(dev, attr, system_uuid);
	if (rc == 0 && dev->kind == BIO_FILE && fsync(dev->fd) != 0)
		rc = bio_errno2der(errno);
	if (rc != 0 && created && dev->fd >= 0)
		unlink(dev->name);
	return rc;
}

int
bio_dev_format(const struct bio_dev_attr *attr, const unsigned char system_uuid[16], bool force)
{
	struct bio_dev *dev;
	int             rc;

	if (attr->kind == BIO_RAM && attr->ram == NULL)
		return 0; /* formatted by open */
	rc = dev_new(attr, &dev);
	if (rc != 0)
		return rc;
	if (attr->kind == BIO_RAM) {
		dev->ram = attr->ram;
		rc       = force ? 0 : refuse_content(dev);
		if (rc == 0)
			rc = format_super(dev, attr, system_uuid);
	} else {
		rc = format_path(dev, attr, system_uuid, force);
	}
	dev_free(dev);
	return rc;
}

/* ---- open ---- */

static int
open_medium(struct bio_dev *dev, const struct bio_dev_attr *attr)
{
	static const unsigned char no_system[16];
	int                        rc;

	if (attr->kind == BIO_RAM && attr->ram == NULL) {
		rc = bio_ram_create(attr->size_bytes, &dev->ram);
		dev->ram_owned = rc == 0;
		return rc != 0 ? rc : format_super(dev, attr, no_system);
	}
	if (attr->kind == BIO_RAM) {
		dev->ram = attr->ram;
		return 0;
	}
	rc = open_fd(dev, attr->kind == BIO_KDEV ? O_EXCL : 0);
	if (rc == 0)
		rc = check_type(dev);
	return rc != 0 ? rc : lock_fd(dev);
}

static int
check_size(struct bio_dev *dev)
{
	uint64_t bytes = 0;
	int      rc    = medium_bytes(dev, &bytes);

	if (rc != 0 || bytes >= dev->size_bytes)
		return rc;
	D_ERROR("%s: has %lu bytes of the %lu it was formatted with: truncated; restore it, or "
		"format it anew and rebuild its contents from replicas\n",
		dev->name, bytes, dev->size_bytes);
	return -DER_DF_INVAL;
}

static int
check_minimum(struct bio_dev *dev)
{
	uint64_t bytes = 0;
	int      rc    = medium_bytes(dev, &bytes);

	if (rc != 0 || bytes >= (uint64_t)BIO_FIRST_CLUSTER * BIO_CLUSTER_BYTES)
		return rc;
	D_ERROR("%s: has only %lu bytes: %s\n", dev->name, bytes,
		bytes == 0 ? "not formatted"
			   : "truncated; restore it, or format it anew and rebuild its contents");
	return bytes == 0 ? -DER_UNINIT : -DER_DF_INVAL;
}

int
bio_dev_open(const struct bio_dev_attr *attr, struct bio_dev **ret_dev)
{
	struct bio_dev *dev;
	int             rc = dev_new(attr, &dev);

	if (rc != 0)
		return rc;
	rc = open_medium(dev, attr);
	if (rc == 0)
		rc = check_minimum(dev);
	if (rc == 0)
		rc = bio_super_read(dev);
	if (rc == 0)
		rc = check_size(dev);
	if (rc == 0)
		rc = bio_table_read(dev);
	if (rc != 0) {
		dev_free(dev);
		return rc;
	}
	*ret_dev = dev;
	return 0;
}

void
bio_dev_close(struct bio_dev *dev)
{
	if (dev == NULL)
		return;
	D_ASSERT(dev->open_nr == 0);
	dev_free(dev);
}

void
bio_dev_uuid(const struct bio_dev *dev, unsigned char uuid[16])
{
	memcpy(uuid, dev->uuid, sizeof(dev->uuid));
}

void
bio_dev_system_uuid(const struct bio_dev *dev, unsigned char uuid[16])
{
	memcpy(uuid, dev->system_uuid, sizeof(dev->system_uuid));
}

const char *
bio_dev_name(const struct bio_dev *dev)
{
	return dev->name;
}
