/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/**
 * Names a directory does not have, for as long as the kernel might remember that, too. Before it creates a file the kernel
 * asks twice whether it is there; the second answer comes from here. Of a directory that was just made here all names are
 * known to be missing but those added here since: a tree that is copied is not asked for each of its names. Pure; used by
 * the threads of a mount.
 *
 * Invariants:
 *   1. What was looked up while a name was being added is not kept, whoever was first.
 *   2. While all names count as missing, every name added here is in `made` before it can be there.
 */
#pragma once

#include <pthread.h>
#include "base/util.h"

#define DFUSE_MISSING_NR 8
#define DFUSE_MADE_MAX   4096 /* names added to a directory that counts as fresh */

struct dfuse_missing {
	pthread_mutex_t lock;
	uint32_t next;  /* to be replaced */
	uint32_t added; /* counts changes that may have added a name */
	struct {
		uint64_t hash; /* of a name */
		uint64_t until_ns;
	} names[DFUSE_MISSING_NR];
	uint64_t  fresh_until_ns; /* until then only what is in made may be there */
	uint64_t *made;           /* [made_room] hashes, open addressing; 0: free */
	uint32_t  made_nr, made_room;
};

void     dfuse_missing_init(struct dfuse_missing *m);
void     dfuse_missing_fini(struct dfuse_missing *m);
/** A lookup begins: to be given to dfuse_missing_add(). */
uint32_t dfuse_missing_begin(struct dfuse_missing *m);
/** The name is not there; until @until_ns that may be believed. */
void     dfuse_missing_add(struct dfuse_missing *m, uint32_t begun, const char *name, uint64_t until_ns);
/** Until when it is known to be missing; 0: not known. */
uint64_t dfuse_missing_find(struct dfuse_missing *m, const char *name, uint64_t now_ns);
/** A name may be added, or may have been: before and after. */
void     dfuse_missing_forget(struct dfuse_missing *m, const char *name);
/** The directory was made just now; that may be believed until @until_ns. Before anybody else knows it. */
void     dfuse_missing_fresh(struct dfuse_missing *m, uint64_t until_ns);
