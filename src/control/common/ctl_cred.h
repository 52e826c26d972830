/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/**
 * Credentials: made by who can tell who a process is (the agent for clients of its host, daos_server for its engines),
 * checked by the daos_server of the engine that was shown one.
 */
#pragma once

#include <gurt/types.h>
#include <sys/types.h>
#include "drpc/auth.pb-c.h"
#include "drpc/drpc.h"

struct ctl_cred_maker {
	const char *host, *origin;       /**< "agent", "server" */
	const char *key_pem, *cert_pem;  /**< NULL: it is not signed */
};
/** @ret_cred: packed Auth.Credential of that user with all groups, free(). Errors: NOMEM | NO_CERT */
int  ctl_cred_make(uid_t uid, gid_t gid, const struct ctl_cred_maker *maker, d_iov_t *ret_cred) MUST_CHECK;
/** Answer a request with a GetCredResp that has one, or with what went wrong. */
void ctl_cred_reply(struct drpc_request *req, uid_t uid, gid_t gid, const struct ctl_cred_maker *maker);
/**
 * An agent's certificate vouches for anybody, a server's for the user that servers run as: so an engine can be a client, and
 * a server's key is of no more use than that.
 * @param server_uid  who this server runs as
 * Errors: NO_CERT not signed | BAD_CERT | NO_PERM the signature is another's, or a server's for another user | NOMEM | INVAL
 */
int  ctl_cred_check(const Auth__Credential *cred, const char *ca_pem, uid_t server_uid) MUST_CHECK;
