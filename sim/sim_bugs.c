/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/** The planted bugs (base/planted.h) that --bug turns on. */
#include "sim.h"

#include "base/planted.h"

#define BUG_TEXT(name, text) [name] = text,
static const char *const texts[D_PLANTED_END] = {D_PLANTED_LIST(BUG_TEXT)};

bool
sim_bug_exists(uint32_t bug)
{
#ifdef D_PLANTED_BUGS
	if (bug < D_PLANTED_END)
		d_planted_bug = bug;
	return bug < D_PLANTED_END;
#else
	return bug == 0;
#endif
}

void
sim_bugs_print(void)
{
	printf("planted bugs (--bug N)%s:\n", sim_bug_exists(1) ? "" : ", not in this build");
	(void)sim_bug_exists(0);
	for (uint32_t i = 1; i < D_PLANTED_END; i++)
		printf("  %2u  %s\n", i, texts[i]);
}
