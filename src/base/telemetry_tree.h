/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/**
 * The segment's layout, shared by telemetry.c (owner) and telemetry_read.c.
 *
 *   | header, D_TM_HEADER_BYTES | node 0: root | node 1 | node 2 | ... node_max |
 *
 * Links are indices, 0 meaning none, so the segment is mapped anywhere. A reader trusts none of it:
 * indices are checked against node_max, texts may lack their NUL, loops are cut by counting.
 */
#pragma once

#include <pthread.h>
#include <stdatomic.h>
#include "base/telemetry.h"

#define D_TM_MAGIC        0x54454c454d444153ULL
#define D_TM_VERSION      1
#define D_TM_HEADER_BYTES 4096
#define D_TM_DEPTH_MAX    16

struct d_tm_header {
	uint64_t         magic;
	uint32_t         version;
	uint32_t         node_max;
	_Atomic uint32_t node_nr; /**< nodes ever used: those above are untouched */
	uint32_t         pid;
};

struct d_tm_node {
	_Atomic uint32_t type; /**< 0: free */
	_Atomic uint32_t next; /**< next sibling */
	_Atomic uint32_t first;
	uint32_t         last;
	char             name[D_TM_NAME_BYTES];
	char             desc[D_TM_DESC_BYTES];
	char             units[D_TM_UNITS_BYTES];
	_Atomic uint64_t value;
	_Atomic uint32_t seq; /**< odd: the statistics are being changed */
	_Atomic uint64_t sample_nr;
	_Atomic uint64_t min;
	_Atomic uint64_t max;
	_Atomic uint64_t sum;
	_Atomic double   sum_of_squares;
};

struct d_tm {
	struct d_tm_header *header;
	struct d_tm_node   *nodes;
	uint32_t            node_max;
	uint32_t            free_first; /**< freed nodes, linked by next */
	size_t              map_bytes;
	size_t              backed_bytes; /**< of the segment that has memory for sure */
	int                 shm_fd;       /**< -1: private, or a reader's */
	bool                owner;
	char                shm_name[D_TM_NAME_BYTES];
	struct d_tm_clock   clock;
	pthread_mutex_t     lock; /**< the tree's shape, free_first, backed_bytes */
};

/** Child of node @parent_idx called @name; 0: none. */
uint32_t d_tm_child_find(struct d_tm *tm, uint32_t parent_idx, const char *name, size_t name_len);
/** Node at @path, relative to the root; false: there is none. */
bool d_tm_path_find(struct d_tm *tm, const char *path, uint32_t *ret_idx);
/** The component at *path, which moves past it; false at the end. */
bool d_tm_path_next(const char **path, const char **ret_name, size_t *ret_len);
