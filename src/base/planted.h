/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/**
 * Mistakes planted for tests that must find them: a place asks D_PLANTED(which) and does it wrong. Only a build made
 * for such a test (options planted_bugs and sim) has them, and only the one that was asked for is on; everywhere else
 * the question is `false` and nothing of it is left.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define D_PLANTED_LIST(X)                                                                                              \
	X(D_PLANTED_UNFLUSHED, "an acknowledged write is not flushed")                                                 \
	X(D_PLANTED_SHORT_REPLAY, "replaying the log stops one record early")                                          \
	X(D_PLANTED_TWO_REPLIES, "a request that could not be sent is completed twice")      \
	X(D_PLANTED_VOTE, "a vote is not stored before it is given")                                                   \
	X(D_PLANTED_NO_RECHECK, "a leader that waited does not check again whether it leads still")                      \
	X(D_PLANTED_EXTENT, "an extent is one cell short at a chunk's border")                                         \
	X(D_PLANTED_LOST_WAKE, "of several that wait for one log write, the last is not woken")                        \
	X(D_PLANTED_LEAK, "a request is leaked when it fails")                                                         \
	X(D_PLANTED_RENAME, "a rename takes the old name away before the new one is there")                            \
	X(D_PLANTED_ACK_EARLY, "a change is answered before its log record is written")                                \
	X(D_PLANTED_RESEND, "a change that is sent again is carried out again")                                        \
	X(D_PLANTED_SVC_RESEND, "a pool's service carries out again what is asked again")                              \
	X(D_PLANTED_STALE_MAP, "an engine serves whoever has an old pool map")

#define D_PLANTED_ENUM(name, text) name,
enum d_planted { D_PLANTED_NONE, D_PLANTED_LIST(D_PLANTED_ENUM) D_PLANTED_END };
#undef D_PLANTED_ENUM

#ifdef D_PLANTED_BUGS
extern uint32_t d_planted_bug; /* of the test, set before anything runs */
#define D_PLANTED(bug) (d_planted_bug == (bug))
#else
#define D_PLANTED(bug) false
#endif
