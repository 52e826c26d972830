/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/** Choosing a provider: what this machine lacks, or nobody knows, is refused with a message that helps. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>
#include <rdma/fabric.h>
#include <daos_errno.h>
#include "base/log.h"
#include "na/na.h"

static char log_path[64];

/** What the log says since it was asked last. */
static const char *
said(void)
{
	static char buf[16384];
	static long at;
	FILE       *f = fopen(log_path, "r");
	size_t      n;

	assert_non_null(f);
	assert_int_equal(fseek(f, at, SEEK_SET), 0);
	n      = fread(buf, 1, sizeof(buf) - 1, f);
	buf[n] = '\0';
	at     = ftell(f);
	fclose(f);
	return buf;
}

static int
open_close(const char *provider, const char *interface)
{
	struct na_attr attr = {.provider = provider, .interface = interface};
	struct na     *na;
	int            rc = na_open(&attr, &na);

	if (rc == 0)
		na_close(na);
	return rc;
}

static void
unknown_class(void **state)
{
	assert_int_equal(open_close("mpi", NULL), -DER_INVAL);
	assert_non_null(strstr(said(), "provider 'mpi' is not known; use ofi+tcp"));
	assert_int_equal(open_close(NULL, NULL), -DER_INVAL);
}

static void
unknown_provider(void **state)
{
	const char *text;

	assert_int_equal(open_close("ofi+nonsense", NULL), -DER_NONEXIST);
	text = said();
	assert_non_null(strstr(text, "provider 'ofi+nonsense' is not there"));
	assert_non_null(strstr(text, "`fi_info -p 'nonsense'`"));
}

static bool
machine_has(const char *prov)
{
	struct fi_info *hints = fi_allocinfo(), *info = NULL;
	int             rc;

	hints->fabric_attr->prov_name = strdup(prov);
	rc = fi_getinfo(FI_VERSION(1, 15), NULL, NULL, 0, hints, &info);
	fi_freeinfo(hints);
	if (rc == 0)
		fi_freeinfo(info);
	return rc == 0;
}

/** The code path is that of tcp; without the hardware it ends with the name and what to look at. */
static void
verbs_without_hardware(void **state)
{
	const char *names[] = {"ofi+verbs;ofi_rxm", "ofi+verbs"};

	if (machine_has("verbs;ofi_rxm"))
		skip();
	for (size_t i = 0; i < ARRAY_NR(names); i++) {
		const char *text;

		assert_int_equal(open_close(names[i], "lo"), -DER_NONEXIST);
		text = said();
		assert_non_null(strstr(text, names[i]));
		assert_non_null(strstr(text, "is not there on interface 'lo'"));
		assert_non_null(strstr(text, "`fi_info -p 'verbs;ofi_rxm'`"));
	}
}

static void
no_such_interface(void **state)
{
	assert_int_equal(open_close("ofi+tcp", "nosuch0"), -DER_NONEXIST);
	assert_non_null(strstr(said(), "interface 'nosuch0' does not exist"));
}

static void
names_of_tcp(void **state)
{
	struct na_attr attr = {.provider = "ofi+tcp", .interface = "lo"};
	struct na     *na;

	assert_int_equal(na_open(&attr, &na), 0);
	assert_string_equal(na_provider(na), "ofi+tcp;ofi_rxm");
	na_close(na);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(unknown_class),          cmocka_unit_test(unknown_provider),
		cmocka_unit_test(verbs_without_hardware), cmocka_unit_test(no_such_interface),
		cmocka_unit_test(names_of_tcp),
	};
	int rc;

	snprintf(log_path, sizeof(log_path), "/tmp/na_provider.XXXXXX");
	close(mkstemp(log_path));
	setenv("D_LOG_FILE", log_path, 1);
	setenv("D_LOG_MASK", "ERR", 1);
	rc = d_log_init();
	if (rc == 0)
		rc = cmocka_run_group_tests_name("na_provider", tests, NULL, NULL);
	unlink(log_path);
	return rc;
}
