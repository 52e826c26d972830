/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/** dmg storage, dmg network. */
#include <daos_errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/util.h"
#include "control/common/cli_text.h"
#include "control/dmg/dmg.h"

static const json_t *
host_responses(const json_t *resp)
{
	return json_object_get(resp, "host_responses");
}

/** "wal,meta,data" of a JSON array of strings. */
static char *
join(const json_t *array, char *buf, size_t bytes)
{
	json_t *item;
	size_t  i, len = 0;

	buf[0] = '\0';
	json_array_foreach(array, i, item)
		len += snprintf(buf + MIN_OF(len, bytes), bytes - MIN_OF(len, bytes), "%s%s", i ? "," : "", json_string_value(item));
	return buf;
}

/* ---- storage scan ---- */

static void
scan_short(const json_t *resp)
{
	struct text_table *t = text_table_new(4, (const char *[]){"Hosts", "SCM Total", "NVMe Total", "State"});
	const char        *host;
	json_t            *one, *dev;
	size_t             i;

	json_object_foreach((json_t *)host_responses(resp), host, one) {
		uint64_t    bytes = 0, nr = 0;
		const char *state = "-";
		char        nvme[64], scm[64], size[32];

		json_array_foreach(json_object_get(one, "bdevs"), i, dev) {
			bytes += jint(dev, "size_bytes");
			nr++;
			if (i == 0 || strcmp(state, "ok") == 0)
				state = jstr(dev, "state");
		}
		snprintf(nvme, sizeof(nvme), "%s (%llu device%s)", text_bytes(bytes, size, sizeof(size)), (unsigned long long)nr,
			 nr == 1 ? "" : "s");
		snprintf(scm, sizeof(scm), "%s (memory)",
			 text_bytes(jint(json_object_get(one, "mem_info"), "available_bytes"), size, sizeof(size)));
		text_table_row(t, (const char *[]){host, scm, nvme, state});
	}
	text_table_print(t, stdout);
	text_table_free(t);
}

static void
scan_verbose(const json_t *resp)
{
	static const char *const titles[] = {"Engine", "Tier", "Class", "Device", "Size", "Free", "Roles", "State"};
	const char              *host;
	json_t                  *one, *dev;
	size_t                   i;

	json_object_foreach((json_t *)host_responses(resp), host, one) {
		struct text_table *t = text_table_new(ARRAY_NR(titles), titles);

		printf("%s\n", host);
		json_array_foreach(json_object_get(one, "bdevs"), i, dev) {
			char eng[16], tier[16], size[32], free_text[32], roles[64];

			snprintf(eng, sizeof(eng), "%u", (unsigned)jint(dev, "engine"));
			snprintf(tier, sizeof(tier), "%u", (unsigned)jint(dev, "tier"));
			text_table_row(t, (const char *[]){eng, tier, jstr(dev, "class"), jstr(dev, "path"),
			    text_bytes(jint(dev, "size_bytes"), size, sizeof(size)),
			    text_bytes(jint(dev, "free_bytes"), free_text, sizeof(free_text)),
			    join(json_object_get(dev, "roles"), roles, sizeof(roles)), jstr(dev, "state")});
		}
		text_table_print(t, stdout);
		text_table_free(t);
	}
}

static const char *
print_limit(const json_t *health, const char *key, char *buf, size_t bytes)
{
	unsigned long long nr = jint(health, key);

	if (nr == 0)
		return "any number of";
	snprintf(buf, bytes, "%llu", nr);
	return buf;
}

/** Requests since the engine started; a device of an engine that does not run has none. */
static void
print_health(const json_t *dev)
{
	const json_t *h = json_object_get(dev, "health");
	char	      in[32], out[32];

	printf("  %s\n", jstr(dev, "path"));
	if (h == NULL) {
		printf("    no engine uses it\n");
		return;
	}
	printf("    Reads:%llu (%s) Writes:%llu (%s) Flushes:%llu Retries:%llu Errors:%llu Checksum Errors:%llu\n",
	       (unsigned long long)jint(h, "reads"),
	       text_bytes(jint(h, "read_bytes"), in, sizeof(in)), (unsigned long long)jint(h, "writes"),
	       text_bytes(jint(h, "write_bytes"), out, sizeof(out)), (unsigned long long)jint(h, "flushes"),
	       (unsigned long long)jint(h, "retries"), (unsigned long long)jint(h, "errors"),
	       (unsigned long long)jint(h, "checksum_errors"));
	printf("    Faulty after: %s errors, %s checksum errors\n", print_limit(h, "max_io_errs", in, sizeof(in)),
	       print_limit(h, "max_csum_errs", out, sizeof(out)));
}

