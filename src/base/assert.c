/* SPDX-License-Identifier: BSD-2-Clause-Patent */
#define D_LOGFAC LOG_FAC_BASE
#include "base/log.h"

#include <execinfo.h>
#include <stdlib.h>
#include <unistd.h>

#define FRAME_MAX 64

/** The message goes to the log, the frames to stderr by backtrace_symbols_fd(), which allocates nothing. */
void
d_assert_fail(const char *expr, const char *file, int line, const char *func)
{
	void *frames[FRAME_MAX];
	int   frame_nr;

	d_log_write(LOG_FAC_BASE, LOG_PRIO_FATAL, file, line, func,
		    "assertion failed: %s; this is a defect, please report it with the backtrace on stderr",
		    expr);
	frame_nr = backtrace(frames, FRAME_MAX);
	backtrace_symbols_fd(frames, frame_nr, STDERR_FILENO);
	abort();
}
