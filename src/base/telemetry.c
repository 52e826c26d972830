/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/**
 * The owner's side. Invariants: 1. a node is complete before it is linked (release), so a reader
 * never sees half of one. 2. the statistics of a node change under its seq being odd; who finds it
 * odd waits, a few instructions. 3. memory is reserved in the segment before it is touched, so a
 * full /dev/shm is an error, not a SIGBUS.
 */
#include "base/telemetry_tree.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/errno_map.h"

#define BACKED_STEP_BYTES 65536
#define NS_PER_US         1000
#define NS_PER_SEC        1000000000ULL

/* ---- the segment ---- */

/** Replaces what a dead process left. */
static int
tm_shm_create(struct d_tm *tm, const char *name)
{
	tm->shm_fd = shm_open(name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0640);
	if (tm->shm_fd < 0 && errno == EEXIST) {
		if (shm_unlink(name) != 0)
			return errno == EACCES || errno == EPERM ? -DER_SHMEM_PERMS : -DER_NO_SHMEM;
		tm->shm_fd = shm_open(name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0640);
	}
	if (tm->shm_fd < 0)
		return errno == EINVAL || errno == ENAMETOOLONG ? -DER_INVAL : -DER_NO_SHMEM;
	snprintf(tm->shm_name, sizeof(tm->shm_name), "%s", name);
	return ftruncate(tm->shm_fd, tm->map_bytes) == 0 ? 0 : -DER_NO_SHMEM;
}

/** See that the first @bytes of the segment have memory. */
static int
tm_back(struct d_tm *tm, size_t bytes)
{
	size_t target = MIN_OF(align_up(bytes, BACKED_STEP_BYTES), tm->map_bytes);

	if (tm->shm_fd < 0 || bytes <= tm->backed_bytes)
		return 0;
	if (posix_fallocate(tm->shm_fd, tm->backed_bytes, target - tm->backed_bytes) != 0)
		return -DER_NO_SHMEM;
	tm->backed_bytes = target;
	return 0;
}

static int
tm_map(struct d_tm *tm)
{
	int   flags = tm->shm_fd < 0 ? MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE : MAP_SHARED;
	void *map;
	int   rc;

	map = mmap(NULL, tm->map_bytes, PROT_READ | PROT_WRITE, flags, tm->shm_fd, 0);
	if (map == MAP_FAILED)
		return -DER_NOMEM;
	tm->header = map;
	tm->nodes = (struct d_tm_node *)((char *)map + D_TM_HEADER_BYTES);
	rc = tm_back(tm, D_TM_HEADER_BYTES + sizeof(struct d_tm_node));
	if (rc != 0)
		return rc;
	tm->header->version = D_TM_VERSION;
	tm->header->node_max = tm->node_max;
	tm->header->pid = getpid();
	atomic_store(&tm->nodes[0].type, D_TM_DIRECTORY);
	atomic_store(&tm->header->node_nr, 1);
	__atomic_store_n(&tm->header->magic, D_TM_MAGIC, __ATOMIC_RELEASE);
	return 0;
}

int
d_tm_create(const char *shm_name, uint32_t node_max, const struct d_tm_clock *clock,
	    struct d_tm **ret_tm)
{
	struct d_tm *tm;
	int          rc = 0;

	if (shm_name != NULL && strlen(shm_name) >= sizeof(tm->shm_name))
		return -DER_INVAL;
	tm = calloc(1, sizeof(*tm));
	if (tm == NULL)
		return -DER_NOMEM;
	pthread_mutex_init(&tm->lock, NULL);
	tm->owner = true;
	tm->shm_fd = -1;
	tm->clock = *clock;
	tm->node_max = node_max == 0 ? D_TM_NODE_NR_DEFAULT : node_max;
	tm->map_bytes = D_TM_HEADER_BYTES + (size_t)tm->node_max * sizeof(struct d_tm_node);
	if (shm_name != NULL)
		rc = tm_shm_create(tm, shm_name);
	if (rc == 0)
		rc = tm_map(tm);
	if (rc != 0) {
		d_tm_destroy(tm);
		return rc;
	}
	*ret_tm = tm;
	return 0;
}

void
d_tm_destroy(struct d_tm *tm)
{
	if (tm == NULL)
		return;
	D_ASSERT(tm->owner);
	if (tm->header != NULL)
		munmap(tm->header, tm->map_bytes);
	if (tm->shm_fd >= 0)
		close(tm->shm_fd);
	if (tm->shm_name[0] != '\0')
		shm_unlink(tm->shm_name);
	pthread_mutex_destroy(&tm->lock);
	free(tm);
}

/* ---- the tree; with the lock held ---- */

static int
tm_node_alloc(struct d_tm *tm, uint32_t *ret_idx)
{
	uint32_t idx = tm->free_first;
	int      rc;

	if (idx != 0) {
		tm->free_first = atomic_load(&tm->nodes[idx].next);
	} else {
		idx = atomic_load(&tm->header->node_nr);
		if (idx >= tm->node_max)
			return -DER_NO_SHMEM;
		rc = tm_back(tm, D_TM_HEADER_BYTES + (idx + 1ULL) * sizeof(struct d_tm_node));
		if (rc != 0)
			return rc;
		atomic_store(&tm->header->node_nr, idx + 1);
	}
	memset(&tm->nodes[idx], 0, sizeof(tm->nodes[idx]));
	*ret_idx = idx;
	return 0;
}