static void
print_all_health(const json_t *resp)
{
	const char *host;
	json_t     *one, *dev;
	size_t      i;

	json_object_foreach((json_t *)host_responses(resp), host, one) {
		printf("%s\n", host);
		json_array_foreach(json_object_get(one, "bdevs"), i, dev)
			print_health(dev);
	}
}

static int
run_scan(struct cli *cli)
{
	json_t *req = json_pack("{s:b, s:b}", "verbose", cli_has(cli, "verbose"), "nvme_health", cli_has(cli, "nvme-health")), *resp;
	int     rc = dmg_hosts(cli, "host/storage-scan", req, &resp);

	if (rc != 0 || (rc = dmg_json_done(cli, resp)) >= 0)
		return rc;
	if (cli_has(cli, "verbose"))
		scan_verbose(resp);
	else
		scan_short(resp);
	if (cli_has(cli, "nvme-health"))
		print_all_health(resp);
	rc = dmg_print_host_errors(resp);
	json_decref(resp);
	return rc;
}

/* ---- storage query list-devices, storage set nvme-faulty ---- */

static bool
is_wanted(struct cli *cli, const json_t *dev)
{
	if (cli_has(cli, "uuid") && strcmp(cli_get(cli, "uuid"), jstr(dev, "uuid")) != 0)
		return false;
	if (cli_has(cli, "show-evicted") && strcmp(jstr(dev, "state"), "faulty") != 0)
		return false;
	return !cli_has(cli, "rank") || strtoull(cli_get(cli, "rank"), NULL, 10) == jint(dev, "rank");
}

/** Leave only what was asked for. */
static void
devices_choose(struct cli *cli, const json_t *resp)
{
	const char *host;
	json_t     *one;

	json_object_foreach((json_t *)host_responses(resp), host, one) {
		json_t *devs = json_object_get(one, "bdevs");

		for (size_t i = json_array_size(devs); i-- > 0;)
			if (!is_wanted(cli, json_array_get(devs, i)))
				json_array_remove(devs, i);
	}
}

static void
devices_print(struct cli *cli, const json_t *resp)
{
	static const char *const titles[] = {"UUID", "Device", "Rank", "Roles", "State"};
	const char              *host;
	json_t                  *one, *dev;
	size_t                   i;

	json_object_foreach((json_t *)host_responses(resp), host, one) {
		struct text_table *t = text_table_new(ARRAY_NR(titles), titles);

		printf("%s\n", host);
		json_array_foreach(json_object_get(one, "bdevs"), i, dev) {
			char        rank[24], roles[64];
			const char *uuid = jstr(dev, "uuid");

			snprintf(rank, sizeof(rank), "%llu", (unsigned long long)jint(dev, "rank"));
			text_table_row(t, (const char *[]){uuid[0] != '\0' ? uuid : "-", jstr(dev, "path"), uuid[0] != '\0' ? rank : "-",
			    join(json_object_get(dev, "roles"), roles, sizeof(roles)), jstr(dev, "state")});
		}
		text_table_print(t, stdout);
		text_table_free(t);
	}
	if (cli_has(cli, "health"))
		print_all_health(resp);
}

static int
run_list_devices(struct cli *cli)
{
	json_t *resp;
	int     rc = dmg_hosts(cli, "host/storage-scan", json_pack("{s:b, s:b}", "verbose", 1, "nvme_health", 1), &resp);

	if (rc != 0)
		return rc;
	devices_choose(cli, resp);
	rc = dmg_json_done(cli, resp);
	if (rc >= 0)
		return rc;
	devices_print(cli, resp);
	rc = dmg_print_host_errors(resp);
	json_decref(resp);
	return rc;
}

static size_t
devices_count(const json_t *resp)
{
	const char *host;
	json_t     *one;
	size_t      nr = 0;

	json_object_foreach((json_t *)host_responses(resp), host, one)
		nr += json_array_size(json_object_get(one, "bdevs"));
	return nr;
}

