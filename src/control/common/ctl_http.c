/* SPDX-License-Identifier: BSD-2-Clause-Patent */
#include <curl/curl.h>
#include <daos_errno.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/util.h"
#include "control/common/ctl_http.h"

#define BODY_MAX (64u << 20)

struct ctl_http {
	CURL                       *curl;
	struct curl_slist          *headers, *connect_to;
	const struct ctl_transport *transport; /* borrowed */
	char                        curl_error[CURL_ERROR_SIZE];
};

struct body {
	char  *data;
	size_t len;
};

static size_t
body_write(char *data, size_t size, size_t nr, void *arg)
{
	struct body *b = arg;
	char        *bigger;

	if (b->len + size * nr > BODY_MAX)
		return 0;
	bigger = realloc(b->data, b->len + size * nr + 1);
	if (bigger == NULL)
		return 0;
	memcpy(bigger + b->len, data, size * nr);
	b->data = bigger;
	b->len += size * nr;
	b->data[b->len] = '\0';
	return size * nr;
}

static int
check_files(const struct ctl_transport *t, char *errors, size_t errors_bytes)
{
	const char *files[] = {t->ca_cert, t->cert, t->key};
	struct stat st;
	int         i;

	for (i = 0; i < ARRAY_NR(files); i++) {
		if (access(files[i], R_OK) == 0)
			continue;
		snprintf(errors, errors_bytes,
			 "cannot read %s: %s; make certificates with `daos_server cert generate`, or allow insecure operation "
			 "(transport_config: allow_insecure: true)",
			 files[i], strerror(errno));
		return -DER_NO_CERT;
	}
	if (stat(t->key, &st) == 0 && (st.st_mode & 037) != 0) {
		snprintf(errors, errors_bytes, "key %s is open to others (mode %03o): chmod 0400 it", t->key, st.st_mode & 0777);
		return -DER_BAD_CERT;
	}
	return 0;
}

