/* SPDX-License-Identifier: BSD-2-Clause-Patent */
#define D_LOGFAC LOG_FAC_VOS

#include <string.h>
#include "base/log.h"
#include "vos/vos_space.h"

#ifdef VOS_PLANTED_BUGS
int vos_planted_bug;
#endif

int
vos_heap_put(struct vos_space *sp, const void *buf, uint64_t bytes, uint64_t *ret_addr)
{
	struct vos_blob_df *blob;
	umem_off_t	    off;
	int		    rc;

	if (bytes > UINT32_MAX)
		return -DER_REC2BIG;
	rc = umem_alloc_flags(sp->umem, sizeof(*blob) + bytes, buf != NULL ? UMEM_NO_ZERO : 0, &off);
	if (rc != 0)
		return rc;
	blob = umem_ptr(sp->umem, off);
	blob->refs = 1;
	blob->bytes = bytes;
	if (buf != NULL)
		memcpy(blob->data, buf, bytes);
	*ret_addr = off + sizeof(*blob);
	return 0;
}

int
vos_heap_put_alone(struct vos_space *sp, const void *buf, uint64_t bytes, uint64_t *ret_addr)
{
	int rc;

	if (bytes > UINT32_MAX)
		return -DER_REC2BIG;
	rc = umem_alloc_flags(sp->umem, bytes, UMEM_NO_ZERO, ret_addr);
	if (rc == 0)
		memcpy(umem_ptr(sp->umem, *ret_addr), buf, bytes);
	return rc;
}

static struct vos_blob_df *
blob_of(struct vos_space *sp, uint64_t data_off)
{
	return umem_ptr(sp->umem, data_off - sizeof(struct vos_blob_df));
}

int
vos_heap_ref(struct vos_space *sp, uint64_t data_off, uint32_t refs)
{
	struct vos_blob_df *blob = blob_of(sp, data_off);
	int		    rc;

	rc = umem_tx_add(sp->umem, &blob->refs, sizeof(blob->refs));
	if (rc == 0)
		blob->refs += refs;
	return rc;
}

int
vos_heap_unref(struct vos_space *sp, uint64_t data_off)
{
	struct vos_blob_df *blob = blob_of(sp, data_off);
	int		    rc;

	D_ASSERT(blob->refs > 0);
	if (blob->refs == 1)
		return umem_free(sp->umem, data_off - sizeof(*blob));
	rc = umem_tx_add(sp->umem, &blob->refs, sizeof(blob->refs));
	if (rc == 0)
		blob->refs--;
	return rc;
}

int
vos_blocks_free(struct vos_space *sp, uint64_t blk_off, uint64_t blk_nr)
{
	int rc = 0;

	D_ASSERT(sp->vea != NULL);
	sp->tx_blk_nr += blk_nr;
	while (blk_nr > 0 && rc == 0) {
		uint32_t nr = MIN_OF(blk_nr, UINT32_MAX);

		rc = vea_free(sp->vea, blk_off, nr);
		blk_off += nr;
		blk_nr -= nr;
	}
	return rc;
}