static int
run_device_health(struct cli *cli)
{
	json_t *resp;
	size_t  nr;
	int     rc = dmg_hosts(cli, "host/storage-scan", json_pack("{s:b, s:b}", "verbose", 1, "nvme_health", 1), &resp);

	if (rc != 0)
		return rc;
	devices_choose(cli, resp);
	nr = devices_count(resp);
	rc = dmg_json_done(cli, resp);
	if (rc < 0) {
		print_all_health(resp);
		rc = dmg_print_host_errors(resp);
		json_decref(resp);
	}
	if (nr == 0)
		return cli_fail(cli, CLI_FAILED, -DER_NONEXIST, "no engine that runs has a device %s; `dmg storage query list-devices' "
				"shows those in use", cli_get(cli, "uuid"));
	return rc;
}

/** Every host is asked: only the one that has the device says 0. */
static int
faulty_status(const json_t *resp)
{
	const char *host;
	json_t     *one;
	int         status = -DER_NONEXIST;

	json_object_foreach((json_t *)host_responses(resp), host, one) {
		int of_host = json_integer_value(json_object_get(one, "status"));

		if (of_host != -DER_NONEXIST)
			status = of_host;
	}
	return status;
}

static int
run_set_faulty(struct cli *cli)
{
	const char *uuid = cli_get(cli, "uuid");
	json_t     *resp;
	int         status, rc;

	if (!cli_has(cli, "force"))
		return cli_fail(cli, CLI_USAGE, -DER_INVAL, "a faulty device is not used again until the engine is restarted: "
				"say --force to do that");
	rc = dmg_hosts(cli, "host/storage-set-faulty", json_pack("{s:s}", "uuid", uuid), &resp);
	if (rc != 0)
		return rc;
	status = faulty_status(resp);
	rc     = dmg_json_done(cli, resp);
	if (rc < 0)
		json_decref(resp);
	if (status != 0)
		return cli_fail(cli, CLI_FAILED, status, "device %s could not be set faulty; `dmg storage query list-devices' shows "
				"those in use", uuid);
	if (rc < 0)
		printf("Device %s is faulty now\n", uuid);
	return CLI_OK;
}

/* ---- storage query list-pools, usage ---- */

static void
pools_choose(struct cli *cli, const json_t *resp)
{
	const char *host;
	json_t     *one;

	json_object_foreach((json_t *)host_responses(resp), host, one) {
		json_t *pools = json_object_get(one, "pools");

		for (size_t i = json_array_size(pools); i-- > 0;)
			if (!is_wanted(cli, json_array_get(pools, i)))
				json_array_remove(pools, i);
	}
}

static void
pool_blobs_print(const json_t *pool)
{
	json_t *blob;
	size_t  i;

	json_array_foreach(json_object_get(pool, "blobs"), i, blob) {
		char tgt[24] = "service", size[32];

		if (json_integer_value(json_object_get(blob, "tgt")) >= 0)
			snprintf(tgt, sizeof(tgt), "target %llu", (unsigned long long)jint(blob, "tgt"));
		printf("    %s %s: %s on %s\n", tgt, jstr(blob, "role"), text_bytes(jint(blob, "bytes"), size, sizeof(size)),
		       jstr(blob, "device"));
	}
}

static void
pools_print(struct cli *cli, const json_t *resp)
{
	const char *host;
	json_t     *one, *pool;
	size_t      i;

	json_object_foreach((json_t *)host_responses(resp), host, one) {
		printf("%s\n", host);
		if (json_array_size(json_object_get(one, "pools")) == 0)
			printf("  No pools found\n");
		json_array_foreach(json_object_get(one, "pools"), i, pool) {
			char *tgts = jranks(json_object_get(pool, "tgt_ids")), meta[32], data[32];

			printf("  UUID:%s Rank:%llu Targets:[%s] Metadata:%s Data:%s\n", jstr(pool, "uuid"),
			       (unsigned long long)jint(pool, "rank"), tgts, text_bytes(jint(pool, "meta_bytes"), meta, sizeof(meta)),
			       text_bytes(jint(pool, "data_bytes"), data, sizeof(data)));
			free(tgts);
			if (cli_has(cli, "verbose"))
				pool_blobs_print(pool);
		}
	}
}

static int
run_list_pools(struct cli *cli)
{
	json_t *resp;
	int     rc = dmg_hosts(cli, "host/storage-pools", json_object(), &resp);

	if (rc != 0)
		return rc;
	pools_choose(cli, resp);
	rc = dmg_json_done(cli, resp);
	if (rc >= 0)
		return rc;
	pools_print(cli, resp);
	rc = dmg_print_host_errors(resp);
	json_decref(resp);
	return rc;
}