static void
set_tls(CURL *c, const struct ctl_transport *t)
{
	curl_easy_setopt(c, CURLOPT_CAINFO, t->ca_cert);
	curl_easy_setopt(c, CURLOPT_CAPATH, NULL);
	curl_easy_setopt(c, CURLOPT_SSLCERT, t->cert);
	curl_easy_setopt(c, CURLOPT_SSLKEY, t->key);
	curl_easy_setopt(c, CURLOPT_SSL_VERIFYPEER, 1L);
	curl_easy_setopt(c, CURLOPT_SSL_VERIFYHOST, 2L);
	curl_easy_setopt(c, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
}

int
ctl_http_open(const struct ctl_transport *transport, uint32_t timeout_s, struct ctl_http **ret_http, char *errors,
	      size_t errors_bytes)
{
	struct ctl_http *http;
	int              rc = transport->allow_insecure ? 0 : check_files(transport, errors, errors_bytes);

	if (rc != 0)
		return rc;
	http = calloc(1, sizeof(*http));
	if (http == NULL)
		return -DER_NOMEM;
	http->transport = transport;
	http->curl = curl_easy_init();
	http->headers = curl_slist_append(NULL, "Content-Type: application/json");
	if (http->curl == NULL || http->headers == NULL) {
		ctl_http_close(http);
		return -DER_NOMEM;
	}
	if (!transport->allow_insecure)
		set_tls(http->curl, transport);
	curl_easy_setopt(http->curl, CURLOPT_HTTPHEADER, http->headers);
	curl_easy_setopt(http->curl, CURLOPT_WRITEFUNCTION, body_write);
	curl_easy_setopt(http->curl, CURLOPT_ERRORBUFFER, http->curl_error);
	curl_easy_setopt(http->curl, CURLOPT_TIMEOUT, (long)timeout_s);
	curl_easy_setopt(http->curl, CURLOPT_CONNECTTIMEOUT, 10L);
	curl_easy_setopt(http->curl, CURLOPT_NOSIGNAL, 1L);
	/* A proxy between the nodes of a storage system is a mistake of the environment. */
	curl_easy_setopt(http->curl, CURLOPT_NOPROXY, "*");
	*ret_http = http;
	return 0;
}

void
ctl_http_close(struct ctl_http *http)
{
	if (http == NULL)
		return;
	curl_easy_cleanup(http->curl);
	curl_slist_free_all(http->headers);
	curl_slist_free_all(http->connect_to);
	free(http);
}

static int
transport_error(struct ctl_http *http, CURLcode code, const char *host, char *errors, size_t errors_bytes)
{
	const char *hint = "is daos_server running there?";
	int         rc = -DER_UNREACH;

	switch (code) {
	case CURLE_OPERATION_TIMEDOUT:
		hint = "the server did not answer in time";
		rc = -DER_TIMEDOUT;
		break;
	case CURLE_PEER_FAILED_VERIFICATION:
	case CURLE_SSL_CONNECT_ERROR:
	case CURLE_SSL_CERTPROBLEM:
	case CURLE_RECV_ERROR:
	case CURLE_SEND_ERROR:
		hint = "certificates of both sides must come from the same CA, and both sides must agree on allow_insecure";
		rc = -DER_BAD_CERT;
		break;
	case CURLE_GOT_NOTHING:
		hint = "the server speaks HTTPS there: certificates are needed, or allow_insecure on both sides";
		rc = -DER_PROTO;
		break;
	case CURLE_COULDNT_RESOLVE_HOST:
		hint = "no such host";
		break;
	default:
		break;
	}
	snprintf(errors, errors_bytes, "%s: %s; %s", host,
		 http->curl_error[0] ? http->curl_error : curl_easy_strerror(code), hint);
	return rc;
}

static int
take_answer(const struct body *b, long http_status, const char *host, const char *method, json_t **ret_response, char *errors,
	    size_t errors_bytes)
{
	json_error_t jerr;
	json_t      *doc = b->data ? json_loadb(b->data, b->len, 0, &jerr) : NULL;
	const char  *text = json_string_value(json_object_get(doc, "error"));
	int          rc = (int)json_integer_value(json_object_get(doc, "status"));

	if (http_status == 403)
		rc = -DER_NO_PERM;
	else if (!json_is_object(doc) || !json_is_integer(json_object_get(doc, "status")))
		rc = -DER_PROTO;
	if (rc == 0 || rc == -DER_NOTLEADER) {
		json_t *response = json_object_get(doc, "response");

		*ret_response = response ? json_incref(response) : json_null();
	}
	if (rc != 0)
		snprintf(errors, errors_bytes, "%s: %s", host,
			 text            ? text
			 : rc == -DER_PROTO ? "the answer is not that of a daos_server"
			 : rc == -DER_NO_PERM ? "this certificate may not do that"
					    : d_errdesc(rc));
	json_decref(doc);
	return rc;
}

/**
 * Certificates of servers all carry the name "server", whatever host they run on. With TLS the URL says
 * "server" and the connection goes to the real host: the library then checks the name for us.
 */
static int
set_target(struct ctl_http *http, const char *host, uint32_t port_default, const char *method)
{
	const char        *colon = strrchr(host, ':');
	bool               has_port = colon != NULL && strchr(host, ':') == colon;
	int                name_len = has_port ? (int)(colon - host) : (int)strlen(host);
	unsigned           port = has_port ? (unsigned)atoi(colon + 1) : port_default;
	char               url[512], connect_to[512];

	curl_slist_free_all(http->connect_to);
	http->connect_to = NULL;
	if (http->transport->allow_insecure) {
		snprintf(url, sizeof(url), "http://%.*s:%u/v1/%s", name_len, host, port, method);
	} else {
		snprintf(url, sizeof(url), "https://server:%u/v1/%s", port, method);
		snprintf(connect_to, sizeof(connect_to), "server:%u:%.*s:%u", port, name_len, host, port);
		http->connect_to = curl_slist_append(NULL, connect_to);
		if (http->connect_to == NULL)
			return -DER_NOMEM;
	}
	curl_easy_setopt(http->curl, CURLOPT_CONNECT_TO, http->connect_to);
	curl_easy_setopt(http->curl, CURLOPT_URL, url);
	return 0;
}

int
ctl_http_call(struct ctl_http *http, const char *host, uint32_t port_default, const char *method, const json_t *request,
	      json_t **ret_response, char *errors, size_t errors_bytes)
{
	struct body body = {0};
	char       *text = request ? json_dumps(request, JSON_COMPACT) : strdup("{}");
	long        http_status = 0;
	CURLcode    code;
	int         rc;

	if (text == NULL)
		return -DER_NOMEM;
	rc = set_target(http, host, port_default, method);
	if (rc != 0) {
		free(text);
		return rc;
	}
	http->curl_error[0] = '\0';
	curl_easy_setopt(http->curl, CURLOPT_WRITEDATA, &body);
	curl_easy_setopt(http->curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)strlen(text));
	curl_easy_setopt(http->curl, CURLOPT_POSTFIELDS, text);
	code = curl_easy_perform(http->curl);
	curl_easy_getinfo(http->curl, CURLINFO_RESPONSE_CODE, &http_status);
	rc = code != CURLE_OK ? transport_error(http, code, host, errors, errors_bytes)
			      : take_answer(&body, http_status, host, method, ret_response, errors, errors_bytes);
	free(text);
	free(body.data);
	return rc;
}

/** Worth asking another host: this one cannot be reached, or does not lead. */
static bool
try_next(int rc)
{
	return rc == -DER_UNREACH || rc == -DER_TIMEDOUT || rc == -DER_NOTLEADER;
}

int
ctl_ms_call(struct ctl_http *http, const char *const *hosts, uint32_t host_nr, uint32_t port_default, const char *method,
	    const json_t *request, json_t **ret_response, char *errors, size_t errors_bytes)
{
	json_t  *hints = NULL, *response = NULL;
	int      rc = -DER_UNREACH;
	uint32_t i;

	snprintf(errors, errors_bytes, "no host to ask");
	for (i = 0; i < host_nr && try_next(rc); i++) {
		rc = ctl_http_call(http, hosts[i], port_default, method, request, &response, errors, errors_bytes);
		if (rc == -DER_NOTLEADER && hints == NULL)
			hints = response;
		else if (rc == -DER_NOTLEADER)
			json_decref(response);
	}
	for (i = 0; try_next(rc) && i < json_array_size(json_object_get(hints, "replicas")); i++) {
		const char *host = json_string_value(json_array_get(json_object_get(hints, "replicas"), i));

		if (host != NULL)
			rc = ctl_http_call(http, host, port_default, method, request, &response, errors, errors_bytes);
	}
	if (rc == 0)
		*ret_response = response;
	if (hints != NULL)
		json_decref(hints);
	return rc;
}
