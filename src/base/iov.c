/* SPDX-License-Identifier: BSD-2-Clause-Patent */
#include "base/iov.h"

/** Walk @len bytes from @pos, copying in or out where a pointer is given; false: it ends before. */
static bool
sgl_walk(const d_sg_list_t *sgl, struct d_sgl_pos *pos, const char *in, char *out, size_t len,
	 bool room)
{
	struct d_sgl_pos at = *pos;

	while (len > 0) {
		const d_iov_t *iov;
		size_t         end;
		size_t         part;

		if (at.iov_idx >= sgl->sg_nr)
			return false;
		iov = &sgl->sg_iovs[at.iov_idx];
		end = room ? iov->iov_buf_len : iov->iov_len;
		if (at.iov_off >= end) {
			at.iov_idx++;
			at.iov_off = 0;
			continue;
		}
		part = MIN_OF(len, end - at.iov_off);
		if (in != NULL) {
			memcpy((char *)iov->iov_buf + at.iov_off, in, part);
			in += part;
		}
		if (out != NULL) {
			memcpy(out, (char *)iov->iov_buf + at.iov_off, part);
			out += part;
		}
		at.iov_off += part;
		len -= part;
	}
	*pos = at;
	return true;
}

int
d_sgl_copy_in(const d_sg_list_t *sgl, struct d_sgl_pos *pos, const void *src, size_t len)
{
	struct d_sgl_pos probe = *pos;

	if (!sgl_walk(sgl, &probe, NULL, NULL, len, true))
		return -DER_TRUNC;
	D_ASSERT(sgl_walk(sgl, pos, src, NULL, len, true));
	return 0;
}

int
d_sgl_copy_out(const d_sg_list_t *sgl, struct d_sgl_pos *pos, void *dst, size_t len)
{
	struct d_sgl_pos probe = *pos;

	if (!sgl_walk(sgl, &probe, NULL, NULL, len, false))
		return -DER_TRUNC;
	D_ASSERT(sgl_walk(sgl, pos, NULL, dst, len, false));
	return 0;
}

int
d_sgl_set_data_bytes(d_sg_list_t *sgl, size_t len)
{
	if (len > d_sgl_buf_bytes(sgl))
		return -DER_TRUNC;
	sgl->sg_nr_out = 0;
	for (uint32_t i = 0; i < sgl->sg_nr; i++) {
		d_iov_t *iov = &sgl->sg_iovs[i];

		iov->iov_len = MIN_OF(len, iov->iov_buf_len);
		len -= iov->iov_len;
		if (iov->iov_len > 0)
			sgl->sg_nr_out = i + 1;
	}
	return 0;
}

int
d_sgl_copy(d_sg_list_t *dst, const d_sg_list_t *src)
{
	struct d_sgl_pos pos = {0};

	if (d_sgl_data_bytes(src) > d_sgl_buf_bytes(dst))
		return -DER_TRUNC;
	for (uint32_t i = 0; i < src->sg_nr; i++) {
		const d_iov_t *iov = &src->sg_iovs[i];

		D_ASSERT(sgl_walk(dst, &pos, iov->iov_buf, NULL, iov->iov_len, true));
	}
	return d_sgl_set_data_bytes(dst, d_sgl_data_bytes(src));
}
