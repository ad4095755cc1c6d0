/* SPDX-License-Identifier: MIT */
/* names.c - words for numbers: outcomes, details, events, a verdict in one line. */
#include "../base/printable.h"
#include "../os/signals.h"
#include "../wire/report_text.h"

#include <brood.h>
#include <stdarg.h>
#include <stdio.h>

#define TEXT_OF_(x) #x
#define TEXT_OF(x)  TEXT_OF_(x)

static const char *const outcome_names[BROOD_OUTCOMES] = {
	[BROOD_DONE] = "done",
	[BROOD_FAILED] = "failed",
	[BROOD_CRASHED] = "crashed",
	[BROOD_EXITED] = "exited",
	[BROOD_TIMED_OUT] = "timed out",
	[BROOD_CANCELLED] = "cancelled",
	[BROOD_REFUSED] = "refused",
	[BROOD_LOST] = "lost",
};

static const char *const detail_names[BROOD_DETAILS] = {
	[BROOD_DETAIL_NONE] = "",
	[BROOD_DETAIL_QUEUE_FULL] = "queue full",
	[BROOD_DETAIL_QUEUE_TIME] = "no worker in time",
	[BROOD_DETAIL_DRAINING] = "draining",
	[BROOD_DETAIL_DEGRADED] = "degraded",
	[BROOD_DETAIL_BAD_POINTER] = "bad pointer",
	[BROOD_DETAIL_FD_LOST] = "fd lost",
	[BROOD_DETAIL_OUTSIDE] = "from outside",
	[BROOD_DETAIL_MEMORY] = "memory limit",
	[BROOD_DETAIL_LONGJMP] = "longjmp",
	[BROOD_DETAIL_THREAD_EXIT] = "pthread_exit",
	[BROOD_DETAIL_PROTOCOL] = "protocol",
	[BROOD_DETAIL_STUCK] = "stuck",
	[BROOD_DETAIL_STOPPED] = "pool stopped",
	[BROOD_DETAIL_CHANNEL] = "channel",
	[BROOD_DETAIL_STOP_TIME] = "stop time",
	[BROOD_DETAIL_LEASE_OVER] = "lease over",
	[BROOD_DETAIL_PLUGIN] = "plugin",
	[BROOD_DETAIL_POISONED] = "poisoned key",
	[BROOD_DETAIL_OPERATOR] = "by an operator",
	[BROOD_DETAIL_OOM] = "out of memory",
};

static const char *const event_names[] = {
	[BROOD_EVENT_JOB_LOG] = "job-log",
	[BROOD_EVENT_WORKER_DIED] = "worker-died",
	[BROOD_EVENT_WORKER_LEFT] = "worker-left",
	[BROOD_EVENT_SPAWN_FAILED] = "spawn-failed",
	[BROOD_EVENT_DEGRADED] = "degraded",
	[BROOD_EVENT_RECOVERED] = "recovered",
	[BROOD_EVENT_GUARD_DIED] = "guard-died",
	[BROOD_EVENT_ENGINE_DIED] = "engine-died",
	[BROOD_EVENT_STOP_FORCED] = "stop-forced",
	[BROOD_EVENT_STRAY_KILLED] = "stray-killed",
	[BROOD_EVENT_PROTOCOL] = "protocol",
	[BROOD_EVENT_RESOURCE] = "resource",
	[BROOD_EVENT_REPEATED] = "repeated",
	[BROOD_EVENT_SIGNAL] = "signal",
	[BROOD_EVENT_JOBS_DROPPED] = "jobs-dropped",
	[BROOD_EVENT_RESIZED] = "resized",
	[BROOD_EVENT_ENGINE_STOPPED] = "engine-stopped",
	[BROOD_EVENT_UNDEAD] = "undead",
	[BROOD_EVENT_RELOAD_STARTED] = "reload-started",
	[BROOD_EVENT_RELOAD_DONE] = "reload-done",
	[BROOD_EVENT_RELOAD_FAILED] = "reload-failed",
	[BROOD_EVENT_RELOAD_HELD] = "reload-held",
	[BROOD_EVENT_KEY_POISONED] = "key-poisoned",
	[BROOD_EVENT_SPAWNER_DIED] = "spawner-died",
	[BROOD_EVENT_REPORT] = "report",
	[BROOD_EVENT_SLOW_JOB] = "slow-job",
	[BROOD_EVENT_CONTROL] = "control",
	[BROOD_EVENT_ENGINE_STUCK] = "engine-stuck",
	[BROOD_EVENT_LOGS_DROPPED] = "logs-dropped",
	[BROOD_EVENT_WORKER_OOM] = "worker-oom",
	[BROOD_EVENT_PRESSURE] = "pressure",
};

static const char *const left_names[] = { "threads", "fds", "children", "memory", "mask", "timers",
	"cwd", "umask", "handlers" };

static const char *name_of(const char *const *names, size_t count, unsigned value)
{
	return value < count && names[value] ? names[value] : "?";
}

