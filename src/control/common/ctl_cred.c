/* SPDX-License-Identifier: BSD-2-Clause-Patent */
#include "control/common/ctl_cred.h"

#include <daos_errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "platform/platform.h"
#include "security/sec_sign.h"

/* ---- making ---- */

static char *
principal(const char *name, unsigned id)
{
	char *text;

	if (name != NULL ? asprintf(&text, "%s@", name) < 0 : asprintf(&text, "%u@", id) < 0)
		return NULL;
	return text;
}

/** Names of the user, its group and groups, as the host knows them. Freed with free_sys(). */
static int
fill_sys(uid_t uid, gid_t gid, const char *host, Auth__Sys *sys)
{
	struct passwd *pw = getpwuid(uid);
	struct group  *gr = getgrgid(gid);
	gid_t          gids[256];
	int            nr = ARRAY_NR(gids), i;

	auth__sys__init(sys);
	sys->stamp = plat_realtime_ns() / NSEC_PER_SEC;
	sys->machinename = (char *)host;
	sys->user = principal(pw ? pw->pw_name : NULL, uid);
	sys->group = principal(gr ? gr->gr_name : NULL, gid);
	sys->secctx = (char *)"";
	if (pw == NULL || getgrouplist(pw->pw_name, gid, gids, &nr) < 0)
		nr = 0;
	sys->groups = calloc((size_t)nr + 1, sizeof(char *));
	if (sys->user == NULL || sys->group == NULL || sys->groups == NULL)
		return -DER_NOMEM;
	for (i = 0; i < nr; i++) {
		gr = getgrgid(gids[i]);
		sys->groups[sys->n_groups] = principal(gr ? gr->gr_name : NULL, gids[i]);
		if (sys->groups[sys->n_groups] == NULL)
			return -DER_NOMEM;
		sys->n_groups++;
	}
	return 0;
}

static void
free_sys(Auth__Sys *sys)
{
	size_t i;

	for (i = 0; i < sys->n_groups; i++)
		free(sys->groups[i]);
	free(sys->groups);
	free(sys->user);
	free(sys->group);
}

static int
sign_token(const char *key_pem, const Auth__Token *token, Auth__Token *verifier)
{
	size_t   bytes = auth__token__get_packed_size(token), sig_bytes;
	uint8_t *packed;
	void    *sig;
	int      rc;

	if (key_pem == NULL)
		return 0;
	packed = malloc(bytes);
	if (packed == NULL)
		return -DER_NOMEM;
	auth__token__pack(token, packed);
	rc = sec_sign(key_pem, strlen(key_pem), packed, bytes, &sig, &sig_bytes);
	free(packed);
	if (rc != 0)
		return rc;
	verifier->flavor = AUTH__FLAVOR__AUTH_SYS;
	verifier->data.data = sig;
	verifier->data.len = sig_bytes;
	return 0;
}

/** @token's data and @verifier's are on the heap. */
static int
pack_signed(Auth__Token *token, Auth__Token *verifier, const struct ctl_cred_maker *maker, d_iov_t *ret_cred)
{
	Auth__Credential cred = AUTH__CREDENTIAL__INIT;
	size_t           bytes;
	void            *buf;
	int              rc = sign_token(maker->key_pem, token, verifier);

	if (rc != 0)
		return rc;
	cred.token = token;
	cred.verifier = verifier;
	cred.origin = (char *)maker->origin;
	if (maker->cert_pem != NULL) {
		cred.cert_pem.data = (uint8_t *)maker->cert_pem;
		cred.cert_pem.len = strlen(maker->cert_pem);
	}
	bytes = auth__credential__get_packed_size(&cred);
	buf = malloc(bytes);
	if (buf == NULL)
		return -DER_NOMEM;
	d_iov_set(ret_cred, buf, auth__credential__pack(&cred, buf));
	return 0;
}

int
ctl_cred_make(uid_t uid, gid_t gid, const struct ctl_cred_maker *maker, d_iov_t *ret_cred)
{
	Auth__Token token = AUTH__TOKEN__INIT, verifier = AUTH__TOKEN__INIT;
	Auth__Sys   sys;
	int         rc = fill_sys(uid, gid, maker->host, &sys);

	if (rc == 0) {
		token.flavor = AUTH__FLAVOR__AUTH_SYS;
		token.data.len = auth__sys__get_packed_size(&sys);
		token.data.data = malloc(token.data.len);
		rc = token.data.data == NULL ? -DER_NOMEM : 0;
	}
	if (rc == 0) {
		auth__sys__pack(&sys, token.data.data);
		rc = pack_signed(&token, &verifier, maker, ret_cred);
	}
	free(token.data.data);
	free(verifier.data.data);
	free_sys(&sys);
	return rc;
}

void
ctl_cred_reply(struct drpc_request *req, uid_t uid, gid_t gid, const struct ctl_cred_maker *maker)
{
	Auth__GetCredResp resp = AUTH__GET_CRED_RESP__INIT;
	Auth__Credential *cred = NULL;
	d_iov_t           packed = {0};

	resp.status = ctl_cred_make(uid, gid, maker, &packed);
	if (resp.status == 0) {
		cred = auth__credential__unpack(NULL, packed.iov_len, packed.iov_buf);
		resp.status = cred == NULL ? -DER_NOMEM : 0;
	}
	resp.cred = cred;
	drpc_reply_msg(req, &resp.base);
	if (cred != NULL)
		auth__credential__free_unpacked(cred, NULL);
	free(packed.iov_buf);
}

/* ---- checking ---- */

static int
token_is_of(const Auth__Token *token, uid_t uid)
{
	struct passwd *pw = getpwuid(uid);
	char          *user = principal(pw != NULL ? pw->pw_name : NULL, uid);
	Auth__Sys     *sys = auth__sys__unpack(NULL, token->data.len, token->data.data);
	int            rc = user == NULL ? -DER_NOMEM : sys == NULL ? -DER_INVAL : 0;

	if (rc == 0 && strcmp(sys->user, user) != 0)
		rc = -DER_NO_PERM;
	if (sys != NULL)
		auth__sys__free_unpacked(sys, NULL);
	free(user);
	return rc;
}

static int
signed_by(const Auth__Credential *cred, const char *ca_pem, const char *cn, const void *packed, size_t bytes)
{
	return sec_verify((const char *)cred->cert_pem.data, cred->cert_pem.len, ca_pem, strlen(ca_pem), cn, packed, bytes,
			  cred->verifier->data.data, cred->verifier->data.len);
}

int
ctl_cred_check(const Auth__Credential *cred, const char *ca_pem, uid_t server_uid)
{
	size_t   bytes;
	uint8_t *packed;
	int      rc;

	if (cred->token == NULL)
		return -DER_INVAL;
	if (cred->verifier == NULL || cred->verifier->data.len == 0)
		return -DER_NO_CERT;
	bytes = auth__token__get_packed_size(cred->token);
	packed = malloc(bytes + 1);
	if (packed == NULL)
		return -DER_NOMEM;
	auth__token__pack(cred->token, packed);
	rc = signed_by(cred, ca_pem, "agent", packed, bytes);
	if (rc == -DER_BAD_CERT) {
		rc = signed_by(cred, ca_pem, "server", packed, bytes);
		if (rc == 0)
			rc = token_is_of(cred->token, server_uid);
	}
	free(packed);
	return rc;
}
