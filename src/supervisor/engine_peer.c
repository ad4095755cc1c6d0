/* SPDX-License-Identifier: MIT */
/*
 * engine_peer.c - reads the engine's messages, and sees its end. The engine is the user's program:
 * it may be wrong, stuck or dead, and must neither block nor break the supervisor. If the engine's
 * channel ends while the engine lives (it closed all its fds, say), the pool ends, too: nobody can
 * give jobs any more.
 *
 * Each job, and each request for a lease, has a record: its number is the id modulo the number of
 * records. A message that makes no sense is logged and dropped, for the engine's memory may be
 * damaged.
 */
#include "engine_peer.h"
#include "cancel.h"
#include "copies.h"
#include "lease_watch.h"
#include "logging.h"
#include "manager.h"
#include "operator.h"
#include "poisoned.h"
#include "reload.h"
#include "size.h"
#include "stop.h"
#include "store.h"
#include "strays.h"
#include "verdict.h"
#include "waiting.h"

#include "../base/printable.h"
#include <stdio.h>
#include <sys/socket.h>

#define ABNORMAL_STOP_MS 100u /* how long a stop takes at most after the engine was killed */

/* ---- jobs and requests for leases ---- */

static bool sane(const struct frame *f)
{
	const struct message_job *m = &f->job;
	const char *rest = frame_rest(f);
	uint64_t request = m->carried ? m->request_size : 0;

	return m->id != 0 && !(m->carried && m->retries) && (m->fn != 0) != (m->plugin_size != 0) &&
		m->arg_size <= MESSAGE_ARG_MAX && m->tag_size <= BROOD_TAG_MAX &&
		request + m->plugin_size + m->tag_size <= m->arg_size &&
		(m->tag_size == 0 || rest[m->arg_size - 1] == '\0');
}

/*
 * Takes the fds, which the record still lacks, and queues the job or request. last: the last phase
 * of a stop in which a job or request may still wait; in a later phase it is refused.
 */
static void enter(struct job *job, struct frame *f, uint32_t fds, enum halt_phase last)
{
	record_take_fds(job, f);
	if (job->fds_count < fds)
		verdict_refuse(job, BROOD_DETAIL_FD_LOST);
	else if (job->pool->supervisor->halt.phase > last)
		verdict_refuse(job, BROOD_DETAIL_DRAINING);
	else
		waiting_enter(job);
}

static void on_job(struct supervisor *s, struct frame *f)
{
	struct pool *pool = pool_addressed(s, f->job.pool);
	struct job *job = pool && sane(f) ? record_of(records_claim(&pool->records, f->job.id))
					  : NULL;

	if (!job) {
		plain_log(s, BROOD_ERR, BROOD_EVENT_PROTOCOL,
			"the engine gave a job that makes no sense; its library's memory is "
			"damaged");
		return;
	}
	record_begin(pool, job, &f->job);
	memcpy(job->arg, frame_rest(f), f->job.arg_size);
	job->files = f->header.fds;
	pool->copies.held += job->files;
	copies_come(pool);
	enter(job, f, f->header.fds, HALT_NONE);
}

static void on_lease(struct supervisor *s, struct frame *f)
{
	struct pool *pool = pool_addressed(s, f->lease.pool);
	const struct message_job m = {
		.id = f->lease.id, .given_ns = f->lease.given_ns, .queue_ms = f->lease.queue_ms
	};
	struct job *job = pool && f->lease.lease_page < s->config.shared->lease_pages_count
		? record_of(records_claim(&pool->records, m.id))
		: NULL;

	if (!job) {
		plain_log(s, BROOD_ERR, BROOD_EVENT_PROTOCOL,
			"the engine asked for a lease in a way that makes no sense; its library's "
			"memory is damaged");
		return;
	}
	record_begin(pool, job, &m);
	job->is_lease = true;
	job->lease = f->lease;
	memset(&job->grant, 0, sizeof job->grant);
	/* leases are granted while the pool drains: the engine needs them for its queued jobs */
	enter(job, f, LEASE_FDS, HALT_DRAIN);
}

/* ---- all other messages of the engine ---- */

