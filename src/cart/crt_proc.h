/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/**
 * How requests are declared and encoded. A request is a list of fields:
 *
 *     #define POOL_QUERY_IN(F)  F(uuid, pool) F(uuid, hdl) F(uint64_t, flags) F(crt_bulk_t, map_bulk)
 *     #define POOL_QUERY_OUT(F) F(int32_t, rc) F(uint32_t, map_version)
 *     CRT_RPC_DECLARE(pool_query, POOL_QUERY_IN, POOL_QUERY_OUT)   // in a header
 *     CRT_RPC_DEFINE(pool_query, POOL_QUERY_IN, POOL_QUERY_OUT)    // in one source file
 *
 * which makes struct pool_query_in, struct pool_query_out and pool_query_format. A field's type T
 * is one token for which `int crt_proc_T(struct crt_proc *, crt_field_T *)` exists: one function
 * that encodes, measures, decodes and prints. Services add types of their own with CRT_FIELD_TYPE.
 *
 * Little endian, no padding. Decoding checks every length against what is left and against the
 * limits below, and takes memory from the request's arena: it is freed with the request.
 */
#pragma once

#include <gurt/types.h>
#include "base/util.h"

struct crt_proc; /* opaque: direction, cursor, arena */

enum crt_proc_op { CRT_PROC_MEASURE, CRT_PROC_ENCODE, CRT_PROC_DECODE, CRT_PROC_PRINT };
enum crt_proc_op crt_proc_op(const struct crt_proc *p);

#define CRT_ARRAY_NR_MAX (1u << 22) /**< elements of any decoded array; also bounded by the bytes left */

/** @bytes raw bytes. */
int crt_proc_raw(struct crt_proc *p, void *buf, size_t bytes) MUST_CHECK;
/** Decode only: arena memory, zeroed; NULL when the request is malformed (too large) or memory is out. */
void *crt_proc_alloc(struct crt_proc *p, size_t nr, size_t elem_bytes);
/** Decode only: bytes left in the message, an upper bound for any count. */
size_t crt_proc_left(const struct crt_proc *p);

/** Print only: the value that follows is called so. */
void crt_proc_name(struct crt_proc *p, const char *name);

/** Field type T is held in C type C. */
#define CRT_FIELD_TYPE(T, C)                                                                       \
	typedef C crt_field_##T;                                                                   \
	int crt_proc_##T(struct crt_proc *p, crt_field_##T *v) MUST_CHECK;

typedef struct { unsigned char b[16]; } crt_uuid_t;
/** An array of fixed-size numbers: count and elements. Decoded into arena memory. */
struct crt_u64_array { uint32_t nr; uint64_t *v; };
struct crt_u32_array { uint32_t nr; uint32_t *v; };

CRT_FIELD_TYPE(uint8_t, uint8_t)
CRT_FIELD_TYPE(uint16_t, uint16_t)
CRT_FIELD_TYPE(uint32_t, uint32_t)
CRT_FIELD_TYPE(uint64_t, uint64_t)
CRT_FIELD_TYPE(int32_t, int32_t)
CRT_FIELD_TYPE(int64_t, int64_t)
CRT_FIELD_TYPE(bool, bool)
CRT_FIELD_TYPE(uuid, crt_uuid_t)            /**< copy with uuid_copy(x.b, u) */
CRT_FIELD_TYPE(string, char *)              /**< NULL travels as NULL; decoded ones are NUL-terminated */
CRT_FIELD_TYPE(iov, d_iov_t)                /**< iov_len bytes of iov_buf; decoded: borrowed from the message */
CRT_FIELD_TYPE(ranks, d_rank_list_t *)
CRT_FIELD_TYPE(u64s, struct crt_u64_array)
CRT_FIELD_TYPE(u32s, struct crt_u32_array)
CRT_FIELD_TYPE(crt_bulk_t, struct crt_bulk *) /**< NULL travels as NULL */

struct crt_req_format {
	const char *name;
	size_t      in_bytes, out_bytes;
	int       (*proc_in)(struct crt_proc *p, void *in);
	int       (*proc_out)(struct crt_proc *p, void *out);
	void      (*print_in)(struct crt_proc *p, void *in);
	void      (*print_out)(struct crt_proc *p, void *out);
};

#define CRT_FIELD_DECL(T, n) crt_field_##T n;
#define CRT_FIELD_PROC(T, n) || (rc = crt_proc_##T(p, &s->n)) != 0
#define CRT_FIELD_PRINT(T, n) || (crt_proc_name(p, #n), crt_proc_##T(p, &s->n) != 0)
#define CRT_RPC_DECLARE(name, IN, OUT)                                                             \
	struct name##_in { IN(CRT_FIELD_DECL) };                                                   \
	struct name##_out { OUT(CRT_FIELD_DECL) };                                                 \
	extern const struct crt_req_format name##_format;
/** Codec of any struct made of fields; also for nested element types. */
#define CRT_PROC_DEFINE(func, type, FIELDS)                                                        \
	static int func(struct crt_proc *p, type *s)                                               \
	{                                                                                          \
		int rc = 0;                                                                        \
		(void)(0 FIELDS(CRT_FIELD_PROC));                                                  \
		return rc;                                                                         \
	}
#define CRT_RPC_DEFINE(name, IN, OUT)                                                              \
	CRT_PROC_DEFINE(name##_proc_in, struct name##_in, IN)                                      \
	CRT_PROC_DEFINE(name##_proc_out, struct name##_out, OUT)                                   \
	static int name##_in_any(struct crt_proc *p, void *v) { return name##_proc_in(p, v); }     \
	static int name##_out_any(struct crt_proc *p, void *v) { return name##_proc_out(p, v); }   \
	static void name##_print_in(struct crt_proc *p, void *v)                                   \
	{                                                                                          \
		struct name##_in *s = v;                                                           \
		(void)(0 IN(CRT_FIELD_PRINT));                                                     \
		(void)s;                                                                           \
	}                                                                                          \
	static void name##_print_out(struct crt_proc *p, void *v)                                  \
	{                                                                                          \
		struct name##_out *s = v;                                                          \
		(void)(0 OUT(CRT_FIELD_PRINT));                                                    \
		(void)s;                                                                           \
	}                                                                                          \
	const struct crt_req_format name##_format = {#name, sizeof(struct name##_in),              \
	    sizeof(struct name##_out), name##_in_any, name##_out_any, name##_print_in,             \
	    name##_print_out};
