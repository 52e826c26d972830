/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/** daos_server.yml: what is accepted, what it means, and every configuration that is refused. */
#include <daos_errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/util.h"
#include "control/server/server_config.h"
#include "control_file.h"

struct world {
	struct test_dir	      dir;
	char		      path[128], errors[1024];
	struct server_config *cfg;
};

static int
setup(void **state)
{
	struct world *w = calloc(1, sizeof(*w));

	assert_non_null(w);
	test_dir_make(&w->dir);
	test_dir_file(&w->dir, "daos_server.yml", w->path, sizeof(w->path));
	*state = w;
	return 0;
}

static int
teardown(void **state)
{
	struct world *w = *state;

	server_config_free(w->cfg);
	test_dir_remove(&w->dir);
	free(w);
	return 0;
}

static int
load(struct world *w, const char *text)
{
	server_config_free(w->cfg);
	w->cfg = NULL;
	test_file_write(w->path, text, strlen(text));
	return server_config_load(w->path, &w->cfg, w->errors, sizeof(w->errors));
}

#define RAM   "{class: ram, scm_mount: /e0}"
#define FILE1 "{class: file, bdev_list: [/e0/disk], bdev_size: 4}"
#define ENGINE(more)                                                                               \
	"engines: [{targets: 2, fabric_iface: lo, fabric_iface_port: 31416, " more "}]\n"
/** Two engines, of 4 streams and of 3. */
#define TWO(providers, ifaces1, ports1, ifaces2, ports2)                                           \
	"provider: " providers "\nengines:\n- {targets: 2, fabric_iface: '" ifaces1                \
	"', fabric_iface_port: '" ports1 "', storage: [{class: ram, scm_mount: /a}]}\n"            \
	"- {targets: 1, fabric_iface: '" ifaces2 "', fabric_iface_port: '" ports2                  \
	"', storage: [{class: ram, scm_mount: /b}]}\n"
#define STORAGE(tiers) ENGINE("storage: [" tiers "]")

static void
defaults(void **state)
{
	struct world *w = *state;

	assert_int_equal(load(w, STORAGE(RAM)), 0);
	assert_string_equal(w->cfg->name, "daos_server");
	assert_string_equal(w->cfg->provider, "ofi+tcp");
	assert_string_equal(w->cfg->socket_dir, "/var/run/daos_server");
	assert_string_equal(w->cfg->control_log_mask, "INFO");
	assert_int_equal(w->cfg->port, 10001);
	assert_int_equal(w->cfg->engine_auto_restart_min_delay, 300);
	assert_false(w->cfg->disable_engine_auto_restart);
	assert_false(w->cfg->transport_config.allow_insecure);
	assert_string_equal(w->cfg->transport_config.cert, "/etc/daos/certs/server.crt");
	assert_string_equal(w->cfg->transport_config.key, "/etc/daos/certs/server.key");
	assert_int_equal(w->cfg->ms_replicas_count, 0);
	assert_null(w->cfg->engines[0].first_core);
	assert_int_equal(w->cfg->engines[0].nr_xs_helpers, 0);
}

