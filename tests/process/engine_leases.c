/* SPDX-License-Identifier: MIT */
/*
 * engine_leases.c - what the engine does with a lease, step by step: the supervisor and the workers
 * are fake ones.
 */
#include "../helpers/case.h"
#include "../helpers/peer_lease.h"
#include "../../src/engine/queue.h"
#include "../../src/pool/pick.h"
#include "hooks.h"

#include <criterion/criterion.h>
#include <signal.h>
#include <sys/epoll.h>
#include <unistd.h>

TestSuite(engine_leases, .timeout = 120);

static struct peer peer;
static struct brood_queue *queue;

static void start(uint32_t workers)
{
	peer_init(&peer);
	peer.options.workers = workers;
	peer.options.leases = workers;
	peer.options.dispatch = BROOD_PATH_LEASE;
	peer.options.run_ms = BROOD_FOREVER;
	peer.options.queue_ms = 20000;
	peer_start(&peer, workers + 16);
	CHECK_EQ(engine_queue_new(peer.brood, NULL, &queue), 0);
}

static void submit(const struct brood_job_options *options)
{
	struct brood_job_options o = *options;
	struct engine_job job = { .fn = peer_fn_a, .name = "a", .options = &o };

	o.size = sizeof o;
	o.queue = queue;
	CHECK_EQ(engine_submit(peer.brood, &job, NULL, 0, NULL), 0);
}

static const struct brood_job_options plain;

static bool given(const struct peer_lease *l)
{
	CHECK_GE(engine_queue_dispatch(queue), 0);
	return peer_given(l);
}

static struct brood_verdict result(void)
{
	const struct brood_result *r;

	CHECK(WAIT_UNTIL(engine_take(queue, &r, 1) == 1, PEER_WAIT_MS));
	return r->verdict;
}

/* One job from the queue to its end, so that the engine knows the function to be short. */
static void whole_job(struct peer_lease *l, uint16_t flags)
{
	CHECK(WAIT_UNTIL(given(l), PEER_WAIT_MS));
	peer_begin(l);
	peer_end(l, flags);
	CHECK_EQ(result().outcome, BROOD_DONE);
}

/* The queue's first job, and with it its first lease. */
static void first_job(struct peer_lease *l, uint16_t flags)
{
	submit(&plain);
	peer_grant(&peer, 0, l);
	whole_job(l, flags);
}

/* ---- a worker that retires ---- */

static bool asks_for_another(void)
{
	CHECK_GE(engine_queue_dispatch(queue), 0);
	return peer_readable(peer.channel);
}

/*
 * It is not counted as busy any more. Else the engine would think that each job of the next worker
 * runs, and none stands behind another one.
 */
static void retired(void)
{
	struct peer_lease first, second;
	struct frame f;

	start(2);
	first_job(&first, DONE_RETIRING);
	submit(&plain);
	peer_grant(&peer, 1, &second);
	CHECK(WAIT_UNTIL(given(&second), PEER_WAIT_MS));
	peer_begin(&second);
	submit(&plain); /* stands behind that one, which takes longer than expected */
	CHECK(WAIT_UNTIL(asks_for_another(), PEER_WAIT_MS));
	peer_hear(&peer, &f, MESSAGE_LEASE);
	frame_done(&f);
}
Test(engine_leases, a_worker_that_retires_is_not_busy) { case_run(retired, 30000); }

/* ---- many jobs on a fresh queue ---- */

enum { CROWD = 64, CROWD_JOBS = 200 };

/* Grants each lease that is asked for now. */
static uint32_t grant_all(struct peer_lease *leases, uint32_t count)
{
	CHECK_GE(engine_queue_dispatch(queue), 0);
	while (count < CROWD && peer_readable(peer.channel)) {
		peer_grant(&peer, count, &leases[count]);
		count++;
		CHECK_GE(engine_queue_dispatch(queue), 0);
	}
	return count;
}

/*
 * A wish for each job would keep the first verdict waiting until thousands are made. Nothing is
 * known of the function before the first grant.
 */
static void few_first(void)
{
	uint32_t wishes = 0;
	struct frame f;

	start(CROWD);
	for (int i = 0; i < CROWD_JOBS; i++)
		submit(&plain);
	CHECK_GE(engine_queue_dispatch(queue), 0);
	for (; peer_readable(peer.channel); wishes++) {
		peer_hear(&peer, &f, MESSAGE_LEASE);
		frame_done(&f);
	}
	CHECK_EQ(wishes, PICK_FIRST);
}
Test(engine_leases, a_fresh_queue_asks_for_few) { case_run(few_first, 30000); }

