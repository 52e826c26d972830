/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/** Xstreams: made, run as a thread or on the caller's, and their end. What they do is in ult_sched.c. */
#define D_LOGFAC LOG_FAC_ULT
#include "ult/ult_internal.h"

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sched.h>
#include "base/log.h"

void
ult_xs_set_data(struct ult_xs *xs, void *data)
{
	xs->data = data;
}

void *
ult_xs_get_data(struct ult_xs *xs)
{
	return xs->data;
}

void
ult_xs_get_stats(struct ult_xs *xs, struct ult_xs_stats *ret_stats)
{
	ret_stats->cycle_nr = atomic_load_explicit(&xs->cycle_nr, memory_order_relaxed);
	ret_stats->switch_nr = atomic_load_explicit(&xs->switch_nr, memory_order_relaxed);
	ret_stats->block_nr = atomic_load_explicit(&xs->block_nr, memory_order_relaxed);
	ret_stats->handover_nr = atomic_load_explicit(&xs->handover_nr, memory_order_relaxed);
	for (int pool = 0; pool < ULT_POOL_NR; pool++)
		ret_stats->run_ns[pool] = atomic_load_explicit(&xs->run_ns[pool], memory_order_relaxed);
	ret_stats->run_max_ns = atomic_load_explicit(&xs->run_max_ns, memory_order_relaxed);
}

bool
ult_xs_running(struct ult_xs *xs, ult_fn_t *ret_fn, uint64_t *ret_since_ns)
{
	uint64_t since = atomic_load(&xs->run_since_ns);

	*ret_since_ns = since;
	*ret_fn = atomic_load(&xs->run_fn);
	return since != 0 && atomic_load(&xs->run_since_ns) == since; /* else another has begun in between */
}

void
ult_fn_name(ult_fn_t fn, char *buf, size_t buf_bytes)
{
	Dl_info     info;
	const char *file;

	if (dladdr((void *)fn, &info) == 0 || info.dli_fname == NULL) {
		snprintf(buf, buf_bytes, "%p", (void *)fn);
		return;
	}
	file = strrchr(info.dli_fname, '/');
	if (info.dli_saddr == (void *)fn && info.dli_sname != NULL)
		snprintf(buf, buf_bytes, "%s", info.dli_sname);
	else
		snprintf(buf, buf_bytes, "%s+%#lx", file == NULL ? info.dli_fname : file + 1,
			 (unsigned long)((char *)fn - (char *)info.dli_fbase));
}

static int
xs_fds_open(struct ult_xs *xs)
{
	xs->pollset_fd = plat_pollset_open();
	if (xs->pollset_fd < 0)
		return xs->pollset_fd;
	xs->event_fd = plat_event_open();
	if (xs->event_fd < 0)
		return xs->event_fd;
	return plat_pollset_add(xs->pollset_fd, xs->event_fd, NULL);
}

static void
xs_free(struct ult_xs *xs)
{
	while (atomic_load(&xs->pin_nr) != 0) /* invariant 4; a few instructions of another thread */
		sched_yield();
	plat_fd_close(xs->pollset_fd);
	plat_fd_close(xs->event_fd);
	free(xs);
}

