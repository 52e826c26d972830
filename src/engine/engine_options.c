/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/**
 * Options as public daos_engine takes them. Those about SPDK and hugepages have no meaning here: they are
 * accepted, and what they ask for is said not to happen. The device list (-n) is a JSON file that
 * daos_server writes:
 *
 *     {"bdevs": [{"class": "file", "path": "/var/daos/0", "size": 17179869184,
 *                 "roles": ["wal", "meta", "data"],
 *                 "auto_faulty": {"enable": true, "max_io_errs": 100, "max_csum_errs": 200}}, ...]}
 *
 * "auto_faulty" and each of its keys may be left out.
 */
#include <daos_errno.h>
#include <getopt.h>
#include <jansson.h>
#include "engine/engine_options.h"
#include "platform/platform.h"

#define SOCKET_DIR_DEFAULT  "/var/run/daos_server"
#define STORAGE_DEFAULT     "/mnt/daos"
#define PROVIDER_DEFAULT    "ofi+tcp;ofi_rxm"

enum { OPT_FORMAT = 256, OPT_ERASE, OPT_UUID, OPT_FORCE };

static const struct option long_options[] = {
    {"modules", required_argument, NULL, 'm'},     {"cores", required_argument, NULL, 'c'},
    {"targets", required_argument, NULL, 't'},     {"xshelpernr", required_argument, NULL, 'x'},
    {"firstcore", required_argument, NULL, 'f'},   {"group", required_argument, NULL, 'g'},
    {"storage", required_argument, NULL, 's'},     {"socket_dir", required_argument, NULL, 'd'},
    {"nvme", required_argument, NULL, 'n'},        {"instance_idx", required_argument, NULL, 'I'},
    {"pinned_numa_node", required_argument, NULL, 'p'}, {"bypass_health_chk", no_argument, NULL, 'b'},
    {"mem_size", required_argument, NULL, 'r'},    {"hugepage_size", required_argument, NULL, 'H'},
    {"storage_tiers", required_argument, NULL, 'T'}, {"check", no_argument, NULL, 'C'},
    {"help", no_argument, NULL, 'h'},              {"format", no_argument, NULL, OPT_FORMAT},
    {"erase", no_argument, NULL, OPT_ERASE},       {"uuid", required_argument, NULL, OPT_UUID},
    {"force", no_argument, NULL, OPT_FORCE},       {0},
};

static void
usage(const char *prog)
{
	printf("Usage:\n"
	       "  %s [options]                         run an engine\n"
	       "  %s --format -n FILE --uuid UUID      prepare its devices\n"
	       "  %s --erase -n FILE                   give its devices up\n\n"
	       "  -m, --modules=LIST         server modules to load (default: vos,rdb,rsvc,security,mgmt,\n"
	       "                             dtx,pool,cont,obj), from DAOS_MODULE_PATH or ../lib/daos_srv\n"
	       "  -t, --targets=NR           targets (default: the cores less 2, at least 1); -c is the same\n"
	       "  -x, --xshelpernr=NR        helper execution streams in all (default 0)\n"
	       "  -f, --firstcore=CORE       bind execution streams to cores from this one on\n"
	       "  -g, --group=NAME           name of the system (default daos_server)\n"
	       "  -s, --storage=DIR          the engine's own files (default " STORAGE_DEFAULT ")\n"
	       "  -d, --socket_dir=DIR       sockets shared with daos_server (default " SOCKET_DIR_DEFAULT ")\n"
	       "  -n, --nvme=FILE            device list, JSON; without one, nothing is kept\n"
	       "  -I, --instance_idx=NR      number of this engine on the host (default 0)\n"
	       "  -r, --mem_size=MIB         memory for metadata of all pools (default: what the devices allow)\n"
	       "  -T, --storage_tiers=NR     number of storage tiers; the device list says it already\n"
	       "  -p, --pinned_numa_node=NR  -b, --bypass_health_chk  -H, --hugepage_size=MIB\n"
	       "                             accepted, without effect: no SPDK, no hugepages here\n"
	       "  -C, --check                check mode; not available\n"
	       "      --uuid=UUID            system the devices are formatted for\n"
	       "      --force                format what is formatted already; its content is lost\n"
	       "  -h, --help                 this text\n\n"
	       "Environment: D_PROVIDER (" PROVIDER_DEFAULT "), D_INTERFACE, D_DOMAIN, D_PORT: for several\n"
	       "providers lists separated by commas, the first is the primary; CRT_TIMEOUT, D_LOG_MASK,\n"
	       "D_LOG_FILE, DAOS_MODULE_PATH.\n", prog, prog, prog);
}

