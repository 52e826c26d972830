/* SPDX-License-Identifier: BSD-2-Clause-Patent */
#define D_LOGFAC LOG_FAC_OBJECT
#include "object/obj_check.h"

#include <stdlib.h>
#include <daos_errno.h>
#include "base/iov.h"
#include "base/log.h"
#include "object/obj_rpc.h"

static int
key_check(const daos_key_t *key, bool is_int)
{
	if (key == NULL || key->iov_buf == NULL || key->iov_len == 0 ||
	    key->iov_len > key->iov_buf_len || key->iov_len > OBJ_KEY_BYTES_MAX)
		return -DER_INVAL;
	if (is_int && key->iov_len != sizeof(uint64_t))
		return -DER_INVAL;
	return 0;
}

int
obj_dkey_check(daos_obj_id_t oid, const daos_key_t *dkey)
{
	return key_check(dkey, daos_is_dkey_uint64(oid));
}

int
obj_akey_check(daos_obj_id_t oid, const daos_key_t *akey)
{
	return key_check(akey, daos_is_akey_uint64(oid));
}

static bool
both(uint64_t conds, uint64_t a, uint64_t b)
{
	return (conds & a) != 0 && (conds & b) != 0;
}

int
obj_conds_check(uint64_t conds, uint64_t allowed)
{
	const uint64_t akey_conds =
	    DAOS_COND_AKEY_INSERT | DAOS_COND_AKEY_UPDATE | DAOS_COND_AKEY_FETCH;

	if ((conds & ~allowed) || both(conds, DAOS_COND_DKEY_INSERT, DAOS_COND_DKEY_UPDATE) ||
	    both(conds, DAOS_COND_AKEY_INSERT, DAOS_COND_AKEY_UPDATE) ||
	    both(conds, DAOS_COND_PER_AKEY, akey_conds))
		return -DER_INVAL;
	return 0;
}

static int
recx_cmp(const void *a, const void *b)
{
	const daos_recx_t *x = a, *y = b;

	return (x->rx_idx > y->rx_idx) - (x->rx_idx < y->rx_idx);
}

/** Most callers hand them over in rising order: then nothing is copied. */
static int
recxs_overlap(const daos_recx_t *recxs, uint32_t nr)
{
	daos_recx_t *sorted;
	bool         rising = true, overlap = false;

	for (uint32_t i = 1; i < nr && rising; i++)
		rising = recxs[i].rx_idx >= recxs[i - 1].rx_idx + recxs[i - 1].rx_nr;
	if (rising)
		return 0;
	sorted = malloc(nr * sizeof(*sorted));
	if (sorted == NULL)
		return -DER_NOMEM;
	memcpy(sorted, recxs, nr * sizeof(*sorted));
	qsort(sorted, nr, sizeof(*sorted), recx_cmp);
	for (uint32_t i = 1; i < nr && !overlap; i++)
		overlap = sorted[i].rx_idx < sorted[i - 1].rx_idx + sorted[i - 1].rx_nr;
	free(sorted);
	return overlap ? -DER_INVAL : 0;
}

static int
recxs_check(enum obj_io_kind kind, const daos_iod_t *iod)
{
	if (iod->iod_nr == 0 || iod->iod_nr > OBJ_RECX_NR_MAX || iod->iod_recxs == NULL)
		return -DER_INVAL;
	for (uint32_t i = 0; i < iod->iod_nr; i++) {
		const daos_recx_t *r = &iod->iod_recxs[i];

		/* the last index is kept free: an end beyond it could not be written down */
		if (r->rx_nr == 0 || r->rx_idx > UINT64_MAX - r->rx_nr)
			return -DER_INVAL;
	}
	return kind == OBJ_IO_UPDATE ? recxs_overlap(iod->iod_recxs, iod->iod_nr) : 0;
}

