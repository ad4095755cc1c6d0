/* SPDX-License-Identifier: MIT */
/*
 * idle.c - shows that no process does anything when there is nothing to do. It counts how often any
 * thread of the tree was put on a CPU while the pool was idle (schedstat, third figure). A process
 * makes a system call only when it runs, and a sleeping process must be put on a CPU for that. So a
 * count of 0 means no system call. The library has no thread of its own in the engine: it can only
 * wake the program's event loop by the fd that it gave to this loop, and these wake-ups count, too.
 */
#include "bench.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#define WARM_JOBS 2000u
#define SETTLE_MS 20000u

static struct brood *brood;
static int epoll = -1;

/* ---- what went before ---- */

static void finish(uint32_t left)
{
	const struct brood_result *results[64];

	while (left) {
		int count = brood_take(brood_own_queue(brood), results, 64);

		if (!count && brood_queue_wait(brood_own_queue(brood), SETTLE_MS) <= 0)
			station_fail("brood_queue_wait: %s", brood_error());
		for (int i = 0; i < count; i++)
			pool_check(&results[i]->verdict, results[i]->verdict.id, 0);
		left -= count > 0 ? (uint32_t)count : 0;
	}
}

static void work(const struct params *p)
{
	unsigned char message[MESSAGE_SIZE];

	for (uint32_t given = 0; given < WARM_JOBS; given += p->out) {
		for (uint32_t i = 0; i < p->out; i++) {
			message_fill(message, i);
			if (brood_submit(brood, job_echo, message, sizeof message, NULL, NULL))
				station_fail("brood_submit: %s", brood_error());
		}
		finish(p->out);
	}
}

/*
 * Waits until all workers are idle; with leases that are kept, until no job is queued and a worker
 * is on lease.
 */
static void settle(const struct params *p)
{
	uint64_t give_up = now_ns() + SETTLE_MS * 1000000ull;
	struct brood_stats stats;

	for (;;) {
		brood_dispatch(brood);
		brood_stats(brood, &stats);
		if (!stats.queued && (p->kept ? stats.leased > 0 : stats.idle == p->workers))
			break;
		if (now_ns() > give_up)
			station_fail(
				"the pool does not come to rest: %u busy, %u on lease, %u queued",
				stats.busy, stats.leased, stats.queued);
		poll(NULL, 0, 10);
	}
	poll(NULL, 0, 300); /* let every process read what was just written */
	brood_dispatch(brood);
}

static void idle_open(const struct params *p)
{
	struct brood_options o = { .lease_idle_ms = p->kept ? 600000 : 100 };
	struct epoll_event event = { .events = EPOLLIN };

	if (access("/proc/self/schedstat", R_OK))
		station_skip("no /proc/PID/schedstat here");
	brood = pool_start(p, &o);
	epoll = epoll_create1(EPOLL_CLOEXEC);
	station_need(
		epoll >= 0 && !epoll_ctl(epoll, EPOLL_CTL_ADD, brood_fd(brood), &event), "epoll");
}

static void idle_block(const struct params *p, uint32_t jobs, double *values)
{
	static struct tree tree;
	struct epoll_event event;
	struct tree_use before, after;
	int n;

	(void)jobs;
	if (p->out)
		work(p);
	settle(p);
	tree_find(&tree, getppid());
	if (tree.count < p->workers + 1)
		station_fail("only %u processes of the pool were found", tree.count);
	before = tree_use(&tree);
	n = epoll_wait(epoll, &event, 1, (int)p->idle_ms);
	after = tree_use(&tree);
	if (after.ended)
		station_fail("a process of the idle pool ended");
	values[0] = (double)(after.runs - before.runs) + (n ? 1 : 0);
}

const struct kind bench_idle = { idle_open, idle_block, NULL };
