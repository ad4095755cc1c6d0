/* SPDX-License-Identifier: MIT */
/*
 * engine_moments.c - threads of the engine that meet at a bad moment: one reads what is for another
 * one, runs a callback that takes long, or holds a lock. The supervisor is a fake one.
 */
#include "../helpers/case.h"
#include "../helpers/peer.h"
#include "hooks.h"

#include <criterion/criterion.h>
#include <poll.h>
#include <time.h>

TestSuite(engine_moments, .timeout = 120);

static struct peer peer;
static atomic_int told, go_on;

static void start(void (*log)(void *, const struct brood_log *))
{
	peer_init(&peer);
	peer.options.log = log;
	peer.options.run_ms = BROOD_FOREVER;
	peer.options.queue_ms = 20000;
	peer_start(&peer, 16);
}

static void say_progress(const struct peer_job *job)
{
	struct frame f;
	struct message_progress *m = &frame_begin(&f, MESSAGE_PROGRESS)->progress;

	m->id = job->id;
	m->size = 4;
	memcpy(m->data, "half", 4);
	CHECK_EQ(frame_send(peer.channel, &f), 0);
}

/* ---- progress of a call by handoff ---- */

static void notes(void *context, uint64_t id, const void *data, size_t size)
{
	(void)context, (void)id, (void)data;
	CHECK_EQ(size, 4);
	atomic_fetch_add(&told, 1);
}

static void waits(void *context, uint64_t id, const void *data, size_t size)
{
	notes(context, id, data, size);
	CHECK(WAIT_UNTIL(atomic_load(&go_on), PEER_WAIT_MS));
}

static void call_with(brood_progress_fn *on_progress)
{
	struct brood_job_options o = { .size = sizeof o, .on_progress = on_progress };
	struct engine_job job = { .fn = peer_fn_a, .name = "a", .options = &o };
	/* large: else the caller looks after a while by itself, for the first bytes of its reply */
	static char reply[70000];
	struct engine_bytes bytes = { .reply = reply, .reply_size = sizeof reply };

	CHECK_EQ(engine_call(peer.brood, &job, &bytes, NULL), 0);
}

static bool job_is_sent(void) { return peer_readable(peer.channel); }

static void *is_late(void *unused)
{
	(void)unused;
	hook_stop(pthread_self(), job_is_sent);
	call_with(notes);
	return NULL;
}

/*
 * Another thread reads the progress before the caller waits. Nobody pokes the caller for it, and
 * the job may wait for the answer.
 */
static void read_by_another(void)
{
	struct peer_job job;
	pthread_t thread;

	start(NULL);
	CHECK_EQ(pthread_create(&thread, NULL, is_late, NULL), 0);
	hook_wait();
	peer_job(&peer, &job);
	say_progress(&job);
	CHECK_EQ(engine_dispatch(peer.brood), 0);
	CHECK(!peer_readable(peer_engine_channel(&peer)));
	CHECK_EQ(atomic_load(&told), 0);
	hook_go_on();
	CHECK(WAIT_UNTIL(atomic_load(&told) == 1, PEER_WAIT_MS));
	peer_finish(&peer, &job, BROOD_DONE);
	CHECK_EQ(pthread_join(thread, NULL), 0);
}
Test(engine_moments, progress_that_another_thread_has_read) { case_run(read_by_another, 30000); }

static void *talks(void *unused)
{
	(void)unused;
	call_with(waits);
	return NULL;
}

static void *waits_for_verdict(void *handle)
{
	CHECK_EQ(engine_wait(handle, BROOD_FOREVER, NULL), 0);
	atomic_fetch_add(&told, 1);
	return NULL;
}

/* The thread that led runs a callback: another one leads meanwhile, and has its verdict. */
static void lead_is_free(void)
{
	struct peer_job talker, job;
	struct brood_handle *h;
	pthread_t threads[2];

	start(NULL);
	CHECK_EQ(pthread_create(&threads[0], NULL, talks, NULL), 0);
	peer_job(&peer, &talker);
	h = peer_open(&peer, peer_fn_a, NULL);
	peer_job(&peer, &job);
	CHECK_EQ(pthread_create(&threads[1], NULL, waits_for_verdict, h), 0);
	CHECK(WAIT_UNTIL(peer_waited(h), PEER_WAIT_MS));
	say_progress(&talker);
	CHECK(WAIT_UNTIL(atomic_load(&told) == 1, PEER_WAIT_MS));
	peer_finish(&peer, &job, BROOD_DONE);
	CHECK(WAIT_UNTIL(atomic_load(&told) == 2, PEER_WAIT_MS / 2));
	atomic_store(&go_on, 1);
	peer_finish(&peer, &talker, BROOD_DONE);
	for (int i = 0; i < 2; i++)
		CHECK_EQ(pthread_join(threads[i], NULL), 0);
	engine_release(h);
}
Test(engine_moments, a_thread_in_a_callback_does_not_lead) { case_run(lead_is_free, 30000); }

/* ---- queues ---- */

static struct brood_queue *queues[2];

static uint64_t submit(struct brood_queue *queue, brood_done_fn *on_done, struct peer_job *ret)
{
	struct brood_job_options o = {
		.size = sizeof o, .queue = queue, .dispatch = BROOD_PATH_HANDOFF, .on_done = on_done
	};
	struct engine_job job = { .fn = peer_fn_a, .name = "a", .options = &o };
	uint64_t id = 0;

	CHECK_EQ(engine_submit(peer.brood, &job, NULL, 0, &id), 0);
	peer_job(&peer, ret);
	return id;
}

