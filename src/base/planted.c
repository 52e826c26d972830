/* SPDX-License-Identifier: BSD-2-Clause-Patent */
#include "base/planted.h"

#ifdef D_PLANTED_BUGS
uint32_t d_planted_bug;
#endif
