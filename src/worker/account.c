/* SPDX-License-Identifier: MIT */
/*
 * account.c - what one job used, where the pool's options ask for that. CPU: the process's clock
 * before and after, so all threads of a job count. Memory: the kernel's peak of resident memory,
 * which is set back to the present figure by writing 5 to /proc/self/clear_refs.
 */
#include "account.h"

#include "../os/fds.h"

#include <brood.h>

#include <fcntl.h>
#include <sys/resource.h>

AT_BIRTH static struct {
	bool cpu;
	/* /proc/self/clear_refs, to set the peak of memory back; -1: memory is not accounted */
	int refs_fd;
	struct identity refs;
	bool suspect;
	uint64_t cpu_ns;
} account = { .refs_fd = -1 };

AT_BIRTH bool account_wanted;

/*
 * Opens the file before worker_init, which may hide /proc, and before the fds are counted that the
 * worker has when it is ready: the file stays open for life and is no residue of a job.
 */
void account_ready(uint32_t flags)
{
	account.cpu = flags & BROOD_ACCOUNT_CPU;
	account.refs_fd = flags & BROOD_ACCOUNT_MEMORY
		? open("/proc/self/clear_refs", O_WRONLY | O_CLOEXEC)
		: -1;
	if (account.refs_fd >= 0 && identity_get(account.refs_fd, &account.refs) < 0)
		account.refs_fd = close_fd(account.refs_fd);
	account_wanted = account.cpu || account.refs_fd >= 0;
	/* worker_init may put another file at the number of refs_fd: look before the first use. */
	account.suspect = true;
}

void account_suspect(void) { account.suspect = true; }

static uint64_t cpu_ns(void)
{
	struct timespec ts = { 0 };

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);
	return (uint64_t)ts.tv_sec * NS_PER_S + (uint64_t)ts.tv_nsec;
}

void account_begin(void)
{
	if (account.refs_fd >= 0 && account.suspect && !identity_is(account.refs_fd, &account.refs))
		account.refs_fd = -1;
	account.suspect = false;
	if (account.refs_fd >= 0 && pwrite(account.refs_fd, "5", 1, 0) != 1)
		account.refs_fd = close_fd(account.refs_fd);
	if (account.cpu)
		account.cpu_ns = cpu_ns();
}

static uint64_t peak_kb(void)
{
	struct rusage usage;

	return getrusage(RUSAGE_SELF, &usage) == 0 ? (uint64_t)usage.ru_maxrss : 0;
}

struct usage account_end(void)
{
	return (struct usage){ .cpu_us = account.cpu ? (cpu_ns() - account.cpu_ns) / NS_PER_US : 0,
		.peak_kb = account.refs_fd >= 0 ? peak_kb() : 0 };
}
