/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/**
 * Memory in a simulated world: this program's malloc() gives each node memory of its own, at addresses that depend on
 * nothing but what was allocated before. So a node that crashes takes all of its memory with it, what an orderly stop
 * leaves behind is known piece by piece, and no address differs between two runs.
 *
 *     BASE + node * SPAN                       + SPAN/2
 *     | block | block | ... ->                 | mappings, whole pages ... ->        |
 *     block: | class, state, bytes, caller | memory | to the size of its class
 *
 * A block is on the free list of its class or live. Classes are 16 bytes apart up to 1 KiB, then 8 to a doubling.
 * Memory that was freed is overwritten, so that its use shows, the same way each time.
 *
 * Under a sanitizer malloc() is the sanitizer's: then nodes' memory is neither dropped nor counted.
 */
#include "platform/platform_sim_int.h"

#include <dlfcn.h>
#include <errno.h>
#include <malloc.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

uint32_t psim_mem_node;

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#error "the simulation is not built with sanitizers: it brings a malloc() of its own"
#endif

#define BASE       0x100000000000ULL
#define SPAN       (8ULL << 30)
#define STEP       (256ULL << 10)
#define CLASS_NR   320u
#define LIVE       0xa110c8edu
#define FREED      0xf4eef4eeu
#define REDIRECT   0x4ed14ec7u
#define POISON     0xdf
#define PAGE_BYTES 4096u

struct block {
	uint32_t state;
	uint16_t class;
	uint16_t node;
	uint64_t bytes : 40, gap : 24; /* REDIRECT: bytes is the distance to the block */
	void    *caller;
	struct block *next; /* freed */
};
_Static_assert(sizeof(struct block) == 32, "blocks keep malloc's alignment");

struct map_free {
	struct map_free *next;
	uint64_t         bytes;
};

struct arena {
	bool          reserved;
	uint64_t      top;     /* of blocks, from the arena's start */
	uint64_t      map_top; /* of mappings */
	struct block *free[CLASS_NR];
	struct map_free *maps; /* freed mappings, first pages hold the list */
	uint64_t      live_bytes, live_nr, peak_bytes;
	uint32_t      fail_ppm;
};

static struct arena arenas[PSIM_NODE_MAX];

static char *
arena_base(uint32_t node)
{
	return (char *)(BASE + node * SPAN);
}

static void
die(const char *what)
{
	fprintf(stderr, "simulated memory: %s\n", what);
	abort();
}

static struct arena *
arena_of(uint32_t node)
{
	struct arena *a = &arenas[node];

	if (a->reserved)
		return a;
	if (mmap(arena_base(node), SPAN, PROT_READ | PROT_WRITE,
		 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED_NOREPLACE, -1, 0) != arena_base(node))
		die("its addresses are taken");
	a->reserved = true;
	a->map_top = SPAN / 2;
	return a;
}

/* ---- classes ---- */

static uint32_t
class_of(uint64_t bytes)
{
	uint32_t shift;

	if (bytes <= 1024)
		return bytes == 0 ? 0 : (bytes - 1) / 16;
	shift = 63 - __builtin_clzll(bytes - 1); /* bytes - 1 in [2^shift, 2^(shift+1)) */
	return 64 + (shift - 10) * 8 + (((bytes - 1) >> (shift - 3)) & 7);
}

static uint64_t
class_bytes(uint32_t class)
{
	uint32_t shift;

	if (class < 64)
		return (class + 1) * 16;
	shift = (class - 64) / 8 + 10;
	return (1ULL << shift) + ((uint64_t)((class - 64) % 8 + 1) << (shift - 3));
}

/* ---- blocks ---- */

static struct block *
block_of(void *ptr)
{
	struct block *b = (struct block *)ptr - 1;

	if (b->state == REDIRECT)
		b = (struct block *)((char *)b - b->bytes);
	if (b->state != LIVE)
		die(b->state == FREED ? "freed twice" : "not an allocation");
	return b;
}