/** Free @idx and all below; it is unlinked already. */
static void
tm_subtree_free(struct d_tm *tm, uint32_t idx)
{
	struct d_tm_node *node = &tm->nodes[idx];
	uint32_t          child = atomic_load(&node->first);

	while (child != 0) {
		uint32_t next = atomic_load(&tm->nodes[child].next);

		tm_subtree_free(tm, child);
		child = next;
	}
	atomic_store(&node->type, 0);
	atomic_store(&node->first, 0);
	atomic_store(&node->next, tm->free_first);
	tm->free_first = idx;
}

static int
tm_child_add(struct d_tm *tm, uint32_t parent_idx, const char *name, size_t name_len,
	     enum d_tm_type type, const char *desc, const char *units, uint32_t *ret_idx)
{
	struct d_tm_node *parent = &tm->nodes[parent_idx];
	struct d_tm_node *node;
	uint32_t          idx;
	int               rc = tm_node_alloc(tm, &idx);

	if (rc != 0)
		return rc;
	node = &tm->nodes[idx];
	memcpy(node->name, name, name_len);
	snprintf(node->desc, sizeof(node->desc), "%s", desc == NULL ? "" : desc);
	snprintf(node->units, sizeof(node->units), "%s", units == NULL ? "" : units);
	atomic_store(&node->type, type);
	if (parent->last == 0)
		atomic_store(&parent->first, idx);
	else
		atomic_store(&tm->nodes[parent->last].next, idx);
	parent->last = idx;
	*ret_idx = idx;
	return 0;
}

static void
tm_child_unlink(struct d_tm *tm, uint32_t parent_idx, uint32_t idx)
{
	struct d_tm_node *parent = &tm->nodes[parent_idx];
	uint32_t          prev = 0;
	uint32_t          at = atomic_load(&parent->first);

	while (at != idx) {
		D_ASSERT(at != 0);
		prev = at;
		at = atomic_load(&tm->nodes[at].next);
	}
	atomic_store(prev == 0 ? &parent->first : &tm->nodes[prev].next,
		     atomic_load(&tm->nodes[idx].next));
	if (parent->last == idx)
		parent->last = prev;
}

/** Every component fits, and there are neither none nor too many. */
static int
tm_path_check(const char *path)
{
	const char *name;
	size_t      len;
	unsigned    depth = 0;

	while (d_tm_path_next(&path, &name, &len)) {
		if (len >= D_TM_NAME_BYTES || ++depth >= D_TM_DEPTH_MAX)
			return -DER_EXCEEDS_PATH_LEN;
	}
	return depth == 0 ? -DER_INVAL : 0;
}

static int
tm_path_add(struct d_tm *tm, const char *path, enum d_tm_type type, const char *desc,
	    const char *units, uint32_t *ret_idx)
{
	const char *name;
	size_t      len;
	uint32_t    parent = 0;
	bool        more = d_tm_path_next(&path, &name, &len);

	while (more) {
		uint32_t       idx = d_tm_child_find(tm, parent, name, len);
		const char    *this_name = name;
		size_t         this_len = len;
		enum d_tm_type this_type;
		int            rc = 0;

		more = d_tm_path_next(&path, &name, &len);
		this_type = more ? D_TM_DIRECTORY : type;
		if (idx != 0 && atomic_load(&tm->nodes[idx].type) != this_type)
			return -DER_EXIST;
		if (idx == 0)
			rc = tm_child_add(tm, parent, this_name, this_len, this_type,
					  more ? NULL : desc, more ? NULL : units, &idx);
		if (rc != 0)
			return rc;
		parent = idx;
	}
	*ret_idx = parent;
	return 0;
}

int
d_tm_add_metric(struct d_tm *tm, struct d_tm_node **ret_node, enum d_tm_type type, const char *desc,
		const char *units, const char *path_fmt, ...)
{
	char     path[D_TM_PATH_BYTES];
	uint32_t idx;
	va_list  ap;
	int      rc;

	if (tm == NULL) {
		*ret_node = NULL;
		return 0;
	}
	if (!(type & D_TM_ALL) || (type & (type - 1)))
		return -DER_INVAL;
	va_start(ap, path_fmt);
	rc = vsnprintf(path, sizeof(path), path_fmt, ap);
	va_end(ap);
	if (rc < 0 || rc >= (int)sizeof(path))
		return -DER_EXCEEDS_PATH_LEN;
	rc = tm_path_check(path);
	if (rc != 0)
		return rc;
	pthread_mutex_lock(&tm->lock);
	rc = tm_path_add(tm, path, type, desc, units, &idx);
	pthread_mutex_unlock(&tm->lock);
	if (rc == 0)
		*ret_node = &tm->nodes[idx];
	return rc;
}

