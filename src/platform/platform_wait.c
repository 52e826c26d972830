/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/** What threads block on, and memory from the machine: the kernel's descriptors, futexes and mappings. */
#include "platform/platform.h"

#include <errno.h>
#include <linux/futex.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>
#include "base/errno_map.h"

static struct timespec
to_timespec(uint64_t ns)
{
	return (struct timespec){.tv_sec = ns / NSEC_PER_SEC, .tv_nsec = ns % NSEC_PER_SEC};
}

static int
fd_or_error(int fd)
{
	return fd >= 0 ? fd : daos_errno2der(errno);
}

void
plat_fd_close(int fd)
{
	if (fd >= 0)
		close(fd);
}

/* ---- events and alarms ---- */

int
plat_event_open(void)
{
	return fd_or_error(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC));
}

bool
plat_event_set(int fd)
{
	static const uint64_t one = 1;

	return write(fd, &one, sizeof(one)) == sizeof(one);
}

bool
plat_event_clear(int fd)
{
	uint64_t count;

	return read(fd, &count, sizeof(count)) == sizeof(count);
}

int
plat_alarm_open(void)
{
	return fd_or_error(timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC));
}

bool
plat_alarm_set(int fd, uint64_t at_ns)
{
	struct itimerspec its = {.it_value = to_timespec(at_ns)};

	return timerfd_settime(fd, TFD_TIMER_ABSTIME, &its, NULL) == 0;
}

bool
plat_alarm_clear(int fd)
{
	return plat_event_clear(fd);
}

/* ---- waiting ---- */

int
plat_pollset_open(void)
{
	return fd_or_error(epoll_create1(EPOLL_CLOEXEC));
}

int
plat_pollset_add(int set, int fd, void *ptr)
{
	struct epoll_event event = {.events = EPOLLIN, .data.ptr = ptr};

	return epoll_ctl(set, EPOLL_CTL_ADD, fd, &event) == 0 ? 0 : daos_errno2der(errno);
}

void
plat_pollset_del(int set, int fd)
{
	(void)epoll_ctl(set, EPOLL_CTL_DEL, fd, NULL);
}

int
plat_pollset_wait(int set, uint64_t timeout_ns, void **ret_ptrs, int nr_max)
{
	struct epoll_event events[PLAT_POLLSET_EVENT_MAX];
	struct timespec    ts = to_timespec(timeout_ns);
	bool               forever = timeout_ns == PLAT_WAIT_FOREVER;
	int                nr;

	D_ASSERT(nr_max <= PLAT_POLLSET_EVENT_MAX);
	nr = epoll_pwait2(set, events, nr_max, forever ? NULL : &ts, NULL);
	if (nr < 0 && errno == ENOSYS) { /* kernels before 5.11 */
		uint64_t ms = MIN_OF(timeout_ns / NSEC_PER_MSEC + 1, (uint64_t)60000);

		nr = epoll_wait(set, events, nr_max, forever ? -1 : (int)ms);
	}
	D_ASSERT(nr >= 0 || errno == EINTR);
	for (int i = 0; i < nr; i++)
		ret_ptrs[i] = events[i].data.ptr;
	return MAX_OF(nr, 0);
}

void
plat_fds_wait(const int *fds, int nr, uint64_t timeout_ns)
{
	struct pollfd   pfds[PLAT_FDS_WAIT_MAX];
	struct timespec ts = to_timespec(timeout_ns);

	D_ASSERT(nr <= PLAT_FDS_WAIT_MAX);
	for (int i = 0; i < nr; i++)
		pfds[i] = (struct pollfd){.fd = fds[i], .events = POLLIN};
	(void)ppoll(pfds, nr, timeout_ns == PLAT_WAIT_FOREVER ? NULL : &ts, NULL);
}

void
plat_futex_wait(uint32_t *word, uint32_t value, uint64_t timeout_ns)
{
	struct timespec ts = to_timespec(timeout_ns);

	syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, value,
		timeout_ns == PLAT_WAIT_FOREVER ? NULL : &ts, NULL, 0);
}

void
plat_futex_wake(uint32_t *word)
{
	syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
}

/* ---- memory ---- */

void *
plat_map(size_t bytes)
{
	void *map = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
			 -1, 0);

	return map == MAP_FAILED ? NULL : map;
}

void
plat_map_back(void *pages, size_t bytes)
{
	(void)madvise(pages, bytes, MADV_POPULATE_WRITE);
}

uint64_t
plat_memory_bytes(void)
{
	return (uint64_t)sysconf(_SC_PHYS_PAGES) * plat_page_bytes();
}

void *
plat_map_stack(size_t bytes)
{
	void *map = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_STACK, -1, 0);

	if (map == MAP_FAILED)
		return NULL;
	if (mprotect(map, plat_page_bytes(), PROT_NONE) == 0)
		return map;
	munmap(map, bytes);
	return NULL;
}

void
plat_unmap(void *map, size_t bytes)
{
	D_ASSERT(munmap(map, bytes) == 0);
}

size_t
plat_page_bytes(void)
{
	return sysconf(_SC_PAGESIZE);
}
