/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/** Property values as people read and write them. */
#include <errno.h>
#include <strings.h>
#include "base/prop_table.h"
#include "base/rank_list.h"

static const struct prop_word byte_units[] = {
	{"", 1}, {"b", 1},
	{"k", 1000ULL}, {"kb", 1000ULL}, {"ki", 1ULL << 10}, {"kib", 1ULL << 10},
	{"m", 1000000ULL}, {"mb", 1000000ULL}, {"mi", 1ULL << 20}, {"mib", 1ULL << 20},
	{"g", 1000000000ULL}, {"gb", 1000000000ULL}, {"gi", 1ULL << 30}, {"gib", 1ULL << 30},
	{"t", 1000000000000ULL}, {"tb", 1000000000000ULL}, {"ti", 1ULL << 40}, {"tib", 1ULL << 40},
	{"p", 1000000000000000ULL}, {"pb", 1000000000000000ULL}, {"pi", 1ULL << 50}, {"pib", 1ULL << 50},
	{NULL, 0}};

int
prop_bytes_from_text(const char *text, uint64_t *ret_bytes)
{
	char  *end;
	double number;

	if (!isdigit((unsigned char)text[0]) || (text[0] == '0' && (text[1] | 0x20) == 'x'))
		return -DER_INVAL;
	number = strtod(text, &end);
	while (*end == ' ')
		end++;
	for (const struct prop_word *u = byte_units; u->word != NULL; u++) {
		if (strcasecmp(u->word, end) != 0)
			continue;
		number *= (double)u->value;
		if (!(number >= 0 && number < 18446744073709551615.0))
			return -DER_INVAL;
		*ret_bytes = (uint64_t)number;
		return 0;
	}
	return -DER_INVAL;
}

int
prop_bytes_to_text(uint64_t bytes, char *buf, size_t buf_bytes)
{
	static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
	double                   value = (double)bytes;
	unsigned                 unit = 0;

	while (value >= 1024 && unit + 1 < ARRAY_NR(units)) {
		value /= 1024;
		unit++;
	}
	if (unit == 0)
		return snprintf(buf, buf_bytes, "%u B", (unsigned)bytes);
	return snprintf(buf, buf_bytes, value < 10 ? "%.1f %s" : "%.0f %s", value, units[unit]);
}

static int
number_from_text(const char *text, uint64_t *ret_value)
{
	char              *end;
	unsigned long long value;

	if (!isdigit((unsigned char)text[0]))
		return -DER_INVAL;
	errno = 0;
	value = strtoull(text, &end, 10);
	if (errno != 0 || *end != '\0')
		return -DER_INVAL;
	*ret_value = value;
	return 0;
}

static int
percent_from_text(const char *text, uint64_t *ret_value)
{
	char   buf[16];
	size_t len = strlen(text);

	if (len == 0 || len >= sizeof(buf))
		return -DER_INVAL;
	memcpy(buf, text, len + 1);
	if (buf[len - 1] == '%')
		buf[len - 1] = '\0';
	return number_from_text(buf, ret_value);
}

static int
word_from_text(const struct prop_word *words, const char *text, size_t len, uint64_t *ret_value)
{
	for (const struct prop_word *w = words; w->word != NULL; w++) {
		if (strncasecmp(w->word, text, len) == 0 && w->word[len] == '\0') {
			*ret_value = w->value;
			return 0;
		}
	}
	return -DER_INVAL;
}

static int
flags_from_text(const struct prop_word *words, const char *text, uint64_t *ret_value)
{
	uint64_t flags = 0, flag;
	int      rc;

	if (strcasecmp(text, "none") == 0) {
		*ret_value = 0;
		return 0;
	}
	for (;;) {
		size_t len = strcspn(text, ";");

		rc = word_from_text(words, text, len, &flag);
		if (rc != 0)
			return rc;
		flags |= flag;
		if (text[len] == '\0')
			break;
		text += len + 1;
	}
	*ret_value = flags;
	return 0;
}

static int
value_from_text(const struct prop_desc *desc, const char *text, uint64_t *ret_value)
{
	switch (desc->form) {
	case PROP_FORM_BYTES:
		return prop_bytes_from_text(text, ret_value);
	case PROP_FORM_PERCENT:
		return percent_from_text(text, ret_value);
	case PROP_FORM_WORD:
		return word_from_text(desc->words, text, strlen(text), ret_value);
	case PROP_FORM_FLAGS:
		return flags_from_text(desc->words, text, ret_value);
	case PROP_FORM_LEVEL:
		if (strcmp(text, "-1") == 0) {
			*ret_value = UINT32_MAX;
			return 0;
		}
		return number_from_text(text, ret_value);
	case PROP_FORM_STATUS:
		if (strcasecmp(text, "healthy") != 0)
			return -DER_INVAL;
		*ret_value = DAOS_PROP_CO_STATUS_VAL(DAOS_PROP_CO_HEALTHY, DAOS_PROP_CO_CLEAR, 0);
		return 0;
	default:
		return number_from_text(text, ret_value);
	}
}

