/* conformance_queue.c - before a job begins, and when its worker is gone: refusals, order, what is behind a dead worker, once, retries, the pool's stop and loss; on every path. */
#include "../helpers/conformance.h"

#include <criterion/criterion.h>
#include <dlfcn.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

TestSuite(conformance, .timeout = 1000);

#define FIRST_STAGE ((struct stage *)case_shared())

/* ---- refused ---- */

/* As many as there is room for, and no more; all that were taken are done. An explicit lease has the room of its ring and of its queue. */
static void full(struct site *s)
{
	struct brood_queue_options small = { .size = sizeof small, .jobs = 9 };
	struct given *g[64];
	int n = 0;

	if (site_is(s, SUBMITS)) {
		CHECK_EQ(brood_queue_new(s->brood, &small, &s->queue), 0);
		s->queue_ours = true;
	}
	g[n++] = GIVE(s, job_gated);
	CHECK(stage_entered(s, 1));
	for (; n < 64; n++) {
		g[n] = GIVE(s, job_gated, .refusable = true);
		if (given_refused(g[n]))
			break;
	}
	CHECK_MSG(n == 9, "%s: %d were taken", way_names[s->way], n);
	if (site_is(s, CALLS)) {
		finish(g[n]);
		CHECK_EQ(g[n]->n, -EAGAIN);
		CHECK_EQ(g[n]->v.outcome, BROOD_REFUSED);
		CHECK_EQ(g[n]->v.detail, BROOD_DETAIL_QUEUE_FULL);
		CHECK_EQ(g[n]->v.started, 0);
	} else {
		CHECK_EQ(g[n]->error, -EAGAIN);
	}
	stage_open(s);
	for (int i = 0; i < n; i++)
		expect(g[i], BROOD_DONE, BROOD_DETAIL_NONE);
	CHECK_EQ(atomic_load(&s->stage->left), 9);
	site_well(s);
}
CASE(full, ANY_WORKER | FRESH, .workers = 1, .backlog = 8)

static void queue_time(struct site *s)
{
	struct given *first = GIVE(s, job_gated), *g[3];

	CHECK(stage_entered(s, 1));
	for (int i = 0; i < 3; i++)
		g[i] = GIVE(s, job_orders, .options.queue_ms = 60);
	for (int i = 0; i < 3; i++) {
		expect(g[i], BROOD_REFUSED, BROOD_DETAIL_QUEUE_TIME);
		CHECK_EQ(g[i]->v.started, 0);
		CHECK_EQ(g[i]->v.pid, 0);
		CHECK_GE(g[i]->v.queue_us, 59000);
	}
	CHECK_EQ(atomic_load(&s->stage->left), 0);
	stage_open(s);
	expect(first, BROOD_DONE, BROOD_DETAIL_NONE);
	CHECK_EQ(atomic_load(&s->stage->ordered), 0);
	site_well(s);
}
CASE(queue_time, EVERYWHERE | ALONE, .workers = 1)

static void refused_pointer(struct site *s, brood_fn *fn)
{
	struct given *g = give(s, &(struct what){ .fn = fn, .name = "no function", .refusable = true });

	finish(g);
	if (site_is(s, CALLS)) {
		CHECK_EQ(g->n, -EFAULT);
		CHECK_EQ(g->v.outcome, BROOD_REFUSED);
		CHECK_EQ(g->v.detail, BROOD_DETAIL_BAD_POINTER);
		CHECK_EQ(g->v.started, 0);
		CHECK_EQ(g->v.pid, 0);
	} else {
		CHECK_EQ(g->error, -EFAULT);
	}
}

static void pointers(struct site *s)
{
	static int data[16];
	void *made = mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	CHECK(made != MAP_FAILED);
	refused_pointer(s, (brood_fn *)(void *)data);
	refused_pointer(s, (brood_fn *)made);
	refused_pointer(s, (brood_fn *)(uintptr_t)1);
	refused_pointer(s, (brood_fn *)(uintptr_t)-1);
	munmap(made, 4096);
	site_well(s);
	CHECK_EQ(pool_stats(s->brood).died, 0);
}
CASE(pointers, EVERYWHERE)

/* A function that the engine has and the worker has no more: it says so, and lives on. */
static void *module;
static brood_fn *module_code;
static void __attribute__((constructor)) load_module(void)
{
	char path[4096], file[4200];
	ssize_t n = readlink("/proc/self/exe", path, sizeof path - 1);

	if (n <= 0)
		return;
	path[n] = '\0';
	*strrchr(path, '/') = '\0';
	snprintf(file, sizeof file, "%s/conformance-plugin.so", path);
	module = dlopen(file, RTLD_NOW);
	module_code = module ? (brood_fn *)(uintptr_t)dlsym(module, "plugin_code") : NULL;
}
static int unloads(struct brood_job *job)
{
	(void)job;
	return dlclose(module);
}

