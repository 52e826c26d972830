/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/**
 * Codecs of the field types. One function per type measures, encodes, decodes and prints it, so they
 * cannot disagree. Encoding never writes past the end (TRUNC: the body does not fit); decoding
 * never reads past it (PROTO: malformed), whatever the bytes are.
 */
#define D_LOGFAC LOG_FAC_CART
#include <string.h>
#include "base/log.h"
#include "cart/crt_internal.h"
#include "cart/crt_print.h"

#define LATE_BYTES_MIN 1024 /* a copy less pays */

enum crt_proc_op
crt_proc_op(const struct crt_proc *p)
{
	return p->op;
}

size_t
crt_proc_left(const struct crt_proc *p)
{
	return p->op == CRT_PROC_DECODE ? p->end - p->cur : 0;
}

void *
crt_proc_alloc(struct crt_proc *p, size_t nr, size_t elem_bytes)
{
	if (nr > CRT_ARRAY_NR_MAX || elem_bytes > CRT_BODY_BYTES_MAX)
		return NULL;
	return d_arena_calloc(p->arena, nr, elem_bytes);
}

/** What was left out is not the last thing: it comes before what follows. */
static void
late_put(struct crt_proc *p)
{
	memcpy(p->cur, p->late.iov_buf, p->late.iov_len);
	p->cur += p->late.iov_len;
	p->end += p->late.iov_len;
	p->late.iov_len = 0;
}

int
crt_proc_raw(struct crt_proc *p, void *buf, size_t bytes)
{
	if (p->op == CRT_PROC_MEASURE) {
		p->bytes += bytes;
		return 0;
	}
	if (UNLIKELY(p->op == CRT_PROC_PRINT))
		return crt_print_raw(p, buf, bytes);
	if (UNLIKELY(p->late.iov_len > 0))
		late_put(p);
	if (bytes > (size_t)(p->end - p->cur))
		return p->op == CRT_PROC_ENCODE ? -DER_TRUNC : -DER_PROTO;
	if (bytes == 0)
		return 0;
	if (p->op == CRT_PROC_ENCODE)
		memcpy(p->cur, buf, bytes);
	else
		memcpy(buf, p->cur, bytes);
	p->cur += bytes;
	return 0;
}

#define PROC_NUMBER(T, fmt, P)                                                                     \
	int crt_proc_##T(struct crt_proc *p, crt_field_##T *v)                                     \
	{                                                                                          \
		if (UNLIKELY(p->op == CRT_PROC_PRINT))                                             \
			return crt_print(p, fmt, (P)*v);                                           \
		return crt_proc_raw(p, v, sizeof(*v));                                             \
	}
PROC_NUMBER(uint8_t, "%u", unsigned)
PROC_NUMBER(uint16_t, "%u", unsigned)
PROC_NUMBER(uint32_t, "%u", unsigned)
PROC_NUMBER(uint64_t, "%lu", unsigned long)
PROC_NUMBER(int32_t, "%d", int)
PROC_NUMBER(int64_t, "%ld", long)

int
crt_proc_uuid(struct crt_proc *p, crt_uuid_t *v)
{
	return p->op == CRT_PROC_PRINT ? crt_print_uuid(p, v) : crt_proc_raw(p, v, sizeof(*v));
}

int
crt_proc_bool(struct crt_proc *p, bool *v)
{
	uint8_t b  = p->op == CRT_PROC_DECODE ? 0 : *v;
	int     rc;

	if (UNLIKELY(p->op == CRT_PROC_PRINT))
		return crt_print(p, "%s", *v ? "true" : "false");
	rc = crt_proc_raw(p, &b, 1);

	if (rc == 0 && p->op == CRT_PROC_DECODE) {
		if (b > 1)
			return -DER_PROTO;
		*v = b;
	}
	return rc;
}

/** A count of elements that are at least @elem_bytes each on the wire. */
static int
proc_count(struct crt_proc *p, uint32_t *nr, size_t elem_bytes)
{
	int rc = crt_proc_raw(p, nr, sizeof(*nr));

	if (rc != 0)
		return rc;
	if (p->op != CRT_PROC_DECODE)
		return *nr > CRT_ARRAY_NR_MAX ? -DER_OVERFLOW : 0;
	return *nr > CRT_ARRAY_NR_MAX || *nr > crt_proc_left(p) / elem_bytes ? -DER_PROTO : 0;
}