/** "hi.lo,hi.lo,hi.lo,hi.lo" */
static int
roots_from_text(const char *text, void **ret_ptr)
{
	struct daos_prop_co_roots roots, *copy;
	char                     *end;

	for (unsigned i = 0; i < ARRAY_NR(roots.cr_oids); i++) {
		roots.cr_oids[i].hi = strtoull(text, &end, 0);
		if (end == text || *end != '.')
			return -DER_INVAL;
		text = end + 1;
		roots.cr_oids[i].lo = strtoull(text, &end, 0);
		if (end == text || *end != (i + 1 < ARRAY_NR(roots.cr_oids) ? ',' : '\0'))
			return -DER_INVAL;
		text = end + 1;
	}
	copy = malloc(sizeof(*copy));
	if (copy == NULL)
		return -DER_NOMEM;
	*copy = roots;
	*ret_ptr = copy;
	return 0;
}

int
prop_entry_from_text(const struct prop_desc *desc, const char *text, struct daos_prop_entry *entry)
{
	struct daos_prop_entry e = {.dpe_type = desc->type};
	void                  *ptr = NULL;
	int                    rc;

	if (desc->kind == PROP_KIND_NUM) {
		rc = value_from_text(desc, text, &e.dpe_val);
	} else if (desc->kind == PROP_KIND_STR) {
		ptr = strdup(text);
		rc = ptr == NULL ? -DER_NOMEM : 0;
	} else if (desc->kind == PROP_KIND_ROOTS) {
		rc = roots_from_text(text, &ptr);
	} else {
		rc = -DER_INVAL;
	}
	if (rc != 0)
		return rc;
	if (desc->kind != PROP_KIND_NUM)
		e.dpe_val_ptr = ptr;
	rc = prop_entry_check(desc, &e);
	if (rc != 0) {
		free(ptr);
		return rc;
	}
	*entry = e;
	return 0;
}

static int
flags_to_text(const struct prop_word *words, uint64_t flags, char *buf, size_t buf_bytes)
{
	int len = 0;

	if (flags == 0)
		return snprintf(buf, buf_bytes, "none");
	for (const struct prop_word *w = words; w->word != NULL; w++) {
		if (flags & w->value)
			len += snprintf(buf + MIN_OF((size_t)len, buf_bytes), buf_bytes - MIN_OF((size_t)len, buf_bytes),
					"%s%s", len > 0 ? ";" : "", w->word);
	}
	return len;
}

static int
number_to_text(const struct prop_desc *desc, uint64_t value, char *buf, size_t buf_bytes)
{
	struct daos_co_status status;

	switch (desc->form) {
	case PROP_FORM_BYTES:
		return prop_bytes_to_text(value, buf, buf_bytes);
	case PROP_FORM_PERCENT:
		return snprintf(buf, buf_bytes, "%lu%%", (unsigned long)value);
	case PROP_FORM_WORD:
		for (const struct prop_word *w = desc->words; w->word != NULL; w++) {
			if (w->value == value)
				return snprintf(buf, buf_bytes, "%s", w->word);
		}
		return snprintf(buf, buf_bytes, "unknown (%lu)", (unsigned long)value);
	case PROP_FORM_FLAGS:
		return flags_to_text(desc->words, value, buf, buf_bytes);
	case PROP_FORM_LEVEL:
		return value == UINT32_MAX ? snprintf(buf, buf_bytes, "-1") : snprintf(buf, buf_bytes, "%lu", (unsigned long)value);
	case PROP_FORM_STATUS:
		daos_prop_val_2_co_status(value, &status);
		return snprintf(buf, buf_bytes, status.dcs_status == DAOS_PROP_CO_HEALTHY ? "HEALTHY" : "UNCLEAN");
	default:
		return snprintf(buf, buf_bytes, "%lu", (unsigned long)value);
	}
}

static int
roots_to_text(const struct daos_prop_co_roots *roots, char *buf, size_t buf_bytes)
{
	int len = 0;

	for (unsigned i = 0; i < ARRAY_NR(roots->cr_oids); i++)
		len += snprintf(buf + MIN_OF((size_t)len, buf_bytes), buf_bytes - MIN_OF((size_t)len, buf_bytes),
				"%s%lu.%lu", i > 0 ? ", " : "", (unsigned long)roots->cr_oids[i].hi,
				(unsigned long)roots->cr_oids[i].lo);
	return len;
}

