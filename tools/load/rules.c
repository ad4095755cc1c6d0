/* SPDX-License-Identifier: MIT */
/*
 * rules.c - decides which verdict is right for which job. A wrong verdict (a crash reported as
 * done, a code that no job returned) is as bad as no verdict, and is counted with the missing ones.
 *
 * Beside the outcomes of its kind, any job may: have been killed from outside, if the judge did
 * kill its worker; have timed out, if it did run that long; have been refused, for a reason that a
 * loaded pool may have.
 */
#include "load.h"

#include <stdio.h>
#include <string.h>

static const char *judge_done(const struct brood_verdict *v)
{
	return v->outcome == BROOD_DONE ? NULL : "it should be done";
}

/* A job with a run time cannot end earlier. The verdict has whole microseconds. */
static const char *judge_length(const struct load_job *job, const struct brood_verdict *v)
{
	if (v->outcome == BROOD_DONE && v->run_us + 1 < job->arg.value / NS_US)
		return "its run time is shorter than the job was";
	return judge_done(v);
}

static const char *judge_own(const struct load_job *job, const struct brood_verdict *v)
{
	switch (job->kind) {
	case KIND_NOP:
	case KIND_ECHO:
		if (v->outcome == BROOD_FAILED && v->code == CODE_BAD_REQUEST)
			return "the worker got other bytes than were sent";
		return judge_done(v);
	case KIND_CRASH:
		return v->outcome == BROOD_CRASHED && v->signal == SIGSEGV
			? NULL
			: "it should be crashed by SIGSEGV";
	case KIND_EXIT:
		return v->outcome == BROOD_EXITED && v->code == CODE_EXIT
			? NULL
			: "it should be exited with 3";
	case KIND_FAIL:
		return v->outcome == BROOD_FAILED && v->code == CODE_FAIL
			? NULL
			: "it should be failed with 7";
	case KIND_HANG: return "it should be timed out";
	case KIND_SPIN: return job->arg.value ? judge_length(job, v) : "it should be timed out";
	case KIND_SLEEP: return judge_length(job, v);
	case KIND_ALLOC:
		if (v->outcome == BROOD_FAILED && v->code == CODE_NO_MEMORY)
			return "it had no memory: give it less";
		return judge_done(v);
	case KIND_SYSCALLS: return judge_done(v);
	case KIND_LEAK:
		if (v->outcome == BROOD_FAILED && v->code != CODE_NO_MEMORY)
			return "the memory limit did not hold";
		return (v->outcome == BROOD_FAILED || v->outcome == BROOD_CRASHED ||
			       v->outcome == BROOD_EXITED) &&
				v->detail == BROOD_DETAIL_MEMORY
			? NULL
			: "it should say that the memory limit was reached";
	case KIND_THROW:
		return v->outcome == BROOD_CRASHED &&
				(v->detail == BROOD_DETAIL_LONGJMP ||
					v->detail == BROOD_DETAIL_THREAD_EXIT)
			? NULL
			: "it should be crashed by leaving its frame";
	case KIND_FORK:
		return v->outcome == BROOD_DONE && v->left & BROOD_LEFT_CHILDREN
			? NULL
			: "it should be done and have left children";
	case KIND_USER: return NULL; /* its code, crash or exit is its own */
	default: return "there is no such job";
	}
}

static bool killed_by_us(const struct engine *e, const struct brood_verdict *v)
{
	return v->pid > 0 && v->pid < PIDS_MAX && atomic_load(&e->tally->killed_ns[v->pid]);
}

static const char *judge_refused(const struct brood_verdict *v)
{
	switch (v->detail) {
	case BROOD_DETAIL_QUEUE_FULL:
	case BROOD_DETAIL_QUEUE_TIME:
	case BROOD_DETAIL_DEGRADED:
	case BROOD_DETAIL_FD_LOST: return v->started ? "refused, but it had started" : NULL;
	default: return "nothing here is refused for that";
	}
}

/* A job that ran has a worker, and came to the worker in an allowed way. */
static const char *judge_whole(const struct engine *e, const struct brood_verdict *v)
{
	if (v->size != sizeof *v)
		return "its size is wrong";
	if (!v->started || !v->attempts)
		return "it should have started";
	if (v->pid <= 0 || !v->generation || v->slot >= e->slots)
		return "its worker is missing";
	if (v->path >= PATHS || !(e->paths & 1u << v->path))
		return "it went another way than was asked for";
	if (v->outcome == BROOD_DONE && (v->detail || v->code || v->signal || v->core))
		return "done, but it says more than that";
	return NULL;
}

const char *rules_judge(
	const struct engine *e, const struct load_job *job, const struct brood_verdict *v)
{
	const char *bad = NULL;

	/* The name of a user's function may be longer than what a verdict has room for. */
	if (strncmp(v->name, job_work(job->kind, e->whole)->name, sizeof v->name - 1))
		return "it names another function";
	if (v->outcome == BROOD_DONE || v->outcome == BROOD_FAILED || v->outcome == BROOD_CRASHED ||
		v->outcome == BROOD_EXITED)
		bad = judge_whole(e, v);
	if (bad)
		return bad;
	switch (v->outcome) {
	case BROOD_REFUSED: return judge_refused(v);
	case BROOD_TIMED_OUT:
		/*
		 * Deadlines count in whole milliseconds, so the run may be one millisecond shorter.
		 */
		return v->run_us + 1000 >= (uint64_t)options_run_ms(e->options) * 1000
			? NULL
			: "its time was not up";
	case BROOD_CANCELLED: return "nobody cancelled it";
	case BROOD_LOST:
		/* A supervisor that was killed by plan is gone a moment before the engine. */
		return chaos_spec_has(&e->options->chaos, CHAOS_SUPERVISOR_KILL)
			? NULL
			: "the supervisor should be there";
	case BROOD_CRASHED:
		if (v->detail == BROOD_DETAIL_OUTSIDE)
			return killed_by_us(e, v) ? NULL : "nobody killed that worker from outside";
		if (job->kind != KIND_USER &&
			(v->detail == BROOD_DETAIL_PROTOCOL || v->detail == BROOD_DETAIL_STUCK))
			return "no job here does that";
		return judge_own(job, v);
	default: return judge_own(job, v);
	}
}
