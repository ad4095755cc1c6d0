/* SPDX-License-Identifier: MIT */
/*
 * resolve.c - see resolve.h. Each refusal says which field, what it holds, and what may stand
 * there.
 *
 * The struct may be older than this library (shorter: what is missing is default) or newer (longer:
 * fine as long as what we do not know is zero). So nothing but options_copy() (base) reads the
 * caller's.
 */
#define _GNU_SOURCE
#include "resolve.h"

#include "../base/base.h"
#include "../base/options.h"
#include "../engine/engine.h"

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>

#define WORKERS_MAX 10000u
#define BACKLOG_MAX 65536u
#define LIST_MAX    64u
#define STACK_MIN   (64u << 10)
#define STACK_MAX   (SIZE_MAX > UINT32_MAX ? (size_t)(UINT64_C(1) << 40) : SIZE_MAX / 4)
/* of the first released version: never less */
#define SIZE_FIRST sizeof(struct brood_options)
#define FLAGS_KNOWN \
	(BROOD_INLINE | BROOD_DEBUGGING | BROOD_NO_CORE | BROOD_ACCOUNT_CPU | BROOD_ACCOUNT_MEMORY)
#define LEFT_KNOWN ((BROOD_LEFT_HANDLERS << 1) - 1)
#define TITLE_MAX  128u

#define INVALID(...) (engine_error("brood_start: " __VA_ARGS__), -EINVAL)

static int copy(const struct brood_options *options, struct brood_options *ret)
{
	if (options && options->size < SIZE_FIRST)
		return INVALID("options.size is %zu, less than the struct ever was (%zu): set it, "
			       "{ .size = sizeof options }",
			options->size, SIZE_FIRST);
	if (options_copy(ret, sizeof *ret, options, SIZE_FIRST) < 0)
		return INVALID("options.size is %zu, and this library (%s) knows %zu of it: "
			       "garbage, or an option of a newer version",
			options->size, brood_version(), sizeof *ret);
	for (size_t i = 0; i < ARRAY_SIZE(ret->reserved); i++)
		if (ret->reserved[i])
			return INVALID("options.reserved is not zero: clear the struct before you "
				       "fill it");
	return 0;
}

static uint32_t usable_cpus(void)
{
	/*
	 * The kernel wants a mask as large as its own, which may be larger than cpu_set_t: so grow.
	 */
	for (int cpus = 1024; cpus <= 1 << 20; cpus *= 4) {
		cpu_set_t *set = CPU_ALLOC((size_t)cpus);
		size_t size = CPU_ALLOC_SIZE((size_t)cpus);
		int r, count;

		if (!set)
			break;
		CPU_ZERO_S(size, set);
		r = sched_getaffinity(0, size, set);
		count = CPU_COUNT_S(size, set);
		CPU_FREE(set);
		if (r == 0)
			return count > 0 ? MIN((uint32_t)count, WORKERS_MAX) : 1;
		if (errno != EINVAL)
			break;
	}
	return 1;
}

static void default_to(uint32_t *field, uint32_t value)
{
	if (*field == 0)
		*field = value;
}

static void set_defaults(struct brood_options *o)
{
	if (o->workers == 0)
		o->workers = usable_cpus();
	default_to(&o->backlog, 1024);
	default_to(&o->queue_ms, 10000);
	default_to(&o->run_ms, 60000);
	default_to(&o->grace_ms, 50);
	default_to(&o->init_ms, 10000);
	default_to(&o->drain_ms, 5000);
	default_to(&o->stop_ms, 1000);
	default_to(&o->engine_stop_ms, 60000);
	default_to(&o->core_ms, 5000);
	default_to(&o->cores_per_minute, 6);
	/* One given alone moves the other's default out of its way. */
	if (o->backoff_min_ms == 0)
		o->backoff_min_ms = o->backoff_max_ms ? MIN(100, o->backoff_max_ms) : 100;
	default_to(&o->backoff_max_ms, MAX(30000, o->backoff_min_ms));
	default_to(&o->start_limit, 10);
	default_to(&o->healthy_ms, 1000);
	default_to(&o->leases, o->workers);
	default_to(&o->lease_idle_ms, 1000);
	if (o->stack_size == 0)
		o->stack_size = 8u << 20;
}

