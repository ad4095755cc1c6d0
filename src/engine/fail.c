/* SPDX-License-Identifier: MIT */
/*
 * fail.c - the sentence behind an error number. Each thread has its own text, so calls that fail at
 * the same time do not mix their texts. The sentence says what to do, not only what happened.
 */
#include "fail.h"

#include "engine.h"

#include "../base/base.h"
#include "../base/printable.h"
#include "../os/role.h"
#include <stdarg.h>
#include <stdio.h>

static __thread char error_text[384] = "no call of this thread has failed";

void engine_error(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(error_text, sizeof error_text, format, args);
	va_end(args);
}

const char *engine_error_text(void) { return error_text; }

int fail_with(int error, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(error_text, sizeof error_text, format, args);
	va_end(args);
	return error;
}

int fail_system(int error, const char *what)
{
	const char *cure = "";

	if (error == -EMFILE)
		cure = "; raise the engine's limit on open files (RLIMIT_NOFILE, LimitNOFILE=) or "
		       "close some";
	else if (error == -ENFILE)
		cure = "; the machine's limit on open files is reached (fs.file-max)";
	else if (error == -ENOMEM || error == -ENOBUFS)
		cure = "; the machine is out of memory, try again later";
	return fail_with(error, "%s: %s%s", what,
		strerrordesc_np(-error) ? strerrordesc_np(-error) : "unknown error", cure);
}

int fail_gone(void)
{
	return fail_with(-ENOTCONN,
		"the supervisor is gone, or its channel was damaged: no job can run any more; end "
		"this process and start it again");
}

int fail_stopped(void)
{
	return fail_with(-ESHUTDOWN,
		"brood_stop() was called: the pool takes no more calls; only handles can be "
		"fetched and released");
}

static const char *const refusals[BROOD_DETAILS] = {
	[BROOD_DETAIL_QUEUE_FULL] =
		"as many jobs are out as the pool has room for (workers + backlog): wait for a "
		"verdict, or raise options.backlog",
	[BROOD_DETAIL_QUEUE_TIME] =
		"no worker was free within queue_ms: more workers, or a longer queue_ms",
	[BROOD_DETAIL_DRAINING] = "the pool is stopping and takes no more jobs",
	[BROOD_DETAIL_DEGRADED] = "workers die at birth and the pool waits before it tries again: "
				  "see the log, and next_spawn_ms of brood_stats()",
	[BROOD_DETAIL_BAD_POINTER] = "the worker refused the pointer: " FAIL_NO_FUNCTION,
	[BROOD_DETAIL_FD_LOST] = "its fd could not be passed, a limit on open files was reached on "
				 "the way: raise RLIMIT_NOFILE",
	[BROOD_DETAIL_PLUGIN] = "the worker could not open the plugin, or found no such symbol "
				"there: the log says why",
	[BROOD_DETAIL_POISONED] = "its key is on the poison list: jobs with this key crashed or "
				  "hung too many workers; it is forgotten after poison_forget_ms",
};

static int refusal_error(enum brood_detail detail)
{
	return detail == BROOD_DETAIL_BAD_POINTER ? -EFAULT
		: detail == BROOD_DETAIL_POISONED ? -EKEYREJECTED
						  : -EAGAIN;
}

int fail_verdict(const struct brood_verdict *v, const char *tag)
{
	char text[PRINTABLE_JOB_MAX];
	const char *name = printable_job(text, v->name, tag ? tag : "");
	unsigned long long id = v->id;

	switch (v->outcome) {
	case BROOD_DONE:
	case BROOD_FAILED: return 0;
	case BROOD_CRASHED:
		return fail_with(-EREMOTEIO,
			"job %llu %s crashed its worker (pid %d, signal %d); the verdict has the "
			"details",
			id, name, (int)v->pid, v->signal);
	case BROOD_EXITED:
		return fail_with(-EREMOTEIO, "job %llu %s called exit(%d) instead of returning", id,
			name, v->code);
	case BROOD_TIMED_OUT:
		return fail_with(-ETIMEDOUT,
			"job %llu %s ran longer than its run_ms and was killed: is it stuck, or "
			"the limit too low?",
			id, name);
	case BROOD_CANCELLED:
		return fail_with(-ECANCELED, "job %llu %s was cancelled%s", id, name,
			v->detail == BROOD_DETAIL_STOPPED ? " because the pool stops" : "");
	case BROOD_REFUSED:
		return fail_with(refusal_error(v->detail), "job %llu %s: %s", id, name,
			refusals[v->detail] ? refusals[v->detail] : "refused");
	case BROOD_LOST:
		return fail_with(-ENOTCONN, "job %llu %s is lost: %s", id, name,
			v->detail == BROOD_DETAIL_STOP_TIME
				? "brood_stop() ran out of time before its verdict came"
				: "the channel to the supervisor ended; start this program again");
	}
	return fail_with(-EPROTO, "job %llu %s: unknown outcome %d", id, name, (int)v->outcome);
}

int fail_not_engine(const struct brood *b)
{
	if (!b)
		return fail_with(-EINVAL, "brood is NULL: pass what brood_start() gave");
	return fail_with(-EPERM,
		"this process is not the engine but a child that it, or a job, forked: "
		"only the process in which brood_start() "
		"returned may call this");
}

int engine_role_check(const char *call, const void *what)
{
	switch (role_now()) {
	case BROOD_ROLE_WORKER:
		return fail_with(-EPERM,
			"%s: this is a worker, and only the engine may call this. A job cannot "
			"give jobs: it would wait for a worker while it has one. Let its "
			"reply say what is to be done, and let the engine give that",
			call);
	case BROOD_ROLE_FORKED:
		return fail_with(-EPERM,
			"%s: this is a child that the engine or a job forked; only the "
			"process in which brood_start() returned may call this",
			call);
	case BROOD_ROLE_NONE:
		if (!what)
			return fail_with(-EINVAL,
				"%s: its first argument is NULL, and brood_start() has not "
				"succeeded",
				call);
		break;
	default:
		if (!what)
			return fail_with(-EINVAL, "%s: its first argument is NULL", call);
	}
	return (int)role_way();
}
