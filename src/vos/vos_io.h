/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/** An update or a fetch between begin and end. */
#pragma once

#include "vos/vos_internal.h"

/** Update: bytes of one recx or single value, or a part of them, that become one extent or value.
 */
struct vos_seg {
	unsigned       iod_idx;
	enum vos_media media;
	uint64_t       lo; /**< records; a single value is 0..1 */
	uint64_t       hi;
	uint64_t       bytes;
	uint64_t       blk_off; /**< DATA: reserved */
	uint32_t       crc;	/**< DATA: of the blocks, for the log */
	char	      *buf;
	bool	       taken; /**< buf is the caller's */
	uint64_t       addr; /**< once it is in the heap or the data blob; 0: not yet */
};

/** Fetch: bytes of one piece, or a hole. */
struct vos_piece {
	enum vos_media media;
	uint64_t       rec_nr;
	uint64_t       addr;
	char	      *buf;
};

/** Fetch: blocks read in one go. */
struct vos_run {
	uint64_t blk_off;
	uint64_t blk_nr;
	uint64_t buf_off;
};

/** Device requests of one operation, waited for together. */
struct vos_io_group {
	struct ult_eventual done;
	uint32_t	    left; /**< one more than are under way, until waited for */
	int		    rc;	  /**< first failure */
};

#define VOS_IO_INLINE 2 /**< segments, pieces, vectors that need no allocation of their own */

struct vos_io {
	struct vos_cont *cont; /**< a reference */
	struct vos_cond	 cond; /**< what it was asked */
	d_sg_list_t	*sgls; /**< [cond.nr] */
	d_iov_t		*iovs; /**< all of them */
	char		*dram; /**< heap values */
	void		*dma;  /**< blocks */
	uint64_t	 dram_bytes;
	uint64_t	 dma_bytes;
	/* update */
	const d_sg_list_t *src; /**< [cond.nr] the caller's memory, to take small values from; NULL: it fills the segments */
	struct vos_seg *segs;
	uint32_t	seg_nr;
	uint32_t	seg_cap;
	uint64_t	blk_nr;
	d_list_t	reserved; /**< struct vea_extent */
	/* fetch */
	uint64_t	 *rsizes;      /**< [cond.nr] found */
	uint32_t	 *piece_first; /**< [cond.nr + 1] */
	struct vos_piece *pieces;
	uint32_t	  piece_nr;
	uint32_t	  piece_cap;
	struct vos_run	 *runs;
	uint32_t	  run_nr;
	uint32_t	  run_cap;
	bool		  direct; /**< heap values are not copied: the caller looks before it yields */
	struct vos_reader reader;
	bool		  is_update;
	/* of a transaction (vos_dtx.c) */
	d_list_t link;
	/* Left as they are by vos_io_new(). */
	struct vos_seg	 seg_inline[VOS_IO_INLINE];
	struct vos_piece piece_inline[VOS_IO_INLINE];
	d_iov_t		 iov_inline[VOS_IO_INLINE];
};

/** Check the arguments and make the record. @ret_io holds the container. */
int vos_io_new(struct vos_cont *cont, const struct vos_cond *cond,
	       struct vos_io **ret_io) MUST_CHECK;
/** Return buffers and reservations. */
void vos_io_free(struct vos_io *io);
/** vos_fetch_begin(). @direct: values in the heap are pointed to; the caller copies before it yields. */
MAY_YIELD int vos_fetch_cond_begin(struct vos_cont *cont, const struct vos_cond *cond, bool direct,
				   struct vos_io **ret_io) MUST_CHECK;
/** vos_update_begin(). @src: [cond.nr] the caller's bytes, until vos_update_end(); what can be is taken from there by itself,
 *  the other scatter-gather lists are to be filled. */
MAY_YIELD int vos_update_cond_begin(struct vos_cont *cont, const struct vos_cond *cond,
				    const d_sg_list_t *src, struct vos_io **ret_io) MUST_CHECK;

/* ---- the steps of vos_update_end() (vos_update.c) ---- */

/** May the update happen, as things stand? */
int vos_update_check(const struct vos_io *io) MUST_CHECK;
/** Write what must be on the data blob; the commit of the transaction that places it flushes. */
MAY_YIELD int vos_update_write(struct vos_io *io) MUST_CHECK;
/** Make the blocks used, put the bytes into the heap; inside a transaction. */
int vos_update_place(struct vos_io *io) MUST_CHECK;
/** All changes of the update, inside a transaction. What is placed already is taken as it is. */
int vos_update_apply(struct vos_io *io) MUST_CHECK;

static inline void
vos_io_group_init(struct vos_io_group *group)
{
	ult_eventual_init(&group->done);
	group->left = 1;
	group->rc = 0;
}
/** The bio_cb_t of its requests. */
void vos_io_group_done(void *arg, int rc);
/** A request was started with @rc; false if that failed. */
bool		     vos_io_group_add(struct vos_io_group *group, int rc);
MAY_YIELD int vos_io_group_wait(struct vos_io_group *group) MUST_CHECK;
/** Make room for one more element of an array that grows, out of @own, VOS_IO_INLINE elements (NULL: none). */
int vos_io_grow(void **array, uint32_t nr, uint32_t *cap, size_t elem_bytes, void *own) MUST_CHECK;
/** The vectors of all scatter-gather lists; NULL: no memory. */
d_iov_t *vos_io_iovs(struct vos_io *io, uint32_t nr);
