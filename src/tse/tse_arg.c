/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/**
 * A task's arguments. Its buffer is shared: the embedded part grows from the low end, once, the
 * stack from the high end down.
 *     | embedded ->        free        <- stack |
 */
#include "tse/tse_internal.h"

#include <string.h>
#include <daos_errno.h>

#define BUF_BYTES sizeof(((struct tse_task_priv *)NULL)->buf)

static size_t
arg_round(uint64_t bytes)
{
	return align_up(bytes, 8);
}

void *
tse_task_buf_embedded(tse_task_t *task, int size)
{
	struct tse_task_priv *tp = tse_task_priv(task);

	if (size < 0 || arg_round(size) > BUF_BYTES - tp->stack_bytes)
		return NULL;
	tp->embed_bytes = arg_round(size);
	return tp->buf;
}

void *
tse_task_stack_push(tse_task_t *task, uint32_t size_bytes)
{
	struct tse_task_priv *tp = tse_task_priv(task);

	if (arg_round(size_bytes) > BUF_BYTES - tp->stack_bytes - tp->embed_bytes)
		return NULL;
	tp->stack_bytes += arg_round(size_bytes);
	return tp->buf + BUF_BYTES - tp->stack_bytes;
}

void *
tse_task_stack_pop(tse_task_t *task, uint32_t size_bytes)
{
	struct tse_task_priv *tp = tse_task_priv(task);
	void                 *top = tp->buf + BUF_BYTES - tp->stack_bytes;

	D_ASSERT(arg_round(size_bytes) <= tp->stack_bytes);
	tp->stack_bytes -= arg_round(size_bytes);
	return top;
}

int
tse_task_stack_push_data(tse_task_t *task, const void *data, uint32_t size_bytes)
{
	void *top = tse_task_stack_push(task, size_bytes);

	if (top == NULL)
		return -DER_OVERFLOW;
	memcpy(top, data, size_bytes);
	return 0;
}

void
tse_task_stack_pop_data(tse_task_t *task, void *data, uint32_t size_bytes)
{
	memcpy(data, tse_task_stack_pop(task, size_bytes), size_bytes);
}

void *
tse_task_get_priv(tse_task_t *task)
{
	return tse_task_priv(task)->priv;
}

void *
tse_task_set_priv(tse_task_t *task, void *priv)
{
	void *old = tse_task_priv(task)->priv;

	tse_task_priv(task)->priv = priv;
	return old;
}

void *
tse_task_get_priv_internal(tse_task_t *task)
{
	return tse_task_priv(task)->priv_internal;
}

void *
tse_task_set_priv_internal(tse_task_t *task, void *priv)
{
	void *old = tse_task_priv(task)->priv_internal;

	tse_task_priv(task)->priv_internal = priv;
	return old;
}
