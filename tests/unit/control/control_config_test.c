/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/** Configuration files in YAML: dmg's, by which the common loader is tested. */
#include <daos_errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/util.h"
#include "control/common/ctl_config.h"
#include "control_file.h"

struct world {
	struct test_dir		  dir;
	char			  path[128], errors[1024];
	struct ctl_client_config *cfg;
};

static int
setup(void **state)
{
	struct world *w = calloc(1, sizeof(*w));

	assert_non_null(w);
	test_dir_make(&w->dir);
	test_dir_file(&w->dir, "daos_control.yml", w->path, sizeof(w->path));
	*state = w;
	return 0;
}

static int
teardown(void **state)
{
	struct world *w = *state;

	ctl_client_config_free(w->cfg);
	test_dir_remove(&w->dir);
	free(w);
	return 0;
}

static int
load(struct world *w, const char *text)
{
	ctl_client_config_free(w->cfg);
	w->cfg = NULL;
	test_file_write(w->path, text, strlen(text));
	return ctl_client_config_load(w->path, &w->cfg, w->errors, sizeof(w->errors));
}

static void
everything_given(void **state)
{
	struct world *w = *state;

	assert_int_equal(load(w, "name: alpha\n"
				 "port: 20001\n"
				 "hostlist: [a, 'b:123', c]\n"
				 "transport_config:\n"
				 "  allow_insecure: true\n"
				 "  ca_cert: /x/ca.crt\n"
				 "  cert: /x/me.crt\n"
				 "  key: /x/me.key\n"),
			 0);
	assert_string_equal(w->cfg->name, "alpha");
	assert_int_equal(w->cfg->port, 20001);
	assert_int_equal(w->cfg->hostlist_count, 3);
	assert_string_equal(w->cfg->hostlist[1], "b:123");
	assert_true(w->cfg->transport_config->allow_insecure);
	assert_string_equal(w->cfg->transport_config->ca_cert, "/x/ca.crt");
	assert_string_equal(w->cfg->transport_config->cert, "/x/me.crt");
	assert_string_equal(w->cfg->transport_config->key, "/x/me.key");
	assert_string_equal(w->errors, "");
}

static void
expect_defaults(const struct ctl_client_config *cfg)
{
	assert_string_equal(cfg->name, CTL_SYS_DEFAULT);
	assert_int_equal(cfg->port, CTL_PORT_DEFAULT);
	assert_int_equal(cfg->hostlist_count, 1);
	assert_string_equal(cfg->hostlist[0], "localhost");
	assert_false(cfg->transport_config->allow_insecure);
	assert_string_equal(cfg->transport_config->ca_cert, "/etc/daos/certs/daosCA.crt");
	assert_string_equal(cfg->transport_config->cert, "/etc/daos/certs/admin.crt");
	assert_string_equal(cfg->transport_config->key, "/etc/daos/certs/admin.key");
}

static void
bools_in_words(void **state)
{
	const struct {
		const char *word;
		bool	    value;
	} cases[] = {{"true", true}, {"True", true},   {"yes", true},	 {"on", true},
		     {"1", true},    {"false", false}, {"FALSE", false}, {"no", false},
		     {"off", false}, {"0", false}};
	struct world *w = *state;
	char	      text[128];
	size_t	      i;

	for (i = 0; i < ARRAY_NR(cases); i++) {
		snprintf(text, sizeof(text), "transport_config: {allow_insecure: %s}\n",
			 cases[i].word);
		assert_int_equal(load(w, text), 0);
		assert_int_equal(w->cfg->transport_config->allow_insecure, cases[i].value);
	}
}

static void
defaults_fill_what_is_missing(void **state)
{
	const char *const texts[] = {"name: daos_server\n", "{}\n", "port: 10001\n",
				     "hostlist: []\n", "transport_config: {}\n"};
	struct world	 *w = *state;
	size_t		  i;

	for (i = 0; i < ARRAY_NR(texts); i++) {
		if (load(w, texts[i]) != 0)
			fail_msg("'%s': %s", texts[i], w->errors);
		expect_defaults(w->cfg);
	}
}

static void
a_file_without_content(void **state)
{
	const char *const texts[] = {"", "\n\n", "# only a comment\n", "---\n", "---\n...\n"};
	struct world	 *w = *state;
	size_t		  i;

	for (i = 0; i < ARRAY_NR(texts); i++) {
		assert_int_equal(load(w, texts[i]), -DER_INVAL);
		assert_true(strlen(w->errors) > 5);
		assert_null(w->cfg);
	}
}

static void
no_file_at_all(void **state)
{
	struct world *w = *state;

	assert_int_equal(setenv("HOME", w->dir.path, 1), 0);
	if (access("/etc/daos/daos_control.yml", F_OK) == 0)
		skip();
	assert_int_equal(ctl_client_config_load(NULL, &w->cfg, w->errors, sizeof(w->errors)), 0);
	expect_defaults(w->cfg);
}