/* All of these jobs run, and none ends: each worker of the pool has one. */
static void all_in_the_end(void)
{
	static struct peer_lease leases[CROWD];
	uint32_t count = 0;

	start(CROWD);
	for (int i = 0; i < CROWD_JOBS; i++)
		submit(&plain);
	while (count < CROWD) {
		uint32_t before = count;

		count = grant_all(leases, count);
		CHECK_GT(count, before);
	}
	CHECK(WAIT_UNTIL(given(&leases[CROWD - 1]), PEER_WAIT_MS));
}
Test(engine_leases, long_jobs_get_all_workers) { case_run(all_in_the_end, 30000); }

/* ---- many leases ---- */

enum { MANY = 130 };

static struct peer_lease many[MANY];

/* All leases have a job that is not at its end. */
static void many_jobs(void)
{
	start(MANY);
	for (int i = 0; i < MANY; i++)
		submit(&plain);
	for (uint32_t i = 0; i < MANY; i++) {
		CHECK_GE(engine_queue_dispatch(queue), 0);
		peer_grant(&peer, i, &many[i]);
	}
	for (int i = 0; i < MANY; i++) {
		CHECK(WAIT_UNTIL(given(&many[i]), PEER_WAIT_MS));
		peer_begin(&many[i]);
	}
}

static bool listens(void) { return atomic_load(&many[0].queue->listening) != 0; }

/* Nobody looks at all of them each time, so each worker tells, though no thread sleeps. */
static void each_tells(void)
{
	many_jobs();
	CHECK(listens());
	for (int i = 0; i < MANY; i++) {
		peer_end(&many[i], DONE_RETIRING);
		CHECK_EQ(result().outcome, BROOD_DONE);
	}
	/* they have all retired: with so few leases a look is cheaper */
	CHECK_GE(engine_queue_dispatch(queue), 0);
	CHECK(!listens());
}
Test(engine_leases, of_many_each_tells) { case_run(each_tells, 30000); }

/* ---- an early deadline ---- */

static struct peer_lease looked;
static atomic_int looks, early;

static int sees_it_first(enum message_type type)
{
	if (type != MESSAGE_LEASE_LOOK)
		return 0;
	atomic_fetch_add(&looks, 1);
	if (!peer_given(&looked) && atomic_load(&looked.lease_page->published) == looked.done + 1)
		atomic_store(&early, 1);
	return 0;
}

/* The supervisor hears of it before the worker can begin the job. */
static void deadline(void)
{
	start(2);
	first_job(&looked, 0);
	atomic_store(&hooks.sending, sees_it_first);
	submit(&(struct brood_job_options){ .run_ms = 500 });
	CHECK(peer_given(&looked));
	CHECK_EQ(atomic_load(&looks), 1);
	CHECK(atomic_load(&early));
}
Test(engine_leases, an_early_deadline_is_told_before_the_job) { case_run(deadline, 20000); }

/* ---- a job that no worker can get ---- */

static int no_fds(enum message_type type) { return type == MESSAGE_WITH ? -EPERM : 0; }

/* It is refused while it is submitted. A loop that polls hears of it. */
static void refused_at_once(void)
{
	struct peer_lease l;
	struct brood_verdict v;
	int null = 2, fd;

	start(2);
	first_job(&l, 0);
	fd = engine_queue_fd(queue);
	CHECK_GE(fd, 0);
	CHECK(WAIT_UNTIL(engine_queue_dispatch(queue) >= 0 && !peer_readable(fd), PEER_WAIT_MS));
	atomic_store(&hooks.sending, no_fds);
	submit(&(struct brood_job_options){ .fds = &null, .fds_count = 1 });
	CHECK(!peer_given(&l));
	CHECK(peer_readable(fd));
	CHECK_EQ(engine_queue_dispatch(queue), 1);
	CHECK(!peer_readable(fd));
	v = result();
	CHECK_EQ(v.outcome, BROOD_REFUSED);
	CHECK_EQ(v.detail, BROOD_DETAIL_FD_LOST);
}
Test(engine_leases, a_loop_hears_of_a_job_refused_at_once) { case_run(refused_at_once, 20000); }