int
crt_proc_string(struct crt_proc *p, char **v)
{
	uint32_t bytes = 0; /* with the NUL; 0: NULL */
	int      rc;

	if (UNLIKELY(p->op == CRT_PROC_PRINT))
		return crt_print_string(p, *v);
	if (p->op != CRT_PROC_DECODE && *v != NULL)
		bytes = strlen(*v) + 1;
	rc = proc_count(p, &bytes, 1);
	if (rc != 0)
		return rc;
	if (p->op != CRT_PROC_DECODE)
		return crt_proc_raw(p, *v, bytes);
	if (bytes == 0) {
		*v = NULL;
		return 0;
	}
	if (memchr(p->cur, '\0', bytes) != p->cur + bytes - 1)
		return -DER_PROTO; /* it ends where it says, not before and not after */
	*v = p->cur; /* borrowed from the message, like iov's */
	p->cur += bytes;
	return 0;
}

int
crt_proc_iov(struct crt_proc *p, d_iov_t *v)
{
	uint64_t bytes = p->op == CRT_PROC_DECODE ? 0 : v->iov_len;
	int      rc;

	if (UNLIKELY(p->op == CRT_PROC_PRINT))
		return crt_print(p, "<%lu B>", (unsigned long)bytes);
	rc = crt_proc_raw(p, &bytes, sizeof(bytes));
	if (rc != 0)
		return rc;
	if (p->may_late && bytes >= LATE_BYTES_MIN && bytes <= (size_t)(p->end - p->cur)) {
		p->late = *v;
		p->end -= bytes;
		return 0;
	}
	if (p->op != CRT_PROC_DECODE)
		return crt_proc_raw(p, v->iov_buf, bytes);
	if (bytes > crt_proc_left(p))
		return -DER_PROTO;
	d_iov_set(v, bytes == 0 ? NULL : p->cur, bytes);
	p->cur += bytes;
	return 0;
}

/** Arrays of fixed-size numbers; copied when decoded, since the message is not aligned. */
static int
proc_numbers(struct crt_proc *p, uint32_t *nr, void **v, size_t elem_bytes)
{
	void *copy;
	int   rc = proc_count(p, nr, elem_bytes);

	if (rc != 0)
		return rc;
	if (p->op != CRT_PROC_DECODE)
		return crt_proc_raw(p, *v, *nr * elem_bytes);
	*v = NULL;
	if (*nr == 0)
		return 0;
	copy = crt_proc_alloc(p, *nr, elem_bytes);
	if (copy == NULL)
		return -DER_NOMEM;
	*v = copy;
	return crt_proc_raw(p, copy, *nr * elem_bytes);
}

int
crt_proc_u64s(struct crt_proc *p, struct crt_u64_array *v)
{
	if (UNLIKELY(p->op == CRT_PROC_PRINT))
		return crt_print_u64s(p, v->v, v->nr);
	return proc_numbers(p, &v->nr, (void **)&v->v, sizeof(uint64_t));
}

int
crt_proc_u32s(struct crt_proc *p, struct crt_u32_array *v)
{
	if (UNLIKELY(p->op == CRT_PROC_PRINT))
		return crt_print_u32s(p, v->v, v->nr);
	return proc_numbers(p, &v->nr, (void **)&v->v, sizeof(uint32_t));
}

int
crt_proc_ranks(struct crt_proc *p, d_rank_list_t **v)
{
	bool there = p->op != CRT_PROC_DECODE && *v != NULL;
	int  rc;

	if (UNLIKELY(p->op == CRT_PROC_PRINT))
		return there ? crt_print_u32s(p, (*v)->rl_ranks, (*v)->rl_nr) : crt_print(p, "NULL");
	rc = crt_proc_bool(p, &there);
	if (rc != 0)
		return rc;
	if (!there) {
		if (p->op == CRT_PROC_DECODE)
			*v = NULL;
		return 0;
	}
	if (p->op == CRT_PROC_DECODE) {
		*v = crt_proc_alloc(p, 1, sizeof(**v));
		if (*v == NULL)
			return -DER_NOMEM;
	}
	return proc_numbers(p, &(*v)->rl_nr, (void **)&(*v)->rl_ranks, sizeof(d_rank_t));
}