static void *
alloc(size_t bytes, bool zero, void *caller)
{
	struct arena *a = arena_of(psim_mem_node);
	uint32_t      class = class_of(bytes);
	struct block *b;
	bool          fresh = false;

	if (psim_chance(a->fail_ppm)) {
		errno = ENOMEM;
		return NULL;
	}
	if (class >= CLASS_NR || class_bytes(class) > SPAN / 4) {
		errno = ENOMEM;
		return NULL;
	}
	b = a->free[class];
	if (b != NULL) {
		a->free[class] = b->next;
	} else {
		b = (struct block *)(arena_base(psim_mem_node) + a->top);
		a->top += sizeof(*b) + class_bytes(class);
		if (a->top > SPAN / 2)
			die("a node's memory is full");
		fresh = true;
	}
	*b = (struct block){.state = LIVE, .class = class, .node = psim_mem_node, .bytes = bytes, .caller = caller};
	a->live_bytes += bytes;
	a->live_nr++;
	a->peak_bytes = MAX_OF(a->peak_bytes, a->live_bytes);
	if (zero && !fresh)
		memset(b + 1, 0, bytes);
	return b + 1;
}

void *
malloc(size_t bytes)
{
	return alloc(bytes, false, __builtin_return_address(0));
}

void *
calloc(size_t nr, size_t bytes)
{
	size_t total;

	if (__builtin_mul_overflow(nr, bytes, &total)) {
		errno = ENOMEM;
		return NULL;
	}
	return alloc(total, true, __builtin_return_address(0));
}

void
free(void *ptr)
{
	struct block *b;
	struct arena *a;

	if (ptr == NULL)
		return;
	b = block_of(ptr);
	if (b->node != psim_mem_node && psim_mem_node != PSIM_WORLD && b->node != PSIM_WORLD)
		die("memory of one node was freed by another");
	a = &arenas[b->node];
	a->live_bytes -= b->bytes;
	a->live_nr--;
	b->state = FREED;
	memset(b + 1, POISON, MIN_OF(class_bytes(b->class), (uint64_t)256));
	b->next = a->free[b->class];
	a->free[b->class] = b;
}

void *
realloc(void *ptr, size_t bytes)
{
	struct block *b;
	uint64_t      have;
	void         *grown;

	if (ptr == NULL)
		return alloc(bytes, false, __builtin_return_address(0));
	b = block_of(ptr);
	have = b->bytes - ((char *)ptr - (char *)(b + 1));
	if ((void *)(b + 1) == ptr && class_of(bytes) == b->class) {
		arenas[b->node].live_bytes += bytes - b->bytes;
		b->bytes = bytes;
		return ptr;
	}
	grown = alloc(bytes, false, __builtin_return_address(0));
	if (grown == NULL)
		return NULL;
	memcpy(grown, ptr, MIN_OF(have, (uint64_t)bytes));
	free(ptr);
	return grown;
}

static void *
alloc_aligned(size_t align, size_t bytes, void *caller)
{
	char         *ptr, *at;
	struct block *b;

	if (align <= 16)
		return alloc(bytes, false, caller);
	ptr = alloc(bytes + align + sizeof(*b), false, caller);
	if (ptr == NULL || (uintptr_t)ptr % align == 0)
		return ptr;
	at = (char *)align_up((uintptr_t)ptr + sizeof(*b), align);
	b = (struct block *)at - 1;
	*b = (struct block){.state = REDIRECT, .bytes = (char *)b - (char *)((struct block *)ptr - 1)};
	return at;
}

void *
aligned_alloc(size_t align, size_t bytes)
{
	return alloc_aligned(align, bytes, __builtin_return_address(0));
}

void *
memalign(size_t align, size_t bytes)
{
	return alloc_aligned(align, bytes, __builtin_return_address(0));
}

int
posix_memalign(void **ret_ptr, size_t align, size_t bytes)
{
	void *ptr = alloc_aligned(align, bytes, __builtin_return_address(0));

	if (ptr == NULL)
		return ENOMEM;
	*ret_ptr = ptr;
	return 0;
}

size_t
malloc_usable_size(void *ptr)
{
	struct block *b;

	if (ptr == NULL)
		return 0;
	b = block_of(ptr);
	return b->bytes - ((char *)ptr - (char *)(b + 1));
}

/* ---- mappings ---- */

size_t
plat_page_bytes(void)
{
	return PAGE_BYTES;
}

uint64_t
plat_memory_bytes(void)
{
	return 16ULL << 30;
}

static struct map_free **
map_find(struct arena *a, uint64_t bytes)
{
	struct map_free **at = &a->maps;

	while (*at != NULL && (*at)->bytes != bytes)
		at = &(*at)->next;
	return at;
}

