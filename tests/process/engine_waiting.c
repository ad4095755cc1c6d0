/* SPDX-License-Identifier: MIT */
/*
 * engine_waiting.c - which thread is told what, and when: brood_fd() for event loops, and threads
 * that wait. The supervisor is a fake one.
 */
#include "engine.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <unistd.h>

TestSuite(engine_waiting, .timeout = 120);

static const struct peer_service echoing[] = { { peer_fn_a, peer_echo },
	{ peer_fn_b, peer_nothing }, { NULL, NULL } };

/* ---- brood_fd() ---- */

static void fd_own(void)
{
	struct brood_handle *h;
	int fd;

	start(4);
	fd = engine_fd(peer.brood);
	CHECK_GE(fd, 0);
	CHECK_EQ(engine_fd(peer.brood), fd);
	CHECK_EQ(fcntl(fd, F_GETFD), FD_CLOEXEC);
	CHECK(!peer_readable(fd));
	h = peer_open(&peer, peer_fn_a, NULL);
	CHECK(!peer_readable(fd));
	peer_outcome(&peer, engine_id(h), BROOD_DONE);
	CHECK(peer_readable(fd));
	CHECK_EQ(engine_dispatch(peer.brood), 1);
	CHECK(!peer_readable(fd));
	CHECK_EQ(engine_dispatch(peer.brood), 0);
	engine_release(h);
}
Test(engine_waiting, fd_says_when_there_is_a_verdict) { case_run(fd_own, 10000); }

/*
 * Another thread's call reads the channel and takes the verdict. The channel is empty then, and the
 * event loop must hear of the verdict all the same.
 */
static void fd_others(void)
{
	struct engine_bytes bytes = { 0 };
	struct brood_handle *h, *late;
	struct brood_verdict v;
	struct peer_job job;
	pthread_t thread;
	int fd;

	start(4);
	fd = engine_fd(peer.brood);
	h = peer_open(&peer, peer_fn_a, NULL);
	peer_job(&peer, &job);
	close(job.fd);
	thread = peer_call_later(&peer, peer_fn_a, &bytes, &v);
	peer_job(&peer, &job);
	peer_outcome(&peer, engine_id(h), BROOD_FAILED);
	peer_finish(&peer, &job, BROOD_DONE);
	CHECK_EQ(peer_join(thread), 0);
	CHECK(!peer_readable(peer_engine_channel(&peer))); /* it has been read */
	CHECK(peer_readable(fd));
	CHECK_EQ(engine_dispatch(peer.brood), 1);
	CHECK(!peer_readable(fd));
	CHECK_EQ(engine_fetch(h, &v), 0);
	CHECK_EQ(v.outcome, BROOD_FAILED);

	/* A verdict for which a thread waits in brood_wait() is told to this thread alone. */
	late = peer_open(&peer, peer_fn_a, NULL);
	thread = peer_wait_later(late);
	CHECK(WAIT_UNTIL(peer_waited(late), PEER_WAIT_MS));
	peer_outcome(&peer, engine_id(late), BROOD_DONE);
	CHECK_EQ(peer_join(thread), 0);
	CHECK(!peer_readable(fd));
	CHECK_EQ(engine_dispatch(peer.brood), 0);
	engine_release(h);
	engine_release(late);
}
Test(engine_waiting, fd_says_what_another_thread_brought) { case_run(fd_others, 10000); }

/* brood_fd() is called only after the verdict has come. */
static void fd_late(void)
{
	struct brood_handle *first, *second;

	start(4);
	first = peer_open(&peer, peer_fn_a, NULL);
	second = peer_open(&peer, peer_fn_a, NULL);
	peer_outcome(&peer, engine_id(first), BROOD_DONE);
	peer_outcome(&peer, engine_id(second), BROOD_DONE);
	CHECK_EQ(engine_wait(second, 5000, NULL), 0);
	CHECK(peer_readable(engine_fd(peer.brood)));
	CHECK_EQ(engine_dispatch(peer.brood), 1);
	CHECK(!peer_readable(engine_fd(peer.brood)));
	engine_release(first);
	engine_release(second);
}
Test(engine_waiting, fd_asked_for_late) { case_run(fd_late, 10000); }

static void fd_ready(void)
{
	struct brood_handle *h;

	start(4);
	h = peer_open(&peer, peer_fn_a, NULL);
	peer_outcome(&peer, engine_id(h), BROOD_DONE);
	peer_say(&peer, MESSAGE_POOL_READY);
	engine_fd(peer.brood);
	CHECK_EQ(engine_wait_ready(peer.brood, 5000), 0); /* reads the verdict, too */
	CHECK(peer_readable(engine_fd(peer.brood)));
	CHECK_EQ(engine_dispatch(peer.brood), 1);
	engine_release(h);
}
Test(engine_waiting, fd_says_what_wait_ready_brought) { case_run(fd_ready, 10000); }

