/* SPDX-License-Identifier: BSD-2-Clause-Patent */
#include <stdlib.h>
#include <string.h>

#include "base/util.h"
#include "control/common/cli_text.h"
#include "control/common/pool_print.h"

static const char *
str_of(const json_t *obj, const char *key)
{
	const char *text = json_string_value(json_object_get(obj, key));

	return text ? text : "";
}

static uint64_t
int_of(const json_t *obj, const char *key)
{
	return (uint64_t)json_integer_value(json_object_get(obj, key));
}

static void
print_tier(const json_t *tier, size_t idx, bool full, FILE *f)
{
	char a[32], b[32], c[32];

	fprintf(f, "- Storage tier %zu (%s):\n", idx, strcmp(str_of(tier, "media_type"), "nvme") == 0 ? "NVMe" : "SCM");
	fprintf(f, "  Total size: %s\n", text_bytes(int_of(tier, "total"), a, sizeof(a)));
	if (full)
		fprintf(f, "  Free: %s, min:%s, max:%s, mean:%s\n", text_bytes(int_of(tier, "free"), a, sizeof(a)),
			text_bytes(int_of(tier, "min"), b, sizeof(b)), text_bytes(int_of(tier, "max"), c, sizeof(c)),
			text_bytes(int_of(tier, "mean"), (char[32]){0}, 32));
	else
		fprintf(f, "  Free: %s\n", text_bytes(int_of(tier, "free"), a, sizeof(a)));
}

static void
print_rebuild(const json_t *rebuild, FILE *f)
{
	int status = (int)json_integer_value(json_object_get(rebuild, "status"));

	if (!json_is_object(rebuild)) {
		fprintf(f, "- No rebuild status available.\n");
		return;
	}
	if (status == 0)
		fprintf(f, "- Rebuild %s, %llu objs, %llu recs\n", str_of(rebuild, "state"),
			(unsigned long long)int_of(rebuild, "objects"), (unsigned long long)int_of(rebuild, "records"));
	else
		fprintf(f, "- Rebuild %s (state=%s, status=%d)\n", str_of(rebuild, "derived_state"), str_of(rebuild, "state"), status);
	fprintf(f, "- Data redundancy: %s\n", json_is_true(json_object_get(rebuild, "degraded")) ? "degraded" : "normal");
}

void
pool_print_query(const json_t *pool, FILE *f)
{
	const json_t *tiers = json_object_get(pool, "tier_stats");
	json_t       *tier;
	size_t        i;

	fprintf(f, "Pool %s, ntarget=%u, disabled=%u, leader=%u, version=%u, state=%s\n", str_of(pool, "uuid"),
		(unsigned)int_of(pool, "total_targets"), (unsigned)int_of(pool, "disabled_targets"),
		(unsigned)int_of(pool, "svc_ldr"), (unsigned)int_of(pool, "version"), str_of(pool, "state"));
	if (int_of(pool, "pool_layout_ver") != int_of(pool, "upgrade_layout_ver"))
		fprintf(f, "Pool layout out of date (%u < %u) -- see `dmg pool upgrade` for details.\n",
			(unsigned)int_of(pool, "pool_layout_ver"), (unsigned)int_of(pool, "upgrade_layout_ver"));
	fprintf(f, "Pool health info:\n");
	if (str_of(pool, "enabled_ranks")[0] != '\0')
		fprintf(f, "- Enabled ranks: %s\n", str_of(pool, "enabled_ranks"));
	if (str_of(pool, "disabled_ranks")[0] != '\0')
		fprintf(f, "- Disabled ranks: %s\n", str_of(pool, "disabled_ranks"));
	print_rebuild(json_object_get(pool, "rebuild"), f);
	if (json_array_size(tiers) == 0)
		return;
	fprintf(f, "Pool space info:\n- Target count:%u\n", (unsigned)int_of(pool, "active_targets"));
	json_array_foreach(tiers, i, tier)
		print_tier(tier, i, true, f);
}

void
pool_print_target(const json_t *info, FILE *f)
{
	json_t *tier;
	size_t  i;

	fprintf(f, "Target: state %s\n", str_of(info, "target_state"));
	json_array_foreach(json_object_get(info, "space"), i, tier)
		print_tier(tier, i, false, f);
}

static int
used_percent(const json_t *usage)
{
	uint64_t size = int_of(usage, "size"), free_bytes = int_of(usage, "free");

	return size > free_bytes ? (int)((double)(size - free_bytes) / size * 100) : 0;
}

static const char *
pool_name(const json_t *pool)
{
	return str_of(pool, "label")[0] ? str_of(pool, "label") : str_of(pool, "uuid");
}

