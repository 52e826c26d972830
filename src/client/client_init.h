/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/** The client modules libdaos is made of, for who makes a client of its own (tests, tools). */
#pragma once

#include "dc/dc.h"

#define CLIENT_MODULE_NR 3
extern const struct dc_module *const client_modules[CLIENT_MODULE_NR];
