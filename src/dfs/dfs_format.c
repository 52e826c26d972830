/* SPDX-License-Identifier: BSD-2-Clause-Patent */
#include "dfs/dfs_format.h"

#include <errno.h>
#include <string.h>

static const uint8_t field_bytes[DFS_F_NR] = {
#define FIELD_BYTES(name, bytes) bytes,
    DFS_INODE_FIELDS(FIELD_BYTES)
#undef FIELD_BYTES
};

#define FIELD_SUM(name, bytes) +(bytes)
_Static_assert((0 DFS_INODE_FIELDS(FIELD_SUM)) == DFS_INODE_BYTES, "durable");
#undef FIELD_SUM

void
dfs_field_extent(enum dfs_field field, daos_recx_t *ret_recx)
{
	ret_recx->rx_idx = 0;
	for (unsigned i = 0; i < field; i++)
		ret_recx->rx_idx += field_bytes[i];
	ret_recx->rx_nr = field_bytes[field];
}

static uint8_t *
put_le(uint8_t *at, uint64_t value, unsigned bytes)
{
	for (unsigned i = 0; i < bytes; i++)
		at[i] = (uint8_t)(value >> (8 * i));
	return at + bytes;
}

static const uint8_t *
get_le(const uint8_t *at, uint64_t *ret_value, unsigned bytes)
{
	*ret_value = 0;
	for (unsigned i = 0; i < bytes; i++)
		*ret_value |= (uint64_t)at[i] << (8 * i);
	return at + bytes;
}

void
dfs_inode_encode(const struct dfs_entry *e, uint8_t bytes[DFS_INODE_BYTES])
{
	const uint64_t values[DFS_F_NR] = {
	    [DFS_F_MODE]       = e->mode,
	    [DFS_F_MTIME]      = (uint64_t)e->mtime.tv_sec,
	    [DFS_F_CTIME]      = (uint64_t)e->ctime.tv_sec,
	    [DFS_F_CHUNK_SIZE] = e->chunk_size,
	    [DFS_F_OCLASS]     = e->oclass,
	    [DFS_F_MTIME_NSEC] = (uint64_t)e->mtime.tv_nsec,
	    [DFS_F_CTIME_NSEC] = (uint64_t)e->ctime.tv_nsec,
	    [DFS_F_UID]        = e->uid,
	    [DFS_F_GID]        = e->gid,
	    [DFS_F_SIZE]       = e->size,
	    [DFS_F_EPOCH]      = e->epoch,
	};
	uint8_t *at = bytes;

	for (unsigned i = 0; i < DFS_F_NR; i++) {
		if (i == DFS_F_OID)
			at = put_le(put_le(at, e->oid.lo, 8), e->oid.hi, 8);
		else
			at = put_le(at, values[i], field_bytes[i]);
	}
}

static bool
entry_is_sane(const struct dfs_entry *e)
{
	switch (e->mode & S_IFMT) {
	case S_IFREG:
	case S_IFDIR:
	case S_IFLNK:
	case S_IFIFO:
	case S_IFSOCK:
		break;
	default:
		return false;
	}
	return e->mtime.tv_nsec >= 0 && e->mtime.tv_nsec < 1000000000 && e->ctime.tv_nsec >= 0 &&
	       e->ctime.tv_nsec < 1000000000 && (!S_ISLNK(e->mode) || e->size < PATH_MAX);
}

int
dfs_inode_decode(const uint8_t bytes[DFS_INODE_BYTES], struct dfs_entry *ret_entry)
{
	struct dfs_entry e = {0};
	const uint8_t   *at = bytes;
	uint64_t         values[DFS_F_NR];

	for (unsigned i = 0; i < DFS_F_NR; i++) {
		if (i == DFS_F_OID)
			at = get_le(get_le(at, &e.oid.lo, 8), &e.oid.hi, 8);
		else
			at = get_le(at, &values[i], field_bytes[i]);
	}
	e.mode          = (mode_t)values[DFS_F_MODE];
	e.mtime.tv_sec  = (time_t)values[DFS_F_MTIME];
	e.mtime.tv_nsec = (long)values[DFS_F_MTIME_NSEC];
	e.ctime.tv_sec  = (time_t)values[DFS_F_CTIME];
	e.ctime.tv_nsec = (long)values[DFS_F_CTIME_NSEC];
	e.chunk_size    = values[DFS_F_CHUNK_SIZE];
	e.oclass        = (daos_oclass_id_t)values[DFS_F_OCLASS];
	e.uid           = (uid_t)values[DFS_F_UID];
	e.gid           = (gid_t)values[DFS_F_GID];
	e.size          = values[DFS_F_SIZE];
	e.epoch         = values[DFS_F_EPOCH];
	if (!entry_is_sane(&e))
		return EIO;
	*ret_entry = e;
	return 0;
}
