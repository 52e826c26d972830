/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/** Buffers, scatter-gather lists, ranks and strings: the types every DAOS interface is made of. */
#ifndef __GURT_TYPES_H__
#define __GURT_TYPES_H__

#include <uuid/uuid.h>
#include <unistd.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <errno.h>
#include <inttypes.h>
#include <time.h>
#include <limits.h>
#include <stdlib.h>
#include <stdio.h>
#include <pthread.h>
#include <byteswap.h>

#if defined(__cplusplus)
extern "C" {
#else
/** Compile-time type tests; C only, C++ overloads instead. */
#define d_type_is_(var, type) __builtin_types_compatible_p(__typeof__(var), type)
#define d_is_uuid(var)                                                                             \
	(d_type_is_(var, uuid_t) || d_type_is_(var, const uuid_t) ||                               \
	 d_type_is_(var, unsigned char *) || d_type_is_(var, const unsigned char *))
#define d_is_string(var)                                                                           \
	(d_type_is_(var, char *) || d_type_is_(var, const char *) || d_type_is_(var, char[]) ||    \
	 d_type_is_(var, const char[]))
#endif

/** A UUID that can be assigned and returned like any struct. */
struct d_uuid {
	uuid_t uuid;
};

/** One piece of memory. */
typedef struct {
	void  *iov_buf;     /**< start */
	size_t iov_buf_len; /**< bytes that may be used */
	size_t iov_len;     /**< bytes that hold data, at most iov_buf_len */
} d_iov_t;

/** Scattered memory, in order. */
typedef struct {
	uint32_t sg_nr;     /**< pieces in sg_iovs */
	uint32_t sg_nr_out; /**< pieces that were filled */
	d_iov_t *sg_iovs;
} d_sg_list_t;

/** Number of a server in its system. */
typedef uint32_t d_rank_t;

typedef struct {
	d_rank_t *rl_ranks; /**< [rl_nr] */
	uint32_t  rl_nr;
} d_rank_list_t;

typedef d_rank_list_t *d_rank_list_ptr_t;

/** Ranks lo..hi, both included. */
typedef struct {
	d_rank_t lo;
	d_rank_t hi;
} d_rank_range_t;

typedef struct {
	d_rank_range_t *rrl_ranges; /**< [rrl_nr] */
	uint32_t        rrl_nr;
} d_rank_range_list_t;

typedef char       *d_string_t;
typedef const char *d_const_string_t;

/** A string that grows; see d_write_string_buffer(). */
struct d_string_buffer_t {
	int    status;
	size_t str_size; /**< length without the final NUL */
	size_t buf_size; /**< bytes allocated */
	char  *str;
};

/** Make @iov describe @size bytes at @buf, all of them valid data. */
static inline void
d_iov_set(d_iov_t *iov, void *buf, size_t size)
{
	iov->iov_buf     = buf;
	iov->iov_buf_len = size;
	iov->iov_len     = size;
}

#if defined(__cplusplus)
}
#endif

#endif /* __GURT_TYPES_H__ */