static int
xs_alloc(const struct ult_xs_attr *attr, struct ult_xs **ret_xs)
{
	struct ult_xs *xs = aligned_alloc(64, align_up(sizeof(*xs), 64));
	int            rc;

	if (xs == NULL)
		return -DER_NOMEM;
	memset(xs, 0, sizeof(*xs));
	xs->pollset_fd = -1;
	xs->event_fd = -1;
	for (int pool = 0; pool < ULT_POOL_NR; pool++)
		d_list_init(&xs->ready[pool]);
	d_list_init(&xs->pollers);
	xs->stack_bytes = attr->stack_bytes == 0 ? ULT_STACK_BYTES_DEFAULT : attr->stack_bytes;
	xs->map_bytes = ult_map_bytes(xs->stack_bytes);
	xs->core = attr->core;
	xs->accounts = attr->accounts;
	xs->long_ns = attr->long_ns;
	xs->stack_nr = MIN_OF(attr->stack_nr, ULT_STACK_CACHE_MAX);
	d_spin_init(&xs->spin, attr->spin_ns_max == 0 ? ULT_SPIN_NS_DEFAULT : attr->spin_ns_max);
	if (!PLAT_SPIN_PAYS)
		d_spin_init(&xs->spin, 0);
	if (attr->name != NULL)
		strncpy(xs->name, attr->name, sizeof(xs->name) - 1);
	ult_offload_init(&xs->offload);
	rc = xs_fds_open(xs);
	if (rc != 0) {
		xs_free(xs);
		return rc;
	}
	*ret_xs = xs;
	return 0;
}

/** On its core, and with memory from that core's node, where the machine allows it. */
static void
xs_bind(const struct ult_xs *xs)
{
	int rc = plat_thread_bind(xs->core);
	int node;

	if (rc != 0) {
		D_NOTE("xstream %s is not bound to core %d: " DF_RC
		       "; it runs on any core the machine allows", xs->name, xs->core, DP_RC(rc));
		return;
	}
	node = plat_core_node(xs->core);
	rc   = node < 0 ? 0 : plat_thread_memory_node(node);
	if (rc != 0)
		D_NOTE("xstream %s has memory of any NUMA node, not node %d's first: " DF_RC, xs->name, node,
		       DP_RC(rc));
}

/** As many as there is memory for: those that lack are made when they are needed. */
static void
stacks_make(struct ult_xs *xs)
{
	struct ult *ult;

	while (xs->cache_nr < xs->stack_nr && (ult = ult_map(xs->map_bytes)) != NULL) {
		ult->handover_next = xs->cache;
		xs->cache = ult;
		xs->cache_nr++;
	}
}

static MAY_YIELD void
xs_main(void *arg)
{
	struct ult_xs *xs = arg;
	struct ult    *ult;

	D_ASSERT(ult_xs_self() == NULL);
	if (xs->core >= 0)
		xs_bind(xs);
	stacks_make(xs);
	ult_sched_run(xs);
	ult_offload_fini(&xs->offload);
	while ((ult = xs->cache) != NULL) {
		xs->cache = ult->handover_next;
		ult_unmap(ult);
	}
}

int
ult_xs_create(const struct ult_xs_attr *attr, ult_fn_t init, void *arg, struct ult_xs **ret_xs)
{
	struct ult_xs *xs;
	int            rc = xs_alloc(attr, &xs);

	if (rc != 0)
		return rc;
	if (init != NULL)
		rc = ult_create(xs, ULT_POOL_GENERIC, init, arg, 0, NULL);
	if (rc == 0)
		rc = plat_thread_create(xs->name, xs_main, xs, &xs->thread);
	if (rc != 0) {
		struct ult *ult = atomic_load(&xs->handover);

		if (ult != NULL) {
			ult_ctx_drop(ult);
			ult_unmap(ult);
		}
		xs_free(xs);
		return rc;
	}
	*ret_xs = xs;
	return 0;
}

void
ult_xs_stop(struct ult_xs *xs)
{
	D_ASSERT(xs != ult_xs_self() && xs->thread != NULL);
	atomic_store(&xs->stopping, true);
	ult_sched_wake(xs);
	plat_thread_join(xs->thread);
	xs_free(xs);
}

MAY_YIELD int
ult_xs_run(const struct ult_xs_attr *attr, ult_fn_t fn, void *arg)
{
	struct ult_xs *xs;
	int            rc = xs_alloc(attr, &xs);

	if (rc != 0)
		return rc;
	rc = ult_create(xs, ULT_POOL_GENERIC, fn, arg, 0, NULL);
	if (rc == 0) {
		atomic_store(&xs->stopping, true);
		xs_main(xs);
	}
	xs_free(xs);
	return rc;
}
