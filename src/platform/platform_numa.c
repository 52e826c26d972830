/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/** Which cores and memory are near each other, as /sys tells. */
#include "platform/platform.h"

#include <dirent.h>
#include <errno.h>
#include <linux/mempolicy.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <daos_errno.h>

#define NODE_NR_MAX 1024

int
plat_core_node(unsigned core)
{
	char           path[64];
	struct dirent *entry;
	int            node = -1;
	DIR           *dir;

	snprintf(path, sizeof(path), "/sys/devices/system/cpu/cpu%u", core);
	dir = opendir(path);
	if (dir == NULL)
		return -1;
	while (node < 0 && (entry = readdir(dir)) != NULL)
		if (sscanf(entry->d_name, "node%d", &node) != 1)
			node = -1;
	closedir(dir);
	return node;
}

int
plat_core_list_at(const char *list, unsigned idx)
{
	while (*list >= '0' && *list <= '9') {
		char         *end;
		unsigned long first = strtoul(list, &end, 10);
		unsigned long last  = first;

		if (*end == '-')
			last = strtoul(end + 1, &end, 10);
		if (last < first)
			return -1;
		if (idx <= last - first)
			return first + idx;
		idx -= last - first + 1;
		list = *end == ',' ? end + 1 : end;
	}
	return -1;
}

int
plat_node_core(unsigned node, unsigned idx)
{
	char  path[64], list[4096];
	int   core = -1;
	FILE *f;

	snprintf(path, sizeof(path), "/sys/devices/system/node/node%u/cpulist", node);
	f = fopen(path, "r");
	if (f == NULL)
		return -1;
	if (fgets(list, sizeof(list), f) != NULL)
		core = plat_core_list_at(list, idx);
	fclose(f);
	return core;
}

int
plat_thread_memory_node(unsigned node)
{
	unsigned long mask[NODE_NR_MAX / (8 * sizeof(unsigned long))] = {0};

	if (node >= NODE_NR_MAX)
		return -DER_INVAL;
	mask[node / (8 * sizeof(mask[0]))] = 1UL << (node % (8 * sizeof(mask[0])));
	if (syscall(SYS_set_mempolicy, MPOL_PREFERRED, mask, NODE_NR_MAX + 1UL) == 0)
		return 0;
	return errno == ENOSYS ? -DER_NOSYS : errno == EPERM ? -DER_NO_PERM : -DER_INVAL;
}
