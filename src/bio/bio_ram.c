/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/** RAM device; theory in bio_ram.h. Xstreams share it: writes to one byte are the callers' to order. */
#define D_LOGFAC LOG_FAC_BIO

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <unistd.h>
#include <daos_errno.h>
#include "base/log.h"
#include "bio/bio_ram.h"

#define SECTOR_BYTES 512u

struct bio_ram {
	uint8_t            *data;
	uint64_t            bytes;
	int                 fd; /**< mapped: of the file, with its lock; else -1 */
	pthread_mutex_t     lock; /**< of all below; and of copies while tracking */
	struct bio_ram_stat stat;
	bool                async;
	uint8_t            *durable;    /**< NULL: not tracking */
	uint8_t            *dirty;      /**< a byte a sector: written since the last flush */
	bool                will_fail;
	uint64_t            ops_left;
};

int
bio_ram_create(uint64_t bytes, struct bio_ram **ret_ram)
{
	struct bio_ram *ram = calloc(1, sizeof(*ram));

	if (ram == NULL)
		return -DER_NOMEM;
	ram->fd    = -1;
	ram->bytes = align_down(bytes, BIO_BLOCK_BYTES);
	ram->data  = calloc(1, ram->bytes == 0 ? 1 : ram->bytes);
	if (ram->data == NULL) {
		free(ram);
		return -DER_NOMEM;
	}
	pthread_mutex_init(&ram->lock, NULL);
	*ret_ram = ram;
	return 0;
}

/** The open file's lock, size and bytes. */
static int
map_file(struct bio_ram *ram, const char *path)
{
	off_t end;

	if (flock(ram->fd, LOCK_SH | LOCK_NB) != 0) {
		D_ERROR("%s: in use by an engine; stop it first\n", path);
		return -DER_BUSY;
	}
	end = lseek(ram->fd, 0, SEEK_END);
	if (end < (off_t)BIO_BLOCK_BYTES) {
		D_ERROR("%s: too small for a device\n", path);
		return -DER_UNINIT;
	}
	ram->bytes = align_down((uint64_t)end, BIO_BLOCK_BYTES);
	ram->data  = mmap(NULL, ram->bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_NORESERVE, ram->fd, 0);
	if (ram->data != MAP_FAILED)
		return 0;
	ram->data = NULL;
	return -DER_NOMEM;
}

int
bio_ram_map(const char *path, struct bio_ram **ret_ram)
{
	struct bio_ram *ram = calloc(1, sizeof(*ram));
	int             rc;

	if (ram == NULL)
		return -DER_NOMEM;
	pthread_mutex_init(&ram->lock, NULL);
	ram->fd = open(path, O_RDONLY | O_CLOEXEC);
	rc      = ram->fd >= 0 ? map_file(ram, path) : errno == ENOENT ? -DER_NONEXIST : -DER_NO_PERM;
	if (rc != 0) {
		bio_ram_destroy(ram);
		return rc;
	}
	*ret_ram = ram;
	return 0;
}

void
bio_ram_destroy(struct bio_ram *ram)
{
	if (ram == NULL)
		return;
	pthread_mutex_destroy(&ram->lock);
	if (ram->fd >= 0) {
		if (ram->data != NULL)
			(void)munmap(ram->data, ram->bytes);
		(void)close(ram->fd);
		ram->data = NULL;
	}
	free(ram->data);
	free(ram->durable);
	free(ram->dirty);
	free(ram);
}

uint8_t *
bio_ram_data(struct bio_ram *ram)
{
	return ram->data;
}

uint64_t
bio_ram_bytes(const struct bio_ram *ram)
{
	return ram->bytes;
}

void
bio_ram_stat(struct bio_ram *ram, struct bio_ram_stat *stat)
{
	pthread_mutex_lock(&ram->lock);
	*stat = ram->stat;
	pthread_mutex_unlock(&ram->lock);
}

void
bio_ram_set_async(struct bio_ram *ram, bool async)
{
	ram->async = async;
}

bool
bio_ram_is_async(const struct bio_ram *ram)
{
	return ram->async;
}

bool
bio_ram_takes_ring(const struct bio_ram *ram)
{
	return false;
}

int
bio_ram_track(struct bio_ram *ram)
{
	if (ram->durable == NULL) {
		ram->durable = malloc(ram->bytes);
		ram->dirty   = calloc(1, ram->bytes / SECTOR_BYTES);
	}
	if (ram->durable == NULL || ram->dirty == NULL)
		return -DER_NOMEM;
	memcpy(ram->durable, ram->data, ram->bytes);
	memset(ram->dirty, 0, ram->bytes / SECTOR_BYTES);
	return 0;
}

