/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/**
 * Logging. A source file names its facility before including this header:
 *     #define D_LOGFAC LOG_FAC_VOS
 * Configured by D_LOG_MASK ("ERR,vos=DEBUG"), DD_SUBSYS, DD_MASK, D_LOG_FILE, D_LOG_FILE_APPEND_PID,
 * D_LOG_SIZE, D_LOG_TRUNCATE, DD_STDERR, read by d_log_init(). Thread safe. A disabled line costs
 * one load and one branch. Log an error once, where it is handled.
 */
#pragma once

#include "base/util.h"

#define LOG_FACILITIES(X)                                                                          \
	X(BASE, "base") X(ULT, "ult") X(TSE, "tse") X(NA, "na") X(RPC, "rpc") X(CART, "cart")      \
	X(SWIM, "swim") X(BIO, "bio") X(UMEM, "umem") X(VOS, "vos") X(DRPC, "drpc")                \
	X(SERVER, "server") X(RDB, "rdb") X(RSVC, "rsvc") X(MGMT, "mgmt") X(POOL, "pool")          \
	X(CONTAINER, "container") X(OBJECT, "object") X(PLACEMENT, "placement")                    \
	X(REBUILD, "rebuild") X(SECURITY, "security") X(CLIENT, "client") X(ARRAY, "array")        \
	X(KV, "kv") X(DFS, "dfs") X(DFUSE, "dfuse") X(CONTROL, "control") X(TEST, "test")

enum log_fac {
#define LOG_FAC_ENUM(id, name) LOG_FAC_##id,
	LOG_FACILITIES(LOG_FAC_ENUM)
#undef LOG_FAC_ENUM
	LOG_FAC_NR
};

enum log_prio { LOG_PRIO_DEBUG, LOG_PRIO_INFO, LOG_PRIO_NOTE, LOG_PRIO_WARN, LOG_PRIO_ERR,
	LOG_PRIO_CRIT, LOG_PRIO_FATAL };

/** Lowest priority printed, by facility. Read without a lock; changed by d_log_setmasks(). */
extern uint8_t d_log_level[LOG_FAC_NR];

/** Reads the environment and opens the log. Counted: each init needs one fini. Errors: as open(2). */
int  d_log_init(void) MUST_CHECK;
void d_log_fini(void);
/** "ERR", "debug", "ERR,mgmt=debug,cart=debug"; unknown names (hg, external, ...) are accepted and
 *  ignored with a note, a malformed mask is -DER_INVAL and changes nothing. */
int  d_log_setmasks(const char *masks) MUST_CHECK;
/** Writes the present masks in the form d_log_setmasks() takes. */
void d_log_getmasks(char *buf, size_t buf_bytes);

void d_log_write(enum log_fac fac, enum log_prio prio, const char *file, int line,
		 const char *func, const char *fmt, ...) PRINTF_LIKE(6, 7);

#define D_LOG_AT(prio, ...)                                                                        \
	(UNLIKELY((prio) >= d_log_level[D_LOGFAC])                                                 \
	     ? d_log_write(D_LOGFAC, prio, __FILE__, __LINE__, __func__, __VA_ARGS__)              \
	     : (void)0)
#define D_DEBUG(...) D_LOG_AT(LOG_PRIO_DEBUG, __VA_ARGS__)
#define D_INFO(...)  D_LOG_AT(LOG_PRIO_INFO, __VA_ARGS__)
#define D_NOTE(...)  D_LOG_AT(LOG_PRIO_NOTE, __VA_ARGS__)
#define D_WARN(...)  D_LOG_AT(LOG_PRIO_WARN, __VA_ARGS__)
#define D_ERROR(...) D_LOG_AT(LOG_PRIO_ERR, __VA_ARGS__)
#define D_CRIT(...)  D_LOG_AT(LOG_PRIO_CRIT, __VA_ARGS__)

/** "DER_NOSPACE(-1007): 'No space on storage target'" in messages: DF_RC, DP_RC(rc). */
#define DF_RC "%s(%d): '%s'"
#define DP_RC(rc) d_errstr(rc), rc, d_errdesc(rc)
#include <daos_errno.h>

/** UUIDs in messages: DF_UUID, DP_UUID(uuid). The string lives in a per-thread ring of eight. */
#define DF_UUID "%s"
#define DP_UUID(uuid) d_uuid_str(uuid)
const char *d_uuid_str(const unsigned char uuid[16]);
