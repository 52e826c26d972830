/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/** Linked with --wrap: allocations of memory and of the pool's heap fail when told to. Only those of the
 * ULT that asked: what runs beside it is another's matter. */
#include <errno.h>
#include <stddef.h>
#include <daos_errno.h>
#include "model_run.h"
#include "ult/ult.h"
#include "umem/umem.h"

static uint32_t	   countdown;
static int	   has_failed;
static struct ult *whose;

void
model_alloc_fail(uint32_t nth)
{
	countdown = nth;
	has_failed = 0;
	whose = nth == 0 ? NULL : ult_self();
}

int
model_alloc_failed(void)
{
	countdown = 0;
	return has_failed;
}

static int
fails(void)
{
	if (countdown == 0 || ult_self() != whose || --countdown > 0)
		return 0;
	return has_failed = 1;
}

void *__real_malloc(size_t bytes);
void *__wrap_malloc(size_t bytes);
void *
__wrap_malloc(size_t bytes)
{
	return fails() ? NULL : __real_malloc(bytes);
}

void *__real_calloc(size_t nr, size_t bytes);
void *__wrap_calloc(size_t nr, size_t bytes);
void *
__wrap_calloc(size_t nr, size_t bytes)
{
	return fails() ? NULL : __real_calloc(nr, bytes);
}

void *__real_realloc(void *ptr, size_t bytes);
void *__wrap_realloc(void *ptr, size_t bytes);
void *
__wrap_realloc(void *ptr, size_t bytes)
{
	return fails() ? NULL : __real_realloc(ptr, bytes);
}

int __real_umem_alloc(struct umem *u, size_t bytes, umem_off_t *ret_off);
int __wrap_umem_alloc(struct umem *u, size_t bytes, umem_off_t *ret_off);
int
__wrap_umem_alloc(struct umem *u, size_t bytes, umem_off_t *ret_off)
{
	return fails() ? -DER_NOSPACE : __real_umem_alloc(u, bytes, ret_off);
}