/* ---- the channel's end ---- */

static void *calls(void *grant)
{
	struct brood_job_options o = { .size = sizeof o, .dispatch = BROOD_PATH_LEASE };
	struct engine_job job = { .fn = peer_fn_a, .name = "a", .options = &o };
	struct engine_bytes none = { 0 };
	struct brood_verdict v;

	CHECK_EQ(engine_call(peer.brood, &job, &none, &v), 0);
	CHECK_EQ(v.outcome, BROOD_DONE);
	atomic_store((atomic_int *)grant, 1);
	for (int i = 0; i < 3; i++) {
		CHECK_EQ(engine_call(peer.brood, &job, &none, &v), -ENOTCONN);
		CHECK_EQ(v.outcome, BROOD_LOST);
		CHECK_EQ(v.detail, BROOD_DETAIL_CHANNEL);
	}
	return NULL;
}

/* A thread that had a lease: each call is lost, and none says that a pinned lease is over. */
static void lost(void)
{
	atomic_int called = 0;
	struct peer_lease l;
	pthread_t thread;

	start(2);
	CHECK_EQ(pthread_create(&thread, NULL, calls, &called), 0);
	peer_grant(&peer, 0, &l);
	CHECK(WAIT_UNTIL(peer_given(&l), PEER_WAIT_MS));
	peer_begin(&l);
	peer_end(&l, 0);
	CHECK(WAIT_UNTIL(atomic_load(&called) && peer_given(&l), PEER_WAIT_MS));
	peer_hang_up(&peer);
	CHECK_EQ(pthread_join(thread, NULL), 0);
}
Test(engine_leases, calls_after_the_channels_end_are_lost) { case_run(lost, 30000); }

/* ---- progress ---- */

#define AHEAD_MOST 6

/* How many jobs of the callers' queue a worker knows of at a time. */
static size_t ahead(void)
{
	cpu_set_t cpus;

	CHECK_EQ(sched_getaffinity(0, sizeof cpus, &cpus), 0);
	return CPU_COUNT(&cpus) == 1 ? 4 : AHEAD_MOST;
}

static struct peer_lease shared; /* the lease of the callers' queue */
static _Atomic uint64_t known; /* the last job that its worker knows of, as the callback sees it */
static atomic_int told;

static void looks_at_ring(void *context, uint64_t id, const void *data, size_t size)
{
	(void)context, (void)id, (void)data, (void)size;
	atomic_store(&known, peer_known(&shared));
	atomic_store(&told, 1);
}

static void *caller(void *on_progress)
{
	struct brood_job_options o = { .size = sizeof o,
		.dispatch = BROOD_PATH_LEASE,
		.on_progress = on_progress ? looks_at_ring : NULL };
	struct engine_job job = { .fn = peer_fn_a, .name = "a", .options = &o };
	struct engine_bytes none = { 0 };

	CHECK_EQ(engine_call(peer.brood, &job, &none, NULL), 0);
	return NULL;
}

/* Has the one queue that a thread may have to itself. */
static void *owner(void *go)
{
	caller(NULL);
	CHECK(WAIT_UNTIL(atomic_load((atomic_int *)go), 30000));
	return NULL;
}

static uint64_t submitted(void)
{
	struct brood_stats s;

	CHECK_EQ(engine_stats(peer.brood, &s), 0);
	return s.submitted;
}

static pthread_t call_later(bool progress)
{
	uint64_t before = submitted();
	pthread_t thread;

	CHECK_EQ(pthread_create(&thread, NULL, caller, progress ? &shared : NULL), 0);
	CHECK(WAIT_UNTIL(submitted() == before + 1, PEER_WAIT_MS));
	return thread;
}

static void end_next(struct peer_lease *l)
{
	CHECK(WAIT_UNTIL(peer_given(l), PEER_WAIT_MS));
	peer_begin(l);
	peer_end(l, 0);
}

static bool always(void) { return true; }

/*
 * A thread of the callers' queue is woken for its progress, and finds that its job has ended, too.
 * So the worker may know of one more job: it hears of it before the callback, which may take long.
 */
