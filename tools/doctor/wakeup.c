/* SPDX-License-Identifier: MIT */
/*
 * wakeup.c - the price of a wake-up across CPUs, which a call to a sleeping worker pays twice. Two
 * processes on two CPUs pass a byte to and fro, with pauses in which a CPU falls asleep: how deep,
 * and how long it takes to wake, is up to the kernel's cpuidle. One round trip in ten is shorter
 * than the one that counts: the others may have met other load.
 */
#include "doctor.h"

#include <errno.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <signal.h>
#include <time.h>
#include <unistd.h>

#define ROUNDS   100
#define PAUSE_NS 500000
#define DEAR_NS  20000

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * UINT64_C(1000000000) + (uint64_t)now.tv_nsec;
}

static bool stay_on(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET((size_t)cpu, &set);
	return sched_setaffinity(0, sizeof set, &set) == 0;
}

/* Two CPUs of this process. False: it has but one. */
static bool two_cpus(const cpu_set_t *set, int ret[2])
{
	int found = 0;

	for (int i = 0; i < CPU_SETSIZE && found < 2; i++)
		if (CPU_ISSET((size_t)i, set))
			ret[found++] = i;
	return found == 2;
}

static void answer(int fd, int cpu)
{
	char byte;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (!stay_on(cpu))
		_exit(1);
	while (read(fd, &byte, 1) == 1 && write(fd, &byte, 1) == 1)
		;
	_exit(0);
}

static int compare(const void *a, const void *b)
{
	uint64_t left = *(const uint64_t *)a, right = *(const uint64_t *)b;

	return (left > right) - (left < right);
}

/* Half of a round trip; 0: the other side is gone. */
static uint64_t half_trip(int fd)
{
	const struct timespec pause = { 0, PAUSE_NS };
	uint64_t took[ROUNDS];
	char byte = 0;

	for (int i = 0; i < ROUNDS; i++) {
		nanosleep(&pause, NULL);
		took[i] = now_ns();
		if (write(fd, &byte, 1) != 1 || read(fd, &byte, 1) != 1)
			return 0;
		took[i] = now_ns() - took[i];
	}
	qsort(took, ROUNDS, sizeof took[0], compare);
	return took[ROUNDS / 10] / 2;
}

uint64_t wakeup_measure(void)
{
	cpu_set_t before;
	uint64_t ns = 0;
	int cpus[2], pair[2];
	pid_t pid;

	if (sched_getaffinity(0, sizeof before, &before) < 0 || !two_cpus(&before, cpus) ||
		socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
		return 0;
	fflush(NULL);
	pid = fork();
	if (pid == 0) {
		close(pair[0]);
		answer(pair[1], cpus[1]);
	}
	close(pair[1]);
	if (pid > 0 && stay_on(cpus[0]))
		ns = half_trip(pair[0]);
	close(pair[0]);
	while (pid > 0 && waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
	sched_setaffinity(0, sizeof before, &before);
	return ns;
}

/* The virtual machine polls before it lets a CPU go: a wake-up within that time is cheap. */
static bool guest_polls(const struct patient *p, bool *ret_there)
{
	uint64_t ns;

	*ret_there = where_number(
		&p->where, &ns, "/sys/module/haltpoll/parameters/guest_halt_poll_ns");
	return *ret_there && ns > 0;
}

void check_wakeup(const struct patient *p, uint64_t wakeup_ns, struct findings *f)
{
	static const char polls[] = "echo 200000 > "
				    "/sys/module/haltpoll/parameters/guest_halt_poll_ns, or calls "
				    "in batches (brood_submit)";
	static const char idles[] = "cpupower idle-set -D 20, a tuned profile such as "
				    "latency-performance, or calls in batches (brood_submit)";
	bool guest, polling = guest_polls(p, &guest);

	if (wakeup_ns > DEAR_NS)
		findings_add(f, NOTE, "cpuidle", guest ? polls : idles,
			"a wake-up across CPUs takes %.1f us here, for CPUs sleep deep: a call to "
			"a sleeping worker pays that twice",
			(double)wakeup_ns / 1e3);
	else if (guest && !polling)
		findings_add(f, NOTE, "cpuidle", polls,
			"guest_halt_poll_ns is 0: each wake-up of a CPU costs a way out of the "
			"virtual machine");
}
