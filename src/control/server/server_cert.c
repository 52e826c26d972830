/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/**
 * `daos_server cert generate`: a CA of the system's own, and certificates of servers, agents and administrators signed
 * by it, where the configuration files look for them. The names are what the others check: "server", "agent", "admin".
 */
#include <daos_errno.h>
#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/util.h"
#include "control/server/server_cert.h"
#include "platform/platform.h"

#define CERT_DAYS 1095

struct identity {
	EVP_PKEY *key;
	X509     *cert;
};

static int
add_ext(X509 *cert, X509 *issuer, int nid, const char *value)
{
	X509V3_CTX      ctx;
	X509_EXTENSION *ext;
	int             ok;

	X509V3_set_ctx(&ctx, issuer, cert, NULL, NULL, 0);
	ext = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
	ok = ext != NULL && X509_add_ext(cert, ext, -1);
	X509_EXTENSION_free(ext);
	return ok ? 0 : -DER_MISC;
}

static int
fill(struct identity *id, const struct identity *ca, const char *cn, const char *org)
{
	X509_NAME *name = X509_get_subject_name(id->cert);
	X509      *issuer = ca ? ca->cert : id->cert;
	char       san[128];
	int        rc = 0;

	if (!X509_set_version(id->cert, 2) || !ASN1_INTEGER_set_uint64(X509_get_serialNumber(id->cert), plat_random() >> 1) ||
	    !X509_gmtime_adj(X509_getm_notBefore(id->cert), -300) ||
	    !X509_gmtime_adj(X509_getm_notAfter(id->cert), 86400L * CERT_DAYS) || !X509_set_pubkey(id->cert, id->key) ||
	    !X509_NAME_add_entry_by_txt(name, "O", MBSTRING_UTF8, (const unsigned char *)org, -1, -1, 0) ||
	    !X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8, (const unsigned char *)cn, -1, -1, 0) ||
	    !X509_set_issuer_name(id->cert, X509_get_subject_name(issuer)))
		return -DER_MISC;
	if (ca == NULL) {
		rc = add_ext(id->cert, issuer, NID_basic_constraints, "critical,CA:TRUE,pathlen:0");
		if (rc == 0)
			rc = add_ext(id->cert, issuer, NID_key_usage, "critical,keyCertSign,cRLSign");
	} else {
		snprintf(san, sizeof(san), "DNS:%s", cn);
		rc = add_ext(id->cert, issuer, NID_basic_constraints, "critical,CA:FALSE");
		if (rc == 0)
			rc = add_ext(id->cert, issuer, NID_key_usage, "critical,digitalSignature");
		if (rc == 0)
			rc = add_ext(id->cert, issuer, NID_ext_key_usage, "serverAuth,clientAuth");
		if (rc == 0)
			rc = add_ext(id->cert, issuer, NID_subject_alt_name, san);
	}
	if (rc == 0 && !X509_sign(id->cert, ca ? ca->key : id->key, EVP_sha512()))
		rc = -DER_MISC;
	return rc;
}

static void
identity_fini(struct identity *id)
{
	EVP_PKEY_free(id->key);
	X509_free(id->cert);
}

/** Exactly these permissions, whatever the umask; never over a file that is there unless it was removed before. */
static FILE *
create_file(const char *dir, const char *name, const char *suffix, mode_t mode, char *error, size_t error_bytes)
{
	char  path[4200];
	FILE *f;
	int   fd;

	snprintf(path, sizeof(path), "%s/%s.%s", dir, name, suffix);
	unlink(path);
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
	f = fd >= 0 ? fdopen(fd, "w") : NULL;
	if (f == NULL || fchmod(fd, mode) != 0)
		snprintf(error, error_bytes, "cannot create %s: %s", path, strerror(errno));
	return f;
}

static int
write_identity(const struct identity *id, const char *dir, const char *name, char *error, size_t error_bytes)
{
	FILE *f = create_file(dir, name, "key", 0400, error, error_bytes);
	int   ok;

	if (f == NULL)
		return -DER_NO_PERM;
	ok = PEM_write_PrivateKey(f, id->key, NULL, NULL, 0, NULL, NULL);
	ok = fclose(f) == 0 && ok;
	f = ok ? create_file(dir, name, "crt", 0644, error, error_bytes) : NULL;
	if (f == NULL)
		return -DER_NO_PERM;
	ok = PEM_write_X509(f, id->cert);
	return fclose(f) == 0 && ok ? 0 : -DER_IO;
}

static int
make(const char *dir, const char *file, const char *cn, const char *org, const struct identity *ca, struct identity *ret_id, char *error,
     size_t error_bytes)
{
	struct identity id = {.key = EVP_EC_gen("P-256"), .cert = X509_new()};
	int             rc = id.key && id.cert ? fill(&id, ca, cn, org) : -DER_NOMEM;

	if (rc != 0)
		snprintf(error, error_bytes, "OpenSSL could not make the certificate of %s", cn);
	else
		rc = write_identity(&id, dir, file, error, error_bytes);
	if (rc != 0 || ret_id == NULL)
		identity_fini(&id);
	else
		*ret_id = id;
	return rc;
}

int
server_certs_generate(const char *dir, const char *system, bool force, char *error, size_t error_bytes)
{
	static const char *const roles[] = {"server", "agent", "admin"};
	char                     path[4200];
	struct identity          ca;
	size_t                   i;
	int                      rc;

	if (mkdir(dir, 0755) != 0 && errno != EEXIST) {
		snprintf(error, error_bytes, "cannot create %s: %s", dir, strerror(errno));
		return -DER_NO_PERM;
	}
	snprintf(path, sizeof(path), "%s/daosCA.key", dir);
	if (!force && access(path, F_OK) == 0) {
		snprintf(error, error_bytes, "%s has certificates already; --force replaces them, and every host then needs the new ones", dir);
		return -DER_EXIST;
	}
	rc = make(dir, "daosCA", "DAOS CA", system, NULL, &ca, error, error_bytes);
	if (rc != 0)
		return rc;
	for (i = 0; i < ARRAY_NR(roles) && rc == 0; i++)
		rc = make(dir, roles[i], roles[i], system, &ca, NULL, error, error_bytes);
	identity_fini(&ca);
	return rc;
}
