/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/**
 * What files add to devices: space that is reserved, but was never written. A file system keeps it
 * marked as such, so the first write to it makes the next flush commit metadata, too: on ext4 a
 * flush takes twice as long.
 */
#define D_LOGFAC LOG_FAC_BIO

#include <linux/fiemap.h>
#include <linux/fs.h>
#include <string.h>
#include <sys/ioctl.h>
#include "base/log.h"
#include "bio/bio_int.h"

#define EXTENT_NR_MAX 32u /**< looked at; a range in more pieces counts as not written */

/** The extents follow the map, whose last member is an array without a size. */
union extent_map {
	struct fiemap map;
	char          room[sizeof(struct fiemap) + EXTENT_NR_MAX * sizeof(struct fiemap_extent)];
};

bool
bio_blob_is_file(const struct bio_blob *blob)
{
	return blob->dev->kind == BIO_FILE && blob->dev->fd >= 0;
}

/** Offset on the device of a range that lies in one extent of the blob; UINT64_MAX: it does not. */
static uint64_t
dev_off_of(const struct bio_blob *blob, uint64_t off, uint64_t bytes)
{
	uint64_t start = 0;

	for (uint32_t i = 0; i < blob->entry.extent_nr; i++) {
		uint64_t len = (uint64_t)blob->entry.extents[i].cluster_nr * BIO_CLUSTER_BYTES;

		if (off >= start && off < start + len)
			return bytes > start + len - off
				   ? UINT64_MAX
				   : (uint64_t)blob->entry.extents[i].cluster * BIO_CLUSTER_BYTES + off - start;
		start += len;
	}
	return UINT64_MAX;
}

bool
bio_blob_is_written(const struct bio_blob *blob, uint64_t off, uint64_t bytes)
{
	union extent_map m;
	uint64_t          at = dev_off_of(blob, off, bytes), end = at + bytes;

	if (at == UINT64_MAX)
		return false;
	memset(&m, 0, sizeof(m));
	m.map.fm_start        = at;
	m.map.fm_length       = bytes;
	m.map.fm_extent_count = EXTENT_NR_MAX;
	if (ioctl(blob->dev->fd, FS_IOC_FIEMAP, &m.map) != 0)
		return false;
	for (uint32_t i = 0; i < m.map.fm_mapped_extents; i++) {
		const struct fiemap_extent *e = &m.map.fm_extents[i];

		if (e->fe_logical > at || (e->fe_flags & (FIEMAP_EXTENT_UNWRITTEN | FIEMAP_EXTENT_DELALLOC)) != 0)
			return false;
		at = MAX_OF(at, e->fe_logical + e->fe_length);
	}
	return at >= end;
}
