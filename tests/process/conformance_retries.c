/* SPDX-License-Identifier: MIT */
/*
 * conformance_retries.c - after which ends a job is tried again (retry_on), and the pause before
 * that (retry_pause_ms), on every path. conformance_queue.c has what holds for every retry.
 */
#include "../helpers/conformance.h"

#include "../../src/base/base.h"

#include <criterion/criterion.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>
#include <sys/mman.h>

TestSuite(conformance, .timeout = 1000);

/* How the first attempt ends. */
enum end { OUTSIDE, CRASH, TIMEOUT, MEMORY_FAILED, MEMORY_EXITED, ENDS };

static int ends_so_once(struct brood_job *job)
{
	void *volatile memory;

	if (brood_job_attempt(job) > 1)
		return brood_job_write(job, "good", 4) == 4 ? 0 : 9;
	if (brood_job_write(job, "bad", 3) != 3)
		return 8;
	switch ((enum end)said(job)->number) {
	case OUTSIDE: return raise(SIGKILL);
	case CRASH: return raise(SIGSEGV);
	case TIMEOUT: return job_sleep_forever(job);
	default: break;
	}
	/* no malloc(): AddressSanitizer's ends the process where there is no memory */
	memory = mmap(
		NULL, (size_t)1 << 30, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (memory != MAP_FAILED) /* errno says what it did */
		return 7;
	if (said(job)->number == MEMORY_EXITED)
		exit(6);
	return 5;
}

static const struct {
	enum brood_outcome outcome;
	enum brood_detail detail;
	uint32_t bit;
} ends[ENDS] = {
	[OUTSIDE] = { BROOD_CRASHED, BROOD_DETAIL_OUTSIDE, BROOD_RETRY_OUTSIDE },
	[CRASH] = { BROOD_CRASHED, BROOD_DETAIL_NONE, BROOD_RETRY_CRASH },
	[TIMEOUT] = { BROOD_TIMED_OUT, BROOD_DETAIL_NONE, BROOD_RETRY_TIMEOUT },
	[MEMORY_FAILED] = { BROOD_FAILED, BROOD_DETAIL_MEMORY, BROOD_RETRY_MEMORY },
	[MEMORY_EXITED] = { BROOD_EXITED, BROOD_DETAIL_MEMORY, BROOD_RETRY_MEMORY },
};

static struct given *end_so(struct site *s, enum end end, uint32_t retry_on)
{
	return RUN(s, ends_so_once, .number = end,
		.options = { .retries = 3,
			.retry_on = retry_on,
			.run_ms = end == TIMEOUT ? 60 : 20000,
			.grace_ms = 20 });
}

/* A conversation that failed is over: its socket was shut down. */
static bool may_again(const struct site *s, enum end end)
{
	return !site_is(s, PINNED) && !(end == MEMORY_FAILED && site_is(s, STREAMS));
}

static void causes(struct site *s)
{
	const uint32_t all = BROOD_RETRY_OUTSIDE | BROOD_RETRY_CRASH | BROOD_RETRY_TIMEOUT |
		BROOD_RETRY_MEMORY;

	for (enum end end = 0; end < ENDS; end++) {
		struct given *g = end_so(s, end, all & ~ends[end].bit);

		expect(g, ends[end].outcome, ends[end].detail);
		CHECK_EQ(g->v.attempts, 1);
		g = end_so(s, end, ends[end].bit);
		if (!may_again(s, end)) {
			expect(g, ends[end].outcome, ends[end].detail);
			CHECK_EQ(g->v.attempts, 1);
			continue;
		}
		expect(g, BROOD_DONE, BROOD_DETAIL_NONE);
		CHECK_EQ(g->v.attempts, 2);
		if (site_is(s, BYTES)) { /* what the first one wrote is thrown away */
			CHECK_EQ(g->reply_size, 4);
			CHECK_MEM(g->reply, "good", 4);
		}
	}
	site_well(s);
}
CASE(causes, EVERYWHERE, .worker_memory = 256u << 20)

/* The first attempt replies two fds, and fails; the second replies one. */
static int replies_fds(struct brood_job *job)
{
	bool first = brood_job_attempt(job) == 1;

	if (brood_job_reply_fds(job, (int[]){ 2, 2 }, first ? 2 : 1) != 0)
		return 9;
	return first ? ends_so_once(job) : 0;
}

static void fds_of_the_last(struct site *s)
{
	int fds[BROOD_JOB_FDS_MAX];
	size_t count = 0;
	struct given *g;

	if (site_is(s, PINNED))
		return;
	g = RUN(s, replies_fds, .number = MEMORY_FAILED,
		.options = { .retries = 1,
			.retry_on = BROOD_RETRY_MEMORY,
			.ret_fds = fds,
			.ret_fds_room = BROOD_JOB_FDS_MAX,
			.ret_fds_count = &count });
	expect(g, BROOD_DONE, BROOD_DETAIL_NONE);
	CHECK_EQ(g->v.attempts, 2);
	CHECK_EQ(site_is(s, CALLS) ? count : g->fds_count, 1);
	close(site_is(s, CALLS) ? fds[0] : g->fds[0]);
	site_well(s);
}
CASE(fds_of_the_last, BYTES, .worker_memory = 256u << 20)

static void wrong_options(struct site *s)
{
	struct given *g = RUN(s, job_code, .refusable = true, .options.retry_on = 1u << 4);

	CHECK_EQ(site_is(s, CALLS) ? g->n : g->error, -EINVAL);
	g = RUN(s, job_code, .refusable = true, .options.retry_pause_ms = BROOD_FOREVER);
	CHECK_EQ(site_is(s, CALLS) ? g->n : g->error, -EINVAL);
	site_well(s);
}
CASE(wrong_options, EVERYWHERE | ALONE)

/* ---- the pause ---- */

#define ENDED_AT(stage) (&(stage)->values[0])
#define BEGAN_AT(stage) (&(stage)->values[1])
#define ATTEMPTS(stage) (&(stage)->values[2])
#define SHORT_MS        150
#define LONG_MS         600000

/* Crashes at first, and tells when. */
static int tells_when(struct brood_job *job)
{
	struct stage *stage = said(job)->stage;

	atomic_fetch_add(ATTEMPTS(stage), 1);
	if (brood_job_attempt(job) > 1) {
		atomic_store(BEGAN_AT(stage), now_ns());
		return 0;
	}
	atomic_store(ENDED_AT(stage), now_ns());
	return raise(SIGSEGV);
}

static struct given *give_pausing(struct site *s, uint32_t pause_ms)
{
	for (int i = 0; i < 3; i++)
		atomic_store(&s->stage->values[i], 0);
	return GIVE(s, tells_when, .request = "bytes", .size = 5,
		.options = {
			.retries = 1, .retry_on = BROOD_RETRY_CRASH, .retry_pause_ms = pause_ms });
}

static void pause_first(struct site *s)
{
	struct given *g = give_pausing(s, SHORT_MS);

	expect(g, BROOD_DONE, BROOD_DETAIL_NONE);
	CHECK_EQ(g->v.attempts, 2);
	CHECK_GE(atomic_load(BEGAN_AT(s->stage)) - atomic_load(ENDED_AT(s->stage)),
		SHORT_MS * NS_PER_MS);
	g = give_pausing(s, 0);
	expect(g, BROOD_DONE, BROOD_DETAIL_NONE);
}
CASE(pause_first, ANY_WORKER)

/* The first attempt has ended, and all that it was told of has been read. */
static bool pauses(struct site *s)
{
	site_dispatch(s);
	return atomic_load(ENDED_AT(s->stage)) && pool_stats(s->brood).died > 0 &&
		pool_full(s->brood);
}

/* Nobody waits for a job that pauses: others go first. A cancel ends the pause. */
static void others_go_first(struct site *s)
{
	struct given *g = give_pausing(s, LONG_MS);

	CHECK(WAIT_UNTIL(pauses(s), 20000));
	for (int i = 0; i < 5; i++)
		expect(RUN(s, job_code, .number = i), i ? BROOD_FAILED : BROOD_DONE,
			BROOD_DETAIL_NONE);
	CHECK_EQ(atomic_load(&g->over), 0);
	CHECK_EQ(brood_cancel(s->brood, given_id(g)), 0);
	expect(g, BROOD_CANCELLED, BROOD_DETAIL_NONE);
	CHECK_EQ(g->v.attempts, 1);
	CHECK(g->v.started);
	CHECK_EQ(atomic_load(ATTEMPTS(s->stage)), 1);
	site_well(s);
}
CASE(others_go_first, ANY_WORKER | FRESH, .workers = 1)

/* The stop gives a job that pauses the verdict of its first attempt. */
static void stopped_meanwhile(struct site *s)
{
	struct given *g = give_pausing(s, LONG_MS);

	CHECK(WAIT_UNTIL(pauses(s), 20000));
	CHECK_EQ(brood_stop(s->brood), 0);
	s->stopped = true;
	expect(g, BROOD_CRASHED, BROOD_DETAIL_NONE);
	CHECK_EQ(g->v.attempts, 1);
	CHECK_EQ(atomic_load(ATTEMPTS(s->stage)), 1);
}
CASE(stopped_meanwhile, (ANY_WORKER & ~CALLS) | FRESH, .workers = 1, .drain_ms = 50)

/* ---- the cap ---- */

#define MANY 1000

static const struct brood_pool_options few = { .retry_percent = 1 };
static const struct brood_pool_options *const few_retries[] = { &few };

/* A hundred retries are saved up, and ten more come each second. Then the job has its verdict. */
static void storm(struct site *s)
{
	struct given *g = RUN(s, job_raises, .number = SIGUSR1,
		.options = { .retries = MANY, .retry_on = BROOD_RETRY_CRASH });
	uint64_t most = 103 + 10 * g->elapsed_us / 1000000;

	expect(g, BROOD_CRASHED, BROOD_DETAIL_NONE);
	CHECK_EQ(g->v.signal, SIGUSR1);
	CHECK_EQ(g->v.flags, BROOD_NOT_RETRIED);
	CHECK_MSG(g->v.attempts > 100 && g->v.attempts <= most, "%s: %u attempts in %ju us",
		way_names[s->way], g->v.attempts, (uintmax_t)g->elapsed_us);
	g = RUN(s, job_raises, .number = SIGUSR1);
	expect(g, BROOD_CRASHED, BROOD_DETAIL_NONE);
	CHECK_MSG(g->v.flags == 0, "its options allow no retry");
	site_well(s);
}
CASE(storm, ANY_WORKER | FRESH, .pools = few_retries, .pools_count = 1)

/* Those of a program of 0.2: after a kill from outside. */
static void without_a_cap(struct site *s)
{
	struct given *g = RUN(s, job_raises, .number = SIGKILL, .options.retries = 150);

	expect(g, BROOD_CRASHED, BROOD_DETAIL_OUTSIDE);
	CHECK_EQ(g->v.attempts, 151);
	CHECK_EQ(g->v.flags, 0);
}
CASE(without_a_cap, ANY_WORKER | FRESH, .pools = few_retries, .pools_count = 1)