static int check_numbers(const struct brood_options *o)
{
	if (o->flags & ~(uint32_t)FLAGS_KNOWN)
		return INVALID(
			"options.flags has unknown bits: 0x%x", o->flags & ~(uint32_t)FLAGS_KNOWN);
	if (o->tolerate & ~(uint32_t)LEFT_KNOWN)
		return INVALID("options.tolerate has unknown bits: 0x%x",
			o->tolerate & ~(uint32_t)LEFT_KNOWN);
	if (o->workers > WORKERS_MAX)
		return INVALID("options.workers is %u: 1 to %u, or 0 for one a CPU", o->workers,
			WORKERS_MAX);
	if (o->backlog > BACKLOG_MAX)
		return INVALID(
			"options.backlog is %u: 1 to %u, or 0 for 1024", o->backlog, BACKLOG_MAX);
	if (o->spawn > BROOD_SPAWN_FORK)
		return INVALID("options.spawn is %u: one of enum brood_spawn", o->spawn);
	if (o->dispatch > BROOD_PATH_LEASE)
		return INVALID("options.dispatch is %u: one of enum brood_path", o->dispatch);
	if (o->backoff_max_ms == BROOD_FOREVER || o->backoff_min_ms > o->backoff_max_ms)
		return INVALID("options.backoff_min_ms is %u and backoff_max_ms %u: the first must "
			       "not be larger, and neither for ever",
			o->backoff_min_ms, o->backoff_max_ms);
	if (o->stack_size < STACK_MIN || o->stack_size > STACK_MAX)
		return INVALID("options.stack_size is %zu: 64 KiB to 1 TiB, or 0 for 8 MiB",
			o->stack_size);
	return 0;
}

static int check_fds(const struct brood_options *o)
{
	if (o->keep_fds_count > LIST_MAX)
		return INVALID(
			"options.keep_fds_count is %zu: at most %u", o->keep_fds_count, LIST_MAX);
	if (o->keep_fds_count > 0 && !o->keep_fds)
		return INVALID(
			"options.keep_fds is NULL, but keep_fds_count is %zu", o->keep_fds_count);
	for (size_t i = 0; i < o->keep_fds_count; i++)
		if (o->keep_fds[i] < 0 || fcntl(o->keep_fds[i], F_GETFD) < 0)
			return INVALID("options.keep_fds[%zu] is %d, which is not open", i,
				o->keep_fds[i]);
	return 0;
}

static bool signal_is_fault(int sig)
{
	return sig == SIGSEGV || sig == SIGBUS || sig == SIGFPE || sig == SIGILL ||
		sig == SIGTRAP || sig == SIGSYS || sig == SIGABRT;
}

static int check_signals(const char *field, const int *signals, size_t count, bool pass)
{
	if (count > LIST_MAX)
		return INVALID("options.%s_count is %zu: at most %u", field, count, LIST_MAX);
	if (count > 0 && !signals)
		return INVALID("options.%s is NULL, but %s_count is %zu", field, field, count);
	for (size_t i = 0; i < count; i++) {
		int sig = signals[i];

		if (sig < 1 || sig > SIGRTMAX || (sig > SIGSYS && sig < SIGRTMIN))
			return INVALID(
				"options.%s[%zu] is %d, which is no signal that a program may use",
				field, i, sig);
		if (sig == SIGKILL || sig == SIGSTOP)
			return INVALID("options.%s[%zu] is %s, which no process can handle", field,
				i, sig == SIGKILL ? "SIGKILL" : "SIGSTOP");
		if (pass && (sig == SIGCHLD || signal_is_fault(sig)))
			return INVALID("options.%s[%zu] is signal %d, which is the supervisor's "
				       "own and cannot be passed on",
				field, i, sig);
	}
	return 0;
}

static void own_ints(const int **list, size_t count, int **at)
{
	if (count > 0)
		*list = memcpy(*at, *list, count * sizeof **at);
	*at += count;
}

/* Arrays and title move into memory of our own: one block. */
static int own(struct brood_options *o, void **ret_memory)
{
	size_t title_size = o->title ? strnlen(o->title, TITLE_MAX) : 0;
	size_t ints = o->keep_fds_count + o->pass_signals_count + o->keep_signals_count;
	int *at = calloc(1, ints * sizeof *at + title_size + 1);

	*ret_memory = at;
	if (!at) {
		engine_error("brood_start: out of memory");
		return -ENOMEM;
	}
	own_ints(&o->keep_fds, o->keep_fds_count, &at);
	own_ints(&o->pass_signals, o->pass_signals_count, &at);
	own_ints(&o->keep_signals, o->keep_signals_count, &at);
	if (o->title)
		o->title = memcpy(at, o->title, title_size);
	return 0;
}

int resolve_options(const struct brood_options *options, struct resolved *ret)
{
	struct resolved new = { .memory = NULL };
	struct brood_options *o = &new.options;
	int r = copy(options, o);

	if (r < 0)
		return r;
	new.submit_queue_ms = o->queue_ms ? o->queue_ms : BROOD_FOREVER;
	set_defaults(o);
	if ((r = check_numbers(o)) < 0 || (r = check_fds(o)) < 0 ||
		(r = check_signals("pass_signals", o->pass_signals, o->pass_signals_count, true)) <
			0 ||
		(r = check_signals("keep_signals", o->keep_signals, o->keep_signals_count, false)) <
			0 ||
		(r = own(o, &new.memory)) < 0)
		return r;
	*ret = new;
	return 0;
}

void resolve_free(struct resolved *r)
{
	free(r->memory);
	r->memory = NULL;
}