static void
a_whole_configuration(void **state)
{
	const struct server_engine_config *e;
	struct world			  *w = *state;

	assert_int_equal(
	    load(w, "name: alpha\n"
		    "mgmt_svc_replicas: [server1]\n"
		    "control_metadata: {path: /var/lib/daos}\n"
		    "port: 20001\n"
		    "provider: ofi+verbs\n"
		    "crt_timeout: 30\n"
		    "socket_dir: /run/d\n"
		    "fault_path: /rack1\n"
		    "disable_engine_auto_restart: true\n"
		    "client_env_vars: [A=1, B=2]\n"
		    "transport_config: {allow_insecure: true, client_cert_dir: /c}\n"
		    "engines:\n"
		    "- targets: 4\n"
		    "  nr_xs_helpers: 2\n"
		    "  first_core: 3\n"
		    "  pinned_numa_node: 0\n"
		    "  fabric_iface: ib0\n"
		    "  fabric_iface_port: 31416\n"
		    "  log_mask: DEBUG\n"
		    "  log_file: /tmp/e.log\n"
		    "  env_vars: [X=1]\n"
		    "  storage:\n"
		    "  - {class: ram, scm_mount: /e0, scm_size: 8}\n"
		    "  - {class: kdev, bdev_list: [/dev/a, /dev/b], bdev_roles: [wal, meta], "
		    "bdev_auto_faulty: {enable: true, max_io_errs: 7}}\n"
		    "  - {class: file, bdev_list: [/f], bdev_size: 512MiB, bdev_roles: [data]}\n"),
	    0);
	assert_string_equal(w->cfg->name, "alpha");
	assert_string_equal(w->cfg->ms_replicas[0], "server1");
	assert_string_equal(w->cfg->control_metadata.path, "/var/lib/daos");
	assert_int_equal(w->cfg->crt_timeout, 30);
	assert_string_equal(w->cfg->client_env_vars[1], "B=2");
	assert_true(w->cfg->disable_engine_auto_restart);
	assert_int_equal(w->cfg->engines_count, 1);
	e = &w->cfg->engines[0];
	assert_int_equal(e->targets, 4);
	assert_int_equal(*e->first_core, 3);
	assert_string_equal(e->env_vars[0], "X=1");
	assert_int_equal(e->storage_count, 3);
	assert_ptr_equal(server_ram_tier(e), &e->storage[0]);
	assert_int_equal(server_tier_roles(&e->storage[1]), 3);
	assert_int_equal(server_tier_roles(&e->storage[2]), 4);
	assert_true(e->storage[1].bdev_auto_faulty->enable);
	assert_int_equal(*e->storage[1].bdev_auto_faulty->max_io_errs, 7);
	assert_null(e->storage[1].bdev_auto_faulty->max_csum_errs);
	assert_null(e->storage[2].bdev_auto_faulty);
}

static void
roles_not_given_are_all(void **state)
{
	struct world *w = *state;

	assert_int_equal(load(w, STORAGE(RAM ", " FILE1)), 0);
	assert_int_equal(server_tier_roles(&w->cfg->engines[0].storage[1]), 7);
}

static void
the_older_name_of_the_replicas(void **state)
{
	struct world *w = *state;

	assert_int_equal(load(w, "access_points: [old]\n" STORAGE(RAM)), 0);
	assert_int_equal(w->cfg->ms_replicas_count, 1);
	assert_string_equal(w->cfg->ms_replicas[0], "old");
	assert_int_equal(load(w, "access_points: [old]\nmgmt_svc_replicas: [new]\n" STORAGE(RAM)),
			 0);
	assert_string_equal(w->cfg->ms_replicas[0], "new");
}

static void
keys_of_hardware_we_do_without_are_accepted(void **state)
{
	struct world *w = *state;

	if (load(w, "nr_hugepages: 4096\ndisable_hugepages: true\nhyperthreads: "
		    "true\ndisable_vfio: false\ndisable_vmd: true\n"
		    "bdev_exclude: ['0000:81:00.1']\ntelemetry_port: 9191\nsystem_ram_reserved: "
		    "5\nfabric_auth_key: a:b\n"
		    "core_dump_filter: 19\nhelper_log_file: /x\nfault_cb: ./f\nsupport_config: {a: "
		    "b}\n" ENGINE("bypass_health_chk: true, storage: [{class: ram, scm_mount: /e0, "
				  "scm_hugepages_disabled: true, scm_list: [/dev/pmem0]}, "
				  "{class: file, bdev_list: [/f], bdev_size: 4, bdev_busid_range: "
				  "'0x80-0x8f', spdk_iobuf: {small_pool_count: 1}}]")) != 0)
		fail_msg("%s", w->errors);
}

static void
several_engines(void **state)
{
	struct world *w = *state;

	assert_int_equal(load(w, "engines:\n"
				 "- {targets: 1, fabric_iface: lo, fabric_iface_port: 1000, "
				 "storage: [{class: ram, scm_mount: /a}]}\n"
				 "- {targets: 1, fabric_iface: lo, fabric_iface_port: 2000, "
				 "storage: [{class: ram, scm_mount: /b}]}\n"),
			 0);
	assert_int_equal(w->cfg->engines_count, 2);
}

