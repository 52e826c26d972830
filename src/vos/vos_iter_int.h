/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/** What the parts of iteration share. */
#pragma once

#include "vos/vos_internal.h"

#define VOS_ITER_SLICE_NR 64u /**< entries looked at before yielding */

struct vos_iter {
	const struct vos_iter_param *param;
	struct vos_pool		    *pool;
	daos_anchor_t		    *anchor;
	vos_iter_cb_t		     cb;
	void			    *arg;
};

/* One slice each: 0 to go on (unless the anchor is at the end), 1 stopped, or an error. */
int vos_iter_single_all(struct vos_iter *it) MUST_CHECK;
int vos_iter_recx_all(struct vos_iter *it) MUST_CHECK;