/* ---- bulk handles: permission, owner's name if it is bound, segments; 255 stands for NULL ---- */

#define BULK_NULL  255
#define BULK_BOUND 0x10 /* or'ed to the permission */
#define BULK_SEG_WIRE_BYTES 32

static int
proc_seg(struct crt_proc *p, struct crt_bulk_seg *seg)
{
	int rc = crt_proc_raw(p, &seg->remote.base, sizeof(uint64_t));

	if (rc == 0)
		rc = crt_proc_raw(p, &seg->remote.key, sizeof(uint64_t));
	if (rc == 0)
		rc = crt_proc_raw(p, &seg->remote.guard, sizeof(uint64_t));
	if (rc == 0)
		rc = crt_proc_raw(p, &seg->bytes, sizeof(uint64_t));
	return rc;
}

static int
bulk_name_decode(struct crt_proc *p, struct crt_bulk *b)
{
	int rc = proc_count(p, &b->name_bytes, 1);

	if (rc != 0)
		return rc;
	if (b->name_bytes == 0 || b->name_bytes > NA_NAME_BYTES_MAX)
		return -DER_PROTO;
	b->name = p->cur; /* borrowed from the message */
	p->cur += b->name_bytes;
	return 0;
}

static int
bulk_decode(struct crt_proc *p, struct crt_bulk **ret_bulk, uint8_t perm)
{
	struct crt_bulk *b  = crt_proc_alloc(p, 1, sizeof(*b));
	int              rc = b == NULL ? -DER_NOMEM : 0;

	if (rc == 0 && (perm & BULK_BOUND) != 0)
		rc = bulk_name_decode(p, b);
	if (rc == 0)
		rc = proc_count(p, &b->seg_nr, BULK_SEG_WIRE_BYTES);
	if (rc != 0)
		return rc;
	b->perm = perm & ~BULK_BOUND;
	b->segs = crt_proc_alloc(p, b->seg_nr, sizeof(*b->segs));
	if (b->segs == NULL)
		return -DER_NOMEM;
	for (uint32_t i = 0; i < b->seg_nr; i++) {
		rc = proc_seg(p, &b->segs[i]);
		if (rc != 0)
			return rc;
		if (b->segs[i].bytes > UINT64_MAX - b->bytes)
			return -DER_PROTO;
		b->bytes += b->segs[i].bytes;
	}
	*ret_bulk = b;
	return 0;
}

int
crt_proc_crt_bulk_t(struct crt_proc *p, struct crt_bulk **v)
{
	struct crt_bulk *b    = p->op == CRT_PROC_DECODE ? NULL : *v;
	uint8_t          perm = b == NULL	   ? BULK_NULL
				: b->name == NULL ? b->perm
						  : b->perm | BULK_BOUND;
	int              rc;

	if (UNLIKELY(p->op == CRT_PROC_PRINT))
		return crt_print_bulk(p, b);
	rc = crt_proc_raw(p, &perm, 1);
	if (rc != 0)
		return rc;
	if (p->op == CRT_PROC_DECODE) {
		*v = NULL;
		if (perm == BULK_NULL)
			return 0;
		if ((perm & ~BULK_BOUND) > CRT_BULK_WO)
			return -DER_PROTO;
		return bulk_decode(p, v, perm);
	}
	if (b == NULL)
		return 0;
	if (b->name != NULL)
		rc = proc_count(p, &b->name_bytes, 1);
	if (rc == 0 && b->name != NULL)
		rc = crt_proc_raw(p, (void *)b->name, b->name_bytes);
	if (rc == 0)
		rc = proc_count(p, &b->seg_nr, BULK_SEG_WIRE_BYTES);
	for (uint32_t i = 0; rc == 0 && i < b->seg_nr; i++)
		rc = proc_seg(p, &b->segs[i]);
	return rc;
}
