/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/**
 * What libfabric's shm provider leaves to its users (1.17): it does not notice that a peer died,
 * and what a killed process leaves in /dev/shm stays. Endpoint names are "fi_shm://<pid>:<uid>:<n>"
 * and the shared memory of one is /dev/shm/<pid>:<uid>:<n>, so both can be told from the name.
 */
#define D_LOGFAC LOG_FAC_NA
#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include "base/log.h"
#include "na/na_ofi.h"
#include "platform/platform.h"

#define SHM_DIR         "/dev/shm"
#define SHM_NAME_PREFIX "fi_shm://"
#define SHM_ALIVE_NS    (100 * NSEC_PER_MSEC) /* a peer seen alive is trusted so long */

static bool
process_gone(pid_t pid)
{
	return kill(pid, 0) != 0 && errno == ESRCH;
}

void
ofi_shm_sweep(void)
{
	DIR           *dir = opendir(SHM_DIR);
	struct dirent *ent;

	if (dir == NULL)
		return;
	while ((ent = readdir(dir)) != NULL) {
		unsigned pid, uid, idx;
		char     tail;

		if (sscanf(ent->d_name, "%u:%u:%u%c", &pid, &uid, &idx, &tail) == 3 &&
		    uid == geteuid() && process_gone(pid))
			(void)unlinkat(dirfd(dir), ent->d_name, 0);
	}
	closedir(dir);
}

void
ofi_shm_addr_init(struct ofi_addr *a)
{
	int pid;

	if (sscanf(a->name, SHM_NAME_PREFIX "%d:", &pid) == 1 && pid > 0)
		a->pid = pid;
}

bool
ofi_shm_gone(struct ofi_addr *a)
{
	char     path[sizeof(SHM_DIR) + NA_NAME_BYTES_MAX + 1];
	uint64_t now;

	if (a->pid == 0)
		return false;
	if (a->pid == getpid()) {
		snprintf(path, sizeof(path), SHM_DIR "/%s", a->name + strlen(SHM_NAME_PREFIX));
		return access(path, F_OK) != 0;
	}
	now = plat_now_ns();
	if (now - a->alive_ns < SHM_ALIVE_NS)
		return false;
	if (process_gone(a->pid))
		return true;
	a->alive_ns = now;
	return false;
}