static void
the_file_in_the_home_directory(void **state)
{
	struct world *w = *state;
	char	      path[128];

	test_dir_file(&w->dir, ".daos_control.yml", path, sizeof(path));
	test_file_write(path, "name: athome\n", 13);
	assert_int_equal(setenv("HOME", w->dir.path, 1), 0);
	assert_int_equal(ctl_client_config_load(NULL, &w->cfg, w->errors, sizeof(w->errors)), 0);
	assert_string_equal(w->cfg->name, "athome");
}

static void
a_file_named_must_be_there(void **state)
{
	struct world *w = *state;

	assert_int_equal(ctl_client_config_load(w->path, &w->cfg, w->errors, sizeof(w->errors)),
			 -DER_NONEXIST);
	assert_non_null(strstr(w->errors, "No such file"));
	assert_null(w->cfg);
}

static void
a_file_nobody_may_read(void **state)
{
	struct world *w = *state;

	if (geteuid() == 0)
		skip(); /* root may */
	test_file_write(w->path, "name: x\n", 8);
	assert_int_equal(chmod(w->path, 0), 0);
	assert_int_equal(ctl_client_config_load(w->path, &w->cfg, w->errors, sizeof(w->errors)),
			 -DER_NO_PERM);
}

static void
a_directory_is_no_file(void **state)
{
	struct world *w = *state;

	assert_int_equal(ctl_client_config_load(w->dir.path, &w->cfg, w->errors, sizeof(w->errors)),
			 -DER_INVAL);
	assert_true(strlen(w->errors) > 5);
	assert_null(w->cfg);
}

static void
what_is_wrong_is_refused_with_words(void **state)
{
	const struct {
		const char *text, *says;
	} cases[] = {
	    {"nmae: alpha\n", "nmae"},		   /* unknown key */
	    {"transport_config: {ca: x}\n", "ca"}, /* unknown key below */
	    {"port: many\n", "port"},		   /* wrong types */
	    {"port: -1\n", "port"},
	    {"port: [1]\n", "port"},
	    {"hostlist: a\n", "hostlist"},
	    {"hostlist: {a: b}\n", "hostlist"},
	    {"hostlist: ['']\n", "hostlist"},
	    {"transport_config: yes\n", "transport_config"},
	    {"transport_config: {allow_insecure: perhaps}\n", "allow_insecure"},
	    {"transport_config: {allow_insecure: flase}\n", "allow_insecure"},
	    {"transport_config: {allow_insecure: }\n", "allow_insecure"},
	    {"name: a-name-of-more-than-fifteen\n", "name"},
	    {"name: ''\n", "name"},
	    {"port: 65536\n", "port 65536 is out of range"},
	    {"port: 99999999999999999999\n", "port"},
	    {"name: [unclosed\n", ""},
	    {"name: 'unclosed\n", ""},
	    {"name: a\n\tport: 1\n", ""},
	    {"- name\n", ""},
	    {"just text\n", ""},
	    {"name: \xff\xfe\n", ""},
	    {"a: &x [*x]\n", ""},
	};
	struct world *w = *state;
	size_t	      i;

	for (i = 0; i < ARRAY_NR(cases); i++) {
		if (load(w, cases[i].text) != -DER_INVAL)
			fail_msg("'%s' is accepted", cases[i].text);
		if (strlen(w->errors) < 5 || strstr(w->errors, cases[i].says) == NULL ||
		    strchr(w->errors, '\n') != NULL)
			fail_msg("'%s' is refused with '%s'", cases[i].text, w->errors);
		assert_null(w->cfg);
	}
}

static void
the_line_is_named(void **state)
{
	struct world *w = *state;

	assert_int_equal(load(w, "name: a\n\n\nport: many\n"), -DER_INVAL);
	assert_non_null(strstr(w->errors, "line: 4"));
}

static void
messages_fit_a_small_buffer(void **state)
{
	struct world *w = *state;
	char	      small[8];

	test_file_write(w->path, "bogus: 1\n", 9);
	assert_int_equal(ctl_client_config_load(w->path, &w->cfg, small, sizeof(small)),
			 -DER_INVAL);
	assert_true(strlen(small) < sizeof(small));
}

#define CASE(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    CASE(everything_given),
	    CASE(bools_in_words),
	    CASE(defaults_fill_what_is_missing),
	    CASE(a_file_without_content),
	    CASE(no_file_at_all),
	    CASE(the_file_in_the_home_directory),
	    CASE(a_file_named_must_be_there),
	    CASE(a_file_nobody_may_read),
	    CASE(a_directory_is_no_file),
	    CASE(what_is_wrong_is_refused_with_words),
	    CASE(the_line_is_named),
	    CASE(messages_fit_a_small_buffer),
	};

	return cmocka_run_group_tests_name("control/config", tests, NULL, NULL);
}
