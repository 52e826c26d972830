/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/** Reading a metrics segment. Nothing in it is trusted: see telemetry_tree.h. */
#include "base/telemetry_tree.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <daos_errno.h>

#define READ_TRY_NR 1000

bool
d_tm_path_next(const char **path, const char **ret_name, size_t *ret_len)
{
	*path += strspn(*path, "/");
	if (**path == '\0')
		return false;
	*ret_name = *path;
	*ret_len = strcspn(*path, "/");
	*path += *ret_len;
	return true;
}

uint32_t
d_tm_child_find(struct d_tm *tm, uint32_t parent_idx, const char *name, size_t name_len)
{
	uint32_t idx = atomic_load(&tm->nodes[parent_idx].first);
	uint32_t step_nr = 0;

	while (idx != 0 && idx < tm->node_max && step_nr++ < tm->node_max) {
		const char *text = tm->nodes[idx].name;

		if (strnlen(text, D_TM_NAME_BYTES) == name_len && memcmp(text, name, name_len) == 0)
			return idx;
		idx = atomic_load(&tm->nodes[idx].next);
	}
	return 0;
}

bool
d_tm_path_find(struct d_tm *tm, const char *path, uint32_t *ret_idx)
{
	const char *name;
	size_t      len;
	uint32_t    idx = 0;

	while (d_tm_path_next(&path, &name, &len)) {
		idx = d_tm_child_find(tm, idx, name, len);
		if (idx == 0)
			return false;
	}
	*ret_idx = idx;
	return true;
}

static int
tm_header_check(const struct d_tm_header *header, size_t map_bytes)
{
	if (__atomic_load_n(&header->magic, __ATOMIC_ACQUIRE) != D_TM_MAGIC)
		return -DER_DF_INVAL;
	if (header->version != D_TM_VERSION)
		return -DER_DF_INCOMPT;
	if (header->node_max == 0 ||
	    D_TM_HEADER_BYTES + (uint64_t)header->node_max * sizeof(struct d_tm_node) > map_bytes)
		return -DER_DF_INVAL;
	return 0;
}

static int
tm_reader_map(struct d_tm *tm, int fd)
{
	struct stat st;
	void       *map;
	int         rc;

	if (fstat(fd, &st) != 0 || st.st_size < D_TM_HEADER_BYTES)
		return -DER_DF_INVAL;
	map = mmap(NULL, st.st_size, PROT_READ, MAP_SHARED, fd, 0);
	if (map == MAP_FAILED)
		return -DER_NOMEM;
	rc = tm_header_check(map, st.st_size);
	if (rc != 0) {
		munmap(map, st.st_size);
		return rc;
	}
	tm->header = map;
	tm->map_bytes = st.st_size;
	tm->node_max = tm->header->node_max;
	tm->nodes = (struct d_tm_node *)((char *)map + D_TM_HEADER_BYTES);
	return 0;
}

int
d_tm_open(const char *shm_name, struct d_tm **ret_tm)
{
	int          fd = shm_open(shm_name, O_RDONLY | O_CLOEXEC, 0);
	struct d_tm *tm;
	int          rc;

	if (fd < 0)
		return errno == EACCES ? -DER_SHMEM_PERMS : -DER_METRIC_NOT_FOUND;
	tm = calloc(1, sizeof(*tm));
	rc = tm == NULL ? -DER_NOMEM : tm_reader_map(tm, fd);
	close(fd);
	if (rc != 0) {
		free(tm);
		return rc;
	}
	tm->shm_fd = -1;
	*ret_tm = tm;
	return 0;
}

void
d_tm_close(struct d_tm *tm)
{
	if (tm == NULL)
		return;
	D_ASSERT(!tm->owner);
	munmap(tm->header, tm->map_bytes);
	free(tm);
}

int
d_tm_find(struct d_tm *tm, const char *path, struct d_tm_node **ret_node)
{
	uint32_t idx;

	if (!d_tm_path_find(tm, path, &idx))
		return -DER_METRIC_NOT_FOUND;
	*ret_node = &tm->nodes[idx];
	return 0;
}