static void on_init_data(struct supervisor *s, struct frame *f)
{
	struct pool *pool = pool_addressed(s, f->init_data.pool);
	struct init_data d = {
		.memfd = -1, .size = f->init_data.data_size, .version = f->init_data.version
	};
	size_t first = d.size > 0 ? 1 : 0;

	if (!pool)
		return;
	if (f->init_data.fds_count > BROOD_INIT_FDS_MAX ||
		f->fds_count != first + f->init_data.fds_count) {
		pool_log(pool, BROOD_ERR, BROOD_EVENT_RESOURCE,
			"init data version %u is dropped: its fds did not arrive (limit on open "
			"files)",
			d.version);
		return;
	}
	if (first)
		d.memfd = frame_take_fd(f, 0);
	for (; d.fds_count < f->init_data.fds_count; d.fds_count++)
		d.fds[d.fds_count] = frame_take_fd(f, first + d.fds_count);
	reload_set_init_data(pool, &d);
}

static void on_reload(struct supervisor *s, const struct message_reload *m)
{
	for_each_pool(pool, s) if (m->pool == MESSAGE_ALL_POOLS || m->pool == pool->setup->number)
		reload_begin(pool, m->id);
}

static void on_resize(struct supervisor *s, const struct message_resize *m)
{
	struct pool *pool = pool_addressed(s, m->pool);

	if (pool && m->max >= 1 && m->min <= m->max && m->max <= pool->options->workers)
		size_set(pool, m->min, m->max);
}

static uint32_t drain_left(const struct supervisor *s, uint32_t used_ms)
{
	uint32_t ms = s->options->drain_ms;

	return ms == BROOD_FOREVER ? ms : ms - MIN(ms, used_ms);
}

static void say_dropped(struct supervisor *s, const struct message_dropped *m)
{
	const struct logging_about about = { .level = BROOD_WARNING,
		.event = BROOD_EVENT_JOBS_DROPPED,
		.job = m->first,
		.function = m->first ? m->name : NULL,
		.tag = m->first ? m->tag : NULL };
	char text[PRINTABLE_JOB_MAX + 160];

	message_dropped_text(m, text, sizeof text);
	logging_line(s, &about, "%s", text);
}

/*
 * The engine died without saying which jobs it dropped. The tally (wire/stats_page.h) still has the
 * number of jobs that waited in the engine.
 */
static void say_lost_with_it(struct supervisor *s)
{
	const struct message_dropped m = { .count = atomic_load(
						   &s->config.shared->tally->waiting) };

	/* signed: an engine that told of the dropped jobs itself may have counted below 0 */
	if ((int64_t)m.count > 0)
		say_dropped(s, &m);
}

static void handle(struct supervisor *s, struct frame *f)
{
	switch (f->header.type) {
	case MESSAGE_JOB: on_job(s, f); break;
	case MESSAGE_CANCEL: cancel_job(s, f->about.id); break;
	case MESSAGE_LEASE: on_lease(s, f); break;
	case MESSAGE_LEASE_END: lease_watch_end(s, f->about.id); break;
	case MESSAGE_LEASE_LOOK: lease_watch_look_by_id(s, f->about.id); break;
	case MESSAGE_LEASE_KILL: lease_watch_kill(s, &f->lease_kill); break;
	case MESSAGE_EXITING: s->engine.exiting = true; break;
	case MESSAGE_DRAINING: s->engine.draining = true; break;
	case MESSAGE_FAULT: poisoned_hear(s, &f->job); break;
	case MESSAGE_DROPPED: say_dropped(s, &f->dropped); break;
	case MESSAGE_STOP:
		s->stop_asked = true;
		if (!s->engine.exiting)
			manager_pool_ends(s);
		/* exit() sends STOP, too, but only brood_stop() makes any exit code a good one */
		s->engine.stopped_pool |= !s->engine.exiting;
		stop_pool(s, drain_left(s, f->stop.drained_ms), s->options->stop_ms);
		break;
	case MESSAGE_NOTIFY: manager_hear_engine(s, f); break;
	case MESSAGE_INIT_DATA: on_init_data(s, f); break;
	case MESSAGE_KEEP: store_hear(s, f); break;
	case MESSAGE_RESIZE: on_resize(s, &f->asked.resize); break;
	case MESSAGE_WISH_DONE: operator_hear(s, f->about.id, true); break;
	case MESSAGE_WISH_NONE: operator_hear(s, f->about.id, false); break;
	case MESSAGE_RELOAD: on_reload(s, &f->reload); break;
	default:
		plain_log(s, BROOD_ERR, BROOD_EVENT_PROTOCOL,
			"the engine sent a message that is none of its own");
	}
}

/* ---- the engine's channel ---- */