int
d_tm_remove(struct d_tm *tm, const char *path_fmt, ...)
{
	char     path[D_TM_PATH_BYTES];
	char    *slash;
	uint32_t parent = 0;
	uint32_t idx = 0;
	va_list  ap;
	int      rc;

	va_start(ap, path_fmt);
	rc = vsnprintf(path, sizeof(path), path_fmt, ap);
	va_end(ap);
	if (rc < 0 || rc >= (int)sizeof(path))
		return -DER_EXCEEDS_PATH_LEN;
	pthread_mutex_lock(&tm->lock);
	rc = d_tm_path_find(tm, path, &idx) && idx != 0 ? 0 : -DER_METRIC_NOT_FOUND;
	if (rc == 0) {
		slash = strrchr(path, '/');
		if (slash != NULL)
			*slash = '\0';
		D_ASSERT(slash == NULL || d_tm_path_find(tm, path, &parent));
		tm_child_unlink(tm, parent, idx);
		tm_subtree_free(tm, idx);
	}
	pthread_mutex_unlock(&tm->lock);
	return rc;
}

/* ---- updates ---- */

/** One more sample for the statistics (invariant 2). */
static void
tm_stats_add(struct d_tm_node *node, uint64_t sample)
{
	uint32_t seq = atomic_load_explicit(&node->seq, memory_order_relaxed);
	uint64_t n;

	for (;;) {
		if (seq & 1) {
			sched_yield();
			seq = atomic_load_explicit(&node->seq, memory_order_relaxed);
		} else if (atomic_compare_exchange_weak(&node->seq, &seq, seq + 1)) {
			break;
		}
	}
	n = atomic_load_explicit(&node->sample_nr, memory_order_relaxed);
	if (n == 0 || sample < atomic_load_explicit(&node->min, memory_order_relaxed))
		atomic_store_explicit(&node->min, sample, memory_order_relaxed);
	if (n == 0 || sample > atomic_load_explicit(&node->max, memory_order_relaxed))
		atomic_store_explicit(&node->max, sample, memory_order_relaxed);
	atomic_store_explicit(&node->sample_nr, n + 1, memory_order_relaxed);
	atomic_store_explicit(&node->sum,
			      atomic_load_explicit(&node->sum, memory_order_relaxed) + sample,
			      memory_order_relaxed);
	atomic_store_explicit(&node->sum_of_squares,
			      atomic_load_explicit(&node->sum_of_squares, memory_order_relaxed) +
				      (double)sample * (double)sample,
			      memory_order_relaxed);
	atomic_store_explicit(&node->seq, seq + 2, memory_order_release);
}

static bool
tm_is(struct d_tm_node *node, unsigned types)
{
	if (node == NULL)
		return false;
	D_ASSERT(atomic_load_explicit(&node->type, memory_order_relaxed) & types);
	return true;
}

static void
tm_gauge_sample(struct d_tm_node *node, uint64_t value)
{
	if (atomic_load_explicit(&node->type, memory_order_relaxed) == D_TM_STATS_GAUGE)
		tm_stats_add(node, value);
}

void
d_tm_inc_counter(struct d_tm_node *node, uint64_t n)
{
	if (tm_is(node, D_TM_COUNTER))
		atomic_fetch_add_explicit(&node->value, n, memory_order_relaxed);
}

void
d_tm_set_counter(struct d_tm_node *node, uint64_t value)
{
	if (tm_is(node, D_TM_COUNTER))
		atomic_store_explicit(&node->value, value, memory_order_relaxed);
}

void
d_tm_set_gauge(struct d_tm_node *node, uint64_t value)
{
	if (!tm_is(node, D_TM_GAUGE | D_TM_STATS_GAUGE))
		return;
	atomic_store_explicit(&node->value, value, memory_order_relaxed);
	tm_gauge_sample(node, value);
}

void
d_tm_inc_gauge(struct d_tm_node *node, uint64_t n)
{
	if (tm_is(node, D_TM_GAUGE | D_TM_STATS_GAUGE))
		tm_gauge_sample(node, atomic_fetch_add_explicit(&node->value, n,
								memory_order_relaxed) + n);
}

void
d_tm_dec_gauge(struct d_tm_node *node, uint64_t n)
{
	if (tm_is(node, D_TM_GAUGE | D_TM_STATS_GAUGE))
		tm_gauge_sample(node, atomic_fetch_sub_explicit(&node->value, n,
								memory_order_relaxed) - n);
}

void
d_tm_record_timestamp(struct d_tm *tm, struct d_tm_node *node)
{
	if (tm_is(node, D_TM_TIMESTAMP))
		atomic_store_explicit(&node->value, tm->clock.realtime_ns() / NS_PER_SEC,
				      memory_order_relaxed);
}

uint64_t
d_tm_now_ns(struct d_tm *tm)
{
	return tm == NULL ? 0 : tm->clock.now_ns();
}

void
d_tm_record_duration(struct d_tm *tm, struct d_tm_node *node, uint64_t start_ns)
{
	uint64_t us;

	if (!tm_is(node, D_TM_DURATION))
		return;
	us = (tm->clock.now_ns() - start_ns) / NS_PER_US;
	atomic_store_explicit(&node->value, us, memory_order_relaxed);
	tm_stats_add(node, us);
}
