/* SPDX-License-Identifier: MIT */
/* conformance_progress.c - progress and log lines of jobs: on every path. */
#include "../helpers/conformance.h"

#include <criterion/criterion.h>
#include <unistd.h>

TestSuite(conformance, .timeout = 1000);

/* ---- progress ---- */

/* Each progress message begins with its number, and is as much longer as the number says. */
static size_t progress_size(int number)
{
	return sizeof number + (size_t)(number * 37) % (BROOD_PROGRESS_MAX + 1 - sizeof number);
}

static int progresses(struct brood_job *job)
{
	unsigned char data[BROOD_PROGRESS_MAX + 1];
	int count = (int)said(job)->number;

	memset(data, 0, sizeof data);
	if (brood_job_progress(job, data, sizeof data) != -EMSGSIZE)
		return 1;
	for (int i = 0; i < count; i++) {
		int r;

		memset(data, i, sizeof data);
		memcpy(data, &i, sizeof i);
		for (unsigned round = 0;
			(r = brood_job_progress(job, data, progress_size(i))) == -EAGAIN; round++)
			test_pause(round);
		if (r != 0)
			return 2;
	}
	return 0;
}

struct heard {
	atomic_int count, next;
	uint64_t id;
	pthread_t thread;
	struct given *given;
};
static struct heard *heard_of(struct stage *stage)
{
	static struct heard all[64];
	return &all[((uintptr_t)stage / sizeof *stage) % 64];
}

static void progress_came(void *context, uint64_t id, const void *data, size_t size)
{
	struct given *g = context;
	struct heard *h = heard_of(g->site->stage);
	const unsigned char *bytes = data;
	int i;

	CHECK_EQ(atomic_load(&g->over), 0); /* never after the verdict */
	CHECK(h->id == 0 || h->id == id);
	h->id = id;
	CHECK_GE(size, sizeof i);
	memcpy(&i, data, sizeof i);
	CHECK_EQ(size, progress_size(i));
	for (size_t k = sizeof i; k < size; k++)
		CHECK_EQ(bytes[k], (unsigned char)i);
	CHECK_GE(i, atomic_load(&h->next)); /* in order */
	atomic_store(&h->next, i + 1);
	atomic_fetch_add(&h->count, 1);
}

/* The context is that of the submitted job. Progress of a call is told in the same way. */
static void progress(struct site *s)
{
	struct heard *h = heard_of(s->stage);
	struct given *g, fake = { .site = s };
	int all = 0;

	for (int round = 0; round < 3; round++) {
		atomic_store(&h->count, 0);
		atomic_store(&h->next, 0);
		h->id = 0;
		g = RUN(s, progresses, .number = 30,
			.options = { .on_progress = progress_came,
				.context = site_is(s, CALLS) ? &fake : NULL });
		expect(g, BROOD_DONE, BROOD_DETAIL_NONE);
		/*
		 * Progress of a handed-off job goes through the supervisor, which drops what the
		 * engine's full socket does not take. Where many threads fill this socket all of it
		 * may be dropped.
		 */
		CHECK(atomic_load(&h->count) == 30 || site_is(s, HANDOFF));
		CHECK(h->id == g->v.id || atomic_load(&h->count) == 0);
		all += atomic_load(&h->count);
	}
	CHECK(all > 0 || s->number > 0);
	/* nobody wants it */
	expect(RUN(s, progresses, .number = 5), BROOD_DONE, BROOD_DETAIL_NONE);
}
CASE(progress, BYTES)

/* Nobody hears progress of an opened job. It harms nothing. */
static void progress_unheard(struct site *s)
{
	expect(RUN(s, progresses, .number = 5), BROOD_DONE, BROOD_DETAIL_NONE);
	site_well(s);
}
CASE(progress_unheard, STREAMS)

/* Progress comes while the job runs, and not with its verdict. */
static int progresses_and_waits(struct brood_job *job)
{
	if (brood_job_progress(job, "", 0) != 0)
		return 1;
	return job_gated(job);
}
static void opens_gate(void *context, uint64_t id, const void *data, size_t size)
{
	(void)id, (void)data;
	CHECK_EQ(size, 0);
	stage_open(((struct given *)context)->site);
}
static void progress_while_it_runs(struct site *s)
{
	struct given fake = { .site = s };

	expect(RUN(s, progresses_and_waits,
		       .options = { .on_progress = opens_gate,
			       .context = site_is(s, CALLS) ? &fake : NULL }),
		BROOD_DONE, BROOD_DETAIL_NONE);
}
CASE(progress_while_it_runs, BYTES)

/*
 * More progress than anybody can read: each message is dropped or told, in order, and the job is
 * done.
 */
static int floods(struct brood_job *job)
{
	unsigned number = 0;

	for (int i = 0; i < 20000; i++, number++)
		if (brood_job_progress(job, &number, sizeof number) != 0)
			usleep(10);
	return 0;
}
static void rising(void *context, uint64_t id, const void *data, size_t size)
{
	struct heard *h = heard_of(((struct given *)context)->site->stage);
	int number;

	(void)id;
	CHECK_EQ(size, sizeof number);
	memcpy(&number, data, sizeof number);
	CHECK_GE(number, atomic_load(&h->count));
	atomic_store(&h->count, number + 1);
}
static void progress_flood(struct site *s)
{
	struct given fake = { .site = s };

	atomic_store(&heard_of(s->stage)->count, 0);
	expect(RUN(s, floods,
		       .options = { .on_progress = rising,
			       .context = site_is(s, CALLS) ? &fake : NULL }),
		BROOD_DONE, BROOD_DETAIL_NONE);
	CHECK_GT(atomic_load(&heard_of(s->stage)->count), 0);
	site_well(s);
}
CASE(progress_flood, BYTES)

/* ---- log lines ---- */

#define LINES 4096
static struct {
	_Atomic uint64_t job;
	atomic_uint lines;
} heard_lines[LINES];
static atomic_uint *lines_of(uint64_t job)
{
	for (unsigned i = 0; i < LINES; i++) {
		uint64_t none = 0;

		if (atomic_compare_exchange_strong(&heard_lines[i].job, &none, job) || none == job)
			return &heard_lines[i].lines;
	}
	FAIL("more jobs than there is room for");
}
static void counts_lines(void *context, const struct brood_log *log)
{
	(void)context;
	if (log->event != BROOD_EVENT_JOB_LOG)
		return;
	CHECK_STR(log->text, "a line of 7");
	CHECK_EQ(log->level, BROOD_NOTICE);
	CHECK_GT(log->pid, 0);
	CHECK_NE(log->job, 0);
	atomic_fetch_add(lines_of(log->job), 1);
}
static int logs(struct brood_job *job)
{
	for (int i = 0; i < 3; i++)
		if (brood_job_log(job, BROOD_NOTICE, "a line of %d\n", 7) != 0)
			return 1;
	return 0;
}
static void log_lines(struct site *s)
{
	for (int i = 0; i < 3; i++) {
		struct given *g = RUN(s, logs);

		expect(g, BROOD_DONE, BROOD_DETAIL_NONE);
		CHECK(WAIT_UNTIL(
			brood_dispatch(s->brood) >= 0 && atomic_load(lines_of(g->v.id)) == 3,
			20000));
	}
}
CASE(log_lines, EVERYWHERE, .log = counts_lines)
