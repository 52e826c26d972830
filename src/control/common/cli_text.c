/* SPDX-License-Identifier: BSD-2-Clause-Patent */
#include <ctype.h>
#include <daos_errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <uuid/uuid.h>

#include "base/util.h"
#include "control/common/cli_text.h"

/** Digits, at most one point: a whole part, and a fraction in parts of @part. Returns what follows, NULL: no number. */
static const char *
parse_number(const char *p, uint64_t *whole, uint64_t *fraction, uint64_t *part)
{
	const char *begin = p;

	*whole = *fraction = 0;
	*part = 1;
	for (; isdigit((unsigned char)*p); p++)
		if (__builtin_mul_overflow(*whole, 10, whole) || __builtin_add_overflow(*whole, *p - '0', whole))
			return NULL;
	if (*p != '.')
		return p > begin ? p : NULL;
	for (begin = ++p; isdigit((unsigned char)*p); p++) {
		if (*part < 1000000000000000000) {
			*fraction = *fraction * 10 + (*p - '0');
			*part *= 10;
		}
	}
	return p > begin ? p : NULL;
}

int
text_parse_size(const char *text, uint64_t *ret_bytes)
{
	static const char letters[] = "kmgtpe";
	uint64_t          whole, fraction, part, scale = 1;
	const char       *p = parse_number(text, &whole, &fraction, &part), *pos;
	unsigned __int128 bytes;
	int               i;

	if (p == NULL)
		return -DER_INVAL;
	while (*p == ' ')
		p++;
	pos = *p != '\0' ? strchr(letters, tolower((unsigned char)*p)) : NULL;
	if (pos != NULL) {
		bool iec = tolower((unsigned char)p[1]) == 'i';

		for (i = 0; i <= pos - letters; i++)
			scale *= iec ? 1024 : 1000;
		p += 1 + iec;
	}
	p += tolower((unsigned char)*p) == 'b';
	bytes = (unsigned __int128)whole * scale + (unsigned __int128)fraction * scale / part;
	if (*p != '\0' || bytes > UINT64_MAX)
		return -DER_INVAL;
	*ret_bytes = (uint64_t)bytes;
	return 0;
}

static char *
scaled(uint64_t bytes, double base, const char *const *units, char *buf, size_t buf_bytes)
{
	double value = (double)bytes;
	int    i = 0;

	/* By what will be shown: 999999 is 1.0 MB, not 1000 kB. */
	while (i < 6 && (i == 0 ? value >= base : round(value) >= base)) {
		value /= base;
		i++;
	}
	if (i == 0)
		snprintf(buf, buf_bytes, "%llu %s", (unsigned long long)bytes, units[0]);
	else
		snprintf(buf, buf_bytes, value < 9.95 ? "%.1f %s" : "%.0f %s", value, units[i]);
	return buf;
}

char *
text_bytes(uint64_t bytes, char *buf, size_t buf_bytes)
{
	static const char *const units[] = {"B", "kB", "MB", "GB", "TB", "PB", "EB"};

	return scaled(bytes, 1000, units, buf, buf_bytes);
}

char *
text_ibytes(uint64_t bytes, char *buf, size_t buf_bytes)
{
	static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};

	return scaled(bytes, 1024, units, buf, buf_bytes);
}

static int
rank_cmp(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return x < y ? -1 : x > y;
}

#define TEXT_RANKS_MAX 65536u

static int
append_range(uint32_t **ranks, uint32_t *nr, unsigned long lo, unsigned long hi)
{
	uint32_t *bigger;

	if (lo > hi || hi >= UINT32_MAX || hi - lo >= TEXT_RANKS_MAX || *nr + (hi - lo + 1) > TEXT_RANKS_MAX)
		return -DER_INVAL;
	bigger = realloc(*ranks, (*nr + (hi - lo + 1)) * sizeof(**ranks));
	if (bigger == NULL)
		return -DER_NOMEM;
	*ranks = bigger;
	for (; lo <= hi; lo++)
		bigger[(*nr)++] = (uint32_t)lo;
	return 0;
}

/** One rank or range. Returns what follows, NULL: none. */
static const char *
parse_range(const char *p, unsigned long *lo, unsigned long *hi)
{
	char *end;

	if (!isdigit((unsigned char)*p))
		return NULL;
	*lo = *hi = strtoul(p, &end, 10);
	if (*end != '-')
		return end;
	if (!isdigit((unsigned char)end[1]))
		return NULL;
	*hi = strtoul(end + 1, &end, 10);
	return end;
}