static void fd_end(void *context)
{
	bool by_call = *(bool *)context;
	struct engine_bytes bytes = { 0 };
	struct brood_handle *h;
	struct brood_verdict v;
	struct peer_job job;
	pthread_t thread;
	int fd;

	start(4);
	fd = engine_fd(peer.brood);
	h = peer_open(&peer, peer_fn_a, NULL);
	peer_job(&peer, &job);
	if (by_call) {
		thread = peer_call_later(&peer, peer_fn_a, &bytes, &v);
		peer_job(&peer, &job);
	}
	peer_hang_up(&peer);
	if (by_call)
		CHECK_EQ(peer_join(thread), -ENOTCONN);
	CHECK(peer_readable(fd));
	CHECK_EQ(engine_dispatch(peer.brood), -ENOTCONN);
	CHECK_EQ(engine_fetch(h, &v), 0);
	CHECK_EQ(v.outcome, BROOD_LOST);
	/* told once: a loop that goes on does not spin */
	CHECK(!peer_readable(fd));
	CHECK_EQ(engine_dispatch(peer.brood), -ENOTCONN);
	engine_release(h);
}
Test(engine_waiting, fd_says_the_end)
{
	bool by_call = false;
	case_run_with(fd_end, &by_call, 10000);
}
Test(engine_waiting, fd_says_the_end_that_a_call_met)
{
	bool by_call = true;
	case_run_with(fd_end, &by_call, 10000);
}

/* ---- waiting ---- */

static void bounds(void)
{
	struct brood_handle *h;
	struct brood_verdict v;
	uint64_t before;
	pthread_t thread;

	start(4);
	h = peer_open(&peer, peer_fn_a, NULL);
	CHECK_EQ(engine_wait(h, 0, &v), -ETIMEDOUT);
	before = now_ns();
	CHECK_EQ(engine_wait(h, 50, &v), -ETIMEDOUT);
	CHECK_GE(now_ns() - before, 50 * NS_PER_MS);
	thread = peer_wait_later(h);
	CHECK(WAIT_UNTIL(peer_waited(h), PEER_WAIT_MS));
	CHECK_EQ(engine_wait(h, 1000, &v), -EBUSY);
	peer_outcome(&peer, engine_id(h), BROOD_DONE);
	CHECK_EQ(peer_join(thread), 0);
	CHECK_EQ(engine_wait(h, 0, &v), 0); /* as often as one likes */
	engine_release(h);

	/*
	 * The verdict is in the channel, and the timeout is 0: also for a thread that does not
	 * lead.
	 */
	h = peer_open(&peer, peer_fn_a, NULL);
	peer_outcome(&peer, engine_id(h), BROOD_DONE);
	CHECK_EQ(engine_wait(h, 0, &v), 0);
	engine_release(h);
}
Test(engine_waiting, bounds_of_waiting) { case_run(bounds, 10000); }

/*
 * The leader leaves with its verdict. The thread that slept behind it must take over, or its own
 * verdict would stay in the channel for ever.
 */
static void lead_passes(void)
{
	enum { N = 6 };
	struct brood_handle *h[N];
	pthread_t threads[N];

	start(N);
	for (int i = 0; i < N; i++) {
		h[i] = peer_open(&peer, peer_fn_a, NULL);
		threads[i] = peer_wait_later(h[i]);
		CHECK(WAIT_UNTIL(peer_waited(h[i]), PEER_WAIT_MS));
	}
	/* thread 0 leads, then the thread that is poked: each leaves while others sleep */
	for (int i = 0; i < N; i++) {
		peer_outcome(&peer, engine_id(h[i]), BROOD_DONE);
		CHECK_EQ(peer_join(threads[i]), 0);
	}
	for (int i = 0; i < N; i++)
		engine_release(h[i]);
}
Test(engine_waiting, the_lead_passes_on) { case_run(lead_passes, 20000); }

/* The leader's time is up while another sleeps. */
static void lead_times_out(void)
{
	struct brood_handle *h, *other;
	pthread_t leader, follower;

	start(4);
	h = peer_open(&peer, peer_fn_a, NULL);
	other = peer_open(&peer, peer_fn_a, NULL);
	leader = peer_wait_later_ms(h, 200);
	CHECK(WAIT_UNTIL(peer_waited(h), PEER_WAIT_MS));
	follower = peer_wait_later(other);
	CHECK_EQ(peer_join(leader), -ETIMEDOUT);
	peer_outcome(&peer, engine_id(other), BROOD_DONE);
	CHECK_EQ(peer_join(follower), 0);
	engine_release(h);
	engine_release(other);
}
Test(engine_waiting, a_leader_whose_time_is_up) { case_run(lead_times_out, 20000); }

