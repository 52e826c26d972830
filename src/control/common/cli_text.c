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

int
text_parse_size(const char *text, uint64_t *ret_bytes)
{
	static const char letters[] = "kmgtpe";
	const char       *pos;
	char             *end;
	double            value = strtod(text, &end), scale = 1;
	bool              iec = false;

	if (end == text || value < 0 || !isfinite(value) || isalpha((unsigned char)*text))
		return -DER_INVAL;
	while (*end == ' ')
		end++;
	if (*end != '\0' && tolower((unsigned char)*end) != 'b') {
		pos = strchr(letters, tolower((unsigned char)*end));
		if (pos == NULL)
			return -DER_INVAL;
		end++;
		iec = tolower((unsigned char)*end) == 'i';
		end += iec;
		scale = pow(iec ? 1024 : 1000, pos - letters + 1);
	}
	if (tolower((unsigned char)*end) == 'b')
		end++;
	if (*end != '\0' || value * scale >= 18446744073709551615.0)
		return -DER_INVAL;
	*ret_bytes = (uint64_t)(value * scale);
	return 0;
}

static char *
scaled(uint64_t bytes, double base, const char *const *units, char *buf, size_t buf_bytes)
{
	double value = (double)bytes;
	int    i = 0;

	while (value >= base && i < 6) {
		value /= base;
		i++;
	}
	if (i == 0)
		snprintf(buf, buf_bytes, "%llu %s", (unsigned long long)bytes, units[0]);
	else
		snprintf(buf, buf_bytes, value < 10 ? "%.1f %s" : "%.0f %s", value, units[i]);
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

static int
parse_ranges(const char *p, uint32_t **ranks, uint32_t *nr)
{
	int rc = 0;

	while (rc == 0 && *p != '\0' && *p != ']') {
		unsigned long lo, hi;
		char         *end;

		if (!isdigit((unsigned char)*p))
			return -DER_INVAL;
		lo = hi = strtoul(p, &end, 10);
		if (*end == '-') {
			if (!isdigit((unsigned char)end[1]))
				return -DER_INVAL;
			hi = strtoul(end + 1, &end, 10);
		}
		rc = append_range(ranks, nr, lo, hi);
		p = end + (*end == ',');
		if (*end != '\0' && *end != ',' && *end != ']')
			return -DER_INVAL;
	}
	return rc != 0 ? rc : (*p == '\0' || strcmp(p, "]") == 0) ? 0 : -DER_INVAL;
}

int
text_parse_ranks(const char *text, uint32_t **ret_ranks, uint32_t *ret_nr)
{
	uint32_t *ranks = NULL, nr = 0, i, out = 0;
	int       rc = parse_ranges(text + (*text == '['), &ranks, &nr);

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
