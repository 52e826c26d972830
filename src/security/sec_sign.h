/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/** Signatures over tokens: made with the agent's key, checked with its certificate. SHA-512. */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include "base/util.h"

/** @ret_sig is taken by the caller: free(). Errors: NO_CERT the key can't be read | NOMEM | MISC. */
int sec_sign(const char *key_pem, size_t key_bytes, const void *data, size_t data_bytes, void **ret_sig,
	     size_t *ret_sig_bytes) MUST_CHECK;
/**
 * @param ca_pem  the certificate must be signed by it; NULL: not checked
 * @param cn      common name the certificate must have ("agent"); NULL: any
 * Errors: BAD_CERT not a certificate, not by the CA, expired, another name | NO_PERM the signature doesn't match | NOMEM
 */
int sec_verify(const char *cert_pem, size_t cert_bytes, const char *ca_pem, size_t ca_bytes, const char *cn,
	       const void *data, size_t data_bytes, const void *sig, size_t sig_bytes) MUST_CHECK;