void *
psim_map(size_t bytes)
{
	struct arena     *a = arena_of(psim_mem_node);
	struct map_free **at, *map;

	bytes = align_up(bytes, PAGE_BYTES);
	at = map_find(a, bytes);
	map = *at;
	if (map != NULL) {
		*at = map->next;
		memset(map, 0, sizeof(*map));
		return map;
	}
	if (a->map_top + bytes > SPAN)
		return NULL;
	map = (struct map_free *)(arena_base(psim_mem_node) + a->map_top);
	a->map_top += bytes;
	return map;
}

void *
plat_map(size_t bytes)
{
	if (!psim_chance(arena_of(psim_mem_node)->fail_ppm))
		return psim_map(bytes);
	errno = ENOMEM;
	return NULL;
}

void
plat_map_back(void *pages, size_t bytes)
{
}

void
plat_unmap(void *ptr, size_t bytes)
{
	struct map_free *map = ptr;
	uint32_t         node = ((uint64_t)(uintptr_t)ptr - BASE) / SPAN;

	bytes = align_up(bytes, PAGE_BYTES);
	if (madvise(ptr, bytes, MADV_DONTNEED) != 0)
		die("pages cannot be given back");
	map->bytes = bytes;
	map->next = arenas[node].maps;
	arenas[node].maps = map;
}

/** No guard: a thousand nodes would need more of them than the kernel grants. Stacks are zeroed by nobody twice. */
void *
plat_map_stack(size_t bytes)
{
	return plat_map(bytes);
}

void
psim_mem_node_drop(uint32_t node)
{
	struct arena *a = &arenas[node];

	if (!a->reserved)
		return;
	if (madvise(arena_base(node), a->top, MADV_DONTNEED) != 0 ||
	    madvise(arena_base(node) + SPAN / 2, a->map_top - SPAN / 2, MADV_DONTNEED) != 0)
		die("a node's pages cannot be given back");
	*a = (struct arena){.reserved = true, .map_top = SPAN / 2, .peak_bytes = a->peak_bytes};
}

/* ---- for the world ---- */

void *
psim_world_alloc(size_t bytes)
{
	uint32_t node = psim_mem_node;
	void    *ptr;

	psim_mem_node = PSIM_WORLD;
	ptr = alloc(bytes, true, __builtin_return_address(0));
	psim_mem_node = node;
	if (ptr == NULL)
		die("the world's memory is full");
	return ptr;
}

uint32_t
psim_mem_use(uint32_t node)
{
	uint32_t before = psim_mem_node;

	psim_mem_node = node;
	return before;
}

void
psim_world_free(void *ptr)
{
	free(ptr);
}

uint64_t
psim_node_live_bytes(uint32_t node)
{
	return arenas[node].live_bytes;
}

uint64_t
psim_node_live_nr(uint32_t node)
{
	return arenas[node].live_nr;
}

uint64_t
psim_node_peak_bytes(uint32_t node)
{
	return arenas[node].peak_bytes;
}

void
psim_node_alloc_fail(uint32_t node, uint32_t ppm)
{
	D_ASSERT(node != PSIM_WORLD);
	arenas[node].fail_ppm = ppm;
}

uint64_t
psim_node_live_nr_of(uint32_t node, const char *library)
{
	const char *at = arena_base(node);
	const char *end = at + arenas[node].top;
	uint64_t    nr = 0;

	while (at < end) {
		const struct block *b = (const struct block *)at;
		Dl_info             info = {.dli_fname = ""};

		if (b->state == LIVE && dladdr(b->caller, &info) != 0)
			nr += strstr(info.dli_fname, library) != NULL;
		at += sizeof(*b) + class_bytes(b->class);
	}
	return nr;
}

void
psim_node_leaks_print(uint32_t node, FILE *out, unsigned nr_max)
{
	const char *at = arena_base(node);
	const char *end = at + arenas[node].top;

	while (at < end && nr_max > 0) {
		const struct block *b = (const struct block *)at;

		if (b->state == LIVE) {
			Dl_info info = {.dli_fname = "?"};

			(void)dladdr(b->caller, &info);
			fprintf(out, "  leaked: %lu bytes at %p, allocated at %s+0x%lx\n", (unsigned long)b->bytes,
				(const void *)(b + 1), info.dli_fname, (char *)b->caller - (char *)info.dli_fbase);
			nr_max--;
		}
		at += sizeof(*b) + class_bytes(b->class);
	}
}
