/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/** Error codes inside are -DER_*; the POSIX layers speak positive errno. These two translate. */
#pragma once

#include <daos_errno.h>
#include "base/util.h"

/** @param der  0 or -DER_* (a positive code is taken as well). Returns 0 or a positive errno. */
int daos_der2errno(int der);
/** A service's result that means "elsewhere" or "later": no replica that leads has answered. -DER_BUSY and the like
 *  are answers for good. */
bool daos_rc_ask_again(int rc);
/** @param err  0 or a positive errno. Returns 0 or -DER_*; -DER_MISC for what has no counterpart. */
int daos_errno2der(int err);
