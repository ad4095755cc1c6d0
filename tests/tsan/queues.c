/* SPDX-License-Identifier: MIT */
/*
 * queues.c - every way to give a job, from many threads at once, on their own and on shared queues,
 * on their own and on shared leases, while workers die: each job has one result, the right one, and
 * the sanitizer reports nothing.
 */
#include "real.h"

#include <poll.h>
#include <sys/socket.h>
#include <sys/uio.h>

enum { THREADS = 8, ROUNDS = 120, SHARED = 2, RECENT = 64 };

/* all threads dispatch [0], which has callbacks; one thread takes from [1] */
static struct brood_queue *shared_queues[SHARED];
static struct brood_lease *shared_lease;
static atomic_long given, ended, refused, progressed;
static atomic_int working;
static _Atomic uint64_t recent[RECENT]; /* ids, for the thread that cancels */

struct ticket {
	atomic_int results;
	char request[300];
	size_t size;
	char what;
};

static void remember(uint64_t id)
{
	static atomic_uint at;

	atomic_store(&recent[atomic_fetch_add(&at, 1) % RECENT], id);
}

static char some_job(unsigned *state) { return "eeeeeeeeeessspppcxwl"[real_random(state) % 20]; }

static void check_result(const struct brood_verdict *v, char what, bool pinned)
{
	char line[512];
	bool expected;

	switch (v->outcome) {
	case BROOD_DONE: expected = strchr("espwl", what) != NULL; break;
	case BROOD_CRASHED: expected = what == 'c'; break;
	case BROOD_EXITED: expected = what == 'x'; break;
	case BROOD_TIMED_OUT:
	case BROOD_CANCELLED: expected = true; break;
	default: expected = pinned && v->detail == BROOD_DETAIL_LEASE_OVER;
	}
	brood_verdict_format(v, line, sizeof line);
	CHECK_MSG(expected, "'%c'%s: %s", what, pinned ? " on a lease" : "", line);
}

static void on_progress(void *context, uint64_t id, const void *data, size_t size)
{
	(void)context, (void)id;
	CHECK_EQ(size, 4);
	CHECK_MEM(data, "half", 4);
	atomic_fetch_add(&progressed, 1);
}

static void options_of(struct brood_job_options *o, const char *what, unsigned *state)
{
	*o = (struct brood_job_options){ .size = sizeof *o,
		.arg = what,
		.arg_size = 1,
		.run_ms = 5000,
		.on_progress = on_progress };
	o->dispatch = real_random(state) % 3;
	if (*what == 'w' || *what == 'l')
		o->run_ms = 10;
	if (real_random(state) % 8 == 0)
		o->flags = BROOD_JOB_ONCE;
}

/* ---- submitted ---- */

static void over(struct ticket *t, const struct brood_result *result, bool pinned)
{
	CHECK_EQ(atomic_fetch_add(&t->results, 1), 0);
	check_result(&result->verdict, t->what, pinned);
	if (result->verdict.outcome == BROOD_DONE) {
		CHECK_EQ(result->reply_size, t->size);
		CHECK_MEM(result->reply, t->request, t->size);
	}
	atomic_fetch_add(&ended, 1);
	free(t);
}
static void on_done(void *context, const struct brood_result *result)
{
	over(context, result, false);
}

/*
 * Lends the request to the worker, and frees the buffer as soon as the job was given: the job, or
 * its worker, is the last that has it.
 */
static int submit_on_loan(const struct ticket *t, struct brood_job_options *o, uint64_t *ret_id)
{
	struct brood_request *loan;
	void *memory;
	int r = brood_request_new(brood, sizeof t->request, &loan);

	CHECK_MSG(r == 0, "%d: %s", r, brood_error());
	memory = brood_request_memory(loan, NULL);
	memcpy(memory, t->request, t->size);
	o->request = loan;
	r = brood_submit(brood, real_job, memory, t->size, o, ret_id);
	brood_request_free(loan);
	return r;
}