static int PRINTF_LIKE(2, 3)
fail(struct engine_options *opts, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(opts->error, sizeof(opts->error), fmt, ap);
	va_end(ap);
	return -DER_INVAL;
}

static int
number(struct engine_options *opts, const char *what, const char *text, uint64_t min, uint64_t max,
       uint64_t *ret_nr)
{
	char              *end;
	unsigned long long v;

	errno = 0;
	v = strtoull(text, &end, 10);
	if (*text < '0' || *text > '9' || *end != '\0' || errno != 0 || v < min || v > max)
		return fail(opts, "%s: '%s' is not a number from %llu to %llu", what, text,
			    (unsigned long long)min, (unsigned long long)max);
	*ret_nr = v;
	return 0;
}

static int
number_opt(struct engine_options *opts, int opt, const char *text)
{
	struct engine_attr *attr = &opts->attr;
	uint64_t            v;
	int                 rc;

	switch (opt) {
	case 'c':
	case 't':
		rc = number(opts, "-t", text, 1, 1024, &v);
		if (rc == 0)
			attr->tgt_nr = v;
		return rc;
	case 'x':
		rc = number(opts, "-x", text, 0, 1024, &v);
		if (rc == 0)
			attr->helper_nr = v;
		return rc;
	case 'f':
		rc = number(opts, "-f", text, 0, 65535, &v);
		if (rc == 0)
			attr->first_core = v;
		return rc;
	case 'p':
		rc = number(opts, "-p", text, 0, 1023, &v);
		if (rc == 0 && plat_node_core(v, 0) < 0)
			return fail(opts, "-p: this machine has no NUMA node %s with cores; see `lscpu`", text);
		if (rc == 0)
			attr->numa_node = v;
		return rc;
	case 'I':
		rc = number(opts, "-I", text, 0, 65535, &v);
		if (rc == 0)
			attr->instance_idx = v;
		return rc;
	default:
		rc = number(opts, "-r", text, 0, 1u << 26, &v);
		if (rc == 0)
			attr->heap_bytes = v << 20;
		return rc;
	}
}

/** *ret_list is the device list's file, or NULL. */
static int
one_option(struct engine_options *opts, int opt, char *arg, const char *prog, const char **ret_list)
{
	struct engine_attr *attr = &opts->attr;

	switch (opt) {
	case 'm':
		attr->modules = arg;
		return 0;
	case 'g':
		attr->sys_name = arg;
		return 0;
	case 's':
		attr->storage_path = arg;
		return 0;
	case 'd':
		attr->drpc_dir = arg;
		return 0;
	case 'n':
		*ret_list = arg;
		return 0;
	case 'b':
	case 'H':
	case 'T':
		fprintf(stderr, "daos_engine: -%c is accepted but has no effect here\n", opt);
		return 0;
	case 'C':
		return fail(opts, "check mode (-C) is not available in this version");
	case 'h':
		usage(prog);
		opts->command = ENGINE_CMD_DONE;
		return 0;
	case OPT_FORMAT:
		opts->command = ENGINE_CMD_FORMAT;
		return 0;
	case OPT_ERASE:
		opts->command = ENGINE_CMD_ERASE;
		return 0;
	case OPT_UUID:
		opts->has_uuid = true;
		return uuid_parse(arg, opts->uuid) == 0 ? 0 : fail(opts, "--uuid: '%s' is not a UUID", arg);
	case OPT_FORCE:
		opts->force = true;
		return 0;
	case '?':
	case ':':
		return fail(opts, "wrong command line; see daos_engine --help");
	default:
		return number_opt(opts, opt, arg);
	}
}