/** One attempt at the statistics; false when they changed meanwhile. */
static bool
tm_stats_read(const struct d_tm_node *node, struct d_tm_value *v, double *ret_squares)
{
	uint32_t seq = atomic_load_explicit(&node->seq, memory_order_acquire);

	v->sample_nr = atomic_load_explicit(&node->sample_nr, memory_order_acquire);
	v->min = atomic_load_explicit(&node->min, memory_order_acquire);
	v->max = atomic_load_explicit(&node->max, memory_order_acquire);
	v->sum = atomic_load_explicit(&node->sum, memory_order_acquire);
	*ret_squares = atomic_load_explicit(&node->sum_of_squares, memory_order_acquire);
	return !(seq & 1) && atomic_load_explicit(&node->seq, memory_order_relaxed) == seq;
}

void
d_tm_read(const struct d_tm_node *node, struct d_tm_value *ret_value)
{
	struct d_tm_value v = {0};
	double            squares = 0;
	double            variance;

	v.type = atomic_load(&node->type);
	v.value = atomic_load(&node->value);
	if (v.type == D_TM_STATS_GAUGE || v.type == D_TM_DURATION) {
		/* The owner may have died in the middle: after some tries, take what is there. */
		for (int i = 0; i < READ_TRY_NR && !tm_stats_read(node, &v, &squares); i++)
			;
	}
	if (v.sample_nr > 0)
		v.mean = (double)v.sum / v.sample_nr;
	if (v.sample_nr > 1) {
		variance = (squares - v.mean * v.sum) / (v.sample_nr - 1);
		v.std_dev = variance > 0 ? sqrt(variance) : 0;
	}
	*ret_value = v;
}

/** A walk in progress. */
struct tm_walk {
	struct d_tm *tm;
	unsigned     types;
	int        (*fn)(const struct d_tm_visit *visit, void *arg);
	void        *arg;
	uint32_t     step_nr; /**< bounds a damaged or changing tree */
	char         path[D_TM_PATH_BYTES];
};

static int
tm_walk_node(struct tm_walk *walk, uint32_t idx, size_t path_len, unsigned depth)
{
	struct d_tm_node *node = &walk->tm->nodes[idx];
	char              name[D_TM_NAME_BYTES + 1] = "";
	char              desc[D_TM_DESC_BYTES + 1] = "";
	char              units[D_TM_UNITS_BYTES + 1] = "";
	struct d_tm_visit visit = {walk->path, name, desc, units, atomic_load(&node->type), depth, node};

	if (!(visit.type & walk->types))
		return 0;
	walk->path[path_len] = '\0';
	memcpy(name, node->name, D_TM_NAME_BYTES);
	memcpy(desc, node->desc, D_TM_DESC_BYTES);
	memcpy(units, node->units, D_TM_UNITS_BYTES);
	return walk->fn(&visit, walk->arg);
}

static int
tm_walk(struct tm_walk *walk, uint32_t idx, size_t path_len, unsigned depth)
{
	struct d_tm *tm = walk->tm;
	int          rc = tm_walk_node(walk, idx, path_len, depth);
	uint32_t     child = atomic_load(&tm->nodes[idx].first);

	if (depth >= D_TM_DEPTH_MAX)
		return rc;
	while (rc == 0 && child != 0 && child < tm->node_max && walk->step_nr++ < tm->node_max) {
		const char *name = tm->nodes[child].name;
		size_t      room = sizeof(walk->path) - path_len;
		int         len;

		len = snprintf(walk->path + path_len, room, "%s%.*s", path_len > 0 ? "/" : "",
			       D_TM_NAME_BYTES, name);
		if (len > 0 && (size_t)len < room)
			rc = tm_walk(walk, child, path_len + len, depth + 1);
		child = atomic_load(&tm->nodes[child].next);
	}
	return rc;
}

int
d_tm_foreach(struct d_tm *tm, const char *path, unsigned types,
	     int (*fn)(const struct d_tm_visit *visit, void *arg), void *arg)
{
	struct tm_walk walk = {.tm = tm, .types = types, .fn = fn, .arg = arg};
	const char    *rest = path;
	const char    *name;
	size_t         len;
	size_t         path_len = 0;
	uint32_t       idx;

	if (strlen(path) >= sizeof(walk.path))
		return -DER_EXCEEDS_PATH_LEN;
	if (!d_tm_path_find(tm, path, &idx))
		return -DER_METRIC_NOT_FOUND;
	while (d_tm_path_next(&rest, &name, &len))
		path_len += snprintf(walk.path + path_len, sizeof(walk.path) - path_len, "%s%.*s",
				     path_len > 0 ? "/" : "", (int)len, name);
	return tm_walk(&walk, idx, path_len, 0);
}