static int submit(struct brood_queue *queue, struct brood_lease *lease, brood_done_fn *callback,
	unsigned *state)
{
	struct ticket *t = calloc(1, sizeof *t);
	struct brood_job_options o;
	struct iovec pieces[2];
	struct brood_submission many = { .size = sizeof many, .pieces_count = 2 };
	uint64_t id = 0;
	int r;

	CHECK(t);
	t->what = some_job(state);
	t->size = real_random(state) % sizeof t->request;
	for (size_t i = 0; i < t->size; i++)
		t->request[i] = (char)real_random(state);
	options_of(&o, &t->what, state);
	o.queue = queue;
	o.lease = lease;
	o.on_done = callback;
	o.context = t;
	pieces[0] = (struct iovec){ t->request, t->size / 2 };
	pieces[1] = (struct iovec){ t->request + t->size / 2, t->size - t->size / 2 };
	many.pieces = pieces;
	switch (real_random(state) % 4) {
	case 0: r = brood_submit(brood, real_job, t->request, t->size, &o, &id); break;
	case 1: r = brood_submitv(brood, real_job, pieces, 2, &o, &id); break;
	case 2: r = submit_on_loan(t, &o, &id); break;
	default: r = (int)brood_submit_many(brood, real_job, &many, 1, &o); id = many.id;
	}
	if (r < 0) {
		CHECK_MSG(r == -EAGAIN || (lease && r == -ESTALE), "%d: %s", r, brood_error());
		atomic_fetch_add(&refused, 1);
		free(t);
		return 0;
	}
	atomic_fetch_add(&given, 1);
	remember(id);
	return 1;
}

static int take(struct brood_queue *queue, bool pinned)
{
	const struct brood_result *results[8];
	int n = brood_take(queue, results, 8);

	CHECK_GE(n, 0);
	for (int i = 0; i < n; i++)
		over(results[i]->context, results[i], pinned);
	return n;
}

static void take_all(struct brood_queue *queue, bool pinned)
{
	while (brood_queue_out(queue) > 0) {
		int r = brood_queue_wait(queue, 60000);

		CHECK_MSG(r >= 0, "%d: %s", r, brood_error());
		take(queue, pinned);
	}
}

static void on_a_lease_of_ones_own(unsigned *state)
{
	struct brood_lease_options o = { .size = sizeof o, .wait_ms = 60000 };
	struct brood_lease *lease;
	int r = brood_lease(brood, &o, &lease), n = 0;

	if (r < 0) {
		CHECK_MSG(r == -EAGAIN || r == -ETIMEDOUT, "%d: %s", r, brood_error());
		return;
	}
	for (int i = 0; i < 6; i++)
		n += submit(NULL, lease, NULL, state);
	if (n && real_random(state) % 2)
		take_all(brood_lease_queue(lease), true);
	else /* dropped with it: nobody has the tickets then */
		take_all(brood_lease_queue(lease), true);
	CHECK(brood_lease_end(lease) == NULL);
}

/* ---- called ---- */

static void call(struct brood_lease *lease, unsigned *state)
{
	struct brood_job_options o;
	struct brood_verdict v;
	char request[200], reply[200], what = some_job(state);
	uint64_t id = 0;
	ssize_t n;

	memset(request, what, sizeof request);
	options_of(&o, &what, state);
	o.lease = lease;
	o.ret_id = &id;
	n = brood_call(brood, real_job, request, sizeof request, reply, sizeof reply, &o, &v);
	if (lease && n == -ESTALE)
		return;
	if (v.outcome == BROOD_REFUSED && v.detail == BROOD_DETAIL_QUEUE_FULL) {
		atomic_fetch_add(&refused, 1);
		return;
	}
	check_result(&v, what, lease != NULL);
	if (n >= 0) {
		CHECK_EQ(n, sizeof request);
		CHECK_MEM(reply, request, sizeof request);
	}
	atomic_fetch_add(&given, 1);
	atomic_fetch_add(&ended, 1);
}

static void open_and_talk(unsigned *state)
{
	struct brood_job_options o;
	struct brood_handle *handle = NULL;
	struct brood_verdict v;
	char what = "eeesc"[real_random(state) % 5], c = 0;
	int fd, r;

	options_of(&o, &what, state);
	o.dispatch = real_random(state) % 2 ? BROOD_PATH_HANDOFF : BROOD_PATH_AUTO;
	r = brood_open(brood, real_job, &o, &fd, &handle);
	if (r < 0) {
		CHECK_EQ(r, -EAGAIN);
		atomic_fetch_add(&refused, 1);
		return;
	}
	atomic_fetch_add(&given, 1);
	remember(brood_id(handle));
	if (send(fd, "q", 1, MSG_NOSIGNAL) == 1 && shutdown(fd, SHUT_WR) == 0 &&
		real_random(state) % 2)
		(void)!read(fd, &c, 1);
	while ((r = brood_wait(handle, real_random(state) % 30, &v)) < 0)
		CHECK_EQ(r, -ETIMEDOUT);
	CHECK_EQ(v.id, brood_id(handle));
	check_result(&v, what, false);
	atomic_fetch_add(&ended, 1);
	close(fd);
	brood_release(handle);
}

