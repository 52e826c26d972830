/* SPDX-License-Identifier: BSD-2-Clause-Patent */
#include "sim.h"

void
sim_scale_run(void)
{
	sim_fail("not yet");
}
