/* SPDX-License-Identifier: MIT */
/*
 * resolve.c - see resolve.h. Each refusal says which field, what it holds, and what may stand
 * there.
 *
 * The struct may be older than this library (shorter: missing fields get their defaults) or newer
 * (longer: fine as long as the fields that we do not know are zero). So only options_copy() (base)
 * reads the caller's struct.
 */
#include "resolve.h"
#include "pool_options.h"
#include "pool_values.h"

#include "../base/base.h"
#include "../base/options.h"
#include "../engine/engine.h"
#include "../os/pressure_fd.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>

#define LIST_MAX 64u
/* The size in the first released version: a caller's struct is never smaller. */
#define SIZE_FIRST \
	(offsetof(struct brood_options, reserved) + sizeof((struct brood_options *)0)->reserved)
#define TITLE_MAX 128u

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

static int check_pressure(const struct brood_options *o)
{
	if (o->pressure_ms > PRESSURE_FD_WINDOW_MS && o->pressure_ms != BROOD_FOREVER)
		return INVALID("options.pressure_ms is %u: at most %u (of each 2 s), 0 for what "
			       "the service manager says, or BROOD_FOREVER for never",
			o->pressure_ms, PRESSURE_FD_WINDOW_MS);
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

/* A machine under load may keep a thread from its CPU for some tens of ms. */
#define ANSWER_MIN_MS 100u

static int check_answer(struct brood_options *o)
{
	if (o->engine_answer_ms == BROOD_FOREVER)
		o->engine_answer_ms = 0;
	if (o->engine_answer_ms > 0 && o->engine_answer_ms < ANSWER_MIN_MS)
		return INVALID("options.engine_answer_ms is %u: %u or more, for a busy machine may "
			       "keep a thread waiting so long; or 0: the engine is not asked",
			o->engine_answer_ms, ANSWER_MIN_MS);
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
	struct brood_options given, checked;
	int r = copy(options, &given);

	if (r < 0)
		return r;
	checked = given;
	pool_values_default(&checked);
	if ((r = pool_values_check(&checked, "options.")) < 0 || (r = check_fds(&given)) < 0 ||
		(r = check_pressure(&given)) < 0 ||
		(r = check_signals(
			 "pass_signals", given.pass_signals, given.pass_signals_count, true)) < 0 ||
		(r = check_signals("keep_signals", given.keep_signals, given.keep_signals_count,
			 false)) < 0 ||
		(r = check_answer(&given)) < 0 || (r = own(&given, &new.memory)) < 0)
		return r;
	r = pool_options_resolve(&given, &new.setups, &new.pools.count);
	if (r < 0) {
		resolve_free(&new);
		return r;
	}
	new.pools.list = new.setups;
	new.options = new.setups[0].options;
	*ret = new;
	return 0;
}

void resolve_free(struct resolved *r)
{
	pool_options_free(r->setups, r->pools.count);
	free(r->memory);
	r->setups = NULL;
	r->memory = NULL;
}