/* ---- threads ---- */

static void *giver(void *number)
{
	unsigned state = (unsigned)(uintptr_t)number * 7919 + 1;
	struct brood_queue *own;

	CHECK_EQ(brood_queue_new(brood, NULL, &own), 0);
	for (int i = 0; i < ROUNDS; i++)
		switch (real_random(&state) % 9) {
		case 0:
		case 1:
			for (int k = 0; k < 10; k++)
				submit(own, NULL, k % 2 ? on_done : NULL, &state);
			take(own, false);
			break;
		case 2:
			submit(shared_queues[0], NULL, on_done, &state);
			CHECK_GE(brood_queue_dispatch(shared_queues[0]), 0);
			break;
		case 3: submit(shared_queues[1], NULL, NULL, &state); break;
		case 4:
			submit(NULL, NULL, on_done, &state);
			CHECK_GE(brood_dispatch(brood), 0);
			break;
		case 5: call(NULL, &state); break;
		case 6: call(shared_lease, &state); break;
		case 7: open_and_talk(&state); break;
		default: on_a_lease_of_ones_own(&state);
		}
	take_all(own, false);
	CHECK(brood_queue_free(own) == NULL);
	atomic_fetch_sub(&working, 1);
	return NULL;
}

/*
 * Threads: one takes the results of the second shared queue; an event loop on the brood's fd; one
 * cancels jobs that it learns of; one reads counters.
 */
static void *taker(void *unused)
{
	(void)unused;
	while (atomic_load(&working) > 0 || brood_queue_out(shared_queues[1]) > 0) {
		int r = brood_queue_wait(shared_queues[1], 20);

		CHECK(r >= 0 || r == -ETIMEDOUT);
		if (r == 0)
			poll(NULL, 0, 1);
		take(shared_queues[1], false);
	}
	return NULL;
}
static void *looper(void *unused)
{
	struct pollfd p[2] = { { .fd = brood_fd(brood), .events = POLLIN },
		{ .fd = brood_queue_fd(shared_queues[0]), .events = POLLIN } };
	struct brood_stats stats;

	(void)unused;
	while (atomic_load(&working) > 0) {
		poll(p, 2, 5);
		CHECK_GE(brood_dispatch(brood), 0);
		CHECK_GE(brood_queue_dispatch(shared_queues[0]), 0);
		CHECK_EQ(brood_stats(brood, &stats), 0);
		CHECK_EQ(stats.verdicts[BROOD_LOST], 0);
	}
	return NULL;
}
static void *canceller(void *unused)
{
	unsigned state = 5;

	(void)unused;
	while (atomic_load(&working) > 0) {
		uint64_t id = atomic_load(&recent[real_random(&state) % RECENT]);
		int r = id ? brood_cancel(brood, id) : 0;

		CHECK(r == 0 || r == -ENOENT);
		poll(NULL, 0, 2);
	}
	return NULL;
}

int main(void)
{
	struct brood_lease_options lease = { .size = sizeof lease, .limit_ms = BROOD_FOREVER };
	struct real_threads threads = { .count = 0 };

	real_start(6);
	for (int i = 0; i < SHARED; i++)
		CHECK_EQ(brood_queue_new(brood, NULL, &shared_queues[i]), 0);
	CHECK_EQ(brood_lease(brood, &lease, &shared_lease), 0);
	atomic_store(&working, THREADS);
	for (uintptr_t i = 0; i < THREADS; i++)
		real_thread(&threads, giver, i);
	real_thread(&threads, taker, 0);
	real_thread(&threads, looper, 0);
	real_thread(&threads, canceller, 0);
	real_join(&threads);
	while (brood_queue_out(shared_queues[0]) > 0)
		CHECK_GE(brood_queue_wait(shared_queues[0], 60000), 0);
	while (brood_queue_out(brood_own_queue(brood)) > 0)
		CHECK_GE(brood_queue_wait(brood_own_queue(brood), 60000), 0);
	shared_lease = brood_lease_end(shared_lease);
	CHECK_EQ(atomic_load(&given), atomic_load(&ended));
	for (int i = 0; i < SHARED; i++)
		brood_queue_free(shared_queues[i]);
	CHECK_EQ(brood_stop(brood), 0);
	printf("queues: %ld jobs, as many results; %ld refused, %ld times progress\n",
		atomic_load(&given), atomic_load(&refused), atomic_load(&progressed));
	return 0;
}
