/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/** What requests about names share with those about files. */
#pragma once

#include "dfuse/dfuse.h"

/** Answer with an entry; takes the reference. */
void dfuse_reply_entry(fuse_req_t req, struct dfuse *d, struct dfuse_inode *inode, const struct stat *st);
/** Owner of something new in @dir; a set-group-ID directory hands on its group, and itself. */
void dfuse_new_owner(fuse_req_t req, const struct dfuse_inode *dir, mode_t *mode, struct stat *ret_st);
