/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/**
 * The log. Lines look like
 *     2023/05/30-12:00:00.123456 host DAOS[pid/tid] pool ERR  src/pool/x.c:42 fn() text
 * A line is formatted on the stack and handed to write(2) as a whole, so lines never mix and a crash
 * loses none. Past D_LOG_SIZE the file is renamed to <name>.old and begun anew. Before d_log_init()
 * and without D_LOG_FILE lines go to stderr.
 *
 * Invariants: 1. levels are read without the lock, written under it. 2. d_log_setmasks() parses
 * into a copy and publishes it only when all of it was understood.
 */
#define D_LOGFAC LOG_FAC_BASE
#include "base/log.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>
#include "base/errno_map.h"

#define LOG_LINE_BYTES        2048
#define LOG_PATH_BYTES        1024
#define LOG_SIZE_BYTES_MIN    (1ULL << 20)
#define LOG_SIZE_BYTES_DEFAULT (1ULL << 30)
#define LOG_LEVEL_DEFAULT     LOG_PRIO_ERR

uint8_t d_log_level[LOG_FAC_NR] = {[0 ... LOG_FAC_NR - 1] = LOG_LEVEL_DEFAULT};

static const char *const fac_names[LOG_FAC_NR] = {
#define FAC_NAME(id, name) [LOG_FAC_##id] = name,
	LOG_FACILITIES(FAC_NAME)
#undef FAC_NAME
};

/** Names on output are the first of each priority. */
static const struct {
	const char    *name;
	enum log_prio  prio;
} prio_names[] = {
	{"DEBUG", LOG_PRIO_DEBUG}, {"INFO", LOG_PRIO_INFO},   {"NOTE", LOG_PRIO_NOTE},
	{"WARN", LOG_PRIO_WARN},   {"ERR", LOG_PRIO_ERR},     {"CRIT", LOG_PRIO_CRIT},
	{"FATAL", LOG_PRIO_FATAL}, {"DBUG", LOG_PRIO_DEBUG},  {"NOTICE", LOG_PRIO_NOTE},
	{"WARNING", LOG_PRIO_WARN}, {"ERROR", LOG_PRIO_ERR},  {"ALRT", LOG_PRIO_CRIT},
	{"EMRG", LOG_PRIO_FATAL},  {"EMIT", LOG_PRIO_FATAL},
};

/** The one log of the process. */
static struct {
	pthread_mutex_t lock;
	unsigned        init_nr;
	int             fd; /**< STDERR_FILENO, or the log file */
	uint64_t        size_bytes;
	uint64_t        size_bytes_max;
	uint8_t         stderr_level; /**< from here on a line goes to stderr too */
	uint32_t        subsys;       /**< bit a facility: those that may go below INFO */
	char            path[LOG_PATH_BYTES];
	char            host[64];
} logger = {
	.lock = PTHREAD_MUTEX_INITIALIZER,
	.fd = STDERR_FILENO,
	.stderr_level = LOG_PRIO_FATAL + 1,
	.subsys = UINT32_MAX,
};

_Static_assert(LOG_FAC_NR <= 32, "the subsystem mask has a bit a facility");

static int
log_prio_parse(const char *name, size_t len)
{
	for (size_t i = 0; i < ARRAY_NR(prio_names); i++) {
		if (strlen(prio_names[i].name) == len &&
		    strncasecmp(prio_names[i].name, name, len) == 0)
			return prio_names[i].prio;
	}
	return -DER_INVAL;
}

/** Facility number, or -DER_NONEXIST. "all" is LOG_FAC_NR. */
static int
log_fac_parse(const char *name, size_t len)
{
	if (len == 3 && strncasecmp(name, "all", 3) == 0)
		return LOG_FAC_NR;
	for (int i = 0; i < LOG_FAC_NR; i++) {
		if (strlen(fac_names[i]) == len && strncasecmp(fac_names[i], name, len) == 0)
			return i;
	}
	return -DER_NONEXIST;
}

static bool
log_name_valid(const char *name, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		if (!isalnum((unsigned char)name[i]) && name[i] != '_' && name[i] != '-')
			return false;
	}
	return len > 0;
}

/** One item of a mask: "ERR" or "vos=DEBUG". */
static int
log_mask_item(const char *item, size_t len, uint8_t levels[LOG_FAC_NR])
{
	const char *eq = memchr(item, '=', len);
	size_t      name_len = eq == NULL ? 0 : eq - item;
	size_t      prio_len = eq == NULL ? len : len - name_len - 1;
	int         prio = log_prio_parse(eq == NULL ? item : eq + 1, prio_len);
	int         fac = LOG_FAC_NR;

	if (prio < 0)
		return -DER_INVAL;
	if (eq != NULL) {
		if (!log_name_valid(item, name_len))
			return -DER_INVAL;
		fac = log_fac_parse(item, name_len);
	}
	if (fac < 0)
		D_NOTE("log mask: no facility '%.*s' here, ignored", (int)name_len, item);
	else if (fac == LOG_FAC_NR)
		memset(levels, prio, LOG_FAC_NR);
	else
		levels[fac] = prio;
	return 0;
}

