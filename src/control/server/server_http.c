/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/** HTTPS: one thread a connection (libmicrohttpd), client certificates checked by GnuTLS against our CA. */
#include <daos_errno.h>
#include <errno.h>
#include <gnutls/gnutls.h>
#include <gnutls/x509.h>
#include <arpa/inet.h>
#include <ifaddrs.h>
#include <microhttpd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "control/server/server.h"

#define BODY_MAX (16u << 20)

struct request {
	char  *data;
	size_t len;
	bool   too_large;
};

static enum MHD_Result
reply_json(struct MHD_Connection *conn, unsigned status, json_t *doc)
{
	char                *text = json_dumps(doc, JSON_COMPACT);
	struct MHD_Response *resp;
	enum MHD_Result      rc;

	json_decref(doc);
	if (text == NULL)
		return MHD_NO;
	resp = MHD_create_response_from_buffer(strlen(text), text, MHD_RESPMEM_MUST_FREE);
	if (resp == NULL) {
		free(text);
		return MHD_NO;
	}
	MHD_add_response_header(resp, "Content-Type", "application/json");
	rc = MHD_queue_response(conn, status, resp);
	MHD_destroy_response(resp);
	return rc;
}

static enum MHD_Result
reply_error(struct MHD_Connection *conn, unsigned http, int status, const char *text)
{
	return reply_json(conn, http, json_pack("{s:i, s:n, s:s}", "status", status, "response", "error", text));
}

/** Verify the peer's certificate and read who it is from its common name. 0: nobody we know. */
static unsigned
caller_of(struct server *srv, struct MHD_Connection *conn, char *cn, size_t cn_bytes)
{
	const union MHD_ConnectionInfo *info;
	gnutls_session_t                session;
	const gnutls_datum_t           *certs;
	gnutls_x509_crt_t               cert;
	unsigned                        nr = 0, bad = 1, caller = 0;

	snprintf(cn, cn_bytes, "nobody");
	if (srv->cfg->transport_config.allow_insecure)
		return CALLER_ADMIN | CALLER_AGENT | CALLER_SERVER;
	info = MHD_get_connection_info(conn, MHD_CONNECTION_INFO_GNUTLS_SESSION);
	if (info == NULL)
		return 0;
	session = (gnutls_session_t)info->tls_session;
	certs = gnutls_certificate_get_peers(session, &nr);
	if (certs == NULL || nr == 0 || gnutls_certificate_verify_peers2(session, &bad) != 0 || bad != 0)
		return 0;
	if (gnutls_x509_crt_init(&cert) != 0)
		return 0;
	if (gnutls_x509_crt_import(cert, &certs[0], GNUTLS_X509_FMT_DER) == 0 &&
	    gnutls_x509_crt_get_dn_by_oid(cert, GNUTLS_OID_X520_COMMON_NAME, 0, 0, cn, &cn_bytes) == 0) {
		if (strcmp(cn, "server") == 0)
			caller = CALLER_SERVER;
		else if (strcmp(cn, "agent") == 0)
			caller = CALLER_AGENT;
		else if (strcmp(cn, "admin") == 0 || strncmp(cn, "admin.", 6) == 0)
			caller = CALLER_ADMIN;
	}
	gnutls_x509_crt_deinit(cert);
	return caller;
}

static enum MHD_Result
run(struct server *srv, struct MHD_Connection *conn, const char *url, struct request *r)
{
	struct answer a = {0};
	json_error_t  jerr;
	json_t       *req, *resp;
	char          cn[128], text[512];
	unsigned      callers = caller_of(srv, conn, cn, sizeof(cn));
	int           rc = -DER_NO_PERM;

	if (r->too_large)
		return reply_error(conn, MHD_HTTP_CONTENT_TOO_LARGE, -DER_REC2BIG, "the request is larger than 16 MiB");
	req = json_loadb(r->data ? r->data : "{}", r->data ? r->len : 2, 0, &jerr);
	if (!json_is_object(req)) {
		json_decref(req);
		return reply_error(conn, MHD_HTTP_BAD_REQUEST, -DER_INVAL, "the request's body is no JSON object");
	}
	if (callers != 0)
		rc = server_method_run(srv, url + 4, callers, req, &a);
	json_decref(req);
	if (rc == -DER_NONEXIST)
		return reply_error(conn, MHD_HTTP_NOT_FOUND, -DER_NONEXIST, "no such method");
	if (rc == -DER_NO_PERM) {
		snprintf(text, sizeof(text), "a certificate for '%s' may not call %s", cn, url + 4);
		return reply_error(conn, MHD_HTTP_FORBIDDEN, -DER_NO_PERM, text);
	}
	resp = json_pack("{s:i, s:o, s:o}", "status", a.status, "response", a.response ? a.response : json_null(), "error",
			 a.status ? json_string(a.error) : json_null());
	return reply_json(conn, MHD_HTTP_OK, resp);
}

static enum MHD_Result
handle(void *cls, struct MHD_Connection *conn, const char *url, const char *method, const char *version, const char *data,
       size_t *data_bytes, void **con_cls)
{
	struct request *r = *con_cls;

	if (r == NULL) {
		r = calloc(1, sizeof(*r));
		*con_cls = r;
		return r ? MHD_YES : MHD_NO;
	}
	if (*data_bytes > 0) {
		char *bigger = r->len + *data_bytes > BODY_MAX ? NULL : realloc(r->data, r->len + *data_bytes);

		if (bigger == NULL) {
			r->too_large = true;
		} else {
			memcpy(bigger + r->len, data, *data_bytes);
			r->data = bigger;
			r->len += *data_bytes;
		}
		*data_bytes = 0;
		return MHD_YES;
	}
	if (strcmp(method, "POST") != 0)
		return reply_error(conn, MHD_HTTP_METHOD_NOT_ALLOWED, -DER_INVAL, "methods are called with POST /v1/<method>");
	if (strncmp(url, "/v1/", 4) != 0)
		return reply_error(conn, MHD_HTTP_NOT_FOUND, -DER_NONEXIST, "methods are at /v1/<method>");
	return run(cls, conn, url, r);
}