int
prop_entry_to_text(const struct prop_desc *desc, const struct daos_prop_entry *entry, char *buf, size_t buf_bytes)
{
	if (entry->dpe_flags & DAOS_PROP_ENTRY_NOT_SET)
		return snprintf(buf, buf_bytes, "not set");
	if (desc->kind == PROP_KIND_NUM)
		return number_to_text(desc, entry->dpe_val, buf, buf_bytes);
	if (entry->dpe_val_ptr == NULL)
		return snprintf(buf, buf_bytes, "not set");
	switch (desc->kind) {
	case PROP_KIND_STR:
		return snprintf(buf, buf_bytes, "%s", entry->dpe_str);
	case PROP_KIND_RANKS:
		return d_rank_list_format(entry->dpe_val_ptr, buf, buf_bytes);
	case PROP_KIND_ROOTS:
		return roots_to_text(entry->dpe_val_ptr, buf, buf_bytes);
	default:
		return -DER_INVAL;
	}
}

static int
words_list(const struct prop_desc *desc, char *buf, size_t buf_bytes)
{
	int len = desc->form == PROP_FORM_FLAGS ? snprintf(buf, buf_bytes, "none") : 0;

	for (const struct prop_word *w = desc->words; w->word != NULL; w++)
		len += snprintf(buf + MIN_OF((size_t)len, buf_bytes), buf_bytes - MIN_OF((size_t)len, buf_bytes),
				"%s%s", len > 0 ? ", " : "", w->word);
	return len;
}

int
prop_desc_values(const struct prop_desc *desc, char *buf, size_t buf_bytes)
{
	char lo[32], hi[32];

	if (desc->kind == PROP_KIND_STR)
		return snprintf(buf, buf_bytes, "%s", desc->flags & PROP_OWNED ? "name@" : "a label of 1-127 characters a-z A-Z 0-9 . _ : -");
	if (desc->kind == PROP_KIND_ROOTS)
		return snprintf(buf, buf_bytes, "hi.lo,hi.lo,hi.lo,hi.lo");
	if (desc->kind != PROP_KIND_NUM)
		return snprintf(buf, buf_bytes, "-");
	if (desc->words != NULL)
		return words_list(desc, buf, buf_bytes);
	if (desc->form == PROP_FORM_STATUS)
		return snprintf(buf, buf_bytes, "healthy");
	if (desc->max == UINT64_MAX)
		return snprintf(buf, buf_bytes, "a number");
	if (desc->form == PROP_FORM_BYTES) {
		prop_bytes_to_text(desc->min, lo, sizeof(lo));
		prop_bytes_to_text(desc->max, hi, sizeof(hi));
		return snprintf(buf, buf_bytes, "%s-%s", lo, hi);
	}
	return snprintf(buf, buf_bytes, "%lu-%lu", (unsigned long)desc->min, (unsigned long)desc->max);
}

/** One "name:value" of a list; the text is cut where it ends. */
static int
pair_from_text(char *pair, struct daos_prop_entry *entry)
{
	char                   *colon = strchr(pair, ':');
	const struct prop_desc *desc;

	if (colon == NULL)
		return -DER_INVAL;
	*colon = '\0';
	desc = prop_desc_by_name(PROP_CONT, pair);
	if (desc == NULL || (desc->flags & PROP_SERVICE))
		return -DER_INVAL;
	return prop_entry_from_text(desc, colon + 1, entry);
}

int
daos_prop_from_str(const char *str, daos_size_t len, daos_prop_t **prop)
{
	daos_prop_t *list;
	char        *copy, *pair, *save = NULL;
	uint32_t     nr = 1;
	int          rc = 0;

	if (str == NULL || prop == NULL || len == 0)
		return -DER_INVAL;
	copy = strndup(str, len);
	if (copy == NULL)
		return -DER_NOMEM;
	for (const char *p = copy; *p != '\0'; p++)
		nr += *p == ';';
	list = daos_prop_alloc(nr);
	if (list == NULL) {
		free(copy);
		return nr > DAOS_PROP_ENTRIES_MAX_NR ? -DER_INVAL : -DER_NOMEM;
	}
	nr = 0;
	for (pair = strtok_r(copy, ";", &save); pair != NULL && rc == 0; pair = strtok_r(NULL, ";", &save))
		rc = pair_from_text(pair, &list->dpp_entries[nr++]);
	free(copy);
	list->dpp_nr = nr;
	if (rc == 0 && nr == 0)
		rc = -DER_INVAL;
	if (rc == 0)
		rc = prop_list_check(PROP_CONT, list, 0);
	if (rc != 0) {
		daos_prop_free(list);
		return rc;
	}
	*prop = list;
	return 0;
}
