/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/** For the service framework. */
#pragma once

#include "rdb/rdb.h"

/** Try to be the first leader of a fresh database: ask for votes at once and often, until somebody leads. */
void rdb_campaign(struct rdb *db);