static void gone_in_the_worker(struct site *s)
{
	struct given *g;

	CHECK(module_code);
	for (int i = 0; i < 2; i++) {
		g = finish(give(s, &(struct what){ .fn = module_code, .name = "plugin_code", .number = 12 }));
		if (i == 1)
			break;
		expect(g, BROOD_FAILED, BROOD_DETAIL_NONE);
		CHECK_EQ(g->v.code, 12);
		expect(RUN(s, unloads), BROOD_DONE, BROOD_DETAIL_NONE);
	}
	expect(g, BROOD_REFUSED, BROOD_DETAIL_BAD_POINTER);
	CHECK_EQ(g->v.started, 0);
	site_well(s);
	CHECK_EQ(pool_stats(s->brood).died, 0);
}
CASE(gone_in_the_worker, EVERYWHERE | FRESH, .workers = 1)

static int init_as_told(void *context)
{
	(void)context;
	for (unsigned round = 0; atomic_load(&FIRST_STAGE->values[8]) == 1; round++)
		test_pause(round);
	return atomic_load(&FIRST_STAGE->values[8]) == 2;
}

/* Workers die at birth. */
static void degraded(struct site *s)
{
	struct given *g = RUN(s, job_code);

	expect(g, BROOD_DONE, BROOD_DETAIL_NONE);
	atomic_store(&s->stage->values[8], 2);
	expect(RUN(s, job_raises, .number = SIGSEGV), BROOD_CRASHED, BROOD_DETAIL_NONE);
	CHECK(WAIT_UNTIL(brood_dispatch(s->brood) >= 0 && pool_stats(s->brood).degraded, 20000));
	g = RUN(s, job_code);
	expect(g, BROOD_REFUSED, BROOD_DETAIL_DEGRADED);
	CHECK_EQ(g->v.started, 0);
	atomic_store(&s->stage->values[8], 0);
	CHECK(WAIT_UNTIL(brood_dispatch(s->brood) >= 0 && pool_full(s->brood), 20000));
	site_well(s);
}
/* There is no lease for the job to be given to. */
CASE(degraded, ANY_WORKER | FRESH, .workers = 1, .worker_init = init_as_told, .start_limit = 3, .backoff_min_ms = 100, .backoff_max_ms = 400)

/* ---- behind others ---- */

static void check_order(struct site *s, int count)
{
	CHECK_EQ(atomic_load(&s->stage->ordered), count);
	for (int i = 0; i < count && !site_is(s, CALLS); i++)          /* calls are given by threads of their own: no order */
		CHECK_EQ(atomic_load(&s->stage->order[i]), i);
}

static void in_order(struct site *s)
{
	struct given *first = GIVE(s, job_gated), *g[100];

	CHECK(stage_entered(s, 1));
	for (int i = 0; i < 100; i++)
		g[i] = GIVE(s, job_orders, .number = i, .options.queue_ms = 60000);
	stage_open(s);
	expect(first, BROOD_DONE, BROOD_DETAIL_NONE);
	for (int i = 99; i >= 0; i--)
		expect(g[i], BROOD_DONE, BROOD_DETAIL_NONE);
	check_order(s, 100);
}
CASE(in_order, EVERYWHERE | ALONE, .workers = 1)

/* A worker that dies costs the one job that runs: those behind it were not started, and go to others, in order. Not on an explicit lease: conformance_lease.c. */
static void behind_the_dead(struct site *s)
{
	static const int ends[] = { SIGSEGV, SIGKILL, SIGABRT };

	for (size_t k = 0; k < 3; k++) {
		struct given *first, *g[20];

		atomic_store(&s->stage->entered, 0);
		atomic_store(&s->stage->gate, 0);
		atomic_store(&s->stage->ordered, 0);
		first = GIVE(s, job_gated_kill, .number = ends[k]);
		CHECK(stage_entered(s, 1));
		for (int i = 0; i < 20; i++) {
			g[i] = GIVE(s, job_orders, .number = i);
			given_id(g[i]);
		}
		stage_open(s);
		expect(first, BROOD_CRASHED, ends[k] == SIGKILL ? BROOD_DETAIL_OUTSIDE : BROOD_DETAIL_NONE);
		for (int i = 0; i < 20; i++) {
			expect(g[i], BROOD_DONE, BROOD_DETAIL_NONE);
			CHECK_NE(g[i]->v.pid, first->v.pid);
			CHECK(g[i]->v.started);
		}
		check_order(s, 20);
	}
}
CASE(behind_the_dead, ANY_WORKER | ALONE, .workers = 1)