/** Total, free and used part of one kind of space of a host's engines, as three columns. */
static void
usage_columns(const json_t *host, const char *total_key, const char *free_key, char text[3][32])
{
	uint64_t total = 0, left = 0;
	json_t  *eng;
	size_t   i;

	json_array_foreach(json_object_get(host, "engines"), i, eng) {
		total += jint(eng, total_key);
		left += jint(eng, free_key);
	}
	text_bytes(total, text[0], 32);
	text_bytes(left, text[1], 32);
	snprintf(text[2], 32, "%u %%", total > 0 ? (unsigned)((total - left) * 100 / total) : 0);
}

static int
run_usage(struct cli *cli)
{
	static const char *const free_titles[] = {"Hosts", "SCM-Total", "SCM-Free", "SCM-Used", "NVMe-Total", "NVMe-Free", "NVMe-Used"};
	static const char *const usable_titles[] = {"Hosts", "SCM-Total", "SCM-Usable", "SCM-Used", "NVMe-Total", "NVMe-Usable",
						    "NVMe-Used"};
	struct text_table *t;
	const char        *host;
	json_t            *resp, *one;
	int                rc = dmg_hosts(cli, "host/storage-usage", json_object(), &resp);

	if (rc != 0 || (rc = dmg_json_done(cli, resp)) >= 0)
		return rc;
	t = text_table_new(ARRAY_NR(free_titles), cli_has(cli, "show-usable") ? usable_titles : free_titles);
	json_object_foreach((json_t *)host_responses(resp), host, one) {
		char scm[3][32], nvme[3][32];

		usage_columns(one, "scm_total", "scm_free", scm);
		usage_columns(one, "nvme_total", "nvme_free", nvme);
		text_table_row(t, (const char *[]){host, scm[0], scm[1], scm[2], nvme[0], nvme[1], nvme[2]});
	}
	text_table_print(t, stdout);
	text_table_free(t);
	rc = dmg_print_host_errors(resp);
	json_decref(resp);
	return rc;
}

/* ---- what only disks behind a controller of their own can do ---- */

/** Is there a device of this UUID, or at this path, in use? An exit code, CLI_OK if so. */
static int
device_find(struct cli *cli, const char *id)
{
	const char *host;
	json_t     *resp, *one, *dev;
	size_t      i, nr = 0;
	int         rc = dmg_hosts(cli, "host/storage-scan", json_pack("{s:b}", "verbose", 1), &resp);

	if (rc != 0)
		return rc;
	json_object_foreach((json_t *)host_responses(resp), host, one)
		json_array_foreach(json_object_get(one, "bdevs"), i, dev)
			nr += strcmp(jstr(dev, "uuid"), id) == 0 || strcmp(jstr(dev, "path"), id) == 0;
	json_decref(resp);
	if (nr > 0)
		return CLI_OK;
	return cli_fail(cli, CLI_FAILED, -DER_NONEXIST, "no engine that runs has a device %s; `dmg storage query list-devices' shows "
			"those in use", id);
}

static int
run_replace(struct cli *cli)
{
	int rc = device_find(cli, cli_get(cli, "old-uuid"));

	if (rc != CLI_OK)
		return rc;
	return cli_fail(cli, CLI_FAILED, -DER_NOTSUPPORTED, "not supported: files and block devices are not exchanged under a running "
			"engine. Stop it (dmg system stop), copy the device to its successor (ddb, dev_replace), put that into "
			"bdev_list of daos_server.yml, start the server again");
}

static int
run_led(struct cli *cli)
{
	int rc = CLI_OK;

	for (int i = 0; cli_arg(cli, i) != NULL && rc == CLI_OK; i++)
		rc = device_find(cli, cli_arg(cli, i));
	if (rc != CLI_OK)
		return rc;
	return cli_fail(cli, CLI_FAILED, -DER_NOTSUPPORTED, "not supported: files and block devices have no LED that can be reached from "
			"here");
}

static int
run_pci(struct cli *cli)
{
	return cli_fail(cli, CLI_FAILED, -DER_NOTSUPPORTED, "not supported: devices are files or block devices of the kernel, not PCI "
			"addresses; add %s's block device to bdev_list of daos_server.yml", cli_get(cli, "pci-address"));
}

/* ---- storage format ---- */

