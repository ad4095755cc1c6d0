/* SPDX-License-Identifier: MIT */
/*
 * operator.c - the commands of operators, who stand outside of the program: brood-ctl reload,
 * resize, retire, kill, cancel, drain. Each goes the way that the same wish of the program goes.
 * Each that is accepted is one line in the log, with the peer's user and pid.
 */
#include "operator.h"
#include "cancel.h"
#include "lease_watch.h"
#include "outbox.h"
#include "pool.h"
#include "reload.h"
#include "renew.h"
#include "size.h"
#include "stop_signal.h"
#include "../os/proc.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

void operator_say(struct control_reply *reply, int32_t result, const char *format, ...)
{
	va_list args;

	reply->result = result;
	va_start(args, format);
	vsnprintf(reply->text, sizeof reply->text, format, args);
	va_end(args);
}

#define LOG_ABOUT(c_, pool_)                                                           \
	&(struct logging_about)                                                        \
	{                                                                              \
		.level = BROOD_NOTICE, .event = BROOD_EVENT_CONTROL, .pid = (c_)->pid, \
		.pool = (pool_),                                                       \
	}
#define LOG_WHO "on the control socket, user %u (pid %d) asked for "

/* ---- pools ---- */

/* The pool of that name; "": the first. NULL: there is none, and the reply says so. */
static struct pool *pool_named(struct supervisor *s, const char *name, struct control_reply *reply)
{
	for_each_pool(pool, s) if (!*name || strcmp(pool->setup->name, name) == 0) return pool;
	operator_say(reply, -ENOENT, "there is no pool %s: brood-ctl status shows the pools", name);
	return NULL;
}

static bool stops(struct supervisor *s, struct control_reply *reply)
{
	if (s->halt.phase == HALT_NONE && !s->engine.first_stop_ns)
		return false;
	operator_say(reply, -ESHUTDOWN, "the brood stops");
	return true;
}

/* How the reload of one pool has gone. False: it goes on. */
static bool reload_over(
	const struct pool *pool, const struct control_connection *c, struct control_reply *reply)
{
	const struct reload *r = &pool->reload;
	const char *name = pool->setup->name;

	if (r->id != c->reload)
		operator_say(reply, -ECANCELED,
			"pool %s: a later reload has taken the place of this one", name);
	else if (r->running)
		return false;
	else if (r->result < 0)
		operator_say(reply, r->result,
			"pool %s: the reload has failed, and the former workers go on: %u new ones "
			"in a row ended before they were ready, the last one %.100s",
			name, r->failures, r->how);
	return true;
}

/* The first pool that has failed decides; a pool whose reload goes on is waited for. */
static bool reloads_over(
	struct supervisor *s, const struct control_connection *c, struct control_reply *reply)
{
	bool all = true;

	for_each_pool(pool, s)
	{
		if (c->pool != MESSAGE_ALL_POOLS && c->pool != pool->setup->number)
			continue;
		all &= reload_over(pool, c, reply);
		if (reply->result < 0)
			return true;
	}
	if (!all && stops(s, reply))
		return true;
	if (all)
		operator_say(reply, 0, "the reload is done: all workers are new");
	return all;
}

static bool act_reload(struct supervisor *s, struct control_connection *c,
	const struct control_request *request, struct control_reply *reply)
{
	struct pool *one = *request->pool ? pool_named(s, request->pool, reply) : NULL;
	uint64_t id;

	if (reply->result < 0 || stops(s, reply))
		return true;
	id = RELOAD_BY_OPERATOR | ++s->control.reloads;
	logging_line(s, LOG_ABOUT(c, one), LOG_WHO "reload " RELOAD_TEXT "%s", (unsigned)c->user,
		c->pid, RELOAD_NAME(id), one ? "" : ", of all pools");
	for_each_pool(pool, s) if (!one || one == pool) reload_begin(pool, id);
	c->reload = id;
	c->pool = one ? one->setup->number : MESSAGE_ALL_POOLS;
	reply->id = s->control.reloads;
	operator_say(reply, 0, "the reload has begun: brood-ctl status shows when it is done");
	return request->wait_ms == 0;
}