void
bio_ram_fail_after(struct bio_ram *ram, uint64_t op_nr)
{
	pthread_mutex_lock(&ram->lock);
	ram->will_fail = true;
	ram->ops_left  = op_nr;
	pthread_mutex_unlock(&ram->lock);
}

bool
bio_ram_has_failed(struct bio_ram *ram)
{
	bool failed;

	pthread_mutex_lock(&ram->lock);
	failed = ram->will_fail && ram->ops_left == 0;
	pthread_mutex_unlock(&ram->lock);
	return failed;
}

void
bio_ram_power_loss(struct bio_ram *ram, uint64_t seed)
{
	uint64_t rng = seed * 0x9e3779b97f4a7c15ULL + 1;

	D_ASSERT(ram->durable != NULL);
	for (uint64_t i = 0; i < ram->bytes / SECTOR_BYTES; i++) {
		if (ram->dirty[i] == 0)
			continue;
		rng ^= rng << 13;
		rng ^= rng >> 7;
		rng ^= rng << 17;
		/* Some losses take nearly all, some nearly nothing. */
		if (rng % 8 < seed % 9)
			memcpy(ram->durable + i * SECTOR_BYTES, ram->data + i * SECTOR_BYTES,
			       SECTOR_BYTES);
	}
	memcpy(ram->data, ram->durable, ram->bytes);
	memset(ram->dirty, 0, ram->bytes / SECTOR_BYTES);
	ram->will_fail = false;
}

static bool
in_range(const struct bio_ram *ram, uint64_t off, uint64_t bytes)
{
	return off <= ram->bytes && bytes <= ram->bytes - off;
}

int
bio_ram_readv(struct bio_ram *ram, uint64_t off, const struct iovec *iov, int nr)
{
	pthread_mutex_lock(&ram->lock);
	ram->stat.read_nr++;
	pthread_mutex_unlock(&ram->lock);
	for (int i = 0; i < nr; i++) {
		if (!in_range(ram, off, iov[i].iov_len))
			return -DER_IO;
		memcpy(iov[i].iov_base, ram->data + off, iov[i].iov_len);
		off += iov[i].iov_len;
	}
	return 0;
}

/** Count a write or flush; false when the device is gone. */
static bool
op_admit(struct bio_ram *ram, uint64_t *counter)
{
	bool ok = true;

	pthread_mutex_lock(&ram->lock);
	(*counter)++;
	if (ram->will_fail) {
		ok = ram->ops_left > 0;
		if (ok)
			ram->ops_left--;
	}
	pthread_mutex_unlock(&ram->lock);
	return ok;
}

static int
copy_in(struct bio_ram *ram, uint64_t off, const struct iovec *iov, int nr)
{
	for (int i = 0; i < nr; i++) {
		if (!in_range(ram, off, iov[i].iov_len))
			return -DER_IO;
		memcpy(ram->data + off, iov[i].iov_base, iov[i].iov_len);
		if (ram->dirty != NULL)
			memset(ram->dirty + off / SECTOR_BYTES, 1, iov[i].iov_len / SECTOR_BYTES);
		off += iov[i].iov_len;
	}
	return 0;
}

int
bio_ram_writev(struct bio_ram *ram, uint64_t off, const struct iovec *iov, int nr)
{
	int rc;

	if (!op_admit(ram, &ram->stat.write_nr))
		return -DER_IO;
	if (ram->dirty == NULL)
		return copy_in(ram, off, iov, nr);
	pthread_mutex_lock(&ram->lock); /* a flush of another xstream copies whole sectors */
	rc = copy_in(ram, off, iov, nr);
	pthread_mutex_unlock(&ram->lock);
	return rc;
}

int
bio_ram_flush(struct bio_ram *ram)
{
	const uint8_t *end, *at;

	if (!op_admit(ram, &ram->stat.flush_nr))
		return -DER_IO;
	if (ram->durable == NULL)
		return 0;
	end = ram->dirty + ram->bytes / SECTOR_BYTES;
	pthread_mutex_lock(&ram->lock);
	for (at = ram->dirty; (at = memchr(at, 1, end - at)) != NULL;) {
		uint64_t i = at - ram->dirty;

		memcpy(ram->durable + i * SECTOR_BYTES, ram->data + i * SECTOR_BYTES, SECTOR_BYTES);
		ram->dirty[i] = 0;
	}
	pthread_mutex_unlock(&ram->lock);
	return 0;
}
