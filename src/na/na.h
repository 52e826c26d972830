/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/** Network abstraction; see README.md. The in-process world that "self" providers meet in: */
#pragma once

#include "base/util.h"

struct na_self_world;
int  na_self_world_create(struct na_self_world **ret_world) MUST_CHECK;
void na_self_world_destroy(struct na_self_world *world);
