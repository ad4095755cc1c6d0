/* SPDX-License-Identifier: MIT */
/*
 * conformance_expect.c - what a verdict says, whichever way the job was given; and jobs that many
 * cases give.
 */
#include "conformance.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define IDS 65536

int refusal_error(enum brood_detail detail)
{
	switch (detail) {
	case BROOD_DETAIL_BAD_POINTER: return -EFAULT;
	case BROOD_DETAIL_POISONED: return -EKEYREJECTED;
	default: return -EAGAIN;
	}
}

/* Checks that no id is used twice. */
static void id_is_new(uint64_t id)
{
	static uint64_t seen[IDS];
	static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
	uint64_t at = id * 0x9e3779b97f4a7c15ull % IDS;

	CHECK_NE(id, 0);
	pthread_mutex_lock(&lock);
	for (unsigned i = 0; i < IDS && seen[at]; i++, at = (at + 1) % IDS)
		CHECK_MSG(seen[at] != id, "id %ju was used before", (uintmax_t)id);
	seen[at] = id;
	pthread_mutex_unlock(&lock);
}

/* Checks what holds for jobs that got to a worker, and for jobs that did not. */
static void place_is_sane(const struct given *g)
{
	const struct brood_verdict *v = &g->v;
	struct brood_stats stats = pool_stats(g->site->brood);

	if (v->pid == 0) {
		/*
		 * When the supervisor is lost nobody knows whether a job has started. A job that
		 * ran once, and then waited for another attempt, has started.
		 */
		CHECK(!v->started || v->outcome == BROOD_LOST ||
			(v->outcome == BROOD_CANCELLED && v->attempts > 0));
		CHECK_EQ(v->run_us, 0);
		CHECK_EQ(v->path, BROOD_PATH_AUTO);
		return;
	}
	CHECK_GT(v->pid, 1);
	if (site_pool(g->site))
		CHECK_STR(v->pool, "second");
	else
		/* a spare slot: a worker that was killed may take long to end */
		CHECK_LT(v->slot, 2 * stats.workers);
	CHECK_GE(v->generation, 1);
	CHECK_GE(v->attempts, 1);
	CHECK_EQ(v->path, given_is(g, HANDOFF) ? BROOD_PATH_HANDOFF : BROOD_PATH_LEASE);
}

/*
 * A job was told to end for one reason at most. A job that was not told cannot have noticed it. A
 * job that did not begin, or that was not ended for this reason, was not told of it.
 */
static void flags_are_sane(const struct brood_verdict *v, const char *line)
{
	uint32_t why = v->flags & ~(uint32_t)(BROOD_NOTICED | BROOD_NOT_RETRIED);

	CHECK_MSG(why == 0 || why == BROOD_TOLD_DEADLINE || why == BROOD_TOLD_CANCEL ||
			why == BROOD_TOLD_STOP,
		"%s: flags %x", line, v->flags);
	CHECK_MSG(why != 0 || !(v->flags & BROOD_NOTICED), "%s: flags %x", line, v->flags);
	CHECK_MSG(v->started || v->flags == 0, "%s: flags %x", line, v->flags);
	CHECK_MSG(v->outcome != BROOD_TIMED_OUT || !v->started || why == BROOD_TOLD_DEADLINE,
		"%s: flags %x", line, v->flags);
}

static void figures_are_sane(const struct given *g, const char *line)
{
	const struct brood_verdict *v = &g->v;
	bool by_itself = v->outcome == BROOD_DONE || v->outcome == BROOD_FAILED;

	CHECK_MSG(v->queue_us + v->run_us <= g->elapsed_us + CONFORMANCE_GIVEN_US, "%s: in %ju us",
		line, (uintmax_t)g->elapsed_us);
	CHECK_MSG(v->code == 0 || v->outcome == BROOD_FAILED || v->outcome == BROOD_EXITED, "%s",
		line);
	CHECK_MSG(v->outcome != BROOD_FAILED || v->code != 0, "%s", line);
	CHECK_MSG(v->signal == 0 || v->outcome == BROOD_CRASHED || v->outcome == BROOD_TIMED_OUT ||
			v->outcome == BROOD_CANCELLED,
		"%s", line);
	CHECK_EQ(v->core, 0);
	CHECK_MSG(v->left == 0 || by_itself, "%s", line);
	CHECK_MSG(v->started || !(by_itself || v->outcome == BROOD_EXITED), "%s", line);
	if (v->outcome == BROOD_CRASHED || v->outcome == BROOD_EXITED) { /* a worker died */
		CHECK_GT(v->peak_kb, 0);
		CHECK_MSG(v->outcome == BROOD_EXITED || v->signal || v->detail, "%s", line);
	}
	flags_are_sane(v, line);
	for (size_t i = 0; i < sizeof v->reserved / sizeof v->reserved[0]; i++)
		CHECK_EQ(v->reserved[i], 0);
}

