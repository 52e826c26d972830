/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/** The machine itself: clocks, the kernel's random numbers, pthreads. */
#include "platform/platform.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>
#include "base/errno_map.h"

struct plat_thread {
	pthread_t id;
	void    (*fn)(void *arg);
	void     *arg;
	char      name[16];
};

static uint64_t
clock_read_ns(clockid_t clock)
{
	struct timespec ts;

	D_ASSERT(clock_gettime(clock, &ts) == 0);
	return ts.tv_sec * NSEC_PER_SEC + ts.tv_nsec;
}

uint64_t
plat_now_ns(void)
{
	return clock_read_ns(CLOCK_MONOTONIC);
}

uint64_t
plat_realtime_ns(void)
{
	return clock_read_ns(CLOCK_REALTIME);
}

void
plat_random_bytes(void *buf, size_t len)
{
	char *p = buf;

	while (len > 0) {
		ssize_t n = getrandom(p, len, 0);

		D_ASSERT(n > 0 || errno == EINTR);
		if (n > 0) {
			p += n;
			len -= n;
		}
	}
}

uint64_t
plat_random(void)
{
	uint64_t bits;

	plat_random_bytes(&bits, sizeof(bits));
	return bits;
}

void
plat_uuid_generate(unsigned char uuid[16])
{
	plat_random_bytes(uuid, 16);
	uuid[6] = (uuid[6] & 0x0f) | 0x40; /* version 4: random */
	uuid[8] = (uuid[8] & 0x3f) | 0x80; /* variant of RFC 4122 */
}

static void *
plat_thread_main(void *arg)
{
	struct plat_thread *thread = arg;

	pthread_setname_np(pthread_self(), thread->name);
	thread->fn(thread->arg);
	return NULL;
}

/** The new thread inherits the mask of its creator, so the creator's is changed for the moment. */
static int
plat_thread_start(struct plat_thread *thread)
{
	static const int faults[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGTRAP, SIGSYS};
	sigset_t         blocked;
	sigset_t         saved;
	int              err;

	sigfillset(&blocked);
	for (size_t i = 0; i < ARRAY_NR(faults); i++)
		sigdelset(&blocked, faults[i]);
	pthread_sigmask(SIG_SETMASK, &blocked, &saved);
	err = pthread_create(&thread->id, NULL, plat_thread_main, thread);
	pthread_sigmask(SIG_SETMASK, &saved, NULL);
	return daos_errno2der(err);
}

int
plat_thread_create(const char *name, void (*fn)(void *arg), void *arg,
		   struct plat_thread **ret_thread)
{
	struct plat_thread *thread = calloc(1, sizeof(*thread));
	int                 rc;

	if (thread == NULL)
		return -DER_NOMEM;
	thread->fn = fn;
	thread->arg = arg;
	strncpy(thread->name, name, sizeof(thread->name) - 1);
	rc = plat_thread_start(thread);
	if (rc != 0) {
		free(thread);
		return rc;
	}
	*ret_thread = thread;
	return 0;
}

void
plat_thread_join(struct plat_thread *thread)
{
	D_ASSERT(pthread_join(thread->id, NULL) == 0);
	free(thread);
}

int
plat_thread_bind(unsigned core)
{
	cpu_set_t set;

	if (core >= CPU_SETSIZE)
		return -DER_INVAL;
	CPU_ZERO(&set);
	CPU_SET(core, &set);
	if (pthread_setaffinity_np(pthread_self(), sizeof(set), &set) != 0)
		return -DER_NO_PERM;
	return 0;
}

unsigned
plat_core_nr(void)
{
	cpu_set_t set;

	if (sched_getaffinity(0, sizeof(set), &set) == 0)
		return CPU_COUNT(&set);
	return MAX_OF(sysconf(_SC_NPROCESSORS_ONLN), 1L);
}