#define FABRIC(providers, ifaces, ports, more)                                                     \
	"provider: " providers "\nengines:\n- targets: 2\n  fabric_iface: " ifaces                   \
	"\n  fabric_iface_port: " ports "\n  storage: [" RAM "]\n" more

static void
one_provider(void **state)
{
	const struct server_engine_config *e;
	struct world			  *w = *state;

	assert_int_equal(load(w, FABRIC("ofi+tcp;ofi_rxm", "lo", "31416", "")), 0);
	e = &w->cfg->engines[0];
	assert_string_equal(e->fabric_iface, "lo");
	assert_string_equal(e->fabric_iface_port, "31416");
	assert_int_equal(e->fabric.nr, 1);
	assert_string_equal(e->fabric.of[0].name, "ofi+tcp;ofi_rxm");
	assert_string_equal(e->fabric.of[0].iface, "lo");
	assert_int_equal(e->fabric.of[0].port, 31416);
	assert_int_equal(load(w, FABRIC("ofi+tcp", "lo", "'65279'", "")), 0);
	assert_int_equal(w->cfg->engines[0].fabric.of[0].port, 65279);
}

static void
several_providers(void **state)
{
	const struct server_engine_config *e;
	struct world			  *w = *state;

	if (load(w, FABRIC("ofi+verbs,ofi+tcp", "ib0,eth0", "31416,31416",
			   "  secondary_provider_endpoints: [2]\n"
			   "secondary_provider_endpoints: [1]\n")) != 0)
		fail_msg("%s", w->errors);
	e = &w->cfg->engines[0];
	assert_string_equal(w->cfg->provider, "ofi+verbs,ofi+tcp"); /* as the engine gets it */
	assert_string_equal(e->fabric_iface, "ib0,eth0");
	assert_string_equal(e->fabric_iface_port, "31416,31416");
	assert_int_equal(e->fabric.nr, 2);
	assert_string_equal(e->fabric.of[0].name, "ofi+verbs");
	assert_string_equal(e->fabric.of[1].name, "ofi+tcp");
	assert_string_equal(e->fabric.of[0].iface, "ib0");
	assert_string_equal(e->fabric.of[1].iface, "eth0");
	assert_int_equal(e->fabric.of[1].port, 31416);
	/* two targets, two streams for the system: four ports */
	assert_int_equal(load(w, FABRIC("a,b,c,d", "lo,lo,eth0,lo", "1000,1004,1000,996", "")), 0);
	assert_int_equal(w->cfg->engines[0].fabric.nr, 4);
	assert_string_equal(w->cfg->engines[0].fabric.of[3].name, "d");
	assert_int_equal(w->cfg->engines[0].fabric.of[3].port, 996);
}

/** What the command line changes after loading is checked like the file. */
static void
checked_again(void **state)
{
	struct world *w = *state;

	assert_int_equal(load(w, FABRIC("a,b", "lo,lo", "1000,1004", "")), 0);
	assert_int_equal(server_config_check(w->cfg, w->errors, sizeof(w->errors)), 0);
	w->cfg->engines[0].nr_xs_helpers = 1;
	assert_int_equal(server_config_check(w->cfg, w->errors, sizeof(w->errors)), -DER_INVAL);
	assert_non_null(strstr(w->errors, "overlap on lo: the engine uses 5 ports"));
}

