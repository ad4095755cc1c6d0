/* SPDX-License-Identifier: MIT */
/*
 * comings.c - queues, leases and threads come and go, some of them in the middle of their jobs,
 * while others work; and what the engine tells the supervisor meanwhile.
 */
#include "real.h"

#include <poll.h>

enum { THREADS = 4, ROUNDS = 40 };

static atomic_int working;
static atomic_long dropped, called, leased;

static void never(void *context, const struct brood_result *result)
{
	(void)result;
	CHECK_EQ(atomic_load((atomic_int *)context), 0); /* not after its queue was freed */
}

/* Frees a queue with jobs that wait, run, are done, and were taken. */
static void *queues(void *number)
{
	unsigned state = (unsigned)(uintptr_t)number + 1;

	for (int i = 0; i < ROUNDS; i++) {
		struct brood_queue_options o = { .size = sizeof o,
			.jobs = 16 + real_random(&state) % 50,
			.leases = real_random(&state) % 3 };
		const struct brood_result *results[4];
		static atomic_int freed[64];
		struct brood_queue *queue;
		int n;

		atomic_store(&freed[(uintptr_t)number], 0);
		CHECK_EQ(brood_queue_new(brood, &o, &queue), 0);
		for (int k = 0; k < 20; k++) {
			char what = "eesxc"[real_random(&state) % 5];
			struct brood_job_options job = { .size = sizeof job,
				.arg = &what,
				.arg_size = 1,
				.queue = queue,
				.dispatch = real_random(&state) % 3,
				.on_done = k % 2 ? never : NULL,
				.context = &freed[(uintptr_t)number] };
			int r = brood_submit(brood, real_job, "request", 7, &job, NULL);

			CHECK_MSG(r == 0 || r == -EAGAIN, "%d: %s", r, brood_error());
		}
		if (real_random(&state) % 2)
			brood_queue_wait(queue, real_random(&state) % 5);
		if (real_random(&state) % 2) {
			n = brood_take(queue, results, 4);
			CHECK_GE(n, 0);
		}
		CHECK(brood_queue_free(queue) == NULL);
		atomic_store(&freed[(uintptr_t)number], 1);
	}
	atomic_fetch_sub(&working, 1);
	return NULL;
}

static void *leases(void *number)
{
	unsigned state = (unsigned)(uintptr_t)number + 77;

	for (int i = 0; i < ROUNDS; i++) {
		struct brood_lease_options o = {
			.size = sizeof o, .wait_ms = 20000, .limit_ms = 1 + real_random(&state) % 50
		};
		struct brood_lease *lease;
		int r = brood_lease(brood, &o, &lease);

		if (r < 0) {
			CHECK_MSG(r == -EAGAIN || r == -ETIMEDOUT, "%d: %s", r, brood_error());
			continue;
		}
		atomic_fetch_add(&leased, 1);
		for (int k = 0; k < 5; k++) {
			char what = "eesx"[real_random(&state) % 4];
			struct brood_job_options job = {
				.size = sizeof job, .arg = &what, .arg_size = 1, .lease = lease
			};

			r = brood_submit(brood, real_job, "request", 7, &job, NULL);
			CHECK_MSG(
				r == 0 || r == -ESTALE || r == -EAGAIN, "%d: %s", r, brood_error());
			brood_lease_worker(lease, NULL, NULL, NULL);
		}
		if (real_random(&state) % 2)
			brood_queue_wait(brood_lease_queue(lease), 3);
		CHECK(brood_lease_end(lease) == NULL);
	}
	atomic_fetch_sub(&working, 1);
	return NULL;
}

/* Each thread lives for a few calls. */
static void *short_life(void *number)
{
	struct brood_job_options job = { .size = sizeof job,
		.dispatch = (uint32_t)((uintptr_t)number % 3) };

	for (int k = 0; k < 4; k++) {
		char reply[8];
		ssize_t n = brood_call(
			brood, real_job, "request", 7, reply, sizeof reply, &job, NULL);

		CHECK_MSG(n == 7 || n == -EAGAIN, "%zd: %s", n, brood_error());
		atomic_fetch_add(&called, 1);
	}
	return NULL;
}
static void *lives(void *number)
{
	for (int i = 0; i < ROUNDS; i++) {
		struct real_threads threads = { .count = 0 };

		for (uintptr_t k = 0; k < 4; k++)
			real_thread(&threads, short_life, k + (uintptr_t)number);
		real_join(&threads);
	}
	atomic_fetch_sub(&working, 1);
	return NULL;
}

/* Releases handles whose jobs are in all states. */
static void *handles(void *number)
{
	unsigned state = (unsigned)(uintptr_t)number + 99;

	for (int i = 0; i < ROUNDS * 4; i++) {
		struct brood_job_options job = { .size = sizeof job,
			.dispatch = real_random(&state) % 3 };
		struct brood_handle *handle;
		int fd,
			r = brood_open(brood, real_job, &job, &fd,
				real_random(&state) % 4 ? &handle : NULL);

		if (r < 0) {
			CHECK_EQ(r, -EAGAIN);
			brood_dispatch(brood);
			continue;
		}
		close(fd);
		if (i % 4 == 0)
			brood_dispatch(brood);
	}
	atomic_fetch_sub(&working, 1);
	return NULL;
}

static void *told(void *unused)
{
	struct brood_stats stats;

	(void)unused;
	while (atomic_load(&working) > 0) {
		CHECK_GE(brood_set_init_data(brood, "some data", 9, NULL, 0), 1);
		CHECK_EQ(brood_notify_status(brood, "busy"), 0);
		CHECK_EQ(brood_stats(brood, &stats), 0);
		CHECK_EQ(brood_wait_ready(brood, 0), 0);
		CHECK_GE(brood_dispatch(brood), 0);
		atomic_store(&dropped, (long)stats.dropped);
		poll(NULL, 0, 2);
	}
	return NULL;
}

int main(void)
{
	struct real_threads threads = { .count = 0 };
	struct brood_stats stats;

	real_start(6);
	atomic_store(&working, 3 * THREADS + 1);
	for (uintptr_t i = 0; i < THREADS; i++) {
		real_thread(&threads, queues, i);
		real_thread(&threads, leases, i);
		real_thread(&threads, lives, i);
	}
	real_thread(&threads, handles, 0);
	real_thread(&threads, told, 0);
	real_join(&threads);
	CHECK(WAIT_UNTIL(brood_dispatch(brood) >= 0 && brood_stats(brood, &stats) == 0 &&
			stats.idle == stats.workers,
		60000));
	CHECK_EQ(stats.verdicts[BROOD_LOST], 0);
	CHECK_EQ(brood_stop(brood), 0);
	printf("comings: %ld calls, %ld leases; %ju results dropped\n", atomic_load(&called),
		atomic_load(&leased), (uintmax_t)stats.dropped);
	return 0;
}
