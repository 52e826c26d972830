/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/** Signatures, with keys and certificates made here. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <daos_errno.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include "security/sec_sign.h"

struct pem {
	char  *text;
	size_t bytes;
};
struct party {
	EVP_PKEY  *key;
	X509      *cert;
	struct pem key_pem, cert_pem;
};
struct world {
	struct party ca, agent, stranger;
};

static struct pem
take(BIO *bio)
{
	struct pem pem;
	char      *data;

	pem.bytes = BIO_get_mem_data(bio, &data);
	pem.text = malloc(pem.bytes);
	assert_non_null(pem.text);
	memcpy(pem.text, data, pem.bytes);
	BIO_free(bio);
	return pem;
}

static void
party_make(struct party *p, const char *cn, struct party *issuer, long seconds)
{
	BIO *bio;

	p->key = EVP_EC_gen("P-256");
	p->cert = X509_new();
	assert_non_null(p->key);
	X509_set_version(p->cert, 2);
	ASN1_INTEGER_set(X509_get_serialNumber(p->cert), (long)strlen(cn) + seconds);
	X509_gmtime_adj(X509_getm_notBefore(p->cert), -7200);
	X509_gmtime_adj(X509_getm_notAfter(p->cert), seconds);
	X509_set_pubkey(p->cert, p->key);
	X509_NAME_add_entry_by_txt(X509_get_subject_name(p->cert), "CN", MBSTRING_ASC, (const unsigned char *)cn, -1, -1, 0);
	X509_set_issuer_name(p->cert, X509_get_subject_name(issuer->cert));
	if (p == issuer) {
		X509_EXTENSION *ext = X509V3_EXT_conf_nid(NULL, NULL, NID_basic_constraints, "critical,CA:TRUE");

		assert_non_null(ext);
		assert_int_equal(X509_add_ext(p->cert, ext, -1), 1);
		X509_EXTENSION_free(ext);
	}
	assert_true(X509_sign(p->cert, issuer->key, EVP_sha256()) > 0);
	bio = BIO_new(BIO_s_mem());
	assert_int_equal(PEM_write_bio_PrivateKey(bio, p->key, NULL, NULL, 0, NULL, NULL), 1);
	p->key_pem = take(bio);
	bio = BIO_new(BIO_s_mem());
	assert_int_equal(PEM_write_bio_X509(bio, p->cert), 1);
	p->cert_pem = take(bio);
}

static void
party_free(struct party *p)
{
	EVP_PKEY_free(p->key);
	X509_free(p->cert);
	free(p->key_pem.text);
	free(p->cert_pem.text);
}

static int
setup(void **state)
{
	struct world *w = calloc(1, sizeof(*w));

	party_make(&w->ca, "DAOS CA", &w->ca, 3600);
	party_make(&w->agent, "agent", &w->ca, 3600);
	party_make(&w->stranger, "agent", &w->stranger, 3600);
	*state = w;
	return 0;
}

static int
teardown(void **state)
{
	struct world *w = *state;

	party_free(&w->ca);
	party_free(&w->agent);
	party_free(&w->stranger);
	free(w);
	return 0;
}

static int
verify(struct world *w, const struct party *by, const char *cn, const char *data, const void *sig, size_t sig_bytes)
{
	return sec_verify(by->cert_pem.text, by->cert_pem.bytes, w->ca.cert_pem.text, w->ca.cert_pem.bytes, cn, data,
			  strlen(data), sig, sig_bytes);
}

static void
signed_is_accepted(void **state)
{
	struct world *w = *state;
	void         *sig = NULL;
	size_t        bytes = 0;

	assert_int_equal(sec_sign(w->agent.key_pem.text, w->agent.key_pem.bytes, "token", 5, &sig, &bytes), 0);
	assert_int_equal(verify(w, &w->agent, "agent", "token", sig, bytes), 0);
	assert_int_equal(verify(w, &w->agent, NULL, "token", sig, bytes), 0);
	free(sig);
}

static void
changed_data_are_refused(void **state)
{
	struct world *w = *state;
	uint8_t      *sig = NULL;
	size_t        bytes = 0;

	assert_int_equal(sec_sign(w->agent.key_pem.text, w->agent.key_pem.bytes, "token", 5, (void **)&sig, &bytes), 0);
	assert_int_equal(verify(w, &w->agent, "agent", "tokeN", sig, bytes), -DER_NO_PERM);
	assert_int_equal(verify(w, &w->agent, "agent", "token", sig, bytes - 1), -DER_NO_PERM);
	sig[bytes / 2] ^= 1;
	assert_int_equal(verify(w, &w->agent, "agent", "token", sig, bytes), -DER_NO_PERM);
	assert_int_equal(verify(w, &w->agent, "agent", "token", NULL, 0), -DER_NO_PERM);
	free(sig);
}

static void
another_ca_is_refused(void **state)
{
	struct world *w = *state;
	void         *sig = NULL;
	size_t        bytes = 0;

	assert_int_equal(sec_sign(w->stranger.key_pem.text, w->stranger.key_pem.bytes, "token", 5, &sig, &bytes), 0);
	assert_int_equal(verify(w, &w->stranger, "agent", "token", sig, bytes), -DER_BAD_CERT);
	/* The right certificate, but another's signature. */
	assert_int_equal(verify(w, &w->agent, "agent", "token", sig, bytes), -DER_NO_PERM);
	free(sig);
}

static void
another_name_is_refused(void **state)
{
	struct world *w = *state;
	void         *sig = NULL;
	size_t        bytes = 0;

	assert_int_equal(sec_sign(w->agent.key_pem.text, w->agent.key_pem.bytes, "token", 5, &sig, &bytes), 0);
	assert_int_equal(verify(w, &w->agent, "server", "token", sig, bytes), -DER_BAD_CERT);
	assert_int_equal(verify(w, &w->agent, "agen", "token", sig, bytes), -DER_BAD_CERT);
	free(sig);
}

static void
expired_is_refused(void **state)
{
	struct world *w = *state;
	struct party  old = {0};
	void         *sig = NULL;
	size_t        bytes = 0;

	party_make(&old, "agent", &w->ca, -3600);
	assert_int_equal(sec_sign(old.key_pem.text, old.key_pem.bytes, "token", 5, &sig, &bytes), 0);
	assert_int_equal(verify(w, &old, "agent", "token", sig, bytes), -DER_BAD_CERT);
	free(sig);
	party_free(&old);
}

static void
garbage_is_refused(void **state)
{
	struct world *w = *state;
	struct party  bad = {.cert_pem = {.text = "rubbish", .bytes = 7}};
	void         *sig = NULL;
	size_t        bytes = 0;

	assert_int_equal(sec_sign("rubbish", 7, "token", 5, &sig, &bytes), -DER_NO_CERT);
	assert_int_equal(sec_sign(NULL, 0, "token", 5, &sig, &bytes), -DER_NO_CERT);
	assert_int_equal(verify(w, &bad, "agent", "token", "sig", 3), -DER_BAD_CERT);
	assert_int_equal(sec_verify(w->agent.cert_pem.text, w->agent.cert_pem.bytes, "rubbish", 7, "agent", "token", 5, "sig", 3),
			 -DER_NO_CERT);
	assert_null(sig);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(signed_is_accepted),    cmocka_unit_test(changed_data_are_refused),
	    cmocka_unit_test(another_ca_is_refused), cmocka_unit_test(another_name_is_refused),
	    cmocka_unit_test(expired_is_refused),    cmocka_unit_test(garbage_is_refused),
	};

	return cmocka_run_group_tests_name("sign", tests, setup, teardown);
}