static void
refused(void **state)
{
	const struct {
		const char *text, *says;
	} cases[] = {
	    {"name: a\n", "engines: none is configured"},
	    {"engines: []\n", "engines: none is configured"},
	    {"port: 65536\n" STORAGE(RAM), "port 65536 is out of range"},
	    {"mgmt_svc_replicas: [a, b, c]\n" STORAGE(RAM), "mgmt_svc_replicas: 3 are given"},
	    {"access_points: [a, b]\n" STORAGE(RAM), "mgmt_svc_replicas: 2 are given"},
	    {"engines: [{fabric_iface: lo, fabric_iface_port: 31416, storage: [" RAM "]}]\n",
	     "targets is 0"},
	    {"engines: [{targets: 129, fabric_iface: lo, fabric_iface_port: 31416, storage: [" RAM
	     "]}]\n",
	     "targets is 129"},
	    {"engines: [{targets: 1, fabric_iface_port: 31416, storage: [" RAM "]}]\n",
	     "fabric_iface is missing"},
	    {"engines: [{targets: 1, fabric_iface: lo, storage: [" RAM "]}]\n",
	     "fabric_iface_port is missing"},
	    {"engines: [{targets: 1, fabric_iface: lo, fabric_iface_port: 65500, storage: [" RAM
	     "]}]\n",
	     "out of range"},
	    {FABRIC("a", "lo", "65280", ""), "engines[0]: fabric_iface_port: '65280' is out of range"},
	    {FABRIC("a", "lo", "0", ""), "'0' is out of range"},
	    {FABRIC("a", "lo", "-1", ""), "'-1' is out of range"},
	    {FABRIC("a", "lo", "0x7000", ""), "'0x7000' is out of range"},
	    {FABRIC("a", "lo", "4294998712", ""), "'4294998712' is out of range"},
	    {FABRIC("a", "lo", "first", ""), "'first' is out of range"},
	    {FABRIC("a", "lo", "[1000, 1100]", ""), "fabric_iface_port"},
	    {FABRIC("a", "lo", "''", ""), "fabric_iface_port is missing"},
	    {FABRIC("a,b", "lo,lo", "1000,70000", ""), "'70000' is out of range"},
	    {FABRIC("a,b", "lo", "1000,1100", ""), "engines[0]: fabric_iface has 1 item, provider has 2"},
	    {FABRIC("a,b", "lo,lo", "1000", ""), "fabric_iface_port has 1 item, provider has 2"},
	    {FABRIC("a", "lo,eth0", "1000,1100", ""), "fabric_iface has 2 items, provider has 1"},
	    {FABRIC("a", "lo", "1000,1100", ""), "fabric_iface_port has 2 items, provider has 1"},
	    {FABRIC("a,b,c,d,e", "lo,lo,lo,lo,lo", "1000,1100,1200,1300,1400", ""),
	     "provider: 'a,b,c,d,e' has more than 4 items"},
	    {FABRIC("'a,'", "lo,lo", "1000,1100", ""), "provider: item 2 of 'a,' is empty"},
	    {FABRIC("a,b", "',lo'", "1000,1100", ""), "fabric_iface: item 1 of ',lo' is empty"},
	    {FABRIC("a,b", "lo,lo", "'1000,,1100'", ""), "fabric_iface_port: item 2 of '1000,,1100' is empty"},
	    {FABRIC("'a, b'", "lo,lo", "1000,1100", ""), "provider: 'a, b' has white space"},
	    {FABRIC("a", "a234567890123456789012345678901234567890123456789012345678901234", "1000", ""),
	     "is longer than 63 characters"},
	    {FABRIC("a,b", "lo,lo", "1000,1003", ""),
	     "fabric_iface_port: 1000 of a and 1003 of b overlap on lo: the engine uses 4 ports"},
	    {FABRIC("a,b", "lo,lo", "1003,1000", ""), "overlap on lo"},
	    {FABRIC("a,b,c", "lo,eth0,lo", "1000,1000,1000", ""), "1000 of a and 1000 of c overlap on lo"},
	    {FABRIC("a", "lo", "1000", "  secondary_provider_endpoints: [1]\n"),
	     "engines[0]: secondary_provider_endpoints has 1 value, wanted one for each secondary provider: 0"},
	    {FABRIC("a,b", "lo,lo", "1000,1100", "  secondary_provider_endpoints: [1, 1]\n"),
	     "has 2 values, wanted one for each secondary provider: 1"},
	    {FABRIC("a,b", "lo,lo", "1000,1100", "secondary_provider_endpoints: [1, 1]\n"),
	     "secondary_provider_endpoints has 2 values"},
	    {FABRIC("a,b,c", "lo,lo,lo", "1000,1100,1200", "  secondary_provider_endpoints: [1, 0]\n"),
	     "secondary_provider_endpoints: value 2 is 0"},
	    {FABRIC("a,b", "lo,lo", "1000,1100", "  secondary_provider_endpoints: [-1]\n"),
	     "secondary_provider_endpoints"},
	    {FABRIC("a,b", "lo,lo", "1000,1100", "  secondary_provider_endpoints: 1\n"),
	     "secondary_provider_endpoints"},
	    {"engines: [{targets: 1, fabric_iface: lo, fabric_iface_port: 31416}]\n",
	     "no tier of class ram"},
	    {STORAGE(FILE1), "no tier of class ram"},
	    {STORAGE(RAM ", {bdev_list: [/f]}"), "storage[1]: class is missing"},
	    {STORAGE("{class: ram}"), "storage[0]: scm_mount is missing"},
	    {STORAGE("{class: ram, scm_mount: /e, scm_size: big}"), "scm_size 'big' is no size"},
	    {STORAGE("{class: ram, scm_mount: /e, scm_size: 99999999999}"),
	     "scm_size '99999999999' is no size"},
	    {STORAGE(RAM ", {class: nvme, bdev_list: ['0000:81:00.0']}"), "use kdev"},
	    {STORAGE(RAM ", {class: dcpm, scm_mount: /p}"), "class dcpm needs drivers"},
	    {STORAGE(RAM ", {class: floppy, bdev_list: [/dev/fd0]}"), "class 'floppy' is unknown"},
	    {STORAGE(RAM ", {class: file, bdev_size: 4}"),
	     "bdev_list is empty: give the file's path"},
	    {STORAGE(RAM ", {class: kdev}"), "bdev_list is empty: give the block device"},
	    {STORAGE(RAM ", {class: file, bdev_list: [/f]}"), "bdev_size is missing"},
	    {STORAGE(RAM ", {class: file, bdev_list: [/f], bdev_size: x}"),
	     "bdev_size is missing, no size"},
	    {STORAGE(RAM ", {class: file, bdev_list: [/f], bdev_size: 255MiB}"), "below 256MiB"},
	    {STORAGE(RAM ", {class: kdev, bdev_list: [/d], bdev_roles: [wal, meat, data]}"),
	     "bdev_roles are wal, meta and data"},
	    {STORAGE(RAM ", {class: kdev, bdev_list: [/d], bdev_roles: [wal, meta]}"),
	     "leave out one of"},
	    {"engines:\n- {targets: 1, fabric_iface: lo, fabric_iface_port: 1000, storage: [" RAM
	     "]}\n"
	     "- {targets: 1, fabric_iface: lo, fabric_iface_port: 2000, storage: [" RAM "]}\n",
	     "engines[0] and engines[1] have the same scm_mount"},
	    {TWO("a", "lo", "1000", "lo", "1003"),
	     "engines[0] and engines[1]: fabric_iface_port 1000 and 1003 overlap on lo: they use 4 and 3 ports"},
	    {TWO("a", "lo", "1000", "lo", "998"), "engines[1]: fabric_iface_port 1000 and 998 overlap on lo"},
	    {TWO("a", "lo", "1000", "lo", "1000"), "1000 and 1000 overlap on lo"},
	    {TWO("a,b", "lo,eth0", "1000,2000", "eth0,lo", "2003,3000"), "2000 and 2003 overlap on eth0"},
	    {"engines:\n- {targets: 1, fabric_iface: lo, fabric_iface_port: 1000, storage: "
	     "[{class: ram, scm_mount: /a}]}\n"
	     "- {targets: 0, fabric_iface: lo, fabric_iface_port: 2000, storage: [" RAM "]}\n",
	     "engines[1]: targets is 0"},
	    {"prot: 1\n" STORAGE(RAM), "prot"},
	    {STORAGE("{class: ram, scm_mount: /e, color: red}"), "color"},
	    {STORAGE(RAM ", {class: kdev, bdev_list: [/d], bdev_auto_faulty: {max_io_errs: many}}"), "max_io_errs"},
	    {STORAGE(RAM ", {class: kdev, bdev_list: [/d], bdev_auto_faulty: {max_errs: 1}}"), "max_errs"},
	    {ENGINE("cores: 4, storage: [" RAM "]"), "cores"},
	    {"engines: {targets: 1}\n", "engines"},
	    {"engines: [{targets: two}]\n", "targets"},
	    {"engines: [{targets: -1}]\n", "targets"},
	    {"transport_config: {allow_insecure: 7up}\n" STORAGE(RAM), "allow_insecure"},
	};
	struct world *w = *state;
	size_t	      i;

	for (i = 0; i < ARRAY_NR(cases); i++) {
		if (load(w, cases[i].text) != -DER_INVAL)
			fail_msg("accepted: %s", cases[i].text);
		if (strstr(w->errors, cases[i].says) == NULL || strchr(w->errors, '\n') != NULL)
			fail_msg("'%s' is refused with '%s', wanted '%s'", cases[i].text, w->errors,
				 cases[i].says);
		assert_null(w->cfg);
	}
}