static void result_is_sane(const struct given *g, const char *line)
{
	const struct brood_verdict *v = &g->v;
	bool by_itself = v->outcome == BROOD_DONE || v->outcome == BROOD_FAILED;

	if (given_is(g, STREAMS))
		return;
	if (by_itself)
		CHECK_MSG(g->n == (ssize_t)v->reply_size ||
				(g->n == -EMSGSIZE && v->reply_size > g->what.room),
			"%s: %zd", line, g->n);
	else
		CHECK_MSG(g->n < 0, "%s: %zd", line, g->n);
	if (v->outcome == BROOD_CRASHED || v->outcome == BROOD_EXITED)
		CHECK_EQ(g->n, -EREMOTEIO);
	if (v->outcome == BROOD_TIMED_OUT)
		CHECK_EQ(g->n, -ETIMEDOUT);
	if (v->outcome == BROOD_CANCELLED)
		CHECK_EQ(g->n, -ECANCELED);
	if (v->outcome == BROOD_REFUSED)
		CHECK_EQ(g->n, refusal_error(v->detail));
	if (v->outcome == BROOD_LOST)
		CHECK_EQ(g->n, -ENOTCONN);
}

void expect(struct given *g, enum brood_outcome outcome, enum brood_detail detail)
{
	struct brood_verdict *v = &g->v;
	char line[512], text[600];

	CHECK_MSG(finish(g)->error == 0, "%s, %s: refused, %d", way_names[g->way], g->what.name,
		g->error);
	CHECK_EQ(v->size, sizeof *v);
	brood_verdict_format(v, line, sizeof line);
	snprintf(text, sizeof text, "%s: %s", way_names[g->way], line);
	CHECK_MSG(v->outcome == outcome && v->detail == detail, "%s", text);
	if (g->id)
		CHECK_EQ(v->id, g->id);
	id_is_new(v->id);
	if (g->what.fn)
		CHECK_STR(v->name, g->what.name);
	CHECK_CONTAINS(line, v->name);
	CHECK_CONTAINS(line, brood_outcome_name(outcome));
	CHECK_CONTAINS(line, brood_detail_name(detail));
	place_is_sane(g);
	figures_are_sane(g, text);
	result_is_sane(g, text);
}

void site_well(struct site *s)
{
	struct given *g = RUN(s, job_echo, .request = "well", .size = 4, .options.run_ms = 60000);

	expect(g, BROOD_DONE, BROOD_DETAIL_NONE);
	CHECK_EQ(g->v.attempts, 1);
	CHECK_EQ(g->reply_size, 4);
	CHECK_MEM(g->reply, "well", 4);
}

/* ---- the stage ---- */

void stage_open(struct site *s) { atomic_store(&s->stage->gate, 1); }

bool stage_entered(struct site *s, unsigned count)
{
	return WAIT_UNTIL((site_dispatch(s), atomic_load(&s->stage->entered) >= count), 20000);
}

pid_t stage_pid(struct site *s)
{
	CHECK(WAIT_UNTIL((site_dispatch(s), atomic_load(&s->stage->pid) != 0), 20000));
	return atomic_exchange(&s->stage->pid, 0);
}

/* ---- jobs ---- */

const struct said *said(struct brood_job *job) { return brood_job_arg(job, NULL); }

int job_code(struct brood_job *job) { return (int)said(job)->number; }

int job_raises(struct brood_job *job) { return raise((int)said(job)->number); }

int job_gated(struct brood_job *job)
{
	struct stage *stage = said(job)->stage;

	atomic_fetch_add(&stage->entered, 1);
	for (unsigned round = 0; !atomic_load(&stage->gate); round++)
		test_pause(round);
	atomic_fetch_add(&stage->left, 1);
	return (int)said(job)->number;
}

int job_gated_kill(struct brood_job *job)
{
	job_gated(job);
	return raise((int)said(job)->number);
}

int job_orders(struct brood_job *job)
{
	struct stage *stage = said(job)->stage;
	unsigned at = atomic_fetch_add(&stage->ordered, 1);

	if (at >= ORDER_MAX)
		return 1;
	atomic_store(&stage->order[at], (int)said(job)->number);
	return 0;
}

int job_stores_pid(struct brood_job *job)
{
	atomic_store(&said(job)->stage->pid, getpid());
	return job_sleep_forever(job);
}
