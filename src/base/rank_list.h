/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/** Lists of ranks. A list from the heap ends with d_rank_list_free(). */
#pragma once

#include <gurt/types.h>
#include "base/util.h"

/** @rank_nr zeroed ranks; NULL without memory. */
d_rank_list_t *d_rank_list_alloc(uint32_t rank_nr);
void d_rank_list_free(d_rank_list_t *list); /**< NULL is accepted */
/** Errors: NOMEM. */
int  d_rank_list_dup(const d_rank_list_t *src, d_rank_list_t **ret_list) MUST_CHECK;
/** Errors: NOMEM; the list is unchanged then. */
int  d_rank_list_append(d_rank_list_t *list, d_rank_t rank) MUST_CHECK;
void d_rank_list_sort(d_rank_list_t *list);
/** Sort and drop duplicates. */
void d_rank_list_sort_uniq(d_rank_list_t *list);
/** Index of the first occurrence of @rank, or -1. */
int  d_rank_list_find(const d_rank_list_t *list, d_rank_t rank);
bool d_rank_list_equal(const d_rank_list_t *a, const d_rank_list_t *b);
/** Remove the first occurrence; false when there is none. */
bool d_rank_list_del(d_rank_list_t *list, d_rank_t rank);
/**
 * "0-3,5", brackets around it allowed; sorted, without duplicates.
 * Errors: INVAL malformed, or more than D_RANK_PARSE_NR_MAX ranks | NOMEM
 */
#define D_RANK_PARSE_NR_MAX (1U << 20)
int  d_rank_list_parse(const char *text, d_rank_list_t **ret_list) MUST_CHECK;
/** "0-3,5" of a sorted list. Returns the length it has or would have, as snprintf(). */
int  d_rank_list_format(const d_rank_list_t *list, char *buf, size_t buf_bytes);