/** Ports of two engines that touch, and are on other interfaces. */
static void
engines_side_by_side(void **state)
{
	static const char *const texts[] = {TWO("a", "lo", "1000", "lo", "1004"), TWO("a", "lo", "1003", "lo", "1000"),
					    TWO("a", "lo", "1000", "eth0", "1000"),
					    TWO("a,b", "lo,eth0", "1000,2000", "eth0,lo", "2004,997")};
	struct world *w = *state;

	for (size_t i = 0; i < ARRAY_NR(texts); i++)
		if (load(w, texts[i]) != 0)
			fail_msg("'%s' is refused: %s", texts[i], w->errors);
}

static void
no_content_is_refused(void **state)
{
	const char *const texts[] = {"", "\n", "# nothing yet\n", "---\n", "{}\n"};
	struct world	 *w = *state;
	size_t		  i;

	for (i = 0; i < ARRAY_NR(texts); i++) {
		assert_int_equal(load(w, texts[i]), -DER_INVAL);
		assert_true(strlen(w->errors) > 5);
	}
}

static void
a_missing_file(void **state)
{
	struct world *w = *state;

	assert_int_equal(server_config_load(w->path, &w->cfg, w->errors, sizeof(w->errors)),
			 -DER_NONEXIST);
}

static void
sizes_without_a_unit_are_gib(void **state)
{
	const struct {
		const char *text;
		uint64_t    bytes;
	} good[] = {{"0", 0},
		    {"4", 4ull << 30},
		    {"16GiB", 16ull << 30},
		    {"16GB", 16000000000},
		    {"512MiB", 512ull << 20},
		    {"1.5GiB", 3ull << 29}};
	const char *const bad[] = {"", "x", "-4", "4 x", "8589934592", "0x4"};
	uint64_t	  bytes;
	size_t		  i;

	for (i = 0; i < ARRAY_NR(good); i++) {
		assert_int_equal(server_size(good[i].text, &bytes), 0);
		assert_int_equal(bytes, good[i].bytes);
	}
	for (i = 0; i < ARRAY_NR(bad); i++)
		assert_int_equal(server_size(bad[i], &bytes), -DER_INVAL);
}

