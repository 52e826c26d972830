/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/** Buffers and scatter-gather lists: lengths, copies, cursors. All lengths are checked. */
#pragma once

#include <gurt/types.h>
#include <daos_errno.h>
#include "base/util.h"

/** @data_bytes of valid data in a buffer of @buf_bytes. */
static inline void
d_iov_set_part(d_iov_t *iov, void *buf, size_t buf_bytes, size_t data_bytes)
{
	D_ASSERT(data_bytes <= buf_bytes);
	iov->iov_buf = buf;
	iov->iov_buf_len = buf_bytes;
	iov->iov_len = data_bytes;
}

static inline bool
d_iov_equal(const d_iov_t *a, const d_iov_t *b)
{
	return a->iov_len == b->iov_len &&
	       (a->iov_len == 0 || memcmp(a->iov_buf, b->iov_buf, a->iov_len) == 0);
}

/** Bytes of data; only the pieces in use are counted. */
static inline size_t
d_sgl_data_bytes(const d_sg_list_t *sgl)
{
	size_t total = 0;

	for (uint32_t i = 0; sgl != NULL && i < sgl->sg_nr; i++)
		total += sgl->sg_iovs[i].iov_len;
	return total;
}

/** Bytes of room. */
static inline size_t
d_sgl_buf_bytes(const d_sg_list_t *sgl)
{
	size_t total = 0;

	for (uint32_t i = 0; sgl != NULL && i < sgl->sg_nr; i++)
		total += sgl->sg_iovs[i].iov_buf_len;
	return total;
}

/** A place in a list of pieces; {0} is the start. */
struct d_sgl_pos {
	uint32_t iov_idx;
	size_t   iov_off;
};

/** Copy @len bytes from @src into the room at @pos, which moves on. Sets no data lengths.
 *  Errors: TRUNC the room ends first; nothing was copied. */
int  d_sgl_copy_in(const d_sg_list_t *sgl, struct d_sgl_pos *pos, const void *src,
		   size_t len) MUST_CHECK;
/** Copy @len bytes of data at @pos out to @dst. Errors: TRUNC the data end first; nothing was copied. */
int  d_sgl_copy_out(const d_sg_list_t *sgl, struct d_sgl_pos *pos, void *dst, size_t len) MUST_CHECK;
/** All data of @src into the room of @dst; sets its data lengths and sg_nr_out. Errors: TRUNC. */
int  d_sgl_copy(d_sg_list_t *dst, const d_sg_list_t *src) MUST_CHECK;
/** Say that the first @len bytes of the room hold data: sets every iov_len and sg_nr_out. */
int  d_sgl_set_data_bytes(d_sg_list_t *sgl, size_t len) MUST_CHECK;