static void asks_the_queue(void *unused, const struct brood_log *log)
{
	(void)unused, (void)log;
	CHECK_EQ(engine_queue_out(queues[0]), 1);
	atomic_fetch_add(&told, 1);
}

/*
 * The channel is full, so a cancel waits for room there. It does not wait for it with the queue's
 * lock: who waits reads the log, too, and the callback may ask for that queue.
 */
static void cancelled(void)
{
	char junk[1024] = { 0 };
	struct peer_job job;
	uint64_t id;

	start(asks_the_queue);
	CHECK_EQ(engine_queue_new(peer.brood, NULL, &queues[0]), 0);
	id = submit(queues[0], NULL, &job);
	while (send(peer_engine_channel(&peer), junk, sizeof junk, MSG_DONTWAIT) > 0)
		;
	peer_log(&peer, "a line");
	CHECK_EQ(engine_cancel(peer.brood, id), 0);
	CHECK_EQ(engine_queue_out(queues[0]), 1);
}
Test(engine_moments, a_cancel_waits_with_no_queue_locked) { case_run(cancelled, 20000); }

static void holds_the_log(void *unused, const struct brood_log *log)
{
	(void)unused, (void)log;
	if (atomic_fetch_add(&told, 1) == 0)
		CHECK(WAIT_UNTIL(atomic_load(&go_on), PEER_WAIT_MS));
}

static void *waits_for_result(void *queue)
{
	CHECK_GE(engine_queue_wait(queue, BROOD_FOREVER), 1);
	return NULL;
}

static uint64_t cpu_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / NS_PER_MS;
}

/*
 * A line waits while a thread is in the log callback. The others that wait, for this queue and for
 * another one, sleep; and when the callback is through they read on.
 */
static void log_is_held(void)
{
	struct peer_job jobs[2];
	pthread_t threads[3];
	uint64_t before;

	start(holds_the_log);
	for (int i = 0; i < 2; i++) {
		CHECK_EQ(engine_queue_new(peer.brood, NULL, &queues[i]), 0);
		submit(queues[i], NULL, &jobs[i]);
	}
	CHECK_EQ(pthread_create(&threads[0], NULL, waits_for_result, queues[0]), 0);
	peer_log(&peer, "a line");
	CHECK(WAIT_UNTIL(atomic_load(&told) == 1, PEER_WAIT_MS));
	for (int i = 0; i < 2; i++)
		CHECK_EQ(pthread_create(&threads[i + 1], NULL, waits_for_result, queues[i]), 0);
	peer_log(&peer, "another line");
	before = cpu_ms();
	poll(NULL, 0, 400);
	CHECK_LT(cpu_ms() - before, 100);
	CHECK_EQ(atomic_load(&told), 1);
	atomic_store(&go_on, 1);
	CHECK(WAIT_UNTIL(atomic_load(&told) == 2, PEER_WAIT_MS));
	peer_log(&peer, "the last line");
	CHECK(WAIT_UNTIL(atomic_load(&told) == 3, PEER_WAIT_MS));
	for (int i = 0; i < 2; i++)
		peer_finish(&peer, &jobs[i], BROOD_DONE);
	for (int i = 0; i < 3; i++)
		CHECK_EQ(pthread_join(threads[i], NULL), 0);
}
Test(engine_moments, a_log_callback_that_takes_long_costs_no_cpu) { case_run(log_is_held, 30000); }

static void counts(void *unused, const struct brood_log *log)
{
	(void)unused, (void)log;
	atomic_fetch_add(&told, 1);
}

static void is_done(void *context, const struct brood_result *result)
{
	(void)context, (void)result;
	atomic_fetch_add(&told, 1);
	CHECK(WAIT_UNTIL(atomic_load(&go_on), PEER_WAIT_MS));
}

/* A thread is in a job's callback for long. The log goes on in another one. */
static void log_beside_callback(void)
{
	struct peer_job jobs[2];
	pthread_t threads[2];

	start(counts);
	CHECK_EQ(engine_queue_new(peer.brood, NULL, &queues[0]), 0);
	submit(queues[0], is_done, &jobs[0]);
	submit(queues[0], NULL, &jobs[1]);
	CHECK_EQ(pthread_create(&threads[0], NULL, waits_for_result, queues[0]), 0);
	peer_finish(&peer, &jobs[0], BROOD_DONE);
	CHECK(WAIT_UNTIL(atomic_load(&told) == 1, PEER_WAIT_MS));
	CHECK_EQ(pthread_create(&threads[1], NULL, waits_for_result, queues[0]), 0);
	peer_log(&peer, "a line");
	CHECK(WAIT_UNTIL(atomic_load(&told) == 2, PEER_WAIT_MS / 2));
	atomic_store(&go_on, 1);
	peer_finish(&peer, &jobs[1], BROOD_DONE);
	for (int i = 0; i < 2; i++)
		CHECK_EQ(pthread_join(threads[i], NULL), 0);
}
Test(engine_moments, a_callback_that_takes_long_holds_up_no_log)
{
	case_run(log_beside_callback, 30000);
}