static int
parse_ranges(const char *p, uint32_t **ranks, uint32_t *nr)
{
	bool bracketed = *p == '[';
	char end = bracketed ? ']' : '\0';
	int  rc = 0;

	p += bracketed;
	while (rc == 0 && *p != end) {
		unsigned long lo, hi;

		p = parse_range(p, &lo, &hi);
		if (p == NULL || (*p != ',' && *p != end) || (*p == ',' && !isdigit((unsigned char)p[1])))
			return -DER_INVAL;
		rc = append_range(ranks, nr, lo, hi);
		p += *p == ',';
	}
	return rc != 0 ? rc : p[bracketed] == '\0' ? 0 : -DER_INVAL;
}

int
text_parse_ranks(const char *text, uint32_t **ret_ranks, uint32_t *ret_nr)
{
	uint32_t *ranks = NULL, nr = 0, i, out = 0;
	int       rc = parse_ranges(text, &ranks, &nr);

	if (rc != 0) {
		free(ranks);
		return rc;
	}
	if (nr > 0)
		qsort(ranks, nr, sizeof(*ranks), rank_cmp);
	for (i = 0; i < nr; i++)
		if (i == 0 || ranks[i] != ranks[i - 1])
			ranks[out++] = ranks[i];
	*ret_ranks = ranks;
	*ret_nr = out;
	return 0;
}

char *
text_ranks(const uint32_t *ranks, uint32_t nr)
{
	char    *text = NULL;
	size_t   bytes = 0;
	FILE    *f = open_memstream(&text, &bytes);
	uint32_t i, j;

	if (f == NULL)
		return NULL;
	for (i = 0; i < nr; i = j) {
		for (j = i + 1; j < nr && ranks[j] == ranks[j - 1] + 1; j++)
			;
		fprintf(f, j - i > 1 ? "%s%u-%u" : "%s%u", i ? "," : "", ranks[i], ranks[j - 1]);
	}
	fclose(f);
	return text;
}

bool
text_is_uuid(const char *text)
{
	uuid_t uuid;

	return uuid_parse(text, uuid) == 0;
}

bool
text_is_label(const char *text)
{
	size_t len = strlen(text);

	return len >= 1 && len <= 127 && !text_is_uuid(text) &&
	       strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._:-") == len;
}

/* ---- tables ---- */

struct text_table {
	int    column_nr, row_nr, row_max;
	char **cells; /**< row 0 is the head */
};

static void
table_add(struct text_table *t, const char *const *cells)
{
	int i;

	if (t->row_nr == t->row_max) {
		int    max = t->row_max ? t->row_max * 2 : 16;
		char **bigger = realloc(t->cells, (size_t)max * t->column_nr * sizeof(char *));

		if (bigger == NULL)
			return;
		t->cells = bigger;
		t->row_max = max;
	}
	for (i = 0; i < t->column_nr; i++)
		t->cells[t->row_nr * t->column_nr + i] = strdup(cells[i] ? cells[i] : "");
	t->row_nr++;
}

struct text_table *
text_table_new(int column_nr, const char *const *titles)
{
	struct text_table *t = calloc(1, sizeof(*t));

	if (t == NULL)
		return NULL;
	t->column_nr = column_nr;
	table_add(t, titles);
	return t;
}

void
text_table_row(struct text_table *t, const char *const *cells)
{
	if (t != NULL)
		table_add(t, cells);
}

static const char *
cell(const struct text_table *t, int row, int col)
{
	const char *text = t->cells[row * t->column_nr + col];

	return text ? text : "";
}

static int
column_width(const struct text_table *t, int col)
{
	int row, width = 0;

	for (row = 0; row < t->row_nr; row++)
		width = MAX_OF(width, (int)strlen(cell(t, row, col)));
	return width;
}

void
text_table_print(const struct text_table *t, FILE *f)
{
	int row, col, k;

	for (row = 0; t != NULL && row < t->row_nr; row++) {
		for (col = 0; col < t->column_nr; col++)
			fprintf(f, "%-*s%s", column_width(t, col), cell(t, row, col), col + 1 < t->column_nr ? " " : "\n");
		for (col = 0; row == 0 && col < t->column_nr; col++) {
			int width = (int)strlen(cell(t, 0, col));

			for (k = 0; k < column_width(t, col); k++)
				fputc(k < width ? '-' : ' ', f);
			fputc(col + 1 < t->column_nr ? ' ' : '\n', f);
		}
	}
}

void
text_table_free(struct text_table *t)
{
	int i;

	if (t == NULL)
		return;
	for (i = 0; i < t->row_nr * t->column_nr; i++)
		free(t->cells[i]);
	free(t->cells);
	free(t);
}