static void channel_over(struct supervisor *s)
{
	s->engine.channel_ended = true;
	loop_remove(&s->loop, &s->engine.channel);
	s->config.channel_fd = close_fd(s->config.channel_fd);
	note(s, NOTE_TELL); /* nobody reads the verdicts that wait: frees their records */
	engine_peer_stop_if_ended(s);
	/*
	 * An engine that exits closes its channel a moment before the supervisor sees its end. If
	 * the pool stopped because the channel is closed, jobs given before the exit would lose
	 * their time to drain. So the supervisor first waits EOF_GRACE_MS for the engine's end.
	 */
	if (!s->engine.ended)
		timer_set(&s->loop, &s->engine.eof_timer, now_ns() + EOF_GRACE_MS * NS_PER_MS);
}

void engine_peer_eof_fired(struct timer *timer, uint64_t now)
{
	struct supervisor *s = container_of(timer, struct supervisor, engine.eof_timer);

	(void)now;
	engine_peer_stop_if_ended(s);
	if (s->engine.ended)
		return;
	if (!s->engine.stopped_pool)
		stderr_log(s, BROOD_ERR, BROOD_EVENT_ENGINE_DIED, s->engine.pid,
			"the engine (pid %d) lives, but has closed its channel to the supervisor, "
			"or runs another program: the pool stops",
			s->engine.pid);
	stop_pool(s, 0, s->options->stop_ms);
}

static void pause_reading(struct supervisor *s)
{
	loop_remove(&s->loop, &s->engine.channel);
	s->engine.paused = true;
	note(s, NOTE_RETRY);
}

/*
 * Reads one message and handles it. Returns 1: read again, more may be there. 0: no message is
 * there now, or the channel has ended, or reading pauses for lack of a resource.
 */
static int read_one(struct supervisor *s)
{
	struct frame f;
	int r = frame_receive(s->config.channel_fd, &f, MSG_DONTWAIT);

	if (r == 1) {
		handle(s, &f);
		frame_done(&f);
		return 1;
	}
	if (r == 0)
		channel_over(s);
	else if (r == -EBADMSG)
		plain_log(
			s, BROOD_ERR, BROOD_EVENT_PROTOCOL, "the engine sent a frame that is none");
	else if (r != -EAGAIN)
		pause_reading(s);
	return r == -EBADMSG;
}

/* Reads what the engine sent just before its exit: jobs among it have their time to drain. */
static void hear_last_words(struct supervisor *s)
{
	for (uint32_t n = 0; n < s->config.records + 64 && !s->engine.channel_ended &&
		!s->engine.paused && read_one(s);
		n++)
		;
}

void engine_peer_resume(struct supervisor *s)
{
	if (s->engine.paused && !s->engine.channel_ended) {
		if (loop_add(&s->loop, &s->engine.channel, s->config.channel_fd, EPOLLIN,
			    engine_peer_readable) < 0)
			note(s, NOTE_RETRY);
		else
			s->engine.paused = false;
	}
	if (s->engine.death.fd < 0 && s->engine.pidfd >= 0 && !s->engine.ended &&
		loop_add(&s->loop, &s->engine.death, s->engine.pidfd, EPOLLIN, engine_peer_death) <
			0)
		note(s, NOTE_RETRY);
	engine_peer_stop_if_ended(s);
}

void engine_peer_readable(struct source *source, uint32_t events)
{
	struct supervisor *s = container_of(source, struct supervisor, engine.channel);

	if (events & EPOLLOUT)
		note(s, NOTE_TELL);
	if (source->fd < 0 || !(events & ~(uint32_t)EPOLLOUT))
		return;
	read_one(s);
}

/* ---- the engine's end ---- */

/*
 * True: a stop signal came. It may have gone to supervisor and engine at once, and the engine died
 * by it before the supervisor has read its own: so pending signals count, too.
 */
static bool stop_signal_came(const struct supervisor *s)
{
	sigset_t pending;

	if (s->engine.first_stop_ns)
		return true;
	return sigpending(&pending) == 0 &&
		(sigismember(&pending, SIGTERM) || sigismember(&pending, SIGINT));
}

/*
 * True: the engine ended as somebody asked, which is not worth a line in the log. The program chose
 * its end (exit code 0, or any code after brood_stop()), or a stop signal asked for it.
 */
static bool ended_as_asked(const struct supervisor *s, const struct process_exit *e)
{
	if (e->code == CLD_EXITED)
		return e->status == 0 || s->engine.stopped_pool;
	return (e->status == SIGTERM || e->status == SIGINT) && stop_signal_came(s);
}

/*
 * Warns if the engine ended by _exit() and a process that it forked lives on. Usually the program
 * called daemon() after brood_start(): the forked process cannot call the library, and the pool
 * ends.
 */
