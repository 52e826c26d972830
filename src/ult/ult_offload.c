/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/**
 * Helper threads for calls that block. Each xstream has its own, created when a job finds none idle
 * and kept until the xstream ends; past ULT_OFFLOAD_NR_MAX jobs queue.
 */
#include "ult/ult_internal.h"

struct offload_job {
	d_list_t            link;
	int               (*fn)(void *arg);
	void               *arg;
	struct ult_eventual done;
};

void
ult_offload_init(struct ult_offload_pool *pool)
{
	ult_mutex_init(&pool->lock);
	ult_cond_init(&pool->work);
	d_list_init(&pool->jobs);
	pool->thread_nr = 0;
	pool->idle_nr = 0;
	pool->stopping = false;
}

/** A helper; a plain thread, where the waits below block it. */
static MAY_YIELD void
offload_main(void *arg)
{
	struct ult_offload_pool *pool = arg;

	ult_mutex_lock(&pool->lock);
	for (;;) {
		struct offload_job *job = d_list_first(&pool->jobs, struct offload_job, link);

		if (job != NULL) {
			d_list_del(&job->link);
			ult_mutex_unlock(&pool->lock);
			ult_eventual_set(&job->done, job->fn(job->arg));
			ult_mutex_lock(&pool->lock);
		} else if (pool->stopping) {
			break;
		} else {
			pool->idle_nr++;
			ult_cond_wait(&pool->work, &pool->lock);
			pool->idle_nr--;
		}
	}
	ult_mutex_unlock(&pool->lock);
}

/** With the lock held: see that somebody will take the jobs queued. */
static int
offload_thread_add(struct ult_offload_pool *pool)
{
	int rc = plat_thread_create("ult_offload", offload_main, pool,
				    &pool->threads[pool->thread_nr]);

	if (rc == 0)
		pool->thread_nr++;
	return pool->thread_nr > 0 ? 0 : rc;
}

MAY_YIELD int
ult_offload(int (*fn)(void *arg), void *arg)
{
	struct offload_job       job = {.fn = fn, .arg = arg};
	struct ult_offload_pool *pool;
	unsigned                 queued_nr = 1;
	d_list_t                *link;
	int                      rc = 0;

	if (ult_self() == NULL)
		return fn(arg); /* a thread of its own to block */
	pool = &ult_xs_self()->offload;
	ult_eventual_init(&job.done);
	ult_mutex_lock(&pool->lock);
	for (link = pool->jobs.next; link != &pool->jobs; link = link->next)
		queued_nr++;
	if (queued_nr > pool->idle_nr && pool->thread_nr < ULT_OFFLOAD_NR_MAX)
		rc = offload_thread_add(pool);
	if (rc == 0) {
		d_list_add_tail(&job.link, &pool->jobs);
		ult_cond_signal(&pool->work);
	}
	ult_mutex_unlock(&pool->lock);
	return rc != 0 ? rc : ult_eventual_wait(&job.done);
}

MAY_YIELD void
ult_offload_fini(struct ult_offload_pool *pool)
{
	ult_mutex_lock(&pool->lock);
	D_ASSERT(d_list_empty(&pool->jobs));
	pool->stopping = true;
	ult_cond_broadcast(&pool->work);
	ult_mutex_unlock(&pool->lock);
	for (unsigned i = 0; i < pool->thread_nr; i++)
		plat_thread_join(pool->threads[i]);
}
