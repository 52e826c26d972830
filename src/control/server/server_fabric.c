/* SPDX-License-Identifier: BSD-2-Clause-Patent */
#include <ctype.h>
#include <daos_errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/util.h"
#include "control/server/server_fabric.h"

/** Ports above the first one that are kept for streams, however few an engine has. */
#define PORT_RESERVE 256

#define ITEM_BYTES sizeof(((struct server_provider *)0)->name)
_Static_assert(ITEM_BYTES == sizeof(((struct server_provider *)0)->iface), "an item fits where it belongs");

/** One key's items. */
struct list {
	const char *key;
	char        items[SERVER_PROVIDERS_MAX][ITEM_BYTES];
	uint32_t    nr;
};

struct why {
	char  *text;
	size_t bytes;
};

static int __attribute__((format(printf, 2, 3)))
refuse(const struct why *why, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(why->text, why->bytes, fmt, ap);
	va_end(ap);
	return -DER_INVAL;
}

static int
list_add(struct list *list, const char *item, size_t len, const char *text, const struct why *why)
{
	size_t i;

	if (list->nr == SERVER_PROVIDERS_MAX)
		return refuse(why, "%s: '%.200s' has more than %d items", list->key, text, SERVER_PROVIDERS_MAX);
	if (len == 0)
		return refuse(why, "%s: item %u of '%.200s' is empty", list->key, list->nr + 1, text);
	if (len >= ITEM_BYTES)
		return refuse(why, "%s: item %u of '%.200s' is longer than %zu characters", list->key, list->nr + 1, text,
			      ITEM_BYTES - 1);
	for (i = 0; i < len; i++)
		if (isspace((unsigned char)item[i]))
			return refuse(why, "%s: '%.200s' has white space: separate items by a comma alone", list->key, text);
	memcpy(list->items[list->nr], item, len);
	list->items[list->nr++][len] = '\0';
	return 0;
}

static int
list_parse(struct list *list, const char *text, const char *example, const struct why *why)
{
	const char *p = text;
	int         rc;

	if (text == NULL || text[0] == '\0')
		return refuse(why, "%s is missing (%s)", list->key, example);
	for (;;) {
		size_t len = strcspn(p, ",");

		rc = list_add(list, p, len, text, why);
		if (rc != 0 || p[len] == '\0')
			return rc;
		p += len + 1;
	}
}

static int
same_number(const struct list *list, const struct list *providers, const struct why *why)
{
	if (list->nr == providers->nr)
		return 0;
	return refuse(why, "%s has %u item%s, provider has %u: give one for each provider, separated by commas", list->key, list->nr,
		      list->nr == 1 ? "" : "s", providers->nr);
}

static int
port_parse(const char *text, uint64_t stream_nr, uint32_t *ret_port, const struct why *why)
{
	bool          decimal = text[0] != '0' && strspn(text, "0123456789") == strlen(text) && strlen(text) <= 5;
	unsigned long port = decimal ? strtoul(text, NULL, 10) : 0;
	uint64_t      reserve = MAX_OF(stream_nr, (uint64_t)PORT_RESERVE);

	if (port == 0 || port + reserve > UINT16_MAX)
		return refuse(why, "fabric_iface_port: '%s' is out of range: the first of %llu ports up to %u", text,
			      (unsigned long long)reserve, UINT16_MAX - 1);
	*ret_port = (uint32_t)port;
	return 0;
}

/** Two providers on one interface must not want the same ports. */
static int
check_overlap(const struct server_fabric *fabric, uint64_t stream_nr, const struct why *why)
{
	uint32_t i, k;

	for (i = 1; i < fabric->nr; i++) {
		for (k = 0; k < i; k++) {
			uint32_t a = fabric->of[k].port, b = fabric->of[i].port;

			if (strcmp(fabric->of[i].iface, fabric->of[k].iface) == 0 && (a < b ? b - a : a - b) < stream_nr)
				return refuse(why, "fabric_iface_port: %u of %s and %u of %s overlap on %s: the engine uses %llu ports of each, "
					      "set them so far apart", a, fabric->of[k].name, b, fabric->of[i].name, fabric->of[i].iface,
					      (unsigned long long)stream_nr);
		}
	}
	return 0;
}

int
server_fabric_parse(const char *providers, const char *ifaces, const char *ports, uint64_t stream_nr,
		    struct server_fabric *ret_fabric, char *why_text, size_t why_bytes)
{
	const struct why     why = {why_text, why_bytes};
	struct list          provider = {.key = "provider"}, iface = {.key = "fabric_iface"}, port = {.key = "fabric_iface_port"};
	struct server_fabric fabric = {0};
	int                  rc = list_parse(&provider, providers, "ofi+tcp, ...", &why);

	if (rc == 0)
		rc = list_parse(&iface, ifaces, "lo, eth0, ...", &why);
	if (rc == 0)
		rc = list_parse(&port, ports, "31416, ...", &why);
	if (rc == 0)
		rc = same_number(&iface, &provider, &why);
	if (rc == 0)
		rc = same_number(&port, &provider, &why);
	for (; rc == 0 && fabric.nr < provider.nr; fabric.nr++) {
		struct server_provider *p = &fabric.of[fabric.nr];

		memcpy(p->name, provider.items[fabric.nr], ITEM_BYTES);
		memcpy(p->iface, iface.items[fabric.nr], ITEM_BYTES);
		rc = port_parse(port.items[fabric.nr], stream_nr, &p->port, &why);
	}
	if (rc == 0)
		rc = check_overlap(&fabric, stream_nr, &why);
	if (rc == 0)
		*ret_fabric = fabric;
	return rc;
}