static void flushed(void)
{
	const size_t count = ahead() + 2;
	pthread_t holder, threads[AHEAD_MOST + 2];
	struct peer_lease own;
	atomic_int go = 0;
	uint64_t first;

	start(1);
	CHECK_EQ(pthread_create(&holder, NULL, owner, &go), 0);
	peer_grant(&peer, 0, &own);
	end_next(&own);
	threads[0] = call_later(false);
	peer_grant(&peer, 0, &shared);
	end_next(&shared);
	CHECK_EQ(pthread_join(threads[0], NULL), 0);
	first = shared.done + 1;
	for (size_t i = 0; i < count; i++)
		threads[i] = call_later(i == 1);
	end_next(&shared);
	CHECK_EQ(pthread_join(threads[0], NULL), 0); /* it led, and the last one does now */
	CHECK(WAIT_UNTIL(peer_known(&shared) == first + ahead(), PEER_WAIT_MS));
	hook_stop(threads[1], always);
	peer_progress(&shared, peer_begin(&shared), "half");
	hook_wait();
	peer_end(&shared, 0);
	hook_go_on();
	CHECK(WAIT_UNTIL(atomic_load(&told), PEER_WAIT_MS));
	CHECK_EQ(atomic_load(&known), first + ahead() + 1);
	for (size_t i = 2; i < count; i++)
		end_next(&shared);
	for (size_t i = 1; i < count; i++)
		CHECK_EQ(pthread_join(threads[i], NULL), 0);
	atomic_store(&go, 1);
	CHECK_EQ(pthread_join(holder, NULL), 0);
}
Test(engine_leases, a_worker_hears_of_jobs_before_a_callback) { case_run(flushed, 60000); }

/* ---- more queues than there is room for wishes ---- */

static struct brood_queue *queues[4];

static void submit_to(struct brood_queue *to)
{
	struct brood_job_options o = { .size = sizeof o, .queue = to };
	struct engine_job job = { .fn = peer_fn_a, .name = "a", .options = &o };

	CHECK_EQ(engine_submit(peer.brood, &job, NULL, 0, NULL), 0);
}

/* The worker died, and its job with it. */
static void lease_over(uint64_t id, uint64_t sequence)
{
	struct frame f;

	frame_begin(&f, MESSAGE_LEASE_OVER)->lease_over = (struct message_lease_over){ .id = id,
		.how = LEASE_DIED,
		.pid = 4711,
		.generation = 1,
		.status = SIGKILL,
		.word = SLOT_PAGE_WORD(sequence, SLOT_PAGE_RUNNING) };
	CHECK_EQ(frame_send(peer.channel, &f), 0);
}

static bool asks(struct brood_queue *of)
{
	CHECK_GE(engine_queue_dispatch(of), 0);
	return peer_readable(peer.channel);
}

/* The next wish is of this queue. */
static void hear_wish(struct brood_queue *of)
{
	struct frame f;

	CHECK(WAIT_UNTIL(asks(of), PEER_WAIT_MS));
	peer_hear(&peer, &f, MESSAGE_LEASE);
	CHECK_EQ(f.lease.queue, (uint32_t)((struct queue *)of)->fds.control);
	frame_done(&f);
}

/*
 * One worker, and room for one wish beside it. The first queue has the worker, and a second job.
 * The second queue has the wish. When the lease ends, the first queue hears of it first, and would
 * have the room at once. But the third one has waited for it.
 */
static void in_line(void)
{
	struct peer_lease first;
	uint64_t began;

	start(1);
	queues[0] = queue;
	for (int i = 1; i < 4; i++)
		CHECK_EQ(engine_queue_new(peer.brood, NULL, &queues[i]), 0);
	submit_to(queues[0]);
	peer_grant(&peer, 0, &first);
	CHECK(WAIT_UNTIL(given(&first), PEER_WAIT_MS));
	peer_begin(&first);
	submit_to(queues[0]);
	submit_to(queues[1]);
	hear_wish(queues[1]);
	submit_to(queues[2]);
	submit_to(queues[3]);
	CHECK(peer_silent(&peer));
	lease_over(first.id, first.base + 1);
	began = now_ns();
	CHECK_GE(engine_queue_dispatch(queues[0]), 0);
	if (now_ns() > began + LINE_WAIT_NS)
		return; /* the third one counts as gone */
	CHECK(peer_silent(&peer));
	hear_wish(queues[2]);
}
Test(engine_leases, queues_ask_in_the_order_in_which_they_came) { case_run(in_line, 30000); }
