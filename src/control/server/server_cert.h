/* SPDX-License-Identifier: BSD-2-Clause-Patent */
#pragma once

#include <stdbool.h>
#include <stddef.h>

/** daosCA, server, agent, admin (.crt, .key) in @dir, which is made. EXIST: they are there and not @force. */
int server_certs_generate(const char *dir, const char *system, bool force, char *error, size_t error_bytes)
	__attribute__((warn_unused_result));