static int
log_masks_parse(const char *masks, uint8_t levels[LOG_FAC_NR])
{
	for (;;) {
		size_t len;
		int    rc;

		masks += strspn(masks, " \t");
		len = strcspn(masks, ", \t");
		rc = log_mask_item(masks, len, levels);
		if (rc != 0)
			return rc;
		masks += len;
		masks += strspn(masks, " \t");
		if (*masks == '\0')
			return 0;
		if (*masks != ',')
			return -DER_INVAL;
		masks++;
	}
}

int
d_log_setmasks(const char *masks)
{
	uint8_t levels[LOG_FAC_NR];
	int     rc;

	if (masks == NULL)
		return -DER_INVAL;
	memcpy(levels, d_log_level, sizeof(levels));
	rc = log_masks_parse(masks, levels);
	if (rc != 0)
		return rc;
	pthread_mutex_lock(&logger.lock);
	for (int i = 0; i < LOG_FAC_NR; i++) {
		if (!(logger.subsys & 1U << i))
			levels[i] = MAX_OF(levels[i], LOG_PRIO_INFO);
		__atomic_store_n(&d_log_level[i], levels[i], __ATOMIC_RELAXED);
	}
	pthread_mutex_unlock(&logger.lock);
	return 0;
}

/** The level most facilities have comes first, alone; then those that differ. */
void
d_log_getmasks(char *buf, size_t buf_bytes)
{
	unsigned count[LOG_PRIO_FATAL + 1] = {0};
	unsigned common = 0;
	int      off;

	for (int i = 0; i < LOG_FAC_NR; i++)
		count[d_log_level[i]]++;
	for (unsigned p = 1; p <= LOG_PRIO_FATAL; p++)
		common = count[p] > count[common] ? p : common;
	off = snprintf(buf, buf_bytes, "%s", prio_names[common].name);
	for (int i = 0; i < LOG_FAC_NR && off >= 0 && (size_t)off < buf_bytes; i++) {
		if (d_log_level[i] != common)
			off += snprintf(buf + off, buf_bytes - off, ",%s=%s", fac_names[i],
					prio_names[d_log_level[i]].name);
	}
}

/** DD_SUBSYS: a list of facilities; unknown names are ignored. Empty or "all": every one. */
static uint32_t
log_subsys_parse(const char *list)
{
	uint32_t mask = 0;
	size_t   len;

	for (const char *p = list; *p != '\0'; p += len) {
		int fac;

		p += strspn(p, ", \t");
		len = strcspn(p, ", \t");
		fac = log_fac_parse(p, len);
		if (fac == LOG_FAC_NR)
			return UINT32_MAX;
		if (fac >= 0)
			mask |= 1U << fac;
	}
	return mask == 0 ? UINT32_MAX : mask;
}

/** "1g", "512M", "1048576". 0 when malformed. */
static uint64_t
log_size_parse(const char *text)
{
	char    *end;
	uint64_t size = strtoull(text, &end, 10);

	switch (tolower((unsigned char)*end)) {
	case 'g': size <<= 30; end++; break;
	case 'm': size <<= 20; end++; break;
	case 'k': size <<= 10; end++; break;
	}
	return *end == '\0' ? size : 0;
}

static bool
log_env_true(const char *name)
{
	const char *value = getenv(name);

	return value != NULL && (strcmp(value, "1") == 0 || strcasecmp(value, "true") == 0 ||
				 strcasecmp(value, "yes") == 0 || strcasecmp(value, "on") == 0);
}

static int
log_file_open(bool truncate)
{
	struct stat st;
	int         fd;

	fd = open(logger.path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | (truncate ? O_TRUNC : 0),
		  0644);
	if (fd < 0)
		return daos_errno2der(errno);
	logger.size_bytes = fstat(fd, &st) == 0 ? (uint64_t)st.st_size : 0;
	logger.fd = fd;
	return 0;
}

/** With the lock held. When the file cannot be begun anew, the log goes on in the old one. */
static void
log_file_rotate(void)
{
	char old[LOG_PATH_BYTES + 8];
	int  old_fd = logger.fd;

	snprintf(old, sizeof(old), "%s.old", logger.path);
	if (rename(logger.path, old) != 0 || log_file_open(true) != 0) {
		logger.size_bytes = 0;
		return;
	}
	close(old_fd);
}

static int
log_open_from_env(void)
{
	const char *path = getenv("D_LOG_FILE");
	const char *size = getenv("D_LOG_SIZE");
	int         len;

	if (gethostname(logger.host, sizeof(logger.host) - 1) != 0)
		strcpy(logger.host, "localhost");
	logger.size_bytes_max = size == NULL ? LOG_SIZE_BYTES_DEFAULT : log_size_parse(size);
	logger.size_bytes_max = MAX_OF(logger.size_bytes_max, LOG_SIZE_BYTES_MIN);
	if (path == NULL || *path == '\0')
		return 0;
	if (log_env_true("D_LOG_FILE_APPEND_PID"))
		len = snprintf(logger.path, sizeof(logger.path), "%s.%d", path, (int)getpid());
	else
		len = snprintf(logger.path, sizeof(logger.path), "%s", path);
	if (len >= (int)sizeof(logger.path))
		return -DER_EXCEEDS_PATH_LEN;
	return log_file_open(log_env_true("D_LOG_TRUNCATE"));
}

