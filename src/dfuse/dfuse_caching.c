/* SPDX-License-Identifier: BSD-2-Clause-Patent */
#define D_LOGFAC LOG_FAC_DFUSE
#include "dfuse/dfuse_caching.h"

#include <errno.h>
#include <strings.h>
#include <daos.h>
#include "base/log.h"

#define ATTR_VALUE_BYTES 128

enum { ATTR_TIME, DENTRY_TIME, DENTRY_DIR_TIME, NDENTRY_TIME, DATA_CACHE, DIRECT_IO_DISABLE };

const char *const dfuse_caching_attrs[DFUSE_CACHING_ATTR_NR] = {
    "dfuse-attr-time",    "dfuse-dentry-time", "dfuse-dentry-dir-time",
    "dfuse-ndentry-time", "dfuse-data-cache",  "dfuse-direct-io-disable"};

void
dfuse_caching_default(struct dfuse_caching *c)
{
	*c = (struct dfuse_caching){.attr_sec       = 1,
				    .dentry_sec     = 1,
				    .dentry_dir_sec = 5,
				    .ndentry_sec    = 1,
				    .data_sec       = 600};
}

int
dfuse_time_parse(const char *text, size_t len, uint32_t *ret_sec)
{
	static const struct {
		char     unit;
		uint32_t sec;
	} units[] = {{'s', 1}, {'m', 60}, {'h', 3600}, {'d', 86400}};
	uint64_t sec = 0, unit = 1;
	size_t   i;

	for (i = 0; i < len && text[i] >= '0' && text[i] <= '9'; i++) {
		sec = sec * 10 + (uint64_t)(text[i] - '0');
		if (sec > UINT32_MAX)
			return EINVAL;
	}
	if (i == 0 || len > i + 1)
		return EINVAL;
	if (i < len) {
		unit = 0;
		for (unsigned u = 0; u < ARRAY_NR(units); u++)
			if (units[u].unit == (text[i] | 0x20))
				unit = units[u].sec;
	}
	if (unit == 0 || sec * unit >= UINT32_MAX)
		return EINVAL;
	*ret_sec = (uint32_t)(sec * unit);
	return 0;
}

static bool
is_word(const char *text, size_t len, const char *word)
{
	return strlen(word) == len && strncasecmp(text, word, len) == 0;
}

static bool
is_on(const char *text, size_t len)
{
	return is_word(text, len, "on") || is_word(text, len, "true");
}

static bool
is_off(const char *text, size_t len)
{
	return is_word(text, len, "off") || is_word(text, len, "false");
}

static void
warn_value(unsigned attr, const char *text, size_t len)
{
	D_WARN("container attribute %s: \"%.*s\" is not understood and counts as off\n",
	       dfuse_caching_attrs[attr], (int)len, text);
}

static void
set_data(struct dfuse_caching *c, const char *text, size_t len)
{
	if (is_on(text, len))
		c->data_sec = DFUSE_FOREVER_SEC;
	else if (is_word(text, len, "otoc"))
		c->data_open = true;
	else if (!is_off(text, len) && dfuse_time_parse(text, len, &c->data_sec) != 0)
		warn_value(DATA_CACHE, text, len);
}

void
dfuse_caching_set(struct dfuse_caching *c, const char *const values[DFUSE_CACHING_ATTR_NR],
		  const size_t lens[DFUSE_CACHING_ATTR_NR])
{
	uint32_t *const secs[] = {&c->attr_sec, &c->dentry_sec, &c->dentry_dir_sec, &c->ndentry_sec};
	size_t          len[DFUSE_CACHING_ATTR_NR];
	bool            any = false;

	for (unsigned i = 0; i < DFUSE_CACHING_ATTR_NR; i++) {
		len[i] = lens[i];
		if (len[i] > 0 && values[i][len[i] - 1] == '\0')
			len[i]--; /* some tools store the final NUL */
		any |= len[i] > 0;
	}
	if (!any)
		return;
	*c = (struct dfuse_caching){0};
	for (unsigned i = 0; i < ARRAY_NR(secs); i++)
		if (len[i] > 0 && dfuse_time_parse(values[i], len[i], secs[i]) != 0)
			warn_value(i, values[i], len[i]);
	if (len[DENTRY_TIME] > 0 && len[DENTRY_DIR_TIME] == 0)
		c->dentry_dir_sec = c->dentry_sec;
	if (len[DATA_CACHE] > 0)
		set_data(c, values[DATA_CACHE], len[DATA_CACHE]);
	if (len[DIRECT_IO_DISABLE] == 0)
		return;
	c->no_direct = is_on(values[DIRECT_IO_DISABLE], len[DIRECT_IO_DISABLE]);
	if (c->no_direct)
		c->data_sec = DFUSE_FOREVER_SEC;
	else if (!is_off(values[DIRECT_IO_DISABLE], len[DIRECT_IO_DISABLE]))
		warn_value(DIRECT_IO_DISABLE, values[DIRECT_IO_DISABLE], len[DIRECT_IO_DISABLE]);
}

void
dfuse_caching_load(struct dfuse_caching *c, daos_handle_t coh)
{
	char        bufs[DFUSE_CACHING_ATTR_NR][ATTR_VALUE_BYTES];
	void       *ptrs[DFUSE_CACHING_ATTR_NR];
	const char *values[DFUSE_CACHING_ATTR_NR];
	size_t      lens[DFUSE_CACHING_ATTR_NR];
	int         rc;

	dfuse_caching_default(c);
	for (unsigned i = 0; i < DFUSE_CACHING_ATTR_NR; i++) {
		ptrs[i]   = bufs[i];
		values[i] = bufs[i];
		lens[i]   = sizeof(bufs[i]);
	}
	rc = daos_cont_get_attr(coh, DFUSE_CACHING_ATTR_NR, dfuse_caching_attrs, ptrs, lens, NULL);
	if (rc != 0) {
		if (rc != -DER_NONEXIST)
			D_WARN("caching attributes of the container cannot be read, defaults are used: " DF_RC
			       "\n", DP_RC(rc));
		return;
	}
	for (unsigned i = 0; i < DFUSE_CACHING_ATTR_NR; i++)
		lens[i] = MIN_OF(lens[i], sizeof(bufs[i]));
	dfuse_caching_set(c, values, lens);
}
