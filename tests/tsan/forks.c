/* SPDX-License-Identifier: MIT */
/*
 * forks.c - the engine forks children while its threads are inside the library. Each call in a
 * child returns a clear error at once, whichever lock a thread held at that moment; and the engine
 * is not disturbed.
 */
#include "real.h"

#include <poll.h>
#include <sys/wait.h>

enum { THREADS = 6, CHILDREN = 60 };

static atomic_int over;
static atomic_long jobs;
static struct brood_queue *queue;
static struct brood_lease *lease;
static struct brood_handle *handle;

static void *works(void *number)
{
	unsigned state = (unsigned)(uintptr_t)number + 1;

	while (!atomic_load(&over)) {
		struct brood_job_options o = { .size = sizeof o,
			.dispatch = real_random(&state) % 3 };
		char reply[8];
		ssize_t n;

		if (real_random(&state) % 3 == 0)
			o.lease = lease;
		if (real_random(&state) % 4 == 0) {
			o.queue = o.lease ? NULL : queue;
			CHECK_EQ(brood_submit(brood, real_job, "request", 7, &o, NULL) == 0, 1);
			continue;
		}
		n = brood_call(brood, real_job, "request", 7, reply, sizeof reply, &o, NULL);
		CHECK_MSG(n == 7, "%zd: %s", n, brood_error());
		CHECK_MEM(reply, "request", 7);
		atomic_fetch_add(&jobs, 1);
	}
	return NULL;
}

static void *drains(void *unused)
{
	(void)unused;
	while (!atomic_load(&over)) {
		const struct brood_result *results[8];

		brood_queue_wait(queue, 2);
		brood_take(queue, results, 8);
		brood_take(brood_lease_queue(lease), results, 8);
	}
	return NULL;
}

/*
 * Runs in the child: all calls must return errors, and none may allocate or lock. The exit code
 * says which call was wrong; 0: none.
 */
static int all_refused(void)
{
	struct brood_job_options o = { .size = sizeof o };
	const struct brood_result *results[1];
	struct brood_queue *other;
	struct brood_lease *another;
	struct brood_stats stats;
	struct brood_verdict v;
	char reply[8];
	int fd;

	if (brood_role() != BROOD_ROLE_FORKED)
		return 1;
	if (brood_call(brood, real_job, "request", 7, reply, sizeof reply, &o, &v) != -EPERM)
		return 2;
	if (brood_open(brood, real_job, &o, &fd, NULL) != -EPERM ||
		brood_give(brood, real_job, 0, &o, NULL) != -EPERM)
		return 3;
	if (brood_submit(brood, real_job, "request", 7, &o, NULL) != -EPERM)
		return 4;
	if (brood_queue_new(brood, NULL, &other) != -EPERM ||
		brood_queue_wait(queue, 1000) != -EPERM ||
		brood_take(queue, results, 1) != -EPERM || brood_queue_dispatch(queue) != -EPERM)
		return 5;
	if (brood_lease(brood, NULL, &another) != -EPERM ||
		brood_lease_worker(lease, NULL, NULL, NULL) != -EPERM)
		return 6;
	if (brood_dispatch(brood) != -EPERM || brood_fd(brood) != -EPERM ||
		brood_cancel(brood, 1) != -EPERM || brood_stats(brood, &stats) != -EPERM)
		return 7;
	if (brood_wait(handle, 1000, &v) != -EPERM || brood_fetch(handle, &v) != -EPERM)
		return 8;
	if (brood_wait_ready(brood, 1000) != -EPERM ||
		brood_set_init_data(brood, "x", 1, NULL, 0) != -EPERM ||
		brood_stop(brood) != -EPERM)
		return 9;
	if (brood_release(handle) != NULL || brood_queue_free(queue) != NULL ||
		brood_lease_end(lease) != NULL)
		return 10;
	return strstr(brood_error(), "fork") || strstr(brood_error(), "child") ? 0 : 11;
}

int main(void)
{
	struct brood_lease_options o = { .size = sizeof o, .limit_ms = BROOD_FOREVER };
	struct real_threads threads = { .count = 0 };
	struct brood_stats stats;
	struct brood_verdict v;
	int fd;

	real_start(5);
	CHECK_EQ(brood_queue_new(brood, NULL, &queue), 0);
	CHECK_EQ(brood_lease(brood, &o, &lease), 0);
	CHECK_EQ(brood_open(brood, real_job, NULL, &fd, &handle), 0);
	for (uintptr_t i = 0; i < THREADS; i++)
		real_thread(&threads, works, i);
	real_thread(&threads, drains, 0);
	for (int i = 0; i < CHILDREN; i++) {
		int status = 0;
		pid_t child;

		CHECK(WAIT_UNTIL(atomic_load(&jobs) > i * 5, 60000));
		child = fork();
		if (child == 0)
			_exit(all_refused());
		CHECK(child > 0);
		CHECK_MSG(proc_wait_gone(child, 20000), "child %d hangs", i);
		CHECK_EQ(waitpid(child, &status, 0), child);
		CHECK_MSG(WIFEXITED(status) && WEXITSTATUS(status) == 0, "child %d: status %#x", i,
			(unsigned)status);
	}
	atomic_store(&over, 1);
	real_join(&threads);
	close(fd);
	CHECK_EQ(brood_wait(handle, 60000, &v), 0);
	CHECK_EQ(v.outcome, BROOD_DONE);
	brood_release(handle);
	brood_queue_free(queue);
	lease = brood_lease_end(lease);
	CHECK_EQ(brood_stats(brood, &stats), 0);
	CHECK_LE(stats.died, stats.retired); /* the worker of the pinned lease ends with it */
	CHECK_EQ(brood_stop(brood), 0);
	printf("forks: %d children beside %ld calls\n", CHILDREN, atomic_load(&jobs));
	return 0;
}