static void
completed(void *cls, struct MHD_Connection *conn, void **con_cls, enum MHD_RequestTerminationCode toe)
{
	struct request *r = *con_cls;

	if (r != NULL) {
		free(r->data);
		free(r);
		*con_cls = NULL;
	}
}

/* ---- start and stop ---- */

static int
read_file(const char *path, bool secret, char **ret_text)
{
	struct stat st;
	FILE       *f = fopen(path, "r");
	char       *text;
	size_t      n;

	if (f == NULL || fstat(fileno(f), &st) != 0 || st.st_size > (1 << 20)) {
		server_say("cannot read %s: %s; make certificates with `daos_server cert generate`, or set allow_insecure", path,
			   strerror(errno));
		if (f != NULL)
			fclose(f);
		return -DER_NO_CERT;
	}
	if (secret && (st.st_mode & 037) != 0) {
		server_say("key %s is open to others (mode %03o): chmod 0400 it", path, st.st_mode & 0777);
		fclose(f);
		return -DER_BAD_CERT;
	}
	text = calloc(1, (size_t)st.st_size + 1);
	n = text ? fread(text, 1, (size_t)st.st_size, f) : 0;
	fclose(f);
	if (text == NULL || n != (size_t)st.st_size) {
		free(text);
		return -DER_NOMEM;
	}
	*ret_text = text;
	return 0;
}

/** The address to listen on: all, or that of control_iface. */
static int
listen_addr(const struct server *srv, struct sockaddr_in *sa)
{
	struct ifaddrs *ifs, *i;
	bool            found = srv->cfg->control_iface == NULL;

	*sa = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons(srv->cfg->port), .sin_addr.s_addr = htonl(INADDR_ANY)};
	if (found || getifaddrs(&ifs) != 0)
		return found ? 0 : -DER_MISC;
	for (i = ifs; i != NULL && !found; i = i->ifa_next) {
		if (i->ifa_addr == NULL || i->ifa_addr->sa_family != AF_INET || strcmp(i->ifa_name, srv->cfg->control_iface) != 0)
			continue;
		sa->sin_addr = ((struct sockaddr_in *)i->ifa_addr)->sin_addr;
		found = true;
	}
	freeifaddrs(ifs);
	if (!found)
		server_say("control_iface %s has no IPv4 address here", srv->cfg->control_iface);
	return found ? 0 : -DER_NONEXIST;
}

int
server_http_start(struct server *srv)
{
	const struct ctl_transport *t = &srv->cfg->transport_config;
	unsigned                    flags = MHD_USE_THREAD_PER_CONNECTION | MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_ITC;
	struct sockaddr_in          sa;
	int                         rc = listen_addr(srv, &sa);

	if (rc != 0)
		return rc;
	if (t->allow_insecure) {
		srv->http = MHD_start_daemon(flags, (uint16_t)srv->cfg->port, NULL, NULL, handle, srv, MHD_OPTION_SOCK_ADDR, &sa,
					     MHD_OPTION_NOTIFY_COMPLETED, completed, NULL, MHD_OPTION_CONNECTION_TIMEOUT, 120u,
					     MHD_OPTION_CONNECTION_LIMIT, 512u, MHD_OPTION_END);
	} else {
		rc = read_file(t->ca_cert, false, &srv->http_ca);
		if (rc == 0)
			rc = read_file(t->cert, false, &srv->http_cert);
		if (rc == 0)
			rc = read_file(t->key, true, &srv->http_key);
		if (rc != 0)
			return rc;
		errno = 0;
		srv->http = MHD_start_daemon(flags | MHD_USE_TLS, (uint16_t)srv->cfg->port, NULL, NULL, handle, srv,
					     MHD_OPTION_SOCK_ADDR, &sa, MHD_OPTION_HTTPS_MEM_KEY, srv->http_key,
					     MHD_OPTION_HTTPS_MEM_CERT, srv->http_cert, MHD_OPTION_HTTPS_MEM_TRUST, srv->http_ca,
					     MHD_OPTION_HTTPS_PRIORITIES, "NORMAL:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2",
					     MHD_OPTION_NOTIFY_COMPLETED, completed, NULL, MHD_OPTION_CONNECTION_TIMEOUT, 120u,
					     MHD_OPTION_CONNECTION_LIMIT, 512u, MHD_OPTION_END);
	}
	if (srv->http == NULL) {
		server_say("cannot listen on port %u: %s; %s", srv->cfg->port, strerror(errno),
			   errno == EADDRINUSE ? "another program uses it: stop that, or set `port`"
					       : "check the port, the certificate and its key");
		return errno == EADDRINUSE ? -DER_BUSY : -DER_BAD_CERT;
	}
	return 0;
}

void
server_http_stop(struct server *srv)
{
	if (srv->http != NULL)
		MHD_stop_daemon(srv->http);
	srv->http = NULL;
	free(srv->http_ca);
	free(srv->http_cert);
	free(srv->http_key);
	srv->http_ca = srv->http_cert = srv->http_key = NULL;
}
