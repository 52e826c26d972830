/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/**
 * The space values live in: the heap and the data blob, and the accounts of one transaction.
 */
#pragma once

#include "bio/bio.h"
#include "bio/vea.h"
#include "vos/vos_df.h"

/** A moment in a container's history: operations of one epoch are ordered by seq. */
struct vos_ver {
	uint64_t epoch;
	uint32_t seq;
};
#define VOS_VER_NONE ((struct vos_ver){0, 0})

/** Is @a later than @b? Sequence numbers wrap. */
static inline bool
vos_ver_after(struct vos_ver a, struct vos_ver b)
{
	if (a.epoch != b.epoch)
		return a.epoch > b.epoch;
	return (int32_t)(a.seq - b.seq) > 0;
}

static inline struct vos_ver
vos_ver_max(struct vos_ver a, struct vos_ver b)
{
	return vos_ver_after(a, b) ? a : b;
}

/** Mistakes that the model checker must find; only in the variant that is built for its test. */
enum vos_bug {
	VOS_BUG_NONE,
	VOS_BUG_EARLY_ANSWER, /**< a change is answered before it is durable */
	VOS_BUG_LOST_SNAPSHOT, /**< aggregation forgets the oldest snapshot */
	VOS_BUG_LATE_EXTENT, /**< an old extent that comes late lives longer than it should */
	VOS_BUG_HALF_TX, /**< committing a transaction of several operations leaves out the last */
	VOS_BUG_LEAK, /**< aborting a transaction keeps its blocks */
	VOS_BUG_NR
};
#ifdef VOS_PLANTED_BUGS
extern int vos_planted_bug;
#define VOS_BUG(bug) (vos_planted_bug == (bug))
#else
#define VOS_BUG(bug) false
#endif

struct vos_space {
	struct umem *umem;
	struct vea  *vea;      /**< NULL: no data blob */
	int64_t	     tx_bytes; /**< value bytes the open transaction added, less those it removed */
	uint64_t     tx_blk_nr; /**< blocks the open transaction freed */
};

static inline bool
vos_media_is(uint32_t flags, enum vos_media media)
{
	return (flags & VOS_MEDIA_MASK) == media;
}

/** A vos_blob_df with one reference and a copy of the bytes (@bytes NULL: zeroes). @ret_addr: heap
 *  offset of the data. Inside a transaction. Errors: NOSPACE, NOMEM */
int vos_heap_put(struct vos_space *sp, const void *buf, uint64_t bytes,
		 uint64_t *ret_addr) MUST_CHECK;
/** A single value's bytes: alone in the heap, freed by umem_free(). Its offset is a multiple of 16, that of a
 *  blob's data is not. Otherwise as vos_heap_put(). */
int vos_heap_put_alone(struct vos_space *sp, const void *buf, uint64_t bytes,
		       uint64_t *ret_addr) MUST_CHECK;
/** @data_off: heap offset of the blob's first byte. */
int vos_heap_ref(struct vos_space *sp, uint64_t data_off, uint32_t refs) MUST_CHECK;
int vos_heap_unref(struct vos_space *sp, uint64_t data_off) MUST_CHECK;
int vos_blocks_free(struct vos_space *sp, uint64_t blk_off, uint64_t blk_nr) MUST_CHECK;
