/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/** Whose signature is good for whom, with certificates as daos_server makes them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <daos_errno.h>
#include <stdio.h>
#include <unistd.h>
#include "control/common/ctl_cred.h"
#include "control/server/server_cert.h"

#define OTHER_UID 54321u

static struct {
	char dir[64];
	char ca[8192], agent_key[8192], agent_crt[8192], server_key[8192], server_crt[8192], admin_key[8192], admin_crt[8192];
} T;

static void
read_pem(const char *name, char *buf, size_t bytes)
{
	char   path[128];
	FILE  *f;
	size_t nr;

	snprintf(path, sizeof(path), "%s/%s", T.dir, name);
	f = fopen(path, "r");
	assert_non_null(f);
	nr = fread(buf, 1, bytes - 1, f);
	buf[nr] = '\0';
	fclose(f);
	unlink(path);
}

static int
setup(void **state)
{
	char error[512];

	snprintf(T.dir, sizeof(T.dir), "/tmp/control_cred_XXXXXX");
	assert_non_null(mkdtemp(T.dir));
	assert_int_equal(server_certs_generate(T.dir, "test", false, error, sizeof(error)), 0);
	read_pem("daosCA.crt", T.ca, sizeof(T.ca));
	read_pem("agent.key", T.agent_key, sizeof(T.agent_key));
	read_pem("agent.crt", T.agent_crt, sizeof(T.agent_crt));
	read_pem("server.key", T.server_key, sizeof(T.server_key));
	read_pem("server.crt", T.server_crt, sizeof(T.server_crt));
	read_pem("admin.key", T.admin_key, sizeof(T.admin_key));
	read_pem("admin.crt", T.admin_crt, sizeof(T.admin_crt));
	return 0;
}

static int
teardown(void **state)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/daosCA.key", T.dir);
	unlink(path);
	return rmdir(T.dir);
}

static Auth__Credential *
make(uid_t uid, const char *key, const char *crt)
{
	struct ctl_cred_maker maker = {.host = "here", .origin = "test", .key_pem = key, .cert_pem = crt};
	Auth__Credential     *cred;
	d_iov_t               packed;

	assert_int_equal(ctl_cred_make(uid, 0, &maker, &packed), 0);
	cred = auth__credential__unpack(NULL, packed.iov_len, packed.iov_buf);
	assert_non_null(cred);
	free(packed.iov_buf);
	return cred;
}

static int
made_is_checked(uid_t uid, const char *key, const char *crt)
{
	Auth__Credential *cred = make(uid, key, crt);
	int               rc = ctl_cred_check(cred, T.ca, geteuid());

	auth__credential__free_unpacked(cred, NULL);
	return rc;
}

static void
agent_vouches_for_anybody(void **state)
{
	assert_int_equal(made_is_checked(geteuid(), T.agent_key, T.agent_crt), 0);
	assert_int_equal(made_is_checked(OTHER_UID, T.agent_key, T.agent_crt), 0);
}

static void
server_vouches_for_its_own_user(void **state)
{
	assert_int_equal(made_is_checked(geteuid(), T.server_key, T.server_crt), 0);
	assert_int_equal(made_is_checked(OTHER_UID, T.server_key, T.server_crt), -DER_NO_PERM);
}

static void
nobody_else_does(void **state)
{
	assert_int_equal(made_is_checked(geteuid(), NULL, NULL), -DER_NO_CERT);
	assert_int_equal(made_is_checked(geteuid(), T.admin_key, T.admin_crt), -DER_BAD_CERT);
	/* another's certificate beside the signature */
	assert_int_equal(made_is_checked(OTHER_UID, T.admin_key, T.agent_crt), -DER_NO_PERM);
	assert_int_equal(made_is_checked(geteuid(), T.admin_key, T.server_crt), -DER_NO_PERM);
}

static void
changed_token_is_refused(void **state)
{
	Auth__Credential *cred = make(geteuid(), T.server_key, T.server_crt);

	cred->token->data.data[cred->token->data.len - 1] ^= 1;
	assert_int_equal(ctl_cred_check(cred, T.ca, geteuid()), -DER_NO_PERM);
	auth__credential__free_unpacked(cred, NULL);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(agent_vouches_for_anybody),
	    cmocka_unit_test(server_vouches_for_its_own_user),
	    cmocka_unit_test(nobody_else_does),
	    cmocka_unit_test(changed_token_is_refused),
	};

	return cmocka_run_group_tests_name("credentials", tests, setup, teardown);
}