/** Masks come from outside: what is malformed is named and left out, the log works on. */
static void
log_masks_from_env(void)
{
	const char *subsys = getenv("DD_SUBSYS");
	const char *masks = getenv("D_LOG_MASK");
	const char *to_stderr = getenv("DD_STDERR");

	if (subsys != NULL)
		logger.subsys = log_subsys_parse(subsys);
	if (to_stderr != NULL) {
		int prio = log_prio_parse(to_stderr, strlen(to_stderr));

		if (prio >= 0)
			logger.stderr_level = prio;
	}
	if (masks != NULL && d_log_setmasks(masks) != 0)
		D_ERROR("D_LOG_MASK='%s' is malformed and was ignored; write it like ERR,vos=DEBUG",
			masks);
}

int
d_log_init(void)
{
	int  rc = 0;
	bool first;

	pthread_mutex_lock(&logger.lock);
	first = logger.init_nr == 0;
	if (first)
		rc = log_open_from_env();
	if (rc == 0)
		logger.init_nr++;
	pthread_mutex_unlock(&logger.lock);
	if (rc == 0 && first)
		log_masks_from_env();
	return rc;
}

void
d_log_fini(void)
{
	pthread_mutex_lock(&logger.lock);
	D_ASSERT(logger.init_nr > 0);
	if (--logger.init_nr == 0) {
		if (logger.fd != STDERR_FILENO)
			close(logger.fd);
		logger.fd = STDERR_FILENO;
		logger.path[0] = '\0';
		logger.subsys = UINT32_MAX;
		logger.stderr_level = LOG_PRIO_FATAL + 1;
		memset(d_log_level, LOG_LEVEL_DEFAULT, sizeof(d_log_level));
	}
	pthread_mutex_unlock(&logger.lock);
}

/** Builds name sources from where they were made (../main/src/vos/vos_io.c): the part inside the tree. */
static const char *
log_file_name(const char *file)
{
	static const char *const tops[] = {"src/", "tests/"};
	const char              *name = file;

	for (const char *p = file; *p != '\0'; p++) {
		for (size_t i = 0; i < ARRAY_NR(tops); i++) {
			if ((p == file || p[-1] == '/') && strncmp(p, tops[i], strlen(tops[i])) == 0)
				name = p;
		}
	}
	return name;
}

static int
log_prefix(char *line, size_t line_bytes, enum log_fac fac, enum log_prio prio, const char *file,
	   int line_no, const char *func)
{
	static _Thread_local pid_t tid;
	struct timespec            now;
	struct tm                  tm;
	int                        len;

	if (tid == 0)
		tid = syscall(SYS_gettid);
	/* Wall-clock time for people to read; no decision hangs on it, so not from platform. */
	timespec_get(&now, TIME_UTC);
	localtime_r(&now.tv_sec, &tm);
	len = snprintf(line, line_bytes, "%04d/%02d/%02d-%02d:%02d:%02d.%06ld %s DAOS[%d/%d] %s %-4s %s:%d %s() ",
		       tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec,
		       now.tv_nsec / 1000, logger.host, (int)getpid(), (int)tid, fac_names[fac],
		       prio_names[prio].name, log_file_name(file), line_no, func);
	return MIN_OF(len, (int)line_bytes - 2);
}

/** A log that cannot be written must not stop the process: what is lost is lost. */
static void
log_emit(int fd, const char *line, size_t len)
{
	ssize_t n;

	do {
		n = write(fd, line, len);
	} while (n < 0 && errno == EINTR);
}

void
d_log_write(enum log_fac fac, enum log_prio prio, const char *file, int line_no, const char *func,
	    const char *fmt, ...)
{
	int     saved_errno = errno;
	char    line[LOG_LINE_BYTES];
	int     len = log_prefix(line, sizeof(line), fac, prio, file, line_no, func);
	int     text_len;
	va_list ap;

	va_start(ap, fmt);
	text_len = vsnprintf(line + len, sizeof(line) - len, fmt, ap);
	va_end(ap);
	if (text_len > 0)
		len = MIN_OF(len + text_len, (int)sizeof(line) - 2);
	if (line[len - 1] != '\n')
		line[len++] = '\n';

	pthread_mutex_lock(&logger.lock);
	log_emit(logger.fd, line, len);
	if (logger.fd != STDERR_FILENO) {
		logger.size_bytes += len;
		if (logger.size_bytes > logger.size_bytes_max)
			log_file_rotate();
		if (prio >= logger.stderr_level || prio == LOG_PRIO_FATAL)
			log_emit(STDERR_FILENO, line, len);
	}
	pthread_mutex_unlock(&logger.lock);
	errno = saved_errno;
}
