/* SPDX-License-Identifier: BSD-2-Clause-Patent */
#include <stdlib.h>
#include <string.h>
#include <daos_errno.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include "security/sec_sign.h"

#define PEM_BYTES_MAX (1u << 20)

static BIO *
mem_bio(const char *pem, size_t bytes)
{
	return pem == NULL || bytes > PEM_BYTES_MAX ? NULL : BIO_new_mem_buf(pem, bytes);
}

static EVP_PKEY *
read_key(const char *pem, size_t bytes)
{
	BIO      *bio = mem_bio(pem, bytes);
	EVP_PKEY *key = bio == NULL ? NULL : PEM_read_bio_PrivateKey(bio, NULL, NULL, NULL);

	BIO_free(bio);
	return key;
}

static X509 *
read_cert(const char *pem, size_t bytes)
{
	BIO  *bio = mem_bio(pem, bytes);
	X509 *cert = bio == NULL ? NULL : PEM_read_bio_X509(bio, NULL, NULL, NULL);

	BIO_free(bio);
	return cert;
}

static int
sign_with(EVP_PKEY *key, const void *data, size_t data_bytes, void **ret_sig, size_t *ret_sig_bytes)
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	size_t      bytes = 0;
	void       *sig = NULL;
	int         rc = -DER_MISC;

	if (ctx == NULL)
		return -DER_NOMEM;
	if (EVP_DigestSignInit(ctx, NULL, EVP_sha512(), NULL, key) == 1 &&
	    EVP_DigestSign(ctx, NULL, &bytes, data, data_bytes) == 1) {
		sig = malloc(bytes);
		if (sig == NULL)
			rc = -DER_NOMEM;
		else if (EVP_DigestSign(ctx, sig, &bytes, data, data_bytes) == 1)
			rc = 0;
	}
	EVP_MD_CTX_free(ctx);
	if (rc != 0) {
		free(sig);
		return rc;
	}
	*ret_sig = sig;
	*ret_sig_bytes = bytes;
	return 0;
}

int
sec_sign(const char *key_pem, size_t key_bytes, const void *data, size_t data_bytes, void **ret_sig,
	 size_t *ret_sig_bytes)
{
	EVP_PKEY *key = read_key(key_pem, key_bytes);
	int       rc;

	if (key == NULL) {
		ERR_clear_error();
		return -DER_NO_CERT;
	}
	rc = sign_with(key, data, data_bytes, ret_sig, ret_sig_bytes);
	EVP_PKEY_free(key);
	ERR_clear_error();
	return rc;
}

static bool
name_matches(X509 *cert, const char *cn)
{
	char text[256];
	int  len = X509_NAME_get_text_by_NID(X509_get_subject_name(cert), NID_commonName, text, sizeof(text));

	return len >= 0 && (size_t)len == strlen(cn) && memcmp(text, cn, len) == 0;
}

/** Chain, dates: by the CA alone, not by what the machine trusts besides. */
static int
check_chain(X509 *cert, X509 *ca)
{
	X509_STORE     *store = X509_STORE_new();
	X509_STORE_CTX *ctx = X509_STORE_CTX_new();
	int             rc = -DER_NOMEM;

	if (store != NULL && ctx != NULL) {
		rc = -DER_BAD_CERT;
		if (X509_STORE_add_cert(store, ca) == 1 && X509_STORE_CTX_init(ctx, store, cert, NULL) == 1 &&
		    X509_verify_cert(ctx) == 1)
			rc = 0;
	}
	X509_STORE_CTX_free(ctx);
	X509_STORE_free(store);
	return rc;
}

static int
check_cert(X509 *cert, const char *ca_pem, size_t ca_bytes, const char *cn)
{
	X509 *ca;
	int   rc;

	if (cn != NULL && !name_matches(cert, cn))
		return -DER_BAD_CERT;
	if (ca_pem == NULL)
		return 0;
	ca = read_cert(ca_pem, ca_bytes);
	if (ca == NULL)
		return -DER_NO_CERT;
	rc = check_chain(cert, ca);
	X509_free(ca);
	return rc;
}

static int
check_signature(X509 *cert, const void *data, size_t data_bytes, const void *sig, size_t sig_bytes)
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	int         rc = -DER_NO_PERM;

	if (ctx == NULL)
		return -DER_NOMEM;
	if (EVP_DigestVerifyInit(ctx, NULL, EVP_sha512(), NULL, X509_get0_pubkey(cert)) == 1 &&
	    EVP_DigestVerify(ctx, sig, sig_bytes, data, data_bytes) == 1)
		rc = 0;
	EVP_MD_CTX_free(ctx);
	return rc;
}

int
sec_verify(const char *cert_pem, size_t cert_bytes, const char *ca_pem, size_t ca_bytes, const char *cn,
	   const void *data, size_t data_bytes, const void *sig, size_t sig_bytes)
{
	X509 *cert = read_cert(cert_pem, cert_bytes);
	int   rc;

	if (cert == NULL) {
		ERR_clear_error();
		return -DER_BAD_CERT;
	}
	rc = check_cert(cert, ca_pem, ca_bytes, cn);
	if (rc == 0)
		rc = check_signature(cert, data, data_bytes, sig, sig_bytes);
	X509_free(cert);
	ERR_clear_error();
	return rc;
}