/* ---- devices ---- */

static int
parse_roles(struct engine_options *opts, json_t *roles, uint32_t *ret_roles)
{
	size_t  i;
	json_t *role;

	*ret_roles = 0;
	json_array_foreach(roles, i, role) {
		const char *name = json_string_value(role);

		if (name != NULL && strcmp(name, "wal") == 0)
			*ret_roles |= BIO_ROLE_WAL;
		else if (name != NULL && strcmp(name, "meta") == 0)
			*ret_roles |= BIO_ROLE_META;
		else if (name != NULL && strcmp(name, "data") == 0)
			*ret_roles |= BIO_ROLE_DATA;
		else
			return fail(opts, "a device role is wal, meta or data, not '%s'",
				    name != NULL ? name : "?");
	}
	return *ret_roles != 0 ? 0 : fail(opts, "a device has no roles (wal, meta, data)");
}

/** A count of errors, 0: never; *ret_nr stays if there is none. */
static int
parse_limit(struct engine_options *opts, json_t *limits, const char *key, uint64_t *ret_nr)
{
	json_t *nr = json_object_get(limits, key);

	if (nr == NULL)
		return 0;
	if (!json_is_integer(nr) || json_integer_value(nr) < 0)
		return fail(opts, "auto_faulty: %s is not a number of errors", key);
	*ret_nr = json_integer_value(nr);
	return 0;
}

static int
parse_limits(struct engine_options *opts, json_t *limits, struct engine_bdev *bdev)
{
	int rc;

	if (limits == NULL)
		return 0;
	if (!json_is_object(limits))
		return fail(opts, "\"auto_faulty\" is not an object");
	bdev->has_limits = true;
	if (json_is_false(json_object_get(limits, "enable")))
		return 0;
	bdev->max_io_errs = ENGINE_MAX_IO_ERRS;
	rc = parse_limit(opts, limits, "max_io_errs", &bdev->max_io_errs);
	return rc != 0 ? rc : parse_limit(opts, limits, "max_csum_errs", &bdev->max_csum_errs);
}

static int
parse_bdev(struct engine_options *opts, json_t *dev, struct bio_dev_attr *attr)
{
	static const struct { const char *name; enum bio_kind kind; } classes[] = {
	    {"file", BIO_FILE}, {"kdev", BIO_KDEV}, {"ram", BIO_RAM}};
	const char *class = json_string_value(json_object_get(dev, "class"));
	json_int_t  size = json_integer_value(json_object_get(dev, "size"));

	attr->path = json_string_value(json_object_get(dev, "path"));
	if (class == NULL || attr->path == NULL || size < 0)
		return fail(opts, "a device needs \"class\", \"path\" and a \"size\" in bytes");
	attr->size_bytes = size;
	for (size_t i = 0; i < ARRAY_NR(classes); i++) {
		if (strcmp(class, classes[i].name) == 0) {
			attr->kind = classes[i].kind;
			return parse_roles(opts, json_object_get(dev, "roles"), &attr->roles);
		}
	}
	return fail(opts, "device %s: class '%s' is not one of file, kdev, ram", attr->path, class);
}

