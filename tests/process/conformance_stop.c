/* SPDX-License-Identifier: MIT */
/* conformance_stop.c - jobs when the pool stops, or is lost: on every path. */
#include "../helpers/conformance.h"

#include <criterion/criterion.h>
#include <sys/socket.h>
#include <unistd.h>

TestSuite(conformance, .timeout = 1000);

/* ---- the pool's end ---- */

static void *stops(void *site)
{
	CHECK_EQ(brood_stop(((struct site *)site)->brood), 0);
	return NULL;
}

static int begins_and_heeds(struct brood_job *job)
{
	atomic_fetch_add(&said(job)->stage->entered, 1);
	return job_until_cancelled(job);
}

/*
 * All three jobs run before others come: a granted worker that has not begun may be taken back for
 * these.
 */
static void draining(struct site *s)
{
	struct given *finishes = GIVE(s, job_gated, .number = 5),
		     *heeds = GIVE(s, begins_and_heeds, .options.grace_ms = 60000),
		     *hangs = GIVE(s, job_stores_pid), *queued[4];
	pthread_t thread;

	CHECK(stage_entered(s, 2));
	stage_pid(s);
	CHECK(WAIT_UNTIL(pool_stats(s->brood).busy == 3, 20000));
	for (int i = 0; i < 4; i++) {
		queued[i] = GIVE(s, job_gated, .number = 100);
		given_id(queued[i]);
	}
	CHECK_EQ(pthread_create(&thread, NULL, stops, s), 0);
	for (int i = 0; i < 4; i++) {
		expect(queued[i], BROOD_REFUSED, BROOD_DETAIL_DRAINING);
		CHECK_EQ(queued[i]->v.started, 0);
	}
	expect(hangs, BROOD_CANCELLED, BROOD_DETAIL_STOPPED);
	expect(heeds, BROOD_FAILED, BROOD_DETAIL_NONE);
	CHECK_EQ(heeds->v.code, 42);
	expect(finishes, BROOD_CANCELLED, BROOD_DETAIL_STOPPED);
	pthread_join(thread, NULL);
	CHECK_EQ(brood_dispatch(s->brood), -ESHUTDOWN);
	s->stopped = true;
}
CASE(draining, ANY_WORKER | FRESH, .workers = 3, .drain_ms = 300, .stop_ms = 20000)

/* Jobs that end within the drain time have their own end. */
static void drained(struct site *s)
{
	struct given *g = GIVE(s, job_gated, .number = 5), *queued[8];
	pthread_t thread;

	CHECK(stage_entered(s, 1));
	for (int i = 0; i < 8; i++) {
		queued[i] = GIVE(s, job_code, .number = i);
		given_id(queued[i]);
	}
	CHECK_EQ(pthread_create(&thread, NULL, stops, s), 0);
	/* in most cases within the stop; before it is as right */
	usleep(20000);
	stage_open(s);
	expect(g, BROOD_FAILED, BROOD_DETAIL_NONE);
	for (int i = 0; i < 8; i++) {
		expect(queued[i], i ? BROOD_FAILED : BROOD_DONE, BROOD_DETAIL_NONE);
		CHECK_EQ(queued[i]->v.code, i);
	}
	pthread_join(thread, NULL);
	s->stopped = true;
}
CASE(drained, ANY_WORKER | FRESH, .workers = 1, .drain_ms = 60000)

/* The engine's channel to the supervisor breaks, and nothing else. */
static void break_channel(const int *channels)
{
	for (int i = 0; channels[i] >= 0; i++)
		CHECK_EQ(shutdown(channels[i], SHUT_RDWR), 0);
}
static void find_channels(int channels[8])
{
	int n = 0;

	for (int fd = 3; fd < 256 && n < 7; fd++) {
		int type = 0;
		socklen_t size = sizeof type;

		if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size) == 0 &&
			type == SOCK_SEQPACKET)
			channels[n++] = fd;
	}
	channels[n] = -1;
	CHECK_EQ(n, 2); /* and the log's */
}

static void lost(struct site *s)
{
	struct given *runs, *queued[3];
	int channels[8];

	find_channels(channels);
	runs = GIVE(s, job_stores_pid, .no_eof = true);
	stage_pid(s);
	for (int i = 0; i < 3; i++) {
		queued[i] = GIVE(s, job_gated, .no_eof = true);
		given_id(queued[i]);
	}
	break_channel(channels);
	expect(runs, BROOD_LOST, BROOD_DETAIL_CHANNEL);
	for (int i = 0; i < 3; i++)
		expect(queued[i], BROOD_LOST, BROOD_DETAIL_CHANNEL);
	CHECK_EQ(brood_dispatch(s->brood), -ENOTCONN);
	CHECK(WAIT_UNTIL(pool_stats(s->brood).ready == 0, 20000));
	CHECK_LE(brood_stop(s->brood), 0);
	s->stopped = true;
}
CASE(lost, ANY_WORKER | FRESH, .workers = 1, .drain_ms = 100)
