/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/**
 * Opening, closing and addressing a heap. The region is reserved as a whole and touched lazily, so
 * a large heap costs memory only for what is used.
 */
#define D_LOGFAC LOG_FAC_UMEM

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include "base/log.h"
#include "umem/umem_int.h"

#define UMEM_BYTES_MIN (4u * UMEM_CHUNK_BYTES)

static int
heap_map(struct umem *u)
{
	u->base = mmap(NULL, u->bytes, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (u->base == MAP_FAILED) {
		u->base = NULL;
		D_ERROR("heap " DF_UUID ": cannot reserve %lu bytes of memory (%s); create a "
			"smaller pool or raise the limit (ulimit -v)\n", DP_UUID(u->uuid), u->bytes,
			strerror(errno));
		return -DER_NOMEM;
	}
	u->heap.u     = u;
	u->heap.base  = u->base;
	u->heap.bytes = u->bytes;
	return heap_index_create(&u->heap);
}

static void
umem_free_all(struct umem *u)
{
	heap_index_destroy(&u->heap);
	tx_fini(&u->tx);
	if (u->base != NULL)
		munmap(u->base, u->bytes);
	free(u);
}

static int
umem_new(uint64_t bytes, const unsigned char uuid[16], struct umem **ret_umem)
{
	struct umem *u;
	int          rc;

	bytes = align_down(bytes, UMEM_CHUNK_BYTES);
	if (bytes < UMEM_BYTES_MIN) {
		D_ERROR("heap " DF_UUID ": %lu bytes are too few, %u at least\n", DP_UUID(uuid),
			bytes, UMEM_BYTES_MIN);
		return -DER_INVAL;
	}
	u = calloc(1, sizeof(*u));
	if (u == NULL)
		return -DER_NOMEM;
	tx_init(&u->tx);
	u->bytes = bytes;
	memcpy(u->uuid, uuid, sizeof(u->uuid));
	rc = heap_map(u);
	if (rc != 0) {
		umem_free_all(u);
		return rc;
	}
	*ret_umem = u;
	return 0;
}

/** Format the region in memory and allocate the root. */
static int
umem_init_fresh(struct umem *u, uint32_t root_bytes)
{
	struct umem_heap_df *df = (struct umem_heap_df *)u->base;
	umem_off_t           root = UMEM_NULL;
	uint64_t             seq;
	int                  rc = 0;

	heap_init_fresh(&u->heap, u->uuid);
	if (root_bytes == 0)
		return 0;
	umem_tx_begin(u);
	rc = umem_alloc(u, root_bytes, &root);
	if (rc != 0) {
		umem_tx_abort(u);
		return rc;
	}
	df->root_off   = root;
	df->root_bytes = root_bytes;
	rc             = umem_tx_commit_async(u, &seq);
	u->last_seq    = 0;
	u->tx_nr       = 0;
	return rc;
}

MAY_YIELD int
umem_open(const struct umem_attr *attr, const unsigned char uuid[16], struct umem **ret_umem)
{
	struct umem *u;
	int          rc;

	rc = umem_new(attr->bytes, uuid, &u);
	if (rc != 0)
		return rc;
	rc = umem_init_fresh(u, attr->root_bytes);
	if (rc != 0) {
		umem_free_all(u);
		return rc;
	}
	*ret_umem = u;
	return 0;
}

MAY_YIELD void
umem_close(struct umem *u)
{
	if (u == NULL)
		return;
	umem_free_all(u);
}

void *
umem_ptr(const struct umem *u, umem_off_t off)
{
	D_ASSERT(off != UMEM_NULL && off < u->bytes);
	return u->base + off;
}

umem_off_t
umem_off(const struct umem *u, const void *ptr)
{
	uint64_t off = (const uint8_t *)ptr - u->base;

	D_ASSERT(off != 0 && off < u->bytes);
	return off;
}

bool
umem_off_valid(const struct umem *u, umem_off_t off, size_t bytes)
{
	return off >= heap_fixed_bytes(&u->heap) && off < u->bytes && bytes <= u->bytes - off;
}

umem_off_t
umem_root(const struct umem *u)
{
	return ((const struct umem_heap_df *)u->base)->root_off;
}

uint64_t
umem_last_seq(const struct umem *u)
{
	return u->last_seq;
}

MAY_YIELD int
umem_wait_durable(struct umem *u, uint64_t seq)
{
	D_ASSERT(seq <= u->last_seq);
	return 0;
}

void
umem_stat(const struct umem *u, struct umem_stat *stat)
{
	memset(stat, 0, sizeof(*stat));
	stat->heap_bytes         = u->bytes;
	stat->used_bytes         = u->heap.used_bytes;
	stat->free_bytes         = u->bytes - heap_fixed_bytes(&u->heap) - u->heap.used_bytes;
	stat->largest_free_bytes = heap_largest_free(&u->heap);
	stat->tx_nr              = u->tx_nr;
	stat->replayed_tx_nr     = u->replayed_tx_nr;
}

int
umem_check(struct umem *u)
{
	return heap_check(&u->heap);
}