static void say_daemon(struct supervisor *s)
{
	bool in_order = s->engine.stopped_pool || s->engine.exiting;
	pid_t pid = in_order ? 0 : strays_fork_of_engine(s);

	if (pid == 0)
		return;
	process_log(s, BROOD_WARNING, BROOD_EVENT_ENGINE_DIED, pid,
		"the engine (pid %d) ended, and the pool with it; process %d, which it forked, "
		"goes on "
		"without a pool: if that was daemon(), call it before brood_start()",
		s->engine.pid, pid);
}

static void say_death(struct supervisor *s, const struct process_exit *e, bool known)
{
	struct logging_about about = {
		.level = BROOD_WARNING, .event = BROOD_EVENT_ENGINE_DIED, .pid = s->engine.pid
	};
	char name[16];

	if (!known) {
		logging_line(s, &about,
			"the engine (pid %d) has ended, nobody knows how: its status was taken by "
			"another",
			s->engine.pid);
	} else if (ended_as_asked(s, e)) {
		if (e->code == CLD_EXITED && e->status == 0)
			say_daemon(s);
	} else if (e->code == CLD_EXITED) {
		about.level = BROOD_NOTICE;
		logging_line(s, &about,
			"the engine (pid %d) ended with exit code %d: the pool stops",
			s->engine.pid, e->status);
	} else {
		/* A usual end: the reader of the engine's pipeline had gone. */
		if (e->status == SIGPIPE)
			about.level = BROOD_INFO;
		logging_line(s, &about, "the engine (pid %d) ended by %s%s: the pool stops",
			s->engine.pid, signals_name(e->status, name),
			e->code == CLD_DUMPED ? " (core dumped)" : "");
	}
}

/*
 * A service that ends well has started. The reason of any other end is what the service manager
 * shows last. The kernel's number for such a reason is what ERRNO= can hold.
 */
static void tell_manager(struct supervisor *s, const struct process_exit *e, bool known)
{
	char name[16], reason[96];

	if (known && e->code == CLD_EXITED && e->status == 0)
		manager_pool_ends(s);
	if (!known)
		manager_tell_failure(s, EOWNERDEAD, "the engine has ended, nobody knows how");
	else if (e->code == CLD_EXITED && e->status == 0)
		manager_tell_stopping(s);
	else if (e->code == CLD_EXITED) {
		snprintf(reason, sizeof reason, "the engine ended with exit code %d", e->status);
		manager_tell_failure(s, ECANCELED, reason);
	} else if (ended_as_asked(s, e)) {
		manager_tell_stopping(s);
	} else {
		snprintf(reason, sizeof reason, "the engine ended by %s%s",
			signals_name(e->status, name),
			e->code == CLD_DUMPED ? " (core dumped)" : "");
		manager_tell_failure(s, EOWNERDEAD, reason);
	}
}

void engine_peer_stop_if_ended(struct supervisor *s)
{
	struct process_exit *e = &s->engine.exit;
	bool orderly;
	int r;

	if (s->engine.ended)
		return;
	r = process_wait(s->engine.pid, false, e);
	if (r == 0)
		return;
	if (r < 0 && r != -ECHILD) {
		note(s, NOTE_RETRY);
		return;
	}
	if (r == -ECHILD)
		*e = (struct process_exit){ .code = CLD_KILLED, .status = SIGKILL };
	orderly = e->code == CLD_EXITED;
	s->engine.ended = true;
	say_death(s, e, r > 0);
	if (orderly)
		hear_last_words(s);
	loop_remove(&s->loop, &s->engine.death);
	timer_stop(&s->loop, &s->engine.stop_timer);
	timer_stop(&s->loop, &s->engine.eof_timer);
	timer_stop(&s->loop, &s->engine.signal_timer);
	atomic_store(&s->config.shared->roster->engine_pid, 0);
	say_lost_with_it(s);
	tell_manager(s, e, r > 0);
	note(s, NOTE_TELL);
	stop_pool(s, orderly ? s->options->drain_ms : 0,
		orderly ? s->options->stop_ms : MIN(s->options->stop_ms, ABNORMAL_STOP_MS));
}

void engine_peer_death(struct source *source, uint32_t events)
{
	struct supervisor *s = container_of(source, struct supervisor, engine.death);

	(void)events;
	engine_peer_stop_if_ended(s);
	/* waitid() failed, or a debugger has the news first: engine_peer_resume() tries again */
	if (!s->engine.ended) {
		loop_remove(&s->loop, source);
		note(s, NOTE_RETRY);
	}
}