/* Every second of many jobs dies: each has its own verdict, and each ran once. */
static int counts_itself(struct brood_job *job)
{
	struct stage *stage = said(job)->stage;
	long number = said(job)->number;

	atomic_fetch_add(&stage->values[number % 64], 1);
	return number % 2 ? raise(SIGSEGV) : 0;
}
static void every_second_dies(struct site *s)
{
	struct given *g[40];

	for (int i = 0; i < 40; i++)
		g[i] = GIVE(s, counts_itself, .number = i, .options.queue_ms = 60000);
	for (int i = 0; i < 40; i++) {
		expect(g[i], i % 2 ? BROOD_CRASHED : BROOD_DONE, BROOD_DETAIL_NONE);
		CHECK_EQ(atomic_load(&s->stage->values[i]), 1);
	}
	site_well(s);
}
CASE(every_second_dies, ANY_WORKER, .workers = 3)

/* While a worker is free nobody waits for one that is not. */
static void not_behind_the_long(struct site *s)
{
	struct given *first = GIVE(s, job_gated), *g[30];

	CHECK(stage_entered(s, 1));
	for (int i = 0; i < 30; i++)
		g[i] = GIVE(s, job_orders, .number = i);
	for (int i = 0; i < 30; i++)
		expect(g[i], BROOD_DONE, BROOD_DETAIL_NONE);
	CHECK_EQ(atomic_load(&s->stage->left), 0);
	stage_open(s);
	expect(first, BROOD_DONE, BROOD_DETAIL_NONE);
}
CASE(not_behind_the_long, ANY_WORKER | ALONE, .workers = 2)

/* Also when it turns out to be long only after others were put behind it: a function that was short so often. */
static int short_or_long(struct brood_job *job)
{
	return said(job)->number ? job_gated(job) - 1 : 0;
}
static void not_behind_what_became_long(struct site *s)
{
	struct given *first, *g[40];

	for (int i = 0; i < 40; i++)
		g[i] = GIVE(s, short_or_long);
	for (int i = 0; i < 40; i++)
		expect(g[i], BROOD_DONE, BROOD_DETAIL_NONE);
	first = GIVE(s, short_or_long, .number = 1);
	expect(GIVE(s, short_or_long, .options.flags = BROOD_JOB_ONCE), BROOD_DONE, BROOD_DETAIL_NONE);        /* never behind any */
	for (int i = 0; i < 40; i++)
		g[i] = GIVE(s, short_or_long);
	for (int i = 0; i < 40; i++)
		expect(g[i], BROOD_DONE, BROOD_DETAIL_NONE);
	CHECK_EQ(atomic_load(&s->stage->left), 0);
	stage_open(s);
	expect(first, BROOD_DONE, BROOD_DETAIL_NONE);
}
CASE(not_behind_what_became_long, ANY_WORKER | ALONE, .workers = 2)

/* To one worker only, and never behind another job: what dies before it costs it nothing. */
static void once(struct site *s)
{
	struct given *first = GIVE(s, job_gated_kill, .number = SIGSEGV), *g[3];

	CHECK(stage_entered(s, 1));
	for (int i = 0; i < 3; i++) {
		g[i] = GIVE(s, job_orders, .number = i, .options.flags = BROOD_JOB_ONCE);
		given_id(g[i]);
	}
	stage_open(s);
	expect(first, BROOD_CRASHED, BROOD_DETAIL_NONE);
	for (int i = 0; i < 3; i++) {
		expect(g[i], BROOD_DONE, BROOD_DETAIL_NONE);
		CHECK_EQ(g[i]->v.attempts, 1);
	}
	check_order(s, 3);
	first = GIVE(s, job_raises, .number = SIGKILL, .options = { .flags = BROOD_JOB_ONCE, .retries = 3 });
	expect(first, BROOD_CRASHED, BROOD_DETAIL_OUTSIDE);
}
/* Behind others on an explicit lease is where it was given. */
CASE(once, ANY_WORKER | ALONE, .workers = 1)

/* ---- retries ---- */

static int dies_then_echoes(struct brood_job *job)
{
	char request[16];
	ssize_t n = brood_job_read_all(job, request, sizeof request);

	if (n < 0)
		return 1;
	if (brood_job_attempt(job) <= (uint32_t)said(job)->number) {
		if (brood_job_write(job, "of an attempt that failed", 25) != 25)
			return 2;
		return raise(SIGKILL);
	}
	return brood_job_reply(job, request, (size_t)n) == n ? 0 : 3;
}