static void act_resize(struct supervisor *s, struct control_connection *c,
	const struct control_request *request, struct control_reply *reply)
{
	struct pool *pool = pool_named(s, request->pool, reply);
	uint32_t min = request->min;

	if (!pool || stops(s, reply))
		return;
	if (request->max > pool->options->workers) {
		operator_say(reply, -ERANGE,
			"pool %s has room for %u workers, as `workers` of its options says: MAX "
			"cannot be more",
			pool->setup->name, pool->options->workers);
		return;
	}
	if (request->min > 0 && pool->setup->own.scaling != BROOD_ELASTIC &&
		request->min != request->max) {
		operator_say(reply, -EINVAL,
			"pool %s is not elastic: MIN is 0 or MAX, or stays away",
			pool->setup->name);
		return;
	}
	if (pool->setup->own.scaling == BROOD_ON_DEMAND)
		min = 0;
	logging_line(s, LOG_ABOUT(c, pool), LOG_WHO "a size of %u to %u workers", (unsigned)c->user,
		c->pid, min, request->max);
	size_set(pool, min, request->max);
	operator_say(reply, 0, "pool %s has %u to %u workers from now on", pool->setup->name, min,
		request->max);
}

/* ---- one worker ---- */

/* The slot with a worker in it. NULL: there is none, and the reply says so. */
static struct slot *slot_numbered(
	struct supervisor *s, uint32_t number, struct control_reply *reply)
{
	struct slot *slot = pool_slot(s, number);

	if (slot && slot->pid > 0)
		return slot;
	operator_say(reply, -ENOENT,
		slot ? "slot %u has no worker now: brood-ctl workers lists those that have one"
		     : "there is no slot %u: brood-ctl workers lists them. A slot's number is not "
		       "its worker's pid",
		number);
	return NULL;
}

static void act_retire(struct supervisor *s, struct control_connection *c,
	const struct control_request *request, struct control_reply *reply)
{
	struct slot *slot = slot_numbered(s, request->slot, reply);
	bool pinned;

	if (!slot || stops(s, reply))
		return;
	if (slot->link.state < SLOT_IDLE || slot->link.state > SLOT_LEASED) {
		operator_say(reply, -EAGAIN,
			slot->link.state == SLOT_UNDEAD
				? "worker %u (pid %d) was killed, and does not end"
				: "worker %u (pid %d) is starting or ending: ask again later",
			slot->number, slot->pid);
		return;
	}
	slot_log(slot, BROOD_NOTICE, BROOD_EVENT_CONTROL,
		LOG_WHO "the replacement of worker %u (pid %d)", (unsigned)c->user, c->pid,
		slot->number, slot->pid);
	pinned = slot->link.state == SLOT_LEASED && record_is_pinned(slot->job);
	renew_due(slot, RETIRE_OPERATOR);
	operator_say(reply, 0, "worker %u (pid %d) goes %s, once its replacement is ready",
		slot->number, slot->pid,
		pinned              ? "when its pinned lease ends"
			: slot->job ? "after its job"
				    : "soon");
}

static void act_kill(struct supervisor *s, struct control_connection *c,
	const struct control_request *request, struct control_reply *reply)
{
	struct slot *slot = slot_numbered(s, request->slot, reply);

	if (!slot)
		return;
	if (slot->facts.kill_signal == SIGKILL) {
		operator_say(reply, -EALREADY,
			"worker %u (pid %d) was killed, and has not ended yet", slot->number,
			slot->pid);
		return;
	}
	slot_log(slot, BROOD_NOTICE, BROOD_EVENT_CONTROL, LOG_WHO "the kill of worker %u (pid %d)",
		(unsigned)c->user, c->pid, slot->number, slot->pid);
	slot->facts.by_operator = true;
	operator_say(reply, 0, "worker %u (pid %d) is killed; another one takes its place",
		slot->number, slot->pid);
	slot_kill(slot, SIGKILL, "an operator asked for it");
	slot_end(slot, now_ns() + RETRY_MS * NS_PER_MS);
}

/* ---- one job ---- */

#define ENGINE_ANSWERS_MS 3000u

static void say_cancelled(struct supervisor *s, const struct control_connection *c, uint64_t id,
	bool ran, struct control_reply *reply)
{
	logging_line(s,
		&(struct logging_about){ .level = BROOD_NOTICE,
			.event = BROOD_EVENT_CONTROL,
			.pid = c->pid,
			.job = id },
		LOG_WHO "the end of job %" PRIu64, (unsigned)c->user, c->pid, id);
	operator_say(reply, 0,
		ran ? "job %" PRIu64 " was told to end; after its grace_ms its worker is killed"
		    : "job %" PRIu64 " is cancelled",
		id);
}

/* Jobs that wait in the program are the engine's. */
static bool ask_engine(struct supervisor *s, uint64_t id, struct control_reply *reply)
{
	struct frame f;

	frame_begin(&f, MESSAGE_WISH)->about.id = id;
	if (s->engine.ended || s->engine.channel_ended) {
		operator_say(
			reply, -ENOENT, "no job %" PRIu64 " waits or runs: it has its verdict", id);
		return false;
	}
	if (outbox_send(s, &f) == 0)
		return true;
	operator_say(reply, -EAGAIN,
		"job %" PRIu64 " is not with the supervisor, and the engine reads no messages now: "
		"ask again later",
		id);
	return false;
}