static int
print_formatted(const json_t *resp)
{
	struct text_table *t = text_table_new(4, (const char *[]){"Host", "Engine", "Devices", "Format Result"});
	const char        *host;
	json_t            *one, *eng, *dev;
	size_t             i, k;
	int                failed = 0;

	json_object_foreach((json_t *)host_responses(resp), host, one) {
		json_array_foreach(json_object_get(one, "engines"), i, eng) {
			char   idx[16], devs[1024] = "";
			size_t len = 0;

			failed += jint(eng, "status") != 0;
			snprintf(idx, sizeof(idx), "%u", (unsigned)jint(eng, "idx"));
			json_array_foreach(json_object_get(eng, "bdevs"), k, dev)
				len += snprintf(devs + MIN_OF(len, sizeof(devs)), sizeof(devs) - MIN_OF(len, sizeof(devs)), "%s%s",
						k ? "," : "", json_is_string(dev) ? json_string_value(dev) : jstr(dev, "path"));
			text_table_row(t, (const char *[]){host, idx, devs, jint(eng, "status") ? jstr(eng, "error") : "CREATED"});
		}
	}
	text_table_print(t, stdout);
	text_table_free(t);
	return failed;
}

static int
count_failed(const json_t *resp)
{
	const char *host;
	json_t     *one, *eng;
	size_t      i;
	int         failed = 0;

	json_object_foreach((json_t *)host_responses(resp), host, one)
		json_array_foreach(json_object_get(one, "engines"), i, eng)
			failed += jint(eng, "status") != 0;
	return failed;
}

static int
run_format(struct cli *cli)
{
	json_t *req = json_pack("{s:b, s:b}", "reformat", cli_has(cli, "force"), "replace", cli_has(cli, "replace")), *resp;
	int     failed, rc = dmg_hosts(cli, "host/storage-format", req, &resp);

	if (rc != 0)
		return rc;
	failed = count_failed(resp);
	rc = dmg_json_done(cli, resp);
	if (rc >= 0)
		return failed ? CLI_FAILED : rc;
	print_formatted(resp);
	rc = dmg_print_host_errors(resp);
	json_decref(resp);
	if (failed)
		return cli_fail(cli, CLI_FAILED, -DER_MISC, "%d engine%s could not be formatted", failed, failed > 1 ? "s" : "");
	return rc;
}

/* ---- network scan ---- */

static int
run_net_scan(struct cli *cli)
{
	json_t     *req = json_object(), *resp, *one, *dev;
	const char *host;
	size_t      i;
	int         rc;

	if (cli_has(cli, "provider"))
		json_object_set_new(req, "provider", json_string(cli_get(cli, "provider")));
	rc = dmg_hosts(cli, "host/network-scan", req, &resp);
	if (rc != 0 || (rc = dmg_json_done(cli, resp)) >= 0)
		return rc;
	json_object_foreach(json_object_get(resp, "host_responses"), host, one) {
		struct text_table *t = text_table_new(3, (const char *[]){"NUMA Socket", "Network Device", "Provider(s)"});

		printf("%s\n", host);
		json_array_foreach(json_object_get(one, "interfaces"), i, dev) {
			char numa[16];

			snprintf(numa, sizeof(numa), "%u", (unsigned)jint(dev, "numa_node"));
			text_table_row(t, (const char *[]){numa, jstr(dev, "device"), jstr(dev, "provider")});
		}
		text_table_print(t, stdout);
		text_table_free(t);
	}
	rc = dmg_print_host_errors(resp);
	json_decref(resp);
	return rc;
}

static const struct cli_opt scan_opts[] = {{"verbose", 'v', CLI_FLAG, NULL, "a row for each device"},
					   {"nvme-health", 'n', CLI_FLAG, NULL, "with health counters"},
					   {0}};
static const struct cli_opt format_opts[] = {{"force", 0, CLI_FLAG, NULL, "erase what is there"},
					     {"replace", 0, CLI_FLAG, NULL, "take over the rank of a lost engine"},
					     {"verbose", 'v', CLI_FLAG, NULL, "more detail"},
					     {0}};
static const struct cli_opt net_opts[] = {{"provider", 'p', CLI_VALUE, "NAME", "only this provider; \"all\" for every one"}, {0}};

