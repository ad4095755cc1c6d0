/* SPDX-License-Identifier: MIT */
/*
 * stops.c - the pool stops while threads give jobs in every way and wait for them: each job has its
 * verdict or its error, no thread hangs, and later calls are refused. Many pools, one after
 * another.
 */
#include "real.h"

#include <poll.h>
#include <sys/wait.h>

enum { POOLS = 6, THREADS = 6 };

static atomic_long jobs, refused;
static atomic_int began;

static bool is_over(ssize_t r) { return r == -ESHUTDOWN; }

static void *caller(void *number)
{
	for (unsigned i = 0;; i++) {
		char what = i % 3 ? 'e' : 'w', reply[8];
		struct brood_job_options o = { .size = sizeof o,
			.dispatch = (uint32_t)((uintptr_t)number + i) % 3,
			.arg = &what,
			.arg_size = 1,
			.run_ms = 20 };
		struct brood_verdict v;
		ssize_t n = brood_call(brood, real_job, "request", 7, reply, sizeof reply, &o, &v);

		atomic_fetch_add(&began, 1);
		if (is_over(n))
			return NULL;
		CHECK_MSG(n == 7 || n == -ECANCELED || n == -EAGAIN || n == -ETIMEDOUT, "%zd: %s",
			n, brood_error());
		CHECK_NE(v.outcome, BROOD_LOST);
		atomic_fetch_add(n < 0 ? &refused : &jobs, 1);
	}
}

static void *submitter(void *number)
{
	struct brood_queue *queue;
	long out = 0, back = 0;
	int r;

	if (brood_queue_new(brood, NULL, &queue) < 0)
		return NULL;
	for (unsigned i = 0;; i++) {
		const struct brood_result *results[8];
		struct brood_job_options o = { .size = sizeof o,
			.queue = queue,
			.dispatch = (uint32_t)((uintptr_t)number + i) % 3 };

		r = brood_submit(brood, real_job, "request", 7, &o, NULL);
		atomic_fetch_add(&began, 1);
		out += r == 0;
		if (is_over(r))
			break;
		CHECK_MSG(r == 0 || r == -EAGAIN, "%d: %s", r, brood_error());
		r = brood_take(queue, results, 8);
		CHECK_GE(r, 0);
		back += r;
	}
	/* Every accepted job has its result, also now. */
	for (uint64_t end = test_now_ms() + (uint64_t)test_scaled(20000); back < out;) {
		const struct brood_result *results[8];

		brood_queue_wait(queue, 50);
		r = brood_take(queue, results, 8);
		CHECK_MSG(r >= 0 && test_now_ms() < end, "%d: %ld of %ld", r, back, out);
		back += r;
	}
	atomic_fetch_add(&jobs, out);
	CHECK(brood_queue_free(queue) == NULL);
	return NULL;
}

static void *opener(void *number)
{
	for (unsigned i = 0;; i++) {
		struct brood_job_options o = { .size = sizeof o,
			.dispatch = (uint32_t)((uintptr_t)number + i) % 2 ? BROOD_PATH_HANDOFF
									  : BROOD_PATH_AUTO };
		struct brood_handle *handle;
		struct brood_verdict v;
		int fd, r = brood_open(brood, real_job, &o, &fd, &handle);

		atomic_fetch_add(&began, 1);
		if (is_over(r))
			return NULL;
		CHECK_MSG(r == 0 || r == -EAGAIN, "%d: %s", r, brood_error());
		if (r < 0)
			continue;
		close(fd);
		CHECK_EQ(brood_wait(handle, (uint32_t)test_scaled(60000), &v), 0);
		CHECK_NE(v.outcome, BROOD_LOST);
		brood_release(handle);
		atomic_fetch_add(&jobs, 1);
	}
}

static void *lessee(void *unused)
{
	(void)unused;
	for (;;) {
		struct brood_lease_options o = { .size = sizeof o, .wait_ms = 20000 };
		struct brood_lease *lease;
		char reply[8];
		int r = brood_lease(brood, &o, &lease);

		atomic_fetch_add(&began, 1);
		if (r < 0) {
			CHECK_MSG(is_over(r) || r == -EAGAIN || r == -ETIMEDOUT, "%d: %s", r,
				brood_error());
			if (is_over(r))
				return NULL;
			continue;
		}
		for (int i = 0; i < 5; i++) {
			struct brood_job_options job = { .size = sizeof job, .lease = lease };
			ssize_t n = brood_call(
				brood, real_job, "request", 7, reply, sizeof reply, &job, NULL);

			CHECK_MSG(n == 7 || is_over(n) || n == -ESTALE || n == -ECANCELED ||
					n == -EAGAIN,
				"%zd: %s", n, brood_error());
		}
		CHECK(brood_lease_end(lease) == NULL);
	}
}

static void *dispatcher(void *unused)
{
	(void)unused;
	while (brood_dispatch(brood) >= 0)
		poll(NULL, 0, 1);
	CHECK_EQ(brood_dispatch(brood), -ESHUTDOWN);
	return NULL;
}

static void one_pool(unsigned number)
{
	struct real_threads threads = { .count = 0 };
	unsigned state = number + 1;

	real_start(3);
	for (uintptr_t i = 0; i < THREADS; i++) {
		real_thread(&threads, caller, i);
		real_thread(&threads, submitter, i);
		real_thread(&threads, opener, i);
	}
	real_thread(&threads, lessee, 0);
	real_thread(&threads, dispatcher, 0);
	CHECK(WAIT_UNTIL(atomic_load(&began) >= 50, 60000));
	poll(NULL, 0, (int)(real_random(&state) % 50));
	CHECK_EQ(brood_stop(brood), 0);
	real_join(&threads);
	CHECK_EQ(brood_stop(brood), -ESHUTDOWN);
	printf("stops: pool %u: %ld jobs ended, %ld were refused or cancelled\n", number,
		atomic_load(&jobs), atomic_load(&refused));
}

/*
 * Each pool in a newly executed program: a fork of this one would have a thread of the sanitizer.
 */
int main(int argc, char **argv)
{
	if (argc > 1) {
		one_pool((unsigned)atoi(argv[1]));
		return 0;
	}
	for (unsigned i = 0; i < POOLS; i++) {
		char number[16];
		int status = 0;
		pid_t pid;

		snprintf(number, sizeof number, "%u", i);
		pid = fork();
		if (pid == 0) {
			execl("/proc/self/exe", argv[0], number, (char *)NULL);
			_exit(98);
		}
		if (waitpid(pid, &status, 0) != pid || status != 0) {
			fprintf(stderr, "stops: pool %u ended with status %#x\n", i,
				(unsigned)status);
			return 1;
		}
	}
	return 0;
}
