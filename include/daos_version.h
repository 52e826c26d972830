/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/** Versions: of the interface (source compatibility), and of the package. */
#ifndef __DAOS_VERSION_H__
#define __DAOS_VERSION_H__

#include <stdint.h>

#define DAOS_API_VERSION_MAJOR 2
#define DAOS_API_VERSION_MINOR 8
#define DAOS_API_VERSION_FIX   0

#define DAOS_VERSION_MAJOR 2
#define DAOS_VERSION_MINOR 8
#define DAOS_VERSION_FIX   0

#endif /* __DAOS_VERSION_H__ */