/* An event loop may dispatch before the thread that sleeps for this verdict. */
static void dispatched_by_loop(void)
{
	struct brood_handle *h;
	pthread_t thread;

	start(4);
	for (int i = 0; i < 200; i++) {
		h = peer_open(&peer, peer_fn_a, NULL);
		thread = peer_wait_later(h);
		CHECK(WAIT_UNTIL(peer_waited(h), PEER_WAIT_MS));
		peer_outcome(&peer, engine_id(h), BROOD_DONE);
		CHECK_EQ(engine_dispatch(peer.brood), 0);
		CHECK_EQ(peer_join(thread), 0);
		engine_release(h);
		peer_drop(&peer);
	}
}
Test(engine_waiting, dispatch_pokes_who_waits) { case_run(dispatched_by_loop, 20000); }

/* There is no fd for an eventfd: threads look every few ms instead, and nothing fails. */
static void no_fds(void)
{
	enum { N = 4 };
	struct brood_handle *h[N];
	pthread_t threads[N];
	struct rlimit limit;

	start(N);
	for (int i = 0; i < N; i++)
		h[i] = peer_open(&peer, peer_fn_a, NULL);
	getrlimit(RLIMIT_NOFILE, &limit);
	limit.rlim_cur = 5;
	CHECK_EQ(setrlimit(RLIMIT_NOFILE, &limit), 0);
	for (int i = 0; i < N; i++) {
		threads[i] = peer_wait_later(h[i]);
		CHECK(WAIT_UNTIL(peer_waited(h[i]), PEER_WAIT_MS));
	}
	for (int i = N - 1; i >= 0; i--) {
		peer_outcome(&peer, engine_id(h[i]), BROOD_DONE);
		CHECK_EQ(peer_join(threads[i]), 0);
	}
	CHECK_EQ(peer_open_try(&peer, NULL, NULL), -EMFILE);
	CHECK_CONTAINS(engine_error_text(), "RLIMIT_NOFILE");
}
Test(engine_waiting, without_fds) { case_run(no_fds, 20000); }

/* ---- signals and cancellation ---- */

static void on_alarm(int sig) { (void)sig; }

static void signals(void)
{
	struct itimerval often = { .it_interval.tv_usec = 200, .it_value.tv_usec = 200 },
			 never = { 0 };
	struct sigaction action = { .sa_handler = on_alarm }; /* no SA_RESTART */
	size_t size = 4 << 20;
	char *request = calloc(1, size), *reply = malloc(size);
	struct engine_bytes bytes = { request, size, reply, size, false };

	start(64);
	peer_serve(&peer, echoing);
	CHECK_EQ(sigaction(SIGALRM, &action, NULL), 0);
	setitimer(ITIMER_REAL, &often, NULL);
	for (int i = 0; i < 20; i++) {
		ssize_t n = peer_call(&peer, peer_fn_a, &bytes, NULL);

		CHECK_MSG(n == (ssize_t)size, "%zd", n);
	}
	setitimer(ITIMER_REAL, &never, NULL);
}
Test(engine_waiting, interrupted_all_the_time) { case_run(signals, 60000); }

static atomic_int went_on;
static void __attribute__((noinline)) call_once(void)
{
	char reply[8];
	struct engine_bytes bytes = { "x", 1, reply, sizeof reply, false };

	CHECK_EQ(peer_call(&peer, peer_fn_a, &bytes, NULL), 0);
}
/*
 * This is no local variable, because AddressSanitizer does not clean up frames that a cancelled
 * thread leaves.
 */
static void *call_then_cancel_point(void *context)
{
	(void)context;
	call_once();
	atomic_store(&went_on, 1);
	pthread_testcancel();
	atomic_store(&went_on, 2);
	return NULL;
}
static void cancellation(void)
{
	struct peer_job job;
	pthread_t thread;
	void *result;

	start(4);
	CHECK_EQ(pthread_create(&thread, NULL, call_then_cancel_point, NULL), 0);
	peer_job(&peer, &job);
	CHECK_EQ(pthread_cancel(thread), 0);
	peer_finish(&peer, &job, BROOD_DONE);
	CHECK_EQ(pthread_join(thread, &result), 0);
	CHECK(result == PTHREAD_CANCELED);
	/* the call returned, and the thread ended after it */
	CHECK_EQ(went_on, 1);
}
Test(engine_waiting, no_call_is_a_cancellation_point) { case_run(cancellation, 10000); }
