/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/** Printing of what a request carries, by the list of fields that also encodes it. crt_proc.c's other half. */
#pragma once

#include "cart/crt_internal.h"

/** Append to the text of a CRT_PROC_PRINT; what does not fit ends it with "...". Always 0, for the codecs. */
int crt_print(struct crt_proc *p, const char *fmt, ...) PRINTF_LIKE(2, 3);
int crt_print_raw(struct crt_proc *p, const void *buf, size_t bytes);
int crt_print_uuid(struct crt_proc *p, const crt_uuid_t *uuid);
int crt_print_string(struct crt_proc *p, const char *s);
int crt_print_u64s(struct crt_proc *p, const uint64_t *v, uint32_t nr);
int crt_print_u32s(struct crt_proc *p, const uint32_t *v, uint32_t nr);
int crt_print_bulk(struct crt_proc *p, const struct crt_bulk *b);

/** What a request carries (@in), or its reply, in memory of the thread, until it asks again. For the log. */
const char *crt_rpc_text(const struct crt_rpc_priv *rpc, bool in);