static int
iod_check(daos_obj_id_t oid, enum obj_io_kind kind, uint64_t conds, const daos_iod_t *iod)
{
	const uint64_t allowed = kind == OBJ_IO_UPDATE
				     ? DAOS_COND_AKEY_INSERT | DAOS_COND_AKEY_UPDATE
				     : DAOS_COND_AKEY_FETCH;
	uint64_t       bytes;
	int            rc;

	rc = obj_akey_check(oid, &iod->iod_name);
	if (rc == 0 && (conds & DAOS_COND_PER_AKEY))
		rc = obj_conds_check(iod->iod_flags, allowed);
	if (rc != 0)
		return rc;
	switch (iod->iod_type) {
	case DAOS_IOD_SINGLE:
		rc = iod->iod_nr == 1 ? 0 : -DER_INVAL;
		break;
	case DAOS_IOD_ARRAY:
		rc = recxs_check(kind, iod);
		break;
	default:
		rc = -DER_INVAL;
	}
	return rc == 0 ? obj_iod_bytes(iod, &bytes) : rc;
}

int
obj_iods_check(daos_obj_id_t oid, enum obj_io_kind kind, uint64_t conds, uint32_t nr,
	       const daos_iod_t *iods)
{
	uint64_t bytes;
	int      rc = 0;

	if (nr == 0 || nr > OBJ_IOD_NR_MAX || iods == NULL)
		return -DER_INVAL;
	for (uint32_t i = 0; rc == 0 && i < nr; i++)
		rc = iod_check(oid, kind, conds, &iods[i]);
	return rc == 0 ? obj_iods_bytes(nr, iods, &bytes) : rc;
}

int
obj_sgl_check(const d_sg_list_t *sgl)
{
	if (sgl == NULL || (sgl->sg_nr > 0 && sgl->sg_iovs == NULL))
		return -DER_INVAL;
	for (uint32_t i = 0; i < sgl->sg_nr; i++) {
		const d_iov_t *iov = &sgl->sg_iovs[i];

		if (iov->iov_len > iov->iov_buf_len ||
		    (iov->iov_buf == NULL && iov->iov_buf_len > 0))
			return -DER_INVAL;
	}
	return 0;
}

int
obj_iod_bytes(const daos_iod_t *iod, uint64_t *ret_bytes)
{
	uint64_t rec_nr = 0, bytes;

	if (iod->iod_type == DAOS_IOD_SINGLE) {
		*ret_bytes = iod->iod_size;
		return 0;
	}
	for (uint32_t i = 0; i < iod->iod_nr; i++)
		if (__builtin_add_overflow(rec_nr, iod->iod_recxs[i].rx_nr, &rec_nr))
			return -DER_OVERFLOW;
	if (__builtin_mul_overflow(rec_nr, iod->iod_size, &bytes))
		return -DER_OVERFLOW;
	*ret_bytes = bytes;
	return 0;
}

int
obj_iods_bytes(uint32_t nr, const daos_iod_t *iods, uint64_t *ret_bytes)
{
	uint64_t total = 0, bytes = 0;

	for (uint32_t i = 0; i < nr; i++) {
		int rc = obj_iod_bytes(&iods[i], &bytes);

		if (rc != 0)
			return rc;
		if (__builtin_add_overflow(total, bytes, &total))
			return -DER_OVERFLOW;
	}
	*ret_bytes = total;
	return 0;
}

int
obj_io_bufs_check(enum obj_io_kind kind, uint32_t nr, const daos_iod_t *iods,
		  const d_sg_list_t *sgls)
{
	for (uint32_t i = 0; i < nr; i++) {
		uint64_t need = 0, have;
		int      rc   = obj_iod_bytes(&iods[i], &need);

		if (rc != 0)
			return rc;
		if (sgls == NULL) {
			if (kind == OBJ_IO_UPDATE && need > 0)
				return -DER_INVAL;
			continue;
		}
		rc = obj_sgl_check(&sgls[i]);
		if (rc != 0)
			return rc;
		have = kind == OBJ_IO_UPDATE ? d_sgl_data_bytes(&sgls[i])
					     : d_sgl_buf_bytes(&sgls[i]);
		if (need > have)
			return -DER_REC2BIG;
	}
	return 0;
}