static const struct cli_opt list_opts[] = {{"rank", 'r', CLI_VALUE, "RANK", "only of this rank"},
					   {"health", 'b', CLI_FLAG, NULL, "with health counters"},
					   {"uuid", 'u', CLI_VALUE, "UUID", "only this device"},
					   {"show-evicted", 'e', CLI_FLAG, NULL, "only faulty ones"},
					   {0}};
static const struct cli_opt health_opts[] = {{"uuid", 'u', CLI_VALUE, "UUID", "the device, see list-devices", .required = true}, {0}};
static const struct cli_opt faulty_opts[] = {{"uuid", 'u', CLI_VALUE, "UUID", "the device, see list-devices", .required = true},
					     {"force", 'f', CLI_FLAG, NULL, "yes, really"},
					     {0}};
static const struct cli_opt pools_opts[] = {{"rank", 'r', CLI_VALUE, "RANK", "only of this rank"},
					    {"uuid", 'u', CLI_VALUE, "UUID", "only this pool"},
					    {"verbose", 'v', CLI_FLAG, NULL, "with the parts on each device"},
					    {0}};
static const struct cli_opt usage_opts[] = {{"show-usable", 'u', CLI_FLAG, NULL, "what new pools can have: all that is free"},
					    {"mem-ratio", 0, CLI_VALUE, "RATIO", "accepted, without effect"},
					    {0}};
static const struct cli_opt replace_opts[] = {{"old-uuid", 0, CLI_VALUE, "UUID", "the device that goes", .required = true},
					      {"new-uuid", 0, CLI_VALUE, "UUID", "the one that comes", .required = true},
					      {0}};
static const struct cli_opt identify_opts[] = {{"timeout", 0, CLI_VALUE, "MINUTES", "how long it blinks"},
					       {"reset", 0, CLI_FLAG, NULL, "as it was before"},
					       {0}};
static const struct cli_opt rebind_opts[] = {{"pci-address", 'a', CLI_VALUE, "ADDR", "of the disk", .required = true}, {0}};
static const struct cli_opt add_opts[] = {{"pci-address", 'a', CLI_VALUE, "ADDR", "of the disk", .required = true},
					  {"engine-index", 'e', CLI_VALUE, "NR", "the engine", .required = true},
					  {"tier-index", 't', CLI_VALUE, "NR", "the tier"},
					  {0}};
static const struct cli_cmd replace_cmds[] = {
    {"nvme", NULL, "Exchange a device (not supported)", .opts = replace_opts, .run = run_replace}, {0}};
static const struct cli_cmd led_cmds[] = {
    {"check", NULL, "State of the LEDs (not supported)", "<ids>", 1, -1, .run = run_led},
    {"identify", NULL, "Make LEDs blink (not supported)", "<ids>", 1, -1, .opts = identify_opts, .run = run_led},
    {0}};
static const struct cli_cmd query_cmds[] = {
    {"list-pools", NULL, "Pools of each host's engines: targets, bytes", .opts = pools_opts, .run = run_list_pools},
    {"usage", NULL, "Space of each host", .opts = usage_opts, .run = run_usage},
    {"list-devices", NULL, "Devices of each host: UUID, rank, roles, state", .opts = list_opts, .run = run_list_devices},
    {"device-health", NULL, "Counters of a device", .opts = health_opts, .run = run_device_health},
    {0}};
static const struct cli_cmd set_cmds[] = {
    {"nvme-faulty", NULL, "Do not use a device any more", .opts = faulty_opts, .run = run_set_faulty},
    {0}};

const struct cli_cmd dmg_storage_cmds[] = {
    {"query", NULL, "Devices, their health, pools and space", .subs = query_cmds},
    {"set", NULL, "Take a device out of use", .subs = set_cmds},
    {"replace", NULL, "Exchange a device", .subs = replace_cmds},
    {"led", NULL, "LEDs of devices", .subs = led_cmds},
    {"nvme-rebind", NULL, "Give a disk back to an engine (not supported)", .opts = rebind_opts, .run = run_pci},
    {"nvme-add-device", NULL, "Add a disk to an engine (not supported)", .opts = add_opts, .run = run_pci},
    {"scan", NULL, "Storage of each host", .opts = scan_opts, .run = run_scan},
    {"format", NULL, "Prepare configured storage and start the engines", .opts = format_opts, .run = run_format},
    {0}};
const struct cli_cmd dmg_network_cmds[] = {
    {"scan", NULL, "Network interfaces and providers of each host", .opts = net_opts, .run = run_net_scan}, {0}};
