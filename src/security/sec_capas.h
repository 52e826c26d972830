/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/** What the holder of a handle may do. Decided when the handle is made, kept with it. */
#pragma once

#include <stdint.h>

/** Pool handles. */
enum sec_pool_capa {
	SEC_POOL_CAPA_READ        = 1 << 0, /**< connect, query, open containers that allow it */
	SEC_POOL_CAPA_CREATE_CONT = 1 << 1,
	SEC_POOL_CAPA_DEL_CONT    = 1 << 2,
	SEC_POOL_CAPA_GET_PROP    = 1 << 3, /**< properties, attributes */
	SEC_POOL_CAPA_SET_PROP    = 1 << 4, /**< attributes */
};
/** Container handles. */
enum sec_cont_capa {
	SEC_CONT_CAPA_READ_DATA  = 1 << 0,
	SEC_CONT_CAPA_WRITE_DATA = 1 << 1,
	SEC_CONT_CAPA_GET_PROP   = 1 << 2,
	SEC_CONT_CAPA_SET_PROP   = 1 << 3,
	SEC_CONT_CAPA_GET_ACL    = 1 << 4,
	SEC_CONT_CAPA_SET_ACL    = 1 << 5,
	SEC_CONT_CAPA_SET_OWNER  = 1 << 6,
	SEC_CONT_CAPA_DELETE     = 1 << 7,
};
