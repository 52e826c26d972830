/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/** What the tests of ULTs share. */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>
#include "ult/ult.h"

static const struct ult_xs_attr attr = {.name = "test", .core = -1};

/** Run @fn as the first ULT of an xstream on this thread. */
static inline void
run(ult_fn_t fn, void *arg)
{
	assert_int_equal(ult_xs_run(&attr, fn, arg), 0);
	assert_null(ult_xs_self());
}

/** What happened, a letter each. */
struct trace {
	char     text[64];
	unsigned len;
};

static inline void
trace_add(struct trace *trace, char c)
{
	assert_true(trace->len < sizeof(trace->text) - 1);
	trace->text[trace->len++] = c;
}
