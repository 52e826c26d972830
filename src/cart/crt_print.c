/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/**
 * Printing of requests. CRT_RPC_DEFINE makes from a list of fields, beside the codec, a function that
 * gives each field's name to crt_proc_name() and its value to the type's codec, which prints in
 * CRT_PROC_PRINT what it would send. A type of a service's own prints what it is made of: its
 * elements follow each other with commas. Bytes of users are never shown, only how many they are.
 */
#include "cart/crt_print.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define PRINT_STRING_MAX 64
#define PRINT_ARRAY_MAX  8
#define PRINT_HEX_MAX    16
#define PRINT_BYTES_MIN  8
#define PRINT_LOG_BYTES  512

static void
text_add(struct crt_proc *p, const char *s)
{
	size_t left = p->end - p->cur; /* with the NUL */
	size_t len  = strlen(s);

	if (len < left) {
		memcpy(p->cur, s, len + 1);
		p->cur += len;
	} else if (left > 0) { /* once: nothing fits any more */
		p->cur = MIN_OF(p->cur, p->end - 4);
		memcpy(p->cur, "...", 4);
		p->end = p->cur;
	}
}

/** Values without a name of their own are the elements of one. */
static void
text_separate(struct crt_proc *p)
{
	if (p->cur > p->text && strchr("=: ", p->cur[-1]) == NULL)
		text_add(p, ",");
}

int
crt_print(struct crt_proc *p, const char *fmt, ...)
{
	char    buf[256];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(buf, sizeof(buf), fmt, ap);
	va_end(ap);
	text_separate(p);
	text_add(p, buf);
	return 0;
}

void
crt_proc_name(struct crt_proc *p, const char *name)
{
	if (p->cur > p->text)
		text_add(p, " ");
	text_add(p, name);
	text_add(p, "=");
}

int
crt_print_raw(struct crt_proc *p, const void *buf, size_t bytes)
{
	char hex[PRINT_HEX_MAX * 2 + 1] = "";

	if (bytes > PRINT_HEX_MAX)
		return crt_print(p, "<%zu B>", bytes);
	for (size_t i = 0; i < bytes; i++)
		snprintf(hex + 2 * i, 3, "%02x", ((const unsigned char *)buf)[i]);
	return crt_print(p, "0x%s", hex);
}

int
crt_print_uuid(struct crt_proc *p, const crt_uuid_t *uuid)
{
	char  text[40];
	char *at = text;

	for (int i = 0; i < 16; i++)
		at += sprintf(at, i == 4 || i == 6 || i == 8 || i == 10 ? "-%02x" : "%02x", uuid->b[i]);
	return crt_print(p, "%s", text);
}

int
crt_print_string(struct crt_proc *p, const char *s)
{
	char   buf[PRINT_STRING_MAX + 1];
	size_t len;

	if (s == NULL)
		return crt_print(p, "NULL");
	len = strnlen(s, PRINT_STRING_MAX + 1);
	for (size_t i = 0; i < MIN_OF(len, (size_t)PRINT_STRING_MAX); i++)
		buf[i] = isprint((unsigned char)s[i]) ? s[i] : '?';
	buf[MIN_OF(len, (size_t)PRINT_STRING_MAX)] = '\0';
	return crt_print(p, "'%s'%s", buf, len > PRINT_STRING_MAX ? "..." : "");
}

int
crt_print_u64s(struct crt_proc *p, const uint64_t *v, uint32_t nr)
{
	(void)crt_print(p, nr == 0 ? "none" : "%u:", nr);
	for (uint32_t i = 0; i < MIN_OF(nr, (uint32_t)PRINT_ARRAY_MAX); i++)
		(void)crt_print(p, "%lu", (unsigned long)v[i]);
	return nr > PRINT_ARRAY_MAX ? crt_print(p, "...") : 0;
}

int
crt_print_u32s(struct crt_proc *p, const uint32_t *v, uint32_t nr)
{
	(void)crt_print(p, nr == 0 ? "none" : "%u:", nr);
	for (uint32_t i = 0; i < MIN_OF(nr, (uint32_t)PRINT_ARRAY_MAX); i++)
		(void)crt_print(p, "%u", v[i]);
	return nr > PRINT_ARRAY_MAX ? crt_print(p, "...") : 0;
}

int
crt_print_bulk(struct crt_proc *p, const struct crt_bulk *b)
{
	static const char *const perms[] = {
	    [CRT_BULK_RW] = "rw", [CRT_BULK_RO] = "ro", [CRT_BULK_WO] = "wo"};

	if (b == NULL)
		return crt_print(p, "NULL");
	return crt_print(p, "bulk(%s %lu B in %u%s)", perms[b->perm], (unsigned long)b->bytes, b->seg_nr,
			 b->name != NULL ? ", bound" : "");
}

int
crt_rpc_print(const crt_rpc_t *rpc, bool in, char *buf, size_t buf_bytes)
{
	struct crt_proc                   p      = {.op = CRT_PROC_PRINT, .text = buf, .cur = buf, .end = buf + buf_bytes};
	const struct crt_req_format *format = crt_priv(rpc)->format;

	if (buf_bytes < PRINT_BYTES_MIN)
		return -DER_INVAL;
	buf[0] = '\0';
	if (format == NULL)
		return -DER_UNREG;
	if (in)
		format->print_in(&p, rpc->cr_input);
	else
		format->print_out(&p, rpc->cr_output);
	return 0;
}

const char *
crt_rpc_text(const struct crt_rpc_priv *rpc, bool in)
{
	static _Thread_local char text[PRINT_LOG_BYTES];

	return crt_rpc_print(&rpc->pub, in, text, sizeof(text)) == 0 ? text : "";
}