/* True: the reply is complete. */
static bool act_cancel(struct supervisor *s, struct control_connection *c,
	const struct control_request *request, struct control_reply *reply)
{
	enum cancel_result how = cancel_job(s, request->job);

	if (how == CANCEL_NONE && lease_watch_cancel(s, request->job))
		how = CANCEL_RUNS;
	if (how != CANCEL_NONE)
		say_cancelled(s, c, request->job, how == CANCEL_RUNS, reply);
	else if (ask_engine(s, request->job, reply))
		c->job = request->job;
	return c->job == 0;
}

void operator_hear(struct supervisor *s, uint64_t job, bool done)
{
	for (size_t i = 0; i < CONTROL_CONNECTIONS; i++) {
		struct control_connection *c = &s->control.connections[i];

		if (!c->asked || c->job == 0 || c->job != job || c->told)
			continue;
		c->told = true;
		c->done = done;
		note(s, NOTE_CONTROL);
	}
}

static void say_told(
	struct supervisor *s, const struct control_connection *c, struct control_reply *reply)
{
	if (c->done)
		say_cancelled(s, c, c->job, false, reply);
	else
		operator_say(reply, -ENOENT,
			"no job %" PRIu64 " waits or runs: it has its verdict, or never was",
			c->job);
}

/* ---- the brood ---- */

/* As a stop signal to the supervisor. A second one would kill the engine: it is not passed on. */
static void act_drain(
	struct supervisor *s, struct control_connection *c, struct control_reply *reply)
{
	pid_t engine = s->engine.pid;

	if (s->engine.ended || s->halt.phase != HALT_NONE || s->engine.first_stop_ns) {
		operator_say(reply, 0, "the brood stops already");
		return;
	}
	if (proc_dies_by(engine, SIGTERM)) {
		operator_say(reply, -ENOTSUP,
			"the program has no handler for SIGTERM: that would end its engine (pid "
			"%d) at once, with all jobs. If that is meant: kill %d",
			engine, s->pid);
		return;
	}
	logging_line(s, LOG_ABOUT(c, NULL), LOG_WHO "the end, after the jobs that are there",
		(unsigned)c->user, c->pid);
	stop_signal_came(s, SIGTERM, s->pid, false);
	operator_say(reply, 0, "the engine (pid %d) has SIGTERM, and ends when its jobs are done",
		engine);
}

bool operator_act(struct supervisor *s, struct control_connection *c,
	const struct control_request *request, struct control_reply *reply, uint64_t *ret_until)
{
	switch (request->command) {
	case CONTROL_RELOAD:
		*ret_until = time_after_ms(now_ns(), request->wait_ms);
		return act_reload(s, c, request, reply);
	case CONTROL_RESIZE: act_resize(s, c, request, reply); break;
	case CONTROL_RETIRE: act_retire(s, c, request, reply); break;
	case CONTROL_KILL: act_kill(s, c, request, reply); break;
	case CONTROL_CANCEL:
		*ret_until = time_after_ms(now_ns(), ENGINE_ANSWERS_MS);
		return act_cancel(s, c, request, reply);
	case CONTROL_DRAIN: act_drain(s, c, reply); break;
	default: operator_say(reply, -EINVAL, "there is no such command");
	}
	return true;
}

bool operator_look(
	struct supervisor *s, const struct control_connection *c, struct control_reply *reply)
{
	if (c->job == 0) {
		reply->id = c->reload & ~RELOAD_BY_OPERATOR;
		return reloads_over(s, c, reply);
	}
	if (c->told)
		say_told(s, c, reply);
	return c->told;
}

void operator_late(
	struct supervisor *s, const struct control_connection *c, struct control_reply *reply)
{
	uint32_t old = 0;

	if (c->job) {
		operator_say(reply, -EINPROGRESS,
			"job %" PRIu64 " is not with the supervisor, and the engine has not "
			"answered: it ends the job when a thread of the program is in a call of "
			"the library",
			c->job);
		return;
	}
	for_each_pool(pool, s) if (c->pool == MESSAGE_ALL_POOLS || c->pool == pool->setup->number)
		old += pool->renewals.old;
	operator_say(reply, -ETIMEDOUT,
		"the reload goes on: %u of the former workers are left, and go after their jobs",
		old);
}
