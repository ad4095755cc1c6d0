#include "pool.h"

#include <poll.h>
#include <stdlib.h>
#include <unistd.h>

struct brood *pool_start(const struct brood_options *options)
{
	struct brood_options o = options ? *options : (struct brood_options){ 0 };
	struct brood *brood = NULL;
	int r;

	o.size = sizeof o;
	r = brood_start(&o, &brood);
	CHECK_MSG(r == 0, "%d: %s", r, brood_error());
	r = brood_wait_ready(brood, (uint32_t)test_scaled(POOL_READY_MS));
	CHECK_MSG(r == 0, "%d: %s", r, brood_error());
	return brood;
}

struct brood *pool_start_workers(uint32_t workers)
{
	struct brood_options options = { .workers = workers };

	return pool_start(&options);
}

void pool_stop(struct brood *brood)
{
	int r = brood_stop(brood);

	CHECK_MSG(r == 0, "%d: %s", r, brood_error());
}

struct brood_stats pool_stats(struct brood *brood)
{
	struct brood_stats stats;

	CHECK_EQ(brood_stats(brood, &stats), 0);
	return stats;
}

bool pool_full(struct brood *brood)
{
	struct brood_stats stats = pool_stats(brood);

	return stats.ready == stats.workers;
}

struct brood_verdict pool_call(struct brood *brood, brood_fn *fn, const char *name, const void *request, size_t size, ssize_t *ret_n)
{
	struct brood_verdict verdict = { 0 };
	char reply[4096];
	ssize_t n = brood_call_named(brood, fn, name, request, size, reply, sizeof reply, NULL, &verdict);

	if (ret_n)
		*ret_n = n;
	CHECK_EQ(verdict.size, sizeof verdict);
	return verdict;
}

struct brood_verdict pool_call_with(struct brood *brood, brood_fn *fn, const struct brood_job_options *options)
{
	struct brood_verdict verdict = { 0 };
	struct brood_job_options o = *options;
	char reply[4096];

	o.size = sizeof o;
	brood_call_named(brood, fn, "job", NULL, 0, reply, sizeof reply, &o, &verdict);
	CHECK_EQ(verdict.size, sizeof verdict);
	return verdict;
}

int job_nothing(struct brood_job *job)
{
	(void)job;
	return 0;
}

int job_echo(struct brood_job *job)
{
	char buffer[65536];
	ssize_t n;

	while ((n = brood_job_read(job, buffer, sizeof buffer)) > 0)
		if (brood_job_write(job, buffer, (size_t)n) != n)
			return 1;
	return n == 0 ? 0 : 2;
}

int job_sleep_forever(struct brood_job *job)
{
	(void)job;
	for (;;)
		pause();
}

int job_until_cancelled(struct brood_job *job)
{
	struct pollfd p = { .fd = brood_job_cancel_fd(job), .events = POLLIN };

	while (!brood_job_cancelled(job))
		poll(&p, 1, -1);
	return 42;
}

int job_pid(struct brood_job *job)
{
	pid_t pid = getpid();

	return brood_job_reply(job, &pid, sizeof pid) == sizeof pid ? 0 : 1;
}

pid_t pool_ask_pid(struct brood *brood)
{
	pid_t pid = 0;
	ssize_t n = brood_call(brood, job_pid, NULL, 0, &pid, sizeof pid, NULL, NULL);

	CHECK_EQ(n, sizeof pid);
	return pid;
}
