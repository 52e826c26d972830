/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/**
 * Memory that is freed all at once: a request's, a parse's. The first bytes come from the arena
 * itself, so small requests do not allocate. An arena in use must not be moved. Not thread safe.
 */
#pragma once

#include "base/util.h"

#define D_ARENA_INLINE_BYTES 512
#define D_ARENA_CHUNK_BYTES  4096
#define D_ARENA_ALIGN        16

struct d_arena_chunk;

struct d_arena {
	struct d_arena_chunk *chunks;
	char                 *cur;
	char                 *end;
	char first[D_ARENA_INLINE_BYTES] __attribute__((aligned(D_ARENA_ALIGN)));
};

void  d_arena_init(struct d_arena *arena);
void  d_arena_fini(struct d_arena *arena);
/** @bytes uninitialised bytes aligned to D_ARENA_ALIGN, or NULL. */
void *d_arena_alloc(struct d_arena *arena, size_t bytes);
/** Zeroed; NULL also when nr * bytes overflows. */
void *d_arena_calloc(struct d_arena *arena, size_t nr, size_t bytes);
void *d_arena_memdup(struct d_arena *arena, const void *src, size_t bytes);
char *d_arena_strdup(struct d_arena *arena, const char *src);