/** The files that are installed as examples. */
static void
shipped_examples_are_good(void **state)
{
	const char *const names[] = {"daos_server.yml", "daos_server_local.yml"};
	struct world	 *w = *state;
	char		  path[4096];
	size_t		  i;

	for (i = 0; i < ARRAY_NR(names); i++) {
		snprintf(path, sizeof(path), "%s/utils/config/%s", SOURCE_DIR, names[i]);
		server_config_free(w->cfg);
		w->cfg = NULL;
		if (server_config_load(path, &w->cfg, w->errors, sizeof(w->errors)) != 0)
			fail_msg("%s: %s", path, w->errors);
	}
}

#define CASE(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    CASE(defaults),
	    CASE(a_whole_configuration),
	    CASE(roles_not_given_are_all),
	    CASE(the_older_name_of_the_replicas),
	    CASE(keys_of_hardware_we_do_without_are_accepted),
	    CASE(several_engines),
	    CASE(one_provider),
	    CASE(several_providers),
	    CASE(checked_again),
	    CASE(refused),
	    CASE(engines_side_by_side),
	    CASE(no_content_is_refused),
	    CASE(a_missing_file),
	    CASE(sizes_without_a_unit_are_gib),
	    CASE(shipped_examples_are_good),
	};

	return cmocka_run_group_tests_name("control/server_config", tests, NULL, NULL);
}
