/* SPDX-License-Identifier: BSD-2-Clause-Patent */
#include "base/rank_list.h"

#include <ctype.h>
#include <daos_errno.h>

d_rank_list_t *
d_rank_list_alloc(uint32_t rank_nr)
{
	d_rank_list_t *list = calloc(1, sizeof(*list));

	if (list == NULL)
		return NULL;
	list->rl_ranks = calloc(MAX_OF(rank_nr, 1U), sizeof(*list->rl_ranks));
	if (list->rl_ranks == NULL) {
		free(list);
		return NULL;
	}
	list->rl_nr = rank_nr;
	return list;
}

void
d_rank_list_free(d_rank_list_t *list)
{
	if (list == NULL)
		return;
	free(list->rl_ranks);
	free(list);
}

int
d_rank_list_dup(const d_rank_list_t *src, d_rank_list_t **ret_list)
{
	d_rank_list_t *list = d_rank_list_alloc(src->rl_nr);

	if (list == NULL)
		return -DER_NOMEM;
	if (src->rl_nr > 0)
		memcpy(list->rl_ranks, src->rl_ranks, src->rl_nr * sizeof(*src->rl_ranks));
	*ret_list = list;
	return 0;
}

int
d_rank_list_append(d_rank_list_t *list, d_rank_t rank)
{
	d_rank_t *ranks = realloc(list->rl_ranks, (list->rl_nr + 1ULL) * sizeof(*ranks));

	if (ranks == NULL)
		return -DER_NOMEM;
	ranks[list->rl_nr] = rank;
	list->rl_ranks = ranks;
	list->rl_nr++;
	return 0;
}

static int
rank_cmp(const void *a, const void *b)
{
	d_rank_t x = *(const d_rank_t *)a;
	d_rank_t y = *(const d_rank_t *)b;

	return x < y ? -1 : x > y;
}

void
d_rank_list_sort(d_rank_list_t *list)
{
	if (list->rl_nr > 1)
		qsort(list->rl_ranks, list->rl_nr, sizeof(*list->rl_ranks), rank_cmp);
}

void
d_rank_list_sort_uniq(d_rank_list_t *list)
{
	uint32_t kept_nr = 0;

	d_rank_list_sort(list);
	for (uint32_t i = 0; i < list->rl_nr; i++) {
		if (kept_nr == 0 || list->rl_ranks[kept_nr - 1] != list->rl_ranks[i])
			list->rl_ranks[kept_nr++] = list->rl_ranks[i];
	}
	list->rl_nr = kept_nr;
}

int
d_rank_list_find(const d_rank_list_t *list, d_rank_t rank)
{
	for (uint32_t i = 0; i < list->rl_nr; i++) {
		if (list->rl_ranks[i] == rank)
			return i;
	}
	return -1;
}

bool
d_rank_list_equal(const d_rank_list_t *a, const d_rank_list_t *b)
{
	return a->rl_nr == b->rl_nr &&
	       (a->rl_nr == 0 ||
		memcmp(a->rl_ranks, b->rl_ranks, a->rl_nr * sizeof(*a->rl_ranks)) == 0);
}

bool
d_rank_list_del(d_rank_list_t *list, d_rank_t rank)
{
	int idx = d_rank_list_find(list, rank);

	if (idx < 0)
		return false;
	list->rl_nr--;
	memmove(&list->rl_ranks[idx], &list->rl_ranks[idx + 1],
		(list->rl_nr - idx) * sizeof(*list->rl_ranks));
	return true;
}

/** A number at *p, which moves past it. */
static int
rank_parse(const char **p, d_rank_t *ret_rank)
{
	uint64_t rank = 0;

	if (!isdigit((unsigned char)**p))
		return -DER_INVAL;
	for (; isdigit((unsigned char)**p); (*p)++) {
		rank = rank * 10 + (**p - '0');
		if (rank >= UINT32_MAX)
			return -DER_INVAL;
	}
	*ret_rank = rank;
	return 0;
}

/** "3" or "0-3" at *p, appended to @list. */
static int
rank_range_parse(const char **p, d_rank_list_t *list)
{
	d_rank_t lo;
	d_rank_t hi;
	int      rc = rank_parse(p, &lo);

	if (rc != 0)
		return rc;
	hi = lo;
	if (**p == '-') {
		(*p)++;
		rc = rank_parse(p, &hi);
	}
	if (rc != 0 || hi < lo || (uint64_t)list->rl_nr + hi - lo >= D_RANK_PARSE_NR_MAX)
		return -DER_INVAL;
	for (uint64_t rank = lo; rank <= hi && rc == 0; rank++)
		rc = d_rank_list_append(list, rank);
	return rc;
}

static int
rank_ranges_parse(const char *p, d_rank_list_t *list)
{
	bool bracket = *p == '[';
	int  rc;

	p += bracket;
	for (;;) {
		rc = rank_range_parse(&p, list);
		if (rc != 0)
			return rc;
		if (*p != ',')
			break;
		p++;
	}
	if (bracket && *p++ != ']')
		return -DER_INVAL;
	return *p == '\0' ? 0 : -DER_INVAL;
}

int
d_rank_list_parse(const char *text, d_rank_list_t **ret_list)
{
	d_rank_list_t *list = d_rank_list_alloc(0);
	int            rc;

	if (list == NULL)
		return -DER_NOMEM;
	rc = rank_ranges_parse(text, list);
	if (rc != 0) {
		d_rank_list_free(list);
		return rc;
	}
	d_rank_list_sort_uniq(list);
	*ret_list = list;
	return 0;
}

int
d_rank_list_format(const d_rank_list_t *list, char *buf, size_t buf_bytes)
{
	size_t len = 0;

	if (buf_bytes > 0)
		buf[0] = '\0';
	for (uint32_t i = 0, last; i < list->rl_nr; i = last + 1) {
		size_t room = buf_bytes > len ? buf_bytes - len : 0;

		last = i;
		while (last + 1 < list->rl_nr && list->rl_ranks[last + 1] == list->rl_ranks[last] + 1)
			last++;
		len += snprintf(room ? buf + len : NULL, room, last > i ? "%s%u-%u" : "%s%u",
				i > 0 ? "," : "", list->rl_ranks[i], list->rl_ranks[last]);
	}
	return (int)len;
}