const char *brood_version(void)
{
	return TEXT_OF(BROOD_VERSION_MAJOR) "." TEXT_OF(BROOD_VERSION_MINOR) "." TEXT_OF(
		BROOD_VERSION_PATCH);
}

const char *brood_outcome_name(enum brood_outcome outcome)
{
	return name_of(outcome_names, ARRAY_SIZE(outcome_names), (unsigned)outcome);
}

const char *brood_detail_name(enum brood_detail detail)
{
	return name_of(detail_names, ARRAY_SIZE(detail_names), (unsigned)detail);
}

const char *brood_event_name(enum brood_event event)
{
	return name_of(event_names, ARRAY_SIZE(event_names), (unsigned)event);
}

struct line {
	char text[1024];
	size_t used;
};

static void __attribute__((format(printf, 2, 3))) add(struct line *l, const char *format, ...)
{
	size_t room = sizeof l->text - l->used;
	va_list args;
	int n;

	va_start(args, format);
	n = vsnprintf(l->text + l->used, room, format, args);
	va_end(args);
	if (n > 0)
		l->used += MIN((size_t)n, room - 1);
}

static void add_time(struct line *l, const char *what, uint64_t us)
{
	if (us < 1000)
		add(l, "%s %llu us", what, (unsigned long long)us);
	else if (us < 1000000)
		add(l, "%s %.1f ms", what, (double)us / 1e3);
	else
		add(l, "%s %.2f s", what, (double)us / 1e6);
}

static void add_how(struct line *l, const struct brood_verdict *v)
{
	char signal_name[16];

	add(l, "%s", brood_outcome_name(v->outcome));
	if (v->detail)
		add(l, ", %s", brood_detail_name(v->detail));
	if (v->outcome == BROOD_FAILED || v->outcome == BROOD_EXITED)
		add(l, ", code %d", v->code);
	if (v->signal)
		add(l, ", %s", signals_name(v->signal, signal_name));
	if (v->core)
		add(l, ", core dumped");
	if (!v->started && v->outcome != BROOD_REFUSED)
		add(l, ", not started");
}

/*
 * A job that was killed by its deadline, a cancel or the stop had been told to end first. So "told"
 * is said only of jobs that ended otherwise.
 */
static void add_told(struct line *l, const struct brood_verdict *v)
{
	bool killed = v->outcome == BROOD_TIMED_OUT || v->outcome == BROOD_CANCELLED,
	     noticed = v->flags & BROOD_NOTICED;
	const char *why = v->flags & BROOD_TOLD_DEADLINE ? "its deadline"
		: v->flags & BROOD_TOLD_CANCEL           ? "a cancel"
							 : "the stop";

	if (!(v->flags & (BROOD_TOLD_DEADLINE | BROOD_TOLD_CANCEL | BROOD_TOLD_STOP)))
		return;
	if (!killed)
		add(l, ", told to end by %s%s", why, noticed ? " and noticed" : "");
	else if (noticed)
		add(l, ", had noticed");
}

static void add_left(struct line *l, uint32_t left)
{
	const char *before = "; left ";

	for (size_t i = 0; i < ARRAY_SIZE(left_names); i++) {
		if (!(left & 1u << i))
			continue;
		add(l, "%s%s", before, left_names[i]);
		before = ", ";
	}
}

static void add_capped(struct line *l, const struct brood_verdict *v)
{
	if (v->flags & BROOD_NOT_RETRIED)
		add(l, ", not retried (retry_percent)");
}

int brood_report_format(const struct brood_report *report, char *text, size_t size)
{
	return report ? report_text(report, text, size) : snprintf(text, size, "no report");
}

int brood_verdict_format(const struct brood_verdict *verdict, char *text, size_t size)
{
	return brood_verdict_format_tag(verdict, NULL, text, size);
}

int brood_verdict_format_tag(
	const struct brood_verdict *verdict, const char *tag, char *text, size_t size)
{
	char shown[BROOD_TAG_MAX];
	struct line l = { .used = 0 };

	if (!verdict)
		return snprintf(text, size, "no verdict");
	add(&l, "job %llu", (unsigned long long)verdict->id);
	if (verdict->name[0])
		add(&l, " %.*s", (int)strnlen(verdict->name, sizeof verdict->name), verdict->name);
	if (tag && tag[0])
		add(&l, " [%s]", printable_copy(shown, sizeof shown, tag));
	add(&l, ": ");
	add_how(&l, verdict);
	add_told(&l, verdict);
	if (verdict->pool[0])
		add(&l, "; pool %.*s", (int)strnlen(verdict->pool, sizeof verdict->pool),
			verdict->pool);
	if (verdict->pid)
		add(&l, "; worker %u (pid %d, generation %u)", verdict->slot, (int)verdict->pid,
			verdict->generation);
	if (verdict->attempts > 1)
		add(&l, ", attempt %u", verdict->attempts);
	add_capped(&l, verdict);
	add_left(&l, verdict->left);
	add_time(&l, "; queued", verdict->queue_us);
	if (verdict->pid)
		add_time(&l, ", ran", verdict->run_us);
	return snprintf(text, size, "%s", l.text);
}
