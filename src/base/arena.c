/* SPDX-License-Identifier: BSD-2-Clause-Patent */
#include "base/arena.h"

#include <stdlib.h>
#include <string.h>

struct d_arena_chunk {
	struct d_arena_chunk *next;
	char data[] __attribute__((aligned(D_ARENA_ALIGN)));
};

void
d_arena_init(struct d_arena *arena)
{
	arena->chunks = NULL;
	arena->cur = arena->first;
	arena->end = arena->first + sizeof(arena->first);
}

void
d_arena_fini(struct d_arena *arena)
{
	struct d_arena_chunk *chunk;

	while ((chunk = arena->chunks) != NULL) {
		arena->chunks = chunk->next;
		free(chunk);
	}
	d_arena_init(arena);
}

/** A chunk for @bytes alone, or for more to come; large ones leave the current chunk in use. */
static void *
arena_chunk_alloc(struct d_arena *arena, size_t bytes)
{
	bool                  large = bytes > D_ARENA_CHUNK_BYTES / 4;
	size_t                data_bytes = large ? bytes : D_ARENA_CHUNK_BYTES;
	struct d_arena_chunk *chunk = malloc(sizeof(*chunk) + data_bytes);

	if (chunk == NULL)
		return NULL;
	chunk->next = arena->chunks;
	arena->chunks = chunk;
	if (!large) {
		arena->cur = chunk->data + bytes;
		arena->end = chunk->data + data_bytes;
	}
	return chunk->data;
}

void *
d_arena_alloc(struct d_arena *arena, size_t bytes)
{
	void *ptr = arena->cur;

	if (bytes > SIZE_MAX / 2)
		return NULL;
	bytes = align_up(MAX_OF(bytes, (size_t)1), D_ARENA_ALIGN);
	if (bytes > (size_t)(arena->end - arena->cur))
		return arena_chunk_alloc(arena, bytes);
	arena->cur += bytes;
	return ptr;
}

void *
d_arena_calloc(struct d_arena *arena, size_t nr, size_t bytes)
{
	size_t total;
	void  *ptr;

	if (__builtin_mul_overflow(nr, bytes, &total))
		return NULL;
	ptr = d_arena_alloc(arena, total);
	return ptr == NULL ? NULL : memset(ptr, 0, total);
}

void *
d_arena_memdup(struct d_arena *arena, const void *src, size_t bytes)
{
	void *ptr = d_arena_alloc(arena, bytes);

	return ptr == NULL || bytes == 0 ? ptr : memcpy(ptr, src, bytes);
}

char *
d_arena_strdup(struct d_arena *arena, const char *src)
{
	return d_arena_memdup(arena, src, strlen(src) + 1);
}