static void
list_short(const json_t *pools, bool no_query, FILE *f)
{
	struct text_table *t = no_query
	    ? text_table_new(2, (const char *[]){"Pool", "State"})
	    : text_table_new(6, (const char *[]){"Pool", "Size", "State", "Used", "Imbalance", "Disabled"});
	json_t *pool;
	size_t  i;

	json_array_foreach(pools, i, pool) {
		const json_t *usage = json_object_get(pool, "usage"), *last = json_array_get(usage, json_array_size(usage) - 1);
		char          size[32], used[16], imb[16], disabled[32];

		if (no_query) {
			text_table_row(t, (const char *[]){pool_name(pool), str_of(pool, "state")});
			continue;
		}
		snprintf(used, sizeof(used), "%d%%", used_percent(last));
		snprintf(imb, sizeof(imb), "%u%%", (unsigned)int_of(last, "imbalance"));
		snprintf(disabled, sizeof(disabled), "%u/%u", (unsigned)int_of(pool, "disabled_targets"),
			 (unsigned)int_of(pool, "total_targets"));
		text_table_row(t, (const char *[]){pool_name(pool), text_bytes(int_of(last, "size"), size, sizeof(size)),
						   str_of(pool, "state"), used, imb, disabled});
	}
	text_table_print(t, f);
	text_table_free(t);
}

static void
svc_text(const json_t *ranks, char *buf, size_t bytes)
{
	json_t *r;
	size_t  i, len = 0;

	snprintf(buf, bytes, "N/A");
	if (json_array_size(ranks) > 0)
		len = (size_t)snprintf(buf, bytes, "[");
	json_array_foreach(ranks, i, r)
		len += snprintf(buf + MIN_OF(len, bytes), bytes - MIN_OF(len, bytes), "%s%lld", i ? "," : "",
				(long long)json_integer_value(r));
	if (json_array_size(ranks) > 0)
		snprintf(buf + MIN_OF(len, bytes), bytes - MIN_OF(len, bytes), "]");
}

static void
list_verbose(const json_t *pools, FILE *f)
{
	static const char *const titles[] = {"Label", "UUID", "State", "SvcReps", "SCM Size", "SCM Used", "SCM Imbalance",
	    "NVME Size", "NVME Used", "NVME Imbalance", "Disabled", "UpgradeNeeded?", "Rebuild State"};
	struct text_table *t = text_table_new(ARRAY_NR(titles), titles);
	json_t            *pool;
	size_t             i;
	int                k;

	json_array_foreach(pools, i, pool) {
		char          text[8][64], svc[256], upgrade[32] = "None", disabled[32];
		uint64_t      from = int_of(pool, "pool_layout_ver"), to = int_of(pool, "upgrade_layout_ver");

		for (k = 0; k < 2; k++) {
			const json_t *u = json_array_get(json_object_get(pool, "usage"), k);
			uint64_t      size = int_of(u, "size");

			text_bytes(size, text[k * 3], 64);
			text_bytes(size - int_of(u, "free"), text[k * 3 + 1], 64);
			snprintf(text[k * 3 + 2], 64, "%u%%", (unsigned)int_of(u, "imbalance"));
		}
		if (from != to)
			snprintf(upgrade, sizeof(upgrade), "%u->%u", (unsigned)from, (unsigned)to);
		snprintf(disabled, sizeof(disabled), "%u/%u", (unsigned)int_of(pool, "disabled_targets"),
			 (unsigned)int_of(pool, "total_targets"));
		svc_text(json_object_get(pool, "svc_reps"), svc, sizeof(svc));
		text_table_row(t, (const char *[]){str_of(pool, "label")[0] ? str_of(pool, "label") : "-", str_of(pool, "uuid"),
		    str_of(pool, "state"), svc, text[0], text[1], text[2], text[3], text[4], text[5], disabled, upgrade,
		    str_of(json_object_get(pool, "rebuild"), "state")});
	}
	text_table_print(t, f);
	text_table_free(t);
}

void
pool_print_list(const json_t *pools, bool verbose, bool no_query, FILE *f)
{
	if (json_array_size(pools) == 0)
		fprintf(f, "No pools in system\n");
	else if (verbose && !no_query)
		list_verbose(pools, f);
	else
		list_short(pools, no_query, f);
}

void
props_print(const char *title, const json_t *props, FILE *f)
{
	struct text_table *t = text_table_new(2, (const char *[]){"Name", "Value"});
	json_t            *p;
	size_t             i;

	json_array_foreach(props, i, p) {
		char        name[160];
		const char *desc = str_of(p, "description"), *text = str_of(p, "value");
		char        num[32];

		if (json_is_integer(json_object_get(p, "value"))) {
			snprintf(num, sizeof(num), "%llu", (unsigned long long)int_of(p, "value"));
			text = num;
		}
		snprintf(name, sizeof(name), desc[0] ? "%s (%s)" : "%s%s", desc[0] ? desc : str_of(p, "name"),
			 desc[0] ? str_of(p, "name") : "");
		text_table_row(t, (const char *[]){name, text});
	}
	fprintf(f, "%s\n", title);
	text_table_print(t, f);
	text_table_free(t);
}
