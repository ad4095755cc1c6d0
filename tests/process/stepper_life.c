/* SPDX-License-Identifier: MIT */
/*
 * stepper_life.c - the life of a supervisor or of an engine, ended after each of its system calls.
 * Each time a new pool is born, given jobs (tiny ones, one that starts a child and waits, one that
 * is cancelled, one that leaves a child behind and costs its worker), and stopped.
 *
 * A supervisor is killed from brood_start() on: engine, workers, guard and what jobs started must
 * end by themselves. An engine is killed from the return of brood_start() on: its supervisor must
 * stop the pool, kill what jobs started, and end as the engine did.
 */
#define _GNU_SOURCE
#include "stepper.h"

#include <signal.h>
#include <stdio.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

static const struct plan *plan;
static unsigned kill_at;

/* ---- the tracer ---- */

static void outside(pid_t case_pid)
{
	struct stage *s = stage();
	struct tracee t;
	bool inside = false;

	if (!stage_wait(&s->asked, 1, case_pid))
		return;
	trace_patience();
	trace_begin(&t, s->target);
	stage_post(&s->armed, 1);
	while (s->stops < kill_at) {
		enum trace_stop stop = trace_resume(&t, PTRACE_SYSCALL);

		if (stop == TRACE_ENDED) {
			s->ended = true;
			return;
		}
		if (stop != TRACE_CALL)
			continue;
		if (inside)
			s->stops++;
		else
			s->last_call = trace_call(&t);
		inside = !inside;
	}
	trace_kill(&t);
	s->killed_ms = test_now_ms();
}

/* ---- the case ---- */

static void meet(void)
{
	struct stage *s = stage();

	s->target = getpid();
	stage_post(&s->asked, 1);
	CHECK(stage_wait(&s->armed, 1, 0));
}

/* The supervisor was killed, and this engine has noticed before its own end, which is near. */
static void doomed(void)
{
	CHECK_MSG(!plan->engine && kill_at != STEP_END,
		"the supervisor is gone, and nobody killed it");
	WAIT_UNTIL(false, 10000);
	FAIL("the engine outlives its supervisor");
}

static bool done(struct brood *brood)
{
	struct brood_verdict v;

	if (!jobs_give(brood, plan->way, &v))
		return false;
	CHECK_MSG(v.outcome == BROOD_DONE, "%s", jobs_text(&v));
	return true;
}

static bool hold_and_cancel(struct brood *brood)
{
	struct brood_handle *handle;
	struct brood_verdict v;
	int fd, r;

	if (!jobs_hold(brood, plan->way, &handle, &fd))
		return false;
	CHECK(WAIT_UNTIL(
		atomic_load(&stage()->child) != 0 || brood_dispatch(brood) == -ENOTCONN, 10000));
	if (!done(brood))
		return false;
	r = brood_cancel(brood, brood_id(handle));
	CHECK(r == 0 || r == -ENOTCONN || r == -ENOENT);
	CHECK_EQ(brood_wait(handle, 10000, &v), 0);
	if (v.outcome == BROOD_LOST)
		return false;
	CHECK_MSG(v.outcome == BROOD_CANCELLED, "%s", jobs_text(&v));
	close(fd);
	brood_release(handle);
	return true;
}

static bool leave_child(struct brood *brood)
{
	struct brood_job_options options = { .size = sizeof options,
		.dispatch = plan->way->dispatch };
	struct brood_verdict v;

	if (brood_call(brood, job_leaves_child, NULL, 0, NULL, 0, &options, &v) == -ENOTCONN)
		return false;
	CHECK_MSG(v.outcome == BROOD_DONE && v.left == BROOD_LEFT_CHILDREN, "%s", jobs_text(&v));
	return true;
}

static void body(void)
{
	struct brood *brood;
	int r;

	if (!plan->engine)
		meet();
	brood = jobs_start(0);
	if (!brood)
		doomed();
	if (plan->engine)
		meet();
	if (!done(brood) || !done(brood) || !hold_and_cancel(brood) || !leave_child(brood) ||
		!done(brood))
		doomed();
	r = brood_stop(brood);
	if (r == -ENOTCONN)
		doomed();
	CHECK_MSG(r == 0, "%d: %s", r, brood_error());
}

/* ---- one life, and all ---- */

struct lives {
	unsigned stops, killed;
	int worst_ms;
};

static bool as_it_should(const struct case_result *result, char *text, size_t size)
{
	bool killed = WIFSIGNALED(result->status) && WTERMSIG(result->status) == SIGKILL;

	if (stage()->ended ? result->status == 0 && result->done == 1 : killed)
		return true;
	snprintf(text, size, "%s after call %u: status %x, done said %u times",
		stage()->ended ? "ended" : "killed", stage()->stops, (unsigned)result->status,
		result->done);
	return false;
}

static bool life(unsigned at, struct lives *lives, char *text, size_t size)
{
	struct case_options options = { .body = body, .timeout_ms = 60000, .outside = outside };
	static struct case_result result;
	char why[4096];
	int ms;

	kill_at = at;
	case_try(&options, &result);
	if (!case_fine(&result, plan->engine || stage()->ended ? 0 : -1, why, sizeof why)) {
		snprintf(text, size, "killed after call %u (number %ld): %s", at,
			stage()->last_call, why);
		return false;
	}
	if (!as_it_should(&result, text, size))
		return false;
	ms = stage()->ended ? 0 : (int)(test_now_ms() - stage()->killed_ms);
	lives->worst_ms = ms > lives->worst_ms ? ms : lives->worst_ms;
	lives->killed += !stage()->ended;
	return true;
}

bool life_prove(const struct plan *p, char *text, size_t size)
{
	struct lives lives = { 0 };
	unsigned stride = 1;

	plan = p;
	if (!life(STEP_END, &lives, text, size))
		return false;
	lives.stops = stage()->stops;
	if (!p->every && lives.stops > p->sample)
		stride = lives.stops / p->sample;
	/*
	 * The number of system calls differs by a few from life to life. So this goes on until one
	 * life has ended before the kill.
	 */
	for (unsigned at = 1 + p->seed % stride;; at += stride) {
		if (!life(at, &lives, text, size))
			return false;
		if (stage()->ended)
			break;
	}
	snprintf(text, size, "%u system calls; killed after %u of them; all gone within %d ms",
		lives.stops, lives.killed, lives.worst_ms);
	return true;
}