static void retried(struct site *s)
{
	struct given *g = RUN(s, dies_then_echoes, .number = 2, .request = "request", .size = 7, .options.retries = 2);

	expect(g, BROOD_DONE, BROOD_DETAIL_NONE);
	CHECK_EQ(g->v.attempts, 3);
	if (site_is(s, BYTES)) {                   /* a stream goes on where it was left */
		CHECK_EQ(g->reply_size, 7);
		CHECK_MEM(g->reply, "request", 7);
	}
	g = RUN(s, dies_then_echoes, .number = 9, .options.retries = 2);
	expect(g, BROOD_CRASHED, BROOD_DETAIL_OUTSIDE);
	CHECK_EQ(g->v.attempts, 3);
	CHECK_EQ(g->v.signal, SIGKILL);
	g = RUN(s, dies_then_echoes, .number = 1);
	expect(g, BROOD_CRASHED, BROOD_DETAIL_OUTSIDE);
	CHECK_EQ(g->v.attempts, 1);
	site_well(s);
}
/* An explicit lease is over with its worker: there is nobody to try again. */
CASE(retried, ANY_WORKER)

static int exits_2(struct brood_job *job) { (void)job; _exit(2); }

static void not_retried(struct site *s)
{
	struct given *g = RUN(s, job_raises, .number = SIGSEGV, .options.retries = 5);

	expect(g, BROOD_CRASHED, BROOD_DETAIL_NONE);
	CHECK_EQ(g->v.attempts, 1);
	g = RUN(s, exits_2, .options.retries = 5);
	expect(g, BROOD_EXITED, BROOD_DETAIL_NONE);
	CHECK_EQ(g->v.attempts, 1);
	g = RUN(s, job_code, .number = 6, .options.retries = 5);
	expect(g, BROOD_FAILED, BROOD_DETAIL_NONE);
	CHECK_EQ(g->v.attempts, 1);
	g = RUN(s, job_sleep_forever, .options = { .retries = 5, .run_ms = 40, .grace_ms = 20 });
	expect(g, BROOD_TIMED_OUT, BROOD_DETAIL_NONE);
	CHECK_EQ(g->v.attempts, 1);
}
CASE(not_retried, EVERYWHERE)

/* The next attempt waits for a worker when the wish to cancel comes. */
static int kills_and_holds(struct brood_job *job)
{
	if (brood_job_attempt(job) > 1)
		atomic_fetch_add(&said(job)->stage->entered, 1);
	atomic_store(&FIRST_STAGE->values[8], 1);
	return raise(SIGKILL);
}
static void cancelled_between_attempts(struct site *s)
{
	struct given *g = GIVE(s, kills_and_holds, .options.retries = 5);
	uint64_t id = given_id(g);

	CHECK(WAIT_UNTIL((site_dispatch(s), atomic_load(&s->stage->values[8]) == 1 && pool_stats(s->brood).ready == 0), 20000));
	CHECK_EQ(brood_cancel(s->brood, id), 0);
	finish(g);
	if (g->v.outcome == BROOD_CRASHED)         /* before the library had read of the first attempt's end */
		expect(g, BROOD_CRASHED, BROOD_DETAIL_OUTSIDE);
	else
		expect(g, BROOD_CANCELLED, BROOD_DETAIL_NONE);
	CHECK_EQ(g->v.attempts, 1);
	CHECK(g->v.started);                       /* once */
	CHECK_EQ(atomic_load(&s->stage->entered), 0);
	atomic_store(&s->stage->values[8], 0);
	CHECK(WAIT_UNTIL(pool_full(s->brood), 20000));
	site_well(s);
}
CASE(cancelled_between_attempts, ANY_WORKER | ALONE, .workers = 1, .worker_init = init_as_told)

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

/* All three run before others come: a worker that is lent and has not begun may be taken back for these. */
static void draining(struct site *s)
{
	struct given *finishes = GIVE(s, job_gated, .number = 5), *heeds = GIVE(s, begins_and_heeds, .options.grace_ms = 60000), *hangs = GIVE(s, job_stores_pid), *queued[4];
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
/* Explicit leases: conformance_lease.c. */
CASE(draining, ANY_WORKER | FRESH, .workers = 3, .drain_ms = 300, .stop_ms = 20000)

/* Jobs that end in the time for that have their own end. */
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
	usleep(20000);                             /* mostly within the stop; before it, it is as right */
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

/* The channel to the supervisor breaks, and nothing else of the engine's. */
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

		if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size) == 0 && type == SOCK_SEQPACKET)
			channels[n++] = fd;
	}
	channels[n] = -1;
	CHECK_EQ(n, 2);                            /* and the log's */
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