static int
parse_list(struct engine_options *opts, const char *path)
{
	json_error_t err;
	json_t      *doc = json_load_file(path, 0, &err), *list, *dev;
	char         why[sizeof(opts->error)];
	size_t       i;
	int          rc = 0;

	if (doc == NULL)
		return fail(opts, "device list %s: line %d: %s", path, err.line, err.text);
	opts->json = doc;
	list = json_object_get(doc, "bdevs");
	if (!json_is_array(list) || json_array_size(list) > ENGINE_BDEV_MAX)
		return fail(opts, "device list %s: \"bdevs\" is not a list of at most %u devices", path,
			    ENGINE_BDEV_MAX);
	json_array_foreach(list, i, dev) {
		rc = parse_bdev(opts, dev, &opts->bdevs[i].attr);
		if (rc == 0)
			rc = parse_limits(opts, json_object_get(dev, "auto_faulty"), &opts->bdevs[i]);
		if (rc != 0) {
			memcpy(why, opts->error, sizeof(why));
			why[sizeof(why) - 64] = '\0';
			return fail(opts, "device list, entry %zu: %s", i, why);
		}
	}
	opts->attr.bdevs = opts->bdevs;
	opts->attr.bdev_nr = json_array_size(list);
	return 0;
}

/* ---- environment ---- */

static const char *
env_either(const char *name, const char *old_name)
{
	const char *text = getenv(name);

	return text != NULL && text[0] != '\0' ? text : getenv(old_name);
}

/** Split the copy of @text at its commas. Returns how many items, 0: there is no text; @items has ENGINE_NET_MAX + 1 of them at most. */
static int
list_split(struct engine_options *opts, int list, const char *text, const char **items)
{
	char *at;
	int   nr = 0;

	if (text == NULL || text[0] == '\0')
		return 0;
	at = opts->lists[list] = strdup(text);
	if (at == NULL)
		return -DER_NOMEM;
	while (at != NULL && nr <= ENGINE_NET_MAX)
		items[nr++] = strsep(&at, ",");
	return nr;
}

static int
port_of(struct engine_options *opts, const char *text, int *ret_port)
{
	uint64_t v;
	int      rc = number(opts, "D_PORT", text, 0, 65535, &v);

	if (rc == 0)
		*ret_port = (int)v;
	return rc;
}

/** "" in a list is none given. */
static const char *
item_of(const char *const *items, int nr, int idx)
{
	return idx < nr && items[idx][0] != '\0' ? items[idx] : NULL;
}

/** Item @idx of each list. */
static int
network_set(struct engine_options *opts, const char *items[][ENGINE_NET_MAX + 1], const int *nrs, int idx, struct crt_attr *fabric)
{
	const char *port = item_of(items[ENGINE_PORTS], nrs[ENGINE_PORTS], idx);

	fabric->provider = item_of(items[ENGINE_PROVIDERS], nrs[ENGINE_PROVIDERS], idx);
	if (fabric->provider == NULL && idx > 0)
		return fail(opts, "D_PROVIDER: item %d is empty", idx + 1);
	if (fabric->provider == NULL)
		fabric->provider = PROVIDER_DEFAULT;
	fabric->interface = item_of(items[ENGINE_INTERFACES], nrs[ENGINE_INTERFACES], idx);
	fabric->domain    = item_of(items[ENGINE_DOMAINS], nrs[ENGINE_DOMAINS], idx);
	return port == NULL ? 0 : port_of(opts, port, &fabric->port);
}

