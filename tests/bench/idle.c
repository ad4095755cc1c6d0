/*
 * idle.c - that nobody does anything when there is nothing to do: how often any process of the tree ran while idleness was looked at. A process makes a system call only when it runs,
 * and one that sleeps is put on a CPU again for that, which the kernel counts (schedstat, third figure; every thread). So none of these: no system call.
 * The engine's library has no thread of its own: it is the fd that it gave to an event loop that may wake it, and that is counted too.
 */
#include "bench.h"

#include <dirent.h>
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#define WARM_JOBS  2000u
#define SETTLE_MS  20000u
#define TREE_MAX   256

struct tree { uint32_t count; pid_t pids[TREE_MAX]; };

static struct brood *brood;
static int epoll = -1;

static pid_t parent_of(pid_t pid)
{
	char path[64];
	int parent = 0;
	FILE *file;

	snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
	file = fopen(path, "re");
	if (file) {
		if (fscanf(file, "%*d (%*[^)]) %*c %d", &parent) != 1)
			parent = 0;
		fclose(file);
	}
	return parent;
}

static unsigned long long runs_in(const char *path)
{
	unsigned long long runs = 0;
	FILE *file = fopen(path, "re");

	if (!file || fscanf(file, "%*u %*u %llu", &runs) != 1)
		station_fail("%s: it ended, or says nothing", path);
	fclose(file);
	return runs;
}

static bool in_tree(const struct tree *tree, pid_t pid)
{
	for (uint32_t i = 0; i < tree->count; i++) {
		if (tree->pids[i] == pid)
			return true;
	}
	return false;
}

/* The supervisor and all below it but this process. A child is listed after its parent, or found the next time round. */
static void tree_find(struct tree *tree)
{
	uint32_t before;

	tree->count = 1;
	tree->pids[0] = getppid();
	do {
		DIR *folder = opendir("/proc");
		struct dirent *entry;

		before = tree->count;
		station_need(folder != NULL, "/proc");
		while ((entry = readdir(folder))) {
			pid_t pid = (pid_t)atoi(entry->d_name);

			if (pid > 0 && pid != getpid() && !in_tree(tree, pid) && in_tree(tree, parent_of(pid)) && tree->count < TREE_MAX)
				tree->pids[tree->count++] = pid;
		}
		closedir(folder);
	} while (tree->count > before);
}

static unsigned long long runs_of(pid_t pid)
{
	unsigned long long sum = 0;
	char path[64], task[512];
	struct dirent *entry;
	DIR *folder;

	snprintf(path, sizeof path, "/proc/%d/task", (int)pid);
	folder = opendir(path);
	if (!folder)
		station_fail("a process of the idle pool ended");
	while ((entry = readdir(folder))) {
		if (entry->d_name[0] == '.')
			continue;
		snprintf(task, sizeof task, "%s/%s/schedstat", path, entry->d_name);
		sum += runs_in(task);
	}
	closedir(folder);
	return sum;
}

static unsigned long long runs(const struct tree *tree)
{
	unsigned long long sum = 0;

	for (uint32_t i = 0; i < tree->count; i++)
		sum += runs_of(tree->pids[i]);
	return sum;
}

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

/* Nobody is busy any more, or (leases that are kept) somebody is on lease and nobody works. */
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
			station_fail("the pool does not come to rest: %u busy, %u on lease, %u queued", stats.busy, stats.leased, stats.queued);
		poll(NULL, 0, 10);
	}
	poll(NULL, 0, 300);                    /* what was written a moment ago is read */
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
	station_need(epoll >= 0 && !epoll_ctl(epoll, EPOLL_CTL_ADD, brood_fd(brood), &event), "epoll");
}

static void idle_block(const struct params *p, uint32_t jobs, double *values)
{
	static struct tree tree;
	struct epoll_event event;
	unsigned long long before;
	int n;

	(void)jobs;
	if (p->out)
		work(p);
	settle(p);
	tree_find(&tree);
	if (tree.count < p->workers + 1)
		station_fail("only %u processes of the pool were found", tree.count);
	before = runs(&tree);
	n = epoll_wait(epoll, &event, 1, (int)p->idle_ms);
	values[0] = (double)(runs(&tree) - before) + (n ? 1 : 0);
}

const struct kind bench_idle = { idle_open, idle_block };