/** Providers, interfaces, domains and ports: one of each, or lists of the same length separated by commas. */
static int
parse_networks(struct engine_options *opts)
{
	static const char *const names[][2] = {[ENGINE_PROVIDERS] = {"D_PROVIDER", "CRT_PHY_ADDR_STR"},
					       [ENGINE_INTERFACES] = {"D_INTERFACE", "OFI_INTERFACE"},
					       [ENGINE_DOMAINS] = {"D_DOMAIN", "OFI_DOMAIN"},
					       [ENGINE_PORTS] = {"D_PORT", "OFI_PORT"}};
	const char *items[ENGINE_FABRIC_LIST_NR][ENGINE_NET_MAX + 1];
	int         nrs[ENGINE_FABRIC_LIST_NR], net_nr, rc;

	for (int i = 0; i < ENGINE_FABRIC_LIST_NR; i++) {
		nrs[i] = list_split(opts, i, env_either(names[i][0], names[i][1]), items[i]);
		if (nrs[i] < 0)
			return nrs[i];
	}
	net_nr = MAX_OF(nrs[ENGINE_PROVIDERS], 1);
	if (net_nr > ENGINE_NET_MAX)
		return fail(opts, "D_PROVIDER: at most %d providers", ENGINE_NET_MAX);
	for (int i = 0; i < ENGINE_FABRIC_LIST_NR; i++)
		if (nrs[i] != 0 && nrs[i] != net_nr)
			return fail(opts, "%s has %d items, D_PROVIDER %d: give one for each provider, separated by commas",
				    names[i][0], nrs[i], net_nr);
	rc = network_set(opts, items, nrs, 0, &opts->attr.fabric);
	for (int i = 1; i < net_nr && rc == 0; i++)
		rc = network_set(opts, items, nrs, i, &opts->secondary[i - 1]);
	opts->attr.secondary    = opts->secondary;
	opts->attr.secondary_nr = net_nr - 1;
	return rc;
}

static int
parse_env(struct engine_options *opts)
{
	const char *timeout = getenv("CRT_TIMEOUT");
	uint64_t    v;
	int         rc = parse_networks(opts);

	if (rc != 0 || timeout == NULL || timeout[0] == '\0')
		return rc;
	rc = number(opts, "CRT_TIMEOUT", timeout, 0, 3600, &v);
	if (rc != 0)
		return rc;
	opts->attr.fabric.timeout_s = v;
	for (uint32_t i = 0; i < opts->attr.secondary_nr; i++)
		opts->secondary[i].timeout_s = v;
	return 0;
}

static int
check_command(struct engine_options *opts, const char *list)
{
	if (opts->command == ENGINE_CMD_RUN || opts->command == ENGINE_CMD_DONE)
		return 0;
	if (list == NULL)
		return fail(opts, "--format and --erase need the device list (-n)");
	if (opts->command == ENGINE_CMD_FORMAT && (!opts->has_uuid || uuid_is_null(opts->uuid)))
		return fail(opts, "--format needs the system's UUID (--uuid)");
	return 0;
}

int
engine_options_parse(int argc, char **argv, struct engine_options *opts)
{
	const char *list = NULL;
	int         opt, rc = 0;

	memset(opts, 0, sizeof(*opts));
	opts->attr.sys_name = "daos_server";
	opts->attr.storage_path = STORAGE_DEFAULT;
	opts->attr.drpc_dir = SOCKET_DIR_DEFAULT;
	opts->attr.first_core = -1;
	opts->attr.numa_node = -1;
	opts->attr.tgt_nr = plat_core_nr() > 3 ? plat_core_nr() - 2 : 1;
	optind = 1; /* as often as one likes */
	while (rc == 0 && opts->command != ENGINE_CMD_DONE &&
	       (opt = getopt_long(argc, argv, "m:c:t:x:f:g:s:d:n:I:p:br:H:T:Ch", long_options, NULL)) != -1)
		rc = one_option(opts, opt, optarg, argv[0], &list);
	if (rc == 0 && optind < argc && opts->command != ENGINE_CMD_DONE)
		rc = fail(opts, "unexpected argument '%s'; see daos_engine --help", argv[optind]);
	if (rc == 0)
		rc = check_command(opts, list);
	if (rc == 0 && list != NULL)
		rc = parse_list(opts, list);
	if (rc == 0)
		rc = parse_env(opts);
	snprintf(opts->name, sizeof(opts->name), "engine %u", opts->attr.instance_idx);
	opts->attr.name = opts->name;
	return rc;
}

void
engine_options_fini(struct engine_options *opts)
{
	json_decref(opts->json);
	opts->json = NULL;
	for (int i = 0; i < ENGINE_FABRIC_LIST_NR; i++) {
		free(opts->lists[i]);
		opts->lists[i] = NULL;
	}
}
